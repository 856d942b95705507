/* list: intrusive rings, so that leaving one costs the same however long it is.
** Knows nothing. A link that is in no ring points to itself.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_LIST_H
#define CURLEW_LIST_H

#include <stdbool.h>
#include <stddef.h>

typedef struct cw_link {
  struct cw_link *next;
  struct cw_link *previous;
} cw_link;

/* The struct of type 'type' whose member 'member' is the link 'l'. */
#define CW_LIST_ENTRY(l, type, member)                                         \
  ((type *)cw_list_before((l), offsetof(type, member)))

static inline void *cw_list_before(const void *member, size_t bytes) {
  char *at = (char *)member;
  return at - bytes;
}

static inline void cw_list_init(cw_link *l) { l->next = l->previous = l; }

static inline bool cw_list_empty(const cw_link *l) { return l->next == l; }

/* Puts 'l', which is in no ring, at the end of the ring 'head'. */
static inline void cw_list_append(cw_link *head, cw_link *l) {
  l->previous = head->previous;
  l->next = head;
  head->previous->next = l;
  head->previous = l;
}

/* Takes 'l' out of its ring; harmless when it is in none. */
static inline void cw_list_remove(cw_link *l) {
  /* The analyzer takes a neighbour for freed that has left the ring before. */
  l->previous->next = l->next; /* NOLINT(clang-analyzer-unix.Malloc) */
  l->next->previous = l->previous;
  cw_list_init(l);
}

/* Puts all that is in the ring 'from' at the end of the ring 'to'. */
static inline void cw_list_move_all(cw_link *from, cw_link *to) {
  if (cw_list_empty(from)) return;
  from->next->previous = to->previous;
  to->previous->next = from->next;
  from->previous->next = to;
  to->previous = from->previous;
  cw_list_init(from);
}

#endif
