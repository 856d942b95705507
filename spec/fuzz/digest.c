/* Challenges under fuzzing: lines of WWW-Authenticate, each up to its \n, after
** a byte that says whether the content is known. An answer has to be a header
** value in which nothing of the challenge ends a quotation. Test only.
** SPDX-License-Identifier: MIT */

#include <string.h>

#include "../../src/digest.h"
#include "fuzz.h"

/* A value in memory of exactly its size: headers keep a copy of their own. */
static void add_line(cw_headers *h, const uint8_t *at, size_t n) {
  cw_text name = {"WWW-Authenticate", 16};
  char *bytes = malloc(n > 0 ? n : 1);
  MUST(bytes);
  memcpy(bytes, at, n);
  cw_headers_add(h, name, cw_text_trim((cw_text){bytes, n}));
  free(bytes);
}

static cw_headers *read_lines(const uint8_t *at, size_t left) {
  cw_headers *h = cw_headers_new();
  MUST(h);
  while (left > 0) {
    const uint8_t *end = memchr(at, '\n', left);
    size_t n = end ? (size_t)(end - at) : left;
    add_line(h, at, n);
    n += end != NULL;
    at += n;
    left -= n;
  }
  return h;
}

/* Whether the byte may stand outside quotations: in names, bare values and
** separators. */
static bool is_bare(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
         (c >= 'A' && c <= 'Z') || strchr(" ,=-", c);
}

static void check_answer(const char *answer) {
  size_t parameters = 0;
  bool quoted = false;
  MUST(strncmp(answer, "Digest username=\"u\\\"ser\", ", 26) == 0);
  for (const char *c = answer; *c; c++) {
    MUST((unsigned char)*c >= ' ' || *c == '\t');
    MUST(*c != 127);
    if (quoted && *c == '\\') {
      c++;
      MUST(*c == '"' || *c == '\\');
    } else if (*c == '"') {
      quoted = !quoted;
    } else {
      MUST(quoted || is_bare(*c));
    }
    parameters += !quoted && *c == '=';
  }
  MUST(!quoted);
  MUST(parameters >= 5 && parameters <= 11);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const cw_digest_ask ask = {.credentials = "u\"ser:password",
                                    .method = "GET",
                                    .uri = "/a\"b\\c",
                                    .content = {"content", 7}};
  if (size == 0) return 0;
  cw_headers *h = read_lines(data + 1, size - 1);
  cw_digest *d = cw_digest_choose(h, data[0] & 1);
  cw_headers_free(h);
  if (!d) return 0;
  d->userhash = false; /* the name is checked below */
  char *answer = cw_digest_answer(d, &ask, "cnonce");
  MUST(answer && d->count == 1);
  check_answer(answer);
  free(answer);
  cw_digest_free(d);
  return 0;
}
