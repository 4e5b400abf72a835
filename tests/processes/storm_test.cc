/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// Workers killed and stopped at random moments.
#include "storm.h"

#include <fcntl.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <memory>
#include <string>

#include "gtest/gtest.h"
#include "sslsnce/snce.h"
#include "test_child.h"
#include "test_region.h"
#include "test_session.h"

namespace snce_test {
namespace {

constexpr int kSeconds = 5;  // SNCE_STORM_SECONDS changes it
constexpr int kLongestStopMs = 5000;

std::unique_ptr<Region> NewRegion() {
  return std::unique_ptr<Region>(new Region(kStormEntries));
}

TEST_F(SnceStorm, KilledWorkersCostAnEntryAndNobodyWaits) {
  Begin(NewRegion(), kWorkers);
  KillWorkers(StormSeconds(kSeconds));
  Finish();
  ExpectWholeCapacity();
}

// One stop in eight is long; at least one worker runs.
TEST_F(SnceStorm, StoppedWorkersWakeUpAndDoNoHarm) {
  Begin(NewRegion(), kWorkers);
  int until[kWorkers] = {};  // the tick at which it is woken; 0: it runs
  int stops = 0, longest = 0;
  Ticks ticks(kEveryMs, StormSeconds(kSeconds));
  while (ticks.Next()) {
    const int at = ticks.count();
    int running = 0;
    for (int i = 0; i < kWorkers; ++i) {
      if (until[i] == at) {
        workers_[i].Signal(SIGCONT);
        until[i] = 0;
      }
      running += until[i] == 0;
    }
    const uint64_t dice = Mix(uint64_t(at));
    const int victim = int(dice % kWorkers);
    if (running < 2 || until[victim] != 0) continue;
    const int most = dice >> 32 & 7 ? 200 : kLongestStopMs;
    const int length = 1 + int((dice >> 8) % uint64_t(most / kEveryMs));
    workers_[victim].Signal(SIGSTOP);
    until[victim] = at + length;
    longest = std::max(longest, length);
    ++stops;
  }
  for (Child& worker : workers_) worker.Signal(SIGCONT);
  Finish();
  printf("%d stops in %d ticks, the longest of %d ms\n", stops, ticks.count(),
         longest * kEveryMs);
  EXPECT_GT(stops, ticks.count() / 20);
  EXPECT_GT(longest * kEveryMs, 1000);
  ExpectWholeCapacity();
}

TEST_F(SnceStorm, AllWorkersDeadAtOnceLeaveAWorkingCache) {
  Begin(NewRegion(), kWorkers);
  Ticks ticks(kEveryMs, 1);
  while (ticks.Next()) {
    for (Child& worker : workers_) worker.Signal(SIGKILL);
    for (Child& worker : workers_) {
      ASSERT_EQ(kSignalled - SIGKILL, worker.Wait(20000));
      ++tally_->kills;
    }
    for (Child& worker : workers_) worker = StartWorker();
  }
  Finish();
  ExpectWholeCapacity();
}

// The process that made the region is the first to die, in the middle of its
// work; a process that was attached goes on, and starts a storm.
TEST_F(SnceStorm, TheProcessThatConfiguredTheCacheMayDieFirst) {
  Shared<std::atomic<int>> descriptor;
  Child configurer([&] {
    Region region(kStormEntries);
    *descriptor = region.fd();
    return StormWorker(region.cache(), sessions_, 4711, &*tally_);
  });
  for (int i = 0; i < 1000 && tally_->operations < 1000; ++i) Pace(5);
  ASSERT_GE(tally_->operations, 1000u);
  // Opens the descriptor as an operator's tool does; a process that inherits it
  // has it too.
  const std::string path = "/proc/" + std::to_string(configurer.pid()) +
                           "/fd/" + std::to_string(*descriptor);
  const int fd = open(path.c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_GE(fd, 0) << path;
  snceRegion* attached = nullptr;
  ASSERT_EQ(SNCE_OK, snceRegion_Attach(&attached, fd, SNCE_ACCESS_ADMIN));
  configurer.Signal(SIGKILL);
  ASSERT_EQ(kSignalled - SIGKILL, configurer.Wait(20000));
  Begin(std::unique_ptr<Region>(new Region(attached)), kWorkers);
  KillWorkers(StormSeconds(kSeconds));
  // Rare changes do not need the dead process either.
  snceCacheOptions options = Options(kStormEntries);
  options.timeoutSec[SNCE_CLASS_SSL2] = 50;
  EXPECT_EQ(SNCE_OK, snceCache_Configure(region_->cache(), &options));
  Finish();
  ExpectWholeCapacity();
}

}  // namespace
}  // namespace snce_test
