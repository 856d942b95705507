/* file: a file that is being written. Knows libc, error.
** SPDX-License-Identifier: MIT */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

void cw_file_init(cw_file *f) { *f = (cw_file){.fd = -1, .maker = getpid()}; }

void cw_file_drop(cw_file *f) {
  if (f->fd >= 0) close(f->fd);
  if (f->temporary && f->maker == getpid()) unlink(f->temporary);
  free(f->path);
  free(f->temporary);
  cw_file_init(f);
}

static bool fail(cw_error *e, const char *what, const char *path, int number) {
  char text[128];
  const char *why = strerror_r(number, text, sizeof text);
  cw_error_set(e, CW_ERR_FILE, CW_PHASE_BODY, "cannot %s %.96s: %s", what, path,
               why);
  return false;
}

/* ".curlew-" and sixteen digits beside 'path', which may be as long as names
** can be. */
static char *temporary_name(const char *path) {
  uint64_t number;
  const char *slash = strrchr(path, '/');
  size_t folder = slash ? (size_t)(slash - path) + 1 : 0, size = folder + 32;
  char *name = malloc(size);
  if (!name || getentropy(&number, sizeof number) != 0) {
    free(name);
    return NULL;
  }
  memcpy(name, path, folder);
  snprintf(name + folder, size - folder, ".curlew-%016llx",
           (unsigned long long)number);
  return name;
}

/* A name that is taken after all is an error: it was made of 64 random bits. */
static bool open_temporary(cw_file *f, const char *path, cw_error *e) {
  f->path = strdup(path);
  f->temporary = temporary_name(path);
  if (!f->path || !f->temporary) return fail(e, "create", path, ENOMEM);
  f->fd = open(f->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY,
               0666);
  if (f->fd >= 0) return true;
  int number = errno;
  free(f->temporary); /* it is not ours to remove */
  f->temporary = NULL;
  return fail(e, "create", path, number);
}

/* A file stands there already: what it points to is replaced, not the link, and
** not a file that may not be written. */
static bool replace(cw_file *f, const char *path, mode_t mode, cw_error *e) {
  char *target = realpath(path, NULL);
  if (!target || access(target, W_OK) != 0) {
    int number = errno;
    free(target);
    return fail(e, "write", path, number);
  }
  bool ok = open_temporary(f, target, e);
  free(target);
  /* where permissions mean nothing this fails, and nothing is lost */
  if (ok && fchmod(f->fd, mode & 0777) != 0) errno = 0;
  return ok;
}

static bool open_in_place(cw_file *f, const char *path, cw_error *e) {
  f->path = strdup(path);
  if (!f->path) return fail(e, "open", path, ENOMEM);
  f->fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY);
  return f->fd >= 0 || fail(e, "open", path, errno);
}

/* What these lead to is somebody's already: standard output, for one. */
static bool leads_elsewhere(const char *path) {
  return strncmp(path, "/dev/", 5) == 0 || strncmp(path, "/proc/", 6) == 0;
}

/* A link to nothing would be replaced, where io follows it. */
static bool is_new(const char *path, int number) {
  struct stat st;
  return number == ENOENT && lstat(path, &st) != 0;
}

bool cw_file_create(cw_file *f, const char *path, cw_error *e) {
  struct stat st;
  if (stat(path, &st) != 0) {
    int number = errno;
    return is_new(path, number) ? open_temporary(f, path, e)
                                : fail(e, "create", path, number);
  }
  if (S_ISREG(st.st_mode) && !leads_elsewhere(path))
    return replace(f, path, st.st_mode, e);
  if (S_ISDIR(st.st_mode)) return fail(e, "write", path, EISDIR);
  return open_in_place(f, path, e);
}

void cw_file_borrow(cw_file *f, FILE *stream) { f->stream = stream; }

static bool write_all(int fd, const char *bytes, size_t n) {
  while (n > 0) {
    ssize_t written = write(fd, bytes, n);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    bytes += written;
    n -= (size_t)written;
  }
  return true;
}

static const char *name_of(const cw_file *f) {
  return f->path ? f->path : "to the file";
}

bool cw_file_write(cw_file *f, const char *bytes, size_t n, cw_error *e) {
  errno = 0;
  bool ok = f->stream ? fwrite(bytes, 1, n, f->stream) == n
                      : write_all(f->fd, bytes, n);
  if (!ok) return fail(e, "write", name_of(f), errno);
  f->bytes += n;
  return true;
}

bool cw_file_finish(cw_file *f, cw_error *e) {
  bool ok = !f->stream || fflush(f->stream) == 0;
  if (f->fd >= 0) {
    ok = close(f->fd) == 0;
    f->fd = -1;
  }
  if (ok && f->temporary) ok = rename(f->temporary, f->path) == 0;
  if (!ok) {
    fail(e, "write", name_of(f), errno);
    cw_file_drop(f);
    return false;
  }
  free(f->temporary);
  f->temporary = NULL;
  return true;
}
