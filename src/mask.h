/* mask: texts of others without the secrets of urls. Knows no library.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_MASK_H
#define CURLEW_MASK_H

#include <stdbool.h>
#include <stddef.h>

/* Copies a text to 'out' and masks, word by word, what may be secret in a url:
** all between "://" and the last "@" becomes "***", all from a "?" on becomes
** "?...". The quoted name after the word "user" becomes "***". Returns the
** length of the copy, which is cut to 'size' and ends with NUL. */
size_t cw_mask(char *out, size_t size, const char *text, size_t length);

/* Whether 'c' may be part of the name of a header field (RFC 9110 section
** 5.1). */
bool cw_mask_is_name(char c);

#endif
