/* mask: texts of others without the secrets of urls. Knows no library.
** SPDX-License-Identifier: MIT */
#include "mask.h"

#include <string.h>

typedef struct copy {
  char *out;
  size_t size, length;
} copy;

static void add(copy *c, const char *bytes, size_t n) {
  size_t room = c->size - 1 - c->length;
  if (n > room) n = room;
  memmove(c->out + c->length, bytes, n);
  c->length += n;
}

static bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_alphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
         (c >= 'a' && c <= 'z');
}

bool cw_mask_is_name(char c) {
  return is_alphanumeric(c) || (c && strchr("!#$%&'*+-.^_`|~", c));
}

/* Behind the first "://" of a word; 0: there is none. */
static size_t behind_scheme(const char *word, size_t n) {
  for (size_t i = 0; i + 3 <= n; i++)
    if (memcmp(word + i, "://", 3) == 0) return i + 3;
  return 0;
}

static size_t last_at(const char *word, size_t n) {
  while (n > 0 && word[n - 1] != '@')
    n--;
  return n;
}

/* Adds a word without the secrets of a url. A password in a malformed url may
** hold any character, so the userinfo ends at the last "@" of the word. */
static void add_word(copy *c, const char *word, size_t n) {
  size_t user = behind_scheme(word, n);
  size_t host = user ? last_at(word, n) : 0;
  if (host > user) {
    add(c, word, user);
    add(c, "***@", 4);
    word += host;
    n -= host;
  }
  const char *query = memchr(word, '?', n);
  bool has_query = query && query + 1 < word + n;
  add(c, word, has_query ? (size_t)(query - word) : n);
  if (has_query) add(c, "?...", 4);
}

/* The length of the quoted name that follows "user "; 0: none does. */
static size_t quoted_user(const char *text, size_t n) {
  static const char word[] = "user '";
  size_t size = sizeof word - 1;
  if (n < size || memcmp(text, word, size) != 0) return 0;
  while (n > size && text[n - 1] != '\'')
    n--;
  return n;
}

size_t cw_mask(char *out, size_t size, const char *text, size_t length) {
  copy c = {out, size, 0};
  for (size_t i = 0; i < length;) {
    size_t n = 0, user = quoted_user(text + i, length - i);
    while (i + n < length && !is_blank(text[i + n]))
      n++;
    if (user)
      add(&c, "user ***", 8);
    else
      add_word(&c, text + i, n);
    i += user ? user : n;
    if (i < length && is_blank(text[i])) add(&c, text + i++, 1);
  }
  out[c.length] = '\0';
  return c.length;
}
