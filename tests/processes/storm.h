/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// storm.h: processes that work on one cache while some of them are killed or
// stopped, and one that nobody hurts and that looks at its clocks.
//
// What is measured is the cache, not the machine: where it is permitted the
// survivor runs before all ordinary processes, and a metronome that runs before
// the survivor, on the same processor, and never touches the cache says for how
// long the machine itself stood still.
#ifndef SSLSNCE_TESTS_PROCESSES_STORM_H_
#define SSLSNCE_TESTS_PROCESSES_STORM_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "gtest/gtest.h"
#include "sslsnce/snce.h"
#include "test_child.h"
#include "test_region.h"
#include "test_session.h"

namespace snce_test {

// How long a storm goes on: SNCE_STORM_SECONDS, else |otherwise|.
int StormSeconds(int otherwise);

// Ticks gives the times at which something is to happen, without drifting when
// what happened took long.
class Ticks {
 public:
  // The caller runs before ordinary processes from here on, if it may.
  Ticks(int every_ms, int seconds);
  ~Ticks();
  // Sleeps until the next tick; false once the time is over. Ticks that were
  // missed are made up for.
  bool Next();
  int count() const { return count_; }

 private:
  int64_t next_, end_, every_;
  int count_ = 0;
};

constexpr int kWorkers = 4;
constexpr int kEveryMs = 20;  // a worker is killed or stopped
// A small cache, and more keys than it has room for: workers meet, evict each
// other's sessions, and five lost slots are too many.
constexpr uint64_t kStormEntries = 1000;
constexpr uint64_t kStormKeys = 1200;

// What the processes of a storm count together.
struct StormTally {
  std::atomic<uint64_t> operations, hits, inserts, mixed, odd;
  std::atomic<uint64_t> survivor_operations, sleeps;
  std::atomic<int64_t> longest_wall, longest_cpu;  // of the survivor, in usec
  std::atomic<int64_t> longest_late;               // of the metronome
  std::atomic<bool> preferred;  // both run before ordinary processes
  std::atomic<uint64_t> kills, same_pid;
  // Of namespaces, where workers are elsewhere.
  std::atomic<int> ended;
  std::atomic<int> pids[2][kWorkers];
  std::atomic<bool> stop;
};

// Sessions of the storm's keys, made before it, so that its processes spend
// their time in the cache, and die there.
std::vector<Session> StormSessions();

// Works on a cache with |sessions|, and checks that every field of what comes
// out obeys the equation of test_session.h, until |tally| says stop or it is
// killed. Returns 0.
int StormWorker(snceCache cache, const std::vector<Session>& sessions,
                uint64_t seed, StormTally* tally);

class SnceStorm : public ::testing::Test {
 protected:
  // Starts the survivor and its metronome, then |workers| workers.
  void Begin(std::unique_ptr<Region> region, int workers);
  Child StartWorker();
  // Ends all, prints what was seen, and asserts that nobody was hurt by it.
  void Finish();
  // No slot, certificate or name was lost for good: the cache of N holds
  // 99.5 % of N.
  void ExpectWholeCapacity();
  // |seconds| of a worker killed every tick.
  void KillWorkers(int seconds);

  const std::vector<Session> sessions_ = StormSessions();
  std::unique_ptr<Region> region_;
  uint64_t ticks_ = 0;  // the clock of its handle, when the storm is over
  Shared<StormTally> tally_;
  uint64_t started_ = 0;
  std::vector<Child> workers_;
  Child survivor_, metronome_;
  std::unique_ptr<Watchdog> watchdog_;
};

}  // namespace snce_test

#endif  // SSLSNCE_TESTS_PROCESSES_STORM_H_
