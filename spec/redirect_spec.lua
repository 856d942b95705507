--- Redirects: which are followed, by which method, where a Location leads, what
-- is left of the connection, and what the caller learns of it all.

local support = require "spec.support"
local http = require "curlew"
local counters = require "spec.support.counters"
local scheduler = require "spec.support.scheduler"

local KIB = 1024

local server

before_each(function() server = support.server() end)
after_each(function() server:close() end)

-- ---- answers, and what came ----

local function answer(status, fields, body)
  return ("HTTP/1.1 %d Status\r\n%sContent-Length: %d\r\n\r\n%s"):format(status,
    fields or "", #(body or ""), body or "")
end

local function moved(location, status, body)
  return answer(status or 302, "Location: " .. location .. "\r\n", body)
end

local OK = answer(200, nil, "ok")

local function request_line(n) return server:request(n):match("^[^\r]*") end

local function sent_body(n) return server:request(n):match("\r\n\r\n(.*)$") end

local function has_field(n, name)
  return server:request(n):lower():find("\r\n" .. name .. ":", 1, true) ~= nil
end

local function failure(url, options)
  local page, err = http.fetch(url, options)
  assert.is_nil(page)
  return err
end

-- What moves in the counters while f runs.
local function moves(f, ...)
  local before = http.stats()
  f(...)
  assert.is_true(http.leaks.audit())
  return counters.moved(before, http.stats())
end

-- ---- methods ----

-- RFC 9110 section 15.4
local becomes_get = {
  [301] = { POST = true },
  [302] = { POST = true },
  [303] = { POST = true, PUT = true, PATCH = true, DELETE = true },
  [307] = {},
  [308] = {},
}

local methods = { "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE" }

local function folder_with(text)
  local path = support.folder() .. "/body"
  local file <close> = assert(io.open(path, "w"))
  file:write(text)
  return path
end

local BODY = ("what is sent "):rep(20)

local bodies = {
  ["no body"] = {},
  ["a text"] = { body = BODY },
  ["a file"] = { file = folder_with(BODY) },
}

local takes_body = { POST = true, PUT = true, PATCH = true, DELETE = true }

-- RFC 9110 section 8.6: also when there is none
local says_length = { GET = false, HEAD = false, POST = true, PUT = true,
  PATCH = true, DELETE = false }

local function with(options, more)
  local all = {}
  for name, value in pairs(options) do all[name] = value end
  for name, value in pairs(more) do all[name] = value end
  return all
end

describe("A redirect", function()
  local function follows(status, method, name)
    local first = method == "HEAD"
      and ("HTTP/1.1 %d X\r\nLocation: /to\r\n\r\n"):format(status)
      or moved("/to", status)
    local last = method == "HEAD" and "HTTP/1.1 200 OK\r\n\r\n" or OK
    server:replies(first, last)
    local body = bodies[name]
    local page = assert(http.fetch(server.url .. "/from", with(body, {
      method = method,
      headers = { ["Content-Type"] = "text/x", ["Content-Language"] = "tlh",
        ["X-Kept"] = "1" },
    })))
    local gets = becomes_get[status][method]
    local expected = gets and "GET" or method
    assert.equal(200, page.status)
    assert.equal(expected .. " /to HTTP/1.1", request_line(2))
    assert.equal(expected, page.request.method)
    local sent = not gets and next(body) and BODY or ""
    assert.equal(sent, sent_body(2))
    assert.is_true(has_field(2, "x-kept"))
    assert.equal(not gets, has_field(2, "content-type"))
    assert.equal(not gets, has_field(2, "content-language"))
    assert.equal(not gets and (next(body) ~= nil or says_length[method]),
      has_field(2, "content-length"))
  end

  for status in pairs(becomes_get) do
    for _, method in ipairs(methods) do
      for name, body in pairs(bodies) do
        if takes_body[method] or not next(body) then
          it(("of %d follows a %s with %s"):format(status, method, name),
            function() follows(status, method, name) end)
        end
      end
    end
  end

  -- A body that a function gives cannot begin again.
  local function begun()
    local n = 0
    return function()
      n = n + 1
      return n <= 3 and "piece" or nil
    end
  end

  for status, gets in pairs(becomes_get) do
    for _, method in ipairs { "POST", "PUT" } do
      local result = gets[method] and "without it" or "not at all"
      it(("of %d follows a %s whose body has begun %s"):format(status, method,
        result), function()
        server:script { "request", { send = moved("/to", status) }, "request",
          { send = OK }, "hold" }
        server:script { "request", { send = OK }, "hold" }
        local page, err = http.fetch(server.url, { method = method,
          body = begun(), retry = { times = 2, unsafe = true } })
        if gets[method] then
          assert.equal("ok", page.body)
          assert.equal("GET /to HTTP/1.1", request_line(2))
          return
        end
        assert.is_nil(page)
        assert.equal("closed", err.code)
        assert.is_false(err.retryable)
        assert.equal(1, err.attempts)
        assert.equal(1, #server:requests())
      end)
    end
  end

  it("keeps what a client says of all its requests, but for a body's",
    function()
      server:replies(moved("/to"), OK)
      local client <close> = http.client { headers = { ["X-Mine"] = "1",
        ["Content-Type"] = "text/x", Digest = "d" } }
      assert(client:fetch(server.url, { method = "POST", body = "x" }))
      assert.is_true(has_field(1, "content-type"))
      assert.is_true(has_field(2, "x-mine"))
      assert.is_false(has_field(2, "content-type"))
      assert.is_false(has_field(2, "digest"))
    end)

  it("leaves nothing to the next request on the same handle", function()
    server:replies(moved("/to"), OK, OK)
    assert(http.fetch(server.url, { method = "POST", body = "x",
      headers = { ["Content-Type"] = "text/x" } }))
    assert(http.fetch(server.url, { method = "POST", body = "y",
      headers = { ["Content-Type"] = "text/y" } }))
    assert.equal("POST / HTTP/1.1", request_line(3))
    assert.matches("text/y", server:request(3), 1, true)
    assert.equal("y", sent_body(3))
  end)

  it("of a form loses it where it becomes GET", function()
    server:replies(moved("/to", 303), OK)
    local r <close> = assert(http.post(server.url,
      { multipart = { { name = "a", "b" } } }))
    assert.equal("GET /to HTTP/1.1", request_line(2))
    assert.equal("", sent_body(2))
    assert.is_false(has_field(2, "content-type"))
    assert.equal("ok", r:read("a"))
  end)

  it("of a form sends it again where it does not", function()
    server:replies(moved("/to", 307), OK)
    local r <close> = assert(http.post(server.url,
      { multipart = { { name = "a", "b" },
        { name = "f", file = bodies["a file"].file } } }))
    local function parts(n)
      return sent_body(n):gsub("%-%-%-%-+%w+", "BOUNDARY")
    end
    assert.matches(BODY, parts(1), 1, true)
    assert.equal(parts(1), parts(2))
    assert.equal("ok", r:read("a"))
  end)
end)

-- ---- which ----

describe("What is returned and not followed:", function()
  for _, status in ipairs { 300, 304, 305, 306, 399 } do
    it(("%d"):format(status), function()
      server:reply(("HTTP/1.1 %d X\r\nLocation: /to\r\n"):format(status)
        .. (status == 304 and "\r\n" or "Content-Length: 0\r\n\r\n"))
      local page = assert(http.fetch(server.url))
      assert.equal(status, page.status)
      assert.same({}, page.history)
      assert.equal(0, page.info.redirects)
    end)
  end

  for status in pairs(becomes_get) do
    it(("%d without Location"):format(status), function()
      server:reply(answer(status, nil, "see"))
      local page = assert(http.fetch(server.url))
      assert.same({ status, "see" }, { page.status, page.body })
    end)

    it(("%d with an empty Location"):format(status), function()
      server:reply(moved("", status, "see"))
      local page = assert(http.fetch(server.url))
      assert.same({ status, "see" }, { page.status, page.body })
    end)

    it(("%d with redirects = 0"):format(status), function()
      server:reply(moved("/to", status, "see"))
      local page = assert(http.fetch(server.url, { redirects = 0 }))
      assert.same({ status, "see" }, { page.status, page.body })
      assert.equal("/to", page.headers.location)
    end)
  end

  it("a 200 with a Location", function()
    server:reply(moved("/to", 200))
    assert.equal(200, assert(http.fetch(server.url)).status)
  end)

  it("a 201 with a Location", function()
    server:reply(moved("/to", 201))
    assert.equal(201, assert(http.fetch(server.url)).status)
  end)

  it("a redirect of a client with redirects = 0", function()
    server:replies(moved("/to"), moved("/to"), OK)
    local client <close> = http.client { redirects = 0 }
    assert.equal(302, assert(client:fetch(server.url)).status)
    assert.equal(200, assert(client:fetch(server.url,
      { redirects = 1 })).status)
  end)
end)

-- ---- where to ----

describe("A Location", function()
  -- what it says, what is asked then, r.url behind the origin; from
  -- /dir/page?old#frag. HERE is host and port.
  local good = {
    ["a path"] = { "/x", "/x", "/x#frag" },
    ["a name"] = { "x", "/dir/x", "/dir/x#frag" },
    ["dot segments"] = { "../a/./b/../c", "/a/c", "/a/c#frag" },
    ["more dots than folders"] = { "../../../x", "/x", "/x#frag" },
    ["dots in a path"] = { "/a/b/../../c", "/c", "/c#frag" },
    ["one dot"] = { ".", "/dir/", "/dir/#frag" },
    ["two dots"] = { "..", "/", "/#frag" },
    ["a query"] = { "?new=1", "/dir/page?new=1", "/dir/page?new=1#frag" },
    ["a fragment"] = { "#other", "/dir/page?old", "/dir/page?old#other" },
    ["a path and a fragment"] = { "/x#other", "/x", "/x#other" },
    ["an empty fragment"] = { "/x#", "/x", "/x" },
    ["a host"] = { "//HERE/x", "/x", "/x#frag" },
    ["a url"] = { "http://HERE/x?y", "/x?y", "/x?y#frag" },
    ["a url with a fragment"] = { "http://HERE/x#other", "/x", "/x#other" },
    ["a url without a path"] = { "http://HERE", "/", "/#frag" },
    ["a scheme in capitals"] = { "HTTP://HERE/x", "/x", "/x#frag" },
    ["blanks around"] = { " \t /x \t ", "/x", "/x#frag" },
    ["spaces"] = { "/a b?c d#e f", "/a%20b?c%20d", "/a%20b?c%20d#e%20f" },
    ["spaces in a url"] = { "http://HERE/a b?c d", "/a%20b?c%20d",
      "/a%20b?c%20d#frag" },
    ["UTF-8"] = { "/\u{e4}?\u{20ac}", "/%c3%a4?%e2%82%ac",
      "/%c3%a4?%e2%82%ac#frag" },
    ["what no URI may hold"] = { '/"<>^`{|}?"<>^`{|}\\',
      "/%22%3C%3E%5E%60%7B%7C%7D?%22%3C%3E%5E%60%7B%7C%7D%5C",
      "/%22%3C%3E%5E%60%7B%7C%7D?%22%3C%3E%5E%60%7B%7C%7D%5C#frag" },
    ["a backslash in the query of a url"] = { "http://HERE?a\\b", "/?a%5Cb",
      "/?a%5Cb#frag" },
    ["brackets"] = { "/[1]?[2]", "/[1]?[2]", "/[1]?[2]#frag" },
    ["a stray percent sign"] = { "/%zz", "/%zz", "/%zz#frag" },
    ["an encoded NUL"] = { "/%00", "/%00", "/%00#frag" },
    ["a url in its query"] = { "/x?u=http://other/", "/x?u=http://other/",
      "/x?u=http://other/#frag" },
    ["a colon behind a slash"] = { "./a:b", "/dir/a:b", "/dir/a:b#frag" },
  }

  for name, case in pairs(good) do
    it("may be " .. name, function()
      local here = server.url:match("//(.*)")
      server:replies(moved((case[1]:gsub("HERE", here))), OK)
      local page = assert(http.fetch(server.url .. "/dir/page?old#frag"))
      assert.equal("GET " .. support.encoded(case[2]) .. " HTTP/1.1",
        request_line(2))
      assert.equal(server.url .. support.encoded(case[3]), page.url)
      local from = server.url .. "/dir/page?old#frag"
      assert.same({ { status = 302, url = from } }, page.history)
    end)
  end

  local bad = {
    ["without a host"] = "http://",
    ["without a host but a path"] = "http:///x",
    ["with one slash"] = "http:/x",
    ["with no slash"] = "http:x",
    ["with three slashes"] = "///x",
    ["with two slashes and a query"] = "//?x",
    ["of two slashes"] = "//",
    ["with a backslash"] = "/a\\b",
    ["with a backslash in its fragment"] = "/a?b#\\",
    ["with backslashes for a host"] = "\\\\127.0.0.1\\x",
    ["with a backslash in a url"] = "http://127.0.0.1\\@localhost/",
    ["with a control byte"] = "/a\1b",
    ["with a tab"] = "/a\tb",
    ["with DEL in a url"] = "http://127.0.0.1/a\127b",
    ["with a port that is none"] = "http://127.0.0.1:99999/",
    ["with a port in letters"] = "http://127.0.0.1:http/",
    ["with half an address"] = "http://[::1/",
    ["to a file"] = "file:///etc/passwd",
    ["to FTP"] = "ftp://127.0.0.1/x",
    ["to gopher"] = "gopher://127.0.0.1:6379/_x",
    ["to a script"] = "javascript:alert(1)",
    ["to data"] = "data:text/plain,x",
    ["to mail"] = "mailto:me@example.com",
    ["to ws"] = "ws://127.0.0.1/",
  }

  for name, location in pairs(bad) do
    it(name .. " is an error", function()
      server:replies(moved(location), OK)
      local err = failure(server.url .. "/dir/page?secret=1#frag")
      assert.same({ "redirect", "headers", 302, false },
        { err.code, err.phase, err.status, err.retryable })
      assert.equal(location, err.headers.location)
      assert.equal(server.url .. "/dir/page?...", err.url)
      assert.matches("its Location cannot be followed: ", err.message, 1, true)
      assert.not_matches(location, err.message, 1, true)
      assert.equal(1, #server:requests())
    end)
  end

  -- The peer breaks the rules of header lines: no redirect, whatever it is.
  for name, location in pairs { ["a CR"] = "/a\rX: 1", ["a NUL"] = "/a\0b" } do
    it("with " .. name .. " is an error", function()
      server:replies(moved(location), OK)
      local err = failure(server.url)
      assert.is_true(err.code == "protocol" or err.code == "redirect")
      assert.equal(1, #server:requests())
    end)
  end

  it("with a line feed ends there", function()
    server:replies(moved("/a\nX-More: 1"), OK)
    local page = assert(http.fetch(server.url))
    assert.equal(server.url .. "/a", page.url)
    assert.is_false(has_field(2, "x-more"))
  end)

  it("that is folded is one line with a space", function()
    server:replies(moved("/a\r\n b"), OK)
    assert.equal(server.url .. "/a%20b", assert(http.fetch(server.url)).url)
  end)

  it("of 200 KiB is an error, or is followed", function()
    server:replies(moved("/" .. ("x"):rep(90 * KIB)), OK)
    assert.equal(#server.url + 1 + 90 * KIB,
      #assert(http.fetch(server.url)).url)
    server:reset()
    server:replies(moved("/" .. ("x"):rep(200 * KIB)), OK)
    assert.equal("too_large", failure(server.url).code)
  end)

  it("may come twice, if it is the same", function()
    server:replies(answer(302, "Location: /a\r\nLocation:  /a \r\n"), OK)
    assert.equal(server.url .. "/a", assert(http.fetch(server.url)).url)
  end)

  it("that comes twice and differs is an error", function()
    server:replies(answer(302, "Location: /a\r\nlocation: /b\r\n"), OK)
    local err = failure(server.url)
    if support.libcurl >= 0x081100 then -- libcurl refuses the response itself
      assert.equal("protocol", err.code)
      return
    end
    assert.same({ "redirect", 302 }, { err.code, err.status })
    assert.matches("several Locations", err.message, 1, true)
  end)

  it("in the trailers is none", function()
    server:replies("HTTP/1.1 302 X\r\nTransfer-Encoding: chunked\r\n"
      .. "Trailer: Location\r\n\r\n1\r\nx\r\n0\r\nLocation: /to\r\n\r\n", OK)
    assert.equal(302, assert(http.fetch(server.url)).status)
  end)
end)

-- ---- userinfo ----

-- "user:password" in base64, as libcurl sends it.
local function credentials(n)
  return server:request(n):match("\r\nAuthorization: Basic (%S+)\r\n")
end

describe("A user in a url", function()
  local UP, V, VP = "dTpw", "djo=", "djpw" -- u:p, v:, v:p

  local function follow(location)
    server:replies(moved((location:gsub("HERE", server.url:match("//(.*)")))),
      OK)
    local page = assert(http.fetch((server.url:gsub("//", "//u:p@"))))
    assert.equal(UP, credentials(1))
    assert.not_matches("@", page.url)
    assert.not_matches("@", page.history[1].url)
    return credentials(2)
  end

  it("is kept by a path", function() assert.equal(UP, follow("/x")) end)

  it("is kept at the same origin", function()
    assert.equal(UP, follow("http://HERE/x"))
  end)

  it("is replaced by that of a Location", function()
    assert.equal(VP, follow("http://v:p@HERE/x"))
  end)

  it("takes no password of another", function()
    assert.equal(V, follow("http://v@HERE/x"))
  end)

  -- Through a proxy, so that no address with a zone is needed.
  for location, kept in pairs { ["http://[fe80::1%25a]/x"] = UP,
    ["http://[fe80::1%25b]/x"] = false, ["http://[fe80::1]/x"] = false,
    ["/x"] = UP } do
    it("is kept within the zone of an address: " .. location, function()
      server:replies(moved(location), OK)
      assert(http.fetch("http://u:p@[fe80::1%25a]/", { proxy = server.url }))
      assert.same({ UP, kept }, { credentials(1), credentials(2) or false })
    end)
  end
end)

-- ---- how many ----

describe("Redirects", function()
  local function loop_on(location)
    server:script { { loop = { "request", { send = moved(location) } } } }
  end

  it("end after ten", function()
    loop_on("/")
    local err = failure(server.url)
    assert.same({ "redirect", 302, 1 }, { err.code, err.status, err.attempts })
    assert.matches("more than 10 redirects", err.message, 1, true)
    assert.equal(11, #server:requests())
  end)

  it("end after as many as the option says", function()
    loop_on("/again")
    local err = failure(server.url, { redirects = 3 })
    assert.matches("more than 3 redirects", err.message, 1, true)
    assert.equal(4, #server:requests())
  end)

  it("are followed up to the option's number", function()
    server:replies(moved("/1"), moved("/2", 301), moved("/3", 308), OK)
    local page = assert(http.fetch(server.url .. "/0", { redirects = 3 }))
    assert.equal(server.url .. "/3", page.url)
    assert.equal(3, page.info.redirects)
    assert.equal(1, page.info.attempts)
    assert.same({
      { status = 302, url = server.url .. "/0" },
      { status = 301, url = server.url .. "/1" },
      { status = 308, url = server.url .. "/2" },
    }, page.history)
  end)

  it("are counted hop by hop", function()
    server:replies(moved("/1"), moved("/2"), OK)
    local moved_by = moves(function() assert(http.fetch(server.url)) end)
    assert.same({ opened = 3, hop = 2, eager = 1 }, moved_by)
  end)

  it("that fail are counted, too", function()
    loop_on("/")
    local moved_by = moves(failure, server.url, { redirects = 2 })
    assert.same({ opened = 3, hop = 3 }, moved_by)
  end)

  it("are not retried when they fail", function()
    loop_on("/")
    failure(server.url, { redirects = 1, retry = 3 })
    assert.equal(2, #server:requests())
  end)

  it("take up one slot, and give it back", function()
    local before = http.limits().max_open
    finally(function() http.limits { max_open = before } end)
    http.limits { max_open = 1 }
    server:replies(moved("/1"), moved("/2"), OK)
    assert(http.fetch(server.url))
    assert.equal(0, http.stats().open)
  end)

  it("end in a refused connection with its error", function()
    local port = support.refused_port
    server:replies(moved(("http://127.0.0.1:%d/x"):format(port)))
    local err = failure(server.url)
    assert.equal("connect", err.code)
    assert.equal(("http://127.0.0.1:%d/x"):format(port), err.url)
    assert.is_nil(err.status)
  end)

  it("lead to what check looks at", function()
    server:replies(moved("/1"), OK)
    assert.equal("ok", assert(http.fetch(server.url, { check = true })).body)
    server:reset()
    server:replies(moved("/1"), answer(404, nil, "none"))
    local err = failure(server.url, { check = true })
    assert.same({ "status", 404, "none" }, { err.code, err.status, err.body })
    assert.equal(server.url .. "/1", err.url)
  end)

  it("that are not followed are refused by check", function()
    server:replies(moved("/1", 302, "see"))
    local err = failure(server.url, { check = true, redirects = 0 })
    assert.same({ "status", 302, "see" }, { err.code, err.status, err.body })
  end)

  it("show check = function the last response alone", function()
    server:replies(moved("/1"), OK)
    local seen = {}
    assert(http.fetch(server.url, { check = function(r)
      seen[#seen + 1] = r.status
      return true
    end }))
    assert.same({ 200 }, seen)
  end)
end)

-- ---- schemes ----

describe("A redirect between schemes", function()
  local nginx = support.nginx()
  local secure, options

  before_each(function()
    secure = support.server { tls = support.certificates().good }
    options = { tls = { ca = support.certificates().ca } }
  end)
  after_each(function() secure:close() end)

  it("from https to http is refused", function()
    secure:replies(moved(server.url .. "/x?token=1"))
    server:reply(OK)
    local err = failure(secure.url .. "/y?token=1", options)
    assert.same({ "redirect", 302, secure.url .. "/y?..." },
      { err.code, err.status, err.url })
    assert.matches("from https to http", err.message, 1, true)
    assert.equal(0, server:connections())
  end)

  it("from http to https is followed", function()
    server:replies(moved(secure.url .. "/x"))
    secure:reply(OK)
    local page = assert(http.fetch(server.url, options))
    assert.equal(secure.url .. "/x", page.url)
    assert.equal("ok", page.body)
  end)

  it("from http to https is verified", function()
    server:replies(moved(nginx.https_unknown_ca .. "/small"))
    assert.equal("tls", failure(server.url, options).code)
  end)

  for status in pairs(becomes_get) do
    it(("of nginx with %d is followed, over both"):format(status), function()
      for _, base in ipairs { nginx.http, nginx.https } do
        local page = assert(http.fetch(("%s/status/%d"):format(base, status),
          options))
        assert.equal(base .. "/small", page.url)
        assert.equal(20, #page.body)
      end
    end)
  end
end)

-- ---- the connection of a hop ----

describe("The connection of a hop", function()
  local function chunk(text) return ("%x\r\n%s\r\n"):format(#text, text) end

  local HEAD = "HTTP/1.1 302 Found\r\nLocation: /to\r\n"
  local CHUNKED = HEAD .. "Transfer-Encoding: chunked\r\n\r\n"
  local small = ("x"):rep(4000)

  local reused = {
    ["has no body"] = { { send = HEAD .. "Content-Length: 0\r\n\r\n" } },
    ["has a small body"] = { { send = moved("/to", 302, small) } },
    ["has a body of 64 KiB"] = { { send = moved("/to", 302,
      ("x"):rep(64 * KIB)) } },
    ["has a body that comes later"] = {
      { pieces = { HEAD .. "Content-Length: 4000\r\n\r\n", small } } },
    ["has a body in many pieces"] = {
      { drip = HEAD .. "Content-Length: 40\r\n\r\n" .. small:sub(1, 40) } },
    ["has a chunked body"] = { { send = CHUNKED .. chunk(small)
      .. "0\r\n\r\n" } },
    ["has a chunked body that comes later"] = { { pieces = { CHUNKED,
      chunk(small), chunk(small), "0\r\n\r\n" } } },
    ["has a coded body"] = { { send = answer(302,
      "Location: /to\r\nContent-Encoding: gzip\r\n", "not gzip at all") } },
  }

  for name, steps in pairs(reused) do
    it("is used again when it " .. name, function()
      local script = { "request" }
      table.move(steps, 1, #steps, 2, script)
      local last = { "request", { send = OK }, "hold" }
      table.move(last, 1, #last, #script + 1, script)
      server:script(script)
      local before = http.stats().connections
      local r <close> = assert(http.get(server.url))
      assert.equal("ok", r:read("a"))
      local after = http.stats().connections
      assert.equal(before.opened + 1, after.opened)
      assert.equal(before.reused + 1, after.reused)
      assert.equal(1, server:connections())
    end)
  end

  -- what it sends after the headers, and as what it is counted
  local given_up = {
    ["declares a huge body"] = { "hop", { send = HEAD
      .. "Content-Length: 1000000000\r\n\r\n" .. small }, "hold" },
    ["sends a huge body"] = { "hop", { send = HEAD
      .. "Content-Length: 1000000000\r\n\r\n" }, { loop = {
      { send = small } } } },
    ["sends a chunked body without end"] = { "hop", { send = CHUNKED },
      { loop = { { send = chunk(small) } } } },
    ["sends a body without end"] = { "hop", { send = HEAD .. "\r\n" },
      { loop = { { send = small } } } },
    ["never sends its body"] = { "hop", { send = HEAD
      .. "Content-Length: 10\r\n\r\n" }, "hold" },
    ["cuts its body"] = { "error", { send = HEAD
      .. "Content-Length: 10\r\n\r\nhalf" }, "close" },
    ["resets it"] = { "error", { send = HEAD
      .. "Content-Length: 10\r\n\r\nhalf" }, "reset" },
    ["sends a chunk that is none"] = { "error", { send = CHUNKED .. "zz\r\n" },
      "close" },
  }

  local function goes_on(steps, options)
    local script = { "request" }
    table.move(steps, 2, #steps, 2, script)
    server:script(script)
    server:replies(OK)
    local moved_by = moves(function()
      assert.equal("ok", assert(http.fetch(server.url, options)).body)
    end)
    assert.equal(2, server:connections())
    return moved_by
  end

  for name, steps in pairs(given_up) do
    it("is given up when it " .. name, function()
      assert.same({ opened = 2, [steps[1]] = 1, eager = 1 }, goes_on(steps))
    end)

    it("is given up when it " .. name .. ", whatever the options", function()
      goes_on(steps, { max_body = 2000, check = true, buffer = 1024 })
    end)
  end
end)

-- ---- in between ----

describe("Between two hops", function()
  local function endless()
    server:script { "request", { send = moved("/to") }, "request", "hold" }
  end

  it("the deadline goes on", function()
    server:script { { loop = { "request", { send = moved("/to") } } } }
    local err = failure(server.url, { deadline = 0.001, redirects = 100 })
    assert.is_true(err.code == "timeout" or err.code == "redirect")
    server:reset()
    endless()
    err = failure(server.url, { deadline = 0.2 })
    assert.equal("timeout", err.code)
    assert.matches("deadline", err.message, 1, true)
  end)

  it("the deadline counts what a hop took", function()
    server:script { "request", { send = "HTTP/1.1 302 X\r\nLocation: /to\r\n"
      .. "Content-Length: 10\r\n\r\n" }, "hold" }
    server:replies(OK)
    local err = failure(server.url, { deadline = 0.1 })
    assert.equal("timeout", err.code)
    assert.matches("deadline", err.message, 1, true)
    assert.is_true(#server:requests() == 1)
  end)

  it("a task that is closed leaves nothing", function()
    endless()
    local loop <close> = scheduler()
    local before = http.stats()
    local task = loop.spawn(function() http.get(server.url) end)
    loop.run(function() return #server:requests() == 2 end)
    assert.equal(before.open + 1, http.stats().open)
    assert.is_true(coroutine.close(task))
    loop.forget()
    assert.same({ opened = 2, hop = 1, tbc = 1 },
      counters.moved(before, http.stats()))
  end)

  it("a client that is closed ends it", function()
    endless()
    local loop <close> = scheduler()
    local client <close> = http.client()
    local r, err
    loop.spawn(function() r, err = client:get(server.url) end)
    loop.run(function() return #server:requests() == 2 end)
    client:close()
    loop.run()
    assert.is_nil(r)
    assert.equal("cancelled", err.code)
  end)

  it("another task goes on", function()
    server:script { "request", "wait", { send = moved("/to") }, "request",
      "wait", { send = OK }, "hold" }
    server:script { "request", { send = answer(200, nil, "quick") }, "hold" }
    local loop <close> = scheduler()
    local said = {}
    loop.spawn(function()
      local page = assert(http.fetch(server.url .. "/slow"))
      said[#said + 1] = page.body
    end)
    loop.run(function() return #server:requests() == 1 end)
    loop.spawn(function()
      local page = assert(http.fetch(server.url .. "/quick"))
      said[#said + 1] = page.body
    end)
    loop.run(function() return #said == 1 end)
    server:go(2)
    loop.run()
    assert.same({ "quick", "ok" }, said)
  end)
end)

-- ---- loops ----

describe("A loop over a body", function()
  it("follows redirects", function()
    server:replies(moved("/1"), answer(200, nil, "a\nb\n"))
    local lines = {}
    for line in http.lines(server.url) do lines[#lines + 1] = line end
    assert.same({ "a", "b" }, lines)
  end)

  it("raises a redirect that fails", function()
    server:replies(moved("ftp://x/"))
    local ok, err = pcall(function()
      for _ in http.chunks(server.url) do error("never") end
    end)
    assert.is_false(ok)
    assert.equal("redirect", err.code)
  end)
end)
