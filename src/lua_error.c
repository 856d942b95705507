/* lua_error: error objects. Knows Lua and the engine.
** SPDX-License-Identifier: MIT */
#include "lua_error.h"

#include "lua_headers.h"
#include "lua_leaks.h"

static void set_url(lua_State *L, cw_exchange *x) {
  char url[2048];
  if (!x->request.url) return; /* it is none: it may hold anything */
  cw_url_mask(x->request.url, url, sizeof url);
  cwl_set_string(L, "url", url);
}

/* Where there was a response: what is known of it. */
static void set_response(lua_State *L, cw_exchange *x) {
  if (!x->response.final) return;
  cwl_set_integer(L, "status", x->response.status);
  cwl_set_integer(L, "received", (int64_t)x->body.came);
  cwl_push_headers(L, x->response.headers);
  lua_setfield(L, -2, "headers");
}

static void set_refused(lua_State *L, cw_exchange *x) {
  size_t n;
  const char *bytes = cw_body_peek(&x->body, &n);
  lua_pushlstring(L, bytes, n < CW_REFUSED_BYTES ? n : CW_REFUSED_BYTES);
  lua_setfield(L, -2, "body");
}

/* What every error object has. */
static void push_fields(lua_State *L, const cw_error *e, const cw_site *site,
                        const char *method) {
  lua_createtable(L, 0, 12);
  luaL_setmetatable(L, "curlew.error");
  cwl_set_string(L, "code", cw_code_name(e->code));
  cwl_set_string(L, "phase", cw_phase_name(e->phase));
  cwl_set_string(L, "message", e->text);
  if (method) cwl_set_string(L, "method", method);
  cwl_set_boolean(L, "retryable", e->retryable);
  cwl_push_site(L, site);
  lua_setfield(L, -2, "site");
}

void cwl_push_error(lua_State *L, cw_exchange *x, const cw_error *e) {
  push_fields(L, e, &x->site, cw_request_method(&x->request));
  unsigned attempts = cw_exchange_attempts(x);
  cwl_set_integer(L, "attempts", attempts ? attempts : 1);
  set_url(L, x);
  set_response(L, x);
  if (e->code == CW_ERR_STATUS) set_refused(L, x);
  if (e->code == CW_ERR_TOO_MANY_OPEN) {
    cwl_push_holders(L, x);
    lua_setfield(L, -2, "holders");
  }
}

bool cwl_is_error(lua_State *L, int index) {
  if (!lua_getmetatable(L, index)) return false;
  luaL_getmetatable(L, "curlew.error");
  bool same = lua_rawequal(L, -1, -2);
  lua_pop(L, 2);
  return same;
}

void cwl_push_failure(lua_State *L, const cw_error *e) {
  cw_site site;
  cwl_site(L, cwl_state_of(L), 1, &site);
  push_fields(L, e, &site, NULL);
}

/* What is no url may hold anything: it is not shown. */
static bool push_masked(lua_State *L, const char *text, size_t n) {
  char url[2048] = "?";
  cw_error ignored = {.code = CW_OK};
  cw_url *u = cw_url_new(text, n, &ignored);
  if (u) cw_url_mask(u, url, sizeof url);
  cw_url_free(u);
  lua_pushstring(L, url);
  return ignored.code == CW_OK;
}

void cwl_push_bare_error(lua_State *L, const cw_error *e, const char *method,
                         const char *url, size_t n) {
  cw_site site;
  cwl_site(L, cwl_state_of(L), 1, &site);
  push_fields(L, e, &site, method);
  if (push_masked(L, url, n))
    lua_setfield(L, -2, "url");
  else
    lua_pop(L, 1);
}

/* failure(code, method, url, status, text) -> the error object of what the
** words find out: "status", of which 'text' is the reason, or "json" */
static int m_failure(lua_State *L) {
  static const char *const codes[] = {"status", "json", NULL};
  cw_error e = {.code = CW_OK};
  cw_site site;
  size_t n;
  bool json = luaL_checkoption(L, 1, NULL, codes) == 1;
  const char *method = luaL_checkstring(L, 2);
  const char *url = luaL_checklstring(L, 3, &n);
  int status = (int)luaL_checkinteger(L, 4);
  const char *text = luaL_checkstring(L, 5);
  cwl_site(L, cwl_state_of(L), 1, &site);
  if (json)
    cw_error_set(&e, CW_ERR_JSON, CW_PHASE_BODY, "%s", text);
  else
    cw_error_from_status(&e, status, text);
  push_fields(L, &e, &site, method);
  push_masked(L, url, n);
  lua_setfield(L, -2, "url");
  cwl_set_integer(L, "attempts", 1);
  cwl_set_integer(L, "status", status);
  return 1;
}

/* ended("cancelled" | "timeout", text) -> the error of what was no request, and
** of the line that called */
static int m_ended(lua_State *L) {
  static const char *const codes[] = {"cancelled", "timeout", NULL};
  cw_error e = {.code = CW_OK};
  bool late = luaL_checkoption(L, 1, NULL, codes) == 1;
  cw_error_set(&e, late ? CW_ERR_TIMEOUT : CW_ERR_CANCELLED, CW_PHASE_REQUEST,
               "%s", luaL_checkstring(L, 2));
  cwl_push_failure(L, &e);
  return 1;
}

/* Field 'name' of the table at 1 as a string, left on the stack. */
static const char *field(lua_State *L, const char *name,
                         const char *otherwise) {
  if (lua_getfield(L, 1, name) == LUA_TNIL) lua_pushstring(L, otherwise);
  return luaL_tolstring(L, -1, NULL);
}

/* "GET http://h/x: connection refused (connect) at app.lua:12"; without what
** was asked where nothing was. */
static int e_tostring(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  const char *method = field(L, "method", "");
  const char *url = field(L, "url", "(no url)");
  const char *message = field(L, "message", "failed");
  const char *code = field(L, "code", "?");
  const char *site = field(L, "site", "?");
  if (*method) lua_pushfstring(L, "%s %s: ", method, url);
  lua_pushfstring(L, "%s (%s) at %s", message, code, site);
  if (*method) lua_concat(L, 2);
  return 1;
}

static const luaL_Reg metamethods[] = {{"__tostring", e_tostring},
                                       {NULL, NULL}};

static const luaL_Reg functions[] = {
  {"failure", m_failure}, {"ended", m_ended}, {NULL, NULL}};

void cwl_open_error(lua_State *L, int state) {
  cwl_type(L, "curlew.error", metamethods, NULL, state);
  cwl_register(L, functions, state);
}
