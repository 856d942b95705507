/* usage: what a process has used so far, as the kernel counts it.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_BENCH_USAGE_H
#define CURLEW_BENCH_USAGE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static inline double seconds_of(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* User and system time of this process, in seconds. */
static inline double cpu_seconds(void) {
  return seconds_of(CLOCK_PROCESS_CPUTIME_ID);
}

static inline double wall_seconds(void) { return seconds_of(CLOCK_MONOTONIC); }

/* A field of /proc/self/status in KiB: "VmRSS:", or "VmHWM:", its peak. */
static inline long memory_kib(const char *field) {
  char line[256];
  long kib = -1;
  FILE *file = fopen("/proc/self/status", "r");
  while (file && kib < 0 && fgets(line, sizeof line, file))
    if (strncmp(line, field, strlen(field)) == 0)
      kib = strtol(line + strlen(field), NULL, 10);
  if (file) fclose(file);
  return kib;
}

/* From here on the peak is another one. */
static inline void forget_peak(void) {
  FILE *file = fopen("/proc/self/clear_refs", "w");
  if (!file) return;
  fputs("5", file);
  fclose(file);
}

#endif
