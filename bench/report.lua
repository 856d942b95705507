-- report: the table that the bench prints.
local report = {}

local row = "| %s | %s | %s | %s | %s | %s |"

function report.head()
  print(row:format("what", "floor", "curlew", "ratio", "hold", ""))
  print("|---|--:|--:|--:|---|---|")
end

--- ratio: nil where there is none; holds: whether what is to hold does.
function report.line(what, floor, ours, ratio, hold, holds)
  print(row:format(what, floor, ours, ratio and ("%.2f"):format(ratio) or "-",
    hold, holds and "ok" or "**over**"))
  io.flush()
end

function report.count(n) return ("%.1f"):format(n) end
function report.thousands(n) return ("%.1fk"):format(n / 1000) end
function report.micros(s) return ("%.1f us"):format(s * 1e6) end
function report.seconds(s) return ("%.3f s"):format(s) end
function report.kib(n)
  return (n < 100 and "%.1f KiB" or "%.0f KiB"):format(n)
end

return report
