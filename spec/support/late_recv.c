/* late_recv: an LD_PRELOAD under which the first recv that brings bytes returns
** only when more of them wait, at most 10 s later. libcurl then reads twice
** within one call. Test only.
** SPDX-License-Identifier: MIT */
#include <dlfcn.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>

ssize_t recv(int fd, void *bytes, size_t n, int flags) {
  enum { PATIENCE_MS = 10000 };
  static ssize_t (*next)(int, void *, size_t, int);
  static bool waited;
  if (!next) {
    void *found = dlsym(RTLD_NEXT, "recv");
    memcpy(&next, &found, sizeof found);
  }
  ssize_t got = next(fd, bytes, n, flags);
  struct pollfd socket = {.fd = fd, .events = POLLIN};
  if (got <= 1 || waited) return got;
  waited = true;
  poll(&socket, 1, PATIENCE_MS);
  return got;
}
