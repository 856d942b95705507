/* lua_atomic: Lua functions that no debug hook interrupts. Knows Lua.
** A hook belongs to one thread: Ctrl-C sets the hook of the main thread, and
** debug.sethook sets that of the running thread. The steps of the scheduler run
** on threads that are made here and have no hook, so an interrupt is raised
** before or after such a step, never inside.
** SPDX-License-Identifier: MIT */
#include "lua_atomic.h"

/* Idle threads that are kept; a nested call needs one more. */
enum { MOST_SPARE = 4, FIRST_SPARE = 2 };

#define FUNCTION lua_upvalueindex(2)

/* A new thread inherits the hook of its maker. */
static lua_State *push_new_thread(lua_State *L) {
  lua_State *thread = lua_newthread(L);
  lua_sethook(thread, NULL, 0, 0);
  return thread;
}

/* A thread in use is not in the list: if its call fails, the thread is
** collected with the values on its stack. */
static lua_State *push_thread(lua_State *L, cwl_state *s) {
  if (s->spare_threads == 0) return push_new_thread(L);
  lua_getiuservalue(L, CWL_STATE, CWL_THREADS);
  lua_rawgeti(L, -1, s->spare_threads);
  lua_insert(L, -2);
  lua_pushnil(L);
  lua_rawseti(L, -2, s->spare_threads--);
  lua_pop(L, 1);
  return lua_tothread(L, -1);
}

/* Returns the thread at 'index' to the spares. The table has room for them, so
** no memory is requested. */
static void keep_thread(lua_State *L, cwl_state *s, int index) {
  if (s->spare_threads == MOST_SPARE) return;
  lua_getiuservalue(L, CWL_STATE, CWL_THREADS);
  lua_pushvalue(L, index);
  lua_rawseti(L, -2, ++s->spare_threads);
  lua_pop(L, 1);
}

/* Runs on the thread without a hook. lua_call keeps the function from
** yielding. */
static int call_function(lua_State *L) {
  lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
  return lua_gettop(L);
}

/* Calls the function of this closure with all values of the stack, on a thread
** without a hook, and replaces them by the results. False: the call failed; the
** stack is unchanged but for the error on top, and the thread is dropped. */
static bool run(lua_State *L, int *results) {
  cwl_state *s = lua_touserdata(L, CWL_STATE);
  int n = lua_gettop(L);
  lua_State *thread = push_thread(L, s);
  luaL_checkstack(L, n + 1, "too many arguments");
  if (!lua_checkstack(thread, n + 2)) luaL_error(L, "too many arguments");
  lua_pushcfunction(thread, call_function);
  lua_pushvalue(L, FUNCTION);
  for (int i = 1; i <= n; i++)
    lua_pushvalue(L, i);
  lua_xmove(L, thread, n + 1);
  bool well = lua_resume(thread, L, n + 1, results) == LUA_OK;
  if (!well) *results = 1;
  luaL_checkstack(L, *results + 2, "too many results"); /* and the spares */
  lua_xmove(thread, L, *results);
  if (well) keep_thread(L, s, n + 1);
  lua_remove(L, n + 1);
  return well;
}

static int call_atomic(lua_State *L) {
  int results;
  if (!run(L, &results)) return lua_error(L);
  return results;
}

/* A coroutine that is being closed leaves its blocks without an error. */
static bool is_being_closed(lua_State *L) {
  bool main = lua_pushthread(L);
  lua_pop(L, 1);
  return !main && !lua_isyieldable(L);
}

/* The __close of a value: calls f(value, error, closing) atomically. If that
** call runs out of memory, f is called once more on the calling thread, whose
** stack may be large enough. If f returns a table, its field 'closed' is set to
** the line of the end of the block. */
static int call_closer(lua_State *L) {
  int results;
  cw_site site;
  cwl_site(L, lua_touserdata(L, CWL_STATE), 1, &site);
  lua_settop(L, 2);
  lua_pushboolean(L, is_being_closed(L));
  if (!run(L, &results)) {
    lua_settop(L, 3);
    lua_pushvalue(L, FUNCTION);
    lua_insert(L, 1);
    lua_call(L, 3, 1);
  }
  if (results == 0 || !lua_istable(L, -1)) return 0;
  cwl_push_site(L, &site);
  lua_setfield(L, -2, "closed");
  return 0;
}

static int push_closure(lua_State *L, lua_CFunction f) {
  cwl_state *s = cwl_state_of(L);
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  if (lua_getiuservalue(L, CWL_STATE, CWL_THREADS) == LUA_TNIL) {
    lua_createtable(L, MOST_SPARE, 0);
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, CWL_STATE, CWL_THREADS);
    for (; s->spare_threads < FIRST_SPARE; s->spare_threads++) {
      push_new_thread(L);
      lua_rawseti(L, -2, s->spare_threads + 1);
    }
  }
  lua_pushvalue(L, CWL_STATE);
  lua_pushvalue(L, 1);
  lua_pushcclosure(L, f, 2);
  return 1;
}

/* atomic(f) -> a function that calls f where no debug hook is called */
static int m_atomic(lua_State *L) { return push_closure(L, call_atomic); }

/* closer(f) -> a function for the field __close of a metatable. A C function
** has no Lua instruction before f at which a hook could raise. */
static int m_closer(lua_State *L) { return push_closure(L, call_closer); }

static const luaL_Reg functions[] = {
  {"atomic", m_atomic},
  {"closer", m_closer},
  {NULL, NULL},
};

void cwl_open_atomic(lua_State *L, int state) {
  cwl_register(L, functions, state);
}
