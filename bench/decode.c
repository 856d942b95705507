/* decode: the plain library undoing a file's coding, its output dropped: what
** of the memory of bench/bomb.lua is the decoder's own.
**   decode PATH gzip | deflate | br | zstd
** Prints the growth of peak memory in KiB.
** SPDX-License-Identifier: MIT */
#define ZLIB_CONST
#include <brotli/decode.h>
#include <stdbool.h>
#include <stdint.h>
#include <zlib.h>
#include <zstd.h>

#include "usage.h"

enum { IN = 16 * 1024, OUT = 8 * 1024 };

static unsigned char in[IN], out[OUT];

static size_t next_piece(FILE *file) {
  return feof(file) || ferror(file) ? 0 : fread(in, 1, IN, file);
}

/* All of the file; false: the end of the coding was not reached. */
static bool inflate_all(FILE *file) {
  z_stream z = {0};
  int result = inflateInit2(&z, MAX_WBITS + 32); /* either header */
  while (result == Z_OK && (z.avail_in = (uInt)next_piece(file)) > 0) {
    z.next_in = in;
    do {
      z.next_out = out;
      z.avail_out = OUT;
      result = inflate(&z, Z_NO_FLUSH);
    } while (result == Z_OK && (z.avail_in > 0 || z.avail_out == 0));
    if (result == Z_BUF_ERROR) result = Z_OK;
  }
  inflateEnd(&z);
  return result == Z_STREAM_END;
}

static bool brotli_all(FILE *file) {
  BrotliDecoderResult result = BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT;
  BrotliDecoderState *br = BrotliDecoderCreateInstance(NULL, NULL, NULL);
  size_t n;
  while (br && (n = next_piece(file)) > 0) {
    const uint8_t *from = in;
    do {
      uint8_t *to = out;
      size_t room = OUT;
      result = BrotliDecoderDecompressStream(br, &n, &from, &room, &to, NULL);
    } while (result == BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT);
  }
  BrotliDecoderDestroyInstance(br);
  return result == BROTLI_DECODER_RESULT_SUCCESS;
}

static bool zstd_all(FILE *file) {
  size_t n, result = 1;
  ZSTD_DStream *zstd = ZSTD_createDStream();
  while (zstd && (n = next_piece(file)) > 0) {
    ZSTD_inBuffer from = {in, n, 0};
    ZSTD_outBuffer to;
    do {
      to = (ZSTD_outBuffer){out, OUT, 0};
      result = ZSTD_decompressStream(zstd, &to, &from);
      if (result == 0 || ZSTD_isError(result)) break;
    } while (from.pos < n || to.pos == OUT);
  }
  ZSTD_freeDStream(zstd);
  return result == 0;
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  FILE *file = fopen(argv[1], "rb");
  if (!file) return 2;
  forget_peak();
  long before = memory_kib("VmRSS:");
  bool ok = strcmp(argv[2], "br") == 0     ? brotli_all(file)
            : strcmp(argv[2], "zstd") == 0 ? zstd_all(file)
                                           : inflate_all(file);
  printf("%ld\n", memory_kib("VmHWM:") - before);
  fclose(file);
  return !ok;
}
