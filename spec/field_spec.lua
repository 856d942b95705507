--- What the header fields of a response say of its body: media type, charset,
-- file name, trailers.

local support = require "spec.support"
local http = require "curlew"

local server

before_each(function() server = support.server() end)
after_each(function() server:close() end)

local function get(fields)
  server:reset()
  server:reply("HTTP/1.1 200 OK\r\n" .. fields
    .. "Content-Length: 4\r\n\r\nbody")
  return http.get(server.url)
end

describe("media_type and charset", function()
  -- Content-Type, media type, charset
  local cases = {
    { "text/html", "text/html" },
    { "text/html; charset=utf-8", "text/html", "utf-8" },
    { "TEXT/HTML;CHARSET=UTF-8", "text/html", "utf-8" },
    { 'text/html ; charset = "ISO-8859-1" ', "text/html", "iso-8859-1" },
    { 'text/plain; a="x; charset=no"; charset=yes', "text/plain", "yes" },
    { 'text/plain; a="\\"; charset=no"; charset=yes', "text/plain", "yes" },
    { 'text/plain; charset="a\\"b"', "text/plain", 'a"b' },
    { "text/plain; charset=", "text/plain" },
    { "text/plain; charset", "text/plain" },
    { "text/plain; ;;charset=x;charset=y", "text/plain", "x" },
    { "text/plain; xcharset=no", "text/plain" },
    { 'text/plain; charset="open', "text/plain", "open" },
    { 'text/plain; charset="', "text/plain" },
    { 'text/plain; charset="a\\', "text/plain", "a\\" },
    { ";charset=utf-8", nil, "utf-8" },
    { "" },
    { "text/plain; charset=" .. ("x"):rep(100), "text/plain" },
    { "application/vnd.api+json", "application/vnd.api+json" },
  }

  for _, case in ipairs(cases) do
    it("are taken from " .. case[1]:sub(1, 60), function()
      local r <close> = assert(get("Content-Type: " .. case[1] .. "\r\n"))
      assert.same({ case[2], case[3] }, { r.media_type, r.charset })
      assert.equal(case[3], r.charset)
    end)
  end

  it("are nil where there is no Content-Type", function()
    local r <close> = assert(get(""))
    assert.is_nil(r.media_type or r.charset or r.filename)
  end)

  it("stay readable, and are a page's as well", function()
    local fields = "Content-Type: text/x; charset=y\r\n"
      .. "Content-Disposition: attachment; filename=z\r\n"
    local r = assert(get(fields))
    r:close()
    server:reply("HTTP/1.1 200 OK\r\n" .. fields .. "\r\n")
    local page = assert(http.fetch(server.url))
    for _, one in ipairs { r, page } do
      assert.same({ "text/x", "y", "z" },
        { one.media_type, one.charset, one.filename })
    end
  end)
end)

describe("filename", function()
  -- Content-Disposition, name
  local cases = {
    { "attachment; filename=report.pdf", "report.pdf" },
    { 'attachment; filename="a report.pdf"', "a report.pdf" },
    { 'inline; FileName="x"', "x" },
    { 'attachment; filename="say \\"hi\\".txt"', 'say "hi".txt' },
    { "attachment; filename*=UTF-8''na%C3%AFve%20%E2%82%AC.txt",
      "na\195\175ve \226\130\172.txt" },
    { "attachment; filename=plain; filename*=utf-8'en'better", "better" },
    { "attachment; filename*=utf-8'en'better; filename=plain", "better" },
    { "attachment; filename*=iso-8859-1''%E9; filename=plain", "plain" },
    { "attachment; filename*=utf-8''%zz; filename=plain", "plain" },
    { "attachment; filename*=utf-8''%4; filename=plain", "plain" },
    { "attachment; filename*=utf-8; filename=plain", "plain" },
    { 'attachment; filename="../../etc/passwd"', "passwd" },
    { 'attachment; filename="/etc/passwd"', "passwd" },
    { "attachment; filename*=utf-8''..%2F..%2Fpasswd", "passwd" },
    { "attachment; filename*=utf-8''a%5Cb", "b" },
    { 'attachment; filename=".."' },
    { 'attachment; filename="."' },
    { 'attachment; filename="dir/"' },
    { 'attachment; filename=""' },
    { "attachment; filename*=utf-8''a%00b; filename=plain", "plain" },
    { "attachment; filename*=utf-8''a%0Ab" },
    { 'attachment; filename="' .. ("x"):rep(2000) .. '"' },
    { "attachment" },
    { "" },
  }

  for _, case in ipairs(cases) do
    it("is taken from " .. case[1]:sub(1, 60), function()
      local r <close> = assert(get("Content-Disposition: " .. case[1]
        .. "\r\n"))
      assert.equal(case[2], r.filename)
    end)
  end
end)

describe("trailers", function()
  local MESSAGE = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
    .. "Trailer: X-Sum\r\n\r\n4\r\nbody\r\n"

  it("are those after the body, and none before", function()
    server:script { "request", { send = MESSAGE }, "wait",
      { send = "0\r\nX-Sum: 1\r\nX-sum: 2\r\n\r\n" }, "hold" }
    local r <close> = assert(http.get(server.url))
    assert.equal("body", r:read(4))
    assert.same({ 0, nil }, { #r.trailers, r.trailers["x-sum"] })
    server:go()
    assert.equal("", r:read("a"))
    assert.same({ 2, "1, 2" }, { #r.trailers, r.trailers["X-SUM"] })
    assert.is_nil(r.headers["x-sum"])
  end)

  it("are a page's as well, and empty where there are none", function()
    server:reply(MESSAGE .. "0\r\nX-Sum: 1\r\n\r\n")
    assert.equal("1", assert(http.fetch(server.url)).trailers["x-sum"])
    local r <close> = assert(get(""))
    assert.equal(0, #r.trailers)
    assert.equal("headers", http.type(r.trailers))
  end)
end)
