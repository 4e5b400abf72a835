/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "at_once.h"

#include <sys/resource.h>

#include "gtest/gtest.h"
#include "test_build.h"
#include "test_stepper.h"

namespace snce_test {

namespace {

// A cache that waited for a stopped process would sleep some two thousand
// times, as the administrative lock does, or spin for seconds. The kernel may
// let any process sleep once, for a page, and if the machine itself stood
// still, that may count as the process's time.
constexpr long kMostSleeps = 20;
constexpr long kMostCpuUsec = 1000000;

long CpuUsec(const struct rusage& usage) {
  return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
         usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

// Not in a build with a sanitizer, which adds instructions of its own.
bool CanCount() {
  static const bool can =
      !kSanitized && CountSteps([] { return SNCE_OK; }) != 0;
  return can;
}

}  // namespace

snceResult AtOnce(const std::function<snceResult()>& operation, uint64_t most) {
  if (!CanCount()) return operation();
  Stepper stepper(operation);
  EXPECT_FALSE(stepper.Step(most))
      << "it takes more than " << most << " instructions";
  return stepper.Finish();
}

snceResult WithoutWaiting(const std::function<snceResult()>& operation) {
  struct rusage before, after;
  getrusage(RUSAGE_THREAD, &before);
  const snceResult result = operation();
  getrusage(RUSAGE_THREAD, &after);
  EXPECT_LE(after.ru_nvcsw - before.ru_nvcsw, kMostSleeps) << "it waited";
  if (!kSanitized) {
    EXPECT_LE(CpuUsec(after) - CpuUsec(before), kMostCpuUsec);
  }
  return result;
}

}  // namespace snce_test
