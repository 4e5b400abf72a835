/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// A memory cgroup's limit leaves no memory. A page of the region takes memory
// when it is first touched, also by a lookup; where there is none, the kernel
// kills a process of the group, as for any other memory. So a limit has to
// allow for the whole table; below that, such a death costs what every death
// costs.
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <string>

#include "gtest/gtest.h"
#include "sslsnce/snce.h"
#include "test_build.h"
#include "test_child.h"
#include "test_clock.h"
#include "test_region.h"
#include "test_session.h"

namespace snce_test {
namespace {

constexpr int kPatience = 60000;

bool Write(const std::string& path, const std::string& text) {
  const int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool done = write(fd, text.data(), text.size()) == ssize_t(text.size());
  close(fd);
  return done;
}

// A memory cgroup, version 1 or 2, below this process's own group. The
// destructor removes it.
class MemoryGroup {
 public:
  explicit MemoryGroup(uint64_t limit) {
    std::ifstream own("/proc/self/cgroup");
    std::string line;
    while (std::getline(own, line)) {
      const size_t path = line.find(':', line.find(':') + 1) + 1;
      const bool second = line.compare(0, 3, "0::") == 0;
      if (line.find(":memory:") != std::string::npos) {
        Make("/sys/fs/cgroup/memory" + line.substr(path),
             "memory.limit_in_bytes", limit);
      } else if (second) {
        // Only the topmost group, or one without processes of its own, can hand
        // memory down.
        const std::string parent = "/sys/fs/cgroup" + line.substr(path);
        Write(parent + "/cgroup.subtree_control", "+memory");
        Make(parent, "memory.max", limit);
      }
      if (works_) return;
    }
  }
  ~MemoryGroup() {
    // The kernel releases the group a little after the last process was reaped.
    for (int tries = 0; !path_.empty() && rmdir(path_.c_str()) != 0 &&
                        errno == EBUSY && tries < 200;
         ++tries)
      Pace(10);
  }
  MemoryGroup(const MemoryGroup&) = delete;
  MemoryGroup& operator=(const MemoryGroup&) = delete;

  bool works() const { return works_; }
  // Moves the calling process into the group.
  bool Join() const { return Write(path_ + "/cgroup.procs", "0"); }

 private:
  void Make(const std::string& parent, const char* limit_name, uint64_t limit) {
    path_ = parent + "/sslsnce-" + std::to_string(getpid());
    if (mkdir(path_.c_str(), 0755) != 0) {
      path_.clear();
      return;
    }
    works_ = Write(path_ + "/" + limit_name, std::to_string(limit));
    // Allow no swap, if there is any.
    Write(path_ + "/memory.swap.max", "0");
    Write(path_ + "/memory.memsw.limit_in_bytes", std::to_string(limit));
    if (!works_) {
      rmdir(path_.c_str());
      path_.clear();
    }
  }

  std::string path_;
  bool works_ = false;
};

#define SKIP_WITHOUT(group) \
  if (!(group).works()) GTEST_SKIP() << "no memory cgroup can be made here"

class SnceMemoryLimit : public ::testing::Test {
 protected:
  void SetUp() override {
    if (kSanitized) GTEST_SKIP() << "a sanitizer takes memory of its own";
  }
};

TEST_F(SnceMemoryLimit, AProcessThatIsKilledForMemoryCostsOneEntry) {
  constexpr uint64_t kEntries = 200000;  // 46 MB
  Region region(kEntries);
  MemoryGroup group(16u << 20);
  SKIP_WITHOUT(group);
  Shared<std::atomic<uint64_t>> stored;
  int deaths = 0;
  // A server would start its worker again; the kernel kills that one as well.
  for (; deaths < 5; ++deaths) {
    Child worker([&] {
      if (!group.Join()) return 1;
      for (uint64_t serial = *stored; serial < kEntries; serial = ++*stored)
        if (Session(serial).Insert(region.cache(), At(kStart)) != SNCE_OK)
          return 2;
      return 0;
    });
    ASSERT_EQ(kSignalled - SIGKILL, worker.Wait(kPatience));
  }
  const uint64_t done = *stored;
  printf("%d sessions before the limit was met, %d deaths\n", int(done),
         deaths);
  ASSERT_GT(done, 1000u);
  // The session that was being stored is there or not.
  EXPECT_GE(CountFound(region.cache(), 0, done, At(kStart)), done - 1);
  // A process outside the group goes on, and no room was lost.
  for (uint64_t serial = done; serial < kEntries; ++serial)
    ASSERT_EQ(SNCE_OK, Session(serial).Insert(region.cache(), At(kStart)));
  const uint64_t found = CountFound(region.cache(), 0, kEntries, At(kStart));
  EXPECT_GE(found * 1000, kEntries * 995);
}

TEST_F(SnceMemoryLimit, ALimitThatAllowsForTheTableIsNeverMet) {
  constexpr uint64_t kEntries = 100000;
  // 240 bytes for each session, and 2 MiB for the process itself.
  MemoryGroup group(kEntries * 240 + (2u << 20));
  SKIP_WITHOUT(group);
  Child worker([&] {
    if (!group.Join()) return 1;
    Region region(kEntries);
    for (uint64_t serial = 0; serial < 5 * kEntries; ++serial) {
      if (Session(serial).Insert(region.cache(), At(kStart)) != SNCE_OK)
        return 2;
      if (serial % 4 == 0)
        Find(region.cache(), Session(Mix(serial)), At(kStart));
    }
    return region.Figures().live * 1000 >= kEntries * 995 ? 0 : 3;
  });
  EXPECT_EQ(0, worker.Wait(kPatience));
}

}  // namespace
}  // namespace snce_test
