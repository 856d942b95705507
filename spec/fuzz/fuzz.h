/* fuzz: what a target offers, and what each of them needs. libFuzzer calls the
** target (make fuzz), or replay.c does (spec/fuzz_spec.lua). Test only.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_FUZZ_H
#define CURLEW_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What does not hold is a crash: that is what a fuzzer looks for. */
#define MUST(condition)                                                        \
  do {                                                                         \
    if (condition) break;                                                      \
    fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);    \
    abort();                                                                   \
  } while (0)

#endif
