/* lua_options: the one reader of options. Knows Lua and settings.
** SPDX-License-Identifier: MIT */
#include "lua_options.h"

#include <math.h>
#include <string.h>

#include "lua_number.h"
#include "lua_tls.h"
#include "route.h"

/* Errors ------------------------------------------------------------------ */

static void push_name(lua_State *L, const cw_option *row) {
  if (row->group)
    lua_pushfstring(L, "%s.%s", row->group, row->name);
  else
    lua_pushstring(L, row->name);
}

/* "option 'timeout.connect': seconds expected, got string" */
static int expected(lua_State *L, const cw_option *row, int value) {
  push_name(L, row);
  return cwl_raise(L, "option '%s': %s expected, got %s", lua_tostring(L, -1),
                   cw_kind_name(row->kind), luaL_typename(L, value));
}

static int wrong(lua_State *L, const cw_option *row, const char *what) {
  push_name(L, row);
  return cwl_raise(L, "option '%s': %s", lua_tostring(L, -1), what);
}

static int unknown(lua_State *L, const char *group, const char *name) {
  const char *near = cw_option_near(group, name);
  const char *dot = group ? "." : "";
  if (!group) group = "";
  if (near)
    return cwl_raise(L, "unknown option '%s%s%s' (did you mean '%s%s%s'?)",
                     group, dot, name, group, dot, near);
  return cwl_raise(L, "unknown option '%s%s%s'", group, dot, name);
}

static int out_of_memory(lua_State *L) {
  return cwl_raise(L, "not enough memory");
}

/* Kinds ------------------------------------------------------------------- */

static bool visible(const char *text, size_t n) {
  for (size_t i = 0; i < n; i++) {
    unsigned char c = (unsigned char)text[i];
    if ((c < ' ' && c != '\t') || c == 127) return false;
  }
  return true;
}

bool cwl_is_token68(const char *text, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (text[i] <= ' ' || text[i] > '~') return false;
  return n > 0;
}

/* RFC 9110 section 5.6.2 */
static bool is_token(const char *text, size_t n) {
  static const char others[] = "!#$%&'*+-.^_`|~";
  for (size_t i = 0; i < n; i++) {
    char c = text[i];
    bool alphanumeric = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                        (c >= 'A' && c <= 'Z');
    if (!alphanumeric && (c == '\0' || !strchr(others, c))) return false;
  }
  return n > 0;
}

static const char *push_range(lua_State *L, const cw_option *row) {
  if (row->kind != CW_KIND_INTEGER)
    return lua_pushfstring(L, "%f to %f", row->min, row->max);
  return lua_pushfstring(L, "%I to %I", (lua_Integer)row->min,
                         (lua_Integer)row->max);
}

static void read_number(lua_State *L, int value, const cw_option *row,
                        cw_settings *s, cw_option_id id) {
  if (lua_type(L, value) != LUA_TNUMBER) expected(L, row, value);
  double number = lua_tonumber(L, value);
  bool whole = row->kind != CW_KIND_INTEGER || floor(number) == number;
  if (whole && number >= row->min && number <= row->max) {
    cw_settings_number(s, id, number);
    return;
  }
  push_name(L, row);
  const char *range = push_range(L, row);
  lua_pushfstring(L, "option '%s': %s from %s expected, got %f",
                  lua_tostring(L, -2), cw_kind_name(row->kind), range, number);
  if (row->kind == CW_KIND_SECONDS && number > row->max)
    lua_pushliteral(L, " (milliseconds?)");
  else
    lua_pushliteral(L, "");
  lua_concat(L, 2);
  cwl_raise(L, "%s", lua_tostring(L, -1));
}

static void check_length(lua_State *L, const cw_option *row, cw_option_id id,
                         size_t n) {
  enum { LONGEST_PATH = 107, LONGEST_INTERFACE = 254 };
  if (id == CW_OPT_UNIX && n > LONGEST_PATH) /* of a sockaddr_un */
    wrong(L, row, "the path is longer than 107 bytes");
  if (id == CW_OPT_INTERFACE && n > LONGEST_INTERFACE) /* libcurl's bindlocal */
    wrong(L, row, "the name is longer than 254 bytes");
}

static void read_text(lua_State *L, int value, const cw_option *row,
                      cw_settings *s, cw_option_id id) {
  size_t n;
  if (lua_type(L, value) != LUA_TSTRING) expected(L, row, value);
  const char *text = lua_tolstring(L, value, &n);
  if (n == 0) wrong(L, row, "it is empty");
  if (strlen(text) != n) wrong(L, row, "it holds a NUL byte");
  if ((row->kind == CW_KIND_TEXT || row->kind == CW_KIND_PROXY) &&
      !visible(text, n))
    wrong(L, row, "it holds a control byte");
  if (row->kind == CW_KIND_TOKEN && !is_token(text, n))
    wrong(L, row, "it is not a token (RFC 9110 section 5.6.2)");
  if (row->kind == CW_KIND_PROXY) {
    const char *fault = cw_route_proxy_fault(text); /* it may hold a password */
    if (fault) wrong(L, row, fault);
  }
  check_length(L, row, id, n);
  if (!cw_settings_text(s, id, text)) out_of_memory(L);
}

static void read_tls(lua_State *L, int value, const cw_option *row,
                     cw_settings *s, cw_option_id id) {
  bool list = lua_istable(L, value) && row->kind != CW_KIND_PEM;
  if (!list && lua_type(L, value) != LUA_TSTRING) expected(L, row, value);
  const char *fault = cwl_read_tls(L, value, s, id);
  if (fault) wrong(L, row, fault);
}

static void take_choice(lua_State *L, const cw_option *row, cw_settings *s,
                        cw_option_id id, int i) {
  const char *lacks = cw_option_lacks(id, i);
  if (!lacks) {
    cw_settings_integer(s, id, i);
    return;
  }
  push_name(L, row);
  cwl_raise(L, "option '%s': \"%s\" cannot be had, %s", lua_tostring(L, -1),
            row->choices[i], lacks);
}

static void read_choice(lua_State *L, int value, const cw_option *row,
                        cw_settings *s, cw_option_id id) {
  if (lua_type(L, value) != LUA_TSTRING) expected(L, row, value);
  size_t n;
  const char *text = lua_tolstring(L, value, &n);
  for (int i = 0; row->choices[i]; i++)
    if (strcmp(row->choices[i], text) == 0 && strlen(text) == n) {
      take_choice(L, row, s, id, i);
      return;
    }
  push_name(L, row);
  lua_pushfstring(L, "option '%s': one of", lua_tostring(L, -1));
  int count = 1;
  for (int i = 0; row->choices[i]; i++, count++)
    lua_pushfstring(L, " \"%s\"", row->choices[i]);
  lua_pushfstring(L, " expected, got \"%s\"", text);
  lua_concat(L, count + 1);
  cwl_raise(L, "%s", lua_tostring(L, -1));
}

static void read_ip(lua_State *L, int value, const cw_option *row,
                    cw_settings *s, cw_option_id id) {
  if (lua_type(L, value) != LUA_TNUMBER) expected(L, row, value);
  double version = lua_tonumber(L, value);
  if (version != 4 && version != 6) {
    push_name(L, row);
    const char *got = luaL_tolstring(L, value, NULL);
    cwl_raise(L, "option '%s': %s expected, got %s", lua_tostring(L, -2),
              cw_kind_name(row->kind), got);
  }
  cw_settings_number(s, id, version);
}

static void read_check(lua_State *L, int value, const cw_option *row,
                       cw_settings *s, cw_option_id id) {
  int check = CWL_CHECK_FUNCTION;
  if (lua_isboolean(L, value))
    check = lua_toboolean(L, value) ? CWL_CHECK_STATUS : CWL_CHECK_NONE;
  else if (!lua_isfunction(L, value))
    expected(L, row, value);
  cw_settings_number(s, id, check);
}

static bool is_open_file(lua_State *L, int value) {
  const luaL_Stream *stream = luaL_testudata(L, value, LUA_FILEHANDLE);
  return stream && stream->closef;
}

/* Functions, files and what is sent as a body are taken from the table by who
** opens the request (lua_hooks, lua_content); here they are only noted. */
static void note_value(lua_State *L, int value, const cw_option *row,
                       cw_settings *s, cw_option_id id) {
  bool text = lua_type(L, value) == LUA_TSTRING;
  bool good = text;
  if (row->kind == CW_KIND_BODY) good = text || lua_isfunction(L, value);
  if (row->kind == CW_KIND_FUNCTION) good = lua_isfunction(L, value);
  if (row->kind == CW_KIND_HANDLE) good = is_open_file(L, value);
  if (row->kind == CW_KIND_FILE)
    good = text || luaL_testudata(L, value, LUA_FILEHANDLE);
  if (row->kind == CW_KIND_PARTS) good = lua_istable(L, value);
  if (!good) expected(L, row, value);
  cw_settings_number(s, id, 1);
}

/* Element 'i' of the list at 'value', on top. */
static const char *element(lua_State *L, int value, const cw_option *row,
                           lua_Integer i, size_t *n) {
  lua_geti(L, value, i);
  if (lua_type(L, -1) != LUA_TSTRING) expected(L, row, lua_gettop(L));
  return lua_tolstring(L, -1, n);
}

static void read_pair(lua_State *L, int value, const cw_option *row,
                      cw_settings *s, cw_option_id id) {
  size_t users, words;
  if (cwl_list_length(L, value) != 2) expected(L, row, value);
  const char *user = element(L, value, row, 1, &users);
  const char *password = element(L, value, row, 2, &words);
  if (!visible(user, users) || !visible(password, words))
    wrong(L, row, "it holds a control byte");
  if (memchr(user, ':', users)) wrong(L, row, "the user holds a colon");
  const char *both = lua_pushfstring(L, "%s:%s", user, password);
  if (!cw_settings_text(s, id, both)) out_of_memory(L);
  lua_pop(L, 3);
}

/* A function is kept by who opens; it says the token when it is needed. */
static void read_token(lua_State *L, int value, const cw_option *row,
                       cw_settings *s, cw_option_id id) {
  if (lua_isfunction(L, value)) {
    if (!cw_settings_text(s, id, "")) out_of_memory(L);
    return;
  }
  size_t n;
  if (lua_type(L, value) != LUA_TSTRING) expected(L, row, value);
  const char *token = lua_tolstring(L, value, &n);
  if (!cwl_is_token68(token, n)) wrong(L, row, "it is not a token (RFC 6750)");
  if (!cw_settings_text(s, id, token)) out_of_memory(L);
}

static bool is_condition(lua_State *L, int value) {
  if (lua_isinteger(L, value)) {
    lua_Integer status = lua_tointeger(L, value);
    return status >= 100 && status <= 599;
  }
  if (lua_type(L, value) != LUA_TSTRING) return false;
  for (int code = CW_OK + 1; code < CW_ERR_COUNT; code++)
    if (strcmp(cw_code_name((cw_code)code), lua_tostring(L, value)) == 0)
      return true;
  return false;
}

static void read_conditions(lua_State *L, int value, const cw_option *row,
                            cw_settings *s, cw_option_id id) {
  luaL_Buffer list;
  lua_Integer n = cwl_list_length(L, value);
  if (n < 0) expected(L, row, value);
  luaL_buffinit(L, &list);
  luaL_addchar(&list, ',');
  for (lua_Integer i = 1; i <= n; i++) {
    lua_geti(L, value, i);
    if (!is_condition(L, lua_gettop(L)))
      wrong(L, row, "statuses (503) and error codes (\"timeout\") expected");
    luaL_addvalue(&list);
    luaL_addchar(&list, ',');
  }
  luaL_pushresult(&list);
  if (!cw_settings_text(s, id, lua_tostring(L, -1))) out_of_memory(L);
  lua_pop(L, 1);
}

static void read_names(lua_State *L, int value, const cw_option *row,
                       cw_settings *s, cw_option_id id) {
  static const cw_text empty = {"", 0};
  lua_Integer n = cwl_list_length(L, value);
  if (n < 0) expected(L, row, value);
  cw_headers *list = cw_headers_new();
  if (!list) out_of_memory(L);
  cw_settings_fields(s, id, list); /* freed with them, whatever raises */
  for (lua_Integer i = 1; i <= n; i++) {
    cw_text name;
    name.bytes = element(L, value, row, i, &name.length);
    if (!is_token(name.bytes, name.length))
      wrong(L, row, "a name is not a token (RFC 9110 section 5.6.2)");
    if (!cw_headers_add(list, name, empty)) out_of_memory(L);
    lua_pop(L, 1);
  }
  if (n == 0) wrong(L, row, "a list of names expected, it is empty");
}

/* Header lines ------------------------------------------------------------ */

static int bad_header(lua_State *L, const char *name, const char *what) {
  return cwl_raise(L, "option 'headers': field '%s': %s", name, what);
}

/* These say where a message ends and whose it is: two opinions about them are
** request smuggling (RFC 9112 section 11.2). */
static bool owned(cw_text name) {
  return cw_text_is(name, "content-length") ||
         cw_text_is(name, "transfer-encoding") || cw_text_is(name, "host");
}

static cw_text field_name(lua_State *L, int at) {
  cw_text name;
  if (lua_type(L, at) != LUA_TSTRING)
    cwl_raise(L, "option 'headers': a field's name is a string, got %s",
              luaL_typename(L, at));
  name.bytes = lua_tolstring(L, at, &name.length);
  if (!is_token(name.bytes, name.length))
    bad_header(L, name.bytes, "its name is not a token (RFC 9110 5.6.2)");
  if (owned(name)) bad_header(L, name.bytes, "curlew sets it itself");
  return name;
}

/* The value at the top: string or number, or false, which takes a default
** away. Converts a number in place. */
static cw_text field_value(lua_State *L, cw_text name) {
  cw_text value;
  if (lua_isboolean(L, -1) && !lua_toboolean(L, -1)) return cw_field_removed;
  if (!lua_isstring(L, -1))
    bad_header(L, name.bytes, "string, number, false or a list expected");
  if (lua_type(L, -1) == LUA_TNUMBER && !cwl_number_to_text(L, -1))
    bad_header(L, name.bytes, "a finite number expected");
  value.bytes = lua_tolstring(L, -1, &value.length);
  if (!visible(value.bytes, value.length))
    bad_header(L, name.bytes, "its value holds a control byte");
  return value;
}

static void add_value(lua_State *L, cw_headers *list, cw_text name) {
  if (!cw_headers_add(list, name, field_value(L, name)))
    bad_header(L, name.bytes, "out of memory, or over 256 KiB in all");
}

/* The value at the top may be a list of values. */
static void add_values(lua_State *L, cw_headers *list, cw_text name) {
  if (!lua_istable(L, -1)) {
    add_value(L, list, name);
    return;
  }
  lua_Integer n = cwl_list_length(L, -1);
  if (n < 0) bad_header(L, name.bytes, "its values are no list");
  if (n == 0) bad_header(L, name.bytes, "its list of values is empty");
  for (lua_Integer i = 1; i <= n; i++) {
    lua_geti(L, -1, i);
    add_value(L, list, name);
    lua_pop(L, 1);
  }
}

/* One entry of the table: name = value(s), or [i] = {name, value}; its key and
** value are on top. */
static void read_field(lua_State *L, cw_headers *list) {
  if (lua_type(L, -2) == LUA_TSTRING) {
    add_values(L, list, field_name(L, lua_gettop(L) - 1));
    return;
  }
  if (cwl_list_length(L, -1) != 2)
    cwl_raise(L, "option 'headers': {name, value} expected in a list");
  lua_geti(L, -1, 1);
  cw_text name = field_name(L, lua_gettop(L));
  lua_geti(L, -2, 2);
  add_values(L, list, name);
  lua_pop(L, 2);
}

/* The list is put into the settings first, so that it is freed with them
** whatever raises. Entries of the list part come first and in order, the others
** after it. */
static void read_fields(lua_State *L, int value, const cw_option *row,
                        cw_settings *s, cw_option_id id) {
  (void)id; /* there is one of the kind */
  if (!lua_istable(L, value)) expected(L, row, value);
  cw_headers *list = cw_headers_new();
  if (!list) out_of_memory(L);
  cw_settings_fields(s, CW_OPT_HEADERS, list);
  lua_Integer n = luaL_len(L, value);
  for (lua_Integer i = 1; i <= n; i++) {
    lua_pushinteger(L, i);
    lua_geti(L, value, i);
    read_field(L, list);
    lua_pop(L, 2);
  }
  lua_pushnil(L);
  while (lua_next(L, value)) {
    bool listed = lua_isinteger(L, -2) && lua_tointeger(L, -2) >= 1 &&
                  lua_tointeger(L, -2) <= n;
    if (!listed && lua_type(L, -2) != LUA_TSTRING)
      cwl_raise(L, "option 'headers': a field's name is a string, got %s",
                luaL_tolstring(L, -2, NULL));
    if (!listed) read_field(L, list);
    lua_pop(L, 1);
  }
}

/* Addresses --------------------------------------------------------------- */

static int bad_address(lua_State *L, const char *host, const char *what) {
  return cwl_raise(L, "option 'resolve': '%s': %s", host, what);
}

/* One entry of the table; its key and value are on top. */
static void read_address(lua_State *L, cw_headers *list) {
  char host[CW_ROUTE_TEXT], address[CW_ROUTE_TEXT];
  cw_text from, to = cw_field_removed;
  if (lua_type(L, -2) != LUA_TSTRING)
    cwl_raise(L, "option 'resolve': a host expected, got a %s",
              luaL_typename(L, -2));
  from.bytes = lua_tolstring(L, -2, &from.length);
  const char *fault = visible(from.bytes, from.length)
                        ? cw_route_host(from, host)
                        : "it holds a control byte";
  if (fault) bad_address(L, from.bytes, fault);
  if (!lua_isboolean(L, -1) || lua_toboolean(L, -1)) {
    if (lua_type(L, -1) != LUA_TSTRING)
      bad_address(L, from.bytes, "an address expected, or false");
    to.bytes = lua_tolstring(L, -1, &to.length);
    fault = cw_route_address(to, address);
    if (fault) bad_address(L, from.bytes, fault);
    to = (cw_text){address, strlen(address)};
  }
  if (!cw_headers_add(list, (cw_text){host, strlen(host)}, to))
    bad_address(L, from.bytes, "out of memory, or over 256 KiB in all");
}

/* The list is put into the settings first, as that of header lines is. */
static void read_resolve(lua_State *L, int value, const cw_option *row,
                         cw_settings *s, cw_option_id id) {
  if (!lua_istable(L, value)) expected(L, row, value);
  cw_headers *list = cw_headers_new();
  if (!list) out_of_memory(L);
  cw_settings_fields(s, id, list);
  lua_pushnil(L);
  while (lua_next(L, value)) {
    read_address(L, list);
    lua_pop(L, 1);
  }
}

/* One option -------------------------------------------------------------- */

static void read_boolean(lua_State *L, int value, const cw_option *row,
                         cw_settings *s, cw_option_id id) {
  if (!lua_isboolean(L, value)) expected(L, row, value);
  cw_settings_number(s, id, lua_toboolean(L, value));
}

/* It is in the url by now, if it was one. */
static void read_query(lua_State *L, int value, const cw_option *row,
                       cw_settings *s, cw_option_id id) {
  (void)s, (void)id;
  if (!lua_istable(L, value)) expected(L, row, value);
}

typedef void reader(lua_State *L, int value, const cw_option *row,
                    cw_settings *s, cw_option_id id);

static reader *const readers[CW_KIND_COUNT] = {
  [CW_KIND_BODY] = note_value,     [CW_KIND_BOOLEAN] = read_boolean,
  [CW_KIND_CA] = read_tls,         [CW_KIND_CHECK] = read_check,
  [CW_KIND_CHOICE] = read_choice,  [CW_KIND_CONDITIONS] = read_conditions,
  [CW_KIND_FIELDS] = read_fields,  [CW_KIND_FILE] = note_value,
  [CW_KIND_FUNCTION] = note_value, [CW_KIND_HANDLE] = note_value,
  [CW_KIND_INTEGER] = read_number, [CW_KIND_IP] = read_ip,
  [CW_KIND_NAMES] = read_names,    [CW_KIND_PAIR] = read_pair,
  [CW_KIND_PARTS] = note_value,    [CW_KIND_PEM] = read_tls,
  [CW_KIND_PIN] = read_tls,        [CW_KIND_PROXY] = read_text,
  [CW_KIND_QUERY] = read_query,    [CW_KIND_RESOLVE] = read_resolve,
  [CW_KIND_SECONDS] = read_number, [CW_KIND_SHA256] = read_text,
  [CW_KIND_TEXT] = read_text,      [CW_KIND_TOKEN] = read_text,
  [CW_KIND_TOKEN68] = read_token,  [CW_KIND_VALUE] = note_value,
};

static void read_value(lua_State *L, int value, cw_settings *s,
                       cw_option_id id) {
  const cw_option *row = &cw_options[id];
  bool is_false = lua_isboolean(L, value) && !lua_toboolean(L, value);
  if (is_false && row->kind == CW_KIND_PROXY) {
    if (!cw_settings_text(s, id, "")) out_of_memory(L);
  } else if (is_false && row->kind != CW_KIND_BOOLEAN &&
             row->kind != CW_KIND_CHECK) {
    cw_settings_unset(s, id);
  } else {
    readers[row->kind](L, value, row, s, id);
  }
}

/* A scalar for a group: false for all its members, a number for those that it
** is a shorthand for. */
static void read_scalar(lua_State *L, const char *group, int value,
                        cw_settings *s) {
  bool is_false = lua_isboolean(L, value) && !lua_toboolean(L, value);
  bool is_number = lua_type(L, value) == LUA_TNUMBER;
  bool taken = false;
  const char *scalar = NULL;
  for (int id = 0; id < CW_OPTION_COUNT; id++) {
    const cw_option *row = &cw_options[id];
    if (!row->group || strcmp(row->group, group) != 0) continue;
    if (is_false)
      cw_settings_unset(s, (cw_option_id)id);
    else if (row->scalar && is_number)
      read_value(L, value, s, (cw_option_id)id);
    taken |= is_false || (row->scalar && is_number);
    if (row->scalar) scalar = cw_kind_name(row->kind);
  }
  if (!taken)
    cwl_raise(L, "option '%s': table%s%s expected, got %s", group,
              scalar ? " or " : "", scalar ? scalar : "",
              luaL_typename(L, value));
}

/* The name at 'index'; one with a NUL in it is none. */
static const char *name_at(lua_State *L, int index) {
  size_t n;
  const char *name = lua_tolstring(L, index, &n);
  if (strlen(name) != n) cwl_raise(L, "unknown option '%s\\0...'", name);
  return name;
}

/* Of some groups one member is given at most: it takes the others away. */
static void settle_group(lua_State *L, const char *group, cw_settings *s,
                         uint64_t given) {
  bool taken = false;
  for (int i = 0; i < CW_OPTION_COUNT; i++) {
    cw_option_id id = (cw_option_id)i;
    const cw_option *row = &cw_options[i];
    if (!row->exclusive || strcmp(row->group, group) != 0) continue;
    bool mine = given & cw_option_bit(id);
    if (mine && taken)
      cwl_raise(L, "option '%s': one of its members expected", group);
    taken |= mine;
    if (!mine) cw_settings_unset(s, id);
  }
}

static void read_group(lua_State *L, const char *group, int value,
                       cw_settings *s) {
  if (!lua_istable(L, value)) {
    read_scalar(L, group, value, s);
    return;
  }
  uint64_t given = 0;
  bool empty = true;
  lua_pushnil(L);
  while (lua_next(L, value)) {
    if (lua_type(L, -2) != LUA_TSTRING)
      cwl_raise(L, "option '%s': names expected in its table, got a %s", group,
                luaL_typename(L, -2));
    const char *name = name_at(L, -2);
    cw_option_id id = cw_option_find(group, name);
    if (id == CW_OPTION_COUNT) unknown(L, group, name);
    read_value(L, lua_gettop(L), s, id);
    given |= s->set & cw_option_bit(id);
    lua_pop(L, 1);
    empty = false;
  }
  settle_group(L, group, s, given);
  if (empty) cwl_raise(L, "option '%s': the table is empty", group);
}

/* A file's name is as good as its content to whoever may choose it. */
static void check_sealed_parts(lua_State *L, int value) {
  if (!lua_istable(L, value)) return;
  lua_Integer n = luaL_len(L, value);
  for (lua_Integer i = 1; i <= n; i++) {
    if (lua_geti(L, value, i) == LUA_TTABLE &&
        lua_getfield(L, -1, "file") != LUA_TNIL)
      cwl_raise(L, "the client is sealed: option 'multipart' cannot have a "
                   "part with 'file'");
    lua_settop(L, value);
  }
}

/* Of a sealed client little may be changed, and that it is sealed is not of
** that. */
static void check_seal(lua_State *L, cw_option_id id, const char *name,
                       int value) {
  if (id == CW_OPT_SEALED && lua_isboolean(L, value) && lua_toboolean(L, value))
    return;
  if (id == CW_OPTION_COUNT || !cw_options[id].unsealed)
    cwl_raise(L, "the client is sealed: option '%s' cannot be set any more",
              name);
  if (id == CW_OPT_MULTIPART) check_sealed_parts(L, value);
}

/* Whether the option may be given here at all. */
static void check_use(lua_State *L, cw_option_id id, cwl_use use) {
  const cw_option *row = &cw_options[id];
  if (row->requests_only && use == CWL_FOR_CLIENT)
    cwl_raise(L, "option '%s' belongs to a request, not to a client",
              row->name);
  if (row->clients_only && use != CWL_FOR_CLIENT)
    cwl_raise(L, "option '%s' belongs to a client, not to a request",
              row->name);
  if (id == CW_OPT_METHOD && use == CWL_FOR_VERB)
    cwl_raise(L, "option 'method' belongs to http.request and http.fetch");
  if (id == CW_OPT_URL) cwl_raise(L, "option 'url': the url is given twice");
  if (id == CW_OPT_SHA256)
    cwl_raise(L, "option 'sha256' belongs to http.download and r:save");
}

/* The option whose name and value are on top. */
static void read_option(lua_State *L, cw_settings *s, bool sealed,
                        cwl_use use) {
  if (lua_type(L, -2) != LUA_TSTRING)
    cwl_raise(L, "options: a name expected, got a %s (%s)",
              luaL_typename(L, -2), luaL_tolstring(L, -2, NULL));
  const char *name = name_at(L, -2);
  int value = lua_gettop(L);
  cw_option_id id = cw_option_find(NULL, name);
  bool known = id != CW_OPTION_COUNT || cw_option_group(name);
  if (sealed && known) check_seal(L, id, name, value);
  if (id == CW_OPTION_COUNT && known) {
    read_group(L, name, value, s);
    return;
  }
  if (id == CW_OPTION_COUNT) {
    unknown(L, NULL, name);
    return;
  }
  check_use(L, id, use);
  read_value(L, value, s, id);
}

void cwl_options(lua_State *L, int index, cw_settings *s,
                 const cw_settings *defaults, cwl_use use) {
  bool sealed = cw_settings_get(defaults, defaults, CW_OPT_SEALED) != 0;
  luaL_checkstack(L, 12, "options");
  lua_pushnil(L);
  while (lua_next(L, index)) {
    read_option(L, s, sealed, use);
    lua_pop(L, 1);
  }
  cwl_check_tls(L, s, defaults);
  const char *conflict = cw_settings_conflict(s, defaults);
  if (conflict) cwl_raise(L, "%s", conflict);
}

bool cwl_read_sha256(lua_State *L, int value, char *sum) {
  const cw_option *row = &cw_options[CW_OPT_SHA256];
  if (lua_isnoneornil(L, value)) return false;
  if (lua_isboolean(L, value) && !lua_toboolean(L, value)) return false;
  if (lua_type(L, value) != LUA_TSTRING) expected(L, row, value);
  size_t n;
  const char *text = lua_tolstring(L, value, &n);
  for (size_t i = 0; n == CW_CHECKSUM_DIGITS && i < n; i++) {
    bool letter = text[i] >= 'A' && text[i] <= 'F';
    sum[i] = (char)(text[i] + (letter ? 'a' - 'A' : 0));
    if (!sum[i] || !strchr("0123456789abcdef", sum[i])) n = 0;
  }
  if (n != CW_CHECKSUM_DIGITS) wrong(L, row, "64 hexadecimal digits expected");
  sum[n] = '\0';
  return true;
}

/* As data for others ------------------------------------------------------ */

static void push_choices(lua_State *L, const cw_option *row) {
  lua_newtable(L);
  for (int i = 0; row->choices[i]; i++) {
    lua_pushstring(L, row->choices[i]);
    lua_rawseti(L, -2, i + 1);
  }
  lua_setfield(L, -2, "choices");
}

static void push_row(lua_State *L, const cw_option *row) {
  lua_createtable(L, 0, 12);
  cwl_set_string(L, "name", row->name);
  if (row->group) cwl_set_string(L, "group", row->group);
  cwl_set_string(L, "kind", cw_kind_name(row->kind));
  if (row->max > 0) cwl_set_number(L, "min", row->min);
  if (row->max > 0) cwl_set_number(L, "max", row->max);
  if (row->choices) push_choices(L, row);
  if (row->standard) cwl_set_string(L, "default", row->standard);
  const char *libcurl = cw_option_libcurl(row);
  if (libcurl) cwl_set_string(L, "libcurl", libcurl);
  cwl_set_boolean(L, "requests_only", row->requests_only);
  cwl_set_boolean(L, "clients_only", row->clients_only);
  cwl_set_boolean(L, "unsealed", row->unsealed);
  cwl_set_string(L, "doc", row->doc);
}

void cwl_push_options(lua_State *L) {
  lua_createtable(L, CW_OPTION_COUNT, 0);
  for (int id = 0; id < CW_OPTION_COUNT; id++) {
    push_row(L, &cw_options[id]);
    lua_rawseti(L, -2, id + 1);
  }
}
