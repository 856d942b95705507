/* requirements: refuses to build without the libraries that curlew needs. The
** Makefile runs it through the preprocessor before it compiles anything; the
** output tells whether objects of an earlier build still fit.
** SPDX-License-Identifier: MIT */
#if !__has_include(<lua.h>) || !__has_include(<lauxlib.h>)
#error                                                                         \
  "curlew needs the headers of Lua 5.4 or 5.5: install them (on Debian: apt-get install liblua5.4-dev) or name their directory (make LUA_INCDIR=...)"
#else
#include <lua.h>
#if LUA_VERSION_NUM < 504 || LUA_VERSION_NUM > 505
#error                                                                         \
  "curlew needs Lua 5.4 or 5.5, and these headers are of another version: install Lua 5.4 (on Debian: apt-get install lua5.4 liblua5.4-dev) or name the directory of its headers (make LUA_INCDIR=...)"
#endif
#endif

#if !__has_include(<curl/curl.h>)
#error                                                                         \
  "curlew needs libcurl 7.88 or newer with its headers: install them (on Debian 12 or newer: apt-get install libcurl4-openssl-dev)"
#else
#include "../src/version.h"
#endif

#if !__has_include(<openssl/ssl.h>)
#error                                                                         \
  "curlew needs OpenSSL with its headers: install them (on Debian: apt-get install libssl-dev)"
#endif
#if !__has_include(<zlib.h>)
#error                                                                         \
  "curlew needs zlib with its headers: install them (on Debian: apt-get install zlib1g-dev)"
#endif
#if !__has_include(<brotli/decode.h>)
#error                                                                         \
  "curlew needs brotli with its headers: install them (on Debian: apt-get install libbrotli-dev)"
#endif
#if !__has_include(<zstd.h>)
#error                                                                         \
  "curlew needs zstd with its headers: install them (on Debian: apt-get install libzstd-dev)"
#endif

_Static_assert(LUA_VERSION_NUM &&LIBCURL_VERSION_NUM, "built for these");
