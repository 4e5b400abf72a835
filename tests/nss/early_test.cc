/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// early_test.cc: early data (TLS 1.3, 0-RTT) is accepted once, whichever
// process gets it. A client's first flight is recorded, and its very bytes are
// sent to the workers of a server again and again.

#include <atomic>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "prerror.h"
#include "ssl.h"
#include "sslexp.h"
#include "test_child.h"
#include "test_tickets.h"

namespace nss_test {
namespace {

// A multiple of it is the beginning of a window.
constexpr PRTime kWindow = 10 * kSecond;
constexpr unsigned kHashes = 7, kBits = 14;  // as in selfserv
constexpr char kEarly[] = "early";

using Context =
    std::unique_ptr<SSLAntiReplayContext, void (*)(SSLAntiReplayContext*)>;

void Release(SSLAntiReplayContext* context) {
  (void)SSL_ReleaseAntiReplayContext(context);
}

Context MakeContext(PRTime now) {
  SSLAntiReplayContext* context = nullptr;
  EXPECT_EQ(SECSuccess, SSL_CreateAntiReplayContext(now, kWindow, kHashes,
                                                    kBits, &context));
  return Context(context, Release);
}

void EnableEarlyData(PRFileDesc* fd) {
  SSL_OptionSet(fd, SSL_ENABLE_0RTT_DATA, PR_TRUE);
}

// What a client sends before it hears from the server: ClientHello and early
// data.
std::string RecordFlight(Listener* listener, const ConnectOptions& options) {
  PRFileDesc *client, *raw;
  if (!listener->Pair(&client, &raw)) return std::string();
  client = SSL_ImportFD(nullptr, client);
  const SSLVersionRange range = {options.version, options.version};
  SSL_VersionRangeSet(client, &range);
  SSL_OptionSet(client, SSL_ENABLE_SESSION_TICKETS, PR_TRUE);
  EnableEarlyData(client);
  SSL_SetURL(client, options.url.c_str());
  PRSocketOptionData option;
  option.option = PR_SockOpt_Nonblocking;
  option.value.non_blocking = PR_TRUE;
  PR_SetSocketOption(client, &option);
  SSL_ResetHandshake(client, PR_FALSE);
  (void)SSL_ForceHandshake(client);
  std::string flight;
  if (PR_Write(client, kEarly, sizeof(kEarly)) == sizeof(kEarly)) {
    char bytes[16384];
    const PRInt32 got =
        PR_Recv(raw, bytes, sizeof(bytes), 0, PR_SecondsToInterval(5));
    if (got > 0) flight.assign(bytes, size_t(got));
  }
  PR_Close(client);
  PR_Close(raw);
  return flight;
}

enum class Answer { kAccepted, kRejected, kFailed };
void PrintTo(const Answer& answer, std::ostream* out) {
  static const char* const kAnswer[] = {"accepted", "rejected", "failed"};
  *out << kAnswer[static_cast<int>(answer)];
}

// A server's socket, as a model for the sockets to which a flight is sent.
class Server {
 public:
  Server(SSLAntiReplayContext* context, const PRTime* clock)
      : socket_(true, clock), clock_(clock) {
    const SSLVersionRange range = {SSL_LIBRARY_VERSION_TLS_1_3,
                                   SSL_LIBRARY_VERSION_TLS_1_3};
    SSL_VersionRangeSet(socket_.fd(), &range);
    EXPECT_TRUE(AddCertificates(socket_.fd(), {"rsa"}));
    SSL_OptionSet(socket_.fd(), SSL_ENABLE_SESSION_TICKETS, PR_TRUE);
    EnableEarlyData(socket_.fd());
    SSL_SetAntiReplayContext(socket_.fd(), context);
  }

  // Sends |flight| to a new connection of this server.
  Answer Send(const std::string& flight) {
    PRFileDesc* ends[2];
    if (!listener_.Pair(&ends[0], &ends[1])) return Answer::kFailed;
    PRSocketOptionData option;
    option.option = PR_SockOpt_Nonblocking;
    option.value.non_blocking = PR_TRUE;
    PR_SetSocketOption(ends[1], &option);
    PRFileDesc* server = SSL_ImportFD(socket_.fd(), ends[1]);
    SSL_SetTimeFunc(
        server, [](void* clock) { return *static_cast<const PRTime*>(clock); },
        const_cast<PRTime*>(clock_));
    SSL_ResetHandshake(server, PR_TRUE);
    Answer answer = Answer::kFailed;
    if (PR_Send(ends[0], flight.data(), PRInt32(flight.size()), 0,
                PR_INTERVAL_NO_TIMEOUT) == PRInt32(flight.size()) &&
        SSL_ForceHandshake(server) == SECFailure &&
        PR_GetError() == PR_WOULD_BLOCK_ERROR) {
      char data[100];
      const PRInt32 got =
          PR_Recv(server, data, sizeof(data), 0, PR_INTERVAL_NO_TIMEOUT);
      if (got == sizeof(kEarly) && memcmp(data, kEarly, sizeof(kEarly)) == 0) {
        answer = Answer::kAccepted;
      } else if (got < 0 && PR_GetError() == PR_WOULD_BLOCK_ERROR) {
        answer = Answer::kRejected;
      }
    }
    PR_Close(server);
    PR_Close(ends[0]);
    return answer;
  }

 private:
  Listener listener_;
  LoneSocket socket_;
  const PRTime* clock_;
};

// ---- one process
// --------------------------------------------------------------

class EarlyTest : public TicketFixture {
 protected:
  // Connects, with early data if the client has a ticket. Returns whether the
  // server accepted early data; the handshake must succeed.
  bool ConnectEarly(SSLAntiReplayContext* context) {
    Connection connection(&listener_, options_);
    SSL_SetAntiReplayContext(connection.server(), context);
    EnableEarlyData(connection.client());
    EnableEarlyData(connection.server());
    (void)SSL_ForceHandshake(connection.client());
    (void)PR_Write(connection.client(), kEarly, sizeof(kEarly));
    EXPECT_TRUE(connection.Handshake() && connection.Talk());
    return connection.Info(connection.server()).earlyDataAccepted != 0;
  }
};
INSTANTIATE_TEST_SUITE_P(Tls13, EarlyTest,
                         ::testing::Values(SSL_LIBRARY_VERSION_TLS_1_3));

TEST_P(EarlyTest, AHandshakeWhoseEarlyDataIsRejectedSucceeds) {
  const Context context = MakeContext(clock_);
  EXPECT_FALSE(ConnectEarly(context.get()));  // has no ticket yet
  clock_ += kWindow - 1;
  SSL_ClearSessionCache();
  EXPECT_FALSE(ConnectEarly(context.get()));
  EXPECT_FALSE(ConnectEarly(context.get()));  // in the first window
  clock_ += 1;
  EXPECT_TRUE(ConnectEarly(context.get()));
  EXPECT_TRUE(ConnectEarly(context.get()));  // each with a new ticket
  EXPECT_FALSE(ConnectEarly(nullptr));
}

TEST_P(EarlyTest, ContextsWithTheSameParametersShareAFilter) {
  const Context one = MakeContext(clock_), two = MakeContext(clock_);
  clock_ += kWindow;
  EXPECT_FALSE(ConnectEarly(one.get()));  // gets a ticket
  const std::string flight = RecordFlight(&listener_, options_);
  ASSERT_FALSE(flight.empty());
  Server first(one.get(), &clock_), second(two.get(), &clock_);
  EXPECT_EQ(Answer::kAccepted, first.Send(flight));
  EXPECT_EQ(Answer::kRejected, second.Send(flight));
  clock_ += kWindow / 2 - kSecond;  // the ticket is still young enough
  EXPECT_EQ(Answer::kRejected, first.Send(flight));
  EXPECT_EQ(Answer::kRejected, second.Send(flight));
}

// ---- where the filter is
// ------------------------------------------------------

class EarlyPlaceTest : public NssTest {
 protected:
  int Note(ShimEarlyData* early, PRUint8 binder, PRTime now) {
    const PRUint8 bytes[2] = {binder, 1};
    return ShimNoteEarlyData(early, bytes, sizeof(bytes), now);
  }
  static void Configure() {
    ASSERT_EQ(SECSuccess, SSL_ConfigServerSessionIDCache(10, 0, 0, nullptr));
  }
  struct Free {
    void operator()(ShimEarlyData* early) const { ShimFreeEarlyData(early); }
  };
  using Early = std::unique_ptr<ShimEarlyData, Free>;
  static Early New(PRTime now) {
    return Early(ShimNewEarlyData(now, kWindow, kHashes, kBits));
  }
};

TEST_F(EarlyPlaceTest, WithoutACacheTheContextsOwnFilterDecides) {
  const Early early = New(kStart);
  EXPECT_EQ(kShimReplay, Note(early.get(), 1, kStart + kWindow - 1));
  EXPECT_EQ(kShimUnshared, Note(early.get(), 1, kStart + kWindow));
}

TEST_F(EarlyPlaceTest, WhenTheFilterMovesItsFirstWindowBeginsAnew) {
  const Early early = New(kStart);
  PRTime now = kStart + kWindow;
  ASSERT_EQ(kShimUnshared, Note(early.get(), 1, now));
  for (int i = 0; i < 3; ++i) {
    Configure();
    EXPECT_EQ(kShimReplay, Note(early.get(), 1, ++now));
    EXPECT_EQ(kShimReplay, Note(early.get(), 2, now + kWindow - 1));
    EXPECT_EQ(kShimNew, Note(early.get(), 1, now += kWindow));
    EXPECT_EQ(kShimReplay, Note(early.get(), 1, now));
    SSL_ShutdownServerSessionIDCache();
    if (i == 1) continue;  // to another region at once
    EXPECT_EQ(kShimReplay, Note(early.get(), 1, ++now));
    EXPECT_EQ(kShimReplay, Note(early.get(), 1, now + kWindow - 1));
    EXPECT_EQ(kShimUnshared, Note(early.get(), 1, now += kWindow));
  }
}

TEST_F(EarlyPlaceTest, ALaterContextWaitsForItsOwnFirstWindow) {
  Configure();
  const Early first = New(kStart);
  const Early second = New(kStart + 5);
  EXPECT_EQ(kShimNew, Note(first.get(), 1, kStart + kWindow));
  EXPECT_EQ(kShimReplay, Note(second.get(), 2, kStart + kWindow));
  EXPECT_EQ(kShimNew, Note(second.get(), 2, kStart + kWindow + 5));
  EXPECT_EQ(kShimReplay, Note(first.get(), 2, kStart + kWindow + 5));
}

TEST_F(EarlyPlaceTest, ParametersThatTheFilterCannotHaveRejectAll) {
  Configure();
  const Early early(ShimNewEarlyData(kStart, PR_INT64_MAX, 7, 14));
  EXPECT_EQ(kShimReplay, Note(early.get(), 1, kStart));
  EXPECT_EQ(kShimReplay, Note(early.get(), 1, PR_INT64_MAX));
}

// ---- workers
// ------------------------------------------------------------------

constexpr unsigned kWorkers = 4, kTimes = 2500;
constexpr PRTime kFirst = kStart + kWindow - 2 * kSecond;  // of the replays

struct Run {
  std::atomic<unsigned> ready, accepted, rejected;
  size_t len;
  char flight[16384];
};

// A process of the server: it inherits the cache and has a context of its own.
int BecomeWorker() {
  STAGE_CHECK(SSL_InheritMPServerSIDCache(nullptr) == SECSuccess);
  StartNss();
  return 0;
}

int Record(Run* run) {
  STAGE_CHECK(BecomeWorker() == 0);
  const PRTime clock = kFirst;
  Listener listener;
  ConnectOptions options;
  options.version = SSL_LIBRARY_VERSION_TLS_1_3;
  options.tickets = true;
  options.server_clock = &clock;
  Connection connection(&listener, options);
  EnableEarlyData(connection.server());
  STAGE_CHECK(connection.Handshake() && connection.Talk());
  const std::string flight = RecordFlight(&listener, options);
  STAGE_CHECK(!flight.empty() && flight.size() <= sizeof(run->flight));
  memcpy(run->flight, flight.data(), flight.size());
  run->len = flight.size();
  return 0;
}

// Sends the flight |kTimes| times, in |during| by the server's clock.
int Replay(Run* run, PRTime during) {
  STAGE_CHECK(BecomeWorker() == 0);
  const Context context = MakeContext(kFirst - kWindow);
  PRTime clock = kFirst;
  Server server(context.get(), &clock);
  const std::string flight(run->flight, run->len);
  ++run->ready;
  while (run->ready < kWorkers) std::this_thread::yield();
  for (unsigned i = 0; i < kTimes; ++i) {
    clock = kFirst + during * i / kTimes;
    const Answer answer = server.Send(flight);
    STAGE_CHECK(answer != Answer::kFailed);
    ++(answer == Answer::kAccepted ? run->accepted : run->rejected);
  }
  return 0;
}

STAGE(ReplayToAllWorkers) {
  const PRTime during = strtoll(args[0].c_str(), nullptr, 10);
  STAGE_CHECK(SSL_ConfigMPServerSIDCache(10, 0, 0, nullptr) == SECSuccess);
  snce_test::Shared<Run> run;
  STAGE_CHECK(snce_test::Child([&] { return Record(&*run); }).Wait(20000) == 0);
  std::vector<snce_test::Child> workers;
  for (unsigned i = 0; i < kWorkers; ++i)
    workers.emplace_back([&] { return Replay(&*run, during); });
  for (snce_test::Child& worker : workers) {
    STAGE_CHECK(worker.Wait(50000) == 0);
  }
  fprintf(stderr, "%u of %u accepted\n", run->accepted.load(),
          kWorkers * kTimes);
  STAGE_CHECK(run->accepted + run->rejected == kWorkers * kTimes);
  STAGE_CHECK(run->accepted == 1);
  return 0;
}

TEST(EarlyWorkersTest, AFlightThatAllGetIsAcceptedOnce) {
  EXPECT_EQ(0, InExec("ReplayToAllWorkers", {"0"}));
}

// The window ends meanwhile, for each worker when its clock says so.
TEST(EarlyWorkersTest, AFlightIsAcceptedOnceOverTheEndOfAWindow) {
  EXPECT_EQ(0, InExec("ReplayToAllWorkers",
                      {std::to_string(kWindow / 2 - kSecond / 10)}));
}

}  // namespace
}  // namespace nss_test
