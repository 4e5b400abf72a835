/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// fleet_secret_test.cc: where the secrets and keys of files lie: in which
// memory of the processes that read them, in their core dumps, and in the
// region, before and after they were taken out of the files.

#include <fcntl.h>
#include <unistd.h>

#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "key_files.h"
#include "test_core.h"
#include "test_secret.h"
#include "test_tickets.h"

namespace nss_test {
namespace {

using snce_test::Secrets;

// |n| bytes, which are those of nothing else.
std::string Planted(size_t n) {
  std::string bytes;
  for (size_t i = 0; i < n; ++i)
    bytes +=
        static_cast<char>((i + 1) * 0x9e3779b97f4a7c15ull >> (24 + i % 7 * 5));
  return bytes;
}

std::string Base64(const std::string& bytes) {
  static const char kDigits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (size_t i = 0; i + 3 <= bytes.size(); i += 3) {
    uint32_t word = 0;
    for (size_t j = 0; j < 3; ++j)
      word = word << 8 | static_cast<uint8_t>(bytes[i + j]);
    for (int shift = 18; shift >= 0; shift -= 6)
      text += kDigits[word >> shift & 63];
  }
  return text;
}

void Add(Secrets* secrets, const std::string& bytes) {
  secrets->Add(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
}

// How many pieces are in the memory of the process |pid|, core dump or not.
uint64_t CountInProcess(const Secrets& secrets, pid_t pid) {
  const std::string proc = "/proc/" + std::to_string(pid);
  std::ifstream maps(proc + "/maps");
  const int memory = open((proc + "/mem").c_str(), O_RDONLY | O_CLOEXEC);
  uint64_t count = 0, seen = 0;
  std::string line;
  while (std::getline(maps, line)) {
    uintptr_t from, to;
    char dash, access[5];
    std::istringstream words(line);
    words >> std::hex >> from >> dash >> to >> access;
    // What can be written only: a secret is in no program and no library.
    if (access[0] != 'r' || access[1] != 'w' || to - from > 1 << 28) continue;
    std::vector<uint8_t> bytes(to - from);
    const ssize_t got = pread(memory, bytes.data(), bytes.size(), from);
    if (got <= 0) continue;
    seen += got;
    count += secrets.CountIn(bytes.data(), got);
  }
  close(memory);
  EXPECT_LT(1u << 20, seen) << "that is not all of its memory";
  return count;
}

// What a process does with the files: it reads them, and makes a handshake.
// Arguments: "pending", to stop before NSS is initialized, or "used"; then the
// directory in which it crashes, or the descriptors of two pipes, by which it
// says that it is there, and is told to go on.
STAGE(UseKeyFiles) {
  const PRTime clock = kStart;
  STAGE_CHECK(SSL_ConfigServerSessionIDCache(100, 0, 0, nullptr) == SECSuccess);
  if (args[0] == "used") {
    StartNss();
    STAGE_CHECK(!KeysOf({"rsa"}, &clock).empty());
    STAGE_CHECK(!KeysOf({"rsa"}, &clock).empty());
  }
  if (args.size() == 2) {
    snce_test::CrashIn(args[1]);
    return 1;
  }
  char c;
  STAGE_CHECK(write(std::stoi(args[2]), "x", 1) == 1);
  STAGE_CHECK(read(std::stoi(args[1]), &c, 1) == 1);
  return 0;
}

class FleetSecretTest : public NssTest {
 protected:
  // How often a piece of what is planted is in the memory of a process that has
  // come so far.
  uint64_t CountAt(const std::string& state) {
    int go[2], done[2];
    char c;
    EXPECT_EQ(0, pipe(go));
    EXPECT_EQ(0, pipe(done));
    const pid_t pid = Spawn(
        "UseKeyFiles", {state, std::to_string(go[0]), std::to_string(done[1])});
    close(done[1]);
    uint64_t count = UINT64_MAX;
    if (read(done[0], &c, 1) == 1) count = CountInProcess(planted_, pid);
    EXPECT_EQ(1, write(go[1], "x", 1));
    EXPECT_EQ(0, WaitForChild(pid));
    for (int fd : {go[0], go[1], done[0]}) close(fd);
    return count;
  }
  // The same of its core dump, which must be all of it.
  void ExpectNoneInCoreDump(const std::string& state) {
    snce_test::CoreDirectory directory;
    if (!directory.works()) GTEST_SKIP() << directory.why();
    EXPECT_EQ(-1, InExec("UseKeyFiles", {state, directory.path()}));
    const int core = directory.Open();
    ASSERT_GE(core, 0) << "it left no core dump";
    EXPECT_TRUE(directory.HasMarker(core));
    EXPECT_EQ(0u, planted_.CountInFile(core)) << state;
    close(core);
  }
  // Plants a secret of |bytes| bytes, followed by |more|.
  void PlantSecret(size_t bytes, const std::string& more = "") {
    const std::string secret = Planted(bytes);
    Add(&planted_, secret);
    Add(&planted_, Base64(secret));
    ASSERT_TRUE(files_.Write("one", Base64(secret) + "\n" + more));
    ASSERT_TRUE(files_.Configure("ticketSecretFile=" + files_.Path("one")));
  }
  // A key as nginx has them. Its name, the first 16 bytes, is not secret.
  void PlantKey() {
    const std::string key = Planted(80);
    Add(&planted_, key.substr(16));
    ASSERT_TRUE(files_.Write("one", key));
    ASSERT_TRUE(files_.Configure("ticketKeyFile=" + files_.Path("one")));
  }

  KeyFiles files_;
  Secrets planted_;
};

// ---- in memory --------------------------------------------------------------

// Until the keys are made, the bytes lie once in a mapping of their own.
TEST_F(FleetSecretTest, BeforeTheFirstHandshakeThereIsOneCopy) {
  PlantSecret(96);
  ASSERT_EQ(12u + 16u, planted_.pieces());
  EXPECT_EQ(12u, CountAt("pending"));
}

TEST_F(FleetSecretTest, AfterTheFirstHandshakeThereIsNone) {
  PlantSecret(96);
  EXPECT_EQ(0u, CountAt("used"));
}

TEST_F(FleetSecretTest, OfAKeyFileTheSame) {
  PlantKey();
  ASSERT_EQ(8u, planted_.pieces());
  EXPECT_EQ(8u, CountAt("pending"));
  EXPECT_EQ(0u, CountAt("used"));
}

// The file is read, and its second line has an error.
TEST_F(FleetSecretTest, OfAFileWithAnErrorThereIsNone) {
  PlantSecret(96, "nonsense\n");
  EXPECT_EQ(0u, CountAt("pending"));
  EXPECT_EQ(0u, CountAt("used"));
}

// ---- in a core dump ---------------------------------------------------------

TEST_F(FleetSecretTest, BeforeTheFirstHandshakeNoneIsInACoreDump) {
  PlantSecret(96);
  ExpectNoneInCoreDump("pending");
}

TEST_F(FleetSecretTest, AfterTheFirstHandshakeNoneIsInACoreDump) {
  PlantSecret(96);
  ExpectNoneInCoreDump("used");
}

TEST_F(FleetSecretTest, OfAKeyFileNoneIsInACoreDump) {
  PlantKey();
  ExpectNoneInCoreDump("pending");
  ExpectNoneInCoreDump("used");
}

// ---- in the region ----------------------------------------------------------

class FleetRegionSecretTest : public FleetSecretTest {
 protected:
  void SetUp() override {
    NssTest::SetUp();
    PlantSecret(96);
    Configure();
    ASSERT_EQ(1u, MemoryDescriptors().size());
    region_ = MemoryDescriptors()[0];
    ASSERT_FALSE(KeysOf({"rsa"}, &clock_).empty());
    uint8_t keys[4096];
    const unsigned len = ShimWrappedFileKeys(keys, sizeof(keys));
    ASSERT_LT(32u, len);
    wrapped_.Add(keys, len);
    EXPECT_EQ(wrapped_.pieces(), wrapped_.CountInFile(region_));
    EXPECT_EQ(0u, planted_.CountInFile(region_));
  }
  void TearDown() override {
    EXPECT_TRUE(files_.Configure(""));
    Configure();
    NssTest::TearDown();
  }
  void Configure() {
    ASSERT_EQ(SECSuccess, SSL_ConfigServerSessionIDCache(1000, 0, 0, nullptr));
  }

  int region_ = -1;
  PRTime clock_ = kStart;
  Secrets wrapped_;
};

TEST_F(FleetRegionSecretTest, OfAReplacedFileIsWiped) {
  ASSERT_TRUE(files_.Write("one", SecretLine('b')));
  usleep(1100000);  // until the file may be looked at again
  ASSERT_FALSE(KeysOf({"rsa"}, &clock_).empty());
  EXPECT_EQ(0u, wrapped_.CountInFile(region_));
  EXPECT_EQ(0u, planted_.CountInFile(region_));
}

TEST_F(FleetRegionSecretTest, IsWipedWhenNoFileIsConfiguredAnyMore) {
  ASSERT_TRUE(files_.Configure(""));
  Configure();
  ASSERT_FALSE(KeysOf({"rsa"}, &clock_).empty());
  EXPECT_EQ(0u, wrapped_.CountInFile(region_));
}

// Another process replaces the file and ends.
TEST_F(FleetRegionSecretTest, IsWipedByWhicheverProcessReadsTheNewFile) {
  ASSERT_TRUE(files_.Write("one", SecretLine('b')));
  ASSERT_EQ(0, InFork([this] {
              STAGE_CHECK(SSL_ConfigServerSessionIDCache(1000, 0, 0, nullptr) ==
                          SECSuccess);
              return KeysOf({"rsa"}, &clock_).empty() ? 1 : 0;
            }));
  EXPECT_EQ(0u, wrapped_.CountInFile(region_));
}

}  // namespace
}  // namespace nss_test
