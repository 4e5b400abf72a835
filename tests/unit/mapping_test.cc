/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// What a process can still do with a region when it cannot map more of it,
// because the application has closed the descriptor or uses its number for
// another file.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "file_looks.h"
#include "gtest/gtest.h"
#include "sslsnce/snce.h"
#include "test_clock.h"
#include "test_region.h"
#include "test_server.h"
#include "test_session.h"
#include "words.h"

namespace snce_test {
namespace {

constexpr int kChunkOfKeys = 256;  // records that every process has mapped

std::vector<uint8_t> KeyName(int which) {
  return Bytes(1000 + uint64_t(which), SNCE_KEY_NAME_BYTES);
}

snceResult PutKey(snceRegion* region, int which) {
  const std::vector<uint8_t> name = KeyName(which), value = {1, 2, 3};
  uint8_t buf[16];
  size_t len;
  return snceKeyLog_Put(region, name.data(), value.data(), value.size(), buf,
                        sizeof(buf), &len);
}

snceResult GetKey(snceRegion* region, int which) {
  uint8_t buf[16];
  size_t len;
  return snceKeyLog_Get(region, KeyName(which).data(), buf, sizeof(buf), &len);
}

class SnceMapping : public ::testing::Test {
 protected:
  // Attaches another handle of the region, as another process has one.
  std::unique_ptr<Region> Attach() {
    snceRegion* attached = nullptr;
    EXPECT_EQ(SNCE_OK, snceRegion_Attach(&attached, dup(region_.fd()),
                                         SNCE_ACCESS_ADMIN));
    return std::make_unique<Region>(attached);
  }

  void ExpectOutOfReach(const Region& other) {
    Answer answer;
    const Session session(1, 1, kCertificate);
    const snceKey key = session.Key();
    const snceFigures before = other.Figures();
    EXPECT_EQ(SNCE_MISS, answer.Lookup(other.cache(), key, now_));
    EXPECT_EQ(SNCE_DROPPED, Session(2).Insert(other.cache(), now_));
    EXPECT_EQ(SNCE_NO_MEMORY, snceCache_Remove(other.cache(), &key));
    const snceFigures after = other.Figures();
    EXPECT_EQ(before.unmapped + 3, after.unmapped);
    EXPECT_EQ(before.missesUnknown, after.missesUnknown);
    EXPECT_EQ(before.dropped, after.dropped);
    EXPECT_EQ(before.refused, after.refused);
    EXPECT_EQ(region_.Figures().slots, after.slots);
    snceCacheOptions options;
    ASSERT_EQ(SNCE_OK, snceCache_GetOptions(other.cache(), &options));
    EXPECT_EQ(kLarge, options.entries);
    EXPECT_EQ(kStart + 100 * kSecond,
              snceCache_Expiry(other.cache(), SNCE_CLASS_SSL2, now_).usec);
    snceCache_CountKeyFailure(other.cache());
    EXPECT_EQ(after.keyFailures + 1, other.Figures().keyFailures);
    // Other handles find the session.
    EXPECT_EQ(SNCE_OK, Find(region_.cache(), session, now_));
  }

  static constexpr uint64_t kLarge = 100000;

  Watchdog watchdog_{60};
  const snceTime now_ = At(kStart);
  Region region_{100};
};

TEST_F(SnceMapping, WhatWasMadeAfterTheDescriptorWasClosedIsOutOfReach) {
  auto other = Attach();
  ASSERT_EQ(SNCE_OK, Session(1, 1, kCertificate).Insert(other->cache(), now_));
  close(other->fd());
  EXPECT_EQ(SNCE_OK, Find(other->cache(), Session(1, 1, kCertificate), now_));
  const snceCacheOptions larger = Options(kLarge);
  ASSERT_EQ(SNCE_OK, snceCache_Configure(region_.cache(), &larger));
  ExpectOutOfReach(*other);
  EXPECT_EQ(SNCE_BAD_DESCRIPTOR, snceCache_Configure(other->cache(), &larger));
}

TEST_F(SnceMapping, AnotherFileUnderTheDescriptorsNumberIsNotMapped) {
  auto other = Attach();
  const int number = other->fd();
  const int file = MemoryFile();
  ASSERT_EQ(0, ftruncate(file, off_t{1} << 30));
  ASSERT_EQ(number, dup2(file, number));
  const snceCacheOptions larger = Options(kLarge);
  ASSERT_EQ(SNCE_OK, snceCache_Configure(region_.cache(), &larger));
  ASSERT_EQ(SNCE_OK, Session(1, 1, kCertificate).Insert(region_.cache(), now_));
  ExpectOutOfReach(*other);
  EXPECT_TRUE(MappingsOf(file).empty());
  other->Close();
  EXPECT_EQ(0, fcntl(number, F_GETFD)) << "it is the application's";
  close(number);
  close(file);
}

TEST_F(SnceMapping, AFileThatGrowsInTheRegionsPlaceIsNotTakenForIt) {
  const struct {
    const char* change;
    int after;
    std::function<snceResult(const Region&)> make;
  } changes[] = {
      {"a larger cache", 0,
       [](const Region& region) {
         const snceCacheOptions larger = Options(kLarge);
         return snceCache_Configure(region.cache(), &larger);
       }},
      // The store of this server would lie beyond the file's end, in a chunk
      // that is mapped.
      {"a small server", 1,
       [](const Region& region) {
         snceServerId id;
         return Add(region.get(), "a.example", Options(20), &id);
       }},
  };
  for (const auto& one : changes) {
    Region region(100);
    ASSERT_EQ(SNCE_OK, Session(1).Insert(region.cache(), now_));
    const int number = region.fd();
    const int kept = dup(number), file = MemoryFile();
    ASSERT_EQ(0, ftruncate(file, off_t{1} << 30));
    SwapBeforeItGrows(file, one.after);
    EXPECT_EQ(SNCE_BAD_DESCRIPTOR, one.make(region)) << one.change;
    SwapBeforeItGrows(-1, 0);
    ASSERT_EQ(InodeOf(file), InodeOf(number)) << "nothing was to grow";
    EXPECT_EQ(off_t{1} << 30, lseek(file, 0, SEEK_END)) << "it was cut";
    // What was there before still works.
    EXPECT_EQ(SNCE_OK, Find(region.cache(), Session(1), now_)) << one.change;
    EXPECT_EQ(SNCE_OK, Session(2).Insert(region.cache(), now_)) << one.change;
    // The next process that has a descriptor can make the change.
    snceRegion* attached = nullptr;
    ASSERT_EQ(SNCE_OK, snceRegion_Attach(&attached, kept, SNCE_ACCESS_ADMIN));
    Region other(attached);
    EXPECT_EQ(SNCE_OK, one.make(other)) << one.change;
    EXPECT_EQ(SNCE_OK, Find(other.cache(), Session(1), now_)) << one.change;
    region.Close();
    EXPECT_EQ(0, close(number)) << "it is the application's";
    close(file);
  }
}

TEST_F(SnceMapping, KeysInCellsThatCannotBeMappedAreNotSaidToBeMissing) {
  auto other = Attach();
  close(other->fd());
  for (int i = 0; i < kChunkOfKeys + 10; ++i)
    ASSERT_EQ(SNCE_OK, PutKey(region_.get(), i));
  EXPECT_EQ(SNCE_OK, GetKey(other->get(), 0));
  EXPECT_EQ(SNCE_OK, GetKey(other->get(), kChunkOfKeys - 1));
  EXPECT_EQ(SNCE_NO_MEMORY, GetKey(other->get(), kChunkOfKeys));
  EXPECT_EQ(SNCE_NO_MEMORY, GetKey(other->get(), 5000));
  EXPECT_EQ(SNCE_NO_MEMORY, PutKey(other->get(), 5000));
  // The failed calls take no cell from other processes.
  for (int i = kChunkOfKeys + 10; i < 1024; ++i)
    ASSERT_EQ(SNCE_OK, PutKey(region_.get(), i));
  EXPECT_EQ(SNCE_FULL, PutKey(region_.get(), 5000));
}

TEST_F(SnceMapping, WhatIsThereWhenAProcessAttachesNeedsNoDescriptorLater) {
  constexpr int kServers = 400;
  std::vector<snceServerId> ids;
  for (int i = 0; i < kServers; ++i)
    ids.push_back(snceCache_Id(
        AddServer(region_.get(), "s" + std::to_string(i) + ".example", 10)));
  for (int i = 0; i < 600; ++i) ASSERT_EQ(SNCE_OK, PutKey(region_.get(), i));
  auto other = Attach();
  close(other->fd());
  for (const snceServerId id : ids) {
    const snceCache cache = snceRegion_Cache(other->get(), id);
    const Session session(id.number, 1, kCertificate);
    ASSERT_EQ(SNCE_OK, session.Insert(cache, now_)) << id.number;
    ASSERT_EQ(SNCE_OK, Find(cache, session, now_)) << id.number;
    const snceFigures figures = FiguresOf(cache);
    ASSERT_EQ(1u, figures.hits) << id.number;
    ASSERT_EQ(1u, figures.inserts) << id.number;
    ASSERT_EQ(1u, FiguresOf(snceRegion_Cache(region_.get(), id)).hits);
  }
  for (int i = 0; i < 600; ++i) ASSERT_EQ(SNCE_OK, GetKey(other->get(), i));
}

// The figures of a server added later lie in a chunk that the process cannot
// map.
TEST_F(SnceMapping, FiguresOutOfReachAreNotSaidToBeZero) {
  auto other = Attach();
  close(other->fd());
  snceCache last = region_.cache();
  for (int i = 0; i < 200; ++i)
    last = AddServer(region_.get(), "s" + std::to_string(i) + ".example", 10);
  ASSERT_EQ(SNCE_OK, Session(1).Insert(last, now_));
  snceFigures figures;
  EXPECT_EQ(SNCE_NO_MEMORY,
            snceCache_GetFigures(
                snceRegion_Cache(other->get(), snceCache_Id(last)), &figures));
}

// A hostile process may name such a range.
TEST_F(SnceMapping, ARangeBeyondTheFileCostsOneLookAtIt) {
  const uint64_t table = WordsTable(region_.get(), 0);
  ASSERT_EQ(SNCE_OK, Session(1).Insert(region_.cache(), now_));
  const snceServerId id =
      snceCache_Id(AddServer(region_.get(), "a.example", 100));
  auto other = Attach();
  const snceCache cache = other->cache();
  const uint64_t beyond = (table & ~uint64_t{UINT32_MAX}) | 1u << 24;
  WordsSetTable(region_.get(), 0, beyond);
  const unsigned before = FileLooks();
  const Session mine(1);
  const snceKey key = mine.Key();
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(SNCE_MISS, Find(cache, Session(1), now_));
    EXPECT_EQ(SNCE_CORRUPT, Session(2).Insert(cache, now_));
    EXPECT_EQ(SNCE_CORRUPT, snceCache_Remove(cache, &key));
  }
  EXPECT_LE(FileLooks() - before, 1u);
  WordsSetTable(region_.get(), 0, table);
  EXPECT_EQ(SNCE_OK, Find(cache, Session(1), now_));
  WordsSetTable(region_.get(), 0, beyond);
  EXPECT_LT(FileLooks(), before + 1000) << "what counts them does not work";
  // The process sees at once what another process adds meanwhile.
  const snceCacheOptions larger = Options(50000);
  for (uint64_t i = 0; i < 3; ++i) {
    const snceCache made =
        AddServer(region_.get(), "b" + std::to_string(i) + ".example", 50000);
    ASSERT_EQ(SNCE_OK, Session(i).Insert(made, now_));
    EXPECT_EQ(SNCE_OK, Find(snceRegion_Cache(other->get(), snceCache_Id(made)),
                            Session(i), now_));
    EXPECT_EQ(SNCE_MISS, Find(cache, Session(1), now_));
  }
  const snceCache grown = snceRegion_Cache(region_.get(), id);
  ASSERT_EQ(SNCE_OK, Session(7).Insert(grown, now_));
  ASSERT_EQ(SNCE_OK, snceCache_Configure(grown, &larger));
  EXPECT_EQ(SNCE_OK,
            Find(snceRegion_Cache(other->get(), id), Session(7), now_));
}

}  // namespace
}  // namespace snce_test
