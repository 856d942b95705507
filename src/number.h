/* number: a number as text that reads back as the same number. Pure. Knows
** libc.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_NUMBER_H
#define CURLEW_NUMBER_H

enum { CW_NUMBER_TEXT = 40 };

/* Writes the finite 'number' with the fewest digits that read back as the same
** double: "0.1", "2", "1e+100". The decimal point is a dot in every locale. */
void cw_number_print(double number, char text[CW_NUMBER_TEXT]);

#endif
