/* tls: what the options of TLS come to when they are taken together: which of
** them contradict each other, and what a failed handshake had to do with them.
** Knows error, pem, settings.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_TLS_H
#define CURLEW_TLS_H

#include "error.h"
#include "settings.h"

/* What is wrong with the options, in a sentence that names one; NULL: nothing.
 */
const char *cw_tls_conflict(const cw_settings *own,
                            const cw_settings *defaults);

/* Has an error that libcurl made of a handshake say which option it is about.
** 'verified' is what libcurl gives as the result of the verification. */
void cw_tls_explain(cw_error *e, long verified, const cw_settings *own,
                    const cw_settings *defaults);

#endif
