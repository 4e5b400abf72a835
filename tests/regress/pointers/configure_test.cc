/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// configure_test.cc: caches one after the other, and a cache that gets other
// timeouts while sessions are in it.

#include "pointer_test.h"

namespace nss_test {
namespace {

class OneAfterAnother : public PointerTest {
 protected:
  struct Times {
    uint32_t ssl2;
    uint32_t ssl3;
  };
  // Configures each of |caches| in turn and shuts it down before the next.
  // Expects that in each a session of every version lives for its class's
  // timeout there.
  void ExpectEachItsOwn(const std::vector<Times>& caches) {
    for (const Times& times : caches) {
      Configure(times.ssl2, times.ssl3);
      EXPECT_TRUE(server_->AllLiveFor(times.ssl2, times.ssl3));
      ASSERT_EQ(SECSuccess, SSL_ShutdownServerSessionIDCache());
    }
  }
};

TEST_F(OneAfterAnother, TheSecondHasItsOwnTimesWhenTheyAreShorter) {
  ExpectEachItsOwn({{80, 3000}, {10, 20}});
}

TEST_F(OneAfterAnother, TheSecondHasItsOwnTimesWhenTheyAreLonger) {
  ExpectEachItsOwn({{10, 20}, {80, 3000}});
}

TEST_F(OneAfterAnother, TheSecondHasItsOwnTimesWhenOneIsShorterOneLonger) {
  ExpectEachItsOwn({{10, 3000}, {80, 20}});
  ExpectEachItsOwn({{80, 20}, {10, 3000}});
}

TEST_F(OneAfterAnother, TheSecondHasItsOwnTimesWhenOneIsTheSame) {
  ExpectEachItsOwn({{10, 20}, {10, 30}, {40, 30}});
}

TEST_F(OneAfterAnother, AskingForDefaultsDoesNotGetTheFirstOnesTimes) {
  ExpectEachItsOwn({{5, 7}});
  Configure(0, 0);
  EXPECT_TRUE(
      server_->AllLiveFor(kDefaultSsl2TimeoutSec, kDefaultSsl3TimeoutSec));
}

TEST_F(OneAfterAnother, AskingForOneDefaultDoesNotGetTheFirstOnesTime) {
  ExpectEachItsOwn({{5, 7}});
  Configure(0, 8);
  EXPECT_TRUE(server_->AllLiveFor(kDefaultSsl2TimeoutSec, 8));
  SSL_ShutdownServerSessionIDCache();
  Configure(9, 0);
  EXPECT_TRUE(server_->AllLiveFor(9, kDefaultSsl3TimeoutSec));
}

TEST_F(OneAfterAnother, AskingForTimesDoesNotGetTheFirstOnesDefaults) {
  Configure(0, 0);
  EXPECT_TRUE(
      server_->AllLiveFor(kDefaultSsl2TimeoutSec, kDefaultSsl3TimeoutSec));
  SSL_ShutdownServerSessionIDCache();
  ExpectEachItsOwn({{5, 7}});
}

TEST_F(OneAfterAnother, EachHasItsOwnTimesWhicheverCallMadeIt) {
  for (int round = 0; round < 2; ++round) {
    Configure(10 + round, 200 + round);
    EXPECT_TRUE(server_->AllLiveFor(10 + round, 200 + round));
    SSL_ShutdownServerSessionIDCache();
    ASSERT_EQ(SECSuccess,
              SSL_ConfigMPServerSIDCache(100, 60 + round, 30 + round, nullptr));
    EXPECT_TRUE(server_->AllLiveFor(60 + round, 30 + round));
    SSL_ShutdownServerSessionIDCache();
    ASSERT_EQ(SECSuccess,
              SSL_ConfigServerSessionIDCacheWithOpt(
                  20 + round, 400 + round, nullptr, 100, -1, -1, PR_TRUE));
    EXPECT_TRUE(server_->AllLiveFor(20 + round, 400 + round));
    SSL_ShutdownServerSessionIDCache();
  }
}

TEST_F(OneAfterAnother, TheSecondHasNoneOfTheFirstOnesSessions) {
  Configure(80, 3000);
  Sid ssl2 = server_->MakeCached(kSsl2);
  Sid ssl3 = server_->MakeCached(kTls12);
  SSL_ShutdownServerSessionIDCache();
  Configure(80, 3000);
  EXPECT_FALSE(server_->Finds(ssl2));
  EXPECT_FALSE(server_->Finds(ssl3));
}

class Retimed : public VersionTest {};
INSTANTIATE_TEST_SUITE_P(Versions, Retimed, ::testing::ValuesIn(kVersions),
                         CaseName());

TEST_P(Retimed, ToAShorterTimeShortensSessionsThatAreThere) {
  Configure(GetParam(), 60, 60);
  Sid sid = server_->MakeCached(GetParam());
  Configure(GetParam(), 10, 60);
  EXPECT_TRUE(server_->LivesFor(sid, 10));
}

TEST_P(Retimed, ToALongerTimeLengthensSessionsThatAreThere) {
  Configure(GetParam(), 10, 10);
  Sid sid = server_->MakeCached(GetParam());
  Configure(GetParam(), 60, 10);
  EXPECT_TRUE(server_->LivesFor(sid, 60));
}

TEST_P(Retimed, LeavesTheOtherClassItsTime) {
  for (uint32_t own : {10, 90}) {
    server_->SetClock(kStart);
    Configure(GetParam(), 50, 60);
    Sid other = server_->MakeCached(Other());
    Configure(GetParam(), own, 60);
    EXPECT_TRUE(server_->LivesFor(other, 60));
  }
}

TEST_P(Retimed, ToZeroGivesTheDefault) {
  Configure(GetParam(), 10, 10);
  Sid sid = server_->MakeCached(GetParam());
  Configure(0, 0);
  EXPECT_TRUE(server_->LivesFor(sid, GetParam().is_ssl2()
                                         ? kDefaultSsl2TimeoutSec
                                         : kDefaultSsl3TimeoutSec));
}

TEST_P(Retimed, SaysSoInTheExpirationThatALookupReturns) {
  Configure(GetParam(), 50, 60);
  Sid sid = server_->MakeCached(GetParam());
  for (uint32_t own : {10, 90}) {
    Configure(GetParam(), own, 60);
    Sid found = server_->Lookup(sid);
    ASSERT_TRUE(found);
    EXPECT_EQ(kStart + own * kSecond, Fields(found).expirationTime);
  }
}

TEST_P(Retimed, ThereAndBackIsAsItWas) {
  Configure(GetParam(), 50, 60);
  Sid sid = server_->MakeCached(GetParam());
  Configure(GetParam(), 10, 60);
  Configure(GetParam(), 50, 60);
  EXPECT_TRUE(server_->LivesFor(sid, 50));
}

TEST_P(Retimed, CountsForSessionsThatComeLater) {
  Configure(GetParam(), 50, 60);
  for (uint32_t own : {10, 90}) {
    server_->SetClock(kStart);
    Configure(GetParam(), own, 60);
    Sid sid = server_->MakeCached(GetParam());
    EXPECT_EQ(kStart + own * kSecond, Fields(sid).expirationTime);
    EXPECT_TRUE(server_->LivesFor(sid, own));
  }
}

TEST_P(Retimed, WhileItGrowsIsNoDifferent) {
  for (uint32_t own : {10, 90}) {
    server_->SetClock(kStart);
    Configure(GetParam(), 50, 60);
    Sid sid = server_->MakeCached(GetParam());
    Sid other = server_->MakeCached(Other());
    const bool ssl2 = GetParam().is_ssl2();
    ASSERT_EQ(SECSuccess,
              SSL_ConfigServerSessionIDCache(20000, ssl2 ? own : 60,
                                             ssl2 ? 60 : own, nullptr));
    EXPECT_TRUE(server_->LivesFor(sid, own));
    EXPECT_TRUE(server_->LivesFor(other, 60));
    ASSERT_EQ(SECSuccess, SSL_ShutdownServerSessionIDCache());
  }
}

TEST_P(Retimed, ByAChildCountsInItsParent) {
  ASSERT_EQ(SECSuccess, SSL_ConfigMPServerSIDCache(100, 50, 50, nullptr));
  Sid sid = server_->MakeCached(GetParam());
  Sid other = server_->MakeCached(Other());
  const bool ssl2 = GetParam().is_ssl2();
  EXPECT_EQ(0, InFork([ssl2] {
              STAGE_CHECK(SSL_ConfigMPServerSIDCache(100, ssl2 ? 10 : 60,
                                                     ssl2 ? 60 : 10,
                                                     nullptr) == SECSuccess);
              return 0;
            }));
  EXPECT_TRUE(server_->LivesFor(sid, 10));
  EXPECT_TRUE(server_->LivesFor(other, 60));
}

}  // namespace
}  // namespace nss_test
