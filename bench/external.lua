--- What a large body costs: its time, and the peak of memory in bodies.
--   lua bench/external.lua SIZE [COUNT [HEAP [MODE]]]
-- SIZE and HEAP are in MiB. HEAP is what Lua's heap has besides, MODE is the
-- mode of the collector. nginx is started as in the specs.

local support = require "spec.support"
local http = require "curlew"

local MIB = 1024 * 1024
local size, count = tonumber(arg[1]) * MIB // 1, tonumber(arg[2] or 1)
local options = { headers = { range = ("bytes=0-%d"):format(size - 1) },
  max_body = size }

local heap, mode = {}, arg[4] or "incremental"
for i = 1, (tonumber(arg[3]) or 0) * MIB // 100 do heap[i] = { i } end
collectgarbage(mode)

local function peak()
  for line in io.lines("/proc/self/status") do
    local kib = line:match("^VmHWM:%s+(%d+)")
    if kib then return tonumber(kib) * 1024 end
  end
end

local url = support.nginx().http
assert(http.fetch(url .. "/small"))
collectgarbage()
local before, longest, start = peak(), 0, os.clock()
for _ = 1, count do
  local began = os.clock()
  assert(#assert(http.fetch(url .. "/1g", options)).body == size)
  longest = math.max(longest, os.clock() - began)
end
print(("%s, %g MiB x %d beside %d MiB, %s: CPU %.2f ms each, at most %.1f ms, "
  .. "peak %.1f bodies"):format(_VERSION, size / MIB, count, #heap * 100 // MIB,
  mode, (os.clock() - start) * 1000 / count, longest * 1000,
  (peak() - before) / size))
support.stop()
