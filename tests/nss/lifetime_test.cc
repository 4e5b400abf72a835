/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// lifetime_test.cc: how long a session may be resumed by tickets: ticketTimeout
// for each ticket, maxResumptionAge for all of them together, ticketRotation
// for the keys.

#include <cstring>
#include <string>

#include "prerror.h"
#include "secerr.h"
#include "ssl.h"
#include "sslexp.h"
#include "sslsnce/sslsnce.h"
#include "test_tickets.h"

namespace nss_test {
namespace {

class LifetimeTest : public TicketFixture {
 protected:
  void SetUp() override {
    TicketFixture::SetUp();
    options_.server_no_cache = true;
  }

  // Changes the limits of the cache |name|; 0 stands for a default.
  void Limit(const char* name, PRUint32 ticket, PRUint32 age,
             PRUint32 rotation = 0) {
    SSLServerCacheParams params = {};
    params.length = sizeof(params);
    params.ticketTimeoutSec = ticket;
    params.maxResumptionAgeSec = age;
    params.ticketRotationSec = rotation;
    ASSERT_EQ(SECSuccess, SSL_ChangeServerCache(name, &params));
  }
  // Makes a connection; returns whether it resumed.
  bool Resumes() {
    std::unique_ptr<Connection> connection = Connect();
    hint_ = ShimTicketHint(ShimSocketSid(connection->client()));
    SSLChannelInfo info = {};
    EXPECT_EQ(SECSuccess,
              SSL_GetChannelInfo(connection->server(), &info, sizeof(info)));
    expires_ = info.expirationTime;
    return connection->resumed();
  }
  PRUint32 hint_ = 0;     // of the last ticket that the client has got
  PRUint32 expires_ = 0;  // what the server's socket said of the last session
};
INSTANTIATE_TEST_SUITE_P(Versions, LifetimeTest,
                         ::testing::Values(SSL_LIBRARY_VERSION_TLS_1_2,
                                           SSL_LIBRARY_VERSION_TLS_1_3));

// ---- ticketTimeout ----

TEST_P(LifetimeTest, ATicketMayBeUsedForTwoDays) {
  ASSERT_FALSE(Resumes());
  EXPECT_EQ(172800u, hint_);
  clock_ += 2 * kDay - 1;
  EXPECT_TRUE(Resumes());
  // In TLS 1.3 that connection got a new one.
  clock_ += Is13() ? 2 * kDay : 1;
  EXPECT_FALSE(Resumes());
}

TEST_P(LifetimeTest, ATicketEndsWhenTheTimeoutSays) {
  Limit(nullptr, 60, 0);
  ASSERT_FALSE(Resumes());
  EXPECT_EQ(60u, hint_);
  clock_ += 60 * kSecond - 1;
  EXPECT_TRUE(Resumes());
  clock_ += Is13() ? 60 * kSecond : 1;
  EXPECT_FALSE(Resumes());
}

TEST_P(LifetimeTest, AShorterTimeoutHoldsForTicketsThatAreOut) {
  ASSERT_FALSE(Resumes());
  Limit(nullptr, 60, 0);
  clock_ += 60 * kSecond;
  EXPECT_FALSE(Resumes());
}

TEST_P(LifetimeTest, AWeekIsTheMost) {
  Limit(nullptr, 1000000, 1000000);
  ShimResetTicketKeys();
  ASSERT_FALSE(Resumes());
  EXPECT_EQ(604800u, hint_);
  clock_ += 7 * kDay - 1;
  EXPECT_TRUE(Resumes());
  clock_ += 1;
  EXPECT_FALSE(Resumes());
}

TEST_P(LifetimeTest, FiveSecondsAreTheLeast) {
  Limit(nullptr, 1, 1);
  ASSERT_FALSE(Resumes());
  EXPECT_EQ(5u, hint_);
}

TEST_P(LifetimeTest, EachCacheHasItsOwn) {
  SSLServerCacheParams params = {};
  params.length = sizeof(params);
  params.ticketTimeoutSec = 30;
  ASSERT_EQ(SECSuccess, SSL_AddServerCache("b.example", &params));
  options_.url = "b.example";
  ASSERT_FALSE(Resumes());
  EXPECT_EQ(30u, hint_);
  options_.url = "a.example";
  ASSERT_FALSE(Resumes());
  EXPECT_EQ(172800u, hint_);
  clock_ += 30 * kSecond;
  EXPECT_TRUE(Resumes());
  options_.url = "b.example";
  EXPECT_FALSE(Resumes());
}

TEST_P(LifetimeTest, AKeyLivesAsLongAsTheLongestTicketOfAnyCache) {
  SSLServerCacheParams params = {};
  params.length = sizeof(params);
  params.ticketTimeoutSec = params.maxResumptionAgeSec = 604800;
  ASSERT_EQ(SECSuccess, SSL_AddServerCache("b.example", &params));
  options_.url = "b.example";
  // The last ticket under the first key.
  ASSERT_FALSE(Current().empty());
  clock_ += kDay - 1;
  ASSERT_FALSE(Resumes());
  EXPECT_EQ(604800u, hint_);
  for (int day = 0; day < 6; ++day) {
    clock_ += kDay;
    Current();
  }
  clock_ += kDay - 1;
  EXPECT_TRUE(Resumes());
}

// A key that is there already does not live longer. The client is told so.
TEST_P(LifetimeTest, ALongerTimeoutCountsFromTheNextKeyOn) {
  ASSERT_FALSE(Current().empty());
  Limit(nullptr, 604800, 604800);
  clock_ += kDay / 2;
  ASSERT_FALSE(Resumes());
  EXPECT_EQ(86400u / 2 + 172800, hint_);
  // Of the first two keys both were made before.
  clock_ += 2 * kDay;
  Current();
  options_.peer_id = "another";
  ASSERT_FALSE(Resumes());
  EXPECT_EQ(604800u, hint_);
}

// ---- maxResumptionAge ----

// A connection that began while its clock was ahead.
TEST_P(LifetimeTest, ASessionOfTheFutureIsAsOldAsItsTicket) {
  if (!Is13()) return;
  Limit(nullptr, 100, 100);
  {
    clock_ = kStart + 365 * kDay;
    Connection connection(&listener_, options_);
    ASSERT_TRUE(connection.Handshake() && connection.Talk());
    clock_ = kStart;
    ASSERT_EQ(SECSuccess,
              SSL_SendSessionTicket(connection.server(), nullptr, 0));
    ASSERT_TRUE(connection.Talk());
  }
  clock_ += 50 * kSecond;
  ASSERT_TRUE(Resumes());
  clock_ += 60 * kSecond;
  EXPECT_FALSE(Resumes());
}

TEST_P(LifetimeTest, RenewalsEndWithTheSession) {
  Limit(nullptr, 60, 200);
  ASSERT_FALSE(Resumes());
  const PRTime began = clock_;
  bool resumed = true;
  while (resumed) {
    ASSERT_LT(clock_, began + 1000 * kSecond);
    clock_ += 50 * kSecond;
    resumed = Resumes();
    if (resumed) {
      EXPECT_LT(clock_, began + 200 * kSecond);
    }
  }
  // TLS 1.2 renews no ticket that is valid.
  EXPECT_EQ(began + (Is13() ? 200 : 100) * kSecond, clock_);
  // A new session has begun.
  EXPECT_TRUE(Resumes());
}

TEST_P(LifetimeTest, TheLastTicketsAreShorter) {
  Limit(nullptr, 60, 100);
  ASSERT_FALSE(Resumes());
  EXPECT_EQ(60u, hint_);
  clock_ += 50 * kSecond;
  ASSERT_TRUE(Resumes());
  EXPECT_EQ(Is13() ? 50u : 60u, hint_);
  if (!Is13()) return;
  clock_ += 50 * kSecond - 1;
  ASSERT_TRUE(Resumes());
  EXPECT_EQ(1u, hint_);
}

TEST_P(LifetimeTest, AShorterAgeHoldsForSessionsThatHaveBegun) {
  ASSERT_FALSE(Resumes());
  clock_ += 50 * kSecond;
  ASSERT_TRUE(Resumes());
  Limit(nullptr, 0, 60);
  clock_ += 10 * kSecond - 1;
  ASSERT_TRUE(Resumes());
  clock_ += 1;
  EXPECT_FALSE(Resumes());
}

// RFC 9325, section 3.4: before TLS 1.3, two rotations.
TEST_P(LifetimeTest, ByDefaultTheAgeIsAWeekOrTwoRotations) {
  Limit(nullptr, 604800, 0);
  ShimResetTicketKeys();
  ASSERT_FALSE(Resumes());
  EXPECT_EQ(Is13() ? 604800u : 172800u, hint_);
  clock_ += 2 * kDay - 1;
  EXPECT_TRUE(Resumes());
  clock_ += 1;
  EXPECT_EQ(Is13(), Resumes());
}

TEST_P(LifetimeTest, AClientThatComesEachDayMakesAFullHandshakeEachWeek) {
  int full = 0;
  for (int day = 0; day < 70; ++day) {
    full += !Resumes();
    clock_ += kDay;
  }
  // In TLS 1.2 its ticket expires after two days.
  EXPECT_EQ(Is13() ? 10 : 35, full);
}

TEST_P(LifetimeTest, TheSocketTellsWhenASessionEnds) {
  options_.server_no_cache = false;
  options_.peer_id = "with a cache";
  Limit(nullptr, 60, 100);
  ASSERT_FALSE(Resumes());
  if (Is13()) {
    EXPECT_EQ(PRUint32(clock_ / kSecond) + 60, expires_);
  }
  clock_ += 50 * kSecond;
  ASSERT_TRUE(Resumes());
  EXPECT_EQ(PRUint32(clock_ / kSecond) + (Is13() ? 50 : 10), expires_);
}

// ---- ticketRotation ----

TEST_P(LifetimeTest, KeysRotateAsOftenAsIsAsked) {
  Limit(nullptr, 0, 0, 60);
  ShimResetTicketKeys();
  const std::string first = Current();
  clock_ += 60 * kSecond - 1;
  EXPECT_EQ(first, Current());
  clock_ += 1;
  EXPECT_NE(first, Current());
}

TEST_P(LifetimeTest, AShorterRotationCountsAtOnce) {
  const std::string first = Current();
  clock_ += 100 * kSecond;
  EXPECT_EQ(first, Current());
  Limit(nullptr, 0, 0, 60);
  const std::string second = Current();
  EXPECT_NE(first, second);
  clock_ += 60 * kSecond - 1;
  EXPECT_EQ(second, Current());
  clock_ += 1;
  EXPECT_NE(second, Current());
  EXPECT_NE(first, Current());
}

// The key that was made for the next day is no successor of one that ends in a
// minute.
TEST_P(LifetimeTest, AfterAShorterRotationEachKeyHasASuccessor) {
  Current();
  ASSERT_EQ(2u, ShimCountTicketKeys());
  Limit(nullptr, 0, 0, 60);
  clock_ += 100 * kSecond;
  Current();
  EXPECT_EQ(4u, ShimCountTicketKeys());
}

TEST_P(LifetimeTest, TicketsOutliveTheirKeysUse) {
  Limit(nullptr, 600, 600, 60);
  ShimResetTicketKeys();
  ASSERT_FALSE(Resumes());
  for (int minute = 1; minute < 10; ++minute) {
    clock_ += 60 * kSecond;
    ASSERT_TRUE(Resumes()) << minute;
  }
  clock_ += 60 * kSecond;
  EXPECT_FALSE(Resumes());
}

TEST_P(LifetimeTest, AMinuteIsTheShortestRotation) {
  Limit(nullptr, 0, 0, 1);
  ShimResetTicketKeys();
  const std::string first = Current();
  clock_ += 60 * kSecond - 1;
  EXPECT_EQ(first, Current());
}

TEST_P(LifetimeTest, OnlyTheDefaultCacheHasARotation) {
  ASSERT_EQ(SECSuccess, SSL_AddServerCache("b.example", nullptr));
  SSLServerCacheParams params = {};
  params.length = sizeof(params);
  params.ticketRotationSec = 60;
  EXPECT_EQ(SECFailure, SSL_ChangeServerCache("b.example", &params));
  EXPECT_EQ(SEC_ERROR_INVALID_ARGS, PR_GetError());
  EXPECT_EQ(SECFailure, SSL_AddServerCache("c.example", &params));
  EXPECT_EQ(SEC_ERROR_INVALID_ARGS, PR_GetError());
}

}  // namespace
}  // namespace nss_test
