/* retry: whether and when a request is made again. Knows error, request,
** response.
** SPDX-License-Identifier: MIT */
#include "retry.h"

#include <stdio.h>
#include <string.h>

/* The first delay is at most so long, each further one twice that. */
static const double FIRST_DELAY = 0.5;

static double number(const cw_request *r, cw_option_id id) {
  return cw_settings_get(&r->own, r->defaults, id);
}

/* Whether ",503,timeout," names it. */
static bool listed(const char *list, const char *word) {
  char piece[32];
  snprintf(piece, sizeof piece, ",%s,", word);
  return strstr(list, piece) != NULL;
}

static bool worth_it(const cw_request *r, const cw_try *last) {
  const cw_value *on = cw_settings_find(&r->own, r->defaults, CW_OPT_RETRY_ON);
  bool failed = last->error->code != CW_OK;
  char status[16];
  if (!on && failed) return last->error->retryable;
  if (!on) return cw_status_retryable(last->response->status);
  if (failed) return listed(on->text, cw_code_name(last->error->code));
  snprintf(status, sizeof status, "%d", last->response->status);
  return listed(on->text, status);
}

/* Reads a number of seconds. RFC 9110 allows no fraction; a fraction is rounded
** up. Negative: the text is no number. */
static double whole_seconds(const char *text) {
  double seconds = 0;
  size_t digits = strspn(text, "0123456789"), fraction = 0;
  for (size_t i = 0; i < digits; i++)
    seconds = seconds * 10 + (text[i] - '0');
  const char *rest = text + digits;
  if (*rest == '.') fraction = strspn(++rest, "0123456789");
  if (digits + fraction == 0 || rest[fraction]) return -1;
  return strspn(rest, "0") < fraction ? seconds + 1 : seconds;
}

/* Seconds from now, or an HTTP date (RFC 9110 section 10.2.3); negative: it is
** neither, or is not there. */
static double retry_after(const cw_response *from, time_t now) {
  static const cw_text name = {"retry-after", 11};
  char text[64];
  size_t i = cw_headers_find(from->headers, name, 0);
  if (i == cw_headers_count(from->headers)) return -1;
  cw_text value = cw_text_trim(cw_headers_value(from->headers, i));
  if (value.length == 0 || value.length >= sizeof text) return -1;
  memcpy(text, value.bytes, value.length);
  text[value.length] = '\0';
  double seconds = whole_seconds(text);
  if (seconds >= 0) return seconds;
  time_t date = curl_getdate(text, NULL);
  if (date < 0) return -1;
  return date > now ? difftime(date, now) : 0;
}

static double backoff(unsigned attempts, double most, double random) {
  double delay = FIRST_DELAY;
  while (attempts-- > 1 && delay < most)
    delay *= 2;
  return (delay < most ? delay : most) * random;
}

int64_t cw_retry_delay(const cw_request *r, const cw_try *last) {
  double most = number(r, CW_OPT_RETRY_MAX_DELAY), asked = -1;
  if (last->attempts > number(r, CW_OPT_RETRY_TIMES)) return -1;
  bool safe =
    number(r, CW_OPT_RETRY_UNSAFE) != 0 || cw_request_is_idempotent(r);
  if (!safe || !worth_it(r, last)) return -1;
  if (!cw_content_replayable(&r->content)) return -1;
  if (last->error->code == CW_OK)
    asked = retry_after(last->response, last->now);
  if (asked > most) return -1;
  double delay =
    asked >= 0 ? asked : backoff(last->attempts, most, last->random);
  return (int64_t)(delay * 1e6);
}
