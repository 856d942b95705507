--- All sockets are counted: those of connections that replace a reset one and
-- never come to stand, and those of which the system says nothing.

local support = require "spec.support"
local http = require "curlew"

local OK = { send = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" }

local server, client, others

-- The sockets of this process that are not counted.
local function count_others()
  local count, n = http.stats().connections, 0
  for _, what in pairs(support.posix.fds()) do
    if what:find("^socket:") then n = n + 1 end
  end
  return n - (count.opened - count.closed)
end

before_each(function()
  server = support.server()
  client = http.client { deadline = 20 }
end)

after_each(function()
  client:close()
  server:close()
end)

local function assert_all_are_counted()
  assert.is_true(http.leaks.audit())
  assert.equal(others, count_others())
end

local function fetch(options) return client:fetch(server.url, options) end

-- Has n connections that can be used again; each of them is reset when the next
-- request has come, from when on connections are `treated` so.
local function connect(n, treated)
  server:script { "request", OK, "request", treated, "reset" }
  do
    local scope <close> = http.scope()
    for _ = 1, n do
      scope:spawn(function()
        local r <close> = assert(client:get(server.url))
        repeat http.sleep(0.001) until server:connections() == n
        assert.equal("ok", r:read("a"))
      end)
    end
    scope:wait()
  end
  others = count_others()
end

-- Runs one task for each of n connections and cancels all of them while they
-- wait for the connections that replace these.
local function cancel(n)
  local scope <close> = http.scope()
  local tasks = {}
  for i = 1, n do tasks[i] = scope:spawn(fetch) end
  local opened = http.stats().connections.opened + n
  for _ = 1, 10000 do
    if http.stats().connections.opened == opened then break end
    http.sleep(0.001)
  end
  assert.equal(opened, http.stats().connections.opened)
  for _, task in ipairs(tasks) do task:cancel() end
end

local endings = {
  ["timeout.connect is over"] = function(n)
    for _ = 1, n do
      local page, err = fetch { timeout = { connect = 0.2 } }
      assert.is_nil(page)
      assert.same({ "timeout", "connect" }, { err.code, err.phase })
      assert.matches("no connection in 0.2 s (timeout.connect)", err.message,
        1, true)
    end
  end,
  ["the deadline is over"] = function(n)
    for _ = 1, n do
      local page, err = fetch { deadline = 0.1 }
      assert.is_nil(page)
      assert.equal("timeout", err.code)
    end
  end,
  ["their tasks are cancelled"] = cancel,
}

for what, finish in pairs(endings) do
  describe("Connections without an answer that replace reset ones", function()
    for n = 1, 3 do
      it(("are counted when %s: %d"):format(what, n), function()
        connect(n, "deafen")
        finish(n)
        assert_all_are_counted()
      end)
    end
  end)
end

describe("Refused connections that replace reset ones", function()
  for n = 1, 3 do
    it(("are counted: %d"):format(n), function()
      connect(n, "refuse")
      for _ = 1, n do
        local page, err = fetch()
        assert.is_nil(page)
        assert.equal("connect", err.code)
      end
      assert_all_are_counted()
    end)
  end
end)

-- Each socket is looked at when it is opened, and later when libcurl may have
-- closed it. The system may have no memory for the answer.
describe("A socket about which the system says nothing", function()
  local script = [[
    local http = require "curlew"
    local posix = require "posix_support"
    local function sockets()
      local n = 0
      for _, what in pairs(posix.fds()) do
        if what:find("^socket:") then n = n + 1 end
      end
      return n
    end
    local function held()
      local count = http.stats().connections
      return count.opened - count.closed
    end
    http.fetch(arg[1]) -- libcurl's own are open from now on
    local others = sockets() - held()
    for _, url in ipairs { arg[1], arg[2], arg[1], arg[2], arg[2], arg[1] } do
      http.fetch(url, { timeout = { connect = 5 } })
      print(http.leaks.audit(), sockets() - held() - others)
    end
  ]]

  for n = 1, 12 do
    it("is counted once, at look " .. n, function()
      server:script { "request", OK, "close" }
      local refused = ("http://127.0.0.1:%d/"):format(support.refused_port)
      local kind, code, out, err = support.run(script, { server.url, refused,
        env = { CURLEW_FAULT = "fstat " .. n,
          LD_PRELOAD = support.build .. "/spec/fault.so" } })
      assert.same({ "exit", 0, "" }, { kind, code, err })
      assert.equal(("true\t0\n"):rep(6), out)
    end)
  end
end)
