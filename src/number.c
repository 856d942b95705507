/* number: a number as text. Knows libc.
** SPDX-License-Identifier: MIT */
#include "number.h"

#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* snprintf and strtod use the decimal point of the same locale. */
static bool reads_back(double number, int digits, char *text) {
  snprintf(text, CW_NUMBER_TEXT, "%.*g", digits, number);
  return strtod(text, NULL) == number;
}

static void use_dot(char *text) {
  const char *point = localeconv()->decimal_point;
  size_t n = strlen(point);
  char *at = n > 0 ? strstr(text, point) : NULL;
  if (!at) return;
  *at = '.';
  memmove(at + 1, at + n, strlen(at + n) + 1);
}

/* Begins with 15 digits for a normal number: every text of 15 digits survives
** the conversion, and "%g" omits zeros at the end. */
void cw_number_print(double number, char text[CW_NUMBER_TEXT]) {
  int digits = fabs(number) < DBL_MIN ? 1 : DBL_DIG;
  while (!reads_back(number, digits, text) && digits < DBL_DECIMAL_DIG)
    digits++;
  use_dot(text);
}
