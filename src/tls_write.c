/* tls_write: a write over TLS that fails does not end a transfer whose answer
** can still be read. Knows libcurl, OpenSSL.
** SPDX-License-Identifier: MIT */
#include "tls_write.h"

#include <openssl/bio.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "openssl.h"
#include "platform.h"

/* A server that refuses an upload sends its response and closes, and the reset
** of the connection makes the next write fail. The response can still be read,
** but libcurl (7.88 and newer) fails at once. Hence a filter before libcurl's
** own BIO returns "try again" as long as there may be data to read. A reset
** socket counts as readable, so libcurl reads before it writes. */

typedef struct filter {
  curl_socket_t socket;
  unsigned failures; /* since the last successful read */
  uint64_t read;     /* bytes read when the last write failed */
} filter;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static BIO_METHOD *method; /* NULL: out of memory */

/* The kernel of the server may hold back a short response until the TLS
** tickets, which were sent before, are acknowledged (Nagle), and discards it
** when the server closes. During an upload this kernel delays
** acknowledgements. */
static void acknowledge_at_once(const filter *f) {
  if (f->socket != CURL_SOCKET_BAD) cw_socket_acknowledge(f->socket);
}

/* A limited number of failures is allowed: libcurl may write several times
** before it reads, and reads no more after the end of the connection. */
static bool may_read_more(filter *f, BIO *next) {
  enum { PATIENCE = 16 };
  uint64_t read = BIO_number_read(next);
  if (read > f->read) f->failures = 0;
  f->read = read;
  return ++f->failures <= PATIENCE;
}

static int filter_write(BIO *bio, const char *bytes, int n) {
  filter *f = BIO_get_data(bio);
  BIO *next = BIO_next(bio);
  int written = BIO_write(next, bytes, n);
  BIO_clear_retry_flags(bio);
  if (written > 0 || BIO_should_retry(next)) {
    BIO_copy_next_retry(bio);
    acknowledge_at_once(f);
  } else if (may_read_more(f, next)) {
    BIO_set_retry_write(bio);
  }
  return written;
}

static long filter_control(BIO *bio, int command, long number, void *data) {
  BIO *next = BIO_next(bio);
  return next ? BIO_ctrl(next, command, number, data) : 0;
}

static int filter_create(BIO *bio) {
  filter *f = calloc(1, sizeof *f);
  BIO_set_data(bio, f);
  BIO_set_init(bio, f != NULL);
  return f != NULL;
}

static int filter_destroy(BIO *bio) {
  free(BIO_get_data(bio));
  return 1;
}

static void make_method(void) {
  int type = BIO_get_new_index();
  if (type >= 0) method = BIO_meth_new(type | BIO_TYPE_FILTER, "curlew");
  if (!method) return;
  BIO_meth_set_write(method, filter_write);
  BIO_meth_set_ctrl(method, filter_control);
  BIO_meth_set_create(method, filter_create);
  BIO_meth_set_destroy(method, filter_destroy);
}

void cw_tls_write_retry(CURL *easy, curl_socket_t socket) {
  SSL *ssl = cw_openssl_of(easy);
  BIO *own = ssl ? SSL_get_wbio(ssl) : NULL;
  pthread_once(&once, make_method);
  if (!own || !method) return;
  if (BIO_method_type(own) & BIO_TYPE_FILTER) return; /* already there */
  BIO *bio = BIO_new(method);
  if (!bio) return;
  ((filter *)BIO_get_data(bio))->socket = socket;
  acknowledge_at_once(BIO_get_data(bio));
  BIO_up_ref(own); /* the SSL drops its own reference */
  SSL_set0_wbio(ssl, BIO_push(bio, own));
}
