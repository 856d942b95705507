/* option: the options table. Knows libcurl's names.
** SPDX-License-Identifier: MIT */
#include "option.h"

#include <string.h>
#include <strings.h>

#include "libcurl.h"
#include "version.h"

static const char *const http_versions[] = {"1.1", "2", "3", NULL};
static const char *const tls_versions[] = {"1.0", "1.1", "1.2", "1.3", NULL};

enum { DAY = 86400 };
enum { TLS_OLDEST = 2, TLS_NEWEST = 3 }; /* of tls_versions, by default */
static const double LARGEST = 9007199254740992.0; /* 2^53: exact as a double */

/* clang-format off */
const cw_option cw_options[CW_OPTION_COUNT] = {
  [CW_OPT_AUTH_BASIC] = {.name = "basic", .group = "auth",
    .kind = CW_KIND_PAIR, .secret = true, .exclusive = true,
    .doc = "{user, password}, sent with each request (RFC 7617)"},
  [CW_OPT_AUTH_BEARER] = {.name = "bearer", .group = "auth",
    .kind = CW_KIND_TOKEN68, .secret = true, .exclusive = true,
    .doc = "a token (RFC 6750), or function(stale) that returns one and for "
           "how many seconds it holds; called once more after a 401"},
  [CW_OPT_AUTH_DIGEST] = {.name = "digest", .group = "auth",
    .kind = CW_KIND_PAIR, .secret = true, .exclusive = true,
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
  [CW_OPT_TLS_UNCLEAN_CLOSE] = {.name = "unclean_close", .group = "tls",
    .kind = CW_KIND_BOOLEAN, .standard = "false",
    .doc = "true accepts a body over HTTP/1 that ends with the connection, "
           "even if the server sends no close_notify"},
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

const char *cw_option_system_ca(void) { return cw_libcurl_info()->cainfo; }

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
