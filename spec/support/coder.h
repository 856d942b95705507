/* coder: bytes encoded as a server does it, in a stream. Test only.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_SPEC_CODER_H
#define CURLEW_SPEC_CODER_H

#include <stdbool.h>
#include <stddef.h>

/* Takes what is encoded; false: no more, please. */
typedef bool coder_sink(void *to, const void *bytes, size_t n);

typedef struct coder coder;

/* 'coding' is one of gzip, deflate, raw_deflate, br, zstd (with a checksum);
** 'fast': as quickly as it can be, else as a server may do it. NULL: it is
** not known, or out of memory. */
coder *coder_new(const char *coding, bool fast, coder_sink *sink, void *to);

/* False: the sink wants no more, or the library gave up. */
bool coder_put(coder *c, const void *bytes, size_t n, bool last);
void coder_free(coder *c); /* NULL is fine */

#endif
