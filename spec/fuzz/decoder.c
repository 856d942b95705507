/* The decoder under fuzzing: a body is undone cut as the input says and in
** one piece, and both have to come to the same. The input:
**   a byte: how many codings, or (its highest bit) that a list of them follows
**     as text, its length first
**   a byte for each coding
**   two bytes: the pieces of input and the room for output
**   the body
** Test only.
** SPDX-License-Identifier: MIT */

#include <string.h>

#include "../../src/decoder.h"
#include "fuzz.h"

enum {
  ENOUGH = 1024 * 1024, /* output */
  BARREN = 200,         /* calls in a row that take nothing and make nothing */
  LARGEST = 64 * 1024,  /* pieces and rooms */
  GUARD = 16
};

typedef struct input {
  const uint8_t *at;
  size_t n;
} input;

static unsigned next_byte(input *i) {
  if (i->n == 0) return 0;
  i->n--;
  return *i->at++;
}

/* 1 to 128 bytes, or more: about as many of each. */
static size_t next_size(input *i) {
  unsigned b = next_byte(i);
  return b < 128 ? b + 1 : (size_t)LARGEST >> (b & 7);
}

enum { LIST = 8 * 10 };

/* Writes a list that may be too long, and have what is not known in it. */
static cw_text made_list(input *i, unsigned count, char *list) {
  static const char *const names[] = {"gzip", "deflate", "br",  "zstd",
                                      "GZip", "x-gzip",  "x y", "identity"};
  size_t n = 0;
  for (; count > 0; count--) {
    const char *name = names[next_byte(i) % 8];
    n += (size_t)snprintf(list + n, LIST - n, "%s,", name);
  }
  return (cw_text){list, n};
}

static cw_text given_list(input *i) {
  size_t n = next_byte(i);
  if (n > i->n) n = i->n;
  cw_text list = {(const char *)i->at, n};
  i->at += n;
  i->n -= n;
  return list;
}

/* How one run went. */
typedef struct run {
  size_t piece, room;
  cw_decoding state;
  cw_error error;
  size_t made;
  uint32_t sum; /* of the output */
  bool given_up;
} run;

static void take(run *r, const uint8_t *out, size_t n) {
  r->made += n;
  for (size_t i = 0; i < n; i++)
    r->sum = r->sum * 31 + out[i];
}

/* Until it is hungry or over, or it has been enough. */
static void pull(run *r, cw_decoder *d, const char *in, size_t n, bool last) {
  static uint8_t out[LARGEST + GUARD];
  int barren = 0;
  do {
    size_t before = n, made;
    memset(out + r->room, 0xa5, GUARD);
    r->state =
      cw_decoder_pull(d, &in, &n, last, (char *)out, r->room, &made, &r->error);
    MUST(made <= r->room && n <= before);
    for (size_t i = 0; i < GUARD; i++)
      MUST(out[r->room + i] == 0xa5);
    take(r, out, made);
    barren = made > 0 || n < before ? 0 : barren + 1;
    r->given_up = r->made > ENOUGH || barren > BARREN;
  } while (r->state == CW_DECODING_MORE && !r->given_up);
  if (r->state == CW_DECODING_HUNGRY) MUST(n == 0 && !last);
}

static void decode(run *r, cw_text list, input body) {
  cw_decoder *d;
  if (!cw_decoder_new(list, &d, &r->error)) MUST(!d && r->error.code != CW_OK);
  r->state = CW_DECODING_HUNGRY;
  while (d && r->state == CW_DECODING_HUNGRY) {
    size_t n = body.n < r->piece ? body.n : r->piece;
    char *in = malloc(n > 0 ? n : 1);
    MUST(in);
    if (n > 0) memcpy(in, body.at, n);
    body.at += n;
    body.n -= n;
    pull(r, d, in, n, body.n == 0);
    free(in);
  }
  if (r->state == CW_DECODING_FAILED) MUST(r->error.code != CW_OK);
  if (r->state == CW_DECODING_ENDED) MUST(r->error.code == CW_OK);
  cw_decoder_free(d);
}

/* zstd keeps to itself what it made in the call in which it fails; if that was
** all that the next one needed, the cut decides which of both comes first. */
static bool in_a_chain(cw_text list) {
  return list.length > 1 && memchr(list.bytes, ',', list.length - 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  input i = {data, size};
  char names[LIST];
  unsigned first = next_byte(&i);
  cw_text list = first & 128 ? given_list(&i) : made_list(&i, first % 8, names);
  run cut = {.piece = next_size(&i), .room = next_size(&i)};
  run whole = {.piece = LARGEST * 16, .room = LARGEST};
  decode(&cut, list, i);
  decode(&whole, list, i);
  if (cut.given_up || whole.given_up) return 0;
  MUST(in_a_chain(list) || cut.error.code == whole.error.code);
  if (cut.state != CW_DECODING_ENDED) return 0;
  if (whole.state != CW_DECODING_ENDED) return 0;
  MUST(cut.made == whole.made && cut.sum == whole.sum);
  return 0;
}
