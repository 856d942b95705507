--- Commands that build and install curlew, in an environment that holds nothing
-- of this process but PATH.

local support = require "spec.support"
local posix = support.posix

local build = {}

build.version = _VERSION:match "%d.%d"
build.lua = "lua" .. build.version

local SECONDS = 400 -- a build without optimization takes 10 s on two free cores

--- Runs a command in a folder.
-- @treturn number its exit code
-- @treturn string what it wrote to stdout
-- @treturn string what it wrote to stderr
function build.run(folder, ...)
  local argv = { "env", "-i", "PATH=" .. os.getenv "PATH", "HOME=" .. folder,
    "LC_ALL=C", "OPTIMIZE=-O0", "MAKEFLAGS=-j2", "sh", "-c",
    'cd "$0" && exec "$@"', folder, ... }
  argv.stderr, argv.patience = true, SECONDS
  local child <close> = assert(posix.spawn(argv))
  local out, err, done = child:communicate("", SECONDS)
  assert(done, table.concat({ ... }, " ") .. ": did not end")
  local _, code = child:wait()
  return code, out, err
end

--- Runs a command that has to succeed.
-- @treturn string what it wrote to stdout
function build.succeed(folder, ...)
  local code, out, err = build.run(folder, ...)
  assert(code == 0, table.concat({ ... }, " ") .. "\n" .. out .. err)
  return out
end

--- Copies the tree, without what was built in it, into a folder that is there.
function build.copy_tree(folder)
  build.succeed(".", "sh", "-c", "tar -c --exclude=./build --exclude=./curlew "
    .. '--exclude=./.git --exclude="*.rock" . | tar -x -C "$0"', folder)
end

--- Writes a file; its folder exists already.
function build.write(path, text)
  local file <close> = assert(io.open(path, "w"))
  assert(file:write(text))
end

--- The files below a folder, sorted, by their names in it.
-- @tparam[opt] string prefix is put before each name
function build.files(folder, prefix)
  local list = {}
  local out = build.succeed(folder, "find", ".", "-type", "f", "-o", "-type",
    "l")
  for name in out:gmatch "%./([^\n]+)" do
    list[#list + 1] = (prefix or "") .. name
  end
  table.sort(list)
  return list
end

return build
