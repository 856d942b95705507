/* lua_reader: one wish of a reader: says it, waits for it, and takes it back
** whatever happens: at the end, by an interrupt, when a task is closed while it
** waits. Knows Lua and the engine.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_LUA_READER_H
#define CURLEW_LUA_READER_H

#include "lua_box.h"

typedef enum cwl_outcome {
  CWL_FOUND, /* what was wanted is there */
  CWL_ENDED, /* the body ended before it; what there is is the rest */
  CWL_FAILED /* so did something else: nil and the error are on top */
} cwl_outcome;

/* 'slot' is an index that holds nil: for what lets go should the wait not come
** back; nothing to be closed may lie above it. 'k' is called when a task goes
** on: it calls cwl_await again. */
typedef struct cwl_wish {
  cw_want want;
  uint64_t amount;
  bool cut; /* what came before a failure is wanted too: it is found first */
  int slot;
  lua_KContext context;
  lua_KFunction k;
} cwl_wish;

/* Waits until the response at 1 has what is wanted, or never will. 'again': it
** is called by its continuation. Raises when the response is not to be read,
** when it was given up meanwhile, and on an interrupt. */
cwl_outcome cwl_await(lua_State *L, cwl_box *b, const cwl_wish *wish,
                      bool again);

/* One wait for whatever else is to happen to the response at 1, which is being
** read until cwl_let_go. False: interrupted, the error is on top. */
bool cwl_wait_to_read(lua_State *L, cwl_box *b, const cwl_wish *wish);
void cwl_let_go(cwl_box *b);

/* Waits at most 'us' for something else than the response at 1, which counts as
** being read meanwhile. After the wait cwl_woken must be called: by 'k' if a
** task is resumed, else by the caller. Raises on an interrupt. */
void cwl_nap(lua_State *L, cwl_box *b, const cwl_wish *wish, int64_t us);

/* Ends the wait of cwl_nap. Raises if the response was closed meanwhile. */
void cwl_woken(lua_State *L, cwl_box *b);

/* Pushes the first 'n' bytes of what there is and drops them, and 'more' bytes
** besides. Should it raise, nothing is lost. */
void cwl_push_bytes(lua_State *L, cwl_box *b, size_t n, size_t more);

/* Registers the type of the slots. */
void cwl_open_reader(lua_State *L, int state);

#endif
