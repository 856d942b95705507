/* lua_response: the response userdata: opening it, reading it, and the ways in
** which it ends. Knows Lua and the engine.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_LUA_RESPONSE_H
#define CURLEW_LUA_RESPONSE_H

#include "lua_core.h"

/* Pushes "response" or "closed response" if that is at 'index'; false: it is
** neither. */
bool cwl_push_response_type(lua_State *L, int index);

/* Registers the type and adds open and release to the table on top. */
void cwl_open_response(lua_State *L, int state);

#endif
