/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// test_steps.h: a process that stops or dies at a step that the code names.
//
// Only in a build with SNCE_STEPS (`make steps`): there SNCE_STEP("name") calls
// snceStep, which is here.
#ifndef SSLSNCE_TESTS_SUPPORT_TEST_STEPS_H_
#define SSLSNCE_TESTS_SUPPORT_TEST_STEPS_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "sslsnce/snce.h"
#include "test_child.h"

namespace snce_test {

// What a process is to do when it passes a step for the |passing|th time,
// counted from its beginning: raise |signal|, SIGSTOP or SIGKILL.
struct StepOrder {
  std::string step;
  unsigned passing;
  int signal;
};

// Stepped is a child that runs |operation| and obeys |orders| one after the
// other.
class Stepped {
 public:
  Stepped(const std::function<snceResult()>& operation,
          const std::vector<StepOrder>& orders);

  // Waits until it stands at the step of its next order; false if it ended.
  bool Stopped();
  // Waits until it is dead; true if SIGKILL was the cause.
  bool Died();
  // Lets it go on.
  void Wake();
  // Lets it go on to its end and returns the operation's result.
  snceResult Finish();
  // The steps that it has passed so far, each as often as it did.
  std::vector<std::string> passed() const;

 private:
  static constexpr unsigned kOrders = 4;
  static constexpr unsigned kLongest = 32;  // of a step's name, with its NUL
  static constexpr unsigned kMost = 2000;   // steps that are noted

  struct Script {
    struct {
      char step[kLongest];
      unsigned passing;
      int signal;
    } order[kOrders];
    unsigned orders, next;
    char passed[kMost][kLongest];
    unsigned count;
    snceResult result;
  };
  friend void Pass(const char* name);
  static Script* current_;  // of this process

  Shared<Script> script_;
  Child child_;
};

// Calls |hook| at each step that a thread of this process passes from now on;
// it may block. Empty: no more.
void HookSteps(const std::function<void(const std::string& step)>& hook);

// The steps that |operation| passes in a child that nobody disturbs.
std::vector<std::string> StepsOf(const std::function<snceResult()>& operation);

}  // namespace snce_test

#endif  // SSLSNCE_TESTS_SUPPORT_TEST_STEPS_H_
