/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// inherit_test.cc: one cache in many processes, by fork and by exec, and good
// and bad inheritance strings.

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "prerror.h"
#include "secerr.h"
#include "sslerr.h"
#include "sslsnce/sslsnce.h"
#include "test_build.h"
#include "test_nss.h"

namespace nss_test {
namespace {

constexpr PRTime kSecond = PR_USEC_PER_SEC;
constexpr PRTime kStart = 1700000000 * kSecond;

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

std::string Inheritance() {
  const char* value = getenv(SSL_ENV_VAR_NAME);
  return value ? value : "";
}

PRErrorCode InheritError(const std::string& string) {
  PR_SetError(0, 0);
  if (SSL_InheritMPServerSIDCache(string.c_str()) == SECSuccess) return 0;
  return PR_GetError();
}

class InheritTest : public NssTest {};

TEST_F(InheritTest, WithoutConfigAndStringIsAClearError) {
  EXPECT_EQ(SECFailure, SSL_InheritMPServerSIDCache(nullptr));
  EXPECT_EQ(SSL_ERROR_SERVER_CACHE_NOT_CONFIGURED, PR_GetError());
  EXPECT_STRNE("", PR_ErrorToString(PR_GetError(), 0));
}

TEST_F(InheritTest, GarbageIsInvalidArguments) {
  for (const std::string& string :
       {std::string(""), std::string(","), std::string("hello"),
        std::string("AAAA,BBBB"), std::string(100000, 'a'),
        std::string(100000, ','), std::string("-1,-1,-1,-1"),
        std::string("\xff\xfe\x01"), std::string("%s%n%s%n")}) {
    EXPECT_EQ(SEC_ERROR_INVALID_ARGS, InheritError(string))
        << string.substr(0, 20);
  }
}

TEST_F(InheritTest, EveryTruncationIsRefusedAndTheCacheStays) {
  ASSERT_EQ(SECSuccess, SSL_ConfigMPServerSIDCache(100, 0, 0, nullptr));
  Put(1);
  const std::string whole = Inheritance();
  ASSERT_FALSE(whole.empty());
  for (size_t len = 0; len < whole.size(); ++len) {
    EXPECT_NE(0, InheritError(whole.substr(0, len))) << len;
  }
  EXPECT_NE(0, InheritError(whole + "0"));
  EXPECT_NE(0, InheritError(whole + whole));
  EXPECT_TRUE(Has(1));
  EXPECT_EQ(0, InheritError(whole));
  EXPECT_EQ(1u, MemoryDescriptors().size());
}

TEST_F(InheritTest, EveryGarbledCharacterIsRefusedAndTheCacheStays) {
  ASSERT_EQ(SECSuccess, SSL_ConfigMPServerSIDCache(100, 0, 0, nullptr));
  Put(1);
  const std::string whole = Inheritance();
  for (size_t at = 0; at < whole.size(); ++at) {
    for (char c : {'0', '1', 'f', 'Z', ' ', ','}) {
      if (whole[at] == c) continue;
      std::string garbled = whole;
      garbled[at] = c;
      EXPECT_NE(0, InheritError(garbled)) << garbled;
    }
  }
  EXPECT_TRUE(Has(1));
  EXPECT_EQ(1u, MemoryDescriptors().size());
}

TEST_F(InheritTest, ClosedDescriptorIsNamedAsTheCause) {
  ASSERT_EQ(SECSuccess, SSL_ConfigMPServerSIDCache(100, 0, 0, nullptr));
  const std::string old = Inheritance();
  SSL_ShutdownServerSessionIDCache();
  EXPECT_EQ(PR_BAD_DESCRIPTOR_ERROR, InheritError(old));
}

TEST_F(InheritTest, AnotherRegionBehindTheDescriptorIsForeign) {
  ASSERT_EQ(SECSuccess, SSL_ConfigMPServerSIDCache(100, 0, 0, nullptr));
  const std::string old = Inheritance();
  SSL_ShutdownServerSessionIDCache();
  ASSERT_EQ(SECSuccess, SSL_ConfigMPServerSIDCache(100, 0, 0, nullptr));
  const std::string current = Inheritance();
  ASSERT_NE(old, current);
  Put(1);
  EXPECT_EQ(SEC_ERROR_BAD_DATA, InheritError(old));
  EXPECT_TRUE(Has(1));
}

TEST_F(InheritTest, TwiceIsFine) {
  ASSERT_EQ(SECSuccess, SSL_ConfigMPServerSIDCache(100, 0, 0, nullptr));
  EXPECT_EQ(SECSuccess, SSL_InheritMPServerSIDCache(nullptr));
  EXPECT_EQ(SECSuccess, SSL_InheritMPServerSIDCache(nullptr));
  EXPECT_EQ(0, InheritError(Inheritance()));
  EXPECT_EQ(0, InheritError(Inheritance()));
}

// Returns |string| with its descriptor number replaced by |fd|.
std::string OverDescriptor(const std::string& string, int fd) {
  const size_t from = string.find(':') + 1;
  return string.substr(0, from) + std::to_string(fd) +
         string.substr(string.find(':', from));
}

size_t CountMappings() {
  size_t count = 0;
  char line[1024];
  FILE* maps = fopen("/proc/self/maps", "r");
  while (fgets(line, sizeof(line), maps))
    count += strstr(line, "/memfd:sslsnce") != nullptr;
  fclose(maps);
  return count;
}

TEST_F(InheritTest, AThousandTimesByAnotherDescriptorLeavesNothingBehind) {
  ASSERT_EQ(SECSuccess, SSL_ConfigMPServerSIDCache(100, 0, 0, nullptr));
  Put(1);
  const int fd = dup(MemoryDescriptors().at(0));
  ASSERT_LE(0, fd);
  const std::string string = OverDescriptor(Inheritance(), fd);
  const size_t mappings = CountMappings();
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(0, InheritError(string)) << i;
  EXPECT_EQ(mappings, CountMappings());
  EXPECT_EQ(2u, MemoryDescriptors().size());
  // The caller still owns the descriptor, and the cache does not need it.
  EXPECT_EQ(0, close(fd));
  EXPECT_EQ(PR_BAD_DESCRIPTOR_ERROR, InheritError(string));
  EXPECT_EQ(0, InheritError(Inheritance()));
  EXPECT_TRUE(Has(1));
  EXPECT_EQ(SECSuccess, SSL_ConfigMPServerSIDCache(100, 0, 0, nullptr));
}

// A process that has a cache of its own and inherits another one fails, and
// does not close the descriptor in the string.
STAGE(InheritAnotherCacheLater) {
  const std::string parents = Inheritance();
  STAGE_CHECK(SSL_ConfigServerSessionIDCache(10, 0, 0, nullptr) == SECSuccess);
  const size_t mappings = CountMappings();
  for (int i = 0; i < 1000; ++i)
    STAGE_CHECK(InheritError(parents) == PR_INVALID_STATE_ERROR);
  STAGE_CHECK(CountMappings() == mappings);
  STAGE_CHECK(MemoryDescriptors().size() == 2);
  SSL_ShutdownServerSessionIDCache();
  STAGE_CHECK(InheritError(parents) == 0);
  StartNss();
  STAGE_CHECK(Has(1));
  return 0;
}

TEST_F(InheritTest, AStringOfAnotherCacheCostsNeitherMappingNorDescriptor) {
  ASSERT_EQ(SECSuccess, SSL_ConfigMPServerSIDCache(100, 0, 0, nullptr));
  Put(1);
  EXPECT_EQ(0, InExec("InheritAnotherCacheLater", {}));
}

// posix_spawn runs no fork handlers.
STAGE(InheritAfterTheParentsShutdown) {
  char c;
  STAGE_CHECK(read(std::stoi(args[0]), &c, 1) == 0);
  STAGE_CHECK(SSL_InheritMPServerSIDCache(nullptr) == SECSuccess);
  StartNss();
  STAGE_CHECK(Has(1));
  return 0;
}

TEST_F(InheritTest, ASpawnedWorkerInheritsAfterItsParentsShutdown) {
  int held[2];
  ASSERT_EQ(SECSuccess, SSL_ConfigMPServerSIDCache(100, 0, 0, nullptr));
  Put(1);
  ASSERT_EQ(0, pipe(held));
  ASSERT_EQ(0, fcntl(held[1], F_SETFD, FD_CLOEXEC));
  const pid_t pid =
      Spawn("InheritAfterTheParentsShutdown", {std::to_string(held[0])});
  ASSERT_LT(0, pid);
  SSL_ShutdownServerSessionIDCache();
  close(held[0]);
  close(held[1]);
  EXPECT_EQ(0, WaitForChild(pid));
}

TEST_F(InheritTest, AForkedChildSharesTheCache) {
  ASSERT_EQ(SECSuccess, SSL_ConfigMPServerSIDCache(100, 0, 0, nullptr));
  Put(1);
  EXPECT_EQ(0, InFork([] {
              STAGE_CHECK(SSL_InheritMPServerSIDCache(nullptr) == SECSuccess);
              STAGE_CHECK(SSL_InheritMPServerSIDCache(nullptr) == SECSuccess);
              STAGE_CHECK(Has(1));
              Put(2);
              return 0;
            }));
  EXPECT_TRUE(Has(2));
}

TEST_F(InheritTest, AForkedChildSharesASingleProcessCache) {
  ASSERT_EQ(SECSuccess, SSL_ConfigServerSessionIDCache(100, 0, 0, nullptr));
  Put(1);
  EXPECT_EQ(0, InFork([] {
              STAGE_CHECK(SSL_InheritMPServerSIDCache(nullptr) == SECSuccess);
              STAGE_CHECK(Has(1));
              Put(2);
              return 0;
            }));
  EXPECT_TRUE(Has(2));
  EXPECT_EQ(0, InFork([] {
              STAGE_CHECK(Has(2));  // without a call of Inherit
              return 0;
            }));
}

TEST_F(InheritTest, AForkedChildsShutdownIsItsOwn) {
  ASSERT_EQ(SECSuccess, SSL_ConfigServerSessionIDCache(100, 0, 0, nullptr));
  Put(1);
  EXPECT_EQ(0, InFork([] {
              STAGE_CHECK(SSL_ShutdownServerSessionIDCache() == SECSuccess);
              STAGE_CHECK(!Has(1));
              return 0;
            }));
  EXPECT_TRUE(Has(1));
}

TEST_F(InheritTest, AParentsShutdownLeavesTheChildItsCache) {
  ASSERT_EQ(SECSuccess, SSL_ConfigMPServerSIDCache(100, 0, 0, nullptr));
  Put(1);
  int to_child[2];
  ASSERT_EQ(0, pipe(to_child));
  pid_t pid = fork();
  if (pid == 0) {
    char c;
    close(to_child[1]);
    (void)!read(to_child[0], &c, 1);  // returns when the parent closes its end
    snce_test::LeaveChild(Has(1) ? 0 : 1);
  }
  SSL_ShutdownServerSessionIDCache();
  close(to_child[0]);
  close(to_child[1]);
  int status = -1;
  ASSERT_EQ(pid, waitpid(pid, &status, 0));
  EXPECT_EQ(0, status);
}

// Arguments: a string for Inherit, or "env"; "again" to inherit twice.
STAGE(InheritAndSwap) {
  const char* string = args[0] == "env" ? nullptr : args[0].c_str();
  STAGE_CHECK(SSL_InheritMPServerSIDCache(string) == SECSuccess);
  if (args.size() > 1) {
    STAGE_CHECK(SSL_InheritMPServerSIDCache(string) == SECSuccess);
    STAGE_CHECK(SSL_InheritMPServerSIDCache(nullptr) == SECSuccess);
  }
  StartNss();
  STAGE_CHECK(Has(1));
  Put(2);
  STAGE_CHECK(Has(2));
  return 0;
}

TEST_F(InheritTest, AnExecutedChildInheritsByTheEnvironment) {
  ASSERT_EQ(SECSuccess, SSL_ConfigMPServerSIDCache(100, 0, 0, nullptr));
  Put(1);
  EXPECT_EQ(0, InExec("InheritAndSwap", {"env"}));
  EXPECT_TRUE(Has(2));
}

TEST_F(InheritTest, AnExecutedChildInheritsByAString) {
  ASSERT_EQ(SECSuccess, SSL_ConfigMPServerSIDCache(100, 0, 0, nullptr));
  Put(1);
  const std::string string = Inheritance();
  unsetenv(SSL_ENV_VAR_NAME);
  EXPECT_EQ(0, InExec("InheritAndSwap", {string}));
  EXPECT_TRUE(Has(2));
}

TEST_F(InheritTest, AnExecutedChildMayInheritTwice) {
  ASSERT_EQ(SECSuccess, SSL_ConfigMPServerSIDCache(100, 0, 0, nullptr));
  Put(1);
  EXPECT_EQ(0, InExec("InheritAndSwap", {"env", "again"}));
}

TEST_F(InheritTest, AChildWhoseOtherDescriptorsAreClosedInherits) {
  ASSERT_EQ(SECSuccess, SSL_ConfigMPServerSIDCache(100, 0, 0, nullptr));
  Put(1);
  EXPECT_EQ(0, InExec("InheritAndSwap", {"env"}, Descriptors::kOnlyMemory));
  EXPECT_TRUE(Has(2));
}

TEST_F(InheritTest, ASingleProcessCacheConfiguredAgainForManyIsInherited) {
  ASSERT_EQ(SECSuccess, SSL_ConfigServerSessionIDCache(100, 0, 0, nullptr));
  Put(1);
  ASSERT_EQ(SECSuccess, SSL_ConfigMPServerSIDCache(100, 0, 0, nullptr));
  EXPECT_TRUE(Has(1));
  EXPECT_EQ(0, InExec("InheritAndSwap", {"env"}));
  EXPECT_TRUE(Has(2));
}

STAGE(InheritClosed) {
  STAGE_CHECK(SSL_InheritMPServerSIDCache(nullptr) == SECFailure);
  STAGE_CHECK(PR_GetError() == PR_BAD_DESCRIPTOR_ERROR);
  // The child can make its own cache.
  STAGE_CHECK(SSL_ConfigServerSessionIDCache(10, 0, 0, nullptr) == SECSuccess);
  return 0;
}

TEST_F(InheritTest, AChildWithoutTheDescriptorIsToldAndMayConfigure) {
  ASSERT_EQ(SECSuccess, SSL_ConfigMPServerSIDCache(100, 0, 0, nullptr));
  EXPECT_EQ(0, InExec("InheritClosed", {}, Descriptors::kNone));
}

TEST_F(InheritTest, AForkedChildThatClosedAllDescriptorsGoesOn) {
  ASSERT_EQ(SECSuccess, SSL_ConfigMPServerSIDCache(100, 0, 0, nullptr));
  Put(1);
  EXPECT_EQ(0, InFork([] {
              for (int fd : MemoryDescriptors()) close(fd);
              STAGE_CHECK(SSL_InheritMPServerSIDCache(nullptr) == SECSuccess);
              STAGE_CHECK(Has(1));
              Put(2);
              return 0;
            }));
  EXPECT_TRUE(Has(2));
}

TEST_F(InheritTest, AProcessWithoutTheDescriptorCannotConfigureAgain) {
  ASSERT_EQ(SECSuccess, SSL_ConfigMPServerSIDCache(100, 0, 0, nullptr));
  Put(1);
  EXPECT_EQ(0, InFork([] {
              for (int fd : MemoryDescriptors()) close(fd);
              STAGE_CHECK(SSL_ConfigMPServerSIDCache(100, 0, 9, nullptr) ==
                          SECFailure);
              STAGE_CHECK(PR_GetError() == PR_BAD_DESCRIPTOR_ERROR);
              STAGE_CHECK(Has(1));
              return 0;
            }));
}

// The parent's region is in the environment, but the process makes its own.
STAGE(InheritWithOwnCache) {
  const std::string parents = Inheritance();
  STAGE_CHECK(SSL_ConfigServerSessionIDCache(10, 0, 0, nullptr) == SECSuccess);
  StartNss();
  Put(7);
  STAGE_CHECK(InheritError(parents) == PR_INVALID_STATE_ERROR);
  STAGE_CHECK(Has(7));
  STAGE_CHECK(!Has(1));
  return 0;
}

TEST_F(InheritTest, AProcessWithACacheOfItsOwnKeepsIt) {
  ASSERT_EQ(SECSuccess, SSL_ConfigMPServerSIDCache(100, 0, 0, nullptr));
  Put(1);
  EXPECT_EQ(0, InExec("InheritWithOwnCache", {}));
  EXPECT_TRUE(Has(1));
}

}  // namespace
}  // namespace nss_test
