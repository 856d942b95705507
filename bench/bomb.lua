-- bomb: a body that is small as it comes and 1 GiB decoded.
--   bomb.lua SMALL_URL URL paused | read
-- paused: it is open and unread while other requests move the engine; read:
-- in pieces of 8 KiB, to the end. Prints the growth of peak memory in KiB.
local usage = dofile "bench/usage.lua"
local http = require "curlew"

local small, url, how = arg[1], arg[2], arg[3]
local OTHERS, PIECE, WHOLE = 200, 8192, 1 << 30

local function others()
  for _ = 1, OTHERS do assert(http.fetch(small)) end
end

local function read(r)
  local bytes, piece = 0, nil
  repeat
    bytes = bytes + (piece and #piece or 0)
    piece = r:read(PIECE)
  until not piece
  return bytes
end

others()
usage.forget_peak()
local before = usage.memory("VmRSS")
local r <close> = assert(http.get(url))
others()
if how == "read" then assert(read(r) == WHOLE) end
print(usage.memory("VmHWM") - before)
