--- http.url: urls taken apart, joined, and queries encoded.

local support = require "spec.support"
local http = require "curlew"
local url = http.url

local HERE = debug.getinfo(1, "S").short_src

local function assert_raises(text, f, ...)
  local arguments = table.pack(...)
  local ok, message = pcall(function()
    local result = f(table.unpack(arguments, 1, arguments.n))
    return result
  end)
  assert.is_false(ok)
  assert.equal(HERE, message:match("^(.-):%d+: "))
  assert.is_truthy(message:find(text, 1, true), message)
end

-- What no url is: text, and what its error says.
local WRONG = {
  [""] = "no scheme",
  ["example.com"] = "no scheme",
  ["/path"] = "no scheme",
  ["ftp://example.com"] = "not http or https",
  ["mailto:me@example.com"] = "no scheme",
  ["http:/x"] = "no scheme",
  ["http://"] = "no host",
  ["http:///x"] = "no host",
  ["http://h\\@evil/"] = "backslash",
  ["http://h/a\\b?c"] = "backslash",
  ["http://h/?a#b\\c"] = "backslash",
  ["http://h/#?a\\c"] = "backslash",
  ["http://h/\r\nX: y"] = "control byte",
  ["http://h/\0"] = "control byte",
  ["http://h:65536/"] = "malformed",
  ["http://h:x/"] = "malformed",
  ["http://[::1/"] = "malformed",
  ["http://[::g]/"] = "malformed",
  ["http://a b/"] = "malformed",
}

describe("url.parse", function()
  it("takes a url apart", function()
    assert.same({ scheme = "https", user = "me", password = "p%40ss",
      host = "example.com", port = 8443, path = "/a/b", query = "c=d&e",
      fragment = "f" },
      url.parse("https://me:p%40ss@example.com:8443/a/b?c=d&e#f"))
  end)

  it("leaves out what is not there", function()
    assert.same({ scheme = "http", host = "h", path = "/" },
      url.parse("http://h"))
    -- libcurl 8.8 to 8.20 neither reports nor sends an empty query
    local drops = support.libcurl >= 0x080800 and support.libcurl < 0x081500
    local query = not drops and "" or nil
    assert.same({ scheme = "http", host = "h", path = "/", query = query },
      url.parse("http://h/?"))
    assert.same({ scheme = "http", host = "h", path = "/", user = "u" },
      url.parse("http://u@h/"))
    assert.same({ scheme = "http", host = "h", path = "/", user = "u",
      password = "" }, url.parse("http://u:@h/"))
  end)

  it("has a port when the url has one, as an integer", function()
    assert.equal("integer", math.type(url.parse("http://h:80/").port))
    assert.equal(80, url.parse("http://h:080/").port)
    assert.is_nil(url.parse("http://h:/").port)
    assert.is_nil(url.parse("https://h/").port)
  end)

  it("has hosts without brackets, with the zone behind a percent", function()
    assert.equal("::1", url.parse("http://[::1]:80/").host)
    assert.equal("fe80::1%eth0", url.parse("http://[fe80::1%25eth0]/").host)
    assert.equal("127.0.0.1", url.parse("http://127.1/").host)
  end)

  it("shows the url as it would be asked for", function()
    assert.equal("http", url.parse("HTTP://h/").scheme)
    assert.equal("/a/c%20d", url.parse("http://h/a/./b/../c d").path)
    assert.equal(support.encoded("/%c3%bc"), url.parse("http://h/\u{fc}").path)
    assert.equal("a%20b", url.parse("http://h/?a b").query)
  end)

  it("gives nil and an error for what is none", function()
    for text, what in pairs(WRONG) do
      local parts, err = url.parse(text)
      assert.is_nil(parts)
      assert.equal("error", http.type(err))
      assert.same({ "url", "request", false },
        { err.code, err.phase, err.retryable })
      assert.is_truthy(err.message:find(what, 1, true), err.message)
      assert.matches("^the url .* %(url%) at " .. HERE:gsub("%p", "%%%0")
        .. ":%d+$", tostring(err))
    end
  end)

  it("raises on what is no string", function()
    for _, value in ipairs { 5, true, {}, print } do
      assert_raises("url: string expected, got " .. type(value), url.parse,
        value)
    end
    assert_raises("url: string expected, got n", url.parse)
    assert_raises("url: string expected, got table", url.parse, url, "http://h")
  end)
end)

describe("url.join", function()
  -- RFC 3986 section 5.4, with the slash that an empty path is asked for with
  local BASE = "http://a/b/c/d;p?q"
  local EXAMPLES = {
    ["g"] = "http://a/b/c/g",
    ["./g"] = "http://a/b/c/g",
    ["g/"] = "http://a/b/c/g/",
    ["/g"] = "http://a/g",
    ["//g"] = "http://g/",
    ["?y"] = "http://a/b/c/d;p?y",
    ["g?y"] = "http://a/b/c/g?y",
    ["#s"] = "http://a/b/c/d;p?q#s",
    ["g#s"] = "http://a/b/c/g#s",
    ["g?y#s"] = "http://a/b/c/g?y#s",
    [";x"] = "http://a/b/c/;x",
    ["g;x"] = "http://a/b/c/g;x",
    ["g;x?y#s"] = "http://a/b/c/g;x?y#s",
    [""] = "http://a/b/c/d;p?q",
    ["."] = "http://a/b/c/",
    ["./"] = "http://a/b/c/",
    [".."] = "http://a/b/",
    ["../"] = "http://a/b/",
    ["../g"] = "http://a/b/g",
    ["../.."] = "http://a/",
    ["../../"] = "http://a/",
    ["../../g"] = "http://a/g",
    ["../../../g"] = "http://a/g",
    ["../../../../g"] = "http://a/g",
    ["/./g"] = "http://a/g",
    ["/../g"] = "http://a/g",
    ["g."] = "http://a/b/c/g.",
    [".g"] = "http://a/b/c/.g",
    ["g.."] = "http://a/b/c/g..",
    ["..g"] = "http://a/b/c/..g",
    ["./../g"] = "http://a/b/g",
    ["./g/."] = "http://a/b/c/g/",
    ["g/./h"] = "http://a/b/c/g/h",
    ["g/../h"] = "http://a/b/c/h",
    ["g;x=1/./y"] = "http://a/b/c/g;x=1/y",
    ["g;x=1/../y"] = "http://a/b/c/y",
    ["g?y/./x"] = "http://a/b/c/g?y/./x",
    ["g?y/../x"] = "http://a/b/c/g?y/../x",
    ["g#s/./x"] = "http://a/b/c/g#s/./x",
    ["g#s/../x"] = "http://a/b/c/g#s/../x",
  }

  for reference, expected in pairs(EXAMPLES) do
    it(("resolves '%s' as RFC 3986 does"):format(reference), function()
      assert.equal(expected, url.join(BASE, reference))
      assert.equal(expected, url.join(BASE .. "#old/../x", reference))
    end)
  end

  it("takes an absolute url as it is", function()
    assert.equal("https://x/y?z#f", url.join(BASE, "https://x/y?z#f"))
    assert.equal("http://x/", url.join("https://u:p@h/", "http://x"))
  end)

  it("keeps the scheme, and of the same host user and port", function()
    assert.equal("https://u:p@h:8/x", url.join("https://u:p@h:8/a/b", "/x"))
    assert.equal("https://u:p@h:8/a/b?c", url.join("https://u:p@h:8/a/b", "?c"))
    assert.equal("https://other/x", url.join("https://u:p@h:8/a", "//other/x"))
    assert.equal("http://[fe80::1%25eth0]:8/x",
      url.join("http://[fe80::1%25eth0]:8/a?b", "x"))
  end)

  it("knows a scheme from a colon in a path", function()
    assert.equal("http://a/b/c/g:h", url.join(BASE, "./g:h"))
    assert.equal("http://a/b/c/x?y:z", url.join(BASE, "x?y:z"))
    assert.equal("http://a/b/c/1:2", url.join(BASE, "1:2"))
    assert.is_nil(url.join(BASE, "g:h"))
    assert.is_nil(url.join(BASE, "http:g"))
    assert.is_nil(url.join(BASE, "javascript:alert(1)"))
  end)

  it("works where the base has no path, a query, or a slash in it", function()
    assert.equal("http://h/x", url.join("http://h", "x"))
    assert.equal("http://h/?x", url.join("http://h", "?x"))
    assert.equal("http://h/a/x", url.join("http://h/a/b?c/d", "x"))
    -- before 8.21.0 libcurl takes an empty query behind a host for none
    assert.equal(support.libcurl < 0x081500 and "http://h/#f" or "http://h/?#f",
      url.join("http://h?", "#f"))
  end)

  it("encodes spaces and what is not ASCII", function()
    assert.equal(support.encoded("http://a/b/c/x%20y?z%20%c3%bc"),
      url.join(BASE, "x y?z \u{fc}"))
  end)

  it("gives nil and an error when either is malformed", function()
    for text, what in pairs(WRONG) do
      local whole, err = url.join(text, "x")
      assert.is_nil(whole)
      assert.equal("url", err.code)
      assert.is_truthy(err.message:find(what, 1, true), err.message)
    end
    for _, reference in ipairs { "//", "///x", "//h:x", "/\\evil", "\\\\evil",
      "x\r\ny", "x\0y", "\0", "ftp://h/", "//[::1" } do
      local whole, err = url.join(BASE, reference)
      assert.is_nil(whole)
      assert.equal("url", err.code)
    end
    local long = ("x"):rep(2 * 1024 * 1024)
    assert.equal("url", select(2, url.join(BASE, long)).code)
  end)

  it("raises on what is no string", function()
    assert_raises("base url: string expected, got nil", url.join, nil, "x")
    assert_raises("url: string expected, got n", url.join, BASE)
    assert_raises("url: string expected, got number", url.join, BASE, 5)
  end)
end)

describe("What no URI may hold", function()
  local encoded = { ["<"] = "%3C", [">"] = "%3E", ['"'] = "%22", ["^"] = "%5E",
    ["`"] = "%60", ["{"] = "%7B", ["|"] = "%7C", ["}"] = "%7D", [" "] = "%20" }

  local function parts_of(text)
    local parts = assert(url.parse(text))
    return { parts.path, parts.query, parts.fragment }
  end

  it("is percent-encoded in path, query and fragment", function()
    for char, code in pairs(encoded) do
      assert.same({ "/a" .. code .. "b", code, code },
        parts_of(("http://h/a%sb?%s#%s"):format(char, char, char)))
      assert.equal(("http://h/x/%s?%s#%s"):format(code, code, code),
        url.join("http://h/x/y", ("%s?%s#%s"):format(char, char, char)))
    end
    assert.same({ "/", "a%5Cb%5C" }, parts_of("http://h?a\\b\\"))
    assert.equal("http://h/x?a%5C", url.join("http://h/x", "?a\\"))
  end)

  it("is all that is encoded of ASCII", function()
    for byte = 33, 126 do
      local char = string.char(byte)
      if not encoded[char] and not char:find("[?#\\]") then
        assert.equal("/a" .. char, url.parse("http://h/a" .. char).path)
      end
    end
    assert.same({ "/[1]%22%5C%zz", "[]%7B", support.encoded("%7b", true) },
      parts_of("http://h/[1]%22%5C%zz?[]%7B#%7b"))
    local once = url.join("http://h/", 'a"b?c\\d')
    assert.equal(once, url.join("http://h/", once))
  end)

  it("stays in userinfo, which is not sent as a url", function()
    assert.equal('a"b', url.parse('http://a"b:c{d@h/').user)
    assert.equal("c{d", url.parse('http://a"b:c{d@h/').password)
  end)
end)

describe("url.query", function()
  it("encodes as the option does", function()
    assert.equal("a=1&b=x%20y&b=%26", url.query { b = { "x y", "&" }, a = 1 })
    assert.equal("b=2&a=1", url.query { { "b", 2 }, { "a", 1 } })
    assert.equal("a=true", url.query { a = true, b = false })
    assert.equal("", url.query {})
  end)

  it("raises on what it cannot encode", function()
    assert_raises("query: table expected, got string", url.query, "a=b")
    assert_raises("query: a: string, number, boolean or a list expected",
      url.query, { a = print })
    assert_raises("query: {name, value} expected", url.query, { "a" })
  end)
end)
