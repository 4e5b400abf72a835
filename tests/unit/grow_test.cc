/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// A cache begins small and grows by itself: its memory follows its use, growth
// loses no session, and no insert pays for all of it. The details of one split:
// split_test.cc.
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <vector>

#include "gtest/gtest.h"
#include "sslsnce/snce.h"
#include "test_build.h"
#include "test_child.h"
#include "test_clock.h"
#include "test_growth.h"
#include "test_region.h"
#include "test_server.h"
#include "test_session.h"

namespace snce_test {
namespace {

// The bytes of a session in a full cache: see
// SnceMemory.ASessionTakesAtMost232Bytes.
constexpr uint64_t kSessionBytes = 231;

// While a table grows, one session in some ten million finds both its sets
// full, and evicts another. No test here stores a million sessions.
constexpr uint64_t kByChance = 2;

int64_t Nanoseconds(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return int64_t{now.tv_sec} * 1000000000 + now.tv_nsec;
}

// Stores the sessions |first| to |end| - 1.
void Store(snceCache cache, uint64_t first, uint64_t end,
           uint8_t shape = kPlain) {
  for (uint64_t serial = first; serial < end; ++serial)
    ASSERT_EQ(SNCE_OK, Session(serial, 0, shape).Insert(cache, At(kStart)));
}

// Stores the sessions 0 to |end| - 1 in an empty cache. Returns how many are
// there.
uint64_t StoreFirst(snceCache cache, uint64_t end) {
  Store(cache, 0, end, kEverything);
  const uint64_t there = CountFound(cache, 0, end, At(kStart), kEverything);
  EXPECT_GE(there + kByChance, end);
  return there;
}

// Makes the table grow to |used| pages, whether inserts need them or not.
void GrowTo(snceCache cache, uint64_t used) {
  for (uint64_t tries = 0; tries < 2 * used; ++tries) {
    const Growth growth = GrowthOf(cache);
    if (growth.used >= used && !growth.splitting) return;
    GrowthStep(cache, At(kStart));
  }
  FAIL() << "it does not grow to " << used;
}

// ---- memory -----------------------------------------------------------------

TEST(SnceGrowth, MemoryFollowsUse) {
  const uint64_t entries = kSanitized ? 100000 : 1000000;
  Region region(entries);
  const uint64_t empty = snceRegion_ResidentBytes(region.get());
  double most = 0;
  uint64_t stored = 0;
  printf("empty: %.3f MB\n", double(empty) / 1e6);
  for (uint64_t permille : {1, 10, 100, 500, 1000}) {
    const uint64_t until = entries * permille / 1000;
    while (stored < until) {
      // Check the limit at every fill, not only at those that are printed.
      const uint64_t next = std::min(until, stored + entries / 200);
      Store(region.cache(), stored, next);
      stored = next;
      const uint64_t took = snceRegion_ResidentBytes(region.get()) - empty;
      EXPECT_LE(took, 2 * stored * kSessionBytes + (1u << 20)) << stored;
      most = std::max(most, double(took) / double(stored * kSessionBytes));
    }
    const uint64_t took = snceRegion_ResidentBytes(region.get()) - empty;
    const Growth growth = GrowthOf(region.cache());
    printf("%5.1f %% of %d: %.3f MB, %.1f bytes a session, %d of %d pages\n",
           double(permille) / 10, int(entries), double(took) / 1e6,
           double(took) / double(stored), int(growth.used), int(growth.pages));
  }
  printf("at most %.2f times what the sessions need\n", most);
  EXPECT_GE(CountFound(region.cache(), 0, entries, At(kStart)) * 1000,
            entries * 995);
}

TEST(SnceGrowth, ANewCacheBeginsWithFewPages) {
  for (uint64_t entries : {1u, 100u, 1500u, 3000u, 10000u, 1000000u}) {
    const Region region(entries);
    const Growth growth = GrowthOf(region.cache());
    EXPECT_EQ(GrowthFirst(growth.pages), growth.used) << entries;
    EXPECT_LE(growth.used, 127u);
    if (growth.pages >= 128) {
      EXPECT_GE(growth.used, 64u);
    } else {
      EXPECT_EQ(growth.pages, growth.used);
    }
    EXPECT_FALSE(growth.splitting);
    EXPECT_FALSE(growth.frozen);
    EXPECT_GE(region.Figures().slots, entries);
  }
}

TEST(SnceGrowth, AFlushMakesItSmallAgain) {
  Region region(100000);
  const snceCache cache = region.cache();
  const Growth fresh = GrowthOf(cache);
  const uint64_t empty = snceRegion_ResidentBytes(region.get());
  Store(cache, 0, 50000);
  ASSERT_GT(GrowthOf(cache).used, 2 * fresh.used);
  ASSERT_EQ(SNCE_OK, snceCache_Flush(cache));
  const Growth after = GrowthOf(cache);
  EXPECT_EQ(fresh.pages, after.pages);
  EXPECT_EQ(fresh.used, after.used);
  EXPECT_NE(fresh.word, after.word) << "the word of another table";
  EXPECT_LE(snceRegion_ResidentBytes(region.get()), empty + (1u << 20));
  // And it grows again.
  Store(cache, 200000, 300000);
  EXPECT_GE(CountFound(cache, 200000, 100000, At(kStart)), 99500u);
}

// ---- sessions ---------------------------------------------------------------

TEST(SnceGrowth, NothingIsLostMeanwhile) {
  for (uint64_t entries :
       {1500u, 2500u, 3000u, 10000u, 33333u, 100000u, 300000u}) {
    if (kSanitized && entries > 40000) break;
    Region region(entries);
    const snceCache cache = region.cache();
    uint64_t stored = 0;
    for (uint64_t percent :
         {1, 5, 8, 10, 12, 17, 20, 25, 30, 35, 40, 45, 50, 60, 70, 75}) {
      const uint64_t until = entries * percent / 100;
      Store(cache, stored, until);
      stored = until;
      const uint64_t there = stored - region.Figures().replacedLive;
      ASSERT_EQ(there, CountFound(cache, 0, stored, At(kStart)))
          << "in a cache of " << entries;
      ASSERT_EQ(there, region.Figures().live);
    }
    EXPECT_LE(region.Figures().replacedLive, kByChance);
    EXPECT_EQ(0u, region.Figures().wiped);
    Store(cache, stored, entries);
    const uint64_t found = CountFound(cache, 0, entries, At(kStart));
    EXPECT_GE(found * 1000, entries * 995);
    EXPECT_EQ(found, region.Figures().live);
    const Growth growth = GrowthOf(cache);
    EXPECT_EQ(growth.pages, growth.used);
    EXPECT_FALSE(growth.splitting);
    printf("a cache of %d holds %d\n", int(entries), int(found));
  }
}

// Removals and replacements leave holes in the pages that are split.
TEST(SnceGrowth, NothingIsLostWhileSessionsAreRemovedAndReplaced) {
  Region region(20000);
  const snceCache cache = region.cache();
  Answer answer;
  const auto is_removed = [](uint64_t serial) { return serial % 5 == 0; };
  const auto variant = [](uint64_t serial) { return serial % 3 ? 0 : 1; };
  for (uint64_t serial = 0; serial < 15000; ++serial) {
    ASSERT_EQ(SNCE_OK, Session(serial).Insert(cache, At(kStart)));
    const uint64_t before = serial / 2;
    if (is_removed(before)) {
      const Session session(before);
      const snceKey key = session.Key();
      ASSERT_EQ(serial % 2 ? SNCE_MISS : SNCE_OK,
                snceCache_Remove(cache, &key));
    } else if (variant(before) == 1) {
      ASSERT_EQ(SNCE_OK, Session(before, 1).Insert(cache, At(kStart)));
    }
  }
  uint64_t live = 0;
  for (uint64_t serial = 0; serial < 15000; ++serial) {
    const Session session(serial, serial < 7500 ? variant(serial) : 0);
    const bool gone = serial < 7500 && is_removed(serial);
    ASSERT_EQ(gone ? SNCE_MISS : SNCE_OK,
              answer.Lookup(cache, session.Key(), At(kStart)))
        << serial;
    if (gone) continue;
    ++live;
    ASSERT_EQ("", answer.Differs(session)) << serial;
  }
  EXPECT_EQ(live, region.Figures().live);
}

TEST(SnceGrowth, CertificatesStayWithTheirSessions) {
  Region region(20000);
  const snceCache cache = region.cache();
  const auto make = [](uint64_t serial) {
    return Session(serial).Certificate(Bytes(serial % 500, 300));
  };
  Answer answer;
  uint64_t certificates = 0;
  for (uint64_t serial = 0; serial < 14000; ++serial) {
    ASSERT_EQ(SNCE_OK, make(serial).Insert(cache, At(kStart)));
    // While the store adds segments, it may store some certificates twice.
    if (serial == 999) certificates = region.Figures().certificates;
  }
  ASSERT_GT(GrowthOf(cache).used, 4 * GrowthFirst(GrowthOf(cache).pages));
  for (uint64_t serial = 0; serial < 14000; ++serial) {
    ASSERT_EQ(SNCE_OK, answer.Lookup(cache, make(serial).Key(), At(kStart)));
    ASSERT_EQ("", answer.Differs(make(serial))) << serial;
  }
  ASSERT_GE(certificates, 500u);
  EXPECT_EQ(certificates, region.Figures().certificates);
  EXPECT_EQ(14000u, region.Figures().live);
  // Each session was counted once, so a certificate goes with its last session.
  for (uint64_t serial = 0; serial < 14000; ++serial) {
    const Session session = make(serial);
    const snceKey key = session.Key();
    ASSERT_EQ(SNCE_OK, snceCache_Remove(cache, &key));
    if (serial == 13499) {
      EXPECT_GE(region.Figures().certificates, 500u);
    }
  }
  EXPECT_EQ(0u, region.Figures().certificates);
  EXPECT_EQ(0u, region.Figures().live);
}

// A session that moves keeps the note of its use, so used sessions outlive
// others.
TEST(SnceGrowth, WhatWasUsedIsStillKnownToBeUsed) {
  Region region(10000);
  const snceCache cache = region.cache();
  const snceTime later = At(kStart + 60 * kSecond);
  Store(cache, 0, 500);
  CountFound(cache, 0, 500, later);
  for (uint64_t serial = 1000; serial < 31000; ++serial)
    ASSERT_EQ(SNCE_OK, Session(serial).Created(later).Insert(cache, later));
  const uint64_t kept = CountFound(cache, 0, 500, later);
  printf("%d of 500 used ones outlived growth and a flood\n", int(kept));
  EXPECT_GE(kept, 450u);
}

TEST(SnceGrowth, ExpiredSessionsMakeRoomBeforeItGrows) {
  constexpr uint64_t kHalf = 3000;
  Region region(10000);
  const snceCache cache = region.cache();
  for (uint64_t serial = 0; serial < kHalf; ++serial)
    ASSERT_EQ(SNCE_OK,
              Session(serial).Class(SNCE_CLASS_SSL2).Insert(cache, At(kStart)));
  const Growth before = GrowthOf(cache);
  ASSERT_LT(before.used, before.pages * 3 / 4);
  MockClock clock;
  for (uint64_t round = 0; round < 5; ++round) {
    clock.Advance(200 * kSecond);
    for (uint64_t i = 0; i < kHalf; ++i)
      ASSERT_EQ(SNCE_OK, Session(round * 100000 + 10000 + i)
                             .Class(SNCE_CLASS_SSL2)
                             .Created(clock.Now())
                             .Insert(cache, clock.Now()));
  }
  const Growth after = GrowthOf(cache);
  printf("%d pages for %d sessions, and %d after five times as many\n",
         int(before.used), int(kHalf), int(after.used));
  // Chance alone crowds some sets, and a few pages are split for them. Without
  // the sweep, all pages would come into use.
  EXPECT_LE(after.used, before.used + before.used / 3);
  EXPECT_LE(region.Figures().replacedLive, kByChance);
}

// ---- what an insert pays ----------------------------------------------------

TEST(SnceGrowth, NoInsertMovesMoreThanAPage) {
  const uint64_t entries = kSanitized ? 3000 : 10000;
  Region region(entries);
  const snceCache cache = region.cache();
  const uint64_t all = GrowthOf(cache).pages * GrowthPageSlots();
  std::vector<uint64_t> before(all), after(all);
  uint64_t most = 0, moved = 0, pages = 0;
  for (uint64_t serial = 0; serial < entries; ++serial) {
    const Growth was = GrowthOf(cache);
    ASSERT_EQ(SNCE_OK, Session(serial).Insert(cache, At(kStart)));
    const Growth now = GrowthOf(cache);
    ASSERT_LE(now.used, was.used + 1);
    ASSERT_FALSE(now.splitting);
    const size_t slots = now.used * GrowthPageSlots();
    GrowthVersions(cache, now.used, after.data());
    uint64_t changed = 0;
    for (size_t i = 0; i < slots; ++i) changed += before[i] != after[i];
    before.swap(after);
    // The insert changes one slot; each session that moves changes two.
    ASSERT_GE(changed, 1u);
    if (now.used == was.used) {
      ASSERT_EQ(1u, changed) << serial;
      continue;
    }
    ++pages;
    moved += (changed - 1) / 2;
    most = std::max(most, (changed - 1) / 2);
  }
  printf("%d pages were split; %.2f sessions moved by a split, %d at most\n",
         int(pages), double(moved) / double(pages), int(most));
  EXPECT_LE(most, 64u);
  EXPECT_GT(pages, entries / 100);
}

TEST(SnceGrowth, TheLongestInsertIsTold) {
  const uint64_t entries = kSanitized ? 20000 : 300000;
  Region region(entries);
  const snceCache cache = region.cache();
  std::vector<Session> sessions;
  for (uint64_t serial = 0; serial < entries; ++serial)
    sessions.emplace_back(serial);
  std::vector<int64_t> took;
  took.reserve(entries);
  for (const Session& session : sessions) {
    const int64_t began = Nanoseconds(CLOCK_THREAD_CPUTIME_ID);
    ASSERT_EQ(SNCE_OK, session.Insert(cache, At(kStart)));
    took.push_back(Nanoseconds(CLOCK_THREAD_CPUTIME_ID) - began);
  }
  std::sort(took.begin(), took.end());
  printf(
      "of %d inserts that grow a cache: median %.2f, 99 %% %.2f, 99.99 %% "
      "%.2f, longest %.2f microseconds of processor time\n",
      int(entries), double(took[entries / 2]) / 1e3,
      double(took[entries * 99 / 100]) / 1e3,
      double(took[entries * 9999 / 10000]) / 1e3, double(took.back()) / 1e3);
}

// ---- processes that can do less ---------------------------------------------

TEST(SnceGrowth, AReaderFollows) {
  Region region(10000);
  snceRegion* attached = nullptr;
  ASSERT_EQ(SNCE_OK,
            snceRegion_Attach(&attached, dup(region.fd()), SNCE_ACCESS_READ));
  const Region reader(attached);
  uint64_t stored = 0;
  for (uint64_t until = 500; until <= 4000; until += 500) {
    Store(region.cache(), stored, until);
    stored = until;
    ASSERT_LE(region.Figures().replacedLive, kByChance);
    ASSERT_EQ(stored - region.Figures().replacedLive,
              CountFound(reader.cache(), 0, stored, At(kStart)));
  }
  // The reader also follows a split that is half done, which it cannot end.
  const Growth growth = GrowthOf(region.cache());
  ASSERT_LT(growth.used, growth.pages);
  GrowthSet(region.cache(), GrowthBegun(growth.word));
  for (unsigned moved = 0; moved < 2; ++moved) {
    ASSERT_EQ(stored - region.Figures().replacedLive,
              CountFound(reader.cache(), 0, stored, At(kStart)));
    GrowthMove(region.cache(), 3, moved == 0);
  }
  EXPECT_EQ(stored - region.Figures().replacedLive,
            CountFound(reader.cache(), 0, stored, At(kStart)));
  EXPECT_TRUE(GrowthOf(region.cache()).splitting);
}

TEST(SnceGrowth, AProcessWithoutADescriptorGrowsWhatItHasMapped) {
  Region region(100000);
  const snceCache cache = region.cache();
  ASSERT_EQ(0, close(region.fd()));
  Store(cache, 0, 75000);
  EXPECT_EQ(75000 - region.Figures().replacedLive,
            CountFound(cache, 0, 75000, At(kStart)));
  EXPECT_LE(region.Figures().replacedLive, kByChance);
  Store(cache, 75000, 100000);
  EXPECT_GE(CountFound(cache, 0, 100000, At(kStart)), 99500u);
  EXPECT_EQ(0u, region.Figures().unmapped);
}

// The poor process attached before this server was added, used the server a
// little, and closed its descriptor. It has mapped the chunks of the table that
// it used, and can map no others. What it cannot reach is a miss, and it spoils
// nothing.
TEST(SnceGrowth, AProcessThatCannotMapMoreGrowsNoFurther) {
  Region region(1000);
  snceRegion* attached = nullptr;
  ASSERT_EQ(SNCE_OK,
            snceRegion_Attach(&attached, dup(region.fd()), SNCE_ACCESS_WORK));
  const Region poor(attached);
  const snceCache cache = AddServer(region.get(), "a.example", 100000);
  snceCache its = poor.cache();
  its.id = cache.id;
  for (uint64_t serial = 0; serial < 100; ++serial)
    ASSERT_EQ(SNCE_OK, Session(serial).Insert(its, At(kStart)));
  ASSERT_EQ(0, close(poor.fd()));
  uint64_t done = 0, found = 0;
  for (uint64_t serial = 100; serial < 30000; ++serial) {
    const snceResult result = Session(serial).Insert(its, At(kStart));
    ASSERT_TRUE(result == SNCE_OK || result == SNCE_DROPPED) << result;
    if (result != SNCE_OK) continue;
    ++done;
    found += Find(its, Session(serial), At(kStart)) == SNCE_OK;
    ASSERT_EQ(SNCE_OK, Find(cache, Session(serial), At(kStart)));
  }
  EXPECT_EQ(done, found);
  const Growth growth = GrowthOf(cache);
  printf("it stored %d of 29900; %d of %d pages are in use, %d unmapped\n",
         int(done), int(growth.used), int(growth.pages),
         int(FiguresOf(cache).unmapped));
  // Other processes go on, and make the full table grow; what the poor process
  // finds is whole.
  EXPECT_LT(growth.used, growth.pages / 2);
  Store(cache, 100000, 150000);
  EXPECT_GE(CountFound(cache, 100000, 50000, At(kStart)), 49750u);
  EXPECT_GT(GrowthOf(cache).used, growth.pages / 2);
  Answer answer;
  found = 0;
  for (uint64_t serial = 100000; serial < 110000; ++serial) {
    const snceResult result =
        answer.Lookup(its, Session(serial).Key(), At(kStart));
    ASSERT_TRUE(result == SNCE_OK || result == SNCE_MISS) << result;
    if (result != SNCE_OK) continue;
    ++found;
    ASSERT_EQ("", answer.Differs(Session(serial)));
  }
  printf("it finds %d of 10,000 that another process stored\n", int(found));
  EXPECT_GT(found, 0u);
}

// ---- when it may not grow ---------------------------------------------------

TEST(SnceGrowth, ATableThatIsBeingLeftGrowsNoMore) {
  Region region(10000);
  const snceCache cache = region.cache();
  Store(cache, 0, 100);
  GrowthSet(cache, GrowthFrozen(GrowthOf(cache).word));
  const Growth before = GrowthOf(cache);
  for (uint64_t serial = 1000; serial < 6000; ++serial)
    ASSERT_EQ(SNCE_OK, Session(serial).Insert(cache, At(kStart)));
  EXPECT_EQ(before.word, GrowthOf(cache).word);
  EXPECT_EQ(SNCE_OK, Find(cache, Session(5999), At(kStart)));
}

// All sets of a table may be full before all its pages are in use, if it could
// not be mapped. The next insert that can map it makes it grow.
TEST(SnceGrowth, ATableThatIsFullGrowsWhenItMayAgain) {
  Region region(10000);
  const snceCache cache = region.cache();
  const Growth before = GrowthOf(cache);
  GrowthSet(cache, GrowthFrozen(before.word));
  MockClock clock;
  for (uint64_t serial = 0; serial < 20000; ++serial) {
    clock.Advance(1000);
    ASSERT_EQ(SNCE_OK,
              Session(serial).Created(clock.Now()).Insert(cache, clock.Now()));
  }
  ASSERT_EQ(before.used, GrowthOf(cache).used);
  GrowthSet(cache, before.word);
  for (uint64_t serial = 100000; serial < 110000; ++serial) {
    clock.Advance(1000);
    ASSERT_EQ(SNCE_OK,
              Session(serial).Created(clock.Now()).Insert(cache, clock.Now()));
  }
  EXPECT_EQ(before.pages, GrowthOf(cache).used);
  uint64_t found = 0;
  for (uint64_t first : {0, 10000, 100000})
    for (uint64_t i = 0; i < 10000; ++i)
      found += Find(cache, Session(first + i), clock.Now()) == SNCE_OK;
  EXPECT_GE(found, 9950u);
}

// ---- another size -----------------------------------------------------------

TEST(SnceGrowth, AnotherSizeKeepsEverythingAtAnyFill) {
  for (uint64_t stored : {1u, 900u, 1300u, 2000u, 3500u, 5100u, 7000u}) {
    for (uint64_t entries : {7500u, 9999u, 10001u, 12000u, 30000u, 200000u}) {
      Region region(10000);
      const snceCache cache = region.cache();
      const uint64_t there = StoreFirst(cache, stored);
      const uint64_t certificates = region.Figures().certificates;
      snceCacheOptions options = Options(entries);
      ASSERT_EQ(SNCE_OK, snceCache_Configure(cache, &options));
      ASSERT_EQ(there, CountFound(cache, 0, stored, At(kStart), kEverything))
          << "from 10,000 to " << entries;
      ASSERT_EQ(there, region.Figures().live);
      ASSERT_EQ(certificates, region.Figures().certificates);
      const Growth growth = GrowthOf(cache);
      ASSERT_GE(growth.used, GrowthFirst(growth.pages));
      ASSERT_FALSE(growth.splitting || growth.frozen);
      // It uses no more pages than it needs, and goes on growing.
      ASSERT_LE(growth.used * GrowthPageSlots(),
                std::max(GrowthFirst(growth.pages) * GrowthPageSlots(),
                         5 * stored / 2));
      if (entries > 30000) continue;
      Store(cache, 100000, 100000 + entries * 3 / 4 - stored);
      ASSERT_GE(
          CountFound(cache, 0, stored, At(kStart), kEverything) + kByChance,
          there);
    }
  }
}

// The change comes in the middle of a split that a process left unfinished.
TEST(SnceGrowth, AnotherSizeKeepsEverythingInTheMiddleOfASplit) {
  for (uint64_t entries : {8000u, 30000u}) {
    for (unsigned moved : {0u, 1u, 4u, 100u}) {
      for (bool keep : {false, true}) {
        Region region(10000);
        const snceCache cache = region.cache();
        const uint64_t there = StoreFirst(cache, 3000);
        const uint64_t certificates = region.Figures().certificates;
        GrowthSet(cache, GrowthBegun(GrowthOf(cache).word));
        GrowthMove(cache, moved, keep);
        snceCacheOptions options = Options(entries);
        ASSERT_EQ(SNCE_OK, snceCache_Configure(cache, &options));
        ASSERT_EQ(there, CountFound(cache, 0, 3000, At(kStart), kEverything));
        ASSERT_EQ(there, region.Figures().live);
        ASSERT_EQ(certificates, region.Figures().certificates);
        // There is one copy of each session that was not evicted.
        uint64_t none = 0;
        for (uint64_t serial = 0; serial < 3000;
             serial += kSanitized ? 101 : 7) {
          const Session session(serial, 0, kEverything);
          const uint64_t copies = GrowthCopies(cache, session.get()->id);
          ASSERT_LE(copies, 1u);
          none += copies == 0;
        }
        ASSERT_LE(none, 3000 - there);
      }
    }
  }
}

TEST(SnceGrowth, AgainAndAgain) {
  Region region(3000);
  const snceCache cache = region.cache();
  Store(cache, 0, 1000, kEverything);
  const int rounds = kSanitized ? 20 : 200;
  for (int round = 0; round < rounds; ++round) {
    snceCacheOptions options = Options(round % 2 ? 3000 : 20000);
    // Let it grow in between, to two thirds of its pages.
    if (round % 3 == 0) GrowTo(cache, GrowthOf(cache).pages * 2 / 3);
    ASSERT_EQ(SNCE_OK, snceCache_Configure(cache, &options));
    ASSERT_EQ(1000u, CountFound(cache, 0, 1000, At(kStart), kEverything))
        << round;
  }
  EXPECT_EQ(1000u, region.Figures().live);
}

}  // namespace
}  // namespace snce_test
