/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// space_test.cc: the tickets of each cache are encrypted under keys of their
// own, which follow from the ticket key, the cache's name and its ticketEpoch;
// what ends them: another epoch, a flush, a removal.

#include <cstddef>
#include <set>
#include <string>

#include "prerror.h"
#include "secerr.h"
#include "ssl.h"
#include "sslexp.h"
#include "sslsnce/sslsnce.h"
#include "test_tickets.h"

namespace nss_test {
namespace {

constexpr size_t kNameBytes = 16;

class SpaceTest : public TicketFixture {
 protected:
  void SetUp() override {
    TicketFixture::SetUp();
    options_.server_no_cache = true;
    Add("a.example");
    Add("b.example");
  }
  void Add(const char* name) {
    ASSERT_EQ(SECSuccess, SSL_AddServerCache(name, nullptr));
  }
  void SetEpoch(const char* name, PRUint32 epoch) {
    SSLServerCacheParams params = {};
    params.length = sizeof(params);
    params.ticketEpoch = epoch;
    ASSERT_EQ(SECSuccess, SSL_ChangeServerCache(name, &params));
  }
  void ExpectDefault(PRUint32 epoch, PRUint32 timeout, PRUint32 rotation) {
    const auto visit = [](void* out, const char* name,
                          const SSLServerCacheParams* params) {
      if (!name) *static_cast<SSLServerCacheParams*>(out) = *params;
      return SECSuccess;
    };
    SSLServerCacheParams shown = {};
    EXPECT_EQ(SECSuccess, SSL_ListServerCaches(visit, &shown));
    EXPECT_EQ(epoch, shown.ticketEpoch);
    EXPECT_EQ(timeout, shown.ticketTimeoutSec);
    EXPECT_EQ(rotation, shown.ticketRotationSec);
  }
  // Makes a connection to |name|; returns whether it resumed.
  bool Resumes(const std::string& name) {
    options_.url = name;
    std::unique_ptr<Connection> connection = Connect();
    PRUint8 key_name[kNameBytes] = {};
    EXPECT_EQ(1, ShimTicketName(ShimSocketSid(connection->client()), key_name));
    key_name_ = std::string(reinterpret_cast<char*>(key_name), kNameBytes);
    return connection->resumed();
  }

  std::string key_name_;  // with which the client's last ticket begins
};
INSTANTIATE_TEST_SUITE_P(Versions, SpaceTest,
                         ::testing::Values(SSL_LIBRARY_VERSION_TLS_1_2,
                                           SSL_LIBRARY_VERSION_TLS_1_3));

TEST_P(SpaceTest, EachCacheHasAKeyNameOfItsOwn) {
  std::set<std::string> names;
  for (const char* name : {"a.example", "b.example", "c.example"}) {
    ASSERT_FALSE(Resumes(name));
    EXPECT_TRUE(names.insert(key_name_).second) << name;
    EXPECT_TRUE(Resumes(name));
    EXPECT_EQ(1u, names.count(key_name_));
  }
  // c.example has the default cache.
  ASSERT_FALSE(Resumes("d.example"));
  EXPECT_EQ(1u, names.count(key_name_));
}

TEST_P(SpaceTest, KeyNamesOfOneTicketKeyHaveOneTag) {
  ASSERT_FALSE(Resumes("a.example"));
  const std::string a = key_name_;
  ASSERT_FALSE(Resumes("b.example"));
  EXPECT_EQ(a.substr(0, 8), key_name_.substr(0, 8));
  EXPECT_NE(a.substr(8), key_name_.substr(8));
}

TEST_P(SpaceTest, TicketsResumeAcrossRotations) {
  ASSERT_FALSE(Resumes("a.example"));
  const std::string first = key_name_;
  clock_ += kDay;
  ASSERT_TRUE(Resumes("a.example"));
  if (GetParam() == SSL_LIBRARY_VERSION_TLS_1_3) {
    EXPECT_NE(first, key_name_);
  }
}

// ---- ticketEpoch ----

TEST_P(SpaceTest, AnotherEpochEndsTheTicketsOfItsCacheOnly) {
  ASSERT_FALSE(Resumes("a.example"));
  ASSERT_FALSE(Resumes("b.example"));
  SetEpoch("a.example", 1);
  EXPECT_FALSE(Resumes("a.example"));
  EXPECT_TRUE(Resumes("a.example"));
  EXPECT_TRUE(Resumes("b.example"));
}

TEST_P(SpaceTest, AnEpochThatComesBackBringsItsTicketsBack) {
  options_.peer_id = "one";
  ASSERT_FALSE(Resumes("a.example"));
  const std::string first = key_name_;
  SetEpoch("a.example", 7);
  options_.peer_id = "two";
  ASSERT_FALSE(Resumes("a.example"));
  EXPECT_NE(first, key_name_);
  SetEpoch("a.example", 0);
  options_.peer_id = "one";
  EXPECT_TRUE(Resumes("a.example"));
  EXPECT_EQ(first, key_name_);
}

// The server issues tickets in the epoch of the ClientHello, so that nobody can
// wait with an old session for the next epoch.
TEST_P(SpaceTest, AConnectionStaysInTheEpochOfItsClientHello) {
  if (GetParam() != SSL_LIBRARY_VERSION_TLS_1_3) return;
  {
    options_.url = "a.example";
    Connection connection(&listener_, options_);
    ASSERT_TRUE(connection.Handshake() && connection.Talk());
    SetEpoch("a.example", 1);
    ASSERT_EQ(SECSuccess,
              SSL_SendSessionTicket(connection.server(), nullptr, 0));
    ASSERT_TRUE(connection.Talk());
  }
  EXPECT_FALSE(Resumes("a.example"));
  EXPECT_TRUE(Resumes("a.example"));
}

TEST_P(SpaceTest, ASecondConfigKeepsEpochAndLimits) {
  SSLServerCacheParams params = {};
  params.length = sizeof(params);
  params.ticketEpoch = 5;
  params.ticketTimeoutSec = 60;
  params.ticketRotationSec = 600;
  ASSERT_EQ(SECSuccess, SSL_ChangeServerCache(nullptr, &params));
  ASSERT_FALSE(Resumes("c.example"));
  ASSERT_EQ(SECSuccess, SSL_ConfigServerSessionIDCache(1000, 0, 0, nullptr));
  EXPECT_TRUE(Resumes("c.example"));
  ExpectDefault(5, 60, 600);
  // So does an application that was built before there were these fields.
  params = {};
  params.length = offsetof(SSLServerCacheParams, ticketTimeoutSec);
  params.entries = 1000;
  ASSERT_EQ(SECSuccess, SSL_ChangeServerCache(nullptr, &params));
  EXPECT_TRUE(Resumes("c.example"));
  ExpectDefault(5, 60, 600);
}

TEST_P(SpaceTest, TheDefaultCacheHasAnEpochToo) {
  ASSERT_FALSE(Resumes("c.example"));
  const std::string first = key_name_;
  SetEpoch(nullptr, 1);
  EXPECT_FALSE(Resumes("c.example"));
  EXPECT_NE(first, key_name_);
  EXPECT_TRUE(Resumes("c.example"));
  SetEpoch(nullptr, 0);
  EXPECT_FALSE(Resumes("c.example"));
  EXPECT_EQ(first, key_name_);
}

// ---- flush and removal ----

TEST_P(SpaceTest, AFlushEndsTheTicketsOfItsCacheOnly) {
  ASSERT_FALSE(Resumes("a.example"));
  ASSERT_FALSE(Resumes("b.example"));
  ASSERT_FALSE(Resumes("c.example"));
  ASSERT_EQ(SECSuccess, SSL_FlushServerCache("a.example"));
  EXPECT_FALSE(Resumes("a.example"));
  EXPECT_TRUE(Resumes("a.example"));
  EXPECT_TRUE(Resumes("b.example"));
  EXPECT_TRUE(Resumes("c.example"));
  ASSERT_EQ(SECSuccess, SSL_FlushServerCache(nullptr));
  EXPECT_FALSE(Resumes("c.example"));
  EXPECT_TRUE(Resumes("c.example"));
  EXPECT_TRUE(Resumes("b.example"));
}

// A connection that was there before the flush gets a ticket after it.
TEST_P(SpaceTest, AFlushEndsSessionsThatGetATicketLater) {
  if (GetParam() != SSL_LIBRARY_VERSION_TLS_1_3) return;
  {
    options_.url = "a.example";
    Connection connection(&listener_, options_);
    ASSERT_TRUE(connection.Handshake() && connection.Talk());
    ASSERT_EQ(SECSuccess, SSL_FlushServerCache("a.example"));
    ASSERT_EQ(SECSuccess,
              SSL_SendSessionTicket(connection.server(), nullptr, 0));
    ASSERT_TRUE(connection.Talk());
  }
  EXPECT_FALSE(Resumes("a.example"));
  EXPECT_TRUE(Resumes("a.example"));
}

TEST_P(SpaceTest, ARemovedCachesTicketsDoNotComeBackWithItsName) {
  ASSERT_FALSE(Resumes("a.example"));
  ASSERT_EQ(SECSuccess, SSL_RemoveServerCache("a.example"));
  Add("a.example");
  EXPECT_FALSE(Resumes("a.example"));
  EXPECT_TRUE(Resumes("a.example"));
}

// The new cache gets the number of the removed one.
TEST_P(SpaceTest, ANewCacheDoesNotGetTheKeysOfARemovedOne) {
  ASSERT_FALSE(Resumes("b.example"));
  const std::string removed = key_name_;
  ASSERT_EQ(SECSuccess, SSL_RemoveServerCache("b.example"));
  Add("x.example");
  ASSERT_FALSE(Resumes("x.example"));
  EXPECT_NE(removed, key_name_);
}

TEST_P(SpaceTest, AFlushOfAnOldCacheDoesNotConcernANewOne) {
  ASSERT_EQ(SECSuccess, SSL_FlushServerCache("a.example"));
  ASSERT_EQ(SECSuccess, SSL_RemoveServerCache("a.example"));
  Add("a.example");
  // By a clock that is behind.
  clock_ -= 3600 * kSecond;
  options_.url = "a.example";
  for (bool resumes : {false, true}) {
    Connection connection(&listener_, options_);
    ASSERT_TRUE(connection.Handshake() && connection.Talk());
    EXPECT_EQ(resumes, connection.resumed());
  }
}

// ---- many of each ----

// More caches than keys are kept for.
TEST_P(SpaceTest, ManyCachesAndManyKeys) {
  constexpr int kMany = 70;
  for (int i = 0; i < kMany; ++i) {
    const std::string name = "n" + std::to_string(i) + ".example";
    Add(name.c_str());
    ASSERT_FALSE(Resumes(name));
  }
  clock_ += kDay;
  for (int i = 0; i < kMany; ++i) {
    const std::string name = "n" + std::to_string(i) + ".example";
    EXPECT_TRUE(Resumes(name)) << name;
    EXPECT_FALSE(Resumes(name + "x"));
  }
}

}  // namespace
}  // namespace nss_test
