--- TLS sessions: a second connection resumes the session of the first, and no
-- session is offered with other certificates, keys, CAs, pins or versions.

local support = require "spec.support"
local http = require "curlew"

local nginx = support.nginx()
local certificates = support.certificates()
local mine = certificates.client

local function read_file(path)
  local file <close> = assert(io.open(path))
  return file:read("a")
end

-- Returns "resumed" or "new". nginx closes each connection after its response.
-- An idle connection of another spec file is used up first.
local function connect(options, listener)
  options.ca = options.ca or certificates.ca
  local page
  repeat
    page = assert(http.fetch(nginx[listener or "https"] .. "/session",
      { tls = options }))
  until not page.info.reused
  return page.body:match("^r") and "resumed" or "new"
end

-- From 8.20.0 on libcurl keeps the session of a connection with a client's
-- certificate in memory (CURLOPT_SSLCERT_BLOB), but never finds it again.
local resumes_identities = support.libcurl < 0x081400

local function with(name, value)
  return function() return { [name] = value } end
end


describe("A TLS session", function()
  local ways = {
    ["without options"] = function() return {} end,
    ["with a pin"] = with("pin", certificates.pin),
    ["with a version"] = with("min", "1.2"),
    ["with a CA as text"] = with("ca", read_file(certificates.ca)),
    ["with a certificate"] = function()
      return { cert = mine.cert, key = mine.key }
    end,
    ["without verification"] = with("verify", false),
  }

  for name, options in pairs(ways) do
    it("is resumed by the second connection, " .. name, function()
      local again = "resumed"
      if options().cert and not resumes_identities then again = "new" end
      connect(options())
      assert.equal(again, connect(options()))
      assert.equal(again, connect(options()))
    end)
  end

  it("is resumed by another client", function()
    connect {}
    local client <close> = http.client { tls = { ca = certificates.ca } }
    local page = assert(client:fetch(nginx.https .. "/session"))
    assert.matches("^r", page.body)
  end)

  it("is resumed by the ticket of TLS 1.3", function()
    connect({}, "https_1_3")
    assert.equal("resumed", connect({}, "https_1_3"))
  end)
end)

-- Each pair runs in a process of its own, so that there is no other session.
local APART = [[
local http = require "curlew"
local url, ca, cert, key, encrypted, password, other_cert, other_key, pin,
  other_pin, name, order = table.unpack(arg)

local function read_file(path)
  local file <close> = assert(io.open(path))
  return file:read("a")
end

local shown = { cert = cert, key = key }
local pairs_of = {
  ["verification"] = { {}, { verify = false } },
  ["CAs"] = { {}, { ca = read_file(ca) } },
  ["lists of CAs"] = { { ca = ca }, { ca = { "system", ca } } },
  ["pins"] = { { pin = pin }, { pin = { pin, other_pin } } },
  ["a pin and none"] = { {}, { pin = pin } },
  ["oldest versions"] = { {}, { min = "1.1" } },
  ["newest versions"] = { {}, { max = "1.2" } },
  ["a certificate and none"] = { {}, shown },
  ["certificates"] = { shown, { cert = other_cert, key = other_key } },
  ["keys"] = { shown, { cert = cert, key = encrypted,
    key_password = password } },
}

local function connect(options)
  options.ca = options.ca or ca
  return assert(http.fetch(url, { tls = options })).body:sub(1, 1)
end

local pair = pairs_of[name]
local first, second = pair[tonumber(order)], pair[3 - tonumber(order)]
io.write(connect(first), connect(second), connect(first), connect(second))
]]

describe("A TLS session is not offered with other", function()
  -- The expected outcomes of four connections with the first, the second, the
  -- first and the second options.
  local function expected(name, order)
    if resumes_identities then return "..rr" end
    if name == "a certificate and none" then
      return order == "1" and "..r." or "...r"
    end
    local both = name == "certificates" or name == "keys"
    return both and "...." or "..rr"
  end

  local function compare(name, order)
    local kind, code, out, err = support.run(APART, {
      nginx.https .. "/session", certificates.ca, mine.cert, mine.key,
      mine.encrypted, mine.password, certificates.unknown_client.cert,
      certificates.unknown_client.key, certificates.pin,
      certificates.other_pin, name, order,
    })
    assert.same({ "exit", 0 }, { kind, code }, err)
    assert.equal(expected(name, order), out)
  end

  for _, name in ipairs { "verification", "CAs", "lists of CAs", "pins",
    "a pin and none", "oldest versions", "newest versions",
    "a certificate and none", "certificates", "keys" } do
    it(name .. " than its own", function()
      compare(name, "1")
      compare(name, "2")
    end)
  end
end)
