/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// Several processes use one region: forked ones, and executed ones that inherit
// it by a string.
//
// For the tests of exec the program executes itself: see main.cc.
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "roles.h"
#include "sslsnce/snce.h"
#include "test_child.h"
#include "test_clock.h"
#include "test_region.h"
#include "test_session.h"

namespace snce_test {
namespace {

constexpr int kPatience = 20000;  // milliseconds that a test waits for a child

std::string Exported(const Region& region) {
  char string[SNCE_STRING_MAX];
  EXPECT_EQ(SNCE_OK, snceRegion_Export(region.get(), string, sizeof(string)));
  return string;
}

TEST(SnceFork, AChildSharesASingleProcessRegion) {
  Region region(1000);
  ASSERT_EQ(SNCE_OK,
            Session(1, 1, kEverything).Insert(region.cache(), At(kStart)));
  Child child([&] {
    Answer answer;
    const Session mine(1, 1, kEverything);
    EXPECT_EQ(SNCE_OK, answer.Lookup(region.cache(), mine.Key(), At(kStart)));
    EXPECT_EQ("", answer.Differs(mine));
    EXPECT_EQ(SNCE_OK,
              Session(2, 2, kEverything).Insert(region.cache(), At(kStart)));
    const snceKey key = mine.Key();
    EXPECT_EQ(SNCE_OK, snceCache_Remove(region.cache(), &key));
    return 0;
  });
  ASSERT_EQ(0, child.Wait(kPatience));
  Answer answer;
  const Session theirs(2, 2, kEverything);
  ASSERT_EQ(SNCE_OK, answer.Lookup(region.cache(), theirs.Key(), At(kStart)));
  EXPECT_EQ("", answer.Differs(theirs));
  EXPECT_EQ(SNCE_MISS, Find(region.cache(), Session(1), At(kStart)));
  const snceFigures figures = region.Figures();
  EXPECT_EQ(2u, figures.inserts);
  EXPECT_EQ(1u, figures.removals);
  EXPECT_EQ(2u, figures.hits);
  EXPECT_EQ(1u, figures.live);
}

TEST(SnceFork, AChildsCloseLeavesTheParentItsSessions) {
  Region region(1000);
  ASSERT_EQ(SNCE_OK, Session(1).Insert(region.cache(), At(kStart)));
  Child child([&] {
    region.Close();
    return 0;
  });
  ASSERT_EQ(0, child.Wait(kPatience));
  EXPECT_EQ(SNCE_OK, Find(region.cache(), Session(1), At(kStart)));
}

TEST(SnceFork, AParentsCloseLeavesTheChildItsSessions) {
  Region region(1000);
  Gate ready, closed;
  ASSERT_EQ(SNCE_OK, Session(1).Insert(region.cache(), At(kStart)));
  Child child([&] {
    ready.Open();
    EXPECT_TRUE(closed.Wait(kPatience));
    EXPECT_EQ(SNCE_OK, Find(region.cache(), Session(1), At(kStart)));
    EXPECT_EQ(SNCE_OK, Session(2).Insert(region.cache(), At(kStart)));
    EXPECT_EQ(SNCE_OK, Find(region.cache(), Session(2), At(kStart)));
    return 0;
  });
  ASSERT_TRUE(ready.Wait(kPatience));
  region.Close();
  closed.Open();
  EXPECT_EQ(0, child.Wait(kPatience));
}

TEST(SnceFork, AParentsCloseLeavesAChildThatNeverUsedTheRegionItsSessions) {
  // The child has not touched the region when its parent closes it.
  Region region(1000);
  Gate closed;
  ASSERT_EQ(SNCE_OK, Session(1).Insert(region.cache(), At(kStart)));
  Child child([&] {
    EXPECT_TRUE(closed.Wait(kPatience));
    EXPECT_EQ(SNCE_OK, Find(region.cache(), Session(1), At(kStart)));
    return 0;
  });
  region.Close();
  closed.Open();
  EXPECT_EQ(0, child.Wait(kPatience));
}

// The administrative lock is a record lock on the region's file (rule 9 of
// sslsnce/README.md).
TEST(SnceAdministrativeLock, AHolderThatStandsStillHoldsUpConfigureAlone) {
  Region region(1000);
  Gate held, done;
  Child holder([&] {
    struct flock lock = {};
    lock.l_type = F_WRLCK;
    EXPECT_EQ(0, fcntl(region.fd(), F_SETLK, &lock));
    held.Open();
    EXPECT_TRUE(done.Wait(kPatience));
    return 0;
  });
  ASSERT_TRUE(held.Wait(kPatience));
  const snceCacheOptions larger = Options(5000);
  EXPECT_EQ(SNCE_BUSY, snceCache_Configure(region.cache(), &larger));
  EXPECT_EQ(SNCE_OK, Session(1).Insert(region.cache(), At(kStart)));
  EXPECT_EQ(SNCE_OK, Find(region.cache(), Session(1), At(kStart)));
  // The holder dies, and the kernel releases its lock.
  holder.End();
  EXPECT_EQ(SNCE_OK, snceCache_Configure(region.cache(), &larger));
  EXPECT_EQ(SNCE_OK, Find(region.cache(), Session(1), At(kStart)));
}

TEST(SnceFork, AGrandchildSharesIt) {
  Region region(1000);
  Child child([&] {
    Child grandchild([&] {
      EXPECT_EQ(SNCE_OK, Session(1).Insert(region.cache(), At(kStart)));
      return 0;
    });
    return grandchild.Wait(kPatience);
  });
  ASSERT_EQ(0, child.Wait(kPatience));
  EXPECT_EQ(SNCE_OK, Find(region.cache(), Session(1), At(kStart)));
}

TEST(SnceFork, AChildsGrowthAndTimeoutsAreItsParents) {
  Region region(1000);
  for (uint64_t serial = 0; serial < 500; ++serial)
    ASSERT_EQ(SNCE_OK, Session(serial).Insert(region.cache(), At(kStart)));
  Child child([&] {
    snceCacheOptions options = Options(20000);
    options.timeoutSec[SNCE_CLASS_SSL3] = 10;
    EXPECT_EQ(SNCE_OK, snceCache_Configure(region.cache(), &options));
    for (uint64_t serial = 1000; serial < 15000; ++serial)
      Session(serial).Insert(region.cache(), At(kStart));
    return 0;
  });
  ASSERT_EQ(0, child.Wait(kPatience));
  EXPECT_GE(region.Figures().slots, 20000u);
  EXPECT_EQ(500u, CountFound(region.cache(), 0, 500, At(kStart)));
  EXPECT_GE(CountFound(region.cache(), 1000, 14000, At(kStart)), 13930u);
  EXPECT_EQ(SNCE_MISS,
            Find(region.cache(), Session(1), At(kStart + 10 * kSecond)));
}

TEST(SnceFork, AttachingByDescriptorSharesIt) {
  Region region(1000);
  ASSERT_EQ(SNCE_OK, Session(1).Insert(region.cache(), At(kStart)));
  Child child([&] {
    snceRegion* attached = nullptr;
    const snceResult result =
        snceRegion_Attach(&attached, dup(region.fd()), SNCE_ACCESS_WORK);
    EXPECT_EQ(SNCE_OK, result);
    if (result != SNCE_OK) return 1;
    Region other(attached);
    EXPECT_EQ(SNCE_OK, Find(other.cache(), Session(1), At(kStart)));
    EXPECT_EQ(SNCE_OK, Session(2).Insert(other.cache(), At(kStart)));
    other.Close();
    return 0;
  });
  ASSERT_EQ(0, child.Wait(kPatience));
  EXPECT_EQ(SNCE_OK, Find(region.cache(), Session(1), At(kStart)));
  EXPECT_EQ(SNCE_OK, Find(region.cache(), Session(2), At(kStart)));
}

TEST(SnceFork, OfEightProcessesOneRecordsAKey) {
  Region region(100);
  struct Learned {
    int won;
    size_t len;
    uint8_t value[200];
  };
  struct All {
    Learned learned[8];
  };
  Shared<All> all;
  Gate start;
  std::vector<Child> children;
  const std::vector<uint8_t> name = Bytes(1, SNCE_KEY_NAME_BYTES);
  for (uint64_t me = 0; me < 8; ++me) {
    children.emplace_back([&, me] {
      if (!start.Wait(kPatience)) return 1;
      const std::vector<uint8_t> value = Bytes(100 + me, 100 + me);
      Learned& mine = all->learned[me];
      snceResult result = SNCE_DROPPED;
      for (int tries = 0; tries < 1000 && result == SNCE_DROPPED; ++tries)
        result = snceKeyLog_Put(region.get(), name.data(), value.data(),
                                value.size(), mine.value, sizeof(mine.value),
                                &mine.len);
      mine.won = result == SNCE_OK;
      if (mine.won) {
        mine.len = value.size();
        std::memcpy(mine.value, value.data(), value.size());
      }
      return result == SNCE_OK || result == SNCE_EXISTS ? 0 : 2;
    });
  }
  start.Open();
  int won = 0;
  for (Child& child : children) EXPECT_EQ(0, child.Wait(kPatience));
  for (const Learned& learned : all->learned) {
    won += learned.won;
    EXPECT_EQ(all->learned[0].len, learned.len);
    EXPECT_EQ(0,
              std::memcmp(all->learned[0].value, learned.value, learned.len));
  }
  EXPECT_EQ(1, won);
}

// ---- exec ------------------------------------------------------------------

// What the executed child does: it finds session 1 and stores session 2.
int InheritAndUse(const char* string) {
  snceRegion* inherited = nullptr;
  const snceResult result = snceRegion_Inherit(&inherited, string);
  if (result != SNCE_OK) {
    printf("child: %s\n", snceResult_Text(result));
    return 10 + static_cast<int>(result);
  }
  Region region(inherited);
  Answer answer;
  const Session first(1, 1, kEverything);
  if (answer.Lookup(region.cache(), first.Key(), At(kStart)) != SNCE_OK)
    return 2;
  if (!answer.Differs(first).empty()) return 3;
  if (Session(2, 2, kEverything).Insert(region.cache(), At(kStart)) != SNCE_OK)
    return 4;
  // The child can pass the region on.
  char again[SNCE_STRING_MAX];
  if (snceRegion_Export(region.get(), again, sizeof(again)) != SNCE_OK)
    return 5;
  if (strcmp(again, string) != 0) return 6;
  snceCacheOptions options = Options(3000);
  if (snceCache_Configure(region.cache(), &options) != SNCE_OK) return 7;
  // The region's descriptor is the only one besides 0, 1 and 2.
  for (int fd = 3; fd < 1024; ++fd) {
    if (fcntl(fd, F_GETFD) != -1 && fd != region.fd()) return 8;
  }
  return 0;
}

TEST(SnceExec, AChildInheritsTheRegionWithAllElseClosed) {
  Region region(1000, /*inheritable=*/true);
  const std::string string = Exported(region);
  ASSERT_EQ(SNCE_OK,
            Session(1, 1, kEverything).Insert(region.cache(), At(kStart)));
  Child child =
      Child::Exec("/proc/self/exe", {"--inherit=" + string}, region.fd());
  ASSERT_EQ(0, child.Wait(kPatience));
  Answer answer;
  const Session theirs(2, 2, kEverything);
  ASSERT_EQ(SNCE_OK, answer.Lookup(region.cache(), theirs.Key(), At(kStart)));
  EXPECT_EQ("", answer.Differs(theirs));
  EXPECT_EQ(SNCE_OK, Find(region.cache(), Session(1), At(kStart)));
  EXPECT_GE(region.Figures().slots, 3000u);
}

TEST(SnceExec, AChildWhoseDescriptorIsClosedIsToldSo) {
  Region region(1000, /*inheritable=*/true);
  Child child =
      Child::Exec("/proc/self/exe", {"--inherit=" + Exported(region)}, -1);
  EXPECT_EQ(10 + SNCE_BAD_DESCRIPTOR, child.Wait(kPatience));
}

TEST(SnceExec, AChildWithARegionMadeSinceIsToldSo) {
  Region region(1000, /*inheritable=*/true);
  const std::string string = Exported(region);
  const int fd = region.fd();
  Region other(1000, /*inheritable=*/true);
  ASSERT_EQ(fd, dup2(other.fd(), fd));
  Child child = Child::Exec("/proc/self/exe", {"--inherit=" + string}, fd);
  EXPECT_EQ(10 + SNCE_FOREIGN, child.Wait(kPatience));
  close(fd);
}

TEST(SnceExec, TheSessionsOutliveTheProcessThatMadeThem) {
  Region region(1000, /*inheritable=*/true);
  const std::string string = Exported(region);
  Gate ready, closed;
  ASSERT_EQ(SNCE_OK,
            Session(1, 1, kEverything).Insert(region.cache(), At(kStart)));
  const int fd = region.fd();
  Child child([&] {
    ready.Open();
    EXPECT_TRUE(closed.Wait(kPatience));
    return Child::Exec("/proc/self/exe", {"--inherit=" + string}, fd)
        .Wait(kPatience);
  });
  ASSERT_TRUE(ready.Wait(kPatience));
  region.Close();
  closed.Open();
  EXPECT_EQ(0, child.Wait(kPatience));
}

}  // namespace

// Called by main.cc with --inherit=STRING.
int RunInherit(const char* string) { return InheritAndUse(string); }

}  // namespace snce_test
