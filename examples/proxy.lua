--- A proxy in cqueues that passes bodies on piece by piece. A slow client holds
-- its upstream back: of each body at most 64 KiB are here. When the client goes
-- away, the response is released at once, also while nothing comes.
--   lua5.4 examples/proxy.lua http://127.0.0.1:8080
-- It says where it is, serves GET, and tells under /held who holds what.
local cqueues = require "cqueues"
local socket = require "cqueues.socket"
local http = require "curlew"

http.loop "cqueues"
local upstream = http.client { base_url = arg[1] or "http://127.0.0.1:8080",
  decode = false, redirects = 0 } -- as they come

-- ---- one request ----

local HOP_BY_HOP = { connection = true, ["keep-alive"] = true, te = true,
  trailer = true, ["transfer-encoding"] = true, upgrade = true }

-- A body whose end is not known from its length comes in chunks: one that is
-- cut upstream must not look whole.
local function head(r)
  local lines = { ("HTTP/1.1 %d %s"):format(r.status, r.reason or "") }
  for name, value in pairs(r.headers) do
    if not HOP_BY_HOP[name:lower()] then
      lines[#lines + 1] = name .. ": " .. value
    end
  end
  if not r.length then lines[#lines + 1] = "Transfer-Encoding: chunked" end
  return table.concat(lines, "\r\n") .. "\r\nConnection: close\r\n\r\n"
end

local function pass_on(client, path)
  local r <close>, err = upstream:get(path)
  if not r then
    client:write(("HTTP/1.1 502 Bad Gateway\r\nConnection: close\r\n\r\n%s\n")
      :format(err.code))
    return
  end
  if not client:write(head(r)) then return end
  for piece in r:chunks() do -- raises when the body is cut
    local text = r.length and piece or ("%x\r\n%s\r\n"):format(#piece, piece)
    if not client:write(text) then return end -- waits while the client does
  end
  if not r.length then client:write("0\r\n\r\n") end
end

local function tell_held(client)
  local lines = { "HTTP/1.1 200 OK\r\nConnection: close\r\n\r" }
  for _, record in ipairs(http.leaks.open()) do
    lines[#lines + 1] = ("%s, %d read, %d held"):format(record.url,
      record.read, record.unread)
  end
  lines[#lines + 1] = ("%d open\n"):format(http.stats().open)
  client:write(table.concat(lines, "\n"))
end

-- The path that a GET asks for.
local function read_request(client)
  local line = client:read("*L") or ""
  local path = line:match("^GET (/%S*) HTTP/1%.[01]\r\n$")
  repeat line = client:read("*L") until not line or line == "\r\n"
  return path
end

local function answer(client, path)
  if path == "/held" then return tell_held(client) end
  if path then return pass_on(client, path) end
  client:write("HTTP/1.1 501 Not Implemented\r\nConnection: close\r\n\r\n")
end

-- ---- one client ----

-- The end of what a client says is the end of its interest.
local function watch(client, task)
  while client:read(-4096) do end
  task:cancel()
end

local function serve(client)
  client:setmode("b", "bn") -- what is written is the kernel's, or waits
  client:onerror(function(_, _, code) return code end)
  local path = read_request(client)
  do
    local scope <close> = http.scope()
    local task = scope:spawn(answer, client, path)
    scope:spawn(watch, client, task)
    local fine, why = pcall(task.wait, task)
    if not fine then io.stderr:write(tostring(why), "\n") end
  end
  client:close()
end

local server = assert(socket.listen { host = "127.0.0.1", port = 0 })
assert(server:listen())
local controller = cqueues.new()
controller:wrap(function()
  for client in server:clients() do controller:wrap(serve, client) end
end)

local _, _, port = server:localname()
print(("http://127.0.0.1:%d"):format(port))
io.stdout:flush()
for err in controller:errors() do io.stderr:write(tostring(err), "\n") end
