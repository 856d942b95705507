/* lua_hooks: the functions that a program gives with a request, or with its
** client. Knows Lua and settings.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_LUA_HOOKS_H
#define CURLEW_LUA_HOOKS_H

#include "lua_core.h"

/* Pushes the function (or open file) that holds for a request: its own, from
** the options at 'options' (or nil there), else that of the client at 'client'.
** False: there is none, and nothing is pushed. */
bool cwl_push_hook(lua_State *L, const cw_exchange *x, int options, int client,
                   cw_option_id id);

/* Keeps with the client at 'client' what its options at 'options' (or nil) and
** 'own' say, and what its parent at 'parent' (or nil) has besides. */
void cwl_keep_hooks(lua_State *L, const cw_settings *own, int options,
                    int parent, int client);

/* False: neither has any, and none need be asked for. */
bool cwl_has_hooks(lua_State *L, const cw_exchange *x, int client);

#endif
