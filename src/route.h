/* route: which way a request goes: through which proxies, and to which address
** instead of its host's. Checks and compiles; sets nothing. Knows the
** environment's proxies, libcurl's URL API, headers.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_ROUTE_H
#define CURLEW_ROUTE_H

#include <curl/curl.h>
#include <stdbool.h>

#include "headers.h"

/* What is wrong with a proxy's url, NULL: nothing. Nothing of the url is in
** it, for that may hold a password. */
const char *cw_route_proxy_fault(const char *text);

/* The port of a proxy url that has no fault. */
int cw_route_proxy_port(const char *text);

/* Whether there is a proxy in the environment, for whatever host. */
bool cw_route_environment(void);

/* Why libcurl would silently ignore the proxy that the environment has for this
** scheme; NULL: it would not, or there is none. */
const char *cw_route_environment_fault(bool https);

/* The hosts that the environment's proxies are not for: this machine itself,
** those of no_proxy, those of the entries 'pinned' (or NULL). NULL: out of
** memory; freed by the caller. */
char *cw_route_exempt(const cw_headers *pinned);

/* Whether 'host', as written in a url, is this machine: localhost and names
** below it, a loopback address, the unspecified address, either of them mapped
** into IPv6, or the name that gethostname returns. Each may end with a dot. No
** proxy of the environment is used for these. */
bool cw_route_is_this_machine(const char *host);

enum { CW_ROUTE_TEXT = 320 };

/* One side of an entry of the option resolve in its one form, into 'out' of
** CW_ROUTE_TEXT bytes: the host ("h", "h:80", "::1", "[::1]:80") or its address
** (the same, in digits), each with a colon at its end when there is no port.
** What is wrong with it; NULL: nothing. */
const char *cw_route_host(cw_text text, char *out);
const char *cw_route_address(cw_text text, char *out);

/* Entries in that form (a value removed, as cw_field_removed: none) for
** CURLOPT_CONNECT_TO, those with a port first: the first that fits is taken.
** False: out of memory, '*lines' is to be freed as it is. */
bool cw_route_compile(const cw_headers *entries, struct curl_slist **lines);

#endif
