/* lua_external: large bodies as strings without a copy. Knows Lua and the
** engine.
** SPDX-License-Identifier: MIT */
#include "lua_external.h"

#if LUA_VERSION_NUM >= 505

/* A smaller body is copied: doc/decisions/external-strings.md. */
enum { LARGE = 1024 * 1024 };

/* Lua calls this function if it is out of memory for the string, and else when
** the string is collected. The latter may be at the end of lua_close, after the
** module has been closed: it stays loaded (-z nodelete in the Makefile). */
static void *end_loan(void *loan, void *bytes, size_t size, size_t none) {
  (void)bytes, (void)size, (void)none;
  cw_loan_end(loan);
  return NULL;
}

/* Lua does not count the bytes of external strings, so its collector would not
** run for them. A full collection takes time in proportion to Lua's own heap.
** It is made when as many bytes have come as the heap has: this bounds its cost
** for each byte, and the garbage. Single steps are not enough. In generational
** mode they never free a body that has survived two of them. */
static void collect(lua_State *L, size_t n) {
  cwl_state *s = lua_touserdata(L, CWL_STATE);
  s->uncounted += n;
  if (lua_gc(L, LUA_GCISRUNNING) <= 0) return;
  if (s->uncounted >> 10 < (size_t)lua_gc(L, LUA_GCCOUNT)) return;
  s->uncounted = 0;
  lua_gc(L, LUA_GCCOLLECT);
}

bool cwl_push_external(lua_State *L, cw_body *body) {
  if (cw_buf_length(cw_body_readable(body)) < LARGE) return false;
  cw_loan *loan = cw_body_lend(body);
  if (!loan) return false;
  size_t n = loan->n;
  lua_pushexternalstring(L, loan->bytes, n, end_loan, loan);
  loan->body = NULL;
  collect(L, n);
  return true;
}

#else

bool cwl_push_external(lua_State *L, cw_body *body) {
  (void)L, (void)body;
  return false;
}

#endif
