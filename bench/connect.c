/* connect: plain libcurl, with its defaults, making a new verified TLS
** connection for each request, as bench/connect.lua does with us.
**   connect URL COUNT CA   prints the CPU seconds of the first, and of one of
**                          the others
** SPDX-License-Identifier: MIT */
#include <curl/curl.h>
#include <stdbool.h>

#include "usage.h"

static size_t drop(char *data, size_t one, size_t n, void *into) {
  (void)data, (void)into;
  return one * n;
}

static bool get(CURL *easy, long times) {
  long connects = 0;
  for (; times > 0; times--) {
    if (curl_easy_perform(easy) != CURLE_OK) return false;
    curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &connects);
    if (connects != 1) return false;
  }
  return true;
}

int main(int argc, char **argv) {
  if (argc != 4) return 2;
  long count = strtol(argv[2], NULL, 10);
  curl_global_init(CURL_GLOBAL_ALL);
  CURL *easy = curl_easy_init();
  curl_easy_setopt(easy, CURLOPT_URL, argv[1]);
  curl_easy_setopt(easy, CURLOPT_CAINFO, argv[3]);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, drop);
  double begun = cpu_seconds();
  bool ok = get(easy, 1);
  double first = cpu_seconds() - begun;
  ok = ok && get(easy, count);
  double others = cpu_seconds() - begun - first;
  if (ok) printf("%.6f %.6f\n", first, others / (double)count);
  curl_easy_cleanup(easy);
  curl_global_cleanup();
  return !ok;
}
