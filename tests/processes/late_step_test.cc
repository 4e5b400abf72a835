/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// Cases that the model of the slot protocol (tests/model) found: several
// writers that are stopped or die at once.
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "gtest/gtest.h"
#include "sslsnce/snce.h"
#include "test_build.h"
#include "test_child.h"
#include "test_clock.h"
#include "test_region.h"
#include "test_session.h"
#include "test_stepper.h"

namespace snce_test {
namespace {

// The slots of the smallest table: three sets of ten.
constexpr uint64_t kSlots = 30;

// The offset of the session in the memory file |fd|, if it is there exactly
// once; else -1.
off_t OffsetOf(int fd, const Session& session) {
  const std::vector<off_t> found = FindInFile(fd, session.get()->id, 32);
  return found.size() == 1 ? found[0] : -1;
}

class SnceLateWriters : public ::testing::Test {
 protected:
  Watchdog watchdog_{300};
  Region region_{Options(1)};
  snceCache cache_ = region_.cache();
  snceTime now_ = At(kStart);
};

// Three claims of one slot; the first two were overridden in the middle of
// their stores. The first late writer stores another session's ID and thereby
// hides the entry from the removal. The second stores the same session again
// and makes the entry whole. Both have stored their checksum before.
TEST_F(SnceLateWriters, ARemovedSessionThatASecondOneMakesWholeStaysGone) {
  const Session mine(1, 1), other(2, 2);
  const snceKey key = mine.Key();
  ASSERT_EQ(SNCE_OK, mine.Insert(cache_, now_));
  const off_t at = OffsetOf(region_.fd(), mine);
  ASSERT_GT(at, 0);
  ASSERT_EQ(8, pwrite(region_.fd(), other.get()->id, 8, at));
  ASSERT_EQ(SNCE_MISS, Find(cache_, mine, now_));
  snceCache_Remove(cache_, &key);
  ASSERT_EQ(8, pwrite(region_.fd(), mine.get()->id, 8, at));
  EXPECT_EQ(SNCE_MISS, Find(cache_, mine, now_));
  EXPECT_EQ(0u, region_.Figures().live);
}

// A removal must not take out a whole entry of the same tag; there is one only
// by chance. If a slot was spoiled and stored anew, its entry is whole.
TEST_F(SnceLateWriters, ASpoiledSlotThatARemovalEmptiesIsUsedAgain) {
  const Session mine(1, 1);
  const snceKey key = mine.Key();
  const uint64_t nonsense = 1;
  ASSERT_EQ(SNCE_OK, mine.Insert(cache_, now_));
  const off_t at = OffsetOf(region_.fd(), mine);
  ASSERT_GT(at, 0);
  ASSERT_EQ(8, pwrite(region_.fd(), &nonsense, 8, at));
  EXPECT_EQ(SNCE_MISS, snceCache_Remove(cache_, &key));
  EXPECT_EQ(0u, region_.Figures().live);
  ASSERT_EQ(SNCE_OK, mine.Insert(cache_, now_));
  EXPECT_EQ(SNCE_OK, Find(cache_, mine, now_));
  EXPECT_EQ(SNCE_OK, snceCache_Remove(cache_, &key));
}

class SnceLateWriterSteps : public SnceLateWriters {
 protected:
  void SetUp() override {
    if (kSanitized) GTEST_SKIP() << "the plain build does this";
    if (CountSteps([] { return SNCE_OK; }) == 0)
      GTEST_SKIP() << "no process may be traced here";
  }
};

// A claim was once taken for dead when others had been made in its set. Where
// dead processes have claimed every slot, no process could make one.
TEST_F(SnceLateWriterSteps, WhereAWriterDiedInEverySlotTheNextFindsRoom) {
  const uint64_t steps =
      CountSteps([&] { return Session(1000).Insert(cache_, now_); });
  uint64_t deaths = 0;
  for (uint64_t serial = 0; serial < 8 * kSlots; ++serial) {
    Stepper victim([&] { return Session(serial).Insert(cache_, now_); });
    // At which instruction the claim and the publication come depends a little
    // on what the cache holds.
    if (!victim.Step(steps * (50 + serial % 50) / 100)) continue;
    victim.Kill();
    ++deaths;
  }
  uint64_t stored = 0;
  for (uint64_t serial = 0; serial < 64; ++serial) {
    const Session mine(5000 + serial);
    stored += mine.Insert(cache_, now_) == SNCE_OK &&
              Find(cache_, mine, now_) == SNCE_OK;
  }
  printf("after %d deaths %d of 64 were stored, %d slots taken back\n",
         int(deaths), int(stored), int(region_.Figures().reclaimed));
  EXPECT_EQ(64u, stored);
}

// The writer stores the rest of its words after the remover has wiped them, and
// ends before the remover marks the slot empty.
TEST_F(SnceLateWriterSteps, NothingIsLeftOfASessionRemovedWhileItWasStored) {
  const Session mine(1, 1);
  const snceKey key = mine.Key();
  auto insert = [&] { return mine.Insert(cache_, now_); };
  auto remove = [&] { return snceCache_Remove(cache_, &key); };
  const uint8_t* secret = mine.get()->state + sizeof(mine.get()->state) - 8;
  const uint64_t steps = CountSteps(insert);
  const uint64_t removing = CountSteps(remove);
  uint64_t tried = 0;
  for (uint64_t point = steps / 2; point < steps; point += 1 + steps / 50) {
    // The first removal runs to its end: its result shows whether the writer
    // had claimed its slot.
    for (uint64_t part = 17; part > 0; --part) {
      snceCache_Remove(cache_, &key);
      Stepper writer(insert);
      if (!writer.Step(point) || Find(cache_, mine, now_) == SNCE_OK) break;
      Stepper remover(remove);
      if (part < 17) remover.Step(removing * (9 + part) / 26);
      if (part == 17) remover.Finish();
      const snceResult result = writer.Finish();
      if (part < 17) remover.Finish();
      if (part == 17 && result == SNCE_OK) break;
      if (result == SNCE_OK) continue;
      ++tried;
      ASSERT_EQ(SNCE_MISS, Find(cache_, mine, now_));
      ASSERT_EQ(0u, CountInFile(region_.fd(), secret, 8))
          << "writer at " << point << ", remover's part " << part;
    }
  }
  printf("%d writers came too late\n", int(tried));
  EXPECT_GT(tried, 0u);
}

}  // namespace
}  // namespace snce_test
