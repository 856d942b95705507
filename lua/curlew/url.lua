--- url: urls taken apart, joined, and their queries encoded.
-- SPDX-License-Identifier: MIT

local core = require "curlew.core"
local form = require "curlew.form"

local url = { parse = core.url.parse, join = core.url.join }

--- Encodes a query, as the option of that name is.
-- @tparam table t `{{name, value}, ...}`, in order, or name = value or a list
-- of values, sorted by name; false: none
-- @treturn string without the question mark
function url.query(t)
  local ok, result = pcall(form.query, t)
  if not ok then error((result:gsub("^option 'query'", "query")), 2) end
  return result
end

return url
