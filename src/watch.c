/* watch: descriptors to wait for. Knows poll and epoll.
** SPDX-License-Identifier: MIT */
#include "watch.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform.h"

void cw_watch_init(cw_watch *w) {
  *w = (cw_watch){0};
  cw_poller_init(&w->poller);
}

void cw_watch_clear(cw_watch *w) {
  free(w->table);
  free(w->set);
  free(w->fired);
  free(w->dirty);
  free(w->doubtful);
  cw_poller_clear(&w->poller);
  cw_watch_init(w);
}

static cw_watched *entry(cw_watch *w, int fd) {
  size_t n = (size_t)fd;
  if (n < w->table_size) return &w->table[n];
  size_t size = w->table_size ? w->table_size : 64;
  while (size <= n)
    size *= 2;
  cw_watched *table = realloc(w->table, size * sizeof *table);
  if (!table) return NULL;
  memset(table + w->table_size, 0, (size - w->table_size) * sizeof *table);
  w->table = table;
  w->table_size = size;
  return &table[n];
}

static bool grow_set(cw_watch *w) {
  if (w->count < w->size) return true;
  size_t size = w->size ? w->size * 2 : 16;
  struct pollfd *set = realloc(w->set, size * sizeof *set);
  if (set) w->set = set;
  struct pollfd *fired = realloc(w->fired, size * sizeof *fired);
  if (fired) w->fired = fired;
  if (!set || !fired) return false;
  w->size = size;
  return true;
}

/* The last of the set takes the place of the one that leaves. */
static void leave_set(cw_watch *w, cw_watched *d) {
  if (!d->at) return;
  struct pollfd last = w->set[--w->count];
  w->set[d->at - 1] = last;
  w->table[last.fd].at = d->at;
  d->at = 0;
}

static bool enter_set(cw_watch *w, cw_watched *d, int fd, short events) {
  if (!d->at) {
    if (!grow_set(w)) return false;
    d->at = (int)++w->count;
  }
  w->set[d->at - 1] = (struct pollfd){.fd = fd, .events = events};
  return true;
}

/* Every number fits once, so the list needs no more room than the table. */
static bool make_dirty(cw_watch *w, cw_watched *d, int fd) {
  if (d->dirty) return true;
  if (w->dirty_size < w->table_size) {
    int *dirty = realloc(w->dirty, w->table_size * sizeof *dirty);
    if (!dirty) return false;
    w->dirty = dirty;
    w->dirty_size = w->table_size;
  }
  d->dirty = true;
  w->dirty[w->dirty_count++] = fd;
  return true;
}

static bool poll_for(cw_watch *w, cw_watched *d, int fd, short events) {
  d->events = events;
  /* not held: the resolver's own, which closes it without a word */
  if (!events && !d->held) d->stale = true;
  if (!make_dirty(w, d, fd)) return false;
  if (events) return enter_set(w, d, fd, events);
  leave_set(w, d);
  return true;
}

bool cw_watch_waits_for(const cw_watch *w, int fd) {
  return fd >= 0 && (size_t)fd < w->table_size &&
         (w->table[fd].events | w->table[fd].skipped);
}

bool cw_watch_set(cw_watch *w, int fd, short events) {
  cw_watched *d = entry(w, fd);
  if (!d) return false;
  d->skipped = 0;
  return poll_for(w, d, fd, events);
}

static short skipped(const cw_watch *w, int fd) {
  if (fd < 0 || (size_t)fd >= w->table_size) return 0;
  return w->table[fd].skipped;
}

/* An event that is skipped is one that libcurl wants. */
static void skip(cw_watch *w, int fd, short event, bool on) {
  if (fd < 0 || (size_t)fd >= w->table_size) return;
  cw_watched *d = &w->table[fd];
  if (!((on ? d->events : d->skipped) & event)) return;
  d->skipped = (short)(d->skipped ^ event);
  poll_for(w, d, fd, (short)(d->events ^ event));
}

bool cw_watch_skips_writable(const cw_watch *w, int fd) {
  return skipped(w, fd) & POLLOUT;
}

void cw_watch_skip_writable(cw_watch *w, int fd, bool on) {
  skip(w, fd, POLLOUT, on);
}

bool cw_watch_skips_readable(const cw_watch *w, int fd) {
  return skipped(w, fd) & POLLIN;
}

void cw_watch_skip_readable(cw_watch *w, int fd, bool on) {
  skip(w, fd, POLLIN, on);
}

bool cw_watch_wants_readable(const cw_watch *w, int fd) {
  if (fd < 0 || (size_t)fd >= w->table_size) return false;
  return (w->table[fd].events | w->table[fd].skipped) & POLLIN;
}

static void forget_name(cw_watch *w, int fd) {
  cw_watched *d = &w->table[fd];
  if (!d->name) return;
  int *at = &w->named[d->name % CW_NAMED];
  while (*at != fd + 1)
    at = &w->table[*at - 1].next;
  *at = d->next;
  d->name = 0;
}

static bool goes_out_from(int fd, int port) {
  struct sockaddr_storage own = {.ss_family = AF_UNSPEC};
  socklen_t size = sizeof own;
  if (getsockname(fd, (struct sockaddr *)&own, &size) != 0) return false;
  if (own.ss_family == AF_INET)
    return ntohs(((struct sockaddr_in *)&own)->sin_port) == port;
  return own.ss_family == AF_INET6 &&
         ntohs(((struct sockaddr_in6 *)&own)->sin6_port) == port;
}

bool cw_watch_name(cw_watch *w, int fd, uint64_t name, int port) {
  cw_watched *d = fd < 0 ? NULL : entry(w, fd);
  if (!d || !d->held || d->name || !goes_out_from(fd, port)) return false;
  d->name = name;
  d->owner = 0;
  d->users = 0;
  d->next = w->named[name % CW_NAMED];
  w->named[name % CW_NAMED] = fd + 1;
  return true;
}

/* The number of its socket, and one more; 0: there is none. */
static int find(const cw_watch *w, uint64_t name) {
  int at = w->named[name % CW_NAMED];
  while (at && w->table[at - 1].name != name)
    at = w->table[at - 1].next;
  return at;
}

bool cw_watch_named(const cw_watch *w, uint64_t name) {
  return find(w, name) != 0;
}

void cw_watch_own(cw_watch *w, uint64_t name, uint64_t owner) {
  int at = find(w, name);
  if (at) w->table[at - 1].owner = owner;
}

bool cw_watch_owned_by(const cw_watch *w, uint64_t name, uint64_t owner) {
  int at = find(w, name);
  return !at || w->table[at - 1].owner == owner;
}

void cw_watch_add_use(cw_watch *w, uint64_t name, const void *user) {
  int at = find(w, name);
  if (!at) return;
  w->table[at - 1].users++;
  w->table[at - 1].user = user;
}

int cw_watch_drop_use(cw_watch *w, uint64_t name, const void *user) {
  int at = find(w, name);
  cw_watched *d = at ? &w->table[at - 1] : NULL;
  if (!d || d->users == 0) return -1;
  d->users--;
  return d->users == 0 && d->user == user ? at - 1 : -1;
}

void cw_watch_idle(cw_watch *w, uint64_t name, bool talks) {
  int at = find(w, name);
  if (at) w->table[at - 1].talks = talks;
}

static bool silent(int fd) {
  char byte;
  return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
         (errno == EAGAIN || errno == EWOULDBLOCK);
}

bool cw_watch_is_silent(const cw_watch *w, uint64_t name, bool unread) {
  int at = find(w, name);
  return !at || w->table[at - 1].talks || (!unread && silent(at - 1));
}

bool cw_watch_has_ended(const cw_watch *w, uint64_t name) {
  int at = find(w, name);
  return at && w->table[at - 1].talks && cw_peer_has_ended(at - 1);
}

bool cw_watch_is_nameless(const cw_watch *w, int fd) {
  return fd >= 0 && (size_t)fd < w->table_size && !w->table[fd].name;
}

bool cw_watch_hold(cw_watch *w, int fd) {
  struct stat st;
  cw_watched *d = entry(w, fd);
  if (!d) return false;
  if (d->held) { /* it was closed without a word */
    forget_name(w, fd);
    d->held = d->closing = false;
    w->gone++;
    w->held--;
  }
  if (fstat(fd, &st) != 0) return false;
  d->held = true;
  d->stale = true;
  d->last_input = 0;
  d->inode = st.st_ino;
  w->held++;
  return true;
}

bool cw_watch_holds(const cw_watch *w, int fd) {
  return fd >= 0 && (size_t)fd < w->table_size && w->table[fd].held;
}

/* Before it is closed: what a fork of this process holds open epoll does not
** forget, and it would come up for ever. */
static void leave_epoll(cw_watch *w, int fd) {
  if (!w->table[fd].registered) return;
  cw_poller_set(&w->poller, fd, 0);
  w->table[fd].registered = 0;
}

bool cw_watch_unhold(cw_watch *w, int fd) {
  cw_watched *d = entry(w, fd);
  if (!d || !d->held) return false;
  forget_name(w, fd);
  leave_epoll(w, fd);
  d->held = d->closing = false;
  d->skipped = 0;
  d->stale = true;
  w->held--;
  return true;
}

void cw_watch_note_closing(cw_watch *w, int fd) {
  if (!cw_watch_holds(w, fd) || w->table[fd].closing) return;
  cw_watched *d = &w->table[fd];
  d->closing = true;
  if (d->queued) return; /* under the same number, and closed since */
  d->queued = true;
  d->next_closing = w->closing;
  w->closing = fd + 1;
}

int cw_watch_next_closing(cw_watch *w) {
  while (w->closing) {
    int fd = w->closing - 1;
    cw_watched *d = &w->table[fd];
    w->closing = d->next_closing;
    d->queued = false;
    if (d->held && d->closing) return fd;
  }
  return -1;
}

void cw_watch_end(int fd) {
  enum { PIECE = 16 * 1024, MOST = 64 };
  char bytes[PIECE];
  shutdown(fd, SHUT_RDWR);
  for (int i = 0; i < MOST && recv(fd, bytes, PIECE, MSG_DONTWAIT) > 0;)
    i++;
}

static bool is_gone(const cw_watch *w, int fd) {
  struct stat st;
  if (fstat(fd, &st) != 0)
    return errno == EBADF; /* any other error proves nothing */
  return st.st_ino != w->table[fd].inode;
}

int cw_watch_strange(const cw_watch *w) {
  for (int fd = 0; fd < (int)w->table_size; fd++)
    if (w->table[fd].held && is_gone(w, fd)) return fd;
  return -1;
}

void cw_watch_note_input(cw_watch *w, int fd, int64_t now) {
  if ((size_t)fd < w->table_size) w->table[fd].last_input = now;
}

int64_t cw_watch_last_input(const cw_watch *w, int fd) {
  return fd >= 0 && (size_t)fd < w->table_size ? w->table[fd].last_input : 0;
}

void cw_watch_doubt(cw_watch *w, int fd) {
  if (w->doubtful_count == w->doubtful_size) {
    size_t size = w->doubtful_size ? w->doubtful_size * 2 : 16;
    int *doubtful = realloc(w->doubtful, size * sizeof *doubtful);
    if (!doubtful) return; /* an audit will find it */
    w->doubtful = doubtful;
    w->doubtful_size = size;
  }
  w->doubtful[w->doubtful_count++] = fd;
}

size_t cw_watch_settle(cw_watch *w) {
  for (size_t i = 0; i < w->doubtful_count; i++) {
    int fd = w->doubtful[i];
    if (!cw_watch_holds(w, fd) || !is_gone(w, fd)) continue;
    cw_watch_unhold(w, fd);
    w->gone++;
  }
  w->doubtful_count = 0;
  size_t gone = w->gone;
  w->gone = 0;
  return gone;
}

static void tell_epoll(cw_watch *w, int fd) {
  cw_watched *d = &w->table[fd];
  d->dirty = false;
  if (d->events == d->registered && (!d->stale || !d->events)) return;
  cw_poller_set(&w->poller, fd, d->events);
  d->registered = d->events;
  d->stale = false;
}

static void tell_all(cw_watch *w) {
  for (size_t i = 0; i < w->dirty_count; i++)
    tell_epoll(w, w->dirty[i]);
  w->dirty_count = 0;
}

void cw_watch_ring(cw_watch *w) { cw_poller_ring(&w->poller); }

int cw_watch_descriptor(cw_watch *w) {
  if (!cw_poller_open(&w->poller) || !cw_poller_open_bell(&w->poller))
    return -1;
  w->asked = true;
  tell_all(w);
  return w->poller.fd;
}

/* Poll looks at every descriptor each time; epoll has to be told of each that
** has changed, which costs as much as TELLING looks. It is when so many have
** been in vain as its price is now. Slow streams go by epoll therefore, many
** small requests, where most of the set comes up or changes, by poll. */
static bool goes_by_epoll(cw_watch *w) {
  enum { FEW = 16, TELLING = 8, KEPT = 256 };
  size_t price = w->dirty_count * TELLING;
  if (w->asked) return true;
  if (w->count < FEW) w->vain = 0;
  if (w->count < FEW || w->vain < price) return false;
  w->vain -= price;
  if (w->vain > KEPT) w->vain = KEPT; /* another load is soon noticed */
  return cw_poller_open(&w->poller);
}

static void wait_epoll(cw_watch *w, int64_t us) {
  tell_all(w);
  w->fired_count = cw_poller_wait(&w->poller, us, w->fired, w->size);
}

static void wait_poll(cw_watch *w, int64_t us) {
  int n = cw_poll(w->set, w->count, us);
  for (size_t i = 0; n > 0 && i < w->count; i++)
    if (w->set[i].revents) w->fired[w->fired_count++] = w->set[i];
}

void cw_watch_wait(cw_watch *w, int64_t us) {
  enum { LONGEST = 3600 }; /* seconds, so that no timeout overflows */
  w->fired_count = 0;
  if (us > (int64_t)LONGEST * 1000000) us = (int64_t)LONGEST * 1000000;
  if (goes_by_epoll(w))
    wait_epoll(w, us);
  else
    wait_poll(w, us);
  if (w->count > w->fired_count) w->vain += w->count - w->fired_count;
}
