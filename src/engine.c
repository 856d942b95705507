/* engine: one per Lua state: the multi handle and what goes with it. Knows
** libcurl, poll and epoll.
** SPDX-License-Identifier: MIT */
#include "engine.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "deadlines.h"
#include "descriptor.h"
#include "openssl.h"
#include "platform.h"
#include "quirks.h"
#include "watch.h"

enum { MAX_OPEN = 256, IDLE_CONNECTIONS = 64, FREE_TRANSFERS = 64 };

struct cw_engine {
  unsigned refs;
  unsigned forks;     /* of the process, when the engine was made */
  pthread_t thread;   /* that made the engine */
  CURLM *multi;       /* owned */
  CURLSH *share;      /* owned: holds the TLS sessions of all transfers */
  cw_transfer *model; /* owned: copied where each exchange needs a new handle;
                      ** NULL: not made yet */
  bool closed;
  bool running; /* inside libcurl */
  bool timer_last;
  bool no_descriptors;
  bool stirred;         /* somebody has something to do at once */
  bool in_round;        /* of those with news */
  bool resting;         /* who steps waits until the descriptor tells */
  curl_socket_t opened; /* the last one */
  cw_transfer *drained; /* borrowed: the one that is being drained */
  cw_transfer *recent;  /* borrowed: the last one that libcurl has named */
  unsigned round;       /* counts the looks at the sockets */
  int64_t now;
  int64_t timer; /* when libcurl wants to be called; INT64_MAX: no need */
  cw_watch watch;
  cw_deadlines deadlines;
  cw_link open, free, doomed, news, due, over, new_phase, exchanges; /* rings */
  size_t free_count, max_open, idle_connections;
  size_t pool;    /* CURLMOPT_MAXCONNECTS as it was last set */
  cw_gate gate;   /* of max_open */
  cw_gates gates; /* of origins */
  cw_ledger ledger;
  cw_engine *next; /* of the process */
};

/* The process's engines, and how often it has forked ---------------------- */

static pthread_mutex_t engines_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static cw_engine *engines;
static atomic_uint forks;

static void lock_engines(void) { pthread_mutex_lock(&engines_lock); }

static void unlock_engines(void) { pthread_mutex_unlock(&engines_lock); }

static unsigned count_forks(void) {
  return atomic_load_explicit(&forks, memory_order_relaxed);
}

static void forked(void) {
  atomic_fetch_add_explicit(&forks, 1, memory_order_relaxed);
  unlock_engines();
}

/* A child would wait for ever for a lock that another thread of its parent
** had. */
static void once_a_process(void) {
  pthread_atfork(lock_engines, unlock_engines, forked);
}

static void enlist(cw_engine *e) {
  lock_engines();
  e->next = engines;
  engines = e;
  unlock_engines();
}

static void delist(cw_engine *e) {
  lock_engines();
  cw_engine **at = &engines;
  while (*at && *at != e)
    at = &(*at)->next;
  if (*at) *at = e->next;
  unlock_engines();
}

void cw_engine_each_own(void (*visit)(cw_engine *)) {
  lock_engines();
  for (cw_engine *e = engines; e; e = e->next)
    if (!cw_engine_foreign(e) && pthread_equal(e->thread, pthread_self()))
      visit(e);
  unlock_engines();
}

bool cw_engine_foreign(const cw_engine *e) { return e->forks != count_forks(); }

/* libcurl's callbacks: they only take note -------------------------------- */

/* libcurl before 8.8.0 also creates a pair of sockets for each look-up of a
** name. Programs that are executed meanwhile would inherit them. */
static void seal_resolver(const cw_engine *e, curl_socket_t fd) {
  if (!cw_watch_holds(&e->watch, fd) &&
      cw_quirk_is_active(CW_QUIRK_SOCKET_PAIRS))
    cw_descriptor_seal_both(fd);
}

/* When libcurl closes a TLS connection, it waits for the close_notify of the
** peer since 8.9.0, with a handle of its own and without a time limit. It says
** so only if it has not waited for the same on that socket before. */
static void note_closing(cw_engine *e, curl_socket_t fd) {
  if (cw_quirk_is_active(CW_QUIRK_CLOSING))
    cw_watch_note_closing(&e->watch, fd);
}

/* Idle connections are not waited for: if nobody uses a connection, and its
** socket is still waited for, the connection is being closed. libcurl may have
** given it to another transfer within the same call. */
static void note_left(cw_engine *e, cw_transfer *t) {
  int fd = t->connection ? cw_watch_drop_use(&e->watch, t->connection, t->easy)
                         : (int)t->socket;
  t->connection = 0;
  if (cw_watch_waits_for(&e->watch, fd)) note_closing(e, fd);
}

/* libcurl 8.5.0 asks for the input of a connection whose transfer is paused,
** and keeps what it reads in its own memory. So such a connection is not polled
** for input. The first paused transfer of HTTP/1 shows whether the loaded
** libcurl does this. Over HTTP/2 libcurl may have to read (windows). */
static void mute_while_paused(cw_engine *e, const cw_transfer *t) {
  int fd = (int)t->socket;
  bool paused = t->body->paused;
  bool wanted = cw_watch_wants_readable(&e->watch, fd);
  bool reads_on = paused && cw_transfer_speaks_http1(t)
                    ? cw_quirk_observe(CW_QUIRK_READS_PAUSED, wanted)
                    : cw_quirk_is_active(CW_QUIRK_READS_PAUSED);
  if (reads_on) cw_watch_skip_readable(&e->watch, fd, paused);
}

/* libcurl may ask again while the transfer is paused. */
static void keep_muted(cw_engine *e, const cw_transfer *t) {
  bool paused = t && t->body && t->body->paused && !t->draining;
  if (paused && cw_quirk_is_active(CW_QUIRK_READS_PAUSED))
    cw_watch_skip_readable(&e->watch, (int)t->socket, true);
}

/* Before 8.2.0 libcurl closes a socket that is not connected without a call of
** on_close. */
static void doubt(cw_engine *e, curl_socket_t fd) {
  if (cw_quirk_is_active(CW_QUIRK_SILENT_CLOSE)) cw_watch_doubt(&e->watch, fd);
}

/* The transfer of 'easy'; NULL: 'easy' is a handle of libcurl's own. Requests
** are often made one after the other, and to ask libcurl costs more. */
static cw_transfer *transfer_of(cw_engine *e, CURL *easy) {
  cw_transfer *t = NULL;
  if (e->recent && e->recent->easy == easy) return e->recent;
  curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&t);
  if (t) e->recent = t;
  return t;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *data,
                     void *unused) {
  static const short events[] = {
    [CURL_POLL_IN] = POLLIN,
    [CURL_POLL_OUT] = POLLOUT,
    [CURL_POLL_INOUT] = POLLIN | POLLOUT,
    [CURL_POLL_REMOVE] = 0,
  };
  (void)unused;
  cw_engine *e = data;
  cw_transfer *t = transfer_of(e, easy);
  if (t && what != CURL_POLL_REMOVE) t->socket = fd;
  if (what != CURL_POLL_REMOVE) seal_resolver(e, fd);
  if (t && what == CURL_POLL_REMOVE &&
      (!t->connected || cw_watch_is_nameless(&e->watch, fd))) {
    doubt(e, fd);
    if (cw_watch_holds(&e->watch, fd))
      e->stirred |= cw_transfer_note_lost_socket(t);
  }
  if (!t && what != CURL_POLL_REMOVE) note_closing(e, fd);
  if (t) cw_transfer_watched(t, what);
  /* out of memory: it is not waited for, and its transfer runs into its
  ** timeout; to report it would end every transfer of the multi handle */
  cw_watch_set(&e->watch, fd, events[what]);
  keep_muted(e, t);
  return 0;
}

static int on_timer(CURLM *multi, long ms, void *data) {
  (void)multi;
  cw_engine *e = data;
  e->timer = ms < 0 ? INT64_MAX : cw_engine_now(e) + (int64_t)ms * 1000;
  return 0;
}

static curl_socket_t on_open(void *data, curlsocktype purpose,
                             struct curl_sockaddr *address) {
  (void)purpose;
  cw_transfer *t = data;
  cw_engine *e = t->calls.data;
  int fd = cw_descriptor(
    cw_socket(address->family, address->socktype, address->protocol));
  t->no_socket = fd < 0 ? errno : 0;
  t->opened = true;
  if (fd < 0) {
    e->no_descriptors |= errno == EMFILE || errno == ENFILE;
    return CURL_SOCKET_BAD;
  }
  if (!cw_watch_hold(&e->watch, fd)) {
    close(fd);
    return CURL_SOCKET_BAD;
  }
  doubt(e, fd);
  e->opened = fd;
  e->ledger.counters.connections_opened++;
  return fd;
}

static int on_close(void *data, curl_socket_t fd) {
  cw_engine *e = data;
  if (cw_watch_unhold(&e->watch, fd)) e->ledger.counters.connections_closed++;
  return close(fd);
}

/* What has come on an idle connection is no response to the next request
** (HTTP/2: may_have_input). Since 8.0.0 libcurl looks for such input at the
** socket, but it does not see what OpenSSL has read, and since 8.22.0 it looks
** once a second. */
static bool has_idle_input(cw_engine *e, const cw_taken *taken) {
  bool unread = taken->tls && cw_openssl_has_unread(taken->easy);
  return cw_quirk_is_active(CW_QUIRK_IDLE_INPUT) &&
         !cw_watch_is_silent(&e->watch, taken->name, unread);
}

/* libcurl reads 0 bytes at the end of a connection of HTTP/2 and takes that for
** no end (7.88, cf_h2_is_alive), or overlooks the end (8.14.1). */
static bool has_idle_end(cw_engine *e, const cw_taken *taken) {
  return cw_quirk_is_active(CW_QUIRK_IDLE_END) &&
         cw_watch_has_ended(&e->watch, taken->name);
}

/* Only a new connection has no name yet. Which socket is its own libcurl does
** not say: the one that its transfer has last waited for, or, where it did not
** have to wait, the one that was opened last. */
static bool is_fit(cw_engine *e, const cw_taken *taken) {
  if (cw_watch_named(&e->watch, taken->name))
    return cw_watch_owned_by(&e->watch, taken->name, taken->owner) &&
           !has_idle_input(e, taken) && !has_idle_end(e, taken);
  if (!cw_watch_name(&e->watch, taken->socket, taken->name, taken->port))
    cw_watch_name(&e->watch, e->opened, taken->name, taken->port);
  cw_watch_own(&e->watch, taken->name, taken->owner);
  return true;
}

static bool take_connection(void *data, const cw_taken *taken) {
  cw_engine *e = data;
  if (taken->former) cw_watch_drop_use(&e->watch, taken->former, taken->easy);
  if (taken->name == 0) return true;
  bool fit = is_fit(e, taken);
  cw_watch_add_use(&e->watch, taken->name, taken->easy);
  return fit;
}

static int64_t last_input(const void *data, curl_socket_t socket) {
  const cw_engine *e = data;
  return cw_watch_last_input(&e->watch, socket);
}

/* Life -------------------------------------------------------------------- */

/* A TLS session is kept with the settings of its connection (CURLOPT_SHARE).
** Only transfers with equal settings resume it. */
static bool set_up_share(cw_engine *e) {
  e->share = curl_share_init();
  return e->share && !curl_share_setopt(e->share, CURLSHOPT_SHARE,
                                        CURL_LOCK_DATA_SSL_SESSION);
}

/* libcurl before 8.8.0 creates a pair of sockets in each multi handle. Programs
** that are executed later would inherit them. */
static CURLM *new_multi(void) {
  if (!cw_quirk_is_active(CW_QUIRK_SOCKET_PAIRS)) return curl_multi_init();
  cw_pair next = cw_descriptor_next_pair();
  CURLM *multi = curl_multi_init();
  cw_descriptor_seal_pair(next);
  return multi;
}

/* The end of the multi handle does not wait for look-ups. Since 8.20.0 this is
** an option of the multi handle. Older headers have no name for the number, and
** clang-tidy objects to a number without a name. */
static bool let_lookups_be(CURLM *multi) {
  enum { QUICK_EXIT = CURLOPTTYPE_LONG + 21 }; /* CURLMOPT_QUICK_EXIT */
  return !cw_quirk_is_active(CW_QUIRK_QUICK_EXIT) ||
         /* NOLINTNEXTLINE(clang-analyzer-optin.core.EnumCastOutOfRange) */
         !curl_multi_setopt(multi, (CURLMoption)QUICK_EXIT, 1L);
}

static bool set_up_multi(cw_engine *e) {
  e->multi = new_multi();
  return e->multi && let_lookups_be(e->multi) &&
         !curl_multi_setopt(e->multi, CURLMOPT_SOCKETFUNCTION, on_socket) &&
         !curl_multi_setopt(e->multi, CURLMOPT_SOCKETDATA, e) &&
         !curl_multi_setopt(e->multi, CURLMOPT_TIMERFUNCTION, on_timer) &&
         !curl_multi_setopt(e->multi, CURLMOPT_TIMERDATA, e) &&
         !curl_multi_setopt(e->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
}

cw_engine *cw_engine_new(void) {
  pthread_once(&once, once_a_process);
  cw_engine *e = calloc(1, sizeof *e);
  if (!e) return NULL;
  e->refs = 1;
  e->forks = count_forks();
  e->thread = pthread_self();
  e->timer = INT64_MAX;
  e->opened = CURL_SOCKET_BAD;
  e->max_open = MAX_OPEN;
  e->idle_connections = IDLE_CONNECTIONS;
  cw_watch_init(&e->watch);
  cw_list_init(&e->open);
  cw_list_init(&e->free);
  cw_list_init(&e->doomed);
  cw_list_init(&e->news);
  cw_list_init(&e->due);
  cw_list_init(&e->over);
  cw_list_init(&e->new_phase);
  cw_list_init(&e->exchanges);
  cw_gate_init(&e->gate);
  if (!set_up_share(e) || !set_up_multi(e)) {
    curl_multi_cleanup(e->multi);
    curl_share_cleanup(e->share);
    free(e);
    return NULL;
  }
  enlist(e);
  return e;
}

cw_engine *cw_engine_retain(cw_engine *e) {
  e->refs++;
  return e;
}

/* In a fork nothing of libcurl's is freed: that would shut connections of the
** parent down. The engine stays in the list then, by which what it holds is
** known to whoever looks for lost memory. */
void cw_engine_close(cw_engine *e) {
  if (e->closed) return;
  e->closed = true;
  if (cw_engine_foreign(e)) return;
  delist(e);
  while (!cw_list_empty(&e->free))
    /* The analyzer does not see that a freed transfer has left the ring. */
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
    cw_transfer_free(CW_LIST_ENTRY(e->free.next, cw_transfer, open_link));
  cw_transfer_free(e->model);
  curl_multi_cleanup(e->multi);
  curl_share_cleanup(e->share);
}

void cw_engine_free(cw_engine *e) {
  if (!e || --e->refs > 0) return;
  cw_engine_close(e);
  if (cw_engine_foreign(e)) return;
  cw_watch_clear(&e->watch);
  cw_deadlines_clear(&e->deadlines);
  free(e);
}

bool cw_engine_closed(const cw_engine *e) { return e->closed; }

int64_t cw_engine_now(cw_engine *e) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return e->now = (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* Transfers in and out ---------------------------------------------------- */

static cw_transfer *new_transfer(cw_engine *e, cw_settings *defaults) {
  cw_socket_calls calls = {.open = on_open,
                           .close = on_close,
                           .take = take_connection,
                           .last_input = last_input,
                           .data = e};
  return cw_transfer_new(&calls, e->share, defaults);
}

/* Before 8.1.1 an easy handle keeps a pointer to the last header line of the
** previous exchange. If the first header line of a response begins with a
** blank, libcurl writes to that freed line and frees it again. The offered
** authentication is kept too. No option resets either, so each exchange gets a
** new handle. */
static bool needs_new_handle(void) {
  return cw_quirk_is_active(CW_QUIRK_HANDLE_STATE);
}

static cw_transfer *copy_model(cw_engine *e, cw_settings *defaults) {
  if (!e->model) e->model = new_transfer(e, defaults);
  return e->model ? cw_transfer_copy(e->model, e->share) : NULL;
}

static cw_transfer *take_free(cw_engine *e) {
  if (cw_list_empty(&e->free)) return NULL;
  cw_transfer *t = CW_LIST_ENTRY(e->free.previous, cw_transfer, open_link);
  cw_list_remove(&t->open_link);
  e->free_count--;
  return t;
}

static cw_transfer *make_transfer(cw_engine *e, cw_settings *defaults) {
  return needs_new_handle() ? copy_model(e, defaults)
                            : new_transfer(e, defaults);
}

cw_transfer *cw_engine_take(cw_engine *e, cw_settings *defaults) {
  cw_transfer *t = take_free(e);
  if (!t) t = make_transfer(e, defaults);
  if (!t) return NULL;
  t->now = &e->now;
  t->round = &e->round;
  t->touched = &e->news;
  t->new_phase = &e->new_phase;
  return t;
}

void cw_engine_give_back(cw_engine *e, cw_transfer *t) {
  if (e->recent == t) e->recent = NULL;
  if (t->worn || needs_new_handle() || e->free_count == FREE_TRANSFERS ||
      !cw_transfer_return_text(t)) {
    cw_transfer_free(t);
    return;
  }
  cw_list_append(&e->free, &t->open_link);
  e->free_count++;
}

/* libcurl looks at its limit when a connection comes back, and counts those in
** use with the idle ones. The one that comes back then is no longer open. 0 is
** no limit to libcurl. */
static size_t pool_of(const cw_engine *e) {
  size_t open = cw_engine_open(e);
  if (!cw_quirk_is_active(CW_QUIRK_POOL_SIZE)) return e->idle_connections;
  return (open > 0 ? open - 1 : 0) + e->idle_connections;
}

static void size_pool(cw_engine *e) {
  size_t pool = pool_of(e);
  if (pool == 0 || pool == e->pool) return;
  e->pool = pool;
  curl_multi_setopt(e->multi, CURLMOPT_MAXCONNECTS, (long)pool);
}

static void count_opened(cw_transfer *t) {
  for (int i = 0; i < 2; i++) {
    cw_counters *c = t->counters[i];
    c->opened++;
    if (++c->open > c->high_water) c->high_water = c->open;
  }
}

/* Where no connection is to stay, which libcurl's limit cannot say. */
static void keep_none(const cw_engine *e, cw_transfer *t) {
  if (e->idle_connections == 0) cw_transfer_forbid_reuse(t);
}

bool cw_engine_enter(cw_engine *e, cw_transfer *t, cw_link *ring) {
  t->counters[0] = &e->ledger.counters;
  t->moved = cw_engine_now(e);
  e->recent = t;
  e->running = true;
  bool ok = cw_deadlines_reserve(&e->deadlines, cw_engine_open(e) + 1) &&
            curl_multi_add_handle(e->multi, t->easy) == CURLM_OK;
  e->running = false;
  if (!ok) {
    cw_error_set(t->error, CW_ERR_MEMORY, CW_PHASE_REQUEST, "out of memory");
    cw_transfer_detach(t);
    cw_engine_give_back(e, t);
    return false;
  }
  t->entered = true;
  cw_list_append(&e->open, &t->open_link);
  cw_list_append(ring, &t->client_link);
  count_opened(t);
  size_pool(e);
  keep_none(e, t);
  cw_engine_want(e, t, true);
  return true;
}

/* In the midst of a step it is seen when the step is done. */
static void add_news(cw_engine *e, cw_news *news) {
  if (!news || !cw_list_empty(&news->link)) return;
  cw_list_append(&e->news, &news->link);
  if (e->resting) cw_engine_rouse(e);
}

void cw_engine_stir(cw_engine *e, cw_news *news) {
  add_news(e, news);
  e->stirred = true;
}

static void tell_granted(cw_engine *e, cw_news *news) {
  if (news) cw_engine_stir(e, news);
}

void cw_engine_leave_gate(cw_engine *e, cw_gate *g) {
  tell_granted(e, cw_gate_leave(g));
}

void cw_engine_drop_turn(cw_engine *e, cw_turn *t) {
  tell_granted(e, cw_turn_drop(t));
}

/* Its places may be somebody else's. */
static void leave_gates(cw_engine *e, cw_transfer *t) {
  for (int i = 0; i < 2; i++) {
    if (t->gates[i]) cw_engine_leave_gate(e, t->gates[i]);
    t->gates[i] = NULL;
  }
}

/* Whether input may wait on the idle connection. Over HTTP/2 libcurl reads it
** before it sends the next request, but since 8.22.0 only if the last check is
** a second old. A GOAWAY would then fail the request, and HEADERS would be
** taken for its response. A stream that was given up always leaves input. */
static bool may_have_input(const cw_transfer *t) {
  char version = *t->response->http_version;
  if (version != '2') return version == '3'; /* acknowledgements of QUIC */
  return !t->is_whole || !cw_quirk_is_active(CW_QUIRK_SELDOM_CHECKS);
}

/* Its connection may be used again. */
static void leave_connection(cw_engine *e, const cw_transfer *t) {
  if (!t->connected || !t->connection) return;
  cw_watch_idle(&e->watch, t->connection, may_have_input(t));
}

/* The law's side of it: out of the rings, into the counters. Whoever waits for
** it learns that there is nothing more to wait for. */
static void settle(cw_engine *e, cw_transfer *t, cw_end why) {
  cw_list_remove(&t->open_link);
  cw_list_remove(&t->client_link);
  cw_list_remove(&t->phase_link);
  cw_deadlines_remove(&e->deadlines, &t->alarm);
  for (int i = 0; i < 2; i++) {
    t->counters[i]->open--;
    t->counters[i]->ended[why]++;
    t->counters[i]->drained_bytes += t->drained;
  }
  if (t->body) cw_body_end(t->body);
  t->response->info.end = (int)why;
  t->response->info.ended = cw_engine_now(e);
  add_news(e, t->news);
  leave_gates(e, t);
  if (t->over && cw_list_empty(t->over)) cw_list_append(&e->over, t->over);
  leave_connection(e, t);
  cw_transfer_detach(t);
}

/* Sockets of connections that never came to stand are closed by libcurl without
** a word. */
static void count_closed(cw_engine *e) {
  e->ledger.counters.connections_closed += cw_watch_settle(&e->watch);
}

/* libcurl's side of it. */
static void remove_handle(cw_engine *e, cw_transfer *t) {
  t->entered = false;
  if (e->drained == t) e->drained = NULL;
  if (cw_engine_foreign(e)) return;
  e->running = true;
  curl_multi_remove_handle(e->multi, t->easy);
  e->running = false;
  note_left(e, t);
  count_closed(e);
  size_pool(e);
  cw_engine_give_back(e, t);
}

static void leave(cw_engine *e, cw_transfer *t, cw_end why) {
  settle(e, t, why);
  remove_handle(e, t);
}

/* Nothing has come of the response, and need not have been asked for. */
static bool in_vain(const cw_transfer *t, CURLcode result) {
  return t->refused || cw_transfer_stale(t, result);
}

/* The same once more: nobody but the peer has noticed anything. */
static bool start_again(cw_engine *e, cw_transfer *t) {
  e->running = true;
  curl_multi_remove_handle(e->multi, t->easy);
  note_left(e, t);
  bool ok = cw_transfer_again(t) &&
            curl_multi_add_handle(e->multi, t->easy) == CURLM_OK;
  e->running = false;
  count_closed(e);
  keep_none(e, t);
  if (!ok)
    cw_error_set(t->error, CW_ERR_MEMORY, CW_PHASE_REQUEST, "out of memory");
  return ok;
}

/* The stream has ended, well or not. */
static void finish(cw_engine *e, cw_transfer *t, CURLcode result) {
  if (t->doomed || (in_vain(t, result) && start_again(e, t))) return;
  cw_end why = t->done_as;
  if (t->draining) {
    leave(e, t, why);
    return;
  }
  cw_transfer_done(t, result);
  if (t->error->code != CW_OK) why = CW_BY_ERROR;
  if (t->error->code == CW_ERR_TIMEOUT) why = CW_BY_TIMEOUT;
  leave(e, t, why);
}

static void finish_all(cw_engine *e) {
  int left = 1;
  CURLMsg *message;
  while (left > 0 && (message = curl_multi_info_read(e->multi, &left))) {
    CURLcode result = message->data.result;
    cw_transfer *t = transfer_of(e, message->easy_handle);
    if (message->msg != CURLMSG_DONE || !t) continue;
    t->is_whole = result == CURLE_OK;
    finish(e, t, result);
  }
}

/* Who is done leaves before another socket is looked at: the pool has its size
** when the next connection comes back. */
static void drive(cw_engine *e, curl_socket_t fd, int what) {
  int running;
  e->running = true;
  curl_multi_socket_action(e->multi, fd, what, &running);
  e->running = false;
  count_closed(e);
  finish_all(e);
}

/* Ends the connections whose close libcurl would wait for. libcurl has sent its
** close_notify already, and now finds the end of the connection: at once, or
** when it has read a record of at most 16 KiB that is in its TLS layer, 10 KiB
** a call. What remains is done in the next steps. */
static void end_closing(cw_engine *e) {
  enum { CALLS = 4 };
  int fd;
  while ((fd = cw_watch_next_closing(&e->watch)) >= 0) {
    cw_watch_end(fd);
    for (int i = 0; i < CALLS && cw_watch_holds(&e->watch, fd); i++)
      drive(e, fd, CURL_CSELECT_IN);
  }
}

/* Reads and drops what is there. Each round brings at most one receive buffer,
** so the limit also bounds the rounds; the first one without bytes ends it.
** Returns whether it has ended by itself, and is nobody's any more. */
static bool drain(cw_engine *e, cw_transfer *t) {
  struct pollfd socket = {.fd = (int)t->socket, .events = POLLIN};
  uint64_t before;
  e->drained = t;
  do {
    before = t->drained;
    e->round++;
    e->timer = INT64_MAX;
    drive(e, CURL_SOCKET_TIMEOUT, 0);
    if (e->drained && poll(&socket, 1, 0) > 0)
      drive(e, socket.fd, CURL_CSELECT_IN);
  } while (e->drained && t->drained > before);
  bool ended = !e->drained;
  e->drained = NULL;
  return ended;
}

static void release_doomed(cw_engine *e) {
  while (!cw_list_empty(&e->doomed)) {
    cw_transfer *t = CW_LIST_ENTRY(e->doomed.next, cw_transfer, doomed_link);
    cw_list_remove(&t->doomed_link);
    remove_handle(e, t);
  }
}

static bool begin_drain(cw_engine *e, cw_transfer *t) {
  if (cw_engine_foreign(e)) return false;
  e->running = true;
  bool worth = cw_transfer_drain(t);
  e->running = false;
  return worth;
}

void cw_engine_release(cw_engine *e, cw_transfer *t, cw_end why,
                       bool want_drain) {
  if (e->running) {
    t->doomed = true;
    settle(e, t, why);
    cw_list_append(&e->doomed, &t->doomed_link);
    return;
  }
  bool drains = want_drain && begin_drain(e, t);
  if (drains) t->done_as = why;
  if (!drains || !drain(e, t)) leave(e, t, why);
  end_closing(e);
}

void cw_engine_want(cw_engine *e, cw_transfer *t, bool wanted) {
  if (wanted && !t->wanted) t->moved = cw_engine_now(e);
  t->wanted = wanted;
  cw_deadlines_update(&e->deadlines, t);
}

bool cw_engine_alarm(cw_engine *e, cw_alarm *a, int64_t at) {
  if (!cw_deadlines_reserve(&e->deadlines, cw_engine_open(e))) return false;
  a->due = at;
  cw_deadlines_set(&e->deadlines, a);
  return true;
}

void cw_engine_disarm(cw_engine *e, cw_alarm *a) {
  cw_deadlines_remove(&e->deadlines, a);
}

void cw_engine_resume(cw_engine *e, cw_transfer *t) {
  e->running = true;
  cw_transfer_resume(t);
  e->running = false;
  mute_while_paused(e, t);
}

/* Steps ------------------------------------------------------------------- */

static int64_t soonest(cw_engine *e) {
  int64_t deadline = cw_deadlines_next(&e->deadlines);
  return deadline < e->timer ? deadline : e->timer;
}

int64_t cw_engine_timeout(cw_engine *e) {
  if (e->stirred) return 0;
  int64_t at = soonest(e);
  if (at == INT64_MAX) return -1;
  int64_t now = cw_engine_now(e);
  return at > now ? at - now : 0;
}

int64_t cw_engine_rest(cw_engine *e) {
  int64_t us = cw_engine_has_news(e) ? 0 : cw_engine_timeout(e);
  e->resting = us != 0;
  return us;
}

void cw_engine_rouse(cw_engine *e) {
  e->resting = false;
  cw_watch_ring(&e->watch);
}

bool cw_engine_idle(cw_engine *e) {
  return cw_engine_open(e) == 0 &&
         cw_deadlines_next(&e->deadlines) == INT64_MAX;
}

static void run_timer(cw_engine *e) {
  e->timer_last = true;
  e->timer = INT64_MAX;
  drive(e, CURL_SOCKET_TIMEOUT, 0);
}

/* An error of the socket is left for libcurl to find by itself: told of it, it
** gives up where it would replace a stale connection. */
static int to_curl(short events) {
  return (events & (POLLIN | POLLERR | POLLHUP) ? CURL_CSELECT_IN : 0) |
         (events & (POLLOUT | POLLERR) ? CURL_CSELECT_OUT : 0) |
         (events & POLLNVAL ? CURL_CSELECT_ERR : 0);
}

/* The end of a connection counts as input. */
static int what_to_tell(const cw_engine *e, struct pollfd fired) {
  int what = to_curl(fired.revents);
  bool muted = cw_watch_skips_readable(&e->watch, fired.fd);
  return muted ? what & ~CURL_CSELECT_IN : what;
}

static void run_sockets(cw_engine *e) {
  for (size_t i = 0; i < e->watch.fired_count; i++) {
    struct pollfd fired = e->watch.fired[i];
    if (fired.revents & POLLIN)
      cw_watch_note_input(&e->watch, fired.fd, e->now);
    drive(e, fired.fd, what_to_tell(e, fired));
    /* the data may contain a WINDOW_UPDATE */
    if (cw_watch_skips_writable(&e->watch, fired.fd))
      drive(e, fired.fd, CURL_CSELECT_OUT);
  }
}

static void run(cw_engine *e, cw_transfer *t) {
  e->running = true;
  cw_transfer_run(t);
  e->running = false;
}

static void update_phases(cw_engine *e) {
  while (!cw_list_empty(&e->new_phase)) {
    cw_transfer *t = CW_LIST_ENTRY(e->new_phase.next, cw_transfer, phase_link);
    cw_list_remove(&t->phase_link);
    if (t->must_run) run(e, t);
    if (t->unwatched) cw_engine_resume(e, t);
    if (t->body->paused) mute_while_paused(e, t);
    cw_deadlines_update(&e->deadlines, t);
  }
}

static bool writable(const cw_transfer *t) {
  struct pollfd socket = {.fd = (int)t->socket, .events = POLLOUT};
  return poll(&socket, 1, 0) > 0;
}

/* While the HTTP/2 windows of an upload are closed, libcurl is told that the
** socket is writable only every 50 ms and after data has arrived. */
static void check_upload(cw_engine *e, cw_transfer *t) {
  int fd = (int)t->socket;
  bool skips = cw_watch_skips_writable(&e->watch, fd);
  bool still = cw_transfer_stands_still(t, skips) && writable(t);
  cw_deadlines_update(&e->deadlines, t);
  if (still && t->answered) {
    finish(e, t, CURLE_OK);
    return;
  }
  cw_watch_skip_writable(&e->watch, fd, still);
  if (still && skips) drive(e, fd, CURL_CSELECT_OUT);
}

/* After what has come was looked at: who was late only because nobody looked
** is not. */
static void run_deadlines(cw_engine *e) {
  cw_alarm *a;
  while ((a = cw_deadlines_late(&e->deadlines, e->now))) {
    cw_transfer *t = a->transfer;
    if (!t) {
      cw_deadlines_remove(&e->deadlines, a);
      add_news(e, a->news);
    } else if (t->eager && t->eager <= e->now) {
      t->eager = 0;
      add_news(e, t->news);
    } else if (t->look_at && t->look_at <= e->now) {
      check_upload(e, t);
    } else {
      cw_transfer_too_late(t);
      leave(e, t, CW_BY_TIMEOUT);
    }
  }
}

static int64_t shorter(int64_t a, int64_t b) {
  return b < 0 || (a >= 0 && a < b) ? a : b;
}

/* A timer that is always due must not keep the sockets waiting: they come
** every other time at least. */
void cw_engine_step(cw_engine *e, int64_t us) {
  int64_t wait = shorter(cw_engine_timeout(e), us);
  e->stirred = e->in_round = e->resting = false;
  e->round++;
  if (e->timer <= e->now && !e->timer_last) {
    run_timer(e);
  } else {
    e->timer_last = false;
    cw_watch_wait(&e->watch, wait);
    cw_engine_now(e);
    run_sockets(e);
    if (e->timer <= e->now) run_timer(e);
  }
  release_doomed(e);
  update_phases(e);
  run_deadlines(e);
  end_closing(e);
}

int cw_engine_descriptor(cw_engine *e) {
  return cw_watch_descriptor(&e->watch);
}

bool cw_engine_has_news(const cw_engine *e) {
  return !cw_list_empty(&e->news) || !cw_list_empty(&e->due);
}

/* Who goes on may have news again at once: in the next round. */
cw_news *cw_engine_next_news(cw_engine *e) {
  if (!e->in_round) cw_list_move_all(&e->news, &e->due);
  e->in_round = !cw_list_empty(&e->due);
  if (!e->in_round) return NULL;
  cw_news *news = CW_LIST_ENTRY(e->due.next, cw_news, link);
  cw_list_remove(&news->link);
  return news;
}

cw_link *cw_engine_over(cw_engine *e) { return &e->over; }

/* What others ask --------------------------------------------------------- */

cw_link *cw_engine_open_ring(cw_engine *e) { return &e->open; }
cw_link *cw_engine_exchanges(cw_engine *e) { return &e->exchanges; }
size_t cw_engine_open(const cw_engine *e) {
  return (size_t)e->ledger.counters.open;
}
bool cw_engine_full(const cw_engine *e) { return e->gate.held >= e->max_open; }
cw_gate *cw_engine_gate(cw_engine *e) { return &e->gate; }
cw_gates *cw_engine_gates(cw_engine *e) { return &e->gates; }
const size_t *cw_engine_max_open(const cw_engine *e) { return &e->max_open; }
void cw_engine_set_max_open(cw_engine *e, size_t n) {
  cw_news *news;
  e->max_open = n;
  while ((news = cw_gate_admit(&e->gate)))
    cw_engine_stir(e, news);
}
size_t cw_engine_idle_connections(const cw_engine *e) {
  return e->idle_connections;
}
void cw_engine_set_idle_connections(cw_engine *e, size_t n) {
  e->idle_connections = n;
}
cw_ledger *cw_engine_ledger(cw_engine *e) { return &e->ledger; }
size_t cw_engine_sockets(const cw_engine *e) { return e->watch.held; }
int cw_engine_strange_socket(const cw_engine *e) {
  return cw_watch_strange(&e->watch);
}

bool cw_engine_out_of_descriptors(cw_engine *e) {
  bool was = e->no_descriptors;
  e->no_descriptors = false;
  return was;
}
