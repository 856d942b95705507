/* ledger: what was opened, how it ended, and who forgot. Counters of a state
** and of each client; the last leaks in a ring of fixed size. Always on. Knows
** libc.
** The law: opened = open + all of released + all of leaked.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_LEDGER_H
#define CURLEW_LEDGER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

/* How a stream can leave: released, or (from CW_LEAK_GC on) leaked. */
typedef enum cw_end {
  CW_BY_EAGER,    /* its body came with the headers */
  CW_BY_ARRIVED,  /* all of it came after that, before it was read */
  CW_BY_EOF,      /* read to its end */
  CW_BY_CLOSE,    /* close() */
  CW_BY_TBC,      /* the scope of a <close> variable ended */
  CW_BY_ITERATOR, /* a loop was left */
  CW_BY_ERROR,    /* it failed */
  CW_BY_TIMEOUT,  /* too late */
  CW_BY_TASK,     /* its task ended */
  CW_BY_CLIENT,   /* its client was closed */
  CW_BY_HOP,      /* one exchange of several */
  CW_LEAK_GC,     /* collected */
  CW_LEAK_SHUTDOWN,
  CW_LEAK_EXIT,
  CW_END_COUNT
} cw_end;

const char *cw_end_name(cw_end end);

static inline bool cw_end_leaked(cw_end end) { return end >= CW_LEAK_GC; }

typedef struct cw_counters {
  uint64_t opened;
  uint64_t ended[CW_END_COUNT];
  uint64_t open;       /* audits count the streams themselves */
  uint64_t high_water; /* most open at once */
  uint64_t collected_unclosed;
  uint64_t forced_collections;
  uint64_t drained_bytes;
  uint64_t connections_opened;
  uint64_t connections_closed;
  uint64_t connections_reused;
} cw_counters;

/* Sum of 'ended' over what is a leak, or over what is not. */
uint64_t cw_counters_sum(const cw_counters *c, bool leaked);

enum { CW_SITE_TEXT = 64, CW_LEAKS_KEPT = 64 };

/* A line of a Lua program; line 0: not known. */
typedef struct cw_site {
  char source[CW_SITE_TEXT];
  int line;
} cw_site;

/* One leak, or one open response; no secrets in it (the url is masked). */
typedef struct cw_record {
  uint64_t id;
  cw_end found; /* CW_END_COUNT: still open */
  char method[16];
  char url[256];
  char host[128];
  int status;
  const char *http_version;
  cw_site site;
  const char *opener; /* "main", "coroutine" or "task" */
  time_t opened_at;
  double age;       /* seconds */
  uint64_t read;    /* bytes of the body that were handed out */
  int64_t expected; /* -1: not declared */
  uint64_t unread;  /* bytes that had come and waited */
  uint64_t count;   /* how many from this line, method and host until now */
} cw_record;

/* "curlew: leak: GET http://h/big opened at app.lua:42, ..." */
void cw_record_print(const cw_record *r, char *text, size_t size);

typedef struct cw_leak_place {
  cw_site site;
  char method[16];
  char host[128];
  uint64_t count;
} cw_leak_place;

typedef struct cw_ledger {
  cw_counters counters;
  cw_record ring[CW_LEAKS_KEPT];
  uint64_t leaks;    /* ever recorded; the ring holds the last of them */
  uint64_t reported; /* of those, how many were told or passed over */
  cw_leak_place places[CW_LEAKS_KEPT];
  unsigned place_count;
  uint64_t elsewhere; /* leaks from places beyond those kept */
  bool first_told;
} cw_ledger;

/* Copies 'r' into the ring and fills in its count. Allocates nothing: called
** by finalizers. */
void cw_ledger_leak(cw_ledger *l, cw_record *r);

/* The i-th of the leaks kept, oldest first; NULL past the last. */
const cw_record *cw_ledger_record(const cw_ledger *l, unsigned i);

/* The next leak to be told, with those passed over that do not bear
** repeating: of one place the 1st, 10th, 100th, ... NULL: none. */
const cw_record *cw_ledger_news(cw_ledger *l);

/* Writes what has leaked, by place, if anything has. */
void cw_ledger_summary(const cw_ledger *l, FILE *out);

#endif
