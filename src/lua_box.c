/* lua_box: what a response's userdata holds. Knows Lua and the engine.
** SPDX-License-Identifier: MIT */
#include "lua_box.h"

#include <string.h>

#include "lua_error.h"

/* Its user values: a table, made when it is first needed, and what it was moved
** to: whoever works on this one needs what that owns now. */
enum { KEPT = 1, MOVED_TO };

cwl_box *cwl_new_box(lua_State *L) {
  cwl_box *b = lua_newuserdatauv(L, sizeof *b, MOVED_TO);
  memset(b, 0, sizeof *b);
  lua_getiuservalue(L, CWL_STATE, CWL_METATABLE);
  lua_setmetatable(L, -2);
  return b;
}

cwl_box *cwl_test_box(lua_State *L, int index) {
  const cwl_state *s = lua_touserdata(L, CWL_STATE);
  return cwl_test(L, index, s->response);
}

cwl_box *cwl_check_box(lua_State *L) {
  cwl_box *b = cwl_test_box(L, 1);
  if (!b)
    cwl_raise(L, "response expected, got %s: call its methods with a colon",
              luaL_typename(L, 1));
  return b;
}

int cwl_given_up(lua_State *L, const cwl_box *b) {
  static const char *const how[] = {
    [CWL_IN_USE] = "closed at %s",
    [CWL_CLOSED] = "closed at %s",
    [CWL_SCOPE_LEFT] = "closed at %s, its <close> scope ended; to hand it "
                       "over: return r:move()",
    [CWL_LOOP_LEFT] = "closed at %s, the loop over it ended; to read on "
                      "after a loop: for line in (r:lines()) do",
    [CWL_MIDDLEWARE_LEFT] = "closed at %s, where its middleware ended and did "
                            "not return it",
    [CWL_MOVED] = "moved away at %s",
  };
  cwl_state_of(L); /* raises if the box was finalized with its state */
  cwl_push_site(L, &b->where);
  lua_pushfstring(L, how[b->ending], lua_tostring(L, -1));
  cwl_raise(L, "the response was %s", lua_tostring(L, -1));
}

bool cwl_push_kept(lua_State *L, const char *name) {
  return cwl_push_kept_of(L, 1, name);
}

bool cwl_push_kept_of(lua_State *L, int index, const char *name) {
  if (lua_getiuservalue(L, index, KEPT) != LUA_TTABLE) {
    lua_pop(L, 1);
    return false;
  }
  lua_getfield(L, -1, name);
  lua_remove(L, -2);
  if (!lua_isnil(L, -1)) return true;
  lua_pop(L, 1);
  return false;
}

void cwl_keep(lua_State *L, const char *name) {
  if (lua_getiuservalue(L, 1, KEPT) != LUA_TTABLE) {
    lua_pop(L, 1);
    lua_createtable(L, 0, 2);
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, 1, KEPT);
  }
  lua_pushvalue(L, -2);
  lua_setfield(L, -2, name);
  lua_pop(L, 1);
}

/* A coroutine that died by an error closes nothing: its slot has not spoken. */
static bool reader_is_dead(lua_State *L) {
  lua_Debug frame;
  if (!cwl_push_kept(L, "reader")) return false;
  lua_State *reader = lua_tothread(L, -1);
  lua_pop(L, 1);
  int status = lua_status(reader);
  return status > LUA_YIELD ||
         (status == LUA_OK && reader != L && !lua_getstack(reader, 0, &frame));
}

cwl_box *cwl_check_open(lua_State *L) {
  cwl_box *b = cwl_check_box(L);
  if (b->ending != CWL_IN_USE || !b->x) cwl_given_up(L, b);
  if (b->reading && !reader_is_dead(L))
    cwl_raise(L, "the response is being read by another call, which waits");
  b->reading = false;
  return b;
}

void cwl_push_owner(lua_State *L) {
  lua_pushvalue(L, 1);
  while (lua_getiuservalue(L, -1, MOVED_TO) == LUA_TUSERDATA)
    lua_remove(L, -2);
  lua_pop(L, 1);
}

void cwl_move(lua_State *L, cwl_box *from, cwl_box *to) {
  lua_getiuservalue(L, 1, KEPT);
  lua_setiuservalue(L, -2, KEPT);
  lua_pushvalue(L, -1);
  lua_setiuservalue(L, 1, MOVED_TO);
  to->x = from->x;
  to->watched = from->watched;
  to->x->owner = &to->x;
  cw_list_remove(&to->x->held); /* whoever moves it answers for it */
  from->x = NULL;
  from->ending = CWL_MOVED;
  cwl_site(L, lua_touserdata(L, CWL_STATE), 1, &from->where);
}

/* The text cannot be asked for again. Until the response has been finalized and
** collected, it would occupy memory. No memory is allocated here: the table of
** methods has the same key. */
static void drop_text(lua_State *L, int index) {
  index = lua_absindex(L, index);
  if (!cwl_push_kept_of(L, index, "text")) return;
  lua_pop(L, 1);
  lua_getiuservalue(L, index, KEPT);
  lua_pushnil(L);
  lua_setfield(L, -2, "text");
  lua_pop(L, 1);
}

void cwl_end(lua_State *L, int index, cwl_ending how, cw_end why) {
  cwl_box *b = lua_touserdata(L, index);
  if (!b->x || b->ending != CWL_IN_USE) return;
  b->ending = how;
  cwl_site(L, lua_touserdata(L, CWL_STATE), 1, &b->where);
  cw_exchange_release(b->x, why);
  drop_text(L, index);
}

int cwl_fail_reading(lua_State *L, cwl_box *b) {
  size_t held;
  cw_body_peek(&b->x->body, &held);
  cw_body_drop(&b->x->body, held);
  luaL_pushfail(L);
  if (cwl_push_kept(L, "error")) return 2;
  cwl_push_error(L, b->x, &b->x->error);
  cwl_keep(L, "error");
  return 2;
}
