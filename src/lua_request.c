/* lua_request: what was asked, as a Lua value. Knows Lua and request.
** SPDX-License-Identifier: MIT */
#include "lua_request.h"

#include <string.h>

#include "decoder.h"
#include "lua_box.h"
#include "lua_headers.h"
#include "pem.h"

/* What else is sent ------------------------------------------------------- */

/* Options that change what is sent, or to whom; for the eye, so no secrets. */
static const cw_option_id sent[] = {
  CW_OPT_DECODE,     CW_OPT_EXPECT,  CW_OPT_HTTP_VERSION,     CW_OPT_IP,
  CW_OPT_INTERFACE,  CW_OPT_PROXY,   CW_OPT_RESOLVE,          CW_OPT_TLS_CA,
  CW_OPT_TLS_CERT,   CW_OPT_TLS_KEY, CW_OPT_TLS_KEY_PASSWORD, CW_OPT_TLS_MAX,
  CW_OPT_TLS_MIN,    CW_OPT_TLS_PIN, CW_OPT_TLS_VERIFY,       CW_OPT_UNIX,
  CW_OPT_USER_AGENT,
};

/* Of these it is said that they are there. */
static const cw_option_id secret[] = {
  CW_OPT_AUTH_BASIC, CW_OPT_AUTH_BEARER,    CW_OPT_AUTH_DIGEST,
  CW_OPT_AUTH_NETRC, CW_OPT_SECRET_HEADERS,
};

/* A longer text is not held for the sake of showing it. */
enum { LONGEST_SHOWN = 1024 * 1024 };

/* The table 'group' of the table on top. */
static void push_group(lua_State *L, const char *group) {
  if (lua_getfield(L, -1, group) == LUA_TTABLE) return;
  lua_pop(L, 1);
  lua_newtable(L);
  lua_pushvalue(L, -1);
  lua_setfield(L, -3, group);
}

/* What is a secret, or as long as a bundle of certificates, is only said to be
** there. */
static bool told(const cw_option *row, const cw_value *value) {
  if (row == &cw_options[CW_OPT_TLS_KEY_PASSWORD]) return false;
  if (row->kind == CW_KIND_CA) return !cw_pem_is(value->text);
  return row->kind != CW_KIND_PEM;
}

/* Without its user and password; "" is none. */
static void push_proxy(lua_State *L, const char *url) {
  const char *host = strrchr(url, '@'), *scheme = strstr(url, "://");
  if (*url == '\0') {
    lua_pushboolean(L, false);
  } else if (host && scheme) {
    lua_pushlstring(L, url, (size_t)(scheme - url) + 3);
    lua_pushfstring(L, "%s***:***%s", lua_tostring(L, -1), host);
    lua_remove(L, -2);
  } else {
    lua_pushstring(L, url);
  }
}

static void push_lines(lua_State *L, const struct curl_slist *line) {
  lua_newtable(L);
  for (lua_Integer i = 1; line; line = line->next, i++) {
    lua_pushstring(L, line->data);
    lua_rawseti(L, -2, i);
  }
}

static void push_value(lua_State *L, const cw_request *r, const cw_option *row,
                       const cw_value *value) {
  if (!told(row, value))
    lua_pushboolean(L, true);
  else if (row->kind == CW_KIND_BOOLEAN)
    lua_pushboolean(L, value->number != 0);
  else if (row->kind == CW_KIND_CHOICE)
    lua_pushstring(L, row->choices[value->integer]);
  else if (row->kind == CW_KIND_IP)
    lua_pushinteger(L, (lua_Integer)value->number);
  else if (row->kind == CW_KIND_PROXY)
    push_proxy(L, value->text);
  else if (row->kind == CW_KIND_RESOLVE)
    push_lines(L, cw_settings_lines(&r->own, r->defaults, CW_OPT_RESOLVE));
  else
    lua_pushstring(L, value->text);
}

static void set_option(lua_State *L, const cw_request *r, const cw_option *row,
                       const cw_value *value) {
  if (row->group)
    push_group(L, row->group);
  else
    lua_pushvalue(L, -1);
  push_value(L, r, row, value);
  lua_setfield(L, -2, row->name);
  lua_pop(L, 1);
}

static void set_options(lua_State *L, const cw_request *r) {
  for (size_t i = 0; i < sizeof sent / sizeof *sent; i++) {
    const cw_value *value = cw_settings_find(&r->own, r->defaults, sent[i]);
    if (value) set_option(L, r, &cw_options[sent[i]], value);
  }
}

/* auth = "basic" */
static void set_auth(lua_State *L, const cw_request *r) {
  for (size_t i = 0; i < sizeof secret / sizeof *secret; i++) {
    const cw_option *row = &cw_options[secret[i]];
    const cw_value *value = cw_settings_find(&r->own, r->defaults, secret[i]);
    bool off = row->kind == CW_KIND_BOOLEAN && value && value->number == 0;
    if (row->group && value && !off) cwl_set_string(L, "auth", row->name);
  }
}

static const cw_value *find_fields(const cw_request *r) {
  return cw_settings_find(&r->own, r->defaults, CW_OPT_HEADERS);
}

static const cw_headers *fields_of(const cw_request *r) {
  const cw_value *fields = find_fields(r);
  return fields ? fields->list : NULL;
}

static bool removed(cw_text value) {
  return value.length == cw_field_removed.length &&
         *value.bytes == *cw_field_removed.bytes;
}

static bool has_removed(const cw_headers *h) {
  for (size_t i = 0; i < cw_headers_count(h); i++)
    if (removed(cw_headers_value(h, i))) return true;
  return false;
}

/* The names of the lines that only take a default away. */
static void push_removed(lua_State *L, const cw_headers *h) {
  int n = 0;
  lua_newtable(L);
  for (size_t i = 0; i < cw_headers_count(h); i++) {
    if (!removed(cw_headers_value(h, i))) continue;
    cw_text name = cw_headers_name(h, i);
    lua_pushlstring(L, name.bytes, name.length);
    lua_rawseti(L, -2, ++n);
  }
}

/* The names of header lines whose values are not to be told. */
static void push_secret_names(lua_State *L, const cw_request *r) {
  const cw_headers *h = fields_of(r);
  int n = 0;
  lua_newtable(L);
  for (size_t i = 0; i < cw_headers_count(h); i++) {
    cw_text name = cw_headers_name(h, i);
    if (!cw_settings_secret(&r->own, r->defaults, name)) continue;
    lua_pushlstring(L, name.bytes, name.length);
    lua_rawseti(L, -2, ++n);
  }
}

/* Pushes what was given as a body: text, path or parts; true for what cannot be
** told. Without anything given it is empty. */
static void push_body(lua_State *L, const cw_content *c) {
  if (!cwl_push_kept(L, "sent")) lua_pushliteral(L, "");
  bool told = lua_isstring(L, -1) || lua_istable(L, -1);
  bool long_text = c->kind == CW_CONTENT_TEXT && c->length > LONGEST_SHOWN;
  if (told && !long_text) return;
  lua_pop(L, 1);
  lua_pushboolean(L, true);
}

static void set_body(lua_State *L, const cw_request *r) {
  const cw_content *c = &r->content;
  if (c->kind == CW_CONTENT_NONE) return;
  push_body(L, c);
  if (c->kind == CW_CONTENT_PARTS)
    lua_setfield(L, -2, "multipart");
  else
    lua_setfield(L, -2, c->kind == CW_CONTENT_FILE ? "file" : "body");
  if (c->length >= 0) cwl_set_integer(L, "length", c->length);
  cwl_set_string(L, "content_type", cw_request_type(r));
}

static bool any(uint64_t said, const cw_option_id *ids, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (said & cw_option_bit(ids[i])) return true;
  return false;
}

/* Whether there is nothing to say that is not said by default. */
static bool plain(const cw_request *r) {
  uint64_t said = r->own.set | r->own.unset | r->defaults->set;
  return r->content.kind == CW_CONTENT_NONE &&
         !any(said, sent, sizeof sent / sizeof *sent) &&
         !any(said, secret, sizeof secret / sizeof *secret) &&
         !has_removed(fields_of(r)) && !cw_url_userinfo(r->url);
}

static void push_wire(lua_State *L, const cw_request *r) {
  lua_createtable(L, 0, 6);
  cwl_set_boolean(L, "userinfo", cw_url_userinfo(r->url));
  push_removed(L, fields_of(r));
  lua_setfield(L, -2, "removed");
  push_secret_names(L, r);
  lua_setfield(L, -2, "secrets");
  set_body(L, r);
  lua_newtable(L);
  set_options(L, r);
  set_auth(L, r);
  lua_setfield(L, -2, "options");
}

/* Keeps beside the request on top what is not in it: not for everybody who
** prints it, and not at all where there is nothing. */
static void keep_wire(lua_State *L, const cw_request *r) {
  if (plain(r)) return;
  lua_getiuservalue(L, CWL_STATE, CWL_WIRES);
  lua_pushvalue(L, -2);
  push_wire(L, r);
  lua_rawset(L, -3);
  lua_pop(L, 1);
}

/* wire(request) -> userinfo, removed, secrets, options and body of a request
** that is no plain one, in a table | nil */
static int m_wire(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  lua_getiuservalue(L, CWL_STATE, CWL_WIRES);
  lua_pushvalue(L, 1);
  lua_rawget(L, -2);
  return 1;
}

/* The request ------------------------------------------------------------- */

static void set_headers(lua_State *L, const cw_request *r) {
  const cw_value *fields = find_fields(r);
  cw_headers **lines = cwl_new_headers(L);
  if (fields) *lines = cw_fields_sent(fields->list);
  lua_setfield(L, -2, "headers");
}

void cwl_push_request(lua_State *L, const cw_request *r) {
  lua_createtable(L, 0, 3);
  cwl_set_string(L, "method", cw_request_method(r));
  cwl_set_string(L, "url", cw_url_show(r->url));
  set_headers(L, r);
  luaL_setmetatable(L, "curlew.request");
  keep_wire(L, r);
}

static const luaL_Reg functions[] = {{"wire", m_wire}, {NULL, NULL}};
static const luaL_Reg none[] = {{NULL, NULL}};

void cwl_open_request(lua_State *L, int state) {
  cwl_type(L, "curlew.request", none, none, state);
  cwl_register(L, functions, state);
  luaL_getmetatable(L, "curlew.request");
  lua_getfield(L, -1, "__index");
  lua_setfield(L, -3, "request_methods");
  lua_pop(L, 1);
  lua_pushliteral(L, CW_DECODER_ACCEPTED);
  lua_setfield(L, -2, "accepted");
}
