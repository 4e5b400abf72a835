/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// Storms in which process ids do not identify a process: workers in PID
// namespaces of their own, as containers have them, and workers that get the id
// of a dead one.
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "sslsnce/snce.h"
#include "storm.h"
#include "test_build.h"
#include "test_child.h"
#include "test_region.h"
#include "test_session.h"

namespace snce_test {
namespace {

constexpr int kSeconds = 5;  // SNCE_STORM_SECONDS changes it
constexpr int kNoNamespace = 77;

// Runs |first| as the first process of a new PID namespace; returns its exit
// status.
int InNewNamespace(const std::function<int()>& first) {
  if (unshare(CLONE_NEWPID) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWPID) != 0)
    return kNoNamespace;
  Child init(first);
  return init.Wait((StormSeconds(kSeconds) + 60) * 1000);
}

// Makes |pid| the next process id of this namespace.
bool NextPid(pid_t pid) {
  const std::string last = std::to_string(pid - 1);
  const int fd = open("/proc/sys/kernel/ns_last_pid", O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool done = write(fd, last.data(), last.size()) == ssize_t(last.size());
  close(fd);
  return done;
}

class SnceNamespaceStorm : public SnceStorm {
 protected:
  void SetUp() override {
    Child lookupKey([] { return InNewNamespace([] { return 0; }); });
    const int status = lookupKey.Wait(20000);
    if (status == kNoNamespace)
      GTEST_SKIP() << "no PID namespace may be made here";
    ASSERT_EQ(0, status);
    Begin(std::unique_ptr<Region>(new Region(kStormEntries)), 0);
  }

  // The first process of a namespace: keeps |workers| workers running and kills
  // one every |every_ms|. With |same_pid| the next worker gets the process id
  // of the dead one.
  int Keep(unsigned which, unsigned workers, int every_ms, bool same_pid) {
    std::vector<Child> mine;
    auto start = [&](unsigned at) {
      Child worker([&] {
        return StormWorker(region_->cache(), sessions_,
                           uint64_t(getpid()) * 2 + which, &*tally_);
      });
      tally_->pids[which][at] = worker.pid();
      return worker;
    };
    for (unsigned at = 0; at < workers; ++at) mine.push_back(start(at));
    Ticks ticks(every_ms, StormSeconds(kSeconds));
    while (ticks.Next()) {
      const unsigned at = unsigned(Mix(uint64_t(ticks.count())) % workers);
      const pid_t pid = mine[at].pid();
      mine[at].Signal(SIGKILL);
      if (mine[at].Wait(20000) != kSignalled - SIGKILL) return 1;
      ++tally_->kills;
      if (same_pid && !NextPid(pid)) return kNoNamespace;
      mine[at] = start(at);
      tally_->same_pid += mine[at].pid() == pid;
    }
    // The workers of the other namespace go on.
    for (Child& worker : mine) {
      worker.Signal(SIGKILL);
      if (worker.Wait(20000) != kSignalled - SIGKILL) return 2;
    }
    return 0;
  }
};

TEST_F(SnceNamespaceStorm, WorkersOfTwoNamespacesMayHaveTheSameProcessId) {
  std::vector<Child> keepers;
  for (unsigned which = 0; which < 2; ++which) {
    keepers.emplace_back([this, which] {
      return InNewNamespace([this, which] {
        const int status = Keep(which, kWorkers / 2, 2 * kEveryMs, false);
        ++tally_->ended;
        return status;
      });
    });
  }
  int looks = 0, same = 0;
  for (; tally_->ended < 2 && looks < 200 * StormSeconds(kSeconds); ++looks) {
    Pace(kEveryMs);
    bool equal = false;
    for (int a = 0; a < kWorkers / 2; ++a)
      for (int b = 0; b < kWorkers / 2; ++b)
        equal |=
            tally_->pids[0][a] != 0 && tally_->pids[0][a] == tally_->pids[1][b];
    same += equal;
  }
  for (Child& keeper : keepers) EXPECT_EQ(0, keeper.Wait(40000));
  Finish();
  printf("at %d of %d looks a worker had the process id of another\n", same,
         looks);
  if (!kSanitized) {  // a sanitizer's own threads use up numbers
    EXPECT_GT(same, looks / 4);
  }
  ExpectWholeCapacity();
}

TEST_F(SnceNamespaceStorm, AWorkerMayHaveADeadOnesProcessId) {
  Child keeper([this] {
    return InNewNamespace([this] { return Keep(0, kWorkers, kEveryMs, true); });
  });
  const int status = keeper.Wait((StormSeconds(kSeconds) + 60) * 1000);
  tally_->stop = true;
  if (status == kNoNamespace)
    GTEST_SKIP() << "process ids cannot be chosen here";
  EXPECT_EQ(0, status);
  Finish();
  printf("%d of %d workers got the process id of the one before\n",
         int(tally_->same_pid), int(tally_->kills));
  EXPECT_GT(tally_->same_pid * 10, tally_->kills * 9);
  ExpectWholeCapacity();
}

}  // namespace
}  // namespace snce_test
