/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// The ticket keys of a region: added, listed, removed, wiped.
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <functional>
#include <set>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "ranges.h"
#include "sslsnce/snce.h"
#include "test_build.h"
#include "test_child.h"
#include "test_clock.h"
#include "test_region.h"
#include "test_secret.h"
#include "test_session.h"
#include "test_stepper.h"
#include "test_ticket.h"
#include "test_ticks.h"

namespace snce_test {
namespace {

bool IsBefore(void* context, const snceTicketKey* key) {
  return key->id < *static_cast<const uint64_t*>(context);
}

class SnceTicketKeys : public ::testing::Test {
 protected:
  snceResult Add(uint64_t id) {
    const snceTicketKey key = TicketKey(id);
    return snceTicketKeys_Add(region_.get(), &key);
  }
  std::multiset<uint64_t> List() { return TicketKeysOf(region_.get()); }
  unsigned RemoveBefore(uint64_t id) {
    return snceTicketKeys_Remove(region_.get(), IsBefore, &id);
  }
  // How many instructions |operation| takes, from now on by a clock that only
  // the test moves; 0 if it cannot be stepped through here.
  uint64_t StepsOf(const std::function<snceResult()>& operation) {
    TicksUse(region_.get(), &ticks_);
    return kSanitized ? 0 : CountSteps(operation);
  }
  uint64_t Changes() { return snceTicketKeys_Changes(region_.get()); }

  uint64_t ticks_ = 100;
  Region region_{100};
};

TEST_F(SnceTicketKeys, ARegionBeginsWithoutAny) {
  EXPECT_TRUE(List().empty());
  EXPECT_EQ(0u, RemoveBefore(1000));
}

TEST_F(SnceTicketKeys, EveryKeyComesBackWhole) {
  const uint64_t before = Changes();
  for (uint64_t id : {1, 2, 3, 500}) ASSERT_EQ(SNCE_OK, Add(id));
  EXPECT_EQ((std::multiset<uint64_t>{1, 2, 3, 500}), List());
  EXPECT_NE(before, Changes());
}

TEST_F(SnceTicketKeys, OneKeyMayBeThereTwice) {
  ASSERT_EQ(SNCE_OK, Add(5));
  ASSERT_EQ(SNCE_OK, Add(5));
  EXPECT_EQ((std::multiset<uint64_t>{5, 5}), List());
}

TEST_F(SnceTicketKeys, NoneIsLostIfManyAreAddedAtOnce) {
  constexpr uint64_t kThreads = 4, kEach = 500;
  for (int round = 0; round < 5; ++round) {
    Region region(100);
    std::atomic<unsigned> waiting{kThreads};
    std::vector<std::thread> threads;
    for (uint64_t me = 0; me < kThreads; ++me)
      threads.emplace_back([&, me] {
        --waiting;
        while (waiting) std::this_thread::yield();
        for (uint64_t i = 0; i < kEach; ++i) {
          const snceTicketKey key = TicketKey(1 + me * kEach + i);
          EXPECT_EQ(SNCE_OK, snceTicketKeys_Add(region.get(), &key));
          std::this_thread::yield();
        }
      });
    for (std::thread& thread : threads) thread.join();
    const std::multiset<uint64_t> all = TicketKeysOf(region.get());
    EXPECT_EQ(kThreads * kEach, all.size());
    EXPECT_EQ(kThreads * kEach,
              std::set<uint64_t>(all.begin(), all.end()).size());
    EXPECT_EQ(0u, all.count(0)) << "one is not whole";
  }
}

TEST_F(SnceTicketKeys, ARemovedKeyIsGoneAndWiped) {
  for (uint64_t id = 1; id <= 10; ++id) ASSERT_EQ(SNCE_OK, Add(id));
  const snceTicketKey key = TicketKey(3);
  ASSERT_EQ(1u, CountInFile(region_.fd(), key.value, 16));
  const uint64_t before = Changes();
  EXPECT_EQ(4u, RemoveBefore(5));
  EXPECT_NE(before, Changes());
  EXPECT_EQ((std::multiset<uint64_t>{5, 6, 7, 8, 9, 10}), List());
  EXPECT_EQ(0u, CountInFile(region_.fd(), key.value, 16));
}

TEST_F(SnceTicketKeys, OneProcessASecondMayLook) {
  const auto may = [this](int64_t at) {
    return snceTicketKeys_MayLook(region_.get(), At(at), kSecond);
  };
  EXPECT_TRUE(may(kStart));
  EXPECT_FALSE(may(kStart));
  EXPECT_FALSE(may(kStart + kSecond - 1));
  EXPECT_TRUE(may(kStart + kSecond));
  EXPECT_FALSE(may(kStart + kSecond));
  // A clock that is set back stops nobody.
  EXPECT_TRUE(may(kStart - 1000 * kSecond));
  EXPECT_FALSE(may(kStart - 1000 * kSecond));
  snceRegion* attached = nullptr;
  ASSERT_EQ(SNCE_OK,
            snceRegion_Attach(&attached, dup(region_.fd()), SNCE_ACCESS_READ));
  const Region reader(attached);
  EXPECT_FALSE(snceTicketKeys_MayLook(attached, At(kStart), kSecond));
}

TEST_F(SnceTicketKeys, UsesAreCountedForEachKey) {
  const auto uses = [this](uint64_t id, snceTicketUse use) {
    snceTicketKey keys[8];
    size_t count = 0;
    EXPECT_EQ(SNCE_OK, snceTicketKeys_List(region_.get(), keys, 8, &count));
    for (size_t i = 0; i < count; ++i)
      if (keys[i].id == id) return keys[i].uses[use];
    return ~uint64_t{0};
  };
  ASSERT_EQ(SNCE_OK, Add(1));
  ASSERT_EQ(SNCE_OK, Add(2));
  for (int i = 0; i < 3; ++i)
    snceTicketKeys_CountUse(region_.get(), 2, SNCE_USE_MADE);
  snceTicketKeys_CountUse(region_.get(), 2, SNCE_USE_ACCEPTED);
  snceTicketKeys_CountUse(region_.get(), 7, SNCE_USE_MADE);
  EXPECT_EQ(3u, uses(2, SNCE_USE_MADE));
  EXPECT_EQ(1u, uses(2, SNCE_USE_ACCEPTED));
  EXPECT_EQ(0u, uses(1, SNCE_USE_MADE));
  EXPECT_EQ(2u, RemoveBefore(3));
  ticks_ += 100;
  ASSERT_EQ(SNCE_OK, Add(2));
  EXPECT_EQ(0u, uses(2, SNCE_USE_MADE));
}

TEST_F(SnceTicketKeys, WhatIsNoKeyIsRefused) {
  snceTicketKey key = TicketKey(1);
  key.len = SNCE_TICKET_VALUE_MAX + 1;
  EXPECT_EQ(SNCE_INVALID, snceTicketKeys_Add(region_.get(), &key));
  key.len = 0;
  EXPECT_EQ(SNCE_INVALID, snceTicketKeys_Add(region_.get(), &key));
  key = TicketKey(1);
  key.id = 0;
  EXPECT_EQ(SNCE_INVALID, snceTicketKeys_Add(region_.get(), &key));
  EXPECT_TRUE(List().empty());
}

TEST_F(SnceTicketKeys, AListThatIsTooShortSaysSo) {
  for (uint64_t id = 1; id <= 3; ++id) ASSERT_EQ(SNCE_OK, Add(id));
  snceTicketKey two[2];
  size_t count = 0;
  EXPECT_EQ(SNCE_TOO_LARGE, snceTicketKeys_List(region_.get(), two, 2, &count));
  EXPECT_EQ(2u, count);
}

// A key each minute for a year, of which a week's are valid.
TEST_F(SnceTicketKeys, KeysComeAndGoForAYear) {
  const uint64_t step = kSanitized ? 10 : 1, week = 7 * 24 * 60;
  for (uint64_t id = 1; id <= 365u * 24 * 60; id += 97 * step) {
    for (uint64_t i = id; i < id + 3; ++i) ASSERT_EQ(SNCE_OK, Add(i)) << i;
    RemoveBefore(id > week ? id - week : 0);
  }
  EXPECT_LE(List().size(), week);
}

TEST_F(SnceTicketKeys, WhenAllAreInUseTheFirstToGoMakesRoom) {
  if (kSanitized) GTEST_SKIP() << "the plain build does this";
  constexpr uint64_t kAll = 10752;
  for (uint64_t id = 1; id <= kAll; ++id) ASSERT_EQ(SNCE_OK, Add(id));
  ASSERT_EQ(kAll, List().size());
  ASSERT_EQ(SNCE_OK, Add(kAll + 1));
  const std::multiset<uint64_t> ids = List();
  EXPECT_EQ(kAll, ids.size());
  EXPECT_EQ(0u, ids.count(1));
  EXPECT_EQ(1u, ids.count(2));
  EXPECT_EQ(1u, ids.count(kAll + 1));
}

// Threads add, list and remove at once; every key that is listed is whole.
TEST_F(SnceTicketKeys, ThreadsAddAndRemoveAtOnce) {
  const uint64_t rounds = kSanitized ? 300 : 3000;
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (uint64_t i = 0; i < rounds; ++i) {
        const snceTicketKey key = TicketKey(1 + i * 4 + t);
        EXPECT_EQ(SNCE_OK, snceTicketKeys_Add(region_.get(), &key));
        if (i > 20) RemoveBefore(1 + (i - 20) * 4);
        if (i % 16 == 0) List();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  RemoveBefore(rounds * 4 + 5);
  EXPECT_TRUE(List().empty());
}

// Any words there make no key that was not added, and no access elsewhere.
TEST_F(SnceTicketKeys, NonsenseInTheSlotsIsNoKey) {
  std::vector<snceTicketKey> keys(13000);
  for (uint64_t round = 0; round < 200; ++round) {
    for (uint64_t i = 0; i < 64; ++i) {
      // The heads, the first versions and the first slots, or anywhere.
      const uint64_t dice = Mix(round * 100 + i);
      const uint64_t at = dice % 3 == 0   ? dice / 3 % 16
                          : dice % 3 == 1 ? 512 + dice / 3 % 16
                                          : dice / 3 % (1400000 / 8);
      const uint64_t word = dice % 5 ? Mix(dice) : dice / 5 % 4;
      ASSERT_EQ(8, pwrite(region_.fd(), &word, 8,
                          off_t(TicketKeysOffset() + at * 8)));
    }
    size_t count = 0;
    (void)snceTicketKeys_List(region_.get(), keys.data(), keys.size(), &count);
    for (size_t i = 0; i < count; ++i) ASSERT_TRUE(IsWhole(keys[i]));
    const snceResult result = Add(round + 1);
    ASSERT_TRUE(result == SNCE_OK || result == SNCE_DROPPED) << result;
    if (round % 7 == 0) RemoveBefore(2000000);
    (void)Changes();
  }
}

// A process dies at each instruction of adding a key: the next key is there at
// once, and every slot can be used again when the patience is over (rule 5).
TEST_F(SnceTicketKeys, ADeathWhileOneIsAddedCostsNothing) {
  const auto add = [&] { return Add(7); };
  const uint64_t steps = StepsOf(add);
  if (steps == 0) GTEST_SKIP() << "the plain build does this, by tracing";
  for (uint64_t at = 1; at < steps; at += 1 + steps / StepTimes(60)) {
    Stepper writer(add);
    writer.Step(at);
    writer.Kill();
    ASSERT_EQ(SNCE_OK, Add(1000 + at));
    const std::multiset<uint64_t> ids = List();
    ASSERT_EQ(1u, ids.count(1000 + at));
    ASSERT_LE(ids.count(7), 1u);
    RemoveBefore(2000000);
    ticks_ += 20;
  }
  EXPECT_TRUE(List().empty());
}

// A writer that was stopped goes on when its slot has another key: that key is
// whole, or it is not there.
TEST_F(SnceTicketKeys, AWriterThatComesTooLateLeavesNoMixture) {
  const auto add = [&] { return Add(7); };
  const uint64_t steps = StepsOf(add);
  if (steps == 0) GTEST_SKIP() << "the plain build does this, by tracing";
  for (uint64_t at = 1; at < steps; at += 1 + steps / StepTimes(40)) {
    Stepper writer(add);
    writer.Step(at);
    ASSERT_EQ(SNCE_OK, Add(8));
    ticks_ += 20;  // patience
    ASSERT_EQ(SNCE_OK, Add(9));
    ASSERT_EQ(SNCE_OK, Add(10));
    writer.Finish();
    List();
    RemoveBefore(2000000);
    ticks_ += 20;
  }
}

}  // namespace
}  // namespace snce_test
