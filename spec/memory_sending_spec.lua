--- Each allocation of Lua fails once, one after the other, in a script that
-- sends bodies and downloads. The script never crashes and leaves no
-- descriptor, and the count invariant holds.

local support = require "spec.support"
local memory = require "spec.support.memory"

local SENDING = [[
local http = require "curlew"
local url, file, new = ...

local function giver(...)
  local pieces = table.pack(...)
  return function() return table.remove(pieces, 1) end
end

local function put(options)
  local page = assert(http.fetch(url .. "/taken", options))
  assert(page.body == options.method .. " /method")
end

do -- a body of each kind
  local text = "text" -- string.rep makes no room when there is none
  for _ = 1, 12 do text = text .. text end
  put { method = "PUT", body = text }
  put { method = "POST", json = { a = 1, list = { true, "b" } } }
  put { method = "PATCH", form = { { "a", "1" }, { "b", "\u{e4}" } } }
  put { method = "PUT", file = file }
  put { method = "PUT", body = giver("one", "two", "three") }
  put { method = "PUT", body = giver("one", "two"), length = 6 }
  put { method = "POST", multipart = { { name = "a", "text" },
    { name = "b", file = file }, { name = "c", body = giver("d", "e") } } }
  local handle <close> = assert(io.open(file, "rb"))
  put { method = "PUT", file = handle }
end

do -- one that gives up, one that waits
  local page, err = http.fetch(url .. "/taken", { method = "PUT",
    body = function() return nil, "no more" end })
  if page or err.code ~= "cancelled" then error(err) end
  local asked = false
  put { method = "PUT", body = function()
    if asked then return nil end
    asked = true
    return assert(http.fetch(url .. "/small")).body
  end }
end

do -- with credentials
  local client <close> = http.client { base_url = url,
    auth = { bearer = function() return "token", 60 end } }
  for _ = 1, 2 do assert(client:fetch("method")) end
  local page = assert(client:fetch("private", {
    auth = { basic = { "user", "pass" } } }))
  assert(page.status == 401 or page.status == 200)
  assert(client:fetch("method", { auth = { digest = { "user", "pass" } } }))
end

do -- made again
  local page = assert(http.fetch(url .. "/status/307", { method = "PUT",
    body = "text", redirects = 1 }))
  assert(page.status == 405 and #page.history == 1)
  page = assert(http.fetch(url .. "/status/503", { method = "PUT",
    body = "text", retry = { times = 1, max_delay = 0.001 } }))
  assert(page.status == 503)
end

do -- looked at
  local ends, trace <close> = 0, assert(io.tmpfile())
  local r <close> = assert(http.put(url .. "/taken", { body = "text",
    on_end = function(info) ends = ends + (info.times and 1 or 0) end,
    trace = trace, progress = function() end }))
  assert(#r:text() > 0 and #tostring(r.request) > 0)
  r:close()
  assert(ends == 1 and trace:seek("end") > 100)
end

do -- downloaded
  local got = assert(http.download(url .. "/20k", new))
  assert(got.bytes == 20 * 1024)
end
]]

describe("Without memory, sending,", function()
  local script

  setup(function()
    script = { memory.write("sending.lua", SENDING), support.nginx().http,
      memory.write("sent", ("sent"):rep(1000)), support.folder() .. "/new" }
  end)

  for name, test in pairs(memory.tests) do
    it(name, function() test(script) end)
  end
end)
