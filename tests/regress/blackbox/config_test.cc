/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// config_test.cc: one cache after another, and a cache configured again.

#include "blackbox_test.h"

namespace regress {
namespace {

// ---- OneAfterAnother ----

class OneAfterAnother : public OfCall {};

// Shuts the cache down and configures the next one with |timeouts| in this
// process.
void Next(Site* site, Call call, Timeouts timeouts) {
  EXPECT_EQ(SECSuccess, SSL_ShutdownServerSessionIDCache());
  ASSERT_EQ(SECSuccess, site->ConfigureAgain(0, call, timeouts));
}

BLACKBOX_TEST_P(OneAfterAnother, AShorterOneHasItsOwnTimeout) {
  NEEDS_MOCK_CLOCK();
  Site site(call, {100, 300});
  ExpectLifetime(&site, 0, 0, kStart, 300);
  Next(&site, call, {5, 20});
  ExpectLifetime(&site, 0, 0, kStart, 20);
}

BLACKBOX_TEST_P(OneAfterAnother, ALongerOneHasItsOwnTimeout) {
  NEEDS_MOCK_CLOCK();
  Site site(call, {5, 20});
  ExpectLifetime(&site, 0, 0, kStart, 20);
  Next(&site, call, {100, 300});
  ExpectLifetime(&site, 0, 0, kStart, 300);
}

BLACKBOX_TEST_P(OneAfterAnother, TheDefaultIsNotTheOneBefore) {
  NEEDS_MOCK_CLOCK();
  Site site(call, {5, 20});
  Next(&site, call, {0, 0});
  ExpectLifetime(&site, 0, 0, kStart, kDefaultSsl3TimeoutSec);
}

BLACKBOX_TEST_P(OneAfterAnother, TheFirstOnesSessionsEndedWithIt) {
  NEEDS_MOCK_CLOCK();
  Site site(call, {100, 300});
  site.Begin(0, kStart);
  Next(&site, call, {100, 300});
  EXPECT_FALSE(site.Resumes(0, kStart + 1));
}

INSTANTIATE_TEST_SUITE_P(Calls, OneAfterAnother, ::testing::ValuesIn(kAllCalls),
                         CallName);

BLACKBOX_TEST(OneAfterAnother, ManyInTurn) {
  NEEDS_MOCK_CLOCK();
  Site site(Call::kConfig, {5, 50});
  for (PRUint32 timeout : {10u, 500u, 86400u, 5u, 100u}) {
    Next(&site, Call::kConfig, {5, timeout});
    ExpectLifetime(&site, 0, 0, kStart, timeout);
  }
}

// The calls for one process come first: in the other order stock NSS crashes
// because of the client cache's lock, which says nothing about timeouts.
BLACKBOX_TEST(OneAfterAnother, ByAnotherCallEach) {
  NEEDS_MOCK_CLOCK();
  Site site(Call::kConfig, {5, 50});
  PRUint32 timeout = 60;
  for (Call call :
       {Call::kWithOpt, Call::kConfig, Call::kMpFork, Call::kWithOptShared}) {
    Next(&site, call, {5, timeout});
    ExpectLifetime(&site, 0, 0, kStart, timeout);
    timeout += 10;
  }
}

// ---- Retimed ----

class Retimed : public OfCall {};

BLACKBOX_TEST_P(Retimed, AShorterTimeoutShortensWhatIsThere) {
  NEEDS_MOCK_CLOCK();
  Site site(call, {100, 300});
  const std::string visitor = NewVisitor();
  site.Begin(0, kStart, visitor);
  ASSERT_EQ(SECSuccess, site.ConfigureAgain(0, call, {5, 20}));
  for (size_t server = 0; server < site.servers(); ++server) {
    EXPECT_TRUE(site.Resumes(server, kStart + 20 * kSecond - 1, visitor));
  }
  EXPECT_FALSE(
      site.Resumes(site.servers() - 1, kStart + 20 * kSecond, visitor));
}

BLACKBOX_TEST_P(Retimed, ALongerTimeoutLengthensWhatIsThere) {
  NEEDS_MOCK_CLOCK();
  Site site(call, {5, 20});
  const std::string visitor = NewVisitor();
  site.Begin(0, kStart, visitor);
  ASSERT_EQ(SECSuccess, site.ConfigureAgain(0, call, {100, 300}));
  const size_t judge = site.servers() - 1;
  EXPECT_TRUE(site.Resumes(judge, kStart + 300 * kSecond - 1, visitor));
  EXPECT_FALSE(site.Resumes(judge, kStart + 300 * kSecond, visitor));
}

BLACKBOX_TEST_P(Retimed, TheTimesThatASessionTellsFollow) {
  NEEDS_MOCK_CLOCK();
  Site site(call, {100, 300});
  site.Begin(0, kStart);
  ASSERT_EQ(SECSuccess, site.ConfigureAgain(0, call, {5, 20}));
  Side serving;
  serving.clock = kStart + kSecond;
  const Outcome resumed = site.Meet(0, serving).server;
  EXPECT_TRUE(resumed.resumed);
  EXPECT_EQ(kStart / kSecond, resumed.created);
  EXPECT_EQ(kStart / kSecond + 20, resumed.expires);
}

INSTANTIATE_TEST_SUITE_P(Calls, Retimed, ::testing::ValuesIn(kAllCalls),
                         CallName);

TEST(Retimed, AChildReTimesItForAll) {
  for (Call call : kSharedCalls) {
    InOwnProcess([call] {
      NEEDS_MOCK_CLOCK();
      Site site(call, {100, 300});
      site.Begin(0, kStart);
      ASSERT_EQ(SECSuccess, site.ConfigureAgain(1, call, {5, 20}));
      EXPECT_TRUE(site.Resumes(2, kStart + 20 * kSecond - 1));
      EXPECT_FALSE(site.Resumes(2, kStart + 20 * kSecond));
      ExpectLifetime(&site, 0, 2, kStart, 20);
    });
  }
}

}  // namespace
}  // namespace regress
