-- body: takes one large body, the work that bench/body.c does without us:
--   body.lua WARM_UP_URL URL BUFFER discard | text | file PATH | lines
--   body.lua WARM_UP_URL URL BUFFER download PATH [SHA256]
--   body.lua - PATH - io: the lines of a file, by Lua itself
-- Prints the CPU seconds, the growth of peak memory in KiB, the seconds.
local usage = dofile "bench/usage.lua"

local warm_up, url, how, path = arg[1], arg[2], arg[4], arg[5]
local http = how ~= "io" and require "curlew"
local options = { buffer = tonumber(arg[3]) }

local function count_lines(iterator, ...)
  local bytes = 0
  for line in iterator, ... do bytes = bytes + #line + 1 end
  return bytes
end

local take = {}

function take.discard()
  local bytes = 0
  for piece in http.chunks(url, options) do bytes = bytes + #piece end
  return bytes
end

function take.text()
  local r <close> = assert(http.get(url, options))
  return #assert(r:text())
end

function take.file()
  local r <close> = assert(http.get(url, options))
  return assert(r:save(path)).bytes
end

function take.download()
  local file = assert(http.download(url, path,
    { buffer = options.buffer, sha256 = arg[6] }))
  return file.bytes
end

function take.lines() return count_lines(http.lines(url, options)) end
function take.io() return count_lines(io.lines(url)) end

if http then assert(http.fetch(warm_up)) end
usage.forget_peak()
local before = usage.memory("VmRSS")
local wall, cpu = usage.wall(), usage.cpu()
local bytes = take[how]()
cpu, wall = usage.cpu() - cpu, usage.wall() - wall
assert(bytes > 0)
print(("%.6f %d %.6f"):format(cpu, usage.memory("VmHWM") - before, wall))
