/* lua_tls: those values of the options of TLS that are more than one text, and
** the warning of who is not verified. Knows Lua and the engine.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_LUA_TLS_H
#define CURLEW_LUA_TLS_H

#include "lua_core.h"

/* Reads the string or list at 'value' into 's', for a row of the kinds CA, PEM
** and PIN; files are read now, but for a CA that is the only one. Returns what
** is wrong with it, in words that the stack or C holds; NULL: nothing. */
const char *cwl_read_tls(lua_State *L, int value, cw_settings *s,
                         cw_option_id id);

/* Raises when options of TLS contradict each other. */
void cwl_check_tls(lua_State *L, const cw_settings *own,
                   const cw_settings *defaults);

/* Warns, once a Lua state, when the request verifies nobody. */
void cwl_tell_unverified(lua_State *L, cwl_state *s, const cw_exchange *x);

#endif
