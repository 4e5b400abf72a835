/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// scarce_test.cc: a process that has no descriptor or no address space left,
// and a child that was forked while other threads were in the cache.

#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "prerror.h"
#include "secerr.h"
#include "sslerr.h"
#include "sslsnce/sslsnce.h"
#include "test_build.h"
#include "test_nss.h"

namespace nss_test {
namespace {

constexpr PRTime kStart = 1700000000 * PR_USEC_PER_SEC;

void Put(uint32_t n) {
  LoneSocket server(true);
  ShimFields f = SampleFields(n, kStart);
  Sid sid(ShimNewSid(&f, nullptr));
  ShimCache(server.fd(), sid.get());
}

bool Has(uint32_t n) {
  ShimFields f = SampleFields(n, kStart);
  return Sid(ShimLookupDefault(kStart, f.address, f.id, f.idLen)) != nullptr;
}

// For a child that was forked while other threads had sids in their hands: NSS
// frees one under a lock of its own, which may have been taken then.
bool HasAndLeaks(uint32_t n) {
  ShimFields f = SampleFields(n, kStart);
  return ShimLookupDefault(kStart, f.address, f.id, f.idLen) != nullptr;
}

void Limit(int what, rlim_t value) {
  rlimit limit = {value, value};
  ASSERT_EQ(0, setrlimit(static_cast<__rlimit_resource>(what), &limit));
}

class ScarceTest : public NssTest {};

// A process that has the string needs none of its own.
STAGE(InheritWithoutDescriptors) {
  StartNss();
  Limit(RLIMIT_NOFILE, 0);
  STAGE_CHECK(dup(0) == -1);
  STAGE_CHECK(SSL_InheritMPServerSIDCache(nullptr) == SECSuccess);
  STAGE_CHECK(SSL_AddServerCache("a.example", nullptr) == SECSuccess);
  STAGE_CHECK(SSL_ConfigMPServerSIDCache(500, 0, 0, nullptr) == SECSuccess);
  STAGE_CHECK(SSL_RemoveServerCache("a.example") == SECSuccess);
  STAGE_CHECK(Has(1));
  STAGE_CHECK(SSL_ShutdownServerSessionIDCache() == SECSuccess);
  return 0;
}

TEST_F(ScarceTest, InheritNeedsNoDescriptorOfItsOwn) {
  ASSERT_EQ(SECSuccess, SSL_ConfigMPServerSIDCache(100, 0, 0, nullptr));
  Put(1);
  EXPECT_EQ(0, InExec("InheritWithoutDescriptors", {}));
  EXPECT_TRUE(Has(1));
}

// What this process takes of its address space.
rlim_t SpaceTaken() {
  unsigned long pages = 0;
  FILE* statm = fopen("/proc/self/statm", "r");
  if (statm != nullptr) {
    if (fscanf(statm, "%lu", &pages) != 1) pages = 0;
    fclose(statm);
  }
  return rlim_t{pages} * rlim_t(sysconf(_SC_PAGESIZE));
}

STAGE(InheritWithoutSpace) {
  struct rlimit before;
  STAGE_CHECK(getrlimit(RLIMIT_AS, &before) == 0);
  STAGE_CHECK(SSL_InheritMPServerSIDCache("nonsense") == SECFailure);
  struct rlimit little = before;
  little.rlim_cur = SpaceTaken() + (2u << 20);
  STAGE_CHECK(setrlimit(RLIMIT_AS, &little) == 0);
  for (int round = 0; round < 3; ++round) {
    PR_SetError(0, 0);
    STAGE_CHECK(SSL_InheritMPServerSIDCache(nullptr) == SECFailure);
    STAGE_CHECK(PR_GetError() == SEC_ERROR_NO_MEMORY);
  }
  // The descriptor is still there for who raises the limit.
  STAGE_CHECK(MemoryDescriptors().size() == 1);
  STAGE_CHECK(setrlimit(RLIMIT_AS, &before) == 0);
  STAGE_CHECK(SSL_InheritMPServerSIDCache(nullptr) == SECSuccess);
  STAGE_CHECK(SSL_ShutdownServerSessionIDCache() == SECSuccess);
  return 0;
}

TEST_F(ScarceTest, InheritWithoutAddressSpaceSaysSo) {
  if (snce_test::kSanitized) GTEST_SKIP() << "a sanitizer needs more of it";
  ASSERT_EQ(SECSuccess, SSL_ConfigMPServerSIDCache(100, 0, 0, nullptr));
  EXPECT_EQ(0, InExec("InheritWithoutSpace", {}));
}

TEST_F(ScarceTest, AConfigurationFileThatCannotBeOpenedIsToldWithItsCause) {
  char path[] = "/tmp/sslsnce-scarce-XXXXXX";
  const int file = mkstemp(path);
  ASSERT_LE(0, file);
  close(file);
  setenv(SSL_SERVER_CACHE_CONFIG, path, 1);
  EXPECT_EQ(0, InFork([] {
              Limit(RLIMIT_NOFILE, 0);
              STAGE_CHECK(SSL_ConfigServerSessionIDCache(10, 0, 0, nullptr) ==
                          SECFailure);
              STAGE_CHECK(PR_GetError() == PR_PROC_DESC_TABLE_FULL_ERROR);
              return 0;
            }));
  unsetenv(SSL_SERVER_CACHE_CONFIG);
  unlink(path);
}

// Whatever was in the hands of a thread that the child does not have: the gate
// counts it, the turn is its, the region is half changed.
TEST_F(ScarceTest, AForkedChildUsesTheCacheWhateverOtherThreadsWereAt) {
  ASSERT_EQ(SECSuccess, SSL_ConfigMPServerSIDCache(1000, 0, 0, nullptr));
  Put(1);
  std::atomic<bool> stop{false};
  std::atomic<uint32_t> operations{0};
  std::vector<std::thread> threads;
  for (uint32_t me = 0; me < 3; ++me) {
    threads.emplace_back([&, me] {
      LoneSocket server(true);
      for (uint32_t i = 0; !stop; ++i) {
        ShimFields f = SampleFields(100 + me * 50 + i % 50, kStart);
        Sid sid(ShimNewSid(&f, nullptr));
        ShimCache(server.fd(), sid.get());
        Sid found(ShimLookupDefault(kStart, f.address, f.id, f.idLen));
        ShimUncache(server.fd(), sid.get());
        ++operations;
      }
    });
  }
  threads.emplace_back([&] {
    while (!stop) {
      SSL_AddServerCache("a.example", nullptr);
      SSL_ConfigMPServerSIDCache(1000, 0, 0, nullptr);
      SSL_RemoveServerCache("a.example");
      ++operations;
    }
  });
  while (operations < 100) std::this_thread::yield();
  for (int round = 0; round < 150; ++round) {
    const int status = InFork([] {
      STAGE_CHECK(HasAndLeaks(1));
      STAGE_CHECK(SSL_ConfigMPServerSIDCache(1000, 0, 0, nullptr) ==
                  SECSuccess);
      STAGE_CHECK(SSL_InheritMPServerSIDCache(nullptr) == SECSuccess);
      // A gate that counted other threads would be waited for, and
      // the region left as it is.
      STAGE_CHECK(SSL_ShutdownServerSessionIDCache() == SECSuccess);
      STAGE_CHECK(MemoryDescriptors().empty());
      STAGE_CHECK(!HasAndLeaks(1));
      STAGE_CHECK(SSL_ConfigServerSessionIDCache(10, 0, 0, nullptr) ==
                  SECSuccess);
      STAGE_CHECK(!HasAndLeaks(1));
      STAGE_CHECK(SSL_ShutdownServerSessionIDCache() == SECSuccess);
      STAGE_CHECK(MemoryDescriptors().empty());
      return 0;
    });
    EXPECT_EQ(0, status) << round;
    if (status != 0) break;
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(Has(1));
}

}  // namespace
}  // namespace nss_test
