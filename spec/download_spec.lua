--- download: under the path is what was there, or the whole new file; what came
-- before an interruption is gone on with, by bytes of the same entity only.

local support = require "spec.support"
local http = require "curlew"
local scheduler = require "spec.support.scheduler"

local NGINX = support.nginx

local server, folder, path, part, meta

before_each(function()
  server = support.server()
  folder = support.folder()
  path = folder .. "/file"
  part, meta = path .. ".part", path .. ".part.meta"
end)

after_each(function() server:close() end)

local function read(name)
  local file <close> = assert(io.open(name, "rb"))
  return file:read("a")
end

local function exists(name)
  local file <close> = io.open(name, "rb")
  return file ~= nil
end

local function write(name, text)
  local file <close> = assert(io.open(name, "wb"))
  assert(file:write(text))
end

-- The names in the folder.
local function names()
  local _, out = support.command("ls", "-A", folder)
  return out
end

local function mode(name)
  local _, out = support.command("stat", "-c", "%a %F", name)
  return (out:gsub("\n", ""))
end

local function sha256(name)
  local _, out = support.command("sha256sum", name)
  return out:match("^%x+")
end

-- So many bytes, in blocks of which no two are the same: neither a piece of
-- another entity nor one from another place can be taken for it.
local function entity(seed, n)
  local BLOCK = 4096
  local blocks = {}
  for i = 1, n // BLOCK + 1 do
    blocks[i] = ("%s %013x\n"):format(seed, i * 7919):rep(BLOCK // 16)
  end
  return table.concat(blocks):sub(1, n)
end

local SIZE = 200000
local A, B = entity("a", SIZE), entity("b", SIZE)

-- A response of the lines given; a false takes one of the usual away.
local function response(status, body, lines)
  local out = { "HTTP/1.1 " .. status }
  local all = { ["Content-Length"] = #body }
  for name, value in pairs(lines or {}) do all[name] = value end
  for name, value in pairs(all) do
    if value then out[#out + 1] = ("%s: %s"):format(name, value) end
  end
  return table.concat(out, "\r\n") .. "\r\n\r\n" .. body
end

-- The first 'n' bytes of all of it, then the connection ends.
local function cut(body, n, lines)
  local all = { ["Content-Length"] = #body }
  for name, value in pairs(lines) do all[name] = value end
  return response("200 OK", body:sub(1, n), all)
end

-- What is left of it from 'first' on, as the server of the rest says it.
local function rest(body, first, lines)
  local all = { ["Content-Range"] = ("bytes %d-%d/%d"):format(first, #body - 1,
    #body) }
  for name, value in pairs(lines) do all[name] = value end
  return response("206 Partial Content", body:sub(first + 1), all)
end

local TAG = { ETag = '"one"' }
local CUT = 100000
local FIRST = CUT - 1 -- the last byte is asked for again

-- Downloads what is cut after CUT bytes.
local function interrupt(lines, body)
  server:reset():reply(cut(body or A, CUT, lines or TAG))
  local file, err = http.download(server.url, path)
  assert.same({ nil, "truncated", true }, { file, err.code, err.retryable })
  assert.equal(0, http.stats().open)
end

-- Answers in turn, on a connection each.
local function answer(...)
  server:reset()
  for _, bytes in ipairs { ... } do server:reply(bytes) end
end

local function go_on(options)
  return http.download(server.url, path, options)
end

local function assert_whole(body, file, resumed)
  assert.same({ path = path, bytes = #body, resumed = resumed or false }, file)
  assert.is_true(read(path) == body)
  assert.equal("file\n", names())
  assert.equal(0, http.stats().open)
end

local function header(request, name)
  return request:match("\r\n" .. name:gsub("%-", "%%-") .. ": ([^\r]*)\r\n")
end

-- A process that may write so many bytes only, and keeps its head.
local function stop_at(url, bytes)
  local _, code, out, err = support.run([[
    local http = require "curlew"
    local posix = require "posix_support"
    posix.ignore("XFSZ")
    posix.setrlimit("FSIZE", arg[3])
    local file, why = http.download(arg[1], arg[2])
    print(file, why.code, why.message:match("[%a ]+$"), http.stats().open)
  ]], { url, path, tostring(bytes) })
  assert.same({ 0, "nil\tfile\t File too large\t0\n", "" },
    { code, out, err })
end

-- A task that downloads, once its part has bytes.
local function begin_task(tasks, f)
  local task = tasks.spawn(f)
  for _ = 1, 100 do
    if exists(part) and #read(part) > 0 then return task end
    tasks.round(0.1)
  end
  error("nothing is written")
end

describe("download", function()
  it("writes the file, and says what it is", function()
    server:reply(response("200 OK", A, TAG))
    assert_whole(A, assert(go_on()))
    local request = server:request()
    assert.equal("identity", header(request, "Accept-Encoding"))
    assert.is_nil(header(request, "Range"))
    assert.is_nil(header(request, "If-Range"))
  end)

  it("writes an empty file, and one whose length nobody said", function()
    server:reply(response("200 OK", "", TAG))
    assert_whole("", assert(go_on()))
    answer(response("200 OK", A, { ETag = '"one"', ["Content-Length"] = false,
      Connection = "close" }))
    assert_whole(A, assert(go_on()))
  end)

  it("takes one of several MiB byte for byte, over HTTP and TLS", function()
    local nginx = NGINX()
    for _, url in ipairs { nginx.http, nginx.https } do
      local file = assert(http.download(url .. "/big", path,
        { tls = { ca = nginx.ca } }))
      assert.equal(100 * 1024 * 1024, file.bytes)
      assert.equal(0, (support.command("cmp", path, nginx.dir .. "/www/big")))
    end
    assert.equal("file\n", names())
  end)

  it("is a client's as well, with its base_url and buffer", function()
    local client <close> = http.client { base_url = server.url .. "/v1",
      buffer = 4096, headers = { ["X-Key"] = "k" } }
    server:reply(response("200 OK", A))
    local file = assert(client:download("a", path,
      { query = { b = 1 }, headers = { ["X-Own"] = "o" } }))
    assert_whole(A, file)
    local request = server:request()
    assert.matches("^GET /v1/a%?b=1 ", request)
    assert.same({ "k", "o" }, { header(request, "X-Key"),
      header(request, "X-Own") })
  end)

  it("leaves the old file until the new one is whole", function()
    write(path, "old")
    interrupt()
    assert.equal("old", read(path))
    assert.is_true(read(part) == A:sub(1, CUT))
  end)

  it("keeps the permissions of the file that it replaces", function()
    write(path, "old")
    support.command("chmod", "600", path)
    interrupt()
    assert.equal("600 regular file", mode(part))
    answer(rest(A, FIRST, TAG))
    assert(go_on())
    assert.equal("600 regular file", mode(path))
  end)

  it("replaces what a link leads to, and not the link", function()
    write(folder .. "/target", "old")
    support.command("ln", "-s", "target", path)
    interrupt()
    assert.equal("file\ntarget\ntarget.part\ntarget.part.meta\n", names())
    answer(rest(A, FIRST, TAG))
    local file = assert(go_on())
    assert.same({ path, true }, { file.path, file.resumed })
    assert.equal("777 symbolic link", mode(path))
    assert.is_true(read(folder .. "/target") == A)
    assert.equal("file\ntarget\n", names())
  end)

  it("undoes a coding that it did not ask for, and does not go on with it",
    function()
      local encode = require "encode_support"
      local coded = encode.gzip(A)
      local lines = { ETag = '"one"', ["Content-Encoding"] = "gzip" }
      answer(response("200 OK", coded, lines))
      assert_whole(A, assert(go_on()))
      os.remove(path)
      answer(cut(coded, #coded // 2, lines))
      assert.is_nil(go_on())
      assert.equal("", names())
    end)

  it("keeps a coding where it is told to", function()
    local coded = require("encode_support").gzip(A)
    answer(response("200 OK", coded, { ["Content-Encoding"] = "gzip" }))
    local file = assert(go_on { decode = false,
      headers = { ["accept-encoding"] = "gzip" } })
    assert_whole(coded, file)
    local request = server:request()
    assert.equal("gzip", header(request, "accept-encoding"))
    assert.is_nil(header(request, "Accept-Encoding"))
  end)
end)

describe("download that was interrupted", function()
  it("goes on where it was", function()
    interrupt()
    answer(rest(A, FIRST, TAG))
    assert_whole(A, assert(go_on()), true)
    local request = server:request()
    assert.equal("bytes=99999-", header(request, "Range"))
    assert.equal('"one"', header(request, "If-Range"))
  end)

  it("goes on many times", function()
    interrupt()
    for _, at in ipairs { 120000, 120000, 150000, 199999, 200000 } do
      local have = #read(part)
      server:reset()
      local bytes = rest(A, have - 1, TAG)
      server:reply(bytes:sub(1, #bytes - (SIZE - at)))
      local file, err = go_on()
      if at == SIZE then assert_whole(A, file, true) break end
      assert.equal("truncated", err.code)
      assert.is_true(read(part) == A:sub(1, math.max(have - 1, at)))
    end
  end)

  it("goes on with one that is whole already", function()
    interrupt()
    write(part, A) -- as it is between the last byte and the new name
    answer(rest(A, SIZE - 1, TAG))
    assert_whole(A, assert(go_on()), true)
    assert.equal("bytes=199999-", header(server:request(), "Range"))
  end)

  it("goes on when its time was over", function()
    server:script { "request", { send = cut(A, CUT, TAG) }, "hold" }
    local file, err = go_on { timeout = { idle = 0.1 } }
    assert.same({ nil, "timeout", true }, { file, err.code, err.retryable })
    assert.is_true(read(part) == A:sub(1, CUT))
    answer(rest(A, FIRST, TAG))
    assert_whole(A, assert(go_on()), true)
  end)

  it("goes on when its task was closed", function()
    server:script { "request", { send = cut(A, CUT, TAG) }, "hold" }
    do
      local tasks <close> = scheduler()
      local task = begin_task(tasks, function()
        return go_on { buffer = 16384 }
      end)
      assert(coroutine.close(task))
      tasks.forget()
    end
    assert.equal(0, http.stats().open)
    local have = #read(part)
    answer(rest(A, have - 1, TAG))
    assert_whole(A, assert(go_on()), true)
  end)

  it("is not lost when nobody answers", function()
    interrupt()
    server:reset():script { "request", "reset" }
    assert.equal("closed", select(2, go_on()).code)
    answer(response("503 Service Unavailable", ""))
    assert.equal(503, select(2, go_on()).status)
    answer(rest(A, FIRST, TAG))
    assert_whole(A, assert(go_on()), true)
  end)

  it("begins anew when it is asked for from elsewhere", function()
    interrupt()
    answer(response("200 OK", B, TAG))
    assert_whole(B, assert(http.download(server.url .. "/other", path)))
    assert.is_nil(header(server:request(), "Range"))
  end)

  it("is not lost when elsewhere there is nothing", function()
    interrupt()
    answer(response("404 Not Found", ""))
    assert.is_nil((http.download(server.url .. "/other", path)))
    answer(rest(A, FIRST, TAG))
    assert_whole(A, assert(go_on()), true)
  end)

  it("begins anew when nothing is known of it", function()
    for _, spoil in ipairs {
      function() os.remove(meta) end,
      function() write(meta, "") end,
      function() write(meta, read(meta):sub(1, -2)) end,
      function() write(meta, read(meta) .. "x") end,
      function() write(meta, (read(meta):gsub("boot %w+", "boot x"))) end,
      function() write(meta, read(meta):gsub("length %d+", "length 99999")) end,
      function() write(meta, ("x"):rep(100000)) end,
      function() write(meta, "\0" .. read(meta)) end,
    } do
      interrupt()
      spoil()
      answer(response("200 OK", B, TAG))
      assert_whole(B, assert(go_on()))
      assert.is_nil(header(server:request(), "Range"))
    end
  end)

  -- The bytes of an earlier boot may never have reached the disk.
  it("begins anew when the system does not name its boot", function()
    local env = { CURLEW_FAULT = "boot 2",
      LD_PRELOAD = support.build .. "/spec/fault.so" }
    local ask = "print(require 'curlew'.download(arg[1], arg[2]))"
    server:reset():reply(cut(A, CUT, TAG))
    support.run(ask, { server.url, path, env = env })
    assert.matches("\nboot %-\n", read(meta))
    answer(response("200 OK", B, TAG))
    local _, code, _, err = support.run(ask, { server.url, path, env = env })
    assert.same({ 0, "" }, { code, err })
    assert.is_nil(header(server:request(), "Range"))
    assert.equal(B, read(path))
  end)

  it("begins anew when it is a byte or less", function()
    for n = 0, 1 do
      server:reset():reply(cut(A, n, TAG))
      assert.is_nil(go_on())
      assert.equal(n == 0 and "" or "file.part\nfile.part.meta\n", names())
      answer(response("200 OK", B, TAG))
      assert_whole(B, assert(go_on()))
      assert.is_nil(header(server:request(), "Range"))
      os.remove(path)
    end
  end)

  it("keeps no secret beside it", function()
    local secret = server.url:gsub("//", "//user:s3cret@") .. "/?token=s3cret"
    server:reply(cut(A, CUT, TAG))
    assert.is_nil((http.download(secret, path)))
    assert.is_nil(read(meta):find("s3cret", 1, true))
    assert.is_nil(read(meta):find("127.0.0.1", 1, true))
    answer(rest(A, FIRST, TAG))
    assert_whole(A, assert(http.download(secret, path)), true)
  end)
end)

describe("download of what cannot be told from another", function()
  local OLD = "Sun, 06 Nov 1994 08:49:37 GMT"
  local LATER = "Sun, 06 Nov 1994 08:50:37 GMT"
  local SOON = "Sun, 06 Nov 1994 08:50:36 GMT"

  local strong = {
    { "a date long past", { ["Last-Modified"] = OLD, Date = LATER }, OLD },
    { "an empty tag", { ETag = '""' }, '""' },
    { "a tag beside a date", { ETag = '"x"', ["Last-Modified"] = OLD,
      Date = LATER }, '"x"' },
    { "a tag of what varies", { ETag = '"x"', Vary = "Accept" }, '"x"' },
    { "a tag of odd bytes", { ETag = '"a,\'\\\200W/"' }, '"a,\'\\\200W/"' },
  }
  for _, case in ipairs(strong) do
    it("goes on with " .. case[1], function()
      interrupt(case[2])
      answer(rest(A, FIRST, case[2]))
      assert_whole(A, assert(go_on()), true)
      assert.equal(case[3], header(server:request(), "If-Range"))
    end)
  end

  local weak = {
    { "nothing", {} },
    { "a weak tag", { ETag = 'W/"x"' } },
    { "a weak tag beside a date", { ETag = 'W/"x"', ["Last-Modified"] = OLD,
      Date = LATER } },
    { "two tags", { ETag = '"x"\r\nETag: "y"' } },
    { "a tag without quotes", { ETag = "x" } },
    { "half a tag", { ETag = '"' } },
    { "a tag in two parts", { ETag = '"a" "b"' } },
    { "a tag that is too long", { ETag = '"' .. ("x"):rep(1100) .. '"' } },
    { "a date without a Date", { ["Last-Modified"] = OLD } },
    { "a date of the same minute", { ["Last-Modified"] = OLD, Date = SOON } },
    { "a date of what varies", { ["Last-Modified"] = OLD, Date = LATER,
      Vary = "Cookie" } },
    { "a date that is none", { Date = LATER,
      ["Last-Modified"] = "yesterday, that was it,,, GMT" } },
    { "a date of another form", { Date = LATER,
      ["Last-Modified"] = "Sunday, 06-Nov-94 08:49:37 GMT" } },
  }
  for _, case in ipairs(weak) do
    it("keeps nothing of what has " .. case[1], function()
      interrupt(case[2])
      assert.equal("", names())
      answer(response("200 OK", B, case[2]))
      assert_whole(B, assert(go_on()))
      assert.is_nil(header(server:request(), "Range"))
    end)
  end
end)

describe("download of what has changed", function()
  it("takes all of the other, of the server that says so", function()
    interrupt()
    answer(response("200 OK", B, { ETag = '"two"' }))
    assert_whole(B, assert(go_on()))
  end)

  it("goes on with the other after it was cut too", function()
    interrupt()
    answer(cut(B, 50000, { ETag = '"two"' }))
    assert.is_nil(go_on())
    assert.is_true(read(part) == B:sub(1, 50000))
    answer(rest(B, 49999, { ETag = '"two"' }))
    assert_whole(B, assert(go_on()), true)
    assert.equal('"two"', header(server:request(), "If-Range"))
  end)

  it("takes all of the other, of nginx", function()
    local nginx = NGINX()
    local url = nginx.http .. "/changing/file"
    for _, now in ipairs { A, B } do
      nginx:change("file", A)
      stop_at(url, CUT)
      assert.is_true(read(part) == A:sub(1, CUT))
      if now == B then nginx:change("file", B) end
      assert_whole(now, assert(http.download(url, path)), now == A)
      os.remove(path)
    end
  end)

  local others = {
    ["another tag"] = rest(B, FIRST, { ETag = '"two"' }),
    ["a weak tag"] = rest(B, FIRST, { ETag = 'W/"one"' }),
    ["no tag"] = rest(B, FIRST, {}),
    ["two tags"] = rest(B, FIRST, { ETag = '"one"\r\nETag: "one"' }),
    ["another length"] = rest(B .. "x", FIRST, TAG),
    ["another beginning"] = rest(B, FIRST + 1, TAG),
    ["an earlier beginning"] = rest(B, FIRST - 1, TAG),
    ["the whole as a part"] = rest(B, 0, TAG),
    ["no Content-Range"] = rest(B, FIRST, { ETag = '"one"',
      ["Content-Range"] = false }),
    ["two of them"] = rest(B, FIRST, { ETag = '"one"', ["Content-Range"] =
      "bytes 99999-199999/200000\r\nContent-Range: bytes 1-2/3" }),
    ["another unit"] = rest(B, FIRST, { ETag = '"one"',
      ["Content-Range"] = "lines 99999-199999/200000" }),
    ["no total"] = rest(B, FIRST, { ETag = '"one"',
      ["Content-Range"] = "bytes 99999-199999/*" }),
    ["an end before its beginning"] = rest(B, FIRST, { ETag = '"one"',
      ["Content-Range"] = "bytes 99999-99998/200000" }),
    ["an end behind all"] = rest(B, FIRST, { ETag = '"one"',
      ["Content-Range"] = "bytes 99999-200000/200000" }),
    ["a number too large"] = rest(B, FIRST, { ETag = '"one"',
      ["Content-Range"] = "bytes 99999-199999/99999999999999999999" }),
    ["words behind it"] = rest(B, FIRST, { ETag = '"one"',
      ["Content-Range"] = "bytes 99999-199999/200000, 1-2/3" }),
    ["a coding"] = rest(B, FIRST, { ETag = '"one"',
      ["Content-Encoding"] = "gzip" }),
    ["several parts"] = response("206 Partial Content", "--x\r\n\r\n--x--", {
      ETag = '"one"', ["Content-Type"] = "multipart/byteranges; boundary=x" }),
    ["nothing there"] = response("416 Range Not Satisfiable", "",
      { ["Content-Range"] = "bytes */50" }),
    ["nothing there, or all"] = response("416 Range Not Satisfiable", "",
      { ["Content-Range"] = "bytes */100000", ETag = '"one"' }),
  }
  for what, bytes in pairs(others) do
    it("asks for all of it after a part with " .. what, function()
      interrupt()
      answer(bytes, response("200 OK", B, { ETag = '"two"' }))
      assert_whole(B, assert(go_on()))
      local requests = server:requests()
      assert.equal(2, #requests)
      assert.equal("bytes=99999-", header(requests[1], "Range"))
      assert.is_nil(header(requests[2], "Range"))
      assert.is_nil(header(requests[2], "If-Range"))
    end)
  end

  it("asks for all of it once, whatever comes then", function()
    for _, bytes in ipairs { rest(B, FIRST, {}),
      response("416 Range Not Satisfiable", "") } do
      interrupt()
      answer(bytes)
      local file, err = go_on()
      assert.same({ nil, "status" }, { file, err.code })
      assert.equal(2, #server:requests())
      assert.equal("", names())
    end
  end)

  it("asks for all of it although check refuses a 416", function()
    for _, check in ipairs { true, function(r) return r.ok end } do
      interrupt()
      answer(response("416 Range Not Satisfiable", ""),
        response("200 OK", B))
      assert_whole(B, assert(go_on { check = check }))
    end
  end)

  it("takes a part that ends early for one, and goes on behind it", function()
    interrupt()
    answer(response("206 Partial Content", A:sub(CUT, 150000),
      { ETag = '"one"', ["Content-Range"] = "bytes 99999-149999/200000" }))
    local file, err = go_on()
    assert.same({ nil, "truncated", true }, { file, err.code, err.retryable })
    answer(rest(A, 149999, TAG))
    assert_whole(A, assert(go_on()), true)
  end)

  it("throws away a part that is longer than it says", function()
    interrupt()
    answer(rest(A .. "more", FIRST, { ETag = '"one"',
      ["Content-Range"] = "bytes 99999-199999/200000" }))
    local file, err = go_on()
    assert.same({ nil, "protocol" }, { file, err.code })
    assert.equal("", names())
  end)
end)

describe("download with a checksum", function()
  local sum
  before_each(function()
    write(folder .. "/sum", A)
    sum = sha256(folder .. "/sum")
    os.remove(folder .. "/sum")
  end)

  it("says it when it is right", function()
    for _, given in ipairs { sum, sum:upper() } do
      answer(response("200 OK", A))
      local file = assert(go_on { sha256 = given })
      assert.equal(sum, file.sha256)
      assert.equal("file\n", names())
    end
  end)

  it("is an error when it is wrong, and removes what came", function()
    write(path, "old")
    answer(response("200 OK", B, TAG))
    local file, err = go_on { sha256 = sum }
    assert.same({ nil, "checksum", "body", false },
      { file, err.code, err.phase, err.retryable })
    assert.matches(sum, err.message, 1, true)
    assert.same({ "old", "file\n" }, { read(path), names() })
  end)

  it("counts what was there before", function()
    interrupt()
    answer(rest(A, FIRST, TAG))
    local file = assert(go_on { sha256 = sum })
    assert.same({ sum, true }, { file.sha256, file.resumed })
    assert.equal(sum, sha256(path))
  end)

  it("finds out who changed the part, and begins anew", function()
    interrupt()
    write(part, B:sub(1, CUT))
    answer(rest(A, FIRST, TAG))
    assert.equal("checksum", select(2, go_on { sha256 = sum }).code)
    assert.equal("", names())
    answer(response("200 OK", A, TAG))
    assert.equal(sum, assert(go_on { sha256 = sum }).sha256)
  end)

  it("begins to count anew with another entity", function()
    interrupt(nil, B)
    answer(response("200 OK", A, TAG))
    assert.equal(sum, assert(go_on { sha256 = sum }).sha256)
    interrupt(nil, B)
    answer(rest(B, FIRST, {}), response("200 OK", A, TAG))
    assert.equal(sum, assert(go_on { sha256 = sum }).sha256)
  end)

  it("is none when it is false", function()
    answer(response("200 OK", A))
    assert.is_nil(assert(go_on { sha256 = false }).sha256)
  end)
end)

describe("download that cannot", function()
  local function assert_error(code, what, ...)
    local file, err = http.download(...)
    assert.is_nil(file)
    assert.equal(code, err.code)
    assert.matches(what, tostring(err))
    assert.matches("download_spec.lua:%d+$", tostring(err))
    assert.equal("GET", err.method)
    assert.equal(0, http.stats().open)
    return err
  end

  it("is an error of a path that is no place for a file", function()
    server:reply(response("200 OK", A))
    support.command("mkfifo", folder .. "/pipe")
    support.command("ln", "-s", "nothing", folder .. "/link")
    local before = names()
    for name, what in pairs {
      [folder] = "Is a directory",
      [folder .. "/no/file"] = "cannot create .*No such file",
      [folder .. "/link"] = "No such file",
      [folder .. "/pipe"] = "it is no regular file",
      ["/dev/null"] = "cannot write /dev/null: it is no regular file",
      ["/dev/full"] = "it is no regular file",
      ["/dev/stdout"] = "it is no regular file",
      [folder .. "/" .. ("n"):rep(255)] = "File name too long",
    } do
      local err = assert_error("file", what, server.url, name)
      assert.equal(server.url .. "/", err.url)
    end
    assert.equal(before, names())
    assert.equal(0, server:connections())
  end)

  it("is an error of a part that is no file of ours", function()
    server:reply(response("200 OK", A))
    write(folder .. "/victim", "mine")
    support.command("ln", "-s", "victim", part)
    assert_error("file", "symbolic links", server.url, path)
    assert.equal("mine", read(folder .. "/victim"))
    os.remove(part)
    support.command("mkfifo", part)
    assert_error("file", "it is no regular file", server.url, path)
    os.remove(part)
    support.command("mkdir", part)
    assert_error("file", "Is a directory", server.url, path)
    support.command("rmdir", part)
    write(folder .. "/victim", "mine")
    support.command("ln", folder .. "/victim", part)
    assert_error("file", "it has more than one hard link", server.url, path)
    assert.equal("mine", read(folder .. "/victim"))
    os.remove(part)
    write(part, "x")
    if support.command("chown", "1", part) == 0 then
      assert_error("file", "belongs to somebody else", server.url, path)
      assert.equal("x", read(part))
    end
  end)

  it("is an error where what is known cannot be replaced", function()
    server:reply(response("200 OK", A))
    support.command("mkdir", meta)
    assert_error("file", "cannot remove .*meta", server.url, path)
    assert.equal("file.part.meta\n", names())
  end)

  it("is an error of a status, and shows the server's words", function()
    answer(response("404 Not Found", "no such thing"))
    local err = assert_error("status", "404 Not Found", server.url, path)
    assert.same({ 404, "no such thing" }, { err.status, err.body })
    answer("HTTP/1.1 204 No Content\r\n\r\n")
    assert_error("status", "204 No Content", server.url, path)
    answer(rest(A, 0, TAG))
    assert_error("status", "206 Partial Content", server.url, path)
    assert.equal("", names())
  end)

  it("is an error of a url that is none", function()
    for _, bad in ipairs { "", "ftp://h/", "http://h\0/", "/path" } do
      local err = assert_error("url", "url", bad, path)
      assert.is_nil(err.url)
    end
    assert.equal("", names())
  end)

  it("is an error when check says no", function()
    answer(response("200 OK", A, TAG))
    local seen
    assert_error("status", "200 OK", server.url, path,
      { check = function(r) seen = r.status return false end })
    assert.equal(200, seen)
    local client <close> = http.client { check = function() return false end }
    assert.equal("status", select(2, client:download(server.url, path)).code)
    assert.equal("", names())
  end)

  it("is an error of a file over max_body, also of one gone on with", function()
    interrupt()
    answer(rest(A, FIRST, TAG))
    assert_error("too_large", "over max_body, 150000 bytes", server.url, path,
      { max_body = 150000 })
    answer(rest(A, FIRST, TAG))
    assert_whole(A, assert(go_on { max_body = SIZE }), true)
  end)

  it("is an error of a limit on files, and can go on without it", function()
    write(path, "old")
    server:reply(response("200 OK", A, TAG))
    stop_at(server.url, CUT)
    assert.equal("old", read(path))
    answer(rest(A, FIRST, TAG))
    assert_whole(A, assert(go_on()), true)
  end)

  for name, words in pairs {
    ["write 28"] = "cannot write .*No space left on device",
    ["fsync 5"] = "cannot write .*Input/output error",
    ["rename 28"] = "cannot write .*No space left on device",
    ["ftruncate 5"] = "cannot write .*Input/output error",
    ["unlink 1"] = "cannot remove .*Operation not permitted",
  } do
    it("leaves the old file when the system fails: " .. name, function()
      write(path, "old")
      server:reply(response("200 OK", A, TAG))
      local _, code, out, err = support.run([[
        local http = require "curlew"
        local file, why = http.download(arg[1], arg[2])
        print(file, why.code, why.message, http.stats().open)
      ]], { server.url, path, env = { CURLEW_FAULT = name,
        LD_PRELOAD = support.build .. "/spec/fault.so" } })
      assert.same({ 0, "" }, { code, err })
      assert.matches("^nil\tfile\t" .. words .. "\t0\n$", out)
      assert.equal("old", read(path))
      answer(response("200 OK", B, TAG), response("200 OK", B, TAG))
      assert_whole(B, assert(go_on()))
    end)
  end

  it("is an error while another goes on to the same path", function()
    server:script { "request", { send = cut(A, CUT, TAG) }, "wait",
      { send = A:sub(CUT + 1) }, "close" }
    local tasks <close> = scheduler()
    local first
    begin_task(tasks, function()
      first = assert(go_on { buffer = 16384 })
    end)
    local file, err = go_on()
    assert.same({ nil, "file" }, { file, err.code })
    assert.matches("file.part: another download to it goes on", err.message)
    local _, _, out = support.run([[
      print(select(2, require("curlew").download(arg[1], arg[2])).message)
    ]], { server.url, path })
    assert.matches("another download to it goes on", out)
    server:go()
    tasks.run()
    assert_whole(A, first)
    assert.equal(1, server:connections())
  end)

  it("is not undone by a fork", function()
    interrupt()
    local bytes = rest(A, FIRST, TAG)
    server:reset():script { "request", { send = bytes:sub(1, -100) }, "wait",
      { send = bytes:sub(-99) }, "close" }
    local _, code, out, err = support.run([[
      local core = require "curlew.core"
      local http = require "curlew"
      local posix = require "posix_support"
      local task = coroutine.create(function()
        return assert(http.download(arg[1], arg[2], { buffer = 16384 })).bytes
      end)
      core.seat(task, function() coroutine.yield() end)
      local function exists(name)
        local file <close> = io.open(name)
        return file ~= nil and file:seek("end")
      end
      local ok, bytes = coroutine.resume(task)
      while exists(arg[2] .. ".part") < 101000 do
        core.step(0.1)
        if core.ready() then ok, bytes = coroutine.resume(task) end
      end
      -- the copy closes its state, and lives on until the other is done
      posix.fork(function()
        task = nil
        collectgarbage()
        print(exists(arg[2] .. ".part"), exists(arg[2] .. ".part.meta"))
        io.stdout:flush()
      end)
      local _, why = http.download(arg[1], arg[2])
      print(why.message:match("another download"))
      print(coroutine.close(task), exists(arg[2] .. ".part"))
    ]], { server.url, path })
    assert.same({ 0, "" }, { code, err })
    assert.matches("^%d+\t%d+\nanother download\ntrue\t%d+\n$", out)
    server:go()
  end)

  it("raises a mistake at the caller's line, and touches nothing", function()
    local sum = ("a"):rep(64)
    for what, arguments in pairs {
      ["download: path expected, got nil"] = {},
      ["download: path expected, got number"] = { 42 },
      ["download: path expected, got table"] = { {} },
      ["path is empty"] = { "" },
      ["NUL byte"] = { path .. "\0" },
      ["options: table expected, got number"] = { path, 5 },
      ["option 'sha256': string expected, got number"] = { path,
        { sha256 = 5 } },
      ["option 'sha256': 64 hex"] = { path, { sha256 = sum .. "a" } },
      ["'sha256': 64 hexadecimal digits"] = { path,
        { sha256 = ("g"):rep(64) } },
      ["option 'check': download always checks"] = { path, { check = false } },
      ["option 'headers': table expected"] = { path, { headers = false } },
      ["field 'range': download sets it itself"] = { path,
        { headers = { range = "bytes=0-1" } } },
      ["field 'IF%-Range': download"] = { path,
        { headers = { { "IF-Range", "x" } } } },
      ["unknown option 'sha'"] = { path, { sha = sum } },
      ["option 'method'"] = { path, { method = "POST" } },
      ["option 'headers': {name, value} expected"] = { path,
        { headers = { 1 } } },
    } do
      local line = debug.getinfo(1, "l").currentline + 1
      local ok, err = pcall(function() local f = http.download(server.url,
        table.unpack(arguments)) return f end)
      assert.is_false(ok)
      assert.matches("^%S*download_spec.lua:" .. line .. ": .*" .. what, err)
    end
    assert.error_matches(function() http.download(nil, path) end,
      "url: string expected, got nil")
    assert.error_matches(function() http:download(server.url, path) end,
      "call http.download%(...%) with a dot")
    assert.error_matches(function()
      http.client().download(server.url, path)
    end, "call client:download%(...%) with a colon")
    assert.same({ "", 0, 0 }, { names(), server:connections(),
      http.stats().open })
  end)

  it("raises when check has read of the body", function()
    server:reply(response("200 OK", A, TAG))
    local line = debug.getinfo(1, "l").currentline + 2
    local ok, err = pcall(function()
      local file = http.download(server.url, path,
        { check = function(r) return r:read(1) end })
      return file
    end)
    assert.is_false(ok)
    assert.matches("spec.lua:" .. line .. ": .*'check' has read of the body",
      err)
    assert.same({ "", 0 }, { names(), http.stats().open })
  end)
end)

describe("download by several processes at once", function()
  it("never leaves a mixture under the path", function()
    local nginx = NGINX()
    local names_of, versions = {}, {}
    for i = 1, 4 do
      names_of[i] = "many" .. i
      versions[entity(tostring(i), SIZE)] = true
      nginx:change(names_of[i], entity(tostring(i), SIZE))
    end
    local script = folder .. "/script.lua"
    write(script, [[
      local http = require "curlew"
      local done = 0
      for i = 1, 100 do
        local url = arg[1] .. (i + arg[3]) % 4 + 1
        local file, err = http.download(url, arg[2], { buffer = 4096 })
        if file then done = done + 1
        elseif not err.message:find("another download to it goes on") then
          error(tostring(err))
        end
      end
      print(done)
    ]])
    local children = {}
    for i = 1, 4 do
      children[i] = assert(support.posix.spawn { support.lua, script,
        nginx.http .. "/changing/many", path, tostring(i), stderr = true,
        preload = true, env = { LUA_PATH = package.path,
          LUA_CPATH = package.cpath, LUA_INIT = false } })
    end
    local done, problems = 0, ""
    local last = support.posix.monotonic() + 10
    repeat assert(support.posix.monotonic() < last) until exists(path)
    for _ = 1, 200 do
      if not versions[read(path)] then error("a mixture") end
    end
    for _, child in ipairs(children) do
      local out, err = child:communicate("", 30)
      done = done + (tonumber(out) or 0)
      problems = problems .. err
      child:close()
    end
    assert.equal("", problems)
    assert.is_true(versions[read(path)] and done > 0)
    assert.equal("file\nscript.lua\n", names())
  end)
end)

describe("download whose process is killed", function()
  local posix = support.posix
  -- other processes are killed: with a collector that never rests here they
  -- are no others
  local KILLS = os.getenv "CURLEW_RESTLESS" and 40 or 200
  local LENGTH = 1024 * 1024
  local SIGKILL = 9
  local SCRIPT = [[
    local http = require "curlew"
    local posix = require "posix_support"
    local soon = tonumber(arg[3])
    if soon then posix.alarm_signal(soon, "KILL") end
    local file = assert(http.download(arg[1], arg[2], { buffer = 16384 }))
    print(file.resumed)
  ]]

  local function run(url, soon, fault)
    return support.run(SCRIPT, { url, path, tostring(soon), env = {
      CURLEW_FAULT = fault, LD_PRELOAD = support.build .. "/spec/fault.so" } })
  end

  it("at " .. KILLS .. " random moments", function()
    local nginx = NGINX()
    local url = nginx.http .. "/changing/killed"
    local versions = { entity("1", LENGTH), entity("2", LENGTH),
      entity("3", LENGTH) }
    nginx:change("killed", versions[1])
    local began = posix.monotonic()
    local _, status, _, calls = run(url, nil, "COUNT 0")
    local seconds = posix.monotonic() - began
    assert.equal(0, status)
    calls = assert(tonumber(calls))

    local now, standing, killed, resumed = 1, versions[1], 0, 0
    local function look(kind, code, out, err)
      local whole = read(path)
      local new = whole == versions[now]
      if not new and whole ~= standing then
        assert.equal("the old file or the whole new one", "neither")
      end
      if kind ~= "signal" then -- it says why it was not killed and failed
        assert.same({ "exit", 0, true, "" }, { kind, code, new, err })
      end
      if new then standing = versions[now] end
      if out == "true\n" then resumed = resumed + 1 end
    end
    local i = 0
    repeat -- a busy machine may be too late with many a signal
      i = i + 1
      assert(i < 20 * KILLS)
      if i % 7 == 0 then
        now = now % #versions + 1
        nginx:change("killed", versions[now])
      end
      local kind, code, out, err
      if i % 2 == 0 then
        kind, code, out, err = run(url, math.random() * seconds)
      else
        kind, code, out, err = run(url, nil, "KILL " .. math.random(calls))
      end
      if kind == "signal" then
        assert.equal(SIGKILL, code) -- and it did not crash
        killed = killed + 1
      end
      look(kind, code, out, err)
      if i % 5 == 0 then -- and then it is left alone
        kind, code, out, err = run(url)
        assert.equal("exit", kind)
        look(kind, code, out, err)
        assert.equal("file\n", names())
      end
    until i >= KILLS and killed > KILLS / 2 and resumed > 0
  end)
end)

describe("A download with retries", function()
  local HALF = ("a"):rep(30000)
  local WHOLE = HALF .. ("b"):rep(30000)

  before_each(function()
    server:script({ "request", { send = "HTTP/1.1 200 OK\r\nETag: \"1\"\r\n"
      .. "Content-Length: 60000\r\n\r\n" .. HALF }, "close" })
    server:script({ "request", { send = "HTTP/1.1 206 Partial Content\r\n"
      .. "ETag: \"1\"\r\nContent-Range: bytes 29999-59999/60000\r\n"
      .. "Content-Length: 30001\r\n\r\n" .. WHOLE:sub(30000) }, "close" })
  end)

  it("goes on where its body was cut", function()
    local file = assert(http.download(server.url, path,
      { retry = { times = 1, max_delay = 0.001 } }))
    assert.same({ 60000, true }, { file.bytes, file.resumed })
    assert.is_true(read(path) == WHOLE)
    assert.matches("Range: bytes=29999-\r\n", server:request(2), 1, true)
  end)

  it("fails without them, and the next call goes on", function()
    local file, err = http.download(server.url, path)
    assert.is_nil(file)
    assert.same({ "truncated", 1, true },
      { err.code, err.attempts, err.retryable })
    assert.is_true(assert(http.download(server.url, path)).resumed)
    assert.is_true(read(path) == WHOLE)
  end)

  it("is wrapped by middleware as any request, each try", function()
    local seen = {}
    local client <close> = http.client()
    client:use(function(request, next)
      seen[#seen + 1] = request.url
      request.headers[#request.headers + 1] = { "X-By", "middleware" }
      return next(request)
    end)
    assert(client:download(server.url .. "/x", path, { query = { q = 1 },
      retry = { times = 1, max_delay = 0.001 } }))
    assert.same({ server.url .. "/x", server.url .. "/x" }, seen)
    for i = 1, 2 do
      assert.matches("^GET /x%?q=1 ", server:request(i))
      assert.matches("X-By: middleware\r\n", server:request(i), 1, true)
    end
    assert.is_true(read(path) == WHOLE)
  end)
end)
