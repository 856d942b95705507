/* range: which bytes of which entity came. Knows headers.
** SPDX-License-Identifier: MIT */
#include "range.h"

#include <curl/curl.h>

/* The value of the only line called 'name'. */
static bool find_only(const cw_headers *h, const char *name, cw_text *value) {
  cw_text wanted = {name, strlen(name)};
  size_t count = cw_headers_count(h), i = cw_headers_find(h, wanted, 0);
  if (i == count || cw_headers_find(h, wanted, i + 1) < count) return false;
  *value = cw_text_trim(cw_headers_value(h, i));
  return true;
}

static bool has(const cw_headers *h, const char *name) {
  cw_text wanted = {name, strlen(name)};
  return cw_headers_find(h, wanted, 0) < cw_headers_count(h);
}

/* Content-Range ----------------------------------------------------------- */

/* Takes 1*DIGIT off 'text'; -1: there is none, or too large a number. */
static int64_t take_number(cw_text *text) {
  int64_t number = 0;
  size_t n = 0;
  for (; n < text->length; n++) {
    int d = text->bytes[n] - '0';
    if (d < 0 || d > 9) break;
    if (number > (INT64_MAX - d) / 10) return -1;
    number = number * 10 + d;
  }
  text->bytes += n;
  text->length -= n;
  return n > 0 ? number : -1;
}

static bool take(cw_text *text, char c) {
  if (text->length == 0 || *text->bytes != c) return false;
  text->bytes++;
  text->length--;
  return true;
}

static bool take_unit(cw_text *text) {
  static const cw_text unit = {"bytes ", 6};
  if (text->length < unit.length ||
      strncasecmp(text->bytes, unit.bytes, unit.length) != 0)
    return false;
  *text = cw_text_trim(
    (cw_text){text->bytes + unit.length, text->length - unit.length});
  return true;
}

bool cw_range_find(const cw_headers *h, cw_range *range) {
  cw_text text;
  if (!find_only(h, "content-range", &text) || !take_unit(&text)) return false;
  range->first = take_number(&text);
  if (range->first < 0 || !take(&text, '-')) return false;
  range->last = take_number(&text);
  if (range->last < range->first || !take(&text, '/')) return false;
  range->total = take_number(&text);
  return text.length == 0 && range->last < range->total;
}

/* Validators -------------------------------------------------------------- */

/* It is sent back in a header line: as the grammar has it, or not at all. */
static bool strong_tag(cw_text tag) {
  if (tag.length < 2 || tag.length > CW_VALIDATOR_MAX) return false;
  if (tag.bytes[0] != '"' || tag.bytes[tag.length - 1] != '"') return false;
  for (size_t i = 1; i + 1 < tag.length; i++) {
    unsigned char c = (unsigned char)tag.bytes[i];
    if (c <= ' ' || c == '"' || c == 127) return false;
  }
  return true;
}

/* IMF-fixdate, "Sun, 06 Nov 1994 08:49:37 GMT", in seconds; -1: it is none. */
static time_t date_of(cw_text date) {
  enum { LENGTH = 29 };
  char text[LENGTH + 1];
  if (date.length != LENGTH || memchr(date.bytes, '\0', LENGTH)) return -1;
  memcpy(text, date.bytes, LENGTH);
  text[LENGTH] = '\0';
  if (strcmp(text + LENGTH - 4, " GMT") != 0) return -1;
  for (const char *c = text; *c; c++)
    if ((unsigned char)*c < ' ' || (unsigned char)*c > 126) return -1;
  return curl_getdate(text, NULL);
}

/* The same second may have seen another version, and clocks differ. */
static bool strong_date(const cw_headers *h, cw_text *value) {
  enum { APART = 60 };
  cw_text date;
  if (has(h, "vary") || !find_only(h, "date", &date) ||
      !find_only(h, "last-modified", value))
    return false;
  time_t changed = date_of(*value), sent = date_of(date);
  return changed >= 0 && sent >= 0 && sent - changed >= APART;
}

bool cw_validator_find(const cw_headers *h, cw_text *value) {
  if (has(h, "etag")) return find_only(h, "etag", value) && strong_tag(*value);
  return strong_date(h, value);
}

bool cw_validator_same(const cw_headers *h, cw_text validator) {
  cw_text now;
  bool tag = validator.length > 0 && *validator.bytes == '"';
  return find_only(h, tag ? "etag" : "last-modified", &now) &&
         now.length == validator.length &&
         memcmp(now.bytes, validator.bytes, now.length) == 0;
}
