--- No offer or refusal of a server has an effect on the next request. Random
-- sequences of requests with all kinds of credentials are made in one process,
-- to servers that challenge in different ways. Each outcome equals that of a
-- fresh process. CURLEW_SEED repeats a sequence.

local support = require "spec.support"
local http = require "curlew"

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

-- Servers with a fixed answer to every request; 'nonce' is that of the
-- challenge that has to be answered.
local fixed_servers = {
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

-- Paths of httpbin, which checks the credentials and accepts these.
local httpbin_paths = {
  ["/basic-auth/u/p"] = { basic = true, userinfo = true, netrc = true },
  ["/hidden-basic-auth/u/p"] = { basic = true, userinfo = true, netrc = true,
    others = 404 },
  ["/digest-auth/auth/u/p/MD5"] = { digest = true },
  ["/digest-auth/auth/u/p/SHA-256"] = { digest = true },
  ["/digest-auth/auth-int/u/p/MD5"] = { digest = true },
  ["/bearer"] = { bearer = true }, -- and, before 0.10, any Authorization
}

-- The Authorization line of the first request; false: none.
local kinds = {
  none = false, digest = false, eve = false, -- with another password
  basic = "Basic dTpw", userinfo = "Basic dTpw", netrc = "Basic dTpw",
  bearer = "Bearer t0ken",
}

local names, paths, kind_names = {}, {}, {}
for name in pairs(fixed_servers) do names[#names + 1] = name end
for path in pairs(httpbin_paths) do paths[#paths + 1] = path end
for kind in pairs(kinds) do kind_names[#kind_names + 1] = kind end
table.sort(names)
table.sort(paths)
table.sort(kind_names)

-- The script of one process: each line of input is a request, each line of
-- output its outcome. Credentials belong to the request or to its client.
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
  for name in pairs(fixed_servers) do servers[name] = support.server() end
  local page = assert(http.fetch(support.httpbin().url .. "/bearer",
    { headers = { Authorization = "Basic dTpw" } }))
  local any = page.status == 200
  for _, kind in ipairs { "basic", "userinfo", "netrc" } do
    httpbin_paths["/bearer"][kind] = any
  end
end)
teardown(function()
  for _, server in pairs(servers) do server:close() end
end)
before_each(function()
  for name, fixed in pairs(fixed_servers) do
    servers[name]:reset()
    servers[name]:script { { loop = { "request", { send = fixed[1] } } } }
  end
end)

-- Returns the Authorization that a server received; of digest its nonce and
-- realm.
local function authorization(bytes)
  local value = bytes:match("\r\nAuthorization: ([^\r]*)\r\n")
  if not value then return false end
  local realm, nonce = value:match(
    '^Digest username="u", realm="([^"]*)", nonce="([^"]*)", uri="/"')
  return realm and realm .. ", " .. nonce or value
end

local function is_digest(kind) return kind == "digest" or kind == "eve" end

-- The lines of Authorization that a fresh process sends.
local function expect(lines, fixed, kind)
  lines[#lines + 1] = kinds[kind]
  if is_digest(kind) and fixed.nonce then
    lines[#lines + 1] = ("realm of %s, %s"):format(fixed.nonce, fixed.nonce)
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

-- Adds a step at a server with a fixed answer; 'expected' gets the predicted
-- lines.
local function add_fixed(steps, expected, form, kind)
  local name = pick(names)
  expect(expected[name], fixed_servers[name], kind)
  steps[#steps + 1] = { ("%s %s GET %s/"):format(form, kind,
    servers[name].url), tostring(fixed_servers[name].status) }
end

local function add_httpbin(steps, form, kind)
  local path = pick(paths)
  local known = httpbin_paths[path]
  local status = known[kind] and 200 or known.others or 401
  steps[#steps + 1] = { ("%s %s GET %s%s"):format(form, kind,
    support.httpbin().url, path), tostring(status) }
end

local function make_steps(count)
  local steps, expected = {}, {}
  for name in pairs(fixed_servers) do expected[name] = {} end
  for _ = 1, count do
    local form, kind = pick { "request", "client" }, pick(kind_names)
    if math.random() < 0.85 then
      add_fixed(steps, expected, form, kind)
    else
      add_httpbin(steps, form, kind)
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

  -- Checks the model of the sequences against fresh processes.
  for _, kind in ipairs(kind_names) do
    it("are modelled as a fresh process has them: " .. kind, function()
      local expected = {}
      for _, name in ipairs(names) do
        expected[name] = {}
        expect(expected[name], fixed_servers[name], kind)
        local outcome = run { ("request %s GET %s/"):format(kind,
          servers[name].url) }
        assert.same({ tostring(fixed_servers[name].status) }, outcome)
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
