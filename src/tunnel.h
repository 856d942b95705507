/* tunnel: limits of the response to CONNECT. Knows libcurl.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_TUNNEL_H
#define CURLEW_TUNNEL_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

/* The state of the current call into libcurl. */
typedef struct cw_tunnel {
  unsigned round; /* the number of that call */
  uint32_t steps; /* calls of the progress function */
  long headers;   /* header bytes before that call */
} cw_tunnel;

typedef enum cw_tunnel_verdict {
  CW_TUNNEL_FINE,
  CW_TUNNEL_LOOK, /* the caller has to check the time limits */
  CW_TUNNEL_LONG  /* the response exceeds a limit */
} cw_tunnel_verdict;

/* To be called by the progress function. libcurl reads the response to CONNECT
** byte by byte without returning, and reports progress after each byte.
** 'received' is the number of header bytes that are not from the proxy. */
cw_tunnel_verdict cw_tunnel_step(cw_tunnel *t, CURL *easy, unsigned round,
                                 uint32_t received);

#endif
