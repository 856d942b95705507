/* lua_error: error objects: what the world did, as nil and a table that reads
** as a sentence. Knows Lua and the engine.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_LUA_ERROR_H
#define CURLEW_LUA_ERROR_H

#include "lua_core.h"

/* Pushes the error object for 'e', which happened to 'x'. */
void cwl_push_error(lua_State *L, cw_exchange *x, const cw_error *e);

/* Whether there is one at 'index'. */
bool cwl_is_error(lua_State *L, int index);

/* Pushes an error of what was no request, and of the line that called. */
void cwl_push_failure(lua_State *L, const cw_error *e);

/* The same for what happened before there was an exchange: to a request of
** 'method' to the 'n' bytes of 'url', whatever they are. */
void cwl_push_bare_error(lua_State *L, const cw_error *e, const char *method,
                         const char *url, size_t n);

/* Registers the type and adds failure to the table on top. */
void cwl_open_error(lua_State *L, int state);

#endif
