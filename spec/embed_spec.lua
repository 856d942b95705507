--- curlew in a C program that embeds Lua (spec/support/host.c): threads, states
-- that are closed and made again, and forks.

local support = require "spec.support"

-- Runs the steps of a script in a host. They know the urls of nginx, its CA and
-- a url that is refused.
local function embed(mode, steps)
  local nginx = support.nginx()
  local path = support.folder() .. "/script.lua"
  local file <close> = assert(io.open(path, "w"))
  file:write("local plain, secure, ca, refused = ...\n",
    "local tls = { ca = ca }\n", steps)
  file:close()
  local code, out, err = support.host(mode, path, nginx.http, nginx.https,
    nginx.ca, ("http://127.0.0.1:%d/"):format(support.refused_port))
  assert.same({ 0, "" }, { code, out }, err)
  return err
end

describe("A host", function()
  it("has two threads with 1,000 requests each", function()
    assert.equal("", embed("threads", [[
      local http = require "curlew"
      local function fetch(i)
        local url = (i % 10 == 0 and secure or plain) .. "/20k"
        local page = assert(http.fetch(url, { check = true, tls = tls }))
        assert(#page.body == 20 * 1024)
      end
      local function fail()
        local _, err = http.fetch(refused)
        assert(err.code == "connect", err)
      end
      local function with_client(i)
        local client <close> = http.client { tls = tls }
        local r <close> = assert(client:get(secure .. "/big"))
        assert(#r:read(i) == i)
      end
      local function several()
        local urls = { plain .. "/1k", secure .. "/1k", plain .. "/1k" }
        for _, page in http.map(urls, function(url)
          return http.fetch(url, { tls = tls })
        end) do
          assert(#page.body == 1024)
        end
      end
      return { run = function()
        for i = 1, 940 do fetch(i) end
        for i = 1, 10 do
          fail()
          with_client(i)
          with_client(100 * i)
          several()
        end
        assert(http.stats().open == 0 and http.leaks.audit())
      end }
    ]]))
  end)

  it("closes states while transfers are under way", function()
    local told = embed("again", [[
      local http = require "curlew"
      return { run = function()
        assert(http.fetch(plain .. "/1k"))
        assert(http.fetch(secure .. "/1k", { tls = tls }))
        for _, base in ipairs { plain, secure } do
          local r = assert(http.get(base .. "/big", { tls = tls }))
          assert(#r:read(1000) == 1000)
          kept = { kept, r:move() } -- by a global variable
        end
        local scope = http.scope()
        scope:spawn(function()
          local r = assert(http.get(plain .. "/slow"))
          r:read("a")
        end)
        scope:spawn(function()
          http.post(plain .. "/method", { length = 1000, body = function()
            http.sleep(1000)
            return ("x"):rep(1000)
          end })
        end)
        kept = { kept, scope }
        http.sleep(0.01)
      end }
    ]])
    -- The reports name each forgotten response and nothing else.
    local _, states = told:gsub("curlew: %d of %d responses leaked", "")
    assert.equal(30, states)
    for line in told:gmatch "[^\n]+" do assert.matches("^curlew: ", line) end
  end)

  -- The thread of "busy" has connections, locks and memory of its own while
  -- the process forks.
  it("forks while transfers are under way", function()
    assert.equal("", embed("fork", [[
      local http = require "curlew"
      local open = {}
      local function get(base)
        local r = assert(http.get(base .. "/big", { tls = tls }))
        assert(#r:read(1000) == 1000)
        return r
      end
      local function rest(r)
        local n = 1000
        repeat
          local piece, err = r:read(1 << 20)
          assert(piece or not err, err)
          n = n + #(piece or "")
        until not piece
        assert(n == 100 * 1024 * 1024, n)
        r:close()
      end
      local function fetch_both()
        assert(#assert(http.fetch(plain .. "/1k")).body == 1024)
        assert(#assert(http.fetch(secure .. "/1k", { tls = tls })).body == 1024)
      end
      return {
        begin = function()
          fetch_both() -- leaves idle connections
          open = { get(plain), get(secure) }
        end,
        rest = function()
          for _, r in ipairs(open) do rest(r) end
          fetch_both()
          assert(http.stats().open == 0 and http.leaks.audit())
        end,
        child = function()
          fetch_both()
          for _, r in ipairs(open) do
            local ok, piece
            repeat
              ok, piece = pcall(r.read, r, 1 << 20) -- what came before the fork
            until not ok or not piece
            r:close()
          end
        end,
        run = fetch_both,
        busy = function() for _ = 1, 100 do fetch_both() end end,
      }
    ]]))
  end)

  -- The other thread may be in the middle of anything.
  it("ends and tells of the thread that ends it alone", function()
    local told = embed("leave", [[
      return {
        busy = function()
          local http = require "curlew"
          local r = assert(http.get(plain .. "/slow"))
          tell()
          r:read("a")
        end,
        run = function()
          local http = require "curlew"
          kept = assert(http.get(plain .. "/big"))
        end,
      }
    ]])
    local _, engines = told:gsub("curlew: 1 of 1 responses leaked "
      .. "%(gc 0, shutdown 0, exit 1%)", "")
    assert.equal(1, engines, told)
  end)
end)
