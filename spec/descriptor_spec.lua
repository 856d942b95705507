--- Descriptors: no descriptor of curlew or libcurl is 0, 1 or 2, and executed
-- programs inherit none. Each spec runs in a process of its own.

local support = require "spec.support"

local OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

local prelude = [[
  local posix = require "posix_support"
  local url = arg[1]
  local function close_stdio() for fd = 0, 2 do posix.close(fd) end end
  local function say(...)
    local out = assert(io.open(arg[2], "a"))
    out:write(table.concat({ ... }, "\t"), "\n")
    out:close()
  end
  -- Prints which files have the numbers 0, 1 and 2.
  local function say_stdio()
    local fds = posix.fds()
    say(fds[0] or "closed", fds[1] or "closed", fds[2] or "closed")
  end
]]

describe("Descriptors", function()
  local server, folder
  setup(function()
    server = support.server()
    folder = support.folder()
  end)
  teardown(function() server:close() end)
  before_each(function()
    server:reset():script { { loop = { "request", { send = OK } } } }
  end)

  local function run(script)
    local path = folder .. "/said"
    os.remove(path)
    local kind, code, _, err = support.run(prelude .. script, { server.url,
      path, folder, env = {
        LD_PRELOAD = support.build .. "/spec/slow_resolver.so" } })
    assert.same({ "exit", 0, "" }, { kind, code, err })
    local file <close> = assert(io.open(path))
    return file:read("a")
  end

  -- The request lines that the server received.
  local function asked()
    local lines = {}
    for i, request in ipairs(server:requests()) do
      lines[i] = request:match("^[^\r\n]*")
    end
    return lines
  end

  it("of connections are none of stdio's where there is none", function()
    assert.equal("/dev/null\t/dev/null\t/dev/null\n", run [[
      close_stdio()
      local http = require "curlew"
      assert(http.fetch(url .. "/one"))
      io.stderr:write("a line of the log; ")
      io.stdout:write("another one; ")
      io.stdout:flush()
      assert(http.fetch(url .. "/two"))
      say_stdio()
    ]])
    assert.same({ "GET /one HTTP/1.1", "GET /two HTTP/1.1" }, asked())
  end)

  it("are none of stdio's, either, when that is closed later #epoll", function()
    assert.equal("closed\tclosed\tclosed\n", run [[
      local http = require "curlew"
      local core = require "curlew.core"
      close_stdio()
      local file = arg[3] .. "/file"
      assert(http.download(url .. "/one", file))
      core.descriptor()
      local stream <close> = assert(io.open(file)) -- 0
      local r <close> = assert(http.post(url .. "/two", { file = file }))
      local fds = posix.fds()
      stream:close()
      assert(fds[0]:find("/file", 1, true) and not fds[1] and not fds[2])
      local part = arg[3] .. "/saved"
      assert(r:save(part))
      say_stdio()
    ]])
  end)

  it("of files are none of stdio's while they are open", function()
    assert.equal("closed\tclosed\tclosed\n", run [[
      local http = require "curlew"
      local file = arg[3] .. "/sent"
      local f = assert(io.open(file, "w"))
      f:write(("x"):rep(1000))
      f:close()
      close_stdio()
      local function look()
        local fds = posix.fds()
        assert(not fds[0] and not fds[1] and not fds[2])
      end
      assert(http.fetch(url, { method = "PUT", file = file,
        progress = look }))
      assert(http.get(url, { progress = look })):save(arg[3] .. "/saved")
      assert(http.download(url, arg[3] .. "/loaded", { progress = look }))
      say_stdio()
    ]])
  end)

  it("are not inherited #epoll", function()
    assert.equal("0\n", run [[
      local http = require "curlew"
      local core = require "curlew.core"
      assert(http.fetch(url)) -- its connection stays
      core.descriptor()
      local function look_up() http.get("http://name.slow/") end
      local task = coroutine.create(look_up)
      core.seat(task, function() coroutine.yield() end)
      assert(coroutine.resume(task))
      core.step(0.01) -- the look-up goes on
      local r <close> = assert(http.get(url, { trace = io.tmpfile() }))
      local ls <close> = io.popen("ls -l /proc/self/fd")
      local list = ls:read("a")
      say(select(2, list:gsub("socket:", "")) +
        select(2, list:gsub("anon_inode:", "")))
      coroutine.close(task)
    ]])
  end)
end)
