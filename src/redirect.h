/* redirect: whether a response leads to another url, and what is asked there
** (RFC 9110 section 15.4). Pure: it looks at a request and its response. Knows
** request, response.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_REDIRECT_H
#define CURLEW_REDIRECT_H

#include "request.h"
#include "response.h"

typedef struct cw_redirect {
  cw_url *url;      /* owned: where it leads */
  bool becomes_get; /* the method is GET there, and there is no body */
  bool elsewhere;   /* to another origin: secrets stay behind */
} cw_redirect;

/* Whether it leads on: 301, 302, 303, 307 or 308 with a Location. */
bool cw_redirect_leads(const cw_response *from);

/* Finds out where to and how, after 'hops' others. False: it may not be
** followed, 'e' says why. */
bool cw_redirect_find(cw_redirect *to, const cw_request *asked,
                      const cw_response *from, unsigned hops, cw_error *e);

#endif
