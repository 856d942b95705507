--- document: writes the options table where people read it: in README.md, in
-- doc/reference.md and in types/curlew.lua, between marks. With "check" it
-- only says whether they are as it would write them.
--   lua5.4 script/document.lua [check]
local http = require "curlew"

local options = http.features().options

local function full_name(row)
  return row.group and row.group .. "." .. row.name or row.name
end

local function table_of_options()
  local lines = { "| option | value | default | what |", "|---|---|---|---|" }
  for _, row in ipairs(options) do
    local value = row.kind
    if row.choices then
      value = '`"' .. table.concat(row.choices, '"`, `"') .. '"`'
    end
    lines[#lines + 1] = ("| `%s` | %s | %s | %s |"):format(full_name(row),
      value, row.default or "", row.doc)
  end
  return table.concat(lines, "\n")
end

local luacats = {
  seconds = "number", ["path or PEM text"] = "string",
  ["path, PEM text or list"] = "string|string[]",
  ["string or list"] = "string|string[]",
  ["any value"] = "any",
  ["4 or 6"] = "4|6", ["url or false"] = "string|false",
  ["table of addresses"] = "table<string, string|false>",
  ["boolean or function"] = "boolean|fun(r: curlew.Response): any",
  ["list of names"] = "string[]",
  ["list of parts"] = "curlew.Part[]",
  ["list of statuses and error codes"] = "(integer|string)[]",
  ["open file"] = "file*",
  ["path or file"] = "string|file*",
  ["{user, password}"] = "string[]",
}

local function class_of(group)
  return "curlew." .. group:gsub("^%l", string.upper)
end

-- What a group may be instead of a table.
local scalars = { timeout = "number|", retry = "integer|" }

-- Functions, each with its own form.
local functions = {
  ["auth.bearer"] = "string|fun(stale: boolean): string?, any",
  body = "string|fun(): string?, any",
  on_end = "fun(info: curlew.End)",
  progress = "fun(p: curlew.Progress): boolean?",
}

local function field(row)
  local name = row.group and row.group .. "." .. row.name or row.name
  local kind = functions[name] or luacats[row.kind] or row.kind
  if row.choices then kind = '"' .. table.concat(row.choices, '"|"') .. '"' end
  return ("---@field %s? %s %s"):format(row.name, kind, row.doc)
end

-- A class a group, then the class of all.
local function classes()
  local groups, order, first = {}, {}, {}
  for _, row in ipairs(options) do
    if row.group and not groups[row.group] then
      groups[row.group] = { "---@class " .. class_of(row.group) }
      order[#order + 1] = row.group
    end
    local into = row.group and groups[row.group] or first
    into[#into + 1] = field(row)
  end
  local lines = {}
  for _, group in ipairs(order) do
    table.move(groups[group], 1, #groups[group], #lines + 1, lines)
    lines[#lines + 1] = ""
    local scalar = scalars[group] or ""
    first[#first + 1] = ("---@field %s? %s%s"):format(group, scalar,
      class_of(group))
  end
  lines[#lines + 1] = "---@class curlew.Options"
  table.move(first, 1, #first, #lines + 1, lines)
  return table.concat(lines, "\n")
end

local function read(path)
  local file <close> = assert(io.open(path))
  return file:read("a")
end

-- The text with what stands between the marks replaced.
local function filled(text, from, to, what)
  local _, start = text:find(from, 1, true)
  local stop = text:find(to, start, true)
  return text:sub(1, start) .. "\n" .. what .. "\n" .. text:sub(stop)
end

local places = {
  { "README.md", "<!-- options -->", "<!-- end -->", table_of_options },
  { "doc/reference.md", "<!-- options -->", "<!-- end -->", table_of_options },
  { "types/curlew.lua", "-- options", "-- end", classes },
}

local stale = {}
for _, place in ipairs(places) do
  local path, from, to, make = table.unpack(place)
  local old = read(path)
  local new = filled(old, from, to, make())
  if new ~= old then stale[#stale + 1] = path end
  if new ~= old and arg[1] ~= "check" then
    local file <close> = assert(io.open(path, "w"))
    file:write(new)
  end
end
if arg[1] == "check" and #stale > 0 then
  print("stale: " .. table.concat(stale, ", ") .. "; run make doc")
  os.exit(1, true)
end
