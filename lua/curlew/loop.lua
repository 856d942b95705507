--- loop: event loops that do the waiting. An adapter tells curlew how.
-- SPDX-License-Identifier: MIT

local check = require "curlew.check"
local core = require "curlew.core"
local scheduler = require "curlew.scheduler"

local loop = {}

-- A coroutine of the loop's that waits; its variables close when it does.
local Paused = {}
Paused.__index = Paused

function Paused:__close()
  scheduler.expect(self.token, nil)
  self.waiting[self] = nil
  self.arm()
end

local woken -- the coroutine that Paused:wake resumes

-- An adapter that has no coroutines of its own: any that the main thread has
-- resumed may be paused. What it raises nobody waits for.
function Paused:wake()
  local thread, before = self.thread, woken
  woken = thread
  local ok, err = coroutine.resume(thread)
  woken = before
  if ok then return end
  coroutine.close(thread)
  scheduler.complain("a coroutine of the event loop", err)
end

local main = core.main

-- Whether the main thread or the loop has resumed the coroutine, by
-- coroutine.resume or a function of coroutine.wrap. A generator that another
-- coroutine calls must not be paused.
local function may_pause(thread)
  if thread == woken then return true end
  local frame = debug.getinfo(main, 0, "f")
  if not frame then return false end
  local _, first = debug.getlocal(main, 0, 1)
  local _, wrapped = debug.getupvalue(frame.func, 1)
  return first == thread or wrapped == thread
end

-- The seam for loops that call back: arm(fd, seconds, step), disarm().
local function by_callbacks(adapter)
  local waiting = {} -- [paused] = true
  local stepping = false
  local step

  local function arm()
    if stepping then return end
    if core.alive() > 0 or next(waiting) then
      local fd, seconds = core.descriptor(), core.timeout()
      if seconds == 0 then -- in its turn: a timer could come before all others
        core.rouse()
        seconds = nil
      end
      adapter.arm(fd, seconds, step)
    else
      adapter.disarm()
    end
  end

  -- Atomic, because an interrupt in the middle would leave 'stepping' set.
  step = core.atomic(function()
    stepping = true
    local ok, err = pcall(core.step, 0)
    if ok then ok, err = pcall(scheduler.dispatch) end
    stepping = false
    arm()
    if not ok then error(err, 0) end
  end)

  local function wait(token)
    local paused <close> = setmetatable({ token = token, waiting = waiting,
      arm = arm, thread = coroutine.running() }, Paused)
    waiting[paused] = true
    scheduler.expect(token, paused)
    arm()
    coroutine.yield()
  end

  core.loop(function(yieldable)
    local thread, is_main = coroutine.running()
    if is_main then
      return "outside a coroutine a call would stop the event loop"
    end
    if yieldable and may_pause(thread) then return wait end
    return nil
  end)
  scheduler.loop = { arm = arm }
end

local known = { cqueues = true, luv = true }

local function find(adapter)
  if known[adapter] then return require("curlew.loop." .. adapter) end
  if type(adapter) == "string" then
    core.raise(("loop: \"cqueues\", \"luv\" or an adapter expected, got \"%s\"")
      :format(adapter))
  elseif type(adapter) ~= "table" or type(adapter.arm) ~= "function" or
    type(adapter.disarm) ~= "function" then
    core.raise("loop: an adapter with functions arm and disarm expected, got "
      .. type(adapter))
  end
  return check.options("loop", adapter, { "arm", "disarm" })
end

--- @param adapter "cqueues", "luv", or a table:
-- `arm(fd, seconds, step)` has `step()` called once when the descriptor `fd` is
-- readable, or after so many seconds (nil: never); replaces what was armed.
-- `disarm()`: nobody waits, the loop may end.
function loop.install(adapter)
  adapter = find(adapter)
  if core.alive() > 0 then
    core.raise("loop: tasks are under way: it comes before the first of them")
  elseif scheduler.loop then
    core.raise("loop: there is one already")
  end
  if adapter.install then return adapter.install() end
  by_callbacks(adapter)
end

return loop
