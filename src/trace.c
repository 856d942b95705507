/* trace: what happens on the wire as text. Knows libcurl's debug data, request.
** SPDX-License-Identifier: MIT */
#include "trace.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "mask.h"
#include "printable.h"

enum { LONGEST = 1024 }; /* of a line that is written */

/* One line in one call: others may write there too. What cannot be written is
** lost. */
static void put(int fd, char sign, cw_text text, const char *more) {
  char line[LONGEST + 32];
  int n = (int)(text.length < LONGEST ? text.length : LONGEST);
  int size =
    snprintf(line, sizeof line, "%c %.*s%s", sign, n, text.bytes, more);
  cw_printable(line);
  line[size] = '\n';
  ssize_t written = write(fd, line, (size_t)size + 1);
  (void)written;
}

static bool secret(const cw_request *r, cw_text name) {
  return cw_settings_secret(&r->own, r->defaults, name) ||
         cw_text_is(name, "set-cookie");
}

/* A text of libcurl may hold a header line (HTTP/2: "[1] [cookie: a=b]"). Shows
** the line up to the colon behind the name of a secret header. */
static bool put_secret_field(int fd, const cw_request *r, cw_text line) {
  size_t name = 0; /* where the name before a colon begins */
  for (size_t i = 0; i < line.length; i++) {
    bool colon = line.bytes[i] == ':' && i > name;
    if (colon && secret(r, (cw_text){line.bytes + name, i - name})) {
      put(fd, '*', (cw_text){line.bytes, i + 1}, " ***");
      return true;
    }
    if (!cw_mask_is_name(line.bytes[i])) name = i + 1;
  }
  return false;
}

static void put_masked(int fd, char sign, cw_text line) {
  char shown[LONGEST + 32];
  size_t n = cw_mask(shown, sizeof shown, line.bytes, line.length);
  put(fd, sign, (cw_text){shown, n}, "");
}

/* A text of libcurl about its own work. Any such text may hold a secret. */
static void put_text(int fd, const cw_request *r, cw_text line) {
  if (!put_secret_field(fd, r, line)) put_masked(fd, '*', line);
}

/* "GET /path?query HTTP/1.1" without what the query says. */
static void put_request_line(int fd, cw_text line) {
  const char *query = memchr(line.bytes, '?', line.length);
  if (query) line.length = (size_t)(query - line.bytes);
  put(fd, '>', line, query ? "?..." : "");
}

/* Where a Location leads, without its query and fragment, and not at all where
** it has a user. */
static void put_location(int fd, char sign, cw_text line) {
  size_t n = 0;
  while (n < line.length && line.bytes[n] != '?' && line.bytes[n] != '#')
    n++;
  cw_text shown = {line.bytes, n};
  if (memchr(line.bytes, '@', n))
    put(fd, sign, (cw_text){"Location:", 9}, " ***");
  else
    put(fd, sign, shown, n < line.length ? "?..." : "");
}

static void put_field(int fd, const cw_request *r, char sign, cw_text line) {
  const char *colon = memchr(line.bytes, ':', line.length);
  size_t n = colon ? (size_t)(colon - line.bytes) : 0;
  bool hides = colon && secret(r, (cw_text){line.bytes, n});
  cw_text shown = {line.bytes, n + 1};
  if (line.length && cw_text_blank(*line.bytes)) /* folded: of which line? */
    put(fd, sign, (cw_text){"", 0}, " ***");
  else if (colon && cw_text_is((cw_text){line.bytes, n}, "location"))
    put_location(fd, sign, line);
  else if (hides)
    put(fd, sign, shown, " ***");
  else
    put_masked(fd, sign, line);
}

static void put_head(int fd, const cw_request *r, char sign, cw_text head) {
  bool first = sign == '>';
  while (head.length) {
    const char *end = memchr(head.bytes, '\n', head.length);
    size_t n = end ? (size_t)(end - head.bytes) + 1 : head.length;
    cw_text line = {head.bytes, n};
    while (line.length && (line.bytes[line.length - 1] == '\n' ||
                           line.bytes[line.length - 1] == '\r'))
      line.length--;
    if (first)
      put_request_line(fd, line);
    else
      put_field(fd, r, sign, line);
    first = false;
    head = (cw_text){head.bytes + n, head.length - n};
  }
}

static void put_count(int fd, char sign, size_t n) {
  char text[48];
  int length = snprintf(text, sizeof text, "[%zu bytes]", n);
  put(fd, sign, (cw_text){text, (size_t)length}, "");
}

void cw_trace_write(int fd, const cw_request *r, curl_infotype type,
                    const char *data, size_t n) {
  cw_text text = {data, n};
  switch (type) {
  case CURLINFO_TEXT:
    while (text.length && text.bytes[text.length - 1] == '\n')
      text.length--;
    put_text(fd, r, text);
    break;
  case CURLINFO_HEADER_OUT:
    put_head(fd, r, '>', (cw_text){data, n});
    break;
  case CURLINFO_HEADER_IN:
    put_head(fd, r, '<', (cw_text){data, n});
    break;
  case CURLINFO_DATA_OUT:
    put_count(fd, '}', n);
    break;
  case CURLINFO_DATA_IN:
    put_count(fd, '{', n);
    break;
  default:
    break;
  }
}
