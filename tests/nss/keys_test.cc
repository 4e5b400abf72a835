/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// keys_test.cc: the ticket keys that processes share.

#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

#include "nss.h"
#include "prerror.h"
#include "secerr.h"
#include "sslerr.h"
#include "sslsnce/sslsnce.h"
#include "test_build.h"
#include "test_tickets.h"

namespace nss_test {
namespace {

// Makes a server socket with the certificate |nickname| and stores its
// process's ticket keys in |out|.
SECStatus TicketKeys(const std::string& nickname, PRUint8* out) {
  LoneSocket server(true);
  return AddCertificates(server.fd(), {nickname})
             ? ShimTicketKeys(server.fd(), out)
             : SECFailure;
}

// Waits until the other end of a pipe is closed.
void WaitFor(int fd) {
  char c;
  (void)!read(fd, &c, 1);
}

// Forks children before NSS is initialized. Each then makes or reads its ticket
// keys, all at the same time. For some milliseconds they may use different
// ones, which all can decrypt. Returns whether all have the same keys after
// that; negative if a child failed.
int ChildrenShare(const std::vector<std::string>& nicknames) {
  int start[2], again[2], ready[2], out[2];
  if (pipe(start) != 0 || pipe(again) != 0 || pipe(ready) != 0 ||
      pipe(out) != 0)
    return -1;
  std::vector<pid_t> children;
  for (const std::string& nickname : nicknames) {
    pid_t pid = fork();
    if (pid == 0) {
      PRUint8 keys[kTicketBytes];
      close(start[1]);
      close(again[1]);
      bool ok = SSL_InheritMPServerSIDCache(nullptr) == SECSuccess;
      StartNss();
      WaitFor(start[0]);
      ok = ok && TicketKeys(nickname, keys) == SECSuccess;
      ok = write(ready[1], keys, 1) == 1 && ok;
      WaitFor(again[0]);
      ok = ok && TicketKeys(nickname, keys) == SECSuccess &&
           write(out[1], keys, sizeof(keys)) == sizeof(keys);
      snce_test::LeaveChild(ok ? 0 : 1);
    }
    children.push_back(pid);
  }
  close(start[1]);
  close(ready[1]);
  close(out[1]);
  bool ok = true;
  for (size_t i = 0; i < children.size(); ++i) {
    char c;
    ok = read(ready[0], &c, 1) == 1 && ok;
  }
  close(again[1]);
  bool same = true;
  PRUint8 first[kTicketBytes];
  for (size_t i = 0; i < children.size(); ++i) {
    PRUint8 keys[kTicketBytes];
    ok = ok && read(out[0], keys, sizeof(keys)) == sizeof(keys);
    if (i == 0) memcpy(first, keys, sizeof(first));
    same = same && memcmp(first, keys, sizeof(first)) == 0;
  }
  for (pid_t pid : children) {
    int status = -1;
    ok = waitpid(pid, &status, 0) == pid && status == 0 && ok;
  }
  for (int fd : {start[0], again[0], ready[0], out[0]}) close(fd);
  return ok ? same : -1;
}

// Arguments: "yes" or "no", the children's certificates.
STAGE(ShareTicketKeys) {
  STAGE_CHECK(!NSS_IsInitialized());
  STAGE_CHECK(SSL_ConfigMPServerSIDCache(10, 0, 0, nullptr) == SECSuccess);
  STAGE_CHECK(ChildrenShare({args.begin() + 1, args.end()}) ==
              (args[0] == "yes"));
  return 0;
}

class TicketKeyTest : public NssTest {
 protected:
  void SetUp() override {
    NssTest::SetUp();
    ShimResetTicketKeys();  // the server keys of other tests
  }
  void TearDown() override {
    ShimFailUnwraps(0);
    ShimFailKeyGens(0);
    ShimFailWraps(0);
    ShimLetClockRun();
    NssTest::TearDown();
  }
};

TEST_F(TicketKeyTest, ProcessesWithOneRsaKeyShareThem) {
  EXPECT_EQ(0, InExec("ShareTicketKeys", {"yes", "rsa", "rsa", "rsa", "rsa"}));
}

TEST_F(TicketKeyTest, AnRsaKeyOver4096BitsIsReallyShared) {
  ASSERT_TRUE(StoreRsaIdentity("large", 4608));
  EXPECT_EQ(0, InExec("ShareTicketKeys",
                      {"yes", "large", "large", "large", "large"}));
}

TEST_F(TicketKeyTest, ProcessesWithDifferentRsaKeysHaveTheirOwn) {
  EXPECT_EQ(0, InExec("ShareTicketKeys", {"no", "rsa", "rsa-b"}));
}

TEST_F(TicketKeyTest, ProcessesWithOneEcKeyShareThem) {
  EXPECT_EQ(0, InExec("ShareTicketKeys",
                      {"yes", "ecdsa", "ecdsa", "ecdsa", "ecdsa"}));
}

TEST_F(TicketKeyTest, ProcessesWithKeysOfDifferentTypesHaveTheirOwn) {
  EXPECT_EQ(0, InExec("ShareTicketKeys", {"no", "rsa", "ecdsa"}));
}

TEST_F(TicketKeyTest, WithoutACacheAProcessHasItsOwn) {
  PRUint8 first[kTicketBytes];
  PRUint8 again[kTicketBytes];
  ASSERT_EQ(SECSuccess, TicketKeys("rsa", first));
  EXPECT_EQ(0, memcmp(first, "NSS!", 4));
  ASSERT_EQ(SECSuccess, TicketKeys("rsa", again));
  EXPECT_EQ(0, memcmp(first, again, kTicketBytes));
  ShimResetTicketKeys();
  ASSERT_EQ(SECSuccess, TicketKeys("rsa", again));
  EXPECT_NE(0, memcmp(first, again, kTicketBytes));
}

TEST_F(TicketKeyTest, AProcessThatLostItsKeysGetsTheRecordedOnes) {
  ASSERT_EQ(SECSuccess, SSL_ConfigServerSessionIDCache(10, 0, 0, nullptr));
  PRUint8 first[kTicketBytes];
  PRUint8 again[kTicketBytes];
  ASSERT_EQ(SECSuccess, TicketKeys("rsa", first));
  ShimResetTicketKeys();
  ASSERT_EQ(SECSuccess, TicketKeys("rsa", again));
  EXPECT_EQ(0, memcmp(first, again, kTicketBytes));
}

TEST_F(TicketKeyTest, AfterAFailureThatPassesAProcessGetsTheRecordedOnes) {
  ASSERT_EQ(SECSuccess, SSL_ConfigServerSessionIDCache(10, 0, 0, nullptr));
  PRUint8 recorded[kTicketBytes];
  PRUint8 own[kTicketBytes];
  PRUint8 again[kTicketBytes];
  ShimAdvanceClock(0);
  ASSERT_EQ(SECSuccess, TicketKeys("rsa", recorded));
  ShimResetTicketKeys();
  ShimFailUnwraps(-1);
  ASSERT_EQ(SECSuccess, TicketKeys("rsa", own));
  EXPECT_NE(0, memcmp(recorded, own, kTicketBytes));
  const unsigned int before = ShimCountUnwraps();
  // The library asks the token again at 1, 3, 7 ... 511 seconds, and at 811.
  for (int sec = 1; sec < 1000; ++sec) {
    ShimAdvanceClock(1);
    ASSERT_EQ(SECSuccess, TicketKeys("rsa", again));
    ASSERT_EQ(0, memcmp(own, again, kTicketBytes)) << sec;
  }
  EXPECT_EQ(10u, ShimCountUnwraps() - before);
  SSLServerCacheFigures figures;
  ASSERT_EQ(SECSuccess,
            SSL_GetServerCacheFigures(nullptr, &figures, sizeof(figures)));
  EXPECT_EQ(11u, figures.keyFailures);
  ShimFailUnwraps(0);
  ShimAdvanceClock(300);
  ASSERT_EQ(SECSuccess, TicketKeys("rsa", again));
  EXPECT_EQ(0, memcmp(recorded, again, kTicketBytes));
}

// The process has the region key, but what it makes cannot be stored.
TEST_F(TicketKeyTest, ARegionThatTookNoKeyOnceIsAskedLater) {
  ASSERT_EQ(SECSuccess, SSL_ConfigServerSessionIDCache(10, 0, 0, nullptr));
  PRUint8 own[kTicketBytes];
  PRUint8 again[kTicketBytes];
  ShimAdvanceClock(0);
  ShimFailWraps(-1);
  ASSERT_EQ(SECSuccess, TicketKeys("rsa", own));
  for (int i = 0; i < 10; ++i) {
    ASSERT_EQ(SECSuccess, TicketKeys("rsa", again));
    EXPECT_EQ(0, memcmp(own, again, kTicketBytes));
  }
  EXPECT_EQ(0u, ShimCountTicketKeys());
  ShimFailWraps(0);
  ShimAdvanceClock(1);
  ASSERT_EQ(SECSuccess, TicketKeys("rsa", again));
  EXPECT_NE(0, memcmp(own, again, kTicketBytes));
  EXPECT_EQ(2u, ShimCountTicketKeys());
}

TEST_F(TicketKeyTest, AProcessThatCouldMakeNoneOnceMakesSomeLater) {
  PRUint8 keys[kTicketBytes];
  ShimFailKeyGens(-1);
  EXPECT_EQ(SECFailure, TicketKeys("rsa", keys));
  ShimFailKeyGens(0);
  EXPECT_EQ(SECSuccess, TicketKeys("rsa", keys));
}

// The process has no ticket keys at all, but does not ask the token more often.
TEST_F(TicketKeyTest, WithoutKeysATokenThatFailsIsAskedNoMoreOften) {
  ASSERT_EQ(SECSuccess, SSL_ConfigServerSessionIDCache(10, 0, 0, nullptr));
  PRUint8 recorded[kTicketBytes];
  PRUint8 keys[kTicketBytes];
  ShimAdvanceClock(0);
  ASSERT_EQ(SECSuccess, TicketKeys("rsa", recorded));
  ShimResetTicketKeys();
  ShimFailUnwraps(-1);
  ShimFailKeyGens(-1);
  const unsigned int before = ShimCountUnwraps();
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(SECFailure, TicketKeys("rsa", keys));
  }
  EXPECT_EQ(1u, ShimCountUnwraps() - before);
  // The process has keys of its own as soon as they can be made,
  ShimFailKeyGens(0);
  EXPECT_EQ(SECSuccess, TicketKeys("rsa", keys));
  EXPECT_EQ(1u, ShimCountUnwraps() - before);
  // and the shared ones after the next retry.
  ShimFailUnwraps(0);
  ShimAdvanceClock(1);
  EXPECT_EQ(SECSuccess, TicketKeys("rsa", keys));
  EXPECT_EQ(0, memcmp(recorded, keys, kTicketBytes));
}

STAGE(RegisterTicketsLater) {
  StartNss();
  PRUint8 keys[kTicketBytes];
  ShimFailRegistrations(1);
  (void)TicketKeys("rsa", keys);  // finds no certificate and makes no keys
  STAGE_CHECK(TicketKeys("rsa", keys) == SECSuccess);
  return 0;
}

TEST_F(TicketKeyTest, AProcessThatCouldSetNothingUpOnceDoesLater) {
  EXPECT_EQ(0, InExec("RegisterTicketsLater", {}));
}

TEST_F(TicketKeyTest, ThePairForTicketsIsRsaOrNothing) {
  Identity rsa = FindIdentity("rsa");
  Identity ecdsa = FindIdentity("ecdsa");
  SECKEYPublicKey* rsa_pub = CERT_ExtractPublicKey(rsa.cert);
  SECKEYPublicKey* ecdsa_pub = CERT_ExtractPublicKey(ecdsa.cert);
  for (auto pair : {std::make_pair(ecdsa_pub, ecdsa.key),
                    std::make_pair(rsa_pub, ecdsa.key),
                    std::make_pair(ecdsa_pub, rsa.key)}) {
    EXPECT_EQ(SECFailure, SSL_SetSessionTicketKeyPair(pair.first, pair.second));
    EXPECT_EQ(SEC_ERROR_INVALID_ARGS, PR_GetError());
  }
  SECKEY_DestroyPublicKey(rsa_pub);
  SECKEY_DestroyPublicKey(ecdsa_pub);
  for (Identity* identity : {&rsa, &ecdsa}) {
    CERT_DestroyCertificate(identity->cert);
    SECKEY_DestroyPrivateKey(identity->key);
  }
}

// The key pair that was set explicitly wraps the ticket keys, whatever
// certificates are configured later.
STAGE(ExplicitPair) {
  StartNss();
  STAGE_CHECK(SSL_ConfigServerSessionIDCache(10, 0, 0, nullptr) == SECSuccess);
  PRUint8 first[kTicketBytes];
  PRUint8 again[kTicketBytes];
  Identity b = FindIdentity("rsa-b");
  SECKEYPublicKey* pub = CERT_ExtractPublicKey(b.cert);
  STAGE_CHECK(SSL_SetSessionTicketKeyPair(pub, b.key) == SECSuccess);
  STAGE_CHECK(TicketKeys("rsa", first) == SECSuccess);
  ShimResetTicketKeys();
  STAGE_CHECK(TicketKeys("rsa-b", again) == SECSuccess);
  STAGE_CHECK(memcmp(first, again, kTicketBytes) == 0);
  return 0;
}

TEST_F(TicketKeyTest, AnExplicitPairOutranksCertificates) {
  EXPECT_EQ(0, InExec("ExplicitPair", {}));
}

}  // namespace
}  // namespace nss_test
