/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// access_test.cc: using a session does not prolong it.

#include "pointer_test.h"

namespace nss_test {
namespace {

class Access : public VersionTest {
 protected:
  void SetUp() override {
    VersionTest::SetUp();
    Configure(GetParam(), 20, 90);
  }
};
INSTANTIATE_TEST_SUITE_P(Versions, Access, ::testing::ValuesIn(kVersions),
                         CaseName());

TEST_P(Access, MovesTheLastAccessTime) {
  Sid sid = server_->MakeCached(GetParam());
  EXPECT_EQ(kStart, Fields(sid).lastAccessTime);
  for (PRTime age : {PRTime{1}, 7 * kSecond, 20 * kSecond - 1}) {
    server_->SetClock(kStart + age);
    Sid found = server_->Lookup(sid);
    ASSERT_TRUE(found);
    EXPECT_EQ(kStart + age, Fields(found).lastAccessTime);
  }
}

TEST_P(Access, DoesNotMoveTheExpiryHoweverOften) {
  const PRTime end = kStart + 20 * kSecond;
  Sid sid = server_->MakeCached(GetParam());
  for (PRTime age = 0; age < 20 * kSecond; age += kSecond) {
    server_->SetClock(kStart + age);
    Sid found = server_->Lookup(sid);
    ASSERT_TRUE(found);
    EXPECT_EQ(end, Fields(found).expirationTime);
  }
  EXPECT_TRUE(server_->Ends(sid, end));
}

TEST_P(Access, ByAnotherSocketDoesNotMoveTheExpiry) {
  Sid sid = server_->MakeCached(GetParam());
  Server other(kStart + 19 * kSecond);
  EXPECT_TRUE(other.Finds(sid));
  EXPECT_TRUE(server_->LivesFor(sid, 20));
}

TEST_P(Access, WithoutASocketDoesNotMoveTheExpiry) {
  Sid sid = server_->MakeCached(GetParam());
  const ShimFields f = Fields(sid);
  EXPECT_TRUE(
      Sid(ShimLookupDefault(kStart + 19 * kSecond, f.address, f.id, f.idLen)));
  EXPECT_TRUE(server_->LivesFor(sid, 20));
}

TEST_P(Access, AndCachingWhatWasFoundDoNotMoveTheExpiry) {
  Sid sid = server_->MakeCached(GetParam());
  server_->SetClock(kStart + 15 * kSecond);
  Sid found = server_->Lookup(sid);
  ASSERT_TRUE(found);
  server_->Cache(found);
  EXPECT_EQ(kStart + 20 * kSecond, Fields(found).expirationTime);
  EXPECT_TRUE(server_->LivesFor(sid, 20));
}

TEST_P(Access, BeforeASessionIsCachedDoesNotMoveTheExpiry) {
  // The sid's last access is later than its creation.
  Sid sid = server_->Make(GetParam());
  ShimSetTimes(sid.get(), kStart, kStart + 13 * kSecond,
               kStart + kTicketLifetime);
  server_->SetClock(kStart + 13 * kSecond);
  server_->Cache(sid);
  EXPECT_TRUE(server_->LivesFor(sid, 20));
}

}  // namespace
}  // namespace nss_test
