/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// Processes store, look up and remove in a cache that grows all the while; some
// are killed and stopped at random. The cache is filled only to half, so that
// nothing may be evicted: a session that one process stored must be found by
// every other.
#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "sslsnce/snce.h"
#include "storm.h"
#include "test_build.h"
#include "test_child.h"
#include "test_clock.h"
#include "test_growth.h"
#include "test_region.h"
#include "test_session.h"

namespace snce_test {
namespace {

const snceTime kNow = At(kStart);
constexpr int kPatience = 60000;
constexpr unsigned kWriters = 4;
constexpr uint64_t kMost = 40000;  // sessions of one writer, in one round

// The state of a session, as its writer reports it. If the writer is killed
// while it stores or removes a session, that one keeps its state: nobody can
// tell whether it is there.
enum State : uint8_t { kAbsent, kStoring, kStored, kRemoving, kRemoved };

struct GrowTally {
  std::atomic<uint8_t> state[kWriters][kMost];
  std::atomic<uint64_t> next[kWriters];  // the next session to store
  std::atomic<uint64_t> looked, lost, mixed, returned, dropped, odd;
  std::atomic<uint64_t> first;  // the round, from which serials follow
};

class SnceGrowStorm : public ::testing::Test {
 protected:
  Session Of(unsigned writer, uint64_t number) const {
    // Every eighth session has a certificate; many share one.
    return Session((tally_->first * kWriters + writer) * kMost + number, number,
                   number % 8 == 0 ? kCertificate : kPlain);
  }
  void Begin(uint64_t round) {
    for (unsigned writer = 0; writer < kWriters; ++writer) {
      for (uint64_t i = 0; i < kMost; ++i) tally_->state[writer][i] = kAbsent;
      tally_->next[writer] = 0;
    }
    tally_->first = round;
  }
  // Looks up one session of any writer, and compares the result with what its
  // writer reported before and after.
  void LookUp(snceCache cache, uint64_t dice, Answer* answer) const {
    const unsigned writer = unsigned(dice % kWriters);
    const uint64_t next = tally_->next[writer];
    if (next == 0) return;
    const uint64_t number = (dice >> 8) % next;
    const std::atomic<uint8_t>& state = tally_->state[writer][number];
    const Session session = Of(writer, number);
    const uint8_t before = state;
    const snceResult result = answer->Lookup(cache, session.Key(), kNow);
    const uint8_t after = state;
    ++tally_->looked;
    tally_->odd += result != SNCE_OK && result != SNCE_MISS;
    tally_->lost += before == kStored && after == kStored && result != SNCE_OK;
    tally_->returned += before == kRemoved && result == SNCE_OK;
    tally_->mixed += result == SNCE_OK && !answer->Differs(session).empty();
  }
  // Stores |most| sessions, removes every fourth of them later, and looks up
  // sessions of all writers.
  int Write(snceCache cache, unsigned me, uint64_t most, uint64_t seed) const {
    Answer answer;
    while (tally_->next[me] < most) {
      const uint64_t number = tally_->next[me]++;
      std::atomic<uint8_t>& state = tally_->state[me][number];
      state = kStoring;
      const snceResult result = Of(me, number).Insert(cache, kNow);
      tally_->dropped += result == SNCE_DROPPED;
      tally_->odd += result != SNCE_OK && result != SNCE_DROPPED;
      state = result == SNCE_OK ? kStored : kAbsent;
      const uint64_t dice = Mix(seed * 1000003 + number);
      LookUp(cache, dice, &answer);
      LookUp(cache, Mix(dice), &answer);
      if (number % 4 != 3) continue;
      Remove(cache, me, number - (dice >> 40) % std::min<uint64_t>(number, 64));
    }
    return 0;
  }
  void Remove(snceCache cache, unsigned me, uint64_t number) const {
    std::atomic<uint8_t>& state = tally_->state[me][number];
    if (state != kStored) return;
    state = kRemoving;
    const Session session = Of(me, number);
    const snceKey key = session.Key();
    const snceResult result = snceCache_Remove(cache, &key);
    tally_->lost += result == SNCE_MISS;
    tally_->odd += result != SNCE_OK && result != SNCE_MISS;
    state = kRemoved;
  }
  // At rest: expects that each session is there or not, as its writer reported.
  // Returns how many are.
  uint64_t ExpectAll(snceCache cache) const {
    Answer answer;
    uint64_t live = 0, lost = 0, returned = 0, mixed = 0;
    for (unsigned writer = 0; writer < kWriters; ++writer) {
      for (uint64_t i = 0; i < tally_->next[writer]; ++i) {
        const Session session = Of(writer, i);
        const uint8_t state = tally_->state[writer][i];
        const snceResult result = answer.Lookup(cache, session.Key(), kNow);
        live += result == SNCE_OK;
        lost += state == kStored && result != SNCE_OK;
        returned +=
            (state == kRemoved || state == kAbsent) && result == SNCE_OK;
        mixed += result == SNCE_OK && !answer.Differs(session).empty();
      }
    }
    EXPECT_EQ(0u, lost);
    EXPECT_EQ(0u, returned) << "removed or dropped, and found";
    EXPECT_EQ(0u, mixed);
    return live;
  }
  void ExpectNoFault() const {
    EXPECT_EQ(0u, tally_->lost) << "of " << tally_->looked;
    EXPECT_EQ(0u, tally_->returned) << "removed and found";
    EXPECT_EQ(0u, tally_->mixed);
    EXPECT_EQ(0u, tally_->odd) << "results that should not be";
  }
  // Stops a writer; in the middle of a split, unless 30 tries meet none.
  static void StopInASplit(const Child& writer, snceCache cache,
                           uint64_t seed) {
    for (unsigned tries = 0; tries < 30; ++tries) {
      int status = 0;
      writer.Signal(SIGSTOP);
      ASSERT_EQ(writer.pid(), waitpid(writer.pid(), &status, WUNTRACED));
      ASSERT_TRUE(WIFSTOPPED(status)) << "it had ended: " << status;
      if (GrowthOf(cache).splitting) return;
      writer.Signal(SIGCONT);
      for (uint64_t i = Mix(seed * 100 + tries) % 20000; i > 0; --i)
        __asm__ volatile("");
    }
    int status = 0;
    writer.Signal(SIGSTOP);
    ASSERT_EQ(writer.pid(), waitpid(writer.pid(), &status, WUNTRACED));
    ASSERT_TRUE(WIFSTOPPED(status)) << "it had ended: " << status;
  }
  bool AllDone(uint64_t most) const {
    for (unsigned writer = 0; writer < kWriters; ++writer)
      if (tally_->next[writer] < most) return false;
    return true;
  }

  Watchdog watchdog_{unsigned(StormSeconds(0)) + 200};
  Shared<GrowTally> tally_;
};

TEST_F(SnceGrowStorm, KilledGrowersLoseNothingOfOthers) {
  // Each writer is in the middle of a split about half of the time.
  constexpr uint64_t kEntries = 200000;
  const uint64_t most = kSanitized ? kMost / 8 : kMost * 3 / 4;
  const Region region(kEntries);
  const snceCache cache = region.cache();
  uint64_t rounds = 0, kills = 0, killed_growing = 0, seed = 0;
  for (Ticks ticks(1000, StormSeconds(5)); rounds == 0 || ticks.Next();
       ++rounds) {
    ASSERT_NO_FATAL_FAILURE(Begin(rounds));
    std::vector<Child> writers(kWriters);
    const auto start = [&](unsigned me) {
      writers[me] = Child([&, me] { return Write(cache, me, most, ++seed); });
    };
    for (unsigned me = 0; me < kWriters; ++me) start(me);
    for (unsigned i = 0; i < 500 && !AllDone(most); ++i) {
      Pace(1 + int(Mix(i) % 3));
      const unsigned me = unsigned(Mix(rounds * 1000 + i) % kWriters);
      if (tally_->next[me] >= most) continue;
      writers[me].Signal(SIGKILL);
      ASSERT_NE(kTimedOut, writers[me].Wait(kPatience));
      killed_growing += GrowthOf(cache).splitting;
      ++kills;
      ++seed;
      start(me);
    }
    for (Child& writer : writers) ASSERT_EQ(0, writer.Wait(kPatience));
    ASSERT_NO_FATAL_FAILURE(ExpectNoFault());
    const uint64_t live = ExpectAll(cache);
    ASSERT_GE(live, most * kWriters / 2);
    EXPECT_EQ(0u, region.Figures().replacedLive);
    const Growth growth = GrowthOf(cache);
    EXPECT_GE(growth.used * GrowthPageSlots(), live);
    // An entry that a dead writer left does not come back in another table.
    const snceCacheOptions options =
        Options(rounds % 2 ? kEntries : kEntries * 5 / 4);
    ASSERT_EQ(SNCE_OK, snceCache_Configure(cache, &options));
    EXPECT_EQ(live, ExpectAll(cache));
    ASSERT_EQ(SNCE_OK, snceCache_Flush(cache));
    if (HasFailure()) break;
  }
  printf(
      "%d rounds, %d killed, at %d of which a split was left half; %d lookups, "
      "%d inserts dropped\n",
      int(rounds), int(kills), int(killed_growing), int(tally_->looked),
      int(tally_->dropped));
  EXPECT_GT(kills, 0u);
}

TEST_F(SnceGrowStorm, AStoppedGrowerStopsNobody) {
  constexpr uint64_t kEntries = 40000;
  constexpr uint64_t kHalf = kEntries * 3 / 10;
  const unsigned rounds = kSanitized ? 2 : 10;
  unsigned splitting = 0;
  for (unsigned round = 0; round < rounds; ++round) {
    const Region region(kEntries);
    const snceCache cache = region.cache();
    const uint64_t empty = snceRegion_ResidentBytes(region.get());
    ASSERT_NO_FATAL_FAILURE(Begin(round));
    // Three writers make it grow; each is stopped, most in the middle of a
    // split.
    std::vector<Child> stopped;
    for (unsigned me = 0; me < 3; ++me) {
      stopped.emplace_back([&, me] { return Write(cache, me, 10000, me); });
      for (unsigned i = 0; i < 10000 && tally_->next[me] < 10; ++i) Pace(1);
      ASSERT_NO_FATAL_FAILURE(
          StopInASplit(stopped.back(), cache, round * 3 + me));
      splitting += GrowthOf(cache).splitting;
    }
    // Another writer goes on.
    ASSERT_EQ(0, Write(cache, 3, kHalf, 99));
    ASSERT_NO_FATAL_FAILURE(ExpectNoFault());
    const uint64_t live = ExpectAll(cache);
    const Growth half = GrowthOf(cache);
    const uint64_t took = snceRegion_ResidentBytes(region.get()) - empty;
    EXPECT_GE(half.used * GrowthPageSlots(), live * 3 / 2);
    EXPECT_LE(took, 2 * live * 232 + (1u << 20) + 400000 /* certificates */);
    // The table grows to its full size, though these processes stand still.
    for (uint64_t i = 0; i < kEntries; ++i)
      ASSERT_EQ(SNCE_OK, Session(uint64_t{1} << 50 | i).Insert(cache, kNow));
    EXPECT_EQ(half.pages, GrowthOf(cache).used);
    EXPECT_FALSE(GrowthOf(cache).splitting);
    EXPECT_GE(region.Figures().live * 1000, kEntries * 995);
    // They wake up when the table already uses all its pages.
    for (Child& child : stopped) {
      child.Signal(SIGCONT);
      ASSERT_EQ(0, child.Wait(kPatience));
    }
    EXPECT_EQ(half.pages, GrowthOf(cache).used);
    EXPECT_EQ(0u, tally_->mixed);
    EXPECT_EQ(0u, tally_->returned);
    tally_->lost = 0;  // the full cache evicts sessions
    EXPECT_GE(region.Figures().live * 1000, kEntries * 995);
    if (HasFailure()) break;
  }
  printf("%d of %d stopped in the middle of a split\n", int(splitting),
         int(3 * rounds));
}

}  // namespace
}  // namespace snce_test
