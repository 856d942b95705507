--- The one wait: it polls, or calls the waiter of a task; and it can be
-- interrupted.

local support = require "spec.support"
local http = require "curlew"
local core = require "curlew.core"
local scheduler = require "spec.support.scheduler"

describe("The waiter", function()
  local server

  before_each(function() server = support.server() end)
  after_each(function() server:close() end)

  it("lets two requests of two tasks interleave", function()
    server:script { "request", "wait", { send = "HTTP/1.1 200 OK\r\n"
      .. "Content-Length: 2\r\n\r\nok" } }
    local loop <close> = scheduler()
    local events = {}
    local function task(name)
      events[#events + 1] = name .. " asks"
      local r <close> = assert(http.get(server.url))
      events[#events + 1] = name .. " has " .. r:read("a")
    end
    loop.spawn(task, "a")
    loop.spawn(task, "b")
    assert.same({ "a asks", "b asks" }, events)
    server:go(2)
    loop.run()
    table.sort(events)
    assert.same({ "a asks", "a has ok", "b asks", "b has ok" }, events)
  end)

  it("is not called outside a task: there the wait polls", function()
    server:reply("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    local called = false
    core.seat(coroutine.create(print), function() called = true end)
    local read
    coroutine.wrap(function()
      local r <close> = assert(http.get(server.url))
      read = r:read("a")
    end)()
    assert.equal("ok", read)
    assert.is_false(called)
  end)

  it("polls in a user's own generator within a task", function()
    server:reply("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    local loop <close> = scheduler()
    local yielded = {}
    loop.spawn(function()
      local generate = coroutine.wrap(function()
        local page = assert(http.fetch(server.url))
        coroutine.yield(page.body)
      end)
      yielded[1] = generate()
    end)
    assert.same({ "ok" }, yielded)
  end)

  it("reads a body in pieces, each of which waits", function()
    server:script { "request",
      { send = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" },
      { send = ("x"):rep(40000) }, "wait", { send = ("y"):rep(60000) } }
    local loop <close> = scheduler()
    local first, rest
    loop.spawn(function()
      local r <close> = assert(http.get(server.url))
      first = #r:read(40000)
      server:go()
      rest = r:read("a")
    end)
    loop.run()
    assert.equal(40000, first)
    assert.equal(("y"):rep(60000), rest)
  end)

  it("has several formats of one read wait in turn", function()
    server:script { "request",
      { send = "HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n12" }, "wait",
      { send = "345" .. ("z"):rep(69995) } }
    local loop <close> = scheduler()
    local results
    loop.spawn(function()
      local r <close> = assert(http.get(server.url))
      server:go()
      results = table.pack(r:read(3, 0, 2, "a", 1))
    end)
    loop.run()
    assert.same({ "123", "", "45", ("z"):rep(69995), nil, n = 5 }, results)
  end)

  it("releases what is being opened when its task is closed", function()
    server:script { "request", "hold" }
    local loop <close> = scheduler()
    local before = http.stats()
    local task = loop.spawn(function() http.get(server.url) end)
    assert.equal(before.open + 1, http.stats().open)
    assert.is_true(coroutine.close(task))
    loop.forget()
    local after = http.stats()
    assert.equal(before.open, after.open)
    assert.equal(before.released_by.tbc + 1, after.released_by.tbc)
  end)

  it("lets a response be read on after its reader was closed", function()
    server:script { "request",
      { send = "HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n" }, "wait",
      { send = ("z"):rep(70000) } }
    local loop <close> = scheduler()
    local r <close> = assert(http.get(server.url))
    local task = loop.spawn(function() r:read("a") end)
    assert.is_true(coroutine.close(task))
    loop.forget()
    server:go()
    assert.equal(70000, #r:read("a"))
  end)

  it("refuses a second read while the first one waits", function()
    server:script { "request",
      { send = "HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n" }, "hold" }
    local loop <close> = scheduler()
    local r <close> = assert(http.get(server.url))
    local task = loop.spawn(function() r:read("a") end)
    local ok, err = pcall(r.read, r, 1)
    assert.is_false(ok)
    assert.matches("being read by another call", err)
    coroutine.close(task)
    loop.forget()
  end)

  it("gives a descriptor that is readable when there is work #epoll", function()
    -- in a process of its own: an engine that has given it keeps it
    local _, code, out, err = support.run([[
      local http = require "curlew"
      local core = require "curlew.core"
      local ready = {}
      local task = coroutine.create(function()
        return assert(http.fetch(arg[1])).body
      end)
      core.seat(task, function() coroutine.yield() end)
      local fd = core.descriptor()
      assert(math.type(fd) == "integer" and fd > 2)
      local _, body = assert(coroutine.resume(task))
      while coroutine.status(task) ~= "dead" do
        assert(core.timeout() == nil or core.timeout() >= 0)
        core.step()
        for _ in core.ready do
          local _
          _, body = assert(coroutine.resume(task))
        end
      end
      print(fd == core.descriptor(), body)
    ]], { support.nginx().http .. "/method" })
    assert.equal("", err)
    assert.equal(0, code)
    assert.equal("true\tGET /method\n", out)
  end)
end)

describe("Ctrl-C", function()
  local script = [[
    local http = require "curlew"
    local function say() print("closed") end
    local closed = setmetatable({}, { __close = say })
    local function body()
      local mark <close> = closed
      local function wait() print("waiting") io.stdout:flush() end
      %s
    end
    %s
  ]]
  local silent = "wait() http.get(arg[1])"
  -- not before: while get returns, what it returns may be lost
  local reading = [[local r <close> = assert(http.get(arg[1])) wait()
    print(r:read("a"))]]
  local main = "body()"
  local coroutine_resume = [[
    local ok, err = coroutine.resume(coroutine.create(body))
    print(ok, err)]]
  local coroutine_wrap = "coroutine.wrap(body)()"

  local server

  before_each(function() server = support.server() end)
  after_each(function() server:close() end)

  local function interrupt(what, how)
    return support.run(script:format(what, how), { server.url,
      signal = "INT" })
  end

  it("interrupts get in the main thread, and __close runs", function()
    server:script { "request", "hold" }
    local kind, code, out, err = interrupt(silent, main)
    assert.same({ "exit", 1 }, { kind, code })
    assert.equal("waiting\nclosed\n", out)
    assert.matches("interrupted!", err)
    assert.not_matches("leak", err)
  end)

  it("interrupts a read in the main thread, and __close runs", function()
    server:script { "request",
      { send = "HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n" }, "hold" }
    local kind, code, out, err = interrupt(reading, main)
    assert.same({ "exit", 1 }, { kind, code })
    assert.equal("waiting\nclosed\n", out)
    assert.matches("interrupted!", err)
    assert.not_matches("leak", err)
  end)

  it("interrupts a wait in a wrapped coroutine, and __close runs", function()
    server:script { "request", "hold" }
    local kind, code, out, err = interrupt(silent, coroutine_wrap)
    assert.same({ "exit", 1 }, { kind, code })
    assert.equal("waiting\nclosed\n", out)
    assert.matches("interrupted!", err)
    assert.not_matches("leak", err)
  end)

  it("interrupts a wait in a resumed coroutine", function()
    server:script { "request", "hold" }
    local kind, code, _, err = interrupt(silent, coroutine_resume)
    assert.same({ "exit", 1 }, { kind, code })
    assert.matches("interrupted!", err)
    assert.not_matches("leak", err)
  end)

  -- Hooks for all events, as Ctrl-C sets one: those of a profiler and of a
  -- limit.
  local hooked = [[
    local http = require "curlew"
    local posix = require "posix_support"
    local calls = 0
    local function count() calls = calls + 1 end
    local function fetch(path)
      return (assert(http.fetch(arg[1] .. (path or ""))))
    end
    %s
  ]]

  local function with_hook(source)
    server:reset()
    server:reply("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    local _, code, out, err = support.run(hooked:format(source), { server.url })
    assert.same({ "", 0 }, { err, code })
    return out
  end

  it("is not what a hook that does not raise is taken for", function()
    assert.equal("ok\ttrue\n", with_hook [[
      debug.sethook(count, "crl", 1)
      local page = fetch()
      debug.sethook()
      print(page.body, calls > 0)
    ]])
  end)

  it("is not what it is taken for in a coroutine, either", function()
    assert.equal("ok\nok\n", with_hook [[
      debug.sethook(count, "crl", 1)
      print(coroutine.wrap(fetch)().body)
      local scope <close> = http.scope()
      print(scope:spawn(fetch):wait().body)
    ]])
  end)

  it("is not what a hook of C is taken for that has returned", function()
    assert.equal("ok\nok\n", with_hook [[
      posix.quiet_hook()
      print(fetch().body)
      print(coroutine.wrap(fetch)().body)
    ]])
  end)

  it("is not waited for by a hook of Lua that raises", function()
    assert.equal("false\tenough\n", with_hook [[
      local step = require("curlew.core").step
      debug.sethook(function()
        local frame = debug.getinfo(2, "f")
        if frame.func ~= step then return end
        debug.sethook(function()
          debug.sethook()
          error("enough", 0)
        end, "crl", 1)
      end, "c")
      print(pcall(step, 1000))
    ]])
  end)

  it("is not what another hook is taken for", function()
    server:reply("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    debug.sethook(function() end, "l")
    local page = http.fetch(server.url)
    debug.sethook()
    assert.equal("ok", page.body)
  end)
end)

describe("Deadlines", function()
  it("have room for all that are open and begin to be read at once", function()
    local server <close> = support.server()
    server:script { "request", { send = "HTTP/1.1 200 OK\r\n"
      .. "Content-Length: 100000\r\n\r\n" }, "hold" }
    local open, tasks = {}, {}
    for i = 1, 60 do open[i] = assert(http.get(server.url)) end
    local loop <close> = scheduler()
    for i, r in ipairs(open) do
      tasks[i] = loop.spawn(function() return r:read(1) end)
    end
    loop.round(0)
    for i, r in ipairs(open) do
      coroutine.close(tasks[i])
      r:close()
    end
    loop.forget()
    assert.equal(0, http.stats().open)
  end)
end)
