/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// memory_lock_test.cc: a region whose memory is locked, so that it is not
// swapped out.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "sslsnce/snce.h"
#include "test_build.h"
#include "test_child.h"
#include "test_clock.h"
#include "test_region.h"
#include "test_secret.h"
#include "test_server.h"
#include "test_session.h"

namespace {
// A pretended RLIMIT_MEMLOCK: the real one does not bind a process with
// CAP_IPC_LOCK, and a process without it cannot raise it.
uint64_t pretended_limit = UINT64_MAX;
}  // namespace

// Replaces the C library's mlock2 in the whole program.
extern "C" int mlock2(const void* address, size_t bytes,
                      unsigned flags) noexcept {
  if (bytes > pretended_limit) {
    errno = ENOMEM;
    return -1;
  }
  return static_cast<int>(syscall(SYS_mlock2, address, bytes, flags));
}

namespace snce_test {
namespace {

constexpr unsigned kNobody = 65534;

snceCacheOptions Locked(uint64_t entries) {
  snceCacheOptions options = Options(entries);
  options.lock = true;
  return options;
}

// A field of /proc/self/status, in bytes.
uint64_t StatusBytes(const std::string& name) {
  std::ifstream status("/proc/self/status");
  std::string line;
  unsigned long long kib = 0;
  while (std::getline(status, line))
    if (line.compare(0, name.size() + 1, name + ":") == 0)
      sscanf(line.c_str() + name.size() + 1, "%llu", &kib);
  return kib * 1024;
}

bool KernelSaysLocked(int fd) {
  const std::vector<Mapping> mappings = MappingsOf(fd);
  for (const Mapping& mapping : mappings)
    if (mapping.flags.find(" lo ") == std::string::npos) return false;
  return !mappings.empty();
}

uint64_t MappedBytes(int fd) {
  uint64_t bytes = 0;
  for (const Mapping& mapping : MappingsOf(fd))
    bytes += mapping.end - mapping.start;
  return bytes;
}

// Makes this process that of another user, who may lock |bytes|. For children
// only.
bool BecomeNobody(uint64_t bytes) {
  const struct rlimit limit = {rlim_t(bytes), rlim_t(bytes)};
  return setrlimit(RLIMIT_MEMLOCK, &limit) == 0 &&
         (geteuid() != 0 || setuid(kNobody) == 0);
}

class SnceMemoryLock : public ::testing::Test {
 protected:
  void SetUp() override {
    snceRegion* made = nullptr;
    const snceCacheOptions options = Locked(10);
    const snceResult result = snceRegion_Create(&made, &options, false);
    snceRegion_Close(made);
    if (result == SNCE_LOCK_LIMIT)
      GTEST_SKIP() << "this process may not lock enough memory";
    ASSERT_EQ(SNCE_OK, result);
  }
  void TearDown() override { pretended_limit = UINT64_MAX; }

  Watchdog watchdog_{60};
  const snceTime now_ = At(kStart);
};

TEST_F(SnceMemoryLock, IsNotThereUnlessItIsAskedFor) {
  const uint64_t before = StatusBytes("VmLck");
  Region region(1000);
  EXPECT_FALSE(snceRegion_IsLocked(region.get()));
  EXPECT_FALSE(KernelSaysLocked(region.fd()));
  EXPECT_EQ(before, StatusBytes("VmLck"));
}

TEST_F(SnceMemoryLock, HoldsAllThatIsMappedAndTakesMemoryAsItIsUsed) {
  Region region(Locked(100000));
  EXPECT_TRUE(snceRegion_IsLocked(region.get()));
  EXPECT_TRUE(KernelSaysLocked(region.fd()));
  EXPECT_EQ(MappedBytes(region.fd()), StatusBytes("VmLck"));
  EXPECT_LT(DataBytes(region.fd()), uint64_t(1) << 20);
  snceCacheOptions options;
  ASSERT_EQ(SNCE_OK, snceCache_GetOptions(region.cache(), &options));
  EXPECT_TRUE(options.lock);
}

TEST_F(SnceMemoryLock, LetsTheCacheWorkGrowShrinkAndFlush) {
  Region region(Locked(200));
  snceCache cache = region.cache();
  const snceCacheOptions larger = Options(2000), smaller = Options(200);
  for (uint64_t serial = 0; serial < 100; ++serial)
    ASSERT_EQ(SNCE_OK, Session(serial, 0, kEverything).Insert(cache, now_));
  ASSERT_EQ(SNCE_OK, snceCache_Configure(cache, &larger));
  EXPECT_EQ(100u, CountFound(cache, 0, 100, now_, kEverything));
  ASSERT_EQ(SNCE_OK, snceCache_Configure(cache, &smaller));
  EXPECT_EQ(100u, CountFound(cache, 0, 100, now_, kEverything));
  Secrets secrets;
  for (uint64_t serial = 0; serial < 100; ++serial)
    secrets.AddState(*Session(serial, 0, kEverything).get());
  EXPECT_NE(0u, secrets.CountInFile(region.fd()));
  ASSERT_EQ(SNCE_OK, snceCache_Flush(cache));
  EXPECT_EQ(0u, secrets.CountInFile(region.fd()));
  snceCache server = AddServer(region.get(), "a.example", 100);
  ASSERT_EQ(SNCE_OK, Session(1).Insert(server, now_));
  EXPECT_EQ(SNCE_OK, snceServer_Remove(region.get(), snceCache_Id(server)));
  EXPECT_TRUE(KernelSaysLocked(region.fd()));
}

TEST_F(SnceMemoryLock, LetsTheLastProcessDropTheSecrets) {
  for (const bool closed_by_application : {false, true}) {
    Region region(Locked(200));
    Secrets secrets;
    const int fd = dup(region.fd());
    const Session session(1, 1);
    secrets.AddState(*session.get());
    ASSERT_EQ(SNCE_OK, session.Insert(region.cache(), now_));
    ASSERT_NE(0u, secrets.CountInFile(fd));
    if (closed_by_application) close(region.fd());
    region.Close();
    EXPECT_EQ(0u, secrets.CountInFile(fd));
    // Under a sanitizer munlock does nothing; then the core wipes the memory
    // and keeps it.
    if (!kSanitized) {
      EXPECT_EQ(0u, DataBytes(fd));
    }
    close(fd);
  }
}

TEST_F(SnceMemoryLock, IsTakenByWhoAttachesButAReader) {
  Region region(Locked(200));
  for (const snceAccess access :
       {SNCE_ACCESS_ADMIN, SNCE_ACCESS_WORK, SNCE_ACCESS_READ}) {
    Child child([&] {
      snceRegion* attached = nullptr;
      const uint64_t parents = StatusBytes("VmLck");
      EXPECT_EQ(SNCE_OK,
                snceRegion_Attach(&attached, dup(region.fd()), access));
      const bool locks = access != SNCE_ACCESS_READ;
      EXPECT_EQ(locks, snceRegion_IsLocked(attached));
      EXPECT_EQ(locks ? 2 * parents : parents, StatusBytes("VmLck"));
      return 0;
    });
    EXPECT_EQ(0, child.Wait(10000));
  }
}

TEST_F(SnceMemoryLock, IsTakenAnewInAFork) {
  Region region(Locked(200));
  Child child([&] {
    EXPECT_TRUE(snceRegion_IsLocked(region.get()));
    EXPECT_TRUE(KernelSaysLocked(region.fd()));
    EXPECT_EQ(SNCE_OK, Session(1).Insert(region.cache(), now_));
    return 0;
  });
  EXPECT_EQ(0, child.Wait(10000));
}

TEST_F(SnceMemoryLock, ThatAForkMayNotTakeIsDoneWithoutAndTold) {
  Child child([&] {
    Region region(Locked(200));
    EXPECT_TRUE(BecomeNobody(0));
    Child grandchild([&] {
      EXPECT_FALSE(snceRegion_IsLocked(region.get()));
      EXPECT_FALSE(KernelSaysLocked(region.fd()));
      EXPECT_EQ(SNCE_OK, Session(1).Insert(region.cache(), now_));
      return 0;
    });
    EXPECT_EQ(0, grandchild.Wait(10000));
    EXPECT_TRUE(KernelSaysLocked(region.fd()));
    EXPECT_EQ(SNCE_OK, Find(region.cache(), Session(1), now_));
    return 0;
  });
  EXPECT_EQ(0, child.Wait(20000));
}

TEST_F(SnceMemoryLock, LocksNoMoreThanItTakesAndIsToldWhereItGrowsTooLarge) {
  const snceCacheOptions options = Locked(1000);
  const uint64_t least = snceRegion_LeastBytes(&options);
  ASSERT_GT(least, 0u);
  const uint64_t before = StatusBytes("VmLck");
  Region region(options);
  EXPECT_LE(StatusBytes("VmLck") - before, least);
  ASSERT_EQ(SNCE_OK, Session(1).Insert(region.cache(), now_));
  // If a change does not fit the limit, it fails with an error and changes
  // nothing.
  pretended_limit = uint64_t(64) << 20;
  const snceCacheOptions huge = Options(10000000);
  EXPECT_EQ(SNCE_LOCK_LIMIT, snceCache_Configure(region.cache(), &huge));
  EXPECT_EQ(SNCE_OK, Find(region.cache(), Session(1), now_));
  EXPECT_TRUE(KernelSaysLocked(region.fd()));
}

TEST_F(SnceMemoryLock, ThatDoesNotFitTheLimitLeavesNothingHalfMade) {
  const snceCacheOptions options = Locked(1000);
  const int descriptors = OpenDescriptors();
  const uint64_t locked = StatusBytes("VmLck");
  snceRegion* region = nullptr;
  pretended_limit = 65536;
  EXPECT_EQ(SNCE_LOCK_LIMIT, snceRegion_Create(&region, &options, false));
  EXPECT_EQ(nullptr, region);
  EXPECT_EQ(descriptors, OpenDescriptors());
  EXPECT_EQ(locked, StatusBytes("VmLck"));
}

TEST(SnceMemoryLockLimit, IsNamedToAUserWhoMayNotLockSoMuch) {
  for (const uint64_t bytes : {uint64_t(0), uint64_t(65536)}) {
    Child child([bytes] {
      const snceCacheOptions options = Locked(1000);
      snceRegion* region = nullptr;
      EXPECT_TRUE(BecomeNobody(bytes));
      const int descriptors = OpenDescriptors();
      EXPECT_EQ(SNCE_LOCK_LIMIT, snceRegion_Create(&region, &options, false));
      EXPECT_EQ(nullptr, region);
      EXPECT_EQ(descriptors, OpenDescriptors());
      EXPECT_EQ(0u, StatusBytes("VmLck"));
      return 0;
    });
    EXPECT_EQ(0, child.Wait(10000));
  }
  EXPECT_NE(
      std::string::npos,
      std::string(snceResult_Text(SNCE_LOCK_LIMIT)).find("RLIMIT_MEMLOCK"));
}

TEST_F(SnceMemoryLock, KeepsOutWhoMayNotLock) {
  Region region(Locked(200));
  Child child([&] {
    snceRegion* attached = nullptr;
    const int fd = dup(region.fd());
    EXPECT_TRUE(BecomeNobody(65536));
    EXPECT_EQ(SNCE_LOCK_LIMIT,
              snceRegion_Attach(&attached, fd, SNCE_ACCESS_WORK));
    EXPECT_EQ(nullptr, attached);
    EXPECT_NE(-1, fcntl(fd, F_GETFD)) << "it is still the caller's";
    EXPECT_EQ(SNCE_OK, snceRegion_Attach(&attached, fd, SNCE_ACCESS_READ));
    return 0;
  });
  EXPECT_EQ(0, child.Wait(10000));
}

}  // namespace
}  // namespace snce_test
