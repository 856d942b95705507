/* gate: how many may be at once, and whose turn it is. Knows url, list.
** SPDX-License-Identifier: MIT */
#include "gate.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>

void cw_gate_init(cw_gate *g) {
  *g = (cw_gate){.held = 0};
  cw_list_init(&g->queue);
}

bool cw_gate_enter(cw_gate *g, size_t most) {
  if (g->held >= most) return false;
  g->held++;
  return true;
}

void cw_gate_queue(cw_gate *g, cw_turn *t, const size_t *most) {
  t->gate = g;
  t->most = most;
  t->granted = false;
  cw_list_append(&g->queue, &t->link);
}

struct cw_news *cw_gate_admit(cw_gate *g) {
  if (cw_list_empty(&g->queue)) return NULL;
  cw_turn *first = CW_LIST_ENTRY(g->queue.next, cw_turn, link);
  if (g->held >= *first->most) return NULL;
  cw_list_remove(&first->link);
  first->granted = true;
  g->held++;
  return first->news;
}

struct cw_news *cw_gate_leave(cw_gate *g) {
  g->held--;
  return cw_gate_admit(g);
}

void cw_turn_take(cw_turn *t) {
  t->gate = NULL;
  t->granted = false;
}

struct cw_news *cw_turn_drop(cw_turn *t) {
  cw_gate *g = t->gate;
  bool granted = t->granted;
  if (!g) return NULL;
  cw_list_remove(&t->link);
  cw_turn_take(t);
  return granted ? cw_gate_leave(g) : cw_gate_admit(g);
}

/* Origins ----------------------------------------------------------------- */

/* FNV-1a of the host: origins of one host are few. */
static size_t place_of(const cw_url *u) {
  char host[256];
  uint32_t hash = 2166136261u;
  cw_url_host(u, host, sizeof host);
  for (const char *c = host; *c; c++)
    hash = (hash ^ (unsigned char)tolower((unsigned char)*c)) * 16777619u;
  return hash % CW_GATES;
}

static cw_gate *new_gate(cw_url *u, cw_gate *next) {
  cw_gate *g = malloc(sizeof *g);
  if (!g) return NULL;
  cw_gate_init(g);
  g->origin = cw_url_retain(u);
  g->next = next;
  return g;
}

cw_gate *cw_gates_get(cw_gates *all, cw_url *u) {
  cw_gate **place = &all->table[place_of(u)];
  cw_gate *g = *place;
  while (g && !cw_url_same_origin(g->origin, u))
    g = g->next;
  if (!g) {
    g = new_gate(u, *place);
    if (!g) return NULL;
    *place = g;
  }
  g->refs++;
  return g;
}

void cw_gates_give_back(cw_gates *all, cw_gate *g) {
  if (!g || --g->refs > 0) return;
  cw_gate **at = &all->table[place_of(g->origin)];
  while (*at != g)
    at = &(*at)->next;
  *at = g->next;
  cw_url_free(g->origin);
  free(g);
}
