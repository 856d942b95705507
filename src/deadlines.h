/* deadlines: the open transfers that can be too late, soonest first: a binary
** heap. While it makes progress in one phase, a transfer's time only moves
** later: its key is looked at again when it comes up, not at every byte. Knows
** transfer.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_DEADLINES_H
#define CURLEW_DEADLINES_H

#include "transfer.h"

typedef struct cw_deadlines {
  cw_transfer **heap; /* owned; the transfers are borrowed; heap[0] unused */
  size_t count, size;
} cw_deadlines;

void cw_deadlines_clear(cw_deadlines *d);

/* Makes room for one more; false: out of memory. */
bool cw_deadlines_reserve(cw_deadlines *d);

/* Puts 't' where its time belongs, or takes it out when it has none. */
void cw_deadlines_update(cw_deadlines *d, cw_transfer *t);
void cw_deadlines_remove(cw_deadlines *d, cw_transfer *t);

/* The soonest key; INT64_MAX: nothing can be too late. It may be early. */
int64_t cw_deadlines_next(const cw_deadlines *d);

/* One whose time has come by 'now', or NULL. It stays in the queue. */
cw_transfer *cw_deadlines_late(cw_deadlines *d, int64_t now);

#endif
