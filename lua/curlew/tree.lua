--- tree: whether JSON can say a value, found out before a codec sees it. Codecs
-- differ in what they refuse, and some write what no parser takes. Pure.
-- SPDX-License-Identifier: MIT

local tree = {}

local DEEPEST = 1000 -- lua-cjson's own limit

local MOST = 40 -- bytes of a key in a message

local function step(key)
  if math.type(key) then return ("[%d]"):format(key) end
  if key:match("^[%a_][%w_]*$") and #key <= MOST then return "." .. key end
  local shown = key:sub(1, MOST):gsub("[^%g ]", function(byte)
    return ("\\x%02X"):format(byte:byte())
  end)
  return ('["%s%s"]'):format(shown, #key > MOST and "..." or "")
end

-- Where the walk is: at[1], at[2], ... are the keys that led there.
local function place(at)
  local steps = {}
  for i = 1, math.min(#at, 8) do steps[i] = step(at[i]) end
  if #at > 8 then steps[9] = "..." end
  return #at > 0 and table.concat(steps):gsub("^%.", "") .. ": " or ""
end

local function fail(at, what, ...)
  error(place(at) .. what:format(...), 0)
end

local check = {}

function check.boolean() end

function check.string(at, text)
  local length, byte = utf8.len(text)
  if not length then
    fail(at, "UTF-8 expected, byte %d of %d is not", byte, #text)
  end
end

function check.number(at, n)
  if n ~= n or n == math.huge or n == -math.huge then
    fail(at, "a finite number expected, got %s", n ~= n and "nan" or n)
  end
end

-- null is a userdata in most codecs; nobody but the codec knows which are fine.
local function check_other(at, value)
  local ok, text = pcall(at.encode, value)
  if ok and type(text) == "string" then return end
  fail(at, "a value that JSON has expected, got a %s", type(value))
end

local function check_key(at, key)
  if type(key) == "string" then
    at[#at + 1] = key
    check.string(at, key)
    at[#at] = nil
  elseif math.type(key) ~= "integer" or key < 1 then
    fail(at, "names, or 1, 2, ..., expected as keys, got %s", tostring(key))
  end
end

local function refuse_holes(at, t, listed)
  for i = 1, listed do
    if t[i] == nil then
      fail(at, "a list without holes expected, [%d] is nil "
        .. "(http.json.null is a null)", i)
    end
  end
end

-- A list or an object, not both.
local function check_keys(at, t)
  local listed, name = 0, nil
  for key in pairs(t) do
    check_key(at, key)
    if type(key) == "string" then name = key else listed = listed + 1 end
  end
  if name and listed > 0 then
    fail(at, "a list or an object expected, got a table that is both (%s)",
      (step(name):gsub("^%.", "")))
  end
  refuse_holes(at, t, listed)
end

local function walk(at, value)
  local f = check[type(value)] or check_other
  return f(at, value)
end

-- A table with __tojson is the codec's own matter.
local function custom(t)
  local meta = getmetatable(t)
  return type(meta) == "table" and meta.__tojson ~= nil
end

function check.table(at, t)
  if custom(t) then return end
  if at.inside[t] then fail(at, "the table holds itself") end
  if #at >= DEEPEST then fail(at, "deeper than %d tables", DEEPEST) end
  at.inside[t] = true
  check_keys(at, t)
  for key, value in pairs(t) do
    at[#at + 1] = key
    walk(at, value)
    at[#at] = nil
  end
  at.inside[t] = nil
end

--- Raises, without a position, what keeps a value from being JSON and where in
-- it that stands.
-- @param value
-- @tparam function encode the codec's, for values that Lua has no literal of
function tree.check(value, encode)
  walk({ inside = {}, encode = encode }, value)
end

return tree
