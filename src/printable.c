/* printable: text without control characters. Knows UTF-8.
** SPDX-License-Identifier: MIT */
#include "printable.h"

#include <stdint.h>

static int sequence_length(unsigned char first) {
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first < 0xe0) return 2;
  if (first >= 0xe0 && first < 0xf0) return 3;
  return first >= 0xf0 && first < 0xf5 ? 4 : 0;
}

/* Decodes the character at 'text' and returns its length; 0: the bytes are not
** UTF-8. */
static int decode(const char *text, uint32_t *character) {
  static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  unsigned char first = (unsigned char)*text;
  int n = sequence_length(first);
  uint32_t c = n == 1 ? first : first & (0x7fU >> n);
  for (int i = 1; i < n; i++) {
    unsigned char next = (unsigned char)text[i];
    if ((next & 0xc0) != 0x80) return 0;
    c = c << 6 | (next & 0x3f);
  }
  *character = c;
  return n && c >= least[n] && c <= 0x10ffff ? n : 0;
}

static int is_control(uint32_t c) {
  return c < 0x20 || (c >= 0x7f && c < 0xa0);
}

void cw_printable(char *text) {
  while (*text) {
    uint32_t c;
    int n = decode(text, &c);
    int shown = n && !is_control(c);
    for (int i = 0; i < (n ? n : 1); i++, text++)
      if (!shown) *text = '?';
  }
}
