/* quirks: the bugs of libcurl that curlew works around. Knows libcurl.
** SPDX-License-Identifier: MIT */
#include "quirks.h"

#include <curl/curl.h>
#include <pthread.h>

/* A release as libcurl counts it (version_num). */
#define RELEASE(major, minor, patch) ((major) << 16 | (minor) << 8 | (patch))

static const cw_quirk_row rows[CW_QUIRK_COUNT] = {
  [CW_QUIRK_HANDLE_STATE] =
    {"handle_state",
     "An easy handle keeps a freed header line and the offered authentication "
     "of its last exchange.",
     0, RELEASE(8, 1, 1), "session_spec"},
  [CW_QUIRK_END_STREAM] =
    {"end_stream",
     "A stream of HTTP/2 that ends with its connection is called complete.", 0,
     RELEASE(8, 1, 0), "truncated_spec"},
  [CW_QUIRK_ZONE] = {"zone",
                     "A copy of a parsed url loses the zone of its address.", 0,
                     RELEASE(8, 3, 0), "address_spec"},
  [CW_QUIRK_NEXT_ADDRESS] =
    {"next_address",
     "Between two addresses of a host libcurl waits for neither a socket nor "
     "a time.",
     0, RELEASE(8, 4, 0), "address_spec"},
  [CW_QUIRK_LINE_LIMIT] =
    {"line_limit",
     "A header line over libcurl's limit is reported as a lack of memory.", 0,
     RELEASE(8, 6, 0), "fault_spec"},
  [CW_QUIRK_SOCKET_PAIRS] =
    {"socket_pairs",
     "Socket pairs are made without close-on-exec, so programs that are "
     "executed inherit them.",
     0, RELEASE(8, 8, 0), "descriptor_spec"},
  [CW_QUIRK_EMPTY_QUERY] = {"empty_query",
                            "An empty query is neither reported nor sent.",
                            RELEASE(8, 8, 0), RELEASE(8, 21, 0), "url_spec"},
  [CW_QUIRK_TUNNEL_OWNER] =
    {"tunnel_owner",
     "A tunnel that was made for one user of a proxy serves another one "
     "(CVE-2026-3784).",
     0, RELEASE(8, 19, 0), "proxy_spec"},
};

static bool active[CW_QUIRK_COUNT];

static bool affects(const cw_quirk_row *row, unsigned version) {
  return version >= row->since && (row->fixed == 0 || version < row->fixed);
}

static void read_version(void) {
  unsigned version = curl_version_info(CURLVERSION_NOW)->version_num;
  for (int i = 0; i < CW_QUIRK_COUNT; i++)
    active[i] = affects(&rows[i], version);
}

const cw_quirk_row *cw_quirk_describe(cw_quirk quirk) { return &rows[quirk]; }

/* The version is read once: curl_version_info costs 4,000 instructions. */
bool cw_quirk_is_active(cw_quirk quirk) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, read_version);
  return active[quirk];
}
