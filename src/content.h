/* content: where a request's body comes from: text that its holder lends, a
** file, pieces that somebody gives one after the other, or several of them as
** parts of a form. Read by a transfer, from its beginning again where that can
** be. Knows error.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_CONTENT_H
#define CURLEW_CONTENT_H

#include <stdint.h>
#include <stdio.h>

#include "error.h"

/* A larger text is not sent at once, with the header lines. */
enum { CW_CONTENT_AT_ONCE = 64 * 1024 };

typedef enum cw_content_kind {
  CW_CONTENT_NONE,
  CW_CONTENT_TEXT,
  CW_CONTENT_FILE,
  CW_CONTENT_PIECES,
  CW_CONTENT_PARTS
} cw_content_kind;

typedef struct cw_content {
  cw_content_kind kind;
  int64_t length;    /* -1: not known before its end */
  uint64_t sent;     /* bytes read since its beginning */
  const char *bytes; /* borrowed: the text, or what is left of a piece */
  int fd;            /* owned; -1: none */
  int64_t begins;    /* where in the file */

  /* of pieces */
  size_t piece_left;
  const char *first; /* borrowed: the first piece; NULL: it is not there */
  size_t first_length;
  bool begun;   /* somebody was asked for a piece: it cannot begin again */
  bool asked;   /* and has not answered yet */
  bool starved; /* who sends it waits for a piece */
  bool ended;   /* no more will be given */

  struct cw_form_part *parts; /* owned */
  size_t count;
  cw_error *error; /* borrowed: where a failure is written */
} cw_content;

typedef struct cw_form_part {
  char *name, *filename, *type; /* owned; NULL: none */
  cw_content content;
} cw_form_part;

/* In place; 'init' needs no memory. 'error' is where its owner keeps its
** outcome. */
void cw_content_init(cw_content *c, cw_error *error);
void cw_content_clear(cw_content *c);

/* What it is. Text is lent until it is cleared. A file is open when this
** returns, and its length known; 'stream' is read from where it stands, by a
** descriptor of its own. False: the error says why. */
void cw_content_text(cw_content *c, const char *bytes, size_t n);
bool cw_content_file(cw_content *c, const char *path);
bool cw_content_stream(cw_content *c, FILE *stream);
void cw_content_pieces(cw_content *c, int64_t length);

/* A new part, to be filled in; its texts are copied, NULL: none. NULL: out of
** memory. Valid until the next one. */
cw_form_part *cw_content_part(cw_content *c, const char *name,
                              const char *filename, const char *type);

/* For who sends it -------------------------------------------------------- */

/* Copies at most 'size' bytes; 0: the end. CURL_READFUNC_PAUSE: it is starved.
** CURL_READFUNC_ABORT: the error is set. */
size_t cw_content_read(cw_content *c, char *to, size_t size);

/* Takes back the last 'n' bytes that were read, which were not sent. The next
** read returns them again. */
void cw_content_unread(cw_content *c, size_t n);

/* Whether functions give the bytes, or bytes of a part. */
bool cw_content_is_given(const cw_content *c);

/* Whether it can be sent from its beginning (again); 'rewind' sees to it. */
bool cw_content_replayable(const cw_content *c);
bool cw_content_rewind(cw_content *c);

/* The same for the one request that reads it already, and may begin again with
** the first piece as long as no other has come. Not for a part. */
bool cw_content_again(cw_content *c);

/* Nobody reads it any more: its files are closed. */
void cw_content_finish(cw_content *c);

/* Whether all of it has been handed out. */
bool cw_content_sent(const cw_content *c);

/* How many bytes it has, with those of its parts but not what libcurl puts
** between them; -1: not known. */
int64_t cw_content_length(const cw_content *c);

/* Bytes of it that have been read, with those of its parts. */
uint64_t cw_content_progress(const cw_content *c);

/* For who gives the pieces ------------------------------------------------ */

/* The one that waits for a piece: itself, or a part, whose index from 0 is
** '*part'; NULL: none does. */
cw_content *cw_content_hungry(cw_content *c, size_t *part);

/* Whether a piece of 'n' bytes is within its length; false: the error says that
** it is not. */
bool cw_content_takes(cw_content *c, size_t n);

/* A piece, lent until the next is given. */
void cw_content_give(cw_content *c, const char *bytes, size_t n);

/* Whether all of its length is given, and nobody has said that it is the end:
** what is too long is not sent whole. */
bool cw_content_complete(const cw_content *c);

/* No more. False: less than its length. */
bool cw_content_end(cw_content *c);

#endif
