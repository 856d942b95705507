/* client: defaults for requests, and the transfers that were opened with them.
** Lives as long as anybody refers to it: a response outlives the Lua value.
** Knows engine, settings.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_CLIENT_H
#define CURLEW_CLIENT_H

#include "engine.h"

typedef struct cw_client {
  unsigned refs;
  cw_engine *engine;     /* a reference */
  cw_settings *defaults; /* a reference; never changed once it is used */
  cw_counters counters;
  cw_url *last_url; /* a reference, or NULL: it may be asked for again */
  cw_link ring;     /* its open transfers, by 'client_link' */
  bool closed;
} cw_client;

/* Takes a reference to each; NULL: out of memory. */
cw_client *cw_client_new(cw_engine *e, cw_settings *defaults);
cw_client *cw_client_retain(cw_client *c);
void cw_client_free(cw_client *c); /* gives a reference back; NULL is fine */

#endif
