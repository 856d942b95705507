/* buf: bytes in a row with a limit. Knows libc.
** SPDX-License-Identifier: MIT */
#include "buf.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
  SMALLEST = 64,
  PAGE = 4096,
  LARGE = 4 * 1024 * 1024 /* from here on huge pages are worth it */
};

void cw_buf_init(cw_buf *b, size_t limit) { *b = (cw_buf){.limit = limit}; }

void cw_buf_clear(cw_buf *b) {
  free(b->bytes);
  cw_buf_init(b, b->limit);
}

/* Moves the unread bytes to the front, so that what was read makes room. */
static void compact(cw_buf *b) {
  if (b->start == 0) return;
  memmove(b->bytes, b->bytes + b->start, cw_buf_length(b));
  b->end -= b->start;
  b->start = 0;
}

/* To touch 100 MiB in pages of 4 KiB takes a third of the time that it takes to
** receive them. A hint: where the system has no huge pages, nothing changes. */
static void use_huge_pages(char *bytes, size_t size) {
#ifdef MADV_HUGEPAGE
  size_t skip = PAGE - (uintptr_t)bytes % PAGE;
  if (size >= LARGE) madvise(bytes + skip, size - skip, MADV_HUGEPAGE);
#else
  (void)bytes, (void)size;
#endif
}

/* The first time as much as is needed: a buffer may never grow again (thousands
** of unread responses do not). Then by doubling. */
static size_t next_size(const cw_buf *b, size_t needed) {
  size_t size = b->size;
  if (size == 0) return (needed + SMALLEST - 1) / SMALLEST * SMALLEST;
  while (size < needed)
    size = size > (size_t)-1 / 2 ? needed : size * 2;
  return size;
}

static bool grow(cw_buf *b, size_t needed) {
  size_t size = next_size(b, needed);
  if (size > b->limit && needed <= b->limit) size = b->limit;
  char *bytes = realloc(b->bytes, size);
  if (!bytes) return false;
  use_huge_pages(bytes, size);
  b->bytes = bytes;
  b->size = size;
  return true;
}

bool cw_buf_make_space(cw_buf *b, size_t n) {
  compact(b);
  return b->size - b->end >= n || grow(b, b->end + n);
}

bool cw_buf_append(cw_buf *b, const char *bytes, size_t n) {
  if (!cw_buf_reserve(b, n)) return false;
  if (n) memcpy(b->bytes + b->end, bytes, n);
  b->end += n;
  return true;
}

const char *cw_buf_peek(const cw_buf *b, size_t *n) {
  *n = cw_buf_length(b);
  return *n ? b->bytes + b->start : "";
}

char *cw_buf_detach(cw_buf *b, size_t *n) {
  compact(b);
  char *bytes = realloc(b->bytes, b->end + 1);
  if (!bytes) return NULL;
  bytes[b->end] = '\0';
  *n = b->end;
  cw_buf_init(b, b->limit);
  return bytes;
}

void cw_buf_attach(cw_buf *b, char *bytes, size_t n) {
  cw_buf_clear(b);
  b->bytes = bytes;
  b->end = n;
  b->size = n + 1;
}

void cw_buf_drop(cw_buf *b, size_t n) {
  size_t length = cw_buf_length(b);
  b->start += n < length ? n : length;
  if (b->start == b->end) b->start = b->end = 0;
}
