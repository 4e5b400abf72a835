/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// blackbox_test.h: what every file of tests starts from.
//
// A suite is one promise, with its line in ../promises. Its tests may be plain
// ones (BLACKBOX_TEST) and ones for every call that configures a cache
// (BLACKBOX_TEST_P, with |call|); the verdict counts both.
#ifndef SSLSNCE_TESTS_REGRESS_BLACKBOX_BLACKBOX_TEST_H_
#define SSLSNCE_TESTS_REGRESS_BLACKBOX_BLACKBOX_TEST_H_

#include <string>

#include "gtest/gtest.h"
#include "own_process.h"
#include "site.h"

namespace regress {

// A test for each of some calls.
class OfCall : public ::testing::TestWithParam<Call> {};

inline std::string CallName(const ::testing::TestParamInfo<Call>& info) {
  return Name(info.param);
}

// A visitor that nobody was before.
inline std::string NewVisitor() {
  static int number = 0;
  return "visitor " + std::to_string(++number);
}

// A session made by |maker| at |start| lives for |timeout| seconds before the
// eyes of |judge|: one microsecond before the end it resumes, at the end not.
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

// In a body that moves the servers' clock.
#define NEEDS_MOCK_CLOCK()                            \
  if (!::regress::HasTimeFunc()) {                    \
    GTEST_SKIP() << "no SSL_SetTimeFunc in this NSS"; \
  }

// TEST, and the body in a process of its own.
#define BLACKBOX_TEST(suite, name)                                  \
  static void suite##name##Body();                                  \
  TEST(suite, name) { ::regress::InOwnProcess(suite##name##Body); } \
  static void suite##name##Body()

// TEST_P over calls, likewise.
#define BLACKBOX_TEST_P(suite, name)                              \
  static void suite##name##Body(::regress::Call call);            \
  TEST_P(suite, name) {                                           \
    const ::regress::Call call = GetParam();                      \
    ::regress::InOwnProcess([call] { suite##name##Body(call); }); \
  }                                                               \
  static void suite##name##Body([[maybe_unused]] ::regress::Call call)

#endif  // SSLSNCE_TESTS_REGRESS_BLACKBOX_BLACKBOX_TEST_H_
