/* lua_read: reading a body, as io reads a file. Knows Lua and the engine.
** SPDX-License-Identifier: MIT */
#include "lua_read.h"

#include <string.h>

/* One format of io's, read from the stack. */
typedef struct format {
  char kind; /* 'a' 'l' 'L' 'n', or '#' for a number of bytes */
  uint64_t count;
} format;

static format check_format(lua_State *L, int index) {
  size_t length;
  if (lua_type(L, index) == LUA_TNUMBER) {
    int exact;
    lua_Integer count = lua_tointegerx(L, index, &exact);
    luaL_argcheck(L, exact && count >= 0, index, "a number of bytes expected");
    return (format){.kind = '#', .count = (uint64_t)count};
  }
  const char *text = luaL_checklstring(L, index, &length);
  size_t star = *text == '*'; /* as io's, for old code */
  bool known = length == star + 1 && text[star] && strchr("alLn", text[star]);
  luaL_argcheck(L, known, index,
                "\"a\", \"l\", \"L\", \"n\" or a number of bytes expected");
  return (format){.kind = text[star]};
}

/* A number of bytes beyond max_body can only be had if the body is shorter. */
static void want(cw_exchange *x, format f) {
  uint64_t most = cw_exchange_max_body(x);
  switch (f.kind) {
  case 'l':
  case 'L':
    cw_exchange_want(x, CW_WANT_LINE, most);
    break;
  case 'n':
    cw_exchange_want(x, CW_WANT_NUMERAL, 0);
    break;
  case '#':
    if (f.count <= most) {
      /* read(0) asks whether there is more: that takes one byte to know */
      cw_exchange_want(x, CW_WANT_BYTES, f.count ? f.count : 1);
      break;
    } /* fall through */
  default:
    cw_exchange_want(x, CW_WANT_WHOLE, 0);
    break;
  }
}

/* Pushes the first 'n' bytes and drops them, and 'more' besides. Should it
** raise, nothing is lost; should it run a finalizer that closes this response,
** nothing is left to drop. */
static void push_bytes(lua_State *L, cw_body *body, size_t n, size_t more) {
  size_t held;
  const char *bytes = cw_body_peek(body, &held);
  lua_pushlstring(L, bytes, n < held ? n : held);
  cw_body_drop(body, n < held ? n + more : held);
}

/* Without a line feed it is the last one. */
static bool push_line(lua_State *L, cw_body *body, bool found, bool chop) {
  size_t n = body->piece;
  if (!found && cw_buf_length(cw_body_readable(body)) == 0) return false;
  if (found && chop)
    push_bytes(L, body, n - 1, 1);
  else
    push_bytes(L, body, found ? n : SIZE_MAX, 0);
  return true;
}

static bool push_numeral(lua_State *L, cw_body *body) {
  char numeral[CW_NUMERAL_MAX + 1];
  size_t held, n = body->piece;
  const char *bytes = cw_body_peek(body, &held);
  memcpy(numeral, bytes, n);
  numeral[body->no_numeral ? 0 : n] = '\0';
  cw_body_drop(body, n);
  return lua_stringtonumber(L, numeral) != 0;
}

static bool push_count(lua_State *L, cw_body *body, uint64_t count) {
  if (cw_buf_length(cw_body_readable(body)) == 0) return false;
  push_bytes(L, body, count < SIZE_MAX ? (size_t)count : SIZE_MAX, 0);
  return true;
}

/* Pushes what the format reads; false: there is none, nil was pushed. */
static bool push_read(lua_State *L, cw_body *body, format f, bool found) {
  bool ok = true;
  if (f.kind == 'a')
    push_bytes(L, body, SIZE_MAX, 0);
  else if (f.kind == 'n')
    ok = push_numeral(L, body);
  else if (f.kind == '#')
    ok = push_count(L, body, f.count);
  else
    ok = push_line(L, body, found, f.kind == 'l');
  if (!ok) luaL_pushfail(L);
  return ok;
}

enum { FAILED = -1, FORMATS = 2, FIRST_FORMAT };

/* The stack: the response, the number of formats, the formats, and what those
** before the one at 'at' have read. Returns how many values were read, or
** FAILED with nil and the error on top. */
static int read_formats(lua_State *L, int at, lua_KFunction k) {
  cwl_box *b = lua_touserdata(L, 1);
  int formats = (int)lua_tointeger(L, FORMATS);
  for (; at < FIRST_FORMAT + formats; at++) {
    format f = check_format(L, at);
    b->reading = false;
    want(b->x, f);
    while (!cw_exchange_ready(b->x))
      if (!cwl_wait_to_read(L, b, at, k)) return lua_error(L);
    bool found = cw_body_found(&b->x->body);
    cw_exchange_rest(b->x);
    if (b->ending != CWL_IN_USE) return cwl_given_up(L, b);
    if (!found && b->x->body.state == CW_BODY_FAILED) {
      cwl_fail_reading(L, b);
      return FAILED;
    }
    if (!push_read(L, &b->x->body, f, found)) break;
  }
  return lua_gettop(L) - formats - FORMATS;
}

/* Puts the number of formats below them; without any, "l" is meant. */
static void insert_formats(lua_State *L) {
  if (lua_gettop(L) == 1) lua_pushliteral(L, "l");
  int formats = lua_gettop(L) - 1;
  luaL_checkstack(L, formats + 8, "too many formats");
  lua_pushinteger(L, formats);
  lua_insert(L, FORMATS);
}

static int read_k(lua_State *L, int status, lua_KContext at) {
  (void)status;
  int n = read_formats(L, (int)at, read_k);
  return n == FAILED ? 2 : n;
}

/* r:read(format...) -> as io */
static int r_read(lua_State *L) {
  cwl_check_open(L);
  insert_formats(L);
  return read_k(L, LUA_OK, FIRST_FORMAT);
}

/* Loops ------------------------------------------------------------------- */

/* Its loop has come to the end, or to the error: there is nothing to give up,
** and who asks again is told the same again. */
static bool at_end(const cw_exchange *x) {
  return !x->transfer && cw_body_held(&x->body) == 0;
}

/* The loop that reads the response has been left. */
static int loop_close(lua_State *L) {
  lua_settop(L, 1);
  lua_getiuservalue(L, 1, 1);
  cwl_box *b = lua_touserdata(L, -1);
  b->looped = true;
  if (b->x && (b->form != CWL_RESPONSE || !at_end(b->x)))
    cwl_end(L, b, CWL_LOOP_LEFT, CW_BY_ITERATOR);
  return 0;
}

/* The iterator is on top: adds what `for` takes besides, the last of which it
** closes when it is left. */
static int push_loop(lua_State *L, int response) {
  lua_pushnil(L);
  lua_pushnil(L);
  lua_newuserdatauv(L, 0, 1);
  lua_pushvalue(L, response);
  lua_setiuservalue(L, -2, 1);
  luaL_setmetatable(L, "curlew.loop");
  return 4;
}

/* The first value decides: at the end it is nil. */
static int next_read_k(lua_State *L, int status, lua_KContext at) {
  (void)status;
  int n = read_formats(L, (int)at, next_read_k);
  return n == FAILED ? lua_error(L) : n;
}

/* Upvalues: the state, the response, the number of formats, the formats. */
static int next_read(lua_State *L) {
  int formats = (int)lua_tointeger(L, lua_upvalueindex(3));
  lua_settop(L, 0);
  luaL_checkstack(L, formats + 8, "too many formats");
  for (int i = 0; i < FORMATS + formats; i++)
    lua_pushvalue(L, lua_upvalueindex(2 + i));
  cwl_check_open(L);
  return next_read_k(L, LUA_OK, FIRST_FORMAT);
}

/* The response, the number of formats and the formats are on top. */
static void push_next_read(lua_State *L, int formats) {
  lua_pushvalue(L, CWL_STATE);
  lua_insert(L, -(formats + FORMATS + 1));
  lua_pushcclosure(L, next_read, formats + FORMATS + 1);
}

/* r:lines(format...) -> iterator, nil, nil, what its loop closes */
static int r_lines(lua_State *L) {
  enum { MOST = 250 }; /* as io.lines; a C function has 255 upvalues */
  cwl_check_open(L);
  luaL_argcheck(L, lua_gettop(L) <= MOST + 1, MOST + 2, "too many formats");
  insert_formats(L);
  int formats = (int)lua_tointeger(L, FORMATS);
  for (int i = 0; i < formats; i++)
    check_format(L, FIRST_FORMAT + i); /* found out now, not in the loop */
  lua_pushvalue(L, 1);
  lua_insert(L, 1);
  push_next_read(L, formats);
  return push_loop(L, 1);
}

/* The most bytes of one piece: libcurl's own measure. Strings of 64 KiB beside
*a
** small heap keep the collector going: 1.19 x plain libcurl's time, not 1.11.
 */
enum { CHUNK = CURL_MAX_WRITE_SIZE };

static int next_chunk_k(lua_State *L, int status, lua_KContext context) {
  (void)status;
  cwl_box *b = lua_touserdata(L, 1);
  b->reading = false;
  cw_exchange_want(b->x, CW_WANT_BYTES, 1);
  while (!cw_exchange_ready(b->x))
    if (!cwl_wait_to_read(L, b, context, next_chunk_k)) return lua_error(L);
  bool found = cw_body_found(&b->x->body);
  cw_exchange_rest(b->x);
  if (b->ending != CWL_IN_USE) return cwl_given_up(L, b);
  if (!found && b->x->body.state != CW_BODY_FAILED) return 0;
  if (!found) {
    cwl_fail_reading(L, b);
    return lua_error(L);
  }
  push_bytes(L, &b->x->body, CHUNK, 0);
  return 1;
}

/* Upvalues: the state, the response. */
static int next_chunk(lua_State *L) {
  lua_settop(L, 0);
  lua_pushvalue(L, lua_upvalueindex(2));
  cwl_check_open(L);
  return next_chunk_k(L, LUA_OK, 0);
}

static void push_next_chunk(lua_State *L, int response) {
  lua_pushvalue(L, CWL_STATE);
  lua_pushvalue(L, response);
  lua_pushcclosure(L, next_chunk, 2);
}

/* r:chunks() -> iterator, nil, nil, what its loop closes */
static int r_chunks(lua_State *L) {
  cwl_check_open(L);
  push_next_chunk(L, 1);
  return push_loop(L, 1);
}

int cwl_push_form(lua_State *L, int response, cwl_form form) {
  if (form == CWL_RESPONSE) {
    lua_pushvalue(L, response);
    return 1;
  }
  if (form == CWL_CHUNKS) {
    push_next_chunk(L, response);
  } else {
    lua_pushvalue(L, response);
    lua_pushinteger(L, 1);
    lua_pushliteral(L, "l");
    push_next_read(L, 1);
  }
  return push_loop(L, response);
}

/* Whole ------------------------------------------------------------------- */

static int text_k(lua_State *L, int status, lua_KContext context) {
  (void)status;
  cwl_box *b = lua_touserdata(L, 1);
  b->reading = false;
  cw_exchange_want(b->x, CW_WANT_WHOLE, 0);
  while (!cw_exchange_ready(b->x))
    if (!cwl_wait_to_read(L, b, context, text_k)) return lua_error(L);
  cw_exchange_rest(b->x);
  if (b->ending != CWL_IN_USE) return cwl_given_up(L, b);
  if (b->x->body.state == CW_BODY_FAILED) return cwl_fail_reading(L, b);
  push_bytes(L, &b->x->body, SIZE_MAX, 0);
  cwl_keep(L, "text");
  return 1;
}

/* r:text() -> the rest of the body, kept: it may be asked for again */
static int r_text(lua_State *L) {
  cwl_check_open(L);
  lua_settop(L, 1);
  if (cwl_push_kept(L, "text")) return 1;
  return text_k(L, LUA_OK, 0);
}

static const luaL_Reg methods[] = {
  {"read", r_read}, {"lines", r_lines}, {"chunks", r_chunks},
  {"text", r_text}, {NULL, NULL},
};

static const luaL_Reg loop_metamethods[] = {{"__close", loop_close},
                                            {NULL, NULL}};

void cwl_open_read(lua_State *L, int state) {
  cwl_type(L, "curlew.loop", loop_metamethods, NULL, state);
  cwl_register(L, methods, state);
}
