--- One nginx for the whole suite, a child in the foreground, on sockets that
-- the kernel chose: they listen before it starts, so their ports are known
-- and a client can never be too early.

local Nginx = {}
Nginx.__index = Nginx
Nginx.__name = "support.nginx"

local MIB = 1024 * 1024

-- The listeners: field, certificate, what the listen line says besides; the
-- only TLS version that is spoken, whether clients have to show a certificate;
-- what else holds for it.
local LISTENERS = {
  { name = "http" },
  { name = "https", cert = "good" },
  { name = "https2", cert = "good", more = "http2" },
  { name = "https2_once", cert = "good", more = "http2",
    also = "keepalive_timeout 0;" },
  { name = "https2_single", cert = "good", more = "http2",
    also = "keepalive_requests 1;" },
  { name = "https_single", cert = "good", also = "keepalive_requests 1;" },
  { name = "https_wrong_name", cert = "wrong_name" },
  { name = "https_expired", cert = "expired" },
  { name = "https_not_yet", cert = "not_yet" },
  { name = "https_self_signed", cert = "self_signed" },
  { name = "https_unknown_ca", cert = "unknown_ca" },
  { name = "https_wrong_usage", cert = "wrong_usage" },
  { name = "https_broken_chain", cert = "broken_chain" },
  { name = "https_whole_chain", cert = "whole_chain" },
  { name = "https_client", cert = "good", asks = true },
  { name = "https_1_2", cert = "good", only = "TLSv1.2" },
  { name = "https_1_3", cert = "good", only = "TLSv1.3" },
}

local FILES = {
  zero = 0,
  small = 20,
  ["1k"] = 1024,
  ["20k"] = 20 * 1024,
  ["64k"] = 65536,
  ["65k"] = 65537,
  ["2m"] = 2 * MIB, -- sparse
  big = 100 * MIB, -- sparse
  ["1g"] = 1024 * MIB, -- sparse
}

-- 301, 302, 303, 307 and 308 lead to /small, the others have a body.
local STATUSES = { { 200, 208 }, { 300, 308 }, { 400, 431 }, { 451, 451 },
  { 500, 511 } }
local LEADS_ON = { [301] = true, [302] = true, [303] = true, [307] = true,
  [308] = true }

local LOCATIONS = [[
    root @PREFIX@/www;
    location = /empty { return 204; }
    location = /slow {
      alias @PREFIX@/www/big;
      limit_rate_after 64k;
      limit_rate 4k;
    }
    location = /headers {
      add_header Set-Cookie "a=1; Path=/";
      add_header Set-Cookie "b=2; Path=/; HttpOnly";
      add_header Set-Cookie "c=3";
      add_header X-Item one;
      add_header X-Item two;
      add_header x-item three;
      add_header X-Empty "$http_x_no_such";
      add_header X-Spaces "a  b";
@MANY@
      return 200 "headers\n";
    }
    location = /method { return 200 "$request_method $request_uri"; }
    location /method/ { return 200 "$request_method $request_uri"; }
    location = /taken { proxy_pass http://unix:@PREFIX@/socket:/method; }
    location = /tls {
      return 200 "$connection $ssl_protocol $ssl_client_s_dn";
    }
    location = /session {
      keepalive_requests 1;
      return 200 "$ssl_session_reused $ssl_client_verify";
    }
    location = /who {
      return 200 "$host $http_via $http_proxy_authorization $remote_addr\n";
    }
    location = /request-headers {
      set $answer "x-test: $http_x_test\nuser-agent: $http_user_agent";
      return 200 "$answer\naccept: $http_accept\n";
    }
    location /gzip/ {
      alias @PREFIX@/www/;
      gzip on;
      gzip_types text/plain;
    }
    location = /private {
      alias @PREFIX@/www/small;
      auth_basic "private";
      auth_basic_user_file @PREFIX@/users;
    }
    location /changing/ { alias @PREFIX@/changing/; }
    location = /nginx_status { stub_status; }
]]

local function write_file(path, text)
  local file <close> = assert(io.open(path, "w"))
  assert(file:write(text))
end

-- Letters in a known order up to a MiB, a hole with one byte at its end above.
local function make_file(path, size)
  if size <= MIB then
    local alphabet = "abcdefghijklmnopqrstuvwxyz\n"
    return write_file(path, alphabet:rep(size // #alphabet + 1):sub(1, size))
  end
  local file <close> = assert(io.open(path, "w"))
  assert(file:seek("set", size - 1))
  assert(file:write("\0"))
end

local function many_headers()
  local lines = {}
  for i = 1, 50 do
    lines[i] = ("      add_header X-Many-%d value-%d;"):format(i, i)
  end
  return table.concat(lines, "\n")
end

local function status_location(code)
  local text = LEADS_ON[code] and "$scheme://$http_host/small"
    or ("status %d\\n"):format(code)
  return ("    location = /status/%d { return %d \"%s\"; }\n"):format(code,
    code, text)
end

local function locations()
  local out = { (LOCATIONS:gsub("@MANY@", many_headers)) }
  for _, range in ipairs(STATUSES) do
    for code = range[1], range[2] do out[#out + 1] = status_location(code) end
  end
  return table.concat(out)
end

local function server_block(listener, certificates)
  local out = { "  server {\n" }
  local more = (listener.cert and " ssl" or "")
    .. (listener.more and " " .. listener.more or "")
  out[2] = ("    listen 127.0.0.1:%d%s;\n"):format(listener.port, more)
  if listener.quic then -- the UDP port of the same number
    out[2] = out[2] .. ("    listen 127.0.0.1:%d quic;\n"):format(listener.port)
  end
  if listener.name == "http" then
    out[2] = out[2] .. "    listen unix:@PREFIX@/socket;\n"
  end
  if listener.cert then
    local pair = certificates[listener.cert]
    out[3] = ("    ssl_certificate %s;\n    ssl_certificate_key %s;\n"):format(
      pair.cert, pair.key)
  end
  if listener.only then
    out[#out + 1] = ("    ssl_protocols %s;\n"):format(listener.only)
  end
  if listener.asks then
    out[#out + 1] = ("    ssl_verify_client on;\n"
      .. "    ssl_client_certificate %s;\n"):format(certificates.ca)
  end
  out[#out + 1] = "    " .. (listener.also or "")
    .. "\n    include @PREFIX@/locations.conf;\n  }\n"
  return table.concat(out)
end

-- Opens the sockets; returns listeners with ports, the map of descriptors for
-- the child, and the variable in which nginx finds them.
local function open_listeners(posix, kinds)
  local listeners, fds, inherited = {}, {}, {}
  for i, kind in ipairs(kinds) do
    local fd, port = posix.listen()
    listeners[i] = setmetatable({ fd = fd, port = port }, { __index = kind })
    fds[2 + i] = fd
    inherited[i] = ("%d;"):format(2 + i)
  end
  return listeners, fds, table.concat(inherited)
end

local function write_config(dir, template, listeners, certificates)
  local servers = {}
  for i, listener in ipairs(listeners) do
    servers[i] = server_block(listener, certificates)
  end
  local words = { PREFIX = dir, SERVERS = table.concat(servers) }
  local function fill(text)
    return (text:gsub("@(%u+)@", words):gsub("@(%u+)@", words))
  end
  write_file(dir .. "/locations.conf", fill(locations()))
  local file <close> = assert(io.open(template))
  write_file(dir .. "/nginx.conf", fill(file:read("a")))
end

local function make_files(posix, dir)
  local www = dir .. "/www"
  do
    local child <close> = assert(posix.spawn({ "mkdir", www, dir .. "/temp",
      dir .. "/changing" }))
    child:wait()
  end
  -- a user of /private
  write_file(dir .. "/users", "u:{PLAIN}p\u{e4}ss w\n")
  for name, size in pairs(FILES) do make_file(www .. "/" .. name, size) end
end

-- Not every PATH has the folders of servers.
local function spawn(posix, dir, fds, inherited)
  local why
  for _, name in ipairs({ "nginx", "/usr/sbin/nginx" }) do
    local process
    process, why = posix.spawn({
      name,
      "-p", dir .. "/",
      "-c", dir .. "/nginx.conf",
      "-e", dir .. "/error.log",
      stdin = false,
      stdout = false,
      fds = fds,
      env = { NGINX = inherited },
      nofile = 8192,
      death = "TERM", -- its worker would outlive a killed master
    })
    if process then return process end
  end
  error(why)
end

local function connections_line(text)
  return math.tointeger(text:match("Active connections: (%d+)"))
end

--- The number of open client connections, without the one that asks.
function Nginx:connections()
  local text = self.posix.ask(self.port,
    "GET /nginx_status HTTP/1.0\r\nHost: localhost\r\n\r\n")
  local n = text and connections_line(text)
  if not n then
    error(("nginx gave no status: %s\n%s"):format(text, self:log()))
  end
  return n - 1
end

--- Waits until there are n open connections; returns how many there are.
function Nginx:settled(n)
  local last = self.posix.monotonic() + 5
  local have = self:connections()
  while have ~= n and self.posix.monotonic() < last do
    self.posix.nap(0.002)
    have = self:connections()
  end
  return have
end

--- Puts a file under /changing/, at once, with an ETag that no other had: nginx
-- makes it of the time in seconds and the size.
function Nginx:change(name, text)
  local path = self.dir .. "/changing/" .. name
  self.changes = (self.changes or 0) + 1
  write_file(path .. ".new", text)
  local child <close> = assert(self.posix.spawn({ "touch", "-d",
    ("@%d"):format(1000000000 + self.changes), path .. ".new" }))
  child:wait()
  assert(os.rename(path .. ".new", path))
end

--- What nginx wrote into its error log.
function Nginx:log()
  local file <close> = io.open(self.dir .. "/error.log")
  return file and file:read("a") or ""
end

function Nginx:close()
  local process = self.process
  self.process = nil
  if not process then return end
  process:kill("TERM")
  process:wait(5)
  process:close()
end

Nginx.__close = Nginx.close
Nginx.__gc = Nginx.close

--- Starts it, with listeners of the caller's or the suite's. Fields: http,
-- https, https2, ... (URLs), ports (by the same names), port (of http), socket
-- (path, of http by a Unix domain socket), ca (path), pid.
return function(posix, dir, template, certificates, kinds)
  local listeners, fds, inherited = open_listeners(posix, kinds or LISTENERS)
  write_config(dir, template, listeners, certificates)
  make_files(posix, dir)
  local process = spawn(posix, dir, fds, inherited)
  local self = { posix = posix, dir = dir, process = process, ports = {},
    ca = certificates.ca, pid = process:pid(), socket = dir .. "/socket" }
  for _, listener in ipairs(listeners) do
    posix.close(listener.fd) -- nginx has it now
    self.ports[listener.name] = listener.port
    local form = listener.cert and "https://localhost:%d"
      or "http://127.0.0.1:%d"
    self[listener.name] = form:format(listener.port)
  end
  self.port = self.ports.http
  setmetatable(self, Nginx)
  self:connections() -- it runs, or its log is raised
  return self
end
