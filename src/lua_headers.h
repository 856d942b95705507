/* lua_headers: a read-only view of field lines, by name in any case or in the
** order in which they came. Knows Lua and headers.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_LUA_HEADERS_H
#define CURLEW_LUA_HEADERS_H

#include "lua_core.h"

/* Pushes a view of 'h' (NULL: of no lines). Takes a reference of its own. */
void cwl_push_headers(lua_State *L, cw_headers *h);

/* Pushes a view of nothing yet; whoever fills it in gives it a reference. */
cw_headers **cwl_new_headers(lua_State *L);

/* Pushes every value of the field called by the string at 'name', in order;
** returns how many. */
int cwl_push_values(lua_State *L, const cw_headers *h, int name);

/* Registers the type and adds values to the table on top. */
void cwl_open_headers(lua_State *L, int state);

#endif
