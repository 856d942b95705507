/* parameter: field values with parameters. Knows buf, headers.
** SPDX-License-Identifier: MIT */
#include "parameter.h"

#include <string.h>
#include <strings.h>

static cw_text skip(cw_text text, size_t n) {
  return (cw_text){text.bytes + n, text.length - n};
}

/* How many bytes come before the first of 'set', or in all. */
static size_t until(cw_text text, const char *set) {
  size_t i = 0;
  while (i < text.length && !(text.bytes[i] && strchr(set, text.bytes[i])))
    i++;
  return i;
}

cw_text cw_parameter_value(cw_text field) {
  return cw_text_trim((cw_text){field.bytes, until(field, ";")});
}

/* The length of the quoted string that 'text' begins with, quotes included; one
** that does not end goes on to the end of the field. */
static size_t quoted(cw_text text) {
  size_t i = 1;
  while (i < text.length && text.bytes[i] != '"')
    i += text.bytes[i] == '\\' ? 2 : 1;
  return i < text.length ? i + 1 : text.length;
}

/* Takes the next "name=value" out of '*rest', which begins behind a semicolon.
** False: there is no more. */
static bool next(cw_text *rest, cw_text *name, cw_text *value) {
  if (rest->length == 0) return false;
  size_t n = until(*rest, "=;");
  bool has_value = n < rest->length && rest->bytes[n] == '=';
  *name = cw_text_trim((cw_text){rest->bytes, n});
  *value = cw_text_trim(skip(*rest, n + has_value));
  size_t length = has_value && value->length && *value->bytes == '"'
                    ? quoted(*value)
                    : until(*value, ";");
  cw_text behind = skip(*value, length);
  *value = cw_text_trim((cw_text){value->bytes, has_value ? length : 0});
  n = until(behind, ";");
  *rest = skip(behind, n < behind.length ? n + 1 : n);
  return true;
}

static bool append_quoted(cw_text value, cw_buf *to) {
  size_t end = value.length;
  if (end > 1 && value.bytes[end - 1] == '"') end--;
  for (size_t i = 1; i < end; i++) {
    if (value.bytes[i] == '\\' && i + 1 < end) i++;
    if (!cw_buf_append(to, value.bytes + i, 1)) return false;
  }
  return true;
}

bool cw_parameter_find(cw_text field, const char *name, cw_buf *value) {
  size_t n = until(field, ";");
  cw_text rest = skip(field, n < field.length ? n + 1 : n), found, text;
  while (next(&rest, &found, &text)) {
    if (!cw_text_is(found, name)) continue;
    if (text.length && *text.bytes == '"') return append_quoted(text, value);
    return cw_buf_append(value, text.bytes, text.length);
  }
  return false;
}

/* File names -------------------------------------------------------------- */

static int hex(char c) {
  static const char digits[] = "0123456789abcdef";
  const char *at = c ? strchr(digits, c | 0x20) : NULL;
  return at ? (int)(at - digits) : -1;
}

static bool append_decoded(cw_text text, cw_buf *to) {
  for (size_t i = 0; i < text.length; i++) {
    char c = text.bytes[i];
    if (c == '%') {
      if (i + 2 >= text.length) return false;
      int high = hex(text.bytes[i + 1]), low = hex(text.bytes[i + 2]);
      if (high < 0 || low < 0) return false;
      c = (char)(high * 16 + low);
      i += 2;
    }
    if (!cw_buf_append(to, &c, 1)) return false;
  }
  return true;
}

/* UTF-8'language'percent-encoded (RFC 8187); other charsets are passed over,
** as that allows. */
static bool extended(cw_text field, cw_buf *name) {
  static const char charset[] = "utf-8'";
  cw_buf raw;
  cw_buf_init(&raw, CW_HEADERS_MAX);
  bool ok = cw_parameter_find(field, "filename*", &raw);
  cw_text text;
  text.bytes = cw_buf_peek(&raw, &text.length);
  ok = ok && text.length >= sizeof charset &&
       strncasecmp(text.bytes, charset, sizeof charset - 1) == 0;
  if (ok) {
    text = skip(text, sizeof charset - 1);
    size_t n = until(text, "'");
    ok = n < text.length && append_decoded(skip(text, n + 1), name);
  }
  cw_buf_clear(&raw);
  return ok;
}

/* Drops the folders; false: what is left is no name of a file. */
static bool make_safe(cw_buf *name) {
  size_t n, start = 0;
  const char *bytes = cw_buf_peek(name, &n);
  for (size_t i = 0; i < n; i++) {
    if ((unsigned char)bytes[i] < ' ' || bytes[i] == 127) return false;
    if (bytes[i] == '/' || bytes[i] == '\\') start = i + 1;
  }
  cw_buf_drop(name, start);
  bytes = cw_buf_peek(name, &n);
  bool dots = (n == 1 && *bytes == '.') || (n == 2 && !memcmp(bytes, "..", 2));
  return n > 0 && !dots;
}

bool cw_parameter_filename(cw_text field, cw_buf *name) {
  if (extended(field, name) && make_safe(name)) return true;
  cw_buf_drop(name, cw_buf_length(name));
  return cw_parameter_find(field, "filename", name) && make_safe(name);
}
