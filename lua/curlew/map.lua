--- map: a function of many items, several at once, in a `for` loop.
-- SPDX-License-Identifier: MIT

local core = require "curlew.core"
local scheduler = require "curlew.scheduler"
local scope = require "curlew.scope"

local AT_ONCE = 10

local Run = {}
Run.__index = Run

local function ended(job)
  local run = job.run
  if not run.ordered then table.insert(run.done, job) end
  core.ring(run.seat)
end

function Run:call(item)
  if self.client then return { self.fn, self.client, item } end
  return { self.fn, item }
end

-- At most `max` are begun and not handed out: who takes its time holds the rest
-- up.
function Run:begin()
  while self.begun - self.handed < self.max do
    local item = self.items[self.begun + 1]
    if item == nil then return end
    self.begun = self.begun + 1
    local job = scheduler.job(pcall, ended, table.unpack(self:call(item)))
    job.run, job.item = self, item
    self.jobs[job], self.order[self.begun] = true, job
    job:queue()
  end
end

local function first_done(self)
  if not self.ordered then return table.remove(self.done, 1) end
  local job = self.order[self.handed + 1]
  return job and job.over and job
end

-- An error of one item is its result.
local function results(job, ok, ...)
  if ok then return job.item, ... end
  return job.item, nil, (...)
end

function Run:next()
  while true do
    self:begin()
    local job = first_done(self)
    if job then
      self.handed = self.handed + 1
      self.jobs[job] = nil
      self.order[self.handed] = nil
      return results(job, job:take())
    end
    if self.handed == self.begun then return nil end
    core.wait(self.seat)
  end
end

--- The loop is left.
function Run:__close()
  self.max = 0
  local why = core.ended("cancelled", "its loop was left")
  for job in pairs(self.jobs) do
    job:cancel(why)
    job:drop()
  end
  self.jobs = {}
end

local map = {}

local function check(options)
  if options == nil then return {} end
  if type(options) ~= "table" then
    core.raise("map: table expected, got " .. type(options))
  end
  for name, value in pairs(options) do
    if name == "max" then
      scope.check_max("option 'max'", value)
    elseif name ~= "ordered" then
      core.raise(("map: unknown option '%s' (max, ordered)"):format(
        tostring(name)))
    elseif type(value) ~= "boolean" then
      core.raise("option 'ordered': boolean expected, got " .. type(value))
    end
  end
  return options
end

--- @tparam table items a list; it may grow
-- @tparam function fn fn(item), or fn(client, item)
-- @tparam[opt] table options `max` at once, `ordered`
-- @param client of client:map
-- @return what a `for` loop needs
function map.run(items, fn, options, client)
  if type(items) ~= "table" then
    core.raise("map: a list of items expected, got " .. type(items))
  elseif type(fn) ~= "function" and not (getmetatable(fn) or {}).__call then
    core.raise("map: function expected, got " .. type(fn))
  end
  options = check(options)
  local run = setmetatable({ items = items, fn = fn, client = client, begun = 0,
    handed = 0, jobs = {}, order = {}, done = {}, seat = (core.seat()),
    ordered = options.ordered, max = options.max or AT_ONCE }, Run)
  return Run.next, run, nil, run
end

return map
