/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "test_stepper.h"

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

namespace snce_test {

Stepper::Stepper(const std::function<snceResult()>& operation)
    : child_([&] {
        if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) return 1;
        raise(SIGSTOP);
        *result_ = operation();
        raise(SIGSTOP);
        return 0;
      }) {
  int status = 0;
  works_ = waitpid(child_.pid(), &status, __WALL) == child_.pid() &&
           WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP;
}

bool Stepper::Stopped() {
  int status = 0;
  if (waitpid(child_.pid(), &status, __WALL) != child_.pid() ||
      !WIFSTOPPED(status)) {
    works_ = false;
    ended_ = true;
  } else if (WSTOPSIG(status) != SIGTRAP) {
    works_ = WSTOPSIG(status) == SIGSTOP;
    ended_ = true;
  }
  return !ended_;
}

bool Stepper::Step(uint64_t count) {
  for (uint64_t i = 0; i < count && !ended_; ++i) {
    ptrace(PTRACE_SINGLESTEP, child_.pid(), nullptr, nullptr);
    if (Stopped()) ++steps_;
  }
  return !ended_;
}

snceResult Stepper::Finish() {
  if (!ended_) {
    ptrace(PTRACE_CONT, child_.pid(), nullptr, nullptr);
    while (Stopped()) ptrace(PTRACE_CONT, child_.pid(), nullptr, nullptr);
  }
  return *result_;
}

uint64_t CountSteps(const std::function<snceResult()>& operation) {
  Stepper stepper(operation);
  if (!stepper.works()) return 0;
  stepper.Step(UINT64_MAX);
  return stepper.works() ? stepper.steps() : 0;
}

}  // namespace snce_test
