/* quirks: the bugs of libcurl that curlew works around. Knows libcurl.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_QUIRKS_H
#define CURLEW_QUIRKS_H

#include <stdbool.h>

/* Each one is described by its row of the table in quirks.c. */
typedef enum cw_quirk {
  CW_QUIRK_HANDLE_STATE,
  CW_QUIRK_END_STREAM,
  CW_QUIRK_ZONE,
  CW_QUIRK_NEXT_ADDRESS,
  CW_QUIRK_LINE_LIMIT,
  CW_QUIRK_SOCKET_PAIRS,
  CW_QUIRK_EMPTY_QUERY,
  CW_QUIRK_TUNNEL_OWNER,
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

/* Whether the loaded libcurl has this bug. */
bool cw_quirk_is_active(cw_quirk quirk);

#endif
