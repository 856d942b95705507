--- What the fuzzers have learnt so far goes well: each target of spec/fuzz
-- over its corpus, and no fuzzer is needed for it.

local support = require "spec.support"

local function targets()
  local _, names = support.command("ls", "spec/fuzz/corpus")
  return names:gmatch("[^\n]+")
end

describe("The fuzz target", function()
  for target in targets() do
    it(target .. " passes over its corpus", function()
      local code, out, err = support.command(
        support.program("fuzz_" .. target), "spec/fuzz/corpus/" .. target)
      assert.equal("", err)
      assert.equal(0, code)
      assert.is_true(tonumber(out) > 0)
    end)
  end
end)
