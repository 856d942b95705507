--- The engine without Lua: each test of spec/support/engine_test.c is a spec.
-- CURLEW_ENGINE_TEST names another build of it.

local support = require "spec.support"

local program = os.getenv("CURLEW_ENGINE_TEST")
  or support.build .. "/spec/engine_test"

local function tests()
  local code, names, err = support.command(program)
  assert(code == 0, err)
  return names:gmatch("[^\n]+")
end

describe("The engine:", function()
  for name in tests() do
    it(name, function()
      local code, out, err = support.command(program, name)
      assert.equal("", out .. err)
      assert.equal(0, code)
    end)
  end
end)
