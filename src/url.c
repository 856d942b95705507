/* url: a parsed url. Knows libcurl's URL API, error.
** SPDX-License-Identifier: MIT */
#include "url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

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

/* What is wrong with it that libcurl would not mind; NULL: nothing. It would
** guess a host out of "http:/x" and "http:///x", and takes what follows a
** backslash for the host. */
static const char *fault(const char *text, size_t length) {
  if (length > LONGEST) return "is longer than 1 MiB";
  for (size_t i = 0; i < length; i++) {
    unsigned char c = (unsigned char)text[i];
    if (c == '\\') return "has a backslash";
    if (c < ' ' || c == 127) return "has a control byte";
  }
  if (!cw_url_absolute(text, length))
    return "has no scheme (http:// or https:// expected)";
  size_t n = scheme_length(text);
  if (!(n == 4 && strncasecmp(text, "http", n) == 0) &&
      !(n == 5 && strncasecmp(text, "https", n) == 0))
    return "has a scheme that is not http or https";
  const char *host = text + n + 3;
  return *host && !strchr("/?#", *host) ? NULL : "has no host";
}

/* Life -------------------------------------------------------------------- */

/* 'text' with its spaces percent-encoded: libcurl would write a plus for those
** of a query. Freed by the caller. */
static char *encode_spaces(const char *text, size_t length) {
  char *encoded = malloc(length * 3 + 1), *to = encoded;
  for (; encoded && *text; text++) {
    if (*text == ' ')
      to = (char *)memcpy(to, "%20", 3) + 3;
    else
      *to++ = *text;
  }
  if (encoded) *to = '\0';
  return encoded;
}

/* Bytes above 126 are percent-encoded by libcurl. */
static CURLUcode parse(cw_url *u, const char *text, size_t length) {
  bool spaces = strchr(text, ' ') != NULL;
  char *encoded = spaces ? encode_spaces(text, length) : NULL;
  u->text = strdup(text);
  u->parsed = curl_url();
  CURLUcode rc = CURLUE_OUT_OF_MEMORY;
  if (u->text && u->parsed && (encoded || !spaces))
    rc = curl_url_set(u->parsed, CURLUPART_URL, encoded ? encoded : text,
                      CURLU_URLENCODE);
  free(encoded);
  return rc;
}

cw_url *cw_url_new(const char *text, size_t length, cw_error *e) {
  const char *wrong = fault(text, length);
  if (wrong) {
    cw_error_set(e, CW_ERR_URL, CW_PHASE_REQUEST, "the url %s", wrong);
    return NULL;
  }
  cw_url *u = calloc(1, sizeof *u);
  CURLUcode rc = u ? parse(u, text, length) : CURLUE_OUT_OF_MEMORY;
  if (rc == CURLUE_OK) {
    u->refs = 1;
    u->https = strncasecmp(text, "https:", 6) == 0;
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
  free(u);
}

/* Relations --------------------------------------------------------------- */

static char *part_of(const cw_url *u, CURLUPart what) {
  char *text = NULL;
  curl_url_get(u->parsed, what, &text, CURLU_DEFAULT_PORT);
  return text;
}

static bool same_part(const cw_url *a, const cw_url *b, CURLUPart what) {
  char *mine = part_of(a, what), *other = part_of(b, what);
  bool same = mine && other && strcasecmp(mine, other) == 0;
  curl_free(mine);
  curl_free(other);
  return same;
}

bool cw_url_same_origin(const cw_url *a, const cw_url *b) {
  return a->https == b->https && same_part(a, b, CURLUPART_HOST) &&
         same_part(a, b, CURLUPART_PORT);
}

/* "scheme:", whatever follows. */
static bool has_scheme(const char *text, size_t length) {
  size_t n = scheme_length(text);
  bool letter =
    (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z');
  return letter && n < length && text[n] == ':';
}

/* What is wrong with a reference that libcurl would not mind; NULL: nothing. */
static const char *reference_fault(const char *ref, size_t length) {
  if (strlen(ref) < length) return "it holds a NUL byte";
  if (strchr(ref, '\\')) return "it has a backslash";
  bool no_host = strncmp(ref, "//", 2) == 0 && strchr("/?#", ref[2]);
  return no_host ? "it has no host" : NULL;
}

/* The reference resolved, as text; freed by curl_free. NULL: '*wrong'. */
static char *resolve(const cw_url *base, const char *ref, const char **wrong) {
  char *whole = NULL;
  CURLU *copy = curl_url_dup(base->parsed);
  CURLUcode rc = copy ? CURLUE_OK : CURLUE_OUT_OF_MEMORY;
  if (!rc) rc = curl_url_set(copy, CURLUPART_FRAGMENT, NULL, 0);
  if (!rc) rc = curl_url_set(copy, CURLUPART_URL, ref, CURLU_URLENCODE);
  if (!rc) rc = curl_url_get(copy, CURLUPART_URL, &whole, 0);
  curl_url_cleanup(copy);
  if (rc) *wrong = curl_url_strerror(rc);
  return whole;
}

/* What a reference without it takes from where it stands. */
static void inherit(cw_url *u, const cw_url *base, CURLUPart what) {
  char *mine = part_of(u, what), *other = mine ? NULL : part_of(base, what);
  if (other) curl_url_set(u->parsed, what, other, 0);
  curl_free(mine);
  curl_free(other);
}

static cw_url *follow(const cw_url *base, const char *ref, size_t length,
                      cw_error *e) {
  const char *wrong = reference_fault(ref, length);
  bool absolute = has_scheme(ref, length);
  char *whole = wrong || absolute ? NULL : resolve(base, ref, &wrong);
  if (wrong) cw_error_set(e, CW_ERR_URL, CW_PHASE_REQUEST, "%s", wrong);
  const char *text = absolute ? ref : whole;
  cw_url *u = wrong ? NULL : cw_url_new(text, strlen(text), e);
  curl_free(whole);
  return u;
}

cw_url *cw_url_follow(const cw_url *base, const char *location, size_t length,
                      cw_error *e) {
  char *ref = strndup(location, length);
  cw_url *u = ref ? follow(base, ref, length, e) : NULL;
  if (!ref) cw_error_set(e, CW_ERR_MEMORY, CW_PHASE_REQUEST, "out of memory");
  free(ref);
  if (!u) return NULL;
  inherit(u, base, CURLUPART_FRAGMENT);
  if (cw_url_same_origin(u, base)) {
    inherit(u, base, CURLUPART_USER);
    inherit(u, base, CURLUPART_PASSWORD);
  }
  return u;
}

/* An "@" before the path, the query, the fragment. */
bool cw_url_userinfo(const cw_url *u) {
  const char *host = strstr(u->text, "://") + 3;
  return memchr(host, '@', strcspn(host, "/?#")) != NULL;
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
  CURLU *copy = u->shown ? NULL : curl_url_dup(u->parsed);
  if (!copy) return u->shown;
  hide_userinfo(copy);
  curl_url_get(copy, CURLUPART_URL, &u->shown, 0);
  curl_url_cleanup(copy);
  return u->shown;
}

void cw_url_mask(const cw_url *u, char *text, size_t size) {
  char *whole = NULL;
  CURLU *copy = curl_url_dup(u->parsed);
  if (copy) {
    hide_userinfo(copy);
    hide_query(copy);
    curl_url_set(copy, CURLUPART_FRAGMENT, NULL, 0);
    curl_url_get(copy, CURLUPART_URL, &whole, 0);
  }
  curl_url_cleanup(copy);
  snprintf(text, size, "%s", whole ? whole : "?");
  curl_free(whole);
}

void cw_url_host(const cw_url *u, char *text, size_t size) {
  char *host = NULL;
  curl_url_get(u->parsed, CURLUPART_HOST, &host, 0);
  snprintf(text, size, "%s", host ? host : "?");
  curl_free(host);
}
