--- Small GETs over HTTP/2 on one connection and on one each, with and without
-- an unread response of 1 GiB, by plain libcurl (bench/multiplex.c). The
-- figures are in doc/decisions/http2-multiplexing.md.
--   lua5.4 bench/multiplex.lua [COUNT]
-- Needs build/bench/multiplex and build/spec (make support).

package.path = "./?.lua;./?/init.lua;" .. package.path
package.cpath = "build/spec/?.so;" .. package.cpath

local nginx = require "spec.support".nginx()
local count = arg[1] or "6400"

local ways = { each = { "" }, warm = { "" }, one = { "" }, fresh = {},
  late = {}, apart = {} }

for _, how in ipairs { "each", "warm", "one", "fresh", "late", "apart" } do
  local bigs = ways[how]
  bigs[#bigs + 1] = nginx.https2 .. "/1g"
  for _, big in ipairs(bigs) do
    for _, small in ipairs { "/small", "/65k" } do
      io.write(small, "  ")
      io.flush()
      os.execute(("build/bench/multiplex %s %s%s %s 63 %s %s"):format(nginx.ca,
        nginx.https2, small, count, how, big))
    end
  end
end
