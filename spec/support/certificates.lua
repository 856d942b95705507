--- Certificates for the specs, made once a suite by the openssl command:
-- one good and each kind of bad one. EC keys, all for localhost unless said;
-- those of clients, and a key that needs a password.

-- Validity as OpenSSL writes it; the valid ones outlast any suite.
local PAST = { from = "20200101000000Z", to = "20200201000000Z" }
local VALID = { from = "20200101000000Z", to = "20491231000000Z" }
local FUTURE = { from = "20480101000000Z", to = "20491231000000Z" }

local CONFIG = [[
[req]
distinguished_name = dn
prompt = no
[dn]
CN = localhost
[ca_extensions]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[localhost]
subjectAltName = DNS:localhost, IP:127.0.0.1
basicConstraints = CA:FALSE
[other]
subjectAltName = DNS:other.test
basicConstraints = CA:FALSE
[nameless]
basicConstraints = CA:FALSE
[client_only]
subjectAltName = DNS:localhost, IP:127.0.0.1
basicConstraints = CA:FALSE
extendedKeyUsage = clientAuth
[ca]
database = @DIR@/index
new_certs_dir = @DIR@
rand_serial = yes
unique_subject = no
default_md = sha256
policy = any
[any]
commonName = supplied
]]

local function write_file(path, text)
  local file <close> = assert(io.open(path, "w"))
  assert(file:write(text))
end

return function(posix, dir)
  local function at(name) return dir .. "/" .. name end

  local function openssl(...)
    local argv = { "openssl", ... }
    argv.stdin, argv.stderr = false, true
    argv.env = { OPENSSL_CONF = at("openssl.cnf") }
    local child <close> = assert(posix.spawn(argv))
    local _, messages = child:communicate()
    local _, code = child:wait()
    if code ~= 0 then error("openssl " .. table.concat({ ... }, " ")
      .. "\n" .. messages) end
  end

  local function key_and_request(name, ...)
    openssl("req", "-newkey", "ec", "-pkeyopt",
      "ec_paramgen_curve:prime256v1", "-nodes", "-utf8", "-keyout",
      at(name .. ".key"), "-config", at("openssl.cnf"), ...)
  end

  local function self_issued(name, extensions, subject)
    key_and_request(name, "-x509", "-days", "3650", "-out",
      at(name .. ".pem"), "-extensions", extensions, "-subj", subject)
    return { cert = at(name .. ".pem"), key = at(name .. ".key") }
  end

  local function issued(name, ca, extensions, validity, whose)
    whose = whose or "server"
    openssl("ca", "-batch", "-notext", "-name", "ca", "-config",
      at("openssl.cnf"), "-cert", at(ca .. ".pem"), "-keyfile",
      at(ca .. ".key"), "-in", at(whose .. ".csr"), "-out",
      at(name .. ".pem"), "-extensions", extensions, "-startdate",
      validity.from, "-enddate", validity.to)
    return { cert = at(name .. ".pem"), key = at(whose .. ".key") }
  end

  local function request(name, ...)
    key_and_request(name, "-new", "-out", at(name .. ".csr"), ...)
  end

  -- What is in the files, one behind the other, in a file of its own.
  local function joined(name, ...)
    local parts = {}
    for i, path in ipairs { ... } do
      local file <close> = assert(io.open(path))
      parts[i] = file:read("a")
    end
    write_file(at(name), table.concat(parts))
    return at(name)
  end

  local PASSWORD = "a secret of the specs"

  local function encrypted(key)
    local path = key:gsub("%.key$", ".encrypted.key")
    openssl("pkey", "-in", key, "-aes256", "-passout", "pass:" .. PASSWORD,
      "-out", path)
    return path
  end

  -- As CURLOPT_PINNEDPUBLICKEY has it.
  local function pin_of(key)
    openssl("pkey", "-in", key, "-pubout", "-outform", "DER", "-out",
      at("key.der"))
    openssl("dgst", "-sha256", "-binary", "-out", at("key.hash"),
      at("key.der"))
    openssl("enc", "-base64", "-in", at("key.hash"), "-out", at("key.pin"))
    local file <close> = assert(io.open(at("key.pin")))
    return "sha256//" .. file:read("l")
  end

  write_file(at("openssl.cnf"), (CONFIG:gsub("@DIR@", dir)))
  write_file(at("index"), "")
  local ca = self_issued("ca", "ca_extensions", "/CN=curlew spec CA")
  self_issued("other_ca", "ca_extensions", "/CN=curlew spec other CA")
  request("server")
  request("client", "-subj", "/CN=a client")
  request("middle_ca", "-subj", "/CN=curlew spec middle CA")
  issued("middle_ca", "ca", "ca_extensions", VALID, "middle_ca")
  local broken = issued("broken_chain", "middle_ca", "localhost", VALID)
  local client = issued("client", "ca", "client_only", VALID, "client")
  client.both = joined("client.both.pem", client.cert, client.key)
  client.encrypted, client.password = encrypted(client.key), PASSWORD

  return {
    ca = ca.cert, -- path of the CA to be trusted
    good = issued("good", "ca", "localhost", VALID),
    wrong_name = issued("wrong_name", "ca", "other", VALID),
    expired = issued("expired", "ca", "localhost", PAST),
    not_yet = issued("not_yet", "ca", "localhost", FUTURE),
    unknown_ca = issued("unknown_ca", "other_ca", "localhost", VALID),
    self_signed = self_issued("self_signed", "localhost", "/CN=localhost"),
    -- self-signed, with control characters in its name
    hostile_name = self_issued("hostile_name", "nameless",
      "/CN=e\27[31mvil\u{9b}\u{e9}"),
    wrong_usage = issued("wrong_usage", "ca", "client_only", VALID),
    broken_chain = broken,
    middle_ca = at("middle_ca.pem"), -- what it lacks
    whole_chain = { key = broken.key,
      cert = joined("whole_chain.pem", broken.cert, at("middle_ca.pem")) },
    -- to be shown to a server that asks: cert, key; both: in one file;
    -- encrypted: the same key, under `password`
    client = client,
    unknown_client = issued("unknown_client", "other_ca", "client_only", VALID,
      "client"),
    pin = pin_of(at("server.key")), -- of all servers' keys but self_signed's
    other_pin = pin_of(client.key),
  }
end
