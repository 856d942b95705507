/* openssl: the OpenSSL that libcurl uses, where it is the one that this module
** is linked with. Knows libcurl, OpenSSL.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_OPENSSL_H
#define CURLEW_OPENSSL_H

#include <curl/curl.h>
#include <stdbool.h>

/* Whether libcurl uses the same OpenSSL as this module. Only then may its
** structures be used. */
bool cw_openssl_is_shared(void);

/* The SSL of the connection of 'easy'; NULL: the connection has no TLS, or that
** of another library. To be called while 'easy' has a connection, as in
** CURLOPT_PREREQFUNCTION. */
struct ssl_st *cw_openssl_of(CURL *easy);

/* Whether OpenSSL holds decrypted bytes of the connection of 'easy' that were
** not read. The socket does not show them. */
bool cw_openssl_has_unread(CURL *easy);

#endif
