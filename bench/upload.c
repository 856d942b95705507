/* upload: plain libcurl sending one large body as bench/upload.lua does: the
** measure for it.
**   upload WARM_UP_URL URL BYTES file PATH | pieces SIZE
** Prints the CPU seconds, the growth of peak memory in KiB, the seconds.
** SPDX-License-Identifier: MIT */
#include <curl/curl.h>
#include <stdbool.h>

#include "identity.h"
#include "usage.h"

/* Where it comes from: a file, or the same piece again and again. */
typedef struct {
  FILE *file;  /* owned; NULL: pieces */
  char *piece; /* owned */
  size_t size, at;
  curl_off_t left; /* of pieces */
} source;

static size_t on_file(char *to, size_t one, size_t n, void *data) {
  return fread(to, one, n, ((source *)data)->file);
}

static size_t on_pieces(char *to, size_t one, size_t n, void *data) {
  source *s = data;
  if (s->at == s->size) s->at = 0;
  n *= one;
  if (n > s->size - s->at) n = s->size - s->at;
  if ((curl_off_t)n > s->left) n = (size_t)s->left;
  memcpy(to, s->piece + s->at, n);
  s->at += n;
  s->left -= (curl_off_t)n;
  return n;
}

static size_t on_answer(char *bytes, size_t one, size_t n, void *data) {
  (void)bytes, (void)data;
  return one * n;
}

static CURL *prepare(void) {
  CURL *easy = curl_easy_init();
  if (!easy) return NULL;
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_FAILONERROR, 1L);
  set_identity(easy);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_answer);
  return easy;
}

static bool choose(CURL *easy, source *s, const char *how, const char *what) {
  bool file = strcmp(how, "file") == 0;
  if (file) {
    s->file = fopen(what, "rb");
  } else {
    s->size = strtoul(what, NULL, 10);
    s->piece = malloc(s->size + 1);
    /* written, or all of it would be the one page of zeros, in the cache */
    if (s->piece) memset(s->piece, 'x', s->size);
  }
  curl_easy_setopt(easy, CURLOPT_READFUNCTION, file ? on_file : on_pieces);
  curl_easy_setopt(easy, CURLOPT_READDATA, s);
  return s->file || s->piece;
}

static CURLcode send_it(CURL *easy, const char *url, source *s,
                        curl_off_t bytes) {
  curl_easy_setopt(easy, CURLOPT_URL, url);
  curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
  curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, s->file ? bytes : -1);
  s->left = bytes;
  forget_peak();
  long before = memory_kib("VmRSS:");
  double wall = wall_seconds(), cpu = cpu_seconds();
  CURLcode code = curl_easy_perform(easy);
  cpu = cpu_seconds() - cpu;
  wall = wall_seconds() - wall;
  printf("%.6f %ld %.6f\n", cpu, memory_kib("VmHWM:") - before, wall);
  return code;
}

int main(int argc, char **argv) {
  source s = {0};
  if (argc < 6) return 2;
  curl_global_init(CURL_GLOBAL_ALL);
  CURL *easy = prepare();
  if (!easy || !choose(easy, &s, argv[4], argv[5])) return 2;
  curl_easy_setopt(easy, CURLOPT_URL, argv[1]);
  CURLcode code = curl_easy_perform(easy);
  struct curl_slist *lines = curl_slist_append(NULL, "Expect:");
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, lines);
  if (!code) code = send_it(easy, argv[2], &s, strtoll(argv[3], NULL, 10));
  if (code) fprintf(stderr, "upload: %s\n", curl_easy_strerror(code));
  curl_easy_cleanup(easy);
  curl_slist_free_all(lines);
  curl_global_cleanup();
  if (s.file) fclose(s.file);
  free(s.piece);
  return code != CURLE_OK;
}
