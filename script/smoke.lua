--- smoke: whether curlew loads and a request is answered, for systems without
-- the tools of the specs.
--   lua script/smoke.lua URL
local http = require "curlew"

local page = assert(http.fetch(arg[1], { check = true, timeout = 60 }))
assert(page.body == "hello", page.body)

do
  local r <close> = assert(http.get(arg[1], { timeout = 60 }))
  assert(r:read(1) == "h" and r:read("a") == "ello")
end
assert(http.stats().open == 0 and http.leaks.audit())
print(http._VERSION .. ", " .. _VERSION .. ", libcurl "
  .. http.features().libcurl .. ": works")
