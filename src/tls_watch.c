/* tls_watch: what happens on a connection's TLS layer. Knows libcurl, OpenSSL.
** SPDX-License-Identifier: MIT */
#include "tls_watch.h"

#include <openssl/opensslv.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "openssl.h"

/* Requires OpenSSL 3 or newer: its version can be compared exactly with that of
** libcurl. */
#if defined(OPENSSL_VERSION_MAJOR) && OPENSSL_VERSION_MAJOR >= 3
#define CAN_WATCH 1
#include <openssl/bio.h>
#include <openssl/ssl.h>
#include <pthread.h>
#endif

struct cw_tls_watch {
  unsigned refs;
  bool http2;
  bool notified;
  bool alerted;    /* the peer has sent an alert that reports an error */
  bool failed;     /* the peer or OpenSSL has */
  bool delays;     /* the end is reported late */
  bool delayed;    /* and it was */
  bool ended;      /* the connection has ended, and libcurl may not know */
  bool fresh;      /* a record has come since "nothing to read" */
  bool inner;      /* the type of a record is encrypted (TLS 1.3) */
  bool alert_next; /* the current record looks like an alert */
  size_t overhead; /* bytes that encryption adds to a record; 0: unknown */
  size_t in, out;  /* data bytes of the record being read, written */
  size_t last;     /* data bytes of the last data record */
  unsigned unread; /* data records that came since the last mark */
  size_t written;  /* data bytes written since the last record came */
  void (*first)(void *data);
  void *first_data;
};

/* Whether the end of the connection must be reported later. libcurl before
** 8.1.0 reads on after the end of a stream (cf_h2_recv), and takes the end of
** the connection for a clean end of the stream, even if the stream was reset.
** If there is nothing to read, it checks how the stream has ended. */
static bool end_comes_too_early(cw_tls_watch *w) {
  if (!w->delays || !w->fresh) return false;
  w->fresh = false;
  w->delayed = w->ended = true;
  return true;
}

#ifdef CAN_WATCH

/* Records ----------------------------------------------------------------- */

static void data_came(cw_tls_watch *w) {
  w->fresh = true;
  w->delayed = false;
  w->last = w->in;
  w->unread++;
  w->written = 0;
  void (*first)(void *) = w->first;
  w->first = NULL;
  if (first) first(w->first_data);
}

static void see_type(cw_tls_watch *w, bool writes, int type) {
  if (type != SSL3_RT_APPLICATION_DATA) return;
  if (writes)
    w->written += w->out;
  else
    data_came(w);
}

/* In TLS 1.3 an alert looks like data until it is decrypted. It is recognized
** by its size: every frame of HTTP/2 is longer. */
static void see_header(cw_tls_watch *w, bool writes, const uint8_t *header) {
  enum { ALERT = 2 }; /* bytes of an alert */
  size_t length = (size_t)header[3] << 8 | header[4];
  size_t size = length > w->overhead ? length - w->overhead : 0;
  if (writes) {
    w->out = size;
  } else {
    w->in = size;
    w->alert_next =
      header[0] == SSL3_RT_ALERT || (w->overhead && size <= ALERT);
  }
  if (!w->inner) see_type(w, writes, header[0]);
}

static void see_alert(cw_tls_watch *w, bool writes, uint8_t what) {
  bool error = what != SSL_AD_CLOSE_NOTIFY && what != SSL_AD_USER_CANCELLED;
  if (!writes) w->notified |= what == SSL_AD_CLOSE_NOTIFY;
  if (!writes) w->alerted |= error;
  w->failed |= error;
}

static void on_message(int writes, int version, int type, const void *bytes,
                       size_t n, SSL *ssl, void *data) {
  (void)version, (void)ssl;
  cw_tls_watch *w = data;
  const uint8_t *b = bytes;
  if (type == SSL3_RT_HEADER && n == SSL3_RT_HEADER_LENGTH)
    see_header(w, writes, b);
  else if (type == SSL3_RT_INNER_CONTENT_TYPE && n == 1)
    see_type(w, writes, b[0]);
  else if (type == SSL3_RT_ALERT && n == 2)
    see_alert(w, writes, b[1]);
}

/* The end of the connection ----------------------------------------------- */

/* Makes the read return "nothing to read". OpenSSL passes this on and is called
** again. */
static long nothing_to_read(BIO *bio) {
  BIO_clear_retry_flags(bio);
  BIO_set_retry_read(bio);
  return -1;
}

static long after_read(cw_tls_watch *w, BIO *bio, int ret) {
  if (ret > 0) return ret;
  if (BIO_should_retry(bio)) {
    w->fresh = false;
    w->unread = 0;
  } else if (ret == 0 && end_comes_too_early(w)) {
    return nothing_to_read(bio);
  }
  return ret;
}

static long on_bio(BIO *bio, int operation, const char *bytes, size_t length,
                   int unused, long unused_too, int ret, size_t *n) {
  (void)bytes, (void)length, (void)unused, (void)unused_too, (void)n;
  cw_tls_watch *w = (cw_tls_watch *)BIO_get_callback_arg(bio);
  switch (operation) {
  case BIO_CB_READ:
    return w->alert_next && end_comes_too_early(w) ? nothing_to_read(bio) : 1;
  case BIO_CB_READ | BIO_CB_RETURN:
    return after_read(w, bio, ret);
  case BIO_CB_FREE:
    BIO_set_callback_ex(bio, NULL);
    cw_tls_watch_free(w);
    return 1;
  default:
    return operation & BIO_CB_RETURN ? ret : 1;
  }
}

/* The BIO callback costs about 2,000 instructions per request, so it is set
** only if an end may have to be delayed. */
static void watch_end(cw_tls_watch *w, SSL *ssl) {
  BIO *bio = SSL_get_rbio(ssl);
  if (!bio || BIO_get_callback_ex(bio)) return;
  w->refs++; /* the reference of the BIO */
  BIO_set_callback_arg(bio, (char *)w);
  BIO_set_callback_ex(bio, on_bio);
}

/* Begin and end ----------------------------------------------------------- */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int place = -1; /* the index of the watch in an SSL */

static void release(void *ssl, void *watch, CRYPTO_EX_DATA *data, int index,
                    long unused, void *unused_too) {
  (void)ssl, (void)data, (void)index, (void)unused, (void)unused_too;
  cw_tls_watch_free(watch);
}

static void set_up(void) {
  place = SSL_get_ex_new_index(0, NULL, NULL, NULL, release);
}

/* The bytes that a record adds to its data; 0: not fixed, because TLS 1.2
** without AEAD uses padding. */
static size_t overhead_of(const SSL *ssl) {
  enum { TAG = 16, INNER_TYPE = 1, NONCE = 8 };
  const SSL_CIPHER *cipher = SSL_get_current_cipher(ssl);
  if (SSL_version(ssl) == TLS1_3_VERSION) return TAG + INNER_TYPE;
  if (!cipher || !SSL_CIPHER_is_aead(cipher)) return 0;
  int nid = SSL_CIPHER_get_cipher_nid(cipher);
  return nid == NID_chacha20_poly1305 ? TAG : TAG + NONCE;
}

static bool agreed_on_http2(const SSL *ssl) {
  const unsigned char *name = NULL;
  unsigned n = 0;
  SSL_get0_alpn_selected(ssl, &name, &n);
  return n == 2 && memcmp(name, "h2", 2) == 0;
}

/* An end without close_notify is an error in OpenSSL 3. libcurl before 8.7.0
** hides it from OpenSSL (BIO_CTRL_EOF); since 8.7.0 the transfer fails
** (CURLE_RECV_ERROR) even if the body is complete. With this option every
** libcurl treats it as an end, and curlew decides what it means for the
** response. */
static void take_any_end(SSL *ssl) {
  SSL_set_options(ssl, SSL_OP_IGNORE_UNEXPECTED_EOF);
}

static cw_tls_watch *begin_watch(SSL *ssl) {
  cw_tls_watch *w = calloc(1, sizeof *w);
  if (!w) return NULL;
  if (place < 0 || !SSL_set_ex_data(ssl, place, w)) {
    free(w);
    return NULL;
  }
  w->refs = 1; /* the reference of the connection */
  w->http2 = agreed_on_http2(ssl);
  w->overhead = overhead_of(ssl);
  w->inner = SSL_version(ssl) == TLS1_3_VERSION;
  SSL_set_msg_callback(ssl, on_message);
  SSL_set_msg_callback_arg(ssl, w);
  take_any_end(ssl);
  return w;
}

static void ignore_message(int writes, int version, int type, const void *bytes,
                           size_t n, SSL *ssl, void *data) {
  (void)writes, (void)version, (void)type, (void)bytes, (void)n, (void)ssl;
  (void)data;
}

/* Since OpenSSL 3.2 the headers of records are reported only if there was a
** callback when the keys of the connection were set. */
void cw_tls_watch_prepare(void *ssl_ctx) {
  SSL_CTX_set_msg_callback(ssl_ctx, ignore_message);
}

cw_tls_watch *cw_tls_watch_take(CURL *easy) {
  SSL *ssl = cw_openssl_of(easy);
  if (!ssl) return NULL;
  pthread_once(&once, set_up);
  cw_tls_watch *w = place < 0 ? NULL : SSL_get_ex_data(ssl, place);
  if (!w) w = begin_watch(ssl);
  if (!w) return NULL;
  w->refs++;
  w->delays = w->delayed = w->fresh = false;
  w->unread = 0;
  w->written = 0;
  return w;
}

void cw_tls_watch_delay_end(cw_tls_watch *w, CURL *easy) {
  SSL *ssl = cw_openssl_of(easy);
  if (!ssl) return;
  w->delays = true;
  watch_end(w, ssl);
}

#else

void cw_tls_watch_prepare(void *ssl_ctx) { (void)ssl_ctx; }

cw_tls_watch *cw_tls_watch_take(CURL *easy) {
  (void)easy;
  return NULL;
}

void cw_tls_watch_delay_end(cw_tls_watch *w, CURL *easy) {
  (void)w, (void)easy;
}

#endif

void cw_tls_watch_free(cw_tls_watch *w) {
  if (w && --w->refs == 0) free(w);
}

bool cw_tls_watch_http2(const cw_tls_watch *w) { return w->http2; }

void cw_tls_watch_on_record(cw_tls_watch *w, void (*first)(void *data),
                            void *data) {
  w->first = first;
  w->first_data = data;
}

void cw_tls_watch_drop_call(cw_tls_watch *w, const void *data) {
  if (w->first_data != data) return;
  w->first = NULL;
  w->first_data = NULL;
}

void cw_tls_watch_delivered(cw_tls_watch *w) { w->unread = 0; }

bool cw_tls_watch_notified(const cw_tls_watch *w) { return w->notified; }

bool cw_tls_watch_alerted(const cw_tls_watch *w) { return w->alerted; }

bool cw_tls_watch_failed(const cw_tls_watch *w) { return w->failed; }

bool cw_tls_watch_delayed(const cw_tls_watch *w) { return w->delayed; }

bool cw_tls_watch_ended(const cw_tls_watch *w) { return w->ended; }

size_t cw_tls_watch_last(const cw_tls_watch *w) {
  return w->unread == 1 && w->overhead ? w->last : 0;
}

size_t cw_tls_watch_newest(const cw_tls_watch *w) {
  return w->unread > 0 && w->overhead ? w->last : 0;
}

bool cw_tls_watch_has_undelivered(const cw_tls_watch *w) {
  return w->unread > 0;
}

bool cw_tls_watch_written(const cw_tls_watch *w, size_t *bytes) {
  *bytes = w->written;
  return w->overhead != 0;
}
