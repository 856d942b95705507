--- Content-Encoding: undone when it is read, in every way to read, in bounded
-- pieces; what cannot be undone, is cut or is too much is an error.

local support = require "spec.support"
local encode = require "encode_support"
local http = require "curlew"
local posix = support.posix

local KIB, MIB, GIB = 1024, 1024 ^ 2 // 1 | 0, 1024 ^ 3 // 1 | 0

local server

before_each(function() server = support.server() end)
after_each(function() server:close() end)

-- Text with many lines that does not repeat itself too much.
local function text_of(lines)
  local out = {}
  for i = 1, lines do out[i] = ("line %d: %x\n"):format(i, i * i * 7919) end
  return table.concat(out)
end

local TEXT = text_of(2000)

local CODINGS = {
  gzip = encode.gzip, ["x-gzip"] = encode.gzip, deflate = encode.deflate,
  ["deflate without a header"] = encode.raw_deflate, br = encode.br,
  zstd = encode.zstd,
}

local function name_of(coding) return coding:match("^%S+") end

local function coded(codings, bytes, more)
  return ("HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\n%sContent-Length: %d"
    .. "\r\n\r\n%s"):format(codings, more or "", #bytes, bytes)
end

local function chunked(codings, pieces)
  local out = { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
    .. "Content-Encoding: " .. codings .. "\r\n\r\n" }
  for _, piece in ipairs(pieces) do
    if #piece > 0 then
      out[#out + 1] = ("%x\r\n%s\r\n"):format(#piece, piece)
    end
  end
  return table.concat(out) .. "0\r\n\r\n"
end

local function reply(message)
  server:reset()
  server:reply(message)
end

local function fetch(message, options)
  reply(message)
  return http.fetch(server.url, options)
end

local ways = {
  fetch = function(options)
    local page, err = http.fetch(server.url, options)
    return page and page.body, err
  end,
  ['read("a")'] = function(options)
    local r <close> = assert(http.get(server.url, options))
    return r:read("a")
  end,
  ["read(1000)"] = function(options)
    local r <close> = assert(http.get(server.url, options))
    local parts = {}
    repeat
      local part, err = r:read(1000)
      if err then return nil, err end
      parts[#parts + 1] = part
    until not part or #part < 1000
    if r:read(0) then return nil, "there is more" end
    return table.concat(parts)
  end,
  lines = function(options)
    local parts = {}
    local ok, err = pcall(function()
      for line in http.lines(server.url, options) do
        parts[#parts + 1] = line .. "\n"
      end
    end)
    return ok and table.concat(parts) or nil, err
  end,
  chunks = function(options)
    local parts = {}
    local ok, err = pcall(function()
      for part in http.chunks(server.url, options) do
        parts[#parts + 1] = part
      end
    end)
    return ok and table.concat(parts) or nil, err
  end,
  save = function(options)
    local path = support.folder() .. "/saved"
    local r <close> = assert(http.get(server.url, options))
    local saved, err = r:save(path)
    if not saved then return nil, err end
    local file <close> = assert(io.open(path))
    return file:read("a")
  end,
}

describe("A coded body", function()
  for coding, make in pairs(CODINGS) do
    for way, take in pairs(ways) do
      it(("is undone: %s, %s"):format(coding, way), function()
        reply(coded(name_of(coding), make(TEXT)))
        assert.is_true(assert(take()) == TEXT)
      end)
    end

    it("is one body, wherever it is cut on its way: " .. coding, function()
      local bytes = make("hello\nworld\n12\n")
      local script = {}
      for n = 0, #bytes do
        local message = chunked(name_of(coding), { bytes:sub(1, n),
          bytes:sub(n + 1) })
        local head = #message - #chunked(name_of(coding), {
          bytes:sub(n + 1) }) + #chunked(name_of(coding), {}) - 5
        script[#script + 1] = "request"
        script[#script + 1] = { pieces = { message:sub(1, head),
          message:sub(head + 1) } }
      end
      script[#script + 1] = "hold"
      server:script(script)
      for _ = 0, #bytes do
        local r <close> = assert(http.get(server.url))
        assert.same({ "hello", "world\n", 12, "\n", "" },
          { r:read("l", "L", "n", "a", "a") })
      end
    end)

    it("that is cut is truncated, and no part of it a success: " .. coding,
      function()
        local bytes = make("hello, world; hello, world; hello")
        for n = 1, #bytes - 1 do
          local page, err = fetch(coded(name_of(coding), bytes:sub(1, n)))
          assert.is_nil(page, n)
          -- what is left of it may be no beginning of anything
          assert.same({ "truncated", "body", 200, n },
            { err.code, err.phase, err.status, err.received }, n)
        end
      end)

    -- deflate without a header has no checksum either
    local checked = coding ~= "deflate without a header"
    local _ = checked and it(
      "that is corrupt is an error, each time the same: " .. coding,
      function()
        local bytes = make(TEXT)
        local from = #bytes // 2
        reply(coded(name_of(coding), bytes:sub(1, from)
          .. ("\255"):rep(100) .. bytes:sub(from + 101)))
        local r <close> = assert(http.get(server.url))
        local body, err = r:read("a")
        assert.is_nil(body)
        assert.is_true(err.code == "decode" or err.code == "truncated")
        assert.equal("body", err.phase)
        assert.is_true(rawequal(err, select(2, r:read(1))))
        assert.is_true(rawequal(err, select(2, r:text())))
        assert.equal(0, http.stats().open)
      end)

    it("of nothing is empty: " .. coding, function()
      assert.equal("", assert(fetch(coded(name_of(coding), make("")))).body)
      assert.equal("", assert(fetch(coded(name_of(coding), ""))).body)
    end)
  end

  it("of several members is all of them", function()
    for _, coding in ipairs { "gzip", "zstd" } do
      local make = CODINGS[coding]
      local bytes = make("one\n") .. make("") .. make("two\n") .. make(TEXT)
      local page = assert(fetch(coded(coding, bytes)))
      assert.is_true(page.body == "one\ntwo\n" .. TEXT)
    end
  end)

  it("of several members is truncated when the last one is cut", function()
    for _, coding in ipairs { "gzip", "zstd" } do
      local make = CODINGS[coding]
      local one, two = make("one\n"), make("two\n")
      for n = 1, #two - 1 do
        local page, err = fetch(coded(coding, one .. two:sub(1, n)))
        assert.same({ nil, "truncated" }, { page, err.code }, n)
      end
    end
  end)

  it("may have something after its end, which is no part of it", function()
    for coding, make in pairs(CODINGS) do
      for _, more in ipairs { "\0", "garbage", ("\0"):rep(100000) } do
        reply(coded(name_of(coding), make("body") .. more))
        server:reply(coded("", "ok"))
        assert.equal("body", assert(http.fetch(server.url)).body, coding)
      end
    end
  end)

  it("may not have more after its end than max_body", function()
    local page, err = fetch(coded("gzip", encode.gzip("body")
      .. ("\0"):rep(100000)), { max_body = 1000 })
    assert.same({ nil, "too_large" }, { page, err.code })
  end)

  it("has no length, and its headers as they came", function()
    local bytes = encode.gzip(TEXT)
    reply(coded("gzip", bytes, "ETag: x\r\n"))
    local r <close> = assert(http.get(server.url))
    assert.is_nil(r.length)
    assert.same({ "gzip", tostring(#bytes) },
      { r.headers["content-encoding"], r.headers["content-length"] })
    assert.equal(#TEXT, #r:text())
    assert.equal(#bytes, r.info.received)
  end)

  it("is given as it came with decode = false", function()
    local bytes = encode.gzip(TEXT)
    reply(coded("gzip", bytes))
    local r <close> = assert(http.get(server.url, { decode = false }))
    assert.equal(#bytes, r.length)
    assert.is_true(bytes == r:read("a"))
  end)

  it("is none after HEAD, 204 and 304", function()
    for _, status in ipairs { 204, 304 } do
      local page = assert(fetch(("HTTP/1.1 %d X\r\nContent-Encoding: gzip"
        .. "\r\n\r\n"):format(status)))
      assert.equal("", page.body)
    end
    reply(coded("gzip", ""))
    local r <close> = assert(http.head(server.url))
    assert.equal("", r:read("a"))
  end)

  it("is what an error of check shows, up to 4 KiB of it", function()
    for _, body in ipairs { "not here", TEXT } do
      reply((coded("br", encode.br(body)):gsub("200 OK", "404 X")))
      local _, err = http.get(server.url, { check = true })
      assert.same({ "status", body:sub(1, 4096) }, { err.code, err.body })
    end
  end)

  it("is text that can be JSON", function()
    assert.same({ 1, 2 }, assert(fetch(coded("zstd",
      encode.zstd("[1,2]")))):json())
  end)

  it("from nginx, compressed on the fly, is undone", function()
    local nginx = support.nginx()
    local r <close> = assert(http.get(nginx.http .. "/gzip/20k"))
    assert.equal("gzip", r.headers["content-encoding"])
    assert.equal(20 * KIB, #r:read("a"))
    local raw <close> = assert(http.get(nginx.http .. "/gzip/20k",
      { decode = false }))
    assert.is_nil(raw.headers["content-encoding"])
    assert.equal(20 * KIB, #raw:read("a"))
  end)
end)

describe("A list of codings", function()
  it("is undone from right to left", function()
    local bytes = encode.br(encode.gzip(TEXT))
    assert.is_true(assert(fetch(coded("gzip, br", bytes))).body == TEXT)
    local page, err = fetch(coded("br, gzip", bytes))
    assert.same({ nil, "decode" }, { page, err.code })
  end)

  it("may be spread over lines, in any case, with identity in it", function()
    local bytes = encode.zstd(encode.deflate(TEXT))
    assert.is_true(assert(fetch(coded("Deflate\r\ncontent-encoding: IDENTITY"
      .. ",, ZSTD ,", bytes))).body == TEXT)
  end)

  it("of identity alone is none", function()
    reply(coded("identity", "body"))
    local r <close> = assert(http.get(server.url))
    assert.equal("body", r:read("a"))
    assert.equal(4, assert(fetch(coded("identity", "body"))).length)
  end)

  it("has names that are no coding", function()
    for _, name in ipairs { "none", "utf-8", "UTF-8", "binary", "aws-chunked",
      "identity, None", ",binary," } do
      local page = assert(fetch(coded(name, "body")))
      assert.same({ "body", 4 }, { page.body, page.length })
    end
    assert.is_true(assert(fetch(coded("aws-chunked, gzip, none",
      encode.gzip(TEXT)))).body == TEXT)
  end)

  it("of five is undone, of six is not", function()
    local bytes, list = TEXT, {}
    for i, coding in ipairs { "gzip", "br", "zstd", "deflate", "gzip" } do
      bytes, list[i] = CODINGS[coding](bytes), coding
    end
    assert.is_true(assert(fetch(coded(table.concat(list, ","), bytes))).body
      == TEXT)
    list[6] = "gzip"
    local page, err = fetch(coded(table.concat(list, ","),
      encode.gzip(bytes)))
    assert.same({ nil, "decode" }, { page, err.code })
    assert.matches("more than 5 times", err.message)
  end)

  it("with one that is not known is an error at the first read", function()
    reply(coded("gzip, sdch", "whatever"))
    local r <close> = assert(http.get(server.url))
    assert.equal(200, r.status)
    local body, err = r:read(1)
    assert.same({ nil, "decode", "body", false },
      { body, err.code, err.phase, err.retryable })
    assert.matches("'sdch' is not known (decode = false gives the bytes",
      err.message, 1, true)
    assert.is_true(rawequal(err, select(2, r:read("a"))))
    assert.equal(0, http.stats().open)
  end)

  it("names decode = false where one is not known", function()
    for _, name in ipairs { "zip", "7bit", "x-binary", "utf-16" } do
      local page, err = fetch(coded(name, "body"))
      assert.same({ nil, "decode" }, { page, err.code })
      assert.matches("'" .. name .. "' is not known (decode = false",
        err.message, 1, true)
    end
  end)

  it("that is not known does not matter with decode = false", function()
    local page = assert(fetch(coded("sdch", "raw"), { decode = false }))
    assert.equal("raw", page.body)
  end)
end)

describe("Accept-Encoding", function()
  local ALL = "gzip, deflate, br, zstd"

  local function asked(options, client)
    reply(coded("", "ok"))
    assert((client or http):fetch(server.url, options))
    local sent = {}
    for name, value in server:request():gmatch("\r\n([%w-]+): ([^\r]*)") do
      if name:lower() == "accept-encoding" then sent[#sent + 1] = value end
    end
    return sent
  end

  local function of(options, client_options)
    local client <close> = http.client(client_options)
    return asked(options, client)
  end

  it("is sent, with headers or without", function()
    assert.same({ ALL }, of())
    assert.same({ ALL }, of({ headers = { A = "b" } }))
    assert.same({ ALL }, of({ headers = { A = "b" } }, { headers = { B = 1 } }))
    assert.same({ ALL }, of(nil, { headers = { B = 1 } }))
    assert.same({ ALL }, of({ headers = false }, { headers = { B = 1 } }))
  end)

  it("is not sent with decode = false", function()
    assert.same({}, of({ decode = false }))
    assert.same({}, of({ decode = false, headers = { A = "b" } }))
    assert.same({}, of({ decode = false }, { headers = { A = "b" } }))
    assert.same({}, of(nil, { decode = false }))
    assert.same({}, of({ headers = { A = "b" } }, { decode = false }))
    assert.same({}, of({ headers = false }, { decode = false,
      headers = { A = "b" } }))
    assert.same({ ALL }, of({ decode = true }, { decode = false }))
    assert.same({ ALL }, of({ decode = true }, { decode = false,
      headers = { A = "b" } }))
  end)

  it("is the program's where it has one, and what comes is undone", function()
    local own = { headers = { ["accept-encoding"] = "br" } }
    assert.same({ "br" }, of(own))
    assert.same({ "br" }, of(nil, own))
    assert.same({}, of({ headers = { ["Accept-Encoding"] = false } }))
    reply(coded("gzip", encode.gzip("body")))
    assert.equal("body", assert(http.fetch(server.url, own)).body)
  end)

  it("stays with a client that is extended", function()
    local client <close> = http.client { decode = false }
    local child <close> = client:extend { headers = { A = "b" } }
    assert.same({}, asked(nil, child))
    local other <close> = child:extend { decode = true }
    assert.same({ ALL }, asked(nil, other))
  end)
end)

-- ---- bombs ----

-- A GiB of zeros each, made once.
local bombs = {}
local function bomb(coding)
  if not bombs[coding] then
    local path = support.folder() .. "/bomb"
    encode.bomb(coding, GIB, path)
    local file <close> = assert(io.open(path, "rb"))
    bombs[coding] = file:read("a")
  end
  return bombs[coding]
end

describe("A bomb of a GiB", function()
  -- What a decoder may keep for itself: its window and what goes with it.
  local WINDOW = { gzip = 64 * KIB, deflate = 64 * KIB, br = 34 * MIB,
    zstd = 17 * MIB }
  local sanitized = support.command("sh", "-c",
    'grep -q libasan /proc/$PPID/maps') == 0

  local function drop(coding)
    server:reset()
    server:script { { loop = { "request",
      { send = coded(coding, bomb(coding)) } } } }
  end

  local function grown(before)
    collectgarbage()
    return posix.rss() - before
  end

  for coding in pairs(WINDOW) do
    it("unread is as large as what came of it: " .. coding, function()
      drop(coding)
      assert(http.fetch(support.nginx().http .. "/small"))
      collectgarbage()
      local before = posix.rss()
      local r <close> = assert(http.get(server.url))
      for _ = 1, 20 do assert(http.fetch(support.nginx().http .. "/small")) end
      assert.is_true(http.leaks.audit())
      assert.is_true(sanitized or grown(before) < MIB, grown(before))
      assert.equal(200, r.status)
    end)

    it("in small reads costs no more than its decoder: " .. coding, function()
      drop(coding)
      local r <close> = assert(http.get(server.url))
      local zeros, sum = ("\0"):rep(8 * KIB), 0
      collectgarbage("generational")
      local before = posix.rss()
      for part in function() return assert(r:read(8 * KIB)) end do
        if part ~= zeros then error("not the zeros that were sent") end
        sum = sum + #part
        if sum == 256 * MIB then break end
      end
      collectgarbage("incremental")
      assert.is_true(sanitized or grown(before) < MIB + WINDOW[coding],
        grown(before))
    end)

    it("as lines stops at the longest line: " .. coding, function()
      drop(coding)
      local ok, err = pcall(function()
        for _ in http.lines(server.url, { max_body = 10 * MIB }) do
          error("there is no line in it")
        end
      end)
      assert.is_false(ok)
      assert.equal("too_large", err.code)
    end)

    it("as text stops at max_body, in decoded bytes: " .. coding, function()
      drop(coding)
      local r <close> = assert(http.get(server.url, { max_body = 10 * MIB }))
      local text, err = r:text()
      assert.same({ nil, "too_large" }, { text, err.code })
      assert.matches("10485760 bytes", err.message)
      assert.equal(0, http.stats().open)
    end)

    it("as text stops at 256 MiB where nothing else is said: " .. coding,
      function()
        drop(coding)
        local page, err = http.fetch(server.url)
        assert.same({ nil, "too_large" }, { page, err.code })
        assert.matches("268435456 bytes", err.message)
      end)
  end

  it("in pieces stops at max_body where it is set", function()
    drop("gzip")
    local sum = 0
    local ok, err = pcall(function()
      for part in http.chunks(server.url, { max_body = 10 * MIB }) do
        sum = sum + #part
      end
    end)
    assert.same({ false, "too_large" }, { ok, err.code })
    assert.is_true(sum <= 10 * MIB)
  end)

  it("within a bomb makes nothing for a long time, and can be interrupted",
    function()
      local members = encode.gzip((encode.gzip("")):rep(2000000))
      server:script { "request", { send = coded("gzip, gzip", members) },
        "hold" }
      local _, code, out, err = support.run([[
        local http = require "curlew"
        io.stdout:setvbuf("no")
        local r <close> = assert(http.get(arg[1]))
        print(pcall(function()
          print("reading")
          return r:read(1)
        end))
      ]], { server.url, signal = "INT" })
      assert.same({ 0, "" }, { code, err })
      assert.matches("^reading\nfalse\t.*interrupted!\n$", out)
    end)
end)
