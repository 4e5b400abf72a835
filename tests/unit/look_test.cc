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
  return looked;
}

void ExpectSame(const Looked& looked, const std::string& what) {
  const Seen plain = LookPlain(&looked);
  const Seen built = LookAsBuilt(&looked);
  ASSERT_EQ(plain.full, built.full) << what;
  ASSERT_EQ(plain.busy, built.busy) << what;
  ASSERT_EQ(plain.visited, built.visited) << what;
  ASSERT_EQ(plain.tagged, built.tagged) << what;
  ASSERT_EQ(plain.taggedAgain, built.taggedAgain) << what;
  ASSERT_EQ(plain.expired, built.expired) << what;
  ASSERT_EQ(plain.ranked, built.ranked) << what;
}

void ExpectSameCrowd(const Looked& a, const Looked& b) {
  const Looked both[2] = {a, b};
  unsigned used = 0, plain = 0;
  const bool crowded = CrowdedAsBuilt(both, &used);
  ASSERT_EQ(CrowdedPlain(both, &plain), crowded);
  ASSERT_EQ(plain, used);
}

// The way at |place| of an order.
unsigned At(uint64_t order, unsigned place) { return order >> 4 * place & 15; }

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

TEST(SnceLook, TheHandIsTheSumOfTheGenerations) {
  Looked looked = Full(5);
  unsigned unused;
  for (unsigned way = 0; way < LOOKS_WAYS; ++way)
    looked.version[way] = FullVersion(0xffffff00u + 25 * way, 0);
  looked.version[3] = UsedVersion(looked.version[3], 1);
  EXPECT_EQ(uint8_t(25 * 45) % 10, HandOf(&looked, &unused));
  EXPECT_EQ(9u, unused);
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

TEST(SnceLook, TwoSetsAreCrowdedIfTheyAreFullAndTheTagIsInNeither) {
  const Looked full = Full(5);
  unsigned used;
  for (unsigned way = 0; way < 2 * LOOKS_WAYS; ++way) {
    Looked both[2] = {full, full};
    uint64_t* version = &both[way / 10].version[way % 10];
    both[0].tag = TagOf(0xabcdef00);
    *version = UsedVersion(*version, 5);
    ExpectSameCrowd(both[0], both[1]);
    EXPECT_TRUE(CrowdedAsBuilt(both, &used));
    EXPECT_EQ(1u, used);
    for (const uint64_t other :
         {uint64_t{0}, BusyVersion(1, 2, 0), FullVersion(1, both[0].tag)}) {
      *version = other;
      ExpectSameCrowd(both[0], both[1]);
      EXPECT_FALSE(CrowdedAsBuilt(both, &used));
    }
  }
}

TEST(SnceLook, TheIdlestIsRankedFirstAndWhatWasNeverUsedBeforeTheOthers) {
  Looked looked = Full(10);
  unsigned unused;
  looked.stamp[6] = kNow - 90;
  looked.stamp[1] = kNow - 191;
  looked.version[1] = UsedVersion(looked.version[1], 100);  // idle for 80
  looked.stamp[9] = kNow - 300;
  looked.version[9] = UsedVersion(looked.version[9], 290);
  const unsigned hand = HandOf(&looked, &unused);
  const uint64_t order = LookAsBuilt(&looked).ranked;
  EXPECT_EQ(8u, unused);
  EXPECT_EQ(6u, At(order, 0));
  EXPECT_EQ(1u, At(order, 8));
  EXPECT_EQ(9u, At(order, 9));
  // Those that are idle as long go round the hand.
  unsigned way = hand;
  for (unsigned place = 1; place < 8; ++place, way = (way + 1) % 10) {
    while (way == 6 || way == 1 || way == 9) way = (way + 1) % 10;
    EXPECT_EQ(way, At(order, place)) << place;
  }
  ExpectSame(looked, "ranked");
}

TEST(SnceLook, OfThoseIdleAsLongWhatWasNeverUsedIsIdleLonger) {
  Looked looked = Full(10);
  looked.version[8] = UsedVersion(looked.version[8], 0);
  EXPECT_EQ(22u, IdleOf(&looked, 7));
  EXPECT_EQ(21u, IdleOf(&looked, 8));
}

TEST(SnceLook, NothingExpiresUntilTheFirstStampDoes) {
  Looked looked = Full(40);
  looked.stamp[3] = (kNow - 86000) | kClass1;
  EXPECT_EQ(60u, LeftOf(&looked, kAllWays));
  EXPECT_EQ(400u, LeftOf(&looked, 1u << 3));
  EXPECT_EQ(UINT32_MAX, LeftOf(&looked, 0));
  looked.stamp[4] = kNow - 101;
  EXPECT_EQ(0u, LeftOf(&looked, kAllWays));
}

TEST(SnceLook, OnlyAnOlderOneGoesForOneThatIsCarried) {
  Looked looked = Full(0);
  uint32_t age;
  EXPECT_EQ(0u, OldestBefore(&looked, kAllWays, kNow, &age));
  looked.stamp[4] = kNow - 1;
  looked.version[4] = UsedVersion(looked.version[4], 1);
  EXPECT_EQ(1u << 4, OldestBefore(&looked, kAllWays, kNow, &age));
  EXPECT_EQ(1u, age);
  looked.stamp[7] = kNow - 30;
  looked.stamp[2] = kNow - 30;
  looked.stamp[3] = kNow + 1000000;
  EXPECT_EQ(1u << 7 | 1u << 2, OldestBefore(&looked, kAllWays, kNow, &age));
  EXPECT_EQ(1u << 4, OldestBefore(&looked, 1u << 4, kNow, &age));
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
      ExpectSame(looked, "used after " + std::to_string(sec) + ", age " +
                             std::to_string(age));
      ASSERT_FALSE(HasFailure());
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
      if (!wild) {  // tags that agree, ages of hours; often full
        looked.version[way] = (next() & ~(TagOf(~0ull) | 3)) |
                              (round % 4 ? 1 : next() % 3) |
                              (next() % 16 == 0 ? looked.tag : TagOf(next()));
        looked.stamp[way] = ((kNow - uint32_t(next() % 200000)) & 0x7fffffff) |
                            uint32_t(next() << 31);
      }
    }
    looked.nowSec = wild ? uint32_t(next()) & 0x7fffffff : kNow;
    looked.aheadSec = uint32_t(next() % 302);
    looked.timeoutSec[0] = uint32_t(next() >> (32 + next() % 32));
    looked.timeoutSec[1] = uint32_t(next() >> (32 + next() % 32));
    ExpectSame(looked, "round " + std::to_string(round));
    ExpectSameCrowd(looked, looked);
    ExpectSameCrowd(looked, before);
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
