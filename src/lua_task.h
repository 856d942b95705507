/* lua_task: what a task is to the core: who runs, what it has opened, and a
** place to wait for what is no exchange. Knows Lua and the engine.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_LUA_TASK_H
#define CURLEW_LUA_TASK_H

#include "lua_core.h"

/* The task that runs, if there is one, holds 'x' from now on. */
void cwl_hold(const cwl_state *s, cw_exchange *x);

/* Adds seat, wait, ring, alarm, within, keep, take and release to the table on
** top. */
void cwl_open_task(lua_State *L, int state);

#endif
