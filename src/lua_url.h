/* lua_url: what http.url does with urls. Knows Lua and url.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_LUA_URL_H
#define CURLEW_LUA_URL_H

#include "lua_core.h"

/* Adds the table url, with parse and join, to the table on top. */
void cwl_open_url(lua_State *L, int state);

#endif
