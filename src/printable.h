/* printable: text without control characters. Knows UTF-8.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_PRINTABLE_H
#define CURLEW_PRINTABLE_H

/* Replaces by "?" all that could control a terminal: control characters (U+0000
** to U+001F, U+007F to U+009F) and bytes that are not UTF-8. Letters of all
** scripts stay. */
void cw_printable(char *text);

#endif
