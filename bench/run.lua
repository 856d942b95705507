-- run: measures curlew against bench/floor.c and prints one table.
-- Instructions are callgrind's, CPU time is getrusage's (user and system),
-- system calls are strace's. Start-up is measured away: two sizes of a run,
-- their difference divided by the requests that are more.
package.path = "bench/?.lua;" .. package.path
package.cpath = os.getenv("CURLEW_BUILD") .. "/spec/?.so;" .. package.cpath
local server = require "server"

local floor = "build/bench/floor "
local held = "build/bench/held "
local get = "lua5.4 bench/get.lua "
local leak = "lua5.4 bench/leak.lua "

-- All that a command says; it must succeed.
local function output(command)
  local pipe = assert(io.popen("ulimit -n 4096; " .. command))
  local text = pipe:read("a")
  if not pipe:close() then error(command .. "\n" .. text, 0) end
  return text
end

local function median(values)
  table.sort(values)
  local half = #values // 2
  if #values % 2 == 1 then return values[half + 1] end
  return (values[half] + values[half + 1]) / 2
end

-- ---- the ways to count -----------------------------------------------------

local function instructions(command)
  local said = output("valgrind --tool=callgrind --callgrind-out-file=" ..
    "/dev/null " .. command .. " 2>&1 >/dev/null")
  return tonumber(said:match("Collected : (%d+)"))
end

local function syscalls(command)
  local name = os.tmpname()
  output(("strace -f -c -o %s %s"):format(name, command))
  local file <close> = assert(io.open(name))
  os.remove(name)
  local calls = "100%.00%s+[%d.]+%s+%d+%s+(%d+)[^\n]* total"
  return tonumber(file:read("a"):match(calls))
end

local function cpu(command)
  return assert(tonumber(output(command)))
end

-- What one request more costs: command is a format for the count.
local function each(count, command, few, many)
  return (count(command:format(many)) - count(command:format(few))) /
    (many - few)
end

-- The CPU of one request of each, and the median of their ratios: A B A B.
local function interleaved(one, other, requests, rounds)
  local ones, others, ratios = {}, {}, {}
  for i = 1, rounds do
    ones[i] = cpu(one:format(requests)) / requests
    others[i] = cpu(other:format(requests)) / requests
    ratios[i] = others[i] / ones[i]
  end
  return median(ones), median(others), median(ratios)
end

-- ---- the table -------------------------------------------------------------

local row = "| %s | %s | %s | %s | %s | %s |"

local function head()
  print(row:format("what", "floor", "curlew", "ratio", "hold", ""))
  print("|---|--:|--:|--:|---|---|")
end

local function line(what, a, b, ratio, hold, holds)
  print(row:format(what, a, b, ratio and ("%.2f"):format(ratio) or "-", hold,
    holds and "ok" or "**over**"))
  io.flush()
end

local function thousands(n) return ("%.1fk"):format(n / 1000) end
local function micros(s) return ("%.1f us"):format(s * 1e6) end
local function count(n) return ("%.1f"):format(n) end

-- ---- the rows --------------------------------------------------------------

local function same_bytes(url)
  local a = output(floor .. url .. "/raw 1 show")
  local b = output(get .. url .. "/raw 1 show")
  if a == b then return end
  error(("different requests:\nfloor\n%s\ncurlew\n%s"):format(a, b), 0)
end

local function sequential(url)
  local one, other = floor .. url .. "/small %d", get .. url .. "/small %d"
  local a = each(instructions, one, 200, 2200)
  local b = each(instructions, other, 200, 2200)
  line("sequential keep-alive GET of 1 KiB, instructions", thousands(a),
    thousands(b), b / a, "at most 1.15", b / a <= 1.15)
  local x, y, ratio = interleaved(one, other, 6000, 15)
  line("the same, CPU time", micros(x), micros(y), ratio, "at most 1.25",
    ratio <= 1.25)
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
  local x, y, ratio = interleaved(alone, beside, 6000, 15)
  line("the same, CPU time", micros(x), micros(y), ratio,
    "at most 1.05 x alone", ratio <= 1.05)
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

local function calls(url)
  local a = each(syscalls, floor .. url .. "/slow %d", 50, 550)
  local b = each(syscalls, get .. url .. "/slow %d", 50, 550)
  line("system calls a request, 2 ms at the server", count(a), count(b), b / a,
    "at most 5.5", b <= 5.5)
end

local function leaking(url)
  local said = output(leak .. url .. "/large 20000 2>/dev/null")
  local most, limit, forced = said:match("(%d+)%s+(%d+)%s+(%d+)")
  most, limit = tonumber(most), tonumber(limit)
  line("20,000 large ones forgotten beside 30 MB, most open", "-",
    ("%d (%s collections)"):format(most, forced), nil,
    ("at most %d"):format(limit), most <= limit)
end

local nginx <close> = server.start()
same_bytes(nginx.url)
head()
sequential(nginx.url)
beside_unread(nginx.url, "older")
beside_unread(nginx.url, "younger")
beside_unread_floor(nginx.url)
calls(nginx.url)
leaking(nginx.url)
