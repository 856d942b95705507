/* descriptor: numbers above those of stdio, closed when another program is
** executed. Knows POSIX.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_DESCRIPTOR_H
#define CURLEW_DESCRIPTOR_H

#include <stdbool.h>
#include <sys/types.h>

/* The same file under a number above 2, close-on-exec; 'fd' itself where that
** is so already, else it is closed. -1 (errno): none can be had, or 'fd' is. */
int cw_descriptor(int fd);

/* open() with O_CLOEXEC, and that. */
int cw_descriptor_open(const char *path, int flags, mode_t mode);

/* A copy, and that; the original stays. */
int cw_descriptor_copy(int fd);

/* Whether a few more cannot be had now (errno). */
bool cw_descriptor_lacking(void);

/* Opens /dev/null at those of 0, 1 and 2 that are closed, as the runtimes of Go
** and Rust do: what a library opens would be taken for stdio otherwise. */
void cw_descriptor_fill_stdio(void);

/* For a library that opens a pair of sockets without close-on-exec: the numbers
** that it will have, taken down before; and the flag, set after that. */
typedef struct cw_pair {
  int fd[2];
} cw_pair;
cw_pair cw_descriptor_next_pair(void);
void cw_descriptor_seal_pair(cw_pair p);

/* The same for both ends of a pair of which one is known, and the other one is
** never read from: it is told by a byte that is sent to it. */
void cw_descriptor_seal_both(int fd);

#endif
