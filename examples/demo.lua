--- make demo: starts a server, makes the mistake, and fetches a page.
local support = require "spec.support"
local http = require "curlew"

local lua = arg[-1]

local function run(path, ...)
  _G.arg = { [0] = path, ... } -- as the stand-alone lua does
  dofile(path)
end

io.stdout:setvbuf("line")
local nginx = support.nginx()
print(("%s on libcurl %s; nginx serves at %s"):format(http._VERSION,
  http.features().libcurl, nginx.http))

run("examples/bodies.lua", nginx.http)

print("\n  And many at once, as the waiting is done:")
for _, wait in ipairs { "builtin", "cqueues", "luv" } do
  if wait == "builtin" or pcall(require, wait) then -- a process has one
    assert(os.execute(("%s examples/handlers.lua %s '' %s"):format(lua, wait,
      nginx.http)))
  end
end
print("\n  And the ten lines of the README:\n")
run("examples/page.lua", nginx.https .. "/method", nginx.ca)

nginx:close()
