/* bench: an engine with a client, and a server of this process for them to ask.
** Shared by the tests that include src/engine.c. Test only.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_BENCH_H
#define CURLEW_BENCH_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "../../src/exchange.h"
#include "test.h"

static bool readable(int fd) {
  struct pollfd p = {.fd = fd, .events = POLLIN};
  return poll(&p, 1, 0) == 1;
}

/* An engine with a client, and a port of this process for them to ask. */
typedef struct bench {
  cw_engine *engine;
  cw_client *client;
  int listener, connection;
  char url[64];
} bench;

static int listen_on_loopback(int *port) {
  struct sockaddr_in a = {.sin_family = AF_INET};
  socklen_t n = sizeof a;
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&a, n) == 0 &&
        listen(fd, 16) == 0 && getsockname(fd, (struct sockaddr *)&a, &n) == 0);
  *port = ntohs(a.sin_port);
  return fd;
}

static void begin_bench(bench *b) {
  int port;
  cw_settings *defaults = cw_settings_new();
  b->engine = cw_engine_new();
  b->client = cw_client_new(b->engine, defaults);
  cw_settings_free(defaults);
  b->listener = listen_on_loopback(&port);
  b->connection = -1;
  snprintf(b->url, sizeof b->url, "http://127.0.0.1:%d/", port);
}

static void end_bench(bench *b) {
  const cw_counters *c = &cw_engine_ledger(b->engine)->counters;
  CHECK(c->open == 0 && cw_list_empty(&b->engine->open));
  CHECK(c->opened == cw_counters_sum(c, false) + cw_counters_sum(c, true));
  CHECK(b->engine->deadlines.count == 0);
  CHECK(cw_list_empty(&b->engine->doomed));
  close(b->listener);
  if (b->connection >= 0) close(b->connection);
  cw_engine_close(b->engine);
  cw_client_free(b->client);
  cw_engine_free(b->engine);
}

static void end_exchange(cw_exchange *x) {
  cw_exchange_release(x, CW_BY_CLOSE);
  cw_exchange_free(x);
}

/* Steps until the request has come, then answers it. */
static void answer(bench *b, const char *bytes) {
  char request[4096];
  while (!readable(b->listener))
    cw_engine_step(b->engine, 10000);
  b->connection = accept(b->listener, NULL, NULL);
  while (!readable(b->connection))
    cw_engine_step(b->engine, 10000);
  CHECK(read(b->connection, request, sizeof request) > 0);
  CHECK(write(b->connection, bytes, strlen(bytes)) == (ssize_t)strlen(bytes));
}

#endif
