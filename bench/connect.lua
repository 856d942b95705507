-- connect: a new verified TLS connection for each request (the server closes
-- them), the work that bench/connect.c does without us.
-- connect.lua URL COUNT CA
-- Prints the CPU seconds of the first, and of one of the others.
local usage = dofile "bench/usage.lua"
local http = require "curlew"

local url, count = arg[1], tonumber(arg[2])
local options = { check = true, tls = { ca = arg[3] } }

local begun = usage.cpu()
assert(http.fetch(url, options))
local first = usage.cpu() - begun
for _ = 1, count do assert(http.fetch(url, options)) end
local others = usage.cpu() - begun - first
assert(http.stats().connections.opened == count + 1)
print(("%.6f %.6f"):format(first, others / count))
