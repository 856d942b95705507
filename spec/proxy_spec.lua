--- Proxies: the option and the environment's, through tinyproxy, microsocks
-- and, where it is about bytes, the server of canned ones.

local support = require "spec.support"
local http = require "curlew"

local OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

local nginx, plain, guarded, socks
local https -- nginx's; proxies look names up by the system, which may know none

setup(function()
  nginx = support.nginx()
  https = nginx.https:gsub("localhost", "127.0.0.1")
  plain = support.proxy("http")
  guarded = support.proxy("http", "BasicAuth user s3cret")
  socks = support.proxy("socks")
end)

teardown(function()
  plain:close()
  guarded:close()
  socks:close()
end)

local function url_of(proxy, scheme, userinfo)
  return ("%s://%s%s"):format(scheme or "http", userinfo or "", proxy.address)
end

-- What was asked of the proxy while f ran, at least n things.
local function asked(proxy, n, f)
  local before = #proxy:requests()
  f()
  local lines = proxy:settled(before + n)
  return table.move(lines, before + 1, #lines, 1, {})
end

-- ---- the option ----

describe("The option proxy", function()
  it("sends a request for http to the proxy", function()
    local lines = asked(plain, 1, function()
      local page = assert(http.fetch(nginx.http .. "/small",
        { proxy = url_of(plain) }))
      assert.equal(200, page.status)
      assert.matches("tinyproxy", page:header("via"))
    end)
    assert.same({ "GET " .. nginx.http .. "/small HTTP/1.1" }, lines)
  end)

  it("has a tunnel for https, and the certificate is the server's", function()
    local lines = asked(plain, 1, function()
      local page = assert(http.fetch(https .. "/small",
        { proxy = url_of(plain), tls = { ca = nginx.ca } }))
      assert.equal(200, page.status)
      assert.is_nil(page:header("via"))
    end)
    assert.same({ "CONNECT " .. https:sub(9) .. " HTTP/1.1" }, lines)
  end)

  it("does not show the proxy's own headers as the server's", function()
    local page = assert(http.fetch(https .. "/status/404",
      { proxy = url_of(plain), tls = { ca = nginx.ca } }))
    assert.equal(404, page.status)
    assert.matches("nginx", page:header("server"))
  end)

  it("is for this machine too, unlike the environment's", function()
    local page = assert(http.fetch(nginx.http .. "/who",
      { proxy = url_of(plain) }))
    assert.matches("tinyproxy", page.body)
  end)

  it("is the request's alone", function()
    local function via(options)
      return assert(http.fetch(nginx.http .. "/small", options)):header("via")
    end
    assert.is_string(via { proxy = url_of(plain) })
    assert.is_nil(via())
    assert.is_string(via { proxy = url_of(plain) })
    assert.is_nil(via { proxy = false })
  end)

  it("of a client is overruled by false", function()
    local client <close> = http.client { proxy = url_of(plain) }
    local child <close> = client:extend { proxy = false }
    local function via(...) return assert(client.fetch(...)):header("via") end
    assert.is_string(via(client, nginx.http .. "/small"))
    assert.is_nil(via(client, nginx.http .. "/small", { proxy = false }))
    assert.is_nil(via(child, nginx.http .. "/small"))
    assert.is_string(via(client, nginx.http .. "/small"))
  end)

  it("logs in with what its url has, at the proxy only", function()
    local page = assert(http.fetch(nginx.http .. "/who",
      { proxy = url_of(guarded, "http", "user:s3cret@") }))
    assert.equal(200, page.status)
    assert.is_nil(page.body:find("Basic", 1, true))
    assert.equal(200, assert(http.fetch(https .. "/who", {
      proxy = url_of(guarded, "http", "user:s3cret@"),
      tls = { ca = nginx.ca } })).status)
  end)

  it("keeps user and password out of the next request", function()
    local server <close> = support.server()
    server:script { "request", { send = OK }, "request", { send = OK },
      "hold" }
    local address = server.url:sub(8)
    assert(http.fetch("http://name.none/",
      { proxy = "http://user:s3cret@" .. address }))
    assert(http.fetch("http://name.none/", { proxy = server.url }))
    assert(http.fetch(server.url .. "/direct"))
    local first, second, third = table.unpack(server:requests())
    assert.matches("\r\nProxy%-Authorization: Basic dXNlcjpzM2NyZXQ=\r\n",
      first)
    assert.matches("^GET http://name%.none/ HTTP/1%.1\r\n", first)
    assert.is_nil(second:find("Authorization", 1, true))
    assert.matches("^GET /direct HTTP/1%.1\r\n", third)
    assert.is_nil(third:find("[Pp]roxy"))
  end)

  it("has a tunnel of its own for each user", function()
    local function fetch(userinfo)
      return http.fetch(https .. "/small",
        { proxy = url_of(guarded, "http", userinfo), tls = { ca = nginx.ca } })
    end
    assert.equal(200, assert(fetch("user:s3cret@")).status)
    for _, userinfo in ipairs { "", "user:wrong@", "other:s3cret@" } do
      local page, err = fetch(userinfo)
      assert.is_nil(page)
      assert.equal("proxy", err.code)
    end
  end)

  it("uses a tunnel again for the same user", function()
    local options = { proxy = url_of(guarded, "http", "user:s3cret@"),
      tls = { ca = nginx.ca } }
    assert(http.fetch(https .. "/small", options))
    local page = assert(http.fetch(https .. "/small", options))
    assert.is_true(page.info.reused)
  end)

  it("keeps the program's header lines out of CONNECT", function()
    local server <close> = support.server()
    server:reply("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
    http.fetch("https://name.none/", { proxy = server.url,
      headers = { Authorization = "Bearer secret", Cookie = "a=b" } })
    local connect = server:request()
    assert.matches("^CONNECT name%.none:443 HTTP/1%.1\r\n", connect)
    assert.is_nil(connect:find("secret", 1, true))
    assert.is_nil(connect:find("a=b", 1, true))
  end)

  for _, scheme in ipairs { "socks5", "socks5h" } do
    it("speaks " .. scheme, function()
      local lines = asked(socks, 2, function()
        local options = { proxy = url_of(socks, scheme),
          tls = { ca = nginx.ca } }
        local page = assert(http.fetch(nginx.http .. "/small", options))
        assert.equal(200, page.status)
        page = assert(http.fetch(https .. "/small", options))
        assert.equal(200, page.status)
      end)
      assert.equal(2, #lines)
    end)
  end

  -- The request of SOCKS 4 (version, command, port, address, user), and the
  -- name that follows it in SOCKS 4a.
  for scheme, request in pairs {
    socks4 = "\4\1\0\80\127\0\0\1user\0",
    socks4a = "\4\1\0\80\0\0\0\1user\0name.none\0",
  } do
    it("speaks " .. scheme, function()
      local server <close> = support.server()
      server:script { { take = #request }, { send = "\0\90" .. ("\0"):rep(6) },
        "request", { send = OK } }
      local host = scheme == "socks4" and "127.0.0.1" or "name.none"
      local page = assert(http.fetch("http://" .. host .. "/", {
        proxy = server.url:gsub("http://", scheme .. "://user@") }))
      assert.equal("ok", page.body)
      assert.equal(request, server:request())
      assert.matches("^GET / HTTP/1%.1\r\n", server:request(2))
    end)
  end

  it("with resolve is a tunnel to the address that is told", function()
    local lines = asked(plain, 1, function()
      local page = assert(http.fetch("http://name.none/who",
        { proxy = url_of(plain),
          resolve = { ["name.none"] = nginx.http:sub(8) } }))
      assert.matches("^name%.none ", page.body)
    end)
    assert.same({ "CONNECT " .. nginx.http:sub(8) .. " HTTP/1.1" }, lines)
  end)

  it("is a url of a proxy and nothing besides", function()
    for text, what in pairs {
      ["proxy:3128"] = "begins with http://",
      ["ftp://proxy"] = "begins with http://",
      ["http://"] = "no host",
      ["http:///x"] = "no host",
      ["http://?"] = "no host",
      ["http://user:s3cret@/"] = "malformed",
      ["http://user:s3cret@proxy:99999"] = "malformed",
      ["http://proxy/path"] = "more than",
      ["http://proxy?q"] = "more than",
      ["http://proxy/#f"] = "more than",
      ["http://user:s3cret@proxy/a?b"] = "more than",
      ["http://proxy a"] = "blank",
      ["http://pro\\xy"] = "backslash",
      ["http://pro\r\nxy"] = "control byte",
      ["http://user%00:s3cret@proxy"] = "control byte",
      ["http://user:%0as3cret@proxy"] = "control byte",
      ["https://user:s3cret%0D%0A@proxy"] = "control byte",
      ["socks5://%1b:s3cret@proxy"] = "control byte",
      ["socks4://us%7fer:s3cret@proxy"] = "control byte",
    } do
      local ok, message = pcall(http.fetch, nginx.http, { proxy = text })
      assert.is_false(ok)
      assert.matches("option 'proxy': ", message, 1, true)
      assert.is_truthy(message:find(what, 1, true), text .. ": " .. message)
      assert.is_nil(message:find("s3cret", 1, true))
    end
    assert(pcall(http.client, { proxy = "HTTP://proxy/" }))
    assert(pcall(http.client, { proxy = "http://us%20er:%zz%e4%2500@proxy" }))
  end)
end)

describe("A proxy that fails", function()
  local function failure(url, proxy, options)
    options = options or {}
    options.proxy = proxy
    local page, err = http.fetch(url, options)
    assert.is_nil(page)
    assert.is_nil(tostring(err):find("s3cret", 1, true))
    return { err.code, err.phase, err.retryable }, err
  end

  local function nobody()
    local port = support.refused_port
    return "user:s3cret@127.0.0.1:" .. port
  end

  it("is not there: proxy, in phase connect", function()
    for _, scheme in ipairs { "http", "https", "socks4", "socks5" } do
      for _, target in ipairs { "http", "https" } do
        assert.same({ "proxy", "connect", true },
          (failure(target .. "://name.none/", scheme .. "://" .. nobody())))
      end
    end
  end)

  it("has no address: proxy, in phase resolve", function()
    assert.same({ "proxy", "resolve", true },
      (failure("http://127.0.0.1/", "http://user:s3cret@name.none")))
  end)

  it("refuses a tunnel: proxy, and its status says whether later", function()
    local server <close> = support.server()
    for status, later in pairs { [403] = false, [407] = false, [502] = true,
      [503] = true } do
      server:reply(("HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n"):format(
        status))
      local what, err = failure("https://name.none/", server.url)
      assert.same({ "proxy", "connect", later }, what)
      assert.matches(tostring(status), err.message)
    end
  end)

  it("wants a password: a response for http, proxy for https", function()
    local page = assert(http.fetch(nginx.http .. "/small",
      { proxy = url_of(guarded) }))
    assert.equal(407, page.status)
    assert.equal("proxy", failure(https .. "/small",
      url_of(guarded, "http", "user:wrong@"))[1])
  end)

  it("closes instead of an answer to CONNECT: proxy", function()
    local server <close> = support.server()
    server:script { "request", "close" }
    assert.equal("proxy", failure("https://name.none/", server.url)[1])
  end)

  it("cannot reach the server: proxy by SOCKS, else what it says", function()
    local there = nobody():match("@(.*)")
    assert.equal("proxy", failure("http://" .. there,
      url_of(socks, "socks5"))[1])
    assert.equal("proxy", failure("https://" .. there, url_of(plain))[1])
    assert.equal(500, assert(http.fetch("http://" .. there,
      { proxy = url_of(plain) })).status)
  end)

  it("has a certificate that nobody vouches for: proxy", function()
    local url = nginx.https_self_signed:gsub("//", "//user:s3cret@")
    local what = failure("http://name.none/", url)
    assert.equal("proxy", what[1])
    what = failure("https://name.none/", nginx.https_self_signed)
    assert.equal("proxy", what[1])
  end)

  it("is not blamed for the server's certificate", function()
    assert.same({ "tls", "tls", false },
      (failure(https .. "/small", url_of(plain))))
    assert.same({ "tls", "tls", false },
      (failure(https .. "/small", url_of(socks, "socks5"))))
  end)

  it("is not blamed for an interface that is not there", function()
    assert.equal("connect", failure("http://name.none/", url_of(plain),
      { interface = "none0" })[1])
  end)

  it("is not blamed when there was none", function()
    assert.equal("connect", failure("http://" .. nobody(), false)[1])
  end)
end)

-- ---- answers to CONNECT ----

-- The specs run in a process that can be killed, because libcurl reads such an
-- answer in one call.
describe("An answer to CONNECT", function()
  local server
  setup(function() server = support.server() end)
  teardown(function() server:close() end)

  local function ask(script, options)
    server:reset():script(script)
    local kind, code, out, err = support.run([[
      local http = require "curlew"
      local page, err = http.fetch("https://name.none/", {
        proxy = arg[1], timeout = tonumber(arg[2]) })
      print(page, err.code, err.phase, err.retryable, err)
    ]], { server.url, options and options.timeout or "20", seconds = 30,
      env = options and options.env })
    assert.same({ "exit", 0, "" }, { kind, code, err })
    return out
  end

  local many = { { loop = { { send = ("x"):rep(65536) } } } }
  local REFUSAL = "HTTP/1.1 407 Wants a password\r\n"

  it("may have no body without an end", function()
    for _, fields in ipairs { "Content-Length: 999999999999\r\n\r\n",
      "Transfer-Encoding: chunked\r\n\r\nfffffff\r\n" } do
      assert.matches("^nil\tproxy\tconnect\tfalse\t.*407", ask { "request",
        { send = REFUSAL .. fields }, table.unpack(many) })
    end
  end)

  it("may have no header lines without an end", function()
    local line = "X-Line: " .. ("y"):rep(100) .. "\r\n"
    local lines = { loop = { { send = line:rep(600) } } }
    assert.matches("^nil\tproxy\tconnect\tfalse\t.*407", ask { "request",
      { send = REFUSAL }, lines })
    assert.matches("^nil\tproxy\tconnect\ttrue\t", ask { "request", lines })
    assert.matches("^nil\tproxy\tconnect\t", ask { "request",
      { send = "HTTP/1.1 200 OK\r\n" }, lines })
  end)

  it("may have no line without an end", function()
    assert.matches("^nil\tproxy\tconnect\t", ask { "request",
      { send = REFUSAL .. "X-Line: " }, table.unpack(many) })
  end)

  it("may be no interim one", function()
    local interim = { loop = { { send =
      ("HTTP/1.1 100 Continue\r\n\r\n"):rep(1000) } } }
    assert.matches("^nil\tproxy\tconnect\t", ask { "request", interim })
  end)

  it("may be as long as one of an honest proxy", function()
    local fields = ("X-Field: " .. ("y"):rep(1000) .. "\r\n"):rep(30)
    local body = ("z"):rep(8000)
    assert.matches("^nil\tproxy\tconnect\tfalse\t.*tunnel failed,.*407",
      ask { "request", { send = REFUSAL .. fields ..
        "Content-Length: 8000\r\n\r\n" .. body }, "close" })
    assert.matches("^nil\ttls\ttls\t", ask { "request",
      { send = "HTTP/1.1 200 OK\r\n" .. fields .. "\r\n" }, { take = 5 },
      { send = "this is no TLS\r\n" } })
  end)

  it("that stops is awaited for timeout.connect", function()
    assert.matches("^nil\ttimeout\tconnect\ttrue\t.*timeout%.connect",
      ask({ "request", { send = REFUSAL ..
        "Content-Length: 999999999\r\n\r\nz" }, "hold" }, { timeout = "1" }))
  end)
end)

describe("A SOCKS proxy", function()
  it("is never offered GSSAPI, by which it could block", function()
    local server <close> = support.server()
    server:script { { take = 3 }, { send = "\5\255" }, "close" }
    local _, err = http.fetch("http://name.none/", {
      proxy = server.url:gsub("http", "socks5h") })
    assert.equal("proxy", err.code)
    assert.equal("\5\1\0", server:request())
  end)
end)

-- ---- the environment ----

local VARIABLES = { "http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY",
  "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY" }

-- Runs the script in a process that has these variables and no others of them.
-- In it: try(url, options) prints "direct", "proxied" or an error's code.
local function run(variables, script, ...)
  local env = {}
  for _, name in ipairs(VARIABLES) do env[name] = variables[name] or false end
  local _, code, out, err = support.run([[
    local http = require "curlew"
    local function try(url, options)
      options = options or {}
      options.timeout = 20
      local page, err = http.fetch(url, options)
      if not page then return print(err.code, err.phase) end
      print(page:header("x-proxied") and "proxied" or "direct")
    end
  ]] .. script, { env = env, ... })
  assert.equal("", err)
  assert.equal(0, code)
  return out
end

describe("The environment's proxy", function()
  local proxy -- it answers by itself
  local PROXIED = "HTTP/1.1 200 OK\r\nX-Proxied: yes\r\nContent-Length: 2\r\n"
    .. "\r\nok"
  setup(function() proxy = support.server() end)
  teardown(function() proxy:close() end)
  before_each(function() proxy:reset():reply(PROXIED) end)

  it("is used for http, https or both, by its variable", function()
    local script = "try('http://name.none/') try('https://name.none/')"
    local refuses = { "request",
      { send = "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n" }, "close" }
    for _, name in ipairs { "https_proxy", "HTTPS_PROXY" } do
      proxy:reset():script(refuses)
      assert.equal("resolve\tresolve\nproxy\tconnect\n",
        run({ [name] = proxy.url }, script))
    end
    for _, name in ipairs { "all_proxy", "ALL_PROXY" } do
      proxy:reset():script(refuses)
      assert.equal("direct\nproxy\tconnect\n",
        run({ [name] = proxy.url }, script))
      assert.equal(2, #proxy:requests())
    end
    proxy:reset():reply(PROXIED)
    assert.equal("proxied\nresolve\tresolve\n",
      run({ http_proxy = proxy.url }, script))
  end)

  it("is never HTTP_PROXY's", function()
    assert.equal("resolve\tresolve\n", run({ HTTP_PROXY = proxy.url },
      "try('http://name.none/')"))
    assert.equal(0, proxy:connections())
  end)

  it("is never used for this machine itself", function()
    local port = nginx.ports.http
    local script = ""
    for _, host in ipairs { "localhost", "LOCALHOST", "127.0.0.1", "127.1",
      "0x7f000001", "127.255.0.3" } do
      script = script .. ("try('http://%s:%d/small')\n"):format(host, port)
    end
    local out = run({ http_proxy = proxy.url, all_proxy = proxy.url }, script
      .. "try('http://[::1]:1/') try('http://app.localhost:1/')")
    assert.equal(0, proxy:connections())
    assert.equal(5, select(2, out:gsub("direct\n", "")))
    assert.is_nil(out:find("proxi", 1, true))
  end)

  it("is never used for another way to write this machine", function()
    local _, name = support.command("uname", "-n")
    name = name:gsub("%s", "")
    local script = ""
    local hosts = { "0.0.0.0", "0", "127.0.0.1.", "127.1.", "localhost.",
      "[::]", "[0:0::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:5]",
      "[::ffff:0.0.0.0]", "app.localhost.", name, name .. ".", name:upper() }
    for _, host in ipairs(hosts) do
      script = script .. ("try('http://%s:1/')\n"):format(host)
    end
    local out = run({ http_proxy = proxy.url, all_proxy = proxy.url }, script)
    assert.equal(0, proxy:connections())
    assert.is_nil(out:find("proxi", 1, true), out)
    assert.equal(#hosts, select(2, out:gsub("\n", "")))
  end)

  it("is used for others, also after a request to this machine", function()
    local script, n = "", 0
    for _, host in ipairs { "localhost.none", "xlocalhost", "128.0.0.1",
      "[::ffff:192.0.2.1]", "127.0.0.1.none" } do
      script = script .. ("try('http://0.0.0.0:1/') try('http://%s:1/')\n")
        :format(host)
      n = n + 1
    end
    local out = run({ http_proxy = proxy.url }, script)
    assert.equal(("connect\tconnect\nproxied\n"):rep(n), out)
  end)

  it("is not used for those of no_proxy", function()
    local script = [[
      try('http://name.none/') try('http://sub.name.none/')
      try('http://other.none/') try('http://localhost:1/')
    ]]
    for _, name in ipairs { "no_proxy", "NO_PROXY" } do
      local out = run({ http_proxy = proxy.url,
        [name] = "name.none, 192.0.2.0/24" }, script)
      assert.equal("resolve\tresolve\nresolve\tresolve\nproxied\n"
        .. "connect\tconnect\n", out)
    end
    assert.equal("resolve\tresolve\n", run({ http_proxy = proxy.url,
      no_proxy = "*" }, "try('http://name.none/')"))
  end)

  it("gives way to the option, and comes back after it", function()
    assert.equal("proxied\nresolve\tresolve\nproxied\nproxied\n",
      run({ http_proxy = proxy.url }, [[
        try('http://name.none/')
        try('http://name.none/', { proxy = false })
        try('http://name.none/')
        try('http://127.0.0.1:1/', { proxy = os.getenv "http_proxy" })
      ]]))
    assert.equal("proxied\nconnect\tconnect\nproxied\n",
      run({ http_proxy = "http://127.0.0.1:1" }, [[
        local proxy = arg[1]
        try('http://127.0.0.1:1/', { proxy = proxy })
        try('http://127.0.0.1:1/')
        try('http://name.none/', { proxy = proxy })
      ]], proxy.url))
  end)

  it("gives way to no_proxy of a handle that had the option", function()
    assert.equal("proxied\nresolve\tresolve\nproxied\n",
      run({ http_proxy = proxy.url, no_proxy = "name.none" }, [[
        try('http://name.none/', { proxy = os.getenv "http_proxy" })
        try('http://name.none/')
        try('http://other.none/')
      ]]))
  end)

  it("is not for a client that has none", function()
    assert.equal("resolve\nproxied\n", run({ http_proxy = proxy.url }, [[
      local client = http.client { proxy = false }
      local _, err = client:fetch('http://name.none/')
      print(err.code)
      try('http://name.none/')
    ]]))
  end)

  it("is not for a request that says where to connect", function()
    assert.equal("direct\nproxied\ndirect\nproxied\nproxied\n",
      run({ http_proxy = proxy.url }, [[
        try('http://name.none/small', { unix = arg[1] })
        try('http://name.none/small')
        try('http://name.none/small', { resolve = { ['name.none'] = arg[2] } })
        try('http://name.none/small')
        try('http://other.none/small',
          { resolve = { ['name.none'] = arg[2] } })
      ]], nginx.socket, nginx.http:sub(8)))
  end)

  it("is to blame when it is not there", function()
    assert.equal("proxy\tconnect\nproxy\tconnect\nconnect\tconnect\n",
      run({ all_proxy = "http://user:s3cret@127.0.0.1:1" }, [[
        try('http://name.none/')
        try('https://name.none/')
        try('http://127.0.0.1:1/')
      ]]))
  end)

  it("is not to blame for a name with its word in it", function()
    assert.equal("resolve\tresolve\nconnect\tconnect\n",
      run({ https_proxy = "http://127.0.0.1:1" }, [[
        try('http://proxy.none/')
        try('https://proxy.localhost:1/')
      ]]))
  end)

  it("is never passed over for what its user and password hold", function()
    local address = proxy.url:sub(8)
    for _, login in ipairs { "us%00er:s3cret", "user:s3cret%0a", "user:%0d%0a",
      "%1b", "user:s3cret%7F" } do
      for _, scheme in ipairs { "http", "socks5", "socks4a" } do
        local value = ("%s://%s@%s"):format(scheme, login, address)
        local out = run({ all_proxy = value, no_proxy = "name.none" }, [[
          for _, scheme in ipairs { "http", "https" } do
            local _, err = http.fetch(scheme .. "://other.none/")
            print(err.code, err.phase, err.retryable, err)
          end
          try("http://name.none/")
          try("http://other.none/", { proxy = false })
          try("http://other.none/")
        ]])
        assert.is_nil(out:find("s3cret", 1, true))
        local lines = {}
        for line in out:gmatch("[^\n]+") do lines[#lines + 1] = line end
        for i = 1, 2 do
          assert.matches("^proxy\tconnect\tfalse\t.*control byte", lines[i])
        end
        assert.same({ "resolve\tresolve", "resolve\tresolve",
          "proxy\tconnect" }, table.move(lines, 3, 5, 1, {}))
      end
    end
    assert.equal(0, proxy:connections())
  end)

  it("is judged by itself for http and for https", function()
    assert.equal("proxied\nproxy\tconnect\nproxied\n", run({
      http_proxy = proxy.url, https_proxy = "http://%00@" .. proxy.url:sub(8),
    }, [[
      try("http://other.none/")
      try("https://other.none/")
      try("http://other.none/")
    ]]))
  end)

  it("is not shown when it is wrong", function()
    for _, wrong in ipairs { "http://user:s3cret@proxy:port",
      "none://user:s3cret@proxy", "http://user:s3cret@" } do
      local out = run({ http_proxy = wrong }, [[
        local _, err = http.fetch('http://name.none/')
        print(err.code, err)
      ]])
      assert.matches("^proxy\t", out)
      assert.is_nil(out:find("s3cret", 1, true))
    end
  end)
end)
