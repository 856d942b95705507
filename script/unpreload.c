/* unpreload: preloaded beside libasan.so, so that the sanitizer reaches this
** process and none of its children (a shell or nginx that exits with memory
** in use is no leak of curlew's).
** SPDX-License-Identifier: MIT */
#include <stdlib.h>

__attribute__((constructor)) static void forget(void) {
  unsetenv("LD_PRELOAD");
}
