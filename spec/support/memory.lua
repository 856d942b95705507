--- memory: runs a script in a host whose allocator fails on purpose
-- (spec/support/oom.c), and the tests that do so.

local assert = require "luassert"
local support = require "spec.support"
local posix = support.posix

local memory = {}

-- The time limit of one host in seconds. Under a sanitizer on a slow machine a
-- host takes minutes; the limit only ends a host that hangs.
local LIMIT = 900

--- Writes the text into a new file and returns its path.
function memory.write(name, text)
  local path = support.folder() .. "/" .. name
  local file <close> = assert(io.open(path, "w"))
  assert(file:write(text))
  return path
end

-- If this process runs under a sanitizer, the host must too.
local function sanitizer()
  local maps <close> = assert(io.open("/proc/self/maps"))
  return maps:read("a"):match("/%S*libasan%S*")
end

-- Runs the host; returns the number of states that it made, of scripts that
-- ended with an error, and the release of its Lua (404 is 5.4.4).
local function run(mode, script)
  local child <close> = assert(posix.spawn {
    stderr = true, preload = true,
    env = { LUA_PATH = package.path, LUA_CPATH = package.cpath,
      LUA_PATH_5_4 = false, LUA_CPATH_5_4 = false,
      LUA_PATH_5_5 = false, LUA_CPATH_5_5 = false,
      LD_PRELOAD = sanitizer() or false },
    support.build .. "/spec/oom", mode, table.unpack(script),
  })
  local out, err, done = child:communicate("", LIMIT)
  assert.is_true(done, "the host is still running")
  local kind, code = child:wait()
  assert.same({ "exit", 0 }, { kind, code }, err:sub(-1000) .. out:sub(1, 2000))
  local runs, errors, minor, patch =
    out:match("^(%d+) runs, (%d+) errors, Lua 5%.(%d)%.(%d+)\n$")
  return math.tointeger(runs), math.tointeger(errors),
    math.tointeger(minor) * 100 + math.tointeger(patch)
end

--- The tests of a script, by name: each takes the script's path and its
-- arguments, as a list.
memory.tests = {
  ["for one allocation nothing is lost"] = function(script)
    local runs, errors, release = run("once", script)
    assert.is_true(runs > 500)
    -- While Lua grows the stack of a thread, since 5.4.5 it does not collect
    -- and try again: those allocations are errors.
    assert.is_true(errors <= (release < 405 and 0 or 10), errors)
  end,
  ["for one allocation and its repetition, nothing stays open"] =
    function(script)
      local runs, errors = run("twice", script)
      assert.is_true(errors > 500 and errors <= runs)
    end,
  ["from an allocation on, nothing stays open"] = function(script)
    local runs, errors = run("on", script)
    assert.is_true(errors > 500 and errors <= runs)
  end,
}

return memory
