/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// ticket_test.cc: how long a session may be resumed by tickets. The settings
// come from a configuration file, which a libssl without sslsnce ignores: it
// then keeps its own limit of two days, and the tests fail.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "blackbox_test.h"
#include "sslsnce/sslsnce.h"

namespace regress {
namespace {

constexpr uint16_t kTls12 = SSL_LIBRARY_VERSION_TLS_1_2;
constexpr uint16_t kTls13 = SSL_LIBRARY_VERSION_TLS_1_3;
constexpr uint16_t kVersions[] = {kTls12, kTls13};

// The timeouts for sessions in the cache. Tickets live longer, so that a
// session that resumes has resumed by its ticket.
constexpr Timeouts kShortest = {5, 5};

// A configuration file for all calls that configure a cache while this object
// exists. It lies in memory, so that a killed test leaves no file.
class CacheFile {
 public:
  // The default cache gets |parameters|.
  explicit CacheFile(const std::string& parameters)
      : fd_(memfd_create("cache file", MFD_CLOEXEC)) {
    const std::string line = "name=* " + parameters + "\n";
    const std::string path = "/proc/self/fd/" + std::to_string(fd_);
    if (fd_ < 0 || write(fd_, line.data(), line.size()) !=
                       static_cast<ssize_t>(line.size())) {
      ADD_FAILURE() << "no configuration file: " << strerror(errno);
      return;
    }
    setenv(SSL_SERVER_CACHE_CONFIG, path.c_str(), 1);
    setenv(SSL_SERVER_CACHE_CONFIG_STRICT, "1", 1);
  }
  ~CacheFile() {
    unsetenv(SSL_SERVER_CACHE_CONFIG);
    unsetenv(SSL_SERVER_CACHE_CONFIG_STRICT);
    if (fd_ >= 0) close(fd_);
  }
  CacheFile(const CacheFile&) = delete;
  CacheFile& operator=(const CacheFile&) = delete;

 private:
  const int fd_;
};

// Returns a Site whose cache has |parameters| from a configuration file.
Site SiteWith(Call call, const std::string& parameters) {
  const CacheFile file(parameters);
  return Site(call, kShortest);
}

// Configures the cache again, now with |parameters|.
void Reconfigure(Site* site, Call call, const std::string& parameters) {
  const CacheFile file(parameters);
  EXPECT_EQ(SECSuccess, site->ConfigureAgain(0, call, kShortest));
}

// Returns whether |visitor| resumes by its last ticket. A complete handshake
// that resumes gives it a new one in TLS 1.3. A clock of 0 is the real clock.
bool TicketResumes(Site* site, size_t server, uint16_t version,
                   PRTime servers_clock, const std::string& visitor,
                   PRTime clients_clock = 0) {
  Side serving;
  serving.tickets = true;
  serving.version = version;
  Side visiting = serving;
  serving.clock = servers_clock;
  visiting.clock = clients_clock;
  return site->Meet(server, serving, visiting, visitor).server.resumed;
}

// Returns a new visitor, whom server 0 gave a ticket at |clock|.
std::string GetsTicket(Site* site, uint16_t version, PRTime clock,
                       PRTime clients_clock = 0) {
  const std::string visitor = NewVisitor();
  EXPECT_FALSE(TicketResumes(site, 0, version, clock, visitor, clients_clock));
  return visitor;
}

// Expects that the tickets that server 0 gave |early| and |late| at kStart last
// for |timeout| seconds. The last server judges.
void ExpectTicketLifetime(Site* site, uint16_t version, PRTime timeout,
                          const std::string& early, const std::string& late) {
  const PRTime end = kStart + timeout * kSecond;
  const size_t judge = site->servers() - 1;
  EXPECT_TRUE(TicketResumes(site, judge, version, end - 1, early))
      << "refused 1 us before " << timeout << " s, version " << version;
  EXPECT_FALSE(TicketResumes(site, judge, version, end, late))
      << "accepted at " << timeout << " s, version " << version;
}

// ---- TicketTimeout ----

class TicketTimeout : public OfCall {};

BLACKBOX_TEST_P(TicketTimeout, ATicketResumesUntilItsTimeout) {
  NEEDS_MOCK_CLOCK();
  Site site = SiteWith(call, "ticketTimeout=60");
  for (uint16_t version : kVersions) {
    const std::string early = GetsTicket(&site, version, kStart);
    const std::string late = GetsTicket(&site, version, kStart);
    ExpectTicketLifetime(&site, version, 60, early, late);
  }
}

BLACKBOX_TEST_P(TicketTimeout, AShorterOneHoldsForTicketsThatAreOut) {
  NEEDS_MOCK_CLOCK();
  Site site = SiteWith(call, "ticketTimeout=1h");
  std::string early[2];
  std::string late[2];
  for (size_t i = 0; i < 2; ++i) {
    early[i] = GetsTicket(&site, kVersions[i], kStart);
    late[i] = GetsTicket(&site, kVersions[i], kStart);
  }
  Reconfigure(&site, call, "ticketTimeout=60");
  for (size_t i = 0; i < 2; ++i) {
    ExpectTicketLifetime(&site, kVersions[i], 60, early[i], late[i]);
  }
}

// A TLS 1.2 client keeps its ticket, so that each connection but the first
// resumes by the same one.
BLACKBOX_TEST_P(TicketTimeout, ResumingDoesNotLengthenATls12Ticket) {
  NEEDS_MOCK_CLOCK();
  Site site = SiteWith(call, "ticketTimeout=60");
  const std::string visitor = GetsTicket(&site, kTls12, kStart);
  for (PRTime later : {20, 40, 59}) {
    EXPECT_TRUE(
        TicketResumes(&site, 0, kTls12, kStart + later * kSecond, visitor));
  }
  EXPECT_FALSE(TicketResumes(&site, 0, kTls12, kStart + 60 * kSecond, visitor));
}

INSTANTIATE_TEST_SUITE_P(Calls, TicketTimeout, ::testing::ValuesIn(kAllCalls),
                         CallName);

// ---- TicketHint ----

// Expects that the server tells its client |hint| as a new ticket's lifetime.
//
// A client of NSS offers no ticket whose lifetime is over by its own clock. So
// the client's clock moves on by |hint|. The server's moves on by ten seconds
// only: it still accepts the ticket, but the session's ID has expired.
void ExpectHint(Site* site, uint16_t version, PRTime hint) {
  const PRTime servers = kStart + 10 * kSecond;
  const PRTime end = kStart + hint * kSecond;
  const std::string early = GetsTicket(site, version, kStart, kStart);
  const std::string late = GetsTicket(site, version, kStart, kStart);
  EXPECT_TRUE(TicketResumes(site, 0, version, servers, early, end - 1))
      << "less than " << hint << " s, version " << version;
  EXPECT_FALSE(TicketResumes(site, 0, version, servers, late, end))
      << "more than " << hint << " s, version " << version;
}

BLACKBOX_TEST(TicketHint, IsTheTimeout) {
  NEEDS_MOCK_CLOCK();
  Site site = SiteWith(Call::kConfig, "ticketTimeout=60");
  for (uint16_t version : kVersions) ExpectHint(&site, version, 60);
}

BLACKBOX_TEST(TicketHint, FollowsAChangeOfTheTimeout) {
  NEEDS_MOCK_CLOCK();
  Site site = SiteWith(Call::kConfig, "ticketTimeout=60");
  for (const char* timeout : {"30", "90"}) {
    Reconfigure(&site, Call::kConfig, std::string("ticketTimeout=") + timeout);
    for (uint16_t version : kVersions) {
      ExpectHint(&site, version, atoi(timeout));
    }
  }
}

BLACKBOX_TEST(TicketHint, IsAtMostTheAge) {
  NEEDS_MOCK_CLOCK();
  Site site = SiteWith(Call::kConfig, "ticketTimeout=60 maxResumptionAge=40");
  for (uint16_t version : kVersions) ExpectHint(&site, version, 40);
}

// A ticket of TLS 1.3 that is issued 50 seconds after the full handshake, in a
// session that may be resumed for 100 seconds.
BLACKBOX_TEST(TicketHint, OfARenewedTicketIsWhatIsLeftOfTheAge) {
  NEEDS_MOCK_CLOCK();
  Site site = SiteWith(Call::kConfig, "ticketTimeout=60 maxResumptionAge=100");
  const PRTime renewed = kStart + 50 * kSecond;
  const std::string early = GetsTicket(&site, kTls13, kStart, kStart);
  const std::string late = GetsTicket(&site, kTls13, kStart, kStart);
  for (const std::string& visitor : {early, late}) {
    EXPECT_TRUE(TicketResumes(&site, 0, kTls13, renewed, visitor, renewed));
  }
  const PRTime end = renewed + 50 * kSecond;
  EXPECT_TRUE(TicketResumes(&site, 0, kTls13, renewed, early, end - 1));
  EXPECT_FALSE(TicketResumes(&site, 0, kTls13, renewed, late, end));
}

// ---- ResumptionAge ----

class ResumptionAge : public OfCall {};

BLACKBOX_TEST_P(ResumptionAge, RenewalsInTls13EndAtIt) {
  NEEDS_MOCK_CLOCK();
  Site site = SiteWith(call, "ticketTimeout=60 maxResumptionAge=200");
  const std::string early = GetsTicket(&site, kTls13, kStart);
  const std::string late = GetsTicket(&site, kTls13, kStart);
  const size_t judge = site.servers() - 1;
  for (PRTime later : {50, 100, 150}) {
    for (const std::string& visitor : {early, late}) {
      EXPECT_TRUE(TicketResumes(&site, judge, kTls13, kStart + later * kSecond,
                                visitor))
          << later << " s after the full handshake";
    }
  }
  const PRTime end = kStart + 200 * kSecond;
  EXPECT_TRUE(TicketResumes(&site, judge, kTls13, end - 1, early));
  EXPECT_FALSE(TicketResumes(&site, judge, kTls13, end, late))
      << "resumed 200 s after the full handshake";
  // That was a full handshake: a new session has begun.
  EXPECT_TRUE(TicketResumes(&site, judge, kTls13, end + 50 * kSecond, late));
}

BLACKBOX_TEST_P(ResumptionAge, EndsATicketBeforeItsTimeout) {
  NEEDS_MOCK_CLOCK();
  Site site = SiteWith(call, "ticketTimeout=60 maxResumptionAge=40");
  for (uint16_t version : kVersions) {
    const std::string early = GetsTicket(&site, version, kStart);
    const std::string late = GetsTicket(&site, version, kStart);
    ExpectTicketLifetime(&site, version, 40, early, late);
  }
}

BLACKBOX_TEST_P(ResumptionAge, AShorterOneHoldsForSessionsThatHaveBegun) {
  NEEDS_MOCK_CLOCK();
  Site site = SiteWith(call, "ticketTimeout=60 maxResumptionAge=200");
  const std::string early = GetsTicket(&site, kTls13, kStart);
  const std::string late = GetsTicket(&site, kTls13, kStart);
  for (const std::string& visitor : {early, late}) {
    EXPECT_TRUE(
        TicketResumes(&site, 0, kTls13, kStart + 50 * kSecond, visitor));
  }
  Reconfigure(&site, call, "ticketTimeout=60 maxResumptionAge=90");
  ExpectTicketLifetime(&site, kTls13, 90, early, late);
}

INSTANTIATE_TEST_SUITE_P(Calls, ResumptionAge, ::testing::ValuesIn(kAllCalls),
                         CallName);

}  // namespace
}  // namespace regress
