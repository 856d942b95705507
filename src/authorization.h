/* authorization: the Authorization line of a request, and the rounds that
** digest authentication takes. Every scheme but netrc's is sent as a header
** line of our own, so that libcurl does not authenticate by itself. Does no
** I/O: it looks at a request and its response. Knows digest, request, response.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_AUTHORIZATION_H
#define CURLEW_AUTHORIZATION_H

#include "request.h"
#include "response.h"

/* The largest number of requests that digest authentication may send. */
enum { CW_AUTHORIZATION_ROUNDS = 3 };

/* Header lines of one round that differ from those of the settings. */
typedef struct cw_round_lines {
  struct curl_slist *first; /* owned; NULL: the lines of the settings apply */
  char *authorization;      /* owned: the text of one of them, or NULL */
} cw_round_lines;

/* Makes the lines that 'r' needs for its next round; they borrow the texts of
** its settings. 'lines' was zeroed or cleared before. False: out of memory. */
bool cw_authorization_lines(const cw_request *r, cw_round_lines *lines);
void cw_round_lines_clear(cw_round_lines *lines);

/* To be called before the first request to a url, and before each attempt.
** Forgets the last challenge, so that it is never answered to another host. */
void cw_authorization_begin(cw_request *r);

/* Whether 'r' must be sent again after 'from': with credentials, or with the
** content that a probe has left out. */
bool cw_authorization_goes_on(const cw_request *r, const cw_response *from);

/* Prepares 'r' for the next round. False: out of memory, or libcrypto does not
** allow the hash; then 'from' is the result. */
bool cw_authorization_go_on(cw_request *r, const cw_response *from);

#endif
