/* url: a parsed url, shared by counting references and never changed. Parsed
** by libcurl's URL API. Knows that API, error.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_URL_H
#define CURLEW_URL_H

#include "error.h"

typedef struct cw_url {
  unsigned refs;
  bool https;
  bool inherits_user; /* the userinfo is not in 'text' (cw_url_follow) */
  bool encoded;       /* 'parsed' has more percent-encoding than 'text' */
  char *text;         /* owned: as it was given */
  CURLU *parsed;      /* owned */
  char *zone;         /* owned, libcurl's: of an IPv6 address; NULL: none */
  char *shown;        /* owned, libcurl's: without userinfo, once asked for */
  char *lent;         /* owned: the part that was last asked for */
} cw_url;

/* Parses 'text'; NULL: 'e' says why. Refused with code 'url', even if libcurl
** would accept them: schemes other than http and https, a backslash outside the
** query, control bytes, a missing host. Bytes that are not allowed in a URI are
** percent-encoded in path, query and fragment. The caller owns a reference. */
cw_url *cw_url_new(const char *text, size_t length, cw_error *e);
cw_url *cw_url_retain(cw_url *u);
void cw_url_free(cw_url *u); /* gives a reference back; NULL is fine */

/* The url that 'text' is when it stands in 'base' (RFC 3986 section 5.2), with
** the userinfo of 'base' if it names no host. Refused as by cw_url_new. */
cw_url *cw_url_join(const cw_url *base, const char *text, size_t length,
                    cw_error *e);

/* Where a Location leads from 'base' (RFC 9110 section 10.2.2): joined, with
** the fragment of 'base' unless it has one, and its userinfo if it stays at the
** origin. NULL as above. */
cw_url *cw_url_follow(const cw_url *base, const char *location, size_t length,
                      cw_error *e);

typedef enum cw_url_part {
  CW_URL_SCHEME,
  CW_URL_USER,
  CW_URL_PASSWORD,
  CW_URL_HOST, /* without the brackets of an IPv6 address, with its zone */
  CW_URL_PORT, /* "": not given */
  CW_URL_PATH,
  CW_URL_QUERY,
  CW_URL_FRAGMENT,
  CW_URL_WHOLE,
  CW_URL_PARTS
} cw_url_part;

/* One part of it, lent until the next call; NULL: it has none. */
const char *cw_url_peek(cw_url *u, cw_url_part part);

/* Whether the text begins with "scheme://" (RFC 3986 section 3.1). */
bool cw_url_absolute(const char *text, size_t length);

/* Whether the url has userinfo, which is sent as Basic credentials. */
bool cw_url_userinfo(const cw_url *u);

/* The userinfo as "user:password", percent-decoded. Freed by the caller. NULL:
** the url has none, or out of memory. */
char *cw_url_credentials(const cw_url *u);

/* As text without userinfo, lent; NULL: out of memory. */
const char *cw_url_show(cw_url *u);

/* The same for a message: without its fragment, "?..." for its query, cut where
** it is too long. */
void cw_url_mask(const cw_url *u, char *text, size_t size);

/* Whether both have the same scheme, host and port (RFC 9110 section 4.3.1).
** The zone of an IPv6 address belongs to the host. */
bool cw_url_same_origin(const cw_url *a, const cw_url *b);

/* The number of the zone: as given, or the number of the interface of that
** name; 0: the url has no zone, or there is no such interface. */
unsigned cw_url_scope(const cw_url *u);

/* Its host, cut where it is too long. */
void cw_url_host(const cw_url *u, char *text, size_t size);

#endif
