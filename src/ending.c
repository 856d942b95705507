/* ending: whether a body without a length has come whole. Knows libcurl,
** tls_watch.
** SPDX-License-Identifier: MIT */
#include "ending.h"

#include <string.h>

#include "quirks.h"

static void listen_now(void *data) {
  cw_ending *e = data;
  e->listens = true;
  e->listen(e->data, true);
}

static void stop_listening(cw_ending *e) {
  if (e->listens) e->listen(e->data, false);
  e->listens = false;
}

/* libcurl before 8.1.0 reports success both for a stream that has ended and for
** a stream whose connection has ended. Three means show the difference:
** - An end of the connection is passed on only after libcurl has checked the
**   end of the stream (cw_tls_watch_delay_end).
** - libcurl keeps the connection after a clean end of the stream. It closes the
**   connection after a GOAWAY of the server, or after a GOAWAY of its own
**   because of an error. CURLOPT_VERBOSE tells which; the option is set when
**   the response begins, because it is slow.
** - A GOAWAY of libcurl is recognized by the number of bytes written. */
static void watch_stream(cw_ending *e) {
  e->http2 = cw_tls_watch_http2(e->tls);
  e->deduces = e->http2 && cw_quirk_is_active(CW_QUIRK_END_STREAM);
  if (e->deduces) cw_tls_watch_on_record(e->tls, listen_now, e);
}

void cw_ending_begin(cw_ending *e, CURL *easy,
                     void (*listen)(void *data, bool on), void *data) {
  cw_ending_clear(e);
  e->easy = easy;
  e->listen = listen;
  e->data = data;
  e->tls = cw_tls_watch_take(easy);
  if (e->tls) watch_stream(e);
}

bool cw_ending_came_before(const cw_ending *e) {
  return e->tls && cw_tls_watch_ended(e->tls);
}

/* libcurl may have given the connection to another transfer already, within the
** call that ended this one. */
void cw_ending_clear(cw_ending *e) {
  stop_listening(e);
  if (e->tls) cw_tls_watch_drop_call(e->tls, e);
  cw_tls_watch_free(e->tls);
  *e = (cw_ending){.easy = NULL};
}

static bool begins(const char *text, size_t n, const char *with) {
  size_t length = strlen(with);
  return n >= length && memcmp(text, with, length) == 0;
}

/* The texts of libcurl 7.88.1 to 8.0.1 (the misspelling is libcurl's). */
void cw_ending_read_text(cw_ending *e, const char *text, size_t n) {
  static const char intact[] = " left intact";
  size_t tail = sizeof intact - 1;
  if (!e->deduces) return;
  while (n > 0 && text[n - 1] == '\n')
    n--;
  e->goaway |= begins(text, n, "recveived GOAWAY");
  e->kept |= begins(text, n, "Connection cache is full");
  e->kept |= begins(text, n, "Connection #") && n > tail &&
             memcmp(text + n - tail, intact, tail) == 0;
}

void cw_ending_final(cw_ending *e, bool open) {
  if (!open)
    stop_listening(e);
  else if (e->deduces)
    cw_tls_watch_delay_end(e->tls, e->easy);
}

void cw_ending_delivered(cw_ending *e) {
  if (e->http2) cw_tls_watch_delivered(e->tls);
}

bool cw_ending_cut(const cw_ending *e) {
  return e->deduces && cw_tls_watch_delayed(e->tls);
}

bool cw_ending_without_frame(const cw_ending *e) {
  return e->http2 && !cw_tls_watch_has_undelivered(e->tls);
}

/* Whether frames of the regular answers of libcurl can have this size in all:
** acknowledgements of SETTINGS and PING, and WINDOW_UPDATE. */
static bool is_made_of_answers(size_t bytes) {
  enum { SETTINGS = 9, WINDOW = 13, PING = 17, MOST = 4 };
  for (size_t a = 0; a <= MOST; a++)
    for (size_t b = 0; a + b <= MOST; b++)
      for (size_t c = 0; a + b + c <= MOST; c++)
        if (a * SETTINGS + b * WINDOW + c * PING == bytes) return true;
  return false;
}

/* Whether the bytes that libcurl has written are no regular answers. */
static bool has_written_more(const cw_ending *e) {
  size_t written;
  return cw_tls_watch_written(e->tls, &written) && !is_made_of_answers(written);
}

bool cw_ending_broke(const cw_ending *e) {
  return e->deduces && has_written_more(e);
}

/* Whether libcurl has ended the session by a GOAWAY of its own. That is so if
** nothing else explains why the connection is closed, or if the bytes written
** are no regular answers. */
static bool has_broken_session(const cw_ending *e, bool forbidden) {
  if (e->kept) return false;
  if (!e->goaway && !forbidden && !cw_tls_watch_notified(e->tls)) return true;
  return has_written_more(e);
}

/* libcurl takes RST_STREAM with NO_ERROR for a clean end of the stream. The
** frame is recognized by its size of 13 bytes, none of which was delivered.
** libcurl before 8.1.0 may read on after the end of the stream, so there the
** end of the connection has to follow directly. Later versions read nothing
** more. After the answer to an upload the frame is no error: it asks for no
** more of the upload (RFC 9113 section 8.1). */
static bool was_reset_without_error(const cw_ending *e, bool has_trailers,
                                    bool uploads) {
  enum { RST_STREAM = 13 };
  if (!e->http2 || has_trailers || !cw_quirk_is_active(CW_QUIRK_RESET))
    return false;
  if (e->deduces)
    return cw_tls_watch_delayed(e->tls) &&
           cw_tls_watch_last(e->tls) == RST_STREAM;
  return !uploads && cw_tls_watch_newest(e->tls) == RST_STREAM;
}

const char *cw_ending_of_stream(const cw_ending *e, bool forbidden,
                                bool has_trailers, bool uploads) {
  if (e->deduces && has_broken_session(e, forbidden))
    return "the HTTP/2 connection failed before the end of the body";
  if (was_reset_without_error(e, has_trailers, uploads))
    return "the server reset the stream before the end of the body";
  return NULL;
}

const char *cw_ending_of_connection(const cw_ending *e) {
  if (!e->tls || cw_tls_watch_notified(e->tls)) return NULL;
  return "the TLS connection ended without close_notify, and nothing else "
         "declares the end of the body (tls.unclean_close)";
}
