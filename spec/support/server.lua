--- The face of `peer`: a server of canned bytes in a child process.
-- A spec says what each connection does, byte by byte, and asks what came.
--
--    local server <close> = support.server()
--    server:reply("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
--
-- Each accepted connection runs the next script; the last script repeats.
-- A script that ends without saying so closes its connection.

local translate = require("spec.support.translate")

local Server = {}
Server.__index = Server
Server.__name = "support.server"

local PATIENCE = 15 -- seconds; longer than the peer's own

local plain = {
  request = true, -- reads one request and records its bytes
  head = true, -- reads the head of one alone, and records it as a request
  wait = true, -- until server:go()
  hold = true, -- silent until the client closes
  close = true, -- closes as servers do: says so, then waits for the client
  reset = true, -- RST
  shutdown = true, -- half close; over TLS a close_notify
  cut = true, -- over TLS: closes without close_notify
  deafen = true, -- connections from now on have no answer, neither yes nor no
  refuse = true, -- connections from now on are refused
}

local encode_steps

local function counted(verb, bytes)
  return ("%s %d\n%s"):format(verb, #bytes, bytes)
end

local function encode_pieces(pieces, out)
  for _, piece in ipairs(pieces) do
    out[#out + 1] = counted("piece", piece)
  end
end

-- One step of a script may be several steps of the peer.
local function encode_step(step, out)
  if type(step) == "string" and plain[step] then
    out[#out + 1] = step .. "\n"
  elseif type(step) ~= "table" then
    error(("unknown step: %s"):format(step), 4)
  elseif step.take then
    out[#out + 1] = counted("take", ("%d"):format(step.take))
  elseif step.send then
    out[#out + 1] = counted("send", step.send)
  elseif step.drip then
    out[#out + 1] = counted("drip", step.drip)
  elseif step.pieces then
    encode_pieces(step.pieces, out)
  elseif step.loop then
    out[#out + 1] = encode_steps("loop", step.loop)
  else
    error("a step is take, send, drip, pieces or loop", 4)
  end
end

function encode_steps(verb, steps)
  local out = {}
  for _, step in ipairs(steps) do encode_step(step, out) end
  return ("%s %d\n%s"):format(verb, #out, table.concat(out))
end

local function read_bytes(process, line)
  return process:read(math.tointeger(line:match("^bytes (%d+)$")))
end

local function read_list(process, n)
  local list = {}
  for i = 1, n do list[i] = read_bytes(process, process:read_line()) end
  return list
end

local function ask(self, command)
  local process = self.process
  if not process then error("this server is closed", 3) end
  assert(process:write(command))
  local line = process:read_line() or error("the peer has died", 3)
  local kind, rest = line:match("^(%a+) (.*)$")
  if kind == "bytes" then return read_bytes(process, line) end
  if kind == "list" then return read_list(process, math.tointeger(rest)) end
  if kind == "ok" then return math.tointeger(rest) end
  error("server: " .. line, 3)
end

--- Says what the next connection does. See the table of steps above; also
-- `{send = bytes}`, `{drip = bytes}` (one write a byte), `{pieces = {b1, b2}}`
-- (one write each, the client reads in between), `{loop = {steps}}`, and
-- `{take = n}` (reads n bytes and records them as a request).
function Server:script(steps)
  if self.translated then steps = translate(steps) end
  ask(self, encode_steps("script", steps))
  return self
end

--- One request, one answer, closed.
function Server:reply(bytes)
  return self:script({ "request", { send = bytes }, "close" })
end

--- Requests and answers on one connection, which then stays open.
function Server:replies(...)
  local steps = {}
  for _, bytes in ipairs({ ... }) do
    steps[#steps + 1] = "request"
    steps[#steps + 1] = { send = bytes }
  end
  steps[#steps + 1] = "hold"
  return self:script(steps)
end

--- The bytes of the n-th request; waits for it, raises after 10 s.
function Server:request(n) return ask(self, ("request %d\n"):format(n or 1)) end

--- The bytes of all requests so far, in the order of their arrival.
function Server:requests() return ask(self, "requests\n") end

--- The number of connections accepted so far.
function Server:connections() return ask(self, "connections\n") end

--- Waits until the client has ended n connections, raises after 10 s.
function Server:closed(n) return ask(self, ("closed %d\n"):format(n or 1)) end

--- The number of bytes written so far.
function Server:sent() return ask(self, "sent\n") end

--- Lets n connections (1) pass their "wait", now or when they come to it.
function Server:go(n)
  ask(self, ("go %d\n"):format(n or 1))
  return self
end

--- Ends all connections; forgets scripts, records and counts.
function Server:reset()
  ask(self, "reset\n")
  return self
end

function Server:close()
  local process = self.process
  self.process = nil
  if process then process:close() end
end

Server.__close = Server.close
Server.__gc = Server.close

--- Starts a server; `tls = {cert =, key =}` makes it one of HTTPS, which with
-- `asks = ca` lets in only who shows a certificate of that CA; `http2` makes it
-- one of HTTP/2 besides: what it sends are frames then (http2.lua), unless it
-- is `translated`, from what its scripts say of HTTP/1.1.
return function(posix, program, options)
  local tls = options and options.tls
  local argv = { program, tls and tls.cert, tls and tls.key,
    patience = PATIENCE }
  if tls and options.asks then argv[#argv + 1] = options.asks end
  if tls and options.http2 then argv[#argv + 1] = "h2" end
  local process = assert(posix.spawn(argv))
  local port = math.tointeger(process:read_line() or error("no peer started"))
  local url = tls and "https://localhost:%d" or "http://127.0.0.1:%d"
  local self = { process = process, port = port, url = url:format(port),
    translated = options and options.translated }
  return setmetatable(self, Server)
end
