/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// config_test.cc: the calls that configure the cache and shut it down, with
// unusual arguments and in unusual orders.

#include <fcntl.h>
#include <limits.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <thread>

#include "nss.h"
#include "prerror.h"
#include "secerr.h"
#include "sslerr.h"
#include "sslsnce/sslsnce.h"
#include "test_nss.h"

namespace nss_test {
namespace {

constexpr PRTime kSecond = PR_USEC_PER_SEC;
constexpr PRTime kStart = 1700000000 * kSecond;

SSLServerCacheFigures Figures() {
  SSLServerCacheFigures figures;
  memset(&figures, 0, sizeof(figures));
  EXPECT_EQ(SECSuccess,
            SSL_GetServerCacheFigures(nullptr, &figures, sizeof(figures)));
  return figures;
}

// Caches session |n|. Returns whether it is found at |when|.
bool CachedAndFound(PRFileDesc* fd, uint32_t n, PRTime created, PRTime when) {
  ShimFields f = SampleFields(n, created);
  Sid sid(ShimNewSid(&f, nullptr));
  ShimCache(fd, sid.get());
  return Sid(ShimLookupDefault(when, f.address, f.id, f.idLen)) != nullptr;
}

bool Found(uint32_t n, PRTime when) {
  ShimFields f = SampleFields(n, kStart);
  return Sid(ShimLookupDefault(when, f.address, f.id, f.idLen)) != nullptr;
}

class ConfigTest : public NssTest {};

TEST_F(ConfigTest, NegativeEntriesAreInvalidArguments) {
  for (int entries : {-1, INT_MIN}) {
    PORT_SetError(0);
    EXPECT_EQ(SECFailure,
              SSL_ConfigServerSessionIDCache(entries, 0, 0, nullptr));
    EXPECT_EQ(SEC_ERROR_INVALID_ARGS, PR_GetError());
    EXPECT_EQ(SECFailure, SSL_ConfigMPServerSIDCache(entries, 0, 0, nullptr));
    EXPECT_EQ(SEC_ERROR_INVALID_ARGS, PR_GetError());
    EXPECT_EQ(SECFailure, SSL_ConfigServerSessionIDCacheWithOpt(
                              0, 0, nullptr, entries, -1, -1, PR_TRUE));
    EXPECT_EQ(SEC_ERROR_INVALID_ARGS, PR_GetError());
  }
}

TEST_F(ConfigTest, ZeroEntriesAreTenThousand) {
  ASSERT_EQ(SECSuccess, SSL_ConfigServerSessionIDCache(0, 0, 0, nullptr));
  EXPECT_EQ(10000u, Figures().entries);
}

TEST_F(ConfigTest, IntMaxEntriesAreRefusedWithoutACrash) {
  for (PRBool shared : {PR_FALSE, PR_TRUE}) {
    PORT_SetError(0);
    EXPECT_EQ(SECFailure,
              SSL_ConfigServerSessionIDCacheWithOpt(0, 0, nullptr, INT_MAX,
                                                    INT_MAX, INT_MAX, shared));
    EXPECT_TRUE(PR_GetError() == SEC_ERROR_INVALID_ARGS ||
                PR_GetError() == SEC_ERROR_NO_MEMORY)
        << PR_GetError();
  }
  EXPECT_TRUE(MemoryDescriptors().empty());
}

TEST_F(ConfigTest, AMillionEntriesWork) {
  LoneSocket server(true);
  ASSERT_EQ(SECSuccess, SSL_ConfigMPServerSIDCache(1000000, 0, 0, nullptr));
  EXPECT_EQ(1000000u, Figures().entries);
  EXPECT_TRUE(CachedAndFound(server.fd(), 1, kStart, kStart));
}

TEST_F(ConfigTest, IntMaxCertificatesAndNamesDoNotOverflow) {
  SECStatus rv = SSL_ConfigServerSessionIDCacheWithOpt(
      0, 0, nullptr, 100, INT_MAX, INT_MAX, PR_FALSE);
  if (rv != SECSuccess) {
    EXPECT_TRUE(PR_GetError() == SEC_ERROR_INVALID_ARGS ||
                PR_GetError() == SEC_ERROR_NO_MEMORY)
        << PR_GetError();
  }
}

TEST_F(ConfigTest, NegativeCertificatesAndNamesAreTheDefault) {
  LoneSocket server(true);
  ASSERT_EQ(SECSuccess, SSL_ConfigServerSessionIDCacheWithOpt(
                            0, 0, nullptr, 100, -1, -1, PR_FALSE));
  EXPECT_TRUE(CachedAndFound(server.fd(), 1, kStart, kStart));
}

TEST_F(ConfigTest, AMissingDirectoryIsIgnored) {
  EXPECT_EQ(SECSuccess,
            SSL_ConfigServerSessionIDCache(10, 0, 0, "/nowhere/at/all"));
  SSL_ShutdownServerSessionIDCache();
  EXPECT_EQ(SECSuccess,
            SSL_ConfigMPServerSIDCache(10, 0, 0, "/nowhere/at/all"));
  SSL_ShutdownServerSessionIDCache();
  EXPECT_EQ(SECSuccess, SSL_ConfigMPServerSIDCache(10, 0, 0, "/dev/full"));
}

TEST_F(ConfigTest, WithoutADescriptorTheErrorSaysSo) {
  EXPECT_EQ(0, InFork([] {
              int lowest = dup(0);
              close(lowest);
              rlimit limit = {static_cast<rlim_t>(lowest),
                              static_cast<rlim_t>(lowest)};
              STAGE_CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
              STAGE_CHECK(SSL_ConfigMPServerSIDCache(100, 0, 0, nullptr) ==
                          SECFailure);
              STAGE_CHECK(PR_GetError() == PR_PROC_DESC_TABLE_FULL_ERROR);
              STAGE_CHECK(SSL_ConfigServerSessionIDCache(100, 0, 0, nullptr) ==
                          SECFailure);
              STAGE_CHECK(PR_GetError() == PR_PROC_DESC_TABLE_FULL_ERROR);
              return 0;
            }));
}

TEST_F(ConfigTest, WithoutAddressSpaceTheErrorSaysSo) {
  EXPECT_EQ(0, InFork([] {
              rlimit limit = {1 << 20, 1 << 20};
              STAGE_CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
              STAGE_CHECK(SSL_ConfigMPServerSIDCache(100000, 0, 0, nullptr) ==
                          SECFailure);
              STAGE_CHECK(PR_GetError() == SEC_ERROR_NO_MEMORY);
              return 0;
            }));
}

TEST_F(ConfigTest, ALimitOnFileSizesIsNamedAsTheCause) {
  EXPECT_EQ(0, InFork([] {
              rlimit limit = {1 << 16, 1 << 16};
              STAGE_CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
              STAGE_CHECK(SSL_ConfigMPServerSIDCache(100000, 0, 0, nullptr) ==
                          SECFailure);
              STAGE_CHECK(PR_GetError() == PR_FILE_TOO_BIG_ERROR);
              return 0;
            }));
}

TEST_F(ConfigTest, AFailedConfigLeavesNothingBehind) {
  LoneSocket server(true);
  EXPECT_EQ(SECFailure, SSL_ConfigServerSessionIDCache(-1, 0, 0, nullptr));
  ShimFields f = SampleFields(1, kStart);
  Sid sid(ShimNewSid(&f, nullptr));
  ShimCache(server.fd(), sid.get());
  EXPECT_TRUE(ShimIsNeverCached(sid.get()));
  EXPECT_TRUE(MemoryDescriptors().empty());
}

// tests/regress/pointers tests that sessions live for these timeouts.
TEST_F(ConfigTest, FiguresTellTheTimeoutsInForce) {
  ASSERT_EQ(SECSuccess, SSL_ConfigServerSessionIDCache(10, 1, 0, nullptr));
  EXPECT_EQ(5u, Figures().ssl2TimeoutSec);
  EXPECT_EQ(kDefaultSsl3TimeoutSec, Figures().ssl3TimeoutSec);
  ASSERT_EQ(SECSuccess, SSL_ConfigServerSessionIDCache(10, 101, 7, nullptr));
  EXPECT_EQ(100u, Figures().ssl2TimeoutSec);
  EXPECT_EQ(7u, Figures().ssl3TimeoutSec);
}

TEST_F(ConfigTest, ASecondConfigGrowsAndKeepsWhatIsThere) {
  LoneSocket server(true);
  ASSERT_EQ(SECSuccess, SSL_ConfigServerSessionIDCache(500, 0, 0, nullptr));
  for (uint32_t n = 0; n < 400; ++n) {
    CachedAndFound(server.fd(), n, kStart, kStart);
  }
  ASSERT_EQ(SECSuccess, SSL_ConfigServerSessionIDCache(20000, 0, 0, nullptr));
  EXPECT_EQ(20000u, Figures().entries);
  int found = 0;
  for (uint32_t n = 0; n < 400; ++n) found += Found(n, kStart);
  EXPECT_GE(found, 398);
  for (uint32_t n = 1000; n < 19000; ++n) {
    ShimFields f = SampleFields(n, kStart);
    Sid sid(ShimNewSid(&f, nullptr));
    ShimCache(server.fd(), sid.get());
  }
  EXPECT_GE(Figures().live, 18000u);
}

TEST_F(ConfigTest, ASmallerSecondConfigShrinksNothing) {
  LoneSocket server(true);
  ASSERT_EQ(SECSuccess, SSL_ConfigServerSessionIDCache(10000, 0, 0, nullptr));
  for (uint32_t n = 0; n < 1000; ++n) {
    CachedAndFound(server.fd(), n, kStart, kStart);
  }
  ASSERT_EQ(SECSuccess, SSL_ConfigServerSessionIDCache(10, 0, 0, nullptr));
  int found = 0;
  for (uint32_t n = 0; n < 1000; ++n) found += Found(n, kStart);
  EXPECT_GE(found, 995);
}

TEST_F(ConfigTest, AnInvalidSecondConfigChangesNothing) {
  LoneSocket server(true);
  ASSERT_EQ(SECSuccess, SSL_ConfigServerSessionIDCache(100, 0, 1000, nullptr));
  ASSERT_TRUE(CachedAndFound(server.fd(), 1, kStart, kStart));
  EXPECT_EQ(SECFailure, SSL_ConfigServerSessionIDCache(-1, 0, 5, nullptr));
  EXPECT_EQ(SECFailure, SSL_ConfigServerSessionIDCache(INT_MAX, 0, 5, nullptr));
  EXPECT_TRUE(Found(1, kStart + 999 * kSecond));
  EXPECT_EQ(1000u, Figures().ssl3TimeoutSec);
}

TEST_F(ConfigTest, ConfigAfterShutdownMakesANewCache) {
  LoneSocket server(true);
  ASSERT_EQ(SECSuccess, SSL_ConfigServerSessionIDCache(100, 0, 0, nullptr));
  ASSERT_TRUE(CachedAndFound(server.fd(), 1, kStart, kStart));
  EXPECT_EQ(SECSuccess, SSL_ShutdownServerSessionIDCache());
  ASSERT_EQ(SECSuccess, SSL_ConfigServerSessionIDCache(200, 0, 0, nullptr));
  EXPECT_EQ(200u, Figures().entries);
  EXPECT_FALSE(Found(1, kStart));
  EXPECT_TRUE(CachedAndFound(server.fd(), 2, kStart, kStart));
}

TEST_F(ConfigTest, ShutdownTwiceAndWithoutConfigSucceeds) {
  EXPECT_EQ(SECSuccess, SSL_ShutdownServerSessionIDCache());
  ASSERT_EQ(SECSuccess, SSL_ConfigServerSessionIDCache(100, 0, 0, nullptr));
  EXPECT_EQ(SECSuccess, SSL_ShutdownServerSessionIDCache());
  EXPECT_EQ(SECSuccess, SSL_ShutdownServerSessionIDCache());
  EXPECT_TRUE(MemoryDescriptors().empty());
}

TEST_F(ConfigTest, TheCacheTakesOneDescriptor) {
  ASSERT_EQ(SECSuccess, SSL_ConfigMPServerSIDCache(10000, 0, 0, nullptr));
  EXPECT_EQ(1u, MemoryDescriptors().size());
}

TEST_F(ConfigTest, OneProcessCacheIsNotLeftOpenAcrossExec) {
  ASSERT_EQ(SECSuccess, SSL_ConfigServerSessionIDCache(10, 0, 0, nullptr));
  ASSERT_EQ(1u, MemoryDescriptors().size());
  EXPECT_TRUE(fcntl(MemoryDescriptors()[0], F_GETFD) & FD_CLOEXEC);
  ASSERT_EQ(SECSuccess, SSL_ConfigMPServerSIDCache(10, 0, 0, nullptr));
  EXPECT_FALSE(fcntl(MemoryDescriptors()[0], F_GETFD) & FD_CLOEXEC);
}

TEST_F(ConfigTest, LockCountsAreKeptForWhoAsks) {
  EXPECT_EQ(10u, SSL_GetMaxServerCacheLocks());
  EXPECT_EQ(SECSuccess, SSL_SetMaxServerCacheLocks(3));
  EXPECT_EQ(3u, SSL_GetMaxServerCacheLocks());
  EXPECT_EQ(SECSuccess, SSL_SetMaxServerCacheLocks(1000));
  EXPECT_EQ(1000u, SSL_GetMaxServerCacheLocks());
  for (PRUint32 n : {0u, 1u, 2u}) {
    EXPECT_EQ(SECFailure, SSL_SetMaxServerCacheLocks(n));
    EXPECT_EQ(SEC_ERROR_INVALID_ARGS, PR_GetError());
  }
  EXPECT_EQ(1000u, SSL_GetMaxServerCacheLocks());
  EXPECT_EQ(SECSuccess, SSL_SetMaxServerCacheLocks(10));
}

TEST_F(ConfigTest, FiguresNeedACacheAndABuffer) {
  SSLServerCacheFigures figures;
  EXPECT_EQ(SECFailure,
            SSL_GetServerCacheFigures(nullptr, &figures, sizeof(figures)));
  EXPECT_EQ(SSL_ERROR_SERVER_CACHE_NOT_CONFIGURED, PR_GetError());
  ASSERT_EQ(SECSuccess, SSL_ConfigServerSessionIDCache(10, 0, 0, nullptr));
  SSLServerCacheFigures* none = nullptr;
  EXPECT_EQ(SECFailure,
            SSL_GetServerCacheFigures(nullptr, none, sizeof(figures)));
  EXPECT_EQ(SEC_ERROR_INVALID_ARGS, PR_GetError());
  EXPECT_EQ(SECFailure, SSL_GetServerCacheFigures(nullptr, &figures, 3));
  EXPECT_EQ(SEC_ERROR_INVALID_ARGS, PR_GetError());
}

TEST_F(ConfigTest, FiguresOfAnOlderCallerAreCutOff) {
  ASSERT_EQ(SECSuccess, SSL_ConfigServerSessionIDCache(10, 0, 0, nullptr));
  SSLServerCacheFigures figures;
  memset(&figures, 0xee, sizeof(figures));
  ASSERT_EQ(SECSuccess, SSL_GetServerCacheFigures(nullptr, &figures, 12));
  EXPECT_EQ(12u, figures.length);
  EXPECT_EQ(kDefaultSsl3TimeoutSec, figures.ssl3TimeoutSec);
  EXPECT_EQ(0xeeeeeeeeu, figures.closed);
}

TEST_F(ConfigTest, FiguresTellTheVersionOfTheLibrary) {
  ASSERT_EQ(SECSuccess, SSL_ConfigServerSessionIDCache(10, 0, 0, nullptr));
  EXPECT_STREQ(SSLSNCE_VERSION, Figures().version);
}

TEST_F(ConfigTest, FiguresCountWhatHappened) {
  LoneSocket server(true);
  ASSERT_EQ(SECSuccess, SSL_ConfigServerSessionIDCache(100, 0, 10, nullptr));
  ASSERT_TRUE(CachedAndFound(server.fd(), 1, kStart, kStart));
  EXPECT_FALSE(Found(2, kStart));
  EXPECT_FALSE(Found(1, kStart + 10 * kSecond));
  SSLServerCacheFigures figures = Figures();
  EXPECT_EQ(sizeof(figures), figures.length);
  EXPECT_EQ(1u, figures.inserts);
  EXPECT_EQ(1u, figures.hits);
  EXPECT_EQ(1u, figures.missesUnknown);
  EXPECT_EQ(1u, figures.missesExpired);
  EXPECT_LT(0u, figures.regionBytes);
}

STAGE(ConfigBeforeInit) {
  STAGE_CHECK(!NSS_IsInitialized());
  STAGE_CHECK(SSL_ConfigServerSessionIDCache(-1, 0, 0, nullptr) == SECFailure);
  STAGE_CHECK(PR_GetError() == SEC_ERROR_INVALID_ARGS);
  STAGE_CHECK(SSL_ConfigMPServerSIDCache(100, 0, 0, nullptr) == SECSuccess);
  STAGE_CHECK(SSL_ConfigMPServerSIDCache(100, 0, 0, nullptr) == SECSuccess);
  STAGE_CHECK(SSL_ShutdownServerSessionIDCache() == SECSuccess);
  STAGE_CHECK(SSL_ConfigServerSessionIDCache(100, 0, 0, nullptr) == SECSuccess);
  STAGE_CHECK(!NSS_IsInitialized());
  StartNss();
  Listener listener;
  ConnectOptions options;
  for (bool expected : {false, true}) {
    Connection connection(&listener, options);
    STAGE_CHECK(connection.Handshake());
    STAGE_CHECK(connection.resumed() == expected);
  }
  return 0;
}

TEST_F(ConfigTest, ConfigBeforeNssInitWorks) {
  EXPECT_EQ(0, InExec("ConfigBeforeInit", {}));
}

STAGE(ShutdownAround) {
  StartNss();
  STAGE_CHECK(SSL_ConfigServerSessionIDCache(100, 0, 0, nullptr) == SECSuccess);
  STAGE_CHECK(SSL_ShutdownServerSessionIDCache() == SECSuccess);
  STAGE_CHECK(StopNss());
  STAGE_CHECK(SSL_ShutdownServerSessionIDCache() == SECSuccess);
  STAGE_CHECK(SSL_ConfigServerSessionIDCache(100, 0, 0, nullptr) == SECSuccess);
  STAGE_CHECK(SSL_ShutdownServerSessionIDCache() == SECSuccess);
  return 0;
}

TEST_F(ConfigTest, ShutdownBeforeAndAfterNssShutdownWorks) {
  EXPECT_EQ(0, InExec("ShutdownAround", {}));
}

// NSS_Shutdown fails if the library still holds references to NSS's objects.
STAGE(NssRestart) {
  for (int round = 0; round < 2; ++round) {
    const bool config_first = round == 0;
    if (config_first) {
      STAGE_CHECK(SSL_ConfigServerSessionIDCache(100, 0, 0, nullptr) ==
                  SECSuccess);
    }
    StartNss();
    {
      Listener listener;
      ConnectOptions options;
      if (!config_first) {
        Connection connection(&listener, options);
        STAGE_CHECK(connection.Handshake());
        STAGE_CHECK(SSL_ConfigServerSessionIDCache(100, 0, 0, nullptr) ==
                    SECSuccess);
      }
      SSL_ClearSessionCache();
      for (bool expected : {false, true}) {
        Connection connection(&listener, options);
        STAGE_CHECK(connection.Handshake());
        STAGE_CHECK(connection.resumed() == expected);
      }
    }
    SSL_ClearSessionCache();
    STAGE_CHECK(SSL_ShutdownServerSessionIDCache() == SECSuccess);
    SSL_ClearSessionCache();  // its lock is still there
    // A second shutdown fails in old releases, with NSS's own cache too: so it
    // does in 3.61, and no longer in 3.79.
    STAGE_CHECK(StopNss() || (round == 1 && !NSS_VersionCheck("3.79")));
  }
  return 0;
}

TEST_F(ConfigTest, NssMayBeShutDownAndStartedAgain) {
  EXPECT_EQ(0, InExec("NssRestart", {}));
}

TEST_F(ConfigTest, ShutdownWaitsForThreadsInTheCache) {
  ASSERT_EQ(SECSuccess, SSL_ConfigServerSessionIDCache(100, 0, 0, nullptr));
  LoneSocket server(true);
  ShimFields f = SampleFields(1, kStart);
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      while (!stop) {
        Sid sid(ShimNewSid(&f, nullptr));
        ShimCache(server.fd(), sid.get());
        Sid found(ShimLookupDefault(kStart, f.address, f.id, f.idLen));
        ShimUncache(server.fd(), sid.get());
      }
    });
  }
  for (int i = 0; i < 200; ++i) {
    ASSERT_EQ(SECSuccess, SSL_ConfigServerSessionIDCache(100, 0, 0, nullptr));
    std::this_thread::yield();
    ASSERT_EQ(SECSuccess, SSL_ShutdownServerSessionIDCache());
    ASSERT_TRUE(MemoryDescriptors().empty());
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
}

TEST_F(ConfigTest, AThreadThatDoesNotComeOutKeepsItsRegionMapped) {
  // In a child, because a region stays mapped.
  EXPECT_EQ(0, InFork([] {
              STAGE_CHECK(SSL_ConfigServerSessionIDCache(10, 0, 0, nullptr) ==
                          SECSuccess);
              PRUint32 pass;
              STAGE_CHECK(ShimEnterGate(&pass));
              STAGE_CHECK(SSL_ShutdownServerSessionIDCache() == SECSuccess);
              STAGE_CHECK(MemoryDescriptors().size() == 1);
              PRUint32 later;
              STAGE_CHECK(!ShimEnterGate(&later));
              ShimLeaveGate(pass);
              STAGE_CHECK(SSL_ConfigServerSessionIDCache(10, 0, 0, nullptr) ==
                          SECSuccess);
              STAGE_CHECK(SSL_ShutdownServerSessionIDCache() == SECSuccess);
              STAGE_CHECK(MemoryDescriptors().size() == 1);
              return 0;
            }));
}

TEST_F(ConfigTest, AForkedChildDoesNotWaitForItsParentsThreads) {
  ASSERT_EQ(SECSuccess, SSL_ConfigServerSessionIDCache(10, 0, 0, nullptr));
  PRUint32 pass;
  ASSERT_TRUE(ShimEnterGate(&pass));
  EXPECT_EQ(0, InFork([] {
              STAGE_CHECK(SSL_ShutdownServerSessionIDCache() == SECSuccess);
              STAGE_CHECK(MemoryDescriptors().empty());
              return 0;
            }));
  ShimLeaveGate(pass);
}

TEST_F(ConfigTest, AChildMayBeForkedWhileAThreadConfigures) {
  std::atomic<bool> stop{false};
  std::thread configures([&] {
    while (!stop) {
      SSL_ConfigServerSessionIDCache(10, 0, 0, nullptr);
      SSL_ShutdownServerSessionIDCache();
    }
  });
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(0, InFork([] {
                STAGE_CHECK(SSL_ConfigServerSessionIDCache(10, 0, 0, nullptr) ==
                            SECSuccess);
                STAGE_CHECK(SSL_ShutdownServerSessionIDCache() == SECSuccess);
                return 0;
              }));
  }
  stop = true;
  configures.join();
}

}  // namespace
}  // namespace nss_test
