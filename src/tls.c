/* tls: what the options of TLS come to. Knows error, pem, settings.
** SPDX-License-Identifier: MIT */
#include "tls.h"

#include <stdio.h>
#include <string.h>

#include "pem.h"

static int choice_of(const cw_settings *own, const cw_settings *defaults,
                     cw_option_id id) {
  const cw_value *value = cw_settings_find(own, defaults, id);
  return value ? (int)value->integer : (int)cw_options[id].number;
}

const char *cw_tls_conflict(const cw_settings *own,
                            const cw_settings *defaults) {
  const char *cert = cw_settings_text_of(own, defaults, CW_OPT_TLS_CERT);
  const char *key = cw_settings_text_of(own, defaults, CW_OPT_TLS_KEY);
  const char *password =
    cw_settings_text_of(own, defaults, CW_OPT_TLS_KEY_PASSWORD);
  if (choice_of(own, defaults, CW_OPT_TLS_MIN) >
      choice_of(own, defaults, CW_OPT_TLS_MAX))
    return "option 'tls.min' is above tls.max (1.2 and 1.3 unless given)";
  if (key && !cert) return "option 'tls.key' without tls.cert";
  if (password && !cert) return "option 'tls.key_password' without tls.key";
  if (!cert) return NULL;
  if (!key && !cw_pem_has(cert, CW_PEM_KEY))
    return "option 'tls.cert' without tls.key: it holds no private key itself";
  if (!password && cw_pem_encrypted(key ? key : cert))
    return "option 'tls.key' is encrypted, and tls.key_password is missing";
  return NULL;
}

/* OpenSSL's X509_V_ERR_...: there is no way from the certificate to one that is
** trusted; for want of a link, or because it is its own issuer. */
static bool no_issuer(long verified) {
  return verified == 2 || verified == 20 || verified == 21;
}

static bool own_issuer(long verified) {
  return verified == 18 || verified == 19;
}

/* Who is trusted, as it is told. */
static const char *trusted(const cw_settings *own,
                           const cw_settings *defaults) {
  const char *ca = cw_settings_text_of(own, defaults, CW_OPT_TLS_CA);
  if (!ca) ca = cw_option_system_ca();
  if (!ca) return "the system's folder";
  return cw_pem_is(ca) ? "those given as tls.ca" : ca;
}

/* Whether a certificate or key is unusable. libcurl 8.22 reports that by the
** second code. */
static bool is_about_identity(const cw_error *e) {
  return e->curl == CURLE_SSL_CERTPROBLEM ||
         e->curl == CURLE_BAD_FUNCTION_ARGUMENT;
}

static const char *about_identity(const cw_error *e, const cw_settings *own,
                                  const cw_settings *defaults) {
  const char *key = cw_settings_text_of(own, defaults, CW_OPT_TLS_KEY);
  if (!key) key = cw_settings_text_of(own, defaults, CW_OPT_TLS_CERT);
  if (!strstr(e->text, "private key") && !strstr(e->text, "Private key"))
    return "tls.cert cannot be used: it is no certificate in PEM form";
  if (key && cw_pem_encrypted(key))
    return "tls.key cannot be used: tls.key_password is wrong, or it is the "
           "key "
           "of another certificate";
  return "tls.key cannot be used: it is the key of another certificate, or "
         "none";
}

/* OpenSSL's words for it, of which there are three. */
static bool about_versions(const cw_error *e) {
  return strstr(e->text, "protocol version") ||
         strstr(e->text, "unsupported protocol") ||
         strstr(e->text, "wrong ssl version");
}

/* The reason in a message of libcurl about a certificate: the words of OpenSSL
** behind the colon. */
static const char *reason_in(const char *said) {
  const char *reason = strstr(said, ": ");
  return reason ? reason + 2 : said;
}

void cw_tls_explain(cw_error *e, long verified, const cw_settings *own,
                    const cw_settings *defaults) {
  char said[CW_ERROR_TEXT];
  memcpy(said, e->text, sizeof said);
  if (e->curl != CURLE_PEER_FAILED_VERIFICATION) verified = 0; /* an old one */
  if (no_issuer(verified) || own_issuer(verified))
    snprintf(
      e->text, sizeof e->text,
      "SSL certificate problem: %.60s; trusted: %.73s; tls = { ca = ... } "
      "names others%s",
      reason_in(said), trusted(own, defaults),
      no_issuer(verified) ? "; or the server sends a part of its chain" : "");
  else if (e->curl == CURLE_SSL_CACERT_BADFILE)
    snprintf(e->text, sizeof e->text, "no certificate can be read from %.200s",
             trusted(own, defaults));
  else if (is_about_identity(e))
    snprintf(e->text, sizeof e->text, "%s", about_identity(e, own, defaults));
  else if (e->curl == CURLE_SSL_PINNEDPUBKEYNOTMATCH)
    snprintf(e->text, sizeof e->text,
             "the server's public key is none of tls.pin");
  else if (cw_error_is_no_tls(said))
    snprintf(e->text, sizeof e->text,
             "the server does not speak TLS on this port (http:// instead of "
             "https://?)");
  else if (about_versions(e))
    snprintf(e->text, sizeof e->text,
             "no TLS version that both speak (tls.min, tls.max): %.160s", said);
}
