--- Interrupts: a debug hook raises an error at any instruction, and the program
-- catches it. Each sweep runs in a child process, so that a hang cannot stop
-- the specs.

local support = require "spec.support"

-- Shared by all sweeps. sweep(mask, from, to, f, check) calls f(k) with a hook
-- that raises once, at the k-th event after arm(), and then check(k, hit).
local SWEEP = [[
  local http = require "curlew"
  local from, to = math.tointeger(arg[1]), math.tointeger(arg[2])
  local MASK = arg[3] == "all" and "crl" or ""
  local k, hit, event
  local function hook(what)
    event = event + 1
    if event < k then return end
    debug.sethook()
    local frame = debug.getinfo(2, "Sf")
    hit = what .. " " .. frame.what
    error("interrupted", 0)
  end
  local function arm() debug.sethook(hook, MASK, 1) end
  local function sweep(f, check)
    for i = from, to do
      k, hit, event = i, nil, 0
      local ok, err = pcall(function()
        f()
        debug.sethook()
      end)
      if not ok and err ~= "interrupted" then
        print(k, "raised", err)
        os.exit(1)
      end
      check(hit)
    end
  end
]]

-- Runs a sweep over the first 'points' instructions in children; returns what
-- they print. A child that hangs is killed.
local function swept(points, source, mask)
  local out = {}
  for from = 1, points, 200 do
    local kind, code, said, err = support.run(SWEEP .. source, { tostring(from),
      tostring(math.min(points, from + 199)), mask or "count" })
    assert.same({ "exit", 0 }, { kind, code }, said .. err)
    out[#out + 1] = said
  end
  return table.concat(out)
end

-- Three tasks that tick for ever, in a scope whose block is left.
local LEAVING = [[
  local ticks = 0
  local function tick()
    while true do
      http.sleep(0)
      ticks = ticks + 1
    end
  end
  local function block()
    local s <close> = http.scope { max = 2 }
    for _ = 1, 3 do s:spawn(tick) end
    http.sleep(0)
    http.sleep(0)
    arm()
  end
  local late, ended = 0, false
  local function check(hit)
    local before = ticks
    for _ = 1, 3 do http.sleep(0) end
    if ticks > before then
      late = late + 1
      if hit ~= "call C" then print(k, hit, ticks - before) end
    end
    if not hit then ended = true end
    collectgarbage() -- finds a scope that was not left
    http.sleep(0)
  end
]]

describe("An interrupt while a scope is left", function()
  it("leaves no task of it that runs on #builtin", function()
    assert.equal("", swept(600, LEAVING .. [[
      sweep(block, check)
      assert(late == 0)
    ]]))
  end)

  it("leaves none in a scope that a task has opened #builtin", function()
    assert.equal("", swept(600, LEAVING .. [[
      sweep(function()
        local outer <close> = http.scope()
        outer:spawn(block):wait()
      end, check)
      assert(late == 0)
    ]]))
  end)

  -- The call hook raises before __close is called, so no code of curlew runs.
  it("by a call hook does so but for the call of __close itself #builtin",
    function()
      assert.equal("", swept(200, LEAVING .. [[
        sweep(block, check)
        assert(ended, "the sweep ended before the block")
        assert(late <= 1)
      ]], "all"))
    end)

  it("leaves none of a loop over http.map #builtin", function()
    assert.equal("", swept(600, LEAVING .. [[
      sweep(function()
        for _ in http.map({ 1, 2, 3 }, function(i)
          if i > 1 then tick() end
        end) do
          arm()
          break
        end
      end, check)
      assert(late == 0)
    ]]))
  end)

  it("has closed the variables of all tasks when it is caught #builtin",
    function()
      assert.equal("", swept(600, [[
        local open = 0
        local mark = setmetatable({}, { __close = function()
          open = open - 1
        end })
        sweep(function()
          local s <close> = http.scope()
          for _ = 1, 3 do
            s:spawn(function()
              open = open + 1
              local _ <close> = mark
              http.sleep(1000)
            end)
          end
          http.sleep(0)
          arm()
        end, function() assert(open == 0, open) end)
      ]]))
    end)
end)

describe("An interrupt while tasks run", function()
  it("takes no turn from them #builtin", function()
    assert.equal("", swept(1500, [[
      sweep(function()
        local s <close> = http.scope()
        local done = 0
        for _ = 1, 3 do
          s:spawn(function()
            for _ = 1, 3 do http.sleep(0) end
            coroutine.yield()
            done = done + 1
          end)
        end
        local ok, err = pcall(function()
          arm()
          for _ = 1, 8 do http.sleep(0) end
          debug.sethook()
        end)
        assert(ok or err == "interrupted", err)
        assert(s:wait())
        assert(done == 3, done)
      end, function() end)
    ]]))
  end)

  it("leaves no wait without an end #builtin", function()
    assert.equal("", swept(3000, [[
      local function use(s)
        local first = s:spawn(function() http.sleep(0) return 1 end)
        local second = s:spawn(function() return first:wait() + 1 end)
        local third = s:spawn(function() coroutine.yield() end)
        second:wait()
        third:cancel()
        s:wait()
      end
      sweep(function()
        local s <close> = http.scope { max = 2 }
        local ok, err = pcall(function()
          arm()
          use(s)
          debug.sethook()
        end)
        assert(ok or err == "interrupted", err)
        -- a task inherits the hook of its creator and may be interrupted too
        ok, err = pcall(s.wait, s)
        assert(ok or err == "interrupted", err)
        if ok then
          assert(s:spawn(function() http.sleep(0) return "on" end):wait()
            == "on")
          assert(s:wait())
        end
      end, function() end)
    ]]))
  end)
end)

describe("An interrupt of the iterator of http.map", function()
  it("loses one result at most, and ends no loop in a wait #builtin", function()
    assert.equal("", swept(1500, [[
      sweep(function()
        local step, _, _, loop <close> = http.map({ 1, 2, 3, 4 }, function(i)
          http.sleep(0)
          return i
        end, { max = 2 })
        local n = 0
        local ok, err = pcall(function()
          arm()
          while step(loop) do n = n + 1 end
          debug.sethook()
        end)
        if ok then return assert(n == 4) end
        assert(err == "interrupted", err)
        while step(loop) do n = n + 1 end
        assert(n == 4 or n == 3, n)
      end, function() end)
    ]]))
  end)
end)

describe("A wait for tasks that wait for each other", function()
  it("raises while a response is open, too #builtin", function()
    local server <close> = support.server()
    server:script { "request",
      { send = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" }, "hold" }
    local _, code, out = support.run([[
      local http = require "curlew"
      local r <close> = assert(http.get(arg[1], { timeout = false }))
      local s <close> = http.scope()
      local a, b
      a = s:spawn(function() b:wait() end)
      b = s:spawn(function() a:wait() end)
      print(pcall(a.wait, a))
      print(pcall(s.wait, s))
    ]], { server.url, seconds = 20 })
    assert.equal(0, code)
    assert.equal(2, select(2, out:gsub("false\t[^\n]*cannot happen", "")), out)
  end)
end)
