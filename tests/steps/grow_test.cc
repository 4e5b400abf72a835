/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// Two processes split a page at once, and each stops or dies at a step. Other
// processes store, remove and go on growing the table (rule 15).
#include <signal.h>

#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "sslsnce/snce.h"
#include "test_clock.h"
#include "test_growth.h"
#include "test_region.h"
#include "test_session.h"
#include "test_steps.h"

namespace snce_test {
namespace {

const snceTime kNow = At(kStart);

constexpr const char* kSteps[] = {
    "split-began",  "place-claimed", "place-written", "place-published",
    "carry-copied", "split-copied",  "vacate",        "vacate-wiped",
    "split-moved",  "split-emptied", "split-ended"};

enum class Meanwhile {
  kNothing,
  kGrowth,
  kRemoval,
  kReplacement,
  kReplacementAfterGrowth
};
constexpr Meanwhile kAll[] = {Meanwhile::kNothing, Meanwhile::kGrowth,
                              Meanwhile::kRemoval, Meanwhile::kReplacement,
                              Meanwhile::kReplacementAfterGrowth};

class SnceStepGrowth : public ::testing::TestWithParam<const char*> {
 protected:
  static constexpr uint64_t kStored = 400;

  void SetUp() override {
    for (uint64_t serial = 0; serial < kStored; ++serial)
      ASSERT_EQ(SNCE_OK, Of(serial).Insert(base_.cache(), kNow));
    for (unsigned tries = 0; tries < 60; ++tries) {
      const uint64_t rest = GrowthOf(base_.cache()).word;
      GrowthSet(base_.cache(), GrowthBegun(rest));
      waiting_.clear();
      for (uint64_t serial = 0; serial < kStored; ++serial)
        if (GrowthWhere(base_.cache(), Of(serial).get()->id) == GROWTH_IN_OLD)
          waiting_.push_back(serial);
      GrowthSet(base_.cache(), rest);
      if (waiting_.size() >= 2) return;
      GrowthStep(base_.cache(), kNow);
    }
    FAIL() << "no page has sessions to move";
  }
  static Session Of(uint64_t serial, uint64_t variant = 0) {
    return Session(serial, variant, kCertificate);
  }
  std::unique_ptr<Region> Copy() const {
    snceRegion* attached = nullptr;
    EXPECT_EQ(SNCE_OK, snceRegion_Attach(&attached, CopyOf(base_.fd()),
                                         SNCE_ACCESS_ADMIN));
    return std::unique_ptr<Region>(new Region(attached));
  }
  bool IsWaiting(uint64_t serial) const {
    for (uint64_t one : waiting_)
      if (one == serial) return true;
    return false;
  }
  void Do(snceCache cache, Meanwhile what) const {
    if (what == Meanwhile::kGrowth ||
        what == Meanwhile::kReplacementAfterGrowth)
      for (unsigned i = 0; i < 2; ++i) GrowthStep(cache, kNow);
    for (uint64_t serial : waiting_) {
      const Session session = Of(serial, 1);
      const snceKey key = session.Key();
      if (what == Meanwhile::kRemoval) {
        ASSERT_EQ(SNCE_OK, snceCache_Remove(cache, &key));
      } else if (what == Meanwhile::kReplacement ||
                 what == Meanwhile::kReplacementAfterGrowth) {
        ASSERT_EQ(SNCE_OK, session.Insert(cache, kNow));
      }
    }
  }
  void ExpectIs(snceCache cache, Meanwhile what) {
    Answer answer;
    for (uint64_t serial = 0; serial < kStored; ++serial) {
      const bool mine = IsWaiting(serial);
      const bool replaced =
          mine && (what == Meanwhile::kReplacement ||
                   what == Meanwhile::kReplacementAfterGrowth);
      const Session session = Of(serial, replaced ? 1 : 0);
      const bool gone = mine && what == Meanwhile::kRemoval;
      ASSERT_EQ(gone ? SNCE_MISS : SNCE_OK,
                answer.Lookup(cache, session.Key(), kNow))
          << serial;
      if (!gone) {
        ASSERT_EQ("", answer.Differs(session)) << serial;
      }
    }
  }
  // Expects the same now, and after the table has grown and moved.
  void ExpectStays(snceCache cache, Meanwhile what) {
    ASSERT_NO_FATAL_FAILURE(ExpectIs(cache, what));
    for (unsigned more = 0; more < 3; ++more) GrowthStep(cache, kNow);
    ASSERT_FALSE(GrowthOf(cache).splitting);
    ASSERT_NO_FATAL_FAILURE(ExpectIs(cache, what));
    const snceCacheOptions options = Options(5000);
    ASSERT_EQ(SNCE_OK, snceCache_Configure(cache, &options));
    ASSERT_NO_FATAL_FAILURE(ExpectIs(cache, what));
  }
  void Run(int signal) {
    const std::string first = GetParam();
    for (const char* second : kSteps) {
      for (Meanwhile what : kAll) {
        const auto copy = Copy();
        const snceCache cache = copy->cache();
        const auto grow = [&] {
          GrowthStep(cache, kNow);
          return SNCE_OK;
        };
        Stepped one(grow, {{first, 1, SIGSTOP}});
        ASSERT_TRUE(one.Stopped());
        Stepped two(grow, {{second, 1, SIGSTOP}});
        const bool both = two.Stopped();  // or there was nothing left to do
        ASSERT_NO_FATAL_FAILURE(ExpectIs(cache, Meanwhile::kNothing));
        ASSERT_NO_FATAL_FAILURE(Do(cache, what));
        ASSERT_NO_FATAL_FAILURE(ExpectIs(cache, what));
        if (signal == SIGCONT) {
          if (both) {
            EXPECT_EQ(SNCE_OK, two.Finish());
          }
          ASSERT_NO_FATAL_FAILURE(ExpectIs(cache, what));
          EXPECT_EQ(SNCE_OK, one.Finish());
        }  // else they stand where they are, and are killed there at the end
        ASSERT_NO_FATAL_FAILURE(ExpectStays(cache, what))
            << first << ", " << second << ", " << int(what);
      }
    }
  }

  Watchdog watchdog_{120};
  const Region base_{3000};
  std::vector<uint64_t> waiting_;
};

TEST_P(SnceStepGrowth, TwoThatStopAndGoOnLoseNothing) { Run(SIGCONT); }
TEST_P(SnceStepGrowth, TwoThatNeverGoOnLoseNothing) { Run(SIGKILL); }

// ---- a cache moves into a table that grows ----------------------------------

class SnceStepMoveAndGrowth : public ::testing::TestWithParam<const char*> {
 protected:
  static constexpr uint64_t kStored = 100;

  static Session Of(uint64_t serial) {
    return Session(serial, 0, kCertificate);
  }
  void ExpectAll(snceCache cache) {
    Answer answer;
    for (uint64_t serial = 0; serial < kStored; ++serial) {
      ASSERT_EQ(SNCE_OK, answer.Lookup(cache, Of(serial).Key(), kNow))
          << serial;
      ASSERT_EQ("", answer.Differs(Of(serial))) << serial;
    }
  }
  // A mover stops when it passes the step for the |passing|th time, and its new
  // table grows until all pages are in use. Then the mover goes on, or is
  // killed.
  void Run(unsigned passing, int signal) {
    const Region region(1000);
    const snceCache cache = region.cache();
    for (uint64_t serial = 0; serial < kStored; ++serial)
      ASSERT_EQ(SNCE_OK, Of(serial).Insert(cache, kNow));
    const snceCacheOptions options = Options(5000);
    Stepped mover([&] { return snceCache_Configure(cache, &options); },
                  {{GetParam(), passing, SIGSTOP}});
    ASSERT_TRUE(mover.Stopped());
    const uint64_t used = GrowthOf(cache).used;
    for (uint64_t page = used; page < GrowthOf(cache).pages; ++page)
      GrowthStep(cache, kNow);
    ASSERT_GT(GrowthOf(cache).used, 2 * used);
    ASSERT_NO_FATAL_FAILURE(ExpectAll(cache));
    if (signal == SIGCONT) {
      ASSERT_EQ(SNCE_OK, mover.Finish());
      ASSERT_NO_FATAL_FAILURE(ExpectAll(cache));
      for (uint64_t serial = 0; serial < kStored; ++serial)
        ASSERT_EQ(1u, GrowthCopies(cache, Of(serial).get()->id)) << serial;
    }
  }

  Watchdog watchdog_{120};
};

TEST_P(SnceStepMoveAndGrowth, AMoverThatStoppedLosesNothing) {
  for (unsigned passing : {1u, 20u, 60u, 99u})
    ASSERT_NO_FATAL_FAILURE(Run(passing, SIGCONT)) << passing;
}
TEST_P(SnceStepMoveAndGrowth, AMoverThatNeverGoesOnLosesNothing) {
  for (unsigned passing : {1u, 60u, 99u})
    ASSERT_NO_FATAL_FAILURE(Run(passing, SIGKILL)) << passing;
}

std::string Name(const ::testing::TestParamInfo<const char*>& info) {
  std::string name = info.param;
  for (char& c : name)
    if (c == '-') c = '_';
  return name;
}
INSTANTIATE_TEST_SUITE_P(At, SnceStepGrowth, ::testing::ValuesIn(kSteps), Name);
INSTANTIATE_TEST_SUITE_P(At, SnceStepMoveAndGrowth,
                         ::testing::Values("place-claimed", "place-written",
                                           "place-published", "carry-copied"),
                         Name);

}  // namespace
}  // namespace snce_test
