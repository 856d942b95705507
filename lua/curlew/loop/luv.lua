--- luv: an adapter. The loop is luv's default one.
-- SPDX-License-Identifier: MIT

local uv = require "luv"

local luv = {}

local poll, timer -- made anew when a program has closed them

local function alive(handle) return handle and not handle:is_closing() end

function luv.arm(fd, seconds, step)
  if not alive(poll) then poll = uv.new_poll(fd) end
  if not alive(timer) then timer = uv.new_timer() end
  poll:start("r", step)
  if seconds then
    timer:start(math.ceil(seconds * 1000), 0, step)
  else
    timer:stop()
  end
end

function luv.disarm()
  if alive(poll) then poll:stop() end
  if alive(timer) then timer:stop() end
end

return luv
