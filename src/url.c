/* url: a parsed url. Knows libcurl's URL API, error.
** SPDX-License-Identifier: MIT */
#include "url.h"

#include <limits.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "buf.h"
#include "headers.h"
#include "printable.h"
#include "quirks.h"

enum { LONGEST = 1024 * 1024 };

/* Checks ------------------------------------------------------------------ */

static size_t scheme_length(const char *text) {
  return strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                      "0123456789+-.");
}

bool cw_url_absolute(const char *text, size_t length) {
  size_t n = scheme_length(text);
  return n > 0 && n + 3 <= length && memcmp(text + n, "://", 3) == 0;
}

/* Whether curlew percent-encodes the byte: it is not allowed in a URI (RFC 3986
** appendix A). Control bytes are refused before. libcurl 7.88 sends these bytes
** unchanged, and a plus for a space in a query. */
static bool is_encoded(char c) {
  switch (c) {
  case ' ':
  case '"':
  case '<':
  case '>':
  case '\\': /* in a query only: refused anywhere else */
  case '^':
  case '`':
  case '{':
  case '|':
  case '}':
    return true;
  default:
    return false;
  }
}

/* The begin of the path, the query or the fragment. 'text' has a scheme. */
static const char *behind_authority(const char *text) {
  const char *host = strstr(text, "://") + 3;
  return host + strcspn(host, "/?#");
}

/* Some parsers take the text after a backslash for the host, others the text
** before it. A backslash in a query is harmless. */
static bool has_backslash_outside_query(const char *text) {
  size_t before = strcspn(text, "?#");
  const char *fragment = strchr(text + before, '#');
  return memchr(text, '\\', before) || (fragment && strchr(fragment, '\\'));
}

/* The fault of the bytes; NULL: none. '*encoded': some bytes must be
** percent-encoded. */
static const char *byte_fault(const char *text, size_t length, bool *encoded) {
  bool backslash = false;
  for (size_t i = 0; i < length; i++) {
    unsigned char c = (unsigned char)text[i];
    if (c < ' ' || c == 127) return "has a control byte";
    *encoded |= is_encoded(text[i]);
    backslash |= c == '\\';
  }
  return backslash && has_backslash_outside_query(text) ? "has a backslash"
                                                        : NULL;
}

/* A fault that libcurl would accept; NULL: none. libcurl would guess a host
** from "http:/x" and "http:///x". */
static const char *fault(const char *text, size_t length, bool *encoded) {
  if (length > LONGEST) return "is longer than 1 MiB";
  const char *wrong = byte_fault(text, length, encoded);
  if (wrong) return wrong;
  if (!cw_url_absolute(text, length))
    return "has no scheme (http:// or https:// expected)";
  size_t n = scheme_length(text);
  if (!(n == 4 && strncasecmp(text, "http", n) == 0) &&
      !(n == 5 && strncasecmp(text, "https", n) == 0))
    return "has a scheme that is not http or https";
  const char *host = text + n + 3;
  return *host && !strchr("/?#", *host) ? NULL : "has no host";
}

/* How a part is asked for, so that an empty query is one if libcurl sends it.
** Older releases ignore CURLU_GET_EMPTY, and older headers do not know it. */
static unsigned flags_for_parts(void) {
  const unsigned GET_EMPTY = 1u << 14;
  return cw_quirk_is_active(CW_QUIRK_EMPTY_QUERY) ? 0 : GET_EMPTY;
}

static char *part_of(const cw_url *u, CURLUPart part) {
  char *text = NULL;
  curl_url_get(u->parsed, part, &text, flags_for_parts());
  return text;
}

/* Life -------------------------------------------------------------------- */

/* 'text' with such bytes percent-encoded after the authority, and with spaces
** encoded everywhere. A percent sign is kept, so encoded text stays as it is.
** Freed by the caller. */
static char *encode(const char *text, size_t length) {
  static const char hex[] = "0123456789ABCDEF";
  const char *behind = behind_authority(text);
  char *encoded = malloc(length * 3 + 1), *to = encoded;
  for (; encoded && *text; text++) {
    unsigned char c = (unsigned char)*text;
    if (!is_encoded(*text) || (text < behind && c != ' ')) {
      *to++ = *text;
      continue;
    }
    *to++ = '%';
    *to++ = hex[c >> 4];
    *to++ = hex[c & 15];
  }
  if (encoded) *to = '\0';
  return encoded;
}

/* Bytes above 126 are percent-encoded by libcurl. */
static CURLUcode parse(cw_url *u, const char *text, size_t length) {
  char *encoded = u->encoded ? encode(text, length) : NULL;
  u->text = strdup(text);
  u->parsed = curl_url();
  CURLUcode rc = CURLUE_OUT_OF_MEMORY;
  if (u->text && u->parsed && (encoded || !u->encoded))
    rc = curl_url_set(u->parsed, CURLUPART_URL, encoded ? encoded : text,
                      CURLU_URLENCODE);
  free(encoded);
  return rc;
}

cw_url *cw_url_new(const char *text, size_t length, cw_error *e) {
  bool encoded = false;
  const char *wrong = fault(text, length, &encoded);
  if (wrong) {
    cw_error_set(e, CW_ERR_URL, CW_PHASE_REQUEST, "the url %s", wrong);
    return NULL;
  }
  cw_url *u = calloc(1, sizeof *u);
  if (u) u->encoded = encoded;
  CURLUcode rc = u ? parse(u, text, length) : CURLUE_OUT_OF_MEMORY;
  if (rc == CURLUE_OK) {
    u->refs = 1;
    u->https = strncasecmp(text, "https:", 6) == 0;
    if (memchr(text, '[', length)) u->zone = part_of(u, CURLUPART_ZONEID);
    return u;
  }
  if (rc == CURLUE_OUT_OF_MEMORY)
    cw_error_set(e, CW_ERR_MEMORY, CW_PHASE_REQUEST, "out of memory");
  else
    cw_error_set(e, CW_ERR_URL, CW_PHASE_REQUEST, "the url is malformed (%s)",
                 curl_url_strerror(rc));
  if (u) u->refs = 1;
  cw_url_free(u);
  return NULL;
}

cw_url *cw_url_retain(cw_url *u) {
  u->refs++;
  return u;
}

void cw_url_free(cw_url *u) {
  if (!u || --u->refs > 0) return;
  free(u->text);
  curl_url_cleanup(u->parsed);
  curl_free(u->shown);
  curl_free(u->zone);
  free(u->lent);
  free(u);
}

/* An "@" before the path, the query, the fragment. */
bool cw_url_userinfo(const cw_url *u) {
  if (u->inherits_user) return true;
  if (!strchr(u->text, '@')) return false; /* the usual case */
  const char *host = strstr(u->text, "://") + 3;
  return memchr(host, '@', (size_t)(behind_authority(u->text) - host)) != NULL;
}

/* NULL: the url has no such part. Decoding stops at %00, but libcurl refuses
** such a url. */
static char *decoded_part(const cw_url *u, CURLUPart part) {
  char *text = NULL;
  if (curl_url_get(u->parsed, part, &text, 0) != CURLUE_OK) return NULL;
  char *decoded = curl_easy_unescape(NULL, text, 0, NULL);
  curl_free(text);
  return decoded;
}

char *cw_url_credentials(const cw_url *u) {
  char *user = decoded_part(u, CURLUPART_USER);
  char *password = decoded_part(u, CURLUPART_PASSWORD);
  size_t size =
    (user ? strlen(user) : 0) + (password ? strlen(password) : 0) + 2;
  char *both = user || password ? malloc(size) : NULL;
  if (both)
    snprintf(both, size, "%s:%s", user ? user : "", password ? password : "");
  curl_free(user);
  curl_free(password);
  return both;
}

/* libcurl 7.88 forgets an address's zone. */
static CURLU *duplicate(const cw_url *u) {
  CURLU *copy = curl_url_dup(u->parsed);
  if (copy && u->zone) curl_url_set(copy, CURLUPART_ZONEID, u->zone, 0);
  return copy;
}

/* Joined ------------------------------------------------------------------ */

/* A reference, taken apart (RFC 3986 appendix B): what is not there is empty,
** and begins with its mark ("?", "#") when it is. */
typedef struct reference {
  cw_text path, query, fragment;
} reference;

static cw_text until(cw_text *rest, const char *marks) {
  size_t n = 0;
  while (n < rest->length && !strchr(marks, rest->bytes[n]))
    n++;
  cw_text taken = {rest->bytes, n};
  *rest = (cw_text){rest->bytes + n, rest->length - n};
  return taken;
}

static reference take_apart(cw_text text) {
  reference r;
  r.path = until(&text, "?#");
  r.query = until(&text, "#");
  r.fragment = text;
  return r;
}

/* "mailto:x", but not "./a:b" (RFC 3986 section 4.2). */
static bool has_scheme(cw_text text) {
  size_t n = scheme_length(text.bytes);
  bool letter = text.length > 0 && strchr("+-.0123456789", *text.bytes) == NULL;
  return letter && n > 0 && n < text.length && text.bytes[n] == ':';
}

/* "https://user:password@host:port" */
static char *origin_of(const cw_url *u) {
  char *text = NULL;
  CURLU *copy = duplicate(u);
  if (!copy) return NULL;
  curl_url_set(copy, CURLUPART_PATH, NULL, 0);
  curl_url_set(copy, CURLUPART_QUERY, NULL, 0);
  curl_url_set(copy, CURLUPART_FRAGMENT, NULL, 0);
  curl_url_get(copy, CURLUPART_URL, &text, 0);
  curl_url_cleanup(copy);
  size_t n = text ? strlen(text) : 0;
  if (n > 0 && text[n - 1] == '/') text[n - 1] = '\0';
  return text;
}

static bool append(cw_buf *whole, cw_text text) {
  return cw_buf_append(whole, text.bytes, text.length);
}

static bool append_string(cw_buf *whole, const char *text) {
  return cw_buf_append(whole, text, strlen(text));
}

/* The reference's path, behind the last slash of the base's; the base's and its
** query when it has none. libcurl removes the dot segments. */
static bool append_path(cw_buf *whole, const cw_url *base, reference *r) {
  char *path = part_of(base, CURLUPART_PATH);
  char *query = part_of(base, CURLUPART_QUERY);
  bool ok = path != NULL;
  if (ok && r->path.length == 0) {
    ok = append_string(whole, path);
    if (ok && r->query.length == 0 && query)
      ok = append_string(whole, "?") && append_string(whole, query);
  } else if (ok && *r->path.bytes != '/') {
    size_t n = strlen(path);
    while (n > 0 && path[n - 1] != '/')
      n--;
    ok = cw_buf_append(whole, path, n);
  }
  curl_free(path);
  curl_free(query);
  return ok && append(whole, r->path);
}

static bool resolve(cw_buf *whole, const cw_url *base, cw_text text) {
  bool network = text.length > 1 && memcmp(text.bytes, "//", 2) == 0;
  reference r = take_apart(text);
  if (has_scheme(text)) return append(whole, text);
  if (network)
    return append_string(whole, base->https ? "https:" : "http:") &&
           append(whole, text);
  char *origin = origin_of(base);
  bool ok = origin && append_string(whole, origin) &&
            append_path(whole, base, &r) && append(whole, r.query) &&
            append(whole, r.fragment);
  curl_free(origin);
  return ok;
}

cw_url *cw_url_join(const cw_url *base, const char *text, size_t length,
                    cw_error *e) {
  cw_buf whole;
  cw_url *u = NULL;
  cw_buf_init(&whole, 4 * LONGEST);
  if (resolve(&whole, base, (cw_text){text, length}) &&
      cw_buf_append(&whole, "", 1))
    u = cw_url_new(whole.bytes, cw_buf_length(&whole) - 1, e);
  else
    cw_error_set(e, CW_ERR_URL, CW_PHASE_REQUEST, "the url is too long");
  cw_buf_clear(&whole);
  return u;
}

/* What a url without it takes from where it stands. */
static void inherit(cw_url *u, const cw_url *base, CURLUPart what) {
  char *mine = part_of(u, what), *other = mine ? NULL : part_of(base, what);
  if (other) curl_url_set(u->parsed, what, other, 0);
  curl_free(mine);
  curl_free(other);
}

cw_url *cw_url_follow(const cw_url *base, const char *location, size_t length,
                      cw_error *e) {
  char *text = strndup(location, length);
  cw_url *u = NULL;
  if (!text)
    cw_error_set(e, CW_ERR_MEMORY, CW_PHASE_REQUEST, "out of memory");
  else if (strlen(text) < length)
    cw_error_set(e, CW_ERR_URL, CW_PHASE_REQUEST, "the url has a NUL byte");
  else
    u = cw_url_join(base, text, length, e);
  free(text);
  if (!u) return NULL;
  /* libcurl says of an empty one that there is none */
  if (!memchr(location, '#', length)) inherit(u, base, CURLUPART_FRAGMENT);
  if (cw_url_same_origin(u, base) && !cw_url_userinfo(u)) {
    inherit(u, base, CURLUPART_USER);
    inherit(u, base, CURLUPART_PASSWORD);
    u->inherits_user = cw_url_userinfo(base);
  }
  return u;
}

/* Its parts --------------------------------------------------------------- */

/* "[fe80::1]" with the zone "eth0" is "fe80::1%eth0". */
static char *host_part(const cw_url *u) {
  const char *zone = u->zone;
  char *host = part_of(u, CURLUPART_HOST);
  size_t size = (host ? strlen(host) : 0) + (zone ? strlen(zone) : 0) + 2;
  char *text = host ? malloc(size) : NULL;
  bool six = host && *host == '[';
  if (text)
    snprintf(text, size, "%.*s%s%s", (int)strlen(host) - 2 * six, host + six,
             zone ? "%" : "", zone ? zone : "");
  curl_free(host);
  return text;
}

static char *copy_of_part(const cw_url *u, CURLUPart part) {
  char *text = part_of(u, part);
  char *copy = text ? strdup(text) : NULL;
  curl_free(text);
  return copy;
}

const char *cw_url_peek(cw_url *u, cw_url_part part) {
  static const CURLUPart parts[CW_URL_PARTS] = {
    [CW_URL_SCHEME] = CURLUPART_SCHEME,
    [CW_URL_USER] = CURLUPART_USER,
    [CW_URL_PASSWORD] = CURLUPART_PASSWORD,
    [CW_URL_HOST] = CURLUPART_HOST,
    [CW_URL_PORT] = CURLUPART_PORT,
    [CW_URL_PATH] = CURLUPART_PATH,
    [CW_URL_QUERY] = CURLUPART_QUERY,
    [CW_URL_FRAGMENT] = CURLUPART_FRAGMENT,
    [CW_URL_WHOLE] = CURLUPART_URL,
  };
  free(u->lent);
  u->lent = part == CW_URL_HOST ? host_part(u) : copy_of_part(u, parts[part]);
  return u->lent;
}

/* As text ----------------------------------------------------------------- */

static void hide_userinfo(CURLU *url) {
  curl_url_set(url, CURLUPART_USER, NULL, 0);
  curl_url_set(url, CURLUPART_PASSWORD, NULL, 0);
}

static void hide_query(CURLU *url) {
  char *query = NULL;
  if (curl_url_get(url, CURLUPART_QUERY, &query, 0) == CURLUE_OK)
    curl_url_set(url, CURLUPART_QUERY, "...", 0);
  curl_free(query);
}

const char *cw_url_show(cw_url *u) {
  CURLU *copy = u->shown ? NULL : duplicate(u);
  if (!copy) return u->shown;
  hide_userinfo(copy);
  curl_url_get(copy, CURLUPART_URL, &u->shown, 0);
  curl_url_cleanup(copy);
  return u->shown;
}

void cw_url_mask(const cw_url *u, char *text, size_t size) {
  char *whole = NULL;
  CURLU *copy = duplicate(u);
  if (copy) {
    hide_userinfo(copy);
    hide_query(copy);
    curl_url_set(copy, CURLUPART_FRAGMENT, NULL, 0);
    curl_url_get(copy, CURLUPART_URL, &whole, 0);
  }
  curl_url_cleanup(copy);
  snprintf(text, size, "%s", whole ? whole : "?");
  cw_printable(text); /* libcurl accepts any byte in a host or a zone */
  curl_free(whole);
}

static bool same_part(const cw_url *a, const cw_url *b, CURLUPart part) {
  char *mine = NULL, *theirs = NULL;
  curl_url_get(a->parsed, part, &mine, CURLU_DEFAULT_PORT);
  curl_url_get(b->parsed, part, &theirs, CURLU_DEFAULT_PORT);
  bool same = mine && theirs && strcasecmp(mine, theirs) == 0;
  curl_free(mine);
  curl_free(theirs);
  return same;
}

static bool same_zone(const cw_url *a, const cw_url *b) {
  if (!a->zone || !b->zone) return a->zone == b->zone;
  return strcmp(a->zone, b->zone) == 0;
}

bool cw_url_same_origin(const cw_url *a, const cw_url *b) {
  if (a == b) return true;
  return a->https == b->https && same_zone(a, b) &&
         same_part(a, b, CURLUPART_HOST) && same_part(a, b, CURLUPART_PORT);
}

unsigned cw_url_scope(const cw_url *u) {
  if (!u->zone) return 0;
  char *end;
  unsigned long number = strtoul(u->zone, &end, 10);
  return *end || number > UINT_MAX ? if_nametoindex(u->zone) : (unsigned)number;
}

void cw_url_host(const cw_url *u, char *text, size_t size) {
  char *host = NULL;
  curl_url_get(u->parsed, CURLUPART_HOST, &host, 0);
  snprintf(text, size, "%s", host ? host : "?");
  curl_free(host);
}
