/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// Growing a live cache, and changing its timeouts.
#include <atomic>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "sslsnce/snce.h"
#include "test_build.h"
#include "test_clock.h"
#include "test_region.h"
#include "test_session.h"

namespace snce_test {
namespace {

TEST(SnceConfigure, GrowingCarriesEverySessionOver) {
  Region region(1000);
  snceCache cache = region.cache();
  for (uint64_t serial = 0; serial < 900; ++serial)
    ASSERT_EQ(SNCE_OK,
              Session(serial, 0, kEverything).Insert(cache, At(kStart)));
  const uint64_t before = CountFound(cache, 0, 900, At(kStart), kEverything);
  for (uint64_t entries : {1001u, 2000u, 5000u, 50000u, 51000u}) {
    const snceCacheOptions options = Options(entries);
    ASSERT_EQ(SNCE_OK, snceCache_Configure(cache, &options)) << entries;
    EXPECT_GE(region.Figures().slots, entries);
    EXPECT_EQ(before, CountFound(cache, 0, 900, At(kStart), kEverything))
        << entries;
    EXPECT_EQ(before, region.Figures().live);
    snceCacheOptions shown;
    snceCache_GetOptions(cache, &shown);
    EXPECT_GE(shown.entries, entries);
  }
}

TEST(SnceConfigure, AGrownCacheHoldsWhatItSays) {
  Region region(10);
  snceCache cache = region.cache();
  for (uint64_t entries : {100u, 1000u, 10000u}) {
    const snceCacheOptions options = Options(entries);
    ASSERT_EQ(SNCE_OK, snceCache_Configure(cache, &options));
    for (uint64_t serial = 0; serial < entries; ++serial)
      ASSERT_EQ(SNCE_OK,
                Session(entries * 10 + serial).Insert(cache, At(kStart)));
    // Count the sessions of the round before too: the cache may have kept some
    // of them instead.
    EXPECT_GE(CountFound(cache, 0, entries * 11, At(kStart)) * 1000,
              entries * 995)
        << entries;
  }
}

TEST(SnceConfigure, AGrownCacheKeepsTheRestOfASession) {
  snceCacheOptions options = Options(100);
  options.matchAddress = true;
  Region region(options);
  snceCache cache = region.cache();
  Answer answer;
  const Session session = Session(1, 1, kEverything).Class(SNCE_CLASS_SSL2);
  ASSERT_EQ(SNCE_OK, session.Insert(cache, At(kStart)));
  ASSERT_EQ(SNCE_OK,
            answer.Lookup(cache, session.Key(), At(kStart + 5 * kSecond)));
  options.entries = 1000;
  ASSERT_EQ(SNCE_OK, snceCache_Configure(cache, &options));
  ASSERT_EQ(SNCE_OK,
            answer.Lookup(cache, session.Key(), At(kStart + 6 * kSecond)));
  EXPECT_EQ("", answer.Differs(session));
  EXPECT_EQ(kStart + 5 * kSecond, answer.session().lastAccess.usec);
  snceKey key = session.Key();
  key.address[0] ^= 1;
  EXPECT_EQ(SNCE_MISS, answer.Lookup(cache, key, At(kStart)));
  EXPECT_EQ(SNCE_MISS,
            Find(cache, session, session.get()->created + 100 * kSecond));
}

TEST(SnceConfigure, WhatWasRemovedStaysRemovedWhenTheCacheGrows) {
  Region region(1000);
  snceCache cache = region.cache();
  for (uint64_t serial = 0; serial < 500; ++serial)
    ASSERT_EQ(SNCE_OK, Session(serial).Insert(cache, At(kStart)));
  for (uint64_t serial = 0; serial < 500; serial += 2) {
    const Session session(serial);
    const snceKey key = session.Key();
    ASSERT_EQ(SNCE_OK, snceCache_Remove(cache, &key));
  }
  const snceCacheOptions options = Options(10000);
  ASSERT_EQ(SNCE_OK, snceCache_Configure(cache, &options));
  for (uint64_t serial = 0; serial < 500; ++serial)
    EXPECT_EQ(serial % 2 ? SNCE_OK : SNCE_MISS,
              Find(cache, Session(serial), At(kStart)));
}

TEST(SnceConfigure, OptionsOutOfRangeAreRefusedAndChangeNothing) {
  Region region(1000);
  snceCache cache = region.cache();
  for (uint64_t entries :
       {uint64_t{0}, uint64_t{SNCE_ENTRIES_MAX} + 1, UINT64_MAX}) {
    snceCacheOptions options = Options(entries);
    options.timeoutSec[SNCE_CLASS_SSL2] = 1;
    options.matchAddress = true;
    EXPECT_EQ(SNCE_INVALID, snceCache_Configure(cache, &options)) << entries;
    snceCache_GetOptions(cache, &options);
    EXPECT_EQ(100u, options.timeoutSec[SNCE_CLASS_SSL2]);
    EXPECT_FALSE(options.matchAddress);
  }
}

TEST(SnceConfigure, WithoutRoomToGrowTheTimeoutsAreSetAllTheSame) {
  Region region(100);
  snceCache cache = region.cache();
  ASSERT_EQ(SNCE_OK, Session(1).Insert(cache, At(kStart)));
  const uint64_t slots = region.Figures().slots;
  snceCacheOptions options = Options(SNCE_ENTRIES_MAX);
  options.timeoutSec[SNCE_CLASS_SSL3] = 9;
  const snceResult result = snceCache_Configure(cache, &options);
  if (result != SNCE_OK) {
    EXPECT_EQ(SNCE_NO_MEMORY, result);
    EXPECT_EQ(slots, region.Figures().slots);
  }
  EXPECT_EQ(SNCE_OK, Find(cache, Session(1), At(kStart + 9 * kSecond - 1)));
  EXPECT_EQ(SNCE_MISS, Find(cache, Session(1), At(kStart + 9 * kSecond)));
}

TEST(SnceConfigure, ManyTimesOverLeavesTheCacheSound) {
  Region region(10);
  snceCache cache = region.cache();
  uint64_t grown = 0;
  ASSERT_EQ(SNCE_OK, Session(1, 1, kEverything).Insert(cache, At(kStart)));
  for (uint64_t entries = 10; entries < 20000; entries += entries / 8 + 1) {
    const snceCacheOptions options = Options(entries);
    const snceResult result = snceCache_Configure(cache, &options);
    ASSERT_TRUE(result == SNCE_OK || result == SNCE_NO_MEMORY);
    grown += result == SNCE_OK;
    ASSERT_EQ(SNCE_OK, Find(cache, Session(1, 1, kEverything), At(kStart)));
  }
  printf("grown %d times\n", int(grown));
  EXPECT_GE(grown, 8u);
}

TEST(SnceConfigure, ThreadsGoOnWhileItGrows) {
  Watchdog watchdog(120);
  Region region(1000);
  snceCache cache = region.cache();
  // The first third stays, the second is removed meanwhile, the last third is
  // stored and removed again and again.
  constexpr uint64_t kEach = 250;
  for (uint64_t serial = 0; serial < 2 * kEach; ++serial)
    ASSERT_EQ(SNCE_OK,
              Session(serial, 0, kEverything).Insert(cache, At(kStart)));
  ASSERT_EQ(2 * kEach,
            CountFound(cache, 0, 2 * kEach, At(kStart), kEverything));
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> missed{0}, mixed{0}, lookups{0}, returned{0};
  std::atomic<uint64_t> stale{0};
  std::atomic<uint64_t> dropped{0}, lost{0};
  std::atomic<uint64_t> removed{0};
  std::vector<std::thread> threads;
  threads.emplace_back([&] {
    Answer answer;
    for (uint64_t i = 0; !stop; ++i) {
      const Session session(Mix(i) % kEach, 0, kEverything);
      const snceResult result = answer.Lookup(cache, session.Key(), At(kStart));
      missed += result != SNCE_OK;
      mixed += result == SNCE_OK && !answer.Differs(session).empty();
      ++lookups;
    }
  });
  threads.emplace_back([&] {
    for (uint64_t serial = kEach; serial < 2 * kEach; ++serial) {
      const Session session(serial, 0, kEverything);
      const snceKey key = session.Key();
      lost += snceCache_Remove(cache, &key) != SNCE_OK;
      returned += Find(cache, session, At(kStart)) == SNCE_OK;
      ++removed;
      for (uint64_t i = 0; i < 20; ++i)
        returned += Find(cache, Session(kEach + Mix(i) % (serial - kEach + 1)),
                         At(kStart)) == SNCE_OK;
      std::this_thread::yield();
    }
  });
  threads.emplace_back([&] {
    Answer answer;
    for (uint64_t i = 0; !stop; ++i) {
      const Session session(2 * kEach + i % kEach, i, kEverything);
      const snceKey key = session.Key();
      const snceResult stored = session.Insert(cache, At(kStart));
      const snceResult found = answer.Lookup(cache, key, At(kStart));
      if (stored == SNCE_OK) {
        lost += found != SNCE_OK;
        mixed += found == SNCE_OK && !answer.Mixed().empty();
        stale += found == SNCE_OK && answer.variant() != i;
      } else {
        ++dropped;
        returned += found == SNCE_OK && answer.variant() == i;
      }
      if (i % 2) snceCache_Remove(cache, &key);
      if (i % 2) returned += Find(cache, session, At(kStart)) == SNCE_OK;
    }
  });
  for (uint64_t entries :
       {2000u, 3000u, 6000u, 9000u, 12000u, 20000u, 40000u, 80000u, 100000u}) {
    const snceCacheOptions options = Options(entries);
    EXPECT_EQ(SNCE_OK, snceCache_Configure(cache, &options)) << entries;
    const uint64_t seen = lookups;
    for (int i = 0; i < 100000 && lookups < seen + 2000; ++i)
      std::this_thread::yield();
  }
  for (int i = 0; i < 1000000 && removed < kEach; ++i)
    std::this_thread::yield();
  stop = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(kEach, CountFound(cache, 0, kEach, At(kStart), kEverything));
  EXPECT_EQ(0u, CountFound(cache, kEach, kEach, At(kStart), kEverything));
  EXPECT_EQ(0u, mixed) << "mixed sessions";
  EXPECT_EQ(0u, stale) << "replaced sessions found again";
  EXPECT_EQ(0u, returned) << "removed or dropped sessions found again";
  EXPECT_EQ(0u, missed) << "lookups missed a session being carried over, of "
                        << lookups;
  EXPECT_EQ(0u, lost) << "stored and not found, or not removed";
  printf("%d lookups while it grew; %d inserts dropped\n", int(lookups),
         int(dropped));
}

}  // namespace
}  // namespace snce_test
