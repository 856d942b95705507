--- Real proxies as children of the suite: tinyproxy (http), microsocks (socks).
-- Neither takes a socket that listens already, so each is told a port that was
-- free a moment ago, and another one when somebody else was faster.

local Proxy = {}
Proxy.__index = Proxy
Proxy.__name = "support.proxy"

local TRIES, PATIENCE = 5, 10 -- seconds

local kinds = {
  http = {
    command = "tinyproxy",
    flags = { "-d", "-c", "@DIR@/conf" },
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
  -- SOCKS 5 only: no server of SOCKS 4 is in every release of Debian.
  socks = {
    command = "microsocks",
    flags = { "-i", "127.0.0.1", "-p", "@PORT@" },
    -- "client[5] 127.0.0.1: connected to localhost:18998"
    request = "connected to ([^\n]*)",
  },
}

local function free_port(posix)
  local fd, port = posix.listen()
  posix.close(fd)
  return port
end

local function write_config(kind, dir, words)
  local file <close> = assert(io.open(dir .. "/conf", "w"))
  assert(file:write((kind.config:gsub("@(%u+)@", words))))
end

-- microsocks writes its log to standard error.
local function spawn(posix, kind, dir, words)
  local argv = { "sh", "-c", 'exec "$@" 2>>"$0"', dir .. "/log", kind.command }
  for _, flag in ipairs(kind.flags) do
    argv[#argv + 1] = flag:gsub("@(%u+)@", words)
  end
  argv.stdin, argv.stdout, argv.death = false, false, "TERM"
  return assert(posix.spawn(argv))
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
    local words = { PORT = tostring(port), DIR = dir, MORE = more or "" }
    if kind.config then write_config(kind, dir, words) end
    local process = spawn(posix, kind, dir, words)
    local self = setmetatable({ posix = posix, dir = dir, process = process,
      port = port, address = ("127.0.0.1:%d"):format(port),
      request = kind.request }, Proxy)
    if started(posix, port) then return self end
    self:close()
  end
  error("no proxy came up")
end
