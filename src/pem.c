/* pem: PEM text, put together. Knows libc, buf, descriptor, error.
** SPDX-License-Identifier: MIT */
#include "pem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buf.h"
#include "descriptor.h"
#include "platform.h"

enum {
  MOST = 4 * 1024 * 1024, /* a system's bundle has a quarter of a MiB */
  PIECE = 64 * 1024
};

static const struct {
  const char *mark, *name;
} things[] = {
  [CW_PEM_CERTIFICATE] = {"CERTIFICATE-----", "certificate"},
  [CW_PEM_KEY] = {"PRIVATE KEY-----", "private key"},
};

bool cw_pem_is(const char *text) { return strstr(text, "-----BEGIN") != NULL; }

bool cw_pem_has(const char *text, cw_pem what) {
  return strstr(text, things[what].mark) != NULL;
}

bool cw_pem_encrypted(const char *text) {
  return strstr(text, "BEGIN ENCRYPTED PRIVATE KEY-----") != NULL ||
         strstr(text, "Proc-Type: 4,ENCRYPTED") != NULL;
}

enum { NOT_REGULAR = -1 };

/* 0, or an errno. */
static int read_all(FILE *f, cw_buf *to) {
  size_t n = PIECE;
  while (n == PIECE) {
    char *space = cw_buf_space(to, PIECE);
    if (!space) return cw_buf_room(to) < PIECE ? EFBIG : ENOMEM;
    n = fread(space, 1, PIECE, f);
    if (ferror(f)) return errno;
    cw_buf_grew(to, n);
  }
  return cw_buf_append(to, "", 1) ? 0 : ENOMEM;
}

static int fault_of(int fd) {
  struct stat st;
  if (fstat(fd, &st) != 0) return errno;
  if (S_ISDIR(st.st_mode)) return EISDIR;
  return S_ISREG(st.st_mode) ? 0 : NOT_REGULAR;
}

/* 0, NOT_REGULAR or an errno. To read what is no regular file may take for
** ever. */
static int read_file(const char *path, cw_buf *to) {
  int fd = cw_descriptor_open(path, O_RDONLY | O_NOCTTY | O_NONBLOCK, 0);
  if (fd < 0) return errno;
  int fault = fault_of(fd);
  FILE *f = fault ? NULL : fdopen(fd, "r");
  if (!f) {
    if (!fault) fault = errno;
    close(fd);
    return fault;
  }
  fault = read_all(f, to);
  fclose(f);
  return fault;
}

const char *cw_pem_path_fault(const char *path) {
  struct stat st;
  if (stat(path, &st) != 0) return NULL;
  if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)) return NULL;
  return "it is no regular file and no folder; PEM text can be given instead";
}

static const char *say(int fault, char *text, size_t size) {
  return fault == NOT_REGULAR
           ? "it is no regular file; PEM text can be given instead"
           : cw_strerror(fault, text, size);
}

static bool fail(cw_error *e, const char *what) {
  cw_error_set(e, CW_ERR_TLS, CW_PHASE_REQUEST, "%s", what);
  return false;
}

static bool append(char **text, const char *more, cw_pem what, cw_error *e) {
  size_t old = *text ? strlen(*text) : 0, n = strlen(more);
  if (!cw_pem_has(more, what)) {
    cw_error_set(e, CW_ERR_TLS, CW_PHASE_REQUEST, "no %s in PEM form is in it",
                 things[what].name);
    return false;
  }
  if (old + n > MOST) return fail(e, "it is over 4 MiB in all");
  char *both = realloc(*text, old + n + 2);
  if (!both) return fail(e, "not enough memory");
  *text = both;
  /* a line end between them, or two lines could become one */
  snprintf(both + old, n + 2, "%s\n", more);
  return true;
}

bool cw_pem_add(char **text, const char *given, cw_pem what, cw_error *e) {
  char why[128];
  if (cw_pem_is(given)) return append(text, given, what, e);
  cw_buf file;
  cw_buf_init(&file, MOST);
  int fault = read_file(given, &file);
  bool ok = !fault && append(text, file.bytes, what, e);
  cw_buf_clear(&file);
  if (fault)
    cw_error_set(e, CW_ERR_TLS, CW_PHASE_REQUEST, "cannot read %s: %s",
                 what == CW_PEM_KEY ? "its file" : given,
                 say(fault, why, sizeof why));
  return ok;
}
