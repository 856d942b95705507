/* file: a file that is being written, and stands under its name when it is
** whole: until then it is a temporary one beside it, or a part that can be gone
** on with another time. Or an open one of somebody else's. Knows checksum,
** error, libc.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_FILE_H
#define CURLEW_FILE_H

#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "checksum.h"
#include "error.h"

typedef struct cw_file {
  FILE *stream;     /* borrowed; NULL: not somebody else's */
  int fd;           /* owned; -1: none */
  char *path;       /* owned: where it will stand */
  char *temporary;  /* owned; NULL: it is written in place */
  uint64_t bytes;   /* written; of a part, all that there are */
  mode_t mode;      /* that it is made with */
  pid_t maker;      /* a fork's copy removes nothing */
  bool part;        /* it is locked, and will be synced to the disk */
  bool keep;        /* 'drop' leaves the part */
  bool pipe;        /* a FIFO: opened when it has a reader, and never blocks */
  bool blocked;     /* the FIFO has no reader, or is full */
  cw_checksum *sum; /* owned; NULL: none is wanted */
  char expected[CW_CHECKSUM_TEXT]; /* what it has to be; then, what it is */
} cw_file;

/* In place; needs no memory. 'drop' closes it and removes what is not whole,
** unless that is to be kept; harmless after cw_file_finish. */
void cw_file_init(cw_file *f);
void cw_file_drop(cw_file *f);

/* Begins a file that will stand at 'path', with the permissions of the file
** that stands there now, which stays until then. A link to a file is followed.
** A file that is not regular (/dev/null, a FIFO), or that is reached through
** /dev or /proc (/dev/stdout), is written in place, at its end. A FIFO without
** a reader is opened by a later write. False: 'e' says why. */
bool cw_file_create(cw_file *f, const char *path, cw_error *e);

/* The same, in PATH.part, which may be there already, and nobody else may be at
** it: 'bytes' says how many it has. Only regular files. False: 'e' says why. */
bool cw_file_resume(cw_file *f, const char *path, cw_error *e);

/* The name of a file beside 'path'. NULL: out of memory. The caller owns it. */
char *cw_file_beside(const char *path, const char *suffix);

/* Leaves the first 'n' bytes of a part. False: 'e' says why. */
bool cw_file_cut(cw_file *f, uint64_t n, cw_error *e);

/* Nothing has been written yet: cw_file_finish refuses it unless its SHA-256 is
** 'sum', in small letters. False: 'e' says why. */
bool cw_file_expect(cw_file *f, const char *sum, cw_error *e);

/* Writes go to 'stream', whose position they move. */
void cw_file_borrow(cw_file *f, FILE *stream);

/* Sets '*n' to the number of bytes written. That is less than given only for a
** FIFO, and then 'blocked' is set. False: 'e' says why. */
bool cw_file_write(cw_file *f, const char *bytes, size_t *n, cw_error *e);

/* It is whole: puts it in its place. False: 'e' says why, and it is dropped; it
** is not kept if its checksum is wrong. */
bool cw_file_finish(cw_file *f, cw_error *e);

#endif
