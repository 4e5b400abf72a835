/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "storm.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <utility>

#include "test_build.h"
#include "test_clock.h"
#include "test_ticks.h"

namespace snce_test {
namespace {

// The most time that one operation of the survivor may take in a storm. In
// stock NSS one took 39.96 s of 40.
constexpr int64_t kMostUsec = 50000;
// How often the survivor may sleep. It slept once in some 60 million
// operations, for a reason of the kernel's; a cache that sleeps for the holder
// of a lock does so hundreds of times in a storm.
constexpr uint64_t kMostSleeps = 10;
// The survivor pauses after each burst: the kernel holds back a preferred
// process that never rests, for 50 ms of each second.
constexpr int64_t kBurstUsec = 1000;

int64_t Usec(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return int64_t{now.tv_sec} * kSecond + now.tv_nsec / 1000;
}

void SleepUntil(int64_t usec) {
  const struct timespec time = {time_t(usec / kSecond),
                                long(usec % kSecond) * 1000};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, nullptr) ==
         EINTR) {
  }
}

// Lets this process run before all ordinary ones; false if that is not
// permitted.
bool Prefer(int priority) {
  const struct sched_param wanted = {priority};
  return sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &wanted) == 0;
}

// Puts the survivor and its metronome on the same processor, the last one.
void PinToLast() {
  cpu_set_t all, last;
  if (sched_getaffinity(0, sizeof(all), &all) != 0) return;
  CPU_ZERO(&last);
  for (int cpu = CPU_SETSIZE - 1; cpu >= 0; --cpu) {
    if (CPU_ISSET(cpu, &all)) {
      CPU_SET(cpu, &last);
      break;
    }
  }
  sched_setaffinity(0, sizeof(last), &last);
}

void Raise(std::atomic<int64_t>* most, int64_t value) {
  if (value > *most) *most = value;  // only one process writes each
}

// Runs one operation on a key of the storm, and checks its result.
void Operate(snceCache cache, const std::vector<Session>& sessions,
             Answer* answer, uint64_t dice, StormTally* tally) {
  const Session& session = sessions[dice % sessions.size()];
  const snceKey key = session.Key();
  snceResult result;
  switch ((dice >> 32) % 8) {
    case 0:
      result = snceCache_Remove(cache, &key);
      tally->odd += result != SNCE_OK && result != SNCE_MISS;
      break;
    case 1:
    case 2:
    case 3:
    case 4:
      result = session.Insert(cache, At(kStart));
      ++tally->inserts;
      tally->odd +=
          result != SNCE_OK && result != SNCE_DROPPED && result != SNCE_FULL;
      break;
    default:
      result = answer->Lookup(cache, key, At(kStart));
      tally->odd += result != SNCE_OK && result != SNCE_MISS;
      if (result == SNCE_OK) {
        ++tally->hits;
        tally->mixed += !answer->Mixed().empty() ||
                        answer->serial() != dice % sessions.size() % kStormKeys;
      }
  }
  ++tally->operations;
}

// Works like a worker, but is left alone, and measures its times.
int Survivor(snceCache cache, const std::vector<Session>& sessions,
             StormTally* tally) {
  Answer answer;
  struct rusage usage;
  PinToLast();
  tally->preferred = Prefer(1);
  for (uint64_t i = 0; !tally->stop;) {
    const int64_t began = Usec(CLOCK_MONOTONIC);
    int64_t wall;
    do {
      getrusage(RUSAGE_THREAD, &usage);
      const long sleeps = usage.ru_nvcsw;
      wall = Usec(CLOCK_MONOTONIC);
      const int64_t cpu = Usec(CLOCK_THREAD_CPUTIME_ID);
      Operate(cache, sessions, &answer, Mix(0x5051 + i++), tally);
      Raise(&tally->longest_cpu, Usec(CLOCK_THREAD_CPUTIME_ID) - cpu);
      Raise(&tally->longest_wall, Usec(CLOCK_MONOTONIC) - wall);
      getrusage(RUSAGE_THREAD, &usage);
      tally->sleeps += uint64_t(usage.ru_nvcsw - sleeps);
      ++tally->survivor_operations;
    } while (wall < began + kBurstUsec);
    Pace(1);
  }
  return 0;
}

// Wakes up every millisecond, before the survivor if that is permitted, and
// records how late it was: for so long the machine itself stood still, or was
// busy.
int Metronome(StormTally* tally) {
  PinToLast();
  Prefer(2);
  while (!tally->stop) {
    const int64_t due = Usec(CLOCK_MONOTONIC) + 1000;
    SleepUntil(due);
    Raise(&tally->longest_late, Usec(CLOCK_MONOTONIC) - due);
  }
  return 0;
}

}  // namespace

int StormSeconds(int otherwise) {
  const char* given = getenv("SNCE_STORM_SECONDS");
  return given != nullptr ? std::max(1, atoi(given)) : otherwise;
}

Ticks::Ticks(int every_ms, int seconds)
    : next_(Usec(CLOCK_MONOTONIC)),
      end_(next_ + seconds * kSecond),
      every_(every_ms * 1000) {
  Prefer(1);
}

Ticks::~Ticks() {
  const struct sched_param ordinary = {0};
  sched_setscheduler(0, SCHED_OTHER, &ordinary);
}

bool Ticks::Next() {
  next_ += every_;
  if (next_ > end_ || Usec(CLOCK_MONOTONIC) > end_) return false;
  SleepUntil(next_);
  ++count_;
  return true;
}

std::vector<Session> StormSessions() {
  std::vector<Session> sessions;
  for (uint64_t i = 0; i < 2 * kStormKeys; ++i)
    sessions.emplace_back(i % kStormKeys, i, Mix(i) & kEverything);
  return sessions;
}

int StormWorker(snceCache cache, const std::vector<Session>& sessions,
                uint64_t seed, StormTally* tally) {
  Answer answer;
  for (uint64_t i = 0; !tally->stop; ++i)
    Operate(cache, sessions, &answer, Mix(seed * 1000003 + i), tally);
  return 0;
}

void SnceStorm::Begin(std::unique_ptr<Region> region, int workers) {
  region_ = std::move(region);
  watchdog_.reset(new Watchdog(unsigned(StormSeconds(0)) + 120));
  metronome_ = Child([this] { return Metronome(&*tally_); });
  survivor_ =
      Child([this] { return Survivor(region_->cache(), sessions_, &*tally_); });
  while (int(workers_.size()) < workers) workers_.push_back(StartWorker());
}

Child SnceStorm::StartWorker() {
  const uint64_t seed = ++started_;
  return Child([this, seed] {
    return StormWorker(region_->cache(), sessions_, seed, &*tally_);
  });
}

void SnceStorm::KillWorkers(int seconds) {
  std::deque<Child> dying;
  Ticks ticks(kEveryMs, seconds);
  while (ticks.Next()) {
    Child& victim = workers_[Mix(uint64_t(ticks.count())) % workers_.size()];
    // Start the next worker while this one is still dying.
    dying.push_back(std::move(victim));
    dying.back().Signal(SIGKILL);
    victim = StartWorker();
    if (dying.size() < 16) continue;
    ASSERT_EQ(kSignalled - SIGKILL, dying.front().Wait(20000));
    dying.pop_front();
    ++tally_->kills;
  }
  for (Child& last : dying) {
    ASSERT_EQ(kSignalled - SIGKILL, last.Wait(20000));
    ++tally_->kills;
  }
}

void SnceStorm::Finish() {
  tally_->stop = true;
  for (Child& worker : workers_) EXPECT_EQ(0, worker.Wait(20000));
  EXPECT_EQ(0, survivor_.Wait(20000)) << "the survivor is stuck";
  EXPECT_EQ(0, metronome_.Wait(20000));
  const snceFigures figures = region_->Figures();
  const StormTally& tally = *tally_;
  printf("%d operations, %d hits, %d inserts, %d killed\n",
         int(tally.operations), int(tally.hits), int(tally.inserts),
         int(tally.kills));
  printf("%d dropped, %d slots reclaimed, %d corrupt\n", int(figures.dropped),
         int(figures.reclaimed), int(figures.corrupt));
  printf(
      "the survivor's longest of %d operations: %.3f ms by the clock, %.3f ms "
      "of CPU; it slept in %d\n",
      int(tally.survivor_operations), double(tally.longest_wall) / 1000,
      double(tally.longest_cpu) / 1000, int(tally.sleeps));
  if (tally.preferred) {
    printf(
        "it ran before others; meanwhile the machine stood still for %.3f "
        "ms at most\n",
        double(tally.longest_late) / 1000);
  } else {
    printf("it may not run before others here: the clock is the machine's\n");
  }
  EXPECT_EQ(0u, tally.mixed) << "sessions made of two";
  EXPECT_EQ(0u, tally.odd) << "results that should not be";
  EXPECT_GT(tally.hits, 1000u);
  EXPECT_GT(tally.survivor_operations, 1000u);
  if (!kSanitized) {
    EXPECT_LE(tally.longest_cpu, kMostUsec + tally.longest_late);
    EXPECT_LE(tally.sleeps, kMostSleeps) << "the survivor waited for something";
    if (tally.preferred) {
      EXPECT_LE(tally.longest_wall, kMostUsec + tally.longest_late);
    }
  }
}

void SnceStorm::ExpectWholeCapacity() {
  const snceCache cache = region_->cache();
  for (uint64_t serial = 0; serial < kStormKeys; ++serial) {
    const Session left(serial, 1, kEverything);
    const snceKey key = left.Key();
    snceCache_Remove(cache, &key);
  }
  // Inserts pass the dead claims, and take them back when the clock leaps:
  // whatever time a claim was noted at, two of these clock values are more than
  // the patience after it.
  uint64_t used = 0;
  for (uint64_t ticks : {0, 60, 120, 180}) {
    ticks_ = ticks;
    TicksUse(region_->get(), &ticks_);
    used =
        CountUsable(cache, 2000000 + ticks * kStormEntries, 6 * kStormEntries,
                    At(kStart + (100000 + int64_t(ticks) * 1000) * kSecond));
  }
  EXPECT_EQ(region_->Figures().slots, used) << "slots were lost for good";
  for (uint64_t serial = 0; serial < kStormEntries; ++serial)
    EXPECT_EQ(SNCE_OK, Session(1000000 + serial).Insert(cache, At(kStart)));
  const uint64_t found = CountFound(cache, 1000000, kStormEntries, At(kStart));
  printf(
      "afterwards %d slots are in use when full, and a cache of %d holds %d\n",
      int(used), int(kStormEntries), int(found));
  EXPECT_GE(found * 1000, kStormEntries * 995);
  // Each key of the storm can be stored, found and removed.
  Answer answer;
  for (uint64_t serial = 0; serial < kStormKeys; ++serial) {
    const Session session(serial, 1, kEverything);
    const snceKey key = session.Key();
    ASSERT_EQ(SNCE_OK, session.Insert(cache, At(kStart)));
    ASSERT_EQ(SNCE_OK, answer.Lookup(cache, key, At(kStart)));
    ASSERT_EQ("", answer.Differs(session));
    ASSERT_EQ(SNCE_OK, snceCache_Remove(cache, &key));
    ASSERT_EQ(SNCE_MISS, answer.Lookup(cache, key, At(kStart)));
  }
}

}  // namespace snce_test
