/* lua_core: the module. Knows Lua and the engine.
** SPDX-License-Identifier: MIT */
#include "lua_core.h"

#include <stdlib.h>
#include <string.h>

#include "lua_atomic.h"
#include "lua_client.h"
#include "lua_download.h"
#include "lua_error.h"
#include "lua_headers.h"
#include "lua_leaks.h"
#include "lua_number.h"
#include "lua_options.h"
#include "lua_request.h"
#include "lua_response.h"
#include "lua_task.h"
#include "lua_url.h"
#include "lua_wait.h"
#include "quirks.h"
#include "version.h"

/* Shared by the border ---------------------------------------------------- */

void cwl_register(lua_State *L, const luaL_Reg *functions, int state) {
  lua_pushvalue(L, state);
  luaL_setfuncs(L, functions, 1);
}

void cwl_type(lua_State *L, const char *name, const luaL_Reg *metamethods,
              const luaL_Reg *methods, int state) {
  luaL_newmetatable(L, name);
  cwl_register(L, metamethods, state);
  if (methods) {
    lua_newtable(L);
    cwl_register(L, methods, state);
    lua_setfield(L, -2, "__index");
  }
  lua_pop(L, 1);
}

void cwl_set_string(lua_State *L, const char *name, const char *value) {
  lua_pushstring(L, value);
  lua_setfield(L, -2, name);
}

void cwl_set_integer(lua_State *L, const char *name, int64_t value) {
  lua_pushinteger(L, (lua_Integer)value);
  lua_setfield(L, -2, name);
}

void cwl_set_number(lua_State *L, const char *name, double value) {
  lua_pushnumber(L, value);
  lua_setfield(L, -2, name);
}

void cwl_set_boolean(lua_State *L, const char *name, bool value) {
  lua_pushboolean(L, value);
  lua_setfield(L, -2, name);
}

lua_Integer cwl_list_length(lua_State *L, int index) {
  if (!lua_istable(L, index)) return -1;
  lua_Integer count = 0, n = luaL_len(L, index);
  index = lua_absindex(L, index);
  lua_pushnil(L);
  while (lua_next(L, index)) {
    lua_pop(L, 1);
    count++;
  }
  return count == n ? n : -1;
}

static bool own_file(const cwl_state *s, const lua_Debug *frame) {
  size_t n = strlen(s->home);
  return n > 0 && frame->source[0] == '@' &&
         strncmp(frame->source + 1, s->home, n) == 0;
}

void cwl_site(lua_State *L, const cwl_state *s, int level, cw_site *site) {
  _Static_assert(LUA_IDSIZE <= CW_SITE_TEXT, "a site holds Lua's short names");
  lua_Debug frame;
  for (; lua_getstack(L, level, &frame); level++) {
    lua_getinfo(L, "Sl", &frame);
    if (frame.currentline < 0 || own_file(s, &frame)) continue;
    memcpy(site->source, frame.short_src, LUA_IDSIZE);
    site->line = frame.currentline;
    return;
  }
  if (s->task) { /* a function of curlew's own is all that it runs */
    *site = s->task->site;
    return;
  }
  memcpy(site->source, "?", 2);
  site->line = 0;
}

void cwl_push_site(lua_State *L, const cw_site *site) {
  lua_pushfstring(L, "%s:%d", site->source, site->line);
}

/* Who has called for what a middleware opens, and when. */
typedef struct call {
  cw_site site;
  int64_t at; /* on the engine's clock */
} call;

void cwl_given_call(lua_State *L, int index, cw_exchange *x) {
  const call *given = lua_touserdata(L, index);
  if (!given) return;
  x->site = given->site;
  x->called = given->at;
}

int cwl_raise(lua_State *L, const char *format, ...) {
  cw_site site;
  va_list arguments;
  cwl_site(L, lua_touserdata(L, CWL_STATE), 1, &site);
  if (site.line > 0)
    lua_pushfstring(L, "%s:%d: ", site.source, site.line);
  else
    lua_pushliteral(L, "");
  va_start(arguments, format);
  lua_pushvfstring(L, format, arguments);
  va_end(arguments);
  lua_concat(L, 2);
  lua_error(L);
  abort(); /* not reached: lua_error does not return */
}

/* The first is written where nobody can miss it; Lua's own warnings are off
** unless a program turns them on. */
static void tell(lua_State *L, cw_ledger *ledger, const char *text) {
  if (ledger->first_told)
    lua_warning(L, text, 0);
  else
    fprintf(stderr, "%s\n", text);
  ledger->first_told = true;
}

void cwl_tell_leaks(lua_State *L, cwl_state *s) {
  cw_ledger *ledger = cw_engine_ledger(s->engine);
  const cw_record *r;
  char text[1024];
  if (ledger->reported == ledger->leaks) return;
  while ((r = cw_ledger_news(ledger))) {
    cw_record_print(r, text, sizeof text);
    tell(L, ledger, text);
  }
}

void *cwl_test(lua_State *L, int index, const void *metatable) {
  void *p = lua_touserdata(L, index);
  if (!p || !lua_getmetatable(L, index)) return NULL;
  bool same = lua_topointer(L, -1) == metatable;
  lua_pop(L, 1);
  return same ? p : NULL;
}

/* Finalizers -------------------------------------------------------------- */

bool cwl_in_finalizer(lua_State *L) { return lua_gc(L, LUA_GCCOUNT, 0) < 0; }

void cwl_finalize_late(lua_State *L) {
  if (!cwl_in_finalizer(L)) return;
  lua_getiuservalue(L, CWL_STATE, CWL_LATE);
  lua_pushvalue(L, -2);
  lua_pushboolean(L, true);
  lua_rawset(L, -3);
  lua_pop(L, 1);
}

/* Calls the finalizers of the userdata that finalizers have made. The state is
** at 1. */
static void finalize_all_late(lua_State *L) {
  lua_getiuservalue(L, 1, CWL_LATE);
  lua_pushnil(L);
  while (lua_next(L, -2)) {
    lua_pop(L, 1);
    if (luaL_callmeta(L, -1, "__gc")) lua_pop(L, 1);
  }
  lua_pop(L, 1);
}

/* The state --------------------------------------------------------------- */

static const char state_key = 0;

/* A fork begins with an engine of its own, and from zero. */
static void replace_engine(lua_State *L, cwl_state *s) {
  cw_engine *fresh = cw_engine_new();
  if (!fresh) cwl_raise(L, "not enough memory");
  cw_engine_free(s->engine);
  s->engine = fresh;
}

cwl_state *cwl_state_of(lua_State *L) {
  cwl_state *s = lua_touserdata(L, CWL_STATE);
  if (!s->engine || cw_engine_closed(s->engine))
    luaL_error(L, "curlew: the Lua state is being closed");
  if (cw_engine_foreign(s->engine)) replace_engine(L, s);
  return s;
}

/* Runs last of curlew's finalizers, since it was made first: whoever comes
** after it finds a closed engine. */
static int state_gc(lua_State *L) {
  cwl_state *s = lua_touserdata(L, 1);
  if (!s->engine) return 0;
  cw_exchange_shutdown(s->engine);
  finalize_all_late(L);
  cw_engine_free(s->engine);
  s->engine = NULL;
  return 0;
}

static void push_weak(lua_State *L, const char *mode) {
  lua_newtable(L);
  lua_createtable(L, 0, 1);
  cwl_set_string(L, "__mode", mode);
  lua_setmetatable(L, -2);
}

/* The box first, closed; then what it holds. */
static cwl_state *push_state(lua_State *L) {
  cwl_state *s = lua_newuserdatauv(L, sizeof *s, CWL_VALUES);
  memset(s, 0, sizeof *s);
  s->home = "";
  cw_list_init(&s->seats);
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, state_gc);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  push_weak(L, "v");
  lua_setiuservalue(L, -2, CWL_LIVE);
  push_weak(L, "k");
  lua_setiuservalue(L, -2, CWL_TASKS);
  push_weak(L, "k");
  lua_setiuservalue(L, -2, CWL_TOKENS);
  lua_newtable(L);
  lua_setiuservalue(L, -2, CWL_ENDS);
  push_weak(L, "k");
  lua_setiuservalue(L, -2, CWL_WIRES);
  push_weak(L, "k");
  lua_setiuservalue(L, -2, CWL_LATE);
  s->engine = cw_engine_new();
  if (!s->engine) luaL_error(L, "not enough memory");
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &state_key);
  return s;
}

/* Functions --------------------------------------------------------------- */

/* home(folder): Lua files in it are curlew's own, not the caller's. */
static int m_home(lua_State *L) {
  cwl_state *s = cwl_state_of(L);
  const char *home = luaL_checkstring(L, 1);
  lua_settop(L, 1);
  lua_setiuservalue(L, CWL_STATE, CWL_HOME);
  s->home = home; /* the user value keeps it */
  return 0;
}

/* call() -> the line that called, and when, for open */
static int m_call(lua_State *L) {
  const cwl_state *s = cwl_state_of(L);
  call *c = lua_newuserdatauv(L, sizeof *c, 0);
  cwl_site(L, s, 1, &c->site);
  c->at = cw_engine_now(s->engine);
  return 1;
}

/* raise(text [, function]): blames the line that called, or that where the
** function begins */
static int m_raise(lua_State *L) {
  const char *text = luaL_checkstring(L, 1);
  lua_Debug where = {.linedefined = -1};
  lua_settop(L, 2);
  if (lua_isfunction(L, 2)) lua_getinfo(L, ">S", &where);
  if (where.linedefined < 0) return cwl_raise(L, "%s", text);
  lua_pushfstring(L, "%s:%d: %s", where.short_src, where.linedefined, text);
  return lua_error(L);
}

/* stats() -> the counters of the Lua state */
static int m_stats(lua_State *L) {
  cwl_state *s = cwl_state_of(L);
  cw_counters counters = cw_engine_ledger(s->engine)->counters;
  uint64_t open = 0;
  cw_link *ring = cw_engine_open_ring(s->engine);
  for (cw_link *l = ring->next; l != ring; l = l->next)
    open++;
  cwl_push_stats(L, &counters, open);
  return 1;
}

/* The field 'name' of the table at 1 as a number of things; -1: not there. */
static lua_Integer limit(lua_State *L, const char *name, lua_Integer least) {
  lua_Integer n = -1;
  if (lua_getfield(L, 1, name) != LUA_TNIL) {
    int exact;
    n = lua_tointegerx(L, -1, &exact);
    if (lua_type(L, -1) != LUA_TNUMBER || !exact || n < least || n > 1000000)
      cwl_raise(L, "limit '%s': an integer from %I to 1000000 expected, got %s",
                name, least, luaL_tolstring(L, -1, NULL));
  }
  lua_settop(L, 1);
  return n;
}

static void check_limit_names(lua_State *L) {
  lua_pushnil(L);
  while (lua_next(L, 1)) {
    size_t n;
    const char *name = luaL_tolstring(L, -2, &n);
    bool known =
      strcmp(name, "max_open") == 0 || strcmp(name, "idle_connections") == 0;
    if (!known || strlen(name) != n)
      cwl_raise(L, "unknown limit '%s' (max_open, idle_connections)", name);
    lua_pop(L, 2);
  }
}

/* limits([{max_open =, idle_connections =}]) -> those in force */
static int m_limits(lua_State *L) {
  cw_engine *e = cwl_state_of(L)->engine;
  if (!lua_isnoneornil(L, 1)) {
    if (!lua_istable(L, 1))
      return cwl_raise(L, "limits: table expected, got %s",
                       luaL_typename(L, 1));
    lua_settop(L, 1);
    check_limit_names(L);
    lua_Integer open = limit(L, "max_open", 1);
    lua_Integer idle = limit(L, "idle_connections", 0);
    if (open >= 0) cw_engine_set_max_open(e, (size_t)open);
    if (idle >= 0) cw_engine_set_idle_connections(e, (size_t)idle);
  }
  lua_createtable(L, 0, 2);
  cwl_set_integer(L, "max_open", (int64_t)*cw_engine_max_open(e));
  cwl_set_integer(L, "idle_connections",
                  (int64_t)cw_engine_idle_connections(e));
  return 1;
}

/* where() -> the line that called, as text */
static int m_where(lua_State *L) {
  cw_site site;
  cwl_site(L, lua_touserdata(L, CWL_STATE), 1, &site);
  cwl_push_site(L, &site);
  return 1;
}

/* tell(text), as a leak is told */
static int m_tell(lua_State *L) {
  tell(L, cw_engine_ledger(cwl_state_of(L)->engine), luaL_checkstring(L, 1));
  return 0;
}

/* type(value) -> "response", "closed response", "client", ... | nil */
static int m_type(lua_State *L) {
  if (lua_isnone(L, 1)) return cwl_raise(L, "type: value expected");
  if (cwl_push_response_type(L, 1)) return 1;
  const cw_client *c = cwl_test_client(L, 1);
  if (c)
    lua_pushstring(L, c->closed ? "closed client" : "client");
  else if (luaL_testudata(L, 1, "curlew.headers"))
    lua_pushliteral(L, "headers");
  else if (lua_getmetatable(L, 1) &&
           luaL_getmetatable(L, "curlew.error") != LUA_TNIL &&
           lua_rawequal(L, -1, -2))
    lua_pushliteral(L, "error");
  else
    lua_pushnil(L);
  return 1;
}

/* A release as text; nil: none. */
static void set_release(lua_State *L, const char *name, unsigned release) {
  if (release == 0) return;
  lua_pushfstring(L, "%d.%d.%d", (int)(release >> 16),
                  (int)(release >> 8 & 255), (int)(release & 255));
  lua_setfield(L, -2, name);
}

static void push_quirk(lua_State *L, const cw_quirk_row *row) {
  lua_createtable(L, 0, 5);
  cwl_set_string(L, "name", row->name);
  cwl_set_string(L, "what", row->what);
  cwl_set_string(L, "spec", row->spec);
  set_release(L, "since", row->since);
  set_release(L, "fixed", row->fixed);
}

/* The bugs of the loaded libcurl that curlew works around. */
static void push_quirks(lua_State *L) {
  lua_newtable(L);
  for (int i = 0, n = 0; i < CW_QUIRK_COUNT; i++) {
    if (!cw_quirk_is_active((cw_quirk)i)) continue;
    push_quirk(L, cw_quirk_describe((cw_quirk)i));
    lua_rawseti(L, -2, ++n);
  }
}

/* features() -> what this build can do, and the options table */
static int m_features(lua_State *L) {
  cw_features f = cw_features_of_libcurl();
  lua_createtable(L, 0, 8);
  cwl_set_string(L, "libcurl", f.libcurl);
  cwl_set_string(L, "tls", f.tls);
  cwl_set_boolean(L, "http2", f.http2);
  cwl_set_boolean(L, "http3", f.http3);
  cwl_set_boolean(L, "br", true);
  cwl_set_boolean(L, "zstd", true);
  push_quirks(L);
  lua_setfield(L, -2, "quirks");
  cwl_push_options(L);
  lua_setfield(L, -2, "options");
  return 1;
}

static const luaL_Reg functions[] = {
  {"home", m_home}, {"stats", m_stats},       {"limits", m_limits},
  {"type", m_type}, {"features", m_features}, {"raise", m_raise},
  {"call", m_call}, {"where", m_where},       {"tell", m_tell},
  {NULL, NULL},
};

/* Loading ----------------------------------------------------------------- */

/* The key of the module in the registry. A Lua state has one engine, one limit
** and one scheduler, so a second load returns the first module. A second load
** happens when a program has cleared package.loaded or has a second copy of the
** library. */
static const char module_key[] = "curlew.core";

/* Pushes the module that was loaded before. False: none, and nothing is
** pushed. */
static bool push_loaded(lua_State *L) {
  if (lua_getfield(L, LUA_REGISTRYINDEX, module_key) != LUA_TTABLE) {
    lua_pop(L, 1);
    return false;
  }
  lua_getfield(L, -1, "version");
  if (strcmp(luaL_tolstring(L, -1, NULL), CW_VERSION) != 0)
    luaL_error(L, "curlew %s cannot be loaded: the Lua state has curlew %s",
               CW_VERSION, lua_tostring(L, -1));
  lua_pop(L, 2);
  return true;
}

static void make_module(lua_State *L) {
  push_state(L);
  int state = lua_gettop(L);
  lua_newtable(L);
  cwl_open_error(L, state);
  cwl_open_headers(L, state);
  cwl_open_client(L, state);
  cwl_open_request(L, state);
  cwl_open_response(L, state);
  cwl_open_url(L, state);
  cwl_open_download(L, state);
  cwl_open_number(L, state);
  cwl_open_atomic(L, state);
  cwl_open_task(L, state);
  cwl_open_wait(L, state);
  cwl_register(L, functions, state);
  lua_newtable(L);
  cwl_open_leaks(L, state);
  lua_setfield(L, -2, "leaks");
  lua_newtable(L); /* objects that the Lua files create once per state */
  lua_setfield(L, -2, "once");
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
  lua_setfield(L, -2, "main");
  cwl_set_string(L, "version", CW_VERSION);
}

__attribute__((visibility("default"))) int luaopen_curlew_core(lua_State *L);

/* luaL_checkversion does not say what to do. It only finds numbers of another
** size here. */
static void check_lua(lua_State *L) {
  int version = (int)lua_version(L), major = version / 100;
  if (version != LUA_VERSION_NUM)
    luaL_error(L,
               "curlew.core was built for Lua %d.%d and cannot run in Lua "
               "%d.%d: build curlew for this one (make LUA=lua%d.%d)",
               LUA_VERSION_NUM / 100, LUA_VERSION_NUM % 100, major,
               version % 100, major, version % 100);
  luaL_checkversion(L);
}

static void set_up_libcurl(lua_State *L) {
  const char *wrong = cw_set_up_libcurl();
  if (wrong)
    luaL_error(L, "libcurl %s: %s", cw_features_of_libcurl().libcurl, wrong);
}

int luaopen_curlew_core(lua_State *L) {
  check_lua(L);
  if (push_loaded(L)) return 1;
  if (cwl_in_finalizer(L)) /* no finalizer would close the engine */
    return luaL_error(L, "curlew cannot be loaded by a finalizer");
  set_up_libcurl(L);
  cw_exchange_watch_exit();
  make_module(L);
  lua_pushvalue(L, -1);
  lua_setfield(L, LUA_REGISTRYINDEX, module_key);
  return 1;
}
