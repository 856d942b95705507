--- Readers that wait: in tasks that go on, are closed or die, beside others,
-- and beside finalizers that do what they should not.

local support = require "spec.support"
local core = require "curlew.core"
local encode = require "encode_support"
local http = require "curlew"
local scheduler = require "spec.support.scheduler"
local posix = support.posix

local MIB = 1024 * 1024

local server

before_each(function() server = support.server() end)
after_each(function() server:close() end)

local OPEN_END = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
local STUCK = { "request", { send = "HTTP/1.1 200 OK\r\n"
  .. "Content-Length: 1000000\r\n\r\nabc" }, "hold" }

describe("A reader in a task", function()
  local function in_task(f)
    local results
    local tasks <close> = scheduler()
    tasks.spawn(function()
      local r <close> = assert(http.get(server.url, { timeout = 10 }))
      results = table.pack(f(r))
    end)
    tasks.run()
    return table.unpack(results, 1, results.n)
  end

  it("gets a line that is longer than what is held ahead", function()
    server:reply(OPEN_END .. ("x"):rep(300000) .. "\nrest\n")
    local line, rest = in_task(function(r) return r:read("l", "l") end)
    assert.same({ 300000, "rest" }, { #line, rest })
  end)

  it("gets a number behind more white space than that", function()
    server:reply(OPEN_END .. (" "):rep(300000) .. "42\n")
    assert.equal(42, in_task(function(r) return r:read("n") end))
  end)

  it("gets what is decoded, in each way", function()
    local text = ("line of text\n"):rep(100000)
    local bytes = encode.gzip(text)
    for _, way in ipairs { "a", "l", "json", "save", "chunks" } do
      server:reset()
      server:reply("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" .. bytes)
      local got = in_task(function(r)
        if way == "json" then return select(2, r:json()).code end
        if way == "save" then return assert(r:save("/dev/null")).bytes end
        if way == "l" then
          local n = 0
          for _ in r:lines() do n = n + 1 end
          return n
        end
        local n = 0
        for part in r:chunks() do n = n + #part end
        return n
      end)
      local expected = { json = "json", l = 100000 }
      assert.equal(expected[way] or #text, got, way)
    end
  end)

  it("lets others have their turns while much is decoded", function()
    local nginx = support.nginx()
    local path = support.folder() .. "/bomb"
    encode.bomb("gzip", 200 * MIB, path)
    local file <close> = assert(io.open(path, "rb"))
    local bytes = file:read("a")
    server:reply(("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"
      .. "Content-Length: %d\r\n\r\n%s"):format(#bytes, bytes))
    local length, pages = nil, 0
    local tasks <close> = scheduler()
    tasks.spawn(function()
      length = #assert(http.fetch(server.url)).body
    end)
    tasks.spawn(function()
      while not length do
        assert(http.fetch(nginx.http .. "/small"))
        pages = pages + 1
      end
    end)
    tasks.run()
    assert.equal(200 * MIB, length)
    assert.is_true(pages > 5, pages)
  end)

  it("does not idle while it decodes", function()
    local path = support.folder() .. "/bomb"
    encode.bomb("gzip", 200 * MIB, path)
    local file <close> = assert(io.open(path, "rb"))
    local bytes = file:read("a")
    server:script { "request", { send = ("HTTP/1.1 200 OK\r\n"
      .. "Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s"):format(
      #bytes + 1, bytes) }, "wait", { send = "\0" }, "hold" }
    local r <close> = assert(http.get(server.url,
      { timeout = { idle = 0.1 } }))
    local sum = 0
    repeat sum = sum + #assert(r:read(MIB)) until sum == 200 * MIB
    server:go()
    assert.is_nil((r:read(1)))
  end)

  -- A task that reads a body that does not come; returns it and the response.
  local function stuck(tasks, get, told)
    local r
    server:script(STUCK)
    local task = tasks.spawn(function()
      r = assert(get(server.url))
      told.results = table.pack(pcall(r.read, r, "a"))
    end)
    for _ = 1, 100 do
      if r then break end
      tasks.round(0.1)
    end
    return task, r
  end

  it("is told when somebody else closes the response", function()
    local told = {}
    local tasks <close> = scheduler()
    local _, r = stuck(tasks, http.get, told)
    r:close()
    tasks.run()
    assert.is_false(told.results[1])
    assert.matches("closed at spec/reader_spec.lua", told.results[2])
  end)

  it("is told when somebody closes the client", function()
    local told = {}
    local client = http.client()
    local tasks <close> = scheduler()
    stuck(tasks, function(url) return client:get(url) end, told)
    client:close()
    tasks.run()
    assert.same({ true, nil, "cancelled" }, { told.results[1],
      told.results[2], told.results[3].code })
  end)

  it("that is closed in text leaves nothing wanted", function()
    server:script { "request", { send = "HTTP/1.1 200 OK\r\n"
      .. "Content-Length: 200000000\r\n\r\nabc" },
      { loop = { { send = ("x"):rep(MIB) } } } }
    local r
    local tasks <close> = scheduler()
    local task = tasks.spawn(function()
      r = assert(http.get(server.url, { timeout = { idle = 0.2 } }))
      r:text()
    end)
    while not r do tasks.round(0.1) end
    assert(coroutine.close(task))
    tasks.forget()
    local last = posix.monotonic() + 0.5
    repeat core.step(0.05) until posix.monotonic() > last
    assert.is_true(http.leaks.open()[1].unread <= 17 * MIB)
    assert.equal("abc", r:read(3))
    r:close()
  end)

  it("that dies leaves a response that can be read", function()
    for _, how in ipairs { "raises", "raises and catches", "is closed" } do
      local fails, r
      server:reset()
      server:script(STUCK)
      local task = coroutine.create(function()
        r = assert(http.get(server.url))
        if how ~= "raises and catches" then return r:read("a") end
        local ok, err = pcall(r.read, r, "a")
        assert.same({ false, "cancelled" }, { ok, err })
        assert.equal("a", r:read(1))
      end)
      core.seat(task, function()
        coroutine.yield()
        if fails then error("cancelled", 0) end
      end)
      assert(coroutine.resume(task))
      while not r do
        core.step(0.1)
        if core.ready() then assert(coroutine.resume(task)) end
      end
      fails = how ~= "is closed"
      if fails then coroutine.resume(task) else coroutine.close(task) end
      local left = how == "raises and catches" and "bc" or "ab"
      assert.equal(left, r:read(2), how)
      r:close()
    end
  end)
end)

describe("A coded body", function()
  it("that failed before its first read gives no raw byte", function()
    local raw = "\31\139raw bytes\nand a line\n"
    server:reply("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"
      .. "Content-Length: 1000\r\n\r\n" .. raw)
    for _, read in ipairs {
      function(r) return r:read(5) end,
      function(r) return r:read("l") end,
      function(r) return r:read("n") end,
      function(r) return r:text() end,
      function(r) return r:save("/dev/null") end,
      function(r)
        local ok, part = pcall((r:chunks()))
        return ok and part or nil, part
      end,
    } do
      local r <close> = assert(http.get(server.url))
      local value, err = read(r)
      assert.is_nil(value)
      assert.is_true(err.code == "truncated" or err.code == "decode")
    end
  end)

  it("named identity is held to max_body, and has its length", function()
    server:reply("HTTP/1.1 200 OK\r\nContent-Encoding: identity,\r\n"
      .. "Content-Length: 1000\r\n\r\n" .. ("x"):rep(1000))
    local r <close> = assert(http.get(server.url, { max_body = 10 }))
    assert.equal(1000, r.length)
    local text, err = r:text()
    assert.same({ nil, "too_large" }, { text, err.code })
  end)

  it("of no byte is empty, whatever its coding is called", function()
    local fields = "HTTP/1.1 %s\r\nContent-Encoding: unknown\r\n"
      .. "Content-Length: %d\r\n\r\n"
    server:reply(fields:format("200 OK", 1000))
    assert.equal("", assert(http.fetch(server.url, { method = "HEAD" })).body)
    for _, status in ipairs { "200 OK", "304 Not Modified" } do
      server:reset()
      server:reply(fields:format(status, 0))
      assert.equal("", assert(http.fetch(server.url)).body)
    end
  end)
end)

describe("A finalizer", function()
  -- Every allocation that looks for garbage finds some, and finalizes it.
  local function with_finalizer(act, f)
    local _, code, out, err = support.run(([[
      local http = require "curlew"
      local url = arg[1]
      local r = assert(http.get(url))
      local first = r:read(2)
      local armed = 0
      local function arm()
        setmetatable({}, { __gc = function()
          if armed == 0 then return end
          armed = armed - 1
          %s
          arm()
        end })
      end
      collectgarbage("incremental", 1, 1000, 8)
      arm()
      armed = tonumber(arg[2])
      local results = table.pack(pcall(function() %s end))
      armed = 0
      print(first, http.leaks.audit())
    ]]):format(act, f), { server.url, "3" })
    assert.same({ 0, "li\ttrue\n" }, { code, out }, err)
  end

  local acts = { closes = "r:close()", moves = "r = r:move()",
    ["moves and drops"] = "pcall(function() r:move() end)",
    reads = "pcall(r.read, r, 3)" }
  local calls = {
    read = 'return r:read("l", "l", 3, "n")', text = "return r:text()",
    lines = "for l in r:lines() do end", chunks = "for c in r:chunks() do end",
    save = 'return r:save("/dev/null")', json = "return r:json()",
    move = "local m = r:move() return m:text()",
    fields = "return r.request, r.headers, r.info, r.filename",
    check = "return r:check()",
  }

  for what, act in pairs(acts) do
    for name, call in pairs(calls) do
      it(("that %s during %s breaks nothing"):format(what, name), function()
        server:reply("HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n"
          .. ("line\n"):rep(2000))
        with_finalizer(act, call)
      end)
    end
  end
end)
