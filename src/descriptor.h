/* descriptor: numbers above those of stdio, closed when another program is
** executed. Knows POSIX.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_DESCRIPTOR_H
#define CURLEW_DESCRIPTOR_H

#include <stdbool.h>
#include <sys/types.h>

/* Returns a descriptor above 2 and close-on-exec for the file of 'fd', and
** closes 'fd' if its number is lower. A number above 2 is returned unchanged:
** its flag must be set already. -1 (errno): no descriptor is left, or 'fd' is
** -1. */
int cw_descriptor(int fd);

/* open() with O_CLOEXEC; the result is above 2. */
int cw_descriptor_open(const char *path, int flags, mode_t mode);

/* A duplicate above 2 and close-on-exec; the original stays open. */
int cw_descriptor_copy(int fd);

/* Whether the process or the system is out of descriptors (errno). */
bool cw_descriptor_lacking(void);

/* Opens /dev/null at each of 0, 1 and 2 that is closed, as the runtimes of Go
** and Rust do. Otherwise a library could open a socket there, and the program
** would use it as stdio. */
void cw_descriptor_fill_stdio(void);

/* For a library that opens a pair of sockets without close-on-exec:
** cw_descriptor_next_pair predicts the numbers before the call, and
** cw_descriptor_seal_pair sets the flag after the call. */
typedef struct cw_pair {
  int fd[2];
} cw_pair;
cw_pair cw_descriptor_next_pair(void);
void cw_descriptor_seal_pair(cw_pair p);

/* Sets close-on-exec on both ends of a pair of which only one end is known. The
** other end is found by a byte that is sent to it; the library must not read
** from that end. */
void cw_descriptor_seal_both(int fd);

#endif
