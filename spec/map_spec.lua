--- http.map and client:map, under whichever wait the suite runs.

local support = require "spec.support"
local counters = require "spec.support.counters"
local wait = require "spec.support.wait"
local http = require "curlew"

local nginx
setup(function() nginx = support.nginx() end)

-- What has moved since, but for what others have left to the collector.
local function moved(before)
  local out = counters.moved(before, http.stats())
  out.collected_unclosed = nil
  return out
end

local function numbers(n)
  local list = {}
  for i = 1, n do list[i] = i end
  return list
end

-- Expects that f raises a text of that pattern, at a line of this file.
local function assert_raises(pattern, f)
  local ok, err = pcall(f)
  assert.is_false(ok)
  assert.matches("^[^:]*map_spec.lua:%d+: " .. pattern, err)
end

describe("A loop over http.map", function()
  it("gives each item with what the function returned for it", function()
    local got, count = {}, 0
    for item, a, b, c in http.map(numbers(50), function(i)
      http.sleep(i % 5 / 1000)
      return i * 2, nil, "c"
    end) do
      assert.same({ nil, "c" }, { b, c })
      got[item] = a
      count = count + 1
    end
    assert.equal(50, count)
    for i = 1, 50 do assert.equal(2 * i, got[i]) end
  end)

  it("fetches", function()
    local bodies = 0
    local urls = {}
    for i = 1, 30 do urls[i] = nginx.http .. "/method/" .. i end
    for url, page in http.map(urls, http.fetch) do
      assert.matches("GET /method/%d+$", page.body)
      assert.equal(url, page.url)
      bodies = bodies + 1
    end
    assert.equal(30, bodies)
  end)

  it("is over at once when there is no item", function()
    for _ in http.map({}, error) do error("not reached") end
  end)

  it("has at most so many in work, and as many as that", function()
    for _, max in ipairs { 1, 3, 10 } do
      local running, most = 0, 0
      for _ in http.map(numbers(20), function()
        running = running + 1
        most = math.max(most, running)
        http.sleep(0.001)
        running = running - 1
      end, { max = max }) do
        assert.is_true(running <= max)
      end
      assert.equal(max, most)
    end
  end)

  it("has ten at once unless it is told", function()
    local running, most = 0, 0
    for _ in http.map(numbers(20), function()
      running = running + 1
      most = math.max(most, running)
      http.sleep(0.001)
      running = running - 1
    end) do
      assert.is_true(running <= 10)
    end
    assert.equal(10, most)
  end)

  it("begins no more than so many that it has not given", function()
    local begun, given = 0, 0
    for _ in http.map(numbers(20), function() begun = begun + 1 end,
      { max = 3 }) do
      given = given + 1
      http.sleep(0)
      assert.is_true(begun <= given + 3)
    end
    assert.equal(20, given)
  end)

  it("goes in the order of completion", function()
    local order = {}
    for ms in http.map({ 60, 1, 40, 20 }, function(ms)
      http.sleep(ms / 1000)
    end) do
      order[#order + 1] = ms
    end
    assert.same({ 1, 20, 40, 60 }, order)
  end)

  it("goes in the order of the items when it is ordered", function()
    local order = {}
    for ms, result in http.map({ 30, 1, 20, 5, 2 }, function(ms)
      http.sleep(ms / 1000)
      return ms + 1
    end, { ordered = true, max = 2 }) do
      order[#order + 1] = ms
      assert.equal(ms + 1, result)
    end
    assert.same({ 30, 1, 20, 5, 2 }, order)
  end)

  it("goes on with what is added to the items meanwhile", function()
    for _, options in ipairs { {}, { ordered = true }, { max = 1 } } do
      local items, seen = { 1 }, {}
      for item in http.map(items, function(i)
        http.sleep(0)
        if i < 20 then items[#items + 1] = i + 1 end
      end, options) do
        seen[#seen + 1] = item
        if item == 20 then items[#items + 1] = 100 end
      end
      local expected = numbers(20)
      expected[21] = 100
      assert.same(expected, seen)
    end
  end)

  it("takes false as an item", function()
    local seen = {}
    for item, result in http.map({ false, true }, function(v) return not v end,
      { ordered = true }) do
      seen[#seen + 1] = { item, result }
    end
    assert.same({ { false, true }, { true, false } }, seen)
  end)

  it("gives an error of an item as its result, and goes on", function()
    local value = {}
    local results = {}
    for item, result, err in http.map({ 1, 2, 3, 4 }, function(i)
      http.sleep(0)
      if i == 1 then error("oh", 0) end
      if i == 2 then error(value) end
      if i == 3 then return nil, "a failure" end
      return "fine"
    end, { ordered = true }) do
      results[item] = { result, err }
    end
    assert.same({ { nil, "oh" }, { nil, value }, { nil, "a failure" },
      { "fine" } }, results)
    assert.is_true(rawequal(value, results[2][2]))
  end)

  it("gives the failures of requests as they are", function()
    local refused = ("http://127.0.0.1:%d/"):format(support.refused_port)
    local codes = {}
    for url, page, err in http.map({ refused, nginx.http .. "/small", "ftp:x" },
      http.fetch) do
      codes[url] = page and page.status or err.code
    end
    assert.same({ [refused] = "connect", [nginx.http .. "/small"] = 200,
      ["ftp:x"] = "url" }, codes)
  end)

  it("leaves responses that are returned to its body", function()
    local before = http.stats()
    local urls = {}
    for i = 1, 10 do urls[i] = nginx.http .. "/65k?" .. i end
    for _, r in http.map(urls, http.get, { max = 3 }) do
      local response <close> = r
      assert.equal(65537, #response:read("a"))
    end
    local after = moved(before)
    assert.same({ 10, 10 }, { after.opened, (after.eof or 0)
      + (after.arrived or 0) })
  end)

  it("releases what is opened by an item and not returned", function()
    local before = http.stats()
    for _, status in http.map(numbers(5), function()
      return assert(http.get(nginx.http .. "/slow")).status
    end) do
      assert.equal(200, status)
    end
    assert.same({ opened = 5, task = 5 }, moved(before))
  end)
end)

describe("A loop over http.map that is left", function()
  -- Calls `way` with a loop of ten that hold a response, one of which is
  -- handed out; checks what has become of them.
  local function check(way)
    local before = http.stats()
    local closed = 0
    local function hold(i)
      local _ <close> = setmetatable({}, { __close = function()
        closed = closed + 1
      end })
      local r = assert(http.get(nginx.http .. "/slow"))
      if i > 1 then http.sleep(1000) end
      return r
    end
    way(function() return http.map(numbers(10), hold) end)
    local after = moved(before)
    assert.equal(10, closed)
    assert.is_nil(after.open)
    assert.equal(1, after.close)
    assert.equal(after.opened - 1, (after.task or 0) + (after.tbc or 0))
  end

  local ways = {
    ["break"] = function(map)
      for i, r in map() do
        r:close()
        if i == 1 then break end
      end
    end,
    ["return"] = function(map)
      local function f()
        for i, r in map() do
          r:close()
          if i == 1 then return i end
        end
      end
      assert.equal(1, f())
    end,
    ["goto"] = function(map)
      for i, r in map() do
        r:close()
        if i == 1 then goto out end
      end
      ::out::
    end,
    ["an error"] = function(map)
      local ok, err = pcall(function()
        for _, r in map() do
          r:close()
          error("oh", 0)
        end
      end)
      assert.same({ false, "oh" }, { ok, err })
    end,
    ["coroutine.close"] = function(map)
      local co = coroutine.create(function()
        for _, r in map() do
          r:close()
          coroutine.yield()
        end
      end)
      assert(coroutine.resume(co))
      assert(coroutine.close(co))
    end,
    ["the end of its task"] = function(map)
      local s <close> = http.scope()
      local got
      local task = s:spawn(function()
        for _, r in map() do
          r:close()
          got = true
        end
      end)
      while not got do http.sleep(0.001) end
      task:cancel()
    end,
  }

  for name, way in pairs(ways) do
    it("by " .. name .. " has cancelled and released the rest", function()
      check(way)
    end)
  end

  -- luacheck: push ignore 512 (a loop that is run once)
  it("has released what was finished and not given", function()
    local before = http.stats()
    local finished = 0
    for _, r in http.map(numbers(5), function()
      local response = assert(http.get(nginx.http .. "/slow"))
      finished = finished + 1
      return response
    end, { ordered = true }) do
      repeat http.sleep(0) until finished == 5
      r:close()
      break
    end
    assert.same({ opened = 5, close = 1, task = 4 }, moved(before))
  end)

  it("begins nothing any more", function()
    local begun = 0
    for _ in http.map(numbers(100), function()
      begun = begun + 1
      http.sleep(0)
    end, { max = 2 }) do
      break
    end
    local then_begun = begun
    for _ = 1, 10 do http.sleep(0) end
    assert.equal(then_begun, begun)
  end)
  -- luacheck: pop
end)

describe("A loop over http.map that nobody has any more", function()
  it("is cancelled and told, and what it holds is released", function()
    local _, code, out, err = support.run(wait.script([[
      local http = require "curlew"
      local url = arg[1]
      local function forget()
        local generator = coroutine.wrap(function()
          for _, r in http.map({ 1, 2, 3 }, function()
            return assert(http.get(url))
          end) do coroutine.yield(r) end
        end)
        return generator().status
      end
      print(forget())
      collectgarbage() collectgarbage()
      http.sleep(0.001) -- who waits next closes the coroutines
      print(http.stats().open, require("curlew.core").alive())
    ]]), { nginx.http .. "/slow", seconds = 20 })
    assert.same({ 0, "200\n0\t0\n" }, { code, out })
    assert.matches("the loop over http.map at [^\n]*script.lua:5 was forgotten",
      err)
  end)
end)

describe("client:map", function()
  it("calls the function with the client", function()
    local client <close> = http.client { base_url = nginx.http,
      headers = { ["X-Test"] = "t" } }
    local count = 0
    for item, page in client:map({ "/request-headers", "/request-headers" },
      client.fetch) do
      assert.equal("/request-headers", item)
      assert.matches("x%-test: t", page.body)
      count = count + 1
    end
    assert.equal(2, count)
    assert.equal(2, client:stats().opened)
  end)

  it("gives failures when its client is closed meanwhile", function()
    local client = http.client()
    local errors = {}
    for i, r, err in client:map(numbers(4), function(c, i)
      if i == 2 then c:close() end
      local response <close> = assert(c:get(nginx.http .. "/slow"))
      return response:read("a")
    end, { max = 2 }) do
      assert.is_nil(r)
      errors[i] = err
    end
    for i = 1, 4 do assert.matches("client .- closed", tostring(errors[i])) end
    assert.equal(0, client:stats().open)
  end)
end)

describe("http.map in a task", function()
  it("waits as any other call does", function()
    local s <close> = http.scope()
    local sums = {}
    for n = 1, 3 do
      sums[n] = s:spawn(function()
        local sum = 0
        for i in http.map(numbers(10), function()
          http.sleep(0.001)
        end, { max = n }) do
          sum = sum + i
        end
        return sum
      end)
    end
    for n = 1, 3 do assert.equal(55, sums[n]:wait()) end
  end)

  it("may be nested", function()
    local sum = 0
    for _, part in http.map(numbers(3), function(i)
      local own = 0
      for j in http.map(numbers(i), function() http.sleep(0) end) do
        own = own + j
      end
      return own
    end) do
      sum = sum + part
    end
    assert.equal(1 + 3 + 6, sum)
  end)
end)

describe("http.map", function()
  for _, case in ipairs {
    { "no list", { 5, print }, "map: a list of items expected, got number" },
    { "no function", { {}, "print" },
      "map: function expected, got string" },
    { "options that are none", { {}, print, 3 },
      "map: table expected, got number" },
    { "an unknown option", { {}, print, { min = 3 } },
      "map: unknown option 'min' %(max, ordered%)" },
    { "a max of none", { {}, print, { max = 0 } },
      "option 'max': an integer from 1 expected, got 0" },
    { "an order that is none", { {}, print, { ordered = 1 } },
      "option 'ordered': boolean expected, got number" },
  } do
    it("refuses " .. case[1], function()
      assert_raises(case[3] .. "$", function()
        http.map(table.unpack(case[2]))
      end)
    end)
  end

  it("wants a dot, and client:map a colon", function()
    assert.error_matches(function() http:map({}, print) end, "http.map%(...%)")
    local client <close> = http.client()
    assert.error_matches(function() client.map({}, print) end,
      "client:map%(...%)")
  end)

  it("wants a loop that has all that it returns", function()
    local iterator = http.map({ 1 }, print)
    assert_raises("map: for ... in http.map%(...%) expected", iterator)
  end)

  it("may call what a value with __call is", function()
    local callable = setmetatable({}, { __call = function(_, i)
      return i + 1
    end })
    for i, result in http.map({ 1 }, callable) do
      assert.same({ 1, 2 }, { i, result })
    end
  end)
end)
