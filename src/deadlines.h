/* deadlines: what is too late, or due, next: a binary heap of alarms. Those of
** open transfers ring when nothing has happened for too long: while it makes
** progress in one phase, a transfer's time only moves later, so its key is
** looked at again when it comes up, not at every byte. Others ring at their
** time. Knows transfer.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_DEADLINES_H
#define CURLEW_DEADLINES_H

#include "transfer.h"

typedef struct cw_deadlines {
  cw_alarm **heap; /* owned; the alarms are borrowed; heap[0] unused */
  size_t count, size;
  size_t others; /* of them, those that watch no transfer */
} cw_deadlines;

void cw_deadlines_clear(cw_deadlines *d);

/* Makes room for the alarms of so many transfers, in the queue or not, and one
** more of the others. False: out of memory. */
bool cw_deadlines_reserve(cw_deadlines *d, size_t transfers);

/* Puts 'a' where its 'due' belongs, or takes it out when it has none. */
void cw_deadlines_set(cw_deadlines *d, cw_alarm *a);
void cw_deadlines_remove(cw_deadlines *d, cw_alarm *a);

/* The same for a transfer, whose time is looked at. */
void cw_deadlines_update(cw_deadlines *d, cw_transfer *t);

/* The soonest key; INT64_MAX: nothing can be too late. It may be early. */
int64_t cw_deadlines_next(const cw_deadlines *d);

/* One whose time has come by 'now', or NULL. It stays in the queue. */
cw_alarm *cw_deadlines_late(cw_deadlines *d, int64_t now);

#endif
