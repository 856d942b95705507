/* lua_token: a bearer's token that a function says, kept while it holds; asked
** for by one request at a time. Knows Lua and the engine.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_LUA_TOKEN_H
#define CURLEW_LUA_TOKEN_H

#include "lua_core.h"

typedef enum cwl_token {
  CWL_TOKEN_SET,  /* the request has it */
  CWL_TOKEN_ASK,  /* the function is on top, twice, and its argument: call it */
  CWL_TOKEN_WAIT, /* another task asks for it */
} cwl_token;

/* Whether the request is to take its token from a function. */
bool cwl_wants_token(const cw_exchange *x);

/* Sees to the token of the function on top, which it takes off. 'stale': the
** one that the request has was refused. */
cwl_token cwl_take_token(lua_State *L, cw_exchange *x, bool stale);

/* The function has been called: it is on top, and its two results over it.
** Takes all off and sets the token. False: the function says why there is none
** (nil, err), or a string about what it returned is on top, for a misuse. */
bool cwl_set_token(lua_State *L, cw_exchange *x, bool *misuse);

/* The function at 'index' has raised: another may be asked. */
void cwl_drop_asking(lua_State *L, int index);

#endif
