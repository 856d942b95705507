/* lua_save: a body written to a file. Knows Lua and the engine.
** SPDX-License-Identifier: MIT */
#include "lua_save.h"

#include <string.h>

#include "lua_error.h"
#include "lua_options.h"
#include "lua_reader.h"

enum {
  RESPONSE = CWL_SAVE_RESPONSE,
  TARGET = CWL_SAVE_TARGET,
  OPTIONS = CWL_SAVE_OPTIONS,
  FILE_BOX = CWL_SAVE_FILE,
  SLOT = CWL_SAVE_SLOT
};

static int file_drop(lua_State *L) {
  cw_file_drop(luaL_checkudata(L, 1, "curlew.file"));
  return 0;
}

/* An open handle of io's; NULL: it is none. */
static FILE *check_handle(lua_State *L) {
  luaL_Stream *stream = luaL_testudata(L, TARGET, LUA_FILEHANDLE);
  if (!stream) return NULL;
  if (!stream->closef) cwl_raise(L, "save: the file is closed");
  return stream->f;
}

const char *cwl_check_path(lua_State *L, int index, const char *who) {
  size_t n;
  if (lua_type(L, index) != LUA_TSTRING)
    cwl_raise(L, "%s: path%s expected, got %s", who,
              strcmp(who, "save") == 0 ? " or file" : "",
              luaL_typename(L, index));
  const char *path = lua_tolstring(L, index, &n);
  if (n == 0 || strlen(path) != n)
    cwl_raise(L, "%s: the path is empty or holds a NUL byte", who);
  return path;
}

/* Whether 'sum' is wanted: the one option there is. */
static bool check_options(lua_State *L, char *sum) {
  if (lua_isnoneornil(L, OPTIONS)) return false;
  if (!lua_istable(L, OPTIONS))
    cwl_raise(L, "save: options: table expected, got %s",
              luaL_typename(L, OPTIONS));
  lua_pushnil(L);
  while (lua_next(L, OPTIONS)) {
    lua_pop(L, 1);
    lua_pushvalue(L, -1);
    lua_pushliteral(L, "sha256");
    if (!lua_rawequal(L, -1, -2))
      cwl_raise(L, "save: unknown option '%s'", luaL_tolstring(L, -2, NULL));
    lua_pop(L, 2);
  }
  lua_getfield(L, OPTIONS, "sha256");
  return cwl_read_sha256(L, lua_gettop(L), sum);
}

int cwl_push_file(lua_State *L, const cw_file *f) {
  lua_createtable(L, 0, 4);
  if (f->path) {
    lua_pushvalue(L, TARGET);
    lua_setfield(L, -2, "path");
  }
  cwl_set_integer(L, "bytes", (int64_t)f->bytes);
  if (f->sum) cwl_set_string(L, "sha256", f->expected);
  return 1;
}

int cwl_fail_saving(lua_State *L, const cw_error *e) {
  cwl_box *b = lua_touserdata(L, RESPONSE);
  cw_exchange_fail(b->x, e->code, e->text);
  return cwl_fail_reading(L, b);
}

/* Others may have run since the last look. */
static bool handle_closed(lua_State *L, cw_error *e) {
  const luaL_Stream *stream = luaL_testudata(L, TARGET, LUA_FILEHANDLE);
  if (!stream || stream->closef) return false;
  cw_error_set(e, CW_ERR_FILE, CW_PHASE_BODY, "the file was closed meanwhile");
  return true;
}

/* Pipes ------------------------------------------------------------------- */

/* Waits for the reader of a FIFO. False: the deadline has passed; 'e' says
** so. */
static bool nap(lua_State *L, cwl_box *b, const cw_file *f, size_t written,
                const cwl_wish *wish, cw_error *e) {
  enum { SHORT_US = 1000, LONG_US = 10000 };
  if (cw_exchange_late(b->x)) {
    cw_error_set(e, CW_ERR_TIMEOUT, CW_PHASE_BODY,
                 "the FIFO %.96s was not read to the end before the deadline",
                 f->path);
    return false;
  }
  cwl_nap(L, b, wish, written > 0 ? SHORT_US : LONG_US);
  return true;
}

/* Bodies ------------------------------------------------------------------ */

/* Writes the bytes that have arrived. Sets '*n' to the number written. */
static bool write_held(lua_State *L, cw_file *f, cw_body *body, size_t *n,
                       cw_error *e) {
  const char *bytes = cw_body_peek(body, n);
  bool ok = !handle_closed(L, e) && cw_file_write(f, bytes, n, e);
  cw_body_drop(body, *n);
  return ok;
}

/* Waits for the body, or ends the wait for the reader of a FIFO. */
static cwl_outcome wait_for_more(lua_State *L, cwl_box *b, const cw_file *f,
                                 const cwl_wish *wish, bool again) {
  if (!f->blocked) return cwl_await(L, b, wish, again);
  cwl_woken(L, b);
  if (b->x->body.state != CW_BODY_FAILED) return CWL_FOUND;
  cwl_fail_reading(L, b);
  return CWL_FAILED;
}

/* The context is what is to be done then: a function does not move. */
static int save_k(lua_State *L, int status, lua_KContext context) {
  cwl_box *b = lua_touserdata(L, RESPONSE);
  cw_file *f = lua_touserdata(L, FILE_BOX);
  cw_error e = {.code = CW_OK};
  cwl_wish wish = {.want = CW_WANT_BYTES,
                   .cut = f->part,
                   .slot = SLOT,
                   .context = context,
                   .k = save_k};
  cwl_outcome outcome;
  bool again = status == LUA_YIELD;
  do {
    size_t n;
    wish.amount = b->x ? b->x->body.ahead : 0;
    outcome = wait_for_more(L, b, f, &wish, again);
    if (outcome == CWL_FAILED) return 2;
    if (!write_held(L, f, &b->x->body, &n, &e)) return cwl_fail_saving(L, &e);
    if (f->blocked && !nap(L, b, f, n, &wish, &e))
      return cwl_fail_saving(L, &e);
    again = false;
  } while (f->blocked || outcome == CWL_FOUND);
  return ((lua_CFunction)context)(L);
}

int cwl_save_body(lua_State *L, lua_CFunction done) {
  return save_k(L, LUA_OK, (lua_KContext)done);
}

static int saved(lua_State *L) {
  cw_file *f = lua_touserdata(L, FILE_BOX);
  cw_error e = {.code = CW_OK};
  return cw_file_finish(f, &e) ? cwl_push_file(L, f) : cwl_fail_saving(L, &e);
}

static int fail(lua_State *L, cwl_box *b, const cw_error *e) {
  luaL_pushfail(L);
  cwl_push_error(L, b->x, e);
  return 2;
}

/* A body that was read whole is kept, and can be saved as well. */
static int save_text_k(lua_State *L, int status, lua_KContext context) {
  enum { TEXT = SLOT + 1 };
  cwl_box *b = lua_touserdata(L, RESPONSE);
  cw_file *f = lua_touserdata(L, FILE_BOX);
  cw_error e = {.code = CW_OK};
  const cwl_wish wish = {.slot = SLOT, .k = save_text_k};
  size_t length;
  const char *text = lua_tolstring(L, TEXT, &length);
  (void)status, (void)context;
  do {
    if (f->blocked) cwl_woken(L, b);
    size_t n = length - (size_t)f->bytes;
    if (!cw_file_write(f, text + f->bytes, &n, &e)) return fail(L, b, &e);
    if (f->blocked && !nap(L, b, f, n, &wish, &e)) return fail(L, b, &e);
  } while (f->blocked);
  return cw_file_finish(f, &e) ? cwl_push_file(L, f) : fail(L, b, &e);
}

/* The box first, what it holds second; its slot removes what is not whole. */
static cw_file *push_file_box(lua_State *L) {
  cw_file *f = lua_newuserdatauv(L, sizeof *f, 0);
  cw_file_init(f);
  luaL_setmetatable(L, "curlew.file");
  cwl_finalize_late(L);
  lua_toclose(L, FILE_BOX);
  return f;
}

/* r:save(path | file, {sha256 =}) -> {path =, bytes =, sha256 =} | nil, err */
static int r_save(lua_State *L) {
  char sum[CW_CHECKSUM_TEXT];
  cw_error e = {.code = CW_OK};
  cwl_box *b = cwl_check_open(L);
  lua_settop(L, OPTIONS);
  bool summed = check_options(L, sum);
  lua_settop(L, OPTIONS);
  FILE *handle = check_handle(L);
  const char *path = handle ? NULL : cwl_check_path(L, TARGET, "save");
  cw_file *f = push_file_box(L);
  cwl_check_open(L); /* a finalizer may have run */
  if (handle) cw_file_borrow(f, handle);
  if (path && !cw_file_create(f, path, &e)) return fail(L, b, &e);
  if (summed && !cw_file_expect(f, sum, &e)) return fail(L, b, &e);
  lua_pushnil(L); /* the slot */
  if (cwl_push_kept(L, "text")) return save_text_k(L, LUA_OK, 0);
  return cwl_save_body(L, saved);
}

static const luaL_Reg methods[] = {{"save", r_save}, {NULL, NULL}};

static const luaL_Reg file_metamethods[] = {
  {"__close", file_drop}, {"__gc", file_drop}, {NULL, NULL}};

void cwl_open_save(lua_State *L, int state) {
  cwl_type(L, "curlew.file", file_metamethods, NULL, state);
  cwl_register(L, methods, state);
}
