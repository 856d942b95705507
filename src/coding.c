/* coding: names in Content-Encoding that stand for no coding. Knows headers.
** SPDX-License-Identifier: MIT */
#include "coding.h"

/* An empty list element counts as none (RFC 9110 section 5.6.1); "identity"
** comes from RFC 2616. The other names are a charset, a value of
** Content-Transfer-Encoding, and a name that S3 keeps although it has removed
** the framing of the upload. */
bool cw_coding_is_none(cw_text name) {
  static const char *const none[] = {"",      "identity", "none",
                                     "utf-8", "binary",   "aws-chunked"};
  for (size_t i = 0; i < sizeof none / sizeof *none; i++)
    if (cw_text_is(name, none[i])) return true;
  return false;
}
