/* lua_download: the parts of files for the words of download. Knows Lua and the
** engine.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_LUA_DOWNLOAD_H
#define CURLEW_LUA_DOWNLOAD_H

#include "lua_core.h"

/* Adds part, part_ask, part_forget and part_take to the table on top. */
void cwl_open_download(lua_State *L, int state);

#endif
