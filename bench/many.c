/* many: plain libcurl doing the work of bench/many.lua: GETs by curl_multi, so
** many at once, each easy handle used again for the next.
**   many URL COUNT AT_ONCE
** Prints the CPU seconds of the GETs. With BENCH_HANDLES=new each GET also
** makes a handle (handles.h).
** SPDX-License-Identifier: MIT */
#include <curl/curl.h>
#include <stdbool.h>

#include "handles.h"
#include "identity.h"
#include "usage.h"

enum { MOST = 4096 };

typedef struct {
  char *bytes; /* owned */
  size_t used, size;
} kept;

static kept headers_of[MOST], bodies[MOST];

static size_t on_data(char *data, size_t one, size_t n, void *into) {
  kept *k = into;
  (void)one;
  if (k->used + n > k->size) {
    k->size = 2 * (k->used + n);
    char *bytes = realloc(k->bytes, k->size);
    if (!bytes) return 0;
    k->bytes = bytes;
  }
  memcpy(k->bytes + k->used, data, n);
  k->used += n;
  return n;
}

static CURL *prepare(const char *url, kept *headers, kept *body) {
  CURL *easy = curl_easy_init();
  curl_easy_setopt(easy, CURLOPT_URL, url);
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  set_identity(easy);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_data);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, headers);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_data);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, body);
  curl_easy_setopt(easy, CURLOPT_PRIVATE, (char *)body);
  return easy;
}

/* Takes out what is done; false: something failed. */
static bool collect(CURLM *multi, long *left, long *running) {
  int more;
  CURLMsg *message;
  while ((message = curl_multi_info_read(multi, &more))) {
    CURL *easy = message->easy_handle;
    long status = 0;
    kept *body = NULL;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&body);
    if (message->data.result || status != 200) return false;
    headers_of[body - bodies].used = body->used = 0;
    curl_multi_remove_handle(multi, easy);
    copy_handle(easy);
    if (*left > 0)
      curl_multi_add_handle(multi, easy);
    else
      (*running)--;
    (*left)--;
  }
  return true;
}

int main(int argc, char **argv) {
  if (argc < 4) return 2;
  long count = strtol(argv[2], NULL, 10), most = strtol(argv[3], NULL, 10);
  if (count < most || most < 1 || most > MOST) return 2;
  curl_global_init(CURL_GLOBAL_ALL);
  CURLM *multi = curl_multi_init();
  if (!multi) return 1;
  curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, most);
  for (long i = 0; i < most; i++)
    curl_multi_add_handle(multi, prepare(argv[1], &headers_of[i], &bodies[i]));
  double begun = cpu_seconds();
  long left = count - most, running = most;
  while (running > 0) {
    int active;
    curl_multi_perform(multi, &active);
    if (!collect(multi, &left, &running)) return 1;
    if (running > 0) curl_multi_poll(multi, NULL, 0, 1000, NULL);
  }
  printf("%.6f\n", cpu_seconds() - begun);
  return 0;
}
