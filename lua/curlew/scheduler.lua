--- scheduler: jobs, the coroutines of tasks, and whose turn it is. Who waits
-- and is no task runs them meanwhile: it calls the core's driver before it
-- polls. An event loop does so through curlew.loop.
-- SPDX-License-Identifier: MIT

local core = require "curlew.core"

local close, status, yield = coroutine.close, coroutine.status, coroutine.yield
local ready, resume = core.ready, core.resume

local scheduler = {
  alive = {}, -- [job] = true: not over; the only one who holds some of them
  count = 0, -- of them
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

--- Wakes everybody who can go on.
function scheduler.dispatch()
  local due, n = {}, 0 -- who goes on may be ready again at once: next time
  for token in ready do
    n = n + 1
    due[n] = token
  end
  for i = 1, n do
    local token = due[i]
    local who = waiting[token]
    if who and who.awaits == token then
      who.awaits = false
      who:wake()
    end
  end
end

-- ---- jobs ----

local Job = {}
Job.__index = Job
scheduler.Job = Job

local running -- the job that runs

function scheduler.running() return running end

-- In a job's coroutine, when it has to wait.
local function wait(token, job)
  job.token, job.awaits, waiting[token] = token, token, job
  if scheduler.loop then scheduler.loop.arm() end
  yield()
end

--- Makes a job; it begins when somebody waits.
-- @tparam function fn
-- @tparam function ended called with the job when it is over
-- @param ... fn's arguments
function scheduler.job(fn, ended, ...)
  local job = setmetatable({ ended = ended, over = false, awaits = false,
    arguments = false, doomed = false, token = false, thread = nil, seat = nil,
    own = nil, results = nil, keeps = false }, Job)
  job.thread = coroutine.create(fn)
  job.seat, job.own = core.seat(job.thread, wait, job)
  job.arguments = table.pack(...)
  scheduler.alive[job] = true
  scheduler.count = scheduler.count + 1
  if scheduler.count == 1 then core.driver(scheduler.dispatch) end
  local host = scheduler.loop and scheduler.loop.host
  if host then host(job) end
  return job
end

--- It runs at the next turn.
function Job:queue()
  self.token, self.awaits, waiting[self.own] = self.own, self.own, self
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
  local before, arguments = running, self.arguments
  running, self.token = self, false
  if arguments then
    self.arguments = false
    return went(self, before, resume(self.seat, self.thread,
      table.unpack(arguments, 1, arguments.n)))
  end
  return went(self, before, resume(self.seat, self.thread, ...))
end

-- A yield of its own lets the others have a turn.
function Job:wake()
  self:go_on()
  if not self.over and not self.token then self:queue() end
end

local function is_over(job)
  job.over, scheduler.alive[job] = true, nil
  scheduler.count = scheduler.count - 1
  if scheduler.count == 0 then core.driver(nil) end
end

local function tell_ended(job)
  job:ended()
  for _, seat in ipairs(job.waiters or {}) do core.ring(seat) end
  job.waiters = nil
  if scheduler.loop then scheduler.loop.arm() end
end

-- What dies by an error has not closed its variables yet.
function Job:finish(ok, ...)
  is_over(self)
  if ok then
    self.results = table.pack(...)
    self.keeps = core.keep(self.seat, ...) > 0
  else
    local _
    self.failed = true
    _, self.err = core.within(self.seat, close, self.thread)
    core.drop(self.seat)
  end
  tell_ended(self)
end

--- Ends it, with its to-be-closed variables; one that runs, when it waits next.
-- @tparam error why what waiters get
function Job:cancel(why)
  if self.over then return end
  local state = status(self.thread)
  if state == "running" or state == "normal" then
    self.doomed = self.doomed or why
    return
  end
  is_over(self)
  self.awaits = false
  self.cancelled, self.results = true, { nil, why, n = 2 }
  local closed, err = core.within(self.seat, close, self.thread)
  if not closed then
    warn("curlew: a task that was cancelled: ", tostring(err))
  end
  core.drop(self.seat)
  tell_ended(self)
end

--- Waits until it is over.
function Job:join()
  while not self.over do
    local seat = core.seat()
    self.waiters = self.waiters or {}
    table.insert(self.waiters, seat)
    core.wait(seat)
  end
end

--- What it returned, which belongs to who runs from now on.
function Job:take()
  if self.keeps then core.take(self.seat) end
  self.keeps = false
  return table.unpack(self.results, 1, self.results.n)
end

--- Releases what it returned and nobody has taken.
function Job:drop()
  if self.keeps then core.drop(self.seat) end
  self.keeps = false
end

return scheduler
