/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// times_test.cc: a session's three times, as SSL_GetChannelInfo reports them,
// in seconds, as 32-bit numbers.

#include "blackbox_test.h"

namespace regress {
namespace {

constexpr PRUint32 kTimeout = 300;

uint32_t Seconds(PRTime time) { return static_cast<uint32_t>(time / kSecond); }

Outcome At(Site* site, size_t server, PRTime clock,
           const std::string& visitor = "visitor") {
  Side serving;
  serving.clock = clock;
  return site->Meet(server, serving, {}, visitor).server;
}

// ---- CreationTime ----

class CreationTime : public OfCall {};

BLACKBOX_TEST_P(CreationTime, IsThatOfTheFirstHandshakeWheneverItResumes) {
  NEEDS_MOCK_CLOCK();
  Site site(call, {5, kTimeout});
  EXPECT_EQ(Seconds(kStart), At(&site, 0, kStart).created);
  for (PRTime later : {1, 100, 299}) {
    Outcome resumed = At(&site, site.servers() - 1, kStart + later * kSecond);
    EXPECT_TRUE(resumed.resumed);
    EXPECT_EQ(Seconds(kStart), resumed.created);
  }
}

INSTANTIATE_TEST_SUITE_P(Calls, CreationTime, ::testing::ValuesIn(kAllCalls),
                         CallName);

// Tech Note 8: the creation time need not be the time of insertion. Here the
// clock moves on by a second each time that libssl reads it, so that the two
// times differ.
BLACKBOX_TEST(CreationTime, TheExpiryCountsFromItAndNotFromTheInsertion) {
  NEEDS_MOCK_CLOCK();
  Site site(Call::kConfig, {5, kTimeout});
  Side serving;
  serving.clock = kStart;
  serving.tick = kSecond;
  const Outcome first = site.Meet(0, serving).server;
  ASSERT_FALSE(first.resumed);
  const PRTime created = PRTime(first.created) * kSecond;
  ASSERT_GE(created, kStart);
  EXPECT_TRUE(site.Resumes(0, created + kTimeout * kSecond - 1));
  EXPECT_FALSE(site.Resumes(0, created + kTimeout * kSecond));
}

// ---- Access ----

class Access : public OfCall {};

BLACKBOX_TEST_P(Access, ALookupMovesTheTimeOfLastAccess) {
  NEEDS_MOCK_CLOCK();
  Site site(call, {5, kTimeout});
  EXPECT_EQ(Seconds(kStart), At(&site, 0, kStart).accessed);
  for (PRTime later : {20, 200, 299}) {
    const PRTime now = kStart + later * kSecond;
    Outcome resumed = At(&site, site.servers() - 1, now);
    EXPECT_TRUE(resumed.resumed);
    EXPECT_EQ(Seconds(now), resumed.accessed);
  }
}

BLACKBOX_TEST_P(Access, ALookupDoesNotMoveTheExpiry) {
  NEEDS_MOCK_CLOCK();
  Site site(call, {5, kTimeout});
  const uint32_t expires = At(&site, 0, kStart).expires;
  for (PRTime later = 10; later < kTimeout; later += 100) {
    Outcome resumed = At(&site, site.servers() - 1, kStart + later * kSecond);
    EXPECT_TRUE(resumed.resumed);
    EXPECT_EQ(expires, resumed.expires);
  }
  EXPECT_TRUE(site.Resumes(0, kStart + kTimeout * kSecond - 1));
  EXPECT_FALSE(site.Resumes(0, kStart + kTimeout * kSecond));
}

INSTANTIATE_TEST_SUITE_P(Calls, Access, ::testing::ValuesIn(kAllCalls),
                         CallName);

// ---- ChannelInfo ----

class ChannelInfo : public OfCall {};

BLACKBOX_TEST_P(ChannelInfo, ANewSessionExpiresItsTimeoutAfterItsCreation) {
  NEEDS_MOCK_CLOCK();
  Site site(call, {5, kTimeout});
  for (size_t server = 0; server < site.servers(); ++server) {
    const Outcome fresh = At(&site, server, kStart, NewVisitor());
    EXPECT_EQ(Seconds(kStart), fresh.created);
    EXPECT_EQ(Seconds(kStart) + kTimeout, fresh.expires);
  }
}

BLACKBOX_TEST_P(ChannelInfo, AResumedSessionTellsTheSame) {
  NEEDS_MOCK_CLOCK();
  Site site(call, {5, kTimeout});
  site.Begin(0, kStart);
  for (size_t server = 0; server < site.servers(); ++server) {
    const Outcome resumed = At(&site, server, kStart + 10 * kSecond);
    EXPECT_TRUE(resumed.resumed);
    EXPECT_EQ(Seconds(kStart), resumed.created);
    EXPECT_EQ(Seconds(kStart) + kTimeout, resumed.expires);
  }
}

BLACKBOX_TEST_P(ChannelInfo, WhatWasClampedIsToldAsClamped) {
  NEEDS_MOCK_CLOCK();
  Site site(call, {0, 1});
  EXPECT_EQ(Seconds(kStart) + 5, At(&site, 0, kStart).expires);
}

BLACKBOX_TEST_P(ChannelInfo, ASessionResumesUntilTheExpiryThatItTells) {
  NEEDS_MOCK_CLOCK();
  Site site(call, {5, kTimeout});
  const PRTime expires = PRTime(At(&site, 0, kStart).expires) * kSecond;
  const size_t judge = site.servers() - 1;
  EXPECT_TRUE(site.Resumes(judge, expires - 1));
  EXPECT_FALSE(site.Resumes(judge, expires));
}

INSTANTIATE_TEST_SUITE_P(Calls, ChannelInfo, ::testing::ValuesIn(kAllCalls),
                         CallName);

}  // namespace
}  // namespace regress
