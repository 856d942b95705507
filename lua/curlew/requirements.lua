--- requirements: loads curlew.core, or raises a sentence that says what to
-- install. Requires no other module of curlew.
--
-- Syntax: nothing in requirements.lua and init.lua is newer than Lua 5.1.
-- Otherwise an older Lua would report a syntax error instead of the sentence.
-- SPDX-License-Identifier: MIT

local jit = rawget(_G, "jit") -- LuaJIT's
local interpreter = jit and jit.version .. " (" .. _VERSION .. ")" or _VERSION

if _VERSION ~= "Lua 5.4" and _VERSION ~= "Lua 5.5" then
  error("curlew needs Lua 5.4 or 5.5, but this program runs in " .. interpreter
    .. ": install Lua 5.4 (on Debian: apt-get install lua5.4) and run the "
    .. "program with lua5.4", 0)
end

local LIBCURL = "curlew needs libcurl 7.88 or newer, but the libcurl of this "
  .. "system is missing or older: install a newer one (on Debian 12 or newer: "
  .. "apt-get install libcurl4) or correct LD_LIBRARY_PATH"

-- The loader of the system reports a wrong Lua or libcurl only as a symbol or a
-- library that it does not find.
local function explain(problem)
  if problem:find("symbol[^\n]-%f[%w_]lua") then
    return "the curlew.core that was found was built for another version than "
      .. _VERSION .. ": build curlew for this one (make LUA="
      .. _VERSION:lower():gsub(" ", "") .. ")"
  elseif problem:find("symbol[^\n]-%f[%w_]curl_")
    or problem:find("libcurl[%w%p]*: ") then
    return LIBCURL
  end
end

local loaded, core = pcall(require, "curlew.core")
if not loaded then
  local cause = type(core) == "string" and explain(core)
  error(cause and cause .. "\n" .. core or core, 0)
end

return core
