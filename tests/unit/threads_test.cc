/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// Threads on few keys: no session is torn, and no removed session comes back.
#include <time.h>

#include <atomic>
#include <string>
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

// How long each of the loops below runs. It decides only how much is tried, not
// what is right.
constexpr double kSeconds = kSanitized ? 4 : 2;

class Until {
 public:
  explicit Until(double seconds) : end_(Now() + seconds) {}
  bool Over() const { return Now() >= end_; }

 private:
  static double Now() {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return double(now.tv_sec) + double(now.tv_nsec) * 1e-9;
  }
  double end_;
};

TEST(SnceThreads, NoSessionIsEverPartsOfTwo) {
  Watchdog watchdog(120);
  constexpr uint64_t kKeys = 24;
  // A cache smaller than the number of keys, with fewer certificates and names
  // than are in use, so that inserts evict all the time.
  snceCacheOptions options = Options(16);
  options.certificates = 12;
  Region region(options);
  snceCache cache = region.cache();
  const Until until(kSeconds);
  std::atomic<uint64_t> hits{0}, misses{0}, stored{0}, dropped{0}, removed{0};
  std::atomic<uint64_t> mixed{0}, odd{0};
  std::string example;
  std::vector<std::thread> threads;
  for (uint64_t me = 0; me < 6; ++me) {
    threads.emplace_back([&, me] {
      Answer answer;
      for (uint64_t i = 0; i % 64 != 0 || !until.Over(); ++i) {
        const uint64_t dice = Mix(i * 8 + me);
        const Session session(dice % kKeys, i * 8 + me, (dice >> 40) & 7);
        const snceKey key = session.Key();
        snceResult result;
        switch ((dice >> 32) % 8) {
          case 0:
            result = snceCache_Remove(cache, &key);
            ++removed;
            odd += result != SNCE_OK && result != SNCE_MISS;
            break;
          case 1:
          case 2:
          case 3:
            result = session.Insert(cache, At(kStart));
            ++stored;
            dropped += result != SNCE_OK;
            odd += result != SNCE_OK && result != SNCE_DROPPED &&
                   result != SNCE_FULL;
            break;
          default:
            result = answer.Lookup(cache, key, At(kStart));
            odd += result != SNCE_OK && result != SNCE_MISS;
            if (result == SNCE_OK) {
              ++hits;
              if (!answer.Mixed().empty() || answer.serial() != dice % kKeys) {
                if (mixed++ == 0) example = answer.Mixed();
              }
            } else {
              ++misses;
            }
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  printf("%d hits, %d misses, %d inserts (%d not kept), %d removals\n",
         int(hits), int(misses), int(stored), int(dropped), int(removed));
  EXPECT_EQ(0u, mixed) << example;
  EXPECT_EQ(0u, odd) << "results that should not be";
  EXPECT_GT(hits, 1000u);
  // A writer whose claim was overridden may spoil an entry, which is then a
  // miss.
  EXPECT_LE(region.Figures().corrupt, dropped + hits / 100000);
  // The cache is sound afterwards.
  for (uint64_t serial = 100; serial < 200; ++serial) {
    EXPECT_EQ(SNCE_OK, Session(serial).Insert(cache, At(kStart)));
    EXPECT_EQ(1u, CountFound(cache, serial, 1, At(kStart)));
  }
}

// Each key has two inserters and a remover. An inserter announces which of its
// variants it has finished storing; the remover reads that, removes, and then
// announces them as gone. A lookup that starts after that must find a younger
// variant or none.
TEST(SnceThreads, WhatWasStoredBeforeARemovalIsGoneAfterIt) {
  Watchdog watchdog(120);
  constexpr uint64_t kKeys = 3;
  struct Key {
    std::atomic<uint64_t> finished[2];
    std::atomic<uint64_t> gone[2];
  };
  Key keys[kKeys] = {};
  Region region(8);
  snceCache cache = region.cache();
  const Until until(kSeconds);
  std::atomic<uint64_t> hits{0}, removals{0}, returned{0}, mixed{0};
  std::atomic<uint64_t> dropped{0}, dropped_found{0};
  std::vector<std::thread> threads;
  for (uint64_t me = 0; me < 2; ++me) {
    threads.emplace_back([&, me] {
      Answer answer;
      for (uint64_t i = 1; i % 16 != 0 || !until.Over(); ++i) {
        const uint64_t serial = i % kKeys;
        const Session session(serial, i * 2 + me, Mix(i) & 3);
        const bool kept = session.Insert(cache, At(kStart)) == SNCE_OK;
        keys[serial].finished[me] = i;
        if (!kept) {
          ++dropped;
          dropped_found +=
              answer.Lookup(cache, session.Key(), At(kStart)) == SNCE_OK &&
              answer.variant() == i * 2 + me;
        }
      }
    });
  }
  threads.emplace_back([&] {
    for (uint64_t i = 0; i % 16 != 0 || !until.Over(); ++i) {
      Key& mine = keys[i % kKeys];
      const uint64_t finished[2] = {mine.finished[0], mine.finished[1]};
      const Session session(i % kKeys);
      const snceKey key = session.Key();
      removals += snceCache_Remove(cache, &key) == SNCE_OK;
      mine.gone[0] = finished[0];
      mine.gone[1] = finished[1];
    }
  });
  for (uint64_t me = 0; me < 3; ++me) {
    threads.emplace_back([&, me] {
      Answer answer;
      for (uint64_t i = me; i % 16 != 0 || !until.Over(); ++i) {
        const uint64_t serial = i % kKeys;
        const uint64_t gone[2] = {keys[serial].gone[0], keys[serial].gone[1]};
        const Session session(serial);
        if (answer.Lookup(cache, session.Key(), At(kStart)) != SNCE_OK)
          continue;
        ++hits;
        mixed += !answer.Mixed().empty();
        returned += answer.variant() / 2 <= gone[answer.variant() % 2];
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  printf("%d hits, %d removals, %d inserts dropped\n", int(hits), int(removals),
         int(dropped));
  EXPECT_EQ(0u, returned) << "removed sessions came back";
  EXPECT_EQ(0u, dropped_found) << "dropped sessions were found";
  EXPECT_EQ(0u, mixed);
  EXPECT_GT(hits, 0u);
  EXPECT_GT(removals, 0u);
}

TEST(SnceThreads, ASessionStoredTwiceAtOnceAndRemovedOnceIsGone) {
  Watchdog watchdog(120);
  constexpr int kThreads = 4;
  Region region(64);
  snceCache cache = region.cache();
  const Until until(kSeconds);
  std::atomic<uint64_t> round{0}, done{0};
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (uint64_t me = 0; me < kThreads; ++me) {
    threads.emplace_back([&, me] {
      for (uint64_t mine = 1;; ++mine) {
        while (round < mine && !stop) std::this_thread::yield();
        if (stop) return;
        Session(mine % 16, mine * kThreads + me, Mix(mine + me) & 3)
            .Insert(cache, At(kStart));
        ++done;
      }
    });
  }
  uint64_t found = 0, present = 0, rounds = 0;
  Answer answer;
  while (!until.Over()) {
    ++rounds;
    done = 0;
    round = rounds;
    while (done < kThreads) std::this_thread::yield();
    const Session session(rounds % 16);
    const snceKey key = session.Key();
    present += answer.Lookup(cache, key, At(kStart)) == SNCE_OK;
    snceCache_Remove(cache, &key);
    found += answer.Lookup(cache, key, At(kStart)) == SNCE_OK;
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  printf("%d rounds, in %d of them one of the four was kept\n", int(rounds),
         int(present));
  EXPECT_EQ(0u, found);
  EXPECT_GE(present * 100, rounds * 50);
}

TEST(SnceThreads, FiguresBalanceWhenTheThreadsRest) {
  Watchdog watchdog(120);
  Region region(512);
  snceCache cache = region.cache();
  std::atomic<uint64_t> kept{0}, dropped{0}, removed{0}, hits{0}, misses{0};
  std::vector<std::thread> threads;
  for (uint64_t me = 0; me < 4; ++me) {
    threads.emplace_back([&, me] {
      for (uint64_t i = 0; i < 20000; ++i) {
        // Each thread has its own keys, so that no insert replaces one of the
        // same ID.
        const Session session(me * 1000000 + i);
        const Session older(me * 1000000 + Mix(i) % (i + 1));
        const snceResult result = session.Insert(cache, At(kStart));
        ++(result == SNCE_OK ? kept : dropped);
        ++(Find(cache, older, At(kStart)) == SNCE_OK ? hits : misses);
        const snceKey key = older.Key();
        if (i % 4 == 0) removed += snceCache_Remove(cache, &key) == SNCE_OK;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const snceFigures figures = region.Figures();
  EXPECT_EQ(hits, figures.hits);
  EXPECT_EQ(misses, figures.missesUnknown + figures.missesExpired +
                        figures.missesCertificate);
  EXPECT_EQ(removed, figures.removals);
  EXPECT_EQ(dropped, figures.dropped);
  EXPECT_TRUE(figures.inserts == kept || figures.inserts == kept + dropped)
      << figures.inserts << " of " << kept << " and " << dropped;
  // A late writer takes out an entry that it has spoiled; each such writer was
  // dropped.
  const uint64_t left =
      kept - figures.replacedExpired - figures.replacedLive - removed;
  EXPECT_LE(figures.live, left);
  EXPECT_LE(left - figures.live, dropped);
  uint64_t found = 0;
  for (uint64_t me = 0; me < 4; ++me)
    found += CountFound(cache, me * 1000000, 20000, At(kStart));
  EXPECT_EQ(found, figures.live);
  EXPECT_LE(figures.live, figures.slots);
}

}  // namespace
}  // namespace snce_test
