/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// Flushing a live cache.
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

TEST(SnceFlush, EverySessionIsGoneAndTheCacheGoesOn) {
  Region region(1000);
  const snceCache other = AddServer(region.get(), "a.example", 1000);
  for (snceCache cache : {region.cache(), other})
    for (uint64_t serial = 0; serial < 800; ++serial)
      ASSERT_EQ(SNCE_OK,
                Session(serial, 0, kEverything).Insert(cache, At(kStart)));
  const uint64_t beside = CountFound(other, 0, 800, At(kStart), kEverything);
  snceCacheOptions before, after;
  ASSERT_EQ(SNCE_OK, snceCache_GetOptions(region.cache(), &before));
  ASSERT_EQ(SNCE_OK, snceCache_Flush(region.cache()));
  EXPECT_EQ(0u, CountFound(region.cache(), 0, 800, At(kStart), kEverything));
  EXPECT_EQ(beside, CountFound(other, 0, 800, At(kStart), kEverything));
  ASSERT_EQ(SNCE_OK, snceCache_GetOptions(region.cache(), &after));
  EXPECT_EQ(before.entries, after.entries);
  EXPECT_EQ(before.certificates, after.certificates);
  EXPECT_EQ(before.timeoutSec[1], after.timeoutSec[1]);
  // It holds as many sessions as before.
  for (uint64_t serial = 0; serial < 1000; ++serial)
    ASSERT_EQ(SNCE_OK,
              Session(5000 + serial).Insert(region.cache(), At(kStart)));
  EXPECT_GE(CountFound(region.cache(), 5000, 1000, At(kStart)), 995u);
}

TEST(SnceFlush, SecretsGoAndMemoryIsGivenBack) {
  Region region(1000);
  const std::vector<uint8_t> secret = Bytes(5, 64), der = Bytes(6, 900);
  Session session = Session(1).Certificate(der);
  std::copy(secret.begin(), secret.end(), session.get()->state);
  const uint64_t empty = DataBytes(region.fd());
  ASSERT_EQ(SNCE_OK, session.Insert(region.cache(), At(kStart)));
  for (uint64_t serial = 2; serial < 900; ++serial)
    ASSERT_EQ(SNCE_OK, Session(serial, serial, kEverything)
                           .Insert(region.cache(), At(kStart)));
  ASSERT_EQ(1u, CountInFile(region.fd(), secret.data(), secret.size()));
  ASSERT_EQ(SNCE_OK, snceCache_Flush(region.cache()));
  EXPECT_EQ(0u, CountInFile(region.fd(), secret.data(), secret.size()));
  EXPECT_EQ(0u, CountInFile(region.fd(), der.data(), der.size()));
  EXPECT_LE(DataBytes(region.fd()), empty + 65536);
}

TEST(SnceFlush, FiguresBalance) {
  Region region(100);
  snceCache cache = region.cache();
  for (uint64_t round = 0; round < 5; ++round) {
    for (uint64_t serial = 0; serial < 50; ++serial)
      ASSERT_EQ(SNCE_OK, Session(round * 50 + serial, serial, kCertificate)
                             .Insert(cache, At(kStart)));
    const Session session(round * 50);
    const snceKey key = session.Key();
    ASSERT_EQ(SNCE_OK, snceCache_Remove(cache, &key));
    EXPECT_EQ(49u, region.Figures().live);
    EXPECT_LT(0u, region.Figures().certificates);
    ASSERT_EQ(SNCE_OK, snceCache_Flush(cache));
    const snceFigures figures = region.Figures();
    EXPECT_EQ(0u, figures.live);
    EXPECT_EQ(0u, figures.certificates);
    EXPECT_EQ((round + 1) * 50, figures.inserts);
    EXPECT_EQ(round + 1, figures.removals);
    EXPECT_EQ((round + 1) * 49, figures.wiped);
  }
}

TEST(SnceFlush, DoesNotTouchWhatNobodyTouched) {
  if (kSanitized) GTEST_SKIP() << "the plain build does this";
  Region region(SNCE_ENTRIES_MAX / (kSmallSpace ? 100 : 10));
  ASSERT_EQ(SNCE_OK, Session(1).Insert(region.cache(), At(kStart)));
  const uint64_t before = DataBytes(region.fd());
  ASSERT_EQ(SNCE_OK, snceCache_Flush(region.cache()));
  EXPECT_LE(DataBytes(region.fd()), before + 16384);
  EXPECT_EQ(SNCE_MISS, Find(region.cache(), Session(1), At(kStart)));
}

TEST(SnceFlush, ManyTimesDoesNotUseTheRegionUp) {
  const int rounds = kSanitized ? 500 : 10000;
  Region region(1000);
  uint64_t memory = 0;
  for (int i = 0; i < rounds; ++i) {
    const Session session(i, 1, kEverything);
    ASSERT_EQ(SNCE_OK, session.Insert(region.cache(), At(kStart)));
    ASSERT_EQ(SNCE_OK, Find(region.cache(), session, At(kStart)));
    ASSERT_EQ(SNCE_OK, snceCache_Flush(region.cache())) << i;
    ASSERT_EQ(SNCE_MISS, Find(region.cache(), session, At(kStart)));
    if (i == 10) memory = snceRegion_ResidentBytes(region.get());
  }
  EXPECT_LE(snceRegion_ResidentBytes(region.get()), memory + 65536);
}

// Inserters announce which variants they have stored. The flusher reads that,
// flushes, and announces them as gone. A lookup that starts after that must not
// find them.
TEST(SnceFlush, WhatWasStoredBeforeAFlushIsGoneAfterIt) {
  Watchdog watchdog(120);
  constexpr uint64_t kKeys = 4;
  Region region(100);
  snceCache cache = region.cache();
  struct Key {
    std::atomic<uint64_t> finished{0}, gone{0};
  };
  Key keys[kKeys];
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> hits{0}, returned{0}, mixed{0}, dropped{0};
  std::atomic<uint64_t> droppedFound{0};
  std::vector<std::thread> threads;
  threads.emplace_back([&] {
    Answer answer;
    for (uint64_t i = 1; !stop; ++i) {
      const Session session(i % kKeys, i, kEverything);
      if (session.Insert(cache, At(kStart)) != SNCE_OK) {
        ++dropped;
        droppedFound +=
            answer.Lookup(cache, session.Key(), At(kStart)) == SNCE_OK &&
            answer.variant() == i;
      }
      keys[i % kKeys].finished = i;
    }
  });
  for (int me = 0; me < 2; ++me) {
    threads.emplace_back([&] {
      Answer answer;
      for (uint64_t i = 0; !stop; ++i) {
        const uint64_t gone = keys[i % kKeys].gone;
        const Session session(i % kKeys);
        if (answer.Lookup(cache, session.Key(), At(kStart)) != SNCE_OK)
          continue;
        ++hits;
        mixed += !answer.Mixed().empty() || answer.serial() != i % kKeys;
        returned += answer.variant() <= gone;
      }
    });
  }
  const int rounds = kSanitized ? 300 : 3000;
  // On a busy machine the other threads may hardly have run by then.
  for (int i = 0; i < rounds || (hits <= 100 && i < 1000 * rounds); ++i) {
    uint64_t finished[kKeys];
    for (uint64_t key = 0; key < kKeys; ++key)
      finished[key] = keys[key].finished;
    EXPECT_EQ(SNCE_OK, snceCache_Flush(cache));
    for (uint64_t key = 0; key < kKeys; ++key) keys[key].gone = finished[key];
    std::this_thread::yield();
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(0u, returned) << "flushed sessions were found";
  EXPECT_EQ(0u, mixed);
  EXPECT_EQ(0u, droppedFound);
  EXPECT_GT(hits, 100u);
  printf("%d hits during %d flushes, %d inserts dropped\n", int(hits), rounds,
         int(dropped));
}

// ---- tickets ----------------------------------------------------------------

TEST(SnceTickets, FlushesAreCountedForEachCache) {
  Region region(100);
  const auto flushes = [](snceCache cache) {
    snceCacheOptions shown = {};
    EXPECT_EQ(SNCE_OK, snceCache_GetOptions(cache, &shown));
    return shown.flushes;
  };
  const snceCache other = AddServer(region.get(), "a.example", 100);
  const uint32_t before = flushes(region.cache()), beside = flushes(other);
  ASSERT_EQ(SNCE_OK, snceCache_Flush(region.cache()));
  EXPECT_EQ(before + 1, flushes(region.cache()));
  ASSERT_EQ(SNCE_OK, snceCache_Flush(region.cache()));
  EXPECT_EQ(before + 2, flushes(region.cache()));
  EXPECT_EQ(beside, flushes(other));
  snceCacheOptions options = Options(100);
  ASSERT_EQ(SNCE_OK, snceCache_Configure(region.cache(), &options));
  EXPECT_EQ(before + 2, flushes(region.cache()));
}

TEST(SnceTickets, ATimeUpToWhichTicketsAreRefusedOnlyGrows) {
  Region region(100);
  const auto refused = [](snceCache cache) {
    snceCacheOptions shown = {};
    EXPECT_EQ(SNCE_OK, snceCache_GetOptions(cache, &shown));
    return shown.refusedUntil.usec;
  };
  const snceCache other = AddServer(region.get(), "a.example", 100);
  EXPECT_EQ(0, refused(other));
  ASSERT_EQ(SNCE_OK, snceCache_RefuseTickets(other, At(kStart)));
  EXPECT_EQ(At(kStart).usec, refused(other));
  ASSERT_EQ(SNCE_OK, snceCache_RefuseTickets(other, At(kStart - 1)));
  EXPECT_EQ(At(kStart).usec, refused(other));
  EXPECT_EQ(0, refused(region.cache()));
  snceCacheOptions options = Options(100);
  ASSERT_EQ(SNCE_OK, snceCache_Configure(other, &options));
  EXPECT_EQ(At(kStart).usec, refused(other));
  // A server that is there already is not concerned by a removal. One that is
  // added later may be the same server again, whatever its number.
  const snceCache third = AddServer(region.get(), "b.example", 100);
  EXPECT_EQ(0, refused(third));
  const snceCache fourth = AddServer(region.get(), "c.example", 100);
  ASSERT_EQ(SNCE_OK, snceServer_Remove(region.get(), snceCache_Id(fourth)));
  ASSERT_EQ(SNCE_OK, snceServer_Remove(region.get(), snceCache_Id(other)));
  EXPECT_EQ(0, refused(third));
  EXPECT_EQ(At(kStart).usec,
            refused(AddServer(region.get(), "c.example", 100)));
  EXPECT_EQ(At(kStart).usec,
            refused(AddServer(region.get(), "a.example", 100)));
  EXPECT_EQ(SNCE_GONE, snceCache_RefuseTickets(other, At(kStart)));
}

TEST(SnceTickets, OptionsAreKeptForTheCaller) {
  Region region(100);
  snceCacheOptions options = Options(100);
  options.ticketTimeoutSec = 11;
  options.resumptionAgeSec = 12;
  options.withinTwoRotations = true;
  options.ticketEpoch = 13;
  options.ticketRotationSec = 14;
  for (snceCache cache :
       {region.cache(), AddServer(region.get(), "a.example", 100)}) {
    ASSERT_EQ(SNCE_OK, snceCache_Configure(cache, &options));
    ASSERT_EQ(SNCE_OK, snceCache_Flush(cache));
    snceCacheOptions shown;
    ASSERT_EQ(SNCE_OK, snceCache_GetOptions(cache, &shown));
    EXPECT_EQ(11u, shown.ticketTimeoutSec);
    EXPECT_EQ(12u, shown.resumptionAgeSec);
    EXPECT_TRUE(shown.withinTwoRotations);
    EXPECT_EQ(13u, shown.ticketEpoch);
    EXPECT_EQ(14u, shown.ticketRotationSec);
  }
}

}  // namespace
}  // namespace snce_test
