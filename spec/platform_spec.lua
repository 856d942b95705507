--- Differences between systems: each test of spec/support/platform_test.c is
-- a spec. make portable runs them without the calls that only Linux has.

local support = require "spec.support"

describe("The system", function()
  for name, passes in support.tests("platform_test") do it(name, passes) end
end)
