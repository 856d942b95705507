--- form: names and values in a row, as a query and as a form
-- (application/x-www-form-urlencoded). Pure.
-- SPDX-License-Identifier: MIT

local core = require "curlew.core"

local form = {}

local function percent(byte) return ("%%%02X"):format(byte:byte()) end

-- RFC 3986 section 2.3: what is not unreserved is percent-encoded.
local function encode_for_query(text)
  return (text:gsub("[^%w%-._~]", percent))
end

-- WHATWG URL section 5.2, as browsers send forms.
local function encode_for_form(text)
  return (text:gsub("[^%w%-._* ]", percent):gsub(" ", "+"))
end

local function refuse(how, name, expected, got)
  error(("option '%s': %s: %s expected, got %s"):format(how.option,
    tostring(name), expected, got), 0)
end

local function text_of(how, name, value)
  local kind = type(value)
  if kind == "string" then return value end
  if kind == "boolean" then return tostring(value) end
  if kind ~= "number" then
    refuse(how, name, "string, number, boolean or a list", kind)
  end
  return core.number_text(value)
    or refuse(how, name, "a finite number", tostring(value))
end

-- how: option, encode, keeps_false (in a query false stands for no value).
local function add_one(how, parts, name, value)
  local encode, text = how.encode, text_of(how, name, value)
  if value ~= false or how.keeps_false then
    parts[#parts + 1] = encode(text_of(how, name, name)) .. "=" .. encode(text)
  end
end

-- A table that only looks like a list would lose what has a name.
local function check_list(how, name, list)
  for key in pairs(list) do
    if math.type(key) ~= "integer" or key < 1 or key > #list then
      refuse(how, name, "a list", "a table with the key " .. tostring(key))
    end
  end
end

local function add_pair(how, parts, name, value)
  if type(name) ~= "string" and type(name) ~= "number" then
    error(("option '%s': a name expected, got a %s"):format(how.option,
      type(name)), 0)
  end
  if type(value) ~= "table" then return add_one(how, parts, name, value) end
  check_list(how, name, value)
  for i = 1, #value do add_one(how, parts, name, value[i]) end
end

--- The names of a table, but for its list part, sorted.
-- @tparam string option whose table it is
-- @tparam table t
-- @treturn table
function form.names(option, t)
  local names, listed = {}, #t
  for name in pairs(t) do
    if type(name) == "string" then
      names[#names + 1] = name
    elseif math.type(name) ~= "integer" or name < 1 or name > listed then
      error(("option '%s': a name expected, got %s"):format(option,
        tostring(name)), 0)
    end
  end
  table.sort(names)
  return names
end

local function join(how, t)
  local option = how.option
  if type(t) ~= "table" then
    error(("option '%s': table expected, got %s"):format(option, type(t)), 0)
  end
  local parts = {}
  for i = 1, #t do
    local pair = t[i]
    if type(pair) ~= "table" or #pair ~= 2 then
      error(("option '%s': {name, value} expected in a list"):format(option),
        0)
    end
    add_pair(how, parts, pair[1], pair[2])
  end
  for _, name in ipairs(form.names(option, t)) do
    add_pair(how, parts, name, t[name])
  end
  return table.concat(parts, "&")
end

local as_query = { option = "query", encode = encode_for_query }
local as_form = { option = "form", encode = encode_for_form,
  keeps_false = true }

--- Encodes a query.
-- @tparam table t `{{name, value}, ...}`, in order, or name = value or a list
-- of values, sorted by name; false: none
-- @treturn string without the question mark
function form.query(t) return join(as_query, t) end

--- Encodes a form.
-- @tparam table t as for a query, but false is the value "false": there is no
-- default to take away
-- @treturn string
function form.encode(t) return join(as_form, t) end

return form
