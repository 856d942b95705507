/* apply: settings put into effect on an easy handle: the only room that sets
** what a user may ask for. Knows libcurl's options, settings.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_APPLY_H
#define CURLEW_APPLY_H

#include "settings.h"

/* Sets row 'id' of 'easy' to the value that holds, or back to its default. An
** option of libcurl's that stands for several rows is set by each for all of
** them. Rows of the engine's own do nothing. */
CURLcode cw_apply_row(CURL *easy, cw_option_id id, const cw_settings *own,
                      const cw_settings *defaults);

/* Rows that together decide which hosts are exempt from the environment's
** proxies. After a change of them cw_apply_exempt must be called;
** '*environment' tells whether one of these proxies may be used. */
static const uint64_t CW_ROWS_OF_PROXIES =
  (uint64_t)1 << CW_OPT_PROXY | (uint64_t)1 << CW_OPT_RESOLVE;
CURLcode cw_apply_exempt(CURL *easy, const cw_settings *own,
                         const cw_settings *defaults, bool *environment);

#endif
