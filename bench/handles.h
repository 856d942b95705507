/* handles: the cost of a new easy handle, which curlew cannot avoid with
** libcurl before 8.1.1: an easy handle must not serve a second exchange
** (src/README.md).
** SPDX-License-Identifier: MIT */
#ifndef BENCH_HANDLES_H
#define BENCH_HANDLES_H

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

/* With BENCH_HANDLES=new: makes a handle like 'easy', and frees it. */
static void copy_handle(CURL *easy) {
  static int copies = -1;
  if (copies < 0) {
    const char *handles = getenv("BENCH_HANDLES");
    copies = handles && strcmp(handles, "new") == 0;
  }
  if (copies) curl_easy_cleanup(curl_easy_duphandle(easy));
}

#endif
