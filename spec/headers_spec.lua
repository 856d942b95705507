--- The view of a response's headers: by name in any case, in order by pairs,
-- counted by #, and good for as long as somebody holds it.

local support = require "spec.support"
local http = require "curlew"

local HEAD = "HTTP/1.1 200 OK\r\n"
local END = "Content-Length: 2\r\n\r\nok"

local server

before_each(function() server = support.server() end)
after_each(function() server:close() end)

-- The page whose answer has these field lines, and then Content-Length.
local function page_of(lines)
  server:reply(HEAD .. lines .. END)
  return assert(http.fetch(server.url))
end

local function view_of(lines) return page_of(lines).headers end

-- An open response to the same.
local function open(lines)
  server:reply(HEAD .. lines .. END)
  return http.get(server.url)
end

local function listed(headers)
  local list = {}
  for name, value in pairs(headers) do
    list[#list + 1] = name .. ": " .. value
  end
  return list
end

describe("headers[name]", function()
  for _, name in ipairs { "X-Mixed-Case", "x-mixed-case", "X-MIXED-CASE" } do
    it("finds a field in any case: " .. name, function()
      assert.equal("yes", view_of("X-mIxEd-cAsE: yes\r\n")[name])
    end)
  end

  it("finds only the whole name", function()
    local headers = view_of("X-Long: 1\r\n")
    assert.is_nil(headers["X-Lon"])
    assert.is_nil(headers["X-Longer"])
  end)

  it("joins the lines of a list field with a comma and a space", function()
    local headers = view_of("Vary: Accept\r\nX-Other: 1\r\nvary: Cookie\r\n"
      .. "VARY: Origin\r\n")
    assert.equal("Accept, Cookie, Origin", headers.vary)
  end)

  it("leaves commas within one line as they came", function()
    assert.equal("a,b , c", view_of("Vary: a,b , c\r\n").vary)
  end)

  it("gives the first Set-Cookie, never several joined", function()
    local headers = view_of("Set-Cookie: a=1; Path=/\r\nSet-Cookie: b=2\r\n")
    assert.equal("a=1; Path=/", headers["Set-Cookie"])
  end)

  it("gives the first line of a field that is no list", function()
    local headers = view_of("Content-Type: a/b\r\nContent-Type: c/d\r\n")
    assert.equal("a/b", headers["content-type"])
  end)

  it("is an empty string where the value is empty", function()
    assert.equal("", view_of("X-Empty:\r\n")["X-Empty"])
  end)

  it("is without the blanks before its colon #http1", function()
    local view = view_of("X-Blank \t: a\r\nX-Folded : b\r\n c\r\n")
    assert.same({ "a", "b c" }, { view["x-blank"], view["X-Folded"] })
  end)

  it("is without the blanks around a value", function()
    assert.equal("a  b", view_of("X-Blank: \t a  b \t\r\n")["x-blank"])
  end)

  it("keeps bytes above 127", function()
    assert.equal("\xe9\xff", view_of("X-Bytes: \xe9\xff\r\n")["x-bytes"])
  end)

  it("is nil for an unknown name", function()
    assert.is_nil(view_of("X-Here: 1\r\n")["X-Not-Here"])
  end)

  it("is nil for the empty name", function()
    assert.is_nil(view_of("X-Here: 1\r\n")[""])
  end)

  for _, key in ipairs { 1, true, {} } do
    it("is nil for a key that is a " .. type(key), function()
      assert.is_nil(view_of("X-Here: 1\r\n")[key])
    end)
  end
end)

describe("header(name)", function()
  it("gives the value of every line, in the order received", function()
    local r <close> = open("X-A: 1\r\nX-B: 2\r\nx-a: 3\r\nX-A: 4, 5\r\n")
    assert.same({ "1", "3", "4, 5" }, { r:header("X-a") })
  end)

  it("gives every Set-Cookie", function()
    local r <close> = open("Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n")
    assert.same({ "a=1", "b=2" }, { r:header("set-cookie") })
  end)

  it("gives no value at all for an unknown name", function()
    local r <close> = open("X-A: 1\r\n")
    assert.equal(0, select("#", r:header("X-Unknown")))
  end)

  it("gives a thousand values", function()
    local r <close> = open(("X-A: 1\r\n"):rep(1000))
    assert.equal(1000, select("#", r:header("X-A")))
  end)

  it("is there when the response is closed", function()
    local r <close> = open("X-A: 1\r\n")
    r:close()
    assert.equal("1", r:header("x-a"))
  end)

  it("is a page's too", function()
    local page = page_of("X-A: 1\r\nX-B: 2\r\nx-a: 3\r\n")
    assert.same({ "1", "3" }, { page:header("X-A") })
    assert.equal(0, select("#", page:header("X-Unknown")))
  end)
end)

describe("pairs(headers)", function()
  it("gives every line in the order received, repeats and case kept #http1",
    function()
      assert.same({ "X-b: 2", "sEt-CoOkIe: a=1", "X-A: 1", "x-B: 3",
        "Set-Cookie: b=2", "Content-Length: 2" },
        listed(view_of("X-b: 2\r\nsEt-CoOkIe: a=1\r\nX-A: 1\r\nx-B: 3\r\n"
          .. "Set-Cookie: b=2\r\n")))
    end)

  it("may run twice at once #http1", function()
    local headers = view_of("X-A: 1\r\n")
    local seen = {}
    for outer in pairs(headers) do
      for inner in pairs(headers) do seen[#seen + 1] = outer .. inner end
    end
    assert.same({ "X-AX-A", "X-AContent-Length", "Content-LengthX-A",
      "Content-LengthContent-Length" }, seen)
  end)

  it("holds the view itself #http1", function()
    local list = {}
    local step, state, first = pairs(view_of("X-A: 1\r\n"))
    collectgarbage()
    collectgarbage()
    for name in step, state, first do list[#list + 1] = name end
    assert.same({ "X-A", "Content-Length" }, list)
  end)
end)

describe("#headers", function()
  it("counts lines, not names", function()
    assert.equal(4, #view_of("X-A: 1\r\nX-A: 2\r\nX-B: 3\r\n"))
  end)

  it("is 0 where there are none", function()
    server:reply("HTTP/1.1 200 OK\r\n\r\nok")
    local headers = assert(http.fetch(server.url)).headers
    assert.equal(0, #headers)
    assert.same({}, listed(headers))
  end)
end)

describe("The view", function()
  it("is read-only and says so, with the line #http1", function()
    local headers = view_of("X-A: 1\r\n")
    for _, name in ipairs { "X-A", "x-a", "X-New" } do
      local fine, why = pcall(function() headers[name] = "2" end)
      assert.is_false(fine)
      assert.matches("headers_spec%.lua:%d+: .*read%-only", why)
    end
    assert.same({ "X-A: 1", "Content-Length: 2" }, listed(headers))
  end)

  it("is the same each time that a response is asked for it", function()
    local r <close> = open("X-A: 1\r\n")
    assert.is_true(rawequal(r.headers, r.headers))
  end)

  it("has a type", function()
    assert.equal("headers", http.type(view_of("")))
  end)

  it("stays valid after the response is closed and collected #http1", function()
    local gone = setmetatable({}, { __mode = "k" })
    local headers
    do
      local r <close> = open("X-A: 1\r\nX-A: 2\r\n")
      gone[r], headers = true, r.headers
    end
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(gone))
    assert.equal("1, 2", headers["x-a"])
    assert.same({ "X-A: 1", "X-A: 2", "Content-Length: 2" }, listed(headers))
  end)

  it("is not changed by the connection's next response", function()
    server:replies(HEAD .. "X-A: 1\r\n" .. END, HEAD .. "X-B: 2\r\n" .. END)
    local first = assert(http.fetch(server.url)).headers
    local second = assert(http.fetch(server.url)).headers
    assert.equal(1, server:connections())
    assert.same({ "1", nil, nil, "2" },
      { first["x-a"], first["x-b"], second["x-a"], second["x-b"] })
  end)
end)
