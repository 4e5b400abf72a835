/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// How much a cache holds, what it costs, and what its figures say.
#include <time.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "snceversion.h"
#include "sslsnce/snce.h"
#include "test_build.h"
#include "test_clock.h"
#include "test_region.h"
#include "test_session.h"
#include "words.h"

namespace snce_test {
namespace {

double Seconds() {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return double(now.tv_sec) + double(now.tv_nsec) * 1e-9;
}

// Stores |entries| sessions and returns how many of them are found afterwards.
uint64_t FoundAfterFilling(uint64_t entries, uint64_t first) {
  Region region(entries);
  for (uint64_t serial = first; serial < first + entries; ++serial) {
    if (Session(serial).Insert(region.cache(), At(kStart)) != SNCE_OK) return 0;
  }
  const uint64_t found = CountFound(region.cache(), first, entries, At(kStart));
  const snceFigures figures = region.Figures();
  EXPECT_GE(figures.slots, entries);
  EXPECT_LE(figures.live, figures.slots);
  EXPECT_EQ(found, figures.live);
  return found;
}

TEST(SnceCapacity, ACacheOfTenThousandHoldsTenThousand) {
  for (uint64_t round = 0; round < 5; ++round)
    EXPECT_GE(FoundAfterFilling(10000, round * 1000000), 9950u);
}

TEST(SnceCapacity, SmallCachesHoldWhatTheySay) {
  for (uint64_t entries : {1u, 2u, 3u, 5u, 10u, 33u, 100u, 128u, 199u, 1000u}) {
    for (uint64_t round = 0; round < 20; ++round) {
      const uint64_t found = FoundAfterFilling(entries, round * 1000000);
      EXPECT_GE(found * 1000, entries * 995) << entries << ", round " << round;
    }
  }
}

TEST(SnceCapacity, ACacheOfAHundredThousandHoldsThem) {
  EXPECT_GE(FoundAfterFilling(100000, 0), 99500u);
}

TEST(SnceCapacity, AnOverfullCacheStaysFull) {
  Region region(10000);
  for (uint64_t serial = 0; serial < 50000; ++serial)
    ASSERT_EQ(SNCE_OK, Session(serial).Insert(region.cache(), At(kStart)));
  const uint64_t found = CountFound(region.cache(), 0, 50000, At(kStart));
  EXPECT_GE(found, 9950u);
  EXPECT_EQ(found, region.Figures().live);
  // The session stored last is found.
  EXPECT_EQ(SNCE_OK, Find(region.cache(), Session(49999), At(kStart)));
}

TEST(SnceCapacity, TheSessionJustStoredIsThereEvenInACacheOfOne) {
  for (uint64_t entries : {1u, 2u, 3u, 10u}) {
    Region region(entries);
    for (uint64_t serial = 0; serial < 1000; ++serial) {
      const Session session(serial);
      ASSERT_EQ(SNCE_OK, session.Insert(region.cache(), At(kStart)));
      ASSERT_EQ(SNCE_OK, Find(region.cache(), session, At(kStart)));
    }
  }
}

// NSS's IDs are random, but a cache that relies on it fails for the first
// application that counts IDs up.
TEST(SnceCapacity, IdsThatAreNearlyAlikeFillTheCacheAsWell) {
  for (size_t place : {0u, 1u, 7u, 8u, 15u, 16u, 23u, 24u, 28u, 30u}) {
    Region region(10000);
    auto make = [place](uint64_t serial) {
      std::vector<uint8_t> id(SNCE_ID_MAX, 0);
      id[place] = static_cast<uint8_t>(serial);
      id[place + 1] = static_cast<uint8_t>(serial >> 8);
      return Session(serial).Id(id);
    };
    uint64_t found = 0;
    for (uint64_t serial = 0; serial < 10000; ++serial)
      ASSERT_EQ(SNCE_OK, make(serial).Insert(region.cache(), At(kStart)));
    for (uint64_t serial = 0; serial < 10000; ++serial)
      found += Find(region.cache(), make(serial), At(kStart)) == SNCE_OK;
    EXPECT_GE(found, 9950u) << place;
  }
}

TEST(SnceCapacity, ShortIdsFillTheCacheAsWell) {
  Region region(10000);
  uint64_t found = 0;
  auto make = [](uint64_t serial) {
    return Session(serial).Id(
        {static_cast<uint8_t>(serial), static_cast<uint8_t>(serial >> 8)});
  };
  for (uint64_t serial = 0; serial < 10000; ++serial)
    ASSERT_EQ(SNCE_OK, make(serial).Insert(region.cache(), At(kStart)));
  for (uint64_t serial = 0; serial < 10000; ++serial)
    found += Find(region.cache(), make(serial), At(kStart)) == SNCE_OK;
  EXPECT_GE(found, 9950u);
}

TEST(SnceCapacity, ExpiredSessionsAreReplacedBeforeLiveOnes) {
  Region region(1000);
  snceCache cache = region.cache();
  for (uint64_t serial = 0; serial < 500; ++serial) {
    ASSERT_EQ(SNCE_OK, Session(serial).Insert(cache, At(kStart)));
    ASSERT_EQ(SNCE_OK, Session(10000 + serial)
                           .Class(SNCE_CLASS_SSL2)
                           .Insert(cache, At(kStart)));
  }
  const uint64_t before = CountFound(cache, 0, 500, At(kStart));
  // By this time the stamps, too, show the sessions as expired.
  const snceTime later = At(kStart + 102 * kSecond);
  for (uint64_t serial = 20000; serial < 20450; ++serial)
    ASSERT_EQ(SNCE_OK, Session(serial).Created(later).Insert(cache, later));
  const uint64_t after = CountFound(cache, 0, 500, later);
  uint64_t fresh = 0;
  for (uint64_t serial = 20000; serial < 20450; ++serial)
    fresh += Find(cache, Session(serial), later) == SNCE_OK;
  const snceFigures figures = region.Figures();
  printf(
      "of 500 live sessions %d stay, beside %d of 450 new ones; "
      "%d expired and %d live replaced\n",
      int(after), int(fresh), int(figures.replacedExpired),
      int(figures.replacedLive));
  // Where sessions lie depends on the region's random seed. The worst of 1,500
  // regions evicted 18 live sessions, in pairs of sets that held no expired
  // one. Eviction by age alone would evict half of 450.
  EXPECT_GE(before, 495u);
  EXPECT_GE(after + 10, before);
  EXPECT_GE(fresh, 425u);
  EXPECT_LE(figures.replacedLive, 30u);
  EXPECT_GE(figures.replacedExpired, 1u);
}

// A burst of handshakes replaces all sessions of a small cache within a second.
// The clients most likely to come back are those of the sessions stored last.
TEST(SnceCapacity, ABurstLeavesItsYoungestSessions) {
  for (int64_t step : {int64_t{0}, int64_t{100}, kSecond / 100, kSecond}) {
    Region region(1000);
    MockClock clock;
    for (uint64_t serial = 0; serial < 5000; ++serial) {
      ASSERT_EQ(SNCE_OK, Session(serial)
                             .Created(clock.Now())
                             .Insert(region.cache(), clock.Now()));
      clock.Advance(step);
    }
    uint64_t found = 0;
    for (uint64_t serial = 4500; serial < 5000; ++serial)
      found += Find(region.cache(), Session(serial), clock.Now()) == SNCE_OK;
    EXPECT_GE(found, 400u) << "of the last 500 of 5000, stored " << step
                           << " microseconds apart";
  }
}

TEST(SnceCapacity, SessionsInUseOutliveOnesThatNobodyAsksFor) {
  // Whatever the eviction rule is, it must not be worse than chance.
  Region region(1000);
  snceCache cache = region.cache();
  for (uint64_t serial = 0; serial < 1000; ++serial)
    ASSERT_EQ(SNCE_OK, Session(serial).Insert(cache, At(kStart)));
  for (uint64_t serial = 1000; serial < 1500; ++serial) {
    for (uint64_t used = 0; used < 100; ++used)
      Find(cache, Session(used), At(kStart + kSecond));
    ASSERT_EQ(SNCE_OK, Session(serial).Insert(cache, At(kStart + kSecond)));
  }
  const uint64_t used = CountFound(cache, 0, 100, At(kStart));
  const uint64_t idle = CountFound(cache, 100, 900, At(kStart));
  printf(
      "after half the cache was replaced: %d of 100 used and %d of 900 idle "
      "sessions are there\n",
      int(used), int(idle));
  EXPECT_GE(used, 80u);
  EXPECT_GE(used * 9, idle);
}

// Stores the sessions |first| to |first| + |count| - 1, created at |at|.
void Store(snceCache cache, uint64_t first, uint64_t count, snceTime at) {
  for (uint64_t serial = first; serial < first + count; ++serial) {
    ASSERT_EQ(SNCE_OK, Session(serial).Created(at).Insert(cache, at));
  }
}

TEST(SnceCapacity, SessionsUsedLongAgoGoBeforeThoseUsedLately) {
  Region region(1000);
  const snceCache cache = region.cache();
  const auto after = [](int64_t sec) { return At(kStart + sec * kSecond); };
  Store(cache, 0, 1000, At(kStart));
  // All were looked up: the first half long ago, the other half a moment ago.
  CountFound(cache, 0, 500, after(10));
  CountFound(cache, 500, 500, after(5000));
  Store(cache, 1000, 500, after(5001));
  const uint64_t old = CountFound(cache, 0, 500, after(5001));
  const uint64_t late = CountFound(cache, 500, 500, after(5001));
  printf("%d of 500 used long ago, %d of 500 used lately\n", int(old),
         int(late));
  EXPECT_GE(late, 495u);
  // In 300 trials the mean was 235, the most 255. It would be 500 if the use
  // did not count.
  EXPECT_LE(old, 300u);
}

// The order words of the sets were made before the last lookups, and do not
// know of them.
TEST(SnceCapacity, WhenAllWereUsedSinceTheirSetsWereWeighedTheIdlestGo) {
  Region region(1000);
  const snceCache cache = region.cache();
  const auto after = [](int64_t sec) { return At(kStart + sec * kSecond); };
  Store(cache, 0, 5000, At(kStart));
  std::vector<uint64_t> kept;
  for (uint64_t serial = 0; serial < 5000; ++serial)
    if (CountFound(cache, serial, 1, after(10))) kept.push_back(serial);
  Store(cache, 10000, 300, after(11));
  const size_t half = kept.size() / 2;
  const auto found = [&](size_t from, size_t to, int64_t sec) {
    uint64_t sum = 0;
    for (size_t i = from; i < to; ++i)
      sum += CountFound(cache, kept[i], 1, after(sec));
    return sum;
  };
  const uint64_t old = found(0, half, 20);
  const uint64_t late = found(half, kept.size(), 5000);
  CountFound(cache, 10000, 300, after(5000));
  Store(cache, 20000, 200, after(5001));
  const uint64_t oldLost = old - found(0, half, 5001);
  const uint64_t lateLost = late - found(half, kept.size(), 5001);
  printf("%d of %d used long ago went, %d of %d used lately\n", int(oldLost),
         int(old), int(lateLost), int(late));
  EXPECT_LE(lateLost, 10u);
  EXPECT_GE(oldLost, 150u);
}

// In one set, all sessions were looked up since its order word was made: none
// of them is evicted while the other set holds sessions that nobody looked up.
TEST(SnceCapacity, WhereAllOfOneSetWereUsedSinceThoseOfTheOtherGo) {
  constexpr uint64_t kWays = 10;
  Region region(1000);
  const snceCache cache = region.cache();
  Store(cache, 0, 5000, At(kStart));
  const uint64_t slots = WordsSlots(region.get(), 0);
  std::vector<snceVersion> before;
  for (uint64_t slot = 0; slot < slots; ++slot) {
    snceVersion v = WordsVersion(region.get(), 0, slot);
    ASSERT_EQ(SNCE_STATE_FULL, snceVersion_State(v));
    if (slot / kWays % 2 == 0) {
      v |= SNCE_VISITED;
      WordsSetVersion(region.get(), 0, slot, v);
    }
    before.push_back(v);
  }
  Store(cache, 10000, 60, At(kStart + kSecond));
  uint64_t gone[2] = {0, 0};
  for (uint64_t slot = 0; slot < slots; ++slot)
    gone[slot / kWays % 2] +=
        !snceVersion_Same(before[slot], WordsVersion(region.get(), 0, slot));
  printf("%d went where all were used, %d elsewhere\n", int(gone[0]),
         int(gone[1]));
  // One pair of sets in four holds only used sessions.
  EXPECT_LE(gone[0], 30u);
  EXPECT_GE(gone[1], 30u);
}

TEST(SnceCapacity, AFloodOfClientsThatComeOnceEvictsItself) {
  Region region(1000);
  const snceCache cache = region.cache();
  Store(cache, 0, 500, At(kStart));
  CountFound(cache, 0, 500, At(kStart + 60 * kSecond));
  for (uint64_t i = 0; i < 20; ++i) {
    Store(cache, 1000 + 1000 * i, 1000, At(kStart + (100 + i) * kSecond));
  }
  const uint64_t kept = CountFound(cache, 0, 500, At(kStart + 200 * kSecond));
  printf("%d of 500 outlived a flood of 20,000\n", int(kept));
  EXPECT_GE(kept, 450u);
}

TEST(SnceCapacity, AGrowingCacheRemembersWhichSessionsWereUsed) {
  Region region(1000);
  const snceCache cache = region.cache();
  Store(cache, 0, 1000, At(kStart));
  CountFound(cache, 0, 500, At(kStart + 5000 * kSecond));
  snceCacheOptions options;
  ASSERT_EQ(SNCE_OK, snceCache_GetOptions(cache, &options));
  options.entries = 1100;
  ASSERT_EQ(SNCE_OK, snceCache_Configure(cache, &options));
  Store(cache, 1000, 600, At(kStart + 5001 * kSecond));
  const uint64_t used = CountFound(cache, 0, 500, At(kStart + 5001 * kSecond));
  printf("%d of 500 used ones outlived growth and what came after\n",
         int(used));
  EXPECT_GE(used, 490u);
}

TEST(SnceVersion, TheTimeOfTheLastLookupIsKeptToAQuarter) {
  const snceVersion v = snceVersion_Claimed(0, 256, 0x123450);
  const snceVersion full = snceVersion_Published(v);
  uint64_t before = 0;
  for (uint64_t sec = 0; sec <= INT32_MAX; sec += 1 + sec / 100) {
    const snceVersion used = snceVersion_Used(full, static_cast<uint32_t>(sec));
    const uint64_t noted = snceVersion_UsedAt(used);
    ASSERT_TRUE(snceVersion_Same(full, used));
    ASSERT_GE(noted, sec);
    ASSERT_LE(noted, sec + sec / 4);
    ASSERT_GE(noted, before);
    before = noted;
  }
  EXPECT_EQ(0u, snceVersion_UsedAt(full));
}

TEST(SnceMemory, ASessionTakesAtMost232Bytes) {
  Region region(100000);
  for (uint64_t serial = 0; serial < 100000; ++serial)
    ASSERT_EQ(SNCE_OK, Session(serial).Insert(region.cache(), At(kStart)));
  const uint64_t found = CountFound(region.cache(), 0, 100000, At(kStart));
  const uint64_t resident = snceRegion_ResidentBytes(region.get());
  printf("100,000 sessions take %.1f bytes each, resident\n",
         double(resident) / 100000);
  EXPECT_GE(found, 99500u);
  EXPECT_GT(resident, 100000u * SNCE_STATE_BYTES);
  EXPECT_LE(resident, 100000u * 232);
}

TEST(SnceMemory, ResidentBytesAreWhatTheKernelSays) {
  Region region(100000);
  for (uint64_t serial = 0; serial < 10000; ++serial)
    ASSERT_EQ(SNCE_OK, Session(serial).Insert(region.cache(), At(kStart)));
  const uint64_t data = DataBytes(region.fd());
  const uint64_t resident = snceRegion_ResidentBytes(region.get());
  EXPECT_NEAR(double(data), double(resident), double(data) / 100 + 65536);
  EXPECT_LE(resident, snceRegion_Bytes(region.get()));
}

TEST(SnceMemory, AMillionEntriesAreMadeInUnder100Milliseconds) {
  double best = 1e9;
  for (int round = 0; round < 3; ++round) {
    const double begin = Seconds();
    Region region(1000000);
    best = std::min(best, Seconds() - begin);
    const uint64_t resident = snceRegion_ResidentBytes(region.get());
    EXPECT_LE(resident, 4u << 20);
    EXPECT_GE(region.Figures().slots, 1000000u);
  }
  printf("1,000,000 entries are made in %.3f ms\n", best * 1000);
  if (!kSanitized) {
    EXPECT_LT(best, 0.1);
  }
}

TEST(SnceMemory, MemoryIsTakenAsSessionsArrive) {
  Region region(1000000);
  const uint64_t start = snceRegion_ResidentBytes(region.get());
  uint64_t before = start;
  // The first step takes the pages that a cache begins with; each later step
  // doubles the sessions.
  for (uint64_t stored = 0, until = 2000; until <= 16000; until *= 2) {
    for (; stored < until; ++stored)
      ASSERT_EQ(SNCE_OK, Session(stored).Insert(region.cache(), At(kStart)));
    const uint64_t now = snceRegion_ResidentBytes(region.get());
    EXPECT_GT(now, before);
    EXPECT_LE(now - start, 2 * stored * 231 + (1u << 20));
    before = now;
  }
  // One of some ten million is evicted while a table grows.
  EXPECT_GE(CountFound(region.cache(), 0, 16000, At(kStart)), 15999u);
}

TEST(SnceMemory, LookupsInAnEmptyCacheTakeNoneForTheSessions) {
  Region region(1000000);
  for (uint64_t serial = 0; serial < 1000; ++serial)
    ASSERT_EQ(SNCE_MISS, Find(region.cache(), Session(serial), At(kStart)));
  EXPECT_LE(snceRegion_ResidentBytes(region.get()), 12u << 20);
}

TEST(SnceMemory, TheLargestCacheIsMadeOrRefusedWithoutTouchingMemory) {
  const snceCacheOptions options = Options(SNCE_ENTRIES_MAX);
  snceRegion* made = nullptr;
  const snceResult result = snceRegion_Create(&made, &options, false);
  if (result != SNCE_OK) {
    printf("refused: %s\n", snceResult_Text(result));
    EXPECT_TRUE(result == SNCE_NO_MEMORY || result == SNCE_LIMIT);
    return;
  }
  Region region(made);
  EXPECT_LE(snceRegion_ResidentBytes(region.get()), 16u << 20);
  printf("100,000,000 entries: %.1f GB of address space, %.3f MB resident\n",
         double(snceRegion_Bytes(region.get())) / 1e9,
         double(snceRegion_ResidentBytes(region.get())) / 1e6);
  const Session session(1, 1, kEverything);
  ASSERT_EQ(SNCE_OK, session.Insert(region.cache(), At(kStart)));
  EXPECT_EQ(SNCE_OK, Find(region.cache(), session, At(kStart)));
  const snceKey key = session.Key();
  EXPECT_EQ(SNCE_OK, snceCache_Remove(region.cache(), &key));
  EXPECT_EQ(SNCE_MISS, Find(region.cache(), session, At(kStart)));
}

TEST(SnceFigures, ANewCacheHasNone) {
  Region region(1000);
  const snceFigures figures = region.Figures();
  EXPECT_GE(figures.slots, 1000u);
  EXPECT_EQ(0u, figures.live);
  EXPECT_EQ(0u, figures.hits);
  EXPECT_EQ(0u, figures.missesUnknown);
  EXPECT_EQ(0u, figures.inserts);
  EXPECT_EQ(0u, figures.removals);
  EXPECT_EQ(0u, figures.corrupt);
  EXPECT_EQ(0u, figures.reclaimed);
  EXPECT_EQ(0u, figures.certificates);
}

TEST(SnceFigures, EveryLookupIsAHitOrAMiss) {
  Region region(1000);
  snceCache cache = region.cache();
  for (uint64_t serial = 0; serial < 300; ++serial)
    ASSERT_EQ(SNCE_OK,
              Session(serial)
                  .Class(serial < 100 ? SNCE_CLASS_SSL2 : SNCE_CLASS_SSL3)
                  .Insert(cache, At(kStart)));
  const snceTime later = At(kStart + 200 * kSecond);
  for (uint64_t serial = 0; serial < 500; ++serial)
    Find(cache, Session(serial), later);
  const std::string name = "a.example";
  Answer answer;
  for (uint64_t serial = 200; serial < 250; ++serial) {
    const Session session(serial);
    EXPECT_EQ(SNCE_MISS, answer.Lookup(cache, session.KeyNamed(name), later));
  }
  const snceFigures figures = region.Figures();
  EXPECT_EQ(200u, figures.hits);
  EXPECT_EQ(200u, figures.missesUnknown);
  EXPECT_EQ(100u, figures.missesExpired);
  EXPECT_EQ(50u, figures.missesName);
  EXPECT_EQ(0u, figures.missesAddress);
  EXPECT_EQ(0u, figures.missesCertificate);
  EXPECT_EQ(200u, figures.live);
}

TEST(SnceFigures, InsertsLessWhatLeftAreTheLiveOnes) {
  Region region(1000);
  snceCache cache = region.cache();
  MockClock clock;
  uint64_t removed = 0;
  for (uint64_t serial = 0; serial < 5000; ++serial) {
    ASSERT_EQ(SNCE_OK,
              Session(serial).Created(clock.Now()).Insert(cache, clock.Now()));
    clock.Advance(kSecond);
    if (serial % 3) continue;
    const Session session(serial - serial % 100);
    const snceKey key = session.Key();
    removed += snceCache_Remove(cache, &key) == SNCE_OK;
  }
  const snceFigures figures = region.Figures();
  EXPECT_EQ(5000u, figures.inserts);
  EXPECT_EQ(removed, figures.removals);
  EXPECT_EQ(0u, figures.dropped);
  EXPECT_EQ(0u, figures.refused);
  EXPECT_EQ(0u, figures.corrupt);
  EXPECT_EQ(figures.live, figures.inserts - figures.replacedExpired -
                              figures.replacedLive - figures.removals);
}

TEST(SnceOptions, OnesOutOfRangeAreRefused) {
  for (uint64_t entries :
       {uint64_t{0}, uint64_t{SNCE_ENTRIES_MAX} + 1, uint64_t{1} << 32,
        uint64_t{1} << 62, uint64_t{1} << 63, UINT64_MAX}) {
    const snceCacheOptions options = Options(entries);
    snceRegion* region = nullptr;
    EXPECT_EQ(SNCE_INVALID, snceRegion_Create(&region, &options, false))
        << entries;
    EXPECT_EQ(nullptr, region);
  }
}

TEST(SnceOptions, NoNumberOfCertificatesOverflows) {
  for (uint64_t many :
       {uint64_t{SNCE_ENTRIES_MAX}, (uint64_t{1} << 32) - 1, uint64_t{1} << 32,
        (uint64_t{1} << 48) + 1, (uint64_t{1} << 63) + 7, UINT64_MAX}) {
    snceCacheOptions options = Options(10);
    options.certificates = many;
    snceRegion* made = nullptr;
    const snceResult result = snceRegion_Create(&made, &options, false);
    if (result != SNCE_OK) {
      EXPECT_TRUE(result == SNCE_INVALID || result == SNCE_NO_MEMORY ||
                  result == SNCE_LIMIT)
          << many << ": " << snceResult_Text(result);
      EXPECT_EQ(nullptr, made);
      continue;
    }
    Region region(made);
    const Session session(1, 1, kEverything);
    EXPECT_EQ(SNCE_OK, session.Insert(region.cache(), At(kStart)));
    EXPECT_EQ(SNCE_OK, Find(region.cache(), session, At(kStart)));
  }
}

TEST(SnceOptions, TheOnesGivenAreTheOnesShown) {
  snceCacheOptions options = Options(1234);
  options.certificates = 77;
  options.timeoutSec[SNCE_CLASS_SSL2] = 42;
  options.timeoutSec[SNCE_CLASS_SSL3] = 4242;
  options.matchAddress = true;
  Region region(options);
  snceCacheOptions shown;
  ASSERT_EQ(SNCE_OK, snceCache_GetOptions(region.cache(), &shown));
  EXPECT_EQ(1234u, shown.entries);
  EXPECT_LE(shown.entries, region.Figures().slots);
  EXPECT_EQ(77u, shown.certificates);
  EXPECT_EQ(42u, shown.timeoutSec[SNCE_CLASS_SSL2]);
  EXPECT_EQ(4242u, shown.timeoutSec[SNCE_CLASS_SSL3]);
  EXPECT_TRUE(shown.matchAddress);
}

}  // namespace
}  // namespace snce_test
