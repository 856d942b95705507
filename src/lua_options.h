/* lua_options: the one reader of options: walks the caller's table, looks each
** name up in the options table, checks the value by its kind. Knows Lua and
** option.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_LUA_OPTIONS_H
#define CURLEW_LUA_OPTIONS_H

#include "checksum.h"
#include "lua_core.h"

/* What the value of the option 'check' stands for. */
enum { CWL_CHECK_NONE, CWL_CHECK_STATUS, CWL_CHECK_FUNCTION };

typedef enum cwl_use {
  CWL_FOR_CLIENT,
  CWL_FOR_VERB,   /* get, head: method and url are given */
  CWL_FOR_REQUEST /* method and url stand in the table */
} cwl_use;

/* Reads the table at 'index' into 's', which is to go over 'defaults'. Raises,
** naming the option and what was expected, on anything that is not in the
** options table, not in range, contradicts another, or is none of a sealed
** client's requests. */
void cwl_options(lua_State *L, int index, cw_settings *s,
                 const cw_settings *defaults, cwl_use use);

/* Whether it can be a token of RFC 6750: visible, without blanks. */
bool cwl_is_token68(const char *text, size_t n);

/* Reads the option sha256 at 'value' into 'sum', CW_CHECKSUM_TEXT bytes, in
** small letters. False: nil or false. Raises as above. */
bool cwl_read_sha256(lua_State *L, int value, char *sum);

/* Pushes the options table as features().options shows it. */
void cwl_push_options(lua_State *L);

#endif
