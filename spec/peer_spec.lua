--- Peers that break the rules. Each case shows the bytes that come and says
-- what they are worth: a response ("200 hello": status and body), or an error
-- ("protocol headers": code and phase). What is no whole response is never a
-- success, however it is read, nothing of it stays open, and no later request
-- gets what was left of it.

local support = require "spec.support"
local http = require "curlew"
local posix = support.posix

local NEXT = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext"
local FORGED = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"
local KIB = 1024
local PATIENCE = 10 -- seconds; what is silence here ends sooner than elsewhere

local server

before_each(function() server = support.server() end)
after_each(function() server:close() end)

-- ---- what came of it ----

local function worth(status, body, err)
  if body then return ("%d %s"):format(status, body) end
  return err.code .. " " .. err.phase
end

local function fetch(options)
  local page, err = http.fetch(options)
  return worth(page and page.status, page and page.body, err)
end

-- The same, two bytes at a time. Nothing says that it was all but a nil
-- without an error.
local function read_pieces(options)
  local r <close>, err = http.request(options)
  if not r then return worth(nil, nil, err) end
  local pieces = {}
  repeat
    local piece
    piece, err = r:read(2)
    pieces[#pieces + 1] = piece
  until not piece
  return worth(r.status, not err and table.concat(pieces), err)
end

local ways = { fetch = fetch, ["reading in pieces"] = read_pieces }

local function is_error(outcome) return outcome:match("^%a") ~= nil end

-- ---- the cases ----

-- A case: its name, its bytes, what it is worth, and
--   kept     the next request finds the connection of this one
--   ends     what the server does then: "close"; nil: it waits for a request
--   method   of the request, GET
--   complete how many of the bytes make the response, where it has an end
--   cut      true: try it cut at every byte, too

-- The first connection as the case has it; the next one answers well.
local function play(case, bytes, ending)
  server:reset()
  if ending then
    server:script { "request", { send = bytes }, ending }
  else
    server:replies(bytes, NEXT)
  end
  server:replies(NEXT)
  return { server.url, method = case.method or "GET", timeout = PATIENCE }
end

-- Whether the next request finds the connection of the one before it.
local function kept()
  assert.equal("next", assert(http.fetch(server.url)).body)
  return server:connections() == 1
end

-- A whole response that is cut after it is whole is a success; without its very
-- last LF a chunked one is as good as whole.
local function fault_of_cut(case, n, ending, outcome)
  if is_error(outcome) then
    local needed = case.complete and n >= case.complete and ending == "close"
    return needed and outcome
  end
  if case.complete and n >= case.complete - 1 then return false end
  if case.until_close and ending == "close" then
    return outcome ~= case[3]:sub(1, #outcome) and outcome
  end
  return outcome
end

local function faults_of_cuts(case, way, ending)
  local faults = {}
  for n = 0, #case[2] do
    local options = play(case, case[2]:sub(1, n), ending)
    local outcome = ways[way](options)
    local fault = fault_of_cut(case, n, ending, outcome)
    if fault then faults[#faults + 1] = ("at %d: %s"):format(n, fault) end
    if http.stats().open > 0 then faults[#faults + 1] = n .. ": open" end
  end
  return faults
end

local BEFORE_8_1 = support.libcurl < 0x080100

-- libcurl 8.18.0 and later join the lines of a folded field before anything
-- looks at them (RFC 9112 section 5.2), but not those of a trailer. Earlier
-- releases read the first line only where it says how long the body is, so such
-- a field is refused.
local UNFOLDS = support.libcurl >= 0x081200

-- If bytes come behind a response without a body, in the same read, libcurl
-- before 8.6.0 drops them and keeps the connection. Later releases close it.
local KEEPS_SURPLUS = support.libcurl < 0x080600

local function check_case(case)
  for way, take in pairs(ways) do
    it(("%s, %s"):format(case[1], way), function()
      local options = play(case, case[2], case.ends)
      assert.equal(case[3], take(options))
      assert.equal(0, http.stats().open)
      assert.equal(case.kept or false, kept())
    end)
  end
end

local function check_cuts(case)
  it(case[1] .. ", cut at every byte by a close", function()
    assert.same({}, faults_of_cuts(case, "fetch", "close"))
    assert.same({}, faults_of_cuts(case, "reading in pieces", "close"))
  end)

  it(case[1] .. ", cut at every byte by a reset", function()
    assert.same({}, faults_of_cuts(case, "fetch", "reset"))
  end)
end

local function check(cases)
  for _, case in ipairs(cases) do
    check_case(case)
    if case.cut then check_cuts(case) end
  end
end

local OK = "HTTP/1.1 200 OK\r\n"
local CHUNKED = OK .. "Transfer-Encoding: chunked\r\n\r\n"

-- ---- where the body ends ----

describe("Content-Length:", function()
  local function case(name, fields, outcome, more)
    local bytes = OK .. fields .. "\r\nhello"
    local this = { name, bytes, outcome, complete = not is_error(outcome)
      and #bytes or nil, kept = not is_error(outcome) }
    for key, value in pairs(more or {}) do this[key] = value end
    return this
  end

  local function invalid(name, value)
    return case(name, "Content-Length: " .. value .. "\r\n", "protocol headers")
  end

  check {
    case("right", "Content-Length: 5\r\n", "200 hello", { cut = true }),
    case("too short", "Content-Length: 3\r\n", "200 hel",
      { kept = false, complete = 41, cut = true }),
    case("too long", "Content-Length: 6\r\n", "truncated body",
      { ends = "close", cut = true }),
    case("zero, and yet a body", "Content-Length: 0\r\n", "200 ",
      { kept = KEEPS_SURPLUS, complete = 38 }),
    case("twice the same", "Content-Length: 5\r\nContent-Length: 5\r\n",
      "200 hello"),
    case("twice the same number", "Content-Length: 5\r\n"
      .. "content-length: 005\r\n", "200 hello"),
    case("a list of the same", "Content-Length: 5, 5\r\n", "200 hello",
      { cut = true }),
    case("two values, the longer first", "Content-Length: 5\r\n"
      .. "Content-Length: 3\r\n", "protocol headers"),
    case("two values, the shorter first", "Content-Length: 3\r\n"
      .. "Content-Length: 5\r\n", "protocol headers", { cut = true }),
    case("of two values the second is none", "Content-Length: 5\r\n"
      .. "Content-Length:\r\n", "protocol headers"),
    invalid("a list of two values", "5, 6"),
    invalid("a list with a hole", "5,,5"),
    invalid("a list with an end", "5,"),
    invalid("negative", "-5"),
    invalid("with a plus", "+5"),
    invalid("with a unit", "5x"),
    invalid("in hexadecimal", "0x5"),
    invalid("with a fraction", "5.0"),
    invalid("two words", "5 5"),
    invalid("no number", "five"),
    invalid("empty", ""),
    invalid("2^63", "9223372036854775808"),
    invalid("2^64 + 5", "18446744073709551621"),
    invalid("beyond all", ("9"):rep(100)),
    case("in two lines", "Content-Length: \r\n 5\r\n",
      UNFOLDS and "200 hello" or "protocol headers", { cut = true }),
    case("that a folded line makes longer", "Content-Length: 5\r\n 0\r\n",
      "protocol headers", { cut = true }),
    case("that a folded line makes a list", "Content-Length: 5\r\n , 3\r\n",
      "protocol headers"),
    case("none", "", "200 hello",
      { ends = "close", kept = false, complete = false, until_close = true,
        cut = true }),
  }

  describe("2^63 - 1", function()
    local bytes = OK .. "Content-Length: 9223372036854775807\r\n\r\nhello"

    it("is too large for fetch", function()
      server:replies(bytes)
      server:replies(NEXT)
      assert.equal("too_large body", fetch { server.url })
      assert.is_false(kept())
    end)

    it("is read in pieces until it is cut", function()
      server:reply(bytes)
      server:replies(NEXT)
      assert.equal("truncated body", read_pieces { server.url })
      assert.is_false(kept())
    end)
  end)

  it("is named by the error that it makes", function()
    for _, value in ipairs { "5, 6", "x", "+5", "99999999999999999999" } do
      server:reset()
      server:reply(OK .. "Content-Length: " .. value .. "\r\n\r\nhello")
      local _, err = http.fetch(server.url)
      assert.matches("Content%-Length", tostring(err))
    end
  end)
end)

-- What a peer or a proxy in between may understand otherwise is a response, but
-- its connection is not used again (RFC 9112 section 6.1).
describe("Transfer-Encoding:", function()
  -- Of identity and a length, these releases go by the length.
  local IDENTITY_HAS_LENGTH = support.libcurl >= 0x080100
    and support.libcurl < 0x081600
  local hello = "5\r\nhello\r\n0\r\n\r\n"

  local function case(name, head, outcome, kept_open)
    local bytes = head .. "\r\n" .. hello
    return { name, bytes, outcome, kept = kept_open or false,
      cut = head:find("Content-Length", 1, true) ~= nil,
      complete = not is_error(outcome) and #bytes or nil }
  end

  local function coded(name, value, outcome)
    return case(name, OK .. "Transfer-Encoding: " .. value .. "\r\n",
      outcome or "protocol headers", outcome ~= nil)
  end

  check {
    coded("chunked", "chunked", "200 hello"),
    coded("in any case", "Chunked", "200 hello"),
    coded("with holes in the list", ", chunked,", "200 hello"),
    case("with a Content-Length", OK .. "Content-Length: 3\r\n"
      .. "Transfer-Encoding: chunked\r\n", "200 hello"),
    case("before a Content-Length", OK .. "Transfer-Encoding: chunked\r\n"
      .. "Content-Length: 3\r\n", "200 hello"),
    case("in HTTP/1.0", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n"
      .. "Transfer-Encoding: chunked\r\n", "200 hello"),
    case("chunked twice", OK .. "Transfer-Encoding: chunked, Chunked\r\n",
      "200 hello"),
    case("chunked twice, in two lines", OK .. "Transfer-Encoding: chunked\r\n"
      .. "X: y\r\nTransfer-Encoding: chunked\r\n", "200 hello"),
    coded("chunked twice and then another", "chunked, chunked, gzip"),
    coded("another between chunked and chunked", "chunked, gzip, chunked"),
    coded("chunked and then another", "chunked, identity"),
    coded("gzip, which nobody asked for", "gzip, chunked"),
    coded("gzip alone", "gzip"),
    coded("unknown", "x-own"),
    coded("nearly chunked", "xchunked"),
    coded("chunked with a parameter", "chunked;q=1"),
    coded("chunked in quotes", "\"chunked\""),
    coded("chunked after a vertical tab", "\vchunked"),
    case("folded", OK .. "Transfer-Encoding:\r\n chunked\r\n",
      UNFOLDS and "200 hello" or "protocol headers", UNFOLDS),
    case("folded behind a coding", OK .. "Transfer-Encoding: chunked,\r\n"
      .. " gzip\r\n", "protocol headers"),
    case("folded, with a Content-Length", OK .. "Content-Length: 3\r\n"
      .. "Transfer-Encoding:\r\n chunked\r\n",
      UNFOLDS and "200 hello" or "protocol headers"),
    -- The body ends with the connection, or at the length, and the connection
    -- is closed.
    { "identity", OK .. "Content-Length: 3\r\nTransfer-Encoding: identity\r\n"
      .. "\r\nhello", IDENTITY_HAS_LENGTH and "200 hel" or "200 hello",
      ends = "close", until_close = not IDENTITY_HAS_LENGTH,
      complete = IDENTITY_HAS_LENGTH and 70 or nil, cut = true },
    { "empty", OK .. "Transfer-Encoding:\r\n\r\nhello", "200 hello",
      ends = "close", until_close = true },
  }
end)

describe("A chunk", function()
  -- These releases limit the digits of a size to 16, leading zeros included.
  local COUNTS_ZEROS = support.libcurl < 0x081600

  local function case(name, chunks, outcome, more)
    local bytes = CHUNKED .. chunks
    local this = { name, bytes, outcome,
      kept = not is_error(outcome),
      complete = not is_error(outcome) and #bytes or nil }
    for key, value in pairs(more or {}) do this[key] = value end
    return this
  end

  local function bad_size(name, size)
    return case(name, size .. "\r\nhello\r\n0\r\n\r\n", "protocol body")
  end

  check {
    case("with leading zeros", "0005\r\nhello\r\n000\r\n\r\n", "200 hello"),
    case("in capitals", "A\r\n0123456789\r\n0\r\n\r\n", "200 0123456789"),
    case("with extensions", "5;a=b;c=\"d;e\"\r\nhello\r\n0;f\r\n\r\n",
      "200 hello", { cut = true }),
    case("with trailers", "5\r\nhello\r\n0\r\nA: 1\r\nB: 2\r\n\r\n",
      "200 hello"),
    case("with a folded trailer", "5\r\nhello\r\n0\r\nA: 1\r\n 2\r\n\r\n",
      UNFOLDS and "protocol body" or "200 hello", { cut = true }),
    -- libcurl reads the digits, and then to the end of the line
    case("with blanks after its size", "5 \r\nhello\r\n0 \r\n\r\n",
      "200 hello"),
    case("with lines that end in LF", "5\nhello\n0\n\n", "200 hello",
      { cut = true }),
    bad_size("of size g", "g"),
    bad_size("of a size as of C", "0x5"),
    bad_size("of no size", ""),
    bad_size("of a size after a blank", " 5"),
    bad_size("of a negative size", "-5"),
    bad_size("of a size with a plus", "+5"),
    bad_size("of an extension without a size", ";a=b"),
    bad_size("of size 2^64 - 1", ("f"):rep(16)),
    bad_size("of size 2^63", "8" .. ("0"):rep(15)),
    case("of 17 digits", ("0"):rep(16) .. "5\r\nhello\r\n0\r\n\r\n",
      COUNTS_ZEROS and "protocol body" or "200 hello"),
    bad_size("of 17 digits that are a size", "1" .. ("0"):rep(16)),
    case("of size 2^63 - 1", "7" .. ("f"):rep(15) .. "\r\nhello",
      "truncated body", { ends = "close" }),
    case("without an end of line after its bytes", "5\r\nhello0\r\n\r\n",
      "protocol body"),
    case("longer than it says", "3\r\nhello\r\n0\r\n\r\n", "protocol body"),
    case("shorter than it says", "7\r\nhello\r\n0\r\n\r\n", "protocol body",
      { cut = true }),
    case("with a trailer that has no colon", "5\r\nhello\r\n0\r\nA\r\n\r\n",
      "protocol body"),
    case("with a NUL in a trailer", "5\r\nhello\r\n0\r\nA: \0\r\n\r\n",
      "protocol body"),
    case("with a blank before a trailer's colon",
      "5\r\nhello\r\n0\r\nA : 1\r\n\r\n", "200 hello"),
    case("with a blank before the colon of a trailer that frames the body",
      "5\r\nhello\r\n0\r\nContent-Length : 1\r\n\r\n", "protocol body"),
    case("with a first trailer that is folded",
      "5\r\nhello\r\n0\r\n A: 1\r\n\r\n", "protocol body"),
    case("with a trailer line over 4 KiB", "5\r\nhello\r\n0\r\nA: "
      .. ("a"):rep(4 * KIB) .. "\r\n\r\n", "too_large body"),
    -- libcurl drops what the same read brought
    case("with bytes after the last one", "5\r\nhello\r\n0\r\n\r\nmore",
      "200 hello", { complete = #CHUNKED + 15, cut = true }),
  }

  it("with a trailer line over 4 KiB names that limit", function()
    server:reply(CHUNKED .. "0\r\nA: " .. ("a"):rep(4 * KIB) .. "\r\n\r\n")
    local _, err = http.fetch(server.url)
    assert.matches("4 KiB", tostring(err))
  end)
end)

-- ---- header lines ----

describe("A response whose", function()
  local function case(name, lines, outcome, more)
    local bytes = OK .. lines .. "Content-Length: 5\r\n\r\nhello"
    local this = { name, bytes, outcome or "200 hello", kept = not outcome,
      complete = not outcome and #bytes or nil }
    for key, value in pairs(more or {}) do this[key] = value end
    return this
  end

  local function broken(name, lines)
    return case(name, lines, "protocol headers")
  end

  check {
    case("header lines come twice", "A: 1\r\nA: 1\r\n"),
    case("header line is folded", "A: 1\r\n 2\r\n\t3\r\n", nil,
      { cut = true }),
    case("header line has no name", ": x\r\n"),
    case("header line has no value", "A:\r\n"),
    case("header line has a name of odd bytes", "A(\1\xff): 1\r\n"),
    case("header lines end in LF", "A: 1\nB: 2\n", nil, { cut = true }),
    case("header lines are 4,999", ("A: 1\r\n"):rep(4999)),
    case("header lines are 10,000", ("A: 1\r\n"):rep(10000),
      "too_large headers"),
    case("header line has a blank before the colon", "A : 1\r\nB\t : 2\r\n",
      nil, { cut = true }),
    broken("Connection has a blank before the colon", "connection : close\r\n"),
    broken("length has a tab and a blank before the colon",
      "content-length \t: 5\r\n"),
    broken("length has a blank before the colon", "Content-Length : 9\r\n"),
    broken("coding has a tab before the colon",
      "Transfer-Encoding\t: chunked\r\n"),
    broken("header line has no colon", "A\r\n"),
    broken("first header line is folded", " A\r\n"),
    broken("name has a NUL", "A\0B: 1\r\n"),
    broken("value has a NUL", "A: 1\0\r\n"),
    broken("value has a bare CR", "A: 1\rB: 2\r\n"),
    broken("value ends in two CR", "A: 1\r\r\n"),
    broken("header line begins with a CR", "\rA: 1\r\n"),
    broken("blank line has two CR", "\r\r\n"),
    -- libcurl before 8.1.0 drops a line that begins with a NUL, and the rest
    case("header line begins with a NUL", "\0A: 1\r\n",
      BEFORE_8_1 and "truncated headers" or "protocol headers",
      { ends = "close" }),
    case("headers are over 256 KiB", ("A: " .. ("a"):rep(1019) .. "\r\n")
      :rep(300), "too_large headers"),
    { "headers are missing", OK .. "\r\nhello", "200 hello", ends = "close",
      until_close = true, cut = true },
    { "headers are cut after the status line", OK, "truncated headers",
      ends = "close" },
  }

  it("headers are over 256 KiB names that limit", function()
    server:reply(OK .. ("A: " .. ("a"):rep(1019) .. "\r\n"):rep(300))
    local _, err = http.fetch(server.url)
    assert.matches("256 KiB", tostring(err))
  end)

  -- With libcurl before 8.1.1 a handle that has served a response writes to
  -- freed memory here. The spec runs in a process of its own, whose status
  -- shows a crash.
  local function each_is_refused(steps, source)
    server:script(steps)
    local kind, code, out = support.run([[
      local http = require "curlew"
      local function outcome(path)
        local page, err = http.fetch(arg[1] .. path)
        return page and page.status or err.code .. " " .. err.phase
      end
    ]] .. source, { server.url })
    assert.same({ "exit", 0 }, { kind, code }, out)
    for line in out:gmatch("[^\n]+") do
      assert.equal("protocol headers", line)
    end
    return select(2, out:gsub("\n", ""))
  end

  local FOLDED = OK .. " A: 1\r\nContent-Length: 5\r\n\r\nhello"
  local WHOLE = OK .. "Content-Length: 2\r\n\r\nok"
  local HOP = "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n"

  it("first header line is folded, with a colon", function()
    assert.equal(1, each_is_refused({ "request", { send = FOLDED } },
      [[print(outcome("/"))]]))
  end)

  it("first header line is folded, after whole responses", function()
    assert.equal(10, each_is_refused({ "request", { send = WHOLE }, "request",
      { send = FOLDED } }, [[
        for _ = 1, 10 do
          assert(outcome("/") == 200)
          print(outcome("/"))
        end
      ]]))
  end)

  it("first header line is folded, after a redirect", function()
    assert.equal(10, each_is_refused({ "request", { send = HOP }, "request",
      { send = FOLDED } }, [[for _ = 1, 10 do print(outcome("/")) end]]))
  end)

  it("first header line is folded, in many tasks", function()
    assert.equal(200, each_is_refused({ "request", { send = WHOLE }, "request",
      { send = FOLDED } }, [[
        local scope <close> = http.scope()
        for _ = 1, 20 do
          scope:spawn(function()
            for _ = 1, 10 do
              local seen
              repeat seen = outcome("/") until seen ~= 200
              print(seen)
            end
          end)
        end
        assert(scope:wait())
      ]]))
  end)
end)

-- ---- the status line, and what stands before it ----

describe("A status line", function()
  local rest = "\r\nContent-Length: 5\r\n\r\nhello"

  local function case(line, outcome, keeps)
    local bytes = line .. rest
    return { ("%q"):format(line), bytes, outcome or "protocol headers",
      kept = keeps, complete = outcome and #bytes or nil }
  end

  check {
    case("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK", "200 hello", true),
    case("HTTP/1.1 200", "200 hello", true),
    case("HTTP/1.1 200 ", "200 hello", true),
    case("HTTP/1.1 200  OK", "200 hello", true), case("HTTP/1.1  200 OK"),
    case("HTTP/1.1 999 Odd", "999 hello", true),
    case("HTTP/1.0 200 OK", "200 hello", false),
    case("HTTP/1.1 099 Low"), case("HTTP/1.1 000 None"), case("HTTP/1.1 42 X"),
    case("HTTP/1.1 1000 High"), case("HTTP/1.1 2000"), case("HTTP/1.1 2xx"),
    case("HTTP/1.1 200OK"), case("HTTP/1.1 +200"), case("HTTP/1.1 -20"),
    case("HTTP/1.1 OK"), case("HTTP/1.1 "), case("HTTP/1.1"),
    case("HTTP/1.1\t200 OK"), case("HTTP/ 1.1 200 OK"), case(" HTTP/1.1 200"),
    case("HTTP/0.9 200 OK"), case("HTTP/1.2 200 OK"), case("HTTP/11.1 200 OK"),
    case("HTTP/1.11 200 OK"), case("HTTP/1 200 OK"), case("HTTP/3.1 200 OK"),
    case("http/1.1 200 ok"), case("HTTP/x 200 OK"), case("HTTP/ 200 OK"),
    case("HTTP 200 OK"),
    case("HTTP/2 200 "), case("HTTP/2 200 OK"), case("HTTP/2.0 200 OK"),
    case("HTTP/2 42 OK"), case("HTTP/3 200 OK"), case("HTTP/3.0 200 OK"),
    case("ICY 200 OK"), case("SSH-2.0-OpenSSH_9.2p1"), case("hello"),
    case(""), case("\r\nHTTP/1.1 200 OK"), case("0\r\n\r\nHTTP/1.1 200 OK"),
    case("\0HTTP/1.1 200 OK"), case("HTTP/1.1 200 \0"),
    case("HTTP/1.1 200 O\rK"),
  }
end)

-- ---- responses without a body ----

-- What follows is not the answer to the next request: libcurl drops what the
-- same read brought, or closes the connection. What comes later is found before
-- the next request.
describe("Where no body is,", function()
  local function case(name, bytes, outcome, method, keeps)
    if keeps == nil then keeps = KEEPS_SURPLUS end
    return { name, bytes .. FORGED, outcome, method = method,
      complete = #bytes, kept = keeps,
      cut = outcome == "204 " or method == "HEAD" }
  end

  check {
    case("in a 204", "HTTP/1.1 204 No Content\r\n\r\n", "204 "),
    case("in a 204 that declares one", "HTTP/1.1 204 No Content\r\n"
      .. "Content-Length: 43\r\n\r\n", "204 ", "GET", false),
    case("in a 204 in chunks", "HTTP/1.1 204 No Content\r\n"
      .. "Transfer-Encoding: chunked\r\n\r\n", "204 ", "GET", false),
    case("in a 304", "HTTP/1.1 304 Not Modified\r\n\r\n", "304 "),
    case("in a 304 of a declared length", "HTTP/1.1 304 Not Modified\r\n"
      .. "Content-Length: 43\r\n\r\n", "304 "),
    case("in a 304 of an unreadable length", "HTTP/1.1 304 Not Modified\r\n"
      .. "Content-Length: 4, 3\r\n\r\n", "304 ", "GET", false),
    case("in the answer to HEAD", OK .. "Content-Length: 43\r\n\r\n", "200 ",
      "HEAD"),
    case("in the answer to HEAD in chunks", CHUNKED, "200 ", "HEAD"),
    case("in the answer to HEAD of no length", OK .. "\r\n", "200 ", "HEAD"),
    case("in a body of no bytes", OK .. "Content-Length: 0\r\n\r\n", "200 "),
    case("in a body of no chunks", CHUNKED .. "0\r\n\r\n", "200 ", "GET",
      true),
    -- a 205 has the body that its fields say (RFC 9112 section 6.3)
    { "a 205 may have one", "HTTP/1.1 205 Reset Content\r\n"
      .. "Content-Length: 5\r\n\r\nhello", "205 hello", kept = true,
      complete = 54 },
    { "a 205 of no length ends with its connection",
      "HTTP/1.1 205 Reset Content\r\n\r\nhello", "205 hello", ends = "close",
      until_close = true },
  }
end)

-- ---- what comes while nobody asks ----

-- Bytes, or its end, on a connection that waits for its next request: they are
-- no answer to that request. It is made on a new connection, once, and nobody
-- notices.
describe("What a server says unasked", function()
  -- How many bytes wait in our sockets that are connected to 'port'.
  local function unread(port)
    local sum = 0
    for fd, target in pairs(posix.fds()) do
      if target:find("^socket:") then sum = sum + posix.unread(fd, port) end
    end
    return sum
  end

  -- Busy until n bytes wait, and longer than what counts as at once.
  local function until_unread(port, n)
    local start = posix.monotonic()
    repeat
      local waited = posix.monotonic() - start
      assert(waited < PATIENCE, "the bytes do not come")
    until waited > 0.002 and unread(port) >= n
  end

  local function answers(bytes, unasked, ending)
    server:script { "request", { send = bytes }, "wait", { send = unasked },
      ending or "hold" }
  end

  local function connections() return http.stats().connections end

  local WHOLE = { -- what has been answered before
    ["a declared body"] = OK .. "Content-Length: 5\r\n\r\nhello",
    ["a body of no bytes"] = OK .. "Content-Length: 0\r\n\r\n",
    ["a body in chunks"] = CHUNKED .. "5\r\nhello\r\n0\r\n\r\n",
    ["a 204"] = "HTTP/1.1 204 No Content\r\n\r\n",
    ["a 304"] = "HTTP/1.1 304 Not Modified\r\n\r\n",
  }
  for what, bytes in pairs(WHOLE) do
    for way, take in pairs(ways) do
      it(("after %s is no answer, %s"):format(what, way), function()
        answers(bytes, FORGED)
        server:replies(NEXT, NEXT)
        assert(http.fetch(server.url))
        server:go()
        until_unread(server.port, #FORGED)
        assert.equal("200 next", take { server.url })
        assert.equal(2, server:connections())
        assert.equal(2, #server:requests())
        assert.equal("next", assert(http.fetch(server.url)).body)
        assert.equal(2, server:connections())
      end)
    end
  end

  local UNASKED = {
    ["one byte"] = { "x" },
    ["an interim response"] = { "HTTP/1.1 100 Continue\r\n\r\n" },
    ["more than a socket holds at once"] = { ("x"):rep(64 * KIB) },
    ["a 408 and its end"] = { "HTTP/1.1 408 Request Timeout\r\n"
      .. "Connection: close\r\nContent-Length: 0\r\n\r\n", "close" },
  }
  for what, unasked in pairs(UNASKED) do
    it(("is no answer: %s"):format(what), function()
      answers(WHOLE["a declared body"], unasked[1], unasked[2])
      server:replies(NEXT)
      assert(http.fetch(server.url))
      server:go()
      until_unread(server.port, math.min(#unasked[1], 4 * KIB))
      assert.equal("200 next", fetch { server.url })
      assert.equal(2, server:connections())
    end)
  end

  it("is counted as one request and one connection more", function()
    answers(WHOLE["a declared body"], FORGED)
    server:replies(NEXT)
    assert(http.fetch(server.url))
    local before, at = http.stats(), connections()
    server:go()
    until_unread(server.port, #FORGED)
    do
      local r <close> = assert(http.get(server.url))
      assert.equal("next", r:read("a"))
      assert.is_false(r.info.reused)
    end
    local after, now = http.stats(), connections()
    assert.same({ opened = 1, connected = 1, reused = 0 }, {
      opened = after.opened - before.opened,
      connected = now.opened - at.opened,
      reused = now.reused - at.reused,
    })
  end)

  it("is no answer however often it is said", function()
    server:script { "request", { send = WHOLE["a declared body"] },
      { send = "" }, "wait", { send = FORGED }, "hold" }
    for i = 1, 20 do
      assert.equal("hello", assert(http.fetch(server.url)).body)
      server:go()
      until_unread(server.port, #FORGED)
      assert.equal(i, server:connections())
    end
  end)

  it("on several connections costs one new one", function()
    local long = OK .. "Content-Length: 100000\r\n\r\n" .. ("x"):rep(100000)
    for _ = 1, 3 do answers(long, FORGED) end
    server:replies(NEXT)
    do
      local a <close> = assert(http.get(server.url))
      local b <close> = assert(http.get(server.url))
      local c <close> = assert(http.get(server.url))
      for _, r in ipairs { a, b, c } do assert.equal(100000, #r:read("a")) end
    end
    server:go(3)
    until_unread(server.port, 3 * #FORGED)
    assert.equal("200 next", fetch { server.url })
    assert.equal(4, server:connections())
  end)

  it("over TLS is no answer", function()
    local certificates = support.certificates()
    local secure <close> = support.server { tls = certificates.good }
    local options = { secure.url, tls = { ca = certificates.ca } }
    secure:script { "request", { send = WHOLE["a declared body"] }, "wait",
      { send = FORGED }, "hold" }
    secure:replies(NEXT)
    assert.equal("200 hello", fetch(options))
    secure:go()
    until_unread(secure.port, #FORGED)
    assert.equal("200 next", fetch(options))
    assert.equal(2, secure:connections())
  end)

  it("does not hide that the server is gone", function()
    local gone <close> = support.server()
    gone:script { "request", { send = WHOLE["a declared body"] }, "wait",
      { send = FORGED }, "hold" }
    assert(http.fetch(gone.url))
    gone:go()
    until_unread(gone.port, #FORGED)
    local url = gone.url
    gone:close()
    assert.equal("connect connect", fetch { url })
    assert.equal(0, http.stats().open)
  end)

  it("is not looked for in vain: a silent connection is kept", function()
    server:replies(NEXT, WHOLE["a 204"], NEXT)
    for _ = 1, 3 do
      assert(http.fetch(server.url))
      until_unread(server.port, 0)
    end
    assert.equal(1, server:connections())
  end)

  it("is not the session ticket that TLS sends", function()
    local certificates = support.certificates()
    local secure <close> = support.server { tls = certificates.good }
    secure:replies(NEXT, WHOLE["a 204"], NEXT)
    for _ = 1, 3 do
      assert(http.fetch(secure.url, { tls = { ca = certificates.ca } }))
      until_unread(secure.port, 0)
    end
    assert.equal(1, secure:connections())
  end)

  -- More in one write than libcurl reads at once: what it has not read is there
  -- when the response is, and found without any time having passed.
  local SHORT = {
    ["the answer to HEAD"] = { OK .. "Content-Length: 20000\r\n\r\n", "HEAD" },
    ["a body of no bytes"] = { WHOLE["a body of no bytes"] },
    ["a body in chunks"] = { WHOLE["a body in chunks"] },
    ["a 204"] = { WHOLE["a 204"] },
    ["a 304"] = { WHOLE["a 304"] },
  }
  for what, short in pairs(SHORT) do
    it(("right behind %s is no answer, however soon"):format(what), function()
      server:script { "request", { pieces = { short[1]
        .. ("x"):rep(20000) } }, "hold" }
      server:replies(NEXT)
      assert(http.fetch { server.url, method = short[2] })
      assert.equal("200 next", fetch { server.url })
    end)
  end

  it("behind a body that came after its headers is no answer", function()
    server:script { "request",
      { pieces = { OK .. "Content-Length: 5\r\n\r\n" } },
      { send = "hello" .. FORGED }, "hold" }
    server:replies(NEXT)
    assert.equal("200 hello", fetch { server.url })
    assert.equal("200 next", fetch { server.url })
  end)

  it("behind a body that libcurl read with its headers is no answer", function()
    server:script { "request",
      { pieces = { OK .. "Content-Length: 5\r\n\r\n" } },
      { send = "hello" .. FORGED }, "hold" }
    server:replies(NEXT)
    local kind, code, out, err = support.run([[
      local http = require "curlew"
      for _ = 1, 2 do print(assert(http.fetch(arg[1])).body) end
    ]], { server.url, env = {
      LD_PRELOAD = support.build .. "/spec/late_recv.so" } })
    assert.same({ "exit", 0, "hello\nnext\n" }, { kind, code, out }, err)
  end)

  it("in the TLS record that ends a body is no answer", function()
    local certificates = support.certificates()
    local secure <close> = support.server { tls = certificates.good }
    local options = { secure.url, tls = { ca = certificates.ca } }
    secure:script { "request",
      { pieces = { OK .. "Content-Length: 5\r\n\r\n" } },
      { send = "hello" .. FORGED }, "hold" }
    secure:replies(NEXT)
    assert.equal("200 hello", fetch(options))
    assert.equal("200 next", fetch(options))
    assert.equal(2, secure:connections())
  end)
end)

-- ---- silence, and slowness ----

describe("A peer that falls silent", function()
  local points = {
    ["before its response"] = { "", "headers" },
    ["in the status line"] = { "HTTP/1.1 2", "headers" },
    ["after the status line"] = { OK, "headers" },
    ["in a header line"] = { OK .. "Content-", "headers" },
    ["before the blank line"] = { OK .. "Content-Length: 5\r\n", "headers" },
    ["after an interim response"] = { "HTTP/1.1 103 Hints\r\n\r\n", "headers" },
    ["before the body"] = { OK .. "Content-Length: 5\r\n\r\n", "body" },
    ["in the body"] = { OK .. "Content-Length: 5\r\n\r\nhel", "body" },
    ["in a chunk's size"] = { CHUNKED .. "5", "body" },
    ["in a chunk"] = { CHUNKED .. "5\r\nhel", "body" },
    ["after a chunk"] = { CHUNKED .. "5\r\nhello", "body" },
    ["in the trailers"] = { CHUNKED .. "0\r\nA: 1\r\n", "body" },
    ["in a body that only the end ends"] = { OK .. "\r\nhello", "body" },
  }
  -- The headers of a case about its body have time enough on a busy machine.
  local timeouts = { headers = { first_byte = 0.1, idle = 0.1 },
    body = { idle = 0.1 } }

  for where, point in pairs(points) do
    for way, take in pairs(ways) do
      it(("%s is a timeout there, %s"):format(where, way), function()
        server:script { "request", { send = point[1] }, "hold" }
        server:replies(NEXT)
        assert.equal("timeout " .. point[2],
          take { server.url, timeout = timeouts[point[2]] })
        assert.equal(0, http.stats().open)
        assert.is_false(kept())
      end)
    end
  end
end)

describe("A response that comes a byte at a time", function()
  local messages = {
    declared = OK .. "A: 1\r\nContent-Length: 5\r\n\r\nhello",
    ["in chunks"] = CHUNKED .. "2;a\r\nhe\r\n3\r\nllo\r\n0\r\nA: 1\r\n\r\n",
    ["after interim ones"] = ("HTTP/1.1 103 Hints\r\nLink: <a>\r\n\r\n"):rep(3)
      .. OK .. "Content-Length: 5\r\n\r\nhello",
  }
  for name, bytes in pairs(messages) do
    for way, take in pairs(ways) do
      it(("is that response: %s, %s"):format(name, way), function()
        server:script { "request", { drip = bytes },
          "request", { drip = NEXT }, "hold" }
        assert.equal("200 hello", take { server.url })
        assert.is_true(kept())
      end)
    end
  end
end)

-- ---- cut over TLS ----

-- If only the end of the connection ends a body, a close_notify shows that the
-- body is complete (truncated_spec.lua).
describe("Over TLS a cut", function()
  local open = OK .. "\r\nhel"
  local points = {
    ["in the headers"] = { OK .. "Content-", "truncated headers" },
    ["before the headers"] = { "", "closed headers" },
    ["in a declared body"] = { OK .. "Content-Length: 5\r\n\r\nhel",
      "truncated body" },
    ["in a chunk"] = { CHUNKED .. "5\r\nhel", "truncated body" },
    ["before the last chunk"] = { CHUNKED .. "5\r\nhello\r\n",
      "truncated body" },
    ["in a body without a length"] = { open, "truncated body" },
  }

  for where, point in pairs(points) do
    for ending, notified in pairs { close = "with", cut = "without" } do
      it(("%s, %s close_notify"):format(where, notified), function()
        local certificates = support.certificates()
        local secure <close> = support.server { tls = certificates.good }
        local options = { secure.url, tls = { ca = certificates.ca } }
        for _, take in pairs(ways) do
          secure:reset()
          secure:script { "request", { send = point[1] }, ending }
          secure:replies(NEXT)
          local whole = point[1] == open and ending == "close"
          assert.equal(whole and "200 hel" or point[2], take(options))
          assert.equal("200 next", fetch(options))
          assert.equal(2, secure:connections())
        end
      end)
    end
  end
end)
