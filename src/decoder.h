/* decoder: Content-Encoding undone, pulled by who reads, never more of it at
** once than there is room for: a body of a few KiB may stand for gigabytes.
** Knows zlib, brotli, zstd.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_DECODER_H
#define CURLEW_DECODER_H

#include "error.h"
#include "headers.h"

/* What is sent as Accept-Encoding: all that can be undone. */
#define CW_DECODER_ACCEPTED "gzip, deflate, br, zstd"

enum {
  CW_CODINGS_MAX = 5,   /* in one list: more is an attack or a mistake */
  CW_DECODER_STEPS = 64 /* of all stages together, in one call */
};

typedef struct cw_decoder cw_decoder;

typedef enum cw_decoding {
  CW_DECODING_MORE,   /* something was taken or made: call again */
  CW_DECODING_HUNGRY, /* all input is taken, nothing is left to come of it */
  CW_DECODING_ENDED,  /* it is complete; what else comes is to be dropped */
  CW_DECODING_FAILED  /* the error says why; it stays so */
} cw_decoding;

/* 'codings' is the value of Content-Encoding, all its lines joined by commas:
** applied from left to right, undone from right to left (RFC 9110 8.4). Sets
** '*d', which the caller owns; NULL if there is nothing to undo (an empty list,
** or only names that stand for no coding). False: 'e' is set; a coding is not
** known, there are too many, or out of memory. */
bool cw_decoder_new(cw_text codings, cw_decoder **d, cw_error *e);
void cw_decoder_free(cw_decoder *d); /* NULL is fine */

/* Takes from '*in' (moves it on, lowers '*n') and makes at most 'room' > 0
** bytes at 'out'; '*made' says how many, whatever is returned: some may come
** with the end, and before a failure. 'last': no input comes after this; then
** it is never hungry. The work is bounded: after CW_DECODER_STEPS steps of its
** stages a call returns, even if it has made nothing. A body without a single
** byte is an empty one, whatever the coding. */
cw_decoding cw_decoder_pull(cw_decoder *d, const char **in, size_t *n,
                            bool last, char *out, size_t room, size_t *made,
                            cw_error *e);

#endif
