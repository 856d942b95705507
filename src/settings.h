/* settings: values given to options, by a request over its client's defaults;
** the header lines that come of them, and which of these are secrets. Knows
** headers, option.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_SETTINGS_H
#define CURLEW_SETTINGS_H

#include "headers.h"
#include "option.h"

typedef union cw_value {
  double number;
  long integer;
  char *text;       /* owned */
  cw_headers *list; /* owned: of header lines, or of addresses */
} cw_value;

/* Values given to options, by a request or as a client's defaults. */
typedef struct cw_settings {
  unsigned refs;
  uint64_t set;               /* rows that have a value */
  uint64_t unset;             /* rows said to be 'false': the default again */
  struct curl_slist *headers; /* owned: that list compiled for libcurl */
  struct curl_slist *resolve; /* the same */
  cw_value values[CW_OPTION_COUNT];
} cw_settings;

static inline uint64_t cw_option_bit(cw_option_id id) {
  return (uint64_t)1 << id;
}

cw_settings *cw_settings_new(void); /* NULL: out of memory */
cw_settings *cw_settings_retain(cw_settings *s);
void cw_settings_free(
  cw_settings *s); /* gives a reference back; NULL is fine */

/* In place: 'init' needs no memory, 'clear' frees the values. */
void cw_settings_init(cw_settings *s);
void cw_settings_clear(cw_settings *s);

/* Give row 'id' a value; false: out of memory. 'fields' takes the reference
** to 'list'; lines for libcurl are made of it by cw_settings_compile. */
void cw_settings_number(cw_settings *s, cw_option_id id, double number);
void cw_settings_integer(cw_settings *s, cw_option_id id, long integer);
bool cw_settings_text(cw_settings *s, cw_option_id id, const char *text);
void cw_settings_fields(cw_settings *s, cw_option_id id, cw_headers *list);
void cw_settings_unset(cw_settings *s, cw_option_id id);

/* The value that holds: the request's own, else the client's, else NULL. */
const cw_value *cw_settings_find(const cw_settings *own,
                                 const cw_settings *defaults, cw_option_id id);

/* The same for a number, with the row's default. */
double cw_settings_get(const cw_settings *own, const cw_settings *defaults,
                       cw_option_id id);

/* The same for a text, NULL: none. A key and its password go with their
** certificate: where 'own' says anything of that, those of 'defaults' are not
** meant. */
const char *cw_settings_text_of(const cw_settings *own,
                                const cw_settings *defaults, cw_option_id id);

/* Adds to 'own' what 'defaults' says and 'own' does not, header lines line by
** line, and compiles it. False: out of memory. */
bool cw_settings_inherit(cw_settings *own, const cw_settings *defaults);

/* What a request with a body says of it, unless its program did. */
typedef struct cw_content_fields {
  const char *type; /* of Content-Type; NULL: none */
  bool expect;      /* ask for 100 (Continue) before it is sent */
  bool parts;       /* libcurl says its type, with a boundary */
} cw_content_fields;

/* Makes the header lines that libcurl is to send where 'own' says anything of
** them: its own, the missing ones of 'defaults', and what asks for a coded body
** unless 'decode' is false; with 'content' (or NULL) the lines of that; and the
** list of addresses (resolve). False: out of memory. */
bool cw_settings_compile(cw_settings *own, const cw_settings *defaults,
                         const cw_content_fields *content);

/* Of what was compiled: "Expect: 100-continue" is not said again. */
void cw_settings_stop_expecting(cw_settings *own);

/* The secrets of 'defaults', and those of 'own' too if 'mine_too', are not sent
** any more: the header lines that hold one (Authorization, Cookie, those named
** in secret_headers) and the options that are one. False: out of memory. To be
** compiled (again) then. */
bool cw_settings_hide_secrets(cw_settings *own, const cw_settings *defaults,
                              bool mine_too);

/* Takes the header lines away that describe a body. The same. */
bool cw_settings_drop_content(cw_settings *own, const cw_settings *defaults);

/* Whether a header line of that name holds a secret, by these settings. */
bool cw_settings_secret(const cw_settings *own, const cw_settings *defaults,
                        cw_text name);
/* What 'own' with 'defaults' has of options that exclude each other, as a
** sentence; NULL: nothing. */
const char *cw_settings_conflict(const cw_settings *own,
                                 const cw_settings *defaults);

/* A new list of the lines that are sent: without those that only take a default
** away. NULL: out of memory. The caller owns a reference. */
cw_headers *cw_fields_sent(const cw_headers *list);

/* What libcurl is given for a row with such a list: that of the settings in
** which its value is; lent. */
struct curl_slist *cw_settings_lines(const cw_settings *own,
                                     const cw_settings *defaults,
                                     cw_option_id id);

/* The lines for libcurl where nobody says anything of them: lent. */
struct curl_slist *cw_fields_usual(void);

/* The value of a header line that takes a default line away (false in Lua):
** no real value holds a NUL. */
extern const cw_text cw_field_removed;

/* Which proxy a request may go through; costs no look at the environment. */
typedef enum cw_proxy {
  CW_PROXY_NONE,
  CW_PROXY_MAYBE, /* the environment's, if it has one for this url */
  CW_PROXY_PLAIN,
  CW_PROXY_TLS
} cw_proxy;

cw_proxy cw_settings_proxy(const cw_settings *own, const cw_settings *defaults);

#endif
