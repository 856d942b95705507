--- Bodies out: what arrives of a string, a file and a form, byte by byte; what
-- becomes of an upload that is answered early, cut, or stale. Functions have
-- producer_spec.

local support = require "spec.support"
local http = require "curlew"

local OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
local KIB, MIB = 1024, 1024 * 1024

local server

-- Nothing here takes long, or it would take for ever.
local client = http.client { deadline = 10 }

local function fetch(url, options) return client:fetch(url, options) end

before_each(function() server = support.server() end)
after_each(function() server:close() end)

-- ---- what came ----

local function undo_chunks(text)
  local pieces, at = {}, 1
  repeat
    local size, data = text:match("^(%x+)\r\n()", at)
    local n = tonumber(size, 16)
    pieces[#pieces + 1] = text:sub(data, data + n - 1)
    at = data + n + 2
  until n == 0
  return table.concat(pieces)
end

-- Head and body of a request's bytes.
local function parse(text)
  local head, body = text:match("^(.-\r\n)\r\n(.*)$")
  if head:find("\r\nTransfer-Encoding: chunked\r\n", 1, true) then
    body = undo_chunks(body)
  end
  return head, body
end

local function arrived(n) return parse(server:request(n)) end

local function field(head, name)
  return head:match("\r\n" .. name:gsub("%-", "%%-") .. ": ([^\r]*)\r\n")
end

-- Not assert.equal: it would print megabytes.
local function same(expected, got)
  assert.equal(#expected, #got)
  assert.is_true(expected == got, "the bytes differ")
end

local function send(options, method)
  server:reply(OK)
  options.method = method or "POST"
  local page, err = fetch(server.url, options)
  assert(page, err)
  assert.equal(200, page.status)
  return arrived(1)
end

-- Bytes of every value in an order without a short period.
local function binary(n)
  local bytes, state = {}, 7
  for i = 1, 9973 do
    state = (state * 1103515245 + 12345) % 2147483648
    bytes[i] = string.char(state >> 16 & 255)
  end
  local block = table.concat(bytes)
  return block:rep(n // #block + 1):sub(1, n)
end

local SIZES = { 1, 100, 64 * KIB, 64 * KIB + 1, 10 * MIB }

-- ---- strings ----

describe("A string as body", function()
  for _, method in ipairs { "POST", "PUT", "PATCH", "DELETE", "GET", "MOVE" } do
    it("goes with " .. method, function()
      server:reply(OK)
      local page = assert(fetch(server.url,
        { method = method, body = "a\0b\r\n" }))
      assert.equal("ok", page.body)
      local head, body = arrived(1)
      assert.matches("^" .. method .. " / HTTP/1.1\r\n", head)
      assert.equal("5", field(head, "Content-Length"))
      assert.equal("a\0b\r\n", body)
    end)
  end

  it("goes with each verb", function()
    for i, verb in ipairs { "post", "put", "patch", "delete", "get" } do
      server:reply(OK)
      local r <close> = assert(http[verb](server.url, { body = "text" }))
      assert.equal(200, r.status)
      local head, body = arrived(i)
      assert.matches("^" .. verb:upper() .. " ", head)
      assert.equal("text", body)
    end
  end)

  for _, size in ipairs(SIZES) do
    it(("of %d bytes arrives as it is"):format(size), function()
      local text = binary(size)
      local head, body = send({ body = text })
      assert.equal(tostring(size), field(head, "Content-Length"))
      assert.is_nil(field(head, "Expect"))
      assert.is_nil(field(head, "Transfer-Encoding"))
      same(text, body)
    end)
  end

  it("may be empty", function()
    for _, method in ipairs { "POST", "PUT", "PATCH", "DELETE", "GET" } do
      server:reset()
      local head, body = send({ body = "" }, method)
      assert.equal("0", field(head, "Content-Length"))
      assert.equal("", body)
    end
  end)

  it("lives as long as it is sent", function()
    server:reply(OK)
    local page = assert(fetch(server.url, { method = "PUT",
      body = ("x"):rep(3 * MIB), check = function()
        collectgarbage()
        return true
      end }))
    assert.equal(200, page.status)
    local _, body = arrived(1)
    same(("x"):rep(3 * MIB), body)
  end)

  it("is of no type unless one is said", function()
    assert.is_nil(field(send({ body = "text" }), "Content-Type"))
    server:reset()
    assert.equal("text/plain", field(send({ body = "text",
      headers = { ["content-type"] = "text/plain" } }), "content-type"))
  end)

  it("leaves nothing to the requests after it", function()
    server:replies(OK, OK, OK, OK)
    local one <close> = http.client { deadline = 10 }
    assert(one:fetch(server.url, { method = "PUT", body = binary(70 * KIB) }))
    assert(one:fetch(server.url))
    assert(one:fetch(server.url, { method = "POST", body = "text" }))
    assert(one:fetch(server.url))
    for _, n in ipairs { 2, 4 } do
      local head, body = arrived(n)
      assert.matches("^GET / ", head)
      assert.is_nil(head:lower():match("content%-") or head:match("Expect"))
      assert.equal("", body)
    end
    assert.equal(1, server:connections())
  end)
end)

describe("No body", function()
  for _, method in ipairs { "POST", "PUT", "PATCH" } do
    it("is declared by " .. method, function()
      local head = send({}, method)
      assert.matches("^" .. method .. " ", head)
      assert.equal("0", field(head, "Content-Length"))
      assert.is_nil(field(head, "Content-Type"))
    end)
  end

  it("is not mentioned by the other methods", function()
    server:replies(OK, OK, OK, OK)
    for i, method in ipairs { "GET", "DELETE", "OPTIONS", "MOVE" } do
      assert(fetch(server.url, { method = method }))
      assert.is_nil(field(arrived(i), "Content-Length"))
    end
  end)
end)

describe("A body given wrongly", function()
  local function refused(pattern, options)
    local ok, err = pcall(http.request, options)
    assert.is_false(ok)
    assert.matches(pattern, err)
    assert.matches("upload_spec%.lua:%d+:", err)
    assert.equal(0, server:connections())
  end

  it("raises with HEAD", function()
    for _, body in ipairs { { body = "a" }, { body = "" },
      { file = "/dev/null" }, { body = function() end } } do
      body.method, body.url = "HEAD", server.url
      refused("HEAD request has no body", body)
    end
    assert.has_error(function() http.head(server.url, { body = "x" }) end)
  end)

  it("raises where there are two", function()
    refused("'body'.*'file'", { url = server.url, method = "PUT", body = "a",
      file = "/dev/null" })
  end)

  it("raises where a length goes without a function", function()
    refused("'length'", { url = server.url, method = "PUT", length = 3 })
    refused("'length'", { url = server.url, method = "PUT", length = 3,
      body = "abc" })
  end)

  it("raises in a client's defaults", function()
    for _, options in ipairs { { body = "a" }, { file = "/dev/null" },
      { multipart = {} }, { length = 1 } } do
      assert.has_error(function() http.client(options) end)
    end
  end)
end)

-- ---- expect ----

describe("expect", function()
  local CONTINUE = "HTTP/1.1 100 Continue\r\n\r\n"

  it("waits for 100 before a body goes out", function()
    server:script { "head", { send = CONTINUE }, { take = 4 }, { send = OK },
      "close" }
    local page = assert(fetch(server.url, { method = "PUT", body = "text",
      expect = true }))
    assert.equal("ok", page.body)
    assert.equal("100-continue", field(server:request(1), "Expect"))
    assert.equal("text", server:request(2))
  end)

  it("sends it all the same when none comes", function()
    server:script { "request", { send = OK }, "close" }
    assert.equal("ok", assert(fetch(server.url, { method = "PUT",
      body = "text", expect = true })).body)
    local _, body = arrived(1)
    assert.equal("text", body)
  end)

  it("is not asked of a request without a body", function()
    server:reply(OK)
    assert(fetch(server.url, { expect = true }))
    assert.is_nil(field(arrived(1), "Expect"))
  end)

  it("takes a final answer instead, and sends nothing", function()
    local asked = 0
    local function body() asked = asked + 1 return "text" end
    server:script { "head", { send = "HTTP/1.1 403 Forbidden\r\n"
      .. "Content-Length: 4\r\n\r\nnono" }, "hold" }
    local page = assert(fetch(server.url, { method = "PUT", body = body,
      expect = true }))
    assert.same({ 403, "nono" }, { page.status, page.body })
    assert.equal(0, asked)
  end)

  it("is dropped after a 417", function()
    local refusal = "HTTP/1.1 417 Expectation Failed\r\n"
      .. "Content-Length: 2\r\n\r\nno"
    for _, form in ipairs { "string", "function" } do
      server:reset()
      server:script { "head", { send = refusal }, "request", { send = OK },
        "close" }
      server:script { "request", { send = OK }, "close" }
      local given = false
      local page, err = fetch(server.url, { method = "PUT", expect = true,
        body = form == "string" and "text" or function()
          given = not given
          return given and "text" or nil
        end })
      assert(page, err)
      assert.same({ 200, "ok" }, { page.status, page.body })
      local head, body = arrived(2)
      assert.is_nil(field(head, "Expect"))
      assert.equal("text", body)
    end
  end)
end)

-- ---- files ----

describe("A file", function()
  local folder
  setup(function() folder = support.folder() end)

  local function made(bytes, name)
    local path = folder .. "/" .. (name or "sent")
    local file <close> = assert(io.open(path, "wb"))
    assert(file:write(bytes))
    return path
  end

  for _, size in ipairs { 0, table.unpack(SIZES) } do
    it(("of %d bytes is sent by its path"):format(size), function()
      local bytes = binary(size)
      local head, body = send({ file = made(bytes) }, "PUT")
      assert.equal(tostring(size), field(head, "Content-Length"))
      assert.is_nil(field(head, "Content-Type"))
      same(bytes, body)
    end)
  end

  it("is sent from where its handle stands, which stays there", function()
    local file <close> = assert(io.open(made("0123456789")))
    file:read(3)
    local _, body = send({ file = file }, "PUT")
    assert.equal("3456789", body)
    assert.equal(3, file:seek())
    assert.equal("3456789", file:read("a"))
    server:reset()
    _, body = send({ file = file }, "PUT")
    assert.equal("", body)
  end)

  it("is sent though its handle is closed meanwhile", function()
    local bytes = binary(3 * MIB)
    local file = assert(io.open(made(bytes)))
    server:script { "wait", "request", { send = OK }, "close" }
    local opened = coroutine.wrap(function()
      return fetch(server.url, { method = "PUT", file = file })
    end)
    local scheduler <close> = require("spec.support.scheduler")()
    local page
    scheduler.spawn(function()
      page = fetch(server.url, { method = "PUT", file = file })
    end)
    scheduler.round(0)
    file:close()
    server:go()
    scheduler.run(function() return page end)
    assert.equal("ok", page.body)
    local _, body = arrived(1)
    same(bytes, body)
    assert.has_error(opened) -- a closed handle
  end)

  it("is sent with what was just written to it", function()
    local file <close> = assert(io.open(folder .. "/written", "w+"))
    file:write("written")
    file:seek("set", 2)
    local _, body = send({ file = file }, "PUT")
    assert.equal("itten", body)
    file:seek("set")
    assert.equal("written", file:read("a"))
  end)

  it("has no part in what is added to it meanwhile", function()
    local path = made(binary(64 * KIB))
    server:script { "wait", "request", { send = OK }, "close" }
    local scheduler <close> = require("spec.support.scheduler")()
    local page
    scheduler.spawn(function()
      page = assert(fetch(server.url, { method = "PUT", file = path }))
    end)
    local more <close> = assert(io.open(path, "a"))
    more:write("more")
    more:flush()
    server:go()
    scheduler.run(function() return page end)
    local _, body = arrived(1)
    same(binary(64 * KIB), body)
  end)

  it("that shrinks is an error, and no short success", function()
    local path = made(binary(40 * MIB), "shrinks")
    server:script { "head", "wait", "request", { send = OK }, "close" }
    local scheduler <close> = require("spec.support.scheduler")()
    local done, page, err
    scheduler.spawn(function()
      page, err = fetch(server.url, { method = "PUT", file = path })
      done = true
    end)
    repeat scheduler.round(0.01) until #server:requests() == 1
    assert(io.open(path, "w")):close()
    server:go()
    scheduler.run(function() return done end)
    assert.is_nil(page)
    assert.same({ "file", "send" }, { err.code, err.phase })
    assert.matches("shrunk", err.message)
    assert.is_false(err.retryable)
  end)

  local function refused(file, pattern)
    local page, err = fetch(server.url, { method = "PUT", file = file })
    assert.is_nil(page)
    assert.equal("file", err.code)
    assert.equal("request", err.phase)
    assert.matches(pattern, err.message)
    assert.is_false(err.retryable)
    assert.equal(0, server:connections())
  end

  it("that is not there, or is a folder, is an error", function()
    refused(folder .. "/none", "none: No such file")
    refused(folder, "Is a directory")
    refused(folder .. "/none/", "No such file")
  end)

  it("that cannot be read is an error", function()
    refused("/proc/self/mem", "cannot read /proc/self/mem")
  end)

  it("whose length nobody says is an error", function()
    refused("/proc/self/status", "/proc/self/status")
  end)

  it("that is a device or a pipe is an error, and nobody waits", function()
    assert.equal(0, (support.command("mkfifo", folder .. "/fifo")))
    refused(folder .. "/fifo", "no regular file")
    refused("/dev/null", "no regular file")
    refused("/dev/zero", "no regular file")
    local pipe <close> = assert(io.popen("echo text"))
    refused(pipe, "no regular file")
    assert.equal("text\n", pipe:read("a"))
  end)

  it("whose handle only writes is an error", function()
    local file <close> = assert(io.open(folder .. "/w", "w"))
    refused(file, "not open for reading")
  end)

  it("given wrongly raises", function()
    local file = assert(io.open(made("x")))
    file:close()
    for _, value in ipairs { file, "", "a\0b", 5, {}, true } do
      local ok, err = pcall(fetch, server.url,
        { method = "PUT", file = value })
      assert.is_false(ok)
      assert.matches("option 'file'", err)
    end
    assert.equal(0, server:connections())
  end)

  it("is closed when it has been sent, refused or given up", function()
    local fds = support.posix.fds()
    local path = made(binary(3 * MIB))
    send({ file = path }, "PUT")
    local r <close> = assert(http.put(server.url, { file = path }))
    assert.equal(200, r.status)
    fetch("http://127.0.0.1:1/", { method = "PUT", file = path })
    pcall(fetch, server.url, { method = "PUT", file = path, length = 4 })
    server:script { "head", "hold" }
    local page, err = fetch(server.url, { method = "PUT", file = path,
      timeout = { idle = 0.1, first_byte = 0.1 } })
    assert.is_nil(page)
    assert.equal("timeout", err.code)
    local left = {}
    for fd, target in pairs(support.posix.fds()) do
      if not fds[fd] and not target:find("^socket") then
        left[#left + 1] = target
      end
    end
    assert.same({}, left)
  end)
end)

-- ---- forms ----

describe("multipart", function()
  -- The parts of a body: { head, bytes }.
  local function parts_of(head, body)
    local boundary = field(head, "Content-Type")
      :match("^multipart/form%-data; boundary=(%S+)$")
    local parts, at = {}, 1
    local mark = "--" .. boundary
    assert.equal(mark, body:sub(1, #mark))
    while body:sub(at + #mark, at + #mark + 1) == "\r\n" do
      local next_at = body:find("\r\n" .. mark, at + #mark, true)
      local part = body:sub(at + #mark + 2, next_at - 1)
      local part_head, bytes = part:match("^(.-\r\n)\r\n(.*)$")
      parts[#parts + 1] = { part_head, bytes }
      at = next_at + 2
    end
    assert.equal(mark .. "--\r\n", body:sub(at))
    return parts
  end

  local function sent(list)
    return parts_of(send({ multipart = list }))
  end

  local DISPOSITION = "Content-Disposition: form-data; name="

  it("has strings, files and functions as parts", function()
    local folder = support.folder()
    local path = folder .. "/a.bin"
    local bytes = binary(100 * KIB)
    do
      local file <close> = assert(io.open(path, "wb"))
      file:write(bytes)
    end
    local handle <close> = assert(io.open(path, "rb"))
    handle:read(10)
    local left = { "one", "", "two" }
    local parts = sent {
      { name = "text", "a\0b" },
      { name = "empty", "" },
      { name = "file", file = path, filename = "a.bin",
        type = "application/x-a" },
      { name = "handle", file = handle },
      { name = "function", body = function() return table.remove(left, 1) end,
        filename = "f.txt" },
      { name = "last", "end" },
    }
    assert.same({
      { DISPOSITION .. "\"text\"\r\n", "a\0b" },
      { DISPOSITION .. "\"empty\"\r\n", "" },
      { DISPOSITION .. "\"file\"; filename=\"a.bin\"\r\n"
        .. "Content-Type: application/x-a\r\n", bytes },
      { DISPOSITION .. "\"handle\"\r\n", bytes:sub(11) },
      { DISPOSITION .. "\"function\"; filename=\"f.txt\"\r\n"
        .. "Content-Type: text/plain\r\n", "onetwo" },
      { DISPOSITION .. "\"last\"\r\n", "end" },
    }, parts)
  end)

  it("declares its length unless a function is a part", function()
    local head = send({ multipart = { { name = "a", "text" } } })
    assert.truthy(field(head, "Content-Length"))
    assert.is_nil(field(head, "Transfer-Encoding"))
    assert.is_nil(field(head, "Expect"))
    server:reset()
    head = send({ multipart = { { name = "a", body = function() end } } })
    assert.equal("chunked", field(head, "Transfer-Encoding"))
  end)

  -- As the HTML standard has it, and Firefox and Chrome do.
  it("writes names and file names as browsers do", function()
    local names = {
      { "a\"b", "a%22b" }, { "a\r\nb", "a%0D%0Ab" }, { "a\\b", "a\\b" },
      { "n\u{e4}me \u{1f600}", "n\u{e4}me \u{1f600}" }, { "a%22b", "a%22b" },
      { "a;b=c, d", "a;b=c, d" }, { "a'b", "a'b" },
    }
    local list, expected = {}, {}
    for i, name in ipairs(names) do
      list[i] = { name = name[1], filename = name[1], type = "x/y", "text" }
      expected[i] = { ("%s\"%s\"; filename=\"%s\"\r\nContent-Type: x/y\r\n")
        :format(DISPOSITION, name[2], name[2]), "text" }
    end
    assert.same(expected, sent(list))
  end)

  it("calls a file of no known kind a stream of octets", function()
    local parts = sent { { name = "a", filename = "a.unknown", "x" },
      { name = "b", filename = "b.json", "x" } }
    assert.matches("\r\nContent%-Type: application/octet%-stream\r\n",
      parts[1][1])
    assert.matches("\r\nContent%-Type: application/", parts[2][1])
  end)

  it("is sent by any method", function()
    local head = send({ multipart = { { name = "a", "text" } } }, "PUT")
    assert.matches("^PUT ", head)
  end)

  it("leaves nothing to the requests after it", function()
    server:replies(OK, OK, OK)
    local one <close> = http.client { deadline = 10 }
    assert(one:fetch(server.url, { method = "POST",
      multipart = { { name = "a", "text" } } }))
    assert(one:fetch(server.url))
    assert(one:fetch(server.url, { method = "POST", body = "text" }))
    local head = arrived(2)
    assert.matches("^GET / ", head)
    assert.is_nil(head:lower():match("content%-"))
    assert.is_nil(field(arrived(3), "Content-Type"))
  end)

  it("fails for a file that is not there, and sends nothing", function()
    local page, err = fetch(server.url, { method = "POST",
      multipart = { { name = "a", "text" }, { name = "b", file = "/none" } } })
    assert.is_nil(page)
    assert.equal("file", err.code)
    assert.equal(0, server:connections())
  end)

  it("begins again where it can", function()
    server:reply("HTTP/1.1 307 Temporary Redirect\r\nLocation: /there\r\n"
      .. "Connection: close\r\nContent-Length: 0\r\n\r\n")
    server:reply(OK)
    assert(fetch(server.url, { method = "POST", multipart = {
      { name = "a", "text" }, { name = "b", file = "Makefile" } } }))
    local first = parts_of(arrived(1))
    local second = parts_of(arrived(2))
    assert.same(first, second)
  end)
end)

-- ---- answers ----

describe("An answer that comes early", function()
  local TOO_LARGE = "HTTP/1.1 413 Content Too Large\r\n"
    .. "Content-Length: 9\r\n\r\ntoo large"
  local CLOSING = TOO_LARGE:gsub("\r\n\r\n", "\r\nConnection: close\r\n\r\n")
  local UNTIL_CLOSED = "HTTP/1.1 413 Content Too Large\r\n\r\ntoo large"

  local bodies = {
    string = function() return { body = ("x"):rep(20 * MIB) } end,
    file = function()
      local path = support.folder() .. "/large"
      local file <close> = assert(io.open(path, "wb"))
      file:write(("x"):rep(20 * MIB))
      return { file = path }
    end,
    ["function"] = function()
      local piece = ("x"):rep(KIB)
      return { body = function() return piece end }
    end,
    multipart = function()
      return { multipart = { { name = "a", ("x"):rep(20 * MIB) } } }
    end,
  }

  for kind, make in pairs(bodies) do
    it("is the answer, and ends the upload of a " .. kind, function()
      for i, answer in ipairs { TOO_LARGE, CLOSING } do
        server:script { "head", { send = answer }, "wait" }
        local options = make()
        options.method = "POST"
        local page, err = fetch(server.url, options)
        assert(page, err)
        assert.same({ 413, "too large" }, { page.status, page.body })
        assert.equal(i, server:connections())
        server:go()
      end
      server:script { "head", { send = UNTIL_CLOSED }, "close" }
      local options = make()
      options.method = "POST"
      local page, err = fetch(server.url, options)
      assert(page, err)
      assert.same({ 413, "too large" }, { page.status, page.body })
    end)
  end

  -- libcurl stops an upload only where the connection is to be used again.
  local lasting = {
    ["to its length"] = "Content-Length: 70000\r\nConnection: close\r\n",
    ["to the end of the connection"] = "",
  }
  for name, fields in pairs(lasting) do
    it("is read " .. name .. ", while a function's upload stands", function()
      local text = ("x"):rep(70000)
      server:script { "head", { send = "HTTP/1.1 413 Content Too Large\r\n"
        .. fields .. "\r\n" }, "wait", { send = text }, "close" }
      local piece = ("x"):rep(KIB)
      local r <close> = assert(client:post(server.url,
        { body = function() return piece end }))
      server:go()
      assert.equal(text, assert(r:text()))
    end)
  end

  it("is refused by check", function()
    server:script { "head", { send = TOO_LARGE }, "wait" }
    local page, err = fetch(server.url, { method = "POST",
      body = ("x"):rep(20 * MIB), check = true })
    assert.is_nil(page)
    assert.same({ "status", 413, "too large" },
      { err.code, err.status, err.body })
    server:go()
  end)

  it("is not the end of the upload where it accepts", function()
    local text = binary(20 * MIB)
    server:script { { send = OK }, "request", "close" }
    local page = assert(fetch(server.url, { method = "POST",
      body = text }))
    assert.equal("ok", page.body)
    local _, body = arrived(1)
    same(text, body)
  end)
end)

-- ---- connections ----

describe("A peer that closes in mid-upload", function()
  it("is an error, and another attempt may do", function()
    for _, step in ipairs { "reset", "close" } do
      server:script { "head", step }
      local page, err = fetch(server.url, { method = "PUT",
        body = ("x"):rep(20 * MIB), timeout = { idle = 5 } })
      assert.is_nil(page)
      assert.equal("closed", err.code)
      assert.is_true(err.retryable)
    end
  end)

  it("is met again by retry", function()
    server:script { "head", "reset" }
    server:script { "request", { send = OK }, "close" }
    local text = binary(8 * MIB)
    local page = assert(fetch(server.url, { method = "PUT", body = text,
      retry = { times = 1, max_delay = 0.01 } }))
    assert.equal("ok", page.body)
    local _, body = arrived(2)
    same(text, body)
  end)
end)

describe("A connection that has gone stale", function()
  local bodies = {
    text = function() return { body = "text" } end,
    ["a large text"] = function() return { body = binary(MIB) } end,
    ["a file"] = function() return { file = "Makefile" } end,
    ["a function"] = function()
      local left = { "te", "xt" }
      return { body = function() return table.remove(left, 1) end }
    end,
    multipart = function()
      return { multipart = { { name = "a", file = "Makefile" } } }
    end,
  }

  for kind, make in pairs(bodies) do
    it("is replaced once, with " .. kind, function()
      server:script { "request", { send = OK }, "shutdown", { take = 0 },
        "hold" }
      server:script { "request", { send = OK }, "hold" }
      local one <close> = http.client { deadline = 10 }
      assert(one:fetch(server.url))
      server:request(2) -- it has closed its side
      local options = make()
      options.method = "POST"
      assert.equal("ok", assert(one:fetch(server.url, options)).body)
      assert.equal(2, server:connections())
      assert.equal(3, #server:requests())
    end)
  end

  local function gone_after_the_request(make)
    server:script { "request", { send = OK }, "request", "reset" }
    server:script { "request", { send = OK }, "hold" }
    local one <close> = http.client { deadline = 10 }
    assert(one:fetch(server.url, { method = "POST", body = "first" }))
    local options = make()
    options.method = "PUT"
    return one:fetch(server.url, options)
  end

  for kind, make in pairs(bodies) do
    if kind ~= "a function" then
      it("with the whole request is replaced once, with " .. kind, function()
        local page, err = gone_after_the_request(make)
        assert(page, err)
        assert.equal("ok", page.body)
        assert.equal(2, server:connections())
      end)
    end
  end

  it("with the whole request is an error where a function has begun", function()
    local page, err = gone_after_the_request(bodies["a function"])
    assert.is_nil(page)
    assert.same({ "closed", false }, { err.code, err.retryable })
    assert.equal(2, #server:requests()) -- not sent again
  end)
end)

-- ---- made again by libcurl ----

describe("A request that libcurl makes again", function()
  local CHALLENGE = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n"
    .. "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\"\r\n"
    .. "\r\nno"

  -- The handle that is used then has been somewhere else.
  local function after_another(options)
    local other <close> = support.server()
    other:reply(OK)
    local one <close> = http.client { deadline = 10 }
    assert(one:fetch(other.url .. "/other"))
    local page, err = one:fetch(server.url .. "/path", options)
    assert(page, err)
    assert.equal("ok", page.body)
  end

  for _, kind in ipairs { "text", "large", "file", "function", "form" } do
    it("after a challenge has its body and credentials: " .. kind, function()
      local left = { "te", "xt" }
      local function give() return table.remove(left, 1) end
      local options = ({
        text = { body = "text" }, large = { body = ("x"):rep(MIB) },
        file = { file = "Makefile" }, ["function"] = { body = give },
        form = { multipart = { { name = "a", body = give } } },
      })[kind]
      options.method, options.auth = "PUT", { digest = { "user", "word" } }
      server:replies(CHALLENGE, OK)
      after_another(options)
      local head, body = arrived(2)
      assert.matches("^PUT /path ", head)
      assert.matches("\r\nAuthorization: Digest username=\"user\"", head)
      assert.is_true(#body >= 4)
      assert.equal(1, server:connections())
    end)
  end

  it("on another connection has its credentials", function()
    server:script { "request", { send = OK }, "request", "reset" }
    server:script { "request", { send = OK }, "hold" }
    local one <close> = http.client { deadline = 10 }
    assert(one:fetch(server.url))
    after_another { method = "PUT", body = "text",
      auth = { basic = { "user", "word" } } }
    local head, body = arrived(3)
    assert.matches("^PUT /path ", head)
    assert.matches("\r\nAuthorization: Basic ", head)
    assert.equal("text", body)
  end)
end)

-- ---- time ----

describe("An upload that stalls", function()
  it("is too late by its idle limit, while it is sent", function()
    server:script { "head", "wait" }
    local page, err = fetch(server.url, { method = "PUT",
      body = ("x"):rep(20 * MIB), timeout = { idle = 0.1, first_byte = 30 } })
    assert.is_nil(page)
    assert.same({ "timeout", "send" }, { err.code, err.phase })
    assert.matches("timeout.idle", err.message, 1, true)
    server:go()
  end)

  for _, size in ipairs { 10, 100 * KIB } do
    it("and is not answered is too late by first_byte: " .. size, function()
      server:script { "request", "hold" }
      local page, err = fetch(server.url, { method = "PUT",
        body = ("x"):rep(size), timeout = { idle = 30, first_byte = 0.1 } })
      assert.is_nil(page)
      assert.same({ "timeout", "headers" }, { err.code, err.phase })
      assert.matches("timeout.first_byte", err.message, 1, true)
    end)
  end
end)

-- ---- over TLS and HTTP/2 ----

describe("Over HTTPS", function()
  it("bodies arrive as they are", function()
    local pair = support.certificates().good
    local secure <close> = support.server { tls = pair }
    for i, size in ipairs(SIZES) do
      secure:reply(OK)
      local text = binary(size)
      assert(fetch(secure.url, { method = "PUT", body = text,
        tls = { ca = support.certificates().ca } }))
      local _, body = parse(secure:request(i))
      same(text, body)
    end
  end)
end)
