/* coding: names in Content-Encoding that stand for no coding. Pure. Knows
** headers.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_CODING_H
#define CURLEW_CODING_H

#include "headers.h"

/* Whether a name in Content-Encoding stands for no coding: an empty element,
** "identity", and names that servers send although they change nothing. */
bool cw_coding_is_none(cw_text name);

#endif
