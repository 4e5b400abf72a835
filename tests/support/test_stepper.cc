/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "test_stepper.h"

#include <sched.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include <cstdlib>

namespace snce_test {
namespace {

// While a Together lives, this thread runs on the processor of |child|. Each
// step switches from one to the other and back, and waking another processor of
// a virtual machine takes long: all tests of processes took 845 s without this,
// 246 s with it.
class Together {
 public:
  explicit Together(pid_t child) {
    const int cpu = sched_getcpu();
    cpu_set_t here;
    CPU_ZERO(&here);
    pinned_ = cpu >= 0 && cpu < CPU_SETSIZE &&
              sched_getaffinity(0, sizeof(before_), &before_) == 0;
    if (!pinned_) return;
    CPU_SET(cpu, &here);
    sched_setaffinity(0, sizeof(here), &here);
    sched_setaffinity(child, sizeof(here), &here);
  }
  ~Together() {
    if (pinned_) sched_setaffinity(0, sizeof(before_), &before_);
  }
  Together(const Together&) = delete;
  Together& operator=(const Together&) = delete;

 private:
  cpu_set_t before_;
  bool pinned_;
};

}  // namespace

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
  const Together together(child_.pid());
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

uint64_t StepTimes(uint64_t usual) {
  const char* given = getenv("SNCE_STEP_TIMES");
  const uint64_t times = given == nullptr ? 1 : strtoull(given, nullptr, 10);
  return usual * (times == 0 ? 1 : times);
}

}  // namespace snce_test
