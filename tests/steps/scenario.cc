/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "scenario.h"

#include <signal.h>

#include <algorithm>
#include <cctype>
#include <map>

#include "gtest/gtest.h"
#include "test_clock.h"
#include "test_growth.h"
#include "test_server.h"
#include "test_session.h"
#include "test_steps.h"
#include "test_ticket.h"

namespace snce_test {

// ---- operations -------------------------------------------------------------

namespace {

const snceTime kNow = At(kStart);

using Visible = std::vector<uint64_t>;

snceResult RemoveMine(snceCache cache) {
  const Session mine = Mine(0);
  const snceKey key = mine.Key();
  return snceCache_Remove(cache, &key);
}

void StoreBefore(const Stage& stage) {
  EXPECT_EQ(SNCE_OK, Mine(kBefore).Insert(stage.cache(), kNow));
}

snceResult InsertMine(const Stage& stage) {
  return Mine(kMine).Insert(stage.cache(), kNow);
}

// Fills every slot with sessions that are older than those beside them.
void Fill(const Stage& stage) {
  for (uint64_t i = 0; i < 6 * kN; ++i)
    Session(10000 + i)
        .Created(At(kStart - 1000 * kSecond))
        .Insert(stage.cache(), kNow);
  for (uint64_t serial = 0; serial < kBeside; ++serial)
    EXPECT_EQ(
        SNCE_OK,
        Session(100 + serial, 2, kEverything).Insert(stage.cache(), kNow));
}

// Kills a process at a step of a change.
void DieAt(const char* step, const std::function<snceResult()>& change) {
  Stepped child(change, {{step, 1, SIGKILL}});
  EXPECT_TRUE(child.Died()) << "it did not die at " << step;
}

snceResult Grow(snceCache cache) {
  snceCacheOptions options = Small(3 * kN);
  return snceCache_Configure(cache, &options);
}

// Leaves the default cache moving: the process that moved it is dead.
void LeaveMoving(const Stage& stage) {
  DieAt("move-began", [&] { return Grow(stage.cache()); });
}

snceResult AddNew(const Stage& stage) {
  snceServerId id;
  return Add(stage.get(), "*.new.example", Small(32), &id);
}

snceResult RemoveOld(const Stage& stage) {
  return snceServer_Remove(stage.get(), IdOf(stage.get(), 2, 1));
}

snceResult Shrink(snceCache cache) {
  snceCacheOptions options = Small(10);
  options.certificates = 2 * kCells;  // and another store
  return snceCache_Configure(cache, &options);
}

snceResult GrowOld(const Stage& stage) {
  snceCacheOptions options = Small(200);
  return snceCache_Configure(stage.old(), &options);
}

snceCacheOptions Retimed() {
  snceCacheOptions options = Small(32);
  options.timeoutSec[SNCE_CLASS_SSL2] = 50;
  options.timeoutSec[SNCE_CLASS_SSL3] = 3600;
  options.unlisted = true;
  return options;
}

// While a server is added, either no process finds it or every one does.
void ExpectAdded(const Stage& stage, bool there) {
  snceServerId id = kDefault;
  ASSERT_EQ(there ? SNCE_OK : SNCE_MISS,
            Find(stage.get(), "*.new.example", &id));
  ASSERT_EQ(there ? id : kDefault, Choose(stage.get(), "a.new.example"));
  ASSERT_EQ(there ? 4u : 3u, List(stage.get()).size());
  if (there) {
    ASSERT_EQ(0u, Stage::CountOld(snceRegion_Cache(stage.get(), id)));
  }
}

void ExpectRemoved(const Stage& stage, bool gone) {
  const snceCache cache =
      snceRegion_Cache(stage.get(), IdOf(stage.get(), 2, 1));
  snceServerId id;
  ASSERT_EQ(gone ? SNCE_MISS : SNCE_OK,
            Find(stage.get(), "*.old.example", &id));
  ASSERT_EQ(gone ? 0u : kOld, Stage::CountOld(cache));
  ASSERT_EQ(gone ? 2u : 3u, List(stage.get()).size());
}

// After the next change, a number that was given back is used again.
void ExpectNumber(const Stage& stage, uint32_t number) {
  snceServerId id;
  ASSERT_EQ(SNCE_OK, Add(stage.get(), "number.example", Small(32), &id));
  ASSERT_EQ(number, id.number);
  ASSERT_EQ(SNCE_OK, snceServer_Remove(stage.get(), id));
}

void ExpectAllOld(const Stage& stage, const Passed&) {
  ASSERT_EQ(kOld, Stage::CountOld(stage.old()));
}
void ExpectNewestOld(const Stage& stage, const Passed&) {
  ASSERT_EQ(10u, Stage::CountOld(stage.old(), kOld - 10));
}

constexpr const char* kKeyValue = "recorded by the one that died";

snceResult PutKey(const Stage& stage, const std::string& value) {
  uint8_t buffer[128];
  size_t len;
  return snceKeyLog_Put(stage.get(), Bytes(1, SNCE_KEY_NAME_BYTES).data(),
                        reinterpret_cast<const uint8_t*>(value.data()),
                        value.size(), buffer, sizeof(buffer), &len);
}

void Nothing(const Stage&) {}

Scenario OfSession(const char* name, void (*prepare)(const Stage&),
                   snceResult (*run)(const Stage&),
                   std::function<Visible(const Passed&)> visible,
                   bool plain = true) {
  return {name,    Kind::kSession, prepare, run,     "",
          nullptr, visible,        plain,   nullptr, nullptr};
}

Scenario OfServer(const char* name, std::function<void(const Stage&)> prepare,
                  std::function<snceResult(const Stage&)> run,
                  std::function<void(const Stage&, const Passed&)> left,
                  std::function<void(const Stage&, const Passed&)> next) {
  return {name,    Kind::kServer, prepare, run,  "",
          nullptr, nullptr,       true,    left, next};
}

// ---- a cache that grows by itself -------------------------------------------

bool IsCrowded(snceCache cache, const Session& session) {
  return GrowthRoom(cache, session.get()->id) <= GROWTH_CROWDED;
}

// A session whose insert makes the table grow; the session may not exist yet.
Session Trigger(snceCache cache) {
  for (uint64_t i = 0; i < 200; ++i)
    if (IsCrowded(cache, Session(60000 + i))) return Session(60000 + i);
  return Session(60000);
}

// Fills the default cache until |crowded| is true.
void Crowd(const Stage& stage, const std::function<bool(snceCache)>& crowded) {
  const snceCache cache = stage.cache();
  const uint64_t word = GrowthOf(cache).word;
  GrowthSet(cache, GrowthFrozen(word));
  for (uint64_t i = 0; i < 6 * kN && !crowded(cache); ++i) {
    const Session filler(10000 + i);
    // Evict nothing.
    if (GrowthRoom(cache, filler.get()->id) > 0) {
      EXPECT_EQ(SNCE_OK, filler.Insert(cache, kNow));
    }
  }
  GrowthSet(cache, word);
}

// Whether session 7 will move with the next page.
bool MovesNext(snceCache cache) {
  const uint64_t word = GrowthOf(cache).word;
  GrowthSet(cache, GrowthBegun(word));
  const GrowthPlace place = GrowthWhere(cache, Mine(0).get()->id);
  GrowthSet(cache, word);
  return place == GROWTH_IN_OLD;
}

// Makes the default cache larger, so that it can grow, and grows it until
// |ready|.
void GrowUntil(const Stage& stage,
               const std::function<bool(snceCache)>& ready) {
  const snceCache cache = stage.cache();
  StoreBefore(stage);
  const snceCacheOptions options = Small(3 * kN);
  EXPECT_EQ(SNCE_OK, snceCache_Configure(cache, &options));
  while (GrowthOf(cache).used < GrowthOf(cache).pages) {
    if (ready(cache)) return;
    GrowthStep(cache, kNow);
  }
  ADD_FAILURE() << "it never moves";
}

// Session 7 will move with the next page.
void WaitToMove(const Stage& stage) { GrowUntil(stage, MovesNext); }

// A split of its page has begun, but no process has moved session 7 yet.
void WaitInOld(const Stage& stage) {
  WaitToMove(stage);
  GrowthSet(stage.cache(), GrowthBegun(GrowthOf(stage.cache()).word));
}

// Stores session 7 and returns whether it will move with the next page. The
// table does not grow meanwhile.
bool WouldMoveNext(snceCache cache) {
  const uint64_t word = GrowthOf(cache).word;
  GrowthSet(cache, GrowthFrozen(word));
  RemoveMine(cache);
  EXPECT_EQ(SNCE_OK, Mine(kBefore).Insert(cache, kNow));
  GrowthSet(cache, word);
  return MovesNext(cache);
}

// Removes session 7, and fills the set in which it was with sessions that fit
// there, until an insert stores session 7 in its other set.
bool StoreItElsewhere(snceCache cache) {
  const uint64_t word = GrowthOf(cache).word;
  const uint64_t slot = GrowthSlot(cache, Mine(0).get()->id);
  bool moves = false;
  // One session in a hundred fits, and inserts store most of those in their
  // other set until that is as full.
  for (uint64_t i = 0; i < 400000 && !moves; ++i) {
    const Session filler(100000 + i);
    if (!GrowthFits(cache, filler.get()->id, slot)) continue;
    if (GrowthRoom(cache, filler.get()->id) == 0) continue;
    GrowthSet(cache, GrowthFrozen(word));
    EXPECT_EQ(SNCE_OK, RemoveMine(cache));
    EXPECT_EQ(SNCE_OK, filler.Insert(cache, kNow));
    GrowthSet(cache, word);
    moves = WouldMoveNext(cache);
  }
  return moves;
}

// Session 7 is not in the cache. An insert will store it where it moves with
// the next page.
void WaitForNone(const Stage& stage) {
  GrowUntil(stage, [](snceCache cache) {
    return GrowthReaches(cache, Mine(0).get()->id);
  });
  EXPECT_TRUE(WouldMoveNext(stage.cache()) || StoreItElsewhere(stage.cache()));
  EXPECT_EQ(SNCE_OK, RemoveMine(stage.cache()));
}

void GrowByAPage(const Stage& stage) { GrowthStep(stage.cache(), kNow); }

std::vector<Scenario> GrowthScenarios() {
  const auto before = [](const Passed&) { return Visible{kBefore}; };
  const auto mine = [](const Passed&) { return Visible{kMine}; };
  const auto gone = [](const Passed&) { return Visible{0}; };
  std::vector<Scenario> all = {
      OfSession(
          "insert_that_grows_the_table",
          [](const Stage& stage) {
            WaitForNone(stage);
            Crowd(stage, [](snceCache cache) {
              return IsCrowded(cache, Mine(kMine));
            });
          },
          InsertMine,
          [](const Passed& passed) {
            return passed("place-published") ? Visible{kMine} : Visible{0};
          },
          false),
      OfSession(
          "growth_that_moves_it",
          [](const Stage& stage) {
            WaitToMove(stage);
            Crowd(stage, [](snceCache cache) {
              return IsCrowded(cache, Trigger(cache));
            });
          },
          [](const Stage& stage) {
            return Trigger(stage.cache()).Insert(stage.cache(), kNow);
          },
          before, false),
      OfSession(
          "removal_while_its_page_is_split", WaitInOld,
          [](const Stage& stage) { return RemoveMine(stage.cache()); }, gone,
          false),
      OfSession(
          "replacement_while_its_page_is_split", WaitInOld, InsertMine,
          [](const Passed& passed) {
            return passed("remove-claimed")    ? Visible{kMine}
                   : passed("place-published") ? Visible{kBefore, kMine}
                                               : Visible{kBefore};
          },
          false),
  };
  all[0].moves = all[1].moves = true;
  Scenario overtaken = OfSession("insert_that_growth_overtakes", WaitForNone,
                                 InsertMine, gone, false);
  overtaken.pause = "place-written";
  overtaken.meanwhile = GrowByAPage;
  all.push_back(overtaken);
  overtaken = OfSession("insert_that_growth_moves", WaitForNone, InsertMine,
                        mine, false);
  overtaken.pause = "place-published";
  overtaken.meanwhile = GrowByAPage;
  all.push_back(overtaken);
  return all;
}

std::vector<Scenario> SessionScenarios() {
  const auto inserted = [](const Passed& passed) {
    return passed("place-published") ? Visible{kMine} : Visible{0};
  };
  const auto replaced = [](const Passed& passed) {
    return passed("place-published") ? Visible{kMine}
           : passed("place-claimed") ? Visible{0}
                                     : Visible{kBefore};
  };
  const auto gone = [](const Passed&) { return Visible{0}; };
  std::vector<Scenario> all = {
      OfSession(
          "insert", Nothing,
          [](const Stage& stage) {
            return Session(7, kMine).Insert(stage.cache(), kNow);
          },
          inserted),
      OfSession("insert_with_a_certificate", Nothing, InsertMine, inserted),
      OfSession(
          "insert_with_a_known_certificate",
          [](const Stage& stage) {
            EXPECT_EQ(SNCE_OK, Session(99)
                                   .Certificate(Mine(kMine).certificate())
                                   .Insert(stage.cache(), kNow));
          },
          InsertMine, inserted),
      OfSession("insert_into_a_full_cache", Fill, InsertMine, inserted),
      OfSession("replacement", StoreBefore, InsertMine, replaced),
      OfSession(
          "removal", StoreBefore,
          [](const Stage& stage) { return RemoveMine(stage.cache()); }, gone),
      OfSession(
          "lookup_of_an_expired_session", StoreBefore,
          [](const Stage& stage) {
            Answer answer;
            return answer.Lookup(stage.cache(), Mine(0).Key(),
                                 kNow + 100000 * kSecond);
          },
          gone),
      // While the cache moves, a session may be in either backing store.
      OfSession("insert_while_the_cache_moves", LeaveMoving, InsertMine,
                inserted, false),
      OfSession(
          "replacement_while_the_cache_moves",
          [](const Stage& stage) {
            StoreBefore(stage);
            LeaveMoving(stage);
          },
          InsertMine,
          [](const Passed& passed) {
            return passed("remove-claimed") ? Visible{kMine} : Visible{kBefore};
          },
          false),
      OfSession(
          "removal_while_the_cache_moves",
          [](const Stage& stage) {
            StoreBefore(stage);
            LeaveMoving(stage);
          },
          [](const Stage& stage) { return RemoveMine(stage.cache()); }, gone,
          false),
  };
  // An insert that is complete, but finds that the cache has changed meanwhile.
  Scenario overtaken = OfSession(
      "insert_that_a_move_overtakes", Nothing, InsertMine,
      [](const Passed& passed) {
        return passed("vacate") ? Visible{0} : Visible{kMine};
      },
      false);
  overtaken.pause = "place-published";
  overtaken.meanwhile = LeaveMoving;
  all.push_back(overtaken);
  overtaken = OfSession("insert_that_a_flush_overtakes", Nothing, InsertMine,
                        gone, false);
  overtaken.pause = "place-published";
  overtaken.meanwhile = [](const Stage& stage) {
    EXPECT_EQ(SNCE_OK, snceCache_Flush(stage.cache()));
    for (uint64_t serial = 0; serial < kBeside; ++serial)
      EXPECT_EQ(
          SNCE_OK,
          Session(100 + serial, 2, kEverything).Insert(stage.cache(), kNow));
  };
  all.push_back(overtaken);
  for (const Scenario& more : GrowthScenarios()) all.push_back(more);
  return all;
}

std::vector<Scenario> ServerScenarios() {
  const auto added = [](const Stage& stage, const Passed& passed) {
    ExpectAdded(stage, passed("add-published"));
  };
  const auto removed = [](const Stage& stage, const Passed& passed) {
    ExpectRemoved(stage, passed("remove-published"));
  };
  const auto flushed = [](const Stage& stage, const Passed& passed) {
    ASSERT_EQ(passed("flush-switched") ? 0u : kOld,
              Stage::CountOld(stage.old()));
  };
  const auto flush = [](const Stage& stage) {
    return snceCache_Flush(stage.old());
  };
  const auto grown = [](const Stage& stage, const Passed& passed) {
    ExpectAllOld(stage, passed);
    // The options report the new size from the moment that the move begins.
    snceCacheOptions options;
    ASSERT_EQ(SNCE_OK, snceCache_GetOptions(stage.old(), &options));
    ASSERT_EQ(passed("move-began") ? 200u : 32u, options.entries);
  };
  const auto retimed = [](const Stage& stage, const Passed& passed) {
    snceCacheOptions now;
    ASSERT_EQ(SNCE_OK, snceCache_GetOptions(stage.old(), &now));
    // The timeouts change one by one, in this order.
    ASSERT_TRUE(now.timeoutSec[SNCE_CLASS_SSL2] == 100 ||
                passed("change-retimed"));
    ASSERT_TRUE(now.timeoutSec[SNCE_CLASS_SSL3] == 86400 ||
                now.timeoutSec[SNCE_CLASS_SSL2] == 50);
    if (passed("change-flagged")) {
      ASSERT_EQ(50u, now.timeoutSec[SNCE_CLASS_SSL2]);
      ASSERT_EQ(3600u, now.timeoutSec[SNCE_CLASS_SSL3]);
    }
    ASSERT_EQ(passed("change-flagged"), now.unlisted);
    ExpectAllOld(stage, passed);
  };
  const auto retime = [](const Stage& stage) {
    const snceCacheOptions options = Retimed();
    return snceCache_Configure(stage.old(), &options);
  };
  // The next change has to repair what another process's death left.
  const auto another = [](const Stage& stage) {
    snceServerId id;
    const snceResult result =
        Add(stage.get(), "another.example", Small(32), &id);
    return result == SNCE_EXISTS ? SNCE_OK : result;
  };
  const auto after = [](std::function<snceResult(const Stage&)> change,
                        const char* step) {
    return [change, step](const Stage& stage) {
      DieAt(step, [&] { return change(stage); });
    };
  };
  const auto shrink = [](const Stage& stage) { return Shrink(stage.old()); };
  return {
      OfServer("addition", Nothing, AddNew, added,
               [](const Stage& stage, const Passed& passed) {
                 ExpectAdded(stage, passed("add-published"));
                 ExpectNumber(stage, passed("add-published") ? 4 : 3);
               }),
      OfServer("removal_of_a_server", Nothing, RemoveOld, removed,
               [](const Stage& stage, const Passed& passed) {
                 ExpectRemoved(stage, passed("remove-published"));
                 ExpectNumber(stage, passed("remove-published") ? 2 : 3);
               }),
      // The store begins without cells for a certificate of this size, so the
      // new store takes a segment for it at once.
      OfServer(
          "flush",
          [](const Stage& stage) {
            EXPECT_EQ(SNCE_OK, Session(5000)
                                   .Certificate(Bytes(5000, 6000))
                                   .Insert(stage.old(), kNow));
          },
          flush, flushed, flushed),
      OfServer("growth", Nothing, GrowOld, grown, grown),
      OfServer("shrinking", Nothing, shrink, ExpectNewestOld, ExpectNewestOld),
      OfServer("new_timeouts_and_flags", Nothing, retime, retimed, retimed),
      OfServer(
          "repair_of_an_addition", after(AddNew, "add-entered"), another,
          [](const Stage& stage, const Passed&) {
            snceServerId id;
            ASSERT_EQ(SNCE_MISS, Find(stage.get(), "*.new.example", &id));
          },
          [](const Stage& stage, const Passed& passed) {
            ExpectNumber(stage, passed("add-published") ? 4 : 3);
          }),
      OfServer(
          "repair_of_a_removal", after(RemoveOld, "remove-published"), another,
          [](const Stage& stage, const Passed&) {
            snceServerId id;
            ASSERT_EQ(SNCE_MISS, Find(stage.get(), "*.old.example", &id));
            ASSERT_EQ(0u, Stage::CountOld(snceRegion_Cache(
                              stage.get(), IdOf(stage.get(), 2, 1))));
          },
          [](const Stage& stage, const Passed& passed) {
            ExpectNumber(stage, passed("add-published") ? 3 : 2);
          }),
      OfServer(
          "repair_of_a_flush", after(flush, "flush-switched"), another,
          [](const Stage& stage, const Passed&) {
            ASSERT_EQ(0u, Stage::CountOld(stage.old()));
          },
          [](const Stage& stage, const Passed&) {
            ASSERT_EQ(0u, Stage::CountOld(stage.old()));
          }),
      OfServer("repair_of_a_move", after(GrowOld, "move-copied"), another,
               ExpectAllOld, ExpectAllOld),
      OfServer("repair_of_shrinking", after(shrink, "move-began"), another,
               ExpectNewestOld, ExpectNewestOld),
  };
}

std::vector<Scenario> KeyScenarios() {
  const auto put = [](const Stage& stage) { return PutKey(stage, kKeyValue); };
  Scenario key = {"key",   Kind::kKey, Nothing, put,     "",
                  nullptr, nullptr,    true,    nullptr, nullptr};
  Scenario lost = key;
  lost.name = "key_that_another_recorded_first";
  lost.pause = "key-written";
  lost.meanwhile = [](const Stage& stage) {
    EXPECT_EQ(SNCE_OK, PutKey(stage, "recorded by another"));
  };
  return {key, lost};
}

snceResult AddTicketKey(const Stage& stage, uint64_t id) {
  const snceTicketKey key = TicketKey(id);
  return snceTicketKeys_Add(stage.get(), &key);
}

std::vector<Scenario> TicketKeyScenarios() {
  const auto add = [](const Stage& stage) { return AddTicketKey(stage, 7); };
  Scenario added = {"ticket_key", Kind::kTicketKey, Nothing, add,     "",
                    nullptr,      nullptr,          true,    nullptr, nullptr};
  Scenario removed = added;
  removed.name = "removal_of_a_ticket_key";
  removed.prepare = [](const Stage& stage) {
    EXPECT_EQ(SNCE_OK, AddTicketKey(stage, 7));
  };
  removed.run = [](const Stage& stage) {
    const auto all = [](void*, const snceTicketKey*) { return true; };
    return snceTicketKeys_Remove(stage.get(), all, nullptr) == 1 ? SNCE_OK
                                                                 : SNCE_MISS;
  };
  return {added, removed};
}

}  // namespace

const std::vector<Scenario>& Scenarios() {
  static const std::vector<Scenario>* const all = [] {
    auto* scenarios = new std::vector<Scenario>(SessionScenarios());
    for (const auto& more :
         {ServerScenarios(), KeyScenarios(), TicketKeyScenarios()})
      scenarios->insert(scenarios->end(), more.begin(), more.end());
    return scenarios;
  }();
  return *all;
}

// ---- places -----------------------------------------------------------------

namespace {

// The steps that a scenario passes; |*from| is how many of them come before its
// pause.
std::vector<std::string> Trace(const Scenario& scenario, size_t* from) {
  const Stage stage;
  scenario.prepare(stage);
  *from = 0;
  if (*scenario.pause == '\0')
    return StepsOf([&] { return scenario.run(stage); });
  Stepped child([&] { return scenario.run(stage); },
                {{scenario.pause, 1, SIGSTOP}});
  EXPECT_TRUE(child.Stopped()) << scenario.name;
  *from = child.passed().size();
  scenario.meanwhile(stage);
  child.Finish();
  return child.passed();
}

}  // namespace

std::vector<Place> PlacesOf(Kind kind) {
  std::vector<Place> places;
  for (const Scenario& scenario : Scenarios()) {
    if (scenario.kind != kind) continue;
    size_t from;
    const std::vector<std::string> trace = Trace(scenario, &from);
    std::map<std::string, unsigned> passings;
    for (size_t at = 0; at < trace.size(); ++at) {
      const unsigned passing = ++passings[trace[at]];
      const bool last = std::find(trace.begin() + ptrdiff_t(at) + 1,
                                  trace.end(), trace[at]) == trace.end();
      if (at < from || (passing > 1 && !last && !scenario.moves)) continue;
      // The insert itself is the first to pass one of these steps.
      const bool both = trace[at].compare(0, 6, "place-") == 0;
      if (scenario.moves && passing > (both ? 2u : 1u)) continue;
      places.push_back({&scenario, trace[at], passing});
    }
  }
  return places;
}

std::string NameOf(const Place& place) {
  std::string name = std::string(place.scenario->name) + "__at__" + place.step;
  if (place.passing > 1) name += "__" + std::to_string(place.passing);
  for (char& c : name)
    if (!isalnum(static_cast<unsigned char>(c))) c = '_';
  return name;
}

void PrintTo(const Place& place, std::ostream* out) {
  *out << place.scenario->name << " at " << place.step << ", passing "
       << place.passing;
}

}  // namespace snce_test
