/* digest: digest authentication (RFC 7616): reads the challenges of a 401,
** chooses one and computes the answer. Does no I/O. Knows buf, headers,
** libcrypto.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_DIGEST_H
#define CURLEW_DIGEST_H

#include <stdbool.h>
#include <stdint.h>

#include "headers.h"

typedef enum cw_digest_hash {
  CW_DIGEST_MD5,
  CW_DIGEST_SHA256,
  CW_DIGEST_SHA512_256
} cw_digest_hash;

/* Quality of protection: what the answer covers. */
typedef enum cw_digest_qop {
  CW_DIGEST_NO_QOP,  /* RFC 2069: method and uri, without a nonce of ours */
  CW_DIGEST_AUTH,    /* method and uri */
  CW_DIGEST_AUTH_INT /* method, uri and content */
} cw_digest_qop;

/* A challenge that can be answered. */
typedef struct cw_digest {
  char *realm, *nonce, *opaque; /* owned, unescaped; no opaque: NULL */
  cw_digest_hash hash;
  cw_digest_qop qop;
  bool names_hash; /* the challenge has an algorithm parameter */
  bool session;    /* a "-sess" algorithm: the key depends on both nonces */
  bool stale;      /* only the nonce of the last answer was wrong */
  bool userhash;   /* the user name is sent as its hash */
  bool utf8;       /* the server reads user names as UTF-8 */
  uint32_t count;  /* how often the nonce was used */
} cw_digest;

/* The request that is authenticated. 'uri' is the request target without scheme
** and host. */
typedef struct cw_digest_ask {
  const char *credentials; /* "user:password"; the user has no colon */
  const char *method, *uri;
  cw_text content; /* of CW_DIGEST_AUTH_INT */
} cw_digest_ask;

/* The strongest challenge in the WWW-Authenticate lines of 'h' that can be
** answered; among equals the first. Without 'knows_content' CW_DIGEST_AUTH_INT
** cannot. The caller owns it. NULL: there is none, or out of memory. */
cw_digest *cw_digest_choose(const cw_headers *h, bool knows_content);
void cw_digest_free(cw_digest *d); /* NULL is fine */

/* The value of Authorization that answers 'd', and counts one more use of its
** nonce. 'cnonce' is the client's nonce, at most CW_DIGEST_CNONCE - 1 bytes of
** base64 or hexadecimal; NULL: a random one. Freed by the caller. NULL: out of
** memory, or libcrypto refuses the hash. */
enum { CW_DIGEST_CNONCE = 65 };
char *cw_digest_answer(cw_digest *d, const cw_digest_ask *ask,
                       const char *cnonce);

#endif
