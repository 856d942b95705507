/* tunnel: how much a proxy may answer to CONNECT. Knows libcurl.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_TUNNEL_H
#define CURLEW_TUNNEL_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

/* Of the call of libcurl's that is going on. */
typedef struct cw_tunnel {
  unsigned round; /* which one */
  uint32_t steps; /* of progress */
  long headers;   /* bytes of header lines, before it */
} cw_tunnel;

typedef enum cw_tunnel_news {
  CW_TUNNEL_FINE,
  CW_TUNNEL_LOOK, /* once in a while: time to look at the clock */
  CW_TUNNEL_LONG  /* the answer is over the limits */
} cw_tunnel_news;

/* libcurl reads the answer to CONNECT byte by byte until none is left, and
** reports progress after each byte: to be called then. 'received' are the bytes
** of header lines that are not the proxy's. */
cw_tunnel_news cw_tunnel_step(cw_tunnel *t, CURL *easy, unsigned round,
                              uint32_t received);

#endif
