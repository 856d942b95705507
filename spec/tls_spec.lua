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
    "unknown_ca", "wrong_usage", "broken_chain" }

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

    it("is refused beside the system's CAs, too: " .. kind, function()
      local nginx = support.nginx()
      local page, err = http.fetch(nginx["https_" .. kind] .. "/small",
        { tls = { ca = { "system", certificates.ca } } })
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

  it("has no control characters of its name in what is said", function()
    local server <close> = serve("hostile_name")
    local _, err = http.get(server.url,
      { tls = { ca = certificates.hostile_name.cert } })
    assert.matches("subject name 'e?[31mvil??\u{e9}'", err.message, 1, true)
  end)

  it("leaves nothing open", function()
    local server <close> = serve("expired")
    local before = http.stats()
    assert_refused(server, trusting)
    local after = http.stats()
    assert.equal(before.open, after.open)
    assert.equal(before.released_by.error + 1, after.released_by.error)
  end)

  -- What is said of each, and whether other CAs could help.
  local said = {
    wrong_name = { "no alternative certificate subject name matches" },
    expired = { "certificate has expired" },
    not_yet = { "certificate is not yet valid" },
    wrong_usage = { "unsuitable certificate purpose" },
    self_signed = { "self.signed certificate", other_ca = true },
    unknown_ca = { "unable to get local issuer certificate", other_ca = true },
    broken_chain = { "unable to get local issuer.*a part of its chain",
      other_ca = true },
  }

  for _, kind in ipairs(kinds) do
    it("is told what is wrong with it: " .. kind, function()
      local server <close> = serve(kind)
      local _, err = http.get(server.url, trusting)
      assert.matches(said[kind][1], err.message)
      local hint = "trusted: " .. certificates.ca .. "; tls = { ca = ... }"
      assert.equal(said[kind].other_ca or false,
        err.message:find(hint, 1, true) ~= nil)
    end)
  end

  it("is told that the system's CAs were trusted", function()
    local server <close> = serve("good")
    local _, err = http.get(server.url)
    assert.matches("trusted: /[%w/._-]+; tls = { ca", err.message)
  end)

  it("is told that a text was trusted, and not the text", function()
    local server <close> = serve("good")
    local text = read_file(certificates.unknown_ca.cert)
    local _, err = http.get(server.url, { tls = { ca = text } })
    assert.matches("trusted: those given as tls.ca;", err.message, 1, true)
    assert.is_nil(tostring(err):find("BEGIN", 1, true))
  end)
end)

describe("A whole chain", function()
  it("is accepted of a server that sends it", function()
    local nginx = support.nginx()
    local page = assert(http.fetch(nginx.https_whole_chain .. "/small",
      trusting))
    assert.equal(200, page.status)
  end)
end)

-- libcurl trusts what it is told to trust, whoever issued that.
describe("A certificate that is no root", function()
  it("is trusted where it is named: one between, the server's own", function()
    local nginx = support.nginx()
    local named = { broken_chain = certificates.middle_ca,
      self_signed = certificates.self_signed.cert,
      unknown_ca = certificates.unknown_ca.cert }
    for kind, ca in pairs(named) do
      local page = assert(http.fetch(nginx["https_" .. kind] .. "/small",
        { tls = { ca = ca } }))
      assert.equal(200, page.status)
    end
  end)

  it("is still refused for another reason", function()
    local nginx = support.nginx()
    local page, err = http.fetch(nginx.https_expired .. "/small",
      { tls = { ca = certificates.expired.cert } })
    assert.is_nil(page)
    assert.matches("expired", err.message)
  end)
end)

describe("CAs in a list", function()
  local nginx = support.nginx()

  local function assert_trusts(ca)
    local page = assert(http.fetch(nginx.https .. "/small",
      { tls = { ca = ca } }))
    assert.equal(200, page.status)
  end

  it("are each trusted: files, texts, the system's", function()
    local own, other = certificates.ca, certificates.unknown_ca.cert
    assert_trusts { own }
    assert_trusts { other, own }
    assert_trusts { other, read_file(own) }
    assert_trusts { read_file(other):gsub("\n$", ""), own }
    assert_trusts { "system", own }
    assert_trusts { own, "system" }
  end)

  it("are the system's alone where only they are named", function()
    for _, ca in ipairs { "system", { "system" } } do
      local client <close> = http.client(trusting)
      local page, err = client:fetch(nginx.https .. "/small",
        { tls = { ca = ca } })
      assert.is_nil(page)
      assert.matches("trusted: /etc/", err.message, 1, true)
    end
  end)

  local function assert_misread(ca, ...)
    local ok, message = pcall(http.get, nginx.https, { tls = { ca = ca } })
    assert.is_false(ok)
    for _, text in ipairs { "tls_spec.lua:", "option 'tls.ca'", ... } do
      assert.matches(text, message, 1, true)
    end
  end

  it("that cannot be read are named", function()
    local folder = support.folder()
    assert_misread({ "system", folder .. "/none.pem" }, "[2]",
      folder .. "/none.pem", "No such file")
    assert_misread({ folder, "system" }, "[1]", folder, "Is a directory")
    assert_misread({ certificates.ca, "/proc/self/mem" }, "[2]", "/proc")
    local large <close> = assert(io.open(folder .. "/large", "w"))
    assert(large:write((" "):rep(5 << 20)):flush())
    assert_misread({ certificates.ca, folder .. "/large" }, "[2]", "too large")
  end)

  it("that are none are refused", function()
    local key = certificates.good.key
    assert_misread({ certificates.ca, key }, "[2]", "no certificate")
    assert_misread({ certificates.ca, read_file(key) }, "no certificate")
    local empty = support.folder() .. "/empty"
    assert(io.open(empty, "w")):close()
    assert_misread({ certificates.ca, empty }, "no certificate")
    assert_misread({ certificates.ca, "a\nb" }, "[2]", "control byte")
    assert_misread({ certificates.ca, "" }, "[2]", "empty")
    assert_misread({ "" }, "empty")
    assert_misread({ certificates.ca, "a\0b" }, "NUL")
    assert_misread({ certificates.ca, 5 }, "strings")
    assert_misread({ {} }, "strings")
    assert_misread({ certificates.ca, name = certificates.ca }, "strings")
    assert_misread({ name = certificates.ca }, "strings")
    assert_misread({}, "strings")
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
    -- leaves an idle connection with TLS to the same host and port
    assert(http.fetch(nginx.https .. "/small", trusting))
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

describe("A client's certificate", function()
  local nginx = support.nginx()
  local mine = certificates.client

  -- Who the server says that it is talking to; "nobody", or the error.
  local function ask(options)
    options.ca = certificates.ca
    local page, err = http.fetch(nginx.https_client .. "/tls",
      { tls = options })
    if not page then return nil, err end
    if page.status == 400 then return "nobody" end
    return page.body:match("CN=(.*)$")
  end

  local function assert_refused_key(options)
    local who, err = ask(options)
    assert.is_nil(who)
    assert.same({ "tls", "tls", false }, { err.code, err.phase,
      err.retryable })
    return err.message
  end

  it("is not shown unless it is given", function()
    assert.equal("nobody", ask {})
  end)

  it("is shown: of files, of texts, of one of both", function()
    local shown = {
      { cert = mine.cert, key = mine.key },
      { cert = read_file(mine.cert), key = read_file(mine.key) },
      { cert = mine.cert, key = read_file(mine.key) },
      { cert = mine.both },
      { cert = read_file(mine.both) },
      { cert = mine.both, key = mine.both },
    }
    for _, options in ipairs(shown) do
      assert.equal("a client", ask(options))
    end
  end)

  it("is shown with a key that is encrypted", function()
    local options = { cert = mine.cert, key = mine.encrypted,
      key_password = mine.password }
    assert.equal("a client", ask(options))
    options.key = read_file(mine.encrypted)
    assert.equal("a client", ask(options))
  end)

  it("of another CA is the server's to refuse", function()
    local theirs = certificates.unknown_client
    assert.equal("nobody", ask { cert = theirs.cert, key = theirs.key })
  end)

  it("with the key of another is refused before it is sent", function()
    local message = assert_refused_key { cert = mine.cert,
      key = certificates.good.key }
    assert.matches("tls.key cannot be used: it is the key of another", message,
      1, true)
  end)

  it("with a wrong password is refused, and nobody is asked", function()
    for _, password in ipairs { "wrong", mine.password .. "x", " " } do
      local message = assert_refused_key { cert = mine.cert,
        key = mine.encrypted, key_password = password }
      assert.matches("tls.key_password is wrong", message, 1, true)
    end
  end)

  it("that is none is refused", function()
    local nothing = "-----BEGIN CERTIFICATE-----\nbm90aGluZw==\n"
      .. "-----END CERTIFICATE-----\n"
    local message = assert_refused_key { cert = nothing, key = mine.key }
    assert.matches("tls.cert cannot be used", message, 1, true)
    message = assert_refused_key { cert = mine.cert,
      key = nothing:gsub("CERTIFICATE", "PRIVATE KEY") }
    assert.matches("tls.key cannot be used", message, 1, true)
  end)

  it("that a server of TLS 1.3 asks for is a tls error", function()
    local server <close> = support.server { tls = certificates.good,
      asks = certificates.ca }
    server:script { { loop = { "request", { send = OK } } } }
    local page, err = http.fetch(server.url, trusting)
    assert.is_nil(page)
    assert.same({ "tls", "tls", false }, { err.code, err.phase,
      err.retryable })
    assert.equal("the server asks for a certificate: "
      .. "tls = { cert =, key = }", err.message)
    local theirs = certificates.unknown_client
    page, err = http.fetch(server.url, { tls = { ca = certificates.ca,
      cert = theirs.cert, key = theirs.key } })
    assert.is_nil(page)
    assert.same({ "tls", "tls" }, { err.code, err.phase })
    assert.matches("unknown ca", err.message)
    assert.same({}, server:requests())
    assert(http.fetch(server.url, { tls = { ca = certificates.ca,
      cert = mine.cert, key = mine.key } }))
  end)

  -- In half of the runs the alert of the server is lost, since the server
  -- closes before it has read the request.
  it("that is asked for is never a closed connection #long", function()
    local server <close> = support.server { tls = certificates.good,
      asks = certificates.ca }
    server:script { { loop = { "request", { send = OK } } } }
    for i = 1, 40 do
      local _, err = http.fetch(server.url, { tls = { ca = certificates.ca,
        max = i % 4 == 0 and "1.2" or nil },
        http_version = i % 2 == 0 and "2" or nil, retry = 2,
        body = i % 3 == 0 and ("x"):rep(100000) or nil,
        method = i % 3 == 0 and "PUT" or nil })
      assert.same({ "tls", "tls", false, 1 }, { err.code, err.phase,
        err.retryable, err.attempts })
      assert.matches("asks for a certificate", err.message)
    end
  end)

  it("that is asked for and not needed is no error", function()
    local page = assert(http.fetch(nginx.https_client .. "/tls", trusting))
    assert.equal(400, page.status)
  end)

  it("goes with its key: another one has another", function()
    local tls = { ca = certificates.ca, cert = mine.cert, key = mine.encrypted,
      key_password = mine.password }
    local client <close> = http.client { tls = tls }
    local url = nginx.https_client .. "/tls"
    local function status(c, options)
      return assert(c:fetch(url, { tls = options })).status
    end
    assert.equal(200, status(client))
    assert.equal(400, status(client, { cert = false }))
    assert.equal(200, status(client, { cert = mine.both }))
    assert.equal(200, status(client))
    local nobody <close> = client:extend { tls = { cert = false } }
    local other <close> = client:extend { tls = { cert = mine.both } }
    assert.equal(400, status(nobody))
    assert.equal(200, status(other))
    assert.equal(200, status(client, { key = mine.key }))
  end)

  it("stays behind when a redirect leads to another origin", function()
    local server <close> = support.server { tls = certificates.good }
    server:script { { loop = { "request", { send = "HTTP/1.1 302 Found\r\n"
      .. "Content-Length: 0\r\nLocation: " .. nginx.https_client
      .. "/tls\r\n\r\n" } } } }
    local tls = { ca = certificates.ca, cert = mine.cert, key = mine.encrypted,
      key_password = mine.password }
    local client <close> = http.client { tls = tls }
    assert.equal(400, assert(http.fetch(server.url, { tls = tls })).status)
    assert.equal(400, assert(client:fetch(server.url)).status)
    assert.equal(200, client:fetch(nginx.https_client .. "/tls").status)
  end)

  it("of a client with a base_url is shown there alone", function()
    local options = { tls = { ca = certificates.ca, cert = mine.both },
      base_url = nginx.https }
    local client <close> = http.client(options)
    local elsewhere = nginx.https_client .. "/tls"
    assert.equal(400, client:fetch(elsewhere).status)
    assert.equal(200, client:fetch(elsewhere, { tls = options.tls }).status)
    options.base_url = nginx.https_client
    local other <close> = http.client(options)
    assert.equal(200, other:fetch("/tls").status)
    assert.equal(200, other:fetch(elsewhere).status)
  end)

  it("is told of by curl(), and is not in it", function()
    local page = assert(http.fetch(nginx.https_client .. "/tls", { tls = {
      ca = certificates.ca, cert = mine.cert, key = mine.encrypted,
      key_password = mine.password, pin = certificates.pin, min = "1.2",
      max = "1.2" } }))
    local text = page.request:curl()
    for _, part in ipairs { "--cacert " .. certificates.ca, "--pinnedpubkey ",
      certificates.pin, "--tlsv1.2 --tls-max 1.2", "# --cert: a file ",
      "; --key: a file " } do
      assert.matches(part, text, 1, true)
    end
    assert.is_nil(text:find("BEGIN", 1, true))
    assert.is_nil(text:find(mine.password, 1, true))
  end)

  it("is read when its client is made", function()
    local folder = support.folder()
    local function put(name, from)
      local file <close> = assert(io.open(folder .. name, "w"))
      file:write(read_file(from))
    end
    put("/cert", mine.cert)
    put("/key", mine.key)
    local client <close> = http.client { tls = { ca = certificates.ca,
      cert = folder .. "/cert", key = folder .. "/key" } }
    assert(os.remove(folder .. "/cert"))
    assert(os.remove(folder .. "/key"))
    assert.equal(200, client:fetch(nginx.https_client .. "/tls").status)
  end)

  local function assert_contradicts(tls, ...)
    local doors = {
      function() local r = http.get(nginx.https, { tls = tls }) return r end,
      function() local c = http.client { tls = tls } return c end,
    }
    for _, door in ipairs(doors) do
      local ok, message = pcall(door)
      assert.is_false(ok)
      for _, text in ipairs { "tls_spec.lua:", ... } do
        assert.matches(text, message, 1, true)
      end
      for line in read_file(mine.key):gmatch("[^\n]+") do
        assert.is_nil(message:find(line, 1, true))
      end
    end
  end

  it("without what belongs to it is a mistake", function()
    assert_contradicts({ key = mine.key }, "'tls.key' without tls.cert")
    assert_contradicts({ cert = mine.cert }, "'tls.cert' without tls.key")
    assert_contradicts({ key_password = "x" }, "'tls.key_password' without")
    assert_contradicts({ cert = mine.cert, key_password = "x" },
      "'tls.cert' without tls.key")
    assert_contradicts({ cert = mine.cert, key = mine.encrypted },
      "tls.key_password is missing")
    assert_contradicts({ cert = mine.cert, key = mine.cert }, "'tls.key'",
      "no private key")
    assert_contradicts({ cert = mine.key, key = mine.key }, "'tls.cert'",
      "no certificate")
    assert_contradicts({ cert = "/no/such", key = mine.key }, "'tls.cert'",
      "/no/such", "No such file")
    assert_contradicts({ cert = mine.cert, key = "/no/such" }, "'tls.key'",
      "No such file")
    assert_contradicts({ cert = support.folder(), key = mine.key },
      "'tls.cert'", "Is a directory")
  end)

  it("leaves no secret in a message", function()
    local line = read_file(mine.key):match("\n([^\n]+)\n")
    assert_contradicts({ cert = mine.cert, key = line }, "'tls.key'")
    assert_contradicts({ cert = mine.cert, key = "\n" .. line }, "'tls.key'")
    local secret = "Password-of-the-spec"
    local _, err = ask { cert = mine.cert, key = mine.encrypted,
      key_password = secret }
    assert.is_nil(tostring(err):find(secret, 1, true))
    _, err = ask { cert = mine.cert, key = read_file(certificates.good.key) }
    assert.is_nil(tostring(err):find("BEGIN", 1, true))
  end)
end)

describe("A pin", function()
  local nginx = support.nginx()
  local right, wrong = certificates.pin, certificates.other_pin

  local function get(pin, options)
    options = options or {}
    options.ca, options.pin = certificates.ca, pin
    return http.fetch(nginx.https .. "/small", { tls = options })
  end

  it("that is right lets through: one, one of several, a list", function()
    for _, pin in ipairs { right, wrong .. ";" .. right, { right },
      { wrong, right }, { wrong .. ";" .. right }, { wrong, wrong, right } } do
      assert.equal(200, assert(get(pin)).status)
    end
  end)

  it("that is wrong is a tls error, and nothing is sent", function()
    for _, pin in ipairs { wrong, { wrong }, { wrong, wrong } } do
      local page, err = get(pin)
      assert.is_nil(page)
      assert.same({ "tls", "tls", false }, { err.code, err.phase,
        err.retryable })
      assert.matches("none of tls.pin", err.message, 1, true)
    end
    local server <close> = serve("good")
    assert_refused(server, { tls = { ca = certificates.ca, pin = wrong } })
  end)

  it("is looked at where nothing else is", function()
    local server <close> = serve("self_signed")
    assert_refused(server, { tls = { verify = false, pin = right } })
  end)

  it("does not make a wrong certificate good", function()
    local server <close> = serve("expired")
    assert_refused(server, { tls = { ca = certificates.ca, pin = right } })
  end)

  it("in another form is refused: libcurl would read a file", function()
    local hash = right:sub(9)
    for _, pin in ipairs { "/etc/pin.pem", hash, "sha256/" .. hash,
      "SHA256//" .. hash, "sha1//" .. hash, right:sub(1, -2), right .. "=",
      right:sub(1, -3) .. "==", " " .. right, right .. ";", ";" .. right,
      right .. "; " .. wrong, right .. ";;" .. wrong, right .. "," .. wrong,
      "sha256//", right:gsub("%w=$", "-="), right .. "\n" } do
      for _, value in ipairs { pin, { pin }, { right, pin } } do
        local ok, message = pcall(get, value)
        assert.is_false(ok)
        assert.matches("option 'tls.pin': ", message, 1, true)
      end
    end
  end)
end)

describe("A TLS version", function()
  local nginx = support.nginx()

  local function get(listener, options)
    options.ca = certificates.ca
    local page, err = http.fetch(nginx[listener] .. "/tls", { tls = options })
    return page and page.body:match("TLSv%S+"), err
  end

  it("is one that both speak", function()
    assert.equal("TLSv1.2", get("https_1_2", {}))
    assert.equal("TLSv1.3", get("https_1_3", {}))
    assert.equal("TLSv1.2", get("https_1_2", { min = "1.0" }))
    assert.equal("TLSv1.3", get("https_1_3", { min = "1.3" }))
    assert.equal("TLSv1.2", get("https_1_2", { max = "1.2" }))
    assert.equal("TLSv1.3", get("https_1_3", { min = "1.3", max = "1.3" }))
    assert.equal("TLSv1.2", get("https_1_2", { min = "1.2", max = "1.2" }))
  end)

  it("that the other has not is a tls error", function()
    local wrong = { { "https_1_2", { min = "1.3" } },
      { "https_1_3", { max = "1.2" } }, { "https_1_3", { min = "1.1",
        max = "1.2" } } }
    for _, case in ipairs(wrong) do
      local version, err = get(table.unpack(case))
      assert.is_nil(version)
      assert.same({ "tls", "tls", false }, { err.code, err.phase,
        err.retryable })
      assert.matches("no TLS version.*tls.min, tls.max", err.message)
    end
  end)

  it("at least is not above the one at most", function()
    for _, tls in ipairs { { min = "1.3", max = "1.2" }, { max = "1.1" },
      { max = "1.0" }, { min = "1.1", max = "1.0" } } do
      local ok, message = pcall(http.fetch, nginx.https, { tls = tls })
      assert.is_false(ok)
      assert.matches("option 'tls.min' is above tls.max", message, 1, true)
      assert.is_false((pcall(http.client, { tls = tls })))
    end
    local client <close> = http.client { tls = { max = "1.2" } }
    local ok = pcall(client.fetch, client, nginx.https,
      { tls = { min = "1.3" } })
    assert.is_false(ok)
    ok = pcall(client.extend, client, { tls = { min = "1.3" } })
    assert.is_false(ok)
  end)

  it("of a request joins with its client's, and goes with it", function()
    local client <close> = http.client { tls = { ca = certificates.ca,
      max = "1.2" } }
    local function version(listener, options)
      local page = client:fetch(nginx[listener] .. "/tls", { tls = options })
      return page and page.body:match("TLSv%S+") or "none"
    end
    assert.equal("none", version("https_1_3"))
    assert.equal("TLSv1.3", version("https_1_3", { max = false }))
    assert.equal("none", version("https_1_3"))
    assert.equal("TLSv1.3", version("https_1_3", { min = "1.3", max = "1.3" }))
    assert.equal("none", version("https_1_3", { min = "1.2" }))
    assert.equal("TLSv1.2", version("https_1_2"))
    assert.equal("TLSv1.3", get("https_1_3", {}))
  end)
end)

-- libcurl keeps connections by what they were made with; nginx counts them.
describe("A connection", function()
  local nginx = support.nginx()
  local mine = certificates.client

  -- The number of the connection that a request went by, or its error's code.
  local function number(listener, options)
    local page, err = http.fetch(nginx[listener] .. "/tls", { tls = options })
    if not page then return err.code end
    return page.status == 200 and page.body:match("^%d+") or page.status
  end

  local function trusted(options)
    options.ca = certificates.ca
    return options
  end

  it("is used again by who asks in the same way", function()
    local ways = { {}, { pin = certificates.pin }, { min = "1.2" },
      { cert = mine.cert, key = mine.key } }
    for _, options in ipairs(ways) do
      local first = number("https", trusted(options))
      assert.matches("^%d+$", first)
      assert.equal(first, number("https", trusted(options)))
    end
  end)

  it("is not shared by those who ask in other ways", function()
    local text = read_file(certificates.ca)
    local ways = { { verify = false }, { ca = certificates.ca },
      { ca = text }, { ca = { "system", certificates.ca } },
      trusted { verify = false }, trusted { pin = certificates.pin },
      trusted { pin = { certificates.pin, certificates.other_pin } },
      trusted { max = "1.2" }, trusted { min = "1.1" },
      trusted { cert = mine.cert, key = mine.key },
      trusted { cert = certificates.unknown_client.cert, key = mine.key } }
    local seen = {}
    for round = 1, 2 do
      for i, options in ipairs(ways) do
        local its = number("https", options)
        assert.matches("^%d+$", its)
        assert.equal(round == 2 and i or nil, seen[its])
        seen[its] = i
      end
    end
  end)

  it("that showed a certificate is not for who shows none", function()
    local shown = trusted { cert = mine.cert, key = mine.key }
    assert.matches("^%d+$", number("https_client", shown))
    assert.equal(400, number("https_client", trusted {}))
    assert.equal(400, number("https_client", trusted {
      cert = certificates.unknown_client.cert, key = mine.key }))
    assert.matches("^%d+$", number("https_client", shown))
  end)

  it("that showed a certificate is not for who lacks its key", function()
    for _, cert in ipairs { mine.cert, read_file(mine.cert) } do
      local shown = trusted { cert = cert, key = mine.encrypted,
        key_password = mine.password }
      assert.matches("^%d+$", number("https_client", shown))
      assert.equal("tls", number("https_client", trusted { cert = cert,
        key = certificates.good.key }))
      assert.equal("tls", number("https_client", trusted { cert = cert,
        key = mine.encrypted, key_password = "wrong" }))
    end
  end)

  it("that was not verified is not for who verifies", function()
    assert.matches("^%d+$", number("https_expired", trusted {
      verify = false }))
    assert.equal("tls", number("https_expired", trusted {}))
    assert.matches("^%d+$", number("https_self_signed", { verify = false }))
    assert.equal("tls", number("https_self_signed", { verify = true }))
  end)

  it("to a pinned key is not for who pins another", function()
    assert.matches("^%d+$", number("https", trusted {
      pin = certificates.pin }))
    assert.equal("tls", number("https", trusted {
      pin = certificates.other_pin }))
    assert.matches("^%d+$", number("https", trusted {}))
    assert.equal("tls", number("https", trusted {
      pin = certificates.other_pin }))
  end)

  it("to a pinned key is not for who pins it in another case", function()
    local pin = certificates.pin
    local other = "sha256//" .. pin:sub(9):gsub("%a", function(letter)
      return letter:lower() == letter and letter:upper() or letter:lower()
    end)
    assert.matches("^%d+$", number("https", trusted { pin = pin }))
    assert.equal("tls", number("https", trusted { pin = other }))
  end)

  it("of an old version is not for who wants a new one", function()
    assert.matches("^%d+$", number("https_1_2", trusted {}))
    assert.equal("tls", number("https_1_2", trusted { min = "1.3" }))
  end)
end)

describe("verify = false", function()
  local nginx = support.nginx()

  it("shows in info, and so does its absence", function()
    local url = nginx.https .. "/small"
    assert.is_false(http.fetch(url, { tls = { verify = false } }).info.verified)
    assert.is_true(http.fetch(url, trusting).info.verified)
    local blind <close> = http.client { tls = { verify = false } }
    assert.is_false(blind:fetch(url).info.verified)
    local tls = { verify = true, ca = certificates.ca }
    assert.is_true(blind:fetch(url, { tls = tls }).info.verified)
    assert.is_nil(http.fetch(nginx.http .. "/small").info.verified)
  end)

  it("shows nothing of who did not answer", function()
    local told
    assert.is_nil((http.fetch(nginx.https_expired, { tls = trusting.tls,
      on_end = function(info) told = info end })))
    assert.is_table(told)
    assert.is_nil(told.verified)
  end)

  it("shows before the body has come", function()
    local r <close> = assert(http.get(nginx.https .. "/big",
      { tls = { verify = false } }))
    assert.is_false(r.info.ended)
    assert.is_false(r.info.verified)
  end)

  local function warnings(script)
    local _, code, out, err = support.run("warn('@on')\n" .. script,
      { nginx.https .. "/small", certificates.ca })
    assert.equal(0, code, err)
    return err, out
  end

  it("is warned of, once, where it is used first", function()
    local said = warnings [[
      local http = require "curlew"
      local blind = http.client { tls = { verify = false } }
      assert(http.fetch(arg[1], { tls = { ca = arg[2] } }))
      assert(blind:fetch(arg[1]))
      assert(blind:fetch(arg[1]))
      assert(http.fetch(arg[1], { tls = { verify = false } }))
    ]]
    assert.matches("^Lua warning: curlew: [^\n]*verify = false[^\n]*"
      .. "script.lua:5[^\n]*\n$", said)
  end)

  it("is not warned of where it is only said", function()
    assert.equal("", (warnings [[
      local http = require "curlew"
      local blind <close> = http.client { tls = { verify = false } }
      assert(blind:fetch(arg[1], { tls = { verify = true, ca = arg[2] } }))
    ]]))
  end)
end)

describe("A pipe or a device", function()
  -- To read one waits, in a call that nothing interrupts.
  local script = [[
    local http = require "curlew"
    local path, ca = ...
    for _, tls in ipairs { { ca = path }, { ca = { ca, path } },
      { ca = { path } }, { cert = path }, { cert = ca, key = path } } do
      local ok, message = pcall(http.get, "https://localhost:1", { tls = tls })
      print(ok, message:match "no regular file" or message)
    end
  ]]

  it("is no file of certificates, and nobody waits", function()
    local folder, ca = support.folder(), support.certificates().ca
    assert.equal(0, (support.command("mkfifo", folder .. "/fifo")))
    for _, path in ipairs { folder .. "/fifo", "/dev/zero", "/dev/stdin" } do
      local kind, code, out, err = support.run(script,
        { path, ca, seconds = 15 })
      assert.same({ "exit", 0, "" }, { kind, code, err })
      assert.equal(("false\tno regular file\n"):rep(5), out)
    end
  end)
end)

describe("A server that does not speak TLS", function()
  it("is said to be one, also where it is the proxy", function()
    local server <close> = support.server()
    server:script { { take = 5 },
      { send = "HTTP/1.1 400 Bad Request\r\n\r\n" }, "close" }
    local _, err = http.fetch((server.url:gsub("http", "https")))
    assert.same({ "tls", "tls", false }, { err.code, err.phase,
      err.retryable })
    assert.equal("the server does not speak TLS on this port (http:// instead "
      .. "of https://?)", err.message)
    _, err = http.fetch("http://name.none/",
      { proxy = server.url:gsub("http", "https") })
    assert.equal("proxy", err.code)
    assert.matches("the proxy does not speak TLS", err.message, 1, true)
  end)

  it("or closes at once is said to have done so", function()
    local server <close> = support.server()
    server:script { { take = 5 }, "reset" }
    local _, err = http.fetch((server.url:gsub("http", "https")))
    assert.equal("tls", err.code)
    assert.matches("closed during the TLS handshake", err.message, 1, true)
    server:reset():script { { take = 5 }, "close" }
    _, err = http.fetch((server.url:gsub("http", "https")))
    assert.equal("tls", err.code)
    assert.matches("closed during the TLS handshake", err.message, 1, true)
  end)
end)
