/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// Virtual servers are added, grown, shrunk and removed while processes serve
// them.
//
// With SNCE_STORM_SECONDS=60 each storm lasts for a minute, and must reach a
// million operations in it.
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "sslsnce/snce.h"
#include "storm.h"
#include "test_build.h"
#include "test_child.h"
#include "test_clock.h"
#include "test_region.h"
#include "test_server.h"
#include "test_session.h"

namespace snce_test {
namespace {

using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr int kServing = 3;
constexpr uint64_t kNames = 8;  // virtual servers that are added and removed
constexpr uint64_t kKeys = 60;  // in each of them
constexpr uint64_t kKept =
    50;  // sessions that each process keeps in the stable server

// More caches than kMoved must change their size while others serve, and at
// least kDeaths changers must be killed. A slow machine may take kLongest times
// as long.
constexpr uint64_t kMoved = kSanitized ? 0 : 50;
constexpr int kDeaths = 20;
constexpr int kLongest = 4;

int Seconds() { return StormSeconds(12); }

struct Tally {
  std::atomic<uint64_t> operations, hits, inserts, dropped, gone, chosen;
  std::atomic<uint64_t> mixed, foreign, lost, undead, odd;
  std::atomic<uint64_t> returned;
  std::atomic<uint64_t> added, removed, flushed, moved, retimed, full, refused;
  std::atomic<uint64_t> changes;  // all of them, each counted when it is done
  // The server that was removed last: number << 32 | generation.
  std::atomic<uint64_t> dead;
  std::atomic<bool> stop;
};

std::string NameOfNth(uint64_t which) {
  return which % 3 ? "s" + std::to_string(which) + ".example"
                   : "*.w" + std::to_string(which) + ".example";
}
// The server name that a client sends to reach it.
std::string AskedForNth(uint64_t which) {
  return which % 3 ? "S" + std::to_string(which) + ".Example"
                   : "any.w" + std::to_string(which) + ".example";
}

uint64_t Packed(snceServerId id) {
  return uint64_t{id.number} << 32 | id.generation;
}

// A session that shows in which generation of which virtual server it was
// stored.
Session In(snceServerId id, uint64_t key, uint64_t count) {
  return Session(uint64_t{id.number} * 1000 + key,
                 Packed(id) << 24 | (count & 0xffffff), count & 7);
}

// Makes one change of a virtual server.
void Change(snceRegion* region, uint64_t dice, Tally* tally) {
  const std::string name = NameOfNth(dice % kNames);
  snceCacheOptions options = Options(20 + (dice >> 8) % 600);
  options.certificates = dice >> 20 & 1 ? 0 : 40;
  options.timeoutSec[SNCE_CLASS_SSL3] = 3600 + uint32_t(dice >> 30 & 1023);
  snceServerId id;
  snceResult result;
  if ((dice >> 40) % 16 == 0) {
    // The stable server: never smaller than what it holds.
    if (Find(region, "stable.example", &id) != SNCE_OK) return;
    // It is also so large that a slot is used again only after seconds: a
    // process that is interrupted for that long may spoil what was stored in
    // the slot that was taken back from it (rule 5).
    options.entries = 10000 + (dice >> 8) % 30000;
    options.certificates = 0;
    result = snceCache_Configure(snceRegion_Cache(region, id), &options);
    ++tally->moved;
  } else if (Find(region, name, &id) != SNCE_OK) {
    result = Add(region, name, options, &id);
    ++tally->added;
  } else {
    const snceCache cache = snceRegion_Cache(region, id);
    switch ((dice >> 44) % 8) {
      case 0:
      case 1:
        result = snceServer_Remove(region, id);
        if (result == SNCE_OK) tally->dead = Packed(id);
        ++tally->removed;
        break;
      case 2:
        result = snceCache_Flush(cache);
        ++tally->flushed;
        break;
      case 3: {
        snceCacheOptions now;
        result = snceCache_GetOptions(cache, &now);
        now.timeoutSec[SNCE_CLASS_SSL3] = options.timeoutSec[SNCE_CLASS_SSL3];
        now.matchAddress = dice >> 50 & 1;
        if (result == SNCE_OK) result = snceCache_Configure(cache, &now);
        ++tally->retimed;
        break;
      }
      default:
        result = snceCache_Configure(cache, &options);
        ++tally->moved;
    }
  }
  tally->full += result == SNCE_NO_MEMORY;
  // With one changing process at a time no server is gone or busy.
  tally->refused += result != SNCE_OK && result != SNCE_NO_MEMORY;
}

int Changer(snceRegion* region, uint64_t seed, Tally* tally) {
  for (uint64_t i = 0; !tally->stop && getppid() != 1; ++i) {
    Change(region, Mix(seed * 1000003 + i), tally);
    ++tally->changes;
  }
  return 0;
}

// One operation in a virtual server that may be removed at any time.
void Serve(snceRegion* region, Answer* answer, uint64_t dice, Tally* tally) {
  // Read this before the operation: a server that was removed by now is gone in
  // it.
  const uint64_t dead = tally->dead;
  const uint64_t which = dice % kNames;
  snceServerId id = Choose(region, AskedForNth(which));
  if (dice >> 56 == 0 && dead != 0)
    id = IdOf(region, uint32_t(dead >> 32), uint32_t(dead));
  if (id == kDefault) return;
  ++tally->chosen;
  const snceCache cache = snceRegion_Cache(region, id);
  const uint64_t key = (dice >> 8) % kKeys;
  const Session session = In(id, key, dice >> 16);
  const snceKey wanted = session.Key();
  const bool is_dead = Packed(id) == dead;
  snceResult result;
  switch ((dice >> 48) % 8) {
    case 0:
      result = snceCache_Remove(cache, &wanted);
      tally->odd += result != SNCE_OK && result != SNCE_MISS;
      tally->undead += is_dead && result == SNCE_OK;
      break;
    case 1:
    case 2:
    case 3:
      result = session.Insert(cache, At(kStart));
      ++tally->inserts;
      tally->gone += result == SNCE_GONE;
      tally->dropped += result == SNCE_DROPPED;
      tally->undead += is_dead && result != SNCE_GONE;
      tally->odd += result != SNCE_OK && result != SNCE_DROPPED &&
                    result != SNCE_FULL && result != SNCE_GONE;
      break;
    default:
      result = answer->Lookup(cache, wanted, At(kStart));
      tally->odd += result != SNCE_OK && result != SNCE_MISS;
      if (result == SNCE_OK) {
        ++tally->hits;
        tally->undead += is_dead;
        tally->mixed += !answer->Mixed().empty() ||
                        answer->serial() != uint64_t{id.number} * 1000 + key;
        tally->foreign += (answer->variant() << 8) >> 32 << 24 !=
                          (Packed(id) << 32) >> 32 << 24;
      }
  }
  ++tally->operations;
}

int Server(snceRegion* region, uint64_t me, Tally* tally) {
  Answer answer;
  uint64_t variant[kKept] = {};  // 0: not stored
  for (uint64_t i = 1; !tally->stop && getppid() != 1; ++i) {
    const uint64_t dice = Mix(me * 7000001 + i);
    Serve(region, &answer, dice, tally);
    if (i % 4) continue;
    // In the stable server each process has keys of its own: what it stored is
    // there until it removes it.
    snceServerId id;
    if (Find(region, "stable.example", &id) != SNCE_OK) {
      ++tally->lost;
      continue;
    }
    const snceCache stable = snceRegion_Cache(region, id);
    const uint64_t key = (dice >> 12) % kKept;
    const uint64_t serial = 500000 + me * 1000 + key;
    const Session session(serial);
    const snceKey wanted = session.Key();
    snceResult result = answer.Lookup(stable, wanted, At(kStart));
    if (variant[key]) {
      tally->lost += result != SNCE_OK;
      if (result == SNCE_OK)
        tally->mixed += !answer.Mixed().empty() || answer.serial() != serial ||
                        answer.variant() != variant[key];
    } else {
      tally->returned += result == SNCE_OK;
    }
    if (dice >> 60 < 4) {
      result = snceCache_Remove(stable, &wanted);
      tally->lost += variant[key] && result != SNCE_OK;
      variant[key] = 0;
    } else if (!variant[key] || dice >> 60 < 8) {
      // A replacement that is dropped may have taken out the old session.
      if (variant[key]) snceCache_Remove(stable, &wanted);
      result = Session(serial, i, kEverything).Insert(stable, At(kStart));
      variant[key] = result == SNCE_OK ? i : 0;
      tally->odd += result != SNCE_OK && result != SNCE_DROPPED;
      tally->dropped += result == SNCE_DROPPED;
    }
    ++tally->operations;
  }
  return 0;
}

class SnceServerStorm : public ::testing::Test {
 protected:
  void SetUp() override {
    AddServer(region_.get(), "stable.example", 10000);
    for (uint64_t me = 0; me < kServing; ++me)
      serving_.push_back(
          Child([this, me] { return Server(region_.get(), me, &*tally_); }));
  }
  Child StartChanger() {
    const uint64_t seed = ++started_;
    return Child(
        [this, seed] { return Changer(region_.get(), seed, &*tally_); });
  }
  void Finish(Child* changer) {
    tally_->stop = true;
    EXPECT_EQ(0, changer->Wait(20000));
    for (Child& one : serving_) EXPECT_EQ(0, one.Wait(20000));
    printf(
        "%d operations, %d hits, %d inserts, %d dropped, %d of servers gone\n",
        int(tally_->operations), int(tally_->hits), int(tally_->inserts),
        int(tally_->dropped), int(tally_->gone));
    printf(
        "%d added, %d removed, %d flushed, %d moved, %d retimed; %d found no "
        "room\n",
        int(tally_->added), int(tally_->removed), int(tally_->flushed),
        int(tally_->moved), int(tally_->retimed), int(tally_->full));
    EXPECT_EQ(0u, tally_->mixed) << "sessions made of two";
    EXPECT_EQ(0u, tally_->foreign) << "sessions of another virtual server";
    EXPECT_EQ(0u, tally_->lost) << "sessions lost by moving";
    EXPECT_EQ(0u, tally_->undead) << "removed servers found";
    EXPECT_EQ(0u, tally_->returned) << "removed sessions found";
    EXPECT_EQ(0u, tally_->odd) << "results that should not be";
    EXPECT_GT(tally_->hits, 1000u);
    EXPECT_GT(tally_->moved, kMoved);
    if (Seconds() >= 60 && !kSanitized) {
      EXPECT_GE(tally_->operations, 1000000u);
    }
    // All servers still work, and their figures balance.
    for (const snceServerInfo& info : List(region_.get())) {
      const snceCache cache = snceRegion_Cache(region_.get(), info.id);
      ASSERT_EQ(SNCE_OK, Session(999999).Insert(cache, At(kStart)));
      ASSERT_EQ(SNCE_OK, Find(cache, Session(999999), At(kStart)));
      const snceFigures figures = FiguresOf(cache);
      EXPECT_LE(figures.live, figures.slots) << NameOf(info);
      if (info.id.number != 0) {
        ASSERT_EQ(SNCE_OK, snceServer_Remove(region_.get(), info.id));
      }
    }
    EXPECT_EQ(1u, List(region_.get()).size());
  }

  Region region_{100};
  Shared<Tally> tally_;
  uint64_t started_ = 0;
  std::vector<Child> serving_;
};

TEST_F(SnceServerStorm, ServersComeGrowShrinkAndGoWhileOthersServe) {
  Watchdog watchdog(unsigned(Seconds() * kLongest) + 60);
  Child changer = StartChanger();
  Pace(Seconds() * 1000);
  for (int i = 1; i < kLongest && tally_->moved <= kMoved; ++i)
    Pace(Seconds() * 1000);
  Finish(&changer);
  EXPECT_EQ(0u, tally_->refused);
}

// How long a changer lives is counted in changes, not in time: on a machine
// where a change takes longer, the killed changers have done as much.
TEST_F(SnceServerStorm, AChangerThatIsKilledEveryFewInstantsDoesNoHarm) {
  Watchdog watchdog(unsigned(Seconds() * kLongest) + 60);
  int deaths = 0;
  const auto begun = steady_clock::now();
  const auto end = begun + seconds(Seconds());
  const auto latest = begun + seconds(Seconds() * kLongest);
  Child changer = StartChanger();
  while (steady_clock::now() < end ||
         ((tally_->moved <= kMoved || deaths < kDeaths) &&
          steady_clock::now() < latest)) {
    const uint64_t dice = Mix(uint64_t(deaths) + 1);
    const uint64_t done = tally_->changes + dice % 4;
    while (tally_->changes < done && steady_clock::now() < latest) Pace(1);
    Pace(int((dice >> 8) % 20));  // in the middle of the next change
    changer.Signal(SIGKILL);
    EXPECT_EQ(kSignalled - SIGKILL, changer.Wait(20000));
    ++deaths;
    changer = StartChanger();
  }
  Finish(&changer);
  EXPECT_EQ(0u, tally_->refused);
  EXPECT_GE(deaths, kDeaths);
  printf("%d changing processes were killed\n", deaths);
}

}  // namespace
}  // namespace snce_test
