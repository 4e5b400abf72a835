/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// clock_test.cc: clocks that jump, and clocks far from today.

#include "blackbox_test.h"

namespace regress {
namespace {

constexpr PRTime kTimeout = 300;

// ---- ClockSteps ----

class ClockSteps : public OfCall {};

BLACKBOX_TEST_P(ClockSteps, AStepForwardsWithinTheTimeoutEndsNothing) {
  NEEDS_MOCK_CLOCK();
  Site site(call, {5, kTimeout});
  site.Begin(0, kStart);
  EXPECT_TRUE(site.Resumes(0, kStart + (kTimeout - 1) * kSecond));
}

BLACKBOX_TEST_P(ClockSteps, AStepForwardsPastTheTimeoutEndsASession) {
  NEEDS_MOCK_CLOCK();
  Site site(call, {5, kTimeout});
  site.Begin(0, kStart);
  EXPECT_FALSE(site.Resumes(0, kStart + 3 * 365 * 86400 * kSecond));
}

// After a step back by more than two seconds ours makes a full handshake. Tech
// Note 8 does not promise that; tests/nss/hosts_test.cc tests it.
BLACKBOX_TEST_P(ClockSteps, AStepBackBeforeTheCreationMovesNoExpiry) {
  NEEDS_MOCK_CLOCK();
  Site site(call, {5, kTimeout});
  site.Begin(0, kStart);
  EXPECT_TRUE(site.Resumes(0, kStart - 2 * kSecond));
  EXPECT_TRUE(site.Resumes(0, kStart + kTimeout * kSecond - 1));
  EXPECT_FALSE(site.Resumes(0, kStart + kTimeout * kSecond));
}

// A session made while the clock was ahead lives on after the clock is set
// right, and a session made after that has a lifetime of its own.
BLACKBOX_TEST_P(ClockSteps, SessionsFromBeforeAndAfterAStepBackEachKeepTheirs) {
  NEEDS_MOCK_CLOCK();
  Site site(call, {5, kTimeout});
  const PRTime ahead = kStart + 86400 * kSecond;
  const std::string before = NewVisitor();
  const std::string after = NewVisitor();
  site.Begin(0, ahead, before);
  site.Begin(0, kStart, after);
  EXPECT_TRUE(site.Resumes(0, kStart + kTimeout * kSecond - 1, after));
  EXPECT_FALSE(site.Resumes(0, kStart + kTimeout * kSecond, after));
  EXPECT_TRUE(site.Resumes(0, ahead + kTimeout * kSecond - 1, before));
  EXPECT_FALSE(site.Resumes(0, ahead + kTimeout * kSecond, before));
}

INSTANTIATE_TEST_SUITE_P(Calls, ClockSteps, ::testing::ValuesIn(kAllCalls),
                         CallName);

// ---- FarFuture ----

constexpr PRTime kYear2038 = (PRTime(1) << 31) * kSecond;
constexpr PRTime kYear2106 = (PRTime(1) << 32) * kSecond;
// The longest timeout, in microseconds, does not fit 32 bits.
constexpr PRUint32 kDay = 86400;

class FarFuture : public OfCall {};

BLACKBOX_TEST_P(FarFuture, ASessionOf2038HasItsLifetime) {
  NEEDS_MOCK_CLOCK();
  Site site(call, {0, kDay});
  const size_t judge = site.servers() - 1;
  ExpectLifetime(&site, 0, judge, kYear2038 - 1, kDay);
  ExpectLifetime(&site, 0, judge, kYear2038, kDay);
  ExpectLifetime(&site, 0, judge, kYear2038 - kDay * kSecond, kDay);
}

BLACKBOX_TEST_P(FarFuture, ASessionOf2106HasItsLifetime) {
  NEEDS_MOCK_CLOCK();
  Site site(call, {0, kDay});
  const size_t judge = site.servers() - 1;
  ExpectLifetime(&site, 0, judge, kYear2106 - 1, kDay);
  ExpectLifetime(&site, 0, judge, kYear2106, kDay);
  ExpectLifetime(&site, 0, judge, kYear2106 - kDay * kSecond, kDay);
}

INSTANTIATE_TEST_SUITE_P(Calls, FarFuture, ::testing::ValuesIn(kAllCalls),
                         CallName);

BLACKBOX_TEST(FarFuture, ATimeoutAcross2038InOneSecondsSteps) {
  NEEDS_MOCK_CLOCK();
  Site site(Call::kConfig, {5, 5});
  for (PRTime before = 0; before <= 6; ++before) {
    ExpectLifetime(&site, 0, 0, kYear2038 - before * kSecond, 5);
  }
}

BLACKBOX_TEST(FarFuture, ATimeoutAcross2106InOneSecondsSteps) {
  NEEDS_MOCK_CLOCK();
  Site site(Call::kConfig, {5, 5});
  for (PRTime before = 0; before <= 6; ++before) {
    ExpectLifetime(&site, 0, 0, kYear2106 - before * kSecond, 5);
  }
}

// Timeouts around 2^31 and 2^32 microseconds; the latter is 71 minutes and a
// half.
BLACKBOX_TEST(FarFuture, ATimeoutAround2To32Microseconds) {
  NEEDS_MOCK_CLOCK();
  for (PRUint32 timeout : {4294u, 4295u, 2147u, 2148u}) {
    SSL_ShutdownServerSessionIDCache();
    Site site(Call::kConfig, {5, timeout});
    ExpectLifetime(&site, 0, 0, kStart, timeout);
  }
}

}  // namespace
}  // namespace regress
