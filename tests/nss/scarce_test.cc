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

// Returns whether session |n| is found, and leaks its sid. For a child that was
// forked while other threads used sids: NSS frees a sid under a lock, which one
// of them may have held at the fork.
bool HasAndLeaks(uint32_t n) {
  ShimFields f = SampleFields(n, kStart);
  return ShimLookupDefault(kStart, f.address, f.id, f.idLen) != nullptr;
}

void Limit(int what, rlim_t value) {
  rlimit limit = {value, value};
  ASSERT_EQ(0, setrlimit(static_cast<__rlimit_resource>(what), &limit));
}

class ScarceTest : public NssTest {};

// A process that has the inheritance string needs no new descriptor.
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

// Returns how many bytes of address space this process has taken.
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
  // The descriptor is still open, so that Inherit works after the limit is
  // raised.
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

// The cache grows in a child; the parent has closed its descriptor and cannot
// map the new part.
TEST_F(ScarceTest, WhatAProcessCannotMapIsAMissAndIsCounted) {
  static constexpr uint32_t kSessions = 200;
  ASSERT_EQ(SECSuccess, SSL_ConfigServerSessionIDCache(100, 0, 0, nullptr));
  EXPECT_EQ(
      0, InFork([] {
        STAGE_CHECK(InFork([] {
                      STAGE_CHECK(SSL_ConfigServerSessionIDCache(
                                      1000000, 0, 0, nullptr) == SECSuccess);
                      for (uint32_t n = 0; n < kSessions; ++n) Put(n);
                      for (uint32_t n = 0; n < kSessions; ++n)
                        STAGE_CHECK(Has(n));
                      return 0;
                    }) == 0);
        STAGE_CHECK(MemoryDescriptors().size() == 1);
        close(MemoryDescriptors()[0]);
        uint32_t found = 0;
        for (uint32_t n = 0; n < kSessions; ++n) found += Has(n);
        STAGE_CHECK(found < kSessions);
        SSLServerCacheFigures figures;
        STAGE_CHECK(SSL_GetServerCacheFigures(nullptr, &figures,
                                              sizeof(figures)) == SECSuccess);
        STAGE_CHECK(figures.length == sizeof(figures));
        STAGE_CHECK(figures.unmapped == kSessions - found);
        return 0;
      }));
}

// The child does not have the other threads, but the gate may count one of
// them, one may hold the lock, and one may have been in the middle of a change
// of the region.
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
      // If the gate still counted other threads, Shutdown would wait for
      // them and leave the region mapped.
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
