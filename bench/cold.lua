-- cold: a process that asks once, as `bench/floor URL 1 cold` does without us.
-- cold.lua URL
-- Prints the CPU seconds of the whole process, and its memory in KiB.
local http = require "curlew"
do
  local r <close> = assert(http.get(arg[1]))
  assert(r:read("a"))
end
local used = os.clock()
local usage = dofile "bench/usage.lua"
print(("%.6f %d"):format(used, usage.memory("VmRSS")))
