/* lua_save: a body written to a file, without becoming a Lua string. Knows Lua
** and the engine.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_LUA_SAVE_H
#define CURLEW_LUA_SAVE_H

#include "lua_core.h"

/* Adds save to the table of methods on top. */
void cwl_open_save(lua_State *L, int state);

#endif
