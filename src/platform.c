/* platform: what differs between systems. Knows libc.
** SPDX-License-Identifier: MIT */
#include "platform.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#if CW_HAS_GETRANDOM
#include <sys/random.h>
#endif
#if defined(__APPLE__) || defined(__FreeBSD__)
#include <sys/sysctl.h>
#include <sys/time.h>
#endif

const char *cw_strerror_of_gnu(const char *result, const char *text) {
  return result ? result : text;
}

const char *cw_strerror_of_posix(int result, int number, char *text,
                                 size_t size) {
  if (result != 0) snprintf(text, size, "error %d", number);
  return text;
}

/* The compiler chooses by the type of the result. The choices have a line of
** their own, because releases of clang-format disagree about them elsewhere. */
#define CHOICES char * : of_gnu, default : of_posix
#define TEXT_OF(result, number, text, size)                                    \
  _Generic((result), CHOICES)((intptr_t)(result), number, text, size)

static const char *of_gnu(intptr_t result, int number, char *text,
                          size_t size) {
  (void)number, (void)size;
  return cw_strerror_of_gnu((const char *)result, text);
}

static const char *of_posix(intptr_t result, int number, char *text,
                            size_t size) {
  return cw_strerror_of_posix((int)result, number, text, size);
}

const char *cw_strerror(int number, char *text, size_t size) {
  *text = '\0';
  return TEXT_OF(strerror_r(number, text, size), number, text, size);
}

#if CW_HAS_GETRANDOM

bool cw_random(void *bytes, size_t n) {
  return getrandom(bytes, n, 0) == (ssize_t)n;
}

#else

bool cw_random(void *bytes, size_t n) {
  int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  ssize_t got = read(fd, bytes, n);
  close(fd);
  return got == (ssize_t)n;
}

#endif

#if CW_HAS_SOCK_CLOEXEC

int cw_socket(int family, int type, int protocol) {
  return socket(family, type | SOCK_CLOEXEC, protocol);
}

#else

int cw_socket(int family, int type, int protocol) {
  int fd = socket(family, type, protocol);
  if (fd >= 0) fcntl(fd, F_SETFD, FD_CLOEXEC);
  return fd;
}

#endif

#if CW_HAS_PPOLL

int cw_poll(struct pollfd *set, size_t n, int64_t us) {
  struct timespec limit = {.tv_sec = us / 1000000,
                           .tv_nsec = us % 1000000 * 1000};
  return ppoll(set, (nfds_t)n, us < 0 ? NULL : &limit, NULL);
}

#else

int cw_poll(struct pollfd *set, size_t n, int64_t us) {
  return poll(set, (nfds_t)n, us < 0 ? -1 : (int)((us + 999) / 1000));
}

#endif

#if CW_HAS_POLLRDHUP

bool cw_peer_has_ended(int socket) {
  struct pollfd p = {.fd = socket, .events = POLLRDHUP};
  return poll(&p, 1, 0) > 0;
}

#else

bool cw_peer_has_ended(int socket) {
  char byte;
  struct pollfd p = {.fd = socket, .events = POLLIN};
  if (poll(&p, 1, 0) <= 0) return false;
  return (p.revents & (POLLHUP | POLLERR | POLLNVAL)) ||
         recv(socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

#endif

#if CW_HAS_SO_DOMAIN

int cw_socket_family(int socket) {
  int family = AF_UNSPEC;
  socklen_t size = sizeof family;
  int rc = getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &family, &size);
  return rc == 0 ? family : AF_UNSPEC;
}

#else

int cw_socket_family(int socket) {
  struct sockaddr_storage own = {.ss_family = AF_UNSPEC};
  socklen_t size = sizeof own;
  int rc = getsockname(socket, (struct sockaddr *)&own, &size);
  return rc == 0 ? own.ss_family : AF_UNSPEC;
}

#endif

#if CW_HAS_QUICKACK

void cw_socket_acknowledge(int socket) {
  int on = 1;
  setsockopt(socket, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
}

#else

void cw_socket_acknowledge(int socket) { (void)socket; }

#endif

#if CW_HAS_PIPE_SIZE

void cw_pipe_widen(int fd) {
  if (fcntl(fd, F_SETPIPE_SZ, 1024 * 1024) < 0) errno = 0; /* it stays */
}

#else

void cw_pipe_widen(int fd) { (void)fd; }

#endif

#if defined(__APPLE__) || defined(__FreeBSD__)

/* FreeBSD has no name for a boot, but its time, which changes with the clock. A
** part that was kept before such a change is not used. */
bool cw_boot_id(char text[CW_BOOT_ID_MAX]) {
#ifdef __APPLE__
  size_t size = CW_BOOT_ID_MAX;
  return sysctlbyname("kern.bootsessionuuid", text, &size, NULL, 0) == 0;
#else
  struct timeval boot;
  size_t size = sizeof boot;
  if (sysctlbyname("kern.boottime", &boot, &size, NULL, 0) != 0) return false;
  snprintf(text, CW_BOOT_ID_MAX, "%lld", (long long)boot.tv_sec);
  return true;
#endif
}

#else

bool cw_boot_id(char text[CW_BOOT_ID_MAX]) {
  int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  ssize_t n = read(fd, text, CW_BOOT_ID_MAX - 1);
  close(fd);
  if (n <= 0) return false;
  text[n] = '\0';
  text[strcspn(text, "\n")] = '\0';
  return *text != '\0';
}

#endif
