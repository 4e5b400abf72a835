/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "site.h"

#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "gtest/gtest.h"
#include "private/pprio.h"
#include "prnetdb.h"

namespace regress {
namespace {

constexpr int kEntries = 1000;
constexpr size_t kWorkers = 2;
constexpr int kPatienceMs = 40000;

// The order that a worker gets, and its answer.
struct Order {
  enum Kind { kServe, kConfigure } kind;
  Side side;
  Call call;
  Timeouts timeouts;
};
struct Answer {
  SECStatus status;
  PRErrorCode error;
  Outcome outcome;
};

void ServeOrders(int control, int listener) {
  PRFileDesc* listening = PR_ImportTCPSocket(listener);
  Order order;
  while (recv(control, &order, sizeof(order), 0) == sizeof(order)) {
    Answer answer = {SECSuccess, 0, Outcome()};
    if (order.kind == Order::kConfigure) {
      answer.status = Configure(order.call, order.timeouts);
      answer.error = PR_GetError();
    } else {
      PRFileDesc* tcp = PR_Accept(listening, nullptr, PR_SecondsToInterval(30));
      if (tcp) {
        answer.outcome = Serve(tcp, order.side);
      } else {
        answer.outcome.error = PR_GetError();
      }
    }
    if (send(control, &answer, sizeof(answer), 0) != sizeof(answer)) break;
  }
}

// A worker's main loop. Its first answer says whether it has the cache.
void Work(int control, int listener, bool configures, Timeouts timeouts) {
  Answer hello = {SECFailure, 0, Outcome()};
  SECStatus rv = configures ? Configure(Call::kConfig, timeouts)
                            : SSL_InheritMPServerSIDCache(nullptr);
  if (rv == SECSuccess && StartNss()) hello.status = SECSuccess;
  hello.error = PR_GetError();
  if (send(control, &hello, sizeof(hello), 0) != sizeof(hello)) return;
  if (hello.status == SECSuccess) ServeOrders(control, listener);
}

// Receives an answer; fails after kPatienceMs, which is long enough for a
// machine under load.
bool Receive(int control, Answer* answer) {
  pollfd ready = {control, POLLIN, 0};
  return poll(&ready, 1, kPatienceMs) == 1 &&
         recv(control, answer, sizeof(*answer), 0) == sizeof(*answer);
}

// Both ends of the socket pair report a peer on the loopback interface, because
// libssl needs an IPv4 or IPv6 address.
uint16_t socket_pair_port;

PRStatus LoopbackPeer(PRFileDesc*, PRNetAddr* addr) {
  return PR_InitializeNetAddr(PR_IpAddrLoopback, socket_pair_port, addr);
}

bool SocketPair(PRFileDesc* ends[2], uint16_t port) {
  static PRDescIdentity identity = PR_GetUniqueIdentity("loopback peer");
  static PRIOMethods methods = [] {
    PRIOMethods m = *PR_GetDefaultIOMethods();
    m.getpeername = LoopbackPeer;
    return m;
  }();
  socket_pair_port = port;
  if (PR_NewTCPSocketPair(ends) != PR_SUCCESS) return false;
  for (int i = 0; i < 2; ++i) {
    PRFileDesc* layer = PR_CreateIOLayerStub(identity, &methods);
    if (!layer ||
        PR_PushIOLayer(ends[i], PR_TOP_IO_LAYER, layer) != PR_SUCCESS) {
      PR_Close(ends[0]);
      PR_Close(ends[1]);
      return false;
    }
  }
  return true;
}

PRFileDesc* ConnectTo(uint16_t port) {
  PRNetAddr addr;
  PR_InitializeNetAddr(PR_IpAddrLoopback, port, &addr);
  PRFileDesc* tcp = PR_NewTCPSocket();
  if (tcp && PR_Connect(tcp, &addr, PR_SecondsToInterval(10)) != PR_SUCCESS) {
    PR_Close(tcp);
    tcp = nullptr;
  }
  return tcp;
}

void CheckComplete(const char* who, const Outcome& outcome) {
  EXPECT_TRUE(outcome.complete)
      << who << "'s handshake failed: " << PR_ErrorToName(outcome.error);
}

}  // namespace

const char* Name(Call call) {
  switch (call) {
    case Call::kConfig:
      return "Config";
    case Call::kWithOpt:
      return "WithOpt";
    case Call::kWithOptShared:
      return "WithOptSharedFork";
    case Call::kMpFork:
      return "MPFork";
    case Call::kMpExec:
      return "MPForkExec";
  }
  return "?";
}

SECStatus Configure(Call call, Timeouts timeouts) {
  switch (call) {
    case Call::kConfig:
      return SSL_ConfigServerSessionIDCache(kEntries, timeouts.ssl2,
                                            timeouts.ssl3, nullptr);
    case Call::kWithOpt:
    case Call::kWithOptShared:
      return SSL_ConfigServerSessionIDCacheWithOpt(
          timeouts.ssl2, timeouts.ssl3, nullptr, kEntries, -1, -1,
          call == Call::kWithOptShared);
    case Call::kMpFork:
    case Call::kMpExec:
      return SSL_ConfigMPServerSIDCache(kEntries, timeouts.ssl2, timeouts.ssl3,
                                        nullptr);
  }
  return SECFailure;
}

Site::Site(Call call, Timeouts timeouts) : serves_here_(true) {
  Listen();
  if (Configure(call, timeouts) != SECSuccess) {
    ADD_FAILURE() << "no cache: " << PR_ErrorToName(PR_GetError());
    ok_ = false;
    return;
  }
  if (call != Call::kConfig && call != Call::kWithOpt) {
    for (size_t i = 0; i < kWorkers; ++i) StartWorker(call, false, timeouts);
  }
  if (!StartNss()) {
    ADD_FAILURE() << "no NSS: " << PR_ErrorToName(PR_GetError());
    ok_ = false;
  }
}

Site Site::Elsewhere(Timeouts timeouts) {
  Site site;
  site.Listen();
  site.StartWorker(Call::kConfig, true, timeouts);
  return site;
}

Site::Site(Site&& other)
    : ok_(other.ok_),
      serves_here_(other.serves_here_),
      listener_(other.listener_),
      port_(other.port_),
      workers_(std::move(other.workers_)) {
  other.workers_.clear();
  other.listener_ = -1;
}

// The workers end when |control| is closed. OwnProcess kills the others when
// the test's process has ended.
Site::~Site() {
  for (const Worker& worker : workers_) close(worker.control);
  if (listener_ >= 0) close(listener_);
}

void Site::Listen() {
  sockaddr_in addr;
  socklen_t len = sizeof(addr);
  memset(&addr, 0, sizeof(addr));
  addr.sin_family = AF_INET;
  addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  listener_ = socket(AF_INET, SOCK_STREAM, 0);
  if (listener_ < 0 ||
      bind(listener_, reinterpret_cast<sockaddr*>(&addr), sizeof(addr)) < 0 ||
      listen(listener_, 8) < 0 ||
      getsockname(listener_, reinterpret_cast<sockaddr*>(&addr), &len) < 0) {
    ADD_FAILURE() << "no listener: " << strerror(errno);
    ok_ = false;
  }
  port_ = ntohs(addr.sin_port);
}

void Site::StartWorker(Call call, bool configures, Timeouts timeouts) {
  int ends[2];
  if (!ok_ || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) < 0) {
    ADD_FAILURE() << "no worker: " << strerror(errno);
    ok_ = false;
    return;
  }
  pid_t parent = getpid();
  pid_t pid = fork();
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(2);
    close(ends[0]);
    for (const Worker& worker : workers_) close(worker.control);
    if (call == Call::kMpExec) {
      std::string spec = "--serve=" + std::to_string(ends[1]) + "," +
                         std::to_string(listener_);
      char program[] = "blackbox";
      char* argv[] = {program, &spec[0], nullptr};
      execv("/proc/self/exe", argv);
      _exit(3);
    }
    Work(ends[1], listener_, configures, timeouts);
    _exit(0);
  }
  close(ends[1]);
  workers_.push_back({pid, ends[0]});
  Answer hello;
  if (pid < 0 || !Receive(ends[0], &hello)) {
    ADD_FAILURE() << "a worker died at its start";
    ok_ = false;
  } else if (hello.status != SECSuccess) {
    ADD_FAILURE() << "a worker has no cache: " << PR_ErrorToName(hello.error);
    ok_ = false;
  }
}

Meeting Site::Meet(size_t server, const Side& serving, const Side& visiting,
                   const std::string& visitor) {
  Meeting meeting;
  if (!ok_ || !StartNss()) {
    ADD_FAILURE() << "nobody serves";
    return meeting;
  }
  if (serves_here_ && server == 0) {
    PRFileDesc* ends[2];
    if (!SocketPair(ends, port_)) {
      ADD_FAILURE() << "no socket pair: " << PR_ErrorToName(PR_GetError());
      return meeting;
    }
    std::thread thread([&] { meeting.server = Serve(ends[0], serving); });
    meeting.client = Visit(ends[1], visiting, visitor);
    thread.join();
  } else {
    const Worker& worker = workers_.at(server - (serves_here_ ? 1 : 0));
    Order order = {Order::kServe, serving, Call::kConfig, {0, 0}};
    PRFileDesc* tcp = ConnectTo(port_);
    if (!tcp ||
        send(worker.control, &order, sizeof(order), 0) != sizeof(order)) {
      ADD_FAILURE() << "no connection: " << PR_ErrorToName(PR_GetError());
      ok_ = false;
      return meeting;
    }
    meeting.client = Visit(tcp, visiting, visitor);
    Answer answer;
    if (!Receive(worker.control, &answer)) {
      ADD_FAILURE() << "server " << server << " died in a handshake";
      ok_ = false;
      return meeting;
    }
    meeting.server = answer.outcome;
  }
  CheckComplete("the server", meeting.server);
  CheckComplete("the client", meeting.client);
  EXPECT_EQ(meeting.server.resumed, meeting.client.resumed);
  return meeting;
}

bool Site::Resumes(size_t server, PRTime clock, const std::string& visitor) {
  Side serving;
  serving.clock = clock;
  return Meet(server, serving, {}, visitor).server.resumed;
}

void Site::Begin(size_t server, PRTime clock, const std::string& visitor) {
  Side serving;
  serving.clock = clock;
  Meeting meeting = Meet(server, serving, {}, visitor);
  EXPECT_FALSE(meeting.server.resumed) << "a session that should be new";
  EXPECT_NE(0u, meeting.server.id_length) << "a session that no cache keeps";
}

SECStatus Site::ConfigureAgain(size_t server, Call call, Timeouts timeouts) {
  if (serves_here_ && server == 0) return Configure(call, timeouts);
  const Worker& worker = workers_.at(server - (serves_here_ ? 1 : 0));
  Order order = {Order::kConfigure, Side(), call, timeouts};
  Answer answer;
  if (send(worker.control, &order, sizeof(order), 0) != sizeof(order) ||
      !Receive(worker.control, &answer)) {
    ADD_FAILURE() << "server " << server << " died";
    return SECFailure;
  }
  if (answer.status != SECSuccess) PR_SetError(answer.error, 0);
  return answer.status;
}

int ServeAfterExec(const std::string& spec) {
  int control;
  int listener;
  if (sscanf(spec.c_str(), "%d,%d", &control, &listener) != 2) return 2;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  Work(control, listener, false, {0, 0});
  return 0;
}

}  // namespace regress
