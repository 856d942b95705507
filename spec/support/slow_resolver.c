/* slow_resolver: preloaded into a script of the specs, so that names and
** connections take their time. A name that ends in ".slow" is looked up for
** three seconds, in vain. A name in ".late" takes a short time, which the
** process outlives even when all else of it has ended. A name in ".none" does
** not exist, and no name server is asked. A name in ".many" has the addresses
** that CURLEW_ADDRESSES lists, separated by blanks. A listening socket has room
** for one connection: the next one is left waiting. Test only.
** Built by
**   gcc -std=c11 -D_GNU_SOURCE -O2 -g -fPIC -shared \
**     spec/support/slow_resolver.c -o build/spec/slow_resolver.so
** SPDX-License-Identifier: MIT */

#include <dlfcn.h>
#include <netdb.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { SLOW_MS = 3000, LATE_MS = 300, GRACE_MS = 100 };

static atomic_int late; /* look-ups of ".late" that have no answer yet */

typedef int lookup(const char *node, const char *service,
                   const struct addrinfo *hints, struct addrinfo **found);
typedef int listening(int fd, int backlog);

static bool ends_in(const char *name, const char *end) {
  size_t n = name ? strlen(name) : 0, m = strlen(end);
  return n >= m && strcmp(name + n - m, end) == 0;
}

static void *next_in_line(const char *name) { return dlsym(RTLD_NEXT, name); }

static void wait_ms(long ms) {
  struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
  while (nanosleep(&left, &left) != 0)
    ;
}

static int no_such_name(long after_ms) {
  wait_ms(after_ms);
  return EAI_NONAME;
}

/* The thread that asked goes on: into code that is still there, or not. */
__attribute__((destructor)) static void outlive(void) {
  if (!late) return;
  while (late)
    wait_ms(1);
  wait_ms(GRACE_MS);
}

/* Lists the addresses of the requested family. */
static int listed(lookup *real, const char *service,
                  const struct addrinfo *hints, struct addrinfo **found) {
  char all[256], *rest = all;
  const char *given = getenv("CURLEW_ADDRESSES");
  snprintf(all, sizeof all, "%s", given ? given : "");
  *found = NULL;
  for (char *ip; (ip = strtok_r(rest, " ", &rest));) {
    if (real(ip, service, hints, found) != 0) continue;
    while (*found)
      found = &(*found)->ai_next;
  }
  return 0;
}

int getaddrinfo(const char *node, const char *service,
                const struct addrinfo *hints, struct addrinfo **found) {
  lookup *real = NULL;
  if (ends_in(node, ".none")) return EAI_NONAME;
  if (ends_in(node, ".slow")) return no_such_name(SLOW_MS);
  if (ends_in(node, ".late")) {
    late++;
    int answer = no_such_name(LATE_MS);
    late--;
    return answer;
  }
  *(void **)&real = next_in_line("getaddrinfo");
  if (ends_in(node, ".many")) return listed(real, service, hints, found);
  return real(node, service, hints, found);
}

int listen(int fd, int backlog) {
  listening *real = NULL;
  (void)backlog;
  *(void **)&real = next_in_line("listen");
  return real(fd, 0);
}
