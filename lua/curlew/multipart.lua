--- multipart: the parts of a multipart/form-data body, checked before anything
-- is opened or sent. Pure: whether a file can be read shows later.
-- SPDX-License-Identifier: MIT

local core = require "curlew.core"

local multipart = {}

local function fail(where, what, ...)
  error(("option 'multipart': %s%s"):format(where, what:format(...)), 0)
end

local function part_name(i) return ("part %d: "):format(i) end

-- Whoever names it so means this.
local hints = {
  content = "[1]", value = "[1]", data = "[1]", text = "[1]", contents = "[1]",
  path = "file", handle = "file", file_name = "filename", fileName = "filename",
  content_type = "type", mime = "type", mimetype = "type", media_type = "type",
  ["Content-Type"] = "type", ["content-type"] = "type", producer = "body",
}

local function refuse_key(where, key)
  if type(key) ~= "string" then
    fail(where, "name, [1], file, body, filename or type expected, got [%s]",
      tostring(key))
  end
  local hint = hints[key]
  fail(where, "unknown member '%s'%s", key,
    hint and (" (did you mean %s?)"):format(hint) or "")
end

local function check_text(where, key, value)
  if type(value) ~= "string" then
    fail(where, "%s: string expected, got %s", key, type(value))
  elseif value == "" then
    fail(where, "%s: it is empty", key)
  elseif value:find("\0", 1, true) then
    fail(where, "%s: it holds a NUL byte", key)
  end
end

-- Every line break of a name has its spelling in the header (%0A); a type has
-- none.
local function check_type(where, key, value)
  check_text(where, key, value)
  if value:find("%c") then fail(where, "%s: it holds a control byte", key) end
end

local function check_content(where, _, value)
  local kind = type(value)
  if kind ~= "string" and kind ~= "number" then
    fail(where, "[1]: string or number expected, got %s", kind)
  elseif kind == "number" and not core.number_text(value) then
    fail(where, "[1]: a finite number expected, got %s", tostring(value))
  end
end

local function check_file(where, key, value)
  if io.type(value) == "closed file" then fail(where, "file: it is closed") end
  if io.type(value) then return end
  if type(value) ~= "string" then
    fail(where, "file: a path or an open file expected, got %s", type(value))
  end
  check_text(where, key, value)
end

local function check_body(where, _, value)
  if type(value) ~= "function" then
    fail(where, "body: function expected, got %s%s", type(value),
      type(value) == "string" and " (text is [1])" or "")
  end
end

local members = {
  [1] = check_content, body = check_body, file = check_file,
  filename = check_text, name = check_text, type = check_type,
}

local contents = { 1, "body", "file" }

local function spelled(key) return key == 1 and "[1]" or key end

local function check_one_content(where, part)
  local found
  for _, key in ipairs(contents) do
    if part[key] ~= nil and found then
      fail(where, "%s and %s: one content expected", spelled(found),
        spelled(key))
    end
    if part[key] ~= nil then found = key end
  end
  if not found then
    fail(where, "it has no content: [1], file or body expected")
  end
end

-- As basename(3): the last part that is not empty.
local function basename(path) return path:match("([^/]+)/*$") or path end

-- libcurl knows the types of these (Curl_mime_contenttype).
local known = {
  gif = true, htm = true, html = true, jpeg = true, jpg = true, pdf = true,
  png = true, svg = true, txt = true, xml = true,
}

-- As browsers do: a file has a type (RFC 7578 section 4.4).
local function needs_type(part)
  local extension = part.filename and (part.filename:match("%.(%w+)$") or "")
  return extension and not part.type and not known[extension:lower()]
end

local function checked(where, part)
  if type(part) ~= "table" then
    fail(where, "{name =, ...} expected, got %s", type(part))
  end
  local copy = {}
  for key, value in pairs(part) do
    local check = members[key]
    if not check then refuse_key(where, key) end
    check(where, key, value)
    copy[key] = value
  end
  if not part.name then fail(where, "it has no name") end
  check_one_content(where, part)
  if math.type(copy[1]) then copy[1] = core.number_text(copy[1]) end
  if type(part.file) == "string" and not part.filename then
    copy.filename = basename(part.file)
  end
  if needs_type(copy) then copy.type = "application/octet-stream" end
  return copy
end

--- Checks the parts.
-- @tparam table list
-- of `{ name =, [1]= | file = | body =, filename =, type = }`
-- @treturn table a copy; `filename` is filled in where `file` is a path, `type`
-- where nobody else knows it
function multipart.parts(list)
  if type(list) ~= "table" then
    fail("", "a list of parts expected, got %s", type(list))
  end
  local count = 0
  for key in pairs(list) do
    if math.type(key) ~= "integer" or key < 1 then
      fail("", "a list of parts expected: {{name = \"a\", \"text\"}, ...}, "
        .. "got a table with [%s]", tostring(key))
    end
    count = count + 1
  end
  if count == 0 then fail("", "it has no part") end
  local copy = {}
  for i = 1, count do copy[i] = checked(part_name(i), list[i]) end
  return copy
end

return multipart
