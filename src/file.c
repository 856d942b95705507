/* file: a file that is being written. Knows libc, checksum, error.
** SPDX-License-Identifier: MIT */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "descriptor.h"
#include "platform.h"

void cw_file_init(cw_file *f) {
  *f = (cw_file){.fd = -1, .mode = 0666, .maker = getpid()};
}

/* The lock goes last: who has it next finds nothing half done. A fork's copy
** shares it, and would hold it on. */
void cw_file_drop(cw_file *f) {
  bool mine = f->maker == getpid();
  if (f->temporary && mine && !f->keep) unlink(f->temporary);
  if (f->part && f->fd >= 0 && mine) flock(f->fd, LOCK_UN);
  if (f->fd >= 0) close(f->fd);
  free(f->path);
  free(f->temporary);
  cw_checksum_free(f->sum);
  cw_file_init(f);
}

static bool fail(cw_error *e, const char *what, const char *path, int number) {
  cw_error_from_system(e, CW_ERR_FILE, CW_PHASE_BODY, what, path, number);
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
  f->fd = cw_descriptor_open(f->temporary,
                             O_WRONLY | O_CREAT | O_EXCL | O_NOCTTY, f->mode);
  if (f->fd >= 0) return true;
  int number = errno;
  free(f->temporary); /* it is not ours to remove */
  f->temporary = NULL;
  return fail(e, "create", path, number);
}

typedef bool opener(cw_file *f, const char *path, cw_error *e);

/* A file stands there already: what it points to is replaced, not the link, and
** not a file that may not be written. */
static bool replace(cw_file *f, const char *path, mode_t mode, opener *open_it,
                    cw_error *e) {
  char *target = realpath(path, NULL);
  if (!target || access(target, W_OK) != 0) {
    int number = errno;
    free(target);
    return fail(e, "write", path, number);
  }
  f->mode = mode & 0777; /* from its first moment */
  bool ok = open_it(f, target, e);
  free(target);
  /* where permissions mean nothing this fails, and nothing is lost */
  if (ok && fchmod(f->fd, mode & 0777) != 0) errno = 0;
  return ok;
}

/* O_NONBLOCK: otherwise open waits for a reader, and write waits for room. */
static bool open_pipe(cw_file *f, cw_error *e) {
  f->fd =
    cw_descriptor_open(f->path, O_WRONLY | O_APPEND | O_NOCTTY | O_NONBLOCK, 0);
  f->blocked = f->fd < 0 && errno == ENXIO;
  if (f->fd >= 0) cw_pipe_widen(f->fd);
  return f->fd >= 0 || f->blocked || fail(e, "open", f->path, errno);
}

static bool open_in_place(cw_file *f, const char *path, cw_error *e) {
  f->path = strdup(path);
  if (!f->path) return fail(e, "open", path, ENOMEM);
  if (f->pipe) {
    bool ok = open_pipe(f, e);
    f->blocked = false; /* the first write sets it again */
    return ok;
  }
  f->fd = cw_descriptor_open(path, O_WRONLY | O_APPEND | O_NOCTTY, 0);
  return f->fd >= 0 || fail(e, "open", path, errno);
}

static bool begins(const char *path, const char *with) {
  return strncmp(path, with, strlen(with)) == 0;
}

/* What these lead to is somebody's already: standard output, for one. */
static bool leads_elsewhere(const char *path) {
  return (begins(path, "/dev/") && !begins(path, "/dev/shm/")) ||
         begins(path, "/proc/");
}

/* A link to nothing would be replaced, where io follows it. What is there after
** all has just been put there by another. */
static bool is_new(const char *path, int number) {
  struct stat st;
  bool dangling = lstat(path, &st) == 0 && S_ISLNK(st.st_mode);
  return number == ENOENT && !dangling;
}

bool cw_file_create(cw_file *f, const char *path, cw_error *e) {
  struct stat st;
  if (stat(path, &st) != 0) {
    int number = errno;
    return is_new(path, number) ? open_temporary(f, path, e)
                                : fail(e, "create", path, number);
  }
  if (S_ISREG(st.st_mode) && !leads_elsewhere(path))
    return replace(f, path, st.st_mode, open_temporary, e);
  if (S_ISDIR(st.st_mode)) return fail(e, "write", path, EISDIR);
  f->pipe = S_ISFIFO(st.st_mode);
  return open_in_place(f, path, e);
}

/* Parts ------------------------------------------------------------------- */

static bool refuse(cw_error *e, const char *path, const char *why) {
  cw_error_set(e, CW_ERR_FILE, CW_PHASE_BODY, "cannot write %.96s: %s", path,
               why);
  return false;
}

char *cw_file_beside(const char *path, const char *suffix) {
  size_t size = strlen(path) + strlen(suffix) + 1;
  char *name = malloc(size);
  if (name) snprintf(name, size, "%s%s", path, suffix);
  return name;
}

/* The owner of a file can change it while it is written. A file with a second
** hard link has another use. */
static const char *unfit(const struct stat *st) {
  if (!S_ISREG(st->st_mode)) return "it is no regular file";
  if (st->st_uid != geteuid()) return "it belongs to somebody else";
  if (st->st_nlink > 1) return "it has more than one hard link";
  return NULL;
}

typedef enum locking { LOCKED, MOVED, REFUSED } locking;

/* Between its opening and its locking another may have finished it: then it is
** what stands under PATH now. */
static locking lock(cw_file *f, cw_error *e) {
  struct stat st, now;
  if (flock(f->fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK)
      refuse(e, f->temporary, "another download to it goes on");
    else
      fail(e, "lock", f->temporary, errno);
    return REFUSED;
  }
  if (fstat(f->fd, &st) != 0 || lstat(f->temporary, &now) != 0 ||
      st.st_dev != now.st_dev || st.st_ino != now.st_ino)
    return MOVED;
  const char *why = unfit(&st);
  f->bytes = (uint64_t)st.st_size;
  return why ? refuse(e, f->temporary, why), REFUSED : LOCKED;
}

static locking open_and_lock(cw_file *f, cw_error *e) {
  f->fd = cw_descriptor_open(
    f->temporary, O_RDWR | O_CREAT | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK,
    f->mode);
  if (f->fd < 0) {
    fail(e, "create", f->temporary, errno);
    return REFUSED;
  }
  locking how = lock(f, e);
  if (how == LOCKED) return how;
  close(f->fd);
  f->fd = -1;
  return how;
}

static bool open_part(cw_file *f, const char *path, cw_error *e) {
  enum { TRIES = 100 };
  locking how = MOVED;
  f->path = strdup(path);
  f->temporary = cw_file_beside(path, ".part");
  if (!f->path || !f->temporary) return fail(e, "create", path, ENOMEM);
  for (int i = 0; i < TRIES && how == MOVED; i++)
    how = open_and_lock(f, e);
  f->part = how == LOCKED;
  if (f->part) return true;
  if (how == MOVED) refuse(e, f->temporary, "others are at it");
  free(f->temporary); /* it is not ours to remove */
  f->temporary = NULL;
  return false;
}

bool cw_file_resume(cw_file *f, const char *path, cw_error *e) {
  struct stat st;
  if (stat(path, &st) != 0) {
    int number = errno;
    return is_new(path, number) ? open_part(f, path, e)
                                : fail(e, "create", path, number);
  }
  if (S_ISDIR(st.st_mode)) return fail(e, "write", path, EISDIR);
  if (!S_ISREG(st.st_mode) || leads_elsewhere(path))
    return refuse(e, path, "it is no regular file");
  return replace(f, path, st.st_mode, open_part, e);
}

/* Adds what the part has to its checksum. */
static bool sum_up(cw_file *f, cw_error *e) {
  char piece[64 * 1024];
  uint64_t at = 0;
  bool ok = cw_checksum_restart(f->sum);
  while (ok && at < f->bytes) {
    ssize_t n = pread(f->fd, piece, sizeof piece, (off_t)at);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return fail(e, "read", f->temporary, n < 0 ? errno : EIO);
    uint64_t left = f->bytes - at;
    size_t taken = (uint64_t)n < left ? (size_t)n : (size_t)left;
    ok = cw_checksum_add(f->sum, piece, taken);
    at += taken;
  }
  return ok || refuse(e, f->temporary, "no checksum can be made");
}

bool cw_file_cut(cw_file *f, uint64_t n, cw_error *e) {
  if (ftruncate(f->fd, (off_t)n) != 0 || lseek(f->fd, (off_t)n, SEEK_SET) < 0)
    return fail(e, "write", f->temporary, errno);
  f->bytes = n;
  return !f->sum || sum_up(f, e);
}

/* Writing ----------------------------------------------------------------- */

static const char *name_of(const cw_file *f) {
  return f->path ? f->path : "to the file";
}

bool cw_file_expect(cw_file *f, const char *sum, cw_error *e) {
  f->sum = cw_checksum_new();
  if (!f->sum) return fail(e, "write", name_of(f), ENOMEM);
  snprintf(f->expected, sizeof f->expected, "%s", sum);
  return true;
}

void cw_file_borrow(cw_file *f, FILE *stream) { f->stream = stream; }

/* What went well before a failure counts: it is there. */
static bool write_all(cw_file *f, const char *bytes, size_t n) {
  while (n > 0) {
    ssize_t written = write(f->fd, bytes, n);
    if (written < 0 && errno == EINTR) continue;
    f->blocked = written < 0 && errno == EAGAIN && f->pipe;
    if (f->blocked) return true;
    if (written < 0) return false;
    bytes += written;
    n -= (size_t)written;
    f->bytes += (size_t)written;
  }
  return true;
}

static bool write_stream(cw_file *f, const char *bytes, size_t n) {
  f->bytes += n;
  return fwrite(bytes, 1, n, f->stream) == n;
}

bool cw_file_write(cw_file *f, const char *bytes, size_t *n, cw_error *e) {
  uint64_t before = f->bytes;
  size_t all = *n;
  *n = 0;
  f->blocked = false;
  if (f->pipe && f->fd < 0 && !open_pipe(f, e)) return false;
  if (f->blocked) return true;
  errno = 0;
  bool ok = f->stream ? write_stream(f, bytes, all) : write_all(f, bytes, all);
  *n = (size_t)(f->bytes - before);
  if (!ok) return fail(e, "write", name_of(f), errno);
  if (f->sum && !cw_checksum_add(f->sum, bytes, *n))
    return refuse(e, name_of(f), "no checksum can be made");
  return true;
}

/* False: it is another, or could not be made. */
static bool verify(cw_file *f, cw_error *e) {
  char sum[CW_CHECKSUM_TEXT];
  if (!f->sum) return true;
  if (!cw_checksum_end(f->sum, sum))
    return refuse(e, name_of(f), "no checksum can be made");
  if (strcmp(sum, f->expected) == 0) return true;
  f->keep = false;
  cw_error_set(e, CW_ERR_CHECKSUM, CW_PHASE_BODY, "the SHA-256 is %s, not %s",
               sum, f->expected);
  return false;
}

/* A folder that may not be read cannot be synced, and some file systems know no
** such thing. */
static void sync_folder(const char *path) {
  const char *slash = strrchr(path, '/');
  char *folder = strndup(path, slash ? (size_t)(slash - path) + 1 : 0);
  if (!folder) return;
  int fd = cw_descriptor_open(slash ? folder : ".", O_RDONLY | O_DIRECTORY, 0);
  free(folder);
  if (fd < 0) return;
  fsync(fd);
  close(fd);
}

/* The lock is held until it has its name: nobody takes it for a part. */
static bool put_part(cw_file *f) {
  if (fsync(f->fd) != 0 || rename(f->temporary, f->path) != 0) return false;
  sync_folder(f->path);
  close(f->fd);
  f->fd = -1;
  return true;
}

static bool put(cw_file *f) {
  if (f->part) return put_part(f);
  bool ok = !f->stream || fflush(f->stream) == 0;
  if (f->fd >= 0) {
    ok = close(f->fd) == 0;
    f->fd = -1;
  }
  return ok && (!f->temporary || rename(f->temporary, f->path) == 0);
}

bool cw_file_finish(cw_file *f, cw_error *e) {
  bool ok = verify(f, e);
  if (ok) ok = put(f) || fail(e, "write", name_of(f), errno);
  if (!ok) {
    cw_file_drop(f);
    return false;
  }
  free(f->temporary);
  f->temporary = NULL;
  return true;
}
