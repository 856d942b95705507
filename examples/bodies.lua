--- The status is looked at, the body is not read, and nobody closes it: the
-- mistake of every language, made here on purpose, and then not made.
--   lua5.4 examples/bodies.lua http://127.0.0.1:8080
-- The server has /small (a few bytes) and /big (many).
local http = require "curlew"

local server = arg[1] or "http://127.0.0.1:8080"

local function forget(n, url)
  for _ = 1, n do
    local r = assert(http.get(url))
    assert(r.status == 200)
  end
end

local function close(n, url)
  for _ = 1, n do
    local r <close> = assert(http.get(url))
    assert(r.status == 200)
  end
end

local function connections()
  local c = http.stats().connections
  return c.opened - c.closed
end

local row = "%6s  %-6s %12s %13s %12s %8s"

-- Runs one round from a clean start; returns how many it leaked.
local function round(request, n, name)
  collectgarbage()
  local before = http.stats()
  request(n, server .. "/" .. name)
  local open, held = http.stats().open, connections()
  collectgarbage()
  local after = http.stats()
  local leaked = after.leaked - before.leaked
  print(row:format(n, name, open, held, after.open, leaked))
  return leaked
end

local function rounds(title, request)
  print(("\n  %s\n"):format(title))
  print(row:format("calls", "body", "open at end", "connections",
    "after a GC", "leaked"))
  local leaked = 0
  for _, n in ipairs { 10, 100, 1000 } do
    leaked = leaked + round(request, n, "small") + round(request, n, "big")
  end
  return leaked
end

local forgotten = rounds("forgotten:   local r = http.get(url)", forget)
local closed = rounds("in a scope:  local r <close> = http.get(url)", close)

local stats = http.stats()
print(([[

  Never more than %d open at once, of at most %d: at the limit garbage is
  collected first (%d times here). A small body comes with its headers and
  holds nothing, so it cannot be forgotten.
  Forgotten and counted: %d. Closed by their scope: %d. Leaked by those: %d.
  Open now: %d.]]):format(stats.high_water, http.limits().max_open,
  stats.forced_collections, forgotten, stats.released_by.tbc, closed,
  stats.open))

local places = {}
for _, leak in ipairs(http.leaks.records()) do places[leak.site] = leak end
print("\n  Where they were opened:")
for site, leak in pairs(places) do
  print(("  %6d  %s  %s %s"):format(leak.count, site, leak.method, leak.url))
end
assert(http.leaks.audit())
