/* deadlines: what is due next. Knows transfer.
** SPDX-License-Identifier: MIT */
#include "deadlines.h"

#include <stdlib.h>

void cw_deadlines_clear(cw_deadlines *d) {
  free(d->heap);
  *d = (cw_deadlines){0};
}

bool cw_deadlines_reserve(cw_deadlines *d, size_t transfers) {
  size_t needed = transfers + d->others + 2, size = d->size ? d->size : 16;
  if (needed <= d->size) return true;
  while (size < needed)
    size *= 2;
  cw_alarm **heap = realloc(d->heap, size * sizeof *heap);
  if (!heap) return false;
  d->heap = heap;
  d->size = size;
  return true;
}

static void put(cw_deadlines *d, cw_alarm *a, size_t at) {
  d->heap[at] = a;
  a->heap_at = at;
}

static void sift(cw_deadlines *d, cw_alarm *a, size_t at) {
  while (at > 1 && d->heap[at / 2]->due > a->due) {
    put(d, d->heap[at / 2], at);
    at /= 2;
  }
  for (;;) {
    size_t child = at * 2;
    if (child > d->count) break;
    if (child < d->count && d->heap[child + 1]->due < d->heap[child]->due)
      child++;
    if (d->heap[child]->due >= a->due) break;
    put(d, d->heap[child], at);
    at = child;
  }
  put(d, a, at);
}

void cw_deadlines_remove(cw_deadlines *d, cw_alarm *a) {
  size_t at = a->heap_at;
  if (!at) return;
  a->heap_at = 0;
  d->others -= !a->transfer;
  cw_alarm *last = d->heap[d->count--];
  if (last != a) sift(d, last, at);
}

void cw_deadlines_set(cw_deadlines *d, cw_alarm *a) {
  if (a->due == INT64_MAX) {
    cw_deadlines_remove(d, a);
    return;
  }
  if (!a->heap_at) d->others += !a->transfer;
  sift(d, a, a->heap_at ? a->heap_at : ++d->count);
}

void cw_deadlines_update(cw_deadlines *d, cw_transfer *t) {
  t->alarm.due = cw_transfer_look(t);
  cw_deadlines_set(d, &t->alarm);
}

int64_t cw_deadlines_next(const cw_deadlines *d) {
  return d->count ? d->heap[1]->due : INT64_MAX;
}

cw_alarm *cw_deadlines_late(cw_deadlines *d, int64_t now) {
  while (d->count && d->heap[1]->due <= now) {
    cw_alarm *a = d->heap[1];
    if (a->transfer) cw_deadlines_update(d, a->transfer);
    if (a->heap_at && a->due <= now) return a;
  }
  return NULL;
}
