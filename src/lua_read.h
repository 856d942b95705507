/* lua_read: reading a body, as io reads a file. Knows Lua and the engine.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_LUA_READ_H
#define CURLEW_LUA_READ_H

#include "lua_box.h"

/* Pushes what an opener of the form returns: the response at 'response' (an
** absolute index), or an iterator over it with what its loop closes. Returns
** how many values. */
int cwl_push_form(lua_State *L, int response, cwl_form form);

/* Adds read, lines, chunks and text to the table of methods on top. */
void cwl_open_read(lua_State *L, int state);

#endif
