/* checksum: SHA-256 of bytes as they come, in hexadecimal. Knows libcrypto.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_CHECKSUM_H
#define CURLEW_CHECKSUM_H

#include <stdbool.h>
#include <stddef.h>

enum { CW_CHECKSUM_DIGITS = 64, CW_CHECKSUM_TEXT = CW_CHECKSUM_DIGITS + 1 };

typedef struct cw_checksum cw_checksum;

/* NULL: out of memory. The caller owns it. */
cw_checksum *cw_checksum_new(void);
void cw_checksum_free(cw_checksum *c); /* NULL is fine */

/* False: libcrypto fails, and the sum is none. */
bool cw_checksum_add(cw_checksum *c, const char *bytes, size_t n);

/* Begins anew, as if nothing had been added. False as above. */
bool cw_checksum_restart(cw_checksum *c);

/* Writes the sum, in small letters; nothing can be added then. False as above.
 */
bool cw_checksum_end(cw_checksum *c, char text[CW_CHECKSUM_TEXT]);

/* The same of 'n' bytes at once. */
bool cw_checksum_of(const char *bytes, size_t n, char text[CW_CHECKSUM_TEXT]);

#endif
