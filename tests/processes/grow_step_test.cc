/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// A table grows by a page while another process stands at any instruction of an
// operation with one of the sessions that move; or the process that moves them
// stops or dies at any instruction, and others go on (rule 15).
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "sslsnce/snce.h"
#include "test_build.h"
#include "test_child.h"
#include "test_clock.h"
#include "test_growth.h"
#include "test_region.h"
#include "test_session.h"
#include "test_stepper.h"

namespace snce_test {
namespace {

const snceTime kNow = At(kStart);

// Stepping to a point costs some ten microseconds for each instruction before
// it.
constexpr uint64_t kBudget = 40000;

uint64_t Stride(uint64_t steps) {
  return std::max<uint64_t>(1, steps * steps / 2 / StepTimes(kBudget));
}

snceResult Grow(snceCache cache) {
  GrowthStep(cache, kNow);
  return SNCE_OK;
}

class SnceGrowStep : public ::testing::Test {
 protected:
  static constexpr uint64_t kStored = 300;

  void SetUp() override {
    if (kSanitized) GTEST_SKIP() << "the plain build does this";
    if (CountSteps([] { return SNCE_OK; }) == 0)
      GTEST_SKIP() << "no process may be traced here";
    for (uint64_t serial = 0; serial < kStored; ++serial)
      ASSERT_EQ(SNCE_OK, Of(serial).Insert(base_.cache(), kNow));
    // Grow until the next page gets exactly two sessions, one of which is
    // session |mine_|.
    for (unsigned tries = 0; tries < 60; ++tries) {
      rest_ = GrowthOf(base_.cache()).word;
      GrowthSet(base_.cache(), GrowthBegun(rest_));
      unsigned waiting = 0;
      for (uint64_t serial = 0; serial < kStored; ++serial) {
        if (GrowthWhere(base_.cache(), Of(serial).get()->id) == GROWTH_IN_OLD) {
          ++waiting;
          mine_ = serial;
        }
      }
      if (waiting == 2) {
        GrowthSet(base_.cache(), rest_);
        first_ = Of(mine_);
        second_ = Of(mine_, 1);
        key_ = first_.Key();
        return;
      }
      Grow(base_.cache());
    }
    FAIL() << "no page is as it should be";
  }
  static Session Of(uint64_t serial, uint64_t variant = 0) {
    return Session(serial, variant, kCertificate);
  }
  snceResult Remove(snceCache cache) const {
    return snceCache_Remove(cache, &key_);
  }
  snceResult Replace(snceCache cache) const {
    return second_.Insert(cache, kNow);
  }

  // A copy of the region. |begun|: the split has begun in it.
  std::unique_ptr<Region> Copy(bool begun) const {
    snceRegion* attached = nullptr;
    EXPECT_EQ(SNCE_OK, snceRegion_Attach(&attached, CopyOf(base_.fd()),
                                         SNCE_ACCESS_ADMIN));
    std::unique_ptr<Region> copy(new Region(attached));
    if (begun) GrowthSet(copy->cache(), GrowthBegun(rest_));
    return copy;
  }

  // Expects that all sessions but |mine_| are found, and |mine_| in this
  // variant; UINT64_MAX: not at all.
  void ExpectIs(snceCache cache, uint64_t variant) {
    for (uint64_t serial = 0; serial < kStored; ++serial) {
      const Session session =
          Of(serial, serial == mine_ && variant != UINT64_MAX ? variant : 0);
      const bool gone = serial == mine_ && variant == UINT64_MAX;
      ASSERT_EQ(gone ? SNCE_MISS : SNCE_OK,
                answer_.Lookup(cache, session.Key(), kNow))
          << serial;
      if (gone) continue;
      ASSERT_EQ("", answer_.Differs(session)) << serial;
    }
  }
  // Expects the same now, and after the table has grown and moved.
  void ExpectStays(snceCache cache, uint64_t variant) {
    ASSERT_NO_FATAL_FAILURE(ExpectIs(cache, variant));
    for (unsigned more = 0; more < 3; ++more) Grow(cache);
    ASSERT_FALSE(GrowthOf(cache).splitting);
    ASSERT_NO_FATAL_FAILURE(ExpectIs(cache, variant));
    const uint64_t used = GrowthOf(cache).used;
    ASSERT_GE(used, GrowthOf(base_.cache()).used + 3);
    const snceCacheOptions options = Options(used % 2 ? 4000 : 2500);
    ASSERT_EQ(SNCE_OK, snceCache_Configure(cache, &options));
    ASSERT_NO_FATAL_FAILURE(ExpectIs(cache, variant));
    // A death may leave one session counted too often or too seldom.
    snceFigures figures;
    ASSERT_EQ(SNCE_OK, snceCache_GetFigures(cache, &figures));
    ASSERT_NEAR(double(kStored - (variant == UINT64_MAX)), double(figures.live),
                1);
  }

  using Run = std::function<snceResult(snceCache)>;
  using Check = std::function<void(snceCache, snceResult)>;
  // Runs |run| up to each point, then |meanwhile|, then the rest of |run|.
  void Interrupt(const char* name, bool begun, const Run& run,
                 const Run& meanwhile, const Check& check) {
    uint64_t steps = 0, points = 0;
    {
      const auto copy = Copy(begun);
      steps = CountSteps([&] { return run(copy->cache()); });
    }
    for (uint64_t point = 1; point < steps; point += Stride(steps)) {
      const auto copy = Copy(begun);
      Stepper stepper([&] { return run(copy->cache()); });
      if (!stepper.Step(point)) break;
      meanwhile(copy->cache());
      const snceResult result = stepper.Finish();
      check(copy->cache(), result);
      if (HasFatalFailure()) {
        FAIL() << name << (begun ? ", begun" : ", at rest")
               << ", interrupted at instruction " << point << " of " << steps;
      }
      ++points;
    }
    printf("%s%s: %d instructions, interrupted at %d\n", name,
           begun ? ", begun" : "", int(steps), int(points));
  }

  Watchdog watchdog_{300};
  const Region base_{3000};
  uint64_t rest_ = 0;  // base_'s size word
  uint64_t mine_ = 0;
  Session first_{0}, second_{0};  // the variants 0 and 1 of session |mine_|
  snceKey key_ = {};
  Answer answer_;
};

// ---- the table grows meanwhile ----------------------------------------------

TEST_F(SnceGrowStep, ALookupFindsWhatMovesMeanwhile) {
  for (bool begun : {false, true}) {
    Shared<uint8_t[SNCE_STATE_BYTES]> state;
    Interrupt(
        "lookup", begun,
        [&](snceCache cache) {
          const snceResult result = answer_.Lookup(cache, key_, kNow);
          memcpy(*state, answer_.session().state, sizeof(*state));
          return result;
        },
        Grow,
        [&](snceCache, snceResult result) {
          ASSERT_EQ(SNCE_OK, result);
          ASSERT_EQ(0, memcmp(*state, first_.get()->state, sizeof(*state)));
        });
    if (HasFatalFailure()) return;
  }
}

TEST_F(SnceGrowStep, ARemovalFindsWhatMovesMeanwhile) {
  for (bool begun : {false, true}) {
    for (unsigned pages : {1u, 3u}) {
      Interrupt(
          "removal", begun, [&](snceCache cache) { return Remove(cache); },
          [&](snceCache cache) {
            for (unsigned i = 0; i < pages; ++i) Grow(cache);
            return SNCE_OK;
          },
          [&](snceCache cache, snceResult result) {
            ASSERT_EQ(SNCE_OK, result);
            ExpectStays(cache, UINT64_MAX);
          });
      if (HasFatalFailure()) return;
    }
  }
}

// If the insert reports success, the session is found; else it was dropped.
TEST_F(SnceGrowStep, AnInsertStoresWhereLookupsLook) {
  for (bool begun : {false, true}) {
    unsigned dropped = 0;
    for (unsigned pages : {1u, 3u}) {
      Interrupt(
          "replacement", begun, [&](snceCache cache) { return Replace(cache); },
          [&](snceCache cache) {
            for (unsigned i = 0; i < pages; ++i) Grow(cache);
            return SNCE_OK;
          },
          [&](snceCache cache, snceResult result) {
            if (result == SNCE_OK) {
              ExpectStays(cache, 1);
              return;
            }
            ASSERT_EQ(SNCE_DROPPED, result);
            ++dropped;
            // The old session may still be there, or the dropped insert took it
            // out.
            const snceResult found = answer_.Lookup(cache, key_, kNow);
            ASSERT_TRUE(found == SNCE_MISS || answer_.Differs(first_).empty());
            ExpectStays(cache, found == SNCE_OK ? 0 : UINT64_MAX);
          });
      if (HasFatalFailure()) return;
    }
    printf("%d were dropped\n", int(dropped));
  }
}

// ---- the process that moves them stops -------------------------------------

TEST_F(SnceGrowStep, AllIsFoundWhileAGrowerStandsAnywhere) {
  const auto copy = Copy(false);
  Stepper grower([&] { return Grow(copy->cache()); });
  while (grower.Step(7)) {
    ExpectIs(copy->cache(), 0);
    if (HasFatalFailure()) FAIL() << "at instruction " << grower.steps();
  }
  EXPECT_EQ(SNCE_OK, grower.Finish());
  ExpectStays(copy->cache(), 0);
}

TEST_F(SnceGrowStep, WhatIsRemovedWhileAGrowerStandsStaysAway) {
  for (bool begun : {false, true}) {
    Interrupt(
        "growth around a removal", begun, Grow,
        [&](snceCache cache) {
          EXPECT_EQ(SNCE_OK, Remove(cache));
          EXPECT_EQ(SNCE_MISS, Find(cache, first_, kNow));
          return SNCE_OK;
        },
        [&](snceCache cache, snceResult) { ExpectStays(cache, UINT64_MAX); });
    if (HasFatalFailure()) return;
  }
}

// Other processes had grown the table before the removal, so that the session
// lay elsewhere.
TEST_F(SnceGrowStep, WhatIsRemovedBehindASlowGrowerStaysAway) {
  for (unsigned pages : {1u, 2u}) {
    Interrupt(
        "growth behind others", true, Grow,
        [&](snceCache cache) {
          for (unsigned i = 0; i < pages; ++i) Grow(cache);
          EXPECT_EQ(SNCE_OK, Remove(cache));
          return SNCE_OK;
        },
        [&](snceCache cache, snceResult) { ExpectStays(cache, UINT64_MAX); });
    if (HasFatalFailure()) return;
  }
}

TEST_F(SnceGrowStep, WhatIsStoredWhileAGrowerStandsIsTheLatest) {
  for (bool begun : {false, true}) {
    for (unsigned pages : {0u, 1u, 2u}) {
      Interrupt(
          "growth around a replacement", begun, Grow,
          [&](snceCache cache) {
            for (unsigned i = 0; i < pages; ++i) Grow(cache);
            EXPECT_EQ(SNCE_OK, Replace(cache));
            EXPECT_EQ(SNCE_OK, answer_.Lookup(cache, key_, kNow));
            EXPECT_EQ("", answer_.Differs(second_));
            return SNCE_OK;
          },
          [&](snceCache cache, snceResult) { ExpectStays(cache, 1); });
      if (HasFatalFailure()) return;
    }
  }
}

TEST_F(SnceGrowStep, OthersEndWhatASlowGrowerBegan) {
  for (unsigned pages : {1u, 3u}) {
    Interrupt(
        "growth behind growth", false, Grow,
        [&](snceCache cache) {
          for (unsigned i = 0; i < pages; ++i) Grow(cache);
          ExpectIs(cache, 0);
          return SNCE_OK;
        },
        [&](snceCache cache, snceResult) { ExpectStays(cache, 0); });
    if (HasFatalFailure()) return;
  }
}

// A writer that saw the table before the split stores a session in the old page
// after others have looked at its slots; a slow grower finds that session.
TEST_F(SnceGrowStep, WhatASlowGrowerFindsLateIsNotTheLatest) {
  for (bool removes : {false, true}) {
    Interrupt(
        "late growth", true, Grow,
        [&](snceCache cache) {
          GrowthSet(cache, GrowthEnded(GrowthOf(cache).word));
          EXPECT_EQ(SNCE_OK, Replace(cache));
          if (removes) Remove(cache);
          return SNCE_OK;
        },
        [&](snceCache cache, snceResult) {
          const snceResult result = answer_.Lookup(cache, key_, kNow);
          ASSERT_EQ(removes ? SNCE_MISS : SNCE_OK, result);
          if (!removes) {
            ASSERT_EQ("", answer_.Differs(second_));
          }
          for (unsigned more = 0; more < 3; ++more) Grow(cache);
          ASSERT_EQ(result, answer_.Lookup(cache, key_, kNow));
          if (!removes) {
            ASSERT_EQ("", answer_.Differs(second_));
          }
        });
    if (HasFatalFailure()) return;
  }
}

TEST_F(SnceGrowStep, TwoThatStandAnywhereLeaveAllAsItWas) {
  uint64_t steps = 0, pairs = 0;
  {
    const auto copy = Copy(false);
    steps = CountSteps([&] { return Grow(copy->cache()); });
  }
  constexpr uint64_t kParts = 7;
  for (uint64_t first = 1; first < kParts; ++first) {
    for (uint64_t second = 1; second < kParts; ++second, ++pairs) {
      const auto copy = Copy(false);
      const snceCache cache = copy->cache();
      Stepper one([&] { return Grow(cache); });
      one.Step(steps * first / kParts + second);
      Stepper two([&] { return Grow(cache); });
      two.Step(steps * second / kParts);
      ASSERT_NO_FATAL_FAILURE(ExpectIs(cache, 0)) << first << ", " << second;
      uint64_t variant = 0;
      if (pairs % 3 == 1) {
        ASSERT_EQ(SNCE_OK, Replace(cache));
        variant = 1;
      } else if (pairs % 3 == 2) {
        ASSERT_EQ(SNCE_OK, Remove(cache));
        variant = UINT64_MAX;
      }
      (pairs % 2 ? one : two).Finish();
      ASSERT_NO_FATAL_FAILURE(ExpectIs(cache, variant))
          << first << ", " << second;
      (pairs % 2 ? two : one).Finish();
      ASSERT_NO_FATAL_FAILURE(ExpectStays(cache, variant))
          << first << ", " << second;
    }
  }
  printf("%d pairs of %d instructions\n", int(pairs), int(steps));
}

// ---- the process that moves them dies --------------------------------------

// A dead process leaves what the region holds at that instruction.
TEST_F(SnceGrowStep, ADeathLosesNoSession) {
  const auto copy = Copy(false);
  uint64_t looked = 0;
  Stepper victim([&] { return Grow(copy->cache()); });
  while (victim.Step(5)) {
    snceRegion* attached = nullptr;
    ASSERT_EQ(SNCE_OK, snceRegion_Attach(&attached, CopyOf(copy->fd()),
                                         SNCE_ACCESS_ADMIN));
    const Region left(attached);
    const snceCache cache = left.cache();
    uint64_t variant = 0;
    ExpectIs(cache, 0);
    if (looked % 3 == 1) {
      EXPECT_EQ(SNCE_OK, Replace(cache));
      variant = 1;
    } else if (looked % 3 == 2) {
      EXPECT_EQ(SNCE_OK, Remove(cache));
      variant = UINT64_MAX;
    }
    ExpectStays(cache, variant);
    if (HasFatalFailure()) FAIL() << "at instruction " << victim.steps();
    ++looked;
  }
  victim.Finish();
  printf("growth by a page: %d instructions, dead at %d\n", int(victim.steps()),
         int(looked));
}

}  // namespace
}  // namespace snce_test
