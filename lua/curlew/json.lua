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

local function load_default()
  local dkjson = require "dkjson"

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

  return { encode = dkjson.encode, decode = decode, null = dkjson.null }
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

return json
