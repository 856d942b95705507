/* poller: one descriptor for many. Knows epoll.
** SPDX-License-Identifier: MIT */
#include "poller.h"

#include <errno.h>
#include <unistd.h>

#include "descriptor.h"
#include "platform.h"

void cw_poller_init(cw_poller *p) { *p = (cw_poller){.fd = -1, .bell = -1}; }

void cw_poller_clear(cw_poller *p) {
  if (p->fd >= 0) close(p->fd);
  if (p->bell >= 0) close(p->bell);
  cw_poller_init(p);
}

#if CW_HAS_EPOLL

#include <sys/epoll.h>
#include <sys/eventfd.h>

_Static_assert(POLLIN == EPOLLIN && POLLOUT == EPOLLOUT && POLLERR == EPOLLERR,
               "the same bits mean the same to poll and epoll");

bool cw_poller_open(cw_poller *p) {
  if (p->fd < 0) p->fd = cw_descriptor(epoll_create1(EPOLL_CLOEXEC));
  return p->fd >= 0;
}

bool cw_poller_open_bell(cw_poller *p) {
  struct epoll_event event = {.events = EPOLLIN};
  if (p->bell >= 0) return true;
  p->bell = cw_descriptor(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  event.data.fd = p->bell;
  return p->bell >= 0 && epoll_ctl(p->fd, EPOLL_CTL_ADD, p->bell, &event) == 0;
}

void cw_poller_ring(cw_poller *p) {
  if (p->bell >= 0) eventfd_write(p->bell, 1);
}

/* Epoll forgets a closed descriptor by itself, and its number may be another
** file by now. So each operation may find the other's state. */
void cw_poller_set(cw_poller *p, int fd, short events) {
  struct epoll_event event = {.events = (uint32_t)events, .data.fd = fd};
  if (!events)
    epoll_ctl(p->fd, EPOLL_CTL_DEL, fd, NULL);
  else if (epoll_ctl(p->fd, EPOLL_CTL_MOD, fd, &event) != 0)
    epoll_ctl(p->fd, EPOLL_CTL_ADD, fd, &event);
}

size_t cw_poller_wait(cw_poller *p, int64_t us, struct pollfd *fired,
                      size_t room) {
  enum { AT_ONCE = 64 };
  struct epoll_event events[AT_ONCE];
  size_t found = 0;
  int most = room < AT_ONCE ? (int)room : AT_ONCE;
  int ms = us < 0 ? -1 : (int)((us + 999) / 1000);
  int n = epoll_wait(p->fd, events, most ? most : 1, ms);
  for (int i = 0; i < n; i++) {
    eventfd_t rung;
    int fd = events[i].data.fd;
    if (fd == p->bell)
      eventfd_read(fd, &rung);
    else if (i < most)
      fired[found++] =
        (struct pollfd){.fd = fd, .revents = (short)events[i].events};
  }
  return found;
}

#else

bool cw_poller_open(cw_poller *p) {
  (void)p;
  errno = ENOSYS;
  return false;
}

bool cw_poller_open_bell(cw_poller *p) {
  (void)p;
  errno = ENOSYS;
  return false;
}

void cw_poller_ring(cw_poller *p) { (void)p; }

void cw_poller_set(cw_poller *p, int fd, short events) {
  (void)p, (void)fd, (void)events;
}

size_t cw_poller_wait(cw_poller *p, int64_t us, struct pollfd *fired,
                      size_t room) {
  (void)p, (void)us, (void)fired, (void)room;
  return 0;
}

#endif
