/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// client_test.cc: a process that is client and server. Before NSS 3.4 client
// and server shared one pair of timeouts; bug 223242 is a remainder of that.

#include <sys/mman.h>

#include "blackbox_test.h"

namespace regress {
namespace {

// ---- ClientApart: a client's actions change no server's timeout ----

class ClientApart : public OfCall {};

// A client's actions at another server; the tests' names say which.
void VisitWithASession(Site* elsewhere) {
  EXPECT_FALSE(elsewhere->Meet(0, {}, {}, "client").server.resumed);
  EXPECT_TRUE(elsewhere->Meet(0, {}, {}, "client").server.resumed);
}

void VisitWithATicket(Site* elsewhere, uint16_t version) {
  Side side;
  side.tickets = true;
  side.version = version;
  const std::string visitor = NewVisitor();
  EXPECT_FALSE(elsewhere->Meet(0, side, side, visitor).server.resumed);
  EXPECT_TRUE(elsewhere->Meet(0, side, side, visitor).server.resumed);
}

BLACKBOX_TEST(ClientApart, AClientThatWasThereFirst) {
  NEEDS_MOCK_CLOCK();
  Site elsewhere = Site::Elsewhere({5, 5});
  VisitWithASession(&elsewhere);
  VisitWithATicket(&elsewhere, SSL_LIBRARY_VERSION_TLS_1_2);
  VisitWithATicket(&elsewhere, SSL_LIBRARY_VERSION_TLS_1_3);
  Site site(Call::kConfig, {100, 300});
  ExpectLifetime(&site, 0, 0, kStart, 300);
}

BLACKBOX_TEST(ClientApart, AClientThatComesLater) {
  NEEDS_MOCK_CLOCK();
  Site elsewhere = Site::Elsewhere({5, 5});
  Site site(Call::kConfig, {100, 300});
  site.Begin(0, kStart);
  VisitWithASession(&elsewhere);
  VisitWithATicket(&elsewhere, SSL_LIBRARY_VERSION_TLS_1_2);
  VisitWithATicket(&elsewhere, SSL_LIBRARY_VERSION_TLS_1_3);
  EXPECT_TRUE(site.Resumes(0, kStart + 300 * kSecond - 1));
  EXPECT_FALSE(site.Resumes(0, kStart + 300 * kSecond));
  ExpectLifetime(&site, 0, 0, kStart, 300);
}

BLACKBOX_TEST_P(ClientApart, AClientsClock) {
  NEEDS_MOCK_CLOCK();
  Site site(call, {100, 300});
  Side client;
  client.clock = kStart - 3600 * kSecond;
  Side server;
  server.clock = kStart;
  EXPECT_FALSE(site.Meet(0, server, client).server.resumed);
  client.clock = kStart + 3600 * kSecond;
  server.clock = kStart + 300 * kSecond - 1;
  EXPECT_TRUE(site.Meet(0, server, client).server.resumed);
  server.clock = kStart + 300 * kSecond;
  EXPECT_FALSE(site.Meet(0, server, client).server.resumed);
}

BLACKBOX_TEST_P(ClientApart, ClearingTheClientsCache) {
  NEEDS_MOCK_CLOCK();
  Site site(call, {100, 300});
  site.Begin(0, kStart, "cleared");
  SSL_ClearSessionCache();
  ExpectLifetime(&site, 0, 0, kStart, 300);
}

BLACKBOX_TEST_P(ClientApart, AClientThatInvalidatesItsSession) {
  NEEDS_MOCK_CLOCK();
  Site site(call, {100, 300});
  const std::string stays = NewVisitor();
  site.Begin(0, kStart, stays);
  Side invalidating;
  invalidating.invalidate = true;
  Side server;
  server.clock = kStart;
  site.Meet(0, server, invalidating, NewVisitor());
  EXPECT_TRUE(site.Resumes(0, kStart + 300 * kSecond - 1, stays));
  EXPECT_FALSE(site.Resumes(0, kStart + 300 * kSecond, stays));
}

INSTANTIATE_TEST_SUITE_P(Calls, ClientApart, ::testing::ValuesIn(kAllCalls),
                         CallName);

// ---- ServerApart: a server's configuration changes no client's lifetime ----

// The shortest and the longest timeouts that a cache can have.
constexpr Timeouts kShort = {5, 5};
constexpr Timeouts kLong = {100, 86400};

// Returns how long a client of this process keeps a session, in seconds, by its
// SSLChannelInfo. The server is another process with a cache of its own.
uint32_t ClientLifetime(Site* elsewhere) {
  Side client;
  client.clock = kStart;
  const Outcome seen = elsewhere->Meet(0, {}, client, NewVisitor()).client;
  EXPECT_FALSE(seen.resumed);
  EXPECT_EQ(kStart / kSecond, seen.created);
  return seen.expires - seen.created;
}

// Returns whether a client offers its session |later| seconds after kStart. The
// clock of the server elsewhere stands still, so that it resumes each session
// that it is offered.
bool Offers(Site* elsewhere, PRTime later, const std::string& visitor) {
  Side client;
  client.clock = kStart + later * kSecond;
  Side server;
  server.clock = kStart;
  return elsewhere->Meet(0, server, client, visitor).server.resumed;
}

// Expects that a client that makes a session now offers it for |lifetime|
// seconds.
void ExpectOffers(Site* elsewhere, uint32_t lifetime) {
  const std::string visitor = NewVisitor();
  EXPECT_FALSE(Offers(elsewhere, 0, visitor));
  EXPECT_TRUE(Offers(elsewhere, PRTime(lifetime) - 1, visitor));
  EXPECT_FALSE(Offers(elsewhere, PRTime(lifetime) + 1, visitor));
}

// Returns a client's session lifetime in a process that never had a server
// cache; 0 if that fails.
uint32_t LifetimeWithoutACache() {
  void* shared = mmap(nullptr, sizeof(uint32_t), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return 0;
  uint32_t* lifetime = static_cast<uint32_t*>(shared);
  InOwnProcess([lifetime] {
    Site elsewhere = Site::Elsewhere(kLong);
    *lifetime = ClientLifetime(&elsewhere);
  });
  const uint32_t result = *lifetime;
  munmap(shared, sizeof(uint32_t));
  return result;
}

class ServerApart : public OfCall {};

// Runs |body| for a cache with short and for one with long timeouts, each in a
// process of its own. |body| also gets the lifetime that clients have without a
// server cache.
void ForBoth(void (*body)(Call, Timeouts, uint32_t), Call call) {
  const uint32_t lifetime = HasTimeFunc() ? LifetimeWithoutACache() : 0;
  for (Timeouts timeouts : {kShort, kLong}) {
    InOwnProcess([&] {
      NEEDS_MOCK_CLOCK();
      ASSERT_NE(0u, lifetime);
      body(call, timeouts, lifetime);
    });
  }
}

TEST_P(ServerApart, AClientAfterTheServersConfigurationKeepsItsLifetime) {
  ForBoth(
      [](Call call, Timeouts timeouts, uint32_t lifetime) {
        Site elsewhere = Site::Elsewhere(kLong);
        ASSERT_EQ(SECSuccess, Configure(call, timeouts));
        EXPECT_EQ(lifetime, ClientLifetime(&elsewhere));
        ExpectOffers(&elsewhere, lifetime);
      },
      GetParam());
}

TEST_P(ServerApart, AClientFromBeforeTheConfigurationKeepsItsLifetime) {
  ForBoth(
      [](Call call, Timeouts timeouts, uint32_t lifetime) {
        Site elsewhere = Site::Elsewhere(kLong);
        EXPECT_EQ(lifetime, ClientLifetime(&elsewhere));
        const std::string early = NewVisitor();
        const std::string late = NewVisitor();
        EXPECT_FALSE(Offers(&elsewhere, 0, early));
        EXPECT_FALSE(Offers(&elsewhere, 0, late));
        ASSERT_EQ(SECSuccess, Configure(call, timeouts));
        // Once past the cache's timeout, and once as near to the end of the
        // client's lifetime as whole seconds allow.
        EXPECT_TRUE(Offers(&elsewhere, PRTime(timeouts.ssl3) + 1, early));
        EXPECT_TRUE(Offers(&elsewhere, PRTime(lifetime) - 1, late));
        EXPECT_FALSE(Offers(&elsewhere, PRTime(lifetime) + 1, late));
        EXPECT_EQ(lifetime, ClientLifetime(&elsewhere));
      },
      GetParam());
}

TEST_P(ServerApart, AClientAfterTheServersShutdownKeepsItsLifetime) {
  ForBoth(
      [](Call call, Timeouts timeouts, uint32_t lifetime) {
        Site elsewhere = Site::Elsewhere(kLong);
        ASSERT_EQ(SECSuccess, Configure(call, timeouts));
        EXPECT_EQ(SECSuccess, SSL_ShutdownServerSessionIDCache());
        EXPECT_EQ(lifetime, ClientLifetime(&elsewhere));
        ExpectOffers(&elsewhere, lifetime);
      },
      GetParam());
}

INSTANTIATE_TEST_SUITE_P(Calls, ServerApart, ::testing::ValuesIn(kAllCalls),
                         CallName);

}  // namespace
}  // namespace regress
