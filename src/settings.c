/* settings: values given to options. Knows headers, option.
** SPDX-License-Identifier: MIT */
#include "settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "decoder.h"
#include "route.h"

void cw_settings_init(cw_settings *s) {
  s->refs = 1;
  s->set = 0;
  s->unset = 0;
  s->headers = s->resolve = NULL;
}

static bool is_text(cw_kind kind) {
  return kind == CW_KIND_CA || kind == CW_KIND_CONDITIONS ||
         kind == CW_KIND_PAIR || kind == CW_KIND_PEM || kind == CW_KIND_PIN ||
         kind == CW_KIND_PROXY || kind == CW_KIND_TEXT ||
         kind == CW_KIND_TOKEN || kind == CW_KIND_TOKEN68;
}

static bool is_fields(cw_kind kind) {
  return kind == CW_KIND_FIELDS || kind == CW_KIND_NAMES ||
         kind == CW_KIND_RESOLVE;
}

/* Where the compiled form of a row's list is; NULL: it has none. */
static struct curl_slist **lines_of(cw_settings *s, cw_option_id id) {
  if (id == CW_OPT_HEADERS) return &s->headers;
  return id == CW_OPT_RESOLVE ? &s->resolve : NULL;
}

static void drop(cw_settings *s, cw_option_id id) {
  if (!(s->set & cw_option_bit(id))) return;
  s->set &= ~cw_option_bit(id);
  if (is_text(cw_options[id].kind)) free(s->values[id].text);
  if (is_fields(cw_options[id].kind)) cw_headers_free(s->values[id].list);
  struct curl_slist **lines = lines_of(s, id);
  if (!lines) return;
  curl_slist_free_all(*lines);
  *lines = NULL;
}

void cw_settings_clear(cw_settings *s) {
  for (int id = 0; s->set && id < CW_OPTION_COUNT; id++)
    drop(s, (cw_option_id)id);
  s->unset = 0;
}

cw_settings *cw_settings_new(void) {
  cw_settings *s = malloc(sizeof *s);
  if (s) cw_settings_init(s);
  return s;
}

cw_settings *cw_settings_retain(cw_settings *s) {
  s->refs++;
  return s;
}

void cw_settings_free(cw_settings *s) {
  if (!s || --s->refs > 0) return;
  cw_settings_clear(s);
  free(s);
}

static cw_value *place(cw_settings *s, cw_option_id id) {
  drop(s, id);
  s->unset &= ~cw_option_bit(id);
  s->set |= cw_option_bit(id);
  return &s->values[id];
}

void cw_settings_number(cw_settings *s, cw_option_id id, double number) {
  place(s, id)->number = number;
}

void cw_settings_integer(cw_settings *s, cw_option_id id, long integer) {
  place(s, id)->integer = integer;
}

bool cw_settings_text(cw_settings *s, cw_option_id id, const char *text) {
  char *copy = strdup(text);
  if (!copy) return false;
  place(s, id)->text = copy;
  return true;
}

void cw_settings_unset(cw_settings *s, cw_option_id id) {
  drop(s, id);
  s->unset |= cw_option_bit(id);
}

const cw_value *cw_settings_find(const cw_settings *own,
                                 const cw_settings *defaults, cw_option_id id) {
  uint64_t bit = cw_option_bit(id);
  if (own->set & bit) return &own->values[id];
  if (own->unset & bit) return NULL;
  return defaults->set & bit ? &defaults->values[id] : NULL;
}

double cw_settings_get(const cw_settings *own, const cw_settings *defaults,
                       cw_option_id id) {
  const cw_value *value = cw_settings_find(own, defaults, id);
  return value ? value->number : cw_options[id].number;
}

/* The rows in which the defaults say nothing to a request that says so much. */
static uint64_t superseded(const cw_settings *own) {
  uint64_t cert = cw_option_bit(CW_OPT_TLS_CERT);
  bool says = (own->set | own->unset) & cert;
  return says ? cw_option_bit(CW_OPT_TLS_KEY) |
                  cw_option_bit(CW_OPT_TLS_KEY_PASSWORD)
              : 0;
}

const char *cw_settings_text_of(const cw_settings *own,
                                const cw_settings *defaults, cw_option_id id) {
  static const cw_settings none;
  if (superseded(own) & cw_option_bit(id)) defaults = &none;
  const cw_value *value = cw_settings_find(own, defaults, id);
  return value ? value->text : NULL;
}

/* Header lines ------------------------------------------------------------ */

const cw_text cw_field_removed = {"", 1};

static bool removed(cw_text value) {
  return value.length == 1 && *value.bytes == '\0';
}

cw_headers *cw_fields_sent(const cw_headers *list) {
  cw_headers *sent = cw_headers_new();
  for (size_t i = 0; sent && i < cw_headers_count(list); i++) {
    cw_text value = cw_headers_value(list, i);
    if (removed(value)) continue;
    if (cw_headers_add(sent, cw_headers_name(list, i), value)) continue;
    cw_headers_free(sent);
    sent = NULL;
  }
  return sent;
}

/* One line as libcurl wants it (CURLOPT_HTTPHEADER): "Name:" takes one of its
** own away, "Name;" sends an empty one. */
static struct curl_slist *compile_line(cw_text name, cw_text value) {
  char small[256], *line = small;
  size_t size = name.length + value.length + 3;
  if (size > sizeof small && !(line = malloc(size))) return NULL;
  int n = (int)name.length;
  if (removed(value))
    snprintf(line, size, "%.*s:", n, name.bytes);
  else if (cw_text_trim(value).length == 0)
    snprintf(line, size, "%.*s;", n, name.bytes);
  else
    snprintf(line, size, "%.*s: %.*s", n, name.bytes, (int)value.length,
             value.bytes);
  struct curl_slist *node = curl_slist_append(NULL, line);
  if (line != small) free(line);
  return node;
}

/* What asks for a coded body, where the program has no such line of its own.
** CURLOPT_ACCEPT_ENCODING would cost 8,000 instructions a request. */
static char accept_line[] = "Accept-Encoding: " CW_DECODER_ACCEPTED;

struct curl_slist *cw_settings_lines(const cw_settings *own,
                                     const cw_settings *defaults,
                                     cw_option_id id) {
  bool mine = (own->set | own->unset) & cw_option_bit(id);
  const cw_settings *s = mine ? own : defaults;
  return id == CW_OPT_HEADERS ? s->headers : s->resolve;
}

struct curl_slist *cw_fields_usual(void) {
  static struct curl_slist lines = {.data = accept_line};
  return &lines;
}

static bool names(const cw_headers *list, const char *name) {
  cw_text text = {name, strlen(name)};
  return cw_headers_find(list, text, 0) < cw_headers_count(list);
}

/* Where the next line goes. */
static bool append_line(struct curl_slist ***end, struct curl_slist *line) {
  if (!line) return false;
  **end = line;
  *end = &line->next;
  return true;
}

static bool append(struct curl_slist ***end, const char *line) {
  return append_line(end, curl_slist_append(NULL, line));
}

/* libcurl says "application/x-www-form-urlencoded" of every text, and asks for
** 100 (Continue) by itself, unless it is told not to. */
static bool append_content(struct curl_slist ***end, const cw_headers *list,
                           const cw_content_fields *content) {
  char line[128];
  snprintf(line, sizeof line, "Content-Type:%s%s", content->type ? " " : "",
           content->type ? content->type : "");
  bool named = content->parts || names(list, "content-type");
  if (!named && !append(end, line)) return false;
  if (names(list, "expect")) return true;
  return append(end, content->expect ? "Expect: 100-continue" : "Expect:");
}

static bool compile(cw_settings *own, bool decode,
                    const cw_content_fields *content) {
  const cw_headers *list = own->values[CW_OPT_HEADERS].list;
  struct curl_slist **end = &own->headers;
  if (decode && !names(list, "accept-encoding") && !append(&end, accept_line))
    return false;
  if (content && !append_content(&end, list, content)) return false;
  for (size_t i = 0; i < cw_headers_count(list); i++) {
    if (!append_line(&end, compile_line(cw_headers_name(list, i),
                                        cw_headers_value(list, i))))
      return false;
  }
  return true;
}

/* libcurl has the lines as they are, and reads them when it asks again. */
void cw_settings_stop_expecting(cw_settings *own) {
  static const char name[] = "expect:";
  if (!(own->set & cw_option_bit(CW_OPT_HEADERS))) return;
  struct curl_slist *line = own->headers;
  for (; line; line = line->next)
    if (strncasecmp(line->data, name, sizeof name - 1) == 0)
      line->data[sizeof name - 1] = '\0';
}

void cw_settings_fields(cw_settings *s, cw_option_id id, cw_headers *list) {
  place(s, id)->list = list;
}

/* Adds those of 'more' whose names are not in 'but'. */
static bool add_missing(cw_headers *list, const cw_headers *but,
                        const cw_headers *more) {
  for (size_t i = 0; i < cw_headers_count(more); i++) {
    cw_text name = cw_headers_name(more, i);
    if (cw_headers_find(but, name, 0) < cw_headers_count(but)) continue;
    if (!cw_headers_add(list, name, cw_headers_value(more, i))) return false;
  }
  return true;
}

static const cw_headers *fields_of(const cw_settings *s, cw_option_id id) {
  bool has = s->set & cw_option_bit(id);
  return has ? s->values[id].list : NULL;
}

/* The list of a row that holds for a request: the client's, unless the request
** has said "none". */
static const cw_headers *default_fields(const cw_settings *own,
                                        const cw_settings *defaults,
                                        cw_option_id id) {
  return own->unset & cw_option_bit(id) ? NULL : fields_of(defaults, id);
}

/* Gives row 'id' of 'own' its list in one with the missing ones of
** 'defaults'. */
static bool merge(cw_settings *own, const cw_settings *defaults,
                  cw_option_id id) {
  const cw_headers *mine = fields_of(own, id);
  const cw_headers *theirs = default_fields(own, defaults, id);
  cw_headers *list = cw_headers_new();
  if (!list || !add_missing(list, mine, theirs) ||
      !add_missing(list, NULL, mine)) {
    cw_headers_free(list);
    return false;
  }
  cw_settings_fields(own, id, list);
  return true;
}

static bool compile_resolve(cw_settings *own, const cw_settings *defaults) {
  if (!(own->set & cw_option_bit(CW_OPT_RESOLVE))) return true;
  if (!merge(own, defaults, CW_OPT_RESOLVE)) return false;
  return cw_route_compile(own->values[CW_OPT_RESOLVE].list, &own->resolve);
}

bool cw_settings_compile(cw_settings *own, const cw_settings *defaults,
                         const cw_content_fields *content) {
  uint64_t fields = cw_option_bit(CW_OPT_HEADERS);
  uint64_t says = own->set | own->unset;
  if (!compile_resolve(own, defaults)) return false;
  if (!content && !(says & (fields | cw_option_bit(CW_OPT_DECODE))))
    return true;
  bool decode = cw_settings_get(own, defaults, CW_OPT_DECODE) != 0;
  if (!merge(own, defaults, CW_OPT_HEADERS)) return false;
  return compile(own, decode, content);
}

static bool inherit(cw_settings *own, const cw_settings *defaults,
                    cw_option_id id) {
  const cw_value *value = &defaults->values[id];
  cw_kind kind = cw_options[id].kind;
  if (is_text(kind)) return cw_settings_text(own, id, value->text);
  if (is_fields(kind))
    cw_settings_fields(own, id, cw_headers_retain(value->list));
  else
    *place(own, id) = *value;
  return true;
}

bool cw_settings_inherit(cw_settings *own, const cw_settings *defaults) {
  static const cw_settings none;
  if (!cw_settings_compile(own, defaults, NULL)) return false;
  uint64_t skipped = own->unset | superseded(own);
  for (int i = 0; i < CW_OPTION_COUNT; i++) {
    cw_option_id id = (cw_option_id)i;
    uint64_t bit = cw_option_bit(id);
    bool have = own->set & bit, given = defaults->set & bit;
    if (given && !have && !(skipped & bit) && !inherit(own, defaults, id))
      return false;
  }
  return cw_settings_compile(own, &none, NULL);
}

/* What is not sent to everybody ------------------------------------------- */

/* A chosen few of these lines. */
typedef bool chooser(const cw_settings *own, const cw_settings *defaults,
                     cw_text name);

bool cw_settings_secret(const cw_settings *own, const cw_settings *defaults,
                        cw_text name) {
  const cw_headers *more = fields_of(own, CW_OPT_SECRET_HEADERS);
  if (!more) more = default_fields(own, defaults, CW_OPT_SECRET_HEADERS);
  return cw_text_is(name, "authorization") || cw_text_is(name, "cookie") ||
         cw_text_is(name, "proxy-authorization") ||
         cw_headers_find(more, name, 0) < cw_headers_count(more);
}

/* Those of RFC 9110 section 8 that describe a body, and its digest's. */
static bool describes_content(const cw_settings *own,
                              const cw_settings *defaults, cw_text name) {
  static const char prefix[] = "content-";
  (void)own, (void)defaults;
  return (name.length > sizeof prefix &&
          strncasecmp(name.bytes, prefix, sizeof prefix - 1) == 0) ||
         cw_text_is(name, "digest") || cw_text_is(name, "expect");
}

/* Marks the chosen ones as taken away: those that 'own' would inherit and, if
** 'mine_too', its own. */
static bool take_away(cw_settings *own, const cw_settings *defaults,
                      chooser *chosen, bool mine_too) {
  const cw_headers *mine = fields_of(own, CW_OPT_HEADERS);
  const cw_headers *theirs = default_fields(own, defaults, CW_OPT_HEADERS);
  cw_headers *list = cw_headers_new();
  bool ok = list != NULL;
  for (size_t i = 0; i < cw_headers_count(mine) && ok; i++) {
    cw_text name = cw_headers_name(mine, i);
    bool goes = mine_too && chosen(own, defaults, name);
    ok = cw_headers_add(list, name,
                        goes ? cw_field_removed : cw_headers_value(mine, i));
  }
  for (size_t i = 0; i < cw_headers_count(theirs) && ok; i++) {
    cw_text name = cw_headers_name(theirs, i);
    bool overruled = cw_headers_find(mine, name, 0) < cw_headers_count(mine);
    if (!overruled && chosen(own, defaults, name))
      ok = cw_headers_add(list, name, cw_field_removed);
  }
  if (ok)
    cw_settings_fields(own, CW_OPT_HEADERS, list);
  else
    cw_headers_free(list);
  return ok;
}

static void unset_secrets(cw_settings *own, bool mine_too) {
  for (int i = 0; i < CW_OPTION_COUNT; i++) {
    bool mine = own->set & cw_option_bit((cw_option_id)i);
    if (cw_options[i].secret && (mine_too || !mine))
      cw_settings_unset(own, (cw_option_id)i);
  }
}

bool cw_settings_hide_secrets(cw_settings *own, const cw_settings *defaults,
                              bool mine_too) {
  if (!take_away(own, defaults, cw_settings_secret, mine_too)) return false;
  unset_secrets(own, mine_too);
  return true;
}

bool cw_settings_drop_content(cw_settings *own, const cw_settings *defaults) {
  return take_away(own, defaults, describes_content, true);
}

const char *cw_settings_conflict(const cw_settings *own,
                                 const cw_settings *defaults) {
  static const cw_option_id others[] = {CW_OPT_INTERFACE, CW_OPT_IP,
                                        CW_OPT_PROXY, CW_OPT_RESOLVE};
  static const char *const sentences[] = {
    "option 'unix': not together with 'interface'",
    "option 'unix': not together with 'ip'",
    "option 'unix': not together with 'proxy'",
    "option 'unix': not together with 'resolve'",
  };
  if (!cw_settings_find(own, defaults, CW_OPT_UNIX)) return NULL;
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
    const cw_value *value = cw_settings_find(own, defaults, others[i]);
    bool none = others[i] == CW_OPT_PROXY && value && !*value->text;
    if (value && !none) return sentences[i];
  }
  return NULL;
}

cw_proxy cw_settings_proxy(const cw_settings *own,
                           const cw_settings *defaults) {
  const cw_value *proxy = cw_settings_find(own, defaults, CW_OPT_PROXY);
  if (!proxy) return CW_PROXY_MAYBE;
  if (!*proxy->text) return CW_PROXY_NONE;
  bool tls = strncasecmp(proxy->text, "https:", 6) == 0;
  return tls ? CW_PROXY_TLS : CW_PROXY_PLAIN;
}
