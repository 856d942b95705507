/* scan: where what a reader asked for ends. Knows libc.
** SPDX-License-Identifier: MIT */
#include "scan.h"

#include <ctype.h>
#include <locale.h>
#include <string.h>

/* A numeral as far as it has been seen. */
typedef struct numeral {
  const char *bytes;
  size_t n, at;
  bool cut;      /* came to the end of the bytes */
  bool too_long; /* one byte more belonged to it */
} numeral;

/* The next byte; '\0', which belongs to no numeral, at the end. */
static char look(numeral *s) {
  if (s->at < s->n) return s->bytes[s->at];
  s->cut = true;
  return '\0';
}

static bool take(numeral *s) {
  s->too_long |= s->at == CW_NUMERAL_MAX;
  if (s->too_long) return false;
  s->at++;
  return true;
}

/* Takes one byte of the set, if it is the next. */
static bool one_of(numeral *s, const char *set) {
  char c = look(s);
  return c && strchr(set, c) && take(s);
}

static int digits(numeral *s, bool hex) {
  int count = 0;
  for (;; count++) {
    unsigned char c = (unsigned char)look(s);
    if (!(hex ? isxdigit(c) : isdigit(c)) || !take(s)) return count;
  }
}

/* [-+] (0x)? digits (. digits)? ([eE] or [pP] [-+] digits)?, in the words of
** the manual's section 3.1; the point is the locale's or a dot, as io has it */
static void numeral_from(numeral *s) {
  const char point[] = {*localeconv()->decimal_point, '.', '\0'};
  int count = 0;
  bool hex = false;
  one_of(s, "-+");
  if (one_of(s, "0")) {
    hex = one_of(s, "xX");
    count = !hex;
  }
  count += digits(s, hex);
  if (one_of(s, point)) count += digits(s, hex);
  if (count > 0 && one_of(s, hex ? "pP" : "eE")) {
    one_of(s, "-+");
    digits(s, false);
  }
}

bool cw_scan_numeral(const char *bytes, size_t n, bool last,
                     cw_numeral *found) {
  numeral s = {.bytes = bytes, .n = n};
  numeral_from(&s);
  *found = (cw_numeral){.length = s.at, .fits = !s.too_long};
  return last || !s.cut;
}

size_t cw_scan_space(const char *bytes, size_t n) {
  size_t i = 0;
  while (i < n && isspace((unsigned char)bytes[i]))
    i++;
  return i;
}
