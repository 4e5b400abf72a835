/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// config_fault_test.cc: the effects of faults in the configuration file. The
// server stays up, and nothing becomes less safe than the file asks.

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "config_file.h"
#include "secerr.h"
#include "sslerr.h"
#include "test_build.h"
#include "test_region.h"

namespace nss_test {
namespace {

constexpr char kIsClosed[] =
    " is closed: full handshakes only, until the line is mended";
constexpr char kLowered[] =
    "; the application's values count, lowered by what could be read of the "
    "line";

constexpr char kOwnSize[] =
    "; the application's entries and certificates count, or the line's where "
    "they are fewer";

enum class By { kSessionId, kTicket12, kTicket13 };
constexpr By kAllWays[] = {By::kSessionId, By::kTicket12, By::kTicket13};

class ConfigFaultTest : public ConfigFileTest {
 protected:
  // Connects a client that asks for |name|, which must succeed. Returns whether
  // it resumed.
  bool Connect(const std::string& name, By by = By::kSessionId,
               const char* bound = nullptr) {
    ConnectOptions options;
    options.url = name;
    options.tickets = by != By::kSessionId;
    if (by == By::kTicket13) options.version = SSL_LIBRARY_VERSION_TLS_1_3;
    Connection connection(&listener_, options);
    if (bound) {
      EXPECT_EQ(SECSuccess, SSL_BindServerCache(connection.server(), bound));
    }
    EXPECT_TRUE(connection.Handshake() && connection.Talk())
        << name << ": client " << PR_ErrorToName(connection.client_error())
        << ", server " << PR_ErrorToName(connection.server_error());
    return connection.resumed();
  }
  // Returns whether the second connection of a new client resumes.
  bool Resumes(const std::string& name, By by = By::kSessionId,
               const char* bound = nullptr) {
    SSL_ClearSessionCache();
    EXPECT_FALSE(Connect(name, by, bound));
    return Connect(name, by, bound);
  }

  Listener listener_;
};

TEST_F(ConfigFaultTest, AWrongLineClosesItsServerAndNoOther) {
  EXPECT_EQ(
      Message(":2:16", std::string("unknown parameter \"entris\" (did you mean "
                                   "\"entries\"?); cache \"b.example\"") +
                           kIsClosed),
      ConfigureBy("name=a.example\n"
                  "name=b.example entris=5\n"));
  EXPECT_FALSE(IsClosed("a.example"));
  EXPECT_TRUE(IsClosed("b.example"));
  EXPECT_FALSE(IsClosed(nullptr));
  for (By by : kAllWays) {
    EXPECT_TRUE(Resumes("a.example", by));
    EXPECT_FALSE(Resumes("b.example", by));
    EXPECT_TRUE(Resumes("c.example", by));
    // The cache is closed to a socket bound to it too.
    EXPECT_FALSE(Resumes("a.example", by, "b.example"));
  }
  EXPECT_EQ(0u, Figures("b.example").live);
}

TEST_F(ConfigFaultTest, AWrongWildcardIsClosedForItsNames) {
  ConfigureBy("name=*.b.example entries=0x5\nname=x.b.example\n");
  EXPECT_FALSE(Resumes("y.b.example"));
  EXPECT_TRUE(Resumes("x.b.example"));
  EXPECT_TRUE(Resumes("b.example"));
}

TEST_F(ConfigFaultTest, AWrongLineClosesAServerThatIsThereUntilItIsMended) {
  ConfigureBy("name=a.example entries=70 ssl3Timeout=70\n");
  for (By by : kAllWays) {
    SSL_ClearSessionCache();
    EXPECT_FALSE(Connect("a.example", by));
    EXPECT_TRUE(Connect("a.example", by));
    ConfigureBy("name=a.example entries=many ssl3Timeout=80\n");
    EXPECT_TRUE(IsClosed("a.example"));
    // The cache keeps its size and timeouts, for the sessions that it has.
    EXPECT_EQ(70u, Figures("a.example").entries);
    EXPECT_EQ(70u, Figures("a.example").ssl3TimeoutSec);
    EXPECT_FALSE(Connect("a.example", by));
    EXPECT_FALSE(Connect("a.example", by));
    // A file without the line does not open the cache again.
    ConfigureBy("name=b.example\n");
    EXPECT_TRUE(IsClosed("a.example"));
    EXPECT_EQ("", ConfigureBy("name=a.example entries=70 ssl3Timeout=70\n"));
    EXPECT_FALSE(IsClosed("a.example"));
    EXPECT_TRUE(Resumes("a.example", by));
  }
}

TEST_F(ConfigFaultTest, AClosedServerGetsItsSizeWhenItIsMended) {
  ConfigureBy("name=a.example entries=90 lock=yes\n");
  EXPECT_TRUE(IsClosed("a.example"));
  EXPECT_EQ(1u, Figures("a.example").entries);
  ConfigureBy("name=a.example entries=90\n");
  EXPECT_FALSE(IsClosed("a.example"));
  EXPECT_EQ(90u, Figures("a.example").entries);
  EXPECT_LE(90u, Figures("a.example").slots);
}

TEST_F(ConfigFaultTest, AClosedCacheIsClosedInEveryProcess) {
  ConfigureBy("name=a.example entris=5\n");
  EXPECT_EQ(0, InFork([&] {
              STAGE_CHECK(IsClosed("a.example"));
              STAGE_CHECK(!Resumes("a.example"));
              Write("name=a.example entries=5\n");
              STAGE_CHECK(Configure() == SECSuccess);
              return 0;
            }));
  EXPECT_FALSE(IsClosed("a.example"));
  EXPECT_TRUE(Resumes("a.example"));
}

// An application that changes a cache does not know the file.
TEST_F(ConfigFaultTest, AnApplicationDoesNotOpenWhatTheFileCloses) {
  ConfigureBy("name=a.example entris=5\n");
  SSLServerCacheParams params;
  memset(&params, 0, sizeof(params));
  params.length = sizeof(params);
  params.entries = 33;
  EXPECT_EQ(SECSuccess, SSL_ChangeServerCache("a.example", &params));
  EXPECT_EQ(33u, Figures("a.example").entries);
  EXPECT_TRUE(IsClosed("a.example"));
  EXPECT_EQ(SECSuccess, SSL_FlushServerCache("a.example"));
  EXPECT_TRUE(IsClosed("a.example"));
}

TEST_F(ConfigFaultTest, ALineWhoseNameCannotBeReadIsLeftOut) {
  EXPECT_EQ(
      Message(":1:1", "no name, expected name=HOST or name=*; line ignored") +
          Message(":2:6",
                  "\"no..name\" is no host name, expected one, or *; "
                  "line ignored") +
          Message(":3:21", "a second name; line ignored") +
          Message(":4:6", "no value for \"name\"; line ignored") +
          Message(":5:6", "a quotation that does not end; line ignored"),
      ConfigureBy("entries=5\n"
                  "name=no..name entries=5\n"
                  "name=a.example name=b.example\n"
                  "name=\n"
                  "name='c.example\n"
                  "name=d.example\n"));
  EXPECT_FALSE(IsThere("a.example"));
  EXPECT_FALSE(IsThere("b.example"));
  EXPECT_FALSE(IsThere("c.example"));
  EXPECT_TRUE(IsThere("d.example"));
  EXPECT_FALSE(IsClosed("d.example"));
  EXPECT_TRUE(Resumes("a.example"));  // uses the default cache
}

TEST_F(ConfigFaultTest, ANulIsAFaultOfItsLine) {
  const std::string nul(1, '\0');
  EXPECT_EQ(
      Message(":1:6",
              "\"a.example?\" is no host name, expected one, or "
              "*; line ignored") +
          Message(":2:24", std::string("entries=\"5?\", expected a number; "
                                       "cache \"b.example\"") +
                               kIsClosed) +
          Message(":4:1", "expected parameter=value; line ignored") +
          Message(":4:1",
                  "no name, expected name=HOST or name=*; line "
                  "ignored"),
      ConfigureBy("name=a.example" + nul + "\nname=b.example entries=5" + nul +
                  "\nname=c.example\n" + nul + nul + nul));
  EXPECT_TRUE(IsClosed("b.example"));
  EXPECT_FALSE(IsClosed("c.example"));
}

TEST_F(ConfigFaultTest, TwoLinesForOneServerCloseIt) {
  EXPECT_EQ(
      Message(":3:6", std::string("a second line for \"a.example\", after "
                                  "line 1; cache \"a.example\"") +
                          kIsClosed) +
          Message(":4:6", std::string("a second line for \"a.example\", "
                                      "after line 3; cache \"a.example\"") +
                              kIsClosed),
      ConfigureBy("name=a.example ssl3Timeout=300\n"
                  "name=b.example\n"
                  "name=A.Example. ssl3Timeout=30\n"
                  "name=a.example ssl3Timeout=300\n"));
  EXPECT_TRUE(IsClosed("a.example"));
  EXPECT_FALSE(IsClosed("b.example"));
  EXPECT_FALSE(Resumes("a.example"));
}

// ---- name=* ----------------------------------------------------------------

SECStatus CollectDefault(void* arg, const char* name,
                         const SSLServerCacheParams* params) {
  if (!name) *static_cast<SSLServerCacheParams*>(arg) = *params;
  return SECSuccess;
}

SSLServerCacheParams DefaultCache() {
  SSLServerCacheParams params;
  memset(&params, 0, sizeof(params));
  EXPECT_EQ(SECSuccess, SSL_ListServerCaches(CollectDefault, &params));
  return params;
}

TEST_F(ConfigFaultTest, AWrongStarLowersWhatTheApplicationAsks) {
  // The application asks for 500 entries, 50 and 60 seconds.
  EXPECT_EQ(
      Message(":1:22", std::string("ssl3Timeout=\"4O\", expected seconds, "
                                   "5m, 1h or 1d") +
                           kLowered),
      ConfigureBy("name=*   ssl3Timeout=4O entries=400 ssl2Timeout=1m "
                  "certificates=40\n"));
  EXPECT_EQ(400u, DefaultCache().entries);
  EXPECT_EQ(40u, DefaultCache().certificates);
  EXPECT_EQ(50u, DefaultCache().ssl2TimeoutSec);
  EXPECT_EQ(60u, DefaultCache().ssl3TimeoutSec);
  EXPECT_FALSE(IsClosed(nullptr));
  EXPECT_TRUE(Resumes("a.example"));
  SSL_ShutdownServerSessionIDCache();

  ConfigureBy("name=* ssl3Timeout=40 entries=600 colour=red\n");
  EXPECT_EQ(500u, DefaultCache().entries);
  EXPECT_EQ(40u, DefaultCache().ssl3TimeoutSec);
  SSL_ShutdownServerSessionIDCache();
  // 0 is the default, which is more than the application asks for.
  ConfigureBy("name=* ssl3Timeout=0 entries=0 colour=red\n");
  EXPECT_EQ(500u, DefaultCache().entries);
  EXPECT_EQ(60u, DefaultCache().ssl3TimeoutSec);
  SSL_ShutdownServerSessionIDCache();
  // Of two lines, or two values in a line, the smaller value applies.
  ConfigureBy(
      "name=* ssl3Timeout=40\nname=* ssl3Timeout=30 ssl2Timeout=20 "
      "ssl2Timeout=30\n");
  EXPECT_EQ(30u, DefaultCache().ssl3TimeoutSec);
  EXPECT_EQ(20u, DefaultCache().ssl2TimeoutSec);
}

TEST_F(ConfigFaultTest, AWrongListOfTicketKeyFilesIsAFaultOfItsLine) {
  EXPECT_EQ(Message(":1:39",
                    "ticketKeyFile=\"key\", expected paths that begin "
                    "with /, separated by commas" +
                        std::string(kLowered)),
            ConfigureBy("name=* ssl3Timeout=40 ticketKeyFile = key entries=600"
                        "\n"));
  EXPECT_EQ(500u, DefaultCache().entries);
  EXPECT_EQ(40u, DefaultCache().ssl3TimeoutSec);
  SSL_ShutdownServerSessionIDCache();
  EXPECT_EQ(Message(":1:42",
                    "ticketKeyFile and ticketSecretFile exclude each "
                    "other" +
                        std::string(kLowered)),
            ConfigureBy("name=* ticketKeyFile=/a ticketSecretFile=/b\n"));
  // For one server only there are no such files: its cache is closed.
  EXPECT_EQ(Message(":1:30",
                    "ticketKeyFile is for name=*, and then for all "
                    "caches; cache \"a.example\"" +
                        std::string(kIsClosed)),
            ConfigureBy("name=a.example ticketKeyFile=/a\nname=b.example\n"));
  EXPECT_TRUE(IsClosed("a.example"));
  EXPECT_FALSE(IsClosed("b.example"));
  EXPECT_FALSE(IsClosed(nullptr));
  for (By by : kAllWays) {
    EXPECT_FALSE(Resumes("a.example", by));
    EXPECT_TRUE(Resumes("b.example", by));
  }
}

TEST_F(ConfigFaultTest, AWrongStarIsNoReasonToForgetAClientsAddress) {
  for (const char* line :
       {"name=* matchClientAddress=maybe\n",
        "name=* matchClientAddress=no "
        "entris=5\n",
        "name=* matchClientAddress=no matchClientAddress=yes\n",
        "name=* matchClientAddress=\n",
        "name=* matchClientAddress=no\nname=* matchClientAddress=no\n"}) {
    ConfigureBy(line);
    EXPECT_FALSE(DefaultCache().anyClientAddress) << line;
  }
}

// ---- no room ---------------------------------------------------------------

TEST_F(ConfigFaultTest, WithoutRoomTheDefaultCacheKeepsToALinesLimitsToo) {
  const std::string line =
      "name=one.too.many ssl3Timeout=30 entries=5 ssl2Timeout=60\n";
  EXPECT_EQ(Message(":1026:6",
                    "no room for a cache \"one.too.many\": 1024 are there; the "
                    "cache that its clients get instead keeps to its limits "
                    "too"),
            ConfigureBy("name=* matchClientAddress=no\n" + Hosts(1024) + line));
  EXPECT_FALSE(IsThere("one.too.many"));
  EXPECT_EQ(30u, Figures(nullptr).ssl3TimeoutSec);
  EXPECT_EQ(50u, Figures(nullptr).ssl2TimeoutSec);
  EXPECT_EQ(500u, Figures(nullptr).entries);
  EXPECT_FALSE(DefaultCache().anyClientAddress);
  EXPECT_EQ(kDefaultSsl3TimeoutSec, Figures("host0.example").ssl3TimeoutSec);
  EXPECT_TRUE(Resumes("one.too.many"));
  // The same again, when the caches exist already.
  ConfigureBy("name=* ssl3Timeout=40\n" + Hosts(1024) + line);
  EXPECT_EQ(30u, Figures(nullptr).ssl3TimeoutSec);
}

// Its own rotation, which is that of all caches, stays; and before TLS 1.3 an
// age of five days does not lengthen the default of two rotations.
TEST_F(ConfigFaultTest, WithoutRoomTheTicketsOfTheDefaultCacheLiveNoLonger) {
  ConfigureBy("name=* ticketRotation=7d ticketTimeout=7d\n" + Hosts(1024) +
              "name=one.too.many maxResumptionAge=5d ticketTimeout=6d\n");
  EXPECT_EQ(604800u, DefaultCache().ticketRotationSec);
  EXPECT_EQ(518400u, DefaultCache().ticketTimeoutSec);
  EXPECT_EQ(432000u, DefaultCache().maxResumptionAgeSec);
}

TEST_F(ConfigFaultTest, WithoutAddressSpaceTheServerStaysUpAllTheSame) {
  ConfigureBy("name=small.example\n");
  std::string name, said;
  for (int i = 0; i < 64 && said.empty(); ++i) {
    name = "big" + std::to_string(i) + ".example";
    said = ConfigureBy("name=" + name + " entries=100000000 ssl3Timeout=30\n");
  }
  EXPECT_EQ(Message(":1:6", "no room for a cache \"" + name +
                                "\": out of memory or address space; the cache "
                                "that its clients get instead keeps to its "
                                "limits too"),
            said);
  EXPECT_FALSE(IsThere(name.c_str()));
  EXPECT_EQ(30u, Figures(nullptr).ssl3TimeoutSec);
  // An existing cache keeps its size.
  EXPECT_EQ(
      Message(":1:6",
              "the cache keeps its size: out of memory or address space"),
      ConfigureBy("name=small.example entries=100000000 ssl3Timeout=40\n"));
  EXPECT_EQ(40u, Figures("small.example").ssl3TimeoutSec);
}

// These limits forbid a server's cache, or its growth, but not the default
// cache.
TEST_F(ConfigFaultTest, WhatALimitForbidsTheServerDoesWithout) {
  if (snce_test::kSanitized) GTEST_SKIP() << "a sanitizer's files are larger";
  const struct {
    const char* star;
    int limit;
    rlim_t mib;
    const char* why;
  } kLimits[] = {
      {"name=*\n", RLIMIT_FSIZE, 96,
       "the limit on file size (RLIMIT_FSIZE) forbids it"},
      {"name=* lock=yes\n", RLIMIT_MEMLOCK, 8,
       "the limit on locked memory (RLIMIT_MEMLOCK) forbids it"},
  };
  const std::string later = path_ + ".later";
  for (const auto& one : kLimits) {
    const std::string star = one.star;
    Write(star +
          "name=small.example entries=1000000 ssl3Timeout=40\n"
          "name=big.example entries=100\n");
    ASSERT_EQ(0, rename(path_.c_str(), later.c_str()));
    Write(star +
          "name=small.example entries=100\n"
          "name=big.example entries=1000000 ssl3Timeout=30\n");
    for (const std::string& file : {path_, later})
      ASSERT_EQ(0, chmod(file.c_str(), 0644));
    EXPECT_EQ(
        0, InFork([&] {
          const struct rlimit limit = {one.mib << 20, one.mib << 20};
          STAGE_CHECK(setrlimit(__rlimit_resource(one.limit), &limit) == 0);
          STAGE_CHECK(geteuid() != 0 || setuid(65534) == 0);
          std::string said;
          STAGE_CHECK(Configure(&said) == SECSuccess);
          STAGE_CHECK(
              said ==
              Message(":3:6",
                      std::string("no room for a cache \"big.example\": ") +
                          one.why +
                          "; the cache that its clients get instead keeps to "
                          "its limits too"));
          STAGE_CHECK(!IsThere("big.example"));
          STAGE_CHECK(Figures(nullptr).ssl3TimeoutSec == 30);
          STAGE_CHECK(Resumes("small.example"));
          path_ = later;
          setenv(SSL_SERVER_CACHE_CONFIG, later.c_str(), 1);
          STAGE_CHECK(Configure(&said) == SECSuccess);
          STAGE_CHECK(
              said ==
              Message(":2:6",
                      std::string("the cache keeps its size: ") + one.why));
          STAGE_CHECK(Figures("small.example").ssl3TimeoutSec == 40);
          STAGE_CHECK(IsThere("big.example"));
          STAGE_CHECK(Resumes("small.example"));
          return ::testing::Test::HasFailure() ? 1 : 0;
        }))
        << one.why;
    unlink(later.c_str());
  }
}

// The application asks for 500 entries.
TEST_F(ConfigFaultTest, WithoutRoomTheDefaultCacheHasTheApplicationsSize) {
  if (snce_test::kSanitized) GTEST_SKIP() << "a sanitizer needs more of it";
  const struct {
    int limit;
    rlim_t bytes;
    const char* why;
    PRErrorCode error;
  } kLimits[] = {
      {RLIMIT_AS, rlim_t{8} << 30, "out of memory or address space",
       SEC_ERROR_NO_MEMORY},
      {RLIMIT_FSIZE, rlim_t{8} << 30,
       "the limit on file size (RLIMIT_FSIZE) forbids it",
       PR_FILE_TOO_BIG_ERROR},
  };
  Write(
      "name=a.example ssl3Timeout=70\n"
      "name=* ssl3Timeout=30 certificates=40 entries=100000000\n");
  for (const auto& one : kLimits) {
    EXPECT_EQ(
        0, InFork([&] {
          const struct rlimit limit = {one.bytes, one.bytes};
          STAGE_CHECK(setrlimit(__rlimit_resource(one.limit), &limit) == 0);
          std::string said;
          setenv(SSL_SERVER_CACHE_CONFIG_STRICT, "1", 1);
          STAGE_CHECK(Configure(&said) == SECFailure);
          STAGE_CHECK(PR_GetError() == one.error);
          const std::string what =
              std::string("no room for entries=100000000: ") + one.why;
          STAGE_CHECK(said == Message(":2:47", what + "; the call fails"));
          STAGE_CHECK(text_ + "\n" == said);
          STAGE_CHECK(!IsThere(nullptr));
          unsetenv(SSL_SERVER_CACHE_CONFIG_STRICT);
          STAGE_CHECK(Configure(&said) == SECSuccess);
          STAGE_CHECK(said == Message(":2:47", what + kOwnSize));
          STAGE_CHECK(Figures(nullptr).entries == 500);
          STAGE_CHECK(DefaultCache().certificates == 40);
          // The rest of the line, and all other lines, apply.
          STAGE_CHECK(Figures(nullptr).ssl3TimeoutSec == 30);
          STAGE_CHECK(Figures("a.example").ssl3TimeoutSec == 70);
          STAGE_CHECK(Resumes("b.example"));
          // The same again, when the cache exists already.
          STAGE_CHECK(Configure(&said) == SECSuccess);
          STAGE_CHECK(said.empty() || one.limit == RLIMIT_FSIZE);
          STAGE_CHECK(Figures(nullptr).entries == 500);
          return ::testing::Test::HasFailure() ? 1 : 0;
        }))
        << one.why;
  }
}

TEST_F(ConfigFaultTest, WithoutRoomForTheApplicationsSizeEitherTheCallFails) {
  if (snce_test::kSanitized) GTEST_SKIP() << "a sanitizer needs more of it";
  for (const char* entries : {"100000000", "99999999"}) {
    Write(std::string("name=* entries=") + entries + "\n");
    EXPECT_EQ(0, InFork([&] {
                const struct rlimit limit = {rlim_t{8} << 30, rlim_t{8} << 30};
                STAGE_CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
                STAGE_CHECK(SSL_ConfigServerSessionIDCache(
                                100000000, 0, 0, nullptr) == SECFailure);
                STAGE_CHECK(PR_GetError() == SEC_ERROR_NO_MEMORY);
                STAGE_CHECK(!IsThere(nullptr));
                return 0;
              }));
  }
}

// The default cache was made, and later there is no room for it to grow.
TEST_F(ConfigFaultTest,
       WithoutRoomToGrowTheDefaultCacheHasTheApplicationsSize) {
  ASSERT_EQ(SECSuccess, SSL_ConfigServerSessionIDCache(10, 50, 60, nullptr));
  for (int i = 0; i < 64; ++i) {
    SSLServerCacheParams params;
    memset(&params, 0, sizeof(params));
    params.length = sizeof(params);
    params.entries = 100000000;
    const std::string name = "big" + std::to_string(i) + ".example";
    if (SSL_AddServerCache(name.c_str(), &params) != SECSuccess) break;
  }
  ASSERT_EQ(SEC_ERROR_NO_MEMORY, PR_GetError());
  EXPECT_EQ(
      Message(":1:31", std::string("no room for entries=100000000: out of "
                                   "memory or address space") +
                           kOwnSize),
      ConfigureBy("name=* ssl3Timeout=30 entries=100000000\n"));
  EXPECT_EQ(30u, Figures(nullptr).ssl3TimeoutSec);
  EXPECT_EQ(500u, Figures(nullptr).entries);
}

TEST_F(ConfigFaultTest, WithoutRoomAWildcardKeepsToALinesLimitsToo) {
  const std::string line = "name=one.more.example ssl3Timeout=30\n";
  // A wildcard of this file,
  ConfigureBy(Hosts(1023) + "name=*.more.example ssl3Timeout=300\n" + line);
  EXPECT_EQ(30u, Figures("*.more.example").ssl3TimeoutSec);
  EXPECT_EQ(60u, Figures(nullptr).ssl3TimeoutSec);
  // and a wildcard that existed before.
  ConfigureBy("name=*.more.example ssl3Timeout=300\n");
  EXPECT_EQ(300u, Figures("*.more.example").ssl3TimeoutSec);
  ConfigureBy(line);
  EXPECT_EQ(30u, Figures("*.more.example").ssl3TimeoutSec);
  EXPECT_EQ(60u, Figures(nullptr).ssl3TimeoutSec);
}

TEST_F(ConfigFaultTest, WithoutRoomTheServersThatAreThereAreChangedAllTheSame) {
  ConfigureBy(Hosts(1024));
  ConfigureBy("name=one.too.many\nname=host7.example ssl3Timeout=70\n");
  EXPECT_EQ(70u, Figures("host7.example").ssl3TimeoutSec);
}

TEST_F(ConfigFaultTest, WithoutRoomAWrongLineClosesWhatItsClientsGet) {
  ConfigureBy(Hosts(1023) + "name=*.more.example\nname=one.more.example x=1\n");
  EXPECT_TRUE(IsClosed("*.more.example"));
  EXPECT_FALSE(IsClosed(nullptr));
  EXPECT_FALSE(Resumes("one.more.example"));
}

// ---- no file ---------------------------------------------------------------

// A process that configures again may no longer be permitted to read the file.
TEST_F(ConfigFaultTest, AFileThatCannotBeReadAgainRaisesNothing) {
  ConfigureBy("name=* ssl3Timeout=30 ssl2Timeout=20\n");
  ASSERT_EQ(30u, Figures(nullptr).ssl3TimeoutSec);
  ASSERT_EQ(0, unlink(path_.c_str()));
  ASSERT_EQ(SECSuccess, Configure());
  EXPECT_EQ(30u, Figures(nullptr).ssl3TimeoutSec);
  EXPECT_EQ(20u, Figures(nullptr).ssl2TimeoutSec);
  // Without a file the application's values apply again.
  unsetenv(SSL_SERVER_CACHE_CONFIG);
  ASSERT_EQ(SECSuccess, Configure());
  EXPECT_EQ(60u, Figures(nullptr).ssl3TimeoutSec);
}

TEST_F(ConfigFaultTest, AFileThatIsNoneCountsAsNoneAndIsReported) {
  const std::string none = "; the application's values count\n";
  const std::string loop = path_ + ".loop", local = path_ + ".socket";
  ASSERT_EQ(0, symlink(loop.c_str(), loop.c_str()));
  ASSERT_EQ(0, mknod(local.c_str(), S_IFSOCK | 0600, 0));
  const struct {
    std::string path, what;
  } kNone[] = {
      {path_ + "/x", "no such file"},
      {path_ + ".gone", "no such file"},
      {"/tmp", "not a regular file"},
      {"/dev/null", "not a regular file"},
      {path_ + ".socket", "not a regular file"},
      {path_ + ".loop", "too many symbolic links"},
      {std::string(5000, 'x'), "the name is too long"},
      {"", "no file is named"},
  };
  for (const auto& file : kNone) {
    setenv(SSL_SERVER_CACHE_CONFIG, file.path.c_str(), 1);
    std::string said;
    EXPECT_EQ(SECSuccess, Configure(&said)) << file.path;
    const std::string shown =
        file.path.size() > 255 ? "..." + std::string(252, 'x') : file.path;
    EXPECT_EQ("cache file " + shown + ": " + file.what + none, said);
    EXPECT_EQ(500u, Figures(nullptr).entries);
    EXPECT_EQ(60u, Figures(nullptr).ssl3TimeoutSec);
    EXPECT_TRUE(Resumes("a.example"));
    SSL_ShutdownServerSessionIDCache();
  }
  unlink(loop.c_str());
  unlink(local.c_str());
}

TEST_F(ConfigFaultTest, AFileThatThisUserMayNotReadCountsAsNone) {
  Write("name=a.example\n");
  ASSERT_EQ(0, chmod(path_.c_str(), 0));
  EXPECT_EQ(0, InFork([&] {
              STAGE_CHECK(geteuid() != 0 || setuid(65534) == 0);
              std::string said;
              STAGE_CHECK(Configure(&said) == SECSuccess);
              STAGE_CHECK(said == Message("",
                                          "this user may not read it; the "
                                          "application's values count"));
              STAGE_CHECK(!IsThere("a.example") && IsThere(nullptr));
              return 0;
            }));
}

TEST_F(ConfigFaultTest, AnEmptyFileIsReported) {
  EXPECT_EQ(Message("", "it is empty; the application's values count"),
            ConfigureBy(""));
  EXPECT_EQ("", ConfigureBy("# nothing yet\n\n"));
}

// No process writes into the pipe: a plain open would wait for ever.
TEST_F(ConfigFaultTest, APipeIsNotWaitedFor) {
  unlink(path_.c_str());
  ASSERT_EQ(0, mkfifo(path_.c_str(), 0600));
  EXPECT_EQ(0, InFork([&] {
              alarm(20);  // ends the child if it waits
              std::string said;
              STAGE_CHECK(Configure(&said) == SECSuccess);
              STAGE_CHECK(said == Message("",
                                          "not a regular file; the "
                                          "application's values count"));
              return 0;
            }));
}

TEST_F(ConfigFaultTest, AFileOfMoreThanAMebibyteCountsAsNone) {
  const std::string line = "name=a.example ssl3Timeout=30\n";
  EXPECT_EQ("", ConfigureBy(line + "#" +
                            std::string((1 << 20) - line.size() - 1, 'x')));
  EXPECT_TRUE(IsThere("a.example"));
  SSL_ShutdownServerSessionIDCache();
  EXPECT_EQ(
      Message("", "larger than 1 MiB; the application's values count"),
      ConfigureBy(line + "#" + std::string((1 << 20) - line.size(), 'x')));
  EXPECT_FALSE(IsThere("a.example"));
}

TEST_F(ConfigFaultTest, AFileThatCannotBeReadLeavesTheServersThatAreThere) {
  ConfigureBy("name=a.example ssl3Timeout=30\nname=b.example x=1\n");
  unlink(path_.c_str());
  EXPECT_EQ(SECSuccess, Configure());
  EXPECT_EQ(30u, Figures("a.example").ssl3TimeoutSec);
  EXPECT_TRUE(IsClosed("b.example"));
}

// The file may be readable a moment later, so the library does not go on
// without it.
TEST_F(ConfigFaultTest, WithoutADescriptorTheCallFails) {
  ConfigureBy("name=* ssl3Timeout=30\n");
  EXPECT_EQ(0, InFork([&] {
              const int null = open("/dev/null", O_WRONLY);
              const struct rlimit few = {rlim_t(null), rlim_t(null)};
              close(null);
              STAGE_CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0);
              STAGE_CHECK(SSL_ConfigServerSessionIDCache(0, 0, 0, nullptr) ==
                          SECFailure);
              STAGE_CHECK(PR_GetError() == PR_PROC_DESC_TABLE_FULL_ERROR);
              return 0;
            }));
  EXPECT_EQ(30u, Figures(nullptr).ssl3TimeoutSec);
}

// ---- lock=yes --------------------------------------------------------------

// A child that may lock 64 KiB configures by the file.
TEST_F(ConfigFaultTest, WhatMayNotBeLockedIsClosedInEveryCache) {
  for (const char* star : {"name=* lock=yes\n", "name=* lock=sure\n",
                           "name=*\tlock=no\tlock=yes\n"}) {
    Write(std::string("name=a.example\n") + star);
    ASSERT_EQ(0, chmod(path_.c_str(), 0644));
    EXPECT_EQ(
        0, InFork([&] {
          STAGE_CHECK(MayLockLittle());
          std::string said;
          STAGE_CHECK(Configure(&said) == SECSuccess);
          STAGE_CHECK(
              said.find(":2:13: the cache cannot be locked in memory: it "
                        "takes ") != std::string::npos ||
              said.find(":2:21: the cache cannot be locked in memory: it "
                        "takes ") != std::string::npos);
          STAGE_CHECK(said.find("(RLIMIT_MEMLOCK) is 65536; all caches are "
                                "closed\n") != std::string::npos);
          STAGE_CHECK(IsClosed(nullptr) && IsClosed("a.example"));
          // A cache that the application adds is closed too.
          STAGE_CHECK(SSL_AddServerCache("b.example", nullptr) == SECSuccess);
          STAGE_CHECK(IsClosed("b.example"));
          for (By by : kAllWays) {
            STAGE_CHECK(!Resumes("a.example", by));
            STAGE_CHECK(!Resumes("b.example", by));
            STAGE_CHECK(!Resumes("c.example", by));
          }
          STAGE_CHECK(Figures(nullptr).live == 0);
          // Another call changes nothing, and does not repeat the messages.
          STAGE_CHECK(Configure(&said) == SECSuccess);
          STAGE_CHECK(said.empty());
          STAGE_CHECK(IsClosed(nullptr) && IsClosed("a.example"));
          return ::testing::Test::HasFailure() ? 1 : 0;
        }))
        << star;
  }
}

TEST_F(ConfigFaultTest, ACacheThatIsTooLateToLockIsClosedUntilTheLineIsMended) {
  ConfigureBy("name=a.example\n");
  ASSERT_EQ(SECSuccess, SSL_AddServerCache("b.example", nullptr));
  EXPECT_EQ(Message(":1:13",
                    "too late to lock the cache in memory: it is there "
                    "already; all caches are closed"),
            ConfigureBy("name=* lock=yes\nname=a.example\nname=c.example\n"));
  for (const char* name :
       {(const char*)nullptr, "a.example", "b.example", "c.example"}) {
    EXPECT_TRUE(IsClosed(name));
  }
  EXPECT_FALSE(Resumes("a.example"));
  EXPECT_FALSE(Resumes("x.example"));
  EXPECT_EQ("", ConfigureBy("name=* lock=no\nname=a.example\nname=c.example\n"
                            "name=b.example\n"));
  for (const char* name :
       {(const char*)nullptr, "a.example", "b.example", "c.example"}) {
    EXPECT_FALSE(IsClosed(name));
  }
  EXPECT_TRUE(Resumes("a.example"));
}

}  // namespace
}  // namespace nss_test
