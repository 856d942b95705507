-- server: the peer of the bench, an nginx with one worker, on a port that the
-- kernel chose. /small is 1 KiB, /slow the same 2 ms later, /large is 1 MiB,
-- /raw answers with the header lines as they came.
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
  client_body_temp_path %s/t1;
  proxy_temp_path %s/t2;
  fastcgi_temp_path %s/t3;
  uwsgi_temp_path %s/t4;
  scgi_temp_path %s/t5;
  server {
    listen 127.0.0.1:%d;
    root %s;
    location = /slow { echo_sleep 0.002; echo_exec /small; }
    location = /raw { echo -n "$echo_client_request_headers"; }
  }
}
]]

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

--- Starts it; the value returned is to-be-closed and has `url`.
function server.start()
  local dir = posix.mkdtemp()
  local socket, port = posix.listen()
  write(dir .. "/small", ("0123456789abcde\n"):rep(64))
  write(dir .. "/large", ("0123456789abcde\n"):rep(65536))
  write(dir .. "/nginx.conf", config:format(echo_module(), dir, dir, dir, dir,
    dir, dir, dir, port, dir))
  local child = assert(posix.spawn {
    "nginx", "-e", dir .. "/error.log", "-p", dir, "-c", dir .. "/nginx.conf",
    env = { NGINX = "3;" }, fds = { [3] = socket }, nofile = 8192,
    stdin = false, stdout = false,
  })
  posix.close(socket)
  return setmetatable({ url = "http://127.0.0.1:" .. port }, {
    __close = function()
      child:kill("TERM") -- the master takes its worker along
      child:wait(5)
      child:close()
      posix.remove_tree(dir)
    end,
  })
end

return server
