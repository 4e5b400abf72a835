/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// test_core.h: core dumps of processes that crash on purpose.
#ifndef SSLSNCE_TESTS_SUPPORT_TEST_CORE_H_
#define SSLSNCE_TESTS_SUPPORT_TEST_CORE_H_

#include <cstdint>
#include <string>

namespace snce_test {

// Writes a marker into this process's memory, allows a core dump of any size,
// and crashes in |directory|. Returns only if that fails.
void CrashIn(const std::string& directory);

// CoreDirectory is an empty directory for the core dump of one process. The
// destructor removes it with its contents.
class CoreDirectory {
 public:
  CoreDirectory();
  ~CoreDirectory();
  CoreDirectory(const CoreDirectory&) = delete;
  CoreDirectory& operator=(const CoreDirectory&) = delete;

  // Whether this system writes core dumps into the working directory of the
  // process; if not, why() gives the reason.
  bool works() const { return why_.empty(); }
  const std::string& why() const { return why_; }
  const std::string& path() const { return path_; }

  // Opens the core dump for reading; -1 if there is none.
  int Open() const;
  // Whether the dump contains the marker that CrashIn wrote last.
  bool HasMarker(int core) const;
  // How many bytes of the mappings of files whose name begins with |name| are
  // in the dump; UINT64_MAX if the dump does not tell.
  uint64_t BytesOf(int core, const std::string& name) const;

 private:
  std::string path_;
  std::string why_;
};

}  // namespace snce_test

#endif  // SSLSNCE_TESTS_SUPPORT_TEST_CORE_H_
