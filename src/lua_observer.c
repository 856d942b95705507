/* lua_observer: progress, on_end, trace. Knows Lua and the engine.
** SPDX-License-Identifier: MIT */
#include "lua_observer.h"

#include <stdio.h>

#include "lua_error.h"
#include "lua_hooks.h"

/* Taking them up ---------------------------------------------------------- */

/* The handle stays open as long as it is looked at; what is written goes to a
** copy of its descriptor. */
static void open_trace(lua_State *L, cw_exchange *x) {
  luaL_Stream *stream = luaL_testudata(L, -1, LUA_FILEHANDLE);
  if (!stream || !stream->closef)
    cwl_raise(L, "option 'trace': the file is closed");
  if (!cw_request_trace(&x->request, stream->f))
    cwl_raise(L, "option 'trace': the file has no descriptor");
}

/* The response keeps the function, which may refer to it: it is found by the
** exchange while the response lives, and handed over when that is collected
** (cwl_leave_end), to a place that is there already: a finalizer allocates
** nothing. */
static void keep_end(lua_State *L, cw_exchange *x) {
  cwl_keep(L, "on_end");
  lua_getiuservalue(L, CWL_STATE, CWL_LIVE);
  lua_pushvalue(L, 1);
  lua_rawsetp(L, -2, x);
  lua_getiuservalue(L, CWL_STATE, CWL_ENDS);
  lua_pushboolean(L, false);
  lua_rawsetp(L, -2, x);
  lua_pop(L, 2);
  x->observed = true;
}

void cwl_leave_end(lua_State *L, const cw_exchange *x) {
  if (!x->observed || x->told || !cwl_push_kept(L, "on_end")) return;
  lua_getiuservalue(L, CWL_STATE, CWL_ENDS);
  lua_insert(L, -2);
  lua_rawsetp(L, -2, x);
  lua_pop(L, 1);
}

/* Pushes it; false: its response is being collected, which comes first. */
static bool push_on_end(lua_State *L, const cw_exchange *x) {
  lua_getiuservalue(L, CWL_STATE, CWL_ENDS);
  if (lua_rawgetp(L, -1, x) == LUA_TFUNCTION) return true;
  lua_getiuservalue(L, CWL_STATE, CWL_LIVE);
  if (lua_rawgetp(L, -1, x) != LUA_TUSERDATA) return false;
  return cwl_push_kept_of(L, lua_gettop(L), "on_end");
}

void cwl_observe(lua_State *L, cwl_box *b, int options, int client) {
  cw_exchange *x = b->x;
  if (!cwl_has_hooks(L, x, client)) return;
  if (cwl_push_hook(L, x, options, client, CW_OPT_PROGRESS)) {
    cwl_keep(L, "progress");
    b->watched = x->watched = true;
    lua_pop(L, 1);
  }
  if (cwl_push_hook(L, x, options, client, CW_OPT_ON_END)) {
    keep_end(L, x);
    lua_pop(L, 1);
  }
  if (cwl_push_hook(L, x, options, client, CW_OPT_TRACE)) {
    open_trace(L, x);
    lua_pop(L, 1);
  }
}

/* Progress ---------------------------------------------------------------- */

static void push_progress(lua_State *L, const cw_exchange *x) {
  const cw_content *c = &x->request.content;
  lua_createtable(L, 0, 4);
  cwl_set_integer(L, "received", (int64_t)x->body.came);
  if (x->response.final && x->response.length >= 0)
    cwl_set_integer(L, "total", x->response.length);
  cwl_set_integer(L, "sent", (int64_t)cw_content_progress(c));
  int64_t length = cw_content_length(c);
  if (length >= 0) cwl_set_integer(L, "send_total", length);
}

void cwl_tell_progress(lua_State *L, cwl_box *b) {
  cw_exchange *x = b->x;
  if (!b->watched || !x || !cw_exchange_moved(x)) return;
  if (!cwl_push_kept(L, "progress")) return;
  push_progress(L, x);
  bool before = b->reading;
  b->reading = true; /* it may not read: the call that it looks at goes on */
  int status = lua_pcall(L, 1, 1, 0);
  b->reading = before;
  if (status != LUA_OK) {
    b->reading = false;
    if (b->x) cw_exchange_release(b->x, CW_BY_ERROR);
    lua_error(L);
  }
  bool stop = lua_isboolean(L, -1) && !lua_toboolean(L, -1);
  lua_pop(L, 1);
  if (stop && b->x == x && b->ending == CWL_IN_USE)
    cw_exchange_cancel(x, "its progress function returned false");
}

/* What is known of it ----------------------------------------------------- */

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

/* Whether the server that answered has proved who it is; nil: none has, or none
** of https. */
static void set_verified(lua_State *L, const cw_exchange *x) {
  const cw_request *r = &x->request;
  if (!x->response.final || !r->url->https) return;
  cwl_set_boolean(L, "verified",
                  cw_settings_get(&r->own, r->defaults, CW_OPT_TLS_VERIFY) !=
                    0);
}

void cwl_push_info(lua_State *L, cw_exchange *x) {
  const cw_info *info = &x->response.info;
  lua_createtable(L, 0, 12);
  cwl_set_integer(L, "received", (int64_t)x->body.came);
  cwl_set_integer(L, "sent", (int64_t)cw_content_progress(&x->request.content));
  cwl_set_integer(L, "attempts", cw_exchange_attempts(x));
  cwl_set_integer(L, "redirects", x->hops);
  cwl_set_number(L, "queued", (double)x->waited / 1e6);
  cwl_set_boolean(L, "ended", info->filled);
  set_verified(L, x);
  if (!info->filled) return;
  cwl_set_string(L, "outcome", cw_end_name((cw_end)info->end));
  cwl_set_boolean(L, "reused", info->reused);
  if (info->remote_port) cwl_set_string(L, "remote_ip", info->remote_ip);
  if (info->remote_port) cwl_set_integer(L, "remote_port", info->remote_port);
  cwl_set_number(L, "elapsed", (double)(info->ended - x->opened) / 1e6);
  push_times(L, &info->times);
  lua_setfield(L, -2, "times");
}

/* Ends -------------------------------------------------------------------- */

static void push_end(lua_State *L, cw_exchange *x) {
  char url[2048] = "?";
  cwl_push_info(L, x);
  if (x->request.url) cw_url_mask(x->request.url, url, sizeof url);
  cwl_set_string(L, "method", cw_request_method(&x->request));
  cwl_set_string(L, "url", url);
  if (x->response.final) cwl_set_integer(L, "status", x->response.status);
  if (x->error.code != CW_OK)
    cwl_set_string(L, "error", cw_code_name(x->error.code));
  if (!x->response.info.filled) cwl_set_string(L, "outcome", "error");
}

/* What is told of it is made first: that may collect its response. */
static void tell_end(lua_State *L, cw_exchange *x) {
  if (!push_on_end(L, x)) return;
  push_end(L, x);
  lua_getiuservalue(L, CWL_STATE, CWL_ENDS);
  lua_pushnil(L);
  lua_rawsetp(L, -2, x);
  lua_pop(L, 1);
  cw_exchange_told(x);
  if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
    lua_pushfstring(L, "curlew: on_end: %s", luaL_tolstring(L, -1, NULL));
    lua_warning(L, lua_tostring(L, -1), 0);
  }
}

void cwl_tell_ends(lua_State *L, cwl_state *s) {
  cw_exchange *x;
  if (!s->engine || cw_list_empty(cw_engine_over(s->engine))) return;
  int top = lua_gettop(L);
  while (!cw_engine_closed(s->engine) &&
         (x = cw_exchange_next_over(s->engine))) {
    luaL_checkstack(L, 10, "on_end");
    tell_end(L, x);
    lua_settop(L, top);
  }
}
