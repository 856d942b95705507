/* transfer: one HTTP exchange on an easy handle, pulled by its caller. The
** only room with libcurl's data callbacks: they fill the response and the body
** of whoever uses the transfer, set flags, and return. Knows libcurl, not the
** multi handle (that is the engine's).
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_TRANSFER_H
#define CURLEW_TRANSFER_H

#include "authorization.h"
#include "body.h"
#include "ending.h"
#include "gate.h"
#include "handshake.h"
#include "ledger.h"
#include "list.h"
#include "request.h"
#include "response.h"
#include "tunnel.h"

/* The connection that libcurl has chosen for a transfer. */
typedef struct cw_taken {
  CURL *easy;           /* borrowed */
  uint64_t name;        /* identifies the connection; 0: not known */
  uint64_t former;      /* that of the transfer's last connection; 0: none */
  int port;             /* the local port */
  curl_socket_t socket; /* the socket that the transfer was connecting with, if
                        ** known */
  uint64_t owner;       /* only its connections may be used; 0: any may */
  bool tls;             /* the connection may be one with TLS */
} cw_taken;

/* Callbacks for sockets, set on every handle. 'data' is the engine, since a
** socket outlives the transfer that opened it; only 'open' receives the
** transfer. */
typedef struct cw_socket_calls {
  curl_opensocket_callback open;
  curl_closesocket_callback close;
  /* False: bytes have come on the connection since it was last used, or it has
  ** another owner. */
  bool (*take)(void *data, const cw_taken *taken);
  /* The time when the socket last became readable; 0: never. */
  int64_t (*last_input)(const void *data, curl_socket_t socket);
  void *data;
} cw_socket_calls;

/* Somebody's place in the ring of those with news. */
typedef struct cw_news {
  cw_link link;
  bool (*settled)(struct cw_news *n); /* whether who waits for it can go on */
} cw_news;

/* Rings when something is due (see deadlines). */
typedef struct cw_alarm {
  int64_t due;                  /* on the engine's clock; INT64_MAX: never */
  size_t heap_at;               /* its place in the queue; 0: not in it */
  struct cw_transfer *transfer; /* borrowed: whose limits it watches; or NULL */
  cw_news *news; /* borrowed, without a transfer: who is to learn of it */
} cw_alarm;

typedef struct cw_source cw_source;

typedef struct cw_transfer {
  /* kept when it is used again */
  CURL *easy;            /* owned */
  cw_settings *baseline; /* a reference: what the handle is set to ... */
  uint64_t deviates;     /* ... but for these rows, of the last request */
  char detail[CURL_ERROR_SIZE];
  /* The handle must not be used again: libcurl counts the stale connections
  ** that a handle has met and fails at the sixth, and it keeps the
  ** authentication schemes that a server or a proxy has offered. */
  bool worn;
  bool forbids_reuse;   /* CURLOPT_FORBID_REUSE is set */
  bool closes_for_body; /* set only because the body is unsent */
  bool fresh;           /* CURLOPT_FRESH_CONNECT is set */
  bool zoned;           /* CURLOPT_ADDRESS_SCOPE is set */
  bool sends_on;        /* CURLOPT_KEEP_SENDING_ON_ERROR is set */
  bool exempts_all;     /* CURLOPT_NOPROXY is "*" for one exchange */
  bool traces;          /* CURLOPT_VERBOSE is set */
  bool reports;         /* CURLOPT_NOPROGRESS is 0 */
  bool has_text;        /* CURLOPT_POSTFIELDS is a text of the request */
  bool environment;     /* proxies of the environment may be used */
  bool unusable[2];     /* environment's proxies for http and https */
  cw_url *url;          /* a reference: it is set in the handle */
  curl_mime *mime;      /* owned: of the last request that had parts */
  cw_source *sources;   /* owned: what its parts are read from */
  cw_round_lines lines; /* owned: header lines of one request */
  cw_socket_calls calls;
  const unsigned *round; /* borrowed: counts the engine's looks at sockets */
  const int64_t *now;    /* borrowed: the engine's clock, microseconds */
  cw_link *touched;      /* borrowed: the engine's ring of owners with news */
  cw_link *new_phase;    /* borrowed: its ring of transfers in another phase */

  /* of this exchange; all borrowed */
  const cw_request *request;
  cw_content *content; /* the request's, or 'no_content' in a probe */
  cw_content no_content;
  cw_settings *expecting; /* may say that 100 is expected; NULL: nothing does */
  cw_response *response;
  cw_body *body;
  cw_error *error;
  const cw_url *host;       /* whose host is asked */
  cw_counters *counters[2]; /* the state's, the client's */
  struct cw_transfer *
    *holder;         /* who uses it holds it here; NULLed at the end */
  cw_news *news;     /* their place in the ring 'touched' */
  cw_gate *gates[2]; /* borrowed: where it has a place; NULL: nowhere */
  cw_link *over; /* and in the engine's of those that have ended; NULL: none */
  unsigned *repeats; /* borrowed: counts repetitions by libcurl, which are no
                     ** retries */

  /* how far it is */
  bool connected;          /* the request is being sent */
  bool reconnects;         /* a connection is made to send it once more */
  bool refused;            /* the connection that libcurl chose */
  bool opened;             /* an address was connected to, or tried */
  bool is_new;             /* the connection was made for this transfer */
  bool is_whole;           /* libcurl has read its response to the end */
  int no_socket;           /* errno of the last failed socket(); 0: none */
  int errno_before;        /* errno when the headers were complete (chunks) */
  uint32_t headers_before; /* header bytes before this connection */
  cw_end done_as;          /* how it counts when its stream ends by itself */
  long connects_before;    /* new connections before this one */
  long sent_before;        /* request bytes before this connection */
  uint64_t connection;     /* which it is, in one number; 0: not known */
  bool undecided; /* what has come may be followed by another response */
  bool in_block;  /* a status line has come, its headers may follow */
  bool draining;  /* what comes is dropped and counted */
  bool https;
  bool chunked;   /* the body comes in chunks */
  bool decode;    /* a coded body is to be decoded by its reader */
  bool http1;     /* no newer version is offered */
  bool wanted;    /* a call waits for it: its idle time counts */
  cw_proxy proxy; /* which it may go through */
  cw_tunnel tunnel;
  cw_handshake *handshake; /* a reference: of a new connection with TLS */
  cw_ending ending;        /* how the end of the body was announced */
  uint32_t header_bytes, header_lines;
  uint32_t interim; /* responses before the final one */
  uint64_t drained, drain_limit;

  /* when it is too late, on the engine's clock; 0: never */
  int64_t moved;    /* when something last happened */
  int64_t deadline; /* for everything */
  int64_t eager;    /* the body is awaited until then, and no error after */
  int64_t connect_us, first_byte_us, idle_us;

  /* the engine's */
  cw_link open_link; /* in the ring of open transfers, or of free ones */
  cw_link client_link;
  cw_link doomed_link;
  cw_link phase_link;   /* in the ring 'new_phase': its limit is another */
  bool must_run;        /* libcurl waits for no event: see cw_transfer_run */
  bool unwatched;       /* the engine has to resume it: libcurl has overlooked
                        ** the end, or data has to be read before the next
                        ** write */
  bool read_first;      /* the upload was paused to read first */
  bool answered;        /* the response is complete (HTTP/2) */
  bool writes;          /* libcurl waits until it can write */
  int64_t look_at;      /* when to look whether it still sends; 0: never */
  int64_t uploaded;     /* bytes, at the last look */
  cw_alarm alarm;       /* for when it is too late */
  bool entered;         /* in the multi */
  curl_socket_t socket; /* that libcurl last wanted watched for it */
  bool doomed; /* given up while libcurl ran: leaves when that returns */
} cw_transfer;

/* A transfer whose easy handle is set to the baseline of 'defaults' (a client
** without options) and uses the TLS sessions of 'share', which must outlive it.
** NULL: out of memory. */
cw_transfer *cw_transfer_new(const cw_socket_calls *calls, CURLSH *share,
                             cw_settings *defaults);

/* A transfer whose easy handle has the settings of 'model', a transfer that no
** request has used. NULL: out of
** memory. */
cw_transfer *cw_transfer_copy(const cw_transfer *model, CURLSH *share);

void cw_transfer_free(cw_transfer *t); /* NULL is fine; not while entered */

/* Prepares for 'request', filling in 'response' and 'body' as bytes come: only
** options that differ from what the handle is set to are set. False: 'error'
** says why. The transfer borrows them all until it is detached. */
bool cw_transfer_prepare(cw_transfer *t, cw_request *request,
                         cw_response *response, cw_body *body, cw_error *error);

/* The response is complete, or failed, or given up: copies what libcurl
** measured and forgets what it borrowed. */
void cw_transfer_detach(cw_transfer *t);

/* Takes back the text that libcurl has as the body of the last request, since
** the request may be freed. After the transfer has left the multi handle.
** False: the transfer must not be used again. */
bool cw_transfer_return_text(cw_transfer *t);

/* libcurl has chosen a connection that will not do, and nothing has been sent:
** prepares for the same once more, on a new one. Once it is out of the multi
** handle. False: out of memory. */
bool cw_transfer_again(cw_transfer *t);

/* The connection, used before, ended before it was noticed: to be asked again.
** Over HTTP/1 libcurl does so by itself. */
bool cw_transfer_stale(const cw_transfer *t, CURLcode result);

/* Whether its connection is one of HTTP/1, where one request follows the other;
** not before something has come of the response, if more was offered. */
bool cw_transfer_speaks_http1(const cw_transfer *t);

/* Its connection is closed when it ends. Also from a callback of libcurl's. */
void cw_transfer_forbid_reuse(cw_transfer *t);

/* libcurl says that it is over. Fills in the error, where it is one. */
void cw_transfer_done(cw_transfer *t, CURLcode result);

/* Lets a paused transfer go on, where there is room for what comes, or content
** for what goes. Fills the body before it returns. Never from a callback of
** libcurl's. */
void cw_transfer_resume(cw_transfer *t);

/* What libcurl waits for at its socket (CURL_POLL_...). From the callback that
** says so. */
void cw_transfer_watched(cw_transfer *t, int what);

/* libcurl has stopped waiting for the socket that it was connecting with. To be
** called inside that callback. True: cw_transfer_run must be called soon. */
bool cw_transfer_note_lost_socket(cw_transfer *t);

/* Makes libcurl continue the transfer. Must not be called inside a callback of
** libcurl. */
void cw_transfer_run(cw_transfer *t);

/* Whether libcurl will ask functions for a body although the final response
** has come. */
bool cw_transfer_sends_later(const cw_transfer *t);

/* Whether libcurl has given its upload up without a word. */
bool cw_transfer_stopped(const cw_transfer *t);

/* To be called at 'look_at'. Whether no byte of the upload was sent since the
** last call although libcurl wants to write. If the socket is writable too, the
** HTTP/2 windows are closed; if the response is complete as well, the upload
** has ended. 'skips_writable': libcurl is not told that the socket is
** writable. */
bool cw_transfer_stands_still(cw_transfer *t, bool skips_writable);

/* From now on what comes is dropped. False: not worth it, since more than the
** limit is known to be outstanding. */
bool cw_transfer_drain(cw_transfer *t);

/* When it is too late next; INT64_MAX: never. Says which limit in 'name' and
** how many microseconds it is. */
int64_t cw_transfer_due(const cw_transfer *t, const char **name, int64_t *us);

/* When to check the limits next. The check comes before the limit if bytes that
** arrive in between can make another limit apply. */
int64_t cw_transfer_look(const cw_transfer *t);

/* Ends it because a deadline has passed; fills in the error. */
void cw_transfer_too_late(cw_transfer *t);

/* What it is busy with, for an error. */
cw_phase cw_transfer_phase(const cw_transfer *t);

#endif
