/* tls_write: a write over TLS that fails does not end a transfer whose answer
** can still be read. Knows libcurl, OpenSSL.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_TLS_WRITE_H
#define CURLEW_TLS_WRITE_H

#include <curl/curl.h>

/* From now on a failed write on the connection of 'easy' is "not now" to
** libcurl: it reads what has come, or finds the end of the connection. Only
** while 'easy' has a connection; does nothing where its TLS is not OpenSSL's.
** 'socket' is the connection's, if it is new; or CURL_SOCKET_BAD. */
void cw_tls_write_outlive(CURL *easy, curl_socket_t socket);

#endif
