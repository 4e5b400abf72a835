/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// A process that dies at any stage of changing a virtual server leaves the
// state before the change or after it, and the next change works.
//
// A dead process leaves what the region holds at that instant: the tests copy
// the region between two instructions, and use the copy as surviving processes
// would.
#include <algorithm>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "sslsnce/snce.h"
#include "test_build.h"
#include "test_child.h"
#include "test_clock.h"
#include "test_region.h"
#include "test_server.h"
#include "test_session.h"
#include "test_stepper.h"

namespace snce_test {
namespace {

// At how many stages of a change the tests look; long changes cost more for
// each.
constexpr uint64_t kStages = 250;
constexpr uint64_t kLongStages = 35;
constexpr uint64_t kSessions = 24;  // in the server that is changed

class SnceServerStep : public ::testing::Test {
 protected:
  void SetUp() override {
    if (kSanitized) GTEST_SKIP() << "the plain build does this";
    if (CountSteps([] { return SNCE_OK; }) == 0)
      GTEST_SKIP() << "no process may be traced here";
    Fill(*region_);
  }

  static snceCacheOptions Small(uint64_t entries) {
    snceCacheOptions options = Options(entries);
    options.certificates = 16;
    return options;
  }
  // The sessions of the server that is changed; higher serials are younger.
  // Each has |secret_| in its state.
  Session Nth(uint64_t serial) const {
    Session session = Session(serial, 1)
                          .Certificate(Bytes(serial % 3, 40))
                          .Created(At(kStart + int64_t(serial) * kSecond));
    std::copy(secret_.begin(), secret_.end(), session.get()->state + 40);
    return session;
  }
  void Fill(const Region& region) {
    snceServerId id;
    for (const char* name : {"stays.example", "old.example"})
      ASSERT_EQ(SNCE_OK, Add(region.get(), name, Small(32), &id));
    for (uint64_t serial = 0; serial < kSessions; ++serial) {
      ASSERT_EQ(SNCE_OK, Nth(serial).Insert(Old(region), now_));
      if (serial < 8) {
        ASSERT_EQ(SNCE_OK,
                  Session(serial, 2, kEverything).Insert(Stays(region), now_));
        ASSERT_EQ(SNCE_OK,
                  Session(serial, 3, kEverything).Insert(region.cache(), now_));
      }
    }
  }
  static snceCache Named(const Region& region, const char* name) {
    snceServerId id = IdOf(region.get(), SNCE_SERVERS_MAX, 0);
    Find(region.get(), name, &id);
    return snceRegion_Cache(region.get(), id);
  }
  static snceCache Old(const Region& region) {
    return Named(region, "old.example");
  }
  static snceCache Stays(const Region& region) {
    return Named(region, "stays.example");
  }
  uint64_t CountOld(snceCache cache, uint64_t first = 0) {
    uint64_t found = 0;
    for (uint64_t serial = first; serial < kSessions; ++serial) {
      if (answer_.Lookup(cache, Nth(serial).Key(), now_) == SNCE_OK) {
        EXPECT_EQ("", answer_.Differs(Nth(serial)));
        ++found;
      }
    }
    return found;
  }
  // Expects that what was not changed is as before, and that every change
  // works.
  void ExpectSound(const Region& region) {
    for (uint64_t serial = 0; serial < 8; ++serial) {
      const Session beside(serial, 2, kEverything);
      const Session inDefault(serial, 3, kEverything);
      ASSERT_EQ(SNCE_OK, answer_.Lookup(Stays(region), beside.Key(), now_));
      ASSERT_EQ("", answer_.Differs(beside));
      ASSERT_EQ(SNCE_OK, answer_.Lookup(region.cache(), inDefault.Key(), now_));
      ASSERT_EQ("", answer_.Differs(inDefault));
    }
    ASSERT_EQ(snceCache_Id(Stays(region)),
              Choose(region.get(), "stays.example"));
    snceServerId id;
    ASSERT_EQ(SNCE_OK, Add(region.get(), "next.example", Small(32), &id));
    const snceCache next = snceRegion_Cache(region.get(), id);
    for (uint64_t serial = 0; serial < kSessions; ++serial) {
      ASSERT_EQ(SNCE_MISS, Find(next, Nth(serial), now_));
      ASSERT_EQ(SNCE_OK, Nth(serial).Insert(next, now_));
    }
    ASSERT_EQ(kSessions, CountOld(next));
    snceCacheOptions options = Small(200);
    ASSERT_EQ(SNCE_OK, snceCache_Configure(next, &options));
    ASSERT_EQ(kSessions, CountOld(next));
    options.entries = 10;
    ASSERT_EQ(SNCE_OK, snceCache_Configure(next, &options));
    ASSERT_EQ(10u, CountOld(next, kSessions - 10));
    ASSERT_EQ(SNCE_OK, snceCache_Flush(next));
    ASSERT_EQ(0u, CountOld(next));
    ASSERT_EQ(SNCE_OK, snceServer_Remove(region.get(), id));
    ASSERT_EQ(SNCE_MISS, Find(region.get(), "next.example", &id));
  }
  uint64_t Secrets(const Region& region) {
    return CountInFile(region.fd(), secret_.data(), secret_.size());
  }

  // Looks at what is left at some stages of |change|. Then as many processes as
  // fit into a second die of it in one region.
  void DieEverywhere(const char* name,
                     const std::function<snceResult(const Region&)>& change,
                     const std::function<void(const Region&, uint64_t)>& look) {
    uint64_t steps = 0;
    {
      Region counted(Small(32));
      Fill(counted);
      steps = CountSteps([&] { return change(counted); });
    }
    const uint64_t stages = StepTimes(steps < 50000 ? kStages : kLongStages);
    Stepper victim([&] { return change(*region_); });
    uint64_t looked = 0;
    for (; victim.Step(1 + steps / stages); ++looked) {
      snceRegion* attached = nullptr;
      ASSERT_EQ(SNCE_OK, snceRegion_Attach(&attached, CopyOf(region_->fd()),
                                           SNCE_ACCESS_ADMIN));
      const Region copy(attached);
      look(copy, victim.steps());
      if (!HasFatalFailure()) ExpectSound(copy);
      if (HasFatalFailure()) {
        FAIL() << name << ", dead at instruction " << victim.steps();
      }
    }
    EXPECT_EQ(SNCE_OK, victim.Finish());
    look(*region_, steps);
    ExpectSound(*region_);
    uint64_t deaths = 0;
    for (uint64_t at = 1; at < 5; ++at) {
      Region region(Small(32));
      Fill(region);
      Stepper killed([&] { return change(region); });
      if (!killed.Step(steps * at / 5)) break;
      killed.Kill();
      ++deaths;
      look(region, killed.steps());
      ExpectSound(region);
      if (HasFatalFailure()) {
        FAIL() << name << ", killed at instruction " << killed.steps();
      }
    }
    printf("%s: %d instructions, looked at after %d, died at %d of them\n",
           name, int(steps), int(looked), int(deaths));
  }

  Watchdog watchdog_{300};
  std::unique_ptr<Region> region_{new Region(Small(32))};
  snceTime now_ = At(kStart);
  Answer answer_;
  const std::vector<uint8_t> secret_ = Bytes(77, 40);
};

TEST_F(SnceServerStep, AnAdditionIsThereOrNot) {
  uint64_t there = 0, absent = 0;
  DieEverywhere(
      "adding",
      [](const Region& region) {
        snceServerId id;
        return Add(region.get(), "*.new.example", Small(32), &id);
      },
      [&](const Region& region, uint64_t) {
        snceServerId id, again;
        const bool found = Find(region.get(), "*.new.example", &id) == SNCE_OK;
        ++(found ? there : absent);
        const snceServerId chosen = Choose(region.get(), "a.new.example");
        ASSERT_EQ(found ? id : kDefault, chosen);
        ASSERT_EQ(found ? 4u : 3u, List(region.get()).size());
        ASSERT_EQ(found ? SNCE_EXISTS : SNCE_OK,
                  Add(region.get(), "*.new.example", Small(32), &again));
        if (found) {
          ASSERT_EQ(id, again);
        }
        ASSERT_EQ(again, Choose(region.get(), "a.new.example"));
        const snceCache cache = snceRegion_Cache(region.get(), again);
        ASSERT_EQ(0u, CountOld(cache));
        ASSERT_EQ(SNCE_OK, Nth(1).Insert(cache, now_));
        ASSERT_EQ(1u, CountOld(cache));
        ASSERT_EQ(kSessions, CountOld(Old(region)));
      });
  EXPECT_GT(there, 0u);
  EXPECT_GT(absent, 0u);
}

TEST_F(SnceServerStep, ARemovalIsDoneOrNotBegun) {
  uint64_t there = 0, gone = 0;
  DieEverywhere(
      "removing",
      [](const Region& region) {
        return snceServer_Remove(region.get(), snceCache_Id(Old(region)));
      },
      [&](const Region& region, uint64_t) {
        const snceServerId id = IdOf(region.get(), 2, 1);
        const snceCache cache = snceRegion_Cache(region.get(), id);
        snceServerId found;
        const bool lives = Find(region.get(), "old.example", &found) == SNCE_OK;
        ++(lives ? there : gone);
        if (lives) {
          ASSERT_EQ(id, found);
        }
        ASSERT_EQ(lives ? kSessions : 0u, CountOld(cache));
        ASSERT_EQ(lives ? SNCE_OK : SNCE_GONE, Nth(0).Insert(cache, now_));
        ASSERT_EQ(lives ? SNCE_OK : SNCE_GONE,
                  snceServer_Remove(region.get(), id));
        // The next change has wiped the secrets, whichever server it was for.
        ASSERT_EQ(0u, Secrets(region));
        ASSERT_EQ(2u, List(region.get()).size());
        ASSERT_EQ(SNCE_OK, Add(region.get(), "old.example", Small(32), &found));
        ASSERT_NE(id, found);
        ASSERT_EQ(0u, CountOld(Old(region)));
        ASSERT_EQ(0u, CountOld(cache));
        ASSERT_EQ(0u, FiguresOf(Old(region)).inserts);
      });
  EXPECT_GT(there, 0u);
  EXPECT_GT(gone, 0u);
}

TEST_F(SnceServerStep, AFlushIsDoneOrNotBegun) {
  uint64_t there = 0, gone = 0;
  DieEverywhere(
      "flushing",
      [](const Region& region) { return snceCache_Flush(Old(region)); },
      [&](const Region& region, uint64_t) {
        const snceCache cache = Old(region);
        const uint64_t found = CountOld(cache);
        ++(found ? there : gone);
        ASSERT_TRUE(found == 0 || found == kSessions) << found;
        ASSERT_EQ(found, FiguresOf(cache).live);
        ASSERT_EQ(SNCE_OK, snceCache_Flush(cache));
        ASSERT_EQ(0u, CountOld(cache));
        ASSERT_EQ(0u, Secrets(region));
        ASSERT_EQ(0u, FiguresOf(cache).live);
        ASSERT_EQ(0u, FiguresOf(cache).certificates);
        ASSERT_EQ(SNCE_OK, Nth(1).Insert(cache, now_));
        ASSERT_EQ(1u, CountOld(cache));
      });
  EXPECT_GT(there, 0u);
  EXPECT_GT(gone, 0u);
}

// The certificates also move, into a store of another size.
TEST_F(SnceServerStep, ShrinkingKeepsTheNewestAtEveryStage) {
  snceCacheOptions fewer = Small(10);
  fewer.certificates = 100;
  DieEverywhere(
      "shrinking",
      [fewer](const Region& region) {
        return snceCache_Configure(Old(region), &fewer);
      },
      [&](const Region& region, uint64_t) {
        const snceCache cache = Old(region);
        ASSERT_EQ(10u, CountOld(cache, kSessions - 10));
        ASSERT_EQ(SNCE_OK, snceCache_Configure(cache, &fewer));
        ASSERT_EQ(10u, CountOld(cache, kSessions - 10));
        ASSERT_EQ(10u, CountOld(cache));
        // There is at most one more: the one that the dead process was storing.
        ASSERT_LE(Secrets(region), 11u);
        const Session youngest = Nth(kSessions - 1);
        const snceKey key = youngest.Key();
        ASSERT_EQ(SNCE_OK, snceCache_Remove(cache, &key));
        ASSERT_EQ(9u, CountOld(cache));
        ASSERT_EQ(SNCE_OK,
                  snceServer_Remove(region.get(), snceCache_Id(cache)));
        ASSERT_EQ(0u, Secrets(region));
      });
}

TEST_F(SnceServerStep, GrowingKeepsAllAtEveryStage) {
  const snceCacheOptions more = Options(100);  // room for as many certificates
  DieEverywhere(
      "growing",
      [more](const Region& region) {
        return snceCache_Configure(Old(region), &more);
      },
      [&](const Region& region, uint64_t at) {
        const snceCache cache = Old(region);
        ASSERT_EQ(kSessions, CountOld(cache));
        if (at % 2) {
          // A change of another server ends the one that was begun.
          snceServerId id;
          ASSERT_EQ(SNCE_OK, Add(region.get(), "more.example", more, &id));
        } else {
          ASSERT_EQ(SNCE_OK, snceCache_Configure(cache, &more));
        }
        ASSERT_EQ(kSessions, CountOld(cache));
        ASSERT_LE(Secrets(region), kSessions + 1);
        ASSERT_EQ(SNCE_OK, snceCache_Flush(cache));
        ASSERT_EQ(0u, CountOld(cache));
        ASSERT_EQ(0u, Secrets(region));
      });
}

// A writer stands at any instruction of an insert while its server is removed
// and its range goes to the next server. Nobody finds in that server what the
// writer stores.
TEST_F(SnceServerStep, AWriterWokenAfterItsServerWentDoesNoHarm) {
  const uint64_t steps =
      CountSteps([&] { return Nth(100).Insert(Old(*region_), now_); });
  uint64_t gone = 0, stored = 0, tried = 0;
  for (uint64_t point = 1; point < steps; point += 1 + steps / 40, ++tried) {
    Region region(Small(32));
    Fill(region);
    const snceCache old = Old(region);
    const uint32_t number = old.id.number;
    Stepper writer([&] { return Nth(100).Insert(old, now_); });
    if (!writer.Step(point)) break;
    ASSERT_EQ(SNCE_OK, snceServer_Remove(region.get(), snceCache_Id(old)));
    const snceCache next = AddServer(region.get(), "old.example", 32);
    ASSERT_EQ(number, next.id.number);
    for (uint64_t serial = 0; serial < kSessions; ++serial)
      ASSERT_EQ(SNCE_OK, Nth(serial).Insert(next, now_));
    const snceResult result = writer.Finish();
    ++(result == SNCE_OK ? stored : gone);
    ASSERT_TRUE(result == SNCE_GONE || result == SNCE_DROPPED ||
                result == SNCE_OK)
        << result;
    ASSERT_EQ(SNCE_MISS, Find(next, Nth(100), now_)) << point;
    ASSERT_EQ(kSessions, CountOld(next)) << point;
    // If the writer stood just before counting, it counts its session in that
    // server.
    ASSERT_LE(FiguresOf(next).live, kSessions + 1) << point;
  }
  printf("woken at %d points: %d found their server gone, %d had stored\n",
         int(tried), int(gone), int(stored));
  EXPECT_GT(gone, 5u);
}

// The same with a flush: the session may be found afterwards, as one that was
// stored after the flush, but only if the insert reported success.
TEST_F(SnceServerStep, AWriterWokenAfterAFlushIsToldTheTruth) {
  const uint64_t steps =
      CountSteps([&] { return Nth(100).Insert(Old(*region_), now_); });
  uint64_t dropped = 0, stored = 0;
  for (uint64_t point = 1; point < steps; point += 1 + steps / 40) {
    Region region(Small(32));
    Fill(region);
    const snceCache old = Old(region);
    Stepper writer([&] { return Nth(100).Insert(old, now_); });
    if (!writer.Step(point)) break;
    const bool before = Find(old, Nth(100), now_) == SNCE_OK;
    ASSERT_EQ(SNCE_OK, snceCache_Flush(old));
    ASSERT_EQ(SNCE_MISS, Find(old, Nth(100), now_)) << point;
    const snceResult result = writer.Finish();
    const snceResult found = Find(old, Nth(100), now_);
    ++(result == SNCE_OK ? stored : dropped);
    if (result != SNCE_OK || before) {
      ASSERT_EQ(SNCE_MISS, found) << point;
    } else {
      ASSERT_EQ(SNCE_OK, found) << point;
    }
  }
  printf("%d stored, %d dropped\n", int(stored), int(dropped));
}

}  // namespace
}  // namespace snce_test
