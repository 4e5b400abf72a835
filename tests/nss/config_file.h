/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// config_file.h: the common base of the tests of the configuration file.
#ifndef SSLSNCE_TESTS_NSS_CONFIG_FILE_H_
#define SSLSNCE_TESTS_NSS_CONFIG_FILE_H_

#include <sys/resource.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <string>

#include "prerror.h"
#include "sslsnce/sslsnce.h"
#include "test_nss.h"

namespace nss_test {

// Limits the locked memory of this process to 64 KiB, and gives up root, to
// whom the limit does not apply. Returns false if that fails.
inline bool MayLockLittle() {
  const struct rlimit little = {65536, 65536};
  return setrlimit(RLIMIT_MEMLOCK, &little) == 0 &&
         (geteuid() != 0 || setuid(65534) == 0);
}

// Returns lines for |count| servers.
inline std::string Hosts(int count,
                         const std::string& parameters = "entries=10") {
  std::string text;
  for (int i = 0; i < count; ++i) {
    text += "name=host" + std::to_string(i) + ".example " + parameters + "\n";
  }
  return text;
}

// A configuration file, named by the environment.
class ConfigFileTest : public NssTest {
 protected:
  void SetUp() override {
    NssTest::SetUp();
    char path[] = "/tmp/snce-config-test.XXXXXX";
    int fd = mkstemp(path);
    ASSERT_LE(0, fd);
    close(fd);
    path_ = path;
    setenv(SSL_SERVER_CACHE_CONFIG, path, 1);
  }
  void TearDown() override {
    unsetenv(SSL_SERVER_CACHE_CONFIG);
    unsetenv(SSL_SERVER_CACHE_CONFIG_STRICT);
    unlink(path_.c_str());
    NssTest::TearDown();
  }

  // Replaces the file by a new one, so that each text is another version of it.
  void Write(const std::string& text) {
    const std::string next = path_ + ".next";
    FILE* file = fopen(next.c_str(), "w");
    ASSERT_TRUE(file);
    fwrite(text.data(), 1, text.size(), file);
    fclose(file);
    ASSERT_EQ(0, rename(next.c_str(), path_.c_str()));
  }

  // Configures with 500 entries, 50 and 60 seconds. |*said| gets the output on
  // stderr.
  SECStatus Configure(std::string* said = nullptr) {
    ::testing::internal::CaptureStderr();
    PR_SetError(0, 0);
    SECStatus rv = SSL_ConfigServerSessionIDCache(500, 50, 60, nullptr);
    const PRErrorCode error = PR_GetError();
    char text[1024] = "";
    if (PR_GetErrorTextLength() < 1024) PR_GetErrorText(text);
    text_ = text;
    const std::string output = ::testing::internal::GetCapturedStderr();
    if (said) *said = output;
    PR_SetError(error, 0);
    return rv;
  }

  // Configures by a file with |text|, which may have faults. Returns the output
  // on stderr.
  std::string ConfigureBy(const std::string& text) {
    std::string said;
    Write(text);
    EXPECT_EQ(SECSuccess, Configure(&said))
        << PR_ErrorToName(PR_GetError()) << ": " << text_;
    return said;
  }

  // Makes a cache that is locked in memory and that children inherit, by exec
  // too. Returns false if this process may not lock so much.
  bool ShareLockedCache() {
    Write("name=* lock=yes certificates=100\n");
    return Configure() == SECSuccess && !IsClosed(nullptr) &&
           SSL_ConfigMPServerSIDCache(500, 0, 60, nullptr) == SECSuccess;
  }

  // Returns the message |what| about the file at |place|, ":LINE:COLUMN" or "".
  std::string Message(const std::string& place, const std::string& what) {
    return "cache file " + path_ + place + ": " + what + "\n";
  }

  SSLServerCacheFigures Figures(const char* name) {
    SSLServerCacheFigures figures;
    memset(&figures, 0, sizeof(figures));
    EXPECT_EQ(SECSuccess,
              SSL_GetServerCacheFigures(name, &figures, sizeof(figures)))
        << name;
    return figures;
  }
  bool IsClosed(const char* name) { return Figures(name).closed != 0; }
  bool IsThere(const char* name) {
    SSLServerCacheFigures figures;
    return SSL_GetServerCacheFigures(name, &figures, sizeof(figures)) ==
           SECSuccess;
  }

  std::string path_;
  std::string text_;  // the error text of the last Configure
};

}  // namespace nss_test

#endif  // SSLSNCE_TESTS_NSS_CONFIG_FILE_H_
