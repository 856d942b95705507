/* trickle: a server of slow streams, which sends when it is told to: for each
** byte on its standard input one chunk of 100 bytes, on one connection after
** the other in the order in which they came. At the end of its input they end,
** too. Prints its port.
** SPDX-License-Identifier: MIT */
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MOST = 4096 };

static const char head[] = "HTTP/1.1 200 OK\r\n"
                           "Transfer-Encoding: chunked\r\n\r\n";
static const char last[] = "0\r\n\r\n";
static char body[100 + 1], chunk[4 + 100 + 2 + 1];
static int streams[MOST];
static size_t count, next;

static int listen_on_loopback(void) {
  struct sockaddr_in a = {.sin_family = AF_INET};
  socklen_t n = sizeof a;
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0 || bind(fd, (struct sockaddr *)&a, n) != 0 ||
      listen(fd, MOST) != 0 || getsockname(fd, (struct sockaddr *)&a, &n) != 0)
    return -1;
  printf("%d\n", ntohs(a.sin_port));
  fflush(stdout);
  return fd;
}

static bool send_all(int fd, const char *bytes, size_t n) {
  return send(fd, bytes, n, MSG_NOSIGNAL) == (ssize_t)n;
}

/* Its request is on its way, and small enough to come in one piece. */
static bool begin_stream(int listener) {
  char request[4096];
  int fd = accept(listener, NULL, NULL);
  if (fd < 0 || count == MOST || read(fd, request, sizeof request) <= 0)
    return false;
  streams[count++] = fd;
  return send_all(fd, head, sizeof head - 1);
}

static bool send_chunks(void) {
  char wishes[4096];
  ssize_t n = read(STDIN_FILENO, wishes, sizeof wishes);
  for (ssize_t i = 0; i < n; i++) {
    if (!send_all(streams[next], chunk, sizeof chunk - 1)) return false;
    next = (next + 1) % count;
  }
  return n > 0;
}

int main(void) {
  struct pollfd set[] = {{.fd = listen_on_loopback(), .events = POLLIN},
                         {.fd = STDIN_FILENO, .events = POLLIN}};
  if (set[0].fd < 0) return 1;
  memset(body, 'x', sizeof body - 1);
  snprintf(chunk, sizeof chunk, "64\r\n%s\r\n", body);
  bool ok = true;
  while (ok && poll(set, 2, -1) > 0) {
    if (set[0].revents) ok = begin_stream(set[0].fd);
    if (ok && set[1].revents) ok = count > 0 && send_chunks();
  }
  for (size_t i = 0; i < count; i++)
    send_all(streams[i], last, sizeof last - 1);
  return 0;
}
