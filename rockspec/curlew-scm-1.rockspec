-- curlew as a rock: luarocks make in the project's root builds it. By make
-- and not by "builtin", which cannot pass -fvisibility and -z nodelete.
rockspec_format = "3.0"
package = "curlew"
version = "scm-1"
source = {
  url = "git+https://github.com/curlew-http/curlew.git",
}
description = {
  summary = "An HTTP client whose responses are to-be-closed values",
  detailed = [[
An HTTP client for Lua 5.4 and 5.5 on libcurl. A response is released by the scope
that holds it; what was forgotten is found by the collector, counted, and
named with the line that opened it; no state holds more than its limit.]],
  homepage = "https://github.com/curlew-http/curlew",
  license = "MIT",
}
supported_platforms = { "unix" }
dependencies = {
  "lua >= 5.4, < 5.6",
  "dkjson",
}
external_dependencies = {
  CURL = { library = "curl" }, -- the header is pkg-config's to find
  ZLIB = { library = "z" },
  BROTLI = { library = "brotlidec" },
  ZSTD = { library = "zstd" },
  SSL = { library = "ssl" },
  CRYPTO = { library = "crypto" },
  OPENSSL = { library = "ssl" },
}
build = {
  type = "make",
  build_target = "all",
  install_target = "install-documents",
  install_variables = { DOCUMENTS = "$(PREFIX)/doc" },
  copy_directories = { "types" },
  build_variables = {
    LUA = "$(LUA)",
    LUA_INCDIR = "$(LUA_INCDIR)",
    CPPFLAGS = "-I$(CURL_INCDIR) -I$(ZLIB_INCDIR) -I$(BROTLI_INCDIR)"
      .. " -I$(ZSTD_INCDIR) -I$(CRYPTO_INCDIR) -I$(OPENSSL_INCDIR)",
    LDFLAGS = "-L$(CURL_LIBDIR) -L$(ZLIB_LIBDIR) -L$(BROTLI_LIBDIR)"
      .. " -L$(ZSTD_LIBDIR) -L$(CRYPTO_LIBDIR) -L$(OPENSSL_LIBDIR)",
  },
  install = {
    lua = {
      ["curlew.download"] = "lua/curlew/download.lua",
      ["curlew.init"] = "lua/curlew/init.lua",
      ["curlew.check"] = "lua/curlew/check.lua",
      ["curlew.command"] = "lua/curlew/command.lua",
      ["curlew.form"] = "lua/curlew/form.lua",
      ["curlew.json"] = "lua/curlew/json.lua",
      ["curlew.leaks"] = "lua/curlew/leaks.lua",
      ["curlew.loop"] = "lua/curlew/loop.lua",
      ["curlew.loop.cqueues"] = "lua/curlew/loop/cqueues.lua",
      ["curlew.loop.luv"] = "lua/curlew/loop/luv.lua",
      ["curlew.map"] = "lua/curlew/map.lua",
      ["curlew.middleware"] = "lua/curlew/middleware.lua",
      ["curlew.multipart"] = "lua/curlew/multipart.lua",
      ["curlew.page"] = "lua/curlew/page.lua",
      ["curlew.request"] = "lua/curlew/request.lua",
      ["curlew.requirements"] = "lua/curlew/requirements.lua",
      ["curlew.scheduler"] = "lua/curlew/scheduler.lua",
      ["curlew.scope"] = "lua/curlew/scope.lua",
      ["curlew.shape"] = "lua/curlew/shape.lua",
      ["curlew.tree"] = "lua/curlew/tree.lua",
      ["curlew.url"] = "lua/curlew/url.lua",
    },
    lib = {
      ["curlew.core"] = "curlew/core.so",
    },
  },
}
test = {
  type = "command",
  command = "make test",
}
