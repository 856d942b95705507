--- A module that is loaded twice in one Lua state, as a test runner or a hot
-- reload does: one engine, one limit, one scheduler.

local support = require "spec.support"

local LOAD = [[
  local function load()
    for name in pairs(package.loaded) do
      if name:find "^curlew" then package.loaded[name] = nil end
    end
    return require "curlew"
  end
  local a = load()
]]

describe("curlew that is loaded again", function()
  local server

  before_each(function()
    server = support.server()
    server:script { "request",
      { send = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" }, "hold" }
  end)
  after_each(function() server:close() end)

  local function run(source)
    local _, code, out, err = support.run(LOAD .. source, { server.url })
    assert.same({ 0, "" }, { code, err })
    return out
  end

  it("has one limit and one count", function()
    assert.equal("2 2 2 too_many_open\n", run [[
      a.limits { max_open = 2 }
      local b = load()
      local x <close> = a.get(arg[1])
      local y <close> = b.get(arg[1])
      local _, err = b.get(arg[1])
      print(("%d %d %d %s"):format(a.stats().open, b.stats().open,
        b.limits().max_open, err.code))
    ]])
  end)

  it("knows the values of the first load", function()
    assert.equal("response response client scope task error headers true\n",
      run [[
        local client, scope = a.client(), a.scope()
        local task = scope:spawn(print)
        task:cancel()
        local _, err = a.get "http://["
        local x <close> = a.get(arg[1])
        local b = load()
        local y <close> = b.get(arg[1])
        print(a.type(y), b.type(x), b.type(client), b.type(scope), b.type(task),
          b.type(err), b.type(x.headers), a.json.null == b.json.null)
      ]]:gsub("\t", " "))
  end)

  it("runs the tasks of both", function()
    assert.equal("a b c\n", run [[
      local first <close> = a.scope()
      local function named(http, name)
        return function() http.sleep(0.001) return name end
      end
      local one = first:spawn(named(a, "a"))
      local b = load()
      local second <close> = b.scope()
      local two = second:spawn(named(b, "b"))
      assert(a.scope ~= nil)
      local third <close> = a.scope()
      local three = third:spawn(named(a, "c"))
      assert(second:wait() and first:wait() and third:wait())
      print(one:wait(), two:wait(), three:wait())
    ]]:gsub("\t", " "))
  end)

  it("runs them when its scheduler was first needed afterwards", function()
    assert.equal("a b\n", run [[
      local b = load()
      local first <close> = a.scope()
      load()
      local second <close> = b.scope()
      local function slept(name) a.sleep(0.001) return name end
      print(first:spawn(slept, "a"):wait(), second:spawn(slept, "b"):wait())
    ]]:gsub("\t", " "))
  end)

  it("has one engine when another copy of the library is loaded", function()
    assert.equal("true\n", run [[
      local path = assert(package.searchpath("curlew.core", package.cpath))
      local from <close> = assert(io.open(path, "rb"))
      local copy = os.tmpname()
      local to = assert(io.open(copy, "wb"))
      assert(to:write(from:read "a"))
      to:close()
      local open = assert(package.loadlib(copy, "luaopen_curlew_core"))
      os.remove(copy)
      print(open() == require "curlew.core")
    ]])
  end)

  it("is refused where the state has another version", function()
    assert.matches("^false\t[^\n]*curlew [%d.]+ cannot be loaded: the Lua "
      .. "state has curlew 0%.0%.1", run [[
      debug.getregistry()["curlew.core"] = { version = "0.0.1" }
      print(pcall(load))
    ]])
  end)
end)
