--- The suite over another transport: CURLEW_OVER=tls, or http2. Then the
-- servers of specs speak that (init.lua), and here every client that makes no
-- other choice offers it and trusts the suite's certificates, in this process
-- and, by LUA_INIT, in the children. Nothing of curlew knows about it.

local over = { transport = os.getenv("CURLEW_OVER") }
if over.transport == "" then over.transport = nil end
over.http2 = over.transport == "http2"
assert(not over.transport or over.http2 or over.transport == "tls",
  "CURLEW_OVER is tls or http2")

-- As if it were one of curlew's files: its lines are nobody's calls.
local wrapper = [[
  local client, ca, version = ...
  return function(options, words, parent)
    if parent or options ~= nil and type(options) ~= "table" then
      return client(options, words, parent)
    end
    local all = {}
    for name, value in pairs(options or {}) do all[name] = value end
    if all.tls == nil then all.tls = { ca = ca } end
    if all.http_version == nil then all.http_version = version end
    return client(all, words, parent)
  end
]]

--- Before curlew is loaded. `ca` is the path of what is to be trusted.
function over.install(ca)
  local path = over.transport and package.searchpath("curlew", package.path)
  if not path then return end
  local home = path:match("^(.*)init%.lua$")
  local core = require("curlew.core")
  core.client = assert(load(wrapper, "@" .. home .. "over.lua"))(core.client,
    ca, over.http2 and "2" or nil)
end

--- What a child of a spec begins with, as LUA_INIT; false: nothing.
function over.init(file, ca)
  if not over.transport then return false end
  return ("dofile(%q).install(%q)"):format(file, ca)
end

return over
