--- make demo: starts a server, makes the mistake, and fetches a page.
local support = require "spec.support"
local http = require "curlew"

local function run(path, ...)
  _G.arg = { [0] = path, ... } -- as the stand-alone lua does
  dofile(path)
end

io.stdout:setvbuf("line")
local nginx = support.nginx()
print(("%s on libcurl %s; nginx serves at %s"):format(http._VERSION,
  http.features().libcurl, nginx.http))

run("examples/bodies.lua", nginx.http)
print("\n  And the ten lines of the README:\n")
run("examples/page.lua", nginx.https .. "/method", nginx.ca)

nginx:close()
