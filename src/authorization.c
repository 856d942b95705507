/* authorization: the Authorization line, and the rounds of digest
** authentication. Knows digest, request, response.
** SPDX-License-Identifier: MIT */
#include "authorization.h"

#include <limits.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"

static const char *text_of(const cw_request *r, cw_option_id id) {
  return cw_settings_text_of(&r->own, r->defaults, id);
}

static const cw_value *fields_of(const cw_request *r) {
  return cw_settings_find(&r->own, r->defaults, CW_OPT_HEADERS);
}

/* A cheap check, since most requests have no credentials. */
static bool may_have_credentials(const cw_request *r) {
  static const uint64_t rows = (uint64_t)1 << CW_OPT_AUTH_BASIC |
                               (uint64_t)1 << CW_OPT_AUTH_BEARER |
                               (uint64_t)1 << CW_OPT_AUTH_DIGEST;
  return ((r->own.set | r->defaults->set) & rows) || cw_url_userinfo(r->url);
}

/* Whether the program sets the header Authorization itself, or removes it. */
static bool has_own_line(const cw_request *r) {
  static const cw_text name = {"authorization", 13};
  const cw_value *fields = fields_of(r);
  if (!fields) return false;
  return cw_headers_find(fields->list, name, 0) <
         cw_headers_count(fields->list);
}

/* The line ----------------------------------------------------------------- */

static const char prefix[] = "Authorization: ";

/* "Authorization: <scheme> <value>"; NULL: out of memory. */
static char *make_line(const char *scheme, const char *value) {
  size_t size = sizeof prefix + strlen(scheme) + strlen(value);
  char *line = malloc(size);
  if (line) snprintf(line, size, "%s%s%s", prefix, scheme, value);
  return line;
}

/* RFC 7617; NULL: out of memory. */
static char *make_basic(const char *credentials) {
  size_t n = strlen(credentials);
  if (n > INT_MAX / 2) return NULL;
  unsigned char *encoded = malloc(4 * ((n + 2) / 3) + 1);
  if (!encoded) return NULL;
  EVP_EncodeBlock(encoded, (const unsigned char *)credentials, (int)n);
  char *line = make_line("Basic ", (char *)encoded);
  free(encoded);
  return line;
}

static bool make_userinfo(const cw_request *r, char **line) {
  char *credentials = cw_url_credentials(r->url);
  *line = credentials ? make_basic(credentials) : NULL;
  bool ok = *line != NULL;
  free(credentials);
  return ok;
}

/* Options win over the userinfo of the url. '*line' stays NULL if there are no
** credentials, or if libcurl sends them (netrc). False: out of memory. */
static bool make_authorization(const cw_request *r, char **line) {
  const char *basic = text_of(r, CW_OPT_AUTH_BASIC);
  const char *token = text_of(r, CW_OPT_AUTH_BEARER);
  const char *digest = text_of(r, CW_OPT_AUTH_DIGEST);
  bool netrc = cw_settings_get(&r->own, r->defaults, CW_OPT_AUTH_NETRC) != 0;
  if (netrc || has_own_line(r)) return true;
  if (digest && !r->rounds.answer) return true;
  if (digest)
    *line = make_line("", r->rounds.answer);
  else if (basic)
    *line = make_basic(basic);
  else if (token && *token)
    *line = make_line("Bearer ", token);
  else
    return !cw_url_userinfo(r->url) || make_userinfo(r, line);
  return *line != NULL;
}

/* The lines of a round ----------------------------------------------------- */

static const struct curl_slist *usual_lines(const cw_request *r) {
  if (!fields_of(r)) return cw_fields_usual();
  return cw_settings_lines(&r->own, r->defaults, CW_OPT_HEADERS);
}

/* A probe has no content, so it must not send Expect. */
static bool is_left_out(const cw_request *r, const char *line) {
  return r->rounds.probes && strncasecmp(line, "expect:", 7) == 0;
}

static size_t count_lines(const struct curl_slist *line) {
  size_t n = 0;
  for (; line; line = line->next)
    n++;
  return n;
}

static void append_node(struct curl_slist *nodes, size_t *n, char *text) {
  nodes[*n] = (struct curl_slist){.data = text};
  if (*n > 0) nodes[*n - 1].next = &nodes[*n];
  ++*n;
}

/* Copies the nodes of the list but not their texts, because the list belongs to
** settings that several requests share. */
bool cw_authorization_lines(const cw_request *r, cw_round_lines *lines) {
  size_t n = 0;
  if (!may_have_credentials(r)) return true;
  if (!make_authorization(r, &lines->authorization)) return false;
  if (!lines->authorization && !r->rounds.probes) return true;
  const struct curl_slist *line = usual_lines(r);
  lines->first = calloc(count_lines(line) + 1, sizeof *lines->first);
  if (!lines->first) return false;
  if (lines->authorization) append_node(lines->first, &n, lines->authorization);
  for (; line; line = line->next)
    if (!is_left_out(r, line->data)) append_node(lines->first, &n, line->data);
  return true;
}

void cw_round_lines_clear(cw_round_lines *lines) {
  free(lines->first);
  free(lines->authorization);
  *lines = (cw_round_lines){NULL, NULL};
}

/* Rounds ------------------------------------------------------------------ */

static bool goes_in_rounds(const cw_request *r) {
  return text_of(r, CW_OPT_AUTH_DIGEST) && !has_own_line(r);
}

static bool has_content(const cw_request *r) {
  return r->content.kind != CW_CONTENT_NONE;
}

/* The first round of digest has no content: the server usually refuses it, and
** the content may be large or a function that can be called only once. */
void cw_authorization_begin(cw_request *r) {
  cw_request_end_rounds(r);
  r->rounds.probes = has_content(r) && goes_in_rounds(r);
}

/* Whether the content is available for a hash, as CW_DIGEST_AUTH_INT
** requires. */
static bool knows_content(const cw_request *r) {
  return !has_content(r) || r->content.kind == CW_CONTENT_TEXT;
}

static cw_digest *choose(const cw_request *r, const cw_response *from) {
  return cw_digest_choose(from->headers, knows_content(r));
}

/* After a first answer another one makes sense only if the server reports a
** stale nonce and sends a new one. */
static bool is_answerable(const cw_request *r, const cw_response *from) {
  const cw_digest *before = r->rounds.digest;
  cw_digest *now = choose(r, from);
  bool good =
    now && (!before || (now->stale && strcmp(now->nonce, before->nonce) != 0));
  cw_digest_free(now);
  return good;
}

bool cw_authorization_goes_on(const cw_request *r, const cw_response *from) {
  bool refused = from->status == 401;
  if (!refused && !r->rounds.probes) return false;
  if (!goes_in_rounds(r)) return false;
  if (!refused) return cw_response_ok(from);
  return r->rounds.over + 1 < CW_AUTHORIZATION_ROUNDS &&
         cw_content_replayable(&r->content) && is_answerable(r, from);
}

/* The request target as libcurl writes it. */
static bool append_target(cw_buf *b, const cw_request *r) {
  const char *path = cw_url_peek(r->url, CW_URL_PATH);
  if (!path || !cw_buf_append(b, path, strlen(path))) return false;
  const char *query = cw_url_peek(r->url, CW_URL_QUERY);
  if (query &&
      !(cw_buf_append(b, "?", 1) && cw_buf_append(b, query, strlen(query))))
    return false;
  return cw_buf_append(b, "", 1);
}

static char *make_answer(const cw_request *r, cw_digest *d) {
  enum { LONGEST = 8 * 1024 * 1024 };
  char *answer = NULL;
  cw_buf target;
  cw_buf_init(&target, LONGEST);
  if (append_target(&target, r)) {
    cw_digest_ask ask = {.credentials = text_of(r, CW_OPT_AUTH_DIGEST),
                         .method = cw_request_method(r),
                         .uri = target.bytes};
    if (r->content.kind == CW_CONTENT_TEXT)
      ask.content = (cw_text){r->content.bytes, (size_t)r->content.length};
    answer = cw_digest_answer(d, &ask, NULL);
  }
  cw_buf_clear(&target);
  return answer;
}

bool cw_authorization_go_on(cw_request *r, const cw_response *from) {
  cw_digest *d = from->status == 401 ? choose(r, from) : NULL;
  char *answer = d ? make_answer(r, d) : NULL;
  if (from->status == 401 && !answer) {
    cw_digest_free(d);
    return false;
  }
  unsigned over = r->rounds.over + 1;
  cw_request_end_rounds(r);
  r->rounds = (cw_rounds){.over = over, .digest = d, .answer = answer};
  return true;
}
