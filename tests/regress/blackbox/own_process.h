/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// own_process.h: runs a test's body in a process of its own.
//
// A cache is configured once for a process, NSS does not survive fork, and the
// library that is judged may crash or hang. So the program that runs the tests
// never starts NSS. Each body starts it, in a child, and the child reports its
// failures.
#ifndef SSLSNCE_TESTS_REGRESS_BLACKBOX_OWN_PROCESS_H_
#define SSLSNCE_TESTS_REGRESS_BLACKBOX_OWN_PROCESS_H_

#include <sys/types.h>

#include <chrono>
#include <functional>

#include "gtest/gtest.h"

namespace regress {

// A body that runs in a child. The constructor starts it. Several may run at
// the same time.
class OwnProcess {
 public:
  explicit OwnProcess(const std::function<void()>& body);
  ~OwnProcess();
  OwnProcess(const OwnProcess&) = delete;
  OwnProcess& operator=(const OwnProcess&) = delete;

  // Waits for the child's end and reports its failures, or that it skipped, as
  // those of the calling test. A child that dies of a signal, or has not ended
  // a minute after its start, is a failure. Then all processes that the child
  // forked are killed.
  void Join();

 private:
  void Report(const char* record, size_t length);

  pid_t pid_ = -1;
  int results_ = -1;  // read end of the pipe
  std::chrono::steady_clock::time_point deadline_;
  bool skipped_ = false;
  std::string why_skipped_;
};

inline void InOwnProcess(const std::function<void()>& body) {
  OwnProcess(body).Join();
}

}  // namespace regress

#endif  // SSLSNCE_TESTS_REGRESS_BLACKBOX_OWN_PROCESS_H_
