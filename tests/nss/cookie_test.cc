/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// cookie_test.cc: the cookie of a HelloRetryRequest that one process makes and
// another one opens, while the ticket keys rotate or are replaced between the
// two. The second process has nothing but the cookie: its socket has not seen
// the first ClientHello.

#include <unistd.h>

#include <string>

#include "key_files.h"
#include "prerror.h"
#include "ssl.h"
#include "sslerr.h"
#include "sslexp.h"
#include "sslsnce/sslsnce.h"
#include "test_tickets.h"

namespace nss_test {
namespace {

constexpr PRTime kHour = 3600 * kSecond;

// Requests a second ClientHello from each client, and counts the calls.
SSLHelloRetryRequestAction Retry(PRBool first, const PRUint8*, unsigned int,
                                 PRUint8*, unsigned int*, unsigned int,
                                 void* calls) {
  ++*static_cast<int*>(calls);
  return first ? ssl_hello_retry_request : ssl_hello_retry_accept;
}

class CookieTest : public NssTest {
 protected:
  void SetUp() override {
    NssTest::SetUp();
    options_.version = SSL_LIBRARY_VERSION_TLS_1_3;
    options_.tickets = true;
    options_.server_clock = &clock_;
    Configure("");
  }
  void TearDown() override {
    Configure("");  // so that the next test's keys are made at random
    NssTest::TearDown();
  }
  void Configure(const std::string& parameters) {
    ASSERT_TRUE(files_.Configure(parameters));
    ASSERT_EQ(SECSuccess, SSL_ConfigServerSessionIDCache(1000, 0, 0, nullptr));
  }
  void UseSecrets(const std::string& text, const std::string& more = "") {
    ASSERT_TRUE(files_.Write("one", text));
    Configure("ticketSecretFile=" + files_.Path("one") + " " + more);
  }
  // The client gets its cookie from a process that does nothing else.
  void GetCookie() {
    connection_.reset(new Connection(&listener_, options_));
    calls_ = 0;
    ASSERT_EQ(SECSuccess, SSL_HelloRetryRequestCallback(connection_->server(),
                                                        Retry, &calls_));
    ASSERT_EQ(SECFailure, SSL_ForceHandshake(connection_->client()));
    ASSERT_EQ(0, InFork([this] {
                for (int tries = 0; tries < 10000 && calls_ == 0; ++tries) {
                  STAGE_CHECK(SSL_ForceHandshake(connection_->server()) ==
                              SECFailure);
                  STAGE_CHECK(PR_GetError() == PR_WOULD_BLOCK_ERROR);
                  usleep(1000);
                }
                return calls_ == 1 ? 0 : 1;
              }));
  }
  // This process goes on with that client.
  ::testing::AssertionResult Opens() {
    const bool ok = connection_->Handshake() && connection_->Talk();
    // Once, for the second ClientHello; not at all if there was no cookie.
    if (ok && calls_ == 1) return ::testing::AssertionSuccess();
    return ::testing::AssertionFailure()
           << calls_ << " calls, server "
           << PR_ErrorToName(connection_->server_error()) << ", client "
           << PR_ErrorToName(connection_->client_error());
  }
  void ExpectRefusal() {
    EXPECT_FALSE(Opens());
    EXPECT_EQ(SSL_ERROR_BAD_2ND_CLIENT_HELLO, connection_->server_error());
    // The client reads the alert.
    for (int tries = 0; tries < 1000; ++tries) {
      ASSERT_EQ(SECFailure, SSL_ForceHandshake(connection_->client()));
      if (PR_GetError() != PR_WOULD_BLOCK_ERROR) break;
      usleep(1000);
    }
    EXPECT_EQ(SSL_ERROR_ILLEGAL_PARAMETER_ALERT, PR_GetError());
  }

  KeyFiles files_;
  Listener listener_;
  ConnectOptions options_;
  PRTime clock_ = kStart;
  std::unique_ptr<Connection> connection_;
  int calls_ = 0;
};

TEST_F(CookieTest, OfAnotherProcessOpens) {
  for (const char* server : {"rsa", "ecdsa"}) {
    options_.server = server;
    GetCookie();
    EXPECT_TRUE(Opens()) << server;
  }
}

TEST_F(CookieTest, OpensAfterARotation) {
  for (int day = 0; day < 3; ++day) {
    GetCookie();
    clock_ += kDay;
    EXPECT_TRUE(Opens()) << day;
  }
}

TEST_F(CookieTest, OpensInAProcessWhoseClockIsBehindTheRotation) {
  clock_ += kDay - 1;
  GetCookie();
  ASSERT_TRUE(Opens());
  clock_ += 2;  // the key of the next day
  GetCookie();
  clock_ -= 2;
  EXPECT_TRUE(Opens());
}

TEST_F(CookieTest, OpensUntilItsKeyIsWiped) {
  GetCookie();
  clock_ += 3 * kDay - 1;
  EXPECT_TRUE(Opens());
  clock_ = kStart;
  GetCookie();
  clock_ += 3 * kDay;
  ExpectRefusal();
}

TEST_F(CookieTest, OfASecretOpensInTheNextPeriods) {
  UseSecrets(SecretLine('a'), "ticketRotation=1h");
  clock_ = kStart / kHour * kHour + kHour - kSecond;
  for (int period = 0; period < 3; ++period) {
    GetCookie();
    clock_ += kHour;
    EXPECT_TRUE(Opens()) << period;
  }
  // The opener's clock may be five minutes behind.
  clock_ += 2 * kSecond;
  GetCookie();
  clock_ -= 60 * kSecond;
  EXPECT_TRUE(Opens());
}

TEST_F(CookieTest, OfARandomKeyOpensAfterASecretWasConfigured) {
  GetCookie();
  UseSecrets(SecretLine('a'));
  EXPECT_TRUE(Opens());
}

TEST_F(CookieTest, OfAPreviousSecretOpens) {
  UseSecrets(SecretLine('a'));
  GetCookie();
  UseSecrets(SecretLine('b') + SecretLine('a'));
  EXPECT_TRUE(Opens());
}

TEST_F(CookieTest, OfAPreviousSecretOpensInAnotherPeriod) {
  UseSecrets(SecretLine('a'), "ticketRotation=1h");
  GetCookie();
  clock_ += kHour;
  UseSecrets(SecretLine('b') + SecretLine('a'), "ticketRotation=1h");
  EXPECT_TRUE(Opens());
}

// A key file in place of a secret file, both of which have random bytes.
TEST_F(CookieTest, OfAPreviousKeyFileOpens) {
  std::string keys[2];
  for (std::string& key : keys) {
    key = std::string(80, '\1');
    key[0] = &key == keys ? 'a' : 'b';
  }
  ASSERT_TRUE(files_.Write("one", keys[0]));
  ASSERT_TRUE(files_.Write("two", keys[1]));
  Configure("ticketKeyFile=" + files_.Path("one"));
  GetCookie();
  Configure("ticketKeyFile=" + files_.Path("two") + "," + files_.Path("one"));
  EXPECT_TRUE(Opens());
  GetCookie();
  Configure("ticketKeyFile=" + files_.Path("one"));
  ExpectRefusal();
}

// ---- what was withdrawn ----

TEST_F(CookieTest, OfASecretThatWasTakenOutIsRefused) {
  // Also by a process that has made the keys of the period itself.
  for (const bool knows : {false, true}) {
    UseSecrets(SecretLine('a'));
    if (knows) {
      ASSERT_FALSE(KeysOf({"rsa"}, &clock_).empty());
    }
    GetCookie();
    UseSecrets(SecretLine('b'));
    ExpectRefusal();
  }
}

TEST_F(CookieTest, OfASecretIsRefusedAfterTheSecretsEnded) {
  UseSecrets(SecretLine('a'));
  GetCookie();
  Configure("");
  ExpectRefusal();
}

// The next connection of that client succeeds, as it does after any failure.
TEST_F(CookieTest, AfterARefusalTheClientConnectsAgain) {
  UseSecrets(SecretLine('a'));
  GetCookie();
  UseSecrets(SecretLine('b'));
  ExpectRefusal();
  GetCookie();
  EXPECT_TRUE(Opens());
}

}  // namespace
}  // namespace nss_test
