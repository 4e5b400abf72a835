/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// secret_test.cc: which secrets of real handshakes are in the region, in a
// crashed server's core dump, and in the output on the terminal (G9).

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <fstream>

#include "pk11pub.h"
#include "prerror.h"
#include "sslerr.h"
#include "sslexp.h"
#include "sslsnce/sslsnce.h"
#include "test_core.h"
#include "test_nss.h"
#include "test_region.h"
#include "test_secret.h"

namespace nss_test {
namespace {

using snce_test::Secrets;

constexpr PRTime kSecond = PR_USEC_PER_SEC;
constexpr PRTime kStart = 1700000000 * kSecond;
constexpr uint32_t kPlanted = 50;

// Returns session |n|, whose wrapped secret is computed from |n|.
ShimFields PlantedFields(uint32_t n) {
  ShimFields fields = SampleFields(n, kStart);
  for (int i = 0; i < 48; ++i)
    fields.masterSecret[i] = static_cast<PRUint8>(
        (n + 1) * 0x9e3779b97f4a7c15ull >> (i % 7 * 8) ^ i * 37);
  return fields;
}

// Stores the planted sessions, in a process of its own, so that this process
// never had them in its memory.
int Plant() {
  return InFork([] {
    LoneSocket server(true);
    for (uint32_t n = 0; n < kPlanted; ++n) {
      const ShimFields fields = PlantedFields(n);
      Sid sid(ShimNewSid(&fields, nullptr));
      ShimCache(server.fd(), sid.get());
      STAGE_CHECK(ShimIsInServerCache(sid.get()));
    }
    return 0;
  });
}

Secrets PlantedSecrets() {
  Secrets secrets;
  for (uint32_t n = 0; n < kPlanted; ++n) {
    const ShimFields fields = PlantedFields(n);
    secrets.Add(fields.masterSecret, 48);
  }
  return secrets;
}

class SecretTest : public NssTest {
 protected:
  void Configure(PRBool shared = PR_TRUE) {
    ASSERT_EQ(SECSuccess, SSL_ConfigServerSessionIDCacheWithOpt(
                              0, 300, nullptr, 1000, 0, 0, shared));
    ASSERT_EQ(1u, MemoryDescriptors().size());
    // A duplicate, which stays open when the cache's descriptor is closed.
    region_ = dup(MemoryDescriptors()[0]);
  }
  void TearDown() override {
    if (region_ >= 0) close(region_);
    NssTest::TearDown();
  }
  // Makes two connections, the second of which resumes. Notes the secrets that
  // must not be found in the clear, and the wrapped ones that the cache has.
  void ResumeOnce() {
    options_.server_clock = &clock_;
    for (const bool expected : {false, true}) {
      Connection connection(&listener_, options_);
      ASSERT_TRUE(connection.Handshake());
      ASSERT_EQ(expected, connection.resumed());
      PRUint8 secret[48];
      ASSERT_EQ(SECSuccess, ShimMasterSecret(connection.client(), secret));
      clear_.Add(secret, sizeof(secret));
      ShimFields fields;
      ShimGetFields(ShimSocketSid(connection.server()), &fields);
      ASSERT_EQ(48, fields.masterSecretLen);
      wrapped_.Add(fields.masterSecret, sizeof(fields.masterSecret));
      ids_.Add(fields.id, fields.idLen);
    }
    ASSERT_EQ(6u, clear_.pieces());
    ASSERT_EQ(6u, wrapped_.pieces());
    ASSERT_EQ(6u, wrapped_.CountInFile(region_));
  }

  int region_ = -1;
  Listener listener_;
  ConnectOptions options_;
  PRTime clock_ = kStart;
  Secrets clear_, wrapped_, ids_;
};

// ---- in the region ---------------------------------------------------------

TEST_F(SecretTest, InTheRegionAreWrappedAndSoAreTheKeysThatWrapThem) {
  Configure();
  for (const std::string server : {"rsa", "ecdsa"}) {
    options_.server = server;
    clear_ = wrapped_ = Secrets();
    SSL_ClearSessionCache();
    ResumeOnce();
    Identity identity = FindIdentity(server);
    SECKEYPublicKey* pub = CERT_ExtractPublicKey(identity.cert);
    ShimWrapKey key;
    ASSERT_EQ(SECSuccess, ShimGetWrapKey(pub, identity.key, &key));
    clear_.Add(key.value, sizeof(key.value));
    SECKEY_DestroyPublicKey(pub);
    SECKEY_DestroyPrivateKey(identity.key);
    CERT_DestroyCertificate(identity.cert);
    EXPECT_EQ(9u, clear_.pieces());
    EXPECT_EQ(0u, clear_.CountInFile(region_)) << server;
  }
}

TEST_F(SecretTest, InTheRegionAreWrappedTicketKeys) {
  Configure();
  options_.tickets = true;
  options_.version = SSL_LIBRARY_VERSION_TLS_1_3;
  for (const bool expected : {false, true}) {
    Connection connection(&listener_, options_);
    ASSERT_TRUE(connection.Handshake());
    ASSERT_TRUE(connection.Talk());
    EXPECT_EQ(expected, connection.resumed());
    PRUint8 keys[16 + 32 + 32];
    ASSERT_EQ(SECSuccess, ShimTicketKeys(connection.server(), keys));
    // The first part is the keys' name, which is in the clear in tickets.
    clear_.Add(keys + 16, 64);
    EXPECT_NE(0u, ShimCountTicketKeys()) << "they are not shared";
  }
  EXPECT_EQ(8u, clear_.pieces());
  EXPECT_EQ(0u, clear_.CountInFile(region_));
}

TEST_F(SecretTest, OfAnInvalidatedSessionIsWiped) {
  Configure();
  ResumeOnce();
  Connection connection(&listener_, options_);
  ASSERT_TRUE(connection.Handshake());
  ASSERT_TRUE(connection.resumed());
  ASSERT_EQ(SECSuccess, SSL_InvalidateSession(connection.server()));
  EXPECT_EQ(0u, wrapped_.CountInFile(region_));
}

TEST_F(SecretTest, OfAnExpiredSessionIsWipedWhenItsClientComesBack) {
  Configure();
  ResumeOnce();
  clock_ += 300 * kSecond;
  Connection connection(&listener_, options_);
  ASSERT_TRUE(connection.Handshake());
  EXPECT_FALSE(connection.resumed());
  EXPECT_EQ(0u, wrapped_.CountInFile(region_));
}

TEST_F(SecretTest, OfAFlushedCacheIsWiped) {
  Configure();
  ResumeOnce();
  ASSERT_EQ(SECSuccess, SSL_FlushServerCache(nullptr));
  EXPECT_EQ(0u, wrapped_.CountInFile(region_));
}

// The cache is not exported: an exported one stays until the last process that
// has its descriptor has ended.
TEST_F(SecretTest, IsDroppedAtShutdownWithAllElse) {
  Configure(PR_FALSE);
  ResumeOnce();
  ASSERT_EQ(SECSuccess, SSL_ShutdownServerSessionIDCache());
  EXPECT_EQ(0u, wrapped_.CountInFile(region_));
  EXPECT_EQ(0u, snce_test::DataBytes(region_));
}

// ---- in a core dump --------------------------------------------------------

// A server that serves, looks sessions up, and crashes in |args[0]|.
STAGE(CrashAfterResuming) {
  StartNss();
  STAGE_CHECK(SSL_InheritMPServerSIDCache(nullptr) == SECSuccess);
  Listener listener;
  ConnectOptions options;
  // By this clock the planted sessions have not expired.
  const PRTime clock = kStart;
  options.server_clock = &clock;
  for (const bool expected : {false, true}) {
    Connection connection(&listener, options);
    STAGE_CHECK(connection.Handshake());
    STAGE_CHECK(connection.resumed() == expected);
  }
  for (uint32_t n = 0; n < kPlanted; ++n) {
    // Look it up by its ID, which is none of the secrets.
    const ShimFields fields = SampleFields(n, kStart);
    Sid sid(ShimLookupDefault(kStart, fields.address, fields.id, fields.idLen));
    STAGE_CHECK(sid);
  }
  snce_test::CrashIn(args[0]);
  return 0;
}

TEST_F(SecretTest, OfTheRegionIsNotInACrashedServersCoreDump) {
  snce_test::CoreDirectory directory;
  if (!directory.works()) GTEST_SKIP() << directory.why();
  Configure();
  ASSERT_EQ(0, Plant());
  EXPECT_EQ(-1, InExec("CrashAfterResuming", {directory.path()}));
  const int core = directory.Open();
  ASSERT_GE(core, 0) << "it left no core dump";
  EXPECT_TRUE(directory.HasMarker(core)) << "what there is, is not all of it";
  const Secrets planted = PlantedSecrets();
  // The region has the planted secrets, and the server looked all of them up,
  // but the core dump has none.
  EXPECT_EQ(planted.pieces(), planted.CountInFile(region_));
  EXPECT_EQ(0u, planted.CountInFile(core));
  // The dump has no byte of the region's memory at all.
  EXPECT_EQ(0u, directory.BytesOf(core, "/memfd:sslsnce"));
  close(core);
}

// ---- on the terminal -------------------------------------------------------

// Makes the library print all that a server and its tools can make it print.
STAGE(SayAll) {
  StartNss();
  STAGE_CHECK(SSL_InheritMPServerSIDCache(nullptr) == SECSuccess);
  Listener listener;
  ConnectOptions options;
  for (int i = 0; i < 3; ++i) {
    Connection connection(&listener, options);
    STAGE_CHECK(connection.Handshake());
    if (i == 1) SSL_InvalidateSession(connection.server());
  }
  for (uint32_t n = 0; n < kPlanted; ++n) {
    ShimFields fields = PlantedFields(n);
    LoneSocket server(true);
    Sid sid(ShimNewSid(&fields, nullptr));
    ShimCache(server.fd(), sid.get());
    Sid found(
        ShimLookupDefault(kStart, fields.address, fields.id, fields.idLen));
    STAGE_CHECK(found);
    ShimUncache(server.fd(), sid.get());
    STAGE_CHECK(!Sid(
        ShimLookupDefault(kStart, fields.address, fields.id, fields.idLen)));
  }
  // Errors with a text, and figures as a tool would print them.
  setenv(SSL_SERVER_CACHE_CONFIG, "/nowhere/caches", 1);
  setenv(SSL_SERVER_CACHE_CONFIG_STRICT, "1", 1);
  STAGE_CHECK(SSL_ConfigServerSessionIDCache(100, 0, 0, nullptr) == SECFailure);
  SSLServerCacheFigures figures;
  STAGE_CHECK(SSL_GetServerCacheFigures(nullptr, &figures, sizeof(figures)) ==
              SECSuccess);
  const uint64_t* figure = &figures.entries;
  for (; figure <= &figures.wiped; ++figure)
    fprintf(stderr, "%llu %llx ", (unsigned long long)*figure,
            (unsigned long long)*figure);
  char string[SNCE_STRING_MAX] = "";
  strncat(string, getenv(SSL_ENV_VAR_NAME), sizeof(string) - 1);
  fprintf(stderr, "%s\n", string);
  SSL_ShutdownServerSessionIDCache();
  return 0;
}

TEST_F(SecretTest, IsNotSaidWhateverIsAsked) {
  Configure();
  char path[] = "/tmp/snce-said.XXXXXX";
  const int said = mkstemp(path);
  ASSERT_GE(said, 0);
  const int saved = dup(2);
  for (const char* variable : {"SSLTRACE", "SSLDEBUG"})
    setenv(variable, "255", 1);
  setenv("SSLDEBUGFILE", path, 1);
  dup2(said, 2);
  const int status = InExec("SayAll", {});
  dup2(saved, 2);
  close(saved);
  for (const char* variable : {"SSLTRACE", "SSLDEBUG", "SSLDEBUGFILE"})
    unsetenv(variable);
  std::ifstream file(path);
  const std::string text((std::istreambuf_iterator<char>(file)),
                         std::istreambuf_iterator<char>());
  unlink(path);
  close(said);
  EXPECT_EQ(0, status) << text;
  EXPECT_NE(std::string::npos, text.find("no such file")) << text;
  Secrets ids;
  for (uint32_t n = 0; n < kPlanted; ++n) {
    const ShimFields fields = PlantedFields(n);
    // The first eight bytes hold the number: mostly zeros, so leave them out.
    ids.Add(fields.id + 8, fields.idLen - 8);
  }
  EXPECT_FALSE(PlantedSecrets().IsIn(text)) << text;
  EXPECT_FALSE(ids.IsIn(text)) << text;
}

TEST_F(SecretTest, ThatIsSaidIsSeen) {
  // Tests the check itself, in the three forms in which a program prints bytes.
  const ShimFields fields = PlantedFields(7);
  Secrets secrets;
  secrets.Add(fields.masterSecret, 48);
  std::string hex,
      bytes(reinterpret_cast<const char*>(fields.masterSecret), 48);
  for (const PRUint8 byte : fields.masterSecret) {
    char digits[3];
    snprintf(digits, sizeof(digits), "%02X", byte);
    hex += digits;
  }
  uint64_t word;
  memcpy(&word, fields.masterSecret + 8, sizeof(word));
  char number[32];
  snprintf(number, sizeof(number), "%llx", (unsigned long long)word);
  EXPECT_TRUE(secrets.IsIn("key: " + bytes));
  EXPECT_TRUE(secrets.IsIn("key: " + hex));
  EXPECT_TRUE(secrets.IsIn(std::string("key: ") + number));
  EXPECT_FALSE(secrets.IsIn("key: 0123456789abcdef0123456789abcdef"));
}

}  // namespace
}  // namespace nss_test
