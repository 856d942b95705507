/* response: what came, but for the body. Knows libc.
** SPDX-License-Identifier: MIT */
#include "response.h"

#include <string.h>

void cw_response_init(cw_response *r) {
  r->final = false;
  r->status = 0;
  r->http_version = "";
  r->reason[0] = '\0';
  r->headers = NULL;
  r->trailers = NULL;
  r->length = -1;
  memset(&r->info, 0, sizeof r->info);
}

void cw_response_clear(cw_response *r) {
  cw_headers_free(r->headers);
  cw_headers_free(r->trailers);
  r->headers = NULL;
  r->trailers = NULL;
}

static bool fresh(cw_headers **h) {
  if (*h)
    cw_headers_reset(*h);
  else
    *h = cw_headers_new();
  return *h != NULL;
}

static const char *version_of(cw_text line) {
  static const char *const known[] = {"1.1", "1.0", "2", "3"};
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    size_t n = strlen(known[i]);
    if (line.length > 5 + n && memcmp(line.bytes + 5, known[i], n) == 0)
      return known[i];
  }
  return "";
}

static bool digit(char c) { return c >= '0' && c <= '9'; }

bool cw_response_status_line(cw_response *r, cw_text line) {
  if (!fresh(&r->headers)) return false;
  r->http_version = version_of(line);
  r->status = 0;
  size_t i = 0;
  while (i < line.length && line.bytes[i] != ' ')
    i++;
  while (i < line.length && line.bytes[i] == ' ')
    i++;
  for (int n = 0; n < 3 && i < line.length && digit(line.bytes[i]); n++)
    r->status = r->status * 10 + (line.bytes[i++] - '0');
  cw_text reason = cw_text_trim((cw_text){line.bytes + i, line.length - i});
  size_t n =
    reason.length < CW_REASON_TEXT ? reason.length : CW_REASON_TEXT - 1;
  memcpy(r->reason, reason.bytes, n);
  r->reason[n] = '\0';
  return true;
}
