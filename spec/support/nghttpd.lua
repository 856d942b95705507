--- nghttpd: another server of HTTP/2, a child over TLS on a port that the
-- kernel chose. It serves its folder `dir`, and after each body the trailer
-- `x-end: yes`.

local Nghttpd = {}
Nghttpd.__index = Nghttpd
Nghttpd.__name = "support.nghttpd"

local PATIENCE = 5 -- seconds until it listens

local function sockets_of(posix, pid)
  local child <close> = assert(posix.spawn({ "ls", "-l",
    ("/proc/%d/fd"):format(pid), stderr = true }))
  local inodes = {}
  for inode in child:communicate():gmatch("socket:%[(%d+)%]") do
    inodes[inode] = true
  end
  return inodes
end

-- It does not say which port it has got: proc_pid_net(5) does.
local function port_of(posix, pid)
  local inodes = sockets_of(posix, pid)
  for line in io.lines("/proc/net/tcp") do
    local port, inode = line:match(
      "^%s*%d+: %x+:(%x+) %x+:%x+ 0A %S+ %S+ %S+ +%d+ +%d+ (%d+)")
    if inodes[inode] then return tonumber(port, 16) end
  end
end

local function await_port(posix, pid)
  local last = posix.monotonic() + PATIENCE
  repeat
    local port = port_of(posix, pid)
    if port then return port end
    posix.nap(0.01)
  until posix.monotonic() > last
  error("nghttpd does not listen")
end

function Nghttpd:close()
  local process = self.process
  self.process = nil
  if process then process:close() end
end

Nghttpd.__close = Nghttpd.close
Nghttpd.__gc = Nghttpd.close

--- Starts it, with more options of its own. Fields: url, dir.
return function(posix, dir, pair, ...)
  local argv = { "nghttpd", "-a", "127.0.0.1", "-d", dir,
    "--trailer=x-end: yes", stdin = false, stdout = false }
  for _, word in ipairs { ... } do argv[#argv + 1] = word end
  for _, word in ipairs { "0", pair.key, pair.cert } do
    argv[#argv + 1] = word
  end
  local process = assert(posix.spawn(argv))
  local self = setmetatable({ process = process, dir = dir }, Nghttpd)
  self.url = "https://localhost:" .. await_port(posix, process:pid())
  return self
end
