--- Functions as bodies: what they may do and return, when they are called, and
-- what becomes of the request.

local support = require "spec.support"
local counters = require "spec.support.counters"
local new_scheduler = require "spec.support.scheduler"
local http = require "curlew"

local OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
local KIB, MIB = 1024, 1024 * 1024

local server
local client = http.client { deadline = 10 }

before_each(function() server = support.server() end)
after_each(function() server:close() end)

local function put(body, more)
  local options = { method = "PUT", body = body }
  if type(more) ~= "table" then more = {} end -- but giver's second result
  for name, value in pairs(more) do options[name] = value end
  return client:fetch(server.url, options)
end

local function undo_chunks(text)
  local pieces, sizes, at = {}, {}, 1
  repeat
    local size, data = text:match("^(%x+)\r\n()", at)
    local n = tonumber(size, 16)
    pieces[#pieces + 1] = text:sub(data, data + n - 1)
    sizes[#sizes + 1] = n
    at = data + n + 2
  until n == 0
  return table.concat(pieces), sizes
end

-- The body of the n-th request; its head.
local function arrived(n)
  local head, body = server:request(n or 1):match("^(.-\r\n)\r\n(.*)$")
  if head:find("\r\nTransfer-Encoding: chunked\r\n", 1, true) then
    return undo_chunks(body), head
  end
  return body, head
end

-- Not assert.equal: it would print megabytes.
local function same(expected, got)
  assert.equal(#expected, #got)
  assert.is_true(expected == got, "the bytes differ")
end

-- Gives the pieces, then nil; calls after that are counted.
local function giver(pieces)
  local at, late = 0, 0
  return function()
    at = at + 1
    if at > #pieces + 1 then late = late + 1 end
    return pieces[at]
  end, function() return at, late end
end

describe("A function as body", function()
  it("gives pieces until nil, in chunks", function()
    server:reply(OK)
    local give, calls = giver { "one", "two\0", ("x"):rep(100 * KIB), "end" }
    assert.equal("ok", assert(put(give)).body)
    local body, head = arrived()
    same("onetwo\0" .. ("x"):rep(100 * KIB) .. "end", body)
    assert.is_nil(head:match("Content%-Length"))
    assert.is_nil(head:match("Expect"))
    assert.same({ 5, 0 }, { calls() })
  end)

  it("gives nothing at all", function()
    server:reply(OK)
    assert(put(function() end))
    assert.equal("", (arrived()))
  end)

  it("gives as much as its length says", function()
    local pieces = { ("a"):rep(70 * KIB), "b", ("c"):rep(3 * MIB) }
    local whole = table.concat(pieces)
    for i, more in ipairs { "", "d" } do
      pieces[4] = more ~= "" and more or nil
      server:reply(OK)
      local give, calls = giver(pieces)
      assert(put(give, { length = #whole + #more }))
      local body, head = arrived(i)
      same(whole .. more, body)
      assert.matches("\r\nContent%-Length: " .. #whole + #more .. "\r\n", head)
      assert.same({ #pieces + 1, 0 }, { calls() })
    end
  end)

  it("with a length has its answer, however large that is", function()
    server:reply("HTTP/1.1 200 OK\r\nContent-Length: " .. MIB .. "\r\n\r\n"
      .. ("x"):rep(MIB))
    local r <close> = assert(client:put(server.url, {
      body = giver { "text" }, length = 4 }))
    assert.equal(MIB, #r:text())
  end)

  for _, case in ipairs {
    { "too few bytes", { "abc" }, 4, "gave 3 bytes where its length is 4" },
    { "none", {}, 4, "gave 0 bytes where its length is 4" },
    { "too many bytes", { "abc", "de" }, 4, "more bytes than its length of 4" },
    { "a piece too many", { "abcd", "e" }, 4, "more bytes than its length" },
    { "a large piece too many", { ("a"):rep(MIB), "b" }, MIB,
      "more bytes than its length" },
  } do
    it("that gives " .. case[1] .. " for its length is an error", function()
      server:script { "request", { send = OK }, "close" }
      local page, err = put(giver(case[2]), { length = case[3] })
      assert.is_nil(page)
      assert.same({ "cancelled", "send", false },
        { err.code, err.phase, err.retryable })
      assert.matches(case[4], err.message, 1, true)
      assert.same({}, server:requests()) -- it never came whole
    end)
  end

  it("may be a coroutine's", function()
    server:reply(OK)
    assert(put(coroutine.wrap(function()
      for i = 1, 5 do coroutine.yield("piece " .. i .. "\n") end
    end)))
    assert.matches("^piece 1\n.*piece 5\n$", (arrived()))
  end)

  it("may be an iterator of a file's lines", function()
    server:reply(OK)
    assert(put(io.lines("Makefile", "L")))
    local file <close> = assert(io.open("Makefile"))
    same(file:read("a"), (arrived()))
  end)

  it("runs in the coroutine that asked, with its upvalues", function()
    server:reply(OK)
    local seen, here
    local co = coroutine.wrap(function()
      here = coroutine.running()
      return put(function()
        if seen then return nil end
        seen = coroutine.running()
        return "text"
      end)
    end)
    assert(co())
    assert.equal(here, seen)
  end)

  it("may yield in a coroutine that is no task", function()
    server:reply(OK)
    local count = 0
    local co = coroutine.create(function()
      return put(function()
        count = count + 1
        return count <= 3 and coroutine.yield("asked " .. count) or nil
      end)
    end)
    local _, said = coroutine.resume(co)
    assert.equal("asked 1", said)
    for i = 1, 2 do
      _, said = coroutine.resume(co, "piece" .. i)
      assert.equal("asked " .. i + 1, said)
    end
    local ok, page = coroutine.resume(co, "piece3")
    assert.is_true(ok)
    assert.equal("ok", page.body)
    assert.equal("piece1piece2piece3", (arrived()))
  end)

  it("may collect garbage", function()
    server:reply(OK)
    local left = 4
    assert(put(function()
      collectgarbage()
      left = left - 1
      return left > 0 and tostring(left):rep(200 * KIB) or nil
    end))
    same(("3"):rep(200 * KIB) .. ("2"):rep(200 * KIB) .. ("1"):rep(200 * KIB),
      (arrived()))
  end)

  it("may have its options changed under it", function()
    server:reply(OK)
    local options = { method = "PUT" }
    local give = giver { "one", "two" }
    options.body = function()
      options.body = nil
      return give()
    end
    assert(client:fetch(server.url, options))
    assert.equal("onetwo", (arrived()))
  end)

  it("may be part of a form", function()
    server:reply(OK)
    assert(client:fetch(server.url, { method = "POST", multipart = {
      { name = "a", body = giver { "one", "", "two" } },
      { name = "b", body = giver { ("x"):rep(MIB) } },
      { name = "c", body = giver { "three" } },
      { name = "d", body = function() end },
    } }))
    local body = arrived()
    assert.matches("\r\n\r\nonetwo\r\n", body, 1, true)
    assert.matches("\r\n\r\n" .. ("x"):rep(MIB) .. "\r\n", body, 1, true)
    assert.matches("\r\n\r\nthree\r\n", body, 1, true)
    assert.matches("name=\"d\"\r\n\r\n\r\n", body, 1, true)
  end)

  it("is not called before there is a connection", function()
    local called = 0
    local port = support.refused_port
    local page, err = client:fetch(("http://127.0.0.1:%d/"):format(port),
      { method = "PUT", body = function() called = called + 1 end })
    assert.is_nil(page)
    assert.equal("connect", err.code)
    assert.is_true(err.retryable)
    assert.equal(0, called)
  end)

  it("is not copied whole, however large its pieces are", function()
    local piece = ("x"):rep(16 * MIB)
    server:script { "head", { take = 16 * MIB }, { loop = { { take = 1 } } } }
    server:reset()
    server:script { "head", "hold" }
    collectgarbage()
    local left, most = 3, 0
    local before = support.posix.rss()
    local page, err = put(function()
      most = math.max(most, support.posix.rss() - before)
      left = left - 1
      return left >= 0 and piece or nil
    end, { timeout = { first_byte = 0.1 } })
    assert.is_nil(page)
    assert.equal("timeout", err.code)
    assert.equal(-1, left)
    assert.is_true(most < 4 * MIB, ("%d bytes more"):format(most))
  end)
end)

describe("A function that has a say", function()
  it("raises: the error is the caller's, unchanged", function()
    for _, value in ipairs { "text", { "a table" }, 42, false } do
      server:script { "head", "hold" }
      local before = http.stats()
      local ok, err = pcall(put, function() error(value, 0) end)
      assert.is_false(ok)
      assert.equal(value, err)
      assert.same({ opened = 1, error = 1 },
        counters.moved(before, http.stats()))
    end
    server:script { "head", "hold" }
    local ok, err = pcall(put, function() error(nil) end)
    assert.same({ pcall(error) }, { ok, err })
  end)

  it("raises after a yield, and in a coroutine that dies of it", function()
    server:script { "head", "hold" }
    local before = http.stats()
    local value = {}
    local co = coroutine.create(function()
      return put(function()
        coroutine.yield()
        error(value)
      end)
    end)
    assert.is_true(coroutine.resume(co))
    local ok, err = coroutine.resume(co)
    assert.same({ false, true }, { ok, err == value })
    assert.same({ opened = 1, error = 1 }, counters.moved(before, http.stats()))
  end)

  it("gives up with nil and why: nothing more is asked", function()
    server:script { "head", "hold" }
    local before = http.stats()
    local calls = 0
    local page, err = put(function()
      calls = calls + 1
      if calls == 1 then return "begun" end
      return nil, "the disk is gone"
    end)
    assert.is_nil(page)
    assert.same({ "cancelled", "send", false },
      { err.code, err.phase, err.retryable })
    assert.matches("the disk is gone", err.message, 1, true)
    assert.equal(2, calls)
    assert.same({ opened = 1, error = 1 }, counters.moved(before, http.stats()))
  end)

  it("gives up with what another request failed of", function()
    server:script { "head", "hold" }
    local page, err = put(function()
      return client:fetch("http://127.0.0.1:1/")
    end)
    assert.is_nil(page)
    assert.equal("cancelled", err.code)
    assert.matches("connect", err.message)
  end)

  it("returns what is no piece: that raises, at the caller's line", function()
    for _, value in ipairs { true, false, 5, {}, print } do
      server:script { "head", "hold" }
      local before = http.stats()
      local ok, err = pcall(put, function() return value end)
      assert.is_false(ok)
      assert.matches("producer_spec%.lua:%d+: .*returned a " .. type(value)
        .. "; string or nil expected", err)
      assert.same({ opened = 1, error = 1 },
        counters.moved(before, http.stats()))
    end
  end)

  it("says \"\" for nothing yet, and is not called all the time", function()
    server:script { "request", { send = OK }, "close" }
    local calls, posix = 0, support.posix
    local began = posix.monotonic()
    assert(put(function()
      calls = calls + 1
      if posix.monotonic() - began < 0.2 then return "" end
      return calls > 0 and calls < 1e6 and (function()
        calls = 1e6 + calls
        return "text"
      end)() or nil
    end))
    assert.equal("text", (arrived()))
    assert.is_true(calls - 1e6 < 100, calls .. " calls")
  end)

  it("lets others go on while it has nothing", function()
    server:script { "request", { send = OK }, "close" }
    local other <close> = support.server()
    other:reply(OK)
    local scheduler <close> = new_scheduler()
    local page, others
    scheduler.spawn(function()
      page = assert(put(function()
        if not others then return "" end
        if others == "told" then return nil end
        others = "told"
        return "text"
      end))
    end)
    scheduler.spawn(function()
      others = assert(client:fetch(other.url)).body
    end)
    scheduler.run(function() return page end)
    assert.equal("text", (arrived()))
  end)

  -- The server has each piece before the next is asked for.
  it("has its pieces sent before it is called again", function()
    server:script { "head", { take = 8 }, { take = 8 }, { take = 5 },
      { send = OK }, "close" }
    local calls = 0
    local page = assert(put(function()
      calls = calls + 1
      if calls > 1 then
        assert.equal("3\r\nab" .. calls - 1 .. "\r\n", server:request(calls))
      end
      return calls < 3 and "ab" .. calls or nil
    end))
    assert.equal("ok", page.body)
  end)

  it("closes its client", function()
    server:script { "head", "hold" }
    local one = http.client { deadline = 10 }
    local page, err = one:fetch(server.url, { method = "PUT", body = function()
      one:close()
      return "text"
    end })
    assert.is_nil(page)
    assert.equal("cancelled", err.code)
    assert.matches("client was closed", err.message)
  end)

  it("is not called after an error of the peer's", function()
    server:script { "head", { take = 8 }, "reset" }
    local calls = 0
    local page, err = put(function()
      calls = calls + 1
      return ("x"):rep(MIB)
    end)
    assert.is_nil(page)
    assert.same({ "closed", false }, { err.code, err.retryable })
    assert.is_true(calls < 100)
  end)

  it("is not begun again by a redirect or a retry", function()
    server:reply("HTTP/1.1 307 Temporary Redirect\r\nLocation: /there\r\n"
      .. "Content-Length: 0\r\n\r\n")
    local page, err = put(giver { "text" })
    assert.is_nil(page)
    assert.same({ "closed", false }, { err.code, err.retryable })
    assert.equal(1, server:connections())
    -- another server: the connection to the first is closed, now or soon
    local other <close> = support.server()
    other:reply("HTTP/1.1 503 Later\r\nContent-Length: 0\r\n\r\n")
    page = assert(client:fetch(other.url, { method = "PUT", retry = 3,
      body = giver { "text" } }))
    assert.equal(503, page.status)
    assert.equal(1, other:connections())
  end)

  -- A connection from before, which ends when the head and so many bytes of
  -- the body have come, and another.
  local function ends_after(bytes, ...)
    server:script { "request", { send = OK }, "head", { take = bytes }, ... }
    server:script { "request", { send = OK }, "hold" }
    assert(client:fetch(server.url))
  end

  for name, length in pairs { ["in chunks"] = false, ["of its length"] = 4 } do
    it("is not called again where its only piece is sent again, " .. name,
      function()
        ends_after(length or 9, "close")
        local give, calls = giver { "text" }
        local page = assert(put(give, { length = length or nil }))
        assert.equal("ok", page.body)
        assert.equal("text", (arrived(4)))
        assert.same({ 2, 0 }, { calls() })
      end)
  end

  it("goes on behind its first piece where that is sent again", function()
    ends_after(10, "reset")
    local pieces, given = { "first", "second" }, 0
    local page = assert(put(function()
      if given == 1 and server:connections() < 2 then return "" end
      given = given + 1
      return pieces[given]
    end))
    assert.equal("ok", page.body)
    assert.equal("firstsecond", (arrived(4)))
  end)

  it("is not begun again while it is at its second piece", function()
    ends_after(10, "wait", "reset")
    local pieces, given = { "first", "second", "third" }, 0
    local function closed() return http.stats().connections.closed end
    local before = closed()
    local page, err = put(function()
      given = given + 1
      if given == 2 then server:go() end
      while given == 2 and closed() == before do http.sleep(0.001) end
      return pieces[given]
    end)
    assert.is_nil(page)
    assert.same({ "closed", false }, { err.code, err.retryable })
    assert.equal(3, #server:requests())
  end)

  it("of which a second piece has come is not sent again", function()
    ends_after(19, "close")
    local page, err = put(giver { "text", "more", "rest" })
    assert.is_nil(page)
    assert.same({ "closed", false }, { err.code, err.retryable })
    assert.matches("its body can be read only once", err.message, 1, true)
    assert.equal(3, #server:requests())
  end)

  it("is left behind by a redirect to GET", function()
    server:reply("HTTP/1.1 303 See Other\r\nLocation: /there\r\n"
      .. "Content-Length: 0\r\n\r\n")
    server:reply(OK)
    local give, calls = giver { "text" }
    assert.equal("ok", assert(put(give)).body)
    assert.equal(0, select(2, calls()))
    assert.matches("^GET /there ", (select(2, arrived(2))))
  end)
end)

describe("A function that waits", function()
  it("may make requests itself", function()
    server:script { "request", { send = OK }, "close" }
    local other <close> = support.server()
    other:replies(OK, OK, OK)
    local left = 3
    assert(put(function()
      left = left - 1
      return left >= 0 and assert(client:fetch(other.url)).body or nil
    end))
    assert.equal("okokok", (arrived()))
  end)

  it("in a task, while another goes on", function()
    server:script { "request", { send = OK }, "close" }
    local other <close> = support.server()
    other:script { "request", "wait", { send = OK }, "close" }
    local third <close> = support.server()
    third:reply(OK)
    local scheduler <close> = new_scheduler()
    local page, ran
    scheduler.spawn(function()
      local asked
      page = assert(put(function()
        if asked then return nil end
        asked = assert(client:fetch(other.url)).body
        return asked
      end))
    end)
    scheduler.spawn(function()
      ran = assert(client:fetch(third.url)).body
      other:go()
    end)
    scheduler.run(function() return page end)
    assert.same({ "ok", "ok" }, { ran, page.body })
    assert.equal("ok", (arrived()))
  end)

  it("longer than the idle limit, which is the peer's", function()
    server:script { "request", { send = OK }, "close" }
    local other <close> = support.server()
    other:script { "request", "wait", { send = OK }, "close" }
    local limit = { idle = 0.3, first_byte = 0.3 }
    local left, posix = 3, support.posix
    local page, err = put(function()
      left = left - 1
      if left == 2 then posix.nap(0.9) end -- blocks
      if left == 1 then -- waits
        local r, why = client:fetch(other.url, { timeout = 0.9 })
        assert(not r and why.code == "timeout")
        other:go()
      end
      return left >= 0 and "x" or nil
    end, { timeout = limit })
    assert(page, err)
    assert.equal("xxx", (arrived()))
  end)

  it("says \"\" for longer than the idle limit", function()
    server:script { "request", { send = OK }, "close" }
    local posix = support.posix
    local began, given = posix.monotonic(), false
    local page, err = put(function()
      if posix.monotonic() - began < 0.3 then return "" end
      given = not given
      return given and "x" or nil
    end, { timeout = { idle = 0.1 } })
    assert(page, err)
  end)

  it("not beyond the deadline", function()
    server:script { "head", "hold" }
    local page, err = put(function() return "" end, { deadline = 0.1 })
    assert.is_nil(page)
    assert.same({ "timeout", "send" }, { err.code, err.phase })
  end)

  it("and whose task is closed: the response is released", function()
    server:script { "head", "hold" }
    local other <close> = support.server()
    other:script { "request", "hold" }
    local scheduler <close> = new_scheduler()
    local before = http.stats()
    local task = scheduler.spawn(function()
      put(function() return client:fetch(other.url) end)
    end)
    repeat scheduler.round(0.01) until #other:requests() == 1
    assert.is_true(coroutine.close(task))
    scheduler.forget()
    assert.same({ opened = 2, tbc = 2 }, counters.moved(before, http.stats()))
  end)
end)

describe("An answer that comes before the end", function()
  local TOO_LARGE = "HTTP/1.1 413 Content Too Large\r\n"
    .. "Content-Length: 9\r\n\r\ntoo large"

  it("ends the upload of a function that has nothing yet", function()
    for _, first in ipairs { "", "begun" } do
      server:script { "head", { send = TOO_LARGE }, "wait" }
      local calls = 0
      local page, err = put(function()
        calls = calls + 1
        return calls == 1 and first or ""
      end, { timeout = { idle = 2 } })
      assert(page, err)
      assert.same({ 413, "too large" }, { page.status, page.body })
      server:go()
    end
  end)

  it("is asked of no more", function()
    server:script { "head", { take = 8 }, { send = TOO_LARGE }, "wait" }
    local calls, answered = 0, nil
    local page = assert(put(function()
      calls = calls + 1
      if answered then answered = answered + 1 end
      if calls == 2 then
        server:request(2)
        answered = 0
      end
      return calls == 1 and "abc" or ""
    end))
    assert.equal(413, page.status)
    assert.is_true((answered or 0) <= 3, (answered or 0) .. " calls")
    server:go()
  end)

  it("and accepts lets the function go on to its end", function()
    server:script { { send = OK }, "request", "close" }
    local give, calls = giver { "one", "", "two", ("x"):rep(MIB) }
    assert.equal("ok", assert(put(give)).body)
    same("onetwo" .. ("x"):rep(MIB), (arrived()))
    assert.same({ 5, 0 }, { calls() })
  end)

  it("and accepts may be larger than what is held", function()
    server:script { { send = "HTTP/1.1 200 OK\r\nContent-Length: " .. MIB
      .. "\r\n\r\n" .. ("y"):rep(MIB) }, "request", "close" }
    local page = assert(put(giver { "one", "", "two" }))
    assert.equal(MIB, #page.body)
    assert.equal("onetwo", (arrived()))
  end)

  it("and accepts costs no rounds while the function waits", function()
    server:script { "head", { take = 8 }, { send = OK }, "request", "hold" }
    local scheduler <close> = new_scheduler()
    local calls, rounds, slept, page = 0, 0, false, nil
    scheduler.spawn(function()
      page = assert(put(function()
        calls = calls + 1
        if calls == 1 then return "piece" end
        if slept then return nil end
        slept = server:sent() == #OK
        if slept then http.sleep(0.1) end
        return ""
      end))
    end)
    repeat rounds = rounds + 1 until not scheduler.round()
    assert.equal("ok", page.body)
    assert.is_true(rounds < 200, rounds .. " rounds")
  end)

  -- libcurl gives the upload up at the end of such an answer, without a word.
  local ends = {
    ["of its length"] = { 70000, "Content-Length: 70000\r\n" },
    ["of the connection"] = { 7000, "" },
  }
  for name, case in pairs(ends) do
    it("and accepts, and closes, is read to the end " .. name, function()
      local length, field = table.unpack(case)
      local answer = "HTTP/1.1 200 OK\r\nConnection: close\r\n" .. field
        .. "\r\n" .. ("y"):rep(length)
      server:script { "head", { take = 8 }, { send = answer }, "close" }
      local calls = 0
      local page = assert(put(function()
        calls = calls + 1
        if calls > 1 and server:sent() < #answer then return "" end
        return calls < 1000 and "piece" or nil
      end))
      assert.equal(length, #page.body)
      assert.is_true(calls < 1000)
    end)
  end
end)

describe("Whatever the sizes of its pieces", function()
  it("a function's bytes arrive, and nothing is left open", function()
    local REQUESTS = 300
    local SIZES = { 0, 1, 10, 1000, 16 * KIB, 64 * KIB, 64 * KIB + 1,
      300 * KIB }
    local answers = {}
    for i = 1, REQUESTS do answers[i] = OK end
    server:replies(table.unpack(answers))
    local before = http.stats()
    math.randomseed(20261125)
    for i = 1, REQUESTS do
      local pieces, total = {}, 0
      for n = 1, math.random(0, 8) do
        local size = math.random(0, SIZES[math.random(#SIZES)])
        pieces[n] = string.char(math.random(0, 255)):rep(size)
        total = total + size
      end
      local more = math.random(2) == 1 and { length = total } or {}
      if math.random(4) == 1 then
        more = { method = "POST", multipart = { { name = "a", "x" },
          { name = "b", body = (giver(pieces)) } } }
      else
        more.body = giver(pieces)
      end
      assert.equal("ok", assert(put(nil, more)).body)
      local whole, body = table.concat(pieces), arrived(i)
      if more.multipart then
        body = body:match("name=\"b\"\r\n\r\n(.*)\r\n%-%-.-$")
      end
      same(whole, body)
    end
    local moved = counters.moved(before, http.stats())
    assert.equal(REQUESTS, moved.opened)
    assert.is_nil(moved.open)
    assert.equal(1, server:connections())
  end)
end)

describe("Over HTTP/2", function()
  local echo
  setup(function()
    echo = support.nghttpd(support.folder(), "--echo-upload")
  end)
  teardown(function() echo:close() end)

  local function sent(options)
    options.method, options.http_version = options.method or "PUT", "2"
    options.tls, options.deadline = { ca = support.certificates().ca }, 20
    local page = assert(http.fetch(echo.url .. "/echo", options))
    assert.equal("2", page.http_version)
    return page.body
  end

  it("pieces of any size arrive", function()
    local whole = ("x"):rep(3 * MIB)
    for _, size in ipairs { 1000, 16 * KIB, 64 * KIB, MIB, 3 * MIB } do
      local at = 1
      same(whole, sent { body = function()
        local piece = whole:sub(at, at + size - 1)
        at = at + size
        return piece ~= "" and piece or nil
      end })
      at = 1
      same(whole, sent { length = #whole, body = function()
        local piece = whole:sub(at, at + size - 1)
        at = at + size
        return piece ~= "" and piece or nil
      end })
    end
  end)

  it("a function may have nothing yet, wait, and begin late", function()
    server:replies(OK, OK, OK)
    same("oneoktwo", sent { body = giver { "", "one", "", "ok", "", "two" } })
    local left = 3
    same("okokok", sent { body = function()
      left = left - 1
      return left >= 0 and assert(client:fetch(server.url)).body or nil
    end })
    same("", sent { body = function() end })
  end)

  it("texts, files and forms arrive", function()
    for _, size in ipairs { 0, 1, 64 * KIB, 64 * KIB + 1, 5 * MIB } do
      same(("x"):rep(size), sent { body = ("x"):rep(size) })
    end
    local file <close> = assert(io.open("Makefile"))
    same(file:read("a"), sent { file = "Makefile" })
    local body = sent { method = "POST", multipart = {
      { name = "a", body = giver { "", "one", "", "two" } },
      { name = "b", file = "Makefile" },
    } }
    assert.matches("\r\n\r\nonetwo\r\n", body, 1, true)
  end)

  it("an early refusal ends what goes on and what has nothing yet", function()
    local nginx = support.nginx()
    local piece = ("x"):rep(64 * KIB)
    for _, give in ipairs {
      function() return piece end, function() return "" end,
      (giver { piece, "", "", "", "", "", "", "", "", "", "", "", "" }),
    } do
      local page, err = http.fetch(nginx.https2 .. "/status/413", {
        method = "PUT", body = give, http_version = "2", deadline = 10,
        tls = { ca = nginx.ca } })
      assert(page, err)
      assert.same({ 413, "status 413\n" }, { page.status, page.body })
    end
  end)

  it("a function may raise or give up, and the connection stays", function()
    same("text", sent { body = giver { "text" } })
    local before = http.stats()
    local value = {}
    local ok, err = pcall(sent, { body = function() error(value) end })
    assert.same({ false, true }, { ok, err == value })
    local opened = http.stats().connections.opened
    same("text", sent { body = giver { "text" } })
    assert.equal(opened, http.stats().connections.opened)
    assert.same({ error = 1, eager = 1, opened = 2 },
      counters.moved(before, http.stats()))
  end)
end)
