/* trace: what happens on the wire as lines of text, without secrets and bodies.
** Knows libcurl's debug data, request.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_TRACE_H
#define CURLEW_TRACE_H

#include "request.h"

/* Writes what libcurl tells of a transfer of 'r' to the descriptor 'fd', as the
** curl tool's -v does: "*" what it does, ">" and "<" header lines. What is
** secret shows as "***", a query as "?...". */
void cw_trace_write(int fd, const cw_request *r, curl_infotype type,
                    const char *data, size_t n);

#endif
