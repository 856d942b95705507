/* decoder_test: the decoder against the libraries' own encoders. Without an
** argument it lists its tests; with the name of one it runs that, says what
** does not hold, and exits with 1 if anything does not. spec/decoder_spec.lua
** is its face. Test only.
** SPDX-License-Identifier: MIT */

#include "../../src/decoder.h"

#include <brotli/encode.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "coder.h"
#include "test.h"

#if defined(__SANITIZE_ADDRESS__) || !defined(__GLIBC__)
#define OWN_MALLOC 0 /* the sanitizer's is in its place; or not known how */
#else
#define OWN_MALLOC 1
#endif

/* Numbers that are the same at each run. */
static uint32_t next_random(uint32_t most) {
  static uint32_t state = 2463534242u;
  state ^= state << 13;
  state ^= state >> 17;
  state ^= state << 5;
  return state % (most + 1);
}

/* Allocations that fail --------------------------------------------------- */

/* How many more succeed before each one fails; negative: all do. */
static int allocations_left = -1;

#if OWN_MALLOC
static bool refused(void) {
  if (allocations_left < 0) return false;
  if (allocations_left == 0) return true;
  allocations_left--;
  return false;
}

void *__libc_malloc(size_t n);            /* NOLINT(bugprone-reserved-*) */
void *__libc_calloc(size_t n, size_t of); /* NOLINT(bugprone-reserved-*) */

/* The libraries find these before libc's. */
void *malloc(size_t n) { return refused() ? NULL : __libc_malloc(n); }

void *calloc(size_t n, size_t of) {
  return refused() ? NULL : __libc_calloc(n, of);
}

static size_t heap_now(void) {
  struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}
#else
static size_t heap_now(void) { return 0; }
#endif

/* Bytes ------------------------------------------------------------------- */

typedef struct bytes {
  char *at;
  size_t n, size;
} bytes;

static bool grow(void *to, const void *more, size_t n) {
  bytes *b = to;
  if (b->n + n > b->size) {
    b->size = (b->n + n) * 2;
    char *at = realloc(b->at, b->size);
    if (!at) abort();
    b->at = at;
  }
  if (n) memcpy(b->at + b->n, more, n);
  b->n += n;
  return true;
}

static bytes copy(const void *from, size_t n) {
  bytes b = {0};
  grow(&b, from, n);
  return b;
}

static void empty(bytes *b) {
  free(b->at);
  *b = (bytes){0};
}

static bool same(const bytes *a, const bytes *b) {
  return a->n == b->n && (a->n == 0 || memcmp(a->at, b->at, a->n) == 0);
}

/* Half of it repeats, half of it does not. */
static bytes sample(size_t n) {
  bytes b = {0};
  while (b.n < n) {
    char c = (char)(b.n / 50 % 2 ? 'a' + (int)(b.n % 7) : 0);
    if (!c) c = (char)(uint8_t)next_random(255);
    grow(&b, &c, 1);
  }
  return b;
}

static bytes encode(const char *coding, const bytes *from) {
  bytes made = {0};
  coder *c = coder_new(coding, false, grow, &made);
  CHECK(c && coder_put(c, from->at, from->n, true));
  coder_free(c);
  return made;
}

/* Decoding ---------------------------------------------------------------- */

typedef struct run {
  const char *codings;
  size_t first;   /* the first piece of input; 0: as the others */
  size_t piece;   /* the others; 0: all that is left */
  size_t room;    /* for output, at a call; 0: 64 KiB */
  bool end_alone; /* that it is the last is said with no input at all */
  bool varied;    /* first, piece and room are the most of random sizes */
  /* what came of it */
  cw_decoding state;
  cw_error error;
  bytes out;
  size_t calls;
  size_t unread; /* of the input, when it had ended */
} run;

static size_t portion(const run *r, size_t size, size_t otherwise) {
  if (size == 0) return otherwise;
  return r->varied ? 1 + next_random((uint32_t)size - 1) : size;
}

/* One piece of input, in memory of exactly its size. */
static void give(run *r, cw_decoder *d, const char *from, size_t n, bool last) {
  char *given = n > 0 ? malloc(n) : NULL;
  if (n > 0) memcpy(given, from, n);
  const char *in = given;
  do {
    size_t room = portion(r, r->room, 64 * 1024), made, before = n;
    char *out = malloc(room);
    if (!out) abort();
    r->state = cw_decoder_pull(d, &in, &n, last, out, room, &made, &r->error);
    CHECK(made <= room && n <= before);
    grow(&r->out, out, made);
    free(out);
    r->calls++;
  } while (r->state == CW_DECODING_MORE);
  CHECK(r->state != CW_DECODING_HUNGRY || (n == 0 && !last));
  r->unread += n;
  free(given);
}

static void give_all(run *r, cw_decoder *d, const bytes *from) {
  size_t at = 0;
  r->state = CW_DECODING_HUNGRY;
  while (r->state == CW_DECODING_HUNGRY) {
    size_t left = from->n - at;
    size_t n = portion(r, at || !r->first ? r->piece : r->first, left);
    if (n > left) n = left;
    bool last = n == left && (!r->end_alone || left == 0);
    give(r, d, from->at ? from->at + at : NULL, n, last);
    at += n;
  }
  r->unread += from->n - at;
}

static void decode(run *r, const bytes *from) {
  cw_decoder *d;
  cw_text codings = {r->codings, strlen(r->codings)};
  r->error.code = CW_OK;
  r->out.n = r->calls = r->unread = 0;
  CHECK(cw_decoder_new(codings, &d, &r->error) && d);
  give_all(r, d, from);
  CHECK((r->state == CW_DECODING_FAILED) == (r->error.code != CW_OK));
  CHECK(r->error.code == CW_OK || r->error.phase == CW_PHASE_BODY);
  cw_decoder_free(d);
}

static bool gives(run *r, const bytes *from, const bytes *wanted) {
  decode(r, from);
  return r->state == CW_DECODING_ENDED && same(&r->out, wanted);
}

static bool fails(run *r, const bytes *from, cw_code code, const char *text) {
  decode(r, from);
  return r->state == CW_DECODING_FAILED && r->error.code == code &&
         strstr(r->error.text, text);
}

/* Every cut in two, and every other way. */
static void check_cuts(run *r, const bytes *from, const bytes *wanted) {
  for (r->first = 1; r->first <= from->n; r->first++) {
    r->end_alone = r->first % 2 == 0;
    CHECK(gives(r, from, wanted));
  }
  r->first = 0;
  for (int i = 0; i < 8; i++) {
    r->piece = i & 1 ? 1 : 0;
    r->room = i & 2 ? 1 : 0;
    r->end_alone = i & 4;
    CHECK(gives(r, from, wanted));
  }
  r->piece = r->room = 0;
}

/* What there is to encode by, and the name that undoes it. */
static const struct {
  const char *by, *coding;
} codings[] = {
  {"gzip", "gzip"},           {"gzip", "x-gzip"}, {"deflate", "deflate"},
  {"raw_deflate", "deflate"}, {"br", "br"},       {"zstd", "zstd"},
};

enum { CODINGS = sizeof codings / sizeof *codings };

static void round_trips(void) {
  for (size_t n = 0; n < 700; n = n * 3 + 1) {
    bytes plain = sample(n);
    for (size_t i = 0; i < CODINGS; i++) {
      bytes encoded = encode(codings[i].by, &plain);
      run r = {.codings = codings[i].coding};
      check_cuts(&r, &encoded, &plain);
      empty(&encoded);
      empty(&r.out);
    }
    empty(&plain);
  }
}

/* Encodes by 'count' random codings, one after the other. */
static bytes encode_chain(size_t count, const bytes *plain, char *list) {
  bytes made = copy(plain->at, plain->n);
  *list = '\0';
  for (size_t i = 0; i < count; i++) {
    size_t one = next_random(CODINGS - 1);
    bytes more = encode(codings[one].by, &made);
    empty(&made);
    made = more;
    if (i > 0) strncat(list, ", ", 3);
    strncat(list, codings[one].coding, 8);
  }
  return made;
}

static void chains(void) {
  for (size_t i = 0; i < 60; i++) {
    char list[80];
    bytes plain = sample(next_random(400));
    bytes encoded = encode_chain(2 + i % 4, &plain, list);
    run r = {.codings = list};
    check_cuts(&r, &encoded, &plain);
    empty(&plain);
    empty(&encoded);
    empty(&r.out);
  }
}

static void big_chains(void) {
  for (size_t i = 0; i < 60; i++) {
    char list[80];
    bytes plain = sample(200 * 1024);
    bytes encoded = encode_chain(1 + i % 5, &plain, list);
    run r = {.codings = list, .piece = 40000, .room = 40000, .varied = i % 3};
    CHECK(gives(&r, &encoded, &plain));
    empty(&plain);
    empty(&encoded);
    empty(&r.out);
  }
}

/* Streams in a row -------------------------------------------------------- */

static void add_encoded(bytes *to, const char *by, const char *text) {
  bytes plain = copy(text, strlen(text)), one = encode(by, &plain);
  grow(to, one.at, one.n);
  empty(&one);
  empty(&plain);
}

/* As gzip(1) writes it, and more: RFC 1952 2.3. */
static void add_named_member(bytes *to, const char *text) {
  unsigned char out[512] = {0}, extra[] = "ab\4\0more", name[] = "name";
  gz_header header = {.extra = extra,
                      .extra_len = sizeof extra - 1,
                      .name = name,
                      .comment = name,
                      .hcrc = 1};
  union {
    const char *read;
    Bytef *given; /* not written to */
  } in = {.read = text};
  z_stream z = {.next_in = in.given,
                .avail_in = (uInt)strlen(text),
                .next_out = out,
                .avail_out = sizeof out};
  CHECK(deflateInit2(&z, 9, Z_DEFLATED, MAX_WBITS + 16, 8, 0) == Z_OK);
  CHECK(deflateSetHeader(&z, &header) == Z_OK);
  CHECK(deflate(&z, Z_FINISH) == Z_STREAM_END);
  grow(to, out, sizeof out - z.avail_out);
  deflateEnd(&z);
}

static void members(void) {
  bytes all = {0}, wanted = copy("one, two, three", 15);
  add_encoded(&all, "gzip", "one, ");
  add_encoded(&all, "gzip", "");
  add_named_member(&all, "two, ");
  add_encoded(&all, "gzip", "three");
  run r = {.codings = "gzip"};
  check_cuts(&r, &all, &wanted);
  empty(&all);
  empty(&wanted);
  empty(&r.out);
}

static void add_skippable(bytes *to, unsigned char kind, unsigned char n) {
  unsigned char frame[8 + 255] = {0x50, 0x2a, 0x4d, 0x18};
  frame[0] |= kind;
  frame[4] = n;
  memset(frame + 8, 0x28, n); /* as a frame begins */
  grow(to, frame, 8u + n);
}

static void frames(void) {
  bytes all = {0}, wanted = copy("one, two", 8);
  add_skippable(&all, 0, 0);
  add_skippable(&all, 15, 200);
  add_encoded(&all, "zstd", "one, ");
  add_skippable(&all, 7, 1);
  add_encoded(&all, "zstd", "");
  add_encoded(&all, "zstd", "two");
  add_skippable(&all, 3, 0);
  run r = {.codings = "zstd"};
  check_cuts(&r, &all, &wanted);
  empty(&all);
  empty(&wanted);
  empty(&r.out);
}

/* Whether what follows each coding's stream is dropped. */
static void check_garbage(const char *garbage, size_t n) {
  bytes wanted = copy("text", 4);
  for (size_t i = 0; i < CODINGS; i++) {
    bytes all = {0};
    add_encoded(&all, codings[i].by, "text");
    grow(&all, garbage, n);
    run r = {.codings = codings[i].coding};
    check_cuts(&r, &all, &wanted);
    empty(&all);
    empty(&r.out);
  }
  empty(&wanted);
}

static void garbage(void) {
  check_garbage("\0\0\0\0\0\0\0\0\0\0\0\0", 12);
  check_garbage("some text", 9);
  check_garbage("\x1f\x8c", 2);
  check_garbage("\x28\xb5\x2f\xfe\x01", 5);
  check_garbage("\x8b\x1f\x8b", 3);
}

/* What begins as another stream is one, and its failures count. */
static void members_broken(void) {
  bytes all = {0};
  add_encoded(&all, "gzip", "one");
  size_t one = all.n;
  add_encoded(&all, "gzip", "two");
  run r = {.codings = "gzip"};
  for (size_t n = all.n; --n > one;) {
    bytes cut = {all.at, n, n};
    CHECK(fails(&r, &cut, CW_ERR_TRUNCATED, "gzip"));
    CHECK(memcmp(r.out.at, "one", 3) == 0);
  }
  all.at[one + 2] = 7; /* the method */
  CHECK(fails(&r, &all, CW_ERR_DECODE, "unknown compression method"));
  all.n = one;
  grow(&all, "\x1f\x8b", 2);
  CHECK(fails(&r, &all, CW_ERR_TRUNCATED, "gzip"));
  all.n = 0;
  add_encoded(&all, "zstd", "one");
  r.codings = "zstd";
  const char magic[] = "\x28\xb5\x2f\xfd";
  for (size_t n = 0; n < 4; n++) {
    grow(&all, &magic[n], 1);
    CHECK(fails(&r, &all, CW_ERR_TRUNCATED, "zstd"));
  }
  grow(&all, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 14);
  CHECK(fails(&r, &all, CW_ERR_DECODE, "zstd"));
  empty(&all);
  empty(&r.out);
}

/* Broken streams ---------------------------------------------------------- */

/* In a list an inner stream may be complete before the end of the outer ones:
** then what misses is not asked for, and not missed. */
static void check_prefixes(const char *list, const bytes *from,
                           const bytes *plain) {
  run r = {.codings = list};
  for (size_t n = 1; n < from->n; n++) {
    bytes cut = {from->at, n, n};
    r.end_alone = n % 2;
    bool truncated =
      fails(&r, &cut, CW_ERR_TRUNCATED, "body ended before its end");
    bool complete = r.state == CW_DECODING_ENDED && same(&r.out, plain);
    CHECK(truncated || (complete && strchr(list, ',')));
  }
  bytes none = {0};
  CHECK(gives(&r, &none, &none));
  empty(&r.out);
}

static void prefixes(void) {
  for (size_t n = 0; n < 3000; n = n * 5 + 1) {
    bytes plain = sample(n);
    for (size_t i = 0; i < CODINGS; i++) {
      bytes encoded = encode(codings[i].by, &plain);
      check_prefixes(codings[i].coding, &encoded, &plain);
      empty(&encoded);
    }
    for (size_t i = 2; i <= 5; i++) {
      char list[80];
      bytes encoded = encode_chain(i, &plain, list);
      check_prefixes(list, &encoded, &plain);
      empty(&encoded);
    }
    empty(&plain);
  }
}

/* An inner stream that ends in itself, in an outer one that is whole. */
static void prefixes_inside(void) {
  bytes plain = sample(500), inner = encode("br", &plain);
  run r = {.codings = "br, gzip"};
  for (size_t n = 1; n < inner.n; n++) {
    bytes cut = {inner.at, n, n}, outer = encode("gzip", &cut);
    CHECK(fails(&r, &outer, CW_ERR_TRUNCATED, "the br body"));
    empty(&outer);
  }
  empty(&plain);
  empty(&inner);
  empty(&r.out);
}

/* Never a crash; where there is a checksum, never other bytes either. */
static void flips(void) {
  bytes plain = sample(300);
  for (size_t i = 0; i < CODINGS; i++) {
    bytes encoded = encode(codings[i].by, &plain);
    run r = {.codings = codings[i].coding};
    bool sure =
      strcmp(codings[i].by, "gzip") == 0 || strcmp(codings[i].by, "zstd") == 0;
    for (size_t bit = 0; bit < encoded.n * 8; bit++) {
      encoded.at[bit / 8] = (char)(encoded.at[bit / 8] ^ (1 << bit % 8));
      r.piece = bit % 2;
      decode(&r, &encoded);
      bool ended = r.state == CW_DECODING_ENDED;
      CHECK(ended || r.state == CW_DECODING_FAILED);
      CHECK(!ended || !sure || same(&r.out, &plain));
      encoded.at[bit / 8] = (char)(encoded.at[bit / 8] ^ (1 << bit % 8));
    }
    empty(&encoded);
    empty(&r.out);
  }
  empty(&plain);
}

/* Stored blocks whose padding looks like the beginning of a zlib header: the
** one is no multiple of 31, the other has a window of 8 MiB. */
static void raw_like_zlib(void) {
  bytes ab = copy("\x78\2\0\xfd\xff"
                  "ab\3\0",
                  9);
  bytes none = copy("\xf8\0\0\xff\xff\3\0", 7);
  bytes wanted = copy("ab", 2), nothing = {0};
  run r = {.codings = "deflate"};
  check_cuts(&r, &ab, &wanted);
  check_cuts(&r, &none, &nothing);
  empty(&ab);
  empty(&none);
  empty(&wanted);
  empty(&r.out);
}

static void strangers(void) {
  bytes text = copy("no stream at all", 16), one = copy("\x78", 1);
  run r = {.codings = "gzip"};
  CHECK(fails(&r, &text, CW_ERR_DECODE, "gzip body is corrupt: unknown"));
  r.codings = "zstd";
  CHECK(fails(&r, &text, CW_ERR_DECODE, "zstd body is corrupt: unknown"));
  r.codings = "deflate";
  CHECK(fails(&r, &text, CW_ERR_DECODE, "deflate body is corrupt: "));
  CHECK(fails(&r, &one, CW_ERR_TRUNCATED, "deflate"));
  one.at[0] = 7;
  CHECK(fails(&r, &one, CW_ERR_DECODE, "invalid block type"));
  r.codings = "br";
  CHECK(fails(&r, &text, CW_ERR_DECODE, "br body is corrupt: "));
  empty(&text);
  empty(&one);
  empty(&r.out);
}

static void fails_on(void) {
  cw_decoder *d;
  cw_error first = {0}, second = {0};
  CHECK(cw_decoder_new((cw_text){"gzip", 4}, &d, &first));
  const char *in = "text";
  char out[8];
  size_t n = 4, made = 1;
  CHECK(cw_decoder_pull(d, &in, &n, false, out, 8, &made, &first) ==
        CW_DECODING_FAILED);
  CHECK(made == 0 && first.code == CW_ERR_DECODE);
  n = 0;
  CHECK(cw_decoder_pull(d, &in, &n, true, out, 8, &made, &second) ==
        CW_DECODING_FAILED);
  CHECK(second.code == CW_ERR_DECODE && strcmp(first.text, second.text) == 0);
  cw_decoder_free(d);
}

static void ends_on(void) {
  cw_decoder *d;
  cw_error e = {0};
  bytes all = {0};
  add_encoded(&all, "br", "text");
  CHECK(cw_decoder_new((cw_text){"br", 2}, &d, &e));
  const char *in = all.at;
  char out[8];
  size_t n = all.n, made;
  CHECK(cw_decoder_pull(d, &in, &n, false, out, 8, &made, &e) ==
        CW_DECODING_ENDED);
  CHECK(made == 4 && n == 0 && in == all.at + all.n);
  in = "more";
  n = 4;
  CHECK(cw_decoder_pull(d, &in, &n, true, out, 8, &made, &e) ==
        CW_DECODING_ENDED);
  CHECK(made == 0 && e.code == CW_OK);
  cw_decoder_free(d);
  empty(&all);
}

/* Lists ------------------------------------------------------------------- */

static bool is_identity(const char *list) {
  cw_error e = {0};
  cw_decoder *d = (cw_decoder *)&e;
  cw_text text = {list, list ? strlen(list) : 0};
  return cw_decoder_new(text, &d, &e) && !d && e.code == CW_OK;
}

static bool refuses(const char *list, const char *says) {
  cw_error e = {0};
  cw_decoder *d = (cw_decoder *)&e;
  bool refused = !cw_decoder_new((cw_text){list, strlen(list)}, &d, &e);
  return refused && !d && e.code == CW_ERR_DECODE && e.phase == CW_PHASE_BODY &&
         strstr(e.text, says);
}

static void lists(void) {
  CHECK(is_identity(NULL));
  CHECK(is_identity(""));
  CHECK(is_identity(" ,\t,, "));
  CHECK(is_identity("identity"));
  CHECK(is_identity(" Identity , IDENTITY,"));
  CHECK(refuses("foo", "'foo' is not known"));
  CHECK(refuses("gzip, compress", "'compress'"));
  CHECK(refuses("gzip br", "'gzip br'"));
  CHECK(refuses("gzip;q=1", "'gzip;q=1'"));
  CHECK(refuses("gz\x01\x7f\xc3-\n", "'gz?"
                                     "?"
                                     "?-?'"));
  CHECK(refuses("0123456789abcdef0123456789ABCDEFgone, gzip",
                "'0123456789abcdef0123456789ABCDEF'"));
  CHECK(refuses("gzip, br, gzip, br, gzip, br", "more than 5"));
  CHECK(refuses("br,br,br,br,br,br,br,br,foo", "more than 5"));
  CHECK(strcmp(CW_DECODER_ACCEPTED, "gzip, deflate, br, zstd") == 0);
}

static void lists_undone(void) {
  bytes plain = copy("text", 4), one = encode("gzip", &plain);
  bytes two = encode("br", &one), three = encode("gzip", &two);
  bytes four = encode("gzip", &three), five = encode("zstd", &four);
  run r = {.codings = " ,identity, GZIP,\tBr , identity, X-GZip,"
                      "gzip, identity, zStd, "};
  CHECK(gives(&r, &five, &plain));
  r.codings = "zstd, gzip, gzip, br, gzip";
  CHECK(fails(&r, &five, CW_ERR_DECODE, "gzip"));
  empty(&plain);
  empty(&one);
  empty(&two);
  empty(&three);
  empty(&four);
  empty(&five);
  empty(&r.out);
}

/* Limits ------------------------------------------------------------------ */

static bytes zstd_of_window(int log, const bytes *plain) {
  static char out[4096];
  ZSTD_CCtx *c = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(c, ZSTD_c_windowLog, log);
  ZSTD_inBuffer in = {.src = plain->at, .size = plain->n};
  ZSTD_outBuffer to = {.dst = out, .size = sizeof out};
  /* without its end the size is not known, and the window stays */
  ZSTD_compressStream2(c, &to, &in, ZSTD_e_continue);
  CHECK(ZSTD_compressStream2(c, &to, &in, ZSTD_e_end) == 0);
  ZSTD_freeCCtx(c);
  return copy(out, to.pos);
}

static bytes br_of_window(uint32_t log, const bytes *plain) {
  static uint8_t buffer[4096];
  BrotliEncoderState *s = BrotliEncoderCreateInstance(NULL, NULL, NULL);
  BrotliEncoderSetParameter(s, BROTLI_PARAM_LARGE_WINDOW, log > 24);
  BrotliEncoderSetParameter(s, BROTLI_PARAM_QUALITY, 5);
  BrotliEncoderSetParameter(s, BROTLI_PARAM_LGWIN, log);
  const uint8_t *in = (const uint8_t *)plain->at;
  uint8_t *out = buffer;
  size_t n = plain->n, room = sizeof buffer;
  CHECK(BrotliEncoderCompressStream(s, BROTLI_OPERATION_FINISH, &n, &in, &room,
                                    &out, NULL));
  BrotliEncoderDestroyInstance(s);
  return copy(buffer, sizeof buffer - room);
}

static void windows(void) {
  bytes plain = sample(1000);
  bytes most = zstd_of_window(23, &plain), more = zstd_of_window(24, &plain);
  run r = {.codings = "zstd"};
  CHECK(gives(&r, &most, &plain));
  CHECK(fails(&r, &more, CW_ERR_DECODE, "too much memory"));
  empty(&most);
  empty(&more);
  most = br_of_window(24, &plain);
  more = br_of_window(25, &plain);
  r.codings = "br";
  CHECK(gives(&r, &most, &plain));
  CHECK(fails(&r, &more, CW_ERR_DECODE, "br"));
  empty(&most);
  empty(&more);
  empty(&plain);
  empty(&r.out);
}

/* Formats that the library may know, and dictionaries that nobody gave. */
static void no_others(void) {
  static const char old[] = "\x27\xb5\x2f\xfd and so on";
  static const char with_dictionary[] = "\x28\xb5\x2f\xfd\x21\x42\x01\x09\0\0x";
  static const char zlib_dictionary[] = "\x78\xbb\1\2\3\4\5\6\7\x8";
  bytes b = copy(old, sizeof old - 1);
  run r = {.codings = "zstd"};
  CHECK(fails(&r, &b, CW_ERR_DECODE, "unknown header"));
  empty(&b);
  b = copy(with_dictionary, sizeof with_dictionary - 1);
  CHECK(fails(&r, &b, CW_ERR_DECODE, "ictionary"));
  empty(&b);
  b = copy(zlib_dictionary, sizeof zlib_dictionary - 1);
  r.codings = "deflate";
  CHECK(fails(&r, &b, CW_ERR_DECODE, "dictionary"));
  empty(&b);
  empty(&r.out);
}

/* A frame whose header goes on, after its magic, as a skippable frame that is
** there in one piece: it is no such frame. */
static void zstd_header_like_frame(void) {
  enum { SIZE = 0x184d + 256, REST = 60000 };
  static const char frame[] = "\x28\xb5\x2f\xfd"
                              "\x50\x2a\x4d\x18"
                              "\x6b\xca\0\0"; /* one block, a run of zeros */
  bytes all = copy(frame, 12), wanted = {calloc(1, SIZE), SIZE, SIZE};
  char *rest = calloc(1, REST);
  if (!rest) abort();
  grow(&all, rest, REST);
  run r = {.codings = "zstd"};
  CHECK(gives(&r, &all, &wanted));
  r.piece = 1;
  CHECK(gives(&r, &all, &wanted));
  free(rest);
  empty(&wanted);
  empty(&all);
  empty(&r.out);
}

static bytes encode_zeros(const char *coding, size_t n) {
  static char zeros[1024 * 1024];
  bytes made = {0};
  coder *c = coder_new(coding, true, grow, &made);
  for (; n > sizeof zeros; n -= sizeof zeros)
    CHECK(coder_put(c, zeros, sizeof zeros, false));
  CHECK(coder_put(c, zeros, n, true));
  coder_free(c);
  return made;
}

/* Pulls all of it 8 KiB at a time; returns how much came. The heap does not
** grow once the first of it has come. */
static size_t pull_bomb(const char *list, const bytes *from) {
  static char out[8 * 1024];
  cw_decoder *d;
  cw_error e = {0};
  CHECK(cw_decoder_new((cw_text){list, strlen(list)}, &d, &e));
  const char *in = from->at;
  size_t n = from->n, made, all = 0, heap = 0;
  cw_decoding state = CW_DECODING_MORE;
  while (state == CW_DECODING_MORE) {
    state = cw_decoder_pull(d, &in, &n, true, out, sizeof out, &made, &e);
    if (all == 0 && made > 0) heap = heap_now();
    CHECK(all == 0 || heap_now() <= heap + 1024 * 1024);
    all += made;
  }
  CHECK(state == CW_DECODING_ENDED);
  cw_decoder_free(d);
  return all;
}

static void bombs(void) {
  enum { SIZE = 64 * 1024 * 1024 };
  for (size_t i = 0; i < CODINGS; i++) {
    bytes bomb = encode_zeros(codings[i].by, SIZE);
    CHECK(bomb.n < SIZE / 200);
    CHECK(pull_bomb(codings[i].coding, &bomb) == SIZE);
    bytes twice = encode("gzip", &bomb);
    char list[80];
    snprintf(list, sizeof list, "%s, gzip", codings[i].coding);
    CHECK(pull_bomb(list, &twice) == SIZE);
    empty(&twice);
    empty(&bomb);
  }
}

/* Work without output is cut into pieces as well: here 16 MiB of nothing. */
static void bounded_work(void) {
  enum { FRAMES = 1 << 21, LEAST = (FRAMES / (16 * 1024)) * 8 / 64 };
  bytes nothing = {0}, wanted = {0};
  for (int i = 0; i < FRAMES; i++)
    add_skippable(&nothing, 0, 0);
  bytes outer = encode("gzip", &nothing);
  run r = {.codings = "zstd, gzip"};
  CHECK(gives(&r, &outer, &wanted));
  CHECK(r.calls >= LEAST);
  empty(&nothing);
  empty(&outer);
  empty(&r.out);
}

/* Memory that there is not ------------------------------------------------ */

/* Decodes with no more than 'left' allocations; true: that was enough. */
static bool decode_with(int left, const char *list, const bytes *from) {
  static char out[64 * 1024];
  cw_decoder *d;
  cw_error e = {0};
  const char *in = from->at;
  size_t n = from->n, made;
  allocations_left = left;
  cw_decoding state = CW_DECODING_FAILED;
  if (cw_decoder_new((cw_text){list, strlen(list)}, &d, &e)) do {
      state = cw_decoder_pull(d, &in, &n, true, out, sizeof out, &made, &e);
    } while (state == CW_DECODING_MORE);
  cw_decoder_free(d);
  allocations_left = -1;
  CHECK(state == CW_DECODING_ENDED || e.code == CW_ERR_MEMORY);
  return state == CW_DECODING_ENDED;
}

static void no_memory(void) {
  bytes plain = sample(300 * 1024);
  for (size_t i = 0; i < CODINGS * 2; i++) {
    char list[80];
    bytes encoded = encode_chain(1 + i % 5, &plain, list);
    int left = 0;
    while (!decode_with(left, list, &encoded) && left < 1000)
      left++;
    CHECK(left < 1000 && (left > 1 || !OWN_MALLOC));
    empty(&encoded);
  }
  for (size_t i = 0; i < CODINGS; i++) {
    bytes encoded = encode(codings[i].by, &plain);
    int left = 0;
    while (!decode_with(left, codings[i].coding, &encoded) && left < 1000)
      left++;
    CHECK(left < 1000);
    empty(&encoded);
  }
  empty(&plain);
}

/* The list ---------------------------------------------------------------- */

static const test tests[] = {
  {"undoes each coding, cut anywhere", round_trips},
  {"undoes lists of up to five, cut anywhere", chains},
  {"undoes what is larger than its buffers", big_chains},
  {"goes on with further gzip members", members},
  {"goes on with further zstd frames, and skips some", frames},
  {"drops what follows and is no stream", garbage},
  {"counts the failures of further streams", members_broken},
  {"knows each prefix for truncated", prefixes},
  {"knows what is truncated inside of a whole stream", prefixes_inside},
  {"survives each flipped bit", flips},
  {"knows what is no stream of a coding", strangers},
  {"tells raw deflate from zlib's", raw_like_zlib},
  {"fails for good", fails_on},
  {"ends for good", ends_on},
  {"reads lists of codings", lists},
  {"undoes lists from right to left", lists_undone},
  {"takes no window beyond the limit", windows},
  {"takes no old zstd, and no dictionary", no_others},
  {"takes no part of a zstd header for a frame", zstd_header_like_frame},
  {"holds no more of a bomb than its windows", bombs},
  {"returns from work that makes nothing", bounded_work},
  {"says when there is no memory", no_memory},
};

int main(int argc, char **argv) {
  return run_tests(tests, sizeof tests / sizeof *tests, argc, argv);
}
