-- server: the peer of the bench, an nginx with one worker, on ports that the
-- kernel chose: HTTP/1.1, and HTTP/2 over TLS with a certificate of its own.
-- /small is 1 KiB, /slow the same 2 ms later, /large is 1 MiB,
-- /raw answers with the header lines as they came, /stalls ends in mid-body
-- for ten minutes, /sink answers at once and drops what is sent. What is put
-- into its folder later is under /sent/, by sendfile; a file of /bombs/ is
-- called by its coding. With TLS, each request has a connection of its own and
-- a whole handshake.
local new_certificates = require "spec.support.certificates"
local posix = require "posix_support"

local config = [[
load_module %s;
user root; # when root starts it: the files are the starter's own
daemon off;
worker_processes 1;
pid %s/pid;
error_log %s/error.log;
worker_rlimit_nofile 8192;
events { worker_connections 4096; }
http {
  access_log off;
  types { }
  default_type application/octet-stream;
  tcp_nodelay on;
  keepalive_requests 100000000;
  keepalive_timeout 600s;
  send_timeout 600s;
  client_max_body_size 0;
  client_body_temp_path %s/t1;
  proxy_temp_path %s/t2;
  fastcgi_temp_path %s/t3;
  uwsgi_temp_path %s/t4;
  scgi_temp_path %s/t5;
  server {
    listen 127.0.0.1:%d;
    listen 127.0.0.1:%d ssl http2;
    ssl_certificate %s/ca.pem;
    ssl_certificate_key %s/ca.key;
    root %s;
    location = /slow { echo_sleep 0.002; echo_exec /small; }
    location = /raw { echo -n "$echo_client_request_headers"; }
    location = /stalls {
      echo_duplicate 14336 x; echo_flush; echo_sleep 600;
    }
    location /sent/ { sendfile on; }
    location = /sink { return 200; }
    location ~ ^/bombs/(.+)$ { add_header Content-Encoding $1; }
  }
%s
}
]]

local fresh_config = [[
  server {
    listen 127.0.0.1:%d ssl;
    root %s;
    ssl_certificate %s;
    ssl_certificate_key %s;
    ssl_session_tickets off;
    keepalive_timeout 0;
  }
]]

local certify = "openssl req -x509 -newkey ec -pkeyopt "
  .. "ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=localhost "
  .. "-addext subjectAltName=IP:127.0.0.1 -keyout %s/ca.key -out %s/ca.pem "
  .. "2>/dev/null"

local server = {}

local function write(path, text)
  local file <close> = assert(io.open(path, "w"))
  assert(file:write(text))
end

-- Debian's nginx has echo as a module; its folder is nginx's own secret.
local function echo_module()
  local about <close> = assert(io.popen("nginx -V 2>&1"))
  local folder = about:read("a"):match("%-%-modules%-path=(%S+)")
  return (folder or "modules") .. "/ngx_http_echo_module.so"
end

-- The last processor that this process may run on.
local function last_processor()
  for text in io.lines("/proc/self/status") do
    local last = text:match("^Cpus_allowed_list:.-(%d+)$")
    if last then return tonumber(last) end
  end
end

local methods = {}

--- Puts 'text' into /sent/ so often; returns the file's path.
function methods:file(name, text, times)
  local path = self.dir .. "/sent/" .. name
  local file <close> = assert(io.open(path, "w"))
  for _ = 1, times do assert(file:write(text)) end
  return path
end

--- The same of 'size' zeros, which take no place on the disk.
function methods:hole(name, size)
  local path = self.dir .. "/sent/" .. name
  local file <close> = assert(io.open(path, "w"))
  assert(file:seek("set", size - 1))
  assert(file:write("\0"))
  return path
end

-- The system's CAs and the server's own, in one file.
local function write_bundle(path, own)
  local pipe <close> = assert(io.popen("curl-config --ca"))
  local parts = {}
  for i, name in ipairs { pipe:read("l"), own } do
    local file <close> = assert(io.open(name))
    parts[i] = file:read("a")
  end
  write(path, table.concat(parts, "\n"))
end

-- What the configuration says of TLS; the socket, its url and the CAs.
local function fresh(dir)
  local certificates = new_certificates(posix, dir)
  local socket, port = posix.listen()
  write_bundle(dir .. "/bundle.pem", certificates.ca)
  return {
    config = fresh_config:format(port, dir, certificates.good.cert,
      certificates.good.key),
    socket = socket, url = "https://localhost:" .. port,
    ca = dir .. "/bundle.pem",
  }
end

local function stop(self)
  self.child:kill("TERM") -- the master takes its worker along
  self.child:wait(5)
  self.child:close()
  posix.remove_tree(self.dir)
end

--- Starts it; the value returned is to-be-closed and has `url`, `dir`, and of
-- HTTP/2 `secure` and `ca`, the path of those to be trusted.
-- `bound`: it stays on one processor, whose number is then its `cpu`; `tls`: it
-- has `fresh` and `fresh_ca`, where each request shakes hands.
function server.start(options)
  local dir = posix.mkdtemp()
  local socket, port = posix.listen()
  local other, secure = posix.listen()
  local tls = options.tls and fresh(dir) or { config = "" }
  write(dir .. "/small", ("0123456789abcde\n"):rep(64))
  write(dir .. "/large", ("0123456789abcde\n"):rep(65536))
  write(dir .. "/nginx.conf", config:format(echo_module(), dir, dir, dir, dir,
    dir, dir, dir, port, secure, dir, dir, dir, tls.config))
  assert(os.execute(certify:format(dir, dir)))
  assert(os.execute(("mkdir %s/sent %s/bombs"):format(dir, dir)))
  local cpu = options.bound and last_processor()
  local command = {
    "nginx", "-e", dir .. "/error.log", "-p", dir, "-c", dir .. "/nginx.conf",
    env = { NGINX = tls.socket and "3;4;5;" or "3;4;" },
    fds = { [3] = socket, [4] = other, [5] = tls.socket }, nofile = 8192,
    stdin = false, stdout = false,
  }
  if cpu then
    for i, word in ipairs { "taskset", "-c", tostring(cpu) } do
      table.insert(command, i, word)
    end
  end
  local child = assert(posix.spawn(command))
  posix.close(socket)
  posix.close(other)
  if tls.socket then posix.close(tls.socket) end
  return setmetatable({
    url = "http://127.0.0.1:" .. port, dir = dir, cpu = cpu, child = child,
    secure = "https://127.0.0.1:" .. secure, ca = dir .. "/ca.pem",
    fresh = tls.url, fresh_ca = tls.ca,
  }, { __index = methods, __close = stop })
end

return server
