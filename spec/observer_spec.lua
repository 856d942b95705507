--- Who looks on: progress, on_end, trace, r.info, over real transfers.

local support = require "spec.support"
local http = require "curlew"

local nginx = support.nginx()

-- Everything that was told of the ends, in order.
local function ends()
  local told = {}
  return told, function(info) told[#told + 1] = info end
end

describe("on_end", function()
  it("is told once how a request went, with its figures", function()
    local told, on_end = ends()
    local page = assert(http.fetch(nginx.http .. "/status/302",
      { on_end = on_end }))
    assert.equal(1, #told)
    local info = told[1]
    assert.same({ "GET", nginx.http .. "/small", 200, "eager", 20, 1, 1 },
      { info.method, info.url, info.status, info.outcome, info.received,
        info.attempts, info.redirects })
    assert.is_true(info.elapsed >= info.times.total)
    assert.is_nil(info.error)
    assert.equal(20, #page.body)
  end)

  for _, case in ipairs {
    { "tbc", function(o)
      local r <close> = http.get(nginx.http .. "/big", o)
      assert.equal(200, r.status)
    end },
    { "close", function(o)
      assert(http.get(nginx.http .. "/big", o)):close()
    end },
    { "iterator", function(o)
      for piece in http.chunks(nginx.http .. "/big", o) do
        if #piece > 0 then break end
      end
    end },
    { "eof", function(o)
      local r <close> = assert(http.get(nginx.http .. "/65k", o))
      assert(r:read("a"))
    end },
    { "client", function(o)
      local client <close> = http.client()
      local r <close> = assert(client:get(nginx.http .. "/big", o))
      client:close()
      assert.is_nil((r:read("a")))
    end },
  } do
    it("is told of one that ends by " .. case[1], function()
      local told, on_end = ends()
      case[2]({ on_end = on_end })
      assert.equal(1, #told)
      assert.equal(case[1], told[1].outcome)
      assert.equal(200, told[1].status)
    end)
  end

  it("is told of one that was forgotten, at the next call", function()
    local told, on_end = ends()
    do
      local r = http.get(nginx.http .. "/big", { on_end = on_end })
      assert.equal(200, r.status)
    end
    collectgarbage()
    collectgarbage()
    assert.equal(0, #told) -- never by the collector itself
    assert(http.fetch(nginx.http .. "/small"))
    assert.equal(1, #told)
    assert.equal("gc", told[1].outcome)
  end)

  it("is told of one that never came to a connection", function()
    local told, on_end = ends()
    local port = support.refused_port
    local url = ("http://127.0.0.1:%d/?q=secret"):format(port)
    assert.is_nil((http.get(url, { on_end = on_end, retry = { times = 1,
      max_delay = 0.001 } })))
    assert.equal(1, #told)
    assert.same({ "error", "connect", 2, (url:gsub("q=secret", "...")) },
      { told[1].outcome, told[1].error, told[1].attempts, told[1].url })
  end)

  it("is told of one that could not begin", function()
    local told, on_end = ends()
    assert.is_nil((http.get("http://a b.test\\", { on_end = on_end })))
    assert.same({ "error", "url" }, { told[1].outcome, told[1].error })
  end)

  it("is a client's too, and a request's own goes first", function()
    local told, on_end = ends()
    local mine, own = ends()
    local client <close> = http.client { on_end = on_end }
    local child <close> = client:extend {}
    assert(client:fetch(nginx.http .. "/small"))
    assert(child:fetch(nginx.http .. "/small"))
    assert(client:fetch(nginx.http .. "/small", { on_end = own }))
    assert(client:fetch(nginx.http .. "/small", { on_end = false }))
    assert.same({ 2, 1 }, { #told, #mine })
  end)

  it("that raises is a warning, and nothing is lost", function()
    local _, code, out, err = support.run([[
      local http = require "curlew"
      warn "@on"
      local function raise() error("oh", 0) end
      local page = http.fetch(arg[1], { on_end = raise })
      print(page.status)
      do
        local r <close> = http.get(arg[1], { on_end = function() error {} end })
      end
      print(http.stats().open)
    ]], { nginx.http .. "/small" })
    assert.same({ 0, "200\n0\n" }, { code, out })
    assert.matches("curlew: on_end: oh", err, 1, true)
  end)

  it("may make requests of its own", function()
    local told, on_end = ends()
    local function ask() assert(http.fetch(nginx.http .. "/1k",
      { on_end = on_end })) end
    assert(http.fetch(nginx.http .. "/small", { on_end = ask }))
    assert.equal(1, #told)
  end)

  it("may close what a read has just ended, which is then no success",
    function()
      local r
      r = assert(http.get(nginx.http .. "/65k",
        { on_end = function() r:close() end }))
      assert.error_matches(function() r:text() end, "was closed at ")
      local path = support.folder() .. "/file"
      r = assert(http.get(nginx.http .. "/65k",
        { on_end = function() r:close() end }))
      assert.has_error(function() r:save(path) end)
      assert.is_nil((io.open(path)))
    end)

  it("may move what a read has just ended", function()
    local r, moved
    r = assert(http.get(nginx.http .. "/65k",
      { on_end = function() moved = r:move() end }))
    assert.error_matches(function() r:text() end, "was moved away at ")
    assert.equal(65537, #moved:text())
  end)

  it("is told of many that are collected while they are told", function()
    local told, on_end = ends()
    local function forget()
      local all = {}
      for i = 1, 40 do
        all[i] = assert(http.get(nginx.http .. "/65k", { on_end = on_end }))
      end
      for _, r in ipairs(all) do r:close() end
    end
    collectgarbage("generational")
    for _ = 1, 5 do forget() end
    collectgarbage()
    assert(http.fetch(nginx.http .. "/small"))
    collectgarbage("incremental")
    assert.equal(200, #told)
  end)

  it("that refers to its response does not keep it", function()
    local before = http.stats().leaked_by.gc
    do
      local r
      r = assert(http.get(nginx.http .. "/big", { on_end = function()
        return r
      end }))
    end
    collectgarbage()
    collectgarbage()
    assert.equal(before + 1, http.stats().leaked_by.gc)
    assert(http.fetch(nginx.http .. "/small"))
  end)

  it("keeps nothing of what is over", function()
    local weak = setmetatable({}, { __mode = "k" })
    do
      local on_end = setmetatable({}, { __name = "x" })
      local f = function() return on_end end
      weak[f] = true
      assert(http.fetch(nginx.http .. "/small", { on_end = f }))
    end
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(weak))
  end)
end)

describe("progress", function()
  -- More than the kernel keeps on its way: the server reads on only when the
  -- client has told that something went out.
  local LARGE = 32 * 1024 * 1024

  local function upload(server, post)
    local seen = {}
    server:script { "head", "wait", { take = LARGE },
      { send = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" }, "close" }
    assert(post(server.url, { body = ("x"):rep(LARGE),
      progress = function(p)
        seen[#seen + 1] = p
        if #seen == 1 then server:go() end
      end }))
    return seen
  end

  it("tells what came, up to all of it", function()
    local seen = {}
    local r <close> = assert(http.get(nginx.http .. "/65k", {
      progress = function(p) seen[#seen + 1] = p end }))
    assert(r:read("a"))
    local last = seen[#seen]
    assert.same({ 65537, 65537, 0 }, { last.received, last.total, last.sent })
    for i = 2, #seen do
      assert.is_true(seen[i].received > seen[i - 1].received)
    end
  end)

  it("tells what went out #http1", function()
    local server <close> = support.server()
    local seen = upload(server, http.post)
    local last = seen[#seen]
    assert.same({ LARGE, LARGE }, { last.sent, last.send_total })
    assert.is_true(#seen > 1)
  end)

  it("tells it in a task, too #http1", function()
    local server <close> = support.server()
    local scope <close> = http.scope()
    local seen = upload(server, function(...)
      return scope:spawn(http.post, ...):wait()
    end)
    assert.equal(LARGE, seen[#seen].sent)
    assert.is_true(#seen > 1)
  end)

  it("that returns false cancels: while it is opened", function()
    local page, err = http.fetch(nginx.http .. "/1k",
      { progress = function() return false end })
    assert.is_nil(page)
    assert.equal("cancelled", err.code)
    assert.is_false(err.retryable)
  end)

  it("that returns false cancels: while it is read", function()
    local before = http.stats().released_by.error
    local r <close> = assert(http.get(nginx.http .. "/big",
      { progress = function(p) return p.received < 200000 end }))
    local _, err
    repeat _, err = r:read(65536) until err
    assert.equal("cancelled", err.code)
    local _, same = r:read(1)
    assert.equal(err, same)
    assert.equal(before + 1, http.stats().released_by.error)
  end)

  for _, how in ipairs { "retries", "retries in a task" } do
    it("that returns false ends " .. how .. ", too", function()
      local before = http.stats().opened
      local scope <close> = http.scope()
      local function fetch()
        return http.fetch(nginx.http .. "/status/503", { retry = 3,
          progress = function(p) return p.received == 0 end })
      end
      local page, err
      if how == "retries" then
        page, err = fetch()
      else
        page, err = scope:spawn(fetch):wait()
      end
      assert.is_nil(page)
      assert.equal("cancelled", err.code)
      assert.equal(before + 1, http.stats().opened)
    end)
  end

  for _, value in ipairs { "text", 5, true, {} } do
    it("that raises a " .. type(value) .. " releases it as an error",
      function()
        local before = http.stats().released_by.error
        local r <close> = assert(http.get(nginx.http .. "/big", {
          progress = function(p)
            if p.received > 100000 then error(value, 0) end
          end }))
        local ok, got = pcall(function()
          while true do r:read(65536) end
        end)
        assert.is_false(ok)
        assert.equal(value, got)
        assert.equal(before + 1, http.stats().released_by.error)
        assert.has_error(function() r:read(1) end)
      end)
  end

  it("that raises while it is opened releases it as an error", function()
    local before = http.stats()
    local ok, got = pcall(http.get, nginx.http .. "/1k",
      { progress = function() error(nil) end })
    assert.same({ pcall(error) }, { ok, got })
    local after = http.stats()
    assert.equal(before.open, after.open)
  end)

  it("may close the response that it looks at", function()
    local r
    r = assert(http.get(nginx.http .. "/big", { progress = function(p)
      if p.received > 100000 then r:close() end
    end }))
    assert.error_matches(function()
      while true do r:read(65536) end
    end, "the response was closed at ")
    assert.is_true(r:close())
  end)

  it("may not read the response that it looks at", function()
    local r
    r = assert(http.get(nginx.http .. "/big", { progress = function(p)
      if p.received > 100000 then r:read(1) end
    end }))
    assert.error_matches(function()
      while true do r:read(65536) end
    end, "the response is being read by another call")
  end)

  it("goes with a response that is moved", function()
    local calls = 0
    local function open()
      local r <close> = assert(http.get(nginx.http .. "/big",
        { progress = function() calls = calls + 1 end }))
      return r:move()
    end
    local r <close> = open()
    local before = calls
    assert(r:read(300000))
    assert.is_true(calls > before)
  end)
end)

describe("trace", function()
  local function traced(url, options)
    local file <close> = assert(io.tmpfile())
    options.trace = file
    local page = assert(http.fetch(url, options))
    file:seek("set")
    return file:read("a"), page
  end

  it("says what is sent and what comes, and not the body #http1", function()
    local text = traced(nginx.http .. "/1k", {})
    assert.matches("\n> GET /1k HTTP/1.1\n", "\n" .. text)
    assert.matches("\n< HTTP/1.1 200 OK\n", text)
    assert.matches("\n{ %[1024 bytes%]\n", text)
    assert.is_nil(text:find("abcdef", 1, true))
  end)

  local SECRET = "s3cr3t-value"
  local planted = {
    { "a query", "/1k?token=" .. SECRET, {} },
    { "Authorization", "/1k", { headers = { Authorization = SECRET } } },
    { "Cookie", "/1k", { headers = { Cookie = SECRET } } },
    { "secret_headers", "/1k", { headers = { ["X-Key"] = SECRET },
      secret_headers = { "x-key" } } },
    { "auth.basic", "/1k", { auth = { basic = { "u", SECRET } } } },
    { "auth.bearer", "/1k", { auth = { bearer = SECRET } } },
    { "a body", "/method", { method = "POST", body = SECRET } },
  }
  for _, case in ipairs(planted) do
    for _, over in ipairs { "http", "https", "https2" } do
      it("holds no secret: " .. case[1] .. " over " .. over, function()
        local options = { tls = { ca = nginx.ca } }
        for name, value in pairs(case[3]) do options[name] = value end
        local text = traced(nginx[over] .. case[2], options)
        assert.is_nil(text:find(SECRET, 1, true))
        assert.is_nil(text:find("dTpzM2NyM3Q", 1, true)) -- base64
        assert.matches("< HTTP/", text, 1, true)
      end)
    end
  end

  it("holds no secret of a url or of a cookie that is set #http1",
    function()
    local server <close> = support.server()
    server:replies("HTTP/1.1 200 OK\r\nSet-Cookie: a=" .. SECRET
      .. "\r\nContent-Length: 0\r\n\r\n")
    local text = traced(server.url:gsub("//", "//user:" .. SECRET .. "@"), {})
    assert.is_nil(text:find(SECRET, 1, true))
    assert.matches("< Set-Cookie: ***", text, 1, true)
  end)

  it("holds no secret of a Location, and none of a folded line #http1",
    function()
      local server <close> = support.server()
      server:replies("HTTP/1.1 302 Found\r\nSet-Cookie: a=1;\r\n b="
        .. SECRET .. "\r\nLocation: http://u:" .. SECRET .. "@h/x\r\n"
        .. "Content-Length: 0\r\n\r\n")
      local text = traced(server.url, { redirects = 0 })
      assert.is_nil(text:find(SECRET, 1, true))
      server:reset():replies("HTTP/1.1 302 Found\r\nLocation: /x?a#token="
        .. SECRET .. "\r\nContent-Length: 0\r\n\r\n")
      text = traced(server.url, { redirects = 0 })
      assert.is_nil(text:find(SECRET, 1, true))
      assert.matches("< Location: /x?...\n", text, 1, true)
    end)

  it("shows no byte that may drive a terminal #http1", function()
    local server <close> = support.server()
    server:replies("HTTP/1.1 200 O\27[2J\r\nX: a\27[1mb\tc\r\n"
      .. "Content-Length: 0\r\n\r\n")
    local text = traced(server.url, {})
    assert.matches("< HTTP/1.1 200 O?[2J\n", text, 1, true)
    assert.matches("< X: a?[1mb?c\n", text, 1, true)
  end)

  it("ends with the request that asked for it", function()
    local file <close> = assert(io.tmpfile())
    assert(http.fetch(nginx.http .. "/1k", { trace = file }))
    local size = file:seek("end")
    assert(http.fetch(nginx.http .. "/1k"))
    assert.equal(size, file:seek("end"))
  end)

  it("needs a file that is open", function()
    local file = assert(io.tmpfile())
    file:close()
    assert.error_matches(function()
      http.fetch(nginx.http .. "/1k", { trace = file })
    end, "option 'trace': open file expected")
    local other <close> = assert(io.tmpfile())
    local client <close> = http.client { trace = other }
    other:close()
    assert.error_matches(function()
      client:fetch(nginx.http .. "/1k")
    end, "option 'trace': the file is closed")
  end)
end)
