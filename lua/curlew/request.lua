--- request: the methods of what was asked, `r.request`.
-- SPDX-License-Identifier: MIT

local core = require "curlew.core"

local request = {}

-- A folder can be opened, and has a "." in it.
local function is_folder(path)
  local file <close> = io.open(path .. "/.")
  return file ~= nil
end

-- What command.line takes: the request, and what was sent that it hides.
local function described(self)
  local wire = core.wire(self) or { options = {} }
  local options = {}
  for name, value in pairs(wire.options) do options[name] = value end
  options.user_agent = options.user_agent or "curlew/" .. core.version
  if options.decode ~= false then options.accept_encoding = core.accepted end
  if wire.userinfo then options.auth = "basic" end
  local secrets = {}
  for _, name in ipairs(wire.secrets or {}) do secrets[name:lower()] = true end
  local ca = options.tls and options.tls.ca
  options.ca_is_folder = type(ca) == "string" and is_folder(ca)
  return {
    method = self.method, url = self.url, headers = self.headers,
    removed = wire.removed, options = options,
    body = wire.body, length = wire.length, file = wire.file,
    multipart = wire.multipart, content_type = wire.content_type,
  }, secrets
end

--- The request as a command of the curl tool, for sh. Secrets are masked: the
-- values of Authorization, Proxy-Authorization and Cookie, userinfo; the query
-- is as it was.
-- @treturn string
function request.curl(self)
  local meta = getmetatable(self)
  if type(meta) ~= "table" or meta.__name ~= "curlew.request" then
    error("call request:curl() with a colon", 2)
  end
  return require("curlew.command").line(described(self))
end

return request
