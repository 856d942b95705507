/* parameter: field values of the form 'value; name=value; name="value"' (RFC
** 9110 section 5.6.6), taken apart, and the name that Content-Disposition gives
** a file. Pure. Knows buf, headers.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_PARAMETER_H
#define CURLEW_PARAMETER_H

#include "buf.h"
#include "headers.h"

/* What stands before the first semicolon, without blanks around it. */
cw_text cw_parameter_value(cw_text field);

/* Appends the value of the first parameter called 'name' (lower case) to
** 'value', without quotes. False: there is none, or no room for it. */
bool cw_parameter_find(cw_text field, const char *name, cw_buf *value);

/* Appends the file name that a Content-Disposition suggests (RFC 6266): its
** last part only, since a server has no say about folders. False: none that
** can be used. */
bool cw_parameter_filename(cw_text field, cw_buf *name);

#endif
