/* lua_core: the module, and what its C functions share: the state userdata,
** upvalue 1 of each of them. Knows Lua and the engine.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_LUA_CORE_H
#define CURLEW_LUA_CORE_H

#include <lauxlib.h>
#include <lua.h>

#include "exchange.h"

/* What a task is to those who do not run it. */
typedef struct cwl_task {
  cw_link held;         /* the list of responses that the task has opened */
  cw_site site;         /* where it was begun */
  bool awaits_exchange; /* paused until its exchange is ready */
} cwl_task;

/* One per Lua state; a userdata kept by the registry. Lua values that go with
** it are its user values. */
typedef struct cwl_state {
  cw_engine *engine; /* a reference */
  const char *home;  /* where curlew's own Lua files are; "" until known */
  bool has_tasks, has_loop;
  size_t alive;         /* tasks that are under way (lua_task) */
  cw_link seats;        /* the list of all seats (lua_task) */
  int64_t searched;     /* time of the last search for a deadlock */
  cwl_task *task;       /* borrowed: the one that runs; NULL: none */
  bool told_unverified; /* the warning of verify = false has been given */
  unsigned useless;     /* collections at the limit that freed nothing, ... */
  unsigned skip;        /* ... and refusals until the next one is tried */
  size_t uncounted;     /* bytes unknown to the collector (lua_external) */
  int spare_threads;    /* their number in CWL_THREADS (lua_atomic) */
  lua_Hook harmless;    /* a C hook that has returned, or NULL (lua_wait) */
  /* their metatables, which the registry has */
  const void *client, *response, *seat;
} cwl_state;

enum {
  CWL_LIVE = 1,  /* weak values: [exchange] = response, of those handed out */
  CWL_DRIVER,    /* function, while there are tasks (lua_wait) */
  CWL_LOOP,      /* function, or nil (lua_wait) */
  CWL_TASKS,     /* weak keys: [thread] = its seat (lua_task) */
  CWL_TOKENS,    /* weak keys: [function] = what it said (lua_token) */
  CWL_ENDS,      /* [exchange] = function, once its response is collected */
  CWL_WIRES,     /* weak keys: [request] = what else was sent */
  CWL_METATABLE, /* of responses */
  CWL_HOME,      /* the string behind 'home' */
  CWL_THREADS,   /* list of threads without a hook, or nil (lua_atomic) */
  CWL_LATE,      /* weak keys: [userdata] = true, made by finalizers */
  CWL_VALUES = CWL_LATE
};

/* User values of a seat. */
enum { CWL_TASK_WAITER = 1, CWL_TASK_OWNER, CWL_TASK_VALUES = CWL_TASK_OWNER };

#define CWL_STATE lua_upvalueindex(1)

/* The state, with an engine that this process may use. Raises when the Lua
** state is being closed. */
cwl_state *cwl_state_of(lua_State *L);

/* Registers 'functions' in the table on top, with the state at index 'state'
** as their upvalue. */
void cwl_register(lua_State *L, const luaL_Reg *functions, int state);

/* Makes the metatable 'name' with 'metamethods' and, as __index, a table of
** 'methods'; leaves nothing on the stack. */
void cwl_type(lua_State *L, const char *name, const luaL_Reg *metamethods,
              const luaL_Reg *methods, int state);

/* Whether a finalizer is running. Lua before 5.4.4 does not tell. */
bool cwl_in_finalizer(lua_State *L);

/* To be called for a new userdata on top of the stack, before its fields are
** set, if its __gc releases resources. While a Lua state is being closed, Lua
** does not finalize userdata that finalizers make. The last finalizer of curlew
** finalizes them. */
void cwl_finalize_late(lua_State *L);

/* The userdata at 'index' if its metatable is that one, else NULL: as
** luaL_testudata, but it looks up no name, which each request would do ten
** times. */
void *cwl_test(lua_State *L, int index, const void *metatable);

/* The line that called: the first Lua frame outside curlew, from 'level' up. */
void cwl_site(lua_State *L, const cwl_state *s, int level, cw_site *site);

/* Has 'x' be of the call at 'index', if there is one (call() in Lua). */
void cwl_given_call(lua_State *L, int index, cw_exchange *x);

/* As luaL_error, but blames the line of the caller's own that called. */
__attribute__((noreturn)) int cwl_raise(lua_State *L, const char *format, ...);

/* Pushes the site as "file:line". */
void cwl_push_site(lua_State *L, const cw_site *site);

/* Sets field 'name' of the table on top. */
void cwl_set_string(lua_State *L, const char *name, const char *value);
void cwl_set_integer(lua_State *L, const char *name, int64_t value);
void cwl_set_number(lua_State *L, const char *name, double value);
void cwl_set_boolean(lua_State *L, const char *name, bool value);

/* How many elements the table at 'index' has, which has nothing else: one that
** only looks like a list would lose what has a name. -1: it is no list. */
lua_Integer cwl_list_length(lua_State *L, int index);

/* Tells what has leaked since this was last called; not for finalizers. */
void cwl_tell_leaks(lua_State *L, cwl_state *s);

#endif
