/* request: what is asked. Knows libcurl's URLs.
** SPDX-License-Identifier: MIT */
#include "request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "buf.h"

enum { URL_MAX = 1024 * 1024 };

void cw_request_init(cw_request *r, cw_settings *defaults) {
  cw_settings_init(&r->own);
  r->defaults = cw_settings_retain(defaults);
  r->url = NULL;
  r->text = NULL;
}

void cw_request_clear(cw_request *r) {
  cw_settings_clear(&r->own);
  cw_settings_free(r->defaults);
  curl_url_cleanup(r->url);
  curl_free(r->text);
  r->defaults = NULL;
  r->url = NULL;
  r->text = NULL;
}

/* Whether the text begins with a scheme: "name://". RFC 3986 section 3.1. */
static bool has_scheme(const char *url, size_t length) {
  size_t n = strspn(url, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                         "0123456789+-.");
  return n > 0 && n + 3 <= length && memcmp(url + n, "://", 3) == 0;
}

/* libcurl would guess a host out of "http:/x" and "http:///x". */
static bool has_host(const char *url) {
  const char *host = strstr(url, "://") + 3;
  return *host && !strchr("/?#", *host);
}

/* What is wrong with the bytes of an absolute url; NULL: nothing. */
static const char *fault(const char *url, size_t length) {
  for (size_t i = 0; i < length; i++) {
    unsigned char c = (unsigned char)url[i];
    if (c == '\\') return "has a backslash";
    if (c < ' ' || c == 127) return "has a control byte";
  }
  if (length > URL_MAX) return "is longer than 1 MiB";
  if (!has_scheme(url, length))
    return "has no scheme (http:// or https:// expected)";
  if (strncasecmp(url, "http://", 7) != 0 &&
      strncasecmp(url, "https://", 8) != 0)
    return "has a scheme that is not http or https";
  return has_host(url) ? NULL : "has no host";
}

static bool parse(cw_request *r, const char *url, size_t length, cw_error *e) {
  const char *wrong = fault(url, length);
  if (wrong) {
    cw_error_set(e, CW_ERR_URL, CW_PHASE_REQUEST, "the url %s", wrong);
    return false;
  }
  if (!r->url && !(r->url = curl_url())) {
    cw_error_set(e, CW_ERR_MEMORY, CW_PHASE_REQUEST, "out of memory");
    return false;
  }
  /* spaces and bytes above 126 in path and query are percent-encoded */
  CURLUcode rc = curl_url_set(r->url, CURLUPART_URL, url, CURLU_URLENCODE);
  if (rc == CURLUE_OK) return true;
  curl_url_cleanup(r->url);
  r->url = NULL;
  cw_error_set(e, rc == CURLUE_OUT_OF_MEMORY ? CW_ERR_MEMORY : CW_ERR_URL,
               CW_PHASE_REQUEST, "the url is malformed (%s)",
               curl_url_strerror(rc));
  return false;
}

/* base_url .. "/" .. url, with exactly one slash between. */
static bool join(cw_buf *whole, const char *base, const char *url,
                 size_t length) {
  size_t n = strlen(base);
  while (n > 0 && base[n - 1] == '/')
    n--;
  bool bare = length == 0 || strchr("/?#", *url);
  return cw_buf_append(whole, base, n) &&
         cw_buf_append(whole, "/", bare ? 0 : 1) &&
         cw_buf_append(whole, url, length) && cw_buf_append(whole, "", 1);
}

bool cw_request_set_url(cw_request *r, const char *url, size_t length,
                        cw_error *e) {
  const cw_value *base =
    cw_settings_find(&r->own, r->defaults, CW_OPT_BASE_URL);
  if (!base || has_scheme(url, length)) return parse(r, url, length, e);
  cw_buf whole;
  cw_buf_init(&whole, (size_t)URL_MAX * 2);
  bool ok = join(&whole, base->text, url, length);
  if (ok)
    ok = parse(r, whole.bytes, cw_buf_length(&whole) - 1, e);
  else
    cw_error_set(e, CW_ERR_URL, CW_PHASE_REQUEST, "the url is too long");
  cw_buf_clear(&whole);
  return ok;
}

const char *cw_request_method(const cw_request *r) {
  const cw_value *method =
    cw_settings_find(&r->own, r->defaults, CW_OPT_METHOD);
  return method ? method->text : "GET";
}

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

const char *cw_request_url(cw_request *r) {
  if (r->text || !r->url) return r->text;
  CURLU *copy = curl_url_dup(r->url);
  if (!copy) return NULL;
  hide_userinfo(copy);
  curl_url_get(copy, CURLUPART_URL, &r->text, 0);
  curl_url_cleanup(copy);
  return r->text;
}

/* Takes 'url', which may be NULL. */
static void mask(CURLU *url, char *text, size_t size) {
  char *whole = NULL;
  if (url) {
    hide_userinfo(url);
    hide_query(url);
    curl_url_set(url, CURLUPART_FRAGMENT, NULL, 0);
    curl_url_get(url, CURLUPART_URL, &whole, 0);
  }
  curl_url_cleanup(url);
  snprintf(text, size, "%s", whole ? whole : "?");
  curl_free(whole);
}

bool cw_request_masked_url(const cw_request *r, char *text, size_t size) {
  mask(r->url ? curl_url_dup(r->url) : NULL, text, size);
  return r->url != NULL;
}

void cw_url_mask(const char *url, char *text, size_t size) {
  CURLU *parsed = curl_url();
  if (parsed && curl_url_set(parsed, CURLUPART_URL, url, 0) != CURLUE_OK) {
    curl_url_cleanup(parsed);
    parsed = NULL;
  }
  mask(parsed, text, size);
}

void cw_request_host(const cw_request *r, char *text, size_t size) {
  char *host = NULL;
  if (r->url) curl_url_get(r->url, CURLUPART_HOST, &host, 0);
  snprintf(text, size, "%s", host ? host : "?");
  curl_free(host);
}

bool cw_request_https(const cw_request *r) {
  char *scheme = NULL;
  bool https =
    r->url && curl_url_get(r->url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
    strcasecmp(scheme, "https") == 0;
  curl_free(scheme);
  return https;
}
