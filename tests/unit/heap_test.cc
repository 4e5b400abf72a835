/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// Ranges of the heap are used again, and never by two at once.
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "ranges.h"
#include "sslsnce/snce.h"
#include "test_build.h"
#include "test_clock.h"
#include "test_region.h"
#include "test_server.h"
#include "test_session.h"

namespace snce_test {
namespace {

// Fails if two ranges overlap, or one lies outside of the heap.
void ExpectApart(const snceRegion* region) {
  std::vector<std::pair<uint64_t, uint64_t>> all;
  for (uint32_t number = 0; number <= SNCE_SERVERS_MAX; ++number) {
    for (int home : {0, 1}) {
      Range ranges[2];
      GetRanges(region, number, home, ranges);
      for (const Range& range : ranges)
        if (range.offset) all.push_back({range.offset, range.bytes});
      Range segments[200];
      const unsigned count = GetSegments(region, number, home, segments, 200);
      for (unsigned i = 0; i < count; ++i) {
        // The first ones lie in the store's own range.
        if (segments[i].offset < ranges[1].offset ||
            segments[i].offset >= ranges[1].offset + ranges[1].bytes)
          all.push_back({segments[i].offset, segments[i].bytes});
      }
    }
  }
  std::sort(all.begin(), all.end());
  uint64_t end = HeapBegin();
  for (const auto& range : all) {
    ASSERT_GT(range.second, 0u);
    ASSERT_GE(range.first, end);
    end = range.first + range.second;
  }
  ASSERT_LE(end, snceRegion_Bytes(region));
}

class SnceHeap : public ::testing::Test {
 protected:
  // A region in which little fits beside the default cache.
  void SetUp() override {
    ASSERT_EQ(0, getrlimit(RLIMIT_FSIZE, &limit_));
    struct rlimit less = limit_;
    less.rlim_cur = 64u << 20;
    ASSERT_EQ(0, setrlimit(RLIMIT_FSIZE, &less));
    region_.reset(new Region(Options(100)));
  }
  void TearDown() override { setrlimit(RLIMIT_FSIZE, &limit_); }

  struct rlimit limit_;
  std::unique_ptr<Region> region_;
};

TEST_F(SnceHeap, EveryRangeHasAPlaceOfItsOwn) {
  const int rounds = kSanitized ? 300 : 3000;
  std::vector<snceCache> caches;
  uint64_t full = 0, changed = 0;
  for (uint64_t i = 0; i < uint64_t(rounds); ++i) {
    const uint64_t dice = Mix(i);
    const snceCacheOptions options = Options(1 + dice % 1500);
    snceResult result = SNCE_OK;
    if (caches.empty() || dice >> 60 < 6) {
      snceServerId id;
      result = Add(region_->get(), "host" + std::to_string(i), options, &id);
      if (result == SNCE_OK)
        caches.push_back(snceRegion_Cache(region_->get(), id));
    } else {
      const size_t which = (dice >> 20) % caches.size();
      switch (dice >> 62) {
        case 2:
          result = snceCache_Configure(caches[which], &options);
          break;
        case 3:
          result = snceCache_Flush(caches[which]);
          break;
        default:
          result =
              snceServer_Remove(region_->get(), snceCache_Id(caches[which]));
          caches.erase(caches.begin() + std::ptrdiff_t(which));
      }
    }
    ASSERT_TRUE(result == SNCE_OK || result == SNCE_LIMIT) << i;
    (result == SNCE_OK ? changed : full)++;
    if (!caches.empty()) {
      // Something in each, so that a range used twice would show.
      const snceCache cache = caches[dice % caches.size()];
      const snceResult stored =
          Session(i, i, kEverything).Insert(cache, At(kStart));
      ASSERT_TRUE(stored == SNCE_OK || stored == SNCE_FULL) << i;
      ASSERT_EQ(stored == SNCE_OK ? SNCE_OK : SNCE_MISS,
                Find(cache, Session(i, i), At(kStart)));
    }
    if (i % 20 == 0) ExpectApart(region_->get());
    if (HasFatalFailure()) FAIL() << i;
  }
  printf("%d changes, %d found no room; %d virtual servers\n", int(changed),
         int(full), int(caches.size()));
  EXPECT_GT(full, 0u);
  for (const snceCache& cache : caches) {
    EXPECT_EQ(0u, FiguresOf(cache).corrupt);
    EXPECT_EQ(SNCE_OK, snceServer_Remove(region_->get(), snceCache_Id(cache)));
  }
  // Everything is free again.
  for (uint32_t number = 1; number <= SNCE_SERVERS_MAX; ++number) {
    for (int home : {0, 1}) {
      Range ranges[2];
      GetRanges(region_->get(), number, home, ranges);
      EXPECT_EQ(0u, ranges[0].offset) << number;
      EXPECT_EQ(0u, ranges[1].offset) << number;
    }
  }
}

TEST_F(SnceHeap, TenThousandCyclesFitWhereOneDoes) {
  const int rounds = kSanitized ? 300 : 5000;
  for (int i = 0; i < rounds; ++i) {
    const snceCache cache =
        AddServer(region_->get(), "a.example", 100 + uint64_t(i) % 3000);
    snceCacheOptions options = Options(3000 - uint64_t(i) % 2900);
    ASSERT_EQ(SNCE_OK, snceCache_Configure(cache, &options)) << i;
    ASSERT_EQ(SNCE_OK, snceServer_Remove(region_->get(), snceCache_Id(cache)));
  }
}

TEST_F(SnceHeap, AHostileDirectoryKeepsNoChangeForLong) {
  AddServer(region_->get(), "a.example", 90000);  // whose table is spoiled
  NameManyRanges(region_->get());
  const clock_t before = clock();
  const snceCacheOptions larger = Options(2000);
  const snceResult result = snceCache_Configure(region_->cache(), &larger);
  const double seconds = double(clock() - before) / CLOCKS_PER_SEC;
  printf("%s after %.2f s\n", snceResult_Text(result), seconds);
  EXPECT_LT(seconds, kSanitized ? 60 : 4);
}

TEST_F(SnceHeap, AFailedChangeTakesNothing) {
  const snceCache cache = AddServer(region_->get(), "a.example", 1000);
  ASSERT_EQ(SNCE_OK, Session(1, 1, kEverything).Insert(cache, At(kStart)));
  ExpectApart(region_->get());  // it reads all of the directory
  const uint64_t before = DataBytes(region_->fd());
  for (uint64_t entries : {400000u, 1000000u, 100000000u}) {
    snceCacheOptions options = Options(entries);
    options.timeoutSec[SNCE_CLASS_SSL3] = 77;
    EXPECT_EQ(SNCE_LIMIT, snceCache_Configure(cache, &options));
    ASSERT_EQ(SNCE_OK, snceCache_GetOptions(cache, &options));
    EXPECT_EQ(1000u, options.entries);
    EXPECT_EQ(77u, options.timeoutSec[SNCE_CLASS_SSL3]);
    ExpectApart(region_->get());
  }
  EXPECT_EQ(SNCE_OK, Find(cache, Session(1, 1), At(kStart)));
  EXPECT_LE(DataBytes(region_->fd()), before + 65536);
}

// Entries as they lie in one virtual server's range, put back, byte by byte,
// when another virtual server has that range: they must not be found there
// (rule 12).
TEST_F(SnceHeap, WhatLayInARangeIsNothingInItsNextLife) {
  const snceCache old = AddServer(region_->get(), "old.example", 60000);
  for (uint64_t serial = 0; serial < 200; ++serial)
    ASSERT_EQ(SNCE_OK,
              Session(serial, serial, kEverything).Insert(old, At(kStart)));
  Range lay[2], lies[2];
  GetRanges(region_->get(), old.id.number, 0, lay);
  const int copy = CopyOf(region_->fd());
  ASSERT_EQ(SNCE_OK, snceServer_Remove(region_->get(), snceCache_Id(old)));
  snceCache next;
  int tries = 0;
  for (;; ++tries) {
    ASSERT_LT(tries, 1000);
    next = AddServer(region_->get(), "next.example", 60000);
    GetRanges(region_->get(), next.id.number, 0, lies);
    if (lies[0].offset == lay[0].offset) break;
    ASSERT_EQ(SNCE_OK, snceServer_Remove(region_->get(), snceCache_Id(next)));
  }
  ASSERT_EQ(old.id.number, next.id.number);
  EXPECT_GT(tries, 0) << "a range is used again as late as can be";
  std::vector<uint8_t> page(4096);
  for (uint64_t done = 0; done < lay[0].bytes; done += page.size()) {
    const off_t at = off_t(lay[0].offset + done);
    ASSERT_EQ(4096, pread(copy, page.data(), 4096, at));
    if (std::count(page.begin(), page.end(), 0) != 4096) {
      ASSERT_EQ(4096, pwrite(region_->fd(), page.data(), 4096, at));
    }
  }
  close(copy);
  for (uint64_t serial = 0; serial < 200; ++serial)
    EXPECT_EQ(SNCE_MISS, Find(next, Session(serial), At(kStart)));
  EXPECT_GT(FiguresOf(next).corrupt, 150u);
  // And it goes on to work with that in it.
  for (uint64_t serial = 0; serial < 200; ++serial) {
    const Session session(serial, 1000 + serial, kEverything);
    const snceKey key = session.Key();
    ASSERT_EQ(SNCE_OK, session.Insert(next, At(kStart)));
    Answer answer;
    ASSERT_EQ(SNCE_OK, answer.Lookup(next, key, At(kStart)));
    ASSERT_EQ("", answer.Differs(session));
    ASSERT_EQ(SNCE_OK, snceCache_Remove(next, &key));
    ASSERT_EQ(SNCE_MISS, Find(next, session, At(kStart)));
  }
}

// What an operation that had been interrupted stores in a range that is free by
// then: a writer's secrets (G9), and memory that nobody would ever give back.
TEST_F(SnceHeap, WhatIsStoredInAFreeRangeGoesWithLaterChanges) {
  std::vector<snceCache> stay, go;
  std::vector<Range> freed;
  for (int i = 0; i < 20; ++i) {
    std::vector<snceCache>* of = i % 2 ? &go : &stay;
    of->push_back(AddServer(region_->get(), "s" + std::to_string(i), 300));
  }
  for (const snceCache& cache : stay)
    ASSERT_EQ(SNCE_OK, Session(1, 1, kEverything).Insert(cache, At(kStart)));
  for (const snceCache& cache : go) {
    Range ranges[2];
    GetRanges(region_->get(), cache.id.number, 0, ranges);
    freed.insert(freed.end(), ranges, ranges + 2);
    ASSERT_EQ(SNCE_OK, snceServer_Remove(region_->get(), snceCache_Id(cache)));
  }
  snceCacheOptions options;
  ASSERT_EQ(SNCE_OK, snceCache_GetOptions(region_->cache(), &options));
  const auto change = [&] {
    ++options.timeoutSec[SNCE_CLASS_SSL3];
    ASSERT_EQ(SNCE_OK, snceCache_Configure(region_->cache(), &options));
  };
  change();  // what a change itself writes to is there
  ExpectApart(region_->get());
  const uint64_t before = DataBytes(region_->fd());
  for (const Range& range : freed) {
    for (const uint64_t at :
         {uint64_t(0), range.bytes / 2 & ~uint64_t(4095), range.bytes - 4096})
      ASSERT_EQ(1, pwrite(region_->fd(), "x", 1, off_t(range.offset + at)));
  }
  ASSERT_GT(DataBytes(region_->fd()), before + freed.size() * 4096);
  int changes = 0;
  for (; DataBytes(region_->fd()) > before && changes < 100; ++changes)
    change();
  EXPECT_LE(changes, 20);
  EXPECT_EQ(before, DataBytes(region_->fd()));
  for (const snceCache& cache : stay) {
    Answer answer;
    const Session session(1, 1, kEverything);
    ASSERT_EQ(SNCE_OK, answer.Lookup(cache, session.Key(), At(kStart)));
    EXPECT_EQ("", answer.Differs(session));
  }
}

}  // namespace
}  // namespace snce_test
