/* lua_read: reading a body, as io reads a file. Knows Lua and the engine.
** SPDX-License-Identifier: MIT */
#include "lua_read.h"

#include <string.h>

#include "lua_observer.h"
#include "lua_reader.h"

/* One format of io's, read from the stack. */
typedef struct format {
  char kind; /* 'a' 'l' 'L' 'n', or '#' for a number of bytes */
  uint64_t count;
} format;

/* As io's, which looks at the first letter, and for old code behind a star.
** 'index' is where it stands, 'arg' which argument it was. */
static format check_format(lua_State *L, int index, int arg) {
  if (lua_type(L, index) == LUA_TNUMBER) {
    int exact;
    lua_Integer count = lua_tointegerx(L, index, &exact);
    luaL_argcheck(L, exact && count >= 0, arg, "a number of bytes expected");
    return (format){.kind = '#', .count = (uint64_t)count};
  }
  const char *text = lua_tostring(L, index);
  if (text && *text == '*') text++;
  bool known = text && *text && strchr("alLn", *text);
  luaL_argcheck(L, known, arg,
                "\"a\", \"l\", \"L\", \"n\" or a number of bytes expected");
  return (format){.kind = *text};
}

/* What the format wants of the body. read(0) asks whether there is more: that
** takes one byte to know. */
static cwl_wish wish_of(format f) {
  switch (f.kind) {
  case 'a':
    return (cwl_wish){.want = CW_WANT_WHOLE};
  case 'n':
    return (cwl_wish){.want = CW_WANT_NUMERAL};
  case '#':
    return (cwl_wish){.want = CW_WANT_BYTES, .amount = f.count ? f.count : 1};
  default:
    return (cwl_wish){.want = CW_WANT_LINE};
  }
}

/* Without a line feed it is the last one. */
static bool push_line(lua_State *L, cwl_box *b, bool found, bool chop) {
  const cw_body *body = &b->x->body;
  if (!found && cw_buf_length(cw_body_readable(body)) == 0) return false;
  if (found && chop)
    cwl_push_bytes(L, b, body->piece - 1, 1);
  else
    cwl_push_bytes(L, b, found ? body->piece : SIZE_MAX, 0);
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

static bool push_count(lua_State *L, cwl_box *b, uint64_t count) {
  if (cw_buf_length(cw_body_readable(&b->x->body)) == 0) return false;
  cwl_push_bytes(L, b, count < SIZE_MAX ? (size_t)count : SIZE_MAX, 0);
  return true;
}

/* Pushes what the format reads; false: there is none, nil was pushed. */
static bool push_read(lua_State *L, cwl_box *b, format f, bool found) {
  bool ok = true;
  if (f.kind == 'a')
    cwl_push_bytes(L, b, SIZE_MAX, 0);
  else if (f.kind == 'n')
    ok = push_numeral(L, &b->x->body);
  else if (f.kind == '#')
    ok = push_count(L, b, f.count);
  else
    ok = push_line(L, b, found, f.kind == 'l');
  if (!ok) luaL_pushfail(L);
  return ok;
}

/* The stack: the response, the number of formats, the formats, the slot, and
** what those before the one at 'at' have read. Returns how many values were
** read, or CUT with nil and the error on top. */
enum { CUT = -1, FORMATS = 2, FIRST_FORMAT };

static int read_formats(lua_State *L, int at, bool again, lua_KFunction k) {
  cwl_box *b = lua_touserdata(L, 1);
  int slot = FIRST_FORMAT + (int)lua_tointeger(L, FORMATS);
  for (; at < slot; at++, again = false) {
    format f = check_format(L, at, at - 1);
    cwl_wish wish = wish_of(f);
    wish.slot = slot;
    wish.context = at;
    wish.k = k;
    cwl_outcome outcome = cwl_await(L, b, &wish, again);
    if (outcome == CWL_FAILED) return CUT;
    if (!push_read(L, b, f, outcome == CWL_FOUND)) break;
  }
  return lua_gettop(L) - slot;
}

/* Puts the number of formats below them and the slot above; without any format
** "l" is meant. */
static void insert_formats(lua_State *L) {
  if (lua_gettop(L) == 1) lua_pushliteral(L, "l");
  int formats = lua_gettop(L) - 1;
  luaL_checkstack(L, formats + 8, "too many formats");
  lua_pushinteger(L, formats);
  lua_insert(L, FORMATS);
  lua_pushnil(L);
}

static int read_k(lua_State *L, int status, lua_KContext at) {
  int n = read_formats(L, (int)at, status == LUA_YIELD, read_k);
  return n == CUT ? 2 : n;
}

/* r:read(format...) -> as io */
static int r_read(lua_State *L) {
  cwl_check_box(L);
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
  luaL_checkudata(L, 1, "curlew.loop");
  lua_getiuservalue(L, 1, 1);
  cwl_box *b = lua_touserdata(L, -1);
  if (!b) return 0;
  b->looped = true;
  if (b->x && (b->form != CWL_RESPONSE || !at_end(b->x)))
    cwl_end(L, -1, CWL_LOOP_LEFT, CW_BY_ITERATOR);
  cwl_tell_ends(L, lua_touserdata(L, CWL_STATE));
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
  int n = read_formats(L, (int)at, status == LUA_YIELD, next_read_k);
  return n == CUT ? lua_error(L) : n;
}

/* Upvalues: the state, the response, the number of formats, the formats. */
static int next_read(lua_State *L) {
  int formats = (int)lua_tointeger(L, lua_upvalueindex(3));
  lua_settop(L, 0);
  luaL_checkstack(L, formats + 8, "too many formats");
  for (int i = 0; i < FORMATS + formats; i++)
    lua_pushvalue(L, lua_upvalueindex(2 + i));
  lua_pushnil(L); /* the slot */
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
  lua_pop(L, 1);
  int formats = (int)lua_tointeger(L, FORMATS);
  for (int i = 0; i < formats; i++) /* found out now, not in the loop */
    check_format(L, FIRST_FORMAT + i, 2 + i);
  lua_pushvalue(L, 1);
  lua_insert(L, 1);
  push_next_read(L, formats);
  return push_loop(L, 1);
}

/* The most bytes of one piece: libcurl's own measure. Strings of 64 KiB beside
** a small heap keep the collector going: 1.19 x plain libcurl's time, not 1.11
** (make bench ROWS=stream). */
enum { CHUNK = CURL_MAX_WRITE_SIZE };

static int next_chunk_k(lua_State *L, int status, lua_KContext context) {
  (void)context;
  cwl_box *b = lua_touserdata(L, 1);
  cwl_wish wish = {
    .want = CW_WANT_BYTES, .amount = 1, .slot = 2, .k = next_chunk_k};
  cwl_outcome outcome = cwl_await(L, b, &wish, status == LUA_YIELD);
  if (outcome == CWL_FAILED) return lua_error(L);
  if (outcome == CWL_ENDED) return 0;
  cwl_push_bytes(L, b, CHUNK, 0);
  return 1;
}

/* Upvalues: the state, the response. */
static int next_chunk(lua_State *L) {
  lua_settop(L, 0);
  lua_pushvalue(L, lua_upvalueindex(2));
  lua_pushnil(L); /* the slot */
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
  (void)context;
  cwl_box *b = lua_touserdata(L, 1);
  cwl_wish wish = {.want = CW_WANT_WHOLE, .slot = 2, .k = text_k};
  if (cwl_await(L, b, &wish, status == LUA_YIELD) == CWL_FAILED) return 2;
  cwl_push_bytes(L, b, SIZE_MAX, 0);
  cwl_keep(L, "text");
  return 1;
}

/* r:text() -> the rest of the body, kept: it may be asked for again */
static int r_text(lua_State *L) {
  cwl_check_open(L);
  lua_settop(L, 1);
  if (cwl_push_kept(L, "text")) return 1;
  lua_pushnil(L); /* the slot */
  return text_k(L, LUA_OK, 0);
}

static const luaL_Reg methods[] = {
  {"read", r_read}, {"lines", r_lines}, {"chunks", r_chunks},
  {"text", r_text}, {NULL, NULL},
};

static const luaL_Reg loop_metamethods[] = {{"__close", loop_close},
                                            {NULL, NULL}};

void cwl_open_read(lua_State *L, int state) {
  cwl_open_reader(L, state);
  cwl_type(L, "curlew.loop", loop_metamethods, NULL, state);
  cwl_register(L, methods, state);
}
