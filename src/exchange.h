/* exchange: what the user calls one request: what is asked, what came, and
** the transfer that brings it. The place where several transfers in a row
** (redirects, rounds of authentication, retries) become one response: they
** begin in the calls below, never in a callback. Knows all rooms of the engine.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_EXCHANGE_H
#define CURLEW_EXCHANGE_H

#include "client.h"

/* A body declared to be at most so large is awaited with its headers, at most
** so long. */
enum { CW_EAGER_BYTES = 64 * 1024, CW_EAGER_US = 250000 };

/* So much of a refused response's body goes with its error. */
enum { CW_REFUSED_BYTES = 4096 };

/* A response on the way to the last one. */
typedef struct cw_hop {
  int status;
  cw_url *url; /* a reference: what was asked */
} cw_hop;

typedef struct cw_exchange {
  cw_client *client; /* a reference */
  cw_request request;
  cw_response response;
  cw_body body;
  cw_error error;
  cw_transfer *transfer;      /* NULL: no stream is held */
  cw_news news;               /* in the engine's ring of those with news */
  cw_link made;               /* in its ring of all exchanges */
  struct cw_exchange **owner; /* who has it: a pointer to be NULLed if the
                              ** engine is shut down first */
  struct cw_exchange *self;   /* itself, when it is its own owner */
  uint64_t id;
  int64_t opened; /* when, on the engine's clock */
  int64_t called; /* from when its deadline counts */
  cw_site site;   /* the line that asked */
  const char *opener;
  cw_link held;      /* in the ring of what a task has opened */
  cw_link over;      /* in the engine's ring of those that have ended */
  bool observed;     /* somebody is to be told of its end ... */
  bool told;         /* ... and was */
  bool opening;      /* it is not decided what becomes of it */
  bool watched;      /* somebody is to be told of its progress */
  uint64_t shown;    /* bytes in and out when its progress was last told */
  cw_hop *history;   /* owned: the redirects that were followed */
  unsigned hops;     /* so many */
  unsigned attempts; /* requests made, but for those that a redirect led to */
  unsigned repeats;  /* and repetitions by libcurl */
  bool started;      /* the first of them that is its own was made */
  cw_alarm alarm;    /* it waits for a time */
  bool put_off;      /* when that comes, the next attempt begins */
  bool patient;      /* it may wait for its turn where others are enough */
  cw_turn turn;      /* it waits for that, at most until the alarm, ... */
  int64_t queued;    /* ... since then, on the engine's clock, ... */
  int64_t waited;    /* ... and has waited so long before, microseconds */
  cw_gate *gate;     /* a reference: that of its origin, with per_host */
  bool placed;       /* it has a place there, and no transfer yet */
  size_t most_here;  /* per_host */
  bool stuck;        /* its response leads where it may not be followed */
  bool renews;       /* its token may be asked for anew, once */
  bool check;        /* any status but 2xx will be refused */
  bool awaiting;     /* the eager rule has been applied */
  bool handed_out;
  bool crowded; /* refused by its option per_host */
} cw_exchange;

/* '*owner' has it until it frees it; NULL: out of memory. Retains 'c'. */
void cw_exchange_new(cw_client *c, cw_exchange **owner);

/* Frees it; its stream must have been released. NULL is fine. */
void cw_exchange_free(cw_exchange *x);

/* How often the request was sent: retries and repetitions by libcurl count,
** redirects and rounds of authentication do not. */
unsigned cw_exchange_attempts(const cw_exchange *x);

/* Goes on where another left off: its attempts and its deadline are this one's
** too. */
void cw_exchange_follow(cw_exchange *x, const cw_exchange *previous);

/* Whether as many as its option per_host allows are open to its origin. */
bool cw_exchange_crowded(cw_exchange *x);

/* Whether 'y', which is open, counts for the per_host of 'x'. */
bool cw_exchange_beside(const cw_exchange *x, const cw_exchange *y);

/* Starts the request (again, after a failure). Every failure is in 'error'. */
void cw_exchange_start(cw_exchange *x);

/* Whether there is a response to be handed out, with its body if the eager
** rule says so; or there will not be one, because it failed. Follows redirects
** and begins retries: what stands is the last. */
bool cw_exchange_stands(cw_exchange *x);

/* Somebody is to give a piece of the content before it can go on: which one,
** and where it is in a form ('*part', from 0). NULL: nobody is. */
cw_content *cw_exchange_hungry(cw_exchange *x, size_t *part);

/* What was given to it, or that it has ended, can be sent. */
void cw_exchange_fed(cw_exchange *x, cw_content *c);

/* The same attempt once more. */
void cw_exchange_restart(cw_exchange *x);

/* A 401 has come to a token that may be stale: with a new one set it is tried
** again, once; or there is none, and the 401 stands. */
bool cw_exchange_stale(cw_exchange *x);
void cw_exchange_renew(cw_exchange *x);
void cw_exchange_keep_refusal(cw_exchange *x, const cw_error *before);

/* Whether it has waited too long for somebody who asks for its token; and then:
** it fails, or its 401 stands. */
bool cw_exchange_overdue(cw_exchange *x);
void cw_exchange_give_up_token(cw_exchange *x, cw_code code, const char *why);

/* Somebody does not want it any more: as an error, now or for its reader. */
void cw_exchange_cancel(cw_exchange *x, const char *why);

/* Ends it before its response; the error is set. */
void cw_exchange_abort(cw_exchange *x);

/* The body that was being read has failed: whether the whole request is worth
** another attempt. Then it waits; until cw_exchange_waits says no, wait. */
bool cw_exchange_retry_body(cw_exchange *x);
static inline bool cw_exchange_waits(const cw_exchange *x) {
  return x->alarm.heap_at != 0;
}

/* Waits a moment for somebody who has nothing yet. */
void cw_exchange_nap(cw_exchange *x);

/* Makes the exchange ready again after 'us' microseconds, for a reader that
** waits for something else than the response. cw_exchange_end_nap ends this
** wait. */
void cw_exchange_nap_for(cw_exchange *x, int64_t us);
void cw_exchange_end_nap(cw_exchange *x);

/* Whether the deadline has passed. */
bool cw_exchange_late(const cw_exchange *x);

/* Whether whoever waits for it, as an opener or a reader, can go on. */
bool cw_exchange_settled(cw_exchange *x);

static inline bool cw_exchange_failed(const cw_exchange *x) {
  return x->error.code != CW_OK && (!x->response.final || x->stuck);
}

/* Whether something has come or gone since this was last asked. */
bool cw_exchange_moved(cw_exchange *x);

/* The next one whose end is to be told; NULL: none. It stays until it was told:
** then it is freed, if nobody has it any more. */
cw_exchange *cw_exchange_next_over(cw_engine *e);
void cw_exchange_told(cw_exchange *x);

/* Its owner is gone: frees it, or leaves it to be told of first. */
void cw_exchange_abandon(cw_exchange *x);
static inline bool cw_exchange_abandoned(const cw_exchange *x) {
  return x->owner == &x->self;
}

/* It is handed out: nobody waits any more, until somebody reads. */
void cw_exchange_hand_out(cw_exchange *x);

/* A reader wants so much of the body next; 'amount' is that of CW_WANT_BYTES. A
** line and all of it are of max_body bytes at most; more bytes than that can be
** had only if the body is shorter. Then: until cw_exchange_ready, wait. Then
** cw_exchange_rest. 'in_turns': the others have a turn when the body's room has
** been read, before libcurl fills it again. */
void cw_exchange_want(cw_exchange *x, cw_want want, uint64_t amount);
bool cw_exchange_ready(cw_exchange *x, bool in_turns);
void cw_exchange_rest(cw_exchange *x);

/* Whether a wait would be in vain: there is more to do before it is known what
** to wait for. */
static inline bool cw_exchange_busy(const cw_exchange *x) {
  return x->body.busy;
}

/* The body cannot be read any further; gives the stream up. */
void cw_exchange_fail(cw_exchange *x, cw_code code, const char *text);

/* Gives the stream up, if there is one; what is held of the body is dropped.
** A leak is recorded, and never drained. */
void cw_exchange_release(cw_exchange *x, cw_end why);

/* The response that was handed out will be refused after all: part of its body
** is awaited. Then: until it stands, wait. */
void cw_exchange_refuse(cw_exchange *x);

/* Makes as much of a refused response's body readable as goes with its error,
** and has come. */
void cw_exchange_show_refused(cw_exchange *x);

/* The task that holds it has ended: gives the stream up; who reads it is told
** so. */
void cw_exchange_leave_task(cw_exchange *x);

/* It was collected, its stream had ended, and nobody had closed it. */
void cw_exchange_count_unclosed(cw_exchange *x);

/* Ends every stream of the client; their readers get 'cancelled'. */
void cw_exchange_close_client(cw_client *c);

/* Ends every stream of the state as leaked at its shutdown, says what leaked on
** standard error, and frees the exchanges whose owners are still there: those
** that a finalizer made when it was too late for another. */
void cw_exchange_shutdown(cw_engine *e);

/* Has what is still open when the process ends reported on standard error. */
void cw_exchange_watch_exit(void);

/* The exchange that 't' works for. */
cw_exchange *cw_exchange_of(cw_transfer *t);

/* Fills in what is known of it now. */
void cw_exchange_record(cw_exchange *x, cw_record *r);

#endif
