--- Digest authentication: each test of spec/support/digest_test.c is a spec
-- here; then what goes over the wire.

local support = require "spec.support"

describe("A digest", function()
  for name, passes in support.tests("digest_test") do it(name, passes) end
end)

-- ---- over the wire ----

local http = require "curlew"

local function answer(status, fields, body)
  return ("HTTP/1.1 %d Status\r\n%sContent-Length: %d\r\n\r\n%s"):format(status,
    fields or "", #(body or ""), body or "")
end

local OK = answer(200, nil, "ok")

local function challenge(nonce, more)
  return answer(401, ('WWW-Authenticate: Digest realm="r", nonce="%s"%s\r\n')
    :format(nonce, more or ', qop="auth"'), "denied")
end

local STALE = ', qop="auth", stale=true'

local options = { auth = { digest = { "u", "p" } } }

local function with(more)
  more.auth = options.auth
  return more
end

-- The parameters of a value "Digest name=value, ...", unescaped.
local function parse(value)
  local found, at = {}, #"Digest " + 1
  while at <= #value do
    local name, quote, from = value:match('^([%w*]+)=("?)()', at)
    assert(name and not found[name], value)
    local text
    if quote == '"' then
      local to = from
      while value:sub(to, to) ~= '"' do
        assert(to <= #value, value)
        to = to + (value:sub(to, to) == "\\" and 2 or 1)
      end
      text, at = value:sub(from, to - 1):gsub("\\(.)", "%1"), to + 1
    else
      text, at = value:match("^([^,]+)()", from)
    end
    found[name] = text
    if at <= #value then
      assert(value:sub(at, at + 1) == ", ", value)
      at = at + 2
    end
  end
  return found
end

local function authorization(bytes)
  return bytes:match("\r\nAuthorization: ([^\r]*)\r\n") or false
end

-- The nonces that the requests answer; false: a request without Authorization.
local function nonces(server)
  local list = {}
  for i, bytes in ipairs(server:requests()) do
    local value = authorization(bytes)
    list[i] = value and (parse(value).nonce or value)
  end
  return list
end

describe("Digest authentication", function()
  local server
  before_each(function() server = support.server() end)
  after_each(function() server:close() end)

  it("is tried at most three times, whatever is called stale", function()
    server:replies(challenge("1"), challenge("2", STALE), challenge("3", STALE),
      OK)
    local page = assert(http.fetch(server.url, options))
    assert.same({ 401, "denied" }, { page.status, page.body })
    assert.matches('nonce="3"', page.headers["WWW-Authenticate"], 1, true)
    assert.same({ false, "1", "2" }, nonces(server))
    assert.equal(1, server:connections())
    assert.is_true(http.leaks.audit())
  end)

  it("ends with the 401 and its headers when the body is cut", function()
    server:script { "request", { send = challenge("1") }, "request",
      { send = (challenge("2"):gsub("denied", "de")) }, "close" }
    local r <close> = assert(http.get(server.url, options))
    assert.equal(401, r.status)
    assert.matches('nonce="2"', r.headers["WWW-Authenticate"], 1, true)
    local text, err = r:text()
    assert.same({ nil, "truncated" }, { text, err.code })
  end)

  it("does not need the body of a 401 that it answers", function()
    server:script { "request",
      { send = (challenge("1"):gsub("denied", "de")) }, "close" }
    server:replies(OK)
    assert.equal("ok", assert(http.fetch(server.url, options)).body)
    assert.same({ false, "1" }, nonces(server))
  end)

  it("does not wait for a large body of a 401", function()
    server:script { "request", { send = (challenge("1"):gsub(
      "Length: 6", "Length: 1000000")) }, "hold" }
    server:replies(OK)
    assert.equal("ok", assert(http.fetch(server.url, options)).body)
    assert.same({ false, "1" }, nonces(server))
  end)

  it("is not tried again with the nonce that was called stale", function()
    server:replies(challenge("1"), challenge("1", STALE), OK)
    assert.equal(401, assert(http.fetch(server.url, options)).status)
    assert.same({ false, "1" }, nonces(server))
  end)

  it("is not tried again when another nonce comes without stale", function()
    server:replies(challenge("1"), challenge("2"), OK)
    assert.equal(401, assert(http.fetch(server.url, options)).status)
    assert.same({ false, "1" }, nonces(server))
  end)

  it("ends with a 401 to a body that cannot be sent again", function()
    server:replies(challenge("1"), challenge("2", STALE), OK)
    local pieces = { "c", "b", "a" }
    local page = assert(http.fetch(server.url, with { method = "POST",
      body = function() return table.remove(pieces) end }))
    assert.same({ 401, "denied" }, { page.status, page.body })
    assert.same({ false, "1" }, nonces(server))
  end)

  it("asks with no content and no expectation of it first", function()
    server:replies(challenge("1"), OK)
    assert(http.fetch(server.url, with { method = "PUT", body = "content",
      expect = true }))
    local first = server:request(1)
    assert.matches("\r\nContent-Length: 0\r\n", first, 1, true)
    assert.not_matches("[Ee]xpect", first)
    assert.matches("\r\n\r\n$", first)
    assert.matches("\r\n\r\ncontent$", server:request(2))
  end)

  it("returns what a request without its content was refused with", function()
    server:replies(answer(403, nil, "no"), OK)
    local asked = 0
    local page = assert(http.fetch(server.url, with { method = "POST",
      body = function() asked = asked + 1 return nil end }))
    assert.same({ 403, "no", 0 }, { page.status, page.body, asked })
    assert.equal(1, #server:requests())
  end)

  it("is one attempt", function()
    server:replies(challenge("1"), OK)
    local attempts
    assert(http.fetch(server.url, with {
      on_end = function(info) attempts = info.attempts end }))
    assert.equal(1, attempts)
  end)

  it("begins anew with each retry", function()
    local busy = answer(503, "Retry-After: 0\r\n")
    server:replies(challenge("1"), busy, challenge("2"), OK)
    assert.equal(200, assert(http.fetch(server.url, with { retry = 1 })).status)
    assert.same({ false, "1", false, "2" }, nonces(server))
  end)

  it("answers the strongest challenge", function()
    server:replies(answer(401, 'WWW-Authenticate: Basic realm="r"\r\n'
      .. 'WWW-Authenticate: Digest realm="r", nonce="md5", qop="auth", '
      .. 'Digest realm="r", nonce="sha", algorithm=SHA-256, qop="auth"\r\n'
      .. "WWW-Authenticate: Negotiate\r\n"), OK)
    assert(http.fetch(server.url, options))
    local p = parse(authorization(server:request(2)))
    assert.same({ "sha", "SHA-256", 64 }, { p.nonce, p.algorithm, #p.response })
  end)

  it("leaves a header of the program's as it is, and answers nothing",
    function()
      server:replies(challenge("1"), OK)
      local page = assert(http.fetch(server.url, with {
        headers = { Authorization = "mine" } }))
      assert.equal(401, page.status)
      assert.equal("mine", authorization(server:request(1)))
      assert.equal(1, #server:requests())
    end)

  it("answers no challenge of another request", function()
    local other <close> = support.server()
    server:replies(challenge("mine"), OK, challenge("mine too"), OK)
    other:replies(challenge("other's"), challenge("other's"),
      challenge("other's"))
    assert.equal(200, assert(http.fetch(server.url, options)).status)
    assert.equal(401, assert(http.fetch(other.url)).status)
    assert.equal(401, assert(http.fetch(other.url, {
      auth = { digest = { "eve", "x" } } })).status)
    assert.equal(200, assert(http.fetch(server.url, options)).status)
    assert.same({ false, "mine", false, "mine too" }, nonces(server))
  end)

  -- ---- the uri ----

  local targets = { "/", "", "/a?b=c", "/a?", "/a//b/./../c", "/%7Ea%2fb?%22",
    "/s?q=\"calcium\"", "/s?q=\", response=\"0", "/a\"b", "/\u{e4}?\u{f6}",
    "/a b?c d", "/x#fragment", "/x?y#fragment?z", "?q", "/a;b=c,d'(e)!*" }

  for _, target in ipairs(targets) do
    it("has the uri of the request line: " .. target, function()
      server:replies(challenge("1"), OK)
      assert(http.fetch(server.url .. target, options))
      local line = server:request(2):match("^GET (%S+) HTTP/1.1\r\n")
      local p = parse(authorization(server:request(2)))
      assert.equal(line, p.uri)
      assert.equal(32, #p.response)
    end)
  end
end)
