--- The suite under an event loop: CURLEW_WAIT=cqueues, or luv; unset: the
-- built-in wait. What a spec has run by busted then runs in a coroutine of that
-- loop, and the loop runs until it is done. Children of specs do not get it,
-- but for scripts that are made by wait.script.

local wait = { loop = os.getenv("CURLEW_WAIT") }
if wait.loop == "" or wait.loop == "builtin" then wait.loop = nil end

local PATIENCE = 60 -- seconds that one function of a spec may take
local REST = 5 -- seconds that the loop may go on when it has returned

-- ---- what is run ----

-- What an error says, with where in the coroutine it was: busted looks at the
-- main thread only. What it raises itself stays what it is.
local function with_traceback(err)
  local meta = debug.getmetatable(err) or {}
  if meta.__type == "pending" then return err end
  if meta.__type == "failure" then
    if type(err.message) == "string" then
      err.message = debug.traceback(err.message, 2)
    end
    return err
  end
  if type(err) == "string" or meta.__tostring then
    return debug.traceback(tostring(err), 2)
  end
  return err
end

local function new_body(fn, ...)
  local body = { over = false }
  local arguments = table.pack(...)
  local function call() fn(table.unpack(arguments, 1, arguments.n)) end
  function body.run()
    body.ok, body.err = xpcall(call, with_traceback)
    body.over = true
  end
  return body
end

-- ---- the loops ----

local loops = {}

function loops.cqueues(body)
  local cqueues = require("cqueues")
  local controller = cqueues.new()
  controller:wrap(body.run)
  return {
    -- At most so long; whether there is more to do.
    turn = function(seconds)
      local ok, err = controller:step(seconds)
      if not ok then error(err, 0) end
      return not controller:empty()
    end,
    close = function() controller:close() end,
  }
end

function loops.luv(body)
  local uv = require("luv")
  local alarm = uv.new_timer()
  coroutine.wrap(body.run)()
  return {
    turn = function(seconds)
      -- Does not keep the loop: it only wakes it.
      alarm:start(math.ceil(seconds * 1000), 0, function() end)
      alarm:unref()
      uv.run(uv.loop_alive() and "once" or "nowait")
      return uv.loop_alive()
    end,
    close = function()
      alarm:close()
      uv.run("nowait")
    end,
  }
end

-- ---- running ----

local function monotonic() return require("posix_support").monotonic() end

local function run_loop(loop, body)
  local last, more = monotonic() + PATIENCE, true
  while not body.over do
    if not more then error("the event loop ended before the test did", 0) end
    if monotonic() > last then
      error(("the event loop runs for %d s, and the test is not over")
        :format(PATIENCE), 0)
    end
    more = loop.turn(1)
  end
  last = monotonic() + REST
  while body.ok and loop.turn(0.1) do
    if monotonic() > last then
      error("the test is over, and the event loop does not end", 0)
    end
  end
end

--- Calls fn(...), in a coroutine of the loop if there is one.
function wait.run(fn, ...)
  if not wait.loop then
    fn(...)
    return
  end
  local body = new_body(fn, ...)
  local loop = loops[wait.loop](body)
  local ok, err = pcall(run_loop, loop, body)
  loop.close()
  if not ok then error(err, 0) end
  if not body.ok then error(body.err, 0) end
end

--- Before the first request. What the loop waits on is made once, and kept.
function wait.install(http)
  if not wait.loop then return end
  assert(loops[wait.loop], "CURLEW_WAIT is cqueues or luv")
  http.loop(wait.loop)
  require("curlew.core").descriptor()
end

-- On the first line, so that the script's own lines keep their numbers.
local before = {
  cqueues = [[require("curlew").loop "cqueues"
    local controller = require("cqueues").new()
    controller:wrap(function() ]],
  luv = [[require("curlew").loop "luv" coroutine.wrap(function() ]],
}
local after = {
  cqueues = " end) assert(controller:loop())",
  luv = " end)() require(\"luv\").run()",
}

--- A script for support.run whose body runs under the loop.
function wait.script(body)
  if not wait.loop then return body end
  return before[wait.loop]:gsub("\n%s*", " ") .. body .. after[wait.loop]
end

local AROUND = { "before_each", "after_each", "lazy_setup", "lazy_teardown",
  "strict_setup", "strict_teardown" }

--- Has what busted calls before and after tests run so, too.
function wait.wrap_around(busted)
  if not wait.loop then return end
  local wrapped = {}
  for _, descriptor in ipairs(AROUND) do
    local channel = { "register", descriptor }
    busted.subscribe(channel, function(name, fn, ...)
      if wrapped[fn] then return nil, true end
      local function run(...) wait.run(fn, ...) end
      wrapped[run] = true
      busted.publish(channel, name, run, ...)
    end, { priority = 1 })
  end
end

return wait
