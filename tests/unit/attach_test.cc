/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// Attaching, inheriting, and what must be refused.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <string>
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

// Attaches a duplicate of |fd|, as another process would attach it.
snceResult AttachCopy(snceRegion** out, int fd, snceAccess access) {
  const int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  const snceResult result = snceRegion_Attach(out, copy, access);
  if (result != SNCE_OK) {
    EXPECT_EQ(0, close(copy)) << "a refused descriptor was taken over";
  }
  return result;
}

class SnceAttach : public ::testing::Test {
 protected:
  snceRegion* Attached(snceAccess access) {
    snceRegion* region = nullptr;
    EXPECT_EQ(SNCE_OK, AttachCopy(&region, region_.fd(), access));
    return region;
  }

  Region region_{1000};
  snceCache cache_ = region_.cache();
  snceTime now_ = At(kStart);
  Answer answer_;
};

TEST_F(SnceAttach, TwoAttachmentsShareTheirSessions) {
  const Region other(Attached(SNCE_ACCESS_WORK));
  ASSERT_NE(nullptr, other.get());
  const Session mine(1, 1, kEverything), theirs(2, 1, kEverything);
  ASSERT_EQ(SNCE_OK, mine.Insert(cache_, now_));
  ASSERT_EQ(SNCE_OK, theirs.Insert(other.cache(), now_));
  ASSERT_EQ(SNCE_OK, answer_.Lookup(other.cache(), mine.Key(), now_));
  EXPECT_EQ("", answer_.Differs(mine));
  ASSERT_EQ(SNCE_OK, answer_.Lookup(cache_, theirs.Key(), now_));
  EXPECT_EQ("", answer_.Differs(theirs));
  const snceKey key = mine.Key();
  EXPECT_EQ(SNCE_OK, snceCache_Remove(other.cache(), &key));
  EXPECT_EQ(SNCE_MISS, Find(cache_, mine, now_));
  EXPECT_EQ(1u, region_.Figures().live);
  EXPECT_EQ(1u, other.Figures().live);
}

TEST_F(SnceAttach, AReaderLooksUpAndChangesNothing) {
  ASSERT_EQ(SNCE_OK, Session(1, 1, kEverything).Insert(cache_, now_));
  const Region reader(Attached(SNCE_ACCESS_READ));
  ASSERT_NE(nullptr, reader.get());
  const snceFigures before = region_.Figures();
  const Session session(1, 1, kEverything);
  const snceKey key = session.Key();
  ASSERT_EQ(SNCE_OK, answer_.Lookup(reader.cache(), key, now_));
  EXPECT_EQ("", answer_.Differs(session));
  EXPECT_EQ(SNCE_MISS, Find(reader.cache(), Session(2), now_));
  // It has expired for the reader, which cannot wipe it.
  EXPECT_EQ(SNCE_MISS, Find(reader.cache(), session, now_ + 100000 * kSecond));
  EXPECT_EQ(SNCE_READ_ONLY, Session(2).Insert(reader.cache(), now_));
  EXPECT_EQ(SNCE_READ_ONLY, snceCache_Remove(reader.cache(), &key));
  const snceCacheOptions options = Options(2000);
  EXPECT_EQ(SNCE_READ_ONLY, snceCache_Configure(reader.cache(), &options));
  uint8_t name[SNCE_KEY_NAME_BYTES] = {1}, value[8] = {2};
  size_t len;
  EXPECT_EQ(SNCE_READ_ONLY,
            snceKeyLog_Put(reader.get(), name, value, 8, value, 8, &len));
  EXPECT_EQ(SNCE_MISS, snceKeyLog_Get(reader.get(), name, value, 8, &len));
  EXPECT_EQ(1u, reader.Figures().live);
  const snceFigures after = region_.Figures();
  EXPECT_EQ(before.hits, after.hits);
  EXPECT_EQ(before.missesUnknown, after.missesUnknown);
  EXPECT_EQ(before.live, after.live);
}

TEST_F(SnceAttach, AReadersMemoryIsMappedReadOnly) {
  const Region reader(Attached(SNCE_ACCESS_READ));
  ASSERT_NE(nullptr, reader.get());
  uint64_t read_only = 0, writable = 0;
  for (const Mapping& mapping : MappingsOf(region_.fd())) {
    const uint64_t bytes = mapping.end - mapping.start;
    if (mapping.permissions == "r--s") {
      read_only += bytes;
    } else if (mapping.permissions == "rw-s") {
      writable += bytes;
    } else {
      ADD_FAILURE() << mapping.permissions;
    }
    EXPECT_NE(std::string::npos, mapping.flags.find(" dd "));
  }
  EXPECT_GT(writable, 0u);
  EXPECT_GT(read_only, 0u);
}

TEST_F(SnceAttach, AWorkerMayNotChangeLimits) {
  const Region worker(Attached(SNCE_ACCESS_WORK));
  ASSERT_NE(nullptr, worker.get());
  const snceCacheOptions options = Options(2000);
  EXPECT_EQ(SNCE_READ_ONLY, snceCache_Configure(worker.cache(), &options));
  EXPECT_EQ(SNCE_OK, Session(1).Insert(worker.cache(), now_));
}

TEST_F(SnceAttach, AnAdministratorMay) {
  const Region admin(Attached(SNCE_ACCESS_ADMIN));
  ASSERT_NE(nullptr, admin.get());
  ASSERT_EQ(SNCE_OK, Session(1).Insert(cache_, now_));
  snceCacheOptions options = Options(5000);
  options.timeoutSec[SNCE_CLASS_SSL3] = 7;
  EXPECT_EQ(SNCE_OK, snceCache_Configure(admin.cache(), &options));
  EXPECT_EQ(SNCE_OK, Find(cache_, Session(1), now_ + (7 * kSecond - 1)));
  EXPECT_EQ(SNCE_MISS, Find(cache_, Session(1), now_ + 7 * kSecond));
  EXPECT_GE(region_.Figures().slots, 5000u);
}

TEST_F(SnceAttach, ClosingASecondAttachmentLeavesTheFirstItsSessions) {
  ASSERT_EQ(SNCE_OK, Session(1).Insert(cache_, now_));
  Region other(Attached(SNCE_ACCESS_WORK));
  ASSERT_NE(nullptr, other.get());
  other.Close();
  EXPECT_EQ(SNCE_OK, Find(cache_, Session(1), now_));
  EXPECT_EQ(SNCE_OK, Session(2).Insert(cache_, now_));
  EXPECT_EQ(SNCE_OK, Find(cache_, Session(2), now_));
}

TEST_F(SnceAttach, DescriptorsOfAnythingElseAreRefused) {
  int pipes[2], sockets[2];
  ASSERT_EQ(0, pipe(pipes));
  ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
  const int file = open("/proc/self/exe", O_RDONLY);
  const int temporary = open("/tmp", O_TMPFILE | O_RDWR, 0600);
  const int directory = open("/tmp", O_RDONLY | O_DIRECTORY);
  const int null = open("/dev/null", O_RDWR);
  const int zero = open("/dev/zero", O_RDWR);
  const int empty = MemoryFile();
  const int closed = dup(0);
  close(closed);
  for (int fd : {pipes[0], pipes[1], sockets[0], sockets[1], file, temporary,
                 directory, null, zero, empty, closed, -1, 1 << 20}) {
    snceRegion* region = nullptr;
    const snceResult result = snceRegion_Attach(&region, fd, SNCE_ACCESS_WORK);
    EXPECT_TRUE(result == SNCE_BAD_DESCRIPTOR ||
                (fd == empty && result == SNCE_FOREIGN))
        << fd << ": " << snceResult_Text(result);
    EXPECT_EQ(nullptr, region);
    if (fd != closed && fd >= 0 && fd != 1 << 20) {
      EXPECT_EQ(0, close(fd));
    }
  }
}

TEST_F(SnceAttach, MemoryFilesThatAreNoRegionAreForeign) {
  const off_t size = lseek(region_.fd(), 0, SEEK_END);
  for (off_t bytes : {off_t{1}, off_t{4095}, off_t{4096}, off_t{1} << 20, size,
                      size + 4096}) {
    for (bool zeros : {false, true}) {
      const int fd = MemoryFile();
      ASSERT_EQ(0, ftruncate(fd, bytes));
      if (!zeros) {
        const std::vector<uint8_t> noise =
            Bytes(uint64_t(bytes), size_t(std::min<off_t>(bytes, 1 << 20)));
        ASSERT_EQ(ssize_t(noise.size()),
                  pwrite(fd, noise.data(), noise.size(), 0));
      }
      SealLike(fd, region_.fd());
      snceRegion* region = nullptr;
      const snceResult result =
          snceRegion_Attach(&region, fd, SNCE_ACCESS_WORK);
      EXPECT_TRUE(result == SNCE_FOREIGN || result == SNCE_CORRUPT)
          << bytes << ": " << snceResult_Text(result);
      EXPECT_EQ(0, close(fd));
    }
  }
}

TEST_F(SnceAttach, ACopyOfARegionIsARegion) {
  // Shows that the refusals below have their cause in the change, not in
  // copying.
  ASSERT_EQ(SNCE_OK, Session(1, 1, kEverything).Insert(cache_, now_));
  const int copy = CopyOf(region_.fd());
  snceRegion* attached = nullptr;
  ASSERT_EQ(SNCE_OK, snceRegion_Attach(&attached, copy, SNCE_ACCESS_WORK));
  Region region(attached);
  ASSERT_EQ(SNCE_OK, answer_.Lookup(region.cache(),
                                    Session(1, 1, kEverything).Key(), now_));
  EXPECT_EQ("", answer_.Differs(Session(1, 1, kEverything)));
}

TEST_F(SnceAttach, ARegionThatAnyoneCouldShrinkIsRefused) {
  const int copy = CopyOf(region_.fd(), /*sealed=*/false);
  for (int seals : {0, F_SEAL_GROW, F_SEAL_SHRINK}) {
    if (seals) {
      ASSERT_EQ(0, fcntl(copy, F_ADD_SEALS, seals));
    }
    snceRegion* region = nullptr;
    const snceResult result =
        snceRegion_Attach(&region, copy, SNCE_ACCESS_WORK);
    if (fcntl(copy, F_GET_SEALS) & F_SEAL_SHRINK) break;
    EXPECT_TRUE(result == SNCE_FOREIGN || result == SNCE_CORRUPT ||
                result == SNCE_BAD_DESCRIPTOR)
        << snceResult_Text(result);
  }
  close(copy);
}

TEST_F(SnceAttach, AFileThatHasNotAllOfARegionIsRefused) {
  const off_t size = lseek(region_.fd(), 0, SEEK_END);
  for (off_t bytes : {off_t{0}, off_t{4096}, size / 2}) {
    const int copy = CopyOf(region_.fd(), /*sealed=*/false);
    ASSERT_EQ(0, ftruncate(copy, bytes));
    SealLike(copy, region_.fd());
    snceRegion* region = nullptr;
    const snceResult result =
        snceRegion_Attach(&region, copy, SNCE_ACCESS_WORK);
    EXPECT_TRUE(result == SNCE_FOREIGN || result == SNCE_CORRUPT)
        << bytes << ": " << snceResult_Text(result);
    EXPECT_EQ(0, close(copy));
  }
}

// Calls every function on |region|. Every result must be one that the header
// names, and every session found must be whole.
void UseHostile(snceRegion* region, uint64_t seed) {
  snceCache cache = snceRegion_DefaultCache(region);
  Answer answer;
  for (uint64_t serial = 0; serial < 40; ++serial) {
    const Session session(serial, seed, kEverything);
    const snceKey key = session.Key();
    snceResult result = answer.Lookup(cache, key, At(kStart));
    ASSERT_TRUE(result == SNCE_OK || result == SNCE_MISS ||
                result == SNCE_CORRUPT)
        << snceResult_Text(result);
    if (result == SNCE_OK) {
      ASSERT_EQ("", answer.Mixed());
    }
    if (serial % 3 == 0) {
      result = session.Insert(cache, At(kStart));
      ASSERT_TRUE(result == SNCE_OK || result == SNCE_DROPPED ||
                  result == SNCE_FULL || result == SNCE_CORRUPT ||
                  result == SNCE_TOO_LARGE || result == SNCE_GONE ||
                  result == SNCE_CLOSED)
          << snceResult_Text(result);
      if (answer.Lookup(cache, key, At(kStart)) == SNCE_OK) {
        ASSERT_EQ("", answer.Mixed());
      }
    }
    if (serial % 5 == 0) {
      result = snceCache_Remove(cache, &key);
      ASSERT_TRUE(result == SNCE_OK || result == SNCE_MISS ||
                  result == SNCE_CORRUPT || result == SNCE_NO_MEMORY)
          << snceResult_Text(result);
    }
  }
  snceFigures figures;
  snceCache_GetFigures(cache, &figures);
  snceCacheOptions options;
  snceCache_GetOptions(cache, &options);
  snceCache_Expiry(cache, SNCE_CLASS_SSL2, At(kStart));
  uint8_t buffer[SNCE_KEY_VALUE_MAX];
  size_t len;
  for (uint64_t which = 0; which < 4; ++which) {
    const std::vector<uint8_t> name = Bytes(which, SNCE_KEY_NAME_BYTES);
    const snceResult result =
        snceKeyLog_Get(region, name.data(), buffer, sizeof(buffer), &len);
    if (result == SNCE_OK) {
      ASSERT_EQ(100u, len);
      ASSERT_EQ(0, std::memcmp(buffer, Bytes(which + 100, 100).data(), 100));
    }
  }
  const std::vector<uint8_t> name = Bytes(50 + seed, SNCE_KEY_NAME_BYTES);
  snceKeyLog_Put(region, name.data(), name.data(), 40, buffer, sizeof(buffer),
                 &len);
}

// Calls every function of virtual servers on |region|.
void UseHostileServers(snceRegion* region, uint64_t seed) {
  auto sane = [](snceResult result) {
    return result == SNCE_OK || result == SNCE_MISS || result == SNCE_GONE ||
           result == SNCE_EXISTS || result == SNCE_FULL ||
           result == SNCE_NO_MEMORY || result == SNCE_CORRUPT ||
           result == SNCE_READ_ONLY || result == SNCE_DROPPED ||
           result == SNCE_CLOSED;
  };
  Answer answer;
  snceServerId id;
  for (const char* name : {"a.example", "*.b.example", "c.example"}) {
    const snceResult result = Find(region, name, &id);
    ASSERT_TRUE(sane(result)) << snceResult_Text(result);
    if (result == SNCE_OK) {
      ASSERT_LE(id.number, uint32_t{SNCE_SERVERS_MAX});
    }
  }
  ASSERT_LE(Choose(region, "x.b.example").number, uint32_t{SNCE_SERVERS_MAX});
  for (const snceServerInfo& info : List(region)) {
    ASSERT_LE(info.nameLen, size_t{SNCE_NAME_MAX});
    const snceCache cache = snceRegion_Cache(region, info.id);
    const Session session(seed % 40, seed, kEverything);
    ASSERT_TRUE(sane(session.Insert(cache, At(kStart))));
    if (answer.Lookup(cache, session.Key(), At(kStart)) == SNCE_OK) {
      ASSERT_EQ("", answer.Mixed());
    }
    if (info.id.number > 5) break;
  }
  const snceCacheOptions options = Options(50 + seed % 500);
  ASSERT_TRUE(sane(Add(region, "a.example", options, &id)));
  ASSERT_TRUE(sane(Add(region, "new" + std::to_string(seed), options, &id)));
  if (Find(region, "*.b.example", &id) == SNCE_OK && id.number != 0) {
    const snceCache cache = snceRegion_Cache(region, id);
    ASSERT_TRUE(sane(snceCache_Configure(cache, &options)));
    ASSERT_TRUE(sane(snceCache_Flush(cache)));
    ASSERT_TRUE(sane(snceServer_Remove(region, id)));
  }
  ASSERT_TRUE(sane(snceCache_Flush(snceRegion_DefaultCache(region))));
}

// UseHostile for a region attached for reading.
void UseHostileForReading(snceRegion* region) {
  snceCache cache = snceRegion_DefaultCache(region);
  Answer answer;
  for (uint64_t serial = 0; serial < 10; ++serial) {
    const Session session(serial, 0, kEverything);
    const snceResult result = answer.Lookup(cache, session.Key(), At(kStart));
    ASSERT_TRUE(result == SNCE_OK || result == SNCE_MISS ||
                result == SNCE_CORRUPT)
        << snceResult_Text(result);
    if (result == SNCE_OK) {
      ASSERT_EQ("", answer.Mixed());
    }
  }
  snceFigures figures;
  snceCache_GetFigures(cache, &figures);
  snceCacheOptions options;
  snceCache_GetOptions(cache, &options);
}

class SnceHostile : public ::testing::Test {
 protected:
  SnceHostile() {
    for (const char* name : {"a.example", "*.b.example", "c.example"}) {
      const snceCache cache = AddServer(region_.get(), name, 100);
      for (uint64_t serial = 0; serial < 40; ++serial)
        EXPECT_EQ(SNCE_OK,
                  Session(serial, 0, kEverything).Insert(cache, At(kStart)));
    }
    for (uint64_t serial = 0; serial < 200; ++serial)
      EXPECT_EQ(
          SNCE_OK,
          Session(serial, 0, kEverything).Insert(region_.cache(), At(kStart)));
    uint8_t buffer[100];
    size_t len;
    for (uint64_t which = 0; which < 4; ++which)
      EXPECT_EQ(SNCE_OK,
                snceKeyLog_Put(region_.get(),
                               Bytes(which, SNCE_KEY_NAME_BYTES).data(),
                               Bytes(which + 100, 100).data(), 100, buffer,
                               sizeof(buffer), &len));
  }

  static snceCacheOptions Small() {
    snceCacheOptions options = Options(256);
    options.certificates = 64;
    return options;
  }

  Watchdog watchdog_{300};
  Region region_{Small()};
};

TEST_F(SnceHostile, AnotherMagicOrSignatureIsForeign) {
  uint64_t word;
  const int copy = CopyOf(region_.fd());
  ASSERT_EQ(8, pread(copy, &word, 8, 0));
  for (int bit = 0; bit < 64; ++bit) {
    const uint64_t other = word ^ (uint64_t{1} << bit);
    ASSERT_EQ(8, pwrite(copy, &other, 8, 0));
    snceRegion* region = nullptr;
    EXPECT_EQ(SNCE_FOREIGN, snceRegion_Attach(&region, copy, SNCE_ACCESS_WORK));
  }
  close(copy);
}

TEST_F(SnceHostile, AHeaderScribbledOverIsRefusedOrHarmless) {
  const int copy = CopyOf(region_.fd());
  int refused = 0, taken = 0;
  for (off_t at = 0; at < 8192; at += 8) {
    uint64_t word;
    ASSERT_EQ(8, pread(copy, &word, 8, at));
    for (uint64_t other : {~word, word + 1, uint64_t{0}, UINT64_MAX,
                           word ^ (uint64_t{1} << 31), Mix(word)}) {
      if (other == word) continue;
      ASSERT_EQ(8, pwrite(copy, &other, 8, at));
      snceRegion* region = nullptr;
      const int mine = dup(copy);
      const snceResult result =
          snceRegion_Attach(&region, mine, SNCE_ACCESS_READ);
      if (result == SNCE_OK) {
        ++taken;
        UseHostileForReading(region);
        snceRegion_Close(region);
      } else {
        ++refused;
        EXPECT_TRUE(result == SNCE_FOREIGN || result == SNCE_CORRUPT ||
                    result == SNCE_NO_MEMORY)
            << at << ": " << snceResult_Text(result);
        close(mine);
      }
      ASSERT_EQ(8, pwrite(copy, &word, 8, at));
      if (HasFatalFailure()) {
        FAIL() << "at " << at;
      }
    }
  }
  printf("%d changed headers refused, %d harmless\n", refused, taken);
  EXPECT_GE(refused, 12);
  close(copy);
}

TEST_F(SnceHostile, WordsScribbledBeforeAttachingAreHarmless) {
  const int rounds = kSanitized ? 60 : 300;
  for (int round = 0; round < rounds; ++round) {
    const int copy = CopyOf(region_.fd());
    const off_t size = lseek(copy, 0, SEEK_END);
    for (uint64_t change = 0; change < 64; ++change) {
      const uint64_t mixed = Mix(uint64_t(round) * 1000 + change);
      // Put half of the changes into the first pages, where header and
      // directory lie.
      const off_t span = change % 2 ? size : std::min<off_t>(size, 65536);
      const off_t at = off_t((mixed >> 8) % uint64_t(span / 8)) * 8;
      // Skip most changes of the header, so that some copies are accepted.
      if (at < 4096 && change % 8) continue;
      const uint64_t word = mixed & 1 ? Mix(mixed) : Mix(mixed) % 4096;
      ASSERT_EQ(8, pwrite(copy, &word, 8, at));
    }
    snceRegion* region = nullptr;
    if (snceRegion_Attach(&region, copy, SNCE_ACCESS_WORK) != SNCE_OK) {
      close(copy);
      continue;
    }
    UseHostile(region, uint64_t(round));
    UseHostileServers(region, uint64_t(round));
    snceRegion_Close(region);
    if (HasFatalFailure()) FAIL() << "round " << round;
  }
}

// The words that say where ranges lie and whose they are, and the index of
// names.
TEST_F(SnceHostile, ADirectoryScribbledOverIsHarmless) {
  const int rounds = kSanitized ? 100 : 1500;
  constexpr off_t kDirectory = 4096, kIndex = 4096 + 1032 * 512;
  for (int round = 0; round < rounds; ++round) {
    const int copy = CopyOf(region_.fd());
    const int mine = dup(copy);
    snceRegion* region = nullptr;
    ASSERT_EQ(SNCE_OK, snceRegion_Attach(&region, copy, SNCE_ACCESS_ADMIN));
    for (uint64_t step = 0; step < 3; ++step) {
      for (uint64_t change = 0; change < 4; ++change) {
        const uint64_t dice = Mix((uint64_t(round) * 3 + step) * 100 + change);
        off_t at =
            kDirectory + off_t(dice % 5) * 512 + off_t((dice >> 8) % 24) * 8;
        if (dice >> 61 == 0) at = kIndex + off_t((dice >> 8) % 4096) * 8;
        if (dice >> 61 == 1) at = 56 + off_t((dice >> 8) % 5) * 8;  // header
        uint64_t word = Mix(dice);
        switch ((dice >> 40) % 5) {
          case 0:
            word %= 4096;
            break;
          case 1:  // flip one bit of the present word
            ASSERT_EQ(8, pread(mine, &word, 8, at));
            word ^= uint64_t{1} << (dice >> 16) % 64;
            break;
          case 2:  // copy the word of a neighbour
            ASSERT_EQ(8, pread(mine, &word, 8, at ^ 512));
            break;
          case 3:
            word = word << 32 | (dice >> 48);
            break;
          default:
            break;
        }
        ASSERT_EQ(8, pwrite(mine, &word, 8, at));
      }
      UseHostile(region, uint64_t(round));
      UseHostileServers(region, uint64_t(round) * 3 + step);
      if (HasFatalFailure()) break;
    }
    snceRegion_Close(region);
    close(mine);
    if (HasFatalFailure()) FAIL() << "round " << round;
  }
}

TEST_F(SnceHostile, WordsScribbledWhileAttachedAreHarmless) {
  // Changes the pages that have memory, between operations.
  const int rounds = kSanitized ? 40 : 200;
  for (int round = 0; round < rounds; ++round) {
    const int copy = CopyOf(region_.fd());
    const int mine = dup(copy);
    snceRegion* region = nullptr;
    ASSERT_EQ(SNCE_OK, snceRegion_Attach(&region, copy, SNCE_ACCESS_ADMIN));
    const off_t size = lseek(mine, 0, SEEK_END);
    for (uint64_t step = 0; step < 4; ++step) {
      off_t at = 0;
      for (uint64_t page = 0; at < size; ++page) {
        at = lseek(mine, at, SEEK_DATA);
        if (at < 0) break;
        for (uint64_t change = 0; change < 8; ++change) {
          const uint64_t mixed =
              Mix(((uint64_t(round) * 4 + step) << 32) + page * 8 + change);
          const uint64_t word = mixed & 1 ? Mix(mixed) : Mix(mixed) % 1024;
          ASSERT_EQ(8,
                    pwrite(mine, &word, 8, at + off_t(mixed >> 8) % 512 * 8));
        }
        at = (at & ~off_t{4095}) + 4096;
      }
      UseHostile(region, uint64_t(round));
      if (HasFatalFailure()) break;
    }
    const snceCacheOptions options = Options(512);
    snceCache_Configure(snceRegion_DefaultCache(region), &options);
    UseHostileServers(region, uint64_t(round));
    snceRegion_Close(region);
    close(mine);
    if (HasFatalFailure()) FAIL() << "round " << round;
  }
}

TEST_F(SnceHostile, EveryByteOfASessionIsProtected) {
  // Finds by its state where a session lies, and flips each bit around it. A
  // lookup must then return the session whole or not at all.
  const Session session(5, 0, kEverything);
  const int copy = CopyOf(region_.fd());
  const int mine = dup(copy);
  snceRegion* attached = nullptr;
  ASSERT_EQ(SNCE_OK, snceRegion_Attach(&attached, copy, SNCE_ACCESS_READ));
  Region region(attached);
  off_t where = -1;
  std::vector<uint8_t> page(8192);
  for (off_t at = 0; where < 0;) {
    at = lseek(mine, at, SEEK_DATA);
    if (at < 0) break;
    at &= ~off_t{4095};
    const ssize_t got = pread(mine, page.data(), page.size(), at);
    if (got > 0) {
      const void* hit =
          memmem(page.data(), size_t(got), session.get()->state + 17, 48);
      if (hit) where = at + (static_cast<const uint8_t*>(hit) - page.data());
    }
    at += 4096;
  }
  ASSERT_GE(where, 0) << "this test expects states to be stored as they are";
  Answer answer;
  int misses = 0;
  for (off_t at = std::max<off_t>(0, where - 160); at < where + 192; ++at) {
    uint8_t byte;
    ASSERT_EQ(1, pread(mine, &byte, 1, at));
    for (int bit = 0; bit < 8; ++bit) {
      const uint8_t other = byte ^ uint8_t(1 << bit);
      ASSERT_EQ(1, pwrite(mine, &other, 1, at));
      const snceResult result =
          answer.Lookup(region.cache(), session.Key(), At(kStart));
      if (result == SNCE_OK) {
        EXPECT_EQ("", answer.Differs(session)) << at - where;
      } else {
        ++misses;
      }
    }
    ASSERT_EQ(1, pwrite(mine, &byte, 1, at));
  }
  EXPECT_GE(misses, SNCE_STATE_BYTES * 8);
  EXPECT_EQ(SNCE_OK, answer.Lookup(region.cache(), session.Key(), At(kStart)));
  close(mine);
}

// ---- inheritance strings ---------------------------------------------------

class SnceInherit : public ::testing::Test {
 protected:
  SnceInherit() {
    char string[SNCE_STRING_MAX];
    EXPECT_EQ(SNCE_OK,
              snceRegion_Export(region_.get(), string, sizeof(string)));
    string_ = string;
  }
  // Returns the result of inheriting |string|. An inherited region stays open
  // until the program ends, because its descriptor is region_'s.
  snceResult Inherit(const std::string& string) {
    snceRegion* region = nullptr;
    const snceResult result = snceRegion_Inherit(&region, string.c_str());
    EXPECT_EQ(result == SNCE_OK, region != nullptr);
    EXPECT_NE(-1, fcntl(0, F_GETFD));
    return result;
  }
  void ExpectRefused(const std::string& string) {
    const snceResult result = Inherit(string);
    EXPECT_TRUE(result == SNCE_BAD_STRING || result == SNCE_BAD_DESCRIPTOR ||
                result == SNCE_FOREIGN)
        << string << ": " << snceResult_Text(result);
  }

  Region region_{1000, /*inheritable=*/true};
  std::string string_;
};

TEST_F(SnceInherit, TheStringIsPlainAscii) {
  EXPECT_LT(string_.size(), size_t{SNCE_STRING_MAX});
  for (char byte : string_) {
    EXPECT_GT(byte, ' ');
    EXPECT_LT(byte, 0x7f);
    EXPECT_NE('=', byte);
  }
}

TEST_F(SnceInherit, TheStringIsExportedWholeOrNotAtAll) {
  const size_t needed = string_.size() + 1;
  for (size_t len = 0; len < needed; ++len) {
    std::vector<char> buf(needed + 1, 'x');
    EXPECT_EQ(SNCE_TOO_LARGE, snceRegion_Export(region_.get(), buf.data(), len))
        << len;
    for (size_t at = len; at < buf.size(); ++at) ASSERT_EQ('x', buf[at]);
  }
  std::vector<char> buf(needed + 1, 'x');
  EXPECT_EQ(SNCE_OK, snceRegion_Export(region_.get(), buf.data(), needed));
  EXPECT_EQ(string_, buf.data());
  EXPECT_EQ('x', buf[needed]);
}

TEST_F(SnceInherit, ARegionNotMadeForItIsNotExported) {
  Region region(1000, /*inheritable=*/false);
  char string[SNCE_STRING_MAX];
  EXPECT_EQ(SNCE_BAD_DESCRIPTOR,
            snceRegion_Export(region.get(), string, sizeof(string)));
}

TEST_F(SnceInherit, TwoRegionsHaveTwoStrings) {
  const int fd = dup(region_.fd());
  const std::string first = string_;
  region_.Close();
  close(fd);
  Region second(1000, /*inheritable=*/true);
  char string[SNCE_STRING_MAX];
  ASSERT_EQ(SNCE_OK, snceRegion_Export(second.get(), string, sizeof(string)));
  EXPECT_NE(first, string);
}

TEST_F(SnceInherit, AnExportedRegionCanBeInherited) {
  Session(1, 1, kEverything).Insert(region_.cache(), At(kStart));
  snceRegion* inherited = nullptr;
  ASSERT_EQ(SNCE_OK, snceRegion_Inherit(&inherited, string_.c_str()));
  EXPECT_EQ(SNCE_OK, Find(snceRegion_DefaultCache(inherited),
                          Session(1, 1, kEverything), At(kStart)));
  // Both handles own the same descriptor: the second close finds it closed.
  snceRegion_Close(inherited);
}

// A child of posix_spawn, for example, may have the descriptor without having
// inherited the region yet.
TEST_F(SnceInherit, AnExportedRegionKeepsItsSessionsForWhoHasTheDescriptor) {
  Session(1, 1, kEverything).Insert(region_.cache(), At(kStart));
  const int fd = dup(region_.fd());
  region_.Close();
  snceRegion* attached = nullptr;
  ASSERT_EQ(SNCE_OK, snceRegion_Attach(&attached, fd, SNCE_ACCESS_WORK));
  EXPECT_EQ(SNCE_OK, Find(snceRegion_DefaultCache(attached),
                          Session(1, 1, kEverything), At(kStart)));
  snceRegion_Close(attached);
}

TEST_F(SnceInherit, ARegionThatWasNotExportedIsDroppedByItsOnlyProcess) {
  Region region(1000, /*inheritable=*/true);
  const int fd = dup(region.fd());
  region.Close();
  EXPECT_EQ(0u, DataBytes(fd));
  close(fd);
}

TEST_F(SnceInherit, ARegionKnowsItsStringByAnyDescriptor) {
  const size_t mappings = MappingsOf(region_.fd()).size();
  const int descriptors = OpenDescriptors();
  const int other = dup(region_.fd());
  const size_t from = string_.find(':') + 1;
  const std::string rest = string_.substr(string_.find(':', from));
  const std::string by_other = "snce2:" + std::to_string(other) + rest;
  Region another(1000, /*inheritable=*/true);
  char anothers[SNCE_STRING_MAX];
  ASSERT_EQ(SNCE_OK,
            snceRegion_Export(another.get(), anothers, sizeof(anothers)));
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(SNCE_OK, snceRegion_IsNamed(region_.get(), string_.c_str()));
    ASSERT_EQ(SNCE_OK, snceRegion_IsNamed(region_.get(), by_other.c_str()));
    ASSERT_EQ(SNCE_MISS, snceRegion_IsNamed(region_.get(), anothers));
    ASSERT_EQ(SNCE_OK, snceRegion_CheckString(by_other.c_str()));
    ASSERT_EQ(SNCE_OK, snceRegion_CheckString(anothers));
  }
  // The right name, but the descriptor is that of another file, or closed.
  for (int fd : {0, another.fd(), 999999})
    EXPECT_EQ(SNCE_MISS, snceRegion_IsNamed(
                             region_.get(),
                             ("snce2:" + std::to_string(fd) + rest).c_str()))
        << fd;
  for (const std::string& bad : {std::string(), string_ + "0", by_other + " "})
    EXPECT_EQ(SNCE_BAD_STRING, snceRegion_IsNamed(region_.get(), bad.c_str()));
  EXPECT_EQ(SNCE_BAD_STRING, snceRegion_IsNamed(region_.get(), nullptr));
  another.Close();
  EXPECT_EQ(0, close(other));
  EXPECT_EQ(SNCE_MISS, snceRegion_IsNamed(region_.get(), by_other.c_str()));
  EXPECT_EQ(SNCE_BAD_DESCRIPTOR, snceRegion_CheckString(by_other.c_str()));
  EXPECT_EQ(mappings, MappingsOf(region_.fd()).size());
  EXPECT_EQ(descriptors, OpenDescriptors());
}

TEST_F(SnceInherit, AStringTellsHowLargeItsRegionIs) {
  EXPECT_EQ(snceRegion_Bytes(region_.get()),
            snceRegion_StringBytes(string_.c_str()));
  for (size_t len = 0; len < string_.size(); ++len)
    EXPECT_EQ(0u, snceRegion_StringBytes(string_.substr(0, len).c_str()));
  EXPECT_EQ(0u, snceRegion_StringBytes((string_ + "0").c_str()));
  EXPECT_EQ(0u, snceRegion_StringBytes(nullptr));
}

TEST_F(SnceInherit, StringsCutOffAnywhereAreRefused) {
  for (size_t len = 0; len < string_.size(); ++len)
    EXPECT_EQ(SNCE_BAD_STRING, Inherit(string_.substr(0, len))) << len;
  for (size_t len = 1; len < string_.size(); ++len)
    ExpectRefused(string_.substr(len));
}

TEST_F(SnceInherit, StringsWithAnythingAddedAreRefused) {
  for (size_t at = 0; at <= string_.size(); ++at) {
    for (char added : {'0', '1', ' ', '+', '-', ':', ',', 'x', 'a', '\n', '\t',
                       '\x80', '\xff'}) {
      std::string changed = string_;
      changed.insert(at, 1, added);
      ExpectRefused(changed);
    }
  }
}

TEST_F(SnceInherit, StringsWithAnythingChangedAreRefused) {
  for (size_t at = 0; at < string_.size(); ++at) {
    for (int other = 1; other < 256; ++other) {
      std::string changed = string_;
      if (changed[at] == static_cast<char>(other)) continue;
      changed[at] = static_cast<char>(other);
      ExpectRefused(changed);
    }
  }
}

TEST_F(SnceInherit, StringsOfNoSenseAreRefused) {
  snceRegion* region = nullptr;
  EXPECT_EQ(SNCE_BAD_STRING, snceRegion_Inherit(&region, nullptr));
  EXPECT_EQ(nullptr, region);
  for (const std::string& string :
       {std::string(), std::string(" "), std::string("0"), std::string("%s%n"),
        std::string("-1,-1,-1"), std::string("99999999999999999999999999"),
        std::string(SNCE_STRING_MAX - 1, '9'),
        std::string(SNCE_STRING_MAX, '1'), std::string(100000, 'a'),
        std::string(100000, '0'), std::string(10, '\n'), string_ + string_,
        string_ + std::string(1000, ' ')})
    EXPECT_EQ(SNCE_BAD_STRING, Inherit(string));
}

TEST_F(SnceInherit, ADescriptorThatIsClosedIsRefused) {
  close(region_.fd());
  EXPECT_EQ(SNCE_BAD_DESCRIPTOR, Inherit(string_));
}

TEST_F(SnceInherit, ADescriptorOfAnythingElseIsRefused) {
  const int fd = region_.fd();
  for (const char* path : {"/dev/null", "/proc/self/exe", "/tmp"}) {
    const int other = open(path, O_RDONLY);
    ASSERT_GE(dup2(other, fd), 0);
    close(other);
    EXPECT_EQ(SNCE_BAD_DESCRIPTOR, Inherit(string_)) << path;
    EXPECT_NE(-1, fcntl(fd, F_GETFD)) << "a refused descriptor was taken";
  }
  close(fd);
}

TEST_F(SnceInherit, AnotherMemoryFileIsRefused) {
  const int fd = region_.fd();
  const off_t size = lseek(fd, 0, SEEK_END);
  const int seals = fcntl(fd, F_GET_SEALS);
  for (bool sealed : {false, true}) {
    const int other = MemoryFile();
    ASSERT_EQ(0, ftruncate(other, size));
    if (sealed) {
      ASSERT_EQ(0, fcntl(other, F_ADD_SEALS, seals));
    }
    ASSERT_GE(dup2(other, fd), 0);
    close(other);
    ExpectRefused(string_);
    EXPECT_NE(-1, fcntl(fd, F_GETFD));
  }
  close(fd);
}

TEST_F(SnceInherit, AnUnsealedCopyIsRefused) {
  const int fd = region_.fd();
  const int copy = CopyOf(fd, /*sealed=*/false);
  ASSERT_GE(dup2(copy, fd), 0);
  close(copy);
  EXPECT_NE(SNCE_OK, Inherit(string_));
  close(fd);
}

TEST_F(SnceInherit, AnotherRegionIsForeign) {
  Region other(1000, /*inheritable=*/true);
  ASSERT_GE(dup2(other.fd(), region_.fd()), 0);
  EXPECT_EQ(SNCE_FOREIGN, Inherit(string_));
}

}  // namespace
}  // namespace snce_test
