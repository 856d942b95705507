-- get: keep-alive GETs one after the other, the work that bench/floor.c does
-- without us. get.lua URL COUNT [show | HELD BIG_URL [older]]
-- Prints the CPU seconds of the loop (user and system) and the memory in use
-- after it, in KiB; or the last body.
-- With HELD, so many responses of BIG_URL stay open and unread beside it, and
-- the connection in use is younger than theirs, or older.
local usage = dofile "bench/usage.lua"
local http = require "curlew"

local url, count = arg[1], tonumber(arg[2])
local show, held = arg[3] == "show", tonumber(arg[3]) or 0
local big, older = arg[4], arg[5] == "older"

-- With BENCH_CA, over HTTP/2, trusting that.
local ca, open = os.getenv("BENCH_CA"), http.get
if ca then
  local client = http.client { http_version = "2", tls = { ca = ca } }
  function open(target) return client:get(target) end
end

local function hold(n)
  local holding = {}
  for i = 1, n do holding[i] = assert(http.get(big)) end
  return holding
end

if held > 0 then http.limits { max_open = held + 16 } end
local holding = hold(older and held + 1 or held)
if older then assert(table.remove(holding, 1):read("a")) end
assert(http.stats().open == held)

local body
local function get(times)
  for _ = 1, times do
    local r <close> = assert(open(url))
    body = assert(r:read("a"))
  end
end

-- The held ones take in what they may before the count begins: first it has to
-- be sent.
if held > 0 then
  usage.nap(0.5)
  get(50)
end
local begun = usage.cpu()
get(count)
local used = usage.cpu() - begun

collectgarbage()
io.write(show and body or ("%.6f %d\n"):format(used, usage.memory("VmRSS")))
for _, r in ipairs(holding) do r:close() end
