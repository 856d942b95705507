/* platform_test: what differs between systems. Test only.
** SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../../src/platform.h"
#include "test.h"

static void the_text_of_an_error(void) {
  char text[128], unknown[128];
  CHECK(strcmp(cw_strerror(ENOENT, text, sizeof text), strerror(ENOENT)) == 0);
  CHECK(strstr(cw_strerror(98765, unknown, sizeof unknown), "98765"));
}

static void both_kinds_of_strerror_r(void) {
  char text[16] = "written";
  CHECK(strcmp(cw_strerror_of_gnu("returned", text), "returned") == 0);
  CHECK(cw_strerror_of_gnu(NULL, text) == text);
  CHECK(strcmp(cw_strerror_of_posix(0, EINVAL, text, sizeof text), "written") ==
        0);
  cw_strerror_of_posix(EINVAL, 98765, text, sizeof text);
  CHECK(strcmp(text, "error 98765") == 0);
}

static void random_bytes(void) {
  unsigned char a[16] = {0}, b[16] = {0};
  CHECK(cw_random(a, sizeof a) && cw_random(b, sizeof b));
  CHECK(memcmp(a, b, sizeof a) != 0);
}

static void sockets_are_closed_by_exec(void) {
  int fd = cw_socket(AF_INET, SOCK_STREAM, 0);
  CHECK(fd >= 0 && (fcntl(fd, F_GETFD) & FD_CLOEXEC));
  CHECK(cw_socket_family(fd) == AF_INET);
  close(fd);
  CHECK(cw_socket_family(-1) == AF_UNSPEC);
}

static void the_end_of_a_peer(void) {
  int pair[2];
  char byte;
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) abort();
  CHECK(cw_socket_family(pair[0]) == AF_UNIX);
  CHECK(!cw_peer_has_ended(pair[0]));
  CHECK(write(pair[1], "x", 1) == 1);
  CHECK(!cw_peer_has_ended(pair[0]));
  CHECK(read(pair[0], &byte, 1) == 1);
  close(pair[1]);
  CHECK(cw_peer_has_ended(pair[0]));
  close(pair[0]);
}

static void the_name_of_the_boot(void) {
  char first[CW_BOOT_ID_MAX], second[CW_BOOT_ID_MAX];
  CHECK(cw_boot_id(first) && cw_boot_id(second));
  CHECK(strlen(first) > 30 && strcmp(first, second) == 0);
}

static void pipes_that_may_be_widened(void) {
  int pair[2];
  if (pipe(pair) != 0) abort();
  cw_pipe_widen(pair[1]);
  errno = 0;
  cw_pipe_widen(-1);
  CHECK(errno == 0);
  CHECK(write(pair[1], "x", 1) == 1);
  close(pair[0]);
  close(pair[1]);
}

static int64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* A limit that is rounded down would end the wait before its time. */
static void a_wait_is_not_too_short(void) {
  static const int64_t limits[] = {0, 1, 999, 1001, 2500};
  for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
    int64_t before = now();
    CHECK(cw_poll(NULL, 0, limits[i]) == 0);
    CHECK(now() - before >= limits[i]);
  }
}

static const test tests[] = {
  {"tells an error of the system", the_text_of_an_error},
  {"reads both kinds of strerror_r", both_kinds_of_strerror_r},
  {"has random bytes", random_bytes},
  {"makes sockets that exec closes", sockets_are_closed_by_exec},
  {"sees that a peer has ended", the_end_of_a_peer},
  {"waits for the whole time", a_wait_is_not_too_short},
  {"has a name for its boot", the_name_of_the_boot},
  {"has pipes whose size may be changed", pipes_that_may_be_widened},
};

int main(int argc, char **argv) {
  return run_tests(tests, sizeof tests / sizeof *tests, argc, argv);
}
