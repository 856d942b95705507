/* slow_resolver: preloaded into a script of the specs, so that names and
** connections take their time. A name that ends in ".slow" is looked up for
** three seconds, in vain; one that ends in ".none" is not there, and no name
** server is asked. What listens has room for one connection: the next one is
** left waiting. Test only.
** Built by
**   gcc -std=c11 -D_GNU_SOURCE -O2 -g -fPIC -shared \
**     spec/support/slow_resolver.c -o build/spec/slow_resolver.so
** SPDX-License-Identifier: MIT */

#include <dlfcn.h>
#include <netdb.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { SECONDS = 3 };

typedef int lookup(const char *node, const char *service,
                   const struct addrinfo *hints, struct addrinfo **found);
typedef int listening(int fd, int backlog);

static bool ends_in(const char *name, const char *end) {
  size_t n = name ? strlen(name) : 0, m = strlen(end);
  return n >= m && strcmp(name + n - m, end) == 0;
}

static void *next_in_line(const char *name) { return dlsym(RTLD_NEXT, name); }

int getaddrinfo(const char *node, const char *service,
                const struct addrinfo *hints, struct addrinfo **found) {
  lookup *real = NULL;
  struct timespec left = {.tv_sec = SECONDS};
  if (ends_in(node, ".none")) return EAI_NONAME;
  if (ends_in(node, ".slow")) {
    while (nanosleep(&left, &left) != 0)
      ;
    return EAI_NONAME;
  }
  *(void **)&real = next_in_line("getaddrinfo");
  return real(node, service, hints, found);
}

int listen(int fd, int backlog) {
  listening *real = NULL;
  (void)backlog;
  *(void **)&real = next_in_line("listen");
  return real(fd, 0);
}
