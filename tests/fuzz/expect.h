/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* expect.h: what all targets share but that of the region. */
#ifndef SSLSNCE_TESTS_FUZZ_EXPECT_H_
#define SSLSNCE_TESTS_FUZZ_EXPECT_H_

#include <stdio.h>
#include <stdlib.h>

/* Ends the target with a finding unless |condition| holds. */
#define EXPECT(condition)                                             \
  do {                                                                \
    if (!(condition)) {                                               \
      fprintf(stderr, "not so, line %d: %s\n", __LINE__, #condition); \
      abort();                                                        \
    }                                                                 \
  } while (0)

#ifdef __cplusplus
extern "C" {
#endif

const char* __asan_default_options(void) {
  return "quarantine_size_mb=4:malloc_context_size=3";
}

#ifdef __cplusplus
}
#endif

#endif /* SSLSNCE_TESTS_FUZZ_EXPECT_H_ */
