/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// A process with many threads forks, at any moment of what they do; and
// executed children whose descriptors were moved or closed.
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "sslsnce/snce.h"
#include "test_build.h"
#include "test_child.h"
#include "test_clock.h"
#include "test_region.h"
#include "test_server.h"
#include "test_session.h"

namespace snce_test {
namespace {

constexpr int kPatience = 20000;

class SnceForkedThreads : public ::testing::Test {
 protected:
  // Threads that store, look up and remove sessions, and one that changes the
  // region.
  void SetUp() override {
    if (kSanitized)
      GTEST_SKIP() << "a sanitizer's allocator may be locked in the child";
    for (uint64_t me = 0; me < 3; ++me) {
      threads_.emplace_back([this, me] {
        Answer answer;
        for (uint64_t i = 0; !stop_; ++i) {
          const uint64_t dice = Mix(me * 1000003 + i);
          const Session session(dice % 500, dice, (dice >> 40) & 7);
          const snceKey key = session.Key();
          if (dice >> 62 == 0)
            snceCache_Remove(region_.cache(), &key);
          else if (dice >> 62 == 1)
            answer.Lookup(region_.cache(), key, At(kStart));
          else
            session.Insert(region_.cache(), At(kStart));
          ++operations_;
        }
      });
    }
    threads_.emplace_back([this] {
      for (uint64_t i = 0; !stop_; ++i) {
        snceServerId id;
        // So many sessions to carry that most forks happen during a change.
        const snceCacheOptions options = Options(20000 + i % 7 * 1000);
        if (Find(region_.get(), "busy.example", &id) != SNCE_OK) {
          odd_ += Add(region_.get(), "busy.example", options, &id) != SNCE_OK;
          for (uint64_t serial = 0; serial < 4000; ++serial)
            Session(serial).Insert(snceRegion_Cache(region_.get(), id),
                                   At(kStart));
        } else if (i % 16 != 15) {
          odd_ += snceCache_Configure(snceRegion_Cache(region_.get(), id),
                                      &options) != SNCE_OK;
        } else {
          odd_ += snceServer_Remove(region_.get(), id) != SNCE_OK;
        }
        ++changes_;
        Pace(1);
      }
    });
  }
  void TearDown() override {
    if (threads_.empty()) return;  // skipped
    stop_ = true;
    for (std::thread& thread : threads_) thread.join();
    EXPECT_EQ(0u, odd_);
    EXPECT_GT(operations_, 1000u);
    EXPECT_GT(changes_, 1u);
  }

  Region region_{20000, /*inheritable=*/true};
  std::atomic<bool> stop_{false};
  std::atomic<uint64_t> operations_{0}, changes_{0}, odd_{0};
  std::vector<std::thread> threads_;
};

// Uses all operations on sessions and names in a child; expectations report
// what fails.
int UseAtOnce(const Region& region, uint64_t round) {
  const uint64_t first = 100000 + round * 100;
  for (uint64_t serial = first; serial < first + 20; ++serial) {
    const Session session(serial, round, kEverything);
    EXPECT_EQ(SNCE_OK, session.Insert(region.cache(), At(kStart)));
    Answer answer;
    EXPECT_EQ(SNCE_OK,
              answer.Lookup(region.cache(), session.Key(), At(kStart)));
    EXPECT_EQ("", answer.Differs(session));
    const snceKey key = session.Key();
    EXPECT_EQ(SNCE_OK, snceCache_Remove(region.cache(), &key));
    EXPECT_EQ(SNCE_MISS, Find(region.cache(), session, At(kStart)));
  }
  return 0;
}

TEST_F(SnceForkedThreads, AChildUsesTheCacheAtOnce) {
  for (uint64_t round = 0; round < 200; ++round) {
    Child child([&] { return UseAtOnce(region_, round); });
    ASSERT_EQ(0, child.Wait(kPatience)) << round;
  }
}

// Another thread of the parent may hold the administrative lock. It goes on and
// releases the lock, so the child gets it.
TEST_F(SnceForkedThreads, AChildGetsTheLockForChanges) {
  for (uint64_t round = 0; round < 60; ++round) {
    Child child([&] {
      const std::string name = "child" + std::to_string(round) + ".example";
      snceServerId id;
      EXPECT_EQ(SNCE_OK, Add(region_.get(), name, Options(50), &id));
      EXPECT_EQ(SNCE_OK, snceCache_Flush(snceRegion_Cache(region_.get(), id)));
      EXPECT_EQ(SNCE_OK, snceServer_Remove(region_.get(), id));
      return UseAtOnce(region_, round);
    });
    ASSERT_EQ(0, child.Wait(kPatience)) << round;
  }
}

TEST_F(SnceForkedThreads, AChildThatClosesTakesNothingFromItsParent) {
  const Session kept(999999, 1, kEverything);
  ASSERT_EQ(SNCE_OK, kept.Insert(region_.cache(), At(kStart)));
  for (uint64_t round = 0; round < 100; ++round) {
    Child child([&] {
      region_.Close();
      // The child makes a region of its own.
      Region own(100);
      return UseAtOnce(own, round);
    });
    ASSERT_EQ(0, child.Wait(kPatience)) << round;
    Answer answer;
    ASSERT_EQ(SNCE_OK, answer.Lookup(region_.cache(), kept.Key(), At(kStart)));
    ASSERT_EQ("", answer.Differs(kept));
  }
}

TEST_F(SnceForkedThreads, AnExecutedChildInheritsWhateverTheThreadsDo) {
  char string[SNCE_STRING_MAX];
  ASSERT_EQ(SNCE_OK, snceRegion_Export(region_.get(), string, sizeof(string)));
  for (int round = 0; round < 20; ++round) {
    ASSERT_EQ(SNCE_OK,
              Session(1, 1, kEverything).Insert(region_.cache(), At(kStart)));
    // A thread may replace or remove session 1, which the child then misses.
    Child child = Child::Exec(
        "/proc/self/exe", {std::string("--inherit=") + string}, region_.fd());
    const int status = child.Wait(kPatience);
    ASSERT_TRUE(status == 0 || status == 2 || status == 3) << status;
  }
}

// ---- descriptors that were moved or closed ---------------------------------

// Calls |arrange| on the descriptors in a child, which then executes this
// program.
int InheritAfter(const Region& region,
                 const std::function<void(int)>& arrange) {
  char string[SNCE_STRING_MAX];
  EXPECT_EQ(SNCE_OK, snceRegion_Export(region.get(), string, sizeof(string)));
  const std::string argument = std::string("--inherit=") + string;
  Child child([&] {
    arrange(region.fd());
    execl("/proc/self/exe", "/proc/self/exe", argument.c_str(),
          static_cast<char*>(nullptr));
    return 127;
  });
  return child.Wait(kPatience);
}

void CloseFrom(unsigned first, unsigned last) {
  if (first <= last) syscall(SYS_close_range, first, last, 0u);
}

class SnceExecDescriptors : public ::testing::Test {
 protected:
  Region region_{1000, /*inheritable=*/true};
  void SetUp() override {
    ASSERT_EQ(SNCE_OK,
              Session(1, 1, kEverything).Insert(region_.cache(), At(kStart)));
  }
};

TEST_F(SnceExecDescriptors, AllButTheRegionsAreClosed) {
  EXPECT_EQ(0, InheritAfter(region_, [](int fd) {
              CloseFrom(3, unsigned(fd) - 1);
              CloseFrom(unsigned(fd) + 1, ~0u);
            }));
  EXPECT_EQ(SNCE_OK, Find(region_.cache(), Session(2), At(kStart)));
}

TEST_F(SnceExecDescriptors, CloseRangeFromThreeOnIsToldAsABadDescriptor) {
  EXPECT_EQ(10 + SNCE_BAD_DESCRIPTOR,
            InheritAfter(region_, [](int) { CloseFrom(3, ~0u); }));
}

TEST_F(SnceExecDescriptors, ANumberThatMovedIsToldAsABadDescriptor) {
  EXPECT_EQ(10 + SNCE_BAD_DESCRIPTOR, InheritAfter(region_, [](int fd) {
              dup2(fd, 500);
              CloseFrom(3, 499);
            }));
}

TEST_F(SnceExecDescriptors, ANumberThatMovedAndCameBackIsFine) {
  EXPECT_EQ(0, InheritAfter(region_, [](int fd) {
              dup2(fd, 500);
              CloseFrom(3, 499);
              dup2(500, fd);
              CloseFrom(500, ~0u);
            }));
}

TEST_F(SnceExecDescriptors, AnotherFileUnderTheNumberIsToldForWhatItIs) {
  const std::function<int()> others[] = {
      [] { return open("/dev/null", O_RDWR); },
      [] { return open("/proc/self/exe", O_RDONLY); },
      [] {
        int ends[2];
        return pipe(ends) == 0 ? ends[0] : -1;
      },
      [] { return open("/", O_RDONLY | O_DIRECTORY); },
  };
  for (const auto& make : others) {
    EXPECT_EQ(10 + SNCE_BAD_DESCRIPTOR,
              InheritAfter(region_, [&](int fd) { dup2(make(), fd); }));
  }
  EXPECT_EQ(10 + SNCE_FOREIGN,
            InheritAfter(region_, [](int fd) { dup2(MemoryFile(), fd); }));
}

}  // namespace
}  // namespace snce_test
