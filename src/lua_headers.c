/* lua_headers: a read-only view of field lines. Knows Lua and headers.
** SPDX-License-Identifier: MIT */
#include "lua_headers.h"

#include <string.h>

cw_headers **cwl_new_headers(lua_State *L) {
  cw_headers **box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = NULL;
  luaL_setmetatable(L, "curlew.headers");
  cwl_finalize_late(L);
  return box;
}

void cwl_push_headers(lua_State *L, cw_headers *h) {
  cw_headers **box = cwl_new_headers(L);
  if (h) *box = cw_headers_retain(h);
}

static cw_headers *check(lua_State *L) {
  return *(cw_headers **)luaL_checkudata(L, 1, "curlew.headers");
}

static cw_text name_at(lua_State *L, int at) {
  cw_text name;
  if (lua_type(L, at) != LUA_TSTRING)
    cwl_raise(L, "header: string expected, got %s", luaL_typename(L, at));
  name.bytes = lua_tolstring(L, at, &name.length);
  return name;
}

static void push(lua_State *L, cw_text text) {
  lua_pushlstring(L, text.bytes, text.length);
}

int cwl_push_values(lua_State *L, const cw_headers *h, int name) {
  cw_text wanted = name_at(L, name);
  size_t count = cw_headers_count(h);
  int n = 0;
  for (size_t i = cw_headers_find(h, wanted, 0); i < count;
       i = cw_headers_find(h, wanted, i + 1)) {
    luaL_checkstack(L, 2, "too many header lines");
    push(L, cw_headers_value(h, i));
    n++;
  }
  return n;
}

/* Fields that are no lists (RFC 9110 section 5.3, RFC 6265 section 3): several
** lines of one are not joined; the first stands. */
static bool singleton(cw_text name) {
  static const char *const names[] = {
    "set-cookie", "content-type",  "content-length",  "location", "date",
    "etag",       "last-modified", "expires",         "server",   "retry-after",
    "age",        "content-range", "content-location"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (cw_text_is(name, names[i])) return true;
  return false;
}

/* headers[name]: list fields joined with ", ". */
static int h_index(lua_State *L) {
  cw_headers *h = check(L);
  if (lua_type(L, 2) != LUA_TSTRING) return 0;
  cw_text name = name_at(L, 2);
  size_t count = cw_headers_count(h), i = cw_headers_find(h, name, 0);
  if (i == count) return 0;
  size_t next = cw_headers_find(h, name, i + 1);
  if (next == count || singleton(name)) {
    push(L, cw_headers_value(h, i));
    return 1;
  }
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  for (;; i = next, next = cw_headers_find(h, name, i + 1)) {
    cw_text value = cw_headers_value(h, i);
    luaL_addlstring(&b, value.bytes, value.length);
    if (next == count) break;
    luaL_addstring(&b, ", ");
  }
  luaL_pushresult(&b);
  return 1;
}

static int h_newindex(lua_State *L) {
  return cwl_raise(L, "a response's headers are read-only");
}

static int h_len(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)cw_headers_count(check(L)));
  return 1;
}

/* One line at a time; upvalue 2 is the view, upvalue 3 the next line. */
static int next_line(lua_State *L) {
  cw_headers *h = *(cw_headers **)lua_touserdata(L, lua_upvalueindex(2));
  size_t i = (size_t)lua_tointeger(L, lua_upvalueindex(3));
  if (i >= cw_headers_count(h)) return 0;
  lua_pushinteger(L, (lua_Integer)i + 1);
  lua_replace(L, lua_upvalueindex(3));
  push(L, cw_headers_name(h, i));
  push(L, cw_headers_value(h, i));
  return 2;
}

/* pairs(headers): every line as it came. */
static int h_pairs(lua_State *L) {
  check(L);
  lua_pushvalue(L, CWL_STATE);
  lua_pushvalue(L, 1);
  lua_pushinteger(L, 0);
  lua_pushcclosure(L, next_line, 3);
  return 1;
}

static int h_tostring(lua_State *L) {
  lua_pushfstring(L, "curlew.headers (%d lines)",
                  (int)cw_headers_count(check(L)));
  return 1;
}

static int h_gc(lua_State *L) {
  cw_headers **box = luaL_checkudata(L, 1, "curlew.headers");
  cw_headers_free(*box);
  *box = NULL;
  return 0;
}

/* values(view, name) -> value...: each line's, as received */
static int m_values(lua_State *L) { return cwl_push_values(L, check(L), 2); }

static const luaL_Reg functions[] = {{"values", m_values}, {NULL, NULL}};

static const luaL_Reg metamethods[] = {
  {"__index", h_index}, {"__newindex", h_newindex}, {"__len", h_len},
  {"__pairs", h_pairs}, {"__tostring", h_tostring}, {"__gc", h_gc},
  {NULL, NULL},
};

void cwl_open_headers(lua_State *L, int state) {
  cwl_type(L, "curlew.headers", metamethods, NULL, state);
  cwl_register(L, functions, state);
}
