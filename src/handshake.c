/* handshake: what a TLS handshake shows and libcurl does not report. Knows
** OpenSSL.
** SPDX-License-Identifier: MIT */
#include "handshake.h"

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdlib.h>

#include "openssl.h"

/* Not atomic: a connection belongs to the multi handle of one thread. */
struct cw_handshake {
  unsigned refs;
  bool asked;
};

static void drop(cw_handshake *h) {
  if (h && --h->refs == 0) free(h);
}

void cw_handshake_drop(cw_handshake **h) {
  drop(*h);
  *h = NULL;
}

static void on_free(void *parent, void *data, CRYPTO_EX_DATA *all, int index,
                    long number, void *unused) {
  (void)parent, (void)all, (void)index, (void)number, (void)unused;
  drop(data);
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int place = -1; /* the index of this data in an SSL_CTX */

static void take_place(void) {
  if (!cw_openssl_is_shared()) return;
  place = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, on_free);
}

bool cw_handshake_visible(void) {
  pthread_once(&once, take_place);
  return place >= 0;
}

/* OpenSSL calls this only if no certificate is set. 0: none is sent. */
static int on_request(SSL *ssl, X509 **certificate, EVP_PKEY **key) {
  (void)certificate, (void)key;
  cw_handshake *h = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), place);
  if (h) h->asked = true;
  return 0;
}

void cw_handshake_watch(cw_handshake **h, void *ssl_ctx) {
  cw_handshake_drop(h);
  cw_handshake *new = cw_handshake_visible() ? calloc(1, sizeof *new) : NULL;
  if (!new) return;
  if (SSL_CTX_set_ex_data(ssl_ctx, place, new) != 1) {
    free(new);
    return;
  }
  new->refs = 2;
  *h = new;
  SSL_CTX_set_client_cert_cb(ssl_ctx, on_request);
}

bool cw_handshake_asked(const cw_handshake *h) { return h && h->asked; }
