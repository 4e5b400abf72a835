/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "stage.h"

#include "gtest/gtest.h"
#include "test_clock.h"
#include "test_growth.h"
#include "test_server.h"

namespace snce_test {

namespace {

const snceTime kNow = At(kStart);

}  // namespace

snceCacheOptions Small(uint64_t entries) {
  snceCacheOptions options = Options(entries);
  options.certificates = kCells;
  return options;
}

Session Mine(uint64_t variant) {
  return Session(7, variant).Certificate(Bytes(500 + variant, 40));
}

Session OldOne(uint64_t serial) {
  return Session(serial, 1)
      .Certificate(Bytes(serial % 3, 40))
      .Created(At(kStart + int64_t(serial) * kSecond));
}

namespace {

// Makes a region in which session 7 moves when its cache doubles its pages, in
// whichever set it lies. One region in four has such keys.
snceRegion* NewRegion() {
  const snceCacheOptions options = Small(kN);
  snceRegion* made = nullptr;
  for (unsigned tries = 0; tries < 1000; ++tries) {
    EXPECT_EQ(SNCE_OK, snceRegion_Create(&made, &options, false));
    if (GrowthMovesLast(made, Mine(0).get()->id)) break;
    snceRegion_Close(made);
    made = nullptr;
  }
  return made;
}

}  // namespace

Stage::Stage() : Region(NewRegion()) {
  TicksUse(get(), &ticks_);
  snceServerId id;
  EXPECT_EQ(SNCE_OK, Add(get(), "stays.example", Small(32), &id));
  EXPECT_EQ(SNCE_OK, Add(get(), "*.old.example", Small(32), &id));
  for (uint64_t serial = 0; serial < kBeside; ++serial) {
    EXPECT_EQ(SNCE_OK,
              Session(100 + serial, 2, kEverything).Insert(cache(), kNow));
    EXPECT_EQ(SNCE_OK, Session(200 + serial, 2, kEverything)
                           .Insert(Named("stays.example"), kNow));
  }
  for (uint64_t serial = 0; serial < kOld; ++serial)
    EXPECT_EQ(SNCE_OK, OldOne(serial).Insert(old(), kNow));
  // Reading also makes pages resident: the figures, and the index of names,
  // which a removal reads. Read them all now, so that later differences are
  // those of tables and stores.
  EXPECT_EQ(SNCE_OK, Add(get(), "gone.example", Small(32), &id));
  EXPECT_EQ(SNCE_OK, snceServer_Remove(get(), id));
  for (const snceServerInfo& info : List(get()))
    FiguresOf(snceRegion_Cache(get(), info.id));
}

namespace {

snceRegion* AttachToCopy(const Region& other) {
  snceRegion* attached = nullptr;
  EXPECT_EQ(SNCE_OK, snceRegion_Attach(&attached, CopyOf(other.fd()),
                                       SNCE_ACCESS_ADMIN));
  return attached;
}

}  // namespace

Stage::Stage(const Stage& other) : Region(AttachToCopy(other)) {
  TicksUse(get(), &ticks_);
}

snceCache Stage::Named(const char* name) const {
  snceServerId id = IdOf(get(), SNCE_SERVERS_MAX, 0);
  snce_test::Find(get(), name, &id);
  return snceRegion_Cache(get(), id);
}

void Stage::ExpectBesideWhole() const {
  Answer answer;
  for (uint64_t serial = 0; serial < kBeside; ++serial) {
    for (uint64_t where : {100, 200}) {
      const Session session(where + serial, 2, kEverything);
      ASSERT_EQ(SNCE_OK,
                answer.Lookup(where == 100 ? cache() : Named("stays.example"),
                              session.Key(), kNow));
      ASSERT_EQ("", answer.Differs(session));
    }
  }
}

uint64_t Stage::CountOld(snceCache cache, uint64_t first) {
  Answer answer;
  uint64_t found = 0;
  for (uint64_t serial = first; serial < kOld; ++serial) {
    if (answer.Lookup(cache, OldOne(serial).Key(), kNow) != SNCE_OK) continue;
    EXPECT_EQ("", answer.Differs(OldOne(serial)));
    ++found;
  }
  return found;
}

uint64_t Holds(snceCache cache, uint64_t first) {
  for (uint64_t i = 0; i < kN; ++i) Session(first + i).Insert(cache, kNow);
  const uint64_t found = CountFound(cache, first, kN, kNow);
  for (uint64_t i = 0; i < kN; ++i) {
    const Session session(first + i);
    const snceKey key = session.Key();
    snceCache_Remove(cache, &key);
  }
  return found;
}

}  // namespace snce_test
