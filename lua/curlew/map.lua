--- map: a function of many items, several at once, in a `for` loop.
-- SPDX-License-Identifier: MIT

local check = require "curlew.check"
local core = require "curlew.core"
local scheduler = require "curlew.scheduler"

local AT_ONCE = 10
local LEFT = { "cancelled", "its loop was left" }

-- What the loop has; its run is what the jobs have, and lives as long as they.
local Handle = {}

local Run = {}
Run.__index = Run

-- The jobs in order, linked by `after`: with `ordered` as their items were
-- begun, else as they came to an end. Not in tables by job or number: one in
-- which as many keys come as go is made anew again and again.
local function enqueue(run, job)
  if run.last then run.last.after = job else run.first = job end
  run.last = job
end

local function done(run, job, ok, value, ...)
  if select("#", ...) > 0 then job.more = table.pack(...) end
  job.done, job.ok, job.value = true, ok, value
  if not run.ordered then enqueue(run, job) end
  if not run.waits then return end
  run.waits = false
  core.ring(run.seat)
end

-- A job works off one item after another: a new coroutine for each costs half a
-- small request. What an item has opened and not returned goes when it is done.
local function keep(run, job, ...)
  job.keeps = core.keep(job.seat, ...) > 0
  done(run, job, ...)
end

-- Until a result has been handed out its job pauses, where its stack does not
-- keep the result from the collector.
local function work(run)
  local job, fn, client = scheduler.running(), run.fn, run.client
  while true do
    if client then
      keep(run, job, pcall(fn, client, job.item))
    else
      keep(run, job, pcall(fn, job.item))
    end
    job:pause()
  end
end

-- It should not be over before the loop is left.
local function ended(job)
  if job.failed and not job.done then done(job.run, job, false, job.err) end
end

local function hire(run)
  local job = scheduler.job(work, ended, run)
  job.run, job.after, job.done, job.more = run, false, false, false
  run.jobs[#run.jobs + 1] = job
  scheduler.adopt(job)
  return job
end

local function idle_job(run)
  local job = run.idle
  if not job then return hire(run) end
  run.idle, job.after = job.after, false
  return job
end

local start = core.atomic(function(run, job, item)
  run.begun = run.begun + 1
  job.item = item
  if run.ordered then enqueue(run, job) end
  job:queue()
end)

-- At most `max` are begun and not handed out: who takes its time holds the rest
-- up.
local function begin(run)
  while run.begun - run.handed < run.max do
    local item = run.items[run.begun + 1]
    if item == nil then return end
    start(run, idle_job(run), item)
  end
end

local function first_done(run)
  local job = run.first
  if not job or not job.done then return nil end
  run.first, job.after = job.after, false
  if not run.first then run.last = false end
  return job
end

-- An error of one item is its result.
local function hand_out(run, job)
  local item, value, more = job.item, job.value, job.more
  run.handed = run.handed + 1
  if job.keeps then core.take(job.seat) end
  job.keeps, job.done, job.more = false, false, false
  job.item, job.value = nil, nil
  if not job.over then run.idle, job.after = job, run.idle end
  if not job.ok then return item, nil, value end
  if not more then return item, value end
  return item, value, table.unpack(more, 1, more.n)
end

local take_result = core.atomic(function(run)
  local job = first_done(run)
  if job then return true, hand_out(run, job) end
  return false
end)

local next_result

local function given(handle, found, ...)
  if found then return ... end
  local run = handle.run
  if run.handed == run.begun then return nil end
  core.wait(run.seat)
  return next_result(handle)
end

function next_result(handle)
  if getmetatable(handle) ~= Handle then
    core.raise("map: for ... in http.map(...) expected: its first result alone "
      .. "is not enough")
  end
  local run = handle.run
  run.waits = true -- set first: a job that ends before the wait ends it too
  begin(run)
  return given(handle, take_result(run))
end

function Run:leave()
  self.max = 0
  for _, job in ipairs(self.jobs) do
    job:cancel(LEFT)
    job:drop()
  end
end

-- Nobody has its loop any more.
Run.wake = Run.leave

--- The loop is left, or has come to its end.
Handle.__close = core.closer(function(handle)
  handle.left = true
  handle.run:leave()
end)

local function abandon(run)
  for _, job in ipairs(run.jobs) do core.drop(job.seat) end
  core.ring(run.forgotten)
  core.tell(("curlew: the loop over http.map at %s was forgotten, and is "
    .. "cancelled; hint: for ... in http.map(...) do"):format(run.site))
end

-- As of a scope: who waits next closes its coroutines.
function Handle:__gc()
  if not self.left and #self.run.jobs > 0 then pcall(abandon, self.run) end
end

local map = {}

local function check_options(options)
  options = check.options("map", options, { "max", "ordered" })
  local max, ordered = options.max, options.ordered
  if ordered ~= nil and type(ordered) ~= "boolean" then
    core.raise("option 'ordered': boolean expected, got " .. type(ordered))
  end
  return max and check.max("option 'max'", max) or AT_ONCE, ordered or false
end

--- @tparam table items a list; it may grow
-- @tparam function fn fn(item), or fn(client, item)
-- @tparam[opt] table options `max` at once, `ordered`
-- @param client of client:map
-- @return what a `for` loop needs
function map.run(items, fn, options, client)
  if type(items) ~= "table" then
    core.raise("map: a list of items expected, got " .. type(items))
  end
  check.callable("map", fn)
  local max, ordered = check_options(options)
  local run = setmetatable({ items = items, fn = fn, client = client or false,
    ordered = ordered, max = max,
    begun = 0, handed = 0, jobs = {}, first = false, last = false, idle = false,
    seat = (core.seat()), waits = false, site = core.where() }, Run)
  local token
  run.forgotten, token = core.seat()
  scheduler.expect(token, run)
  local handle = setmetatable({ run = run, left = false }, Handle)
  return next_result, handle, nil, handle
end

return map
