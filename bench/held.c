/* held: plain libcurl by curl_multi_socket_action, GETs beside paused ones:
** what of the cost of unread responses is libcurl's own.
**   held URL COUNT [HELD BIG_URL]
** Prints the CPU seconds of the GETs, and the memory in use after them in KiB.
** SPDX-License-Identifier: MIT */
#include <curl/curl.h>
#include <poll.h>
#include <stdbool.h>

#include "identity.h"
#include "usage.h"

enum { MOST = 4096 };

static struct pollfd set[MOST];
static nfds_t set_count;
static long timer = -1; /* milliseconds */
static long paused, done;

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *data,
                     void *unused) {
  (void)easy, (void)data, (void)unused;
  nfds_t i = 0;
  while (i < set_count && set[i].fd != fd)
    i++;
  if (what == CURL_POLL_REMOVE) {
    if (i < set_count) set[i] = set[--set_count];
    return 0;
  }
  if (i == MOST) return 0;
  if (i == set_count) set_count++;
  int events =
    (what & CURL_POLL_IN ? POLLIN : 0) | (what & CURL_POLL_OUT ? POLLOUT : 0);
  set[i] = (struct pollfd){.fd = fd, .events = (short)events};
  return 0;
}

static int on_timer(CURLM *multi, long ms, void *data) {
  (void)multi, (void)data;
  timer = ms;
  return 0;
}

static size_t pause_it(char *bytes, size_t one, size_t n, void *data) {
  (void)bytes, (void)one, (void)n, (void)data;
  paused++;
  return CURL_WRITEFUNC_PAUSE;
}

static size_t drop(char *bytes, size_t one, size_t n, void *data) {
  (void)bytes, (void)data;
  return one * n;
}

static void drive(CURLM *multi, curl_socket_t fd, int what) {
  int running, left;
  CURLMsg *message;
  curl_multi_socket_action(multi, fd, what, &running);
  while ((message = curl_multi_info_read(multi, &left)))
    done += message->msg == CURLMSG_DONE;
}

static void step(CURLM *multi) {
  struct pollfd fired[MOST];
  nfds_t n = set_count;
  long ms = timer;
  memcpy(fired, set, n * sizeof *set);
  if (ms == 0 || poll(fired, n, (int)ms) <= 0) {
    timer = -1;
    drive(multi, CURL_SOCKET_TIMEOUT, 0);
    return;
  }
  for (nfds_t i = 0; i < n; i++)
    if (fired[i].revents)
      drive(multi, fired[i].fd,
            fired[i].revents & POLLOUT ? CURL_CSELECT_OUT : CURL_CSELECT_IN);
}

static CURL *ask_for(const char *url, curl_write_callback write) {
  CURL *easy = curl_easy_init();
  if (!easy) abort();
  curl_easy_setopt(easy, CURLOPT_URL, url);
  set_identity(easy);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, write);
  return easy;
}

static CURLM *make_multi(void) {
  CURLM *multi = curl_multi_init();
  if (!multi) abort();
  curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
  curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
  curl_multi_setopt(multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
  curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)MOST);
  return multi;
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  long count = strtol(argv[2], NULL, 10);
  long held = argc > 4 ? strtol(argv[3], NULL, 10) : 0;
  curl_global_init(CURL_GLOBAL_ALL);
  CURLM *multi = make_multi();
  for (long i = 1; i <= held; i++) {
    curl_multi_add_handle(multi, ask_for(argv[4], pause_it));
    while (paused < i)
      step(multi);
  }
  CURL *easy = ask_for(argv[1], drop);
  double begun = cpu_seconds();
  for (long i = 1; i <= count; i++) {
    curl_multi_add_handle(multi, easy);
    while (done < i)
      step(multi);
    curl_multi_remove_handle(multi, easy);
  }
  double used = cpu_seconds() - begun;
  printf("%.6f %ld\n", used, memory_kib("VmRSS:"));
  return 0; /* the system takes the rest */
}
