--- r.request:curl(): the command is run by sh, and what arrives is what curlew
-- sent.

local support = require "spec.support"
local command = require "curlew.command"
local http = require "curlew"

local OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
local HERE = debug.getinfo(1, "S").short_src

local server

before_each(function()
  server = support.server()
  server:script { { loop = { "request", { send = OK } } } }
end)
after_each(function() server:close() end)

local function last_request()
  local all = server:requests()
  return all[#all]
end

local function write(name, bytes)
  local path = support.folder() .. "/" .. name
  local file <close> = assert(io.open(path, "wb"))
  assert(file:write(bytes))
  return path
end

-- Without the settings of whoever runs this; `input` for its standard input.
local function run(text, input)
  local before = #server:requests()
  local child <close> = assert(support.posix.spawn {
    "sh", write("command", text), stderr = true,
    env = { HOME = "/nonexistent", CURL_HOME = "/nonexistent" },
  })
  local out, err, done = child:communicate(input or "", 30)
  assert.is_true(done)
  local _, code = child:wait(10)
  if code ~= 0 then assert.equal(text, err) end
  assert.equal(before + 1, #server:requests())
  return out
end

-- First line, the other lines sorted, body: that is what has to be equal.
local function parsed(request)
  local head, body = request:match("^(.-)\r\n\r\n(.*)$")
  local first, rest = head:match("^([^\r]*)\r\n(.*)$")
  local lines = {}
  for line in rest:gmatch("[^\r\n]+") do lines[#lines + 1] = line end
  table.sort(lines)
  return { first = first, lines = lines, body = body }
end

local function masked(request, names)
  for _, name in ipairs(names or {}) do
    request = request:gsub("(\n" .. name .. ": )[^\r]*", "%1***")
  end
  return request
end

-- What curlew sent, and what the command that its request tells does.
local function assert_same_sent(options, secret, client)
  local page = assert((client or http).fetch(client or server.url .. "/",
    client and server.url .. "/" or options, client and options))
  local sent = masked(last_request(), secret)
  local text = page.request:curl()
  run(text)
  assert.same(parsed(sent), parsed(last_request()))
  return text
end

describe("The command of a request", function()
  local cases = {
    ["a plain GET"] = {},
    ["a query"] = { query = { { "a b", "c&d" }, { "e'f", "$g`h`\"" },
      { "[1-3]", "{x,y}" }, { "ü", "*" } } },
    ["header lines"] = { headers = { { "X-A", "it's $HOME `id` \\ \"q\"" },
      { "X-B", "two  blanks" }, { "x-b", "again" }, { "X-C", "-I" },
      { "X-D", "@/etc/passwd" }, { "X-E", "ü\t;" }, { "X-F", "a\\nb\\" },
      { "X-G", "#!~*?[a]{b,c}&|<>()" } } },
    ["empty header lines"] = { headers = { { "X-A", "" }, { "X-B", " " } } },
    ["curl's own lines taken away"] = { headers = { Accept = false,
      ["user-agent"] = false, ["Accept-Encoding"] = false } },
    ["curl's own lines replaced"] = { headers = { Accept = "a/b",
      ["User-Agent"] = "me", ["Accept-Encoding"] = "gzip" } },
    ["a user agent"] = { user_agent = "it's -me; \"1\"" },
    ["no coded body asked for"] = { decode = false },
    ["HEAD"] = { method = "HEAD" },
    ["POST without a body"] = { method = "POST" },
    ["a method of its own"] = { method = "M-SEARCH'$*" },
  }

  for what, options in pairs(cases) do
    it("sends " .. what, function() assert_same_sent(options) end)
  end

  it("sends what a client's defaults are", function()
    local client <close> = http.client { user_agent = "mine",
      headers = { ["X-A"] = "a", ["X-B"] = "b", Accept = false } }
    local page = assert(client:fetch(server.url .. "/x",
      { headers = { ["X-B"] = false } }))
    local sent = last_request()
    run(page.request:curl())
    assert.same(parsed(sent), parsed(last_request()))
    assert.is_nil(sent:find("X-B", 1, true))
  end)

  it("is what an open response tells, too", function()
    local r <close> = assert(http.get(server.url .. "/?a=[1]"))
    local sent = last_request()
    run(r.request:curl())
    assert.same(parsed(sent), parsed(last_request()))
  end)

  it("has the url as it was sent", function()
    local page = assert(http.fetch(server.url .. '/[1]{a}"<>^`|b?{1}\\"'))
    local sent = last_request()
    assert.matches("^GET /%[1%]%%7Ba%%7D%%22%%3C%%3E%%5E%%60%%7Cb"
      .. "%?%%7B1%%7D%%5C%%22 HTTP", sent)
    local target = sent:match("^GET (%S+)")
    assert.equal(server.url .. target, page.url)
    assert.equal(page.url, page.request.url)
    run(page.request:curl())
    assert.same(parsed(sent), parsed(last_request()))
  end)

  it("masks what is secret", function()
    local text = assert_same_sent({ headers = { Authorization = "Bearer s3cret",
      ["proxy-authorization"] = "Basic s3cret", Cookie = "a=s3cret" } },
      { "Authorization", "proxy%-authorization", "Cookie" })
    assert.is_nil(text:find("s3cret", 1, true))
  end)

  it("masks userinfo, and authenticates where that was", function()
    local url = server.url:gsub("//", "//user:s3cret@")
    local page = assert(http.fetch(url .. "/@?a=b@c"))
    local sent = last_request()
    local text = page.request:curl()
    run(text)
    local hidden = { "Authorization" }
    assert.same(parsed(masked(sent, hidden)),
      parsed(masked(last_request(), hidden)))
    assert.matches("Authorization: Basic", last_request(), 1, true)
    assert.is_nil(text:find("s3cret", 1, true) or text:find("user:", 1, true))
  end)

  it("has nothing of it in the request itself", function()
    local page = assert(http.fetch(server.url, { user_agent = "mine" }))
    local names = {}
    for name in pairs(page.request) do names[#names + 1] = name end
    table.sort(names)
    assert.same({ "headers", "method", "url" }, names)
  end)

  it("goes where the request went", function()
    local port = server.url:match("%d+$")
    local function sent_by(url, options)
      local page = assert(http.fetch(url, options))
      local before, text = last_request(), page.request:curl()
      run(text)
      assert.same(parsed(before), parsed(last_request()))
      return text
    end
    assert.matches("--connect-to name.none:80:127.0.0.1:" .. port, sent_by(
      "http://name.none/x", { resolve = { ["name.none:80"] = "127.0.0.1:"
        .. port } }), 1, true)
    assert.matches("-x " .. server.url, sent_by("http://name.none/x",
      { proxy = server.url }), 1, true)
    assert.matches("--interface 127.0.0.1 -4", sent_by(server.url .. "/",
      { interface = "127.0.0.1", ip = 4, proxy = false }), 1, true)
    local page = assert(http.fetch("http://name.none/x",
      { proxy = server.url:gsub("//", "//u:s3cret@") }))
    assert.matches("-x 'http://***:***@127.0.0.1:" .. port,
      page.request:curl(), 1, true)
    local socket = support.nginx().socket
    page = assert(http.fetch("http://local/1k", { unix = socket }))
    local _, out = support.command("sh", "-c", page.request:curl())
    assert.equal(page.body, out)
  end)

  it("trusts whom the request trusted", function()
    local certificates = support.certificates()
    local tls <close> = support.server { tls = certificates.good }
    tls:script { { loop = { "request", { send = OK } } } }
    for _, option in ipairs { { ca = certificates.ca }, { verify = false } } do
      local page = assert(http.fetch(tls.url, { tls = option }))
      local child <close> = assert(support.posix.spawn {
        "sh", "-c", page.request:curl(), stderr = true })
      assert.equal("ok", (child:communicate("", 30)))
    end
    local all = tls:requests()
    assert.equal(4, #all)
    assert.same(parsed(all[1]), parsed(all[2]))
    assert.same(parsed(all[1]), parsed(all[4]))
  end)

  it("holds no key, no certificate, no password", function()
    local good = support.certificates().good
    local tls <close> = support.server { tls = good }
    tls:script { { loop = { "request", { send = OK } } } }
    local ca <close> = assert(io.open(support.certificates().ca))
    local page = assert(http.fetch(tls.url, { tls = { ca = ca:read("a"),
      cert = good.cert, key = good.key, key_password = "s3cret", min = "1.2",
      max = "1.3" } }))
    local text = page.request:curl()
    assert.is_nil(text:find("s3cret", 1, true) or text:find("BEGIN", 1, true))
    assert.matches("--pass '***' --tlsv1.2 --tls-max 1.3", text, 1, true)
    local wire = require("curlew.core").wire(page.request).options.tls
    assert.same({ ca = true, cert = true, key = true, key_password = true,
      min = "1.2", max = "1.3" }, wire)
  end)

  it("is asked for with a colon", function()
    local page = assert(http.fetch(server.url))
    for _, self in ipairs { server.url, {}, page } do
      local ok, message = pcall(function()
        local text = page.request.curl(self)
        return text
      end)
      assert.is_false(ok)
      assert.matches("^" .. HERE:gsub("%p", "%%%0")
        .. ":%d+: call request:curl%(%) with a colon", message)
    end
  end)
end)

-- ---- bodies ----

describe("The command of a request with a body", function()
  -- What differs each time: the boundary.
  local function without_boundary(request)
    local boundary = request:match("boundary=([^\r]*)")
    return boundary and request:gsub(boundary, ("-"):rep(#boundary)) or request
  end

  local function compare(options, input, secret)
    options.method = options.method or "POST"
    local page = assert(http.fetch(server.url .. "/", options))
    local sent = without_boundary(masked(last_request(), secret))
    local text = page.request:curl()
    run(text, input)
    assert.same(parsed(sent),
      parsed(without_boundary(masked(last_request(), secret))))
    return text
  end

  local path
  setup(function() path = write("a file", "bytes\0\r\n") end)

  local cases = {
    ["text"] = { body = "it's $HOME\n" }, ["nothing"] = { body = "" },
    ["text and its type"] = { body = "{}",
      headers = { ["Content-Type"] = "a/b" } },
    ["any byte"] = { body = "-%\0\255'\\" },
    ["PATCH"] = { method = "PATCH" },
    ["DELETE"] = { method = "DELETE", body = "a" },
    ["json"] = { json = { a = { 1, "ü'" } } },
    ["json of another type"] = { json = {},
      headers = { ["content-type"] = "application/x+json" } },
    ["json without a type"] = { json = {},
      headers = { ["content-type"] = false } },
    ["a form"] = { form = { a = "b c", d = "ü&" } },
    ["parts of text"] = { multipart = { { name = "a", "b;" },
      { name = 'c"', "@d", type = "x/y" },
      { name = "e", 1, filename = "f" } } },
    ["a wish for 100"] = { body = "a", expect = true },
    ["basic's credentials"] = { body = "a", auth = { basic = { "u", "s3" } } },
    ["a token"] = { body = "a", auth = { bearer = "s3" } },
  }
  for what, options in pairs(cases) do
    it("sends " .. what, function()
      local text = compare(options, "", { "Authorization" })
      assert.is_nil(text:find("s3", 1, true))
    end)
  end

  it("sends files", function()
    compare { file = path }
    compare { method = "PUT", file = path }
    compare { multipart = { { name = "a", file = path },
      { name = "b", file = path, filename = "c.html" } } }
  end)

  it("takes from standard input what it cannot tell", function()
    local handle <close> = assert(io.open(path))
    compare({ file = handle }, "bytes\0\r\n")
    local function producer()
      local given
      return function()
        if given then return nil end
        given = true
        return "piece"
      end
    end
    compare({ body = producer() }, "piece")
    compare({ body = producer(), length = 5, method = "PUT" }, "piece")
    local long = ("x"):rep(2 ^ 20 + 1)
    assert.is_true(#compare({ body = long }, long) < 1000)
  end)

  it("masks header lines that are said to be secret", function()
    local text = compare({ body = "a", secret_headers = { "x-key" },
      headers = { ["X-Key"] = "s3cret" } }, "", { "X%-Key" })
    assert.is_nil(text:find("s3cret", 1, true))
  end)

  it("is that of the last hop", function()
    server:reset():script { "request", { send = "HTTP/1.1 303 See Other\r\n"
      .. "Location: /next\r\nContent-Length: 0\r\n\r\n" }, "request",
      { send = OK }, "close" }
    server:script { { loop = { "request", { send = OK } } } }
    local page = assert(http.fetch(server.url .. "/",
      { method = "POST", json = {} }))
    local sent = last_request()
    run(page.request:curl())
    assert.same(parsed(sent), parsed(last_request()))
    assert.matches("^GET /next ", sent)
  end)
end)

-- ---- whatever a body may be ----

local function told(request, secrets)
  request.url = request.url or server.url .. "/"
  return command.line(request, secrets)
end

-- The body that arrives, and the header lines by their names in small letters.
local function arrived(request, input)
  run(told(request), input)
  local got = parsed(last_request())
  local fields = {}
  for _, line in ipairs(got.lines) do
    local name, value = line:match("^([^:]*): ?(.*)$")
    fields[name:lower()] = value
  end
  return got.body, fields, got.first:match("^%S+")
end

describe("The command of a body", function()
  local every = {}
  for byte = 0, 255 do every[byte + 1] = string.char(byte) end
  local bytes = table.concat(every)

  local texts = {
    ["a word"] = "text", ["nothing"] = "", ["an @"] = "@/etc/passwd",
    ["line breaks"] = "\r\na\n\n'b'\\n\n", ["a hyphen"] = "-I",
    ["shell words"] = "$HOME `id` $(id) \"!\" ~ * # ; & | > <",
    ["every byte but NUL"] = bytes:sub(2), ["every byte"] = bytes,
    ["every byte, a hyphen first"] = "-" .. bytes,
    ["percents"] = "%s%d%%\0%n\\0", ["digits behind a NUL"] = "\0001\0002",
    ["more than an argument holds"] = ("a'b\\%%"):rep(60000),
  }

  for what, text in pairs(texts) do
    it("sends " .. what, function()
      local body, fields, method = arrived { method = "POST", body = text }
      assert.is_true(body == text)
      assert.equal(tostring(#text), fields["content-length"])
      assert.is_nil(fields["content-type"] or fields.expect)
      assert.equal("POST", method)
    end)
  end

  it("has the method that was asked for", function()
    for _, method in ipairs { "POST", "PUT", "PATCH", "DELETE", "GET" } do
      local body, _, got = arrived { method = method, body = "text" }
      assert.same({ method, "text" }, { got, body })
    end
  end)

  it("has the type that was sent", function()
    local _, fields = arrived { method = "POST", body = "{}",
      headers = { { "content-type", "a/b" } } }
    assert.equal("a/b", fields["content-type"])
    _, fields = arrived { method = "POST", body = "{}",
      content_type = "application/json" }
    assert.equal("application/json", fields["content-type"])
    _, fields = arrived { method = "POST", body = "{}",
      content_type = "application/json", removed = { "Content-Type" } }
    assert.is_nil(fields["content-type"])
  end)

  it("waits for no 100, unless the request did", function()
    local _, fields = arrived { method = "POST", body = ("x"):rep(2 ^ 21) }
    assert.is_nil(fields.expect)
    server:reset():script { "request", { send = OK }, "close" }
    assert.matches("Expect: 100-continue", told { method = "POST", body = "x",
      options = { expect = true } }, 1, true)
  end)

  it("is a file's", function()
    local path = write("it's a; file,=\"1\"", bytes)
    local body, fields, method = arrived { method = "PUT", file = path }
    assert.is_true(body == bytes)
    assert.same({ "256", "PUT" }, { fields["content-length"], method })
    assert.is_nil(fields["content-type"] or fields.expect)
    assert.matches("@./-", told { method = "PUT", file = "-" }, 1, true)
  end)

  it("comes from standard input where only the program had it", function()
    local body, fields, method = arrived({ method = "POST", body = print },
      "given")
    assert.matches("given", body, 1, true)
    assert.same({ "chunked", "POST" },
      { fields["transfer-encoding"], method })
    body, fields, method = arrived({ method = "PUT", body = print, length = 5 },
      "given")
    assert.same({ "given", "5", "PUT" },
      { body, fields["content-length"], method })
    local handle <close> = assert(io.tmpfile())
    body = arrived({ method = "POST", file = handle }, "a\nb\0")
    assert.equal("a\nb\0", body)
  end)
end)

describe("The command of a multipart body", function()
  -- The parts as they came: header lines and content.
  local function parts_of(body, fields)
    local boundary = fields["content-type"]:match(
      "^multipart/form%-data; boundary=(.*)$")
    local parts, from = {}, #boundary + 5
    while true do
      local to = body:find("\r\n--" .. boundary, from, true)
      if not to then return parts end
      parts[#parts + 1] = body:sub(from, to - 1)
      from = to + #boundary + 6
    end
  end

  local function assert_part(expected, part, input)
    local body, fields, method = arrived({ method = "POST",
      multipart = { part } }, input)
    assert.same({ expected }, parts_of(body, fields))
    assert.is_nil(fields.expect)
    assert.equal("POST", method)
  end

  local form = 'Content-Disposition: form-data; name="%s"'

  it("has parts of text", function()
    for _, text in ipairs { "b", "", "@/etc/passwd", "<x", '"q"; type=a/b',
      "a\r\n\tb\\'", "ü,;=", " blank " } do
      assert_part(form:format("a b;") .. "\r\n\r\n" .. text,
        { name = "a b;", text })
      assert_part(form:format("a") .. "\r\nContent-Type: x/y\r\n\r\n" .. text,
        { name = "a", text, type = "x/y" })
      assert_part(form:format("a") .. '; filename="f%22g\\h;"\r\n'
        .. "Content-Type: x/y\r\n\r\n" .. text,
        { name = "a", text, type = "x/y", filename = 'f"g\\h;' })
    end
  end)

  it("has names as browsers write them", function()
    assert_part(form:format("ü%22%0D%0A") .. "\r\n\r\nb",
      { name = 'ü"\r\n', "b" })
  end)

  it("has parts of files", function()
    local path = write('it\'s "a"; f,=\\1', "bytes\0\r\n")
    assert_part(form:format("a") .. '; filename="x.bin"\r\n'
      .. "Content-Type: application/octet-stream\r\n\r\nbytes\0\r\n",
      { name = "a", file = path, filename = "x.bin" })
  end)

  it("has a part of standard input", function()
    assert_part(form:format("a") .. '; filename="x"\r\n'
      .. "Content-Type: a/b\r\n\r\ngiven\0",
      { name = "a", body = print, filename = "x", type = "a/b" }, "given\0")
    assert_part(form:format("a") .. "\r\n\r\ngiven",
      { name = "a", body = print }, "given")
  end)

  it("says what it cannot", function()
    assert.matches("# FILE: a file with the 2 bytes of part a$",
      told { multipart = { { name = "a", "\0b" } } })
    assert.matches("# curl takes no part whose name has a =: a=%?b$",
      told { multipart = { { name = "a=\nb", "c" } } })
  end)
end)

describe("A command", function()
  local function line(options, more)
    local request = more or {}
    request.url = request.url or "https://h/"
    request.options = options
    return command.line(request)
  end

  local cases = {
    ["--http1.1"] = {}, ["--http2"] = { http_version = "2" },
    ["--http3"] = { http_version = "3" },
    ["--unix-socket '/a b'"] = { unix = "/a b" },
    ["--connect-to a:1:b:2"] = { resolve = { "a:1:b:2" } },
    ["--interface lo"] = { interface = "lo" }, ["-6"] = { ip = 6 },
    ["--noproxy '*'"] = { proxy = false },
    ["-x 'http://***:***@p:1'"] = { proxy = "http://u:p@p:1" },
    ["-x http://p:1 --proxy-user '***:***'"] = { proxy = {
      url = "http://p:1", basic = { "u", "p" } } },
    ["-k"] = { tls = { verify = false } },
    ["--cacert /a --cert /b --key /c --pass '***' --pinnedpubkey sha256//x "
      .. "--tlsv1.2 --tls-max 1.3"] = { tls = { ca = "/a", cert = "/b",
      key = "/c", key_password = "s", pin = "sha256//x",
      min = "1.2", max = "1.3" } },
    ["--capath /a"] = { tls = { ca = "/a" }, ca_is_folder = true },
    ["-u '***:***'"] = { auth = "basic" },
    ["--digest -u '***:***'"] = { auth = "digest" },
    ["-H 'Authorization: Bearer ***'"] = { auth = "bearer" },
    ["-n"] = { auth = "netrc" },
  }
  for text, options in pairs(cases) do
    it("has " .. text, function()
      assert.matches(" " .. text, line(options), 1, true)
    end)
  end

  it("says what has to be a file", function()
    assert.matches("# %-%-cacert: a file with what tls.ca was; "
      .. "%-%-cert: a file with what tls.cert was; "
      .. "%-%-key: a file with what tls.key was$",
      line { tls = { ca = true, cert = true, key = true } })
  end)

  it("masks userinfo of the url, and secret headers of the caller's", function()
    local text = command.line({ url = "https://u:p@h/@?q=@",
      headers = { { "X-Key", "s" }, { "X-Other", "t" } } },
      { ["x-key"] = true })
    assert.equal("curl 'https://***:***@h/@?q=@' --http1.1 -H 'X-Key: ***' "
      .. "-H 'X-Other: t'", text)
  end)
end)
