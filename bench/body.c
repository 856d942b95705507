/* body: plain libcurl taking one large body as bench/body.lua does, with the
** default receive buffer: the measure for it.
**   body WARM_UP_URL URL discard | text | file PATH
** Prints the CPU seconds, the growth of peak memory in KiB, the seconds.
** SPDX-License-Identifier: MIT */
#include <curl/curl.h>
#include <stdbool.h>

#include "identity.h"
#include "usage.h"

/* Whatever it is written to, and how much that was. */
typedef struct {
  FILE *file;  /* owned; NULL: not to a file */
  char *bytes; /* owned */
  size_t used, size;
  curl_off_t count;
} sink;

static size_t on_discard(char *bytes, size_t one, size_t n, void *data) {
  (void)bytes;
  ((sink *)data)->count += (curl_off_t)(one * n);
  return one * n;
}

static bool grow(sink *s, size_t needed) {
  size_t size = s->size ? s->size : 16384;
  while (size < needed)
    size *= 2;
  char *bytes = realloc(s->bytes, size);
  if (!bytes) return false;
  s->bytes = bytes;
  s->size = size;
  return true;
}

static size_t on_text(char *bytes, size_t one, size_t n, void *data) {
  sink *s = data;
  n *= one;
  if (s->used + n > s->size && !grow(s, s->used + n)) return 0;
  memcpy(s->bytes + s->used, bytes, n);
  s->used += n;
  s->count += (curl_off_t)n;
  return n;
}

static size_t on_file(char *bytes, size_t one, size_t n, void *data) {
  sink *s = data;
  s->count += (curl_off_t)(one * n);
  return fwrite(bytes, one, n, s->file) * one;
}

static curl_write_callback choose(const char *how, const char *path, sink *s) {
  if (strcmp(how, "discard") == 0) return on_discard;
  if (strcmp(how, "text") == 0) return on_text;
  if (!path) return NULL;
  s->file = fopen(path, "wb");
  return s->file ? on_file : NULL;
}

static CURL *prepare(sink *s) {
  CURL *easy = curl_easy_init();
  if (!easy) return NULL;
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_FAILONERROR, 1L);
  set_identity(easy);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, s);
  return easy;
}

static CURLcode get(CURL *easy, const char *url, curl_write_callback write) {
  curl_easy_setopt(easy, CURLOPT_URL, url);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, write);
  return curl_easy_perform(easy);
}

static CURLcode measure(CURL *easy, const char *url, curl_write_callback write,
                        sink *s) {
  forget_peak();
  long before = memory_kib("VmRSS:");
  double wall = wall_seconds(), cpu = cpu_seconds();
  CURLcode code = get(easy, url, write);
  if (s->file && fflush(s->file) != 0) code = CURLE_WRITE_ERROR;
  cpu = cpu_seconds() - cpu;
  wall = wall_seconds() - wall;
  printf("%.6f %ld %.6f\n", cpu, memory_kib("VmHWM:") - before, wall);
  return code;
}

int main(int argc, char **argv) {
  sink s = {0};
  if (argc < 4) return 2;
  curl_write_callback write = choose(argv[3], argc > 4 ? argv[4] : NULL, &s);
  curl_global_init(CURL_GLOBAL_ALL);
  CURL *easy = prepare(&s);
  if (!write || !easy) {
    if (s.file) fclose(s.file);
    return 2;
  }
  CURLcode code = get(easy, argv[1], on_discard);
  s.count = 0;
  if (!code) code = measure(easy, argv[2], write, &s);
  if (code) fprintf(stderr, "body: %s\n", curl_easy_strerror(code));
  curl_easy_cleanup(easy);
  curl_global_cleanup();
  if (s.file) fclose(s.file);
  free(s.bytes);
  return code != CURLE_OK;
}
