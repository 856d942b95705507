--- Each allocation of Lua fails once, one after the other, in a script that
-- makes requests. The script never crashes and leaves no descriptor, and the
-- count invariant holds.

local support = require "spec.support"
local memory = require "spec.support.memory"

local ASKING = [[
local http = require "curlew"
local core = require "curlew.core"
local url, secure, ca, refused, both, pin = ...

-- Checks the code of an error that is not caused by memory.
local function fails_with(code, r, err)
  assert(r == nil)
  if err.code ~= code then error(err) end
  assert(#tostring(err) > 0)
  return err
end

do -- a small body, its headers and its text
  local r <close> = assert(http.get(url .. "/headers", { query = { a = 1 } }))
  for name, value in pairs(r.headers) do assert(#name > 0 and #value >= 0) end
  assert(r.ok and #r:text() > 0 and select("#", r:header("set-cookie")) == 3)
  assert(r.info.times.total > 0 and #tostring(r) > 0)
end

do -- a large one, some of it read, its scope left
  local r <close> = assert(http.get(url .. "/slow", { timeout = 5 }))
  assert(r:read(1, 10, 100))
  assert(#http.leaks.open() == 1 and http.stats().open == 1)
end

do -- the same over TLS, with all that it may be told
  local client <close> = http.client { tls = { ca = { ca, ca }, cert = both } }
  local tls = { pin = { pin, pin }, min = "1.2", max = "1.2" }
  for _, wrong in ipairs { { pin = { pin, "x" } }, { ca = { ca, "" } } } do
    assert(not pcall(client.get, client, secure, { tls = wrong }))
  end
  local r <close> = assert(client:get(secure .. "/slow", { tls = tls }))
  assert(r:read(1, 10, 100))
end

do -- loops that are left, and one that comes to its end
  for _ in http.chunks(url .. "/slow") do break end
  local r <close> = assert(http.get(url .. "/slow"))
  for _ in r:lines(1, 2) do break end
  for line in http.lines(url .. "/small") do assert(#line > 0) end
end

do -- decoded, saved, and what its fields say
  local r <close> = assert(http.get(url .. "/gzip/20k"))
  assert(r.media_type == "text/plain" and not (r.charset or r.filename))
  assert(r:read("l", "L", 10) and assert(r:save("/dev/null")).bytes > 20000)
  local page = assert(http.fetch(url .. "/small"))
  http.json = { decode = function(text) return { text } end }
  assert(assert(page:json())[1] == page.body and #page.trailers == 0)
end

do -- moved, and closed by its owner
  local function open()
    local r <close> = assert(http.get(url .. "/slow"))
    return r:move()
  end
  open():close()
end

do -- a client, a page, and a status that is refused
  local client <close> = http.client { base_url = url, check = true,
    headers = { ["X-Test"] = "x", Accept = false } }
  local page = assert(client:fetch("small"))
  assert(#page.body == 20 and #page.request:curl() > 50)
  assert(#fails_with("status", client:get("status/404")).body > 0)
end

do -- middleware: what it drops, and what it returns
  local client <close> = http.client { base_url = url }
  client:use(function(request, next)
    request.headers.A = "a"
    assert(next(request))
    local r <close> = assert(next(request))
    return r:move()
  end)
  local r <close> = assert(client:get("slow"))
  assert(r.status == 200)
end

do -- nobody is there; no url
  fails_with("connect", http.get(refused))
  fails_with("url", http.get("http://:x:/"))
end

do -- forgotten, and found by the collector
  assert(http.get(url .. "/slow"))
  collectgarbage()
end

do -- in a coroutine that is dropped
  coroutine.wrap(function()
    local r <close> = assert(http.get(url .. "/slow"))
    coroutine.yield(r)
  end)()
end

do -- in tasks, whose scope is left, and in a loop over several
  local scope <close> = http.scope { max = 2 }
  local task = scope:spawn(http.get, url .. "/slow")
  scope:spawn(function() assert(http.get(url .. "/slow")) end)
  scope:spawn(http.sleep, 0)
  local r <close> = assert(task:wait())
  assert(scope:wait())
  scope:spawn(http.get, url .. "/slow")
  http.sleep(0)
  local paths = { "/small", "/headers" }
  for _, page, err in http.map(paths, function(at)
    return http.fetch(url .. at)
  end) do
    if not page then error(err, 0) end
  end
end

do -- in a task that is closed while it waits
  local task = coroutine.create(function()
    local r <close> = assert(http.get(url .. "/slow"))
    error(r)
  end)
  core.seat(task, function() coroutine.yield() end)
  assert(coroutine.resume(task))
  assert(coroutine.close(task))
end
]]

describe("Without memory, asking,", function()
  local script

  setup(function()
    local nginx, certificates = support.nginx(), support.certificates()
    local refused = ("http://127.0.0.1:%d/"):format(support.refused_port)
    script = { memory.write("asking.lua", ASKING), nginx.http, nginx.https,
      nginx.ca, refused, certificates.client.both, certificates.pin }
  end)

  for name, test in pairs(memory.tests) do
    it(name, function() test(script) end)
  end
end)
