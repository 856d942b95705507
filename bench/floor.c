/* floor: plain libcurl doing the work of bench/get.lua, the measure for it.
** One reused handle, safe options set once; headers and body are kept.
** With BENCH_HANDLES=new each request also makes a handle (handles.h).
**   floor URL COUNT [show | cold]
** prints the CPU seconds, or the last body, or the CPU seconds of the whole
** process and its memory in KiB. With BENCH_CA, over HTTP/2, trusting that.
** SPDX-License-Identifier: MIT */
#include <curl/curl.h>
#include <stdbool.h>

#include "handles.h"
#include "identity.h"
#include "usage.h"

typedef struct {
  char *bytes; /* owned */
  size_t used, size;
} kept;

static bool keep(kept *k, const char *data, size_t n) {
  if (k->used + n > k->size) {
    size_t size = 2 * (k->used + n);
    char *bytes = realloc(k->bytes, size);
    if (!bytes) return false;
    k->bytes = bytes;
    k->size = size;
  }
  memcpy(k->bytes + k->used, data, n);
  k->used += n;
  return true;
}

static size_t on_data(char *data, size_t one, size_t n, void *into) {
  return keep(into, data, one * n) ? one * n : 0;
}

static CURL *prepare(const char *url, kept *headers, kept *body) {
  CURL *easy = curl_easy_init();
  if (!easy) return NULL;
  curl_easy_setopt(easy, CURLOPT_URL, url);
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  set_identity(easy);
  const char *ca = getenv("BENCH_CA");
  if (ca) {
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    curl_easy_setopt(easy, CURLOPT_CAINFO, ca);
    curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
  }
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_data);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, headers);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_data);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, body);
  return easy;
}

static CURLcode get(CURL *easy, kept *headers, kept *body) {
  long status = 0;
  copy_handle(easy);
  headers->used = body->used = 0;
  CURLcode code = curl_easy_perform(easy);
  if (code != CURLE_OK) return code;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  return status == 200 ? CURLE_OK : CURLE_HTTP_RETURNED_ERROR;
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  kept headers = {0}, body = {0};
  curl_global_init(CURL_GLOBAL_ALL);
  CURL *easy = prepare(argv[1], &headers, &body);
  CURLcode code = easy ? CURLE_OK : CURLE_OUT_OF_MEMORY;
  double begun = cpu_seconds();
  for (long left = strtol(argv[2], NULL, 10); left > 0 && !code; left--)
    code = get(easy, &headers, &body);
  double used = cpu_seconds() - begun;
  if (code)
    fprintf(stderr, "floor: %s\n", curl_easy_strerror(code));
  else if (argc > 3 && strcmp(argv[3], "cold") == 0)
    printf("%.6f %ld\n", cpu_seconds(), memory_kib("VmRSS:"));
  else if (argc > 3)
    printf("%.*s", (int)body.used, body.bytes);
  else
    printf("%.6f\n", used);
  curl_easy_cleanup(easy);
  curl_global_cleanup();
  free(headers.bytes);
  free(body.bytes);
  return code != CURLE_OK;
}
