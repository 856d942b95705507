--- One exchange: which headers are the final ones, where the body ends, what
-- is no answer at all, and whether the next request finds the connection.

local support = require "spec.support"
local http = require "curlew"

local OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
local KIB = 1024

local server

before_each(function() server = support.server() end)
after_each(function() server:close() end)

-- What comes of one request that is answered by these bytes. The server would
-- answer another one on the same connection.
local function fetch(bytes, options)
  server:replies(bytes, OK)
  server:replies(OK)
  return http.fetch(server.url, options)
end

-- The same, and then the server closes.
local function fetch_closed(bytes, options)
  server:reply(bytes)
  server:replies(OK)
  return http.fetch(server.url, options)
end

-- Whether one more request finds the connection of the one before it.
local function kept()
  assert.equal("ok", assert(http.fetch(server.url)).body)
  return server:connections() == 1
end

local function lines(headers)
  local list = {}
  for name, value in pairs(headers) do
    list[#list + 1] = name .. ": " .. value
  end
  return list
end

local function assert_fails(code, phase, page, err)
  assert.is_nil(page)
  assert.same({ code, phase }, { err.code, err.phase })
  assert.is_false(kept())
end

describe("An interim response", function()
  local interim = {
    ["100 (Continue)"] = "HTTP/1.1 100 Continue\r\nX-Interim: 1\r\n\r\n",
    ["102 (Processing)"] = "HTTP/1.1 102 Processing\r\nX-Interim: 1\r\n\r\n",
    ["103 (Early Hints)"] = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n",
  }

  for name, bytes in pairs(interim) do
    it("that nobody asked for is passed over: " .. name, function()
      local page = assert(fetch(bytes .. bytes .. OK))
      assert.same({ 200, "OK", "ok" }, { page.status, page.reason, page.body })
      assert.same({ "Content-Length: 2" }, lines(page.headers))
      assert.is_true(kept())
    end)
  end

  it("may come 32 times", function()
    local continue = "HTTP/1.1 100 Continue\r\n\r\n"
    assert.equal("ok", assert(fetch(continue:rep(32) .. OK)).body)
    assert.is_true(kept())
  end)

  it("that comes for ever is a protocol error", function()
    server:script { "request",
      { loop = { { send = "HTTP/1.1 100 Continue\r\n\r\n" } } } }
    server:replies(OK)
    assert_fails("protocol", "headers", http.fetch(server.url))
  end)

  it("is not what a server may leave it at", function()
    assert_fails("closed", "headers",
      fetch_closed("HTTP/1.1 100 Continue\r\n\r\n"))
  end)
end)

describe("Headers are final", function()
  it("with an unsolicited 101, whose connection is not used again", function()
    server:script { "request", { send = "HTTP/1.1 101 Switching Protocols\r\n"
      .. "Upgrade: other\r\n\r\n" }, "hold" }
    server:replies(OK)
    do
      local r <close> = assert(http.get(server.url))
      assert.same({ 101, "other" }, { r.status, r.headers.upgrade })
    end
    assert.is_false(kept())
  end)

  for _, status in ipairs { 300, 301, 302, 303, 307, 308 } do
    it(("with a %d without Location"):format(status), function()
      local page = assert(fetch(("HTTP/1.1 %d Elsewhere\r\n"
        .. "Content-Length: 4\r\n\r\nwhat"):format(status)))
      assert.same({ status, "what" }, { page.status, page.body })
      assert.is_true(kept())
    end)
  end

  it("with a redirect that is not followed", function()
    local page = assert(fetch("HTTP/1.1 302 Found\r\nLocation: /other\r\n"
      .. "Content-Length: 0\r\n\r\n", { redirects = 0 }))
    assert.same({ 302, "/other" }, { page.status, page.headers.location })
    assert.equal(1, #server:requests())
  end)

  it("with a 304, which has no body, whatever it declares", function()
    local page = assert(fetch("HTTP/1.1 304 Not Modified\r\nETag: \"1\"\r\n"
      .. "Content-Length: 10\r\n\r\n"))
    assert.same({ 304, "" }, { page.status, page.body })
    assert.is_true(kept())
  end)

  it("with a 304 that has a Location", function()
    local page = assert(fetch(
      "HTTP/1.1 304 Not Modified\r\nLocation: /other\r\n\r\n"))
    assert.equal(304, page.status)
    assert.equal(1, #server:requests())
  end)

  it("with a 401 that asks for a password nobody gave", function()
    local page = assert(fetch("HTTP/1.1 401 Unauthorized\r\n"
      .. "WWW-Authenticate: Basic realm=\"here\"\r\n"
      .. "Content-Length: 2\r\n\r\nno"))
    assert.same({ 401, "no" }, { page.status, page.body })
    assert.equal(1, #server:requests())
    assert.is_true(kept())
  end)

  it("at the blank line, before any of the body has come", function()
    server:script { "request",
      { send = "HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n" }, "hold" }
    local r <close> = assert(http.get(server.url))
    assert.same({ 200, 70000 }, { r.status, r.length })
  end)
end)

describe("A body", function()
  it("is not there after HEAD", function()
    local page = assert(fetch("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n",
      { method = "HEAD" }))
    assert.same({ 200, 100, "" }, { page.status, page.length, page.body })
    assert.is_true(kept())
  end)

  it("is not there after HEAD of a chunked one", function()
    local page = assert(fetch(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
      { method = "HEAD" }))
    assert.same({ 200, "" }, { page.status, page.body })
    assert.is_true(kept())
  end)

  it("of no bytes is a body", function()
    local page = assert(fetch("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
    assert.same({ 0, "" }, { page.length, page.body })
    assert.is_true(kept())
  end)

  it("without a length ends with its connection", function()
    local page = assert(fetch_closed("HTTP/1.1 200 OK\r\n\r\nall of it"))
    assert.equal("all of it", page.body)
    assert.is_nil(page.length)
    assert.is_false(kept())
  end)

  it("in chunks has extensions and trailers that are no part of it", function()
    local page = assert(fetch("HTTP/1.1 200 OK\r\n"
      .. "Transfer-Encoding: chunked\r\nX-Sum: head\r\n\r\n"
      .. "5;name=value\r\nhello\r\n6\r\n world\r\n0\r\n"
      .. "X-Sum: trailer\r\nX-More: trailer\r\n\r\n"))
    assert.equal("hello world", page.body)
    assert.same({ "Transfer-Encoding: chunked", "X-Sum: head" },
      lines(page.headers))
    assert.is_true(kept())
  end)

  it("that is shorter than declared is truncated", function()
    local page, err = fetch_closed(
      "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
    assert_fails("truncated", "body", page, err)
    assert.same({ 200, 4 }, { err.status, err.received })
  end)

  it("whose last chunk does not come is truncated", function()
    assert_fails("truncated", "body", fetch_closed("HTTP/1.1 200 OK\r\n"
      .. "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"))
  end)
end)

describe("A header line", function()
  it("may end in LF alone", function()
    local page = assert(fetch(
      "HTTP/1.1 200 OK\nX-A: 1\nContent-Length: 2\n\nok"))
    assert.same({ "1", "ok" }, { page.headers["X-A"], page.body })
    assert.is_true(kept())
  end)

  it("goes on in lines that begin with a blank", function()
    local page = assert(fetch("HTTP/1.1 200 OK\r\nX-A: one\r\n  two\r\n"
      .. "\tthree  \r\nContent-Length: 2\r\n\r\nok"))
    assert.same({ "X-A: one two three", "Content-Length: 2" },
      lines(page.headers))
    assert.is_true(kept())
  end)

  it("has blanks around its value that are no part of it", function()
    local page = assert(fetch("HTTP/1.1 200 OK\r\nX-A:  \t a  b \t\r\n"
      .. "X-Empty:\r\nX-Tight:c\r\nContent-Length: 2\r\n\r\nok"))
    assert.same({ "a  b", "", "c" }, { page.headers["X-A"],
      page.headers["X-Empty"], page.headers["X-Tight"] })
  end)

  it("that looks like a status line is none", function()
    local page = assert(fetch("HTTP/1.1 200 OK\r\nX-A: 1\r\n"
      .. "HTTP/1.1 500: 2\r\nContent-Length: 2\r\n\r\nok"))
    assert.same({ 200, "1" }, { page.status, page.headers["X-A"] })
  end)
end)

describe("Headers", function()
  local line = ("X-A: %s\r\n"):format(("a"):rep(1017)) -- 1 KiB

  it("may be 255 KiB in all", function()
    local page = assert(fetch("HTTP/1.1 200 OK\r\n" .. line:rep(255)
      .. "Content-Length: 2\r\n\r\nok"))
    assert.equal(256, #page.headers)
    assert.is_true(kept())
  end)

  it("over 256 KiB in all are too large", function()
    assert_fails("too_large", "headers", fetch_closed("HTTP/1.1 200 OK\r\n"
      .. line:rep(256) .. "Content-Length: 2\r\n\r\nok"))
  end)

  it("that never end are too large", function()
    server:script { "request", { send = "HTTP/1.1 200 OK\r\n" },
      { loop = { { send = line } } } }
    server:replies(OK)
    assert_fails("too_large", "headers", http.fetch(server.url))
  end)

  it("may have a line of 99 KiB", function()
    local page = assert(fetch("HTTP/1.1 200 OK\r\nX-A: "
      .. ("a"):rep(99 * KIB) .. "\r\nContent-Length: 2\r\n\r\nok"))
    assert.equal(99 * KIB, #page.headers["X-A"])
    assert.is_true(kept())
  end)

  it("with a line over 100 KiB are too large", function()
    assert_fails("too_large", "headers", fetch_closed("HTTP/1.1 200 OK\r\n"
      .. "X-A: " .. ("a"):rep(101 * KIB) .. "\r\nContent-Length: 2\r\n\r\nok"))
  end)

  it("after the body that never end are too large", function()
    server:script { "request", { send = "HTTP/1.1 200 OK\r\n"
      .. "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n" },
      { loop = { { send = line } } } }
    server:replies(OK)
    local page, err = http.fetch(server.url)
    assert.is_nil(page)
    assert.same({ "too_large", 200 }, { err.code, err.status })
    assert.is_false(kept())
  end)
end)

describe("What is no response:", function()
  it("headers that the server cuts off", function()
    assert_fails("truncated", "headers",
      fetch_closed("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-A"))
  end)

  it("headers that the server cuts off after a whole line", function()
    assert_fails("truncated", "headers",
      fetch_closed("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"))
  end)

  it("nothing at all", function()
    assert_fails("closed", "headers", fetch_closed(""))
  end)

  it("a reset", function()
    server:script { "request", "reset" }
    server:replies(OK)
    assert_fails("closed", "headers", http.fetch(server.url))
  end)
end)

describe("A status line", function()
  it("may lack its reason", function()
    local page = assert(fetch("HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok"))
    assert.same({ 200, "", "ok" }, { page.status, page.reason, page.body })
  end)

  it("may be of HTTP/1.0, whose connection is not used again", function()
    local page = assert(fetch(
      "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"))
    assert.same({ "1.0", "ok" }, { page.http_version, page.body })
    assert.is_false(kept())
  end)

  it("of HTTP/1.0 may have its connection kept", function()
    assert(fetch("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n"
      .. "Content-Length: 2\r\n\r\nok"))
    assert.is_true(kept())
  end)
end)

describe("A connection", function()
  it("is kept for the next request", function()
    assert(fetch(OK))
    assert.is_true(kept())
  end)

  it("is not kept when the server says that it closes it", function()
    assert(fetch("HTTP/1.1 200 OK\r\nConnection: close\r\n"
      .. "Content-Length: 2\r\n\r\nok"))
    assert.is_false(kept())
  end)

  it("is not kept with bytes after a declared body", function()
    assert.equal("ok", assert(fetch(OK .. "more")).body)
    assert.is_false(kept())
  end)

  it("that the server has closed meanwhile is replaced", function()
    server:script { "request", { send = OK }, "close" }
    server:replies(OK)
    assert(http.fetch(server.url))
    assert.equal("ok", assert(http.fetch(server.url)).body)
  end)

  -- Each request but the first meets a connection that ends without an answer.
  for _, ending in ipairs { "close", "reset" } do
    it(("that ends in a %s under a request is replaced, each time")
      :format(ending), function()
      server:script { "request", { send = OK }, "request", ending }
      for _ = 1, 20 do assert(http.fetch(server.url)) end
      assert.equal(20, server:connections())
    end)
  end

  -- What nobody asked for is nobody's answer (RFC 9112 section 9.3).
  local complete = {
    ["a declared body"] = OK,
    ["an empty body"] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    ["a 204"] = "HTTP/1.1 204 No Content\r\n\r\n",
    ["a chunked body"] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
      .. "2\r\nok\r\n0\r\n\r\n",
  }
  local unasked = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nforge"
  for what, bytes in pairs(complete) do
    it("has no answer to a later request right after " .. what, function()
      fetch(bytes .. unasked)
      assert.equal("ok", assert(http.fetch(server.url)).body)
    end)
  end
end)
