--- Bad input: refused with a sentence that names it and the caller's line,
-- with nothing sent and nothing left open. (What the options table says of
-- its rows is in option_spec.)

local support = require "spec.support"
local http = require "curlew"
local scheduler = require "spec.support.scheduler"

local OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
local LARGE = "HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\nsome"
local HERE = debug.getinfo(1, "S").short_src

local server, address, client

before_each(function()
  server = support.server()
  server:reply(OK)
  address = server.url:match("^http://(.*)$")
  client = http.client()
end)
after_each(function()
  client:close()
  server:close()
end)

local function assert_untouched(before)
  local after = http.stats()
  assert.equal(0, server:connections())
  assert.equal(before.opened, after.opened)
  assert.equal(before.open, after.open)
end

-- A test of what is refused: nothing comes of any of it.
local function it_refuses(name, f)
  it(name, function()
    local before = http.stats()
    f()
    assert_untouched(before)
  end)
end

-- luassert only where it fails: there are thousands, and the suite also runs
-- with a collector that never rests.
local function assert_has(message, ...)
  for i = 1, select("#", ...) do
    local text = select(i, ...)
    if not message:find(text, 1, true) then assert.equal(text, message) end
  end
end

-- f raises a string with each of these plain texts, at its first line.
local function assert_raises_here(f, ...)
  local ok, message = pcall(f)
  if ok or type(message) ~= "string" then
    assert.equal("raises", { ok, message })
  end
  local site = ("%s:%d: "):format(HERE, debug.getinfo(f, "S").linedefined + 1)
  if message:sub(1, #site) ~= site then assert.equal(site, message) end
  assert_has(message, ...)
  return message
end

-- "a" and what the byte is called.
local control_bytes = {}
for code = 0, 32 do
  control_bytes[code + 1] = string.char(code == 32 and 127 or code)
end

-- ---- urls ----

describe("A url", function()
  local function fetch_client(url) return client:fetch(url) end
  local function fetch_table(url) return http.get { url } end
  local function fetch_request(url) return http.request { url = url } end
  local doors = { http.get, http.head, http.fetch, fetch_client, fetch_table,
    fetch_request }

  local function is_bad(r, err)
    return not r and err.code == "url" and err.phase == "request"
      and err.retryable == false and err.url == nil
      and err.message:find("url", 1, true)
  end

  local function assert_bad(url, only)
    for _, door in ipairs(only and { only } or doors) do
      local r, err = door(url)
      if not is_bad(r, err) then assert.same({ url = url, is = "bad" }, err) end
    end
  end

  local malformed = {
    ["without a scheme"] = { "", "/", "/path", "HOST/", "//HOST/", "HOST",
      "localhost:80/", "?a=b", "#a", ":", "://HOST/", " http://HOST/",
      "http", "http:", "http//HOST/" },
    ["with another scheme"] = { "ftp://HOST/", "file:///etc/passwd",
      "gopher://HOST/", "ws://HOST/", "httpx://HOST/", "hhttp://HOST/",
      "http+unix://HOST/", "javascript:alert(1)", "data:text/plain,x",
      "1http://HOST/", "htt p://HOST/", "ftp.http://HOST/" },
    ["without a host"] = { "http://", "http:/HOST/", "http:HOST/", "http:///",
      "http:///HOST/", "http:////HOST/", "http://?a=b", "http://#a",
      "http://:80/", "http://user@/", "http://@/", "http://user:s3cret@/",
      "https:///HOST/", "https:/HOST/" },
    ["with a backslash"] = { "http:\\\\HOST\\", "http:/\\HOST/",
      "http://HOST\\", "http://HOST\\@other.test/", "http://other.test\\@HOST/",
      "http://HOST/a\\b", "http://HOST/#\\", "http://HOST/?a#b\\", "\\" },
    ["with a port out of range"] = { "http://127.0.0.1:65536/",
      "http://127.0.0.1:99999/", "http://127.0.0.1:-1/",
      "http://127.0.0.1:+80/", "http://127.0.0.1:80x/",
      "http://127.0.0.1:x/", "http://127.0.0.1: 80/",
      "http://127.0.0.1:80:80/", "http://127.0.0.1:4294967376/",
      "http://127.0.0.1:18446744073709551696/" },
    ["with a host that is none"] = { "http://a b/", "http://a<b>/",
      "http://a\"b/", "http://a%00b/", "http://a%0d%0ab/", "http://a%2fb/",
      "http://[::1/", "http://[zz]/", "http://[]/", "http://[::1]x/",
      "http://a^b/", "http://a{b}/", "http://a`b/" },
    ["that is too long"] = { "http://HOST/" .. ("x"):rep(1024 * 1024) },
  }

  for what, urls in pairs(malformed) do
    it_refuses(what .. " is refused", function()
      for _, url in ipairs(urls) do assert_bad((url:gsub("HOST", address))) end
    end)
  end

  local places = { scheme = "ht%stp://HOST/", front = "%shttp://HOST/",
    host = "http://%sHOST/", ["behind the host"] = "http://HOST%s/",
    userinfo = "http://us%ser@HOST/", path = "http://HOST/a%sb",
    query = "http://HOST/?a=%sb", fragment = "http://HOST/#a%sb",
    ["end"] = "http://HOST/%s" }

  for place, form in pairs(places) do
    it_refuses("with a control byte is refused: " .. place, function()
      local before, after = form:gsub("HOST", address):match("^(.*)%%s(.*)$")
      for _, byte in ipairs(control_bytes) do
        assert_bad(before .. byte .. after, http.fetch)
      end
      for _, bytes in ipairs { "\0", "\r\n", "\n", "\127" } do
        assert_bad(before .. bytes .. after)
      end
    end)
  end

  it("with a NUL is not the good one before it", function()
    assert.equal("ok", assert(http.fetch(server.url)).body)
    for _, more in ipairs { "\0", "\0x", "\0\0" } do
      local page, err = http.fetch(server.url .. more)
      assert.is_nil(page)
      assert.equal("url", err.code)
    end
    assert.equal(1, #server:requests())
  end)

  it("behind a base_url is looked at as closely", function()
    local based <close> = http.client { base_url = server.url .. "/v1" }
    local before = http.stats()
    for _, url in ipairs { "a\\b", "\\", "a\0", "\0", "a\nb", "a\r\nX: b",
      "ftp://" .. address .. "/", "?a\127" } do
      local page, err = based:fetch(url)
      assert.is_nil(page)
      assert.equal("url", err.code)
    end
    assert_untouched(before)
  end)

  it_refuses("is a string", function()
    for _, url in ipairs { 5, true, print, io.stdout } do
      local what = "url: string expected, got " .. type(url)
      assert_raises_here(function()
        http.get(url)
      end, what)
      assert_raises_here(function()
        http.fetch(url, {})
      end, what)
      assert_raises_here(function()
        client:head(url)
      end, what)
      assert_raises_here(function()
        http.request { url = url }
      end, what)
    end
  end)

  it_refuses("is missed", function()
    local what = "url: string expected, got nil"
    assert_raises_here(function()
      http.get()
    end, what)
    assert_raises_here(function()
      http.get {}
    end, what)
    assert_raises_here(function()
      http.request {}
    end, what)
    assert_raises_here(function()
      http.request()
    end, what)
    assert_raises_here(function()
      client:fetch()
    end, what)
    assert_raises_here(function()
      client:request { method = "GET" }
    end, what)
  end)

  it_refuses("is not a table beside options", function()
    assert_raises_here(function()
      http.get({ server.url }, {})
    end, "url: string expected, got table")
  end)

  it_refuses("is not given twice", function()
    local twice = { server.url, url = server.url }
    assert_raises_here(function()
      http.get(twice)
    end, "'url'", "twice")
    assert_raises_here(function()
      http.get(server.url, { url = server.url })
    end, "'url'", "twice")
    assert_raises_here(function()
      client:request(twice)
    end, "'url'", "twice")
  end)

  -- What arrived as the target of the last request.
  local function target_of(url)
    assert.equal("ok", assert(http.fetch(url)).body)
    local requests = server:requests()
    return requests[#requests]:match("^GET (%S+) HTTP/1.1\r\n")
  end

  it("has its spaces encoded", function()
    assert.equal("/a%20b%20?c%20d=%20e", target_of(server.url
      .. "/a b ?c d= e"))
  end)

  it("has its UTF-8 encoded", function()
    assert.equal("/%c3%bc/%e2%82%ac?%f0%9f%90%a6=%c3%9f", (target_of(server.url
      .. "/ü/€?🐦=ß"):gsub("%%%x%x", string.lower)))
  end)

  it("has bytes encoded that are no UTF-8", function()
    assert.equal(support.encoded("/%ff%80?%fe"),
      target_of(server.url .. "/\xff\x80?\xfe"))
  end)

  it("keeps what is encoded already", function()
    assert.equal(support.encoded("/%41%2f%20?%26=%3D+", true),
      target_of(server.url .. "/%41%2f%20?%26=%3D+"))
  end)

  it("has a scheme of any case", function()
    assert.equal("/x", target_of("HTTP://" .. address .. "/x"))
  end)
end)

describe("Userinfo", function()
  local SECRET = "s3cret"

  -- Nothing in the value, however deep, has the secret in it.
  local function assert_silent(value, seen)
    seen = seen or {}
    if seen[value] then return end
    assert.is_nil(tostring(value):find(SECRET, 1, true))
    if type(value) ~= "table" then return end
    seen[value] = true
    for key, member in pairs(value) do
      assert_silent(key, seen)
      assert_silent(member, seen)
    end
  end

  local function with_userinfo(rest)
    return "http://user:" .. SECRET .. "@" .. address .. rest
  end

  it("is not shown by a response", function()
    server:reset():script { "request", { send = LARGE }, "hold" }
    local r <close> = assert(http.get(with_userinfo("/path")))
    assert.equal(server.url .. "/path", r.url)
    assert.equal(server.url .. "/path", r.request.url)
    assert_silent(tostring(r))
    local lines = {}
    for name, value in pairs(r.request.headers) do lines[name] = value end
    assert_silent(lines)
  end)

  it("is not shown by a page", function()
    local page = assert(http.fetch(with_userinfo("/path")))
    assert.equal(server.url .. "/path", page.url)
    assert_silent(page)
  end)

  it("is not shown by the record of what is open", function()
    server:reset():script { "request", { send = LARGE }, "hold" }
    local r <close> = assert(http.get(with_userinfo("/path?a=" .. SECRET)))
    local records = http.leaks.open()
    assert.equal(server.url .. "/path?...", records[#records].url)
    assert_silent(records)
    assert_silent(tostring(r))
  end)

  it("is not shown by errors", function()
    server:reset():reply("HTTP/1.1 404 Not Found\r\n\r\n")
    local page, err = http.fetch(with_userinfo("/path"), { check = true })
    assert.is_nil(page)
    assert.equal(server.url .. "/path", err.url)
    assert_silent(err)
  end)

  it("is not shown when there is no connection", function()
    local port = support.refused_port
    local page, err = http.fetch(("http://user:%s@127.0.0.1:%d/?%s"):format(
      SECRET, port, SECRET))
    assert.is_nil(page)
    assert.equal("connect", err.code)
    assert_silent(err)
  end)

  it("is not shown when the url is malformed", function()
    for _, form in ipairs { "http://user:%s@127.0.0.1:99999/",
      "http://user:%s@/", "http://user:%s@a b/", "http://user:%s@h\\x",
      "ftp://user:%s@h/", "user:%s@h/", "http:/user:%s@h/",
      "http://user:%s@h/\n", "http://user:%s@[::/", "http://h:%s/",
      "%s://h/" } do
      local page, err = http.fetch(form:format(SECRET))
      assert.is_nil(page)
      assert.equal("url", err.code)
      assert_silent(err)
    end
  end)

  it("is not shown when a base_url is malformed", function()
    for _, form in ipairs { "http://user:%s@127.0.0.1:99999/",
      "http://user:%s@/", "http://user:%s@a b/", "ftp://user:%s@h/",
      "http://user:%s@h/\n", "http://user:%s@h\\" } do
      local ok, message = pcall(http.client, { base_url = form:format(SECRET) })
      assert.is_false(ok)
      assert_silent(message)
    end
  end)
end)

-- ---- headers, method, query ----

describe("A header", function()
  -- Each way to say one header, and each place to say it.
  local forms = {
    function(name, value) return { [name] = value } end,
    function(name, value) return { [name] = { "good", value } } end,
    function(name, value) return { { name, value } } end,
    function(name, value) return { { "X-Good", "1" }, { name, { value } } } end,
  }

  local function assert_request_refused(headers, ...)
    assert_raises_here(function()
      http.get(server.url, { headers = headers })
    end, "option 'headers'", ...)
  end

  local function assert_headers_refused(headers, ...)
    assert_request_refused(headers, ...)
    assert_raises_here(function()
      client:fetch(server.url, { headers = headers })
    end, "option 'headers'", ...)
    assert_raises_here(function()
      http.request { server.url, headers = headers }
    end, "option 'headers'", ...)
    assert_raises_here(function()
      http.client { headers = headers }
    end, "option 'headers'", ...)
    assert_raises_here(function()
      client:extend { headers = headers }
    end, "option 'headers'", ...)
  end

  it_refuses("has a name that is a token", function()
    local names = { "", " ", "X A", " X-A", "X-A ", "X-A:", ":path", "X;A",
      "X-A;", "X(A)", "X,A", "X/A", "X\"A", "X@A", "X[A]", "X{A}", "Ü" }
    for _, byte in ipairs(control_bytes) do
      table.move({ byte, "X" .. byte, "X" .. byte .. "A" }, 1, 3, #names + 1,
        names)
    end
    for _, name in ipairs(names) do
      for _, form in ipairs(forms) do
        assert_request_refused(form(name, "1"), "name", "token")
      end
    end
    for _, name in ipairs { "", "X\r\nY", "X\0", "X: Y" } do
      assert_headers_refused(forms[1](name, "1"), "name", "token")
    end
  end)

  it_refuses("has a value without control bytes, but for tabs", function()
    local values = { "1\r\nX-B: 2", "1\n", "\r\n", "1\r\n\r\nGET / HTTP/1.1" }
    for _, byte in ipairs(control_bytes) do
      if byte ~= "\t" then
        table.move({ byte, byte .. "1", "1" .. byte, "1" .. byte .. "2" },
          1, 4, #values + 1, values)
      end
    end
    for _, value in ipairs(values) do
      for _, form in ipairs(forms) do
        assert_request_refused(form("X-A", value), "field 'X-A'", "value")
      end
    end
    for _, value in ipairs { "1\r\nX-B: 2", "1\n", "\r", "1\0" } do
      assert_headers_refused(forms[1]("X-A", value), "field 'X-A'", "value")
    end
  end)

  it_refuses("has a value that is a string, a number, or false", function()
    for _, value in ipairs { true, {}, print, io.stdout,
      coroutine.create(print) } do
      for _, form in ipairs(forms) do
        assert_headers_refused(form("X-A", value), "field 'X-A'")
      end
    end
  end)

  it_refuses("has values in one list, not in lists of lists", function()
    assert_headers_refused({ ["X-A"] = { { "1" } } }, "field 'X-A'")
    assert_headers_refused({ ["X-A"] = { "1", { "2" } } }, "field 'X-A'")
  end)

  it_refuses("is never curlew's own: length, framing, host", function()
    for _, name in ipairs { "Content-Length", "content-length",
      "CONTENT-LENGTH", "Transfer-Encoding", "tRANSFER-eNCODING", "Host",
      "host" } do
      for _, form in ipairs(forms) do
        assert_request_refused(form(name, "5"), "field '" .. name .. "'")
      end
      assert_headers_refused({ [name] = false }, "field '" .. name .. "'")
    end
  end)

  it_refuses("in a list is a name and a value", function()
    for _, headers in ipairs { { "X-A: 1" }, { "X-A", "1" }, { {} },
      { { "X-A" } }, { { "X-A", "1", "2" } }, { 5 }, { true },
      { { "X-A", "1" }, "X-B" } } do
      assert_headers_refused(headers, "{name, value}")
    end
  end)

  it_refuses("in a list has a name that is a string", function()
    for _, name in ipairs { 5, true, {}, print } do
      assert_headers_refused({ { name, "1" } }, "string")
    end
  end)

  it_refuses("is never passed over: keys are names, or a list's", function()
    for _, key in ipairs { 0, -1, 3, 1.5, true, print } do
      assert_headers_refused({ [key] = { "X-A", "1" } })
      assert_headers_refused({ [1] = { "X-B", "1" }, [key] = { "X-A", "1" } })
    end
  end)

  it_refuses("is at most 256 KiB, with all others", function()
    assert_headers_refused({ ["X-A"] = ("x"):rep(256 * 1024) }, "256 KiB")
    local many = {}
    for i = 1, 300 do many[i] = { "X-" .. i, ("x"):rep(1024) } end
    assert_headers_refused(many, "256 KiB")
  end)
end)

describe("A method", function()
  it_refuses("is a token", function()
    local methods = { "", " ", "GET ", " GET", "GE T", "GET/1", "GET:",
      "(GET)", "Ü", "GET\r\nX: 1", "GET / HTTP/1.1\r\n\r\nGET" }
    for _, byte in ipairs(control_bytes) do
      methods[#methods + 1] = "GET" .. byte
    end
    for _, method in ipairs(methods) do
      assert_raises_here(function()
        http.request { server.url, method = method }
      end, "option 'method'")
      assert_raises_here(function()
        client:fetch(server.url, { method = method })
      end, "option 'method'")
    end
  end)
end)

describe("A query", function()
  local function assert_query_refused(query, ...)
    assert_raises_here(function()
      http.get(server.url, { query = query })
    end, "option 'query'", ...)
    assert_raises_here(function()
      http.fetch { server.url, query = query }
    end, "option 'query'", ...)
    assert_raises_here(function()
      client:request { server.url, query = query }
    end, "option 'query'", ...)
    assert_raises_here(function()
      http.client { query = query }
    end, "option 'query'", ...)
    assert_raises_here(function()
      client:extend { query = query }
    end, "option 'query'", ...)
  end

  it_refuses("has values that are text, and names it has none for", function()
    for _, value in ipairs { print, io.stdout, coroutine.create(print) } do
      assert_query_refused({ a = value }, "a", type(value))
      assert_query_refused({ a = { 1, value } }, "a", type(value))
      assert_query_refused({ { "a", value } }, "a", type(value))
    end
  end)

  it_refuses("in a list is a name and a value", function()
    for _, query in ipairs { { "a=b" }, { {} }, { { "a" } },
      { { "a", "b", "c" } }, { { "a", "b" }, "c" }, { 5 }, { true } } do
      assert_query_refused(query, "{name, value}")
    end
  end)

  it_refuses("has names that are text", function()
    for _, name in ipairs { true, {}, print } do
      assert_query_refused({ { name, "b" } }, type(name))
    end
  end)

  it_refuses("is never passed over: keys are names, or a list's", function()
    for _, key in ipairs { 0, -1, 3, 1.5, true, print } do
      assert_query_refused({ [key] = "b" })
      assert_query_refused({ [key] = { "a", "b" } })
      assert_query_refused({ [1] = { "a", "b" }, [key] = { "c", "d" } })
    end
  end)

  it_refuses("has lists of values, not lists of lists", function()
    assert_query_refused({ a = { { 1 }, { 2 } } }, "a", "table")
    local endless = {}
    endless[1] = endless
    assert_query_refused({ a = endless }, "a", "table")
  end)
end)

-- ---- faces ----

describe("The other face of a function", function()
  local dots = { "http:get(url)", "http:get(url, {})", "http:get { url }",
    "http:get()", "http:head(url)", "http:head(url, {})",
    "http:request { url }", "http:fetch(url)", "http:fetch(url, {})",
    "http:client()", "http:client {}", "http:stats()", "http:limits()",
    "http:limits { max_open = 5 }", "http:features()", "http:type(1)" }
  local colons = { "client.get(url)", "client.get(url, {})",
    "client.get { url }", "client.get()", "client.get(http, url)",
    "client.get(r, url)", "client.head(url)", "client.request { url }",
    "client.fetch(url)", "client.fetch(url, {})", "client.extend {}",
    "client.extend()", "client.use(print)", "client.stats()", "client.close()",
    "r.read('a')", "r.read(5)", "r.read()", "r.read(client, 'a')", "r.text()",
    "r.text({})", "r.close()", "r.check()", "r.header('x')", "r.header()",
    "r.move()", "page.header('x')", "page.header()", "page.check()" }

  local page, r

  before_each(function()
    local nginx = support.nginx()
    page = assert(http.fetch(nginx.http .. "/small"))
    r = assert(http.get(nginx.http .. "/small"))
  end)
  after_each(function() r:close() end)

  local function assert_taught(code, lesson)
    local limits = http.limits()
    local call = assert(load("local http, client, r, page, url = ...\n" .. code,
      "=caller"))
    local ok, message = pcall(call, http, client, r, page, server.url)
    assert.is_false(ok)
    assert.equal("caller:2: ", message:sub(1, 10))
    assert_has(message, lesson)
    assert.same(limits, http.limits())
  end

  for _, code in ipairs(dots) do
    it_refuses("teaches the dot: " .. code, function()
      local name = code:match("^http:(%a+)")
      assert_taught(code, "call http." .. name .. "(...) with a dot")
    end)
  end

  for _, code in ipairs(colons) do
    it_refuses("teaches the colon: " .. code, function()
      assert_taught(code, "with a colon")
    end)
  end
end)

-- ---- what is over ----

describe("A closed response", function()
  local function open()
    server:reset():script { "request", { send = LARGE }, "hold" }
    return assert(http.get(server.url))
  end

  local uses = {
    ['r:read("a")'] = function(it) it:read("a") end,
    ["r:read(1)"] = function(it) it:read(1) end,
    ["r:read(0)"] = function(it) it:read(0) end,
    ["r:text()"] = function(it) it:text() end,
    ["r:check()"] = function(it) it:check() end,
    ["r:move()"] = function(it) it:move() end,
  }

  local function line() return debug.getinfo(2, "l").currentline end

  for name, use in pairs(uses) do
    it("says where it was closed: " .. name, function()
      local r = open()
      r:close() local closed = line()
      local ok, message = pcall(use, r)
      assert.is_false(ok)
      assert_has(message, ("the response was closed at %s:%d"):format(HERE,
        closed))
    end)

    it("says that its scope ended, and the way out: " .. name, function()
      local escaped, closed
      do
        local scoped <close> = open()
        escaped = scoped
        closed = line() -- Lua names the last statement, not the 'end'
      end
      local ok, message = pcall(use, escaped)
      assert.is_false(ok)
      assert_has(message, ("closed at %s:%d"):format(HERE, closed),
        "<close> scope ended", "return r:move()")
    end)
  end

  it("is blamed on the line that uses it", function()
    local r = open()
    r:close()
    assert_raises_here(function()
      r:read("a")
    end, "closed")
  end)

  it("keeps its fields", function()
    local fields = { "status", "reason", "ok", "url", "http_version", "length" }
    local r = open()
    local before = {}
    for _, name in ipairs(fields) do before[name] = r[name] end
    r:close()
    for _, name in ipairs(fields) do assert.equal(before[name], r[name]) end
    assert.equal("70000", r.headers["content-length"])
    assert.equal("70000", r:header("content-length"))
    assert.equal("GET", r.request.method)
    assert.is_table(r.info)
  end)

  it("is closed again without harm", function()
    local r = open()
    assert.is_true(r:close())
    local before = http.stats()
    assert.is_true(r:close())
    do
      local again <close> = r
      assert.equal(200, again.status)
    end
    assert.same(before.released_by, http.stats().released_by)
  end)

  it("is one that check refused, too", function()
    server:reset():reply("HTTP/1.1 404 Not Found\r\n\r\n")
    local lost = assert(http.get(server.url))
    local checked = lost:check() local closed = line()
    assert.is_nil(checked)
    local ok, message = pcall(lost.text, lost)
    assert.is_false(ok)
    assert_has(message, ("closed at %s:%d"):format(HERE, closed))
  end)

  it("says what it is", function()
    local r = open()
    assert.equal("response", http.type(r))
    r:close()
    assert.equal("closed response", http.type(r))
  end)

  it("is nothing that check = function may hand out", function()
    server:reset():reply(OK)
    local ok, message = pcall(http.get, server.url, { check = function(it)
      it:close()
      return true
    end })
    assert.is_false(ok)
    assert_has(message, "closed at " .. HERE)
  end)
end)

describe("A moved response", function()
  -- The empty one, its owner, and the line of the move.
  local function move()
    server:reset():script { "request", { send = LARGE }, "hold" }
    local r = assert(http.get(server.url))
    local owner = r:move() local moved = debug.getinfo(1, "l").currentline
    return r, owner, moved
  end

  local uses = {
    "r.status", "r.reason", "r.ok", "r.url", "r.http_version", "r.length",
    "r.headers", "r.request", "r.info", "r:header('x')", "r:read('a')",
    "r:text()", "r:check()", "r:move()",
  }
  for _, code in ipairs(uses) do
    it("says where it went: " .. code, function()
      local use = assert(load("local r = ...\nlocal _ = " .. code, "=caller"))
      local r, owner, moved = move()
      owner:close()
      local ok, message = pcall(use, r)
      assert.is_false(ok)
      assert.equal(("caller:2: the response was moved away at %s:%d")
        :format(HERE, moved), message)
    end)
  end

  it("is closed without harm to what it was", function()
    local r, moved_to = move()
    local owner <close> = moved_to
    assert.is_true(r:close())
    do
      local empty <close> = r
      assert.equal("closed response", http.type(empty))
    end
    assert.matches("moved", tostring(r))
    assert.same({ "response", 200, "some" }, { http.type(owner), owner.status,
      owner:read(4) })
  end)
end)

describe("A response's fields", function()
  it("are not set", function()
    local r <close> = assert(http.get(server.url))
    assert_raises_here(function()
      r.status = 500
    end, "status")
    assert_raises_here(function()
      r.mine = 1
    end, "mine")
    assert.equal(200, r.status)
  end)

  it("that are unknown are nil", function()
    local r <close> = assert(http.get(server.url))
    assert.is_nil(r.no_such_field)
    assert.is_nil(r[1])
    assert.is_nil(r[true])
  end)
end)

-- ---- at the same time ----

describe("A response that is being read", function()
  local uses = {
    ['r:read("a")'] = function(r) r:read("a") end,
    ["r:read(0)"] = function(r) r:read(0) end,
    ["r:text()"] = function(r) r:text() end,
    ["r:check()"] = function(r) r:check() end,
    ["r:move()"] = function(r) r:move() end,
  }
  local readers = {
    ['r:read("a")'] = function(r) return r:read("a") end,
    ["r:read(70000)"] = function(r) return r:read(70000) end,
    ["r:text()"] = function(r) return r:text() end,
  }

  before_each(function()
    server:reset():script { "request", { send = LARGE }, "wait",
      { send = ("x"):rep(70000 - #"some") }, "hold" }
  end)

  for reader_name, reader in pairs(readers) do
    for name, use in pairs(uses) do
      it(("by %s is not to be used: %s"):format(reader_name, name), function()
        local loop <close> = scheduler()
        local r <close> = assert(http.get(server.url))
        local result
        loop.spawn(function() result = reader(r) end)
        local ok, message = pcall(use, r)
        server:go()
        while loop.round() do end
        assert.is_false(ok)
        assert_has(message, "is being read by another call")
        assert.equal(70000, #result)
      end)
    end

    it(("by %s may be closed: the reader is told"):format(reader_name),
      function()
        local loop <close> = scheduler()
        local r = assert(http.get(server.url))
        local told
        loop.spawn(function()
          local ok, message = pcall(reader, r)
          told = not ok and message
        end)
        r:close()
        for _ = 1, 10 do loop.round(0.01) end
        assert.is_string(told)
        assert_has(told, "closed at " .. HERE)
      end)

    it(("by %s may lose its client: the reader is told"):format(reader_name),
      function()
        local loop <close> = scheduler()
        local r <close> = assert(client:get(server.url))
        local result
        loop.spawn(function() result = table.pack(reader(r)) end)
        client:close()
        for _ = 1, 10 do loop.round(0.01) end
        assert.same({ 2, nil, "cancelled" },
          { result.n, result[1], result[2].code })
      end)
  end

  it("may be read on by another when the first is done", function()
    local loop <close> = scheduler()
    local r <close> = assert(http.get(server.url))
    local first
    loop.spawn(function() first = r:read(10) end)
    server:go()
    while loop.round() do end
    assert.same({ "somexxxxxx", "x" }, { first, r:read(1) })
  end)
end)

-- ---- clients ----

describe("A closed client", function()
  local uses = {
    "client:get(url)", "client:get(url, {})", "client:head(url)",
    "client:request { url }", "client:fetch(url)", "client:extend {}",
    "client:extend()", "client:get { url, query = { a = 1 } }",
    "client:use(print)",
  }
  for _, code in ipairs(uses) do
    it("opens nothing: " .. code, function()
      client:close()
      local before = http.stats()
      local use = assert(load("local client, url = ...\n" .. code, "=caller"))
      local ok, message = pcall(use, client, server.url)
      assert.is_false(ok)
      assert.equal("caller:2: the client is closed", message)
      assert_untouched(before)
    end)
  end

  it("still tells what it did, and is closed again", function()
    client:fetch(server.url)
    client:close()
    assert.equal(1, client:stats().opened)
    assert.is_true(client:close())
    assert.equal("closed client", http.type(client))
    assert.equal("curlew.client (closed)", tostring(client))
  end)

  it("ended what it had open; its readers are told, each time", function()
    server:reset():script { "request", { send = LARGE }, "hold" }
    local r <close> = assert(client:get(server.url))
    client:close()
    local body, err = r:read("a")
    assert.is_nil(body)
    assert.equal("cancelled", err.code)
    assert.equal(err, select(2, r:read(1)))
    assert.equal(0, client:stats().open)
  end)

  it_refuses("is what a <close> scope leaves behind", function()
    local escaped
    do
      local scoped <close> = http.client()
      escaped = scoped
    end
    assert_raises_here(function()
      escaped:get(server.url)
    end, "the client is closed")
  end)

  it("does not close what was extended of it", function()
    local extended <close> = client:extend { user_agent = "x" }
    client:close()
    assert.equal("ok", assert(extended:fetch(server.url)).body)
  end)
end)

-- ---- the rest ----

describe("limits", function()
  it("are whole numbers in their range", function()
    local before = http.limits()
    for name, least in pairs { max_open = 1, idle_connections = 0 } do
      for _, value in ipairs { least - 1, -1, 1.5, 0 / 0, 1 / 0, 1e9,
        math.mininteger, "5", true, {}, print } do
        assert_raises_here(function()
          http.limits { [name] = value }
        end, "limit '" .. name .. "'", "integer")
      end
    end
    assert.same(before, http.limits())
  end)

  it("have two names", function()
    local before = http.limits()
    for _, name in ipairs { "max_opened", "max_open\0", "idle", 1, true } do
      assert_raises_here(function()
        http.limits { [name] = 5 }
      end, "unknown limit", "max_open, idle_connections")
    end
    assert.same(before, http.limits())
  end)

  it("are set all or not at all", function()
    local before = http.limits()
    assert.error(function()
      http.limits { max_open = 5, idle_connections = -1 }
    end)
    assert.error(function()
      http.limits { max_open = -1, idle_connections = 5 }
    end)
    assert.same(before, http.limits())
  end)

  it("are a table", function()
    for _, value in ipairs { 5, "5", true, print } do
      assert_raises_here(function()
        http.limits(value)
      end, "table expected, got " .. type(value))
    end
  end)
end)

describe("type", function()
  it("wants a value", function()
    assert_raises_here(function()
      http.type()
    end, "value expected")
  end)

  it("of what is not curlew's is nil", function()
    for _, value in ipairs { 1, "x", true, {}, print, io.stdout, http } do
      assert.is_nil(http.type(value))
    end
    assert.is_nil(http.type(nil))
  end)
end)

describe("read", function()
  local r

  before_each(function() r = assert(http.get(server.url)) end)
  after_each(function() r:close() end)

  it("wants a format that it knows", function()
    for _, format in ipairs { "", "b", "ball", "*", "\0a", -1, 1.5, 0 / 0,
      1 / 0, math.mininteger, true, {}, print } do
      local message = assert_raises_here(function()
        r:read(format)
      end)
      assert.matches("expected", message)
    end
    assert.equal("ok", r:read("a"))
  end)

  it("of more bytes than can be is the whole body", function()
    assert.equal("ok", r:read(math.maxinteger))
  end)
end)

describe("header", function()
  it("wants a name", function()
    local r <close> = assert(http.get(server.url))
    assert_raises_here(function()
      r:header()
    end, "string expected")
    assert_raises_here(function()
      r:header({})
    end, "string expected")
  end)

  it("of a page wants a name, too", function()
    local page = assert(http.fetch(server.url))
    assert_raises_here(function()
      page:header()
    end, "string expected")
    assert_raises_here(function()
      page:header({})
    end, "string expected")
  end)
end)
