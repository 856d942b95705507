--- scheduler: jobs, the coroutines of tasks, and whose turn it is. Who waits
-- and is no task runs them meanwhile: it calls the core's driver before it
-- polls. An event loop does so through curlew.loop.
-- Any request for memory may raise: none is made between the end of a task and
-- the news of it.
-- An interrupt is an error that a debug hook raises at any instruction. The
-- state of jobs is therefore changed in atomic functions only: core.atomic runs
-- them on a thread that has no hook.
-- SPDX-License-Identifier: MIT

local core = require "curlew.core"
if core.once.scheduler then return core.once.scheduler end

local close, yield = coroutine.close, coroutine.yield
local ready, resume = core.ready, core.resume

local scheduler = {
  alive = {}, -- [job] = true: not over; the only one who holds some of them
  loop = nil, -- the event loop that is to learn of news
}

-- [token] = who waits for it, or has once: a table with a method `wake`, and
-- with the token as its `awaits` as long as it does. Weak: a coroutine of a
-- loop's may be dropped while it waits. Tokens come back, so an entry is left
-- for the next one: a table in which as many keys come as go is made anew at
-- each of them when it is full, as one of 64 is with 64 tasks.
local waiting = setmetatable({}, { __mode = "v" })

--- Who is called when the token has come up as ready.
function scheduler.expect(token, who)
  waiting[token] = who
  if who then who.awaits = token end
end

--- Wakes everybody who can go on; who can again by then has the next turn.
scheduler.dispatch = core.atomic(function()
  for token in ready do
    local who = waiting[token]
    if who and who.awaits == token then
      who.awaits = false
      who:wake()
    end
  end
end)

-- A seat in a list, for as long as somebody waits there.
local Place = {}
Place.__index = Place

function Place:__close()
  local seats = self.seats
  for i = 1, #seats do
    if seats[i] == self.seat then return table.remove(seats, i) end
  end
end

--- Waits for what may have come before the seat is in the list: a finalizer can
-- bring it about at any allocation.
-- @tparam table seats a list
-- @tparam function is_there called with what
function scheduler.await(seats, is_there, what)
  while not is_there(what) do
    local place <close> = setmetatable({ seats = seats, seat = (core.seat()) },
      Place)
    table.insert(seats, place.seat)
    if not is_there(what) then core.wait(place.seat) end
  end
end

--- Rings those who wait at these seats, and empties the list.
function scheduler.ring(seats)
  for i = 1, #seats do core.ring(seats[i]) end
  for i = #seats, 1, -1 do seats[i] = nil end
end

--- A warning of an error that nobody waits for. Never raises.
function scheduler.complain(what, err)
  local ok, text = pcall(tostring, err)
  pcall(warn, "curlew: ", what, ": ", ok and text or type(err))
end

-- ---- jobs ----

local Job = {}
Job.__index = Job
scheduler.Job = Job

local running -- the job that was resumed last

--- The job that runs.
function scheduler.running()
  if running and core.runs(running.seat) then return running end
  return nil
end

-- In a job's coroutine, when it has to wait.
local function wait(token, job)
  job.token, job.awaits, waiting[token] = token, token, job
  if scheduler.loop then scheduler.loop.arm() end
  yield()
end

-- The arguments wait on the coroutine's own stack.
local function begin(fn, ...)
  yield()
  return fn(...)
end

--- Makes a job, which runs when it is queued. The new coroutine inherits the
-- hook of the calling thread.
-- @tparam function fn
-- @tparam function ended called with the job when it is over
-- @param ... fn's arguments
function scheduler.job(fn, ended, ...)
  local job = setmetatable({ ended = ended, waiters = {}, over = false,
    token = false, awaits = false, doomed = false, told = false,
    cancelled = false, failed = false, keeps = false, seat = nil, own = nil,
    results = nil, thread = coroutine.create(begin) }, Job)
  job.seat, job.own = core.seat(job.thread, wait, job)
  job.token = job.own
  local over, _, err = resume(job.seat, job.thread, fn, ...)
  if over then error(err, 0) end -- raised by an inherited hook
  return job
end

--- Lets the event loop, if there is one, run the job in a coroutine of its own.
function scheduler.adopt(job)
  local host = scheduler.loop and scheduler.loop.host
  if host then host(job) end
end

--- It runs at the next turn.
function Job:queue()
  waiting[self.own] = self
  if not self.pump then scheduler.alive[self] = true end -- else its loop has it
  core.enlist(self.seat)
  self.token, self.awaits = self.own, self.own
  core.ring(self.seat)
  if scheduler.loop then scheduler.loop.arm() end
end

--- It stops here until somebody queues it. In its own coroutine.
function Job:pause()
  self.token = self.own
  yield()
end

local function went(self, before, over, ok, ...)
  running = before
  if over then
    self:finish(ok, ...)
  elseif self.doomed then
    self:cancel(self.doomed)
  end
  return ...
end

--- Runs it until it waits, yields or is over.
-- @return what it yields
function Job:go_on(...)
  local before = running
  running, self.token = self, false
  return went(self, before, resume(self.seat, self.thread, ...))
end

-- A yield of its own lets the others have a turn.
function Job:wake()
  self:go_on()
  if not self.over and not self.token then self:queue() end
end

local function is_over(job)
  job.over, job.awaits = true, false
  scheduler.alive[job] = nil
  core.dismiss(job.seat)
end

local function tell_ended(job)
  scheduler.ring(job.waiters)
  job:ended()
  job.told = true
  if scheduler.loop then scheduler.loop.arm() end
end

-- What dies by an error has not closed its variables yet.
local function fail(job, err)
  job.failed, job.err = true, err
  local closed, later = core.within(job.seat, close, job.thread)
  if not closed then job.err = later end
  core.drop(job.seat)
end

-- Responses that it does not return are released before memory is requested:
-- a collection would find them first, and count them as leaked.
local function succeed(job, ...)
  job.keeps = core.keep(job.seat, ...) > 0
  local packed, results = pcall(table.pack, ...)
  if packed then
    job.results = results
    return
  end
  job.failed, job.err, job.keeps = true, results, false
  core.drop(job.seat)
end

function Job:finish(ok, ...)
  is_over(self)
  if ok then
    succeed(self, ...)
  else
    fail(self, (...))
  end
  tell_ended(self)
end

--- Ends the job and closes its to-be-closed variables. A running job ends at
-- its next wait. To be called in atomic functions only.
-- @tparam table why what scheduler.error makes an error of
function Job:cancel(why)
  if self.told then return end
  if core.runs(self.seat) then
    self.doomed = self.doomed or why
    return
  end
  -- A job that is over but not reported: ending it failed half-way for want of
  -- memory.
  self.cancelled = self.cancelled or why
  is_over(self)
  local closed, err = core.within(self.seat, close, self.thread)
  core.drop(self.seat)
  tell_ended(self)
  if not closed then scheduler.complain("a task that was cancelled", err) end
end

--- Cancels a job; for callers that are not atomic.
scheduler.cancel = core.atomic(function(job, why) job:cancel(why) end)

--- The error that a reason stands for: { code, text, site = }; one with a site
-- is somebody's own, and has one error.
function scheduler.error(why)
  local err = why.err or core.ended(why[1], why[2])
  if why.site then why.err, err.site = err, why.site end
  return err
end

local function has_ended(job) return job.over end

--- Waits until it is over.
function Job:join() scheduler.await(self.waiters, has_ended, self) end

--- What it returned, which belongs to who runs from now on.
function Job:take()
  if self.cancelled then return nil, scheduler.error(self.cancelled) end
  if self.keeps then core.take(self.seat) end
  self.keeps = false
  return table.unpack(self.results, 1, self.results.n)
end

--- Releases what it returned and nobody has taken.
function Job:drop()
  if self.keeps then core.drop(self.seat) end
  self.keeps = false
end

core.driver(scheduler.dispatch)
core.once.scheduler = scheduler

return scheduler
