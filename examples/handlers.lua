--- The service that curlew was made for: each handler asks upstream, looks at
-- the status and is done. Many run at once; the forgetful version and the right
-- one, in coroutines of an event loop's own and in a scope.
--   lua5.4 examples/handlers.lua [builtin|cqueues|luv] [n] [server]
-- n handlers at once (10, then 1000). The server has /big (many bytes).
local http = require "curlew"

local wait, server = arg[1] or "builtin", arg[3] or "http://127.0.0.1:8080"
local counts = { tonumber(arg[2]) }
if #counts == 0 then counts = { 10, 1000 } end

-- ---- the handlers ----

local url = server .. "/big"

local function forgetful()
  local r, err = http.get(url)
  return r and r.status, err
end

local function right()
  local r <close>, err = http.get(url)
  return r and r.status, err
end

-- ---- what does the waiting ----

if wait ~= "builtin" then http.loop(wait) end

-- Each calls f in n coroutines as its event loop has them, until all are over.
local loops = {}

function loops.builtin(f, n) -- no loop: such a coroutine polls
  for _ = 1, n do coroutine.wrap(f)() end
end

function loops.cqueues(f, n)
  local controller = require("cqueues").new()
  for _ = 1, n do controller:wrap(f) end
  assert(controller:loop())
end

function loops.luv(f, n)
  for _ = 1, n do coroutine.wrap(f)() end
  require("luv").run()
end

local run = loops[wait]

-- The same under each of them: one coroutine has a scope, with n tasks.
local function run_in_scope(f, n)
  run(function()
    local scope <close> = http.scope()
    for _ = 1, n do scope:spawn(f) end
    scope:wait()
  end, 1)
end

-- ---- the counts ----

local function show(...)
  print((("%-22s %15s %12s %16s %12s %7s"):format(...):gsub(" +$", "")))
end

local function held()
  local stats = http.stats()
  local connections = stats.connections
  return stats.open, connections.opened - connections.closed
end

local refused = 0

local function counted(handler)
  return function()
    local status, err = handler()
    if status then return end
    if err.code ~= "too_many_open" then error(err) end
    refused = refused + 1
  end
end

-- From a clean start; returns how many it leaked.
local function round(title, how, handler, n)
  collectgarbage()
  local before = http.stats().leaked
  how(counted(handler), n)
  local open, connections = held()
  collectgarbage()
  local leaked = http.stats().leaked - before
  local still_open, still_connected = held()
  show(title, open, connections, still_open, still_connected, leaked)
  return leaked
end

local function rounds(n)
  print(("\n%d handlers at once, wait: %s\n"):format(n, wait))
  show("", "at their end:", "", "after a GC:", "", "")
  show("", "open", "connections", "open", "connections", "leaked")
  if n == 10 or n == 1000 then -- as the service was counted
    local goroutines = ("%d goroutines"):format(2 * n + 1)
    show("Go, forgotten", goroutines, n, goroutines, n, "?")
  end
  round("forgotten, no scope", run, forgetful, n)
  return round("forgotten, in a scope", run_in_scope, forgetful, n)
    + round("closed, in a scope", run_in_scope, right, n)
end

local in_scopes = 0
for _, n in ipairs(counts) do in_scopes = in_scopes + rounds(n) end

local stats = http.stats()
print(([[

Never more than %d open, of at most %d; refused at the limit: %d.
Leaked in scopes: %d. Open now: %d. The leaks were opened at:]]):format(
  stats.high_water, http.limits().max_open, refused, in_scopes, stats.open))
local places = {}
for _, leak in ipairs(http.leaks.records()) do places[leak.site] = leak end
for site, leak in pairs(places) do
  print(("%6d  %s  %s %s"):format(leak.count, site, leak.method, leak.url))
end
assert(http.leaks.audit())
