--- A Lua or a libcurl that curlew cannot use: a sentence says what to install,
-- when curlew is built and when it is loaded.

local support = require "spec.support"
local build = require "spec.support.build"

local LIBCURL = "curlew needs libcurl 7.88 or newer"

-- A header for the preprocessor alone.
local function write_headers(files)
  local folder = support.folder()
  for name, text in pairs(files) do
    build.succeed(folder, "mkdir", "-p", name:match "^(.*)/" or ".")
    build.write(folder .. "/" .. name, text)
  end
  return folder
end

describe("A build #build", function()
  -- Builds the objects into a folder of their own; none may be made.
  local function refuse(...)
    local folder = support.folder()
    local code, out, err = build.run(".", "make", "objects",
      "BUILD=" .. folder .. "/b", ...)
    assert.equal(2, code, out .. err)
    assert.same({}, build.files(folder .. "/b"))
    return err
  end

  it("names a Lua that is too old", function()
    assert.matches("curlew needs Lua 5.4 or 5.5, but lua5.1 is Lua 5.1: "
      .. "install Lua 5.4 (on Debian: apt-get install lua5.4 liblua5.4-dev)",
      refuse "LUA=lua5.1", 1, true)
  end)

  it("names a Lua that is not there", function()
    assert.matches("curlew needs Lua 5.4 or 5.5, but there is no luanova: ",
      refuse "LUA=luanova")
  end)

  it("says that Lua's headers are missing, and how to name them", function()
    assert.matches("curlew needs the headers of Lua 5.4 or 5.5: install them "
      .. "%(on Debian: apt%-get install liblua5.4%-dev%).*make LUA_INCDIR=",
      refuse "LUA_INCDIR=/nowhere")
  end)

  for _, number in ipairs { 501, 503, 506 } do
    it("says that Lua's headers are of version " .. number, function()
      local folder = write_headers {
        ["lua.h"] = "#define LUA_VERSION_NUM " .. number .. "\n",
        ["lauxlib.h"] = "",
      }
      assert.matches("curlew needs Lua 5.4 or 5.5, and these headers are of "
        .. "another version: install Lua 5.4",
        refuse("LUA_INCDIR=" .. folder))
    end)
  end

  it("says that libcurl's headers are too old", function()
    local folder = write_headers {
      ["curl/curlver.h"] = "#define LIBCURL_VERSION_NUM 0x075700\n",
    }
    assert.matches(LIBCURL .. ": install it %(on Debian 12 or newer: "
      .. "apt%-get install libcurl4%-openssl%-dev%)",
      refuse("CPPFLAGS=-I" .. folder))
  end)

  it("finds Lua's headers without pkg-config", function()
    local flags = build.succeed(".", "env", "PKG_CONFIG=false",
      "script/lua-cflags", build.version)
    assert.matches("^%-I/.*lua", flags)
  end)
end)

describe("A program", function()
  local REQUIRE = 'require "curlew"'

  -- The Lua files where curlew was found.
  local function words()
    local file = assert(package.searchpath("curlew", package.path))
    return file:match "^(.*)curlew/init%.lua$"
  end

  local function require_in(lua)
    local path = words()
    local code, out, err = support.command("env", "LUA_INIT=",
      ("LUA_PATH=%s?.lua;%s?/init.lua"):format(path, path), lua, "-e", REQUIRE)
    assert.same({ 1, "" }, { code, out })
    return err
  end

  local function is_installed(lua)
    return (support.command("sh", "-c", 'command -v "$0"', lua)) == 0
  end

  it("in Lua 5.1 is told what to install", function()
    assert.matches("lua5.1: curlew needs Lua 5.4 or 5.5, but this program "
      .. "runs in Lua 5.1: install Lua 5.4 (on Debian: apt-get install lua5.4) "
      .. "and run the program with lua5.4\n", require_in "lua5.1", 1, true)
  end)

  for _, lua in ipairs { "lua5.2", "lua5.3", "luajit" } do
    if is_installed(lua) then
      it("in " .. lua .. " is told what to install", function()
        assert.matches("^[^\n]*: curlew needs Lua 5.4 or 5.5, but this program "
          .. "runs in Lua[^\n]+: install Lua 5.4", require_in(lua))
      end)
    end
  end

  -- Two versions of Lua differ in what the host says of itself.
  it("with a core for another Lua is told to build it", function()
    local folder = support.folder()
    build.write(folder .. "/script.lua", "return { run = function() "
      .. REQUIRE .. " end }")
    local code, out = support.host("version", folder .. "/script.lua")
    local major, minor = build.version:match "(%d).(%d)"
    local this = major .. "." .. math.tointeger(minor) + 1
    assert.equal(1, code)
    assert.matches(("curlew.core was built for Lua %s and cannot run in Lua "
      .. "%s: build curlew for this one (make LUA=lua%s)")
      :format(build.version, this, this), out, 1, true)
  end)

  -- Compiles a stand-in for a library of another version.
  local function compile(path, source)
    local folder = path:match "^(.*)/"
    build.succeed("/", "mkdir", "-p", folder)
    build.write(folder .. "/source.c", source)
    build.succeed("/", "cc", "-shared", "-fPIC", "-o", path,
      folder .. "/source.c")
  end

  it("with a core that wants functions of another Lua is told so", function()
    local folder = support.folder()
    compile(folder .. "/curlew/core.so", [[
      void lua_of_the_future(void);
      int luaopen_curlew_core(void *L) {
        (void)L;
        lua_of_the_future();
        return 0;
      }]])
    local _, code, _, err = support.run(REQUIRE, {
      env = { LUA_CPATH = folder .. "/?.so" } })
    assert.equal(1, code)
    assert.matches(("the curlew.core that was found was built for another "
      .. "version than %s: build curlew for this one (make LUA=lua%s)\n")
      :format(_VERSION, build.version), err, 1, true)
    assert.matches("lua_of_the_future", err)
  end)

  -- A libcurl that is too old: it has the functions that curlew calls before it
  -- refuses the release.
  local OLD = [[
    struct info {
      int age;
      const char *version;
      unsigned number;
      char rest[999];
    };
    struct info *curl_version_info(int age) {
      static struct info old = { 0, "7.87.0", 0x075700, { 0 } };
      (void)age;
      return &old;
    }]]

  it("with a libcurl that is too old is told so", function()
    local old = support.folder() .. "/old.so"
    compile(old, OLD)
    local _, code, _, err = support.run(REQUIRE, { env = { LD_PRELOAD = old } })
    assert.equal(1, code)
    assert.matches("libcurl 7.87.0: " .. LIBCURL .. ": install it (on Debian "
      .. "12 or newer: apt-get install libcurl4)", err, 1, true)
  end)

  it("with a libcurl that lacks functions is told so", function()
    local folder = support.folder()
    compile(folder .. "/libcurl.so.4", OLD)
    local _, code, _, err = support.run(REQUIRE, {
      env = { LD_LIBRARY_PATH = folder } })
    assert.equal(1, code)
    assert.matches(LIBCURL .. ", but the libcurl of this system is missing or "
      .. "older: install a newer one %(on Debian 12 or newer: apt%-get install "
      .. "libcurl4%)", err)
    assert.matches("\n[^\n]*curl_[%w_]+", err)
  end)
end)
