/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "test_tickets.h"

#include "prerror.h"
#include "ssl.h"

namespace nss_test {

bool AddCertificates(PRFileDesc* server,
                     const std::vector<std::string>& nicknames) {
  for (const std::string& nickname : nicknames) {
    Identity identity = FindIdentity(nickname);
    if (!identity.cert || !identity.key) return false;
    SECStatus rv =
        SSL_ConfigServerCert(server, identity.cert, identity.key, nullptr, 0);
    CERT_DestroyCertificate(identity.cert);
    SECKEY_DestroyPrivateKey(identity.key);
    if (rv != SECSuccess) return false;
  }
  return true;
}

std::string KeysOf(const std::vector<std::string>& nicknames,
                   const PRTime* clock) {
  LoneSocket server(true, clock);
  PRUint8 out[kTicketBytes];
  return AddCertificates(server.fd(), nicknames) &&
                 ShimTicketKeys(server.fd(), out) == SECSuccess
             ? std::string(reinterpret_cast<char*>(out), sizeof(out))
             : std::string();
}

void TicketFixture::SetUp() {
  NssTest::SetUp();
  ShimResetTicketKeys();
  ASSERT_EQ(SECSuccess, SSL_ConfigServerSessionIDCache(1000, 0, 0, nullptr));
  options_.version = GetParam();
  options_.tickets = true;
  options_.server_clock = &clock_;
}

void TicketFixture::TearDown() {
  ShimResetTicketKeys();
  NssTest::TearDown();
}

std::unique_ptr<Connection> TicketFixture::Connect() {
  std::unique_ptr<Connection> connection(new Connection(&listener_, options_));
  EXPECT_TRUE(connection->Handshake() && connection->Talk())
      << "client " << PR_ErrorToName(connection->client_error()) << ", server "
      << PR_ErrorToName(connection->server_error());
  return connection;
}

}  // namespace nss_test
