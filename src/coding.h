/* coding: names in Content-Encoding that stand for no coding. Pure. Knows
** headers.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_CODING_H
#define CURLEW_CODING_H

#include "headers.h"

/* Whether a body with this coding is read as it came: an empty element of the
** list, "identity", and names that servers put there although they change
** nothing. */
bool cw_coding_is_none(cw_text name);

#endif
