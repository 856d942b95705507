/* digest_test: digest authentication without Lua and without a server. Without
** an argument it lists its tests; with the name of one it runs that, says what
** does not hold, and exits with 1 if anything does not. spec/digest_spec.lua is
** its face. Test only.
** SPDX-License-Identifier: MIT */

#include "../../src/digest.h"

#include <stdlib.h>

#include "test.h"

/* The challenge in up to three lines of WWW-Authenticate. */
static cw_digest *choose(bool knows_content, const char *const lines[]) {
  cw_headers *h = cw_headers_new();
  cw_text name = {"WWW-Authenticate", 16};
  for (size_t i = 0; lines[i]; i++)
    CHECK(cw_headers_add(h, name, (cw_text){lines[i], strlen(lines[i])}));
  cw_digest *d = cw_digest_choose(h, knows_content);
  cw_headers_free(h);
  return d;
}

static cw_digest *choose_one(const char *line) {
  return choose(true, (const char *const[]){line, NULL});
}

/* Whether the answer contains the piece; prints a missing piece. */
static bool has(const char *answer, const char *piece) {
  bool found = answer && strstr(answer, piece);
  if (!found) printf("no %s in %s\n", piece, answer ? answer : "nothing");
  return found;
}

static char *answer_to(const char *line, const cw_digest_ask *ask,
                       const char *cnonce) {
  cw_digest *d = choose_one(line);
  CHECK(d != NULL);
  char *answer = d ? cw_digest_answer(d, ask, cnonce) : NULL;
  cw_digest_free(d);
  return answer;
}

/* Vectors ----------------------------------------------------------------- */

#define MUFASA_REALM "realm=\"http-auth@example.org\""
#define MUFASA_NONCE "nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\""
#define MUFASA_OPAQUE "opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""

static const cw_digest_ask mufasa = {.credentials = "Mufasa:Circle of Life",
                                     .method = "GET",
                                     .uri = "/dir/index.html"};
static const char mufasa_cnonce[] =
  "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";

/* RFC 7616 section 3.9.1: both challenges, on a line each and on one. */
static void check_mufasa(const char *const lines[], const char *algorithm,
                         const char *response) {
  cw_digest *d = choose(false, lines);
  char *answer = d ? cw_digest_answer(d, &mufasa, mufasa_cnonce) : NULL;
  CHECK(has(answer, "Digest username=\"Mufasa\", " MUFASA_REALM ", "));
  CHECK(has(answer, ", " MUFASA_NONCE ", uri=\"/dir/index.html\", "));
  CHECK(has(answer, ", qop=auth, nc=00000001, cnonce=\""));
  CHECK(has(answer, mufasa_cnonce));
  CHECK(has(answer, ", " MUFASA_OPAQUE));
  CHECK(has(answer, algorithm));
  CHECK(has(answer, response));
  free(answer);
  cw_digest_free(d);
}

#define MUFASA(algorithm)                                                      \
  "Digest " MUFASA_REALM ", qop=\"auth, auth-int\", algorithm=" algorithm      \
  ", " MUFASA_NONCE ", " MUFASA_OPAQUE

static void rfc_md5(void) {
  check_mufasa((const char *const[]){MUFASA("MD5"), NULL}, "algorithm=MD5",
               "response=\"8ca523f5e9506fed4657c9700eebdbec\"");
}

static void rfc_sha256(void) {
  static const char response[] = "response=\"753927fa0e85d155564e2e272a28d1802c"
                                 "a10daf4496794697cf8db5856cb6c1\"";
  check_mufasa((const char *const[]){MUFASA("SHA-256"), MUFASA("MD5"), NULL},
               "algorithm=SHA-256", response);
  check_mufasa(
    (const char *const[]){MUFASA("MD5") ", " MUFASA("SHA-256"), NULL},
    "algorithm=SHA-256", response);
}

/* Section 3.9.2. The RFC's own figures are of a truncated SHA-512 (erratum
** 4897): these are computed by Python's hashlib. */
static void rfc_userhash(void) {
  static const cw_digest_ask ask = {.credentials =
                                      "J\xc3\xa4s\xc3\xb8n Doe:Secret, or not?",
                                    .method = "GET",
                                    .uri = "/doe.json"};
  char *answer = answer_to(
    "Digest realm=\"api@example.org\", qop=\"auth\", algorithm=SHA-512-256, "
    "nonce=\"5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK\", "
    "opaque=\"HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS\", "
    "charset=UTF-8, userhash=true",
    &ask, "NTg6RKcb9boFIAS3KrFK9BGeh+niz/sm");
  CHECK(has(answer,
            "username=\"793263caabb707a56211940d90411ea4a575adeccb7e360a"
            "eb624ed06ece9b0b\""));
  CHECK(has(answer,
            "response=\"7a4e1192babbba02e91182d2895bfdbf7adafc6e48d4e517"
            "ca301974843d840c\""));
  CHECK(has(answer, ", userhash=true"));
  CHECK(has(answer, ", algorithm=SHA-512-256"));
  free(answer);
}

/* RFC 2617 section 3.5 */
static void rfc_2617(void) {
  static const cw_digest_ask ask = {.credentials = "Mufasa:Circle Of Life",
                                    .method = "GET",
                                    .uri = "/dir/index.html"};
  static const char challenge[] =
    "Digest realm=\"testrealm@host.com\", qop=\"auth,auth-int\", "
    "nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", "
    "opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"";
  char *answer = answer_to(challenge, &ask, "0a4f113b");
  CHECK(has(answer, "response=\"6629fae49393a05397450978507c4ef1\""));
  CHECK(answer && !strstr(answer, "algorithm"));
  free(answer);
}

/* Computed by Python's hashlib. */
static void rfc_2069(void) {
  char *answer = answer_to(
    "Digest realm=\"http-auth@example.org\", " MUFASA_NONCE, &mufasa, "c");
  CHECK(has(answer, "response=\"7b2cc3b30e75b4777ea31027084363fd\""));
  CHECK(answer && !strstr(answer, "cnonce") && !strstr(answer, "nc=") &&
        !strstr(answer, "qop") && !strstr(answer, "opaque"));
  free(answer);
}

static void session(void) {
  char *answer = answer_to(MUFASA("MD5-sess"), &mufasa, mufasa_cnonce);
  CHECK(has(answer, "response=\"e783283f46242139c486a698fec7211d\""));
  CHECK(has(answer, ", algorithm=MD5-sess"));
  free(answer);
  answer = answer_to(MUFASA("SHA-256-sess"), &mufasa, mufasa_cnonce);
  CHECK(has(
    answer,
    "response="
    "\"2fd51b3a77ad75bad6afad6003e818d767133c46d9e2749e7f5232ae1ea3efd7\""));
  free(answer);
  CHECK(!choose_one("Digest realm=\"r\", nonce=\"n\", algorithm=MD5-sess"));
}

static void integrity(void) {
  static const char challenge[] =
    "Digest " MUFASA_REALM ", " MUFASA_NONCE ", qop=\"auth-int\"";
  cw_digest_ask ask = mufasa;
  ask.method = "POST";
  ask.content = (cw_text){"what is sent", 12};
  char *answer = answer_to(challenge, &ask, mufasa_cnonce);
  CHECK(has(answer, ", qop=auth-int, "));
  CHECK(has(answer, "response=\"a235283e6911fae00bbe038fa9c2428f\""));
  free(answer);
  CHECK(!choose(false, (const char *const[]){challenge, NULL}));
}

/* Uses of a nonce --------------------------------------------------------- */

static void counts(void) {
  cw_digest *d = choose_one("Digest realm=\"r\", nonce=\"n\", qop=auth");
  char *first = cw_digest_answer(d, &mufasa, NULL);
  char *second = cw_digest_answer(d, &mufasa, NULL);
  CHECK(has(first, "nc=00000001"));
  CHECK(has(second, "nc=00000002"));
  const char *one = first ? strstr(first, "cnonce=") : NULL;
  const char *other = second ? strstr(second, "cnonce=") : NULL;
  CHECK(one && other && strlen(one) == strlen("cnonce=\"\"") + 32);
  CHECK(one && other && strcmp(one, other) != 0);
  free(first);
  free(second);
  cw_digest_free(d);
}

/* Choosing ---------------------------------------------------------------- */

#define GOOD "Digest realm=\"r\", nonce=\"good\""

static void check_nonce(const char *const lines[], const char *nonce) {
  cw_digest *d = choose(true, lines);
  bool right = nonce ? d && strcmp(d->nonce, nonce) == 0 : d == NULL;
  if (!right) printf("%s: not %s\n", lines[0], nonce ? nonce : "refused");
  CHECK(right);
  cw_digest_free(d);
}

static void chooses(void) {
  static const char *const found[] = {
    GOOD,
    "dIGEST REALM=\"r\",NONCE=\"good\"",
    "Digest nonce=good",
    "Digest realm = \"r\" , nonce = \"good\"",
    ",, Digest realm=\"r\",, nonce=\"good\",",
    "Basic realm=\"nonce=\\\"bad\\\", Digest\", " GOOD,
    "Negotiate, " GOOD,
    "Negotiate dG9rZW4=, " GOOD,
    "NTLM a/b+c==, " GOOD ", Bearer",
    "Bearer realm=\"x\", nonce=\"bad\", " GOOD,
    GOOD ", Basic realm=\"x\", nonce=\"bad\"",
    GOOD ", nonce=\"bad\"",
    GOOD ", qop=\"auth\", algorithm=\"md5\"",
    GOOD ", qop=\"auth-int, token, auth\"",
    GOOD ", unknown=\"a, b\", other=c",
    GOOD ", algorithm=MD5, Digest nonce=\"bad\", algorithm=MD5",
    "Digest nonce=\"bad\", algorithm=SHA-1, " GOOD,
    "Digest nonce=\"bad\", qop=\"x\", " GOOD,
    "Digest nonce=\"bad\", " GOOD ", algorithm=SHA-256",
    "Digest nonce=\"g\\o\\od\"",
    GOOD " ;;",
    GOOD ", Digest nonce=\"bad",
  };
  static const char *const refused[] = {"",
                                        "Basic realm=\"x\"",
                                        "Digest",
                                        "Digest ",
                                        "Digest realm=\"r\"",
                                        "Digest nonce",
                                        "Digest nonce=\"n",
                                        "Digest nonce=\"n\\",
                                        "Digest ==",
                                        "Digestive nonce=\"n\"",
                                        "nonce=\"n\"",
                                        "\"Digest nonce=n\"",
                                        "Digest nonce=\"n\", algorithm=SHA-512",
                                        "Digest nonce=\"n\", qop=x",
                                        "Digest nonce=\"n\1\"",
                                        "Digest nonce=n, realm=\"a\r\nX: y\"",
                                        "Digest nonce=n, opaque=\"\177\""};
  for (size_t i = 0; i < sizeof found / sizeof *found; i++)
    check_nonce((const char *const[]){found[i], NULL}, "good");
  for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
    check_nonce((const char *const[]){refused[i], NULL}, NULL);
}

/* All lines form one list. A fault in one line does not reach into the next. */
static void chooses_in_lines(void) {
  check_nonce(
    (const char *const[]){"Digest realm=\"r\"", "nonce=\"good\"", NULL},
    "good");
  check_nonce((const char *const[]){"Basic realm=\"x", GOOD, NULL}, "good");
  check_nonce((const char *const[]){"Digest nonce=\"bad", "Bearer", GOOD, NULL},
              "good");
  check_nonce((const char *const[]){"Digest nonce=\"bad", "qop=auth", NULL},
              NULL);
}

static void refuses_long_values(void) {
  static char line[5000];
  size_t n = (size_t)snprintf(line, sizeof line, "Digest nonce=");
  memset(line + n, 'n', 4096);
  cw_digest *d = choose_one(line);
  CHECK(d != NULL);
  cw_digest_free(d);
  line[n + 4096] = 'n';
  CHECK(!choose_one(line));
}

/* Quoting ----------------------------------------------------------------- */

static void quotes(void) {
  cw_digest_ask ask = {.credentials = "a\"b\\c:p",
                       .method = "GET",
                       .uri = "/s?q=\", response=\"0\\"};
  char *answer =
    answer_to("Digest realm=\"x\\\", uri=\\\"y\\\\\", nonce=\"n\\\"\", "
              "opaque=\"\"",
              &ask, NULL);
  CHECK(has(answer, "username=\"a\\\"b\\\\c\""));
  CHECK(has(answer, "realm=\"x\\\", uri=\\\"y\\\\\""));
  CHECK(has(answer, "nonce=\"n\\\"\""));
  CHECK(has(answer, "uri=\"/s?q=\\\", response=\\\"0\\\\\""));
  CHECK(has(answer, "opaque=\"\""));
  free(answer);
  cw_digest *d = choose_one(GOOD);
  ask.uri = "/\r\nX: y";
  CHECK(!cw_digest_answer(d, &ask, NULL));
  cw_digest_free(d);
}

static void users(void) {
  static const cw_digest_ask ask = {
    .credentials = "J\xc3\xa4s n:p", .method = "GET", .uri = "/"};
  char *answer = answer_to(GOOD, &ask, NULL);
  CHECK(has(answer, "username=\"J\xc3\xa4s n\""));
  free(answer);
  answer = answer_to(GOOD ", charset=\"utf-8\"", &ask, NULL);
  CHECK(has(answer, "Digest username*=UTF-8''J%C3%A4s%20n, realm="));
  free(answer);
  answer = answer_to(GOOD ", charset=UTF-8", &mufasa, NULL);
  CHECK(has(answer, "username=\"Mufasa\""));
  free(answer);
}

static const test tests[] = {
  {"has the answer of RFC 7616, MD5", rfc_md5},
  {"has the answer of RFC 7616, SHA-256", rfc_sha256},
  {"has the answer of RFC 7616, userhash", rfc_userhash},
  {"has the answer of RFC 2617", rfc_2617},
  {"has the answer of RFC 2069", rfc_2069},
  {"has the answer of a session", session},
  {"covers the content where that is asked", integrity},
  {"counts the uses of a nonce, each with another of its own", counts},
  {"chooses the strongest challenge, the first of equals", chooses},
  {"reads several lines as one list", chooses_in_lines},
  {"refuses long values", refuses_long_values},
  {"lets no value end its quotation", quotes},
  {"sends user names as the server reads them", users},
};

int main(int argc, char **argv) {
  return run_tests(tests, sizeof tests / sizeof *tests, argc, argv);
}
