--- shape: the words of the interface that are not libcurl's, turned into what
-- the core reads. Pure: no I/O, no change to what it is given, no checks of
-- values that the options table checks.
-- SPDX-License-Identifier: MIT

local form = require "curlew.form"

local shape = {}

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
  for _, name in ipairs(form.names("query", defaults)) do
    merged[name] = defaults[name]
  end
  for _, name in ipairs(form.names("query", own)) do
    merged[name] = own[name]
  end
  return merged
end

local function copy(value)
  if type(value) ~= "table" then return value end
  local to = {}
  for name, one in pairs(value) do to[name] = copy(one) end
  return to
end

-- At most one of them has a value.
local bodies = { "body", "file", "form", "json", "multipart" }

local function check_one_body(options)
  local found
  for _, name in ipairs(bodies) do
    if options[name] and found then
      error(("options '%s' and '%s': one body at most"):format(found, name), 0)
    end
    if options[name] then found = name end
  end
end

-- The name of the option that is a body of words, and what the core reads for
-- it; none: it has the body as it is, or false.
local function shape_body(options, encode_json)
  check_one_body(options)
  if options.json then return "json", encode_json(options.json) end
  if options.form then return "form", form.encode(options.form) end
  if options.multipart then
    local multipart = require "curlew.multipart" -- few ever need it
    return "multipart", multipart.parts(options.multipart)
  end
end

local function has_body_of_words(options)
  return options.json ~= nil or options.form ~= nil or options.multipart ~= nil
end

-- What the core is not to see: of a table that holds the url too, and of one
-- that does not (a url in there is given twice, which it says).
local shaped = { [1] = true, url = true, query = true }
local shaped_query = { query = true }

local function copy_without(options, names)
  local rest = {}
  for name, value in pairs(options) do
    if not names[name] then rest[name] = value end
  end
  return rest
end

-- A fault found here is the caller's: raise it at the line that called http.
local function at_caller(f, ...)
  local ok, result, more = pcall(f, ...)
  if not ok and result == "not enough memory" then error(result, 0) end
  if not ok then error(result, 4) end
  return result, more
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
-- @tparam function encode_json of a value: its text, or raises without position
-- @treturn string url with its query
-- @treturn table|nil options for the core
function shape.request(url, options, words, encode_json)
  local defaults = words and words.query
  if options == nil and not defaults and type(url) == "string" then
    return url -- as most are
  end
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
  local query = at_caller(merge, defaults, own)
  if query and type(url) == "string" then
    url = with_query(url, at_caller(form.query, query))
  end
  local body, text
  if options and has_body_of_words(options) then
    body, text = at_caller(shape_body, options, encode_json)
  end
  if options and (together or own ~= nil or body) then
    options = copy_without(options, together and shaped or shaped_query)
  end
  if body then options[body] = text end
  return url, options
end

-- Options have tables in tables, and nothing of ours is deeper.
local function copy_to(depth, value)
  if type(value) ~= "table" or depth == 0 then return value end
  local to = {}
  for name, one in pairs(value) do to[name] = copy_to(depth - 1, one) end
  return to
end

--- Copies a request for whom it is handed to: what that changes in it is no
-- change for anybody else. The value of `json` is not ours to copy.
-- @tparam table request
-- @treturn table request
function shape.copy(request)
  local to = {}
  for name, value in pairs(request) do
    to[name] = name == "json" and value or copy_to(2, value)
  end
  return to
end

--- The arguments of a request as one table, to be copied before it is changed.
-- @tparam string|nil method
-- @tparam string|table url or the table that holds it
-- @tparam[opt] table options
-- @treturn table request with method, url, and headers
function shape.together(method, url, options)
  local given = options or type(url) == "table" and url or {}
  local request = copy_without(given, { [1] = true })
  request.url = type(url) == "string" and url or given[1] or given.url
  request.method = method or given.method or "GET"
  if request.headers == nil then request.headers = {} end
  return request
end

-- The names of header lines, in small letters: name = what it is called here.
local function field_names(headers)
  local names = {}
  for key, value in pairs(headers) do
    local listed = math.type(key) and type(value) == "table"
    local name = tostring(listed and value[1] or key)
    names[name:lower()] = name
  end
  return names
end

--- Shapes the options of download: a copy, with headers of its own.
-- @tparam[opt] table options as shape.request has left them
-- @treturn table options for the core
-- @treturn string|nil sha256
function shape.download(options)
  local headers = options and options.headers
  if options and options.check == false then
    error("option 'check': download always checks", 3)
  elseif headers ~= nil and type(headers) ~= "table" then
    error("option 'headers': table expected, got " .. type(headers), 3)
  end
  local names = field_names(headers or {})
  local own = names.range or names["if-range"]
  if own then
    error(("option 'headers': field '%s': download sets it itself"):format(own),
      3)
  end
  local given = copy_without(options or {}, { sha256 = true })
  given.headers = copy_without(headers or {}, {})
  if not names["accept-encoding"] then -- ranges are of the bytes as sent
    table.insert(given.headers, 1, { "Accept-Encoding", "identity" })
  end
  return given, options and options.sha256
end

--- Shapes the arguments of core.client: options for the core, words for us.
-- @tparam[opt] table options
-- @tparam[opt] client parent
-- @tparam[opt] table parent_words
-- @treturn table|nil options
-- @treturn table words
-- @treturn client|nil parent
function shape.client(options, parent, parent_words)
  if options ~= nil and type(options) ~= "table" then
    error("options: table expected, got " .. type(options), 3)
  end
  local own
  if options then own = options.query end
  if own then at_caller(form.query, own) end -- found out now, not later
  local query = merge(parent_words and parent_words.query, own)
  if own ~= nil then options = copy_without(options, shaped_query) end
  local chain = parent_words and parent_words.chain
  return options, { query = copy(query or nil), chain = chain }, parent
end

return shape
