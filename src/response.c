/* response: what came, but for the body. Knows coding, libc.
** SPDX-License-Identifier: MIT */
#include "response.h"

#include <string.h>

#include "coding.h"

void cw_response_init(cw_response *r) {
  r->final = false;
  r->status = 0;
  r->http_version = "";
  r->reason[0] = '\0';
  r->headers = NULL;
  r->trailers = NULL;
  r->length = -1;
  memset(&r->info, 0, sizeof r->info);
}

void cw_response_clear(cw_response *r) {
  cw_headers_free(r->headers);
  cw_headers_free(r->trailers);
  r->headers = NULL;
  r->trailers = NULL;
}

static bool fresh(cw_headers **h) {
  if (*h)
    cw_headers_reset(*h);
  else
    *h = cw_headers_new();
  return *h != NULL;
}

static bool digit(char c) { return c >= '0' && c <= '9'; }

/* HTTP in capitals only (RFC 9112 section 2.3): libcurl takes a line in small
** letters for "HTTP/1.0 200", whatever it says. */
static const char *version_of(cw_text word) {
  static const char *const known[] = {"1.1", "1.0", "2", "3"};
  static const size_t prefix = sizeof "HTTP/" - 1;
  if (word.length <= prefix || memcmp(word.bytes, "HTTP/", prefix) != 0)
    return "";
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if (cw_text_is((cw_text){word.bytes + prefix, word.length - prefix},
                   known[i]))
      return known[i];
  return "";
}

/* Three digits, the first no zero, and nothing that clings to them; else 0. */
static int status_of(cw_text text) {
  const char *c = text.bytes;
  bool three = text.length >= 3 && c[0] >= '1' && digit(c[0]) && digit(c[1]) &&
               digit(c[2]);
  if (!three || (text.length > 3 && c[3] != ' ' && c[3] != '\t')) return 0;
  return (c[0] - '0') * 100 + (c[1] - '0') * 10 + (c[2] - '0');
}

static void copy_reason(cw_response *r, cw_text reason) {
  size_t n =
    reason.length < CW_REASON_TEXT ? reason.length : CW_REASON_TEXT - 1;
  memcpy(r->reason, reason.bytes, n);
  r->reason[n] = '\0';
}

/* Whether more than one blank stands before the status (RFC 9112 section 4
** allows one). Newer releases of libcurl refuse that, so curlew always does. */
static bool has_more_blanks(cw_text line, size_t version) {
  return version + 1 < line.length && cw_text_blank(line.bytes[version + 1]);
}

bool cw_response_status_line(cw_response *r, cw_text line) {
  size_t n = 0;
  if (!fresh(&r->headers)) return false;
  while (n < line.length && line.bytes[n] != ' ')
    n++;
  cw_text rest = cw_text_trim((cw_text){line.bytes + n, line.length - n});
  r->http_version = version_of((cw_text){line.bytes, n});
  bool odd = has_more_blanks(line, n) || !*r->http_version;
  r->status = odd ? 0 : status_of(rest);
  size_t digits = r->status ? 3 : 0;
  copy_reason(
    r, cw_text_trim((cw_text){rest.bytes + digits, rest.length - digits}));
  return true;
}

/* Where the body ends ----------------------------------------------------- */

/* What the fields say, gathered line by line. */
typedef struct framing {
  int64_t length; /* -1: none is declared */
  bool coded;     /* there is a Transfer-Encoding */
  bool chunked;   /* and chunked is its last coding so far */
  bool twice;     /* chunked was named more than once */
  const char *fault;
} framing;

/* 1*DIGIT; -1: it is not, or no length that libcurl can hold. */
static int64_t length_of(cw_text text) {
  int64_t length = 0;
  if (text.length == 0) return -1;
  for (size_t i = 0; i < text.length; i++) {
    int d = text.bytes[i] - '0';
    if (!digit(text.bytes[i]) || length > (INT64_MAX - d) / 10) return -1;
    length = length * 10 + d;
  }
  return length;
}

/* libcurl takes the digits that a value begins with, and of several values the
** last (RFC 9110 section 8.6: they must be the same). */
static void see_length(framing *f, cw_text value) {
  do {
    bool more = memchr(value.bytes, ',', value.length) != NULL;
    int64_t length = length_of(cw_text_element(&value));
    if (length < 0)
      f->fault = "the Content-Length cannot be read";
    else if (f->length >= 0 && f->length != length)
      f->fault = "there are several values of Content-Length";
    f->length = length;
    if (!more) return;
  } while (!f->fault);
}

/* Nobody asked for a coding (by TE), so none but chunked may be there (RFC 9112
** section 7.4); libcurl would undo gzip and others without any limit. Identity,
** which RFC 2616 had, is none. libcurl takes chunked anywhere in the list for
** the last. A server behind a proxy may send chunked twice, because the proxy
** adds its own line. libcurl and other clients that accept this decode the body
** once. */
static void see_coding(framing *f, cw_text value) {
  f->coded = true;
  while (value.length && !f->fault) {
    cw_text name = cw_text_element(&value);
    if (name.length == 0) continue;
    bool chunked = cw_text_is(name, "chunked");
    f->twice |= chunked && f->chunked;
    if (f->chunked && !chunked)
      f->fault = "chunked is not the last Transfer-Encoding";
    else if (chunked)
      f->chunked = true;
    else if (!cw_text_is(name, "identity"))
      f->fault = "the Transfer-Encoding is one that nobody asked for";
  }
}

static void see(framing *f, const cw_headers *h, size_t i) {
  cw_text name = cw_headers_name(h, i);
  if (cw_text_is(name, "content-length"))
    see_length(f, cw_headers_value(h, i));
  else if (cw_text_is(name, "transfer-encoding"))
    see_coding(f, cw_headers_value(h, i));
}

static bool bodiless(int status) {
  return status < 200 || status == 204 || status == 304;
}

static framing framing_of(const cw_response *r) {
  framing f = {.length = -1};
  size_t count = cw_headers_count(r->headers);
  for (size_t i = 0; i < count && !f.fault; i++)
    see(&f, r->headers, i);
  return f;
}

const char *cw_response_framing(const cw_response *r, bool *doubtful) {
  framing f = framing_of(r);
  bool both = f.coded && f.length >= 0;
  bool too_early = f.coded && strcmp(r->http_version, "1.0") == 0;
  bool broken_204 = r->status == 204 && (f.coded || f.length > 0);
  *doubtful = f.fault || both || f.twice || too_early || broken_204;
  return bodiless(r->status) ? NULL : f.fault;
}

bool cw_response_open_ended(const cw_response *r) {
  return r->length < 0 && !bodiless(r->status) && !framing_of(r).chunked;
}

bool cw_response_chunked(const cw_response *r) {
  return r->length < 0 && !bodiless(r->status) && framing_of(r).chunked;
}

bool cw_response_coded(const cw_response *r) {
  static const cw_text name = {"content-encoding", 16};
  size_t count = cw_headers_count(r->headers);
  for (size_t i = cw_headers_find(r->headers, name, 0); i < count;
       i = cw_headers_find(r->headers, name, i + 1)) {
    cw_text list = cw_headers_value(r->headers, i);
    while (list.length) {
      if (!cw_coding_is_none(cw_text_element(&list))) return true;
    }
  }
  return false;
}
