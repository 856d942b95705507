-- leak: forgets large responses in a loop, beside 30 MB of live Lua values:
-- leak.lua BIG_URL COUNT. Prints the most that were ever open at once, the
-- limit, and how often a collection was forced.
local http = require "curlew"

local url, count = arg[1], tonumber(arg[2])

local live = {}
while collectgarbage("count") < 30 * 1024 do
  live[#live + 1] = { name = ("value %d"):format(#live) }
end

for _ = 1, count do
  local r = assert(http.get(url))
  assert(r.status == 200)
end

local stats = http.stats()
assert(stats.opened >= count and #live > 0)
print(stats.high_water, http.limits {}.max_open, stats.forced_collections)
