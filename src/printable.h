/* printable: text that a terminal shows and does not obey. Knows UTF-8.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_PRINTABLE_H
#define CURLEW_PRINTABLE_H

/* Replaces by "?" what a peer could drive a terminal with: control characters
** (U+0000 to U+001F, U+007F to U+009F) and bytes that are no UTF-8. Letters of
** any script stay. */
void cw_printable(char *text);

#endif
