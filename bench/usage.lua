-- usage: what this process has used so far, as the kernel counts it.
package.cpath = os.getenv("CURLEW_BUILD") .. "/spec/?.so;" .. package.cpath
local posix = require "posix_support"

local usage = { cpu = os.clock, wall = posix.monotonic, nap = posix.nap }

--- A field of /proc/self/status in KiB: "VmRSS", or "VmHWM", its peak.
function usage.memory(field)
  for line in io.lines("/proc/self/status") do
    local kib = line:match("^" .. field .. ":%s*(%d+)")
    if kib then return tonumber(kib) end
  end
end

--- From here on the peak is another one.
function usage.forget_peak()
  local file <close> = assert(io.open("/proc/self/clear_refs", "w"))
  file:write("5")
end

return usage
