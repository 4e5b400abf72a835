/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// limits_test.cc: the default and the limits of each class's timeout, tested by
// how long a session lives.

#include "pointer_test.h"

namespace nss_test {
namespace {

struct Limit {
  const char* name;
  uint32_t asked;
  uint32_t ssl2;
  uint32_t ssl3;
};
void PrintTo(const Limit& limit, std::ostream* os) { *os << limit.asked; }

constexpr Limit kLimits[] = {
    {"Zero", 0, kDefaultSsl2TimeoutSec, kDefaultSsl3TimeoutSec},
    {"1", 1, 5, 5},
    {"4", 4, 5, 5},
    {"5", 5, 5, 5},
    {"6", 6, 6, 6},
    {"99", 99, 99, 99},
    {"100", 100, 100, 100},
    {"101", 101, 100, 101},
    {"86399", 86399, 100, 86399},
    {"86400", 86400, 100, 86400},
    {"86401", 86401, 100, 86400},
    {"2To31", 0x80000000u, 100, 86400},
    {"Max", 0xffffffffu, 100, 86400}};

class ClassLimits : public PointerTest,
                    public ::testing::WithParamInterface<Limit> {};
INSTANTIATE_TEST_SUITE_P(Asked, ClassLimits, ::testing::ValuesIn(kLimits),
                         CaseName());

TEST_P(ClassLimits, ClampAnSsl2TimeoutTo5To100SecondsAndMakeZeroTheDefault) {
  Configure(GetParam().asked, 50);
  EXPECT_TRUE(server_->AllLiveFor(GetParam().ssl2, 50));
}

TEST_P(ClassLimits, ClampAnSsl3TimeoutTo5To86400SecondsAndMakeZeroTheDefault) {
  Configure(50, GetParam().asked);
  EXPECT_TRUE(server_->AllLiveFor(50, GetParam().ssl3));
}

TEST_P(ClassLimits, AreEachClasssOwnWhenBothAreAskedForTheSame) {
  Configure(GetParam().asked, GetParam().asked);
  EXPECT_TRUE(server_->AllLiveFor(GetParam().ssl2, GetParam().ssl3));
}

TEST_P(ClassLimits, AreTheSameForACacheOfManyProcesses) {
  ASSERT_EQ(SECSuccess, SSL_ConfigMPServerSIDCache(100, GetParam().asked,
                                                   GetParam().asked, nullptr));
  EXPECT_TRUE(server_->AllLiveFor(GetParam().ssl2, GetParam().ssl3));
}

TEST_P(ClassLimits, AreTheSameForACacheWithOptions) {
  ASSERT_EQ(SECSuccess, SSL_ConfigServerSessionIDCacheWithOpt(
                            GetParam().asked, GetParam().asked, nullptr, 100,
                            -1, -1, PR_FALSE));
  EXPECT_TRUE(server_->AllLiveFor(GetParam().ssl2, GetParam().ssl3));
}

TEST_P(ClassLimits, AreTheSameWhenACacheIsConfiguredAgain) {
  Configure(50, 50);
  Configure(GetParam().asked, GetParam().asked);
  EXPECT_TRUE(server_->AllLiveFor(GetParam().ssl2, GetParam().ssl3));
}

}  // namespace
}  // namespace nss_test
