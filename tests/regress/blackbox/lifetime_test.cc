/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// lifetime_test.cc: how long a session lives, and by whose clock.

#include "blackbox_test.h"

namespace regress {
namespace {

class Lifetime : public OfCall {};

BLACKBOX_TEST_P(Lifetime, AliveOneMicrosecondBeforeTheTimeoutAndDeadAtIt) {
  NEEDS_MOCK_CLOCK();
  Site site(call, {100, 300});
  ExpectLifetime(&site, 0, 0, kStart, 300);
}

BLACKBOX_TEST_P(Lifetime, TheSsl2TimeoutCountsForNothingInTls) {
  NEEDS_MOCK_CLOCK();
  // The ssl2 timeout is shorter, and must not end the session early.
  Site site(call, {5, 90});
  ExpectLifetime(&site, 0, 0, kStart, 90);
}

BLACKBOX_TEST_P(Lifetime, ALongerSsl2TimeoutCountsForNothingInTls) {
  NEEDS_MOCK_CLOCK();
  Site site(call, {100, 10});
  ExpectLifetime(&site, 0, 0, kStart, 10);
}

BLACKBOX_TEST_P(Lifetime, DeadLongAfterTheTimeout) {
  NEEDS_MOCK_CLOCK();
  Site site(call, {5, 5});
  site.Begin(0, kStart);
  EXPECT_FALSE(site.Resumes(0, kStart + 3600 * kSecond));
}

INSTANTIATE_TEST_SUITE_P(Calls, Lifetime, ::testing::ValuesIn(kAllCalls),
                         CallName);

BLACKBOX_TEST(Lifetime, EveryVersionOfTlsHasTheSameTimeout) {
  NEEDS_MOCK_CLOCK();
  Site site(Call::kConfig, {5, 60});
  SSLVersionRange supported;
  ASSERT_TRUE(StartNss());
  ASSERT_EQ(SECSuccess,
            SSL_VersionRangeGetSupported(ssl_variant_stream, &supported));
  for (uint16_t version = SSL_LIBRARY_VERSION_TLS_1_0;
       version <= SSL_LIBRARY_VERSION_TLS_1_2; ++version) {
    if (version < supported.min) continue;  // a policy may forbid it
    Side client;
    client.version = version;
    Side server = client;
    const std::string visitor = "version " + std::to_string(version);
    server.clock = kStart;
    EXPECT_FALSE(site.Meet(0, server, client, visitor).server.resumed);
    server.clock = kStart + 60 * kSecond - 1;
    EXPECT_TRUE(site.Meet(0, server, client, visitor).server.resumed)
        << visitor;
    server.clock = kStart + 60 * kSecond;
    EXPECT_FALSE(site.Meet(0, server, client, visitor).server.resumed)
        << visitor;
  }
}

// The mock clocks of these two tests are decades before and after the process's
// clock.
BLACKBOX_TEST(Lifetime, ASocketsClockBehindTheProcesssRules) {
  NEEDS_MOCK_CLOCK();
  Site site(Call::kConfig, {5, 60});
  ExpectLifetime(&site, 0, 0, 100 * kSecond, 60);
}

BLACKBOX_TEST(Lifetime, ASocketsClockAheadOfTheProcesssRules) {
  NEEDS_MOCK_CLOCK();
  Site site(Call::kConfig, {5, 60});
  ExpectLifetime(&site, 0, 0, PR_Now() + 30 * 365 * 86400 * kSecond, 60);
}

// Each socket of a server has its own clock. The clock of the socket that looks
// the session up decides.
BLACKBOX_TEST(Lifetime, TheClockOfTheSocketThatAsksDecides) {
  NEEDS_MOCK_CLOCK();
  Site site(Call::kConfig, {5, 60});
  site.Begin(0, kStart, "early");
  site.Begin(0, kStart + 30 * kSecond, "late");
  EXPECT_TRUE(site.Resumes(0, kStart + 60 * kSecond - 1, "early"));
  EXPECT_TRUE(site.Resumes(0, kStart + 60 * kSecond, "late"));
  EXPECT_FALSE(site.Resumes(0, kStart + 60 * kSecond, "early"));
  EXPECT_TRUE(site.Resumes(0, kStart + 90 * kSecond - 1, "late"));
  EXPECT_FALSE(site.Resumes(0, kStart + 90 * kSecond, "late"));
}

}  // namespace
}  // namespace regress
