/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "test_steps.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace snce_test {

Stepped::Script* Stepped::current_ = nullptr;

namespace {

std::function<void(const std::string&)>* hooked;

}  // namespace

void HookSteps(const std::function<void(const std::string& step)>& hook) {
  delete hooked;
  hooked = hook ? new std::function<void(const std::string&)>(hook) : nullptr;
}

void Pass(const char* name) {
  if (hooked != nullptr) (*hooked)(name);
  Stepped::Script* script = Stepped::current_;
  if (script == nullptr) return;
  if (script->count == Stepped::kMost || strlen(name) >= Stepped::kLongest)
    abort();
  strcpy(script->passed[script->count++], name);
  if (script->next == script->orders) return;
  auto& order = script->order[script->next];
  if (strcmp(name, order.step) != 0) return;
  unsigned passing = 0;
  for (unsigned i = 0; i < script->count; ++i)
    passing += strcmp(script->passed[i], name) == 0;
  if (passing != order.passing) return;
  ++script->next;
  kill(getpid(), order.signal);
}

Stepped::Stepped(const std::function<snceResult()>& operation,
                 const std::vector<StepOrder>& orders) {
  if (orders.size() > kOrders) abort();
  for (const StepOrder& from : orders) {
    auto& order = script_->order[script_->orders++];
    if (from.step.size() >= kLongest) abort();
    strcpy(order.step, from.step.c_str());
    order.passing = from.passing;
    order.signal = from.signal;
  }
  child_ = Child([&] {
    current_ = &*script_;
    script_->result = operation();
    current_ = nullptr;
    return 0;
  });
}

// The test's Watchdog bounds this wait.
bool Stepped::Stopped() {
  siginfo_t info;
  memset(&info, 0, sizeof(info));
  return waitid(P_PID, id_t(child_.pid()), &info,
                WSTOPPED | WEXITED | WNOWAIT) == 0 &&
         info.si_code == CLD_STOPPED;
}

bool Stepped::Died() { return child_.Wait(60000) == kSignalled - SIGKILL; }

void Stepped::Wake() {
  // Consume the stop that Stopped has seen, so that it is not seen again.
  siginfo_t info;
  waitid(P_PID, id_t(child_.pid()), &info, WSTOPPED | WNOHANG);
  child_.Signal(SIGCONT);
}

snceResult Stepped::Finish() {
  Wake();
  // If the child did not end well, return a result that no test expects.
  return child_.Wait(60000) == 0 ? script_->result
                                 : static_cast<snceResult>(-1);
}

std::vector<std::string> Stepped::passed() const {
  return std::vector<std::string>(script_->passed,
                                  script_->passed + script_->count);
}

std::vector<std::string> StepsOf(const std::function<snceResult()>& operation) {
  Stepped child(operation, {});
  child.Finish();
  return child.passed();
}

}  // namespace snce_test

#ifdef SNCE_STEPS
extern "C" void snceStep(const char* name) { snce_test::Pass(name); }
#endif
