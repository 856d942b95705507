/* headers: field lines in the order in which they came, found by name in any
** case (RFC 9110 section 5). Shared by counting references, since a response
** and what the user took of it may end in any order. Knows libc.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_HEADERS_H
#define CURLEW_HEADERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

typedef struct cw_headers cw_headers;

/* A borrowed piece of text; not terminated. */
typedef struct cw_text {
  const char *bytes;
  size_t length;
} cw_text;

/* The most bytes of names and values in one list. */
enum { CW_HEADERS_MAX = 256 * 1024 };

/* NULL: out of memory. The caller owns one reference. */
cw_headers *cw_headers_new(void);
cw_headers *cw_headers_retain(cw_headers *h);
void cw_headers_free(
  cw_headers *h); /* gives one reference back; NULL is fine */

/* Forgets every line (a final status line follows an interim one). */
void cw_headers_reset(cw_headers *h);

/* Adds a line. False: out of memory, or over CW_HEADERS_MAX. */
bool cw_headers_add(cw_headers *h, cw_text name, cw_text value);

/* Adds a line as received, "name: value", with its colon at 'colon'. Blanks
** before the colon do not belong to the name. */
bool cw_headers_add_line(cw_headers *h, cw_text line, size_t colon);

/* Appends to the value of the last line (an obs-fold, RFC 9112 5.2). False as
** above, or no line. */
bool cw_headers_continue(cw_headers *h, cw_text more);

size_t cw_headers_count(const cw_headers *h);
size_t cw_headers_bytes(const cw_headers *h);
cw_text cw_headers_name(const cw_headers *h, size_t i);
cw_text cw_headers_value(const cw_headers *h, size_t i);

/* Index of the first line called 'name' at or after 'from'; the count when
** there is none. */
size_t cw_headers_find(const cw_headers *h, cw_text name, size_t from);

/* Whether 'name' is the ASCII text 'lower' in any case. Inline: the length of
** a literal costs nothing then, and is what tells most names apart. */
static inline bool cw_text_is(cw_text name, const char *lower) {
  return strlen(lower) == name.length &&
         strncasecmp(name.bytes, lower, name.length) == 0;
}

static inline bool cw_text_blank(char c) { return c == ' ' || c == '\t'; }

/* 'text' without blanks and tabs at both ends. */
cw_text cw_text_trim(cw_text text);

/* Takes the first element, trimmed, and its comma off a list (RFC 9110 section
** 5.6.1). */
cw_text cw_text_element(cw_text *list);

#endif
