-- upload: sends one large body, the work that bench/upload.c does without us:
--   upload.lua WARM_UP_URL URL BYTES file PATH | pieces SIZE
-- Prints the CPU seconds, the growth of peak memory in KiB, the seconds.
local usage = dofile "bench/usage.lua"
local http = require "curlew"

local warm_up, url, left, how, what = table.unpack(arg)
left = math.tointeger(left)
local options = { method = "PUT" }

if how == "file" then
  options.file = what
else
  local piece = ("x"):rep(math.tointeger(what))
  function options.body()
    left = left - #piece
    return left >= 0 and piece or nil
  end
end

assert(http.fetch(warm_up))
usage.forget_peak()
local before = usage.memory("VmRSS")
local wall, cpu = usage.wall(), usage.cpu()
local page = assert(http.fetch(url, options))
cpu, wall = usage.cpu() - cpu, usage.wall() - wall
assert(page.ok)
print(("%.6f %d %.6f"):format(cpu, usage.memory("VmHWM") - before, wall))
