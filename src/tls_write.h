/* tls_write: a write over TLS that fails does not end a transfer whose answer
** can still be read. Knows libcurl, OpenSSL.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_TLS_WRITE_H
#define CURLEW_TLS_WRITE_H

#include <curl/curl.h>

/* From now on a failed write on the connection of 'easy' returns "try again" to
** libcurl, which then reads the response or finds the end of the connection. To
** be called while 'easy' has a connection. Has no effect if the TLS library is
** not the OpenSSL of this module. 'socket' is the socket of a new connection,
** else CURL_SOCKET_BAD. */
void cw_tls_write_retry(CURL *easy, curl_socket_t socket);

#endif
