-- tasks: the rows for many tasks at once. Each takes a server, or has one of
-- its own.
local measure = require "measure"
local posix = require "posix_support"
local report = require "report"
local servers = require "server"

local each, line, micros = measure.each, report.line, report.micros

local tasks = {}

function tasks.many(server)
  local ROUNDS, what = 11, " " .. server.url .. "/small 20000 64"
  local a, b = measure.interleaved(ROUNDS, "build/bench/many" .. what,
    "$LUA bench/many.lua" .. what)
  line("20,000 GETs, 64 at once by map, CPU", report.seconds(a[1]),
    report.seconds(b[1]), b.ratio[1], "at most 1.2", b.ratio[1] <= 1.2)
end

-- Here the floor is curlew itself with 10 streams. No two chunks in a row are
-- of one stream: with 1,000 nothing of it is in the processor's caches any
-- more, neither ours nor libcurl's nor the kernel's. What that costs is seen in
-- plain libcurl, by epoll, too.
function tasks.streams()
  local COUNT, ROUNDS = 20000, 11
  local command = "$LUA bench/streams.lua %d %%d"
  local few, many = command:format(10), command:format(1000)
  local a = each(measure.instructions, few, 2000, 12000)
  local b = each(measure.instructions, many, 2000, 12000)
  line("a chunk of one of 1,000 slow streams, instructions (floor: of 10)",
    report.thousands(a), report.thousands(b), b / a, "at most 1.1",
    b / a <= 1.1)
  local plain = "build/bench/streams %d %d"
  local p, q, x, y = measure.interleaved(ROUNDS, plain:format(10, COUNT),
    plain:format(1000, COUNT), few:format(COUNT), many:format(COUNT))
  local own = q[1] / p[1]
  local ratio = y[1] / x[1]
  line("the same, CPU time", micros(x[1] / COUNT), micros(y[1] / COUNT), ratio,
    "at most 1.1", ratio <= 1.1)
  line("the same in plain libcurl", micros(p[1] / COUNT), micros(q[1] / COUNT),
    own, "-", true)
end

-- The GETs are another server's: one worker of nginx that sends over TLS to who
-- reads fast answers nobody else, also of another process.
function tasks.fair(server)
  local other <close> = servers.start {}
  server:hole("huge", 1 << 30)
  posix.setenv("BENCH_CA", server.ca)
  for _, base in ipairs { server.url, server.secure } do
    local said = measure.numbers(("$LUA bench/fair.lua %s/small %s/sent/huge")
      :format(other.url, base))
    local most, turns = said[1], math.tointeger(said[2])
    local what = "GETs beside 1 GiB%s, the most of it in one of their %d turns"
    what = what:format(base == server.secure and " over TLS" or "", turns)
    line(what, "-", report.kib(most / 1024), nil, "at most 64 KiB",
      most <= 64 << 10)
  end
  posix.setenv("BENCH_CA", nil)
end

function tasks.waiting()
  local command = "$LUA bench/waiting.lua %%d %s"
  local a = each(measure.memory, command:format("alone"), 100, 1100)
  local b = each(measure.memory, command:format("tasks"), 100, 1100)
  line("a waiting task, memory (floor: a coroutine and a response)",
    report.kib(a), report.kib(b), b / a, "at most 1.2", b / a <= 1.2)
end

return tasks
