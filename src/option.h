/* option: the options, as one table of data. Reader, features(), README,
** reference and editor types are made from it. Knows libcurl's names for them.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_OPTION_H
#define CURLEW_OPTION_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

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
  CW_OPT_TLS_UNCLEAN_CLOSE,
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

/* The file of the system's CAs; NULL: they are in a folder. */
const char *cw_option_system_ca(void);

/* The full name nearest to 'name' in 'group', or NULL when none is near. */
const char *cw_option_near(const char *group, const char *name);

#endif
