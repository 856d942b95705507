/* lua_response: the response userdata. Knows Lua and the engine.
** SPDX-License-Identifier: MIT */
#include "lua_response.h"

#include <string.h>

#include "lua_box.h"
#include "lua_headers.h"
#include "lua_observer.h"
#include "lua_open.h"
#include "lua_read.h"
#include "lua_reader.h"
#include "lua_request.h"
#include "lua_save.h"
#include "parameter.h"

/* Ending ------------------------------------------------------------------ */

static int check_k(lua_State *L, int status, lua_KContext context) {
  (void)status, (void)context;
  cwl_box *b = lua_touserdata(L, 1);
  cwl_wish wish = {.slot = 2, .k = check_k};
  while (!cw_exchange_stands(b->x))
    if (!cwl_wait_to_read(L, b, &wish)) return lua_error(L);
  cwl_let_go(b);
  if (b->ending != CWL_IN_USE) return cwl_given_up(L, b);
  cwl_site(L, cwl_state_of(L), 1, &b->where);
  b->ending = CWL_CLOSED;
  return cwl_refuse(L, b->x);
}

/* r:check() -> r | nil, err: released when its status is not 2xx */
static int r_check(lua_State *L) {
  cwl_box *b = cwl_check_open(L);
  lua_settop(L, 1);
  if (cw_response_ok(&b->x->response)) return 1;
  lua_pushnil(L); /* the slot */
  cw_exchange_refuse(b->x);
  return check_k(L, LUA_OK, 0);
}

/* r:close() -> true; twice is harmless */
static int r_close(lua_State *L) {
  cwl_check_box(L);
  cwl_end(L, 1, CWL_CLOSED, CW_BY_CLOSE);
  cwl_tell_ends(L, lua_touserdata(L, CWL_STATE));
  lua_pushboolean(L, true);
  return 1;
}

/* release(response, why [, kept]): a middleware has ended and not returned it;
** if it was moved, what has it now, unless that is 'kept' */
static int m_release(lua_State *L) {
  static const char *const words[] = {"close", "error", "tbc", NULL};
  static const cw_end ends[] = {CW_BY_CLOSE, CW_BY_ERROR, CW_BY_TBC};
  enum { WHY = 2, KEPT, OWNER };
  cwl_check_box(L);
  cw_end why = ends[luaL_checkoption(L, WHY, NULL, words)];
  lua_settop(L, KEPT);
  cwl_push_owner(L);
  if (!lua_rawequal(L, OWNER, KEPT))
    cwl_end(L, OWNER, CWL_MIDDLEWARE_LEFT, why);
  return 0;
}

/* Also the slot of open: there it lets a response go that is handed out. */
static int r_tbc(lua_State *L) {
  cwl_box *b = cwl_check_box(L);
  if (b->slot)
    b->slot = false;
  else
    cwl_end(L, 1, CWL_SCOPE_LEFT, CW_BY_TBC);
  cwl_tell_ends(L, lua_touserdata(L, CWL_STATE));
  return 0;
}

/* A weak value is cleared before its finalizer runs, but not by lua_close,
** which finalizes what is still reachable. */
static bool still_reachable(lua_State *L, const cwl_box *b) {
  lua_getiuservalue(L, CWL_STATE, CWL_LIVE);
  lua_rawgetp(L, -1, b->x);
  bool reachable = lua_touserdata(L, -1) == b;
  lua_pop(L, 2);
  return reachable;
}

/* Neither drains, waits, calls anything, nor raises. */
static int r_gc(lua_State *L) {
  cwl_box *b = cwl_test_box(L, 1);
  cw_exchange *x = b ? b->x : NULL;
  if (!x) return 0;
  if (x->transfer)
    cw_exchange_release(x,
                        still_reachable(L, b) ? CW_LEAK_SHUTDOWN : CW_LEAK_GC);
  else if (b->ending == CWL_IN_USE && !b->looped && x->id && x->handed_out)
    cw_exchange_count_unclosed(x);
  cwl_leave_end(L, x);
  b->x = NULL;
  b->ending = CWL_CLOSED;
  cw_exchange_abandon(x);
  return 0;
}

/* r:move() -> response: the same in a new value; this one is empty */
static int r_move(lua_State *L) {
  cwl_check_open(L);
  lua_settop(L, 1);
  cwl_box *to = cwl_new_box(L);
  cwl_box *b = cwl_check_open(L); /* a finalizer may have run */
  lua_getiuservalue(L, CWL_STATE, CWL_LIVE);
  lua_pushvalue(L, 2);
  lua_rawsetp(L, -2, b->x);
  lua_settop(L, 2);
  b = cwl_check_open(L);
  cwl_move(L, b, to);
  return 1;
}

/* Fields ------------------------------------------------------------------ */

static int f_status(lua_State *L, cw_exchange *x) {
  lua_pushinteger(L, x->response.status);
  return 1;
}

static int f_reason(lua_State *L, cw_exchange *x) {
  lua_pushstring(L, x->response.reason);
  return 1;
}

static int f_ok(lua_State *L, cw_exchange *x) {
  lua_pushboolean(L, cw_response_ok(&x->response));
  return 1;
}

static int f_url(lua_State *L, cw_exchange *x) {
  lua_pushstring(L, cw_url_show(x->request.url));
  return 1;
}

static int f_http_version(lua_State *L, cw_exchange *x) {
  lua_pushstring(L, x->response.http_version);
  return 1;
}

/* Of a coded body the length is not known: what was declared is another. */
static int f_length(lua_State *L, cw_exchange *x) {
  if (x->response.length < 0 || x->body.coded)
    lua_pushnil(L);
  else
    lua_pushinteger(L, x->response.length);
  return 1;
}

static int f_headers(lua_State *L, cw_exchange *x) {
  if (cwl_push_kept(L, "headers")) return 1;
  cwl_push_headers(L, x->response.headers);
  cwl_keep(L, "headers");
  return 1;
}

/* The redirects that were followed, the first one first. */
static int f_history(lua_State *L, cw_exchange *x) {
  lua_createtable(L, (int)x->hops, 0);
  for (unsigned i = 0; i < x->hops; i++) {
    lua_createtable(L, 0, 2);
    cwl_set_integer(L, "status", x->history[i].status);
    cwl_set_string(L, "url", cw_url_show(x->history[i].url));
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 1;
}

/* They come after the body; before that there are none. */
static int f_trailers(lua_State *L, cw_exchange *x) {
  cwl_push_headers(L, x->response.trailers);
  return 1;
}

/* The value of a field, where there is one; of several lines the first. */
static bool find_field(const cw_exchange *x, const char *name, cw_text *value) {
  const cw_headers *h = x->response.headers;
  size_t i = cw_headers_find(h, (cw_text){name, strlen(name)}, 0);
  if (i == cw_headers_count(h)) return false;
  *value = cw_headers_value(h, i);
  return true;
}

/* Pushes text in lower case: case means nothing in it. */
static int push_lower(lua_State *L, const char *bytes, size_t n) {
  luaL_Buffer b;
  char *to = luaL_buffinitsize(L, &b, n);
  for (size_t i = 0; i < n; i++)
    to[i] = (char)(bytes[i] + (bytes[i] >= 'A' && bytes[i] <= 'Z' ? 32 : 0));
  luaL_pushresultsize(&b, n);
  return 1;
}

static int f_media_type(lua_State *L, cw_exchange *x) {
  cw_text field, type = {"", 0};
  if (find_field(x, "content-type", &field)) type = cw_parameter_value(field);
  return type.length ? push_lower(L, type.bytes, type.length) : 0;
}

/* Longer than any name that means something: none. */
enum { NAME_MAX_BYTES = 1024 };

static int f_charset(lua_State *L, cw_exchange *x) {
  cw_text field;
  cw_buf name;
  char small[64];
  size_t n = 0;
  cw_buf_init(&name, sizeof small);
  bool ok = find_field(x, "content-type", &field) &&
            cw_parameter_find(field, "charset", &name);
  const char *bytes = cw_buf_peek(&name, &n);
  if (ok) memcpy(small, bytes, n);
  cw_buf_clear(&name); /* before Lua may raise */
  return ok && n > 0 ? push_lower(L, small, n) : 0;
}

static int f_filename(lua_State *L, cw_exchange *x) {
  cw_text field;
  cw_buf name;
  char small[NAME_MAX_BYTES];
  size_t n = 0;
  cw_buf_init(&name, sizeof small);
  bool ok = find_field(x, "content-disposition", &field) &&
            cw_parameter_filename(field, &name);
  const char *bytes = cw_buf_peek(&name, &n);
  if (ok) memcpy(small, bytes, n);
  cw_buf_clear(&name); /* before Lua may raise */
  if (!ok) return 0;
  lua_pushlstring(L, small, n);
  return 1;
}

/* What was asked; for the eye and for logs. */
static int f_request(lua_State *L, cw_exchange *x) {
  if (cwl_push_kept(L, "request")) return 1;
  cwl_push_request(L, &x->request);
  cwl_keep(L, "request");
  return 1;
}

static int f_info(lua_State *L, cw_exchange *x) {
  cwl_push_info(L, x);
  return 1;
}

static const struct {
  const char *name;
  int (*push)(lua_State *L, cw_exchange *x);
} fields[] = {
  {"status", f_status},     {"ok", f_ok},
  {"headers", f_headers},   {"reason", f_reason},
  {"url", f_url},           {"length", f_length},
  {"request", f_request},   {"http_version", f_http_version},
  {"info", f_info},         {"trailers", f_trailers},
  {"charset", f_charset},   {"media_type", f_media_type},
  {"filename", f_filename}, {"history", f_history},
};

/* Methods first, by the table in upvalue 2; then fields. */
static int r_index(lua_State *L) {
  cwl_box *b = cwl_check_box(L);
  lua_pushvalue(L, 2);
  if (lua_rawget(L, lua_upvalueindex(2)) != LUA_TNIL) return 1;
  const char *name = lua_tostring(L, 2);
  for (size_t i = 0; name && i < sizeof fields / sizeof *fields; i++) {
    if (strcmp(fields[i].name, name) != 0) continue;
    if (!b->x) cwl_given_up(L, b);
    return fields[i].push(L, b->x);
  }
  return 0;
}

static int r_newindex(lua_State *L) {
  return cwl_raise(L, "a response has no field to be set ('%s')",
                   luaL_tolstring(L, 2, NULL));
}

/* r:header(name) -> value...: each line's, as received */
static int r_header(lua_State *L) {
  cwl_box *b = cwl_check_box(L);
  if (!b->x) cwl_given_up(L, b);
  return cwl_push_values(L, b->x->response.headers, 2);
}

static int r_tostring(lua_State *L) {
  cwl_box *b = cwl_check_box(L);
  if (!b->x) {
    lua_pushliteral(L, "curlew.response (moved away)");
    return 1;
  }
  char url[1024];
  cw_url_mask(b->x->request.url, url, sizeof url);
  lua_pushfstring(L, "curlew.response (%d %s, %s)", b->x->response.status, url,
                  b->x->transfer ? "open" : "released");
  return 1;
}

bool cwl_push_response_type(lua_State *L, int index) {
  cwl_box *b = cwl_test_box(L, index);
  if (!b) return false;
  bool open = b->x && b->ending == CWL_IN_USE;
  lua_pushstring(L, open ? "response" : "closed response");
  return true;
}

/* Registration ------------------------------------------------------------ */

static const luaL_Reg methods[] = {
  {"close", r_close}, {"check", r_check}, {"header", r_header},
  {"move", r_move},   {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
  {"__close", r_tbc},         {"__gc", r_gc}, {"__newindex", r_newindex},
  {"__tostring", r_tostring}, {NULL, NULL},
};

static const luaL_Reg functions[] = {{"release", m_release}, {NULL, NULL}};

void cwl_open_response(lua_State *L, int state) {
  cwl_register(L, functions, state);
  cwl_type(L, "curlew.response", metamethods, methods, state);
  luaL_getmetatable(L, "curlew.response");
  ((cwl_state *)lua_touserdata(L, state))->response = lua_topointer(L, -1);
  lua_pushvalue(L, -1);
  lua_setiuservalue(L, state, CWL_METATABLE);
  lua_pushvalue(L, state);
  lua_getfield(L, -2, "__index");
  cwl_open_read(L, state);
  cwl_open_save(L, state);
  lua_pushvalue(L, -1);
  lua_setfield(L, -5, "response_methods"); /* the Lua part adds json */
  lua_pushcclosure(L, r_index, 2);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
  cwl_open_open(L, state);
}
