-- The support itself: what the other specs build on has to hold.
-- luacheck: ignore 211

local json = require("dkjson")
local support = require("spec.support")
local posix = support.posix

local OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
local UNTIL_CLOSE = "HTTP/1.0 200 OK\r\n\r\n"

local function curl(...)
  return support.command("curl", "-sS", "-m", "10", ...)
end

-- A raw answer, to the end of the connection.
local function ask(server, path)
  return posix.ask(server.port, ("GET %s HTTP/1.1\r\n\r\n"):format(path))
end

describe("a child", function()
  it("is written to and read from", function()
    local child <close> = posix.spawn({ "cat" })
    child:write("one\ntwo\0three")
    assert.equal("one", child:read_line())
    assert.equal("two\0three", child:read(9))
    child:close_stdin()
    assert.equal("", child:read_all())
    assert.same({ "exit", 0 }, { child:wait() })
  end)

  it("tells its exit code and both outputs", function()
    local child <close> = posix.spawn({
      "sh", "-c", "echo out; echo err >&2; exit 3", stderr = true,
    })
    assert.same({ "out\n", "err\n", true }, { child:communicate() })
    assert.same({ "exit", 3 }, { child:wait() })
  end)

  it("takes and gives megabytes without a deadlock", function()
    local text = ("0123456789abcdef"):rep(2 ^ 17)
    local child <close> = posix.spawn({ "cat" })
    assert.is_true(child:communicate(text, 10) == text)
  end)

  it("is killed, and says by which signal", function()
    local child <close> = posix.spawn({ "sleep", "100" })
    assert.is_nil((child:wait(0)))
    child:kill("TERM")
    assert.same({ "signal", 15 }, { child:wait() })
  end)

  it("is gone when its scope ends", function()
    local pid
    do
      local child <close> = posix.spawn({ "sleep", "100" })
      pid = child:pid()
      assert.is_true(posix.kill(pid, 0))
    end
    assert.is_false(posix.kill(pid, 0))
  end)

  it("inherits nothing but what it was given", function()
    local fd = posix.listen()
    local child <close> = posix.spawn({
      "ls", "/proc/self/fd", fds = { [7] = fd },
    })
    -- 3 is ls's own, of the folder that it lists
    assert.equal("0\n1\n2\n3\n7\n", child:read_all())
    posix.close(fd)
  end)

  it("that does not exist is nil and a reason", function()
    local child, why = posix.spawn({ "./no-such-program" })
    assert.is_nil(child)
    assert.matches("No such file", why)
  end)

  it("of fork tells what it wrote and how it ended", function()
    assert.same({ 0, "hello" }, { posix.fork(function(write)
      write("hello")
    end) })
    assert.same({ 1, "no" }, { posix.fork(function() error("no", 0) end) })
    assert.equal(137, (posix.fork(function()
      posix.kill(posix.getpid(), "KILL")
    end)))
  end)
end)

describe("a script of its own", function()
  it("gets arguments, input and environment", function()
    local kind, code, out, err = support.run([[
      io.write(..., io.read("a"), os.getenv("CURLEW_TRIED"))
      io.stderr:write("err")
      os.exit(5)
    ]], { "a", input = "b", env = { CURLEW_TRIED = "c" } })
    assert.same({ "exit", 5, "abc", "err" }, { kind, code, out, err })
  end)

  it("is interrupted once it has said that it is ready", function()
    local kind, code, out, err = support.run([[
      print("ready")
      while true do end
    ]], { signal = "INT" })
    assert.same({ "exit", 1, "ready\n" }, { kind, code, out })
    assert.matches("interrupted!", err)
  end)

  it("is stopped when it takes too long", function()
    assert.equal("timeout", (support.run("while true do end",
      { seconds = 0.1 })))
  end)

  it("can interrupt itself", function()
    local kind, code, _, err = support.run([[
      require("posix_support").alarm_signal(0.01, "INT")
      while true do end
    ]])
    assert.same({ "exit", 1 }, { kind, code })
    assert.matches("interrupted!", err)
  end)
end)

describe("the canned-bytes server", function()
  local server

  setup(function() server = support.server() end)
  teardown(function() server:close() end)
  before_each(function() server:reset() end)

  it("answers, and keeps what it was asked", function()
    server:reply(OK)
    assert.equal(OK, ask(server, "/a"))
    assert.equal(OK, ask(server, "/b"))
    assert.equal("GET /a HTTP/1.1\r\n\r\n", server:request(1))
    assert.equal("GET /b HTTP/1.1\r\n\r\n", server:requests()[2])
    assert.equal(2, server:connections())
    assert.equal(2 * #OK, server:sent())
  end)

  it("reads bodies by length and by chunks, NUL included", function()
    server:reply(OK)
    local sized = "PUT / HTTP/1.1\r\ncontent-length: 3\r\n\r\na\0b"
    local chunked = "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
      .. "3\r\na\0b\r\n0\r\nTrailer: t\r\n\r\n"
    posix.ask(server.port, sized)
    posix.ask(server.port, chunked)
    assert.same({ sized, chunked }, server:requests())
  end)

  it("runs one script a connection, the last one again", function()
    server:reply(UNTIL_CLOSE .. "1")
    server:reply(UNTIL_CLOSE .. "2")
    assert.equal(UNTIL_CLOSE .. "1", ask(server, "/"))
    assert.equal(UNTIL_CLOSE .. "2", ask(server, "/"))
    assert.equal(UNTIL_CLOSE .. "2", ask(server, "/"))
  end)

  it("keeps a connection alive for several answers", function()
    server:replies(OK, OK)
    local code, out = curl(server.url .. "/a", server.url .. "/b")
    assert.same({ 0, "hihi" }, { code, out })
    assert.equal(1, server:connections())
    assert.equal(1, server:closed(1))
  end)

  it("sends byte by byte and piece by piece", function()
    server:script({
      "request",
      { drip = UNTIL_CLOSE },
      { pieces = { "a", "\0", "c" } },
      "close",
    })
    assert.equal(UNTIL_CLOSE .. "a\0c", ask(server, "/"))
  end)

  it("waits until it is let go", function()
    server:script({ "request", "wait", { send = OK }, "wait", "close" })
    local child <close> = posix.spawn({ "curl", "-sS", server.url })
    server:request(1)
    assert.equal(0, server:sent())
    server:go(2)
    assert.equal("hi", child:read_all())
  end)

  it("holds until the client goes", function()
    server:script({ "request", "hold" })
    local fd = posix.connect(server.port)
    posix.close(fd)
    assert.equal(1, server:closed(1))
  end)

  it("repeats a loop until the client goes", function()
    server:script({ "request", { loop = { { send = OK } } } })
    local child <close> = posix.spawn({ "curl", "-sSN", server.url })
    assert.equal("hi", child:read(2))
    child:close()
    assert.equal(1, server:closed(1))
  end)

  it("resets, closes, and closes one half", function()
    server:script({ "request", { send = UNTIL_CLOSE }, "reset" })
    server:script({ "request", { send = UNTIL_CLOSE }, "close" })
    server:script({ "request", { send = UNTIL_CLOSE }, "shutdown", "hold" })
    assert.equal(56, (curl(server.url)))
    assert.equal(0, (curl(server.url)))
    assert.equal(0, (curl(server.url)))
  end)

  it("does not take a step that it does not know", function()
    assert.has_error(function() server:script({ "dance" }) end)
    assert.has_error(function() server:script({ { sned = "x" } }) end)
  end)

  it("speaks TLS, closing with and without close_notify", function()
    local certificates = support.certificates()
    local tls <close> = support.server({ tls = certificates.good })
    for step, notified in pairs({ close = true, cut = false }) do
      tls:reset():script({ "request", { send = UNTIL_CLOSE .. "hi" }, step })
      local _, out, trace = curl("-v", "--cacert", certificates.ca, tls.url)
      assert.equal("hi", out)
      assert.equal(notified, trace:find("IN%)[^\n]*close notify") ~= nil)
    end
  end)
end)

describe("nginx", function()
  local nginx

  setup(function() nginx = support.nginx() end)

  local function get(url, ...)
    local _, out = curl("--cacert", nginx.ca, "-o", "/dev/null", "-w",
      "%{http_code} %{size_download} %{http_version}", url, ...)
    return out
  end

  for path, answer in pairs({
    empty = "204 0",
    zero = "200 0",
    small = "200 20",
    ["1k"] = "200 1024",
    ["20k"] = "200 20480",
    ["64k"] = "200 65536",
    ["65k"] = "200 65537",
    big = "200 104857600",
    headers = "200 8",
    ["status/200"] = "200 11",
    ["status/404"] = "404 11",
    ["status/503"] = "503 11",
  }) do
    it("serves /" .. path, function()
      assert.equal(answer .. " 1.1", get(nginx.http .. "/" .. path))
    end)
  end

  it("has a GiB, and a slow body", function()
    local _, head = curl("-I", nginx.http .. "/1g")
    assert.matches("Content%-Length: 1073741824\r\n", head)
    local child <close> = posix.spawn({ "curl", "-sSN", nginx.http .. "/slow" })
    assert.equal(65536, #child:read(65536))
  end)

  it("tells method, target and headers of the request", function()
    local _, out = curl("-X", "PUT", nginx.http .. "/method")
    assert.equal("PUT /method", out)
    _, out = curl("-H", "X-Test: 1", "-A", "me", nginx.http
      .. "/request-headers")
    assert.equal("x-test: 1\nuser-agent: me\naccept: */*\n", out)
  end)

  it("repeats headers", function()
    local _, out = curl("-i", nginx.http .. "/headers")
    assert.equal(3, select(2, out:gsub("Set%-Cookie:", "")))
    assert.equal(3, select(2, out:gsub("[Xx]%-[Ii]tem:", "")))
  end)

  it("speaks TLS, and HTTP/2 where asked", function()
    assert.equal("200 20 1.1", get(nginx.https .. "/small", "--http2"))
    assert.equal("200 20 2", get(nginx.https2 .. "/small", "--http2"))
  end)

  for name, words in pairs({
    wrong_name = "no alternative certificate subject name",
    expired = "has expired",
    not_yet = "not yet valid",
    self_signed = "self%-signed certificate",
    unknown_ca = "unable to get local issuer",
  }) do
    it("shows a bad certificate: " .. name, function()
      local code, _, why = curl("--cacert", nginx.ca, nginx["https_" .. name])
      assert.equal(60, code)
      assert.matches(words, why)
    end)
  end

  it("counts its connections", function()
    local before = nginx:connections() -- curlew's idle ones
    local fd = posix.connect(nginx.port)
    assert.equal(before + 1, nginx:settled(before + 1))
    posix.close(fd)
    assert.equal(before, nginx:settled(before))
  end)
end)

describe("httpbin", function()
  local httpbin

  setup(function() httpbin = support.httpbin() end)

  local function code(path, ...)
    local _, out = curl("-o", "/dev/null", "-w", "%{http_code}",
      httpbin.url .. path, ...)
    return out
  end

  it("is started once", function()
    assert.equal(httpbin, support.httpbin())
    assert.equal("", httpbin:log())
  end)

  it("tells what it was sent", function()
    local _, out = curl("-H", "X-Test: 1", "-d", "a=b", "-X", "PUT",
      httpbin.url .. "/anything/x?c=d")
    local told = json.decode(out)
    assert.equal("1", told.headers["X-Test"])
    assert.same({ a = "b" }, told.form)
    assert.same({ c = "d" }, told.args)
    assert.equal("PUT", told.method)
  end)

  it("takes a chunked body", function()
    local child <close> = posix.spawn { "curl", "-sS", "-T", "-",
      httpbin.url .. "/put" }
    assert.equal("piece", json.decode((child:communicate("piece", 10))).data)
  end)

  it("asks for credentials", function()
    assert.equal("401", code("/basic-auth/u/p"))
    assert.equal("200", code("/basic-auth/u/p", "-u", "u:p"))
    assert.equal("401", code("/bearer"))
    assert.equal("200", code("/bearer", "-H", "Authorization: Bearer t"))
    assert.equal("401", code("/digest-auth/auth/u/p", "--digest", "-u", "u:x"))
    for _, algorithm in ipairs { "MD5", "SHA-256" } do
      assert.equal("200", code("/digest-auth/auth/u/p/" .. algorithm,
        "--digest", "-u", "u:p"))
    end
  end)

  it("leads on", function()
    assert.equal("302", code("/redirect/2"))
    assert.equal("200", code("/redirect/2", "-L"))
  end)

  it("keeps its connections", function()
    local _, out = curl("-w", "%{num_connects} ", "-o", "/dev/null",
      "-o", "/dev/null", httpbin.url .. "/get", httpbin.url .. "/get")
    assert.equal("1 0 ", out)
  end)

  it("is gone when it is stopped", function()
    local pid
    do
      local other <close> = require("spec.support.httpbin")(posix,
        support.folder())
      pid = other.pid
      assert.is_true(posix.kill(pid, 0))
    end
    assert.is_false(posix.kill(pid, 0))
  end)
end)

describe("an encoder", function()
  local encode = require "encode_support"

  -- What gzip(1) makes of a file.
  local function gunzip(path)
    local code, out, err = support.command("gzip", "-dc", path)
    assert.equal(0, code, err)
    return out
  end

  it("writes what gzip reads", function()
    local path = support.folder() .. "/text.gz"
    local file = assert(io.open(path, "wb"))
    file:write(encode.gzip("one\0two")):close()
    assert.equal("one\0two", gunzip(path))
  end)

  it("writes files of repeated bytes", function()
    local path = support.folder() .. "/bomb.gz"
    encode.bomb("gzip", 1000000, path)
    assert.equal(("\0"):rep(1000000), gunzip(path))
    encode.bomb("gzip", 1000000, path, "abc")
    assert.equal(("abc"):rep(333333) .. "a", gunzip(path))
    encode.bomb("gzip", 0, path)
    assert.equal("", gunzip(path))
  end)

  it("knows each coding", function()
    for _, name in ipairs { "deflate", "raw_deflate", "br", "zstd" } do
      assert.is_true(#encode[name](("text"):rep(100)) < 40, name)
    end
  end)

  it("says what it cannot do", function()
    assert.error_matches(function() encode.bomb("gzip", 1, "/no/such") end,
      "/no/such: ")
    assert.error_matches(function()
      encode.bomb("lzma", 1, support.folder() .. "/bomb")
    end, "cannot encode by lzma")
  end)
end)
