/* exchange: what the user calls one request. Knows all rooms of the engine.
** SPDX-License-Identifier: MIT */
#include "exchange.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "authorization.h"
#include "platform.h"
#include "printable.h"
#include "redirect.h"
#include "retry.h"

cw_exchange *cw_exchange_of(cw_transfer *t) {
  return CW_LIST_ENTRY(t->holder, cw_exchange, transfer);
}

static double number(const cw_exchange *x, cw_option_id id) {
  return cw_settings_get(&x->request.own, x->request.defaults, id);
}

static uint64_t most_body(const cw_request *r) {
  const cw_value *most =
    cw_settings_find(&r->own, r->defaults, CW_OPT_MAX_BODY);
  return most ? (uint64_t)most->number : UINT64_MAX;
}

/* A receive buffer must fit, or libcurl would keep copies of the rest. */
static size_t ahead_of(const cw_request *r) {
  size_t buffer = (size_t)cw_settings_get(&r->own, r->defaults, CW_OPT_BUFFER);
  return buffer > CW_BODY_AHEAD ? buffer : CW_BODY_AHEAD;
}

static uint64_t max_body(const cw_exchange *x) {
  return (uint64_t)number(x, CW_OPT_MAX_BODY);
}

static void leave_queues(cw_exchange *x);

static bool settled(cw_news *n) {
  return cw_exchange_settled(CW_LIST_ENTRY(n, cw_exchange, news));
}

void cw_exchange_new(cw_client *c, cw_exchange **owner) {
  cw_exchange *x = *owner = malloc(sizeof *x);
  if (!x) return;
  x->owner = owner;
  cw_list_init(&x->made);
  cw_list_append(cw_engine_exchanges(c->engine), &x->made);
  x->client = cw_client_retain(c);
  cw_request_init(&x->request, c->defaults, &x->error);
  cw_response_init(&x->response);
  cw_body_init(&x->body, UINT64_MAX, CW_BODY_AHEAD, &x->error);
  cw_list_init(&x->news.link);
  x->news.settled = settled;
  cw_list_init(&x->over);
  cw_list_init(&x->held);
  x->error.code = CW_OK;
  x->transfer = NULL;
  x->id = 0;
  x->opened = x->called = cw_engine_now(c->engine);
  x->history = NULL;
  x->hops = x->attempts = x->repeats = 0;
  x->alarm = (cw_alarm){.news = &x->news};
  x->turn = (cw_turn){.news = &x->news};
  cw_list_init(&x->turn.link);
  x->gate = NULL;
  x->queued = x->waited = 0;
  x->patient = x->placed = false;
  x->observed = x->told = x->watched = x->started = false;
  x->opening = true;
  x->self = NULL;
  x->shown = 0;
  x->crowded = x->put_off = x->stuck = x->renews = x->check = x->awaiting =
    x->handed_out = false;
}

static void forget_history(cw_exchange *x) {
  for (unsigned i = 0; i < x->hops; i++)
    cw_url_free(x->history[i].url);
  free(x->history);
  x->history = NULL;
  x->hops = 0;
}

void cw_exchange_free(cw_exchange *x) {
  if (!x) return;
  cw_engine_disarm(x->client->engine, &x->alarm);
  leave_queues(x);
  cw_gates_give_back(cw_engine_gates(x->client->engine), x->gate);
  forget_history(x);
  cw_list_remove(&x->news.link);
  cw_list_remove(&x->over);
  cw_list_remove(&x->held);
  cw_list_remove(&x->made);
  cw_body_clear(&x->body);
  cw_response_clear(&x->response);
  cw_request_clear(&x->request);
  cw_client_free(x->client);
  free(x);
}

/* Starting ---------------------------------------------------------------- */

static void fail(cw_exchange *x, cw_code code, const char *text) {
  cw_error_set(&x->error, code, CW_PHASE_REQUEST, "%s", text);
  cw_body_end(&x->body);
}

static const cw_value *per_host(const cw_exchange *x) {
  return cw_settings_find(&x->request.own, x->request.defaults,
                          CW_OPT_PER_HOST);
}

bool cw_exchange_beside(const cw_exchange *x, const cw_exchange *y) {
  return per_host(y) && cw_url_same_origin(x->request.url, y->request.url);
}

/* Finds the gate of its origin. False: out of memory. */
static bool find_gate(cw_exchange *x) {
  cw_gates *all = cw_engine_gates(x->client->engine);
  const cw_value *most = per_host(x);
  cw_gate *before = x->gate;
  x->gate = most ? cw_gates_get(all, x->request.url) : NULL;
  cw_gates_give_back(all, before);
  x->most_here = most ? (size_t)most->number : 0;
  return !most || x->gate;
}

bool cw_exchange_crowded(cw_exchange *x) {
  return find_gate(x) && x->gate && x->gate->held >= x->most_here;
}

static void refuse_crowded(cw_exchange *x) {
  x->crowded = true;
  cw_error_set(&x->error, CW_ERR_TOO_MANY_OPEN, CW_PHASE_REQUEST,
               "%g responses of this origin are open (per_host)",
               per_host(x)->number);
  cw_body_end(&x->body);
}

static void start_afresh(cw_exchange *x) {
  cw_body_clear(&x->body);
  cw_response_clear(&x->response);
  cw_response_init(&x->response);
  cw_body_init(&x->body, most_body(&x->request), ahead_of(&x->request),
               &x->error);
  x->error.code = CW_OK;
  x->awaiting = x->stuck = x->crowded = false;
}

/* On the engine's clock; 0: none. */
static int64_t deadline_of(const cw_exchange *x) {
  double seconds = number(x, CW_OPT_DEADLINE);
  return seconds > 0 ? x->called + (int64_t)(seconds * 1e6) : 0;
}

static bool is_late(const cw_exchange *x) {
  int64_t deadline = deadline_of(x);
  return deadline && cw_engine_now(x->client->engine) >= deadline;
}

/* Its turn, and the place that it has and has no transfer for. */
static void leave_queues(cw_exchange *x) {
  cw_engine *e = x->client->engine;
  if (x->turn.gate) x->waited += cw_engine_now(e) - x->queued;
  cw_engine_drop_turn(e, &x->turn);
  if (x->placed) cw_engine_leave_gate(e, x->gate);
  x->placed = false;
}

/* With its places, which it gives back when it leaves. */
static void enter(cw_exchange *x, cw_engine *e, cw_transfer *t) {
  t->counters[1] = &x->client->counters;
  t->holder = &x->transfer;
  t->repeats = &x->repeats;
  t->news = &x->news;
  t->over = x->observed ? &x->over : NULL;
  t->deadline = deadline_of(x);
  if (!cw_engine_enter(e, t, &x->client->ring)) return;
  t->gates[0] = cw_engine_gate(e);
  t->gates[1] = x->gate;
  x->placed = false;
  x->transfer = t;
  if (!x->id) x->id = cw_engine_ledger(e)->counters.opened;
}

static bool can_begin(cw_exchange *x) {
  if (is_late(x)) {
    fail(x, CW_ERR_TIMEOUT, "not begun by its deadline");
    return false;
  }
  if (cw_content_rewind(&x->request.content)) return true;
  fail(x, CW_ERR_CLOSED, "the body has been begun and cannot be sent again");
  x->error.retryable = false;
  return false;
}

/* As long as it would wait for a connection, or until its deadline. False: out
** of memory. */
static bool begin_waiting(cw_exchange *x) {
  cw_engine *e = x->client->engine;
  int64_t now = cw_engine_now(e), deadline = deadline_of(x);
  int64_t at = now + (int64_t)(number(x, CW_OPT_TIMEOUT_CONNECT) * 1e6);
  x->queued = now;
  if (cw_exchange_waits(x)) return true; /* for a second place */
  return cw_engine_alarm(e, &x->alarm,
                         deadline && deadline < at ? deadline : at);
}

/* Takes a place there. False: it waits for one, or may not. */
static bool take_place(cw_exchange *x, cw_gate *g, const size_t *most) {
  if (x->turn.granted && x->turn.gate == g) {
    cw_turn_take(&x->turn);
    return true;
  }
  if (cw_gate_enter(g, *most)) return true;
  if (x->patient && begin_waiting(x)) cw_gate_queue(g, &x->turn, most);
  return false;
}

static bool take_places(cw_exchange *x) {
  cw_engine *e = x->client->engine;
  if (x->gate && !x->placed && !take_place(x, x->gate, &x->most_here)) {
    if (!x->turn.gate) refuse_crowded(x);
    return false;
  }
  x->placed = x->gate != NULL;
  if (take_place(x, cw_engine_gate(e), cw_engine_max_open(e))) return true;
  if (!x->turn.gate)
    fail(x, CW_ERR_TOO_MANY_OPEN, "too many responses are open");
  return false;
}

static void take_transfer(cw_exchange *x) {
  cw_engine *e = x->client->engine;
  cw_transfer *t = cw_engine_take(e, x->request.defaults);
  if (!t) {
    fail(x, CW_ERR_MEMORY, "out of memory");
  } else if (cw_transfer_prepare(t, &x->request, &x->response, &x->body,
                                 &x->error)) {
    enter(x, e, t);
  } else {
    cw_transfer_detach(t);
    cw_engine_give_back(e, t);
  }
  if (x->transfer) return;
  cw_body_end(&x->body);
  cw_engine_leave_gate(e, cw_engine_gate(e));
}

/* When it has its places. */
static void enter_in_turn(cw_exchange *x) {
  cw_engine *e = x->client->engine;
  if (x->client->closed) {
    fail(x, CW_ERR_CANCELLED, "its client was closed");
  } else if (take_places(x)) {
    cw_engine_disarm(e, &x->alarm);
    take_transfer(x);
  }
  if (!x->transfer && x->error.code != CW_OK) leave_queues(x);
}

/* One transfer: the first, the next hop, another attempt. */
static void begin(cw_exchange *x) {
  start_afresh(x);
  if (!can_begin(x)) return;
  if (find_gate(x))
    enter_in_turn(x);
  else
    fail(x, CW_ERR_MEMORY, "out of memory");
}

static void give_up_waiting(cw_exchange *x) {
  bool late = is_late(x);
  x->crowded = x->turn.gate == x->gate;
  leave_queues(x);
  cw_error_set(&x->error, late ? CW_ERR_TIMEOUT : CW_ERR_TOO_MANY_OPEN,
               CW_PHASE_REQUEST,
               late ? "its turn has not come before its deadline (%g s)"
                    : "too many responses are open, its turn has not come in "
                      "%g s (timeout.connect)",
               number(x, late ? CW_OPT_DEADLINE : CW_OPT_TIMEOUT_CONNECT));
  cw_body_end(&x->body);
}

/* Whether it waits for its turn. When that has come it begins. */
static bool in_queue(cw_exchange *x) {
  if (!x->turn.gate) return false;
  if (!x->turn.granted && cw_exchange_waits(x)) return true;
  if (!x->turn.granted && !x->client->closed) {
    give_up_waiting(x);
    return false;
  }
  x->waited += cw_engine_now(x->client->engine) - x->queued;
  x->queued = cw_engine_now(x->client->engine);
  enter_in_turn(x);
  return x->turn.gate != NULL;
}

unsigned cw_exchange_attempts(const cw_exchange *x) {
  return x->attempts + x->repeats;
}

void cw_exchange_follow(cw_exchange *x, const cw_exchange *previous) {
  x->attempts = previous->attempts;
  x->repeats = previous->repeats;
  x->opened = previous->opened;
  x->called = previous->called;
}

void cw_exchange_start(cw_exchange *x) {
  x->started = true;
  x->attempts++;
  cw_authorization_begin(&x->request);
  begin(x);
}

/* Until the response stands ----------------------------------------------- */

static bool refused(const cw_exchange *x) {
  return x->check && !cw_response_ok(&x->response);
}

/* What may lead on costs a look at the status alone where it does not. */
static bool redirects(const cw_exchange *x) {
  return x->response.status / 100 == 3 && cw_redirect_leads(&x->response) &&
         number(x, CW_OPT_REDIRECTS) > 0;
}

static double random_fraction(void) {
  uint32_t bits = 0;
  if (!cw_random(&bits, sizeof bits)) return 1;
  return bits / 4294967295.0;
}

/* Microseconds before another attempt; negative: there is none. */
static int64_t retry_delay(const cw_exchange *x, const cw_error *why) {
  if (x->attempts > number(x, CW_OPT_RETRY_TIMES)) return -1;
  cw_try last = {.attempts = x->attempts,
                 .error = why,
                 .response = &x->response,
                 .now = time(NULL),
                 .random = random_fraction()};
  return cw_retry_delay(&x->request, &last);
}

static const cw_error no_error;

/* Whether its response is one on the way to another. */
static bool leads_on(const cw_exchange *x) {
  return redirects(x) || cw_authorization_goes_on(&x->request, &x->response) ||
         (!cw_response_ok(&x->response) && retry_delay(x, &no_error) >= 0);
}

/* One that leads on is read as far as a small one goes, so that its connection
** can be used again. */
static bool worth_awaiting(const cw_exchange *x, bool on_the_way) {
  int64_t length = x->response.length;
  if (refused(x) || (on_the_way && length < 0)) return true;
  return length >= 0 && length <= CW_EAGER_BYTES;
}

/* Whether what is sent is somebody's to give. */
static bool is_given(cw_exchange *x) {
  size_t part;
  cw_content *c = &x->request.content;
  return !cw_content_replayable(c) || cw_content_hungry(c, &part) ||
         cw_transfer_sends_later(x->transfer);
}

/* An answer that comes while the content goes out is the answer; what is left
** of that is still sent unless it is a refusal, or libcurl stops. */
static bool still_sends(cw_exchange *x) {
  cw_content *c = &x->request.content;
  return x->response.status < 400 && !x->request.rounds.probes && is_given(x) &&
         !cw_content_sent(c) && !redirects(x) &&
         !cw_transfer_stopped(x->transfer);
}

/* libcurl takes what is paused for unfinished, even what it has stopped. */
static void stop_sending(cw_exchange *x) {
  size_t part;
  cw_content *c = cw_content_hungry(&x->request.content, &part);
  if (c) cw_exchange_fed(x, c);
}

static void await_body(cw_exchange *x) {
  cw_transfer *t = x->transfer;
  bool on_the_way = leads_on(x);
  x->awaiting = true;
  stop_sending(x);
  t->eager = worth_awaiting(x, on_the_way) ? *t->now + CW_EAGER_US : 0;
  cw_engine_want(x->client->engine, t, true);
}

/* Whether this transfer has brought what it can bring before it is seen. */
static bool has_come(cw_exchange *x) {
  cw_transfer *t = x->transfer;
  if (!t) return true;
  if (!x->response.final || still_sends(x)) return false;
  if (!x->awaiting) await_body(x);
  if (refused(x) && cw_body_held(&x->body) >= CW_REFUSED_BYTES) return true;
  return t->eager == 0 || x->body.paused;
}

/* Going on ---------------------------------------------------------------- */

static bool note_hop(cw_exchange *x) {
  cw_hop *history = realloc(x->history, (x->hops + 1) * sizeof *history);
  if (!history) return false;
  x->history = history;
  history[x->hops++] = (cw_hop){.status = x->response.status,
                                .url = cw_url_retain(x->request.url)};
  return true;
}

/* The request becomes what is asked there. */
static bool turn_to(cw_exchange *x, const cw_redirect *to) {
  cw_request *r = &x->request;
  if (!note_hop(x)) return false;
  cw_url_free(r->url);
  r->url = cw_url_retain(to->url);
  if (to->elsewhere) x->renews = false; /* the token is one of its secrets */
  bool ok = (!to->becomes_get || cw_request_to_get(r)) &&
            (!to->elsewhere || cw_request_hide_secrets(r));
  cw_authorization_begin(r);
  return ok;
}

static void count_as_hop(cw_counters *c) {
  c->ended[CW_BY_EAGER]--;
  c->ended[CW_BY_HOP]++;
}

/* Its response was none to be handed out: what ended with it was a hop, which
** is known only now. One that failed has ended by that. */
static void let_go(cw_exchange *x) {
  cw_engine *e = x->client->engine;
  if (x->transfer) {
    cw_engine_release(e, x->transfer, CW_BY_HOP, true);
  } else if (x->response.final && x->body.state == CW_BODY_ENDED) {
    count_as_hop(&cw_engine_ledger(e)->counters);
    count_as_hop(&x->client->counters);
  }
}

static bool follow(cw_exchange *x) {
  cw_redirect to = {0};
  cw_error *e = &x->error;
  if (!x->opening || x->stuck || !x->response.final || !redirects(x))
    return false;
  e->code = CW_OK; /* what became of its body is nobody's concern */
  bool ok = cw_redirect_find(&to, &x->request, &x->response, x->hops, e);
  let_go(x);
  if (ok && !turn_to(x, &to)) {
    cw_error_set(e, CW_ERR_MEMORY, CW_PHASE_HEADERS, "out of memory");
    ok = false;
  }
  cw_url_free(to.url);
  x->stuck = !ok;
  if (ok) begin(x);
  return ok;
}

/* The next round of digest authentication. */
static bool authenticate(cw_exchange *x) {
  cw_request *r = &x->request;
  if (x->response.status != 401 && !r->rounds.probes) return false;
  if (!x->opening || x->stuck || !x->response.final) return false;
  if (!cw_authorization_goes_on(r, &x->response)) return false;
  if (!cw_authorization_go_on(r, &x->response)) return false;
  let_go(x);
  begin(x);
  return true;
}

/* Whether there is another attempt that would not come too late: it waits for
** its time then. */
static bool put_off(cw_exchange *x, const cw_error *why) {
  cw_engine *e = x->client->engine;
  int64_t us = retry_delay(x, why), deadline = deadline_of(x);
  if (us < 0) return false;
  int64_t at = cw_engine_now(e) + us;
  return (!deadline || at < deadline) && cw_engine_alarm(e, &x->alarm, at);
}

static bool try_again(cw_exchange *x) {
  bool ok = x->response.final && cw_response_ok(&x->response);
  if (!x->opening || ok || x->stuck) return false;
  if (!put_off(x, x->response.final ? &no_error : &x->error)) return false;
  let_go(x);
  x->put_off = true;
  return true;
}

/* When the time of an attempt has come it begins, or fails for a client that
** was closed. */
static bool delayed(cw_exchange *x) {
  if (!x->put_off) return false;
  if (cw_exchange_waits(x)) return true;
  x->put_off = false;
  cw_exchange_start(x);
  return false;
}

bool cw_exchange_stands(cw_exchange *x) {
  do {
    if (delayed(x) || in_queue(x) || !has_come(x)) return false;
  } while (follow(x) || authenticate(x) || try_again(x));
  if (cw_exchange_failed(x) && !cw_content_replayable(&x->request.content))
    x->error.retryable = false;
  return true;
}

bool cw_exchange_retry_body(cw_exchange *x) {
  return x->error.code != CW_OK && put_off(x, &x->error);
}

void cw_exchange_nap_for(cw_exchange *x, int64_t us) {
  cw_engine *e = x->client->engine;
  cw_engine_alarm(e, &x->alarm, cw_engine_now(e) + us);
}

void cw_exchange_nap(cw_exchange *x) {
  enum { MOMENT_US = 10000 };
  cw_exchange_nap_for(x, MOMENT_US);
}

void cw_exchange_end_nap(cw_exchange *x) {
  cw_engine_disarm(x->client->engine, &x->alarm);
}

bool cw_exchange_late(const cw_exchange *x) { return is_late(x); }

cw_content *cw_exchange_hungry(cw_exchange *x, size_t *part) {
  if (!x->transfer || cw_exchange_waits(x)) return NULL;
  if (x->response.final && !still_sends(x)) return NULL;
  return cw_content_hungry(&x->request.content, part);
}

void cw_exchange_fed(cw_exchange *x, cw_content *c) {
  cw_engine *e = x->client->engine;
  cw_transfer *t = x->transfer;
  c->starved = false;
  if (!t) return;
  t->moved = cw_engine_now(e);
  cw_engine_want(e, t, t->wanted); /* its limits hold again */
  cw_engine_resume(e, t);
}

void cw_exchange_abort(cw_exchange *x) {
  if (x->transfer)
    cw_engine_release(x->client->engine, x->transfer, CW_BY_ERROR, false);
}

bool cw_exchange_stale(cw_exchange *x) {
  return x->renews && x->response.final && x->response.status == 401 &&
         cw_content_replayable(&x->request.content);
}

void cw_exchange_restart(cw_exchange *x) {
  let_go(x);
  begin(x);
}

void cw_exchange_renew(cw_exchange *x) {
  x->renews = false;
  cw_exchange_restart(x);
}

void cw_exchange_keep_refusal(cw_exchange *x, const cw_error *before) {
  x->renews = false;
  x->error = *before;
}

bool cw_exchange_overdue(cw_exchange *x) {
  int64_t now = cw_engine_now(x->client->engine);
  double patience = number(x, CW_OPT_TIMEOUT_CONNECT) * 1e6;
  return is_late(x) || (double)(now - x->opened) >= patience;
}

void cw_exchange_give_up_token(cw_exchange *x, cw_code code, const char *why) {
  if (x->started)
    x->renews = false; /* the 401 stands */
  else
    cw_error_set(&x->error, code, CW_PHASE_REQUEST, "%s", why);
}

static uint64_t progress(const cw_exchange *x) {
  return x->body.came + cw_content_progress(&x->request.content);
}

/* Of a coded body only the reader can say: decoding is the reader's work. So is
** making room in a full one. */
bool cw_exchange_settled(cw_exchange *x) {
  size_t part;
  if (cw_exchange_abandoned(x)) return false;
  if (x->watched && progress(x) != x->shown) return true; /* may cancel it */
  if (cw_exchange_hungry(x, &part)) return true;
  if (!x->handed_out) return cw_exchange_stands(x);
  return x->body.coded || x->body.paused || cw_body_ready(&x->body);
}

/* What has become of it is known: who asked is told at the next chance. */
static void decide(cw_exchange *x) {
  x->opening = false;
  if (x->observed && !x->told && cw_list_empty(&x->over))
    cw_list_append(cw_engine_over(x->client->engine), &x->over);
}

bool cw_exchange_moved(cw_exchange *x) {
  uint64_t moved = progress(x);
  bool is_new = moved != x->shown;
  x->shown = moved;
  return is_new;
}

cw_exchange *cw_exchange_next_over(cw_engine *e) {
  cw_link *ring = cw_engine_over(e);
  while (!cw_list_empty(ring)) {
    cw_exchange *x = CW_LIST_ENTRY(ring->next, cw_exchange, over);
    cw_list_remove(&x->over);
    if (x->transfer || x->opening || x->told) continue; /* a hop, for one */
    return x;
  }
  return NULL;
}

void cw_exchange_told(cw_exchange *x) {
  x->told = true;
  cw_list_remove(&x->over); /* it may have been abandoned meanwhile */
  if (cw_exchange_abandoned(x)) cw_exchange_free(x);
}

void cw_exchange_abandon(cw_exchange *x) {
  if (!x->observed || x->told) {
    cw_exchange_free(x);
    return;
  }
  cw_engine_disarm(x->client->engine, &x->alarm);
  leave_queues(x);
  x->put_off = false;
  cw_list_remove(&x->news.link);
  cw_content_clear(&x->request.content); /* what was lent goes with its owner */
  x->self = x;
  x->owner = &x->self;
  decide(x);
}

void cw_exchange_hand_out(cw_exchange *x) {
  cw_content *c = &x->request.content;
  x->handed_out = true;
  decide(x);
  if (!x->transfer || cw_content_sent(c)) cw_content_finish(c);
  if (!x->transfer) return;
  x->transfer->eager = 0;
  x->transfer->done_as = CW_BY_ARRIVED;
  cw_engine_want(x->client->engine, x->transfer, false);
}

/* A stream of the parent's is not read on: it would be the parent's bytes. */
static void give_up_in_fork(cw_exchange *x) {
  cw_engine *e = x->client->engine;
  if (!x->transfer || !cw_engine_foreign(e)) return;
  cw_error_set(&x->error, CW_ERR_CANCELLED, CW_PHASE_BODY,
               "it belongs to the process that was forked");
  cw_engine_release(e, x->transfer, CW_BY_ERROR, false);
}

void cw_exchange_refuse(cw_exchange *x) {
  x->check = true;
  x->awaiting = x->handed_out = false;
  give_up_in_fork(x);
}

/* Reading ----------------------------------------------------------------- */

static bool join_codings(const cw_headers *h, cw_buf *list) {
  static const cw_text name = {"content-encoding", 16};
  size_t count = cw_headers_count(h);
  for (size_t i = cw_headers_find(h, name, 0); i < count;
       i = cw_headers_find(h, name, i + 1)) {
    cw_text value = cw_headers_value(h, i);
    if (!cw_buf_append(list, ",", 1) ||
        !cw_buf_append(list, value.bytes, value.length))
      return false;
  }
  return true;
}

/* Made when somebody reads: an unread response needs no decoder. */
static void make_decoder(cw_exchange *x) {
  cw_buf list;
  cw_text codings;
  cw_buf_init(&list, CW_HEADERS_MAX);
  if (join_codings(x->response.headers, &list)) {
    codings.bytes = cw_buf_peek(&list, &codings.length);
    cw_body_decode(&x->body, codings);
  } else {
    cw_error_set(&x->error, CW_ERR_MEMORY, CW_PHASE_BODY,
                 "out of memory for the body");
    cw_body_fail(&x->body);
  }
  cw_buf_clear(&list);
}

/* A body without a byte needs none, whatever it is called. */
static bool wants_decoder(const cw_body *b) {
  bool empty = b->state == CW_BODY_ENDED && b->came == 0;
  return b->coded && !b->decoder && !empty && b->state != CW_BODY_CLOSED;
}

static void give_up_failed(cw_exchange *x) {
  if (x->body.state == CW_BODY_FAILED && x->transfer)
    cw_engine_release(x->client->engine, x->transfer, CW_BY_ERROR, false);
}

void cw_exchange_want(cw_exchange *x, cw_want want, uint64_t amount) {
  cw_body *b = &x->body;
  int64_t length = x->response.length;
  give_up_in_fork(x);
  if (wants_decoder(b)) make_decoder(x);
  uint64_t most = max_body(x);
  if (want == CW_WANT_BYTES && amount > most) want = CW_WANT_WHOLE;
  if (want == CW_WANT_LINE || want == CW_WANT_WHOLE) amount = most;
  cw_body_want(b, want, amount);
  if (want == CW_WANT_WHOLE && length > 0) cw_body_expect(b, (uint64_t)length);
}

/* From here on somebody waits for it; while it is decoded, nobody does. */
static void note_waiting(cw_exchange *x) {
  bool waits = !x->body.busy;
  x->transfer->done_as = CW_BY_EOF;
  if (x->transfer->wanted != waits)
    cw_engine_want(x->client->engine, x->transfer, waits);
}

/* Only now may a paused transfer go on: until here there was enough. To resume
** it fills the body at once, and may be all that is needed. */
bool cw_exchange_ready(cw_exchange *x, bool in_turns) {
  cw_body *b = &x->body;
  while (!cw_body_ready(b)) {
    if (!x->transfer) return false;
    note_waiting(x);
    if (b->busy || !b->paused) return false;
    cw_body_make_room(b);
    cw_engine_resume(x->client->engine, x->transfer);
    b->busy = in_turns;
    if (b->busy) return false;
  }
  give_up_failed(x);
  return true;
}

void cw_exchange_rest(cw_exchange *x) {
  cw_body_rest(&x->body);
  const cw_transfer *t = x->transfer;
  if (t && (t->wanted || t->done_as == CW_BY_EOF)) cw_exchange_hand_out(x);
}

void cw_exchange_fail(cw_exchange *x, cw_code code, const char *text) {
  cw_error_set(&x->error, code, CW_PHASE_BODY, "%s", text);
  cw_body_fail(&x->body);
  give_up_failed(x);
}

void cw_exchange_cancel(cw_exchange *x, const char *why) {
  cw_engine_disarm(x->client->engine, &x->alarm);
  leave_queues(x);
  x->put_off = x->renews = false;
  x->stuck = x->opening;
  cw_exchange_fail(x, CW_ERR_CANCELLED, why);
}

void cw_exchange_show_refused(cw_exchange *x) {
  cw_exchange_want(x, CW_WANT_BYTES, CW_REFUSED_BYTES);
  cw_body_ready(&x->body);
}

/* Ending ------------------------------------------------------------------ */

static bool drains(cw_end why) {
  return !cw_end_leaked(why) && why != CW_BY_TIMEOUT;
}

/* A fork holds nothing of its parent's: nothing leaked there. */
static void note_leak(cw_exchange *x, cw_end why) {
  cw_record r;
  if (cw_engine_foreign(x->client->engine)) return;
  cw_exchange_record(x, &r);
  r.found = why;
  cw_ledger_leak(cw_engine_ledger(x->client->engine), &r);
}

void cw_exchange_release(cw_exchange *x, cw_end why) {
  if (cw_exchange_waits(x)) /* who waits for that learns of it */
    cw_engine_stir(x->client->engine, &x->news);
  cw_engine_disarm(x->client->engine, &x->alarm);
  leave_queues(x);
  x->put_off = false;
  if (x->transfer) {
    if (cw_end_leaked(why)) note_leak(x, why);
    cw_engine_release(x->client->engine, x->transfer, why, drains(why));
  }
  cw_content_finish(&x->request.content);
  cw_body_close(&x->body);
  decide(x);
}

void cw_exchange_leave_task(cw_exchange *x) {
  cw_list_remove(&x->held);
  if (!x->transfer) return;
  cw_error_set(&x->error, CW_ERR_CANCELLED, CW_PHASE_BODY,
               "the task that opened it has ended");
  cw_engine_release(x->client->engine, x->transfer, CW_BY_TASK, true);
}

void cw_exchange_count_unclosed(cw_exchange *x) {
  cw_engine_ledger(x->client->engine)->counters.collected_unclosed++;
  x->client->counters.collected_unclosed++;
}

/* Who waits for an attempt need not wait for its time. */
static void stir_waiting(cw_client *c) {
  cw_link *all = cw_engine_exchanges(c->engine);
  for (cw_link *l = all->next; l != all; l = l->next) {
    cw_exchange *x = CW_LIST_ENTRY(l, cw_exchange, made);
    if (x->client != c || !cw_exchange_waits(x)) continue;
    cw_engine_disarm(c->engine, &x->alarm);
    cw_engine_stir(c->engine, &x->news);
  }
}

void cw_exchange_close_client(cw_client *c) {
  c->closed = true;
  stir_waiting(c);
  while (!cw_list_empty(&c->ring)) {
    cw_transfer *t = CW_LIST_ENTRY(c->ring.next, cw_transfer, client_link);
    cw_exchange *x = cw_exchange_of(t);
    cw_error_set(&x->error, CW_ERR_CANCELLED, CW_PHASE_BODY,
                 "its client was closed");
    cw_engine_release(c->engine, t, CW_BY_CLIENT, true);
  }
}

void cw_exchange_shutdown(cw_engine *e) {
  cw_link *ring = cw_engine_open_ring(e);
  while (!cw_list_empty(ring)) {
    cw_transfer *t = CW_LIST_ENTRY(ring->next, cw_transfer, open_link);
    cw_exchange_release(cw_exchange_of(t), CW_LEAK_SHUTDOWN);
  }
  if (!cw_engine_foreign(e)) cw_ledger_summary(cw_engine_ledger(e), stderr);
  cw_link *exchanges = cw_engine_exchanges(e);
  for (cw_link *l = exchanges->next, *next; l != exchanges; l = next) {
    cw_exchange *x = CW_LIST_ENTRY(l, cw_exchange, made);
    next = l->next;
    *x->owner = NULL;
    cw_exchange_free(x);
  }
  cw_engine_close(e);
}

/* The process ends and the state was not closed: nothing is released any more,
** it is only counted and said. */
static void tell_at_exit(cw_engine *e) {
  cw_ledger *ledger = cw_engine_ledger(e);
  cw_link *ring = cw_engine_open_ring(e);
  for (cw_link *l = ring->next; l != ring; l = l->next) {
    cw_transfer *t = CW_LIST_ENTRY(l, cw_transfer, open_link);
    note_leak(cw_exchange_of(t), CW_LEAK_EXIT);
    ledger->counters.ended[CW_LEAK_EXIT]++;
  }
  cw_ledger_summary(ledger, stderr);
}

/* The engines of other threads are left alone, because those threads may still
** run. */
static void at_exit(void) { cw_engine_each_own(tell_at_exit); }

static void register_at_exit(void) { atexit(at_exit); }

void cw_exchange_watch_exit(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, register_at_exit);
}

/* Telling ----------------------------------------------------------------- */

void cw_exchange_record(cw_exchange *x, cw_record *r) {
  cw_engine *e = x->client->engine;
  memset(r, 0, sizeof *r);
  snprintf(r->method, sizeof r->method, "%s", cw_request_method(&x->request));
  cw_url_mask(x->request.url, r->url, sizeof r->url);
  cw_url_host(x->request.url, r->host, sizeof r->host);
  cw_printable(r->host);
  r->id = x->id;
  r->found = CW_END_COUNT;
  r->status = x->response.status;
  r->http_version = x->response.http_version;
  r->site = x->site;
  r->opener = x->opener;
  r->age = (double)(cw_engine_now(e) - x->opened) / 1e6;
  r->opened_at = time(NULL) - (time_t)r->age;
  r->read = x->body.read;
  r->expected = x->body.coded ? -1 : x->response.length;
  r->unread = cw_body_held(&x->body);
}
