/* transfer: one HTTP exchange on an easy handle. Knows libcurl.
** SPDX-License-Identifier: MIT */
#include "transfer.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>

#include "apply.h"
#include "descriptor.h"
#include "quirks.h"
#include "route.h"
#include "tls.h"
#include "tls_write.h"
#include "trace.h"

enum {
  DRAIN_PLAIN = 64 * 1024, /* a TLS connection is dearer to make anew */
  DRAIN_TLS = 256 * 1024,
  INTERIM_MAX = 32, /* 1xx responses before a final one */
  LINES_MAX = 5000, /* header lines; libcurl 8.14 has this limit */
  /* A piece of 64 KiB goes out as one chunk: libcurl keeps 12 bytes for what
  ** stands around it. */
  UPLOAD_BUFFER = 64 * 1024 + 12,
  LOOK_US = 50000,
  LOOK_SOON_US = 1000
};

static void touch(cw_transfer *t) {
  t->moved = *t->now;
  if (t->news && cw_list_empty(&t->news->link))
    cw_list_append(t->touched, &t->news->link);
}

/* Another limit holds from now on, and it may end sooner than the last. */
static void enter_phase(cw_transfer *t) {
  t->moved = *t->now;
  if (cw_list_empty(&t->phase_link))
    cw_list_append(t->new_phase, &t->phase_link);
}

/* libcurl also calls back while it removes a transfer from the multi handle: a
** header line that it has held back is delivered then (8.18.0). By that time
** the transfer is detached. Each callback asks this first and does nothing if
** the transfer has no owner. */
static bool is_over(const cw_transfer *t) { return t->doomed || !t->response; }

/* For its request, or to send that once more. */
static bool is_connecting(const cw_transfer *t) {
  return !t->connected || t->reconnects;
}

static int64_t measured(const cw_transfer *t, CURLINFO what) {
  curl_off_t value = 0;
  curl_easy_getinfo(t->easy, what, &value);
  return value;
}

/* Header callback --------------------------------------------------------- */

static size_t refuse(cw_transfer *t, cw_code code, const char *what) {
  cw_error_set(t->error, code, cw_transfer_phase(t), "%s", what);
  return 0; /* fewer bytes than came: libcurl ends the transfer */
}

static bool broken(cw_transfer *t, const char *what) {
  return refuse(t, CW_ERR_PROTOCOL, what);
}

/* The declared length of the body, as libcurl understood it. */
static int64_t declared_length(const cw_transfer *t) {
  curl_off_t length = -1;
  curl_easy_getinfo(t->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
  return length;
}

/* Whether only the end of the stream or of the connection ends the body. */
static bool is_head(const cw_transfer *t) {
  return strcmp(cw_request_method(t->request), "HEAD") == 0;
}

static bool is_open_ended(const cw_transfer *t) {
  return cw_response_open_ended(t->response) && !is_head(t);
}

/* The errno of the last call on a socket that failed, of whichever transfer of
** this handle. */
static int system_error(const cw_transfer *t) {
  long number = 0;
  curl_easy_getinfo(t->easy, CURLINFO_OS_ERRNO, &number);
  return (int)number;
}

/* libcurl reports a malformed chunk and a broken connection by the same code.
** The errno shows which it was, if the one from before is known. */
static void note_chunks(cw_transfer *t) {
  t->chunked = cw_response_chunked(t->response);
  if (t->chunked) t->errno_before = system_error(t);
}

static void make_final(cw_transfer *t) {
  t->response->final = true;
  t->response->length = declared_length(t);
  if (t->ending.tls) cw_ending_final(&t->ending, is_open_ended(t));
  note_chunks(t);
  t->body->coded = t->decode && cw_response_coded(t->response);
}

/* 101 is final: nobody asked for another protocol (engine facts, 4). */
static bool interim(int status) {
  return status >= 100 && status < 200 && status != 101;
}

/* Sets an option inside a callback of libcurl. libcurl reads the option when
** the transfer ends, and offers no other way to ask for this earlier. */
void cw_transfer_forbid_reuse(cw_transfer *t) {
  t->forbids_reuse = true;
  t->closes_for_body = false;
  curl_easy_setopt(t->easy, CURLOPT_FORBID_REUSE, 1L);
}

/* Turns the progress function of libcurl on or off, since each call of it costs
** time. May be called from a callback. */
static CURLcode report(cw_transfer *t, bool on) {
  if (t->reports == on) return CURLE_OK;
  t->reports = on;
  return curl_easy_setopt(t->easy, CURLOPT_NOPROGRESS, on ? 0L : 1L);
}

static CURLcode allow_reuse(cw_transfer *t) {
  if (!t->forbids_reuse) return CURLE_OK;
  t->forbids_reuse = t->closes_for_body = false;
  return curl_easy_setopt(t->easy, CURLOPT_FORBID_REUSE, 0L);
}

/* Whether bytes of the request body are still unsent. The declared length
** includes the delimiters of a form. */
static bool is_body_unsent(const cw_transfer *t) {
  if (t->content->kind == CW_CONTENT_NONE) return false;
  int64_t length = measured(t, CURLINFO_CONTENT_LENGTH_UPLOAD_T);
  if (length < 0) return !cw_content_sent(t->content);
  return measured(t, CURLINFO_SIZE_UPLOAD_T) < length;
}

/* libcurl keeps the connection if the final response comes while it waits for
** 100 (Continue), or if it repeats the request after 417. The server would then
** read the next request as the rest of this body, so the connection must be
** closed. Over HTTP/2 libcurl resets the stream. */
static void forbid_reuse_while_unsent(cw_transfer *t) {
  if (t->forbids_reuse || !cw_transfer_speaks_http1(t)) return;
  if (!is_body_unsent(t)) return;
  cw_transfer_forbid_reuse(t);
  t->closes_for_body = true;
}

/* The whole body has been handed to libcurl, so the connection can be kept:
** libcurl sends all that it has read, or closes the connection. */
static void allow_reuse_when_sent(cw_transfer *t) {
  if (t->closes_for_body) allow_reuse(t);
}

/* libcurl repeats a request after 417 without its own Expect line. An Expect
** line that curlew has set is removed here. */
static bool asks_again(cw_transfer *t) {
  if (!t->expecting || t->response->status != 417) return false;
  cw_settings_stop_expecting(t->expecting);
  t->expecting = NULL; /* once */
  return true;
}

/* After a 401 or a 407 libcurl keeps the offered authentication schemes in the
** easy handle. No option resets them (7.88 and 8.21). If libcurl sends the
** credentials of a later request on that handle (netrc, a proxy) and the
** request is refused, libcurl would repeat it because of the old offer, and
** fail. */
static void note_challenge(cw_transfer *t, int status) {
  t->worn |= status == 401 || status == 407;
}

/* With its answer a server may take leave of an upload (RFC 9113 section 8.1).
** libcurl 7.88 goes on, and writes nothing, for ever: so it is looked at. */
static void look_at_upload(cw_transfer *t) {
  int64_t length = t->response->length;
  bool whole = length >= 0 && t->body->came == (uint64_t)length;
  if (!whole || cw_transfer_speaks_http1(t)) return;
  if (t->content->kind == CW_CONTENT_NONE) return;
  t->answered = true;
  t->uploaded = measured(t, CURLINFO_SIZE_UPLOAD_T);
  t->look_at = *t->now + LOOK_US;
  enter_phase(t);
}

/* libcurl 7.88 waits for a writable socket as long as there is data to send,
** even if the HTTP/2 windows are closed: once the request headers are sent, it
** no longer asks the HTTP/2 filter which events to wait for. */
static void watch_window(cw_transfer *t) {
  if (t->http1 || t->look_at) return;
  t->uploaded = measured(t, CURLINFO_SIZE_UPLOAD_T);
  t->look_at = *t->now + LOOK_SOON_US;
  enter_phase(t);
}

static size_t end_of_block(cw_transfer *t, size_t n) {
  t->in_block = false;
  if (interim(t->response->status)) {
    if (++t->interim <= INTERIM_MAX) return n;
    return broken(t, "more than 32 interim (1xx) responses");
  }
  bool doubtful;
  const char *fault = cw_response_framing(t->response, &doubtful);
  if (fault) return broken(t, fault);
  if (doubtful) cw_transfer_forbid_reuse(t);
  note_challenge(t, t->response->status);
  forbid_reuse_while_unsent(t);
  t->undecided = asks_again(t);
  if (t->undecided) return n;
  report(t, false);
  make_final(t);
  look_at_upload(t);
  return n;
}

/* libcurl looks at the first of the lines alone: what it makes of the length is
** not what the whole value says. */
static bool says_where_it_ends(cw_text name) {
  return cw_text_is(name, "content-length") ||
         cw_text_is(name, "transfer-encoding");
}

static bool continue_line(cw_transfer *t, cw_headers *h, cw_text more) {
  size_t count = cw_headers_count(h);
  if (count == 0) return broken(t, "the first header line is a folded one");
  if (says_where_it_ends(cw_headers_name(h, count - 1)))
    return broken(t, "a Content-Length or Transfer-Encoding is folded");
  return cw_headers_continue(h, more);
}

/* Whether libcurl uses this field to find the end of the body or of the
** connection. */
static bool is_framing_field(cw_text name) {
  return says_where_it_ends(name) || cw_text_is(name, "connection");
}

/* Whether a blank before the colon (RFC 9112 section 5.1) makes the framing
** ambiguous. libcurl does not recognize "Content-Length : 5" as a length, but
** other parsers do. */
static bool is_ambiguous(cw_text line, const char *colon) {
  if (colon == line.bytes || !cw_text_blank(colon[-1])) return false;
  size_t n = (size_t)(colon - line.bytes);
  return is_framing_field(cw_text_trim((cw_text){line.bytes, n}));
}

static bool add_line(cw_transfer *t, cw_headers *h, cw_text line) {
  if (cw_text_blank(*line.bytes)) /* obs-fold */
    return continue_line(t, h, cw_text_trim(line));
  const char *colon = memchr(line.bytes, ':', line.length);
  if (!colon) return true; /* not a field line: libcurl passes it over too */
  if (is_ambiguous(line, colon))
    return broken(t, "a header that frames the body or the connection has a "
                     "blank before its colon");
  return cw_headers_add_line(h, line, (size_t)(colon - line.bytes));
}

static cw_headers *fields_for(cw_transfer *t) {
  cw_response *r = t->response;
  cw_headers **fields = r->final ? &r->trailers : &r->headers;
  if (!*fields) *fields = cw_headers_new();
  return *fields;
}

/* A status line of HTTP/2 is libcurl's own doing, and without a reason, but
** only where HTTP/2 was offered: else the peer wrote it, and libcurl would
** believe that. */
static bool spoken(const cw_transfer *t) {
  return *t->response->http_version == '1' ||
         (!t->http1 && !*t->response->reason);
}

static bool take_status(cw_transfer *t, cw_text line) {
  t->in_block = true;
  if (!cw_response_status_line(t->response, line)) return false;
  if (t->response->status == 0)
    return broken(t, "the status line cannot be read");
  return spoken(t) || broken(t, "the status line is not of HTTP/1");
}

static bool take_line(cw_transfer *t, cw_text line) {
  if (!t->in_block && !t->response->final) return take_status(t, line);
  cw_headers *fields = fields_for(t);
  if (++t->header_lines > LINES_MAX)
    return refuse(t, CW_ERR_TOO_LARGE, "more than 5,000 header lines");
  return fields && add_line(t, fields, line);
}

/* A CR is part of the end of a line, and of nothing else (RFC 9112 section
** 2.2); to libcurl any line that begins with one is the blank line. */
static bool bare_cr(cw_text line) {
  return memchr(line.bytes, '\r', line.length) != NULL;
}

/* At the end of a transfer libcurl also delivers the bytes of a line that is
** not complete (8.18.0). Such a line has not been received. In the same way
** libcurl delivers a blank line in the place of a status line, which ends no
** block of headers. */
static bool is_incomplete(cw_text line) {
  return line.length == 0 || line.bytes[line.length - 1] != '\n';
}

static size_t on_header(char *bytes, size_t size, size_t count, void *data) {
  cw_transfer *t = data;
  size_t n = size * count;
  cw_text line = {bytes, n};
  if (is_over(t)) return 0;
  if (is_incomplete(line)) return n;
  touch(t);
  cw_ending_delivered(&t->ending);
  if (!t->header_bytes) enter_phase(t);
  t->header_bytes += (uint32_t)n;
  if (t->header_bytes > CW_HEADERS_MAX)
    return refuse(t, CW_ERR_TOO_LARGE,
                  "headers and trailers are over 256 KiB in all");
  if (t->draining) return n;
  line.length--;
  if (line.length && bytes[line.length - 1] == '\r') line.length--;
  if (bare_cr(line)) return broken(t, "a CR stands inside a header line");
  if (line.length == 0) return t->in_block ? end_of_block(t, n) : n;
  if (take_line(t, line)) return n;
  /* the first error stays, whichever it was */
  return refuse(t, CW_ERR_MEMORY, "out of memory for the headers");
}

/* Body callback ----------------------------------------------------------- */

static size_t on_body(char *bytes, size_t size, size_t count, void *data) {
  cw_transfer *t = data;
  size_t n = size * count;
  if (is_over(t)) return 0;
  touch(t);
  if (t->draining) {
    t->drained += n;
    return t->drained <= t->drain_limit ? n : 0;
  }
  if (!t->response->final) make_final(t);
  if (cw_body_full(t->body, n)) {
    t->body->paused = true;
    enter_phase(t); /* the engine looks at what libcurl wants now */
    return CURL_WRITEFUNC_PAUSE;
  }
  if (n > 0) cw_ending_delivered(&t->ending); /* an empty body is called too */
  if (!cw_body_put(t->body, bytes, n)) return 0;
  look_at_upload(t);
  return n;
}

/* Content callbacks ------------------------------------------------------- */

static bool sends_over_tls(const cw_transfer *t) {
  return t->https && t->content->kind != CW_CONTENT_NONE &&
         t->content->length != 0;
}

/* A server that answers before it has read the whole body may close its
** connection at once. The next write then fails and hides the response, so data
** that has arrived is read first. The upload is paused once per piece only,
** because the end of the connection also makes a socket readable. The check is
** made after the piece has been copied, which leaves the shortest time until
** the write. (Over TLS: cw_tls_write_retry.) */
static bool has_to_read_first(cw_transfer *t) {
  struct pollfd socket = {.fd = (int)t->socket, .events = POLLIN};
  if (t->https || t->response->final || t->body->paused || t->read_first) {
    t->read_first = false;
    return false;
  }
  t->read_first = poll(&socket, 1, 0) > 0;
  return t->read_first;
}

static size_t pause_to_read(cw_transfer *t) {
  t->unwatched = true;
  enter_phase(t);
  return CURL_READFUNC_PAUSE;
}

static size_t read_content(cw_transfer *t, cw_content *c, char *to,
                           size_t size) {
  touch(t); /* sent, or in want of a piece: its owner has news */
  size_t n = cw_content_read(c, to, size);
  if (n <= size && has_to_read_first(t)) {
    cw_content_unread(c, n);
    return pause_to_read(t);
  }
  watch_window(t);
  if (!cw_content_sent(t->content)) return n;
  allow_reuse_when_sent(t);
  enter_phase(t);
  return n;
}

static size_t on_read(char *to, size_t size, size_t count, void *data) {
  cw_transfer *t = data;
  if (is_over(t)) return CURL_READFUNC_ABORT;
  return read_content(t, t->content, to, size * count);
}

/* libcurl sends the body again, on another connection. */
static int on_seek(void *data, curl_off_t offset, int origin) {
  cw_transfer *t = data;
  bool ok = !is_over(t) && offset == 0 && origin == SEEK_SET &&
            cw_content_again(t->content);
  return ok ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL;
}

/* A part of a form, as libcurl's callbacks get it. Lives as long as the form
** that libcurl has; the content belongs to the request. */
struct cw_source {
  cw_transfer *transfer;
  cw_content *content; /* borrowed; NULL: the transfer is detached */
};

static size_t on_read_part(char *to, size_t size, size_t count, void *data) {
  const cw_source *part = data;
  cw_transfer *t = part->transfer;
  if (is_over(t) || !part->content) return CURL_READFUNC_ABORT;
  return read_content(t, part->content, to, size * count);
}

static int on_seek_part(void *data, curl_off_t offset, int origin) {
  const cw_source *part = data;
  bool ok = !is_over(part->transfer) && part->content && offset == 0 &&
            origin == SEEK_SET && cw_content_rewind(part->content);
  return ok ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL;
}

/* Passes events of libcurl on to the trace and to 'ending'. */
static int on_debug(CURL *easy, curl_infotype type, char *bytes, size_t n,
                    void *data) {
  (void)easy;
  cw_transfer *t = data;
  if (is_over(t)) return 0;
  if (type == CURLINFO_TEXT) cw_ending_read_text(&t->ending, bytes, n);
  if (t->request->trace >= 0)
    cw_trace_write(t->request->trace, t->request, type, bytes, n);
  return 0;
}

/* Tunnels ----------------------------------------------------------------- */

static int64_t clock_now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* The status of the response to CONNECT; 0: no response has come. */
static long answer_to_connect(const cw_transfer *t) {
  long status = 0;
  curl_easy_getinfo(t->easy, CURLINFO_HTTP_CONNECTCODE, &status);
  return status;
}

static void refuse_tunnel(cw_transfer *t) {
  char text[128];
  long answer = answer_to_connect(t);
  snprintf(text, sizeof text,
           "the proxy's answer to CONNECT is too long (status %ld)", answer);
  cw_error_from_proxy(t->error, CURLE_ABORTED_BY_CALLBACK, CW_PHASE_CONNECT,
                      text, (int)answer);
}

/* While a tunnel is set up, libcurl returns only when the proxy sends nothing
** or when this function returns 1. No other code can check limits in that
** time. */
static int on_progress(void *data, curl_off_t a, curl_off_t b, curl_off_t c,
                       curl_off_t d) {
  cw_transfer *t = data;
  const char *name;
  int64_t us;
  (void)a, (void)b, (void)c, (void)d;
  if (is_over(t)) return 1;
  switch (cw_tunnel_step(&t->tunnel, t->easy, *t->round, t->header_bytes)) {
  case CW_TUNNEL_LONG:
    refuse_tunnel(t);
    return 1;
  case CW_TUNNEL_LOOK:
    if (cw_transfer_due(t, &name, &us) > clock_now()) return 0;
    cw_transfer_too_late(t);
    return 1;
  default:
    return 0;
  }
}

/* Whether the request goes through a CONNECT tunnel: an HTTP proxy, and a url
** for https or an address given by the option resolve. */
static bool tunnels(const cw_transfer *t, const cw_request *r) {
  bool pinned = cw_settings_find(&r->own, r->defaults, CW_OPT_RESOLVE);
  if (!t->https && !pinned) return false;
  return t->proxy >= CW_PROXY_PLAIN ||
         (t->proxy == CW_PROXY_MAYBE && t->environment);
}

static CURLcode watch_tunnel(cw_transfer *t, const cw_request *request) {
  bool on = tunnels(t, request);
  if (on) {
    curl_easy_setopt(t->easy, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(t->easy, CURLOPT_XFERINFODATA, t);
  }
  return report(t, on);
}

/* Connections ------------------------------------------------------------- */

/* libcurl is about to start TLS on a new connection. */
static CURLcode on_tls(CURL *easy, void *ssl_ctx, void *data) {
  (void)easy;
  cw_transfer *t = data;
  if (is_over(t)) return CURLE_ABORTED_BY_CALLBACK;
  cw_handshake_watch(&t->handshake, ssl_ctx);
  /* with a trace libcurl has a callback of its own */
  if (!t->http1 && !t->traces) cw_tls_watch_prepare(ssl_ctx);
  return CURLE_OK;
}

/* A small text is sent with the header lines in one system call. A larger body
** is sent in pieces, so that progress can be reported. */
static bool goes_at_once(const cw_content *c) {
  return c->kind == CW_CONTENT_TEXT && c->length <= CW_CONTENT_AT_ONCE;
}

/* FNV-1a. */
static const uint64_t FNV_BASIS = 14695981039346656037u;

static uint64_t add_number(uint64_t hash, unsigned number) {
  return (hash ^ number) * 1099511628211u;
}

static uint64_t add_text(uint64_t hash, const char *text) {
  for (; *text; text++)
    hash = add_number(hash, (unsigned char)*text);
  return hash;
}

/* Tells the process's connections apart: the kernel gives one local port to
** several as long as they go to different addresses. */
static uint64_t name_of(const char *ip, int port, int local_port) {
  if (local_port <= 0) return 0; /* no TCP */
  uint64_t name = add_text(FNV_BASIS, ip);
  return add_number(add_number(name, (unsigned)port), (unsigned)local_port);
}

/* libcurl asks anew, by HTTP/1.1, when it is told so (HTTP_1_1_REQUIRED), in
** mid-body too: another response would be taken for the rest of this one. */
static bool is_repeated_in_body(const cw_transfer *t) {
  return t->response->final && cw_quirk_is_active(CW_QUIRK_BODY_REPEATED);
}

static int not_twice(cw_transfer *t) {
  bool cut = is_open_ended(t) || cw_ending_cut(&t->ending);
  refuse(t, cut ? CW_ERR_TRUNCATED : CW_ERR_CLOSED,
         "the server has given its response up");
  return CURL_PREREQFUNC_ABORT;
}

/* Whether libcurl has ignored the proxy of the request. Only a new connection
** can bypass a proxy. The connection is refused, whatever the reason is. */
static bool passes_proxy(const cw_transfer *t, int port) {
  long connects = 0;
  if (t->proxy < CW_PROXY_PLAIN) return false;
  curl_easy_getinfo(t->easy, CURLINFO_NUM_CONNECTS, &connects);
  if (connects == 0) return false;
  const cw_request *r = t->request;
  return port != cw_route_proxy_port(
                   cw_settings_text_of(&r->own, r->defaults, CW_OPT_PROXY));
}

/* Whether the address has another version than the option 'ip' says. libcurl
** 8.20.0 and later connect to an address in a url whatever its version is. */
static bool has_other_ip(const cw_transfer *t, const char *ip) {
  const cw_request *r = t->request;
  if (!*ip || !cw_quirk_is_active(CW_QUIRK_IP_IGNORED)) return false;
  const cw_value *wanted = cw_settings_find(&r->own, r->defaults, CW_OPT_IP);
  return wanted && (wanted->number == 4) == (strchr(ip, ':') != NULL);
}

/* libcurl before 8.19.0 does not compare user and password of an HTTP proxy: a
** tunnel that was made for one user would serve another one (CVE-2026-3784). */
static uint64_t owner_of_tunnel(const cw_transfer *t) {
  const cw_request *r = t->request;
  if (!cw_quirk_is_active(CW_QUIRK_TUNNEL_OWNER)) return 0;
  if (t->proxy < CW_PROXY_PLAIN || !tunnels(t, r)) return 0;
  return add_text(FNV_BASIS,
                  cw_settings_text_of(&r->own, r->defaults, CW_OPT_PROXY));
}

/* From libcurl 8.13.0 to 8.16.0 a request for http may get a connection with
** TLS. Their owners differ, so such a connection is refused. */
static uint64_t owner_of_connection(const cw_transfer *t) {
  uint64_t owner = owner_of_tunnel(t);
  if (!t->https || !cw_quirk_is_active(CW_QUIRK_PLAIN_OVER_TLS)) return owner;
  return add_number(owner ^ FNV_BASIS, t->https);
}

static int refuse_connection(cw_transfer *t, cw_code code, const char *what) {
  cw_error_set(t->error, code, CW_PHASE_CONNECT, "%s", what);
  cw_transfer_forbid_reuse(t);
  return CURL_PREREQFUNC_ABORT;
}

/* Repetitions ------------------------------------------------------------- */

/* libcurl repeats a request without notice if a reused connection ends before a
** response (Curl_retry_request). Over HTTP/2 it also does so if the server
** reports that the request was not processed (REFUSED_STREAM), or asks for
** HTTP/1.1. */

/* Whether bytes of the request were sent. CURLINFO_REQUEST_SIZE counts the
** bytes of the first write. If that was not complete, libcurl waits until the
** socket is writable. */
static bool has_sent(const cw_transfer *t) {
  long requested = 0;
  curl_easy_getinfo(t->easy, CURLINFO_REQUEST_SIZE, &requested);
  return requested > t->sent_before || t->writes;
}

static bool was_answered(const cw_transfer *t) {
  return t->header_bytes > t->headers_before;
}

/* Whether the server has reported that the request was not processed. libcurl
** repeats a request from a new connection for that reason only (HTTP/2). For a
** reused connection the reason is not known. */
static bool was_declined(const cw_transfer *t) {
  return !t->http1 && t->is_new;
}

/* RFC 9110 section 9.2.2 */
static bool may_repeat(const cw_transfer *t) {
  return was_answered(t) || !has_sent(t) || was_declined(t) ||
         cw_request_is_idempotent(t->request);
}

static void refuse_repetition(cw_transfer *t) {
  cw_error_set(t->error, CW_ERR_CLOSED, cw_transfer_phase(t),
               "the connection was closed without an answer, and a %s is not "
               "sent twice",
               cw_request_method(t->request));
}

/* When libcurl 7.88 repeats a request after 417, it continues in the middle of
** the body. It starts again by itself only with a text that is sent with the
** header lines, and with parts. */
static bool rewind_content(cw_transfer *t) {
  cw_content *c = t->content;
  if (goes_at_once(c) || c->kind == CW_CONTENT_PARTS || c->sent == 0 ||
      cw_content_again(c))
    return true;
  cw_error_set(t->error, CW_ERR_CLOSED, cw_transfer_phase(t),
               "the body has been begun and cannot be sent again");
  return false;
}

/* libcurl is about to send the request once more. False: that is not allowed;
** the error says why. */
static bool repeat(cw_transfer *t) {
  if (!may_repeat(t)) {
    refuse_repetition(t);
    return false;
  }
  allow_reuse_when_sent(t); /* the new connection has no unsent body */
  if (t->repeats && has_sent(t)) ++*t->repeats;
  return rewind_content(t);
}

/* Bytes that were sent and received before belong to former connections. */
static void note_connection(cw_transfer *t) {
  long made = t->connects_before;
  if (!t->http1) curl_easy_getinfo(t->easy, CURLINFO_NUM_CONNECTS, &made);
  t->is_new = made > t->connects_before;
  t->connects_before = made;
  t->headers_before = t->header_bytes;
  if (t->connected)
    curl_easy_getinfo(t->easy, CURLINFO_REQUEST_SIZE, &t->sent_before);
}

/* libcurl has created a socket (CURLOPT_SOCKOPTFUNCTION). A repetition that is
** not allowed ends here, before a connection is made. */
static int on_opened(void *data, curl_socket_t socket, curlsocktype purpose) {
  (void)socket;
  (void)purpose;
  cw_transfer *t = data;
  if (is_over(t)) return CURL_SOCKOPT_ERROR;
  t->reconnects = t->connected && may_repeat(t);
  if (!t->connected || t->reconnects) return CURL_SOCKOPT_OK;
  refuse_repetition(t);
  return CURL_SOCKOPT_ERROR;
}

/* Sets an option inside a callback of libcurl. libcurl reads the option each
** time it has a text to report. */
static void listen_to_libcurl(void *data, bool on) {
  cw_transfer *t = data;
  if (!t->traces) curl_easy_setopt(t->easy, CURLOPT_VERBOSE, on ? 1L : 0L);
}

/* libcurl tries again, on another connection. Before 8.17.0 it counts that as
** long as the handle exists, and fails at the sixth time. */
static void note_repetition(cw_transfer *t) {
  t->worn |= t->connected && cw_quirk_is_active(CW_QUIRK_REPETITIONS);
}

/* By a Unix domain socket there is none. */
static void note_address(cw_info *info, const char *ip, long port, long here) {
  size_t n = here > 0 && ip ? strnlen(ip, sizeof info->remote_ip - 1) : 0;
  if (n) memcpy(info->remote_ip, ip, n);
  info->remote_ip[n] = '\0';
  info->remote_port = here > 0 ? (uint16_t)port : 0;
}

/* Whether the connection may be one with TLS: to the server, or to a proxy. */
static bool may_use_tls(const cw_transfer *t) {
  bool unknown = t->proxy == CW_PROXY_MAYBE && t->environment;
  return t->https || t->proxy >= CW_PROXY_PLAIN || unknown;
}

/* Called when there is a connection, new or used before, and nothing has been
** sent on it (CURLOPT_PREREQFUNCTION). What has come on it already would be
** taken for the answer. */
static int on_connected(void *data, char *ip, char *local_ip, int port,
                        int local_port) {
  (void)local_ip;
  cw_transfer *t = data;
  if (is_over(t)) return CURL_PREREQFUNC_ABORT;
  note_address(&t->response->info, ip, port, local_port);
  if (is_repeated_in_body(t)) return not_twice(t);
  if (passes_proxy(t, port))
    return refuse_connection(t, CW_ERR_PROXY,
                             "libcurl did not connect to the proxy");
  if (has_other_ip(t, ip))
    return refuse_connection(t, CW_ERR_CONNECT,
                             "the address is not one of the version of ip");
  if (t->connected && !repeat(t)) return CURL_PREREQFUNC_ABORT;
  note_connection(t);
  uint64_t former = t->connection;
  t->connection = name_of(ip, port, local_port);
  bool tls = may_use_tls(t);
  cw_taken taken = {t->easy,   t->connection,          former, local_port,
                    t->socket, owner_of_connection(t), tls};
  bool fit =
    (t->connection | former) == 0 || t->calls.take(t->calls.data, &taken);
  if (tls) cw_ending_begin(&t->ending, t->easy, listen_to_libcurl, t);
  fit = fit && !cw_ending_came_before(&t->ending);
  t->refused = !fit && !t->fresh; /* once, whatever happens */
  if (t->refused) {
    cw_transfer_forbid_reuse(t); /* else, over HTTP/2, it would be kept */
    return CURL_PREREQFUNC_ABORT;
  }
  note_repetition(t);
  /* What it said before, of that one or of dead ones that it has closed for
  ** this transfer, explains nothing that comes now. */
  t->detail[0] = '\0';
  t->connected = true;
  t->reconnects = false;
  if (sends_over_tls(t)) cw_tls_write_retry(t->easy, t->socket);
  enter_phase(t);
  return CURL_PREREQFUNC_OK;
}

/* Life of a handle -------------------------------------------------------- */

#define SET(option, value)                                                     \
  if (!rc) rc = curl_easy_setopt(t->easy, option, value)

/* Options that no request changes and that differ between transfers. */
static CURLcode set_owner(cw_transfer *t, CURLSH *share) {
  CURLcode rc = CURLE_OK;
  SET(CURLOPT_SHARE, share);
  SET(CURLOPT_ERRORBUFFER, t->detail);
  SET(CURLOPT_PRIVATE, (char *)t);
  SET(CURLOPT_HEADERDATA, t);
  SET(CURLOPT_WRITEDATA, t);
  SET(CURLOPT_READDATA, t);
  SET(CURLOPT_SEEKDATA, t);
  SET(CURLOPT_DEBUGDATA, t);
  SET(CURLOPT_PREREQDATA, t);
  SET(CURLOPT_SOCKOPTDATA, t);
  SET(CURLOPT_OPENSOCKETDATA, t);
  SET(CURLOPT_SSL_CTX_DATA, t);
  return rc;
}

/* Options that no request changes and that all transfers share. */
static CURLcode set_for_life(cw_transfer *t) {
  CURLcode rc = CURLE_OK;
  SET(CURLOPT_NOSIGNAL, 1L);
  SET(CURLOPT_QUICK_EXIT, 1L); /* closing never waits for the resolver */
  SET(CURLOPT_PROTOCOLS_STR, "http,https");
  SET(CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  SET(CURLOPT_HEADERFUNCTION, on_header);
  SET(CURLOPT_WRITEFUNCTION, on_body);
  SET(CURLOPT_DEBUGFUNCTION, on_debug);
  SET(CURLOPT_READFUNCTION, on_read);
  SET(CURLOPT_UPLOAD_BUFFERSIZE, (long)UPLOAD_BUFFER);
  SET(CURLOPT_SEEKFUNCTION, on_seek);
  SET(CURLOPT_PREREQFUNCTION, on_connected);
  SET(CURLOPT_SOCKOPTFUNCTION, on_opened);
  SET(CURLOPT_OPENSOCKETFUNCTION, t->calls.open);
  SET(CURLOPT_CLOSESOCKETFUNCTION, t->calls.close);
  SET(CURLOPT_CLOSESOCKETDATA, t->calls.data);
  if (!cw_handshake_visible()) return rc;
  SET(CURLOPT_SSL_CTX_FUNCTION, on_tls);
  return rc;
}

#undef SET

static CURLcode apply(cw_transfer *t, uint64_t rows, const cw_settings *own,
                      const cw_settings *defaults) {
  CURLcode rc = CURLE_OK;
  for (int i = 0; rows && !rc; i++, rows >>= 1)
    if (rows & 1) rc = cw_apply_row(t->easy, (cw_option_id)i, own, defaults);
  return rc;
}

/* What several rows decide together. */
static CURLcode apply_together(cw_transfer *t, uint64_t rows,
                               const cw_settings *own,
                               const cw_settings *defaults) {
  if (!(rows & CW_ROWS_OF_PROXIES)) return CURLE_OK;
  CURLcode rc = cw_apply_exempt(t->easy, own, defaults, &t->environment);
  for (int https = 0; https < 2; https++)
    t->unusable[https] = t->environment && cw_route_environment_fault(https);
  return rc;
}

/* Exempts this machine from the environment's proxies. A NOPROXY list cannot
** hold all spellings of its address. */
static CURLcode exempt_this_machine(cw_transfer *t, const cw_url *url) {
  char host[CW_ROUTE_TEXT];
  if (!t->environment || t->proxy != CW_PROXY_MAYBE) return CURLE_OK;
  cw_url_host(url, host, sizeof host);
  if (!cw_route_is_this_machine(host)) return CURLE_OK;
  t->exempts_all = true;
  return curl_easy_setopt(t->easy, CURLOPT_NOPROXY, "*");
}

static const cw_settings nothing;
static const uint64_t EVERY_ROW = ((uint64_t)1 << CW_OPTION_COUNT) - 1;

/* Takes over 'easy', which may be NULL. */
static cw_transfer *make(CURL *easy, const cw_socket_calls *calls,
                         CURLSH *share, cw_settings *baseline) {
  cw_transfer *t = calloc(1, sizeof *t);
  if (!t) {
    curl_easy_cleanup(easy);
    return NULL;
  }
  cw_content_init(&t->no_content, NULL);
  cw_list_init(&t->open_link);
  cw_list_init(&t->client_link);
  cw_list_init(&t->doomed_link);
  cw_list_init(&t->phase_link);
  t->alarm.transfer = t;
  t->easy = easy;
  t->baseline = cw_settings_retain(baseline);
  t->calls = *calls;
  if (easy && set_owner(t, share) == CURLE_OK) return t;
  cw_transfer_free(t);
  return NULL;
}

cw_transfer *cw_transfer_new(const cw_socket_calls *calls, CURLSH *share,
                             cw_settings *defaults) {
  cw_transfer *t = make(curl_easy_init(), calls, share, defaults);
  if (!t) return NULL;
  if (set_for_life(t) == CURLE_OK &&
      apply(t, EVERY_ROW, &nothing, defaults) == CURLE_OK &&
      apply_together(t, EVERY_ROW, &nothing, defaults) == CURLE_OK)
    return t;
  cw_transfer_free(t);
  return NULL;
}

cw_transfer *cw_transfer_copy(const cw_transfer *model, CURLSH *share) {
  CURL *easy = curl_easy_duphandle(model->easy);
  cw_transfer *t = make(easy, &model->calls, share, model->baseline);
  if (!t) return NULL;
  t->environment = model->environment;
  memcpy(t->unusable, model->unusable, sizeof t->unusable);
  return t;
}

void cw_transfer_free(cw_transfer *t) {
  if (!t) return;
  cw_list_remove(&t->open_link);
  cw_list_remove(&t->client_link);
  cw_list_remove(&t->doomed_link);
  cw_list_remove(&t->phase_link);
  cw_ending_clear(&t->ending);
  curl_easy_cleanup(t->easy);
  curl_mime_free(t->mime);
  free(t->sources);
  cw_round_lines_clear(&t->lines);
  cw_handshake_drop(&t->handshake);
  cw_url_free(t->url);
  cw_settings_free(t->baseline);
  free(t);
}

/* The baseline rule: back to this client's baseline where another's or the
** last request's still stands, then what this request says. */
static CURLcode set_options(cw_transfer *t, const cw_request *request) {
  const cw_settings *own = &request->own;
  uint64_t says = own->set | own->unset, back = t->deviates;
  if (t->baseline != request->defaults) {
    back |= t->baseline->set | request->defaults->set;
    cw_settings_free(t->baseline);
    t->baseline = cw_settings_retain(request->defaults);
  }
  if (t->exempts_all) back |= CW_ROWS_OF_PROXIES;
  t->exempts_all = false;
  t->deviates |= says | back; /* what a failure in between leaves */
  CURLcode rc = apply(t, back | says, own, t->baseline);
  if (!rc) rc = apply_together(t, back | says, own, t->baseline);
  if (!rc) t->deviates = says;
  return rc;
}

/* libcurl would silently connect without such a proxy. A proxy of an unknown
** scheme is an error instead, except for the hosts that need no proxy. */
static CURLcode bar_proxy(cw_transfer *t) {
  if (t->proxy != CW_PROXY_MAYBE || !t->unusable[t->https]) return CURLE_OK;
  t->deviates |= cw_option_bit(CW_OPT_PROXY);
  return curl_easy_setopt(t->easy, CURLOPT_PROXY, "unusable://proxy");
}

static int64_t microseconds(const cw_request *r, cw_option_id id) {
  return (int64_t)(cw_settings_get(&r->own, r->defaults, id) * 1e6);
}

static bool only_http1(const cw_request *r) {
  const cw_value *newest =
    cw_settings_find(&r->own, r->defaults, CW_OPT_HTTP_VERSION);
  return !newest || newest->integer == 0;
}

/* Whether the request needs a connection of its own. libcurl uses a connection
** that is bound to an interface for requests without one, and since 8.9.0 any
** connection for a request that names a host ("host!address"). A connection by
** a Unix domain socket has no port that tells it from others when it is taken
** again (on_connected). */
static bool only_once(const cw_request *r) {
  return cw_settings_find(&r->own, r->defaults, CW_OPT_INTERFACE) ||
         cw_settings_find(&r->own, r->defaults, CW_OPT_UNIX);
}

/* Sets a new connection that is closed after this exchange. */
static CURLcode use_once(cw_transfer *t) {
  cw_transfer_forbid_reuse(t);
  t->fresh = true;
  return curl_easy_setopt(t->easy, CURLOPT_FRESH_CONNECT, 1L);
}

/* Before 8.3.0 the parsed url loses its zone when libcurl copies it, and
** libcurl would connect without a zone. ADDRESS_SCOPE restores it. The
** connection pool distinguishes scopes. */
static CURLcode set_zone(cw_transfer *t, const cw_url *url) {
  if (!url->zone || !cw_quirk_is_active(CW_QUIRK_ZONE)) return CURLE_OK;
  t->zoned = true;
  long scope = (long)cw_url_scope(url);
  return curl_easy_setopt(t->easy, CURLOPT_ADDRESS_SCOPE, scope);
}

/* What was set for the last exchange alone, while it went on. */
static CURLcode undo_once(cw_transfer *t) {
  CURLcode rc = allow_reuse(t);
  if (t->zoned && !rc)
    rc = curl_easy_setopt(t->easy, CURLOPT_ADDRESS_SCOPE, 0L);
  if (t->fresh && !rc)
    rc = curl_easy_setopt(t->easy, CURLOPT_FRESH_CONNECT, 0L);
  if (t->traces && !rc) rc = curl_easy_setopt(t->easy, CURLOPT_VERBOSE, 0L);
  if (t->sends_on && !rc)
    rc = curl_easy_setopt(t->easy, CURLOPT_KEEP_SENDING_ON_ERROR, 0L);
  t->fresh = t->traces = t->zoned = t->sends_on = false;
  return rc;
}

/* Content ----------------------------------------------------------------- */

#define SET(option, value)                                                     \
  if (!rc) rc = curl_easy_setopt(t->easy, option, value)

static CURLcode set_text(cw_transfer *t, cw_content *c) {
  CURLcode rc = CURLE_OK;
  SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)c->length);
  SET(CURLOPT_POSTFIELDS, c->bytes);
  t->has_text = true;
  c->sent = (uint64_t)c->length;
  return rc;
}

/* As long as it has the text of a former request, libcurl rewinds nothing when
** it sends something else a second time. */
static CURLcode drop_text(cw_transfer *t) {
  t->has_text = false;
  return curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, NULL);
}

static CURLcode set_stream(cw_transfer *t, cw_content *c) {
  CURLcode rc = drop_text(t);
  SET(CURLOPT_UPLOAD, 1L);
  SET(CURLOPT_INFILESIZE_LARGE, (curl_off_t)c->length);
  return rc;
}

/* The endings of which libcurl has a type; any other file has none to it. */
static bool known_ending(const char *filename) {
  static const char *const known[] = {".gif", ".jpg", ".jpeg", ".png", ".svg",
                                      ".txt", ".htm", ".html", ".pdf", ".xml"};
  size_t length = strlen(filename);
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    size_t n = strlen(known[i]);
    if (n <= length && strcasecmp(filename + length - n, known[i]) == 0)
      return true;
  }
  return false;
}

/* NULL: what libcurl says of it (RFC 7578 section 4.4). */
static const char *type_of(const cw_form_part *p) {
  bool typed = p->type || !p->filename || known_ending(p->filename);
  return typed ? p->type : "application/octet-stream";
}

static bool add_part(cw_transfer *t, cw_form_part *p, cw_source *source) {
  curl_mimepart *part = curl_mime_addpart(t->mime);
  const char *type = type_of(p);
  *source = (cw_source){t, &p->content};
  return part && !curl_mime_name(part, p->name) &&
         (!p->filename || !curl_mime_filename(part, p->filename)) &&
         (!type || !curl_mime_type(part, type)) &&
         !curl_mime_data_cb(part, p->content.length, on_read_part, on_seek_part,
                            NULL, source);
}

static CURLcode set_parts(cw_transfer *t, cw_content *c) {
  CURLcode rc = drop_text(t);
  t->mime = curl_mime_init(t->easy);
  t->sources = calloc(c->count, sizeof *t->sources);
  if (!t->mime || !t->sources) return CURLE_OUT_OF_MEMORY;
  for (size_t i = 0; i < c->count; i++)
    if (!add_part(t, &c->parts[i], &t->sources[i])) return CURLE_OUT_OF_MEMORY;
  SET(CURLOPT_MIMEPOST, t->mime);
  return rc;
}

bool cw_transfer_return_text(cw_transfer *t) {
  return !t->has_text || drop_text(t) == CURLE_OK;
}

/* For a body without bytes: if a refusal comes before libcurl has noticed that
** nothing is left to send, libcurl 8.14.1 stops sending and closes the
** connection, unless it may send on. */
static CURLcode send_on(cw_transfer *t) {
  t->sends_on = true;
  return curl_easy_setopt(t->easy, CURLOPT_KEEP_SENDING_ON_ERROR, 1L);
}

/* A body without bytes in the place of the content: libcurl sends
** "Content-Length: 0". */
static CURLcode set_empty(cw_transfer *t) {
  CURLcode rc = CURLE_OK;
  SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)0);
  SET(CURLOPT_POSTFIELDS, "");
  return rc;
}

/* Content makes a POST or a PUT of any method to libcurl: the method is named
** therefore, and set anew by the next request. */
static CURLcode set_content(cw_transfer *t, cw_request *request) {
  cw_content *c = t->content;
  CURLcode rc = CURLE_OK;
  if (request->content.kind == CW_CONTENT_NONE) return CURLE_OK;
  t->deviates |= cw_option_bit(CW_OPT_METHOD);
  if (request->rounds.probes)
    rc = set_empty(t);
  else if (goes_at_once(c))
    rc = set_text(t, c);
  else if (c->kind == CW_CONTENT_PARTS)
    rc = set_parts(t, c);
  else
    rc = set_stream(t, c);
  if (!rc && (request->rounds.probes || c->length == 0)) rc = send_on(t);
  SET(CURLOPT_CUSTOMREQUEST, cw_request_method(request));
  return rc;
}

/* Before the method is set: to take parts away makes a POST of it. */
static CURLcode drop_parts(cw_transfer *t) {
  CURLcode rc = CURLE_OK;
  if (!t->mime) return rc;
  SET(CURLOPT_MIMEPOST, NULL);
  curl_mime_free(t->mime);
  free(t->sources);
  t->mime = NULL;
  t->sources = NULL;
  return rc;
}

#undef SET

/* Preparing --------------------------------------------------------------- */

static CURLcode set_trace(cw_transfer *t, const cw_request *request) {
  t->traces = request->trace >= 0;
  if (!t->traces) return CURLE_OK;
  return curl_easy_setopt(t->easy, CURLOPT_VERBOSE, 1L);
}

static void drop_url(cw_transfer *t) {
  curl_easy_setopt(t->easy, CURLOPT_CURLU, NULL);
  cw_url_free(t->url);
  t->url = NULL;
}

/* libcurl uses the parsed url (CURLOPT_CURLU). But when it repeats a request on
** another connection, it drops the credentials if the port in the text of
** CURLOPT_URL differs from that of the connection. Hence the text is set too:
** the text of the last request would be wrong. NULL: libcurl makes the text
** from the parsed url. Both stay set after the exchange, so a request for the
** same url sets nothing. */
static CURLcode set_url(cw_transfer *t, cw_url *url) {
  if (t->url == url) return CURLE_OK;
  drop_url(t);
  const char *text = url->encoded ? NULL : url->text;
  CURLcode rc = curl_easy_setopt(t->easy, CURLOPT_URL, text);
  if (!rc) rc = curl_easy_setopt(t->easy, CURLOPT_CURLU, url->parsed);
  if (!rc) t->url = cw_url_retain(url);
  return rc;
}

/* Called after the options are set: by then the handle no longer uses the lines
** of the last request, so they can be freed. */
static CURLcode set_lines(cw_transfer *t, const cw_request *request) {
  cw_round_lines_clear(&t->lines);
  if (!cw_authorization_lines(request, &t->lines)) return CURLE_OUT_OF_MEMORY;
  if (!t->lines.first) return CURLE_OK;
  t->deviates |= cw_option_bit(CW_OPT_HEADERS);
  return curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->lines.first);
}

static void note_interface(cw_transfer *t, const cw_request *r) {
  if (cw_quirk_is_active(CW_QUIRK_INTERFACE_STAYS))
    t->worn |= cw_settings_find(&r->own, r->defaults, CW_OPT_INTERFACE) != NULL;
}

static CURLcode set_all(cw_transfer *t, cw_request *request) {
  CURLcode rc = drop_parts(t);
  if (!rc) rc = set_options(t, request);
  if (!rc) rc = set_lines(t, request);
  if (!rc) rc = exempt_this_machine(t, request->url);
  if (!rc) rc = bar_proxy(t);
  if (!rc) rc = watch_tunnel(t, request);
  if (!rc) rc = undo_once(t);
  if (!rc && only_once(request)) rc = use_once(t);
  note_interface(t, request);
  if (!rc) rc = set_content(t, request);
  if (!rc) rc = set_trace(t, request);
  if (!rc) rc = set_url(t, request->url);
  if (!rc) rc = set_zone(t, request->url);
  return rc;
}

bool cw_transfer_prepare(cw_transfer *t, cw_request *request,
                         cw_response *response, cw_body *body,
                         cw_error *error) {
  t->request = request;
  t->content = request->rounds.probes ? &t->no_content : &request->content;
  t->response = response;
  t->body = body;
  t->error = error;
  t->detail[0] = '\0';
  t->connected = t->refused = t->in_block = t->draining = t->wanted = false;
  t->doomed = t->undecided = t->unwatched = t->writes = t->must_run = false;
  t->read_first = t->answered = t->reconnects = t->is_whole = false;
  t->gates[0] = t->gates[1] = NULL;
  t->proxy = cw_settings_proxy(&request->own, request->defaults);
  bool sends = t->content->kind != CW_CONTENT_NONE;
  t->expecting = sends ? &request->own : NULL;
  t->done_as = CW_BY_EAGER;
  t->header_bytes = t->header_lines = t->interim = t->headers_before = 0;
  t->connects_before = t->sent_before = 0;
  t->drained = 0;
  t->tunnel = (cw_tunnel){0};
  t->deadline = t->eager = t->look_at = 0;
  t->socket = CURL_SOCKET_BAD;
  t->no_socket = t->errno_before = 0;
  t->opened = t->chunked = false;
  t->https = request->url->https;
  t->host = request->url;
  t->decode =
    cw_settings_get(&request->own, request->defaults, CW_OPT_DECODE) != 0;
  t->connect_us = microseconds(request, CW_OPT_TIMEOUT_CONNECT);
  t->first_byte_us = microseconds(request, CW_OPT_TIMEOUT_FIRST_BYTE);
  t->idle_us = microseconds(request, CW_OPT_TIMEOUT_IDLE);
  t->http1 = only_http1(request) || !t->https;
  CURLcode rc = set_all(t, request);
  if (rc) cw_error_from_curl(error, rc, CW_PHASE_REQUEST, t->detail, NULL);
  return rc == CURLE_OK;
}

bool cw_transfer_again(cw_transfer *t) {
  if (t->repeats && !t->refused) ++*t->repeats;
  t->connected = t->refused = false;
  t->connects_before = t->sent_before = 0; /* as libcurl does */
  t->detail[0] = '\0';
  t->socket = CURL_SOCKET_BAD;
  enter_phase(t);
  t->fresh = true;
  CURLcode rc = only_once(t->request) ? CURLE_OK : allow_reuse(t);
  if (!rc) rc = curl_easy_setopt(t->easy, CURLOPT_FRESH_CONNECT, 1L);
  return rc == CURLE_OK;
}

static bool sends_nothing(const cw_transfer *t) {
  const char *method = "";
  curl_easy_getinfo(t->easy, CURLINFO_EFFECTIVE_METHOD, &method);
  return (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0) &&
         measured(t, CURLINFO_SIZE_UPLOAD_T) == 0;
}

/* Whether 'result' is how libcurl reports the end of an HTTP/2 connection.
** libcurl 8.23 reports a reset as CURLE_RECV_ERROR or CURLE_SEND_ERROR. */
static bool is_ended(CURLcode result) {
  return result == CURLE_HTTP2 || result == CURLE_PARTIAL_FILE ||
         result == CURLE_RECV_ERROR || result == CURLE_SEND_ERROR;
}

bool cw_transfer_stale(const cw_transfer *t, CURLcode result) {
  long connects = 1;
  if (!is_ended(result) || t->fresh || t->header_bytes ||
      cw_transfer_speaks_http1(t))
    return false;
  curl_easy_getinfo(t->easy, CURLINFO_NUM_CONNECTS, &connects);
  return connects == 0 && sends_nothing(t);
}

bool cw_transfer_speaks_http1(const cw_transfer *t) {
  return t->http1 || *t->response->http_version == '1';
}

/* The address of a connection that was not made, or not for the request. (Of
** any other: on_connected.) */
static void copy_address(const cw_transfer *t, cw_info *info) {
  const char *ip = NULL;
  long port = 0, here = 0;
  if (!is_connecting(t)) return;
  curl_easy_getinfo(t->easy, CURLINFO_LOCAL_PORT, &here);
  curl_easy_getinfo(t->easy, CURLINFO_PRIMARY_IP, &ip);
  curl_easy_getinfo(t->easy, CURLINFO_PRIMARY_PORT, &port);
  note_address(info, ip, port, here);
}

static void copy_info(cw_transfer *t, cw_info *info) {
  info->times = (cw_times){
    .namelookup = measured(t, CURLINFO_NAMELOOKUP_TIME_T),
    .connect = measured(t, CURLINFO_CONNECT_TIME_T),
    .appconnect = measured(t, CURLINFO_APPCONNECT_TIME_T),
    .pretransfer = measured(t, CURLINFO_PRETRANSFER_TIME_T),
    .starttransfer = measured(t, CURLINFO_STARTTRANSFER_TIME_T),
    .total = measured(t, CURLINFO_TOTAL_TIME_T),
  };
  copy_address(t, info);
  info->reused = t->connected && !t->opened;
  info->filled = true;
  for (int i = 0; i < 2 && info->reused; i++)
    t->counters[i]->connections_reused++;
}

/* libcurl 8.7.0 to 8.15.0 keeps the intention to send a body again in the
** handle if that fails. Then it calls the seek function for the next request,
** and that request fails too. */
static bool may_rewind_next(const cw_transfer *t) {
  return cw_quirk_is_active(CW_QUIRK_REWIND) && !t->response->final &&
         t->content->kind != CW_CONTENT_NONE && t->entered;
}

/* libcurl 8.18.0 keeps a pause in the handle. */
static bool stays_paused(const cw_transfer *t) {
  return cw_quirk_is_active(CW_QUIRK_PAUSE_STAYS) &&
         (t->body->paused || !cw_content_sent(t->content));
}

void cw_transfer_detach(cw_transfer *t) {
  if (t->entered) copy_info(t, &t->response->info);
  cw_ending_clear(&t->ending);
  cw_handshake_drop(&t->handshake);
  for (size_t i = 0; t->sources && i < t->content->count; i++)
    t->sources[i].content = NULL;
  t->worn |= may_rewind_next(t) || stays_paused(t);
  t->content = NULL;
  t->request = NULL;
  t->expecting = NULL;
  t->response = NULL;
  t->body = NULL;
  t->error = NULL;
  t->host = NULL;
  t->news = NULL;
  t->over = NULL;
  t->repeats = NULL;
  if (t->holder) *t->holder = NULL;
  t->holder = NULL;
}

/* How it ends, and how far it was ----------------------------------------- */

/* Whether it is connected; libcurl's time of that comes after the handshake. */
static bool has_peer(const cw_transfer *t) {
  struct sockaddr_storage address;
  socklen_t size = sizeof address;
  long connects = 0;
  curl_easy_getinfo(t->easy, CURLINFO_NUM_CONNECTS, &connects);
  return connects > 0 ||
         getpeername(t->socket, (struct sockaddr *)&address, &size) == 0;
}

/* Whether the tunnel is not yet open. For a proxy of the environment the answer
** is unknown until the proxy has responded. */
static bool waits_for_tunnel(const cw_transfer *t) {
  long answer = answer_to_connect(t);
  if (!t->reports || (answer == 0 && t->proxy == CW_PROXY_MAYBE)) return false;
  return answer / 100 != 2;
}

cw_phase cw_transfer_phase(const cw_transfer *t) {
  if (t->response->final) return CW_PHASE_BODY;
  if (!is_connecting(t))
    return cw_content_sent(t->content) ? CW_PHASE_HEADERS : CW_PHASE_SEND;
  if (measured(t, CURLINFO_NAMELOOKUP_TIME_T) == 0) return CW_PHASE_RESOLVE;
  if (waits_for_tunnel(t)) return CW_PHASE_CONNECT;
  return t->https && has_peer(t) ? CW_PHASE_TLS : CW_PHASE_CONNECT;
}

/* libcurl before 8.7.0 does not report whether it uses a proxy of the
** environment. Its text names the host that it could not connect to; a name
** that is not ASCII has another form there. */
static bool names_another_host(const cw_transfer *t) {
  static const char words[] = "Failed to connect to ";
  char host[256];
  size_t n = sizeof words - 1;
  if (strncmp(t->detail, words, n) != 0) return false;
  cw_url_host(t->host, host, sizeof host);
  size_t six = *host == '[', length = strlen(host) - 2 * six;
  for (size_t i = 0; i < length; i++)
    if ((unsigned char)host[i] > 127) return false;
  return strncasecmp(t->detail + n, host + six, length) != 0 ||
         t->detail[n + length] != ' ';
}

/* Whether the connection that failed was one to a proxy. */
static bool uses_proxy(const cw_transfer *t, CURLcode rc) {
  const CURLINFO USED_PROXY = (CURLINFO)(CURLINFO_LONG + 66); /* 8.7.0 */
  long used = 0;
  if (t->proxy != CW_PROXY_MAYBE) return t->proxy != CW_PROXY_NONE;
  if (!cw_route_environment()) return false;
  if (curl_easy_getinfo(t->easy, USED_PROXY, &used) == CURLE_OK) return used;
  return rc != CURLE_COULDNT_CONNECT || names_another_host(t);
}

/* Whether 'rc' is how libcurl fails between connecting and the TLS handshake,
** when only the proxy has answered. */
static bool is_talk_with_proxy(CURLcode rc) {
  return cw_error_code(rc) == CW_ERR_CLOSED ||
         cw_error_code(rc) == CW_ERR_TOO_LARGE ||
         rc == CURLE_WEIRD_SERVER_REPLY;
}

static bool is_of_proxy(CURLcode rc) {
  return cw_error_code(rc) == CW_ERR_PROXY;
}

/* Whether it was a proxy that failed, and not the server or the way to it. */
static bool blames_proxy(const cw_transfer *t, CURLcode rc, long answer) {
  cw_code code = cw_error_code(rc);
  if (t->connected || t->proxy == CW_PROXY_NONE) return false;
  if (is_of_proxy(rc)) return true;
  if (rc == CURLE_INTERFACE_FAILED || !uses_proxy(t, rc)) return false;
  if (is_talk_with_proxy(rc)) return true;
  if (answer != 0) return answer / 100 != 2;
  if (code == CW_ERR_TLS) return t->proxy == CW_PROXY_TLS;
  return code == CW_ERR_CONNECT;
}

/* libcurl says the host and port of the url, where nobody has looked. */
static void fail_unix(cw_transfer *t) {
  const cw_request *r = t->request;
  const char *path = cw_settings_text_of(&r->own, r->defaults, CW_OPT_UNIX);
  if (!path) return;
  cw_error_from_system(t->error, CW_ERR_CONNECT, CW_PHASE_CONNECT,
                       "connect to the Unix socket", path, system_error(t));
}

/* libcurl fails before it tries to connect if it cannot use the proxy of the
** environment, or if bar_proxy has replaced that. */
static void explain_barred_proxy(cw_transfer *t, CURLcode rc) {
  bool barred = t->unusable[t->https];
  if (t->proxy != CW_PROXY_MAYBE || !cw_route_environment()) return;
  if (rc != CURLE_COULDNT_CONNECT && !(barred && is_of_proxy(rc))) return;
  if (t->opened || t->connected || t->error->code) return;
  const char *fault = barred ? cw_route_environment_fault(t->https)
                             : "it is no url of a known scheme";
  cw_error_set(t->error, CW_ERR_PROXY, CW_PHASE_CONNECT,
               "the environment's proxy cannot be used: %s",
               fault ? fault : "it has changed");
  t->error->retryable = false;
}

/* A server that requires a certificate and receives none sends an alert during
** the handshake (TLS 1.2) or at the first read (TLS 1.3), or it closes the
** connection. In the last case the alert may be lost, because the server has
** not read the request. */
static void explain_no_certificate(cw_transfer *t, CURLcode rc) {
  bool handshake = rc == CURLE_SSL_CONNECT_ERROR;
  bool closed = t->connected && (cw_error_code(rc) == CW_ERR_CLOSED ||
                                 rc == CURLE_PARTIAL_FILE);
  if (!cw_handshake_asked(t->handshake) || t->header_bytes) return;
  if (!handshake && !closed) return;
  cw_error_set(t->error, CW_ERR_TLS, CW_PHASE_TLS,
               "the server asks for a certificate: tls = { cert =, key = }");
}

static void explain_tls(cw_transfer *t) {
  const cw_request *r = t->request;
  long verified = 0; /* what OpenSSL says */
  curl_easy_getinfo(t->easy, CURLINFO_SSL_VERIFYRESULT, &verified);
  cw_tls_explain(t->error, verified, &r->own, r->defaults);
}

/* If no descriptor is left, libcurl blames the host, its name or the CA file.
** This error names the real reason. */
static void explain_descriptors(cw_transfer *t, CURLcode rc, cw_phase phase) {
  int number = rc == CURLE_COULDNT_CONNECT ? t->no_socket : 0;
  bool opens = rc == CURLE_COULDNT_RESOLVE_HOST ||
               rc == CURLE_COULDNT_RESOLVE_PROXY ||
               rc == CURLE_SSL_CACERT_BADFILE;
  if (opens && cw_descriptor_lacking()) number = errno;
  if (number) cw_error_of_descriptors(t->error, rc, phase, number);
}

static void say_late(cw_transfer *t, cw_phase phase, const char *name,
                     int64_t us) {
  const char *what =
    is_connecting(t) ? "no connection in" : "nothing happened for";
  cw_error_set(t->error, CW_ERR_TIMEOUT, phase, "%s %g s (%s)", what,
               (double)us / 1e6, name);
}

/* Whether timeout.connect has passed. libcurl has the same limit and may notice
** it first. For a connection that replaces a used one, libcurl counts from the
** begin of the transfer, which is before 'moved'. */
static bool is_late(const cw_transfer *t, CURLcode rc) {
  enum { SLACK_US = 100000 };
  if (rc != CURLE_OPERATION_TIMEDOUT || !is_connecting(t)) return false;
  return t->reconnects || *t->now - t->moved >= t->connect_us - SLACK_US;
}

/* Whether the connection speaks HTTP/2. Before the response only ALPN tells. */
static bool speaks_http2(const cw_transfer *t) {
  if (cw_transfer_speaks_http1(t)) return false;
  if (*t->response->http_version) return true;
  return t->ending.tls && cw_tls_watch_http2(t->ending.tls);
}

static void fail_by_facts(cw_transfer *t, CURLcode rc, cw_phase phase) {
  const cw_tls_watch *tls = t->ending.tls;
  cw_facts facts = {
    .http2 = t->connected && speaks_http2(t),
    .chunked = t->chunked,
    .repeated = t->worn,
    .socket = system_error(t) != t->errno_before,
    .tls = tls && cw_tls_watch_failed(tls),
    .alert = tls && cw_tls_watch_alerted(tls),
    .goaway = cw_ending_broke(&t->ending),
  };
  cw_error_from_curl(t->error, rc, phase, t->detail, &facts);
}

/* The first error stays, and may be another than libcurl's. */
static void fail(cw_transfer *t, CURLcode rc) {
  long answer = answer_to_connect(t);
  bool first = t->error->code == CW_OK;
  cw_phase phase = cw_transfer_phase(t);
  note_challenge(t, (int)answer);
  explain_descriptors(t, rc, phase);
  if (is_late(t, rc)) say_late(t, phase, "timeout.connect", t->connect_us);
  if (rc == CURLE_COULDNT_RESOLVE_HOST && t->connected && !may_repeat(t))
    refuse_repetition(t);
  if (rc == CURLE_COULDNT_CONNECT) fail_unix(t);
  explain_barred_proxy(t, rc);
  if (t->proxy != CW_PROXY_TLS || t->connected) explain_no_certificate(t, rc);
  if (blames_proxy(t, rc, answer))
    cw_error_from_proxy(t->error, rc, phase, t->detail, (int)answer);
  else
    fail_by_facts(t, rc, phase);
  if (first && rc == CURLE_COULDNT_CONNECT)
    cw_error_add_system(t->error, system_error(t));
  if (first && t->error->code == CW_ERR_TLS) explain_tls(t);
}

/* Newer libcurls than 7.88 report the end of the connection as CURLE_HTTP2 if
** no byte of the body has come. They describe other such errors. They do not
** describe a GOAWAY that gives up the stream, but that comes in a record. */
static bool is_end_of_connection(const cw_transfer *t, CURLcode result) {
  return result == CURLE_HTTP2 && !*t->detail &&
         cw_ending_without_frame(&t->ending);
}

/* Whether the body was cut: its stream was reset or its session failed, in the
** middle of a body without a length or together with the connection. Other
** bodies have a length, and their errors are `closed` or `protocol` (decisions
** in src/README.md). */
static bool was_cut(const cw_transfer *t, CURLcode result) {
  bool refused = result == CURLE_RECV_ERROR && !*t->detail;
  if (!t->response->final || cw_transfer_speaks_http1(t)) return false;
  if (result != CURLE_HTTP2_STREAM && result != CURLE_HTTP2 && !refused)
    return false;
  return is_open_ended(t) || cw_ending_cut(&t->ending) ||
         is_end_of_connection(t, result);
}

static bool allows_unclean_close(const cw_request *r) {
  return cw_settings_get(&r->own, r->defaults, CW_OPT_TLS_UNCLEAN_CLOSE) != 0;
}

/* Why a response that libcurl calls complete is truncated; NULL: it is
** complete, or a cut cannot be detected. */
static const char *what_is_missing(const cw_transfer *t) {
  const cw_headers *trailers = t->response->trailers;
  if (!t->ending.tls || !is_open_ended(t)) return NULL;
  if (!cw_transfer_speaks_http1(t))
    return cw_ending_of_stream(&t->ending, t->forbids_reuse,
                               trailers && cw_headers_count(trailers) > 0,
                               t->content->kind != CW_CONTENT_NONE);
  if (allows_unclean_close(t->request)) return NULL;
  return cw_ending_of_connection(&t->ending);
}

static void cut_in_headers(cw_transfer *t) {
  cw_error_set(t->error, CW_ERR_TRUNCATED, CW_PHASE_HEADERS,
               "the connection was closed inside the headers");
}

/* If the connection ends inside the headers, libcurl reports success, or a cut
** body if the lines that have come announce a body. */
static void end_well(cw_transfer *t) {
  if (t->undecided && !t->in_block) make_final(t);
  if (!t->response->final) {
    cut_in_headers(t);
    return;
  }
  const char *missing = what_is_missing(t);
  if (missing)
    cw_error_set(t->error, CW_ERR_TRUNCATED, CW_PHASE_BODY, "%s", missing);
}

/* A response to HEAD is complete with its headers. If the server does not end
** the stream but the connection, libcurl 8.14 reports an error when both come
** at once, and success when the end comes later. */
static bool is_complete_head(const cw_transfer *t, CURLcode result) {
  if (result != CURLE_HTTP2_STREAM && result != CURLE_HTTP2 &&
      result != CURLE_RECV_ERROR)
    return false;
  return is_head(t) && t->response->final && !cw_transfer_speaks_http1(t);
}

/* A server may send its whole response before it has read the request. If the
** upload then ends the stream, libcurl 8.3.0 and later report that the upload
** has failed. The stream has ended well: libcurl describes every other error of
** sending, and it has read all that had come before it wrote. */
static bool is_late_upload(const cw_transfer *t, CURLcode result) {
  int64_t length = t->response->length;
  if (result != CURLE_SEND_ERROR || *t->detail) return false;
  if (!cw_quirk_is_active(CW_QUIRK_LATE_UPLOAD)) return false;
  if (!t->response->final || cw_transfer_speaks_http1(t)) return false;
  return cw_content_sent(t->content) && !t->body->paused &&
         (length < 0 || t->body->came == (uint64_t)length);
}

static bool leaks_host_name(CURLcode result) {
  return cw_quirk_is_active(CW_QUIRK_HOST_NAME_LEAK) &&
         (result == CURLE_COULDNT_RESOLVE_HOST ||
          result == CURLE_COULDNT_RESOLVE_PROXY);
}

void cw_transfer_done(cw_transfer *t, CURLcode result) {
  t->worn |= leaks_host_name(result);
  if (is_late_upload(t, result) || is_complete_head(t, result))
    result = CURLE_OK;
  if (result != CURLE_OK && was_cut(t, result))
    cw_error_set(t->error, CW_ERR_TRUNCATED, CW_PHASE_BODY,
                 "the HTTP/2 stream ended before the body was complete");
  if (result == CURLE_PARTIAL_FILE && t->in_block)
    cut_in_headers(t);
  else if (result != CURLE_OK)
    fail(t, result);
  else
    end_well(t);
  touch(t);
}

/* Whether the body has waited for 100 (Continue), a final response has come
** instead, and libcurl sends the body nevertheless when the time to wait is
** over. At 300 and above libcurl never sends the body. */
bool cw_transfer_sends_later(const cw_transfer *t) {
  return cw_quirk_is_active(CW_QUIRK_SENDS_LATER) &&
         cw_transfer_speaks_http1(t) && t->response->status < 300 &&
         cw_content_is_given(t->content) &&
         cw_content_progress(t->content) == 0;
}

/* The end of an answer ends the upload, too, where the connection is not used
** again. libcurl does not say so, but there is something to write, and no wish
** to. (Over HTTP/2 it may only wait for a window.) */
bool cw_transfer_stopped(const cw_transfer *t) {
  size_t part;
  return t->response->final && cw_transfer_speaks_http1(t) && !t->writes &&
         !cw_content_sent(t->content) &&
         !cw_content_hungry(t->content, &part) && !cw_transfer_sends_later(t);
}

/* One that is paused at that moment libcurl takes for unfinished, and would do
** nothing until it is resumed: that of a refusal, which gets no more pieces. */
static bool overlooks_end(const cw_transfer *t) {
  size_t part;
  return t->response->status >= 400 && !t->body->paused &&
         cw_content_hungry(t->content, &part);
}

/* libcurl 7.88 sees the end of an HTTP/2 stream when it reads. Where the last
** frame of an upload ends the stream, after the whole answer, nothing comes any
** more that libcurl could read. */
static bool overlooks_own_end(const cw_transfer *t, bool wrote) {
  return wrote && !t->writes && !cw_transfer_speaks_http1(t) &&
         cw_content_sent(t->content);
}

void cw_transfer_watched(cw_transfer *t, int what) {
  bool wrote = t->writes;
  t->writes = what == CURL_POLL_OUT || what == CURL_POLL_INOUT;
  if (!t->response || !t->response->final) return;
  if (cw_transfer_stopped(t)) touch(t);
  bool refused = what == CURL_POLL_REMOVE && overlooks_end(t);
  if (!refused && !overlooks_own_end(t, wrote)) return;
  t->unwatched = true;
  enter_phase(t);
}

/* libcurl before 8.4.0 closes the socket of an address that does not answer
** before it opens the socket of the next address. In between it waits for
** neither a socket nor a time, so it would never continue. */
bool cw_transfer_note_lost_socket(cw_transfer *t) {
  if (!t->entered || !is_connecting(t)) return false;
  if (!cw_quirk_is_active(CW_QUIRK_NEXT_ADDRESS)) return false;
  t->must_run = true;
  if (cw_list_empty(&t->phase_link))
    cw_list_append(t->new_phase, &t->phase_link);
  return true;
}

/* Pausing and resuming is the only way to run the transfer: there is no socket
** for curl_multi_socket_action. */
void cw_transfer_run(cw_transfer *t) {
  t->must_run = false;
  curl_easy_pause(t->easy, CURLPAUSE_ALL);
  curl_easy_pause(t->easy, CURLPAUSE_CONT);
}

bool cw_transfer_stands_still(cw_transfer *t, bool skips_writable) {
  int64_t before = t->uploaded;
  t->uploaded = measured(t, CURLINFO_SIZE_UPLOAD_T);
  bool still = t->writes && t->uploaded == before;
  bool seldom = t->answered || skips_writable || still;
  t->look_at = *t->now + (seldom ? LOOK_US : LOOK_SOON_US);
  if (!t->answered && !t->writes) t->look_at = 0; /* the next piece sets it */
  return still;
}

void cw_transfer_resume(cw_transfer *t) {
  cw_body *b = t->body;
  t->unwatched = false;
  bool room = b->paused && !cw_body_full(b, 1);
  int paused = b->paused && !room ? CURLPAUSE_RECV : CURLPAUSE_CONT;
  b->paused = paused == CURLPAUSE_RECV; /* the callback may set it at once */
  /* An upload is paused and resumed as a whole. Only then does libcurl read and
  ** write at once, and does its form go on: a part that has nothing behind one
  ** that had does not pause it. */
  if (t->content->kind != CW_CONTENT_NONE)
    curl_easy_pause(t->easy, paused | CURLPAUSE_SEND);
  CURLcode rc = curl_easy_pause(t->easy, paused);
  if (rc) cw_error_from_curl(t->error, rc, CW_PHASE_BODY, t->detail, NULL);
}

/* Over HTTP/2 giving a stream up leaves its connection as it is. */
bool cw_transfer_drain(cw_transfer *t) {
  int64_t length = t->response->length;
  if (!cw_transfer_speaks_http1(t)) return false;
  t->drain_limit = t->https ? DRAIN_TLS : DRAIN_PLAIN;
  if (!t->response->final) return false;
  if (length >= 0 && (uint64_t)length - t->body->came > t->drain_limit)
    return false;
  t->draining = true;
  if (t->body->paused) curl_easy_pause(t->easy, CURLPAUSE_CONT);
  return true;
}

/* Who is waited for then is the program itself, or what that waits for. */
static bool starves(const cw_transfer *t) {
  size_t part;
  return cw_content_hungry(t->content, &part) != NULL;
}

/* The time when the socket last became readable; 0: not known. Only over HTTP/1
** do the bytes belong to this response. */
static int64_t last_bytes(const cw_transfer *t) {
  if (!t->calls.last_input || !cw_transfer_speaks_http1(t)) return 0;
  return t->calls.last_input(t->calls.data, t->socket);
}

/* The limit that applies to a connected transfer, and the time from which it
** counts. Over plain HTTP bytes of an incomplete header line also end the wait
** for the first byte. Over TLS they do not, because they may belong to the
** handshake (session tickets). */
static const char *limit_of(const cw_transfer *t, int64_t *since, int64_t *us) {
  int64_t bytes = last_bytes(t);
  bool waiting = !t->header_bytes && cw_content_sent(t->content);
  if (waiting && (t->https || bytes <= t->moved)) {
    *us = t->first_byte_us;
    return "timeout.first_byte";
  }
  if (bytes > *since) *since = bytes;
  *us = t->idle_us;
  return "timeout.idle";
}

int64_t cw_transfer_due(const cw_transfer *t, const char **name, int64_t *us) {
  int64_t due = INT64_MAX;
  *name = "deadline";
  *us = 0;
  if (t->deadline) due = t->deadline;
  if (t->eager && t->eager < due) due = t->eager;
  if (t->look_at && t->look_at < due) due = t->look_at;
  if (!t->wanted || starves(t)) return due;
  *us = t->connect_us;
  int64_t since = t->moved;
  const char *limit = "timeout.connect";
  if (t->connected) limit = limit_of(t, &since, us);
  if (since + *us >= due) return due;
  *name = limit;
  return since + *us;
}

int64_t cw_transfer_look(const cw_transfer *t) {
  const char *name;
  int64_t us, due = cw_transfer_due(t, &name, &us);
  if (us <= t->idle_us || !t->connected || t->https) return due;
  int64_t look = *t->now + t->idle_us;
  return look < due ? look : due;
}

/* libcurl before 8.1.0 ends an HTTP/2 session because of an error, and waits on
** if a body has begun. */
static bool breaks_rules_in_silence(const cw_transfer *t) {
  return t->response->final && cw_ending_broke(&t->ending);
}

void cw_transfer_too_late(cw_transfer *t) {
  const char *name;
  int64_t us;
  cw_transfer_due(t, &name, &us);
  touch(t);
  /* over HTTP/2, too: nobody knows whether it lives */
  cw_transfer_forbid_reuse(t);
  if (breaks_rules_in_silence(t))
    cw_error_set(t->error, CW_ERR_PROTOCOL, CW_PHASE_BODY,
                 "the server has broken the rules of HTTP/2");
  if (strcmp(name, "deadline") == 0)
    cw_error_set(t->error, CW_ERR_TIMEOUT, cw_transfer_phase(t),
                 "not done by its deadline");
  else
    say_late(t, cw_transfer_phase(t), name, us);
}
