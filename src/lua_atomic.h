/* lua_atomic: Lua functions that no debug hook interrupts. Knows Lua.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_LUA_ATOMIC_H
#define CURLEW_LUA_ATOMIC_H

#include "lua_core.h"

/* Adds atomic and closer to the table on top. */
void cwl_open_atomic(lua_State *L, int state);

#endif
