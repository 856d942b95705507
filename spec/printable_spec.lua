--- Text from a peer: no control character and no byte that is not UTF-8 reaches
-- a message, a report or a trace.

local support = require "spec.support"
local http = require "curlew"

-- Escape, CSI as a character and as a byte, DEL; and a letter that may stay.
local HOSTILE = "\27[31m\u{9b}\x9b\127\u{e9}"

local server

before_each(function() server = support.server() end)
after_each(function() server:close() end)

local function assert_printable(text)
  assert.is_string(text)
  assert.is_not_nil(utf8.len(text), ("%q is no UTF-8"):format(text))
  for _, c in utf8.codes(text) do
    assert.is_false(c < 32 or c >= 127 and c < 160, ("%q"):format(text))
  end
end

local function redirect(to)
  return "HTTP/1.1 302 X\r\nContent-Length: 0\r\nLocation: " .. to
    .. "\r\n\r\n"
end

-- [place of the hostile text] = response, and the code of its error
local ANSWERS = {
  ["a reason"] = { "HTTP/1.1 500 " .. HOSTILE
    .. "\r\nContent-Length: 0\r\n\r\n", "status" },
  ["a coding"] = { "HTTP/1.1 200 OK\r\nContent-Encoding: x" .. HOSTILE
    .. "\r\nContent-Length: 2\r\n\r\nok" },
  ["a status line"] = { "HTTP/1." .. HOSTILE .. " 200 OK\r\n\r\n" },
  ["a length"] = { "HTTP/1.1 200 OK\r\nContent-Length: 1" .. HOSTILE
    .. "\r\n\r\n" },
  ["a transfer coding"] = { "HTTP/1.1 200 OK\r\nTransfer-Encoding: "
    .. HOSTILE .. "\r\n\r\n" },
  ["a chunk"] = { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    .. HOSTILE .. "\r\n" },
  ["a host"] = { redirect("http://" .. HOSTILE .. "/") },
  ["a host in bytes"] = { redirect "http://\x9b31m.none/" },
  ["a zone"] = { redirect "http://[::1%25\x9b31m]:1/" },
  ["a path"] = { redirect("http://127.0.0.1:1/" .. HOSTILE) },
  ["a scheme"] = { redirect("x" .. HOSTILE .. "://127.0.0.1:1/") },
}

describe("A message", function()
  for name, answer in pairs(ANSWERS) do
    it("holds nothing unprintable of a peer's: " .. name, function()
      server:reply(answer[1])
      local page, err = http.fetch(server.url, { check = true })
      assert.is_nil(page)
      if answer[2] then assert.equal(answer[2], err.code) end
      assert_printable(err.message)
      assert_printable(tostring(err))
    end)
  end

  it("of a codec holds nothing unprintable of a body", function()
    server:reply(("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s")
      :format(#HOSTILE, HOSTILE))
    local codec <const> = http.json
    http.json = { decode = function(text) error("no JSON: " .. text, 0) end }
    local r <close> = assert(http.get(server.url))
    local value, err = r:json()
    http.json = codec
    assert.is_nil(value)
    assert_printable(tostring(err))
  end)

  it("keeps letters", function()
    server:reply("HTTP/1.1 500 \u{e9}\u{4e2d}\u{1f600}\r\n"
      .. "Content-Length: 0\r\n\r\n")
    local _, err = http.fetch(server.url, { check = true })
    assert.matches("500 \u{e9}\u{4e2d}\u{1f600}", err.message, 1, true)
  end)
end)

describe("A trace", function()
  it("holds nothing unprintable of a peer's", function()
    server:reply("HTTP/1.1 200 " .. HOSTILE .. "\r\nX-A: " .. HOSTILE
      .. "\r\nContent-Length: 2\r\n\r\nok")
    local file <close> = assert(io.tmpfile())
    http.fetch(server.url, { trace = file })
    file:seek("set")
    local lines = 0
    for line in file:lines() do
      assert_printable(line)
      lines = lines + 1
    end
    assert.is_true(lines > 3)
  end)
end)

describe("A record and a response", function()
  it("hold nothing unprintable of a redirect", function()
    local proxy <close> = support.server()
    proxy:replies(redirect "http://[fe80::1%25\x9b31m]/",
      "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    local r <close> = assert(http.get("http://name.none/",
      { proxy = proxy.url }))
    assert_printable(tostring(r))
    local record = http.leaks.open()[1]
    assert_printable(record.url)
    assert_printable(tostring(record))
  end)
end)
