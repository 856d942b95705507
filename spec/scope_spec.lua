--- Every way a scope can end: what is released at once, what waits for the
-- collector, and which counter says so. Each row over HTTP, TLS and HTTP/2, as
-- `local r <close> = get()` and as plain `local r = get()`.

local support = require "spec.support"
local counters = require "spec.support.counters"
local http = require "curlew"
local scheduler = require "spec.support.scheduler"
local leaks = require "curlew.leaks"

-- How many scopes a row runs.
local COUNTS = { http = { 10, 1000 }, https = { 10, 100 },
  https2 = { 10, 100 } }

local VALUES = { "text", {}, 42, false, print, coroutine.create(print),
  setmetatable({}, { __tostring = error }) }

-- A body whose end comes when the server is told to go on, after get.
local LATE_END = { { loop = { "request",
  { send = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    .. "5\r\nhello\r\n" },
  "wait", { send = "0\r\n\r\n" } } } }

-- ---- the rows ----

-- A way is Lua text with `local r <close> = get()` in it: exactly that is
-- taken away from it when it is to forget. `x` is any error value.
-- `scoped` and `plain` name the counter that moves with each response; where
-- that is "gc", the response is open until a full collection.
-- `unclosed`: forgotten, but its stream has ended: that is no leak.
-- `path` of nginx, or what a canned `server` does. `counts` where a thousand
-- would take long. `collects`: the way itself has garbage collected.
local rows = {
  {
    title = "ends with the body read",
    scoped = "eof", plain = "eof", unclosed = true, server = LATE_END,
    [[ do local r <close> = get() go() assert(r:read("a") == "hello") end ]],
    [[ do local r <close> = get() go() assert(r:text() == "hello") end ]],
    [[ do local r <close> = get()
         go() assert(r:read(5) == "hello" and r:read(1) == nil) end ]],
  },
  {
    title = "ends with the body unread",
    scoped = "tbc", plain = "gc",
    [[ do local r <close> = get() assert(r.status == 200) end ]],
    [[ local r <close> = get() assert(#r:read(1) == 1) ]],
    [[ for _ = 1, 2 do local r <close> = get() assert(r.ok) end ]],
    [[ if true then local r <close> = get() assert(r:check() == r) end ]],
  },
  {
    title = "ends with a small body unread",
    scoped = "eager", plain = "eager", unclosed = true, path = "/small",
    [[ do local r <close> = get() assert(r.status == 200) end ]],
  },
  {
    title = "ends with an empty body unread",
    scoped = "eager", plain = "eager", unclosed = true, path = "/empty",
    [[ do local r <close> = get() assert(r.status == 204) end ]],
  },
  {
    title = "is left by return",
    scoped = "tbc", plain = "gc",
    [[ local function f() local r <close> = get() return r.status end
       assert(f() == 200) ]],
    [[ local function g(r) return http.type(r) end
       local function f() local r <close> = get() return g(r) end
       assert(f() == "response") ]],
    [[ local function f()
         for i = 1, 2 do
           while true do
             local r <close> = get()
             repeat do return i, r.status end until false
           end
         end
       end
       assert(select(2, f()) == 200) ]],
    [[ local function f(...) local r <close> = get() return ... end
       assert(select("#", f(1, nil, nil)) == 3) ]],
  },
  {
    title = "is left by break, goto, continue or until",
    scoped = "tbc", plain = "gc",
    [[ for _ = 1, 2 do local r <close> = get() if r.ok then break end end ]],
    [[ while true do local r <close> = get() if r.ok then break end end ]],
    [[ do local r <close> = get() if r.ok then goto out end end ::out:: ]],
    [[ for _ = 1, 2 do
         local r <close> = get()
         if r.ok then goto continue end
         error("not reached")
         ::continue::
       end ]],
    [[ local n = 0
       ::again::
       do
         local r <close> = get()
         n = n + 1
         if n < 2 and r.ok then goto again end
       end ]],
    [[ repeat local r <close> = get() until r.ok ]],
    [[ local n = 0
       repeat local r <close> = get() n = n + 1 until n == 2 and r.ok ]],
  },
  {
    title = "is left by an error, which stays as it was",
    scoped = "tbc", plain = "gc",
    [[ local ok, err = pcall(function()
         local r <close> = get()
         error(x, 0)
       end)
       assert(not ok and rawequal(err, x)) ]],
    [[ local ok, err = pcall(function() local r <close> = get() error() end)
       assert(not ok and err == select(2, pcall(error))) ]],
    [[ local ok, err = pcall(function()
         local r <close> = get()
         return r.status.no.more
       end)
       assert(not ok and err:find("scope:3: attempt to index", 1, true)) ]],
    [[ local ok, err = pcall(function()
         local r <close> = get()
         assert(nil, VALUES)
       end)
       assert(not ok and rawequal(err, VALUES)) ]],
    [[ local ok, err = pcall(function()
         local r <close> = get()
         return ("x"):rep(1 << 62, ",")
       end)
       assert(not ok and err:find("too large", 1, true)) ]],
    [[ local ok, err = pcall(function()
         local r <close> = get()
         return r:read("x format")
       end)
       assert(not ok and err:find("bytes expected", 1, true)) ]],
  },
  {
    title = "is left by an error inside of Lua's own calls",
    scoped = "tbc", plain = "gc",
    [[ local ok = xpcall(function()
         local r <close> = get()
         error(x, 0)
       end, function() error("and in the handler") end)
       assert(not ok) ]],
    [[ assert(not pcall(string.gsub, "x", "x", function()
         local r <close> = get()
         error(x, 0)
       end)) ]],
    [[ assert(not pcall(function()
         local r <close> = get()
         return ("x"):gsub("x", function() error(x, 0) end)
       end)) ]],
    [[ assert(not pcall(table.sort, { 1, 2 }, function()
         local r <close> = get()
         error(x, 0)
       end)) ]],
    [[ local t = setmetatable({}, {
         __index = function() local r <close> = get() error(x, 0) end,
       })
       assert(not pcall(function() return t.x end)) ]],
    [[ local t = setmetatable({}, { __add = function() error(x, 0) end })
       assert(not pcall(function()
         local r <close> = get()
         return t + 1
       end)) ]],
    [[ assert(not pcall(require("string").dump, print)) -- a plain C error
       assert(not pcall(function()
         local r <close> = get()
         return load(function() error(x, 0) end)() -- nil: called
       end)) ]],
  },
  {
    title = "is left while a neighbour's __close errs",
    scoped = "tbc", plain = "gc",
    [[ local ok, err = pcall(function()
         local bad <close> = errs(x)
         local r <close> = get()
       end)
       assert(not ok and rawequal(err, x)) ]],
    [[ local ok, err = pcall(function()
         local r <close> = get()
         local bad <close> = errs(x)
       end)
       assert(not ok and rawequal(err, x)) ]],
    [[ local ok, err = pcall(function()
         local bad <close> = errs(x)
         local r <close> = get()
         local worse <close> = errs("worse")
         error("body")
       end)
       assert(not ok and rawequal(err, x)) ]],
  },
  {
    title = "is left by a stack overflow",
    scoped = "tbc", plain = "gc", counts = { 2 },
    [[ local function down() return 1 + down() end
       local ok, err = pcall(function()
         local r <close> = get()
         return down()
       end)
       assert(not ok and err:find("stack overflow", 1, true)) ]],
    [[ local function down() return ("x"):gsub("x", down) end
       local ok, err = pcall(function()
         local r <close> = get()
         return down()
       end)
       assert(not ok and err:find("stack overflow", 1, true)) ]],
  },
  {
    title = "is a coroutine's, suspended and dropped",
    scoped = "gc", plain = "gc",
    [[ local co = coroutine.create(function()
         local r <close> = get()
         coroutine.yield(r.status)
       end)
       assert(select(2, coroutine.resume(co)) == 200) ]],
    [[ local generate = coroutine.wrap(function()
         local r <close> = get()
         while true do coroutine.yield(r.status) end
       end)
       for status in generate do assert(status == 200) break end ]],
  },
  {
    title = "is a coroutine's, suspended and then closed",
    scoped = "tbc", plain = "gc",
    [[ local co = coroutine.create(function()
         local r <close> = get()
         coroutine.yield()
       end)
       coroutine.resume(co)
       assert(coroutine.close(co)) ]],
  },
  {
    title = "is a coroutine's that died by an error",
    scoped = "gc", plain = "gc",
    [[ local co = coroutine.create(function()
         local r <close> = get()
         error(x, 0)
       end)
       local ok, err = coroutine.resume(co)
       assert(not ok and rawequal(err, x)) ]],
  },
  {
    title = "is a coroutine's that died by an error and was closed",
    scoped = "tbc", plain = "gc",
    [[ local co = coroutine.create(function()
         local r <close> = get()
         error(x, 0)
       end)
       coroutine.resume(co)
       local ok, err = coroutine.close(co)
       assert(not ok and rawequal(err, x)) ]],
  },
  {
    title = "is a wrapped coroutine's that died by an error",
    scoped = "tbc", plain = "gc",
    [[ local f = coroutine.wrap(function()
         local r <close> = get()
         error(x, 0)
       end)
       local ok, err = pcall(f)
       assert(not ok and rawequal(err, x)) ]],
  },
  {
    title = "hands it over to an owner who closes it",
    scoped = "close", plain = "close",
    [[ local function f() local r <close> = get() return r:move() end
       assert(f():close()) ]],
    [[ local kept = {}
       do local r <close> = get() kept[1] = r:move() end
       assert(#kept[1]:read(1) == 1)
       kept[1]:close() ]],
    [[ local kept = {}
       do local r <close> = get() kept[1] = r:move() end
       coroutine.wrap(function() kept[1]:close() end)() ]],
    [[ local kept
       coroutine.wrap(function()
         local r <close> = get()
         kept = r:move():move()
       end)()
       kept:close() ]],
  },
  {
    title = "hands it over to another scope",
    scoped = "tbc", plain = "tbc",
    [[ local function f() local r <close> = get() return r:move() end
       do local moved <close> = f() assert(#moved:read(1) == 1) end ]],
  },
  {
    title = "escapes and is used",
    scoped = "tbc", plain = "gc",
    [[ local escaped
       do local r <close> = get() escaped = r end
       pcall(escaped.read, escaped, 1)
       assert(escaped.status == 200) ]],
  },
  {
    title = "has closed it before",
    scoped = "close", plain = "close",
    [[ local r <close> = get() assert(r:close()) ]],
    [[ local r <close> = get() assert(r:close() and r:close()) ]],
    [[ local r <close> = get() r:read(1) r:close() r:close() ]],
  },
  {
    title = "is a loop over it that is left",
    scoped = "iterator", plain = "iterator",
    [[ local r <close> = get() for c in r:chunks() do assert(c) break end ]],
    [[ local r <close> = get() for l in r:lines(9) do assert(l) break end ]],
    [[ local r <close> = get()
       for c in r:chunks() do if c then goto out end end ::out:: ]],
    [[ local function f()
         local r <close> = get()
         for c in r:chunks() do return #c end
       end
       assert(f() > 0) ]],
    [[ local ok, err = pcall(function()
         local r <close> = get()
         for _ in r:chunks() do error(x, 0) end
       end)
       assert(not ok and rawequal(err, x)) ]],
    [[ local r <close> = get()
       for _ in r:chunks() do for _ in r:lines(1) do break end break end ]],
    [[ for c in over("chunks") do assert(c) break end ]],
    [[ local ok, err = pcall(function()
         for _ in over("chunks") do error(x, 0) end
       end)
       assert(not ok and rawequal(err, x)) ]],
    [[ local co = coroutine.wrap(function()
         for c in over("chunks") do coroutine.yield(c) error(x, 0) end
       end)
       assert(#co() > 0)
       local ok, err = pcall(co)
       assert(not ok and rawequal(err, x)) ]],
    [[ local co = coroutine.create(function()
         for c in over("chunks") do coroutine.yield(c) end
       end)
       coroutine.resume(co)
       assert(coroutine.close(co)) ]],
  },
  {
    title = "is a loop over its lines that is left",
    scoped = "iterator", plain = "iterator",
    server = { { loop = { "request", { send = "HTTP/1.1 200 OK\r\n"
      .. "Content-Length: 1000000\r\n\r\n" .. ("line\n"):rep(20) } } } },
    [[ local r <close> = get() for l in r:lines() do assert(l) break end ]],
    [[ for i = 1, 2 do
         for l in over("lines") do assert(l == "line") goto continue end
         ::continue::
       end ]],
    [[ local n = 0
       for l in over("lines") do n = n + 1 if n == 20 then break end end ]],
  },
  {
    title = "is a loop over it that comes to its end",
    scoped = "eof", plain = "eof", server = LATE_END,
    [[ local r <close> = get() go() for _ in r:chunks() do end ]],
    [[ local r <close> = get() go() for _ in r:lines() do end ]],
    [[ local step, a, b, over <close> = over("lines") go()
       for line in step, a, b do assert(line == "hello") end ]],
  },
  {
    title = "has a reference cycle through it",
    scoped = "tbc", plain = "gc",
    [[ local r <close> = get() local t = { r = r } t.t = t ]],
    [[ local r <close> = get()
       local t = {}
       t.co = coroutine.create(function() return t, r end)
       t.f = function() return t.co end ]],
  },
  {
    title = "leaves it to another finalizer, which brings it back",
    scoped = "tbc", plain = "gc",
    [[ local r <close> = get()
       setmetatable({}, { __gc = function() bring_back(r) end }) ]],
    [[ local later = setmetatable({}, { __gc = true })
       local r <close> = get()
       getmetatable(later).__gc = function() bring_back(r) end ]],
  },
  {
    title = "closes its client first",
    scoped = "client", plain = "client", unclosed = true,
    [[ local c = http.client()
       local r <close> = get(c)
       c:close()
       local bytes, err = r:read("a")
       assert(bytes == nil and err.code == "cancelled") ]],
    [[ local function f(c) local r <close> = get(c) c:close() end
       f(http.client()) ]],
  },
  {
    title = "has dropped its client",
    scoped = "tbc", plain = "gc", collects = true,
    [[ local r <close> = get(http.client())
       collectgarbage()
       assert(#r:read(1) == 1) ]],
  },
}

-- ---- running them ----

local KINDS = { "http", "https", "https2" }

local nginx
local options_of = {} -- by kind

setup(function()
  nginx = support.nginx()
  for _, kind in ipairs(KINDS) do
    options_of[kind] = { tls = { ca = nginx.ca },
      http_version = kind == "https2" and "2" or nil }
  end
end)

-- What has moved since, nothing else: { tbc = 10, opened = 10 }.
local function moved(before) return counters.moved(before, http.stats()) end

local function collect()
  collectgarbage()
  collectgarbage()
end

local function errs(with)
  return setmetatable({}, { __close = function() error(with, 0) end })
end

-- The names that a way may use; `run` counts what it opens, and how many it
-- found open when it opened the next.
local function environment(kind, row, run, server)
  local url = server and server.url or nginx[kind] .. (row.path or "/slow")
  local options = options_of[kind]
  local env = { http = http, errs = errs, VALUES = VALUES }
  setmetatable(env, { __index = _G })
  function env.get(client)
    run.opened = run.opened + 1
    run.found = math.max(run.found, http.stats().open - run.before.open)
    if client then return assert(client:get(url, options)) end
    return assert(http.get(url, options))
  end
  function env.over(verb)
    run.opened = run.opened + 1
    return http[verb](url, options)
  end
  function env.bring_back(r) run.brought_back = r end
  function env.go() server:go() end
  return env
end

local function ways_of(row, scoped, env)
  local ways = {}
  for i, text in ipairs(row) do
    if not scoped then text = text:gsub(" <close>( = get%()", "%1") end
    ways[i] = assert(load(text, "=scope", "t", env))
  end
  return ways
end

local function canned(kind, steps)
  local tls, http2 = nil, kind == "https2"
  if kind ~= "http" then tls = support.certificates().good end
  return support.server({ tls = tls, http2 = http2, translated = http2 })
    :script(steps)
end

-- Runs n scopes of a row, or each of its ways once if there are more; nothing
-- is collected meanwhile, but by a limit.
local function run_row(kind, row, scoped, n)
  local run = { opened = 0, found = 0, before = http.stats() }
  local server <close> = row.server and canned(kind, row.server)
  local env = environment(kind, row, run, server)
  local ways = ways_of(row, scoped, env)
  collectgarbage("stop")
  local ok, err = pcall(function()
    for i = 1, math.max(n, #ways) do
      env.x = VALUES[i % #VALUES + 1]
      ways[i % #ways + 1]()
    end
  end)
  run.at_once = moved(run.before)
  collectgarbage("restart")
  if not ok then error(err, 0) end
  return run
end

local function check_row(kind, row, scoped, n)
  local counter = scoped and row.scoped or row.plain
  collect()
  local run = run_row(kind, row, scoped, n)
  local at_once = run.at_once
  assert.is_true(leaks.audit())
  collect()
  local after = moved(run.before)

  local expected = { opened = run.opened, [counter] = run.opened }
  if not scoped and row.unclosed then
    expected.collected_unclosed = run.opened
  end
  assert.same(expected, after)
  if counter ~= "gc" then
    expected.collected_unclosed = at_once.collected_unclosed
    assert.same(expected, at_once)
    assert.equal(0, run.found)
  elseif row.collects or run.opened > http.limits().max_open then
    assert.equal(run.opened, at_once.open + at_once.gc)
    assert.is_true(at_once.open <= http.limits().max_open)
  else
    assert.same({ opened = run.opened, open = run.opened }, at_once)
  end
end

local SENTENCE = {
  gc = "waits for the collector when its scope %s",
  eof = "is released by its end when its scope %s",
  eager = "holds nothing when its scope %s",
  close = "is released by close when its scope %s",
  tbc = "is released at once when its scope %s",
  iterator = "is released at once when its scope %s",
  client = "is released with its client when its scope %s",
}

for _, kind in ipairs(KINDS) do
  for _, scoped in ipairs { true, false } do
    describe(("A response in a %s variable, over %s,"):format(
      scoped and "<close>" or "plain", kind), function()
      for _, row in ipairs(rows) do
        local counter = scoped and row.scoped or row.plain
        local sentence = SENTENCE[counter]:format(row.title)

        for _, n in ipairs(row.counts or COUNTS[kind]) do
          local many = n > 10 and " #long" or ""
          it(("%s, %d times"):format(sentence, n) .. many, function()
            check_row(kind, row, scoped, n)
          end)
        end
      end
    end)
  end
end

-- ---- what takes more than a row ----

-- Every k-th instruction of the virtual machine, for every k: an error there.
local function interrupted_everywhere(scope)
  local interruption = {}
  local function interrupt()
    debug.sethook()
    error(interruption)
  end
  for k = 1, math.huge do
    local ok, err = pcall(function()
      debug.sethook(interrupt, "", k)
      scope()
      debug.sethook()
    end)
    if ok then return end
    if not rawequal(interruption, err) then error(err) end
    if not leaks.audit() then error("the law is broken") end
  end
end

for _, kind in ipairs(KINDS) do
  describe(("A response over %s"):format(kind), function()
    local url, get, options

    setup(function()
      url = nginx[kind] .. "/slow"
      options = options_of[kind]
      function get() return assert(http.get(url, options)) end
    end)

    -- ---- error at every instruction ----

    local function with_scope(scope)
      collect()
      local before = http.stats()
      interrupted_everywhere(scope)
      collect()
      return moved(before)
    end

    it("is open after an error at one instruction only, the one before its "
      .. "<close> #builtin", function()
      local after = with_scope(function()
        local r <close> = http.get(url, options)
        local _ = r.status
      end)
      assert.same({ opened = after.opened, gc = 1, tbc = after.opened - 1 },
        after)
      assert.is_true(after.tbc > 1)
    end)

    it("is so too when a client got it #builtin", function()
      local client <close> = http.client(options)
      local after = with_scope(function()
        local r <close> = client:get(url)
        local _ = r.status
      end)
      assert.same({ opened = after.opened, gc = 1, tbc = after.opened - 1 },
        after)
    end)

    it("is so at one more with a C function in between #builtin", function()
      local after = with_scope(function()
        local r <close> = select(1, http.get(url, options)) -- as assert
        local _ = r.status
      end)
      assert.same({ opened = after.opened, gc = 2, tbc = after.opened - 2 },
        after)
    end)

    it("is never open after an interrupted fetch of a small "
      .. "page #builtin", function()
      local after = with_scope(function()
        http.fetch(nginx[kind] .. "/small", options)
      end)
      after.collected_unclosed = nil -- interrupted after the eager release
      assert.same({ opened = after.opened, eager = after.opened }, after)
    end)

    it("waits for the collector after an error without "
      .. "<close> #builtin", function()
      local after = with_scope(function()
        local r = http.get(url, options)
        local _ = r.status
      end)
      assert.same({ opened = after.opened, gc = after.opened }, after)
      assert.is_true(after.gc > 1)
    end)

    -- ---- coroutines that are held, or closed while they wait ----

    it("of a coroutine that is held stays open, and is shown", function()
      local before = http.stats()
      local held = {}
      for i = 1, 10 do
        held[i] = coroutine.create(function()
          local r <close> = get()
          coroutine.yield(r.status)
        end)
        assert(coroutine.resume(held[i]))
      end
      collect()
      assert.same({ opened = 10, open = 10 }, moved(before))
      local open = leaks.open()
      assert.equal(10, #open)
      assert.equal("coroutine", open[1].opener)
      for i = 1, 10 do assert(coroutine.close(held[i])) end
      assert.same({ opened = 10, tbc = 10 }, moved(before))
    end)

    it("is released when its task is closed inside get, <close> or not",
      function()
        collect()
        local before = http.stats()
        local loop <close> = scheduler()
        for _ = 1, 10 do
          assert(coroutine.close(loop.spawn(function()
            local r <close> = get()
            error("not reached " .. r.status)
          end)))
          assert(coroutine.close(loop.spawn(function()
            local r = get()
            error("not reached " .. r.status)
          end)))
        end
        assert.same({ opened = 20, tbc = 20 }, moved(before))
      end)

    -- Closes ten tasks of f while they wait in a read.
    local function close_readers(f)
      local loop <close> = scheduler()
      local waiting, readers = 0, {}
      for i = 1, 10 do
        readers[i] = loop.spawn(function()
          f(function(r)
            waiting = waiting + 1
            r:read(1 << 20)
          end)
        end)
      end
      loop.run(function() return waiting == 10 end)
      for i = 1, 10 do assert(coroutine.close(readers[i])) end
    end

    it("is released when its task is closed inside read", function()
      collect()
      local before = http.stats()
      close_readers(function(read)
        local r <close> = get()
        read(r)
      end)
      assert.same({ opened = 10, tbc = 10 }, moved(before))
    end)

    it("waits for the collector then without <close>", function()
      collect()
      collectgarbage("stop")
      local before = http.stats()
      close_readers(function(read)
        local r = get()
        read(r)
      end)
      assert.same({ opened = 10, open = 10 }, moved(before))
      collectgarbage("restart")
      collect()
      assert.same({ opened = 10, gc = 10 }, moved(before))
    end)

    -- ---- use after the end ----

    local used = {
      read = function(r) r:read(1) end,
      text = function(r) r:text() end,
      check = function(r) r:check() end,
      move = function(r) r:move() end,
    }

    for name, use in pairs(used) do
      it("that has left its scope teaches who calls " .. name, function()
        local escaped, line
        do
          local r <close> = get()
          escaped, line = r, debug.getinfo(1, "l").currentline
        end
        local ok, err = pcall(use, escaped)
        assert.is_false(ok)
        local file = debug.getinfo(1, "S").short_src
        local where = ("closed at %s:%d, its <close> scope ended; "
          .. "to hand it over: return r:move()"):format(file, line)
        assert.truthy(err:find(where, 1, true), err)
      end)

      it("that was closed tells who calls " .. name, function()
        local r = get()
        r:close() local line = debug.getinfo(1, "l").currentline
        local ok, err = pcall(use, r)
        assert.is_false(ok)
        local file = debug.getinfo(1, "S").short_src
        assert.truthy(err:find(("closed at %s:%d"):format(file, line), 1,
          true), err)
      end)
    end

    it("that has left its scope keeps its fields", function()
      local escaped
      do
        local r <close> = get()
        escaped = r
      end
      assert.equal(200, escaped.status)
      assert.equal("104857600", escaped:header("content-length"))
      assert.equal("closed response", http.type(escaped))
    end)

    it("can be closed twice, and says true each time", function()
      local r <close> = get()
      assert.is_true(r:close())
      assert.is_true(r:close())
    end)

    it("that a finalizer brought back is closed", function()
      local back
      local function drop()
        local r = get()
        setmetatable({}, { __gc = function() back = r end })
      end
      drop()
      collect()
      assert.equal("closed response", http.type(back))
      local ok, err = pcall(back.read, back, 1)
      assert.is_false(ok)
      assert.matches("closed", err)
    end)
  end)
end
