--- Coroutines of an event loop's own, paused by a call that waits.

local support = require "spec.support"

local ANSWER = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

-- `begin(f)` has f run in a coroutine of the loop's; `url` is a server's.
local LOOPS = {
  cqueues = [[
    local controller = require("cqueues").new()
    local function begin(f) controller:wrap(f) end
    -- Each when the ones before have been done for a while, by the loop alone.
    local function by_hand(ready, ...)
      local todo = { ... }
      controller:wrap(function()
        local cqueues = require "cqueues"
        repeat cqueues.sleep(0.01) until ready()
        for _, f in ipairs(todo) do
          cqueues.sleep(0.1)
          f()
        end
      end)
    end
    %s
    assert(controller:loop())
  ]],
  luv = [[
    local function begin(f) coroutine.wrap(f)() end
    local function by_hand(ready, ...)
      local todo = { ... }
      local timer = require("luv").new_timer()
      timer:start(100, 100, function()
        if not ready() then return end
        local f = table.remove(todo, 1)
        if f then f() else timer:close() end
      end)
    end
    %s
    require("luv").run()
  ]],
}

local function run_in(loop, server, source)
  local kind, code, out, err = support.run(([[
    local http = require "curlew"
    local url = ...
    http.loop %q
    %s
  ]]):format(loop, LOOPS[loop]:format(source)), { server.url, seconds = 20 })
  assert.same({ "exit", 0 }, { kind, code }, err)
  return out
end

for loop in pairs(LOOPS) do
  if not support.has_rock(loop) then LOOPS[loop] = nil end
end

for loop in pairs(LOOPS) do
  describe("Under " .. loop .. " a call", function()
    local server

    before_each(function() server = support.server() end)
    after_each(function() server:close() end)

    it("pauses its coroutine alone", function()
      server:script { "request", { send = ANSWER }, "close" }
      local out = run_in(loop, server, [[
        for i = 1, 3 do
          begin(function()
            io.write("begin ")
            assert(http.fetch(url))
            io.write("end ")
          end)
        end
      ]])
      assert.equal("begin begin begin end end end ", out)
    end)

    it("is not forgotten with its coroutine, which nobody else has", function()
      server:script { "request", { send = ANSWER }, "close" }
      local out = run_in(loop, server, [[
        begin(function()
          http.sleep(0)
          print(assert(http.fetch(url)).body)
        end)
        begin(function() collectgarbage() collectgarbage() end)
      ]])
      assert.equal("ok\n", out)
    end)

    it("polls where its coroutine cannot be paused", function()
      server:script { { loop = { "request", { send = ANSWER } } } }
      local out = run_in(loop, server, [[
        begin(function()
          print(("a"):gsub("a", function() return http.fetch(url).body end))
          table.sort({ 2, 1 }, function(a, b)
            http.sleep(0)
            return a < b
          end)
          for body in coroutine.wrap(function()
            coroutine.yield(http.fetch(url).body)
          end) do print(body) end
        end)
      ]])
      assert.equal("ok\t1\nok\n", out)
    end)

    -- By hand, with a place that becomes free, and a client that is closed.
    it("is told of what happens while the loop waits", function()
      server:script { { loop = { "request", { send =
        "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nx" }, "hold" } } }
      local out = run_in(loop, server, [[
        http.limits { max_open = 2 }
        local client = http.client { deadline = 15 }
        local held, reads
        begin(function()
          held = assert(http.get(url))
          local r = assert(client:get(url))
          assert(r:read(1) == "x")
          reads = true
          local text, err = r:read(1)
          print(text, err.code)
        end)
        begin(function()
          repeat http.sleep(0.001) until reads
          local r <close> = assert(http.get(url, { deadline = 15 }))
          print("its turn", r.info.queued < 5)
        end)
        by_hand(function() return reads end, function() held:close() end,
          function() client:close() end)
      ]])
      assert.matches("its turn\ttrue", out)
      assert.matches("nil\tcancelled", out)
    end)

    it("lets the loop end when the last one has gone on", function()
      server:script { { loop = { "request", { send =
        "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nx" } } } }
      local out = run_in(loop, server, [[
        begin(function()
          local scope <close> = http.scope()
          local task = scope:spawn(function()
            local r <close> = assert(http.get(url))
            return r:read(1)
          end)
          print(task:wait())
        end)
      ]])
      assert.equal("x\n", out)
    end)
  end)
end

if LOOPS.luv then

describe("Under luv a coroutine that is closed while it waits", function()
  -- Row 14 of the ways that a scope can end, where a get pauses.
  it("inside get or read has released, but for a plain variable", function()
    local server <close> = support.server()
    local half = { send = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nx" }
    server:script { "request", half, "hold" }
    server:script { "request", half, "hold" }
    server:script { "request", "hold" }
    local out = run_in("luv", server, [[
      local reading, waits = 0, {}
      local function wait(f)
        waits[#waits + 1] = coroutine.create(f)
        assert(coroutine.resume(waits[#waits]))
      end
      local function read(r)
        assert(r:read(1))
        reading = reading + 1
        r:read(1)
      end
      local function tell()
        collectgarbage()
        collectgarbage()
        local stats = http.stats()
        print(stats.open, stats.released_by.tbc, stats.leaked)
      end
      wait(function() local r <close> = http.get(url) read(r) end)
      wait(function() local r = http.get(url) read(r) end)
      local timer = require("luv").new_timer()
      timer:start(1, 1, function()
        if reading < 2 then return end
        timer:close()
        wait(function() local _ <close> = http.get(url) end)
        for _, thread in ipairs(waits) do assert(coroutine.close(thread)) end
        waits = nil
        tell()
      end)
    ]])
    assert.equal("0\t2\t1\n", out)
  end)

  it("lets the loop end", function()
    local out = run_in("luv", { url = "" }, [[
      local waits = coroutine.create(function() http.sleep(600) end)
      coroutine.resume(waits)
      require("luv").new_timer():start(0, 0, function()
        print(coroutine.close(waits))
      end)
    ]])
    assert.equal("true\n", out)
  end)
end)

describe("Under luv a task that yields again and again", function()
  it("lets the loop's timers have their turn", function()
    local out = run_in("luv", { url = "" }, [[
      local timer, over = require("luv").new_timer(), false
      timer:start(1, 0, function() over = true timer:close() end)
      begin(function()
        local scope <close> = http.scope { deadline = 10 }
        scope:spawn(function()
          while not over do coroutine.yield() end
        end)
        print(scope:wait())
      end)
    ]])
    assert.equal("true\n", out)
  end)
end)

end

if LOOPS.cqueues then

describe("Under cqueues", function()
  it("a task that asks it for what cannot be is found by the collector",
    function()
      local out = run_in("cqueues", { url = "" }, [[
        local cqueues = require "cqueues"
        begin(function()
          local scope <close> = http.scope()
          local task = scope:spawn(function()
            cqueues.poll { pollfd = 987, events = "r" }
          end)
          print(task:wait())
        end)
        print((select(2, controller:loop())))
        collectgarbage() collectgarbage()
      ]])
      assert.matches("Bad file descriptor", out)
      assert.matches("nil\tits event loop has dropped it", out)
    end)

  it("who waits goes on after an error of the engine's", function()
    local out = run_in("cqueues", { url = "" }, [[
      local core = require "curlew.core"
      local step = core.step
      begin(function() http.sleep(0.01) print("slept") end)
      function core.step() core.step = step error("no step", 0) end
      print((select(2, controller:loop())))
      begin(function() http.sleep(0.001) print("slept, too") end)
    ]])
    assert.matches("^no step\n", out)
    assert.matches("\nslept\n", out)
    assert.matches("\nslept, too\n", out)
  end)
end)

describe("http.loop", function()
  local adapter = "{ arm = print, disarm = print }"

  for _, case in ipairs {
    { "another loop", '"copas"', "or an adapter expected, got \"copas\"" },
    { "half an adapter", "{ arm = print }",
      "functions arm and disarm expected, got table" },
    { "what no adapter has", "{ arm = print, disarm = print, run = print }",
      "loop: unknown option 'run' %(arm, disarm%)" },
    { "a second one", adapter, "loop: there is one already", adapter },
    { "one while tasks are under way", adapter, "loop: tasks are under way",
      nil, "local s = http.scope() s:spawn(print) " },
  } do
    it("refuses " .. case[1], function()
      local first = case[4] and ("http.loop(%s) "):format(case[4]) or ""
      local _, _, out = support.run(('local http = require "curlew" %s%s'
        .. "print(pcall(http.loop, %s))"):format(case[5] or "", first, case[2]))
      assert.matches("^false\t[^:]*script.lua:1: .*" .. case[3] .. ".*\n$", out)
    end)
  end
end)

end
