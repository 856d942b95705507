/* part: the beginning of a file that is downloaded. Knows libc, checksum,
** error, file, headers, range, response.
** The law: bytes are only ever written behind bytes of the same entity. What is
** known of them is removed before the first of another is written, and is
** written after the last of the old have gone.
** SPDX-License-Identifier: MIT */
#include "part.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "descriptor.h"
#include "platform.h"

void cw_part_init(cw_part *p) {
  memset(p, 0, sizeof *p);
  cw_file_init(&p->file);
  p->length = -1;
}

/* While the part is locked, if it still is. */
static void remove_known(const cw_part *p) {
  if (p->known && p->file.maker == getpid()) unlink(p->known);
}

void cw_part_drop(cw_part *p) {
  if (p->file.bytes == 0) p->file.keep = false;
  if (p->file.temporary && !p->file.keep) remove_known(p);
  cw_file_drop(&p->file);
  free(p->known);
  free(p->validator);
  cw_part_init(p);
}

static bool fail(const cw_part *p, cw_error *e, const char *what, int number) {
  char text[128];
  cw_error_set(e, CW_ERR_FILE, CW_PHASE_BODY, "cannot %s %.96s: %s", what,
               p->known ? p->known : p->file.path,
               cw_strerror(number, text, sizeof text));
  return false;
}

/* What is known -------------------------------------------------------------
** Lines of text, ended by one that says so: what was cut off is none. What a
** crash of the machine left may hold bytes that never came: it is of another
** boot, and not gone on with. */

enum { KNOWN_MAX = CW_VALIDATOR_MAX + 512 };

static ssize_t read_small(const char *path, char *text, size_t size) {
  struct stat st;
  ssize_t n = -1;
  int fd = cw_descriptor_open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
  if (fd < 0) return -1;
  bool fit = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
  bool ours = fit && (st.st_uid == geteuid() || st.st_uid == 0);
  if (ours) n = read(fd, text, size - 1);
  close(fd);
  if (n >= 0) text[n] = '\0';
  return n;
}

static int print_known(const cw_part *p, char *text, size_t size) {
  char boot[CW_BOOT_ID_MAX];
  bool has_boot = cw_boot_id(boot);
  return snprintf(text, size,
                  "curlew part 1\nurl %s\nboot %s\nlength %" PRId64
                  "\nvalidator %s\nend\n",
                  p->url, has_boot ? boot : "-", p->length, p->validator);
}

/* Takes "name value" and its line end off 'text'; NULL: it is another. */
static char *take_line(char **text, const char *name) {
  size_t n = strlen(name);
  char *line = *text, *end = strchr(line, '\n');
  if (!end || strncmp(line, name, n) != 0 || line[n] != ' ') return NULL;
  *end = '\0';
  *text = end + 1;
  return line + n + 1;
}

static bool same_line(char **text, const char *name, const char *value) {
  const char *found = take_line(text, name);
  return found && strcmp(found, value) == 0;
}

/* False: the file says nothing, or is about something else. If the system does
** not name its boots, each file may be of an earlier boot. */
static bool read_known(cw_part *p) {
  char text[KNOWN_MAX], boot[CW_BOOT_ID_MAX], *at = text;
  ssize_t n = read_small(p->known, text, sizeof text);
  if (n < 0 || strlen(text) != (size_t)n) return false;
  if (!same_line(&at, "curlew", "part 1") || !same_line(&at, "url", p->url) ||
      !cw_boot_id(boot) || !same_line(&at, "boot", boot))
    return false;
  char *length = take_line(&at, "length");
  char *validator = take_line(&at, "validator");
  if (!length || !validator || strcmp(at, "end\n") != 0) return false;
  p->length = strtoll(length, NULL, 10);
  p->validator = strdup(validator);
  return p->validator != NULL;
}

static bool write_known(const cw_part *p, cw_error *e) {
  char text[KNOWN_MAX];
  int n = print_known(p, text, sizeof text);
  int fd = cw_descriptor_open(p->known,
                              O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0666);
  if (fd < 0) return fail(p, e, "create", errno);
  ssize_t written = write(fd, text, (size_t)n);
  int number = written < 0 ? errno : ENOSPC;
  close(fd);
  return written == n || fail(p, e, "write", number);
}

/* Life -------------------------------------------------------------------- */

static void unknow(cw_part *p) {
  free(p->validator);
  p->validator = NULL;
  p->length = -1;
}

bool cw_part_open(cw_part *p, const char *path, const char *url, cw_error *e) {
  if (!cw_checksum_of(url, strlen(url), p->url)) {
    cw_error_set(e, CW_ERR_MEMORY, CW_PHASE_REQUEST, "out of memory");
    return false;
  }
  if (!cw_file_resume(&p->file, path, e)) return false;
  p->file.keep = true; /* whatever it is, until something else has come */
  p->known = cw_file_beside(p->file.temporary, ".meta");
  if (!p->known) return fail(p, e, "write", ENOMEM);
  bool known = read_known(p);
  bool fits = p->length < 0 || p->file.bytes <= (uint64_t)p->length;
  if (!known || !fits) unknow(p);
  return true;
}

uint64_t cw_part_ask(cw_part *p) {
  p->asked = !p->whole && p->validator && p->file.bytes > 1;
  return p->asked ? p->file.bytes - 1 : 0;
}

/* Empties the part: its bytes do not belong to the current entity. */
static bool forget(cw_part *p, cw_error *e) {
  unknow(p);
  p->file.keep = p->asked = p->resumed = p->whole = false;
  if (unlink(p->known) != 0 && errno != ENOENT)
    return fail(p, e, "remove", errno);
  return cw_file_cut(&p->file, 0, e);
}

/* Answers ----------------------------------------------------------------- */

/* All of it comes, from the beginning. A coded body is written undone: the
** server's ranges are of other bytes then, and of what it was told not to send
** in any case. */
static bool begin(cw_part *p, const cw_response *r, cw_error *e) {
  cw_text value;
  if (!forget(p, e)) return false;
  if (cw_response_coded(r)) return true;
  p->length = r->length;
  if (!cw_validator_find(r->headers, &value)) return true;
  p->validator = strndup(value.bytes, value.length);
  if (!p->validator) return fail(p, e, "write", ENOMEM);
  p->file.keep = true;
  return write_known(p, e);
}

/* Whether it is the rest of the same entity. A server that takes no notice of
** If-Range is found out by what it says of what it sends. */
static bool goes_on(const cw_part *p, const cw_response *r,
                    const cw_range *range) {
  cw_text validator = {p->validator, strlen(p->validator)};
  return (uint64_t)range->first == p->file.bytes - 1 &&
         (p->length < 0 || p->length == range->total) &&
         cw_validator_same(r->headers, validator) && !cw_response_coded(r);
}

static cw_taking again(cw_part *p, cw_error *e) {
  return forget(p, e) ? CW_PART_AGAIN : CW_PART_FAILED;
}

static cw_taking take_rest(cw_part *p, const cw_response *r, uint64_t most,
                           cw_error *e) {
  cw_range range;
  if (!cw_range_find(r->headers, &range) || !goes_on(p, r, &range))
    return again(p, e);
  if ((uint64_t)range.total > most) {
    cw_error_set(e, CW_ERR_TOO_LARGE, CW_PHASE_BODY,
                 "the file is over max_body, %" PRIu64 " bytes", most);
    return CW_PART_FAILED;
  }
  p->length = range.total;
  p->resumed = true;
  return cw_file_cut(&p->file, (uint64_t)range.first, e) ? CW_PART_TAKEN
                                                         : CW_PART_FAILED;
}

/* 412 and 416 mean that the entity has changed. A 500 may be caused by the
** Range header alone, so the part is kept until the whole entity arrives. */
cw_taking cw_part_refused(cw_part *p, int status, cw_error *e) {
  bool is_other = status == 412 || status == 416;
  if (!p->asked || p->anew || !(is_other || status == 500))
    return CW_PART_REFUSED;
  p->anew = true;
  if (is_other) return again(p, e);
  p->whole = true;
  return CW_PART_AGAIN;
}

cw_taking cw_part_take(cw_part *p, const cw_response *r, uint64_t most,
                       cw_error *e) {
  if (r->status == 200) return begin(p, r, e) ? CW_PART_TAKEN : CW_PART_FAILED;
  if (p->asked && r->status == 206) return take_rest(p, r, most, e);
  return cw_part_refused(p, r->status, e);
}

/* The end ----------------------------------------------------------------- */

/* Of a body whose length is declared libcurl has seen to it; of a part, its
** Content-Range declared another. */
static bool whole(cw_part *p, cw_error *e) {
  uint64_t have = p->file.bytes;
  if (p->length < 0 || have == (uint64_t)p->length) return true;
  bool less = have < (uint64_t)p->length;
  cw_error_set(e, less ? CW_ERR_TRUNCATED : CW_ERR_PROTOCOL, CW_PHASE_BODY,
               "%" PRIu64 " bytes have come of a file of %" PRId64, have,
               p->length);
  p->file.keep &= less;
  return false;
}

bool cw_part_finish(cw_part *p, cw_error *e) {
  if (!whole(p, e)) return false;
  bool ok = cw_file_finish(&p->file, e);
  if (ok || e->code == CW_ERR_CHECKSUM) unlink(p->known);
  return ok;
}
