--- What the specs stand on: servers as children, certificates, scripts in an
-- interpreter of their own, and the system calls that Lua has not.
-- Loaded once a suite (by helper.lua); what is expensive is made when it is
-- first asked for and stopped by `support.stop`.

local here = debug.getinfo(1, "S").source:match("^@(.*)init%.lua$") or "./"
local build = os.getenv("CURLEW_BUILD") or "build"

local function load_posix()
  if package.loaded.posix_support then return package.loaded.posix_support end
  local path = build .. "/spec/posix_support.so"
  local open = assert(package.loadlib(path, "luaopen_posix_support"))
  package.loaded.posix_support = open("posix_support", path)
  return package.loaded.posix_support
end

local posix = load_posix()
local new_server = require("spec.support.server")
local new_certificates = require("spec.support.certificates")
local new_nginx = require("spec.support.nginx")
local new_httpbin = require("spec.support.httpbin")
local new_proxy = require("spec.support.proxy")
local new_nghttpd = require("spec.support.nghttpd")

local over = require("spec.support.over")

local support = { posix = posix, build = build, over = over.transport,
  lua = os.getenv "LUA" or "lua5.4" }

-- The loaded libcurl as a number: 0x080e01 for 8.14.1.
local function libcurl()
  local major, minor, patch = require("curlew").features().libcurl
    :match("^(%d+)%.(%d+)%.(%d+)")
  return (major * 256 + minor) * 256 + patch
end

setmetatable(support, { __index = function(_, name)
  return name == "libcurl" and libcurl() or nil
end })

-- A port that refuses whoever connects, as long as this process lives: one that
-- was merely closed may be another's at once.
support.refused_port = select(2, posix.reserve())

local suite = { folders = {} } -- what lives as long as the suite

--- A temporary folder, removed at the end of the suite.
function support.folder()
  local path = posix.mkdtemp()
  table.insert(suite.folders, path)
  return path
end

--- A server of canned bytes: see server.lua.
function support.server(options)
  if over.transport and not options then
    options = { tls = support.certificates().good, http2 = over.http2,
      translated = over.http2 }
  end
  return new_server(posix, build .. "/spec/peer", options)
end

--- The suite's certificates: see certificates.lua.
function support.certificates()
  suite.certificates = suite.certificates
    or new_certificates(posix, support.folder())
  return suite.certificates
end

--- The suite's nginx: see nginx.lua.
function support.nginx()
  suite.nginx = suite.nginx
    or new_nginx(posix, support.folder(), here .. "nginx.conf",
      support.certificates())
  if over.transport then
    suite.nginx.http = suite.nginx[over.http2 and "https2" or "https"]
  end
  return suite.nginx
end

--- Whether the nginx of this system speaks HTTP/3.
function support.nginx_has_http3()
  local child <close> = assert(posix.spawn({ "sh", "-c",
    "PATH=$PATH:/usr/sbin nginx -V 2>&1", stdin = false }))
  return child:communicate():find("http_v3_module", 1, true) ~= nil
end

--- An nginx of the caller's, to be closed, that speaks HTTP/3 on `https3`.
function support.nginx_http3()
  return new_nginx(posix, support.folder(), here .. "nginx.conf",
    support.certificates(), { { name = "http" },
      { name = "https3", cert = "good", quic = true } })
end

--- The suite's httpbin: see httpbin.lua.
function support.httpbin()
  suite.httpbin = suite.httpbin or new_httpbin(posix, support.folder())
  return suite.httpbin
end

--- A proxy of the caller's own, to be closed: see proxy.lua.
function support.proxy(kind, more)
  return new_proxy(posix, support.folder(), kind, more)
end

--- An nghttpd of the caller's: see nghttpd.lua.
function support.nghttpd(dir, ...)
  return new_nghttpd(posix, dir, support.certificates().good, ...)
end

--- Ends what the suite had.
function support.stop()
  if suite.nginx then suite.nginx:close() end
  if suite.httpbin then suite.httpbin:close() end
  for _, path in ipairs(suite.folders) do posix.remove_tree(path) end
  suite = { folders = {} }
end

-- Also when the run ends without saying so.
support.guard = setmetatable({}, { __gc = support.stop })

-- ---- scripts in a child ----

local function write_script(source)
  local path = posix.mkdtemp()
  local file <close> = assert(io.open(path .. "/script.lua", "w"))
  assert(file:write(source))
  return path, path .. "/script.lua"
end

local suffix = "_" .. _VERSION:match("%d.%d"):gsub("%.", "_")

-- The child searches where this process does, and finds posix_support.
local function environment(more)
  local cpath = build .. "/spec/?.so;" .. package.cpath
  local env = {
    LUA_PATH = package.path,
    LUA_CPATH = cpath,
    ["LUA_PATH" .. suffix] = false,
    ["LUA_CPATH" .. suffix] = false,
    LUA_INIT = false,
    ["LUA_INIT" .. suffix] = over.transport and over.init(here .. "over.lua",
      support.certificates().ca),
  }
  for name, value in pairs(more or {}) do env[name] = value end
  return env
end

local function command(path, options)
  local argv = { support.lua, path, table.unpack(options) }
  argv.stderr, argv.preload = true, true
  argv.env = environment(options.env)
  argv.patience = options.seconds or 60
  return argv
end

-- The signal goes out when the script has printed its first line, which so
-- says that it is where it is to be hit.
local function first_line(child, signal)
  if not signal then return "" end
  local line = child:read_line()
  child:kill(signal)
  return line and line .. "\n" or ""
end

--- Runs a script in a child of this Lua with this process's search paths.
-- @tparam string source the script; it can `require "posix_support"` too
-- @tparam[opt] table options its arguments, in order; `env` additions
-- (false removes), `input` for stdin, `signal` to send once it has printed
-- its first line, `seconds` that it may take (60)
-- @return "exit" or "signal", or "timeout" (and it was killed)
-- @return the exit code or the number of the signal
-- @return what it wrote to stdout
-- @return what it wrote to stderr
function support.run(source, options)
  options = options or {}
  local folder, path = write_script(source)
  local child <close> = assert(posix.spawn(command(path, options)))
  local began = first_line(child, options.signal)
  local out, err, done = child:communicate(options.input or "",
    options.seconds or 60)
  if not done then child:kill("KILL") end
  local kind, code = child:wait()
  posix.remove_tree(folder)
  return done and kind or "timeout", code, began .. out, err
end

--- Runs a command; returns its exit code, stdout and stderr.
function support.command(...)
  local argv = { ... }
  argv.stderr = true
  local child <close> = assert(posix.spawn(argv))
  local out, err = child:communicate("", 60)
  local _, code = child:wait(10)
  return code, out, err
end

-- ---- rocks ----

--- Whether a rock can be loaded. Debian has none of cqueues, luv and lua-cjson
-- for Lua 5.5: what needs one is named as not run there. With Lua 5.4 all of
-- them are there, or the specs that need them fail.
function support.has_rock(name)
  if _VERSION == "Lua 5.4" or pcall(require, name) then return true end
  io.write(("not run: what needs %s (there is none for %s)\n"):format(name,
    _VERSION))
  return false
end

-- ---- programs without Lua ----

--- Where a program of the specs is. CURLEW_PROGRAMS names another build.
function support.program(name)
  return (os.getenv "CURLEW_PROGRAMS" or build .. "/spec") .. "/" .. name
end

--- Runs spec/support/host.c, a program that embeds Lua; returns its exit code,
-- stdout and stderr. CURLEW_HOST_CPATH names another build of curlew.
function support.host(...)
  local argv = { support.program("host"), ... }
  argv.stderr = true
  argv.env = environment { LUA_CPATH = os.getenv "CURLEW_HOST_CPATH" }
  argv.patience = 300
  local child <close> = assert(posix.spawn(argv))
  local out, err, done = child:communicate("", 300)
  if not done then child:kill("KILL") end
  local kind, code = child:wait()
  return done and kind == "exit" and code or kind, out, err
end

--- The text of a url as the loaded libcurl writes it: the digits of bytes that
-- it encodes are capitals since 8.15.0, those of the caller since 8.20.0.
function support.encoded(text, is_callers)
  local since = is_callers and 0x081400 or 0x080f00
  return support.libcurl < since and text
    or (text:gsub("%%%x%x", string.upper))
end

--- Iterates over the tests of a program that lists them: the name of each, and
-- a function that passes if it does.
function support.tests(name)
  local program = support.program(name)
  local code, names, problem = support.command(program)
  assert(code == 0, problem)
  return coroutine.wrap(function()
    for test in names:gmatch("[^\n]+") do
      coroutine.yield(test, function()
        local failed, out, err = support.command(program, test)
        assert(failed == 0 and out .. err == "", out .. err)
      end)
    end
  end)
end

-- ---- what a spec may declare ----

local declared = {}

--- Says that this one test ends with `open` more responses open than before,
-- on purpose; `descriptors = false` leaves the descriptors unchecked.
function support.expect(what)
  for name, value in pairs(what) do declared[name] = value end
end

--- What the test declared, forgotten at once. For the helper.
function support.declared()
  local taken = declared
  declared = {}
  return taken
end

return support
