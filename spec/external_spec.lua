--- Large bodies: under Lua 5.5 they are strings without a copy, whose bytes the
-- collector of Lua does not count.

local support = require "spec.support"
local memory = require "spec.support.memory"
local http = require "curlew"

local nginx
setup(function() nginx = support.nginx() end)

local MIB = 1024 * 1024

-- Why the peak of memory cannot be tested; nil if it can.
local obstacle
if _VERSION == "Lua 5.4" then
  obstacle = "it needs Lua 5.5"
elseif support.command("sh", "-c", 'grep -q libasan /proc/$PPID/maps') == 0 then
  obstacle = "a sanitizer keeps what is freed"
end

-- A test of the peak of memory.
local function it_in_little_memory(name, test)
  if not obstacle then return it(name, test) end
  io.write("not run, ", obstacle, ": a large body ", name, "\n")
end

-- Fetches the first 'size' bytes of /big so many times; 'prelude' comes first.
-- Returns the growth of peak memory, measured in bodies.
local function peak(size, count, prelude)
  local _, code, out, err = support.run((prelude or "") .. [[
    local http = require "curlew"
    local url, size, count = arg[1], tonumber(arg[2]), tonumber(arg[3])
    local function peak()
      for line in io.lines("/proc/self/status") do
        local kib = line:match("^VmHWM:%s+(%d+)")
        if kib then return tonumber(kib) * 1024 end
      end
    end
    assert(http.fetch(url .. "/small"))
    local before = peak()
    local options = { headers = { range = "bytes=0-" .. size - 1 } }
    for _ = 1, count do
      local page = assert(http.fetch(url .. "/big", options))
      assert(#page.body == size)
    end
    io.write((peak() - before) / size)
  ]], { nginx.http, tostring(size), tostring(count), seconds = 600 })
  assert.same({ 0, "" }, { code, err })
  return tonumber(out)
end

describe("A large body", function()
  it_in_little_memory("is not copied", function()
    assert.is_true(peak(50 * MIB, 1) < 1.1)
  end)

  it_in_little_memory("is freed in time", function()
    assert.is_true(peak(50 * MIB, 200) < 4)
  end)

  it_in_little_memory("is freed in time in the generational mode", function()
    assert.is_true(peak(50 * MIB, 30, "collectgarbage('generational')") < 4)
  end)

  -- Two heaps of garbage and three bodies, if the heap has 20 MiB.
  it_in_little_memory("is freed in time beside a heap of Lua", function()
    local heap = "heap = {} for i = 1, 20 << 20, 100 do heap[i] = { i } end "
    assert.is_true(peak(2 * MIB, 200, heap) < 25)
  end)

  it("does not run a collector that the program has stopped", function()
    collectgarbage("stop")
    finally(function() collectgarbage("restart") end)
    local marked = setmetatable({}, { __mode = "v" })
    marked[1] = {}
    assert.equal(2 * MIB, #assert(http.fetch(nginx.http .. "/2m")).body)
    assert.is_table(marked[1])
  end)

  it("is the same text, read in one piece or two", function()
    local whole = ("\0"):rep(2 * MIB)
    assert.is_true(whole == assert(http.fetch(nginx.http .. "/2m")).body)
    local r <close> = assert(http.get(nginx.http .. "/2m"))
    local head = r:read(1000)
    local rest = r:read("a")
    assert.same({ 1000, 2 * MIB - 1000 }, { #head, #rest })
    assert.is_true(whole == head .. rest)
    assert.equal("", r:read("a"))
    assert.is_nil(r:read(1))
  end)

  it("is the same text if it was coded", function()
    local r <close> = assert(http.get(nginx.http .. "/gzip/2m"))
    assert.equal("gzip", r.headers["content-encoding"])
    local page = assert(http.fetch(nginx.http .. "/2m"))
    assert.is_true(page.body == r:read("a"))
  end)
end)

describe("A kept text", function()
  it("is released with its response", function()
    local options = { headers = { range = "bytes=0-524287" } }
    local r <close> = assert(http.get(nginx.http .. "/big", options))
    assert.equal(524288, #r:text())
    collectgarbage()
    collectgarbage()
    local before = collectgarbage("count")
    r:close()
    collectgarbage()
    assert.is_true(before - collectgarbage("count") > 400)
    assert.equal(206, r.status)
  end)
end)

describe("A large body, if memory fails", function()
  local script

  setup(function()
    script = { memory.write("large.lua", [[
      local http = require "curlew"
      local page = assert(http.fetch(... .. "/2m"))
      assert(#page.body == 2 << 20)
      local r <close> = assert(http.get(... .. "/2m"))
      assert(r:read(1))
      local read, text = pcall(r.read, r, "a")
      if not read then text = assert(r:read("a")) end -- nothing is lost
      assert(#text == (2 << 20) - 1)
    ]]), nginx.http }
  end)

  for name, test in pairs(memory.tests) do
    it(name, function() test(script) end)
  end
end)
