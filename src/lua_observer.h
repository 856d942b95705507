/* lua_observer: those who look on while a request is made: progress, on_end,
** trace. Knows Lua and the engine.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_LUA_OBSERVER_H
#define CURLEW_LUA_OBSERVER_H

#include "lua_box.h"

/* Takes what the options at 'options' (or nil) and the client at 'client' say
** of them, for the response at 1. */
void cwl_observe(lua_State *L, cwl_box *b, int options, int client);

/* Between two steps: tells the progress of the response at 1, if it has made
** any. Where the function returns false it is cancelled; where it raises the
** response is released, and this raises the same. */
void cwl_tell_progress(lua_State *L, cwl_box *b);

/* The response at 1 is collected: what its exchange has to tell is told later.
** For its finalizer. */
void cwl_leave_end(lua_State *L, const cw_exchange *x);

/* Tells of those that are over; what a function raises becomes a warning. Not
** for finalizers. */
void cwl_tell_ends(lua_State *L, cwl_state *s);

/* Pushes what is known of the request as a table: r.info. */
void cwl_push_info(lua_State *L, cw_exchange *x);

#endif
