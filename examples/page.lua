--- Fetches a page, and reads another as it comes.
--   lua5.4 examples/page.lua URL [CA_FILE]
local http = require "curlew"

local url = arg[1] or "https://example.com/"
local options = { check = true, timeout = 5, tls = arg[2] and { ca = arg[2] } }

local page = assert(http.fetch(url, options)) -- finished: nothing to close
print(page.status, #page.body, page.headers["content-type"])

do
  local r <close> = assert(http.get(url, options)) -- open: owned by this scope
  print(r.status, r:read(3), "then released, whatever happens")
end
print("open now:", http.stats().open)
