/* part: the beginning of a file that is downloaded, what is known of the entity
** that it is the beginning of, and whether an answer goes on with that one.
** PATH.part holds the bytes, PATH.part.meta what is known, while that is enough
** to tell the entity from every other. Knows libc, checksum, error, file,
** headers, range, response.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_PART_H
#define CURLEW_PART_H

#include "file.h"
#include "range.h"
#include "response.h"

typedef struct cw_part {
  cw_file file;    /* first: who writes needs no more of it */
  char *known;     /* owned: the name of the file of what is known */
  char *validator; /* owned; NULL: it cannot be gone on with */
  int64_t length;  /* of the whole entity; -1: not known */
  bool asked;      /* the rest of it */
  bool resumed;    /* and that came */
  bool whole;      /* the whole file is requested, the part is kept */
  bool anew;       /* a second request was made after a refusal */
  char url[CW_CHECKSUM_TEXT]; /* its SHA-256: it may hold a secret */
} cw_part;

typedef enum cw_taking {
  CW_PART_TAKEN,   /* the body's bytes are to be written */
  CW_PART_AGAIN,   /* it is something else: ask for all of it */
  CW_PART_REFUSED, /* no body that was asked for: its status will not do */
  CW_PART_FAILED
} cw_taking;

/* In place; needs no memory. 'drop' leaves a part that can be gone on with, and
** removes any other. */
void cw_part_init(cw_part *p);
void cw_part_drop(cw_part *p);

/* Begins, or finds and locks, the part of what will stand at 'path' and comes
** from 'url'. False: 'e' says why. */
bool cw_part_open(cw_part *p, const char *path, const char *url, cw_error *e);

/* From where on to ask for it; 0: for all of it. What is known of it is in
** 'validator' otherwise. The last byte is asked for again: of a part that is
** whole there would be nothing to ask. */
uint64_t cw_part_ask(cw_part *p);

/* Looks at the headers of the answer; more than 'most' bytes in all are
** refused. CW_PART_FAILED: 'e' says why. */
cw_taking cw_part_take(cw_part *p, const cw_response *r, uint64_t most,
                       cw_error *e);

/* The same for a response with an error status: CW_PART_AGAIN if the request
** for the rest was refused and the whole file must be requested, else
** CW_PART_REFUSED. */
cw_taking cw_part_refused(cw_part *p, int status, cw_error *e);

/* All has come: puts the file in its place, if it is whole. False: 'e' says
** why. */
bool cw_part_finish(cw_part *p, cw_error *e);

#endif
