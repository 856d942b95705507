--- download: asks for what is missing of a file until it is whole. The bytes go
-- from the engine to the file (core.part_take), never through here.
-- SPDX-License-Identifier: MIT

local core = require "curlew.core"

local download = {}

-- The options for the next try; a client's own Range is never sent.
local function asking(options, from, validator)
  local headers = {}
  for name, value in pairs(options.headers) do headers[name] = value end
  local n = #headers
  headers[n + 1] = { "Range", from and ("bytes=%d-"):format(from) or false }
  headers[n + 2] = { "If-Range", validator or false }
  local asked = {}
  for name, value in pairs(options) do asked[name] = value end
  asked.headers = headers
  return asked
end

local function refusal(r)
  if r.ok then -- but no file
    local err = core.failure("status", "GET", r.url, r.status, r.reason)
    err.headers = r.headers
    return err
  end
  local _, err = r:check()
  return err
end

-- Makes one request. False: the rest cannot be had, so the whole file must be
-- requested, once. The third value: a response whose body was cut.
local function attempt(open, client, part, path, url, options, previous)
  local from, validator = core.part_ask(part)
  local r <close>, err = open(client, "GET", url,
    asking(options, from, validator), previous)
  if r then
    local file
    file, err = core.part_take(r, path, nil, part)
    if file ~= nil then return file end
    if err then return nil, err, r end
    return nil, refusal(r)
  elseif from and err.code == "status"
    and core.part_refused(part, err.status) then
    return false
  end
  return nil, err
end

--- Downloads what `url` leads to, or what is missing of it. A body that is cut
-- is a failure as any other: a retry goes on where it was.
-- @tparam function open core.open, or what opens through middleware
-- @tparam client client
-- @tparam string path
-- @tparam string url
-- @tparam table options as shape.download has made them
-- @tparam[opt] string sha256
-- @treturn table|nil `path`, `bytes`, `sha256`, `resumed`
-- @treturn error what went wrong
function download.run(open, client, path, url, options, sha256)
  local part <close>, err = core.part(client, url, path, sha256)
  if not part then return nil, err end
  local told = core.says(client, "buffer") or core.says(client, "sealed")
  if not options.buffer and not told then
    options.buffer = 512 * 1024 -- it is large, as far as anybody knows
  end
  local file, last
  repeat
    file, err, last = attempt(open, client, part, path, url, options, last)
  until file or file == nil and not (last and core.retries(last))
  return file, err
end

return download
