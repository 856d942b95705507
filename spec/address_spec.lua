--- Hosts with several addresses: each address is tried within timeout.connect.
-- Each spec runs in a process of its own, in which "host.many" has the
-- addresses that the spec names.

local support = require "spec.support"

local OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

local prelude = [[
  local posix = require "posix_support"
  local http = require "curlew"
  local port, seconds = arg[1], tonumber(arg[2])
  local function deafen(...) -- they neither accept nor refuse
    for _, ip in ipairs { ... } do posix.deafen(ip, tonumber(port)) end
  end
  local function fetch(options)
    options = options or {}
    options.timeout = seconds
    local page, err = http.fetch("http://host.many:" .. port .. "/", options)
    if page then return print(page.status, page.info.remote_ip) end
    print(err.code, err.phase, err.message)
  end
]]

describe("A host with several addresses", function()
  local server
  setup(function() server = support.server() end)
  teardown(function() server:close() end)

  -- Returns what the script prints if the host has these addresses. 127.0.0.1
  -- is the server; other addresses of 127.0.0.0/8 refuse the port.
  local function run(addresses, script, seconds, steps)
    server:reset()
    if steps then server:script(steps) end
    server:reply(OK)
    local kind, code, out, err = support.run(prelude .. script, {
      server.url:match("%d+$"), tostring(seconds or 4), env = {
        CURLEW_ADDRESSES = addresses,
        LD_PRELOAD = support.build .. "/spec/slow_resolver.so" } })
    assert.same({ "exit", 0, "" }, { kind, code, err })
    return out
  end

  it("is reached at the second when the first is silent", function()
    assert.equal("200\t127.0.0.1\n", run("127.0.0.2 127.0.0.1",
      [[ deafen("127.0.0.2") fetch() ]]))
  end)

  it("is reached at the third when two are silent", function()
    assert.equal("200\t127.0.0.1\n", run("127.0.0.2 127.0.0.3 127.0.0.1",
      [[ deafen("127.0.0.2", "127.0.0.3") fetch() ]]))
  end)

  it("is reached at the fourth, whatever the others do", function()
    assert.equal("200\t127.0.0.1\n",
      run("127.0.0.2 127.0.0.3 127.0.0.4 127.0.0.1",
        [[ deafen("127.0.0.2", "127.0.0.4") fetch() ]]))
  end)

  it("is reached by several tasks at once", function()
    assert.equal("200\t127.0.0.1\n200\t127.0.0.1\n",
      run("127.0.0.2 127.0.0.1", [[
        deafen("127.0.0.2")
        do
          local scope <close> = http.scope()
          scope:spawn(fetch)
          scope:spawn(fetch)
          scope:wait()
        end
      ]]))
  end)

  it("is reached at the second when a used connection is reset", function()
    assert.equal(("200\t127.0.0.1\n"):rep(2) .. "1\ttrue\n",
      run("127.0.0.2 127.0.0.1", [[
        fetch()
        deafen("127.0.0.2")
        fetch()
        local count = http.stats().connections
        print(count.opened - count.closed, http.leaks.audit())
      ]], 4, { "request", { send = OK }, "request", "reset" }))
  end)

  it("is reached at the address of the other family", function()
    assert.equal("200\t127.0.0.1\n", run("::1 127.0.0.1",
      [[ deafen("::1") fetch() ]]))
    assert.equal("200\t127.0.0.1\n", run("::1 127.0.0.1", [[ fetch() ]]))
    assert.equal("200\t127.0.0.1\n", run("127.0.0.1 ::1",
      [[ deafen("::1") fetch() ]]))
    assert.equal("200\t127.0.0.1\n", run("127.0.0.2 ::1 127.0.0.1",
      [[ deafen("127.0.0.2", "::1") fetch() ]]))
  end)

  it("is asked at those of one family with ip", function()
    assert.equal("200\t127.0.0.1\n", run("::1 127.0.0.2 127.0.0.1",
      [[ deafen("127.0.0.2") fetch { ip = 4 } ]]))
    assert.matches("^timeout\tconnect\t.*timeout%.connect", run("127.0.0.1 ::1",
      [[ deafen("::1") fetch { ip = 6 } ]], 1))
  end)

  it("says that the time is over when all are silent", function()
    assert.matches("^timeout\tconnect\t.*no connection in 2 s", run(
      "127.0.0.2 127.0.0.3",
      [[ deafen("127.0.0.2", "127.0.0.3") fetch() ]], 2))
  end)

  it("says so when all refuse", function()
    assert.matches("^connect\tconnect\t", run("127.0.0.2 127.0.0.3",
      [[ fetch() ]]))
  end)

  it("leaves no socket of an address that was given up", function()
    assert.equal("200\t127.0.0.1\n1\ttrue\n", run("127.0.0.2 127.0.0.1", [[
      deafen("127.0.0.2")
      fetch()
      local count = http.stats().connections
      print(count.opened - count.closed, http.leaks.audit())
    ]]))
  end)
end)
