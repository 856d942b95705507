/* lua_client: the client userdata. Knows Lua and the engine.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_LUA_CLIENT_H
#define CURLEW_LUA_CLIENT_H

#include "lua_core.h"

/* User values of a client. */
enum {
  CWL_CLIENT_HOOKS = 1, /* the functions among its defaults, by option */
  CWL_CLIENT_WORDS      /* defaults that the Lua part keeps with it, or nil */
};

/* The client at 'index', open; raises what teaches otherwise. */
cw_client *cwl_check_client(lua_State *L, int index);

/* The client at 'index', open or not; NULL: it is none, or was never made. */
cw_client *cwl_test_client(lua_State *L, int index);

/* Raises if the value at 'index' is no string: a url has to be one. */
void cwl_check_url(lua_State *L, int index);

/* Registers the type and adds client, words, check, methods to the table on
** top. */
void cwl_open_client(lua_State *L, int state);

#endif
