/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// A clock that steps by years, back and forth, over the limits of 31 and 32
// bits and before 1970. Every session that a lookup returns is alive by the
// clock of the caller, and the cache takes as many new sessions as ever.
#include <cctype>
#include <ostream>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "sslsnce/snce.h"
#include "test_clock.h"
#include "test_region.h"
#include "test_session.h"

namespace snce_test {
namespace {

constexpr uint64_t kEntries = 1000;
constexpr int64_t kYear = 31556952 * kSecond;
constexpr int64_t kTimeout = 86400 * kSecond;  // of class ssl3

struct Step {
  const char* name;
  int64_t from;
  int64_t to;
};

void PrintTo(const Step& step, std::ostream* out) { *out << step.name; }

const Step kSteps[] = {
    {"50 years ahead", kStart, kStart + 50 * kYear},
    {"50 years back", kStart, kStart - 50 * kYear},
    {"50 years back, before 1970", 0, -50 * kYear},
    {"30 years ahead", kStart, kStart + 30 * kYear},
    {"30 years back", kStart, kStart - 30 * kYear},
    {"40 years ahead", kStart, kStart + 40 * kYear},
    {"40 years back", kStart, kStart - 40 * kYear},
    {"68 years ahead", kStart, kStart + 68 * kYear},
    {"68 years back", kStart, kStart - 68 * kYear},
    {"two days ahead", kStart, kStart + 2 * kTimeout},
    {"two days back", kStart, kStart - 2 * kTimeout},
    {"an hour back", kStart, kStart - 3600 * kSecond},
    {"four minutes back", kStart, kStart - 240 * kSecond},
    {"half a minute back", kStart, kStart - 30 * kSecond},
    {"to 1970, as without a battery", kStart, 0},
    {"from 1970 to now", 5 * kSecond, kStart},
    {"over 2038", (int64_t{INT32_MAX} - 5) * kSecond,
     (int64_t{INT32_MAX} + 2 * 86400) * kSecond},
    {"back over 2038", (int64_t{INT32_MAX} + 86400) * kSecond,
     (int64_t{INT32_MAX} - 86400) * kSecond},
    {"over 2106", (int64_t{UINT32_MAX} - 5) * kSecond,
     (int64_t{UINT32_MAX} + 2 * 86400) * kSecond},
    {"back over 2106", (int64_t{UINT32_MAX} + 86400) * kSecond,
     (int64_t{UINT32_MAX} - 86400) * kSecond},
    {"over 1970", -100 * kSecond, 2 * kTimeout},
};

snceCacheOptions WithSkew(uint32_t sec) {
  snceCacheOptions options = Options(kEntries);
  options.clockSkewSec = sec;
  return options;
}

class SnceClockStep : public ::testing::TestWithParam<Step> {
 protected:
  // Stores |count| sessions from |at| on, one each millisecond.
  void Store(uint64_t first, uint64_t count, int64_t at) {
    for (uint64_t i = 0; i < count; ++i) {
      const snceTime now = At(at + int64_t(i) * 1000);
      ASSERT_EQ(SNCE_OK,
                Session(first + i).Created(now).Insert(region_.cache(), now));
    }
  }
  uint64_t Found(uint64_t first, uint64_t count, int64_t at) {
    uint64_t found = 0;
    for (uint64_t i = 0; i < count; ++i)
      found += Find(region_.cache(), Session(first + i), At(at)) == SNCE_OK;
    return found;
  }

  Region region_{WithSkew(2)};
};

TEST_P(SnceClockStep, WhatIsFoundIsAliveByTheClockOfWhoAsks) {
  const Step step = GetParam();
  Store(0, kEntries, step.from);
  const uint64_t live = region_.Figures().live;
  const bool back = step.to < step.from;
  EXPECT_EQ(0u, Found(0, kEntries, step.to));
  // Sessions from the future stay, and are found when the clock is set right;
  // lookups have wiped those that they met expired.
  EXPECT_EQ(back ? live : 0, region_.Figures().live);
  EXPECT_EQ(back ? live : 0, region_.Figures().missesFuture);
  EXPECT_EQ(back ? live : 0, Found(0, kEntries, step.from + kSecond));
}

// One insert in four sweeps its two sets for expired sessions.
TEST_P(SnceClockStep, NoSweepTakesOutWhatIsOfTheFuture) {
  const Step step = GetParam();
  if (step.to > step.from) return;  // no session is from the future
  Store(0, kEntries / 2, step.from);
  Store(100000, kEntries / 4, step.to);
  EXPECT_EQ(0u, region_.Figures().wiped);
  EXPECT_EQ(0u, region_.Figures().replacedExpired);
  EXPECT_EQ(kEntries / 2, Found(0, kEntries / 2, step.from + kSecond));
}

TEST_P(SnceClockStep, AFullCacheTakesAsManyNewSessions) {
  const Step step = GetParam();
  Store(0, 3 * kEntries, step.from);
  // Store the new ones over ten seconds, so that their ages differ.
  for (uint64_t part = 0; part < 10; ++part)
    Store(100000 + part * 100, 100, step.to + int64_t(part) * kSecond);
  const uint64_t found = Found(100000, kEntries, step.to + 10 * kSecond);
  printf("%s: %d of %d\n", step.name, int(found), int(kEntries));
  EXPECT_GE(found, kEntries * 95 / 100);
}

// Sessions stored after the step are evicted by their own age.
TEST_P(SnceClockStep, EvictionGoesOnAfterIt) {
  const Step step = GetParam();
  Store(0, kEntries, step.from);
  for (uint64_t part = 0; part < 50; ++part)
    Store(100000 + part * 100, 100, step.to + int64_t(part) * kSecond);
  const uint64_t last = Found(104500, 500, step.to + 50 * kSecond);
  EXPECT_GE(last, 450u) << "of the last 500 of 5000";
  EXPECT_LE(region_.Figures().live, region_.Figures().slots);
}

// Two machines, whose clocks are 200 seconds apart, share a cache.
TEST(SnceClock, WhatIsAheadIsEvictedFirstOnlyIfNoLookupWouldReturnIt) {
  for (uint32_t skew : {2u, 300u}) {
    Region region(WithSkew(skew));
    const auto store = [&](uint64_t first, uint64_t count, int64_t created,
                           int64_t now) {
      for (uint64_t i = 0; i < count; ++i)
        ASSERT_EQ(SNCE_OK, Session(first + i)
                               .Created(At(created))
                               .Insert(region.cache(), At(now)));
    };
    const auto found = [&](uint64_t first, uint64_t count, int64_t now) {
      uint64_t n = 0;
      for (uint64_t i = 0; i < count; ++i)
        n += Find(region.cache(), Session(first + i), At(now)) == SNCE_OK;
      return n;
    };
    const int64_t ahead = kStart + 200 * kSecond;
    store(0, 3 * kEntries, kStart - 100 * kSecond, kStart - 100 * kSecond);
    store(10000, 300, ahead, ahead);
    store(20000, 300, kStart, kStart);
    const uint64_t stay = found(10000, 300, ahead);
    printf("skew %u: %d of 300 stay\n", skew, int(stay));
    if (skew == 2) {
      EXPECT_LE(stay, 150u);
    } else {
      EXPECT_GE(stay, 295u);
    }
    EXPECT_GE(found(20000, 300, kStart), 295u);
  }
}

INSTANTIATE_TEST_SUITE_P(Steps, SnceClockStep, ::testing::ValuesIn(kSteps),
                         [](const ::testing::TestParamInfo<Step>& info) {
                           std::string name = info.param.name;
                           for (char& c : name)
                             if (!isalnum(static_cast<unsigned char>(c)))
                               c = '_';
                           return name;
                         });

}  // namespace
}  // namespace snce_test
