/* lua_token: a bearer's token that a function says. Knows Lua and the engine.
** SPDX-License-Identifier: MIT */
#include "lua_token.h"

#include <string.h>

#include "lua_options.h"
#include "lua_wait.h"

bool cwl_wants_token(const cw_exchange *x) {
  const cw_value *token =
    cw_settings_find(&x->request.own, x->request.defaults, CW_OPT_AUTH_BEARER);
  return token && *token->text == '\0';
}

/* Pushes what is known of the function at 'index': a table with 'token', its
** end in 'expires' (by the engine's clock, seconds), the thread that is
** 'asking'. */
static void push_entry(lua_State *L, int index) {
  lua_getiuservalue(L, CWL_STATE, CWL_TOKENS);
  lua_pushvalue(L, index);
  if (lua_rawget(L, -2) != LUA_TTABLE) {
    lua_pop(L, 1);
    lua_newtable(L);
    lua_createtable(L, 0, 1); /* a thread that is dropped asks no more */
    lua_pushliteral(L, "v");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lua_pushvalue(L, index);
    lua_pushvalue(L, -2);
    lua_rawset(L, -4);
  }
  lua_remove(L, -2);
}

static double seconds_now(lua_State *L) {
  return (double)cw_engine_now(cwl_state_of(L)->engine) / 1e6;
}

static void set_text(lua_State *L, cw_exchange *x, const char *token) {
  if (!cw_settings_text(&x->request.own, CW_OPT_AUTH_BEARER, token))
    cwl_raise(L, "not enough memory");
}

/* The known one, unless it is too old or the very one that was refused. */
static bool use_known(lua_State *L, cw_exchange *x, int entry, bool stale) {
  const char *used = x->request.own.set & cw_option_bit(CW_OPT_AUTH_BEARER)
                       ? x->request.own.values[CW_OPT_AUTH_BEARER].text
                       : "";
  lua_getfield(L, entry, "expires");
  bool old = lua_isnumber(L, -1) && lua_tonumber(L, -1) <= seconds_now(L);
  lua_getfield(L, entry, "token");
  const char *token = lua_tostring(L, -1);
  bool good = token && !old && !(stale && strcmp(token, used) == 0);
  if (good) set_text(L, x, token);
  lua_pop(L, 2);
  return good;
}

static bool asked_elsewhere(lua_State *L, int entry) {
  lua_getfield(L, entry, "asking");
  lua_State *asking = lua_tothread(L, -1);
  lua_pop(L, 1);
  if (!asking) return false;
  if (asking == L)
    cwl_raise(L, "option 'auth.bearer': the function asks for a token itself");
  return cwl_pauses(L, cwl_state_of(L)) && lua_status(asking) == LUA_YIELD;
}

cwl_token cwl_take_token(lua_State *L, cw_exchange *x, bool stale) {
  int function = lua_gettop(L), entry = function + 1;
  push_entry(L, function);
  bool known = use_known(L, x, entry, stale);
  bool elsewhere = !known && asked_elsewhere(L, entry);
  if (known || elsewhere) {
    lua_settop(L, function - 1);
    return known ? CWL_TOKEN_SET : CWL_TOKEN_WAIT;
  }
  lua_pushthread(L);
  lua_setfield(L, entry, "asking");
  lua_settop(L, function);
  lua_pushvalue(L, function);
  lua_pushboolean(L, stale);
  return CWL_TOKEN_ASK;
}

void cwl_drop_asking(lua_State *L, int index) {
  push_entry(L, index);
  lua_pushnil(L);
  lua_setfield(L, -2, "asking");
  lua_pop(L, 1);
}

static bool give_up(lua_State *L, cw_exchange *x) {
  cw_error_set(&x->error, CW_ERR_CANCELLED, CW_PHASE_REQUEST,
               "the bearer's function gave no token: %s",
               luaL_tolstring(L, -1, NULL));
  return false;
}

bool cwl_set_token(lua_State *L, cw_exchange *x, bool *misuse) {
  int function = lua_gettop(L) - 2, token = function + 1, holds = function + 2;
  size_t n = 0;
  cwl_drop_asking(L, function);
  const char *text =
    lua_type(L, token) == LUA_TSTRING ? lua_tolstring(L, token, &n) : "";
  *misuse = false;
  if (lua_isnil(L, token) && !lua_isnil(L, holds)) return give_up(L, x);
  if (!cwl_is_token68(text, n) ||
      !(lua_isnil(L, holds) || lua_type(L, holds) == LUA_TNUMBER)) {
    *misuse = true;
    lua_pushliteral(L, "option 'auth.bearer': the function is to return a "
                       "token and, optionally, for how many seconds it holds");
    return false;
  }
  push_entry(L, function);
  lua_pushvalue(L, token);
  lua_setfield(L, -2, "token");
  if (lua_isnil(L, holds))
    lua_pushnil(L);
  else
    lua_pushnumber(L, seconds_now(L) + lua_tonumber(L, holds));
  lua_setfield(L, -2, "expires");
  set_text(L, x, text);
  lua_settop(L, function - 1);
  return true;
}
