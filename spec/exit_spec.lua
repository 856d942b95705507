--- What a process says and releases when it ends, in any of its ways; and a
-- fork, which is another process. Each test is a script of its own.

local support = require "spec.support"

local HEAD = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"
local SMALL = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
local HINT = "hint: local r <close> = http.get(...)"

-- Every connection is answered with the head of a body that never comes.
local function forgetful_server()
  local server = support.server()
  server:script { "request", { send = HEAD }, "hold" }
  return server
end

-- Runs a script whose line 1 is ours: its own lines count from 2.
local function run(script, options)
  return support.run('local http = require "curlew" local _ = http\n'
    .. script, options)
end

local function lines(text)
  local found = {}
  for line in text:gmatch("[^\n]+") do found[#found + 1] = line end
  return found
end

-- The lines with this in them.
local function with(text, what)
  local found = {}
  for _, line in ipairs(lines(text)) do
    if line:find(what, 1, true) then found[#found + 1] = line end
  end
  return found
end

local function count(text, what) return #with(text, what) end

local function place(text)
  return text:match("opened at .-script%.lua:(%d+),")
end

-- The exit summary: totals, and the counts by line.
local function summary(err)
  local pattern = "curlew: (%d+) of (%d+) responses leaked "
    .. "%(gc (%d+), shutdown (%d+), exit (%d+)%), opened at\n"
  local leaked, opened, gc, shutdown, exit = err:match(pattern)
  local by_line = {}
  for n, line in err:gmatch("curlew: +(%d+)  [^\n]-script%.lua:(%d+) %(") do
    by_line[tonumber(line)] = tonumber(n)
  end
  return { leaked = tonumber(leaked), opened = tonumber(opened),
    gc = tonumber(gc), shutdown = tonumber(shutdown), exit = tonumber(exit),
    lines = by_line }
end

local function ended(gc, shutdown, exit, by_line)
  local leaked = gc + shutdown + exit
  return { leaked = leaked, opened = leaked, gc = gc, shutdown = shutdown,
    exit = exit, lines = by_line }
end

describe("A leak in plain lua", function()
  local server

  before_each(function() server = forgetful_server() end)
  after_each(function() server:close() end)

  local first = [[
    do http.get(arg[1]) end
    collectgarbage() collectgarbage()
    io.stderr:write("collected\n")
    http.get("http://[")
    io.stderr:write("called\n")
  ]]

  it("is told on stderr at the next curlew call", function()
    local _, _, _, err = run(first, { server.url })
    local said = lines(err)
    assert.equal("collected", said[1])
    assert.matches("^curlew: leak: GET http://127%.0%.0%.1:%d+/", said[2])
    assert.equal("called", said[3])
  end)

  it("is told with the file and the line that opened it", function()
    local _, _, _, err = run(first, { server.url })
    assert.equal("2", place(with(err, "curlew: leak:")[1]))
  end)

  it("is told with the hint of what to write", function()
    local _, _, _, err = run(first, { server.url })
    assert.equal(1, count(err, HINT))
  end)

  it("is told as released by the collector", function()
    local _, _, _, err = run(first, { server.url })
    assert.equal(1, count(err, "read 0 of 100000 bytes"))
    assert.equal(1, count(err, "released by the collector"))
  end)

  it("is told without user, password, query and fragment", function()
    local url = server.url:gsub("://", "://someone:sesame@")
      .. "/path?token=sesame#sesame"
    local _, _, _, err = run(first, { url })
    assert.is_nil(err:find("sesame", 1, true))
    assert.is_nil(err:find("someone", 1, true))
    assert.is_truthy(err:find("/path?... opened at", 1, true), err)
  end)

  local many = [[
    local n = math.tointeger(arg[2])
    for _ = 1, n do
      do http.get(arg[1]) end
      collectgarbage() collectgarbage()
    end
    http.get("http://[")
    io.stderr:write("end\n")
  ]]

  local function told(times, before)
    local _, _, _, err = run((before or "") .. many, { server.url, times })
    return err:match("^(.-)end\n")
  end

  it("is told once on stderr, whatever leaks on", function()
    assert.equal(1, #lines(told("100")))
  end)

  it("is told by warn for the 10th and 100th of a line", function()
    local err = told("105", 'warn("@on")')
    assert.equal(3, count(err, "curlew: leak:"))
    assert.equal(2, count(err, "Lua warning: curlew: leak:"))
  end)

  it("is not warned of between the 10th and the 100th", function()
    local err = told("99", 'warn("@on")')
    assert.equal(1, count(err, "Lua warning: curlew: leak:"))
  end)

  it("is told by warn for the first of another line", function()
    local _, _, _, err = run([[
      warn("@on")
      do http.get(arg[1]) end
      do http.get(arg[1]) end
      collectgarbage() collectgarbage()
      http.get("http://[")
    ]], { server.url })
    local found = with(err, "curlew: leak:")
    local places = { place(found[1]), place(found[2]) }
    table.sort(places)
    assert.same({ "3", "4" }, places)
    assert.equal(1, count(err, "Lua warning: "))
  end)

  it("is counted by line in the summary at the end", function()
    local _, _, _, err = run([[
      for _ = 1, 3 do http.get(arg[1]) end
      do http.get(arg[1]) end
      collectgarbage() collectgarbage()
    ]], { server.url })
    assert.same(ended(4, 0, 0, { [2] = 3, [3] = 1 }), summary(err))
  end)
end)

describe("A process that ends", function()
  local server

  before_each(function() server = forgetful_server() end)
  after_each(function() server:close() end)

  local function exit_of(script, ...)
    local kind, code, out, err = run(script, { server.url, ... })
    assert.equal("exit", kind, err)
    return code, err, out
  end

  it("says nothing at all when nothing was forgotten", function()
    local code, err = exit_of([[
      local r <close> = assert(http.get(arg[1]))
      local client <close> = http.client()
      local other = assert(client:get(arg[1]))
      other:close()
    ]])
    assert.equal("", err)
    assert.equal(0, code)
  end)

  it("says nothing when what was forgotten was small", function()
    server:reset()
    server:reply(SMALL)
    local code, err = exit_of("x = assert(http.get(arg[1]))")
    assert.equal("", err)
    assert.equal(0, code)
  end)

  it("says nothing when curlew was only loaded", function()
    local code, err = exit_of("os.exit(0)")
    assert.equal("", err)
    assert.equal(0, code)
  end)

  it("normally, with one held, leaks it by shutdown", function()
    local code, err = exit_of("x = assert(http.get(arg[1]))")
    assert.same(ended(0, 1, 0, { [2] = 1 }), summary(err))
    assert.equal(0, code)
  end)

  it("tells what was collected from what was held", function()
    local _, err = exit_of([[
      do http.get(arg[1]) end
      collectgarbage() collectgarbage()
      x = assert(http.get(arg[1]))
    ]])
    assert.same(ended(1, 1, 0, { [2] = 1, [4] = 1 }), summary(err))
  end)

  it("by an error releases a <close> and tells no leak", function()
    local code, err = exit_of([[
      local r <close> = assert(http.get(arg[1]))
      error("spilt")
    ]])
    assert.matches("spilt", err)
    assert.equal(0, count(err, "leak"))
    assert.equal(1, code)
  end)

  it("by an error leaks a plain local by shutdown", function()
    local code, err = exit_of([[
      local r = assert(http.get(arg[1]))
      x = r
      error("spilt")
    ]])
    assert.matches("spilt", err)
    assert.same(ended(0, 1, 0, { [2] = 1 }), summary(err))
    assert.equal(1, code)
  end)

  it("by os.exit(c, true) in main releases a <close>", function()
    local code, err = exit_of([[
      local r <close> = assert(http.get(arg[1]))
      os.exit(7, true)
    ]])
    assert.equal("", err)
    assert.equal(7, code)
  end)

  it("by os.exit(c, true) in main leaks a plain local", function()
    local code, err = exit_of([[
      local r = assert(http.get(arg[1]))
      os.exit(r and 7, true)
    ]])
    assert.same(ended(0, 1, 0, { [2] = 1 }), summary(err))
    assert.equal(7, code)
  end)

  -- Lua closes the variables of the main thread alone.
  for _, attribute in ipairs { "<close>", "" } do
    it(("by os.exit(c, true) in a coroutine leaks a %s local"):format(
      attribute == "" and "plain" or attribute), function()
      local code, err = exit_of(([[
        coroutine.wrap(function()
          local r %s = assert(http.get(arg[1]))
          os.exit(r and 7, true)
        end)()
      ]]):format(attribute))
      assert.same(ended(0, 1, 0, { [3] = 1 }), summary(err))
      assert.equal(7, code)
    end)

    it(("by os.exit(c) leaks a %s local by exit"):format(
      attribute == "" and "plain" or attribute), function()
      local code, err = exit_of(([[
        local r %s = assert(http.get(arg[1]))
        os.exit(r and 7)
      ]]):format(attribute))
      assert.same(ended(0, 0, 1, { [2] = 1 }), summary(err))
      assert.equal(7, code)
    end)
  end

  it("by os.exit(c) sums up what was collected before", function()
    local _, err = exit_of([[
      do http.get(arg[1]) end
      collectgarbage() collectgarbage()
      local r = assert(http.get(arg[1]))
      os.exit(r and 0)
    ]])
    assert.same(ended(1, 0, 1, { [2] = 1, [4] = 1 }), summary(err))
  end)

  it("sums up once", function()
    for _, how in ipairs { "", "os.exit(0)", "os.exit(0, true)" } do
      local _, err = exit_of("x = assert(http.get(arg[1])) " .. how)
      assert.equal(1, count(err, "responses leaked"), how)
    end
  end)
end)

describe("A finalizer while the state is closed", function()
  local server

  before_each(function() server = forgetful_server() end)
  after_each(function() server:close() end)

  it("may open a response: it is leaked by shutdown", function()
    -- younger than curlew's state: it runs before that
    local kind, code, out, err = run([[
      local url = arg[1]
      x = setmetatable({}, { __gc = function()
        y = assert(http.get(url))
        print(y.status)
      end })
    ]], { server.url })
    assert.same({ "exit", 0 }, { kind, code }, err)
    assert.equal("200\n", out)
    assert.same(ended(0, 1, 0, { [4] = 1 }), summary(err))
  end)

  it("may open a response and close it: nothing is said", function()
    local kind, code, out, err = run([[
      local url = arg[1]
      x = setmetatable({}, { __gc = function()
        local r <close> = assert(http.get(url))
        print(r.status)
      end })
    ]], { server.url })
    assert.equal("", err)
    assert.same({ "exit", 0 }, { kind, code })
    assert.equal("200\n", out)
  end)

  -- Runs `call` after curlew's state is gone; `before` while it is there.
  local function older(call, before)
    return support.run(([[
      local url, http, r, client = arg[1]
      x = setmetatable({}, { __gc = function()
        print(pcall(function() %s end))
      end })
      http = require "curlew"
      %s
    ]]):format(call, before or ""), { server.url })
  end

  it("older than curlew has http.get refuse, with a reason", function()
    local kind, code, out, err = older("return r, client, http.get(url)")
    assert.equal("", err)
    assert.same({ "exit", 0 }, { kind, code })
    assert.matches("^false\t.*the Lua state is being closed\n$", out)
  end)

  it("older than curlew has stats and client refuse as well", function()
    for _, call in ipairs { "http.stats()", "http.client()", "http.limits()",
      "http.leaks.open()", "http.leaks.audit()", "http.fetch(url)" } do
      local kind, code, out = older("return r, client, " .. call)
      assert.same({ "exit", 0 }, { kind, code }, call)
      assert.matches("^false\t.*the Lua state is being closed\n$", out)
    end
  end)

  it("older than curlew has a held client refuse", function()
    local kind, code, out, err = older("return r, client:get(url)",
      "client = http.client()")
    assert.equal("", err)
    assert.same({ "exit", 0 }, { kind, code })
    assert.matches("^false\t", out)
  end)

  it("older than curlew may close a held response again", function()
    local kind, code, out, err = older("return client, r:close()",
      "r = assert(http.get(url))")
    assert.same({ "exit", 0 }, { kind, code })
    assert.matches("^true", out)
    assert.same(ended(0, 1, 0, { [6] = 1 }), summary(err))
  end)

  it("older than curlew has a held response refuse to read", function()
    local kind, code, out = older('return client, r:read("a")',
      "r = assert(http.get(url))")
    assert.same({ "exit", 0 }, { kind, code })
    assert.matches("^false\t", out)
  end)
end)

describe("A fork", function()
  -- Streams of the parent, open over the fork; read to their ends after it.
  local function script(in_child)
    return ([[
      local posix = require "posix_support"
      local plain <close> = assert(http.get(arg[1] .. "/big"))
      local secure <close> = assert(http.get(arg[2] .. "/big",
        { tls = { ca = arg[3] } }))
      local begun = #plain:read(1000) + #secure:read(1000)
      local code, out = posix.fork(function(write)
        %s
      end)
      print(code, out)
      local function rest(r)
        local n = 0
        while true do
          local piece, err = r:read(1 << 20)
          if not piece then return assert(not err, err) and n end
          n = n + #piece
        end
      end
      print(begun + rest(plain) + rest(secure))
      print(http.stats().open, http.leaks.audit())
    ]]):format(in_child)
  end

  local MIB = 1024 * 1024
  local TAIL = ("%d\n0\ttrue\n"):format(2 * 100 * MIB)

  local function fork(in_child)
    local nginx = support.nginx()
    local kind, code, out, err = run(script(in_child),
      { nginx.http, nginx.https, nginx.ca })
    assert.same({ "exit", 0 }, { kind, code }, err)
    return out, err
  end

  it("counts from zero, and the parent reads on", function()
    local out, err = fork([[
      local s = http.stats()
      write(table.concat({ s.opened, s.open, s.released, s.leaked,
        #http.leaks.open() }, " "))
    ]])
    assert.equal("0\t0 0 0 0 0\n" .. TAIL, out)
    assert.equal("", err)
  end)

  it("opens responses of its own, and the parent reads on", function()
    local out, err = fork([[
      local r <close> = assert(http.get(arg[1] .. "/method"))
      local s <close> = assert(http.get(arg[2] .. "/method",
        { tls = { ca = arg[3] } }))
      write(r:read("a") .. ", " .. s:read("a") .. ", "
        .. http.stats().opened)
    ]])
    assert.equal("0\tGET /method, GET /method, 2\n" .. TAIL, out)
    assert.equal("", err)
  end)

  it("may close its copies of the parent's streams", function()
    local out, err = fork([[
      plain:close()
      secure:close()
      write(tostring(http.stats().released))
    ]])
    assert.equal("0\t0\n" .. TAIL, out)
    assert.equal("", err)
  end)

  it("that reads on in a stream of the parent's gets an error", function()
    local out, err = fork([[
      posix.alarm_signal(5, "TERM") -- rather than wait for ever
      local said = {}
      for i, r in ipairs { plain, secure } do
        local ok, bytes, why = pcall(r.read, r, 1 << 20)
        said[i] = tostring(not ok or (bytes == nil and why ~= nil))
      end
      write(table.concat(said, " "))
    ]])
    assert.equal("0\ttrue true\n" .. TAIL, out)
    assert.equal("", err)
  end)

  it("that collects everything leaves the parent's alone", function()
    local out, err = fork([[
      http.stats()
      collectgarbage() collectgarbage()
      write("collected")
    ]])
    assert.equal("0\tcollected\n" .. TAIL, out)
    assert.equal("", err)
  end)

  it("that closes its state shuts nothing of the parent's down", function()
    local out, err = fork("os.exit(3, true)")
    assert.equal("3\t\n" .. TAIL, out)
    assert.equal("", err)
  end)

  it("that has requested and closes its state shuts nothing down", function()
    local out, err = fork([[
      http.fetch(arg[1] .. "/method")
      os.exit(3, true)
    ]])
    assert.equal("3\t\n" .. TAIL, out)
    assert.equal("", err)
  end)

  it("that exits does not tell of the parent's streams", function()
    local out, err = fork("os.exit(3)")
    assert.equal("3\t\n" .. TAIL, out)
    assert.equal("", err)
  end)

  it("that leaks tells of its own leak alone", function()
    local _, err = fork([[
      local r = assert(http.get(arg[1] .. "/big"))
      os.exit(r and 3)
    ]])
    assert.same(ended(0, 0, 1, { [8] = 1 }), summary(err))
  end)
end)

describe("A finalizer while the state is closed", function()
  local server

  before_each(function() server = forgetful_server() end)
  after_each(function() server:close() end)

  -- The finalizer of this object runs last, because it was set before curlew
  -- was loaded.
  local older = [[
    local function open_descriptors()
      local n = 0
      for fd = 3, 63 do
        local file, problem = io.open("/proc/self/fd/" .. fd)
        if file then file:close() end
        if file or not problem:find "No such file" then n = n + 1 end
      end
      return n
    end
    local before, last = open_descriptors(), nil
    older = setmetatable({}, { __gc = function() last() end })
    local http = require "curlew"
    local core = require "curlew.core"
    local function at_the_end(f) last = f end
    local function finally(f) return setmetatable({}, { __gc = f }) end
  ]]

  local function outcome(source)
    local kind, code, out, err = support.run(older .. source, { server.url })
    assert.same({ "exit", 0 }, { kind, code }, err)
    return out, err
  end

  it("may make requests, and leaves nothing behind", function()
    local out = outcome [[
      at_the_end(function() print("left", open_descriptors() - before) end)
      core.descriptor()
      kept = finally(function()
        local url = arg[1]
        response, headers = http.get(url), nil
        headers = response.headers
        client = http.client { headers = { A = "a" } }
        other = client:get(url)
        parts = http.url.parse(url)
        scope = http.scope { deadline = 100 }
        task = scope:spawn(function()
          inner = http.get(url)
          http.sleep(100)
        end)
        repeat http.sleep(0.001) until inner
        for _ in http.map({ 1, 2 }, function() http.sleep(0) end) do break end
        dropped = coroutine.wrap(function()
          local r <close> = http.get(url)
          coroutine.yield(r)
        end)
        dropped()
        print(response and other and inner and #headers > 0)
      end)
    ]]
    assert.equal("true\nleft\t0\n", out)
  end)

  it("that runs after curlew's gets an error that says so", function()
    local out = outcome [[
      local client, scope = http.client(), http.scope()
      local task = scope:spawn(http.sleep, 1000)
      local r = assert(http.get(arg[1]))
      http.sleep(0)
      at_the_end(function()
        local url = arg[1]
        for name, call in pairs {
          get = function() return http.get(url) end,
          fetch = function() return http.fetch(url) end,
          lines = function() for _ in http.lines(url) do return end end,
          map = function() for _ in http.map({ 1 }, print) do return end end,
          sleep = function() http.sleep(0.001) end,
          scope = function() return http.scope() end,
          client = function() return http.client() end,
          limits = function() return http.limits() end,
          url = function() return http.url.parse(url) end,
          get_by_client = function() return client:get(url) end,
          extend = function() return client:extend() end,
          wait = function() return task:wait() end,
          cancel = function() return task:cancel() end,
          read = function() return r:read("a") end,
          status = function() return r.status end,
        } do
          local ok, err = pcall(call)
          if ok or not tostring(err):find("the Lua state is being closed", 1,
            true) then print(name, ok, err) end
        end
        pcall(scope.spawn, scope, print)
        pcall(r.close, r)
        print("left", open_descriptors() - before)
      end)
    ]]
    assert.equal("left\t0\n", out)
  end)

  it("that loads curlew is refused", function()
    local _, _, out = support.run [[
      setmetatable({}, { __gc = function()
        print(pcall(require, "curlew"))
      end })
    ]]
    assert.matches("^false\t.*curlew cannot be loaded by a finalizer", out)
  end)
end)
