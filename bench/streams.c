/* streams: plain libcurl doing the work of bench/streams.lua, by
** curl_multi_socket_action and epoll.
**   streams STREAMS CHUNKS
** Prints the CPU seconds of the chunks.
** SPDX-License-Identifier: MIT */
#include <curl/curl.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "identity.h"
#include "usage.h"

static long streams, chunks, open, came;
static double begun, used;
static long timer = -1; /* milliseconds */
static int epoll, orders;

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *data,
                     void *unused) {
  (void)easy, (void)data, (void)unused;
  struct epoll_event event = {.data.fd = fd,
                              .events = (what & CURL_POLL_IN ? EPOLLIN : 0u) |
                                        (what & CURL_POLL_OUT ? EPOLLOUT : 0u)};
  if (what == CURL_POLL_REMOVE)
    epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL);
  else if (epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event) != 0)
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
  return 0;
}

static int on_timer(CURLM *multi, long ms, void *data) {
  (void)multi, (void)data;
  timer = ms;
  return 0;
}

static bool ask_for_one(void) { return write(orders, "x", 1) == 1; }

static size_t on_header(char *line, size_t one, size_t n, void *data) {
  (void)one, (void)data;
  if (*line != '\r' || ++open < streams) return n;
  return ask_for_one() ? n : 0;
}

/* All have had one before the count begins. */
static size_t on_body(char *bytes, size_t one, size_t n, void *data) {
  (void)bytes, (void)one, (void)data;
  if (++came == streams) begun = cpu_seconds();
  if (came < streams + chunks) return ask_for_one() ? n : 0;
  used = cpu_seconds() - begun;
  close(orders); /* the server ends all of them */
  return n;
}

static bool drive(CURLM *multi, curl_socket_t fd, int what) {
  int running;
  curl_multi_socket_action(multi, fd, what, &running);
  return running > 0;
}

static bool step(CURLM *multi) {
  enum { AT_ONCE = 64 };
  struct epoll_event events[AT_ONCE];
  bool more = true;
  int n = timer == 0 ? 0 : epoll_wait(epoll, events, AT_ONCE, (int)timer);
  if (n == 0) {
    timer = -1;
    return drive(multi, CURL_SOCKET_TIMEOUT, 0);
  }
  for (int i = 0; i < n; i++)
    more =
      drive(multi, events[i].data.fd,
            events[i].events & EPOLLOUT ? CURL_CSELECT_OUT : CURL_CSELECT_IN);
  return more;
}

static void ask_for(CURLM *multi, const char *url) {
  CURL *easy = curl_easy_init();
  if (!easy) abort();
  curl_easy_setopt(easy, CURLOPT_URL, url);
  set_identity(easy);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
  curl_multi_add_handle(multi, easy);
}

/* Returns its port, and in 'orders' what it is told by. */
static long start_server(void) {
  int in[2], out[2];
  char port[16] = "";
  if (pipe(in) != 0 || pipe(out) != 0) abort();
  if (fork() == 0) {
    dup2(in[0], STDIN_FILENO);
    dup2(out[1], STDOUT_FILENO);
    close(in[1]);
    execl("build/bench/trickle", "trickle", (char *)NULL);
    _exit(1);
  }
  close(in[0]);
  orders = in[1];
  if (read(out[0], port, sizeof port - 1) <= 0) abort();
  return strtol(port, NULL, 10);
}

int main(int argc, char **argv) {
  char url[64];
  if (argc < 3) return 2;
  streams = strtol(argv[1], NULL, 10);
  chunks = strtol(argv[2], NULL, 10);
  snprintf(url, sizeof url, "http://127.0.0.1:%ld", start_server());
  curl_global_init(CURL_GLOBAL_ALL);
  epoll = epoll_create1(EPOLL_CLOEXEC);
  CURLM *multi = curl_multi_init();
  if (!multi || epoll < 0) return 1;
  curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
  curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
  curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, streams);
  for (long i = 0; i < streams; i++)
    ask_for(multi, url);
  while (step(multi)) {
  }
  if (came < streams + chunks) return 1;
  printf("%.6f\n", used);
  return 0; /* the system takes the rest */
}
