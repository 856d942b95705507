/* lua_tls: values of the options of TLS. Knows Lua and the engine.
** SPDX-License-Identifier: MIT */
#include "lua_tls.h"

#include <string.h>

#include "pem.h"
#include "tls.h"

/* One text --------------------------------------------------------------- */

/* A path has no control bytes; PEM text has line ends. */
static const char *text_fault(const char *text, size_t n) {
  if (n == 0) return "it is empty";
  if (strlen(text) != n) return "it holds a NUL byte";
  if (cw_pem_is(text)) return NULL;
  for (; *text; text++)
    if (((unsigned char)*text < ' ' && *text != '\t') || *text == 127)
      return "neither PEM text nor a path: it holds a control byte";
  return NULL;
}

/* CURLOPT_PINNEDPUBLICKEY takes anything else for the path of a file: what is
** no hash must not get there. 32 bytes are 43 digits of base64 and a "=". */
static bool is_pin(const char *text, size_t n) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrst"
                               "uvwxyz0123456789+/";
  enum { PREFIX = 8, DIGITS = 43 };
  return n == PREFIX + DIGITS + 1 && memcmp(text, "sha256//", PREFIX) == 0 &&
         strspn(text + PREFIX, digits) == DIGITS && text[n - 1] == '=';
}

static const char *pin_fault(const char *text, size_t n) {
  if (strlen(text) != n) return "it holds a NUL byte";
  for (size_t length = 0;; text += length + 1) {
    length = strcspn(text, ";");
    if (!is_pin(text, length))
      return "\"sha256//\" and 44 characters of base64 expected, of each key";
    if (!text[length]) return NULL;
  }
}

/* What it puts together --------------------------------------------------- */

/* The text is the settings' own from the beginning: reading a list may raise.
 */
static char **begin_text(cw_settings *s, cw_option_id id) {
  return cw_settings_text(s, id, "") ? &s->values[id].text : NULL;
}

static const char *add(lua_State *L, char **to, const char *given,
                       cw_pem what) {
  cw_error e = {.code = CW_OK};
  if (cw_pem_add(to, given, what, &e)) return NULL;
  return lua_pushstring(L, e.text);
}

static const char *add_ca(lua_State *L, char **to, const char *given) {
  if (strcmp(given, "system") != 0)
    return add(L, to, given, CW_PEM_CERTIFICATE);
  const char *system = cw_option_system_ca();
  if (!system) return "\"system\": there they are in a folder, not in a file";
  return add(L, to, system, CW_PEM_CERTIFICATE);
}

static const char *add_pin(lua_State *L, cw_settings *s, cw_option_id id,
                           const char *given) {
  const char *before = s->values[id].text;
  lua_pushfstring(L, "%s%s%s", before, *before ? ";" : "", given);
  bool ok = cw_settings_text(s, id, lua_tostring(L, -1));
  lua_pop(L, 1);
  return ok ? NULL : "not enough memory";
}

static const char *add_element(lua_State *L, cw_settings *s, cw_option_id id) {
  size_t n;
  bool pin = cw_options[id].kind == CW_KIND_PIN;
  if (lua_type(L, -1) != LUA_TSTRING) return "a list of strings expected";
  const char *given = lua_tolstring(L, -1, &n);
  const char *fault = pin ? pin_fault(given, n) : text_fault(given, n);
  if (fault) return fault;
  return pin ? add_pin(L, s, id, given) : add_ca(L, &s->values[id].text, given);
}

static const char *read_elements(lua_State *L, int value, lua_Integer n,
                                 cw_settings *s, cw_option_id id) {
  if (!begin_text(s, id)) return "not enough memory";
  for (lua_Integer i = 1; i <= n; i++) {
    lua_geti(L, value, i);
    const char *fault = add_element(L, s, id);
    if (fault) return lua_pushfstring(L, "[%I]: %s", i, fault);
    lua_pop(L, 1);
  }
  return NULL;
}

static const char *read_pem(lua_State *L, const char *given, cw_settings *s,
                            cw_option_id id) {
  char **to = begin_text(s, id);
  if (!to) return "not enough memory";
  return add(L, to, given,
             id == CW_OPT_TLS_KEY ? CW_PEM_KEY : CW_PEM_CERTIFICATE);
}

/* A path is kept: libcurl reads the file or the folder. */
static const char *read_ca(const char *text, cw_settings *s, cw_option_id id) {
  if (strcmp(text, "system") == 0) {
    cw_settings_unset(s, id);
    return NULL;
  }
  const char *fault = cw_pem_is(text) ? NULL : cw_pem_path_fault(text);
  if (fault) return fault;
  return cw_settings_text(s, id, text) ? NULL : "not enough memory";
}

static const char *read_one(lua_State *L, int value, cw_settings *s,
                            cw_option_id id) {
  size_t n;
  cw_kind kind = cw_options[id].kind;
  if (lua_type(L, value) != LUA_TSTRING) return "a list of strings expected";
  const char *text = lua_tolstring(L, value, &n);
  const char *fault =
    kind == CW_KIND_PIN ? pin_fault(text, n) : text_fault(text, n);
  if (fault) return fault;
  if (kind == CW_KIND_PEM) return read_pem(L, text, s, id);
  if (kind == CW_KIND_CA) return read_ca(text, s, id);
  return cw_settings_text(s, id, text) ? NULL : "not enough memory";
}

const char *cwl_read_tls(lua_State *L, int value, cw_settings *s,
                         cw_option_id id) {
  if (!lua_istable(L, value)) return read_one(L, value, s, id);
  lua_Integer n = cwl_list_length(L, value);
  if (n < 1) return "a list of strings expected";
  if (n > 1) return read_elements(L, value, n, s, id);
  lua_geti(L, value, 1);
  const char *fault = read_one(L, lua_gettop(L), s, id);
  if (!fault) lua_pop(L, 1);
  return fault;
}

/* All of them ------------------------------------------------------------- */

void cwl_check_tls(lua_State *L, const cw_settings *own,
                   const cw_settings *defaults) {
  const char *conflict = cw_tls_conflict(own, defaults);
  if (conflict) cwl_raise(L, "%s", conflict);
}

void cwl_tell_unverified(lua_State *L, cwl_state *s, const cw_exchange *x) {
  bool verifies = cw_settings_get(&x->request.own, x->request.defaults,
                                  CW_OPT_TLS_VERIFY) != 0;
  if (verifies || s->told_unverified) return;
  s->told_unverified = true;
  lua_pushfstring(L,
                  "curlew: tls = { verify = false } at %s:%d: whoever answers "
                  "is believed (said once)",
                  x->site.source, x->site.line);
  lua_warning(L, lua_tostring(L, -1), 0);
  lua_pop(L, 1);
}
