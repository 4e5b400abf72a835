/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// More processes than processors, none of which is killed: one or another is
// always preempted in the middle of an insert. No claim may be taken back, and
// no session spoiled (G2, rule 5).
//
// SNCE_PREEMPTED_OPERATIONS=1000000000 sets how many operations each test
// makes, in all processes together.
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <vector>

#include "gtest/gtest.h"
#include "sslsnce/snce.h"
#include "test_build.h"
#include "test_child.h"
#include "test_clock.h"
#include "test_region.h"
#include "test_session.h"
#include "test_ticks.h"

namespace snce_test {
namespace {

constexpr int kProcesses = 4;
constexpr int kPatience = 3600 * 1000;  // milliseconds, for the longest form

uint64_t Operations() {
  const char* given = getenv("SNCE_PREEMPTED_OPERATIONS");
  if (given != nullptr) return strtoull(given, nullptr, 10);
  return kSanitized ? 400000 : 12000000;
}

struct Tally {
  uint64_t ticks;  // their clock, which stands still when the machine does
  uint64_t operations[kProcesses];
  uint64_t dropped[kProcesses];
  uint64_t missed[kProcesses];  // own sessions that should have been found
  bool done[kProcesses];
};

class SncePreempted : public ::testing::Test {
 protected:
  // Each process repeatedly stores, finds and removes |keys| sessions of its
  // own in a cache of |entries|. |evicts|: others may evict them. |pauses|:
  // processes are stopped in turn.
  void Run(uint64_t entries, uint64_t keys, bool evicts, bool pauses) {
    Region region(Options(entries));
    Shared<Tally> tally;
    TicksUse(region.get(), &tally->ticks);
    std::vector<Child> children;
    for (int me = 0; me < kProcesses; ++me) {
      children.emplace_back([&, me] {
        Work(region.cache(), uint64_t(me) * 1000000, keys, evicts, me, &*tally);
        return 0;
      });
    }
    // Stop a process for as long as a quota of processor time does.
    for (int turn = 0; !AllDone(*tally) && turn < kPatience / 100; ++turn) {
      const Child& one = children[turn % kProcesses];
      const bool pause = pauses && !tally->done[turn % kProcesses];
      if (pause) one.Signal(SIGSTOP);
      Pace(100);
      if (pause) one.Signal(SIGCONT);
      Pace(5);
      ++tally->ticks;
    }
    uint64_t operations = 0, dropped = 0, missed = 0;
    for (int me = 0; me < kProcesses; ++me) {
      EXPECT_EQ(0, children[me].Wait(kPatience));
      operations += tally->operations[me];
      dropped += tally->dropped[me];
      missed += tally->missed[me];
    }
    const snceFigures figures = region.Figures();
    printf("%llu operations, %llu inserts lost four races\n",
           (unsigned long long)operations, (unsigned long long)dropped);
    EXPECT_EQ(0u, figures.reclaimed) << "taken back from running processes";
    EXPECT_EQ(0u, figures.corrupt) << "spoiled";
    EXPECT_EQ(0u, missed) << "sessions lost";
    EXPECT_EQ(dropped, figures.dropped);
  }

 private:
  static bool AllDone(const Tally& tally) {
    for (bool done : tally.done) {
      if (!done) return false;
    }
    return true;
  }
  static void Work(snceCache cache, uint64_t first, uint64_t keys, bool evicts,
                   int me, Tally* tally) {
    std::vector<Session> sessions;
    for (uint64_t i = 0; i < keys; ++i) sessions.emplace_back(first + i, i);
    Answer answer;
    const uint64_t most = Operations() / kProcesses;
    for (uint64_t round = 0; tally->operations[me] < most; ++round) {
      const Session& mine = sessions[round % keys];
      const snceKey key = mine.Key();
      const bool stored = mine.Insert(cache, At(kStart)) == SNCE_OK;
      tally->dropped[me] += !stored;
      const snceResult found = answer.Lookup(cache, key, At(kStart));
      if (stored && !evicts) tally->missed[me] += found != SNCE_OK;
      if (found == SNCE_OK) tally->missed[me] += !answer.Mixed().empty();
      tally->operations[me] += 2;
      if (evicts && round % 16 != 0) continue;
      const snceResult removed = snceCache_Remove(cache, &key);
      if (stored && !evicts) tally->missed[me] += removed != SNCE_OK;
      tally->operations[me] += 1;
    }
    tally->done[me] = true;
  }
};

// The cache is so small that every process meets the claims of all others all
// the time.
TEST_F(SncePreempted, NothingIsTakenFromThemWhereEverythingIsEvicted) {
  Run(2, 64, true, false);
}

TEST_F(SncePreempted, NothingIsTakenFromThemInAHalfFullCache) {
  Run(64, 8, false, false);
}

TEST_F(SncePreempted, NothingIsTakenFromThemThrottledAndEvicting) {
  Run(2, 64, true, true);
}

TEST_F(SncePreempted, NothingIsTakenFromThemThrottledInAHalfFullCache) {
  Run(64, 8, false, true);
}

}  // namespace
}  // namespace snce_test
