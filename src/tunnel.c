/* tunnel: limits of the response to CONNECT. Knows libcurl.
** SPDX-License-Identifier: MIT */
#include "tunnel.h"

enum {
  LOOK_EVERY = 256,        /* steps between two checks */
  BODY_MAX = 16 * 1024,    /* libcurl's own limit of one header line, too */
  HEADERS_MAX = 256 * 1024 /* of all lines together */
};

static long header_bytes(CURL *easy) {
  long n = 0;
  curl_easy_getinfo(easy, CURLINFO_HEADER_SIZE, &n);
  return n;
}

/* libcurl counts the bytes of complete header lines only. All other steps are
** bytes of a body or of an incomplete line, apart from a few. */
cw_tunnel_verdict cw_tunnel_step(cw_tunnel *t, CURL *easy, unsigned round,
                                 uint32_t received) {
  if (t->round != round || t->steps == 0)
    *t = (cw_tunnel){.round = round, .headers = header_bytes(easy)};
  if (++t->steps % LOOK_EVERY != 0) return CW_TUNNEL_FINE;
  long headers = header_bytes(easy);
  long others = (long)t->steps - (headers - t->headers);
  bool fits =
    others <= BODY_MAX && headers - (long)received <= (long)HEADERS_MAX;
  return fits ? CW_TUNNEL_LOOK : CW_TUNNEL_LONG;
}
