--- Reading a body in every way there is: as io reads a file with the same bytes
-- in it, wherever the bytes are cut on their way; loops; what is read whole;
-- and in none of these ways is a cut body a success.

local support = require "spec.support"
local counters = require "spec.support.counters"
local http = require "curlew"
local scheduler = require "spec.support.scheduler"
local posix = support.posix

local KIB, MIB = 1024, 1024 * 1024

local server

before_each(function() server = support.server() end)
after_each(function() server:close() end)

local CHUNKED = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

local function chunk(bytes)
  return #bytes > 0 and ("%x\r\n%s\r\n"):format(#bytes, bytes) or ""
end

local function declared(body, more)
  return ("HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n%s"):format(
    more or "", #body, body)
end

-- A step that sends the body in two writes, the second of which goes out when
-- the client has taken the first.
local function in_two(body, n)
  return { pieces = { CHUNKED .. chunk(body:sub(1, n)),
    chunk(body:sub(n + 1)) .. "0\r\n\r\n" } }
end

-- One connection that answers each request with the next step.
local function serve(steps)
  local script = {}
  for i, step in ipairs(steps) do
    script[2 * i - 1], script[2 * i] = "request", step
  end
  script[#script + 1] = "hold"
  server:reset()
  server:script(script)
end

local function with_file(bytes, f)
  local file <close> = assert(io.tmpfile())
  file:write(bytes)
  file:seek("set")
  return f(file)
end

-- All results of all calls, as text: strings and numbers, floats and integers
-- are different.
local function shown(results)
  local out = {}
  for i = 1, results.n do
    local value = results[i]
    out[i] = type(value) == "string" and ("%q"):format(value)
      or math.type(value) == "float" and ("%a"):format(value)
      or tostring(value)
  end
  return table.concat(out, ", ")
end

local function read_all(file, readings)
  local out = {}
  for i, formats in ipairs(readings) do
    out[i] = shown(table.pack(file:read(table.unpack(formats))))
  end
  return table.concat(out, "; ")
end

-- ---- as io does ----

local LONG = ("0123456789abcdef"):rep(2) -- those beyond a buffer come below

local BODIES = {
  ["of 0 bytes"] = "",
  ["of 1 byte"] = "x",
  ["of a line feed"] = "\n",
  ["without a final newline"] = "one\ntwo",
  ["of empty lines"] = "\n\nx\n\n",
  ["with CRLF"] = "one\r\ntwo\r\n\r\n",
  ["with NUL"] = "a\0b\n\0\n\0",
  ["of a long line"] = "a\n" .. LONG .. "\nb",
  ["of numbers"] = "12 -7\n0x1F 1e3 .5 5. -0x.8p1\n 3",
  ["of what is nearly a number"] = "0x 1e+ 2ee - . 12abc nan",
  ["of numbers and lines"] = "10\nten\n\t20twenty\n",
}

local READINGS = {
  { {}, {}, {}, {} },
  { { "l" }, { "L" }, { "l", "L" }, { "a" } },
  { { "L", "L", "L" }, { "L" } },
  { { "n", "l", "n", "l" }, { "n" }, { "a" } },
  { { "n", "n", "n", "n" }, { "n", "n", "n" }, { 0 }, { "a" } },
  { { 1, "n" }, { "l", 2 }, { "*l", "*n", "*L" }, { "*a" } },
  { { 0, "l", 0, "n", 0, "L", 0 }, { 0 }, { "a", "a", "l" } },
  { { 3, "L" }, { 100, "l" }, { 1 } },
  { { "a", "l" }, { "n" }, { "L" }, { 0 } },
  { { "n", "a" }, { "a" } },
  { { "line", "*Line" }, { "*number", "all" } }, -- the first letter counts
}

describe("read", function()
  for name, body in pairs(BODIES) do
    it("reads a body " .. name .. " as io does, wherever it is cut", function()
      local steps, expected = {}, {}
      for n = 0, #body do
        for _ = 1, #READINGS do steps[#steps + 1] = in_two(body, n) end
      end
      for i, readings in ipairs(READINGS) do
        expected[i] = with_file(body, function(file)
          return read_all(file, readings)
        end)
      end
      serve(steps)
      for n = 0, #body do
        for i, readings in ipairs(READINGS) do
          local r <close> = assert(http.get(server.url))
          local results = read_all(r, readings)
          if results ~= expected[i] then
            assert.equal(expected[i], ("%s (reading %d, cut at %d)"):format(
              results, i, n))
          end
        end
      end
    end)
  end

  -- Numbers that are the same at each run.
  local function random_numbers(seed)
    return function(most)
      seed = (seed * 1103515245 + 12345) % 2 ^ 31
      return seed // 65536 % most + 1
    end
  end

  it("reads random numerals with random formats as io does", function()
    local random = random_numbers(42)
    local letters = "0123456789.+-eExXpPaf \n\t,"
    local formats = { "n", "n", "n", "n", "l", "L", 1, 2, 0 }
    local cases, steps = {}, {}
    for i = 1, 300 do
      local bytes, readings = {}, {}
      for j = 1, random(40) do
        local at = random(#letters)
        bytes[j] = letters:sub(at, at)
      end
      for j = 1, 6 do
        readings[j] = {}
        for k = 1, random(3) do readings[j][k] = formats[random(#formats)] end
      end
      local body = table.concat(bytes)
      cases[i] = { body = body, readings = readings }
      steps[i] = in_two(body, random(#body + 1) - 1)
    end
    serve(steps)
    for _, case in ipairs(cases) do
      local expected = with_file(case.body, function(file)
        return read_all(file, case.readings)
      end)
      local r <close> = assert(http.get(server.url))
      assert.equal(expected, read_all(r, case.readings), case.body)
      assert(r:read("a")) -- the connection is for the next one
    end
  end)

  it("takes a numeral of 200 bytes, and none of 201, as io does", function()
    for _, digits in ipairs { 199, 200, 201, 1000 } do
      local body = (" "):rep(70000) .. ("7"):rep(digits) .. " 8\n"
      local readings = { { "n" }, { "n" }, { "a" } }
      serve { { send = declared(body) } }
      local r <close> = assert(http.get(server.url))
      assert.equal(with_file(body, function(file)
        return read_all(file, readings)
      end), read_all(r, readings))
    end
  end)

  it("has a number without waiting for more than shows its end", function()
    server:script { "request", { send = CHUNKED .. chunk("42\n") }, "hold" }
    local r <close> = assert(http.get(server.url))
    assert.equal(42, r:read("n"))
  end)

  it("has a line without waiting for the next", function()
    server:script { "request", { send = CHUNKED .. chunk("one\ntw") }, "hold" }
    local r <close> = assert(http.get(server.url))
    assert.equal("one", r:read())
  end)

  it("has lines of any length, across pauses", function()
    local lines = {}
    for i = 1, 40 do
      lines[i] = ("%d"):format(i):rep(i * i * 100):sub(1, i * i * 100)
    end
    lines[41] = ("x"):rep(3 * MIB)
    serve { { send = declared(table.concat(lines, "\n")) } }
    local r <close> = assert(http.get(server.url))
    for i = 1, #lines do assert.is_true(lines[i] == r:read("l"), i) end
    assert.is_nil(r:read("l"))
  end)

  it("holds no more than usual after a long line", function()
    local body = ("x"):rep(3 * MIB) .. "\n" .. ("y"):rep(MIB)
    serve { { send = declared(body) } }
    local r <close> = assert(http.get(server.url))
    assert.equal(3 * MIB, #r:read("l"))
    assert.equal(1000, #r:read(1000))
    assert.is_true(http.leaks.open()[1].unread <= 80 * KIB)
  end)

  it("refuses a line over max_body, 256 MiB unless it is set", function()
    server:script { "request", { send = CHUNKED }, { loop = {
      { send = chunk(("x"):rep(MIB)) } } } }
    local r <close> = assert(http.get(server.url))
    local line, err = r:read("l")
    assert.is_nil(line)
    assert.same({ "too_large", "a line is over max_body, 268435456 bytes" },
      { err.code, err.message })
    assert.equal(0, http.stats().open)
  end)

  it("takes a line that is as long as may be", function()
    server:script { { loop = { "request", { send = declared("0123456789\n") },
      "request", { send = declared("0123456789") } } } }
    for _ = 1, 2 do
      local r <close> = assert(http.get(server.url, { max_body = 11 }))
      assert.equal("0123456789", r:read("l"))
    end
  end)
end)

-- ---- loops ----

local function collect(most, ...)
  local out = {}
  for a, b, c in ... do
    out[#out + 1] = shown({ a, b, c, n = 3 })
    if #out == most then break end
  end
  return table.concat(out, "; ")
end

describe("lines", function()
  local FORMATS = { {}, { "l" }, { "L" }, { "n" }, { 1 }, { 3 }, { "n", "l" },
    { "l", "L" }, { 0 }, { "a" }, { "l", 0, 1 } }

  for name, body in pairs(BODIES) do
    it("go over a body " .. name .. " as io's do, wherever it is cut",
      function()
        local steps = {}
        for n = 0, #body do
          for _ = 1, #FORMATS do steps[#steps + 1] = in_two(body, n) end
        end
        serve(steps)
        for n = 0, #body do
          for i, formats in ipairs(FORMATS) do
            local expected = with_file(body, function(file)
              return collect(30, file:lines(table.unpack(formats)))
            end)
            local r <close> = assert(http.get(server.url))
            local results = collect(30, r:lines(table.unpack(formats)))
            if results ~= expected then
              assert.equal(expected, ("%s (formats %d, cut at %d)"):format(
                results, i, n))
            end
          end
        end
      end)
  end

  it("take 250 formats, as io's do", function()
    serve { { send = declared(("x"):rep(250)) } }
    local r <close> = assert(http.get(server.url))
    local ones = {}
    for i = 1, 250 do ones[i] = 1 end
    assert.equal(250, select("#", r:lines(table.unpack(ones))()))
    ones[251] = 1
    assert.error_matches(function() r:lines(table.unpack(ones)) end,
      "too many formats")
  end)

  it("refuse a wrong format when they are made", function()
    serve { { send = declared("x") } }
    local r <close> = assert(http.get(server.url))
    assert.error_matches(function() r:lines("l", "x") end, "expected")
    assert.equal("x", r:read("a"))
  end)

  it("of http are those of the body", function()
    serve { in_two("one\n\ntwo", 2), { send = declared("") } }
    local lines = {}
    for line in http.lines(server.url) do lines[#lines + 1] = line end
    assert.same({ "one", "", "two" }, lines)
    assert.is_nil((http.lines { server.url })())
  end)

  it("of a client know its defaults #http1", function()
    serve { { send = declared("a\nb") } }
    local client <close> = http.client { base_url = server.url,
      headers = { ["X-A"] = "1" } }
    local lines = {}
    for line in client:lines("/log", { query = { n = 2 } }) do
      lines[#lines + 1] = line
    end
    assert.same({ "a", "b" }, lines)
    assert.matches("^GET /log%?n=2 .*X%-A: 1", server:request(1))
  end)

  it("can be gone on with after a loop in parentheses", function()
    serve { { send = declared("head\n\nbody") } }
    local r <close> = assert(http.get(server.url))
    for line in (r:lines()) do if line == "" then break end end
    assert.equal("body", r:read("a"))
  end)
end)

describe("chunks", function()
  it("are all of the body, as it comes", function()
    server:reset():script { "request", { send = CHUNKED .. chunk("one") },
      "wait", { send = chunk(" two") .. "0\r\n\r\n" }, "hold" }
    local r <close> = assert(http.get(server.url))
    local chunks = {}
    for piece in r:chunks() do
      chunks[#chunks + 1] = piece
      if #chunks == 1 then server:go() end
    end
    assert.same({ "one", " two" }, chunks)
  end)

  it("of an empty body are none", function()
    serve { { send = declared("") }, { send = declared("") } }
    assert.is_nil((http.chunks(server.url))())
    local r <close> = assert(http.get(server.url))
    assert.is_nil((r:chunks())())
  end)

  it("of http are those of a large body, byte for byte", function()
    local nginx = support.nginx()
    local sum, zeros = 0, ("\0"):rep(2 * MIB)
    for piece in http.chunks(nginx.http .. "/big") do
      sum = sum + #piece
      assert(#piece <= 2 * MIB and piece == zeros:sub(1, #piece)
        or sum == 100 * MIB)
    end
    assert.equal(100 * MIB, sum)
  end)

  it("are of at most 16 KiB, however much is there", function()
    local r <close> = assert(http.get(support.nginx().http .. "/big"))
    for piece in r:chunks() do
      assert(#piece > 0 and #piece <= 16 * KIB)
      if r.info.received > 10 * MIB then break end
    end
  end)
end)

describe("buffer", function()
  -- The most that was there when somebody had read a little.
  local function most_ahead(buffer)
    local r <close> = assert(http.get(support.nginx().http .. "/big",
      { buffer = buffer }))
    local most = 0
    while r.info.received < 5 * MIB and most <= 80 * KIB do
      assert(r:read(10000))
      most = math.max(most, http.leaks.open()[1].unread)
    end
    return most
  end

  it("is how much may come at once", function()
    assert.is_true(most_ahead(nil) <= 80 * KIB)
    assert.is_true(most_ahead(512 * KIB) > 80 * KIB)
    assert.is_true(most_ahead(1024) <= 80 * KIB)
  end)
end)

describe("A loop", function()
  local LARGE = "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"
    .. ("line\n"):rep(20)
  local before

  local function moved() return counters.moved(before, http.stats()) end

  local loops = {
    ["http.lines"] = function() return http.lines(server.url) end,
    ["http.chunks"] = function() return http.chunks(server.url) end,
    ["r:lines"] = function() return http.get(server.url):lines() end,
    ["r:chunks"] = function() return http.get(server.url):chunks() end,
  }

  before_each(function()
    before = http.stats()
    server:script { "request", { send = LARGE }, "hold" }
  end)

  for name, loop in pairs(loops) do
    it("over " .. name .. " that is left has released", function()
      for _ in loop() do break end -- luacheck: ignore 512
      assert.same({ opened = 1, iterator = 1 }, moved())
    end)

    it("over " .. name .. " that an error leaves has released", function()
      local ok, err = pcall(function() for _ in loop() do error(before) end end)
      assert.is_true(not ok and rawequal(before, err))
      assert.same({ opened = 1, iterator = 1 }, moved())
    end)

    it("over " .. name .. " in a coroutine that is closed has released",
      function()
        local co = coroutine.create(function()
          for _ in loop() do coroutine.yield() end
        end)
        assert(coroutine.resume(co))
        assert.equal(1, moved().open)
        assert(coroutine.close(co))
        assert.same({ opened = 1, iterator = 1 }, moved())
      end)

    it("over " .. name .. " that is never left waits for the collector",
      function()
        do
          local step = loop()
          step()
          assert.equal(1, moved().open)
        end
        collectgarbage()
        collectgarbage()
        assert.same({ opened = 1, gc = 1 }, moved())
      end)

    it("over " .. name .. " that comes to the end is nothing to be closed",
      function()
        server:reset()
        server:script { "request", { send = CHUNKED .. chunk("a\n") }, "wait",
          { send = chunk("b\n") .. "0\r\n\r\n" }, "hold" }
        for _ in loop() do server:go() end
        collectgarbage()
        collectgarbage()
        assert.same({ opened = 1, eof = 1 }, moved())
      end)

    it("over " .. name .. " raises the error object when the body is cut",
      function()
        server:reset()
        server:reply(LARGE)
        local count = 0
        local ok, err = pcall(function()
          for _ in loop() do count = count + 1 end
        end)
        assert.is_false(ok)
        assert.same({ "error", "truncated" }, { http.type(err), err.code })
        assert.is_true(count > 0)
        assert.equal(0, http.stats().open)
      end)
  end

  it("raises the error object when there is no response", function()
    local port = support.refused_port
    for _, open in ipairs { http.lines, http.chunks } do
      local ok, err = pcall(open, ("http://127.0.0.1:%d/"):format(port))
      assert.is_false(ok)
      assert.same({ "error", "connect" }, { http.type(err), err.code })
    end
  end)

  it("raises the error object of a status that is refused", function()
    server:reset()
    server:reply("HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nlost")
    local ok, err = pcall(http.lines, server.url, { check = true })
    assert.is_false(ok)
    assert.same({ "status", 404, "lost" }, { err.code, err.status, err.body })
  end)

  it("raises what is wrong with its options, at its line", function()
    local ok, err = pcall(function()
      http.lines(server.url, { timout = 1 })
    end)
    assert.is_false(ok)
    assert.matches("^spec/read_spec.lua:%d+: unknown option 'timout'", err)
  end)

  it("that was left teaches who reads on", function()
    local r = http.get(server.url)
    for _ in r:lines() do break end -- luacheck: ignore 512
    local ok, err = pcall(r.read, r, 1)
    assert.is_false(ok)
    assert.matches("closed at spec/read_spec.lua:%d+, the loop over it ended; "
      .. "to read on after a loop: for line in %(r:lines%(%)%) do$", err)
  end)

  it("over a response that was read to its end leaves it as it is", function()
    server:reset()
    server:reply(declared("a\nb"))
    local r <close> = assert(http.get(server.url))
    for _ in r:lines() do end -- luacheck: ignore 542
    assert.same({ "response", "" }, { http.type(r), r:read("a") })
  end)

  it("waits in tasks, two at once", function()
    server:reset()
    local body = { "request", { send = CHUNKED .. chunk("one\n") }, "wait",
      { send = chunk("two\n") .. "0\r\n\r\n" }, "hold" }
    server:script(body)
    server:script(body)
    local heard = {}
    local tasks <close> = scheduler()
    for i = 1, 2 do
      tasks.spawn(function()
        for line in http.lines(server.url) do
          heard[#heard + 1] = line .. i
        end
      end)
    end
    tasks.run(function() return #heard == 2 end)
    server:go(2)
    tasks.run()
    table.sort(heard)
    assert.same({ "one1", "one2", "two1", "two2" }, heard)
  end)
end)

-- ---- whole ----

describe("text and json", function()
  it("may follow each other: a body read whole is kept", function()
    serve { { send = declared('{"a":[1,2]}') } }
    local r <close> = assert(http.get(server.url))
    assert.same({ 1, 2 }, r:json().a)
    assert.equal('{"a":[1,2]}', r:text())
    assert.same({ 1, 2 }, r:json().a)
  end)

  it("keep the same string", function()
    serve { in_two(("x"):rep(100), 50) }
    local r <close> = assert(http.get(server.url))
    assert.is_true(rawequal(r:text(), r:text()))
    assert.equal("", r:read("a"))
  end)

  it("of a page are there as often as they are asked for", function()
    serve { { send = declared("[true]") } }
    local page = assert(http.fetch(server.url))
    assert.same({ { true }, { true } }, { page:json(), page:json() })
  end)
end)

describe("json", function()
  local default = http.json

  after_each(function() http.json = default end)

  local function json_of(body)
    server:reset()
    server:reply(declared(body))
    local r <close> = assert(http.get(server.url))
    return r:json()
  end

  it("keeps integers, floats, empty arrays and objects apart", function()
    local value = assert(json_of('{"i":1,"f":1.0,"e":1e2,"a":[],"o":{}}'))
    assert.same({ "integer", "float", "float" },
      { math.type(value.i), math.type(value.f), math.type(value.e) })
    assert.equal('{"a":[],"o":{}}', http.json.encode(
      { a = value.a, o = value.o }, { keyorder = { "a", "o" } }))
  end)

  it("knows null from failure, and false from both", function()
    local null, err = json_of("null")
    assert.is_true(rawequal(http.json.null, null))
    assert.is_nil(err)
    assert.is_true(rawequal(http.json.null, assert(json_of("[null]"))[1]))
    local no
    no, err = json_of("false")
    assert.same({ false, nil }, { no, err })
  end)

  it("passes over a byte order mark", function()
    assert.equal(1, json_of("\239\187\1911"))
  end)

  local wrong = {
    ["no JSON at all"] = { "<html>", "line 1, column 1" },
    ["nothing"] = { "", "the end" },
    ["an object that is cut"] = { '{"a":\n1', "line 1, column 1" },
    ["a value that is none"] = { '{"a":\n  nope}', "line 2, column 3" },
    ["two values"] = { "[1]\n\n [2]", "line 3, column 2" },
    ["a thousand brackets more than can be"] = { ("["):rep(300000), "" },
  }

  for name, case in pairs(wrong) do
    it("says where it is wrong: " .. name, function()
      local value, err = json_of(case[1])
      assert.is_nil(value)
      assert.same({ "json", "body", "GET", 200 },
        { err.code, err.phase, err.method, err.status })
      assert.is_truthy(err.message:find(case[2], 1, true), err.message)
      assert.matches("spec/read_spec.lua:%d+$", tostring(err))
      assert.equal(#case[1], err.received)
    end)
  end

  it("tells no byte of the body, nor of the query", function()
    server:reply(declared("topsecret"))
    local page = assert(http.fetch(server.url .. "/?key=topsecret"))
    local _, err = page:json()
    assert.is_nil(tostring(err):find("topsecret", 1, true))
    assert.is_nil(err.url:find("topsecret", 1, true))
  end)

  it("is the error of a body that is cut, not of its JSON", function()
    server:reply("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n[1]")
    local r <close> = assert(http.get(server.url))
    local value, err = r:json()
    assert.same({ nil, "truncated" }, { value, err.code })
  end)

  it("is lua-cjson's where a program says so", function()
    if not support.has_rock "cjson" then return end
    local cjson = require "cjson"
    http.json = cjson
    local value = assert(json_of('{"a":[1,null]}'))
    assert.equal("float", math.type(value.a[1]))
    assert.is_true(rawequal(cjson.null, value.a[2]))
    assert.is_true(rawequal(cjson.null, json_of("null")))
    assert.equal(1.0, json_of("\239\187\1911"))
    local none, err = json_of("nope")
    assert.same({ nil, "json" }, { none, err.code })
    assert.matches("character 1", err.message)
  end)

  it("is wrong where a codec gives no value: nil is always a failure",
    function()
      http.json = { decode = function() return nil end }
      local value, err = json_of("null")
      assert.same({ nil, "json" }, { value, err.code })
    end)

  it("is what a program puts there, that returns nil and a message", function()
    http.json = { decode = function(text)
      if text == "" then return nil, "nothing there" end
      return { text }
    end }
    assert.same({ "x" }, json_of("x"))
    local _, err = json_of("")
    assert.equal("the body is no JSON: nothing there", err.message)
  end)

  it("raises where http.json is no codec", function()
    for _, codec in ipairs { false, 42, {}, { decode = true } } do
      http.json = codec
      local _, message = pcall(json_of, "1")
      assert.matches("^spec/read_spec.lua:%d+: http.json: a table with "
        .. "functions", message)
    end
  end)
end)

-- ---- cut ----

describe("A cut body", function()
  local PATH = posix.mkdtemp() .. "/saved"

  local function over(iterate)
    return function(r)
      return pcall(function()
        local parts = {}
        for part in iterate(r) do parts[#parts + 1] = part end
        return table.concat(parts, "\n")
      end)
    end
  end

  local function returned(value, err)
    if value == nil then return false, err end
    return true, value
  end

  -- One read after the other, to the end.
  local function read_on(format)
    return function(r)
      local parts = {}
      while true do
        local part, err = r:read(format)
        if err then return false, err end
        if not part then return true, table.concat(parts, "\n") end
        parts[#parts + 1] = part
      end
    end
  end

  local ways = {
    ['read("a")'] = function(r) return returned(r:read("a")) end,
    ["read(3)"] = read_on(3),
    ['read("l")'] = read_on("l"),
    ['read("L")'] = read_on("L"),
    ['read("n")'] = function(r)
      local n, err = r:read("n")
      if not n then return false, err end
      local rest
      rest, err = r:read("a")
      return returned(rest and n .. rest, err)
    end,
    ["text"] = function(r) return returned(r:text()) end,
    ["json"] = function(r)
      local value, err = r:json()
      return returned(value and "12\n34\n" or nil, err)
    end,
    ["save"] = function(r)
      local file, err = r:save(PATH)
      if not file then return false, err end
      local saved <close> = assert(io.open(PATH))
      return true, saved:read("a")
    end,
    ["lines"] = over(function(r) return r:lines() end),
    ["chunks"] = over(function(r) return r:chunks() end),
  }

  local BODY = "12\n34\n"
  local messages = {
    declared = declared(BODY),
    chunked = CHUNKED .. chunk("12\n3") .. chunk("4\n") .. "0\r\n\r\n",
  }

  -- One that is larger than what is awaited with its headers.
  local function fault_of(way, url, whole)
    local r <close>, err = http.get(url)
    local ok
    if r then ok, err = way(r) else ok = false end
    if not ok and http.type(err) ~= "error" then return tostring(err) end
    if http.stats().open ~= 0 then return "left open" end
    if whole then return not ok and tostring(err) or nil end
    if ok then return "a success: " .. tostring(err) end
    if err.code ~= "truncated" and err.code ~= "closed" then
      return tostring(err)
    end
    if r then
      local again, same = r:read(1)
      if again or not rawequal(same, err) then return "another error" end
    end
  end

  for name, message in pairs(messages) do
    for way_name, way in pairs(ways) do
      -- json of two values is no JSON: it takes one
      local bytes = way_name == "json"
        and message:gsub("34\n", "  \n"):gsub("3", " "):gsub("4\n", " \n")
        or message

      for _, ending in ipairs { "close", "reset" } do
        it(("by %s at any byte is no success: %s, %s"):format(ending, name,
          way_name), function()
          local faults = {}
          for n = 0, #bytes do
            local whole = n == #bytes
            server:reset()
            server:script { "request", { pieces = { bytes:sub(1, n) } },
              whole and "hold" or ending }
            -- without its last LF a chunked message is as good as whole
            if bytes:sub(n + 1) ~= "\n" or name ~= "chunked" then
              local fault = fault_of(way, server.url, whole)
              if fault then
                faults[#faults + 1] = ("at %d: %s"):format(n, fault)
              end
            end
          end
          assert.same({}, faults)
        end)
      end
    end
  end

  it("gives the lines before the cut, and no part of the one that is cut",
    function()
      server:reply("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\none\ntwo\nth")
      local r <close> = assert(http.get(server.url))
      assert.same({ "one", "two" }, { r:read("l", "l") })
      local line, err = r:read("l")
      assert.same({ nil, "truncated" }, { line, err.code })
    end)

  it("gives no number whose end was not seen", function()
    server:reply("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n12 34")
    local r <close> = assert(http.get(server.url))
    assert.equal(12, r:read("n"))
    local n, err = r:read("n")
    assert.same({ nil, "truncated" }, { n, err.code })
  end)

  it("leaves no file", function()
    local before = posix.fds()
    server:reply("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n1234")
    local r <close> = assert(http.get(server.url))
    local folder = support.folder()
    local file, err = r:save(folder .. "/new")
    assert.same({ nil, "truncated" }, { file, err.code })
    assert.is_nil(io.open(folder .. "/new"))
    assert.is_truthy(before)
    local _, names = support.command("ls", "-A", folder)
    assert.equal("", names)
  end)
end)
