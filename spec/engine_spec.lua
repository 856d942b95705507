--- The engine without Lua: each test of spec/support/engine_test.c is a spec.

local support = require "spec.support"

describe("The engine:", function()
  for name, passes in support.tests("engine_test") do
    local epoll = name:find "epoll" or name:find "has a descriptor"
    it(name .. (epoll and " #epoll" or ""), passes)
  end
end)
