/* lua_open: how a response comes to be. Knows Lua and the engine.
** SPDX-License-Identifier: MIT */
#include "lua_open.h"

#include <string.h>

#include "lua_box.h"
#include "lua_client.h"
#include "lua_error.h"
#include "lua_options.h"
#include "lua_read.h"
#include "lua_wait.h"

/* Where the arguments of open and what it makes stand on the stack. */
enum { CLIENT = 1, METHOD, URL, OPTIONS, RESPONSE };

/* At the limit: garbage may hold what is needed. A collection that freed
** nothing is not repeated at once, but after as many refusals as there were
** such in a row, doubling up to 64. */
static bool collect(lua_State *L, cwl_state *s) {
  enum { MOST_SKIPPED = 64 };
  size_t before = cw_engine_open(s->engine);
  if (s->skip > 0) {
    s->skip--;
    return false;
  }
  lua_gc(L, LUA_GCCOLLECT);
  cw_engine_ledger(s->engine)->counters.forced_collections++;
  bool freed = cw_engine_open(s->engine) < before;
  s->useless = freed ? 0 : s->useless * 2 + 1;
  if (s->useless > MOST_SKIPPED) s->useless = MOST_SKIPPED;
  s->skip = s->useless;
  return freed;
}

/* Each slot that was free makes it likelier that there is garbage again. */
static void start(lua_State *L, cwl_state *s, cw_exchange *x) {
  if (cw_engine_full(s->engine))
    collect(L, s);
  else
    s->skip = s->useless /= 2;
  cw_exchange_start(x);
}

/* It failed for want of descriptors: once more, if garbage held some. */
static bool start_again(lua_State *L, cwl_state *s, cw_exchange *x) {
  if (!cw_engine_out_of_descriptors(s->engine) || !collect(L, s)) return false;
  cw_exchange_start(x);
  return true;
}

/* nil, err stand on top: what is to be had of an opener that fails. A loop has
** nowhere to return them to. */
static int fail(lua_State *L, const cwl_box *b) {
  return b->form == CWL_RESPONSE ? 2 : lua_error(L);
}

/* The slot of the opener then finds nothing to release. */
static void push_failure(lua_State *L, cw_exchange *x, const cw_error *e) {
  luaL_pushfail(L);
  cwl_push_error(L, x, e);
  cw_exchange_release(x, CW_BY_ERROR);
}

int cwl_refuse(lua_State *L, cw_exchange *x) {
  cw_error e = {.code = CW_OK};
  cw_error_from_status(&e, x->response.status, x->response.reason);
  cw_exchange_show_refused(x);
  push_failure(L, x, &e);
  return 2;
}

static int refuse(lua_State *L, const cwl_box *b) {
  cwl_refuse(L, b->x);
  return fail(L, b);
}

static int fail_opening(lua_State *L, const cwl_box *b) {
  push_failure(L, b->x, &b->x->error);
  return fail(L, b);
}

/* Hands the response over to the caller. From here on its own <close> variable
** or loop, its owner, or the collector releases it. */
static int hand_out(lua_State *L, cwl_box *b) {
  cw_exchange_hand_out(b->x);
  if (b->x->transfer) {
    lua_getiuservalue(L, CWL_STATE, CWL_LIVE);
    lua_pushvalue(L, RESPONSE);
    lua_rawsetp(L, -2, b->x);
    lua_pop(L, 1);
  }
  int results = cwl_push_form(L, RESPONSE, b->form);
  b->slot = true;
  return results;
}

/* After check = function(r): what it returned is on top. */
static int checked_k(lua_State *L, int status, lua_KContext context) {
  (void)status, (void)context;
  cwl_box *b = lua_touserdata(L, RESPONSE);
  bool good = lua_toboolean(L, -1);
  if (b->ending != CWL_IN_USE) return cwl_given_up(L, b);
  return good ? hand_out(L, b) : refuse(L, b);
}

/* Calls the function: the request's own, else the client's. */
static int call_check(lua_State *L, cw_exchange *x) {
  cw_exchange_hand_out(x);
  if (x->request.own.set & cw_option_bit(CW_OPT_CHECK))
    lua_getfield(L, OPTIONS, "check");
  else
    lua_getiuservalue(L, CLIENT, CWL_CLIENT_CHECK);
  lua_pushvalue(L, RESPONSE);
  lua_callk(L, 1, 1, 0, checked_k);
  return checked_k(L, LUA_OK, 0);
}

static int check_of(const cw_exchange *x) {
  return (int)cw_settings_get(&x->request.own, x->request.defaults,
                              CW_OPT_CHECK);
}

static int opened_k(lua_State *L, int status, lua_KContext context) {
  (void)status;
  cwl_state *s = cwl_state_of(L);
  cwl_box *b = lua_touserdata(L, RESPONSE);
  cw_exchange *x = b->x;
  while (!cw_exchange_stands(x)) {
    if (cwl_wait(L, s, x, context, opened_k)) continue;
    /* a coroutine that dies by an error does not close its slots */
    cw_exchange_release(x, CW_BY_ERROR);
    return lua_error(L);
  }
  if (cw_exchange_failed(x)) {
    bool again = context == 0 && start_again(L, s, x);
    return again ? opened_k(L, LUA_OK, 1) : fail_opening(L, b);
  }
  if (x->check && !cw_response_ok(&x->response)) return refuse(L, b);
  if (check_of(x) == CWL_CHECK_FUNCTION) return call_check(L, x);
  return hand_out(L, b);
}

/* The method and the url as arguments; with http.request they stand in the
** options, under their names. */
static void read_request(lua_State *L, cw_exchange *x) {
  if (!lua_isnil(L, OPTIONS)) {
    luaL_checktype(L, OPTIONS, LUA_TTABLE);
    cwl_options(L, OPTIONS, &x->request.own,
                lua_isnil(L, METHOD) ? CWL_FOR_REQUEST : CWL_FOR_VERB);
  }
  if (!cw_settings_compile(&x->request.own, x->request.defaults))
    cwl_raise(L, "not enough memory");
  if (lua_isnil(L, METHOD)) return;
  const char *method = luaL_checkstring(L, METHOD);
  if (strcmp(method, "GET") == 0) return;
  if (!cw_settings_text(&x->request.own, CW_OPT_METHOD, method))
    cwl_raise(L, "not enough memory");
}

/* The box first, what it holds second; what is opened goes into a slot that
** closes it, should a wait not come back. */
static int open(lua_State *L, cwl_form form) {
  cwl_state *s = cwl_state_of(L);
  size_t length;
  lua_settop(L, OPTIONS);
  cw_client *c = cwl_check_client(L, CLIENT);
  if (lua_type(L, URL) != LUA_TSTRING)
    return cwl_raise(L, "url: string expected, got %s", luaL_typename(L, URL));
  cwl_tell_leaks(L, s);
  cwl_box *b = cwl_new_box(L);
  b->form = form;
  cw_exchange_new(c, &b->x);
  cw_exchange *x = b->x;
  if (!x) return cwl_raise(L, "not enough memory");
  cwl_site(L, s, 2, &x->site); /* 1 is the verb, which called us */
  x->opener = cwl_opener(L, s);
  read_request(L, x);
  x->check = check_of(x) == CWL_CHECK_STATUS;
  const char *url = lua_tolstring(L, URL, &length);
  if (!cw_request_set_url(&x->request, url, length, &c->last_url, &x->error))
    return fail_opening(L, b);
  lua_toclose(L, RESPONSE);
  start(L, s, x);
  return opened_k(L, LUA_OK, 0);
}

/* open(client, method | nil, url, options | nil) -> response | nil, err */
static int m_open(lua_State *L) { return open(L, CWL_RESPONSE); }

/* The same -> iterator, nil, nil, what its loop closes; a failure is raised */
static int m_open_lines(lua_State *L) { return open(L, CWL_LINES); }
static int m_open_chunks(lua_State *L) { return open(L, CWL_CHUNKS); }

static const luaL_Reg functions[] = {
  {"open", m_open},
  {"open_lines", m_open_lines},
  {"open_chunks", m_open_chunks},
  {NULL, NULL},
};

void cwl_open_open(lua_State *L, int state) {
  cwl_register(L, functions, state);
}
