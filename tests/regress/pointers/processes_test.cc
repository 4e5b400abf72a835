/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */
// processes_test.cc: a child that inherits the cache, by fork or by exec, obeys
// the timeouts that its parent configured.

#include <cstdlib>

#include "pointer_test.h"

namespace nss_test {
namespace {

// Returns session |n|, the same in every process, as protocol code would make
// it at kStart.
ShimFields Numbered(uint32_t n, const Version& version) {
  ShimFields fields = SampleFields(n, kStart);
  fields.version = version.number;
  fields.expirationTime = kStart + kTicketLifetime;
  return fields;
}
constexpr uint32_t kOfParent = 100;
constexpr uint32_t kOfChild = 200;

// Caches sessions |first| and following, one of each version.
void CacheNumbered(const Server& server, uint32_t first) {
  for (const Version& version : kVersions) {
    ShimFields fields = Numbered(first++, version);
    server.Cache(Sid(ShimNewSid(&fields, nullptr)));
  }
}

// Succeeds if these sessions live for the timeouts of their classes, and report
// that end when they are found.
::testing::AssertionResult NumberedLiveFor(Server* server, uint32_t first,
                                           uint32_t ssl2, uint32_t ssl3) {
  for (const Version& version : kVersions) {
    const ShimFields fields = Numbered(first++, version);
    const PRTime end = kStart + (version.is_ssl2() ? ssl2 : ssl3) * kSecond;
    server->SetClock(kStart);
    Sid found = server->Lookup(fields);
    if (!found || Fields(found).expirationTime != end) {
      return ::testing::AssertionFailure()
             << (found ? "found with another expirationTime" : "not found")
             << ", " << version.name;
    }
    ::testing::AssertionResult result = server->Ends(fields, end);
    if (!result) return result << ", " << version.name;
  }
  server->SetClock(kStart);
  return ::testing::AssertionSuccess();
}

// STAGE_CHECK that also prints the assertion's message.
#define STAGE_EXPECT(expression)                            \
  do {                                                      \
    ::testing::AssertionResult result = (expression);       \
    if (!result) fprintf(stderr, "%s\n", result.message()); \
    STAGE_CHECK(result);                                    \
  } while (0)

// Runs in a child whose parent configured these timeouts and cached sessions.
// Checks those, and caches sessions for the parent.
int ObeyAndCache(uint32_t ssl2, uint32_t ssl3) {
  Server server;
  STAGE_EXPECT(NumberedLiveFor(&server, kOfParent, ssl2, ssl3));
  STAGE_EXPECT(server.AllLiveFor(ssl2, ssl3));
  for (const Version& version : kClasses) {
    STAGE_CHECK(Fields(server.MakeCached(version)).expirationTime ==
                kStart + (version.is_ssl2() ? ssl2 : ssl3) * kSecond);
  }
  CacheNumbered(server, kOfChild);
  return 0;
}

// Arguments: ssl2 timeout, ssl3 timeout; "late" to inherit after NSS was
// started.
STAGE(InheritAndObey) {
  const bool late = args.size() > 2;
  if (late) StartNss();
  STAGE_CHECK(SSL_InheritMPServerSIDCache(nullptr) == SECSuccess);
  if (!late) StartNss();
  return ObeyAndCache(atoi(args[0].c_str()), atoi(args[1].c_str()));
}

struct Times {
  const char* name;
  uint32_t ssl2;
  uint32_t ssl3;
};
void PrintTo(const Times& times, std::ostream* os) {
  *os << times.ssl2 << " and " << times.ssl3;
}
constexpr Times kTimes[] = {{"Ssl2Shorter", 20, 3000},
                            {"Ssl3Shorter", 90, 7},
                            {"Shortest", 5, 5},
                            {"Longest", kLongestSsl2, kLongestSsl3}};

class Children : public PointerTest,
                 public ::testing::WithParamInterface<Times> {
 protected:
  static uint32_t ssl2() { return GetParam().ssl2; }
  static uint32_t ssl3() { return GetParam().ssl3; }
  static void ConfigureShared() {
    ASSERT_EQ(SECSuccess,
              SSL_ConfigMPServerSIDCache(1000, ssl2(), ssl3(), nullptr));
  }
  static std::vector<std::string> Arguments() {
    return {std::to_string(ssl2()), std::to_string(ssl3())};
  }
  static int ForkedChild(bool inherits) {
    return InFork([inherits] {
      if (inherits) {
        STAGE_CHECK(SSL_InheritMPServerSIDCache(nullptr) == SECSuccess);
      }
      return ObeyAndCache(ssl2(), ssl3());
    });
  }
};
INSTANTIATE_TEST_SUITE_P(Timeouts, Children, ::testing::ValuesIn(kTimes),
                         CaseName());

TEST_P(Children, ByForkThatInheritObeyBothTimeouts) {
  ConfigureShared();
  CacheNumbered(*server_, kOfParent);
  EXPECT_EQ(0, ForkedChild(true));
}

TEST_P(Children, ByForkOfACacheForOneProcessObeyBothTimeouts) {
  Configure(ssl2(), ssl3());
  CacheNumbered(*server_, kOfParent);
  EXPECT_EQ(0, ForkedChild(false));
}

TEST_P(Children, ByExecObeyBothTimeouts) {
  ConfigureShared();
  CacheNumbered(*server_, kOfParent);
  EXPECT_EQ(0, InExec("InheritAndObey", Arguments()));
}

TEST_P(Children, ByExecThatInheritAfterNssInitObeyBothTimeouts) {
  ConfigureShared();
  CacheNumbered(*server_, kOfParent);
  std::vector<std::string> arguments = Arguments();
  arguments.push_back("late");
  EXPECT_EQ(0, InExec("InheritAndObey", arguments));
}

TEST_P(Children, ByForkPutSessionsThereThatDieInTheParentOnTime) {
  ConfigureShared();
  CacheNumbered(*server_, kOfParent);
  ASSERT_EQ(0, ForkedChild(true));
  EXPECT_TRUE(NumberedLiveFor(server_.get(), kOfChild, ssl2(), ssl3()));
}

TEST_P(Children, ByExecPutSessionsThereThatDieInTheParentOnTime) {
  ConfigureShared();
  CacheNumbered(*server_, kOfParent);
  ASSERT_EQ(0, InExec("InheritAndObey", Arguments()));
  EXPECT_TRUE(NumberedLiveFor(server_.get(), kOfChild, ssl2(), ssl3()));
}

TEST_P(Children, ThatInheritLeaveTheParentItsTimeouts) {
  ConfigureShared();
  CacheNumbered(*server_, kOfParent);
  ASSERT_EQ(0, ForkedChild(true));
  CacheNumbered(*server_, kOfParent);  // the child found them expired
  ASSERT_EQ(0, InExec("InheritAndObey", Arguments()));
  EXPECT_TRUE(server_->AllLiveFor(ssl2(), ssl3()));
}

TEST_P(Children, ThatInheritFromAParentConfiguredTwiceObeyTheSecond) {
  ASSERT_EQ(SECSuccess, SSL_ConfigMPServerSIDCache(1000, 33, 44, nullptr));
  CacheNumbered(*server_, kOfParent);
  ConfigureShared();
  EXPECT_EQ(0, ForkedChild(true));
  CacheNumbered(*server_, kOfParent);  // the child found them expired
  EXPECT_EQ(0, InExec("InheritAndObey", Arguments()));
}

TEST_P(Children, ThatInheritTheSecondOfTwoCachesObeyItsTimeouts) {
  ASSERT_EQ(SECSuccess, SSL_ConfigMPServerSIDCache(1000, 33, 44, nullptr));
  SSL_ShutdownServerSessionIDCache();
  ConfigureShared();
  CacheNumbered(*server_, kOfParent);
  EXPECT_EQ(0, ForkedChild(true));
  CacheNumbered(*server_, kOfParent);  // the child found them expired
  EXPECT_EQ(0, InExec("InheritAndObey", Arguments()));
}

}  // namespace
}  // namespace nss_test
