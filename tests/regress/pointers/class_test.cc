/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// class_test.cc: each class of sessions has a timeout of its own.

#include "pointer_test.h"

namespace nss_test {
namespace {

class OwnClass : public VersionTest {};
INSTANTIATE_TEST_SUITE_P(Versions, OwnClass, ::testing::ValuesIn(kVersions),
                         CaseName());

TEST_P(OwnClass, LivesForItsOwnTimeoutThoughTheOthersIsLonger) {
  Configure(GetParam(), 20, 90);
  EXPECT_TRUE(server_->LivesFor(server_->MakeCached(GetParam()), 20));
}

TEST_P(OwnClass, LivesForItsOwnTimeoutThoughTheOthersIsShorter) {
  Configure(GetParam(), 90, 20);
  EXPECT_TRUE(server_->LivesFor(server_->MakeCached(GetParam()), 90));
}

TEST_P(OwnClass, IsNotMovedBySessionsOfTheOtherClassBesideIt) {
  for (uint32_t own : {20, 90}) {
    server_->SetClock(kStart);
    Configure(GetParam(), own, 110 - own);
    Sid before = server_->MakeCached(Other());
    Sid sid = server_->MakeCached(GetParam());
    Sid after = server_->MakeCached(Other());
    EXPECT_TRUE(server_->LivesFor(sid, own));
    EXPECT_TRUE(server_->LivesFor(before, 110 - own));
    EXPECT_TRUE(server_->LivesFor(after, 110 - own));
  }
}

TEST_P(OwnClass, IsTimedByTheClockOfTheSocketThatAsks) {
  Configure(GetParam(), 20, 90);
  Sid sid = server_->MakeCached(GetParam());
  Server slow(kStart + 20 * kSecond - 1);
  Server fast(kStart + 20 * kSecond);
  EXPECT_TRUE(slow.Finds(sid));
  EXPECT_FALSE(fast.Finds(sid));
}

TEST_P(OwnClass, IsTimedByTheTimeGivenWhereNoSocketAsks) {
  Configure(GetParam(), 20, 90);
  ShimFields f = Fields(server_->MakeCached(GetParam()));
  auto found = [&f](PRTime now) {
    return Sid(ShimLookupDefault(now, f.address, f.id, f.idLen)) != nullptr;
  };
  EXPECT_TRUE(found(kStart + 20 * kSecond - 1));
  EXPECT_FALSE(found(kStart + 20 * kSecond));
}

TEST_P(OwnClass, IsTheSameWhicheverCallConfiguredTheCache) {
  const bool ssl2 = GetParam().is_ssl2();
  ASSERT_EQ(SECSuccess, SSL_ConfigMPServerSIDCache(100, ssl2 ? 21 : 91,
                                                   ssl2 ? 91 : 21, nullptr));
  EXPECT_TRUE(server_->LivesFor(server_->MakeCached(GetParam()), 21));
  SSL_ShutdownServerSessionIDCache();
  server_->SetClock(kStart);
  ASSERT_EQ(SECSuccess, SSL_ConfigServerSessionIDCacheWithOpt(
                            ssl2 ? 22 : 92, ssl2 ? 92 : 22, nullptr, 100, -1,
                            -1, PR_FALSE));
  EXPECT_TRUE(server_->LivesFor(server_->MakeCached(GetParam()), 22));
}

}  // namespace
}  // namespace nss_test
