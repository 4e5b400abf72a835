/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// pointer_test.h: a server socket. A test calls its two pointers, sec.cache and
// sec.uncache, as protocol code does.
//
// Each suite here judges one promise of Tech Note 8 about the lifetime of
// server sessions, which NSS broke more than once (bug 223242). If one test of
// a suite fails, its promise is broken.
#ifndef SSLSNCE_TESTS_REGRESS_POINTERS_POINTER_TEST_H_
#define SSLSNCE_TESTS_REGRESS_POINTERS_POINTER_TEST_H_

#include <memory>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "test_nss.h"

namespace nss_test {

constexpr PRTime kSecond = PR_USEC_PER_SEC;
// Not a whole second, so that code that computes in seconds fails.
constexpr PRTime kStart = 1700000000 * kSecond + 123457;
// The lifetime that protocol code writes into a sid, that of tickets: two days,
// which is longer than any timeout of the cache.
constexpr PRTime kTicketLifetime = 2 * 86400 * kSecond;

constexpr uint32_t kLongestSsl2 = 100;
constexpr uint32_t kLongestSsl3 = 86400;

// A protocol version that a session may have.
struct Version {
  const char* name;
  uint16_t number;
  bool is_ssl2() const { return number < SSL_LIBRARY_VERSION_3_0; }
};
inline void PrintTo(const Version& version, std::ostream* os) {
  *os << version.name;
}

constexpr Version kSsl2 = {"Ssl2", SSL_LIBRARY_VERSION_2};
constexpr Version kTls12 = {"Tls12", SSL_LIBRARY_VERSION_TLS_1_2};
constexpr Version kVersions[] = {kSsl2,
                                 {"Ssl3", SSL_LIBRARY_VERSION_3_0},
                                 {"Tls10", SSL_LIBRARY_VERSION_TLS_1_0},
                                 {"Tls11", SSL_LIBRARY_VERSION_TLS_1_1},
                                 kTls12};
// One version of each class, for tests where only the class matters.
constexpr Version kClasses[] = {kSsl2, kTls12};

// Names a test case after its parameter.
struct CaseName {
  template <typename T>
  std::string operator()(const ::testing::TestParamInfo<T>& info) const {
    return info.param.name;
  }
};

inline ShimFields Fields(const Sid& sid) {
  ShimFields fields;
  ShimGetFields(sid.get(), &fields);
  return fields;
}

// Returns a session with the same ID, fields and times that is in no cache.
inline Sid Twin(const Sid& sid) {
  ShimFields fields = Fields(sid);
  return Sid(ShimNewSid(&fields, nullptr));
}

// A server socket with a client and a clock of its own.
class Server {
 public:
  explicit Server(PRTime now = kStart) : now_(now), socket_(true, &now_) {
    ShimSetPeer(socket_.fd(), SampleFields(0, 0).address);
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  PRFileDesc* fd() const { return socket_.fd(); }
  PRTime now() const { return now_; }
  void SetClock(PRTime now) { now_ = now; }

  // Make returns a new session as protocol code makes it; MakeCached also
  // caches it.
  Sid Make(const Version& version) const {
    return Sid(ShimNewSessionSid(fd(), version.number));
  }
  Sid MakeCached(const Version& version) const {
    Sid sid = Make(version);
    Cache(sid);
    return sid;
  }

  void Cache(const Sid& sid) const { ShimCache(fd(), sid.get()); }
  void Uncache(const Sid& sid) const { ShimUncache(fd(), sid.get()); }
  // Looks a session up by this socket's clock, for its client.
  Sid Lookup(const ShimFields& fields) const {
    return Sid(ShimLookup(fd(), fields.id, fields.idLen));
  }
  Sid Lookup(const Sid& sid) const { return Lookup(Fields(sid)); }
  bool Finds(const Sid& sid) const { return Lookup(sid) != nullptr; }

  // Succeeds if the session is alive a microsecond before |end| and dead at it.
  ::testing::AssertionResult Ends(const ShimFields& fields, PRTime end) {
    now_ = end - 1;
    if (!Lookup(fields)) {
      return ::testing::AssertionFailure()
             << "dead 1 us before its end, " << end - 1 - fields.creationTime
             << " us old";
    }
    now_ = end;
    if (Lookup(fields)) {
      return ::testing::AssertionFailure()
             << "alive at its end, " << end - fields.creationTime << " us old";
    }
    return ::testing::AssertionSuccess();
  }
  ::testing::AssertionResult Ends(const Sid& sid, PRTime end) {
    return Ends(Fields(sid), end);
  }
  // Succeeds if the session ends |seconds| after its creation.
  ::testing::AssertionResult LivesFor(const Sid& sid, uint32_t seconds) {
    return Ends(sid, Fields(sid).creationTime + seconds * kSecond);
  }

  // Succeeds if a session of every version lives for its class's timeout.
  ::testing::AssertionResult AllLiveFor(uint32_t ssl2, uint32_t ssl3) {
    const PRTime start = now_;
    for (const Version& version : kVersions) {
      now_ = start;
      Sid sid = MakeCached(version);
      ::testing::AssertionResult result =
          LivesFor(sid, version.is_ssl2() ? ssl2 : ssl3);
      now_ = start;
      if (!result) return result << ", " << version.name;
    }
    return ::testing::AssertionSuccess();
  }

 private:
  PRTime now_;
  LoneSocket socket_;
};

class PointerTest : public NssTest {
 protected:
  void SetUp() override {
    NssTest::SetUp();
    server_.reset(new Server);
  }
  void TearDown() override {
    server_.reset();
    NssTest::TearDown();
  }

  static void Configure(uint32_t ssl2, uint32_t ssl3) {
    ASSERT_EQ(SECSuccess,
              SSL_ConfigServerSessionIDCache(1000, ssl2, ssl3, nullptr));
  }
  // Configures |own| seconds for the class of |version|, |other| for the other.
  static void Configure(const Version& version, uint32_t own, uint32_t other) {
    Configure(version.is_ssl2() ? own : other, version.is_ssl2() ? other : own);
  }

  std::unique_ptr<Server> server_;
};

// A PointerTest that runs for each of several versions.
class VersionTest : public PointerTest,
                    public ::testing::WithParamInterface<Version> {
 protected:
  // Returns a version of the other class.
  static Version Other() { return GetParam().is_ssl2() ? kTls12 : kSsl2; }
};

}  // namespace nss_test

#endif  // SSLSNCE_TESTS_REGRESS_POINTERS_POINTER_TEST_H_
