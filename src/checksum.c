/* checksum: SHA-256. Knows libcrypto.
** SPDX-License-Identifier: MIT */
#include "checksum.h"

#include <openssl/evp.h>
#include <stdlib.h>

struct cw_checksum {
  EVP_MD_CTX *context; /* owned */
};

cw_checksum *cw_checksum_new(void) {
  cw_checksum *c = calloc(1, sizeof *c);
  if (!c) return NULL;
  c->context = EVP_MD_CTX_new();
  if (c->context && cw_checksum_restart(c)) return c;
  cw_checksum_free(c);
  return NULL;
}

void cw_checksum_free(cw_checksum *c) {
  if (!c) return;
  EVP_MD_CTX_free(c->context);
  free(c);
}

bool cw_checksum_restart(cw_checksum *c) {
  return EVP_DigestInit_ex(c->context, EVP_sha256(), NULL) == 1;
}

bool cw_checksum_add(cw_checksum *c, const char *bytes, size_t n) {
  return EVP_DigestUpdate(c->context, bytes, n) == 1;
}

static void write_hex(const unsigned char *sum, char *text) {
  static const char digits[] = "0123456789abcdef";
  for (size_t i = 0; i < CW_CHECKSUM_DIGITS; i++)
    text[i] = digits[i % 2 ? sum[i / 2] & 15 : sum[i / 2] >> 4];
  text[CW_CHECKSUM_DIGITS] = '\0';
}

bool cw_checksum_end(cw_checksum *c, char text[CW_CHECKSUM_TEXT]) {
  unsigned char sum[EVP_MAX_MD_SIZE];
  unsigned n = 0;
  bool ok =
    EVP_DigestFinal_ex(c->context, sum, &n) == 1 && n == CW_CHECKSUM_DIGITS / 2;
  if (ok) write_hex(sum, text);
  return ok;
}

bool cw_checksum_of(const char *bytes, size_t n, char text[CW_CHECKSUM_TEXT]) {
  cw_checksum *c = cw_checksum_new();
  bool ok = c && cw_checksum_add(c, bytes, n) && cw_checksum_end(c, text);
  cw_checksum_free(c);
  return ok;
}
