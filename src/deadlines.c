/* deadlines: who is too late next. Knows transfer.
** SPDX-License-Identifier: MIT */
#include "deadlines.h"

#include <stdlib.h>

void cw_deadlines_clear(cw_deadlines *d) {
  free(d->heap);
  *d = (cw_deadlines){0};
}

bool cw_deadlines_reserve(cw_deadlines *d) {
  if (d->count + 2 <= d->size) return true;
  size_t size = d->size ? d->size * 2 : 16;
  cw_transfer **heap = realloc(d->heap, size * sizeof *heap);
  if (!heap) return false;
  d->heap = heap;
  d->size = size;
  return true;
}

static void put(cw_deadlines *d, cw_transfer *t, size_t at) {
  d->heap[at] = t;
  t->heap_at = at;
}

static void sift(cw_deadlines *d, cw_transfer *t, size_t at) {
  while (at > 1 && d->heap[at / 2]->due > t->due) {
    put(d, d->heap[at / 2], at);
    at /= 2;
  }
  for (;;) {
    size_t child = at * 2;
    if (child > d->count) break;
    if (child < d->count && d->heap[child + 1]->due < d->heap[child]->due)
      child++;
    if (d->heap[child]->due >= t->due) break;
    put(d, d->heap[child], at);
    at = child;
  }
  put(d, t, at);
}

void cw_deadlines_remove(cw_deadlines *d, cw_transfer *t) {
  size_t at = t->heap_at;
  if (!at) return;
  t->heap_at = 0;
  cw_transfer *last = d->heap[d->count--];
  if (last != t) sift(d, last, at);
}

void cw_deadlines_update(cw_deadlines *d, cw_transfer *t) {
  const char *name;
  int64_t us;
  t->due = cw_transfer_due(t, &name, &us);
  if (t->due == INT64_MAX)
    cw_deadlines_remove(d, t);
  else
    sift(d, t, t->heap_at ? t->heap_at : ++d->count);
}

int64_t cw_deadlines_next(const cw_deadlines *d) {
  return d->count ? d->heap[1]->due : INT64_MAX;
}

cw_transfer *cw_deadlines_late(cw_deadlines *d, int64_t now) {
  while (d->count && d->heap[1]->due <= now) {
    cw_transfer *t = d->heap[1];
    cw_deadlines_update(d, t);
    if (t->heap_at && t->due <= now) return t;
  }
  return NULL;
}
