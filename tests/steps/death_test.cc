/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// A process dies at a step. The next operations of other processes succeed at
// once, and the death costs what sslsnce/README.md says.
#include <sched.h>
#include <signal.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "at_once.h"
#include "cost.h"
#include "gtest/gtest.h"
#include "scenario.h"
#include "sslsnce/snce.h"
#include "test_clock.h"
#include "test_region.h"
#include "test_server.h"
#include "test_session.h"
#include "test_steps.h"
#include "test_ticket.h"

namespace snce_test {
namespace {

const snceTime kNow = At(kStart);

class SnceStepDeath : public ::testing::TestWithParam<Place> {
 protected:
  // A process runs the operation on |stage| and dies at the place.
  void Die(const Stage& stage) {
    const Scenario& scenario = *place_.scenario;
    scenario.prepare(stage);
    std::vector<StepOrder> orders;
    if (*scenario.pause) orders.push_back({scenario.pause, 1, SIGSTOP});
    orders.push_back({place_.step, place_.passing, SIGKILL});
    Stepped victim([&] { return scenario.run(stage); }, orders);
    if (*scenario.pause) {
      ASSERT_TRUE(victim.Stopped());
      scenario.meanwhile(stage);
      victim.Wake();
    }
    ASSERT_TRUE(victim.Died());
    steps_ = victim.passed();
    ASSERT_FALSE(steps_.empty());
    ASSERT_EQ(place_.step, steps_.back());
  }
  Passed passed() const {
    return [this](const char* step) {
      return std::find(steps_.begin(), steps_.end(), step) != steps_.end();
    };
  }
  // Runs |operation|, and counts its instructions if the dead process was in an
  // operation on sessions.
  snceResult Do(const std::function<snceResult()>& operation) {
    if (place_.scenario->kind != Kind::kSession)
      return WithoutWaiting(operation);
    return AtOnce(operation, place_.scenario->plain ? kMostInstructions
                                                    : kMostWhileMoving);
  }
  void ExpectSessionsWork(snceCache cache, uint64_t serial) {
    const Session session(serial, kAnothers);
    const snceKey key = session.Key();
    ASSERT_EQ(SNCE_OK, Do([&] { return session.Insert(cache, kNow); }));
    ASSERT_EQ(SNCE_OK, answer_.Lookup(cache, key, kNow));
    ASSERT_EQ("", answer_.Differs(session));
    ASSERT_EQ(SNCE_OK, Do([&] { return snceCache_Remove(cache, &key); }));
    ASSERT_EQ(SNCE_MISS, answer_.Lookup(cache, key, kNow));
  }
  // Makes every kind of change in another server, and expects success.
  void ExpectChangesWork(const Stage& stage) {
    snceCacheOptions options = Options(32);
    snceServerId id;
    ASSERT_EQ(SNCE_OK, WithoutWaiting([&] {
                return Add(stage.get(), "next.example", options, &id);
              }));
    const snceCache next = snceRegion_Cache(stage.get(), id);
    for (uint64_t serial = 0; serial < kOld; ++serial)
      ASSERT_EQ(SNCE_OK, OldOne(serial).Insert(next, kNow));
    options.entries = 200;
    ASSERT_EQ(SNCE_OK, WithoutWaiting([&] {
                return snceCache_Configure(next, &options);
              }));
    ASSERT_EQ(kOld, Stage::CountOld(next));
    ASSERT_EQ(SNCE_OK, WithoutWaiting([&] { return snceCache_Flush(next); }));
    ASSERT_EQ(0u, Stage::CountOld(next));
    ASSERT_EQ(SNCE_OK, WithoutWaiting(
                           [&] { return snceServer_Remove(stage.get(), id); }));
  }

  Watchdog watchdog_{120};
  const Place& place_ = GetParam();
  std::vector<std::string> steps_;  // that the victim passed
  Answer answer_;
};

// ---- sessions ---------------------------------------------------------------

class SnceSessionDeath : public SnceStepDeath {};

TEST_P(SnceSessionDeath, TheNextOperationSucceedsAtOnce) {
  const Stage stage;
  ASSERT_NO_FATAL_FAILURE(Die(stage));
  const std::vector<uint64_t> visible = place_.scenario->visible(passed());
  const Session mine = Mine(0);
  const snceKey key = mine.Key();
  const snceResult result =
      Do([&] { return answer_.Lookup(stage.cache(), key, kNow); });
  ASSERT_EQ(visible == std::vector<uint64_t>{0} ? SNCE_MISS : SNCE_OK, result);
  if (result == SNCE_OK) {
    ASSERT_EQ(SNCE_OK, answer_.Lookup(stage.cache(), key, kNow));
    ASSERT_TRUE(std::count(visible.begin(), visible.end(), answer_.variant()))
        << answer_.variant();
    if (answer_.session().certificate.len != 0) {
      ASSERT_EQ("", answer_.Differs(Mine(answer_.variant())));
    } else {
      ASSERT_EQ("", answer_.Differs(Session(7, answer_.variant())));
    }
  }
  stage.ExpectBesideWhole();
  ExpectSessionsWork(stage.cache(), 7);
  ExpectSessionsWork(stage.cache(), 8);
  ExpectChangesWork(stage);
  stage.ExpectBesideWhole();
}

TEST_P(SnceSessionDeath, CostsWhatIsSaidAndNoRoomForGood) {
  const Cost cost = CostOf(place_.step);
  const Stage stage;
  ASSERT_NO_FATAL_FAILURE(Die(stage));
  if (place_.scenario->plain) {
    const Stage slots(stage);
    const auto fill = [&] {
      for (uint64_t i = 0; i < 6 * kN; ++i)
        Session(50000 + i).Insert(slots.cache(), kNow + kSecond);
    };
    fill();
    EXPECT_EQ(0u, slots.Figures().reclaimed);
    slots.LetTimePass();
    fill();
    EXPECT_EQ(cost == Cost::kSlot ? 1u : 0u, slots.Figures().reclaimed);
    // If a slot is lost while all others are full, this shows it.
    uint64_t full = 0;
    for (uint64_t i = 0; i < 6 * kN; ++i)
      full += Find(slots.cache(), Session(50000 + i), kNow) == SNCE_OK;
    EXPECT_EQ(slots.Figures().slots, full);
    // Store as many certificates as there are cells: no cell is lost either.
    const Stage cells(stage);
    for (uint64_t round = 0; round < 2; ++round) {
      if (round == 1) cells.LetTimePass();
      // The same sessions again, with other certificates.
      for (uint64_t i = 0; i < 600; ++i)
        Session(60000 + i)
            .Certificate(Bytes(7000 + 1000 * round + i, 40))
            .Insert(cells.cache(), kNow + kSecond);
    }
    uint64_t held = 0;
    for (uint64_t i = 0; i < 600; ++i)
      held += Find(cells.cache(), Session(60000 + i), kNow) == SNCE_OK;
    EXPECT_EQ(kCellsOfAClass, held);
  }
  // Remove all sessions, and store as many as the cache is to hold.
  snceServerId id;
  ASSERT_EQ(SNCE_OK, Add(stage.get(), "next.example", Options(32), &id));
  for (uint64_t i = 0; i < 6 * kN; ++i) {
    const Session filled(10000 + i);
    const snceKey key = filled.Key();
    snceCache_Remove(stage.cache(), &key);
  }
  Holds(stage.cache(), 70000);
  Holds(stage.cache(), 80000);
  EXPECT_GE(Holds(stage.cache(), 90000) * 1000, kN * 995);
}

// ---- servers ----------------------------------------------------------------

class SnceServerDeath : public SnceStepDeath {
 protected:
  // Figures have a lane for each processor, on pages of its own. On one
  // processor only, which pages are resident does not depend on chance.
  void SetUp() override {
    cpu_set_t one;
    sched_getaffinity(0, sizeof(before_), &before_);
    CPU_ZERO(&one);
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (CPU_ISSET(cpu, &before_)) {
        CPU_SET(cpu, &one);
        break;
      }
    }
    sched_setaffinity(0, sizeof(one), &one);
  }
  void TearDown() override { sched_setaffinity(0, sizeof(before_), &before_); }

 private:
  cpu_set_t before_;
};

TEST_P(SnceServerDeath, TheNextOperationAndChangeSucceedAtOnce) {
  const Stage stage;
  ASSERT_NO_FATAL_FAILURE(Die(stage));
  ASSERT_NO_FATAL_FAILURE(place_.scenario->left(stage, passed()));
  ExpectSessionsWork(stage.cache(), 7);
  snceServerId id;
  if (Find(stage.get(), "*.old.example", &id) == SNCE_OK)
    ExpectSessionsWork(stage.old(), 77);
  stage.ExpectBesideWhole();
  ExpectChangesWork(stage);
  ASSERT_NO_FATAL_FAILURE(place_.scenario->next(stage, passed()));
  stage.ExpectBesideWhole();
}

// The region must take as much memory as if the dead process had never begun,
// or, if its change was made, as if it had ended it.
TEST_P(SnceServerDeath, TheNextChangeGivesBackWhatItLeft) {
  const Stage stage;
  // Both copies start from the state in which the victim began.
  const Scenario& scenario = *place_.scenario;
  uint64_t bytes[2];
  for (bool done : {false, true}) {
    const Stage control(stage);
    scenario.prepare(control);
    if (done) {
      ASSERT_EQ(SNCE_OK, scenario.run(control));
    }
    snceServerId id;
    ASSERT_EQ(SNCE_OK, Add(control.get(), "next.example", Options(32), &id));
    bytes[done] = DataBytes(control.fd());
  }
  ASSERT_NO_FATAL_FAILURE(Die(stage));
  snceServerId id;
  ASSERT_EQ(SNCE_OK, Add(stage.get(), "next.example", Options(32), &id));
  const uint64_t now = DataBytes(stage.fd());
  // A slot or cell that is still to be taken back may have a page of its own.
  const Cost cost = CostOf(place_.step);
  const bool more = cost == Cost::kSlot || cost == Cost::kCell;
  const auto is = [&](uint64_t expected) {
    return now == expected || (more && now == expected + 4096);
  };
  bool made = false;
  for (const char* step :
       {"add-published", "remove-published", "move-began", "flush-switched"})
    made |= passed()(step);
  EXPECT_TRUE(is(bytes[made]))
      << now << ", not " << bytes[made] << "; " << bytes[!made]
      << (made ? " before" : " afterwards");
}

// ---- keys -------------------------------------------------------------------

class SnceKeyDeath : public SnceStepDeath {
 protected:
  snceResult Put(const Stage& stage, uint64_t name, const std::string& value) {
    uint8_t buffer[128];
    size_t len = 0;
    const snceResult result = snceKeyLog_Put(
        stage.get(), Bytes(name, SNCE_KEY_NAME_BYTES).data(), BytesOf(value),
        value.size(), buffer, sizeof(buffer), &len);
    recorded_ =
        result == SNCE_EXISTS ? std::string(buffer, buffer + len) : value;
    return result;
  }
  std::string recorded_;
};

TEST_P(SnceKeyDeath, TheKeyIsRecordedOrCanBeAtOnce) {
  const Stage stage;
  ASSERT_NO_FATAL_FAILURE(Die(stage));
  const bool there = passed()("key-entered") || *place_.scenario->pause;
  uint8_t buffer[128];
  size_t len;
  ASSERT_EQ(there ? SNCE_OK : SNCE_MISS,
            snceKeyLog_Get(stage.get(), Bytes(1, SNCE_KEY_NAME_BYTES).data(),
                           buffer, sizeof(buffer), &len));
  ASSERT_EQ(there ? SNCE_EXISTS : SNCE_OK,
            AtOnce([&] { return Put(stage, 1, "recorded by the next"); },
                   10 * kMostInstructions));
  ASSERT_EQ(SNCE_EXISTS, Put(stage, 1, "recorded by the next"));
  EXPECT_EQ(*place_.scenario->pause ? "recorded by another"
            : there                 ? "recorded by the one that died"
                                    : "recorded by the next",
            recorded_);
  ExpectSessionsWork(stage.cache(), 7);
  ExpectChangesWork(stage);
  stage.ExpectBesideWhole();
}

TEST_P(SnceKeyDeath, ItCostsOneCellAtMost) {
  const Cost cost = CostOf(place_.step);
  const Stage stage;
  ASSERT_NO_FATAL_FAILURE(Die(stage));
  uint64_t records = passed()("key-entered") || *place_.scenario->pause;
  for (uint64_t name = 100; Put(stage, name, "another") == SNCE_OK; ++name)
    ++records;
  EXPECT_EQ(1024u, records);
  // There are 256 spare cells: 257 such deaths cost one record.
  if (place_.step != "key-written" || *place_.scenario->pause) return;
  EXPECT_EQ(Cost::kKeyCell, cost);
  const Stage other;
  for (uint64_t i = 0; i < 257; ++i) {
    Stepped victim([&] { return Put(other, 50000 + i, "never entered"); },
                   {{place_.step, 1, SIGKILL}});
    ASSERT_TRUE(victim.Died());
  }
  records = 0;
  for (uint64_t name = 100; Put(other, name, "another") == SNCE_OK; ++name)
    ++records;
  EXPECT_EQ(1023u, records);
}

// ---- ticket keys ------------------------------------------------------------

class SnceTicketKeyDeath : public SnceStepDeath {};

TEST_P(SnceTicketKeyDeath, OthersAddAndFindKeysAtOnce) {
  const Stage stage;
  ASSERT_NO_FATAL_FAILURE(Die(stage));
  const bool adding = place_.scenario->name == std::string("ticket_key");
  const bool there = adding && passed()("ticket-published");
  const auto add = [&] {
    const snceTicketKey key = TicketKey(8);
    return snceTicketKeys_Add(stage.get(), &key);
  };
  ASSERT_EQ(SNCE_OK, AtOnce(add, 10 * kMostInstructions));
  ASSERT_EQ(
      there ? (std::multiset<uint64_t>{7, 8}) : (std::multiset<uint64_t>{8}),
      TicketKeysOf(stage.get()));
  ExpectSessionsWork(stage.cache(), 7);
  ExpectChangesWork(stage);
  stage.ExpectBesideWhole();
}

// Claims of the dead are taken back two seconds after they were first met.
TEST_P(SnceTicketKeyDeath, ItCostsASlotUntilTakenBack) {
  const Stage stage;
  ASSERT_NO_FATAL_FAILURE(Die(stage));
  const bool claimed = CostOf(place_.step) == Cost::kTicketSlot;
  const snceTicketKey its = TicketKey(7);
  for (uint64_t id = 100; id < 110; ++id) {
    const snceTicketKey key = TicketKey(id);
    ASSERT_EQ(SNCE_OK, snceTicketKeys_Add(stage.get(), &key));
    stage.LetTimePass();
  }
  if (claimed) {
    EXPECT_EQ(0u, CountInFile(stage.fd(), its.value, 16));
  }
}

std::string Name(const ::testing::TestParamInfo<Place>& info) {
  return NameOf(info.param);
}
INSTANTIATE_TEST_SUITE_P(Dead, SnceSessionDeath,
                         ::testing::ValuesIn(PlacesOf(Kind::kSession)), Name);
INSTANTIATE_TEST_SUITE_P(Dead, SnceServerDeath,
                         ::testing::ValuesIn(PlacesOf(Kind::kServer)), Name);
INSTANTIATE_TEST_SUITE_P(Dead, SnceKeyDeath,
                         ::testing::ValuesIn(PlacesOf(Kind::kKey)), Name);
INSTANTIATE_TEST_SUITE_P(Dead, SnceTicketKeyDeath,
                         ::testing::ValuesIn(PlacesOf(Kind::kTicketKey)), Name);

}  // namespace
}  // namespace snce_test
