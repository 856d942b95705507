/* request: what is asked. Knows content, digest, settings, url.
** SPDX-License-Identifier: MIT */
#include "request.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "descriptor.h"

void cw_request_init(cw_request *r, cw_settings *defaults, cw_error *error) {
  cw_settings_init(&r->own);
  cw_content_init(&r->content, error);
  r->defaults = cw_settings_retain(defaults);
  r->rounds = (cw_rounds){.over = 0};
  r->url = NULL;
  r->elsewhere = false;
  r->trace = -1;
}

void cw_request_end_rounds(cw_request *r) {
  cw_digest_free(r->rounds.digest);
  free(r->rounds.answer);
  r->rounds = (cw_rounds){.over = 0};
}

void cw_request_clear(cw_request *r) {
  cw_request_end_rounds(r);
  cw_settings_clear(&r->own);
  cw_content_clear(&r->content);
  if (r->trace >= 0) close(r->trace);
  r->trace = -1;
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

/* Whether an absolute url leads away from the base. */
static bool leaves(const cw_request *r, const char *base) {
  cw_error ignored = {.code = CW_OK};
  cw_url *u = cw_url_new(base, strlen(base), &ignored);
  bool away = !u || !cw_url_same_origin(u, r->url);
  cw_url_free(u);
  return away;
}

bool cw_request_set_url(cw_request *r, const char *url, size_t length,
                        cw_url **last, cw_error *e) {
  enum { LONGEST = 2 * 1024 * 1024 };
  const cw_value *base =
    cw_settings_find(&r->own, r->defaults, CW_OPT_BASE_URL);
  if (!base || cw_url_absolute(url, length)) {
    bool found = set(r, url, length, last, e);
    r->elsewhere = found && base && leaves(r, base->text);
    return found;
  }
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

bool cw_request_trace(cw_request *r, FILE *stream) {
  fflush(stream);
  r->trace = cw_descriptor_copy(fileno(stream));
  return r->trace >= 0;
}

/* Header lines ------------------------------------------------------------ */

static bool says(const cw_request *r, cw_option_id id) {
  return r->own.set & cw_option_bit(id);
}

/* These are of their own type; parts name theirs with their boundary. */
const char *cw_request_type(const cw_request *r) {
  if (says(r, CW_OPT_JSON)) return "application/json";
  if (says(r, CW_OPT_FORM)) return "application/x-www-form-urlencoded";
  return NULL;
}

static bool compile(cw_request *r) {
  cw_content_fields fields = {
    .type = cw_request_type(r),
    .expect = cw_settings_get(&r->own, r->defaults, CW_OPT_EXPECT) != 0,
    .parts = r->content.kind == CW_CONTENT_PARTS,
  };
  bool has = r->content.kind != CW_CONTENT_NONE;
  return cw_settings_compile(&r->own, r->defaults, has ? &fields : NULL);
}

/* These say that there is a body, even an empty one (RFC 9110 section 8.6). */
static bool expects_content(const char *method) {
  return strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0 ||
         strcmp(method, "PATCH") == 0;
}

bool cw_request_finish(cw_request *r) {
  if (r->content.kind == CW_CONTENT_NONE &&
      expects_content(cw_request_method(r)))
    cw_content_text(&r->content, "", 0);
  if (r->elsewhere && !cw_settings_hide_secrets(&r->own, r->defaults, false))
    return false;
  return compile(r);
}

bool cw_request_to_get(cw_request *r) {
  static const cw_option_id body[] = {
    CW_OPT_BODY,   CW_OPT_FILE,      CW_OPT_FORM,  CW_OPT_JSON,
    CW_OPT_LENGTH, CW_OPT_MULTIPART, CW_OPT_METHOD};
  for (size_t i = 0; i < sizeof body / sizeof *body; i++)
    cw_settings_unset(&r->own, body[i]);
  cw_content_clear(&r->content);
  return cw_settings_drop_content(&r->own, r->defaults) && compile(r);
}

bool cw_request_hide_secrets(cw_request *r) {
  return cw_settings_hide_secrets(&r->own, r->defaults, true) && compile(r);
}

const char *cw_request_method(const cw_request *r) {
  const cw_value *method =
    cw_settings_find(&r->own, r->defaults, CW_OPT_METHOD);
  return method ? method->text : "GET";
}

bool cw_request_is_idempotent(const cw_request *r) {
  static const char *const known[] = {"GET",     "HEAD",  "PUT",
                                      "OPTIONS", "TRACE", "DELETE"};
  const char *method = cw_request_method(r);
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if (strcmp(method, known[i]) == 0) return true;
  return false;
}
