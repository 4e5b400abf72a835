/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// Counters that wrap or reach their end: generations, tickets, serials, change
// counters, counts of references and of processes.
//
// A test cannot wait for 2^32 changes, so it first sets the words near their
// ends. With SNCE_WRAP_INSERTS=4296000000 the first test does wait, for a
// quarter of an hour.
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "snceversion.h"
#include "sslsnce/snce.h"
#include "test_clock.h"
#include "test_region.h"
#include "test_server.h"
#include "test_session.h"
#include "test_ticks.h"
#include "words.h"

namespace snce_test {
namespace {

// Each insert replaces the session of the same ID, and so claims the same slot.
TEST(SnceWrap, AGenerationThatWrapsInUseLosesNothing) {
  const char* given = getenv("SNCE_WRAP_INSERTS");
  const uint64_t inserts =
      given != nullptr ? strtoull(given, nullptr, 10) : 100000;
  Region region(1);
  std::vector<Session> sessions;
  for (uint64_t variant = 0; variant < 16; ++variant)
    sessions.emplace_back(7, variant);
  if (given == nullptr) {
    for (uint64_t slot = 0; slot < WordsSlots(region.get(), 0); ++slot)
      WordsSetVersion(region.get(), 0, slot, WordsEmpty(UINT32_MAX - 50000));
  }
  const snceKey key = sessions[0].Key();
  Answer answer;
  uint64_t lowest = UINT64_MAX, lost = 0;
  for (uint64_t i = 0; i < inserts; ++i) {
    const Session& session = sessions[i % 16];
    const snceResult stored = session.Insert(region.cache(), At(kStart));
    if (i % 1024 && given != nullptr) {
      lost += stored != SNCE_OK;
      continue;
    }
    ASSERT_EQ(SNCE_OK, stored) << i;
    ASSERT_EQ(SNCE_OK, answer.Lookup(region.cache(), key, At(kStart))) << i;
    ASSERT_EQ("", answer.Differs(session)) << i;
    for (uint64_t slot = 0; slot < WordsSlots(region.get(), 0); ++slot) {
      const uint64_t version = WordsVersion(region.get(), 0, slot);
      if (snceVersion_State(version) == SNCE_STATE_FULL)
        lowest = std::min<uint64_t>(lowest, snceVersion_Generation(version));
    }
  }
  EXPECT_EQ(0u, lost);
  EXPECT_LT(lowest, 2048u) << "the generation did not wrap";
  EXPECT_EQ(inserts, region.Figures().inserts);
  EXPECT_EQ(1u, region.Figures().live);
}

// Every slot of a small cache wraps while sessions are stored and removed; a
// model says what must be found. The cache is never full, so nothing is
// evicted.
TEST(SnceWrap, GenerationsThatWrapReviveNothing) {
  Region region(64);
  const uint64_t slots = WordsSlots(region.get(), 0);
  for (uint64_t slot = 0; slot < slots; ++slot)
    WordsSetVersion(region.get(), 0, slot,
                    WordsEmpty(UINT32_MAX - uint32_t(slot % 64)));
  std::map<uint64_t, uint64_t> model;
  Answer answer;
  for (uint64_t i = 0; i < 60000; ++i) {
    const uint64_t dice = Mix(i);
    const uint64_t serial = dice % 32;
    const Session session(serial, i, (dice >> 40) & 7);
    const snceKey key = session.Key();
    switch ((dice >> 32) % 4) {
      case 0:
        ASSERT_EQ(model.erase(serial) ? SNCE_OK : SNCE_MISS,
                  snceCache_Remove(region.cache(), &key));
        break;
      case 1:
      case 2:
        ASSERT_EQ(SNCE_OK, session.Insert(region.cache(), At(kStart)));
        model[serial] = i;
        break;
      default:
        ASSERT_EQ(model.count(serial) ? SNCE_OK : SNCE_MISS,
                  answer.Lookup(region.cache(), key, At(kStart)));
        if (model.count(serial)) {
          ASSERT_EQ("", answer.Mixed());
          ASSERT_EQ(model[serial], answer.variant());
        }
    }
  }
  uint64_t wrapped = 0;
  for (uint64_t slot = 0; slot < slots; ++slot)
    wrapped +=
        snceVersion_Generation(WordsVersion(region.get(), 0, slot)) < 65536;
  // The 32 sessions lie at their best ways, of which each has two; chance
  // decides at which.
  EXPECT_GE(wrapped, 16u);
  EXPECT_EQ(model.size(), region.Figures().live);
  EXPECT_EQ(0u, region.Figures().corrupt);
}

// A stopped writer may store, and a reader may compare, an older generation
// than the present one. So the generation after the last one must be the first,
// not the last again.
TEST(SnceWrap, NoTwoClaimsOfASlotInARowHaveOneGeneration) {
  for (uint32_t before : {0u, 1u, 255u, 256u, UINT32_MAX - 1, UINT32_MAX}) {
    const snceVersion full = snceVersion_Published(
        snceVersion_Claimed(WordsEmpty(before - 1) | 1, 256, 8));
    ASSERT_EQ(before, snceVersion_Generation(full));
    const snceVersion claim = snceVersion_Claimed(full, 256, 8);
    EXPECT_EQ(claim, snceVersion_ClaimedFull(full, 8));
    EXPECT_EQ(uint32_t(before + 1), snceVersion_Generation(claim));
    EXPECT_FALSE(snceVersion_Same(full, snceVersion_Published(claim)));
  }
}

// Twenty writers died in two sets at once. No claim there is old enough to be
// taken back, and no other slot is left.
TEST(SnceWrap, ACacheOfNothingButDeadClaimsComesBackAtOnce) {
  Region region(1);
  const uint64_t ticks = 1000;
  TicksUse(region.get(), &ticks);
  const uint64_t slots = WordsSlots(region.get(), 0);
  for (uint64_t slot = 0; slot < slots; ++slot)
    WordsSetVersion(region.get(), 0, slot, WordsClaimed(1, 0, 1234));
  uint64_t found = 0;
  for (uint64_t serial = 0; serial < 100; ++serial) {
    const Session session(serial);
    session.Insert(region.cache(), At(kStart));
    found += Find(region.cache(), session, At(kStart)) == SNCE_OK;
  }
  EXPECT_EQ(100u, found);
}

// The same for a store with one set, for certificates of one size.
TEST(SnceWrap, AStoreOfNothingButDeadClaimsComesBackAtOnce) {
  snceCacheOptions options = Options(100);
  options.certificates = 1;
  Region region(options);
  const uint64_t ticks = 1000;
  TicksUse(region.get(), &ticks);
  for (unsigned way = 0; way < 16; ++way)
    WordsSetCell(region.get(), 0, way, WordsClaimed(1, 0, 1234));
  for (uint64_t serial = 0; serial < 50; ++serial) {
    const Session session = Session(serial).Certificate(Bytes(serial, 900));
    ASSERT_EQ(SNCE_OK, session.Insert(region.cache(), At(kStart))) << serial;
    Answer answer;
    ASSERT_EQ(SNCE_OK,
              answer.Lookup(region.cache(), session.Key(), At(kStart)));
    EXPECT_EQ("", answer.Differs(session));
  }
}

// Two successive tables of a server differ in the lowest bit of their serials.
// A flush takes three serials; with six different beginnings, the serial wraps
// at every point of a flush.
TEST(SnceWrap, ASerialThatWrapsTellsRangesApart) {
  for (uint32_t begin = 0; begin < 6; ++begin) {
    Region region(100);
    const snceCache stays = AddServer(region.get(), "stays.example", 50);
    ASSERT_EQ(SNCE_OK, Session(1).Insert(stays, At(kStart)));
    WordsSetSerial(region.get(), UINT32_MAX - 20 - begin);
    uint64_t before = WordsTable(region.get(), 0) >> 32;
    for (int round = 0; round < 40; ++round) {
      for (uint64_t serial = 0; serial < 20; ++serial)
        ASSERT_EQ(
            SNCE_OK,
            Session(serial, 0, kEverything).Insert(region.cache(), At(kStart)));
      ASSERT_EQ(20u, region.Figures().live) << round;
      ASSERT_EQ(SNCE_OK, snceCache_Flush(region.cache()));
      const uint64_t serial = WordsTable(region.get(), 0) >> 32;
      ASSERT_NE(0u, serial);
      ASSERT_NE(before & 1, serial & 1) << before << ", " << serial;
      before = serial;
      ASSERT_EQ(0u, region.Figures().live) << round;
      ASSERT_EQ(0u, CountFound(region.cache(), 0, 20, At(kStart)));
    }
    EXPECT_LT(before, 1000u) << "the serial did not wrap";
    EXPECT_EQ(SNCE_OK, Find(stays, Session(1), At(kStart)));
  }
}

TEST(SnceWrap, AChangeCounterThatWrapsLeavesTheServerWhatItIs) {
  Region region(100);
  // The server has generation 2: a change counter that overflowed into the
  // generation would make it 3.
  ASSERT_EQ(SNCE_OK, snceServer_Remove(region.get(),
                                       snceCache_Id(AddServer(
                                           region.get(), "a.example", 50))));
  const snceCache cache = AddServer(region.get(), "a.example", 50);
  ASSERT_EQ(2u, cache.id.generation);
  const uint32_t number = cache.id.number;
  WordsSetState(region.get(), number,
                WordsState(region.get(), number) | 0xffffff00);
  for (uint64_t round = 0; round < 4; ++round) {
    ASSERT_EQ(SNCE_OK, Session(round).Insert(cache, At(kStart)));
    const snceCacheOptions options = Options(100 + 100 * round);
    ASSERT_EQ(SNCE_OK, snceCache_Configure(cache, &options));
    ASSERT_EQ(SNCE_OK, Find(cache, Session(round), At(kStart)));
    ASSERT_EQ(SNCE_OK, snceCache_Flush(cache));
    ASSERT_EQ(SNCE_MISS, Find(cache, Session(round), At(kStart)));
  }
  EXPECT_LT(WordsState(region.get(), number) & 0xffffff00, 0x10000u);
  snceServerId id;
  ASSERT_EQ(SNCE_OK, Find(region.get(), "a.example", &id));
  EXPECT_EQ(snceCache_Id(cache), id);
}

TEST(SnceWrap, TheServerAfterTheLastGenerationIsNotItsPredecessor) {
  Region region(100);
  snceCache cache = AddServer(region.get(), "a.example", 50);
  const uint32_t number = cache.id.number;
  ASSERT_EQ(SNCE_OK, snceServer_Remove(region.get(), snceCache_Id(cache)));
  // The entry is free. Set its generation to the last but one.
  WordsSetState(region.get(), number,
                (uint64_t{UINT32_MAX - 1} << 32) |
                    (WordsState(region.get(), number) & UINT32_MAX));
  for (int round = 0; round < 3; ++round) {
    const snceCache next = AddServer(region.get(), "a.example", 50);
    ASSERT_EQ(number, next.id.number);
    EXPECT_EQ(round == 0 ? UINT32_MAX : uint32_t(round), next.id.generation);
    ASSERT_EQ(SNCE_OK, Session(1).Insert(next, At(kStart)));
    EXPECT_EQ(SNCE_MISS, Find(cache, Session(1), At(kStart)));
    EXPECT_EQ(SNCE_GONE, Session(2).Insert(cache, At(kStart)));
    ASSERT_EQ(SNCE_OK, snceServer_Remove(region.get(), snceCache_Id(next)));
    cache = next;
  }
}

TEST(SnceWrap, FiguresGoOnPast32Bits) {
  Region region(100);
  ASSERT_EQ(SNCE_OK, Session(1).Insert(region.cache(), At(kStart)));
  for (uint64_t end : {uint64_t{1} << 31, uint64_t{1} << 32}) {
    WordsAddHits(region.get(), 0, end - 2 - region.Figures().hits);
    for (int i = 0; i < 5; ++i)
      ASSERT_EQ(SNCE_OK, Find(region.cache(), Session(1), At(kStart)));
    EXPECT_EQ(end + 3, region.Figures().hits);
  }
}

// The store has one set, so every certificate lies in it.
TEST(SnceWrap, ACountOfReferencesStopsAtItsEnd) {
  snceCacheOptions options = Options(100);
  options.certificates = 1;
  Region region(options);
  const std::vector<uint8_t> certificate = Bytes(1, 200);
  ASSERT_EQ(
      SNCE_OK,
      Session(1).Certificate(certificate).Insert(region.cache(), At(kStart)));
  unsigned way = 0;
  while (way < 16 && uint32_t(WordsReferences(region.get(), 0, way)) != 1)
    ++way;
  ASSERT_LT(way, 16u);
  WordsSetReferences(region.get(), 0, way,
                     WordsReferences(region.get(), 0, way) | UINT32_MAX);
  for (uint64_t serial = 2; serial < 6; ++serial) {
    const Session session = Session(serial).Certificate(certificate);
    ASSERT_EQ(SNCE_OK, session.Insert(region.cache(), At(kStart)));
    EXPECT_EQ(UINT32_MAX, uint32_t(WordsReferences(region.get(), 0, way)));
    Answer answer;
    for (uint64_t there : {uint64_t{1}, serial}) {
      const Session wanted = Session(there).Certificate(certificate);
      ASSERT_EQ(SNCE_OK,
                answer.Lookup(region.cache(), wanted.Key(), At(kStart)));
      EXPECT_EQ("", answer.Differs(wanted));
    }
  }
}

// The last process to detach drops the contents of the region. Processes that
// die are never counted off, so the count may reach its end.
TEST(SnceWrap, ACountOfProcessesThatWrapsDropsNothing) {
  Region region(100);
  ASSERT_EQ(SNCE_OK, Session(1).Insert(region.cache(), At(kStart)));
  WordsSetAttached(region.get(), UINT32_MAX - 1);
  for (int round = 0; round < 4; ++round) {
    snceRegion* attached = nullptr;
    ASSERT_EQ(SNCE_OK,
              snceRegion_Attach(&attached, dup(region.fd()), SNCE_ACCESS_WORK));
    // In every other round the process dies: it does not detach.
    if (round % 2) snceRegion_Close(attached);
    ASSERT_EQ(SNCE_OK, Find(region.cache(), Session(1), At(kStart))) << round;
  }
}

}  // namespace
}  // namespace snce_test
