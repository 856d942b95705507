/* coding: names in Content-Encoding that stand for no coding. Knows headers.
** SPDX-License-Identifier: MIT */
#include "coding.h"

/* RFC 9110 section 5.6.1: an empty element is none; identity is of RFC 2616.
** The others are a charset, a value of Content-Transfer-Encoding, and what S3
** keeps of an upload whose framing it has undone. */
bool cw_coding_is_none(cw_text name) {
  static const char *const none[] = {"",      "identity", "none",
                                     "utf-8", "binary",   "aws-chunked"};
  for (size_t i = 0; i < sizeof none / sizeof *none; i++)
    if (cw_text_is(name, none[i])) return true;
  return false;
}
