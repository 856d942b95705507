/* lua_box: what a response's userdata holds, for the files that read it and
** give it up. Knows Lua and the engine.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_LUA_BOX_H
#define CURLEW_LUA_BOX_H

#include "lua_core.h"

/* How its holder gave it up. */
typedef enum cwl_ending {
  CWL_IN_USE,
  CWL_CLOSED,
  CWL_SCOPE_LEFT,
  CWL_LOOP_LEFT,
  CWL_MIDDLEWARE_LEFT,
  CWL_MOVED
} cwl_ending;

/* What its opener returns: a response, or an iterator that owns one. */
typedef enum cwl_form { CWL_RESPONSE, CWL_LINES, CWL_CHUNKS } cwl_form;

typedef struct cwl_box {
  cw_exchange *x; /* owned; NULL: moved away, or never made */
  cwl_ending ending;
  cw_site where; /* it was given up */
  cwl_form form;
  bool reading; /* a call is waiting for more of the body */
  bool slot;    /* the next __close is the opener's own slot letting go */
  bool watched; /* it has a progress function, kept as "progress" */
  bool looped;  /* a loop has read it to its end: nobody need close it */
} cwl_box;

/* A new one, on top: closed, and safe to be collected. */
cwl_box *cwl_new_box(lua_State *L);

/* The response at 'index', whatever its state; NULL: it is none. */
cwl_box *cwl_test_box(lua_State *L, int index);

/* The response at 1, whatever its state; raises when it is none. */
cwl_box *cwl_check_box(lua_State *L);

/* The same, whose body may be read; raises and teaches otherwise. */
cwl_box *cwl_check_open(lua_State *L);

/* Raises: says where it was given up, and what to do instead. */
__attribute__((noreturn)) int cwl_given_up(lua_State *L, const cwl_box *b);

/* The holder of the response at 'index' gives it up. The second time does
** nothing. */
void cwl_end(lua_State *L, int index, cwl_ending how, cw_end why);

/* What has been made for the response at 1 and is kept with it: headers,
** request, error, text, ... 'push' is false, and pushes nothing, when it is not
** there; 'keep' keeps the value on top, which stays there. */
bool cwl_push_kept(lua_State *L, const char *name);
bool cwl_push_kept_of(lua_State *L, int index, const char *name);
void cwl_keep(lua_State *L, const char *name);

/* Pushes nil and what ended the stream of the response at 1: the same object
** each time. What is held of a body that was cut is dropped: it is no success,
** in no part. Returns 2. */
int cwl_fail_reading(lua_State *L, cwl_box *b);

/* Pushes the response that has now what the one at 1 had: the last that it was
** moved to, or that one itself. */
void cwl_push_owner(lua_State *L);

/* The new box on top has what the response at 1 had, which is empty from here
** on. Allocates nothing. */
void cwl_move(lua_State *L, cwl_box *from, cwl_box *to);

#endif
