/* tls_watch: what OpenSSL reports about the TLS layer of a connection: the
** close_notify of the peer, and the sizes of records. Knows libcurl, OpenSSL.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_TLS_WATCH_H
#define CURLEW_TLS_WATCH_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>

/* Reference-counted: a connection and the transfers that use it have
** references. A watch can be read after libcurl has closed the connection. */
typedef struct cw_tls_watch cw_tls_watch;

/* Prepares the connections that are made with 'ssl_ctx' (an SSL_CTX that has no
** message callback) for being watched. Call it before the handshake. */
void cw_tls_watch_prepare(void *ssl_ctx);

/* A reference to the watch of the connection of 'easy'. The first call for a
** connection begins the watch. NULL: the connection cannot be watched. */
cw_tls_watch *cw_tls_watch_take(CURL *easy);
void cw_tls_watch_free(cw_tls_watch *w); /* NULL is fine */

/* Whether ALPN has agreed on HTTP/2. */
bool cw_tls_watch_http2(const cw_tls_watch *w);

/* Until the watch is taken again, libcurl learns of the end of the connection
** (close_notify, FIN) only after one read has reported "nothing to read".
** 'easy' must be using the connection. */
void cw_tls_watch_delay_end(cw_tls_watch *w, CURL *easy);

/* Calls 'first' once, inside libcurl, when the next data record comes. */
void cw_tls_watch_on_record(cw_tls_watch *w, void (*first)(void *data),
                            void *data);

/* Forgets that call, if it was asked for with 'data': another transfer may have
** taken the connection and asked since. */
void cw_tls_watch_drop_call(cw_tls_watch *w, const void *data);

/* Marks that all data of the records so far has been delivered. */
void cw_tls_watch_delivered(cw_tls_watch *w);

/* Whether the peer has sent a close_notify. */
bool cw_tls_watch_notified(const cw_tls_watch *w);

/* Whether the peer has ended the connection by an alert that reports an error.
 */
bool cw_tls_watch_alerted(const cw_tls_watch *w);

/* Whether TLS has failed: either side has sent such an alert. */
bool cw_tls_watch_failed(const cw_tls_watch *w);

/* Whether the end of the connection came directly after the last record. */
bool cw_tls_watch_delayed(const cw_tls_watch *w);

/* Whether the connection had ended although libcurl was not told so in the
** previous transfer. */
bool cw_tls_watch_ended(const cw_tls_watch *w);

/* The data bytes of the only record that has come since data was last delivered
** or since "nothing to read" was last reported; 0: no record, several records,
** or the size is unknown. */
size_t cw_tls_watch_last(const cw_tls_watch *w);

/* The data bytes of the newest record, if no data was delivered since it came;
** 0: data was delivered, or the size is unknown. */
size_t cw_tls_watch_newest(const cw_tls_watch *w);

/* Whether a data record has come since data was last delivered. */
bool cw_tls_watch_has_undelivered(const cw_tls_watch *w);

/* The data bytes written since the last record came. False: not known. */
bool cw_tls_watch_written(const cw_tls_watch *w, size_t *bytes);

#endif
