/* authorization: the Authorization line of a request, and the rounds that
** digest authentication takes. Every scheme but netrc's is sent as a header
** line of our own, so that libcurl does not authenticate by itself. Does no
** I/O: it looks at a request and its response. Knows digest, request, response.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_AUTHORIZATION_H
#define CURLEW_AUTHORIZATION_H

#include "request.h"
#include "response.h"

/* A request and its repetitions by digest authentication are so many. */
enum { CW_AUTHORIZATION_ROUNDS = 3 };

/* Header lines of one round that differ from those of the settings. */
typedef struct cw_round_lines {
  struct curl_slist *first; /* owned; NULL: those of the settings will do */
  char *authorization;      /* owned: the text of one of them, or NULL */
} cw_round_lines;

/* Makes the lines that 'r' needs for its next round; they borrow the texts of
** its settings. 'lines' was zeroed or cleared before. False: out of memory. */
bool cw_authorization_lines(const cw_request *r, cw_round_lines *lines);
void cw_round_lines_clear(cw_round_lines *lines);

/* Before the first round of a url or an attempt: forgets the challenge of the
** last one, so that no host gets what another host's challenge led to. */
void cw_authorization_begin(cw_request *r);

/* Whether 'from' is not the result: 'r' is to be made again, with credentials
** or with the content that a probe has left out. */
bool cw_authorization_goes_on(const cw_request *r, const cw_response *from);

/* Prepares 'r' for the round after 'from'. False: out of memory, or libcrypto
** refuses the hash; then 'from' is the result. */
bool cw_authorization_go_on(cw_request *r, const cw_response *from);

#endif
