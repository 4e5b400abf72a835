/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// test_stepper.h: a process that runs one operation an instruction at a time.
#ifndef SSLSNCE_TESTS_SUPPORT_TEST_STEPPER_H_
#define SSLSNCE_TESTS_SUPPORT_TEST_STEPPER_H_

#include <cstdint>
#include <functional>

#include "sslsnce/snce.h"
#include "test_child.h"

namespace snce_test {

// Stepper forks a child that stands before |operation| until it is stepped.
class Stepper {
 public:
  explicit Stepper(const std::function<snceResult()>& operation);

  // False if this system does not let a process be traced.
  bool works() const { return works_; }
  // Runs |count| instructions of the child. False: the operation ended before.
  bool Step(uint64_t count);
  // Runs the operation to its end and returns its result.
  snceResult Finish();
  // Kills the child where it stands.
  void Kill() { child_.End(); }
  // How many instructions were run by Step.
  uint64_t steps() const { return steps_; }

 private:
  // Waits for the child to stop; true if it does so for the next instruction.
  bool Stopped();

  Shared<snceResult> result_;
  Child child_;
  bool works_ = false;
  bool ended_ = false;
  uint64_t steps_ = 0;
};

// How many instructions |operation| takes in a child; 0 if nobody can tell.
uint64_t CountSteps(const std::function<snceResult()>& operation);

}  // namespace snce_test

#endif  // SSLSNCE_TESTS_SUPPORT_TEST_STEPPER_H_
