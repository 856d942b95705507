/* Header lines under fuzzing: a status line and field lines, each up to its
** \n, taken as the transfer takes them; what was taken is found again. Test
** only.
** SPDX-License-Identifier: MIT */

#include <string.h>

#include "../../src/response.h"
#include "fuzz.h"

static bool blank(char c) { return c == ' ' || c == '\t'; }

/* A line in memory of exactly its size, without its \r. */
static cw_text next_line(const uint8_t **at, size_t *left) {
  const uint8_t *end = memchr(*at, '\n', *left);
  size_t n = end ? (size_t)(end - *at) : *left;
  char *bytes = malloc(n > 0 ? n : 1);
  MUST(bytes);
  memcpy(bytes, *at, n);
  n += end != NULL;
  *at += n;
  *left -= n;
  n -= end != NULL;
  if (n > 0 && bytes[n - 1] == '\r') n--;
  return (cw_text){bytes, n};
}

static void check_trim(cw_text text) {
  cw_text trimmed = cw_text_trim(text);
  MUST(trimmed.length <= text.length);
  MUST(trimmed.bytes >= text.bytes);
  MUST(trimmed.bytes + trimmed.length <= text.bytes + text.length);
  if (trimmed.length == 0) return;
  MUST(!blank(trimmed.bytes[0]));
  MUST(!blank(trimmed.bytes[trimmed.length - 1]));
}

static bool add_line(cw_headers *h, cw_text line) {
  check_trim(line);
  size_t before = cw_headers_count(h);
  if (line.length > 0 && blank(*line.bytes)) {
    bool added = cw_headers_continue(h, cw_text_trim(line));
    MUST(cw_headers_count(h) == before && added == (before > 0));
    return true;
  }
  const char *colon = memchr(line.bytes, ':', line.length);
  if (!colon) return true;
  bool added = cw_headers_add_line(h, line, (size_t)(colon - line.bytes));
  MUST(cw_headers_count(h) == before + added);
  return added;
}

static void check_line(const cw_headers *h, size_t i) {
  cw_text name = cw_headers_name(h, i), value = cw_headers_value(h, i);
  size_t found = cw_headers_find(h, name, 0);
  check_trim(name);
  check_trim(value);
  MUST(found <= i && cw_headers_find(h, name, i) == i);
  MUST(cw_headers_name(h, found).length == name.length);
  MUST(!memchr(name.bytes, ':', name.length));
  MUST(!memchr(value.bytes, '\n', value.length));
  (void)cw_text_is(name, "set-cookie");
}

static void check_all(const cw_headers *h) {
  size_t count = cw_headers_count(h), bytes = 0;
  for (size_t i = 0; i < count && i < 200; i++)
    check_line(h, i);
  for (size_t i = 0; i < count; i++)
    bytes += cw_headers_name(h, i).length + cw_headers_value(h, i).length;
  MUST(bytes <= cw_headers_bytes(h));
  MUST(cw_headers_bytes(h) <= CW_HEADERS_MAX);
}

static void check_status(const cw_response *r) {
  MUST(r->status >= 0 && r->status <= 999);
  MUST(strlen(r->reason) < CW_REASON_TEXT);
  MUST(strlen(r->http_version) <= 3);
  MUST(cw_headers_count(r->headers) == 0);
}

/* An empty line ends a block; a status line begins the next one. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  cw_response r;
  cw_response_init(&r);
  bool begins = true, going = true;
  while (size > 0 && going) {
    cw_text line = next_line(&data, &size);
    if (begins) {
      MUST(cw_response_status_line(&r, line));
      check_status(&r);
    } else {
      going = add_line(r.headers, line);
    }
    begins = line.length == 0 && !begins;
    union {
      const char *read;
      char *owned;
    } bytes = {.read = line.bytes};
    free(bytes.owned);
  }
  if (r.headers) check_all(r.headers);
  cw_response_clear(&r);
  return 0;
}
