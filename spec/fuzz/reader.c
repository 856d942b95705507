/* The reader's side of a body under fuzzing: fed in pieces and read in wants as
** the input says, it has to give what a reader of the same bytes in one piece
** gets. The input:
**   a byte: the coding; its highest bit: the transfer fails at the end
**   a byte: how many steps follow, over and over again
**   two bytes a step: what is wanted and how much, how much comes if it waits
**   the body
** Test only.
** SPDX-License-Identifier: MIT */

#include <string.h>

#include "../../src/body.h"
#include "fuzz.h"

enum { ENOUGH = 1024 * 1024, AHEAD = 1024, MOST_PIECE = CURL_MAX_WRITE_SIZE };

typedef struct text {
  const char *at;
  size_t n;
} text;

typedef struct step {
  cw_want want;
  uint64_t amount;
  size_t piece;
} step;

static step step_of(const uint8_t *two) {
  static const cw_want wants[] = {CW_WANT_BYTES, CW_WANT_LINE, CW_WANT_NUMERAL,
                                  CW_WANT_WHOLE};
  unsigned amount = two[0] >> 2;
  return (step){.want = wants[two[0] & 3],
                .amount = amount < 48 ? amount : 1u << (amount - 36),
                .piece = two[1] < 128 ? two[1] + 1u
                                      : (size_t)MOST_PIECE >> (two[1] & 7)};
}

/* All of the body at once: what there is to be read. */
static char *decode_all(cw_text coding, text in, size_t *made, cw_error *e) {
  cw_decoder *d;
  cw_decoding state = CW_DECODING_MORE;
  char *out = malloc(ENOUGH);
  MUST(out && cw_decoder_new(coding, &d, e) && d);
  *made = 0;
  while (state == CW_DECODING_MORE && *made < ENOUGH) {
    size_t n;
    state = cw_decoder_pull(d, &in.at, &in.n, true, out + *made, ENOUGH - *made,
                            &n, e);
    *made += n;
  }
  cw_decoder_free(d);
  return out;
}

/* What a want gets of bytes that are all there; false: the end came first. */
static bool refer(const step *s, text *all, text *got, bool whole) {
  const char *end;
  cw_numeral numeral;
  if (s->want == CW_WANT_NUMERAL) {
    size_t space = cw_scan_space(all->at, all->n);
    all->at += space;
    all->n -= space;
  }
  *got = *all;
  switch (s->want) {
  case CW_WANT_BYTES:
    if (all->n >= s->amount) got->n = (size_t)s->amount;
    return all->n >= s->amount;
  case CW_WANT_LINE:
    end = all->n ? memchr(all->at, '\n', all->n) : NULL;
    if (end) got->n = (size_t)(end - all->at) + 1;
    return end != NULL;
  case CW_WANT_NUMERAL:
    if (!cw_scan_numeral(all->at, all->n, whole, &numeral)) return false;
    *got = (text){all->at, numeral.length};
    return true;
  default:
    return false;
  }
}

/* One piece of what is still to come, or the end. */
static void feed(cw_body *b, text *rest, size_t piece, bool fails) {
  size_t n = piece < rest->n ? piece : rest->n;
  if (b->state != CW_BODY_COMING) return;
  if (rest->n == 0) {
    if (fails) cw_error_set(b->error, CW_ERR_CLOSED, CW_PHASE_BODY, "the end");
    cw_body_end(b);
    return;
  }
  if (cw_body_full(b, n)) {
    cw_body_make_room(b);
    if (cw_body_full(b, n)) n = cw_buf_room(&b->bytes);
    MUST(n > 0); /* or both would wait for ever */
  }
  MUST(cw_body_put(b, rest->at, n) || b->state == CW_BODY_FAILED);
  rest->at += n;
  rest->n -= n;
}

/* What the body gives; as much as the other way. */
static void compare(cw_body *b, bool found, text got) {
  size_t n, length = got.n;
  const char *bytes = cw_body_peek(b, &n);
  if (found && b->want == CW_WANT_LINE) MUST(b->piece == length);
  if (found && b->want == CW_WANT_NUMERAL) MUST(b->piece == length);
  MUST(found ? n >= length : n == length);
  MUST(length == 0 || memcmp(bytes, got.at, length) == 0);
  cw_body_drop(b, length);
}

static void read_on(cw_body *b, text rest, text all, const uint8_t *steps,
                    size_t count, bool fails) {
  for (size_t i = 0; i < 1000; i++) {
    text got;
    step s = step_of(steps + 2 * (i % count));
    uint64_t amount = s.want == CW_WANT_BYTES ? s.amount : ENOUGH * 2;
    cw_body_want(b, s.want, amount);
    while (!cw_body_ready(b))
      if (!b->busy) feed(b, &rest, s.piece, fails);
    bool found = cw_body_found(b);
    bool ends = b->error->code == CW_OK;
    MUST(found == refer(&s, &all, &got, ends));
    compare(b, found, got);
    all.at += got.n;
    all.n -= got.n;
    cw_body_rest(b);
    if (!found) return;
  }
}

/* Of what fails half-way it depends on the pieces how much comes before. */
static void read_through(cw_body *b, text rest, bool fails) {
  bool found = true;
  while (found) {
    cw_body_want(b, CW_WANT_BYTES, 4096);
    while (!cw_body_ready(b))
      if (!b->busy) feed(b, &rest, 1000, fails);
    found = cw_body_found(b);
    cw_body_drop(b, cw_buf_length(cw_body_readable(b)));
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char *const codings[] = {"", "gzip", "deflate", "br", "zstd"};
  if (size < 4) return 0;
  size_t count = data[1] % 16 + 1u;
  if (size < 2 + 2 * count) return 0;
  const char *name = codings[(data[0] & 127) % 5];
  bool fails = data[0] & 128;
  text rest = {(const char *)data + 2 + 2 * count, size - 2 - 2 * count};
  text all = rest;
  char *made = NULL;
  cw_error error = {.code = CW_OK}, other = {.code = CW_OK};
  cw_text coding = {name, strlen(name)};
  if (*name) {
    made = decode_all(coding, rest, &all.n, &other);
    all.at = made;
  }
  cw_body b;
  cw_body_init(&b, UINT64_MAX, AHEAD, &error);
  b.coded = *name != '\0';
  if (b.coded) MUST(cw_body_decode(&b, coding));
  if (all.n < ENOUGH && other.code == CW_OK && !(fails && b.coded))
    read_on(&b, rest, all, data + 2, count, fails);
  else
    read_through(&b, rest, fails);
  cw_body_clear(&b);
  free(made);
  return 0;
}
