--- page: what fetch returns: a finished response. It holds nothing open.
-- SPDX-License-Identifier: MIT

local core = require "curlew.core"

local Page = {}
Page.__index = Page
Page.__name = "curlew.page"

local page = { methods = Page }

local function teach_colon(self, name)
  if getmetatable(self) ~= Page then
    error("call page:" .. name .. "(...) with a colon", 3)
  end
end

--- Makes a page of a response whose body has been read.
-- @tparam response r
-- @tparam string body
-- @treturn page
function page.new(r, body)
  return setmetatable({
    status = r.status,
    reason = r.reason,
    ok = r.ok,
    url = r.url,
    http_version = r.http_version,
    headers = r.headers,
    trailers = r.trailers,
    length = r.length,
    media_type = r.media_type,
    charset = r.charset,
    filename = r.filename,
    request = r.request,
    history = r.history,
    info = r.info,
    body = body,
  }, Page)
end

--- Opens a response and reads its whole body. A body that is cut short is a
-- failure like any other, so the request may be retried.
-- @tparam function opener opener(client, nil, url, options, last)
-- @treturn page|nil
-- @treturn error what went wrong
function page.fetch(opener, client, url, options)
  local last, cut
  repeat
    local r <close>, err = opener(client, nil, url, options, last)
    if not r then return nil, err end
    local body
    body, cut = r:text()
    if body then return page.new(r, body) end
    last = r
  until not core.retries(r)
  return nil, cut
end

--- The values of a field, each line's, as received.
-- @tparam string name
-- @treturn string... none when absent
function Page:header(name)
  teach_colon(self, "header")
  return core.values(self.headers, name)
end

--- Refuses any status but 200-299.
-- @treturn page|nil itself
-- @treturn error code "status"
function Page:check()
  teach_colon(self, "check")
  if self.ok then return self end
  local err = core.failure("status", self.request.method, self.url,
    self.status, self.reason)
  err.headers, err.received = self.headers, #self.body
  err.body = self.body:sub(1, 4096)
  return nil, err
end

function Page:__tostring() -- no url: that may hold a secret
  return ("curlew.page (%d, %d bytes)"):format(self.status, #self.body)
end

return page
