/* coder: bytes encoded, in a stream. Knows zlib, brotli, zstd. Test only.
** SPDX-License-Identifier: MIT */
#include "coder.h"

#define ZLIB_CONST
#include <brotli/encode.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

enum { CHUNK = 64 * 1024 };

struct coder {
  bool (*put)(coder *c, const void *bytes, size_t n, bool last);
  union {
    z_stream z;
    BrotliEncoderState *br;
    ZSTD_CCtx *zstd;
  } lib;
  void (*end)(coder *c);
  coder_sink *sink;
  void *to;
  char chunk[CHUNK];
};

static bool put_deflate(coder *c, const void *bytes, size_t n, bool last) {
  z_stream *z = &c->lib.z;
  z->next_in = bytes;
  z->avail_in = (uInt)n; /* nobody puts 4 GiB at once */
  do {
    z->next_out = (Bytef *)c->chunk;
    z->avail_out = CHUNK;
    if (deflate(z, last ? Z_FINISH : Z_NO_FLUSH) == Z_STREAM_ERROR)
      return false;
    if (!c->sink(c->to, c->chunk, CHUNK - z->avail_out)) return false;
  } while (z->avail_out == 0);
  return true;
}

static void end_deflate(coder *c) { deflateEnd(&c->lib.z); }

static bool new_deflate(coder *c, int bits, bool fast) {
  c->put = put_deflate;
  c->end = end_deflate;
  return deflateInit2(&c->lib.z, fast ? Z_BEST_SPEED : 6, Z_DEFLATED, bits, 8,
                      Z_DEFAULT_STRATEGY) == Z_OK;
}

static bool put_br(coder *c, const void *bytes, size_t n, bool last) {
  const uint8_t *in = bytes;
  BrotliEncoderOperation what =
    last ? BROTLI_OPERATION_FINISH : BROTLI_OPERATION_PROCESS;
  do {
    uint8_t *out = (uint8_t *)c->chunk;
    size_t room = CHUNK;
    if (!BrotliEncoderCompressStream(c->lib.br, what, &n, &in, &room, &out,
                                     NULL))
      return false;
    if (!c->sink(c->to, c->chunk, CHUNK - room)) return false;
  } while (n > 0 || BrotliEncoderHasMoreOutput(c->lib.br));
  return !last || BrotliEncoderIsFinished(c->lib.br);
}

static void end_br(coder *c) { BrotliEncoderDestroyInstance(c->lib.br); }

static bool new_br(coder *c, bool fast) {
  c->put = put_br;
  c->end = end_br;
  c->lib.br = BrotliEncoderCreateInstance(NULL, NULL, NULL);
  return c->lib.br && BrotliEncoderSetParameter(c->lib.br, BROTLI_PARAM_QUALITY,
                                                fast ? 1 : 5);
}

static bool put_zstd(coder *c, const void *bytes, size_t n, bool last) {
  ZSTD_inBuffer in = {.src = bytes, .size = n};
  size_t left;
  do {
    ZSTD_outBuffer out = {.dst = c->chunk, .size = CHUNK};
    left = ZSTD_compressStream2(c->lib.zstd, &out, &in,
                                last ? ZSTD_e_end : ZSTD_e_continue);
    if (ZSTD_isError(left)) return false;
    if (!c->sink(c->to, c->chunk, out.pos)) return false;
  } while (last ? left > 0 : in.pos < in.size);
  return true;
}

static void end_zstd(coder *c) { ZSTD_freeCCtx(c->lib.zstd); }

static bool new_zstd(coder *c, bool fast) {
  c->put = put_zstd;
  c->end = end_zstd;
  c->lib.zstd = ZSTD_createCCtx();
  if (!c->lib.zstd) return false;
  ZSTD_CCtx_setParameter(c->lib.zstd, ZSTD_c_compressionLevel, fast ? 1 : 3);
  ZSTD_CCtx_setParameter(c->lib.zstd, ZSTD_c_checksumFlag, 1);
  return true;
}

static bool start(coder *c, const char *coding, bool fast) {
  if (strcmp(coding, "gzip") == 0) return new_deflate(c, MAX_WBITS + 16, fast);
  if (strcmp(coding, "deflate") == 0) return new_deflate(c, MAX_WBITS, fast);
  if (strcmp(coding, "raw_deflate") == 0)
    return new_deflate(c, -MAX_WBITS, fast);
  if (strcmp(coding, "br") == 0) return new_br(c, fast);
  if (strcmp(coding, "zstd") == 0) return new_zstd(c, fast);
  return false;
}

coder *coder_new(const char *coding, bool fast, coder_sink *sink, void *to) {
  coder *c = calloc(1, sizeof *c);
  if (!c) return NULL;
  c->sink = sink;
  c->to = to;
  if (start(c, coding, fast)) return c;
  coder_free(c);
  return NULL;
}

bool coder_put(coder *c, const void *bytes, size_t n, bool last) {
  return c->put(c, bytes, n, last);
}

void coder_free(coder *c) {
  if (!c) return;
  if (c->end) c->end(c);
  free(c);
}
