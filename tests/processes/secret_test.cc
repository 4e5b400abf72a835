/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// secret_test.cc: what a process that dies or is stopped in the middle leaves
// of a secret, at every instruction.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <vector>

#include "gtest/gtest.h"
#include "sslsnce/snce.h"
#include "test_build.h"
#include "test_child.h"
#include "test_clock.h"
#include "test_region.h"
#include "test_secret.h"
#include "test_session.h"
#include "test_stepper.h"

namespace snce_test {
namespace {

constexpr uint64_t kSerial = 7;
constexpr uint64_t kPieces = (SNCE_STATE_BYTES - 24) / 8;

class SnceSecretStep : public ::testing::Test {
 protected:
  static snceCacheOptions Small() {
    snceCacheOptions options = Options(32);
    options.certificates = 16;
    return options;
  }
  void SetUp() override {
    if (kSanitized) GTEST_SKIP() << "the plain build does this";
    if (CountSteps([] { return SNCE_OK; }) == 0)
      GTEST_SKIP() << "no process may be traced here";
    secrets_.AddState(*older_.get());
    secrets_.AddState(*younger_.get());
    secrets_.Add(older_.certificate());
    secrets_.Add(younger_.certificate());
  }
  // Sessions of others, so many that every slot is used and every claim of the
  // dead taken back (rule 5); they come later, and older ones have expired.
  void UseEverySlot(snceCache cache) {
    const snceTime later = now_ + 100000 * kSecond;
    for (uint64_t serial = 0; serial < 400; ++serial)
      Session(500 + serial, 1)
          .Certificate(Bytes((100000 + serial) << 20, 30 + serial % 40))
          .Created(later)
          .Insert(cache, later);
  }
  // Runs an operation a few instructions at a time, more the longer it takes
  // (|pace|), and in between uses copies of the region as survivors would:
  // |survive|.
  void DieEverywhere(const char* name, uint64_t pace,
                     const std::function<snceResult()>& run,
                     const std::function<void(snceCache)>& survive) {
    Stepper victim(run);
    uint64_t looked = 0, seen = 0;
    while (victim.Step(1 + looked / pace)) {
      snceRegion* attached = nullptr;
      ASSERT_EQ(SNCE_OK, snceRegion_Attach(&attached, CopyOf(region_.fd()),
                                           SNCE_ACCESS_ADMIN));
      Region copy(attached);
      seen += secrets_.CountInFile(copy.fd()) != 0;
      survive(copy.cache());
      ASSERT_EQ(0u, secrets_.CountInFile(copy.fd()))
          << name << ", dead at instruction " << victim.steps();
      ++looked;
    }
    victim.Finish();
    EXPECT_GT(seen, 0u) << "there was nothing to wipe";
    printf("%s: %d instructions, dead at %d of them, at %d with a secret\n",
           name, int(victim.steps()), int(looked), int(seen));
  }
  // Stops an operation at points all over it, has others do |meanwhile|, and
  // lets it go on to its end.
  void StopEverywhere(const char* name, const std::function<void()>& prepare,
                      const std::function<snceResult()>& run,
                      const std::function<void()>& meanwhile) {
    prepare();
    const uint64_t steps = CountSteps(run);
    const uint64_t stride = std::max<uint64_t>(1, steps * steps / 2 / 150000);
    uint64_t stops = 0, left = 0;
    for (uint64_t point = 1; point < steps; point += stride, ++stops) {
      prepare();
      Stepper writer(run);
      writer.Step(point);
      meanwhile();
      writer.Finish();
      // Where it ended well, its session is there and may be: then it goes.
      const snceKey key = older_.Key();
      snceCache_Remove(cache_, &key);
      const uint64_t pieces = secrets_.CountInFile(region_.fd());
      EXPECT_EQ(0u, pieces) << name << ", stopped at instruction " << point;
      left += pieces != 0;
      if (left > 5) break;
      snceCache_Flush(cache_);
    }
    printf("%s: %d instructions, stopped at %d of them\n", name, int(steps),
           int(stops));
  }

  Watchdog watchdog_{300};
  Region region_{Small()};
  snceCache cache_ = region_.cache();
  const snceTime now_ = At(kStart);
  const Session older_ =
      Session(kSerial, 1000).Certificate(Bytes(uint64_t(1) << 40, 200));
  const Session younger_ =
      Session(kSerial, 2000).Certificate(Bytes(uint64_t(2) << 40, 100));
  Secrets secrets_;

  const std::function<void(snceCache)> remove_ = [this](snceCache cache) {
    const snceKey key = older_.Key();
    snceCache_Remove(cache, &key);
  };
};

TEST_F(SnceSecretStep, OfAWriterThatDiedIsGoneWhenItsSlotWasTakenBack) {
  DieEverywhere(
      "insert", 100, [&] { return older_.Insert(cache_, now_); },
      [&](snceCache cache) { UseEverySlot(cache); });
}

TEST_F(SnceSecretStep, OfAReplacerThatDiedIsGoneWhenItsSlotWasTakenBack) {
  ASSERT_EQ(SNCE_OK, older_.Insert(cache_, now_));
  DieEverywhere(
      "replacement", 100, [&] { return younger_.Insert(cache_, now_); },
      [&](snceCache cache) { UseEverySlot(cache); });
}

TEST_F(SnceSecretStep, OfARemoverThatDiedIsGoneWhenItsSlotWasTakenBack) {
  ASSERT_EQ(SNCE_OK, older_.Insert(cache_, now_));
  DieEverywhere(
      "removal", 100,
      [&] {
        const snceKey key = older_.Key();
        return snceCache_Remove(cache_, &key);
      },
      [&](snceCache cache) { UseEverySlot(cache); });
}

TEST_F(SnceSecretStep, OfAMoverThatDiedIsGoneAfterTheNextChange) {
  const snceCacheOptions larger = Options(300);
  ASSERT_EQ(SNCE_OK, older_.Insert(cache_, now_));
  DieEverywhere(
      "growth", 3, [&] { return snceCache_Configure(cache_, &larger); },
      [&](snceCache cache) {
        snceCache_Flush(cache);
        UseEverySlot(cache);
      });
}

TEST_F(SnceSecretStep, OfAWriterThatWasStoppedIsGoneWhenItsSessionIsRemoved) {
  StopEverywhere(
      "insert, removed meanwhile", [] {},
      [&] { return older_.Insert(cache_, now_); }, [&] { remove_(cache_); });
}

TEST_F(SnceSecretStep, OfAWriterThatWasStoppedIsGoneWhenOthersTookItsSlot) {
  StopEverywhere(
      "insert, overtaken", [] {}, [&] { return older_.Insert(cache_, now_); },
      [&] { UseEverySlot(cache_); });
}

TEST_F(SnceSecretStep, OfAReplacerThatWasStoppedIsGoneWhenOthersTookItsSlot) {
  StopEverywhere(
      "replacement, overtaken", [&] { older_.Insert(cache_, now_); },
      [&] { return younger_.Insert(cache_, now_); },
      [&] { UseEverySlot(cache_); });
}

TEST_F(SnceSecretStep, OfAWriterThatWasStoppedIsGoneWhenTheCacheWasFlushed) {
  StopEverywhere(
      "insert, flushed meanwhile", [] {},
      [&] { return older_.Insert(cache_, now_); },
      [&] { ASSERT_EQ(SNCE_OK, snceCache_Flush(cache_)); });
}

}  // namespace
}  // namespace snce_test
