/* error: CURLcode -> code and phase. Knows libcurl's codes.
** SPDX-License-Identifier: MIT */
#include "error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "mask.h"
#include "platform.h"
#include "printable.h"
#include "quirks.h"

/* Whether the same request may succeed when it is simply made again. */
static const struct {
  const char *name;
  bool retryable;
} codes[CW_ERR_COUNT] = {
  [CW_OK] = {"ok", false},
  [CW_ERR_URL] = {"url", false},
  [CW_ERR_RESOLVE] = {"resolve", true},
  [CW_ERR_CONNECT] = {"connect", true},
  [CW_ERR_TLS] = {"tls", false},
  [CW_ERR_PROXY] = {"proxy", true},
  [CW_ERR_TIMEOUT] = {"timeout", true},
  [CW_ERR_CLOSED] = {"closed", true},
  [CW_ERR_TRUNCATED] = {"truncated", true},
  [CW_ERR_PROTOCOL] = {"protocol", false},
  [CW_ERR_TOO_LARGE] = {"too_large", false},
  [CW_ERR_DECODE] = {"decode", false},
  [CW_ERR_REDIRECT] = {"redirect", false},
  [CW_ERR_JSON] = {"json", false},
  [CW_ERR_FILE] = {"file", false},
  [CW_ERR_CHECKSUM] = {"checksum", false},
  [CW_ERR_STATUS] = {"status", false},
  [CW_ERR_CANCELLED] = {"cancelled", false},
  [CW_ERR_TOO_MANY_OPEN] = {"too_many_open", true},
  [CW_ERR_MEMORY] = {"memory", false},
};

static const char *const phases[CW_PHASE_COUNT] = {
  [CW_PHASE_REQUEST] = "request", [CW_PHASE_RESOLVE] = "resolve",
  [CW_PHASE_CONNECT] = "connect", [CW_PHASE_TLS] = "tls",
  [CW_PHASE_SEND] = "send",       [CW_PHASE_HEADERS] = "headers",
  [CW_PHASE_BODY] = "body",
};

const char *cw_code_name(cw_code code) { return codes[code].name; }

const char *cw_phase_name(cw_phase phase) { return phases[phase]; }

void cw_error_set(cw_error *e, cw_code code, cw_phase phase, const char *format,
                  ...) {
  if (e->code != CW_OK) return;
  e->code = code;
  e->phase = phase;
  e->retryable = codes[code].retryable;
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(e->text, sizeof e->text, format, arguments);
  va_end(arguments);
  cw_printable(e->text); /* parts of it may come from a peer */
}

void cw_error_from_system(cw_error *e, cw_code code, cw_phase phase,
                          const char *what, const char *name, int number) {
  char text[128];
  const char *why = cw_strerror(number, text, sizeof text);
  cw_error_set(e, code, phase, "cannot %s %.107s: %s", what, name, why);
}

/* A row for each CURLcode with which a transfer over http or https can end (see
** libcurl-errors(3)). A code without a row is 'protocol'. So is
** CURLE_BAD_CONTENT_ENCODING, since libcurl undoes only transfer codings here.
*/
static const struct {
  CURLcode curl;
  cw_code code;
} rows[] = {
  {CURLE_URL_MALFORMAT, CW_ERR_URL},
  {CURLE_COULDNT_RESOLVE_PROXY, CW_ERR_PROXY},
  {CURLE_PROXY, CW_ERR_PROXY},
  {CURLE_COULDNT_RESOLVE_HOST, CW_ERR_RESOLVE},
  {CURLE_COULDNT_CONNECT, CW_ERR_CONNECT},
  {CURLE_HTTP2, CW_ERR_CLOSED}, /* its session is over */
  {CURLE_HTTP2_STREAM, CW_ERR_CLOSED},
  {CURLE_INTERFACE_FAILED, CW_ERR_CONNECT},
  {CURLE_NO_CONNECTION_AVAILABLE, CW_ERR_CONNECT},
  {CURLE_PARTIAL_FILE, CW_ERR_TRUNCATED},
  {CURLE_OUT_OF_MEMORY, CW_ERR_MEMORY},
  {CURLE_OPERATION_TIMEDOUT, CW_ERR_TIMEOUT},
  {CURLE_GOT_NOTHING, CW_ERR_CLOSED},
  {CURLE_SEND_ERROR, CW_ERR_CLOSED},
  {CURLE_SEND_FAIL_REWIND, CW_ERR_CLOSED},
  {CURLE_RECV_ERROR, CW_ERR_CLOSED},
  {CURLE_SSL_CONNECT_ERROR, CW_ERR_TLS},
  {CURLE_SSL_ENGINE_NOTFOUND, CW_ERR_TLS},
  {CURLE_SSL_ENGINE_SETFAILED, CW_ERR_TLS},
  {CURLE_SSL_ENGINE_INITFAILED, CW_ERR_TLS},
  {CURLE_SSL_CERTPROBLEM, CW_ERR_TLS},
  {CURLE_SSL_CIPHER, CW_ERR_TLS},
  {CURLE_PEER_FAILED_VERIFICATION, CW_ERR_TLS},
  {CURLE_USE_SSL_FAILED, CW_ERR_TLS},
  {CURLE_SSL_CACERT_BADFILE, CW_ERR_TLS},
  {CURLE_SSL_SHUTDOWN_FAILED, CW_ERR_TLS},
  {CURLE_SSL_CRL_BADFILE, CW_ERR_TLS},
  {CURLE_SSL_ISSUER_ERROR, CW_ERR_TLS},
  {CURLE_SSL_PINNEDPUBKEYNOTMATCH, CW_ERR_TLS},
  {CURLE_SSL_INVALIDCERTSTATUS, CW_ERR_TLS},
  {CURLE_SSL_CLIENTCERT, CW_ERR_TLS},
  {CURLE_FILESIZE_EXCEEDED, CW_ERR_TOO_LARGE},
};

cw_code cw_error_code(CURLcode curl) {
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    if (rows[i].curl == curl) return rows[i].code;
  return CW_ERR_PROTOCOL;
}

/* The phase that an error belongs to whatever else is known. */
static cw_phase phase_of(cw_code code, cw_phase phase) {
  switch (code) {
  case CW_ERR_URL:
    return CW_PHASE_REQUEST;
  case CW_ERR_RESOLVE:
    return CW_PHASE_RESOLVE;
  case CW_ERR_CONNECT:
    return CW_PHASE_CONNECT;
  case CW_ERR_TLS:
    return CW_PHASE_TLS;
  default:
    return phase;
  }
}

/* libcurl 8.6.0 and later; older headers do not know the name. */
static const CURLcode TOO_LARGE = (CURLcode)100;

/* libcurl has limits of its own for one line. A header line over its limit is
** reported as a lack of memory before libcurl 8.6.0. */
static bool is_over_limit(CURLcode curl, cw_phase phase) {
  return curl == TOO_LARGE ||
         (curl == CURLE_OUT_OF_MEMORY && phase == CW_PHASE_HEADERS &&
          cw_quirk_is_active(CW_QUIRK_LINE_LIMIT));
}

/* The same where the text of an older libcurl is the only sign. */
static const char *limit_in_words(const char *detail) {
  if (!cw_quirk_is_active(CW_QUIRK_LINE_LIMIT)) return NULL;
  if (strstr(detail, "nghttp2_session_mem_recv() returned -902"))
    return "headers of HTTP/2 are over libcurl's limit of 128 KiB";
  if (strcmp(detail, "Out of memory in chunked-encoding") == 0)
    return "a trailer line is over libcurl's limit of 4 KiB";
  return NULL;
}

static const char *line_too_long(CURLcode curl, cw_phase phase,
                                 const char *detail) {
  if (!is_over_limit(curl, phase)) return limit_in_words(detail);
  if (phase == CW_PHASE_BODY)
    return "a trailer line is over libcurl's limit of 4 KiB";
  return "a header line is over libcurl's limit of 100 KiB";
}

/* The reasons for which a peer gives up a stream that breaks no rule (RFC 9113
** section 7). libcurl reports the reason of a reset in its text alone, where
** every release writes these names. */
static bool gives_up(const char *detail) {
  static const char *const names[] = {"NO_ERROR",
                                      "INTERNAL_ERROR",
                                      "SETTINGS_TIMEOUT",
                                      "REFUSED_STREAM",
                                      "CANCEL",
                                      "CONNECT_ERROR",
                                      "ENHANCE_YOUR_CALM",
                                      "INADEQUATE_SECURITY",
                                      "HTTP_1_1_REQUIRED"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (strstr(detail, names[i])) return true;
  return false;
}

/* OpenSSL reports this if the first bytes of the peer are no TLS record. */
bool cw_error_is_no_tls(const char *detail) {
  return strstr(detail, "wrong version number") != NULL;
}

/* Whether libcurl received bytes that it could not make sense of. It reports
** this as a "receive error", as it does for a broken connection. */
static bool is_senseless(CURLcode curl, const char *detail,
                         const cw_facts *facts) {
  if (curl != CURLE_RECV_ERROR || facts->socket || facts->tls) return false;
  return facts->http2 ? *detail && !facts->repeated : facts->chunked;
}

/* The code of a failed HTTP/2 stream or session. libcurl writes a text about a
** session only if it ends the session because of an error. About a stream
** libcurl 7.88 writes none if the reset comes before the request was written.
*/
static cw_code code_of_http2(CURLcode curl, const char *detail,
                             const cw_facts *facts) {
  bool broken = (curl == CURLE_HTTP2_STREAM && *detail && !gives_up(detail)) ||
                (curl == CURLE_HTTP2 && *detail) ||
                (curl == CURLE_PARTIAL_FILE && facts->goaway) ||
                curl == CURLE_GOT_NOTHING; /* before libcurl 8.1.0 */
  return broken ? CW_ERR_PROTOCOL : cw_error_code(curl);
}

static cw_code code_of(CURLcode curl, cw_phase phase, const char *detail,
                       const cw_facts *facts) {
  bool broken = curl == CURLE_RECV_ERROR || curl == CURLE_SEND_ERROR;
  cw_code code = cw_error_code(curl);
  /* since TLS 1.3 a server judges our certificate after the handshake */
  if (broken && facts->alert && phase != CW_PHASE_BODY) return CW_ERR_TLS;
  if (is_senseless(curl, detail, facts)) return CW_ERR_PROTOCOL;
  if (facts->http2) code = code_of_http2(curl, detail, facts);
  /* a connection of HTTP/2 that ends before there is any response */
  if (curl == CURLE_PARTIAL_FILE && phase == CW_PHASE_HEADERS)
    return CW_ERR_CLOSED;
  /* codes for the same failure vary, the phase does not */
  if (code == CW_ERR_PROTOCOL && phase == CW_PHASE_TLS) return CW_ERR_TLS;
  return code;
}

#define CW_ONLY_ONCE                                                           \
  "the request must be sent again, but its body can be read only once (a "     \
  "string or a file can be sent again)"

/* Whether libcurl reports a connection that ended during the handshake. */
static bool is_cut(const char *detail) {
  return strstr(detail, "SSL_ERROR_SYSCALL") ||
         strstr(detail, "unexpected eof") ||
         strncmp(detail, "Recv failure", 12) == 0 ||
         strncmp(detail, "Send failure", 12) == 0;
}

/* Messages of libcurl that do not help a user or mislead, and their
** replacements. */
static const struct {
  const char *part;
  const char *words;
} better[] = {
  {"seek callback", CW_ONLY_ONCE},
  {"data rewind", CW_ONLY_ONCE},
  {"Received HTTP/0.9", "the answer is not HTTP: it has no status line"},
  {"unexpected eof while reading",
   "the TLS connection was closed without close_notify"},
  {"outstanding read data",
   "the connection was closed before the last chunk of the body"},
  {"Proxy CONNECT aborted due to timeout",
   "the proxy did not answer CONNECT in time"},
  {"Proxy CONNECT aborted",
   "the proxy closed the connection without an answer to CONNECT"},
  {"Unsupported proxy", "the environment's proxy is no url of a known scheme"},
  {"thread failed to start",
   "the host name cannot be looked up: no thread could be started"},
};

static const char *better_words(const char *detail) {
  for (size_t i = 0; i < sizeof better / sizeof *better; i++)
    if (strstr(detail, better[i].part)) return better[i].words;
  return NULL;
}

static const char *words_for(CURLcode curl, const char *detail, bool http2) {
  const char *words = better_words(detail);
  if (curl == CURLE_HTTP2 && !*detail)
    return "the server has given the HTTP/2 connection up";
  if (http2 && curl == CURLE_GOT_NOTHING)
    return "the server has broken the rules of HTTP/2";
  if (curl == CURLE_SEND_FAIL_REWIND) return CW_ONLY_ONCE;
  if (curl == CURLE_GOT_NOTHING)
    return "the connection was closed before a response was received";
  if (curl == CURLE_SSL_CONNECT_ERROR && is_cut(detail))
    return "the connection was closed during the TLS handshake";
  if (words) return words;
  return *detail ? detail : curl_easy_strerror(curl);
}

void cw_error_from_curl(cw_error *e, CURLcode curl, cw_phase phase,
                        const char *detail, const cw_facts *facts) {
  static const cw_facts none;
  char masked[CW_ERROR_TEXT];
  cw_code code = code_of(curl, phase, detail, facts ? facts : &none);
  const char *limit = line_too_long(curl, phase, detail);
  cw_mask(masked, sizeof masked, detail, strlen(detail));
  if (limit) cw_error_set(e, CW_ERR_TOO_LARGE, phase, "%s", limit);
  /* the one argument that is not ours: a trailer or first header line */
  if (curl == CURLE_BAD_FUNCTION_ARGUMENT && phase >= CW_PHASE_HEADERS)
    cw_error_set(e, code, phase, "a header line cannot be read");
  cw_error_set(e, code, phase_of(code, phase), "%s",
               words_for(curl, masked, facts && facts->http2));
  e->curl = curl;
}

void cw_error_add_system(cw_error *e, int number) {
  char text[128], *at = strstr(e->text, "Couldn't connect to server");
  if (!at) at = strstr(e->text, "Could not connect to server");
  if (!at || number == 0) return;
  snprintf(at, sizeof e->text - (size_t)(at - e->text), "%s",
           cw_strerror(number, text, sizeof text));
}

void cw_error_of_descriptors(cw_error *e, CURLcode curl, cw_phase phase,
                             int number) {
  char text[128];
  cw_code code = cw_error_code(curl);
  if (number == EMFILE)
    cw_error_set(e, code, phase_of(code, phase),
                 "out of file descriptors: the process has as many open as "
                 "its limit allows (EMFILE, ulimit -n)");
  else if (number == ENFILE)
    cw_error_set(e, code, phase_of(code, phase),
                 "out of file descriptors: the system has as many open as its "
                 "limit allows (ENFILE)");
  else
    cw_error_set(e, code, phase_of(code, phase), "cannot open a socket: %s",
                 cw_strerror(number, text, sizeof text));
  e->curl = curl;
}

bool cw_status_retryable(int status) {
  return status == 408 || status == 429 || status == 500 ||
         (status >= 502 && status <= 504);
}

static const char *proxy_words(const char *detail) {
  if (cw_error_is_no_tls(detail))
    return "the proxy does not speak TLS on this port (http:// instead of "
           "https://?)";
  const char *words = better_words(detail);
  return words ? words : detail;
}

void cw_error_from_proxy(cw_error *e, CURLcode curl, cw_phase phase,
                         const char *detail, int answer) {
  if (e->code != CW_OK) return;
  char masked[CW_ERROR_TEXT];
  if (phase != CW_PHASE_RESOLVE) phase = CW_PHASE_CONNECT;
  cw_mask(masked, sizeof masked, detail, strlen(detail));
  cw_error_set(e, CW_ERR_PROXY, phase, "%s",
               *detail ? proxy_words(masked) : curl_easy_strerror(curl));
  e->curl = curl;
  if (answer >= 300) e->retryable = cw_status_retryable(answer);
}

void cw_error_from_status(cw_error *e, int status, const char *reason) {
  cw_error_set(e, CW_ERR_STATUS, CW_PHASE_HEADERS, "the status is %d%s%s",
               status, *reason ? " " : "", reason);
  e->retryable = cw_status_retryable(status);
}
