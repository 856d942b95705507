/* quirks: the bugs of libcurl that curlew works around. Knows libcurl.
** SPDX-License-Identifier: MIT */
#include "quirks.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>

#include "libcurl.h"

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
  [CW_QUIRK_IDLE_INPUT] =
    {"idle_input",
     "A connection on which input waits serves the next request, and the input "
     "is taken for its response.",
     0, 0, "peer_spec"},
  /* Fixed in 8.2.0, and seen again in 8.14.1. */
  [CW_QUIRK_IDLE_END] = {"idle_end",
                         "A connection of HTTP/2 that the server has ended "
                         "serves the next request.",
                         0, 0, "http2_spec"},
  [CW_QUIRK_SELDOM_CHECKS] =
    {"seldom_checks",
     "Whether an idle connection has ended or has input is looked at once a "
     "second at most.",
     RELEASE(8, 22, 0), 0, "http2_spec"},
  [CW_QUIRK_SILENT_CLOSE] =
    {"silent_close",
     "The socket of a connection that is given up before it is connected is "
     "closed without the close callback.",
     0, RELEASE(8, 2, 0), "replaced_spec"},
  [CW_QUIRK_RESET] =
    {"reset", "RST_STREAM with NO_ERROR is taken for the end of the stream.", 0,
     0, "truncated_spec"},
  /* 8.3.0 to 8.7.1 too, but in these releases a part of the response may still
  ** be in a buffer of libcurl, so the error stays. */
  [CW_QUIRK_LATE_UPLOAD] =
    {"late_upload",
     "An upload over HTTP/2 that ends after its complete response fails.",
     RELEASE(8, 8, 0), 0, "window_spec"},
  [CW_QUIRK_SENDS_LATER] =
    {"sends_later",
     "A body that waits for 100 (Continue) is sent after a final 2xx response "
     "too, when the time to wait is over.",
     RELEASE(8, 18, 0), 0, "owed_spec"},
  [CW_QUIRK_ZONE] = {"zone",
                     "A copy of a parsed url loses the zone of its address.", 0,
                     RELEASE(8, 3, 0), "address_spec"},
  [CW_QUIRK_NEXT_ADDRESS] =
    {"next_address",
     "Between two addresses of a host libcurl waits for neither a socket nor "
     "a time.",
     0, RELEASE(8, 4, 0), "address_spec"},
  /* make asan shows it. */
  [CW_QUIRK_HOST_NAME_LEAK] =
    {"host_name_leak",
     "A handle whose look-up has failed never frees the host name if its next "
     "request has another look-up.",
     RELEASE(8, 14, 0), RELEASE(8, 15, 0), "proxy_spec"},
  [CW_QUIRK_READS_PAUSED] =
    {"reads_paused", "A paused transfer reads on, up to 64 MiB, and fails.",
     RELEASE(8, 5, 0), RELEASE(8, 6, 0), "paused_spec"},
  [CW_QUIRK_LINE_LIMIT] =
    {"line_limit",
     "A header line over libcurl's limit is reported as a lack of memory.", 0,
     RELEASE(8, 6, 0), "fault_spec"},
  [CW_QUIRK_SOCKET_PAIRS] =
    {"socket_pairs",
     "Socket pairs are made without close-on-exec, so programs that are "
     "executed inherit them.",
     0, RELEASE(8, 8, 0), "descriptor_spec"},
  [CW_QUIRK_REWIND] =
    {"rewind",
     "A handle that could not send a body again calls the seek function for "
     "its next request, and fails.",
     RELEASE(8, 7, 0), RELEASE(8, 16, 0), "repeat_spec"},
  [CW_QUIRK_PAUSE_STAYS] =
    {"pause_stays",
     "A handle whose transfer ends while it is paused never sends or receives "
     "for its next request.",
     RELEASE(8, 18, 0), RELEASE(8, 19, 0), "owed_spec"},
  [CW_QUIRK_IP_IGNORED] =
    {"ip_ignored", "CURLOPT_IPRESOLVE does not apply to an address in the url.",
     RELEASE(8, 20, 0), 0, "option_spec"},
  [CW_QUIRK_CLOSING] =
    {"closing",
     "A TLS connection that is closed stays open until the peer answers, "
     "without a time limit.",
     RELEASE(8, 9, 0), 0, "closing_spec"},
  [CW_QUIRK_QUICK_EXIT] =
    {"quick_exit",
     "A look-up that hangs holds up the end of the program, because "
     "CURLOPT_QUICK_EXIT has no effect.",
     RELEASE(8, 20, 0), 0, "resolve_spec"},
  [CW_QUIRK_INTERFACE_STAYS] = {"interface_stays",
                                "CURLOPT_INTERFACE cannot be set to NULL, so a "
                                "handle keeps its interface.",
                                RELEASE(8, 9, 0), RELEASE(8, 10, 0),
                                "option_spec"},
  [CW_QUIRK_REPETITIONS] =
    {"repetitions",
     "Repetitions are counted over all transfers of an easy handle, and the "
     "sixth fails.",
     0, RELEASE(8, 17, 0), "repeat_spec"},
  [CW_QUIRK_PLAIN_OVER_TLS] =
    {"plain_over_tls",
     "A request for http is sent on an idle connection with TLS to the same "
     "host and port.",
     RELEASE(8, 13, 0), RELEASE(8, 17, 0), "tls_spec"},
  [CW_QUIRK_EMPTY_QUERY] = {"empty_query",
                            "An empty query is neither reported nor sent.",
                            RELEASE(8, 8, 0), RELEASE(8, 21, 0), "url_spec"},
  [CW_QUIRK_TUNNEL_OWNER] =
    {"tunnel_owner",
     "A tunnel that was made for one user of a proxy serves another one "
     "(CVE-2026-3784).",
     0, RELEASE(8, 19, 0), "proxy_spec"},
  [CW_QUIRK_TLS_IDENTITY] =
    {"tls_identity",
     "The private keys of two connections are not compared, and their pins "
     "without regard to case.",
     0, RELEASE(8, 21, 0), "tls_spec"},
  [CW_QUIRK_POOL_SIZE] = {"pool_size",
                          "CURLMOPT_MAXCONNECTS counts the connections in use.",
                          0, 0, "limit_spec"},
  [CW_QUIRK_BODY_REPEATED] =
    {"body_repeated",
     "At HTTP_1_1_REQUIRED a request is repeated in the middle of a response.",
     0, 0, "http2_spec"},
};

/* Lua states of several threads share these. */
static atomic_bool active[CW_QUIRK_COUNT], observed[CW_QUIRK_COUNT];

bool cw_quirk_affects(cw_quirk quirk, unsigned release) {
  const cw_quirk_row *row = &rows[quirk];
  return release >= row->since && (row->fixed == 0 || release < row->fixed);
}

static void read_version(void) {
  unsigned release = cw_libcurl_info()->version_num;
  for (int i = 0; i < CW_QUIRK_COUNT; i++)
    active[i] = cw_quirk_affects((cw_quirk)i, release);
}

const cw_quirk_row *cw_quirk_describe(cw_quirk quirk) { return &rows[quirk]; }

bool cw_quirk_is_active(cw_quirk quirk) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, read_version);
  return atomic_load_explicit(&active[quirk], memory_order_relaxed);
}

bool cw_quirk_observe(cw_quirk quirk, bool seen) {
  bool is_active = cw_quirk_is_active(quirk);
  if (atomic_exchange(&observed[quirk], true)) return is_active;
  active[quirk] = seen;
  return seen;
}
