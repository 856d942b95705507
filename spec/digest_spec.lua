--- Digest authentication: each test of spec/support/digest_test.c is a spec
-- here; then what goes over the wire.

local support = require "spec.support"

describe("A digest", function()
  for name, passes in support.tests("digest_test") do it(name, passes) end
end)
