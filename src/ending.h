/* ending: whether a response that libcurl calls complete is complete, if no
** header field tells where its body ends. Knows libcurl, response, tls_watch.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_ENDING_H
#define CURLEW_ENDING_H

#include "response.h"
#include "tls_watch.h"

typedef struct cw_ending {
  CURL *easy; /* borrowed; NULL: there is no connection yet */
  /* Turns CURLOPT_VERBOSE on or off. */
  void (*listen)(void *data, bool on);
  void *data;
  cw_tls_watch *tls; /* a reference; NULL: the TLS layer cannot be watched */
  bool http2;
  bool deduces; /* HTTP/2, and this libcurl does not report a cut */
  bool listens; /* CURLOPT_VERBOSE is set */
  bool goaway;  /* the server has sent GOAWAY */
  bool kept;    /* libcurl has kept the connection, or closed it only
                ** because its pool is full */
} cw_ending;

/* The transfer of 'easy' has got a connection. To be called inside
** CURLOPT_PREREQFUNCTION. 'listen' is called with 'data', inside libcurl, when
** the response begins and when the texts are no longer needed. */
void cw_ending_begin(cw_ending *e, CURL *easy,
                     void (*listen)(void *data, bool on), void *data);
/* Whether the connection had already ended when it was taken. */
bool cw_ending_came_before(const cw_ending *e);

void cw_ending_clear(cw_ending *e);

/* Reads a text that libcurl reports (CURLINFO_TEXT). */
void cw_ending_read_text(cw_ending *e, const char *text, size_t n);

/* The headers of the final response are complete. 'open': no header field tells
** where its body ends. */
void cw_ending_final(cw_ending *e, bool open);

/* A header line or a piece of the body has been delivered. */
void cw_ending_delivered(cw_ending *e);

/* Whether the connection ended together with the reset of the stream. */
bool cw_ending_cut(const cw_ending *e);

/* Whether no frame has come since data was last delivered, so that the stream
** can only have failed with its connection. False: not known. */
bool cw_ending_without_frame(const cw_ending *e);

/* Whether libcurl has ended the HTTP/2 session because of an error of the peer.
** Only for a libcurl that does not report it. */
bool cw_ending_broke(const cw_ending *e);

/* Why a body over HTTP/2 without a declared length is truncated although
** libcurl calls the response complete; NULL: it is complete, or the cut cannot
** be detected. 'forbidden': the connection was not to be kept. 'uploads': the
** request has a body. */
const char *cw_ending_of_stream(const cw_ending *e, bool forbidden,
                                bool has_trailers, bool uploads);

/* The same for a body over HTTP/1 that ends with the connection. */
const char *cw_ending_of_connection(const cw_ending *e);

#endif
