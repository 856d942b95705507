--- Installation by LuaRocks and by make. An empty folder receives the module,
-- the Lua files, the types and the documents, and nothing else. A script that
-- knows only this folder can use the module. Each build has a copy of the tree.

local support = require "spec.support"
local build = require "spec.support.build"

local DOCUMENTS = { "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "README.md",
  "SECURITY.md" }

local function join(...)
  local all = {}
  for _, list in ipairs { ... } do table.move(list, 1, #list, #all + 1, all) end
  table.sort(all)
  return all
end

local function below(prefix, list)
  local all = {}
  for i, name in ipairs(list) do all[i] = prefix .. name end
  return all
end

local function copy_tree()
  local folder = support.folder() .. "/curlew"
  build.succeed(".", "mkdir", folder)
  build.copy_tree(folder)
  return folder
end

describe("Installation #build", function()
  local V = build.version
  local tree, lua_files, documents, server

  -- A copy of the tree, built once. Tests that need another build copy again.
  setup(function()
    tree = copy_tree()
    lua_files = build.files("lua", "share/lua/" .. V .. "/")
    documents = join(DOCUMENTS, build.files("doc", "doc/"))
    build.succeed(tree, "make", "LUA=" .. build.lua)
  end)
  before_each(function()
    server = support.server()
    server:reply "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
  end)
  after_each(function() server:close() end)

  local function luarocks(folder, ...)
    return build.succeed(folder, "luarocks", "--lua-version", V, ...)
  end

  -- Loads all Lua files and makes a request.
  local function check_that_it_works(prefix)
    local script = support.folder() .. "/script.lua"
    build.write(script, [[
      local http = require "curlew"
      local page = assert(http.fetch(arg[1]))
      print(page.status, page.body, page.http_version)
      for i = 2, #arg do
        if not arg[i]:find "/loop/" then require(arg[i]:gsub("/", ".")) end
      end
      print(package.searchpath("curlew.core", package.cpath))
    ]])
    local names = {}
    for i, file in ipairs(lua_files) do
      names[i] = file:match("(curlew/.*)%.lua$"):gsub("/init$", "")
    end
    local share = prefix .. "/share/lua/" .. V
    local lib = prefix .. "/lib/lua/" .. V
    assert.equal("200\thello\t1.1\n" .. lib .. "/curlew/core.so\n",
      build.succeed("/", "env", "LUA_CPATH=" .. lib .. "/?.so",
        ("LUA_PATH=%s/?.lua;%s/?/init.lua"):format(share, share), build.lua,
        script, server.url, table.unpack(names)))
  end

  local function check_make(root, prefix)
    assert.same(join(
      lua_files,
      { "lib/lua/" .. V .. "/curlew/core.so", "share/curlew/types/curlew.lua" },
      below("share/doc/curlew/", documents)
    ), build.files(root .. prefix))
    assert.same(#build.files(root .. prefix), #build.files(root))
    check_that_it_works(root .. prefix)
  end

  it("by make install, below DESTDIR and PREFIX", function()
    local root = support.folder()
    build.succeed(tree, "make", "install", "DESTDIR=" .. root, "PREFIX=/usr",
      "LUA=" .. build.lua)
    check_make(root, "/usr")
  end)

  it("by make install, without pkg-config", function()
    local root = support.folder()
    local copy = copy_tree()
    local out = build.succeed(copy, "make", "install", "PKG_CONFIG=false",
      "DESTDIR=" .. root, "PREFIX=/opt/a b", "LUA=" .. build.lua)
    assert.matches("%-lcurl.*%-lz %-lbrotlidec %-lzstd.*%-lssl %-lcrypto", out)
    check_make(root, "/opt/a b")
  end)

  -- LuaRocks puts documents, types and its own files into lib/luarocks.
  local function check_rock(root)
    local rock = ("lib/luarocks/rocks-%s/"):format(V)
    local scm = rock .. "curlew/scm-1/"
    assert.same(join(
      lua_files,
      { "lib/lua/" .. V .. "/curlew/core.so", rock .. "manifest",
        scm .. "curlew-scm-1.rockspec", scm .. "rock_manifest",
        scm .. "types/curlew.lua" },
      below(scm .. "doc/", documents)
    ), build.files(root))
    check_that_it_works(root)
  end

  local function install_rock(file)
    local root = support.folder()
    luarocks("/", "install", "--deps-mode=none", "--tree", root, file)
    check_rock(root)
  end

  it("by luarocks make, and from a rock that was packed of it", function()
    local root, out = support.folder(), support.folder()
    luarocks(tree, "make", "--deps-mode=none", "--tree", root)
    check_rock(root)
    luarocks(out, "--tree", root, "pack", "curlew")
    local rocks = build.files(out)
    assert.equal(1, #rocks)
    assert.matches("^curlew%-scm%-1%..*%.rock$", rocks[1])
    install_rock(out .. "/" .. rocks[1])
  end)

  -- The rockspec names a repository; here it names an archive of the tree.
  local function write_rockspec(folder)
    local copy = copy_tree()
    build.succeed(folder, "tar", "-czf", "curlew.tar.gz", "-C", copy .. "/..",
      "curlew")
    local file <close> = assert(io.open("rockspec/curlew-scm-1.rockspec"))
    local text, count = file:read("a"):gsub("source = %b{}",
      ('source = { url = "file://%s/curlew.tar.gz", dir = "curlew" }')
        :format(folder))
    assert.equal(1, count)
    build.write(folder .. "/curlew-scm-1.rockspec", text)
  end

  it("from a rock of the sources", function()
    local folder = support.folder()
    write_rockspec(folder)
    luarocks(folder, "pack", "curlew-scm-1.rockspec")
    install_rock(folder .. "/curlew-scm-1.src.rock")
  end)
end)
