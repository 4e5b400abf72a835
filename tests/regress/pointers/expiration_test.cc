/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// expiration_test.cc: the cache ignores the expirationTime that a caller puts
// into a session. Protocol code puts the lifetime of tickets there, which
// matters to the client only.

#include <limits>

#include "pointer_test.h"

namespace nss_test {
namespace {

constexpr uint32_t kSsl2Timeout = 20;
constexpr uint32_t kSsl3Timeout = 300;

enum class Expiration {
  kOfProtocolCode,
  kZero,
  kRight,
  kOneLess,
  kOneMore,
  kTooLong,
  kTooShort,
  kAtCreation,
  kInThePast,
  kOneMicrosecondAfter1970,
  kNegative,
  kLargest
};

struct Given {
  std::string name;
  Version version;
  Expiration expiration;
};
void PrintTo(const Given& given, std::ostream* os) { *os << given.name; }

std::vector<Given> Cases() {
  const std::pair<const char*, Expiration> expirations[] = {
      {"OfProtocolCode", Expiration::kOfProtocolCode},
      {"Zero", Expiration::kZero},
      {"Right", Expiration::kRight},
      {"OneLess", Expiration::kOneLess},
      {"OneMore", Expiration::kOneMore},
      {"TooLong", Expiration::kTooLong},
      {"TooShort", Expiration::kTooShort},
      {"AtCreation", Expiration::kAtCreation},
      {"InThePast", Expiration::kInThePast},
      {"OneMicrosecondAfter1970", Expiration::kOneMicrosecondAfter1970},
      {"Negative", Expiration::kNegative},
      {"Largest", Expiration::kLargest}};
  std::vector<Given> cases;
  for (const Version& version : kClasses) {
    for (const auto& e : expirations) {
      cases.push_back({std::string(version.name) + e.first, version, e.second});
    }
  }
  return cases;
}

class CallersExpiration : public PointerTest,
                          public ::testing::WithParamInterface<Given> {
 protected:
  void SetUp() override {
    PointerTest::SetUp();
    Configure(kSsl2Timeout, kSsl3Timeout);
  }

  // The time at which the cache's timeout ends a session created at kStart.
  static PRTime End() {
    return kStart +
           (GetParam().version.is_ssl2() ? kSsl2Timeout : kSsl3Timeout) *
               kSecond;
  }
  static PRTime Value() {
    switch (GetParam().expiration) {
      case Expiration::kOfProtocolCode:
        return kStart + kTicketLifetime;
      case Expiration::kZero:
        return 0;
      case Expiration::kRight:
        return End();
      case Expiration::kOneLess:
        return End() - 1;
      case Expiration::kOneMore:
        return End() + 1;
      case Expiration::kTooLong:
        return End() + 3600 * kSecond;
      case Expiration::kTooShort:
        return kStart + kSecond;
      case Expiration::kAtCreation:
        return kStart;
      case Expiration::kInThePast:
        return kStart - 3600 * kSecond;
      case Expiration::kOneMicrosecondAfter1970:
        return 1;
      case Expiration::kNegative:
        return -kSecond;
      case Expiration::kLargest:
        return std::numeric_limits<PRTime>::max();
    }
    return 0;
  }
  Sid Make() {
    Sid sid = server_->Make(GetParam().version);
    if (GetParam().expiration != Expiration::kOfProtocolCode) {
      ShimSetTimes(sid.get(), kStart, kStart, Value());
    }
    return sid;
  }
};
INSTANTIATE_TEST_SUITE_P(Given, CallersExpiration, ::testing::ValuesIn(Cases()),
                         CaseName());

TEST_P(CallersExpiration, IsReplacedByTheCachesOwn) {
  Sid sid = Make();
  server_->Cache(sid);
  EXPECT_EQ(End(), Fields(sid).expirationTime);
  EXPECT_EQ(kStart, Fields(sid).creationTime);
}

TEST_P(CallersExpiration, DoesNotDecideWhenTheSessionEnds) {
  Sid sid = Make();
  server_->Cache(sid);
  EXPECT_TRUE(server_->Ends(sid, End()));
}

TEST_P(CallersExpiration, IsNotWhatALookupReturns) {
  Sid sid = Make();
  server_->Cache(sid);
  Sid found = server_->Lookup(sid);
  ASSERT_TRUE(found);
  EXPECT_EQ(End(), Fields(found).expirationTime);
}

TEST_P(CallersExpiration, IsIgnoredWhenTheSessionIsCachedAgain) {
  Sid sid = Make();
  server_->Cache(sid);
  server_->Uncache(sid);
  ShimSetTimes(sid.get(), kStart, kStart, Value());
  server_->Cache(sid);
  EXPECT_EQ(End(), Fields(sid).expirationTime);
  EXPECT_TRUE(server_->Ends(sid, End()));
}

TEST_P(CallersExpiration, IsIgnoredWhereItReplacesASessionOfTheSameId) {
  Sid first = server_->MakeCached(GetParam().version);
  Sid second = Twin(first);
  ShimSetTimes(second.get(), kStart, kStart, Value());
  server_->Cache(second);
  EXPECT_EQ(End(), Fields(second).expirationTime);
  EXPECT_TRUE(server_->Ends(second, End()));
}

}  // namespace
}  // namespace nss_test
