/* body: where a response's bytes come from. Knows buf, error.
** SPDX-License-Identifier: MIT */
#include "body.h"

#include <inttypes.h>

void cw_body_init(cw_body *b, uint64_t most, cw_error *error) {
  *b = (cw_body){.most = most, .error = error};
  cw_buf_init(&b->bytes, CW_BODY_AHEAD);
}

void cw_body_clear(cw_body *b) { cw_buf_clear(&b->bytes); }

static bool too_large(cw_body *b, uint64_t most) {
  cw_error_set(b->error, CW_ERR_TOO_LARGE, CW_PHASE_BODY,
               "the body is over max_body, %" PRIu64 " bytes", most);
  return false;
}

static bool out_of_memory(cw_body *b) {
  cw_error_set(b->error, CW_ERR_MEMORY, CW_PHASE_BODY,
               "out of memory for the body");
  return false;
}

bool cw_body_put(cw_body *b, const char *bytes, size_t n) {
  b->came += n;
  if (b->came > b->most) return too_large(b, b->most);
  if (!cw_body_fits(b, n)) return too_large(b, b->bytes.limit);
  return cw_buf_append(&b->bytes, bytes, n) || out_of_memory(b);
}

void cw_body_end(cw_body *b) {
  if (b->state != CW_BODY_COMING) return;
  b->state = b->error->code == CW_OK ? CW_BODY_ENDED : CW_BODY_FAILED;
  b->paused = false;
}

void cw_body_close(cw_body *b) {
  cw_buf_clear(&b->bytes);
  b->state = CW_BODY_CLOSED;
  b->paused = false;
}

/* One more of libcurl's pieces than wanted must fit, or a piece that does not
** would be waiting for the reader, and the reader for it. */
void cw_body_want(cw_body *b, size_t n) {
  b->wanted = n;
  size_t limit = n + CURL_MAX_WRITE_SIZE;
  b->bytes.limit = limit > CW_BODY_AHEAD ? limit : CW_BODY_AHEAD;
}

bool cw_body_want_whole(cw_body *b, uint64_t most, int64_t declared) {
  uint64_t held = cw_buf_length(&b->bytes);
  uint64_t rest = declared < 0 ? held : (uint64_t)declared - b->read;
  if (rest > most || held > most) return too_large(b, most);
  b->whole = true;
  b->bytes.limit = most > CW_BODY_AHEAD ? (size_t)most : CW_BODY_AHEAD;
  if (b->state != CW_BODY_COMING || rest <= held) return true;
  return cw_buf_reserve(&b->bytes, (size_t)(rest - held)) || out_of_memory(b);
}

void cw_body_rest(cw_body *b) {
  b->wanted = 0;
  b->whole = false;
  b->bytes.limit = CW_BODY_AHEAD;
}

void cw_body_drop(cw_body *b, size_t n) {
  b->read += n;
  cw_buf_drop(&b->bytes, n);
  if (cw_buf_length(&b->bytes) == 0 && b->bytes.size > CW_BODY_AHEAD)
    cw_buf_clear(&b->bytes);
}
