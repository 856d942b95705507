/* gate: how many may be at once, and whose turn it is when there are as many:
** first in, first out. Those of origins are found by a url. Knows url, list.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_GATE_H
#define CURLEW_GATE_H

#include "list.h"
#include "url.h"

struct cw_news;

typedef struct cw_gate {
  size_t held;   /* places that are taken, or granted */
  cw_link queue; /* of turns */

  /* of an origin's */
  unsigned refs;
  cw_url *origin;       /* a reference */
  struct cw_gate *next; /* in the same place of the table */
} cw_gate;

/* Somebody's place in a queue. */
typedef struct cw_turn {
  cw_link link;
  cw_gate *gate;        /* where it waits, or is granted a place; or NULL */
  const size_t *most;   /* borrowed: so many may be at once */
  struct cw_news *news; /* borrowed: who is to learn of it */
  bool granted;
} cw_turn;

void cw_gate_init(cw_gate *g);

/* Takes a place, if there is one. */
bool cw_gate_enter(cw_gate *g, size_t most);

/* Waits for one: sooner or later it is granted, unless it is dropped. */
void cw_gate_queue(cw_gate *g, cw_turn *t, const size_t *most);

/* Those below return who has been granted a place by that, if anybody. */

/* A place is given back; or there may be more of them now. */
struct cw_news *cw_gate_leave(cw_gate *g);
struct cw_news *cw_gate_admit(cw_gate *g);

/* It is not waited for any more; a granted place is given back. */
struct cw_news *cw_turn_drop(cw_turn *t);

/* It has the place that it was granted. */
void cw_turn_take(cw_turn *t);

enum { CW_GATES = 256 };

typedef struct cw_gates {
  cw_gate *table[CW_GATES]; /* each owned by those who have a reference */
} cw_gates;

/* A reference to the gate of the url's origin; NULL: out of memory. */
cw_gate *cw_gates_get(cw_gates *all, cw_url *u);
void cw_gates_give_back(cw_gates *all, cw_gate *g); /* NULL is fine */

#endif
