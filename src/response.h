/* response: what came, but for the body: status line, fields, trailers, and
** what libcurl measured. Owned data, no I/O. Knows libc.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_RESPONSE_H
#define CURLEW_RESPONSE_H

#include <stdint.h>

#include "headers.h"

/* In microseconds from the start of the transfer; 0: did not come to that. */
typedef struct cw_times {
  int64_t namelookup, connect, appconnect, pretransfer, starttransfer, total;
} cw_times;

typedef struct cw_info {
  cw_times times;
  char remote_ip[46];
  uint16_t remote_port;
  bool reused;   /* the connection had served another request */
  bool filled;   /* the stream has ended: these are the final figures */
  int64_t ended; /* when, on the engine's clock ... */
  int end;       /* ... and how (cw_end) */
} cw_info;

enum { CW_REASON_TEXT = 96 };

typedef struct cw_response {
  bool final; /* the status and the headers are complete */
  int status; /* 0: none yet */
  const char *http_version;
  char reason[CW_REASON_TEXT]; /* cut where it is longer */
  cw_headers *headers;         /* a reference; NULL: none yet */
  cw_headers *trailers;        /* the same */
  int64_t length;              /* declared length of the body; -1: none */
  cw_info info;
} cw_response;

void cw_response_init(cw_response *r);
void cw_response_clear(cw_response *r);

/* Reads a status line without its line end (RFC 9112 section 4); forgets what
** an interim response before it said. False: out of memory. A line that is none
** leaves status 0. */
bool cw_response_status_line(cw_response *r, cw_text line);

/* What is wrong with the fields that say where the body ends (RFC 9112 section
** 6.3), as a sentence; NULL: nothing. '*doubtful': the peer, or a proxy, may
** think that it ends elsewhere than we do. */
const char *cw_response_framing(const cw_response *r, bool *doubtful);

/* Whether a body may follow whose end no field of the final response declares.
** A response to HEAD has no body, whatever its fields are. */
bool cw_response_open_ended(const cw_response *r);

/* Whether the body of the final response comes in chunks. */
bool cw_response_chunked(const cw_response *r);

/* Whether its Content-Encoding names anything that changes the body. */
bool cw_response_coded(const cw_response *r);

static inline bool cw_response_ok(const cw_response *r) {
  return r->status >= 200 && r->status <= 299;
}

#endif
