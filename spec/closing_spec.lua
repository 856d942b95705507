--- Connections that are closed: their sockets are gone at once, whatever the
-- peer does. Over TLS libcurl waits for an answer to its close_notify.

local support = require "spec.support"
local http = require "curlew"

local CLOSE = "HTTP/1.1 200 OK\r\nConnection: close\r\n" ..
  "Content-Length: 2\r\n\r\nok"
local KEEP = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

-- The number of sockets of this process that are connected to a port: the state
-- is ESTABLISHED or CLOSE_WAIT.
local function sockets_to(port)
  local hex, n = ("%04X"):format(port), 0
  for line in io.lines("/proc/net/tcp") do
    local to, state = line:match("^%s*%d+: %x+:%x+ %x+:(%x+) (%x%x)")
    if to == hex and (state == "01" or state == "08") then n = n + 1 end
  end
  return n
end

local transports = {
  TCP = function() return support.server() end,
  TLS = function()
    return support.server { tls = support.certificates().good }
  end,
}

for transport, start in pairs(transports) do
  describe("A connection over " .. transport .. " that is closed", function()
    local server, client

    before_each(function()
      server = start()
      client = http.client { deadline = 10,
        tls = { ca = support.certificates().ca } }
    end)

    after_each(function()
      client:close()
      server:close()
      assert.is_true(http.leaks.audit())
    end)

    -- The peer sends this and is silent until its client has closed.
    local function answer(...)
      local steps = { "request" }
      for _, bytes in ipairs { ... } do steps[#steps + 1] = { send = bytes } end
      steps[#steps + 1] = "hold"
      server:script(steps)
    end

    it("holds no socket after its response", function()
      answer(CLOSE)
      for _ = 1, 20 do
        assert.equal("ok", assert(client:fetch(server.url)).body)
        assert.equal(0, sockets_to(server.port))
      end
    end)

    it("holds none if many are closed by tasks", function()
      answer(CLOSE)
      for _ = 1, 3 do
        local urls = {}
        for i = 1, 20 do urls[i] = server.url end
        for _, body in http.map(urls, function(url)
          return assert(client:fetch(url)).body
        end, { max = 20 }) do
          assert.equal("ok", body)
        end
        assert.equal(0, sockets_to(server.port))
      end
    end)

    it("holds none if more bytes follow the response", function()
      answer(CLOSE .. ("x"):rep(300000))
      for _ = 1, 3 do
        assert.equal("ok", assert(client:fetch(server.url)).body)
        assert.equal(0, sockets_to(server.port))
      end
    end)

    it("holds none if the body is not read", function()
      answer("HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\nok")
      for _ = 1, 5 do
        do local _ <close> = assert(client:get(server.url)) end
        assert.equal(0, sockets_to(server.port))
      end
    end)

    it("holds none if no connection is kept", function()
      answer(KEEP)
      local kind, code, out, err = support.run([[
        local http = require "curlew"
        http.limits { idle_connections = 0 }
        for _ = 1, 5 do
          assert(http.fetch(arg[1], { tls = { ca = arg[2] } }))
          local count = http.stats().connections
          io.write(count.opened - count.closed, " ")
        end
      ]], { server.url, support.certificates().ca })
      assert.same({ "exit", 0, "0 0 0 0 0 ", "" }, { kind, code, out, err })
    end)
  end)
end
