--- scope: tasks that end with a block.
-- SPDX-License-Identifier: MIT

local check = require "curlew.check"
local core = require "curlew.core"
if core.once.scope then return core.once.scope end
local scheduler = require "curlew.scheduler"

local INSIDE = {} -- the key of what a value that a user holds stands for

local Task = { __name = "curlew.task" }
Task.__index = Task

local Scope = { __name = "curlew.scope" }
Scope.__index = Scope

-- A group is what a scope is to its tasks: it lives as long as they do.
local Group = {}
Group.__index = Group

local function inside(value, meta, call)
  if getmetatable(value) ~= meta then
    core.raise("call " .. call .. "(...) with a colon")
  end
  return value[INSIDE]
end

-- ---- groups ----

local RAISED = { "cancelled", "another task of its scope raised" }
local CANCELLED = { "cancelled", "the task was cancelled" }
local LEFT = { "cancelled", "its scope was left" }
local FORGOTTEN = { "cancelled", "its scope was forgotten" }

-- First in, first out, when there are as many as may run.
local function start(group, job)
  job:queue()
  job.begun = true
  group.running = group.running + 1
end

local function start_next(group)
  while not group.why and group.first <= group.last
    and group.running < group.max do
    local job = group.queue[group.first]
    group.queue[group.first] = nil
    group.first = group.first + 1
    if job then start(group, job) end
  end
end

local function leave_queue(group, job)
  if job.place then group.queue[job.place] = nil end
end

local function ended(job)
  local group = job.group
  group.jobs[job] = nil
  if job.begun then
    group.running = group.running - 1
  else
    leave_queue(group, job)
  end
  if job.failed and not group.failed then
    group.failed, group.err = true, job.err
    group:cancel(RAISED)
  end
  if group.failed or not next(group.jobs) then scheduler.ring(group.waiters) end
  if job.keeps then group.kept[job] = true end
  start_next(group)
end

function Group:cancel(why)
  self.why = self.why or why
  for job in pairs(self.jobs) do job:cancel(why) end
end

local enter = core.atomic(function(group, job)
  scheduler.adopt(job)
  if group.why then -- the group is ending: the job does not join it
    return job:cancel(group.why)
  end
  group.jobs[job] = true
  if group.running < group.max then
    start(group, job)
  else
    group.queue[group.last + 1] = job
    group.last = group.last + 1
    job.place = group.last
  end
end)

function Group:spawn(fn, ...)
  local job = scheduler.job(fn, ended, ...)
  job.group, job.begun, job.place = self, false, false
  enter(self, job)
  return job
end

local function count(jobs)
  local n = 0
  for _ in pairs(jobs) do n = n + 1 end
  return n
end

local function tell_unfinished(group, how, n, hint)
  core.tell(("curlew: the scope opened at %s was %s with %d %s unfinished: "
    .. "cancelled; hint: %s"):format(group.site, how, n,
    n == 1 and "task" or "tasks", hint))
end

local function tell_failed(group)
  if not group.failed or group.told then return end
  group.told = true
  scheduler.complain("a task of the scope opened at " .. group.site, group.err)
end

--- Its block is left, or nobody has it any more.
function Group:leave(why, tell)
  local unfinished = count(self.jobs)
  self:cancel(why)
  for job in pairs(self.kept) do
    job:drop()
    self.kept[job] = nil
  end
  core.alarm(self.seat, nil)
  if tell and unfinished > 0 then
    tell_unfinished(self, "left", unfinished, "scope:wait()")
  end
  tell_failed(self)
end

-- Its time is over, or its scope was collected.
function Group:wake()
  if self.abandoned then return self:leave(FORGOTTEN) end
  self:cancel(self.overdue)
  scheduler.ring(self.waiters)
end

-- ---- tasks ----

local function raise_failure(group, err)
  group.told = true
  error(err, 0)
end

--- Waits until it is over.
-- @return what its function returned; nil and an error when it was cancelled;
-- what it raised is raised
function Task:wait()
  local job = inside(self, Task, "task:wait")
  local group = job.group
  group.minded = true
  if job == scheduler.running() then
    core.raise("a task cannot wait for itself")
  end
  job:join()
  if job.failed then raise_failure(group, job.err) end
  if job.cancelled and group.failed then raise_failure(group, group.err) end
  group.kept[job] = nil
  return job:take()
end

--- Ends it, and releases what it has opened; nothing when it is over. One that
-- cancels itself ends when it waits next.
function Task:cancel()
  local job = inside(self, Task, "task:cancel")
  job.group.minded = true
  scheduler.cancel(job, CANCELLED)
end

-- ---- scopes ----

--- Begins a task; it runs when somebody waits.
-- @tparam function fn
-- @param ... its arguments
-- @treturn task
function Scope:spawn(fn, ...)
  local group = inside(self, Scope, "scope:spawn")
  if group.closed then core.raise("the scope was left at " .. group.closed) end
  check.callable("spawn", fn)
  if type(fn) ~= "function" then
    return self:spawn(function(...) return fn(...) end, ...)
  end
  return setmetatable({ [INSIDE] = group:spawn(fn, ...) }, Task)
end

local function is_done(group) return group.failed or not next(group.jobs) end

--- Waits for all of its tasks.
-- @treturn true|nil
-- @treturn error when its deadline has passed
function Scope:wait()
  local group = inside(self, Scope, "scope:wait")
  if group.closed then core.raise("the scope was left at " .. group.closed) end
  local running = scheduler.running()
  if running and running.group == group then
    core.raise("a task cannot wait for the scope that it belongs to")
  end
  group.minded = true
  scheduler.await(group.waiters, is_done, group)
  if group.failed then raise_failure(group, group.err) end
  if group.why then return nil, scheduler.error(group.why) end
  return true
end

-- Leaving a block is atomic: no task of the scope runs afterwards, even if an
-- interrupt comes. The core sets the field 'closed' of the returned group.
Scope.__close = core.closer(function(scope, err, closing)
  local group = scope[INSIDE]
  if group.closed then return nil end
  group:leave(LEFT, err == nil and not group.minded and not closing)
  return group
end)

local function abandon(group)
  local unfinished = count(group.jobs)
  for job in pairs(group.jobs) do core.drop(job.seat) end
  core.ring(group.seat)
  if unfinished > 0 and not group.minded then
    tell_unfinished(group, "forgotten", unfinished,
      "local scope <close> = http.scope()")
  end
  tell_failed(group)
end

-- To close a coroutine may take time, or raise: who waits next does it.
function Scope:__gc()
  local group = self[INSIDE]
  if not group or group.closed then return end
  group.closed, group.abandoned = "its end", true
  pcall(abandon, group)
end

local scope = {}

--- Makes a scope, to be closed: leaving its block ends its tasks.
-- @tparam[opt] table options `deadline` in seconds, `max` tasks at once
-- @treturn scope
function scope.new(options)
  options = check.options("scope", options, { "deadline", "max" })
  local max, deadline = options.max, options.deadline
  local group = setmetatable({ jobs = {}, kept = {}, waiters = {}, queue = {},
    first = 1, last = 0, running = 0, site = core.where(),
    max = max and check.max("option 'max'", max) or math.huge }, Group)
  local token
  group.seat, token = core.seat()
  scheduler.expect(token, group)
  if deadline then
    group.overdue = { "timeout", "the deadline of its scope has passed",
      site = group.site }
    core.alarm(group.seat, check.seconds("option 'deadline'", deadline))
  end
  return setmetatable({ [INSIDE] = group }, Scope)
end

function scope.type(value)
  local meta = getmetatable(value)
  if meta == Task then return "task" end
  if meta == Scope then
    return value[INSIDE].closed and "closed scope" or "scope"
  end
end

core.once.scope = scope

return scope
