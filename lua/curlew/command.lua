--- command: a request as a command line of the curl tool, for people: to see
-- it, to send it again, to show it to somebody. Secrets are masked. Pure.
-- SPDX-License-Identifier: MIT

local command = {}

local MASK = "***"

-- A longer argument is refused by Linux (MAX_ARG_STRLEN, 128 KiB).
local LONGEST = 100 * 1024

-- curl itself asks before it sends as much (EXPECT_100_THRESHOLD).
local MIB = 1024 * 1024

local always_secret = {
  authorization = true, ["proxy-authorization"] = true, cookie = true,
}

-- For sh: as it is where that is safe, else in single quotes.
local function quote(text)
  if text:find("^[%w@%%+,./:_-]+$") then return text end
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

local function octal(byte) return ("\\%03o"):format(byte:byte()) end

-- For sh's printf: any byte, on one line. A hyphen would begin an option.
local function printf(text)
  local safe = text:gsub("[^%w !-$&(-,./:-@%[%]^-`{-~]", octal)
  return "printf '" .. safe .. "'"
end

-- ---- what is being written ----

local Line = {}
Line.__index = Line

local function new_line(request, secrets)
  return setmetatable({
    request = request, secrets = secrets or {}, words = { "curl" }, notes = {},
    options = request.options or {}, named = {},
  }, Line)
end

function Line:add(...)
  for _, word in ipairs { ... } do
    self.words[#self.words + 1] = quote(word)
  end
end

function Line:note(text) self.notes[#self.notes + 1] = text end

-- A comment ends with its line.
function Line:text()
  local text = table.concat(self.words, " ")
  if self.input then text = self.input .. " | " .. text end
  if #self.notes == 0 then return text end
  return text .. " # " .. table.concat(self.notes, "; "):gsub("%c", "?")
end

-- ---- where ----

local function mask_userinfo(url)
  return (url:gsub("^(%a[%w+.-]*://)[^/?#]*@", "%1" .. MASK .. ":" .. MASK
    .. "@"))
end

local function add_url(line)
  local url = mask_userinfo(line.request.url)
  if url:find("[][{}]") then line:add("-g") end
  line:add(url)
end

-- What curl makes of a line that names none.
local function implied_method(request)
  local told = not request.body or type(request.body) == "string"
  if not told and not request.length then return "PUT" end
  local body = request.body or request.file or request.multipart
  return body and "POST" or "GET"
end

local function add_method(line)
  local method = line.request.method or "GET"
  local implied = implied_method(line.request)
  if method == "HEAD" and implied == "GET" then
    line:add("-I")
  elseif method ~= implied then
    line:add("-X", method)
  end
end

local version_flags = { ["1.1"] = "--http1.1", ["2"] = "--http2",
  ["3"] = "--http3" }

-- Without TLS it is 1.1 here and there, but for an offer that curl would make.
local function add_version(line)
  if line.request.url:find("^https:") then
    line:add(version_flags[line.options.http_version or "1.1"])
  end
end

local function add_proxy(line, proxy)
  if proxy == false then return line:add("--noproxy", "*") end
  if type(proxy) == "string" then proxy = { url = proxy } end
  line:add("-x", mask_userinfo(proxy.url))
  if proxy.basic then line:add("--proxy-user", MASK .. ":" .. MASK) end
  if proxy.ca then line:add("--proxy-cacert", proxy.ca) end
end

local function add_where(line)
  local o = line.options
  if o.unix then line:add("--unix-socket", o.unix) end
  for _, to in ipairs(o.resolve or {}) do line:add("--connect-to", to) end
  if o.interface then line:add("--interface", o.interface) end
  if o.ip then line:add("-" .. o.ip) end
  if o.proxy ~= nil then add_proxy(line, o.proxy) end
end

-- A path; what is not told is another file's matter.
local function add_pem(line, flag, value, option)
  if value == true then
    line:note(("%s: a file with what %s was"):format(flag, option))
  elseif value then
    line:add(flag, value)
  end
end

local function add_tls(line)
  local tls = line.options.tls or {}
  if tls.verify == false then line:add("-k") end
  add_pem(line, line.options.ca_is_folder and "--capath" or "--cacert", tls.ca,
    "tls.ca")
  add_pem(line, "--cert", tls.cert, "tls.cert")
  add_pem(line, "--key", tls.key, "tls.key")
  if tls.key_password then line:add("--pass", MASK) end
  if tls.pin then line:add("--pinnedpubkey", tls.pin) end
  if tls.min then line:add("--tlsv" .. tls.min) end
  if tls.max then line:add("--tls-max", tls.max) end
end

local function add_auth(line)
  local kind = line.options.auth
  if kind == "bearer" then
    line:add("-H", "Authorization: Bearer " .. MASK)
  elseif kind == "netrc" then
    line:add("-n")
  elseif kind then
    if kind ~= "basic" then line:add("--" .. kind) end
    line:add("-u", MASK .. ":" .. MASK)
  end
end

-- ---- header lines ----

local function add_header(line, name, value)
  local lower = name:lower()
  line.named[lower] = true
  if value:find("^[ \t]*$") then
    line:add("-H", name .. ";")
  elseif always_secret[lower] or line.secrets[lower] then
    line:add("-H", name .. ": " .. MASK)
  else
    line:add("-H", name .. ": " .. value)
  end
end

-- Every line: of a view by its pairs, of a list one by one.
local function each_header(headers)
  if type(headers) ~= "table" then return pairs(headers or {}) end
  local i = 0
  return function()
    i = i + 1
    if headers[i] then return headers[i][1], headers[i][2] end
  end
end

-- Without a name: curl's own line is not to be sent.
local function remove_header(line, name)
  if not line.named[name:lower()] then line:add("-H", name .. ":") end
  line.named[name:lower()] = true
end

local function add_headers(line)
  local request, o = line.request, line.options
  for name, value in each_header(request.headers) do
    add_header(line, name, value)
  end
  for _, name in ipairs(request.removed or {}) do
    remove_header(line, name)
  end
  if o.user_agent and not line.named["user-agent"] then
    line:add("-A", o.user_agent)
  end
  if o.accept_encoding and not line.named["accept-encoding"] then
    line:add("-H", "Accept-Encoding: " .. o.accept_encoding)
    line:add("--compressed") -- undone, and the line above stands
  end
end

-- Of what curl would say of a body by itself.
local function add_body_headers(line, size)
  if line.request.content_type and not line.named["content-type"] then
    add_header(line, "Content-Type", line.request.content_type)
  end
  if not line.request.multipart then remove_header(line, "Content-Type") end
  if line.options.expect then
    add_header(line, "Expect", "100-continue")
  elseif not size or size >= MIB then
    remove_header(line, "Expect")
  end
end

-- ---- bodies ----

-- A path that curl takes for one: "-" is its standard input.
local function file_name(path) return path == "-" and "./-" or path end

local function add_text(line, text)
  if #text <= LONGEST and not text:find("\0", 1, true) then
    line:add("--data-raw", text)
  else
    line.input = printf(text)
    line:add("--data-binary", "@-")
  end
end

-- A length is only known where all has been read.
local function add_producer(line)
  if line.request.length then
    line:add("--data-binary", "@-")
  else
    line:add("-T", "-")
  end
  line:note("standard input: the body")
end

local function add_file(line, file)
  if type(file) == "string" then
    return line:add("--data-binary", "@" .. file_name(file))
  end
  line:add("--data-binary", "@-")
  line:note("standard input: the rest of the file")
end

-- curl's own quotes, in what -F takes.
local function form_quote(text)
  return '"' .. text:gsub('[\\"]', "\\%0") .. '"'
end

local function with_attributes(part, content)
  local words = { content }
  if part.filename then
    words[#words + 1] = "filename=" .. form_quote(part.filename)
  end
  if part.type then words[#words + 1] = "type=" .. part.type end
  return table.concat(words, ";")
end

local function add_text_part(line, part)
  local text = part[1]
  if text:find("\0", 1, true) or #text > LONGEST then
    line:add("-F", part.name .. "=" .. with_attributes(part, "<FILE"))
    line:note(("FILE: a file with the %d bytes of part %s"):format(#text,
      part.name))
  elseif part.type or part.filename then
    line:add("-F", part.name .. "=" .. with_attributes(part, form_quote(text)))
  else
    line:add("--form-string", part.name .. "=" .. text)
  end
end

local function add_part(line, part)
  if part.name:find("=", 1, true) then
    line:note("curl takes no part whose name has a =: " .. part.name)
  elseif part[1] then
    add_text_part(line, part)
  elseif type(part.file) == "string" then
    local content = "@" .. form_quote(file_name(part.file))
    line:add("-F", part.name .. "=" .. with_attributes(part, content))
  else
    local content = part.filename and "@-" or "<-"
    line:add("-F", part.name .. "=" .. with_attributes(part, content))
    line:note("standard input: part " .. part.name)
  end
end

local function add_body(line)
  local request = line.request
  local body = request.body
  if request.multipart then
    for _, part in ipairs(request.multipart) do add_part(line, part) end
  elseif request.file then
    add_file(line, request.file)
  elseif type(body) == "string" then
    add_text(line, body)
  elseif body then
    add_producer(line)
  else
    return
  end
  add_body_headers(line, type(body) == "string" and #body)
end

--- Writes the command.
-- @tparam table request `method`, `url`, `headers` (a view, or a list of
-- {name, value}), `removed` (names of lines that are not sent), one of `body`
-- (a string; whatever else is not told, with its `length` where that is known),
-- `file` (a path, or not told) and `multipart` (the parts, checked),
-- `content_type` where no header has it, and `options`: those that change what
-- is sent. Of these, `auth` is a kind ("basic"), `accept_encoding` what asks
-- for coded bodies, `resolve` a list of what --connect-to takes, `ca_is_folder`
-- so; `tls.ca`, `tls.cert` and `tls.key` are paths, or true: not told.
-- @tparam[opt] table secrets names of secret headers, in small letters, as keys
-- @treturn string for sh; the query is not masked
function command.line(request, secrets)
  local line = new_line(request, secrets)
  add_method(line)
  add_url(line)
  add_version(line)
  add_where(line)
  add_tls(line)
  add_auth(line)
  add_headers(line)
  add_body(line)
  return line:text()
end

return command
