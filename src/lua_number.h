/* lua_number: numbers as text, in what is sent. Knows Lua and number.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_LUA_NUMBER_H
#define CURLEW_LUA_NUMBER_H

#include "lua_core.h"

/* Replaces the number at 'index' by its text for forms and header lines. An
** integer, or a float with an integer value, has no point and no exponent; any
** other float has the fewest digits that read back as the same float. False:
** the number is not finite, and is not replaced. */
bool cwl_number_to_text(lua_State *L, int index);

/* Adds number_text and float_text to the table on top. */
void cwl_open_number(lua_State *L, int state);

#endif
