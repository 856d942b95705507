/* lua_client: the client userdata. Knows Lua and the engine.
** SPDX-License-Identifier: MIT */
#include "lua_client.h"

#include "lua_hooks.h"
#include "lua_leaks.h"
#include "lua_options.h"

typedef struct box {
  cw_client *c; /* a reference; NULL: not made yet */
} box;

cw_client *cwl_test_client(lua_State *L, int index) {
  const cwl_state *s = lua_touserdata(L, CWL_STATE);
  box *b = cwl_test(L, index, s->client);
  return b ? b->c : NULL;
}

/* In a fork a client goes on with its defaults and an engine of its own. */
static void adopt(lua_State *L, box *b) {
  cw_client *fresh = cw_client_new(cwl_state_of(L)->engine, b->c->defaults);
  if (!fresh) cwl_raise(L, "not enough memory");
  cw_client_free(b->c);
  b->c = fresh;
}

/* The client at 'index', open or not; the name is its method's. */
static cw_client *check_any(lua_State *L, int index, const char *name) {
  cw_client *c = cwl_test_client(L, index);
  if (c) return c;
  cwl_state_of(L); /* raises if the client was finalized with its state */
  cwl_raise(L, "client expected, got %s: call client:%s(...) with a colon",
            luaL_typename(L, index), name);
}

static cw_client *check_open(lua_State *L, int index, const char *name) {
  cw_client *c = check_any(L, index, name);
  if (c->closed) cwl_raise(L, "the client is closed");
  if (!cw_engine_foreign(c->engine)) return c;
  box *b = lua_touserdata(L, index);
  adopt(L, b);
  return b->c;
}

cw_client *cwl_check_client(lua_State *L, int index) {
  return check_open(L, index, "get");
}

/* Its settings are read into a box of their own, for the reader may raise. */
static cw_settings **push_settings(lua_State *L) {
  cw_settings **s = lua_newuserdatauv(L, sizeof(cw_settings *), 0);
  *s = NULL;
  luaL_setmetatable(L, "curlew.settings");
  cwl_finalize_late(L);
  *s = cw_settings_new();
  if (!*s) cwl_raise(L, "not enough memory");
  return s;
}

static int settings_gc(lua_State *L) {
  cw_settings **s = luaL_checkudata(L, 1, "curlew.settings");
  cw_settings_free(*s);
  *s = NULL;
  return 0;
}

/* A base without a scheme or host is found out here, not by each request. */
static void check_base_url(lua_State *L, cw_settings *s) {
  if (!(s->set & cw_option_bit(CW_OPT_BASE_URL))) return;
  cw_error e = {.code = CW_OK};
  cw_request r;
  cw_request_init(&r, s, &e);
  cw_url *last = NULL;
  bool ok = cw_request_set_url(&r, "", 0, &last, &e);
  cw_url_free(last);
  cw_request_clear(&r);
  if (!ok) cwl_raise(L, "option 'base_url': %s", e.text);
}

/* Where the arguments of client and what it makes stand on the stack. */
enum { OPTIONS = 1, WORDS, PARENT, CLIENT };

static const cw_settings nothing;

/* client(options | nil, words | nil, parent | nil) -> client */
static int m_client(lua_State *L) {
  cwl_state *s = cwl_state_of(L);
  lua_settop(L, PARENT);
  cw_client *parent = lua_isnil(L, PARENT) ? NULL : cwl_check_client(L, PARENT);
  box *b = lua_newuserdatauv(L, sizeof *b, 2);
  b->c = NULL;
  luaL_setmetatable(L, "curlew.client");
  cwl_finalize_late(L);
  const cw_settings *defaults = parent ? parent->defaults : &nothing;
  cw_settings **own = push_settings(L), *settings = *own;
  if (!lua_isnil(L, OPTIONS)) {
    luaL_checktype(L, OPTIONS, LUA_TTABLE);
    cwl_options(L, OPTIONS, settings, defaults, CWL_FOR_CLIENT);
  }
  cwl_keep_hooks(L, settings, OPTIONS, PARENT, CLIENT);
  if (!cw_settings_inherit(settings, defaults))
    return cwl_raise(L, "not enough memory");
  check_base_url(L, settings);
  lua_pushvalue(L, WORDS);
  lua_setiuservalue(L, CLIENT, CWL_CLIENT_WORDS);
  b->c = cw_client_new(s->engine, settings);
  if (!b->c) return cwl_raise(L, "not enough memory");
  cw_settings_free(settings); /* the client has its own reference */
  *own = NULL;                /* a finalizer may lack memory for its stack */
  lua_settop(L, CLIENT);
  return 1;
}

void cwl_check_url(lua_State *L, int index) {
  if (lua_type(L, index) != LUA_TSTRING)
    cwl_raise(L, "url: string expected, got %s", luaL_typename(L, index));
}

/* check(client, method | nil, url, options | nil): raises what open of the same
** would, but for what it finds in a body */
static int m_check(lua_State *L) {
  enum { METHOD = 2, URL, GIVEN };
  cw_client *c = cwl_check_client(L, 1);
  lua_settop(L, GIVEN);
  cwl_check_url(L, URL);
  if (lua_isnil(L, GIVEN)) return 0;
  luaL_checktype(L, GIVEN, LUA_TTABLE);
  cwl_use use = lua_isnil(L, METHOD) ? CWL_FOR_REQUEST : CWL_FOR_VERB;
  cw_settings **own = push_settings(L);
  cwl_options(L, GIVEN, *own, c->defaults, use);
  cw_settings_free(*own);
  *own = NULL; /* as above */
  return 0;
}

/* words(client, name) -> what the Lua part keeps with it; raises, in its method
** of that name, when it is no open client */
static int m_words(lua_State *L) {
  check_open(L, 1, luaL_checkstring(L, 2));
  lua_getiuservalue(L, 1, CWL_CLIENT_WORDS);
  return 1;
}

/* says(client, name) -> whether its defaults say something of an option */
static int m_says(lua_State *L) {
  const cw_client *c = cwl_check_client(L, 1);
  cw_option_id id = cw_option_find(NULL, luaL_checkstring(L, 2));
  lua_pushboolean(L, id != CW_OPTION_COUNT &&
                       (c->defaults->set & cw_option_bit(id)) != 0);
  return 1;
}

static uint64_t count_open(const cw_client *c) {
  uint64_t n = 0;
  for (const cw_link *l = c->ring.next; l != &c->ring; l = l->next)
    n++;
  return n;
}

/* client:stats(), of a closed one too */
static int c_stats(lua_State *L) {
  cw_client *c = check_any(L, 1, "stats");
  cw_counters counters = c->counters;
  cwl_push_stats(L, &counters, count_open(c));
  return 1;
}

static int close_client(lua_State *L) {
  cw_exchange_close_client(check_any(L, 1, "close"));
  return 0;
}

/* client:close() -> true; also what its open responses hold */
static int c_close(lua_State *L) {
  close_client(L);
  lua_pushboolean(L, true);
  return 1;
}

/* Responses may outlive it: they keep the engine's side of it. */
static int c_gc(lua_State *L) {
  box *b = luaL_checkudata(L, 1, "curlew.client");
  cw_client *c = b->c;
  b->c = NULL;
  cw_client_free(c);
  return 0;
}

static int c_tostring(lua_State *L) {
  cw_client *c = cwl_test_client(L, 1);
  lua_pushfstring(L, "curlew.client (%s)", c && c->closed ? "closed" : "open");
  return 1;
}

static const luaL_Reg metamethods[] = {
  {"__close", close_client},
  {"__gc", c_gc},
  {"__tostring", c_tostring},
  {NULL, NULL},
};

static const luaL_Reg methods[] = {
  {"stats", c_stats}, {"close", c_close}, {NULL, NULL}};

static const luaL_Reg functions[] = {
  {"client", m_client}, {"words", m_words}, {"check", m_check},
  {"says", m_says},     {NULL, NULL},
};

static const luaL_Reg settings_metamethods[] = {{"__gc", settings_gc},
                                                {NULL, NULL}};

void cwl_open_client(lua_State *L, int state) {
  cwl_type(L, "curlew.settings", settings_metamethods, NULL, state);
  cwl_type(L, "curlew.client", metamethods, methods, state);
  cwl_register(L, functions, state);
  luaL_getmetatable(L, "curlew.client"); /* the Lua part adds the verbs */
  ((cwl_state *)lua_touserdata(L, state))->client = lua_topointer(L, -1);
  lua_getfield(L, -1, "__index");
  lua_setfield(L, -3, "methods");
  lua_pop(L, 1);
}
