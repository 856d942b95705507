--- Where a request goes, and how many may go there: unix, resolve, interface,
-- ip, per_host; and what a sealed client lets its requests say.

local support = require "spec.support"
local http = require "curlew"

local HERE = debug.getinfo(1, "S").short_src
local OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
local MUCH = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"

-- The call raises, at this spec's own line, a message that has the text.
local function assert_raises(text, f, ...)
  local ok, message = pcall(f, ...)
  assert.is_false(ok)
  assert.equal(HERE, message:match("^(.-):%d+: "))
  assert.is_truthy(message:find(text, 1, true), message)
end

local function refused(text, options)
  assert_raises(text, function()
    local page = http.fetch("http://127.0.0.1:1/", options)
    return page
  end)
end

local nginx
setup(function() nginx = support.nginx() end)

describe("The option unix", function()
  it("connects to a socket of that path, and Host is the url's", function()
    local page = assert(http.fetch("http://name.none:81/who",
      { unix = nginx.socket }))
    assert.equal("name.none   unix:\n", page.body)
    assert.is_nil(page.info.remote_ip)
    assert.is_nil(page.info.remote_port)
  end)

  it("may be a client's", function()
    local client <close> = http.client { unix = nginx.socket,
      base_url = "http://name.none" }
    assert.matches("unix:", assert(client:fetch("/who")).body)
    assert.matches("127.0.0.1", assert(client:fetch(nginx.http .. "/who",
      { unix = false })).body)
    assert.matches("unix:", assert(client:fetch("/who")).body)
  end)

  it("is not used by others that ask for the same host", function()
    local url = nginx.http .. "/who"
    assert.matches("unix:", assert(http.fetch(url,
      { unix = nginx.socket })).body)
    assert.is_nil(assert(http.fetch(url)).body:find("unix:", 1, true))
  end)

  it("keeps no connection, for it could not be looked after", function()
    local before = http.stats().connections
    for _ = 1, 3 do
      assert(http.fetch("http://name.none/small", { unix = nginx.socket }))
    end
    local after = http.stats().connections
    assert.equal(before.opened + 3, after.opened)
    assert.equal(before.reused, after.reused)
  end)

  it("whose socket is not there is error connect", function()
    local page, err = http.fetch("http://name.none/",
      { unix = nginx.socket .. "s" })
    assert.is_nil(page)
    assert.same({ "connect", "connect" }, { err.code, err.phase })
    assert.matches("cannot connect to the Unix socket " .. nginx.socket
      .. "s: No such file or directory", err.message, 1, true)
  end)

  it("is a path of at most 107 bytes", function()
    refused("option 'unix': the path is longer", { unix = ("x"):rep(108) })
    local _, err = http.fetch("http://name.none/", { unix = ("x"):rep(107) })
    assert.equal("connect", err.code)
  end)

  it("goes with nothing else that says where", function()
    for name, value in pairs { proxy = "http://proxy", ip = 4,
      resolve = { a = "127.0.0.1" }, interface = "lo" } do
      local text = "option 'unix': not together with '" .. name .. "'"
      refused(text, { unix = "x", [name] = value })
      local client <close> = http.client { [name] = value }
      assert_raises(text, function()
        local page = client:fetch("http://name.none/", { unix = "x" })
        return page
      end)
      assert_raises(text, function()
        local child = client:extend { unix = "x" }
        return child
      end)
      local _, err = client:fetch("http://name.none/", { unix = "x",
        [name] = false })
      assert.equal("connect", err.code)
    end
  end)
end)

describe("The option resolve", function()
  local host, port -- of nginx
  setup(function() host, port = nginx.http:match("//(.*):(%d+)$") end)

  local function at(url, resolve, options)
    options = options or {}
    options.resolve = resolve
    local page, err = http.fetch(url, options)
    return page and page.body or err.code
  end

  it("says to which address to connect, and Host stays", function()
    local address = host .. ":" .. port
    local expected = "name.none   127.0.0.1\n"
    local own = "http://name.none:" .. port .. "/who"
    assert.equal(expected, at("http://name.none/who",
      { ["name.none"] = address }))
    assert.equal(expected, at("http://name.none/who",
      { ["name.none:80"] = address }))
    assert.equal(expected, at("http://name.none:0080/who",
      { ["NAME.none:080"] = host .. ":0" .. port }))
    assert.equal(expected, at(own, { ["name.none"] = host }))
    assert.equal(expected, at(own, { ["name.none:" .. port] = host }))
    assert.equal("resolve", at(own, { ["name.none:80"] = host }))
    assert.equal("resolve", at("http://name.none/",
      { ["sub.name.none"] = address, ["name.non"] = address,
        ["name.nones"] = address }))
  end)

  it("takes IPv6 addresses with and without brackets", function()
    local address = host .. ":" .. port
    for _, name in ipairs { "::1", "[::1]", "[0:0::1]:80",
      "0:0:0:0:0:0:0:1" } do
      assert.equal("[::1]   127.0.0.1\n", at("http://[::1]/who",
        { [name] = address }))
    end
    assert.equal("connect", at("http://127.0.0.1:1/",
      { ["127.0.0.1"] = "::1" }))
    assert.equal("connect", at("http://name.none/",
      { ["name.none"] = "[::1]:1" }))
  end)

  it("prefers an entry with a port", function()
    for _ = 1, 20 do
      assert.equal("name.none   127.0.0.1\n", at("http://name.none/who",
        { ["name.none"] = "127.0.0.1:1", ["name.none:80"] = host .. ":" .. port,
          ["other.none"] = "127.0.0.1:1" }))
    end
  end)

  it("leaves the name for TLS as the url has it", function()
    local tls = { ca = nginx.ca }
    local address = "127.0.0.1:" .. nginx.ports.https
    assert.matches("^localhost ", at("https://localhost/who",
      { localhost = address }, { tls = tls }))
    assert.equal("tls", at("https://name.none/", { ["name.none"] = address },
      { tls = tls }))
    assert.equal("tls", at("https://localhost/",
      { localhost = "127.0.0.1:" .. nginx.ports.https_wrong_name },
      { tls = tls }))
  end)

  it("is the request's alone, on the same handle and the same pool", function()
    local own = "http://localhost:" .. port .. "/who"
    local other <close> = support.server()
    other:replies(OK, OK)
    assert.matches("^localhost ", at(own))
    assert.equal("ok", at(own, { localhost = "127.0.0.1:" .. other.port }))
    assert.matches("^localhost ", at(own))
    assert.equal("ok", at(own, { localhost = "127.0.0.1:" .. other.port }))
    assert.equal("resolve", at("http://name.none/"))
  end)

  it("of a request is merged with its client's", function()
    local client <close> = http.client { resolve = {
      ["a.none"] = host .. ":" .. port, ["b.none"] = host .. ":" .. port } }
    local function outcome(url, resolve, by)
      local page, err = (by or client):fetch(url, { resolve = resolve })
      return page and page.body:match("%S+") or err.code
    end
    assert.equal("a.none", outcome("http://a.none/who"))
    assert.equal("b.none", outcome("http://b.none/who", { ["a.none"] =
      "127.0.0.1:1" }))
    assert.equal("connect", outcome("http://a.none/who", { ["A.none"] =
      "127.0.0.1:1" }))
    assert.equal("resolve", outcome("http://a.none/who",
      { ["a.none"] = false }))
    assert.equal("resolve", outcome("http://a.none/who", false))
    assert.equal("a.none", outcome("http://a.none/who"))
    local child <close> = client:extend { resolve = { ["a.none"] = false,
      ["c.none"] = host .. ":" .. port } }
    assert.equal("resolve", outcome("http://a.none/who", nil, child))
    assert.equal("b.none", outcome("http://b.none/who", nil, child))
    assert.equal("c.none", outcome("http://c.none/who", nil, child))
  end)

  it("raises on an entry that is none", function()
    for name, address in pairs { [""] = "::1", ["a b"] = "::1",
      ["a/b"] = "::1", ["a:"] = "::1", ["a:0"] = "::1", ["a:65536"] = "::1",
      ["a:x"] = "::1", ["a:-1"] = "::1", ["a:80 "] = "::1", ["a:b:c"] = "::1",
      ["[::1"] = "::1", ["[::1]80"] = "::1", ["[a]:80"] = "::1",
      ["*"] = "::1", ["a\n"] = "::1", ["a\0"] = "::1", ["user@a"] = "::1",
      ["http://a"] = "::1", [("a"):rep(256)] = "::1" } do
      refused("option 'resolve': ", { resolve = { [name] = address } })
    end
    for _, address in ipairs { "", "name", "localhost:80", "1.2.3", "1.2.3.4.5",
      "1.2.3.256", "1.2.3.4:", "1.2.3.4:0", "1.2.3.4:65536", "1.2.3.4:x",
      "[1.2.3.4]", "[::1]:", "[::1]x", "::g", "1.2.3.4\0", " 1.2.3.4",
      "1.2.3.4,::1", true, 5, {} } do
      refused("option 'resolve': 'a'", { resolve = { a = address } })
    end
    refused("option 'resolve': ", { resolve = { "127.0.0.1" } })
    refused("option 'resolve': ", { resolve = { [true] = "127.0.0.1" } })
  end)
end)

describe("The option interface", function()
  it("is an address to connect from", function()
    for _, from in ipairs { "127.0.0.7", "host!127.0.0.7" } do
      assert.matches("127%.0%.0%.7$", assert(http.fetch(nginx.http .. "/who",
        { interface = from })).body:match("%S+\n"):sub(1, -2))
    end
  end)

  it("is a network interface", function()
    for _, from in ipairs { "lo", "if!lo" } do
      assert.equal(200, assert(http.fetch(nginx.http .. "/who",
        { interface = from })).status)
    end
  end)

  it("is a name of at most 254 bytes: libcurl drops a longer one", function()
    refused("option 'interface': the name is longer",
      { interface = ("x"):rep(255) })
    local _, err = http.fetch(nginx.http .. "/who",
      { interface = ("x"):rep(254) })
    assert.equal("connect", err.code)
  end)

  it("that is not there is error connect", function()
    for _, from in ipairs { "if!none0", "none0" } do
      local page, err = http.fetch(nginx.http .. "/who", { interface = from })
      assert.is_nil(page)
      assert.same({ "connect", "connect" }, { err.code, err.phase })
    end
  end)

  it("is not that of the next request", function()
    local url = nginx.http .. "/who"
    for _ = 1, 2 do
      assert.matches(" 127%.0%.0%.7\n", assert(http.fetch(url,
        { interface = "127.0.0.7" })).body)
      assert.matches(" 127%.0%.0%.1\n", assert(http.fetch(url)).body)
    end
    local client <close> = http.client { interface = "127.0.0.7" }
    for _ = 1, 2 do
      assert.matches(" 127%.0%.0%.7\n", assert(client:fetch(url)).body)
      assert.matches(" 127%.0%.0%.1\n", assert(http.fetch(url)).body)
      assert.matches(" 127%.0%.0%.1\n", assert(client:fetch(url,
        { interface = false })).body)
    end
  end)
end)

-- libcurl compares some of these options with those of its idle connections,
-- and others, depending on the version, not.
describe("Where an idle connection leads to the same host,", function()
  local url

  setup(function()
    url = "http://localhost:" .. nginx.ports.http .. "/who"
  end)

  local function reaches(options, expected)
    local page = assert(http.fetch(url, options))
    assert.matches(expected, page.body)
    return page.info.reused
  end

  local ways = {
    ["interface, an address"] = { "127%.0%.0%.7\n", interface = "127.0.0.7" },
    ["interface, a host"] = { "127%.0%.0%.8\n", interface = "host!127.0.0.8" },
    ["interface, a device"] = { "127%.0%.0%.1\n", interface = "lo" },
    ["interface, said to be a device"] =
      { "127%.0%.0%.1\n", interface = "if!lo" },
    ["ip"] = { "127%.0%.0%.1\n", ip = 4 },
    ["resolve"] = { "127%.0%.0%.1\n", resolve = { localhost = "127.0.0.1" } },
    ["unix"] = { "unix:\n", unix = true },
  }

  for name, way in pairs(ways) do
    it(name .. ", it is not used", function()
      local options = { interface = way.interface, ip = way.ip,
        resolve = way.resolve, unix = way.unix and nginx.socket }
      for _ = 1, 2 do
        reaches({}, "127%.0%.0%.1\n")
        assert.is_true(reaches({}, "127%.0%.0%.1\n"))
        local reused = reaches(options, way[1])
        -- a connection of its own kind may be there at the second time
        if way.interface or way.unix then assert.is_false(reused) end
      end
    end)
  end

  for _, name in ipairs { "resolve", "ip" } do
    it("the first request with " .. name .. " does not use it", function()
      local server <close> = support.server()
      for _ = 1, 3 do server:replies(OK, OK) end
      local here = server.url:gsub("127%.0%.0%.1", "localhost")
      local options = name == "ip" and { ip = 4 }
        or { resolve = { localhost = "127.0.0.1" } }
      assert(http.fetch(here))
      assert.is_false(assert(http.fetch(here, options)).info.reused)
      assert.is_true(assert(http.fetch(here, options)).info.reused)
    end)
  end
end)

describe("The option ip", function()
  it("is the version of the addresses that will do", function()
    local url = "http://localhost:" .. nginx.ports.http .. "/small"
    assert.equal(200, assert(http.fetch(url, { ip = 4 })).status)
    local page, err = http.fetch(url, { ip = 6 })
    assert.is_nil(page)
    assert.equal("connect", err.code)
    assert.equal(200, assert(http.fetch(url)).status)
  end)

  it("is 4 or 6", function()
    for _, version in ipairs { 5, 0, 4.5, -6, 0 / 0 } do
      refused("option 'ip': 4 or 6 expected, got ", { ip = version })
    end
    refused("option 'ip': 4 or 6 expected, got 5", { ip = 5 })
  end)
end)

describe("The option per_host", function()
  local server, other
  setup(function()
    server = support.server()
    other = support.server()
  end)
  teardown(function()
    server:close()
    other:close()
  end)
  before_each(function()
    server:reset():script { "request", { send = MUCH }, "hold" }
    other:reset():script { "request", { send = MUCH }, "hold" }
  end)

  local function open(url, n) return http.get(url, { per_host = n }) end

  it("is how many may be open at once to one origin #builtin", function()
    local a <close> = assert(open(server.url, 2))
    local b <close> = assert(open(server.url .. "/b?c", 2))
    local c, err = open(server.url, 2)
    assert.is_nil(c)
    assert.same({ "too_many_open", "request", true },
      { err.code, err.phase, err.retryable })
    assert.matches("2 responses of this origin are open (per_host)",
      err.message, 1, true)
    assert.equal(2, server:connections())
    a:close()
    local d <close> = assert(open(server.url, 2))
    assert.is_true(b.ok and d.ok)
  end)

  it("names the oldest holders of that origin, and no "
    .. "others #builtin", function()
    local before <close> = assert(open(other.url, 9))
    local a <close> = assert(open(server.url .. "/a", 9))
    local silent <close> = assert(http.get(server.url .. "/silent"))
    local b <close> = assert(open(server.url .. "/b", 9))
    local _, err = open(server.url, 2)
    assert.equal(2, #err.holders)
    assert.equal(server.url .. "/a", err.holders[1].url)
    assert.equal(server.url .. "/b", err.holders[2].url)
    assert.matches(HERE, err.holders[1].site, 1, true)
    assert.is_true(before.ok and silent.ok and a.ok and b.ok)
  end)

  it("counts those that say so, by scheme, host and port #builtin", function()
    local a <close> = assert(http.get(server.url))
    local b <close> = assert(open(server.url, 1))
    local c <close> = assert(http.get(server.url))
    local d <close> = assert(open(other.url, 1))
    local named = server.url:gsub("127.0.0.1", "localhost")
    local e <close> = assert(open(named, 1))
    assert.equal("too_many_open", select(2, open(server.url, 1)).code)
    assert.equal("too_many_open", select(2,
      open(named:gsub("localhost", "LOCALHOST"), 1)).code)
    assert.is_true(a.ok and b.ok and c.ok and d.ok and e.ok)
  end)

  it("counts the Lua state's, whichever client opened them #builtin", function()
    local one <close> = http.client { per_host = 1 }
    local two <close> = http.client { per_host = 1 }
    local a <close> = assert(one:get(server.url))
    local r, err = two:get(server.url)
    assert.is_nil(r)
    assert.equal("too_many_open", err.code)
    local b <close> = assert(two:get(server.url, { per_host = 2 }))
    local c <close> = assert(two:get(server.url, { per_host = false }))
    assert.is_true(a.ok and b.ok and c.ok)
  end)

  it("does not count what holds no stream", function()
    server:reset():reply(OK)
    for _ = 1, 3 do assert(open(server.url, 1)) end
    for _ = 1, 3 do
      assert(http.fetch(server.url, { per_host = 1 }))
    end
  end)

  it("has garbage collected first", function()
    local _, code, out = support.run([[
      local http = require "curlew"
      collectgarbage("stop")
      for i = 1, 3 do
        local r, err = http.get(arg[1], { per_host = 1 })
        print(r and r.status or err)
      end
      print(http.stats().open, http.stats().leaked_by.gc)
    ]], { server.url })
    assert.same({ 0, "200\n200\n200\n1\t2\n" }, { code, out })
  end)
end)

describe("A sealed client", function()
  local server, client
  local rows = http.features().options
  setup(function()
    server = support.server()
    client = http.client { sealed = true, headers = { ["X-A"] = "1" } }
  end)
  teardown(function()
    client:close()
    server:close()
  end)
  before_each(function() server:reset():reply(OK) end)

  -- What a request may still say, whatever else comes to the table.
  local MAY = { body = true, form = true, headers = true, json = true,
    length = true, method = true, multipart = true, query = true, url = true }

  local values = { ["4 or 6"] = 4, boolean = true, integer = 65536,
    ["boolean or function"] = true, seconds = 5, ["table of addresses"] = {},
    table = {}, ["url or false"] = false }

  local function sample(row)
    local value = values[row.kind]
    if value == nil then value = "1.1" end
    if not row.group then return row.name, value end
    return row.group, { [row.name] = value }
  end

  it("lets requests set method, url, headers and query", function()
    local page = assert(client:fetch(server.url, { method = "PUT",
      headers = { ["X-B"] = "2" }, query = { q = 1 } }))
    assert.equal(200, page.status)
    local bytes = server:request()
    assert.matches("^PUT /%?q=1 ", bytes)
    assert.matches("X-A: 1\r\n", bytes, 1, true)
    assert.matches("X-B: 2\r\n", bytes, 1, true)
    assert(client:request { url = server.url, method = "GET" })
    assert(client:get { server.url, headers = { ["X-A"] = false } })
  end)

  it("lets requests have bodies, but no files", function()
    for _, one in ipairs { { body = "text" }, { json = { 1 } },
      { form = { a = 1 } }, { multipart = { { name = "a", "b" } } },
      { body = function() end, length = 0 } } do
      one.method = "POST"
      assert.equal(200, assert(client:fetch(server.url, one)).status)
    end
    server:reset():reply(OK)
    for _, file in ipairs { "spec/where_spec.lua", io.stdout } do
      assert_raises("the client is sealed: option 'file'", function()
        local page = client:fetch(server.url, { method = "POST", file = file })
        return page
      end)
      assert_raises("the client is sealed: option 'multipart'", function()
        local page = client:fetch(server.url, { method = "POST",
          multipart = { { name = "a", "b" }, { name = "c", file = file } } })
        return page
      end)
    end
    assert.equal(0, server:connections())
  end)

  for _, row in ipairs(rows) do
    local name = row.group or row.name
    it("says whether requests may set " .. name .. "." .. row.name, function()
      assert.equal(MAY[name] or false, row.unsealed)
    end)

    if not row.unsealed and not row.clients_only then
      it("lets no request set " .. name .. " (" .. row.name .. ")", function()
        local key, value = sample(row)
        local text = "the client is sealed: option '" .. name .. "'"
        for _, given in ipairs { value, false } do
          assert_raises(text, function()
            local page = client:fetch(server.url, { [key] = given })
            return page
          end)
          if not row.requests_only then
            assert_raises(text, function()
              local child = client:extend { [key] = given }
              return child
            end)
          end
        end
        assert.equal(0, server:connections())
      end)
    end
  end

  it("has children that are sealed too", function()
    local child <close> = client:extend { headers = { ["X-C"] = "3" } }
    local again <close> = child:extend { sealed = true, query = { a = 1 } }
    for _, one in ipairs { child, again } do
      assert_raises("the client is sealed: option 'timeout'", function()
        local page = one:fetch(server.url, { timeout = 5 })
        return page
      end)
    end
    assert_raises("the client is sealed: option 'sealed'", function()
      local open = client:extend { sealed = false }
      return open
    end)
    assert(again:fetch(server.url))
    assert.matches("X-C: 3\r\n", server:request(), 1, true)
  end)

  it("keeps what it was made with", function()
    local slow <close> = http.client({ timeout = 7, user_agent = "me" })
      :extend { sealed = true }
    assert(slow:fetch(server.url))
    assert.matches("User-Agent: me\r\n", server:request(), 1, true)
  end)

  it("tells an unknown option as any client does", function()
    assert_raises("unknown option 'timout' (did you mean 'timeout'?)",
      function()
        local page = client:fetch(server.url, { timout = 5 })
        return page
      end)
  end)

  it("is a matter of clients", function()
    refused("option 'sealed' belongs to a client", { sealed = true })
    local open <close> = http.client { sealed = false }
    assert(open:fetch(server.url, { timeout = 5 }))
  end)
end)
