/* error: what went wrong, in the words of the interface: a code, the phase in
** which it happened, a sentence. Knows libcurl's codes.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_ERROR_H
#define CURLEW_ERROR_H

#include <curl/curl.h>
#include <stdbool.h>

typedef enum cw_code {
  CW_OK = 0,
  CW_ERR_URL,
  CW_ERR_RESOLVE,
  CW_ERR_CONNECT,
  CW_ERR_TLS,
  CW_ERR_PROXY,
  CW_ERR_TIMEOUT,
  CW_ERR_CLOSED,
  CW_ERR_TRUNCATED,
  CW_ERR_PROTOCOL,
  CW_ERR_TOO_LARGE,
  CW_ERR_DECODE,
  CW_ERR_REDIRECT,
  CW_ERR_STATUS,
  CW_ERR_JSON,
  CW_ERR_FILE,
  CW_ERR_CHECKSUM,
  CW_ERR_CANCELLED,
  CW_ERR_TOO_MANY_OPEN,
  CW_ERR_MEMORY,
  CW_ERR_COUNT
} cw_code;

typedef enum cw_phase {
  CW_PHASE_REQUEST, /* checked, queued: nothing has been sent */
  CW_PHASE_RESOLVE,
  CW_PHASE_CONNECT,
  CW_PHASE_TLS,
  CW_PHASE_SEND,
  CW_PHASE_HEADERS,
  CW_PHASE_BODY,
  CW_PHASE_COUNT
} cw_phase;

enum { CW_ERROR_TEXT = CURL_ERROR_SIZE };

typedef struct cw_error {
  cw_code code;
  cw_phase phase;
  CURLcode curl;
  bool retryable;
  char text[CW_ERROR_TEXT]; /* a sentence without its full stop */
} cw_error;

/* Fills in 'e'; the text is made as by printf and cut where it is too long.
** The first error stays: a set one is not overwritten. */
#if defined(__GNUC__)
__attribute__((format(printf, 4, 5)))
#endif
void cw_error_set(cw_error *e, cw_code code, cw_phase phase, const char *format,
                  ...);

/* Facts about a failed transfer besides its CURLcode. */
typedef struct cw_facts {
  bool http2;    /* its connection speaks HTTP/2 */
  bool chunked;  /* its body comes in chunks */
  bool repeated; /* libcurl has sent the request on several connections */
  bool socket;   /* a system call on its socket has failed */
  bool tls;      /* its TLS connection has failed */
  bool alert;    /* ... by an alert of the peer */
  bool goaway;   /* libcurl has ended the HTTP/2 session because of an error */
} cw_facts;

/* Fills in 'e' from what libcurl says of a transfer; 'detail' is its error
** buffer, "" when it wrote nothing. The code, the phase and 'retryable' follow
** from 'curl', 'phase' and 'facts' (NULL: nothing is known). The text decides
** only between reasons for which there is no other sign (see gives_up). */
void cw_error_from_curl(cw_error *e, CURLcode curl, cw_phase phase,
                        const char *detail, const cw_facts *facts);

/* Replaces libcurl's vague words for a failed connect by the reason of the
** system, if 'number' (errno) is known. */
void cw_error_add_system(cw_error *e, int number);

/* The error of a failed call that needed a descriptor: out of descriptors, or
** no socket. 'number' is errno. */
void cw_error_of_descriptors(cw_error *e, CURLcode curl, cw_phase phase,
                             int number);

/* Whether the message of libcurl means that the peer does not speak TLS. */
bool cw_error_is_no_tls(const char *detail);

/* The same where a proxy is to blame; 'answer' is its status to CONNECT, 0 when
** there was none. */
void cw_error_from_proxy(cw_error *e, CURLcode curl, cw_phase phase,
                         const char *detail, int answer);

/* What libcurl's code is here, whatever else is known. */
cw_code cw_error_code(CURLcode curl);

/* "cannot <what> <name>: ", and what the system says of its error 'number'. */
void cw_error_from_system(cw_error *e, cw_code code, cw_phase phase,
                          const char *what, const char *name, int number);

/* The error of a status that will not do. */
void cw_error_from_status(cw_error *e, int status, const char *reason);

/* Whether a status says "later", or is one of a gateway's: the same request may
** then succeed (RFC 9110 section 15). */
bool cw_status_retryable(int status);

const char *cw_code_name(cw_code code);
const char *cw_phase_name(cw_phase phase);

#endif
