/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// fips_test.cc: servers whose softoken is in FIPS mode. Such a softoken does
// not reveal keys, so only secrets that it has wrapped can be stored.
//
// The servers are stages with the libssl that this program is linked with, on
// libraries that are signed for FIPS mode: those of its own tree if they were
// signed there, and else the distribution's. The client is the test itself, in
// the ordinary mode, so that it knows the secrets.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <memory>
#include <thread>

#include "key_files.h"
#include "nss.h"
#include "pk11pub.h"
#include "prerror.h"
#include "private/pprio.h"
#include "prnetdb.h"
#include "secmod.h"
#include "sslerr.h"
#include "test_nss.h"
#include "test_secret.h"

namespace nss_test {
namespace {

constexpr char kPassword[] = "Fips-Pass-140";
// The exit status of a stage if FIPS mode is not available.
constexpr int kNoFips = 77;

char* GivePassword(PK11SlotInfo*, PRBool retry, void*) {
  return retry ? nullptr : PORT_Strdup(kPassword);
}

// Starts NSS in FIPS mode on the database in |dir|, which it makes if it is
// new. Returns 0, kNoFips, or another exit status.
int StartFips(const std::string& dir) {
  PK11_SetPasswordFunc(GivePassword);
  STAGE_CHECK(NSS_InitReadWrite(("sql:" + dir).c_str()) == SECSuccess);
  PK11SlotInfo* slot = PK11_GetInternalKeySlot();
  if (PK11_NeedUserInit(slot)) {
    // Store the key before FIPS mode is on, where keys must be made sensitive.
    STAGE_CHECK(PK11_InitPin(slot, nullptr, kPassword) == SECSuccess);
    STAGE_CHECK(PK11_Authenticate(slot, PR_TRUE, nullptr) == SECSuccess);
    STAGE_CHECK(StoreRsaIdentity("rsa", 2048));
  }
  PK11_FreeSlot(slot);
  if (!PK11_IsFIPS()) {
    const std::string name = SECMOD_GetInternalModule()->commonName;
    if (SECMOD_DeleteInternalModule(name.c_str()) != SECSuccess) return kNoFips;
  }
  STAGE_CHECK(PK11_IsFIPS());
  slot = PK11_GetInternalKeySlot();
  STAGE_CHECK(PK11_Authenticate(slot, PR_TRUE, nullptr) == SECSuccess);
  PK11_FreeSlot(slot);
  NSS_SetDomesticPolicy();
  return 0;
}

// Serves one connection, which must be resumed if |expected| says so.
int ServeOne(PRFileDesc* listener, const Identity& identity, bool expected,
             bool tickets) {
  PRFileDesc* tcp = PR_Accept(listener, nullptr, PR_SecondsToInterval(20));
  STAGE_CHECK(tcp);
  PRFileDesc* fd = SSL_ImportFD(nullptr, tcp);
  STAGE_CHECK(fd);
  const SSLVersionRange range = {SSL_LIBRARY_VERSION_TLS_1_2,
                                 SSL_LIBRARY_VERSION_TLS_1_2};
  SSL_VersionRangeSet(fd, &range);
  SSL_OptionSet(fd, SSL_ENABLE_SESSION_TICKETS, tickets);
  SSL_OptionSet(fd, SSL_NO_CACHE, tickets);
  STAGE_CHECK(SSL_ConfigServerCert(fd, identity.cert, identity.key, nullptr,
                                   0) == SECSuccess);
  SSL_ResetHandshake(fd, PR_TRUE);
  STAGE_CHECK(SSL_ForceHandshakeWithTimeout(fd, PR_SecondsToInterval(20)) ==
              SECSuccess);
  SSLChannelInfo info;
  STAGE_CHECK(SSL_GetChannelInfo(fd, &info, sizeof(info)) == SECSuccess);
  STAGE_CHECK(bool(info.resumed) == expected);
  // The softoken gives no secret away: this proves that it is in FIPS mode.
  PRUint8 secret[48];
  STAGE_CHECK(ShimMasterSecret(fd, secret) == SECFailure);
  STAGE_CHECK(PR_Send(fd, "!", 1, 0, PR_SecondsToInterval(20)) == 1);
  PR_Close(fd);
  return 0;
}

// Arguments: directory; descriptor of the listening socket; for each connection
// 1 if it resumes, else 0.
STAGE(FipsServe) {
  const int status = StartFips(args[0]);
  if (status != 0) return status;
  STAGE_CHECK(SSL_InheritMPServerSIDCache(nullptr) == SECSuccess);
  PRFileDesc* listener = PR_ImportTCPSocket(std::stoi(args[1]));
  STAGE_CHECK(listener);
  const Identity identity = FindIdentity("rsa");
  STAGE_CHECK(identity.cert && identity.key);
  for (const char expected : args[2]) {
    const int served = ServeOne(listener, identity, expected == '1', PR_FALSE);
    if (served != 0) return served;
  }
  return 0;
}

// The same with tickets. It inherits, and reads the ticket secret file, before
// NSS is there: the key is made in the first handshake.
STAGE(FipsServeTickets) {
  STAGE_CHECK(SSL_InheritMPServerSIDCache(nullptr) == SECSuccess);
  const int status = StartFips(args[0]);
  if (status != 0) return status;
  PRFileDesc* listener = PR_ImportTCPSocket(std::stoi(args[1]));
  STAGE_CHECK(listener);
  const Identity identity = FindIdentity("rsa");
  STAGE_CHECK(identity.cert && identity.key);
  for (const char expected : args[2]) {
    const int served = ServeOne(listener, identity, expected == '1', PR_TRUE);
    if (served != 0) return served;
  }
  STAGE_CHECK(ShimKnownTicketKeys() != 0);
  return 0;
}

SECStatus Accept(void*, PRFileDesc*, PRBool, PRBool) { return SECSuccess; }

// While it lives, stages run on libraries that are signed.
class SignedLibraries {
 public:
  SignedLibraries() {
    const char* given = getenv("LD_LIBRARY_PATH");
    if (!given) return;
    if (access((std::string(given) + "/libsoftokn3.chk").c_str(), F_OK) == 0)
      return;
    path_ = given;
    unsetenv("LD_LIBRARY_PATH");
  }
  ~SignedLibraries() {
    if (!path_.empty()) setenv("LD_LIBRARY_PATH", path_.c_str(), 1);
  }

 private:
  std::string path_;
};

class FipsTest : public NssTest {
 protected:
  void SetUp() override {
    NssTest::SetUp();
    char dir[] = "/tmp/snce-fips-test.XXXXXX";
    ASSERT_TRUE(mkdtemp(dir));
    dir_ = dir;
    listener_ = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t len = sizeof(address);
    auto* generic = reinterpret_cast<struct sockaddr*>(&address);
    ASSERT_EQ(0, bind(listener_, generic, sizeof(address)));
    ASSERT_EQ(0, listen(listener_, 8));
    ASSERT_EQ(0, getsockname(listener_, generic, &len));
    port_ = ntohs(address.sin_port);
  }
  void TearDown() override {
    close(listener_);
    for (const char* name : {"cert9.db", "key4.db", "pkcs11.txt"})
      unlink((dir_ + "/" + name).c_str());
    rmdir(dir_.c_str());
    NssTest::TearDown();
  }

  // Starts a process that serves the connections of |expected|, and connects as
  // many times. Returns the server's exit status.
  int Serve(const std::string& expected,
            const std::string& stage = "FipsServe") {
    const bool tickets = stage != "FipsServe";
    int status = -1;
    std::thread server([&] {
      status = InExec(stage, {dir_, std::to_string(listener_), expected});
    });
    for (size_t i = 0; i < expected.size(); ++i) Connect(tickets);
    server.join();
    return status;
  }

  void Connect(bool tickets) {
    PRNetAddr address;
    PR_InitializeNetAddr(PR_IpAddrLoopback, port_, &address);
    PRFileDesc* fd = SSL_ImportFD(nullptr, PR_NewTCPSocket());
    const SSLVersionRange range = {SSL_LIBRARY_VERSION_TLS_1_2,
                                   SSL_LIBRARY_VERSION_TLS_1_2};
    SSL_VersionRangeSet(fd, &range);
    SSL_OptionSet(fd, SSL_ENABLE_SESSION_TICKETS, tickets);
    SSL_AuthCertificateHook(fd, Accept, nullptr);
    SSL_SetURL(fd, "a.example");
    char byte = 0;
    if (PR_Connect(fd, &address, PR_SecondsToInterval(20)) == PR_SUCCESS &&
        SSL_ForceHandshakeWithTimeout(fd, PR_SecondsToInterval(30)) ==
            SECSuccess &&
        PR_Recv(fd, &byte, 1, 0, PR_SecondsToInterval(20)) == 1) {
      PRUint8 secret[48];
      ASSERT_EQ(SECSuccess, ShimMasterSecret(fd, secret));
      clear_.Add(secret, sizeof(secret));
      ShimGetFields(ShimSocketSid(fd), &last_);
    }
    PR_Close(fd);
  }

  std::string dir_;
  int listener_ = -1;
  PRUint16 port_ = 0;
  snce_test::Secrets clear_;
  ShimFields last_ = {};
};

TEST_F(FipsTest, SessionsResumeInOtherProcessesAndOnlyWrappedSecretsAreStored) {
  ASSERT_EQ(SECSuccess, SSL_ConfigMPServerSIDCache(100, 0, 0, nullptr));
  ASSERT_EQ(1u, MemoryDescriptors().size());
  const int region = MemoryDescriptors()[0];
  int first, second;
  {
    const SignedLibraries libraries;
    first = Serve("01");
    second = first == 0 ? Serve("111") : first;
  }
  if (first == kNoFips) GTEST_SKIP() << "the softoken refuses FIPS mode";
  ASSERT_EQ(0, first);
  ASSERT_EQ(0, second);

  // All connections had one session, with an extended master secret, which the
  // client has in the clear.
  EXPECT_EQ(6u, clear_.pieces());
  EXPECT_EQ(1, last_.extendedMasterSecret);
  PRUint8 loopback[16] = {0, 0, 0,    0,    0,   0, 0, 0,
                          0, 0, 0xff, 0xff, 127, 0, 0, 1};
  Sid sid(ShimLookupDefault(PR_Now(), loopback, last_.id, last_.idLen));
  ASSERT_TRUE(sid);
  ShimFields stored;
  ShimGetFields(sid.get(), &stored);
  EXPECT_EQ(48, stored.masterSecretLen);
  snce_test::Secrets wrapped;
  wrapped.Add(stored.masterSecret, sizeof(stored.masterSecret));
  EXPECT_EQ(wrapped.pieces(), wrapped.CountInFile(region));
  EXPECT_EQ(0u, clear_.CountInFile(region));
}

// The first process reads the file; the second one cannot, and has its secret
// from the region; the third one reads it in another region, as another
// machine.
TEST_F(FipsTest, TicketsUnderASecretResumeInOtherProcessesAndOnOtherMachines) {
  const KeyFiles files;
  ASSERT_TRUE(files.Write("one", SecretLine('a')));
  ASSERT_TRUE(files.Configure("ticketSecretFile=" + files.Path("one")));
  int status[3];
  auto libraries = std::make_unique<const SignedLibraries>();
  ASSERT_EQ(SECSuccess, SSL_ConfigMPServerSIDCache(100, 0, 0, nullptr));
  status[0] = Serve("01", "FipsServeTickets");
  unlink(files.Path("one").c_str());
  ::testing::internal::CaptureStderr();
  status[1] = status[0] == 0 ? Serve("11", "FipsServeTickets") : status[0];
  const std::string said = ::testing::internal::GetCapturedStderr();
  SSL_ShutdownServerSessionIDCache();
  EXPECT_TRUE(files.Write("one", SecretLine('a')));
  EXPECT_EQ(SECSuccess, SSL_ConfigMPServerSIDCache(100, 0, 0, nullptr));
  status[2] = status[0] == 0 ? Serve("11", "FipsServeTickets") : status[0];
  libraries.reset();
  if (status[0] == kNoFips) GTEST_SKIP() << "the softoken refuses FIPS mode";
  for (const int i : {0, 1, 2}) EXPECT_EQ(0, status[i]) << i << said;
  EXPECT_TRUE(files.Configure(""));
  SSL_ConfigServerSessionIDCache(100, 0, 0, nullptr);
}

}  // namespace
}  // namespace nss_test
