--- Who asks: basic, bearer (a token, or a function that says it), digest and
-- netrc: what is sent, what is refused, and which of them holds.

local support = require "spec.support"
local http = require "curlew"
local scheduler = require "spec.support.scheduler"

local function answer(status, fields, body)
  return ("HTTP/1.1 %d Status\r\n%sContent-Length: %d\r\n\r\n%s"):format(status,
    fields or "", #(body or ""), body or "")
end

local OK = answer(200, nil, "ok")
local DENIED = answer(401, "WWW-Authenticate: Bearer\r\n", "denied")

local server

before_each(function() server = support.server() end)
after_each(function() server:close() end)

-- Answers every request so, on any connection.
local function always(bytes)
  server:script { { loop = { "request", { send = bytes } } } }
end

-- The value of Authorization of each request that came; false: it had none.
local function credentials()
  local list = {}
  for i, bytes in ipairs(server:requests()) do
    list[i] = bytes:match("\r\nAuthorization: ([^\r]*)\r\n") or false
  end
  return list
end

local function sent(options, path)
  assert(http.fetch(server.url .. (path or "/"), options))
  local list = credentials()
  return list[#list]
end

local function raises(text, options)
  local ok, err = pcall(http.get, server.url, options)
  assert.is_false(ok)
  assert.matches(text, err, 1, true)
  assert.matches("auth_spec.lua:", err, 1, true)
end

-- ---- basic ----

describe("auth.basic", function()
  before_each(function() always(OK) end)

  local pairs_of = {
    [{ "Aladdin", "open sesame" }] = "QWxhZGRpbjpvcGVuIHNlc2FtZQ==", -- RFC 7617
    [{ "test", "123\u{a3}" }] = "dGVzdDoxMjPCow==", -- RFC 7617, UTF-8
    [{ "u", "" }] = "dTo=",
    [{ "", "p" }] = "OnA=",
    [{ "", "" }] = "Og==",
    [{ "u", "a:b" }] = "dTphOmI=",
    [{ "u", "a@b/c%20d" }] = "dTphQGIvYyUyMGQ=",
    [{ "u", " p " }] = "dTogcCA=",
  }

  for pair, encoded in pairs(pairs_of) do
    it(("sends %s:%s"):format(pair[1], pair[2]), function()
      assert.equal("Basic " .. encoded, sent { auth = { basic = pair } })
    end)
  end

  it("sends a long password whole", function()
    local password = ("long"):rep(500)
    local value = sent { auth = { basic = { "u", password } } }
    assert.equal(4 * math.ceil((#password + 2) / 3), #value - #"Basic ")
  end)

  it("comes with each request of a client, before anybody asks", function()
    local client <close> = http.client { auth = { basic = { "u", "p" } } }
    for _ = 1, 3 do assert(client:fetch(server.url)) end
    assert.same({ "Basic dTpw", "Basic dTpw", "Basic dTpw" }, credentials())
  end)

  it("outdoes the user of the url", function()
    assert(http.fetch((server.url:gsub("//", "//x:y@")),
      { auth = { basic = { "u", "p" } } }))
    assert.same({ "Basic dTpw" }, credentials())
  end)

  it("leaves a header of the program's as it is", function()
    assert.equal("mine", sent { auth = { basic = { "u", "p" } },
      headers = { Authorization = "mine" } })
  end)

  it("opens what nginx keeps", function()
    local url = support.nginx().http .. "/private"
    local function status(password)
      local options = password and { auth = { basic = { "u", password } } }
      return assert(http.fetch(url, options)).status
    end
    local right = "p\u{e4}ss w"
    assert.same({ 401, 200, 401, 200 },
      { status(nil), status(right), status("no"), status(right) })
  end)

  local wrong = {
    ["a colon in the user"] = { { "u:v", "p" }, "the user holds a colon" },
    ["a line break"] = { { "u", "p\r\nX: 1" }, "it holds a control byte" },
    ["a NUL"] = { { "u", "p\0" }, "it holds a control byte" },
    ["a user alone"] = { { "u" }, "option 'auth.basic'" },
    ["three"] = { { "u", "p", "q" }, "option 'auth.basic'" },
    ["nothing"] = { {}, "option 'auth.basic'" },
    ["a string"] = { "u:p", "option 'auth.basic'" },
    ["a number"] = { { "u", 1 }, "option 'auth.basic'" },
    ["true"] = { true, "option 'auth.basic'" },
  }

  for name, case in pairs(wrong) do
    it("refuses " .. name, function()
      raises(case[2], { auth = { basic = case[1] } })
      assert.equal(0, server:connections())
    end)
  end

  it("survives a connection that the server has closed", function()
    local other <close> = support.server()
    other:replies(OK)
    server:reset()
    server:script { "request", { send = OK }, "request", "close" }
    server:replies(OK)
    local client <close> = http.client { auth = { basic = { "u", "p" } } }
    assert(client:fetch(other.url))
    assert(client:fetch(server.url))
    assert(client:fetch(server.url))
    assert.same({ "Basic dTpw", "Basic dTpw", "Basic dTpw" }, credentials())
  end)
end)

-- ---- bearer ----

describe("auth.bearer as a string", function()
  it("is sent", function()
    always(OK)
    assert.equal("Bearer abc.def-_~+/=", sent {
      auth = { bearer = "abc.def-_~+/=" } })
  end)

  it("is not sent again after a 401", function()
    server:replies(DENIED, OK)
    local page = assert(http.fetch(server.url, { auth = { bearer = "a" } }))
    assert.equal(401, page.status)
    assert.same({ "Bearer a" }, credentials())
  end)

  for name, token in pairs { ["an empty one"] = "", ["a space"] = "a b",
    ["a line break"] = "a\r\nX: 1", ["a NUL"] = "a\0", ["UTF-8"] = "\u{e4}",
    ["a number"] = 1, ["a table"] = {} } do
    it("refuses " .. name, function()
      raises("option 'auth.bearer'", { auth = { bearer = token } })
    end)
  end
end)

describe("auth.bearer as a function", function()
  -- A function that counts its calls, says "token1", "token2", ... and notes
  -- whether it was told that the last one was stale.
  local function teller(seconds)
    local calls = {}
    return function(stale)
      calls[#calls + 1] = stale
      return "token" .. #calls, seconds
    end, calls
  end

  local function with(bearer) return { auth = { bearer = bearer } } end

  it("is called once for many requests", function()
    always(OK)
    local bearer, calls = teller()
    local client <close> = http.client(with(bearer))
    for _ = 1, 3 do assert(client:fetch(server.url)) end
    assert(http.fetch(server.url, with(bearer)))
    assert.same({ false }, calls)
    assert.same({ "Bearer token1", "Bearer token1", "Bearer token1",
      "Bearer token1" }, credentials())
  end)

  it("is called once while what it says holds", function()
    always(OK)
    local bearer, calls = teller(3600)
    for _ = 1, 3 do assert(http.fetch(server.url, with(bearer))) end
    assert.same({ false }, calls)
  end)

  it("is called again when that time is over", function()
    always(OK)
    local bearer, calls = teller(0)
    for _ = 1, 3 do assert(http.fetch(server.url, with(bearer))) end
    assert.same({ false, false, false }, calls)
    assert.same({ "Bearer token1", "Bearer token2", "Bearer token3" },
      credentials())
  end)

  it("is another's for another function", function()
    always(OK)
    local one, other = teller(), function() return "other" end
    assert(http.fetch(server.url, with(one)))
    assert(http.fetch(server.url, with(other)))
    assert.same({ "Bearer token1", "Bearer other" }, credentials())
  end)

  for _, where in ipairs { "request", "client" } do
    local function fetch(bearer, own)
      own = own or {}
      if where == "request" then own.auth = { bearer = bearer } end
      local client <close> = http.client(where == "client" and with(bearer)
        or {})
      return assert(client:fetch(server.url, own))
    end

    it(("of a %s is called once more after a 401"):format(where), function()
      server:replies(DENIED, OK, OK)
      local bearer, calls = teller()
      assert.equal(200, fetch(bearer).status)
      assert.same({ false, true }, calls)
      assert.same({ "Bearer token1", "Bearer token2" }, credentials())
      assert.equal(200, fetch(bearer).status)
      assert.same({ false, true }, calls)
    end)

    it(("of a %s is not called a third time"):format(where), function()
      server:replies(DENIED, DENIED, OK)
      local bearer, calls = teller()
      local page = fetch(bearer)
      assert.same({ 401, "denied" }, { page.status, page.body })
      assert.same({ false, true }, calls)
      assert.equal(2, #server:requests())
    end)

    it(("of a %s has a body sent again with its new token"):format(where),
      function()
        server:replies(DENIED, OK)
        fetch((teller()), { method = "POST", body = "what is sent" })
        for i = 1, 2 do
          assert.matches("what is sent$", server:request(i))
        end
      end)

    it(("of a %s may give up when it is asked again"):format(where),
      function()
        server:replies(DENIED, OK)
        local n = 0
        local page = fetch(function()
          n = n + 1
          if n > 1 then return nil, "no more" end
          return "token"
        end)
        assert.same({ 401, "denied" }, { page.status, page.body })
        assert.equal(1, #server:requests())
      end)
  end

  it("is called for a response that comes to be read later", function()
    server:replies(DENIED, answer(200, nil, ("x"):rep(70000)))
    local r <close> = assert(http.get(server.url, with((teller()))))
    assert.equal(70000, #r:read("a"))
  end)

  it("is followed by check with the second answer", function()
    server:replies(DENIED, OK, DENIED, DENIED)
    local bearer = teller(0)
    local options = with(bearer)
    options.check = true
    assert(http.fetch(server.url, options))
    local page, err = http.fetch(server.url, options)
    assert.is_nil(page)
    assert.same({ "status", 401, "denied" }, { err.code, err.status, err.body })
  end)

  it("does not have a body sent again that has begun", function()
    server:replies(DENIED, OK)
    local bearer, calls = teller()
    local pieces = { "a", "b" }
    local page = assert(http.fetch(server.url, { method = "POST",
      body = function() return table.remove(pieces) end,
      auth = { bearer = bearer } }))
    assert.equal(401, page.status)
    assert.same({ false }, calls)
  end)

  it("counts the refused exchange as a hop", function()
    server:replies(DENIED, OK)
    local before = http.stats()
    assert(http.fetch(server.url, with((teller()))))
    local after = http.stats()
    assert.equal(before.released_by.hop + 1, after.released_by.hop)
    assert.is_true(http.leaks.audit())
  end)

  it("has what it raises reach the caller unchanged", function()
    local what = { "mine" }
    local function bearer() error(what) end
    local ok, err = pcall(http.get, server.url, with(bearer))
    assert.is_false(ok)
    assert.equal(what, err)
    assert.equal(0, server:connections())
    always(OK)
    assert.equal("Bearer later", sent(with(function() return "later" end)))
  end)

  it("has what it raises after a 401 reach the caller", function()
    server:replies(DENIED, OK)
    local n = 0
    local ok, err = pcall(http.get, server.url, with(function()
      n = n + 1
      if n > 1 then error("asked again", 0) end
      return "token"
    end))
    assert.same({ false, "asked again" }, { ok, err })
  end)

  it("is asked anew after it has raised", function()
    always(OK)
    local n = 0
    local function bearer()
      n = n + 1
      if n == 1 then error("not yet") end
      return "token"
    end
    assert.is_false(pcall(http.get, server.url, with(bearer)))
    assert.equal("Bearer token", sent(with(bearer)))
  end)

  it("gives up with nil, err", function()
    local page, err = http.fetch(server.url,
      with(function() return nil, "no token today" end))
    assert.is_nil(page)
    assert.equal("cancelled", err.code)
    assert.equal("request", err.phase)
    assert.matches("no token today", err.message, 1, true)
    assert.equal(0, server:connections())
  end)

  for name, f in pairs {
    ["nothing"] = function() end,
    ["a number"] = function() return 1 end,
    ["an empty token"] = function() return "" end,
    ["a line break"] = function() return "a\r\nX: 1" end,
    ["a space"] = function() return "a b" end,
    ["a time that is none"] = function() return "token", "soon" end,
    ["a table"] = function() return {} end,
  } do
    it("that returns " .. name .. " raises", function()
      raises("the function is to return a token", with(f))
      assert.equal(0, server:connections())
    end)
  end

  it("may make requests itself, by another client", function()
    always(OK)
    local function bearer()
      return "from-" .. assert(http.fetch(server.url .. "/token")).body
    end
    local client <close> = http.client(with(bearer))
    assert(client:fetch(server.url .. "/work"))
    assert.same({ false, "Bearer from-ok" }, credentials())
  end)

  it("that asks for itself raises", function()
    always(OK)
    local client
    client = http.client(with(function()
      return assert(client:fetch(server.url .. "/token")).body
    end))
    finally(function() client:close() end)
    local ok, err = pcall(client.fetch, client, server.url)
    assert.is_false(ok)
    assert.matches("asks for a token itself", err, 1, true)
    assert.equal(0, server:connections())
  end)

  -- ---- tasks ----

  -- 20 tasks ask at once, and the function waits.
  local function twenty(client, loop, say)
    for i = 1, 20 do
      loop.spawn(function() say(i, assert(client:fetch(server.url))) end)
    end
    loop.run()
  end

  it("is called once for many tasks", function()
    local tokens <close> = support.server()
    tokens:reply(answer(200, nil, "shared"))
    always(OK)
    local loop <close> = scheduler()
    local calls, pages = 0, {}
    local client <close> = http.client(with(function()
      calls = calls + 1
      return assert(http.fetch(tokens.url)).body
    end))
    twenty(client, loop, function(i, page) pages[i] = page end)
    assert.equal(20, #pages)
    assert.equal(1, calls)
    for _, value in ipairs(credentials()) do
      assert.equal("Bearer shared", value)
    end
  end)

  it("is called once more for many tasks that are refused", function()
    local tokens <close> = support.server()
    tokens:script { "request", { send = answer(200, nil, "old") }, "request",
      { send = answer(200, nil, "new") }, "hold" }
    -- each connection refuses its first request: all tasks begin with "old"
    server:script { "request", { send = DENIED }, { loop = { "request",
      { send = OK } } } }
    local other <close> = support.server()
    other:replies(OK)
    local loop <close> = scheduler()
    local told, statuses = {}, {}
    local client <close> = http.client(with(function(stale)
      told[#told + 1] = stale
      return assert(http.fetch(tokens.url)).body
    end))
    assert(client:fetch(other.url))
    twenty(client, loop, function(i, page) statuses[i] = page.status end)
    assert.equal(20, #statuses)
    assert.same({ false, true }, told)
  end)

  it("is called by another task when the one that asked is closed",
    function()
      local tokens <close> = support.server()
      tokens:script { "request", "hold" }
      tokens:reply(answer(200, nil, "second"))
      always(OK)
      local loop <close> = scheduler()
      local calls, page = 0, nil
      local client <close> = http.client(with(function()
        calls = calls + 1
        return assert(http.fetch(tokens.url)).body
      end))
      local first = loop.spawn(function() client:fetch(server.url) end)
      loop.spawn(function() page = assert(client:fetch(server.url)) end)
      loop.run(function() return #tokens:requests() == 1 end)
      assert.is_true(coroutine.close(first))
      loop.run(function() return page end)
      assert.equal(2, calls)
      assert.same({ "Bearer second" }, credentials())
      loop.forget()
    end)

  it("that fails in one task is called by the next", function()
    always(OK)
    local gate <close> = support.server()
    gate:script { "request", "wait", { send = OK }, "hold" }
    local loop <close> = scheduler()
    local calls, errors, pages = 0, 0, 0
    local client <close> = http.client(with(function()
      calls = calls + 1
      if calls > 1 then return "token" end
      assert(http.fetch(gate.url))
      return nil, "not yet"
    end))
    for _ = 1, 3 do
      loop.spawn(function()
        local page = client:fetch(server.url)
        if page then pages = pages + 1 else errors = errors + 1 end
      end)
    end
    gate:go()
    loop.run()
    assert.same({ 2, 1, 2 }, { calls, errors, pages })
  end)
end)

-- ---- digest ----

describe("auth.digest", function()
  local function md5(text)
    local child <close> = assert(support.posix.spawn { "openssl", "md5" })
    return child:communicate(text, 60):match("(%x+)%s*$")
  end

  local function challenge(more)
    return answer(401, 'WWW-Authenticate: Digest realm="the realm", '
      .. 'nonce="n0nce", qop="auth"' .. (more or "") .. "\r\n", "denied")
  end

  -- The n-th request's parameters.
  local function parameters(n)
    local value = server:request(n):match("Authorization: Digest ([^\r]*)")
    if not value then return nil end
    local found = {}
    for name, text in value:gmatch('(%w+)="([^"]*)"') do found[name] = text end
    for name, text in value:gmatch("(%w+)=([^\",]+)") do found[name] = text end
    return found
  end

  -- RFC 7616 section 3.4.1
  local function response(method, p, user, password)
    local secret = md5(("%s:%s:%s"):format(user, p.realm, password))
    local asked = md5(("%s:%s"):format(method, p.uri))
    return md5(("%s:%s:%s:%s:%s:%s"):format(secret, p.nonce, p.nc, p.cnonce,
      p.qop, asked))
  end

  local function assert_right(n, method, path)
    local p = parameters(n)
    assert.same({ "u", "the realm", path, "auth" },
      { p.username, p.realm, p.uri, p.qop })
    assert.equal(response(method, p, "u", "p:\u{e4}"), p.response)
    return p
  end

  local options = { auth = { digest = { "u", "p:\u{e4}" } } }

  local function with(more)
    more.auth = options.auth
    return more
  end

  it("answers a challenge, and sends nothing before", function()
    server:replies(challenge(), OK)
    local page = assert(http.fetch(server.url .. "/a?b=c", options))
    assert.equal("ok", page.body)
    assert.is_nil(parameters(1))
    assert_right(2, "GET", "/a?b=c")
    assert.not_matches("p:", server:request(2):match("Authorization[^\r]*"))
  end)

  -- Unencoded, a quotation mark would end the quoted string of the uri, and a
  -- backslash would be an escape.
  it("names the target as it is sent, encoded", function()
    server:replies(challenge(), OK)
    assert(http.fetch(server.url .. '/{a}?q=", x="y\\', options))
    local target = "/%7Ba%7D?q=%22,%20x=%22y%5C"
    assert.equal(target, server:request(2):match("^GET (%S+) HTTP"))
    assert_right(2, "GET", target)
  end)

  it("returns the 401 when the password is wrong", function()
    server:replies(challenge(), challenge(), OK)
    local page = assert(http.fetch(server.url, options))
    assert.same({ 401, "denied" }, { page.status, page.body })
    assert.equal(2, #server:requests())
  end)

  it("asks once more when its nonce is stale", function()
    server:replies(challenge(), (challenge(", stale=true"):gsub("n0nce",
      "n3wer")), OK)
    local page = assert(http.fetch(server.url, options))
    assert.equal("ok", page.body)
    assert.equal("n3wer", assert_right(3, "GET", "/").nonce)
  end)

  it("returns a 401 with no challenge of its kind", function()
    server:replies(DENIED, OK)
    local page = assert(http.fetch(server.url, options))
    assert.same({ 401, "denied" }, { page.status, page.body })
    assert.same({ false }, credentials())
  end)

  it("never answers Basic", function()
    server:replies(answer(401, 'WWW-Authenticate: Basic realm="x"\r\n'), OK)
    assert.equal(401, assert(http.fetch(server.url, options)).status)
    assert.same({ false }, credentials())
  end)

  it("returns what needs no password at once", function()
    server:replies(answer(200, nil, ("x"):rep(70000)))
    local r <close> = assert(http.get(server.url, options))
    assert.equal(70000, #r:read("a"))
    assert.equal(1, #server:requests())
  end)

  local path = support.folder() .. "/body"
  do
    local file <close> = assert(io.open(path, "w"))
    file:write(("in a file "):rep(20000))
  end

  local bodies = {
    ["a text"] = { { body = "what is sent" }, "what is sent" },
    ["a large text"] = { { body = ("x"):rep(200000) }, ("x"):rep(200000) },
    ["a file"] = { { file = path }, ("in a file "):rep(20000) },
  }

  for name, case in pairs(bodies) do
    it("sends " .. name .. " with its answer", function()
      server:replies(challenge(), OK)
      local r <close> = assert(http.post(server.url .. "/to",
        with { body = case[1].body, file = case[1].file }))
      assert.equal(200, r.status)
      assert_right(2, "POST", "/to")
      assert.equal(case[2], server:request(2):match("\r\n\r\n(.*)$"))
    end)
  end

  for name, case in pairs(bodies) do
    it("sends " .. name .. " to who asks for no password", function()
      server:replies(OK, OK)
      local r <close> = assert(http.post(server.url .. "/to",
        with { body = case[1].body, file = case[1].file }))
      assert.same({ 200, "ok" }, { r.status, r:text() })
      assert.is_nil(parameters(2))
      assert.equal(case[2], server:request(2):match("\r\n\r\n(.*)$"))
    end)
  end

  it("sends what a function gives, once", function()
    server:replies(challenge(), OK)
    local pieces = { "c", "b", "a" }
    local r <close> = assert(http.post(server.url .. "/to", with {
      body = function() return table.remove(pieces) end, length = 3 }))
    assert.equal(200, r.status)
    assert_right(2, "POST", "/to")
    assert.equal("abc", server:request(2):match("\r\n\r\n(.*)$"))
  end)

  it("answers each hop of its origin", function()
    server:replies(challenge(), answer(302, "Location: /b\r\n"), challenge(),
      OK)
    assert.equal("ok", assert(http.fetch(server.url .. "/a", options)).body)
    assert_right(2, "GET", "/a")
    assert_right(4, "GET", "/b")
  end)

  it("answers after any other request of the same handle", function()
    local other <close> = support.server()
    for _, before in ipairs { {}, { auth = { basic = { "x", "y" } } },
      { auth = { bearer = "z" } }, { auth = { digest = { "x", "y" } } } } do
      other:reset()
      server:reset()
      other:replies(DENIED)
      server:replies(challenge(), OK)
      assert(http.fetch(other.url, before))
      assert.equal("ok", assert(http.fetch(server.url, options)).body)
      assert_right(2, "GET", "/")
    end
  end)

  it("answers at a url with spaces", function()
    local other <close> = support.server()
    other:replies(OK)
    server:replies(challenge(), OK)
    assert(http.fetch(other.url))
    assert.equal("ok", assert(http.fetch(server.url .. "/a b?c d",
      options)).body)
    assert_right(2, "GET", "/a%20b?c%20d")
  end)
end)

-- ---- netrc ----

describe("auth.netrc", function()
  local function with_netrc(text, ...)
    local home = support.folder()
    if text then
      local file <close> = assert(io.open(home .. "/.netrc", "w"))
      file:write(text)
    end
    local _, _, out, err = support.run([[
      local http = require "curlew"
      local options = load("return " .. arg[1])()
      for i = 2, #arg do
        local page, err = http.fetch(arg[i], options)
        print(page and page.status or err)
      end
    ]], { env = { HOME = home }, ... })
    assert.equal("", err)
    return out
  end

  local ON = "{ auth = { netrc = true } }"

  before_each(function() always(OK) end)

  it("sends what the file has of the host", function()
    with_netrc("machine other login x password y\n"
      .. "machine 127.0.0.1 login u password p\n"
      .. "default login d password d\n", ON, server.url)
    assert.same({ "Basic dTpw" }, credentials())
  end)

  it("sends the default's elsewhere", function()
    with_netrc("machine other login x password y\n"
      .. "default login u password p\n", ON, server.url)
    assert.same({ "Basic dTpw" }, credentials())
  end)

  it("sends nothing where the host has none", function()
    assert.equal("200\n", with_netrc("machine other login x password y\n", ON,
      server.url))
    assert.same({ false }, credentials())
  end)

  it("sends nothing without a file", function()
    assert.equal("200\n", with_netrc(nil, ON, server.url))
    assert.same({ false }, credentials())
  end)

  it("is off unless asked for", function()
    for _, options in ipairs { "nil", "{}", "{ auth = { netrc = false } }" } do
      with_netrc("default login u password p\n", options, server.url)
    end
    assert.same({ false, false, false }, credentials())
  end)
end)

-- ---- which of them ----

describe("The option auth", function()
  before_each(function() always(OK) end)

  local both = {
    { basic = { "u", "p" }, bearer = "t" },
    { basic = { "u", "p" }, digest = { "u", "p" } },
    { bearer = "t", netrc = true },
    { digest = { "u", "p" }, netrc = true, basic = { "u", "p" } },
  }

  for i, auth in ipairs(both) do
    it("is of one kind: " .. i, function()
      raises("one of its members expected", { auth = auth })
      local ok, err = pcall(http.client, { auth = auth })
      assert.is_false(ok)
      assert.matches("one of its members expected", err, 1, true)
    end)
  end

  it("is not empty", function() raises("option 'auth'", { auth = {} }) end)
  it("is a table", function() raises("option 'auth'", { auth = "u:p" }) end)
  it("is not true", function() raises("option 'auth'", { auth = true }) end)
  it("has no other members", function()
    raises("option 'auth.basik'", { auth = { basik = { "u", "p" } } })
  end)

  local kinds = {
    basic = { { "u", "p" }, "Basic dTpw" },
    bearer = { "token", "Bearer token" },
    ["function"] = { function() return "told" end, "Bearer told", "bearer" },
    digest = { { "x", "y" }, false }, -- until it is asked for
  }

  local function auth_of(name)
    local kind = kinds[name]
    return { [kind[3] or name] = kind[1] }
  end

  for name in pairs(kinds) do
    for own, kind in pairs(kinds) do
      it(("of a request (%s) takes the place of its client's (%s)"):format(own,
        name), function()
        local client <close> = http.client { auth = auth_of(name) }
        assert(client:fetch(server.url, { auth = auth_of(own) }))
        assert.same({ kind[2] }, credentials())
        assert(client:fetch(server.url))
        assert.same({ kind[2], kinds[name][2] }, credentials())
      end)
    end

    it(("of a request takes its client's (%s) away by false"):format(name),
      function()
        local client <close> = http.client { auth = auth_of(name) }
        assert(client:fetch(server.url, { auth = false }))
        local more <close> = client:extend { auth = false }
        assert(more:fetch(server.url))
        assert.same({ false, false }, credentials())
      end)

    it(("of a client (%s) is what another extends"):format(name), function()
      local client <close> = http.client { auth = auth_of(name) }
      local more <close> = client:extend { user_agent = "x" }
      assert(more:fetch(server.url))
      assert.same({ kinds[name][2] }, credentials())
    end)
  end

  it("has a member unset by false", function()
    local client <close> = http.client { auth = { bearer = "t" } }
    assert(client:fetch(server.url, { auth = { bearer = false } }))
    assert.same({ false }, credentials())
  end)
end)
