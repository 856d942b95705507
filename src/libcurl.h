/* libcurl: what the loaded libcurl reports about itself. Knows libcurl.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_LIBCURL_H
#define CURLEW_LIBCURL_H

#include <curl/curl.h>

/* curl_version_info writes to memory that all threads share, so it is called
** once in a process. It also costs 4,000 instructions. */
const curl_version_info_data *cw_libcurl_info(void);

#endif
