/* scan: where what a reader asked for ends, in bytes of which more may come.
** Pure. Knows libc.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_SCAN_H
#define CURLEW_SCAN_H

#include <stdbool.h>
#include <stddef.h>

enum { CW_NUMERAL_MAX = 200 }; /* as io's: what is longer is no number */

typedef struct cw_numeral {
  size_t length; /* bytes that belong to it, from the first on */
  bool fits;     /* false: it is longer than CW_NUMERAL_MAX */
} cw_numeral;

/* Finds the longest start of the 'n' bytes that may begin a Lua numeral, as
** io's format "n" does (white space before it is the caller's to skip). False:
** it cannot be said before more has come; with 'last' it always can. */
bool cw_scan_numeral(const char *bytes, size_t n, bool last, cw_numeral *found);

/* How many of the 'n' bytes are white space at the beginning. */
size_t cw_scan_space(const char *bytes, size_t n);

#endif
