--- Names: one that is not there, and one whose look-up hangs in a thread that
-- nobody can stop. In processes of their own, with the slow resolver: names
-- ending in ".slow" take it three seconds.

local support = require "spec.support"

-- Each script says how it went and how long that took, in whole thirds of
-- what the resolver takes.
local prelude = [[
  local posix = require "posix_support"
  local http = require "curlew"
  local core = require "curlew.core"
  local URL = "http://name.slow/"
  local began = posix.monotonic()
  local function say(...) print(...) end
  local function at_once() return posix.monotonic() - began < 2 end
]]

-- Runs the script; expects that it says `lines`, exits well, and is gone long
-- before the resolver has its answer.
local function assert_at_once(lines, source)
  local began = support.posix.monotonic()
  local kind, code, out, err = support.run(prelude .. source, { env = {
    LD_PRELOAD = support.build .. "/spec/slow_resolver.so" } })
  local took = support.posix.monotonic() - began
  assert.equal("", err)
  assert.same({ "exit", 0, lines }, { kind, code, out })
  assert.is_true(took < 2.8, ("it took %.1f s"):format(took))
end

describe("A name that is not there", function()
  it("is a resolve error", function()
    assert_at_once("nil\tresolve\tresolve\ttrue\n", [[
      local r, err = http.get("http://name.none/")
      say(r, err.code, err.phase, err.retryable)
    ]])
  end)

  it("leaves nothing open", function()
    assert_at_once("0\t1\n", [[
      http.get("http://name.none/")
      say(http.stats().open, http.stats().released_by.error)
    ]])
  end)

  it("is named by the error", function()
    assert_at_once("true\n", [[
      local _, err = http.get("http://name.none/")
      say(tostring(err):find("name.none", 1, true) ~= nil)
    ]])
  end)
end)

describe("A look-up that hangs", function()
  it("is ended by timeout.connect, and the process by its end", function()
    assert_at_once("nil\ttimeout\tresolve\ttrue\n", [[
      local r, err = http.get(URL, { timeout = 0.1 })
      say(r, err.code, err.phase, at_once())
    ]])
  end)

  it("is ended by a deadline", function()
    assert_at_once("nil\ttimeout\tresolve\ttrue\n", [[
      local r, err = http.get(URL, { deadline = 0.1 })
      say(r, err.code, err.phase, at_once())
    ]])
  end)

  it("does not hold up other requests", function()
    local server <close> = support.server()
    server:reply("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    assert_at_once("ok\ttrue\n", ("local url = %q\n"):format(server.url) .. [[
      http.get(URL, { timeout = 0.1 })
      say(assert(http.fetch(url)).body, at_once())
    ]])
  end)

  it("may be begun again and again", function()
    assert_at_once("10\t0\ttrue\n", [[
      for _ = 1, 10 do http.get(URL, { timeout = 0.05 }) end
      local stats = http.stats()
      say(stats.released_by.timeout, stats.open, at_once())
    ]])
  end)

  it("is not awaited by lua_close, also after os.exit", function()
    assert_at_once("true\n", [[
      http.get(URL, { timeout = 0.1 })
      say(at_once())
      os.exit(0, true)
    ]])
  end)

  it("may have its answer when lua_close has been", function()
    assert_at_once("true\n", [[
      http.get("http://name.late/", { timeout = 0.05 })
      say(at_once())
    ]])
  end)

  it("is not awaited by an exit that closes no state", function()
    assert_at_once("true\n", [[
      http.get(URL, { timeout = 0.1 })
      say(at_once())
      io.stdout:flush()
      os.exit(0)
    ]])
  end)

  it("is not awaited by an error that ends the script", function()
    local began = support.posix.monotonic()
    local kind, code, _, err = support.run(prelude .. [[
      http.get(URL, { timeout = 0.1 })
      error("the end", 0)
    ]], { env = { LD_PRELOAD = support.build .. "/spec/slow_resolver.so" } })
    assert.same({ "exit", 1 }, { kind, code })
    assert.matches("the end", err)
    assert.is_true(support.posix.monotonic() - began < 2.8)
  end)

  it("is not awaited by the end of a client", function()
    assert_at_once("cancelled\ttrue\t0\n", [[
      local client = http.client()
      local task = coroutine.create(function()
        local _, err = client:get(URL)
        return err.code
      end)
      core.seat(task, function() coroutine.yield() end)
      assert(coroutine.resume(task))
      core.step(0.01)
      client:close()
      local _, code = assert(coroutine.resume(task))
      say(code, at_once(), http.stats().open)
    ]])
  end)

  it("is not awaited by coroutine.close of the task inside get", function()
    assert_at_once("true\ttrue\t0\t1\n", [[
      local task = coroutine.create(function() http.get(URL) end)
      core.seat(task, function() coroutine.yield() end)
      assert(coroutine.resume(task))
      core.step(0.01)
      local closed = coroutine.close(task)
      local stats = http.stats()
      say(closed, at_once(), stats.open, stats.released_by.tbc)
    ]])
  end)

  it("is not awaited by lua_close while a task waits in it", function()
    assert_at_once("true\n", [[
      local task = coroutine.create(function() http.get(URL) end)
      core.seat(task, function() coroutine.yield() end)
      assert(coroutine.resume(task))
      core.step(0.01)
      say(at_once())
      task = coroutine.close(task)
    ]])
  end)

  it("is not awaited by the collector", function()
    local began = support.posix.monotonic()
    local kind, code, out = support.run(prelude .. [[
      do
        local task = coroutine.create(function() http.get(URL) end)
        core.seat(task, function() coroutine.yield() end)
        assert(coroutine.resume(task))
        core.step(0.01)
      end
      collectgarbage()
      collectgarbage()
      say(http.stats().open, http.stats().leaked_by.gc)
    ]], { env = { LD_PRELOAD = support.build .. "/spec/slow_resolver.so" } })
    assert.same({ "exit", 0, "0\t1\n" }, { kind, code, out })
    assert.is_true(support.posix.monotonic() - began < 2.8)
  end)

  it("is interrupted by Ctrl-C", function()
    local began = support.posix.monotonic()
    local kind, code, out, err = support.run(prelude .. [[
      print("waiting") io.stdout:flush()
      http.get(URL)
    ]], { signal = "INT", env = {
      LD_PRELOAD = support.build .. "/spec/slow_resolver.so" } })
    assert.same({ "exit", 1, "waiting\n" }, { kind, code, out })
    assert.matches("interrupted!", err)
    assert.is_true(support.posix.monotonic() - began < 2.8)
  end)
end)
