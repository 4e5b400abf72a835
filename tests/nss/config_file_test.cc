/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// config_file_test.cc: the file that SSL_SERVER_CACHE_CONFIG names.

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "prerror.h"
#include "secerr.h"
#include "sslerr.h"
#include "sslsnce/sslsnce.h"
#include "test_nss.h"
#include "test_region.h"

namespace nss_test {
namespace {

class ConfigFileTest : public NssTest {
 protected:
  void SetUp() override {
    NssTest::SetUp();
    char path[] = "/tmp/snce-config-test.XXXXXX";
    int fd = mkstemp(path);
    ASSERT_LE(0, fd);
    close(fd);
    path_ = path;
    setenv(SSL_SERVER_CACHE_CONFIG, path, 1);
  }
  void TearDown() override {
    unsetenv(SSL_SERVER_CACHE_CONFIG);
    unlink(path_.c_str());
    NssTest::TearDown();
  }

  void Write(const std::string& text) {
    FILE* file = fopen(path_.c_str(), "w");
    ASSERT_TRUE(file);
    fwrite(text.data(), 1, text.size(), file);
    fclose(file);
  }

  // Configures with 500 entries and 60 seconds; what is said on stderr.
  SECStatus Configure(std::string* said = nullptr) {
    ::testing::internal::CaptureStderr();
    SECStatus rv = SSL_ConfigServerSessionIDCache(500, 50, 60, nullptr);
    const PRErrorCode error = PR_GetError();
    char text[1024] = "";
    if (PR_GetErrorTextLength() < 1024) PR_GetErrorText(text);
    text_ = text;
    const std::string output = ::testing::internal::GetCapturedStderr();
    if (said) *said = output;
    PR_SetError(error, 0);
    return rv;
  }

  SSLServerCacheFigures Figures(const char* name) {
    SSLServerCacheFigures figures;
    memset(&figures, 0, sizeof(figures));
    EXPECT_EQ(SECSuccess,
              SSL_GetServerCacheFigures(name, &figures, sizeof(figures)))
        << name;
    return figures;
  }

  // The file |text| is refused, with |what| said of line |line|, on stderr and
  // as the error's text, and there is no cache.
  void ExpectRefused(const std::string& text, int line,
                     const std::string& what) {
    Write(text);
    std::string said;
    EXPECT_EQ(SECFailure, Configure(&said)) << text;
    EXPECT_STREQ("SEC_ERROR_INVALID_ARGS", PR_ErrorToName(PR_GetError()));
    const std::string place =
        path_ + (line ? ":" + std::to_string(line) : "") + ": ";
    EXPECT_NE(std::string::npos, said.find(place + what)) << said;
    EXPECT_NE(std::string::npos, text_.find(place + what)) << text_;
    SSLServerCacheFigures figures;
    EXPECT_EQ(SECFailure,
              SSL_GetServerCacheFigures(nullptr, &figures, sizeof(figures)));
    EXPECT_EQ(SSL_ERROR_SERVER_CACHE_NOT_CONFIGURED, PR_GetError());
  }

  std::string path_;
  std::string text_;  // of the last Configure's error
};

TEST_F(ConfigFileTest, EachLineIsACache) {
  Write(
      "# caches of this machine\n"
      "\n"
      "name=shop.example entries=20000 ssl3Timeout=300 "
      "matchClientAddress=no\n"
      "  name='*.news.example'\tssl2Timeout=7   certificates=5 # not here\n");
  // What follows a value is another parameter, not a comment.
  EXPECT_EQ(SECFailure, Configure());
  Write(
      "# caches of this machine\n"
      "\n"
      "name=shop.example entries=20000 ssl3Timeout=300 "
      "matchClientAddress=no\n"
      "  name='*.news.example'\tssl2Timeout=7   certificates=5\n"
      "#name=not.example\n"
      "entries=30 name=last.example");
  ASSERT_EQ(SECSuccess, Configure()) << text_;
  EXPECT_EQ(20000u, Figures("shop.example").entries);
  EXPECT_EQ(300u, Figures("shop.example").ssl3TimeoutSec);
  EXPECT_EQ(100u, Figures("shop.example").ssl2TimeoutSec);
  EXPECT_EQ(10000u, Figures("*.news.example").entries);
  EXPECT_EQ(7u, Figures("*.news.example").ssl2TimeoutSec);
  EXPECT_EQ(30u, Figures("last.example").entries);
  // The application's own.
  EXPECT_EQ(500u, Figures(nullptr).entries);
  EXPECT_EQ(50u, Figures(nullptr).ssl2TimeoutSec);
  EXPECT_EQ(60u, Figures(nullptr).ssl3TimeoutSec);
}

TEST_F(ConfigFileTest, TheStarOverridesWhatTheApplicationAsked) {
  Write("name=* entries=700 ssl3Timeout=3600\n");
  ASSERT_EQ(SECSuccess, Configure());
  EXPECT_EQ(700u, Figures(nullptr).entries);
  EXPECT_EQ(3600u, Figures(nullptr).ssl3TimeoutSec);
  EXPECT_EQ(50u, Figures(nullptr).ssl2TimeoutSec);
}

TEST_F(ConfigFileTest, TimeoutsAreClampedAsInTheCalls) {
  Write(
      "name=* ssl2Timeout=1 ssl3Timeout=1\n"
      "name=a.example ssl2Timeout=101 ssl3Timeout=86401\n");
  ASSERT_EQ(SECSuccess, Configure());
  EXPECT_EQ(5u, Figures(nullptr).ssl2TimeoutSec);
  EXPECT_EQ(5u, Figures(nullptr).ssl3TimeoutSec);
  EXPECT_EQ(100u, Figures("a.example").ssl2TimeoutSec);
  EXPECT_EQ(86400u, Figures("a.example").ssl3TimeoutSec);
}

TEST_F(ConfigFileTest, AnEmptyFileChangesNothing) {
  Write("");
  ASSERT_EQ(SECSuccess, Configure());
  EXPECT_EQ(500u, Figures(nullptr).entries);
}

TEST_F(ConfigFileTest, FaultsAreNamedWithTheirLine) {
  const std::string good = "name=a.example\n# fine\n\n";
  ExpectRefused(good + "name=b.example entris=5\n", 4,
                "an unknown parameter: entris");
  ExpectRefused(good + "entries=5\n", 4, "a line without a name");
  ExpectRefused(good + "name=b.example entries=many\n", 4,
                "not a decimal number: many");
  ExpectRefused(good + "name=b.example entries=-5\n", 4,
                "not a decimal number: -5");
  ExpectRefused(good + "name=b.example entries=0x10\n", 4,
                "not a decimal number: 0x10");
  ExpectRefused(good + "name=b.example entries=010\n", 4,
                "a number does not begin with 0: 010");
  ExpectRefused(good + "name=b.example entries=100000001\n", 4,
                "a number over 100000000: 100000001");
  ExpectRefused(good + "name=b.example entries=99999999999999999999\n", 4,
                "a number over 100000000: ");
  ExpectRefused(good + "name=b.example matchClientAddress=maybe\n", 4,
                "neither yes nor no: maybe");
  ExpectRefused(good + "name=b.example entries=5 entries=5\n", 4,
                "a parameter that is given twice: entries");
  ExpectRefused(good + "name=b.example name=c.example\n", 4,
                "a second name: c.example");
  ExpectRefused(good + "name=A.example\n", 4,
                "a cache that has a line already: A.example");
  ExpectRefused("name=*\n" + good + "name=*\n", 5,
                "a cache that has a line already: *");
  ExpectRefused(good + "name=b..example\n", 4, "no host's name: b..example");
  ExpectRefused(good + "name=b.example entries\n", 4, "not label=value: ");
  ExpectRefused(good + "name=b.example =5\n", 4, "not label=value: ");
  ExpectRefused(good + "name=b.example entries=\n", 4,
                "a parameter without a value: entries");
  ExpectRefused(good + "name='b.example\n", 4,
                "a quotation that does not end: name");
  ExpectRefused(std::string("name=a.example\0 entries=5\n", 26), 0,
                "has a NUL in it");
}

TEST_F(ConfigFileTest, AMissingFileIsNamed) {
  unlink(path_.c_str());
  std::string said;
  EXPECT_EQ(SECFailure, Configure(&said));
  EXPECT_STREQ("PR_FILE_NOT_FOUND_ERROR", PR_ErrorToName(PR_GetError()));
  EXPECT_NE(std::string::npos, said.find(path_ + ": cannot be read")) << said;
}

TEST_F(ConfigFileTest, ADirectoryIsNoFile) {
  setenv(SSL_SERVER_CACHE_CONFIG, "/tmp", 1);
  std::string said;
  EXPECT_EQ(SECFailure, Configure(&said));
  EXPECT_NE(std::string::npos, said.find("/tmp: ")) << said;
}

TEST_F(ConfigFileTest, WhatCannotBeMadeIsNamedAndNothingIsLeft) {
  // More than the address space that a region has.
  std::string text;
  for (int i = 0; i < 1025; ++i) {
    text += "name=host" + std::to_string(i) + ".example entries=10\n";
  }
  Write(text);
  std::string said;
  EXPECT_EQ(SECFailure, Configure(&said));
  EXPECT_STREQ("PR_INSUFFICIENT_RESOURCES_ERROR",
               PR_ErrorToName(PR_GetError()));
  EXPECT_NE(std::string::npos, said.find(":1025: ")) << said;
  SSLServerCacheFigures figures;
  EXPECT_EQ(SECFailure,
            SSL_GetServerCacheFigures(nullptr, &figures, sizeof(figures)));
}

TEST_F(ConfigFileTest, ASecondConfigReadsTheFileAgain) {
  Write("name=a.example ssl3Timeout=10\nname=b.example\n");
  ASSERT_EQ(SECSuccess, Configure());
  Write(
      "name=* ssl3Timeout=30\nname=a.example ssl3Timeout=20\n"
      "name=c.example\n");
  ASSERT_EQ(SECSuccess, Configure());
  EXPECT_EQ(30u, Figures(nullptr).ssl3TimeoutSec);
  EXPECT_EQ(20u, Figures("a.example").ssl3TimeoutSec);
  EXPECT_EQ(86400u, Figures("b.example").ssl3TimeoutSec);
  EXPECT_EQ(86400u, Figures("c.example").ssl3TimeoutSec);
  // A fault changes nothing.
  Write("name=a.example ssl3Timeout=40\nname=a.example\n");
  EXPECT_EQ(SECFailure, Configure());
  EXPECT_EQ(20u, Figures("a.example").ssl3TimeoutSec);
}

TEST_F(ConfigFileTest, EveryCallReadsIt) {
  Write("name=a.example ssl3Timeout=10\n");
  for (int call = 0; call < 3; ++call) {
    SSL_ShutdownServerSessionIDCache();
    SECStatus rv = call == 0 ? SSL_ConfigServerSessionIDCache(0, 0, 0, nullptr)
                   : call == 1 ? SSL_ConfigMPServerSIDCache(0, 0, 0, nullptr)
                               : SSL_ConfigServerSessionIDCacheWithOpt(
                                     0, 0, nullptr, 0, 0, 0, PR_TRUE);
    ASSERT_EQ(SECSuccess, rv);
    EXPECT_EQ(10u, Figures("a.example").ssl3TimeoutSec);
  }
}

// ---- lock=yes --------------------------------------------------------------

bool IsLockedInMemory() {
  const std::vector<int> regions = MemoryDescriptors();
  const std::vector<snce_test::Mapping> mappings =
      regions.empty() ? std::vector<snce_test::Mapping>()
                      : snce_test::MappingsOf(regions[0]);
  return !mappings.empty() &&
         mappings[0].flags.find(" lo ") != std::string::npos;
}

// Makes this process one of a user who may lock 64 KiB.
bool MayLockLittle() {
  const struct rlimit little = {65536, 65536};
  return setrlimit(RLIMIT_MEMLOCK, &little) == 0 &&
         (geteuid() != 0 || setuid(65534) == 0);
}

STAGE(InheritLocked) {
  if (args[0] == "little") STAGE_CHECK(MayLockLittle());
  const SECStatus rv = SSL_InheritMPServerSIDCache(nullptr);
  if (args[0] == "little") {
    STAGE_CHECK(rv == SECFailure);
    STAGE_CHECK(PR_GetError() == PR_INSUFFICIENT_RESOURCES_ERROR);
    char text[512] = "";
    STAGE_CHECK(PR_GetErrorTextLength() < 512);
    PR_GetErrorText(text);
    const std::string said = text;
    STAGE_CHECK(said.find("it takes " + args[1] + " bytes") !=
                std::string::npos);
    STAGE_CHECK(said.find("(RLIMIT_MEMLOCK) is 65536") != std::string::npos);
  } else {
    STAGE_CHECK(rv == SECSuccess);
    STAGE_CHECK(IsLockedInMemory());
  }
  return 0;
}

TEST_F(ConfigFileTest, LockKeepsTheCachesInMemoryInEveryProcess) {
  Write("name=a.example\nname=* lock=yes certificates=100\n");
  if (Configure() != SECSuccess &&
      PR_GetError() == PR_INSUFFICIENT_RESOURCES_ERROR) {
    GTEST_SKIP() << "this process may not lock enough memory";
  }
  EXPECT_TRUE(IsLockedInMemory());
  EXPECT_EQ(0, InFork([] {
              STAGE_CHECK(IsLockedInMemory());
              return 0;
            }));
  ASSERT_EQ(SECSuccess, SSL_ConfigMPServerSIDCache(500, 0, 60, nullptr));
  EXPECT_EQ(0, InExec("InheritLocked", {"enough"}));
  const uint64_t bytes = Figures(nullptr).regionBytes;
  EXPECT_EQ(0, InExec("InheritLocked", {"little", std::to_string(bytes)}));
}

TEST_F(ConfigFileTest, LockNoIsNoLock) {
  Write("name=* lock=no\n");
  ASSERT_EQ(SECSuccess, Configure());
  EXPECT_FALSE(IsLockedInMemory());
}

TEST_F(ConfigFileTest, LockIsForAllCachesOrNone) {
  ExpectRefused("name=a.example lock=yes\n", 1, "lock is for name=*");
  ExpectRefused("name=* lock=1\n", 1, "neither yes nor no: 1");
}

TEST_F(ConfigFileTest, WhatMayNotBeLockedIsToldWithTheLimitAndTheBytes) {
  Write("name=a.example\nname=* lock=yes certificates=100\n");
  ASSERT_EQ(0, chmod(path_.c_str(), 0644));
  EXPECT_EQ(0, InFork([&] {
              STAGE_CHECK(MayLockLittle());
              std::string said;
              STAGE_CHECK(Configure(&said) == SECFailure);
              STAGE_CHECK(PR_GetError() == PR_INSUFFICIENT_RESOURCES_ERROR);
              const std::string begin =
                  path_ + ":2: the cache cannot be locked in memory: it takes ";
              const size_t at = said.find(begin);
              STAGE_CHECK(at != std::string::npos);
              STAGE_CHECK(std::stoull(said.substr(at + begin.size())) >
                          uint64_t(64) << 20);
              STAGE_CHECK(said.find("(RLIMIT_MEMLOCK) is 65536") !=
                          std::string::npos);
              STAGE_CHECK(text_ + "\n" == said);
              STAGE_CHECK(MemoryDescriptors().empty());
              return 0;
            }));
}

TEST_F(ConfigFileTest, ACacheThatIsThereIsNotLockedAnyMore) {
  Write("name=* ssl3Timeout=30\n");
  ASSERT_EQ(SECSuccess, Configure());
  Write("name=* ssl3Timeout=40 lock=yes\n");
  std::string said;
  EXPECT_EQ(SECFailure, Configure(&said));
  EXPECT_EQ(PR_INVALID_STATE_ERROR, PR_GetError());
  EXPECT_NE(std::string::npos, said.find(":1: too late to lock")) << said;
  EXPECT_EQ(30u, Figures(nullptr).ssl3TimeoutSec);
  EXPECT_FALSE(IsLockedInMemory());
}

}  // namespace
}  // namespace nss_test
