/* descriptor: numbers above those of stdio. Knows POSIX.
** SPDX-License-Identifier: MIT */
#include "descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "platform.h"

enum { FIRST = 3 };

int cw_descriptor_copy(int fd) { return fcntl(fd, F_DUPFD_CLOEXEC, FIRST); }

int cw_descriptor(int fd) {
  if (fd < 0 || fd >= FIRST) return fd;
  int copy = cw_descriptor_copy(fd), number = errno;
  close(fd);
  errno = number;
  return copy;
}

int cw_descriptor_open(const char *path, int flags, mode_t mode) {
  return cw_descriptor(open(path, flags | O_CLOEXEC, mode));
}

void cw_descriptor_fill_stdio(void) {
  for (int fd = 0; fd < FIRST; fd++)
    if (fcntl(fd, F_GETFD) < 0 && errno == EBADF &&
        open("/dev/null", O_RDWR) < 0)
      return;
}

bool cw_descriptor_lacking(void) {
  enum { FEW = 3 };
  int fd[FEW], n = 0;
  while (n < FEW && (fd[n] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
    n++;
  int number = errno;
  bool lacking = n < FEW && (number == EMFILE || number == ENFILE);
  while (n > 0)
    close(fd[--n]);
  errno = number;
  return lacking;
}

cw_pair cw_descriptor_next_pair(void) {
  cw_pair p;
  for (int i = 0; i < 2; i++)
    p.fd[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
  for (int i = 0; i < 2; i++)
    if (p.fd[i] >= 0) close(p.fd[i]);
  return p;
}

static bool is_local_socket(int fd) { return cw_socket_family(fd) == AF_UNIX; }

static void seal(int fd) { fcntl(fd, F_SETFD, FD_CLOEXEC); }

void cw_descriptor_seal_pair(cw_pair p) {
  for (int i = 0; i < 2; i++)
    if (p.fd[i] >= 0 && is_local_socket(p.fd[i])) seal(p.fd[i]);
}

static int waiting(int fd) {
  int n = 0;
  return is_local_socket(fd) && ioctl(fd, FIONREAD, &n) == 0 ? n : -1;
}

/* Both ends got the lowest free numbers, so the other end has a number nearby.
 */
void cw_descriptor_seal_both(int fd) {
  enum { NEAR = 16 };
  int before[NEAR + 1];
  seal(fd);
  if (!is_local_socket(fd)) return; /* of a resolver that asks by itself */
  for (int i = 1; i <= NEAR; i++)
    before[i] = waiting(fd + i);
  if (send(fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL) != 1) return;
  for (int i = 1; i <= NEAR; i++)
    if (before[i] >= 0 && waiting(fd + i) > before[i]) seal(fd + i);
}
