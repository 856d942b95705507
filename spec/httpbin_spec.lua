--- What is sent, as a server that somebody else wrote understands it: httpbin
-- tells what came, asks for credentials, and leads in circles.

local support = require "spec.support"
local http = require "curlew"

local httpbin = support.httpbin()

local function ask(path, options)
  return http.fetch(httpbin.url .. path, options)
end

-- What httpbin says that it got.
local function got(path, options)
  return assert(assert(ask(path, options)):json())
end

describe("httpbin gets", function()
  it("a query", function()
    assert.same({ q = "a b&c", x = { "1", "2" } }, got("/get", {
      query = { q = "a b&c", x = { 1, 2 } } }).args)
  end)

  for _, method in ipairs { "POST", "PUT", "PATCH", "DELETE" } do
    it("JSON by " .. method, function()
      local all = got("/anything", { method = method,
        json = { name = "Ünï", list = { 1, 2.5, true } } })
      assert.equal(method, all.method)
      assert.equal("application/json", all.headers["Content-Type"])
      assert.same({ name = "Ünï", list = { 1, 2.5, true } }, all.json)
    end)
  end

  it("a form", function()
    assert.same({ a = "1 2", b = { "x&y", "ü" } }, got("/post", {
      method = "POST", form = { { "a", "1 2" }, { "b", "x&y" },
        { "b", "ü" } } }).form)
  end)

  it("a form with files", function()
    local folder = support.folder()
    do
      local file <close> = assert(io.open(folder .. "/note.txt", "w"))
      assert(file:write("from a file"))
    end
    local n = 0
    local all = got("/post", { method = "POST", multipart = {
      { name = "field", "value" },
      { name = "file", file = folder .. "/note.txt" },
      { name = "made", filename = "made.txt", body = function()
        n = n + 1
        return n < 4 and "piece" .. n or nil
      end },
    } })
    assert.same({ field = "value" }, all.form)
    assert.same({ file = "from a file", made = "piece1piece2piece3" },
      all.files)
  end)

  it("a text of a megabyte, whole", function()
    local text = ("0123456789abcdef"):rep(65536)
    assert.is_true(got("/post", { method = "POST", body = text }).data == text)
  end)
end)

describe("httpbin lets in", function()
  it("who says basic's password, and nobody else", function()
    local path = "/basic-auth/me/secret"
    local page = assert(ask(path, { auth = { basic = { "me", "secret" } } }))
    assert.same({ authenticated = true, user = "me" }, (page:json()))
    assert.equal(401, ask(path, { auth = { basic = { "me", "x" } } }).status)
    assert.equal(401, ask(path).status)
  end)

  for _, kind in ipairs { "MD5", "SHA-256", "SHA-512" } do
    it("who proves digest's password by " .. kind, function()
      local path = ("/digest-auth/auth/me/secret/%s"):format(kind)
      local options = { auth = { digest = { "me", "secret" } },
        headers = { Cookie = "fake=fake_value" } }
      local page = assert(ask(path, options))
      -- RFC 7616 has no SHA-512
      assert.equal(kind == "SHA-512" and 401 or 200, page.status)
      options.auth.digest[2] = "x"
      assert.equal(401, ask(path, options).status)
    end)
  end

  it("who has a bearer's token", function()
    assert.same({ authenticated = true, token = "t0ken" }, got("/bearer", {
      auth = { bearer = function() return "t0ken", 60 end } }))
  end)
end)

describe("httpbin leads", function()
  it("along redirects, relative and absolute", function()
    for _, kind in ipairs { "relative", "absolute" } do
      local page = assert(ask(("/%s-redirect/4"):format(kind)))
      assert.same({ 200, httpbin.url .. "/get", 4 },
        { page.status, page.url, #page.history })
    end
  end)

  it("no further than it may", function()
    local page, err = ask("/redirect/5", { redirects = 4 })
    assert.is_nil(page)
    assert.same({ "redirect", 302 }, { err.code, err.status })
  end)

  for _, status in ipairs { 307, 308 } do
    it("a POST on with its body, by " .. status, function()
      local all = got(("/redirect-to?url=/anything&status_code=%d"):format(
        status), { method = "POST", json = { a = 1 } })
      assert.same({ "POST", { a = 1 } }, { all.method, all.json })
    end)
  end

  it("a POST to a GET, by 303", function()
    local all = got("/redirect-to?url=/anything&status_code=303",
      { method = "POST", json = { a = 1 } })
    assert.same({ "GET", "" }, { all.method, all.data })
    assert.is_nil(all.headers["Content-Type"])
  end)

  it("to a retry, and gives up as it was told", function()
    local page = assert(ask("/status/503", { retry = { times = 2,
      max_delay = 0.001 } }))
    assert.same({ 503, 3 }, { page.status, page.info.attempts })
  end)
end)

describe("httpbin sends", function()
  for _, coding in ipairs { "gzip", "deflate", "brotli" } do
    it("a body by " .. coding, function()
      assert.is_true(got("/" .. coding)[coding == "gzip" and "gzipped"
        or coding == "deflate" and "deflated" or "brotli"])
    end)
  end

  it("a body in chunks, line by line", function()
    local n = 0
    for line in http.lines(httpbin.url .. "/stream/5") do
      assert.equal(n, http.json.decode(line).id)
      n = n + 1
    end
    assert.equal(5, n)
  end)

  it("a range of a file that is downloaded", function()
    local path = support.folder() .. "/range"
    local file = assert(http.download(httpbin.url .. "/range/50000", path))
    assert.equal(50000, file.bytes)
  end)
end)
