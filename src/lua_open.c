/* lua_open: how a response comes to be. Knows Lua and the engine.
** SPDX-License-Identifier: MIT */
#include "lua_open.h"

#include <string.h>

#include "lua_box.h"
#include "lua_client.h"
#include "lua_content.h"
#include "lua_error.h"
#include "lua_hooks.h"
#include "lua_observer.h"
#include "lua_options.h"
#include "lua_read.h"
#include "lua_task.h"
#include "lua_tls.h"
#include "lua_token.h"
#include "lua_wait.h"

/* Where what open makes, and its arguments, stand on the stack. */
enum { RESPONSE = 1, CLIENT, METHOD, URL, OPTIONS, PREVIOUS, CALL };

/* What a continuation is to take up: bits of its context. */
enum {
  RETRIED = 1, /* the want of descriptors was met once */
  FED = 2,     /* a body's function was called */
  TOLD = 4     /* a bearer's function was called */
};

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
  if (cw_engine_full(s->engine) || cw_exchange_crowded(x))
    collect(L, s);
  else
    s->skip = s->useless /= 2;
  cw_exchange_start(x);
}

/* It failed for want of descriptors: once more, if garbage held some. */
static bool start_again(lua_State *L, cwl_state *s, cw_exchange *x) {
  if (!cw_engine_out_of_descriptors(s->engine) || !collect(L, s)) return false;
  cw_exchange_restart(x);
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
  cwl_tell_ends(L, cwl_state_of(L));
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
  cwl_tell_ends(L, cwl_state_of(L));
  return results;
}

static bool raised(int status) {
  return status != LUA_OK && status != LUA_YIELD;
}

/* After check = function(r): what it returned is on top, two values. */
static int checked_k(lua_State *L, int status, lua_KContext context) {
  (void)context;
  cwl_box *b = lua_touserdata(L, RESPONSE);
  if (raised(status)) {
    cwl_end(L, RESPONSE, CWL_CLOSED, CW_BY_ERROR);
    return lua_error(L);
  }
  bool good = lua_toboolean(L, -2);
  if (!good && cwl_is_error(L, -1)) { /* function(r) return r:check() end */
    cwl_end(L, RESPONSE, CWL_CLOSED, CW_BY_ERROR);
    cwl_tell_ends(L, cwl_state_of(L));
    return fail(L, b);
  }
  if (b->ending != CWL_IN_USE) return cwl_given_up(L, b);
  return good ? hand_out(L, b) : refuse(L, b);
}

static int call_check(lua_State *L, cw_exchange *x) {
  cw_exchange_hand_out(x);
  if (cwl_push_hook(L, x, OPTIONS, CLIENT, CW_OPT_CHECK)) {
    lua_pushvalue(L, RESPONSE);
    return checked_k(L, lua_pcallk(L, 1, 2, 0, 0, checked_k), 0);
  }
  lua_pushboolean(L, true);
  lua_pushnil(L);
  return checked_k(L, LUA_OK, 0); /* it was taken away meanwhile */
}

static int check_of(const cw_exchange *x) {
  return (int)cw_settings_get(&x->request.own, x->request.defaults,
                              CW_OPT_CHECK);
}

/* What is on top is raised. A coroutine that dies by an error does not close
** its slots. */
static int raise(lua_State *L, cw_exchange *x) {
  cw_exchange_release(x, CW_BY_ERROR);
  return lua_error(L);
}

/* A piece of the body was asked for: takes what the function returned. */
static void take_piece(lua_State *L, cw_exchange *x, int status) {
  if (raised(status)) raise(L, x);
  if (cwl_take_piece(L, x)) return;
  cw_exchange_release(x, CW_BY_ERROR);
  cwl_raise(L, "%s", lua_tostring(L, -1));
}

/* A token was asked for: takes what the function returned. */
static void take_token(lua_State *L, cw_exchange *x, int status) {
  bool misuse;
  if (raised(status)) {
    cwl_drop_asking(L, lua_gettop(L) - 1);
    raise(L, x);
  }
  bool refused = x->started;
  cw_error before = x->error;
  bool set = cwl_set_token(L, x, &misuse);
  if (misuse) {
    cw_exchange_release(x, CW_BY_ERROR);
    cwl_raise(L, "%s", lua_tostring(L, -1));
  }
  if (refused && set) cw_exchange_renew(x);
  if (refused && !set) cw_exchange_keep_refusal(x, &before);
}

/* nil, err or a response to be handed out. */
static int opened(lua_State *L, cwl_box *b) {
  cw_exchange *x = b->x;
  if (!cw_exchange_failed(x)) cwl_tell_progress(L, b);
  if (cw_exchange_failed(x)) return fail_opening(L, b);
  if (x->check && !cw_response_ok(&x->response)) return refuse(L, b);
  if (check_of(x) == CWL_CHECK_FUNCTION) return call_check(L, x);
  return hand_out(L, b);
}

/* What there is to do before it is looked at again. */
typedef enum turn {
  LOOK,
  WAIT,
  RETRY, /* LOOK, and not a second time */
  CALL_FOR_PIECE,
  CALL_FOR_TOKEN,
  OPENED
} turn;

/* Before the first attempt, and once more when what it had was refused. */
static turn see_to_token(lua_State *L, cw_exchange *x) {
  bool refused = x->started;
  if (!cwl_push_hook(L, x, OPTIONS, CLIENT, CW_OPT_AUTH_BEARER)) {
    cw_exchange_give_up_token(x, CW_ERR_CANCELLED,
                              "its bearer's function was taken away");
    return LOOK;
  }
  switch (cwl_take_token(L, x, refused)) {
  case CWL_TOKEN_ASK:
    return CALL_FOR_TOKEN;
  case CWL_TOKEN_WAIT:
    if (cw_exchange_overdue(x)) {
      cw_exchange_give_up_token(x, CW_ERR_TIMEOUT,
                                "nobody has said its token in time");
      return LOOK;
    }
    cw_exchange_nap(x);
    return WAIT;
  default:
    if (refused) cw_exchange_renew(x);
    return LOOK;
  }
}

static turn next_turn(lua_State *L, cw_exchange *x, bool retried) {
  cwl_state *s = cwl_state_of(L);
  if (!x->started) {
    if (x->error.code != CW_OK) return OPENED;
    if (cwl_wants_token(x)) return see_to_token(L, x);
    start(L, s, x);
    return LOOK;
  }
  if (!cw_exchange_stands(x))
    return cwl_push_producer(L, x) ? CALL_FOR_PIECE : WAIT;
  if (cw_exchange_stale(x)) return see_to_token(L, x);
  bool again = cw_exchange_failed(x) && !retried && start_again(L, s, x);
  return again ? RETRY : OPENED;
}

static int opened_k(lua_State *L, int status, lua_KContext context) {
  cwl_box *b = lua_touserdata(L, RESPONSE);
  cw_exchange *x = b->x;
  for (;;) {
    if (context & FED) take_piece(L, x, status);
    if (context & TOLD) take_token(L, x, status);
    context &= RETRIED;
    cwl_tell_progress(L, b); /* who may cancel it: before it is looked at */
    turn next = next_turn(L, x, context & RETRIED);
    if (next == OPENED) return opened(L, b);
    if (next == RETRY) context |= RETRIED;
    if (next == CALL_FOR_PIECE) {
      status = lua_pcallk(L, 0, 2, 0, context | FED, opened_k);
      context |= FED;
    }
    if (next == CALL_FOR_TOKEN) {
      status = lua_pcallk(L, 1, 2, 0, context | TOLD, opened_k);
      context |= TOLD;
    }
    if (next == WAIT && !cwl_wait(L, cwl_state_of(L), x, context, opened_k))
      return raise(L, x);
  }
}

static void set_method(lua_State *L, cw_exchange *x) {
  if (lua_isnil(L, METHOD)) return;
  const char *method = luaL_checkstring(L, METHOD);
  if (strcmp(method, "GET") != 0 &&
      !cw_settings_text(&x->request.own, CW_OPT_METHOD, method))
    cwl_raise(L, "not enough memory");
}

/* The method and the url as arguments; with http.request they stand in the
** options, under their names. False: the error is set. */
static bool read_request(lua_State *L, cw_exchange *x) {
  size_t length;
  cw_client *c = x->client;
  if (!lua_isnil(L, OPTIONS)) {
    luaL_checktype(L, OPTIONS, LUA_TTABLE);
    cwl_options(L, OPTIONS, &x->request.own, x->request.defaults,
                lua_isnil(L, METHOD) ? CWL_FOR_REQUEST : CWL_FOR_VERB);
  }
  set_method(L, x);
  x->check = check_of(x) == CWL_CHECK_STATUS;
  cwl_observe(L, lua_touserdata(L, RESPONSE), OPTIONS, CLIENT);
  const char *url = lua_tolstring(L, URL, &length);
  if (!cw_request_set_url(&x->request, url, length, &c->last_url, &x->error))
    return false;
  if (!lua_isnil(L, OPTIONS) && !cwl_read_content(L, x, OPTIONS)) return false;
  if (!cw_request_finish(&x->request)) cwl_raise(L, "not enough memory");
  x->renews = cwl_wants_token(x); /* unless it is a secret of base_url's */
  return true;
}

static void follow_previous(lua_State *L, cw_exchange *x) {
  const cwl_box *previous = cwl_test_box(L, PREVIOUS);
  if (previous && previous->x) cw_exchange_follow(x, previous->x);
}

/* The box first, what it holds second; what is opened goes into a slot that
** closes it, should a wait not come back. */
static int open(lua_State *L, cwl_form form) {
  cwl_state *s = cwl_state_of(L);
  lua_settop(L, CALL - 1);
  cw_client *c = cwl_check_client(L, CLIENT - 1);
  cwl_check_url(L, URL - 1);
  cwl_tell_leaks(L, s);
  cwl_tell_ends(L, s);
  cwl_box *b = cwl_new_box(L);
  lua_insert(L, RESPONSE);
  b->form = form;
  cw_exchange_new(c, &b->x);
  cw_exchange *x = b->x;
  if (!x) return cwl_raise(L, "not enough memory");
  cwl_site(L, s, 2, &x->site); /* 1 is the verb, which called us */
  cwl_given_call(L, CALL, x);
  x->opener = cwl_opener(L, s);
  x->patient = cwl_pauses(L, s);
  cwl_hold(s, x);
  follow_previous(L, x);
  if (!read_request(L, x)) return fail_opening(L, b);
  cwl_tell_unverified(L, s, x);
  lua_toclose(L, RESPONSE);
  return opened_k(L, LUA_OK, 0);
}

/* open(client, method | nil, url, options | nil [, previous [, call]])
** -> response | nil, err. 'previous' is a response whose request is made again,
** 'call' what has asked for it, where that is another. */
static int m_open(lua_State *L) { return open(L, CWL_RESPONSE); }

/* The same -> iterator, nil, nil, what its loop closes; a failure is raised */
static int m_open_lines(lua_State *L) { return open(L, CWL_LINES); }
static int m_open_chunks(lua_State *L) { return open(L, CWL_CHUNKS); }

static int retries_k(lua_State *L, int status, lua_KContext context) {
  (void)status, (void)context;
  cwl_box *b = lua_touserdata(L, RESPONSE);
  while (b->x && cw_exchange_waits(b->x)) /* another task may move it away */
    if (!cwl_wait(L, cwl_state_of(L), b->x, 0, retries_k)) return lua_error(L);
  lua_pushboolean(L, b->x && !b->x->client->closed);
  return 1;
}

/* retries(response) -> whether its request is to be made again, since its body
** could not be read; when it returns, the time for it has come */
static int m_retries(lua_State *L) {
  cwl_box *b = cwl_check_box(L);
  lua_settop(L, RESPONSE);
  if (b->x && cw_exchange_retry_body(b->x)) return retries_k(L, LUA_OK, 0);
  lua_pushboolean(L, false);
  return 1;
}

static const luaL_Reg functions[] = {
  {"open", m_open},
  {"open_lines", m_open_lines},
  {"open_chunks", m_open_chunks},
  {"retries", m_retries},
  {NULL, NULL},
};

void cwl_open_open(lua_State *L, int state) {
  cwl_register(L, functions, state);
}
