/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// The order word, which orders ten ways, compared with a list.
#include <algorithm>
#include <vector>

#include "gtest/gtest.h"
#include "looks.h"
#include "test_session.h"

namespace snce_test {
namespace {

constexpr uint64_t kInTurn = 0x9876543210;
constexpr uint32_t kBase = 123456789;

std::vector<unsigned> WaysOf(uint64_t order) {
  std::vector<unsigned> ways;
  for (unsigned place = 0; place < LOOKS_WAYS; ++place)
    ways.push_back(OrderWayAt(order, place));
  return ways;
}

TEST(SnceOrder, AWordOfZerosIsStale) {
  for (uint32_t base = 0; base < 300000; base += 7)
    ASSERT_FALSE(OrderIsFresh(0, base));
}

TEST(SnceOrder, ItIsFreshUntilASessionExpiresAndNotMuchShorter) {
  for (uint32_t sec = 0; sec < 100000; sec += 1 + sec / 20) {
    for (uint32_t base = kBase; base < kBase + 4; ++base) {
      const uint64_t order = OrderMake(kInTurn, 3, base, sec);
      const uint32_t left = OrderLeft(order, base);
      ASSERT_EQ(3u, OrderUnused(order));
      if (sec < 8) continue;  // it may be fresh or not for a few seconds
      ASSERT_TRUE(OrderIsFresh(order, base)) << sec;
      ASSERT_LE(left, sec);
      ASSERT_GE(left + 3 + std::min(sec, 14335u) / 5, std::min(sec, 14335u));
      ASSERT_EQ(0u, OrderSince(order, base));
      ASSERT_TRUE(OrderIsFresh(order, base + left - 1));
      ASSERT_GE(OrderSince(order, base + left - 1) + 3, left - 1);
      ASSERT_LE(OrderSince(order, base + left - 1), left - 1);
      ASSERT_FALSE(OrderIsFresh(order, base + left));
      ASSERT_FALSE(OrderIsFresh(OrderForget(order), base));
      // The clock was set back, by less than the time after which it wraps.
      ASSERT_FALSE(OrderIsFresh(order, base - 20000));
    }
  }
}

// The first way is taken from the front of a list and put where the word puts
// it.
TEST(SnceOrder, AWayThatIsStoredInGoesBehindTheUnusedOnes) {
  uint64_t dice = 1;
  auto next = [&dice] { return dice = Mix(dice + 1); };
  std::vector<unsigned> unused = {0, 1, 2}, used = {3, 4, 5, 6, 7, 8, 9};
  uint64_t order = OrderMake(kInTurn, 3, kBase, 1000);
  const uint64_t rest = order >> 44;
  for (int round = 0; round < 100000; ++round) {
    const unsigned way =
        next() % 2 && !unused.empty() ? unused[0] : next() % LOOKS_WAYS;
    if (next() % 3 == 0 && !unused.empty()) {
      order = OrderFirstUsed(order);
      used.push_back(unused[0]);
      unused.erase(unused.begin());
    } else {
      order = OrderStored(order, way);
      unused.erase(std::remove(unused.begin(), unused.end(), way),
                   unused.end());
      used.erase(std::remove(used.begin(), used.end(), way), used.end());
      unused.push_back(way);
    }
    std::vector<unsigned> all = unused;
    all.insert(all.end(), used.begin(), used.end());
    ASSERT_EQ(all, WaysOf(order)) << "round " << round;
    ASSERT_EQ(unused.size(), OrderUnused(order)) << "round " << round;
    ASSERT_EQ(rest, order >> 44);
  }
}

// Another process may have written any value into the word.
TEST(SnceOrder, NoWordLeadsBeyondTheWays) {
  uint64_t dice = 1;
  for (int round = 0; round < 100000; ++round) {
    uint64_t order = dice = Mix(dice + 1);
    for (unsigned place = 0; place < 20; ++place)
      ASSERT_LT(OrderWayAt(order, place), 16u);
    OrderFirstUsed(order);
    OrderStored(order, (dice >> 50) % LOOKS_WAYS);
  }
}

}  // namespace
}  // namespace snce_test
