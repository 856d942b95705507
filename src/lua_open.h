/* lua_open: how a response comes to be: what get, lines and the like end in.
** Knows Lua and the engine.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_LUA_OPEN_H
#define CURLEW_LUA_OPEN_H

#include "lua_core.h"

/* Pushes nil and the error 'e', which refuses the response of 'x', and gives
** its stream up. Returns 2. */
int cwl_refuse(lua_State *L, cw_exchange *x);

/* Adds open, open_lines and open_chunks to the table on top. */
void cwl_open_open(lua_State *L, int state);

#endif
