-- fair: small GETs in one task beside a large stream in another, on the core's
-- seam for schedulers. fair.lua SMALL_URL BIG_URL
-- Prints the most bytes of the stream that were read in a turn in which the
-- GETs had something to do, and how many turns those were.
package.cpath = os.getenv("CURLEW_BUILD") .. "/spec/?.so;" .. package.cpath
local core = require "curlew.core"
local http = require "curlew"

local small, big = arg[1], arg[2]
local client = http.client { tls = { ca = os.getenv "BENCH_CA" } }

local waiting, read, gone, gets = {}, 0, false, 0

local function wait(token)
  waiting[token] = coroutine.running()
  coroutine.yield()
end

local function spawn(f)
  local task = coroutine.create(f)
  core.seat(task, wait)
  assert(coroutine.resume(task))
  return task
end

spawn(function()
  for piece in client:chunks(big) do read = read + #piece end
  gone = true
end)

local getter = spawn(function()
  while not gone do
    local r <close> = assert(client:get(small))
    assert(#r:read("a") == 1024)
    gets = gets + 1
  end
end)

local function turn()
  local before, theirs = read, false
  core.step()
  for token in core.ready do
    local task = waiting[token]
    waiting[token] = nil
    theirs = theirs or task == getter
    if task then assert(coroutine.resume(task)) end
  end
  return theirs, read - before
end

local most, turns = 0, 0
while next(waiting) do
  local theirs, bytes = turn()
  if theirs then most, turns = math.max(most, bytes), turns + 1 end
end
assert(gone and gets > 0)
print(most, turns)
