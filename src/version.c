/* version: the libcurl that this runs on. Knows libcurl.
** SPDX-License-Identifier: MIT */
#include "version.h"

#include <curl/curl.h>

#include "descriptor.h"
#include "libcurl.h"

const char *cw_set_up_libcurl(void) {
  const curl_version_info_data *v = cw_libcurl_info();
  if (v->version_num < CW_LIBCURL_LEAST)
    return "curlew needs libcurl 7.88 or newer: install it (on Debian 12 or "
           "newer: apt-get install libcurl4) or correct LD_LIBRARY_PATH";
  cw_descriptor_fill_stdio();
  CURLcode rc = curl_global_init(CURL_GLOBAL_DEFAULT);
  return rc ? curl_easy_strerror(rc) : NULL;
}

cw_features cw_features_of_libcurl(void) {
  const curl_version_info_data *v = cw_libcurl_info();
  return (cw_features){
    .libcurl = v->version,
    .tls = v->ssl_version ? v->ssl_version : "none",
    .http2 = v->features & CURL_VERSION_HTTP2,
    .http3 = v->features & CURL_VERSION_HTTP3,
  };
}
