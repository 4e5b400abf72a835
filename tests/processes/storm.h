/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// storm.h: several processes work on one cache. Some of them are killed or
// stopped; one, the survivor, is left alone and measures how long its
// operations take.
//
// The storm measures the cache, not the machine. So, where that is permitted,
// the survivor runs with a priority above all ordinary processes. The metronome
// runs on the same processor with a higher priority still, and never touches
// the cache: its delays show how long the machine itself stood still.
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

// How many seconds a storm lasts: SNCE_STORM_SECONDS, or else |otherwise|.
int StormSeconds(int otherwise);

// Ticks gives the times at which something is to happen. It does not drift when
// a caller takes long between two ticks.
class Ticks {
 public:
  // From here on the caller runs before ordinary processes, if that is
  // permitted.
  Ticks(int every_ms, int seconds);
  ~Ticks();
  // Sleeps until the next tick; false once the time is over. Returns at once
  // for each tick that was missed.
  bool Next();
  int count() const { return count_; }

 private:
  int64_t next_, end_, every_;
  int count_ = 0;
};

constexpr int kWorkers = 4;
constexpr int kEveryMs = 20;  // at this interval a worker is killed or stopped
// A small cache, and more keys than it has room for: workers meet, evict each
// other's sessions, and five lost slots fail the test.
constexpr uint64_t kStormEntries = 1000;
constexpr uint64_t kStormKeys = 1200;

// What the processes of a storm count, in shared memory.
struct StormTally {
  std::atomic<uint64_t> operations, hits, inserts, mixed, odd;
  std::atomic<uint64_t> survivor_operations, sleeps;
  std::atomic<int64_t> longest_wall, longest_cpu;  // of the survivor, in usec
  std::atomic<int64_t> longest_late;               // of the metronome
  std::atomic<bool> preferred;  // both run before ordinary processes
  std::atomic<uint64_t> kills, same_pid;
  // For workers in PID namespaces.
  std::atomic<int> ended;
  std::atomic<int> pids[2][kWorkers];
  std::atomic<bool> stop;
};

// Sessions of the storm's keys. They are made before the storm, so that its
// processes spend their time in the cache, and die there.
std::vector<Session> StormSessions();

// Works on a cache with |sessions|, and checks that every field of what it
// finds obeys the equation of test_session.h. Goes on until |tally| says stop
// or the process is killed. Returns 0.
int StormWorker(snceCache cache, const std::vector<Session>& sessions,
                uint64_t seed, StormTally* tally);

class SnceStorm : public ::testing::Test {
 protected:
  // Starts the survivor and its metronome, then |workers| workers.
  void Begin(std::unique_ptr<Region> region, int workers);
  Child StartWorker();
  // Ends all processes, prints the figures, and asserts that no process was
  // disturbed by another's death or stop.
  void Finish();
  // Asserts that no slot, certificate or name was lost for good: the cache of N
  // holds 99.5 % of N.
  void ExpectWholeCapacity();
  // Kills a worker at every tick for |seconds|.
  void KillWorkers(int seconds);

  const std::vector<Session> sessions_ = StormSessions();
  std::unique_ptr<Region> region_;
  uint64_t ticks_ = 0;  // the clock of region_'s handle after the storm
  Shared<StormTally> tally_;
  uint64_t started_ = 0;
  std::vector<Child> workers_;
  Child survivor_, metronome_;
  std::unique_ptr<Watchdog> watchdog_;
};

}  // namespace snce_test

#endif  // SSLSNCE_TESTS_PROCESSES_STORM_H_
