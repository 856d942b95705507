/* lua_download: the parts of files. Knows Lua and the engine.
** SPDX-License-Identifier: MIT */
#include "lua_download.h"

#include "lua_box.h"
#include "lua_client.h"
#include "lua_error.h"
#include "lua_options.h"
#include "lua_save.h"
#include "part.h"

/* Where the arguments of part stand on the stack, and what it makes. */
enum { CLIENT = 1, URL, PATH, SUM, PART };

static int part_drop(lua_State *L) {
  cw_part_drop(luaL_checkudata(L, 1, "curlew.part"));
  return 0;
}

/* The url is on top: what was asked for, if that is none. */
static int fail(lua_State *L, const cw_error *e) {
  size_t n;
  const char *url = lua_tolstring(L, -1, &n);
  luaL_pushfail(L);
  cwl_push_bare_error(L, e, "GET", url, n);
  return 2;
}

/* Pushes the url that is asked for, without userinfo. False: 'e' says why. */
static bool resolve(lua_State *L, cw_client *c, cw_error *e) {
  size_t n;
  const char *url = lua_tolstring(L, URL, &n);
  cw_request r;
  cw_request_init(&r, c->defaults, e);
  bool ok = cw_request_set_url(&r, url, n, &c->last_url, e);
  cw_request_clear(&r);
  if (!ok) {
    lua_pushvalue(L, URL);
    return false;
  }
  const char *shown = cw_url_show(c->last_url);
  if (!shown) cwl_raise(L, "not enough memory");
  lua_pushstring(L, shown);
  return true;
}

/* part(client, url, path, sha256 | nil) -> part, to be closed | nil, err */
static int m_part(lua_State *L) {
  char sum[CW_CHECKSUM_TEXT];
  cw_error e = {.code = CW_OK};
  lua_settop(L, SUM);
  cwl_check_client(L, CLIENT);
  if (lua_type(L, URL) != LUA_TSTRING)
    return cwl_raise(L, "url: string expected, got %s", luaL_typename(L, URL));
  const char *path = cwl_check_path(L, PATH, "download");
  bool summed = cwl_read_sha256(L, SUM, sum);
  cw_part *p = lua_newuserdatauv(L, sizeof *p, 0);
  cw_part_init(p);
  luaL_setmetatable(L, "curlew.part");
  cwl_finalize_late(L);
  bool ok = resolve(L, cwl_check_client(L, CLIENT), &e);
  if (!ok || !cw_part_open(p, path, lua_tostring(L, -1), &e) ||
      (summed && !cw_file_expect(&p->file, sum, &e)))
    return fail(L, &e);
  lua_settop(L, PART);
  return 1;
}

/* part_ask(part) -> where to begin | nil: with all, what to know it by */
static int m_part_ask(lua_State *L) {
  cw_part *p = luaL_checkudata(L, 1, "curlew.part");
  uint64_t at = cw_part_ask(p);
  if (at == 0) return 0;
  lua_pushinteger(L, (lua_Integer)at);
  lua_pushstring(L, p->validator);
  return 2;
}

/* part_refused(part, status) -> whether the whole file must be requested. An
** error is reported again when the part is written. */
static int m_part_refused(lua_State *L) {
  cw_error e = {.code = CW_OK};
  cw_part *p = luaL_checkudata(L, 1, "curlew.part");
  int status = (int)luaL_checkinteger(L, 2);
  lua_pushboolean(L, cw_part_refused(p, status, &e) != CW_PART_REFUSED);
  return 1;
}

static int done(lua_State *L) {
  cw_part *p = lua_touserdata(L, CWL_SAVE_FILE);
  cw_error e = {.code = CW_OK};
  if (!cw_part_finish(p, &e)) return cwl_fail_saving(L, &e);
  cwl_push_file(L, &p->file);
  cwl_set_boolean(L, "resumed", p->resumed);
  return 1;
}

/* part_take(response, path, nil, part) -> file | nil, err | false: ask again |
** nothing: its status will not do. Its arguments stand where saving has them.
*/
static int m_part_take(lua_State *L) {
  cw_error e = {.code = CW_OK};
  cwl_box *b = cwl_check_open(L);
  cw_part *p = luaL_checkudata(L, CWL_SAVE_FILE, "curlew.part");
  lua_settop(L, CWL_SAVE_SLOT);
  if (b->x->body.read > 0)
    return cwl_raise(L, "download: the function 'check' has read of the body");
  switch (cw_part_take(p, &b->x->response, b->x->body.most, &e)) {
  case CW_PART_TAKEN:
    return cwl_save_body(L, done);
  case CW_PART_AGAIN:
    lua_pushboolean(L, false);
    return 1;
  case CW_PART_FAILED:
    return cwl_fail_saving(L, &e);
  default:
    return 0;
  }
}

static const luaL_Reg metamethods[] = {
  {"__close", part_drop}, {"__gc", part_drop}, {NULL, NULL}};

static const luaL_Reg functions[] = {
  {"part", m_part},
  {"part_ask", m_part_ask},
  {"part_refused", m_part_refused},
  {"part_take", m_part_take},
  {NULL, NULL},
};

void cwl_open_download(lua_State *L, int state) {
  cwl_type(L, "curlew.part", metamethods, NULL, state);
  cwl_register(L, functions, state);
}
