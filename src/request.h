/* request: what is asked: method, url, options. Owned data, no I/O. Urls are
** parsed by libcurl's URL API. Knows libcurl's URLs.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_REQUEST_H
#define CURLEW_REQUEST_H

#include "error.h"
#include "option.h"

typedef struct cw_request {
  cw_settings own;       /* what this request said */
  cw_settings *defaults; /* a reference to its client's */
  CURLU *url;            /* owned; NULL until set */
  char *text;            /* owned, libcurl's: the url once it was asked for */
} cw_request;

/* Takes a reference to 'defaults'. */
void cw_request_init(cw_request *r, cw_settings *defaults);
void cw_request_clear(cw_request *r);

/* Parses 'url', put behind the option base_url if it has no scheme of its own.
** Refused with code 'url', whatever libcurl would make of it: another scheme
** than http and https, backslashes, control bytes, a missing host. */
bool cw_request_set_url(cw_request *r, const char *url, size_t length,
                        cw_error *e);

const char *cw_request_method(const cw_request *r);

/* The parsed url as text, without userinfo; lent until the request is cleared.
** NULL: out of memory, or there is no url. */
const char *cw_request_url(cw_request *r);

/* The same for a message: without its fragment, "?..." for its query, cut where
** it is too long. False: there is no url. */
bool cw_request_masked_url(const cw_request *r, char *text, size_t size);

/* The same of any url; what is none gives "?". */
void cw_url_mask(const char *url, char *text, size_t size);

/* Its host, cut where it is too long; "?" when there is none. */
void cw_request_host(const cw_request *r, char *text, size_t size);

bool cw_request_https(const cw_request *r);

#endif
