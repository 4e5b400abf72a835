/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// creation_test.cc: a session's lifetime counts from the creation time that the
// caller gave it, near to now or not.

#include "pointer_test.h"

namespace nss_test {
namespace {

class CreationTime : public VersionTest {
 protected:
  void SetUp() override {
    VersionTest::SetUp();
    Configure(GetParam(), 20, 90);
  }
  // Makes a session created at |creation| and caches it at the server's time.
  Sid MakeCachedOf(PRTime creation) {
    Sid sid = server_->Make(GetParam());
    ShimSetTimes(sid.get(), creation, server_->now(),
                 creation + kTicketLifetime);
    server_->Cache(sid);
    return sid;
  }
};
INSTANTIATE_TEST_SUITE_P(Versions, CreationTime, ::testing::ValuesIn(kVersions),
                         CaseName());

TEST_P(CreationTime, IsKeptAsGivenWhenItIsTheTimeOfTheInsertion) {
  Sid sid = server_->MakeCached(GetParam());
  EXPECT_EQ(kStart, Fields(sid).creationTime);
  Sid found = server_->Lookup(sid);
  ASSERT_TRUE(found);
  EXPECT_EQ(kStart, Fields(found).creationTime);
}

TEST_P(CreationTime, IsKeptAsGivenWhenItIsEarlierThanTheInsertion) {
  const PRTime creation = kStart - 7 * kSecond + 3;
  Sid sid = MakeCachedOf(creation);
  EXPECT_EQ(creation, Fields(sid).creationTime);
  EXPECT_EQ(creation + 20 * kSecond, Fields(sid).expirationTime);
  Sid found = server_->Lookup(sid);
  ASSERT_TRUE(found);
  EXPECT_EQ(creation, Fields(found).creationTime);
  EXPECT_EQ(creation + 20 * kSecond, Fields(found).expirationTime);
}

TEST_P(CreationTime, IsWhatTheExpiryCountsFromAndNotTheInsertion) {
  for (PRTime age : {PRTime{1}, 7 * kSecond, 20 * kSecond - 2}) {
    server_->SetClock(kStart);
    Sid sid = MakeCachedOf(kStart - age);
    EXPECT_TRUE(server_->Ends(sid, kStart - age + 20 * kSecond)) << age;
  }
}

TEST_P(CreationTime, OfLongAgoMakesASessionThatIsDeadWhenItIsCached) {
  for (PRTime age : {20 * kSecond, 20 * kSecond + 1, 1000000 * kSecond}) {
    EXPECT_FALSE(server_->Finds(MakeCachedOf(kStart - age))) << age;
  }
}

TEST_P(CreationTime, IsNowForASessionThatHasNone) {
  Sid sid = server_->Make(GetParam());
  ShimSetTimes(sid.get(), 0, 0, 0);
  const PRTime before = PR_Now();
  server_->Cache(sid);
  const PRTime after = PR_Now();
  const ShimFields f = Fields(sid);
  EXPECT_LE(before, f.creationTime);
  EXPECT_GE(after, f.creationTime);
  EXPECT_EQ(f.creationTime, f.lastAccessTime);
  EXPECT_EQ(f.creationTime + 20 * kSecond, f.expirationTime);
  EXPECT_TRUE(server_->LivesFor(sid, 20));
}

TEST_P(CreationTime, ComesBackUnchangedFromEveryLookup) {
  Sid sid = server_->MakeCached(GetParam());
  for (PRTime age = 0; age < 20 * kSecond; age += 3 * kSecond + 11) {
    server_->SetClock(kStart + age);
    Sid found = server_->Lookup(sid);
    ASSERT_TRUE(found);
    EXPECT_EQ(kStart, Fields(found).creationTime);
  }
}

TEST_P(CreationTime, OfTheLaterSessionCountsWhereTwoHaveOneId) {
  Sid first = server_->MakeCached(GetParam());
  Sid second = Twin(first);
  const PRTime later = kStart + 11 * kSecond;
  ShimSetTimes(second.get(), later, later, later + kTicketLifetime);
  server_->SetClock(later);
  server_->Cache(second);
  EXPECT_TRUE(server_->Ends(second, later + 20 * kSecond));
}

// A time at which 31 or 32 bits of seconds (2038, 2106) or of microseconds end,
// or the year 2500.
struct Edge {
  std::string name;
  Version version;
  PRTime time;
};
void PrintTo(const Edge& edge, std::ostream* os) { *os << edge.time; }

std::vector<Edge> Edges() {
  constexpr PRTime k31 = PRTime{1} << 31;
  constexpr PRTime k32 = PRTime{1} << 32;
  const std::pair<const char*, PRTime> times[] = {
      {"2To31Seconds", k31 * kSecond},
      {"2To32Seconds", k32 * kSecond},
      {"2To31Microseconds", k31},
      {"2To32Microseconds", k32},
      // Later times at which the low 31 or 32 bits of microseconds end.
      {"LowMicroseconds31", kStart / k32 * k32 + k31},
      {"LowMicroseconds32", (kStart / k32 + 1) * k32},
      {"LowMicrosecondsOf2038", (k31 * kSecond / k32 + 1) * k32},
      {"LowMicrosecondsOf2106", (k32 * kSecond / k32 + 1) * k32},
      {"Year2500", PRTime{16725225600} * kSecond}};
  std::vector<Edge> edges;
  for (const Version& version : kClasses) {
    for (const auto& t : times) {
      edges.push_back({std::string(version.name) + t.first, version, t.second});
    }
  }
  return edges;
}

// Uses the longest timeouts: 86,400 s in microseconds do not fit 32 bits.
class FarFuture : public PointerTest,
                  public ::testing::WithParamInterface<Edge> {
 protected:
  void SetUp() override {
    PointerTest::SetUp();
    Configure(kLongestSsl2, kLongestSsl3);
  }
  static uint32_t Timeout() {
    return GetParam().version.is_ssl2() ? kLongestSsl2 : kLongestSsl3;
  }
  ::testing::AssertionResult LivesWhenCreatedAt(PRTime creation) {
    server_->SetClock(creation);
    Sid sid = server_->MakeCached(GetParam().version);
    const PRTime end = creation + Timeout() * kSecond;
    if (Fields(sid).creationTime != creation ||
        Fields(sid).expirationTime != end) {
      return ::testing::AssertionFailure()
             << "created at " << Fields(sid).creationTime << ", expires at "
             << Fields(sid).expirationTime;
    }
    Sid found = server_->Lookup(sid);
    if (!found) return ::testing::AssertionFailure() << "dead at its creation";
    if (Fields(found).creationTime != creation ||
        Fields(found).expirationTime != end) {
      return ::testing::AssertionFailure()
             << "found as created at " << Fields(found).creationTime
             << " and expiring at " << Fields(found).expirationTime;
    }
    return server_->Ends(sid, end);
  }
};
INSTANTIATE_TEST_SUITE_P(Edges, FarFuture, ::testing::ValuesIn(Edges()),
                         CaseName());

TEST_P(FarFuture, SessionsCreatedAboutTheEdgeLiveTheirTime) {
  const PRTime edge = GetParam().time;
  for (PRTime distance :
       {-kSecond, PRTime{-1}, PRTime{0}, PRTime{1}, kSecond}) {
    EXPECT_TRUE(LivesWhenCreatedAt(edge + distance)) << distance;
  }
}

TEST_P(FarFuture, SessionsThatTheEdgeEndsLiveTheirTime) {
  const PRTime first = GetParam().time - Timeout() * kSecond;
  // No session has a creation time before 1970.
  if (first - kSecond <= 0) return;
  for (PRTime distance :
       {-kSecond, PRTime{-1}, PRTime{0}, PRTime{1}, kSecond}) {
    EXPECT_TRUE(LivesWhenCreatedAt(first + distance)) << distance;
  }
}

TEST_P(FarFuture, SessionsThatLiveAcrossTheEdgeLiveTheirTime) {
  const PRTime before = GetParam().time - Timeout() * kSecond / 2;
  if (before <= 0) return;
  EXPECT_TRUE(LivesWhenCreatedAt(before));
}

}  // namespace
}  // namespace nss_test
