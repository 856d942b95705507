-- streams: tasks that each read a slow stream, a chunk at a time.
-- streams.lua STREAMS CHUNKS: so many chunks in all, each on another stream
-- than the last one, and sent when that has been read.
-- Prints the CPU seconds of the chunks.
local usage = dofile "bench/usage.lua"
local http = require "curlew"
local posix = require "posix_support"

local streams, chunks = tonumber(arg[1]), tonumber(arg[2])

local server <close> = assert(posix.spawn { "build/bench/trickle",
  nofile = 8192 })
local url = "http://127.0.0.1:" .. server:read_line()

http.limits { max_open = streams + 16 }

local open, came, begun, used = 0, 0, nil, nil

-- All have had one before the count begins.
local function take_one()
  came = came + 1
  if came == streams then begun = usage.cpu() end
  if came < streams + chunks then return server:write("x") end
  used = usage.cpu() - begun
  server:close_stdin() -- it ends all of them
end

local function follow()
  local r <close> = assert(http.get(url))
  open = open + 1
  if open == streams then server:write("x") end
  for piece in r:chunks() do
    assert(#piece == 100)
    take_one()
  end
end

do
  local scope <close> = http.scope()
  for _ = 1, streams do scope:spawn(follow) end
  scope:wait()
end
assert(came == streams + chunks)
print(("%.6f"):format(used))
