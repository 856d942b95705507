/* lua_response: the response userdata. Knows Lua and the engine.
** SPDX-License-Identifier: MIT */
#include "lua_response.h"

#include <string.h>

#include "lua_client.h"
#include "lua_error.h"
#include "lua_headers.h"
#include "lua_options.h"
#include "lua_wait.h"

/* How its holder gave it up. */
typedef enum ending { IN_USE, CLOSED, SCOPE_LEFT, MOVED } ending;

typedef struct box {
  cw_exchange *x; /* owned; NULL: moved away, or never made */
  ending ending;
  cw_site where; /* it was given up */
  bool reading;  /* a call is waiting for more of the body */
  bool slot;     /* the next __close is the opener's own slot letting go */
} box;

/* Its user value: a table, made when it is first needed, of what has been made
** for it: headers, trailers, request, info, error, text. */
enum { CACHE = 1 };

static box *new_box(lua_State *L) {
  box *b = lua_newuserdatauv(L, sizeof *b, 1);
  memset(b, 0, sizeof *b); /* closed: safe to collect from here on */
  luaL_setmetatable(L, "curlew.response");
  return b;
}

static box *check_box(lua_State *L) {
  box *b = luaL_testudata(L, 1, "curlew.response");
  if (!b)
    cwl_raise(L, "response expected, got %s: call its methods with a colon",
              luaL_typename(L, 1));
  return b;
}

/* What was given up: its holder is told where, and what to do instead. */
static int given_up(lua_State *L, const box *b) {
  cwl_push_site(L, &b->where);
  const char *where = lua_tostring(L, -1);
  if (b->ending == MOVED)
    return cwl_raise(L, "the response was moved away at %s", where);
  if (b->ending == SCOPE_LEFT)
    return cwl_raise(L,
                     "the response was closed at %s, its <close> scope ended; "
                     "to hand it over: return r:move()",
                     where);
  return cwl_raise(L, "the response was closed at %s", where);
}

/* Pushes cache[name]; false, and nothing is pushed, when it is not there. */
static bool push_cached(lua_State *L, const char *name) {
  if (lua_getiuservalue(L, 1, CACHE) != LUA_TTABLE) {
    lua_pop(L, 1);
    return false;
  }
  lua_getfield(L, -1, name);
  lua_remove(L, -2);
  if (!lua_isnil(L, -1)) return true;
  lua_pop(L, 1);
  return false;
}

/* Keeps the value on top, which stays there. */
static void cache(lua_State *L, int response, const char *name) {
  if (lua_getiuservalue(L, response, CACHE) != LUA_TTABLE) {
    lua_pop(L, 1);
    lua_createtable(L, 0, 2);
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, response, CACHE);
  }
  lua_pushvalue(L, -2);
  lua_setfield(L, -2, name);
  lua_pop(L, 1);
}

/* A task that was closed while it waited in a read has not said so. */
static bool reader_is_gone(lua_State *L) {
  lua_Debug frame;
  if (!push_cached(L, "reader")) return false;
  lua_State *reader = lua_tothread(L, -1);
  lua_pop(L, 1);
  return lua_status(reader) != LUA_YIELD && !lua_getstack(reader, 0, &frame);
}

/* One whose body may be read. */
static box *check_open(lua_State *L) {
  box *b = check_box(L);
  if (b->ending != IN_USE || !b->x) given_up(L, b);
  if (b->reading && !reader_is_gone(L))
    cwl_raise(L, "the response is being read by another call, which waits");
  return b;
}

/* nil and what ended the stream: the same object each time. */
static int fail_reading(lua_State *L, box *b) {
  size_t held;
  cw_body_peek(&b->x->body, &held);
  cw_body_drop(&b->x->body, held); /* a cut body is no success, in no part */
  luaL_pushfail(L);
  if (push_cached(L, "error")) return 2;
  cwl_push_error(L, b->x, &b->x->error);
  cache(L, 1, "error");
  return 2;
}

/* Opening ----------------------------------------------------------------- */

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

/* Anything that does not stand for a response; the slot of the opener then
** finds nothing to release. */
static int fail_opening(lua_State *L, cw_exchange *x, const cw_error *e) {
  luaL_pushfail(L);
  cwl_push_error(L, x, e);
  cw_exchange_release(x, CW_BY_ERROR);
  return 2;
}

static int refuse(lua_State *L, cw_exchange *x) {
  cw_error e = {.code = CW_OK};
  cw_error_from_status(&e, x->response.status, x->response.reason);
  return fail_opening(L, x, &e);
}

/* Hands the response at 'index' over to the caller. From here on its own
** <close> variable, its owner, or the collector releases it. */
static int hand_out(lua_State *L, box *b, int index) {
  cw_exchange_hand_out(b->x);
  if (b->x->transfer) {
    lua_getiuservalue(L, CWL_STATE, CWL_LIVE);
    lua_pushvalue(L, index);
    lua_rawsetp(L, -2, b->x);
    lua_pop(L, 1);
  }
  lua_pushvalue(L, index);
  b->slot = true;
  return 1;
}

/* After check = function(r): what it returned is on top. */
static int checked_k(lua_State *L, int status, lua_KContext context) {
  (void)status, (void)context;
  box *b = lua_touserdata(L, RESPONSE);
  bool good = lua_toboolean(L, -1);
  if (b->ending != IN_USE) return given_up(L, b);
  return good ? hand_out(L, b, RESPONSE) : refuse(L, b->x);
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
  box *b = lua_touserdata(L, RESPONSE);
  cw_exchange *x = b->x;
  while (!cw_exchange_stands(x)) {
    if (cwl_wait(L, s, x, context, opened_k)) continue;
    /* a coroutine that dies by an error does not close its slots */
    cw_exchange_release(x, CW_BY_ERROR);
    return lua_error(L);
  }
  if (cw_exchange_failed(x)) {
    bool again = context == 0 && start_again(L, s, x);
    return again ? opened_k(L, LUA_OK, 1) : fail_opening(L, x, &x->error);
  }
  if (x->check && !cw_response_ok(&x->response)) return refuse(L, x);
  if (check_of(x) == CWL_CHECK_FUNCTION) return call_check(L, x);
  return hand_out(L, b, RESPONSE);
}

/* The method and the url as arguments; with http.request they stand in the
** options, under their names. */
static void read_request(lua_State *L, cw_exchange *x) {
  if (!lua_isnil(L, OPTIONS)) {
    luaL_checktype(L, OPTIONS, LUA_TTABLE);
    cwl_options(L, OPTIONS, &x->request.own,
                lua_isnil(L, METHOD) ? CWL_FOR_REQUEST : CWL_FOR_VERB);
  }
  if (!cw_settings_inherit_fields(&x->request.own, x->request.defaults))
    cwl_raise(L, "not enough memory");
  if (lua_isnil(L, METHOD)) return;
  const char *method = luaL_checkstring(L, METHOD);
  if (strcmp(method, "GET") == 0) return;
  if (!cw_settings_text(&x->request.own, CW_OPT_METHOD, method))
    cwl_raise(L, "not enough memory");
}

/* open(client, method | nil, url, options | nil) -> response | nil, err
** The box first, what it holds second; what is opened goes into a slot that
** closes it, should a wait not come back. */
static int m_open(lua_State *L) {
  cwl_state *s = cwl_state_of(L);
  size_t length;
  lua_settop(L, OPTIONS);
  cw_client *c = cwl_check_client(L, CLIENT);
  if (lua_type(L, URL) != LUA_TSTRING)
    return cwl_raise(L, "url: string expected, got %s", luaL_typename(L, URL));
  cwl_tell_leaks(L, s);
  box *b = new_box(L);
  cw_exchange_new(c, &b->x);
  cw_exchange *x = b->x;
  if (!x) return cwl_raise(L, "not enough memory");
  cwl_site(L, s, 2, &x->site); /* 1 is the verb, which called us */
  x->opener = cwl_opener(L, s);
  read_request(L, x);
  x->check = check_of(x) == CWL_CHECK_STATUS;
  const char *url = lua_tolstring(L, URL, &length);
  if (!cw_request_set_url(&x->request, url, length, &c->last_url, &x->error))
    return fail_opening(L, x, &x->error);
  lua_toclose(L, RESPONSE);
  start(L, s, x);
  return opened_k(L, LUA_OK, 0);
}

/* Reading ----------------------------------------------------------------- */

/* One wait of a reader; false: interrupted, the error is on top. */
static bool wait_to_read(lua_State *L, box *b, lua_KContext context,
                         lua_KFunction k) {
  cwl_state *s = cwl_state_of(L);
  b->reading = true;
  if (cwl_in_task(L, s)) {
    lua_pushthread(L);
    cache(L, 1, "reader");
    lua_pop(L, 1);
  }
  if (cwl_wait(L, s, b->x, context, k)) return true;
  b->reading = false;
  return false;
}

static void push_bytes(lua_State *L, cw_body *body, size_t most) {
  size_t n;
  const char *bytes = cw_body_peek(body, &n);
  if (n > most) n = most;
  /* should it raise, nothing is lost; should it run a finalizer that closes
  ** this response, nothing is left to drop */
  lua_pushlstring(L, bytes, n);
  cw_body_drop(body, n);
}

/* Says what the format at 'index' wants of the body. False: it is known
** already that it cannot be had. */
static bool want(lua_State *L, box *b, int index, bool *whole, size_t *n) {
  *whole = true;
  *n = SIZE_MAX;
  if (lua_type(L, index) == LUA_TNUMBER) {
    int exact;
    lua_Integer count = lua_tointegerx(L, index, &exact);
    luaL_argcheck(L, exact && count >= 0, index, "a number of bytes expected");
    *n = (size_t)count;
    *whole = *n > cw_exchange_max_body(b->x);
    /* read(0) asks whether there is more: that takes one byte to know */
    if (!*whole) cw_exchange_want(b->x, *n ? *n : 1);
    if (!*whole) return true;
  } else {
    size_t length;
    const char *format = luaL_checklstring(L, index, &length);
    size_t star = *format == '*'; /* as io's, for old code */
    bool all = length == star + 1 && format[star] == 'a';
    luaL_argcheck(L, all, index, "\"a\" or a number of bytes expected");
  }
  return cw_exchange_want_whole(b->x);
}

/* Pushes what the format at 'index' reads; false: it was at the end, nil was
** pushed, as io does. */
static bool push_read(lua_State *L, box *b, int index, size_t n) {
  bool at_end = cw_buf_length(&b->x->body.bytes) == 0;
  if (at_end && lua_type(L, index) == LUA_TNUMBER) {
    luaL_pushfail(L);
    return false;
  }
  push_bytes(L, &b->x->body, n);
  return true;
}

/* Whether the error has come before what was asked for. */
static bool cut_short(const cw_body *body, bool whole, size_t n) {
  return body->state == CW_BODY_FAILED &&
         (whole || cw_buf_length(&body->bytes) < (n ? n : 1));
}

/* 'context' is the argument whose turn it is; those read before it have left
** their results on top. The number of formats is kept below them. */
static int read_k(lua_State *L, int status, lua_KContext context) {
  (void)status;
  box *b = lua_touserdata(L, 1);
  int formats = (int)lua_tointeger(L, 2);
  for (int at = (int)context; at < formats + 3; at++) {
    bool whole;
    size_t n;
    b->reading = false;
    bool can = want(L, b, at, &whole, &n);
    while (can && !cw_body_ready(&b->x->body))
      if (!wait_to_read(L, b, at, read_k)) return lua_error(L);
    b->reading = false;
    cw_exchange_rest(b->x);
    if (b->ending != IN_USE) return given_up(L, b);
    if (!can || cut_short(&b->x->body, whole, n)) return fail_reading(L, b);
    if (!push_read(L, b, at, n)) break;
  }
  return lua_gettop(L) - formats - 2;
}

/* r:read(format...) -> as io */
static int r_read(lua_State *L) {
  check_open(L);
  int formats = lua_gettop(L) - 1;
  luaL_argcheck(L, formats > 0, 2, "\"a\" or a number of bytes expected");
  luaL_checkstack(L, formats + 8, "too many formats");
  lua_pushinteger(L, formats);
  lua_insert(L, 2);
  return read_k(L, LUA_OK, 3);
}

static int text_k(lua_State *L, int status, lua_KContext context) {
  (void)status;
  box *b = lua_touserdata(L, 1);
  b->reading = false;
  bool can = cw_exchange_want_whole(b->x);
  while (can && !cw_body_ready(&b->x->body))
    if (!wait_to_read(L, b, context, text_k)) return lua_error(L);
  b->reading = false;
  cw_exchange_rest(b->x);
  if (b->ending != IN_USE) return given_up(L, b);
  if (!can || b->x->body.state == CW_BODY_FAILED) return fail_reading(L, b);
  push_bytes(L, &b->x->body, SIZE_MAX);
  cache(L, 1, "text");
  return 1;
}

/* r:text() -> the rest of the body, kept: it may be asked for again */
static int r_text(lua_State *L) {
  check_open(L);
  lua_settop(L, 1);
  if (push_cached(L, "text")) return 1;
  return text_k(L, LUA_OK, 0);
}

static int check_k(lua_State *L, int status, lua_KContext context) {
  (void)status;
  box *b = lua_touserdata(L, 1);
  b->reading = false;
  while (!cw_exchange_stands(b->x))
    if (!wait_to_read(L, b, context, check_k)) return lua_error(L);
  b->reading = false;
  cwl_site(L, cwl_state_of(L), 1, &b->where);
  b->ending = CLOSED;
  return refuse(L, b->x);
}

/* r:check() -> r | nil, err: released when its status is not 2xx */
static int r_check(lua_State *L) {
  box *b = check_open(L);
  lua_settop(L, 1);
  if (cw_response_ok(&b->x->response)) return 1;
  cw_exchange_refuse(b->x);
  return check_k(L, LUA_OK, 0);
}

/* Ending ------------------------------------------------------------------ */

static void end(lua_State *L, box *b, ending how, cw_end why) {
  if (!b->x || b->ending != IN_USE) return;
  b->ending = how;
  cwl_site(L, lua_touserdata(L, CWL_STATE), 1, &b->where);
  cw_exchange_release(b->x, why);
}

/* r:close() -> true; twice is harmless */
static int r_close(lua_State *L) {
  end(L, check_box(L), CLOSED, CW_BY_CLOSE);
  lua_pushboolean(L, true);
  return 1;
}

/* Also the slot of open: there it lets a response go that is handed out. */
static int r_tbc(lua_State *L) {
  box *b = check_box(L);
  if (b->slot)
    b->slot = false;
  else
    end(L, b, SCOPE_LEFT, CW_BY_TBC);
  return 0;
}

/* A weak value is cleared before its finalizer runs, but not by lua_close,
** which finalizes what is still reachable. */
static bool still_reachable(lua_State *L, const box *b) {
  lua_getiuservalue(L, CWL_STATE, CWL_LIVE);
  lua_rawgetp(L, -1, b->x);
  bool reachable = lua_touserdata(L, -1) == b;
  lua_pop(L, 2);
  return reachable;
}

/* Neither drains, waits, calls anything, nor raises. */
static int r_gc(lua_State *L) {
  box *b = luaL_testudata(L, 1, "curlew.response");
  cw_exchange *x = b ? b->x : NULL;
  if (!x) return 0;
  if (x->transfer)
    cw_exchange_release(x,
                        still_reachable(L, b) ? CW_LEAK_SHUTDOWN : CW_LEAK_GC);
  else if (b->ending == IN_USE && x->id && x->handed_out)
    cw_exchange_count_unclosed(x);
  b->x = NULL;
  b->ending = CLOSED;
  cw_exchange_free(x);
  return 0;
}

/* r:move() -> response: the same in a new value; this one is empty */
static int r_move(lua_State *L) {
  box *b = check_open(L);
  lua_settop(L, 1);
  box *to = new_box(L);
  lua_getiuservalue(L, 1, CACHE);
  lua_setiuservalue(L, 2, CACHE);
  lua_getiuservalue(L, CWL_STATE, CWL_LIVE);
  lua_pushvalue(L, 2);
  lua_rawsetp(L, -2, b->x);
  to->x = b->x;
  to->x->owner = &to->x;
  b->x = NULL;
  b->ending = MOVED;
  cwl_site(L, lua_touserdata(L, CWL_STATE), 1, &b->where);
  lua_settop(L, 2);
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

static int f_length(lua_State *L, cw_exchange *x) {
  if (x->response.length < 0)
    lua_pushnil(L);
  else
    lua_pushinteger(L, x->response.length);
  return 1;
}

static int f_headers(lua_State *L, cw_exchange *x) {
  if (push_cached(L, "headers")) return 1;
  cwl_push_headers(L, x->response.headers);
  cache(L, 1, "headers");
  return 1;
}

/* What was asked; for the eye and for logs. */
static int f_request(lua_State *L, cw_exchange *x) {
  if (push_cached(L, "request")) return 1;
  const cw_value *fields =
    cw_settings_find(&x->request.own, x->request.defaults, CW_OPT_HEADERS);
  lua_createtable(L, 0, 3);
  cwl_set_string(L, "method", cw_request_method(&x->request));
  cwl_set_string(L, "url", cw_url_show(x->request.url));
  cw_headers **sent = cwl_new_headers(L);
  if (fields) *sent = cw_fields_sent(&fields->fields);
  lua_setfield(L, -2, "headers");
  cache(L, 1, "request");
  return 1;
}

static void set_time(lua_State *L, const char *name, int64_t us) {
  if (us > 0) cwl_set_number(L, name, (double)us / 1e6);
}

static void push_times(lua_State *L, const cw_times *t) {
  lua_createtable(L, 0, 6);
  set_time(L, "namelookup", t->namelookup);
  set_time(L, "connect", t->connect);
  set_time(L, "appconnect", t->appconnect);
  set_time(L, "pretransfer", t->pretransfer);
  set_time(L, "starttransfer", t->starttransfer);
  set_time(L, "total", t->total);
}

/* What was measured, once the stream has ended; until then, what was received.
 */
static int f_info(lua_State *L, cw_exchange *x) {
  const cw_info *info = &x->response.info;
  lua_createtable(L, 0, 6);
  cwl_set_integer(L, "received", (int64_t)x->body.came);
  cwl_set_boolean(L, "ended", info->filled);
  if (!info->filled) return 1;
  cwl_set_boolean(L, "reused", info->reused);
  cwl_set_string(L, "remote_ip", info->remote_ip);
  cwl_set_integer(L, "remote_port", info->remote_port);
  push_times(L, &info->times);
  lua_setfield(L, -2, "times");
  return 1;
}

static const struct {
  const char *name;
  int (*push)(lua_State *L, cw_exchange *x);
} fields[] = {
  {"status", f_status},   {"ok", f_ok},
  {"headers", f_headers}, {"reason", f_reason},
  {"url", f_url},         {"length", f_length},
  {"request", f_request}, {"http_version", f_http_version},
  {"info", f_info},
};

/* Methods first, by the table in upvalue 2; then fields. */
static int r_index(lua_State *L) {
  box *b = check_box(L);
  lua_pushvalue(L, 2);
  if (lua_rawget(L, lua_upvalueindex(2)) != LUA_TNIL) return 1;
  const char *name = lua_tostring(L, 2);
  for (size_t i = 0; name && i < sizeof fields / sizeof *fields; i++) {
    if (strcmp(fields[i].name, name) != 0) continue;
    if (!b->x) given_up(L, b);
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
  box *b = check_box(L);
  if (!b->x) given_up(L, b);
  return cwl_push_values(L, b->x->response.headers, 2);
}

static int r_tostring(lua_State *L) {
  box *b = check_box(L);
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
  box *b = luaL_testudata(L, index, "curlew.response");
  if (!b) return false;
  lua_pushstring(L,
                 b->x && b->ending == IN_USE ? "response" : "closed response");
  return true;
}

/* Registration ------------------------------------------------------------ */

static const luaL_Reg methods[] = {
  {"read", r_read},   {"text", r_text},     {"close", r_close},
  {"check", r_check}, {"header", r_header}, {"move", r_move},
  {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
  {"__close", r_tbc},         {"__gc", r_gc}, {"__newindex", r_newindex},
  {"__tostring", r_tostring}, {NULL, NULL},
};

static const luaL_Reg functions[] = {{"open", m_open}, {NULL, NULL}};

void cwl_open_response(lua_State *L, int state) {
  cwl_type(L, "curlew.response", metamethods, methods, state);
  luaL_getmetatable(L, "curlew.response");
  lua_pushvalue(L, state);
  lua_getfield(L, -2, "__index");
  lua_pushcclosure(L, r_index, 2);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
  cwl_register(L, functions, state);
}
