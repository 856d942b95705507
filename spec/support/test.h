/* test: what the programs of tests without Lua share: one lists its tests, or
** runs the one that is named, says what does not hold, and exits with 1 then.
** spec/support/init.lua (support.tests) is their face. Test only.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_TEST_H
#define CURLEW_TEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

typedef struct test {
  const char *name;
  void (*run)(void);
} test;

static int failures;

static void check(bool holds, const char *what, const char *file, int line) {
  if (holds) return;
  failures++;
  if (failures < 20) printf("%s:%d: not so: %s\n", file, line, what);
}

#define CHECK_AS(condition, what) check((condition), what, __FILE__, __LINE__)
#define CHECK(condition) CHECK_AS(condition, #condition)

static int run_tests(const test *tests, size_t count, int argc, char **argv) {
  bool known = argc < 2;
  for (size_t i = 0; i < count; i++) {
    if (argc < 2) puts(tests[i].name);
    if (argc < 2 || strcmp(argv[1], tests[i].name) != 0) continue;
    known = true;
    tests[i].run();
  }
  if (!known) printf("no such test: %s\n", argv[1]);
  return known && failures == 0 ? 0 : 1;
}

#endif
