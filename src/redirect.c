/* redirect: where a response leads. Knows request, response.
** SPDX-License-Identifier: MIT */
#include "redirect.h"

#include <string.h>

static const cw_text location_name = {"location", 8};

static cw_text location_of(const cw_response *r) {
  cw_text none = {"", 0};
  size_t i = cw_headers_find(r->headers, location_name, 0);
  if (i == cw_headers_count(r->headers)) return none;
  return cw_text_trim(cw_headers_value(r->headers, i));
}

bool cw_redirect_leads(const cw_response *from) {
  int status = from->status;
  return (status == 301 || status == 302 || status == 303 || status == 307 ||
          status == 308) &&
         location_of(from).length > 0;
}

static bool refuse(cw_error *e, const char *why) {
  cw_error_set(e, CW_ERR_REDIRECT, CW_PHASE_HEADERS, "%s", why);
  return false;
}

/* 303 is meant so; after 301 and 302 it is what everybody does with a POST
** (RFC 9110 sections 15.4.2 to 15.4.4). */
static bool becomes_get(int status, const char *method) {
  if (status == 303)
    return strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0;
  return (status == 301 || status == 302) && strcmp(method, "POST") == 0;
}

/* Two that differ lead nowhere that both sides agree on. */
static bool ambiguous(const cw_headers *h, cw_text first) {
  size_t i = cw_headers_find(h, location_name, 0), count = cw_headers_count(h);
  while ((i = cw_headers_find(h, location_name, i + 1)) < count) {
    cw_text other = cw_text_trim(cw_headers_value(h, i));
    if (other.length != first.length ||
        memcmp(other.bytes, first.bytes, first.length) != 0)
      return true;
  }
  return false;
}

static bool join(cw_redirect *to, const cw_url *base, cw_text location,
                 cw_error *e) {
  cw_error why = {.code = CW_OK};
  to->url = cw_url_follow(base, location.bytes, location.length, &why);
  if (to->url) return true;
  if (why.code == CW_ERR_MEMORY)
    cw_error_set(e, CW_ERR_MEMORY, CW_PHASE_HEADERS, "%s", why.text);
  else
    cw_error_set(e, CW_ERR_REDIRECT, CW_PHASE_HEADERS,
                 "its Location cannot be followed: %s", why.text);
  return false;
}

bool cw_redirect_find(cw_redirect *to, const cw_request *asked,
                      const cw_response *from, unsigned hops, cw_error *e) {
  unsigned most =
    (unsigned)cw_settings_get(&asked->own, asked->defaults, CW_OPT_REDIRECTS);
  cw_text location = location_of(from);
  if (hops >= most) {
    cw_error_set(e, CW_ERR_REDIRECT, CW_PHASE_HEADERS,
                 "more than %u redirects (option 'redirects')", most);
    return false;
  }
  if (ambiguous(from->headers, location))
    return refuse(e, "there are several Locations that differ");
  if (!join(to, asked->url, location, e)) return false;
  to->becomes_get = becomes_get(from->status, cw_request_method(asked));
  to->elsewhere = !cw_url_same_origin(asked->url, to->url);
  if (!asked->url->https || to->url->https) return true;
  cw_url_free(to->url);
  to->url = NULL;
  return refuse(e, "it leads from https to http");
}
