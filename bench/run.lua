-- run: measures curlew against plain libcurl in C, and prints one table.
-- ROWS in the environment chooses groups of rows, by their names below.
package.path = "bench/?.lua;" .. package.path
package.cpath = os.getenv("CURLEW_BUILD") .. "/spec/?.so;" .. package.cpath
local bodies = require "bodies"
local handshakes = require "handshakes"
local posix = require "posix_support"
local report = require "report"
local requests = require "requests"
local server = require "server"
local tasks = require "tasks"

local groups = {
  { "sequential", requests }, { "h2", requests }, { "cold", requests },
  { "beside", requests }, { "calls", requests }, { "held", requests },
  { "leaking", requests }, { "many", tasks }, { "streams", tasks },
  { "fair", tasks }, { "waiting", tasks }, { "tls", handshakes },
  { "stream", bodies }, { "file", bodies }, { "text", bodies },
  { "lines", bodies }, { "bombs", bodies }, { "upload", bodies },
}

-- Which were asked for: all, where none is named.
local function chosen(words)
  local want, known = {}, {}
  for _, group in ipairs(groups) do known[group[1]] = true end
  for name in words:gmatch("[^%s,]+") do
    if not known[name] then error("no rows are called " .. name, 0) end
    want[name] = true
  end
  return next(want) and want or known
end

-- The rows of one kind, beside a server of their own.
local function run(kind, want, options)
  local rows = {}
  for _, group in ipairs(groups) do
    local name, of = table.unpack(group)
    if of == kind and want[name] then rows[#rows + 1] = kind[name] end
  end
  if #rows == 0 then return end
  local nginx <close> = server.start(options)
  if kind.check then kind.check(nginx) end
  for _, row in ipairs(rows) do row(nginx) end
end

-- Whether curlew needs a new easy handle for each exchange (src/README.md).
local function needs_new_handles()
  local major, minor, patch = require "curlew".features().libcurl
    :match("^(%d+)%.(%d+)%.(%d+)")
  return major * 10000 + minor * 100 + patch < 80101
end

if needs_new_handles() then posix.setenv("BENCH_HANDLES", "new") end

local want = chosen(os.getenv("ROWS") or "")
report.head()
run(requests, want, {})
run(tasks, want, {})
run(handshakes, want, { tls = true })
run(bodies, want, { bound = true })
