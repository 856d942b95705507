--- The examples that run many at once do what they say, with small figures.

local support = require "spec.support"
local http = require "curlew"

local WAITS = { "builtin" }
for _, rock in ipairs { "cqueues", "luv" } do
  if support.has_rock(rock) then WAITS[#WAITS + 1] = rock end
end

-- What examples/handlers.lua prints for n handlers of one server.
local function handlers(wait, n, url)
  local kind, code, out, err = support.run(
    'dofile("examples/handlers.lua")', { wait, tostring(n), url, seconds = 30 })
  assert.same({ "exit", 0 }, { kind, code }, err)
  return out, err
end

-- The figures of one row, in order.
local function figures(out, title)
  local list = {}
  local row = out:match(title:gsub("%p", "%%%0") .. "([%d ]+)\n")
  for figure in row:gmatch("%d+") do list[#list + 1] = tonumber(figure) end
  return list
end

for _, wait in ipairs(WAITS) do
  describe("The service, under " .. wait .. ",", function()
    it("leaves nothing in a scope, and tells what was forgotten", function()
      local nginx = support.nginx()
      local out, err = handlers(wait, 20, nginx.http)
      assert.same({ 20, 20, 0, 0, 20 }, figures(out, "forgotten, no scope"))
      assert.same({ 0, 0, 0, 0, 0 }, figures(out, "forgotten, in a scope"))
      assert.same({ 0, 0, 0, 0, 0 }, figures(out, "closed, in a scope"))
      assert.matches("Never more than 20 open", out)
      assert.matches("20  examples/handlers%.lua:%d+  GET", out)
      assert.matches("20 of 60 responses leaked", err)
    end)

    it("never holds more than it may", function()
      local nginx = support.nginx()
      local out = handlers(wait, 300, nginx.http)
      local most = math.tointeger(out:match("Never more than (%d+) open"))
      assert.equal(http.limits().max_open, most)
      assert.same({ 0, 0, 0, 0, 0 }, figures(out, "closed, in a scope"))
    end)
  end)
end

-- A child that serves until it is closed.
local function start_proxy(upstream)
  local child = assert(support.posix.spawn { support.lua, "examples/proxy.lua",
    upstream, patience = 15, stderr = true })
  return setmetatable({ url = child:read_line() },
    { __close = function() child:close() end })
end

local function held(url) return assert(http.fetch(url .. "/held")).body end

-- Asks until it holds so many; as long as a peer of the specs is waited for.
local function has_open(url, n)
  local last = support.posix.monotonic() + 15
  local wanted = ("\n%d open\n"):format(n)
  while true do
    local text = "\n" .. held(url)
    if text:find(wanted, 1, true) then return true end
    if support.posix.monotonic() > last then return false, text end
  end
end

if support.has_rock "cqueues" then -- which the example is written with

describe("The proxy", function()
  local nginx, server

  setup(function() nginx = support.nginx() end)
  before_each(function() server = support.server() end)
  after_each(function() server:close() end)

  it("passes on what comes, with its status and header lines", function()
    server:reply("HTTP/1.1 404 Gone Fishing\r\nX-A: 1\r\nX-A: 2\r\n"
      .. "Content-Length: 4\r\n\r\nfish")
    local proxy <close> = start_proxy(server.url)
    local page = assert(http.fetch(proxy.url .. "/pond?a=b"))
    assert.matches("^GET /pond%?a=b HTTP/1.1\r\n", server:request())
    assert.same({ 404, "Gone Fishing", "1, 2", "fish" },
      { page.status, page.reason, page.headers["x-a"], page.body })
  end)

  it("does not pass on a body that is cut as a whole one", function()
    server:reply("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
      .. "4\r\nhalf\r\n")
    local proxy <close> = start_proxy(server.url)
    local page, err = http.fetch(proxy.url .. "/")
    assert.is_nil(page)
    assert.equal("truncated", err.code)
  end)

  it("says that its upstream is not there", function()
    local proxy <close> = start_proxy("http://127.0.0.1:"
      .. support.refused_port)
    local page = assert(http.fetch(proxy.url .. "/"))
    assert.same({ 502, "connect\n" }, { page.status, page.body })
  end)

  it("holds 64 KiB of a large body, whatever its client takes", function()
    local proxy <close> = start_proxy(nginx.http)
    local r <close> = assert(http.get(proxy.url .. "/big"))
    local most = 0
    for _ = 1, 100 do
      assert.equal(100000, #r:read(100000))
      local now = held(proxy.url):match("(%d+) held")
      most = math.max(most, math.tointeger(now))
    end
    assert.is_true(most > 0 and most <= 80 * 1024, tostring(most))
  end)

  it("releases a body in the middle when its client goes away", function()
    local proxy <close> = start_proxy(nginx.http)
    do
      local r <close> = assert(http.get(proxy.url .. "/big"))
      assert.is_true(has_open(proxy.url, 1))
      assert.equal(200, r.status)
    end
    assert.is_true(has_open(proxy.url, 0))
  end)

  it("does so while nothing comes from upstream", function()
    server:script { "request", { send = "HTTP/1.1 200 OK\r\n"
      .. "Content-Length: 100000\r\n\r\nx" }, "hold" }
    local proxy <close> = start_proxy(server.url)
    do
      local r <close> = assert(http.get(proxy.url .. "/"))
      assert.equal("x", r:read(1))
    end
    server:closed(1)
    assert.is_true(has_open(proxy.url, 0))
  end)

  it("gives its request up when its client goes away before", function()
    server:script { "request", "hold" }
    local proxy <close> = start_proxy(server.url)
    local scope <close> = http.scope()
    local task = scope:spawn(http.get, proxy.url .. "/")
    repeat http.sleep(0) until #server:requests() == 1
    task:cancel()
    server:closed(1)
    assert.is_true(has_open(proxy.url, 0))
  end)
end)

end
