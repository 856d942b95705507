--- The engine without Lua: each test of spec/support/engine_test.c is a spec.

local support = require "spec.support"

describe("The engine:", function()
  for name, passes in support.tests("engine_test") do it(name, passes) end
end)
