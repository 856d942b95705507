/* route: which way a request goes. Knows the environment's proxies, libcurl's
** URL API.
** SPDX-License-Identifier: MIT */
#include "route.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "buf.h"
#include "libcurl.h"

/* Proxies ----------------------------------------------------------------- */

static bool has(CURLU *url, CURLUPart part) {
  char *text = NULL;
  curl_url_get(url, part, &text, 0);
  bool found = text && *text;
  curl_free(text);
  return found;
}

static bool has_path(CURLU *url) {
  char *path = NULL;
  curl_url_get(url, CURLUPART_PATH, &path, 0);
  bool found = path && strcmp(path, "/") != 0;
  curl_free(path);
  return found;
}

static int hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = (char)(c | 32);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Whether the text contains a control byte, plain or percent-encoded. */
static bool has_control(const char *text) {
  for (; *text; text++) {
    int c = (unsigned char)*text;
    if (c == '%' && hex(text[1]) >= 0 && hex(text[2]) >= 0)
      c = hex(text[1]) * 16 + hex(text[2]);
    if (c < ' ' || c == 127) return true;
  }
  return false;
}

/* If the user or the password of a proxy has a control byte, libcurl (up to 8.6
** at least) ignores the proxy and connects directly, because parse_proxy then
** returns no error. */
static bool has_bad_login(CURLU *url) {
  static const CURLUPart parts[] = {CURLUPART_USER, CURLUPART_PASSWORD};
  bool bad = false;
  for (size_t i = 0; i < 2; i++) {
    char *text = NULL;
    curl_url_get(url, parts[i], &text, 0);
    bad |= text && has_control(text);
    curl_free(text);
  }
  return bad;
}

static const char bad_login[] = "its user or password has a control byte";

static const char *scheme_fault(const char *text) {
  static const char *const known[] = {"http",    "https",  "socks4",
                                      "socks4a", "socks5", "socks5h"};
  const char *end = strstr(text, "://");
  size_t n = end ? (size_t)(end - text) : 0;
  for (size_t i = 0; end && i < sizeof known / sizeof *known; i++) {
    bool same = strlen(known[i]) == n && strncasecmp(known[i], text, n) == 0;
    if (!same) continue;
    bool tls = strcmp(known[i], "https") == 0;
    int can = cw_libcurl_info()->features;
    return tls && !(can & CURL_VERSION_HTTPS_PROXY)
             ? "this libcurl has no https proxies"
             : NULL;
  }
  return "a url expected that begins with http://, https://, socks5://, "
         "socks5h://, socks4:// or socks4a://";
}

const char *cw_route_proxy_fault(const char *text) {
  const char *fault = scheme_fault(text);
  if (fault) return fault;
  const char *host = strstr(text, "://") + 3;
  if (*host == '\0' || strchr("/?#", *host)) return "it has no host";
  if (strpbrk(text, " \\")) return "it has a blank or a backslash";
  CURLU *url = curl_url();
  if (!url) return "out of memory";
  if (curl_url_set(url, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME))
    fault = "it is a malformed url";
  else if (has_path(url) || strpbrk(host, "?#"))
    fault = "it has more than scheme, user, password, host and port";
  else if (!has(url, CURLUPART_HOST))
    fault = "it has no host";
  else if (has_bad_login(url))
    fault = bad_login;
  curl_url_cleanup(url);
  return fault;
}

int cw_route_proxy_port(const char *text) {
  enum { OF_HTTPS = 443, OF_OTHERS = 1080 }; /* the default ports of libcurl */
  char *port = NULL;
  CURLU *url = curl_url();
  if (url && !curl_url_set(url, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME))
    curl_url_get(url, CURLUPART_PORT, &port, 0);
  bool tls = strncasecmp(text, "https:", 6) == 0;
  int number = port ? atoi(port) : tls ? OF_HTTPS : OF_OTHERS;
  curl_free(port);
  curl_url_cleanup(url);
  return number;
}

static const char *environment(const char *lower, const char *upper) {
  const char *value = getenv(lower);
  return value && *value ? value : getenv(upper);
}

/* HTTP_PROXY is not among them: a CGI program's caller could set it. */
bool cw_route_environment(void) {
  const char *plain = getenv("http_proxy");
  const char *tls = environment("https_proxy", "HTTPS_PROXY");
  const char *all = environment("all_proxy", "ALL_PROXY");
  return (plain && *plain) || (tls && *tls) || (all && *all);
}

/* The value of the variable that libcurl uses. */
static const char *environment_for(bool https) {
  const char *value =
    https ? environment("https_proxy", "HTTPS_PROXY") : getenv("http_proxy");
  return value && *value ? value : environment("all_proxy", "ALL_PROXY");
}

const char *cw_route_environment_fault(bool https) {
  const char *text = environment_for(https);
  CURLU *url = text && *text ? curl_url() : NULL;
  if (!url) return NULL;
  bool bad = !curl_url_set(url, CURLUPART_URL, text,
                           CURLU_NON_SUPPORT_SCHEME | CURLU_GUESS_SCHEME) &&
             has_bad_login(url);
  curl_url_cleanup(url);
  return bad ? bad_login : NULL;
}

/* "h:80" without its port, "[::1]:" without its brackets too. */
static cw_text host_of(cw_text name) {
  while (name.bytes[name.length - 1] != ':')
    name.length--;
  name.length--;
  if (*name.bytes != '[') return name;
  return (cw_text){name.bytes + 1, name.length - 2};
}

static bool removed(cw_text value) {
  return value.length == 1 && *value.bytes == '\0';
}

static bool append(cw_buf *all, cw_text item) {
  return cw_buf_append(all, ",", 1) &&
         cw_buf_append(all, item.bytes, item.length);
}

static bool list_exempt(cw_buf *all, const char *given,
                        const cw_headers *pinned) {
  static const char own[] = "localhost,127.0.0.0/8,::1";
  bool ok = cw_buf_append(all, own, sizeof own - 1) &&
            append(all, (cw_text){given, strlen(given)});
  for (size_t i = 0; ok && i < cw_headers_count(pinned); i++)
    if (!removed(cw_headers_value(pinned, i)))
      ok = append(all, host_of(cw_headers_name(pinned, i)));
  return ok && cw_buf_append(all, "", 1);
}

char *cw_route_exempt(const cw_headers *pinned) {
  const char *given = environment("no_proxy", "NO_PROXY");
  if (!given) given = "";
  if (strcmp(given, "*") == 0) return strdup(given);
  cw_buf all;
  cw_buf_init(&all, 1024 * 1024);
  bool ok = list_exempt(&all, given, pinned);
  char *text = ok ? strdup(all.bytes) : NULL;
  cw_buf_clear(&all);
  return text;
}

/* This machine ------------------------------------------------------------ */

enum { LONGEST_NAME = 256 };

static void drop_last(char *text, char c) {
  size_t n = strlen(text);
  if (n > 0 && text[n - 1] == c) text[n - 1] = '\0';
}

static bool is_loopback4(const unsigned char *address) {
  static const unsigned char unspecified[4];
  return address[0] == 127 || memcmp(address, unspecified, 4) == 0;
}

static bool is_loopback6(const char *host) {
  struct in6_addr a;
  char text[INET6_ADDRSTRLEN];
  snprintf(text, sizeof text, "%s", host + 1);
  drop_last(text, ']');
  if (inet_pton(AF_INET6, text, &a) != 1) return false;
  if (IN6_IS_ADDR_V4MAPPED(&a)) return is_loopback4(a.s6_addr + 12);
  return IN6_IS_ADDR_LOOPBACK(&a) || IN6_IS_ADDR_UNSPECIFIED(&a);
}

static bool is_own_name(const char *host) {
  char own[LONGEST_NAME];
  if (gethostname(own, sizeof own) != 0) return false;
  own[sizeof own - 1] = '\0';
  drop_last(own, '.');
  return *own && strcasecmp(host, own) == 0;
}

bool cw_route_is_this_machine(const char *host) {
  static const char below[] = ".localhost";
  char name[LONGEST_NAME];
  struct in_addr four;
  if (*host == '[') return is_loopback6(host);
  snprintf(name, sizeof name, "%s", host);
  drop_last(name, '.');
  if (inet_aton(name, &four)) return is_loopback4((unsigned char *)&four);
  size_t n = strlen(name), end = sizeof below - 1;
  return strcasecmp(name, below + 1) == 0 ||
         (n > end && strcasecmp(name + n - end, below) == 0) ||
         is_own_name(name);
}

/* Pinned addresses -------------------------------------------------------- */

/* "host:port", as it was given. */
typedef struct pair {
  cw_text host; /* of an IPv6 address without its brackets */
  cw_text port; /* empty: none */
  bool six;
} pair;

static const char *find(cw_text text, char c) {
  return memchr(text.bytes, c, text.length);
}

static cw_text from_to(const char *from, const char *to) {
  return (cw_text){from, (size_t)(to - from)};
}

/* Two colons without brackets are an IPv6 address without a port. */
static const char *split(cw_text text, pair *p) {
  const char *end = text.bytes + text.length;
  const char *colon = find(text, ':');
  *p = (pair){.host = text};
  if (text.length && *text.bytes == '[') {
    const char *bracket = find(text, ']');
    if (!bracket) return "a bracket is missing";
    p->host = from_to(text.bytes + 1, bracket);
    p->six = true;
    colon = bracket + 1;
    if (colon == end) return NULL;
    if (*colon != ':') return "a port expected behind the bracket";
  } else if (!colon) {
    return NULL;
  } else if (find(from_to(colon + 1, end), ':')) {
    p->six = true;
    return NULL;
  } else {
    p->host = from_to(text.bytes, colon);
  }
  p->port = from_to(colon + 1, end);
  return p->port.length ? NULL : "the port is empty";
}

static const char *port_fault(cw_text port) {
  static const char fault[] = "the port is no number from 1 to 65535";
  long number = 0;
  for (size_t i = 0; i < port.length && number <= 65535; i++) {
    if (port.bytes[i] < '0' || port.bytes[i] > '9') return fault;
    number = number * 10 + port.bytes[i] - '0';
  }
  bool fits = number > 0 && number <= 65535;
  return port.length == 0 || fits ? NULL : fault;
}

/* Into 'out': the address in the form that libcurl gives those of a url. */
static bool digits(const pair *p, char *out) {
  unsigned char address[16];
  char text[INET6_ADDRSTRLEN];
  int family = p->six ? AF_INET6 : AF_INET;
  if (p->host.length >= sizeof text) return false;
  memcpy(text, p->host.bytes, p->host.length);
  text[p->host.length] = '\0';
  if (strlen(text) != p->host.length || inet_pton(family, text, address) != 1)
    return false;
  inet_ntop(family, address, text, sizeof text);
  snprintf(out, CW_ROUTE_TEXT, p->six ? "[%s]" : "%s", text);
  return true;
}

static bool is_name(cw_text host) {
  enum { LONGEST = 255 };
  if (host.length == 0 || host.length > LONGEST) return false;
  for (size_t i = 0; i < host.length; i++) {
    unsigned char c = (unsigned char)host.bytes[i];
    if (c <= ' ' || c == 127 || strchr("/\\?#@%[]*,", c)) return false;
  }
  return true;
}

static void append_port(char *out, cw_text port) {
  size_t n = strlen(out);
  int digits = (int)port.length;
  while (digits > 1 && *port.bytes == '0') {
    port.bytes++;
    digits--;
  }
  snprintf(out + n, CW_ROUTE_TEXT - n, ":%.*s", digits,
           digits ? port.bytes : "");
}

const char *cw_route_host(cw_text text, char *out) {
  pair p;
  const char *fault = split(text, &p);
  if (!fault) fault = port_fault(p.port);
  if (fault) return fault;
  if (p.six && !digits(&p, out)) return "its host is no IPv6 address";
  if (!p.six && !is_name(p.host)) return "its host is no name of one";
  if (!p.six)
    snprintf(out, CW_ROUTE_TEXT, "%.*s", (int)p.host.length, p.host.bytes);
  append_port(out, p.port);
  return NULL;
}

const char *cw_route_address(cw_text text, char *out) {
  pair p;
  const char *fault = split(text, &p);
  if (!fault) fault = port_fault(p.port);
  if (fault) return fault;
  if (!digits(&p, out))
    return "an address in digits, or address:port, expected";
  append_port(out, p.port);
  return NULL;
}

static bool any_port(cw_text name) {
  return name.bytes[name.length - 1] == ':';
}

static bool add_line(struct curl_slist **lines, cw_text from, cw_text to) {
  char line[2 * CW_ROUTE_TEXT + 2];
  snprintf(line, sizeof line, "%.*s:%.*s", (int)from.length, from.bytes,
           (int)to.length, to.bytes);
  struct curl_slist *longer = curl_slist_append(*lines, line);
  if (longer) *lines = longer;
  return longer != NULL;
}

bool cw_route_compile(const cw_headers *entries, struct curl_slist **lines) {
  for (int any = 0; any < 2; any++)
    for (size_t i = 0; i < cw_headers_count(entries); i++) {
      cw_text from = cw_headers_name(entries, i);
      cw_text to = cw_headers_value(entries, i);
      if (any_port(from) != (any == 1) || removed(to)) continue;
      if (!add_line(lines, from, to)) return false;
    }
  return true;
}
