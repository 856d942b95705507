--- What has moved in curlew's counters, and nothing else.

local counters = {}

local singles = { "opened", "open", "collected_unclosed" }
local groups = { "released_by", "leaked_by" }

--- Compares two results of stats().
-- @tparam table before
-- @tparam table now
-- @treturn table the differences that are not 0: { opened = 10, tbc = 10 }
function counters.moved(before, now)
  local out = {}
  local function note(name, was, is)
    if is ~= was then out[name] = is - was end
  end
  for _, name in ipairs(singles) do note(name, before[name], now[name]) end
  for _, group in ipairs(groups) do
    for name, value in pairs(now[group]) do
      note(name, before[group][name], value)
    end
  end
  return out
end

return counters
