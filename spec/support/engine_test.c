/* engine_test: the engine's rooms without Lua, each on its own where it can
** be. Without an argument it lists its tests; with the name of one it runs
** that, says what does not hold, and exits with 1 if anything does not.
** spec/engine_spec.lua is its face. Test only. Built by the Makefile from
** this file and src, without src/lua_*.c; src/engine.c is part of this file,
** so that a test sees what it keeps to itself.
** SPDX-License-Identifier: MIT */

#include "../../src/engine.c" /* NOLINT(bugprone-suspicious-include) */

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "../../src/apply.h"
#include "../../src/exchange.h"
#include "../../src/mask.h"
#include "../../src/retry.h"
#include "../../src/route.h"
#include "bench.h"
#include "test.h"

/* Numbers that are the same at each run. */
static uint32_t next_random(uint32_t most) {
  static uint32_t state = 2463534242u;
  state ^= state << 13;
  state ^= state >> 17;
  state ^= state << 5;
  return state % (most + 1);
}

static cw_text text_of(const char *bytes) {
  return (cw_text){bytes, strlen(bytes)};
}

static bool same_text(cw_text text, const char *bytes) {
  return text.length == strlen(bytes) &&
         memcmp(text.bytes, bytes, text.length) == 0;
}

/* buf --------------------------------------------------------------------- */

static bool holds(const cw_buf *b, const char *bytes) {
  size_t n;
  const char *have = cw_buf_peek(b, &n);
  return n == strlen(bytes) && memcmp(have, bytes, n) == 0;
}

static void buf_limit(void) {
  cw_buf b;
  cw_buf_init(&b, 10);
  CHECK(cw_buf_append(&b, "0123456789", 10));
  CHECK(cw_buf_room(&b) == 0);
  CHECK(!cw_buf_append(&b, "x", 1));
  CHECK(cw_buf_append(&b, "", 0));
  CHECK(holds(&b, "0123456789"));
  cw_buf_drop(&b, 4);
  CHECK(cw_buf_room(&b) == 4);
  CHECK(!cw_buf_append(&b, "abcde", 5));
  CHECK(cw_buf_append(&b, "abcd", 4));
  CHECK(holds(&b, "456789abcd"));
  CHECK(b.size <= 10);
  cw_buf_clear(&b);
}

static void buf_huge(void) {
  cw_buf b;
  cw_buf_init(&b, 100);
  CHECK(cw_buf_append(&b, "abc", 3));
  CHECK(!cw_buf_reserve(&b, 98));
  CHECK(!cw_buf_reserve(&b, SIZE_MAX));
  CHECK(holds(&b, "abc"));
  CHECK(cw_buf_reserve(&b, 97));
  CHECK(holds(&b, "abc"));
  cw_buf_clear(&b);
}

static void buf_clear(void) {
  cw_buf b;
  cw_buf_init(&b, 8);
  CHECK(holds(&b, ""));
  CHECK(cw_buf_append(&b, "12345678", 8));
  cw_buf_clear(&b);
  CHECK(holds(&b, ""));
  CHECK(cw_buf_room(&b) == 8);
  CHECK(cw_buf_append(&b, "again", 5));
  CHECK(holds(&b, "again"));
  cw_buf_clear(&b);
}

/* Bytes go in and come out in order, whatever the steps. */
static void buf_order(void) {
  enum { LIMIT = 5000, ROUNDS = 20000, MOST = 1500 };
  cw_buf b;
  uint8_t in = 0, out = 0;
  bool ok = true;
  cw_buf_init(&b, LIMIT);
  for (int i = 0; i < ROUNDS && ok; i++) {
    char bytes[MOST] = {0};
    size_t n = next_random(MOST), have = cw_buf_length(&b);
    for (size_t k = 0; k < n; k++)
      bytes[k] = (char)(uint8_t)(in + k);
    bool fits = cw_buf_append(&b, bytes, n);
    ok = fits == (have + n <= LIMIT) && b.size <= LIMIT;
    if (fits) in = (uint8_t)(in + n);
    size_t held, drop = next_random(MOST);
    const char *peeked = cw_buf_peek(&b, &held);
    if (drop > held) drop = held;
    for (size_t k = 0; k < drop; k++)
      ok = ok && (uint8_t)peeked[k] == (uint8_t)(out + k);
    cw_buf_drop(&b, drop);
    out = (uint8_t)(out + drop);
  }
  CHECK(ok);
  cw_buf_clear(&b);
}

/* headers ----------------------------------------------------------------- */

static void add_line(cw_headers *h, const char *line) {
  const char *colon = strchr(line, ':');
  CHECK(cw_headers_add_line(h, text_of(line), (size_t)(colon - line)));
}

static size_t find(const cw_headers *h, const char *name, size_t from) {
  return cw_headers_find(h, text_of(name), from);
}

static void headers_find(void) {
  cw_headers *h = cw_headers_new();
  add_line(h, "X-Item: one");
  add_line(h, "X-Items: no");
  add_line(h, "x-item:two");
  add_line(h, "X-ITEM:\t three \t");
  CHECK(cw_headers_count(h) == 4);
  CHECK(find(h, "x-iTeM", 0) == 0);
  CHECK(find(h, "X-Item", 1) == 2);
  CHECK(find(h, "X-Item", 3) == 3);
  CHECK(find(h, "X-Item", 4) == 4);
  CHECK(find(h, "X-Ite", 0) == 4);
  CHECK(find(h, "", 0) == 4);
  CHECK(same_text(cw_headers_value(h, 2), "two"));
  CHECK(same_text(cw_headers_value(h, 3), "three"));
  CHECK(same_text(cw_headers_name(h, 3), "X-ITEM"));
  CHECK(cw_headers_find(NULL, text_of("X-Item"), 0) == 0);
  cw_headers_free(h);
}

static void headers_fold(void) {
  cw_headers *h = cw_headers_new();
  CHECK(!cw_headers_continue(h, text_of("nothing before")));
  add_line(h, "X-A: one  ");
  CHECK(cw_headers_continue(h, text_of("two")));
  CHECK(cw_headers_continue(h, text_of("")));
  CHECK(cw_headers_continue(h, text_of("three")));
  add_line(h, "X-B:");
  CHECK(cw_headers_continue(h, text_of("four")));
  CHECK(same_text(cw_headers_value(h, 0), "one two three"));
  CHECK(same_text(cw_headers_value(h, 1), " four"));
  cw_headers_free(h);
}

static void headers_limit(void) {
  enum { LINE = 1024 };
  char value[LINE];
  cw_headers *h = cw_headers_new();
  memset(value, 'v', sizeof value);
  cw_text name = {value, 24}, rest = {value, LINE - 24};
  for (size_t i = 0; i < CW_HEADERS_MAX / LINE; i++)
    CHECK(cw_headers_add(h, name, rest));
  size_t count = cw_headers_count(h);
  CHECK(cw_headers_bytes(h) == CW_HEADERS_MAX);
  CHECK(!cw_headers_add(h, text_of("a"), text_of("b")));
  CHECK(!cw_headers_continue(h, text_of("more")));
  CHECK(cw_headers_count(h) == count);
  CHECK(cw_headers_value(h, count - 1).length == LINE - 24);
  cw_headers_reset(h);
  CHECK(cw_headers_count(h) == 0);
  CHECK(cw_headers_add(h, text_of("a"), text_of("b")));
  CHECK(same_text(cw_headers_value(h, 0), "b"));
  cw_headers_free(h);
}

static void headers_shared(void) {
  cw_headers *h = cw_headers_new();
  add_line(h, "X-A: 1");
  cw_headers *other = cw_headers_retain(h);
  cw_headers_free(h);
  CHECK(same_text(cw_headers_value(other, 0), "1"));
  cw_headers_free(other);
  cw_headers_free(NULL);
  CHECK(cw_headers_count(NULL) == 0);
}

/* deadlines --------------------------------------------------------------- */

enum { TRANSFERS = 200 };

/* The earliest of those that are in, by looking at each. */
static int64_t earliest(const cw_transfer *all) {
  int64_t first = INT64_MAX;
  for (int i = 0; i < TRANSFERS; i++)
    if (all[i].alarm.heap_at && all[i].alarm.due < first)
      first = all[i].alarm.due;
  return first;
}

static size_t count_in(const cw_transfer *all) {
  size_t n = 0;
  for (int i = 0; i < TRANSFERS; i++)
    n += all[i].alarm.heap_at != 0;
  return n;
}

static bool is_heap(const cw_deadlines *d) {
  for (size_t at = 1; at <= d->count; at++) {
    if (d->heap[at]->heap_at != at) return false;
    if (at > 1 && d->heap[at / 2]->due > d->heap[at]->due) return false;
  }
  return true;
}

static void any_operation(cw_deadlines *d, cw_transfer *t) {
  switch (next_random(4)) {
  case 0:
    cw_deadlines_remove(d, &t->alarm);
    break;
  case 1:
    t->deadline = 0; /* none: it leaves */
    cw_deadlines_update(d, t);
    break;
  default:
    t->deadline = 1 + (int64_t)next_random(1000);
    CHECK(cw_deadlines_reserve(d, TRANSFERS));
    cw_deadlines_update(d, t);
  }
}

static void deadlines_order(void) {
  enum { ROUNDS = 20000 };
  cw_transfer *all = calloc(TRANSFERS, sizeof *all);
  if (!all) abort();
  cw_deadlines d = {0};
  bool ok = true;
  for (int i = 0; i < TRANSFERS; i++)
    all[i].alarm.transfer = &all[i];
  for (int i = 0; i < ROUNDS && ok; i++) {
    any_operation(&d, &all[next_random(TRANSFERS - 1)]);
    ok = is_heap(&d) && d.count == count_in(all) &&
         cw_deadlines_next(&d) == earliest(all);
  }
  CHECK(ok);
  cw_deadlines_clear(&d);
  free(all);
}

/* One that has moved on since its key was looked at is not late. */
static void deadlines_late(void) {
  static cw_transfer a, b;
  cw_deadlines d = {0};
  a.alarm.transfer = &a;
  b.alarm.transfer = &b;
  CHECK(cw_deadlines_late(&d, 1000) == NULL);
  CHECK(cw_deadlines_reserve(&d, 2));
  a.deadline = 100;
  cw_deadlines_update(&d, &a);
  CHECK(cw_deadlines_reserve(&d, 2));
  b.deadline = 200;
  cw_deadlines_update(&d, &b);
  a.deadline = 300;
  CHECK(cw_deadlines_next(&d) == 100);
  CHECK(cw_deadlines_late(&d, 99) == NULL);
  CHECK(cw_deadlines_late(&d, 150) == NULL);
  CHECK(cw_deadlines_next(&d) == 200);
  CHECK(cw_deadlines_late(&d, 200) == &b.alarm);
  CHECK(cw_deadlines_late(&d, 300) == &b.alarm);
  cw_deadlines_remove(&d, &b.alarm);
  cw_deadlines_remove(&d, &b.alarm);
  CHECK(cw_deadlines_late(&d, 300) == &a.alarm);
  cw_deadlines_clear(&d);
}

/* What a transfer waits for decides which limit it is under. */
static void deadlines_limits(void) {
  const char *name;
  int64_t us;
  cw_transfer t = {.moved = 1000,
                   .wanted = true,
                   .connect_us = 10,
                   .first_byte_us = 20,
                   .idle_us = 30};
  cw_content content;
  cw_content_init(&content, NULL);
  t.content = &content;
  CHECK(cw_transfer_due(&t, &name, &us) == 1010 && us == 10);
  CHECK(strcmp(name, "timeout.connect") == 0);
  t.connected = true;
  CHECK(cw_transfer_due(&t, &name, &us) == 1020 && us == 20);
  CHECK(strcmp(name, "timeout.first_byte") == 0);
  t.header_bytes = 1;
  CHECK(cw_transfer_due(&t, &name, &us) == 1030 && us == 30);
  CHECK(strcmp(name, "timeout.idle") == 0);
  t.deadline = 1025;
  CHECK(cw_transfer_due(&t, &name, &us) == 1025);
  CHECK(strcmp(name, "deadline") == 0);
  t.wanted = false;
  CHECK(cw_transfer_due(&t, &name, &us) == 1025);
  t.deadline = 0;
  CHECK(cw_transfer_due(&t, &name, &us) == INT64_MAX);
}

/* option ------------------------------------------------------------------ */

/* "group.name", or "name" */
static void full_name(cw_option_id id, char *text, size_t size) {
  const cw_option *row = &cw_options[id];
  snprintf(text, size, "%s%s%s", row->group ? row->group : "",
           row->group ? "." : "", row->name);
}

static void option_rows(void) {
  char before[64] = "", name[64];
  for (int i = 0; i < CW_OPTION_COUNT; i++) {
    cw_option_id id = (cw_option_id)i;
    const cw_option *row = &cw_options[id];
    full_name(id, name, sizeof name);
    CHECK_AS(strcmp(before, name) < 0, name);
    CHECK_AS(row->doc && *row->doc, name);
    CHECK_AS(row->kind < CW_KIND_COUNT && cw_kind_name(row->kind), name);
    CHECK_AS(row->min <= row->max, name);
    CHECK_AS(cw_option_find(row->group, row->name) == id, name);
    CHECK_AS(!row->group || cw_option_group(row->group), name);
    memcpy(before, name, sizeof before);
  }
}

static bool fits(cw_kind kind, curl_easytype type) {
  switch (kind) {
  case CW_KIND_BOOLEAN:
  case CW_KIND_CHOICE:
  case CW_KIND_INTEGER:
  case CW_KIND_IP:
  case CW_KIND_SECONDS:
    return type == CURLOT_LONG || type == CURLOT_VALUES || type == CURLOT_OFF_T;
  case CW_KIND_CA:
  case CW_KIND_PAIR:
  case CW_KIND_PIN:
  case CW_KIND_PROXY:
  case CW_KIND_TEXT:
  case CW_KIND_TOKEN:
  case CW_KIND_TOKEN68:
    return type == CURLOT_STRING;
  case CW_KIND_BODY:
  case CW_KIND_FILE:
  case CW_KIND_HANDLE:
    return type == CURLOT_FUNCTION;
  case CW_KIND_PARTS:
  case CW_KIND_VALUE:
    return type == CURLOT_OBJECT;
  case CW_KIND_PEM:
    return type == CURLOT_BLOB;
  case CW_KIND_FIELDS:
  case CW_KIND_RESOLVE:
    return type == CURLOT_SLIST;
  default:
    return false; /* the engine's own: no libcurl option */
  }
}

static void option_types(void) {
  char name[64];
  for (int i = 0; i < CW_OPTION_COUNT; i++) {
    const cw_option *row = &cw_options[i];
    if (!row->id) continue;
    const struct curl_easyoption *known = curl_easy_option_by_id(row->id);
    full_name((cw_option_id)i, name, sizeof name);
    CHECK_AS(known && fits(row->kind, known->type), name);
  }
}

static void option_defaults(void) {
  static const cw_settings none;
  char name[64];
  CURL *easy = curl_easy_init();
  for (int i = 0; i < CW_OPTION_COUNT; i++) {
    full_name((cw_option_id)i, name, sizeof name);
    CURLcode rc = cw_apply_row(easy, (cw_option_id)i, &none, &none);
    CHECK_AS(rc == CURLE_OK, name);
  }
  curl_easy_cleanup(easy);
}

static void option_near(void) {
  CHECK(cw_option_near(NULL, "no_such_thing_at_all") == NULL);
  CHECK(strcmp(cw_option_near(NULL, "heders"), "headers") == 0);
  CHECK(strcmp(cw_option_near(NULL, "timeot"), "timeout") == 0);
  CHECK(strcmp(cw_option_near("timeout", "conect"), "connect") == 0);
  CHECK(cw_option_near("timeout", "headers") == NULL);
}

/* route ------------------------------------------------------------------- */

static void route_entries(void) {
  static const struct {
    const char *given, *host, *address; /* NULL: refused */
  } rows[] = {
    {"h", "h:", NULL},
    {"h:80", "h:80", NULL},
    {"h:0080", "h:80", NULL},
    {"192.0.2.1", "192.0.2.1:", "192.0.2.1:"},
    {"192.0.2.1:65535", "192.0.2.1:65535", "192.0.2.1:65535"},
    {"::1", "[::1]:", "[::1]:"},
    {"[0:0::1]:8", "[::1]:8", "[::1]:8"},
    {"", NULL, NULL},
    {":", NULL, NULL},
    {":80", NULL, NULL},
    {"h:65536", NULL, NULL},
    {"h:99999999999999999999", NULL, NULL},
    {"[", NULL, NULL},
    {"[]", NULL, NULL},
    {"[]:1", NULL, NULL},
    {"]", NULL, NULL},
    {"[::1]:1:2", NULL, NULL},
    {"192.0.2.1:1:2", NULL, NULL},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    char out[CW_ROUTE_TEXT];
    const char *given = rows[i].given, *host = rows[i].host;
    const char *fault = cw_route_host(text_of(given), out);
    CHECK_AS((fault == NULL) == (host != NULL), given);
    CHECK_AS(!host || strcmp(out, host) == 0, given);
    const char *address = rows[i].address;
    fault = cw_route_address(text_of(given), out);
    CHECK_AS((fault == NULL) == (address != NULL), given);
    CHECK_AS(!address || strcmp(out, address) == 0, given);
  }
}

static void route_order(void) {
  cw_headers *entries = cw_headers_new();
  struct curl_slist *lines = NULL;
  cw_headers_add(entries, text_of("h:"), text_of("192.0.2.1:"));
  cw_headers_add(entries, text_of("gone:"), cw_field_removed);
  cw_headers_add(entries, text_of("h:80"), text_of("[::1]:8"));
  CHECK(cw_route_compile(entries, &lines));
  const struct curl_slist *line = lines;
  CHECK(line && strcmp(line->data, "h:80:[::1]:8") == 0);
  if (line) line = line->next;
  CHECK(line && strcmp(line->data, "h::192.0.2.1:") == 0);
  CHECK(line && !line->next);
  curl_slist_free_all(lines);
  setenv("no_proxy", "a, b", 1);
  char *exempt = cw_route_exempt(entries);
  CHECK(exempt && strcmp(exempt, "localhost,127.0.0.0/8,::1,a, b,h,h") == 0);
  free(exempt);
  unsetenv("no_proxy");
  cw_headers_free(entries);
}

/* error ------------------------------------------------------------------- */

static cw_error error_of(CURLcode curl, cw_phase phase, const char *detail) {
  cw_error e = {.code = CW_OK};
  cw_error_from_curl(&e, curl, phase, detail, NULL);
  return e;
}

static void error_every_code(void) {
  for (int i = 1; i < CURL_LAST; i++) {
    CURLcode curl = (CURLcode)i;
    cw_error e = error_of(curl, CW_PHASE_BODY, "");
    const char *what = curl_easy_strerror(curl);
    CHECK_AS(e.code > CW_OK && e.code < CW_ERR_COUNT, what);
    CHECK_AS(cw_code_name(e.code) != NULL, what);
    CHECK_AS(cw_phase_name(e.phase) != NULL, what);
    CHECK_AS(e.text[0] != '\0', what);
    CHECK_AS(e.curl == curl, what);
  }
}

static void error_table(void) {
  static const struct {
    CURLcode curl;
    const char *code, *phase;
  } rows[] = {
    {CURLE_URL_MALFORMAT, "url", "request"},
    {CURLE_COULDNT_RESOLVE_HOST, "resolve", "resolve"},
    {CURLE_COULDNT_RESOLVE_PROXY, "proxy", "headers"},
    {CURLE_COULDNT_CONNECT, "connect", "connect"},
    {CURLE_PEER_FAILED_VERIFICATION, "tls", "tls"},
    {CURLE_SSL_CONNECT_ERROR, "tls", "tls"},
    {CURLE_SSL_CACERT_BADFILE, "tls", "tls"},
    {CURLE_OPERATION_TIMEDOUT, "timeout", "headers"},
    {CURLE_GOT_NOTHING, "closed", "headers"},
    {CURLE_RECV_ERROR, "closed", "headers"},
    {CURLE_SEND_ERROR, "closed", "headers"},
    {CURLE_PARTIAL_FILE, "closed", "headers"}, /* of HTTP/2 */
    {CURLE_HTTP2, "closed", "headers"},
    {CURLE_HTTP2_STREAM, "closed", "headers"},
    {CURLE_WEIRD_SERVER_REPLY, "protocol", "headers"},
    {CURLE_BAD_FUNCTION_ARGUMENT, "protocol", "headers"},
    {CURLE_UNSUPPORTED_PROTOCOL, "protocol", "headers"},
    {CURLE_FILESIZE_EXCEEDED, "too_large", "headers"},
    {(CURLcode)100, "too_large", "headers"}, /* CURLE_TOO_LARGE */
    {CURLE_BAD_CONTENT_ENCODING, "protocol", "headers"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    cw_error e = error_of(rows[i].curl, CW_PHASE_HEADERS, "");
    const char *what = curl_easy_strerror(rows[i].curl);
    CHECK_AS(strcmp(cw_code_name(e.code), rows[i].code) == 0, what);
    CHECK_AS(strcmp(cw_phase_name(e.phase), rows[i].phase) == 0, what);
  }
  CHECK(error_of(CURLE_OUT_OF_MEMORY, CW_PHASE_BODY, "").code == CW_ERR_MEMORY);
  CHECK(error_of(CURLE_PARTIAL_FILE, CW_PHASE_BODY, "").code ==
        CW_ERR_TRUNCATED);
  CHECK((error_of(CURLE_OUT_OF_MEMORY, CW_PHASE_HEADERS, "").code ==
         CW_ERR_TOO_LARGE) == cw_quirk_is_active(CW_QUIRK_LINE_LIMIT));
}

/* The same code for different texts, unless the text is the only sign. */
static void error_facts(void) {
  static const struct {
    CURLcode curl;
    cw_phase phase;
    cw_facts facts;
    const char *detail;
    cw_code code;
  } rows[] = {
    {CURLE_RECV_ERROR, CW_PHASE_BODY, {.chunked = true}, "", CW_ERR_PROTOCOL},
    {CURLE_RECV_ERROR, CW_PHASE_BODY, {.chunked = true}, "x", CW_ERR_PROTOCOL},
    {CURLE_RECV_ERROR,
     CW_PHASE_BODY,
     {.chunked = true, .socket = true},
     "x",
     CW_ERR_CLOSED},
    {CURLE_RECV_ERROR,
     CW_PHASE_BODY,
     {.chunked = true, .tls = true},
     "x",
     CW_ERR_CLOSED},
    {CURLE_RECV_ERROR, CW_PHASE_BODY, {.http2 = true}, "", CW_ERR_CLOSED},
    {CURLE_RECV_ERROR, CW_PHASE_HEADERS, {.alert = true}, "x", CW_ERR_TLS},
    {CURLE_SEND_ERROR, CW_PHASE_SEND, {.alert = true}, "", CW_ERR_TLS},
    {CURLE_RECV_ERROR, CW_PHASE_HEADERS, {0}, " alert ", CW_ERR_CLOSED},
    {CURLE_HTTP2, CW_PHASE_BODY, {.http2 = true}, "", CW_ERR_CLOSED},
    {CURLE_HTTP2, CW_PHASE_BODY, {.http2 = true}, "x", CW_ERR_PROTOCOL},
    {CURLE_HTTP2_STREAM, CW_PHASE_BODY, {.http2 = true}, "", CW_ERR_CLOSED},
    {CURLE_HTTP2_STREAM,
     CW_PHASE_BODY,
     {.http2 = true},
     "reset by server (error 0x1 PROTOCOL_ERROR)",
     CW_ERR_PROTOCOL},
    {CURLE_HTTP2_STREAM,
     CW_PHASE_BODY,
     {.http2 = true},
     "reset by server (error 0x8 CANCEL)",
     CW_ERR_CLOSED},
    {CURLE_PARTIAL_FILE,
     CW_PHASE_BODY,
     {.http2 = true, .goaway = true},
     "",
     CW_ERR_PROTOCOL},
    {CURLE_BAD_FUNCTION_ARGUMENT, CW_PHASE_TLS, {0}, "x", CW_ERR_TLS},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    cw_error e = {.code = CW_OK};
    cw_error_from_curl(&e, rows[i].curl, rows[i].phase, rows[i].detail,
                       &rows[i].facts);
    CHECK_AS(e.code == rows[i].code, curl_easy_strerror(rows[i].curl));
  }
}

/* mask -------------------------------------------------------------------- */

static void mask_rules(void) {
  static const struct {
    const char *text, *shown;
  } rows[] = {
    {"", ""},
    {"Connection #0 to host h left intact",
     "Connection #0 to host h left intact"},
    {"to 'http://u:p@h/'", "to 'http://***@h/'"},
    {"http://u:p/s@h/a?b=c d", "http://***@h/a?... d"},
    {"http://u@x:p?s#@h", "http://***@h"},
    {"http://h/?q http://u:p@i", "http://h/?... http://***@i"},
    {"[:path: /a?b]", "[:path: /a?..."},
    {"is it? yes?", "is it? yes?"},
    {"u@h", "u@h"},
    {"auth using Basic with user 'a b'", "auth using Basic with user ***"},
    {"a  b\n", "a  b\n"},
  };
  char out[64];
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    size_t n = cw_mask(out, sizeof out, rows[i].text, strlen(rows[i].text));
    CHECK_AS(strcmp(out, rows[i].shown) == 0 && n == strlen(out), rows[i].text);
  }
  CHECK(cw_mask(out, 4, "abcdef", 6) == 3 && strcmp(out, "abc") == 0);
}

static void error_hides_proxy(void) {
  static const char detail[] = "Unsupported proxy scheme for 'x://u:p@h'";
  cw_error e = error_of(CURLE_COULDNT_CONNECT, CW_PHASE_CONNECT, detail);
  CHECK(!strstr(e.text, "u:p"));
  e.code = CW_OK;
  cw_error_from_proxy(&e, CURLE_COULDNT_CONNECT, CW_PHASE_TLS, detail, 0);
  CHECK(!strstr(e.text, "u:p"));
  CHECK(e.code == CW_ERR_PROXY && e.phase == CW_PHASE_CONNECT);
}

static void error_first(void) {
  cw_error e = error_of(CURLE_RECV_ERROR, CW_PHASE_BODY, "in its own words");
  CHECK(strcmp(e.text, "in its own words") == 0);
  cw_error_set(&e, CW_ERR_MEMORY, CW_PHASE_REQUEST, "later");
  CHECK(e.code == CW_ERR_CLOSED);
  CHECK(strcmp(e.text, "in its own words") == 0);
}

static void error_long(void) {
  char detail[2 * CW_ERROR_TEXT];
  memset(detail, 'x', sizeof detail);
  detail[sizeof detail - 1] = '\0';
  cw_error e = error_of(CURLE_RECV_ERROR, CW_PHASE_BODY, detail);
  CHECK(strlen(e.text) == CW_ERROR_TEXT - 1);
}

/* ledger ------------------------------------------------------------------ */

static cw_record leak_at(int line) {
  cw_record r = {.found = CW_LEAK_GC, .method = "GET", .host = "host"};
  snprintf(r.site.source, sizeof r.site.source, "app.lua");
  r.site.line = line;
  return r;
}

static void leak(cw_ledger *l, int line, uint64_t id) {
  cw_record r = leak_at(line);
  r.id = id;
  cw_ledger_leak(l, &r);
}

static void ledger_ring(void) {
  static cw_ledger l;
  CHECK(cw_ledger_record(&l, 0) == NULL);
  for (uint64_t id = 1; id <= CW_LEAKS_KEPT + 36; id++)
    leak(&l, 1, id);
  CHECK(l.leaks == CW_LEAKS_KEPT + 36);
  for (unsigned i = 0; i < CW_LEAKS_KEPT; i++)
    CHECK(cw_ledger_record(&l, i)->id == i + 37);
  CHECK(cw_ledger_record(&l, CW_LEAKS_KEPT) == NULL);
  CHECK(cw_ledger_record(&l, CW_LEAKS_KEPT - 1)->count == CW_LEAKS_KEPT + 36);
}

/* Told in full once, then at 10, 100, ...: each place on its own. */
static void ledger_news(void) {
  static cw_ledger l;
  uint64_t told[8] = {0};
  size_t n = 0;
  const cw_record *r;
  CHECK(cw_ledger_news(&l) == NULL);
  for (uint64_t id = 1; id <= 1000; id++) {
    leak(&l, 1, id);
    while ((r = cw_ledger_news(&l)) && n < 8)
      told[n++] = r->count;
  }
  CHECK(n == 4 && told[0] == 1 && told[1] == 10 && told[2] == 100 &&
        told[3] == 1000);
  leak(&l, 2, 1001);
  r = cw_ledger_news(&l);
  CHECK(r && r->site.line == 2 && r->count == 1);
  CHECK(cw_ledger_news(&l) == NULL);
}

static void ledger_places(void) {
  static cw_ledger l;
  for (int line = 1; line <= CW_LEAKS_KEPT + 10; line++)
    leak(&l, line, (uint64_t)line);
  leak(&l, 1, 1000);
  CHECK(l.place_count == CW_LEAKS_KEPT);
  CHECK(l.elsewhere == 10);
  CHECK(l.places[0].count == 2);
  CHECK(cw_ledger_record(&l, CW_LEAKS_KEPT - 1)->count == 2);
}

/* What has been passed over in the ring is not waited for. */
static void ledger_overrun(void) {
  static cw_ledger l;
  size_t n = 0;
  for (int i = 0; i < 10 * CW_LEAKS_KEPT; i++)
    leak(&l, i, (uint64_t)i);
  while (cw_ledger_news(&l))
    n++;
  CHECK(n <= CW_LEAKS_KEPT);
  CHECK(l.reported == l.leaks);
}

static void ledger_sums(void) {
  cw_counters c = {.opened = 0};
  for (int end = 0; end < CW_END_COUNT; end++)
    c.ended[end] = (uint64_t)1 << end;
  uint64_t released = cw_counters_sum(&c, false);
  uint64_t leaked = cw_counters_sum(&c, true);
  CHECK(released + leaked == ((uint64_t)1 << CW_END_COUNT) - 1);
  CHECK(leaked == (((uint64_t)1 << CW_LEAK_GC) | (1 << CW_LEAK_SHUTDOWN) |
                   (1 << CW_LEAK_EXIT)));
  for (int end = 0; end < CW_END_COUNT; end++)
    CHECK(cw_end_name((cw_end)end) != NULL);
}

static void ledger_text(void) {
  char text[1024], small[32];
  cw_record r = leak_at(42);
  snprintf(r.url, sizeof r.url, "http://host/big");
  r.status = 200;
  r.read = 4096;
  r.expected = 104857600;
  cw_record_print(&r, text, sizeof text);
  CHECK(strstr(text, "curlew: leak: GET http://host/big opened at app.lua:42, "
                     "200, read 4096 of 104857600 bytes, open 0.0 s, "
                     "released by the collector; hint: ") == text);
  cw_record_print(&r, small, sizeof small);
  CHECK(strlen(small) == sizeof small - 1);
}

/* watch ------------------------------------------------------------------- */

typedef struct watching {
  cw_watch w;
  bool epoll;
  int read_end, write_end;
} watching;

static void open_pipe(int *read_end, int *write_end) {
  int ends[2];
  CHECK(pipe(ends) == 0);
  *read_end = ends[0];
  *write_end = ends[1];
}

static void begin_watching(watching *t, bool epoll) {
  cw_watch_init(&t->w);
  t->epoll = epoll;
  if (epoll) CHECK(cw_watch_descriptor(&t->w) >= 0);
  open_pipe(&t->read_end, &t->write_end);
}

static void end_watching(watching *t) {
  close(t->read_end);
  close(t->write_end);
  cw_watch_clear(&t->w);
}

static void fill(int write_end) { CHECK(write(write_end, "x", 1) == 1); }

/* Whether a wait finds 'fd' readable, and nothing else. */
static bool finds(cw_watch *w, int fd) {
  cw_watch_wait(w, 0);
  return w->fired_count == 1 && w->fired[0].fd == fd &&
         w->fired[0].revents == POLLIN;
}

static bool finds_nothing(cw_watch *w) {
  cw_watch_wait(w, 0);
  return w->fired_count == 0;
}

static void watch_finds(bool epoll) {
  watching t;
  begin_watching(&t, epoll);
  CHECK(finds_nothing(&t.w));
  CHECK(cw_watch_set(&t.w, t.read_end, POLLIN));
  CHECK(finds_nothing(&t.w));
  fill(t.write_end);
  CHECK(finds(&t.w, t.read_end));
  CHECK(finds(&t.w, t.read_end));
  CHECK(cw_watch_set(&t.w, t.read_end, POLLOUT));
  CHECK(finds_nothing(&t.w));
  CHECK(cw_watch_set(&t.w, t.read_end, POLLIN));
  CHECK(finds(&t.w, t.read_end));
  CHECK(cw_watch_set(&t.w, t.read_end, 0));
  CHECK(finds_nothing(&t.w));
  CHECK(cw_watch_set(&t.w, t.read_end, 0));
  end_watching(&t);
}

/* One open of a pipe at the number 'fd' after another. */
static int renew_at(int fd, int *write_end) {
  int fresh;
  close(*write_end);
  open_pipe(&fresh, write_end);
  CHECK(dup2(fresh, fd) == fd);
  close(fresh);
  return fd;
}

/* A socket of libcurl's: its number comes back as another socket. */
static void watch_reused(bool epoll) {
  watching t;
  begin_watching(&t, epoll);
  int fd = t.read_end;
  for (int i = 0; i < 3; i++) {
    CHECK(cw_watch_hold(&t.w, fd));
    CHECK(cw_watch_set(&t.w, fd, POLLIN));
    CHECK(finds_nothing(&t.w));
    fill(t.write_end);
    CHECK(finds(&t.w, fd));
    CHECK(cw_watch_set(&t.w, fd, 0));
    if (i == 1) CHECK(finds_nothing(&t.w)); /* or not looked at in between */
    cw_watch_unhold(&t.w, fd);
    renew_at(fd, &t.write_end);
  }
  CHECK(t.w.held == 0);
  end_watching(&t);
}

/* The resolver's own, of which only the wish to wait is told. */
static void watch_reused_unheld(bool epoll) {
  watching t;
  begin_watching(&t, epoll);
  int fd = t.read_end;
  for (int i = 0; i < 3; i++) {
    CHECK(cw_watch_set(&t.w, fd, POLLIN));
    CHECK(finds_nothing(&t.w));
    fill(t.write_end);
    CHECK(finds(&t.w, fd));
    CHECK(cw_watch_set(&t.w, fd, 0));
    if (i == 1) CHECK(finds_nothing(&t.w));
    renew_at(fd, &t.write_end);
  }
  end_watching(&t);
}

/* Its closed number becomes a socket of libcurl's, and the reverse. */
static void watch_exchanged(bool epoll) {
  watching t;
  begin_watching(&t, epoll);
  int fd = t.read_end;
  for (int i = 0; i < 4; i++) {
    if (i % 2) CHECK(cw_watch_hold(&t.w, fd));
    CHECK(cw_watch_set(&t.w, fd, POLLIN));
    fill(t.write_end);
    CHECK(finds(&t.w, fd));
    CHECK(cw_watch_set(&t.w, fd, 0));
    if (i % 2) cw_watch_unhold(&t.w, fd);
    renew_at(fd, &t.write_end);
  }
  end_watching(&t);
}

enum { PIPES = 150 };

/* Whether exactly the pipes that are wanted are found, in several waits if
** need be. */
static bool finds_each(cw_watch *w, int ends[][2], int step) {
  size_t found[PIPES] = {0};
  bool ok = true;
  for (int round = 0; round < 4; round++) {
    cw_watch_wait(w, 0);
    for (size_t i = 0; i < w->fired_count; i++)
      for (int k = 0; k < PIPES; k++)
        found[k] += w->fired[i].fd == ends[k][0];
  }
  for (int k = 0; k < PIPES; k++)
    ok = ok && (found[k] > 0) == (k % step == 0);
  return ok;
}

static void watch_many(bool epoll) {
  watching t;
  static int ends[PIPES][2];
  begin_watching(&t, epoll);
  for (int k = 0; k < PIPES; k++) {
    open_pipe(&ends[k][0], &ends[k][1]);
    CHECK(cw_watch_set(&t.w, ends[k][0], POLLIN));
    fill(ends[k][1]);
  }
  CHECK(finds_each(&t.w, ends, 1));
  for (int k = 0; k < PIPES; k++)
    if (k % 3) CHECK(cw_watch_set(&t.w, ends[k][0], 0));
  CHECK(finds_each(&t.w, ends, 3));
  for (int k = 0; k < PIPES; k++) {
    close(ends[k][0]);
    close(ends[k][1]);
  }
  end_watching(&t);
}

/* An event that is skipped is wanted again after that, or when it is set. */
static void watch_skips(bool epoll) {
  watching t;
  begin_watching(&t, epoll);
  fill(t.write_end);
  CHECK(cw_watch_set(&t.w, t.read_end, POLLIN));
  cw_watch_skip_readable(&t.w, t.read_end, true);
  CHECK(cw_watch_skips_readable(&t.w, t.read_end));
  CHECK(cw_watch_wants_readable(&t.w, t.read_end));
  CHECK(finds_nothing(&t.w));
  cw_watch_skip_writable(&t.w, t.read_end, true); /* is not wanted */
  CHECK(!cw_watch_skips_writable(&t.w, t.read_end));
  cw_watch_skip_readable(&t.w, t.read_end, false);
  CHECK(finds(&t.w, t.read_end));
  cw_watch_skip_readable(&t.w, t.read_end, true);
  CHECK(cw_watch_set(&t.w, t.read_end, POLLIN));
  CHECK(!cw_watch_skips_readable(&t.w, t.read_end));
  CHECK(finds(&t.w, t.read_end));
  end_watching(&t);
}

static void watch_hangup(bool epoll) {
  watching t;
  begin_watching(&t, epoll);
  CHECK(cw_watch_set(&t.w, t.read_end, POLLIN));
  close(t.write_end);
  cw_watch_wait(&t.w, 0);
  CHECK(t.w.fired_count == 1 && t.w.fired[0].revents & POLLHUP);
  t.write_end = -1;
  end_watching(&t);
}

static void watch_poll_finds(void) { watch_finds(false); }
static void watch_epoll_finds(void) { watch_finds(true); }
static void watch_poll_reused(void) { watch_reused(false); }
static void watch_epoll_reused(void) { watch_reused(true); }
static void watch_poll_unheld(void) { watch_reused_unheld(false); }
static void watch_epoll_unheld(void) { watch_reused_unheld(true); }
static void watch_poll_exchanged(void) { watch_exchanged(false); }
static void watch_epoll_exchanged(void) { watch_exchanged(true); }
static void watch_poll_many(void) { watch_many(false); }
static void watch_epoll_many(void) { watch_many(true); }
static void watch_poll_skips(void) { watch_skips(false); }
static void watch_epoll_skips(void) { watch_skips(true); }

static void watch_poll_hangup(void) { watch_hangup(false); }
static void watch_epoll_hangup(void) { watch_hangup(true); }

/* Asked for when something is watched already. */
static void watch_descriptor(void) {
  watching t;
  begin_watching(&t, false);
  CHECK(cw_watch_set(&t.w, t.read_end, POLLIN));
  int fd = cw_watch_descriptor(&t.w);
  CHECK(fd >= 0 && cw_watch_descriptor(&t.w) == fd);
  CHECK(!readable(fd));
  fill(t.write_end);
  CHECK(readable(fd));
  CHECK(finds(&t.w, t.read_end));
  CHECK(cw_watch_set(&t.w, t.read_end, 0));
  CHECK(cw_watch_descriptor(&t.w) == fd); /* tells it what has changed */
  CHECK(!readable(fd));
  end_watching(&t);
}

static void watch_bell(void) {
  watching t;
  begin_watching(&t, false);
  cw_watch_ring(&t.w); /* nobody has asked: there is none */
  CHECK(cw_watch_set(&t.w, t.read_end, POLLIN));
  int fd = cw_watch_descriptor(&t.w);
  CHECK(!readable(fd));
  cw_watch_ring(&t.w);
  cw_watch_ring(&t.w);
  CHECK(readable(fd));
  cw_watch_wait(&t.w, -1);
  CHECK(t.w.fired_count == 0 && !readable(fd));
  cw_watch_ring(&t.w);
  fill(t.write_end);
  CHECK(finds(&t.w, t.read_end));
  CHECK(finds(&t.w, t.read_end));
  end_watching(&t);
}

/* Many, of which hardly any comes up. */
static void watch_turns_to_epoll(void) {
  watching t;
  static int ends[PIPES][2];
  begin_watching(&t, false);
  for (int k = 0; k < PIPES; k++) {
    open_pipe(&ends[k][0], &ends[k][1]);
    CHECK(cw_watch_set(&t.w, ends[k][0], POLLIN));
  }
  for (int i = 0; i < 100 && t.w.poller.fd < 0; i++)
    CHECK(finds_nothing(&t.w));
  CHECK(t.w.poller.fd >= 0 && t.w.dirty_count == 0);
  fill(ends[7][1]);
  CHECK(finds(&t.w, ends[7][0]));
  for (int k = 8; k < PIPES; k++)
    CHECK(cw_watch_set(&t.w, ends[k][0], 0));
  CHECK(finds(&t.w, ends[7][0]));
  CHECK(t.w.dirty_count > 0); /* few: by poll, epoll was not told */
  for (int k = 0; k < PIPES; k++) {
    CHECK(cw_watch_set(&t.w, ends[k][0], POLLIN));
    if (k != 7) fill(ends[k][1]);
  }
  CHECK(finds_each(&t.w, ends, 1));
  for (int k = 0; k < PIPES; k++) {
    close(ends[k][0]);
    close(ends[k][1]);
  }
  end_watching(&t);
}

/* Somebody else has it open still, as a fork has. */
static void watch_lives_on(void) {
  watching t;
  begin_watching(&t, true);
  int fd = t.read_end, other = dup(fd);
  CHECK(cw_watch_hold(&t.w, fd));
  CHECK(cw_watch_set(&t.w, fd, POLLIN));
  fill(t.write_end);
  CHECK(finds(&t.w, fd));
  CHECK(cw_watch_set(&t.w, fd, 0));
  cw_watch_unhold(&t.w, fd);
  close(fd);
  CHECK(finds_nothing(&t.w));
  t.read_end = other;
  end_watching(&t);
}

static void watch_strange(void) {
  watching t;
  begin_watching(&t, false);
  int fd = t.read_end;
  CHECK(cw_watch_hold(&t.w, fd));
  CHECK(cw_watch_strange(&t.w) == -1);
  renew_at(fd, &t.write_end);
  CHECK(cw_watch_strange(&t.w) == fd);
  cw_watch_unhold(&t.w, fd);
  CHECK(cw_watch_strange(&t.w) == -1);
  CHECK(!cw_watch_hold(&t.w, 9999)); /* not open */
  end_watching(&t);
}

/* engine ------------------------------------------------------------------ */

static cw_exchange *begin_exchange(bench *b) {
  static cw_exchange *x; /* its owner, as far as it knows */
  cw_exchange_new(b->client, &x);
  CHECK(cw_request_set_url(&x->request, b->url, strlen(b->url),
                           &b->client->last_url, &x->error));
  cw_exchange_start(x);
  CHECK(x->transfer != NULL);
  return x;
}

/* What a callback of libcurl's gives up, and what it finds when it does. */
static struct {
  cw_exchange *victim;
  bool called, was_running, settled, queued, still_there;
} hook;

static void give_up(void) {
  if (hook.called) return;
  cw_exchange *x = hook.victim;
  cw_engine *e = x->client->engine;
  cw_transfer *t = x->transfer;
  uint64_t open = cw_engine_ledger(e)->counters.open;
  hook.called = true;
  hook.was_running = e->running;
  cw_exchange_release(x, CW_LEAK_GC);
  hook.settled = !x->transfer && cw_engine_ledger(e)->counters.open == open - 1;
  hook.queued = !cw_list_empty(&e->doomed);
  hook.still_there = t->entered;
}

static void check_hook(const bench *b) {
  CHECK(hook.called && hook.was_running);
  CHECK(hook.settled && hook.queued && hook.still_there);
  CHECK(cw_list_empty(&b->engine->doomed));
  CHECK(cw_engine_ledger(b->engine)->counters.ended[CW_LEAK_GC] == 1);
  CHECK(hook.victim->body.state == CW_BODY_CLOSED);
}

static curl_socket_t open_hook(void *data, curlsocktype purpose,
                               struct curl_sockaddr *address) {
  give_up();
  return on_open(data, purpose, address);
}

static size_t header_hook(char *bytes, size_t size, size_t n, void *data) {
  (void)bytes, (void)data;
  give_up();
  return size * n;
}

static void begin_hook(cw_exchange *victim) {
  memset(&hook, 0, sizeof hook);
  hook.victim = victim;
}

/* Gives up 'victim' while libcurl opens a socket for 'caller'. */
static void release_in_open(bench *b, cw_exchange *caller,
                            cw_exchange *victim) {
  CURL *easy = caller->transfer->easy;
  begin_hook(victim);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_hook);
  for (int i = 0; i < 100 && !hook.called; i++)
    cw_engine_step(b->engine, 10000);
  check_hook(b);
}

/* The number of transfers that the engine keeps of 'n'. */
static size_t kept(size_t n) { return needs_new_handle() ? 0 : n; }

static void engine_releases_other(void) {
  bench b;
  begin_bench(&b);
  cw_exchange *x = begin_exchange(&b), *other = begin_exchange(&b);
  release_in_open(&b, x, other);
  CHECK(x->transfer != NULL);
  CHECK(b.engine->free_count == kept(1));
  end_exchange(other);
  end_exchange(x);
  end_bench(&b);
}

static void engine_releases_itself(void) {
  bench b;
  begin_bench(&b);
  cw_exchange *x = begin_exchange(&b);
  release_in_open(&b, x, x);
  CHECK(b.engine->free_count == kept(1));
  end_exchange(x);
  end_bench(&b);
}

static void engine_releases_in_headers(void) {
  bench b;
  begin_bench(&b);
  cw_exchange *x = begin_exchange(&b);
  begin_hook(x);
  curl_easy_setopt(x->transfer->easy, CURLOPT_HEADERFUNCTION, header_hook);
  answer(&b, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  for (int i = 0; i < 100 && !hook.called; i++)
    cw_engine_step(b.engine, 10000);
  check_hook(&b);
  CHECK(x->body.came == 0);
  end_exchange(x);
  end_bench(&b);
}

/* libcurl closes some sockets without a word: of a connection that is given
** up before it stands. */
static void engine_counts_sockets(void) {
  bench b;
  begin_bench(&b);
  const cw_counters *c = &cw_engine_ledger(b.engine)->counters;
  cw_exchange *x = begin_exchange(&b);
  for (int i = 0; i < 100 && !c->connections_opened; i++)
    cw_engine_step(b.engine, 10000);
  CHECK(!x->transfer->connected);
  end_exchange(x);
  CHECK(c->connections_opened == 1 && c->connections_closed == 1);
  CHECK(cw_engine_sockets(b.engine) == 0);
  CHECK(cw_engine_strange_socket(b.engine) == -1);
  end_bench(&b);
}

static void engine_closes_sockets(void) {
  bench b;
  begin_bench(&b);
  const cw_counters *c = &cw_engine_ledger(b.engine)->counters;
  cw_exchange *x = begin_exchange(&b);
  answer(&b, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  for (int i = 0; i < 100 && !cw_exchange_stands(x); i++)
    cw_engine_step(b.engine, 10000);
  CHECK(c->connections_opened == 1 && c->connections_closed == 0);
  CHECK(cw_engine_sockets(b.engine) == 1);
  end_exchange(x);
  cw_engine_close(b.engine);
  CHECK(c->connections_closed == 1);
  CHECK(cw_engine_sockets(b.engine) == 0);
  end_bench(&b);
}

static void engine_recycles(void) {
  bench b;
  begin_bench(&b);
  for (int i = 0; i < 10; i++)
    end_exchange(begin_exchange(&b));
  CHECK(b.engine->free_count == kept(1));
  cw_exchange *many[FREE_TRANSFERS + 5];
  for (int i = 0; i < FREE_TRANSFERS + 5; i++)
    many[i] = begin_exchange(&b);
  CHECK(b.engine->free_count == 0);
  for (int i = 0; i < FREE_TRANSFERS + 5; i++)
    end_exchange(many[i]);
  CHECK(b.engine->free_count == kept(FREE_TRANSFERS));
  end_bench(&b);
}

static void engine_full(void) {
  bench b;
  begin_bench(&b);
  cw_engine_set_max_open(b.engine, 2);
  cw_exchange *x = begin_exchange(&b), *y = begin_exchange(&b);
  CHECK(cw_engine_full(b.engine));
  cw_exchange *z;
  cw_exchange_new(b.client, &z);
  CHECK(cw_request_set_url(&z->request, b.url, strlen(b.url),
                           &b.client->last_url, &z->error));
  cw_exchange_start(z);
  CHECK(!z->transfer && z->error.code == CW_ERR_TOO_MANY_OPEN);
  CHECK(cw_engine_ledger(b.engine)->counters.opened == 2);
  end_exchange(y);
  cw_exchange_start(z);
  CHECK(z->transfer != NULL);
  end_exchange(z);
  end_exchange(x);
  end_bench(&b);
}

/* A response goes all the way, driven by steps alone. */
static void engine_answers(void) {
  bench b;
  size_t n;
  begin_bench(&b);
  cw_exchange *x = begin_exchange(&b);
  answer(&b, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  for (int i = 0; i < 100 && !cw_exchange_stands(x); i++)
    cw_engine_step(b.engine, 10000);
  CHECK(x->response.status == 200 && !x->transfer);
  CHECK(memcmp(cw_body_peek(&x->body, &n), "ok", 2) == 0 && n == 2);
  CHECK(cw_engine_ledger(b.engine)->counters.ended[CW_BY_EAGER] == 1);
  end_exchange(x);
  end_bench(&b);
}

/* The same with the descriptor of a scheduler, which is readable whenever a
** step has something to do. */
static void engine_descriptor(void) {
  bench b;
  begin_bench(&b);
  int fd = cw_engine_descriptor(b.engine);
  CHECK(fd >= 0);
  cw_exchange *x = begin_exchange(&b);
  answer(&b, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  CHECK(cw_engine_descriptor(b.engine) == fd);
  CHECK(readable(fd));
  CHECK(cw_engine_timeout(b.engine) >= 0);
  for (int i = 0; i < 100 && !cw_exchange_stands(x); i++)
    cw_engine_step(b.engine, 10000);
  CHECK(x->response.status == 200 && !x->transfer);
  CHECK(cw_engine_descriptor(b.engine) == fd && !readable(fd));
  end_exchange(x);
  end_bench(&b);
}

/* url --------------------------------------------------------------------- */

static cw_url *url_of(const char *text) {
  cw_error e = {.code = CW_OK};
  cw_url *u = cw_url_new(text, strlen(text), &e);
  CHECK_AS(u != NULL, text);
  return u;
}

static void url_origins(void) {
  static const struct {
    const char *one, *other;
    bool same;
  } rows[] = {
    {"http://a/", "http://a/x?y#z", true},
    {"http://a/", "http://A:80/", true},
    {"https://a/", "https://a:443", true},
    {"http://u:p@a/", "http://v@a/", true},
    {"http://a:8080/", "http://a:8080/x", true},
    {"http://[::1]/", "http://[::1]:80/", true},
    {"http://[fe80::1%25a]/", "http://[FE80::1%a]:80/", true},
    {"http://[fe80::1%25a]/", "http://[fe80::1%25b]/", false},
    {"http://[fe80::1%25a]/", "http://[fe80::1]/", false},
    {"http://a/", "https://a/", false},
    {"http://a:8080/", "https://a:8080/", false},
    {"https://a:80/", "http://a/", false},
    {"http://a/", "http://a:81/", false},
    {"http://a/", "http://b/", false},
    {"http://a/", "http://a.b/", false},
    {"http://127.0.0.1/", "http://localhost/", false},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    cw_url *one = url_of(rows[i].one), *other = url_of(rows[i].other);
    CHECK_AS(cw_url_same_origin(one, other) == rows[i].same, rows[i].other);
    CHECK_AS(cw_url_same_origin(other, one) == rows[i].same, rows[i].other);
    cw_url_free(one);
    cw_url_free(other);
  }
}

/* retry ------------------------------------------------------------------- */

/* A request that may be retried, and what came of it. */
typedef struct tried {
  cw_settings *defaults;
  cw_request request;
  cw_response response;
  cw_error error;
  cw_try last;
} tried;

static void begin_tried(tried *t, int status) {
  t->defaults = cw_settings_new();
  t->error = (cw_error){.code = CW_OK};
  cw_request_init(&t->request, t->defaults, &t->error);
  cw_settings_number(&t->request.own, CW_OPT_RETRY_TIMES, 100);
  cw_response_init(&t->response);
  t->response.status = status;
  t->response.final = true;
  t->response.headers = cw_headers_new();
  t->last = (cw_try){.attempts = 1,
                     .error = &t->error,
                     .response = &t->response,
                     .now = 1000000000, /* 2001-09-09 01:46:40 */
                     .random = 1};
}

static void end_tried(tried *t) {
  cw_response_clear(&t->response);
  cw_request_clear(&t->request);
  cw_settings_free(t->defaults);
}

static int64_t delay_of(const tried *t) {
  return cw_retry_delay(&t->request, &t->last);
}

static void retry_backs_off(void) {
  static const int64_t most[] = {500000,   1000000,  2000000,  4000000,
                                 8000000,  16000000, 30000000, 30000000,
                                 30000000, 30000000};
  tried t;
  begin_tried(&t, 503);
  for (size_t i = 0; i < sizeof most / sizeof *most; i++) {
    t.last.attempts = (unsigned)i + 1;
    t.last.random = 1;
    CHECK(delay_of(&t) == most[i]);
    t.last.random = 0.5;
    CHECK(delay_of(&t) == most[i] / 2);
    t.last.random = 0;
    CHECK(delay_of(&t) == 0);
  }
  t.last.attempts = 101;
  CHECK(delay_of(&t) < 0);
  end_tried(&t);
}

/* Any random number gives a delay between none and the most. */
static void retry_jitters(void) {
  enum { ROUNDS = 1000 };
  tried t;
  begin_tried(&t, 503);
  cw_settings_number(&t.request.own, CW_OPT_RETRY_MAX_DELAY, 3);
  for (int i = 0; i < ROUNDS; i++) {
    t.last.attempts = 1 + next_random(99);
    t.last.random = next_random(1000) / 1000.0;
    int64_t us = delay_of(&t);
    CHECK(us >= 0 && us <= 3000000);
  }
  cw_settings_number(&t.request.own, CW_OPT_RETRY_MAX_DELAY, 0.001);
  t.last.attempts = 1;
  t.last.random = 1;
  CHECK(delay_of(&t) == 1000);
  end_tried(&t);
}

static int64_t delay_after(const char *line) {
  tried t;
  begin_tried(&t, 503);
  add_line(t.response.headers, line);
  int64_t us = delay_of(&t);
  end_tried(&t);
  return us;
}

/* What is neither seconds nor a date is passed over. */
static void retry_after_forms(void) {
  CHECK(delay_after("Retry-After: 0") == 0);
  CHECK(delay_after("retry-after:  7  ") == 7000000);
  CHECK(delay_after("Retry-After: 30") == 30000000);
  CHECK(delay_after("Retry-After: 31") < 0);
  CHECK(delay_after("Retry-After: 99999999999999999999999999999999") < 0);
  CHECK(delay_after("Retry-After: Sun, 09 Sep 2001 01:46:45 GMT") == 5000000);
  CHECK(delay_after("Retry-After: Sunday, 09-Sep-01 01:46:45 GMT") == 5000000);
  CHECK(delay_after("Retry-After: Sun Sep  9 01:46:45 2001") == 5000000);
  CHECK(delay_after("Retry-After: Sun, 09 Sep 2001 01:46:40 GMT") == 0);
  CHECK(delay_after("Retry-After: Sat, 08 Sep 2001 01:46:40 GMT") == 0);
  CHECK(delay_after("Retry-After: Mon, 10 Sep 2001 01:46:40 GMT") < 0);
  CHECK(delay_after("Retry-After:") == 500000);
  CHECK(delay_after("Retry-After: soon") == 500000);
  CHECK(delay_after("Retry-After: -5") == 500000);
  CHECK(delay_after("Retry-After: 1.5") == 2000000);
  CHECK(delay_after("Retry-After: 2.0") == 2000000);
  CHECK(delay_after("Retry-After: 0.000") == 0);
  CHECK(delay_after("Retry-After: 7.") == 7000000);
  CHECK(delay_after("Retry-After: 0.0001") == 1000000);
  CHECK(delay_after("Retry-After: .5") == 1000000);
  CHECK(delay_after("Retry-After: 29.5") == 30000000);
  CHECK(delay_after("Retry-After: 30.1") < 0);
  CHECK(delay_after("Retry-After: .") == 500000);
  CHECK(delay_after("Retry-After: 1.5.2") == 500000);
  CHECK(delay_after("Retry-After: 1,5") == 500000);
  CHECK(delay_after("Retry-After: 1.5 s") == 500000);
  CHECK(delay_after("Retry-After: 1, 2") == 500000);
  CHECK(delay_after("Retry-After: +1") == 500000);
}

/* Of an error there is no Retry-After, whatever came before it. */
static void retry_of_errors(void) {
  tried t;
  begin_tried(&t, 200);
  add_line(t.response.headers, "Retry-After: 20");
  CHECK(delay_of(&t) < 0);
  cw_error_set(&t.error, CW_ERR_TRUNCATED, CW_PHASE_BODY, "cut");
  CHECK(delay_of(&t) == 500000);
  t.error.retryable = false;
  CHECK(delay_of(&t) < 0);
  CHECK(cw_settings_text(&t.request.own, CW_OPT_RETRY_ON, ",503,truncated,"));
  CHECK(delay_of(&t) == 500000);
  CHECK(cw_settings_text(&t.request.own, CW_OPT_RETRY_ON, ",503,timeout,"));
  CHECK(delay_of(&t) < 0);
  end_tried(&t);
}

static void retry_of_methods(void) {
  static const struct {
    const char *method;
    bool idempotent;
  } rows[] = {{"GET", true},    {"HEAD", true},    {"PUT", true},
              {"DELETE", true}, {"OPTIONS", true}, {"TRACE", true},
              {"POST", false},  {"PATCH", false},  {"CONNECT", false},
              {"get", false},   {"QUERY", false}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    tried t;
    begin_tried(&t, 503);
    CHECK(cw_settings_text(&t.request.own, CW_OPT_METHOD, rows[i].method));
    CHECK_AS((delay_of(&t) >= 0) == rows[i].idempotent, rows[i].method);
    cw_settings_number(&t.request.own, CW_OPT_RETRY_UNSAFE, 1);
    CHECK_AS(delay_of(&t) >= 0, rows[i].method);
    t.request.content.begun = true;
    CHECK_AS(delay_of(&t) < 0, rows[i].method);
    end_tried(&t);
  }
}

static void retry_of_statuses(void) {
  for (int status = 100; status < 600; status++) {
    tried t;
    bool worth = status == 408 || status == 429 || status == 500 ||
                 status == 502 || status == 503 || status == 504;
    begin_tried(&t, status);
    CHECK((delay_of(&t) >= 0) == worth);
    CHECK(cw_settings_text(&t.request.own, CW_OPT_RETRY_ON, ",404,50,"));
    CHECK((delay_of(&t) >= 0) == (status == 404));
    end_tried(&t);
  }
}

/* The list ---------------------------------------------------------------- */

static const test tests[] = {
  {"buf holds no more than its limit", buf_limit},
  {"buf is unchanged by what it refuses", buf_huge},
  {"buf is empty and usable once cleared", buf_clear},
  {"buf keeps bytes in order and memory in its limit", buf_order},
  {"headers are found in any case, each line of a name", headers_find},
  {"headers go on in folded lines", headers_fold},
  {"headers hold no more than 256 KiB", headers_limit},
  {"headers outlive who gave them back", headers_shared},
  {"deadlines are in order after any operations", deadlines_order},
  {"deadlines that have moved on are not late", deadlines_late},
  {"deadlines are of what a transfer waits for", deadlines_limits},
  {"option rows are in order, documented, and found", option_rows},
  {"option kinds fit what libcurl takes", option_types},
  {"option defaults are taken by libcurl", option_defaults},
  {"option names have near ones", option_near},
  {"route has one form of hosts and addresses", route_entries},
  {"route puts entries with a port first", route_order},
  {"error has a code, a phase and a text for every CURLcode", error_every_code},
  {"error says what went wrong in the words of the interface", error_table},
  {"error judges by facts, whatever the text is", error_facts},
  {"mask hides what urls and user names may hold", mask_rules},
  {"error shows no proxy of the environment", error_hides_proxy},
  {"error keeps the first", error_first},
  {"error cuts a text that is too long", error_long},
  {"ledger keeps the last 64 leaks, oldest first", ledger_ring},
  {"ledger tells of a place at 1, 10, 100, ...", ledger_news},
  {"ledger counts places beyond 64 together", ledger_places},
  {"ledger passes over what its ring has lost", ledger_overrun},
  {"ledger sums what was released and what leaked", ledger_sums},
  {"ledger says a leak in one sentence", ledger_text},
  {"url has an origin of scheme, host and port", url_origins},
  {"retry backs off, doubling up to max_delay", retry_backs_off},
  {"retry jitters between none and the most", retry_jitters},
  {"retry heeds Retry-After in both forms", retry_after_forms},
  {"retry looks at an error's code", retry_of_errors},
  {"retry leaves methods alone that are not idempotent", retry_of_methods},
  {"retry takes the statuses that pass", retry_of_statuses},
  {"watch by poll finds what is readable", watch_poll_finds},
  {"watch by epoll finds what is readable", watch_epoll_finds},
  {"watch by poll knows a socket's number again", watch_poll_reused},
  {"watch by epoll knows a socket's number again", watch_epoll_reused},
  {"watch by poll knows another's number again", watch_poll_unheld},
  {"watch by epoll knows another's number again", watch_epoll_unheld},
  {"watch by poll tells sockets from others", watch_poll_exchanged},
  {"watch by epoll tells sockets from others", watch_epoll_exchanged},
  {"watch by poll finds each of many", watch_poll_many},
  {"watch by epoll finds each of many", watch_epoll_many},
  {"watch by poll skips an event that is wanted", watch_poll_skips},
  {"watch by epoll skips an event that is wanted", watch_epoll_skips},
  {"watch by poll finds a hang-up", watch_poll_hangup},
  {"watch by epoll finds a hang-up", watch_epoll_hangup},
  {"watch has a descriptor that is readable when it finds", watch_descriptor},
  {"watch has a descriptor that can be rung", watch_bell},
  {"watch knows a held number that is another file", watch_strange},
  {"watch goes by epoll where hardly any of many comes up",
   watch_turns_to_epoll},
  {"watch by epoll forgets what somebody else has open still", watch_lives_on},
  {"engine queues the release of another while libcurl runs",
   engine_releases_other},
  {"engine queues the release of who is being served", engine_releases_itself},
  {"engine queues a release in the header callback",
   engine_releases_in_headers},
  {"engine has no socket left of a connection given up", engine_counts_sockets},
  {"engine closes idle connections when it is closed", engine_closes_sockets},
  {"engine uses transfers again, and keeps some", engine_recycles},
  {"engine opens no more than max_open", engine_full},
  {"engine brings a response by steps alone", engine_answers},
  {"engine has a descriptor that is readable when a step is due",
   engine_descriptor},
};

int main(int argc, char **argv) {
  curl_global_init(CURL_GLOBAL_DEFAULT);
  int code = run_tests(tests, sizeof tests / sizeof *tests, argc, argv);
  curl_global_cleanup();
  return code;
}
