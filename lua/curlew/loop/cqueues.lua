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
  pump = { waiting = {}, changed = condition.new(), events = "r" }
  pumps[controller] = pump
  return pump
end

-- Who waits and is told by the pump; entered and left as often as it may be: an
-- error between two instructions leaves no count that is wrong.
local function enter(pump, who) pump.waiting[who] = true end

-- Without anybody it ends, and the controller may.
local function leave(pump, who)
  pump.waiting[who] = nil
  if not next(pump.waiting) then pump.changed:signal() end
end

local function turns(pump)
  while next(pump.waiting) do
    pump.pollfd, pump.timeout = core.descriptor(), core.timeout()
    pump.polls = true
    cqueues.poll(pump, pump.changed)
    pump.polls = false
    core.step(0)
    scheduler.dispatch()
  end
end

-- An error in it is the controller's, and the next who waits has it run again.
local function run(pump)
  local ok, err = pcall(turns, pump)
  pump.runs, pump.polls = false, false
  if not ok then error(err, 0) end
end

local function arm()
  local controller = cqueues.running()
  if not controller then return end -- who waits polls
  local pump = pump_of(controller)
  if not next(pump.waiting) then return end
  if not pump.runs then
    controller:wrap(run, pump)
    pump.runs = true
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
  leave(self.pump, self)
end

local function wait(token)
  local pump = pump_of(cqueues.running())
  local paused <close> = setmetatable({ token = token, pump = pump,
    condition = condition.new() }, Paused)
  enter(pump, paused)
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

local LOST = { "cancelled", "its event loop has dropped it" }

-- A job runs where the controller's pump lets it go on: so in the order of all,
-- which is not that in which cqueues resumes. What the job asks of cqueues a
-- coroutine of the controller passes on: so it can be closed at any time.
local Hosted = setmetatable({}, { __index = scheduler.Job })
Hosted.__index = Hosted

function Hosted:wake()
  if self.lost then return self:cancel(LOST) end
  if pumps[cqueues.running()] ~= self.pump then -- another controller's pump
    self.due = true
  else
    self.request = table.pack(self:go_on())
    if self.token then return end -- it waits again
  end
  self.condition:signal()
end

function Hosted:cancel(why)
  scheduler.Job.cancel(self, why)
  if self.lost then return leave(self.pump, self) end
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

-- cqueues drops a coroutine that asks it for what cannot be, such as to poll a
-- closed descriptor, and closes nothing in it: the collector finds this.
local Guard = {}

function Guard:__gc()
  local job = self.job
  if job.over then return end
  job.lost, job.awaits = true, job.own
  scheduler.expect(job.own, job)
  core.ring(job.seat)
end

local function host(job)
  local guard = setmetatable({ job = job }, Guard)
  while not guard.job.over do
    if job.due then
      job.due = false
      job.request = table.pack(job:go_on())
    elseif job.token then -- it waits, or has not begun
      job.condition:wait()
    else
      local asked = job.request
      local reply = table.pack(ask(job, table.unpack(asked, 1, asked.n)))
      if not job.over then
        job.request = table.pack(job:go_on(table.unpack(reply, 1, reply.n)))
      end
    end
  end
  leave(job.pump, job)
end

local function adopt(job)
  local controller = cqueues.running()
  if not controller then return end
  job.condition, job.pump = condition.new(), pump_of(controller)
  enter(job.pump, job)
  setmetatable(job, Hosted)
  controller:wrap(host, job)
end

local adapter = {}

function adapter.install()
  core.loop(waiter)
  scheduler.loop = { arm = arm, host = adopt }
end

return adapter
