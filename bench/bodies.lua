-- bodies: the rows for large bodies. Each takes a server that is bound to one
-- processor, where all that is measured runs as well: each side finds a socket
-- that the other has filled or emptied. Left to the scheduler, the figures
-- depend on who sits where, and have two values, twice as much the one as the
-- other. The bytes come by sendfile: cold, as those of a network card are.
local measure = require "measure"
local report = require "report"

local line, seconds, kib = report.line, report.seconds, report.kib

local bodies = {}

local ROUNDS = tonumber(os.getenv "ROUNDS") or 11
local DEFAULT, LARGE = 16 * 1024, 512 * 1024 -- receive buffers
local ZEROS = -- the SHA-256 of 1 GiB of them
  "49bc20df15e412a64472421e13fe86ff1c5165e18b2afccf160d4dc19fe68a14"
local CPU, MEMORY, WALL = 1, 2, 3 -- what the programs print

-- A command of each side; 'buffer' is ours alone.
local function floor(server, name, how)
  return ("taskset -c %d build/bench/body %s/small %s/sent/%s %s"):format(
    server.cpu, server.url, server.url, name, how)
end

local function ours(server, name, buffer, how)
  return ("taskset -c %d $LUA bench/body.lua %s/small %s/sent/%s %d %s")
    :format(server.cpu, server.url, server.url, name, buffer, how)
end

local function growth(what, a, b)
  line(what .. ", growth of the process", kib(a[MEMORY]), kib(b[MEMORY]), nil,
    "under 1 MiB", b[MEMORY] < 1024)
end

local function cpu(what, a, b, most)
  line(what, seconds(a[CPU]), seconds(b[CPU]), b.ratio[CPU],
    most and ("at most %g"):format(most) or "-",
    not most or b.ratio[CPU] <= most)
end

function bodies.stream(server)
  server:hole("huge", 1 << 30)
  local a, b, c = measure.interleaved(ROUNDS, floor(server, "huge", "discard"),
    ours(server, "huge", DEFAULT, "discard"),
    ours(server, "huge", LARGE, "discard"))
  cpu("1 GiB discarded, CPU", a, b, 1.15)
  growth("the same", a, b)
  cpu("1 GiB discarded, a buffer of 512 KiB, CPU (floor: default)", a, c, 0.8)
  growth("the same", a, c)
end

-- Held to where writing costs nothing. What a real file system adds is shown
-- only: the same pieces took 0.5 or 1 s there by how scattered the system's
-- free memory was. The file is always a new one: to free an old one's pages
-- costs as much again.
function bodies.file(server)
  server:hole("huge", 1 << 30)
  local disk = server.dir .. "/target"
  local first = ("rm -f %s; "):format(disk)
  local function row(name, path, rounds, most)
    local how = "file " .. path
    local a, b = measure.interleaved(rounds,
      first .. floor(server, "huge", how),
      first .. ours(server, "huge", LARGE, how))
    cpu(("1 GiB to %s, a buffer of 512 KiB, CPU (floor: default)"):format(name),
      a, b, most)
  end
  row("/dev/null", "/dev/null", ROUNDS, 0.8)
  row("a new file", disk, 7)
  local a, b, c = measure.interleaved(3, -- each waits for the disk
    first .. floor(server, "huge", "file " .. disk),
    first .. ours(server, "huge", LARGE, "download " .. disk),
    first .. ours(server, "huge", LARGE,
      ("download %s %s"):format(disk, ZEROS)))
  cpu("1 GiB by download, synced, CPU (floor: a new file, default buffer)", a,
    b)
  cpu("the same with its SHA-256", a, c)
  os.remove(disk)
end

function bodies.text(server)
  local SIZE = 100 << 20
  server:hole("hundred", SIZE)
  local a, b = measure.interleaved(ROUNDS, floor(server, "hundred", "text"),
    ours(server, "hundred", DEFAULT, "text"))
  cpu("100 MiB into one string, CPU", a, b, 1.1)
  local x, y = a[MEMORY] * 1024 / SIZE, b[MEMORY] * 1024 / SIZE
  line("the same, peak memory by its size", ("%.2f"):format(x),
    ("%.2f"):format(y), y / x, "at most 2.1", y <= 2.1)
end

-- Lines as of a server's log, of 40 to 200 bytes.
local function log_lines(size)
  local lines, bytes = {}, 0
  local form = "192.0.2.%d - - [%02d/Nov/2026:%02d:%02d:%02d +0000] " ..
    "\"GET /%s HTTP/1.1\" 200 %d\n"
  math.randomseed(4)
  while bytes < size do
    local text = form:format(math.random(255), math.random(28),
      math.random(0, 23), math.random(0, 59), math.random(0, 59),
      ("folder/"):rep(math.random(0, 9)), math.random(99999))
    lines[#lines + 1] = text
    bytes = bytes + #text
  end
  return table.concat(lines)
end

function bodies.lines(server)
  local SIZE, BLOCK = 200 << 20, 1 << 20
  local path = server:file("log", log_lines(BLOCK), SIZE // BLOCK)
  local io_lines = ("taskset -c %d $LUA bench/body.lua - %s - io"):format(
    server.cpu, path)
  local a, b = measure.interleaved(ROUNDS, io_lines,
    ours(server, "log", DEFAULT, "lines"))
  local function rate(s) return ("%.0f MiB/s"):format(SIZE / s / (1 << 20)) end
  local ratio, wall = 1 / b.ratio[CPU], 1 / b.ratio[WALL]
  line("lines of a log of 200 MiB, by CPU time (floor: io.lines)",
    rate(a[CPU]), rate(b[CPU]), ratio, "at least 0.5", ratio >= 0.5)
  line("the same, by the clock", rate(a[WALL]), rate(b[WALL]), wall, "-", true)
  os.remove(path)
end

-- Here the floor is the plain library undoing the same bytes from a file.
function bodies.bombs(server)
  local encode = require "encode_support"
  local command = "$LUA bench/bomb.lua %s/small %s/bombs/%s %s"
  for _, coding in ipairs { "gzip", "deflate", "br", "zstd" } do
    local path = server.dir .. "/bombs/" .. coding
    encode.bomb(coding, 1 << 30, path)
    local own = measure.numbers("build/bench/decode " .. path .. " " .. coding)
    for _, how in ipairs { "paused", "read" } do
      local grown = measure.numbers(command:format(server.url, server.url,
        coding, how))
      local more = grown[1] - (how == "read" and own[1] or 0)
      line(("a %s bomb of 1 GiB, %s, growth"):format(coding, how),
        how == "read" and kib(own[1]) or "-", kib(grown[1]), nil,
        "under 1 MiB above", more < 1024)
    end
  end
end

-- At least 0.9 of the floor's throughput for the same CPU time: at most 1.11
-- of its time.
function bodies.upload(server)
  local size = 1 << 30
  local hole = server:hole("huge", size)
  local command = "taskset -c %d %s %s/small %s/sink %d %s"
  local function row(name, how, most)
    local a, b = measure.interleaved(ROUNDS,
      command:format(server.cpu, "build/bench/upload", server.url, server.url,
        size, how),
      command:format(server.cpu, "$LUA bench/upload.lua", server.url,
        server.url, size, how))
    cpu(("1 GiB sent from %s, CPU"):format(name), a, b, most)
    line("the same, by the clock", seconds(a[WALL]), seconds(b[WALL]),
      b.ratio[WALL], "-", true)
    growth("the same", a, b)
  end
  row("a file", "file " .. hole, 1.11)
  row("a function, pieces of 64 KiB", "pieces 65536", 1.11)
  row("a function, pieces of 1 MiB", "pieces 1048576", 1.11)
end

return bodies
