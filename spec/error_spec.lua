--- Error objects: their fields by kind of failure, the sentence that they are
-- as text, the caller's line in it, and the secrets that are not.

local support = require "spec.support"
local http = require "curlew"

local KIB = 1024
local OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
local MISSING = "HTTP/1.1 404 Not Found\r\nX-Why: none\r\n"
  .. "Content-Length: 9\r\n\r\nnot there"
local CUT = "HTTP/1.1 200 OK\r\nX-Mark: 1\r\nContent-Length: 10\r\n\r\nhalf"
local ENDLESS = "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"

local server

before_each(function() server = support.server() end)
after_each(function() server:close() end)

-- The url of a port on which nobody listens.
local function refused_url()
  local port = support.refused_port
  return ("http://127.0.0.1:%d/"):format(port)
end

local function status_bytes(status)
  return ("HTTP/1.1 %d Status\r\nContent-Length: 0\r\n\r\n"):format(status)
end

-- The line that calls this, as sites are written.
local function line()
  local frame = debug.getinfo(2, "Sl")
  return ("%s:%d"):format(frame.short_src, frame.currentline)
end

-- The error of a fetch that has to fail.
local function failure(url, options)
  local page, err = http.fetch(url, options)
  assert.is_nil(page)
  return err
end

local function fields(err, names)
  local found = {}
  for _, name in ipairs(names) do found[name] = err[name] end
  return found
end

-- Sets a limit for the rest of the test.
local function limit(max_open, finally)
  local before = http.limits().max_open
  finally(function() http.limits { max_open = before } end)
  http.limits { max_open = max_open }
end

local function open_endless(n)
  for _ = 1, n do server:script { "request", { send = ENDLESS }, "hold" } end
end

describe("An error object", function()
  it("has a type", function()
    assert.equal("error", http.type(failure(refused_url())))
  end)

  it("says what was asked and where", function()
    local url = refused_url()
    local options = { method = "DELETE" }
    local _, err = http.fetch(url, options)
    assert.same({ method = "DELETE", url = url },
      fields(err, { "method", "url" }))
    assert.matches("error_spec%.lua:%d+$", err.site)
  end)

  it("has the method of the verb", function()
    local r <close>, err = http.head(refused_url())
    assert.is_nil(r)
    assert.equal("HEAD", err.method)
  end)

  it("is of phase connect where the connection was refused", function()
    local err = failure(refused_url())
    assert.same({ code = "connect", phase = "connect", retryable = true },
      fields(err, { "code", "phase", "retryable" }))
    assert.is_string(err.message)
  end)

  it("has nothing of a response where there was none", function()
    assert.same({}, fields(failure(refused_url()),
      { "status", "headers", "body", "received", "holders" }))
  end)

  it("is of phase request for a url, and nothing is sent", function()
    local err = failure("ftp" .. server.url:sub(5))
    assert.same({ code = "url", phase = "request", retryable = false },
      fields(err, { "code", "phase", "retryable" }))
    assert.equal(0, server:connections())
  end)

  it("has no url where it could not be parsed", function()
    assert.is_nil(failure("http://").url)
  end)

  it("has the response's status, headers, and bytes received when the body "
    .. "is cut", function()
    server:reply(CUT)
    local err = failure(server.url)
    assert.same({ code = "truncated", phase = "body", retryable = true,
      status = 200, received = 4 }, fields(err,
      { "code", "phase", "retryable", "status", "received", "body" }))
    assert.equal("1", err.headers["x-mark"])
  end)

  it("has no holders but at the limit", function()
    server:reply(MISSING)
    assert.is_nil(failure(server.url, { check = true }).holders)
  end)
end)

describe("The error of a status", function()
  it("has status, headers, body and bytes received", function()
    server:reply(MISSING)
    local err = failure(server.url, { check = true })
    assert.same({ code = "status", phase = "headers", status = 404,
      body = "not there", received = 9 },
      fields(err, { "code", "phase", "status", "body", "received" }))
    assert.equal("none", err.headers["X-Why"])
  end)

  it("names the status and the reason", function()
    server:reply(MISSING)
    assert.matches("404 Not Found",
      failure(server.url, { check = true }).message, 1, true)
  end)

  for _, size in ipairs { 0, 4 * KIB, 4 * KIB + 1, 32 * KIB, 1024 * KIB } do
    it(("has at most 4 KiB of a body of %d bytes"):format(size), function()
      local body = ("0123456789abcdef"):rep(size // 16 + 1):sub(1, size)
      server:reply(("HTTP/1.1 500 No\r\nContent-Length: %d\r\n\r\n%s")
        :format(size, body))
      local err = failure(server.url, { check = true })
      assert.equal(math.min(size, 4 * KIB), #err.body)
      assert.equal(body:sub(1, 4 * KIB), err.body)
      assert.is_true(err.received >= #err.body)
    end)
  end

  it("is the same where a function refuses it", function()
    server:reply(MISSING)
    local err = failure(server.url, { check = function() return false end })
    assert.same({ code = "status", status = 404 },
      fields(err, { "code", "status" }))
  end)

  it("is what a function that checks returns beside nil", function()
    local function checked(how, bytes)
      server:reset():reply(bytes)
      local before = http.stats().open
      local err = failure(server.url, { check = function(r)
        return r[how](r)
      end })
      assert.equal(before, http.stats().open)
      return fields(err, { "code", "phase", "status", "body", "received" })
    end

    assert.same({ code = "status", phase = "headers", status = 404,
      body = "not there", received = 9 }, checked("check", MISSING))
    assert.same({ code = "truncated", phase = "body", status = 200,
      received = 4 }, checked("text", CUT))
  end)

  it("is the same from r:check()", function()
    server:reply(MISSING)
    local r <close> = http.get(server.url)
    local none, err = r:check()
    assert.is_nil(none)
    assert.same({ code = "status", phase = "headers", status = 404,
      body = "not there", received = 9 },
      fields(err, { "code", "phase", "status", "body", "received" }))
  end)

  it("is the same from page:check()", function()
    local names = { "code", "phase", "message", "method", "url", "retryable",
      "status", "body", "received" }
    server:replies(MISSING, MISSING)
    local by_option = failure(server.url, { check = true })
    local none, err = assert(http.fetch(server.url)):check()
    assert.is_nil(none)
    assert.equal("error", http.type(err))
    assert.same(fields(by_option, names), fields(err, names))
    assert.equal("none", err.headers["X-Why"])
    assert.matches("%(status%) at .*error_spec%.lua:%d+$", tostring(err))
  end)

  it("has at most 4 KiB of a page's body", function()
    server:reply(("HTTP/1.1 500 No\r\nContent-Length: 5000\r\n\r\n"
      .. ("x"):rep(5000)))
    local _, err = assert(http.fetch(server.url)):check()
    assert.same({ 4 * KIB, 5000 }, { #err.body, err.received })
  end)

  it("is none where a page is good", function()
    server:reply(OK)
    local page = assert(http.fetch(server.url))
    assert.equal(page, page:check())
  end)
end)

describe("retryable", function()
  for _, status in ipairs { 408, 429, 500, 502, 503, 504 } do
    it("is true for status " .. status, function()
      server:reply(status_bytes(status))
      assert.is_true(failure(server.url, { check = true }).retryable)
    end)
  end

  for _, status in ipairs { 304, 400, 401, 403, 404, 410, 501, 505 } do
    it("is false for status " .. status, function()
      server:reply(status_bytes(status))
      assert.is_false(failure(server.url, { check = true }).retryable)
    end)
  end

  it("is true where the server closed without an answer", function()
    server:script { "request", "close" }
    local err = failure(server.url)
    assert.same({ code = "closed", retryable = true },
      fields(err, { "code", "retryable" }))
  end)

  it("is false for what is not HTTP", function()
    server:reply("SMTP ready\r\n\r\n")
    local err = failure(server.url)
    assert.same({ code = "protocol", retryable = false },
      fields(err, { "code", "retryable" }))
  end)
end)

describe("At the limit an error", function()
  it("names who holds the responses, oldest first #builtin", function()
    limit(2, finally)
    open_endless(2)
    local r1 <close>, _, first = http.get(server.url .. "/1"), nil, line()
    local r2 <close>, _, second = http.get(server.url .. "/2"), nil, line()
    local err = failure(server.url .. "/3")
    assert.equal("response", http.type(r1))
    assert.equal("response", http.type(r2))
    assert.same({ code = "too_many_open", phase = "request",
      retryable = true }, fields(err, { "code", "phase", "retryable" }))
    assert.same({ first, second },
      { err.holders[1].site, err.holders[2].site })
    assert.same({ 2, server.url .. "/1", server.url .. "/2" },
      { #err.holders, err.holders[1].url, err.holders[2].url })
  end)

  it("names three at most #builtin", function()
    limit(4, finally)
    open_endless(4)
    local r1 <close> = http.get(server.url .. "/1")
    local r2 <close> = http.get(server.url .. "/2")
    local r3 <close> = http.get(server.url .. "/3")
    local r4 <close> = http.get(server.url .. "/4")
    local holders = failure(server.url .. "/5").holders
    assert.same({ 200, 200, 200, 200 },
      { r1.status, r2.status, r3.status, r4.status })
    assert.same({ 3, server.url .. "/1" }, { #holders, holders[1].url })
  end)

  it("is gone when one has been closed #builtin", function()
    limit(1, finally)
    open_endless(1)
    server:reply(OK)
    local r <close> = http.get(server.url)
    assert.equal("too_many_open", failure(server.url).code)
    r:close()
    assert.equal("ok", assert(http.fetch(server.url)).body)
  end)
end)

describe("tostring(err)", function()
  it("is one sentence: what was asked, what is wrong, which code, where",
    function()
      local url = refused_url()
      local err = failure(url)
      local text = tostring(err)
      assert.equal(("GET %s: %s (connect) at %s"):format(url, err.message,
        err.site), text)
      assert.is_nil(text:find("\n", 1, true))
    end)

  it("is text also where there is no url", function()
    assert.matches("^GET .+ %(url%) at .*error_spec%.lua:%d+$",
      tostring(failure("nonsense")))
  end)

  -- Each calls curlew on the line of which it tells.
  local calls = {
    ["http.get"] = function(url)
      local _, err = http.get(url) return err, line()
    end,
    ["http.head"] = function(url)
      local _, err = http.head(url) return err, line()
    end,
    ["http.get with a table"] = function(url)
      local _, err = http.get { url, timeout = 5 } return err, line()
    end,
    ["http.request"] = function(url)
      local _, err = http.request { url = url } return err, line()
    end,
    ["http.fetch"] = function(url)
      local _, err = http.fetch(url) return err, line()
    end,
    ["http.fetch with options"] = function(url)
      local _, err = http.fetch(url, { query = { a = 1 } }) return err, line()
    end,
    ["client:get"] = function(url)
      local client <close> = http.client { timeout = 5 }
      local _, err = client:get(url) return err, line()
    end,
    ["client:request"] = function(url)
      local client <close> = http.client()
      local _, err = client:request { url } return err, line()
    end,
    ["client:fetch"] = function(url)
      local client <close> = http.client()
      local _, err = client:fetch(url) return err, line()
    end,
    ["client:extend():get"] = function(url)
      local client <close> = http.client()
      local other <close> = client:extend { timeout = 5 }
      local _, err = other:get(url) return err, line()
    end,
    ["pcall(http.get, ...)"] = function(url)
      local _, _, err = pcall(http.get, url) return err, line()
    end,
    ["pcall(http.fetch, ...)"] = function(url)
      local _, _, err = pcall(http.fetch, url) return err, line()
    end,
    ["pcall(client.get, client, ...)"] = function(url)
      local client <close> = http.client()
      local _, _, err = pcall(client.get, client, url) return err, line()
    end,
    ["a coroutine"] = function(url)
      return coroutine.wrap(function()
        local _, err = http.get(url) return err, line()
      end)()
    end,
    ["fetch in a coroutine"] = function(url)
      return coroutine.wrap(function()
        local _, err = http.fetch(url) return err, line()
      end)()
    end,
    ["a coroutine in a pcall in a coroutine"] = function(url)
      return coroutine.wrap(function()
        local _, err, here = pcall(coroutine.wrap(function()
          local _, err = http.get(url) return err, line()
        end))
        return err, here
      end)()
    end,
  }

  local names = {}
  for name in pairs(calls) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    it("ends in the caller's line: " .. name, function()
      local err, here = calls[name](refused_url())
      assert.equal("connect", err.code)
      assert.equal(here, err.site)
      assert.equal(" at " .. here, tostring(err):sub(-#here - 4))
    end)
  end

  it("ends in the line that asked, when the body is read elsewhere",
    function()
      server:reply(CUT)
      local r <close>, _, here = http.get(server.url), nil, line()
      local _, err = r:text()
      assert.equal(here, err.site)
    end)

  it("ends in the caller's line when a url is refused", function()
    local _, err, here = nil, select(2, http.get("nonsense")), line()
    assert.equal("url", err.code)
    assert.equal(here, err.site)
  end)
end)

describe("A broken body", function()
  local function broken()
    server:reply(CUT)
    return http.get(server.url)
  end

  it("gives the same error object each time it is read", function()
    local r <close> = broken()
    local none, err = r:text()
    assert.is_nil(none)
    for _, format in ipairs { "a", 1, 0, 100 } do
      local again, same = r:read(format)
      assert.is_nil(again)
      assert.is_true(rawequal(err, same))
    end
    assert.is_true(rawequal(err, (select(2, r:text()))))
  end)

  it("gives it also after a collection", function()
    local r <close> = broken()
    local text = tostring(select(2, r:read("a")))
    local _, err = r:read("a")
    collectgarbage()
    assert.is_true(rawequal(err, (select(2, r:read("a")))))
    assert.equal(text, tostring(err))
  end)

  it("takes it along when it is moved", function()
    local r <close> = broken()
    local _, err = r:text()
    local moved <close> = r:move()
    assert.is_true(rawequal(err, (select(2, moved:text()))))
  end)

  it("leaves an error that outlives its response", function()
    local err
    do
      local r <close> = broken()
      err = select(2, r:text())
    end
    collectgarbage()
    collectgarbage()
    assert.same({ "truncated", "1" }, { err.code, err.headers["x-mark"] })
  end)
end)

-- ---- secrets ----

local SECRETS = { "querysecret", "usersecret", "passsecret", "fragsecret" }

-- The url with one secret in each place that may hold one.
local function secret_url(url)
  return url:gsub("^http://", "http://usersecret:passsecret@")
    .. "?key=querysecret&querysecret#fragsecret"
end

local function assert_no_secret(text)
  for _, secret in ipairs(SECRETS) do
    assert.is_nil(text:find(secret, 1, true),
      ("%s stands in: %s"):format(secret, text))
  end
end

local function assert_keeps_secrets(err)
  for _, text in ipairs { tostring(err), err.message, err.url or "" } do
    assert_no_secret(text)
  end
end

describe("No secret of a url stands", function()
  it("in the error of a refused connection", function()
    local err = failure(secret_url(refused_url()))
    assert.equal("connect", err.code)
    assert_keeps_secrets(err)
  end)

  it("in the error of a status", function()
    server:reply(MISSING)
    local err = failure(secret_url(server.url .. "/"), { check = true })
    assert.equal("status", err.code)
    assert_keeps_secrets(err)
  end)

  it("in the error of page:check()", function()
    server:reply(MISSING)
    local page = assert(http.fetch(secret_url(server.url .. "/")))
    local _, err = page:check()
    assert.equal(404, err.status)
    assert_keeps_secrets(err)
  end)

  it("in the error of a body that is cut", function()
    server:reply(CUT)
    local err = failure(secret_url(server.url .. "/"))
    assert.equal("truncated", err.code)
    assert_keeps_secrets(err)
  end)

  it("in the error of one whose query is an option", function()
    local err = failure(refused_url(), { query = { key = "querysecret" } })
    assert.equal("connect", err.code)
    assert_keeps_secrets(err)
  end)

  it("in the error of one behind a base_url", function()
    local base = refused_url():gsub("^http://", "http://usersecret:passsecret@")
    local client <close> = http.client { base_url = base }
    local _, err = client:fetch("x?querysecret#fragsecret")
    assert.equal("connect", err.code)
    assert_keeps_secrets(err)
  end)

  local malformed = {
    ["another scheme"] = "ftp://usersecret:passsecret@h/?querysecret",
    ["no scheme"] = "usersecret:passsecret@h/?querysecret#fragsecret",
    ["a bad port"] = "http://usersecret:passsecret@h:99999/?querysecret",
    ["a control byte"] = "http://usersecret:passsecret@h/?querysecret\n",
    ["a backslash"] = "http://usersecret:passsecret@h\\?querysecret",
    ["a bad host"] = "http://usersecret:passsecret@[::1/?querysecret",
    ["a space in the host"] = "http://usersecret:passsecret@a b/?querysecret",
    ["NUL"] = "http://usersecret:passsecret@h/?querysecret\0",
    ["an @ in the userinfo"] = "http://usersecret:pass@secret:x@[/?querysecret",
  }
  for name, url in pairs(malformed) do
    it("in the error of a malformed one: " .. name, function()
      local err = failure(url)
      assert.equal("url", err.code)
      assert_keeps_secrets(err)
    end)
  end

  it("in the records of what is open, nor in the limit's "
    .. "error #builtin", function()
    limit(1, finally)
    open_endless(1)
    local url = secret_url(server.url .. "/")
    local r <close> = http.get(url)
    local err = failure(url)
    assert.equal("too_many_open", err.code)
    assert_keeps_secrets(err)
    for _, record in ipairs { http.leaks.open()[1], err.holders[1] } do
      assert_no_secret(record.url)
      assert_no_secret(tostring(record))
    end
    assert_no_secret(tostring(r))
  end)

  it("in the records of leaks, nor in the reports of them #plain", function()
    open_endless(1)
    local kind, code, out, report = support.run([[
      local http = require "curlew"
      http.get(...)
      collectgarbage()
      collectgarbage()
      local record = http.leaks.records()[1]
      print(record.found, record.url, tostring(record))
      http.fetch("nonsense")
    ]], { secret_url(server.url .. "/") })
    assert.same({ "exit", 0 }, { kind, code })
    assert.matches("^gc\t", out)
    assert.matches("127.0.0.1", report, 1, true)
    assert_no_secret(out)
    assert_no_secret(report)
  end)
end)

describe("No secret of a header stands in what is raised", function()
  for _, value in ipairs { "Bearer usersecret\n", "usersecret\0" } do
    it(("for a value that is refused: %q"):format(value), function()
      local fine, why = pcall(http.get, server.url,
        { headers = { Authorization = value } })
      assert.is_false(fine)
      assert.matches("Authorization", why, 1, true)
      assert_no_secret(why)
    end)
  end
end)

describe("The words of an error say what is at fault", function()
  for what, case in pairs {
    ["no HTTP"] = { code = "protocol", send = "SSH-2.0-OpenSSH_9.2\r\n\r\n",
      words = "the answer is not HTTP" },
    ["no answer"] = { code = "closed",
      words = "closed before a response was received" },
    ["no last chunk"] = { code = "truncated", words = "before the last chunk",
      send = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        .. "2\r\nok\r\n" },
  } do
    it("when there is " .. what .. " #plain", function()
      server:script { "request", { send = case.send or "" }, "close" }
      local err = failure(server.url)
      assert.equal(case.code, err.code)
      assert.matches(case.words, err.message, 1, true)
    end)
  end

  it("when nobody listens", function()
    assert.matches("Connection refused", failure(refused_url()).message, 1,
      true)
  end)

  it("when a proxy closes #plain", function()
    server:script { "request", "close" }
    local err = failure("https://name.none/", { proxy = server.url })
    assert.equal("proxy", err.code)
    assert.matches("closed the connection without an answer", err.message, 1,
      true)
  end)
end)
