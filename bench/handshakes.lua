-- handshakes: the rows for connections that have to be made. Each takes a
-- server that speaks TLS (server.lua).
local measure = require "measure"
local report = require "report"

local handshakes = {}

local function millis(s) return ("%.1f ms"):format(s * 1e3) end

function handshakes.tls(server)
  local COUNT, ROUNDS, FIRST, OTHERS = 50, 7, 1, 2
  local words = (" %s/small %d %s"):format(server.fresh, COUNT, server.fresh_ca)
  local a, b = measure.interleaved(ROUNDS, "build/bench/connect" .. words,
    "$LUA bench/connect.lua" .. words)
  report.line("a new verified TLS connection, CPU, after the state's first",
    millis(a[OTHERS]), millis(b[OTHERS]), b.ratio[OTHERS], "at most 4 ms",
    b[OTHERS] <= 0.004)
  report.line("the state's first", millis(a[FIRST]), millis(b[FIRST]),
    b.ratio[FIRST], "-", true)
end

return handshakes
