/* callback_test: each callback of libcurl in each state of a transfer. Without
** an argument it lists its tests; with the name of one it runs that, says what
** does not hold, and exits with 1 if anything does not. spec/callback_spec.lua
** runs it. Test only. Built by the Makefile from this file and src, without
** src/lua_*.c; src/transfer.c and src/engine.c are part of this file, so that a
** test can call their callbacks.
** SPDX-License-Identifier: MIT */

#include "../../src/transfer.c" /* NOLINT(bugprone-suspicious-include) */

#include "../../src/engine.c" /* NOLINT(bugprone-suspicious-include) */

#include <openssl/ssl.h>

#include "bench.h"

/* The callbacks ----------------------------------------------------------- */

/* The state of a transfer, as far as its callbacks are concerned. */
typedef enum owned { HAS_OWNER, HAS_NO_OWNER } owned;

static void call_header(cw_transfer *t, owned state) {
  char line[] = "X-Item: one\r\n", part[] = "\r", blank[] = "\r\n";
  size_t taken = on_header(line, 1, strlen(line), t);
  CHECK(state == HAS_OWNER || taken == 0);
  on_header(part, 1, strlen(part), t);
  on_header(blank, 1, strlen(blank), t);
  on_header(blank, 1, 0, t);
}

static void call_body(cw_transfer *t, owned state) {
  char bytes[] = "some";
  if (state == HAS_NO_OWNER) CHECK(on_body(bytes, 1, 4, t) == 0);
  if (state == HAS_OWNER && t->entered) on_body(bytes, 1, 4, t);
}

static void call_read(cw_transfer *t, owned state) {
  char room[64];
  size_t n = on_read(room, 1, sizeof room, t);
  int sought = on_seek(t, 0, SEEK_SET);
  CHECK(state == HAS_OWNER || n == CURL_READFUNC_ABORT);
  CHECK(state == HAS_OWNER || sought == CURL_SEEKFUNC_FAIL);
}

static void call_part(cw_transfer *t, owned state) {
  char room[64];
  if (!t->sources) return;
  size_t n = on_read_part(room, 1, sizeof room, &t->sources[0]);
  int sought = on_seek_part(&t->sources[0], 0, SEEK_SET);
  CHECK(state == HAS_OWNER || n == CURL_READFUNC_ABORT);
  CHECK(state == HAS_OWNER || sought == CURL_SEEKFUNC_FAIL);
}

static void call_debug(cw_transfer *t, owned state) {
  char text[] = "Connection #0 to host left intact\n";
  (void)state;
  for (int type = CURLINFO_TEXT; type < CURLINFO_END; type++)
    CHECK(on_debug(t->easy, (curl_infotype)type, text, strlen(text), t) == 0);
  listen_to_libcurl(t, true);
  listen_to_libcurl(t, false);
}

static void call_progress(cw_transfer *t, owned state) {
  int answer = on_progress(t, 0, 0, 0, 0);
  CHECK(state == HAS_OWNER || answer == 1);
}

static void call_connected(cw_transfer *t, owned state) {
  char ip[] = "127.0.0.1";
  int answer = on_connected(t, ip, ip, 80, 50000);
  CHECK(state == HAS_OWNER || answer == CURL_PREREQFUNC_ABORT);
}

static void call_socket(cw_transfer *t, owned state) {
  cw_engine *e = t->calls.data;
  struct curl_sockaddr address = {.family = AF_INET, .socktype = SOCK_STREAM};
  curl_socket_t fd = t->calls.open(t, CURLSOCKTYPE_IPCXN, &address);
  CHECK(fd != CURL_SOCKET_BAD);
  int answer = on_opened(t, fd, CURLSOCKTYPE_IPCXN);
  CHECK(state == HAS_OWNER || answer == CURL_SOCKOPT_ERROR);
  static const int wishes[] = {CURL_POLL_IN, CURL_POLL_OUT, CURL_POLL_INOUT,
                               CURL_POLL_REMOVE};
  for (size_t i = 0; i < sizeof wishes / sizeof *wishes; i++)
    CHECK(on_socket(t->easy, fd, wishes[i], e, NULL) == 0);
  CHECK(t->calls.close(e, fd) == 0);
}

static void call_tls(cw_transfer *t, owned state) {
  SSL_CTX *context = SSL_CTX_new(TLS_client_method());
  CHECK(context != NULL);
  CURLcode answer = on_tls(t->easy, context, t);
  CHECK(state == HAS_OWNER || answer == CURLE_ABORTED_BY_CALLBACK);
  SSL_CTX_free(context);
}

static void call_timer(cw_transfer *t, owned state) {
  cw_engine *e = t->calls.data;
  int64_t timer = e->timer;
  (void)state;
  CHECK(on_timer(e->multi, 1000, e) == 0 && on_timer(e->multi, -1, e) == 0);
  e->timer = timer;
}

typedef void caller(cw_transfer *t, owned state);

/* The connection comes last, since it changes what the others find. */
static caller *const calls[] = {
  call_read, call_part,   call_debug, call_progress, call_timer,
  call_tls,  call_header, call_body,  call_socket,   call_connected};

enum { CALLS = sizeof calls / sizeof *calls };

/* Requests ---------------------------------------------------------------- */

typedef enum kind { NO_BODY, TEXT, PIECES, PARTS, KINDS } kind;

static void set_kind(cw_exchange *x, kind k) {
  cw_content *c = &x->request.content;
  if (k == TEXT) cw_content_text(c, "a text", 6);
  if (k == PIECES) cw_content_pieces(c, -1);
  if (k != PARTS) return;
  cw_form_part *part = cw_content_part(c, "name", NULL, NULL);
  cw_content_text(&part->content, "a part", 6);
}

static cw_exchange *new_exchange(bench *b, kind k) {
  static cw_exchange *x; /* its owner, as far as it knows */
  cw_exchange_new(b->client, &x);
  CHECK(cw_request_set_url(&x->request, b->url, strlen(b->url),
                           &b->client->last_url, &x->error));
  set_kind(x, k);
  return x;
}

static cw_exchange *start_kind(bench *b, kind k) {
  cw_exchange *x = new_exchange(b, k);
  cw_exchange_start(x);
  CHECK(x->transfer != NULL);
  return x;
}

static bool prepare(cw_transfer *t, cw_exchange *x) {
  return cw_transfer_prepare(t, &x->request, &x->response, &x->body, &x->error);
}

static void step_until(bench *b, const bool *holds) {
  for (int i = 0; i < 1000 && !*holds; i++)
    cw_engine_step(b->engine, 10000);
  CHECK(*holds);
}

static void step_until_bytes(bench *b, const cw_exchange *x, uint64_t most) {
  for (int i = 0; i < 1000 && x->body.came < most; i++)
    cw_engine_step(b->engine, 10000);
  CHECK(x->body.came >= most);
}

/* The transfer has left the multi handle and has not been given back. */
static cw_transfer *take_out(bench *b, cw_exchange *x) {
  cw_transfer *t = x->transfer;
  settle(b->engine, t, CW_BY_CLOSE);
  curl_multi_remove_handle(b->engine->multi, t->easy);
  t->entered = false;
  return t;
}

/* The states -------------------------------------------------------------- */

/* Each brings a transfer to its state, calls, and leaves no transfer. */
typedef void state_test(bench *b, kind k, caller *call);

static void when_new(bench *b, kind k, caller *call) {
  cw_exchange *x = new_exchange(b, k);
  cw_transfer *t = cw_engine_take(b->engine, x->request.defaults);
  call(t, HAS_NO_OWNER);
  cw_transfer_free(t);
  end_exchange(x);
}

static void when_prepared(bench *b, kind k, caller *call) {
  cw_exchange *x = new_exchange(b, k);
  cw_transfer *t = cw_engine_take(b->engine, x->request.defaults);
  CHECK(prepare(t, x));
  call(t, HAS_OWNER);
  cw_transfer_detach(t);
  end_exchange(x);
  call(t, HAS_NO_OWNER);
  cw_engine_give_back(b->engine, t);
}

static void when_entered(bench *b, kind k, caller *call) {
  cw_exchange *x = start_kind(b, k);
  call(x->transfer, HAS_OWNER);
  end_exchange(x);
}

static void when_connected(bench *b, kind k, caller *call) {
  cw_exchange *x = start_kind(b, k);
  step_until(b, &x->transfer->connected);
  call(x->transfer, HAS_OWNER);
  end_exchange(x);
}

/* libcurl may hold a line back until the next one comes. */
static void when_in_headers(bench *b, kind k, caller *call) {
  cw_exchange *x = start_kind(b, k);
  answer(b, "HTTP/1.1 200 OK\r\nX-Item: one\r\nX-It");
  step_until(b, &x->transfer->in_block);
  call(x->transfer, HAS_OWNER);
  end_exchange(x);
}

static void when_in_body(bench *b, kind k, caller *call) {
  cw_exchange *x = start_kind(b, k);
  answer(b, "HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\nok");
  step_until_bytes(b, x, 2);
  call(x->transfer, HAS_OWNER);
  end_exchange(x);
}

/* Given up while libcurl runs: it leaves when that returns. */
static void when_doomed(bench *b, kind k, caller *call) {
  cw_exchange *x = start_kind(b, k);
  cw_transfer *t = x->transfer;
  step_until(b, &t->connected);
  b->engine->running = true;
  end_exchange(x);
  call(t, HAS_NO_OWNER);
  b->engine->running = false;
  cw_engine_step(b->engine, 0);
}

/* In the multi handle, but nobody's: the request is freed. */
static void when_detached(bench *b, kind k, caller *call) {
  cw_exchange *x = start_kind(b, k);
  cw_transfer *t = x->transfer;
  answer(b, "HTTP/1.1 200 OK\r\nX-Item: one\r\n");
  step_until(b, &t->in_block);
  settle(b->engine, t, CW_BY_CLOSE);
  end_exchange(x);
  call(t, HAS_NO_OWNER);
  remove_handle(b->engine, t);
}

static void when_out(bench *b, kind k, caller *call) {
  cw_exchange *x = start_kind(b, k);
  step_until(b, &x->transfer->connected);
  cw_transfer *t = take_out(b, x);
  end_exchange(x);
  call(t, HAS_NO_OWNER);
  cw_engine_give_back(b->engine, t);
}

/* The form of the last request is not yet taken away by the next one. */
static void when_taken_again(bench *b, kind k, caller *call) {
  cw_exchange *x = start_kind(b, k);
  step_until(b, &x->transfer->connected);
  cw_transfer *t = take_out(b, x);
  end_exchange(x);
  CHECK(cw_transfer_return_text(t));
  cw_exchange *next = new_exchange(b, NO_BODY);
  t->response = &next->response;
  call_part(t, HAS_NO_OWNER);
  CHECK(prepare(t, next));
  CHECK(t->sources == NULL);
  call(t, HAS_OWNER);
  cw_transfer_detach(t);
  end_exchange(next);
  cw_engine_give_back(b->engine, t);
}

/* A new bench for each callback, since a callback changes the transfer. */
static void call_each(state_test *state) {
  for (int k = NO_BODY; k < KINDS; k++)
    for (int i = 0; i < CALLS; i++) {
      bench b;
      begin_bench(&b);
      state(&b, (kind)k, calls[i]);
      end_bench(&b);
    }
}

static void calls_new(void) { call_each(when_new); }
static void calls_prepared(void) { call_each(when_prepared); }
static void calls_entered(void) { call_each(when_entered); }
static void calls_connected(void) { call_each(when_connected); }
static void calls_in_headers(void) { call_each(when_in_headers); }
static void calls_in_body(void) { call_each(when_in_body); }
static void calls_doomed(void) { call_each(when_doomed); }
static void calls_detached(void) { call_each(when_detached); }
static void calls_out(void) { call_each(when_out); }
static void calls_taken_again(void) { call_each(when_taken_again); }

/* The list ---------------------------------------------------------------- */

static const test tests[] = {
  {"callbacks are safe with a new transfer", calls_new},
  {"callbacks are safe with a prepared transfer", calls_prepared},
  {"callbacks are safe in the multi handle", calls_entered},
  {"callbacks are safe when connected", calls_connected},
  {"callbacks are safe in the headers", calls_in_headers},
  {"callbacks are safe in the body", calls_in_body},
  {"callbacks are safe with a doomed transfer", calls_doomed},
  {"callbacks are safe with a detached transfer", calls_detached},
  {"callbacks are safe out of the multi handle", calls_out},
  {"callbacks are safe with a transfer that is taken again", calls_taken_again},
};

int main(int argc, char **argv) {
  curl_global_init(CURL_GLOBAL_DEFAULT);
  int code = run_tests(tests, sizeof tests / sizeof *tests, argc, argv);
  curl_global_cleanup();
  return code;
}
