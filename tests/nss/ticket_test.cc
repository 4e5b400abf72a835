/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// ticket_test.cc: session tickets beside the cache: the session IDs that
// clients send with them, tickets of removed caches, tickets that cannot be
// made, tickets under keys that were replaced, tickets of the future. And the
// ClientHello in SSLv2's format, which has no tickets.

#include <unistd.h>

#include <chrono>
#include <cstring>

#include "prerror.h"
#include "secerr.h"
#include "sslerr.h"
#include "sslexp.h"
#include "sslsnce/sslsnce.h"
#include "test_identity.h"
#include "test_nss.h"

namespace nss_test {
namespace {

constexpr PRTime kSecond = PR_USEC_PER_SEC;
constexpr PRTime kStart = 1700000000 * kSecond;

SSLServerCacheFigures Figures(const char* name) {
  SSLServerCacheFigures figures;
  memset(&figures, 0, sizeof(figures));
  EXPECT_EQ(SECSuccess,
            SSL_GetServerCacheFigures(name, &figures, sizeof(figures)));
  return figures;
}

// A client with a certificate of exactly |bytes| bytes.
struct Client : Identity {
  explicit Client(size_t bytes) {
    SECKEYPublicKey* pub = nullptr;
    if (!MakeRsaPair(1024, false, &key, &pub)) return;
    size_t padding = bytes - 600;
    // The first size is a guess. The next ones may be off too, because the
    // lengths of DER's length fields change, and serial numbers grow.
    for (int tries = 0; tries < 8 && !(cert && cert->derCert.len == bytes);
         ++tries) {
      if (cert) {
        padding += bytes - cert->derCert.len;
        CERT_DestroyCertificate(cert);
      }
      cert = SelfSign("client", pub, key, padding);
    }
    SECKEY_DestroyPublicKey(pub);
  }
  ~Client() {
    if (cert) CERT_DestroyCertificate(cert);
    if (key) SECKEY_DestroyPrivateKey(key);
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
};

class TicketTest : public NssTest,
                   public ::testing::WithParamInterface<uint16_t> {
 protected:
  void SetUp() override {
    NssTest::SetUp();
    ASSERT_EQ(SECSuccess, SSL_ConfigServerSessionIDCache(1000, 0, 0, nullptr));
    options_.version = GetParam();
    options_.tickets = true;
  }

  // Makes a connection, which must succeed, on a socket bound to |bound|.
  // Returns both its ends.
  std::unique_ptr<Connection> Connect(const ConnectOptions& options,
                                      const char* bound = nullptr) {
    std::unique_ptr<Connection> connection(new Connection(&listener_, options));
    if (bound) {
      EXPECT_EQ(SECSuccess, SSL_BindServerCache(connection->server(), bound));
    }
    EXPECT_TRUE(connection->Handshake() && connection->Talk())
        << "client " << PR_ErrorToName(connection->client_error())
        << ", server " << PR_ErrorToName(connection->server_error());
    return connection;
  }
  static unsigned int TicketLength(const Connection& connection) {
    ShimSid* sid = ShimSocketSid(connection.client());
    return sid ? ShimTicketLength(sid) : 0;
  }

  Listener listener_;
  ConnectOptions options_;
  PRTime clock_ = kStart;
};

// ---- the ID that a client sends with its ticket ----

class TicketIdTest : public TicketTest {
 protected:
  void SetUp() override {
    TicketTest::SetUp();
    victim_.peer_id = "victim";
    std::unique_ptr<Connection> connection = Connect(victim_);
    ShimGetFields(ShimSocketSid(connection->server()), &session_);
    ASSERT_EQ(32u, session_.idLen);
    ASSERT_EQ(1u, Figures(nullptr).live);
  }
  // Expects that the victim's session is unchanged.
  void ExpectItsSession() {
    std::unique_ptr<Connection> connection = Connect(victim_);
    EXPECT_TRUE(connection->resumed());
  }

  ConnectOptions victim_;  // a client that resumes by session ID
  ShimFields session_;
};

TEST_P(TicketIdTest, NamesNoSessionOfAnotherClient) {
  // In TLS 1.2 the connection's session gets the ID that the client sent; in
  // TLS 1.3 it does not.
  Connect(options_);
  const uint64_t inserts = Figures(nullptr).inserts;
  const uint64_t removals = Figures(nullptr).removals;
  for (int i = 0; i < 3; ++i) {
    std::unique_ptr<Connection> first = Connect(options_);
    ASSERT_TRUE(first->resumed());
    ShimSetId(ShimSocketSid(first->client()), session_.id, session_.idLen);
  }
  std::unique_ptr<Connection> connection = Connect(options_);
  ASSERT_TRUE(connection->resumed());
  ShimFields fields;
  ShimGetFields(ShimSocketSid(connection->server()), &fields);
  if (options_.version == SSL_LIBRARY_VERSION_TLS_1_2) {
    ASSERT_EQ(0, memcmp(fields.id, session_.id, sizeof(session_.id)));
  }
  EXPECT_EQ(inserts, Figures(nullptr).inserts);
  ExpectItsSession();
  // Caching or invalidating the connection's session does not reach it either.
  ShimSetId(ShimSocketSid(connection->server()), session_.id, session_.idLen);
  ShimCache(connection->server(), ShimSocketSid(connection->server()));
  EXPECT_EQ(inserts, Figures(nullptr).inserts);
  EXPECT_EQ(SECSuccess, SSL_InvalidateSession(connection->server()));
  EXPECT_EQ(removals, Figures(nullptr).removals);
  ExpectItsSession();
}

TEST_P(TicketIdTest, AddsNoEntryWhateverItIs) {
  Connect(options_);
  const uint64_t live = Figures(nullptr).live;
  for (uint8_t i = 1; i <= 20; ++i) {
    const std::vector<uint8_t> id(32, i);
    std::unique_ptr<Connection> connection = Connect(options_);
    ASSERT_TRUE(connection->resumed());
    ShimSetId(ShimSocketSid(connection->client()), id.data(), 32);
  }
  EXPECT_EQ(live, Figures(nullptr).live);
}

INSTANTIATE_TEST_SUITE_P(Versions, TicketIdTest,
                         ::testing::Values(SSL_LIBRARY_VERSION_TLS_1_2,
                                           SSL_LIBRARY_VERSION_TLS_1_3));

// ---- a cache that was removed, a ClientHello that belongs to no cache ----

TEST_P(TicketTest, RemovingACacheEndsItsTicketsOnTheSocketsBoundToIt) {
  ASSERT_EQ(SECSuccess, SSL_AddServerCache("b.example", nullptr));
  // As in a running server, the sockets copy a model that was bound while the
  // cache existed.
  LoneSocket model(true);
  ASSERT_EQ(SECSuccess, SSL_BindServerCache(model.fd(), "b.example"));
  options_.model = model.fd();
  EXPECT_FALSE(Connect(options_)->resumed());
  EXPECT_TRUE(Connect(options_)->resumed());
  // Another process removes the cache.
  ASSERT_EQ(0, InFork([] {
              return SSL_RemoveServerCache("b.example") == SECSuccess ? 0 : 1;
            }));
  std::unique_ptr<Connection> connection = Connect(options_);
  EXPECT_FALSE(connection->resumed());
  if (options_.version == SSL_LIBRARY_VERSION_TLS_1_3) {
    PR_SetError(0, 0);
    EXPECT_EQ(SECFailure,
              SSL_SendSessionTicket(connection->server(), nullptr, 0));
    EXPECT_EQ(SSL_ERROR_FEATURE_DISABLED, PR_GetError());
  }
  // The client gets no new tickets either.
  SSL_ClearSessionCache();
  connection = Connect(options_);
  EXPECT_FALSE(connection->resumed());
  EXPECT_EQ(0u, TicketLength(*connection));
  EXPECT_FALSE(Connect(options_)->resumed());
  // A new cache of that name is another cache.
  ASSERT_EQ(SECSuccess, SSL_AddServerCache("b.example", nullptr));
  EXPECT_FALSE(Connect(options_)->resumed());
  options_.model = nullptr;
  EXPECT_FALSE(Connect(options_, "b.example")->resumed());
  EXPECT_TRUE(Connect(options_, "b.example")->resumed());
}

TEST_P(TicketTest, AnOpenConnectionOfARemovedCacheIssuesNoMore) {
  if (options_.version != SSL_LIBRARY_VERSION_TLS_1_3) return;
  ASSERT_EQ(SECSuccess, SSL_AddServerCache("b.example", nullptr));
  std::unique_ptr<Connection> connection = Connect(options_, "b.example");
  EXPECT_EQ(SECSuccess,
            SSL_SendSessionTicket(connection->server(), nullptr, 0));
  ASSERT_EQ(SECSuccess, SSL_RemoveServerCache("b.example"));
  PR_SetError(0, 0);
  EXPECT_EQ(SECFailure,
            SSL_SendSessionTicket(connection->server(), nullptr, 0));
  EXPECT_EQ(SSL_ERROR_FEATURE_DISABLED, PR_GetError());
  EXPECT_TRUE(connection->Talk());
}

TEST_P(TicketTest, BoundToARemovedCacheIdsAreFullHandshakes) {
  ASSERT_EQ(SECSuccess, SSL_AddServerCache("b.example", nullptr));
  LoneSocket model(true);
  ASSERT_EQ(SECSuccess, SSL_BindServerCache(model.fd(), "b.example"));
  options_.model = model.fd();
  options_.tickets = false;
  EXPECT_FALSE(Connect(options_)->resumed());
  ASSERT_EQ(SECSuccess, SSL_RemoveServerCache("b.example"));
  EXPECT_FALSE(Connect(options_)->resumed());
  EXPECT_FALSE(Connect(options_)->resumed());
  EXPECT_EQ(0u, Figures(nullptr).live);
}

// ---- tickets that cannot be made ----

// Two handshakes might fail: the first, in which the ticket is made, and the
// next, in which the client needs room for it in 65,535 bytes of extensions.
// Stock makes tickets of up to some 65,340 bytes, with which the client fails.
TEST_P(TicketTest, AClientsCertificateOfAnySizeEndsNoHandshake) {
  options_.request_certificate = options_.require_certificate = true;
  for (size_t bytes : {61000u, 61500u, 65200u, 65290u, 65310u, 65320u, 65330u,
                       65340u, 65360u, 65400u, 65480u, 65535u}) {
    SSL_ClearSessionCache();
    const Client client(bytes);
    ASSERT_TRUE(client.cert && client.cert->derCert.len == bytes) << bytes;
    options_.client = &client;
    const bool ticket = bytes == 61000;
    for (bool first : {true, false}) {
      std::unique_ptr<Connection> connection = Connect(options_);
      EXPECT_EQ(bytes, connection->PeerCertificate().size());
      EXPECT_EQ(ticket, TicketLength(*connection) != 0) << bytes;
      // Without a ticket a TLS 1.2 session resumes by its ID.
      EXPECT_EQ(
          !first && (ticket || options_.version == SSL_LIBRARY_VERSION_TLS_1_2),
          connection->resumed())
          << bytes;
    }
  }
}

TEST_P(TicketTest, NorDoesALongServerNameBesideIt) {
  const Client client(65100);
  ASSERT_NE(nullptr, client.cert);
  options_.request_certificate = options_.require_certificate = true;
  options_.client = &client;
  options_.sni_callback = true;
  options_.url = std::string(63, 'a') + "." + std::string(63, 'b') + "." +
                 std::string(63, 'c') + "." + std::string(61, 'd');
  EXPECT_FALSE(Connect(options_)->resumed());
  EXPECT_EQ(options_.version == SSL_LIBRARY_VERSION_TLS_1_2,
            Connect(options_)->resumed());
}

// While this object exists, the process has no ticket keys and can make none.
class WithoutTicketKeys {
 public:
  WithoutTicketKeys() {
    ShimFailUnwraps(-1);
    ShimFailKeyGens(-1);
    ShimResetTicketKeys();
  }
  ~WithoutTicketKeys() {
    ShimFailUnwraps(0);
    ShimFailKeyGens(0);
  }
};

TEST_P(TicketTest, WithoutTicketKeysHandshakesGoOnWithoutTickets) {
  ASSERT_FALSE(Connect(options_)->resumed());
  const WithoutTicketKeys none;
  SSL_ClearSessionCache();
  for (int i = 0; i < 2; ++i) {
    std::unique_ptr<Connection> connection = Connect(options_);
    EXPECT_EQ(0u, TicketLength(*connection));
  }
  if (options_.version == SSL_LIBRARY_VERSION_TLS_1_3) {
    // A call of the application reports that there is no ticket.
    std::unique_ptr<Connection> connection = Connect(options_);
    EXPECT_EQ(SECFailure,
              SSL_SendSessionTicket(connection->server(), nullptr, 0));
    EXPECT_TRUE(connection->Talk());
  }
}

// ---- a process's own ticket keys, and the shared ones after them ----

// A token that does not decrypt until Mend.
class BrokenToken {
 public:
  BrokenToken() {
    ShimAdvanceClock(0);
    ShimResetTicketKeys();
    ShimFailUnwraps(-1);
  }
  ~BrokenToken() {
    ShimFailUnwraps(0);
    ShimLetClockRun();
    ShimResetTicketKeys();
  }
  // Lets the token work, and moves the clock to the next retry.
  static void Mend() {
    ShimFailUnwraps(0);
    ShimAdvanceClock(1);
  }
};

TEST_P(TicketTest, ATicketMadeUnderKeysForNowResumesUnderTheSharedOnes) {
  Connect(options_);  // records the shared keys
  SSL_ClearSessionCache();
  PRUint8 before[16 + 32 + 32], after[sizeof(before)];
  const BrokenToken token;
  std::unique_ptr<Connection> connection = Connect(options_);
  ASSERT_EQ(SECSuccess, ShimTicketKeys(connection->server(), before));
  token.Mend();
  ASSERT_EQ(SECSuccess, ShimTicketKeys(connection->server(), after));
  ASSERT_NE(0, memcmp(before, after, sizeof(before)));
  EXPECT_TRUE(Connect(options_)->resumed());
  EXPECT_TRUE(Connect(options_)->resumed());
}

// Requests a second ClientHello from the client, and counts the calls.
SSLHelloRetryRequestAction RetryOnce(PRBool first, const PRUint8*, unsigned int,
                                     PRUint8*, unsigned int*, unsigned int,
                                     void* calls) {
  ++*static_cast<int*>(calls);
  return first ? ssl_hello_retry_request : ssl_hello_retry_accept;
}

TEST_P(TicketTest, ACookieMadeUnderKeysForNowIsTakenUnderTheSharedOnes) {
  if (options_.version != SSL_LIBRARY_VERSION_TLS_1_3) return;
  Connect(options_);  // records the shared keys
  SSL_ClearSessionCache();
  const BrokenToken token;
  int calls = 0;
  Connection connection(&listener_, options_);
  ASSERT_EQ(SECSuccess, SSL_HelloRetryRequestCallback(connection.server(),
                                                      RetryOnce, &calls));
  EXPECT_EQ(SECFailure, SSL_ForceHandshake(connection.client()));
  for (int tries = 0; tries < 10000 && calls == 0; ++tries) {
    EXPECT_EQ(SECFailure, SSL_ForceHandshake(connection.server()));
    usleep(1000);
  }
  ASSERT_EQ(1, calls);
  token.Mend();
  EXPECT_TRUE(connection.Handshake() && connection.Talk())
      << PR_ErrorToName(connection.server_error());
  EXPECT_EQ(2, calls);
}

// ---- tickets of the future ----

TEST_P(TicketTest, OneThatIsMoreThanTheSkewAheadIsAFullHandshake) {
  options_.server_clock = &clock_;
  struct {
    PRTime ahead;
    bool resumes;
  } cases[] = {{0, true},
               {1, true},
               {2 * kSecond, true},
               {2 * kSecond + 1, false},
               {300 * kSecond, false},
               {kStart - 1, false}};
  for (const auto& one : cases) {
    SSL_ClearSessionCache();
    clock_ = kStart;
    EXPECT_FALSE(Connect(options_)->resumed());
    clock_ = kStart - one.ahead;
    EXPECT_EQ(one.resumes, Connect(options_)->resumed()) << one.ahead;
    // The session of that full handshake was created by this clock.
    EXPECT_TRUE(Connect(options_)->resumed()) << one.ahead;
  }
}

TEST_P(TicketTest, TheSkewIsThatOfItsCache) {
  SSLServerCacheParams params;
  memset(&params, 0, sizeof(params));
  params.length = sizeof(params);
  params.clockSkewSec = 300;
  ASSERT_EQ(SECSuccess, SSL_ChangeServerCache(nullptr, &params));
  options_.server_clock = &clock_;
  for (PRTime more : {0, 1}) {
    SSL_ClearSessionCache();
    clock_ = kStart;
    EXPECT_FALSE(Connect(options_)->resumed());
    clock_ = kStart - 300 * kSecond - more;
    EXPECT_EQ(more == 0, Connect(options_)->resumed());
  }
}

INSTANTIATE_TEST_SUITE_P(Versions, TicketTest,
                         ::testing::Values(SSL_LIBRARY_VERSION_TLS_1_2,
                                           SSL_LIBRARY_VERSION_TLS_1_3));

// ---- a ClientHello in SSLv2's format ----

class V2HelloTest : public NssTest {
 protected:
  // Returns a connection whose server has read such a ClientHello and answered
  // it. The server is bound to |bound| if that is given.
  std::unique_ptr<Connection> Greet(const char* bound) {
    static const uint8_t kHello[] = {
        0x80, 9 + 6 + 16, 1,    3, 3,        // CLIENT-HELLO, TLS 1.2
        0,    6,          0,    0, 0, 16,    // two suites, no ID, a challenge
        0,    0,          0x2f, 0, 0, 0x9c,  // TLS_RSA_WITH_AES_128_...
        0,    1,          2,    3, 4, 5,    6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    std::unique_ptr<Connection> connection(
        new Connection(&listener_, ConnectOptions()));
    PRFileDesc* server = connection->server();
    SSL_OptionSet(server, SSL_ENABLE_V2_COMPATIBLE_HELLO, PR_TRUE);
    if (bound) {
      EXPECT_EQ(SECSuccess, SSL_BindServerCache(server, bound));
    }
    // Write to the client's TCP socket, below its libssl.
    EXPECT_EQ(static_cast<PRInt32>(sizeof(kHello)),
              PR_Write(connection->client()->lower, kHello, sizeof(kHello)));
    const auto end =
        std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!ShimSocketSid(server) && std::chrono::steady_clock::now() < end) {
      EXPECT_EQ(SECFailure, SSL_ForceHandshake(server));
      EXPECT_EQ(PR_WOULD_BLOCK_ERROR, PR_GetError());
    }
    return connection;
  }

  Listener listener_;
};

TEST_F(V2HelloTest, ItsSessionIsOfTheCacheThatTheSocketIsBoundTo) {
  ASSERT_EQ(SECSuccess, SSL_ConfigServerSessionIDCache(1000, 0, 0, nullptr));
  ASSERT_EQ(SECSuccess, SSL_AddServerCache("b.example", nullptr));
  for (const char* bound : {"b.example", static_cast<const char*>(nullptr)}) {
    const uint64_t there = Figures("b.example").live;
    const uint64_t standard = Figures(nullptr).live;
    std::unique_ptr<Connection> connection = Greet(bound);
    ShimSid* sid = ShimSocketSid(connection->server());
    ASSERT_NE(nullptr, sid);
    // Cache it, as at the end of the handshake.
    ShimCache(connection->server(), sid);
    EXPECT_TRUE(ShimIsInServerCache(sid));
    EXPECT_EQ(there + (bound != nullptr), Figures("b.example").live);
    EXPECT_EQ(standard + (bound == nullptr), Figures(nullptr).live);
  }
}

// Whatever the format of the client's next ClientHello.
TEST_F(V2HelloTest, ItsSessionIsFoundByItsClientsAddress) {
  ASSERT_EQ(SECSuccess, SSL_ConfigServerSessionIDCache(1000, 0, 0, nullptr));
  ShimFields by_v2, by_v3;
  std::unique_ptr<Connection> v2 = Greet(nullptr);
  ASSERT_NE(nullptr, ShimSocketSid(v2->server()));
  ShimGetFields(ShimSocketSid(v2->server()), &by_v2);
  Connection v3(&listener_, ConnectOptions());
  ASSERT_TRUE(v3.Handshake());
  ShimGetFields(ShimSocketSid(v3.server()), &by_v3);
  EXPECT_EQ(0, memcmp(by_v3.address, by_v2.address, sizeof(by_v2.address)));
}

}  // namespace
}  // namespace nss_test
