/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// test_build.h: what a test must know of how it was compiled.
#ifndef SSLSNCE_TESTS_SUPPORT_TEST_BUILD_H_
#define SSLSNCE_TESTS_SUPPORT_TEST_BUILD_H_

#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SNCE_TEST_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
    __has_feature(memory_sanitizer)
#define SNCE_TEST_SANITIZED 1
#endif
#endif

// Writes what was counted, in a build that counts what runs (COVERAGE=1);
// NULL in other builds.
extern "C" void __gcov_dump(void) __attribute__((weak));

namespace snce_test {

// Whether this build counts what runs; it is not optimised then.
inline bool IsCounted() { return __gcov_dump != nullptr; }

// _exit for forked children: a test's own exit handlers are not theirs to run.
[[noreturn]] inline void LeaveChild(int status) {
  if (IsCounted()) __gcov_dump();
  _exit(status);
}

// Limits on time are checked in plain builds only, and loops are shortened.
#ifdef SNCE_TEST_SANITIZED
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

}  // namespace snce_test

#endif  // SSLSNCE_TESTS_SUPPORT_TEST_BUILD_H_
