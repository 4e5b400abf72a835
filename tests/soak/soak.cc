/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// soak: all kinds of load at the same time, for as long as is wanted. It checks
// every answer, and what the load leaves behind.
//
//   soak SECONDS
//
// Several processes share a region. Those that are never killed or stopped are
// measured twice, at rest: once after a warm-up under the same load, when
// memory that grows at first has grown, and once at the end. The last line is
// "N passed, N failed".
//
//   steady     works in virtual servers that are added, moved and removed; in
//              one that stays it keeps sessions that must not get lost
//   attacher   attaches and detaches, and executes children that inherit
//   forker     has three threads that work, and a fourth that forks children
//              that do
//   stepper    has a virtual server whose clock steps by hours and by years
//   pulse      only reads the clock: it measures how long the machine itself
//              keeps a process waiting
//   workers    three; one is killed every 40 ms, one is stopped for up to a
//              second
//   changer    adds, moves, flushes, re-times and removes virtual servers; it
//              is killed every 100 ms
#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "sslsnce/snce.h"
#include "test_child.h"
#include "test_clock.h"
#include "test_region.h"
#include "test_server.h"
#include "test_session.h"

namespace snce_test {
namespace {

constexpr uint64_t kEntries = 20000;  // of the default cache
constexpr uint64_t kStable = 10000;   // of the virtual server that stays
constexpr uint64_t kKeys = 3 * kEntries;
constexpr uint64_t kKept = 200;  // sessions that |steady| keeps
constexpr uint64_t kNames = 8;
constexpr int kWorkers = 3;
constexpr int kTickMs = 20;
constexpr int kKillMs = 40;
constexpr int kStopMs = 400;
constexpr int kChangerMs = 100;
constexpr int kPatience = 20000;

// As in processes/storm_test.cc.
constexpr int64_t kMostCpuUsec = 50000;
constexpr int64_t kMostWallUsec = 2000000;
// At rest, after its caches were rebuilt, the region has memory for its
// contents only, which are as many at the start as at the end.
constexpr uint64_t kMostRegionGrowth = 1 << 20;
constexpr uint64_t kMostProcessGrowth = 4 << 20;
// The region's file has holes and never becomes smaller. It grows until ranges
// that were given back have rested (REST_BYTES in snceheap.c), which takes two
// seconds of this load and 83 MiB; then they are used again.
constexpr uint64_t kMostFile = 112 << 20;
// A process maps the file by chunks, each when it first needs it, and does not
// unmap them.
constexpr uint64_t kChunk = 2 << 20;

int64_t Usec(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return int64_t{now.tv_sec} * kSecond + now.tv_nsec / 1000;
}

enum Unhurt { kSteady, kAttacher, kForker, kStepper, kPulse, kUnhurt };
const char* const kNamesOfUnhurt[] = {"steady", "attacher", "forker", "stepper",
                                      "pulse"};

struct Tally {
  std::atomic<bool> stop, pause;
  std::atomic<uint32_t> parked;
  std::atomic<uint64_t> operations, steady, dropped;
  std::atomic<uint64_t> mixed, lost, returned, odd, undead, revived, crowded;
  std::atomic<uint64_t> left, hung;  // attachments with leftovers; children
  std::atomic<uint64_t> attached, executed, forked, steps, changes, refused;
  std::atomic<int64_t> wall, cpu;  // longest of |steady| since the last reading
  std::atomic<uint64_t> beats;     // rounds of |pulse|
  std::atomic<int64_t> pulse;      // the longest of these rounds
};

struct Context {
  snceRegion* region;
  Tally* tally;
  int fd;
  std::string string;
};

bool GoesOn(const Context& c) { return !c.tally->stop && getppid() != 1; }

// Waits while the measurement at rest goes on. The processes that are never
// hurt call it at the end of each round.
void Park(const Context& c) {
  if (!c.tally->pause) return;
  ++c.tally->parked;
  while (c.tally->pause && GoesOn(c)) Pace(1);
  --c.tally->parked;
}

void Raise(std::atomic<int64_t>* most, int64_t value) {
  int64_t seen = *most;
  while (value > seen && !most->compare_exchange_weak(seen, value)) {
  }
}

// Sessions with certificates of all sizes. There are few, so that the processes
// share them.
class Large {
 public:
  Large() {
    const size_t sizes[] = {1, 700, 1025, 3000, 6000, 12000, 30000, 65535};
    for (uint64_t i = 0; i < 48; ++i)
      sessions_.push_back(
          Session(1000000 + i, i).Certificate(Bytes(i % 8, sizes[i % 8])));
  }
  const Session& Of(uint64_t dice) const {
    return sessions_[dice % sessions_.size()];
  }

 private:
  std::vector<Session> sessions_;
};

// Does one operation in a cache that is always too small, and checks its
// result.
void Operate(const Context& c, snceCache cache, Answer* answer,
             const Large& large, uint64_t dice) {
  Tally* tally = c.tally;
  const uint64_t serial = dice % kKeys;
  const bool is_large = (dice >> 36) % 32 == 0;
  const Session plain(serial, dice, (dice >> 40) & 7);
  const Session& session = is_large ? large.Of(dice) : plain;
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
      result = session.Insert(cache, At(kStart));
      tally->dropped += result == SNCE_DROPPED;
      tally->odd += result != SNCE_OK && result != SNCE_DROPPED &&
                    result != SNCE_FULL && result != SNCE_GONE;
      break;
    default:
      result = answer->Lookup(cache, key, At(kStart));
      tally->odd += result != SNCE_OK && result != SNCE_MISS;
      if (result == SNCE_OK)
        tally->mixed +=
            is_large ? !answer->Differs(session).empty()
                     : !answer->Mixed().empty() || answer->serial() != serial;
  }
  ++tally->operations;
}

std::string NameOfNth(uint64_t which) {
  return "s" + std::to_string(which) + ".example";
}

int Worker(const Context& c, uint64_t seed) {
  Answer answer;
  const Large large;
  for (uint64_t i = 0; GoesOn(c); ++i) {
    const uint64_t dice = Mix(seed * 1000003 + i);
    snceCache cache = snceRegion_DefaultCache(c.region);
    if (dice >> 62 == 0)
      cache = snceRegion_Cache(c.region,
                               Choose(c.region, NameOfNth(dice >> 50 & 7)));
    Operate(c, cache, &answer, large, dice);
  }
  return 0;
}

// Makes one change of a virtual server after another.
int Changer(const Context& c, uint64_t seed) {
  for (uint64_t i = 0; GoesOn(c); ++i) {
    const uint64_t dice = Mix(seed * 7000003 + i);
    const std::string name = NameOfNth(dice % kNames);
    snceCacheOptions options = Options(20 + (dice >> 8) % 600);
    options.certificates = dice >> 20 & 1 ? 0 : 40;
    snceServerId id;
    snceResult result;
    if ((dice >> 40) % 16 == 0) {
      // Never smaller than its contents, and so large that no slot is used
      // again while a process is interrupted (rule 5).
      result = Find(c.region, "stable.example", &id);
      options.entries = 10000 + (dice >> 8) % 10000;
      options.certificates = 0;
      if (result == SNCE_OK)
        result = snceCache_Configure(snceRegion_Cache(c.region, id), &options);
    } else if (Find(c.region, name, &id) != SNCE_OK) {
      result = Add(c.region, name, options, &id);
    } else if ((dice >> 44) % 4 == 0) {
      result = snceServer_Remove(c.region, id);
    } else if ((dice >> 44) % 4 == 1) {
      result = snceCache_Flush(snceRegion_Cache(c.region, id));
    } else {
      result = snceCache_Configure(snceRegion_Cache(c.region, id), &options);
    }
    ++c.tally->changes;
    c.tally->refused += result != SNCE_OK;
    // Pause, so that other processes get the administrative lock too.
    Pace(1);
  }
  return 0;
}

// ---- the processes that are never hurt -------------------------------------

// Sessions that no other process touches. They must be found from their insert
// until they are removed, and not afterwards.
class Keeper {
 public:
  Keeper(const Context& c, uint64_t serial) : c_(c), first_(serial) {}

  void Round(uint64_t dice, uint64_t count) {
    Tally* tally = c_.tally;
    snceServerId id;
    if (Find(c_.region, "stable.example", &id) != SNCE_OK) {
      ++tally->lost;
      return;
    }
    const snceCache cache = snceRegion_Cache(c_.region, id);
    const uint64_t key = (dice >> 12) % kKept;
    const Session session(first_ + key);
    const snceKey wanted = session.Key();
    snceResult result = answer_.Lookup(cache, wanted, At(kStart));
    if (variant_[key] != 0) {
      tally->lost += result != SNCE_OK;
      if (result == SNCE_OK)
        tally->mixed += !answer_.Mixed().empty() ||
                        answer_.serial() != first_ + key ||
                        answer_.variant() != variant_[key];
    } else {
      tally->returned += result == SNCE_OK;
    }
    if (dice >> 60 < 4) {
      result = snceCache_Remove(cache, &wanted);
      tally->lost += variant_[key] != 0 && result != SNCE_OK;
      variant_[key] = 0;
    } else if (variant_[key] == 0 || dice >> 60 < 8) {
      // Remove the old session first: a replacement that is dropped may remove
      // it or not.
      if (variant_[key] != 0) snceCache_Remove(cache, &wanted);
      result =
          Session(first_ + key, count, kEverything).Insert(cache, At(kStart));
      variant_[key] = result == SNCE_OK ? count : 0;
      tally->odd += result != SNCE_OK && result != SNCE_DROPPED;
      tally->dropped += result == SNCE_DROPPED;
    }
    ++tally->operations;
  }

 private:
  const Context& c_;
  const uint64_t first_;
  Answer answer_;
  uint64_t variant_[kKept] = {};
};

int Steady(const Context& c) {
  Answer answer;
  const Large large;
  Keeper keeper(c, 500000);
  for (uint64_t i = 1; GoesOn(c); ++i) {
    const uint64_t dice = Mix(0x57ead + i);
    const int64_t wall = Usec(CLOCK_MONOTONIC);
    const int64_t cpu = Usec(CLOCK_THREAD_CPUTIME_ID);
    if (i % 2) {
      keeper.Round(dice, i);
    } else {
      const snceServerId id = Choose(c.region, NameOfNth(dice >> 50 & 7));
      Operate(c, snceRegion_Cache(c.region, id), &answer, large, dice);
    }
    Raise(&c.tally->cpu, Usec(CLOCK_THREAD_CPUTIME_ID) - cpu);
    Raise(&c.tally->wall, Usec(CLOCK_MONOTONIC) - wall);
    ++c.tally->steady;
    Park(c);
  }
  return 0;
}

int Pulse(const Context& c) {
  int64_t before = Usec(CLOCK_MONOTONIC);
  while (GoesOn(c)) {
    // This takes about as long as an operation of |steady|.
    for (int i = 0; i < 20; ++i) Usec(CLOCK_THREAD_CPUTIME_ID);
    const int64_t now = Usec(CLOCK_MONOTONIC);
    Raise(&c.tally->pulse, now - before);
    ++c.tally->beats;
    Park(c);
    before = Usec(CLOCK_MONOTONIC);
  }
  return 0;
}

int Attacher(const Context& c) {
  const snceAccess accesses[] = {SNCE_ACCESS_READ, SNCE_ACCESS_WORK,
                                 SNCE_ACCESS_ADMIN};
  Answer answer;
  const Large large;
  const int descriptors = OpenDescriptors();
  const size_t mappings = MappingsOf(c.fd).size();
  for (uint64_t i = 0; GoesOn(c); ++i) {
    snceRegion* attached = nullptr;
    if (snceRegion_Attach(&attached, dup(c.fd), accesses[i % 3]) != SNCE_OK) {
      ++c.tally->odd;
    } else {
      if (i % 3)
        Operate(c, snceRegion_DefaultCache(attached), &answer, large, Mix(i));
      else
        Find(snceRegion_DefaultCache(attached), large.Of(i), At(kStart));
      snceRegion_Close(attached);
      ++c.tally->attached;
    }
    if (i % 16 == 0) {
      Child child =
          Child::Exec("/proc/self/exe", {"--inherit=" + c.string}, c.fd);
      c.tally->hung += child.Wait(kPatience) != 0;
      ++c.tally->executed;
    }
    c.tally->left +=
        OpenDescriptors() != descriptors || MappingsOf(c.fd).size() != mappings;
    Pace(5);
    Park(c);
  }
  return 0;
}

int Forker(const Context& c) {
  std::atomic<bool> done{false};
  std::vector<std::thread> threads;
  for (uint64_t me = 0; me < 3; ++me) {
    threads.emplace_back([&c, &done, me] {
      Answer answer;
      const Large large;
      for (uint64_t i = 0; !done; ++i) {
        if (c.tally->pause) {
          Pace(1);
          continue;
        }
        Operate(c, snceRegion_DefaultCache(c.region), &answer, large,
                Mix(me * 99991 + i));
        if (i % 64 == 0) Pace(1);
      }
    });
  }
  for (uint64_t i = 0; GoesOn(c); ++i) {
    Child child([&c, i] {
      Answer answer;
      const Large large;
      for (uint64_t j = 0; j < 50; ++j)
        Operate(c, snceRegion_DefaultCache(c.region), &answer, large,
                Mix(i * 131 + j));
      if (i % 4 == 0) snceRegion_Close(c.region);
      return 0;
    });
    c.tally->hung += child.Wait(kPatience) != 0;
    ++c.tally->forked;
    Pace(20);
    Park(c);
  }
  done = true;
  for (std::thread& thread : threads) thread.join();
  return 0;
}

int Stepper(const Context& c) {
  const int64_t year = 31556952 * kSecond;
  const int64_t steps[] = {3600 * kSecond, 2 * 86400 * kSecond, 50 * year,
                           136 * year};
  const snceCache cache = AddServer(c.region, "steps.example", 1000);
  Answer answer;
  int64_t clock = kStart;
  for (uint64_t i = 1; GoesOn(c); ++i) {
    const uint64_t dice = Mix(i * 31);
    // The clock stays within 200 years of where it began.
    const int64_t step = steps[dice % 4];
    clock += clock > kStart ? -step : step;
    uint64_t found = 0;
    for (uint64_t key = 0; key < 200; ++key) {
      const Session session =
          Session(700000 + (i * 200 + key) % 5000, i).Created(At(clock));
      const snceResult result = session.Insert(cache, At(clock));
      c.tally->odd += result != SNCE_OK;
    }
    for (uint64_t key = 0; key < 200; ++key) {
      const Session session(700000 + (i * 200 + key) % 5000);
      if (answer.Lookup(cache, session.Key(), At(clock)) != SNCE_OK) continue;
      found += answer.variant() == i;
      const int64_t age = clock - answer.session().created.usec;
      c.tally->undead += age >= 86400 * kSecond;
    }
    c.tally->crowded += found < 190;
    // The sessions of the last step may be alive or not by this step's clock,
    // but one that is found may not have expired.
    for (uint64_t key = 0; key < 200; ++key) {
      const Session session(700000 + ((i - 1) * 200 + key) % 5000);
      if (answer.Lookup(cache, session.Key(), At(clock)) == SNCE_OK)
        c.tally->undead +=
            clock - answer.session().created.usec >= 86400 * kSecond;
    }
    c.tally->operations += 600;
    ++c.tally->steps;
    Pace(10);
    Park(c);
  }
  return 0;
}

// ---- measurements ----------------------------------------------------------

struct Measured {
  uint64_t memory = 0;  // the process's own, not shared, in bytes
  int descriptors = 0;
  uint64_t mapped = 0;  // bytes of all mappings of the region's file
  uint64_t again = 0;   // bytes of them that another mapping has too
  uint64_t end = 0;     // the largest offset in the file that is mapped
};

void MeasureMappings(const std::string& maps, Measured* m) {
  std::ifstream in(maps);
  std::string line;
  std::vector<std::pair<uint64_t, uint64_t>> mapped;
  while (std::getline(in, line)) {
    unsigned long long start, end, offset;
    if (line.find("memfd:sslsnce") == std::string::npos ||
        sscanf(line.c_str(), "%llx-%llx %*s %llx", &start, &end, &offset) != 3)
      continue;
    mapped.push_back({offset, offset + (end - start)});
    m->mapped += end - start;
  }
  std::sort(mapped.begin(), mapped.end());
  for (const auto& one : mapped) {
    if (one.first < m->end)
      m->again += std::min(m->end, one.second) - one.first;
    m->end = std::max(m->end, one.second);
  }
}

Measured Measure(pid_t pid) {
  Measured m;
  const std::string proc = "/proc/" + std::to_string(pid);
  std::ifstream status(proc + "/status");
  std::string line;
  while (std::getline(status, line)) {
    if (line.compare(0, 8, "RssAnon:") == 0)
      m.memory = strtoull(line.c_str() + 8, nullptr, 10) << 10;
  }
  MeasureMappings(proc + "/maps", &m);
  DIR* fds = opendir((proc + "/fd").c_str());
  while (fds != nullptr) {
    const struct dirent* entry = readdir(fds);
    if (entry == nullptr) break;
    m.descriptors += entry->d_name[0] != '.';
  }
  if (fds != nullptr) closedir(fds);
  return m;
}

struct Rest {
  uint64_t resident;
  uint64_t file;  // size of the region's file
  Measured unhurt[kUnhurt];
};

class Soak {
 public:
  explicit Soak(int seconds) : seconds_(seconds) {}
  int Run();

 private:
  void Hurt(int from_ms, int to_ms);
  Rest MeasureAtRest();
  void StartHurt();
  void EndHurt();
  uint64_t Held();
  void Row(const char* what, const char* format, double start, double end);
  void Check(const char* what, bool right);

  const int seconds_;
  Region region_{kEntries, /*inheritable=*/true};
  Shared<Tally> tally_;
  Context c_;
  std::vector<Child> unhurt_, workers_;
  Child changer_;
  uint64_t started_ = 0, kills_ = 0, stops_ = 0, changers_ = 0;
  std::vector<uint64_t> operations_, beats_;  // of each second
  std::vector<int64_t> stalls_, pulses_;
  int64_t cpu_ = 0;
  int passed_ = 0, failed_ = 0;
};

void Soak::StartHurt() {
  for (int i = 0; i < kWorkers; ++i) {
    const uint64_t seed = ++started_;
    workers_.push_back(Child([this, seed] { return Worker(c_, seed); }));
  }
  const uint64_t seed = ++started_;
  changer_ = Child([this, seed] { return Changer(c_, seed); });
}

void Soak::EndHurt() {
  workers_.clear();  // kills them
  changer_.End();
}

// Runs the load from one time to another, and notes the figures of each second.
void Soak::Hurt(int from_ms, int to_ms) {
  StartHurt();
  const int64_t begin = Usec(CLOCK_MONOTONIC) - int64_t{from_ms} * 1000;
  struct Stopped {
    int worker;
    int64_t until;
  };
  std::vector<Stopped> stopped;
  uint64_t before = tally_->operations, beaten = tally_->beats;
  // If the machine is too busy for all ticks, some are skipped.
  int stop_at = from_ms, kill_at = from_ms, change_at = from_ms;
  int second_at = from_ms + 1000;
  const auto due = [](int at, int every, int* next) {
    if (at < *next) return false;
    *next = at - at % every + every;
    return true;
  };
  for (int at = from_ms; at < to_ms;
       at = int((Usec(CLOCK_MONOTONIC) - begin) / 1000)) {
    Pace(kTickMs);
    for (size_t i = 0; i < stopped.size(); ++i) {
      if (Usec(CLOCK_MONOTONIC) < stopped[i].until) continue;
      workers_[size_t(stopped[i].worker)].Signal(SIGCONT);
      stopped.erase(stopped.begin() + long(i--));
    }
    if (stopped.empty() && due(at, kStopMs, &stop_at)) {
      const int victim = int(Mix(uint64_t(at)) % kWorkers);
      workers_[size_t(victim)].Signal(SIGSTOP);
      stopped.push_back(
          {victim, Usec(CLOCK_MONOTONIC) +
                       int64_t(Mix(uint64_t(at) + 1) % 1000) * 1000});
      ++stops_;
    }
    if (due(at, kKillMs, &kill_at)) {
      const int victim = int(Mix(uint64_t(at) + 2) % kWorkers);
      if (stopped.empty() || stopped[0].worker != victim) {
        const uint64_t seed = ++started_;
        Child& worker = workers_[size_t(victim)];
        worker.End();
        worker = Child([this, seed] { return Worker(c_, seed); });
        ++kills_;
      }
    }
    if (due(at, kChangerMs, &change_at)) {
      const uint64_t seed = ++started_;
      changer_.End();
      changer_ = Child([this, seed] { return Changer(c_, seed); });
      ++changers_;
    }
    if (due(at, 1000, &second_at)) {
      const uint64_t count = tally_->operations;
      operations_.push_back(count - before);
      before = count;
      beats_.push_back(tally_->beats - beaten);
      beaten += beats_.back();
      stalls_.push_back(tally_->wall.exchange(0));
      cpu_ = std::max(cpu_, tally_->cpu.exchange(0));
      pulses_.push_back(tally_->pulse.exchange(0));
    }
  }
  for (const Stopped& one : stopped)
    workers_[size_t(one.worker)].Signal(SIGCONT);
  EndHurt();
}

// Moves a cache into new memory several times. After that no cell or slot is
// left in which a writer died, and each change has swept some gaps of the heap.
bool Rebuild(snceCache cache, uint64_t entries) {
  for (uint64_t i = 10; i-- > 0;) {
    const snceCacheOptions options = Options(entries + i);
    if (snceCache_Configure(cache, &options) != SNCE_OK) return false;
  }
  return true;
}

Rest Soak::MeasureAtRest() {
  Rest rest;
  tally_->pause = true;
  const int64_t until = Usec(CLOCK_MONOTONIC) + int64_t{kPatience} * 1000;
  while (tally_->parked < kUnhurt && Usec(CLOCK_MONOTONIC) < until) Pace(1);
  Check("everybody comes to rest", tally_->parked == kUnhurt);
  // Remove the virtual servers that come and go. This also ends the changes
  // whose processes died.
  bool removed = true;
  for (const snceServerInfo& info : List(region_.get())) {
    if (NameOf(info)[0] == 's' && NameOf(info)[1] >= '0' &&
        NameOf(info)[1] <= '9')
      removed &= snceServer_Remove(region_.get(), info.id) == SNCE_OK;
  }
  Check("virtual servers are removed", removed);
  snceServerId id;
  Check("what stays is built anew",
        Find(region_.get(), "stable.example", &id) == SNCE_OK &&
            Rebuild(snceRegion_Cache(region_.get(), id), kStable) &&
            Rebuild(region_.cache(), kEntries));
  rest.resident = snceRegion_ResidentBytes(region_.get());
  struct stat file = {};
  Check("the region has a file", fstat(region_.fd(), &file) == 0);
  rest.file = uint64_t(file.st_size);
  for (int i = 0; i < kUnhurt; ++i)
    rest.unhurt[i] = Measure(unhurt_[size_t(i)].pid());
  return rest;
}

// Returns how many sessions the default cache holds after three times as many
// were stored as it has room for.
uint64_t Soak::Held() {
  const snceCache cache = region_.cache();
  const snceTime now = At(kStart + 10 * kSecond);
  for (uint64_t serial = 0; serial < 3 * kEntries; ++serial)
    Session(2000000 + serial).Created(now).Insert(cache, now);
  uint64_t held = 0;
  const Large large;
  for (uint64_t serial = 0; serial < 3 * kEntries; ++serial)
    held += Find(cache, Session(2000000 + serial), now) == SNCE_OK;
  for (uint64_t serial = 0; serial < kKeys; ++serial)
    held += Find(cache, Session(serial), At(kStart)) == SNCE_OK;
  for (uint64_t i = 0; i < 48; ++i)
    held += Find(cache, large.Of(i), At(kStart)) == SNCE_OK;
  return held;
}

void Soak::Row(const char* what, const char* format, double start, double end) {
  char one[40], other[40];
  snprintf(one, sizeof(one), format, start);
  snprintf(other, sizeof(other), format, end);
  printf("  %-44s %14s %14s\n", what, one, other);
}

void Soak::Check(const char* what, bool right) {
  ++(right ? passed_ : failed_);
  if (!right) printf("FAIL %s\n", what);
}

template <typename T>
T Most(const std::vector<T>& values, size_t from, size_t to) {
  return from < to ? *std::max_element(values.begin() + long(from),
                                       values.begin() + long(to))
                   : T{};
}

double Mean(const std::vector<uint64_t>& values, size_t from, size_t to) {
  double sum = 0;
  for (size_t i = from; i < to; ++i) sum += double(values[i]);
  return from < to ? sum / double(to - from) : 0;
}

int Soak::Run() {
  char string[SNCE_STRING_MAX];
  if (snceRegion_Export(region_.get(), string, sizeof(string)) != SNCE_OK)
    return 2;
  c_ = Context{region_.get(), &*tally_, region_.fd(), string};
  AddServer(region_.get(), "stable.example", kStable);
  const std::function<int(const Context&)> bodies[] = {Steady, Attacher, Forker,
                                                       Stepper, Pulse};
  for (const auto& body : bodies)
    unhurt_.push_back(Child([this, &body] { return body(c_); }));

  const int total = seconds_ * 1000;
  const int warm = std::min(std::max(total / 6, 10000), 60000) / 1000 * 1000;
  Hurt(0, warm);
  const Rest start = MeasureAtRest();
  operations_.clear();
  beats_.clear();
  stalls_.clear();
  pulses_.clear();
  const uint64_t first_operations = tally_->operations;
  tally_->wall = 0;
  tally_->pulse = 0;
  tally_->pause = false;
  Hurt(warm, std::max(total, warm + 5000));
  const Rest end = MeasureAtRest();
  tally_->pause = false;
  tally_->stop = true;
  for (int i = 0; i < kUnhurt; ++i)
    Check(kNamesOfUnhurt[i], unhurt_[size_t(i)].Wait(kPatience) == 0);

  const size_t count = operations_.size();
  const size_t part = std::min<size_t>(60, count / 3);
  const double ops[] = {Mean(operations_, 0, part),
                        Mean(operations_, count - part, count)};
  const int64_t stall = Most(stalls_, 0, count);
  const int64_t pulse = Most(pulses_, 0, count);
  const uint64_t held = Held();
  const snceFigures figures = region_.Figures();

  printf("  %-44s %14s %14s\n", "", "start", "end");
  Row("memory of the region, KiB", "%.0f", double(start.resident) / 1024,
      double(end.resident) / 1024);
  Row("size of its file, KiB", "%.0f", double(start.file) / 1024,
      double(end.file) / 1024);
  for (int i = 0; i < kUnhurt; ++i) {
    const Measured &a = start.unhurt[i], &b = end.unhurt[i];
    const std::string name = kNamesOfUnhurt[i];
    Row((name + ": memory of its own, KiB").c_str(), "%.0f",
        double(a.memory) / 1024, double(b.memory) / 1024);
    Row((name + ": descriptors").c_str(), "%.0f", a.descriptors, b.descriptors);
    Row((name + ": mapped of the region, KiB").c_str(), "%.0f",
        double(a.mapped) / 1024, double(b.mapped) / 1024);
    Check((name + ": memory").c_str(),
          b.memory <= a.memory + kMostProcessGrowth);
    Check((name + ": descriptors").c_str(), a.descriptors == b.descriptors);
    Check((name + ": no chunk is mapped twice").c_str(),
          a.mapped > 0 && a.again == 0 && b.again == 0);
    Check((name + ": no chunk behind the file's end is mapped").c_str(),
          b.end < end.file + kChunk);
  }
  char what[80];
  snprintf(what, sizeof(what), "operations a second, %d s at either end",
           int(part));
  Row(what, "%.0f", ops[0], ops[1]);
  Row("longest operation of the steady one there, ms", "%.1f",
      double(Most(stalls_, 0, part)) / 1000,
      double(Most(stalls_, count - part, count)) / 1000);
  Row("the same of one that touches no cache, ms", "%.1f",
      double(Most(pulses_, 0, part)) / 1000,
      double(Most(pulses_, count - part, count)) / 1000);
  printf(
      "  %d s; %llu operations, %llu of the steady one; its longest took %.1f "
      "ms by the clock, %.1f ms of CPU\n",
      seconds_, (unsigned long long)(tally_->operations - first_operations),
      (unsigned long long)tally_->steady, double(stall) / 1000,
      double(cpu_) / 1000);
  printf(
      "  %d workers killed, %d stopped, %d changers killed in %d changes (%d "
      "refused), %d attached, %d executed, %d forked, %d clock steps\n",
      int(kills_), int(stops_), int(changers_), int(tally_->changes),
      int(tally_->refused), int(tally_->attached), int(tally_->executed),
      int(tally_->forked), int(tally_->steps));
  printf("  %d inserts dropped, %d slots taken back, %d entries spoiled\n",
         int(tally_->dropped), int(figures.reclaimed), int(figures.corrupt));
  printf("  a cache of %d holds %d\n", int(kEntries), int(held));

  snprintf(what, sizeof(what), "the region's memory does not grow: %.0f KiB",
           (double(end.resident) - double(start.resident)) / 1024);
  Check(what, end.resident <= start.resident + kMostRegionGrowth);
  snprintf(what, sizeof(what), "the region's file stays small: %.0f KiB",
           double(end.file) / 1024);
  Check(what, end.file <= kMostFile);
  // In proportion to the processor time that the machine gave |pulse|.
  Check("as many operations at the end",
        ops[1] * 3 * Mean(beats_, 0, part) >=
            ops[0] * Mean(beats_, count - part, count));
  Check("no operation waits", stall <= std::max(kMostWallUsec, 3 * pulse));
  Check("no operation goes on and on", cpu_ <= kMostCpuUsec);
  Check("a cache of N holds N", held * 1000 >= kEntries * 995);
  const struct {
    const char* what;
    uint64_t count;
  } none[] = {
      {"sessions made of two", tally_->mixed},
      {"sessions lost", tally_->lost},
      {"removed sessions found", tally_->returned},
      {"expired sessions found", tally_->undead},
      {"steps of the clock after which new sessions had no room",
       tally_->crowded},
      {"results that should not be", tally_->odd},
      {"attachments that left something behind", tally_->left},
      {"children that hung or failed", tally_->hung},
  };
  for (const auto& one : none) {
    printf("  %-58s %6llu\n", one.what, (unsigned long long)one.count);
    Check(one.what, one.count == 0);
  }
  // The figures above mean something only if all kinds of load took place.
  Check("all of it took place",
        kills_ > 20 && stops_ > 3 && changers_ > 10 && tally_->attached > 20 &&
            tally_->executed > 1 && tally_->forked > 20 && tally_->steps > 20);
  printf("%d passed, %d failed\n", passed_, failed_);
  return failed_ != 0;
}

// The main function of an executed child: it inherits and works.
int Inherit(const char* string) {
  snceRegion* region = nullptr;
  if (snceRegion_Inherit(&region, string) != SNCE_OK) return 3;
  Shared<Tally> tally;
  const Context c = {region, &*tally, snceRegion_Descriptor(region), string};
  Answer answer;
  const Large large;
  for (uint64_t i = 0; i < 50; ++i)
    Operate(c, snceRegion_DefaultCache(region), &answer, large,
            Mix(uint64_t(getpid()) * 1009 + i));
  snceRegion_Close(region);
  return tally->mixed != 0 || tally->odd != 0 ? 4 : 0;
}

}  // namespace
}  // namespace snce_test

int main(int argc, char** argv) {
  if (argc == 2 && strncmp(argv[1], "--inherit=", 10) == 0)
    return snce_test::Inherit(argv[1] + 10);
  ::testing::InitGoogleTest(&argc, argv);
  const int seconds = argc == 2 ? atoi(argv[1]) : 0;
  if (seconds < 1) {
    fprintf(stderr, "usage: soak SECONDS\n");
    return 2;
  }
  // Line by line, for a reader who watches.
  setvbuf(stdout, nullptr, _IOLBF, 0);
  return snce_test::Soak(seconds).Run();
}
