/* decoder: Content-Encoding undone, pulled. A stage undoes one coding; between
** two there is a buffer, filled only when it is empty and its reader hungry.
** Knows zlib, brotli, zstd.
** SPDX-License-Identifier: MIT */
#include "decoder.h"

#define ZLIB_CONST
#include <brotli/decode.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "coding.h"

enum {
  BETWEEN = 16 * 1024,      /* bytes between two stages */
  START_MAX = 4,            /* bytes that tell what begins; zstd's magic */
  NAME_SHOWN = 32,          /* of a coding that is not known */
  ZSTD_WINDOW_LOG_MAX = 23, /* 8 MiB: RFC 9659 allows no more */
  ZSTD_HEADER = 14          /* the most bytes of a frame's after its magic */
};

/* What a step works on; moved on by what it takes and makes. */
typedef struct flow {
  const char *in;
  size_t n;
  bool last; /* nothing comes after these */
  char *out;
  size_t room;
} flow;

typedef enum guess { IT_IS_NOT, IT_MAY_BE, IT_IS } guess;

typedef struct stage stage;

typedef struct coding {
  const char *name;
  size_t start; /* bytes that tell whether a stream begins */
  bool several; /* streams may follow each other */
  guess (*looks)(const unsigned char *start, size_t n, bool last);
  bool (*create)(stage *s);
  void (*begin)(stage *s); /* another stream */
  /* One call of the library: HUNGRY where it took all and has no more. */
  cw_decoding (*decode)(stage *s, flow *f);
  void (*destroy)(stage *s); /* what is zero, and what is half made, too */
} coding;

struct stage {
  const coding *coding;
  union {
    z_stream z;
    BrotliDecoderState *br;
    ZSTD_DCtx *zstd;
  } lib;             /* owned */
  cw_decoding state; /* what its last step said */
  cw_error error;    /* when that is that it failed */
  bool inside;       /* a stream has begun */
  bool later;        /* one has ended: what is no stream is not ours */
  unsigned char start[START_MAX];
  size_t singly;    /* zstd: bytes of a header that went in one by one */
  size_t held, fed; /* bytes in 'start'; how many the library has */
  char *between;    /* owned; its input; NULL: the first one, it is given */
  const char *in;   /* what is unread of it */
  size_t unread;
};

struct cw_decoder {
  bool last; /* what was given is the rest */
  size_t count;
  stage stages[CW_CODINGS_MAX]; /* as they undo: the first takes what comes */
};

static void move(flow *f, size_t taken, size_t made) {
  f->in += taken;
  f->n -= taken;
  f->out += made;
  f->room -= made;
}

/* Failures ---------------------------------------------------------------- */

static void out_of_memory(cw_error *e) {
  cw_error_set(e, CW_ERR_MEMORY, CW_PHASE_BODY,
               "out of memory for undoing the body's encoding");
}

static cw_decoding starved(stage *s) {
  out_of_memory(&s->error);
  return CW_DECODING_FAILED;
}

static cw_decoding truncated(stage *s) {
  cw_error_set(&s->error, CW_ERR_TRUNCATED, CW_PHASE_BODY,
               "the %s body ended before its end", s->coding->name);
  return CW_DECODING_FAILED;
}

/* 'reason' is the library's, NULL where it has none. */
static cw_decoding corrupt(stage *s, const char *reason) {
  cw_error_set(&s->error, CW_ERR_DECODE, CW_PHASE_BODY,
               "the %s body is corrupt%s%s", s->coding->name,
               reason ? ": " : "", reason ? reason : "");
  return CW_DECODING_FAILED;
}

/* gzip and deflate -------------------------------------------------------- */

enum { RAW = -MAX_WBITS, ZLIB = MAX_WBITS, GZIP = MAX_WBITS + 16 };

static guess gzip_looks(const unsigned char *start, size_t n, bool last) {
  static const unsigned char magic[] = {0x1f, 0x8b};
  (void)last;
  if (memcmp(start, magic, n) != 0) return IT_IS_NOT;
  return n == sizeof magic ? IT_IS : IT_MAY_BE;
}

/* Without a header of its own anything may be deflate. A single byte is raw:
** too short for either, and raw has the better reason. */
static guess deflate_looks(const unsigned char *start, size_t n, bool last) {
  (void)start;
  return n < 2 && !last ? IT_MAY_BE : IT_IS;
}

/* RFC 1950 2.2. A raw stream could begin so only with a stored block whose
** padding is not zero, which no encoder writes. */
static bool has_zlib_header(const stage *s) {
  unsigned method = s->start[0] & 15u, window = s->start[0] >> 4;
  unsigned both = s->start[0] * 256u + s->start[1];
  return s->held == 2 && method == Z_DEFLATED && window <= 7 && both % 31 == 0;
}

static bool inflate_create(stage *s) {
  return inflateInit2(&s->lib.z, GZIP) == Z_OK;
}

static void gzip_begin(stage *s) { inflateReset(&s->lib.z); }

static void deflate_begin(stage *s) {
  inflateReset2(&s->lib.z, has_zlib_header(s) ? ZLIB : RAW);
}

static cw_decoding inflate_failed(stage *s, int result) {
  if (result == Z_MEM_ERROR) return starved(s);
  if (result == Z_NEED_DICT) return corrupt(s, "it wants a dictionary");
  return corrupt(s, s->lib.z.msg);
}

static uInt at_most(size_t n) { return n < UINT_MAX ? (uInt)n : UINT_MAX; }

static cw_decoding inflate_some(stage *s, flow *f) {
  z_stream *z = &s->lib.z;
  uInt n = at_most(f->n), room = at_most(f->room);
  z->next_in = (const Bytef *)f->in;
  z->avail_in = n;
  z->next_out = (Bytef *)f->out;
  z->avail_out = room;
  int result = inflate(z, Z_NO_FLUSH);
  move(f, n - z->avail_in, room - z->avail_out);
  if (result == Z_STREAM_END) return CW_DECODING_ENDED;
  /* Z_BUF_ERROR is none: there was nothing to do */
  if (result != Z_OK && result != Z_BUF_ERROR) return inflate_failed(s, result);
  bool idle = z->avail_in == 0 && z->avail_out > 0;
  return idle ? CW_DECODING_HUNGRY : CW_DECODING_MORE;
}

static void inflate_destroy(stage *s) { inflateEnd(&s->lib.z); }

/* br ---------------------------------------------------------------------- */

static guess br_looks(const unsigned char *start, size_t n, bool last) {
  (void)start, (void)n, (void)last;
  return IT_IS; /* it has no magic */
}

/* A large window (up to 1 GiB) is not of RFC 7932, and off by default. */
static bool br_create(stage *s) {
  s->lib.br = BrotliDecoderCreateInstance(NULL, NULL, NULL);
  return s->lib.br != NULL;
}

static void br_begin(stage *s) { (void)s; }

static cw_decoding br_failed(stage *s) {
  BrotliDecoderErrorCode code = BrotliDecoderGetErrorCode(s->lib.br);
  if (code <= BROTLI_DECODER_ERROR_ALLOC_CONTEXT_MODES &&
      code >= BROTLI_DECODER_ERROR_ALLOC_BLOCK_TYPE_TREES)
    return starved(s);
  return corrupt(s, BrotliDecoderErrorString(code));
}

static cw_decoding br_some(stage *s, flow *f) {
  size_t n = f->n, room = f->room;
  const uint8_t *in = (const uint8_t *)f->in;
  uint8_t *out = (uint8_t *)f->out;
  BrotliDecoderResult result =
    BrotliDecoderDecompressStream(s->lib.br, &n, &in, &room, &out, NULL);
  move(f, f->n - n, f->room - room);
  switch (result) {
  case BROTLI_DECODER_RESULT_SUCCESS:
    return CW_DECODING_ENDED;
  case BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT:
    return CW_DECODING_HUNGRY;
  case BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT:
    return CW_DECODING_MORE;
  default:
    return br_failed(s);
  }
}

static void br_destroy(stage *s) { BrotliDecoderDestroyInstance(s->lib.br); }

/* zstd -------------------------------------------------------------------- */

/* The library may know frames from before RFC 8878 by their own magics, and
** heeds no limit in them: only these two get in. */
static guess zstd_looks(const unsigned char *start, size_t n, bool last) {
  static const unsigned char frame[] = {0x28, 0xb5, 0x2f, 0xfd};
  static const unsigned char skippable[] = {0x50, 0x2a, 0x4d, 0x18};
  (void)last;
  bool skips = (start[0] & 0xf0) == skippable[0] &&
               memcmp(start + 1, skippable + 1, n - 1) == 0;
  if (!skips && memcmp(start, frame, n) != 0) return IT_IS_NOT;
  return n == sizeof frame ? IT_IS : IT_MAY_BE;
}

static bool zstd_create(stage *s) {
  s->lib.zstd = ZSTD_createDCtx();
  return s->lib.zstd &&
         !ZSTD_isError(ZSTD_DCtx_setParameter(s->lib.zstd, ZSTD_d_windowLogMax,
                                              ZSTD_WINDOW_LOG_MAX));
}

/* The library begins a frame by itself. */
static void zstd_begin(stage *s) { s->singly = 0; }

/* A small frame that is there in one piece is decoded at once, and looked for
** where the input of that call begins. Ours begins behind the magic: the rest
** of a header must not be taken for a frame, and a single byte never is. */
static size_t zstd_portion(stage *s, const flow *f) {
  bool begins = s->fed < s->held || s->singly == ZSTD_HEADER || f->n == 0;
  if (begins) return f->n;
  s->singly++;
  return 1;
}

static cw_decoding zstd_failed(stage *s, size_t result) {
  if (ZSTD_getErrorCode(result) == ZSTD_error_memory_allocation)
    return starved(s);
  return corrupt(s, ZSTD_getErrorName(result));
}

static cw_decoding zstd_some(stage *s, flow *f) {
  ZSTD_inBuffer in = {.src = f->in, .size = zstd_portion(s, f)};
  ZSTD_outBuffer out = {.dst = f->out, .size = f->room};
  size_t result = ZSTD_decompressStream(s->lib.zstd, &out, &in);
  move(f, in.pos, out.pos);
  if (ZSTD_isError(result)) return zstd_failed(s, result);
  if (result == 0) return CW_DECODING_ENDED;
  bool idle = in.pos == in.size && f->room > 0;
  return idle ? CW_DECODING_HUNGRY : CW_DECODING_MORE;
}

static void zstd_destroy(stage *s) { ZSTD_freeDCtx(s->lib.zstd); }

/* One stage --------------------------------------------------------------- */

static const coding gzip = {
  .name = "gzip",
  .start = 2,
  .several = true,
  .looks = gzip_looks,
  .create = inflate_create,
  .begin = gzip_begin,
  .decode = inflate_some,
  .destroy = inflate_destroy,
};

static const coding deflate_either = {
  .name = "deflate",
  .start = 2,
  .looks = deflate_looks,
  .create = inflate_create,
  .begin = deflate_begin,
  .decode = inflate_some,
  .destroy = inflate_destroy,
};

static const coding br = {
  .name = "br",
  .start = 1,
  .looks = br_looks,
  .create = br_create,
  .begin = br_begin,
  .decode = br_some,
  .destroy = br_destroy,
};

static const coding zstd = {
  .name = "zstd",
  .start = 4,
  .several = true,
  .looks = zstd_looks,
  .create = zstd_create,
  .begin = zstd_begin,
  .decode = zstd_some,
  .destroy = zstd_destroy,
};

static void hold_start(stage *s, flow *f) {
  size_t n = s->coding->start - s->held;
  if (n > f->n) n = f->n;
  memcpy(s->start + s->held, f->in, n);
  s->held += n;
  move(f, n, 0);
}

/* Before the first stream, and between two of them. */
static cw_decoding look(stage *s, flow *f) {
  hold_start(s, f);
  bool last = f->last && f->n == 0;
  if (s->held == 0) return last ? CW_DECODING_ENDED : CW_DECODING_HUNGRY;
  guess it = s->coding->looks(s->start, s->held, last);
  if (it == IT_IS) {
    s->coding->begin(s);
    s->inside = true;
    return CW_DECODING_MORE;
  }
  /* cut in its first bytes, also where garbage might look so */
  if (it == IT_MAY_BE) return last ? truncated(s) : CW_DECODING_HUNGRY;
  return s->later ? CW_DECODING_ENDED : corrupt(s, "unknown header");
}

/* What told that a stream begins is its first bytes. */
static cw_decoding decode_start(stage *s, flow *f) {
  flow start = *f;
  start.in = (const char *)s->start + s->fed;
  start.n = s->held - s->fed;
  cw_decoding state = s->coding->decode(s, &start);
  s->fed = s->held - start.n;
  f->out = start.out;
  f->room = start.room;
  return state;
}

/* One stream is complete. */
static cw_decoding look_again(stage *s) {
  if (!s->coding->several) return CW_DECODING_ENDED;
  s->inside = false;
  s->later = true;
  s->held = s->fed = 0;
  return CW_DECODING_MORE;
}

static cw_decoding decode(stage *s, flow *f) {
  cw_decoding state =
    s->fed < s->held ? decode_start(s, f) : s->coding->decode(s, f);
  if (state == CW_DECODING_ENDED) return look_again(s);
  if (state != CW_DECODING_HUNGRY) return state;
  if (f->n > 0 || s->fed < s->held) return CW_DECODING_MORE;
  return f->last ? truncated(s) : CW_DECODING_HUNGRY;
}

/* The list ---------------------------------------------------------------- */

static const struct {
  const char *name;
  const coding *coding;
} names[] = {
  {"gzip", &gzip}, {"x-gzip", &gzip}, {"deflate", &deflate_either},
  {"br", &br},     {"zstd", &zstd},
};

static bool unknown(cw_text name, cw_error *e) {
  char shown[NAME_SHOWN + 1] = "";
  for (size_t i = 0; i < name.length && i < NAME_SHOWN; i++) {
    bool printable = name.bytes[i] >= ' ' && name.bytes[i] <= '~';
    shown[i] = '?';
    if (printable) shown[i] = name.bytes[i];
  }
  cw_error_set(e, CW_ERR_DECODE, CW_PHASE_BODY,
               "the body's encoding '%s' is not known (decode = false gives "
               "the bytes as they came)",
               shown);
  return false;
}

static bool find_coding(cw_text name, const coding **found, cw_error *e) {
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    if (!cw_text_is(name, names[i].name)) continue;
    *found = names[i].coding;
    return true;
  }
  return unknown(name, e);
}

/* In the order in which they were applied. */
static bool read_list(cw_text list, const coding **all, size_t *count,
                      cw_error *e) {
  *count = 0;
  while (list.length > 0) {
    const coding *one;
    cw_text name = cw_text_element(&list);
    if (cw_coding_is_none(name)) continue;
    if (!find_coding(name, &one, e)) return false;
    if (*count == CW_CODINGS_MAX) {
      cw_error_set(e, CW_ERR_DECODE, CW_PHASE_BODY,
                   "the body is encoded more than %d times", CW_CODINGS_MAX);
      return false;
    }
    all[(*count)++] = one;
  }
  return true;
}

static bool add_stage(cw_decoder *d, const coding *one) {
  stage *s = &d->stages[d->count++];
  s->coding = one;
  s->state = CW_DECODING_HUNGRY;
  if (d->count > 1 && !(s->between = malloc(BETWEEN))) return false;
  return one->create(s);
}

bool cw_decoder_new(cw_text codings, cw_decoder **d, cw_error *e) {
  const coding *all[CW_CODINGS_MAX];
  size_t count;
  *d = NULL;
  if (!read_list(codings, all, &count, e)) return false;
  if (count == 0) return true;
  cw_decoder *made = calloc(1, sizeof *made);
  bool ok = made != NULL;
  while (ok && count > 0)
    ok = add_stage(made, all[--count]);
  if (ok) {
    *d = made;
    return true;
  }
  cw_decoder_free(made);
  out_of_memory(e);
  return false;
}

void cw_decoder_free(cw_decoder *d) {
  if (!d) return;
  for (size_t i = 0; i < d->count; i++) {
    d->stages[i].coding->destroy(&d->stages[i]);
    free(d->stages[i].between);
  }
  free(d);
}

/* Pulling ----------------------------------------------------------------- */

/* Nothing comes to 's' but what is unread. */
static bool is_last(const cw_decoder *d, const stage *s) {
  return s == d->stages ? d->last : s[-1].state == CW_DECODING_ENDED;
}

/* The stage nearest to the reader that can do something, or has failed; NULL
** when every one of them is hungry. What a stage made before it failed goes
** all the way like this. */
static stage *whose_turn(cw_decoder *d) {
  for (stage *s = d->stages + d->count; s-- > d->stages;) {
    if (s->state != CW_DECODING_HUNGRY) return s;
    if (s->unread > 0 || is_last(d, s)) return s;
  }
  return NULL;
}

/* One step into the next one's buffer, or for the final stage into the room
** that is left. That buffer is empty: a stage has its turn only when those
** nearer to the reader are hungry. */
static void take_turn(cw_decoder *d, stage *s, flow *left) {
  stage *next = s < d->stages + d->count - 1 ? s + 1 : NULL;
  flow f = {s->in, s->unread, is_last(d, s), left->out, left->room};
  if (next) f.out = next->between;
  if (next) f.room = BETWEEN;
  s->state = s->inside ? decode(s, &f) : look(s, &f);
  s->in = f.in;
  s->unread = f.n;
  if (next) {
    next->in = next->between;
    next->unread = BETWEEN - f.room;
  } else {
    left->out = f.out;
    left->room = f.room;
  }
}

static cw_decoding run(cw_decoder *d, flow *left, cw_error *e) {
  const stage *final = &d->stages[d->count - 1];
  for (int steps = 0; steps < CW_DECODER_STEPS && left->room > 0; steps++) {
    if (final->state == CW_DECODING_ENDED) return CW_DECODING_ENDED;
    stage *s = whose_turn(d);
    if (!s) return CW_DECODING_HUNGRY;
    if (s->state == CW_DECODING_FAILED) {
      if (e->code == CW_OK) *e = s->error;
      return CW_DECODING_FAILED;
    }
    take_turn(d, s, left);
  }
  return CW_DECODING_MORE;
}

cw_decoding cw_decoder_pull(cw_decoder *d, const char **in, size_t *n,
                            bool last, char *out, size_t room, size_t *made,
                            cw_error *e) {
  stage *first = &d->stages[0];
  d->last = last;
  first->unread = *n;
  first->in = *n > 0 ? *in : ""; /* without input there may be no pointer */
  flow left = {.out = out, .room = room};
  cw_decoding state = run(d, &left, e);
  *made = room - left.room;
  if (first->unread < *n) *in = first->in;
  *n = first->unread;
  return state;
}
