/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// handshake_test.cc: real TLS handshakes over the loopback interface.

#include "prerror.h"
#include "sslerr.h"
#include "sslexp.h"
#include "test_nss.h"

namespace nss_test {
namespace {

constexpr PRTime kSecond = PR_USEC_PER_SEC;
constexpr uint32_t kTimeout = 300;

class HandshakeTest : public NssTest {
 protected:
  void Configure() {
    ASSERT_EQ(SECSuccess,
              SSL_ConfigServerSessionIDCache(1000, 0, kTimeout, nullptr));
  }
  // Makes one connection. Returns whether it resumed.
  bool Resumes(const ConnectOptions& options) {
    Connection connection(&listener_, options);
    EXPECT_TRUE(connection.Handshake())
        << "client " << PR_ErrorToName(connection.client_error()) << " server "
        << PR_ErrorToName(connection.server_error());
    return connection.resumed();
  }

  Listener listener_;
  ConnectOptions options_;
  PRTime clock_ = 0;
};

TEST_F(HandshakeTest, ASessionResumes) {
  Configure();
  EXPECT_FALSE(Resumes(options_));
  EXPECT_TRUE(Resumes(options_));
  EXPECT_TRUE(Resumes(options_));
}

TEST_F(HandshakeTest, AnEcdsaSessionResumes) {
  Configure();
  options_.server = "ecdsa";
  EXPECT_FALSE(Resumes(options_));
  EXPECT_TRUE(Resumes(options_));
}

TEST_F(HandshakeTest, ChannelInfoTellsTheSessionsTimes) {
  Configure();
  options_.server_clock = &clock_;
  for (PRTime at : {PRTime(0), 10 * kSecond}) {
    clock_ = 1700000000 * kSecond + 123456 + at;
    Connection connection(&listener_, options_);
    ASSERT_TRUE(connection.Handshake());
    SSLChannelInfo info = connection.Info(connection.server());
    EXPECT_EQ(at != 0, connection.resumed());
    EXPECT_EQ(1700000000u, info.creationTime);
    EXPECT_EQ(clock_ / kSecond, info.lastAccessTime);
    EXPECT_EQ(1700000000u + kTimeout, info.expirationTime);
  }
}

TEST_F(HandshakeTest, ASessionExpiresByTheServersClock) {
  Configure();
  clock_ = 1700000000 * kSecond;
  options_.server_clock = &clock_;
  EXPECT_FALSE(Resumes(options_));
  clock_ += kTimeout * kSecond - 1;
  EXPECT_TRUE(Resumes(options_));
  clock_ += 1;
  EXPECT_FALSE(Resumes(options_));
}

TEST_F(HandshakeTest, AClientsCertificateComesBackWithItsSession) {
  Configure();
  options_.request_certificate = true;
  options_.require_certificate = true;
  options_.client_has_certificate = true;
  std::vector<uint8_t> first;
  for (bool expected : {false, true}) {
    Connection connection(&listener_, options_);
    ASSERT_TRUE(connection.Handshake());
    EXPECT_EQ(expected, connection.resumed());
    if (!expected) first = connection.PeerCertificate();
    EXPECT_FALSE(first.empty());
    EXPECT_EQ(first, connection.PeerCertificate());
  }
}

TEST_F(HandshakeTest, InvalidatedByTheServerIsGone) {
  Configure();
  {
    Connection connection(&listener_, options_);
    ASSERT_TRUE(connection.Handshake());
    EXPECT_EQ(SECSuccess, SSL_InvalidateSession(connection.server()));
  }
  EXPECT_FALSE(Resumes(options_));
  EXPECT_TRUE(Resumes(options_));
}

TEST_F(HandshakeTest, NoCacheOnTheSocketCachesNothing) {
  Configure();
  options_.server_no_cache = true;
  EXPECT_FALSE(Resumes(options_));
  EXPECT_FALSE(Resumes(options_));
}

TEST_F(HandshakeTest, WithACacheNeverConfiguredHandshakesComplete) {
  EXPECT_FALSE(Resumes(options_));
  EXPECT_FALSE(Resumes(options_));  // the client offers an ID
}

TEST_F(HandshakeTest, AfterShutdownHandshakesCompleteAndNothingIsCached) {
  Configure();
  EXPECT_FALSE(Resumes(options_));
  EXPECT_TRUE(Resumes(options_));
  SSL_ShutdownServerSessionIDCache();
  EXPECT_FALSE(Resumes(options_));
  EXPECT_FALSE(Resumes(options_));
  Configure();
  EXPECT_FALSE(Resumes(options_));
  EXPECT_TRUE(Resumes(options_));
}

// Stock NSS 3.87.1 crashes at the third cache: the second one frees the client
// cache's lock, which is made only once.
TEST_F(HandshakeTest, CachesForOneAndForManyMayFollowEachOther) {
  for (int many : {1, 0, 1, 0}) {
    if (many) {
      ASSERT_EQ(SECSuccess,
                SSL_ConfigMPServerSIDCache(1000, 0, kTimeout, nullptr));
    } else {
      Configure();
    }
    EXPECT_FALSE(Resumes(options_));
    EXPECT_TRUE(Resumes(options_));
    SSL_ShutdownServerSessionIDCache();
  }
}

TEST_F(HandshakeTest, ATls13ClientMeetsATls12ServerWithoutACache) {
  // The client offers an ID that no server gave it (RFC 8446 appendix D.4).
  Connection connection(&listener_, options_);
  SSLVersionRange both = {SSL_LIBRARY_VERSION_TLS_1_2,
                          SSL_LIBRARY_VERSION_TLS_1_3};
  SSL_VersionRangeSet(connection.client(), &both);
  SSL_OptionSet(connection.client(), SSL_ENABLE_TLS13_COMPAT_MODE, PR_TRUE);
  EXPECT_TRUE(connection.Handshake());
}

TEST_F(HandshakeTest, ATicketResumes) {
  Configure();
  options_.tickets = true;
  EXPECT_FALSE(Resumes(options_));
  EXPECT_TRUE(Resumes(options_));
}

}  // namespace
}  // namespace nss_test
