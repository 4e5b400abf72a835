/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// secret_test.cc: what a process that dies or is stopped at any instruction
// leaves of a secret in the region.
#include <signal.h>
#include <sys/resource.h>
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
#include "test_core.h"
#include "test_region.h"
#include "test_secret.h"
#include "test_session.h"
#include "test_stepper.h"
#include "test_ticks.h"

namespace snce_test {
namespace {

constexpr uint64_t kSerial = 7;

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
  // Inserts so many sessions of others that every slot is used and every dead
  // claim is taken back (rule 5). They are created later, when the older ones
  // have expired. Each call inserts different ones, because chance decides
  // which cells they take.
  void UseEverySlot(snceCache cache) {
    const snceTime later = now_ + 100000 * kSecond;
    TicksUse(cache.region, &ticks_);
    // After three rounds instead of five, a cell of the dead writer was left
    // at one of 1,600 points.
    for (int i = 0; i < 1000; ++i, ++others_) {
      // Two hundred inserts pass the claims; the same number follows when the
      // patience is over.
      if (i % 200 == 0) ticks_ += TICKS_PATIENCE + 1;
      Session(500 + others_, 1)
          .Certificate(Bytes((100000 + others_) << 20, 30 + others_ % 40))
          .Created(later)
          .Insert(cache, later);
    }
  }
  // Runs an operation a few instructions at a time; the longer it takes, the
  // more (|pace|). In between, |survive| uses copies of the region as surviving
  // processes would.
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
  // Stops an operation at points all over it, runs |meanwhile|, and lets the
  // operation run to its end.
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
      // If the insert ended well, its session may be there: remove it.
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
  uint64_t others_ = 0;
  uint64_t ticks_ = 1000;

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

// ---- core dumps ------------------------------------------------------------

constexpr uint64_t kPlanted = 50;

// Stores the planted sessions in another process, so that this one has none of
// their secrets in its own memory.
void PlantElsewhere(snceCache cache) {
  Child planter([cache] {
    for (uint64_t serial = 0; serial < kPlanted; ++serial) {
      EXPECT_EQ(SNCE_OK,
                Session(serial, 1000, kCertificate).Insert(cache, At(kStart)));
    }
    return 0;
  });
  ASSERT_EQ(0, planter.Wait(10000));
}

Secrets PlantedSecrets() {
  Secrets secrets;
  for (uint64_t serial = 0; serial < kPlanted; ++serial)
    secrets.AddState(*Session(serial, 1000, kCertificate).get());
  return secrets;
}

TEST(SnceSecretDump, OfACrashedWorkerHasNothingOfTheRegion) {
  if (kSanitized) GTEST_SKIP() << "a sanitizer's memory is too much to dump";
  Watchdog watchdog(120);
  CoreDirectory directory;
  if (!directory.works()) GTEST_SKIP() << directory.why();
  // Keep the file below 512 MiB: if the core failed to exclude it from dumps,
  // the kernel must finish the dump in time.
  struct rlimit limit;
  ASSERT_EQ(0, getrlimit(RLIMIT_FSIZE, &limit));
  const struct rlimit little = {rlim_t(1) << 29, limit.rlim_max};
  ASSERT_EQ(0, setrlimit(RLIMIT_FSIZE, &little));
  Region region(Options(100));
  ASSERT_EQ(0, setrlimit(RLIMIT_FSIZE, &limit));
  PlantElsewhere(region.cache());
  Child worker([&] {
    Answer answer;
    for (uint64_t serial = 0; serial < kPlanted; ++serial) {
      // A session of another variant: only its ID is that of the planted one.
      const Session same(serial, 1);
      EXPECT_EQ(SNCE_OK, answer.Lookup(region.cache(), same.Key(), At(kStart)));
      snceSession_Wipe(answer.get());
    }
    Session(900, 1).Insert(region.cache(), At(kStart));
    CrashIn(directory.path());
    return 1;
  });
  ASSERT_EQ(kSignalled - SIGABRT, worker.Wait(100000));
  const int core = directory.Open();
  ASSERT_GE(core, 0) << "it left no core dump";
  EXPECT_TRUE(directory.HasMarker(core)) << "what there is, is not all of it";
  const Secrets secrets = PlantedSecrets();
  EXPECT_EQ(secrets.pieces(), secrets.CountInFile(region.fd()));
  EXPECT_EQ(0u, secrets.CountInFile(core));
  EXPECT_EQ(0u, directory.BytesOf(core, "/memfd:sslsnce"));
  close(core);
}

TEST(SnceSecretDump, LeavesTheRegionOutInEveryProcessThatHasIt) {
  Region region(100);
  const auto left_out = [](int fd, size_t more_than) {
    const std::vector<Mapping> all = MappingsOf(fd);
    EXPECT_GT(all.size(), more_than);
    for (const Mapping& mapping : all)
      EXPECT_NE(std::string::npos, mapping.flags.find(" dd ")) << mapping.flags;
    return all.size();
  };
  const size_t own = left_out(region.fd(), 0);
  Child forked([&] {
    EXPECT_EQ(own, left_out(region.fd(), 0));
    for (const snceAccess access : {SNCE_ACCESS_READ, SNCE_ACCESS_WORK}) {
      snceRegion* attached = nullptr;
      EXPECT_EQ(SNCE_OK,
                snceRegion_Attach(&attached, dup(region.fd()), access));
      left_out(region.fd(), own);
      snceRegion_Close(attached);
    }
    return 0;
  });
  EXPECT_EQ(0, forked.Wait(10000));
}

}  // namespace
}  // namespace snce_test
