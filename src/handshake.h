/* handshake: what a TLS handshake shows and libcurl does not report. Knows
** OpenSSL; with another TLS library nothing is shown.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_HANDSHAKE_H
#define CURLEW_HANDSHAKE_H

#include <stdbool.h>

/* Reference-counted: the transfer that connects has a reference, and so has the
** connection, which may outlive the transfer. */
typedef struct cw_handshake cw_handshake;

/* Whether libcurl uses the OpenSSL of this module. */
bool cw_handshake_visible(void);

/* Watches the connections of 'ssl_ctx' (from CURLOPT_SSL_CTX_FUNCTION). '*h' is
** dropped and set to a new reference. Out of memory: nothing is watched. */
void cw_handshake_watch(cw_handshake **h, void *ssl_ctx);

/* Whether the server asked for a certificate and none was set. */
bool cw_handshake_asked(const cw_handshake *h);

void cw_handshake_drop(cw_handshake **h); /* NULL is fine */

#endif
