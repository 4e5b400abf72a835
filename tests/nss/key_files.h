/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// key_files.h: a directory with a configuration file and the ticket key files
// that it names.
#ifndef SSLSNCE_TESTS_NSS_KEY_FILES_H_
#define SSLSNCE_TESTS_NSS_KEY_FILES_H_

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "gtest/gtest.h"
#include "sslsnce/sslsnce.h"

namespace nss_test {

// While it exists, the environment names its configuration file, "caches".
class KeyFiles {
 public:
  KeyFiles() {
    char directory[] = "/tmp/snce-key-files.XXXXXX";
    if (mkdtemp(directory)) directory_ = directory;
    setenv(SSL_SERVER_CACHE_CONFIG, Path("caches").c_str(), 1);
  }
  ~KeyFiles() {
    unsetenv(SSL_SERVER_CACHE_CONFIG);
    if (DIR* directory = opendir(directory_.c_str())) {
      while (const struct dirent* entry = readdir(directory))
        if (entry->d_name[0] != '.') unlink(Path(entry->d_name).c_str());
      closedir(directory);
    }
    rmdir(directory_.c_str());
  }
  KeyFiles(const KeyFiles&) = delete;
  KeyFiles& operator=(const KeyFiles&) = delete;

  std::string Path(const std::string& name) const {
    return directory_ + "/" + name;
  }
  // Replaces a file, as an administrator should: nobody sees a part of it.
  bool Write(const std::string& name, const std::string& text) const {
    const std::string next = Path("." + name + std::to_string(getpid()));
    FILE* file = fopen(next.c_str(), "w");
    if (!file) return false;
    const bool whole = fwrite(text.data(), 1, text.size(), file) == text.size();
    return fclose(file) == 0 && whole && chmod(next.c_str(), 0600) == 0 &&
           rename(next.c_str(), Path(name).c_str()) == 0;
  }
  // Writes the configuration file, with |parameters| for all caches.
  bool Configure(const std::string& parameters) const {
    return Write("caches", "name=* " + parameters + "\n");
  }

 private:
  std::string directory_;
};

// A secret in base64, of 48 bytes.
inline std::string SecretLine(char c) { return std::string(63, c) + "A\n"; }

}  // namespace nss_test

#endif  // SSLSNCE_TESTS_NSS_KEY_FILES_H_
