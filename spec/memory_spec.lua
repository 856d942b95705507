--- Every allocation of Lua's fails once, one after the other: never a crash,
-- never a descriptor left, and the law holds. The host that does it is
-- spec/support/oom.c.

local support = require "spec.support"
local posix = support.posix

local ASKING = [[
local http = require "curlew"
local core = require "curlew.core"
local url, secure, ca, refused, both, pin = ...

-- What ought to fail for another reason than memory.
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

local SENDING = [[
local http = require "curlew"
local url, file, new = ...

local function giver(...)
  local pieces = table.pack(...)
  return function() return table.remove(pieces, 1) end
end

local function put(options)
  local page = assert(http.fetch(url .. "/taken", options))
  assert(page.body == options.method .. " /method")
end

do -- a body of each kind
  local text = "text" -- string.rep makes no room when there is none
  for _ = 1, 12 do text = text .. text end
  put { method = "PUT", body = text }
  put { method = "POST", json = { a = 1, list = { true, "b" } } }
  put { method = "PATCH", form = { { "a", "1" }, { "b", "\u{e4}" } } }
  put { method = "PUT", file = file }
  put { method = "PUT", body = giver("one", "two", "three") }
  put { method = "PUT", body = giver("one", "two"), length = 6 }
  put { method = "POST", multipart = { { name = "a", "text" },
    { name = "b", file = file }, { name = "c", body = giver("d", "e") } } }
  local handle <close> = assert(io.open(file, "rb"))
  put { method = "PUT", file = handle }
end

do -- one that gives up, one that waits
  local page, err = http.fetch(url .. "/taken", { method = "PUT",
    body = function() return nil, "no more" end })
  if page or err.code ~= "cancelled" then error(err) end
  local asked = false
  put { method = "PUT", body = function()
    if asked then return nil end
    asked = true
    return assert(http.fetch(url .. "/small")).body
  end }
end

do -- with credentials
  local client <close> = http.client { base_url = url,
    auth = { bearer = function() return "token", 60 end } }
  for _ = 1, 2 do assert(client:fetch("method")) end
  local page = assert(client:fetch("private", {
    auth = { basic = { "user", "pass" } } }))
  assert(page.status == 401 or page.status == 200)
  assert(client:fetch("method", { auth = { digest = { "user", "pass" } } }))
end

do -- made again
  local page = assert(http.fetch(url .. "/status/307", { method = "PUT",
    body = "text", redirects = 1 }))
  assert(page.status == 405 and #page.history == 1)
  page = assert(http.fetch(url .. "/status/503", { method = "PUT",
    body = "text", retry = { times = 1, max_delay = 0.001 } }))
  assert(page.status == 503)
end

do -- looked at
  local ends, trace <close> = 0, assert(io.tmpfile())
  local r <close> = assert(http.put(url .. "/taken", { body = "text",
    on_end = function(info) ends = ends + (info.times and 1 or 0) end,
    trace = trace, progress = function() end }))
  assert(#r:text() > 0 and #tostring(r.request) > 0)
  r:close()
  assert(ends == 1 and trace:seek("end") > 100)
end

do -- downloaded
  local got = assert(http.download(url .. "/20k", new))
  assert(got.bytes == 20 * 1024)
end
]]

-- Where this process runs under a sanitizer, the host has to as well.
local function sanitizer()
  local maps <close> = assert(io.open("/proc/self/maps"))
  return maps:read("a"):match("/%S*libasan%S*")
end

describe("Without memory", function()
  local scripts

  local function write(name, text)
    local path = support.folder() .. "/" .. name
    local file <close> = assert(io.open(path, "w"))
    assert(file:write(text))
    return path
  end

  setup(function()
    local nginx, certificates = support.nginx(), support.certificates()
    local refused = ("http://127.0.0.1:%d/"):format(support.refused_port)
    scripts = {
      asking = { write("asking.lua", ASKING), nginx.http, nginx.https, nginx.ca,
        refused, certificates.client.both, certificates.pin },
      sending = { write("sending.lua", SENDING), nginx.http,
        write("sent", ("sent"):rep(1000)), support.folder() .. "/new" },
    }
  end)

  -- Runs the host; returns how many states it made, and how many scripts ended
  -- with an error.
  local function run(mode, which)
    local child <close> = assert(posix.spawn {
      stderr = true, preload = true,
      env = { LUA_PATH = package.path, LUA_CPATH = package.cpath,
        LUA_PATH_5_4 = false, LUA_CPATH_5_4 = false,
        LD_PRELOAD = sanitizer() or false },
      support.build .. "/spec/oom", mode, table.unpack(scripts[which]),
    })
    local out, err, done = child:communicate("", 120)
    assert.is_true(done, "the host is still running")
    local kind, code = child:wait()
    assert.same({ "exit", 0 }, { kind, code },
      err:sub(-1000) .. out:sub(1, 2000))
    local runs, errors = out:match("^(%d+) runs, (%d+) errors\n$")
    return math.tointeger(runs), math.tointeger(errors)
  end

  for _, which in ipairs { "asking", "sending" } do
    it("for one allocation nothing is lost, " .. which, function()
      local runs, errors = run("once", which)
      assert.is_true(runs > 500)
      assert.equal(0, errors)
    end)

    it("for one allocation and its repetition, nothing stays open, " .. which,
      function()
        local runs, errors = run("twice", which)
        assert.is_true(errors > 500 and errors <= runs)
      end)

    it("from an allocation on, nothing stays open, " .. which, function()
      local runs, errors = run("on", which)
      assert.is_true(errors > 500 and errors <= runs)
    end)
  end
end)
