/* handshake: what a TLS handshake shows that libcurl does not tell. Knows
** OpenSSL; elsewhere nothing is shown.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_HANDSHAKE_H
#define CURLEW_HANDSHAKE_H

#include <stdbool.h>

/* Counted: the transfer that connects has a reference, and so has the
** connection, which may outlive it. */
typedef struct cw_handshake cw_handshake;

/* Whether the TLS library of this libcurl is the one that is looked into. */
bool cw_handshake_visible(void);

/* Watches the connections of 'ssl_ctx' (CURLOPT_SSL_CTX_FUNCTION's): the new
** reference takes the place of '*h'. Out of memory: nothing is shown. */
void cw_handshake_watch(cw_handshake **h, void *ssl_ctx);

/* Whether the server asked for a certificate where none was given. */
bool cw_handshake_asked(const cw_handshake *h);

void cw_handshake_drop(cw_handshake **h); /* NULL is fine */

#endif
