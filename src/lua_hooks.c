/* lua_hooks: the functions given with a request or its client. Knows Lua and
** settings.
** SPDX-License-Identifier: MIT */
#include "lua_hooks.h"

#include "lua_client.h"

/* The rows whose value may be a function, or an open file. */
static const cw_option_id hooks[] = {CW_OPT_AUTH_BEARER, CW_OPT_CHECK,
                                     CW_OPT_ON_END, CW_OPT_PROGRESS,
                                     CW_OPT_TRACE};

/* Pushes what a table of options has for the row, a function or anything. */
static void push_option(lua_State *L, int options, cw_option_id id) {
  const cw_option *row = &cw_options[id];
  if (row->group) {
    lua_getfield(L, options, row->group);
    if (lua_istable(L, -1))
      lua_getfield(L, -1, row->name);
    else
      lua_pushnil(L);
    lua_remove(L, -2);
  } else {
    lua_getfield(L, options, row->name);
  }
}

static bool is_hook(lua_State *L) {
  return lua_isfunction(L, -1) || lua_isuserdata(L, -1);
}

/* Pushes what the client has for the row; nil: nothing. Most have nothing at
** all, and then no table. */
static void push_client(lua_State *L, int client, cw_option_id id) {
  if (lua_getiuservalue(L, client, CWL_CLIENT_HOOKS) != LUA_TTABLE) return;
  lua_rawgeti(L, -1, (int)id);
  lua_remove(L, -2);
}

bool cwl_has_hooks(lua_State *L, const cw_exchange *x, int client) {
  uint64_t says = 0;
  for (size_t i = 0; i < sizeof hooks / sizeof *hooks; i++)
    says |= cw_option_bit(hooks[i]);
  if (x->request.own.set & says) return true;
  bool has = lua_getiuservalue(L, client, CWL_CLIENT_HOOKS) == LUA_TTABLE;
  lua_pop(L, 1);
  return has;
}

bool cwl_push_hook(lua_State *L, const cw_exchange *x, int options, int client,
                   cw_option_id id) {
  if (x->request.own.set & cw_option_bit(id) && lua_istable(L, options)) {
    push_option(L, options, id);
    if (is_hook(L)) return true;
    lua_pop(L, 1);
  }
  if (x->request.own.unset & cw_option_bit(id)) return false;
  /* also where the request has by now what the client's function said */
  push_client(L, client, id);
  if (is_hook(L)) return true;
  lua_pop(L, 1);
  return false;
}

static void push_kept(lua_State *L, const cw_settings *own, int options,
                      int parent, cw_option_id id) {
  if (own->set & cw_option_bit(id)) {
    push_option(L, options, id);
  } else if (own->unset & cw_option_bit(id) || lua_isnil(L, parent)) {
    lua_pushnil(L);
  } else {
    push_client(L, parent, id);
  }
}

void cwl_keep_hooks(lua_State *L, const cw_settings *own, int options,
                    int parent, int client) {
  bool any = false;
  lua_newtable(L);
  for (size_t i = 0; i < sizeof hooks / sizeof *hooks; i++) {
    push_kept(L, own, options, parent, hooks[i]);
    any |= is_hook(L);
    if (is_hook(L))
      lua_rawseti(L, -2, (int)hooks[i]);
    else
      lua_pop(L, 1);
  }
  if (!any) {
    lua_pop(L, 1);
    lua_pushnil(L);
  }
  lua_setiuservalue(L, client, CWL_CLIENT_HOOKS);
}
