/* multiplex: plain libcurl, small GETs over HTTP/2, on one connection or on one
** each, and beside a response that nobody reads.
**   multiplex CA URL COUNT AT_ONCE HOW [BIG_URL]
** HOW: one (multiplexed) or each (a connection for each that is open). Prints
** connections, CPU and wall seconds, the longest GET in milliseconds, and the
** growth of the process in KiB.
** SPDX-License-Identifier: MIT */
#include <curl/curl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "usage.h"

static const char *ca;
static CURLM *multi;
static long opened;
static bool is_paused;

static size_t drop(char *bytes, size_t one, size_t n, void *data) {
  (void)bytes, (void)data;
  return one * n;
}

static size_t hold(char *bytes, size_t one, size_t n, void *data) {
  (void)bytes, (void)one, (void)n, (void)data;
  is_paused = true;
  return CURL_WRITEFUNC_PAUSE;
}

static CURL *start(const char *url, curl_write_callback on_body) {
  CURL *easy = curl_easy_init();
  curl_easy_setopt(easy, CURLOPT_URL, url);
  curl_easy_setopt(easy, CURLOPT_CAINFO, ca);
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
  curl_easy_setopt(easy, CURLOPT_PIPEWAIT, 1L);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
  curl_multi_add_handle(multi, easy);
  return easy;
}

static long finished, failed;
static double longest;

static void take_messages(void) {
  int left;
  CURLMsg *m;
  while ((m = curl_multi_info_read(multi, &left))) {
    CURL *easy = m->easy_handle;
    curl_off_t total = 0;
    long connects = 0;
    if (m->msg != CURLMSG_DONE) continue;
    if (m->data.result != CURLE_OK) failed++;
    curl_easy_getinfo(easy, CURLINFO_TOTAL_TIME_T, &total);
    curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &connects);
    opened += connects;
    if ((double)total / 1e3 > longest) longest = (double)total / 1e3;
    finished++;
    curl_multi_remove_handle(multi, easy);
    curl_easy_cleanup(easy);
  }
}

static void round_once(void) {
  int running;
  curl_multi_perform(multi, &running);
  take_messages();
  curl_multi_poll(multi, NULL, 0, 100, NULL);
}

static void get(const char *url, long count, long at_once) {
  long begun = 0;
  finished = failed = 0;
  longest = 0;
  double deadline = wall_seconds() + 60;
  while (finished < count && wall_seconds() < deadline) {
    while (begun < count && begun - finished < at_once) {
      start(url, drop);
      begun++;
    }
    round_once();
  }
}

static void multiplex(bool on) {
  curl_multi_setopt(multi, CURLMOPT_PIPELINING,
                    (long)(on ? CURLPIPE_MULTIPLEX : CURLPIPE_NOTHING));
}

/* Returns when the response has begun and is paused. */
static void start_unread(const char *url, const char *how) {
  multiplex(strcmp(how, "one") == 0 || strcmp(how, "fresh") == 0 ||
            strcmp(how, "apart") == 0);
  CURL *easy = start(url, hold);
  if (strcmp(how, "fresh") == 0)
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
  if (strcmp(how, "apart") == 0)
    curl_easy_setopt(easy, CURLOPT_SSL_OPTIONS, (long)CURLSSLOPT_NO_REVOKE);
  while (!is_paused)
    round_once();
  for (int i = 0; i < 10; i++)
    round_once();
}

int main(int argc, char **argv) {
  if (argc < 6) return 2;
  ca = argv[1];
  const char *url = argv[2], *how = argv[5];
  long count = atol(argv[3]), at_once = atol(argv[4]);
  bool each = strcmp(how, "each") == 0 || strcmp(how, "warm") == 0;
  curl_global_init(CURL_GLOBAL_ALL);
  multi = curl_multi_init();
  curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, 2 * at_once);
  multiplex(!each);
  get(url, 1, 1); /* what is loaded once */
  if (strcmp(how, "warm") == 0) get(url, 4 * at_once, at_once);
  long before = memory_kib("VmRSS:");
  if (argc > 6) start_unread(argv[6], how);
  multiplex(!each);
  long held = memory_kib("VmRSS:") - before;
  double cpu = cpu_seconds(), wall = wall_seconds();
  opened = 0;
  get(url, count, at_once);
  printf("libcurl %s, %s%s: %ld done, %ld failed, %ld connections, "
         "cpu %.2f s, wall %.2f s, longest %.1f ms, +%ld KiB held, +%ld KiB\n",
         curl_version_info(CURLVERSION_NOW)->version, how,
         argc > 6 ? ", one unread" : "", finished, failed, opened,
         cpu_seconds() - cpu, wall_seconds() - wall, longest, held,
         memory_kib("VmRSS:") - before);
  fflush(stdout);
  _exit(0); /* with the unread response */
}
