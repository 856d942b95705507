--- A response's body: read as io reads a file, held back when nobody reads,
-- never more than was allowed, and never a short success.

local support = require "spec.support"
local http = require "curlew"
local posix = support.posix

local KIB, MIB = 1024, 1024 * 1024

local server

before_each(function() server = support.server() end)
after_each(function() server:close() end)

-- Bytes that repeat with no period of a buffer's size, NUL among them.
local function pattern(size)
  local period = {}
  for i = 1, 251 do period[i] = string.char((i * 7) % 256) end
  local text = table.concat(period) .. "\0\r\n0\r\n\r\n"
  return text:rep(size // #text + 1):sub(1, size)
end

local function declared(body)
  return ("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s"):format(#body, body)
end

local function chunked(body, size)
  local out = { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" }
  for at = 1, #body, size or 1000 do
    local chunk = body:sub(at, at + (size or 1000) - 1)
    out[#out + 1] = ("%x\r\n%s\r\n"):format(#chunk, chunk)
  end
  out[#out + 1] = "0\r\n\r\n"
  return table.concat(out)
end

local function until_closed(body) return "HTTP/1.1 200 OK\r\n\r\n" .. body end

describe("read", function()
  local framings = { declared = declared, chunked = chunked,
    ["until the connection ends"] = until_closed }
  local sizes = { 0, 1, 2, 100, 16 * KIB + 1, 64 * KIB, 64 * KIB + 1,
    300 * KIB }
  -- Each is the reads of one response, each read has its formats.
  local readings = {
    { { "a" }, { "a" }, { 0 }, { 1 } },
    { { 0 }, { 0 }, { "a" }, { 0 }, { 0, "a" } },
    { { 1 }, { 1 }, { 1 }, { "a" }, { 1 } },
    { { 0, 1, 0, 99, 0 }, { "a", 0, "a" }, { "a" } },
    { { 65536, 1, "a", 1 }, { "a" } },
    { { 65537 }, { 65537 }, { 1, 1 } },
    { { 2 ^ 20 }, { 0 } },
    { { 100, 100, 100, "a", "a", 3, "a" } },
    { { "*a", 1 }, { "*a" } },
  }

  -- All results of the readings, with their number: nil counts.
  local function read_all(file, formats)
    local results = {}
    for i, each in ipairs(formats) do
      results[i] = table.pack(file:read(table.unpack(each)))
    end
    return results
  end

  local function read_file(bytes, formats)
    local file <close> = assert(io.tmpfile())
    file:write(bytes)
    file:seek("set")
    return read_all(file, formats)
  end

  -- One reason to fail, shown without megabytes.
  local function shown(results)
    local out = {}
    for i, result in ipairs(results) do
      local each = {}
      for j = 1, result.n do
        local value = result[j]
        each[j] = value and #value .. " bytes" or tostring(value)
      end
      out[i] = table.concat(each, ", ")
    end
    return table.concat(out, "; ")
  end

  for name, frame in pairs(framings) do
    for _, size in ipairs(sizes) do
      it(("reads as io does: %d bytes, %s"):format(size, name), function()
        local body = pattern(size)
        local answer = { "request", { send = frame(body) } }
        if frame == until_closed then answer[3] = "close" end
        server:script { { loop = answer } }
        for _, formats in ipairs(readings) do
          local r <close> = assert(http.get(server.url))
          local expected = read_file(body, formats)
          local results = read_all(r, formats)
          assert.equal(shown(expected), shown(results))
          assert.same(expected, results)
        end
      end)
    end
  end

  it("refuses other formats and negative numbers", function()
    server:reply(declared("body"))
    local r <close> = assert(http.get(server.url))
    for _, format in ipairs { "x", "", "\0", "*", "*\0", "**a", -1, 1.5,
      true } do
      assert.error(function() r:read(format) end)
    end
    assert.equal("body", r:read("a"))
  end)

  it("waits for the bytes it was asked for, and for no more", function()
    server:script { "request",
      { send = "HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n1234" },
      "hold" }
    local r <close> = assert(http.get(server.url))
    assert.equal("123", r:read(3))
    assert.equal("", r:read(0))
    assert.equal("4", r:read(1))
  end)

  it("has what came even when it came one byte at a time", function()
    server:script { "request", { drip = chunked("dripping", 3) }, "hold" }
    local r <close> = assert(http.get(server.url))
    assert.same({ "drip", "ping", nil }, { r:read(4), r:read(9), r:read(1) })
  end)

  it("goes on across pauses, byte for byte", function()
    local body = pattern(10 * MIB)
    server:script { "request", { send = declared(body) }, "hold" }
    local r <close> = assert(http.get(server.url))
    local pieces, sizes_read = {}, { 1, 7, 4096, 65535, 65536, 65537, 100003 }
    local i = 0
    repeat
      i = i + 1
      pieces[i] = r:read(sizes_read[i % #sizes_read + 1])
    until not pieces[i]
    assert.is_true(table.concat(pieces) == body)
  end)

  it("goes on across pauses in chunks of any size", function()
    local body = pattern(2 * MIB)
    server:script { "request", { send = chunked(body, 70001) }, "hold" }
    local r <close> = assert(http.get(server.url))
    local pieces = {}
    for i = 1, #body // 30011 + 1 do pieces[i] = assert(r:read(30011)) end
    assert.is_true(table.concat(pieces) == body)
  end)

  it("has all of what nginx serves", function()
    local nginx = support.nginx()
    for path, size in pairs { zero = 0, small = 20, ["1k"] = KIB,
      ["20k"] = 20 * KIB, ["64k"] = 64 * KIB, ["65k"] = 64 * KIB + 1 } do
      local alphabet = "abcdefghijklmnopqrstuvwxyz\n"
      local r <close> = assert(http.get(nginx.http .. "/" .. path))
      assert.is_true(r:read("a")
        == alphabet:rep(size // #alphabet + 1):sub(1, size), path)
    end
  end)

  it("has all of 100 MiB over TLS, in pieces", function()
    local nginx = support.nginx()
    local r <close> = assert(http.get(nginx.https .. "/big",
      { tls = { ca = nginx.ca } }))
    local zeros, sum, wrong = ("\0"):rep(MIB), 0, 0
    for piece in function() return r:read(MIB) end do
      sum = sum + #piece
      if piece ~= zeros then wrong = wrong + 1 end
    end
    assert.same({ 100 * MIB, 0 }, { sum, wrong })
  end)
end)

describe("An unread body", function()
  -- The most that two kernels may hold of one connection.
  local function windows()
    local sum = 0
    for _, name in ipairs { "tcp_rmem", "tcp_wmem" } do
      local file <close> = assert(io.open("/proc/sys/net/ipv4/" .. name))
      sum = sum + tonumber(file:read("a"):match("(%d+)%s*$"))
    end
    return sum
  end

  -- Lets curlew's engine run until the server has stuck: requests of another
  -- server until ten of them in a row have seen it send nothing.
  local function until_stuck()
    local other <close> = support.server()
    other:script { { loop = { "request", { send = declared("other") } } } }
    local sent, still = -1, 0
    while still < 10 do
      assert(http.fetch(other.url))
      still = server:sent() == sent and still + 1 or 0
      sent = server:sent()
    end
    return sent
  end

  local function send_for_ever()
    server:script { "request",
      { send = "HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n" },
      { loop = { { send = ("z"):rep(MIB) } } } }
  end

  it("stops its server", function()
    send_for_ever()
    local r <close> = assert(http.get(server.url))
    local sent = until_stuck()
    assert.is_true(sent <= windows() + 64 * KIB + 16 * KIB,
      sent .. " bytes sent")
    assert.equal(200, r.status)
  end)

  it("is held to 64 KiB and one receive buffer", function()
    send_for_ever()
    local r <close> = assert(http.get(server.url))
    until_stuck()
    assert.is_true(r.info.received <= 80 * KIB, r.info.received)
  end)

  it("costs next to no memory, also when much of it was read", function()
    send_for_ever()
    collectgarbage()
    local before = posix.rss()
    local r <close> = assert(http.get(server.url))
    for _ = 1, 2 * MIB // (16 * KIB) do assert(r:read(16 * KIB)) end
    until_stuck()
    collectgarbage()
    local growth = posix.rss() - before
    assert.is_true(growth < 8 * KIB, growth .. " KiB")
  end)

  it("is read on from where it was held back", function()
    local body = pattern(3 * MIB)
    server:script { "request", { send = declared(body) }, "hold" }
    local r <close> = assert(http.get(server.url))
    local first = r:read(10)
    until_stuck()
    assert.is_true(first .. r:read("a") == body)
  end)
end)

describe("text", function()
  it("is the body, as often as it is asked for", function()
    server:reply(declared("body"))
    local r <close> = assert(http.get(server.url))
    assert.same({ "body", "body" }, { r:text(), r:text() })
  end)

  it("leaves nothing for read", function()
    server:reply(declared("body"))
    local r <close> = assert(http.get(server.url))
    r:text()
    assert.same({ n = 1, "" }, table.pack(r:read("a")))
    assert.same({ n = 1, nil }, table.pack(r:read(1)))
  end)

  it("is the rest of what was read in part", function()
    server:reply(chunked("one two"))
    local r <close> = assert(http.get(server.url))
    assert.same({ "one ", "two", "two" }, { r:read(4), r:text(), r:text() })
  end)

  it("of an empty body is empty", function()
    server:reply("HTTP/1.1 204 No Content\r\n\r\n")
    local r <close> = assert(http.get(server.url))
    assert.equal("", r:text())
  end)
end)

describe("max_body", function()
  -- A body of this many bytes, of which the server sends as many as it can.
  local function send_declared(size)
    server:script { "request",
      { send = ("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"):format(size) },
      { loop = { { send = ("z"):rep(64 * KIB) } } } }
  end

  local function send_undeclared()
    server:script { "request",
      { send = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" },
      { loop = { { send = "4000\r\n" .. ("z"):rep(16 * KIB) .. "\r\n" } } } }
  end

  -- The number of bytes read in pieces before the error, and the error.
  local function read_pieces(r, size)
    local sum = 0
    repeat
      local piece, err = r:read(size)
      if not piece then return sum, err end
      sum = sum + #piece
    until sum > 4 * MIB
    return sum, { code = "none" }
  end

  it("is no hindrance to a body of that size", function()
    for _, frame in ipairs { declared, chunked } do
      server:reset()
      server:reply(frame(pattern(100)))
      local r <close> = assert(http.get(server.url, { max_body = 100 }))
      assert.equal(pattern(100), r:read("a"))
    end
  end)

  it("of 0 lets an empty body through", function()
    server:reply(declared(""))
    local page = assert(http.fetch(server.url, { max_body = 0 }))
    assert.equal("", page.body)
  end)

  for name, frame in pairs { declared = declared, chunked = chunked,
    ["until the connection ends"] = until_closed } do
    it("refuses one byte more: " .. name, function()
      server:reply(frame(pattern(101)))
      local page, err = http.fetch(server.url, { max_body = 100 })
      assert.is_nil(page)
      assert.same({ "too_large", "body" }, { err.code, err.phase })
    end)
  end

  it("refuses what is declared too large without taking it", function()
    send_declared(10 * MIB)
    local page, err = http.fetch(server.url, { max_body = MIB })
    assert.is_nil(page)
    assert.equal("too_large", err.code)
    assert.is_true(err.received <= 80 * KIB, err.received)
  end)

  it("is 256 MiB for a body that is read whole", function()
    local r <close> = assert(http.get(support.nginx().http .. "/1g"))
    local body, err = r:read("a")
    assert.is_nil(body)
    assert.equal("too_large", err.code)
    assert.is_true(err.received <= 80 * KIB, err.received)
  end)

  it("is not the limit of what HEAD declares", function()
    local page = assert(http.fetch(support.nginx().http .. "/1g",
      { method = "HEAD" }))
    assert.same({ "", 1024 * MIB }, { page.body, page.length })
  end)

  it("is also the limit of a number of bytes in one piece", function()
    local r <close> = assert(http.get(support.nginx().http .. "/1g"))
    local body, err = r:read(1024 * MIB)
    assert.is_nil(body)
    assert.equal("too_large", err.code)
  end)

  it("is no limit of what is read in pieces, unless it is set", function()
    local r <close> = assert(http.get(support.nginx().http .. "/1g"))
    local sum = 0
    while sum < 300 * MIB do sum = sum + #assert(r:read(MIB)) end
    assert.equal(300 * MIB, sum)
  end)

  it("stops an undeclared body that is read whole", function()
    send_undeclared()
    local page, err = http.fetch(server.url, { max_body = MIB })
    assert.is_nil(page)
    assert.equal("too_large", err.code)
    assert.is_true(err.received <= MIB + 16 * KIB, err.received)
  end)

  it("when set stops a body that is read in pieces", function()
    send_undeclared()
    local r <close> = assert(http.get(server.url, { max_body = MIB }))
    local sum, err = read_pieces(r, 1000)
    assert.equal("too_large", err.code)
    assert.is_true(sum <= MIB, sum)
  end)

  it("leaves the stream released", function()
    local open = http.stats().open
    send_undeclared()
    local r <close> = assert(http.get(server.url, { max_body = 100 }))
    local _, err = r:read("a")
    assert.equal("too_large", err.code)
    assert.equal(open, http.stats().open)
  end)
end)

describe("A cut", function()
  local messages = {
    declared = "HTTP/1.1 200 OK\r\nX-A: 1\r\nContent-Length: 5\r\n\r\nhello",
    chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
      .. "3\r\nhel\r\n2\r\nlo\r\n0\r\nX-T: 1\r\n\r\n",
  }

  -- Ways to take a body; each returns it, or nil and the error.
  local ways = {
    fetch = http.fetch,
    ["read(\"a\")"] = function(url, options)
      local r <close>, err = http.get(url, options)
      if not r then return nil, err end
      return r:read("a")
    end,
    ["read(2) and read(3)"] = function(url, options)
      local r <close>, err = http.get(url, options)
      if not r then return nil, err end
      local two, three
      two, err = r:read(2)
      if not two then return nil, err end
      three, err = r:read(3)
      if not three then return nil, err end
      local more
      more, err = r:read(1) -- there is no end before this says so
      if more or err then return nil, err end
      return two .. three
    end,
  }

  -- What is wrong with the outcome, or nothing.
  local function try(way, url, complete, options)
    local body, err = way(url, options)
    if complete then return not body and tostring(err) or nil end
    if body then return "a success" end
    if err.code ~= "truncated" and err.code ~= "closed" then
      return tostring(err)
    end
    if http.stats().open ~= 0 then return "left open" end
  end

  -- Without its very last LF a chunked message is as good as whole: nothing
  -- that belongs to it can come any more.
  local function undecided(message, n) return message:sub(n + 1) == "\n" end

  -- What goes wrong at any of the positions; `cut` makes the server's script
  -- of the bytes that are let through.
  local function faults(message, way, cut, peer, options)
    local found = {}
    for n = 0, #message do
      local complete, fault = n == #message, nil
      peer:reset()
      peer:script(cut(message:sub(1, n)))
      if not undecided(message, n) then
        fault = try(way, peer.url, complete, options)
      end
      if fault then found[#found + 1] = ("at %d: %s"):format(n, fault) end
    end
    return found
  end

  local function close_after(bytes)
    return { "request", { send = bytes }, "close" }
  end

  for name, message in pairs(messages) do
    for way_name, way in pairs(ways) do
      it(("at any byte is no success: %s, %s"):format(name, way_name),
        function()
          assert.same({}, faults(message, way, close_after, server))
        end)
    end

    it("by a reset at any byte is no success: " .. name, function()
      assert.same({}, faults(message, ways.fetch, function(bytes)
        local whole = bytes == message
        local ending = whole and "hold" or "reset"
        return { "request", { pieces = { bytes } }, ending }
      end, server))
    end)
  end

  it("of a body until the end of the connection is its end", function()
    server:reply(until_closed("hel"))
    assert.equal("hel", assert(http.fetch(server.url)).body)
  end)

  it("drops what was held of the bytes asked for", function()
    server:reply("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n1234")
    local r <close> = assert(http.get(server.url))
    assert.equal("12", r:read(2))
    local rest, err = r:read(3)
    assert.is_nil(rest)
    assert.equal("truncated", err.code)
    assert.is_nil((r:read(1)))
  end)

  it("is the same error each time", function()
    server:reply("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n1234")
    local r <close> = assert(http.get(server.url))
    local _, first = r:read("a")
    local _, second = r:read(1)
    local _, third = r:text()
    assert.is_true(rawequal(first, second) and rawequal(first, third))
  end)

  it("is told at the end of what came before it", function()
    server:reply("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n1234")
    local r <close> = assert(http.get(server.url))
    assert.same({ "12", "34" }, { r:read(2, 2) })
    local none, err = r:read(0)
    assert.is_nil(none)
    assert.same({ "truncated", 4 }, { err.code, err.received })
  end)

  for what, make in pairs { with = "close", without = "cut" } do
    it(("over TLS %s close_notify is no success"):format(what), function()
      local certificates = support.certificates()
      local secure <close> = support.server { tls = certificates.good }
      assert.same({}, faults(messages.chunked, ways.fetch, function(bytes)
        return { "request", { send = bytes }, make }
      end, secure, { tls = { ca = certificates.ca } }))
    end)
  end
end)

describe("A message in two pieces", function()
  local messages = {
    declared = "HTTP/1.1 200 OK\r\nX-A: 1\r\nContent-Length: 5\r\n\r\nhello",
    chunked = "HTTP/1.1 200 OK\r\nX-A: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
      .. "3;a=b\r\nhel\r\n2\r\nlo\r\n0\r\nX-T: 1\r\n\r\n",
  }

  for name, message in pairs(messages) do
    it("is one message, wherever it is split: " .. name, function()
      local wrong = {}
      for n = 1, #message - 1 do
        server:reset()
        server:script { "request",
          { pieces = { message:sub(1, n), message:sub(n + 1) } }, "hold" }
        local page, err = http.fetch(server.url)
        if not page or page.body ~= "hello" or page.headers["X-A"] ~= "1" then
          wrong[#wrong + 1] = ("at %d: %s"):format(n, page and page.body or err)
        end
      end
      assert.same({}, wrong)
    end)
  end

  it("is one message in as many pieces as bytes", function()
    server:script { "request", { drip = messages.chunked }, "hold" }
    assert.equal("hello", assert(http.fetch(server.url)).body)
  end)
end)

describe("check = true", function()
  local function refuse(body)
    server:replies(("HTTP/1.1 404 Not Found\r\nX-A: 1\r\n"
      .. "Content-Length: %d\r\n\r\n%s"):format(#body, body), declared("next"))
    return http.get(server.url, { check = true })
  end

  it("lets a 2xx through", function()
    server:reply("HTTP/1.1 299 Odd\r\nContent-Length: 2\r\n\r\nok")
    local r <close> = assert(http.get(server.url, { check = true }))
    assert.same({ 299, "ok" }, { r.status, r:read("a") })
  end)

  it("makes another status an error with what came", function()
    local r, err = refuse("no such page")
    assert.is_nil(r)
    assert.same({ "status", 404, "1", "no such page", 12 }, { err.code,
      err.status, err.headers["x-a"], err.body, err.received })
  end)

  for _, status in ipairs { 101, 300, 301, 304, 400, 500, 599, 999 } do
    it(("refuses a %d #http1"):format(status), function()
      server:reply(("HTTP/1.1 %d No\r\n\r\n"):format(status))
      local r, err = http.get(server.url, { check = true })
      assert.is_nil(r)
      assert.same({ "status", status }, { err.code, err.status })
    end)
  end

  it("keeps the first 4096 bytes of the body", function()
    local body = pattern(5000)
    local _, err = refuse(body)
    assert.is_true(err.body == body:sub(1, 4096))
  end)

  it("keeps the first 4096 bytes of a body without end", function()
    server:script { "request",
      { send = "HTTP/1.1 500 Oh\r\nTransfer-Encoding: chunked\r\n\r\n" },
      { loop = { { send = "400\r\n" .. ("z"):rep(KIB) .. "\r\n" } } } }
    local _, err = http.get(server.url, { check = true })
    assert.equal(("z"):rep(4096), err.body)
  end)

  it("keeps what came of a body that is cut", function()
    server:reply("HTTP/1.1 500 Oh\r\nContent-Length: 100\r\n\r\nhalf")
    local _, err = http.get(server.url, { check = true })
    assert.same({ "status", "half" }, { err.code, err.body })
  end)

  it("does not wait for ever for the body", function()
    server:script { "request",
      { send = "HTTP/1.1 500 Oh\r\nContent-Length: 100\r\n\r\nhalf" }, "hold" }
    local _, err = http.get(server.url, { check = true })
    assert.same({ "status", "half" }, { err.code, err.body })
  end)

  it("has nothing left open, and the connection kept", function()
    local open = http.stats().open
    refuse("no such page")
    assert.equal(open, http.stats().open)
    assert.equal("next", assert(http.fetch(server.url)).body)
    assert.equal(1, server:connections())
  end)

  it("does the same in fetch", function()
    server:reply("HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone")
    local page, err = http.fetch(server.url, { check = true })
    assert.is_nil(page)
    assert.same({ "status", 404, "none" }, { err.code, err.status, err.body })
  end)

  it("can be said by a client, and unsaid by a request", function()
    server:reply("HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone")
    local client <close> = http.client { check = true }
    assert.is_nil((client:fetch(server.url)))
    local page = assert(client:fetch(server.url, { check = false }))
    assert.equal(404, page.status)
  end)

  it("says in a sentence which status it was, and who asked #http1", function()
    local _, err = refuse("")
    assert.matches("404 Not Found", tostring(err))
    assert.matches("body_spec%.lua:%d+$", tostring(err))
  end)
end)

describe("check = a function", function()
  local function get(check, options)
    server:reply("HTTP/1.1 202 Accepted\r\nX-Good: yes\r\n"
      .. "Content-Length: 70000\r\n\r\n" .. ("z"):rep(70000))
    options = options or {}
    options.check = check
    return http.get(server.url, options)
  end

  it("gets the response, and lets it through with true", function()
    local seen
    local r <close> = assert(get(function(r)
      seen = { r.status, r.headers["x-good"] }
      return true
    end))
    assert.same({ 202, "yes" }, seen)
    assert.equal(70000, #r:read("a"))
  end)

  it("may read of it", function()
    local first
    local r <close> = assert(get(function(r)
      first = r:read(10)
      return true
    end))
    assert.equal(70000, #first + #r:read("a"))
  end)

  for _, value in ipairs { false, "nil" } do
    it("refuses it with " .. tostring(value), function()
      local open = http.stats().open
      local r, err = get(function()
        if value == false then return false end
        return nil
      end)
      assert.is_nil(r)
      assert.same({ "status", 202 }, { err.code, err.status })
      assert.equal(open, http.stats().open)
    end)
  end

  it("that raises releases it, and the error goes on", function()
    local open = http.stats().open
    local thrown = {}
    local ok, err = pcall(get, function() error(thrown) end)
    assert.is_false(ok)
    assert.is_true(rawequal(thrown, err))
    assert.equal(open, http.stats().open)
  end)

  it("that closes the response does not bring it back", function()
    local ok, err = pcall(get, function(r)
      r:close()
      return true
    end)
    assert.is_false(ok)
    assert.matches("was closed at", err)
  end)

  it("may yield in a coroutine", function()
    local task = coroutine.wrap(function()
      local r <close> = assert(get(function(r)
        return coroutine.yield(r.status)
      end))
      return r.status, #r:read("a")
    end)
    assert.equal(202, task())
    assert.same({ 202, 70000 }, { task(true) })
  end)

  it("that yields and is closed leaves nothing open", function()
    local open = http.stats().open
    local task = coroutine.create(function()
      get(function() coroutine.yield() end)
    end)
    assert(coroutine.resume(task))
    assert.equal(open + 1, http.stats().open)
    assert.is_true(coroutine.close(task))
    assert.equal(open, http.stats().open)
  end)

  it("of a client is asked, unless a request has its own", function()
    server:reply(declared("ok"))
    local asked = {}
    local client <close> = http.client { check = function()
      asked[#asked + 1] = "client's"
      return true
    end }
    assert(client:fetch(server.url))
    assert(client:fetch(server.url, { check = function()
      asked[#asked + 1] = "own"
      return true
    end }))
    assert.same({ "client's", "own" }, asked)
  end)
end)

describe("r:check()", function()
  it("is the response when its status is 2xx", function()
    server:reply(declared("body"))
    local r <close> = assert(http.get(server.url))
    assert.is_true(rawequal(r, r:check()))
    assert.equal("body", r:read("a"))
  end)

  it("is nil and the error when it is not, and releases", function()
    local open = http.stats().open
    server:reply("HTTP/1.1 404 Not Found\r\nContent-Length: 70000\r\n\r\n"
      .. ("z"):rep(70000))
    local r <close> = assert(http.get(server.url))
    local same, err = r:check()
    assert.is_nil(same)
    assert.same({ "status", 404, ("z"):rep(4096) },
      { err.code, err.status, err.body })
    assert.equal(open, http.stats().open)
  end)

  it("leaves the fields readable, and the body not", function()
    server:reply("HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone")
    local r <close> = assert(http.get(server.url))
    r:check()
    assert.equal(404, r.status)
    assert.error(function() r:read("a") end)
  end)

  it("of a page is the page, or nil and the error", function()
    server:reply(declared("body"))
    server:reply("HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone")
    local good = assert(http.fetch(server.url))
    local bad = assert(http.fetch(server.url))
    assert.is_true(rawequal(good, good:check()))
    local same, err = bad:check()
    assert.is_nil(same)
    assert.same({ "status", 404, "none" }, { err.code, err.status, err.body })
  end)
end)
