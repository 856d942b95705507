/* request: what is asked. Knows option, url.
** SPDX-License-Identifier: MIT */
#include "request.h"

#include <string.h>

#include "buf.h"

void cw_request_init(cw_request *r, cw_settings *defaults) {
  cw_settings_init(&r->own);
  r->defaults = cw_settings_retain(defaults);
  r->url = NULL;
}

void cw_request_clear(cw_request *r) {
  cw_settings_clear(&r->own);
  cw_settings_free(r->defaults);
  cw_url_free(r->url);
  r->defaults = NULL;
  r->url = NULL;
}

/* To parse a url costs a tenth of a small request. */
static bool set(cw_request *r, const char *url, size_t length, cw_url **last,
                cw_error *e) {
  /* a url that holds a NUL is none, whatever stands before it */
  if (*last && strcmp((*last)->text, url) == 0 && strlen(url) == length) {
    r->url = cw_url_retain(*last);
    return true;
  }
  r->url = cw_url_new(url, length, e);
  if (!r->url) return false;
  cw_url_free(*last);
  *last = cw_url_retain(r->url);
  return true;
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
                        cw_url **last, cw_error *e) {
  enum { LONGEST = 2 * 1024 * 1024 };
  const cw_value *base =
    cw_settings_find(&r->own, r->defaults, CW_OPT_BASE_URL);
  if (!base || cw_url_absolute(url, length))
    return set(r, url, length, last, e);
  cw_buf whole;
  cw_buf_init(&whole, LONGEST);
  bool ok = join(&whole, base->text, url, length);
  if (ok)
    ok = set(r, whole.bytes, cw_buf_length(&whole) - 1, last, e);
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
