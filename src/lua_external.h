/* lua_external: large bodies as strings without a copy. Knows Lua and the
** engine.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_LUA_EXTERNAL_H
#define CURLEW_LUA_EXTERNAL_H

#include "lua_core.h"

/* Pushes all bytes of 'body' that can be read now, and takes them out of it, if
** they are many and Lua is 5.5 or later. False: nothing was pushed. Raises if
** Lua is out of memory; 'body' then has its bytes. The collector may run, so a
** finalizer may close the response. */
bool cwl_push_external(lua_State *L, cw_body *body);

#endif
