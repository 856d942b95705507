/* body: where a response's bytes come from. Knows buf, decoder, error, scan.
** SPDX-License-Identifier: MIT */
#include "body.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
  PIECE = 16 * 1024, /* decoded at once */
  BUSY_ROUNDS = 64   /* such pieces until somebody else may have a turn */
};

void cw_body_init(cw_body *b, uint64_t most, size_t ahead, cw_error *error) {
  *b = (cw_body){.most = most, .ahead = ahead, .error = error};
  cw_buf_init(&b->bytes, ahead);
  cw_buf_init(&b->decoded, ahead);
}

void cw_body_clear(cw_body *b) {
  cw_buf_clear(&b->bytes);
  cw_buf_clear(&b->decoded);
  cw_decoder_free(b->decoder);
  b->decoder = NULL;
  b->paused = b->busy = false;
}

/* Ending ------------------------------------------------------------------ */

void cw_body_end(cw_body *b) {
  if (b->state != CW_BODY_COMING) return;
  b->state = b->error->code == CW_OK ? CW_BODY_ENDED : CW_BODY_FAILED;
  b->paused = false;
}

void cw_body_close(cw_body *b) {
  cw_body_clear(b);
  b->state = CW_BODY_CLOSED;
}

void cw_body_fail(cw_body *b) {
  cw_body_clear(b);
  b->state = CW_BODY_FAILED;
}

/* What is held comes before the error. */
static bool failed(cw_body *b) {
  b->state = CW_BODY_FAILED;
  b->decoder_ended = true;
  return false;
}

/* The most bytes in all, counted as they are read; says in 'named' what the
** limit is called by. */
static uint64_t limit_of(const cw_body *b, uint64_t *named) {
  uint64_t whole = b->want == CW_WANT_WHOLE ? b->read + b->amount : UINT64_MAX;
  *named = whole < b->most ? b->amount : b->most;
  return whole < b->most ? whole : b->most;
}

static bool too_large(cw_body *b, const char *what, uint64_t most) {
  cw_error_set(b->error, CW_ERR_TOO_LARGE, CW_PHASE_BODY,
               "%s is over max_body, %" PRIu64 " bytes", what, most);
  return failed(b);
}

static bool out_of_memory(cw_body *b) {
  cw_error_set(b->error, CW_ERR_MEMORY, CW_PHASE_BODY,
               "out of memory for the body");
  return failed(b);
}

/* Filling ----------------------------------------------------------------- */

/* Room that was made for a long line ends with it: libcurl may bring megabytes
** before the reader looks again. */
static void end_long_line(cw_body *b, const char *bytes, size_t n) {
  if (b->want != CW_WANT_LINE || b->bytes.limit <= b->ahead) return;
  if (memchr(bytes, '\n', n)) b->bytes.limit = b->ahead;
}

bool cw_body_put(cw_body *b, const char *bytes, size_t n) {
  uint64_t named, most = limit_of(b, &named);
  b->came += n;
  if (!b->coded && b->came > most) return too_large(b, "the body", named);
  if (!cw_buf_append(&b->bytes, bytes, n)) return out_of_memory(b);
  end_long_line(b, bytes, n);
  return true;
}

/* Decoding ---------------------------------------------------------------- */

bool cw_body_decode(cw_body *b, cw_text codings) {
  bool ok = cw_decoder_new(codings, &b->decoder, b->error);
  if (!ok) cw_body_fail(b); /* what is held is not what is read */
  b->coded = b->decoder != NULL;
  return ok;
}

/* Bytes after the end of what was coded are no part of it; they count all the
** same, or they could go on for ever. */
static void drop_rest(cw_body *b) {
  uint64_t named;
  size_t n = cw_buf_length(&b->bytes);
  cw_buf_drop(&b->bytes, n);
  b->made += n;
  if (b->made > limit_of(b, &named)) too_large(b, "the body", named);
}

/* 'made' bytes stand in the room that was lent. */
static void keep(cw_body *b, size_t made) {
  uint64_t named, most = limit_of(b, &named);
  uint64_t allowed = most > b->made ? most - b->made : 0;
  bool over = made > allowed;
  if (over) made = (size_t)allowed;
  b->made += made;
  cw_buf_grew(&b->decoded, made);
  if (over) too_large(b, "the body", named);
}

/* False: it needs bytes that have not come. */
static bool decode_piece(cw_body *b) {
  size_t held, left, made;
  char *room = cw_buf_space(&b->decoded, PIECE);
  if (!room) return out_of_memory(b) || true;
  const char *from = cw_buf_peek(&b->bytes, &held);
  left = held;
  cw_decoding how =
    cw_decoder_pull(b->decoder, &from, &left, b->state == CW_BODY_ENDED, room,
                    PIECE, &made, b->error);
  cw_buf_drop(&b->bytes, held - left);
  keep(b, made);
  if (how == CW_DECODING_FAILED) failed(b);
  b->decoder_ended |= how == CW_DECODING_ENDED ||
                      (how == CW_DECODING_HUNGRY && b->state == CW_BODY_FAILED);
  return how != CW_DECODING_HUNGRY || b->decoder_ended;
}

/* Wanting ----------------------------------------------------------------- */

static size_t sum(uint64_t a, size_t b) {
  return a > SIZE_MAX - b ? SIZE_MAX : (size_t)a + b;
}

/* One more of libcurl's pieces than wanted must fit, or a piece that does not
** would be waiting for the reader, and the reader for it. A line begins with
** the usual room: cw_body_make_room. */
void cw_body_want(cw_body *b, cw_want want, uint64_t amount) {
  bool exact = want == CW_WANT_BYTES || want == CW_WANT_WHOLE;
  size_t limit = exact ? sum(amount, CURL_MAX_WRITE_SIZE) : 0;
  b->want = want;
  b->amount = amount;
  b->searched = 0;
  b->bytes.limit = b->coded || limit < b->ahead ? b->ahead : limit;
  uint64_t needed = want == CW_WANT_NUMERAL ? CW_NUMERAL_MAX : amount;
  limit = sum(needed, 1 + PIECE);
  b->decoded.limit = limit < b->ahead ? b->ahead : limit;
}

bool cw_body_expect(cw_body *b, uint64_t declared) {
  uint64_t named, held = cw_buf_length(&b->bytes);
  /* what has ended is as large as it is: HEAD declares another's length */
  if (b->coded || b->state != CW_BODY_COMING) return true;
  if (declared > limit_of(b, &named)) return too_large(b, "the body", named);
  if (declared <= b->read + held) return true;
  size_t more = (size_t)(declared - b->read - held);
  return cw_buf_reserve(&b->bytes, more) || out_of_memory(b);
}

void cw_body_make_room(cw_body *b) {
  size_t most = sum(b->amount, 1 + CURL_MAX_WRITE_SIZE);
  if (b->want != CW_WANT_LINE || b->coded || b->bytes.limit >= most) return;
  b->bytes.limit = b->bytes.limit > most / 2 ? most : b->bytes.limit * 2;
}

void cw_body_rest(cw_body *b) {
  b->want = CW_WANT_BYTES;
  b->amount = 0;
  b->bytes.limit = b->decoded.limit = b->ahead;
}

/* Looking ----------------------------------------------------------------- */

/* Whether more may be read than what is there now. */
static bool may_grow(const cw_body *b) {
  return b->state == CW_BODY_COMING || (b->decoder && !b->decoder_ended);
}

static bool find_line(cw_body *b) {
  size_t n;
  const char *bytes = cw_body_peek(b, &n);
  const char *end = memchr(bytes + b->searched, '\n', n - b->searched);
  size_t length = end ? (size_t)(end - bytes) : n;
  b->searched = length;
  b->piece = length + 1;
  if (length > b->amount) return too_large(b, "a line", b->amount);
  return end != NULL;
}

static bool find_numeral(cw_body *b) {
  size_t n;
  cw_numeral found;
  const char *bytes = cw_body_peek(b, &n);
  cw_body_drop(b, cw_scan_space(bytes, n));
  bytes = cw_body_peek(b, &n);
  bool last = b->state == CW_BODY_ENDED && !may_grow(b);
  bool sure = cw_scan_numeral(bytes, n, last, &found);
  b->piece = found.length;
  b->no_numeral = !found.fits;
  return sure;
}

bool cw_body_found(cw_body *b) {
  switch (b->want) {
  case CW_WANT_BYTES:
    return cw_buf_length(cw_body_readable(b)) >= b->amount;
  case CW_WANT_LINE:
    return find_line(b);
  case CW_WANT_NUMERAL:
    return find_numeral(b);
  default:
    return false;
  }
}

bool cw_body_ready(cw_body *b) {
  b->busy = false;
  for (int round = 0; !cw_body_found(b); round++) {
    if (b->decoder && b->decoder_ended) drop_rest(b);
    if (!may_grow(b)) return true;
    if (!b->decoder || b->decoder_ended) return false;
    b->busy = round == BUSY_ROUNDS;
    if (b->busy || !decode_piece(b)) return false;
  }
  return true;
}

static cw_buf *readable(cw_body *b) {
  return b->decoder ? &b->decoded : &b->bytes;
}

cw_loan *cw_body_lend(cw_body *b) {
  cw_loan *loan = malloc(sizeof *loan);
  if (!loan) return NULL;
  loan->body = b;
  loan->bytes = cw_buf_detach(readable(b), &loan->n);
  if (!loan->bytes) {
    free(loan);
    return NULL;
  }
  b->read += loan->n;
  b->searched = 0;
  return loan;
}

void cw_loan_end(cw_loan *loan) {
  if (loan->body) {
    cw_buf_attach(readable(loan->body), loan->bytes, loan->n);
    loan->body->read -= loan->n;
  } else {
    free(loan->bytes);
  }
  free(loan);
}

void cw_body_drop(cw_body *b, size_t n) {
  cw_buf *from = readable(b);
  b->read += n;
  b->searched = 0;
  cw_buf_drop(from, n);
  if (cw_buf_length(from) == 0 && from->size > 2 * b->ahead) cw_buf_clear(from);
}
