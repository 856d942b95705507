--- max_open: no state holds more than it, whatever it forgets; who is told,
-- and what is collected when; the same for descriptors (EMFILE).

local support = require "spec.support"
local http = require "curlew"

local HERE = debug.getinfo(1, "S").short_src

local nginx

setup(function() nginx = support.nginx() end)

-- The state's limits during this test.
local function limited(finally, limits)
  local before = http.limits()
  finally(function() http.limits(before) end)
  http.limits(limits)
end

-- What is in it is closed at the end of its scope.
local function keeper()
  return setmetatable({}, { __close = function(list)
    for _, r in ipairs(list) do r:close() end
  end })
end

local function hold(list, n)
  for _ = 1, n do list[#list + 1] = assert(http.get(nginx.http .. "/big")) end
end

local PRELUDE = [[
local http = require "curlew"
local posix = require "posix_support"
local url = ...
local function count(name) return http.stats()[name] end
local function refused()
  local r, err = http.get(url)
  return r == nil and err.code == "too_many_open"
end
]]

-- What a script prints in an interpreter of its own: there the collector's
-- state and curlew's are known. `url` in it is a body of 100 MiB.
local function child(source)
  local kind, code, out, err = support.run(PRELUDE .. source,
    { nginx.http .. "/big" })
  assert.same({ "exit", 0 }, { kind, code }, err)
  return out
end

describe("A leaking loop", function()
  local HEAP = [[
local heap = {}
for i = 1, 160000 do heap[i] = { i } end
assert(collectgarbage("count") > 10 * 1024)
]]
  local ways = {
    ["with one client"] = "local c = http.client()\n"
      .. "local function leak() assert(c:get(url)) end\n",
    ["with a client a call"] =
      "local function leak() assert(http.client():get(url)) end\n",
    ["with the default client"] =
      "local function leak() assert(http.get(url)) end\n",
  }

  for name, way in pairs(ways) do
    it("of 2,000 beside a 10 MB heap stays within max_open #long, " .. name,
      function()
        assert.equal("256\ttrue\t2000\n", child(HEAP .. way .. [[
for _ = 1, 2000 do leak() end
local s = http.stats()
assert(#heap == 160000)
print(http.limits().max_open, s.high_water <= 256, s.opened)
]]))
      end)

    it("costs one collection a max_open #long, " .. name, function()
      assert.equal("62\n", child(way .. [[
collectgarbage("stop")
http.limits { max_open = 32 }
for _ = 1, 2000 do leak() end
print(count("forced_collections"))
]]))
    end)
  end

  it("never holds more than a max_open that was set #long", function()
    assert.equal("32\t32\n", child [[
collectgarbage("stop")
http.limits { max_open = 32 }
local most = 0
for _ = 1, 500 do
  assert(http.get(url))
  most = math.max(most, count("open"))
end
print(most, count("high_water"))
]])
  end)

  it("is known by its line", function()
    assert.equal("64\ttrue\n", child [[
local leaks = require "curlew.leaks"
collectgarbage("stop")
http.limits { max_open = 32 }
local line = debug.getinfo(1, "l").currentline + 1
for _ = 1, 200 do assert(http.get(url)) end
local same = true
for _, record in ipairs(leaks.records()) do
  same = same and record.site:match(":(%d+)$") == tostring(line)
end
print(#leaks.records(), same)
]])
  end)
end)

describe("At the limit", function()
  local FULL = [[
http.limits { max_open = 32 }
local held = {}
local function fill(n)
  for _ = 1, n do held[#held + 1] = assert(http.get(url)) end
end
local function empty()
  for _, r in ipairs(held) do r:close() end
  held = {}
end
]]

  it("nothing is collected when there is room", function()
    assert.equal("0\n", child(FULL .. [[
fill(32)
print(count("forced_collections"))
empty()
]]))
  end)

  it("one collection makes room of what is unreachable", function()
    assert.equal("1\t32\t1\n", child(FULL .. [[
collectgarbage("stop")
fill(32)
held = {}
fill(1)
print(count("forced_collections"), count("leaked"), count("open"))
empty()
]]))
  end)

  it("the collection is not repeated at each refusal", function()
    local n = tonumber(child(FULL .. [[
fill(32)
for _ = 1, 100 do assert(refused()) end
print(count("forced_collections"))
empty()
]]))
    assert.is_true(n >= 1 and n <= 8, n)
  end)

  it("the collection is repeated after at most 65 refusals", function()
    local n = tonumber(child(FULL .. [[
collectgarbage("stop")
fill(32)
for _ = 1, 1000 do assert(refused()) end
held = {}
local n = 0
while refused() do n = n + 1 end
print(n)
]]))
    assert.is_true(n <= 65, n)
  end)

  it("garbage is looked for again once slots were free", function()
    assert.equal("true\n", child(FULL .. [[
collectgarbage("stop")
fill(32)
for _ = 1, 5 do assert(refused()) end
empty()
fill(32)
held = {}
print(not refused())
]]))
  end)

  it("a refused request opens no connection and counts as none", function()
    assert.equal("0\t0\n", child(FULL .. [[
fill(32)
local before = http.stats()
for _ = 1, 10 do assert(refused()) end
local after = http.stats()
print(after.opened - before.opened,
  after.connections.opened - before.connections.opened)
empty()
]]))
  end)
end)

describe("too_many_open", function()
  it("is an error of the request's, before anything was "
    .. "sent #builtin", function()
    limited(finally, { max_open = 1 })
    local list <close> = keeper()
    hold(list, 1)
    local r, err = http.get(nginx.http .. "/small")
    assert.is_nil(r)
    assert.same({ "too_many_open", "request", "GET" },
      { err.code, err.phase, err.method })
  end)

  it("names the three oldest holders, the oldest first #builtin", function()
    limited(finally, { max_open = 5 })
    local list <close> = keeper()
    local line = debug.getinfo(1, "l").currentline
    list[1] = assert(http.get(nginx.http .. "/big"))
    list[2] = assert(http.get(nginx.http .. "/1g"))
    list[3] = assert(http.get(nginx.http .. "/slow"))
    hold(list, 2)
    local _, err = http.get(nginx.http .. "/small")
    local sites, urls = {}, {}
    for i, record in ipairs(err.holders) do
      sites[i], urls[i] = record.site, record.url
    end
    assert.same({ HERE .. ":" .. line + 1, HERE .. ":" .. line + 2,
      HERE .. ":" .. line + 3 }, sites)
    assert.same({ nginx.http .. "/big", nginx.http .. "/1g",
      nginx.http .. "/slow" }, urls)
  end)

  it("says of a holder how old it is and what is unread #builtin", function()
    limited(finally, { max_open = 1 })
    local list <close> = keeper()
    hold(list, 1)
    local _, err = http.get(nginx.http .. "/small")
    local record = err.holders[1]
    assert.equal(1, #err.holders)
    assert.is_nil(record.found)
    assert.same({ 200, 0, 100 * 1024 * 1024 },
      { record.status, record.read, record.expected })
    assert.is_true(record.age >= 0 and record.unread >= 0)
    assert.matches("still open", tostring(record), 1, true)
  end)

  it("passes over a holder that has gone #builtin", function()
    limited(finally, { max_open = 2 })
    local list <close> = keeper()
    hold(list, 1)
    list[1]:close()
    local line = debug.getinfo(1, "l").currentline + 1
    list[2] = assert(http.get(nginx.http .. "/big"))
    hold(list, 1)
    local _, err = http.get(nginx.http .. "/small")
    assert.equal(2, #err.holders)
    assert.equal(HERE .. ":" .. line, err.holders[1].site)
  end)

  it("is also fetch's, and another client's #builtin", function()
    limited(finally, { max_open = 1 })
    local list <close> = keeper()
    hold(list, 1)
    local client <close> = http.client()
    local _, by_fetch = http.fetch(nginx.http .. "/small")
    local _, by_client = client:get(nginx.http .. "/small")
    assert.same({ "too_many_open", "too_many_open" },
      { by_fetch.code, by_client.code })
  end)

  it("is what a check function gets that asks with the last "
    .. "slot #builtin", function()
    limited(finally, { max_open = 1 })
    local code
    local r <close> = assert(http.get(nginx.http .. "/big", {
      check = function()
        local _, err = http.get(nginx.http .. "/small")
        code = err.code
        return true
      end,
    }))
    assert.same({ 200, "too_many_open" }, { r.status, code })
  end)
end)

describe("A slot comes back", function()
  local ways = {
    ["when its response is closed"] = function()
      assert(http.get(nginx.http .. "/big")):close()
    end,
    ["at the end of its scope"] = function()
      local _ <close> = assert(http.get(nginx.http .. "/big"))
    end,
    ["at the end of its scope, by an error"] = function()
      pcall(function()
        local _ <close> = assert(http.get(nginx.http .. "/big"))
        error("something")
      end)
    end,
    ["at the end of its body"] = function(list)
      list[1] = assert(http.get(nginx.http .. "/65k"))
      assert.equal(65537, #list[1]:read("a"))
    end,
    ["when its client is closed"] = function(list)
      local client = http.client()
      list[1] = assert(client:get(nginx.http .. "/big"))
      client:close()
    end,
    ["when its status is refused"] = function()
      assert.is_nil(http.get(nginx.http .. "/status/404", { check = true }))
    end,
    ["when its body is too large"] = function(list)
      list[1] = assert(http.get(nginx.http .. "/big", { max_body = 70000 }))
      assert.is_nil((list[1]:text()))
    end,
    ["when there is no connection"] = function()
      local port = support.refused_port
      local url = ("http://127.0.0.1:%d/"):format(port)
      assert.is_nil((http.get(url)))
    end,
    ["when a check function raises"] = function()
      assert.is_false((pcall(http.get, nginx.http .. "/big",
        { check = function() error("something") end })))
    end,
    ["with a body that came with the headers"] = function(list)
      list[1] = assert(http.get(nginx.http .. "/small"))
    end,
    ["with a response that has no body"] = function(list)
      list[1] = assert(http.head(nginx.http .. "/big"))
    end,
  }

  for name, way in pairs(ways) do
    it(name, function()
      limited(finally, { max_open = 1 })
      local list <close> = keeper()
      way(list)
      local before = http.stats().forced_collections
      local r <close> = assert(http.get(nginx.http .. "/big"))
      assert.equal(200, r.status)
      assert.equal(before, http.stats().forced_collections)
    end)
  end

  it("once, when the response is moved and then closed #builtin", function()
    limited(finally, { max_open = 1 })
    local list <close> = keeper()
    hold(list, 1)
    local moved = list[1]:move()
    list[1] = moved
    local _, err = http.get(nginx.http .. "/small")
    moved:close()
    assert.equal("too_many_open", err.code)
    assert.equal(200, assert(http.fetch(nginx.http .. "/small")).status)
  end)
end)

describe("idle_connections", function()
  local HELD = [[
local small = url:gsub("big$", "small")
local function connections() return http.stats().connections end
local function held() return connections().opened - connections().closed end
-- An attempt to connect to ::1 would count as a connection that was closed.
local function fetch(url) return http.fetch(url, { ip = 4 }) end
local function burst(n)
  local urls = {}
  for i = 1, n do urls[i] = small end
  for _, page, err in http.map(urls, fetch, { max = 40 }) do
    assert(page, err)
  end
end
]]

  it("is how many stay when many come back at once", function()
    assert.equal("8\n8\n", child(HELD .. [[
http.limits { idle_connections = 8 }
burst(40)
print(held())
burst(16)
print(held())
]]))
  end)

  it("closes none of so many that the next requests take", function()
    assert.equal("0\n", child(HELD .. [[
http.limits { idle_connections = 40 }
burst(400)
print(connections().closed)
]]))
  end)

  it("may be none at all", function()
    assert.equal("0\n0\n", child(HELD .. [[
http.limits { idle_connections = 0 }
burst(40)
print(held())
http.fetch(small)
print(held())
]]))
  end)
end)

describe("limits", function()
  it("are 256 and 64 unless set", function()
    assert.equal("256\t64\n", child [[
local limits = http.limits()
print(limits.max_open, limits.idle_connections)
]])
  end)

  it("are set one by one, and those in force are returned", function()
    limited(finally, {})
    local before = http.limits()
    assert.same({ max_open = 7, idle_connections = before.idle_connections },
      http.limits { max_open = 7 })
    assert.same({ max_open = 7, idle_connections = 3 },
      http.limits { idle_connections = 3 })
    assert.same({ max_open = 7, idle_connections = 3 }, http.limits())
  end)

  it("take an integer as a float", function()
    limited(finally, { max_open = 32.0 })
    assert.equal("integer", math.type(http.limits().max_open))
  end)

  it("of no idle connection may be", function()
    limited(finally, { idle_connections = 0 })
    assert.equal(0, http.limits().idle_connections)
  end)

  it("below what is open close nothing, and let nothing in #builtin", function()
    limited(finally, { max_open = 3 })
    local list <close> = keeper()
    hold(list, 3)
    http.limits { max_open = 1 }
    list[1]:close()
    list[2]:close()
    local _, err = http.get(nginx.http .. "/small")
    assert.equal("too_many_open", err.code)
    assert.equal(5, #assert(list[3]:read(5)))
  end)

  local wrong = {
    ["a name that is none"] = { { max_opn = 1 }, "unknown limit 'max_opn'" },
    ["a list"] = { { 32 }, "unknown limit '1'" },
    ["a string"] = { { max_open = "32" }, "limit 'max_open'" },
    ["a boolean"] = { { max_open = false }, "limit 'max_open'" },
    ["a fraction"] = { { max_open = 1.5 }, "limit 'max_open'" },
    ["NaN"] = { { max_open = 0 / 0 }, "limit 'max_open'" },
    ["infinity"] = { { max_open = math.huge }, "limit 'max_open'" },
    ["none at all"] = { { max_open = 0 }, "limit 'max_open'" },
    ["a negative one"] = { { idle_connections = -1 },
      "limit 'idle_connections'" },
    ["one over a million"] = { { max_open = 1000001 }, "limit 'max_open'" },
    ["one over a million, of idle ones"] = { { idle_connections = 1000001 },
      "limit 'idle_connections'" },
  }

  for name, case in pairs(wrong) do
    it("are not " .. name, function()
      limited(finally, {})
      local line = debug.getinfo(1, "l").currentline + 1
      local ok, err = pcall(function() http.limits(case[1]) end)
      assert.is_false(ok)
      assert.matches(HERE .. ":" .. line .. ": " .. case[2], err, 1, true)
    end)
  end

  it("are not anything but a table", function()
    assert.error_matches(function() http.limits(32) end, "table expected")
  end)

  it("are left as they are when one of them is wrong", function()
    limited(finally, {})
    local before = http.limits()
    pcall(http.limits, { max_open = 7, idle_connections = -1 })
    pcall(http.limits, { max_open = 7, other = 1 })
    assert.same(before, http.limits())
  end)
end)

describe("Without a descriptor to be had", function()
  -- So many that the limit of descriptors comes before max_open.
  local SCARCE = [[
collectgarbage("stop")
assert(http.fetch((url:gsub("big$", "small"))))
posix.setrlimit("NOFILE", 40)
]]

  it("one collection makes room of what is unreachable", function()
    assert.equal("1\ttrue\ttrue\n", child(SCARCE .. [[
local n = 0
repeat
  assert(http.get(url))
  n = n + 1
until count("forced_collections") > 0 or n == 100
print(count("forced_collections"), n < 40, count("leaked") == n - 1)
]]))
  end)

  it("a loop that leaks goes on #long", function()
    assert.equal("500\n", child(SCARCE .. [[
for _ = 1, 500 do assert(http.get(url)) end
print(count("leaked") + count("open"))
]]))
  end)

  it("the error says so, whatever could not be opened", function()
    local out = child(SCARCE .. [[
local files = {}
for i = 1, 50 do files[i] = io.open("/dev/null") end
local _, err = http.fetch("http://127.0.0.1:1/")
local _, other = http.fetch("http://name.none/")
local _, file = http.fetch(url, { method = "PUT", file = "/etc/passwd" })
for _, f in ipairs(files) do f:close() end
print(err.code, err.phase, err)
print(other.code, other.phase, other)
print(file.code, file)
]])
    local lines = {}
    for line in out:gmatch("[^\n]+") do lines[#lines + 1] = line end
    assert.matches("^connect\tconnect\t.*out of file descriptors", lines[1])
    assert.matches("^resolve\tresolve\t.*out of file descriptors", lines[2])
    assert.matches("^file\t.*[Tt]oo many open files", lines[3])
  end)

  it("what is held is an error, and the law holds", function()
    assert.equal("connect\ttrue\ttrue\n", child(SCARCE .. [[
local held = {}
local r, err
repeat
  r, err = http.get(url)
  held[#held + 1] = r
until not r or #held == 100
local kept = require "curlew.leaks".audit()
held[1]:close()
r = http.get(url)
print(err.code, kept, r ~= nil)
if r then r:close() end
for _, one in ipairs(held) do one:close() end
]]))
  end)
end)

-- ---- in tasks ----

describe("At the limit a task", function()
  -- n tasks that each hold a response until `go` is called for it.
  local function queue_up(scope, n, options)
    local order, tasks = {}, {}
    for i = 1, n do
      tasks[i] = scope:spawn(function()
        local r <close> = assert(http.get(nginx.http .. "/big", options))
        order[#order + 1] = i
        coroutine.yield()
        return r.info.queued
      end)
    end
    return order, tasks
  end

  for name, case in pairs {
    max_open = { limits = { max_open = 1 } },
    per_host = { options = { per_host = 1 } },
  } do
    it("waits its turn, first in, first out: " .. name, function()
      if case.limits then limited(finally, case.limits) end
      local before = http.stats()
      local scope <close> = http.scope()
      local order, tasks = queue_up(scope, 9, case.options)
      assert.is_true(scope:wait())
      assert.same({ 1, 2, 3, 4, 5, 6, 7, 8, 9 }, order)
      assert.equal(0, tasks[1]:wait())
      assert.is_true(tasks[3]:wait() > 0)
      assert.equal(before.open, http.stats().open)
    end)
  end

  it("has as many places as there are", function()
    limited(finally, { max_open = 2 })
    local before = http.stats().open
    local scope <close> = http.scope()
    local most, tasks = 0, {}
    for i = 1, 6 do
      tasks[i] = scope:spawn(function()
        local r <close> = assert(http.get(nginx.http .. "/big"))
        most = math.max(most, http.stats().open - before)
        coroutine.yield()
        return r.info.queued > 0
      end)
    end
    local waited = {}
    for i = 1, 6 do waited[i] = tasks[i]:wait() end
    assert.same({ false, false, true, true, true, true }, waited)
    assert.equal(2, most)
  end)

  it("does not wait for who is at another origin's limit", function()
    local server <close> = support.server()
    -- no "hold": over HTTP/2 the second comes on the first's connection
    server:script { { loop = { "request", { send = "HTTP/1.1 200 OK\r\n"
      .. "Content-Length: 1000000\r\n\r\n" } } } }
    local mine <close> = assert(http.get(server.url, { per_host = 1 }))
    local scope <close> = http.scope()
    local stuck = scope:spawn(http.get, server.url, { per_host = 1 })
    local other = scope:spawn(http.fetch, nginx.http .. "/small",
      { per_host = 1 })
    assert.equal(200, other:wait().status)
    mine:close()
    local r <close> = assert(stuck:wait())
    assert.is_true(r.info.queued > 0)
  end)

  it("waits at most as long as for a connection", function()
    limited(finally, { max_open = 1 })
    local list <close> = keeper()
    local line = debug.getinfo(1, "l").currentline + 1
    list[1] = assert(http.get(nginx.http .. "/big"))
    local scope <close> = http.scope()
    local task = scope:spawn(http.get, nginx.http .. "/big",
      { timeout = { connect = 0.05 } })
    local r, err = task:wait()
    assert.is_nil(r)
    assert.same({ "too_many_open", "request", true },
      { err.code, err.phase, err.retryable })
    assert.matches("timeout.connect", err.message, 1, true)
    assert.equal(1, #err.holders)
    assert.equal(HERE .. ":" .. line, err.holders[1].site)
  end)

  it("waits no longer than its deadline", function()
    limited(finally, { max_open = 1 })
    local list <close> = keeper()
    hold(list, 1)
    local scope <close> = http.scope()
    local r, err = scope:spawn(http.get, nginx.http .. "/big",
      { deadline = 0.05 }):wait()
    assert.is_nil(r)
    assert.same({ "timeout", "request" }, { err.code, err.phase })
    assert.matches("deadline", err.message, 1, true)
  end)

  it("that is cancelled leaves its place to the next", function()
    limited(finally, { max_open = 1 })
    local list <close> = keeper()
    hold(list, 1)
    local scope <close> = http.scope()
    local first = scope:spawn(http.get, nginx.http .. "/big")
    local second = scope:spawn(http.get, nginx.http .. "/big")
    http.sleep(0) -- both are in the queue
    first:cancel()
    list[1]:close() -- the place is granted to the second
    local r <close> = assert(second:wait())
    assert.equal(200, r.status)
    assert.equal("cancelled", select(2, first:wait()).code)
  end)

  it("that is cancelled when it is its turn leaves it to the next", function()
    limited(finally, { max_open = 1 })
    local list <close> = keeper()
    hold(list, 1)
    local scope <close> = http.scope()
    local first = scope:spawn(http.get, nginx.http .. "/big")
    local second = scope:spawn(http.get, nginx.http .. "/big")
    http.sleep(0)
    list[1]:close() -- granted to the first, which has not run since
    first:cancel()
    local r <close> = assert(second:wait())
    assert.equal(200, r.status)
  end)

  it("learns that its client was closed", function()
    limited(finally, { max_open = 1 })
    local list <close> = keeper()
    hold(list, 1)
    local client = http.client()
    local scope <close> = http.scope()
    local task = scope:spawn(client.get, client, nginx.http .. "/big")
    http.sleep(0)
    client:close()
    assert.equal("cancelled", select(2, task:wait()).code)
  end)

  it("goes on when the limit is raised", function()
    limited(finally, { max_open = 1 })
    local list <close> = keeper()
    hold(list, 1)
    local scope <close> = http.scope()
    local task = scope:spawn(http.get, nginx.http .. "/big")
    http.sleep(0)
    http.limits { max_open = 2 }
    local r <close> = assert(task:wait())
    assert.equal(200, r.status)
  end)

  it("waits for a redirect's next hop, too", function()
    limited(finally, { max_open = 1 })
    local scope <close> = http.scope()
    local tasks = {}
    for i = 1, 3 do
      tasks[i] = scope:spawn(http.fetch, nginx.http .. "/status/302")
    end
    for i = 1, 3 do assert(tasks[i]:wait()) end
  end)

  it("in which a generator asks fails at once, as others do", function()
    limited(finally, { max_open = 1 })
    local list <close> = keeper()
    hold(list, 1)
    local scope <close> = http.scope()
    local code = scope:spawn(function()
      local generate = coroutine.wrap(function()
        coroutine.yield(select(2, http.get(nginx.http .. "/big")).code)
      end)
      return generate()
    end):wait()
    assert.equal("too_many_open", code)
  end)
end)
