--- The architecture, held: who includes whom, what is exported, what no file
-- may do. The table of rooms is read from src/README.md.

local function read(path)
  local file <close> = assert(io.open(path))
  return file:read("a")
end

local words = "ls lua/curlew/*.lua lua/curlew/loop/*.lua"

local function lines_of(command)
  local lines = {}
  local pipe <close> = assert(io.popen(command))
  for line in pipe:lines() do lines[#lines + 1] = line end
  return lines
end

-- room -> the set of rooms that it may include
local function read_rooms()
  local rooms = {}
  for line in read("src/README.md"):gmatch("[^\n]+") do
    local room, allowed = line:match("^| `([%w_]+)` | .- | ?(.-) ?|$")
    if room then
      rooms[room] = { [room] = true }
      for other in allowed:gmatch("`([%w_]+)`") do rooms[room][other] = true end
    end
  end
  return rooms
end

local sources = lines_of("ls src/*.c src/*.h")
local rooms = read_rooms()

local function room_of(path) return path:match("src/([%w_]+)%.[ch]$") end

-- C without its comments.
local function code_of(path)
  return (read(path):gsub("/%*.-%*/", " "))
end

describe("The house", function()
  it("has a row for each room, and a room for each row", function()
    local seen = {}
    for _, path in ipairs(sources) do
      seen[room_of(path)] = true
      assert.is_table(rooms[room_of(path)], path .. " has no row")
    end
    for room in pairs(rooms) do
      assert.is_true(seen[room], room .. " has no file")
    end
  end)

  for _, path in ipairs(sources) do
    local border = path:find("src/lua_", 1, true) ~= nil
    local code = code_of(path)

    it(path .. " includes only what its row allows", function()
      for name in code:gmatch('#include "([%w_]+)%.h"') do
        assert.is_true(rooms[room_of(path)][name], path .. " includes " .. name)
      end
    end)

    it(path .. " knows " .. (border and "no libcurl" or "no Lua"), function()
      if border then
        assert.is_nil(code:match("%f[%w_]curl_%w+%("))
        assert.is_nil(code:match("%f[%w_][mc]alloc%("))
        assert.is_nil(code:match("luaL_ref"))
      else
        assert.is_nil(code:match("#include <lua") or code:match("lua_State"))
      end
    end)

    it(path .. " says what it is, and its licence", function()
      assert.matches("^/%* [%w_]+: .-\n%*%* SPDX%-License%-Identifier: MIT",
        read(path))
    end)
  end

  -- clang-format leaves comments as they are.
  it("has comments of at most 80 columns, whose lines begin with **", function()
    local files = lines_of("ls src/*.[ch] bench/*.[ch] spec/support/*.[ch]")
    for _, path in ipairs(files) do
      for comment in ("\n" .. read(path)):gmatch("%s/%*.-%*/") do
        for line in comment:gmatch("[^\n]+") do
          local begins = line:match("^%s*/?%*[%*/ ]")
          assert.is_true(#line <= 80 and begins ~= nil, path .. ": " .. line)
        end
      end
    end
  end)

  it("stores no Lua state in a struct", function()
    for _, path in ipairs(sources) do
      for body in code_of(path):gmatch("struct[%s%w_]*(%b{})") do
        assert.is_nil(body:match("lua_State %*%w+;"), path)
      end
    end
  end)

  it("waits in one place, and sets options in two", function()
    for _, path in ipairs(sources) do
      local code, room = code_of(path), room_of(path)
      local calls = code:match("ppoll%(") or code:match("epoll_wait%(")
      assert.is_true(not calls or room == "platform" or room == "poller", path)
      local waits = code:match("cw_poll%(") or code:match("cw_poller_wait%(")
      assert.is_true(not waits or room == "watch" or room == "platform"
        or room == "poller", path)
      local sets = code:match("curl_easy_setopt")
      assert.is_true(not sets or room == "apply" or room == "transfer", path)
    end
  end)

  it("asks libcurl for its version in one place", function()
    for _, path in ipairs(sources) do
      assert.is_true(not code_of(path):match("curl_version_info%(")
        or room_of(path) == "libcurl", path)
    end
  end)

  it("exports one symbol", function()
    local core = assert(package.searchpath("curlew.core", package.cpath))
    local names = {}
    for _, line in ipairs(lines_of("nm -D --defined-only " .. core)) do
      local name = line:match("%s(%S+)$")
      if not name:find("^__") then names[#names + 1] = name end
    end
    assert.same({ "luaopen_curlew_core" }, names)
  end)

  it("stays in memory when it is unloaded: a resolver may still run", function()
    local core = assert(package.searchpath("curlew.core", package.cpath))
    assert.matches("NODELETE",
      table.concat(lines_of("readelf -d " .. core), "\n"))
  end)

  it("has words that require no more than they may", function()
    local may = {
      check = { core = true }, command = {}, download = { core = true },
      form = { core = true },
      init = { download = true, json = true, leaks = true, middleware = true,
        page = true, request = true, requirements = true, shape = true,
        url = true },
      json = { core = true, tree = true }, leaks = { core = true },
      loop = { check = true, core = true, scheduler = true },
      cqueues = { core = true, scheduler = true }, luv = {},
      map = { check = true, core = true, scheduler = true },
      middleware = { core = true, shape = true }, multipart = { core = true },
      page = { core = true }, request = { command = true, core = true },
      requirements = {},
      scheduler = { core = true },
      scope = { check = true, core = true, scheduler = true },
      shape = { form = true, multipart = true }, tree = {},
      url = { core = true, form = true },
    }
    for _, path in ipairs(lines_of(words)) do
      local name = path:match("([%w_]+)%.lua$")
      for other in read(path):gmatch('\n[^-\n]*require "curlew%.?([%w_]*)"') do
        assert.is_true(may[name][other], name .. " requires " .. other)
      end
    end
  end)

  it("names every Lua file in the rockspec", function()
    local rockspec = read(lines_of("ls rockspec/*.rockspec")[1])
    for _, path in ipairs(lines_of(words)) do
      assert.is_truthy(rockspec:find('"' .. path .. '"', 1, true), path)
    end
  end)

  it("has functions that fit two screens", function()
    for _, path in ipairs(sources) do
      local started, length = nil, 0
      for line in read(path):gmatch("([^\n]*)\n") do
        length = length + 1
        if line:match("^[%w_].*%) {$") then started, length = line, 0 end
        if line == "}" and started then
          assert.is_true(length <= 60, ("%s: %d lines: %s"):format(path, length,
            started))
          started = nil
        end
      end
    end
  end)
end)
