/* body: where a response's bytes come from. What has arrived is held here, and
** whether more can come; a transfer fills it, or it was full from the start
** (eager, finished, mocked): to those above it is the same. A coded body is
** decoded here when it is read, no further than is wanted. Knows buf, decoder,
** error, scan.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_BODY_H
#define CURLEW_BODY_H

#include <stdint.h>

#include "buf.h"
#include "decoder.h"
#include "error.h"
#include "scan.h"

enum { CW_BODY_AHEAD = 64 * 1024 }; /* bytes held ahead of the reader */

typedef enum cw_body_state {
  CW_BODY_COMING, /* a transfer may bring more */
  CW_BODY_ENDED,  /* what is held is the rest */
  CW_BODY_FAILED, /* the same, and then comes the error */
  CW_BODY_CLOSED  /* given up by its holder */
} cw_body_state;

/* What a reader waits for; the end of the body will always do as well. */
typedef enum cw_want {
  CW_WANT_BYTES,   /* so many */
  CW_WANT_LINE,    /* all up to a line feed, at most so many before it */
  CW_WANT_NUMERAL, /* what may be a number (io's format "n") */
  CW_WANT_WHOLE    /* all of it, at most so many */
} cw_want;

typedef struct cw_body {
  cw_buf bytes;        /* as they came; its limit is what may be held now */
  bool coded;          /* they are not yet what is read */
  cw_decoder *decoder; /* owned; NULL: none yet, or none needed */
  cw_buf decoded;      /* what the decoder has made */
  bool decoder_ended;  /* it will make no more */
  bool busy;    /* it has more to do before it is known what to wait for */
  size_t ahead; /* bytes that may come while nobody reads */
  cw_want want;
  uint64_t amount; /* of what is wanted */
  size_t piece;    /* length of the line or numeral that was found */
  size_t searched; /* readable bytes that are known to hold no line feed */
  bool no_numeral; /* what was found is too long for one */
  uint64_t came;   /* bytes ever put in */
  uint64_t made;   /* bytes ever decoded, or dropped after the end of that */
  uint64_t read;   /* bytes ever handed out */
  uint64_t most;   /* more than so many in all is an error */
  bool paused;     /* the transfer waits for room */
  cw_body_state state;
  cw_error *error; /* borrowed: where a failure is written */
} cw_body;

/* 'error' is where the body's owner keeps its outcome. */
void cw_body_init(cw_body *b, uint64_t most, size_t ahead, cw_error *error);
void cw_body_clear(cw_body *b);

/* For who fills it -------------------------------------------------------- */

/* Whether 'n' more bytes have to wait until some have been read. */
static inline bool cw_body_full(const cw_body *b, size_t n) {
  bool all = b->want == CW_WANT_WHOLE && !b->coded;
  return !all && n > cw_buf_room(&b->bytes);
}

/* Puts 'n' bytes at the end; false: over a limit or out of memory, and the body
** has failed. Ask cw_body_full first. */
bool cw_body_put(cw_body *b, const char *bytes, size_t n);

/* No more will come: by its end, or ('*b->error' is set) by a failure. */
void cw_body_end(cw_body *b);

/* Given up: what is held is freed, reads have nothing any more. */
void cw_body_close(cw_body *b);

/* It cannot be read any further; what is held is freed, 'error' is set. */
void cw_body_fail(cw_body *b);

/* For who reads it -------------------------------------------------------- */

/* The bytes are coded: 'codings' is the value of Content-Encoding. False: it
** cannot be undone, and the body has failed. */
bool cw_body_decode(cw_body *b, cw_text codings);

/* Says what is wanted next, and makes room for it. */
void cw_body_want(cw_body *b, cw_want want, uint64_t amount);

/* 'declared' bytes are announced in all: makes room for a whole body at once.
** False: too many, or out of memory, and the body has failed. */
bool cw_body_expect(cw_body *b, uint64_t declared);

/* Decodes what is needed and has come. True: what is wanted is there, or will
** never be. False: wait for more, unless 'busy': then call again. */
bool cw_body_ready(cw_body *b);

/* Whether what is wanted is there; otherwise the end has come before it. */
bool cw_body_found(cw_body *b);

/* A line has not ended in all that may be held: lets more in. */
void cw_body_make_room(cw_body *b);

/* The reader is done: nothing is wanted, and no more than usual is held. */
void cw_body_rest(cw_body *b);

/* What can be read. */
static inline const cw_buf *cw_body_readable(const cw_body *b) {
  return b->decoder ? &b->decoded : &b->bytes;
}

/* Lends what can be read; valid until the next call. */
static inline const char *cw_body_peek(const cw_body *b, size_t *n) {
  return cw_buf_peek(cw_body_readable(b), n);
}

/* 'n' bytes have been handed out. */
void cw_body_drop(cw_body *b, size_t n);

/* Bytes that were taken out of a body without a copy. */
typedef struct cw_loan {
  char *bytes; /* owned; a NUL follows them */
  size_t n;
  cw_body *body; /* takes them back; NULL: they have been read */
} cw_loan;

/* Takes out all bytes that can be read now. NULL: out of memory; then nothing
** has changed. */
cw_loan *cw_body_lend(cw_body *b);

/* Ends a loan: the body, which must be empty, takes the bytes back, or they are
** freed. */
void cw_loan_end(cw_loan *loan);

/* How many bytes are held, of either kind. */
static inline size_t cw_body_held(const cw_body *b) {
  return cw_buf_length(&b->bytes) + cw_buf_length(&b->decoded);
}

#endif
