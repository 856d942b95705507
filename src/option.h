/* option: the options, as one table of data, and their application to an easy
** handle. Reader, features(), README, reference and editor types are made from
** the table. Knows libcurl's options (the only room that calls
** curl_easy_setopt for what a user may ask for).
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_OPTION_H
#define CURLEW_OPTION_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#include "headers.h"

/* One for each row, in the order of the table: by name, a member of a group
** as "group.name". */
typedef enum cw_option_id {
  CW_OPT_AUTH_BASIC,
  CW_OPT_AUTH_BEARER,
  CW_OPT_AUTH_DIGEST,
  CW_OPT_AUTH_NETRC,
  CW_OPT_BASE_URL,
  CW_OPT_BODY,
  CW_OPT_BUFFER,
  CW_OPT_CHECK,
  CW_OPT_DEADLINE,
  CW_OPT_DECODE,
  CW_OPT_EXPECT,
  CW_OPT_FILE,
  CW_OPT_FORM,
  CW_OPT_HEADERS,
  CW_OPT_HTTP_VERSION,
  CW_OPT_INTERFACE,
  CW_OPT_IP,
  CW_OPT_JSON,
  CW_OPT_LENGTH,
  CW_OPT_MAX_BODY,
  CW_OPT_METHOD,
  CW_OPT_MULTIPART,
  CW_OPT_ON_END,
  CW_OPT_PER_HOST,
  CW_OPT_PROGRESS,
  CW_OPT_PROXY,
  CW_OPT_QUERY,
  CW_OPT_REDIRECTS,
  CW_OPT_RESOLVE,
  CW_OPT_RETRY_MAX_DELAY,
  CW_OPT_RETRY_ON,
  CW_OPT_RETRY_TIMES,
  CW_OPT_RETRY_UNSAFE,
  CW_OPT_SEALED,
  CW_OPT_SECRET_HEADERS,
  CW_OPT_SHA256,
  CW_OPT_TIMEOUT_CONNECT,
  CW_OPT_TIMEOUT_FIRST_BYTE,
  CW_OPT_TIMEOUT_IDLE,
  CW_OPT_TLS_CA,
  CW_OPT_TLS_CERT,
  CW_OPT_TLS_KEY,
  CW_OPT_TLS_KEY_PASSWORD,
  CW_OPT_TLS_MAX,
  CW_OPT_TLS_MIN,
  CW_OPT_TLS_PIN,
  CW_OPT_TLS_VERIFY,
  CW_OPT_TRACE,
  CW_OPT_UNIX,
  CW_OPT_URL,
  CW_OPT_USER_AGENT,
  CW_OPTION_COUNT
} cw_option_id;

typedef enum cw_kind {
  CW_KIND_BODY, /* text or a function: the request's content has it */
  CW_KIND_BOOLEAN,
  CW_KIND_CA,         /* path of a file or folder, PEM text, or a list */
  CW_KIND_CHECK,      /* true, or a function of the border's */
  CW_KIND_CHOICE,     /* one of a few strings; the value is its index */
  CW_KIND_CONDITIONS, /* statuses and error codes: ",503,timeout," */
  CW_KIND_FIELDS,     /* header lines */
  CW_KIND_FILE,       /* path or handle: the request's content has it */
  CW_KIND_FUNCTION,   /* the border's; the value says that there is one */
  CW_KIND_HANDLE,     /* an open file of io's; the same */
  CW_KIND_INTEGER,    /* in the row's range */
  CW_KIND_IP,         /* 4 or 6 */
  CW_KIND_NAMES,      /* of header lines; a list of fields without values */
  CW_KIND_PAIR,       /* user and password: "user:password" */
  CW_KIND_PARTS,      /* of a multipart body: the request's content has them */
  CW_KIND_PEM,        /* PEM text, or the path of a file that is read at once */
  CW_KIND_PIN,        /* hashes of public keys */
  CW_KIND_PROXY,      /* a proxy's url; "": none, what false means */
  CW_KIND_QUERY,   /* a word of shape.lua: part of the url when it gets here */
  CW_KIND_RESOLVE, /* hosts and their addresses, as route has them */
  CW_KIND_SECONDS, /* in the row's range */
  CW_KIND_SHA256,  /* 64 hexadecimal digits */
  CW_KIND_TEXT,    /* no control bytes */
  CW_KIND_TOKEN,   /* RFC 9110 section 5.6.2 */
  CW_KIND_TOKEN68, /* a bearer's token, or "": a function says it */
  CW_KIND_VALUE,   /* any: encoded by a word, the request's content has it */
  CW_KIND_COUNT
} cw_kind;

typedef struct cw_option {
  const char *name;
  const char *group; /* NULL: on the first level */
  cw_kind kind;
  CURLoption id;   /* 0: the engine's own */
  double min, max; /* of a number */
  double number;   /* its default; 0 with 'none': no default */
  const char *const *choices;
  bool unlimited;       /* no default: without the option there is no limit */
  bool scalar;          /* the group given as a scalar means this one too */
  bool requests_only;   /* not for clients */
  bool secret;          /* stays behind when the origin changes */
  bool exclusive;       /* its value takes the others of its group away */
  bool clients_only;    /* not for requests */
  bool unsealed;        /* a request of a sealed client may have it */
  const char *standard; /* the default as a reader sees it */
  const char *doc;
} cw_option;

extern const cw_option cw_options[CW_OPTION_COUNT];

const char *cw_kind_name(cw_kind kind);

/* The name of the row's option in libcurl, NULL: it is the engine's own. */
const char *cw_option_libcurl(const cw_option *row);

/* The row called 'name' in 'group' (NULL: the first level); CW_OPTION_COUNT
** when there is none. */
cw_option_id cw_option_find(const char *group, const char *name);

/* Why this libcurl cannot do what the row's choice of that index says; NULL: it
** can. */
const char *cw_option_lacks(cw_option_id id, long choice);

bool cw_option_group(const char *name); /* whether there is such a group */

/* The full name nearest to 'name' in 'group', or NULL when none is near. */
const char *cw_option_near(const char *group, const char *name);

/* Header lines and, once compiled, their form for libcurl. */
typedef struct cw_fields {
  cw_headers *list;         /* owned */
  struct curl_slist *lines; /* owned */
} cw_fields;

typedef union cw_value {
  double number;
  long integer;
  char *text; /* owned */
  cw_fields fields;
} cw_value;

/* Values given to options, by a request or as a client's defaults. */
typedef struct cw_settings {
  unsigned refs;
  uint64_t set;   /* rows that have a value */
  uint64_t unset; /* rows said to be 'false': the default again */
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
cw_headers *cw_fields_sent(const cw_fields *fields);

/* The value of a header line that takes a default line away (false in Lua):
** no real value holds a NUL. */
extern const cw_text cw_field_removed;

/* Sets row 'id' of 'easy' to the value that holds, or back to its default. An
** option of libcurl's that stands for several rows is set by each for all of
** them. Rows of the engine's own do nothing. */
CURLcode cw_option_apply(CURL *easy, cw_option_id id, const cw_settings *own,
                         const cw_settings *defaults);

/* The file of the system's CAs; NULL: they are in a folder. */
const char *cw_option_system_ca(void);

/* Rows that decide, together, which hosts no proxy of the environment is for:
** to be followed by cw_option_apply_exempt. */
static const uint64_t CW_OPTIONS_OF_PROXIES =
  (uint64_t)1 << CW_OPT_PROXY | (uint64_t)1 << CW_OPT_RESOLVE;
CURLcode cw_option_apply_exempt(CURL *easy, const cw_settings *own,
                                const cw_settings *defaults);

/* Which proxy a request may go through; costs no look at the environment. */
typedef enum cw_proxy {
  CW_PROXY_NONE,
  CW_PROXY_MAYBE, /* the environment's, if it has one for this url */
  CW_PROXY_PLAIN,
  CW_PROXY_TLS
} cw_proxy;

cw_proxy cw_settings_proxy(const cw_settings *own, const cw_settings *defaults);

#endif
