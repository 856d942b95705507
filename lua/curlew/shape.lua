--- shape: the words of the interface that are not libcurl's, turned into what
-- the core reads. Pure: no I/O, no change to what it is given, no checks of
-- values that the options table checks.
-- SPDX-License-Identifier: MIT

local shape = {}

-- RFC 3986 section 2.3: what is not unreserved is percent-encoded.
local function encode(text)
  return (text:gsub("[^%w%-._~]", function(byte)
    return ("%%%02X"):format(byte:byte())
  end))
end

local encodable = { string = true, number = true, boolean = true }

local function add_one(parts, name, value)
  if not encodable[type(value)] then
    error(("option 'query': %s: string, number, boolean or a list expected, "
      .. "got %s"):format(name, type(value)), 0)
  elseif value ~= false then
    parts[#parts + 1] = encode(tostring(name)) .. "=" .. encode(tostring(value))
  end
end

local function add_pair(parts, name, value)
  if type(name) ~= "string" and type(name) ~= "number" then
    error("option 'query': a name expected, got a " .. type(name), 0)
  end
  if type(value) ~= "table" then return add_one(parts, name, value) end
  for _, one in ipairs(value) do add_one(parts, name, one) end
end

-- The names of a table, but for its list part.
local function sorted_names(t)
  local names, listed = {}, #t
  for name in pairs(t) do
    if type(name) == "string" then
      names[#names + 1] = name
    elseif math.type(name) ~= "integer" or name < 1 or name > listed then
      error("option 'query': a name expected, got " .. tostring(name), 0)
    end
  end
  table.sort(names)
  return names
end

--- Encodes a query.
-- @tparam table t `{{name, value}, ...}`, in order, or name = value or a list
-- of values, sorted by name; false: none
-- @treturn string without the question mark
function shape.query(t)
  if type(t) ~= "table" then
    error("option 'query': table expected, got " .. type(t), 0)
  end
  local parts = {}
  for _, pair in ipairs(t) do
    if type(pair) ~= "table" or #pair ~= 2 then
      error("option 'query': {name, value} expected in a list", 0)
    end
    add_pair(parts, pair[1], pair[2])
  end
  for _, name in ipairs(sorted_names(t)) do add_pair(parts, name, t[name]) end
  return table.concat(parts, "&")
end

-- Appends an encoded query to a url, before its fragment.
local function with_query(url, query)
  if query == "" then return url end
  local before, fragment = url:match("^([^#]*)(.*)$")
  local glue = "?"
  if before:find("?", 1, true) then
    glue = before:match("[?&]$") and "" or "&"
  end
  return before .. glue .. query .. fragment
end

-- The client's query under the request's: pairs of both, names of both.
local function merge(defaults, own)
  if own == false or not defaults then return own or nil end
  if own == nil then return defaults end
  local merged = table.move(defaults, 1, #defaults, 1, {})
  table.move(own, 1, #own, #merged + 1, merged)
  for _, name in ipairs(sorted_names(defaults)) do
    merged[name] = defaults[name]
  end
  for _, name in ipairs(sorted_names(own)) do merged[name] = own[name] end
  return merged
end

local function copy(value)
  if type(value) ~= "table" then return value end
  local to = {}
  for name, one in pairs(value) do to[name] = copy(one) end
  return to
end

local shaped = { [1] = true, url = true, query = true }

local function copy_without(options, names)
  local rest = {}
  for name, value in pairs(options) do
    if not names[name] then rest[name] = value end
  end
  return rest
end

-- A fault found here is the caller's: raise it at the line that called http.
local function at_caller(f, ...)
  local ok, result = pcall(f, ...)
  if not ok then error(result, 4) end
  return result
end

-- Takes the url out of get{url, ...} and request{url = ...}.
local function take_url(options)
  if options[1] ~= nil and options.url ~= nil then
    error("option 'url': the url is given twice", 4)
  end
  return options[1] or options.url
end

--- Shapes the arguments of a request.
-- @tparam string|table url or the table that holds it
-- @tparam[opt] table options
-- @tparam[opt] table words a client's defaults that the core does not know
-- @treturn string url with its query
-- @treturn table|nil options for the core
function shape.request(url, options, words)
  local together = type(url) == "table" and options == nil
  if together then
    options = url
    url = take_url(options)
  end
  if type(options) ~= "table" then
    if options ~= nil then
      error("options: table expected, got " .. type(options), 3)
    end
    options = nil
  end
  local own
  if options then own = options.query end
  if own and type(own) ~= "table" then
    error("option 'query': table expected, got " .. type(own), 3)
  end
  local query = at_caller(merge, words and words.query, own)
  if query and type(url) == "string" then
    url = with_query(url, at_caller(shape.query, query))
  end
  if options and (together or own ~= nil) then
    options = copy_without(options, shaped)
  end
  return url, options
end

--- Shapes the arguments of core.client: options for the core, words for us.
-- @tparam[opt] table options
-- @tparam[opt] client parent
-- @tparam[opt] table parent_words
-- @treturn table|nil options
-- @treturn table|nil words
-- @treturn client|nil parent
function shape.client(options, parent, parent_words)
  if options ~= nil and type(options) ~= "table" then
    error("options: table expected, got " .. type(options), 3)
  end
  local own
  if options then own = options.query end
  if own then at_caller(shape.query, own) end -- found out now, not later
  local query = merge(parent_words and parent_words.query, own)
  if own ~= nil then options = copy_without(options, { query = true }) end
  return options, query and { query = copy(query) } or nil, parent
end

return shape
