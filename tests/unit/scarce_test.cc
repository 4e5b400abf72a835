/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// A process has no descriptor, no address space or no heap left, or temporary
// files have no room. A call returns an error or does without, and nothing
// leaks. For no memory at all see processes/memory_test.cc.
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "sslsnce/snce.h"
#include "test_build.h"
#include "test_child.h"
#include "test_clock.h"
#include "test_region.h"
#include "test_server.h"
#include "test_session.h"

// Limits the core's calls of the allocator: only the next |left| succeed. A
// sanitizer brings its own allocator, which is not replaced.
namespace {
thread_local bool scarce = false;
thread_local int left = 0;
[[maybe_unused]] bool Refused() { return scarce && left-- <= 0; }
}  // namespace

#ifndef SNCE_TEST_SANITIZED
extern "C" {
void* __libc_malloc(size_t bytes);
void* __libc_calloc(size_t count, size_t bytes);
void* malloc(size_t bytes) {
  return Refused() ? nullptr : __libc_malloc(bytes);
}
void* calloc(size_t count, size_t bytes) {
  return Refused() ? nullptr : __libc_calloc(count, bytes);
}
}
#endif

namespace snce_test {
namespace {

constexpr int kPatience = 20000;

// While a NoDescriptors lives, this process gets no new descriptor.
class NoDescriptors {
 public:
  NoDescriptors() {
    getrlimit(RLIMIT_NOFILE, &old_);
    // A limit of 0 allows no new descriptor; open ones stay open.
    struct rlimit none = old_;
    none.rlim_cur = 0;
    setrlimit(RLIMIT_NOFILE, &none);
  }
  ~NoDescriptors() { setrlimit(RLIMIT_NOFILE, &old_); }

 private:
  struct rlimit old_;
};

// While a LittleSpace lives, this process gets at most |bytes| more of address
// space.
class LittleSpace {
 public:
  explicit LittleSpace(uint64_t bytes) {
    getrlimit(RLIMIT_AS, &old_);
    struct rlimit little = old_;
    little.rlim_cur = Taken() + bytes;
    setrlimit(RLIMIT_AS, &little);
  }
  ~LittleSpace() { setrlimit(RLIMIT_AS, &old_); }

 private:
  static uint64_t Taken() {
    unsigned long pages = 0;
    FILE* statm = fopen("/proc/self/statm", "r");
    if (statm != nullptr) {
      if (fscanf(statm, "%lu", &pages) != 1) pages = 0;
      fclose(statm);
    }
    return uint64_t{pages} * 4096;
  }
  struct rlimit old_;
};

// While a NoHeap lives, the next |after| allocations succeed and all others
// fail.
class NoHeap {
 public:
  explicit NoHeap(int after) {
    left = after;
    scarce = true;
  }
  ~NoHeap() { scarce = false; }
};

TEST(SnceScarce, WithoutDescriptorsAllButMakingARegionWorks) {
  Region region(1000, /*inheritable=*/true);
  const int second = dup(region.fd());
  const int before = OpenDescriptors();
  char string[SNCE_STRING_MAX];
  snceRegion* attached = nullptr;
  snceRegion* inherited = nullptr;
  snceRegion* made = nullptr;
  const snceCacheOptions options = Options(3000);
  snceServerId id = {0, 0, 0};
  snceResult results[8];
  {
    NoDescriptors none;
    ASSERT_EQ(-1, dup(0));
    results[0] = snceRegion_Create(&made, &options, false);
    results[1] = snceRegion_Attach(&attached, second, SNCE_ACCESS_ADMIN);
    results[2] = snceRegion_Export(region.get(), string, sizeof(string));
    results[3] = snceRegion_Inherit(&inherited, string);
    results[4] = Add(region.get(), "a.example", options, &id);
    results[5] = snceCache_Configure(region.cache(), &options);
    results[6] = snceCache_Flush(region.cache());
    results[7] = Session(1).Insert(region.cache(), At(kStart));
  }
  EXPECT_EQ(SNCE_NO_DESCRIPTOR, results[0]);
  EXPECT_EQ(nullptr, made);
  for (int i = 1; i < 8; ++i) EXPECT_EQ(SNCE_OK, results[i]) << i;
  EXPECT_EQ(before, OpenDescriptors());
  ASSERT_NE(nullptr, attached);
  EXPECT_EQ(SNCE_OK,
            Find(snceRegion_DefaultCache(attached), Session(1), At(kStart)));
  snceRegion_Close(attached);
  EXPECT_EQ(before - 1, OpenDescriptors());
  // |inherited| owns the same descriptor as |region|, as in a process that
  // inherits its own region.
  EXPECT_EQ(SNCE_OK, Find(region.cache(), Session(1), At(kStart)));
  snceRegion_Close(inherited);
}

TEST(SnceScarce, AttachingWithoutAddressSpaceSaysSoAndKeepsNothing) {
  if (kSanitized) GTEST_SKIP() << "a sanitizer's shadow takes the space";
  Region region(1000, /*inheritable=*/true);
  char string[SNCE_STRING_MAX];
  ASSERT_EQ(SNCE_OK, snceRegion_Export(region.get(), string, sizeof(string)));
  const int second = dup(region.fd());
  const size_t mapped = MappingsOf(second).size();
  const int before = OpenDescriptors();
  snceRegion* attached = nullptr;
  snceResult results[2];
  {
    LittleSpace little(2 << 20);
    results[0] = snceRegion_Attach(&attached, second, SNCE_ACCESS_WORK);
    results[1] = snceRegion_Inherit(&attached, string);
  }
  EXPECT_EQ(SNCE_NO_MEMORY, results[0]);
  EXPECT_EQ(SNCE_NO_MEMORY, results[1]);
  EXPECT_EQ(nullptr, attached);
  EXPECT_EQ(before, OpenDescriptors()) << "the descriptor is the caller's";
  EXPECT_EQ(mapped, MappingsOf(second).size());
  ASSERT_EQ(SNCE_OK, snceRegion_Attach(&attached, second, SNCE_ACCESS_WORK));
  snceRegion_Close(attached);
}

TEST(SnceScarce, ARegionInLittleAddressSpaceHoldsWhatItWasMadeFor) {
  if (kSanitized) GTEST_SKIP() << "a sanitizer's shadow takes the space";
  snceRegion* made = nullptr;
  snceResult result;
  const snceCacheOptions options = Options(10000);
  LittleSpace little(uint64_t{256} << 20);
  result = snceRegion_Create(&made, &options, false);
  ASSERT_EQ(SNCE_OK, result);
  Region region(made);
  for (uint64_t serial = 0; serial < 10000; ++serial)
    ASSERT_EQ(SNCE_OK, Session(serial).Insert(region.cache(), At(kStart)));
  EXPECT_GE(CountFound(region.cache(), 0, 10000, At(kStart)), 9950u);
  // Virtual servers fill the rest of the address space. An addition that finds
  // no room fails and changes nothing.
  snceServerId id = {0, 0, 0};
  int servers = 0;
  while (servers < 200 &&
         (result = Add(region.get(), "s" + std::to_string(servers), options,
                       &id)) == SNCE_OK)
    ++servers;
  EXPECT_EQ(SNCE_NO_MEMORY, result);
  EXPECT_GT(servers, 0);
  const snceCacheOptions larger = Options(1000000);
  EXPECT_EQ(SNCE_NO_MEMORY, snceCache_Configure(region.cache(), &larger));
  EXPECT_GE(CountFound(region.cache(), 0, 10000, At(kStart)), 9950u);
  EXPECT_EQ(size_t(servers) + 1, List(region.get()).size());
}

TEST(SnceScarce, WithoutHeapNoHandleIsMadeAndNothingKept) {
  if (kSanitized) GTEST_SKIP() << "a sanitizer has an allocator of its own";
  Region region(1000, /*inheritable=*/true);
  char string[SNCE_STRING_MAX];
  ASSERT_EQ(SNCE_OK, snceRegion_Export(region.get(), string, sizeof(string)));
  const int before = OpenDescriptors();
  const size_t mapped = MappingsOf(region.fd()).size();
  const snceCacheOptions options = Options(1000);
  snceRegion* handle = nullptr;
  snceResult results[3];
  {
    NoHeap none(0);
    results[0] = snceRegion_Create(&handle, &options, false);
    results[1] = snceRegion_Attach(&handle, region.fd(), SNCE_ACCESS_WORK);
    results[2] = snceRegion_Inherit(&handle, string);
  }
  for (const snceResult result : results) EXPECT_EQ(SNCE_NO_MEMORY, result);
  EXPECT_EQ(nullptr, handle);
  EXPECT_EQ(before, OpenDescriptors());
  EXPECT_EQ(mapped, MappingsOf(region.fd()).size());
}

// How many of the first |count| sessions are found, with every field right.
uint64_t CountWhole(snceCache cache, uint64_t count) {
  Answer answer;
  uint64_t found = 0;
  for (uint64_t serial = 0; serial < count; ++serial)
    found +=
        answer.Lookup(cache, Session(serial).Key(), At(kStart)) == SNCE_OK &&
        answer.Mixed().empty() && answer.variant() == serial;
  return found;
}

// The few allocations of a change fail, one in each round.
TEST(SnceScarce, WithoutHeapAChangeIsRefusedOrEndedByTheNext) {
  if (kSanitized) GTEST_SKIP() << "a sanitizer has an allocator of its own";
  int refused = 0;
  for (int after = 0; after < 4; ++after) {
    Region region(1000);
    const snceCache cache = region.cache();
    for (uint64_t serial = 0; serial < 400; ++serial)
      ASSERT_EQ(
          SNCE_OK,
          Session(serial, serial, kCertificate).Insert(cache, At(kStart)));
    snceCacheOptions smaller = Options(300);
    smaller.certificates = 2000;
    snceResult result;
    {
      NoHeap none(after);
      result = snceCache_Configure(cache, &smaller);
    }
    ASSERT_TRUE(result == SNCE_OK || result == SNCE_NO_MEMORY);
    refused += result == SNCE_NO_MEMORY;
    // Whether the change failed or not, the cache works and lost nothing.
    EXPECT_GE(CountWhole(cache, 400), result == SNCE_OK ? 298u : 400u) << after;
    ASSERT_EQ(SNCE_OK, Session(1000).Insert(cache, At(kStart)));
    // A change of another server ends the unfinished one.
    snceServerId id;
    ASSERT_EQ(SNCE_OK, Add(region.get(), "a.example", Options(10), &id));
    EXPECT_GE(CountWhole(cache, 400), 297u) << after;
    EXPECT_LT(region.Figures().slots, 1000u);
    EXPECT_EQ(SNCE_OK, Find(cache, Session(1000), At(kStart)));
  }
  EXPECT_EQ(2, refused) << "a certificate's buffer, and the cut's counts";
}

// Memory files are in no directory, so no file system's limit applies to them.
TEST(SnceScarce, FullTemporaryDirectoriesChangeNothing) {
  Child child([] {
    // Mount in a namespace of this process alone.
    if (unshare(CLONE_NEWNS) != 0 ||
        mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
      return 77;
    for (const char* directory : {"/tmp", "/dev/shm", "/var/tmp", "/run"}) {
      if (mount("full", directory, "tmpfs", 0, "size=4k") != 0) return 77;
      const int fd = open((std::string(directory) + "/all").c_str(),
                          O_WRONLY | O_CREAT, 0600);
      std::vector<char> page(4096);
      EXPECT_EQ(4096, write(fd, page.data(), page.size()));
      EXPECT_EQ(-1, write(fd, page.data(), page.size()));
      EXPECT_EQ(ENOSPC, errno);
      close(fd);
    }
    Region region(10000);
    for (uint64_t serial = 0; serial < 10000; ++serial)
      EXPECT_EQ(SNCE_OK, Session(serial).Insert(region.cache(), At(kStart)));
    EXPECT_GE(CountFound(region.cache(), 0, 10000, At(kStart)), 9950u);
    const snceCacheOptions larger = Options(20000);
    EXPECT_EQ(SNCE_OK, snceCache_Configure(region.cache(), &larger));
    AddServer(region.get(), "a.example", 1000);
    return 0;
  });
  const int status = child.Wait(kPatience);
  if (status == 77) GTEST_SKIP() << "no mount namespaces here";
  EXPECT_EQ(0, status);
}

// An administrator who sets a limit on memory must know how much a cache can
// take.
TEST(SnceScarce, HoweverLongItIsUsedACacheTakesNoMoreThanItsTable) {
  Region region(20000);
  const uint64_t start = snceRegion_ResidentBytes(region.get());
  for (uint64_t serial = 0; serial < 300000; ++serial) {
    const snceTime now = At(kStart + int64_t(serial) * 1000);
    ASSERT_EQ(SNCE_OK,
              Session(serial).Created(now).Insert(region.cache(), now));
    if (serial % 8 == 0) Find(region.cache(), Session(Mix(serial)), now);
  }
  const uint64_t resident = snceRegion_ResidentBytes(region.get());
  printf("20,000 sessions take %.1f bytes each and %d KiB beside\n",
         double(resident - start) / 20000, int(start >> 10));
  EXPECT_LE(resident - start, 20000u * 240);
}

}  // namespace
}  // namespace snce_test
