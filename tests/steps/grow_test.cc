/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// Two processes split a page at once and each stops, or dies, at a step; others
// store, remove and go on growing (rule 15).
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
  // Whatever becomes of the table.
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
        const bool both = two.Stopped();  // or it found nothing to do there
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

std::string Name(const ::testing::TestParamInfo<const char*>& info) {
  std::string name = info.param;
  for (char& c : name)
    if (c == '-') c = '_';
  return name;
}
INSTANTIATE_TEST_SUITE_P(At, SnceStepGrowth, ::testing::ValuesIn(kSteps), Name);

}  // namespace
}  // namespace snce_test
