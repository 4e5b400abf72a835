/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// test_nss.h: NSS, certificates, connections, sessions and child processes for
// tests that are linked with the patched libssl.
#ifndef SSLSNCE_TESTS_SUPPORT_NSS_TEST_NSS_H_
#define SSLSNCE_TESTS_SUPPORT_NSS_TEST_NSS_H_

#include <sys/types.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cert.h"
#include "gtest/gtest.h"
#include "keyhi.h"
#include "prio.h"
#include "prtime.h"
#include "sncetestshim.h"
#include "ssl.h"
#include "sslproto.h"
#include "test_defaults.h"

namespace nss_test {

// The directory of a scratch database with the certificates below. The first
// process that asks makes it; it is removed when that process ends.
const std::string& Database();

// Calls NSS_Init on it, once, and sets the SSL policy.
void StartNss();
// Calls NSS_Shutdown; false if something is still in use.
bool StopNss();

struct Identity {
  CERTCertificate* cert = nullptr;
  SECKEYPrivateKey* key = nullptr;
};
// Finds an identity by nickname: "rsa", "rsa-b" (RSA 2048), "ecdsa", "ecdsa-b"
// (P-256), "client".
Identity FindIdentity(const std::string& nickname);

// Makes a self-signed certificate that is in no database. An extension of
// |padding| bytes makes it larger.
CERTCertificate* MakeCertificate(const std::string& name, size_t padding);
// Stores an RSA key pair and its certificate under |nickname|.
bool StoreRsaIdentity(const std::string& nickname, int bits);

// The properties of a connection.
struct ConnectOptions {
  std::string server = "rsa";     // nickname
  std::string url = "a.example";  // the client's server name
  uint16_t version = SSL_LIBRARY_VERSION_TLS_1_2;
  bool tickets = false;
  bool sni_callback = false;      // accepts any name
  bool sni_keeps_config = false;  // the callback keeps the configuration
  // A callback that returns the result of this function.
  std::function<PRInt32(PRFileDesc* server)> sni;
  bool request_certificate = false;  // the client has one
  bool require_certificate = false;
  bool client_has_certificate = false;
  const Identity* client = nullptr;  // another identity than "client"
  std::string peer_id;               // distinguishes clients in NSS's cache
  PRFileDesc* model = nullptr;       // model of the server's socket; it decides
                                     // itself which certificate it requests
  bool server_no_cache = false;
  const PRTime* server_clock = nullptr;
};

// A server at a fixed port of the loopback interface, so that a client finds
// its session again for the next connection.
class Listener {
 public:
  Listener();
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  // Makes a TCP connection and returns both ends.
  bool Pair(PRFileDesc** client, PRFileDesc** server);

 private:
  PRFileDesc* fd_;
  PRNetAddr addr_;
};

class Connection {
 public:
  Connection(Listener* listener, const ConnectOptions& options);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Runs the handshake; true if both ends completed it.
  bool Handshake();
  // Sends a byte from the server to the client, which reads the tickets before
  // it.
  bool Talk();
  bool resumed() const;
  SSLChannelInfo Info(PRFileDesc* fd) const;
  std::vector<uint8_t> PeerCertificate() const;  // as the server sees it
  PRErrorCode client_error() const { return client_error_; }
  PRErrorCode server_error() const { return server_error_; }
  PRFileDesc* client() const { return client_; }
  PRFileDesc* server() const { return server_; }

 private:
  PRFileDesc* client_ = nullptr;
  PRFileDesc* server_ = nullptr;
  Identity identity_;
  Identity client_identity_;
  std::function<PRInt32(PRFileDesc*)> sni_;
  PRErrorCode client_error_ = 0;
  PRErrorCode server_error_ = 0;
};

// A server or client socket that is not connected.
class LoneSocket {
 public:
  explicit LoneSocket(bool as_server, const PRTime* clock = nullptr);
  ~LoneSocket();
  LoneSocket(const LoneSocket&) = delete;
  LoneSocket& operator=(const LoneSocket&) = delete;
  PRFileDesc* fd() const { return fd_; }

 private:
  PRFileDesc* fd_;
};

// Fields with different values, for session number |n|, created at |created|.
ShimFields SampleFields(uint32_t n, PRTime created);

struct SidDeleter {
  void operator()(ShimSid* sid) const { ShimFreeSid(sid); }
};
using Sid = std::unique_ptr<ShimSid, SidDeleter>;

// Runs |body| in a forked child. Returns its exit status, or -1 if it was
// killed or took longer than a minute.
int InFork(const std::function<int()>& body);

// A stage is a function that a test runs in a fresh process (fork and exec),
// before NSS is initialized there. Its arguments are strings.
using Stage = int (*)(const std::vector<std::string>& arguments);
struct StageRegistration {
  StageRegistration(const char* name, Stage stage);
};
#define STAGE(name)                                                            \
  static int Stage##name(const std::vector<std::string>& args);                \
  static const ::nss_test::StageRegistration kStage##name(#name, Stage##name); \
  static int Stage##name(const std::vector<std::string>& args)
// In a stage: unless |condition| holds, prints where and returns 1.
#define STAGE_CHECK(condition)                                      \
  do {                                                              \
    if (!(condition)) {                                             \
      fprintf(stderr, "%s:%d: %s (error %d)\n", __FILE__, __LINE__, \
              #condition, static_cast<int>(PR_GetError()));         \
      return 1;                                                     \
    }                                                               \
  } while (0)

enum class Descriptors { kKeep, kOnlyMemory, kNone };
// Runs a stage and returns its exit status. kOnlyMemory closes every descriptor
// above 2 that is no memory file, kNone closes all of them.
int InExec(const std::string& stage, const std::vector<std::string>& arguments,
           Descriptors descriptors = Descriptors::kKeep);

// Starts a stage by posix_spawn, which runs no fork handlers. Returns the
// child's process id, or -1; the caller ends with WaitForChild, which returns
// what InFork does.
pid_t Spawn(const std::string& stage,
            const std::vector<std::string>& arguments);
int WaitForChild(pid_t pid);

// The numbers of this process's descriptors that are memory files.
std::vector<int> MemoryDescriptors();

// The fixture of most tests: NSS is initialized, and no cache is configured.
class NssTest : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;
};

}  // namespace nss_test

#endif  // SSLSNCE_TESTS_SUPPORT_NSS_TEST_NSS_H_
