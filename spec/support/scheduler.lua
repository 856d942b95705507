--- scheduler: of twenty lines, on the core's seam: tasks that wait are kept by
-- their token. To be closed.

local core = require "curlew.core"

local function scheduler()
  local waiting = {}
  local function wait(token)
    waiting[token] = coroutine.running()
    coroutine.yield()
  end

  local self = {}

  function self.spawn(f, ...)
    local task = coroutine.create(f)
    core.seat(task, wait)
    assert(coroutine.resume(task, ...))
    return task
  end

  -- One round; false when nobody waits.
  function self.round(seconds)
    core.step(seconds)
    for token in core.ready do
      local task = waiting[token]
      waiting[token] = nil
      local closed = task and coroutine.status(task) == "dead"
      if task and not closed then assert(coroutine.resume(task)) end
    end
    return next(waiting) ~= nil
  end

  -- Rounds until enough() says so, or nobody waits.
  function self.run(enough)
    while next(waiting) and not (enough and enough()) do self.round() end
  end

  function self.forget() waiting = {} end

  return setmetatable(self, { __close = self.forget })
end

return scheduler
