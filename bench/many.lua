-- many: GETs of tasks, so many at once, under the specs' scheduler of twenty
-- lines: the work that bench/many.c does without us. many.lua URL COUNT AT_ONCE
-- Prints the CPU seconds of the GETs.
local usage = dofile "bench/usage.lua"
local http = require "curlew"
local scheduler = require "spec.support.scheduler"

local url, count, at_once = arg[1], tonumber(arg[2]), tonumber(arg[3])
local left = count

local function work()
  while left > 0 do
    left = left - 1
    local r <close> = assert(http.get(url))
    assert(r:read("a"))
  end
end

local begun = usage.cpu()
do
  local loop <close> = scheduler()
  for _ = 1, at_once do loop.spawn(work) end
  loop.run()
end
local used = usage.cpu() - begun
assert(http.stats().opened == count)
print(("%.6f"):format(used))
