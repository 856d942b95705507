--- client:use: what a middleware sees and may change, what it may return, and
-- what becomes of the responses that it was given and did not return.

local support = require "spec.support"
local counters = require "spec.support.counters"
local scheduler = require "spec.support.scheduler"
local http = require "curlew"
local leaks = require "curlew.leaks"

local HERE = debug.getinfo(1, "S").short_src
local OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
local LARGE = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"
  .. ("x"):rep(100000)
local BUSY = "HTTP/1.1 503 Busy\r\nContent-Length: 100000\r\n\r\n"
  .. ("x"):rep(100000)
local HOPELESS = "HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n"

local function line() return debug.getinfo(2, "l").currentline end

local function here(number) return ("%s:%d: "):format(HERE, number) end

local server, client

before_each(function()
  server = support.server()
  client = http.client { base_url = server.url }
end)
after_each(function()
  client:close()
  server:close()
  assert(leaks.audit())
end)

local function answers(bytes)
  server:script { { loop = { "request", { send = bytes } } } }
end

-- Each on a connection of its own; the last one repeats.
local function answers_one_by_one(...)
  for _, bytes in ipairs { ... } do server:reply(bytes) end
end

local function request_lines()
  local list = {}
  for i, bytes in ipairs(server:requests()) do
    list[i] = bytes:match("^(.-) HTTP/1.1\r")
  end
  return list
end

local function header(name)
  local all = server:requests()
  return all[#all]:match("\r\n" .. name:gsub("%p", "%%%0") .. ": ([^\r]*)")
end

local function pass(request, go_on) return go_on(request) end

-- What moves in the counters while f runs.
local function moved(f, ...)
  collectgarbage()
  collectgarbage()
  local before = http.stats()
  f(...)
  return counters.moved(before, http.stats())
end

-- ---- the chain ----

describe("use", function()
  before_each(function() answers(OK) end)

  local function marking(mark, log)
    return function(request, go_on)
      log[#log + 1] = mark .. ">"
      local r, err = go_on(request)
      log[#log + 1] = "<" .. mark
      return r, err
    end
  end

  it("returns the client, and has the first one outermost", function()
    local log = {}
    local same = client:use(marking("a", log)):use(marking("b", log))
    assert.equal(client, same)
    assert(client:fetch("/"))
    assert.equal("a> b> <b <a", table.concat(log, " "))
  end)

  it("is inherited by extend as it is then", function()
    local log = {}
    client:use(marking("a", log))
    local child <close> = client:extend {}
    client:use(marking("b", log))
    child:use(marking("c", log))
    local grandchild <close> = child:extend()
    assert(client:fetch("/"))
    assert.equal("a> b> <b <a", table.concat(log, " "))
    assert(grandchild:fetch("/"))
    assert.equal("a> b> <b <a a> c> <c <a", table.concat(log, " "))
  end)

  it("holds for requests that begin after it", function()
    local log = {}
    client:use(function(request, go_on)
      client:use(marking("late", log))
      return go_on(request)
    end)
    assert(client:fetch("/"))
    assert.same({}, log)
  end)

  it("is no function of the module", function() assert.is_nil(http.use) end)

  it("leaves other clients alone", function()
    client:use(function() error("not reached") end)
    assert(http.fetch(server.url))
    local other <close> = http.client()
    assert(other:fetch(server.url))
  end)

  for name, value in pairs { nothing = false, text = "f", table = {} } do
    it("refuses what is no function: " .. name, function()
      local _, err = pcall(function() client:use(value or nil) end)
      assert.equal(here(line() - 1) .. "use: function expected, got "
        .. type(value or nil), err)
    end)
  end

  it("refuses a closed client, and a dot", function()
    local _, err = pcall(function() client.use(pass) end)
    assert.equal(here(line() - 1) .. "client expected, got "
      .. "function: call client:use(...) with a colon", err)
    client:close()
    _, err = pcall(function() client:use(pass) end)
    assert.equal(here(line() - 1) .. "the client is closed", err)
  end)
end)

-- ---- every opener ----

describe("A middleware is called by", function()
  local opened = {
    get = "GET", head = "HEAD", post = "POST", put = "PUT", patch = "PATCH",
    delete = "DELETE", fetch = "GET", lines = "GET", chunks = "GET",
  }

  local function drain(name, ...)
    if name == "lines" or name == "chunks" then
      for one in client[name](client, ...) do assert.equal("ok", one) end
      return
    end
    local r = assert(client[name](client, ...))
    if name ~= "fetch" then r:close() end
  end

  for name, method in pairs(opened) do
    it("client:" .. name, function()
      local seen = {}
      client:use(function(request, go_on)
        seen[#seen + 1] = request.method .. " " .. request.url
        request.headers["X-Seen"] = #seen
        return go_on(request)
      end)
      local reply = name == "head" and OK:gsub("ok$", "") or OK
      answers(reply)
      drain(name, "/a")
      drain(name, { "/b", headers = { A = "b" } })
      assert.same({ method .. " /a", method .. " /b" }, seen)
      assert.equal("2", header("X-Seen"))
      assert.equal("b", header("A"))
      assert.same(seen, request_lines())
    end)
  end

  it("client:request, whose method it may change", function()
    answers(OK)
    client:use(function(request, go_on)
      assert.equal("OPTIONS", request.method)
      request.method = "TRACE"
      return go_on(request)
    end)
    assert(client:request { "/x", method = "OPTIONS" }):close()
    assert.same({ "TRACE /x" }, request_lines())
  end)

  it("each attempt of fetch at a body that was cut", function()
    answers_one_by_one("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ncut", OK)
    local calls = 0
    client:use(function(request, go_on)
      calls = calls + 1
      assert.is_nil(request.headers.Mark)
      request.headers.Mark = "x"
      return go_on(request)
    end)
    local page = assert(client:fetch("/", { retry = { times = 1 } }))
    assert.equal("ok", page.body)
    assert.equal(2, calls)
    assert.equal(2, page.info.attempts)
  end)

  it("lines and chunks, which raise the error that it returns", function()
    local gone = setmetatable({}, { __tostring = function() return "gone" end })
    client:use(function() return nil, gone end)
    for _, name in ipairs { "lines", "chunks" } do
      local ok, err = pcall(client[name], client, "/")
      assert.is_false(ok)
      assert.equal(gone, err)
    end
  end)

  it("lines and chunks, whose loops release what it returned", function()
    answers("HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n"
      .. ("line\n"):rep(20000))
    client:use(pass)
    for _, name in ipairs { "lines", "chunks" } do
      assert.same({ opened = 1, iterator = 1 }, moved(function()
        for one in client[name](client, "/") do if one then break end end
      end))
    end
  end)
end)

-- ---- the request ----

describe("A request in a middleware", function()
  before_each(function() answers(OK) end)

  it("is as the caller gave it, before it is encoded", function()
    local json, seen = { a = 1 }, nil
    client:use(function(request, go_on)
      seen = request
      return go_on(request)
    end)
    assert(client:post("/x", { json = json, query = { q = "a b" } })):close()
    assert.equal(json, seen.json)
    assert.same({ method = "POST", url = "/x", headers = {}, json = { a = 1 },
      query = { q = "a b" } }, seen)
    assert.same({ "POST /x?q=a%20b" }, request_lines())
  end)

  it("may have everything in it changed, and not the caller's", function()
    local given = { headers = { A = "1", B = { "2" } }, query = { { "q", 1 } },
      timeout = { idle = 5 }, auth = { basic = { "u", "p" } } }
    client:use(function(request, go_on)
      request.url = "/other"
      request.headers.A = "changed"
      request.headers.B[1] = "changed"
      request.query[1][2] = "changed"
      request.timeout.idle = 6
      request.auth.basic[2] = "changed"
      request.body, request.method = "text", "PUT"
      return go_on()
    end)
    assert(client:get("/x", given)):close()
    assert.same({ headers = { A = "1", B = { "2" } }, query = { { "q", 1 } },
      timeout = { idle = 5 }, auth = { basic = { "u", "p" } } }, given)
    assert.same({ "PUT /other?q=changed" }, request_lines())
    assert.equal("changed", header("A"))
    assert.equal("Basic dTpjaGFuZ2Vk", header("Authorization"))
  end)

  it("may have another value as json", function()
    client:use(function(request, go_on)
      request.json = { wrapped = request.json }
      return go_on(request)
    end)
    assert(client:post("/", { json = { 1 } })):close()
    assert.matches('\r\n\r\n{"wrapped":[1]}', server:request(), 1, true)
  end)

  it("is fresh for each call of next", function()
    client:use(function(request, go_on)
      assert(go_on(request)):close()
      assert.is_nil(request.headers.Added)
      assert.equal("/", request.url)
      return go_on(request)
    end)
    client:use(function(request, go_on)
      assert.is_nil(request.headers.Added)
      request.headers.Added = "once"
      request.url = request.url .. "x"
      return go_on(request)
    end)
    assert(client:fetch("/"))
    assert.same({ "GET /x", "GET /x" }, request_lines())
  end)

  it("may be another one", function()
    client:use(function(_, go_on) return go_on { "/b", query = { c = 1 } } end)
    assert(client:post("/a", { body = "x" })):close()
    assert.same({ "GET /b?c=1" }, request_lines())
  end)

  it("has the client's defaults put under it when it is sent", function()
    local child <close> = client:extend { query = { key = 1 },
      headers = { A = "1" } }
    child:use(function(request, go_on)
      assert.is_nil(request.query)
      assert.is_nil(request.headers.A)
      request.query = { more = 2 }
      return go_on(request)
    end)
    assert(child:fetch("/"))
    assert.same({ "GET /?key=1&more=2" }, request_lines())
    assert.equal("1", header("A"))
  end)

  it("keeps a false for headers", function()
    local child <close> = client:extend { headers = { A = "1" } }
    child:use(function(request, go_on)
      assert.is_false(request.headers)
      return go_on(request)
    end)
    assert(child:fetch("/", { headers = false }))
    assert.is_nil(header("A"))
  end)
end)

-- ---- who is to blame ----

describe("A fault", function()
  local called

  before_each(function()
    called = false
    answers(OK)
  end)

  local faults = {
    ["option 'timout'"] = { timout = 1 },
    ["option 'query'"] = { query = { a = print } },
    ["option 'timeout.idle'"] = { timeout = { idle = "x" } },
    ["option 'json'"] = { json = { print } },
  }

  for text, options in pairs(faults) do
    it("of the caller is raised at its line, before any: " .. text, function()
      client:use(function() called = true end)
      for _, name in ipairs { "get", "fetch", "lines" } do
        local ok, err = pcall(function()
          return (client[name](client, "/", options))
        end)
        assert.is_false(ok)
        assert.equal(here(line() - 3), err:sub(1, #here(line() - 3)))
        assert.matches(text, err, 1, true)
      end
      assert.is_false(called)
    end)

    it("of the middleware at the line of its next: " .. text, function()
      local at
      client:use(function(request, go_on)
        for name, value in pairs(options) do request[name] = value end
        at = line() + 1
        local r, err = go_on(request)
        return r, err
      end)
      client:use(pass) -- a tail call: its frame is gone
      local ok, err = pcall(function() return (client:get("/")) end)
      assert.is_false(ok)
      assert.equal(here(at), err:sub(1, #here(at)))
      assert.matches(text, err, 1, true)
    end)
  end

  for name, options in pairs { ["a number as url"] = { 1 }, none = {},
      ["a url given twice"] = { "/", url = "/" } } do
    it("in the url is the caller's: " .. name, function()
      client:use(function() called = true end)
      local _, err = pcall(function() return (client:request(options)) end)
      assert.matches(here(line() - 1), err, 1, true)
      assert.matches("url", err, 1, true)
      assert.is_false(called)
    end)
  end

  it("in what is given to next is the middleware's", function()
    local at
    client:use(function(_, go_on)
      at = line() + 1
      local r = go_on("/")
      return r
    end)
    local _, err = pcall(client.get, client, "/")
    assert.equal(here(at) .. "next: a request (a table) expected, got string",
      err)
  end)

  it("that the world makes names who called the verb", function()
    server:reset()
    server:script { "request", "close" }
    client:use(function(request, go_on)
      local r, err = go_on(request)
      return r, err
    end)
    local r, err = client:get("/")
    assert.is_nil(r)
    assert.equal("closed", err.code)
    assert.equal(HERE .. ":" .. line() - 3, err.site)
  end)

  it("of who forgets names who called the verb, coroutine or not", function()
    server:reset()
    answers(LARGE)
    client:use(function(request, go_on)
      return coroutine.wrap(function() return go_on(request) end)()
    end)
    local r <close> = client:get("/")
    assert.equal(HERE .. ":" .. line() - 1, leaks.open()[1].site)
    assert.equal(200, r.status)
  end)
end)

-- ---- what it returns ----

describe("A middleware may return", function()
  it("what next returned, or what it moved", function()
    answers(LARGE)
    client:use(pass)
    client:use(function(request, go_on)
      local r <close> = assert(go_on(request))
      assert.equal("x", r:read(1))
      return r:move():move()
    end)
    assert.same({ opened = 1, tbc = 1 }, moved(function()
      local r <close> = assert(client:get("/"))
      assert.equal("xx", r:read(2))
    end))
  end)

  it("what it has read: it may be asked for again", function()
    answers(OK)
    client:use(function(request, go_on)
      local r = assert(go_on(request))
      assert.equal("ok", r:text())
      return r
    end)
    assert.equal("ok", client:fetch("/").body)
  end)

  it("a response of another client, with a chain of its own", function()
    answers(LARGE)
    local log = {}
    local other <close> = http.client { base_url = server.url }
    other:use(function(request, go_on)
      log[#log + 1] = request.url
      return go_on(request)
    end)
    client:use(function() return other:get("/other") end)
    local r <close> = assert(client:get("/"))
    assert.equal("x", r:read(1))
    assert.same({ "/other" }, log)
  end)

  it("nil and an error, without asking anybody", function()
    client:use(function() return nil, "closed for today" end)
    assert.same({ nil, "closed for today" }, { client:get("/") })
    assert.same({ nil, "closed for today" }, { client:fetch("/") })
    assert.equal(0, server:connections())
  end)

  it("the error of next, as it came", function()
    answers(BUSY)
    local seen
    client:use(function(request, go_on)
      local r, err = go_on(request)
      seen = err
      return r, err
    end)
    local r, err = client:get("/", { check = true })
    assert.is_nil(r)
    assert.equal("status", err.code)
    assert.equal(seen, err)
  end)

  local wrong = {
    ["a string"] = function() return "text" end,
    ["a table"] = function() return { status = 200 } end,
    ["a boolean"] = function() return false, "an error" end,
    ["nil and no error"] = function() end,
    ["a closed response"] = function(request, go_on)
      local r <close> = assert(go_on(request))
      return r
    end,
  }

  for what, fn in pairs(wrong) do
    it("not " .. what .. ": its line is named", function()
      answers(LARGE)
      client:use(fn)
      for _, name in ipairs { "get", "fetch", "chunks" } do
        local ok, err = pcall(client[name], client, "/")
        assert.is_false(ok)
        local defined = here(debug.getinfo(fn, "S").linedefined)
        assert.equal(defined .. "the middleware returned " .. what,
          err:sub(1, #defined + #what + 24))
        assert.matches("expected", err, 1, true)
      end
    end)
  end

  it("nothing of a function in C that does not know", function()
    client:use(type)
    local _, err = pcall(function() return (client:get("/")) end)
    assert.equal(here(line() - 1) .. "the middleware returned a string; "
      .. "a response, or nil and an error, expected", err)
  end)
end)

-- ---- what it does not return ----

local VALUES = { "text", {}, 42, false, print, coroutine.create(print),
  setmetatable({}, { __tostring = error }) }

describe("What next returned and the middleware did not", function()
  before_each(function() answers(LARGE) end)

  local function using(fn, f)
    client:use(fn)
    return moved(f or function() client:get("/") end)
  end

  it("is released when it returns nil, err", function()
    assert.same({ opened = 1, close = 1 }, using(function(request, go_on)
      assert(go_on(request))
      return nil, "no"
    end))
  end)

  it("is released when it returns another one", function()
    assert.same({ opened = 3, close = 2, tbc = 1 }, using(
      function(request, go_on)
        assert(go_on(request))
        local kept = assert(go_on(request))
        assert(go_on(request))
        return kept
      end,
      function()
        local r <close> = assert(client:get("/"))
        assert.equal("x", r:read(1))
      end))
  end)

  it("is released when it was moved", function()
    local moved_to
    assert.same({ opened = 1, close = 1 }, using(function(request, go_on)
      moved_to = assert(go_on(request)):move():move()
      return nil, "no"
    end))
    assert.equal("closed response", http.type(moved_to))
  end)

  it("teaches, when it is kept elsewhere and used", function()
    local kept
    client:use(function(request, go_on)
      kept = assert(go_on(request))
      return nil, "no"
    end)
    client:get("/")
    local at = line() - 1
    local _, err = pcall(function() return kept:read(1) end)
    assert.equal(here(line() - 1) .. ("the response was closed at %s:%d, where "
      .. "its middleware ended and did not return it"):format(HERE, at), err)
    assert.equal(200, kept.status)
  end)

  it("is released once, when it was closed or has been read", function()
    assert.same({ opened = 1, close = 1 }, using(function(request, go_on)
      assert(go_on(request)):close()
      return nil, "no"
    end))
    assert.same({ opened = 1, eof = 1 }, moved(function()
      local other <close> = http.client { base_url = server.url }
      other:use(function(request, go_on)
        assert.equal(100000, #assert(go_on(request)):text())
        return nil, "no"
      end)
      other:get("/")
    end))
  end)

  it("is released by its own <close>, first", function()
    assert.same({ opened = 1, tbc = 1 }, using(function(request, go_on)
      local r <close> = assert(go_on(request))
      return nil, r.reason
    end))
  end)

  it("is released when it raises, any value, unchanged", function()
    for i, value in ipairs(VALUES) do
      local own <close> = http.client { base_url = server.url }
      own:use(pass):use(function(request, go_on)
        local r = assert(go_on(request))
        assert.equal(200, r.status)
        error(value, 0)
      end)
      assert.same({ opened = 1, error = 1 }, moved(function()
        local ok, err = pcall(own.get, own, "/")
        assert.is_false(ok)
        assert.is_true(rawequal(value, err), "value " .. i)
      end))
    end
  end)

  -- Lua 5.5 raises a text in the place of nil. In Lua 5.4 __close cannot tell
  -- that error from the end of the scope.
  it("is released when it raises nil", function()
    local why = _VERSION == "Lua 5.4" and "tbc" or "error"
    assert.same({ opened = 1, [why] = 1 }, using(
      function(request, go_on)
        assert(go_on(request))
        error(nil)
      end,
      function()
        assert.same({ pcall(error) }, { pcall(client.get, client, "/") })
      end
    ))
  end)

  it("is nothing, when it raises before it asked", function()
    assert.same({}, using(function() error("before", 0) end, function()
      for _, name in ipairs { "get", "fetch", "lines" } do
        assert.same({ false, "before" }, { pcall(client[name], client, "/") })
      end
    end))
  end)

  it("is released when what it returns is refused", function()
    assert.same({ opened = 1, error = 1 }, using(function(request, go_on)
      assert(go_on(request))
      return "text"
    end, function() assert.is_false(pcall(client.get, client, "/")) end))
  end)

  it("is released with that of those inside, when all raise", function()
    client:use(function(request, go_on)
      assert(go_on(request))
      error("outer", 0)
    end)
    assert.same({ opened = 2, error = 1, close = 1 }, using(
      function(request, go_on)
        assert(go_on(request))
        return go_on(request)
      end,
      function()
        assert.same({ false, "outer" }, { pcall(client.get, client, "/") })
      end))
  end)

  it("is released when its scope is left by an error elsewhere", function()
    local closing = setmetatable({}, { __close = function() error("e", 0) end })
    assert.same({ opened = 1, error = 1 }, using(
      function(request, go_on)
        local neighbour <close> = closing
        local r = assert(go_on(request))
        return r, neighbour
      end,
      function() assert.same({ false, "e" }, { pcall(client.get, client, "/") })
      end))
  end)

  it("is released when its coroutine is closed while it yields", function()
    assert.same({ opened = 2, tbc = 2 }, using(
      function(request, go_on)
        assert(go_on(request))
        assert(go_on(request))
        coroutine.yield()
      end,
      function()
        local co = coroutine.create(function() client:get("/") end)
        assert(coroutine.resume(co))
        assert.equal(2, http.stats().open)
        assert(coroutine.close(co))
      end))
  end)

  it("is an error in a coroutine's wrap", function()
    assert.same({ opened = 1, error = 1 }, using(
      function(request, go_on)
        assert(go_on(request))
        error("e", 0)
      end,
      function()
        local f = coroutine.wrap(function() client:get("/") end)
        assert.same({ false, "e" }, { pcall(f) })
      end))
  end)

  it("is counted right a thousand times, one way after the other", function()
    answers(LARGE)
    local n = 0
    local ways = {
      function(r) return r end,
      function(r) return r:move() end,
      function(r) return nil, r end,
      function() error("e", 0) end,
    }
    assert.same({ opened = 1000, tbc = 500, close = 250, error = 250 }, using(
      function(request, go_on)
        n = n + 1
        return ways[n % 4 + 1](assert(go_on(request)))
      end,
      function()
        for _ = 1, 1000 do
          pcall(function()
            local r <close> = client:get("/")
            return r and r.status
          end)
        end
      end))
  end)
end)

-- Raises at the k-th instruction of f from now on; whether it came to that.
local function interrupted(k, f)
  local n = 0
  local function count()
    n = n + 1
    if n < k then return end
    debug.sethook()
    error("interrupted", 0)
  end
  local ok, err = pcall(function()
    debug.sethook(count, "", 1)
    f()
    debug.sethook()
  end)
  debug.sethook()
  assert(ok or err:find("interrupted$"), err)
  return not ok
end

describe("An error at any instruction", function()
  it("releases, or leaves to the collector what was being handed "
    .. "on #builtin", function()
    answers(LARGE)
    client:use(pass):use(function(request, go_on)
      local r, err = go_on(request)
      return r, err
    end)
    local before, k = http.stats(), 0
    repeat
      k = k + 1
      local more = interrupted(k, function()
        local r <close> = client:get("/")
        return r
      end)
      collectgarbage()
      assert.equal(before.open, http.stats().open)
      assert(leaks.audit())
    until not more
    local leaked = counters.moved(before, http.stats()).gc
    assert.is_true(k > 100 and leaked <= 25, k .. " " .. leaked)
  end)
end)

describe("next", function()
  before_each(function() answers(LARGE) end)

  it("raises when its middleware has ended", function()
    local late
    client:use(function(request, go_on)
      late = go_on
      return nil, request.method
    end)
    client:get("/")
    local _, err = pcall(function() return (late()) end)
    assert.equal(here(line() - 1) .. "next: its middleware has ended", err)
    assert.equal(0, server:connections())
  end)
end)

-- ---- tasks ----

describe("In a task, a middleware", function()
  local tasks

  before_each(function() tasks = scheduler() end)
  after_each(function() tasks.forget() end)

  it("waits as its caller does", function()
    server:script { { loop = { "request", "wait", { send = OK } } } }
    client:use(pass):use(function(request, go_on)
      local r, err = go_on(request)
      return r, err
    end)
    local bodies = {}
    for i = 1, 3 do
      tasks.spawn(function()
        bodies[i] = assert(client:fetch("/")).body
      end)
    end
    assert.same({}, bodies)
    server:go(3)
    tasks.run()
    assert.same({ "ok", "ok", "ok" }, bodies)
  end)

  it("that is closed while it waits in next releases all", function()
    server:script { "request", { send = LARGE }, "hold" }
    server:script { "request", "hold" }
    client:use(function(request, go_on)
      assert(go_on(request))
      return go_on(request)
    end)
    assert.same({ opened = 2, tbc = 2 }, moved(function()
      local task = tasks.spawn(function() client:get("/") end)
      while #server:requests() < 2 do tasks.round() end
      tasks.forget()
      assert(coroutine.close(task))
    end))
  end)

  it("that raises after a wait releases, and its error is kept", function()
    server:script { { loop = { "request", "wait", { send = LARGE } } } }
    client:use(function(request, go_on)
      assert(go_on(request))
      error("late", 0)
    end)
    local got
    assert.same({ opened = 1, error = 1 }, moved(function()
      tasks.spawn(function() got = { pcall(client.get, client, "/") } end)
      server:go()
      tasks.run()
    end))
    assert.same({ false, "late" }, got)
  end)

  it("may ask from two tasks at once; what comes late is released", function()
    server:script { { loop = { "request", "wait", { send = LARGE } } } }
    local late
    client:use(function(request, go_on)
      tasks.spawn(function() late = { pcall(go_on, request) } end)
      return nil, "did not wait"
    end)
    assert.same({ opened = 1, close = 1 }, moved(function()
      assert.is_nil(client:get("/"))
      server:go()
      tasks.run()
    end))
    assert.is_false(late[1])
    assert.matches("next: its middleware has ended", late[2], 1, true)
  end)
end)

-- ---- what they are for ----

describe("A middleware can", function()
  it("add a header", function()
    answers(OK)
    client:use(function(request, next)
      request.headers["X-Request-Id"] = "42"
      return next(request)
    end)
    assert(client:fetch("/"))
    assert.equal("42", header("X-Request-Id"))
  end)

  it("write a log", function()
    answers(OK)
    local log = {}
    client:use(function(request, next)
      local r, err = next(request)
      log[#log + 1] = ("%s %s: %s"):format(request.method, request.url,
        r and r.status or err.code)
      return r, err
    end)
    assert(client:fetch("/a"))
    assert.same({ "GET /a: 200" }, log)
  end)

  it("try again", function()
    answers_one_by_one(BUSY, BUSY, OK)
    client:use(function(request, next)
      local r, err
      for _ = 1, 3 do
        r, err = next(request)
        if r and r.status ~= 503 then break end
      end
      return r, err
    end)
    assert.same({ opened = 3, close = 2, eager = 1 }, moved(function()
      assert.equal("ok", client:fetch("/").body)
    end))
  end)

  -- A retry of its own is no way around it (as of the option `retry`).
  it("try again until the deadline of the call", function()
    server:script { "request", "hold" }
    server:script { "request", { send = OK }, "hold" }
    local errors = {}
    client:use(function(request, next)
      local r
      for i = 1, 2 do r, errors[i] = next(request) end
      return r, errors[2]
    end)
    assert.is_nil(client:fetch("/", { deadline = 0.3 }))
    assert.matches("not done by its deadline", errors[1].message)
    assert.matches("not begun by its deadline", errors[2].message)
    assert.equal("timeout", errors[2].code)
    assert.equal(1, server:connections())
  end)

  it("break a circuit: no request, and an error", function()
    answers_one_by_one(BUSY)
    local open = false
    client:use(function(request, next)
      if open then return nil, { code = "open" } end
      local r, err = next(request)
      open = r and r.status == 503 or false
      return r, err
    end)
    assert.equal(503, client:fetch("/").status)
    local page, err = client:fetch("/")
    assert.is_nil(page)
    assert.equal("open", err.code)
    assert.equal(1, #server:requests())
  end)

  it("answer from the world's cache: what next returned to a 304", function()
    answers_one_by_one("HTTP/1.1 200 OK\r\nETag: \"1\"\r\nContent-Length: 2"
      .. "\r\n\r\nok", "HTTP/1.1 304 Same\r\n\r\n")
    local tags = {}
    client:use(function(request, next)
      request.headers["If-None-Match"] = tags[request.url]
      local r, err = next(request)
      if r and r.ok then tags[request.url] = r.headers.etag end
      return r, err
    end)
    assert.equal(200, client:fetch("/").status)
    assert.equal(304, client:fetch("/").status)
    assert.equal('"1"', header("If-None-Match"))
  end)

  it("renew a token", function()
    answers_one_by_one(HOPELESS, OK)
    local token = "old"
    client:use(function(request, next)
      request.headers.Authorization = "Bearer " .. token
      local r, err = next(request)
      if not r or r.status ~= 401 then return r, err end
      token = "new"
      request.headers.Authorization = "Bearer " .. token
      return next(request)
    end)
    assert.equal("ok", client:fetch("/").body)
    assert.equal("Bearer new", header("Authorization"))
    assert.matches("Authorization: Bearer old", server:request(1), 1, true)
  end)
end)
