/* lua_leaks: the ledger as Lua values. Knows Lua and the engine.
** SPDX-License-Identifier: MIT */
#include "lua_leaks.h"

#include <inttypes.h>

static void push_ends(lua_State *L, const cw_counters *c, bool leaked) {
  lua_createtable(L, 0, CW_END_COUNT);
  for (int end = 0; end < CW_END_COUNT; end++)
    if (cw_end_leaked((cw_end)end) == leaked)
      cwl_set_integer(L, cw_end_name((cw_end)end), (int64_t)c->ended[end]);
}

static void push_connections(lua_State *L, const cw_counters *c) {
  lua_createtable(L, 0, 3);
  cwl_set_integer(L, "opened", (int64_t)c->connections_opened);
  cwl_set_integer(L, "closed", (int64_t)c->connections_closed);
  cwl_set_integer(L, "reused", (int64_t)c->connections_reused);
}

void cwl_push_stats(lua_State *L, const cw_counters *c, uint64_t open) {
  lua_createtable(L, 0, 12);
  cwl_set_integer(L, "opened", (int64_t)c->opened);
  cwl_set_integer(L, "open", (int64_t)open);
  cwl_set_integer(L, "high_water", (int64_t)c->high_water);
  cwl_set_integer(L, "released", (int64_t)cw_counters_sum(c, false));
  cwl_set_integer(L, "leaked", (int64_t)cw_counters_sum(c, true));
  cwl_set_integer(L, "collected_unclosed", (int64_t)c->collected_unclosed);
  cwl_set_integer(L, "forced_collections", (int64_t)c->forced_collections);
  cwl_set_integer(L, "drained_bytes", (int64_t)c->drained_bytes);
  push_ends(L, c, false);
  lua_setfield(L, -2, "released_by");
  push_ends(L, c, true);
  lua_setfield(L, -2, "leaked_by");
  push_connections(L, c);
  lua_setfield(L, -2, "connections");
}

static int record_tostring(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_getfield(L, 1, "text");
  return 1;
}

static void push_record(lua_State *L, const cw_record *r) {
  char text[1024];
  cw_record_print(r, text, sizeof text);
  lua_createtable(L, 0, 16);
  luaL_setmetatable(L, "curlew.record");
  if (r->found != CW_END_COUNT)
    cwl_set_string(L, "found", cw_end_name(r->found));
  cwl_set_integer(L, "id", (int64_t)r->id);
  cwl_set_string(L, "method", r->method);
  cwl_set_string(L, "url", r->url);
  cwl_set_integer(L, "status", r->status);
  cwl_set_string(L, "http_version", r->http_version);
  cwl_push_site(L, &r->site);
  lua_setfield(L, -2, "site");
  cwl_set_string(L, "opener", r->opener);
  cwl_set_integer(L, "opened_at", (int64_t)r->opened_at);
  cwl_set_number(L, "age", r->age);
  cwl_set_integer(L, "read", (int64_t)r->read);
  if (r->expected >= 0) cwl_set_integer(L, "expected", r->expected);
  cwl_set_integer(L, "unread", (int64_t)r->unread);
  if (r->count) cwl_set_integer(L, "count", (int64_t)r->count);
  cwl_set_string(L, "text", text);
}

/* Pushing allocates, a finalizer may release the very transfer that stands
** here: so the next is looked up anew, by its number, each time. */
static cw_exchange *open_after(cw_engine *e, uint64_t id,
                               const cw_exchange *beside) {
  cw_link *ring = cw_engine_open_ring(e);
  for (cw_link *l = ring->next; l != ring; l = l->next) {
    cw_exchange *x = cw_exchange_of(CW_LIST_ENTRY(l, cw_transfer, open_link));
    bool counts = !beside || cw_exchange_beside(beside, x);
    if (x->id > id && counts) return x;
  }
  return NULL;
}

/* At most so many records; 'beside' chooses, unless it is NULL. */
static void push_open(lua_State *L, cw_engine *e, int most,
                      const cw_exchange *beside) {
  cw_record record = {.id = 0};
  lua_newtable(L);
  for (int i = 1; i <= most; i++) {
    cw_exchange *x = open_after(e, record.id, beside);
    if (!x) return;
    cw_exchange_record(x, &record);
    push_record(L, &record);
    lua_rawseti(L, -2, i);
  }
}

void cwl_push_holders(lua_State *L, const cw_exchange *x) {
  push_open(L, x->client->engine, 3, x->crowded ? x : NULL);
}

/* open() -> records of what is open now, oldest first */
static int m_open(lua_State *L) {
  cw_engine *e = cwl_state_of(L)->engine;
  push_open(L, e, (int)cw_engine_open(e), NULL);
  return 1;
}

/* records() -> the last 64 leaks, oldest first */
static int m_records(lua_State *L) {
  const cw_ledger *ledger = cw_engine_ledger(cwl_state_of(L)->engine);
  lua_newtable(L);
  for (unsigned i = 0; i < CW_LEAKS_KEPT; i++) {
    const cw_record *r = cw_ledger_record(ledger, i);
    if (!r) break;
    cw_record copy = *r; /* a finalizer may add to the ring meanwhile */
    push_record(L, &copy);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 1;
}

/* The audit --------------------------------------------------------------- */

static uint64_t walk(const cw_link *ring) {
  uint64_t n = 0;
  for (const cw_link *l = ring->next; l != ring; l = l->next)
    n++;
  return n;
}

/* Appends a sentence to the table at 1. */
static void differ(lua_State *L, const char *what, uint64_t a, uint64_t b) {
  lua_pushfstring(L, "%s: %I, %I", what, (lua_Integer)a, (lua_Integer)b);
  lua_rawseti(L, 1, (lua_Integer)lua_rawlen(L, 1) + 1);
}

static void audit_law(lua_State *L, const cw_counters *c, uint64_t open) {
  uint64_t ended = cw_counters_sum(c, false) + cw_counters_sum(c, true);
  if (c->opened != open + ended)
    differ(L, "opened is not open + released + leaked", c->opened,
           open + ended);
  if (c->open != open) differ(L, "open, counted and as walked", c->open, open);
}

/* The law of each client that has something open. */
static void audit_clients(lua_State *L, cw_engine *e) {
  cw_link *ring = cw_engine_open_ring(e);
  for (cw_link *l = ring->next; l != ring; l = l->next) {
    cw_transfer *t = CW_LIST_ENTRY(l, cw_transfer, open_link);
    cw_client *c = cw_exchange_of(t)->client;
    if (c->ring.next == &t->client_link) /* once a client */
      audit_law(L, &c->counters, walk(&c->ring));
  }
}

static void audit_sockets(lua_State *L, cw_engine *e) {
  const cw_counters *c = &cw_engine_ledger(e)->counters;
  uint64_t held = c->connections_opened - c->connections_closed;
  if (held != cw_engine_sockets(e))
    differ(L, "sockets held, counted and as noted", held, cw_engine_sockets(e));
  int strange = cw_engine_strange_socket(e);
  if (strange >= 0)
    differ(L, "no longer the socket that libcurl holds", (uint64_t)strange, 0);
}

/* audit() -> true | nil, differences */
static int m_audit(lua_State *L) {
  lua_settop(L, 0);
  cw_engine *e = cwl_state_of(L)->engine;
  lua_newtable(L);
  audit_law(L, &cw_engine_ledger(e)->counters, walk(cw_engine_open_ring(e)));
  audit_clients(L, e);
  audit_sockets(L, e);
  if (lua_rawlen(L, 1) == 0) {
    lua_pushboolean(L, true);
    return 1;
  }
  luaL_pushfail(L);
  lua_insert(L, 1);
  return 2;
}

static const luaL_Reg functions[] = {
  {"open", m_open}, {"records", m_records}, {"audit", m_audit}, {NULL, NULL}};

static const luaL_Reg metamethods[] = {{"__tostring", record_tostring},
                                       {NULL, NULL}};

void cwl_open_leaks(lua_State *L, int state) {
  cwl_type(L, "curlew.record", metamethods, NULL, state);
  cwl_register(L, functions, state);
}
