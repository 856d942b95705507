/* body: where a response's bytes come from. What has arrived is held here, and
** whether more can come; a transfer fills it, or it was full from the start
** (eager, finished, mocked): to those above it is the same. Knows buf, error.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_BODY_H
#define CURLEW_BODY_H

#include <stdint.h>

#include "buf.h"
#include "error.h"

enum { CW_BODY_AHEAD = 64 * 1024 }; /* bytes held ahead of the reader */

typedef enum cw_body_state {
  CW_BODY_COMING, /* a transfer may bring more */
  CW_BODY_ENDED,  /* what is held is the rest */
  CW_BODY_FAILED, /* the same, and then comes the error */
  CW_BODY_CLOSED  /* given up by its holder */
} cw_body_state;

typedef struct cw_body {
  cw_buf bytes;  /* its limit is what may be held now */
  size_t wanted; /* a reader waits for so many, or for the end */
  uint64_t came; /* bytes ever put in */
  uint64_t read; /* bytes ever handed out */
  uint64_t most; /* more than so many in all is an error */
  bool whole;    /* a reader wants all of it */
  bool paused;   /* the transfer waits for room */
  cw_body_state state;
  cw_error *error; /* borrowed: where a failure is written */
} cw_body;

/* 'error' is where the body's owner keeps its outcome. */
void cw_body_init(cw_body *b, uint64_t most, cw_error *error);
void cw_body_clear(cw_body *b);

/* For who fills it. Puts 'n' bytes at the end; false: over a limit or out of
** memory, and the body has failed. Ask cw_body_fits first. */
bool cw_body_put(cw_body *b, const char *bytes, size_t n);

/* Whether 'n' bytes may be held now; false: wait until some have been read. */
static inline bool cw_body_fits(const cw_body *b, size_t n) {
  return n <= cw_buf_room(&b->bytes);
}

/* No more will come: by its end, or ('*b->error' is set) by a failure. */
void cw_body_end(cw_body *b);

/* Given up: what is held is freed, reads have nothing any more. */
void cw_body_close(cw_body *b);

/* For who reads it. Says that 'n' bytes are wanted in one piece, and makes
** room for them. */
void cw_body_want(cw_body *b, size_t n);

/* Says that all of it is wanted in one piece, at most 'most' bytes; 'declared'
** bytes are announced (-1: unknown). False: out of memory, or it is known
** already that there are too many; the body's error says which. */
bool cw_body_want_whole(cw_body *b, uint64_t most, int64_t declared);

/* The reader is done: nothing is wanted, and no more than usual is held. */
void cw_body_rest(cw_body *b);

/* Whether a reader has what it wanted, or will never have it. */
static inline bool cw_body_ready(const cw_body *b) {
  return b->state != CW_BODY_COMING ||
         (!b->whole && cw_buf_length(&b->bytes) >= b->wanted);
}

/* Lends what has come; valid until the next call. */
static inline const char *cw_body_peek(const cw_body *b, size_t *n) {
  return cw_buf_peek(&b->bytes, n);
}

/* 'n' bytes have been handed out. */
void cw_body_drop(cw_body *b, size_t n);

#endif
