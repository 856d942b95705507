/* quirks_test: which releases of libcurl are taken for affected by which bug,
** and what an observation changes. Without an argument it lists its tests; with
** the name of one it runs that. spec/quirks_spec.lua has the results. Test
** only. src/quirks.c is part of this file.
** SPDX-License-Identifier: MIT */
#include "../../src/quirks.c" /* NOLINT(bugprone-suspicious-include) */

#include "test.h"

static bool affected(cw_quirk quirk, unsigned minor, unsigned patch) {
  return cw_quirk_affects(quirk, RELEASE(8, minor, patch));
}

static void releases_that_read_on(void) {
  CHECK(!cw_quirk_affects(CW_QUIRK_READS_PAUSED, RELEASE(7, 88, 1)));
  CHECK(!affected(CW_QUIRK_READS_PAUSED, 4, 0));
  CHECK(affected(CW_QUIRK_READS_PAUSED, 5, 0));
  CHECK(affected(CW_QUIRK_READS_PAUSED, 5, 9));
  CHECK(!affected(CW_QUIRK_READS_PAUSED, 6, 0));
  CHECK(!affected(CW_QUIRK_READS_PAUSED, 23, 0));
}

static void a_bug_of_old_releases(void) {
  CHECK(cw_quirk_affects(CW_QUIRK_HANDLE_STATE, RELEASE(7, 88, 1)));
  CHECK(affected(CW_QUIRK_HANDLE_STATE, 1, 0));
  CHECK(!affected(CW_QUIRK_HANDLE_STATE, 1, 1));
}

/* The loaded libcurl is what it is: either answer may differ from its row. */
static void the_first_observation_decides(void) {
  CHECK(cw_quirk_observe(CW_QUIRK_READS_PAUSED, true));
  CHECK(cw_quirk_is_active(CW_QUIRK_READS_PAUSED));
  CHECK(cw_quirk_observe(CW_QUIRK_READS_PAUSED, false));
  CHECK(cw_quirk_is_active(CW_QUIRK_READS_PAUSED));
}

static void an_observation_can_deny(void) {
  CHECK(!cw_quirk_observe(CW_QUIRK_READS_PAUSED, false));
  CHECK(!cw_quirk_is_active(CW_QUIRK_READS_PAUSED));
}

static void without_one_the_release_decides(void) {
  unsigned release = curl_version_info(CURLVERSION_NOW)->version_num;
  for (int i = 0; i < CW_QUIRK_COUNT; i++)
    CHECK(cw_quirk_is_active((cw_quirk)i) ==
          cw_quirk_affects((cw_quirk)i, release));
}

static const test tests[] = {
  {"has 8.5 alone read on while paused", releases_that_read_on},
  {"has no lower end where a bug is older than 7.88", a_bug_of_old_releases},
  {"is outdone by the first observation", the_first_observation_decides},
  {"is outdone by an observation that denies it", an_observation_can_deny},
  {"decides where nothing was observed", without_one_the_release_decides},
};

int main(int argc, char **argv) {
  return run_tests(tests, sizeof tests / sizeof *tests, argc, argv);
}
