/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// A set at one look: what the loops say, and that vectors say the same.
#include <string>

#include "gtest/gtest.h"
#include "looks.h"
#include "test_session.h"

namespace snce_test {
namespace {

constexpr uint32_t kClass1 = 1u << 31;  // in a stamp
constexpr uint32_t kNow = 1700000000u & 0x7fffffff;
constexpr unsigned kAllWays = 0x3ff;

// A set whose ways are full, each stored |age| seconds before kNow.
Looked Full(uint32_t age) {
  Looked looked = {};
  for (unsigned way = 0; way < LOOKS_WAYS; ++way) {
    looked.version[way] = FullVersion(way, TagOf(way << 5));
    looked.stamp[way] = (kNow - age) & 0x7fffffff;
  }
  looked.nowSec = kNow;
  looked.timeoutSec[0] = 100;
  looked.timeoutSec[1] = 86400;
  looked.aheadSec = 60;
  looked.ways = kAllWays;
  return looked;
}

void ExpectSame(const Looked& looked, const std::string& what) {
  const Seen plain = LookPlain(&looked);
  const Seen built = LookAsBuilt(&looked);
  ASSERT_EQ(plain.full, built.full) << what;
  ASSERT_EQ(plain.busy, built.busy) << what;
  ASSERT_EQ(plain.visited, built.visited) << what;
  ASSERT_EQ(plain.tagged, built.tagged) << what;
  ASSERT_EQ(plain.hand, built.hand) << what;
  ASSERT_EQ(plain.taggedAgain, built.taggedAgain) << what;
  ASSERT_EQ(plain.expired, built.expired) << what;
}

// The ways that have been there longest, of two sets.
struct Longest {
  explicit Longest(const Looked& a, const Looked& b = Looked()) {
    const Looked both[2] = {a, b};
    found = LongestAsBuilt(both, ways);
    uint32_t plain[2];
    EXPECT_EQ(LongestPlain(both, plain), found);
    if (found) {
      EXPECT_EQ(plain[0], ways[0]);
      EXPECT_EQ(plain[1], ways[1]);
    }
  }
  bool found;
  uint32_t ways[2];
};

TEST(SnceLook, TellsTheStatesOfTheWays) {
  Looked looked = Full(5);
  looked.version[0] = 0;
  looked.version[3] = BusyVersion(9, 1, TagOf(3 << 5));
  looked.version[9] = BusyVersion(9, 1, TagOf(9 << 5));
  looked.version[4] = UsedVersion(looked.version[4], 3);
  looked.version[8] = UsedVersion(looked.version[8], 3);
  const Seen seen = LookAsBuilt(&looked);
  EXPECT_EQ(kAllWays & ~(1u << 0 | 1u << 3 | 1u << 9), seen.full);
  EXPECT_EQ(1u << 3 | 1u << 9, seen.busy);
  EXPECT_EQ(1u << 4 | 1u << 8, seen.visited);
  ExpectSame(looked, "states");
}

TEST(SnceLook, FindsTheTagInFullWaysOnly) {
  Looked looked = Full(5);
  looked.tag = TagOf(0xabcdef00);
  looked.version[2] = FullVersion(77, looked.tag);
  looked.version[7] = UsedVersion(FullVersion(1u << 31, looked.tag), 500);
  looked.version[9] = BusyVersion(1, 2, looked.tag);
  const Seen seen = LookAsBuilt(&looked);
  EXPECT_EQ(1u << 2 | 1u << 7, seen.tagged);
  EXPECT_EQ(1u << 2 | 1u << 7, seen.taggedAgain);
  ExpectSame(looked, "tags");
}

TEST(SnceLook, TheClockIsTheSumOfTheGenerations) {
  Looked looked = Full(5);
  for (unsigned way = 0; way < LOOKS_WAYS; ++way)
    looked.version[way] = FullVersion(0xffffff00u + 25 * way, 0);
  EXPECT_EQ(uint8_t(25 * 45), LookAsBuilt(&looked).hand);
  ExpectSame(looked, "hand");
}

TEST(SnceLook, AStampExpiresAfterTheTimeoutOfItsClass) {
  Looked looked = Full(0);
  looked.stamp[0] = kNow - 100;
  looked.stamp[1] = kNow - 101;
  looked.stamp[2] = (kNow - 101) | kClass1;
  looked.stamp[3] = (kNow - 86400) | kClass1;
  looked.stamp[9] = (kNow - 86401) | kClass1;
  looked.stamp[5] = kNow + 50;  // ahead of the clock
  EXPECT_EQ(1u << 1 | 1u << 9, LookAsBuilt(&looked).expired);
  ExpectSame(looked, "expired");
  looked.timeoutSec[0] = looked.timeoutSec[1] = UINT32_MAX;
  EXPECT_EQ(0u, LookAsBuilt(&looked).expired);
  ExpectSame(looked, "never");
}

TEST(SnceLook, TheIdlestIsFoundInEitherSet) {
  Looked looked = Full(10);
  looked.order = ORDER_IDLEST;
  looked.stamp[6] = kNow - 90;
  looked.stamp[1] = kNow - 91;
  looked.version[1] = UsedVersion(looked.version[1], 60);  // idle since 31
  EXPECT_EQ(1u << 6, Longest(looked).ways[0]);
  looked.ways &= ~(1u << 6);
  EXPECT_EQ(1u << 1, Longest(looked).ways[0]);
  Looked other = Full(10);
  other.stamp[9] = kNow - 32;
  const Longest longest(looked, other);
  EXPECT_EQ(0u, longest.ways[0]);
  EXPECT_EQ(1u << 9, longest.ways[1]);
  other.ways = looked.ways = 0;
  EXPECT_FALSE(Longest(looked, other).found);
}

TEST(SnceLook, OfThoseIdleAsLongAllAreFoundAndWhatWasNeverUsedIsIdleLonger) {
  Looked looked = Full(10);
  looked.order = ORDER_IDLEST;
  EXPECT_EQ(kAllWays, Longest(looked).ways[0]);
  looked.version[8] = UsedVersion(looked.version[8], 0);
  EXPECT_EQ(kAllWays & ~(1u << 8), Longest(looked).ways[0]);
  looked.order = ORDER_OLDEST;
  EXPECT_EQ(kAllWays, Longest(looked).ways[0]);
}

TEST(SnceLook, TheYoungestAreFoundOnlyIfTheyAreAskedFor) {
  Looked looked = Full(0);
  EXPECT_EQ(kAllWays, Longest(looked).ways[0]);
  looked.order = ORDER_OLDEST_NOT_0;
  EXPECT_FALSE(Longest(looked).found);
  looked.stamp[4] = kNow - 1;
  looked.version[4] = UsedVersion(looked.version[4], 1);
  EXPECT_EQ(1u << 4, Longest(looked).ways[0]);
}

// Every step in which the time of the last use is kept, at every age near it.
TEST(SnceLook, VectorsKnowEveryTimeOfLastUse) {
  for (uint32_t sec = 0; sec < 1u << 30; sec += 1 + sec / 17) {
    for (uint32_t later : {0u, 1u, 2u, sec / 9, sec}) {
      const uint64_t age = uint64_t{sec} + later;
      if (age > 0x3fffffff) continue;
      Looked looked = Full(uint32_t(age));
      for (unsigned way = 0; way < LOOKS_WAYS; ++way)
        looked.version[way] =
            UsedVersion(looked.version[way], sec + way < sec ? sec : sec + way);
      looked.order = ORDER_IDLEST;
      for (looked.ways = kAllWays; looked.ways; looked.ways &= looked.ways - 1)
        Longest{looked};
      ASSERT_FALSE(HasFailure()) << "used after " << sec << ", age " << age;
    }
  }
}

TEST(SnceLook, VectorsSeeInAnyWordsWhatLoopsSee) {
  Looked before = Full(3);
  uint64_t dice = 1;
  for (int round = 0; round < 20000; ++round) {
    Looked looked;
    auto next = [&dice] { return dice = Mix(dice + 1); };
    looked.tag = TagOf(next());
    const bool wild = round % 2;
    for (unsigned way = 0; way < LOOKS_WAYS; ++way) {
      looked.version[way] = next();
      looked.stamp[way] = uint32_t(next());
      if (!wild) {  // tags that agree, ages of hours
        looked.version[way] = (next() & ~(TagOf(~0ull) | 3)) | next() % 3 |
                              (next() % 2 ? looked.tag : TagOf(next()));
        looked.stamp[way] = ((kNow - uint32_t(next() % 200000)) & 0x7fffffff) |
                            uint32_t(next() << 31);
      }
    }
    looked.nowSec = wild ? uint32_t(next()) & 0x7fffffff : kNow;
    looked.aheadSec = uint32_t(next() % 302);
    looked.timeoutSec[0] = uint32_t(next() >> (32 + next() % 32));
    looked.timeoutSec[1] = uint32_t(next() >> (32 + next() % 32));
    looked.ways = uint32_t(next()) & kAllWays;
    looked.order = int(next() % 3);
    ExpectSame(looked, "round " + std::to_string(round));
    Longest(looked, before);
    ASSERT_FALSE(HasFailure()) << "round " << round;
    before = looked;
  }
}

TEST(SnceLook, WaysAreCounted) {
  for (uint32_t ways = 0; ways <= kAllWays; ++ways) {
    const unsigned number = unsigned(__builtin_popcount(ways));
    ASSERT_EQ(number, NumberOfWays(ways, 0));
    ASSERT_EQ(number + 10, NumberOfWays(kAllWays, ways));
  }
}

}  // namespace
}  // namespace snce_test
