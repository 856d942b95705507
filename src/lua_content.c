/* lua_content: what a request sends. Knows Lua and content.
** SPDX-License-Identifier: MIT */
#include "lua_content.h"

#include <string.h>

#include "lua_box.h"

/* The options of which one at most is given. */
static const cw_option_id bodies[] = {CW_OPT_BODY, CW_OPT_FILE, CW_OPT_FORM,
                                      CW_OPT_JSON, CW_OPT_MULTIPART};

static bool said(const cw_exchange *x, cw_option_id id) {
  return x->request.own.set & cw_option_bit(id);
}

/* The one that is given; CW_OPTION_COUNT: none. */
static cw_option_id which_body(lua_State *L, const cw_exchange *x) {
  cw_option_id found = CW_OPTION_COUNT;
  for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
    if (!said(x, bodies[i])) continue;
    if (found != CW_OPTION_COUNT)
      cwl_raise(L, "options '%s' and '%s': a request has one body",
                cw_options[found].name, cw_options[bodies[i]].name);
    found = bodies[i];
  }
  return found;
}

/* The value on top, a path or a handle, is taken. */
static bool take_file(lua_State *L, cw_content *c) {
  luaL_Stream *stream = luaL_testudata(L, -1, LUA_FILEHANDLE);
  bool ok;
  if (stream && !stream->closef) cwl_raise(L, "option 'file': it is closed");
  if (stream) {
    ok = cw_content_stream(c, stream->f);
  } else {
    size_t n;
    const char *path = lua_tolstring(L, -1, &n);
    if (n == 0 || strlen(path) != n)
      cwl_raise(L, "option 'file': the path is empty or holds a NUL byte");
    ok = cw_content_file(c, path);
  }
  lua_pop(L, 1);
  return ok;
}

/* Of the table that is kept as "content": what a request without parts sends;
** a part's is at its number, from 1. */
enum { WHOLE = 0 };

/* The value on top, a string that is lent or a function that is to be called,
** is kept in the table at 'kept' until the response goes. */
static void take_text(lua_State *L, int kept, lua_Integer at, cw_content *c,
                      int64_t length) {
  size_t n;
  if (lua_isfunction(L, -1)) {
    cw_content_pieces(c, length);
  } else {
    const char *bytes = lua_tolstring(L, -1, &n);
    cw_content_text(c, bytes, n);
  }
  lua_rawseti(L, kept, at);
}

static const char *text_field(lua_State *L, const char *name) {
  lua_getfield(L, -1, name);
  const char *text =
    lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
  lua_pop(L, 1); /* the table has it */
  return text;
}

/* The part on top, whose form has been checked by the words. */
static bool take_part(lua_State *L, int kept, lua_Integer at, cw_content *c) {
  cw_form_part *part = cw_content_part(
    c, text_field(L, "name"), text_field(L, "filename"), text_field(L, "type"));
  if (!part) cwl_raise(L, "not enough memory");
  if (lua_getfield(L, -1, "file") != LUA_TNIL)
    return take_file(L, &part->content);
  lua_pop(L, 1);
  if (lua_geti(L, -1, 1) == LUA_TNIL) {
    lua_pop(L, 1);
    lua_getfield(L, -1, "body");
  }
  if (!lua_tostring(L, -1) && !lua_isfunction(L, -1)) /* a number as text */
    cwl_raise(L, "option 'multipart': a part has no content");
  take_text(L, kept, at, &part->content, -1);
  return true;
}

/* The list on top. */
static bool take_parts(lua_State *L, int kept, cw_content *c) {
  bool ok = true;
  lua_Integer n = luaL_len(L, -1);
  for (lua_Integer i = 1; i <= n && ok; i++) {
    lua_geti(L, -1, i);
    ok = take_part(L, kept, i, c);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return ok;
}

static int64_t declared(lua_State *L, const cw_exchange *x, bool pieces) {
  if (!said(x, CW_OPT_LENGTH)) return -1;
  if (!pieces) cwl_raise(L, "option 'length' goes with a function as body");
  return (int64_t)x->request.own.values[CW_OPT_LENGTH].number;
}

bool cwl_read_content(lua_State *L, cw_exchange *x, int options) {
  cw_content *c = &x->request.content;
  cw_option_id id = which_body(L, x);
  if (id == CW_OPTION_COUNT) {
    declared(L, x, false);
    return true;
  }
  if (strcmp(cw_request_method(&x->request), "HEAD") == 0)
    cwl_raise(L, "option '%s': a HEAD request has no body",
              cw_options[id].name);
  lua_newtable(L);
  int kept = lua_gettop(L);
  cwl_keep(L, "content");
  bool ok = true;
  bool pieces = lua_getfield(L, options, cw_options[id].name) == LUA_TFUNCTION;
  cwl_keep(L, "sent"); /* to be told by r.request:curl() */
  int64_t length = declared(L, x, pieces);
  if (id == CW_OPT_FILE)
    ok = take_file(L, c);
  else if (id == CW_OPT_MULTIPART)
    ok = take_parts(L, kept, c);
  else
    take_text(L, kept, WHOLE, c, length);
  lua_settop(L, kept - 1);
  return ok;
}

/* Pieces ------------------------------------------------------------------ */

bool cwl_push_producer(lua_State *L, cw_exchange *x) {
  size_t part;
  cw_content *c = cw_exchange_hungry(x, &part);
  if (!c) return false;
  c->begun = c->asked = true;
  cwl_push_kept(L, "content");
  lua_rawgeti(L, -1, c == &x->request.content ? WHOLE : (lua_Integer)part + 1);
  lua_remove(L, -2);
  return true;
}

/* nil, or nil and why it gives up. */
static bool take_end(lua_State *L, cw_exchange *x, cw_content *c) {
  if (!lua_isnil(L, -1)) {
    cw_error_set(&x->error, CW_ERR_CANCELLED, CW_PHASE_SEND,
                 "the body's function gave up: %s",
                 luaL_tolstring(L, -1, NULL));
    lua_pop(L, 1);
    return false;
  }
  return cw_content_end(c);
}

/* The piece is lent: it is kept until the next one comes. */
static bool take_string(lua_State *L, cw_content *c) {
  size_t n;
  const char *bytes = lua_tolstring(L, -2, &n);
  if (!cw_content_takes(c, n)) return false;
  lua_pushvalue(L, -2);
  cwl_keep(L, "piece");
  lua_pop(L, 1);
  cw_content_give(c, bytes, n);
  return true;
}

/* Takes what the function said; false: the error is set. */
static bool take(lua_State *L, cw_exchange *x, cw_content *c) {
  if (lua_isnil(L, -2)) return take_end(L, x, c);
  return lua_rawlen(L, -2) == 0 || take_string(L, c);
}

bool cwl_take_piece(lua_State *L, cw_exchange *x) {
  size_t part;
  cw_content *c = cw_exchange_hungry(x, &part);
  x->request.content.asked = false;
  if (!lua_isnil(L, -2) && lua_type(L, -2) != LUA_TSTRING) {
    lua_pushfstring(L,
                    "the body's function returned a %s; string or nil "
                    "expected",
                    luaL_typename(L, -2));
    return false;
  }
  bool empty = !lua_isnil(L, -2) && lua_rawlen(L, -2) == 0;
  bool ok = !c || take(L, x, c);
  lua_pop(L, 2);
  if (!ok) cw_exchange_abort(x);
  if (!ok || !c) return true;
  if (empty) cw_exchange_nap(x);
  /* out it goes before the function is called again: that may take its time,
  ** or wait for what comes of this piece */
  if (!empty && !cw_content_complete(c)) cw_exchange_fed(x, c);
  return true;
}
