--- No secret in a trace: known values stand in every option and header that can
-- hold one, over HTTP/1.1 and HTTP/2, directly and through proxies.

local support = require "spec.support"
local http = require "curlew"

local SECRET = "s3cr3tv4lue"
local USER = "us3rn4me"
local OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

-- ---- what must not be there ----

local ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
  .. "0123456789+/"

local function base64(text)
  local out = {}
  for at = 1, #text - 2, 3 do
    local a, b, c = text:byte(at, at + 2)
    local n = a << 16 | b << 8 | c
    for shift = 18, 0, -6 do
      local i = (n >> shift & 63) + 1
      out[#out + 1] = ALPHABET:sub(i, i)
    end
  end
  return table.concat(out)
end

-- The secret as it is, and as Base64 has it behind 0, 1 or 2 other bytes.
local function forms_of(secret)
  local forms = { secret }
  for skip = 0, 2 do
    forms[#forms + 1] = base64(secret:sub(skip + 1))
  end
  return forms
end

local function assert_no_secret(text)
  for _, secret in ipairs { SECRET, USER } do
    for _, form in ipairs(forms_of(secret)) do
      assert.is_nil(text:find(form, 1, true), text)
    end
  end
end

-- The trace of one request, of which it is known that it came that far.
local function traced(url, options, outcome)
  local file <close> = assert(io.tmpfile())
  options.trace = file
  options.timeout = 10
  local page, err = http.fetch(url, options)
  assert.equal(outcome or 200, page and page.status or err.code)
  file:seek("set")
  return file:read("a"), page
end

local function merged(...)
  local all = {}
  for _, options in ipairs { ... } do
    for name, value in pairs(options) do all[name] = value end
  end
  return all
end

-- ---- where secrets are ----

-- {name, options, query}
local places = {
  { "a query", {}, "?token=" .. SECRET },
  { "the option query", { query = { token = SECRET } } },
  { "Authorization", { headers = { Authorization = "Bearer " .. SECRET } } },
  { "Cookie", { headers = { Cookie = "a=" .. SECRET } } },
  { "Proxy-Authorization",
    { headers = { ["Proxy-Authorization"] = SECRET } } },
  { "secret_headers", { headers = { ["X-Api-Key"] = SECRET },
    secret_headers = { "x-api-key" } } },
  { "a Referer", { headers = { Referer = "https://" .. USER .. ":" .. SECRET
    .. "@h/?q=" .. SECRET } } },
  { "auth.basic", { auth = { basic = { USER, SECRET } } } },
  { "auth.digest", { auth = { digest = { USER, SECRET } } } },
  { "auth.bearer", { auth = { bearer = SECRET } } },
  { "auth.bearer, a function",
    { auth = { bearer = function() return SECRET end } } },
  { "a body", { method = "POST", body = SECRET } },
  { "a form", { method = "POST", form = { secret = SECRET } } },
  { "JSON", { method = "POST", json = { secret = SECRET } } },
  { "a multipart form", { method = "POST",
    multipart = { { name = "a", SECRET } } } },
}

local nginx, proxies

setup(function()
  nginx = support.nginx()
  proxies = { http = support.proxy("http", ("BasicAuth %s %s")
    :format(USER, SECRET)), socks = support.proxy("socks") }
end)

teardown(function()
  for _, proxy in pairs(proxies) do proxy:close() end
end)

local function through(scheme, kind)
  return { proxy = ("%s://%s:%s@%s"):format(scheme, USER, SECRET,
    proxies[kind].address) }
end

local ways = {
  directly = function() return {} end,
  ["through an HTTP proxy"] = function() return through("http", "http") end,
  ["through SOCKS"] = function() return through("socks5h", "socks") end,
}

for way, options_of in pairs(ways) do
  for _, over in ipairs { "http", "https", "https2" } do
    describe("A trace " .. way .. " over " .. over .. " holds no secret",
      function()
        for _, place in ipairs(places) do
          it("of " .. place[1] .. " #plain", function()
            local options = merged(place[2], options_of(), {
              tls = { ca = nginx.ca },
              http_version = over == "https2" and "2" or "1.1" })
            local url = nginx[over]:gsub("localhost", "127.0.0.1")
            local text, page = traced(url .. "/method" .. (place[3] or ""),
              options)
            assert_no_secret(text)
            assert.matches("\n< HTTP/", text, 1, true)
            assert.equal(over == "https2" and "2" or "1.1",
              page.http_version)
          end)
        end
      end)
  end
end

describe("A trace holds no secret", function()
  local server

  before_each(function() server = support.server {} end)
  after_each(function() server:close() end)

  it("of a url with userinfo #plain", function()
    server:reply(OK)
    local url = server.url:gsub("//", ("//%s:%s@"):format(USER, SECRET))
    assert_no_secret(traced(url .. "/?q=" .. SECRET, {}))
  end)

  it("of an answer to a challenge #plain", function()
    for _, challenge in ipairs { 'Digest realm="r", nonce="n", qop="auth"',
      'Basic realm="r"' } do
      for _, auth in ipairs { { digest = { USER, SECRET } },
        { basic = { USER, SECRET } } } do
        server:reset():replies("HTTP/1.1 401 No\r\nWWW-Authenticate: "
          .. challenge .. "\r\nContent-Length: 0\r\n\r\n", OK)
        local file <close> = assert(io.tmpfile())
        http.fetch(server.url, { auth = auth, trace = file })
        file:seek("set")
        local text = file:read("a")
        assert.matches("\n< HTTP/1.1 401 No\n", text, 1, true)
        assert_no_secret(text)
      end
    end
  end)

  it("of a netrc file #plain", function()
    local home = support.folder()
    local file <close> = assert(io.open(home .. "/.netrc", "w"))
    assert(file:write(("machine localhost login %s password %s\n")
      :format(USER, SECRET)))
    file:close()
    for _, version in ipairs { "1.1", "2" } do
      local kind, code, out, err = support.run([[
        local url, ca, version = ...
        local http = require "curlew"
        assert(http.fetch(url, { trace = io.stdout, auth = { netrc = true },
          tls = { ca = ca }, http_version = version }))
      ]], { nginx.https2 .. "/small", nginx.ca, version,
        env = { HOME = home } })
      assert.same({ "exit", 0, "" }, { kind, code, err })
      assert.matches("uthorization: ***", out, 1, true)
      assert_no_secret(out)
    end
  end)

  it("of a proxy's refusal #plain", function()
    for _, status in ipairs { "407 No", "502 No" } do
      server:reset():reply("HTTP/1.1 " .. status
        .. "\r\nProxy-Authenticate: Basic realm=\"r\"\r\n\r\n")
      assert_no_secret(traced("https://h/", { proxy = server.url
        :gsub("//", ("//%s:%s@"):format(USER, SECRET)) }, "proxy"))
    end
  end)

  it("of a response #plain", function()
    server:reply("HTTP/1.1 302 Found\r\nSet-Cookie: a=" .. SECRET
      .. "\r\nLocation: http://" .. USER .. ":" .. SECRET .. "@h/?" .. SECRET
      .. "\r\nContent-Length: 0\r\n\r\n")
    assert_no_secret(traced(server.url, { redirects = 0 }, 302))
  end)

  it("of a proxy of the environment #plain", function()
    for _, scheme in ipairs { "http", "socks5h", "none" } do
      server:reset():script { "request", { send = OK }, "close" }
      local kind, code, out, err = support.run([[
        local http = require "curlew"
        http.fetch("http://name.none/", { trace = io.stdout, timeout = 5 })
      ]], { env = { all_proxy = ("%s://%s:%s@127.0.0.1:%d")
        :format(scheme, USER, SECRET, server.port) } })
      assert.same({ "exit", 0, "" }, { kind, code, err })
      assert_no_secret(out)
    end
  end)

  it("and yet what libcurl says #plain", function()
    server:reply(OK)
    local text = traced(server.url, {})
    assert.matches("\n%* [^\n]*127%.0%.0%.1", "\n" .. text)
  end)
end)
