/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// A second thread changes the version of a slot all the time, so that each
// compare-and-swap of a removal may fail. After some tries the removal takes
// what is there without a comparison, by a claim half of all generations away.
// The tests recognise the last try by that.
#include <atomic>
#include <cstring>
#include <functional>
#include <thread>

#include "collisions.h"
#include "gtest/gtest.h"
#include "snceversion.h"
#include "sslsnce/snce.h"
#include "test_clock.h"
#include "test_region.h"
#include "test_session.h"
#include "words.h"

namespace snce_test {
namespace {

class SnceRemoval : public ::testing::Test {
 protected:
  // The slot of the only session.
  uint64_t Slot() const {
    uint64_t slot = 0;
    while (snceVersion_State(Version(slot)) != SNCE_STATE_FULL) ++slot;
    return slot;
  }
  uint64_t Version(uint64_t slot) const {
    return WordsVersion(region_.get(), 0, slot);
  }
  // Finds the slot in which |session| lies in an empty cache, and leaves the
  // cache empty again.
  uint64_t Alone(const Session& session) const {
    const snceKey key = session.Key();
    EXPECT_EQ(SNCE_OK, session.Insert(region_.cache(), At(kStart)));
    const uint64_t slot = Slot();
    EXPECT_EQ(SNCE_OK, snceCache_Remove(region_.cache(), &key));
    return slot;
  }
  // Removes |key| while another thread repeats |change|. True if the removal
  // came to its last try.
  bool RemoveDuring(const std::function<bool(uint64_t)>& change,
                    const snceKey& key, snceResult* result) const {
    const uint64_t slot = Slot();
    const uint64_t before = Version(slot) >> 63;
    std::atomic<bool> began{false}, ended{false};
    std::thread other([&] {
      while (!ended && change(slot)) began = true;
      began = true;
    });
    while (!began) std::this_thread::yield();
    *result = snceCache_Remove(region_.cache(), &key);
    ended = true;
    other.join();
    return Version(slot) >> 63 != before;
  }

  Watchdog watchdog_{120};
  Region region_{Options(1)};
};

// How many rounds it takes until a removal comes to its last try depends on
// what else runs: mostly one or two. With one processor it never does.
constexpr int kRounds = 20000;
constexpr char kNever[] = "the other thread never ran at the same time";

TEST_F(SnceRemoval, WhoseSlotNeverRestsGivesTheCertificateBack) {
  int last = 0;
  for (int i = 0; i < kRounds && last == 0; ++i) {
    const Session mine = Session(i).Certificate(Bytes(i + 1, 900));
    snceResult result = SNCE_DROPPED;
    ASSERT_EQ(SNCE_OK, mine.Insert(region_.cache(), At(kStart)));
    last += RemoveDuring(
        [&](uint64_t slot) { return WordsNoteUse(region_.get(), 0, slot); },
        mine.Key(), &result);
    ASSERT_EQ(SNCE_OK, result);
    const snceFigures figures = region_.Figures();
    ASSERT_EQ(uint64_t(i) + 1, figures.removals);
    ASSERT_EQ(0u, figures.live) << "after " << last << " at the last try";
    ASSERT_EQ(0u, figures.certificates);
    ASSERT_EQ(0u, figures.overridden);
  }
  if (last == 0) GTEST_SKIP() << kNever;
}

// The last try may take out another key's session, which the removal then does
// not count as its own.
TEST_F(SnceRemoval, WhoseSlotNeverRestsCountsWhatIsItsOwn) {
  Session others(0);
  uint64_t serial = 1;
  int last = 0;
  // Find one that takes the same slot as |others| when each is alone: some meet
  // only in the second set of |others|.
  do {
    ASSERT_TRUE(FindCollision(region_.cache(), Session(serial).get()->id,
                              others.get()->id));
  } while (Alone(Session(serial)) != Alone(others) && ++serial < 30);
  const Session mine(serial);
  for (int i = 0; i < kRounds && last == 0; ++i) {
    snceResult result = SNCE_DROPPED;
    const snceKey key = others.Key();
    ASSERT_EQ(SNCE_OK, others.Insert(region_.cache(), At(kStart)));
    const uint64_t slot = Slot();
    const uint64_t removals = region_.Figures().removals;
    last += RemoveDuring(
        [&](uint64_t slot) { return WordsRenew(region_.get(), 0, slot); },
        mine.Key(), &result);
    ASSERT_EQ(SNCE_MISS, result) << "after " << last << " at the last try";
    ASSERT_EQ(removals, region_.Figures().removals);
    snceCache_Remove(region_.cache(), &key);
    ASSERT_EQ(0u, region_.Figures().live);
    // Make the slot usable again at once: the two sessions meet only there.
    WordsSetVersion(region_.get(), 0, slot, WordsEmpty(1000 * (i + 1)));
  }
  if (last == 0) GTEST_SKIP() << kNever;
}

}  // namespace
}  // namespace snce_test
