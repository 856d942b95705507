--- Real proxies as children of the suite: tinyproxy (http) and danted (socks).
-- Neither takes a socket that listens already, so each is told a port that was
-- free a moment ago, and another one when somebody else was faster.

local Proxy = {}
Proxy.__index = Proxy
Proxy.__name = "support.proxy"

local TRIES, PATIENCE = 5, 10 -- seconds

local kinds = {
  http = {
    command = { "tinyproxy", "/usr/bin/tinyproxy" },
    flags = { "-d", "-c" },
    config = [[
Port @PORT@
Listen 127.0.0.1
Timeout 600
MaxClients 100
LogFile "@DIR@/log"
LogLevel Connect
PidFile "@DIR@/pid"
@MORE@
]],
    -- "Request (file descriptor 5): GET http://127.0.0.1/ HTTP/1.1"
    request = "Request %(file descriptor %d+%): ([^\n]*)",
  },
  socks = {
    command = { "danted", "/usr/sbin/danted" },
    flags = { "-f" },
    config = [[
logoutput: @DIR@/log
internal: 127.0.0.1 port = @PORT@
external: lo
socksmethod: none
clientmethod: none
user.privileged: @USER@
user.unprivileged: @USER@
client pass { from: 127.0.0.0/8 to: 0.0.0.0/0 log: error }
@MORE@
socks pass { from: 127.0.0.0/8 to: 0.0.0.0/0 log: error connect }
]],
    -- "info: pass(1): tcp/connect [: 127.0.0.1.35294 127.0.0.1.18998 -> ..."
    request = "pass%(%d+%): (tcp/connect %[[^\n]*)",
  },
}

local function free_port(posix)
  local fd, port = posix.listen()
  posix.close(fd)
  return port
end

local function user(posix)
  local child <close> = assert(posix.spawn { "id", "-un" })
  return child:read_line()
end

local function write_config(posix, kind, dir, port, more)
  local words = { PORT = tostring(port), DIR = dir, MORE = more or "",
    USER = user(posix) }
  local file <close> = assert(io.open(dir .. "/conf", "w"))
  assert(file:write((kind.config:gsub("@(%u+)@", words))))
end

-- Not every PATH has the folders of servers.
local function spawn(posix, kind, dir)
  local why
  for _, name in ipairs(kind.command) do
    local argv = { name, table.unpack(kind.flags) }
    argv[#argv + 1] = dir .. "/conf"
    argv.stdin, argv.stdout, argv.death = false, false, "TERM"
    local process
    process, why = posix.spawn(argv)
    if process then return process end
  end
  error(why)
end

local function listens(posix, port)
  local fd = posix.connect(port)
  if fd then posix.close(fd) end
  return fd ~= nil
end

-- Waits until it listens; false: it does not come to that.
local function started(posix, port)
  local last = posix.monotonic() + PATIENCE
  while posix.monotonic() < last do
    if listens(posix, port) then return true end
    posix.nap(0.005)
  end
  return false
end

--- What it wrote into its log.
function Proxy:log()
  local file <close> = io.open(self.dir .. "/log")
  return file and file:read("a") or ""
end

--- What it was asked for so far, one line each.
function Proxy:requests()
  local lines = {}
  for line in self:log():gmatch(self.request) do lines[#lines + 1] = line end
  return lines
end

--- Waits until it was asked n times; returns what for.
function Proxy:settled(n)
  local last = self.posix.monotonic() + 5
  local lines = self:requests()
  while #lines < n and self.posix.monotonic() < last do
    self.posix.nap(0.002)
    lines = self:requests()
  end
  return lines
end

function Proxy:close()
  local process = self.process
  self.process = nil
  if not process then return end
  process:kill("TERM")
  process:wait(5)
  process:close()
end

Proxy.__close = Proxy.close
Proxy.__gc = Proxy.close

--- Starts one. `name` is "http" or "socks"; `more` are lines of its own
-- configuration. Fields: port, address ("127.0.0.1:port").
return function(posix, dir, name, more)
  local kind = assert(kinds[name], "http or socks")
  for _ = 1, TRIES do
    local port = free_port(posix)
    write_config(posix, kind, dir, port, more)
    local process = spawn(posix, kind, dir)
    local self = setmetatable({ posix = posix, dir = dir, process = process,
      port = port, address = ("127.0.0.1:%d"):format(port),
      request = kind.request }, Proxy)
    if started(posix, port) then return self end
    self:close()
  end
  error("no proxy came up")
end
