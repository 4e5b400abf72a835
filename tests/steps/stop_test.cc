/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// A process is stopped at a step, others go on at once, and it is woken. No
// lookup finds a mixed session, and no removed session comes back.
#include <signal.h>

#include <algorithm>
#include <memory>
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
constexpr uint64_t kFlood = 6 * kN;

class SnceStepStop : public ::testing::TestWithParam<Place> {
 protected:
  // A process runs the operation on |stage_| and stops at the place.
  void Stop() {
    const Scenario& scenario = *place_.scenario;
    scenario.prepare(stage_);
    std::vector<StepOrder> orders;
    if (*scenario.pause) orders.push_back({scenario.pause, 1, SIGSTOP});
    orders.push_back({place_.step, place_.passing, SIGSTOP});
    stopped_.reset(new Stepped([&] { return scenario.run(stage_); }, orders));
    if (*scenario.pause) {
      ASSERT_TRUE(stopped_->Stopped());
      scenario.meanwhile(stage_);
      stopped_->Wake();
    }
    ASSERT_TRUE(stopped_->Stopped());
    steps_ = stopped_->passed();
    ASSERT_FALSE(steps_.empty());
    ASSERT_EQ(place_.step, steps_.back());
  }
  Passed passed() const {
    return [this](const char* step) {
      return std::find(steps_.begin(), steps_.end(), step) != steps_.end();
    };
  }

  Watchdog watchdog_{120};
  const Place& place_ = GetParam();
  const Stage stage_;
  std::unique_ptr<Stepped> stopped_;
  std::vector<std::string> steps_;  // that the stopped process had passed
  Answer answer_;
};

// ---- sessions ---------------------------------------------------------------

class SnceSessionStop : public SnceStepStop {
 protected:
  SnceSessionStop() : mine_(Mine(0)), key_(mine_.Key()) {}
  snceResult Remove() {
    return WithoutWaiting(
        [&] { return snceCache_Remove(stage_.cache(), &key_); });
  }
  // The variant of session 7 that a lookup finds, whole; 0: none.
  uint64_t Variant() {
    const snceResult result = answer_.Lookup(stage_.cache(), key_, kNow);
    EXPECT_TRUE(result == SNCE_OK || result == SNCE_MISS) << result;
    if (result != SNCE_OK) return 0;
    EXPECT_EQ("", answer_.Differs(answer_.session().certificate.len != 0
                                      ? Mine(answer_.variant())
                                      : Session(7, answer_.variant())));
    return answer_.variant();
  }
  // Whether the stopped process had claimed a slot for session 7, or stored it
  // already. Then a removal removes it; else the insert comes after the
  // removal.
  bool Claimed() const {
    return passed()("place-claimed") || passed()("remove-claimed") ||
           passed()("vacate");
  }
  // One of the sessions that fill all slots.
  static Session Filling(uint64_t i) {
    return Session(20000 + i, i, i % 4 ? kPlain : kCertificate);
  }
  void Flood() {
    for (uint64_t i = 0; i < kFlood; ++i) {
      const snceResult result =
          Filling(i).Insert(stage_.cache(), kNow + kSecond);
      ASSERT_TRUE(result == SNCE_OK || result == SNCE_FULL) << i;
    }
  }
  // How many of these sessions are found, whole.
  uint64_t CountFilling() {
    uint64_t found = 0;
    for (uint64_t i = 0; i < kFlood; ++i) {
      const Session session = Filling(i);
      const snceResult result =
          answer_.Lookup(stage_.cache(), session.Key(), kNow);
      EXPECT_TRUE(result == SNCE_OK || result == SNCE_MISS);
      if (result != SNCE_OK) continue;
      EXPECT_EQ("", answer_.Differs(session)) << i;
      ++found;
    }
    return found;
  }
  // Expects that all operations work as if nothing had happened.
  void ExpectSound() {
    Remove();
    ASSERT_EQ(0u, Variant());
    const Session again(7, kAnothers);
    ASSERT_EQ(SNCE_OK, again.Insert(stage_.cache(), kNow));
    ASSERT_EQ(kAnothers, Variant());
    ASSERT_EQ(SNCE_OK, Remove());
    ASSERT_EQ(0u, Variant());
    snceServerId id;
    ASSERT_EQ(SNCE_OK, WithoutWaiting([&] {
                return Add(stage_.get(), "next.example", Options(32), &id);
              }));
  }

  const Session mine_;
  const snceKey key_;
};

TEST_P(SnceSessionStop, WhatIsRemovedMeanwhileStaysGone) {
  ASSERT_NO_FATAL_FAILURE(Stop());
  Remove();
  ASSERT_EQ(0u, Variant());
  const snceResult result = stopped_->Finish();
  const uint64_t found = Variant();
  if (Claimed()) {
    EXPECT_EQ(0u, found) << "removed and back";
  } else if (result == SNCE_OK) {
    EXPECT_EQ(kMine, found);
  } else {
    EXPECT_EQ(0u, found) << "dropped but found";
  }
  stage_.ExpectBesideWhole();
  ExpectSound();
}

TEST_P(SnceSessionStop, WhatIsReplacedMeanwhileIsOneOrTheOther) {
  ASSERT_NO_FATAL_FAILURE(Stop());
  const Session anothers(7, kAnothers);
  ASSERT_EQ(SNCE_OK, WithoutWaiting([&] {
              return anothers.Insert(stage_.cache(), kNow);
            }));
  ASSERT_EQ(kAnothers, Variant());
  const bool removing = !passed()("place-claimed") && Claimed();
  const snceResult result = stopped_->Finish();
  const uint64_t found = Variant();
  // A removal that goes on may remove the new session.
  if (found != kAnothers && !(removing && found == 0)) {
    EXPECT_EQ(kMine, found);
    EXPECT_EQ(SNCE_OK, result) << "dropped but found";
  }
  stage_.ExpectBesideWhole();
  ExpectSound();
}

// A process that waits for a processor is stopped for a moment. However often
// all slots are filled in that time, nobody takes back its claim, and it spoils
// nothing (G2).
TEST_P(SnceSessionStop, AMomentCostsNothing) {
  ASSERT_NO_FATAL_FAILURE(Stop());
  Flood();
  Flood();
  const uint64_t held = CountFilling();
  const snceResult result = stopped_->Finish();
  const uint64_t found = Variant();
  const snceFigures figures = stage_.Figures();
  EXPECT_EQ(0u, figures.reclaimed);
  EXPECT_EQ(0u, figures.corrupt);
  if (place_.scenario->plain && passed()("place-claimed") &&
      !passed()("place-published")) {
    EXPECT_EQ(SNCE_OK, result);
    // Its certificate, if it has one, may have been evicted before it was used.
    EXPECT_TRUE(found == kMine ||
                (found == 0 && figures.missesCertificate != 0))
        << found;
  }
  // It evicts the session that it had chosen when it was stopped.
  EXPECT_LE(held - CountFilling(),
            CostOf(place_.step) == Cost::kCell ? 16u : 1u);
  ExpectSound();
}

// All slots are filled again and again. So the claim of the stopped process is
// taken back, and its slot belongs to another one when it goes on.
TEST_P(SnceSessionStop, WhatIsTakenBackMeanwhileIsNeverMixed) {
  ASSERT_NO_FATAL_FAILURE(Stop());
  const bool holds =
      place_.scenario->plain && CostOf(place_.step) == Cost::kSlot;
  Flood();
  stage_.LetTimePass();
  Flood();
  const uint64_t held = CountFilling();
  const snceResult result = stopped_->Finish();
  const uint64_t found = Variant();
  if (holds && passed()("place-claimed")) {
    EXPECT_EQ(SNCE_DROPPED, result);
    EXPECT_EQ(0u, found);
  }
  EXPECT_TRUE(found == 0 || found == kMine || found == kBefore) << found;
  // It has spoiled the one entry over which it was still storing or wiping, and
  // the checksum showed that. If it had not claimed a slot yet, it may have
  // evicted one session; or spoiled a certificate, and with it the few sessions
  // that share it.
  const uint64_t less = held - CountFilling();
  const bool stores =
      place_.step != "place-written" && place_.step != "vacate-wiped";
  if (holds) {
    EXPECT_EQ(stores ? 1u : 0u, less);
  } else {
    EXPECT_LE(less, CostOf(place_.step) == Cost::kCell ? 16u : 1u);
  }
  ExpectSound();
  // No room is lost for good.
  for (uint64_t i = 0; i < kFlood; ++i) {
    for (const Session& session : {Session(10000 + i), Filling(i)}) {
      const snceKey key = session.Key();
      snceCache_Remove(stage_.cache(), &key);
    }
  }
  // One flood in 1,000 leaves an empty slot in a cache that has grown, so use
  // two.
  EXPECT_EQ(stage_.Figures().slots,
            CountUsable(stage_.cache(), 70000, 2 * kFlood,
                        At(kStart + 100000 * kSecond)));
  EXPECT_GE(Holds(stage_.cache(), 90000) * 1000, kN * 995);
}

// While a process stores a certificate, others take its cell only when the set
// has no empty one. The process may have been interrupted for a few
// milliseconds, in which sixteen claims in a set are soon made. What it then
// still stores would spoil a certificate to which many sessions refer.
TEST(SnceCertificateStop, WhoStoresOneSpoilsNoneWhileThereIsRoom) {
  Watchdog watchdog(60);
  const Stage stage;
  const auto with_certificate = [](uint64_t serial) {
    return Session(serial, 1).Certificate(Bytes(serial, 2000));
  };
  const Session interrupted = with_certificate(1000);
  Stepped stopped([&] { return interrupted.Insert(stage.cache(), kNow); },
                  {{"blob-storing", 20, SIGSTOP}});
  ASSERT_TRUE(stopped.Stopped());
  for (uint64_t serial = 2000; serial < 2300; ++serial) {
    const Session passing = with_certificate(serial);
    const snceKey key = passing.Key();
    ASSERT_EQ(SNCE_OK, passing.Insert(stage.cache(), kNow));
    ASSERT_EQ(SNCE_OK, snceCache_Remove(stage.cache(), &key));
  }
  std::vector<Session> stored;
  for (uint64_t serial = 3000; serial < 3024; ++serial) {
    stored.push_back(with_certificate(serial));
    ASSERT_EQ(SNCE_OK, stored.back().Insert(stage.cache(), kNow));
  }
  EXPECT_EQ(SNCE_OK, stopped.Finish());
  stored.push_back(interrupted);
  for (const Session& session : stored) {
    Answer answer;
    ASSERT_EQ(SNCE_OK, answer.Lookup(stage.cache(), session.Key(), kNow));
    EXPECT_EQ("", answer.Differs(session));
  }
}

// ---- servers ----------------------------------------------------------------

class SnceServerStop : public SnceStepStop {};

TEST_P(SnceServerStop, OthersGoOnAndTheChangeIsDoneWhenItWakes) {
  ASSERT_NO_FATAL_FAILURE(Stop());
  ASSERT_NO_FATAL_FAILURE(place_.scenario->left(stage_, passed()));
  stage_.ExpectBesideWhole();
  // A session more and one less, in the server that is changed if it lives.
  snceServerId id;
  const bool lives = Find(stage_.get(), "*.old.example", &id) == SNCE_OK;
  const snceCache old = lives ? stage_.old() : stage_.cache();
  const bool removing =
      std::string(place_.scenario->name).find("removal") != std::string::npos;
  const bool flushing =
      std::string(place_.scenario->name).find("flush") != std::string::npos;
  const Session more =
      Session(77, kAnothers).Created(At(kStart + kSecond * 99));
  ASSERT_EQ(SNCE_OK, WithoutWaiting([&] { return more.Insert(old, kNow); }));
  ASSERT_EQ(SNCE_OK, answer_.Lookup(old, more.Key(), kNow));
  ASSERT_EQ("", answer_.Differs(more));
  const Session less = OldOne(kOld - 1);  // the youngest: shrinking keeps it
  const snceKey key = less.Key();
  WithoutWaiting([&] { return snceCache_Remove(old, &key); });
  ASSERT_EQ(SNCE_MISS, answer_.Lookup(old, key, kNow));
  // Only another change waits, and then reports that the server is busy.
  if (place_.step == "add-began" || place_.step == "move-began") {
    snceServerId other;
    EXPECT_EQ(SNCE_BUSY,
              Add(stage_.get(), "other.example", Options(32), &other));
  }
  ASSERT_EQ(SNCE_OK, stopped_->Finish());
  ASSERT_EQ(SNCE_MISS, answer_.Lookup(old, key, kNow)) << "removed and back";
  if (!(lives && (removing || flushing))) {
    ASSERT_EQ(SNCE_OK, answer_.Lookup(old, more.Key(), kNow));
    ASSERT_EQ("", answer_.Differs(more));
  } else if (answer_.Lookup(old, more.Key(), kNow) == SNCE_OK) {
    ASSERT_EQ("", answer_.Differs(more));
  }
  if (removing) {
    ASSERT_EQ(SNCE_MISS, Find(stage_.get(), "*.old.example", &id));
  }
  ASSERT_EQ(SNCE_OK, WithoutWaiting([&] {
              return Add(stage_.get(), "next.example", Options(32), &id);
            }));
  stage_.ExpectBesideWhole();
}

// ---- keys -------------------------------------------------------------------

class SnceKeyStop : public SnceStepStop {};

TEST_P(SnceKeyStop, AllLearnTheSameKey) {
  ASSERT_NO_FATAL_FAILURE(Stop());
  const std::string value = "recorded while it stood still";
  uint8_t buffer[128];
  size_t len = 0;
  const bool there = passed()("key-entered") || *place_.scenario->pause;
  auto put = [&] {
    return snceKeyLog_Put(stage_.get(), Bytes(1, SNCE_KEY_NAME_BYTES).data(),
                          BytesOf(value), value.size(), buffer, sizeof(buffer),
                          &len);
  };
  ASSERT_EQ(there ? SNCE_EXISTS : SNCE_OK, WithoutWaiting(put));
  EXPECT_EQ(passed()("key-entered") ? SNCE_OK : SNCE_EXISTS,
            stopped_->Finish());
  ASSERT_EQ(SNCE_EXISTS, put());
  EXPECT_EQ(*place_.scenario->pause   ? "recorded by another"
            : passed()("key-entered") ? "recorded by the one that died"
                                      : value,
            std::string(buffer, buffer + len));
  // The loser has wiped what it had written.
  const std::string its = "recorded by the one that died";
  EXPECT_EQ(passed()("key-entered") ? 1u : 0u,
            CountInFile(stage_.fd(), BytesOf(its), its.size()));
  // Other records can be stored.
  uint64_t records = 1;
  for (uint64_t name = 100;
       snceKeyLog_Put(stage_.get(), Bytes(name, SNCE_KEY_NAME_BYTES).data(),
                      BytesOf(value), value.size(), buffer, sizeof(buffer),
                      &len) == SNCE_OK;
       ++name)
    ++records;
  EXPECT_EQ(1024u, records);
}

// ---- ticket keys ------------------------------------------------------------

class SnceTicketKeyStop : public SnceStepStop {};

// Others add keys while it stands still and after its claim was taken back.
TEST_P(SnceTicketKeyStop, OthersAddAndFindKeysAtOnce) {
  ASSERT_NO_FATAL_FAILURE(Stop());
  const bool adding = place_.scenario->name == std::string("ticket_key");
  for (uint64_t id = 100; id < 110; ++id) {
    const snceTicketKey key = TicketKey(id);
    ASSERT_EQ(SNCE_OK, WithoutWaiting([&] {
                return snceTicketKeys_Add(stage_.get(), &key);
              }));
    ASSERT_EQ(1u, TicketKeysOf(stage_.get()).count(id));
    stage_.LetTimePass();
  }
  const snceResult result = stopped_->Finish();
  EXPECT_EQ(SNCE_OK, result);
  // Its own key is there, if it added one; at most one other was spoiled.
  const std::multiset<uint64_t> all = TicketKeysOf(stage_.get());
  EXPECT_EQ(adding ? 1u : 0u, all.count(7));
  EXPECT_EQ(0u, all.count(0)) << "one is not whole";
  EXPECT_GE(all.size(), adding ? 10u : 9u);
}

// ---- a table in which all writers stand still -------------------------------

// Every slot of the smallest table is claimed by a process that died there. A
// later claim is taken back only when the older ones are used up: six other
// writers are fewer than the ten ways of a set.
TEST(SnceCrowd, TheClaimThatIsOldestIsTakenBackFirst) {
  const auto insert = [](snceCache cache, uint64_t serial) {
    return [cache, serial] { return Session(serial).Insert(cache, kNow); };
  };
  for (uint64_t round = 0; round < 4; ++round) {
    const Region region(Options(1));
    const snceCache cache = region.cache();
    const auto die = [&](uint64_t serial) {
      Stepped victim(insert(cache, serial), {{"place-claimed", 1, SIGKILL}});
      return victim.Died();
    };
    for (uint64_t serial = 0; serial < 120; ++serial) ASSERT_TRUE(die(serial));
    Stepped slow(insert(cache, 1000 + round), {{"place-claimed", 1, SIGSTOP}});
    ASSERT_TRUE(slow.Stopped());
    for (uint64_t serial = 2000; serial < 2006; ++serial)
      ASSERT_TRUE(die(serial));
    EXPECT_EQ(SNCE_OK, slow.Finish());
    EXPECT_EQ(SNCE_OK, Find(cache, Session(1000 + round), kNow));
  }
}

std::string Name(const ::testing::TestParamInfo<Place>& info) {
  return NameOf(info.param);
}
INSTANTIATE_TEST_SUITE_P(Stopped, SnceSessionStop,
                         ::testing::ValuesIn(PlacesOf(Kind::kSession)), Name);
INSTANTIATE_TEST_SUITE_P(Stopped, SnceServerStop,
                         ::testing::ValuesIn(PlacesOf(Kind::kServer)), Name);
INSTANTIATE_TEST_SUITE_P(Stopped, SnceKeyStop,
                         ::testing::ValuesIn(PlacesOf(Kind::kKey)), Name);
INSTANTIATE_TEST_SUITE_P(Stopped, SnceTicketKeyStop,
                         ::testing::ValuesIn(PlacesOf(Kind::kTicketKey)), Name);

}  // namespace
}  // namespace snce_test
