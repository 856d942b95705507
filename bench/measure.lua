-- measure: the ways to count what a command costs. Instructions are
-- callgrind's, system calls are strace's; CPU time and memory are the kernel's,
-- and the command itself prints them.
local measure = {}

--- All that a command says; it must succeed.
function measure.output(command)
  local pipe = assert(io.popen("ulimit -n 4096; " .. command))
  local text = pipe:read("a")
  if not pipe:close() then error(command .. "\n" .. text, 0) end
  return text
end

function measure.median(values)
  table.sort(values)
  local half = #values // 2
  if #values % 2 == 1 then return values[half + 1] end
  return (values[half] + values[half + 1]) / 2
end

function measure.instructions(command)
  local said = measure.output("valgrind --tool=callgrind " ..
    "--callgrind-out-file=/dev/null " .. command .. " 2>&1 >/dev/null")
  return tonumber(said:match("Collected : (%d+)"))
end

function measure.syscalls(command)
  local name = os.tmpname()
  measure.output(("strace -f -c -o %s %s"):format(name, command))
  local file <close> = assert(io.open(name))
  os.remove(name)
  local calls = "100%.00%s+[%d.]+%s+%d+%s+(%d+)[^\n]* total"
  return tonumber(file:read("a"):match(calls))
end

--- The numbers that a command prints.
function measure.numbers(command)
  local numbers = {}
  for word in measure.output(command):gmatch("%S+") do
    numbers[#numbers + 1] = tonumber(word)
  end
  assert(#numbers > 0, command)
  return numbers
end

function measure.memory(command) return measure.numbers(command)[2] end

--- What one more costs: command is a format for the count. Start-up is
-- measured away.
function measure.each(count, command, few, many)
  return (count(command:format(many)) - count(command:format(few))) /
    (many - few)
end

-- One number of all rounds; with 'base', its ratio to that command's, which
-- is 0 where that is.
local function column(rounds, command, number, base)
  local values = {}
  for i, said in ipairs(rounds) do
    local unit = base and said[base][number] or 1
    values[i] = unit ~= 0 and said[command][number] / unit or 0
  end
  return measure.median(values)
end

--- Runs the commands in turn, A B A B, after one round for the caches.
-- Returns for each of them the medians of its numbers and, in `ratio`, the
-- medians of their ratios to the first one's.
function measure.interleaved(rounds, ...)
  local commands, all, results = { ... }, {}, {}
  for i = 0, rounds do
    all[i] = {}
    for n, command in ipairs(commands) do
      all[i][n] = measure.numbers(command)
    end
  end
  for n in ipairs(commands) do
    results[n] = { ratio = {} }
    for number in ipairs(all[1][n]) do
      results[n][number] = column(all, n, number)
      results[n].ratio[number] = column(all, n, number, 1)
    end
  end
  return table.unpack(results)
end

return measure
