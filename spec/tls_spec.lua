--- TLS: who is trusted, and that nothing is said to anybody else.

local support = require "spec.support"
local http = require "curlew"

local OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
local certificates = support.certificates()
local trusting = { tls = { ca = certificates.ca } }

local function read_file(path)
  local file <close> = assert(io.open(path))
  return file:read("a")
end

-- A server with one of the suite's certificates, and what comes of asking it.
local function serve(kind)
  local server = support.server { tls = certificates[kind] }
  server:script { { loop = { "request", { send = OK } } } }
  return server
end

local function assert_refused(server, options, url)
  local r, err = http.get(url or server.url, options)
  if r then r:close() end
  assert.is_nil(r)
  assert.same({ "tls", "tls" }, { err.code, err.phase })
  assert.is_false(err.retryable)
  assert.same({}, server:requests())
end

describe("A good certificate", function()
  local server

  setup(function() server = serve("good") end)
  teardown(function() server:close() end)
  before_each(function()
    server:reset()
    server:script { { loop = { "request", { send = OK } } } }
  end)

  local function assert_good(ca)
    local page = assert(http.fetch(server.url, { tls = { ca = ca } }))
    assert.equal("ok", page.body)
  end

  it("is accepted with its CA as the path of a file", function()
    assert_good(certificates.ca)
  end)

  it("is accepted with its CA as PEM text", function()
    assert_good(read_file(certificates.ca))
  end)

  it("is accepted with its CA as one of several in PEM text", function()
    assert_good(read_file(certificates.unknown_ca.cert) .. "\n"
      .. read_file(certificates.ca))
  end)

  it("is accepted with its CA in a hashed folder", function()
    local folder = support.folder()
    local file <close> = assert(io.open(folder .. "/ca.pem", "w"))
    file:write(read_file(certificates.ca))
    file:flush()
    assert.equal(0, (support.command("openssl", "rehash", folder)))
    assert_good(folder)
  end)

  it("is accepted for the address that it names", function()
    local url = server.url:gsub("localhost", "127.0.0.1")
    assert.equal("ok", assert(http.fetch(url, trusting)).body)
  end)


  it("is refused by the system's CAs, which are the default", function()
    assert_refused(server)
  end)

  it("is refused with another CA as a file", function()
    assert_refused(server, { tls = { ca = certificates.unknown_ca.cert } })
  end)

  it("is refused with another CA as PEM text", function()
    assert_refused(server,
      { tls = { ca = read_file(certificates.unknown_ca.cert) } })
  end)

  it("is refused with a folder that has no CA", function()
    assert_refused(server, { tls = { ca = support.folder() } })
  end)

  it("is refused when the file of CAs is not there", function()
    assert_refused(server, { tls = { ca = support.folder() .. "/none.pem" } })
  end)

  it("is refused with PEM text that holds no certificate", function()
    assert_refused(server, { tls = { ca = "-----BEGIN CERTIFICATE-----\n"
      .. "bm90aGluZw==\n-----END CERTIFICATE-----\n" } })
  end)
end)

describe("A wrong certificate", function()
  local kinds = { "wrong_name", "expired", "not_yet", "self_signed",
    "unknown_ca" }

  for _, kind in ipairs(kinds) do
    it("is refused, and nothing is sent: " .. kind, function()
      local server <close> = serve(kind)
      assert_refused(server, trusting)
    end)

    it("is refused of nginx, too: " .. kind, function()
      local nginx = support.nginx()
      local page, err = http.fetch(nginx["https_" .. kind] .. "/small",
        trusting)
      assert.is_nil(page)
      assert.same({ "tls", "tls" }, { err.code, err.phase })
    end)

    it("is accepted with verify = false: " .. kind, function()
      local server <close> = serve(kind)
      local page = assert(http.fetch(server.url, { tls = { verify = false } }))
      assert.equal("ok", page.body)
    end)

    it("is refused after verify = false had accepted it: " .. kind, function()
      local server <close> = serve(kind)
      assert(http.fetch(server.url, { tls = { verify = false } }))
      local page, err = http.fetch(server.url, trusting)
      assert.is_nil(page)
      assert.equal("tls", err.code)
      assert.equal(1, #server:requests())
    end)
  end

  it("is refused for an address that it does not name", function()
    local server <close> = serve("wrong_name")
    local url = server.url:gsub("localhost", "127.0.0.1")
    assert_refused(server, trusting, url)
  end)

  it("leaves nothing open", function()
    local server <close> = serve("expired")
    local before = http.stats()
    assert_refused(server, trusting)
    local after = http.stats()
    assert.equal(before.open, after.open)
    assert.equal(before.released_by.error + 1, after.released_by.error)
  end)

  it("says in a sentence what is wrong with it", function()
    local server <close> = serve("expired")
    local _, err = http.get(server.url, trusting)
    assert.matches("expired", tostring(err))
  end)
end)

describe("TLS", function()
  it("is no answer that plain HTTP gives", function()
    local nginx = support.nginx()
    local page, err = http.fetch(
      nginx.http:gsub("^http:", "https:") .. "/small", trusting)
    assert.is_nil(page)
    assert.same({ "tls", "tls" }, { err.code, err.phase })
  end)

  it("asked for in plain HTTP is what the server says it is", function()
    local nginx = support.nginx()
    local page = assert(http.fetch(
      nginx.https:gsub("^https:", "http:") .. "/small"))
    assert.equal(400, page.status)
  end)

  it("that ends in the handshake is a tls error", function()
    local server <close> = support.server()
    server:script { "close" }
    local url = server.url:gsub("^http:", "https:")
    local page, err = http.fetch(url, trusting)
    assert.is_nil(page)
    assert.same({ "tls", "tls" }, { err.code, err.phase })
  end)

  it("keeps its connection for the next request", function()
    local server <close> = serve("good")
    for _ = 1, 3 do assert(http.fetch(server.url, trusting)) end
    assert.equal(1, server:connections())
  end)

  it("keeps the connection of a body that was not read", function()
    local server <close> = support.server { tls = certificates.good }
    server:script { { loop = { "request", { send = "HTTP/1.1 200 OK\r\n"
      .. "Content-Length: 2000\r\n\r\n" .. ("z"):rep(2000) } } } }
    for _ = 1, 3 do
      local r <close> = assert(http.get(server.url, trusting))
      assert.equal(200, r.status)
    end
    assert.equal(1, server:connections())
  end)

  it("has a response read to its end like any other", function()
    local nginx = support.nginx()
    local r <close> = assert(http.get(nginx.https .. "/65k", trusting))
    assert.equal(65537, #r:read("a"))
  end)
end)

describe("The CA of one client", function()
  it("is not trusted by another", function()
    local server <close> = serve("good")
    local client <close> = http.client(trusting)
    assert(client:fetch(server.url))
    local page, err = http.fetch(server.url)
    assert.is_nil(page)
    assert.equal("tls", err.code)
    assert.equal(1, #server:requests())
  end)

  it("is not trusted by the next request with another", function()
    local server <close> = serve("good")
    assert(http.fetch(server.url, trusting))
    local other = { tls = { ca = certificates.unknown_ca.cert } }
    local page, err = http.fetch(server.url, other)
    assert.is_nil(page)
    assert.equal("tls", err.code)
    assert.equal(1, #server:requests())
  end)

  it("is trusted again after a request with another", function()
    local server <close> = serve("good")
    local client <close> = http.client(trusting)
    assert(client:fetch(server.url))
    client:fetch(server.url, { tls = { ca = certificates.unknown_ca.cert } })
    assert(client:fetch(server.url))
    assert.equal(2, #server:requests())
  end)

  it("is given up by a request with false", function()
    local server <close> = serve("good")
    local client <close> = http.client(trusting)
    local page, err = client:fetch(server.url, { tls = { ca = false } })
    assert.is_nil(page)
    assert.equal("tls", err.code)
  end)

  it("as text, path or folder is each told from the others", function()
    local server <close> = serve("good")
    local wrong = { read_file(certificates.unknown_ca.cert),
      certificates.unknown_ca.cert, support.folder() }
    local right = { read_file(certificates.ca), certificates.ca }
    for _, good in ipairs(right) do
      for _, bad in ipairs(wrong) do
        assert(http.fetch(server.url, { tls = { ca = good } }))
        assert.is_nil((http.fetch(server.url, { tls = { ca = bad } })))
      end
    end
    assert.equal(6, #server:requests())
  end)

  it("verifies although another request of it did not", function()
    local server <close> = serve("self_signed")
    local client <close> = http.client(trusting)
    assert(client:fetch(server.url, { tls = { verify = false } }))
    assert.is_nil((client:fetch(server.url)))
    assert.equal(1, #server:requests())
  end)
end)
