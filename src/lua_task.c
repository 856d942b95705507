/* lua_task: what a task is to the core. Knows Lua and the engine.
** SPDX-License-Identifier: MIT */
#include "lua_task.h"

#include "lua_box.h"
#include "lua_wait.h"

/* A place to wait for what is no exchange: a time, or that somebody rings. That
** of a task also keeps what it has opened. */
typedef struct seat {
  cw_news news;
  cw_alarm alarm;
  cw_link all;       /* in the list of all seats */
  cw_engine *engine; /* a reference; NULL: not made yet */
  bool rung;
  bool timed; /* the alarm was set */
  bool alive; /* its task is under way */
  bool runs;  /* and it is its turn */
  cwl_task task;
} seat;

static seat *check_seat(lua_State *L, int index) {
  const cwl_state *s = lua_touserdata(L, CWL_STATE);
  seat *t = cwl_test(L, index, s->seat);
  if (!t) luaL_typeerror(L, index, "curlew.seat");
  return t;
}

static bool time_is_over(const seat *t) {
  return t->timed && t->alarm.heap_at == 0;
}

static bool settled(cw_news *n) {
  const seat *t = CW_LIST_ENTRY(n, seat, news);
  return t->rung || time_is_over(t);
}

static void forget_held(seat *t) {
  while (!cw_list_empty(&t->task.held))
    cw_list_remove(t->task.held.next);
}

static void set_alive(cwl_state *s, seat *t, bool alive) {
  if (alive && !t->alive) s->alive++;
  if (!alive && t->alive) s->alive--;
  t->alive = alive;
}

static int seat_gc(lua_State *L) {
  seat *t = check_seat(L, 1);
  if (!t->engine) return 0;
  set_alive(lua_touserdata(L, CWL_STATE), t, false);
  cw_list_remove(&t->news.link);
  cw_list_remove(&t->all);
  cw_engine_disarm(t->engine, &t->alarm);
  forget_held(t);
  cw_engine_free(t->engine);
  t->engine = NULL;
  return 0;
}

/* seat([thread, waiter, owner]) -> seat, token: with a thread, that of the task
** which it runs: a wait in it calls waiter(token, owner), which returns when
** the token has come up as ready. */
static int m_seat(lua_State *L) {
  enum { THREAD = 1, WAITER, OWNER, SEAT };
  cwl_state *s = cwl_state_of(L);
  lua_settop(L, OWNER);
  seat *t = lua_newuserdatauv(L, sizeof *t, CWL_TASK_VALUES);
  t->engine = NULL;
  luaL_setmetatable(L, "curlew.seat");
  cwl_finalize_late(L);
  cw_list_init(&t->news.link);
  t->news.settled = settled;
  t->alarm = (cw_alarm){.news = &t->news};
  t->rung = t->timed = t->alive = t->runs = false;
  t->task.awaits_exchange = false;
  cw_list_init(&t->task.held);
  cw_list_init(&t->all);
  cw_list_append(&s->seats, &t->all);
  t->engine = cw_engine_retain(s->engine);
  if (!lua_isnil(L, THREAD)) {
    luaL_checktype(L, THREAD, LUA_TTHREAD);
    cwl_site(L, s, 1, &t->task.site);
    lua_pushvalue(L, WAITER);
    lua_setiuservalue(L, SEAT, CWL_TASK_WAITER);
    lua_pushvalue(L, OWNER);
    lua_setiuservalue(L, SEAT, CWL_TASK_OWNER);
    lua_getiuservalue(L, CWL_STATE, CWL_TASKS);
    lua_pushvalue(L, THREAD);
    lua_pushvalue(L, SEAT);
    lua_rawset(L, -3);
    lua_pop(L, 1);
    s->has_tasks = true;
  }
  lua_pushlightuserdata(L, &t->news);
  return 2;
}

/* Waiting ----------------------------------------------------------------- */

static void set_alarm(lua_State *L, seat *t, int index) {
  cw_engine_disarm(t->engine, &t->alarm);
  t->timed = !lua_isnoneornil(L, index);
  if (!t->timed) return;
  double us = luaL_checknumber(L, index) * 1e6;
  int64_t now = cw_engine_now(t->engine);
  int64_t most = INT64_MAX / 2;
  int64_t at = us < (double)most ? now + (int64_t)us : most;
  if (!cw_engine_alarm(t->engine, &t->alarm, at))
    cwl_raise(L, "not enough memory");
}

/* Whether a time or an exchange will wake a task. */
static bool may_be_woken(const cwl_state *s) {
  for (const cw_link *l = s->seats.next; l != &s->seats; l = l->next) {
    const seat *t = CW_LIST_ENTRY(l, seat, all);
    if (t->timed && !time_is_over(t)) return true;
    if (t->alive && t->task.awaits_exchange) return true;
  }
  return false;
}

/* Whether every task waits for another one. While a response is open the engine
** is never idle, so all seats are searched, at most four times a second. */
static bool is_stuck(cwl_state *s) {
  enum { INTERVAL = 250000 };
  if (cw_engine_idle(s->engine)) return true;
  int64_t now = cw_engine_now(s->engine);
  if (now - s->searched < INTERVAL) return false;
  s->searched = now;
  return !may_be_woken(s);
}

/* If all tasks wait for each other, a polling wait would never end, so it
** raises. No event loop runs during such a wait. */
static void check_deadlock(lua_State *L, cwl_state *s) {
  bool more = s->alive && cw_engine_has_news(s->engine);
  if (more || cwl_pauses(L, s) || !is_stuck(s)) return;
  cwl_raise(L, "what is waited for cannot happen: all tasks wait for others");
}

static int wait_k(lua_State *L, int status, lua_KContext context) {
  (void)status, (void)context;
  seat *t = lua_touserdata(L, 1);
  while (!settled(&t->news)) {
    cwl_state *s = cwl_state_of(L);
    if (!cwl_wait_for(L, s, &t->news, 0, wait_k)) return lua_error(L);
    if (!settled(&t->news)) check_deadlock(L, s);
  }
  lua_pushboolean(L, t->rung);
  t->timed = t->rung = false;
  return 1;
}

/* wait(seat [, seconds]) -> true: it was rung since its last wait; false: the
** time is over. Where a task cannot yield it would never be rung: the others,
** who are to do it, stand still. */
static int m_wait(lua_State *L) {
  seat *t = check_seat(L, 1);
  const cwl_state *s = cwl_state_of(L);
  set_alarm(L, t, 2);
  lua_settop(L, 1);
  if (!t->timed && s->task && !cwl_pauses(L, s))
    cwl_raise(L, "a task cannot wait for others where it cannot yield: in a "
                 "callback, in a generator of its own, in a __close while it "
                 "is cancelled");
  return wait_k(L, LUA_OK, 0);
}

/* ring(seat): whoever waits there can go on. For finalizers, too. */
static int m_ring(lua_State *L) {
  seat *t = check_seat(L, 1);
  t->rung = true;
  if (t->engine) cw_engine_stir(t->engine, &t->news);
  return 0;
}

/* alarm(seat, seconds | nil): its token comes up as ready when that time is
** over; nil: not any more */
static int m_alarm(lua_State *L) {
  seat *t = check_seat(L, 1);
  cwl_state_of(L);
  set_alarm(L, t, 2);
  return 0;
}

/* Who runs ---------------------------------------------------------------- */

/* within(seat, f, ...) -> what f returns: what it opens meanwhile is the
** task's */
static int m_within(lua_State *L) {
  cwl_state *s = cwl_state_of(L);
  seat *t = check_seat(L, 1);
  cwl_task *before = s->task;
  bool ran = t->runs;
  s->task = &t->task;
  t->runs = true;
  int status = lua_pcall(L, lua_gettop(L) - 2, LUA_MULTRET, 0);
  t->runs = ran;
  s->task = before;
  if (status != LUA_OK) return lua_error(L);
  return lua_gettop(L) - 1;
}

/* So many values of one call go through functions of Lua without an overflow of
** its stack. */
enum { MOST_VALUES = 100000 };

/* resume(seat, thread, ...) -> whether it is over now, and what
** coroutine.resume returns; within(seat) in one call, which no hook can come
** into the middle of. */
static int m_resume(lua_State *L) {
  int n = lua_gettop(L) - 2;
  cwl_state *s = cwl_state_of(L);
  seat *t = check_seat(L, 1);
  lua_State *co = lua_tothread(L, 2);
  luaL_argexpected(L, co, 2, "thread");
  if (!lua_checkstack(co, n)) return luaL_error(L, "too many arguments");
  lua_xmove(L, co, n);
  cwl_task *before = s->task;
  s->task = &t->task;
  t->task.awaits_exchange = false;
  t->runs = true;
  int status = lua_resume(co, L, n, &n);
  t->runs = false;
  s->task = before;
  bool well = status == LUA_OK || status == LUA_YIELD;
  if (well && (n > MOST_VALUES || !lua_checkstack(L, n + 2))) {
    lua_settop(co, n = 0); /* those of a yield nobody wants */
    well = status == LUA_YIELD;
    if (!well) lua_pushliteral(co, "a task returned too many values");
  }
  if (!well) n = 1;
  lua_pushboolean(L, status != LUA_YIELD);
  lua_pushboolean(L, well);
  lua_xmove(co, L, n);
  return n + 2;
}

/* runs(seat) -> whether its task is running or being closed, or has resumed the
** coroutine that is running */
static int m_runs(lua_State *L) {
  cwl_state_of(L);
  lua_pushboolean(L, check_seat(L, 1)->runs);
  return 1;
}

/* enlist(seat), dismiss(seat): its task is under way, or no longer; alive() ->
** how many are */
static int m_enlist(lua_State *L) {
  set_alive(cwl_state_of(L), check_seat(L, 1), true);
  return 0;
}

static int m_dismiss(lua_State *L) {
  set_alive(lua_touserdata(L, CWL_STATE), check_seat(L, 1), false);
  return 0;
}

static int m_alive(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)cwl_state_of(L)->alive);
  return 1;
}

/* What it has opened ------------------------------------------------------ */

void cwl_hold(const cwl_state *s, cw_exchange *x) {
  if (s->task) cw_list_append(&s->task->held, &x->held);
}

static void release_all(cw_link *ring) {
  while (!cw_list_empty(ring))
    cw_exchange_leave_task(CW_LIST_ENTRY(ring->next, cw_exchange, held));
}

static bool in_ring(const cw_link *ring, const cw_link *l) {
  for (const cw_link *i = ring->next; i != ring; i = i->next)
    if (i == l) return true;
  return false;
}

/* keep(seat, ...) -> how many of these, which its task has returned, it has
** opened; what it has opened besides is released. */
static int m_keep(lua_State *L) {
  seat *t = check_seat(L, 1);
  cw_link kept;
  lua_Integer count = 0;
  cw_list_init(&kept);
  for (int i = 2; i <= lua_gettop(L); i++) {
    const cwl_box *b = cwl_test_box(L, i);
    cw_exchange *x = b ? b->x : NULL;
    if (!x || !in_ring(&t->task.held, &x->held)) continue;
    cw_list_remove(&x->held);
    cw_list_append(&kept, &x->held);
    count++;
  }
  release_all(&t->task.held);
  cw_list_move_all(&kept, &t->task.held);
  lua_pushinteger(L, count);
  return 1;
}

/* take(seat): what its task has returned belongs to who runs. */
static int m_take(lua_State *L) {
  const cwl_state *s = cwl_state_of(L);
  seat *t = check_seat(L, 1);
  if (s->task)
    cw_list_move_all(&t->task.held, &s->task->held);
  else
    forget_held(t);
  return 0;
}

/* drop(seat): releases what its task has opened, and what it has returned */
static int m_drop(lua_State *L) {
  release_all(&check_seat(L, 1)->task.held);
  return 0;
}

static const luaL_Reg metamethods[] = {{"__gc", seat_gc}, {NULL, NULL}};

static const luaL_Reg functions[] = {
  {"seat", m_seat},       {"wait", m_wait},   {"ring", m_ring},
  {"keep", m_keep},       {"alarm", m_alarm}, {"within", m_within},
  {"take", m_take},       {"drop", m_drop},   {"resume", m_resume},
  {"runs", m_runs},       {"alive", m_alive}, {"enlist", m_enlist},
  {"dismiss", m_dismiss}, {NULL, NULL},
};

void cwl_open_task(lua_State *L, int state) {
  cwl_type(L, "curlew.seat", metamethods, NULL, state);
  luaL_getmetatable(L, "curlew.seat");
  ((cwl_state *)lua_touserdata(L, state))->seat = lua_topointer(L, -1);
  lua_pop(L, 1);
  cwl_register(L, functions, state);
}
