--- What a call becomes on the wire: method, url, query, headers; the forms of
-- a call, the defaults of clients, and the page that fetch returns.

local support = require "spec.support"
local http = require "curlew"

local OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
local HERE = debug.getinfo(1, "S").short_src

local server

before_each(function()
  server = support.server()
  server:script { { loop = { "request", { send = OK } } } }
end)
after_each(function() server:close() end)

-- ---- what the server saw ----

local function last_request()
  local all = server:requests()
  return all[#all]
end

local function target() return last_request():match("^%u+ (%S+) HTTP/1.1\r") end

local function request_line() return last_request():match("^[^\r]*") end

local function lines()
  local list = {}
  for line in last_request():gmatch("\r\n([^\r]+)") do
    list[#list + 1] = line
  end
  return list
end

-- The values of a field, line by line; its name as it was sent.
local function sent(name)
  local list = {}
  for _, line in ipairs(lines()) do
    if line:find(name .. ":", 1, true) == 1 then
      list[#list + 1] = line:sub(#name + 2):gsub("^ ", "")
    end
  end
  return list
end

local function asked(path, options)
  assert(http.fetch(server.url .. path, options))
  return target()
end

local function with_client(options, path, own)
  local client <close> = http.client(options)
  assert(client:fetch(path, own))
  return target()
end

local function assert_raises(text, fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  assert.matches(text, err, 1, true)
end

-- ---- query ----

local function decode(text)
  return (text:gsub("%%(%x%x)", function(hex)
    return string.char(tonumber(hex, 16))
  end))
end

local function parse(query)
  local pairs_of = {}
  for part in query:gmatch("[^&]+") do
    local name, value = part:match("^([^=]*)=([^=]*)$")
    pairs_of[#pairs_of + 1] = { decode(name), decode(value) }
  end
  return pairs_of
end

local function random_bytes(most)
  local bytes = {}
  for i = 1, math.random(0, most) do
    bytes[i] = string.char(math.random(0, 255))
  end
  return table.concat(bytes)
end

describe("A query", function()
  it("is what it was, whatever its bytes", function()
    for _ = 1, 200 do
      local query = {}
      for i = 1, math.random(1, 5) do
        query[i] = { random_bytes(12), random_bytes(24) }
      end
      local got = asked("/", { query = query })
      assert.matches("^/%?[%w%-._~%%=&]*$", got)
      assert.same(query, parse(got:sub(3)))
    end
  end)

  it("has each byte but the unreserved encoded, in capitals", function()
    for byte = 0, 255 do
      local char = string.char(byte)
      local encoded = char:match("[A-Za-z0-9%-._~]")
        or ("%%%02X"):format(byte)
      assert.equal("/?a=" .. encoded, asked("/", { query = { a = char } }))
    end
  end)

  local forms = {
    ["sorted by name"] = { { b = "2", a = "1", C = "3", aa = "4" },
      "/?C=3&a=1&aa=4&b=2" },
    ["a list in its order"] = { { a = { "2", "1", "3" } }, "/?a=2&a=1&a=3" },
    ["pairs in their order"] = { { { "b", "2" }, { "a", "1" }, { "b", "0" } },
      "/?b=2&a=1&b=0" },
    ["pairs whose value is a list"] = { { { "b", { "2", "1" } }, { "a", "0" } },
      "/?b=2&b=1&a=0" },
    ["pairs first, names behind"] = { { { "z", "1" }, b = "2", a = "3" },
      "/?z=1&a=3&b=2" },
    ["without what is false"] = { { a = false, b = "1" }, "/?b=1" },
    ["without a false in a list"] = { { a = { "1", false, "2" } },
      "/?a=1&a=2" },
    ["without a pair that is false"] = { { { "a", false }, { "b", "1" } },
      "/?b=1" },
    ["true as a word"] = { { a = true }, "/?a=true" },
    ["numbers as Lua writes them"] = { { a = 1, b = -2.5, c = 1 << 53 },
      "/?a=1&b=-2.5&c=9007199254740992" },
    ["an empty value"] = { { a = "" }, "/?a=" },
    ["an empty list"] = { { a = {} }, "/" },
    ["nothing"] = { {}, "/" },
  }

  for name, form in pairs(forms) do
    it("may be given as: " .. name, function()
      assert.equal(form[2], asked("/", { query = form[1] }))
    end)
  end

  local urls = {
    ["/"] = "/?a=1",
    [""] = "/?a=1",
    ["/path"] = "/path?a=1",
    ["/?"] = "/?a=1",
    ["/?b=2"] = "/?b=2&a=1",
    ["/?b=2&"] = "/?b=2&a=1",
    ["/#part"] = "/?a=1",
    ["/?b=2#part?c"] = "/?b=2&a=1",
    ["/#part?c"] = "/?a=1",
  }

  for url, expected in pairs(urls) do
    it("is appended to the url " .. ("%q"):format(url), function()
      assert.equal(expected, asked(url, { query = { a = 1 } }))
    end)
  end

  it("leaves what stands in the url as it is", function()
    assert.equal("/a%2Fb?x=%20+y&a=%20", asked("/a%2Fb?x=%20+y",
      { query = { a = " " } }))
  end)

  local merged = {
    ["of both"] = { { a = 1 }, { b = 2 }, "/?a=1&b=2" },
    ["the request's under the same name"] = { { a = 1, b = 1 }, { a = 2 },
      "/?a=2&b=1" },
    ["without the name that is false"] = { { a = 1, b = 1 }, { a = false },
      "/?b=1" },
    ["the client's alone"] = { { a = 1 }, nil, "/?a=1" },
    ["none, of a request that says false"] = { { a = 1 }, false, "/" },
    ["the client's, of a request with an empty one"] = { { a = 1 }, {},
      "/?a=1" },
    ["pairs of both, the client's first"] = { { { "b", 1 } },
      { { "b", 2 }, { "a", 3 } }, "/?b=1&b=2&a=3" },
    ["the client's names and the request's pairs"] = { { key = 1 },
      { { "a", 2 } }, "/?a=2&key=1" },
    ["the client's pairs and the request's names"] = { { { "a", 2 } },
      { key = 1 }, "/?a=2&key=1" },
  }

  for name, case in pairs(merged) do
    it("is, with a client's: " .. name, function()
      assert.equal(case[3], with_client({ query = case[1] }, server.url,
        { query = case[2] }))
    end)
  end

  local wrong = {
    ["a string"] = { "a=1", "option 'query': table expected, got string" },
    ["true"] = { true, "option 'query': table expected, got boolean" },
    ["a function as value"] = { { a = print },
      "option 'query': a: string, number, boolean or a list expected" },
    ["strings in a list"] = { { "a" }, "{name, value} expected" },
    ["a pair of one"] = { { { "a" } }, "{name, value} expected" },
    ["a pair of three"] = { { { "a", "b", "c" } }, "{name, value} expected" },
    ["a value under a boolean"] = { { [true] = "x" }, "option 'query'" },
    ["a value beside the list"] = { { { "a", 1 }, [3] = { "b", 2 } },
      "option 'query'" },
    ["a pair named by a table"] = { { { {}, "x" } }, "option 'query'" },
  }

  for name, case in pairs(wrong) do
    it("is not " .. name, function()
      local line = debug.getinfo(1, "l").currentline + 2
      assert_raises(HERE .. ":" .. line .. ": ", function()
        http.fetch(server.url, { query = case[1] })
      end)
      assert_raises(case[2], http.fetch, server.url, { query = case[1] })
      assert_raises(case[2], http.client, { query = case[1] })
      assert.equal(0, #server:requests())
    end)
  end
end)

-- ---- base_url ----

describe("base_url", function()
  local joins = {
    { "", "users", "/users" },
    { "", "/users", "/users" },
    { "/", "users", "/users" },
    { "/", "/users", "/users" },
    { "/v1", "users", "/v1/users" },
    { "/v1", "/users", "/v1/users" },
    { "/v1/", "users", "/v1/users" },
    { "/v1/", "/users", "/v1/users" },
    { "/v1", "", "/v1" },
    { "/v1", "?a=1", "/v1?a=1" },
    { "/v1", "users?u=http://other.test/", "/v1/users?u=http://other.test/" },
  }

  for _, join in ipairs(joins) do
    it(("%q and %q make %q"):format(join[1], join[2], join[3]), function()
      assert.equal(join[3],
        with_client({ base_url = server.url .. join[1] }, join[2]))
    end)
  end

  it("takes a query", function()
    assert.equal("/v1/users?a=1", with_client(
      { base_url = server.url .. "/v1" }, "users", { query = { a = 1 } }))
  end)

  it("is ignored by a url with a scheme", function()
    assert.equal("/own", with_client(
      { base_url = "http://127.0.0.1:1/v1" }, server.url .. "/own"))
  end)

  it("is ignored by a url with a scheme in capitals", function()
    assert.equal("/own", with_client({ base_url = "http://127.0.0.1:1/v1" },
      (server.url:gsub("^http", "HTTP")) .. "/own"))
  end)

  it("may be a request's", function()
    assert.equal("/v2/users", with_client({ base_url = server.url .. "/v1" },
      "users", { base_url = server.url .. "/v2" }))
  end)

  it("is what is shown as the url, joined", function()
    local client <close> = http.client { base_url = server.url .. "/v1" }
    assert.equal(server.url .. "/v1/users", assert(client:fetch("users")).url)
  end)

  for _, base in ipairs { "nonsense", "/v1", "ftp://h.test/", "http://",
    "http:///v1", "http://h.test:port/", "http://[::1/" } do
    it("is refused by a client when it is " .. base, function()
      assert_raises("option 'base_url': ", http.client, { base_url = base })
    end)
  end
end)

-- ---- the forms of a call ----

describe("A call", function()
  it("may have its url first in its table", function()
    assert(http.fetch { server.url .. "/x", query = { a = 1 },
      headers = { ["X-Test"] = "1" } })
    assert.same({ "GET /x?a=1 HTTP/1.1", "1" },
      { request_line(), sent("X-Test")[1] })
  end)

  it("may have its url in its table by name", function()
    local r <close> = assert(http.get { url = server.url .. "/x" })
    assert.same({ 200, "GET /x HTTP/1.1" }, { r.status, request_line() })
  end)

  it("of a client may have its url in its table", function()
    local client <close> = http.client { query = { b = 2 } }
    local r <close> = assert(client:get { server.url, query = { a = 1 } })
    assert.same({ 200, "/?a=1&b=2" }, { r.status, target() })
  end)

  it("request has the method and the url in its table", function()
    local r <close> = assert(http.request { method = "DELETE",
      url = server.url .. "/x" })
    assert.same({ 200, "DELETE /x HTTP/1.1", "DELETE" },
      { r.status, request_line(), r.request.method })
  end)

  it("request is a GET unless it says otherwise", function()
    local r <close> = assert(http.request { url = server.url })
    assert.same({ "GET", "GET / HTTP/1.1" },
      { r.request.method, request_line() })
  end)

  it("request of a client has the client's defaults", function()
    local client <close> = http.client { base_url = server.url .. "/v1" }
    local r <close> = assert(client:request { "x", method = "PUT" })
    assert.same({ 200, "PUT /v1/x HTTP/1.1" }, { r.status, request_line() })
  end)

  for _, method in ipairs { "GET", "DELETE", "OPTIONS", "PROPFIND", "get" } do
    it("fetch sends the method " .. method .. " as it is", function()
      local page = assert(http.fetch(server.url, { method = method }))
      assert.same({ method .. " / HTTP/1.1", method },
        { request_line(), page.request.method })
    end)
  end

  it("head sends HEAD, and there is no body", function()
    server:reset()
    server:replies("HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n", OK)
    local r <close> = assert(http.head(server.url .. "/x"))
    assert.same({ "HEAD /x HTTP/1.1", 70000, "" },
      { request_line(), r.length, r:text() })
    assert.equal("ok", assert(http.fetch(server.url)).body)
    assert.equal(1, server:connections())
  end)

  it("has no body and says nothing of one", function()
    asked("/", { method = "DELETE" })
    assert.same({ {}, {} },
      { sent("Content-Length"), sent("Transfer-Encoding") })
  end)

  local twice = {
    { function(url) http.get { url, url = url } end, "given twice" },
    { function(url) http.get(url, { url = url }) end, "given twice" },
    { function(url) http.get(url, { method = "PUT" }) end, "option 'method'" },
    { function() http.get {} end, "url: string expected, got nil" },
    { function() http.get() end, "url: string expected, got nil" },
    { function() http.request { method = "GET" } end, "url: string expected" },
    { function() http.fetch(5) end, "url: string expected, got number" },
    { function(url) http.get(url, "x") end, "table expected, got string" },
    { function(url) http:get(url) end, "http.get(...) with a dot" },
    { function(url) http:fetch(url) end, "http.fetch(...) with a dot" },
    { function() http:request {} end, "http.request(...) with a dot" },
    { function() http:client {} end, "http.client(...) with a dot" },
  }

  for _, case in ipairs(twice) do
    local line = debug.getinfo(case[1], "S").linedefined
    it(("that is wrong is told, and where: line %d"):format(line), function()
      assert_raises(HERE .. ":" .. line .. ": ", case[1], server.url)
      assert_raises(case[2], case[1], server.url)
      assert.equal(0, #server:requests())
    end)
  end

  for _, name in ipairs { "get", "head", "request", "fetch", "extend" } do
    it("of a client takes a colon: " .. name, function()
      local client <close> = http.client()
      assert_raises("client:" .. name .. "(...) with a colon",
        function() client[name](server.url) end)
    end)
  end
end)

-- ---- headers ----

describe("Headers", function()
  it("may be given by name, in any spelling", function()
    asked("/", { headers = { ["x-TEST"] = "Value" } })
    assert.same({ "Value" }, sent("x-TEST"))
  end)

  it("may have several values, a line each, in order", function()
    asked("/", { headers = { ["X-Test"] = { "2", "1", "2" } } })
    assert.same({ "2", "1", "2" }, sent("X-Test"))
  end)

  it("of a list of pairs keep their order and repeats", function()
    asked("/", { headers = { { "X-B", "1" }, { "X-A", "2" }, { "X-B", "3" },
      { "X-C", { "4", "5" } } } })
    local own = {}
    for _, line in ipairs(lines()) do
      if line:find("^X%-") then own[#own + 1] = line end
    end
    assert.same({ "X-B: 1", "X-A: 2", "X-B: 3", "X-C: 4", "X-C: 5" }, own)
  end)

  it("may be numbers", function()
    asked("/", { headers = { ["X-Test"] = 42 } })
    assert.same({ "42" }, sent("X-Test"))
  end)

  it("may be empty, and are sent", function()
    asked("/", { headers = { ["X-Test"] = "" } })
    assert.same({ "" }, sent("X-Test"))
  end)

  it("may hold bytes above 127 and tabs", function()
    asked("/", { headers = { ["X-Test"] = "a\tb\xC3\xA9\xFF" } })
    assert.same({ "a\tb\xC3\xA9\xFF" }, sent("X-Test"))
  end)

  it("with colons and semicolons in them are sent as they are", function()
    asked("/", { headers = { ["X-A"] = ":;", ["X-B"] = ";",
      ["X-C"] = "a: b" } })
    assert.same({ { ":;" }, { ";" }, { "a: b" } },
      { sent("X-A"), sent("X-B"), sent("X-C") })
  end)

  for name, value in pairs { Authorization = "Basic eA==", Cookie = "a=b",
    ["Content-Type"] = "text/plain", Connection = "close", Range = "bytes=0-",
    Expect = "100-continue", TE = "trailers", ["If-None-Match"] = "\"1\"",
    Referer = "http://other.test/", ["Accept-Encoding"] = "gzip" } do
    it("of libcurl's acquaintance are sent once: " .. name, function()
      asked("/", { headers = { [name] = value } })
      assert.same({ value }, sent(name))
    end)
  end

  it("of a value of spaces alone are sent, empty as that is", function()
    asked("/", { headers = { ["X-Test"] = " \t " } })
    assert.equal(1, #sent("X-Test"))
  end)

  it("of the request are shown as they were sent", function()
    local client <close> = http.client { headers = { ["X-A"] = "1",
      ["X-B"] = "2" } }
    local page = assert(client:fetch(server.url, { headers = { ["X-C"] = "",
      ["X-B"] = "3" } }))
    local shown = page.request.headers
    assert.same({ "1", "3", "" },
      { shown["x-a"], shown["x-b"], shown["x-c"] })
  end)

  it("taken away are not shown among the request's", function()
    local page = assert(http.fetch(server.url, { headers = { Accept = false,
      ["X-A"] = "1" } }))
    local shown = page.request.headers
    assert.is_nil(shown.accept)
    assert.equal("1", shown["x-a"])
  end)

  it("by default are Host, User-Agent and two of Accept's #plain", function()
    asked("/")
    local list = lines()
    table.sort(list)
    assert.same({ "Accept-Encoding: gzip, deflate, br, zstd", "Accept: */*",
      "Host: 127.0.0.1:" .. server.port,
      "User-Agent: " .. http._VERSION:gsub(" ", "/") }, list)
  end)

  for _, name in ipairs { "User-Agent", "Accept", "Accept-Encoding" } do
    it("take the place of the default " .. name, function()
      asked("/", { headers = { [name:lower()] = "mine" } })
      assert.same({ { "mine" }, {} }, { sent(name:lower()), sent(name) })
    end)

    it("that are false take the default away: " .. name, function()
      asked("/", { headers = { [name] = false } })
      assert.same({}, sent(name))
    end)

    it("that are false in a pair take it away: " .. name, function()
      asked("/", { headers = { { name:lower(), false } } })
      assert.same({}, sent(name))
    end)
  end

  it("of a client are sent by its requests", function()
    with_client({ headers = { ["X-Test"] = "1" } }, server.url)
    assert.same({ "1" }, sent("X-Test"))
  end)

  it("of a request stand for the client's of that name", function()
    with_client({ headers = { ["X-Test"] = "1", ["X-Other"] = "2" } },
      server.url, { headers = { ["x-test"] = "3" } })
    assert.same({ {}, { "3" }, { "2" } },
      { sent("X-Test"), sent("x-test"), sent("X-Other") })
  end)

  it("of a client are taken away by false", function()
    with_client({ headers = { ["X-Test"] = "1", ["X-Other"] = "2" } },
      server.url, { headers = { ["x-test"] = false } })
    assert.same({ {}, {}, { "2" } },
      { sent("X-Test"), sent("x-test"), sent("X-Other") })
  end)

  it("of a client are all taken away by headers = false", function()
    with_client({ headers = { ["X-Test"] = "1", ["X-Other"] = "2" } },
      server.url, { headers = false })
    assert.same({ {}, {} }, { sent("X-Test"), sent("X-Other") })
  end)

  it("that a client took away come back with a request's own", function()
    with_client({ headers = { Accept = false } }, server.url,
      { headers = { Accept = "text/html" } })
    assert.same({ "text/html" }, sent("Accept"))
  end)

  it("name a User-Agent before user_agent does", function()
    asked("/", { user_agent = "one", headers = { ["User-Agent"] = "two" } })
    assert.same({ "two" }, sent("User-Agent"))
  end)

  it("have the User-Agent of user_agent", function()
    with_client({ user_agent = "one" }, server.url)
    local of_client = sent("User-Agent")
    with_client({ user_agent = "one" }, server.url, { user_agent = "two" })
    assert.same({ { "one" }, { "two" } }, { of_client, sent("User-Agent") })
  end)

  local wrong = {
    ["a line break in a value"] = { ["X-A"] = "1\r\nX-B: 2" },
    ["a line feed in a value"] = { ["X-A"] = "1\n" },
    ["a NUL in a value"] = { ["X-A"] = "1\0" },
    ["a line break in a name"] = { ["X-A: 1\r\nX-B"] = "2" },
    ["a space in a name"] = { ["X A"] = "2" },
    ["a colon in a name"] = { ["X-A:"] = "2" },
    ["an empty name"] = { [""] = "2" },
    ["true as a value"] = { ["X-A"] = true },
    ["an empty list of values"] = { ["X-A"] = {} },
    ["a list in a list of values"] = { ["X-A"] = { { "1" } } },
    ["a string in a list"] = { "X-A: 1" },
    ["a pair of three"] = { { "X-A", "1", "2" } },
    ["a Content-Length"] = { ["content-length"] = "1" },
    ["a Transfer-Encoding"] = { ["Transfer-Encoding"] = "chunked" },
    ["a Host"] = { { "Host", "other.test" } },
  }

  for name, headers in pairs(wrong) do
    it("are refused with " .. name, function()
      assert_raises("option 'headers': ", http.fetch, server.url,
        { headers = headers })
      assert_raises("option 'headers': ", http.client, { headers = headers })
      assert.equal(0, #server:requests())
    end)
  end
end)

-- ---- extend ----

describe("extend", function()
  local function extended(options, more, path, own)
    local parent <close> = http.client(options)
    local client <close> = parent:extend(more)
    assert(client:fetch(path, own))
    return target()
  end

  it("has the defaults of its parent", function()
    assert.equal("/v1/x?a=1", extended({ base_url = server.url .. "/v1",
      query = { a = 1 }, headers = { ["X-Test"] = "1" } }, nil, "x"))
    assert.same({ "1" }, sent("X-Test"))
  end)

  it("has its own before its parent's", function()
    assert.equal("/v2/x", extended({ base_url = server.url .. "/v1",
      user_agent = "one" }, { base_url = server.url .. "/v2" }, "x"))
    assert.same({ "one" }, sent("User-Agent"))
  end)

  it("merges the query name by name", function()
    assert.equal("/?a=3&b=2&c=4&d=5", extended({ query = { a = 1, b = 1 } },
      { query = { b = 2, c = 2, a = 3 } }, server.url,
      { query = { c = 4, d = 5 } }))
  end)

  it("takes a name of the query away, and a request gives it back", function()
    assert.equal("/?b=2",
      extended({ query = { a = 1, b = 2 } }, { query = { a = false } },
        server.url))
    assert.equal("/?a=3", extended({ query = { a = 1 } },
      { query = { a = false } }, server.url, { query = { a = 3 } }))
  end)

  it("merges headers name by name", function()
    extended({ headers = { ["X-A"] = "1", ["X-B"] = "1" } },
      { headers = { ["x-b"] = "2", ["X-C"] = "3" } }, server.url)
    assert.same({ { "1" }, {}, { "2" }, { "3" } },
      { sent("X-A"), sent("X-B"), sent("x-b"), sent("X-C") })
  end)

  it("takes a header away", function()
    extended({ headers = { ["X-A"] = "1" } }, { headers = { ["x-a"] = false } },
      server.url)
    assert.same({}, sent("X-A"))
  end)

  it("takes all of an option away", function()
    assert.equal("/", extended({ query = { a = 1 }, user_agent = "one",
      headers = { ["X-A"] = "1" } },
      { query = false, headers = false, user_agent = false }, server.url))
    assert.same({ {}, { (http._VERSION:gsub(" ", "/")) } },
      { sent("X-A"), sent("User-Agent") })
  end)

  it("leaves its parent as it was", function()
    local parent <close> = http.client { query = { a = 1 },
      headers = { ["X-A"] = "1" } }
    local client <close> = parent:extend { query = { a = 2 },
      headers = { ["X-A"] = "2" } }
    assert(client:fetch(server.url))
    assert(parent:fetch(server.url))
    assert.same({ "/?a=1", { "1" } }, { target(), sent("X-A") })
  end)

  it("goes on when its parent is closed", function()
    local parent = http.client { query = { a = 1 } }
    local client <close> = parent:extend()
    parent:close()
    assert(client:fetch(server.url))
    assert.equal("/?a=1", target())
  end)

  it("can be repeated", function()
    local one <close> = http.client { query = { a = 1 } }
    local two <close> = one:extend { query = { b = 2 } }
    local three <close> = two:extend { query = { c = 3 } }
    assert(three:fetch(server.url))
    assert.equal("/?a=1&b=2&c=3", target())
  end)

  it("has the check function of its parent, or its own, or none", function()
    local calls = {}
    local function check(name)
      return function() calls[#calls + 1] = name; return true end
    end
    local parent <close> = http.client { check = check("parent") }
    local heir <close> = parent:extend { query = { a = 1 } }
    local own <close> = parent:extend { check = check("own") }
    local none <close> = parent:extend { check = false }
    local grandchild <close> = heir:extend()
    for _, client in ipairs { heir, own, none, grandchild } do
      assert(client:fetch(server.url))
    end
    assert.same({ "parent", "own", "parent" }, calls)
  end)

  it("refuses what a client refuses, and a closed parent", function()
    local parent = http.client()
    assert_raises("unknown option 'querry'", parent.extend, parent,
      { querry = {} })
    assert_raises("option 'base_url': ", parent.extend, parent,
      { base_url = "nonsense" })
    parent:close()
    assert_raises("the client is closed", parent.extend, parent)
  end)
end)

-- ---- options tables ----

describe("An options table", function()
  -- Raises when it, or a table in it, is written to.
  local function frozen(t)
    return setmetatable(t, { __newindex = function() error("written") end })
  end

  local function copy(value)
    if type(value) ~= "table" then return value end
    local to = {}
    for name, one in next, value do to[name] = copy(one) end
    return to
  end

  local function options(url)
    return frozen {
      url,
      query = frozen { frozen { "b", 2 }, a = frozen { 1, false } },
      headers = frozen { frozen { "X-A", 1 }, ["X-B"] = frozen { 2, 3 } },
      timeout = frozen { connect = 5 },
      check = false,
    }
  end

  local calls = {
    fetch = function(o) assert(http.fetch(o)) end,
    get = function(o) assert(http.get(o)):close() end,
    head = function(o) assert(http.head(o)):close() end,
    request = function(o) assert(http.request(o)):close() end,
    ["fetch of a client that has its own"] = function(o)
      local client <close> = http.client { query = { c = 1 },
        headers = { ["X-C"] = 1 } }
      assert(client:fetch(o))
    end,
    client = function(o)
      o = frozen { query = o.query, headers = o.headers, timeout = o.timeout }
      local client <close> = http.client(o)
      local more <close> = client:extend(o)
      assert(more:fetch(server.url, o))
    end,
  }

  for name, call in pairs(calls) do
    it("is not changed by " .. name, function()
      local given = options(server.url)
      local before = copy(given)
      call(given)
      call(given) -- and it may be used again
      assert.same(before, copy(given))
    end)
  end

  it("that changes later changes nothing", function()
    local headers, query = { ["X-A"] = "1" }, { a = 1 }
    local client <close> = http.client { headers = headers, query = query }
    headers["X-A"], query.a = "2", 2
    assert(client:fetch(server.url))
    assert.same({ "/?a=1", { "1" } }, { target(), sent("X-A") })
  end)
end)

-- ---- pages ----

describe("A page", function()
  it("is asked for again when its body was cut, with retry", function()
    server:reset()
    server:reply("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ncut")
    server:reply(OK)
    local page = assert(http.fetch(server.url, { retry = 1 }))
    assert.equal("ok", page.body)
    assert.equal(2, page.info.attempts)
  end)

  local NOT_FOUND = "HTTP/1.1 404 Nothing Here\r\nContent-Length: 4\r\n"
    .. "X-Item: one\r\nx-item: two\r\n\r\nlost"

  local function fetch(bytes)
    server:reset()
    server:replies(bytes)
    return assert(http.fetch(server.url .. "/x?secret=1"))
  end

  it("has the fields of a response, and the body", function()
    local page = fetch(NOT_FOUND)
    assert.same({ 404, "Nothing Here", false, server.url .. "/x?secret=1",
      "1.1", 4, "lost", "GET", 4 }, { page.status, page.reason, page.ok,
      page.url, page.http_version, page.length, page.body,
      page.request.method, page.info.received })
    assert.is_true(page.info.ended and true)
  end)

  it("is ok from 200 to 299", function()
    for status, ok in pairs { [200] = true, [299] = true, [300] = false,
      [500] = false } do
      assert.equal(ok, fetch(("HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n")
        :format(status)).ok)
    end
  end)

  it("has its headers in any case, joined, and one by one", function()
    local page = fetch(NOT_FOUND)
    assert.equal("one, two", page.headers["X-ITEM"])
    assert.same({ "one", "two" }, { page:header("x-Item") })
    assert.equal(0, select("#", page:header("X-None")))
  end)

  it("is itself when checked, if it is ok", function()
    local page = fetch(OK)
    assert.equal(page, page:check())
  end)

  it("is an error when checked, if it is not", function()
    local page, err = fetch(NOT_FOUND):check()
    assert.is_nil(page)
    assert.same({ "status", 404, "lost", 4, "GET", server.url .. "/x",
      "one, two" }, { err.code, err.status, err.body, err.received,
      err.method, err.url:gsub("%?.*", ""), err.headers["x-item"] })
    assert.is_nil(err.url:find("secret", 1, true))
    assert.equal("error", http.type(err))
  end)

  it("gives an error at most 4096 bytes of its body", function()
    local _, err = fetch("HTTP/1.1 500 X\r\nContent-Length: 5000\r\n\r\n"
      .. ("x"):rep(5000)):check()
    assert.same({ 4096, 5000 }, { #err.body, err.received })
  end)

  it("names the line that checked it", function()
    local page = fetch(NOT_FOUND)
    local line = debug.getinfo(1, "l").currentline + 1
    local _, err = page:check()
    assert.matches(HERE .. ":" .. line, tostring(err), 1, true)
  end)

  it("is a sentence as text", function()
    assert.matches("404", tostring(fetch(NOT_FOUND)), 1, true)
  end)

  it("holds nothing open", function()
    local before = http.stats().open
    assert.equal("lost", fetch(NOT_FOUND).body)
    assert.equal(before, http.stats().open)
  end)
end)
