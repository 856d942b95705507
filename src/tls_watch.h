/* tls_watch: what happens on a connection's TLS layer, as OpenSSL tells it: the
** peer's close_notify, and the records that go by. Knows libcurl, OpenSSL.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_TLS_WATCH_H
#define CURLEW_TLS_WATCH_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>

/* Belongs to a connection, and to the transfers that took it: the last of them
** frees it. It stays readable when libcurl has closed the connection. */
typedef struct cw_tls_watch cw_tls_watch;

/* A reference to the watch of the connection that 'easy' is using; the first
** call for a connection begins to watch it. NULL: it cannot be watched. */
cw_tls_watch *cw_tls_watch_take(CURL *easy);
void cw_tls_watch_free(cw_tls_watch *w); /* NULL is fine */

/* Whether ALPN has agreed on HTTP/2. */
bool cw_tls_watch_http2(const cw_tls_watch *w);

/* Until the watch is taken again, libcurl learns of the connection's end
** (close_notify, FIN) only when it has been told once that there is nothing to
** read. 'easy' is using the connection. */
void cw_tls_watch_delay_end(cw_tls_watch *w, CURL *easy);

/* Calls 'first' once, inside libcurl, when the next record with data comes. */
void cw_tls_watch_on_record(cw_tls_watch *w, void (*first)(void *data),
                            void *data);

/* Forgets that call, if it was asked for with 'data': another transfer may have
** taken the connection and asked since. */
void cw_tls_watch_drop_call(cw_tls_watch *w, const void *data);

/* Marks that all data of the records so far has been delivered. */
void cw_tls_watch_delivered(cw_tls_watch *w);

/* Whether the peer has sent a close_notify. */
bool cw_tls_watch_notified(const cw_tls_watch *w);

/* Whether the end of the connection was waiting behind the last record. */
bool cw_tls_watch_delayed(const cw_tls_watch *w);

/* Whether the connection has ended, which libcurl has not been told in the
** transfer before. */
bool cw_tls_watch_ended(const cw_tls_watch *w);

/* The bytes of the only record that came since data was last delivered, or
** since libcurl was last told that there is nothing to read; 0: there is none,
** or more than one, or its size is not known. */
size_t cw_tls_watch_last(const cw_tls_watch *w);

/* The bytes written since the last record came. False: not known. */
bool cw_tls_watch_written(const cw_tls_watch *w, size_t *bytes);

#endif
