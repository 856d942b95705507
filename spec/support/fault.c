/* fault: an LD_PRELOAD under which the n-th call that changes a file fails, or
** is the last thing that the process does. Test only.
**   CURLEW_FAULT="KILL 7"     killed by SIGKILL at the 7th, which if it is a
**                             write has got half-way
**   CURLEW_FAULT="write 28"   each write to a file fails with this errno
**   CURLEW_FAULT="rename 5"   the same of each rename, fsync, ftruncate
**   CURLEW_FAULT="fstat 3"    the third look at a socket fails
**   CURLEW_FAULT="boot 2"     the name of the boot cannot be read
**   CURLEW_FAULT="COUNT 0"    at the end, their number goes to standard error
** SPDX-License-Identifier: MIT */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The names of fstat and open in a program with long offsets, as this file is.
 */
#define LOOK "fstat64"
#define OPEN "open64"

static char word[16];
static long number;
static long calls;

__attribute__((constructor)) static void read_fault(void) {
  const char *fault = getenv("CURLEW_FAULT");
  const char *space = fault ? strchr(fault, ' ') : NULL;
  if (!space || (size_t)(space - fault) >= sizeof word) return;
  memcpy(word, fault, (size_t)(space - fault));
  number = strtol(space, NULL, 10);
}

__attribute__((destructor)) static void tell(void) {
  if (strcmp(word, "COUNT") == 0) fprintf(stderr, "%ld", calls);
}

/* Whether the call is to fail, 'errno' says how. */
static bool fails(const char *name) {
  calls++;
  if (strcmp(word, "KILL") == 0 && calls == number) raise(SIGKILL);
  if (strcmp(word, name) != 0) return false;
  errno = (int)number;
  return true;
}

/* The real one, as a pointer of the type of 'next'. */
static void find(void *next, const char *name) {
  void *found = dlsym(RTLD_NEXT, name);
  memcpy(next, &found, sizeof found);
}

static int look(int fd, struct stat *st) {
  static int (*next)(int, struct stat *);
  if (!next) find(&next, LOOK);
  return next(fd, st);
}

int fstat(int fd, struct stat *st) {
  static long looks;
  int result = look(fd, st);
  if (result != 0 || strcmp(word, "fstat") != 0 || !S_ISSOCK(st->st_mode) ||
      ++looks != number)
    return result;
  errno = ENOMEM;
  return -1;
}

int open(const char *path, int flags, ...) {
  static int (*next)(const char *, int, ...);
  if (!next) find(&next, OPEN);
  if (strcmp(word, "boot") == 0 && strstr(path, "/boot_id")) {
    errno = (int)number;
    return -1;
  }
  va_list rest;
  va_start(rest, flags);
  int mode = flags & O_CREAT ? va_arg(rest, int) : 0;
  va_end(rest);
  return next(path, flags, mode);
}

ssize_t write(int fd, const void *bytes, size_t n) {
  static ssize_t (*next)(int, const void *, size_t);
  if (!next) find(&next, "write");
  struct stat st;
  if (look(fd, &st) != 0 || !S_ISREG(st.st_mode)) return next(fd, bytes, n);
  if (strcmp(word, "KILL") == 0 && calls + 1 == number) next(fd, bytes, n / 2);
  return fails("write") ? -1 : next(fd, bytes, n);
}

int rename(const char *from, const char *to) {
  static int (*next)(const char *, const char *);
  if (!next) find(&next, "rename");
  return fails("rename") ? -1 : next(from, to);
}

int unlink(const char *path) {
  static int (*next)(const char *);
  if (!next) find(&next, "unlink");
  return fails("unlink") ? -1 : next(path);
}

int fsync(int fd) {
  static int (*next)(int);
  if (!next) find(&next, "fsync");
  return fails("fsync") ? -1 : next(fd);
}

int ftruncate(int fd, off_t length) {
  static int (*next)(int, off_t);
  if (!next) find(&next, "ftruncate");
  return fails("ftruncate") ? -1 : next(fd, length);
}
