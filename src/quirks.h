/* quirks: the bugs of libcurl that curlew works around. Knows libcurl.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_QUIRKS_H
#define CURLEW_QUIRKS_H

#include <stdbool.h>

/* The table in quirks.c has a row with a description for each quirk. */
typedef enum cw_quirk {
  CW_QUIRK_HANDLE_STATE,
  CW_QUIRK_END_STREAM,
  CW_QUIRK_IDLE_INPUT,
  CW_QUIRK_IDLE_END,
  CW_QUIRK_SELDOM_CHECKS,
  CW_QUIRK_SILENT_CLOSE,
  CW_QUIRK_RESET,
  CW_QUIRK_LATE_UPLOAD,
  CW_QUIRK_SENDS_LATER,
  CW_QUIRK_ZONE,
  CW_QUIRK_NEXT_ADDRESS,
  CW_QUIRK_HOST_NAME_LEAK,
  CW_QUIRK_READS_PAUSED,
  CW_QUIRK_LINE_LIMIT,
  CW_QUIRK_SOCKET_PAIRS,
  CW_QUIRK_REWIND,
  CW_QUIRK_IP_IGNORED,
  CW_QUIRK_PAUSE_STAYS,
  CW_QUIRK_CLOSING,
  CW_QUIRK_QUICK_EXIT,
  CW_QUIRK_INTERFACE_STAYS,
  CW_QUIRK_REPETITIONS,
  CW_QUIRK_PLAIN_OVER_TLS,
  CW_QUIRK_EMPTY_QUERY,
  CW_QUIRK_TUNNEL_OWNER,
  CW_QUIRK_TLS_IDENTITY,
  CW_QUIRK_POOL_SIZE,
  CW_QUIRK_BODY_REPEATED,
  CW_QUIRK_COUNT
} cw_quirk;

typedef struct cw_quirk_row {
  const char *name;
  const char *what;      /* what libcurl does, as a sentence */
  unsigned since, fixed; /* releases (0xMMmmpp); since: 0 = before 7.88,
                         ** fixed: 0 = in no release yet */
  const char *spec;      /* the spec that fails without the cure */
} cw_quirk_row;

const cw_quirk_row *cw_quirk_describe(cw_quirk quirk);

/* Whether a release (0xMMmmpp) has this bug, by its row. */
bool cw_quirk_affects(cw_quirk quirk, unsigned release);

/* Whether the loaded libcurl has this bug. */
bool cw_quirk_is_active(cw_quirk quirk);

/* Whether the loaded libcurl has this bug. The first call in the process
** decides by what was seen: a distribution may have fixed its libcurl without
** a new version. */
bool cw_quirk_observe(cw_quirk quirk, bool seen);

#endif
