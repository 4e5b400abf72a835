/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// test_core.h: core dumps of processes that crash on purpose.
#ifndef SSLSNCE_TESTS_SUPPORT_TEST_CORE_H_
#define SSLSNCE_TESTS_SUPPORT_TEST_CORE_H_

#include <cstdint>
#include <string>

namespace snce_test {

// Leaves a marker in this process's memory, allows a core dump of any size, and
// crashes in |directory|. Returns only if it cannot.
void CrashIn(const std::string& directory);

// CoreDirectory is an empty one for the core dump of one process; it goes with
// what is in it.
class CoreDirectory {
 public:
  CoreDirectory();
  ~CoreDirectory();
  CoreDirectory(const CoreDirectory&) = delete;
  CoreDirectory& operator=(const CoreDirectory&) = delete;

  // Whether this system writes core dumps into the directory of the process; if
  // not, |why|.
  bool works() const { return why_.empty(); }
  const std::string& why() const { return why_; }
  const std::string& path() const { return path_; }

  // The core dump, for reading; -1 if there is none.
  int Open() const;
  // Whether it has the memory that CrashIn wrote last.
  bool HasMarker(int core) const;
  // How many bytes of what was mapped from files whose name begins with |name|
  // are in the dump; UINT64_MAX if it does not say.
  uint64_t BytesOf(int core, const std::string& name) const;

 private:
  std::string path_;
  std::string why_;
};

}  // namespace snce_test

#endif  // SSLSNCE_TESTS_SUPPORT_TEST_CORE_H_
