--- The ledger: every way a stream can end is counted once, the law holds, and
-- what was forgotten is named.

local support = require "spec.support"
local counters = require "spec.support.counters"
local http = require "curlew"
local core = require "curlew.core"
local leaks = require "curlew.leaks"
local posix = support.posix

local FILE = debug.getinfo(1, "S").short_src

local function moved(before) return counters.moved(before, http.stats()) end

local function collect()
  collectgarbage()
  collectgarbage()
end

-- A head that declares n bytes, and n bytes.
local function head(n)
  return ("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"):format(n)
end

local function bytes(n) return ("x"):rep(n) end

local CHUNKED = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

-- Lets the engine run until f() says so; a server never needs so many steps.
local function run_until(f)
  for _ = 1, 1000 do
    if f() then return end
    core.step(0.01)
  end
  error("it never came to that")
end

describe("The ledger", function()
  local server

  before_each(function() server = support.server() end)
  after_each(function() server:close() end)

  -- What one response that `use` gets and ends moves.
  local function counted(use)
    collect()
    local before = http.stats()
    use()
    assert.is_true(leaks.audit())
    return moved(before)
  end

  it("counts a body that came with its headers as eager", function()
    server:reply(head(5) .. "hello")
    assert.same({ opened = 1, eager = 1 }, counted(function()
      local _ <close> = assert(http.get(server.url))
    end))
  end)

  it("counts a response to HEAD as eager", function()
    server:reply(head(1 << 30))
    assert.same({ opened = 1, eager = 1 }, counted(function()
      local _ <close> = assert(http.head(server.url))
    end))
  end)

  it("counts a body that came before it was read as arrived", function()
    server:script { "request", { send = CHUNKED .. "2\r\nhe\r\n" }, "wait",
      { send = "3\r\nllo\r\n0\r\n\r\n" } }
    assert.same({ opened = 1, arrived = 1 }, counted(function()
      local r <close> = assert(http.get(server.url))
      assert.equal(1, http.stats().open)
      server:go()
      run_until(function() return r.info.ended end)
      assert.equal("hello", r:read("a"))
    end))
  end)

  it("counts a body that was read to its end as eof", function()
    server:script { "request", { send = CHUNKED .. "2\r\nhe\r\n" }, "wait",
      { send = "3\r\nllo\r\n0\r\n\r\n" } }
    assert.same({ opened = 1, eof = 1 }, counted(function()
      local r <close> = assert(http.get(server.url))
      server:go()
      assert.equal("hello", r:read("a"))
    end))
  end)

  it("counts what was closed as close", function()
    server:script { "request", { send = head(1 << 30) }, "hold" }
    assert.same({ opened = 1, close = 1 }, counted(function()
      local r = assert(http.get(server.url))
      r:close()
    end))
  end)

  it("counts what a scope closed as tbc", function()
    server:script { "request", { send = head(1 << 30) }, "hold" }
    assert.same({ opened = 1, tbc = 1 }, counted(function()
      local _ <close> = assert(http.get(server.url))
    end))
  end)

  it("counts a body that was cut as error", function()
    server:script { "request", { send = head(100000) }, "wait", "close" }
    assert.same({ opened = 1, error = 1 }, counted(function()
      local r <close> = assert(http.get(server.url))
      server:go()
      local body, err = r:read("a")
      assert.is_nil(body)
      assert.equal("truncated", err.code)
    end))
  end)

  it("counts a response that never came as error", function()
    server:script { "request", "close" }
    assert.same({ opened = 1, error = 1 }, counted(function()
      assert.is_nil((http.get(server.url)))
    end))
  end)

  it("counts a refused connection as error", function()
    local port = support.refused_port
    assert.same({ opened = 1, error = 1 }, counted(function()
      assert.is_nil((http.get(("http://127.0.0.1:%d/"):format(port))))
    end))
  end)

  it("counts a refused status as error", function()
    server:reply("HTTP/1.1 404 Not Found\r\nContent-Length: 1000000\r\n\r\n"
      .. bytes(5000))
    assert.same({ opened = 1, error = 1 }, counted(function()
      assert.is_nil((http.get(server.url, { check = true })))
    end))
  end)

  it("counts headers that came too late as timeout", function()
    server:script { "request", "hold" }
    assert.same({ opened = 1, timeout = 1 }, counted(function()
      local _, err = http.get(server.url, { timeout = 0.05 })
      assert.equal("timeout", err.code)
    end))
  end)

  it("counts a body that came too late as timeout", function()
    server:script { "request", { send = head(100000) }, "hold" }
    assert.same({ opened = 1, timeout = 1 }, counted(function()
      local r <close> = assert(http.get(server.url, {
        timeout = { idle = 0.05 } }))
      local _, err = r:read("a")
      assert.equal("timeout", err.code)
    end))
  end)

  it("counts what its client closed as client", function()
    server:script { "request", { send = head(100000) }, "hold" }
    assert.same({ opened = 1, client = 1 }, counted(function()
      local client = http.client()
      local _ <close> = assert(client:get(server.url))
      client:close()
    end))
  end)

  it("counts what was forgotten as gc", function()
    server:script { "request", { send = head(100000) }, "hold" }
    local function forget() assert(assert(http.get(server.url)).ok) end
    assert.same({ opened = 1, gc = 1 }, counted(function()
      forget()
      collect()
    end))
  end)

  it("counts as no leak what ended before it was collected", function()
    server:reply(head(5) .. "hello")
    local function forget() assert(assert(http.get(server.url)).ok) end
    assert.same({ opened = 1, eager = 1, collected_unclosed = 1 },
      counted(function()
        forget()
        collect()
      end))
  end)

  it("does not open what cannot be asked for", function()
    assert.same({}, counted(function()
      assert.is_nil((http.get("http://:nonsense:/")))
      assert.is_false(pcall(http.get, server.url, { headers = { ["\n"] = 1 } }))
    end))
  end)

  it("keeps the law within one stats() while garbage is collected", function()
    server:script { { loop = { "request", { send = head(100000) }, "hold" } } }
    local function forget() assert(assert(http.get(server.url)).ok) end
    local function lawful(s)
      return s.opened == s.open + s.released + s.leaked
    end
    collectgarbage("stop")
    for _ = 1, 10 do forget() end
    local before = http.stats()
    collectgarbage("restart")
    local kept, tries = true, 0
    repeat -- its tables are the garbage that sets the collector off
      local now = http.stats()
      kept = kept and lawful(now)
      tries = tries + 1
    until now.leaked - before.leaked == 10 or tries == 100000
    assert.is_true(kept)
    collect()
  end)

  it("has for each group a sum", function()
    local s = http.stats()
    local released, leaked = 0, 0
    for _, n in pairs(s.released_by) do released = released + n end
    for _, n in pairs(s.leaked_by) do leaked = leaked + n end
    assert.same({ s.released, s.leaked }, { released, leaked })
  end)

  it("has the same counters at all times", function()
    local names = {}
    for name in pairs(http.stats().released_by) do names[#names + 1] = name end
    for name in pairs(http.stats().leaked_by) do names[#names + 1] = name end
    table.sort(names)
    assert.same({ "arrived", "client", "close", "eager", "eof", "error",
      "exit", "gc", "hop", "iterator", "shutdown", "task", "tbc", "timeout" },
      names)
  end)
end)

describe("client:stats", function()
  local server

  before_each(function()
    server = support.server()
    server:script { { loop = { "request", { send = head(100000) }, "hold" } } }
  end)
  after_each(function() server:close() end)

  it("counts what this client opened, and nothing else", function()
    local one <close> = http.client()
    local other <close> = http.client()
    local a <close> = assert(one:get(server.url))
    local b <close> = assert(other:get(server.url))
    local c <close> = assert(other:get(server.url))
    b:close()
    assert.same({ 1, 1, 0 }, { one:stats().opened, one:stats().open,
      one:stats().released })
    assert.same({ 2, 1, 1 }, { other:stats().opened, other:stats().open,
      other:stats().released_by.close })
    assert.same({ 200, 200 }, { a.status, c.status })
  end)

  it("goes on after the client was closed", function()
    local client = http.client()
    local r <close> = assert(client:get(server.url))
    client:close()
    local stats = client:stats()
    assert.same({ 1, 0, 1 },
      { stats.opened, stats.open, stats.released_by.client })
    assert.equal(200, r.status)
  end)

  it("has the members of http.stats", function()
    local client <close> = http.client()
    local function flat(t, prefix, out)
      for name, value in pairs(t) do
        if type(value) == "table" then
          flat(value, prefix .. name .. ".", out)
        else
          out[prefix .. name] = true
        end
      end
      return out
    end
    assert.same(flat(http.stats(), "", {}), flat(client:stats(), "", {}))
  end)
end)

-- ---- the eager rule ----

local SOON = { timeout = { idle = 0.05 } }

describe("A small body", function()
  local server

  before_each(function() server = support.server() end)
  after_each(function() server:close() end)

  it("that comes after its headers is awaited with them", function()
    server:script { "request", { pieces = { head(5), "he", "llo" } }, "hold" }
    local before = http.stats()
    local r <close> = assert(http.get(server.url))
    assert.same({ opened = 1, eager = 1 }, moved(before))
    assert.equal("hello", r:read("a"))
  end)

  it("of 65536 declared bytes is awaited", function()
    -- what is awaited can be late; what is not cannot
    server:script { "request", { send = head(65536) }, "hold" }
    local before = http.stats()
    local r <close> = assert(http.get(server.url, SOON))
    assert.same({ opened = 1, timeout = 1 }, moved(before))
    assert.equal(200, r.status)
  end)

  it("of 65537 declared bytes is not awaited: it is not small", function()
    server:script { "request", { send = head(65537) }, "hold" }
    local before = http.stats()
    local r <close> = assert(http.get(server.url, SOON))
    assert.same({ opened = 1, open = 1 }, moved(before))
    assert.equal(200, r.status)
  end)

  it("that is not declared is not awaited", function()
    server:script { "request", { send = CHUNKED .. "2\r\nhe\r\n" }, "hold" }
    local before = http.stats()
    local r <close> = assert(http.get(server.url, SOON))
    assert.same({ opened = 1, open = 1 }, moved(before))
    assert.equal("he", r:read(2))
  end)

  it("that does not come is an open response, read when it comes", function()
    server:script { "request", { send = head(5) .. "he" }, "wait",
      { send = "llo" }, "hold" }
    local before = http.stats()
    local began = posix.monotonic()
    local r <close> = assert(http.get(server.url))
    local waited = posix.monotonic() - began
    assert.same({ opened = 1, open = 1 }, moved(before))
    assert.is_true(waited > 0.2 and waited < 5)
    server:go()
    assert.equal("hello", r:read("a"))
    assert.same({ opened = 1, eof = 1 }, moved(before))
  end)

  it("that is cut while it is awaited leaves its error to the reader",
    function()
      server:reply(head(10) .. "half")
      local before = http.stats()
      local r <close>, err = http.get(server.url)
      assert.is_nil(err)
      assert.same({ opened = 1, error = 1 }, moved(before))
      assert.is_true(r.ok)
      local body, first = r:read("a")
      assert.is_nil(body)
      assert.equal("truncated", first.code)
      assert.is_true(rawequal(first, select(2, r:read("a"))))
    end)
end)

-- ---- closing ----

describe("Closing", function()
  local SHORT = { timeout = 5 }
  local server

  after_each(function() server:close() end)

  -- n bytes of a body are declared, the first 60000 are sent and read; then
  -- come the rest, and one more response.
  local function half_read(n, options)
    server:script { "request", { send = head(n) .. bytes(60000) }, "wait",
      { send = bytes(n - 60000) }, "request", { send = head(2) .. "ok" },
      "hold" }
    local r = assert(http.get(server.url, options))
    assert.equal(60000, #r:read(60000))
    return r
  end

  -- Until the rest has been written: on loopback it then waits to be read.
  local function send_rest(n)
    local all = #head(n) + n
    local last = posix.monotonic() + 5
    server:go()
    while server:sent() < all and posix.monotonic() < last do end
  end

  -- What closing r changes.
  local function close(r)
    local before = http.stats()
    r:close()
    local after = http.stats()
    assert.equal(before.open - 1, after.open)
    return {
      drained = after.drained_bytes - before.drained_bytes,
      cut = after.connections.closed - before.connections.closed,
    }
  end

  describe("over plain HTTP", function()
    before_each(function() server = support.server() end)

    it("drains a rest that is there #http1", function()
      local r = half_read(100000)
      send_rest(100000)
      assert.same({ drained = 40000, cut = 0 }, close(r))
    end)

    it("leaves a connection that is used again", function()
      local r = half_read(100000)
      send_rest(100000)
      r:close()
      local reused = http.stats().connections.reused
      local page = assert(http.fetch(server.url, SHORT))
      assert.equal("ok", page.body)
      assert.equal(reused + 1, http.stats().connections.reused)
      assert.equal(1, server:connections())
    end)

    it("cuts at once when more than 64 KiB are to come #plain", function()
      local r = half_read(60000 + 65537)
      send_rest(60000 + 65537)
      assert.same({ drained = 0, cut = 1 }, close(r))
    end)

    it("does not wait for a rest that is not there #http1", function()
      assert.same({ drained = 0, cut = 1 }, close(half_read(100000)))
    end)

    it("drains an end that was not declared #http1", function()
      server:script { "request", { send = CHUNKED .. "2\r\nhe\r\n" }, "wait",
        { send = "3\r\nllo\r\n0\r\n\r\n" }, "hold" }
      local r = assert(http.get(server.url))
      local sent = server:sent()
      assert.equal("he", r:read(2))
      server:go()
      while server:sent() == sent do end
      assert.same({ drained = 3, cut = 0 }, close(r))
    end)

    it("reads no more than 64 KiB of what does not end #plain", function()
      server:script { "request", { send = CHUNKED }, { loop = {
        { send = "4000\r\n" .. bytes(0x4000) .. "\r\n" } } } }
      local r = assert(http.get(server.url))
      local moves = close(r)
      assert.equal(1, moves.cut)
      assert.is_true(moves.drained <= 65536 + 16384)
    end)

    it("by the collector never drains", function()
      local held = { half_read(100000) }
      send_rest(100000)
      assert.is_true(held[1].ok)
      local before = http.stats()
      held[1] = nil
      collect()
      assert.same({ open = -1, gc = 1 }, moved(before))
      assert.equal(before.drained_bytes, http.stats().drained_bytes)
    end)
  end)

  describe("over TLS", function()
    local options

    before_each(function()
      server = support.server { tls = support.certificates().good }
      options = { timeout = 5, tls = { ca = support.certificates().ca } }
    end)

    it("drains more than over plain HTTP", function()
      local r = half_read(60000 + 66000, options)
      send_rest(60000 + 66000)
      assert.same({ drained = 66000, cut = 0 }, close(r))
    end)

    it("leaves a connection that is used again", function()
      local r = half_read(100000, options)
      send_rest(100000)
      r:close()
      local reused = http.stats().connections.reused
      assert.equal("ok", assert(http.fetch(server.url, options)).body)
      assert.equal(reused + 1, http.stats().connections.reused)
    end)

    it("cuts at once when more than 256 KiB are to come", function()
      local r = half_read(60000 + 262145, options)
      assert.same({ drained = 0, cut = 1 }, close(r))
    end)
  end)
end)

-- ---- records ----

describe("A record", function()
  local nginx, url

  setup(function()
    nginx = support.nginx()
    url = nginx.http .. "/slow"
  end)

  local function here() return debug.getinfo(2, "l").currentline end

  local function last_leak()
    collect()
    local records = leaks.records()
    return records[#records]
  end

  it("of a leak says all that is known #http1 #builtin", function()
    local function forget()
      local r = http.get(url)
      assert.equal(1000, #r:read(1000))
      return here() - 2
    end
    local now = os.time()
    local line = forget()
    local record = last_leak()
    assert.same({
      found = "gc",
      method = "GET",
      url = url,
      status = 200,
      http_version = "1.1",
      site = ("%s:%d"):format(FILE, line),
      opener = "main",
      read = 1000,
      expected = 104857600,
      count = record.count,
      id = http.stats().opened,
    }, {
      found = record.found,
      method = record.method,
      url = record.url,
      status = record.status,
      http_version = record.http_version,
      site = record.site,
      stack = record.stack,
      opener = record.opener,
      read = record.read,
      expected = record.expected,
      owned = record.owned,
      count = record.count,
      id = record.id,
    })
    assert.equal("integer", math.type(record.count))
    assert.is_true(math.abs(record.opened_at - now) <= 2)
    assert.equal("float", math.type(record.age))
    assert.is_true(record.age >= 0 and record.age < 60)
    assert.equal("integer", math.type(record.unread))
    assert.is_true(record.unread > 0 and record.unread <= 65536)
  end)

  it("of an open response is not found by anything", function()
    local r <close> = assert(http.get(url))
    local record = leaks.open()[1]
    assert.is_nil(record.found)
    assert.is_nil(record.count)
    assert.equal(200, r.status)
  end)

  it("of a request that waits for its headers has no status", function()
    local server <close> = support.server():script { "request", "hold" }
    local task = coroutine.create(function() http.get(server.url) end)
    core.seat(task, function() coroutine.yield() end)
    assert(coroutine.resume(task))
    local record = leaks.open()[1]
    coroutine.close(task)
    assert.same({ "GET", "task" }, { record.method, record.opener })
    assert.is_nil(record.expected)
  end)

  it("is a sentence", function()
    local r <close> = assert(http.get(url))
    local line = here() - 1
    local text = tostring(leaks.open()[1])
    local begin = ("curlew: leak: GET %s opened at %s:%d, 200, read 0 of "
      .. "104857600 bytes, open "):format(url, FILE, line)
    assert.equal(begin, text:sub(1, #begin))
    assert.matches("^%d+%.%d s, still open", text:sub(#begin + 1))
    assert.equal(200, r.status)
  end)

  it("of a leak says who found it, and how to do it right", function()
    local function forget() http.get(url) end
    forget()
    assert.matches(" s, released by the collector; "
      .. "hint: local r <close> = http%.get%(%.%.%.%)$", tostring(last_leak()))
  end)

  local secrets = {
    ["a query"] = { "?token=secret&x", nil, "?..." },
    ["an option's query"] = { "", { query = { token = "secret" } }, "?..." },
    ["a fragment"] = { "#secret", nil, "" },
    ["a header"] = { "", { headers = { ["X-Key"] = "secret" } }, "" },
  }

  for name, case in pairs(secrets) do
    it("does not tell " .. name, function()
      local r <close> = assert(http.get(url .. case[1], case[2]))
      local record = leaks.open()[1]
      assert.equal(url .. case[3], record.url)
      assert.not_matches("secret", tostring(record))
      assert.equal(200, r.status)
    end)
  end

  it("does not tell userinfo", function()
    local with = url:gsub("//", "//name:secret@")
    local r <close> = assert(http.get(with))
    local record = leaks.open()[1]
    assert.equal(url, record.url)
    assert.not_matches("secret", tostring(record))
    assert.not_matches("name", tostring(record))
    assert.equal(200, r.status)
  end)

  -- Each opens one response and returns it with its line.
  local openers = {
    ["http.get"] = function()
      local r = http.get(url)
      return r, here() - 1
    end,
    ["http.get over several lines"] = function()
      local r = http.get(url, {
        timeout = 5,
      })
      return r, here() - 3
    end,
    ["http.get{url, ...}"] = function()
      local r = http.get { url, timeout = 5 }
      return r, here() - 1
    end,
    ["http.request"] = function()
      local r = http.request { url = url }
      return r, here() - 1
    end,
    ["client:get"] = function()
      local client = http.client()
      local r = client:get(url)
      return r, here() - 1
    end,
    ["client:request"] = function()
      local r = http.client():extend():request { url = url }
      return r, here() - 1
    end,
    ["pcall(http.get)"] = function()
      local _, r = pcall(http.get, url)
      return r, here() - 1
    end,
    ["assert(http.get)"] = function()
      local r = assert(http.get(url))
      return r, here() - 1
    end,
    ["a metamethod"] = function()
      local r, line
      local lazy = setmetatable({}, { __index = function()
        r = http.get(url)
        line = here() - 1
      end })
      return lazy.x or r, line
    end,
    ["a callback of string.gsub"] = function()
      local r, line
      local function open()
        r = http.get(url)
        line = here() - 1
      end
      string.gsub("x", "x", open)
      return r, line
    end,
    ["a coroutine"] = function()
      return coroutine.wrap(function()
        local r = http.get(url)
        return r, here() - 1
      end)()
    end,
    ["a coroutine that begins with http.get"] = function()
      local r = coroutine.wrap(http.get)(url)
      return r, 0
    end,
    ["a check function's caller"] = function()
      local r = http.get(url, { check = function() return true end })
      return r, here() - 1
    end,
  }

  for name, open in pairs(openers) do
    it("names the line that opened it, by " .. name, function()
      local r <close>, line = open()
      local expected = line == 0 and "?:0" or ("%s:%d"):format(FILE, line)
      assert.equal(expected, leaks.open()[1].site)
      assert.equal(200, r.status)
    end)
  end

  it("names the line that fetched it", function()
    local server <close> = support.server()
    server:reply(head(10) .. "half")
    local _, err = http.fetch(server.url)
    local line = here() - 1
    assert.equal(("%s:%d"):format(FILE, line), err.site)
  end)

  it("names main, coroutine or task as its opener #builtin", function()
    local found = {}
    local function open()
      local _ <close> = assert(http.get(url))
      found[#found + 1] = leaks.open()[1].opener
    end
    open()
    coroutine.wrap(open)()
    local task = coroutine.create(open)
    core.seat(task, function() repeat core.step() until core.ready() end)
    assert(coroutine.resume(task))
    assert.same({ "main", "coroutine", "task" }, found)
  end)

  it("cannot be confused by a url with a format in it", function()
    local r <close> = assert(http.get(nginx.http .. "/slow?%25s%25n"))
    assert.matches("/slow%?%.%.%. opened", tostring(leaks.open()[1]))
    assert.equal(200, r.status)
  end)

  it("of a very long url is cut", function()
    local server <close> = support.server()
    server:script { "request", { send = head(100000) }, "hold" }
    local long <close> = assert(http.get(server.url .. "/" .. bytes(4000)))
    local record = leaks.open()[1]
    assert.is_true(#record.url < 1000)
    assert.equal(200, long.status)
  end)
end)

describe("leaks.open", function()
  it("has what is open, oldest first", function()
    local url = support.nginx().http .. "/slow"
    local held, ids = {}, {}
    for i = 1, 5 do held[i] = assert(http.get(url)) end
    for i, record in ipairs(leaks.open()) do ids[i] = record.id end
    assert.equal(5, #ids)
    for i = 2, 5 do assert.equal(ids[1] + i - 1, ids[i]) end
    held[3]:close()
    local left = {}
    for i, record in ipairs(leaks.open()) do left[i] = record.id end
    assert.same({ ids[1], ids[2], ids[4], ids[5] }, left)
    for i = 1, 5 do held[i]:close() end
    assert.same({}, leaks.open())
  end)
end)

-- ---- in a process of its own: the ledger is empty there ----

describe("leaks.records", function()
  -- Runs a script that has `forget(n, path)` and prints; returns that.
  local function run(script)
    local kind, code, out, err = support.run([[
      local http = require "curlew"
      local leaks = require "curlew.leaks"
      local function forget(n, path)
        for _ = 1, n do local r = assert(http.get(arg[1] .. path)) end
        collectgarbage()
      end
      ]] .. script, { support.nginx().http })
    assert.same({ "exit", 0 }, { kind, code }, err)
    return out, err
  end

  it("count the leaks of one place", function()
    local out = run [[
      for i = 1, 3 do forget(1, "/slow") end
      forget(1, "/slow?other")
      local function elsewhere() assert(http.get(arg[1] .. "/slow")) end
      elsewhere() collectgarbage()
      for _, record in ipairs(leaks.records()) do print(record.count) end
    ]]
    assert.equal("1\n2\n3\n4\n1\n", out)
  end)

  it("are of one place when line, method and host are #plain", function()
    local out = run [[
      local function one(url) assert(http.get(url)) end
      one(arg[1] .. "/slow") collectgarbage()
      one(arg[1]:gsub("127%.0%.0%.1", "localhost") .. "/slow") collectgarbage()
      one(arg[1] .. "/slow") collectgarbage()
      for _, record in ipairs(leaks.records()) do print(record.count) end
    ]]
    assert.equal("1\n1\n2\n", out)
  end)

  it("keep the last 64, oldest first, and all are counted", function()
    local out = run [[
      forget(70, "/slow")
      local records = leaks.records()
      local ordered = true
      local ids = {}
      for i, record in ipairs(records) do ids[i] = record.id end
      table.sort(ids)
      print(#records, http.stats().leaked_by.gc, ids[1], ids[64])
      local counts = {}
      for i, record in ipairs(records) do counts[i] = record.count end
      for i = 2, 64 do ordered = ordered and counts[i] == counts[i - 1] + 1 end
      print(ordered, counts[1], counts[64])
    ]]
    local lines = {}
    for line in out:gmatch("[^\n]+") do lines[#lines + 1] = line end
    assert.equal("true\t7\t70", lines[2])
    assert.matches("^64\t70\t", lines[1])
  end)

  it("are empty in a program without leaks", function()
    local out, err = run [[
      for _ = 1, 3 do
        local r <close> = assert(http.get(arg[1] .. "/slow"))
        assert(http.fetch(arg[1] .. "/small"))
      end
      print(#leaks.records(), #leaks.open(), leaks.audit())
    ]]
    assert.equal("0\t0\ttrue\n", out)
    assert.equal("", err)
  end)
end)

describe("leaks.audit", function()
  it("finds a socket of curlew's that is another file by now", function()
    local _, code, out, err = support.run([[
      local http = require "curlew"
      local posix = require "posix_support"
      local before = posix.fds()
      local r = assert(http.get(arg[1] .. "/slow"))
      print(http.leaks.audit())
      local socket
      for fd, what in pairs(posix.fds()) do
        if before[fd] ~= what and what:find("socket", 1, true) then
          socket = fd
        end
      end
      posix.close(socket)
      local file = io.open("/dev/null") -- takes the lowest number: that one
      local kept, differences = http.leaks.audit()
      print(kept, #differences)
      print(posix.fds()[socket])
      print(differences[1]:find(tostring(socket), 1, true) ~= nil)
      os.exit(0)
    ]], { support.nginx().http })
    assert.equal(0, code, err)
    assert.equal("true\nnil\t1\n/dev/null\ntrue\n", out)
  end)

  it("finds a socket of curlew's that was closed", function()
    local _, code, out, err = support.run([[
      local http = require "curlew"
      local posix = require "posix_support"
      local before = posix.fds()
      local r = assert(http.get(arg[1] .. "/slow"))
      for fd, what in pairs(posix.fds()) do
        if before[fd] ~= what and what:find("socket", 1, true) then
          posix.close(fd)
        end
      end
      local kept, differences = http.leaks.audit()
      print(kept, #differences)
      os.exit(0)
    ]], { support.nginx().http })
    assert.equal(0, code, err)
    assert.equal("nil\t1\n", out)
  end)

  it("finds nothing wrong with idle connections", function()
    assert(http.fetch(support.nginx().http .. "/small"))
    assert.is_true(leaks.audit())
  end)
end)
