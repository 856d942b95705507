/* lua_save: a body written to a file, without becoming a Lua string. Knows Lua
** and the engine.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_LUA_SAVE_H
#define CURLEW_LUA_SAVE_H

#include "file.h"
#include "lua_core.h"

/* Where a call that writes a body to a file has what on its stack. The file's
** box begins with a cw_file. */
enum {
  CWL_SAVE_RESPONSE = 1,
  CWL_SAVE_TARGET, /* path, or a file of io's */
  CWL_SAVE_OPTIONS,
  CWL_SAVE_FILE,
  CWL_SAVE_SLOT /* nil */
};

/* The path at 'index', of the call called 'who'; raises when it is none. */
const char *cwl_check_path(lua_State *L, int index, const char *who);

/* Writes what comes of the body until its end, as it comes, and then calls
** 'done', whose results it returns. Otherwise nil and the error. */
int cwl_save_body(lua_State *L, lua_CFunction done);

/* Pushes nil and 'e', which the body's later readers get as well: what has been
** taken of it is not all written. Returns 2. */
int cwl_fail_saving(lua_State *L, const cw_error *e);

/* Pushes what was written, and where. */
int cwl_push_file(lua_State *L, const cw_file *f);

/* Adds save to the table of methods on top. */
void cwl_open_save(lua_State *L, int state);

#endif
