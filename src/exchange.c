/* exchange: what the user calls one request. Knows all rooms of the engine.
** SPDX-License-Identifier: MIT */
#include "exchange.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

cw_exchange *cw_exchange_of(cw_transfer *t) {
  return CW_LIST_ENTRY(t->holder, cw_exchange, transfer);
}

cw_exchange *cw_exchange_of_news(cw_link *news) {
  return CW_LIST_ENTRY(news, cw_exchange, news);
}

static uint64_t most_body(const cw_request *r) {
  const cw_value *most =
    cw_settings_find(&r->own, r->defaults, CW_OPT_MAX_BODY);
  return most ? (uint64_t)most->number : UINT64_MAX;
}

/* A receive buffer must fit, or libcurl would keep copies of the rest. */
static size_t ahead_of(const cw_request *r) {
  double buffer = cw_settings_get(&r->own, r->defaults, CW_OPT_BUFFER);
  return buffer > CW_BODY_AHEAD ? (size_t)buffer : CW_BODY_AHEAD;
}

static uint64_t max_body(const cw_exchange *x) {
  return (uint64_t)cw_settings_get(&x->request.own, x->request.defaults,
                                   CW_OPT_MAX_BODY);
}

void cw_exchange_new(cw_client *c, cw_exchange **owner) {
  cw_exchange *x = *owner = malloc(sizeof *x);
  if (!x) return;
  x->owner = owner;
  cw_list_init(&x->made);
  cw_list_append(cw_engine_exchanges(c->engine), &x->made);
  x->client = cw_client_retain(c);
  cw_request_init(&x->request, c->defaults);
  cw_response_init(&x->response);
  cw_body_init(&x->body, UINT64_MAX, CW_BODY_AHEAD, &x->error);
  cw_list_init(&x->news);
  x->error.code = CW_OK;
  x->transfer = NULL;
  x->id = 0;
  x->opened = 0;
  x->check = x->awaiting = x->handed_out = false;
}

void cw_exchange_free(cw_exchange *x) {
  if (!x) return;
  cw_list_remove(&x->news);
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

static void start_afresh(cw_exchange *x) {
  cw_body_clear(&x->body);
  cw_response_clear(&x->response);
  cw_response_init(&x->response);
  cw_body_init(&x->body, most_body(&x->request), ahead_of(&x->request),
               &x->error);
  x->error.code = CW_OK;
  x->awaiting = false;
}

static void enter(cw_exchange *x, cw_engine *e, cw_transfer *t) {
  double deadline =
    cw_settings_get(&x->request.own, x->request.defaults, CW_OPT_DEADLINE);
  t->counters[1] = &x->client->counters;
  t->holder = &x->transfer;
  t->news = &x->news;
  if (!x->opened) x->opened = cw_engine_now(e);
  t->deadline = deadline > 0 ? x->opened + (int64_t)(deadline * 1e6) : 0;
  if (!cw_engine_enter(e, t, &x->client->ring)) return;
  x->transfer = t;
  if (!x->id) x->id = cw_engine_ledger(e)->counters.opened;
}

void cw_exchange_start(cw_exchange *x) {
  cw_engine *e = x->client->engine;
  start_afresh(x);
  if (x->client->closed) {
    fail(x, CW_ERR_CANCELLED, "its client was closed");
    return;
  }
  if (cw_engine_full(e)) {
    fail(x, CW_ERR_TOO_MANY_OPEN, "too many responses are open");
    return;
  }
  cw_transfer *t = cw_engine_take(e, x->request.defaults);
  if (!t) {
    fail(x, CW_ERR_MEMORY, "out of memory");
    return;
  }
  if (cw_transfer_prepare(t, &x->request, &x->response, &x->body, &x->error)) {
    enter(x, e, t);
  } else {
    cw_transfer_detach(t);
    cw_engine_give_back(e, t);
  }
  if (!x->transfer) cw_body_end(&x->body);
}

/* Until the response stands ----------------------------------------------- */

static bool refused(const cw_exchange *x) {
  return x->check && !cw_response_ok(&x->response);
}

static bool worth_awaiting(const cw_exchange *x) {
  int64_t length = x->response.length;
  return refused(x) || (length >= 0 && length <= CW_EAGER_BYTES);
}

bool cw_exchange_stands(cw_exchange *x) {
  cw_transfer *t = x->transfer;
  if (!t) return true;
  if (!x->response.final) return false;
  if (!x->awaiting) {
    x->awaiting = true;
    t->eager = worth_awaiting(x) ? *t->now + CW_EAGER_US : 0;
    cw_engine_want(x->client->engine, t, true);
  }
  if (refused(x) && cw_body_held(&x->body) >= CW_REFUSED_BYTES) return true;
  return t->eager == 0;
}

/* Of a coded body only the reader can say: decoding is the reader's work. So is
** making room in a full one. */
bool cw_exchange_settled(cw_exchange *x) {
  if (!x->handed_out) return cw_exchange_stands(x);
  return x->body.coded || x->body.paused || cw_body_ready(&x->body);
}

void cw_exchange_hand_out(cw_exchange *x) {
  x->handed_out = true;
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
bool cw_exchange_ready(cw_exchange *x) {
  cw_body *b = &x->body;
  while (!cw_body_ready(b)) {
    if (!x->transfer) return false;
    note_waiting(x);
    if (b->busy || !b->paused) return false;
    cw_body_make_room(b);
    cw_engine_resume(x->client->engine, x->transfer);
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
  if (x->transfer) {
    if (cw_end_leaked(why)) note_leak(x, why);
    cw_engine_release(x->client->engine, x->transfer, why, drains(why));
  }
  cw_body_close(&x->body);
}

void cw_exchange_count_unclosed(cw_exchange *x) {
  cw_engine_ledger(x->client->engine)->counters.collected_unclosed++;
  x->client->counters.collected_unclosed++;
}

void cw_exchange_close_client(cw_client *c) {
  c->closed = true;
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
static void at_exit(void) {
  for (cw_engine *e = cw_engine_next(NULL); e; e = cw_engine_next(e)) {
    if (cw_engine_foreign(e)) continue;
    cw_ledger *ledger = cw_engine_ledger(e);
    cw_link *ring = cw_engine_open_ring(e);
    for (cw_link *l = ring->next; l != ring; l = l->next) {
      cw_transfer *t = CW_LIST_ENTRY(l, cw_transfer, open_link);
      note_leak(cw_exchange_of(t), CW_LEAK_EXIT);
      ledger->counters.ended[CW_LEAK_EXIT]++;
    }
    cw_ledger_summary(ledger, stderr);
  }
}

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
