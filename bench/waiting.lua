-- waiting: tasks that wait for the first byte of a body, or the two that each
-- consists of: as many such responses without a task, and as many coroutines
-- that are paused.
--   waiting.lua COUNT tasks | alone
-- Prints the CPU seconds and the memory in use, in KiB.
local usage = dofile "bench/usage.lua"
local http = require "curlew"
local posix = require "posix_support"

local count = tonumber(arg[1])

local server <close> = assert(posix.spawn { "build/bench/trickle",
  nofile = 8192 })
local url = "http://127.0.0.1:" .. server:read_line()

http.limits { max_open = count + 16 }

-- Then the server ends all of them.
local function report()
  collectgarbage()
  print(("%.6f %d"):format(usage.cpu(), usage.memory("VmRSS")))
  server:close_stdin()
end

local how = {}

function how.tasks()
  local there = 0
  local scope <close> = http.scope()
  for _ = 1, count do
    scope:spawn(function()
      local r <close> = assert(http.get(url))
      there = there + 1
      if there == count then scope:spawn(report) end
      assert(not r:read(1))
    end)
  end
  scope:wait()
end

function how.alone()
  local responses, paused = {}, {}
  for i = 1, count do
    responses[i] = assert(http.get(url))
    paused[i] = coroutine.create(function() coroutine.yield() end)
    assert(coroutine.resume(paused[i]))
  end
  report()
  for _, r in ipairs(responses) do r:close() end
end

how[arg[2]]()
