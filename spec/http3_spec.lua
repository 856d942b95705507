--- HTTP/3, where libcurl and nginx both have it (Debian 13 and sid). Elsewhere
-- only the refusal of the option is tested (http2_spec).

local support = require "spec.support"
local http = require "curlew"
local leaks = require "curlew.leaks"

local MIB = 1024 * 1024

local function lacks()
  if not http.features().http3 then return "libcurl" end
  if not support.nginx_has_http3() then return "nginx" end
end

local lacking = lacks()
if lacking then
  io.write(("not run: HTTP/3 (the %s of this system has none)\n"):format(
    lacking))
  describe("HTTP/3", function()
    it("is not run here", function() assert.is_string(lacking) end)
  end)
  return
end

local nginx, client

setup(function() nginx = support.nginx_http3() end)
teardown(function() nginx:close() end)

before_each(function()
  client = http.client { http_version = "3", timeout = 10,
    tls = { ca = nginx.ca } }
end)

after_each(function()
  client:close()
  assert.is_true(leaks.audit())
end)

describe("HTTP/3", function()
  it("is spoken, and its connection is used again", function()
    local first = assert(client:fetch(nginx.https3 .. "/small"))
    assert.same({ 200, "3", "", 20 },
      { first.status, first.http_version, first.reason, #first.body })
    for _ = 1, 20 do
      local page = assert(client:fetch(nginx.https3 .. "/small"))
      assert.same({ "3", true, first.body },
        { page.http_version, page.info.reused, page.body })
    end
  end)

  it("has header lines, statuses and HEAD", function()
    local page = assert(client:fetch(nginx.https3 .. "/headers"))
    assert.same({ "a=1; Path=/", "b=2; Path=/; HttpOnly", "c=3" },
      { page:header("Set-Cookie") })
    assert.equal(404, assert(client:fetch(nginx.https3 .. "/no")).status)
    local r <close> = assert(client:head(nginx.https3 .. "/big"))
    assert.same({ 100 * MIB, "" }, { r.length, r:read("a") })
  end)

  it("brings large bodies whole", function()
    local https1 = assert(client:fetch(nginx.https3 .. "/65k",
      { http_version = "1.1" }))
    assert.equal("1.1", https1.http_version)
    local page = assert(client:fetch(nginx.https3 .. "/65k"))
    assert.same({ "3", true },
      { page.http_version, page.body == https1.body })
    local size = 0
    local r <close> = assert(client:get(nginx.https3 .. "/big"))
    for piece in r:chunks() do size = size + #piece end
    assert.same({ "3", 100 * MIB }, { r.http_version, size })
  end)

  it("sends bodies", function()
    local text = ("x"):rep(MIB)
    local left = 3
    local bodies = { "text", text, function()
      left = left - 1
      return left >= 0 and text or nil
    end }
    for _, body in ipairs(bodies) do
      local page = assert(client:fetch(nginx.https3 .. "/method",
        { method = "PUT", body = body }))
      assert.same({ "3", "PUT /method" }, { page.http_version, page.body })
    end
  end)

  -- In bytes.
  local function resident()
    for line in io.lines("/proc/self/status") do
      local kib = line:match("^VmRSS:%s+(%d+)")
      if kib then return tonumber(kib) * 1024 end
    end
  end

  -- While the other responses come, libcurl could read this one.
  it("leaves an unread body unread", function()
    assert(client:fetch(nginx.https3 .. "/small"))
    local before = resident()
    local r <close> = assert(client:get(nginx.https3 .. "/1g"))
    assert.equal("3", r.http_version)
    for _ = 1, 100 do assert(client:fetch(nginx.https3 .. "/65k")) end
    assert.is_true(resident() - before < 32 * MIB, resident() - before)
    assert.equal(MIB, #assert(r:read(MIB)))
  end)

  it("stands when an unread response on it is closed", function()
    for _ = 1, 5 do
      local r <close> = assert(client:get(nginx.https3 .. "/1g"))
      assert.equal("3", r.http_version)
    end
    local page = assert(client:fetch(nginx.https3 .. "/small"))
    assert.equal(20, #page.body)
  end)

  -- While a handshake of QUIC is slow, libcurl tries TCP as well.
  it("serves tasks side by side", function()
    local urls = {}
    for i = 1, 100 do urls[i] = nginx.https3 .. "/small" end
    local n = 0
    for _, page in client:map(urls, client.fetch, { max = 8 }) do
      assert.is_true(page.http_version == "3" or page.http_version == "1.1")
      assert.equal(20, #page.body)
      n = n + 1
    end
    assert.equal(100, n)
  end)

  it("verifies the certificate", function()
    local page, err = client:fetch(nginx.https3 .. "/small",
      { tls = { ca = support.certificates().unknown_ca.cert } })
    assert.is_nil(page)
    -- libcurl 8.14 does not report why QUIC has failed
    local code = support.libcurl < 0x080f00 and "connect" or "tls"
    assert.equal(code, err.code)
  end)

  it("falls back where the server has no more", function()
    local page = assert(client:fetch(support.nginx().https2 .. "/small"))
    assert.equal("2", page.http_version)
  end)

  it("never takes a cut body for a whole one", function()
    local own <close> = support.nginx_http3()
    local r <close> = assert(client:get(own.https3 .. "/1g",
      { timeout = { idle = 2 } }))
    assert.equal("3", r.http_version)
    assert.equal(MIB, #assert(r:read(MIB)))
    own:close()
    local piece, err
    repeat piece, err = r:read(MIB) until not piece
    assert.is_true(err.code == "closed" or err.code == "timeout"
      or err.code == "truncated" or err.code == "protocol", tostring(err))
  end)
end)
