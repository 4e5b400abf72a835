/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// resume_test.cc: which sessions resume when a socket's options, or an SNI
// callback that changes them, differ from when they were made. Sessions are
// made at a port without a callback and offered at another port of the same
// server, under the same name.

#include <chrono>

#include "prerror.h"
#include "sslerr.h"
#include "sslexp.h"
#include "test_nss.h"

namespace nss_test {
namespace {

constexpr PRInt32 kKeepConfig = SSL_SNI_CURRENT_CONFIG_IS_USED;

enum class By { kSessionId, kTicket12, kTicket13 };
void PrintTo(const By& by, std::ostream* out) {
  static const char* const kBy[] = {"SessionId", "Ticket12", "Ticket13"};
  *out << kBy[static_cast<int>(by)];
}

void Require(PRFileDesc* server, PRInt32 when = SSL_REQUIRE_ALWAYS) {
  SSL_OptionSet(server, SSL_REQUEST_CERTIFICATE, PR_TRUE);
  SSL_OptionSet(server, SSL_REQUIRE_CERTIFICATE, when);
}

void Configure(PRFileDesc* server, const char* nickname, bool tickets) {
  const Identity identity = FindIdentity(nickname);
  EXPECT_EQ(SECSuccess, SSL_ConfigServerCert(server, identity.cert,
                                             identity.key, nullptr, 0));
  CERT_DestroyCertificate(identity.cert);
  SECKEY_DestroyPrivateKey(identity.key);
  SSL_OptionSet(server, SSL_ENABLE_SESSION_TICKETS, tickets);
}

void DisableTickets(PRFileDesc* server) {
  SSL_OptionSet(server, SSL_ENABLE_SESSION_TICKETS, PR_FALSE);
}

class ResumeTest : public NssTest, public ::testing::WithParamInterface<By> {
 protected:
  void SetUp() override {
    NssTest::SetUp();
    ASSERT_EQ(SECSuccess, SSL_ConfigServerSessionIDCache(1000, 0, 0, nullptr));
    plain_ = Options(GetParam());
  }

  static ConnectOptions Options(By by) {
    ConnectOptions options;
    options.tickets = by != By::kSessionId;
    if (by == By::kTicket13) options.version = SSL_LIBRARY_VERSION_TLS_1_3;
    return options;
  }

  // Returns the options, with a callback that does |change| and keeps the
  // certificate.
  ConnectOptions With(const std::function<void(PRFileDesc*)>& change) {
    ConnectOptions options = plain_;
    options.sni = [this, change](PRFileDesc* server) {
      ++calls_;
      change(server);
      return kKeepConfig;
    };
    return options;
  }

  // Makes a connection, which must succeed. Returns whether it resumed.
  bool Resumes(const ConnectOptions& options) {
    Connection connection(&listener_, options);
    EXPECT_TRUE(connection.Handshake() && connection.Talk())
        << "client " << PR_ErrorToName(connection.client_error()) << ", server "
        << PR_ErrorToName(connection.server_error());
    certificate_ = connection.PeerCertificate();
    ShimSid* sid = ShimSocketSid(connection.client());
    ticket_ = sid && ShimTicketLength(sid) != 0;
    return connection.resumed();
  }
  // Expects that a session without a client certificate does not resume under
  // |options|. A client without a certificate is refused, as in a full
  // handshake; a client that has one sends it, and its new session resumes.
  // This makes three handshakes with |options|.
  void ExpectCertificateRequired(ConnectOptions options) {
    ASSERT_FALSE(Resumes(plain_));
    ASSERT_TRUE(Resumes(plain_));
    EXPECT_EQ("SSL_ERROR_NO_CERTIFICATE", Fails(options));
    SSL_ClearSessionCache();
    ASSERT_FALSE(Resumes(plain_));
    options.client_has_certificate = true;
    EXPECT_FALSE(Resumes(options));
    const std::vector<uint8_t> first = certificate_;
    EXPECT_FALSE(first.empty());
    EXPECT_TRUE(Resumes(options));
    EXPECT_EQ(first, certificate_);
  }
  // Makes a connection, which must fail. Returns the name of the server's
  // error.
  std::string Fails(const ConnectOptions& options) {
    Connection connection(&listener_, options);
    EXPECT_FALSE(connection.Handshake() && connection.Talk());
    const char* name = PR_ErrorToName(connection.server_error());
    return name ? name : "none";
  }

  Listener listener_;
  ConnectOptions plain_;  // those of the port without a callback
  int calls_ = 0;
  // Of the last connection:
  std::vector<uint8_t> certificate_;  // the client's
  bool ticket_ = false;               // the client got one
};

TEST_P(ResumeTest, ARequirementOfTheCallbackIsMetByNoSessionWithoutOne) {
  ExpectCertificateRequired(With([](PRFileDesc* server) { Require(server); }));
  EXPECT_EQ(3, calls_);
}

TEST_P(ResumeTest, SoIsOneOfAModelThatTheCallbackTakes) {
  LoneSocket model(true);
  Configure(model.fd(), "rsa", plain_.tickets);
  SSL_AuthCertificateHook(
      model.fd(), [](void*, PRFileDesc*, PRBool, PRBool) { return SECSuccess; },
      nullptr);
  Require(model.fd());
  ExpectCertificateRequired(With([&](PRFileDesc* server) {
    EXPECT_NE(nullptr, SSL_ReconfigFD(model.fd(), server));
  }));
}

// Before TLS 1.3 the session's cipher suite needs the kind of certificate that
// the callback has taken away.
TEST_P(ResumeTest,
       ACallbackThatTakesTheSessionsKindOfCertificateEndsNoHandshake) {
  LoneSocket both(true), ecdsa(true);
  Configure(both.fd(), "rsa", plain_.tickets);
  Configure(both.fd(), "ecdsa", plain_.tickets);
  Configure(ecdsa.fd(), "ecdsa", plain_.tickets);
  ConnectOptions other = With([&](PRFileDesc* server) {
    EXPECT_NE(nullptr, SSL_ReconfigFD(ecdsa.fd(), server));
  });
  other.model = both.fd();
  ASSERT_FALSE(Resumes(plain_));
  ASSERT_TRUE(Resumes(plain_));
  EXPECT_FALSE(Resumes(other));
  EXPECT_TRUE(Resumes(other));
}

TEST_P(ResumeTest, OnlyARequirementCounts) {
  struct {
    PRInt32 when;
    bool resumes;
  } cases[] = {{SSL_REQUIRE_NEVER, true},
               {SSL_REQUIRE_ALWAYS, false},
               {SSL_REQUIRE_FIRST_HANDSHAKE, false},
               {SSL_REQUIRE_NO_ERROR, false}};
  for (const auto& one : cases) {
    SSL_ClearSessionCache();
    ASSERT_FALSE(Resumes(plain_));
    ConnectOptions options =
        With([&](PRFileDesc* server) { Require(server, one.when); });
    options.client_has_certificate = true;
    EXPECT_EQ(one.resumes, Resumes(options)) << one.when;
    EXPECT_EQ(one.resumes, certificate_.empty()) << one.when;
  }
}

// A session that has a client certificate meets weaker requirements too.
TEST_P(ResumeTest, ASessionWithOneResumesWhereNoneIsWanted) {
  ConnectOptions requires_one =
      With([](PRFileDesc* server) { Require(server); });
  requires_one.client_has_certificate = true;
  ASSERT_FALSE(Resumes(requires_one));
  const std::vector<uint8_t> first = certificate_;
  ASSERT_FALSE(first.empty());
  EXPECT_TRUE(Resumes(With([](PRFileDesc*) {})));
  EXPECT_EQ(first, certificate_);
}

TEST_P(ResumeTest, TheCallbackIsCalledOnceForEveryHandshake) {
  const ConnectOptions options = With([](PRFileDesc*) {});
  EXPECT_FALSE(Resumes(options));
  EXPECT_EQ(1, calls_);
  EXPECT_TRUE(Resumes(options));
  EXPECT_EQ(2, calls_);
  EXPECT_TRUE(Resumes(options));
  EXPECT_EQ(3, calls_);
}

TEST_P(ResumeTest, ANameThatTheCallbackRefusesIsRefusedToASessionToo) {
  ConnectOptions options = plain_;
  options.sni_callback = true;
  ASSERT_FALSE(Resumes(options));
  ASSERT_TRUE(Resumes(options));
  options.sni = [](PRFileDesc*) { return SSL_SNI_SEND_ALERT; };
  EXPECT_EQ("SSL_ERROR_UNRECOGNIZED_NAME_ALERT", Fails(options));
}

TEST_P(ResumeTest, ASessionOfANameThatIsNotChosenAgainIsAFullHandshake) {
  ConnectOptions chooses = plain_;
  chooses.sni_callback = true;
  const ConnectOptions keeps = With([](PRFileDesc*) {});
  ASSERT_FALSE(Resumes(chooses));
  EXPECT_FALSE(Resumes(keeps));
  EXPECT_TRUE(Resumes(keeps));
  EXPECT_FALSE(Resumes(chooses));
  EXPECT_TRUE(Resumes(chooses));
}

TEST_P(ResumeTest, ACallbackThatForbidsTheCacheForbidsIds) {
  ASSERT_FALSE(Resumes(plain_));
  EXPECT_EQ(GetParam() != By::kSessionId, Resumes(With([](PRFileDesc* server) {
              SSL_OptionSet(server, SSL_NO_CACHE, PR_TRUE);
            })));
}

TEST_P(ResumeTest, ACallbackThatDisablesTicketsEndsThem) {
  ConnectOptions options = With(DisableTickets);
  ASSERT_FALSE(Resumes(plain_));
  EXPECT_EQ(plain_.tickets, ticket_);
  EXPECT_EQ(GetParam() == By::kSessionId, Resumes(options));
  EXPECT_FALSE(ticket_);
  // The server makes no ticket either.
  SSL_ClearSessionCache();
  EXPECT_FALSE(Resumes(options));
  EXPECT_FALSE(ticket_);
}

// ---- options that the application changes, without a callback ----

TEST_P(ResumeTest, ARequirementOfTheSocketIsMetByNoSessionWithoutOne) {
  ConnectOptions requires_one = plain_;
  requires_one.request_certificate = requires_one.require_certificate = true;
  ExpectCertificateRequired(requires_one);
}

TEST_P(ResumeTest, ARequirementRaisedOnTheModelCountsForTheNextConnection) {
  LoneSocket model(true);
  plain_.client_has_certificate = true;
  plain_.model = model.fd();
  EXPECT_FALSE(Resumes(plain_));
  EXPECT_TRUE(Resumes(plain_));
  EXPECT_TRUE(certificate_.empty());
  Require(model.fd());
  EXPECT_FALSE(Resumes(plain_));
  EXPECT_FALSE(certificate_.empty());
  EXPECT_TRUE(Resumes(plain_));
}

INSTANTIATE_TEST_SUITE_P(Ways, ResumeTest,
                         ::testing::Values(By::kSessionId, By::kTicket12,
                                           By::kTicket13),
                         ::testing::PrintToStringParamName());

// ---- renegotiation, before TLS 1.3 ----

class RenegotiationTest : public ResumeTest {
 protected:
  // The client begins another handshake and offers the connection's session.
  // (It would not offer it if the server began the handshake.) Returns whether
  // the handshake succeeds.
  bool Again(Connection* connection) {
    int done = 0;
    SSL_HandshakeCallback(
        connection->server(),
        [](PRFileDesc*, void* arg) { ++*static_cast<int*>(arg); }, &done);
    if (SSL_ReHandshake(connection->client(), PR_FALSE) != SECSuccess) {
      return false;
    }
    const auto end =
        std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (std::chrono::steady_clock::now() < end) {
      for (PRFileDesc* fd : {connection->client(), connection->server()}) {
        char byte;
        if (PR_Recv(fd, &byte, 1, 0, PR_INTERVAL_NO_WAIT) != -1 ||
            PR_GetError() != PR_WOULD_BLOCK_ERROR) {
          return false;
        }
      }
      if (done) return true;
    }
    return false;
  }
};

TEST_P(RenegotiationTest, ARequirementRaisedMeanwhileCounts) {
  for (bool has_one : {true, false}) {
    SSL_ClearSessionCache();
    plain_.client_has_certificate = has_one;
    Connection connection(&listener_, plain_);
    for (PRFileDesc* fd : {connection.client(), connection.server()}) {
      SSL_OptionSet(fd, SSL_ENABLE_RENEGOTIATION, SSL_RENEGOTIATE_UNRESTRICTED);
    }
    ASSERT_TRUE(connection.Handshake() && connection.Talk());
    ASSERT_TRUE(Again(&connection));
    EXPECT_TRUE(connection.resumed());
    EXPECT_TRUE(connection.PeerCertificate().empty());
    // A requirement for the first handshake of a connection does not apply
    // here.
    Require(connection.server(), SSL_REQUIRE_FIRST_HANDSHAKE);
    ASSERT_TRUE(Again(&connection));
    EXPECT_TRUE(connection.resumed());
    Require(connection.server());
    EXPECT_EQ(has_one, Again(&connection));
    if (has_one) {
      EXPECT_FALSE(connection.resumed());
      EXPECT_FALSE(connection.PeerCertificate().empty());
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Ways, RenegotiationTest,
                         ::testing::Values(By::kSessionId, By::kTicket12),
                         ::testing::PrintToStringParamName());

// ---- TLS 1.3: HelloRetryRequest, early data, tickets by the application ----

class Resume13Test : public ResumeTest {};

// Makes the client send a key share that the server does not accept.
void ProvokeRetry(const Connection& connection) {
  const SSLNamedGroup both[] = {ssl_grp_ec_curve25519, ssl_grp_ec_secp256r1};
  const SSLNamedGroup one[] = {ssl_grp_ec_secp256r1};
  SSL_NamedGroupConfig(connection.client(), both, 2);
  SSL_NamedGroupConfig(connection.server(), one, 1);
}

TEST_P(Resume13Test, AfterAHelloRetryRequestTheCallbackDecidesAgain) {
  struct {
    std::function<void(PRFileDesc*)> change;
    bool resumes;
  } cases[] = {
      {[](PRFileDesc*) {}, true},
      {[](PRFileDesc* server) { Require(server); }, false},
      {DisableTickets, false},
  };
  for (const auto& one : cases) {
    SSL_ClearSessionCache();
    ASSERT_FALSE(Resumes(plain_));
    ConnectOptions options = With(one.change);
    options.client_has_certificate = true;
    calls_ = 0;
    Connection connection(&listener_, options);
    ProvokeRetry(connection);
    ASSERT_TRUE(connection.Handshake() && connection.Talk());
    EXPECT_EQ(2, calls_);  // once for each ClientHello
    EXPECT_EQ(one.resumes, connection.resumed());
  }
}

SSLHelloRetryRequestAction RequireInRetryCallback(PRBool, const PRUint8*,
                                                  unsigned int, PRUint8*,
                                                  unsigned int*, unsigned int,
                                                  void* arg) {
  Require(static_cast<PRFileDesc*>(arg));
  return ssl_hello_retry_accept;
}

TEST_P(Resume13Test, ARequirementOfTheRetryCallbackCountsToo) {
  ASSERT_FALSE(Resumes(plain_));
  plain_.client_has_certificate = true;
  Connection connection(&listener_, plain_);
  ASSERT_EQ(SECSuccess, SSL_HelloRetryRequestCallback(connection.server(),
                                                      RequireInRetryCallback,
                                                      connection.server()));
  ASSERT_TRUE(connection.Handshake() && connection.Talk());
  EXPECT_FALSE(connection.resumed());
  EXPECT_FALSE(connection.PeerCertificate().empty());
}

TEST_P(Resume13Test, EarlyDataIsRefusedWithTheSession) {
  constexpr PRTime kWindow = 1000000;
  PRTime clock = PR_Now();
  SSLAntiReplayContext* replay = nullptr;
  ASSERT_EQ(SECSuccess,
            SSL_CreateAntiReplayContext(clock, kWindow, 1, 4, &replay));
  clock += kWindow + 1;
  plain_.server_clock = &clock;
  for (bool required : {false, true}) {
    SSL_ClearSessionCache();
    for (bool first : {true, false}) {
      ConnectOptions options = plain_;
      if (!first && required) {
        options = With([](PRFileDesc* server) { Require(server); });
        options.client_has_certificate = true;
      }
      Connection connection(&listener_, options);
      SSL_SetAntiReplayContext(connection.server(), replay);
      for (PRFileDesc* fd : {connection.client(), connection.server()}) {
        SSL_OptionSet(fd, SSL_ENABLE_0RTT_DATA, PR_TRUE);
      }
      if (!first) {
        // The first call sends the ClientHello, the second one early data.
        EXPECT_EQ(SECFailure, SSL_ForceHandshake(connection.client()));
        EXPECT_EQ(5, PR_Write(connection.client(), "early", 5));
      }
      ASSERT_TRUE(connection.Handshake() && connection.Talk());
      EXPECT_EQ(!first && !required, connection.resumed());
      EXPECT_EQ(!first && !required,
                connection.Info(connection.server()).earlyDataAccepted != 0);
    }
  }
  EXPECT_EQ(SECSuccess, SSL_ReleaseAntiReplayContext(replay));
}

// sslexp.h: a server may send its tickets itself while tickets are disabled.
// Disabling tickets, in a callback too, stops only those that libssl sends.
TEST_P(Resume13Test, ATicketThatTheApplicationSentResumesWithTicketsDisabled) {
  const ConnectOptions never = With([](PRFileDesc*) {});
  const ConnectOptions by_callback = With(DisableTickets);
  for (bool enabled : {false, true}) {
    for (bool retry : {false, true}) {
      SSL_ClearSessionCache();
      for (bool resumed : {false, true, true}) {
        Connection connection(&listener_, enabled ? by_callback : never);
        if (!enabled) DisableTickets(connection.server());
        if (retry) ProvokeRetry(connection);
        ASSERT_TRUE(connection.Handshake());
        EXPECT_EQ(SECSuccess,
                  SSL_SendSessionTicket(connection.server(), nullptr, 0));
        ASSERT_TRUE(connection.Talk());
        EXPECT_EQ(resumed, connection.resumed()) << enabled << retry;
      }
    }
  }
}

// A client that gets tickets of both kinds offers the last one.
TEST_P(Resume13Test, OfTicketsOfBothKindsTheLibrarysAreRefused) {
  const ConnectOptions disables = With(DisableTickets);
  for (bool sends : {true, false}) {
    SSL_ClearSessionCache();
    Connection connection(&listener_, plain_);
    ASSERT_TRUE(connection.Handshake() && connection.Talk());
    if (sends) {
      EXPECT_EQ(SECSuccess,
                SSL_SendSessionTicket(connection.server(), nullptr, 0));
      ASSERT_TRUE(connection.Talk());
    }
    EXPECT_EQ(sends, Resumes(disables));
  }
}

INSTANTIATE_TEST_SUITE_P(Ways, Resume13Test, ::testing::Values(By::kTicket13),
                         ::testing::PrintToStringParamName());

}  // namespace
}  // namespace nss_test
