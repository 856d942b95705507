--- The bugs of libcurl that curlew works around: src/quirks.c.

local http = require "curlew"
local support = require "spec.support"

local function number(release)
  local major, minor, patch = release:match("^(%d+)%.(%d+)%.(%d+)")
  return (major * 256 + minor) * 256 + patch
end

local function read(path)
  local file <close> = assert(io.open(path))
  return file:read("a")
end

local function sources()
  local listing <close> = assert(io.popen("ls src/*.c"))
  local texts = {}
  for path in listing:lines() do
    if path ~= "src/quirks.c" then texts[#texts + 1] = read(path) end
  end
  return table.concat(texts)
end

describe("http.features().quirks", function()
  it("has the bugs of the loaded libcurl and no others", function()
    local features = http.features()
    local version = number(features.libcurl)
    for _, quirk in ipairs(features.quirks) do
      assert.matches("%S.*%.$", quirk.what)
      assert.is_true(not quirk.since or number(quirk.since) <= version)
      assert.is_true(not quirk.fixed or version < number(quirk.fixed))
    end
  end)

  it("is a new table each time", function()
    http.features().quirks[1] = nil
    assert.same(http.features().quirks, http.features().quirks)
    assert.not_equal(http.features().quirks, http.features().quirks)
  end)
end)

describe("A release of libcurl", function()
  for name, passes in support.tests("quirks_test") do it(name, passes) end
end)

describe("The table of libcurl's bugs", function()
  local table_text = read("src/quirks.c")

  it("names a spec for each, and each has a cure", function()
    local code, count = sources(), 0
    for id in read("src/quirks.h"):gmatch("(CW_QUIRK_[%u_]+)[,\n]") do
      if id ~= "CW_QUIRK_COUNT" then
        local row = assert(table_text:match("%[" .. id .. "%] =(.-)},\n"), id)
        local spec = assert(row:match('"([%w_]+_spec)"'), id)
        assert(io.open("spec/" .. spec .. ".lua"), spec):close()
        assert(code:find("cw_quirk_is_active(" .. id .. ")", 1, true), id)
        count = count + 1
      end
    end
    assert.is_true(count > 5)
  end)
end)
