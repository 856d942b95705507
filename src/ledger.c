/* ledger: counters and leak records. Knows libc.
** SPDX-License-Identifier: MIT */
#include "ledger.h"

#include <inttypes.h>
#include <string.h>

static const char *const ends[CW_END_COUNT] = {
  [CW_BY_EAGER] = "eager",
  [CW_BY_ARRIVED] = "arrived",
  [CW_BY_EOF] = "eof",
  [CW_BY_CLOSE] = "close",
  [CW_BY_TBC] = "tbc",
  [CW_BY_ITERATOR] = "iterator",
  [CW_BY_ERROR] = "error",
  [CW_BY_TIMEOUT] = "timeout",
  [CW_BY_TASK] = "task",
  [CW_BY_CLIENT] = "client",
  [CW_BY_HOP] = "hop",
  [CW_LEAK_GC] = "gc",
  [CW_LEAK_SHUTDOWN] = "shutdown",
  [CW_LEAK_EXIT] = "exit",
};

const char *cw_end_name(cw_end end) { return ends[end]; }

uint64_t cw_counters_sum(const cw_counters *c, bool leaked) {
  uint64_t sum = 0;
  for (int end = 0; end < CW_END_COUNT; end++)
    if (cw_end_leaked((cw_end)end) == leaked) sum += c->ended[end];
  return sum;
}

static const char *found_text(cw_end found) {
  switch (found) {
  case CW_LEAK_GC:
    return "released by the collector";
  case CW_LEAK_SHUTDOWN:
    return "released when the Lua state was closed";
  case CW_LEAK_EXIT:
    return "never released: the process ended";
  default:
    return "still open";
  }
}

static void expected_text(char *text, size_t size, int64_t expected) {
  if (expected < 0)
    snprintf(text, size, "an unknown number of");
  else
    snprintf(text, size, "%" PRId64, expected);
}

void cw_record_print(const cw_record *r, char *text, size_t size) {
  char expected[32];
  expected_text(expected, sizeof expected, r->expected);
  snprintf(text, size,
           "curlew: leak: %s %s opened at %s:%d, %d, read %" PRIu64
           " of %s bytes, open %.1f s, %s%s",
           r->method, r->url, r->site.source, r->site.line, r->status, r->read,
           expected, r->age, found_text(r->found),
           "; hint: local r <close> = http.get(...)");
}

static bool same_place(const cw_leak_place *p, const cw_record *r) {
  return p->site.line == r->site.line &&
         strcmp(p->site.source, r->site.source) == 0 &&
         strcmp(p->method, r->method) == 0 && strcmp(p->host, r->host) == 0;
}

static cw_leak_place *new_place(cw_ledger *l, const cw_record *r) {
  if (l->place_count == CW_LEAKS_KEPT) return NULL;
  cw_leak_place *p = &l->places[l->place_count++];
  p->site = r->site;
  memcpy(p->method, r->method, sizeof p->method);
  memcpy(p->host, r->host, sizeof p->host);
  return p;
}

static uint64_t count_at_place(cw_ledger *l, const cw_record *r) {
  cw_leak_place *place = NULL;
  for (unsigned i = 0; i < l->place_count && !place; i++)
    if (same_place(&l->places[i], r)) place = &l->places[i];
  if (!place) place = new_place(l, r);
  return place ? ++place->count : ++l->elsewhere;
}

void cw_ledger_leak(cw_ledger *l, cw_record *r) {
  r->count = count_at_place(l, r);
  l->ring[l->leaks++ % CW_LEAKS_KEPT] = *r;
}

static uint64_t oldest(const cw_ledger *l) {
  return l->leaks > CW_LEAKS_KEPT ? l->leaks - CW_LEAKS_KEPT : 0;
}

const cw_record *cw_ledger_record(const cw_ledger *l, unsigned i) {
  uint64_t at = oldest(l) + i;
  return at < l->leaks ? &l->ring[at % CW_LEAKS_KEPT] : NULL;
}

static bool power_of_ten(uint64_t n) {
  while (n >= 10 && n % 10 == 0)
    n /= 10;
  return n == 1;
}

const cw_record *cw_ledger_news(cw_ledger *l) {
  if (l->reported < oldest(l)) l->reported = oldest(l);
  while (l->reported < l->leaks) {
    const cw_record *r = &l->ring[l->reported++ % CW_LEAKS_KEPT];
    if (power_of_ten(r->count)) return r;
  }
  return NULL;
}

void cw_ledger_summary(const cw_ledger *l, FILE *out) {
  uint64_t leaked = cw_counters_sum(&l->counters, true);
  if (leaked == 0) return;
  fprintf(out,
          "curlew: %" PRIu64 " of %" PRIu64 " responses leaked "
          "(gc %" PRIu64 ", shutdown %" PRIu64 ", exit %" PRIu64
          "), opened at\n",
          leaked, l->counters.opened, l->counters.ended[CW_LEAK_GC],
          l->counters.ended[CW_LEAK_SHUTDOWN], l->counters.ended[CW_LEAK_EXIT]);
  for (unsigned i = 0; i < l->place_count; i++)
    fprintf(out, "curlew: %8" PRIu64 "  %s:%d (%s %s)\n", l->places[i].count,
            l->places[i].site.source, l->places[i].site.line,
            l->places[i].method, l->places[i].host);
  if (l->elsewhere)
    fprintf(out, "curlew: %8" PRIu64 "  elsewhere\n", l->elsewhere);
}
