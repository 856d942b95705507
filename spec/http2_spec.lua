--- HTTP/2: what is agreed on, whose connection is whose, how a stream ends, and
-- what of a server that breaks the rules is told. Over TLS always.

local support = require "spec.support"
local counters = require "spec.support.counters"
local h2 = require "spec.support.http2"
local http = require "curlew"
local leaks = require "curlew.leaks"

local MIB = 1024 * 1024
local HEAD = h2.headers(200)
local OK = { send = HEAD .. h2.data("ok", true) }

local nginx, options

setup(function()
  nginx = support.nginx()
  options = { http_version = "2", tls = { ca = nginx.ca }, timeout = 5 }
end)

local function since(before)
  local now = http.stats().connections
  return now.opened - before.opened, now.reused - before.reused
end

local function connections() return http.stats().connections end

describe("http_version", function()
  it("says what was agreed on", function()
    for version, url in pairs { ["2"] = nginx.https2, ["1.1"] = nginx.https } do
      local page = assert(http.fetch(url .. "/small", options))
      assert.same({ 200, version, "" },
        { page.status, page.http_version, page.reason:gsub("^OK$", "") .. "" })
    end
  end)

  it("falls back to HTTP/1.1 where the server has no more", function()
    local r <close> = assert(http.get(nginx.https .. "/big", options))
    assert.equal("1.1", r.http_version)
  end)

  it("stays 1.1 without TLS", function()
    local page = assert(http.fetch(nginx.http .. "/small", options))
    assert.equal("1.1", page.http_version)
  end)

  it("is 1.1 unless it is asked for, beside HTTP/2 too", function()
    assert(http.fetch(nginx.https2 .. "/small", options))
    local page = assert(http.fetch(nginx.https2 .. "/small",
      { tls = options.tls }))
    assert.equal("1.1", page.http_version)
  end)

  it("may be a client's, and be undone by a request", function()
    local client <close> = http.client(options)
    local url = nginx.https2 .. "/small"
    assert.equal("2", client:fetch(url).http_version)
    assert.equal("1.1", client:fetch(url, { http_version = false })
      .http_version)
  end)

  it("raises where libcurl cannot, and says so", function()
    if http.features().http3 then return end
    local _, err = pcall(http.get, nginx.https2, { http_version = "3" })
    assert.matches("option 'http_version': \"3\" cannot be had, "
      .. "libcurl was built without HTTP/3$", err)
    assert.has_error(function() http.client { http_version = "3" } end)
  end)
end)

describe("An answer over HTTP/2", function()
  -- nginx takes leave of the upload with it; libcurl 7.88 would write on.
  local text = ("x"):rep(MIB)
  local bodies = {
    string = function() return text end,
    ["function"] = function()
      local left = 20
      return function()
        left = left - 1
        return left > 0 and text or nil
      end
    end,
  }
  for name, make in pairs(bodies) do
    it("that does not wait for a " .. name .. " is the answer", function()
      local client <close> = http.client(options)
      assert(client:fetch(nginx.https2 .. "/small"))
      local before = connections()
      for _ = 1, 3 do
        local page = assert(client:fetch(nginx.https2 .. "/method",
          { method = "PUT", body = make(), deadline = 10 }))
        assert.equal("PUT /method", page.body)
      end
      assert.is_true(since(before) < 3) -- see nghttpd below
    end)
  end
end)

describe("An HTTP/2 connection", function()
  local server

  before_each(function()
    server = support.server { tls = support.certificates().good, http2 = true }
  end)

  after_each(function() server:close() end)

  local function unread(n)
    return { send = HEAD .. h2.data(("x"):rep(n)) }
  end

  it("is used again when it is idle", function()
    server:script { { loop = { "request", OK } } }
    local before = connections()
    for _ = 1, 20 do assert(http.fetch(server.url, options)) end
    -- The number of sockets is 2 if the first address of localhost is ::1.
    assert.equal(19, select(2, since(before)))
    assert.equal(1, server:connections())
  end)

  it("is nobody else's while a body on it is unread", function()
    local before = connections()
    server:script { "request", unread(MIB), { loop = { "request", OK } } }
    local held = {}
    for i = 1, 4 do held[i] = assert(http.get(server.url, options)) end
    server:script { { loop = { "request", OK } } }
    assert.equal("ok", assert(http.fetch(server.url, options)).body)
    assert.equal(0, select(2, since(before)))
    assert.equal(5, server:connections())
    for i = 1, 4 do
      assert.equal(MIB, #assert(held[i]:read(MIB)))
      held[i]:close()
      assert.equal("ok", assert(http.fetch(server.url, options)).body)
    end
    assert.equal(5, server:connections())
  end)

  it("stands when an unread response on it is closed", function()
    server:script { "request", unread(10), "request", unread(100000),
      "request", unread(MIB), { loop = { "request", OK } } }
    local drained = http.stats().drained_bytes
    for _ = 1, 3 do
      local r <close> = assert(http.get(server.url, options))
      assert.equal("2", r.http_version)
    end
    assert.equal("ok", assert(http.fetch(server.url, options)).body)
    assert.equal(1, server:connections())
    assert.equal(drained, http.stats().drained_bytes)
  end)

  it("stands when nginx has much more to send", function()
    assert(http.fetch(nginx.https2 .. "/small", options))
    local before = connections()
    for _, path in ipairs { "/65k", "/big", "/1g", "/slow", "/small" } do
      local r <close> = assert(http.get(nginx.https2 .. path, options))
      assert.equal("2", r.http_version)
    end
    assert.same({ 0, 5 }, { since(before) })
  end)

  it("stands when a response on it is forgotten", function()
    server:script { "request", unread(MIB), "request", OK, "hold" }
    local before = http.stats()
    assert(http.get(server.url, options))
    collectgarbage()
    assert.same(1, counters.moved(before, http.stats()).gc)
    assert.equal("ok", assert(http.fetch(server.url, options)).body)
    assert.equal(1, server:connections())
  end)

  it("is closed when a wait for it is too long: it may be dead", function()
    server:script { "request", "hold" }
    server:script { "request", OK, "hold" }
    local _, err = http.get(server.url, { http_version = "2",
      tls = options.tls, timeout = { first_byte = 0.05 } })
    assert.same({ "timeout", "headers" }, { err.code, err.phase })
    assert(http.fetch(server.url, options))
    assert.equal(2, server:connections())
  end)
end)

describe("nghttpd", function()
  local SIZES = { small = 20, large = 3 * MIB }
  local dir

  setup(function()
    dir = support.folder()
    for name, size in pairs(SIZES) do
      local file <close> = assert(io.open(dir .. "/" .. name, "w"))
      assert(file:write(("x"):rep(size)))
    end
  end)

  it("is read", function()
    local server <close> = support.nghttpd(dir)
    for name, size in pairs(SIZES) do
      local page = assert(http.fetch(server.url .. "/" .. name, options))
      assert.same({ 200, "2", size, size }, { page.status, page.http_version,
        page.length, #page.body })
    end
  end)

  -- libcurl 7.88 reads none after a body whose length was declared.
  it("is read to its trailers, where it declares no length", function()
    local server <close> = support.nghttpd(dir, "--no-content-length")
    for name, size in pairs(SIZES) do
      local page = assert(http.fetch(server.url .. "/" .. name, options))
      assert.same({ 200, size, "yes" },
        { page.status, #page.body, page.trailers["X-End"] })
    end
  end)

  it("answers HEAD, and says what is not there", function()
    local server <close> = support.nghttpd(dir)
    local r <close> = assert(http.head(server.url .. "/large", options))
    assert.same({ 200, 3 * MIB, "" }, { r.status, r.length, r:read("a") })
    assert.equal(404, assert(http.fetch(server.url .. "/no", options)).status)
  end)

  -- Now and then libcurl takes it for dead: a TLS record has come in part.
  it("keeps its connection when a body is left", function()
    local server <close> = support.nghttpd(dir)
    local before = connections()
    for _ = 1, 20 do
      local r <close> = assert(http.get(server.url .. "/large", options))
      assert.equal(5, #r:read(5))
    end
    assert.is_true(since(before) < 5)
  end)
end)

describe("Of frames", function()
  local server

  setup(function()
    server = support.server { tls = support.certificates().good, http2 = true }
  end)

  teardown(function() server:close() end)
  before_each(function() server:reset() end)

  -- Begins anew with no connection that the server ends by its reset: libcurl
  -- closes it in the course of a later request, and says of that what befell
  -- this one. nginx's stays, and is used again. Of several that come back in
  -- one millisecond libcurl closes any.
  local before
  local function start_afresh()
    before = before or http.limits()
    http.limits { idle_connections = 1 }
    collectgarbage()
    local held, reused
    repeat -- each that comes back has one closed
      local was = connections()
      assert(http.fetch(support.nginx().http .. "/small"))
      held = connections().opened - connections().closed
      reused = connections().reused > was.reused
    until held == 1 and reused
    server:reset()
  end
  after_each(function()
    if before then http.limits(before) end
    before = nil
  end)

  local function script(...)
    server:script { "request", { pieces = { ... } }, "hold" }
  end

  local function fetch(...)
    script(...)
    return http.fetch(server.url, options)
  end

  it("1xx, headers, data and trailers make a response", function()
    local page = assert(fetch(h2.headers(103, { { "link", "</a>" } }),
      h2.headers(200, { { "set-cookie", "a" }, { "set-cookie", "b" } }),
      h2.data("hello "), h2.data("world"),
      h2.headers(nil, { { "x-sum", "11" } }, true)))
    assert.same({ 200, "hello world", "a", "11" }, { page.status, page.body,
      (page:header("Set-Cookie")), page.trailers["x-sum"] })
    assert.is_nil(page.headers.link)
  end)

  it("endless 1xx are refused", function()
    local _, err = fetch(h2.headers(103):rep(33))
    assert.same({ "protocol", "headers" }, { err.code, err.phase })
  end)

  it("headers without end are refused", function()
    local long = { { "x-long", ("x"):rep(15000) } }
    local head = h2.headers(103, long)
    local ways = { { head:rep(20) }, { head:rep(6), head:rep(6), head:rep(6) } }
    for _, pieces in ipairs(ways) do
      start_afresh()
      local _, err = fetch(table.unpack(pieces))
      assert.same({ "too_large", "headers" }, { err.code, err.phase },
        err.message)
    end
  end)

  -- What breaks off: after nothing, after the headers, in the body.
  local LENGTH = h2.headers(200, { { "content-length", "10" } })
  local HALF = LENGTH .. h2.data("hello")

  for code, told in pairs { INTERNAL_ERROR = "closed", CANCEL = "closed",
    ENHANCE_YOUR_CALM = "closed", PROTOCOL_ERROR = "protocol",
    FLOW_CONTROL_ERROR = "protocol", STREAM_CLOSED = "protocol" } do
    it(("a reset by %s is told as %s"):format(code, told), function()
      start_afresh()
      local _, err = fetch(h2.reset(code))
      assert.same({ told, "headers", told == "closed" },
        { err.code, err.phase, err.retryable })
      for _, begun in ipairs { LENGTH, HALF } do
        start_afresh()
        local _, later = fetch(begun, h2.reset(code))
        assert.same({ told, "body", told == "closed" },
          { later.code, later.phase, later.retryable })
      end
      assert.equal(1, server:connections())
    end)
  end

  for _, how in ipairs { "close", "cut", "reset" } do
    it("a connection's end by " .. how .. " is never a success", function()
      local cut = how == "reset" and "closed" or "truncated"
      local cases = { { "", "closed", "headers" }, { LENGTH, cut, "body" },
        { HALF, cut, "body" }, { HEAD .. h2.data("undeclared"), cut, "body" } }
      for _, case in ipairs(cases) do
        local bytes, code, phase = table.unpack(case)
        start_afresh()
        server:script { "request", { pieces = { bytes } }, how }
        local page, err = http.fetch(server.url, options)
        assert.is_nil(page)
        if how == "reset" then phase = err.phase end -- it overtakes bytes
        assert.same({ code, phase, true },
          { err.code, err.phase, err.retryable })
      end
    end)
  end

  it("a GOAWAY lets what it names come to its end", function()
    local page = assert(fetch(HALF, h2.goaway(1), h2.data("world", true)))
    assert.equal("helloworld", page.body)
    assert.equal("ok", assert(fetch(OK.send)).body)
    assert.equal(2, server:connections())
  end)

  it("a GOAWAY ends what it does not name", function()
    local _, err = fetch(h2.goaway(0))
    assert.same({ "closed", "headers", true },
      { err.code, err.phase, err.retryable })
    server:reset()
    _, err = fetch(HALF, h2.goaway(0))
    assert.same({ "closed", "body" }, { err.code, err.phase })
  end)

  it("a refused stream is asked for once more by libcurl", function()
    script(h2.reset("REFUSED_STREAM"))
    assert.equal("ok", assert(fetch(OK.send)).body)
  end)

  it("HTTP_1_1_REQUIRED has it asked for by HTTP/1.1", function()
    script(h2.reset("HTTP_1_1_REQUIRED"))
    server:script { "request", { send = "HTTP/1.1 200 OK\r\n"
      .. "Content-Length: 2\r\n\r\nok" }, "close" }
    local page = assert(http.fetch(server.url, options))
    assert.same({ "1.1", "ok" }, { page.http_version, page.body })
    assert.equal(2, server:connections())
  end)

  it("HTTP_1_1_REQUIRED in mid-body is no other response's begin", function()
    script(HALF, h2.reset("HTTP_1_1_REQUIRED"))
    server:script { "request", { send = "HTTP/1.1 200 OK\r\n"
      .. "Content-Length: 10\r\n\r\nevil again" }, "close" }
    local page, err = http.fetch(server.url, options)
    assert.is_nil(page)
    assert.same({ "closed", "body" }, { err.code, err.phase })
    assert.equal(1, #server:requests())
  end)

  local function with(list) return h2.headers(200, list) end
  local broken = {
    ["a Transfer-Encoding"] = with { { "transfer-encoding", "chunked" } },
    ["a Connection"] = with { { "connection", "close" } },
    ["a name in capitals"] = with { { "X-Up", "1" } },
    ["two lengths"] = with { { "content-length", "2" },
      { "content-length", "3" } },
    ["no status"] = h2.headers(nil, { { "x-a", "b" } }),
    ["a status of four digits"] = h2.headers(2000),
    ["a status of 101"] = h2.headers(101),
    ["a body longer than declared"] = with { { "content-length", "1" } },
    ["a body shorter than declared"] = with { { "content-length", "3" } },
  }

  for name, head in pairs(broken) do
    it("those with " .. name .. " are refused", function()
      local page, err = fetch(head .. h2.data("ok", true))
      assert.is_nil(page)
      assert.same({ "protocol", false }, { err.code, err.retryable })
    end)
  end

  -- Newer nghttp2 passes over a field line with such a value.
  for name, value in pairs { ["a CR and LF"] = "b\r\nx-c: d",
    ["a NUL"] = "b\0" } do
    it("those with " .. name .. " in a value have no such value", function()
      local page, err = fetch(with { { "x-a", value } } .. h2.data("ok", true))
      if not page then
        assert.same({ "protocol", false }, { err.code, err.retryable })
        return
      end
      assert.equal("ok", page.body)
      assert.is_nil(page:header("x-a"))
      assert.is_nil(page:header("x-c"))
    end)
  end

  -- nghttp2 ends the connection, and libcurl does not say why.
  local senseless = {
    ["HTTP/1.1"] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" ..
      (" "):rep(20000),
    ["data without headers"] = h2.data("ok", true),
    ["headers that cannot be unpacked"] = h2.frame("HEADERS", 5, "\255\255"),
    ["a push that nobody allowed"] = h2.frame(5, 4, string.pack(">I4", 2)
      .. h2.fields { { ":method", "GET" } }),
    ["noise"] = ("\170"):rep(40000),
  }

  for name, bytes in pairs(senseless) do
    it(name .. " is no response", function()
      local page, err = fetch(bytes)
      assert.is_nil(page)
      assert.is_true(err.code == "closed" or err.code == "protocol")
      assert.equal("headers", err.phase)
    end)
  end

  it("an HTTP/2 status line in HTTP/1.1 is none", function()
    local plain <close> = support.server { tls = support.certificates().good }
    plain:reply("HTTP/2 200 OK\r\nContent-Length: 2\r\n\r\nok")
    local _, err = http.fetch(plain.url, options)
    assert.same({ "protocol", "headers" }, { err.code, err.phase })
  end)

  -- What happens to a connection while it is idle.
  local meanwhile = {
    ["a GOAWAY"] = { { send = h2.goaway(1) }, "hold" },
    ["a GOAWAY and the end"] = { { send = h2.goaway(1) }, "close" },
    ["the end"] = { "close" },
    ["the end without a word"] = { "cut" },
    ["a reset"] = { "reset" },
    ["noise"] = { { send = ("\170"):rep(100) }, "hold" },
    ["headers that nobody asked for"] = {
      { send = h2.frame("HEADERS", 5, h2.fields { { ":status", "200" } }, 3) },
      "hold" },
  }

  -- Until the client's kernel has what the server does once it may go on: the
  -- end of the connection, or input. If the body has a rest, only the end
  -- counts.
  local function let_happen(has_rest)
    local port = ("%04X"):format(server.port)
    local function has_come()
      for line in io.lines("/proc/net/tcp") do
        local to, state, unread =
          line:match("^%s*%d+: %x+:%x+ %x+:(%x+) (%x%x) %x+:(%x+)")
        local is_silent = has_rest or tonumber(unread or "0", 16) == 0
        if to == port and state == "01" and is_silent then return false end
      end
      return true
    end
    server:go()
    while not has_come() do support.posix.nap(0.001) end
  end

  for name, steps in pairs(meanwhile) do
    it(name .. " on an idle connection costs a new one", function()
      server:script { "request", OK, "wait", table.unpack(steps) }
      server:script { "request", OK, "request", OK, "hold" }
      assert(http.fetch(server.url, options))
      let_happen()
      for _ = 1, 2 do
        local request = { server.url, method = "POST", http_version = "2",
          tls = options.tls, timeout = 5 }
        local r <close> = assert(http.request(request))
        assert.equal("ok", r:read("a"))
      end
      assert.equal(2, server:connections())
    end)
  end

  -- libcurl reads of what is left of the body, and calls the connection alive.
  it("the end behind the rest of a body costs a new one, once", function()
    server:script { "request",
      { send = HEAD .. h2.data(("x"):rep(110000)) }, "wait", "close" }
    server:script { "request", OK, "request", OK, "hold" }
    do
      local r <close> = assert(http.get(server.url, options))
      assert.equal(50000, #r:read(50000)) -- the rest fits into the kernel
    end
    let_happen(true)
    for _ = 1, 2 do
      assert.equal("ok", assert(http.fetch(server.url, options)).body)
    end
    assert.equal(2, server:connections())
  end)

  -- Since 8.22.0 libcurl does not read it in time, and curlew does not know
  -- what it is.
  it("a PING on an idle connection costs nothing", function()
    server:script { "request", OK, { send = h2.frame("PING", 0, "12345678",
      0) }, "request", OK, "hold" }
    server:script { "request", OK, "hold" }
    for _ = 1, 2 do assert(http.fetch(server.url, options)) end
    assert.is_true(server:connections() <=
      (support.libcurl < 0x081600 and 1 or 2))
  end)

  for name, last in pairs { ["a GOAWAY"] = { { send = h2.goaway(1) }, "close" },
    ["the end"] = { "close" } } do
    it(name .. " that meets the next request has it asked again", function()
      server:script { "request", OK, "request", table.unpack(last) }
      server:script { "request", OK, "hold" }
      for _ = 1, 2 do
        assert.equal("ok", assert(http.fetch(server.url, options)).body)
      end
      assert.equal(3, #server:requests())
    end)

    it(name .. " that meets a POST has it fail", function()
      server:script { "request", OK, "request", table.unpack(last) }
      server:script { "request", OK, "hold" }
      local request = { server.url, method = "POST" }
      for name_, value in pairs(options) do request[name_] = value end
      assert(http.request(request))
      local _, err = http.request(request)
      assert.same({ "closed", "headers" }, { err.code, err.phase })
      assert.equal(2, #server:requests())
    end)
  end

  it("and whatever came, nothing is held", function()
    assert.is_true(leaks.audit())
  end)
end)
