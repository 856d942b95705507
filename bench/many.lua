-- many: GETs by http.map, so many at once: the work that bench/many.c does
-- without us. many.lua URL COUNT AT_ONCE
-- Prints the CPU seconds of the GETs.
local usage = dofile "bench/usage.lua"
local http = require "curlew"

local url, count, at_once = arg[1], tonumber(arg[2]), tonumber(arg[3])

local function get(target)
  local r <close> = assert(http.get(target))
  return assert(r:read("a"))
end

local urls = {}
for i = 1, count do urls[i] = url end

local begun = usage.cpu()
for _, body, err in http.map(urls, get, { max = at_once }) do
  assert(body, err)
end
local used = usage.cpu() - begun
assert(http.stats().opened == count)
print(("%.6f"):format(used))
