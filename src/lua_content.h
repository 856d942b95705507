/* lua_content: what a request sends, taken from its options, and the functions
** that give pieces of it. Knows Lua and content.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_LUA_CONTENT_H
#define CURLEW_LUA_CONTENT_H

#include "lua_core.h"

/* Takes body, file, json, form or multipart from the options at 'options' into
** the content of 'x', whose response at 1 keeps what is lent. False: its error
** is set. Raises on misuse. */
bool cwl_read_content(lua_State *L, cw_exchange *x, int options);

/* Pushes the function that is to give a piece next; false: none is wanted. */
bool cwl_push_producer(lua_State *L, cw_exchange *x);

/* It was called, its two results are on top: takes them off. False: a string
** that says what is wrong with them is on top instead. */
bool cwl_take_piece(lua_State *L, cw_exchange *x);

#endif
