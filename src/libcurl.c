/* libcurl: what the loaded libcurl reports about itself. Knows libcurl.
** SPDX-License-Identifier: MIT */
#include "libcurl.h"

#include <pthread.h>

static const curl_version_info_data *info;

static void read_info(void) { info = curl_version_info(CURLVERSION_NOW); }

const curl_version_info_data *cw_libcurl_info(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, read_info);
  return info;
}
