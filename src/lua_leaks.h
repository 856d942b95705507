/* lua_leaks: what the ledger knows, as Lua values: stats, records, the audit.
** Knows Lua and the engine.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_LUA_LEAKS_H
#define CURLEW_LUA_LEAKS_H

#include "lua_core.h"

/* Pushes the table of stats(). 'c' is a copy, since pushing may run finalizers,
** which count; 'open' is as walked. */
void cwl_push_stats(lua_State *L, const cw_counters *c, uint64_t open);

/* Pushes the records of the oldest three open responses, of those that kept 'x'
** from being opened. */
void cwl_push_holders(lua_State *L, const cw_exchange *x);

/* Adds open, records and audit to the table on top. */
void cwl_open_leaks(lua_State *L, int state);

#endif
