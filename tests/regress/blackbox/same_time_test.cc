/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// same_time_test.cc: caches that exist at the same time. Tech Note 8 intended
// them, but NSS never had them. Here they are virtual servers, by the calls of
// sslsnce.h. A libssl without these calls is not judged.

#include <string.h>

#include "blackbox_test.h"
#include "sslsnce/sslsnce.h"

namespace regress {
namespace {

class AtTheSameTime : public OfCall {};

SECStatus Give(bool add, const char* name, PRUint32 timeout) {
  SSLServerCacheParams params;
  memset(&params, 0, sizeof(params));
  params.length = sizeof(params);
  params.entries = 1000;
  params.ssl3TimeoutSec = timeout;
  return add ? SSL_AddServerCache(name, &params)
             : SSL_ChangeServerCache(name, &params);
}

// Returns whether a client that asks for |host| resumes its session.
bool ResumesFor(Site* site, size_t server, const char* host, PRTime clock) {
  Side serving;
  serving.clock = clock;
  Side visiting;
  strncpy(visiting.host, host, sizeof(visiting.host) - 1);
  return site->Meet(server, serving, visiting, host).server.resumed;
}

void ExpectLifetimeFor(Site* site, const char* host, PRTime timeout) {
  const PRTime end = kStart + timeout * kSecond;
  EXPECT_FALSE(ResumesFor(site, 0, host, kStart)) << host;
  for (size_t judge = 0; judge < site->servers(); ++judge) {
    EXPECT_TRUE(ResumesFor(site, judge, host, end - 1))
        << host << " dead 1 us before " << timeout << " s, by server " << judge;
  }
  EXPECT_FALSE(ResumesFor(site, site->servers() - 1, host, end))
      << host << " alive at " << timeout << " s";
}

#define NEEDS_VIRTUAL_SERVERS()                        \
  if (!SSL_GetExperimentalAPI("SSL_AddServerCache")) { \
    GTEST_SKIP() << "no virtual servers in this NSS";  \
  }

BLACKBOX_TEST_P(AtTheSameTime, EachCacheHasItsOwnTimeout) {
  NEEDS_VIRTUAL_SERVERS();
  Site site(call, {5, 300});
  ASSERT_EQ(SECSuccess, Give(true, "short.example", 10));
  ASSERT_EQ(SECSuccess, Give(true, "*.long.example", 86400));
  ExpectLifetimeFor(&site, "short.example", 10);
  ExpectLifetimeFor(&site, "www.long.example", 86400);
  ExpectLifetimeFor(&site, "other.example", 300);
}

BLACKBOX_TEST_P(AtTheSameTime, TheFirstOnesTimeoutIsNotTheLastOnes) {
  NEEDS_VIRTUAL_SERVERS();
  Site site(call, {5, 10});
  for (PRUint32 timeout : {20u, 30u, 40u, 50u}) {
    const std::string name = "host" + std::to_string(timeout) + ".example";
    ASSERT_EQ(SECSuccess, Give(true, name.c_str(), timeout));
  }
  ExpectLifetimeFor(&site, "host30.example", 30);
  ExpectLifetimeFor(&site, "host50.example", 50);
  ExpectLifetimeFor(&site, "host20.example", 20);
  ExpectLifetimeFor(&site, "other.example", 10);
}

BLACKBOX_TEST_P(AtTheSameTime, ReTimingOneMovesNoOther) {
  NEEDS_VIRTUAL_SERVERS();
  Site site(call, {5, 300});
  ASSERT_EQ(SECSuccess, Give(true, "a.example", 400));
  ASSERT_EQ(SECSuccess, Give(true, "b.example", 500));
  ASSERT_EQ(SECSuccess, Give(false, "a.example", 20));
  ExpectLifetimeFor(&site, "a.example", 20);
  ExpectLifetimeFor(&site, "b.example", 500);
  ExpectLifetimeFor(&site, "other.example", 300);
  ASSERT_EQ(SECSuccess, site.ConfigureAgain(0, call, {5, 30}));
  ASSERT_EQ(SECSuccess, SSL_FlushServerCache("b.example"));
  ExpectLifetimeFor(&site, "b.example", 500);
}

INSTANTIATE_TEST_SUITE_P(Calls, AtTheSameTime, ::testing::ValuesIn(kAllCalls),
                         CallName);

}  // namespace
}  // namespace regress
