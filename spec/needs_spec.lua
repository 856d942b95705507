--- Systems without apt-get: script/needs installs packages or names them. The
-- workflow runs targets of the Makefile.

local support = require "spec.support"
local build = require "spec.support.build"

local function read(path)
  local file <close> = assert(io.open(path))
  return file:read "a"
end

describe("script/needs #build", function()
  -- Runs it where these programs are all that PATH has. A manager says what it
  -- is asked for.
  local function needs(group, managers, ...)
    local bin = support.folder()
    for _, name in ipairs { "sh", "cat", "env" } do
      build.succeed(bin, "sh", "-c", 'ln -s "$(command -v "$0")" .', name)
    end
    managers.id = managers.id or "echo 0"
    for name, text in pairs(managers) do
      build.write(bin .. "/" .. name, "#!/bin/sh\n" .. text .. "\n")
      build.succeed("/", "chmod", "+x", bin .. "/" .. name)
    end
    return build.run(".", "env", "PATH=" .. bin, ..., "sh", "script/needs",
      group)
  end

  local APK, BREW = 'echo "apk $*" >&2', 'echo "brew $*" >&2'

  it("installs by apk for root", function()
    local code, out, err = needs("smoke", { apk = APK }, "X=1")
    assert.equal(0, code)
    assert.matches("^curlew: installing what make smoke needs: build%-base",
      out)
    assert.matches("^apk add build%-base .*lua5.4%-dev curl%-dev", err)
  end)

  it("tells others than root what apk installs", function()
    local code, _, err = needs("smoke", { apk = APK, id = "echo 1" }, "X=1")
    assert.equal(1, code)
    assert.matches("\n  apk add build%-base", err)
    assert.is_nil(err:find "^apk")
  end)

  it("installs by brew where CI is set", function()
    local code, _, err = needs("smoke", { brew = BREW }, "CI=true")
    assert.equal(0, code)
    assert.matches("^brew install pkg%-config lua curl zlib", err)
  end)

  it("tells what to install elsewhere", function()
    local code, _, err = needs("smoke", { brew = BREW }, "X=1")
    assert.equal(1, code)
    assert.matches("\n  apk add build%-base .*\n  brew install pkg%-config",
      err)
    assert.is_nil(err:find "^brew")
  end)

  it("installs nothing but for smoke", function()
    local code, _, err = needs("test", { apk = APK }, "X=1")
    assert.equal(1, code)
    assert.matches("^curlew: no apt%-get here", err)
  end)
end)

describe("The workflow #build", function()
  local text = read ".github/workflows/check.yml"

  it("runs targets of the Makefile, and installs make alone", function()
    local makefile, targets = read "Makefile", {}
    for command in text:gmatch "%- run: ([^\n]+)" do
      local target = command:match "^make (%w+)$" or
        command:match "^make (%w+) LUA=lua$"
      if target then
        targets[#targets + 1] = target
        assert.matches("\n" .. target .. ":", makefile)
      elseif command ~= "apk add git make" then
        assert.equal("apt-get update && apt-get install -y "
          .. "--no-install-recommends git make ca-certificates", command)
      end
    end
    assert.same({ "check", "demo", "test", "smoke", "smoke", "smoke" }, targets)
  end)

  -- In a copy, since other specs use the objects of this tree.
  it("has a request answered by make smoke", function()
    local folder = support.folder()
    build.copy_tree(folder)
    local out = build.succeed(folder, "make", "-s", "smoke",
      "LUA=" .. build.lua)
    assert.matches("curlew [%d.]+, " .. _VERSION
      .. ", libcurl [%w.-]+: works\n$", out)
  end)
end)
