--- Responses that do not declare the end of their body: a cut body is
-- `truncated`, a complete one is a success, however it is read. Over HTTP/2 the
-- end of the stream ends such a body. Over HTTP/1 the end of the connection
-- does, which over TLS a close_notify announces.

local support = require "spec.support"
local h2 = require "spec.support.http2"
local http = require "curlew"
local leaks = require "curlew.leaks"

local HEAD = h2.headers(200)
local BEGIN = HEAD .. h2.data("abc")

-- ---- ways to read a response: each returns the body, or nil and the error

local target

local function with_response(read)
  return function(options)
    local r <close>, err = http.request(options)
    if not r then return nil, err end
    return read(r)
  end
end

local function content()
  local file <close> = assert(io.open(target))
  return file:read("a")
end

local function collect(next_piece)
  local pieces = {}
  repeat
    local piece, err = next_piece()
    if err then return nil, err end
    pieces[#pieces + 1] = piece
  until not piece
  return table.concat(pieces)
end

local ways = {
  fetch = function(options)
    local page, err = http.fetch(options)
    return page and page.body, err
  end,
  ["read all"] = with_response(function(r) return r:read("a") end),
  ["read pieces"] = with_response(function(r)
    return collect(function() return r:read(2) end)
  end),
  chunks = with_response(function(r)
    local pieces = {}
    local ok, err = pcall(function()
      for piece in r:chunks() do pieces[#pieces + 1] = piece end
    end)
    if not ok then return nil, err end
    return table.concat(pieces)
  end),
  save = with_response(function(r)
    os.remove(target)
    local ok, err = r:save(target)
    return ok and content(), err
  end),
  download = function(options)
    os.remove(target)
    local url = table.remove(options, 1)
    local ok, err = http.download(url, target, options)
    return ok and content(), err
  end,
}

setup(function() target = support.folder() .. "/body" end)

local function options_for(server, more)
  local options = { server.url, http_version = "2", timeout = 10,
    tls = { ca = support.certificates().ca } }
  for name, value in pairs(more or {}) do options[name] = value end
  return options
end

-- ---- HTTP/2 ----

local function u32(n) return string.pack(">I4", n) end
local function setting(id, value)
  return h2.frame("SETTINGS", 0, string.pack(">I2I4", id, value), 0)
end

local FIELD = h2.fields { { "x-a", "b" } }

-- Errors that make the client end the connection (RFC 9113 section 5.4.1).
local connection_errors = {
  ["SETTINGS of a wrong length"] = h2.frame("SETTINGS", 0, "12345", 0),
  ["SETTINGS of a stream"] = h2.frame("SETTINGS", 0, ""),
  ["SETTINGS that acknowledge and set"] = h2.frame("SETTINGS", 1, "123456", 0),
  ["SETTINGS that acknowledge nothing"] = h2.frame("SETTINGS", 1, "", 0):rep(3),
  ["SETTINGS that push"] = setting(2, 2),
  ["SETTINGS of a window too large"] = setting(4, 0x80000000),
  ["SETTINGS of a frame size too small"] = setting(5, 1),
  ["a PING of a wrong length"] = h2.frame("PING", 0, "1234567", 0),
  ["a PING of a stream"] = h2.frame("PING", 0, "12345678"),
  ["a GOAWAY of a stream"] = h2.frame("GOAWAY", 0, u32(1) .. u32(0)),
  ["a short GOAWAY"] = h2.frame("GOAWAY", 0, u32(1), 0),
  ["a WINDOW_UPDATE by 0"] = h2.frame("WINDOW_UPDATE", 0, u32(0), 0),
  ["a WINDOW_UPDATE of the stream by 0"] =
    h2.frame("WINDOW_UPDATE", 0, u32(0)),
  ["a WINDOW_UPDATE of a wrong length"] =
    h2.frame("WINDOW_UPDATE", 0, "123", 0),
  ["a WINDOW_UPDATE by too much"] =
    h2.frame("WINDOW_UPDATE", 0, u32(0x7fffffff), 0),
  ["a WINDOW_UPDATE of an idle stream"] =
    h2.frame("WINDOW_UPDATE", 0, u32(1), 99),
  ["DATA of no stream"] = h2.frame("DATA", 0, "def", 0),
  ["DATA of an idle stream"] = h2.frame("DATA", 0, "def", 99),
  ["DATA with more padding than it has"] = h2.frame("DATA", 8, "\9def"),
  ["DATA without its padding"] = h2.frame("DATA", 8, ""),
  ["HEADERS of no stream"] = h2.frame("HEADERS", 5, FIELD, 0),
  ["HEADERS that cannot be unpacked"] = h2.frame("HEADERS", 5, "\255\255"),
  ["HEADERS with more padding than they have"] =
    h2.frame("HEADERS", 13, "\99" .. FIELD),
  ["a lone CONTINUATION"] = h2.frame(9, 4, FIELD),
  ["a missing CONTINUATION"] =
    h2.frame("HEADERS", 1, FIELD) .. h2.data("def"),
  ["a PUSH_PROMISE"] =
    h2.frame(5, 4, u32(2) .. h2.fields { { ":method", "GET" } }),
  ["RST_STREAM of no stream"] = h2.frame("RST_STREAM", 0, u32(8), 0),
  ["RST_STREAM of an idle stream"] = h2.frame("RST_STREAM", 0, u32(8), 99),
  ["RST_STREAM of a wrong length"] = h2.frame("RST_STREAM", 0, "123"),
  ["a frame that is too large"] = h2.frame("DATA", 0, ("x"):rep(16385)),
  ["PRIORITY of a wrong length"] = h2.frame(2, 0, "123"),
  ["garbage"] = ("\170"):rep(100),
  ["HTTP/1.1"] = "HTTP/1.1 200 OK\r\n\r\n",
}

-- Ways to deliver the bytes before the fault and the fault itself. With "hold"
-- the server waits until the client closes.
local function together(before, fault)
  return { { send = before .. fault }, "close" }
end
local function apart(before, fault)
  return { { pieces = { before } }, { send = fault }, "close" }
end
local function held(before, fault)
  return { { pieces = { before, fault } }, "hold" }
end

local deliveries = { together = together, apart = apart, held = held }

local function reset(code) return h2.frame("RST_STREAM", 0, u32(code)) end

local EMPTY, LAST = h2.data("", true), h2.data("def", true)
local TRAILERS = h2.headers(nil, { { "x-t", "1" } }, true)
local PING = h2.frame("PING", 0, "12345678", 0)
local GOAWAY = h2.goaway(1)

-- Frames that end the stream, and the body that BEGIN and the frame make.
local ends = { [EMPTY] = "abc", [LAST] = "abcdef", [TRAILERS] = "abc" }

-- Frames that a server may send after the end of the stream.
local farewells = {
  nothing = "", GOAWAY = GOAWAY, PING = PING,
  ["GOAWAY and PING"] = GOAWAY .. PING,
  ["PING and GOAWAY"] = PING .. GOAWAY,
  ["SETTINGS and GOAWAY"] = setting(3, 100) .. GOAWAY,
  ["WINDOW_UPDATE"] = h2.frame("WINDOW_UPDATE", 0, u32(100), 0),
  ["two GOAWAYs"] = h2.goaway(0x7fffffff) .. GOAWAY,
  ["RST_STREAM"] = reset(0), ["RST_STREAM (CANCEL)"] = reset(8),
  ["RST_STREAM and GOAWAY"] = reset(0) .. GOAWAY,
}

describe("Over HTTP/2 a body without a length", function()
  local server

  setup(function()
    server = support.server { tls = support.certificates().good, http2 = true }
  end)
  teardown(function() server:close() end)

  local function take(way, steps, more)
    server:reset()
    server:script { "request", table.unpack(steps) }
    return ways[way](options_for(server, more))
  end

  local function assert_truncated(body, err)
    assert.is_nil(body or nil)
    assert.same({ "truncated", "body", true },
      { err.code, err.phase, err.retryable }, err.message)
  end

  for name, fault in pairs(connection_errors) do
    it("is truncated by " .. name, function()
      for _, deliver in pairs(deliveries) do
        -- Some libcurls (7.88, 8.23) notice the fault only when the server
        -- closes, or when their time limit for the connection has passed.
        assert_truncated(take("fetch", deliver(BEGIN, fault),
          { timeout = { connect = 2, idle = 10, first_byte = 10 } }))
      end
    end)
  end

  it("is not awaited after HEAD, if the connection ends", function()
    for _, ending in ipairs { "close", "cut" } do
      for _, last in ipairs { "", GOAWAY } do
        for _ = 1, 5 do
          local steps = { { send = HEAD .. last }, ending }
          assert.equal("", assert(take("fetch", steps, { method = "HEAD" })))
        end
      end
    end
  end)

  -- Newer nghttp2 ignores PRIORITY, which RFC 9113 deprecates.
  it("is no success after PRIORITY of no stream", function()
    local fault = h2.frame(2, 0, u32(0) .. "\1", 0)
    for _, deliver in ipairs { together, apart } do
      assert_truncated(take("fetch", deliver(BEGIN, fault)))
    end
    local body, err = take("fetch", held(BEGIN, fault), { timeout = 1 })
    assert.is_nil(body)
    assert.is_true(err.code == "truncated" or err.code == "timeout", err.code)
  end)

  for code = 1, 13 do
    it(("is truncated by RST_STREAM (%d) and the end"):format(code), function()
      for _, ending in ipairs { "close", "cut" } do
        for _, before in ipairs { HEAD, BEGIN } do
          assert_truncated(take("fetch",
            { { pieces = { before } }, { send = reset(code) }, ending }))
        end
      end
    end)
  end

  -- Waits until the client's kernel has the end of each connection.
  local function let_end()
    local port = ("%04X"):format(server.port)
    local function lasts()
      for line in io.lines("/proc/net/tcp") do
        local to, state = line:match("^%s*%d+: %x+:%x+ %x+:(%x+) (%x%x)")
        if to == port and state == "01" then return true end
      end
      return false
    end
    server:go()
    while lasts() do support.posix.nap(0.001) end
  end

  -- libcurl takes the reset for a clean end of the stream. Before 8.1.0 the
  -- reset is recognized only if the connection ends directly after it.
  it("is truncated by RST_STREAM (NO_ERROR)", function()
    local endings = { "close", "cut" }
    if support.libcurl >= 0x080100 then endings[3] = "hold" end
    for _, version in ipairs { "1.2", "1.3" } do
      for _, ending in ipairs(endings) do
        for _, body in ipairs { "", "abc" } do
          server:reset()
          server:script { "request", { send = HEAD },
            { send = body == "" and "" or h2.data(body) }, "wait",
            { send = reset(0) }, ending }
          local r <close> = assert(http.request(options_for(server,
            { tls = { ca = support.certificates().ca, max = version } })))
          if body ~= "" then assert.equal(body, r:read(#body)) end
          if ending == "hold" then server:go() else let_end() end
          assert_truncated(r:read("a"))
        end
      end
    end
  end)

  -- libcurl keeps the connection, and would send the next request on it.
  it("whose connection ends with it has it used no more", function()
    for _, ending in ipairs { "close", "cut" } do
      server:reset()
      server:script { "request", { send = BEGIN }, "wait", { send = EMPTY },
        ending }
      server:script { "request", { send = BEGIN .. EMPTY }, "hold" }
      local r <close> = assert(http.request(options_for(server)))
      assert.equal("abc", r:read(3))
      let_end()
      assert.equal("", r:read("a"))
      assert.equal("abc", assert(http.fetch(options_for(server,
        { method = "POST" }))).body)
      assert.equal(2, server:connections())
    end
  end)

  for way in pairs(ways) do
    it("is truncated, by " .. way, function()
      assert_truncated(take(way, apart(BEGIN, connection_errors.garbage)))
      assert_truncated(take(way, apart(BEGIN, reset(2))))
      assert_truncated(take(way, { { pieces = { BEGIN } }, "cut" }))
      assert.equal("abcdef", take(way, apart(BEGIN, LAST .. GOAWAY)))
      assert.equal("abcdef", take(way, apart(BEGIN, LAST)))
    end)
  end

  for version in pairs { ["1.2"] = true, ["1.3"] = true } do
    local more = { tls = { ca = support.certificates().ca, max = version } }
    it("is judged alike over TLS " .. version, function()
      for _, name in ipairs { "garbage", "HEADERS that cannot be unpacked",
        "a lone CONTINUATION" } do
        assert_truncated(take("fetch", apart(BEGIN, connection_errors[name]),
          more))
      end
      for _, code in ipairs { 2, 8 } do
        assert_truncated(take("fetch", apart(BEGIN, reset(code)), more))
      end
      for farewell, bytes in pairs(farewells) do
        assert.equal("abc", take("fetch", apart(BEGIN, EMPTY .. bytes), more),
          farewell)
      end
    end)
  end

  for farewell, bytes in pairs(farewells) do
    it("is whole when the stream's end is followed by " .. farewell, function()
      for last, body in pairs(ends) do
        for _, ending in ipairs { "close", "cut", "hold" } do
          assert.equal(body, take("fetch",
            { { send = BEGIN .. last .. bytes }, ending }))
          assert.equal(body, take("fetch",
            { { pieces = { BEGIN } }, { send = last .. bytes }, ending }))
          assert.equal(body, take("fetch",
            { { pieces = { BEGIN, last, bytes } }, ending }))
        end
      end
    end)
  end

  it("has its trailers, though the connection ends with it", function()
    for _, ending in ipairs { "close", "cut" } do
      server:reset()
      server:script { "request", { send = BEGIN .. TRAILERS }, ending }
      local page = assert(http.fetch(options_for(server)))
      assert.equal("1", page.trailers["x-t"])
    end
  end)

  -- The connection is closed in any case, so its end proves nothing.
  it("is judged where no connection is to be kept", function()
    local limits = http.limits()
    http.limits { idle_connections = 0 }
    for _, bytes in pairs(farewells) do
      assert.equal("abc", take("fetch", apart(BEGIN, EMPTY .. bytes)))
      assert.equal("abc", take("fetch", together(BEGIN, EMPTY .. bytes)))
    end
    for _, name in ipairs { "garbage", "a lone CONTINUATION" } do
      assert_truncated(take("fetch", apart(BEGIN, connection_errors[name])))
    end
    assert_truncated(take("fetch", apart(BEGIN, reset(2))))
    http.limits(limits)
  end)

  it("is truncated by an error behind a GOAWAY", function()
    for _, name in ipairs { "garbage", "a lone CONTINUATION",
      "a WINDOW_UPDATE by 0" } do
      assert_truncated(take("fetch",
        apart(BEGIN .. GOAWAY, connection_errors[name])))
    end
  end)

  it("is judged at its end, after all that came before", function()
    local large = ("x"):rep(300000)
    local begin = HEAD .. h2.data(large)
    local cases = { [connection_errors.garbage] = false, [reset(2)] = false,
      [""] = false, [EMPTY] = true, [EMPTY .. GOAWAY] = true,
      [TRAILERS .. PING] = true }
    for last, whole in pairs(cases) do
      server:reset()
      server:script { "request", { send = begin }, { send = last }, "close" }
      local r <close> = assert(http.request(options_for(server)))
      assert.equal(10, #r:read(10)) -- paused from here on
      assert.equal(#large - 10, #r:read(#large - 10))
      local rest, err = r:read("a")
      if whole then
        assert.equal("", rest)
      else
        assert_truncated(rest, err)
      end
    end
  end)

  it("is not missed where none can follow", function()
    for method, status in pairs { HEAD = "200", GET = "204", POST = "304" } do
      local ended = h2.frame("HEADERS", 5, h2.fields { { ":status", status } })
      for _, bytes in pairs(farewells) do
        assert.equal("", take("fetch", { { send = ended .. bytes }, "close" },
          { method = method }))
      end
    end
  end)

  it("is traced as before", function()
    local path = target .. ".trace"
    local file <close> = assert(io.open(path, "w"))
    assert.equal("abcdef", take("fetch", apart(BEGIN, LAST .. GOAWAY),
      { trace = file }))
    assert_truncated(take("fetch", apart(BEGIN, connection_errors.garbage),
      { trace = file }))
    local traced <close> = assert(io.open(path))
    local text = traced:read("a")
    assert.equal(2, select(2, text:gsub("< HTTP/2 200", "")))
    assert.matches("\n%* [^\n]+\n", text)
  end)
end)

-- libcurl may give a connection to the next request within the call that ends
-- the previous one, before the engine handles that end.
describe("nginx with several requests at a time", function()
  it("gives whole bodies where connections change hands at once", function()
    local TASKS, EACH = 4, 200
    local nginx, whole = support.nginx(), 0
    local function ask()
      for _ = 1, EACH do
        local page = assert(http.fetch { nginx.https2 .. "/gzip/small",
          http_version = "2", tls = { ca = nginx.ca } })
        assert.is_nil(page:header("content-length"))
        whole = whole + 1
      end
    end
    local scope <close> = http.scope()
    for _ = 1, TASKS do scope:spawn(ask) end
    scope:wait()
    assert.equal(TASKS * EACH, whole)
  end)
end)

-- nginx closes the connection after its first request. A compressed body has no
-- length.
describe("nginx with one request a connection", function()
  for name, listener in pairs { ["HTTP/2"] = "https2_single",
    ["HTTP/1.1"] = "https_single" } do
    it("sends whole bodies over " .. name, function()
      local nginx = support.nginx()
      for path, size in pairs { ["20k"] = 20480, ["64k"] = 65536,
        ["65k"] = 65537 } do
        for way, take in pairs(ways) do
          if way ~= "download" then -- asks for no coding
            local body = assert(take { nginx[listener] .. "/gzip/" .. path,
              http_version = "2", tls = { ca = nginx.ca } })
            assert.equal(size, #body)
          end
        end
      end
      local page = assert(http.fetch { nginx[listener] .. "/gzip/64k",
        http_version = "2", tls = { ca = nginx.ca } })
      assert.is_nil(page.length)
    end)
  end
end)

-- ---- HTTP/1 over TLS ----

describe("Over HTTP/1 and TLS", function()
  local OK = "HTTP/1.1 200 OK\r\n"
  local OPEN = OK .. "\r\nhello"
  local WHOLE = { -- whatever the connection does then
    ["a declared body"] = OK .. "Content-Length: 5\r\n\r\nhello",
    ["a chunked body"] = OK .. "Transfer-Encoding: chunked\r\n\r\n"
      .. "5\r\nhello\r\n0\r\n\r\n",
  }
  local CUT = {
    ["a declared body"] = OK .. "Content-Length: 9\r\n\r\nhello",
    ["a chunked body"] = OK .. "Transfer-Encoding: chunked\r\n\r\n"
      .. "5\r\nhello\r\n",
  }
  local server

  setup(function()
    server = support.server { tls = support.certificates().good }
  end)
  teardown(function() server:close() end)

  local function take(way, bytes, ending, unclean, more)
    server:reset()
    server:script { "request", { send = bytes }, ending }
    local options = options_for(server, more)
    options.tls = { ca = options.tls.ca, unclean_close = unclean,
      max = options.tls.max }
    return ways[way](options)
  end

  local function assert_truncated(body, err)
    assert.is_nil(body or nil)
    assert.same({ "truncated", "body" }, { err.code, err.phase }, err.message)
  end

  for way in pairs(ways) do
    it("a body without a length needs a close_notify, by " .. way, function()
      for _, unclean in ipairs { false, true } do
        assert.equal("hello", take(way, OPEN, "close", unclean))
      end
      assert_truncated(take(way, OPEN, "cut"))
      assert_truncated(take(way, OPEN, "cut", false))
      assert.equal("hello", take(way, OPEN, "cut", true))
    end)
  end

  for _, version in ipairs { "1.2", "1.3" } do
    it("it is seen with TLS " .. version, function()
      local more = { tls = { ca = support.certificates().ca, max = version } }
      assert.equal("hello", take("fetch", OPEN, "close", nil, more))
      assert_truncated(take("fetch", OPEN, "cut", nil, more))
    end)
  end

  it("HTTP/1.0 and an empty body need it, too", function()
    for _, bytes in ipairs { "HTTP/1.0 200 OK\r\n\r\nhello", OK .. "\r\n" } do
      assert.is_string(take("fetch", bytes, "close"))
      assert_truncated(take("fetch", bytes, "cut"))
    end
  end)

  it("a body that is coded needs it, too", function()
    local bytes = OK .. "Content-Encoding: identity\r\n\r\nhello"
    assert_truncated(take("fetch", bytes, "cut"))
  end)

  it("other bodies need none, and are cut all the same", function()
    for _, unclean in ipairs { false, true } do
      for name, bytes in pairs(WHOLE) do
        assert.equal("hello", take("fetch", bytes, "cut", unclean), name)
      end
      for _, bytes in pairs(CUT) do
        for _, ending in ipairs { "close", "cut" } do
          assert_truncated(take("fetch", bytes, ending, unclean))
        end
      end
    end
  end)

  it("responses that have no body need none", function()
    for _, status in ipairs { "204 No Content", "304 Not Modified" } do
      assert.equal("", take("fetch", "HTTP/1.1 " .. status .. "\r\n\r\n",
        "cut"))
    end
    assert.equal("", take("fetch", OK .. "\r\n", "cut", false,
      { method = "HEAD" }))
  end)

  it("a body that is left unread raises nothing", function()
    server:reset()
    server:script { "request", { send = OPEN }, "cut" }
    local r <close> = assert(http.request(options_for(server)))
    assert.equal("he", r:read(2))
  end)

  it("a client may accept it for its requests", function()
    local client <close> = http.client { tls = {
      ca = support.certificates().ca, unclean_close = true } }
    for unclean, expected in pairs { [true] = "hello", [false] = false } do
      server:reset()
      server:script { "request", { send = OPEN }, "cut" }
      local page, err = client:fetch(server.url,
        { tls = { unclean_close = unclean } })
      assert.equal(expected, page and page.body or false, err and err.message)
    end
  end)

  it("the connection of a whole body is used again", function()
    server:reset()
    server:script { { loop = { "request",
      { send = WHOLE["a declared body"] } } } }
    for _ = 1, 3 do
      assert.equal("hello", http.fetch(options_for(server)).body)
    end
    assert.equal(1, server:connections())
  end)
end)

describe("Headers that end with the connection", function()
  local LINE = "HTTP/1.1 200 OK\r\n"
  local BLOCKS = { LINE .. "Content-Length: 0\r\nX-Item: one\r\n\r\n",
    LINE .. "Content-Length: 5\r\n\r\n", LINE .. "\r\n" }

  local function assert_error(ending, code, bytes)
    local server <close> = support.server()
    server:script { "request", { send = bytes }, ending }
    local page, err = http.fetch(server.url, { timeout = 5 })
    assert.is_nil(page, bytes)
    assert.same({ code, "headers", true },
      { err.code, err.phase, err.retryable }, bytes)
  end

  it("are truncated wherever that is after the status line", function()
    for _, block in ipairs(BLOCKS) do
      for n = #LINE, #block - 1 do
        assert_error("close", "truncated", block:sub(1, n))
      end
    end
  end)

  it("are closed if the connection is reset", function()
    for _, block in ipairs(BLOCKS) do
      for n = #LINE - 1, #block - 1, 3 do
        assert_error("reset", "closed", block:sub(1, n))
      end
    end
  end)
end)

describe("After all that", function()
  it("nothing is held", function() assert.is_true(leaks.audit()) end)
end)
