--- cqueues: tasks are coroutines of the controller in which they are begun, and
-- may use whatever cqueues offers.
-- SPDX-License-Identifier: MIT

local condition = require "cqueues.condition"
local cqueues = require "cqueues"

local core = require "curlew.core"
local scheduler = require "curlew.scheduler"

local POLL = cqueues._POLL

-- [controller] = the coroutine in it that steps the engine while others wait.
local pumps = setmetatable({}, { __mode = "k" })

local function pump_of(controller)
  local pump = pumps[controller]
  if pump then return pump end
  pump = { waiters = 0, changed = condition.new(), events = "r" }
  pumps[controller] = pump
  return pump
end

-- The last one to leave has the pump end, and with it perhaps the controller.
local function leave(pump)
  pump.waiters = pump.waiters - 1
  if pump.waiters == 0 and pump.polls then pump.changed:signal() end
end

local function run(pump)
  while pump.waiters > 0 do
    pump.pollfd, pump.timeout = core.descriptor(), core.timeout()
    pump.polls = true
    cqueues.poll(pump, pump.changed)
    pump.polls = false
    core.step(0)
    scheduler.dispatch()
  end
  pump.runs = false
end

local function arm()
  local controller = cqueues.running()
  if not controller then return end -- who waits polls
  local pump = pump_of(controller)
  if pump.waiters == 0 then return end
  if not pump.runs then
    pump.runs = true
    controller:wrap(run, pump)
  elseif pump.polls then
    core.descriptor() -- tells it what has changed
    if (core.timeout() or math.huge) < (pump.timeout or math.huge) then
      pump.changed:signal()
    end
  end
end

-- ---- coroutines of the controller ----

local Paused = {}
Paused.__index = Paused

function Paused:wake() self.condition:signal() end

function Paused:__close()
  scheduler.expect(self.token, nil)
  leave(self.pump)
end

local function wait(token)
  local pump = pump_of(cqueues.running())
  local paused <close> = setmetatable({ token = token, pump = pump,
    condition = condition.new() }, Paused)
  pump.waiters = pump.waiters + 1
  scheduler.expect(token, paused)
  arm()
  paused.condition:wait()
end

local function waiter(yieldable)
  local controller, outermost = cqueues.running()
  if yieldable and controller and outermost then return wait end
  return nil
end

-- ---- tasks ----

-- A job in a coroutine of the controller, which passes on what the job asks of
-- cqueues: so it can be closed at any time.
local Hosted = setmetatable({}, { __index = scheduler.Job })
Hosted.__index = Hosted

function Hosted:wake()
  self.due = true
  self.condition:signal()
end

function Hosted:cancel(why)
  scheduler.Job.cancel(self, why)
  self.condition:signal()
end

local function without(what, ...)
  local kept = {}
  for i = 1, select("#", ...) do
    local one = select(i, ...)
    if one ~= what then kept[#kept + 1] = one end
  end
  return table.unpack(kept)
end

-- What cqueues has to say to it.
local function ask(job, what, ...)
  if what == POLL then
    return without(job.condition, cqueues.poll(job.condition, ...))
  end
  cqueues.sleep(0) -- a yield of its own
end

local function host(job)
  local request = table.pack()
  while not job.over do
    if job.token or job.arguments then -- it waits, or has not begun
      while not job.due and not job.over do job.condition:wait() end
      job.due = false
      if not job.over then request = table.pack(job:go_on()) end
    else
      local reply = table.pack(ask(job, table.unpack(request, 1, request.n)))
      if not job.over then
        request = table.pack(job:go_on(table.unpack(reply, 1, reply.n)))
      end
    end
  end
  leave(job.pump)
end

local function adopt(job)
  local controller = cqueues.running()
  if not controller then return end
  job.condition, job.pump = condition.new(), pump_of(controller)
  job.pump.waiters = job.pump.waiters + 1
  setmetatable(job, Hosted)
  controller:wrap(host, job)
end

local adapter = {}

function adapter.install()
  core.loop(waiter)
  scheduler.loop = { arm = arm, host = adopt }
end

return adapter
