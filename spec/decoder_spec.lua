--- The decoder on its own: each test of spec/support/decoder_test.c is a spec.

local support = require "spec.support"

describe("The decoder", function()
  for name, passes in support.tests("decoder_test") do it(name, passes) end
end)
