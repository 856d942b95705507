/* lua_wait: the one wait, and the seam for schedulers. Knows Lua and the
** engine.
** SPDX-License-Identifier: MIT */
#include "lua_wait.h"

#include <errno.h>

#include "platform.h"

/* Pushes the waiter of the task that runs in this coroutine, and its owner. */
static bool push_task_waiter(lua_State *L, const cwl_state *s) {
  if (!s->has_tasks || !lua_isyieldable(L)) return false;
  lua_getiuservalue(L, CWL_STATE, CWL_TASKS);
  lua_pushthread(L);
  if (lua_rawget(L, -2) != LUA_TUSERDATA) {
    lua_pop(L, 2);
    return false;
  }
  lua_getiuservalue(L, -1, CWL_TASK_WAITER);
  lua_getiuservalue(L, -2, CWL_TASK_OWNER);
  lua_replace(L, -4);
  lua_replace(L, -2);
  lua_insert(L, -2);
  return true;
}

/* The same for a coroutine of an event loop's, which says so; or that it must
** not be kept from going on. */
static bool push_loop_waiter(lua_State *L, const cwl_state *s) {
  if (!s->has_loop || s->task) return false;
  lua_getiuservalue(L, CWL_STATE, CWL_LOOP);
  lua_pushboolean(L, lua_isyieldable(L)); /* it cannot see from within a call */
  lua_call(L, 1, 1);
  if (lua_isstring(L, -1)) cwl_raise(L, "%s", lua_tostring(L, -1));
  if (lua_isfunction(L, -1)) {
    lua_pushnil(L);
    return true;
  }
  lua_pop(L, 1);
  return false;
}

static bool push_waiter(lua_State *L, const cwl_state *s) {
  return push_task_waiter(L, s) || push_loop_waiter(L, s);
}

bool cwl_pauses(lua_State *L, const cwl_state *s) {
  if (!push_waiter(L, s)) return false;
  lua_pop(L, 2);
  return true;
}

const char *cwl_opener(lua_State *L, const cwl_state *s) {
  bool main = lua_pushthread(L);
  lua_pop(L, 1);
  if (s->task || cwl_pauses(L, s)) return "task";
  return main ? "main" : "coroutine";
}

/* Interrupts -------------------------------------------------------------- */

/* Returns the hook of the main thread if it is set for all events, else NULL.
** At Ctrl-C the stand-alone lua sets such a hook, which raises when it is
** called. A profiler may set one too, which returns. */
static lua_Hook hook_for_everything(lua_State *main) {
  const int everything =
    LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT;
  bool all = lua_gethookmask(main) == everything && lua_gethookcount(main) == 1;
  return all ? lua_gethook(main) : NULL;
}

/* Whether the hook of the main thread is a Lua function. debug.gethook returns
** a string for a C hook. */
static bool is_lua_hook(lua_State *L) {
  int top = lua_gettop(L);
  luaL_checkstack(L, LUA_MINSTACK, "too many values");
  bool is_function = luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE) &&
                     lua_getfield(L, -1, "debug") == LUA_TTABLE &&
                     lua_getfield(L, -1, "gethook") == LUA_TFUNCTION;
  if (is_function) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
    is_function =
      lua_pcall(L, 1, 1, 0) == LUA_OK && lua_type(L, -1) == LUA_TFUNCTION;
  }
  lua_settop(L, top);
  return is_function;
}

static int nothing(lua_State *L) {
  (void)L;
  return 0;
}

/* To be called on the main thread. Calls the hook. True: the hook raised, and
** the error is on top. */
static bool hook_raises(lua_State *L, cwl_state *s, lua_Hook hook) {
  lua_pushcfunction(L, nothing);
  if (lua_pcall(L, 0, 0, 0) != LUA_OK) return true;
  if (lua_gethook(L) == hook && !is_lua_hook(L)) s->harmless = hook;
  return false;
}

/* To be called in a coroutine, where the hook of the main thread cannot be
** called. A C hook counts as Ctrl-C unless it has returned before. A Lua hook
** does not: if it raises, it does so when the main thread runs again. */
static bool is_taken_for_interrupt(lua_State *L, const cwl_state *s,
                                   lua_Hook hook) {
  if (hook == s->harmless || is_lua_hook(L)) return false;
  luaL_where(L, 1);
  lua_pushliteral(L, "interrupted!");
  lua_concat(L, 2);
  return true;
}

static bool interrupted(lua_State *L, cwl_state *s) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
  lua_State *main = lua_tothread(L, -1);
  lua_pop(L, 1);
  lua_Hook hook = hook_for_everything(main);
  if (!hook) return false;
  return main == L ? hook_raises(L, s, hook)
                   : is_taken_for_interrupt(L, s, hook);
}

/* One step; false: interrupted, the error is on top. The signal ends the wait
** at once; one that comes between the look and the wait is seen at the next
** look, so no wait is long. */
static bool step(lua_State *L, cwl_state *s, int64_t us) {
  enum { LONG = 250000 };
  if (interrupted(L, s)) return false;
  cw_engine_step(s->engine, us < 0 || us > LONG ? LONG : us);
  return true;
}

/* The wait ---------------------------------------------------------------- */

/* Who is no task lets the tasks run that can go on. What they bring about is
** news to who waits here: then the step waits for nothing. Inside a task the
** others stand still. */
static void drive(lua_State *L, const cwl_state *s) {
  if (!s->alive || s->task || !cw_engine_has_news(s->engine)) return;
  lua_getiuservalue(L, CWL_STATE, CWL_DRIVER);
  lua_call(L, 0, 0);
}

static bool poll_once(lua_State *L, cwl_state *s, bool busy) {
  drive(L, s);
  bool more = busy || (s->alive && cw_engine_has_news(s->engine));
  return step(L, s, more ? 0 : -1);
}

static bool wait_for(lua_State *L, cwl_state *s, cw_news *news, bool busy,
                     bool exchange, lua_KContext context, lua_KFunction k) {
  if (!push_waiter(L, s)) return poll_once(L, s, busy);
  if (s->task) s->task->awaits_exchange = exchange;
  if (busy) cw_engine_stir(s->engine, news); /* after the others' turn */
  lua_pushlightuserdata(L, news);
  lua_insert(L, -2);
  lua_callk(L, 2, 0, context, k);
  return true;
}

bool cwl_wait(lua_State *L, cwl_state *s, cw_exchange *x, lua_KContext context,
              lua_KFunction k) {
  return wait_for(L, s, &x->news, cw_exchange_busy(x), true, context, k);
}

bool cwl_wait_for(lua_State *L, cwl_state *s, cw_news *news,
                  lua_KContext context, lua_KFunction k) {
  return wait_for(L, s, news, false, false, context, k);
}

/* The seam ---------------------------------------------------------------- */

static bool set_function(lua_State *L, int value) {
  if (!lua_isnoneornil(L, 1)) luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  bool given = !lua_isnil(L, 1);
  lua_setiuservalue(L, CWL_STATE, value);
  return given;
}

/* driver(f): while tasks are under way, who waits and is none calls f() before
** it polls; it lets those go on who can. */
static int m_driver(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  set_function(L, CWL_DRIVER);
  return 0;
}

/* loop(f): f(yieldable) is asked whether the running coroutine, which is no
** task, may be paused, and returns the waiter that does it, or nil (it polls),
** or why it may not wait at all. nil: nobody is asked. */
static int m_loop(lua_State *L) {
  cwl_state *s = cwl_state_of(L);
  s->has_loop = set_function(L, CWL_LOOP);
  return 0;
}

/* step([seconds]): moves what can be moved; waits at most so long, without an
** argument until something happens. */
static int m_step(lua_State *L) {
  double seconds = luaL_optnumber(L, 1, -1);
  cwl_state *s = cwl_state_of(L);
  if (!step(L, s, (int64_t)(seconds * 1e6))) return lua_error(L);
  return 0;
}

/* ready() -> the token of one that can go on | nil: all have had their turn */
static int m_ready(lua_State *L) {
  cwl_state *s = cwl_state_of(L);
  cw_news *news;
  while ((news = cw_engine_next_news(s->engine))) {
    if (!news->settled(news)) continue;
    lua_pushlightuserdata(L, news);
    return 1;
  }
  return 0;
}

/* descriptor() -> a number, readable when a step has something to do */
static int m_descriptor(lua_State *L) {
  int fd = cw_engine_descriptor(cwl_state_of(L)->engine);
  if (fd < 0) {
    char text[128];
    return cwl_raise(L, "cannot make the descriptor that event loops need: %s",
                     cw_strerror(errno, text, sizeof text));
  }
  lua_pushinteger(L, fd);
  return 1;
}

/* timeout() -> seconds until a step has something to do all the same | nil */
static int m_timeout(lua_State *L) {
  int64_t us = cw_engine_rest(cwl_state_of(L)->engine);
  if (us < 0) return 0;
  lua_pushnumber(L, (double)us / 1e6);
  return 1;
}

/* rouse(): the descriptor is readable until the next step */
static int m_rouse(lua_State *L) {
  cw_engine_rouse(cwl_state_of(L)->engine);
  return 0;
}

static const luaL_Reg functions[] = {
  {"rouse", m_rouse},
  {"driver", m_driver},
  {"loop", m_loop},
  {"step", m_step},
  {"ready", m_ready},
  {"timeout", m_timeout},
  {"descriptor", m_descriptor},
  {NULL, NULL},
};

void cwl_open_wait(lua_State *L, int state) {
  cwl_register(L, functions, state);
}
