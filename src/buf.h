/* buf: bytes in a row, appended at the end and taken from the front, never
** more unread at once than the limit that the buffer was born with.
** Knows libc.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_BUF_H
#define CURLEW_BUF_H

#include <stdbool.h>
#include <stddef.h>

typedef struct cw_buf {
  char *bytes;  /* owned; NULL until the first byte */
  size_t start; /* first unread byte */
  size_t end;   /* one past the last */
  size_t size;  /* allocated */
  size_t limit; /* most unread bytes at once */
} cw_buf;

void cw_buf_init(cw_buf *b, size_t limit);

/* Frees the bytes; the buffer is empty and usable afterwards. */
void cw_buf_clear(cw_buf *b);

static inline size_t cw_buf_length(const cw_buf *b) {
  return b->end - b->start;
}

/* How many bytes may still be appended before the limit. */
static inline size_t cw_buf_room(const cw_buf *b) {
  size_t length = cw_buf_length(b);
  return length < b->limit ? b->limit - length : 0;
}

/* For cw_buf_reserve. */
bool cw_buf_make_space(cw_buf *b, size_t n);

/* Makes sure that 'n' more bytes fit without another allocation. False: out of
** memory, or over the limit; the buffer is unchanged. */
static inline bool cw_buf_reserve(cw_buf *b, size_t n) {
  return n <= cw_buf_room(b) &&
         (b->size - b->end >= n || cw_buf_make_space(b, n));
}

/* Copies 'n' bytes to the end. False as above. */
bool cw_buf_append(cw_buf *b, const char *bytes, size_t n);

/* Lends room for 'n' bytes at the end, of which so many are then in use as
** cw_buf_grew says. NULL as for cw_buf_reserve. */
static inline char *cw_buf_space(cw_buf *b, size_t n) {
  return cw_buf_reserve(b, n) ? b->bytes + b->end : NULL;
}
static inline void cw_buf_grew(cw_buf *b, size_t n) { b->end += n; }

/* Lends the unread bytes; valid until the next call on 'b'. */
const char *cw_buf_peek(const cw_buf *b, size_t *n);

/* Hands over the unread bytes, which the caller frees, with a NUL behind them.
** The buffer is empty then. NULL: out of memory, and nothing has changed. */
char *cw_buf_detach(cw_buf *b, size_t *n);

/* Takes back the 'n' bytes that cw_buf_detach has handed over. The buffer must
** be empty. */
void cw_buf_attach(cw_buf *b, char *bytes, size_t n);

/* Forgets the first 'n' unread bytes, or all where there are fewer. */
void cw_buf_drop(cw_buf *b, size_t n);

#endif
