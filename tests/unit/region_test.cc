/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// The region as the kernel sees it: sealed, not in core dumps, wiped and gone
// at the end.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "gtest/gtest.h"
#include "sslsnce/snce.h"
#include "test_clock.h"
#include "test_region.h"
#include "test_session.h"

namespace snce_test {
namespace {

TEST(SnceRegion, ClosingNullIsANoOp) { snceRegion_Close(nullptr); }

TEST(SnceRegion, IsSealedAgainstShrinkingAndMayGrow) {
  Region region(1000);
  const int seals = fcntl(region.fd(), F_GET_SEALS);
  ASSERT_NE(-1, seals);
  EXPECT_TRUE(seals & F_SEAL_SHRINK);
  EXPECT_FALSE(seals & F_SEAL_GROW);
  EXPECT_TRUE(seals & F_SEAL_SEAL);
  const off_t size = lseek(region.fd(), 0, SEEK_END);
  EXPECT_EQ(-1, ftruncate(region.fd(), 0));
  EXPECT_EQ(EPERM, errno);
  EXPECT_EQ(0, ftruncate(region.fd(), size + 65536));
  EXPECT_EQ(uint64_t(size) + 65536, snceRegion_Bytes(region.get()));
}

TEST(SnceRegion, IsAMemoryFileOfWhichLittleIsMappedAndNothingDumped) {
  Region region(1000);
  const std::vector<Mapping> mappings = MappingsOf(region.fd());
  ASSERT_FALSE(mappings.empty());
  uint64_t bytes = 0;
  for (const Mapping& mapping : mappings) {
    EXPECT_EQ("rw-s", mapping.permissions);
    EXPECT_NE(std::string::npos, mapping.flags.find(" dd ")) << mapping.flags;
    bytes += mapping.end - mapping.start;
  }
  // The first chunk, the chunk of the keys, and those of a small table and its
  // store.
  EXPECT_LE(bytes, 4u << 21);
  EXPECT_LE(snceRegion_Bytes(region.get()), 24u << 20);
}

TEST(SnceRegion, IsNotMappedAnyMoreAfterClose) {
  Region region(1000);
  const ino_t inode = InodeOf(region.fd());
  const int fd = region.fd();
  ASSERT_FALSE(MappingsOfInode(inode).empty());
  region.Close();
  EXPECT_TRUE(MappingsOfInode(inode).empty());
  EXPECT_EQ(-1, fcntl(fd, F_GETFD));
}

TEST(SnceRegion, TakesOneDescriptorThatExecCloses) {
  const int before = OpenDescriptors();
  Region region(1000);
  EXPECT_EQ(before + 1, OpenDescriptors());
  EXPECT_EQ(FD_CLOEXEC, fcntl(region.fd(), F_GETFD));
}

TEST(SnceRegion, AnInheritableDescriptorSurvivesExec) {
  Region region(1000, /*inheritable=*/true);
  EXPECT_EQ(0, fcntl(region.fd(), F_GETFD));
}

TEST(SnceRegion, ManyCanBeMadeAndClosed) {
  const int before = OpenDescriptors();
  for (int round = 0; round < 200; ++round) {
    Region region(100000);
    const Session session(1, 1, kEverything);
    ASSERT_EQ(SNCE_OK, session.Insert(region.cache(), At(kStart)));
    ASSERT_EQ(SNCE_OK, Find(region.cache(), session, At(kStart)));
  }
  EXPECT_EQ(before, OpenDescriptors());
}

TEST(SnceRegion, TwoDoNotShareSessions) {
  Region one(1000), two(1000);
  ASSERT_EQ(SNCE_OK, Session(1).Insert(one.cache(), At(kStart)));
  EXPECT_EQ(SNCE_MISS, Find(two.cache(), Session(1), At(kStart)));
  EXPECT_EQ(SNCE_OK, Find(one.cache(), Session(1), At(kStart)));
}

TEST(SnceRegion, WithoutDescriptorsLeftSaysSo) {
  struct rlimit old;
  ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &old));
  const int next = dup(0);
  close(next);
  struct rlimit none = old;
  none.rlim_cur = static_cast<rlim_t>(next);
  ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &none));
  const snceCacheOptions options = Options(1000);
  snceRegion* region = nullptr;
  const snceResult result = snceRegion_Create(&region, &options, false);
  setrlimit(RLIMIT_NOFILE, &old);
  EXPECT_EQ(SNCE_NO_DESCRIPTOR, result);
  EXPECT_EQ(nullptr, region);
}

TEST(SnceRegion, WithoutAddressSpaceLeftSaysSo) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "a sanitizer's shadow takes the address space";
#endif
  struct rlimit old;
  ASSERT_EQ(0, getrlimit(RLIMIT_AS, &old));
  struct rlimit little = old;
  little.rlim_cur = 256u << 20;
  ASSERT_EQ(0, setrlimit(RLIMIT_AS, &little));
  const snceCacheOptions options = Options(SNCE_ENTRIES_MAX);
  snceRegion* region = nullptr;
  const int before = OpenDescriptors();
  const snceResult result = snceRegion_Create(&region, &options, false);
  setrlimit(RLIMIT_AS, &old);
  EXPECT_EQ(SNCE_NO_MEMORY, result);
  EXPECT_EQ(nullptr, region);
  EXPECT_EQ(before, OpenDescriptors());
}

TEST(SnceRegion, UnderALimitOnFilesIsMadeOrSaysSo) {
  struct rlimit old;
  ASSERT_EQ(0, getrlimit(RLIMIT_FSIZE, &old));
  struct rlimit little = old;
  little.rlim_cur = 4096;
  ASSERT_EQ(0, setrlimit(RLIMIT_FSIZE, &little));
  const snceCacheOptions options = Options(100000);
  snceRegion* made = nullptr;
  const snceResult result = snceRegion_Create(&made, &options, false);
  setrlimit(RLIMIT_FSIZE, &old);
  Region region(made);
  // Without the check, SIGXFSZ would have ended the program.
  EXPECT_TRUE(result == SNCE_OK || result == SNCE_LIMIT)
      << snceResult_Text(result);
  EXPECT_EQ(result == SNCE_OK, made != nullptr);
}

TEST(SnceRegion, ADescriptorThatTheApplicationClosedIsNotedAndLeftAlone) {
  Region region(1000, /*inheritable=*/true);
  const int fd = region.fd();
  ASSERT_EQ(SNCE_OK, Session(1).Insert(region.cache(), At(kStart)));
  ASSERT_EQ(0, close(fd));
  EXPECT_EQ(-1, region.fd());
  char string[SNCE_STRING_MAX];
  EXPECT_EQ(SNCE_BAD_DESCRIPTOR,
            snceRegion_Export(region.get(), string, sizeof(string)));
  // Lookups and inserts need no descriptor.
  EXPECT_EQ(SNCE_OK, Find(region.cache(), Session(1), At(kStart)));
  EXPECT_EQ(SNCE_OK, Session(2).Insert(region.cache(), At(kStart)));
  const snceCacheOptions options = Options(2000);
  EXPECT_EQ(SNCE_BAD_DESCRIPTOR, snceCache_Configure(region.cache(), &options));
  // Another file gets the descriptor's number.
  const int stranger = open("/dev/null", O_RDONLY);
  ASSERT_EQ(fd, stranger);
  EXPECT_EQ(-1, region.fd());
  EXPECT_EQ(SNCE_BAD_DESCRIPTOR,
            snceRegion_Export(region.get(), string, sizeof(string)));
  region.Close();
  EXPECT_EQ(0, close(stranger)) << "the stranger was closed";
}

// ---- secrets ---------------------------------------------------------------

class SnceSecret : public ::testing::Test {
 protected:
  // A session with 48 bytes of its state set to the secret, as a master secret
  // would be.
  Session Keeper(uint64_t serial, uint64_t variant = 0) {
    Session session(serial, variant);
    std::memcpy(session.get()->state + 20, secret_.data(), secret_.size());
    return session;
  }
  uint64_t Copies() { return CountInFile(fd_, secret_.data(), secret_.size()); }

  const std::vector<uint8_t> secret_ = Bytes(0x5ec7e7, 48);
  Region region_{1000};
  snceCache cache_ = region_.cache();
  // The test's own descriptor, which outlives the region's.
  const int fd_ = dup(region_.fd());
  snceTime now_ = At(kStart);

  ~SnceSecret() override { close(fd_); }
};

TEST_F(SnceSecret, IsFoundOnceWhileItsSessionLives) {
  // This test gives the zeros in the tests below their meaning. A core that
  // stores states in another form than it gets them needs another test.
  EXPECT_EQ(0u, Copies());
  ASSERT_EQ(SNCE_OK, Keeper(1).Insert(cache_, now_));
  EXPECT_EQ(1u, Copies());
  EXPECT_EQ(SNCE_OK, Find(cache_, Keeper(1), now_));
  EXPECT_EQ(1u, Copies());
}

TEST_F(SnceSecret, IsWipedWhenRemoved) {
  const Session keeper = Keeper(1);
  const snceKey key = keeper.Key();
  ASSERT_EQ(SNCE_OK, keeper.Insert(cache_, now_));
  ASSERT_EQ(SNCE_OK, snceCache_Remove(cache_, &key));
  EXPECT_EQ(0u, Copies());
}

TEST_F(SnceSecret, IsWipedWhenMetExpired) {
  ASSERT_EQ(SNCE_OK, Keeper(1).Class(SNCE_CLASS_SSL2).Insert(cache_, now_));
  ASSERT_EQ(SNCE_MISS, Find(cache_, Keeper(1), now_ + 100 * kSecond));
  EXPECT_EQ(0u, Copies());
}

TEST_F(SnceSecret, IsWipedWhenReplacedByItsOwnId) {
  ASSERT_EQ(SNCE_OK, Keeper(1).Insert(cache_, now_));
  ASSERT_EQ(SNCE_OK, Session(1, 1).Insert(cache_, now_));
  EXPECT_EQ(0u, Copies());
}

TEST_F(SnceSecret, IsWipedWhenEvicted) {
  for (uint64_t serial = 0; serial < 100; ++serial)
    ASSERT_EQ(SNCE_OK, Keeper(serial).Insert(cache_, now_));
  ASSERT_EQ(100u, Copies());
  const snceTime later = now_ + 10 * kSecond;
  for (uint64_t serial = 1000; serial < 3000; ++serial)
    ASSERT_EQ(SNCE_OK, Session(serial).Created(later).Insert(cache_, later));
  uint64_t kept = 0;
  for (uint64_t serial = 0; serial < 100; ++serial)
    kept += Find(cache_, Keeper(serial), now_) == SNCE_OK;
  EXPECT_LT(kept, 100u);
  EXPECT_EQ(kept, Copies());
}

TEST_F(SnceSecret, IsWipedWhenARefusedInsertLeavesIt) {
  Session keeper = Keeper(1);
  keeper.Certificate(Bytes(1, SNCE_CERTIFICATE_MAX + 1));
  ASSERT_EQ(SNCE_TOO_LARGE, keeper.Insert(cache_, now_));
  EXPECT_EQ(0u, Copies());
}

TEST_F(SnceSecret, IsWipedFromTheOldPlaceWhenTheCacheGrows) {
  for (uint64_t serial = 0; serial < 100; ++serial)
    ASSERT_EQ(SNCE_OK, Keeper(serial).Insert(cache_, now_));
  const snceCacheOptions options = Options(10000);
  ASSERT_EQ(SNCE_OK, snceCache_Configure(cache_, &options));
  EXPECT_EQ(100u, Copies());
  for (uint64_t serial = 0; serial < 100; ++serial) {
    const Session keeper = Keeper(serial);
    const snceKey key = keeper.Key();
    ASSERT_EQ(SNCE_OK, snceCache_Remove(cache_, &key));
  }
  EXPECT_EQ(0u, Copies());
}

TEST_F(SnceSecret, IsDroppedWhenTheOnlyProcessCloses) {
  uint8_t buffer[64];
  size_t len;
  const std::vector<uint8_t> name = Bytes(1, SNCE_KEY_NAME_BYTES);
  ASSERT_EQ(SNCE_OK, Keeper(1).Insert(cache_, now_));
  ASSERT_EQ(SNCE_OK,
            snceKeyLog_Put(region_.get(), name.data(), secret_.data(),
                           secret_.size(), buffer, sizeof(buffer), &len));
  ASSERT_EQ(2u, Copies());
  region_.Close();
  EXPECT_EQ(0u, Copies());
}

TEST_F(SnceSecret, AStoredAgainSessionDoesNotGetItsOldCertificate) {
  const std::vector<uint8_t> certificate = Bytes(7, 64);
  Session session = Session(1).Certificate(certificate);
  const snceKey key = session.Key();
  ASSERT_EQ(SNCE_OK, session.Insert(cache_, now_));
  ASSERT_EQ(1u, CountInFile(fd_, certificate.data(), certificate.size()));
  ASSERT_EQ(SNCE_OK, snceCache_Remove(cache_, &key));
  // The core promises no time at which it wipes a certificate; but no lookup
  // may find it again.
  Answer answer;
  ASSERT_EQ(SNCE_OK, Session(1).Insert(cache_, now_));
  ASSERT_EQ(SNCE_OK, answer.Lookup(cache_, key, now_));
  EXPECT_EQ(0u, answer.session().certificate.len);
}

}  // namespace
}  // namespace snce_test
