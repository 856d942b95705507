--- Nothing that a server offers or refuses decides what becomes of the next
-- request: random sequences of requests with all kinds of credentials, in one
-- process, against servers that challenge in different ways. Each outcome is
-- that of a fresh process. CURLEW_SEED repeats a sequence.

local support = require "spec.support"

local function refusal(status, ...)
  local lines = {}
  for _, value in ipairs { ... } do
    lines[#lines + 1] = (status == 407 and "Proxy" or "WWW")
      .. "-Authenticate: " .. value .. "\r\n"
  end
  return ("HTTP/1.1 %d Status\r\n%sContent-Length: 2\r\n\r\nno"):format(status,
    table.concat(lines))
end

local function digest(nonce, more)
  return ('Digest realm="realm of %s", nonce="%s", qop="auth"%s'):format(nonce,
    nonce, more or "")
end

local BASIC = 'Basic realm="basic"'

-- Servers that say the same to whatever is asked; 'nonce' is that of the
-- challenge that is to be answered.
local mutes = {
  open = { status = 200, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" },
  bare = { status = 401, refusal(401) },
  basic = { status = 401, refusal(401, BASIC) },
  bearer = { status = 401, refusal(401, 'Bearer realm="bearer"') },
  ntlm = { status = 401, refusal(401, "NTLM", "Negotiate") },
  md5 = { status = 401, nonce = "md5", refusal(401, digest "md5") },
  sha = { status = 401, nonce = "sha", refusal(401, digest "weak",
    digest("sha", ", algorithm=SHA-256")) },
  stale = { status = 401, nonce = "old", refusal(401,
    digest("old", ", stale=true")) },
  several = { status = 401, nonce = "one", refusal(401, BASIC,
    "Bearer, " .. digest "one" .. ", Negotiate") },
  broken = { status = 401, refusal(401, 'Digest realm="x', "Digest nonce") },
  proxy = { status = 407, refusal(407, BASIC, digest "proxy") },
}

-- httpbin checks what it is told; it lets these in.
local keepers = {
  ["/basic-auth/u/p"] = { basic = true, userinfo = true, netrc = true },
  ["/hidden-basic-auth/u/p"] = { basic = true, userinfo = true, netrc = true,
    others = 404 },
  ["/digest-auth/auth/u/p/MD5"] = { digest = true },
  ["/digest-auth/auth/u/p/SHA-256"] = { digest = true },
  ["/digest-auth/auth-int/u/p/MD5"] = { digest = true },
  ["/bearer"] = { basic = true, userinfo = true, netrc = true,
    bearer = true }, -- any Authorization will do
}

-- What is sent at once; false: nothing.
local kinds = {
  none = false, digest = false, eve = false, -- with another password
  basic = "Basic dTpw", userinfo = "Basic dTpw", netrc = "Basic dTpw",
  bearer = "Bearer t0ken",
}

local names, paths, kind_names = {}, {}, {}
for name in pairs(mutes) do names[#names + 1] = name end
for path in pairs(keepers) do paths[#paths + 1] = path end
for kind in pairs(kinds) do kind_names[#kind_names + 1] = kind end
table.sort(names)
table.sort(paths)
table.sort(kind_names)

-- One process: each line of input is a request, each line of output what became
-- of it. Credentials are a request's own or its client's.
local SCRIPT = [[
  local http = require "curlew"
  local auths = { basic = { basic = { "u", "p" } },
    bearer = { bearer = "t0ken" }, digest = { digest = { "u", "p" } },
    eve = { digest = { "u", "x" } }, netrc = { netrc = true } }
  local clients = {}
  for _, kind in ipairs { "none", "userinfo", "basic", "bearer", "digest",
    "eve", "netrc" } do
    clients[kind] = http.client { auth = auths[kind] }
  end
  for line in io.lines() do
    local form, kind, method, url = line:match("(%S+) (%S+) (%S+) (%S+)")
    local options = { method = method,
      headers = { Cookie = "fake=fake_value" } } -- as httpbin wants it
    if kind == "userinfo" then url = url:gsub("//", "//u:p@") end
    if form == "request" then options.auth = auths[kind] end
    local client = form == "request" and http or clients[kind]
    local page, err = client.fetch(table.unpack(
      form == "request" and { url, options } or { client, url, options }))
    print(page and page.status or err.code .. " " .. err.message)
  end
]]

local function run(lines)
  local home = support.folder()
  do
    local file <close> = assert(io.open(home .. "/.netrc", "w"))
    file:write("machine 127.0.0.1 login u password p\n")
  end
  local _, code, out, err = support.run(SCRIPT, { env = { HOME = home },
    input = table.concat(lines, "\n") .. "\n" })
  assert.equal("", err)
  assert.equal(0, code)
  local outcomes = {}
  for line in out:gmatch("[^\n]+") do outcomes[#outcomes + 1] = line end
  return outcomes
end

local servers
setup(function()
  servers = {}
  for name in pairs(mutes) do servers[name] = support.server() end
end)
teardown(function()
  for _, server in pairs(servers) do server:close() end
end)
before_each(function()
  for name, mute in pairs(mutes) do
    servers[name]:reset()
    servers[name]:script { { loop = { "request", { send = mute[1] } } } }
  end
end)

-- What a server got: the line as it is, of a digest its nonce and realm.
local function authorization(bytes)
  local value = bytes:match("\r\nAuthorization: ([^\r]*)\r\n")
  if not value then return false end
  local realm, nonce = value:match(
    '^Digest username="u", realm="([^"]*)", nonce="([^"]*)", uri="/"')
  return realm and realm .. ", " .. nonce or value
end

local function is_digest(kind) return kind == "digest" or kind == "eve" end

-- The lines of Authorization that a fresh process sends.
local function expect(lines, mute, kind)
  lines[#lines + 1] = kinds[kind]
  if is_digest(kind) and mute.nonce then
    lines[#lines + 1] = ("realm of %s, %s"):format(mute.nonce, mute.nonce)
  end
end

local function assert_sent(expected, seed)
  for name, lines in pairs(expected) do
    local sent = {}
    for i, bytes in ipairs(servers[name]:requests()) do
      sent[i] = authorization(bytes)
    end
    assert.same(lines, sent, ("CURLEW_SEED=%d, server %s"):format(seed, name))
  end
end

local function pick(list) return list[math.random(#list)] end

-- A step at a server that always says the same; its model is in 'expected'.
local function add_mute(steps, expected, form, kind)
  local name = pick(names)
  expect(expected[name], mutes[name], kind)
  steps[#steps + 1] = { ("%s %s GET %s/"):format(form, kind,
    servers[name].url), tostring(mutes[name].status) }
end

local function add_keeper(steps, form, kind)
  local path = pick(paths)
  local keeper = keepers[path]
  local status = keeper[kind] and 200 or keeper.others or 401
  steps[#steps + 1] = { ("%s %s GET %s%s"):format(form, kind,
    support.httpbin().url, path), tostring(status) }
end

local function make_steps(count)
  local steps, expected = {}, {}
  for name in pairs(mutes) do expected[name] = {} end
  for _ = 1, count do
    local form, kind = pick { "request", "client" }, pick(kind_names)
    if math.random() < 0.85 then
      add_mute(steps, expected, form, kind)
    else
      add_keeper(steps, form, kind)
    end
  end
  return steps, expected
end

describe("Requests with all kinds of credentials", function()
  it("have the outcome of a fresh process, in any order", function()
    local seed = tonumber(os.getenv "CURLEW_SEED") or os.time() % 1000000
    math.randomseed(seed)
    local steps, expected = make_steps(800)
    local lines = {}
    for i, step in ipairs(steps) do lines[i] = step[1] end
    local outcomes = run(lines)
    for i, step in ipairs(steps) do
      assert.equal(step[2], outcomes[i], ("CURLEW_SEED=%d, step %d: %s"):format(
        seed, i, step[1]))
    end
    assert_sent(expected, seed)
  end)

  -- The model that the sequences are held against, by what fresh processes do.
  for _, kind in ipairs(kind_names) do
    it("are modelled as a fresh process has them: " .. kind, function()
      local expected = {}
      for _, name in ipairs(names) do
        expected[name] = {}
        expect(expected[name], mutes[name], kind)
        local outcome = run { ("request %s GET %s/"):format(kind,
          servers[name].url) }
        assert.same({ tostring(mutes[name].status) }, outcome)
      end
      assert_sent(expected, 0)
    end)
  end

  for _, kind in ipairs { "basic", "userinfo", "netrc", "bearer" } do
    it("are not asked again because of another's 401: " .. kind, function()
      local lines = {}
      for _, name in ipairs { "basic", "bare", "several", "bearer", "bare" } do
        lines[#lines + 1] = "request none GET " .. servers[name].url .. "/"
        lines[#lines + 1] = ("request %s GET %s/"):format(kind,
          servers.bare.url)
      end
      local outcomes = run(lines)
      for i = 1, #lines do assert.equal("401", outcomes[i], lines[i]) end
    end)
  end
end)
