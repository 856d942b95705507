/* ending: whether a response that libcurl calls complete has come whole, where
** nothing in it says where its body ends. Knows libcurl, response, tls_watch.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_ENDING_H
#define CURLEW_ENDING_H

#include "response.h"
#include "tls_watch.h"

typedef struct cw_ending {
  CURL *easy; /* borrowed; NULL: there is no connection yet */
  /* Has libcurl say what it does (CURLOPT_VERBOSE), or no more. */
  void (*listen)(void *data, bool on);
  void *data;
  cw_tls_watch *tls; /* a reference; NULL: nothing can be seen of it */
  bool judges;       /* HTTP/2, and this libcurl does not tell a cut */
  bool listens;      /* libcurl says what it does */
  bool goaway;       /* the server has announced the end of the connection */
  bool kept;         /* libcurl has kept the connection, or closed it only for
                     ** want of room */
} cw_ending;

/* The transfer of 'easy' has a connection. To be called inside
** CURLOPT_PREREQFUNCTION. 'listen', with 'data', is called while the answer
** comes, inside libcurl, and when that is over. */
void cw_ending_begin(cw_ending *e, CURL *easy,
                     void (*listen)(void *data, bool on), void *data);
/* Whether the connection that was begun with has ended already. */
bool cw_ending_came_before(const cw_ending *e);

void cw_ending_clear(cw_ending *e);

/* What libcurl says (CURLINFO_TEXT). */
void cw_ending_hear(cw_ending *e, const char *text, size_t n);

/* The response is final; 'open': nothing in it says where its body ends. */
void cw_ending_final(cw_ending *e, bool open);

/* A header line or a piece of the body has been delivered. */
void cw_ending_delivered(cw_ending *e);

/* Whether the connection's end came together with the stream's reset. */
bool cw_ending_cut(const cw_ending *e);

/* Why the body of a response that libcurl calls complete is not; NULL: it is,
** or nobody can tell. 'forbidden': the connection was not to be kept. For
** HTTP/2, where no length was declared. */
const char *cw_ending_of_stream(const cw_ending *e, bool forbidden,
                                bool has_trailers);

/* The same over HTTP/1, where the body ends with the connection. */
const char *cw_ending_of_connection(const cw_ending *e);

#endif
