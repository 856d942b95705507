/* headers: field lines in order. Knows libc.
** SPDX-License-Identifier: MIT */
#include "headers.h"

#include <stdlib.h>
#include <string.h>

#include "buf.h"

/* Offsets into the text, which moves when it grows. */
typedef struct line {
  uint32_t name, name_length;
  uint32_t value, value_length;
} line;

/* Most lists need no more. */
enum { USUAL_BYTES = 512, USUAL_LINES = 16 };

struct cw_headers {
  unsigned refs;
  cw_buf text; /* never dropped from: an offset stays an offset */
  line *lines; /* owned, or 'first' */
  size_t count, size;
  line first[USUAL_LINES];
};

cw_headers *cw_headers_new(void) {
  cw_headers *h = malloc(sizeof *h);
  if (!h) return NULL;
  h->refs = 1;
  h->lines = h->first;
  h->count = 0;
  h->size = USUAL_LINES;
  cw_buf_init(&h->text, CW_HEADERS_MAX);
  if (cw_buf_reserve(&h->text, USUAL_BYTES)) return h;
  cw_headers_free(h);
  return NULL;
}

cw_headers *cw_headers_retain(cw_headers *h) {
  h->refs++;
  return h;
}

void cw_headers_free(cw_headers *h) {
  if (!h || --h->refs > 0) return;
  cw_buf_clear(&h->text);
  if (h->lines != h->first) free(h->lines);
  free(h);
}

void cw_headers_reset(cw_headers *h) {
  cw_buf_drop(&h->text, cw_buf_length(&h->text));
  h->count = 0;
}

static bool more_lines(cw_headers *h) {
  size_t size = h->size * 2;
  line *owned = h->lines == h->first ? NULL : h->lines;
  line *lines = realloc(owned, size * sizeof *lines);
  if (!lines) return false;
  if (!owned) memcpy(lines, h->first, sizeof h->first);
  h->lines = lines;
  h->size = size;
  return true;
}

static bool another_line(cw_headers *h) {
  return h->count < h->size || more_lines(h);
}

/* 'whole' is in one piece what name and value point into. */
static bool add(cw_headers *h, cw_text whole, cw_text name, cw_text value) {
  if (!another_line(h)) return false;
  uint32_t at = (uint32_t)cw_buf_length(&h->text);
  char *space = cw_buf_space(&h->text, whole.length);
  if (!space) return false;
  memcpy(space, whole.bytes, whole.length);
  cw_buf_grew(&h->text, whole.length);
  h->lines[h->count++] = (line){
    .name = at + (uint32_t)(name.bytes - whole.bytes),
    .name_length = (uint32_t)name.length,
    .value = at + (uint32_t)(value.bytes - whole.bytes),
    .value_length = (uint32_t)value.length,
  };
  return true;
}

static void trim_begin(cw_text *text) {
  while (text->length && cw_text_blank(*text->bytes)) {
    text->bytes++;
    text->length--;
  }
}

static void trim_end(cw_text *text) {
  while (text->length && cw_text_blank(text->bytes[text->length - 1]))
    text->length--;
}

bool cw_headers_add_line(cw_headers *h, cw_text whole, size_t colon) {
  trim_end(&whole); /* a folded value goes on at the very end */
  cw_text name = {whole.bytes, colon};
  trim_end(&name);
  cw_text value = {whole.bytes + colon + 1, whole.length - colon - 1};
  trim_begin(&value);
  return add(h, whole, name, value);
}

bool cw_headers_add(cw_headers *h, cw_text name, cw_text value) {
  uint32_t at = (uint32_t)cw_buf_length(&h->text);
  if (!another_line(h)) return false;
  if (!cw_buf_reserve(&h->text, name.length + value.length)) return false;
  cw_buf_append(&h->text, name.bytes, name.length);
  cw_buf_append(&h->text, value.bytes, value.length);
  h->lines[h->count++] = (line){
    .name = at,
    .name_length = (uint32_t)name.length,
    .value = at + (uint32_t)name.length,
    .value_length = (uint32_t)value.length,
  };
  return true;
}

bool cw_headers_continue(cw_headers *h, cw_text more) {
  if (h->count == 0) return false;
  if (more.length == 0) return true;
  if (!cw_buf_reserve(&h->text, more.length + 1)) return false;
  cw_buf_append(&h->text, " ", 1);
  cw_buf_append(&h->text, more.bytes, more.length);
  h->lines[h->count - 1].value_length += (uint32_t)more.length + 1;
  return true;
}

size_t cw_headers_count(const cw_headers *h) { return h ? h->count : 0; }

size_t cw_headers_bytes(const cw_headers *h) {
  return h ? cw_buf_length(&h->text) : 0;
}

cw_text cw_headers_name(const cw_headers *h, size_t i) {
  return (cw_text){h->text.bytes + h->lines[i].name, h->lines[i].name_length};
}

cw_text cw_headers_value(const cw_headers *h, size_t i) {
  return (cw_text){h->text.bytes + h->lines[i].value, h->lines[i].value_length};
}

size_t cw_headers_find(const cw_headers *h, cw_text name, size_t from) {
  size_t count = cw_headers_count(h);
  for (size_t i = from; i < count; i++) {
    if (h->lines[i].name_length != name.length) continue;
    if (strncasecmp(h->text.bytes + h->lines[i].name, name.bytes,
                    name.length) == 0)
      return i;
  }
  return count;
}

cw_text cw_text_trim(cw_text text) {
  trim_begin(&text);
  trim_end(&text);
  return text;
}

cw_text cw_text_element(cw_text *list) {
  const char *comma = memchr(list->bytes, ',', list->length);
  size_t n = comma ? (size_t)(comma - list->bytes) : list->length;
  cw_text one = {list->bytes, n};
  list->bytes += comma ? n + 1 : n;
  list->length -= comma ? n + 1 : n;
  return cw_text_trim(one);
}
