--- Numbers as text: JSON, forms, queries, parts and header lines carry the
-- number that the program gave, in every locale.

local form = require "curlew.form"
local http = require "curlew"
local json = require "curlew.json"
local multipart = require "curlew.multipart"
local support = require "spec.support"

-- Doubles of all sizes, the same in each run.
local function some_floats()
  local floats, seed = {}, 42
  local function random()
    seed = (seed * 6364136223846793005 + 1442695040888963407)
    return seed
  end
  for _ = 1, 2000 do
    local float = string.unpack("d", string.pack("j", random()))
    if float - float == 0 then floats[#floats + 1] = float end
    floats[#floats + 1] = (random() >> 11) / 2.0 ^ 53
    floats[#floats + 1] = 1.7e9 + (random() >> 40) / 1000
  end
  return floats
end

local fixed = {
  { 1 / 3, "0.3333333333333333" }, { 0.1 + 0.2, "0.30000000000000004" },
  { math.pi, "3.141592653589793" }, { 1788000000.123456, "1788000000.123456" },
  { 48.858370123456789, "48.85837012345679" }, { 5e-324, "5e-324" },
  { 0.1, "0.1" }, { -2.5, "-2.5" }, { 1e100, "1e+100" }, { 1e23, "1e+23" },
  { 2.2250738585072014e-308, "2.2250738585072014e-308" },
  { 1.7976931348623157e308, "1.7976931348623157e+308" },
}

local whole = {
  { 2, "2" }, { 2.0, "2" }, { -7.0, "-7" }, { 2 ^ 53, "9007199254740992" },
  { (1 << 53) + 1, "9007199254740993" }, { 1e15, "1000000000000000" },
  { math.maxinteger, "9223372036854775807" },
  { math.mininteger, "-9223372036854775808" }, { -0.0, "0" },
}

local function decoded(text)
  return (text:gsub("%%(%x%x)", function(hex)
    return string.char(tonumber(hex, 16))
  end))
end

-- Functions that write one number in each format.
local writers = {}

function writers.form(n)
  return decoded(form.encode { a = n }:match("^a=(.*)$"))
end

function writers.query(n)
  return decoded(form.query { a = n }:match("^a=(.*)$"))
end

writers["a form's name"] = function(n)
  return decoded(form.encode { { n, "" } }:match("^(.*)=$"))
end

function writers.multipart(n)
  return multipart.parts({ { name = "a", n } })[1][1]
end

describe("A number", function()
  for name, write in pairs(writers) do
    it("has the shortest text that reads back as it, by " .. name, function()
      for _, case in ipairs(fixed) do assert.equal(case[2], write(case[1])) end
      for _, case in ipairs(whole) do assert.equal(case[2], write(case[1])) end
      for _, float in ipairs(some_floats()) do
        local text = write(float)
        assert.is_true(tonumber(text) == float, text)
        local digits = text:match("^-?([%d.]+)"):gsub("%.", ""):gsub("^0+", "")
        assert.is_true(#digits <= (text:find("[.e]") and 17 or 19), text)
      end
    end)
  end

  it("has the same text in a header line", function()
    local server <close> = support.server()
    server:reply("HTTP/1.1 204 No Content\r\n\r\n")
    local list, lines = {}, {}
    local function add(name, cases)
      for _, case in ipairs(cases) do
        list[#list + 1] = { name, case[1] }
        lines[#lines + 1] = ("\r\n%s: %s\r\n"):format(name, case[2])
      end
    end
    add("X-Fixed", fixed)
    add("X-Whole", whole)
    local r <close> = assert(http.get(server.url, { headers = list }))
    local sent = server:request(1)
    for _, line in ipairs(lines) do assert.matches(line, sent, 1, true) end
    assert.equal(fixed[1][2], r.request.headers["X-Fixed"]:match("^[^,]*"))
  end)

  it("that is not finite is refused in a header line and in a part", function()
    for n, text in pairs { [1 / 0] = "inf", [-1 / 0] = "-inf" } do
      local ok, message = pcall(multipart.parts, { { name = "a", n } })
      assert.is_false(ok)
      assert.matches("part 1: [1]: a finite number expected, got " .. text,
        message, 1, true)
      ok, message = pcall(http.get, "http://127.0.0.1:1/",
        { headers = { ["X-A"] = n } })
      assert.is_false(ok)
      assert.matches("field 'X-A': a finite number expected", message, 1, true)
    end
  end)
end)

describe("A number in JSON", function()
  local function encode(value) return json.encode(value, json.default) end

  it("stays what it is", function()
    for _, case in ipairs(fixed) do
      assert.equal(case[2], encode(case[1]))
    end
    local same = {
      { 2, "2" }, { 2.0, "2.0" }, { -0.0, "-0.0" }, { 1e15, "1e+15" },
      { 2 ^ 53, "9007199254740992.0" }, { (1 << 53) + 1, "9007199254740993" },
      { math.maxinteger, "9223372036854775807" },
    }
    for _, case in ipairs(same) do
      local text = encode(case[1])
      assert.equal(case[2], text)
      assert.equal(math.type(case[1]), math.type(json.default.decode(text)))
    end
  end)

  it("reads back, wherever it stands", function()
    local floats = some_floats()
    assert.same(floats, json.default.decode(encode(floats)))
    local third = 1 / 3
    assert.equal("0.3333333333333333", encode(third))
    assert.equal('{"n":0.3333333333333333}', encode { n = third })
    assert.equal('{"a":[{"b":[0.3333333333333333,1]}]}',
      encode { a = { { b = { third, 1 } } } })
    local shared = { third }
    assert.equal("[[0.3333333333333333],[0.3333333333333333]]",
      encode { shared, shared })
  end)

  it("leaves the tables of the program as they were", function()
    local meta = { __jsontype = "object" }
    local inner = setmetatable({ a = 1 / 3 }, meta)
    local value = { inner, 2.5, 1 / 3 }
    local before = { inner, 2.5, 1 / 3 }
    assert.equal('[{"a":0.3333333333333333},2.5,0.3333333333333333]',
      encode(value))
    assert.same(before, value)
    assert.equal(inner, value[1])
    assert.equal(1 / 3, inner.a)
    assert.equal(meta, getmetatable(inner))
  end)

  it("keeps what the metatable of its table says", function()
    local ordered = setmetatable({ b = 1 / 3, a = 1 },
      { __jsonorder = { "b", "a" } })
    assert.equal('{"b":0.3333333333333333,"a":1}', encode(ordered))
    local own = setmetatable({ 1 / 3 },
      { __tojson = function() return '"mine"' end })
    assert.equal('["mine"]', encode { own })
  end)

  it("stands in a table that holds itself, which is refused", function()
    local value = { 1 / 3 }
    value.a, value.b = { value }, { value }
    debug.sethook(function() error("it has no end", 0) end, "", 10 ^ 7)
    local ok, message = pcall(json.default.encode, value)
    debug.sethook()
    assert.same({ false, "reference cycle" }, { ok, message })
  end)

  it("calls no finalizer of the program's for its table", function()
    local calls = 0
    local value = setmetatable({ 1 / 3 },
      { __gc = function() calls = calls + 1 end })
    assert.equal("[0.3333333333333333]", encode(value))
    collectgarbage()
    assert.equal(0, calls)
    assert.equal(1 / 3, value[1])
  end)

  it("is written by the codec that the program has chosen", function()
    local codec = { encode = function(value) return tostring(value[1]) end }
    assert.equal(tostring(1 / 3), json.encode({ 1 / 3 }, codec))
  end)
end)

describe("A locale with a decimal comma", function()
  -- The specs make the locale, since the machine may have none.
  local function make_locale()
    local folder = support.folder()
    local path = folder .. "/de_DE.UTF-8"
    local made = os.execute(("localedef -i de_DE -f UTF-8 %s >%s/log 2>&1")
      :format(path, folder))
    assert.is_true(made, "localedef makes no locale (package locales)")
    return folder
  end

  it("changes nothing that is sent", function()
    local _, code, out, err = support.run([[
      assert(os.setlocale("de_DE.UTF-8", "all"), "no such locale")
      assert(tostring(0.5) == "0,5", "it has no decimal comma")
      local form = require "curlew.form"
      local http = require "curlew"
      local json = require "curlew.json"
      local multipart = require "curlew.multipart"
      local values = { 0.5, 1 / 3, 1e-7, 2.5e100, -2.0 }
      print(json.encode(values, json.default))
      print(json.encode({ n = 0.5 }, json.default))
      print(form.encode { a = values })
      print(form.query { a = values })
      local parts = {}
      for i, n in ipairs(values) do parts[i] = { name = "a", n } end
      for _, part in ipairs(multipart.parts(parts)) do print(part[1]) end
      local _, err = http.get("http://127.0.0.1:" .. arg[1] .. "/",
        { headers = { ["X-A"] = 0.5 }, proxy = false })
      assert(err.code == "connect", err)
      print(json.default.decode("[0.5]")[1] == 0.5)
    ]], { tostring(support.refused_port), env = { LOCPATH = make_locale() } })
    assert.equal("", err)
    assert.equal(0, code)
    local query = "a=0.5&a=0.3333333333333333&a=1e-07&a=2.5e%2B100&a=-2"
    assert.equal(table.concat({
      "[0.5,0.3333333333333333,1e-07,2.5e+100,-2.0]", '{"n":0.5}',
      query, query, "0.5", "0.3333333333333333", "1e-07", "2.5e+100", "-2",
      "true", "",
    }, "\n"), out)
  end)
end)
