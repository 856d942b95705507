/* lua_url: what http.url does with urls. Knows Lua and url.
** SPDX-License-Identifier: MIT */
#include "lua_url.h"

#include <stdlib.h>

#include "lua_error.h"

/* A url belongs to a box: pushing its parts may raise. */
static cw_url **push_box(lua_State *L) {
  cwl_state_of(L); /* raises while the state is being closed */
  cw_url **u = lua_newuserdatauv(L, sizeof(cw_url *), 0);
  *u = NULL;
  luaL_setmetatable(L, "curlew.url");
  cwl_finalize_late(L);
  return u;
}

static int u_gc(lua_State *L) {
  cw_url **u = luaL_checkudata(L, 1, "curlew.url");
  cw_url_free(*u);
  *u = NULL;
  return 0;
}

static const char *check_string(lua_State *L, int index, const char *what,
                                size_t *length) {
  if (lua_type(L, index) != LUA_TSTRING)
    cwl_raise(L, "%s: string expected, got %s", what, luaL_typename(L, index));
  return lua_tolstring(L, index, length);
}

static int fail(lua_State *L, const cw_error *e) {
  luaL_pushfail(L);
  cwl_push_failure(L, e);
  return 2;
}

/* Sets field 'name' of the table on top to a part of the url. */
static void set_part(lua_State *L, cw_url *u, const char *name,
                     cw_url_part part) {
  const char *text = cw_url_peek(u, part);
  if (text && part == CW_URL_PORT)
    cwl_set_integer(L, name, strtol(text, NULL, 10));
  else if (text)
    cwl_set_string(L, name, text);
}

/* parse(url) -> {scheme =, user =, password =, host =, port =, path =,
** query =, fragment =} | nil, err */
static int m_parse(lua_State *L) {
  static const char *const names[] = {
    [CW_URL_SCHEME] = "scheme",     [CW_URL_USER] = "user",
    [CW_URL_PASSWORD] = "password", [CW_URL_HOST] = "host",
    [CW_URL_PORT] = "port",         [CW_URL_PATH] = "path",
    [CW_URL_QUERY] = "query",       [CW_URL_FRAGMENT] = "fragment",
  };
  cw_error e = {.code = CW_OK};
  size_t n;
  const char *text = check_string(L, 1, "url", &n);
  cw_url **u = push_box(L);
  *u = cw_url_new(text, n, &e);
  if (!*u) return fail(L, &e);
  lua_createtable(L, 0, CW_URL_PARTS);
  for (int part = CW_URL_SCHEME; part < CW_URL_WHOLE; part++)
    set_part(L, *u, names[part], (cw_url_part)part);
  return 1;
}

/* join(base, reference) -> url | nil, err */
static int m_join(lua_State *L) {
  cw_error e = {.code = CW_OK};
  size_t base_length, length;
  const char *base_text = check_string(L, 1, "base url", &base_length);
  const char *text = check_string(L, 2, "url", &length);
  cw_url **base = push_box(L), **joined = push_box(L);
  *base = cw_url_new(base_text, base_length, &e);
  if (*base) *joined = cw_url_join(*base, text, length, &e);
  if (!*joined) return fail(L, &e);
  lua_pushstring(L, cw_url_peek(*joined, CW_URL_WHOLE));
  return 1;
}

static const luaL_Reg metamethods[] = {{"__gc", u_gc}, {NULL, NULL}};

static const luaL_Reg functions[] = {
  {"parse", m_parse}, {"join", m_join}, {NULL, NULL}};

void cwl_open_url(lua_State *L, int state) {
  cwl_type(L, "curlew.url", metamethods, NULL, state);
  lua_newtable(L);
  cwl_register(L, functions, state);
  lua_setfield(L, -2, "url");
}
