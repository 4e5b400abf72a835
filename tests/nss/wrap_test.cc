/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// wrap_test.cc: the keys that wrap master secrets, one for each server key, and
// which sessions resume under which certificate.

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "nss.h"
#include "prerror.h"
#include "private/pprio.h"
#include "prnetdb.h"
#include "sslerr.h"
#include "sslproto.h"
#include "sslsnce/sslsnce.h"
#include "test_build.h"
#include "test_identity.h"
#include "test_nss.h"

namespace nss_test {
namespace {

// A server's key pair.
struct Pair {
  SECKEYPublicKey* pub = nullptr;
  SECKEYPrivateKey* priv = nullptr;

  Pair() = default;
  explicit Pair(const std::string& nickname) {
    Identity identity = FindIdentity(nickname);
    priv = identity.key;
    pub = CERT_ExtractPublicKey(identity.cert);
    CERT_DestroyCertificate(identity.cert);
  }
  static Pair NewEc() {
    Pair pair;
    EXPECT_TRUE(MakeEcPair(false, &pair.priv, &pair.pub));
    return pair;
  }
  static Pair NewRsa(int bits) {
    Pair pair;
    EXPECT_TRUE(MakeRsaPair(bits, false, &pair.priv, &pair.pub));
    return pair;
  }
  Pair(Pair&& other) : pub(other.pub), priv(other.priv) {
    other.pub = nullptr;
    other.priv = nullptr;
  }
  ~Pair() {
    SECKEY_DestroyPublicKey(pub);
    SECKEY_DestroyPrivateKey(priv);
  }
};

ShimWrapKey Get(const Pair& pair) {
  ShimWrapKey key;
  memset(&key, 0, sizeof(key));
  EXPECT_EQ(SECSuccess, ShimGetWrapKey(pair.pub, pair.priv, &key));
  return key;
}
bool Fits(const Pair& pair, const ShimWrapKey& key) {
  return ShimFitsWrapKey(pair.pub, pair.priv, &key);
}
bool operator==(const ShimWrapKey& a, const ShimWrapKey& b) {
  return memcmp(&a, &b, sizeof(a)) == 0;
}

constexpr char kCerts[][16] = {"rsa", "rsa-b", "ecdsa", "ecdsa-b"};

// The number of keys that a process keeps, and that a region has records for.
constexpr unsigned int kKeysKept = 1024;

class WrapKeyTest : public NssTest {
 protected:
  void SetUp() override {
    NssTest::SetUp();
    ShimForgetWrapKeys();
  }
  void TearDown() override {
    ShimFailUnwraps(0);
    ShimLetClockRun();
    NssTest::TearDown();
    ShimForgetWrapKeys();
  }
  static PRUint64 KeyFailures() {
    SSLServerCacheFigures figures;
    EXPECT_EQ(SECSuccess,
              SSL_GetServerCacheFigures(nullptr, &figures, sizeof(figures)));
    return figures.keyFailures;
  }
  void Configure() {
    ASSERT_EQ(SECSuccess, SSL_ConfigServerSessionIDCache(100, 0, 0, nullptr));
  }
  // Returns the wrapping key of |pair|, which is then in the key log but no
  // longer in this process's key cache. From here on the clock stands still.
  ShimWrapKey Record(const Pair& pair) {
    ShimAdvanceClock(0);
    const ShimWrapKey recorded = Get(pair);
    ShimForgetWrapKeys();
    return recorded;
  }
};

TEST_F(WrapKeyTest, EveryServerKeyHasOneOfItsOwn) {
  Configure();
  std::vector<ShimWrapKey> keys;
  for (const char* cert : kCerts) keys.push_back(Get(Pair(cert)));
  for (size_t i = 0; i < keys.size(); ++i) {
    Pair pair(kCerts[i]);
    EXPECT_TRUE(keys[i] == Get(pair));
    for (size_t j = 0; j < keys.size(); ++j) {
      EXPECT_EQ(i == j, Fits(pair, keys[j])) << kCerts[i] << " " << kCerts[j];
      EXPECT_EQ(i == j, memcmp(keys[i].value, keys[j].value, 24) == 0);
    }
  }
}

TEST_F(WrapKeyTest, ForgottenOneIsFoundAgainInTheRegion) {
  Configure();
  for (const char* cert : kCerts) {
    Pair pair(cert);
    ShimWrapKey key = Get(pair);
    ShimForgetWrapKeys();
    EXPECT_TRUE(Fits(pair, key)) << cert;
    ShimForgetWrapKeys();
    EXPECT_TRUE(key == Get(pair)) << cert;
  }
}

TEST_F(WrapKeyTest, NoSessionFitsAServerKeyThatHasNoneYet) {
  Configure();
  ShimWrapKey nobodys;
  memset(&nobodys, 0, sizeof(nobodys));
  EXPECT_FALSE(Fits(Pair("rsa"), nobodys));
  EXPECT_FALSE(Fits(Pair("rsa-b"), Get(Pair("rsa"))));
}

TEST_F(WrapKeyTest, WithoutARegionAProcessHasItsOwn) {
  for (const char* cert : kCerts) {
    Pair pair(cert);
    ShimWrapKey key = Get(pair);
    EXPECT_TRUE(key == Get(pair));
    ShimForgetWrapKeys();
    EXPECT_FALSE(Fits(pair, key));
    EXPECT_FALSE(key == Get(pair));
  }
}

TEST_F(WrapKeyTest, OneMadeBeforeTheRegionIsNotUsedWithIt) {
  Pair pair("rsa");
  ShimWrapKey before = Get(pair);
  Configure();
  ShimWrapKey with = Get(pair);
  EXPECT_FALSE(before == with);
  SSL_ShutdownServerSessionIDCache();
  EXPECT_FALSE(Fits(pair, with));
}

// A modulus of any size below 4,032 bytes works.
TEST_F(WrapKeyTest, ARsaKeyOver4096BitsIsShared) {
  Configure();
  Pair pair = Pair::NewRsa(4608);
  ShimWrapKey key = Get(pair);
  ShimForgetWrapKeys();
  EXPECT_TRUE(key == Get(pair));
}

TEST_F(WrapKeyTest, OneThatCannotBeUnwrappedIsReplacedByTheProcesssOwn) {
  Configure();
  for (const char* cert : {"rsa", "ecdsa"}) {
    Pair pair(cert);
    ShimWrapKey recorded = Get(pair);
    ShimForgetWrapKeys();
    // A private key that cannot unwrap, as on a token that only signs.
    Pair other(cert[0] == 'r' ? "ecdsa" : "rsa");
    std::swap(pair.priv, other.priv);
    EXPECT_FALSE(Fits(pair, recorded));
    ShimWrapKey own = Get(pair);
    EXPECT_FALSE(recorded == own);
    EXPECT_TRUE(Fits(pair, own));
    EXPECT_FALSE(Fits(pair, recorded));
    std::swap(pair.priv, other.priv);
  }
}

// Such a failure is that of a token which is busy, or was logged out.
TEST_F(WrapKeyTest, AFailureThatPassesIsOverAfterASecond) {
  Configure();
  for (const char* cert : {"rsa", "ecdsa"}) {
    Pair pair(cert);
    const PRUint64 failures = KeyFailures();
    const ShimWrapKey recorded = Record(pair);
    Pair other(cert[0] == 'r' ? "ecdsa" : "rsa");
    std::swap(pair.priv, other.priv);  // it cannot unwrap
    ShimWrapKey own = Get(pair);
    EXPECT_FALSE(recorded == own) << cert;
    EXPECT_EQ(failures + 1, KeyFailures()) << cert;
    std::swap(pair.priv, other.priv);
    // The library does not try again before a second has passed.
    EXPECT_TRUE(own == Get(pair)) << cert;
    EXPECT_TRUE(Fits(pair, own)) << cert;
    ShimAdvanceClock(1);
    EXPECT_TRUE(recorded == Get(pair)) << cert;
    EXPECT_TRUE(Fits(pair, recorded)) << cert;
    EXPECT_FALSE(Fits(pair, own)) << cert;
    EXPECT_EQ(failures + 1, KeyFailures()) << cert;
  }
}

// Here a lookup meets the failure and tries again, not a full handshake.
TEST_F(WrapKeyTest, ALookupTriesAgainToo) {
  Configure();
  Pair pair("rsa");
  const ShimWrapKey recorded = Record(pair);
  ShimFailUnwraps(1);
  ShimWrapKey own = Get(pair);
  EXPECT_FALSE(Fits(pair, recorded));
  ShimAdvanceClock(1);
  EXPECT_TRUE(Fits(pair, recorded));
  EXPECT_FALSE(Fits(pair, own));
}

// The token signs but never decrypts. There is a full handshake a second for an
// hour, and as many lookups.
TEST_F(WrapKeyTest, AFailureThatStaysCostsFewOperationsWithThePrivateKey) {
  Configure();
  Pair pair("rsa");
  const ShimWrapKey recorded = Record(pair);
  ShimFailUnwraps(-1);
  const unsigned int before = ShimCountUnwraps();
  ShimWrapKey own = Get(pair);
  for (int sec = 1; sec < 3600; ++sec) {
    ShimAdvanceClock(1);
    EXPECT_FALSE(Fits(pair, recorded));
    ASSERT_TRUE(own == Get(pair)) << sec;
    EXPECT_TRUE(Fits(pair, own));
  }
  // The library tries at 0, 1, 3, 7 ... 511 seconds, and every 300 after that.
  EXPECT_EQ(20u, ShimCountUnwraps() - before);
  EXPECT_EQ(20u, KeyFailures());
  // So it finds within five minutes that the token works again.
  ShimFailUnwraps(0);
  ShimAdvanceClock(300);
  EXPECT_TRUE(recorded == Get(pair));
}

// The same without a full handshake, so that the process has no key of its own.
// There is an attempt to resume a second, for an hour.
TEST_F(WrapKeyTest, AFailureThatOnlyLookupsMeetCostsNoMore) {
  Configure();
  for (const char* cert : {"rsa", "ecdsa"}) {
    Pair pair(cert);
    Pair other(cert[0] == 'r' ? "ecdsa" : "rsa");
    const ShimWrapKey recorded = Record(pair);
    std::swap(pair.priv, other.priv);  // it cannot unwrap
    const PRUint64 failures = KeyFailures();
    for (int sec = 0; sec < 3600; ++sec) {
      EXPECT_FALSE(Fits(pair, recorded));
      EXPECT_FALSE(Fits(pair, recorded));
      ShimAdvanceClock(1);
    }
    // The library tries at 0, 1, 3, 7 ... 511 seconds, and every 300 after
    // that.
    EXPECT_EQ(20u, KeyFailures() - failures) << cert;
    std::swap(pair.priv, other.priv);
    ShimAdvanceClock(300);
    EXPECT_TRUE(Fits(pair, recorded)) << cert;
    EXPECT_TRUE(recorded == Get(pair)) << cert;
  }
}

TEST_F(WrapKeyTest, AKeyMadeAfterSuchAFailureGoesOnWithItsPauses) {
  Configure();
  Pair pair("rsa");
  const ShimWrapKey recorded = Record(pair);
  ShimFailUnwraps(-1);
  const unsigned int before = ShimCountUnwraps();
  EXPECT_FALSE(Fits(pair, recorded));
  ShimAdvanceClock(1);
  EXPECT_FALSE(Fits(pair, recorded));
  EXPECT_EQ(2u, ShimCountUnwraps() - before);
  // A full handshake asks the token no more often than a lookup does.
  ShimWrapKey own = Get(pair);
  EXPECT_TRUE(Fits(pair, own));
  ShimAdvanceClock(1);
  EXPECT_TRUE(own == Get(pair));
  EXPECT_EQ(2u, ShimCountUnwraps() - before);
  ShimFailUnwraps(0);
  ShimAdvanceClock(1);
  EXPECT_TRUE(recorded == Get(pair));
  EXPECT_EQ(3u, ShimCountUnwraps() - before);
}

// A process that shuts the cache down and makes another one forgets the
// failure.
TEST_F(WrapKeyTest, AFailureIsForgottenWithTheKeys) {
  Configure();
  Pair pair("rsa");
  const ShimWrapKey recorded = Record(pair);
  ShimFailUnwraps(1);
  EXPECT_FALSE(Fits(pair, recorded));
  EXPECT_FALSE(Fits(pair, recorded));
  ShimForgetWrapKeys();
  EXPECT_TRUE(Fits(pair, recorded));
}

// A process that could not record its key records it later, and loses no
// session.
TEST_F(WrapKeyTest, AKeyThatCouldNotBeRecordedIsRecordedLater) {
  Configure();
  Pair pair("ecdsa");
  Pair other("rsa");
  ShimAdvanceClock(0);
  std::swap(pair.priv, other.priv);  // it cannot wrap
  ShimWrapKey own = Get(pair);
  EXPECT_EQ(1u, KeyFailures());
  std::swap(pair.priv, other.priv);
  ShimAdvanceClock(1);
  EXPECT_TRUE(own == Get(pair));
  ShimForgetWrapKeys();
  EXPECT_TRUE(own == Get(pair));
}

TEST_F(WrapKeyTest, WithTheKeyLogFullNoTokenIsAskedAgain) {
  Configure();
  ShimFillKeyLog();
  Pair pair("rsa");
  ShimAdvanceClock(0);
  ShimWrapKey own = Get(pair);
  const unsigned int before = ShimCountUnwraps();
  for (int i = 0; i < 100; ++i) {
    ShimAdvanceClock(600);
    EXPECT_TRUE(own == Get(pair));
  }
  EXPECT_EQ(before, ShimCountUnwraps());
  EXPECT_EQ(0u, KeyFailures());
}

TEST_F(WrapKeyTest, OfThreadsThatMeetATokenThatWorksAgainOneAsksIt) {
  Configure();
  Pair pair("rsa");
  const ShimWrapKey recorded = Record(pair);
  ShimFailUnwraps(1);
  ShimWrapKey own = Get(pair);
  const unsigned int before = ShimCountUnwraps();
  ShimAdvanceClock(1);
  std::vector<ShimWrapKey> seen(8);
  std::vector<std::thread> threads;
  for (ShimWrapKey& key : seen) threads.emplace_back([&] { key = Get(pair); });
  for (std::thread& thread : threads) thread.join();
  for (ShimWrapKey& key : seen) EXPECT_TRUE(key == recorded || key == own);
  EXPECT_TRUE(recorded == Get(pair));
  EXPECT_EQ(1u, ShimCountUnwraps() - before);
}

// Registering the function that NSS calls at its shutdown failed once, for lack
// of memory.
STAGE(RegisterLater) {
  StartNss();
  Pair pair("rsa");
  ShimFailRegistrations(1);
  Get(pair);
  ShimWrapKey key = Get(pair);
  STAGE_CHECK(key == Get(pair));
  STAGE_CHECK(Fits(pair, key));
  return 0;
}

TEST_F(WrapKeyTest, AProcessThatCouldNotKeepAKeyOnceKeepsTheNext) {
  EXPECT_EQ(0, InExec("RegisterLater", {}));
}

TEST_F(WrapKeyTest, AProcessKeepsThoseUsedLast) {
  std::vector<Pair> pairs;
  std::vector<ShimWrapKey> keys;
  for (unsigned int i = 0; i <= kKeysKept; ++i) pairs.push_back(Pair::NewEc());
  for (unsigned int i = 0; i < kKeysKept; ++i) keys.push_back(Get(pairs[i]));
  EXPECT_TRUE(keys[0] == Get(pairs[0]));  // used again
  Get(pairs[kKeysKept]);                  // one too many
  unsigned int kept = 0;
  for (unsigned int i = 0; i < kKeysKept; ++i) kept += Fits(pairs[i], keys[i]);
  EXPECT_EQ(kKeysKept - 1, kept);
  EXPECT_TRUE(Fits(pairs[0], keys[0]));
  EXPECT_FALSE(Fits(pairs[1], keys[1]));
}

TEST_F(WrapKeyTest, AnEvictedOneIsFoundAgainInTheRegion) {
  Configure();
  std::vector<Pair> pairs;
  std::vector<ShimWrapKey> keys;
  for (unsigned int i = 0; i < kKeysKept + 100; ++i) {
    pairs.push_back(Pair::NewEc());
    keys.push_back(Get(pairs[i]));
  }
  // The first 100 keys were evicted from the key cache; the last 100 found the
  // key log full.
  for (unsigned int i = 0; i < 100; ++i) {
    EXPECT_TRUE(keys[i] == Get(pairs[i])) << i;
  }
  ShimForgetWrapKeys();
  unsigned int shared = 0;
  for (unsigned int i = 0; i < pairs.size(); ++i) {
    shared += Fits(pairs[i], keys[i]);
  }
  EXPECT_EQ(kKeysKept, shared);
}

TEST_F(WrapKeyTest, WithTheKeyLogFullAProcessHasItsOwn) {
  Configure();
  ShimWrapKey shared = Get(Pair("rsa"));
  EXPECT_EQ(kKeysKept - 1, ShimFillKeyLog());
  Pair pair("rsa-b");
  ShimWrapKey own = Get(pair);
  EXPECT_TRUE(own == Get(pair));
  EXPECT_TRUE(Fits(pair, own));
  EXPECT_TRUE(shared == Get(Pair("rsa")));
  ShimForgetWrapKeys();
  EXPECT_TRUE(shared == Get(Pair("rsa")));
  EXPECT_FALSE(Fits(pair, own));
}

TEST_F(WrapKeyTest, ManyThreadsMeetingManyServerKeysAgree) {
  constexpr unsigned int kPairs = 12;
  constexpr unsigned int kThreads = 8;
  Configure();
  std::vector<Pair> pairs;
  for (unsigned int i = 0; i < kPairs; ++i) {
    pairs.push_back(i < 4 ? Pair(kCerts[i]) : Pair::NewEc());
  }
  std::vector<ShimWrapKey> seen[kThreads];
  std::vector<std::thread> threads;
  std::atomic<unsigned int> waiting{kThreads};
  for (unsigned int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      --waiting;
      while (waiting) std::this_thread::yield();
      seen[t].resize(kPairs);
      for (unsigned int round = 0; round < 40; ++round) {
        unsigned int i = (round * 7 + t) % kPairs;
        ShimWrapKey key = Get(pairs[i]);
        EXPECT_TRUE(round < kPairs || seen[t][i] == key);
        seen[t][i] = key;
        // A thread that shuts a cache down does this at any moment.
        if (round % 9 == t) ShimForgetWrapKeys();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (unsigned int t = 1; t < kThreads; ++t) {
    for (unsigned int i = 0; i < kPairs; ++i) {
      EXPECT_TRUE(seen[0][i] == seen[t][i]) << t << " " << i;
    }
  }
}

TEST_F(WrapKeyTest, WithoutARegionThreadsAgreeToo) {
  Pair pair("ecdsa");
  std::vector<ShimWrapKey> seen(8);
  std::vector<std::thread> threads;
  std::atomic<size_t> waiting{seen.size()};
  for (ShimWrapKey& key : seen) {
    threads.emplace_back([&] {
      --waiting;
      while (waiting) std::this_thread::yield();
      key = Get(pair);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (ShimWrapKey& key : seen) EXPECT_TRUE(seen[0] == key);
}

TEST_F(WrapKeyTest, AForkedChildIsNotLeftWithALockedRing) {
  std::atomic<bool> done{false};
  std::thread busy([&] {
    while (!done) ShimTouchWrapKeys();
  });
  bool free = true;
  for (int i = 0; free && i < 300; ++i) {
    free = InFork([] {
             ShimTouchWrapKeys();
             return 0;
           }) == 0;
  }
  EXPECT_TRUE(free);
  done = true;
  busy.join();
}

// ---- handshakes with several processes ------------------------------------

// An order to a server process: how to serve the next connection.
struct Order {
  char base[16];     // the socket's certificate
  char sni[16];      // the SNI callback's choice; "": no callback
  uint16_t version;  // 0: end the process
  bool tickets;
};
// The server process's answer.
struct Outcome {
  bool ok;
  bool resumed;
  bool answers_name;  // its ServerHello has the server_name extension
  int sni_calls;
  PRErrorCode error;
  char cert[16];  // the certificate that it used
};

const char* sni_choice;
int sni_calls;

bool Configure(PRFileDesc* fd, const char* nickname) {
  Identity identity = FindIdentity(nickname);
  SECStatus rv =
      SSL_ConfigServerCert(fd, identity.cert, identity.key, nullptr, 0);
  CERT_DestroyCertificate(identity.cert);
  SECKEY_DestroyPrivateKey(identity.key);
  return rv == SECSuccess;
}

PRInt32 ChooseBySni(PRFileDesc* fd, const SECItem*, PRUint32, void*) {
  ++sni_calls;
  return Configure(fd, sni_choice) ? 0 : SSL_SNI_SEND_ALERT;
}

SECStatus AcceptCertificate(void*, PRFileDesc*, PRBool, PRBool) {
  return SECSuccess;
}

void CopyName(CERTCertificate* cert, char out[16]) {
  char* name = cert ? CERT_GetCommonName(&cert->subject) : nullptr;
  if (name) strncpy(out, name, 15);
  PORT_Free(name);
  if (cert) CERT_DestroyCertificate(cert);
}

void SetUpSocket(PRFileDesc* fd, const Order& order) {
  SSLVersionRange range = {order.version, order.version};
  SSL_VersionRangeSet(fd, &range);
  SSL_OptionSet(fd, SSL_ENABLE_SESSION_TICKETS, order.tickets);
  SSL_AuthCertificateHook(fd, AcceptCertificate, nullptr);
}

void DoNotDelay(PRFileDesc* fd) {
  PRSocketOptionData option;
  option.option = PR_SockOpt_NoDelay;
  option.value.no_delay = PR_TRUE;
  PR_SetSocketOption(fd, &option);
}

bool IsResumed(PRFileDesc* fd) {
  SSLChannelInfo info;
  return SSL_GetChannelInfo(fd, &info, sizeof(info)) == SECSuccess &&
         info.resumed;
}

// A function, because a constant would initialize NSPR at start-up, in every
// test.
PRIntervalTime Timeout() { return PR_SecondsToInterval(20); }

Outcome Serve(int listener, const Order& order) {
  Outcome outcome;
  char byte = 0;
  memset(&outcome, 0, sizeof(outcome));
  PRFileDesc* fd = SSL_ImportFD(
      nullptr, PR_ImportTCPSocket(accept(listener, nullptr, nullptr)));
  SetUpSocket(fd, order);
  DoNotDelay(fd);
  bool ok = Configure(fd, order.base);
  sni_choice = order.sni;
  sni_calls = 0;
  if (order.sni[0]) SSL_SNISocketConfigHook(fd, ChooseBySni, nullptr);
  SSL_ResetHandshake(fd, PR_TRUE);
  ok = ok && SSL_ForceHandshakeWithTimeout(fd, Timeout()) == SECSuccess &&
       PR_Send(fd, "x", 1, 0, Timeout()) == 1;
  outcome.ok = ok;
  outcome.error = ok ? 0 : PR_GetError();
  outcome.resumed = ok && IsResumed(fd);
  outcome.answers_name = ShimAnswersServerName(fd);
  outcome.sni_calls = sni_calls;
  CopyName(SSL_LocalCertificate(fd), outcome.cert);
  if (ok) PR_Recv(fd, &byte, 1, 0, Timeout());  // until the client closes
  PR_Close(fd);
  return outcome;
}

// A server process, forked before NSS is initialized. It serves one connection
// for each order.
class Worker {
 public:
  explicit Worker(int listener) {
    int down[2];
    int up[2];
    if (pipe(down) != 0 || pipe(up) != 0) abort();
    pid_ = fork();
    if (pid_ == 0) {
      close(down[1]);
      close(up[0]);
      snce_test::LeaveChild(Run(listener, down[0], up[1]));
    }
    close(down[0]);
    close(up[1]);
    to_ = down[1];
    from_ = up[0];
  }
  Worker(Worker&& other)
      : pid_(other.pid_), to_(other.to_), from_(other.from_) {
    other.pid_ = -1;
  }
  ~Worker() {
    if (pid_ < 0) return;
    Order stop;
    memset(&stop, 0, sizeof(stop));
    Tell(stop);
    close(to_);
    close(from_);
    waitpid(pid_, nullptr, 0);
  }
  bool Tell(const Order& order) {
    return write(to_, &order, sizeof(order)) == sizeof(order);
  }
  bool Hear(Outcome* outcome) {
    return read(from_, outcome, sizeof(*outcome)) == sizeof(*outcome);
  }

 private:
  static int Run(int listener, int from, int to) {
    Order order;
    StartNss();
    // All processes wrap the ticket keys by the same pair, so that the ticket
    // keys do not depend on the certificates.
    Pair rsa("rsa");
    if (SSL_SetSessionTicketKeyPair(rsa.pub, rsa.priv) != SECSuccess) return 1;
    while (read(from, &order, sizeof(order)) == sizeof(order) &&
           order.version) {
      Outcome outcome = Serve(listener, order);
      if (write(to, &outcome, sizeof(outcome)) != sizeof(outcome)) return 1;
    }
    return 0;
  }

  pid_t pid_;
  int to_;
  int from_;
};

// A listening socket, and behind it processes that share a cache. The clients
// are in the process that made the Site.
class Site {
 public:
  // NSS must not be initialized yet.
  explicit Site(size_t workers, bool fill_key_log = false) {
    sockaddr_in addr;
    socklen_t len = sizeof(addr);
    memset(&addr, 0, sizeof(addr));
    addr.sin_family = AF_INET;
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    listener_ = socket(AF_INET, SOCK_STREAM, 0);
    if (NSS_IsInitialized() ||
        bind(listener_, reinterpret_cast<sockaddr*>(&addr), len) != 0 ||
        listen(listener_, 8) != 0 ||
        getsockname(listener_, reinterpret_cast<sockaddr*>(&addr), &len) != 0 ||
        SSL_ConfigMPServerSIDCache(1000, 0, 0, nullptr) != SECSuccess ||
        (fill_key_log && !ShimFillKeyLog())) {
      abort();
    }
    port_ = ntohs(addr.sin_port);
    for (size_t i = 0; i < workers; ++i) workers_.emplace_back(listener_);
    StartNss();
  }
  ~Site() { close(listener_); }

  // Connects |client|, which has sessions of its own, to |worker| under the
  // server name of |wanted|; it offers its session of |offered|. Returns the
  // server's outcome, whose |ok| is true if both sides succeeded. |*seen| gets
  // the certificate that the client saw.
  Outcome Connect(size_t worker, const Order& order, const std::string& client,
                  const std::string& wanted, const std::string& offered,
                  std::string* seen) {
    Outcome outcome;
    PRNetAddr addr;
    char byte = 0;
    char name[16] = "";
    memset(&outcome, 0, sizeof(outcome));
    PR_InitializeNetAddr(PR_IpAddrLoopback, port_, &addr);
    if (!workers_[worker].Tell(order)) return outcome;
    PRFileDesc* fd = SSL_ImportFD(nullptr, PR_NewTCPSocket());
    SetUpSocket(fd, order);
    SSL_SetURL(fd, (offered + ".example").c_str());
    SSL_SetSockPeerID(fd, client.c_str());
    bool ok = PR_Connect(fd, &addr, Timeout()) == PR_SUCCESS;
    DoNotDelay(fd);
    if (wanted != offered) {
      ok = ok && ShimOfferAs(fd, (wanted + ".example").c_str());
    }
    ok = ok && SSL_ResetHandshake(fd, PR_FALSE) == SECSuccess &&
         SSL_ForceHandshakeWithTimeout(fd, Timeout()) == SECSuccess &&
         PR_Recv(fd, &byte, 1, 0, Timeout()) == 1;
    bool resumed = ok && IsResumed(fd);
    CopyName(ok ? SSL_PeerCertificate(fd) : nullptr, name);
    *seen = name;
    PR_Close(fd);
    if (!workers_[worker].Hear(&outcome)) outcome.ok = false;
    outcome.ok = outcome.ok && ok;
    if (resumed != outcome.resumed) outcome.ok = false;
    return outcome;
  }
  size_t workers() const { return workers_.size(); }

 private:
  int listener_;
  uint16_t port_;
  std::vector<Worker> workers_;
};

struct Count {
  int connections = 0;
  int failed = 0;
  int resumed = 0;
  int wrong_cert = 0;  // another one than was configured, on either side
  int sni_wrong = 0;   // connections with several calls of the SNI callback
  int answered = 0;    // server_name in a ServerHello that resumes
};

// Makes connections to a site, for one way to resume.
class Visits {
 public:
  Visits(Site* site, uint16_t version, bool tickets, bool sni)
      : site_(site), version_(version), tickets_(tickets), sni_(sni) {}

  // Makes a connection of |client| that wants the certificate |cert| and offers
  // the session that the client has of |offered|. Counts its outcome.
  void Visit(size_t worker, const std::string& cert, const std::string& client,
             Count* count, const std::string& offered = "") {
    Order order;
    memset(&order, 0, sizeof(order));
    order.version = version_;
    order.tickets = tickets_;
    if (sni_) {
      // The callback replaces a certificate of the same kind.
      strcpy(order.base, cert[0] == 'r' ? "rsa" : "ecdsa");
      strcpy(order.sni, cert.c_str());
    } else {
      strcpy(order.base, cert.c_str());
    }
    std::string seen;
    Outcome outcome = site_->Connect(worker, order, client, cert,
                                     offered.empty() ? cert : offered, &seen);
    ++count->connections;
    if (!outcome.ok) {
      ++count->failed;
      fprintf(stderr, "process %zu, %s, %s: error %d\n", worker, cert.c_str(),
              client.c_str(), static_cast<int>(outcome.error));
      return;
    }
    count->resumed += outcome.resumed;
    count->wrong_cert += seen != cert || outcome.cert != cert;
    count->sni_wrong += outcome.sni_calls > 1;
    count->answered += outcome.resumed && outcome.answers_name;
  }

 private:
  Site* site_;
  uint16_t version_;
  bool tickets_;
  bool sni_;
};

bool AddServer(const std::string& cert) {
  return SSL_AddServerCache((cert + ".example").c_str(), nullptr) == SECSuccess;
}

PRUint64 Inserts(const std::string& cert) {
  SSLServerCacheFigures figures;
  return SSL_GetServerCacheFigures((cert + ".example").c_str(), &figures,
                                   sizeof(figures)) == SECSuccess
             ? figures.inserts
             : ~0ull;
}

// How a process chooses the certificate: its socket has only one; or the SNI
// callback chooses; or the callback chooses and each name is also a virtual
// server with a cache of its own.
const char kFixed[] = "fixed", kSni[] = "sni", kServers[] = "servers";

// Arguments: version, "tickets" or "ids", one of the three.
STAGE(EverySessionUnderItsOwnCertificate) {
  const bool servers = args[2] == kServers;
  const bool ids = args[1] == "ids";
  Site site(4);
  Visits visits(&site, static_cast<uint16_t>(std::stoi(args[0])), !ids,
                args[2] != kFixed);
  // The caches are added after the processes were started.
  for (const char* cert : kCerts) {
    STAGE_CHECK(!servers || AddServer(cert));
  }
  Count made, own, other, own_again;

  // Each certificate is used first by another process, and each process uses
  // all of them.
  for (size_t round = 0; round < 4; ++round) {
    for (size_t c = 0; c < 4; ++c) {
      visits.Visit((c + round) % 4, kCerts[c],
                   std::string(kCerts[c]) + std::to_string(round), &made);
    }
  }
  STAGE_CHECK(made.connections == 16 && made.failed == 0);
  STAGE_CHECK(made.resumed == 0 && made.wrong_cert == 0);

  // Five visits with each of these sessions, spread over all processes.
  for (size_t c = 0; c < 4; ++c) {
    for (size_t round = 0; round < 4; ++round) {
      for (size_t i = 0; i < 5; ++i) {
        visits.Visit((c + round + i) % 4, kCerts[c],
                     std::string(kCerts[c]) + std::to_string(round), &own);
      }
    }
  }
  fprintf(stderr, "%s %s %s: %d of %d resumed under their own certificate\n",
          args[0].c_str(), args[1].c_str(), args[2].c_str(), own.resumed,
          own.connections);
  STAGE_CHECK(own.connections == 80 && own.failed == 0);
  STAGE_CHECK(own.resumed == 80 && own.wrong_cert == 0);
  STAGE_CHECK(own.sni_wrong == 0 && own.answered == 0);

  // A session that is offered to another certificate, of the same kind or not,
  // at any process, is a full handshake.
  for (size_t c = 0; c < 4; ++c) {
    for (size_t d = 0; d < 4; ++d) {
      if (c == d) continue;
      for (size_t w = 0; w < 4; ++w) {
        std::string client =
            std::string("x") + kCerts[c] + kCerts[d] + std::to_string(w);
        visits.Visit((w + 1) % 4, kCerts[c], client, &own_again);
        visits.Visit(w, kCerts[d], client, &other, kCerts[c]);
      }
    }
  }
  fprintf(stderr, "%s %s %s: %d of %d under another one\n", args[0].c_str(),
          args[1].c_str(), args[2].c_str(), other.resumed, other.connections);
  STAGE_CHECK(own_again.failed == 0 && own_again.resumed == 0);
  STAGE_CHECK(other.connections == 48 && other.failed == 0);
  STAGE_CHECK(other.resumed == 0);
  STAGE_CHECK(other.sni_wrong == 0);
  // The SNI callback cannot replace an RSA certificate by an ECDSA one once the
  // cipher suite is chosen; that is so without a session too.
  STAGE_CHECK(other.wrong_cert == 0);
  for (const char* cert : kCerts) {
    // 4 sessions of its own, 12 made to be offered to others, and 12 made in
    // the place of those that others offered.
    STAGE_CHECK(!(servers && ids) || Inserts(cert) == 28);
  }
  return 0;
}

class WrapProcessesTest : public NssTest {};

struct Way {
  uint16_t version;
  const char* how;
  const char* chosen;
};
void PrintTo(const Way& way, std::ostream* out) {
  *out << (way.version == SSL_LIBRARY_VERSION_TLS_1_2 ? "Tls12" : "Tls13")
       << way.how << way.chosen;
}
class WrapWaysTest : public WrapProcessesTest,
                     public ::testing::WithParamInterface<Way> {};

TEST_P(WrapWaysTest, EverySessionResumesUnderItsOwnCertificateOnly) {
  EXPECT_EQ(0, InExec("EverySessionUnderItsOwnCertificate",
                      {std::to_string(GetParam().version), GetParam().how,
                       GetParam().chosen}));
}

constexpr Way kWays[] = {
    {SSL_LIBRARY_VERSION_TLS_1_2, "ids", kFixed},
    {SSL_LIBRARY_VERSION_TLS_1_2, "ids", kSni},
    {SSL_LIBRARY_VERSION_TLS_1_2, "ids", kServers},
    {SSL_LIBRARY_VERSION_TLS_1_2, "tickets", kFixed},
    {SSL_LIBRARY_VERSION_TLS_1_2, "tickets", kSni},
    {SSL_LIBRARY_VERSION_TLS_1_2, "tickets", kServers},
    {SSL_LIBRARY_VERSION_TLS_1_3, "tickets", kFixed},
    {SSL_LIBRARY_VERSION_TLS_1_3, "tickets", kSni},
    {SSL_LIBRARY_VERSION_TLS_1_3, "tickets", kServers},
};
INSTANTIATE_TEST_SUITE_P(Ways, WrapWaysTest, ::testing::ValuesIn(kWays),
                         ::testing::PrintToStringParamName());

// If the key log is full, each process has its own wrapping key for a server
// key. A session of one process is a full handshake in another, not a failure.
STAGE(FullKeyLog) {
  Site site(2, true);
  for (bool tickets : {false, true}) {
    for (uint16_t version :
         {SSL_LIBRARY_VERSION_TLS_1_2, SSL_LIBRARY_VERSION_TLS_1_3}) {
      if (version == SSL_LIBRARY_VERSION_TLS_1_3 && !tickets) continue;
      Visits visits(&site, version, tickets, false);
      for (const char* cert : kCerts) {
        std::string client = std::string(cert) + std::to_string(version) +
                             std::to_string(tickets);
        Count made, here, there;
        visits.Visit(0, cert, client, &made);
        visits.Visit(1, cert, client + "'s friend", &made);
        for (int i = 0; i < 3; ++i) visits.Visit(0, cert, client, &here);
        visits.Visit(1, cert, client, &there);  // makes a new session
        for (int i = 0; i < 3; ++i) visits.Visit(1, cert, client, &here);
        STAGE_CHECK(made.failed == 0 && made.resumed == 0);
        STAGE_CHECK(here.failed == 0 && here.resumed == 6);
        // Each process has ticket keys of its own too.
        STAGE_CHECK(there.failed == 0 && there.resumed == 0);
      }
    }
  }
  return 0;
}

TEST_F(WrapProcessesTest, WithTheKeyLogFullSessionsResumeInTheirProcess) {
  EXPECT_EQ(0, InExec("FullKeyLog", {}));
}

TEST_F(WrapProcessesTest, AfterShutdownAndConfigOldTicketsAreFullHandshakes) {
  // The ticket keys stay, but the wrapping keys change.
  for (uint16_t version :
       {SSL_LIBRARY_VERSION_TLS_1_2, SSL_LIBRARY_VERSION_TLS_1_3}) {
    Listener listener;
    ConnectOptions options;
    options.tickets = true;
    options.version = version;
    for (bool expected : {false, true, false, true}) {
      if (!expected) {
        SSL_ShutdownServerSessionIDCache();
        ASSERT_EQ(SECSuccess,
                  SSL_ConfigServerSessionIDCache(10, 0, 0, nullptr));
        // Another client connects first; its handshake makes the new wrapping
        // key.
        Listener another;
        Connection first(&another, options);
        ASSERT_TRUE(first.Handshake());
      }
      Connection connection(&listener, options);
      ASSERT_TRUE(connection.Handshake())
          << PR_ErrorToName(connection.server_error());
      EXPECT_EQ(expected, connection.resumed());
      // In TLS 1.3 the ticket comes after the handshake: read until it has
      // come.
      char byte;
      PR_Send(connection.server(), "x", 1, 0, Timeout());
      for (int i = 0; i < 1000 &&
                      PR_Recv(connection.client(), &byte, 1, 0, Timeout()) != 1;
           ++i) {
        usleep(1000);
      }
    }
  }
}

STAGE(TokenFailsForAWhile) {
  STAGE_CHECK(SSL_ConfigServerSessionIDCache(100, 0, 0, nullptr) == SECSuccess);
  StartNss();
  Listener listener;
  ConnectOptions options;
  int failed = 0;
  const auto resumes = [&] {
    Connection connection(&listener, options);
    failed += !connection.Handshake();
    return connection.resumed();
  };
  ShimAdvanceClock(0);
  STAGE_CHECK(!resumes());
  STAGE_CHECK(resumes());
  ShimForgetWrapKeys();
  ShimFailUnwraps(-1);
  // The token fails: a full handshake, whose session resumes in this process.
  STAGE_CHECK(!resumes());
  STAGE_CHECK(resumes());
  ShimFailUnwraps(0);
  STAGE_CHECK(resumes());
  // The next retry succeeds: one more full handshake, and from then on all
  // processes share the sessions.
  ShimAdvanceClock(300);
  STAGE_CHECK(!resumes());
  STAGE_CHECK(resumes());
  ShimForgetWrapKeys();  // like another process, which has not unwrapped it yet
  STAGE_CHECK(resumes());
  STAGE_CHECK(failed == 0);
  return 0;
}

TEST_F(WrapProcessesTest, WhileATokenFailsSessionsResumeInTheirProcess) {
  EXPECT_EQ(0, InExec("TokenFailsForAWhile", {}));
}

TEST_F(WrapProcessesTest, ThreadsMeetingSeveralCertificatesAtOnceAllResume) {
  ASSERT_EQ(SECSuccess, SSL_ConfigServerSessionIDCache(1000, 0, 0, nullptr));
  constexpr unsigned int kThreads = 8;
  std::atomic<unsigned int> waiting{kThreads};
  std::atomic<int> resumed{0};
  std::vector<std::thread> threads;
  for (unsigned int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      Listener listeners[4];
      --waiting;
      while (waiting) std::this_thread::yield();
      for (unsigned int i = 0; i < 4 * 6; ++i) {
        unsigned int c = (i + t) % 4;
        ConnectOptions options;
        options.server = kCerts[c];
        Connection connection(&listeners[c], options);
        EXPECT_TRUE(connection.Handshake());
        resumed += connection.resumed();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(static_cast<int>(kThreads) * 4 * 5, resumed);
}

}  // namespace
}  // namespace nss_test
