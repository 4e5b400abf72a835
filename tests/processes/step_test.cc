/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// A process is stopped or killed at every instruction of an operation.
//
// The process is a traced child, which runs the operation an instruction at a
// time. The test looks at the cache between two of them, kills the child, or
// changes the cache meanwhile and lets the child go on.
#include <algorithm>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "sslsnce/snce.h"
#include "test_build.h"
#include "test_child.h"
#include "test_clock.h"
#include "test_region.h"
#include "test_session.h"
#include "test_stepper.h"

namespace snce_test {
namespace {

// Stepping to a point costs some ten microseconds an instruction. Tests that
// begin anew for each point choose so many points that each test makes about
// this many steps, over all points.
constexpr uint64_t kBudget = 60000;

uint64_t Stride(uint64_t steps) {
  return std::max<uint64_t>(1, steps * steps / 2 / StepTimes(kBudget));
}

class SnceStep : public ::testing::Test {
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
  }
  // How many of a cacheful of new sessions a region holds.
  static uint64_t Holds(const Region& region) {
    const snceTime later = At(kStart + 1000 * kSecond);
    uint64_t found = 0;
    std::vector<Session> sessions;
    for (uint64_t serial = 0; serial < 32; ++serial)
      sessions.push_back(Session(9000000 + serial, serial,
                                 serial < 12 ? kCertificate | kName : kPlain)
                             .Created(later));
    for (const Session& session : sessions)
      session.Insert(region.cache(), later);
    for (const Session& session : sessions)
      found += Find(region.cache(), session, later) == SNCE_OK;
    return found;
  }

  Watchdog watchdog_{300};
  Region region_{Small()};
  snceCache cache_ = region_.cache();
  snceTime now_ = At(kStart);
  Answer answer_;
};

// ---- looking on ------------------------------------------------------------

TEST_F(SnceStep, AnInsertIsSeenWholeOrNotAtAllAtEveryInstruction) {
  const Session session(1, 2, kEverything);
  Stepper writer([&] { return session.Insert(cache_, now_); });
  bool seen = false;
  while (writer.Step(1)) {
    const snceResult result = answer_.Lookup(cache_, session.Key(), now_);
    if (result == SNCE_OK) {
      ASSERT_EQ("", answer_.Differs(session)) << writer.steps();
      seen = true;
    } else {
      ASSERT_EQ(SNCE_MISS, result) << writer.steps();
      ASSERT_FALSE(seen) << "it went at instruction " << writer.steps();
    }
  }
  EXPECT_EQ(SNCE_OK, writer.Finish());
  EXPECT_EQ(SNCE_OK, Find(cache_, session, now_));
  printf("an insert takes %d instructions\n", int(writer.steps()));
}

TEST_F(SnceStep, AReplacementIsSeenAsOldOrNewOrNotAtEveryInstruction) {
  const Session older(1, 1, kEverything), younger(1, 2, kEverything);
  ASSERT_EQ(SNCE_OK, older.Insert(cache_, now_));
  Stepper writer([&] { return younger.Insert(cache_, now_); });
  uint64_t phase = 1;
  while (writer.Step(1)) {
    const snceResult result = answer_.Lookup(cache_, older.Key(), now_);
    if (result == SNCE_OK) {
      ASSERT_EQ("", answer_.Mixed()) << writer.steps();
      ASSERT_GE(answer_.variant(), phase) << "the old one came back";
      phase = answer_.variant();
    } else {
      ASSERT_EQ(SNCE_MISS, result) << writer.steps();
      ASSERT_LT(phase, 2u) << "the new one went";
    }
  }
  const snceResult result = writer.Finish();
  if (answer_.Lookup(cache_, older.Key(), now_) == SNCE_OK) {
    EXPECT_EQ("", answer_.Mixed());
    EXPECT_EQ(result == SNCE_OK ? 2u : 1u, answer_.variant());
  } else {
    EXPECT_NE(SNCE_OK, result);
  }
}

TEST_F(SnceStep, ARemovedSessionStaysAwayFromTheInstructionAtWhichItGoes) {
  const Session session(1, 1, kEverything);
  ASSERT_EQ(SNCE_OK, session.Insert(cache_, now_));
  const snceKey key = session.Key();
  Stepper remover([&] { return snceCache_Remove(cache_, &key); });
  bool gone = false;
  while (remover.Step(1)) {
    const snceResult result = answer_.Lookup(cache_, key, now_);
    if (result == SNCE_OK) {
      ASSERT_EQ("", answer_.Differs(session));
      ASSERT_FALSE(gone) << remover.steps();
    } else {
      ASSERT_EQ(SNCE_MISS, result);
      gone = true;
    }
  }
  EXPECT_EQ(SNCE_OK, remover.Finish());
  EXPECT_EQ(SNCE_MISS, Find(cache_, session, now_));
}

// A lookup is stopped at any instruction while its session is replaced,
// removed, or evicted with its certificate.
TEST_F(SnceStep, ALookupInterruptedAnywhereReturnsAWholeSessionOrNone) {
  Session session = Session(1, 1, kName).Certificate(Bytes(1, 40));
  const snceKey key = session.Key();
  struct Wrong {
    char what[64];
    uint64_t variant;
  };
  Shared<Wrong> wrong;
  auto lookup = [&] {
    const snceResult result = answer_.Lookup(cache_, key, now_);
    // It may find one of the sessions that replaced |session|.
    std::string what;
    if (result == SNCE_OK)
      what =
          answer_.variant() == 1 ? answer_.Differs(session) : answer_.Mixed();
    snprintf(wrong->what, sizeof(wrong->what), "%s", what.c_str());
    wrong->variant = answer_.variant();
    return result;
  };
  ASSERT_EQ(SNCE_OK, session.Insert(cache_, now_));
  const uint64_t steps = CountSteps(lookup);
  for (uint64_t point = 1; point < steps; point += Stride(steps)) {
    ASSERT_EQ(SNCE_OK, session.Insert(cache_, now_));
    Stepper reader(lookup);
    reader.Step(point);
    if (point % 3 == 0) snceCache_Remove(cache_, &key);
    if (point % 3 == 1) {
      // Other sessions take its slot and its certificate's cell.
      snceCache_Remove(cache_, &key);
      for (uint64_t serial = 0; serial < 60; ++serial)
        Session(100 + serial, point + serial, kEverything)
            .Insert(cache_, now_ + kSecond);
    }
    Session(1, 2 + point, kEverything).Insert(cache_, now_);
    const snceResult result = reader.Finish();
    ASSERT_TRUE(result == SNCE_OK || result == SNCE_MISS) << point;
    ASSERT_STREQ("", wrong->what)
        << "of variant " << wrong->variant << ", interrupted at " << point;
  }
  printf("a lookup takes %d instructions\n", int(steps));
}

// ---- killing ---------------------------------------------------------------

// A dead process leaves what the region holds at that instant: the tests copy
// the region at every instruction, and use the copy as surviving processes
// would.
class SnceStepKill : public SnceStep {
 protected:
  // Uses a copy of the region, with the key of the dead process's operation.
  void SurviveIn(int fd, uint64_t point) {
    snceRegion* attached = nullptr;
    ASSERT_EQ(SNCE_OK, snceRegion_Attach(&attached, fd, SNCE_ACCESS_ADMIN));
    Region copy(attached);
    snceCache cache = copy.cache();
    const Session again(7, 1000000 + point, kName);
    const snceKey key = again.Key();
    const snceResult result = answer_.Lookup(cache, key, now_);
    ASSERT_TRUE(result == SNCE_OK || result == SNCE_MISS);
    if (result == SNCE_OK) {
      ASSERT_EQ("", answer_.Mixed());
    }
    ASSERT_EQ(SNCE_OK, again.Insert(cache, now_));
    ASSERT_EQ(SNCE_OK, answer_.Lookup(cache, key, now_));
    ASSERT_EQ("", answer_.Differs(again));
    ASSERT_EQ(SNCE_OK, snceCache_Remove(cache, &key));
    ASSERT_EQ(SNCE_MISS, answer_.Lookup(cache, key, now_));
    if (point % 64 == 0) {
      // At most one entry is lost, and only for a while.
      const Region fresh(Small());
      ASSERT_GE(Holds(copy) + 1, Holds(fresh));
    }
  }

  void DieEverywhere(const char* name,
                     const std::function<void(uint64_t)>& prepare,
                     const std::function<snceResult(uint64_t)>& run) {
    prepare(0);
    Stepper victim([&] { return run(0); });
    uint64_t looked = 0;
    while (victim.Step(1 + looked / 1000)) {
      SurviveIn(CopyOf(region_.fd()), victim.steps());
      if (HasFatalFailure()) {
        FAIL() << name << ", dead at instruction " << victim.steps();
      }
      ++looked;
    }
    victim.Finish();
    // Then some processes really die, one after the other in one region.
    uint64_t deaths = 0;
    for (uint64_t at = 1; at < 40; ++at) {
      prepare(at);
      Stepper killed([&] { return run(at); });
      if (!killed.Step(victim.steps() * at / 40)) break;
      killed.Kill();
      ++deaths;
    }
    const Region fresh(Small());
    const uint64_t holds = Holds(region_);
    printf(
        "%s: %d instructions, looked at after %d; after %d deaths it holds "
        "%d of 32, %d slots reclaimed\n",
        name, int(victim.steps()), int(looked), int(deaths), int(holds),
        int(region_.Figures().reclaimed));
    EXPECT_GE(holds + 1, Holds(fresh)) << name;
  }

  const std::function<void(uint64_t)> nothing_ = [](uint64_t) {};
  // Stores session 7.
  const std::function<void(uint64_t)> store_ = [this](uint64_t variant) {
    Session(7, variant, kName).Insert(cache_, now_);
  };
};

TEST_F(SnceStepKill, AnInsertCostsNothingForGood) {
  DieEverywhere("insert", nothing_, [this](uint64_t at) {
    return Session(7, at).Insert(cache_, now_);
  });
}

TEST_F(SnceStepKill, AnInsertWithCertificateAndNameCostsNothingForGood) {
  DieEverywhere("insert with certificate and name", nothing_,
                [this](uint64_t at) {
                  return Session(7, at, kEverything).Insert(cache_, now_);
                });
}

TEST_F(SnceStepKill, AReplacementCostsNothingForGood) {
  DieEverywhere("replacement", store_, [this](uint64_t at) {
    return Session(7, at + 1, kCertificate).Insert(cache_, now_);
  });
}

TEST_F(SnceStepKill, AnInsertIntoAFullCacheCostsNothingForGood) {
  DieEverywhere(
      "insert into a full cache",
      [this](uint64_t at) {
        for (uint64_t serial = 0; serial < 64; ++serial)
          Session(100 + serial, at, serial % 4 ? kPlain : kEverything)
              .Insert(cache_, now_);
      },
      [this](uint64_t at) {
        return Session(7, at, kEverything).Insert(cache_, now_);
      });
}

TEST_F(SnceStepKill, ARemovalCostsNothingForGood) {
  DieEverywhere(
      "removal",
      [this](uint64_t at) { Session(7, at, kEverything).Insert(cache_, now_); },
      [this](uint64_t) {
        const Session session(7);
        const snceKey key = session.Key();
        return snceCache_Remove(cache_, &key);
      });
}

TEST_F(SnceStepKill, ALookupCostsNothing) {
  DieEverywhere("lookup", store_, [this](uint64_t) {
    return answer_.Lookup(cache_, Session(7).Key(), now_);
  });
}

TEST_F(SnceStepKill, ALookupThatMeetsAnExpiredSessionCostsNothingForGood) {
  DieEverywhere("lookup of an expired session", store_, [this](uint64_t) {
    return answer_.Lookup(cache_, Session(7).Key(), now_ + 100000 * kSecond);
  });
}

TEST_F(SnceStepKill, ARecordedKeyIsThereOrCanBeRecorded) {
  const std::vector<uint8_t> value = Bytes(5, 300), other = Bytes(6, 200);
  uint8_t buffer[512];
  size_t len;
  auto put = [&](uint64_t which, const std::vector<uint8_t>& what) {
    return snceKeyLog_Put(region_.get(),
                          Bytes(which, SNCE_KEY_NAME_BYTES).data(), what.data(),
                          what.size(), buffer, sizeof(buffer), &len);
  };
  const uint64_t steps = CountSteps([&] { return put(0, value); });
  uint64_t deaths = 0;
  for (uint64_t point = 1; point < steps; point += Stride(steps) * 3) {
    Stepper victim([&] { return put(point, value); });
    if (!victim.Step(point)) break;
    victim.Kill();
    ++deaths;
    const snceResult result = put(point, other);
    ASSERT_TRUE(result == SNCE_OK || result == SNCE_EXISTS) << point;
    const std::vector<uint8_t>& wanted = result == SNCE_OK ? other : value;
    ASSERT_EQ(SNCE_OK, snceKeyLog_Get(region_.get(),
                                      Bytes(point, SNCE_KEY_NAME_BYTES).data(),
                                      buffer, sizeof(buffer), &len));
    ASSERT_EQ(wanted, std::vector<uint8_t>(buffer, buffer + len)) << point;
  }
  printf("recording a key: %d instructions, %d deaths\n", int(steps),
         int(deaths));
}

TEST_F(SnceStepKill, GrowthLeavesEverySessionInTheOldOrTheNewTable) {
  const snceCacheOptions larger = Options(256), largest = Options(1000);
  std::vector<Session> sessions;
  for (uint64_t serial = 0; serial < 24; ++serial) {
    sessions.emplace_back(serial, 0, kName);
    ASSERT_EQ(SNCE_OK, sessions.back().Insert(cache_, now_));
  }
  auto count = [&](snceCache cache, size_t first) {
    size_t found = 0;
    for (size_t at = first; at < sessions.size(); ++at)
      found += Find(cache, sessions[at], now_) == SNCE_OK;
    return found;
  };
  ASSERT_EQ(24u, count(cache_, 0));
  Stepper victim([&] { return snceCache_Configure(cache_, &larger); });
  uint64_t looked = 0;
  while (victim.Step(7 + looked / 20)) {
    const uint64_t at = victim.steps();
    snceRegion* attached = nullptr;
    ASSERT_EQ(SNCE_OK, snceRegion_Attach(&attached, CopyOf(region_.fd()),
                                         SNCE_ACCESS_ADMIN));
    Region copy(attached);
    snceCache cache = copy.cache();
    ASSERT_EQ(24u, count(cache, 0)) << at;
    // Between the two tables, removing and storing work.
    const snceKey key = sessions[0].Key();
    ASSERT_EQ(SNCE_OK, snceCache_Remove(cache, &key)) << at;
    ASSERT_EQ(SNCE_MISS, Find(cache, sessions[0], now_)) << at;
    const Session fresh(100, 0, kName);
    ASSERT_EQ(SNCE_OK, fresh.Insert(cache, now_)) << at;
    ASSERT_EQ(SNCE_OK, Find(cache, fresh, now_)) << at;
    // The next change ends what the dead process began.
    ASSERT_EQ(SNCE_OK, snceCache_Configure(cache, &larger)) << at;
    ASSERT_GE(copy.Figures().slots, 256u) << at;
    ASSERT_EQ(SNCE_MISS, Find(cache, sessions[0], now_)) << at;
    ASSERT_EQ(SNCE_OK, Find(cache, fresh, now_)) << at;
    ASSERT_EQ(23u, count(cache, 1)) << at;
    ASSERT_EQ(SNCE_OK, snceCache_Configure(cache, &largest)) << at;
    ASSERT_EQ(SNCE_MISS, Find(cache, sessions[0], now_)) << at;
    ASSERT_EQ(23u, count(cache, 1)) << at;
    ++looked;
  }
  EXPECT_EQ(SNCE_OK, victim.Finish());
  printf("growth: %d instructions, looked at after %d\n", int(victim.steps()),
         int(looked));
}

// While an entry is in both tables, each copy refers to its certificate.
TEST_F(SnceStepKill, RemovingAtAnyStageOfGrowthLeavesOthersTheirCertificate) {
  const snceCacheOptions larger = Options(256);
  const Session removed = Session(1).Certificate(Bytes(3, 40));
  const Session other = Session(2).Certificate(Bytes(3, 40));
  ASSERT_EQ(SNCE_OK, removed.Insert(cache_, now_));
  ASSERT_EQ(SNCE_OK, other.Insert(cache_, now_));
  Stepper victim([&] { return snceCache_Configure(cache_, &larger); });
  const snceKey key = removed.Key();
  uint64_t looked = 0;
  for (; victim.Step(9); ++looked) {
    snceRegion* attached = nullptr;
    ASSERT_EQ(SNCE_OK, snceRegion_Attach(&attached, CopyOf(region_.fd()),
                                         SNCE_ACCESS_ADMIN));
    Region copy(attached);
    ASSERT_EQ(SNCE_OK, snceCache_Remove(copy.cache(), &key));
    ASSERT_EQ(SNCE_OK, answer_.Lookup(copy.cache(), other.Key(), now_))
        << victim.steps();
    ASSERT_EQ(other.certificate(), answer_.certificate()) << victim.steps();
  }
  EXPECT_EQ(SNCE_OK, victim.Finish());
  printf("removed at %d stages of a growth of %d instructions\n", int(looked),
         int(victim.steps()));
}

TEST_F(SnceStepKill, ALookupThatTheEndOfGrowthOvertakesFinds) {
  const snceCacheOptions larger = Options(256);
  const Session session(1);
  ASSERT_EQ(SNCE_OK, session.Insert(cache_, now_));
  // A region in which a move stands still: both tables are in use.
  Region growing(Small());
  ASSERT_EQ(SNCE_OK, session.Insert(growing.cache(), now_));
  Stepper grower([&] { return snceCache_Configure(growing.cache(), &larger); });
  bool both = false;
  while (!both && grower.Step(50)) both = growing.Figures().slots >= 256;
  ASSERT_TRUE(both);
  grower.Kill();
  const snceKey key = session.Key();
  uint64_t tried = 0;
  for (uint64_t point = 0;; point += 20) {
    snceRegion* attached = nullptr;
    ASSERT_EQ(SNCE_OK, snceRegion_Attach(&attached, CopyOf(growing.fd()),
                                         SNCE_ACCESS_ADMIN));
    Region copy(attached);
    Stepper reader([&] { return answer_.Lookup(copy.cache(), key, now_); });
    if (!reader.Step(point)) break;
    ASSERT_EQ(SNCE_OK, snceCache_Configure(copy.cache(), &larger));
    ASSERT_EQ(SNCE_OK, reader.Finish()) << point;
    ++tried;
  }
  EXPECT_GE(tried, 10u);
  printf("growth ended in %d lookups\n", int(tried));
}

TEST_F(SnceStepKill, GrowthLeavesTheLockToTheNext) {
  const snceCacheOptions larger = Options(256);
  const uint64_t steps =
      CountSteps([&] { return snceCache_Configure(cache_, &larger); });
  for (uint64_t at = 1; at < 10; ++at) {
    Region region(Small());
    Stepper victim(
        [&] { return snceCache_Configure(region.cache(), &larger); });
    if (!victim.Step(steps * at / 10)) break;
    victim.Kill();
    ASSERT_EQ(SNCE_OK, snceCache_Configure(region.cache(), &larger)) << at;
  }
}

// ---- stopping and waking ---------------------------------------------------

TEST_F(SnceStep, AWriterWokenAfterItsSlotWasTakenDoesNoHarm) {
  const Session mine = Session(1, 1, kName).Certificate(Bytes(1, 40));
  auto insert = [&] { return mine.Insert(cache_, now_); };
  const uint64_t steps = CountSteps(insert);
  uint64_t kept = 0, dropped = 0;
  for (uint64_t point = 1; point < steps; point += Stride(steps)) {
    const snceKey key = mine.Key();
    snceCache_Remove(cache_, &key);
    Stepper writer(insert);
    if (!writer.Step(point)) break;
    // Sessions that obey the equation take all slots, more than once.
    for (uint64_t serial = 0; serial < 96; ++serial)
      Session(100 + serial, point * 100 + serial, kEverything)
          .Insert(cache_, now_);
    const snceResult result = writer.Finish();
    const snceResult found = answer_.Lookup(cache_, key, now_);
    if (result == SNCE_OK) {
      ++kept;
    } else {
      ++dropped;
      ASSERT_TRUE(result == SNCE_DROPPED || result == SNCE_FULL) << point;
      ASSERT_EQ(SNCE_MISS, found) << "dropped but found, at " << point;
    }
    if (found == SNCE_OK) {
      ASSERT_EQ("", answer_.Differs(mine)) << point;
    }
    for (uint64_t serial = 0; serial < 96; ++serial) {
      const Session other(100 + serial, point * 100 + serial, kEverything);
      const snceResult there = answer_.Lookup(cache_, other.Key(), now_);
      ASSERT_TRUE(there == SNCE_OK || there == SNCE_MISS) << point;
      if (there == SNCE_OK) {
        ASSERT_EQ("", answer_.Differs(other)) << point;
      }
    }
  }
  printf("%d woken writers kept their session, %d lost it\n", int(kept),
         int(dropped));
  // Once emptied, the cache holds what a new one does. (If it were full, its
  // certificates would compete with those of the sessions that Holds stores.)
  for (uint64_t serial = 0; serial < 96; ++serial) {
    const Session other(100 + serial);
    const snceKey key = other.Key();
    snceCache_Remove(cache_, &key);
  }
  const snceKey key = mine.Key();
  snceCache_Remove(cache_, &key);
  EXPECT_EQ(0u, region_.Figures().live);
  printf("%d certificates are left without a session\n",
         int(region_.Figures().certificates));
  const Region fresh(Small());
  EXPECT_GE(Holds(region_) + 1, Holds(fresh));
}

TEST_F(SnceStep, AHalfStoredSessionThatIsRemovedStaysGoneWhenItsWriterWakes) {
  const Session mine(1, 1);
  const snceKey key = mine.Key();
  auto insert = [&] { return mine.Insert(cache_, now_); };
  const uint64_t steps = CountSteps(insert);
  uint64_t first_gone = 0, published = 0;
  for (uint64_t point = 1; point < steps; point += Stride(steps)) {
    snceCache_Remove(cache_, &key);
    Stepper writer(insert);
    if (!writer.Step(point)) break;
    const bool there = Find(cache_, mine, now_) == SNCE_OK;
    if (there && published == 0) published = point;
    snceCache_Remove(cache_, &key);
    ASSERT_EQ(SNCE_MISS, Find(cache_, mine, now_)) << point;
    const snceResult result = writer.Finish();
    const bool found = Find(cache_, mine, now_) == SNCE_OK;
    if (there) {
      ASSERT_FALSE(found) << "removed and back, at " << point;
    }
    if (result != SNCE_OK) {
      ASSERT_FALSE(found) << "dropped but found, at " << point;
    }
    // From the instruction that claims a slot on, the removal wins. How many
    // instructions come before the claim depends a little on the slot.
    if (!found && first_gone == 0) first_gone = point;
    if (found && first_gone != 0) {
      ASSERT_LT(point, first_gone + 200)
          << "gone when removed at " << first_gone << ", but not at " << point;
    }
  }
  printf("of %d instructions, claimed by %d, published by %d\n", int(steps),
         int(first_gone), int(published));
  EXPECT_GT(published, first_gone);
}

TEST_F(SnceStep, SessionsComeAndGoAtEveryStageOfGrowth) {
  const snceCacheOptions larger = Options(256);
  for (uint64_t serial = 0; serial < 16; ++serial)
    ASSERT_EQ(SNCE_OK, Session(serial, 0, kEverything).Insert(cache_, now_));
  Stepper grower([&] { return snceCache_Configure(cache_, &larger); });
  uint64_t stored = 0, round = 0;
  // Eight sessions stay; the other eight are removed in turn and stored again,
  // each time with another variant.
  uint64_t variant[16] = {};
  for (; grower.Step(97) && round < 100000; ++round) {
    const uint64_t serial = 8 + round % 8;
    const Session old(serial, variant[serial], kEverything);
    const snceKey key = old.Key();
    const snceResult found = answer_.Lookup(cache_, key, now_);
    if (found == SNCE_OK) {
      ASSERT_EQ("", answer_.Differs(old)) << round;
    }
    snceCache_Remove(cache_, &key);
    ASSERT_EQ(SNCE_MISS, answer_.Lookup(cache_, key, now_)) << round;
    const Session next(serial, ++variant[serial], kEverything);
    const snceResult result = next.Insert(cache_, now_);
    stored += result == SNCE_OK;
    ASSERT_EQ(result == SNCE_OK ? SNCE_OK : SNCE_MISS,
              answer_.Lookup(cache_, key, now_))
        << round;
    ASSERT_EQ(SNCE_OK, Find(cache_, Session(round % 8, 0, kEverything), now_))
        << "one that nobody removed is missing, round " << round;
  }
  EXPECT_EQ(SNCE_OK, grower.Finish());
  for (uint64_t serial = 0; serial < 16; ++serial) {
    const Session session(serial, variant[serial], kEverything);
    if (answer_.Lookup(cache_, session.Key(), now_) == SNCE_OK) {
      EXPECT_EQ("", answer_.Differs(session)) << serial;
    } else {
      EXPECT_GE(serial, 8u);
    }
  }
  printf("%d rounds during one growth, %d sessions stored\n", int(round),
         int(stored));
}

TEST_F(SnceStep, AReplacementAtAnyStageOfGrowthStaysOne) {
  const snceCacheOptions larger = Options(256);
  const Session older(1, 1), younger(1, 2);
  uint64_t steps = 1, tried = 0;
  for (uint64_t point = 0; point < steps; point += Stride(steps)) {
    Region counted(Small()), other(Small());
    ASSERT_EQ(SNCE_OK, older.Insert(counted.cache(), now_));
    ASSERT_EQ(SNCE_OK, older.Insert(other.cache(), now_));
    if (point == 0)
      steps = CountSteps(
          [&] { return snceCache_Configure(counted.cache(), &larger); });
    Stepper grower([&] { return snceCache_Configure(other.cache(), &larger); });
    grower.Step(point);
    if (younger.Insert(other.cache(), now_) != SNCE_OK) continue;
    ASSERT_EQ(SNCE_OK, answer_.Lookup(other.cache(), younger.Key(), now_));
    EXPECT_EQ(2u, answer_.variant()) << "while it grew, at " << point;
    ASSERT_EQ(SNCE_OK, grower.Finish());
    ASSERT_EQ(SNCE_OK, answer_.Lookup(other.cache(), younger.Key(), now_))
        << point;
    EXPECT_EQ(2u, answer_.variant()) << "when it had grown, at " << point;
    ++tried;
  }
  printf("replaced at %d of %d instructions of a growth\n", int(tried),
         int(steps));
}

}  // namespace
}  // namespace snce_test
