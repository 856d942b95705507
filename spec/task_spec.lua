--- Scopes, tasks and http.sleep, under whichever wait the suite runs: make test
-- has the built-in one, make cqueues and make luv the others.

local support = require "spec.support"
local counters = require "spec.support.counters"
local wait = require "spec.support.wait"
local http = require "curlew"

local OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
local LONG = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"

local VALUES = { "text", {}, 42, false, print, setmetatable({}, {
  __tostring = error }) }

local nginx
local server

setup(function() nginx = support.nginx() end)
before_each(function() server = support.server() end)
after_each(function() server:close() end)

-- ---- helpers ----

-- Lets the tasks go on until it is so.
local function reach(condition)
  while not condition() do http.sleep(0.001) end
end

-- A few turns for everybody.
local function turns()
  for _ = 1, 20 do http.sleep(0) end
end

local function long_sleep() http.sleep(1000) end

-- To be closed; counts that.
local function marker()
  local self = { closed = 0 }
  return setmetatable(self, { __close = function()
    self.closed = self.closed + 1
  end })
end

-- A task's function that waits for good, with a response open and a marker
-- that tells of its end; `begun` when it is there.
local function sleeper(state)
  state.mark = marker()
  return function()
    local mark <close> = state.mark
    local r = assert(http.get(nginx.http .. "/slow"))
    state.begun = r.ok
    long_sleep()
    error(mark)
  end
end

local function begun(state) return function() return state.begun end end

-- What has moved since, but for what others have left to the collector.
local function moved(before)
  local out = counters.moved(before, http.stats())
  out.collected_unclosed = nil
  return out
end

-- Expects that f raises a text of that pattern, at a line of this file.
local function assert_raises(pattern, f)
  local ok, err = pcall(f)
  assert.is_false(ok)
  assert.matches("^[^:]*task_spec.lua:%d+: " .. pattern, err)
end

local function line() return debug.getinfo(2, "l").currentline end

local function script(source, options)
  return support.run(wait.script(source), options)
end

-- Runs a script in a child; expects nothing on stderr.
local function output(source, options)
  local _, code, out, err = script(source, options)
  assert.same({ 0, "" }, { code, err })
  return out
end

-- ---- tasks ----

describe("A task", function()
  it("gets its arguments and gives what its function returned", function()
    local s <close> = http.scope()
    local task = s:spawn(function(...) return select("#", ...), ... end, nil,
      "a", nil)
    assert.same({ 3, nil, "a", nil, n = 4 }, table.pack(task:wait()))
  end)

  it("gives the same to each who waits, and again", function()
    local s <close> = http.scope()
    local task = s:spawn(function() http.sleep(0.001) return 1, nil end)
    local other = s:spawn(function() return task:wait() end)
    assert.same({ 1, nil, n = 2 }, table.pack(task:wait()))
    assert.same({ 1, nil, n = 2 }, table.pack(other:wait()))
    assert.same({ 1, nil, n = 2 }, table.pack(task:wait()))
  end)

  it("that returns more than can be handled fails", function()
    local s <close> = http.scope()
    local task = s:spawn(function()
      return table.unpack({}, 1, 500000)
    end)
    local ok, err = pcall(task.wait, task)
    assert.same({ false, "a task returned too many values" }, { ok, err })
  end)

  it("may be waited for often, and by nobody in the end", function()
    local s <close> = http.scope()
    local long = s:spawn(long_sleep)
    local function wait_in_vain()
      local inner <close> = http.scope()
      local waiter = inner:spawn(function() long:wait() end)
      http.sleep(0)
      waiter:cancel()
    end
    local function in_use()
      for _ = 1, 1000 do wait_in_vain() end
      collectgarbage()
      collectgarbage()
      return collectgarbage("count")
    end
    in_use()
    in_use() -- tables have grown
    local before = in_use()
    assert.is_true(in_use() - before < 100) -- KiB
  end)

  it("begins when somebody waits, in the order of spawn", function()
    local s <close> = http.scope()
    local order = {}
    for i = 1, 5 do
      s:spawn(function() order[#order + 1] = i end)
    end
    assert.same({}, order)
    assert.is_true(s:wait())
    assert.same({ 1, 2, 3, 4, 5 }, order)
  end)

  it("lets the others go on while it waits for an answer", function()
    server:script { "request", "wait", { send = OK }, "close" }
    local s <close> = http.scope()
    local bodies = {}
    for i = 1, 5 do
      s:spawn(function()
        bodies[i] = assert(http.fetch(server.url)).body
      end)
    end
    reach(function() return #server:requests() == 5 end)
    assert.same({}, bodies)
    server:go(5)
    assert.is_true(s:wait())
    assert.same({ "ok", "ok", "ok", "ok", "ok" }, bodies)
  end)

  it("that never waits runs to its end in one turn", function()
    local s <close> = http.scope()
    local log = {}
    for _, name in ipairs { "a", "b" } do
      s:spawn(function()
        for i = 1, 3 do log[#log + 1] = name .. i end
      end)
    end
    assert.is_true(s:wait())
    assert.equal("a1 a2 a3 b1 b2 b3", table.concat(log, " "))
  end)

  it("may call what a value with __call is", function()
    local s <close> = http.scope()
    local callable = setmetatable({}, { __call = function(self, a)
      return self, a
    end })
    local self, a = s:spawn(callable, 7):wait()
    assert.is_true(rawequal(callable, self))
    assert.equal(7, a)
  end)

  it("that yields on its own has another turn", function()
    if wait.loop == "cqueues" then return end -- there it yields to cqueues
    local s <close> = http.scope()
    local log = {}
    for _, name in ipairs { "a", "b" } do
      s:spawn(function()
        for i = 1, 2 do
          log[#log + 1] = name .. i
          coroutine.yield("anything")
        end
      end)
    end
    assert.is_true(s:wait())
    assert.equal("a1 b1 a2 b2", table.concat(log, " "))
  end)

  it("may spawn others, into its scope and into one of its own", function()
    local s <close> = http.scope()
    local log = {}
    s:spawn(function()
      s:spawn(function() log[#log + 1] = "sibling" end)
      local own <close> = http.scope()
      own:spawn(function() http.sleep(0.001) log[#log + 1] = "child" end)
      assert(own:wait())
      log[#log + 1] = "parent"
    end)
    assert.is_true(s:wait())
    assert.equal("sibling child parent", table.concat(log, " "))
  end)

  -- Not in an event loop, which may have others that end the wait.
  it("is told when all wait for each other", function()
    local _, _, out = support.run([[
      local http = require "curlew"
      local s <close> = http.scope()
      local a, b
      a = s:spawn(function() return b:wait() end)
      b = s:spawn(function() return a:wait() end)
      print(pcall(s.wait, s))
    ]], { seconds = 20 })
    assert.matches("^false\t.*what is waited for cannot happen: all tasks "
      .. "wait for others\n$", out)
  end)

  it("cannot wait for itself, nor for its scope", function()
    local s <close> = http.scope()
    local task
    task = s:spawn(function()
      assert_raises("a task cannot wait for itself$",
        function() task:wait() end)
      assert_raises("a task cannot wait for the scope", function() s:wait() end)
    end)
    assert.is_true(s:wait())
  end)

  it("is of a type of its own", function()
    local s <close> = http.scope()
    local task = s:spawn(function() end)
    assert.equal("task", http.type(task))
    assert.is_true(s:wait())
    assert_raises("call task:wait%(...%) with a colon",
      function() task.wait() end)
    assert_raises("call task:cancel%(...%) with a colon",
      function() task.cancel({}) end)
  end)
end)

-- ---- what tasks open ----

describe("A response of a task", function()
  it("is released when the task ends, and told so", function()
    local before = http.stats()
    local s <close> = http.scope()
    local escaped
    s:spawn(function() escaped = assert(http.get(nginx.http .. "/slow")) end)
    assert.is_true(s:wait())
    assert.same({ opened = 1, task = 1 }, moved(before))
    local bytes, err = escaped:read("a")
    assert.same({ nil, "cancelled" }, { bytes, err.code })
  end)

  it("is released when the task raises", function()
    local before = http.stats()
    local s <close> = http.scope()
    s:spawn(function()
      local r = assert(http.get(nginx.http .. "/slow"))
      error(r.status, 0)
    end)
    assert.same({ false, 200 }, { pcall(s.wait, s) })
    assert.same({ opened = 1, task = 1 }, moved(before))
  end)

  it("belongs to who waits for the task that returned it", function()
    local s <close> = http.scope()
    local r <close> = s:spawn(http.get, nginx.http .. "/65k"):wait()
    assert.equal("response", http.type(r))
    assert.equal(65537, #r:read("a"))
  end)

  it("belongs to that task then, if it is one", function()
    local before = http.stats()
    local s <close> = http.scope()
    local inner = s:spawn(function()
      return http.get(nginx.http .. "/slow"), "more"
    end)
    local r
    local outer = s:spawn(function()
      local more
      r, more = inner:wait()
      assert.equal("more", more)
      assert.equal(1, #r:read(1))
      long_sleep()
    end)
    reach(function() return r end)
    turns()
    assert.equal("response", http.type(r))
    outer:cancel()
    assert.same({ opened = 1, task = 1 }, moved(before))
    assert.equal("cancelled", select(2, r:read("a")).code)
  end)

  it("goes with the scope when nobody has waited for it", function()
    local before = http.stats()
    do
      local s <close> = http.scope()
      s:spawn(http.get, nginx.http .. "/slow")
      s:spawn(function()
        return nil, http.get(nginx.http .. "/slow"), assert(http.get(
          nginx.http .. "/slow"))
      end)
      assert.is_true(s:wait())
      assert.same({ opened = 3, open = 3 }, moved(before))
    end
    assert.same({ opened = 3, task = 3 }, moved(before))
  end)

  it("is released with the task when it returns it inside a table",
    function()
      local before = http.stats()
      local s <close> = http.scope()
      local task = s:spawn(function()
        return { assert(http.get(nginx.http .. "/slow")) }
      end)
      local r = task:wait()[1]
      assert.same({ opened = 1, task = 1 }, moved(before))
      assert.equal("cancelled", select(2, r:read("a")).code)
    end)

  it("is nobody's when it was moved", function()
    local before = http.stats()
    local stored
    do
      local s <close> = http.scope()
      s:spawn(function()
        local r <close> = assert(http.get(nginx.http .. "/slow"))
        stored = r:move()
      end)
      assert.is_true(s:wait())
    end
    assert.equal(1, #stored:read(1))
    stored:close()
    assert.same({ opened = 1, close = 1 }, moved(before))
  end)

  it("cannot be read by two at once", function()
    server:script { "request", { send = LONG }, "wait",
      { send = ("x"):rep(100000) }, "hold" }
    local s <close> = http.scope()
    local r <close> = assert(http.get(server.url))
    local first = s:spawn(function() return #r:read("a") end)
    local second = s:spawn(function() return pcall(r.read, r, 1) end)
    local ok, err = second:wait()
    assert.is_false(ok)
    assert.matches("task_spec.lua:%d+: .*being read by another call", err)
    server:go()
    assert.equal(100000, first:wait())
  end)

  it("is read at most 64 KiB at a time while others want a turn", function()
    local s <close> = http.scope()
    local read, most, gone = 0, 0, false
    s:spawn(function()
      for piece in http.chunks(nginx.http .. "/big") do
        read = read + #piece
        if read > 16 << 20 then break end
      end
      gone = true
    end)
    s:spawn(function()
      while not gone do
        local before = read
        http.sleep(0)
        most = math.max(most, read - before)
      end
    end)
    assert.is_true(s:wait())
    assert.is_true(read > 16 << 20 and most <= 64 << 10, most)
  end)

  it("can be read by one after the other", function()
    local s <close> = http.scope()
    local r <close> = assert(http.get(nginx.http .. "/65k"))
    local first = s:spawn(function() return #r:read(65000) end)
    local second = s:spawn(function()
      return first:wait() + #r:read("a")
    end)
    assert.equal(65537, second:wait())
  end)
end)

-- ---- errors ----

describe("A raise in a task", function()
  for i, value in ipairs(VALUES) do
    it("cancels its siblings and reaches who waits, " .. type(value) .. i,
      function()
        local before = http.stats()
        local state = {}
        local s <close> = http.scope()
        local sibling = s:spawn(sleeper(state))
        reach(begun(state))
        local task = s:spawn(function() error(value, 0) end)
        local ok, err = pcall(s.wait, s)
        assert.is_false(ok)
        assert.is_true(rawequal(value, err))
        assert.equal(1, state.mark.closed)
        assert.same({ opened = 1, task = 1 }, moved(before))
        for _, each in ipairs { task, sibling } do
          ok, err = pcall(each.wait, each)
          assert.is_false(ok)
          assert.is_true(rawequal(value, err))
        end
      end)
  end

  it("reaches a task that waits for it, and so the scope's owner", function()
    local s <close> = http.scope()
    local raises = s:spawn(function() http.sleep(0.001) error("oh", 0) end)
    local caught
    local inner <close> = http.scope() -- its tasks are no siblings
    inner:spawn(function()
      local _, err = pcall(raises.wait, raises)
      caught = err
    end)
    assert.is_true(inner:wait())
    assert.equal("oh", caught)
    assert.same({ false, "oh" }, { pcall(s.wait, s) })
  end)

  it("reaches the outer scope through a task that owns the inner", function()
    local state = {}
    local s <close> = http.scope()
    s:spawn(function()
      local inner <close> = http.scope()
      inner:spawn(sleeper(state))
      reach(begun(state))
      inner:spawn(function() error("oh", 0) end)
      inner:wait()
    end)
    assert.same({ false, "oh" }, { pcall(s.wait, s) })
    assert.equal(1, state.mark.closed)
  end)

  it("is not: nil and an error, which others do not notice", function()
    local s <close> = http.scope()
    local url = ("http://127.0.0.1:%d/"):format(support.refused_port)
    local failed = s:spawn(http.get, url)
    local other = s:spawn(function() turns() return "done" end)
    assert.is_true(s:wait())
    local r, err = failed:wait()
    assert.same({ nil, "connect" }, { r, err.code })
    assert.equal("done", other:wait())
  end)

  it("closes its variables with the error, and releases at once", function()
    local got
    local s <close> = http.scope()
    s:spawn(function()
      local mark <close> = setmetatable({}, { __close = function(_, err)
        got = err
      end })
      error("oh", 0, mark)
    end)
    assert.same({ false, "oh" }, { pcall(s.wait, s) })
    assert.equal("oh", got)
  end)

  it("ends the scope: what is spawned afterwards is cancelled", function()
    local s <close> = http.scope()
    s:spawn(error, "oh", 0)
    pcall(s.wait, s)
    local ran = false
    local task = s:spawn(function() ran = true end)
    assert.same({ false, "oh" }, { pcall(task.wait, task) })
    assert.is_false(ran)
  end)

  it("that nobody has waited for is a warning, with the scope's line",
    function()
      local _, code, _, err = script([[
        warn "@on"
        local http = require "curlew"
        do
          local s <close> = http.scope()
          s:spawn(function() error("oh", 0) end)
          http.sleep(0.001)
        end
        do
          local s <close> = http.scope()
          s:spawn(function() error("told", 0) end)
          pcall(s.wait, s)
        end
      ]])
      assert.equal(0, code)
      assert.matches(
        "^Lua warning: curlew: a task of the scope opened at "
          .. "[^\n]*script.lua:4: oh\n$", err)
    end)
end)

-- ---- leaving ----

describe("A scope that is left", function()
  local function spawned(s)
    local state = {}
    s:spawn(sleeper(state))
    reach(begun(state))
    return state
  end

  local ways = {
    ["an error"] = function(check)
      local ok, err = pcall(function()
        local s <close> = http.scope()
        check(spawned(s))
        error("mine", 0)
      end)
      assert.same({ false, "mine" }, { ok, err })
    end,
    ["return"] = function(check)
      local function f()
        local s <close> = http.scope()
        local state = spawned(s)
        check(state)
        s:spawn(long_sleep):cancel() -- minded: not reported
        return state.mark.closed
      end
      assert.equal(0, f())
    end,
    ["break"] = function(check)
      for i = 1, 2 do
        local s <close> = http.scope()
        check(spawned(s))
        s:spawn(long_sleep):cancel()
        if i == 1 then break end
      end
    end,
    ["goto"] = function(check)
      do
        local s <close> = http.scope()
        check(spawned(s))
        s:spawn(long_sleep):cancel()
        goto out
      end
      ::out::
    end,
    ["coroutine.close"] = function(check)
      local co = coroutine.create(function()
        local s <close> = http.scope()
        coroutine.yield(s)
      end)
      local _, s = assert(coroutine.resume(co))
      check(spawned(s))
      assert(coroutine.close(co))
    end,
    ["the end of the task that holds it"] = function(check)
      local outer <close> = http.scope()
      outer:spawn(function()
        local s <close> = http.scope()
        check(spawned(s))
        s:spawn(long_sleep):cancel()
      end)
      assert(outer:wait())
    end,
    ["the end of a task that waits for it"] = function(check)
      local outer <close> = http.scope()
      local state
      local task = outer:spawn(function()
        local s <close> = http.scope()
        state = spawned(s)
        check(state)
        s:wait()
      end)
      reach(function() return state end)
      turns()
      task:cancel()
    end,
  }

  for name, way in pairs(ways) do
    it("by " .. name .. " cancels, closes and releases, before anything else",
      function()
        local before = http.stats()
        local state
        way(function(s)
          state = s
          assert.equal(0, state.mark.closed)
        end)
        assert.equal(1, state.mark.closed)
        assert.same({ opened = 1, task = 1 }, moved(before))
      end)
  end

  it("has ended tasks that have not begun, too", function()
    local ran = false
    local task
    do
      local s <close> = http.scope()
      task = s:spawn(function() ran = true end)
      s:spawn(long_sleep):cancel()
    end
    turns()
    assert.is_false(ran)
    local value, err = task:wait()
    assert.same({ nil, "cancelled" }, { value, err.code })
  end)

  it("is closed: using it raises and says where it was left", function()
    local s, left
    do
      local inner <close> = http.scope()
      s, left = inner, line()
    end
    assert.equal("closed scope", http.type(s))
    local pattern = ("the scope was left at .*task_spec.lua:%d$"):format(left)
    assert_raises(pattern, function() s:spawn(print) end)
    assert_raises(pattern, function() s:wait() end)
  end)

  it("leaves results of tasks that were waited for to who waited", function()
    local before = http.stats()
    local r
    do
      local s <close> = http.scope()
      r = s:spawn(http.get, nginx.http .. "/slow"):wait()
    end
    assert.same({ opened = 1, open = 1 }, moved(before))
    r:close()
  end)

  it("with tasks unfinished, minded by nobody, is reported with its line",
    function()
      local _, code, out, err = script([[
        local http = require "curlew"
        do
          local s <close> = http.scope()
          s:spawn(http.sleep, 1000)
          s:spawn(http.sleep, 1000)
          http.sleep(0.001)
        end
        print "on"
      ]])
      assert.same({ 0, "on\n" }, { code, out })
      assert.matches("^curlew: the scope opened at [^\n]*script.lua:3 was left "
        .. "with 2 tasks unfinished: cancelled; hint: scope:wait%(%)\n$", err)
    end)

  it("is not reported when all is well, or was meant", function()
    assert.equal("", output [[
      local http = require "curlew"
      local function long() http.sleep(1000) end
      do local s <close> = http.scope() end
      do -- finished
        local s <close> = http.scope()
        s:spawn(function() end)
        http.sleep(0.001)
      end
      do -- waited
        local s <close> = http.scope { deadline = 0.001 }
        s:spawn(long)
        s:wait()
        s:spawn(long)
      end
      do -- a task of its was waited for
        local s <close> = http.scope()
        s:spawn(long)
        s:spawn(function() end):wait()
      end
      do -- or cancelled
        local s <close> = http.scope()
        s:spawn(long)
        s:spawn(long):cancel()
      end
      pcall(function() -- an error
        local s <close> = http.scope()
        s:spawn(long)
        error "oh"
      end)
      local co = coroutine.create(function()
        local s <close> = http.scope()
        s:spawn(long)
        coroutine.yield()
      end)
      coroutine.resume(co)
      coroutine.close(co)
    ]])
  end)

  it("by nobody, but collected, ends its tasks and is reported", function()
    local _, code, out, err = script([[
      local http = require "curlew"
      do
        local s = http.scope()
        s:spawn(function()
          local mark <close> = setmetatable({}, { __close = function()
            print "closed"
          end })
          http.sleep(1000)
        end)
        http.sleep(0.001)
      end
      collectgarbage() collectgarbage()
      http.sleep(0.001)
    ]])
    assert.same({ 0, "closed\n" }, { code, out })
    assert.matches("^curlew: the scope opened at [^\n]*script.lua:3 was "
      .. "forgotten with 1 task unfinished: cancelled", err)
  end)

  it("has ended what one of its tasks spawned while it was closed", function()
    local s <close> = http.scope()
    local ended, began = 0, 0
    for _ = 1, 5 do
      s:spawn(function()
        local _ <close> = setmetatable({}, { __close = function()
          ended = ended + 1
          for _ = 1, 10 do s:spawn(function() began = began + 1 end) end
        end })
        long_sleep()
      end)
    end
    local other <close> = http.scope()
    other:spawn(function() error("oh", 0) end)
    turns()
    pcall(other.wait, other)
    pcall(function()
      local mine <close> = s
      assert(mine)
      error("out", 0)
    end)
    turns()
    assert.same({ 5, 0 }, { ended, began })
  end)

  -- A task that was about to go on may be lost by it, with what it does.
  it("by an error at any instruction has released what it held #builtin",
    function()
      for count = 1, 1500, 7 do
        local ok = pcall(function()
          local s <close> = http.scope()
          local thread = coroutine.running()
          local function hook()
            debug.sethook(thread)
            error("interrupted!", 0)
          end
          debug.sethook(thread, hook, "", count)
          local r = s:spawn(http.get, nginx.http .. "/slow"):wait()
          s:spawn(long_sleep)
          for _ = 1, 1500 do assert(r) end
        end)
        debug.sethook()
        assert.is_false(ok)
      end
      collectgarbage()
      collectgarbage()
      http.sleep(0.001)
      assert.equal(0, http.stats().open)
      local s <close> = http.scope()
      assert.equal("on", s:spawn(function()
        http.sleep(0.001)
        return "on"
      end):wait())
    end)

  it("by nobody, to the program's end, is reported, and so is a raise",
    function()
      local _, code, _, err = support.run([[
        warn "@on"
        local http = require "curlew"
        local raised, forgotten = http.scope(), http.scope()
        raised:spawn(error, "oh", 0)
        forgotten:spawn(http.sleep, 1000)
        http.sleep(0.001)
      ]])
      assert.equal(0, code)
      assert.matches("curlew: the scope opened at [^\n]*script.lua:3 was "
        .. "forgotten with 1 task unfinished: cancelled", err)
      assert.matches("curlew: a task of the scope opened at "
        .. "[^\n]*script.lua:3: oh\n", err)
    end)
end)

-- ---- waiting for scopes ----

describe("scope:wait", function()
  it("is true when there is no task, and when all are over", function()
    local s <close> = http.scope()
    assert.is_true(s:wait())
    local count = 0
    for i = 1, 10 do
      s:spawn(function() http.sleep(i % 3 / 1000) count = count + 1 end)
    end
    assert.is_true(s:wait())
    assert.equal(10, count)
    assert.is_true(s:wait())
  end)

  it("waits for what is spawned meanwhile", function()
    local s <close> = http.scope()
    local last = false
    s:spawn(function()
      http.sleep(0.001)
      s:spawn(function() http.sleep(0.001) last = true end)
    end)
    assert.is_true(s:wait())
    assert.is_true(last)
  end)

  it("may be called by several tasks at once", function()
    local s <close> = http.scope()
    local others <close> = http.scope()
    s:spawn(http.sleep, 0.005)
    local waits = {}
    for i = 1, 3 do waits[i] = others:spawn(s.wait, s) end
    for i = 1, 3 do assert.is_true(waits[i]:wait()) end
  end)

  it("is true when tasks were cancelled one by one", function()
    local s <close> = http.scope()
    local task = s:spawn(long_sleep)
    s:spawn(function() turns() task:cancel() end)
    assert.is_true(s:wait())
  end)
end)

describe("Who is no task", function()
  it("drives the tasks by a get", function()
    server:script { "request", "wait", { send = OK }, "close" }
    local s <close> = http.scope()
    s:spawn(function()
      reach(function() return #server:requests() == 1 end)
      server:go()
    end)
    assert.equal("ok", assert(http.fetch(server.url)).body)
    assert.is_true(s:wait())
  end)

  it("drives them by a read", function()
    server:script { "request", { send = LONG }, "wait",
      { send = ("x"):rep(100000) }, "hold" }
    local r <close> = assert(http.get(server.url))
    local s <close> = http.scope()
    s:spawn(function() server:go() end)
    assert.equal(100000, #r:read("a"))
    assert.is_true(s:wait())
  end)

  it("drives them by http.sleep", function()
    local s <close> = http.scope()
    local ran = false
    s:spawn(function() ran = true end)
    http.sleep(0.001)
    assert.is_true(ran)
    assert.is_true(s:wait())
  end)

  it("drives them by a producer of a body, which it is asked for", function()
    local s <close> = http.scope()
    local ran = false
    s:spawn(function() ran = true end)
    local pieces = 0
    local page = assert(http.fetch(nginx.http .. "/method", {
      method = "POST", body = function()
        pieces = pieces + 1
        http.sleep(0)
        return pieces < 3 and "x" or nil
      end }))
    assert.equal(200, page.status)
    assert.is_true(ran)
    assert.is_true(s:wait())
  end)
end)

-- ---- options ----

describe("scope.max", function()
  it("is never exceeded, and has tasks begin in the order of spawn",
    function()
      local s <close> = http.scope { max = 3 }
      local running, most, order = 0, 0, {}
      for i = 1, 20 do
        s:spawn(function()
          running = running + 1
          most = math.max(most, running)
          order[#order + 1] = i
          http.sleep(i % 4 / 1000)
          running = running - 1
        end)
      end
      assert.is_true(s:wait())
      assert.equal(3, most)
      for i = 1, 20 do assert.equal(i, order[i]) end
    end)

  it("does not count what is over by an error of its own or cancelled",
    function()
      local s <close> = http.scope { max = 1 }
      local first = s:spawn(long_sleep)
      local second = s:spawn(long_sleep)
      local third = s:spawn(function() return "third" end)
      second:cancel() -- before its turn
      turns()
      first:cancel()
      assert.equal("third", third:wait())
    end)

  it("has who waits their turn go with the scope", function()
    local ran = false
    do
      local s <close> = http.scope { max = 1 }
      s:spawn(long_sleep)
      s:spawn(function() ran = true end)
      http.sleep(0.001)
      s:spawn(long_sleep):cancel()
    end
    turns()
    assert.is_false(ran)
  end)

  it("has who waits their turn go with a raise", function()
    local ran = false
    local s <close> = http.scope { max = 1 }
    s:spawn(error, "oh", 0)
    s:spawn(function() ran = true end)
    assert.same({ false, "oh" }, { pcall(s.wait, s) })
    turns()
    assert.is_false(ran)
  end)
end)

describe("scope.deadline", function()
  it("cancels what runs then, and is told with the scope's line", function()
    local before = http.stats()
    local state = {}
    local s <close> = http.scope { deadline = 0.3 } local opened = line()
    local task = s:spawn(function()
      local r = assert(http.get(nginx.http .. "/slow"))
      state.begun = r.ok
      sleeper(state)()
    end)
    local ok, err = s:wait()
    assert.same({ nil, "timeout" }, { ok, err.code })
    assert.matches("the deadline of its scope has passed", err.message)
    assert.matches("task_spec.lua:" .. opened .. "$", tostring(err))
    local value, same = task:wait()
    assert.is_nil(value)
    assert.equal(err, same)
    local after = moved(before)
    assert.equal(after.opened, after.task)
    assert.equal(1, state.mark.closed)
  end)

  it("does nothing to what is over before", function()
    local s <close> = http.scope { deadline = 1000 }
    local task = s:spawn(function() return 1 end)
    assert.is_true(s:wait())
    assert.equal(1, task:wait())
  end)

  it("has what is spawned afterwards cancelled at once", function()
    local s <close> = http.scope { deadline = 0 }
    s:spawn(long_sleep)
    s:wait()
    local ran = false
    local _, err = s:spawn(function() ran = true end):wait()
    assert.equal("timeout", err.code)
    assert.is_false(ran)
  end)

  it("of an outer scope ends the inner one", function()
    local state = {}
    local s <close> = http.scope { deadline = 0.05 }
    s:spawn(function()
      local inner <close> = http.scope { deadline = 1000 }
      inner:spawn(sleeper(state))
      inner:wait()
    end)
    local ok, err = s:wait()
    assert.same({ nil, "timeout" }, { ok, err.code })
    assert.equal(1, state.mark.closed)
  end)

  it("of an inner scope leaves the outer one alone", function()
    local s <close> = http.scope { deadline = 1000 }
    local task = s:spawn(function()
      local inner <close> = http.scope { deadline = 0.001 }
      inner:spawn(long_sleep)
      local ok, err = inner:wait()
      return ok, err.code
    end)
    assert.is_true(s:wait())
    assert.same({ nil, "timeout", n = 2 }, table.pack(task:wait()))
  end)

  it("ends a wait for a task", function()
    local s <close> = http.scope { deadline = 0.001 }
    local _, err = s:spawn(long_sleep):wait()
    assert.equal("timeout", err.code)
  end)
end)

describe("http.scope", function()
  for _, case in ipairs {
    { "a number", 5, "scope: table expected, got number" },
    { "an unknown option", { maximum = 1 },
      "scope: unknown option 'maximum' %(deadline, max%)" },
    { "a deadline in words", { deadline = "1" },
      "option 'deadline': seconds from 0 to 1e9 expected, got string" },
    { "a deadline below zero", { deadline = -1 },
      "option 'deadline': seconds from 0 to 1e9 expected, got %-1" },
    { "no number", { deadline = 0 / 0 },
      "option 'deadline': seconds from 0 to 1e9 expected, got %-?nan" },
    { "a max of none", { max = 0 },
      "option 'max': an integer from 1 expected, got 0" },
    { "a broken max", { max = 1.5 },
      "option 'max': an integer from 1 expected, got 1.5" },
  } do
    it("refuses " .. case[1], function()
      assert_raises(case[3] .. "$", function()
        local _ <close> = http.scope(case[2])
      end)
    end)
  end

  it("wants a dot, its methods a colon, and functions to spawn", function()
    assert.error_matches(function() http:scope() end, "http.scope%(...%)")
    local s <close> = http.scope()
    assert.equal("scope", http.type(s))
    assert_raises("call scope:spawn%(...%) with a colon",
      function() s.spawn(print) end)
    assert_raises("call scope:wait%(...%) with a colon",
      function() s.wait() end)
    assert_raises("spawn: function expected, got string",
      function() s:spawn("print") end)
    assert_raises("spawn: function expected, got nil", function() s:spawn() end)
  end)
end)

describe("http.sleep", function()
  it("wakes who sleep in the order of their times", function()
    local s <close> = http.scope()
    local order = {}
    for _, ms in ipairs { 40, 1, 20, 60 } do
      s:spawn(function() http.sleep(ms / 1000) order[#order + 1] = ms end)
    end
    assert.is_true(s:wait())
    assert.same({ 1, 20, 40, 60 }, order)
  end)

  it("sleeps at least so long", function()
    local monotonic = support.posix.monotonic
    local began = monotonic()
    http.sleep(0.02)
    assert.is_true(monotonic() - began >= 0.02)
  end)

  it("of no time lets the others have a turn", function()
    local s <close> = http.scope()
    local log = {}
    for _, name in ipairs { "a", "b" } do
      s:spawn(function()
        for i = 1, 2 do log[#log + 1] = name .. i http.sleep(0) end
      end)
    end
    assert.is_true(s:wait())
    assert.equal("a1 b1 a2 b2", table.concat(log, " "))
  end)

  for _, value in ipairs { "1", -1, 0 / 0, 1e10, math.huge, {} } do
    it("refuses " .. tostring(value):gsub("0x.*", ""), function()
      assert_raises("sleep: seconds from 0 to 1e9 expected",
        function() http.sleep(value) end)
    end)
  end
end)

-- ---- cancelling ----

describe("task:cancel", function()
  it("of what is over is nothing", function()
    local s <close> = http.scope()
    local task = s:spawn(function() return "done" end)
    assert.equal("done", task:wait())
    task:cancel()
    assert.equal("done", task:wait())
  end)

  it("twice is once", function()
    local s <close> = http.scope()
    local state = {}
    local task = s:spawn(sleeper(state))
    reach(begun(state))
    task:cancel()
    task:cancel()
    assert.equal(1, state.mark.closed)
    local value, err = task:wait()
    assert.same({ nil, "cancelled" }, { value, err.code })
  end)

  it("leaves the siblings alone", function()
    local s <close> = http.scope()
    local task = s:spawn(long_sleep)
    local other = s:spawn(function() turns() return "other" end)
    turns()
    task:cancel()
    assert.equal("other", other:wait())
    assert.is_true(s:wait())
  end)

  it("from inside ends it when it waits next", function()
    local before = http.stats()
    local s <close> = http.scope()
    local went_on, came_back = false, false
    local task
    local mark = marker()
    task = s:spawn(function()
      local _ <close> = mark
      local r = assert(http.get(nginx.http .. "/slow"))
      task:cancel()
      task:cancel()
      went_on = r.ok
      http.sleep(0)
      came_back = true
    end)
    local value, err = task:wait()
    assert.same({ nil, "cancelled" }, { value, err.code })
    assert.same({ true, false, 1 }, { went_on, came_back, mark.closed })
    assert.same({ opened = 1, task = 1 }, moved(before))
  end)

  it("from inside of one that never waits again is nothing", function()
    local s <close> = http.scope()
    local task
    task = s:spawn(function() task:cancel() return "done" end)
    assert.equal("done", task:wait())
  end)

  it("from its own __close is nothing", function()
    local s <close> = http.scope()
    local closed = 0
    local task
    task = s:spawn(function()
      local _ <close> = setmetatable({}, { __close = function()
        closed = closed + 1
        task:cancel()
      end })
      long_sleep()
    end)
    turns()
    task:cancel()
    assert.equal(1, closed)
    assert.is_true(s:wait())
  end)

  it("from a finalizer ends it", function()
    local before = http.stats()
    local s <close> = http.scope()
    local state = {}
    local task = s:spawn(sleeper(state))
    reach(begun(state))
    do
      local _ = setmetatable({}, { __gc = function() task:cancel() end })
    end
    collectgarbage()
    collectgarbage()
    assert.equal(1, state.mark.closed)
    assert.same({ opened = 1, task = 1 }, moved(before))
    local _, err = task:wait()
    assert.equal("cancelled", err.code)
  end)

  it("from a finalizer that runs in the task itself ends it later",
    function()
      local s <close> = http.scope()
      local came_back = false
      local task
      task = s:spawn(function()
        do
          local _ = setmetatable({}, { __gc = function() task:cancel() end })
        end
        collectgarbage()
        collectgarbage()
        http.sleep(0)
        came_back = true
      end)
      local _, err = task:wait()
      assert.equal("cancelled", err.code)
      assert.is_false(came_back)
    end)

  it("from a generator of the task's own ends it later", function()
    local s <close> = http.scope()
    local came_back = false
    local task
    task = s:spawn(function()
      for _ in coroutine.wrap(function()
        task:cancel()
        coroutine.yield(1)
      end) do
        http.sleep(0)
        came_back = true
      end
    end)
    local _, err = task:wait()
    assert.equal("cancelled", err.code)
    assert.is_false(came_back)
  end)

  it("of a task that another waits for wakes that one", function()
    local s <close> = http.scope()
    local task = s:spawn(long_sleep)
    local other = s:spawn(function()
      local _, err = task:wait()
      return err.code
    end)
    turns()
    task:cancel()
    assert.equal("cancelled", other:wait())
  end)

  it("of who waits for another leaves that one alone", function()
    local s <close> = http.scope()
    local task = s:spawn(function() turns() turns() return "done" end)
    local other = s:spawn(function() task:wait() end)
    http.sleep(0)
    other:cancel()
    assert.equal("done", task:wait())
  end)

  it("has its to-be-closed variables wait, which polls", function()
    server:reply(OK)
    local s <close> = http.scope()
    local body, own
    local task
    task = s:spawn(function()
      local _ <close> = setmetatable({}, { __close = function()
        body = assert(http.fetch(server.url)).body
        own = table.pack(task:wait())
      end })
      long_sleep()
    end)
    turns()
    task:cancel()
    assert.equal("ok", body)
    assert.is_nil(own[1])
    assert.equal("cancelled", own[2].code)
  end)

  it("has what its to-be-closed variables open released", function()
    local before = http.stats()
    local s <close> = http.scope()
    local task = s:spawn(function()
      local _ <close> = setmetatable({}, { __close = function()
        assert(http.get(nginx.http .. "/slow"))
      end })
      long_sleep()
    end)
    turns()
    task:cancel()
    assert.same({ opened = 1, task = 1 }, moved(before))
  end)

  it("has an error of its to-be-closed variables be a warning", function()
    local _, code, out, err = script([[
      warn "@on"
      local http = require "curlew"
      local s <close> = http.scope()
      local task = s:spawn(function()
        local _ <close> = setmetatable({}, { __close = function()
          error("oh", 0)
        end })
        http.sleep(1000)
      end)
      http.sleep(0.001)
      task:cancel()
      print(select("#", task:wait()), s:wait())
    ]])
    assert.same({ 0, "2\ttrue\n" }, { code, out })
    assert.equal("Lua warning: curlew: a task that was cancelled: oh\n", err)
  end)
end)

describe("A task that is cancelled", function()
  local function steps(...)
    local list = { ... }
    return function() server:script(list) end
  end
  local function asked() return #server:requests() > 0 end

  -- Where it is then, and how it came there.
  local pieces
  local phases = {
    { "while it shakes hands #plain", steps("hold"),
      function()
        http.get((server.url:gsub("^http:", "https:")))
      end, reached = function() return server:connections() > 0 end },
    { "while it sends", steps("head", "wait"), function()
      pieces = 0
      http.post(server.url, { body = function()
        pieces = pieces + 1
        return ("x"):rep(65536)
      end })
    end, reached = function() return pieces > 10 end, deaf = true },
    { "while it waits for a piece to send", steps("head", "hold"), function()
      http.post(server.url, { body = function() long_sleep() end })
    end, reached = asked },
    { "while it waits for headers", steps("request", "hold"), function()
      http.get(server.url)
    end, reached = asked },
    { "in the middle of headers #http1",
      steps("request", { send = "HTTP/1.1 200 OK\r\nX-A" }, "hold"),
      function() http.get(server.url) end, reached = asked },
    { "while it waits for a small body", steps("request",
      { send = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" }, "hold"),
      function() http.get(server.url) end, reached = asked },
    { "while it reads", steps("request", { send = LONG .. "begin" }, "hold"),
      function()
        local r = assert(http.get(server.url))
        pieces = #r:read(5)
        r:read("a")
      end, reached = function() return pieces == 5 end },
    { "while it fetches", steps("request", { send = LONG .. "begin" }, "hold"),
      function() http.fetch(server.url) end, reached = asked },
    { "in a loop over lines",
      steps("request", { send = LONG .. "one\ntwo" }, "hold"), function()
        for text in http.lines(server.url) do pieces = text end
      end, reached = function() return pieces == "one" end },
    { "in a hop", steps("request", { send = "HTTP/1.1 302 Found\r\n"
      .. "Location: /there\r\nContent-Length: 0\r\n\r\n" }, "request", "hold"),
      function() http.get(server.url) end,
      reached = function() return #server:requests() == 2 end },
    { "in a hop on another connection", function()
      server:script { "request", { send = "HTTP/1.1 302 Found\r\n"
        .. "Location: /there\r\nContent-Length: 70000\r\n\r\nbegin" },
        "hold" }
      server:script { "request", "hold" }
    end, function() http.get(server.url) end,
      reached = function() return #server:requests() == 2 end },
    { "while it sleeps before a retry", deaf = true, steps("request",
      { send = "HTTP/1.1 503 Busy\r\nRetry-After: 1000\r\n"
        .. "Content-Length: 0\r\n\r\n" }, "hold"), function()
        http.get(server.url, { retry = { times = 1, max_delay = 2000 } })
      end, reached = asked },
    { "while it waits for a token", steps("request", "hold"), function()
      pieces = "token"
      http.get(server.url, { auth = { bearer = function() long_sleep() end } })
    end, reached = function() return pieces == "token" end },
    { "while it sleeps", steps("hold"), function()
      pieces = "sleeps"
      long_sleep()
    end, reached = function() return pieces == "sleeps" end },
  }

  for _, phase in ipairs(phases) do
    it("is released at once: " .. phase[1], function()
      pieces = nil
      phase[2]()
      local before = http.stats()
      local mark = marker()
      local s <close> = http.scope()
      local task = s:spawn(function()
        local _ <close> = mark
        phase[3]()
        error("not reached")
      end)
      pieces = 0
      reach(phase.reached)
      turns()
      assert.equal(0, mark.closed)
      task:cancel()
      assert.equal(1, mark.closed)
      local after = http.stats()
      assert.equal(before.open, after.open)
      assert.equal(before.leaked, after.leaked)
      assert.is_true(http.leaks.audit())
      local value, err = task:wait()
      assert.same({ nil, "cancelled" }, { value, err.code })
      assert.is_true(s:wait())
      if not phase.deaf then server:closed(server:connections()) end
    end)
  end

  it("is released at once: with a rest that is there, which is drained",
    function()
      server:script { "request", { send = "HTTP/1.1 200 OK\r\n"
        .. "Content-Length: 66000\r\n\r\n" .. ("x"):rep(66000) }, "hold" }
      local before = http.stats()
      local s <close> = http.scope()
      local got
      local task = s:spawn(function()
        local r <close> = assert(http.get(server.url))
        got = #r:read(60000)
        long_sleep()
      end)
      reach(function() return got end)
      turns()
      task:cancel()
      local after = moved(before)
      -- the rest may have come by then
      assert.equal(1, (after.tbc or 0) + (after.arrived or 0)
        + (after.eof or 0))
      assert.is_true(s:wait())
    end)

  -- With a name server that does not answer, and a listener that is full.
  local slow = { env = {
    LD_PRELOAD = support.build .. "/spec/slow_resolver.so" } }

  it("is released at once: while it resolves", function()
    assert.equal("nil\tcancelled\ttrue\n0\t1\ttrue\n", output([[
      local posix = require "posix_support"
      local http = require "curlew"
      local began = posix.monotonic()
      local s <close> = http.scope()
      local task = s:spawn(http.get, "http://name.slow/")
      http.sleep(0.05)
      task:cancel()
      local value, err = task:wait()
      print(value, err.code, posix.monotonic() - began < 2)
      print(http.stats().open, http.stats().opened, http.leaks.audit())
    ]], slow))
  end)

  it("is released at once: while it connects", function()
    assert.equal("nil\tcancelled\n0\t1\ttrue\n0\n", output([[
      local posix = require "posix_support"
      local http = require "curlew"
      local fd, port = posix.listen()
      local first = posix.connect(port) -- takes the only place there is
      local s <close> = http.scope()
      local task = s:spawn(http.get, ("http://127.0.0.1:%d/"):format(port))
      http.sleep(0.05)
      task:cancel()
      local value, err = task:wait()
      print(value, err.code)
      print(http.stats().open, http.stats().opened, http.leaks.audit())
      posix.close(first)
      posix.close(fd)
      local count = http.stats().connections
      print(count.opened - count.closed)
    ]], slow))
  end)
end)

-- ---- where a wait is called ----

describe("A wait in a task yields", function()
  -- `way` is called in a task with a function that waits until another task
  -- has let the server go on: it never would if the wait polled.
  local ways = {
    ["across pcall"] = function(f)
      local ok, value = pcall(f)
      assert.is_true(ok)
      return value
    end,
    ["across an error in pcall"] = function(f)
      local _, value = pcall(function() error(f(), 0) end)
      return value
    end,
    ["across xpcall"] = function(f)
      return select(2, xpcall(f, debug.traceback))
    end,
    ["in __index"] = function(f)
      return setmetatable({}, { __index = f }).field
    end,
    ["in __call"] = function(f) return setmetatable({}, { __call = f })() end,
    ["in __add"] = function(f) return setmetatable({}, { __add = f }) + 1 end,
    ["in __lt"] = function(f)
      local value
      local _ = setmetatable({}, { __lt = function() value = f() end }) < {}
      return value
    end,
    ["in __concat"] = function(f)
      return setmetatable({}, { __concat = f }) .. "x"
    end,
    ["in a for iterator"] = function(f)
      local last
      for value in function(_, seen) return not seen and f() or nil end do
        last = value
      end
      return last
    end,
    ["in __close"] = function(f)
      local value
      do
        local _ <close> = setmetatable({}, { __close = function()
          value = f()
        end })
      end
      return value
    end,
    ["in __close on the way of an error"] = function(f)
      local value
      pcall(function()
        local _ <close> = setmetatable({}, { __close = function()
          value = f()
        end })
        error("oh")
      end)
      return value
    end,
  }

  for name, way in pairs(ways) do
    it(name, function()
      server:script { "request", "wait", { send = OK }, "close" }
      local s <close> = http.scope()
      local task = s:spawn(function()
        return way(function() return assert(http.fetch(server.url)).body end)
      end)
      s:spawn(function()
        reach(function() return #server:requests() > 0 end)
        server:go()
      end)
      assert.equal("ok", task:wait())
      assert.is_true(s:wait())
    end)
  end
end)

describe("A wait in a task polls, and the others stand still,", function()
  local ways = {
    ["in a callback of table.sort"] = function(f)
      local value
      table.sort({ 2, 1 }, function(a, b)
        value = value or f()
        return a < b
      end)
      return value
    end,
    ["in a callback of string.gsub"] = function(f)
      return (("x"):gsub("x", f))
    end,
    ["in a generator of the user's own"] = function(f)
      local generate = coroutine.wrap(function()
        coroutine.yield(f())
      end)
      return generate()
    end,
    ["in a __gc"] = function(f)
      local value
      do
        local _ = setmetatable({}, { __gc = function() value = f() end })
      end
      collectgarbage()
      collectgarbage()
      return value
    end,
    ["in a __tostring"] = function(f)
      return tostring(setmetatable({}, { __tostring = f }))
    end,
    ["in a module that is required"] = function(f)
      package.preload["a module of task_spec"] = f
      local value = require("a module of task_spec")
      package.preload["a module of task_spec"] = nil
      package.loaded["a module of task_spec"] = nil
      return value
    end,
  }

  for name, way in pairs(ways) do
    it(name, function()
      server:reply(OK)
      local s <close> = http.scope()
      local log = {}
      local task = s:spawn(function()
        log[#log + 1] = "asks"
        local body = way(function()
          return assert(http.fetch(server.url)).body
        end)
        log[#log + 1] = "has"
        return body
      end)
      s:spawn(function() log[#log + 1] = "other" end)
      assert.equal("ok", task:wait())
      assert.is_true(s:wait())
      assert.same({ "asks", "has", "other" }, log)
    end)
  end

  it("so they cannot be waited for there", function()
    local s <close> = http.scope()
    local other = s:spawn(function() turns() end)
    local inner <close> = http.scope()
    local waits = {
      function() other:wait() end,
      function() s:wait() end,
      function() for _ in http.map({ 1 }, print) do error("run") end end,
    }
    for _, f in ipairs(waits) do
      local task = inner:spawn(function()
        return pcall(table.sort, { 2, 1 }, function(a, b)
          f()
          return a < b
        end)
      end)
      local ok, err = task:wait()
      assert.is_false(ok)
      assert.matches("task_spec.lua:%d+: a task cannot wait for others where "
        .. "it cannot yield", err)
    end
    assert.is_true(s:wait())
  end)
end)

-- ---- faults ----

describe("A thousand connections that are refused at once", function()
  it("are a thousand errors", function()
    local limits = http.limits()
    finally(function()
      http.limits { max_open = limits.max_open,
        idle_connections = limits.idle_connections }
    end)
    http.limits { max_open = 1100 }
    local url = ("http://127.0.0.1:%d/"):format(support.refused_port)
    local before = http.stats()
    local s <close> = http.scope()
    local codes = {}
    for _ = 1, 1000 do
      s:spawn(function()
        local _, err = http.get(url)
        codes[err.code] = (codes[err.code] or 0) + 1
      end)
    end
    assert.is_true(s:wait())
    assert.same({ connect = 1000 }, codes)
    assert.same({ opened = 1000, error = 1000 }, moved(before))
  end)
end)

describe("A name server that never answers", function()
  it("is an error of each who asked, and holds up nobody else", function()
    local out = output([[
      local http = require "curlew"
      local s <close> = http.scope()
      local slow = {}
      for i = 1, 5 do
        slow[i] = s:spawn(http.get, ("http://name%d.slow/"):format(i),
          { timeout = { connect = 0.3 } })
      end
      print(assert(http.fetch(arg[1])).status)
      for i = 1, 5 do
        local r, err = slow[i]:wait()
        print(r, err.code, err.phase)
      end
      print(s:wait(), http.leaks.audit())
    ]], { nginx.http .. "/small", env = {
      LD_PRELOAD = support.build .. "/spec/slow_resolver.so" } })
    assert.equal("200\n" .. ("nil\ttimeout\tresolve\n"):rep(5)
      .. "true\ttrue\n", out)
  end)
end)

describe("A state that is closed", function()
  it("with tasks unfinished and transfers in flight ends quietly", function()
    local _, code, out, err = support.run([[
      local http = require "curlew"
      local s = http.scope()
      for _ = 1, 10 do
        s:spawn(function()
          local r <close> = assert(http.get(arg[1]))
          http.sleep(1000)
        end)
        s:spawn(http.get, arg[2])
      end
      assert(http.fetch(arg[3]))
      http.sleep(0.01)
      keep = s
      print "on"
      os.exit(0, true)
    ]], { nginx.http .. "/slow", server.url, nginx.http .. "/small" })
    assert.same({ 0, "on\n" }, { code, out })
    assert.matches("curlew: ", err)
  end)
end)
