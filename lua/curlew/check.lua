--- check: what functions are given that make no request.
-- SPDX-License-Identifier: MIT

local core = require "curlew.core"

local check = {}

local function shown(value)
  return type(value) == "number" and value or type(value)
end

--- A table of options with these names, or none.
-- @param who what the message begins with
-- @param options
-- @tparam {string,...} names
-- @treturn table
function check.options(who, options, names)
  if options == nil then return {} end
  if type(options) ~= "table" then
    core.raise(who .. ": table expected, got " .. type(options))
  end
  local known = {}
  for _, name in ipairs(names) do known[name] = true end
  for name in pairs(options) do
    if not known[name] then
      core.raise(("%s: unknown option '%s' (%s)"):format(who, tostring(name),
        table.concat(names, ", ")))
    end
  end
  return options
end

--- A number of seconds, at least 0 and at most 1e9.
function check.seconds(who, value)
  if type(value) ~= "number" or not (value >= 0 and value <= 1e9) then
    core.raise(("%s: seconds from 0 to 1e9 expected, got %s"):format(who,
      shown(value)))
  end
  return value
end

--- How many at once: an integer from 1.
function check.max(who, value)
  if math.type(value) ~= "integer" or value < 1 then
    core.raise(("%s: an integer from 1 expected, got %s"):format(who,
      shown(value)))
  end
  return value
end

--- A function, or what can be called as one.
function check.callable(who, value)
  if type(value) ~= "function" and not (getmetatable(value) or {}).__call then
    core.raise(who .. ": function expected, got " .. type(value))
  end
  return value
end

return check
