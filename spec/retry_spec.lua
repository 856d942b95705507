--- Retries: what is made again and what is not, when, and what is left of the
-- tries before. No delay is felt here: Retry-After: 0, or max_delay = 0.001;
-- how long one is, is checked in spec/support/engine_test.c.

local support = require "spec.support"
local http = require "curlew"
local counters = require "spec.support.counters"
local scheduler = require "spec.support.scheduler"

local AT_ONCE = "Retry-After: 0\r\n"

local function answer(status, fields, body)
  return ("HTTP/1.1 %d Status\r\n%sContent-Length: %d\r\n\r\n%s"):format(status,
    fields or "", #(body or ""), body or "")
end

local OK = answer(200, nil, "ok")
local BUSY = answer(503, AT_ONCE, "busy")
local CUT = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"

local server

before_each(function() server = support.server() end)
after_each(function() server:close() end)

local function soon(more)
  local retry = { times = 2, max_delay = 0.001 }
  for name, value in pairs(more or {}) do retry[name] = value end
  return { retry = retry }
end

local function with(options, more)
  for name, value in pairs(more) do options[name] = value end
  return options
end

local function failure(options, url)
  local page, err = http.fetch(url or server.url, options)
  assert.is_nil(page)
  return err
end

-- Answers every request so.
local function always(bytes)
  server:script { { loop = { "request", { send = bytes } } } }
end

local function tries() return #server:requests() end

local function moves(f, ...)
  local before = http.stats()
  f(...)
  assert.is_true(http.leaks.audit())
  return counters.moved(before, http.stats())
end

local function refused_url()
  local port = support.refused_port
  return ("http://127.0.0.1:%d/"):format(port)
end

-- ---- whether ----

describe("A request is made again", function()
  it("not unless it is asked for", function()
    server:replies(BUSY, OK)
    assert.equal(503, assert(http.fetch(server.url)).status)
    assert.equal(1, tries())
    assert.equal(1, failure(nil, refused_url()).attempts)
  end)

  it("not with retry = 0, or false over a client's", function()
    local client <close> = http.client { retry = 5 }
    for _, own in ipairs { 0, false } do
      server:reset()
      server:replies(BUSY, OK)
      assert.equal(503, assert(client:fetch(server.url,
        { retry = own })).status)
      assert.equal(1, tries())
    end
  end)

  it("as often as a number says", function()
    always(BUSY)
    local page = assert(http.fetch(server.url, { retry = 3 }))
    assert.same({ 503, "busy" }, { page.status, page.body })
    assert.equal(4, page.info.attempts)
    assert.equal(4, tries())
  end)

  it("as often as times says", function()
    always(BUSY)
    assert.equal(3, assert(http.fetch(server.url, soon())).info.attempts)
    assert.equal(3, tries())
  end)

  it("until it is answered well", function()
    server:replies(BUSY, BUSY, OK, OK)
    local page = assert(http.fetch(server.url, { retry = 10 }))
    assert.same({ 200, "ok", 3 }, { page.status, page.body,
      page.info.attempts })
    assert.equal(1, server:connections())
  end)

  it("as its client says, and as it says itself", function()
    local client <close> = http.client { retry = { times = 1,
      on = { 404 }, max_delay = 0.001 } }
    always(answer(404))
    assert.equal(2, assert(client:fetch(server.url)).info.attempts)
    assert.equal(3, assert(client:fetch(server.url,
      { retry = 2 })).info.attempts)
    assert.equal(1, assert(client:fetch(server.url,
      { retry = { on = { 503 } } })).info.attempts)
  end)

  local worth = { [408] = true, [429] = true, [500] = true, [502] = true,
    [503] = true, [504] = true }
  for _, status in ipairs { 200, 204, 304, 400, 401, 403, 404, 408, 409, 418,
    425, 429, 500, 501, 502, 503, 504, 505, 599 } do
    it(("after %d: %s"):format(status, worth[status] and "yes" or "no"),
      function()
        local bytes = ("HTTP/1.1 %d X\r\n%s%s\r\n"):format(status, AT_ONCE,
          (status == 204 or status == 304) and "" or "Content-Length: 0\r\n")
        always(bytes)
        local page = assert(http.fetch(server.url, { retry = 1 }))
        assert.equal(status, page.status)
        assert.equal(worth[status] and 2 or 1, tries())
      end)
  end

  it("after what 'on' lists, and nothing else", function()
    server:replies(answer(404, AT_ONCE), answer(503, AT_ONCE), OK)
    local page = assert(http.fetch(server.url, soon { on = { 404,
      "timeout" } }))
    assert.equal(503, page.status)
    assert.equal(2, tries())
    assert.equal(1, failure(soon { on = { 503, "timeout" } },
      refused_url()).attempts)
    assert.equal(3, failure(soon { on = { "connect" } },
      refused_url()).attempts)
  end)

  local steps = {
    closed = { { "request", "close" }, 3 },
    reset = { { "request", "reset" }, 3 },
    protocol = { { "request", { send = "HTTP/1.1 nonsense\r\n\r\n" },
      "close" }, 1 },
    too_large = { { "request", { send = "HTTP/1.1 200 OK\r\nX: "
      .. ("x"):rep(300000) .. "\r\n\r\n" }, "close" }, 1 },
  }

  for name, case in pairs(steps) do
    it(("after an answer that is %s: %s"):format(name,
      case[2] > 1 and "yes" or "no"), function()
      server:script(case[1])
      local err = failure(soon())
      assert.equal(case[2], err.attempts)
      assert.equal(case[2] > 1, err.retryable)
      assert.equal(case[2], tries())
    end)
  end

  it("after a time-out", function()
    server:script { "request", "hold" }
    server:replies(OK)
    local page = assert(http.fetch(server.url, with(soon(),
      { timeout = { first_byte = 0.5 } })))
    assert.equal("ok", page.body)
    assert.equal(2, page.info.attempts)
  end)

  it("after a refused connection, and says how often", function()
    local err = failure(soon(), refused_url())
    assert.same({ "connect", 3 }, { err.code, err.attempts })
  end)

  it("not after a certificate that is wrong", function()
    local err = failure(soon(), support.nginx().https_unknown_ca)
    assert.same({ "tls", 1 }, { err.code, err.attempts })
  end)

  it("not after a url that is none", function()
    assert.equal(1, failure(soon(), "ftp://x/").attempts)
  end)

  local idempotent = { GET = true, HEAD = true, PUT = true, DELETE = true,
    OPTIONS = true, TRACE = true, POST = false, PATCH = false, LINK = false }

  for method, yes in pairs(idempotent) do
    it(("with %s: %s"):format(method, yes and "yes" or "if unsafe"), function()
      local bytes = method == "HEAD" and "HTTP/1.1 503 X\r\n" .. AT_ONCE
        .. "\r\n" or BUSY
      always(bytes)
      local function attempts(retry)
        return assert(http.fetch(server.url, { method = method,
          retry = retry })).info.attempts
      end
      assert.equal(yes and 2 or 1, attempts(1))
      assert.equal(2, attempts { times = 1, unsafe = true })
    end)
  end

  it("by get and by loops, too", function()
    server:replies(BUSY, OK, BUSY, answer(200, nil, "a\nb\n"))
    local r <close> = assert(http.get(server.url, { retry = 1 }))
    assert.equal("ok", r:read("a"))
    assert.equal(2, r.info.attempts)
    local lines = {}
    for line in http.lines(server.url, { retry = 1 }) do
      lines[#lines + 1] = line
    end
    assert.same({ "a", "b" }, lines)
  end)
end)

-- ---- what is left when they run out ----

describe("When the tries run out", function()
  it("the last response is returned", function()
    server:replies(answer(503, AT_ONCE, "first"), answer(500, nil, "last"))
    local r <close> = assert(http.get(server.url, { retry = 1 }))
    assert.same({ 500, "last" }, { r.status, r:read("a") })
  end)

  it("check refuses it", function()
    server:replies(BUSY, answer(503, AT_ONCE, "still busy"))
    local err = failure { retry = 1, check = true }
    assert.same({ "status", 503, "still busy", 2, true },
      { err.code, err.status, err.body, err.attempts, err.retryable })
  end)

  it("a function that checks has seen the last alone", function()
    server:replies(BUSY, answer(500, nil, "last"))
    local seen = {}
    failure { retry = 1, check = function(r)
      seen[#seen + 1] = r.status
      return r.ok
    end }
    assert.same({ 500 }, seen)
  end)

  it("the last error is", function()
    server:replies(BUSY)
    server:script { "request", "close" }
    server:reset()
    server:script { "request", { send = answer(503, AT_ONCE
      .. "Connection: close\r\n", "busy") }, "close" }
    server:script { "request", "close" }
    local err = failure(soon { times = 1 })
    assert.same({ "closed", 2 }, { err.code, err.attempts })
    assert.is_nil(err.status)
  end)
end)

-- ---- when ----

describe("Retry-After", function()
  local function date(offset)
    return os.date("!%a, %d %b %Y %H:%M:%S GMT", os.time() + offset)
  end

  it("in the past is at once", function()
    server:replies(answer(503, "Retry-After: " .. date(-3600) .. "\r\n"), OK)
    assert.equal("ok", assert(http.fetch(server.url, { retry = 1 })).body)
  end)

  -- Rounded up, 1.5 s exceeds the limit; if the text were ignored, there would
  -- be a retry.
  it("may have a fraction, which is rounded up", function()
    server:replies(answer(503, "Retry-After: 1.5\r\n", "later"), OK)
    local page = assert(http.fetch(server.url,
      { retry = { times = 1, max_delay = 1.9 } }))
    assert.same({ 503, "later" }, { page.status, page.body })
    assert.equal(1, tries())
  end)

  for name, value in pairs { seconds = "3600", date = date(3600) } do
    it("beyond max_delay ends it, by " .. name, function()
      server:replies(answer(503, "Retry-After: " .. value .. "\r\n", "later"),
        OK)
      local page = assert(http.fetch(server.url, { retry = 3 }))
      assert.same({ 503, "later", 1 }, { page.status, page.body,
        page.info.attempts })
      assert.equal(1, tries())
    end)

    it("beyond the deadline ends it, by " .. name, function()
      server:replies(answer(503, "Retry-After: " .. value .. "\r\n", "later"),
        OK)
      local page = assert(http.fetch(server.url, { deadline = 30,
        retry = { times = 3, max_delay = 86400 } }))
      assert.same({ 503, "later" }, { page.status, page.body })
      assert.equal(1, tries())
    end)
  end

  it("that is nonsense is passed over", function()
    server:replies(answer(503, "Retry-After: soon\r\n"), OK)
    assert.equal("ok", assert(http.fetch(server.url, soon())).body)
  end)

  it("counts for 429 as for 503", function()
    server:replies(answer(429, AT_ONCE), OK)
    assert.equal("ok", assert(http.fetch(server.url, { retry = 1 })).body)
  end)
end)

describe("The deadline", function()
  it("holds for all tries together", function()
    always(BUSY)
    local page, err = http.fetch(server.url, { deadline = 0.05, retry = 100 })
    assert.is_true((page and page.status or err.code) == 503
      or err.code == "timeout")
    server:reset()
    server:script { "request", { send = BUSY }, "request", "hold" }
    err = failure { deadline = 0.2, retry = 5 }
    assert.equal("timeout", err.code)
    assert.matches("deadline", err.message, 1, true)
    assert.equal(2, err.attempts)
    assert.equal(2, tries())
  end)

  it("holds for tries to read a body, too", function()
    server:script { "request", { send = CUT }, "close" }
    server:script { "request", "hold" }
    local err = failure(with(soon { times = 5 }, { deadline = 2 }))
    assert.equal("timeout", err.code)
    assert.equal(2, err.attempts)
  end)
end)

-- ---- cut bodies ----

describe("A body that is cut", function()
  local function cut_then(...)
    server:script { "request", { send = CUT }, "close" }
    server:replies(...)
  end

  it("is fetched again", function()
    cut_then(OK)
    local page = assert(http.fetch(server.url, soon()))
    assert.same({ "ok", 2 }, { page.body, page.info.attempts })
  end)

  it("is not unless it is asked for", function()
    cut_then(OK)
    assert.same({ "truncated", 1 }, (function(err)
      return { err.code, err.attempts }
    end)(failure()))
  end)

  it("is fetched as often as is said, in all", function()
    server:script { "request", { send = CUT }, "close" }
    local err = failure(soon())
    assert.same({ "truncated", 3 }, { err.code, err.attempts })
    assert.equal(3, tries())
  end)

  it("shares its tries with statuses", function()
    cut_then(BUSY, BUSY, OK)
    local page = assert(http.fetch(server.url, soon()))
    assert.same({ 503, 3 }, { page.status, page.info.attempts })
  end)

  it("that is large is fetched again", function()
    server:script { "request", { send = "HTTP/1.1 200 OK\r\n"
      .. "Content-Length: 1000000\r\n\r\n" .. ("x"):rep(300000) }, "close" }
    server:replies(answer(200, nil, ("y"):rep(1000000)))
    assert.equal(("y"):rep(1000000), assert(http.fetch(server.url,
      soon())).body)
  end)

  it("is not, with a method that is not idempotent", function()
    cut_then(OK)
    local err = failure(with(soon(), { method = "POST", body = "x" }))
    assert.same({ "truncated", 1 }, { err.code, err.attempts })
  end)

  it("is, with one that is, and its own body again", function()
    cut_then(OK)
    local page = assert(http.fetch(server.url, with(soon(),
      { method = "PUT", body = "sent" })))
    assert.equal("ok", page.body)
    assert.matches("\r\n\r\nsent$", server:request(2))
  end)

  it("is not, when a function has given what was sent", function()
    cut_then(OK)
    local pieces = { "b", "a" }
    local err = failure(with(soon(), { method = "PUT",
      body = function() return table.remove(pieces) end }))
    assert.same({ "truncated", 1 }, { err.code, err.attempts })
    assert.equal(1, tries())
  end)

  it("is not fetched again behind get", function()
    cut_then(OK)
    local r <close> = assert(http.get(server.url, soon()))
    local text, err = r:read("a")
    assert.is_nil(text)
    assert.equal("truncated", err.code)
    assert.equal(1, tries())
  end)

  it("follows redirects again", function()
    server:script { "request", { send = "HTTP/1.1 302 X\r\nLocation: /to\r\n"
      .. "Content-Length: 0\r\n\r\n" }, "request", { send = CUT }, "close" }
    server:replies(answer(302, "Location: /to\r\n"), OK)
    local page = assert(http.fetch(server.url, soon()))
    assert.equal("ok", page.body)
    assert.equal(1, #page.history)
    assert.equal(4, tries())
  end)

  it("leaves the law in force", function()
    server:script { "request", { send = CUT }, "close" }
    assert.same({ opened = 3, error = 3 }, moves(failure, soon()))
  end)
end)

-- ---- bodies out ----

describe("A body is sent again", function()
  local BODY = ("\0\1\255\r\n what is sent "):rep(5000)
  local path = support.folder() .. "/body"
  local empty = support.folder() .. "/empty"
  do
    local file <close> = assert(io.open(path, "wb"))
    file:write(BODY)
    assert(io.open(empty, "wb")):close()
  end

  local function body_of(n)
    return server:request(n):match("^.-\r\n\r\n(.*)$")
  end

  local bodies = {
    ["a text"] = { body = BODY },
    ["a short text"] = { body = "short" },
    ["an empty text"] = { body = "" },
    ["a file"] = { file = path },
    ["an empty file"] = { file = empty },
    ["a form"] = { form = { { "a", "1" }, { "b", "2" } } },
    ["JSON"] = { json = { 1, 2, "three" } },
  }

  for name, options in pairs(bodies) do
    it("byte for byte: " .. name, function()
      server:script { "request", "reset" }
      server:replies(BUSY, OK)
      local page = assert(http.fetch(server.url, with(with({}, options),
        { method = "PUT", retry = soon().retry })))
      assert.equal("ok", page.body)
      local first = body_of(1)
      assert.equal(first, body_of(2))
      assert.equal(first, body_of(3))
      local sent = options.body or options.file == path and BODY
      if sent then assert.equal(sent, first) end
    end)
  end

  it("from where a handle stood", function()
    local file <close> = assert(io.open(path, "rb"))
    file:seek("set", 10)
    server:replies(BUSY, OK)
    assert(http.fetch(server.url, { method = "PUT", file = file, retry = 1 }))
    assert.equal(BODY:sub(11), body_of(1))
    assert.equal(BODY:sub(11), body_of(2))
  end)

  it("in parts: a multipart form", function()
    server:replies(BUSY, BUSY, OK)
    assert(http.fetch(server.url, { method = "PUT", retry = 2, multipart = {
      { name = "text", BODY }, { name = "file", file = path } } }))
    local function parts(n)
      return (body_of(n):gsub("%-%-%-%-+%w+", "BOUNDARY"))
    end
    assert.equal(parts(1), parts(2))
    assert.equal(parts(1), parts(3))
    local _, count = parts(1):gsub("what is sent", "")
    assert.equal(10000, count)
  end)

  it("not when a function has given a piece of it", function()
    server:replies(BUSY, OK)
    local called = 0
    local page = assert(http.fetch(server.url, { method = "PUT", retry = 2,
      body = function()
        called = called + 1
        return called == 1 and "piece" or nil
      end }))
    assert.equal(503, page.status)
    assert.equal(2, called)
    assert.equal(1, tries())
  end)

  it("not when a part has given a piece of it", function()
    server:replies(BUSY, OK)
    local pieces = { "piece" }
    local page = assert(http.fetch(server.url, { method = "PUT", retry = 2,
      multipart = { { name = "a",
        body = function() return table.remove(pieces) end } } }))
    assert.equal(503, page.status)
    assert.equal(1, tries())
  end)

  it("when a function was not called before it failed", function()
    local pieces = { "b", "a" }
    local called = false
    local err = failure(with(soon(), { method = "PUT", body = function()
      called = true
      return table.remove(pieces)
    end }), refused_url())
    assert.same({ "connect", 3 }, { err.code, err.attempts })
    assert.is_false(called)
  end)

  it("not when it has been begun: the error says so", function()
    server:script { "request", "reset" }
    local pieces = { "b", "a" }
    local err = failure(with(soon(), { method = "PUT",
      body = function() return table.remove(pieces) end }))
    assert.same({ "closed", 1, false }, { err.code, err.attempts,
      err.retryable })
  end)
end)

-- ---- counters ----

describe("Each try", function()
  it("is counted as a hop, but for the last", function()
    server:replies(BUSY, BUSY, OK)
    assert.same({ opened = 3, hop = 2, eager = 1 }, moves(function()
      assert(http.fetch(server.url, { retry = 2 }))
    end))
  end)

  it("that fails is counted as an error", function()
    server:script { "request", "close" }
    server:replies(OK)
    assert.same({ opened = 2, error = 1, eager = 1 }, moves(function()
      assert(http.fetch(server.url, soon()))
    end))
  end)

  it("with a huge body is given up", function()
    server:script { "request", { send = "HTTP/1.1 503 X\r\n" .. AT_ONCE
      .. "Content-Length: 1000000000\r\n\r\n" }, "hold" }
    server:replies(OK)
    assert.same({ opened = 2, hop = 1, eager = 1 }, moves(function()
      assert(http.fetch(server.url, { retry = 1 }))
    end))
  end)

  it("that is the last is counted as it would be alone", function()
    server:replies(answer(503, "Retry-After: 3600\r\n", "later"))
    assert.same({ opened = 1, eager = 1 }, moves(function()
      assert(http.fetch(server.url, { retry = 1 }))
    end))
  end)

  it("takes one slot at a time", function()
    local before = http.limits().max_open
    finally(function() http.limits { max_open = before } end)
    http.limits { max_open = 1 }
    server:replies(BUSY, BUSY, OK)
    assert.equal("ok", assert(http.fetch(server.url, { retry = 2 })).body)
  end)

  it("after a redirect is made where that led", function()
    server:replies(answer(302, "Location: /to\r\n"), BUSY, OK)
    local page = assert(http.fetch(server.url .. "/from", { retry = 1 }))
    assert.equal("ok", page.body)
    assert.matches("^GET /to ", server:request(3))
    assert.same({ 2, 1 }, { page.info.attempts, page.info.redirects })
  end)
end)

-- ---- the delay ----

describe("While a request waits for its next try", function()
  -- Later than any test lasts.
  local LATER = answer(503, "Retry-After: 3000\r\n")
  local patient = { retry = { times = 3, max_delay = 3600 } }
  local CUT_LATER = { retry = { times = 3, max_delay = 3600 } }

  it("it holds no stream and no slot", function()
    server:replies(LATER)
    local loop <close> = scheduler()
    local before = http.stats()
    local task = loop.spawn(function() http.fetch(server.url, patient) end)
    loop.run(function() return http.stats().released_by.hop
      > before.released_by.hop end)
    assert.same({ opened = 1, hop = 1 }, counters.moved(before, http.stats()))
    assert.is_true(http.leaks.audit())
    assert.equal(0, #http.leaks.open())
    assert.is_true(coroutine.close(task))
    loop.forget()
    assert.same({ opened = 1, hop = 1 }, counters.moved(before, http.stats()))
  end)

  it("another task goes on", function()
    local other <close> = support.server()
    other:script { { loop = { "request", { send = OK } } } }
    server:replies(LATER)
    local loop <close> = scheduler()
    local before = http.stats().released_by.hop
    local task = loop.spawn(function() http.fetch(server.url, patient) end)
    loop.run(function() return http.stats().released_by.hop > before end)
    local done = 0
    loop.spawn(function()
      for _ = 1, 3 do
        assert(http.fetch(other.url))
        done = done + 1
      end
    end)
    loop.run(function() return done == 3 end)
    assert.equal("suspended", coroutine.status(task))
    coroutine.close(task)
    loop.forget()
  end)

  it("its task sleeps, and is woken for it", function()
    server:replies(answer(503), OK)
    local loop <close> = scheduler()
    local page
    loop.spawn(function() page = assert(http.fetch(server.url, soon())) end)
    loop.run()
    assert.equal("ok", page.body)
  end)

  it("client:close ends it", function()
    server:replies(LATER)
    local loop <close> = scheduler()
    local client <close> = http.client(patient)
    local before = http.stats().released_by.hop
    local page, err
    loop.spawn(function() page, err = client:fetch(server.url) end)
    loop.run(function() return http.stats().released_by.hop > before end)
    client:close()
    loop.run()
    assert.is_nil(page)
    assert.equal("cancelled", err.code)
    assert.matches("client was closed", err.message, 1, true)
  end)

  it("client:close ends that of a cut body", function()
    server:script { "request", { send = CUT }, "close" }
    local loop <close> = scheduler()
    local client <close> = http.client(CUT_LATER)
    local before = http.stats().released_by.error
    local page, err
    loop.spawn(function() page, err = client:fetch(server.url) end)
    loop.run(function() return http.stats().released_by.error > before end)
    client:close()
    loop.run()
    assert.is_nil(page)
    -- it may have begun the next try by then
    assert.is_true(err.code == "truncated" or err.code == "cancelled")
  end)

  it("another client's close does not", function()
    server:replies(answer(503), OK)
    local loop <close> = scheduler()
    local page
    loop.spawn(function() page = assert(http.fetch(server.url, soon())) end)
    loop.run(function() return tries() == 1 end)
    http.client():close()
    loop.run()
    assert.equal("ok", page.body)
  end)

  local script = [[
    local http = require "curlew"
    local function say()
      local stats = http.stats()
      print("left", stats.open, stats.released_by.hop, http.leaks.audit())
    end
    local mark = setmetatable({}, { __close = say })
    local function body()
      local mark <close> = mark
      print("waiting") io.stdout:flush()
      http.fetch(arg[1], { retry = { times = 3, max_delay = 3600 } })
    end
    %s
  ]]

  local ways = {
    ["the main thread"] = "body()",
    ["a coroutine"] = "coroutine.wrap(body)()",
  }

  for name, way in pairs(ways) do
    it("Ctrl-C ends it in " .. name, function()
      server:replies(LATER)
      local kind, code, out, err = support.run(script:format(way),
        { server.url, signal = "INT" })
      assert.same({ "exit", 1 }, { kind, code })
      assert.matches("^waiting\nleft\t0\t%d\ttrue\n$", out)
      assert.matches("interrupted!", err, 1, true)
      assert.not_matches("leak", err, 1, true)
    end)
  end

  it("a process may end", function()
    server:replies(LATER)
    local _, code, _, err = support.run([[
      local http = require "curlew"
      local core = require "curlew.core"
      local task = coroutine.create(function()
        http.fetch(arg[1], { retry = { times = 3, max_delay = 3600 } })
      end)
      core.seat(task, function() coroutine.yield() end)
      assert(coroutine.resume(task))
      while http.stats().released_by.hop == 0 do
        core.step()
        for _ in core.ready do assert(coroutine.resume(task)) end
      end
    ]], { server.url })
    assert.equal("", err)
    assert.equal(0, code)
  end)

  it("its coroutine may be forgotten", function()
    server:replies(LATER)
    local loop <close> = scheduler()
    local before = http.stats()
    loop.spawn(function() http.fetch(server.url, patient) end)
    loop.run(function() return http.stats().released_by.hop
      > before.released_by.hop end)
    loop.forget()
    collectgarbage()
    collectgarbage()
    assert.same({ opened = 1, hop = 1 }, counters.moved(before, http.stats()))
  end)
end)

-- ---- misuse ----

describe("The option retry refuses", function()
  local wrong = {
    ["a negative number"] = { -1, "option 'retry" },
    ["half a time"] = { 1.5, "option 'retry" },
    ["too many times"] = { 101, "option 'retry" },
    ["a string"] = { "2", "option 'retry" },
    ["true"] = { true, "option 'retry" },
    ["an empty table"] = { {}, "option 'retry" },
    ["another member"] = { { tims = 1 }, "option 'retry.tims'" },
    ["a negative delay"] = { { max_delay = -1 }, "option 'retry.max_delay'" },
    ["a delay of milliseconds"] = { { max_delay = 100000 },
      "option 'retry.max_delay'" },
    ["a list of nothing"] = { { on = 503 }, "option 'retry.on'" },
    ["a status that is none"] = { { on = { 99 } }, "option 'retry.on'" },
    ["a code that is none"] = { { on = { "time-out" } }, "option 'retry.on'" },
    ["a list with a name"] = { { on = { 503, more = 500 } },
      "option 'retry.on'" },
    ["unsafe as a number"] = { { unsafe = 1 }, "option 'retry.unsafe'" },
  }

  for name, case in pairs(wrong) do
    it(name, function()
      local ok, err = pcall(http.get, server.url, { retry = case[1] })
      assert.is_false(ok)
      assert.matches(case[2], err, 1, true)
      assert.matches("retry_spec.lua:", err, 1, true)
      assert.is_false((pcall(http.client, { retry = case[1] })))
    end)
  end
end)

describe("A response that retries have left", function()
  it("is refused by check without another attempt", function()
    local later <close> = support.server()
    later:replies("HTTP/1.1 503 Later\r\nRetry-After: 3600\r\n"
      .. "Content-Length: 2\r\n\r\nno")
    local before = http.stats().opened
    local r <close> = assert(http.get(later.url,
      { retry = { times = 3, max_delay = 1 } }))
    local none, err = r:check()
    assert.is_nil(none)
    assert.same({ "status", 503 }, { err.code, err.status })
    assert.equal(before + 1, http.stats().opened)
  end)

  it("is released by a check function that raises in a coroutine", function()
    local before = http.stats()
    local task = coroutine.create(function()
      return http.get(support.nginx().http .. "/big",
        { check = function() error("no", 0) end })
    end)
    assert.same({ false, "no" }, { coroutine.resume(task) })
    local after = http.stats()
    assert.equal(before.open, after.open)
    assert.equal(before.released_by.error + 1, after.released_by.error)
  end)
end)
