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

// Stepper forks a child that waits before |operation| until it is stepped.
class Stepper {
 public:
  explicit Stepper(const std::function<snceResult()>& operation);

  // False if this system does not let a process be traced.
  bool works() const { return works_; }
  // Runs |count| instructions of the child. False: the operation ended first.
  bool Step(uint64_t count);
  // Runs the operation to its end and returns its result.
  snceResult Finish();
  // Kills the child at the instruction where it stands.
  void Kill() { child_.End(); }
  // How many instructions Step has run.
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

// How many instructions |operation| takes in a child; 0 if this system does not
// let a process be traced.
uint64_t CountSteps(const std::function<snceResult()>& operation);

// |usual| times SNCE_STEP_TIMES, if the environment sets it (`make nightly`
// sets 4). |usual| is how many points of an operation a test looks at, or the
// time that they take.
uint64_t StepTimes(uint64_t usual);

}  // namespace snce_test

#endif  // SSLSNCE_TESTS_SUPPORT_TEST_STEPPER_H_
