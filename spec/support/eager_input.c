/* eager_input: an LD_PRELOAD that makes libcurl ask for the input of a
** connection whose transfer is paused, as libcurl 8.5.0 does. It does so at the
** first socket that libcurl no longer waits for while input is there. At the
** end it writes how often libcurl was told of the input that it did not want.
** Test only.
** SPDX-License-Identifier: MIT */
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>
#include <dlfcn.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#undef curl_multi_setopt

static curl_socket_callback passed_on;
static curl_socket_t eager = CURL_SOCKET_BAD;
static bool unwanted; /* by libcurl itself */
static unsigned told;

__attribute__((destructor)) static void report(void) {
  fprintf(stderr, "told %u times\n", told);
}

/* The module loads libcurl, so that RTLD_NEXT does not find its functions. */
static void *find(const char *name) {
  void *libcurl = dlopen("libcurl.so.4", RTLD_LAZY | RTLD_NOLOAD);
  return libcurl ? dlsym(libcurl, name) : NULL;
}

static bool has_input(curl_socket_t fd) {
  enum { PATIENCE_MS = 1000 };
  struct pollfd socket = {.fd = fd, .events = POLLIN};
  return poll(&socket, 1, PATIENCE_MS) > 0;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *data,
                     void *own) {
  bool first = what == CURL_POLL_REMOVE && eager == CURL_SOCKET_BAD;
  if (first && has_input(fd)) {
    eager = fd;
    unwanted = true;
    what = CURL_POLL_IN;
  } else if (fd == eager) {
    unwanted = false;
  }
  return passed_on(easy, fd, what, data, own);
}

/* Each option takes a long or a pointer, which have the same size. */
CURLMcode curl_multi_setopt(CURLM *multi, CURLMoption option, ...) {
  static CURLMcode (*next)(CURLM *, CURLMoption, ...);
  void *value, *found = find("curl_multi_setopt");
  va_list arguments;
  va_start(arguments, option);
  value = va_arg(arguments, void *);
  va_end(arguments);
  memcpy(&next, &found, sizeof found);
  if (option != CURLMOPT_SOCKETFUNCTION) return next(multi, option, value);
  memcpy(&passed_on, &value, sizeof value);
  return next(multi, option, on_socket);
}

CURLMcode curl_multi_socket_action(CURLM *multi, curl_socket_t fd, int what,
                                   int *running) {
  static CURLMcode (*next)(CURLM *, curl_socket_t, int, int *);
  void *found = find("curl_multi_socket_action");
  memcpy(&next, &found, sizeof found);
  if (fd == eager && unwanted && (what & CURL_CSELECT_IN)) told++;
  return next(multi, fd, what, running);
}
