--- json: the seam to a JSON codec. `http.json` is whose functions are used:
-- dkjson, loaded when it is first needed, or what a program puts there, for
-- example `http.json = require "cjson"`.
-- SPDX-License-Identifier: MIT

local core = require "curlew.core"

local json = {}

-- 1-based, as editors count.
local function place(text, at)
  local before = text:sub(1, at - 1)
  local _, breaks = before:gsub("\n", "")
  return ("line %d, column %d"):format(breaks + 1,
    at - (before:match("()[^\n]*$") - 1))
end

-- Whether dkjson would take a table for a list of n values: { n = 2 }.
local function is_counted(t)
  local key, value = next(t)
  return key == "n" and type(value) == "number" and next(t, key) == nil
end

-- The text of a number that dkjson would change, else nil: dkjson uses
-- tostring, which writes 14 digits of a float.
local function exact_text(number)
  if math.type(number) ~= "float" or number - number ~= 0 then return nil end
  local text = core.float_text(number)
  return text ~= tostring(number) and text or nil
end

local function number_text(number)
  if number - number ~= 0 then return "null" end -- as dkjson writes nan
  return exact_text(number) or tostring(number)
end

local function completed(copy, original)
  for key, value in pairs(original) do
    if copy[key] == nil then copy[key] = value end
  end
  return copy
end

-- A field __metatable does not hide a metatable here, because it does not hide
-- it from dkjson.
local metatable_of = debug and debug.getmetatable or getmetatable

-- The copy has the fields that dkjson reads of a metatable, and no finalizer.
local function with_meta(copy, meta)
  if not meta then return copy end
  return setmetatable(copy,
    { __jsontype = meta.__jsontype, __jsonorder = meta.__jsonorder })
end

-- Returns the value with literals in the place of numbers and tables that
-- dkjson would change: `literal(text)` is a table that dkjson encodes as that
-- text. A table without such values is returned itself. A table that is too
-- deep, or that contains itself, is left to dkjson, which refuses it. `inside`
-- holds the tables that contain the value.
local function with_literals(value, literal, inside, depth)
  if type(value) == "number" then
    local text = exact_text(value)
    return text and literal(text) or value
  elseif type(value) ~= "table" or depth > 1000 or inside[value] then
    return value
  end
  local meta = metatable_of(value)
  if type(meta) ~= "table" then meta = nil end
  if meta and meta.__tojson then return value end
  if is_counted(value) then
    return literal('{"n":' .. number_text(value.n) .. "}")
  end
  local changed
  inside[value] = true
  for key, one in pairs(value) do
    local other = with_literals(one, literal, inside, depth + 1)
    if not rawequal(other, one) then
      changed = changed or {}
      changed[key] = other
    end
  end
  inside[value] = nil
  return changed and with_meta(completed(changed, value), meta) or value
end

local function load_default()
  local dkjson = require "dkjson"

  local is_literal = { __tojson = function(self) return self[1] end }

  local function literal(text) return setmetatable({ text }, is_literal) end

  local function encode(value, ...)
    return dkjson.encode(with_literals(value, literal, {}, 1), ...)
  end

  -- dkjson stops behind the value and says nothing of what follows it.
  local function decode(text)
    local value, at, message = dkjson.decode(text, 1, dkjson.null)
    if message then return nil, message end
    local rest = text:find("%S", at)
    if rest then
      return nil, "more than one value, at " .. place(text, rest)
    end
    return value
  end

  return { encode = encode, decode = decode, null = dkjson.null }
end

--- The codec that is used when a program has set no other.
json.default = setmetatable({}, {
  __index = function(self, name)
    for key, value in pairs(load_default()) do rawset(self, key, value) end
    return rawget(self, name)
  end,
})

-- Codecs say what is wrong by raising, or by a message behind a nil.
local function decoded(ok, value, ...)
  if not ok and value == "not enough memory" then error(value, 0) end
  if not ok then return nil, tostring(value) end
  if value ~= nil then return value end
  for i = 1, select("#", ...) do
    local message = select(i, ...)
    if type(message) == "string" then return nil, message end
  end
  return nil, "the codec gives no value"
end

local function without_mark(text)
  return text:sub(1, 3) == "\239\187\191" and text:sub(4) or text
end

--- Decodes a body.
-- @tparam response|page source what the body belongs to
-- @tparam string text
-- @tparam function decode the codec's
-- @treturn any null is the codec's `null`
-- @treturn error code "json", which says where
function json.decode(source, text, decode)
  local value, message = decoded(pcall(decode, without_mark(text)))
  if value ~= nil then return value end
  local err = core.failure("json", source.request.method, source.url,
    source.status, "the body is no JSON: " .. message)
  err.headers, err.received = source.headers, source.info.received
  return nil, err
end

-- A codec that fails raises, or gives no string and perhaps a message.
local function encoded(ok, text, message)
  if ok and type(text) == "string" then return text end
  if not ok and text == "not enough memory" then error(text, 0) end
  if not ok then error("option 'json': " .. tostring(text), 0) end
  error(("option 'json': the codec gives a %s%s"):format(type(text),
    type(message) == "string" and ": " .. message or ""), 0)
end

--- Encodes the option json. Raises, without a position, what cannot be said.
-- @param value
-- @tparam table codec
-- @treturn string
function json.encode(value, codec)
  if type(codec) ~= "table" or type(codec.encode) ~= "function" then
    error("http.json: a table with functions encode and decode expected", 0)
  end
  local tree = require "curlew.tree"
  local ok, what = pcall(tree.check, value, codec.encode)
  if not ok and what ~= "not enough memory" then
    what = "option 'json': " .. tostring(what)
  end
  if not ok then error(what, 0) end
  local text = encoded(pcall(codec.encode, value))
  if not utf8.len(text) then
    error("option 'json': the codec gives text that is no UTF-8", 0)
  end
  return text
end

return json
