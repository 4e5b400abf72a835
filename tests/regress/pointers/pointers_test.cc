/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */
// pointers_test.cc: which functions a socket's pointers call, and which cache
// these functions reach.

#include <cstring>

#include "pointer_test.h"
#include "prerror.h"
#include "sslerr.h"

namespace nss_test {
namespace {

constexpr char kUrl[] = "a.example";
constexpr uint32_t kTimeout = 90;

class Pointers : public PointerTest {
 protected:
  void SetUp() override {
    PointerTest::SetUp();
    Configure(20, kTimeout);
    // The server's socket gets a server name too, as a client's has, so that
    // the client cache would accept a session of this server by mistake.
    SSL_SetURL(server_->fd(), kUrl);
    now_ = kStart;
    client_.reset(new LoneSocket(false, &now_));
    Prepare(client_->fd());
  }
  void TearDown() override {
    client_.reset();
    PointerTest::TearDown();
  }

  // Gives a socket the peer and server name that all sockets have here;
  // SSL_ResetHandshake clears the peer.
  static void Prepare(PRFileDesc* fd) {
    ShimSetPeer(fd, SampleFields(0, 0).address);
    SSL_SetURL(fd, kUrl);
  }
  static Sid Make(PRFileDesc* fd) {
    return Sid(ShimNewSessionSid(fd, SSL_LIBRARY_VERSION_TLS_1_2));
  }
  bool InClientCache() const {
    return Sid(ShimLookupClient(client_->fd())) != nullptr;
  }

  // Caches and removes a new session by the pointers of |fd|. Succeeds if only
  // the server cache has it in between.
  ::testing::AssertionResult ReachesTheServerCacheOnly(PRFileDesc* fd) {
    Sid sid = Make(fd);
    ShimCache(fd, sid.get());
    ::testing::AssertionResult result = ::testing::AssertionSuccess();
    if (!ShimIsInServerCache(sid.get())) {
      result = ::testing::AssertionFailure() << "the sid does not say so";
    } else if (!server_->Finds(sid)) {
      result = ::testing::AssertionFailure() << "the server cache has it not";
    } else if (InClientCache()) {
      result = ::testing::AssertionFailure() << "the client cache has it";
    }
    ShimUncache(fd, sid.get());
    if (result && server_->Finds(sid)) {
      result = ::testing::AssertionFailure() << "it was not taken out";
    }
    return result;
  }
  ::testing::AssertionResult ReachesTheClientCacheOnly(PRFileDesc* fd) {
    Sid sid = Make(fd);
    ShimCache(fd, sid.get());
    ::testing::AssertionResult result = ::testing::AssertionSuccess();
    if (!ShimIsInClientCache(sid.get())) {
      result = ::testing::AssertionFailure() << "the sid does not say so";
    } else if (!InClientCache()) {
      result = ::testing::AssertionFailure() << "the client cache has it not";
    } else if (server_->Finds(sid)) {
      result = ::testing::AssertionFailure() << "the server cache has it";
    }
    ShimUncache(fd, sid.get());
    if (result && InClientCache()) {
      result = ::testing::AssertionFailure() << "it was not taken out";
    }
    return result;
  }

  PRTime now_;
  std::unique_ptr<LoneSocket> client_;
};

TEST_F(Pointers, AreBothThereInEverySocket) {
  EXPECT_TRUE(ShimHasPointers(server_->fd()));
  EXPECT_TRUE(ShimHasPointers(client_->fd()));
  PRFileDesc* fresh = SSL_ImportFD(nullptr, PR_NewTCPSocket());
  ASSERT_TRUE(fresh);
  EXPECT_TRUE(ShimHasPointers(fresh));
  PR_Close(fresh);
  PRFileDesc* datagrams = DTLS_ImportFD(nullptr, PR_NewUDPSocket());
  ASSERT_TRUE(datagrams);
  EXPECT_TRUE(ShimHasPointers(datagrams));
  PR_Close(datagrams);
}

TEST_F(Pointers, OfServersAreAllTheSameAndNoneAClients) {
  Server other;
  LoneSocket other_client(false);
  EXPECT_TRUE(ShimSamePointers(server_->fd(), other.fd()));
  EXPECT_TRUE(ShimSamePointers(client_->fd(), other_client.fd()));
  EXPECT_FALSE(ShimSamePointers(server_->fd(), client_->fd()));
}

TEST_F(Pointers, OfAServerReachTheServerCacheOnly) {
  EXPECT_TRUE(ReachesTheServerCacheOnly(server_->fd()));
}

TEST_F(Pointers, OfAClientReachTheClientCacheOnly) {
  EXPECT_TRUE(ReachesTheClientCacheOnly(client_->fd()));
}

TEST_F(Pointers, OfAClientDoNotTakeOutAServersSession) {
  Sid sid = server_->MakeCached(kTls12);
  ShimUncache(client_->fd(), sid.get());
  EXPECT_TRUE(server_->Finds(sid));
}

// The server cache's timeouts do not apply to a client's session.
TEST_F(Pointers, OfAClientLeaveASessionTheClientsLifetime) {
  Sid sid = Make(client_->fd());
  const PRTime expiration = Fields(sid).expirationTime;
  ASSERT_LT(kStart + kTimeout * kSecond, expiration);
  ShimCache(client_->fd(), sid.get());
  EXPECT_EQ(expiration, Fields(sid).expirationTime);
  now_ = expiration - 1;
  EXPECT_TRUE(InClientCache());
  ShimUncache(client_->fd(), sid.get());
}

TEST_F(Pointers, OfAClientNeedNoServerCache) {
  SSL_ShutdownServerSessionIDCache();
  EXPECT_TRUE(ReachesTheClientCacheOnly(client_->fd()));
}

TEST_F(Pointers, FollowTheSideThatTheHandshakeIsResetTo) {
  LoneSocket socket(false, &now_);
  for (int round = 0; round < 2; ++round) {
    SSL_ResetHandshake(socket.fd(), PR_TRUE);
    Prepare(socket.fd());
    EXPECT_TRUE(ShimSamePointers(server_->fd(), socket.fd()));
    EXPECT_TRUE(ReachesTheServerCacheOnly(socket.fd()));
    SSL_ResetHandshake(socket.fd(), PR_FALSE);
    Prepare(socket.fd());
    EXPECT_TRUE(ShimSamePointers(client_->fd(), socket.fd()));
    EXPECT_TRUE(ReachesTheClientCacheOnly(socket.fd()));
  }
}

TEST_F(Pointers, ComeFromTheModelThatASocketIsImportedWith) {
  for (PRFileDesc* model : {server_->fd(), client_->fd()}) {
    PRFileDesc* copy = SSL_ImportFD(model, PR_NewTCPSocket());
    ASSERT_TRUE(copy);
    EXPECT_TRUE(ShimHasPointers(copy));
    EXPECT_TRUE(ShimSamePointers(model, copy));
    Prepare(copy);
    Sid sid = Make(model);
    ShimCache(copy, sid.get());
    EXPECT_EQ(model == server_->fd(), server_->Finds(sid));
    EXPECT_EQ(model == client_->fd(), InClientCache());
    ShimUncache(copy, sid.get());
    PR_Close(copy);
  }
}

TEST_F(Pointers, OfAServerTakeOutWhatNoLookupThenFinds) {
  for (const Version& version : kVersions) {
    Sid sid = server_->MakeCached(version);
    ASSERT_TRUE(server_->Finds(sid));
    server_->Uncache(sid);
    EXPECT_TRUE(ShimIsInvalid(sid.get()));
    EXPECT_FALSE(server_->Finds(sid)) << version.name;
    EXPECT_EQ(SSL_ERROR_SESSION_NOT_FOUND, PR_GetError());
    Server other;
    EXPECT_FALSE(other.Finds(sid)) << version.name;
    const ShimFields f = Fields(sid);
    EXPECT_FALSE(Sid(ShimLookupDefault(kStart, f.address, f.id, f.idLen)));
    EXPECT_EQ(0, InFork([&] { return other.Finds(sid) ? 1 : 0; }));
  }
}

TEST_F(Pointers, OfAServerTakeOutByTheSidThatWasLookedUp) {
  Sid sid = server_->MakeCached(kTls12);
  Sid found = server_->Lookup(sid);
  ASSERT_TRUE(found);
  server_->Uncache(found);
  EXPECT_FALSE(server_->Finds(sid));
}

TEST_F(Pointers, OfAServerTakeOutWhatWasStoredTwice) {
  Sid first = server_->MakeCached(kTls12);
  Sid second = Twin(first);
  Server other;
  other.Cache(second);
  ASSERT_TRUE(ShimIsInServerCache(second.get()));
  server_->Uncache(first);
  EXPECT_FALSE(server_->Finds(first));
  EXPECT_FALSE(other.Finds(second));
}

TEST_F(Pointers, OfAServerTakeOutWhatWasStoredTwiceWithOtherFields) {
  // The cache finds a session without its class and its times.
  Sid first = server_->MakeCached(kSsl2);
  ShimFields f = Fields(first);
  f.version = SSL_LIBRARY_VERSION_TLS_1_2;
  f.creationTime += kSecond;
  Sid second(ShimNewSid(&f, nullptr));
  server_->Cache(second);
  server_->Uncache(first);
  EXPECT_FALSE(server_->Finds(first));
}

TEST_F(Pointers, OfAServerTakeOutWhatWasStoredBeforeAndAfterTheCacheGrew) {
  Sid first = server_->MakeCached(kTls12);
  ASSERT_EQ(SECSuccess,
            SSL_ConfigServerSessionIDCache(50000, 20, kTimeout, nullptr));
  Sid second = Twin(first);
  server_->Cache(second);
  server_->Uncache(second);
  EXPECT_FALSE(server_->Finds(first));
}

TEST_F(Pointers, OfAServerTakeOutNothingElse) {
  Sid before = server_->MakeCached(kTls12);
  Sid sid = server_->MakeCached(kTls12);
  Sid after = server_->MakeCached(kTls12);
  server_->Uncache(sid);
  EXPECT_TRUE(server_->Finds(before));
  EXPECT_TRUE(server_->Finds(after));
}

TEST_F(Pointers, OfAServerTakeOutAnExpiredSessionWithoutHarm) {
  for (bool met : {false, true}) {
    server_->SetClock(kStart);
    Sid sid = server_->MakeCached(kTls12);
    server_->SetClock(kStart + kTimeout * kSecond);
    Sid live = server_->MakeCached(kTls12);
    if (met) {
      EXPECT_FALSE(server_->Finds(sid));
    }
    PR_SetError(4711, 0);
    server_->Uncache(sid);
    EXPECT_EQ(4711, PR_GetError());
    EXPECT_TRUE(ShimIsInvalid(sid.get()));
    EXPECT_FALSE(server_->Finds(sid));
    EXPECT_TRUE(server_->Finds(live));
    server_->SetClock(kStart);
    EXPECT_FALSE(server_->Finds(sid));  // nor after the clock was set back
  }
}

TEST_F(Pointers, LeaveTheErrorAloneWhenTheyTakeOut) {
  Sid sid = server_->Make(kTls12);
  PR_SetError(4711, 0);
  server_->Uncache(sid);  // it was never cached
  EXPECT_EQ(4711, PR_GetError());
  server_->Cache(sid);
  PR_SetError(4712, 0);
  server_->Uncache(sid);
  EXPECT_EQ(4712, PR_GetError());
  PR_SetError(4713, 0);
  server_->Uncache(sid);  // it was removed already
  EXPECT_EQ(4713, PR_GetError());
  SSL_ShutdownServerSessionIDCache();
  PR_SetError(4714, 0);
  server_->Uncache(sid);  // there is no cache
  EXPECT_EQ(4714, PR_GetError());
}

TEST_F(Pointers, OfAClientTakeOutWhatAHandshakePutThere) {
  Listener listener;
  ConnectOptions options;
  Connection connection(&listener, options);
  ASSERT_TRUE(connection.Handshake());
  ShimSid* sid = ShimSocketSid(connection.client());
  ASSERT_TRUE(sid);
  ASSERT_TRUE(ShimIsInClientCache(sid));
  ShimUncache(connection.client(), sid);
  EXPECT_TRUE(ShimIsInvalid(sid));
  // The server still has the session; the client does not offer it.
  ShimFields f;
  ShimGetFields(ShimSocketSid(connection.server()), &f);
  EXPECT_TRUE(Sid(ShimLookupDefault(PR_Now(), f.address, f.id, f.idLen)));
  Connection again(&listener, options);
  ASSERT_TRUE(again.Handshake());
  EXPECT_FALSE(again.resumed());
}

TEST_F(Pointers, OfAServerTakeOutWhatAHandshakePutThere) {
  Listener listener;
  ConnectOptions options;
  Connection connection(&listener, options);
  ASSERT_TRUE(connection.Handshake());
  ShimSid* sid = ShimSocketSid(connection.server());
  ASSERT_TRUE(sid);
  ASSERT_TRUE(ShimIsInServerCache(sid));
  ShimUncache(connection.server(), sid);
  // The client still has the session, but the server does not resume it.
  ASSERT_TRUE(ShimIsInClientCache(ShimSocketSid(connection.client())));
  Connection again(&listener, options);
  ASSERT_TRUE(again.Handshake());
  EXPECT_FALSE(again.resumed());
}

}  // namespace
}  // namespace nss_test
