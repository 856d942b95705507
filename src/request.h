/* request: what is asked: method, url, options, content. Owned data, no I/O.
** Knows content, digest, settings, url.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_REQUEST_H
#define CURLEW_REQUEST_H

#include "content.h"
#include "digest.h"
#include "settings.h"
#include "url.h"

/* The state of digest authentication (see authorization). */
typedef struct cw_rounds {
  unsigned over;     /* responses that were followed by another round */
  bool probes;       /* the next round goes without the content */
  cw_digest *digest; /* owned: the challenge that is answered; NULL: none */
  char *answer;      /* owned: the value of Authorization */
} cw_rounds;

typedef struct cw_request {
  cw_settings own;       /* what this request said */
  cw_settings *defaults; /* a reference to its client's */
  cw_url *url;           /* a reference; NULL until set */
  bool elsewhere;        /* it has another origin than base_url */
  cw_content content;    /* what is sent with it */
  cw_rounds rounds;
  int trace; /* owned: where its trace is written; -1: none */
} cw_request;

/* Takes a reference to 'defaults'; 'error' is where its owner keeps its
** outcome. */
void cw_request_init(cw_request *r, cw_settings *defaults, cw_error *error);
void cw_request_clear(cw_request *r);

/* Forgets the state of digest authentication. */
void cw_request_end_rounds(cw_request *r);

/* Sets the url, put behind the option base_url if it has no scheme of its own.
** 'last' is one that was parsed before: it saves the work when it is the same
** again, and is replaced otherwise. False: 'e' says why. */
bool cw_request_set_url(cw_request *r, const char *url, size_t length,
                        cw_url **last, cw_error *e);

/* A trace goes to a copy of the descriptor of 'stream', after what was written
** there. False: none can be had. */
bool cw_request_trace(cw_request *r, FILE *stream);

/* All is said: makes what is sent of it. The credentials of a client with a
** base_url are left out for another origin. False: out of memory. */
bool cw_request_finish(cw_request *r);

/* What is to be asked next instead: by GET and without its body; without its
** secrets. False: out of memory. */
bool cw_request_to_get(cw_request *r);
bool cw_request_hide_secrets(cw_request *r);

const char *cw_request_method(const cw_request *r);

/* Whether the method is idempotent (RFC 9110 section 9.2.2). */
bool cw_request_is_idempotent(const cw_request *r);

/* What Content-Type says where its program does not; NULL: nothing. */
const char *cw_request_type(const cw_request *r);

#endif
