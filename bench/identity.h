/* identity: the header lines that curlew sends of itself, so that the floor's
** requests are the same bytes.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_BENCH_IDENTITY_H
#define CURLEW_BENCH_IDENTITY_H

#include <curl/curl.h>

/* One list for all handles; it lives as long as the process. */
static inline void set_identity(CURL *easy) {
  static struct curl_slist *lines;
  if (!lines)
    lines = curl_slist_append(NULL, "Accept-Encoding: gzip, deflate, br, zstd");
  curl_easy_setopt(easy, CURLOPT_USERAGENT, "curlew/0.1.0");
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, lines);
}

#endif
