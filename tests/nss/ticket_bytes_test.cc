/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// ticket_bytes_test.cc: a server is sent tickets that are none, by the
// thousand: random bytes, and real tickets that were changed, cut or put
// together from two. None opens, and however a client makes up the names of
// keys, the server keeps no key for it.

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "key_files.h"
#include "prerror.h"
#include "secerr.h"
#include "ssl.h"
#include "sslerr.h"
#include "sslsnce/sslsnce.h"
#include "test_tickets.h"

namespace nss_test {
namespace {

constexpr PRTime kHour = 3600 * kSecond;
constexpr size_t kNameBytes = 16;
constexpr size_t kTagAt = 4;
constexpr int kTickets = 10000;

const uint8_t* Bytes(const std::string& s) {
  return reinterpret_cast<const uint8_t*>(s.data());
}

// Makes tickets that are none from those that are.
class Mutator {
 public:
  explicit Mutator(const std::vector<std::string>& real) : real_(real) {}

  // Another ticket than all real ones.
  std::string Next() {
    std::string ticket;
    do ticket = Make();
    while (std::count(real_.begin(), real_.end(), ticket) != 0);
    return ticket;
  }

 private:
  unsigned Random(size_t below) {
    return static_cast<unsigned>(random_() % below);
  }
  std::string RandomBytes(size_t len) {
    std::string bytes(len, '\0');
    for (char& c : bytes) c = static_cast<char>(random_());
    return bytes;
  }
  std::string Make() {
    std::string ticket = real_[Random(real_.size())];
    const std::string& other = real_[Random(real_.size())];
    switch (Random(9)) {
      case 0:
        return RandomBytes(Random(400));
      case 1:  // some bits
        for (unsigned i = 0, n = 1 + Random(8); i < n; ++i)
          ticket[Random(ticket.size())] ^= 1 << Random(8);
        return ticket;
      case 2:  // one bit of the name
        ticket[Random(kNameBytes)] ^= 1 << Random(8);
        return ticket;
      case 3:
        return ticket.substr(0, Random(ticket.size()));
      case 4:
        return ticket + RandomBytes(1 + Random(40));
      case 5:  // one key's name, another one's ticket
        return other.substr(0, kNameBytes) + ticket.substr(kNameBytes);
      case 6:  // another period of the same secret
        ticket[kTagAt + 3] ^= 1 + Random(255);
        ticket[kTagAt + 2] ^= Random(2);
        return ticket;
      case 7:  // a known tag, a name that is made up
        ticket.replace(kTagAt + 4, kNameBytes - kTagAt - 4,
                       RandomBytes(kNameBytes - kTagAt - 4));
        return ticket;
      default:  // a length that is too large or too small
        ticket[kNameBytes + 16] = static_cast<char>(random_());
        ticket[kNameBytes + 17] = static_cast<char>(random_());
        return ticket;
    }
  }

  const std::vector<std::string> real_;
  std::mt19937 random_{20261130};
};

enum class Keys { kRandom, kSecret };

class TicketBytesTest : public NssTest,
                        public ::testing::WithParamInterface<Keys> {
 protected:
  void SetUp() override {
    NssTest::SetUp();
    Configure(GetParam() == Keys::kSecret
                  ? "ticketRotation=1h ticketSecretFile=" + files_.Path("one")
                  : "ticketRotation=1h");
  }
  void TearDown() override {
    Configure("");
    NssTest::TearDown();
  }
  void Configure(const std::string& parameters) {
    ASSERT_TRUE(files_.Write("one", SecretLine('a') + SecretLine('b')));
    ASSERT_TRUE(files_.Write(
        "caches", "name=* " + parameters + "\nname=a.example entries=10\n"));
    ASSERT_EQ(SECSuccess, SSL_ConfigServerSessionIDCache(1000, 0, 0, nullptr));
  }

  KeyFiles files_;
  PRTime clock_ = kStart;
};

TEST_P(TicketBytesTest, NoneOpensAndNoKeyIsKeptForIt) {
  for (const char* cache : {"", "a.example"}) {
    LoneSocket server(true, &clock_);
    ASSERT_TRUE(AddCertificates(server.fd(), {"rsa"}));
    if (*cache) {
      ASSERT_EQ(SECSuccess, SSL_BindServerCache(server.fd(), cache));
    }
    ShimNoteOrigin(server.fd());
    // Tickets of six rotations; the last one's time it is.
    std::vector<std::string> real;
    std::set<std::string> names;
    const std::string plain(200, 'p');
    for (int hour = 0; hour < 6; ++hour, clock_ += kHour) {
      uint8_t out[1024];
      const unsigned len = ShimProtectTicket(server.fd(), Bytes(plain),
                                             plain.size(), out, sizeof(out));
      ASSERT_LT(plain.size(), len);
      real.emplace_back(reinterpret_cast<char*>(out), len);
      names.insert(real.back().substr(0, kNameBytes));
    }
    ASSERT_EQ(6u, names.size());
    clock_ -= kHour;

    const unsigned known = ShimKnownTicketKeys();
    const unsigned region = ShimCountTicketKeys();
    Mutator mutator(real);
    int refused = 0, ended = 0;
    for (int i = 0; i < kTickets; ++i) {
      const std::string ticket = mutator.Next();
      uint8_t out[1024];
      unsigned len = 0;
      PR_SetError(0, 0);
      const unsigned before = ShimCountDerivations();
      ASSERT_EQ(SECFailure,
                ShimUnprotectTicket(server.fd(), Bytes(ticket), ticket.size(),
                                    out, &len, sizeof(out)))
          << i;
      // At most the keys of one period for each secret, to compare a name.
      ASSERT_GE(before + 12, ShimCountDerivations()) << i;
      if (names.count(ticket.substr(0, kNameBytes)) == 0) {
        ASSERT_EQ(SEC_ERROR_NOT_A_RECIPIENT, PR_GetError()) << i;
        ++refused;
      } else {
        ++ended;
      }
    }
    EXPECT_LT(kTickets / 10, refused);
    EXPECT_LT(kTickets / 10, ended);
    EXPECT_EQ(known, ShimKnownTicketKeys());
    EXPECT_EQ(region, ShimCountTicketKeys());
    // The real ones still open.
    for (const std::string& ticket : real) {
      uint8_t out[1024];
      unsigned len = 0;
      ASSERT_EQ(SECSuccess,
                ShimUnprotectTicket(server.fd(), Bytes(ticket), ticket.size(),
                                    out, &len, sizeof(out)));
      EXPECT_EQ(plain, std::string(reinterpret_cast<char*>(out), len));
    }
    clock_ = kStart;
  }
}
INSTANTIATE_TEST_SUITE_P(Kinds, TicketBytesTest,
                         ::testing::Values(Keys::kRandom, Keys::kSecret));

// ---- in handshakes ----------------------------------------------------------

class TicketBytesHandshakeTest : public TicketFixture {};
INSTANTIATE_TEST_SUITE_P(Versions, TicketBytesHandshakeTest,
                         ::testing::Values(SSL_LIBRARY_VERSION_TLS_1_2,
                                           SSL_LIBRARY_VERSION_TLS_1_3));

// In TLS 1.2 a ticket that names a key and fails under it ends the handshake,
// as in stock NSS. Every other handshake succeeds and resumes nothing.
TEST_P(TicketBytesHandshakeTest, HandshakesEndOnlyIfTheNameIsKnown) {
  KeyFiles files;
  for (const bool secret : {false, true}) {
    ASSERT_TRUE(files.Write("one", SecretLine('a')));
    ASSERT_TRUE(
        files.Configure(secret ? "ticketSecretFile=" + files.Path("one") : ""));
    ASSERT_EQ(SECSuccess, SSL_ConfigServerSessionIDCache(1000, 0, 0, nullptr));
    options_.server_no_cache = true;
    int ended = 0;
    std::vector<std::string> real;
    for (int i = 0; i < 24; ++i) {
      SSL_ClearSessionCache();
      std::unique_ptr<Connection> full = Connect();
      ASSERT_FALSE(full->resumed());
      ShimSid* sid = ShimSocketSid(full->client());
      uint8_t out[4096];
      const unsigned len = ShimGetTicket(sid, out, sizeof(out));
      ASSERT_LT(kNameBytes, len);
      real.emplace_back(reinterpret_cast<char*>(out), len);
      if (real.size() < 4) continue;
      Mutator mutator(real);
      std::string ticket;
      for (int skip = 0; skip <= i; ++skip) ticket = mutator.Next();
      if (ticket.empty()) continue;  // that is no ticket
      ASSERT_EQ(SECSuccess, ShimSetTicket(sid, Bytes(ticket), ticket.size()));
      const bool named =
          ticket.compare(0, kNameBytes, real[0], 0, kNameBytes) == 0;
      Connection second(&listener_, options_);
      const bool ok = second.Handshake() && second.Talk();
      ended += !ok;
      if (Is13() || !named) {
        EXPECT_TRUE(ok) << i << " " << PR_ErrorToName(second.server_error());
      }
      EXPECT_FALSE(ok && second.resumed()) << i;
    }
    EXPECT_EQ(Is13(), ended == 0);
    ASSERT_TRUE(files.Configure(""));
    ASSERT_EQ(SECSuccess, SSL_ConfigServerSessionIDCache(1000, 0, 0, nullptr));
  }
}

}  // namespace
}  // namespace nss_test
