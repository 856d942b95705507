/* range: which bytes of an entity came, and what it can be known by when the
** rest of it is asked for (RFC 9110 sections 8.8, 13.1.5, 14.4). Pure. Knows
** headers, and libcurl's reading of dates.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_RANGE_H
#define CURLEW_RANGE_H

#include "headers.h"

enum { CW_VALIDATOR_MAX = 1024 }; /* bytes; a longer one is none */

typedef struct cw_range {
  int64_t first, last; /* both inclusive */
  int64_t total;       /* of the whole entity */
} cw_range;

/* Reads the one Content-Range of 'h', "bytes 5-9/10". False: there is none, or
** it does not say all three, or it cannot be. */
bool cw_range_find(const cw_headers *h, cw_range *range);

/* The value for If-Range that tells this entity from every other: a strong
** ETag; without any ETag a Last-Modified that is older than the response by a
** minute, of what does not vary. False: it has none. 'value' is borrowed from
** 'h'. */
bool cw_validator_find(const cw_headers *h, cw_text *value);

/* Whether what came with 'h' says of itself that it is what 'validator' came
** with. */
bool cw_validator_same(const cw_headers *h, cw_text validator);

#endif
