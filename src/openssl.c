/* openssl: the OpenSSL that libcurl uses. Knows libcurl, OpenSSL.
** SPDX-License-Identifier: MIT */
#include "openssl.h"

#include <openssl/ssl.h>
#include <pthread.h>
#include <string.h>

#include "libcurl.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool is_shared;

/* libcurl reports "OpenSSL/3.0.17", perhaps followed by a blank and more text.
** OpenSSL before 3.0 does not offer its plain version number, so there the
** result is false. */
static void compare_versions(void) {
#ifdef OPENSSL_VERSION_STRING
  static const char prefix[] = "OpenSSL/";
  const char *theirs = cw_libcurl_info()->ssl_version;
  const char *ours = OpenSSL_version(OPENSSL_VERSION_STRING);
  size_t n = strlen(ours);
  if (!theirs || strncmp(theirs, prefix, sizeof prefix - 1) != 0) return;
  theirs += sizeof prefix - 1;
  is_shared = strncmp(theirs, ours, n) == 0 && (!theirs[n] || theirs[n] == ' ');
#endif
}

bool cw_openssl_is_shared(void) {
  pthread_once(&once, compare_versions);
  return is_shared;
}

SSL *cw_openssl_of(CURL *easy) {
  struct curl_tlssessioninfo *info = NULL;
  if (!cw_openssl_is_shared()) return NULL;
  CURLcode rc = curl_easy_getinfo(easy, CURLINFO_TLS_SSL_PTR, &info);
  bool known = !rc && info && info->backend == CURLSSLBACKEND_OPENSSL;
  return known ? info->internals : NULL;
}

bool cw_openssl_has_unread(CURL *easy) {
  SSL *ssl = cw_openssl_of(easy);
  return ssl && SSL_pending(ssl) > 0;
}
