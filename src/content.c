/* content: where a request's body comes from. Knows error.
** SPDX-License-Identifier: MIT */
#include "content.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "descriptor.h"

void cw_content_init(cw_content *c, cw_error *error) {
  *c = (cw_content){.length = -1, .fd = -1, .error = error};
}

void cw_content_clear(cw_content *c) {
  for (size_t i = 0; i < c->count; i++) {
    free(c->parts[i].name);
    free(c->parts[i].filename);
    free(c->parts[i].type);
    cw_content_clear(&c->parts[i].content);
  }
  free(c->parts);
  if (c->fd >= 0) close(c->fd);
  cw_content_init(c, c->error);
}

void cw_content_finish(cw_content *c) {
  for (size_t i = 0; i < c->count; i++)
    cw_content_finish(&c->parts[i].content);
  if (c->fd >= 0) close(c->fd);
  c->fd = -1;
}

/* What it is -------------------------------------------------------------- */

void cw_content_text(cw_content *c, const char *bytes, size_t n) {
  c->kind = CW_CONTENT_TEXT;
  c->bytes = bytes;
  c->length = (int64_t)n;
}

void cw_content_pieces(cw_content *c, int64_t length) {
  c->kind = CW_CONTENT_PIECES;
  c->length = length;
}

static bool fail_file(cw_content *c, cw_phase phase, const char *what,
                      const char *name, int number) {
  cw_error_from_system(c->error, CW_ERR_FILE, phase, what, name, number);
  return false;
}

static bool refuse_file(cw_content *c, const char *name, const char *what) {
  cw_error_set(c->error, CW_ERR_FILE, CW_PHASE_REQUEST,
               "%.96s %s; to send what it says: body = function() return "
               "handle:read(65536) end",
               name, what);
  return false;
}

/* Those of /proc are called empty whatever they say. */
static bool check_empty(cw_content *c, const char *name) {
  char byte;
  ssize_t n = pread(c->fd, &byte, 1, 0);
  if (n < 0) return fail_file(c, CW_PHASE_REQUEST, "read", name, errno);
  return n == 0 || refuse_file(c, name, "does not say how long it is");
}

/* What cannot be read at any place has no length, and to wait for it would hold
** everybody up. */
static bool take_file(cw_content *c, const char *name, int fd, int64_t begins) {
  struct stat st;
  c->kind = CW_CONTENT_FILE;
  c->fd = fd;
  c->begins = begins;
  if (fstat(fd, &st) != 0)
    return fail_file(c, CW_PHASE_REQUEST, "read", name, errno);
  if (S_ISDIR(st.st_mode))
    return fail_file(c, CW_PHASE_REQUEST, "read", name, EISDIR);
  if (!S_ISREG(st.st_mode)) return refuse_file(c, name, "is no regular file");
  c->length = st.st_size > begins ? st.st_size - begins : 0;
  return st.st_size > 0 || check_empty(c, name);
}

bool cw_content_file(cw_content *c, const char *path) {
  int fd = cw_descriptor_open(path, O_RDONLY | O_NOCTTY | O_NONBLOCK, 0);
  if (fd < 0) return fail_file(c, CW_PHASE_REQUEST, "read", path, errno);
  return take_file(c, path, fd, 0);
}

/* A copy of the descriptor: the stream may be closed meanwhile. */
bool cw_content_stream(cw_content *c, FILE *stream) {
  static const char name[] = "the file";
  off_t at = ftello(stream);
  int fd = cw_descriptor_copy(fileno(stream));
  if (fd < 0) return fail_file(c, CW_PHASE_REQUEST, "read", name, errno);
  if ((fcntl(fd, F_GETFL) & O_ACCMODE) == O_WRONLY) {
    close(fd);
    cw_error_set(c->error, CW_ERR_FILE, CW_PHASE_REQUEST,
                 "the file is not open for reading");
    return false;
  }
  fflush(stream); /* what was written to it is part of it */
  return take_file(c, name, fd, at < 0 ? 0 : at);
}

static char *copy(const char *text, bool *ok) {
  char *made = text ? strdup(text) : NULL;
  *ok &= made || !text;
  return made;
}

cw_form_part *cw_content_part(cw_content *c, const char *name,
                              const char *filename, const char *type) {
  bool ok = true;
  cw_form_part *parts = realloc(c->parts, (c->count + 1) * sizeof *parts);
  if (!parts) return NULL;
  c->kind = CW_CONTENT_PARTS;
  c->parts = parts;
  cw_form_part *part = &parts[c->count++];
  part->name = copy(name, &ok);
  part->filename = copy(filename, &ok);
  part->type = copy(type, &ok);
  cw_content_init(&part->content, c->error);
  return ok ? part : NULL;
}

/* Sending ----------------------------------------------------------------- */

static size_t read_text(cw_content *c, char *to, size_t size) {
  size_t left = (size_t)c->length - (size_t)c->sent;
  size_t n = size < left ? size : left;
  memcpy(to, c->bytes + c->sent, n);
  return n;
}

static size_t fail_reading(cw_content *c, int number) {
  fail_file(c, CW_PHASE_SEND, "read", "the file that is sent", number);
  return CURL_READFUNC_ABORT;
}

static size_t read_file(cw_content *c, char *to, size_t size) {
  uint64_t left = (uint64_t)c->length - c->sent;
  ssize_t n;
  if (left == 0) return 0;
  do
    n = pread(c->fd, to, size < left ? size : (size_t)left,
              c->begins + (off_t)c->sent);
  while (n < 0 && errno == EINTR);
  if (n > 0) return (size_t)n;
  if (n < 0) return fail_reading(c, errno);
  cw_error_set(c->error, CW_ERR_FILE, CW_PHASE_SEND,
               "the file that is sent has shrunk: %" PRIu64 " of %" PRId64
               " bytes are left",
               c->sent, c->length);
  return CURL_READFUNC_ABORT;
}

static size_t read_pieces(cw_content *c, char *to, size_t size) {
  size_t n = size < c->piece_left ? size : c->piece_left;
  if (n > 0) memcpy(to, c->bytes, n);
  c->bytes += n;
  c->piece_left -= n;
  if (n > 0 || c->ended) return n;
  c->starved = true;
  return CURL_READFUNC_PAUSE;
}

size_t cw_content_read(cw_content *c, char *to, size_t size) {
  size_t n = 0;
  if (c->kind == CW_CONTENT_TEXT) n = read_text(c, to, size);
  if (c->kind == CW_CONTENT_FILE) n = read_file(c, to, size);
  if (c->kind == CW_CONTENT_PIECES) n = read_pieces(c, to, size);
  if (n <= size) c->sent += n;
  return n;
}

void cw_content_unread(cw_content *c, size_t n) {
  c->sent -= n;
  if (c->kind != CW_CONTENT_PIECES) return;
  c->bytes -= n;
  c->piece_left += n;
}

bool cw_content_is_given(const cw_content *c) {
  for (size_t i = 0; i < c->count; i++)
    if (cw_content_is_given(&c->parts[i].content)) return true;
  return c->kind == CW_CONTENT_PIECES;
}

bool cw_content_replayable(const cw_content *c) {
  for (size_t i = 0; i < c->count; i++)
    if (!cw_content_replayable(&c->parts[i].content)) return false;
  return !c->begun;
}

bool cw_content_rewind(cw_content *c) {
  if (!cw_content_replayable(c)) return false;
  for (size_t i = 0; i < c->count; i++)
    cw_content_rewind(&c->parts[i].content);
  c->sent = 0;
  c->starved = false;
  return true;
}

/* Who is being asked for a piece would give it in the midst of the first. */
bool cw_content_again(cw_content *c) {
  if (cw_content_rewind(c)) return true;
  if (!c->first || c->asked) return false;
  c->bytes = c->first;
  c->piece_left = c->first_length;
  c->sent = 0;
  c->starved = false;
  return true;
}

bool cw_content_sent(const cw_content *c) {
  for (size_t i = 0; i < c->count; i++)
    if (!cw_content_sent(&c->parts[i].content)) return false;
  if (c->length >= 0) return c->sent == (uint64_t)c->length;
  if (c->kind != CW_CONTENT_PIECES) return true;
  return c->ended && c->piece_left == 0;
}

int64_t cw_content_length(const cw_content *c) {
  int64_t length = c->kind == CW_CONTENT_NONE || c->count ? 0 : c->length;
  for (size_t i = 0; i < c->count && length >= 0; i++) {
    int64_t more = c->parts[i].content.length;
    length = more < 0 ? -1 : length + more;
  }
  return length;
}

uint64_t cw_content_progress(const cw_content *c) {
  uint64_t sent = c->sent;
  for (size_t i = 0; i < c->count; i++)
    sent += c->parts[i].content.sent;
  return sent;
}

/* Pieces ------------------------------------------------------------------ */

cw_content *cw_content_hungry(cw_content *c, size_t *part) {
  if (c->starved) return c;
  for (*part = 0; *part < c->count; ++*part)
    if (c->parts[*part].content.starved) return &c->parts[*part].content;
  return NULL;
}

static uint64_t given(const cw_content *c) { return c->sent + c->piece_left; }

bool cw_content_takes(cw_content *c, size_t n) {
  if (c->length < 0 || n <= (uint64_t)c->length - given(c)) return true;
  cw_error_set(c->error, CW_ERR_CANCELLED, CW_PHASE_SEND,
               "the body's function gives more bytes than its length of "
               "%" PRId64,
               c->length);
  return false;
}

void cw_content_give(cw_content *c, const char *bytes, size_t n) {
  c->first = given(c) == 0 ? bytes : NULL;
  c->first_length = n;
  c->bytes = bytes;
  c->piece_left = n;
}

bool cw_content_complete(const cw_content *c) {
  return c->length >= 0 && !c->ended && given(c) == (uint64_t)c->length;
}

bool cw_content_end(cw_content *c) {
  c->ended = true;
  if (c->length < 0 || given(c) == (uint64_t)c->length) return true;
  cw_error_set(c->error, CW_ERR_CANCELLED, CW_PHASE_SEND,
               "the body's function gave %" PRIu64 " bytes where its length is "
               "%" PRId64,
               given(c), c->length);
  return false;
}
