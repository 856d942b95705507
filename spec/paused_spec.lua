--- A response that nobody reads is paused: nothing more is read for it.

local support = require "spec.support"

-- Lua code for scripts: waits until libcurl has paused the transfers.
local prelude = [[
  local http = require "curlew"
  local core = require "curlew.core"
  local function has_quirk()
    for _, quirk in ipairs(http.features().quirks) do
      if quirk.name == "reads_paused" then return true end
    end
    return false
  end
]]

-- Has the server send a body of 1 GiB, as far as it is read.
local function send_much(server)
  server:script { "request",
    { send = "HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n" },
    { loop = { { send = ("x"):rep(1024 * 1024) } } } }
end

describe("A libcurl that asks for input of a paused transfer", function()
  local script = prelude .. [[
    local r <close> = assert(http.get(arg[1]))
    for _ = 1, 200 do
      core.step(0.05)
      if has_quirk() then break end
    end
    for _ = 1, 100 do core.step(0) end
    local held = r.info.received <= 80 * 1024
    print(has_quirk(), held, #assert(r:read(4194304)))
  ]]

  it("is found out, and is not told of that input", function()
    local server <close> = support.server()
    send_much(server)
    local kind, code, out, err = support.run(script, { server.url, env = {
      LD_PRELOAD = support.build .. "/spec/eager_input.so" } })
    assert.same({ "exit", 0, "true\ttrue\t4194304\n" }, { kind, code, out },
      err)
    assert.equal("told 0 times\n", err)
  end)
end)

describe("An unread response", function()
  -- libcurl 8.5.0 without a cure reads 16 KiB each step, up to 64 MiB.
  local script = [[
    local http = require "curlew"
    local core = require "curlew.core"
    local posix = require "posix_support"
    local url, ca = arg[1], arg[2]
    local r <close> = assert(http.get(url, { tls = { ca = ca } }))
    local before = posix.rss()
    for _ = 1, 1000 do core.step(0.001) end
    print(posix.rss() - before < 4 * 1024, #assert(r:read(2 * 1024 * 1024)))
  ]]

  for name, more in pairs { ["over HTTP"] = {},
    ["over TLS"] = { tls = support.certificates().good } } do
    it("takes no memory of libcurl's " .. name, function()
      local server <close> = support.server(more)
      send_much(server)
      local kind, code, out, err = support.run(script,
        { server.url, support.certificates().ca })
      assert.same({ "exit", 0, "true\t2097152\n" }, { kind, code, out }, err)
    end)
  end
end)
