/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// test_steps.h: stops or kills a process at a step that the code names.
//
// It works only in a build with SNCE_STEPS (`make steps`): there
// SNCE_STEP("name") calls snceStep, which test_steps.cc defines.
#ifndef SSLSNCE_TESTS_SUPPORT_TEST_STEPS_H_
#define SSLSNCE_TESTS_SUPPORT_TEST_STEPS_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "sslsnce/snce.h"
#include "test_child.h"

namespace snce_test {

// An order to a process: when you pass |step| for the |passing|th time since
// you began, raise |signal|, SIGSTOP or SIGKILL.
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

  // Waits until the child has stopped at the step of its next order; false if
  // it ended instead.
  bool Stopped();
  // Waits until the child is dead; true if SIGKILL was the cause.
  bool Died();
  // Lets the child go on.
  void Wake();
  // Lets the child run to its end and returns the operation's result.
  snceResult Finish();
  // The names of the steps that the child has passed so far, in order, with
  // repetitions.
  std::vector<std::string> passed() const;

 private:
  static constexpr unsigned kOrders = 4;
  static constexpr unsigned kLongest = 32;  // of a step's name, with its NUL
  static constexpr unsigned kMost = 2000;   // steps that are recorded

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

// Calls |hook| at each step that any thread of this process passes from now on;
// |hook| may block. An empty |hook| ends that.
void HookSteps(const std::function<void(const std::string& step)>& hook);

// The names of the steps that |operation| passes in an undisturbed child.
std::vector<std::string> StepsOf(const std::function<snceResult()>& operation);

}  // namespace snce_test

#endif  // SSLSNCE_TESTS_SUPPORT_TEST_STEPS_H_
