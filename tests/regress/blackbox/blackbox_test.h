/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// blackbox_test.h: the base of every file of tests.
//
// A suite judges one promise, a line in ../promises. It may have plain tests
// (BLACKBOX_TEST) and tests that run for every call that configures a cache
// (BLACKBOX_TEST_P, with |call|); the verdict counts both.
#ifndef SSLSNCE_TESTS_REGRESS_BLACKBOX_BLACKBOX_TEST_H_
#define SSLSNCE_TESTS_REGRESS_BLACKBOX_BLACKBOX_TEST_H_

#include <string>

#include "gtest/gtest.h"
#include "own_process.h"
#include "site.h"

namespace regress {

// A test that runs for each of several calls.
class OfCall : public ::testing::TestWithParam<Call> {};

inline std::string CallName(const ::testing::TestParamInfo<Call>& info) {
  return Name(info.param);
}

// Returns a visitor's name that no test of this process has used yet.
inline std::string NewVisitor() {
  static int number = 0;
  return "visitor " + std::to_string(++number);
}

// Expects that a session made at server |maker| at |start| lives for |timeout|
// seconds: one microsecond before its end it resumes at server |judge|, at its
// end it does not.
inline void ExpectLifetime(Site* site, size_t maker, size_t judge, PRTime start,
                           PRTime timeout) {
  const std::string visitor = NewVisitor();
  const PRTime end = start + timeout * kSecond;
  site->Begin(maker, start, visitor);
  EXPECT_TRUE(site->Resumes(judge, end - 1, visitor))
      << "dead 1 us before " << timeout << " s, by server " << judge;
  EXPECT_FALSE(site->Resumes(judge, end, visitor))
      << "alive at " << timeout << " s, by server " << judge;
}

}  // namespace regress

// Skips the test without a mock clock. For bodies that move the servers' clock.
#define NEEDS_MOCK_CLOCK()                            \
  if (!::regress::HasTimeFunc()) {                    \
    GTEST_SKIP() << "no SSL_SetTimeFunc in this NSS"; \
  }

// TEST, with the body in a process of its own.
#define BLACKBOX_TEST(suite, name)                                  \
  static void suite##name##Body();                                  \
  TEST(suite, name) { ::regress::InOwnProcess(suite##name##Body); } \
  static void suite##name##Body()

// TEST_P over calls, with the body in a process of its own.
#define BLACKBOX_TEST_P(suite, name)                              \
  static void suite##name##Body(::regress::Call call);            \
  TEST_P(suite, name) {                                           \
    const ::regress::Call call = GetParam();                      \
    ::regress::InOwnProcess([call] { suite##name##Body(call); }); \
  }                                                               \
  static void suite##name##Body([[maybe_unused]] ::regress::Call call)

#endif  // SSLSNCE_TESTS_REGRESS_BLACKBOX_BLACKBOX_TEST_H_
