/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// origin_test.cc: a session resumes only under the server name that it was made
// for (G7), by session ID and by ticket.
//
// NSS's client offers a session only under the name that it was made for. These
// tests make it offer the session under another name, as a client under attack
// or a careless proxy does.

#include <cstring>

#include "prerror.h"
#include "sslexp.h"
#include "test_nss.h"

namespace nss_test {
namespace {

// NSS sends no server name for an address (RFC 6066 section 3).
constexpr char kNoName[] = "127.0.0.1";

enum class By { kSessionId, kTicket12, kTicket13 };
enum class Callback { kNone, kChooses, kKeepsConfig };

struct Way {
  By by;
  Callback callback;
};
void PrintTo(const Way& way, std::ostream* out) {
  static const char* const kBy[] = {"SessionId", "Ticket12", "Ticket13"};
  static const char* const kCallback[] = {"NoCallback", "Chooses",
                                          "KeepsConfig"};
  *out << kBy[static_cast<int>(way.by)]
       << kCallback[static_cast<int>(way.callback)];
}

class OriginTest : public NssTest, public ::testing::WithParamInterface<Way> {
 protected:
  void SetUp() override {
    NssTest::SetUp();
    ASSERT_EQ(SECSuccess, SSL_ConfigServerSessionIDCache(1000, 0, 0, nullptr));
    if (GetParam().by == By::kTicket13) {
      options_.version = SSL_LIBRARY_VERSION_TLS_1_3;
    }
    options_.tickets = GetParam().by != By::kSessionId;
    options_.sni_callback = GetParam().callback == Callback::kChooses;
    options_.sni_keeps_config = GetParam().callback == Callback::kKeepsConfig;
  }

  // Makes a connection under |name|, whose session the client will offer under
  // |next|. Returns whether the connection resumed a session.
  bool Connect(const std::string& name, const std::string& next) {
    options_.url = name;
    Connection connection(&listener_, options_);
    EXPECT_TRUE(connection.Handshake() && connection.Talk())
        << name << ": client " << PR_ErrorToName(connection.client_error())
        << ", server " << PR_ErrorToName(connection.server_error());
    char negotiated[300];
    ShimNegotiatedName(connection.server(), negotiated);
    if (options_.sni_callback && name != kNoName) {
      EXPECT_EQ(name, negotiated);
    } else {
      EXPECT_STREQ("", negotiated);
    }
    const bool resumed = connection.resumed();
    ShimRename(connection.client(), next.c_str());
    return resumed;
  }

  // Returns whether a session made under |name| resumes under |other|. It must
  // resume under |name|, and the session of that last connection under |other|.
  bool Crosses(const std::string& name, const std::string& other) {
    EXPECT_FALSE(Connect(name, name));
    EXPECT_TRUE(Connect(name, other));
    const bool crosses = Connect(other, other);
    EXPECT_TRUE(Connect(other, other));
    return crosses;
  }

  Listener listener_;
  ConnectOptions options_;
};

TEST_P(OriginTest, ASessionResumesUnderItsName) {
  EXPECT_FALSE(Connect("a.example", "a.example"));
  EXPECT_TRUE(Connect("a.example", "a.example"));
}

TEST_P(OriginTest, ASessionOfOneNameIsAFullHandshakeUnderAnother) {
  EXPECT_FALSE(Crosses("a.example", "b.example"));
}

TEST_P(OriginTest, APrefixAndASuffixAreOtherNames) {
  EXPECT_FALSE(Crosses("a.example", "a.example.org"));
  EXPECT_FALSE(Crosses("www.example", "example"));
}

TEST_P(OriginTest, ASessionOfANameIsNoneWithoutAName) {
  EXPECT_FALSE(Crosses("a.example", kNoName));
}

TEST_P(OriginTest, ASessionWithoutANameIsNoneUnderAName) {
  EXPECT_FALSE(Crosses(kNoName, "a.example"));
}

TEST_P(OriginTest, ASessionWithoutANameResumesWithoutOne) {
  EXPECT_FALSE(Connect(kNoName, kNoName));
  EXPECT_TRUE(Connect(kNoName, kNoName));
}

TEST_P(OriginTest, NamesAreComparedWithoutRegardToCase) {
  EXPECT_TRUE(Crosses("a.example", "A.eXample"));
}

// When the callback begins to choose names, or ceases to, older sessions may
// cost a full handshake, but no failure.
TEST_P(OriginTest, AChangedCallbackFailsNoHandshake) {
  EXPECT_FALSE(Connect("a.example", "a.example"));
  options_.sni_callback = !options_.sni_callback;
  options_.sni_keeps_config = false;
  options_.url = "a.example";
  Connection connection(&listener_, options_);
  EXPECT_TRUE(connection.Handshake() && connection.Talk())
      << "client " << PR_ErrorToName(connection.client_error()) << ", server "
      << PR_ErrorToName(connection.server_error());
}

INSTANTIATE_TEST_SUITE_P(
    Ways, OriginTest,
    ::testing::Values(Way{By::kSessionId, Callback::kNone},
                      Way{By::kSessionId, Callback::kChooses},
                      Way{By::kSessionId, Callback::kKeepsConfig},
                      Way{By::kTicket12, Callback::kNone},
                      Way{By::kTicket12, Callback::kChooses},
                      Way{By::kTicket12, Callback::kKeepsConfig},
                      Way{By::kTicket13, Callback::kNone},
                      Way{By::kTicket13, Callback::kChooses},
                      Way{By::kTicket13, Callback::kKeepsConfig}),
    ::testing::PrintToStringParamName());

}  // namespace
}  // namespace nss_test
