/* watch: the descriptors that libcurl wants to know about, and those that it
** holds. Waits for them by one poll(2), or by one epoll(7) where that costs
** less and once a scheduler has asked for a descriptor. Knows poll and epoll,
** not libcurl.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_WATCH_H
#define CURLEW_WATCH_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "poller.h"

/* One a descriptor number. */
typedef struct cw_watched {
  short events;       /* POLLIN, POLLOUT: what is wanted; 0: nothing */
  short registered;   /* what epoll was told */
  bool stale;         /* closed since: epoll has forgotten it */
  bool dirty;         /* in the list of those to tell epoll about */
  bool held;          /* a socket that libcurl was given */
  short skipped;      /* events that are wanted but not polled for */
  bool talks;         /* of HTTP/2: something may come on it at any time */
  bool closing;       /* of a connection that libcurl wants to close */
  bool queued;        /* in the chain of those that are to be ended */
  int next_closing;   /* 1 + the next in that chain; 0: none */
  unsigned users;     /* transfers that use its connection ... */
  const void *user;   /* ... and the last one that took it */
  int at;             /* 1 + its place in the poll set; 0: not there */
  int next;           /* 1 + the next in the same place of 'named'; 0: none */
  uint64_t name;      /* of a held one: its connection; 0: not known */
  uint64_t owner;     /* of its connection; 0: any request may use it */
  int64_t last_input; /* when it last became readable */
  ino_t inode;
} cw_watched;

enum { CW_NAMED = 256 }; /* places of the table of connections */

typedef struct cw_watch {
  cw_watched *table; /* owned, by number */
  size_t table_size;
  struct pollfd *set;   /* owned: what poll waits for */
  struct pollfd *fired; /* owned: what it found */
  size_t count, size, fired_count;
  int *dirty; /* owned */
  size_t dirty_count, dirty_size;
  int *doubtful; /* owned */
  size_t doubtful_count, doubtful_size;
  int closing;         /* 1 + the first that is to be ended; 0: none */
  int named[CW_NAMED]; /* 1 + the first in that place; 0: none */
  cw_poller poller;
  bool asked;  /* for the epoll descriptor: it is up to date always */
  size_t vain; /* looked at by poll, or that would have been, in vain */
  size_t held;
  size_t gone; /* found closed since they were last counted */
} cw_watch;

void cw_watch_init(cw_watch *w);
void cw_watch_clear(cw_watch *w);

/* 'events' are wanted of 'fd' from now on; 0: nothing. False: out of memory. */
bool cw_watch_set(cw_watch *w, int fd, short events);

/* Whether anything is wanted of 'fd'. */
bool cw_watch_waits_for(const cw_watch *w, int fd);

/* 'user', any address, uses the connection of that name, or no longer does.
** cw_watch_drop_use returns the socket if nobody uses it any more and 'user'
** was the last one that took it; -1: no, or there is no such connection. */
void cw_watch_add_use(cw_watch *w, uint64_t name, const void *user);
int cw_watch_drop_use(cw_watch *w, uint64_t name, const void *user);

/* Sets whether POLLOUT of 'fd' is left out although libcurl wants it.
** cw_watch_set cancels this. */
void cw_watch_skip_writable(cw_watch *w, int fd, bool skip);
/* The same for POLLIN. */
void cw_watch_skip_readable(cw_watch *w, int fd, bool skip);
bool cw_watch_skips_readable(const cw_watch *w, int fd);
/* Whether libcurl wants to know that 'fd' is readable. */
bool cw_watch_wants_readable(const cw_watch *w, int fd);
bool cw_watch_skips_writable(const cw_watch *w, int fd);

/* 'fd' is a socket that libcurl holds from now on, or no longer. */
bool cw_watch_hold(cw_watch *w, int fd);
bool cw_watch_unhold(cw_watch *w, int fd); /* false: it was not held */

bool cw_watch_holds(const cw_watch *w, int fd);

/* Calls the connection on the held 'fd' by 'name', any number that tells it
** from others (not 0), if it goes out from 'port'. False: it does not. */
bool cw_watch_name(cw_watch *w, int fd, uint64_t name, int port);
bool cw_watch_named(const cw_watch *w, uint64_t name);

/* Reserves the connection of that name for requests with the same 'owner', any
** number but 0; and whether it is reserved for this one. */
void cw_watch_own(cw_watch *w, uint64_t name, uint64_t owner);
bool cw_watch_owned_by(const cw_watch *w, uint64_t name, uint64_t owner);

/* Whether the socket 'fd' has no connection that was ever established. */
bool cw_watch_is_nameless(const cw_watch *w, int fd);

/* The connection is idle. If it 'talks' (HTTP/2), libcurl handles the bytes
** that arrive, and only the end of the connection is checked here. */
void cw_watch_idle(cw_watch *w, uint64_t name, bool talks);

/* Whether nothing has come on an idle connection of HTTP/1, its end included.
** 'unread': its TLS layer holds unread bytes. True for HTTP/2, and for a
** connection that is not known. */
bool cw_watch_is_silent(const cw_watch *w, uint64_t name, bool unread);
/* Whether an idle connection of HTTP/2 has ended. */
bool cw_watch_has_ended(const cw_watch *w, uint64_t name);

/* 'fd' may have been closed by libcurl without a word. */
void cw_watch_doubt(cw_watch *w, int fd);

/* Looks at those in doubt; returns how many held ones were gone. They are no
** longer held. */
size_t cw_watch_settle(cw_watch *w);

/* Notes that libcurl waits for the peer in order to close the connection on
** 'fd'. cw_watch_next_closing returns each such socket once; -1: none is left.
** Both work in constant time and need no memory. */
void cw_watch_note_closing(cw_watch *w, int fd);
int cw_watch_next_closing(cw_watch *w);

/* Ends both directions of the connection on 'fd' and drops what has come, so
** that its next read finds the end. What was written is still sent. */
void cw_watch_end(int fd);

/* Notes that 'fd' is readable at 'now'. cw_watch_last_input returns the last
** such time; 0: never. */
void cw_watch_note_input(cw_watch *w, int fd, int64_t now);
int64_t cw_watch_last_input(const cw_watch *w, int fd);

/* Waits at most 'us' microseconds (negative: for ever), or until a signal. What
** was found is in 'fired'. */
void cw_watch_wait(cw_watch *w, int64_t us);

/* The epoll descriptor, made at the first call; -1: none can be had. It is
** readable, too, when it has been rung since the last wait. */
int cw_watch_descriptor(cw_watch *w);
void cw_watch_ring(cw_watch *w);

/* A held number that is another file by now; -1: none. */
int cw_watch_strange(const cw_watch *w);

#endif
