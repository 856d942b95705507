/* pem: PEM text (RFC 7468), given as such or as the path of a file of it, put
** together to one text. Knows libc, buf, descriptor, error.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_PEM_H
#define CURLEW_PEM_H

#include <stdbool.h>

#include "error.h"

/* What has to be in a text. */
typedef enum cw_pem { CW_PEM_CERTIFICATE, CW_PEM_KEY } cw_pem;

/* Whether it is PEM text; what is not is a path. */
bool cw_pem_is(const char *text);

/* Whether PEM text has such a thing in it, and whether a key of it is encrypted
** (RFC 7468 section 11, RFC 1421 section 4.6.1.1). */
bool cw_pem_has(const char *text, cw_pem what);
bool cw_pem_encrypted(const char *text);

/* Why libcurl should not read PEM text at 'path', which may be a folder: the
** read could wait, and everything else would wait with it. NULL: it may. */
const char *cw_pem_path_fault(const char *path);

/* Puts what is given, PEM text or the path of a file of it, behind '*text',
** which the caller owns (NULL: it is empty). False: 'e' says what is wrong, and
** '*text' is as it was. No part of a text is told, and of a key not even its
** path: that may be a key which is no PEM text. */
bool cw_pem_add(char **text, const char *given, cw_pem what, cw_error *e);

#endif
