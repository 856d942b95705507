/* option: the options table and its application. Knows libcurl's options.
** SPDX-License-Identifier: MIT */
#include "option.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "decoder.h"
#include "pem.h"
#include "route.h"
#include "version.h"

static const char *const http_versions[] = {"1.1", "2", "3", NULL};
static const long http_version_ids[] = {
  CURL_HTTP_VERSION_1_1, CURL_HTTP_VERSION_2TLS, CURL_HTTP_VERSION_3};
static const char *const tls_versions[] = {"1.0", "1.1", "1.2", "1.3", NULL};

enum { DAY = 86400 };
enum { TLS_OLDEST = 2, TLS_NEWEST = 3 }; /* of tls_versions, by default */
static const double LARGEST = 9007199254740992.0; /* 2^53: exact as a double */

/* clang-format off */
const cw_option cw_options[CW_OPTION_COUNT] = {
  [CW_OPT_AUTH_BASIC] = {.name = "basic", .group = "auth",
    .kind = CW_KIND_PAIR, .id = CURLOPT_USERPWD, .secret = true,
    .exclusive = true,
    .doc = "{user, password}, sent with each request (RFC 7617)"},
  [CW_OPT_AUTH_BEARER] = {.name = "bearer", .group = "auth",
    .kind = CW_KIND_TOKEN68, .id = CURLOPT_XOAUTH2_BEARER, .secret = true,
    .exclusive = true,
    .doc = "a token (RFC 6750), or function(stale) that returns one and for "
           "how many seconds it holds; called once more after a 401"},
  [CW_OPT_AUTH_DIGEST] = {.name = "digest", .group = "auth",
    .kind = CW_KIND_PAIR, .id = CURLOPT_USERPWD, .secret = true,
    .exclusive = true,
    .doc = "{user, password}, never sent in the clear (RFC 7616)"},
  [CW_OPT_AUTH_NETRC] = {.name = "netrc", .group = "auth",
    .kind = CW_KIND_BOOLEAN, .id = CURLOPT_NETRC, .secret = true,
    .exclusive = true, .standard = "false",
    .doc = "user and password of the host from ~/.netrc, sent as basic's"},
  [CW_OPT_BASE_URL] = {.name = "base_url", .kind = CW_KIND_TEXT,
    .doc = "put before a url without a scheme, with one slash between"},
  [CW_OPT_BODY] = {.name = "body", .kind = CW_KIND_BODY,
    .id = CURLOPT_READFUNCTION, .requests_only = true, .unsealed = true,
    .doc = "what is sent: a string, or a function that returns pieces, then "
           "nil (nil, err aborts)"},
  [CW_OPT_BUFFER] = {.name = "buffer", .kind = CW_KIND_INTEGER,
    .id = CURLOPT_BUFFERSIZE,
    .min = 1024, .max = CURL_MAX_READ_SIZE, .number = 16 * 1024,
    .standard = "16384",
    .doc = "size of the receive buffer, in bytes: a large one saves system "
           "calls when a large body comes, and is memory while it is open"},
  [CW_OPT_CHECK] = {.name = "check", .kind = CW_KIND_CHECK,
    .standard = "false",
    .doc = "any status but 200-299 is an error; or a function of the response "
           "that says whether it will do"},
  [CW_OPT_DEADLINE] = {.name = "deadline", .kind = CW_KIND_SECONDS,
    .min = 0.001, .max = DAY, .unlimited = true, .standard = "none",
    .doc = "everything, from the call to the end of the body"},
  [CW_OPT_DECODE] = {.name = "decode", .kind = CW_KIND_BOOLEAN,
    .number = 1, .standard = "true",
    .doc = "ask for gzip, deflate, br and zstd, and undo them; false: the "
           "bytes as they come"},
  [CW_OPT_EXPECT] = {.name = "expect", .kind = CW_KIND_BOOLEAN,
    .standard = "false",
    .doc = "ask for 100 (Continue) before a body is sent, and wait for it at "
           "most a second"},
  [CW_OPT_FILE] = {.name = "file", .kind = CW_KIND_FILE,
    .id = CURLOPT_READFUNCTION, .requests_only = true,
    .doc = "a file is sent: path, or a handle from where it stands"},
  [CW_OPT_FORM] = {.name = "form", .kind = CW_KIND_VALUE,
    .id = CURLOPT_POSTFIELDS, .requests_only = true, .unsealed = true,
    .doc = "fields are sent, url-encoded: name = value, name = {values}, or "
           "{{name, value}, ...}"},
  [CW_OPT_HEADERS] = {.name = "headers", .kind = CW_KIND_FIELDS,
    .id = CURLOPT_HTTPHEADER, .unsealed = true,
    .doc = "name = value, name = {values}, or {{name, value}, ...}; false "
           "takes a default away"},
  [CW_OPT_HTTP_VERSION] = {.name = "http_version", .kind = CW_KIND_CHOICE,
    .id = CURLOPT_HTTP_VERSION, .choices = http_versions, .standard = "1.1",
    .doc = "the newest HTTP version to offer, over TLS; the server may choose "
           "an older one"},
  [CW_OPT_JSON] = {.name = "json", .kind = CW_KIND_VALUE,
    .id = CURLOPT_POSTFIELDS, .requests_only = true, .unsealed = true,
    .doc = "a value is sent, as http.json encodes it"},
  [CW_OPT_LENGTH] = {.name = "length", .kind = CW_KIND_INTEGER,
    .id = CURLOPT_INFILESIZE_LARGE, .requests_only = true, .unsealed = true,
    .min = 0, .max = LARGEST, .unlimited = true, .standard = "chunked",
    .doc = "how many bytes the function given as body will return in all"},
  [CW_OPT_INTERFACE] = {.name = "interface", .kind = CW_KIND_TEXT,
    .id = CURLOPT_INTERFACE,
    .doc = "network interface, address or name to connect from; \"if!eth0\" is "
           "an interface only, \"host!name\" no interface"},
  [CW_OPT_IP] = {.name = "ip", .kind = CW_KIND_IP, .id = CURLOPT_IPRESOLVE,
    .standard = "both",
    .doc = "connect to addresses of this IP version only"},
  [CW_OPT_MAX_BODY] = {.name = "max_body", .kind = CW_KIND_INTEGER,
    .min = 0, .max = LARGEST, .number = 256.0 * 1024 * 1024,
    .standard = "268435456, when a body is read whole",
    .doc = "the largest body taken, in bytes; set, it holds for bodies read "
           "in pieces too"},
  [CW_OPT_METHOD] = {.name = "method", .kind = CW_KIND_TOKEN,
    .id = CURLOPT_CUSTOMREQUEST, .requests_only = true, .standard = "GET",
    .unsealed = true,
    .doc = "the request's method, of http.request and http.fetch"},
  [CW_OPT_MULTIPART] = {.name = "multipart", .kind = CW_KIND_PARTS,
    .id = CURLOPT_MIMEPOST, .requests_only = true, .unsealed = true,
    .doc = "a form with files is sent (RFC 7578): {{name =, [1] = text | "
           "file = | body =, filename =, type =}, ...}"},
  [CW_OPT_ON_END] = {.name = "on_end", .kind = CW_KIND_FUNCTION,
    .doc = "function(info), called once when the request is over, however it "
           "went: outcome, bytes, times, attempts"},
  [CW_OPT_PROGRESS] = {.name = "progress", .kind = CW_KIND_FUNCTION,
    .doc = "function{received, total, sent, send_total}, called while bytes "
           "come and go; if it returns false the request is cancelled"},
  [CW_OPT_PER_HOST] = {.name = "per_host", .kind = CW_KIND_INTEGER,
    .min = 1, .max = 1000000, .unlimited = true, .standard = "none",
    .doc = "how many requests that say so may be open at once to one origin "
           "(scheme, host, port)"},
  [CW_OPT_PROXY] = {.name = "proxy", .kind = CW_KIND_PROXY,
    .id = CURLOPT_PROXY, .standard = "the environment's",
    .doc = "url of a proxy, for all hosts: http, https, socks5, socks5h, "
           "socks4, socks4a; false: none"},
  [CW_OPT_QUERY] = {.name = "query", .kind = CW_KIND_QUERY,
    .unsealed = true,
    .doc = "appended to the url, percent-encoded: name = value, name = "
           "{values}, or {{name, value}, ...}"},
  [CW_OPT_REDIRECTS] = {.name = "redirects", .kind = CW_KIND_INTEGER,
    .min = 0, .max = 100, .number = 10, .standard = "10",
    .doc = "how many are followed; 0: the response that redirects is returned"},
  [CW_OPT_RETRY_MAX_DELAY] = {.name = "max_delay", .group = "retry",
    .kind = CW_KIND_SECONDS, .min = 0.001, .max = DAY, .number = 30,
    .standard = "30",
    .doc = "the longest wait before a retry; a Retry-After beyond it ends them"},
  [CW_OPT_RETRY_ON] = {.name = "on", .group = "retry",
    .kind = CW_KIND_CONDITIONS, .standard = "408, 429, 500, 502, 503, 504, "
    "and every error whose err.retryable is true",
    .doc = "a list of statuses and error codes that are worth a retry"},
  [CW_OPT_RETRY_TIMES] = {.name = "times", .group = "retry",
    .kind = CW_KIND_INTEGER, .min = 0, .max = 100, .scalar = true,
    .standard = "0",
    .doc = "how often a failed request is made again"},
  [CW_OPT_RETRY_UNSAFE] = {.name = "unsafe", .group = "retry",
    .kind = CW_KIND_BOOLEAN, .standard = "false",
    .doc = "also methods that are not idempotent (RFC 9110 9.2.2), as POST"},
  [CW_OPT_SECRET_HEADERS] = {.name = "secret_headers", .kind = CW_KIND_NAMES,
    .doc = "names of header lines that stay behind when a redirect leads to "
           "another origin, as Authorization and Cookie do"},
  [CW_OPT_RESOLVE] = {.name = "resolve", .kind = CW_KIND_RESOLVE,
    .id = CURLOPT_CONNECT_TO,
    .doc = "addresses to connect to: [\"host\" or \"host:port\"] = "
           "\"address\" or \"address:port\""},
  [CW_OPT_SEALED] = {.name = "sealed", .kind = CW_KIND_BOOLEAN,
    .clients_only = true, .standard = "false",
    .doc = "from now on requests may only set method, url, headers, query and "
           "bodies without files"},
  [CW_OPT_SHA256] = {.name = "sha256", .kind = CW_KIND_SHA256,
    .requests_only = true,
    .doc = "what the file's SHA-256 has to be, in hexadecimal; of "
           "http.download and r:save"},
  [CW_OPT_TIMEOUT_CONNECT] = {.name = "connect", .group = "timeout",
    .kind = CW_KIND_SECONDS, .id = CURLOPT_CONNECTTIMEOUT_MS,
    .min = 0.001, .max = DAY, .number = 10, .scalar = true, .standard = "10",
    .doc = "until there is a connection: name, TCP and TLS"},
  [CW_OPT_TIMEOUT_FIRST_BYTE] = {.name = "first_byte", .group = "timeout",
    .kind = CW_KIND_SECONDS,
    .min = 0.001, .max = DAY, .number = 60, .scalar = true, .standard = "60",
    .doc = "from the last byte sent to the first received"},
  [CW_OPT_TIMEOUT_IDLE] = {.name = "idle", .group = "timeout",
    .kind = CW_KIND_SECONDS,
    .min = 0.001, .max = DAY, .number = 60, .scalar = true, .standard = "60",
    .doc = "one wait for more of the response; time spent elsewhere does not "
           "count"},
  [CW_OPT_TLS_CA] = {.name = "ca", .group = "tls", .kind = CW_KIND_CA,
    .id = CURLOPT_CAINFO, .standard = "the system's",
    .doc = "certificates to trust: path of a PEM file or of a hashed folder, "
           "or PEM text; or a list of files and texts, \"system\" among them"},
  [CW_OPT_TLS_CERT] = {.name = "cert", .group = "tls", .kind = CW_KIND_PEM,
    .id = CURLOPT_SSLCERT_BLOB, .secret = true,
    .doc = "certificate to show to a server that asks for one, and its chain"},
  [CW_OPT_TLS_KEY] = {.name = "key", .group = "tls", .kind = CW_KIND_PEM,
    .id = CURLOPT_SSLKEY_BLOB, .secret = true, .standard = "in tls.cert",
    .doc = "its private key"},
  [CW_OPT_TLS_KEY_PASSWORD] = {.name = "key_password", .group = "tls",
    .kind = CW_KIND_TEXT, .id = CURLOPT_KEYPASSWD, .secret = true,
    .doc = "what an encrypted key is encrypted with"},
  [CW_OPT_TLS_MAX] = {.name = "max", .group = "tls", .kind = CW_KIND_CHOICE,
    .id = CURLOPT_SSLVERSION, .choices = tls_versions,
    .number = TLS_NEWEST, .standard = "the newest there is",
    .doc = "the newest TLS version to speak"},
  [CW_OPT_TLS_MIN] = {.name = "min", .group = "tls", .kind = CW_KIND_CHOICE,
    .id = CURLOPT_SSLVERSION, .choices = tls_versions,
    .number = TLS_OLDEST, .standard = "1.2",
    .doc = "the oldest TLS version to speak"},
  [CW_OPT_TLS_PIN] = {.name = "pin", .group = "tls", .kind = CW_KIND_PIN,
    .id = CURLOPT_PINNEDPUBLICKEY,
    .doc = "public keys of which the server has to have one, as "
           "\"sha256//...\" (base64): a list, or one text with \";\" between"},
  [CW_OPT_TLS_VERIFY] = {.name = "verify", .group = "tls",
    .kind = CW_KIND_BOOLEAN, .id = CURLOPT_SSL_VERIFYPEER, .number = 1,
    .standard = "true",
    .doc = "false accepts any certificate, from anybody"},
  [CW_OPT_TRACE] = {.name = "trace", .kind = CW_KIND_HANDLE,
    .id = CURLOPT_DEBUGFUNCTION,
    .doc = "an open file, such as io.stderr: what happens on the wire is "
           "written there, without secrets and bodies"},
  [CW_OPT_UNIX] = {.name = "unix", .kind = CW_KIND_TEXT,
    .id = CURLOPT_UNIX_SOCKET_PATH,
    .doc = "path of a Unix domain socket to connect to; Host is the url's"},
  [CW_OPT_URL] = {.name = "url", .kind = CW_KIND_TEXT, .requests_only = true,
    .unsealed = true,
    .doc = "http or https; may also stand first in the table"},
  [CW_OPT_USER_AGENT] = {.name = "user_agent", .kind = CW_KIND_TEXT,
    .id = CURLOPT_USERAGENT, .standard = "curlew/" CW_VERSION,
    .doc = "the User-Agent header"},
};
/* clang-format on */

_Static_assert(CW_OPTION_COUNT <= 64, "the rows are bits of a uint64_t");

static const char *const kinds[CW_KIND_COUNT] = {
  [CW_KIND_BODY] = "string or function",
  [CW_KIND_BOOLEAN] = "boolean",
  [CW_KIND_CA] = "path, PEM text or list",
  [CW_KIND_CHECK] = "boolean or function",
  [CW_KIND_CHOICE] = "string",
  [CW_KIND_CONDITIONS] = "list of statuses and error codes",
  [CW_KIND_FIELDS] = "table",
  [CW_KIND_FILE] = "path or file",
  [CW_KIND_INTEGER] = "integer",
  [CW_KIND_FUNCTION] = "function",
  [CW_KIND_HANDLE] = "open file",
  [CW_KIND_NAMES] = "list of names",
  [CW_KIND_PAIR] = "{user, password}",
  [CW_KIND_PARTS] = "list of parts",
  [CW_KIND_PEM] = "path or PEM text",
  [CW_KIND_PIN] = "string or list",
  [CW_KIND_IP] = "4 or 6",
  [CW_KIND_PROXY] = "url or false",
  [CW_KIND_QUERY] = "table",
  [CW_KIND_RESOLVE] = "table of addresses",
  [CW_KIND_SECONDS] = "seconds",
  [CW_KIND_SHA256] = "string",
  [CW_KIND_TEXT] = "string",
  [CW_KIND_TOKEN] = "string",
  [CW_KIND_TOKEN68] = "string or function",
  [CW_KIND_VALUE] = "any value",
};

const char *cw_kind_name(cw_kind kind) { return kinds[kind]; }

const char *cw_option_libcurl(const cw_option *row) {
  if (!row->id) return NULL;
  const struct curl_easyoption *known = curl_easy_option_by_id(row->id);
  return known ? known->name : NULL;
}

static bool same_group(const char *a, const char *b) {
  return a == b || (a && b && strcmp(a, b) == 0);
}

cw_option_id cw_option_find(const char *group, const char *name) {
  cw_option_id id = 0;
  while (id < CW_OPTION_COUNT && !(strcmp(cw_options[id].name, name) == 0 &&
                                   same_group(cw_options[id].group, group)))
    id++;
  return id;
}

const char *cw_option_lacks(cw_option_id id, long choice) {
  cw_features has = cw_features_of_libcurl();
  if (id != CW_OPT_HTTP_VERSION) return NULL;
  if (choice == 1 && !has.http2) return "libcurl was built without HTTP/2";
  if (choice == 2 && !has.http3) return "libcurl was built without HTTP/3";
  return NULL;
}

bool cw_option_group(const char *name) {
  for (int id = 0; id < CW_OPTION_COUNT; id++)
    if (cw_options[id].group && strcmp(cw_options[id].group, name) == 0)
      return true;
  return false;
}

/* Levenshtein's distance in any case ("Pin" is no nearer to "min"), for names
** of at most 31 bytes. */
static int distance(const char *a, const char *b) {
  enum { MOST = 32 };
  size_t n = strlen(a), m = strlen(b);
  if (n >= MOST || m >= MOST) return MOST;
  int row[MOST];
  for (size_t j = 0; j <= m; j++)
    row[j] = (int)j;
  for (size_t i = 1; i <= n; i++) {
    int corner = row[0];
    row[0] = (int)i;
    for (size_t j = 1; j <= m; j++) {
      int best = corner + ((a[i - 1] | 32) != (b[j - 1] | 32));
      if (row[j] + 1 < best) best = row[j] + 1;
      if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
      corner = row[j];
      row[j] = best;
    }
  }
  return row[m];
}

static const char *nearer(const char *candidate, const char *name, int *best) {
  int d = distance(candidate, name);
  if (d >= *best) return NULL;
  *best = d;
  return candidate;
}

const char *cw_option_near(const char *group, const char *name) {
  int best = strlen(name) > 4 ? 3 : 2; /* at most two slips */
  const char *near = NULL;
  for (int id = 0; id < CW_OPTION_COUNT; id++) {
    const cw_option *row = &cw_options[id];
    const char *candidate = NULL;
    if (same_group(row->group, group))
      candidate = nearer(row->name, name, &best);
    else if (!group && row->group)
      candidate = nearer(row->group, name, &best);
    if (candidate) near = candidate;
  }
  return near;
}

/* Settings ---------------------------------------------------------------- */

void cw_settings_init(cw_settings *s) {
  s->refs = 1;
  s->set = 0;
  s->unset = 0;
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

static void drop(cw_settings *s, cw_option_id id) {
  if (!(s->set & cw_option_bit(id))) return;
  s->set &= ~cw_option_bit(id);
  if (is_text(cw_options[id].kind)) free(s->values[id].text);
  if (is_fields(cw_options[id].kind)) {
    cw_headers_free(s->values[id].fields.list);
    curl_slist_free_all(s->values[id].fields.lines);
  }
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

cw_headers *cw_fields_sent(const cw_fields *fields) {
  cw_headers *sent = cw_headers_new();
  for (size_t i = 0; sent && i < cw_headers_count(fields->list); i++) {
    cw_text value = cw_headers_value(fields->list, i);
    if (removed(value)) continue;
    if (cw_headers_add(sent, cw_headers_name(fields->list, i), value)) continue;
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
static struct curl_slist accept_lines = {.data = accept_line};

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

static bool compile(cw_fields *fields, bool decode,
                    const cw_content_fields *content) {
  struct curl_slist **end = &fields->lines;
  if (decode && !names(fields->list, "accept-encoding") &&
      !append(&end, accept_line))
    return false;
  if (content && !append_content(&end, fields->list, content)) return false;
  for (size_t i = 0; i < cw_headers_count(fields->list); i++) {
    if (!append_line(&end, compile_line(cw_headers_name(fields->list, i),
                                        cw_headers_value(fields->list, i))))
      return false;
  }
  return true;
}

/* libcurl has the lines as they are, and reads them when it asks again. */
void cw_settings_stop_expecting(cw_settings *own) {
  static const char name[] = "expect:";
  if (!(own->set & cw_option_bit(CW_OPT_HEADERS))) return;
  struct curl_slist *line = own->values[CW_OPT_HEADERS].fields.lines;
  for (; line; line = line->next)
    if (strncasecmp(line->data, name, sizeof name - 1) == 0)
      line->data[sizeof name - 1] = '\0';
}

void cw_settings_fields(cw_settings *s, cw_option_id id, cw_headers *list) {
  place(s, id)->fields = (cw_fields){.list = list};
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
  return has ? s->values[id].fields.list : NULL;
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
  cw_fields *fields = &own->values[CW_OPT_RESOLVE].fields;
  return cw_route_compile(fields->list, &fields->lines);
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
  return compile(&own->values[CW_OPT_HEADERS].fields, decode, content);
}

static bool inherit(cw_settings *own, const cw_settings *defaults,
                    cw_option_id id) {
  const cw_value *value = &defaults->values[id];
  cw_kind kind = cw_options[id].kind;
  if (is_text(kind)) return cw_settings_text(own, id, value->text);
  if (is_fields(kind))
    cw_settings_fields(own, id, cw_headers_retain(value->fields.list));
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

/* Application ------------------------------------------------------------- */

/* HTTPGET undoes NOBODY and the upload options with it (CURLOPT_HTTPGET). */
static CURLcode apply_method(CURL *easy, const char *method) {
  bool head = method && strcmp(method, "HEAD") == 0;
  CURLcode rc =
    curl_easy_setopt(easy, head ? CURLOPT_NOBODY : CURLOPT_HTTPGET, 1L);
  if (head || (method && strcmp(method, "GET") == 0)) method = NULL;
  return rc ? rc : curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
}

const char *cw_option_system_ca(void) {
  return curl_version_info(CURLVERSION_NOW)->cainfo;
}

/* libcurl copies the text. */
static CURLcode set_blob(CURL *easy, CURLoption option, const char *text) {
  struct curl_blob blob = {.flags = CURL_BLOB_COPY};
  if (!text) return curl_easy_setopt(easy, option, NULL);
  blob.data = (void *)(uintptr_t)text;
  blob.len = strlen(text);
  return curl_easy_setopt(easy, option, &blob);
}

/* Without a choice of the user's the bundle alone, no folder: libcurl then
** reads it once for all connections (CURLOPT_CA_CACHE_TIMEOUT). */
static CURLcode apply_ca(CURL *easy, const char *ca) {
  const char *file = ca, *folder = NULL, *text = NULL;
  struct stat st;
  if (!ca) {
    file = cw_option_system_ca();
    folder = file ? NULL : curl_version_info(CURLVERSION_NOW)->capath;
  } else if (cw_pem_is(ca)) {
    text = ca;
    file = NULL;
  } else if (stat(ca, &st) == 0 && S_ISDIR(st.st_mode)) {
    folder = ca;
    file = NULL;
  }
  CURLcode rc = curl_easy_setopt(easy, CURLOPT_CAINFO, file);
  if (!rc) rc = curl_easy_setopt(easy, CURLOPT_CAPATH, folder);
  if (!rc) rc = set_blob(easy, CURLOPT_CAINFO_BLOB, text);
  return rc;
}

static char *put_hex(char *to, const char *text) {
  static const char digits[] = "0123456789abcdef";
  for (; *text; text++) {
    *to++ = digits[(unsigned char)*text >> 4];
    *to++ = digits[*text & 15];
  }
  return to;
}

/* The certificate, and behind it, as a line that is none of PEM's, what it
** takes to be its owner: libcurl gives a connection to whoever comes with the
** same certificate, and that is no secret; it does not look at the key. */
static char *identity(const char *cert, const char *key, const char *password) {
  size_t n = strlen(cert) + 2 * strlen(key) + 2 * strlen(password) + 4;
  char *whole = malloc(n);
  if (!whole) return NULL;
  char *end = put_hex(whole + snprintf(whole, n, "%s\n", cert), key);
  *end++ = ' ';
  end = put_hex(end, password);
  *end++ = '\n';
  *end = '\0';
  return whole;
}

static CURLcode set_identity(CURL *easy, const char *cert, const char *key,
                             const char *password) {
  CURLcode rc = set_blob(easy, CURLOPT_SSLCERT_BLOB, cert);
  if (!rc) rc = set_blob(easy, CURLOPT_SSLKEY_BLOB, key);
  if (!rc) rc = curl_easy_setopt(easy, CURLOPT_KEYPASSWD, password);
  return rc;
}

/* Without a password OpenSSL would ask for one at the terminal: an empty one is
** wrong for every key. */
static CURLcode apply_identity(CURL *easy, const cw_settings *own,
                               const cw_settings *defaults) {
  const char *cert = cw_settings_text_of(own, defaults, CW_OPT_TLS_CERT);
  const char *key = cw_settings_text_of(own, defaults, CW_OPT_TLS_KEY);
  const char *password =
    cw_settings_text_of(own, defaults, CW_OPT_TLS_KEY_PASSWORD);
  if (!cert) return set_identity(easy, NULL, NULL, NULL);
  if (!key) key = cert;
  if (!password) password = "";
  char *whole = identity(cert, key, password);
  if (!whole) return CURLE_OUT_OF_MEMORY;
  CURLcode rc = set_identity(easy, whole, key, password);
  free(whole);
  return rc;
}

/* libcurl compares the pins of connections in any case, and base64 is not so: a
** last one, too long to be any key's, says which letters were meant. */
static CURLcode apply_pin(CURL *easy, const char *pin) {
  static const char form[] = "%s;sha256//";
  if (!pin) return curl_easy_setopt(easy, CURLOPT_PINNEDPUBLICKEY, NULL);
  size_t n = 3 * strlen(pin) + sizeof form;
  char *whole = malloc(n);
  if (!whole) return CURLE_OUT_OF_MEMORY;
  *put_hex(whole + snprintf(whole, n, form, pin), pin) = '\0';
  CURLcode rc = curl_easy_setopt(easy, CURLOPT_PINNEDPUBLICKEY, whole);
  free(whole);
  return rc;
}

static CURLcode apply_tls_versions(CURL *easy, const cw_settings *own,
                                   const cw_settings *defaults) {
  static const long oldest[] = {
    CURL_SSLVERSION_TLSv1_0, CURL_SSLVERSION_TLSv1_1, CURL_SSLVERSION_TLSv1_2,
    CURL_SSLVERSION_TLSv1_3};
  static const long newest[] = {
    CURL_SSLVERSION_MAX_TLSv1_0, CURL_SSLVERSION_MAX_TLSv1_1,
    CURL_SSLVERSION_MAX_TLSv1_2, CURL_SSLVERSION_MAX_TLSv1_3};
  const cw_value *min = cw_settings_find(own, defaults, CW_OPT_TLS_MIN);
  const cw_value *max = cw_settings_find(own, defaults, CW_OPT_TLS_MAX);
  return curl_easy_setopt(
    easy, CURLOPT_SSLVERSION,
    oldest[min ? min->integer : TLS_OLDEST] |
      (max ? newest[max->integer] : CURL_SSLVERSION_MAX_NONE));
}

static CURLcode apply_verify(CURL *easy, bool verify) {
  CURLcode rc = curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, (long)verify);
  if (!rc)
    rc = curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, verify ? 2L : 0L);
  return rc;
}

/* At most one of them has a value; basic is what a url's userinfo asks for. A
** token of "" is a function's: what it says comes with the request. */
static CURLcode apply_auth(CURL *easy, const cw_settings *own,
                           const cw_settings *defaults) {
  const char *basic = cw_settings_text_of(own, defaults, CW_OPT_AUTH_BASIC);
  const char *digest = cw_settings_text_of(own, defaults, CW_OPT_AUTH_DIGEST);
  const char *token = cw_settings_text_of(own, defaults, CW_OPT_AUTH_BEARER);
  bool netrc = cw_settings_get(own, defaults, CW_OPT_AUTH_NETRC) != 0;
  unsigned long scheme = digest            ? CURLAUTH_DIGEST
                         : token && *token ? CURLAUTH_BEARER
                                           : CURLAUTH_BASIC;
  CURLcode rc = curl_easy_setopt(easy, CURLOPT_HTTPAUTH, scheme);
  if (!rc)
    rc = curl_easy_setopt(easy, CURLOPT_USERPWD, digest ? digest : basic);
  if (!rc)
    rc = curl_easy_setopt(easy, CURLOPT_XOAUTH2_BEARER,
                          scheme == CURLAUTH_BEARER ? token : NULL);
  if (!rc)
    rc = curl_easy_setopt(easy, CURLOPT_NETRC,
                          netrc ? (long)CURL_NETRC_OPTIONAL
                                : (long)CURL_NETRC_IGNORED);
  return rc;
}

/* Without a choice of the user's the environment's; where that has none,
** libcurl need not look for one at each request. */
static CURLcode apply_proxy(CURL *easy, const char *proxy) {
  if (!proxy && !cw_route_environment()) proxy = "";
  return curl_easy_setopt(easy, CURLOPT_PROXY, proxy);
}

/* A proxy that the user chose is for all hosts. A request that says itself
** where to connect does not go through one of the environment; with a Unix
** domain socket libcurl sees to that. */
CURLcode cw_option_apply_exempt(CURL *easy, const cw_settings *own,
                                const cw_settings *defaults) {
  if (cw_settings_find(own, defaults, CW_OPT_PROXY))
    return curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
  const cw_value *pinned = cw_settings_find(own, defaults, CW_OPT_RESOLVE);
  char *exempt = cw_route_exempt(pinned ? pinned->fields.list : NULL);
  if (!exempt) return CURLE_OUT_OF_MEMORY;
  CURLcode rc = curl_easy_setopt(easy, CURLOPT_NOPROXY, exempt);
  free(exempt);
  return rc;
}

static CURLcode apply_ip(CURL *easy, const cw_value *value) {
  long version = CURL_IPRESOLVE_WHATEVER;
  if (value)
    version = value->number == 4 ? CURL_IPRESOLVE_V4 : CURL_IPRESOLVE_V6;
  return curl_easy_setopt(easy, CURLOPT_IPRESOLVE, version);
}

static long milliseconds(double seconds) {
  return (long)(seconds * 1000 + 0.5);
}

CURLcode cw_option_apply(CURL *easy, cw_option_id id, const cw_settings *own,
                         const cw_settings *defaults) {
  const cw_value *value = cw_settings_find(own, defaults, id);
  double number = value ? value->number : cw_options[id].number;
  switch (id) {
  case CW_OPT_AUTH_BASIC:
  case CW_OPT_AUTH_BEARER:
  case CW_OPT_AUTH_DIGEST:
  case CW_OPT_AUTH_NETRC:
    return apply_auth(easy, own, defaults);
  case CW_OPT_BUFFER:
    return curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)number);
  case CW_OPT_HEADERS:
    return curl_easy_setopt(easy, CURLOPT_HTTPHEADER,
                            value ? value->fields.lines : &accept_lines);
  case CW_OPT_HTTP_VERSION:
    return curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
                            http_version_ids[value ? value->integer : 0]);
  case CW_OPT_INTERFACE:
    return curl_easy_setopt(easy, CURLOPT_INTERFACE,
                            value ? value->text : NULL);
  case CW_OPT_IP:
    return apply_ip(easy, value);
  case CW_OPT_METHOD:
    return apply_method(easy, value ? value->text : NULL);
  case CW_OPT_PROXY:
    return apply_proxy(easy, value ? value->text : NULL);
  case CW_OPT_RESOLVE:
    return curl_easy_setopt(easy, CURLOPT_CONNECT_TO,
                            value ? value->fields.lines : NULL);
  case CW_OPT_TIMEOUT_CONNECT:
    /* ours comes first and says which limit it was; this one makes libcurl
    ** share the time out between the addresses of a host */
    return curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                            milliseconds(number) + 1000);
  case CW_OPT_TLS_CA:
    return apply_ca(easy, value ? value->text : NULL);
  case CW_OPT_TLS_CERT:
  case CW_OPT_TLS_KEY:
  case CW_OPT_TLS_KEY_PASSWORD:
    return apply_identity(easy, own, defaults);
  case CW_OPT_TLS_MAX:
  case CW_OPT_TLS_MIN:
    return apply_tls_versions(easy, own, defaults);
  case CW_OPT_TLS_PIN:
    return apply_pin(easy, value ? value->text : NULL);
  case CW_OPT_TLS_VERIFY:
    return apply_verify(easy, number != 0);
  case CW_OPT_UNIX:
    return curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH,
                            value ? value->text : NULL);
  case CW_OPT_USER_AGENT:
    return curl_easy_setopt(easy, CURLOPT_USERAGENT,
                            value ? value->text : cw_options[id].standard);
  default:
    return CURLE_OK;
  }
}
