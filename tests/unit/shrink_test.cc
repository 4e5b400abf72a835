/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// A cache that becomes smaller keeps its newest sessions.
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "sslsnce/snce.h"
#include "test_build.h"
#include "test_clock.h"
#include "test_region.h"
#include "test_server.h"
#include "test_session.h"

namespace snce_test {
namespace {

snceResult Resize(snceCache cache, uint64_t entries) {
  const snceCacheOptions options = Options(entries);
  return snceCache_Configure(cache, &options);
}

// Stores |count| sessions, each created |step| after the one before it, in
// random order.
void Store(snceCache cache, uint64_t count, int64_t step, uint8_t shape) {
  std::vector<uint64_t> order(count);
  for (uint64_t i = 0; i < count; ++i) order[i] = i;
  std::sort(order.begin(), order.end(),
            [](uint64_t a, uint64_t b) { return Mix(a) < Mix(b); });
  for (uint64_t serial : order)
    ASSERT_EQ(SNCE_OK, Session(serial, 0, shape)
                           .Created(At(kStart + int64_t(serial) * step))
                           .Insert(cache, At(kStart)));
}

// Which of these sessions are found.
std::vector<bool> Kept(snceCache cache, uint64_t count, int64_t step,
                       uint8_t shape) {
  std::vector<bool> kept;
  Answer answer;
  for (uint64_t serial = 0; serial < count; ++serial) {
    const Session session =
        Session(serial, 0, shape).Created(At(kStart + int64_t(serial) * step));
    const snceResult result =
        answer.Lookup(cache, session.Key(), session.get()->created);
    kept.push_back(result == SNCE_OK);
    if (result == SNCE_OK) {
      EXPECT_EQ("", answer.Differs(session));
    }
  }
  return kept;
}

uint64_t Count(const std::vector<bool>& kept, size_t from) {
  return uint64_t(
      std::count(kept.begin() + std::ptrdiff_t(from), kept.end(), true));
}

TEST(SnceShrink, TheNewestSessionsAreKept) {
  for (int64_t step : {int64_t{1}, int64_t{1000}, 3 * kSecond}) {
    Region region(4000);
    Store(region.cache(), 4000, step, kPlain);
    const uint64_t live = Count(Kept(region.cache(), 4000, step, kPlain), 0);
    ASSERT_GE(live, 3980u);
    ASSERT_EQ(SNCE_OK, Resize(region.cache(), 1000));
    const std::vector<bool> kept = Kept(region.cache(), 4000, step, kPlain);
    // None that is older than the newest 1,000, and nearly all of those (G10).
    EXPECT_LE(Count(kept, 0), 1000u);
    EXPECT_GE(Count(kept, 3000 - (4000 - live)) * 1000, 995u * 1000);
    EXPECT_EQ(Count(kept, 2990), Count(kept, 0)) << "older ones were kept";
    EXPECT_EQ(Count(kept, 0), region.Figures().live);
    snceCacheOptions shown;
    ASSERT_EQ(SNCE_OK, snceCache_GetOptions(region.cache(), &shown));
    EXPECT_EQ(1000u, shown.entries);
    EXPECT_LE(region.Figures().slots, 1200u);
  }
}

TEST(SnceShrink, TimesOfAllAgesAreCutExactly) {
  // Times from the earliest to the latest possible; most are close together.
  const std::vector<int64_t> times = {INT64_MIN,
                                      INT64_MIN + 1,
                                      -5,
                                      -1,
                                      0,
                                      1,
                                      kStart - 1,
                                      kStart,
                                      kStart + 1,
                                      kStart + 2,
                                      kStart + 4096,
                                      kStart + 4097,
                                      kStart + 86400 * kSecond,
                                      INT64_MAX - 1,
                                      INT64_MAX};
  snceCacheOptions options = Options(300);
  options.timeoutSec[SNCE_CLASS_SSL3] = 100u * 365 * 86400;
  for (uint64_t keep = 1; keep < times.size(); ++keep) {
    Region region(options);
    for (size_t i = 0; i < times.size(); ++i)
      ASSERT_EQ(SNCE_OK, Session(i)
                             .Created(At(times[i]))
                             .Insert(region.cache(), At(INT64_MIN)));
    snceCacheOptions fewer = options;
    fewer.entries = keep;
    ASSERT_EQ(SNCE_OK, snceCache_Configure(region.cache(), &fewer));
    EXPECT_EQ(keep, region.Figures().live);
    for (size_t i = 0; i < times.size(); ++i)
      EXPECT_EQ(i >= times.size() - keep ? SNCE_OK : SNCE_MISS,
                Find(region.cache(), Session(i), At(times[i])))
          << i << " of " << keep;
  }
}

TEST(SnceShrink, OfEquallyOldOnesAsManyAsFitAreKept) {
  Region region(1000);
  Store(region.cache(), 900, 0, kPlain);
  ASSERT_EQ(SNCE_OK, Resize(region.cache(), 100));
  const uint64_t kept = Count(Kept(region.cache(), 900, 0, kPlain), 0);
  EXPECT_LE(kept, 100u);
  EXPECT_GE(kept, 99u);
}

TEST(SnceShrink, WhatFitsIsKeptWithItsCertificate) {
  Region region(5000);
  snceCache cache = region.cache();
  for (uint64_t serial = 0; serial < 200; ++serial)
    ASSERT_EQ(SNCE_OK,
              Session(serial, serial, kEverything).Insert(cache, At(kStart)));
  const uint64_t certificates = region.Figures().certificates;
  ASSERT_EQ(SNCE_OK, Resize(cache, 400));
  Answer answer;
  for (uint64_t serial = 0; serial < 200; ++serial) {
    const Session session(serial, serial, kEverything);
    ASSERT_EQ(SNCE_OK, answer.Lookup(cache, session.Key(), At(kStart)));
    ASSERT_EQ("", answer.Differs(session));
  }
  EXPECT_EQ(200u, region.Figures().live);
  EXPECT_EQ(certificates, region.Figures().certificates);
}

TEST(SnceShrink, WhatIsCutOffIsWipedWithItsCertificate) {
  Region region(1000);
  const std::vector<uint8_t> secret = Bytes(5, 64), der = Bytes(6, 900);
  Session old = Session(1).Created(At(kStart - 1000)).Certificate(der);
  std::copy(secret.begin(), secret.end(), old.get()->state);
  ASSERT_EQ(SNCE_OK, old.Insert(region.cache(), At(kStart)));
  for (uint64_t serial = 2; serial < 100; ++serial)
    ASSERT_EQ(SNCE_OK, Session(serial).Insert(region.cache(), At(kStart)));
  ASSERT_EQ(SNCE_OK, Resize(region.cache(), 50));
  EXPECT_EQ(0u, CountInFile(region.fd(), secret.data(), secret.size()));
  EXPECT_EQ(0u, CountInFile(region.fd(), der.data(), der.size()));
  EXPECT_EQ(0u, region.Figures().certificates);
}

TEST(SnceShrink, MemoryIsGivenBackAndNoneIsTaken) {
  if (kSanitized) GTEST_SKIP() << "the plain build does this";
  // A large cache with few sessions: untouched memory stays untouched.
  Region region(10000000);
  for (uint64_t serial = 0; serial < 1000; ++serial)
    ASSERT_EQ(SNCE_OK, Session(serial).Insert(region.cache(), At(kStart)));
  const uint64_t before = DataBytes(region.fd());
  ASSERT_EQ(SNCE_OK, Resize(region.cache(), 2000));
  const uint64_t after = DataBytes(region.fd());
  EXPECT_EQ(1000u, CountFound(region.cache(), 0, 1000, At(kStart)));
  printf("%.1f MB in a cache of 10,000,000; %.1f MB in one of 2,000\n",
         double(before) / 1e6, double(after) / 1e6);
  EXPECT_LT(after, 1500000u);
}

TEST(SnceShrink, WhatWasRemovedStaysRemoved) {
  Region region(1000);
  Store(region.cache(), 500, 1, kEverything);
  for (uint64_t serial = 0; serial < 500; serial += 2) {
    const Session session(serial);
    const snceKey key = session.Key();
    ASSERT_EQ(SNCE_OK, snceCache_Remove(region.cache(), &key));
  }
  ASSERT_EQ(SNCE_OK, Resize(region.cache(), 300));
  for (uint64_t serial = 0; serial < 500; ++serial)
    EXPECT_EQ(serial % 2 ? SNCE_OK : SNCE_MISS,
              Find(region.cache(), Session(serial), At(kStart)));
}

TEST(SnceShrink, ToTheSameSizeAndBackIsNothing) {
  Region region(1000);
  Store(region.cache(), 900, 1, kPlain);
  const uint64_t live = region.Figures().live;
  const uint64_t slots = region.Figures().slots;
  ASSERT_EQ(SNCE_OK, Resize(region.cache(), 1000));
  EXPECT_EQ(live, region.Figures().live);
  EXPECT_EQ(slots, region.Figures().slots);
}

// Growing loses no session, even when every slot is full.
TEST(SnceShrink, AFullCacheThatGrowsALittleLosesNothing) {
  for (uint64_t entries : {uint64_t{10}, uint64_t{100}, uint64_t{5000}}) {
    Region region(entries);
    snceCache cache = region.cache();
    for (uint64_t serial = 0; serial < entries * 3; ++serial)
      ASSERT_EQ(SNCE_OK,
                Session(serial, 0, kEverything).Insert(cache, At(kStart)));
    const uint64_t before =
        CountFound(cache, 0, entries * 3, At(kStart), kEverything);
    ASSERT_GE(before, entries * 99 / 100);
    ASSERT_EQ(SNCE_OK, Resize(cache, entries + 20));
    EXPECT_EQ(before,
              CountFound(cache, 0, entries * 3, At(kStart), kEverything));
    EXPECT_EQ(before, region.Figures().live);
  }
}

TEST(SnceShrink, ManyTimesUpAndDownKeepsWhatFits) {
  const int rounds = kSanitized ? 200 : 10000;
  Region region(100);
  const snceCache cache = AddServer(region.get(), "a.example", 100);
  for (uint64_t serial = 0; serial < 20; ++serial)
    ASSERT_EQ(SNCE_OK,
              Session(serial, 0, kEverything).Insert(cache, At(kStart)));
  uint64_t memory = 0;
  for (int i = 0; i < rounds; ++i) {
    ASSERT_EQ(SNCE_OK, Resize(cache, i % 2 ? 30 + uint64_t(i) % 50 : 300)) << i;
    if (i % 100 == 0) {
      ASSERT_EQ(20u, CountFound(cache, 0, 20, At(kStart), kEverything)) << i;
    }
    if (i == 10) memory = snceRegion_ResidentBytes(region.get());
  }
  EXPECT_EQ(20u, CountFound(cache, 0, 20, At(kStart), kEverything));
  EXPECT_EQ(20u, FiguresOf(cache).live);
  EXPECT_LE(snceRegion_ResidentBytes(region.get()), memory + 1000000);
}

TEST(SnceShrink, ThreadsGoOnWhileItGrowsAndShrinks) {
  Watchdog watchdog(120);
  Region region(2000);
  const snceCache cache = AddServer(region.get(), "a.example", 2000);
  // The younger sessions stay; older ones are stored and removed again and
  // again.
  constexpr uint64_t kEach = 200;
  const snceTime young = At(kStart + 1000 * kSecond);
  auto stays = [&](uint64_t serial) {
    return Session(serial, 0, kEverything).Created(young);
  };
  for (uint64_t serial = 0; serial < kEach; ++serial)
    ASSERT_EQ(SNCE_OK, stays(serial).Insert(cache, young));
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> missed{0}, mixed{0}, lookups{0}, returned{0}, lost{0};
  std::atomic<uint64_t> stored{0}, dropped{0};
  std::vector<std::thread> threads;
  threads.emplace_back([&] {
    Answer answer;
    for (uint64_t i = 0; !stop; ++i) {
      const Session session = stays(Mix(i) % kEach);
      const snceResult result = answer.Lookup(cache, session.Key(), young);
      missed += result != SNCE_OK;
      mixed += result == SNCE_OK && !answer.Differs(session).empty();
      ++lookups;
    }
  });
  threads.emplace_back([&] {
    Answer answer;
    for (uint64_t i = 0; !stop; ++i) {
      const Session session(1000 + i % kEach, i, kEverything);
      const snceKey key = session.Key();
      const snceResult result = session.Insert(cache, At(kStart));
      const snceResult found = answer.Lookup(cache, key, At(kStart));
      ++(result == SNCE_OK ? stored : dropped);
      if (found == SNCE_OK) {
        mixed += !answer.Mixed().empty();
        returned += result != SNCE_OK && answer.variant() == i;
      }
      if (i % 2) {
        snceCache_Remove(cache, &key);
        returned += Find(cache, session, At(kStart)) == SNCE_OK;
      }
    }
  });
  const int rounds = kSanitized ? 40 : 200;
  for (int i = 0; i < rounds; ++i) {
    lost += Resize(cache, i % 2 ? 2000 + uint64_t(i) : 600) != SNCE_OK;
    const uint64_t seen = lookups;
    for (int spin = 0; spin < 1000 && lookups < seen + 20; ++spin)
      std::this_thread::yield();
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  const snceFigures figures = FiguresOf(cache);
  EXPECT_EQ(0u, missed) << "of " << lookups << "; without their certificates "
                        << figures.missesCertificate << ", spoiled "
                        << figures.corrupt << ", claims taken back "
                        << figures.reclaimed << ", evicted "
                        << figures.replacedLive;
  EXPECT_EQ(0u, mixed);
  EXPECT_EQ(0u, returned) << "removed or dropped sessions found again";
  EXPECT_EQ(0u, lost) << "changes failed";
  printf("%d lookups and %d inserts (%d dropped) during %d moves\n",
         int(lookups), int(stored), int(dropped), rounds);
}

}  // namespace
}  // namespace snce_test
