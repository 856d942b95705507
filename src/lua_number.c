/* lua_number: numbers as text. Knows Lua and number.
** SPDX-License-Identifier: MIT */
#include "lua_number.h"

#include <math.h>
#include <string.h>

#include "number.h"

static void push_float(lua_State *L, double number) {
  char text[CW_NUMBER_TEXT];
  cw_number_print(number, text);
  lua_pushstring(L, text);
}

bool cwl_number_to_text(lua_State *L, int index) {
  int is_whole;
  lua_Integer whole = lua_tointegerx(L, index, &is_whole);
  double number = lua_tonumber(L, index);
  index = lua_absindex(L, index);
  if (!isfinite(number)) return false;
  if (is_whole)
    lua_pushfstring(L, "%I", (LUAI_UACINT)whole);
  else
    push_float(L, number);
  lua_replace(L, index);
  return true;
}

/* number_text(number) -> the number as text | nil: it is not finite */
static int m_number_text(lua_State *L) {
  luaL_checktype(L, 1, LUA_TNUMBER);
  lua_settop(L, 1);
  return cwl_number_to_text(L, 1) ? 1 : 0;
}

/* float_text(float) -> a finite float as text that reads back as a float:
** "2.0" */
static int m_float_text(lua_State *L) {
  char text[CW_NUMBER_TEXT];
  cw_number_print(luaL_checknumber(L, 1), text);
  bool shown = strpbrk(text, ".e") != NULL;
  lua_pushfstring(L, "%s%s", text, shown ? "" : ".0");
  return 1;
}

static const luaL_Reg functions[] = {
  {"number_text", m_number_text}, {"float_text", m_float_text}, {NULL, NULL}};

void cwl_open_number(lua_State *L, int state) {
  cwl_register(L, functions, state);
}
