--- save: a body in a file, whole under its name or not there at all.

local support = require "spec.support"
local http = require "curlew"
local scheduler = require "spec.support.scheduler"

local MIB = 1024 * 1024

local server, folder, path

before_each(function()
  server = support.server()
  folder = support.folder()
  path = folder .. "/file"
end)

after_each(function() server:close() end)

local function declared(body)
  return ("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s"):format(#body, body)
end

local function get(body)
  server:reset()
  server:reply(declared(body))
  return assert(http.get(server.url))
end

local function read(name)
  local file <close> = assert(io.open(name, "rb"))
  return file:read("a")
end

local function write(name, text)
  local file <close> = assert(io.open(name, "wb"))
  assert(file:write(text))
end

-- The names in the folder: nothing may be left beside the file.
local function names()
  local _, out = support.command("ls", "-A", folder)
  return out
end

local function mode(name)
  local _, out = support.command("stat", "-c", "%a %F", name)
  return (out:gsub("\n", ""))
end

local function assert_file_error(file, err)
  assert.is_nil(file)
  assert.same({ "file", "body", false },
    { err.code, err.phase, err.retryable })
  assert.equal(0, http.stats().open)
end

describe("save to a path", function()
  it("writes the body, and says how much it is", function()
    local r <close> = get("body\0\r\n")
    assert.same({ path = path, bytes = 7 }, r:save(path))
    assert.equal("body\0\r\n", read(path))
    assert.equal("file\n", names())
  end)

  it("writes an empty body", function()
    local r <close> = get("")
    assert.same({ path = path, bytes = 0 }, r:save(path))
    assert.equal("", read(path))
  end)

  it("writes a large one byte for byte, over HTTP and TLS", function()
    local nginx = support.nginx()
    for _, url in ipairs { nginx.http, nginx.https } do
      local r <close> = assert(http.get(url .. "/big",
        { tls = { ca = nginx.ca }, buffer = 512 * 1024 }))
      assert.equal(100 * MIB, assert(r:save(path)).bytes)
      assert.equal(0, (support.command("cmp", path,
        nginx.dir .. "/www/big")))
    end
    assert.equal("file\n", names())
  end)

  it("writes the rest of one that was read in part", function()
    local r <close> = get("head\nbody")
    assert.equal("head", r:read("l"))
    assert.equal(4, r:save(path).bytes)
    assert.equal("body", read(path))
  end)

  it("writes one that was read whole: it is kept", function()
    local r <close> = get('{"a":1}')
    assert.equal(1, r:json().a)
    assert.equal(7, r:save(path).bytes)
    assert.equal('{"a":1}', read(path))
    assert.equal(7, r:save(path).bytes)
  end)

  it("leaves the old file until the new one is whole", function()
    write(path, "old")
    server:script { "request", { send = "HTTP/1.1 200 OK\r\n"
      .. "Content-Length: 200000\r\n\r\n" .. ("x"):rep(100000) }, "wait",
      { send = ("x"):rep(100000) }, "hold" }
    local tasks <close> = scheduler()
    local saved
    tasks.spawn(function()
      local r <close> = assert(http.get(server.url))
      saved = assert(r:save(path))
    end)
    for _ = 1, 100 do -- until it has begun to write
      if names() ~= "file\n" then break end
      tasks.round(0.1)
    end
    assert.same({ true, "old" }, { names() ~= "file\n", read(path) })
    server:go()
    tasks.run()
    assert.equal(200000, saved.bytes)
    assert.equal(("x"):rep(200000), read(path))
    assert.equal("file\n", names())
  end)

  it("keeps the permissions of the file that it replaces", function()
    write(path, "old")
    support.command("chmod", "640", path)
    local r <close> = get("new")
    assert(r:save(path))
    assert.equal("640 regular file", mode(path))
  end)

  it("gives a new file the permissions that io would", function()
    write(folder .. "/other", "")
    local r <close> = get("new")
    assert(r:save(path))
    assert.equal((mode(folder .. "/other"):gsub(" empty", "")), mode(path))
  end)

  it("replaces what a link leads to, and not the link", function()
    write(folder .. "/target", "old")
    support.command("ln", "-s", "target", path)
    local r <close> = get("new")
    assert(r:save(path))
    assert.same({ "777 symbolic link", "new", "file\ntarget\n" },
      { mode(path), read(folder .. "/target"), names() })
  end)

  it("writes into what is no regular file, in place", function()
    local r <close> = get("lost")
    assert.equal(4, assert(r:save("/dev/null")).bytes)
    assert.matches("character special file", mode("/dev/null"))
  end)

  it("is an error of a link to nothing, which stays", function()
    support.command("ln", "-s", "nothing", path)
    local r <close> = get("body")
    local file, err = r:save(path)
    assert.same({ nil, "file" }, { file, err.code })
    assert.equal("file\n", names())
    assert.equal("body", r:read("a"))
  end)

  it("writes to standard output behind what is there", function()
    server:reply(declared("body\n"))
    local _, code, _, err = support.run([[
      local http = require "curlew"
      if arg[3] then
        local r <close> = assert(http.get(arg[1]))
        io.write("before\n") io.flush()
        assert(r:save("/dev/stdout"))
        io.write("after\n")
      else
        os.execute(("$LUA %s %s %s x >>%s"):format(arg[0], arg[1], arg[2],
          arg[2]))
      end
    ]], { server.url, path })
    assert.same({ 0, "" }, { code, err })
    assert.equal("before\nbody\nafter\n", read(path))
  end)

  it("takes a name as long as names can be", function()
    local name = folder .. "/" .. ("n"):rep(255)
    local r <close> = get("body")
    assert(r:save(name))
    assert.equal("body", read(name))
  end)

  it("writes where the program stands when the path has no folder", function()
    server:reply(declared("body"))
    local _, code, out, err = support.run([[
      local http = require "curlew"
      local r <close> = assert(http.get(arg[1]))
      print(r:save("saved-here").bytes, io.open("saved-here"):read("a"))
      os.remove("saved-here")
    ]], { server.url })
    assert.same({ 0, "4\tbody\n", "" }, { code, out, err })
  end)
end)

describe("save with a checksum", function()
  local SUM = "230d8358dc8e8890b4c58deeb62912ee2f20357ae92a5cc861b98e68fe31acb5"

  it("says it when it is right", function()
    for _, given in ipairs { SUM, SUM:upper() } do
      local r <close> = get("body")
      assert.same({ path = path, bytes = 4, sha256 = SUM },
        r:save(path, { sha256 = given }))
    end
    local _, out = support.command("sha256sum", path)
    assert.equal(SUM, out:match("^%x+"))
  end)

  it("is an error when it is wrong, and leaves the old file", function()
    write(path, "old")
    local r <close> = get("other")
    local file, err = r:save(path, { sha256 = SUM })
    assert.same({ nil, "checksum", "body", false },
      { file, err.code, err.phase, err.retryable })
    assert.matches("the SHA%-256 is %x+, not " .. SUM, err.message)
    assert.same({ "old", "file\n" }, { read(path), names() })
  end)

  it("is made of a body in pieces, and of one that was kept", function()
    local body = ("0123456789abcdef"):rep(50000)
    write(path, body)
    local _, out = support.command("sha256sum", path)
    local sum = out:match("^%x+")
    local r <close> = get(body)
    assert.equal(sum, assert(r:save(path, { sha256 = sum })).sha256)
    local kept <close> = get("body")
    kept:text()
    assert.equal(SUM, assert(kept:save(path, { sha256 = SUM })).sha256)
    assert.equal("checksum", select(2, kept:save(path, { sha256 = sum })).code)
  end)

  it("is of what is written, not of what is there: a file of io's", function()
    local file <close> = assert(io.open(path, "w+"))
    file:write("before ")
    local r <close> = get("body")
    assert.same({ bytes = 4, sha256 = SUM }, r:save(file, { sha256 = SUM }))
    local other <close> = get("other")
    assert.equal("checksum", select(2, other:save(file, { sha256 = SUM })).code)
  end)

  it("raises what is none", function()
    local r <close> = get("body")
    for what, sum in pairs { ["string expected, got number"] = 5,
      ["64 hexadecimal digits expected"] = SUM .. "0" } do
      assert.error_matches(function() r:save(path, { sha256 = sum }) end,
        "option 'sha256': " .. what)
    end
    assert.is_nil(r:save(path, { sha256 = false }).sha256)
  end)
end)

describe("save to a named pipe", function()
  before_each(function()
    path = folder .. "/pipe"
    assert.equal(0, (support.command("mkfifo", path)))
  end)

  -- Starts a process that opens the FIFO, creates the file "opened", and then
  -- on request copies the FIFO into the file "out" and reports the end.
  local function new_reader()
    return assert(support.posix.spawn { "sh", "-c", [[
      exec 3<"$0/pipe"
      : >"$0/opened"
      read go
      cat <&3 >"$0/out"
      echo done]], folder })
  end

  local function tell(reader)
    assert(reader:write("go\n"))
    reader:close_stdin()
  end

  -- A body that exceeds the capacity of every pipe and repeats no block.
  local function large()
    local blocks = {}
    for i = 1, 3000 do blocks[i] = ("%07d\n"):format(i):rep(128) end
    return table.concat(blocks)
  end

  -- Runs the tasks until the condition holds.
  local function rounds(tasks, is)
    for _ = 1, 2000 do
      if is() then return end
      tasks.round(0.02)
    end
    assert.is_true(is())
  end

  local function is_opened() return names():find("opened", 1, true) ~= nil end

  it("waits for its reader", function()
    for _, body in ipairs { "body", "", large() } do
      local tasks <close> = scheduler()
      local saved
      server:reset()
      server:reply(declared(body))
      tasks.spawn(function()
        local r <close> = assert(http.get(server.url))
        saved = assert(r:save(path))
      end)
      for _ = 1, 5 do tasks.round(0.02) end
      assert.is_nil(saved)
      local reader <close> = new_reader()
      tell(reader)
      tasks.run()
      assert.same({ path = path, bytes = #body }, saved)
      assert.equal("done", reader:read_line())
      assert.is_true(read(folder .. "/out") == body)
    end
    assert.matches("fifo", mode(path))
    assert.equal(0, http.stats().open)
  end)

  it("waits outside tasks, too, also with a body that is kept", function()
    for _, body in ipairs { "body", large() } do
      for _, kept in ipairs { false, true } do
        local r <close> = get(body)
        if kept then assert.equal(#body, #r:text()) end
        local reader <close> = new_reader()
        tell(reader)
        assert.equal(#body, assert(r:save(path)).bytes)
        assert.equal("done", reader:read_line())
        assert.is_true(read(folder .. "/out") == body)
      end
    end
  end)

  it("waits for a reader that is slow, and others go on", function()
    local body, tasks <close> = large(), scheduler()
    local reader <close> = new_reader()
    local saved, other
    server:reply(declared(body))
    server:reply(declared("other"))
    tasks.spawn(function()
      local r <close> = assert(http.get(server.url))
      saved = assert(r:save(path))
    end)
    rounds(tasks, is_opened)
    tasks.spawn(function() other = assert(http.fetch(server.url)).body end)
    tasks.run(function() return other end)
    assert.same({ nil, "other" }, { saved, other })
    tell(reader)
    tasks.run()
    assert.equal(#body, saved.bytes)
    assert.equal("done", reader:read_line())
    assert.is_true(read(folder .. "/out") == body)
  end)

  it("is over at the deadline", function()
    for _, body in ipairs { "body", "", large() } do
      for _, kept in ipairs { false, true } do
        server:reset()
        server:reply(declared(body))
        local r <close> = assert(http.get(server.url, { deadline = 0.5 }))
        if kept then assert.equal(#body, #assert(r:text())) end
        local file, err = r:save(path)
        assert.same({ nil, "timeout", "body" }, { file, err.code, err.phase })
      end
    end
    assert.equal("pipe\n", names())
    assert.equal(0, http.stats().open)
  end)

  it("raises when its response is closed meanwhile", function()
    local tasks <close> = scheduler()
    local r, ok, message
    server:reply(declared("body"))
    tasks.spawn(function()
      r = assert(http.get(server.url))
      ok, message = pcall(r.save, r, path)
    end)
    rounds(tasks, function() return r ~= nil end)
    for _ = 1, 5 do tasks.round(0.02) end
    assert.is_nil(ok)
    r:close()
    tasks.run()
    assert.is_false(ok)
    assert.matches("the response was closed", message, 1, true)
  end)

  it("ends by an interrupt", function()
    server:reply(declared("body"))
    local kind, code, out, err = support.run([[
      local http = require "curlew"
      local r = assert(http.get(arg[1]))
      print("waits")
      io.stdout:flush()
      r:save(arg[2])
    ]], { server.url, path, signal = "INT",
      seconds = 30 })
    assert.same({ "exit", 1, "waits\n" }, { kind, code, out })
    assert.matches("interrupted!", err, 1, true)
  end)
end)

describe("save that fails", function()
  it("is an error of a folder that is not there, and the body is untouched",
    function()
      local r <close> = get("body")
      local file, err = r:save(folder .. "/no/file")
      assert_file_error(file, err)
      assert.matches("cannot create .*/no/file: No such file", err.message)
      assert.equal("body", r:read("a"))
    end)

  it("is an error of a path that is a folder, and leaves it", function()
    local r <close> = get("body")
    local file, err = r:save(folder)
    assert_file_error(file, err)
    assert.matches("Is a directory", err.message)
    assert.equal(4, r:save(path).bytes)
  end)

  it("is an error of a full disk, and later readers get the same", function()
    local r <close> = get(("x"):rep(100000))
    local file, err = r:save("/dev/full")
    assert_file_error(file, err)
    assert.matches("cannot write /dev/full: No space left", err.message)
    local rest, same = r:read(1)
    assert.is_nil(rest)
    assert.is_true(rawequal(err, same))
    assert.is_true(rawequal(err, select(2, r:text())))
  end)

  it("is an error of a limit on files, and leaves the old one", function()
    write(path, "old")
    server:script { { loop = { "request", { send = declared(("x"):rep(
      300000)) } } } }
    local _, code, out, err = support.run([[
      local http = require "curlew"
      local posix = require "posix_support"
      posix.ignore("XFSZ")
      posix.setrlimit("FSIZE", 100000)
      local r <close> = assert(http.get(arg[1]))
      local file, why = r:save(arg[2])
      print(file, why.code, why.message:match("[%a ]+$"), http.stats().open)
    ]], { server.url, path })
    assert.same({ 0, "nil\tfile\t File too large\t0\n", "" },
      { code, out, err })
    assert.same({ "old", "file\n" }, { read(path), names() })
  end)

  it("leaves nothing when the body is cut, and the old file", function()
    write(path, "old")
    server:reply("HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n"
      .. ("x"):rep(100000))
    local r <close> = assert(http.get(server.url))
    local file, err = r:save(path)
    assert.same({ nil, "truncated" }, { file, err.code })
    assert.same({ "old", "file\n" }, { read(path), names() })
  end)

  it("leaves nothing when its task is closed", function()
    server:script { "request", { send = "HTTP/1.1 200 OK\r\n"
      .. "Content-Length: 200000\r\n\r\n" .. ("x"):rep(100000) }, "hold" }
    local tasks <close> = scheduler()
    local task = tasks.spawn(function()
      local r <close> = assert(http.get(server.url))
      r:save(path)
    end)
    for _ = 1, 100 do -- until it has begun to write
      if names() ~= "" then break end
      tasks.round(0.1)
    end
    assert.matches("^%.curlew%-%x+\n$", names())
    assert(coroutine.close(task))
    tasks.forget()
    assert.equal("", names())
    assert.equal(0, http.stats().open)
  end)

  it("is an error when its file is closed meanwhile", function()
    server:script { "request", { send = "HTTP/1.1 200 OK\r\n"
      .. "Content-Length: 400000\r\n\r\n" .. ("x"):rep(100000) }, "wait",
      { send = ("x"):rep(300000) }, "hold" }
    local tasks <close> = scheduler()
    local file = assert(io.open(path, "w"))
    local saved, why
    tasks.spawn(function()
      local r <close> = assert(http.get(server.url))
      saved, why = r:save(file)
    end)
    for _ = 1, 100 do -- until it has begun to write
      if #read(path) > 0 then break end
      tasks.round(0.1)
    end
    file:close()
    local other <close> = assert(io.open(folder .. "/other", "w"))
    server:go()
    tasks.run()
    assert_file_error(saved, why)
    assert.matches("closed meanwhile", why.message)
    assert.equal("", read(folder .. "/other"))
    other:close()
  end)

  it("is not undone by a fork", function()
    server:reply("HTTP/1.1 200 OK\r\n\r\n" .. ("x"):rep(200000))
    local _, code, out, err = support.run([[
      local core = require "curlew.core"
      local http = require "curlew"
      local posix = require "posix_support"
      local task = coroutine.create(function()
        local r <close> = assert(http.get(arg[1]))
        return assert(r:save(arg[2])).bytes
      end)
      core.seat(task, function() coroutine.yield() end)
      local forked, ok, bytes = false, coroutine.resume(task)
      while coroutine.status(task) ~= "dead" do
        local names <close> = io.popen("ls -A " .. arg[3])
        if not forked and names:read("a") ~= "" then
          forked = posix.fork(function() os.exit(0, true) end) == 0
        end
        core.step(0.1)
        if core.ready() then ok, bytes = coroutine.resume(task) end
      end
      print(forked, ok, bytes)
    ]], { server.url, path, folder })
    assert.same({ 0, "true\ttrue\t200000\n" }, { code, out }, err)
  end)

  it("leaves nothing when its time is over", function()
    server:script { "request", { send = "HTTP/1.1 200 OK\r\n"
      .. "Content-Length: 200000\r\n\r\n" .. ("x"):rep(100000) }, "hold" }
    local r <close> = assert(http.get(server.url,
      { timeout = { idle = 0.1 } }))
    local file, err = r:save(path)
    assert.same({ nil, "timeout" }, { file, err.code })
    assert.equal("", names())
  end)

  it("raises what is no path and no file, and touches nothing", function()
    local r <close> = get("body")
    local closed = assert(io.tmpfile())
    closed:close()
    for what, value in pairs { ["path or file expected, got table"] = {},
      ["path or file expected, got number"] = 42, ["is empty"] = "",
      ["NUL byte"] = "a\0b", ["file is closed"] = closed } do
      assert.error_matches(function() r:save(value) end, what)
    end
    assert.error_matches(function() r:save() end, "got nil")
    assert.error_matches(function() r:save(path, { sha = "x" }) end,
      "unknown option 'sha'")
    assert.error_matches(function() r:save(path, 1) end, "table expected")
    assert.equal("body", r:read("a"))
    assert.equal("", names())
  end)
end)

describe("save to a file of io's", function()
  it("writes where the file stands, and leaves it open", function()
    local file <close> = assert(io.open(path, "w+"))
    file:write("before ")
    local r <close> = get("body")
    local saved = assert(r:save(file))
    assert.same({ bytes = 4 }, saved)
    file:write(" after")
    file:seek("set")
    assert.equal("before body after", file:read("a"))
  end)

  it("has written when it returns", function()
    local file <close> = assert(io.open(path, "w"))
    local r <close> = get("body")
    assert(r:save(file))
    assert.equal("body", read(path))
  end)

  it("is an error when the file is full, or not for writing", function()
    local full <close> = assert(io.open("/dev/full", "w"))
    local r <close> = get("body")
    assert_file_error(r:save(full))
    write(path, "old")
    local reading <close> = assert(io.open(path))
    local other <close> = get("body")
    assert_file_error(other:save(reading))
    assert.equal("old", read(path))
  end)

  it("writes into a pipe", function()
    local pipe <close> = assert(io.popen("cat >" .. path, "w"))
    local r <close> = get(("x"):rep(1000000))
    assert.equal(1000000, assert(r:save(pipe)).bytes)
    assert(pipe:close())
    assert.equal(1000000, #read(path))
  end)
end)
