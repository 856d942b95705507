/* poller: one descriptor that is readable when one of many is ready, and a bell
** that makes it readable. Only systems with epoll have it. Knows epoll.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_POLLER_H
#define CURLEW_POLLER_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct cw_poller {
  int fd;   /* owned; -1: not made yet */
  int bell; /* owned; -1: not made yet */
} cw_poller;

void cw_poller_init(cw_poller *p);
void cw_poller_clear(cw_poller *p);

/* Makes the descriptor, if that has not been done. False: it cannot be had. */
bool cw_poller_open(cw_poller *p);
/* The same for the bell. */
bool cw_poller_open_bell(cw_poller *p);

/* Makes the descriptor readable until the next wait. */
void cw_poller_ring(cw_poller *p);

/* Waits for 'events' of 'fd' from now on; 0: for nothing. */
void cw_poller_set(cw_poller *p, int fd, short events);

/* Waits at most 'us' microseconds; negative: without a limit. Writes at most
** 'room' descriptors to 'fired' and returns their number. */
size_t cw_poller_wait(cw_poller *p, int64_t us, struct pollfd *fired,
                      size_t room);

#endif
