/* engine: one per Lua state. The multi handle, driven socket by socket; what
** to poll for and until when; the slots, the open transfers, the free ones.
** Nothing here costs more when more responses are open. Knows libcurl, poll
** and epoll.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_ENGINE_H
#define CURLEW_ENGINE_H

#include <sys/types.h>

#include "transfer.h"

typedef struct cw_engine cw_engine;

/* NULL: out of memory. The caller owns a reference. */
cw_engine *cw_engine_new(void);
cw_engine *cw_engine_retain(cw_engine *e);
void cw_engine_free(cw_engine *e); /* gives a reference back; NULL is fine */

/* Ends what libcurl holds; nothing may be open any more. Others may keep their
** references: they find a closed engine. */
void cw_engine_close(cw_engine *e);
bool cw_engine_closed(const cw_engine *e);

/* Whether this process is a fork of the one that made the engine: its sockets
** are the parent's, and nothing of it may be used, nor shut down. */
bool cw_engine_foreign(const cw_engine *e);

/* A free transfer, or a new one at the baseline of 'defaults'; NULL: out of
** memory. The caller owns it until it enters or is given back. */
cw_transfer *cw_engine_take(cw_engine *e, cw_settings *defaults);
void cw_engine_give_back(cw_engine *e, cw_transfer *t);

/* Takes a slot and starts the prepared transfer; 'ring' is its client's. From
** here on it leaves by itself when its stream ends, or by a release. False:
** its error is set, and it is given back. */
bool cw_engine_enter(cw_engine *e, cw_transfer *t, cw_link *ring);

/* Gives the slot back, at once or, if libcurl is running, as soon as it has
** returned; 'drain': what is there already is read and dropped first, within
** the limits, so that the connection can be used again. Never waits. */
void cw_engine_release(cw_engine *e, cw_transfer *t, cw_end why, bool drain);

/* Somebody waits for this transfer from now on ('wanted'), or not any more: its
** idle time counts only meanwhile. Also to be called when a deadline of it has
** been set. */
void cw_engine_want(cw_engine *e, cw_transfer *t, bool wanted);

/* The owner of 'a' has news at that time, by the engine's clock. False: out of
** memory. Disarmed before it goes; harmless for one that is not set. */
bool cw_engine_alarm(cw_engine *e, cw_alarm *a, int64_t at);
void cw_engine_disarm(cw_engine *e, cw_alarm *a);

/* Lets a paused transfer go on. */
void cw_engine_resume(cw_engine *e, cw_transfer *t);

/* Moves what can be moved; waits for something to happen, at most 'us'
** microseconds (negative: as long as it takes), or until a signal. The one
** place that waits. */
void cw_engine_step(cw_engine *e, int64_t us);

/* For a scheduler: a descriptor that is readable when a step has something to
** do (-1: none can be had), and how long it may wait without one, in
** microseconds; negative: for ever. */
int cw_engine_descriptor(cw_engine *e);
int64_t cw_engine_timeout(cw_engine *e);

/* The same for who goes to wait now: 0 with news, and what becomes news before
** the next step makes the descriptor readable. */
int64_t cw_engine_rest(cw_engine *e);

/* The descriptor is readable until the next step. */
void cw_engine_rouse(cw_engine *e);

/* Whether there is nothing that a step could wait for. */
bool cw_engine_idle(cw_engine *e);

/* The owner of 'news' has something to do at once: the next step waits for
** nothing. */
void cw_engine_stir(cw_engine *e, cw_news *news);

/* Takes the next one of a round of those with news; NULL: there is none. After
** that, and after a step, another round begins. */
cw_news *cw_engine_next_news(cw_engine *e);
bool cw_engine_has_news(const cw_engine *e);

/* The ring of owners, of those who asked for it, whose transfers have ended. */
cw_link *cw_engine_over(cw_engine *e);

int64_t cw_engine_now(cw_engine *e); /* reads the clock, microseconds */

/* The ring of open transfers, by 'open_link', oldest first. */
cw_link *cw_engine_open_ring(cw_engine *e);
size_t cw_engine_open(const cw_engine *e);

/* A ring for those who use it; the engine only keeps it. */
cw_link *cw_engine_exchanges(cw_engine *e);

/* The gate of max_open, those of origins, and a place that is given back at
** one of them. */
cw_gate *cw_engine_gate(cw_engine *e);
cw_gates *cw_engine_gates(cw_engine *e);
void cw_engine_leave_gate(cw_engine *e, cw_gate *g);
void cw_engine_drop_turn(cw_engine *e, cw_turn *t);

bool cw_engine_full(const cw_engine *e);
const size_t *cw_engine_max_open(const cw_engine *e);
void cw_engine_set_max_open(cw_engine *e, size_t n);
size_t cw_engine_idle_connections(const cw_engine *e);
void cw_engine_set_idle_connections(cw_engine *e, size_t n);

cw_ledger *cw_engine_ledger(cw_engine *e);

/* Whether a descriptor could not be had since this was last asked. */
bool cw_engine_out_of_descriptors(cw_engine *e);

/* The i-th socket that libcurl has been given and has not returned is no
** longer that socket: its number; -1: all are. For audits. */
int cw_engine_strange_socket(const cw_engine *e);
size_t cw_engine_sockets(const cw_engine *e);

/* Calls a function with each open engine that the calling thread has made. For
** the report at exit. */
void cw_engine_each_own(void (*visit)(cw_engine *));

#endif
