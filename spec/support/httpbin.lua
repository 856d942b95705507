--- One httpbin for the whole suite (https://httpbin.org, as a package), under
-- gunicorn, on a socket that the kernel chose: it listens before they start, so
-- a client can never be too early, and the first one waits for them.

local Httpbin = {}
Httpbin.__index = Httpbin
Httpbin.__name = "support.httpbin"

-- No settings but these: nothing of the folder, of the environment.
local function spawn(posix, dir, fd)
  local config = dir .. "/gunicorn.conf.py"
  assert(io.open(config, "w")):close()
  local process, why = posix.spawn({
    "gunicorn",
    "--config", config,
    "--bind", "fd://3",
    "--workers", "1", "--worker-class", "gthread", "--threads", "8",
    "--keep-alive", "60",
    "--graceful-timeout", "1",
    "--worker-tmp-dir", dir,
    "--error-logfile", dir .. "/error.log", "--log-level", "warning",
    "httpbin:app",
    stdin = false,
    stdout = false,
    fds = { [3] = fd },
    env = { GUNICORN_CMD_ARGS = false, PYTHONPATH = false,
      PYTHONDONTWRITEBYTECODE = "1", WEB_CONCURRENCY = false },
    death = "TERM", -- its worker would outlive a killed master
  })
  return process or error("httpbin: " .. why .. " (script/needs test)")
end

--- What gunicorn wrote into its error log.
function Httpbin:log()
  local file <close> = io.open(self.dir .. "/error.log")
  return file and file:read("a") or ""
end

function Httpbin:close()
  local process = self.process
  self.process = nil
  if not process then return end
  process:kill("INT") -- at once: TERM would wait for idle connections
  process:wait(5)
  process:close()
end

Httpbin.__close = Httpbin.close
Httpbin.__gc = Httpbin.close

--- Starts it. Fields: url (without a slash at its end), port, pid.
return function(posix, dir)
  local fd, port = posix.listen()
  local process = spawn(posix, dir, fd)
  posix.close(fd) -- gunicorn has it now
  local self = setmetatable({ dir = dir, process = process, port = port,
    url = ("http://127.0.0.1:%d"):format(port), pid = process:pid() }, Httpbin)
  local _, answer = pcall(posix.ask, port,
    "GET /status/204 HTTP/1.0\r\nHost: localhost\r\n\r\n")
  if tostring(answer):find("^HTTP/1.%d 204") then return self end
  local log = self:log()
  self:close()
  error(("httpbin gave no answer: %s\n%s"):format(answer, log))
end
