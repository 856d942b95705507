/* retry: whether a request that failed is worth another try, and when. Pure: it
** looks at a request and what came of it. Knows error, request, response.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_RETRY_H
#define CURLEW_RETRY_H

#include <time.h>

#include "request.h"
#include "response.h"

/* What came of the last try. */
typedef struct cw_try {
  unsigned attempts;     /* so far */
  const cw_error *error; /* code CW_OK: there is a response */
  const cw_response *response;
  time_t now;    /* by the calendar: for Retry-After */
  double random; /* from 0 to 1: spreads the tries of many (full jitter) */
} cw_try;

/* Microseconds to wait before the next try; negative: there is none. */
int64_t cw_retry_delay(const cw_request *r, const cw_try *last);

#endif
