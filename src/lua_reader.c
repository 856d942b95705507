/* lua_reader: one wish of a reader. Knows Lua and the engine.
** SPDX-License-Identifier: MIT */
#include "lua_reader.h"

#include "lua_external.h"
#include "lua_observer.h"
#include "lua_wait.h"

void cwl_let_go(cwl_box *b) {
  b->reading = false;
  if (b->x) cw_exchange_rest(b->x);
}

/* What a task that waits leaves in its slot; its user value is the response. */
static int slot_close(lua_State *L) {
  luaL_checkudata(L, 1, "curlew.reader");
  lua_getiuservalue(L, 1, 1);
  cwl_box *b = lua_touserdata(L, -1);
  if (b && b->reading) cwl_let_go(b);
  return 0;
}

/* Outside tasks nothing but an interrupt ends a wait, and that comes back. */
static void fill_slot(lua_State *L, int slot) {
  if (!lua_isnil(L, slot)) return;
  lua_pushthread(L);
  cwl_keep(L, "reader");
  lua_pop(L, 1);
  lua_newuserdatauv(L, 0, 1);
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, -2, 1);
  luaL_setmetatable(L, "curlew.reader");
  lua_replace(L, slot);
  lua_toclose(L, slot);
}

bool cwl_wait_to_read(lua_State *L, cwl_box *b, const cwl_wish *wish) {
  cwl_state *s = cwl_state_of(L);
  b->reading = true;
  if (cwl_pauses(L, s)) fill_slot(L, wish->slot);
  if (cwl_wait(L, s, b->x, wish->context, wish->k)) return true;
  cwl_let_go(b);
  return false;
}

void cwl_nap(lua_State *L, cwl_box *b, const cwl_wish *wish, int64_t us) {
  cw_exchange_nap_for(b->x, us);
  if (!cwl_wait_to_read(L, b, wish)) lua_error(L);
}

void cwl_woken(lua_State *L, cwl_box *b) {
  cwl_tell_progress(L, b); /* the progress function may close the response */
  cwl_let_go(b);
  if (b->x) cw_exchange_end_nap(b->x);
  cwl_tell_ends(L, cwl_state_of(L));
  if (b->ending != CWL_IN_USE || !b->x || b->x->body.state == CW_BODY_CLOSED)
    cwl_given_up(L, b);
}

cwl_outcome cwl_await(lua_State *L, cwl_box *b, const cwl_wish *wish,
                      bool again) {
  const cwl_state *s = lua_touserdata(L, CWL_STATE);
  bool in_turns = s->has_tasks || s->has_loop;
  if (!again) {
    cwl_check_open(L);
    cw_exchange_want(b->x, wish->want, wish->amount);
  }
  while (!cw_exchange_ready(b->x, in_turns)) {
    cwl_tell_progress(L, b);
    if (b->ending != CWL_IN_USE || !b->x) break;
    if (!cwl_wait_to_read(L, b, wish)) lua_error(L);
  }
  cwl_tell_progress(L, b);
  if (!b->x) cwl_given_up(L, b);
  bool found = cw_body_found(&b->x->body);
  cw_body_state state = b->x->body.state;
  cwl_let_go(b);
  cwl_tell_ends(L, cwl_state_of(L)); /* who may give it up */
  if (b->ending != CWL_IN_USE || !b->x || state == CW_BODY_CLOSED)
    cwl_given_up(L, b);
  if (found) return CWL_FOUND;
  if (state != CW_BODY_FAILED) return CWL_ENDED;
  if (wish->cut && cw_buf_length(cw_body_readable(&b->x->body)) > 0)
    return CWL_FOUND;
  cwl_fail_reading(L, b);
  return CWL_FAILED;
}

/* The string is made before a finalizer can run. One that closes the response
** leaves nothing to drop; one that reads it has taken what is in the string. */
void cwl_push_bytes(lua_State *L, cwl_box *b, size_t n, size_t more) {
  size_t held;
  cw_body *body = &b->x->body;
  uint64_t before = body->read;
  held = cw_buf_length(cw_body_readable(body));
  if (n >= held && cwl_push_external(L, body)) return;
  const char *bytes = cw_body_peek(body, &held);
  size_t taken = n < held ? n + more : held;
  lua_pushlstring(L, bytes, n < held ? n : held);
  if (body->read != before)
    cwl_raise(L, "the response was read by a finalizer at the same time");
  cw_body_drop(body, taken);
}

static const luaL_Reg metamethods[] = {{"__close", slot_close}, {NULL, NULL}};

void cwl_open_reader(lua_State *L, int state) {
  cwl_type(L, "curlew.reader", metamethods, NULL, state);
}
