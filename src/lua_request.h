/* lua_request: what was asked, as a Lua value. Knows Lua and request.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_LUA_REQUEST_H
#define CURLEW_LUA_REQUEST_H

#include "lua_core.h"

/* Pushes a new table of 'r', the request of the response at 1: method, url,
** headers. Its methods are the Lua part's. */
void cwl_push_request(lua_State *L, const cw_request *r);

/* Registers the type, adds wire and request_methods to the table on top. */
void cwl_open_request(lua_State *L, int state);

#endif
