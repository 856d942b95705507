--- Large bodies under Lua 5.5, which are strings without a copy.

local support = require "spec.support"
local memory = require "spec.support.memory"

if _VERSION == "Lua 5.4" then
  io.write("not run: strings without a copy (they need Lua 5.5)\n")
  return
end

local nginx
setup(function() nginx = support.nginx() end)

-- Fetches /big (100 MiB) so many times; returns the growth of peak memory in
-- bodies.
local function peak(count)
  local _, code, out, err = support.run([[
    local http = require "curlew"
    local url, count = arg[1], tonumber(arg[2])
    local function value(name)
      for line in io.lines("/proc/self/status") do
        local kib = line:match("^" .. name .. ":%s+(%d+)")
        if kib then return tonumber(kib) * 1024 end
      end
    end
    assert(http.fetch(url .. "/small"))
    local before = value("VmHWM")
    for _ = 1, count do
      local page = assert(http.fetch(url .. "/big"))
      assert(#page.body == 100 * 1024 * 1024 and page.body:byte(-1) == 0)
    end
    io.write((value("VmHWM") - before) / (100 * 1024 * 1024))
  ]], { nginx.http, tostring(count), seconds = 300 })
  assert.same({ 0, "" }, { code, err })
  return tonumber(out)
end

describe("A large body under Lua 5.5", function()
  it("is not copied", function()
    assert.is_true(peak(1) < 1.1)
  end)

  it("is freed in time, though Lua does not count its bytes", function()
    assert.is_true(peak(50) < 4)
  end)

  it("is the same text, read in one piece or two", function()
    local _, code, out, err = support.run([[
      local http = require "curlew"
      local r <close> = assert(http.get(arg[1] .. "/big"))
      local head = r:read(1000)
      local rest = r:read("a")
      print(#head, #rest, (head .. rest):find("[^\0]"), r:read("a"), r:read(1))
    ]], { nginx.http })
    assert.same({ 0, "" }, { code, err })
    assert.equal(("%d\t%d\tnil\t\tnil\n"):format(1000, 100 * 2^20 - 1000), out)
  end)
end)

describe("A large body under Lua 5.5, if memory fails", function()
  local script

  setup(function()
    script = { memory.write("large.lua", [[
      local http = require "curlew"
      local page = assert(http.fetch(... .. "/2m"))
      assert(#page.body == 2 << 20)
      local r <close> = assert(http.get(... .. "/2m"))
      assert(r:read(1) and #assert(r:read("a")) == (2 << 20) - 1)
    ]]), nginx.http }
  end)

  for name, test in pairs(memory.tests) do
    it(name, function() test(script) end)
  end
end)
