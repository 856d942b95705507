/* request: what is asked: method, url, options. Owned data, no I/O. Knows
** option, url.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_REQUEST_H
#define CURLEW_REQUEST_H

#include "option.h"
#include "url.h"

typedef struct cw_request {
  cw_settings own;       /* what this request said */
  cw_settings *defaults; /* a reference to its client's */
  cw_url *url;           /* a reference; NULL until set */
} cw_request;

/* Takes a reference to 'defaults'. */
void cw_request_init(cw_request *r, cw_settings *defaults);
void cw_request_clear(cw_request *r);

/* Sets the url, put behind the option base_url if it has no scheme of its own.
** 'last' is one that was parsed before: it saves the work when it is the same
** again, and is replaced otherwise. False: 'e' says why. */
bool cw_request_set_url(cw_request *r, const char *url, size_t length,
                        cw_url **last, cw_error *e);

const char *cw_request_method(const cw_request *r);

#endif
