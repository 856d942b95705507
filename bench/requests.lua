-- requests: the rows for many small requests, and for responses that are held
-- or forgotten meanwhile. Each takes a server.
local measure = require "measure"
local posix = require "posix_support"
local report = require "report"

local output, each = measure.output, measure.each
local instructions, syscalls = measure.instructions, measure.syscalls
local line, thousands, micros = report.line, report.thousands, report.micros

local floor = "build/bench/floor "
local held = "build/bench/held "
local get = "$LUA bench/get.lua "
local leak = "$LUA bench/leak.lua "

local requests = {}

--- Raises unless both sides send the same bytes.
function requests.check(server)
  local url = server.url
  local a = output(floor .. url .. "/raw 1 show")
  local b = output(get .. url .. "/raw 1 show")
  if a == b then return end
  error(("different requests:\nfloor\n%s\ncurlew\n%s"):format(a, b), 0)
end

-- The CPU of one request of each, and the median of their ratios.
local function cpu(one, other)
  local COUNT, ROUNDS = 6000, 15
  local a, b = measure.interleaved(ROUNDS, one:format(COUNT),
    other:format(COUNT))
  return micros(a[1] / COUNT), micros(b[1] / COUNT), b.ratio[1]
end

-- The cost of a new easy handle, which is included on both sides of the rows
-- below.
local function handles(url)
  local one = floor .. url .. "/small %d"
  local b = each(instructions, one, 200, 2200)
  local before = os.getenv("BENCH_HANDLES")
  if not before then return end
  posix.setenv("BENCH_HANDLES", nil)
  local a = each(instructions, one, 200, 2200)
  posix.setenv("BENCH_HANDLES", before)
  line("a GET without and with a new easy handle (before libcurl 8.1.1)",
    thousands(a), thousands(b), b / a, "-", true)
end

function requests.sequential(server)
  local url = server.url
  handles(url)
  local one, other = floor .. url .. "/small %d", get .. url .. "/small %d"
  local a = each(instructions, one, 200, 2200)
  local b = each(instructions, other, 200, 2200)
  line("sequential keep-alive GET of 1 KiB, instructions", thousands(a),
    thousands(b), b / a, "at most 1.15", b / a <= 1.15)
  local x, y, ratio = cpu(one, other)
  line("the same, CPU time", x, y, ratio, "at most 1.25", ratio <= 1.25)
end

function requests.h2(server)
  local one = floor .. server.secure .. "/small %d"
  local other = get .. server.secure .. "/small %d"
  posix.setenv("BENCH_CA", server.ca)
  local a = each(instructions, one, 200, 2200)
  local b = each(instructions, other, 200, 2200)
  line("sequential GET of 1 KiB over HTTP/2 and TLS, instructions",
    thousands(a), thousands(b), b / a, "at most 1.10", b / a <= 1.10)
  local x, y, ratio = cpu(one, other)
  line("the same, CPU time", x, y, ratio, "-", true)
  posix.setenv("BENCH_CA", nil)
end

function requests.cold(server)
  local url = server.url .. "/small"
  local a, b = measure.interleaved(41, floor .. url .. " 1 cold",
    "$LUA bench/cold.lua " .. url)
  line("cold start: require and one GET, CPU", micros(a[1]), micros(b[1]),
    b.ratio[1], "at most 1.25", b.ratio[1] <= 1.25)
  line("the same, memory", report.kib(a[2]), report.kib(b[2]), b.ratio[2], "-",
    true)
end

-- Here the floor is curlew itself with nothing else open. libcurl looks for a
-- connection among all those to the host, the oldest first: it matters
-- whether the one that is free is older than those of the unread, or younger.
local function beside_unread(url, age)
  local alone = get .. url .. "/small %d"
  local beside = alone .. " 1000 " .. url .. "/large " .. age
  local a = each(instructions, alone, 200, 2200)
  local b = each(instructions, beside, 200, 2200)
  local what = "beside 1,000 unread, on a connection %s than theirs"
  line(what:format(age) .. ", instructions (floor: alone)", thousands(a),
    thousands(b), b / a, "at most 1.05 x alone", b / a <= 1.05)
  local x, y, ratio = cpu(alone, beside)
  line("the same, CPU time", x, y, ratio, "at most 1.05 x alone",
    ratio <= 1.05)
end

-- The same, of plain libcurl: what none of its users can do anything about.
local function beside_unread_floor(url)
  local alone = held .. url .. "/small %d"
  local beside = alone .. " 1000 " .. url .. "/large"
  local a = each(instructions, alone, 200, 2200)
  local b = each(instructions, beside, 200, 2200)
  line("the same in plain libcurl, younger, instructions (alone, beside)",
    thousands(a), thousands(b), b / a, "-", true)
end

function requests.beside(server)
  beside_unread(server.url, "older")
  beside_unread(server.url, "younger")
  beside_unread_floor(server.url)
end

function requests.calls(server)
  local url = server.url
  local a = each(syscalls, floor .. url .. "/slow %d", 50, 550)
  local b = each(syscalls, get .. url .. "/slow %d", 50, 550)
  line("system calls a request, 2 ms at the server", report.count(a),
    report.count(b), b / a, "at most 5.5", b <= 5.5)
end

-- The growth of resident memory by each response that is open and unread, the
-- engine having been moved by other requests.
local function memory_of_unread(url, path)
  local command = "%s%s/small 100 %%d %s" .. path
  local a = each(measure.memory, command:format(held, url, url), 100, 1100)
  local b = each(measure.memory, command:format(get, url, url), 100, 1100)
  return a, b
end

function requests.held(server)
  local a, b = memory_of_unread(server.url, "/stalls")
  line("open and unread, 14 KiB of its body there, memory", report.kib(a),
    report.kib(b), b / a, "at most 45 KiB", b <= 45)
  a, b = memory_of_unread(server.url, "/large")
  line("the same, its body outgrows all buffers", report.kib(a),
    report.kib(b), b / a, "-", true)
end

function requests.leaking(server)
  local url = server.url
  local said = output(leak .. url .. "/large 20000 2>/dev/null")
  local most, limit, forced = said:match("(%d+)%s+(%d+)%s+(%d+)")
  most, limit = tonumber(most), tonumber(limit)
  line("20,000 large ones forgotten beside 30 MB, most open", "-",
    ("%d (%s collections)"):format(most, forced), nil,
    ("at most %d"):format(limit), most <= limit)
end

return requests
