--- What becomes of json, form and multipart before the core reads them: pure
-- functions, so nothing is sent here.

local support = require "spec.support"
local form = require "curlew.form"
local http = require "curlew"
local multipart = require "curlew.multipart"
local shape = require "curlew.shape"

local HERE = debug.getinfo(1, "S").short_src

local function assert_raises(text, f, ...)
  local ok, message = pcall(f, ...)
  if ok then assert.equal("raises: " .. text, "does not raise") end
  assert.equal(text, message)
end

local function assert_raises_with(text, f, ...)
  local ok, message = pcall(f, ...)
  assert.is_false(ok)
  assert.matches(text, message, 1, true)
end

-- ---- form ----

describe("A form", function()
  local cases = {
    ["sorted by name"] = { { b = 2, a = "1", C = 3.5 }, "C=3.5&a=1&b=2" },
    ["pairs in their order"] = { { { "b", "2" }, { "a", "1" }, { "b", "0" } },
      "b=2&a=1&b=0" },
    ["pairs first, names behind"] = { { { "z", 1 }, b = 2, a = 3 },
      "z=1&a=3&b=2" },
    ["a list of values"] = { { a = { "2", "1" }, b = {} }, "a=2&a=1" },
    ["pairs whose value is a list"] = { { { "b", { 2, 1 } }, { "a", 0 } },
      "b=2&b=1&a=0" },
    ["booleans, both of them"] = { { a = true, b = false }, "a=true&b=false" },
    ["names that are numbers"] = { { { 1, "a" }, { 2.5, "b" } }, "1=a&2.5=b" },
    ["empty names and values"] = { { { "", "a" }, { "b", "" }, { "", "" } },
      "=a&b=&=" },
    ["nothing"] = { {}, "" },
    ["numbers as they count, whatever their subtype"] = {
      { a = 3.0, b = 2 ^ 53, c = 0.1, d = 0.1 + 0.2, e = -0.0, f = { 1.0 } },
      "a=3&b=9007199254740992&c=0.1&d=0.30000000000000004&e=0&f=1" },
    ["spaces as plus, plus as %2B"] = { { { "a b", "c+d" } }, "a+b=c%2Bd" },
    ["UTF-8 as its bytes"] = { { { "ä", "€" } }, "%C3%A4=%E2%82%AC" },
    ["line breaks as they are"] = { { { "a", "b\r\nc\nd" } },
      "a=b%0D%0Ac%0Ad" },
  }

  for what, case in pairs(cases) do
    it("has " .. what, function()
      assert.equal(case[2], form.encode(case[1]))
    end)
  end

  it("has each byte but WHATWG's few encoded", function()
    for byte = 0, 255 do
      local char = string.char(byte)
      local encoded = char:match("[A-Za-z0-9*%-._]") or char == " " and "+"
        or ("%%%02X"):format(byte)
      assert.equal("a=" .. encoded, form.encode { a = char })
    end
  end)

  it("is refused when it is none", function()
    local f = function() end
    local wrong = {
      { "a=b", "table expected, got string" },
      { 1, "table expected, got number" },
      { { "a" }, "{name, value} expected in a list" },
      { { { "a" } }, "{name, value} expected in a list" },
      { { { "a", "b", "c" } }, "{name, value} expected in a list" },
      { { a = f }, "a: string, number, boolean or a list expected, "
        .. "got function" },
      { { a = { {} } }, "a: string, number, boolean or a list expected, "
        .. "got table" },
      { { { f, "a" } }, "a name expected, got a function" },
      { { { true, "a" } }, "a name expected, got a boolean" },
      { { [true] = "a" }, "a name expected, got true" },
      { { [3] = { "a", "b" } }, "a name expected, got 3" },
      { { [1.5] = "a" }, "a name expected, got 1.5" },
      { { a = 1 / 0 }, "a: a finite number expected, got inf" },
      { { a = { x = 1 } }, "a: a list expected, got a table with the key x" },
      { { a = { 1, x = 2 } },
        "a: a list expected, got a table with the key x" },
    }
    for _, case in ipairs(wrong) do
      assert_raises("option 'form': " .. case[2], form.encode, case[1])
    end
    -- The length of a table with a hole is 1 or 3 (Lua manual, section 3.4.7).
    local ok, why = pcall(form.encode, { a = { 1, nil, 3 } })
    assert.is_false(ok)
    assert.matches("a: .* list expected, got ", why)
  end)
end)

-- ---- multipart ----

describe("A multipart list", function()
  local handle
  setup(function() handle = assert(io.tmpfile()) end)
  teardown(function() handle:close() end)

  it("comes out as a copy", function()
    local function producer() end
    local parts = {
      { name = "a", "text" },
      { name = "b", file = "some/where/fünf \"5\".txt", type = "text/plain" },
      { name = "c", file = handle, filename = "c.bin" },
      { name = "d", body = producer, filename = "d\r\n.bin" },
      { name = "e", "bytes\0\r\n" },
    }
    local out = multipart.parts(parts)
    assert.same({
      { name = "a", "text" },
      { name = "b", file = "some/where/fünf \"5\".txt", type = "text/plain",
        filename = "fünf \"5\".txt" },
      { name = "c", file = handle, filename = "c.bin",
        type = "application/octet-stream" },
      { name = "d", body = producer, filename = "d\r\n.bin",
        type = "application/octet-stream" },
      { name = "e", "bytes\0\r\n" },
    }, out)
    assert.is_nil(parts[2].filename)
    assert.are_not.equal(parts[1], out[1])
  end)

  it("takes numbers as text, and empty text", function()
    assert.same({ { name = "a", "1" }, { name = "b", "2.5" },
      { name = "c", "" } }, multipart.parts {
      { name = "a", 1 }, { name = "b", 2.5 }, { name = "c", "" } })
  end)

  it("takes a file's name for its filename, unless one is given", function()
    local names = { ["a.txt"] = "a.txt", ["./a.txt"] = "a.txt",
      ["/x/y/a.txt"] = "a.txt", ["a b"] = "a b", ["/"] = "/", ["x/"] = "x",
      ["\\a\\b"] = "\\a\\b", ["-"] = "-" }
    for path, name in pairs(names) do
      local out = multipart.parts { { name = "a", file = path } }
      assert.equal(name, out[1].filename)
    end
    local out = multipart.parts {
      { name = "a", file = "x/y", filename = "../z" } }
    assert.equal("../z", out[1].filename)
  end)

  it("says a type of files that libcurl knows none of", function()
    local types = { ["a.bin"] = "application/octet-stream", ["a.PDF"] = false,
      ["a"] = "application/octet-stream", ["a.html"] = false,
      ["txt"] = "application/octet-stream" }
    for name, expected in pairs(types) do
      local out = multipart.parts { { name = "a", "b", filename = name },
        { name = "a", "b", filename = name, type = "x/y" },
        { name = "a", "b" } }
      assert.same({ expected or nil, "x/y" }, { out[1].type, out[2].type })
      assert.is_nil(out[3].type)
    end
  end)

  it("is refused when it is none", function()
    local closed = io.tmpfile()
    closed:close()
    local wrong = {
      { "a", "a list of parts expected, got string" },
      { {}, "it has no part" },
      { { a = "b" }, "a list of parts expected: {{name = \"a\", \"text\"}, "
        .. "...}, got a table with [a]" },
      { { "a" }, "part 1: {name =, ...} expected, got string" },
      { { [2] = { name = "a", "b" } },
        "part 1: {name =, ...} expected, got nil" },
      { { { name = "a", "b" }, {} }, "part 2: it has no name" },
      { { { "b" } }, "part 1: it has no name" },
      { { { name = "", "b" } }, "part 1: name: it is empty" },
      { { { name = 1, "b" } }, "part 1: name: string expected, got number" },
      { { { name = "a\0b", "b" } }, "part 1: name: it holds a NUL byte" },
      { { { name = "a" } },
        "part 1: it has no content: [1], file or body expected" },
      { { { name = "a", filename = "b" } },
        "part 1: it has no content: [1], file or body expected" },
      { { { name = "a", "b", file = "c" } },
        "part 1: [1] and file: one content expected" },
      { { { name = "a", file = "c", body = print } },
        "part 1: body and file: one content expected" },
      { { { name = "a", true } },
        "part 1: [1]: string or number expected, got boolean" },
      { { { name = "a", print } },
        "part 1: [1]: string or number expected, got function" },
      { { { name = "a", file = 1 } },
        "part 1: file: a path or an open file expected, got number" },
      { { { name = "a", file = "" } }, "part 1: file: it is empty" },
      { { { name = "a", file = "b\0c" } },
        "part 1: file: it holds a NUL byte" },
      { { { name = "a", file = closed } }, "part 1: file: it is closed" },
      { { { name = "a", body = "text" } },
        "part 1: body: function expected, got string (text is [1])" },
      { { { name = "a", body = {} } },
        "part 1: body: function expected, got table" },
      { { { name = "a", "b", type = "text/plain\r\nX: y" } },
        "part 1: type: it holds a control byte" },
      { { { name = "a", "b", type = 1 } },
        "part 1: type: string expected, got number" },
      { { { name = "a", "b", filename = "c\0" } },
        "part 1: filename: it holds a NUL byte" },
      { { { name = "a", "b", filename = false } },
        "part 1: filename: string expected, got boolean" },
      { { { name = "a", "b", content_type = "text/plain" } },
        "part 1: unknown member 'content_type' (did you mean type?)" },
      { { { name = "a", value = "b" } },
        "part 1: unknown member 'value' (did you mean [1]?)" },
      { { { name = "a", "b", headers = {} } },
        "part 1: unknown member 'headers'" },
      { { { "a", "b" } }, "part 1: name, [1], file, body, filename or type "
        .. "expected, got [2]" },
    }
    for _, case in ipairs(wrong) do
      local ok, message = pcall(multipart.parts, case[1])
      assert.is_false(ok, case[2])
      local part, said = message:match("^option 'multipart': (.*)$"), case[2]
      -- which of two members is met first is not known
      if part ~= said then
        assert.equal(said, (part:gsub("file and body", "body and file")))
      end
    end
  end)
end)

-- ---- json ----

describe("The option json", function()
  local json = require "curlew.json"
  local dkjson = require "dkjson"
  local cjson = support.has_rock "cjson" and require "cjson"
  local codecs = { dkjson = json.default, ["lua-cjson"] = cjson or nil }
  local huge, f = math.huge, function() end

  local function nested(n)
    local value = {}
    for _ = 1, n - 1 do value = { value } end
    return value
  end

  local function ring()
    local t = { a = {} }
    t.a.b = { t }
    return t
  end

  local wrong = {
    { 0 / 0, "a finite number expected, got nan" },
    { -(0 / 0), "a finite number expected, got nan" },
    { huge, "a finite number expected, got inf" },
    { { a = { 1, { b = -huge } } },
      "a[2].b: a finite number expected, got -inf" },
    { { a = ring() }, "a.a.b[1]: the table holds itself" },
    { { "\xff" }, "[1]: UTF-8 expected, byte 1 of 1 is not" },
    { { a = "ok\xC0\x80" }, "a: UTF-8 expected, byte 3 of 4 is not" },
    { "\xED\xA0\x80", "UTF-8 expected, byte 1 of 3 is not" },
    { { ["a\xff\n"] = 1 },
      '["a\\xFF\\x0A"]: UTF-8 expected, byte 2 of 3 is not' },
    { { [("k"):rep(100) .. "\xff"] = 1 }, '["' .. ("k"):rep(40)
      .. '..."]: UTF-8 expected, byte 101 of 101 is not' },
    { { f = f }, "f: a value that JSON has expected, got a function" },
    { { ["a b"] = { io.stdout } },
      '["a b"][1]: a value that JSON has expected, got a userdata' },
    { coroutine.create(f), "a value that JSON has expected, got a thread" },
    { { 1, 2, a = 3 },
      "a list or an object expected, got a table that is both (a)" },
    { { n = 2, 1, 2 },
      "a list or an object expected, got a table that is both (n)" },
    { { x = { 1, nil, 3 } }, "x: a list without holes expected, [2] is nil "
      .. "(http.json.null is a null)" },
    { { [0] = 1 }, "names, or 1, 2, ..., expected as keys, got 0" },
    { { [1.5] = 1 }, "names, or 1, 2, ..., expected as keys, got 1.5" },
    { { [true] = 1 }, "names, or 1, 2, ..., expected as keys, got true" },
    { nested(1001), ("[1]"):rep(8) .. "...: deeper than 1000 tables" },
  }

  for name, codec in pairs(codecs) do
    it("refuses what JSON cannot say, and says where, by " .. name, function()
      for _, case in ipairs(wrong) do
        assert_raises("option 'json': " .. case[2], json.encode, case[1],
          codec)
      end
    end)

    it("is encoded by " .. name, function()
      local shared = { 1 }
      local values = {
        ["1"] = 1, ["1.5"] = 1.5, ["true"] = true, ["false"] = false,
        ['"a\\"€"'] = 'a"€', ["null"] = codec.null, ["[1,2]"] = { 1, 2 },
        ['{"a":{"b":[true]}}'] = { a = { b = { true } } },
        ["[[1],[1]]"] = { shared, shared },
        ["[null]"] = { codec.null }, ['{"n":2}'] = { n = 2 },
        ['[{"a":{"n":2.5}}]'] = { { a = { n = 2.5 } } },
        ['{"":""}'] = { [""] = "" },
      }
      for text, value in pairs(values) do
        assert.equal(text, json.encode(value, codec))
      end
    end)

    it("may be deep, by " .. name, function()
      local text = json.encode(nested(999), codec)
      assert.equal(("["):rep(998), text:sub(1, 998))
    end)
  end

  it("leaves to dkjson what is its own", function()
    local meta = { __tojson = function() return '"mine"' end }
    assert.equal('["mine"]', json.encode({ setmetatable({ f }, meta) },
      json.default))
    local object = setmetatable({}, { __jsontype = "object" })
    assert.equal("[{}]", json.encode({ object }, json.default))
    local ordered = setmetatable({ b = 1, a = { n = 1 } },
      { __jsonorder = { "b", "a" } })
    assert.equal('{"b":1,"a":{"n":1}}', json.encode(ordered, json.default))
  end)

  it("is what was decoded, whatever it holds", function()
    local text = '{"a":[],"b":{},"c":{"n":3},"d":[null,{"n":null}]}'
    local value = dkjson.decode(text, 1, dkjson.null)
    local again = json.encode(value, json.default)
    assert.same(value, dkjson.decode(again, 1, dkjson.null))
    assert.matches('"c":{"n":3}', again, 1, true)
    assert.matches('"b":{}', again, 1, true)
  end)

  it("names what a codec does wrong", function()
    local function with(encode) return { encode = encode } end
    assert_raises("option 'json': broken", json.encode, {},
      with(function() error("broken", 0) end))
    assert_raises("option 'json': the codec gives a nil: no", json.encode, {},
      with(function() return nil, "no" end))
    assert_raises("option 'json': the codec gives a boolean", json.encode, {},
      with(function() return true end))
    assert_raises("option 'json': the codec gives text that is no UTF-8",
      json.encode, {}, with(function() return "\xff" end))
    for _, codec in ipairs { false, 1, {}, with(1) } do
      assert_raises("http.json: a table with functions encode and decode "
        .. "expected", json.encode, {}, codec)
    end
  end)

  it("says of an encode called directly what dkjson says", function()
    assert_raises_with("reference cycle", json.default.encode, ring())
    assert.equal('{\n  "a":1\n}', json.default.encode({ a = 1 },
      { indent = true }))
  end)
end)

-- ---- on their way to the core ----

describe("Shaping a request", function()
  local function encode(value) return "<" .. tostring(value) .. ">" end

  local function shaped(...)
    local url, options = ...
    return select(2, shape.request(url, options, nil, encode))
  end

  it("makes text or a list of each word, in a table of its own", function()
    local parts = { { name = "a", "b" } }
    local cases = {
      { { json = 1 }, { json = "<1>" } },
      { { json = true, headers = {} }, { json = "<true>", headers = {} } },
      { { form = { a = "b c" } }, { form = "a=b+c" } },
      { { form = {} }, { form = "" } },
      { { multipart = parts, check = true },
        { multipart = { { name = "a", "b" } }, check = true } },
    }
    for _, case in ipairs(cases) do
      local given = {}
      for name, value in pairs(case[1]) do given[name] = value end
      assert.same(case[2], shaped("http://h/", case[1]))
      assert.same(given, case[1])
    end
  end)

  it("leaves alone what is not its own", function()
    local options = { body = "text", check = true }
    assert.equal(options, shaped("http://h/", options))
    local handle = io.stdout
    options = { file = handle, json = false, form = false, multipart = false }
    assert.same(options, shaped("http://h/", options))
  end)

  it("takes the url out of a table that holds it, and nowhere else", function()
    assert.same({ json = "<1>" }, shaped { "http://h/", json = 1 })
    assert.same({ json = "<1>" }, shaped { url = "http://h/", json = 1 })
    assert.same({ json = "<1>", url = "http://i/" },
      shaped("http://h/", { json = 1, url = "http://i/" }))
    assert.same({ url = "http://i/" },
      shaped("http://h/", { query = {}, url = "http://i/" }))
  end)

  -- No tail calls: they leave no line to name.
  local address = "http://127.0.0.1:1/"
  local doors = {
    get = function(o) assert(http.get(address, o)) end,
    fetch = function(o) assert(http.fetch(address, o)) end,
    request = function(o)
      o.url = address
      assert(http.request(o))
    end,
    client = function(o)
      local client <close> = http.client()
      assert(client:fetch(address, o))
    end,
  }

  for name, door in pairs(doors) do
    it("raises at the caller's line, by " .. name, function()
      local info = debug.getinfo(door, "S")
      local function refuses(options, text)
        local ok, message = pcall(door, options)
        assert.is_false(ok)
        local file, line, said = message:match("^(.-):(%d+): (.*)$")
        assert.equal(HERE, file)
        assert.is_true(tonumber(line) >= info.linedefined
          and tonumber(line) <= info.lastlinedefined)
        assert.equal(text, said)
      end
      refuses({ json = { a = 0 / 0 } },
        "option 'json': a: a finite number expected, got nan")
      refuses({ form = 1 }, "option 'form': table expected, got number")
      refuses({ multipart = {} }, "option 'multipart': it has no part")
      refuses({ json = 1, form = {} },
        "options 'form' and 'json': one body at most")
      refuses({ body = "x", multipart = { { name = "a", "b" } } },
        "options 'body' and 'multipart': one body at most")
      refuses({ file = "x", json = {} },
        "options 'file' and 'json': one body at most")
    end)
  end

  it("encodes with the codec that is there now", function()
    local before = http.json
    local function broken() error("by mine", 0) end
    http.json = { encode = broken, decode = broken }
    local ok, message = pcall(doors.get, { json = {} })
    http.json = 1
    local ok2, message2 = pcall(doors.get, { json = {} })
    http.json = before
    assert.is_false(ok or ok2)
    assert.matches(": option 'json': by mine$", message)
    assert.matches(": http.json: a table with functions", message2)
  end)
end)
