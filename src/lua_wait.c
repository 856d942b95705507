/* lua_wait: the one wait, and the seam for schedulers. Knows Lua and the
** engine.
** SPDX-License-Identifier: MIT */
#include "lua_wait.h"

bool cwl_in_task(lua_State *L, const cwl_state *s) {
  if (!s->has_waiter || !lua_isyieldable(L)) return false;
  lua_getiuservalue(L, CWL_STATE, CWL_TASKS);
  lua_pushthread(L);
  bool task = lua_rawget(L, -2) != LUA_TNIL;
  lua_pop(L, 2);
  return task;
}

const char *cwl_opener(lua_State *L, const cwl_state *s) {
  bool main = lua_pushthread(L);
  lua_pop(L, 1);
  if (main) return "main";
  return cwl_in_task(L, s) ? "task" : "coroutine";
}

/* Interrupts -------------------------------------------------------------- */

/* The stand-alone lua answers Ctrl-C with a hook for everything on the main
** thread, which raises when it is called. */
static bool interrupted(lua_State *L) {
  const int everything =
    LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT;
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
  lua_State *main = lua_tothread(L, -1);
  lua_pop(L, 1);
  return lua_gethook(main) && lua_gethookmask(main) == everything &&
         lua_gethookcount(main) == 1;
}

static int nothing(lua_State *L) {
  (void)L;
  return 0;
}

/* Pushes the error that the hook raises; in a coroutine, where it is not called
** before the main thread runs again, one of the same words. */
static void push_interrupt(lua_State *L) {
  lua_pushcfunction(L, nothing);
  if (lua_pcall(L, 0, 0, 0) != LUA_OK) return;
  luaL_where(L, 1);
  lua_pushliteral(L, "interrupted!");
  lua_concat(L, 2);
}

/* One step; false: interrupted, the error is on top. The signal ends the wait
** at once; one that comes between the look and the wait is seen at the next
** look, so no wait is long. */
static bool step(lua_State *L, cw_engine *e, int64_t us) {
  enum { LONG = 250000 };
  if (interrupted(L)) {
    push_interrupt(L);
    return false;
  }
  cw_engine_step(e, us < 0 || us > LONG ? LONG : us);
  return true;
}

/* The wait ---------------------------------------------------------------- */

bool cwl_wait(lua_State *L, cwl_state *s, cw_exchange *x, lua_KContext context,
              lua_KFunction k) {
  bool busy = cw_exchange_busy(x);
  if (!cwl_in_task(L, s)) return step(L, s->engine, busy ? 0 : -1);
  if (busy) cw_engine_stir(s->engine, &x->news); /* after the others' turn */
  lua_getiuservalue(L, CWL_STATE, CWL_WAITER);
  lua_pushlightuserdata(L, x);
  lua_callk(L, 1, 0, context, k);
  return true;
}

/* The seam ---------------------------------------------------------------- */

/* waiter(f): f(token) is called in a task that has to wait, and returns when
** the token has come up as ready; nil: none. */
static int m_waiter(lua_State *L) {
  cwl_state *s = cwl_state_of(L);
  if (!lua_isnoneornil(L, 1)) luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  s->has_waiter = !lua_isnil(L, 1);
  lua_setiuservalue(L, CWL_STATE, CWL_WAITER);
  return 0;
}

/* task(thread): waits in this coroutine call the waiter. */
static int m_task(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTHREAD);
  lua_getiuservalue(L, CWL_STATE, CWL_TASKS);
  lua_pushvalue(L, 1);
  lua_pushboolean(L, true);
  lua_rawset(L, -3);
  return 0;
}

/* step([seconds]): moves what can be moved; waits at most so long, without an
** argument until something happens. */
static int m_step(lua_State *L) {
  double seconds = luaL_optnumber(L, 1, -1);
  cwl_state *s = cwl_state_of(L);
  if (!step(L, s->engine, (int64_t)(seconds * 1e6))) return lua_error(L);
  return 0;
}

/* ready() -> the token of one that can go on | nil */
static int m_ready(lua_State *L) {
  cwl_state *s = cwl_state_of(L);
  cw_link *news;
  while ((news = cw_engine_next_news(s->engine))) {
    cw_exchange *x = cw_exchange_of_news(news);
    if (!cw_exchange_settled(x)) continue;
    lua_pushlightuserdata(L, x);
    return 1;
  }
  return 0;
}

/* descriptor() -> a number, readable when a step has something to do */
static int m_descriptor(lua_State *L) {
  int fd = cw_engine_descriptor(cwl_state_of(L)->engine);
  if (fd < 0) return cwl_raise(L, "no epoll descriptor can be had");
  lua_pushinteger(L, fd);
  return 1;
}

/* timeout() -> seconds until a step has something to do all the same | nil */
static int m_timeout(lua_State *L) {
  int64_t us = cw_engine_timeout(cwl_state_of(L)->engine);
  if (us < 0) return 0;
  lua_pushnumber(L, (double)us / 1e6);
  return 1;
}

static const luaL_Reg functions[] = {
  {"waiter", m_waiter}, {"task", m_task},       {"step", m_step},
  {"ready", m_ready},   {"timeout", m_timeout}, {"descriptor", m_descriptor},
  {NULL, NULL},
};

void cwl_open_wait(lua_State *L, int state) {
  cwl_register(L, functions, state);
}
