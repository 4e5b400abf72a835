/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// test_tickets.h: what tests of session tickets share.
#ifndef SSLSNCE_TESTS_SUPPORT_NSS_TEST_TICKETS_H_
#define SSLSNCE_TESTS_SUPPORT_NSS_TEST_TICKETS_H_

#include <memory>
#include <string>
#include <vector>

#include "test_nss.h"

namespace nss_test {

constexpr PRTime kSecond = PR_USEC_PER_SEC;
constexpr PRTime kDay = 86400 * kSecond;
constexpr PRTime kStart = 1700000000 * kSecond;

// The bytes of the ticket keys: name, AES key and HMAC key.
constexpr size_t kTicketBytes = 16 + 32 + 32;

// Gives |server| these certificates; false if it cannot.
bool AddCertificates(PRFileDesc* server,
                     const std::vector<std::string>& nicknames);

// The ticket keys of a server with these certificates, by |clock|; empty if
// there are none.
std::string KeysOf(const std::vector<std::string>& nicknames,
                   const PRTime* clock);

// The fixture of tests of tickets in one process, with a cache, a clock for the
// server, and TLS 1.2 or 1.3 as the parameter.
class TicketFixture : public NssTest,
                      public ::testing::WithParamInterface<uint16_t> {
 protected:
  void SetUp() override;
  void TearDown() override;
  bool Is13() const { return GetParam() >= SSL_LIBRARY_VERSION_TLS_1_3; }
  // Makes a connection, which must succeed, and reads the tickets.
  std::unique_ptr<Connection> Connect();
  // The ticket keys that are in use by the clock.
  std::string Current() { return KeysOf({"rsa"}, &clock_); }

  Listener listener_;
  ConnectOptions options_;
  PRTime clock_ = kStart;
};

}  // namespace nss_test

#endif  // SSLSNCE_TESTS_SUPPORT_NSS_TEST_TICKETS_H_
