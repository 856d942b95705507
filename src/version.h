/* version: what this is called, and the libcurl that it runs on. Knows libcurl.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_VERSION_H
#define CURLEW_VERSION_H

#include <curl/curlver.h>
#include <stdbool.h>

#define CW_VERSION "0.1.0"

/* Debian 12's. Older ones lack what the engine rests on: QUICK_EXIT (7.87),
** the cache of CA files (7.87), PREREQFUNCTION (7.80). */
#define CW_LIBCURL_LEAST 0x075800

#if LIBCURL_VERSION_NUM < CW_LIBCURL_LEAST
#error                                                                         \
  "curlew needs libcurl 7.88 or newer: install it (on Debian 12 or newer: apt-get install libcurl4-openssl-dev)"
#endif

typedef struct cw_features {
  const char *libcurl, *tls; /* versions */
  bool http2, http3;
} cw_features;

/* Looks at the libcurl that is loaded and sets it up; NULL, or what is wrong.
 */
const char *cw_set_up_libcurl(void);

cw_features cw_features_of_libcurl(void);

#endif
