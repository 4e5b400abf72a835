/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// A process that forks while one of its threads holds the administrative lock.
#include <sched.h>
#include <unistd.h>

#include <functional>
#include <string>
#include <thread>

#include "gtest/gtest.h"
#include "scenario.h"
#include "sslsnce/snce.h"
#include "test_child.h"
#include "test_region.h"
#include "test_server.h"
#include "test_steps.h"

namespace snce_test {
namespace {

constexpr int kNoNamespace = 77;

// The child waits until the thread has ended its change, and then makes one.
int ForkInTheMiddleOfAChange(bool new_namespace) {
  const Stage stage;
  Gate began, forked, ended;
  HookSteps([&](const std::string& step) {
    if (step != "change-began") return;
    began.Open();
    forked.Wait(20000);
  });
  std::thread changer([&] {
    snceServerId id;
    EXPECT_EQ(SNCE_OK, Add(stage.get(), "a.example", Options(32), &id));
  });
  EXPECT_TRUE(began.Wait(20000));
  if (new_namespace && unshare(CLONE_NEWPID) != 0) {
    forked.Open();
    changer.join();
    return kNoNamespace;
  }
  const pid_t parent = getpid();
  Child child([&] {
    HookSteps(nullptr);
    EXPECT_EQ(new_namespace, getpid() == parent);
    EXPECT_TRUE(ended.Wait(20000));
    snceServerId id;
    EXPECT_EQ(SNCE_OK, Add(stage.get(), "b.example", Options(32), &id));
    return 0;
  });
  forked.Open();
  changer.join();
  HookSteps(nullptr);
  ended.Open();
  return child.Wait(30000);
}

TEST(SnceStepFork, AChildTakesTheLock) {
  Child parent([] { return ForkInTheMiddleOfAChange(false); });
  EXPECT_EQ(0, parent.Wait(60000));
}

// Parent and child are each the first process of a PID namespace.
TEST(SnceStepFork, AChildWithItsParentsProcessIdTakesTheLock) {
  Child outer([] {
    if (unshare(CLONE_NEWPID) != 0) return kNoNamespace;
    Child parent([] { return ForkInTheMiddleOfAChange(true); });
    return parent.Wait(60000);
  });
  const int status = outer.Wait(90000);
  if (status == kNoNamespace) GTEST_SKIP() << "no PID namespace here";
  EXPECT_EQ(0, status);
}

}  // namespace
}  // namespace snce_test
