--- busted's helper: what holds over the whole suite.
-- Loads the support and curlew once, before busted's insulation begins, so
-- that all files share them. After every test that has passed so far: the
-- leak law (`leaks.audit`), no more open responses than before, and the same
-- descriptors, but for the sockets of curlew's own idle pool. What is wrong
-- is an error of that very test. At the end of the suite nginx is stopped.
-- CURLEW_RESTLESS=1: the collector never rests while a test runs.

local busted = require("busted")

if not package.searchpath("spec.support", package.path) then
  package.path = package.path .. ";./?.lua;./?/init.lua"
end

local support = require("spec.support")
local over = require("spec.support.over")
local wait = require("spec.support.wait")
local posix = support.posix

local TRIES = 20 -- with naps of up to 100 ms: a resolver's thread may linger

local function load_curlew()
  if over.transport then over.install(support.certificates().ca) end
  local found, http = pcall(require, "curlew")
  if not found then
    if package.searchpath("curlew", package.path) then
      io.stderr:write("curlew is there and does not load: ", http, "\n")
    end
    return nil
  end
  for _, name in ipairs({ "shape", "page", "leaks" }) do
    pcall(require, "curlew." .. name)
  end
  return http, package.loaded["curlew.leaks"]
end

-- One request that fails at once, so that what the engine makes lazily and
-- keeps (its wake-up descriptors) is there before the first test.
local function warm_up(http)
  local port = support.refused_port
  pcall(http.fetch or http.get, ("http://127.0.0.1:%d/"):format(port))
  collectgarbage()
  collectgarbage()
end

local http, leaks = load_curlew()
if http then
  wait.install(http)
  wait.run(warm_up, http)
end
wait.wrap_around(busted)

local is_restless = os.getenv("CURLEW_RESTLESS") == "1"

local function set_parameter(name, value)
  if _VERSION == "Lua 5.4" then return collectgarbage("set" .. name, value) end
  collectgarbage("param", name, value)
end

-- With a pause of 0 each allocation makes a full collection. The pause holds
-- from the end of a collection on.
local function set_pause(percent)
  if not is_restless then return end
  collectgarbage("incremental")
  set_parameter("pause", percent)
  set_parameter("stepmul", 400)
  collectgarbage()
end

-- ---- before and after ----

-- The connections that curlew holds, used or idle.
local function held()
  local count = http and http.stats().connections
  return count and count.opened - count.closed or 0
end

local function open_responses() return http and http.stats().open or 0 end

local function snapshot()
  return { fds = posix.fds(), held = held(), open = open_responses() }
end

local function is_socket(target) return target:find("^socket:") ~= nil end

-- The engine's: made when it first watches many descriptors, and kept.
local epoll

local function is_engines(fd, target)
  if target ~= "anon_inode:[eventpoll]" then return false end
  epoll = epoll or fd
  return epoll == fd
end

-- Sockets are counted, everything else has to be what it was.
local function compare_fds(before, after, wrong)
  local more = 0
  for fd, target in pairs(after) do
    if is_socket(target) then
      more = more + 1
    elseif before[fd] ~= target and not is_engines(fd, target) then
      wrong[#wrong + 1] = ("descriptor %d is new: %s"):format(fd, target)
    end
  end
  for fd, target in pairs(before) do
    if is_socket(target) then
      more = more - 1
    elseif after[fd] ~= target then
      wrong[#wrong + 1] = ("descriptor %d is gone: %s"):format(fd, target)
    end
  end
  return more
end

local function descriptor_faults(before, after)
  local wrong = {}
  local more = compare_fds(before.fds, after.fds, wrong)
  local explained = after.held - before.held
  if more ~= explained then
    wrong[#wrong + 1] = ("%+d sockets, but curlew's connections are %+d")
      :format(more, explained)
  end
  return wrong
end

local function texts(list)
  local out = {}
  for i, value in ipairs(list or {}) do
    out[i] = type(value) == "table" and value.site or tostring(value)
  end
  return table.concat(out, ", ")
end

local function law_faults()
  if not (leaks and leaks.audit) then return {} end
  local kept, differences = leaks.audit()
  if kept then return {} end
  if type(differences) == "table" then differences = texts(differences) end
  return { "the law is broken: " .. tostring(differences) }
end

local function response_faults(before, after, expected)
  local more = after.open - before.open
  if more == expected then return {} end
  local holders = leaks and leaks.open and texts(leaks.open()) or ""
  return { ("%+d open responses: %s"):format(more, holders) }
end

local function faults(before, declared)
  local after = snapshot()
  local all = law_faults()
  local lists = { response_faults(before, after, declared.open or 0) }
  if declared.descriptors ~= false then
    lists[2] = descriptor_faults(before, after)
  end
  for _, list in ipairs(lists) do table.move(list, 1, #list, #all + 1, all) end
  return all
end

local function check(before)
  local declared = support.declared()
  local found = faults(before, declared)
  if #found == 0 then return end -- a collection would cost more than most tests
  for try = 1, TRIES do
    collectgarbage()
    collectgarbage()
    found = faults(before, declared)
    if #found == 0 then return end
    posix.nap(math.min(0.001 * 2 ^ try, 0.1))
  end
  error("left behind by this test:\n  " .. table.concat(found, "\n  "), 0)
end

-- ---- busted ----

-- A test's `finally` belongs to the test: it runs before the check. When the
-- test fails, busted runs it, and there is no check.
local function catch_finally(element)
  local caught
  local register = element.env and element.env.finally
  if not register then return function() end end
  local function once()
    local fn = caught
    caught = nil
    if fn then wait.run(fn) end
  end
  element.env.finally = function(fn)
    caught = fn
    register(once)
  end
  return once
end

-- A test that fails is not checked. What it leaves behind is collected before
-- the next test, which is not to blame for it.
local failed = false

local function begin()
  if failed then
    collectgarbage()
    collectgarbage()
  end
  failed = true
  return snapshot()
end

busted.subscribe({ "test", "start" }, function(element)
  local run = element.run
  local finish = catch_finally(element)
  support.declared()
  element.run = function(...)
    local before = begin()
    set_pause(0)
    wait.run(run, ...)
    finish()
    failed = false
    set_pause(200)
    check(before)
  end
  return nil, true
end)

busted.subscribe({ "suite", "end" }, function()
  support.stop()
  return nil, true
end)
