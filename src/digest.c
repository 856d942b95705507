/* digest: digest authentication. Knows buf, headers, libcrypto.
** SPDX-License-Identifier: MIT */
#include "digest.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "platform.h"

enum {
  LONGEST_VALUE = 4096, /* of realm, nonce and opaque */
  LONGEST_ANSWER = 16 * 1024 * 1024,
  HEX = 65 /* of the longest hash, 32 bytes, with its NUL */
};

typedef struct algorithm {
  const char *name;
  cw_digest_hash hash;
  bool session;
} algorithm;

static const algorithm algorithms[] = {
  {"MD5", CW_DIGEST_MD5, false},
  {"MD5-sess", CW_DIGEST_MD5, true},
  {"SHA-256", CW_DIGEST_SHA256, false},
  {"SHA-256-sess", CW_DIGEST_SHA256, true},
  {"SHA-512-256", CW_DIGEST_SHA512_256, false},
  {"SHA-512-256-sess", CW_DIGEST_SHA512_256, true},
};
enum { ALGORITHMS = sizeof algorithms / sizeof *algorithms };

/* Reading challenges ------------------------------------------------------ */

typedef enum parameter {
  REALM,
  NONCE,
  OPAQUE,
  ALGORITHM,
  QOP,
  STALE,
  USERHASH,
  CHARSET,
  PARAMETERS
} parameter;

static const char *const parameter_names[PARAMETERS] = {
  "realm", "nonce", "opaque",   "algorithm",
  "qop",   "stale", "userhash", "charset"};

/* A challenge as received: values without their quotes, but with their escapes.
** A missing parameter has no bytes. */
typedef struct challenge {
  bool is_digest;
  cw_text values[PARAMETERS];
} challenge;

/* The parser's state over all lines: they are one list (RFC 9110 section
** 5.3). */
typedef struct parser {
  const char *at, *end;
  challenge open; /* its parameters may go on */
  bool knows_content;
  int rank;        /* of 'best'; 0: there is none */
  cw_digest *best; /* owned */
} parser;

/* Tests ASCII only, in every locale. */
static bool is_alphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
         (c >= 'A' && c <= 'Z');
}

static bool is_token_byte(char c) {
  return is_alphanumeric(c) || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static void skip_blanks(parser *p) {
  while (p->at < p->end && cw_text_blank(*p->at))
    p->at++;
}

static void skip_separators(parser *p) {
  while (p->at < p->end && (cw_text_blank(*p->at) || *p->at == ','))
    p->at++;
}

static cw_text take_token(parser *p) {
  const char *begin = p->at;
  while (p->at < p->end && is_token_byte(*p->at))
    p->at++;
  return (cw_text){begin, (size_t)(p->at - begin)};
}

/* The single credential of a scheme without parameters, as "abc=" (token68). */
static void skip_token68(parser *p) {
  const char *at = p->at;
  while (at < p->end &&
         (is_alphanumeric(*at) || (*at && strchr("-._~+/", *at))))
    at++;
  if (at == p->at) return;
  while (at < p->end && *at == '=')
    at++;
  const char *last = at;
  while (at < p->end && cw_text_blank(*at))
    at++;
  if (at == p->end || *at == ',') p->at = last;
}

/* Takes a quoted string, or all bytes up to the next comma or blank. False: the
** quotation has no end. */
static bool take_value(parser *p, cw_text *value) {
  bool quoted = p->at < p->end && *p->at == '"';
  const char *begin = p->at += quoted;
  if (!quoted) {
    while (p->at < p->end && *p->at != ',' && !cw_text_blank(*p->at))
      p->at++;
    *value = (cw_text){begin, (size_t)(p->at - begin)};
    return true;
  }
  while (p->at < p->end && *p->at != '"')
    p->at += *p->at == '\\' && p->at + 1 < p->end ? 2 : 1;
  *value = (cw_text){begin, (size_t)(p->at - begin)};
  if (p->at == p->end) return false;
  p->at++;
  return true;
}

/* The first value of a name counts. */
static void note_parameter(challenge *c, cw_text name, cw_text value) {
  for (size_t i = 0; i < PARAMETERS; i++)
    if (cw_text_is(name, parameter_names[i]) && !c->values[i].bytes)
      c->values[i] = value;
}

/* Choosing one ------------------------------------------------------------ */

static bool is_list_with(cw_text list, const char *word) {
  while (list.length)
    if (cw_text_is(cw_text_element(&list), word)) return true;
  return false;
}

/* NULL: the algorithm is not supported. */
static const algorithm *algorithm_of(const challenge *c) {
  cw_text name = c->values[ALGORITHM];
  if (!name.bytes) return algorithms;
  for (size_t i = 0; i < ALGORITHMS; i++)
    if (strlen(algorithms[i].name) == name.length &&
        strncasecmp(name.bytes, algorithms[i].name, name.length) == 0)
      return &algorithms[i];
  return NULL;
}

/* False: no value is supported. A "-sess" algorithm requires qop. */
static bool find_qop(const challenge *c, bool session, bool knows_content,
                     cw_digest_qop *qop) {
  cw_text list = c->values[QOP];
  *qop = CW_DIGEST_NO_QOP;
  if (!list.bytes) return !session;
  *qop = is_list_with(list, "auth") ? CW_DIGEST_AUTH : CW_DIGEST_AUTH_INT;
  return *qop == CW_DIGEST_AUTH ||
         (knows_content && is_list_with(list, "auth-int"));
}

static bool has_control_byte(cw_text text) {
  for (size_t i = 0; i < text.length; i++) {
    unsigned char c = (unsigned char)text.bytes[i];
    if ((c < ' ' && c != '\t') || c == 127) return true;
  }
  return false;
}

/* The value will be sent back, so it must be short and allowed in a header
** line. */
static bool is_usable_value(cw_text value) {
  return value.length <= LONGEST_VALUE && !has_control_byte(value);
}

static bool is_true(cw_text value) {
  return value.bytes && cw_text_is(value, "true");
}

/* The value without its escapes. NULL: out of memory. */
static char *copy_value(cw_text value) {
  char *copy = malloc(value.length + 1), *to = copy;
  for (size_t i = 0; copy && i < value.length; i++) {
    if (value.bytes[i] == '\\' && i + 1 < value.length) i++;
    *to++ = value.bytes[i];
  }
  if (copy) *to = '\0';
  return copy;
}

static cw_digest *make_digest(const challenge *c, const algorithm *a,
                              cw_digest_qop qop) {
  cw_digest *d = calloc(1, sizeof *d);
  if (!d) return NULL;
  d->realm = copy_value(c->values[REALM]);
  d->nonce = copy_value(c->values[NONCE]);
  bool has_opaque = c->values[OPAQUE].bytes != NULL;
  if (has_opaque) d->opaque = copy_value(c->values[OPAQUE]);
  d->hash = a->hash;
  d->qop = qop;
  d->names_hash = c->values[ALGORITHM].bytes != NULL;
  d->session = a->session;
  d->stale = is_true(c->values[STALE]);
  d->userhash = is_true(c->values[USERHASH]);
  cw_text charset = c->values[CHARSET];
  d->utf8 = charset.bytes && cw_text_is(charset, "utf-8");
  if (d->realm && d->nonce && (d->opaque || !has_opaque)) return d;
  cw_digest_free(d);
  return NULL;
}

/* The challenge is complete. Keeps it if it is the best one so far. */
static void end_challenge(parser *p) {
  const challenge *c = &p->open;
  const algorithm *a = algorithm_of(c);
  cw_digest_qop qop;
  if (!c->is_digest || !a || !c->values[NONCE].bytes) return;
  int rank = a->hash == CW_DIGEST_MD5 ? 1 : 2;
  if (rank <= p->rank || !find_qop(c, a->session, p->knows_content, &qop))
    return;
  for (size_t i = 0; i < PARAMETERS; i++)
    if (!is_usable_value(c->values[i])) return;
  cw_digest_free(p->best);
  p->best = make_digest(c, a, qop);
  p->rank = p->best ? rank : 0;
}

static void begin_challenge(parser *p, cw_text scheme) {
  end_challenge(p);
  p->open = (challenge){.is_digest = cw_text_is(scheme, "digest")};
  skip_token68(p);
}

/* Takes one list element: a parameter of the open challenge, or a scheme that
** begins another challenge. False: neither; the rest of the line is skipped. */
static bool take_element(parser *p) {
  cw_text name = take_token(p), value;
  if (name.length == 0) return false;
  skip_blanks(p);
  if (p->at == p->end || *p->at != '=') {
    begin_challenge(p, name);
    return true;
  }
  p->at++;
  skip_blanks(p);
  if (!take_value(p, &value)) {
    p->open.is_digest = false; /* a broken challenge is not used */
    return false;
  }
  note_parameter(&p->open, name, value);
  return true;
}

static void read_line(parser *p, cw_text line) {
  p->at = line.bytes;
  p->end = line.bytes + line.length;
  do
    skip_separators(p);
  while (p->at < p->end && take_element(p));
}

cw_digest *cw_digest_choose(const cw_headers *h, bool knows_content) {
  static const cw_text name = {"www-authenticate", 16};
  parser p = {.knows_content = knows_content};
  size_t count = cw_headers_count(h);
  for (size_t i = cw_headers_find(h, name, 0); i < count;
       i = cw_headers_find(h, name, i + 1))
    read_line(&p, cw_headers_value(h, i));
  end_challenge(&p);
  return p.best;
}

void cw_digest_free(cw_digest *d) {
  if (!d) return;
  free(d->realm);
  free(d->nonce);
  free(d->opaque);
  free(d);
}

/* Computing the answer ---------------------------------------------------- */

static cw_text text_of(const char *string) {
  return (cw_text){string, strlen(string)};
}

static const EVP_MD *function_of(cw_digest_hash hash) {
  switch (hash) {
  case CW_DIGEST_SHA256:
    return EVP_sha256();
  case CW_DIGEST_SHA512_256:
    return EVP_sha512_256();
  default:
    return EVP_md5();
  }
}

static void write_hex(const unsigned char *bytes, size_t n, char *text) {
  for (size_t i = 0; i < n; i++)
    snprintf(text + 2 * i, 3, "%02x", bytes[i]);
}

/* The hash of 'n' texts joined by colons, in hexadecimal. */
static bool hash_texts(const cw_digest *d, const cw_text *texts, size_t n,
                       char hex[HEX]) {
  unsigned char sum[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_MD_CTX *context = EVP_MD_CTX_new();
  bool ok =
    context && EVP_DigestInit_ex(context, function_of(d->hash), NULL) == 1;
  for (size_t i = 0; ok && i < n; i++)
    ok = (i == 0 || EVP_DigestUpdate(context, ":", 1) == 1) &&
         EVP_DigestUpdate(context, texts[i].bytes, texts[i].length) == 1;
  ok = ok && EVP_DigestFinal_ex(context, sum, &size) == 1 && 2 * size < HEX;
  EVP_MD_CTX_free(context);
  if (ok) write_hex(sum, size, hex);
  return ok;
}

/* The values that the answer contains. */
typedef struct answer {
  cw_text user, password;
  const char *cnonce;
  char count[9];
  char response[HEX];
} answer;

static const char *qop_name(const cw_digest *d) {
  return d->qop == CW_DIGEST_AUTH ? "auth" : "auth-int";
}

/* H(A1), RFC 7616 section 3.4.2 */
static bool hash_secret(const cw_digest *d, const answer *a, char hex[HEX]) {
  cw_text secret[] = {a->user, text_of(d->realm), a->password};
  if (!hash_texts(d, secret, 3, hex)) return false;
  if (!d->session) return true;
  cw_text of_session[] = {text_of(hex), text_of(d->nonce), text_of(a->cnonce)};
  return hash_texts(d, of_session, 3, hex);
}

/* H(A2), section 3.4.3 */
static bool hash_asked(const cw_digest *d, const cw_digest_ask *ask,
                       char hex[HEX]) {
  char content[HEX];
  cw_text asked[3] = {text_of(ask->method), text_of(ask->uri)};
  if (d->qop != CW_DIGEST_AUTH_INT) return hash_texts(d, asked, 2, hex);
  if (!hash_texts(d, &ask->content, 1, content)) return false;
  asked[2] = text_of(content);
  return hash_texts(d, asked, 3, hex);
}

/* Section 3.4.1 */
static bool compute(const cw_digest *d, const cw_digest_ask *ask, answer *a) {
  char secret[HEX], asked[HEX];
  if (!hash_secret(d, a, secret) || !hash_asked(d, ask, asked)) return false;
  if (d->qop == CW_DIGEST_NO_QOP) {
    cw_text old[] = {text_of(secret), text_of(d->nonce), text_of(asked)};
    return hash_texts(d, old, 3, a->response);
  }
  cw_text all[] = {text_of(secret),    text_of(d->nonce),    text_of(a->count),
                   text_of(a->cnonce), text_of(qop_name(d)), text_of(asked)};
  return hash_texts(d, all, 6, a->response);
}

/* Writing it down --------------------------------------------------------- */

static bool append(cw_buf *b, const char *text) {
  return cw_buf_append(b, text, strlen(text));
}

/* ", name=value" */
static bool append_bare(cw_buf *b, const char *name, const char *value) {
  return append(b, ", ") && append(b, name) && append(b, "=") &&
         append(b, value);
}

/* Escapes the value, so that no byte of it can end the quotation. */
static bool append_quoted(cw_buf *b, cw_text value) {
  bool ok = append(b, "\"");
  for (size_t i = 0; ok && i < value.length; i++) {
    char c = value.bytes[i];
    if (c == '"' || c == '\\') ok = append(b, "\\");
    ok = ok && cw_buf_append(b, &c, 1);
  }
  return ok && append(b, "\"");
}

static bool append_parameter(cw_buf *b, const char *name, const char *value) {
  return append(b, ", ") && append(b, name) && append(b, "=") &&
         append_quoted(b, text_of(value));
}

static bool is_ascii(cw_text text) {
  for (size_t i = 0; i < text.length; i++)
    if ((unsigned char)text.bytes[i] > 126) return false;
  return true;
}

/* Writes the extended notation of RFC 8187. */
static bool append_extended(cw_buf *b, cw_text text) {
  bool ok = append(b, "username*=UTF-8''");
  for (size_t i = 0; ok && i < text.length; i++) {
    char c = text.bytes[i], piece[4] = {c};
    if (!is_alphanumeric(c))
      snprintf(piece, sizeof piece, "%%%02X", (unsigned)(unsigned char)c);
    ok = append(b, piece);
  }
  return ok;
}

/* A user name that is not ASCII is sent in the extended notation if the server
** reads UTF-8. Otherwise it is sent unchanged, as browsers do. */
static bool append_user(cw_buf *b, const cw_digest *d, const answer *a) {
  char hashed[HEX];
  cw_text name[] = {a->user, text_of(d->realm)};
  if (!d->userhash && d->utf8 && !is_ascii(a->user))
    return append_extended(b, a->user);
  if (d->userhash && !hash_texts(d, name, 2, hashed)) return false;
  return append(b, "username=") &&
         append_quoted(b, d->userhash ? text_of(hashed) : a->user);
}

static const char *algorithm_name(const cw_digest *d) {
  size_t i = 0;
  while (algorithms[i].hash != d->hash || algorithms[i].session != d->session)
    i++;
  return algorithms[i].name;
}

static bool write_answer(cw_buf *b, const cw_digest *d,
                         const cw_digest_ask *ask, const answer *a) {
  bool ok = append(b, "Digest ") && append_user(b, d, a) &&
            append_parameter(b, "realm", d->realm) &&
            append_parameter(b, "nonce", d->nonce) &&
            append_parameter(b, "uri", ask->uri) &&
            append_parameter(b, "response", a->response);
  if (ok && d->qop != CW_DIGEST_NO_QOP)
    ok = append_bare(b, "qop", qop_name(d)) && append_bare(b, "nc", a->count) &&
         append_parameter(b, "cnonce", a->cnonce);
  if (ok && d->opaque) ok = append_parameter(b, "opaque", d->opaque);
  if (ok && d->names_hash) ok = append_bare(b, "algorithm", algorithm_name(d));
  if (ok && d->userhash) ok = append_bare(b, "userhash", "true");
  return ok && cw_buf_append(b, "", 1);
}

/* 128 random bits in hexadecimal. */
static bool make_cnonce(char text[CW_DIGEST_CNONCE]) {
  unsigned char bytes[16];
  if (!cw_random(bytes, sizeof bytes)) return false;
  write_hex(bytes, sizeof bytes, text);
  return true;
}

char *cw_digest_answer(cw_digest *d, const cw_digest_ask *ask,
                       const char *cnonce) {
  char random[CW_DIGEST_CNONCE];
  size_t user = strcspn(ask->credentials, ":");
  const char *colon = ask->credentials + user;
  answer a = {.user = {ask->credentials, user},
              .password = text_of(*colon ? colon + 1 : colon),
              .cnonce = cnonce ? cnonce : random};
  cw_buf line;
  if (has_control_byte(text_of(ask->uri))) return NULL; /* no valid url */
  if (!cnonce && !make_cnonce(random)) return NULL;
  snprintf(a.count, sizeof a.count, "%08x", (unsigned)++d->count);
  cw_buf_init(&line, LONGEST_ANSWER);
  if (compute(d, ask, &a) && write_answer(&line, d, ask, &a)) return line.bytes;
  cw_buf_clear(&line);
  return NULL;
}
