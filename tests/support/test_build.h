/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// test_build.h: facts about this build that tests depend on.
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

// Writes the coverage counters; NULL in builds without coverage (COVERAGE=1).
extern "C" void __gcov_dump(void) __attribute__((weak));

namespace snce_test {

// Whether this build counts the lines that run; such a build is not optimised.
inline bool IsCounted() { return __gcov_dump != nullptr; }

// _exit for forked children: a child must not run the exit handlers of its
// test.
[[noreturn]] inline void LeaveChild(int status) {
  if (IsCounted()) __gcov_dump();
  _exit(status);
}

// Sanitizers slow a program down: tests check time limits in plain builds only,
// and sanitized builds shorten their loops.
#ifdef SNCE_TEST_SANITIZED
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

// A process with 32 bits has room for a few large caches: tests with more
// address space than that make smaller ones.
constexpr bool kSmallSpace = sizeof(void*) < 8;

}  // namespace snce_test

#endif  // SSLSNCE_TESTS_SUPPORT_TEST_BUILD_H_
