/* encode_support: bodies as a server encodes them, for the specs. Test only.
**   encode.gzip(bytes), deflate (with its zlib header), raw_deflate, br, zstd
**   encode.bomb(coding, size, path[, pattern]): 'size' bytes of 'pattern', of
**   zeros without one, encoded into a file
** SPDX-License-Identifier: MIT */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lua.h>

#include "coder.h"

#define BOX "encode_support.coder"

/* What holds a coder, and the file that it writes to, while Lua may raise. */
typedef struct box {
  coder *coder;
  FILE *file;
} box;

static int empty_box(lua_State *L) {
  box *b = luaL_checkudata(L, 1, BOX);
  coder_free(b->coder);
  if (b->file) fclose(b->file);
  *b = (box){0};
  return 0;
}

/* To be closed by the caller's return. */
static box *new_box(lua_State *L) {
  box *b = lua_newuserdatauv(L, sizeof *b, 0);
  *b = (box){0};
  luaL_setmetatable(L, BOX);
  lua_toclose(L, -1);
  return b;
}

typedef struct growing {
  char *bytes;
  size_t n, size;
} growing;

static bool grow(void *to, const void *bytes, size_t n) {
  growing *g = to;
  if (g->n + n > g->size) {
    size_t size = (g->n + n) * 2;
    char *more = realloc(g->bytes, size);
    if (!more) return false;
    g->bytes = more;
    g->size = size;
  }
  if (n) memcpy(g->bytes + g->n, bytes, n);
  g->n += n;
  return true;
}

/* The coding is the upvalue. */
static int encode(lua_State *L) {
  const char *coding = lua_tostring(L, lua_upvalueindex(1));
  size_t n;
  const char *bytes = luaL_checklstring(L, 1, &n);
  growing g = {0};
  coder *c = coder_new(coding, false, grow, &g);
  bool ok = c && coder_put(c, bytes, n, true);
  coder_free(c);
  if (ok) lua_pushlstring(L, g.bytes, g.n); /* it may raise: a leak, then */
  free(g.bytes);
  return ok ? 1 : luaL_error(L, "cannot encode by %s", coding);
}

static bool to_file(void *to, const void *bytes, size_t n) {
  return fwrite(bytes, 1, n, to) == n;
}

/* Pushes 'pattern' as often as it fits into a piece that is worth a call. */
static const char *piece_of(lua_State *L, const char *pattern, size_t n,
                            size_t *length) {
  enum { PIECE = 256 * 1024 };
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  for (*length = 0; *length == 0 || *length + n <= PIECE; *length += n)
    luaL_addlstring(&b, pattern, n);
  luaL_pushresult(&b);
  return lua_tostring(L, -1);
}

static bool put_many(coder *c, const char *piece, size_t n, size_t size) {
  for (; size > n; size -= n)
    if (!coder_put(c, piece, n, false)) return false;
  return coder_put(c, piece, size, true);
}

static int bomb(lua_State *L) {
  const char *coding = luaL_checkstring(L, 1);
  lua_Integer size = luaL_checkinteger(L, 2);
  const char *path = luaL_checkstring(L, 3);
  size_t n;
  const char *pattern = luaL_optlstring(L, 4, "\0", &n);
  if (lua_isnoneornil(L, 4)) n = 1;
  luaL_argcheck(L, size >= 0, 2, "a size expected");
  luaL_argcheck(L, n > 0, 4, "at least one byte expected");
  const char *piece = piece_of(L, pattern, n, &n);
  box *b = new_box(L);
  b->file = fopen(path, "wb");
  if (!b->file) return luaL_error(L, "%s: %s", path, strerror(errno));
  b->coder = coder_new(coding, true, to_file, b->file);
  if (!b->coder) return luaL_error(L, "cannot encode by %s", coding);
  if (!put_many(b->coder, piece, n, (size_t)size) || fflush(b->file) != 0)
    return luaL_error(L, "cannot write %s", path);
  return 0;
}

int luaopen_encode_support(lua_State *L);

int luaopen_encode_support(lua_State *L) {
  static const char *const codings[] = {"gzip", "deflate", "raw_deflate", "br",
                                        "zstd"};
  luaL_newmetatable(L, BOX);
  lua_pushcfunction(L, empty_box);
  lua_setfield(L, -2, "__close");
  lua_pushcfunction(L, empty_box);
  lua_setfield(L, -2, "__gc");
  lua_newtable(L);
  for (size_t i = 0; i < sizeof codings / sizeof *codings; i++) {
    lua_pushstring(L, codings[i]);
    lua_pushcclosure(L, encode, 1);
    lua_setfield(L, -2, codings[i]);
  }
  lua_pushcfunction(L, bomb);
  lua_setfield(L, -2, "bomb");
  return 1;
}
