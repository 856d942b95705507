--- Each limit of time: what it counts, what it does not, and what it says.

local support = require "spec.support"
local http = require "curlew"
local posix = support.posix

-- Small limits; whoever did not heed them would take the 3 s of the resolver,
-- the 60 s of the defaults, or for ever.
local SHORT, MUCH = 0.1, 2.5
local ENOUGH = 0.5 -- for the headers, on a busy machine

local HEADERS = "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"

local server

before_each(function() server = support.server() end)
after_each(function() server:close() end)

-- Calls f; raises when it took much longer than a small limit.
local function promptly(f, ...)
  local began = posix.monotonic()
  local results = table.pack(f(...))
  local took = posix.monotonic() - began
  assert.is_true(took < MUCH, ("it took %.1f s"):format(took))
  return table.unpack(results, 1, results.n)
end

-- Expects nil and an error that says in which phase which limit was passed.
local function assert_late(phase, limit, value, err)
  assert.is_nil(value)
  assert.same({ "timeout", phase }, { err.code, err.phase })
  assert.matches(limit, err.message, 1, true)
  assert.is_true(err.retryable)
end

describe("timeout.connect", function()
  -- In a process of its own, with the slow resolver.
  local function slowly(source, ...)
    return support.run(source, { env = {
      LD_PRELOAD = support.build .. "/spec/slow_resolver.so" }, ... })
  end

  local say = [[
    local posix = require "posix_support"
    local http = require "curlew"
    local function try(url)
      local began = posix.monotonic()
      local r, err = http.get(url, { timeout = { connect = 0.1 } })
      local soon = posix.monotonic() - began < 2.5
      print(r, err.code, err.phase, err.message, soon)
    end
  ]]

  it("ends a look-up of a name", function()
    local _, _, out, err = slowly(say .. [[ try("http://name.slow/") ]])
    assert.equal("", err)
    assert.matches("^nil\ttimeout\tresolve\t.*timeout%.connect.*\ttrue\n$", out)
  end)

  it("ends a connection that is not accepted", function()
    local _, _, out, err = slowly(say .. [[
      local fd, port = posix.listen()
      local first = posix.connect(port) -- takes the only place there is
      try(("http://127.0.0.1:%d/"):format(port))
      posix.close(first)
      posix.close(fd)
    ]])
    assert.equal("", err)
    assert.matches("^nil\ttimeout\tconnect\t.*timeout%.connect.*\ttrue\n$", out)
  end)

  it("leaves no socket of a connection that is not accepted", function()
    local _, _, out, err = slowly(say .. [[
      local fd, port = posix.listen()
      local first = posix.connect(port)
      http.get(("http://127.0.0.1:%d/"):format(port), { timeout = 0.1 })
      posix.close(first)
      posix.close(fd)
      local count = http.stats().connections
      print(count.opened - count.closed, http.leaks.audit())
    ]])
    assert.equal("", err)
    assert.equal("0\ttrue\n", out)
  end)

  it("ends a TLS handshake that is not answered #plain", function()
    server:script { "hold" }
    local url = server.url:gsub("^http:", "https:")
    assert_late("tls", "timeout.connect",
      promptly(http.get, url, { timeout = { connect = SHORT } }))
  end)

  it("does not count once there is a connection", function()
    server:script { "request", "hold" }
    assert_late("headers", "timeout.first_byte", http.get(server.url,
      { timeout = { connect = SHORT, first_byte = 3 * SHORT } }))
  end)
end)

describe("timeout.first_byte", function()
  it("ends the wait for an answer", function()
    server:script { "request", "hold" }
    assert_late("headers", "timeout.first_byte",
      promptly(http.get, server.url, { timeout = { first_byte = SHORT } }))
  end)

  it("ends it on a connection that was used before, too", function()
    server:script { "request",
      { send = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" },
      "request", "hold" }
    assert(http.fetch(server.url))
    assert_late("headers", "timeout.first_byte",
      promptly(http.get, server.url, { timeout = { first_byte = SHORT } }))
    assert.equal(1, server:connections())
  end)

  it("does not count once the answer has begun #http1", function()
    server:script { "request", { send = "HTTP/1.1 200 OK\r\n" }, "hold" }
    local _, err = http.get(server.url,
      { timeout = { first_byte = SHORT, idle = 3 * SHORT } })
    assert.matches("timeout.idle", err.message, 1, true)
  end)

  it("says what was asked, of whom, and by which line #plain", function()
    server:script { "request", "hold" }
    local _, err = http.get(server.url, { timeout = { first_byte = SHORT } })
    assert.matches("^GET http://127%.0%.0%.1:%d+/: ", tostring(err))
    assert.matches("timeout_spec%.lua:%d+$", tostring(err))
  end)
end)

-- Calls f while the server continues n times after its "wait" steps, with
-- pauses.
local function while_it_goes_on(n, f, ...)
  local scope <close> = http.scope()
  local task = scope:spawn(f, ...)
  for _ = 1, n do
    http.sleep(2 * SHORT)
    server:go()
  end
  return task:wait()
end

describe("Bytes that make no whole header line", function()
  it("end timeout.first_byte, and timeout.idle holds #plain", function()
    server:script { "request", { send = "HTT" }, "hold" }
    assert_late("headers", "timeout.idle", promptly(http.get, server.url,
      { timeout = { first_byte = 60, idle = 2 * SHORT } }))
    server:reset():script { "request", "wait", { send = "HTTP/1.1 200 O" },
      "wait", { send = "K\r\nContent-Length: 2\r\n\r\nok" } }
    local page = assert(while_it_goes_on(2, http.fetch, server.url,
      { timeout = { first_byte = 60, idle = 10 * SHORT } }))
    assert.equal("ok", page.body)
  end)

  it("start timeout.idle anew #http1", function()
    local steps = { "request", { send = "HTTP/1.1 200 OK\r\nX-Slow: " } }
    for _ = 1, 7 do
      table.move({ "wait", { send = "y" } }, 1, 2, #steps + 1, steps)
    end
    steps[#steps + 1] = { send = "\r\nContent-Length: 2\r\n\r\nok" }
    server:script(steps)
    local page = assert(while_it_goes_on(7, http.fetch, server.url,
      { timeout = { first_byte = 10 * SHORT, idle = 10 * SHORT } }))
    assert.equal("yyyyyyy", page:header("x-slow"))
  end)
end)

describe("timeout.connect, as a total,", function()
  it("is not started anew by what a proxy says #plain", function()
    server:script { "request", { send = "HTTP/1.1 503 No\r\n" },
      { loop = { "wait", { send = "X-Slow: y\r\n" } } } }
    assert_late("connect", "no connection in 0.5 s (timeout.connect)",
      while_it_goes_on(6, http.fetch, "https://name.none/",
        { proxy = server.url, timeout = { connect = 5 * SHORT } }))
  end)
end)

describe("timeout.idle", function()
  local idle = { timeout = { idle = SHORT } }

  it("ends headers that stop #http1", function()
    server:script { "request", { send = "HTTP/1.1 200 OK\r\nX-A: " }, "hold" }
    assert_late("headers", "timeout.idle",
      promptly(http.get, server.url, idle))
  end)

  it("ends a body that stops while it is read", function()
    server:script { "request", { send = HEADERS .. "some" }, "hold" }
    local r <close> = assert(http.get(server.url, idle))
    assert.equal("some", r:read(4))
    assert_late("body", "timeout.idle", promptly(r.read, r, 1))
  end)

  it("ends a body that stops while it is read whole", function()
    server:script { "request", { send = HEADERS .. "some" }, "hold" }
    local page, err = promptly(http.fetch, server.url, idle)
    assert_late("body", "timeout.idle", page, err)
    assert.same({ 200, 4 }, { err.status, err.received })
  end)

  it("ends trailers that stop", function()
    server:script { "request", { send = "HTTP/1.1 200 OK\r\n"
      .. "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-T:" }, "hold" }
    assert_late("body", "timeout.idle", promptly(http.fetch, server.url, idle))
  end)

  it("of a small body that stops is kept for the reader", function()
    server:script { "request",
      { send = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nsome" }, "hold" }
    local r <close> = assert(http.get(server.url, idle))
    assert.equal("some", r:read(4))
    assert_late("body", "timeout.idle", r:read(1))
  end)

  it("starts anew with each piece that comes", function()
    server:script { "request", { send = HEADERS },
      { loop = { "wait", { send = "z" } } } }
    local r <close> = assert(http.get(server.url,
      { timeout = { idle = 10 * SHORT } }))
    local last = posix.monotonic() + 12 * SHORT
    local count = 0
    repeat
      server:go()
      count = count + #assert(r:read(1))
    until posix.monotonic() > last
    assert.is_true(count > 1)
  end)

  it("does not count what the caller does between two reads", function()
    server:script { "request", { send = HEADERS .. "some" }, "wait",
      { send = "more" }, "hold" }
    local r <close> = assert(http.get(server.url,
      { timeout = { idle = 4 * SHORT } }))
    assert.equal("some", r:read(4))
    posix.nap(6 * SHORT)
    server:go()
    assert.equal("more", r:read(4))
  end)

  it("is whole for each read, however long ago the last one was", function()
    server:script { "request", { send = HEADERS .. "some" }, "hold" }
    local limit = 3 * SHORT
    local r <close> = assert(http.get(server.url,
      { timeout = { idle = limit } }))
    assert.equal("some", r:read(4))
    posix.nap(2 * limit)
    local began = posix.monotonic()
    assert_late("body", "timeout.idle", r:read(1))
    assert.is_true(posix.monotonic() - began > limit / 2)
  end)

  it("does not count while other requests are made", function()
    server:script { "request", { send = HEADERS .. "some" }, "wait",
      { send = "more" }, "hold" }
    local r <close> = assert(http.get(server.url,
      { timeout = { idle = 4 * SHORT } }))
    local last = posix.monotonic() + 6 * SHORT
    local nginx = support.nginx()
    repeat assert(http.fetch(nginx.http .. "/small"))
    until posix.monotonic() > last
    server:go()
    assert.equal("somemore", r:read(8))
  end)

  it("does not count while the reader has enough", function()
    server:script { "request", { send = HEADERS .. "some" }, "hold" }
    local r <close> = assert(http.get(server.url, idle))
    assert.equal("so", r:read(2))
    posix.nap(2 * SHORT)
    assert.equal("me", r:read(2))
  end)
end)

describe("A body that stops", function()
  local function raised(f) return select(2, pcall(f)) end

  -- Each takes a response whose body stops after "some\nmo", to its error.
  local ways = {
    ['read("a")'] = function(r) return select(2, r:read("a")) end,
    ['read("l")'] = function(r) return select(2, r:read("l", "l")) end,
    ['read("n")'] = function(r) return select(2, r:read(6, "n")) end,
    text = function(r) return select(2, r:text()) end,
    json = function(r) return select(2, r:json()) end,
    save = function(r) return select(2, r:save("/dev/null")) end,
    lines = function(r)
      return raised(function() for _ in r:lines() do end end)
    end,
    chunks = function(r)
      return raised(function() for _ in r:chunks() do end end)
    end,
  }

  for name, way in pairs(ways) do
    for limit, options in pairs {
      ["timeout.idle"] = { timeout = { idle = SHORT } },
      deadline = { deadline = ENOUGH },
    } do
      it(("is ended by %s: %s"):format(limit, name), function()
        server:script { "request", { send = HEADERS .. "some\n12" }, "hold" }
        local r <close> = assert(http.get(server.url, options))
        local err = promptly(way, r)
        assert_late("body", limit, nil, err)
        local none, same = r:read(1)
        assert.is_nil(none)
        assert.is_true(rawequal(err, same))
        assert.equal(0, http.stats().open)
      end)
    end
  end

  it("is ended by its deadline while nobody reads, and says so each time",
    function()
      server:script { "request", { send = HEADERS .. "some" }, "hold" }
      local r <close> = assert(http.get(server.url, { deadline = ENOUGH }))
      local last = posix.monotonic() + 2 * ENOUGH
      repeat assert(http.fetch(support.nginx().http .. "/small"))
      until posix.monotonic() > last
      assert.equal(0, http.stats().open)
      assert.equal("some", r:read(4))
      local _, err = r:read(1)
      assert.equal("timeout", err.code)
      assert.is_true(rawequal(err, raised(r:lines())))
      assert.is_true(rawequal(err, select(2, r:save("/dev/null"))))
    end)

  it("does not run while a loop over its lines does other things", function()
    server:script { "request", { send = HEADERS .. "one\ntwo\n" }, "wait",
      { send = "three\n" }, "hold" }
    local r <close> = assert(http.get(server.url,
      { timeout = { idle = 4 * SHORT } }))
    local lines = {}
    for line in r:lines() do
      lines[#lines + 1] = line
      if #lines == 3 then break end
      posix.nap(3 * SHORT)
      if #lines == 2 then server:go() end
    end
    assert.same({ "one", "two", "three" }, lines)
  end)
end)

describe("timeout as a number", function()
  it("is the limit of the first byte", function()
    server:script { "request", "hold" }
    assert_late("headers", "timeout.first_byte",
      promptly(http.get, server.url, { timeout = SHORT }))
  end)

  it("is the limit of the handshake #plain", function()
    server:script { "hold" }
    local url = server.url:gsub("^http:", "https:")
    assert_late("tls", "timeout.connect",
      promptly(http.get, url, { timeout = SHORT }))
  end)

  it("is the limit of idling", function()
    server:script { "request", { send = HEADERS .. "some" }, "hold" }
    assert_late("body", "timeout.idle",
      promptly(http.fetch, server.url, { timeout = SHORT }))
  end)

  it("of a client holds for its requests", function()
    server:script { "request", "hold" }
    local client <close> = http.client { timeout = SHORT }
    assert_late("headers", "timeout.first_byte",
      promptly(client.get, client, server.url))
  end)

  it("of one request does not hold for the next", function()
    server:script { "request", "hold" }
    http.get(server.url, { timeout = SHORT })
    assert_late("headers", "deadline",
      http.get(server.url, { deadline = 3 * SHORT }))
  end)
end)

describe("A deadline", function()
  it("ends the wait for an answer", function()
    server:script { "request", "hold" }
    assert_late("headers", "deadline",
      promptly(http.get, server.url, { deadline = SHORT }))
  end)

  it("ends a handshake #plain", function()
    server:script { "hold" }
    local url = server.url:gsub("^http:", "https:")
    assert_late("tls", "deadline",
      promptly(http.get, url, { deadline = SHORT }))
  end)

  it("ends a body that drips on", function()
    server:script { "request", { send = HEADERS },
      { loop = { "wait", { send = "z" } } } }
    local r <close> = assert(http.get(server.url, { deadline = ENOUGH }))
    local last = posix.monotonic() + MUCH
    local byte, err
    repeat
      server:go()
      byte, err = r:read(1)
    until not byte or posix.monotonic() > last
    assert_late("body", "deadline", byte, err)
  end)

  it("ends headers that stop", function()
    server:script { "request", { send = "HTTP/1.1 200 OK\r\nX-A: " }, "hold" }
    assert_late("headers", "deadline",
      promptly(http.get, server.url, { deadline = SHORT }))
  end)

  it("counts what the caller does meanwhile", function()
    server:script { "request", { send = HEADERS .. "some" }, "hold" }
    local r <close> = assert(http.get(server.url, { deadline = ENOUGH }))
    posix.nap(2 * ENOUGH)
    assert_late("body", "deadline", promptly(r.read, r, "a"))
  end)

  it("that passes while nobody reads is kept for the reader", function()
    server:script { "request", { send = HEADERS .. "some" }, "hold" }
    local nginx = support.nginx()
    local before = http.stats().released_by.timeout
    local r <close> = assert(http.get(server.url, { deadline = ENOUGH }))
    local last = posix.monotonic() + MUCH
    repeat assert(http.fetch(nginx.http .. "/small"))
    until http.stats().released_by.timeout > before
      or posix.monotonic() > last
    assert.equal("some", r:read(4))
    assert_late("body", "deadline", r:read(1))
  end)

  it("is the same error each time", function()
    server:script { "request", { send = HEADERS .. "some" }, "hold" }
    local r <close> = assert(http.get(server.url, { deadline = ENOUGH }))
    local _, first = r:read("a")
    local _, second = r:read(1)
    local _, third = r:text()
    assert.equal("timeout", first.code)
    assert.is_true(rawequal(first, second) and rawequal(first, third))
  end)

  it("that is far away ends nothing", function()
    server:script { "request", { send = HEADERS .. "some" }, "hold" }
    local r <close> = assert(http.get(server.url, { deadline = 86400 }))
    assert.equal("some", r:read(4))
  end)

  it("is not awaited longer than a smaller limit", function()
    server:script { "request", "hold" }
    assert_late("headers", "timeout.first_byte", promptly(http.get, server.url,
      { deadline = 60, timeout = { first_byte = SHORT } }))
  end)

  it("of a small body is earlier than the wait for that", function()
    server:script { "request",
      { send = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nsome" }, "hold" }
    local r <close> = assert(http.get(server.url, { deadline = ENOUGH }))
    assert.equal("some", r:read(4))
    assert_late("body", "deadline", r:read(1))
  end)

  it("ends the wait for the body of a refused status", function()
    server:script { "request",
      { send = "HTTP/1.1 500 Oh\r\nContent-Length: 100\r\n\r\nsome" }, "hold" }
    local r, err = promptly(http.get, server.url,
      { deadline = ENOUGH, check = true })
    assert.is_nil(r)
    assert.same({ "status", "some" }, { err.code, err.body })
  end)
end)

describe("What was too late", function()
  it("is counted as released by timeout, and holds nothing", function()
    server:script { "request", "hold" }
    local before = http.stats()
    http.get(server.url, { timeout = SHORT })
    local after = http.stats()
    assert.equal(before.released_by.timeout + 1, after.released_by.timeout)
    assert.same({ before.opened + 1, before.open },
      { after.opened, after.open })
  end)

  it("while it was read is counted as released by timeout", function()
    server:script { "request", { send = HEADERS }, "hold" }
    local before = http.stats()
    local r <close> = assert(http.get(server.url,
      { timeout = { idle = SHORT } }))
    assert.is_nil((r:read(1)))
    local after = http.stats()
    assert.equal(before.released_by.timeout + 1, after.released_by.timeout)
    assert.equal(before.open, after.open)
  end)

  it("has its connection closed", function()
    server:script { "request", "hold" }
    http.get(server.url, { timeout = SHORT })
    assert.equal(1, server:closed(1))
  end)

  it("does not disturb the others", function()
    local nginx = support.nginx()
    server:script { "request", "hold" }
    local r <close> = assert(http.get(nginx.http .. "/big"))
    http.get(server.url, { timeout = SHORT })
    assert.equal(1000000, #r:read(1000000))
  end)
end)
