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

-- The value, with such tables replaced by what dkjson leaves alone. What is too
-- deep is dkjson's to refuse.
local function without_counted(value, replace, depth)
  if type(value) ~= "table" or depth > 1000 then return value end
  local meta = getmetatable(value)
  if type(meta) ~= "table" then meta = nil end
  if meta and meta.__tojson then return value end
  if is_counted(value) then return replace(value) end
  local copy, changed = {}, false
  for key, one in pairs(value) do
    copy[key] = without_counted(one, replace, depth + 1)
    changed = changed or not rawequal(copy[key], one)
  end
  return changed and setmetatable(copy, meta) or value
end

local function load_default()
  local dkjson = require "dkjson"

  local function encode_counted(self)
    return '{"n":' .. dkjson.encode(self[1]) .. "}"
  end

  local function replace(t)
    return setmetatable({ t.n }, { __tojson = encode_counted })
  end

  local function encode(value, ...)
    return dkjson.encode(without_counted(value, replace, 1), ...)
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
