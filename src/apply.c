/* apply: settings put into effect on an easy handle. Knows libcurl's options,
** settings.
** SPDX-License-Identifier: MIT */
#include "apply.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "libcurl.h"
#include "pem.h"
#include "quirks.h"
#include "route.h"

static const long http_version_ids[] = {
  CURL_HTTP_VERSION_1_1, CURL_HTTP_VERSION_2TLS, CURL_HTTP_VERSION_3};

/* HTTPGET undoes NOBODY and the upload options with it (CURLOPT_HTTPGET). */
static CURLcode apply_method(CURL *easy, const char *method) {
  bool head = method && strcmp(method, "HEAD") == 0;
  CURLcode rc =
    curl_easy_setopt(easy, head ? CURLOPT_NOBODY : CURLOPT_HTTPGET, 1L);
  if (head || (method && strcmp(method, "GET") == 0)) method = NULL;
  return rc ? rc : curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
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
    folder = file ? NULL : cw_libcurl_info()->capath;
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

/* The certificate, and behind it, as a line that is none of PEM's, key and
** password. Before 8.21.0 libcurl gives a connection to each request with the
** same certificate, which is no secret, and does not compare the keys. */
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
  if (!cw_quirk_is_active(CW_QUIRK_TLS_IDENTITY))
    return set_identity(easy, cert, key, password);
  char *whole = identity(cert, key, password);
  if (!whole) return CURLE_OUT_OF_MEMORY;
  CURLcode rc = set_identity(easy, whole, key, password);
  free(whole);
  return rc;
}

/* Before 8.21.0 libcurl compares the pins of connections without regard to
** case, although base64 depends on it. A last pin, too long to be that of a
** key, tells which letters are meant. */
static CURLcode apply_pin(CURL *easy, const char *pin) {
  static const char form[] = "%s;sha256//";
  if (!pin || !cw_quirk_is_active(CW_QUIRK_TLS_IDENTITY))
    return curl_easy_setopt(easy, CURLOPT_PINNEDPUBLICKEY, pin);
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
    oldest[min ? min->integer : (long)cw_options[CW_OPT_TLS_MIN].number] |
      (max ? newest[max->integer] : CURL_SSLVERSION_MAX_NONE));
}

static CURLcode apply_verify(CURL *easy, bool verify) {
  CURLcode rc = curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, (long)verify);
  if (!rc)
    rc = curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, verify ? 2L : 0L);
  return rc;
}

/* libcurl sends the credentials of netrc only. All others are sent as a header
** line (authorization), and libcurl must not authenticate: it keeps the offers
** of a server in the easy handle and applies them to the next request. */
static CURLcode apply_netrc(CURL *easy, bool netrc) {
  CURLcode rc = curl_easy_setopt(easy, CURLOPT_HTTPAUTH,
                                 netrc ? CURLAUTH_BASIC : CURLAUTH_NONE);
  if (!rc)
    rc = curl_easy_setopt(easy, CURLOPT_NETRC,
                          netrc ? (long)CURL_NETRC_OPTIONAL
                                : (long)CURL_NETRC_IGNORED);
  return rc;
}

/* Without the option the environment's proxy is used; if there is none, libcurl
** need not look for one at each request. GSSAPI is not offered to a SOCKS
** proxy, because libcurl blocks while it negotiates. */
static CURLcode apply_proxy(CURL *easy, const char *proxy) {
  if (!proxy && !cw_route_environment()) proxy = "";
  CURLcode rc = curl_easy_setopt(easy, CURLOPT_PROXY, proxy);
  if (!rc && !(proxy && !*proxy))
    rc = curl_easy_setopt(easy, CURLOPT_SOCKS5_AUTH, CURLAUTH_BASIC);
  return rc;
}

/* A proxy that the user chose is for all hosts. A request that says itself
** where to connect does not go through one of the environment; with a Unix
** domain socket libcurl sees to that. */
CURLcode cw_apply_exempt(CURL *easy, const cw_settings *own,
                         const cw_settings *defaults, bool *environment) {
  bool chosen = cw_settings_find(own, defaults, CW_OPT_PROXY);
  *environment = !chosen && cw_route_environment();
  if (!*environment) return curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
  const cw_value *pinned = cw_settings_find(own, defaults, CW_OPT_RESOLVE);
  char *exempt = cw_route_exempt(pinned ? pinned->list : NULL);
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

/* libcurl 8.9 cannot take an interface back. A handle with one is not used for
** another request there (note_interface in transfer.c). */
static CURLcode apply_interface(CURL *easy, const char *name) {
  if (!name && cw_quirk_is_active(CW_QUIRK_INTERFACE_STAYS)) return CURLE_OK;
  return curl_easy_setopt(easy, CURLOPT_INTERFACE, name);
}

/* At least 1, because libcurl takes 0 for its default. */
static long milliseconds(double seconds) {
  long ms = (long)(seconds * 1000 + 0.5);
  return ms > 0 ? ms : 1;
}

CURLcode cw_apply_row(CURL *easy, cw_option_id id, const cw_settings *own,
                      const cw_settings *defaults) {
  const cw_value *value = cw_settings_find(own, defaults, id);
  double number = value ? value->number : cw_options[id].number;
  switch (id) {
  case CW_OPT_AUTH_NETRC:
    return apply_netrc(easy, number != 0);
  case CW_OPT_BUFFER:
    return curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)number);
  case CW_OPT_HEADERS:
    return curl_easy_setopt(easy, CURLOPT_HTTPHEADER,
                            value ? cw_settings_lines(own, defaults, id)
                                  : cw_fields_usual());
  case CW_OPT_HTTP_VERSION:
    return curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
                            http_version_ids[value ? value->integer : 0]);
  case CW_OPT_INTERFACE:
    return apply_interface(easy, value ? value->text : NULL);
  case CW_OPT_IP:
    return apply_ip(easy, value);
  case CW_OPT_METHOD:
    return apply_method(easy, value ? value->text : NULL);
  case CW_OPT_PROXY:
    return apply_proxy(easy, value ? value->text : NULL);
  case CW_OPT_RESOLVE:
    return curl_easy_setopt(easy, CURLOPT_CONNECT_TO,
                            cw_settings_lines(own, defaults, id));
  case CW_OPT_TIMEOUT_CONNECT:
    /* libcurl divides this time between the addresses of a host. With more time
    ** than timeout.connect the last addresses would not be tried. */
    return curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                            milliseconds(number));
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
