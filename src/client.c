/* client: defaults, and the transfers opened with them. Knows engine, settings.
** SPDX-License-Identifier: MIT */
#include "client.h"

#include <stdlib.h>

cw_client *cw_client_new(cw_engine *e, cw_settings *defaults) {
  cw_client *c = calloc(1, sizeof *c);
  if (!c) return NULL;
  c->refs = 1;
  c->engine = cw_engine_retain(e);
  c->defaults = cw_settings_retain(defaults);
  cw_list_init(&c->ring);
  return c;
}

cw_client *cw_client_retain(cw_client *c) {
  c->refs++;
  return c;
}

void cw_client_free(cw_client *c) {
  if (!c || --c->refs > 0) return;
  cw_url_free(c->last_url);
  cw_settings_free(c->defaults);
  cw_engine_free(c->engine);
  free(c);
}
