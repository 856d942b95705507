/* lua_wait: the one wait. Knows Lua and the engine.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_LUA_WAIT_H
#define CURLEW_LUA_WAIT_H

#include "lua_core.h"

/* Waits until something may have happened to 'x'; the caller looks, and calls
** again. In a task its waiter is called, and may yield: then this
** does not return, and 'k' is called with 'context' when the task goes on. So
** callers are continuations that loop:
**
**   while (!cw_exchange_stands(x))
**     if (!cwl_wait(L, s, x, context, k)) return lua_error(L);
**
** False: interrupted (Ctrl-C); the error to raise is on top. */
bool cwl_wait(lua_State *L, cwl_state *s, cw_exchange *x, lua_KContext context,
              lua_KFunction k);

/* The same for what is no exchange. */
bool cwl_wait_for(lua_State *L, cwl_state *s, cw_news *news,
                  lua_KContext context, lua_KFunction k);

/* Whether a wait in the running coroutine calls a waiter: it is a task, or one
** of an event loop's. */
bool cwl_pauses(lua_State *L, const cwl_state *s);

/* "main", "task" or "coroutine": who is running. */
const char *cwl_opener(lua_State *L, const cwl_state *s);

/* Adds the seam for schedulers to the table on top: driver, loop, step, ready,
** descriptor, timeout. */
void cwl_open_wait(lua_State *L, int state);

#endif
