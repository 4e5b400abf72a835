/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// How long a writer waits before it takes back another writer's claim (rule 5),
// by a clock that the test sets. The tests write claims into the version words
// as a writer leaves them that died or was preempted.
#include <unistd.h>

#include <cstdint>

#include "gtest/gtest.h"
#include "snceversion.h"
#include "sslsnce/snce.h"
#include "test_clock.h"
#include "test_region.h"
#include "test_session.h"
#include "test_ticks.h"
#include "words.h"

namespace snce_test {
namespace {

constexpr uint32_t kTag = 1234;

// Stores the session |serial|, unless it has the tag of the claims: such an
// insert would take out the claim, which may become a second copy of its
// session. One session of 2,000,000 has that tag.
snceResult InsertInto(const Region& region, uint64_t serial) {
  const Session session(serial);
  if (WordsTag(region.get(), session.get()->id) == kTag) return SNCE_OK;
  return session.Insert(region.cache(), At(kStart));
}

class SncePatience : public ::testing::Test {
 protected:
  SncePatience() { TicksUse(region_.get(), &ticks_); }
  uint64_t slots() const { return WordsSlots(region_.get(), 0); }
  void Claim(uint64_t slot) {
    const uint64_t before = WordsVersion(region_.get(), 0, slot);
    ASSERT_EQ(SNCE_STATE_EMPTY, snceVersion_State(before));
    WordsSetVersion(
        region_.get(), 0, slot,
        snceVersion_Claimed(before, 256, uint64_t(kTag) << SNCE_TAG_SHIFT));
  }
  // Claims all slots of the first set, whatever they hold.
  void ClaimSet() {
    for (uint64_t slot = 0; slot < 10; ++slot)
      WordsSetVersion(
          region_.get(), 0, slot,
          snceVersion_Claimed(WordsVersion(region_.get(), 0, slot), 256,
                              uint64_t(kTag) << SNCE_TAG_SHIFT));
  }
  uint64_t ClaimsOfSet() const {
    uint64_t claims = 0;
    for (uint64_t slot = 0; slot < 10; ++slot)
      claims += StateOf(slot) == SNCE_STATE_BUSY;
    return claims;
  }
  // Makes a slot empty, as if a claim had been overridden there just now.
  void Rest(uint64_t slot) {
    WordsSetVersion(region_.get(), 0, slot,
                    snceVersion_WithTicket(WordsEmpty(257) | SNCE_OVERRODE,
                                           uint8_t(1 + ticks_ % 255)));
  }
  unsigned StateOf(uint64_t slot) const {
    return snceVersion_State(WordsVersion(region_.get(), 0, slot));
  }
  // Stores so many sessions that inserts pass every set, and evict.
  void Insert(uint64_t count) {
    for (uint64_t end = next_ + count; next_ < end; ++next_)
      ASSERT_EQ(SNCE_OK, InsertInto(region_, next_));
  }
  uint64_t reclaimed() const { return region_.Figures().reclaimed; }

  uint64_t ticks_ = 1000;
  Region region_{Options(1)};
  uint64_t next_ = 1000;
};

// A claim stands however many inserts pass it while its writer waits for a
// processor: sixteen, a former limit, once passed in a millisecond.
TEST_F(SncePatience, AClaimStandsAsLongAsNoTimePasses) {
  for (uint64_t slot = 0; slot < slots(); slot += 10) Claim(slot + 3);
  Insert(100000);
  ticks_ += TICKS_PATIENCE;
  Insert(100000);
  EXPECT_EQ(0u, reclaimed());
  for (uint64_t slot = 0; slot < slots(); slot += 10)
    EXPECT_EQ(SNCE_STATE_BUSY, StateOf(slot + 3));
}

// The writers of a whole set were preempted. Each ID has a second set, too.
TEST_F(SncePatience, ClaimsOfAWholeSetStandWhileTheOtherSetHasSessions) {
  Insert(1000);
  ClaimSet();
  Insert(1000);
  EXPECT_EQ(10u, ClaimsOfSet());
  EXPECT_EQ(0u, reclaimed());
  ticks_ += TICKS_PATIENCE + 1;
  Insert(1000);
  EXPECT_EQ(0u, ClaimsOfSet());
  EXPECT_EQ(10u, reclaimed());
}

TEST_F(SncePatience, ClaimsOfAWholeSetStandWhileTheOtherSetHasSlotsThatRest) {
  for (uint64_t slot = 10; slot < slots(); ++slot) Rest(slot);
  ClaimSet();
  Insert(1000);
  EXPECT_EQ(10u, ClaimsOfSet());
  EXPECT_EQ(0u, reclaimed());
}

TEST_F(SncePatience, WhereBothSetsAreClaimedOneClaimIsTakenBackAtOnce) {
  for (uint64_t slot = 0; slot < slots(); ++slot) Claim(slot);
  Insert(1);
  EXPECT_EQ(1u, reclaimed());
  EXPECT_EQ(SNCE_OK, Find(region_.cache(), Session(1000), At(kStart)));
}

// The two seconds count from the first insert that passes the claim, not from
// the claim or from the last insert in the set: a writer that was suspended
// with its machine had no time to go on.
TEST_F(SncePatience, ItIsTakenBackTwoSecondsAfterItWasFirstPassed) {
  // The time that is noted wraps: try the whole range.
  for (uint64_t begin = 0; begin < 256; begin += 3) {
    Region region(Options(1));
    ticks_ = begin;
    TicksUse(region.get(), &ticks_);
    const uint64_t slots = WordsSlots(region.get(), 0);
    uint64_t serial = 0;
    const auto insert = [&](uint64_t count) {
      for (uint64_t end = serial + count; serial < end; ++serial)
        ASSERT_EQ(SNCE_OK, InsertInto(region, serial));
    };
    for (uint64_t slot = 0; slot < slots; slot += 10)
      WordsSetVersion(region.get(), 0, slot, WordsClaimed(1, 0, kTag));
    ticks_ += 100;
    insert(200);
    ticks_ += TICKS_PATIENCE;
    insert(200);
    ASSERT_EQ(0u, region.Figures().reclaimed) << begin;
    ticks_ += 1;
    insert(200);
    ASSERT_EQ(slots / 10, region.Figures().reclaimed) << begin;
  }
}

TEST_F(SncePatience, AWriterThatWasPassedStillPublishes) {
  Claim(0);
  const uint64_t claim = WordsVersion(region_.get(), 0, 0);
  Insert(1000);
  const uint64_t noted = WordsVersion(region_.get(), 0, 0);
  ASSERT_NE(claim, noted);
  ASSERT_TRUE(snceVersion_Same(claim, noted));
  EXPECT_TRUE(WordsPublish(region_.get(), 0, 0, claim));
  EXPECT_EQ(snceVersion_Published(claim), WordsVersion(region_.get(), 0, 0));
}

TEST_F(SncePatience, AWriterThatWasOverriddenDoesNot) {
  Claim(0);
  const uint64_t claim = WordsVersion(region_.get(), 0, 0);
  Insert(1000);
  ticks_ += TICKS_PATIENCE + 1;
  Insert(1000);
  ASSERT_EQ(1u, reclaimed());
  const uint64_t now = WordsVersion(region_.get(), 0, 0);
  EXPECT_FALSE(WordsPublish(region_.get(), 0, 0, claim));
  EXPECT_EQ(now, WordsVersion(region_.get(), 0, 0));
}

// The writer whose claim a removal overrode may still be storing. So the slot
// rests while another one is free.
TEST_F(SncePatience, ASlotWhoseClaimWasOverriddenRests) {
  const Session removed(1);
  ASSERT_EQ(SNCE_OK, removed.Insert(region_.cache(), At(kStart)));
  uint64_t its = 0;
  while (StateOf(its) != SNCE_STATE_FULL) ++its;
  // Turn the session back into a claim that was not published yet.
  const uint64_t full = WordsVersion(region_.get(), 0, its);
  WordsSetVersion(region_.get(), 0, its,
                  (full & ~uint64_t{SNCE_STATE_MASK}) | SNCE_STATE_BUSY);
  const snceKey key = removed.Key();
  EXPECT_EQ(SNCE_MISS, snceCache_Remove(region_.cache(), &key));
  EXPECT_EQ(1u, region_.Figures().overridden);
  EXPECT_EQ(0u, region_.Figures().removals);
  ASSERT_EQ(SNCE_STATE_EMPTY, StateOf(its));
  Insert(10000);
  ticks_ += TICKS_PATIENCE;
  Insert(10000);
  EXPECT_EQ(SNCE_STATE_EMPTY, StateOf(its));
  ticks_ += 1;
  Insert(10000);
  EXPECT_EQ(SNCE_STATE_FULL, StateOf(its));
  EXPECT_EQ(0u, reclaimed());
}

// A cache must not refuse a session because all its slots rest.
TEST_F(SncePatience, WhereEverySlotRestsOneOfThemIsUsed) {
  for (uint64_t slot = 0; slot < slots(); ++slot) Rest(slot);
  Insert(1);
  EXPECT_EQ(SNCE_OK, Find(region_.cache(), Session(1000), At(kStart)));
}

// A removal that overrides no claim gives no reason to rest.
TEST_F(SncePatience, ASlotThatWasEmptiedInPeaceIsUsedAtOnce) {
  for (uint64_t serial = 0; serial < 1000; ++serial) {
    const Session session(serial);
    const snceKey key = session.Key();
    ASSERT_EQ(SNCE_OK, session.Insert(region_.cache(), At(kStart)));
    ASSERT_EQ(SNCE_OK, snceCache_Remove(region_.cache(), &key));
  }
  for (uint64_t slot = 0; slot < slots(); ++slot)
    EXPECT_EQ(0u, WordsVersion(region_.get(), 0, slot) & SNCE_OVERRODE);
  EXPECT_EQ(0u, region_.Figures().overridden);
}

// The same for a certificate's cell, once its set has no empty one.
TEST_F(SncePatience, ACellIsTakenBackTwoSecondsAfterItWasFirstPassed) {
  snceCacheOptions options = Options(100);
  options.certificates = 1;
  Region region(options);
  TicksUse(region.get(), &ticks_);
  uint64_t serial = 0;
  const auto insert = [&](uint64_t count) {
    for (uint64_t end = serial + count; serial < end; ++serial) {
      const Session mine = Session(serial).Certificate(Bytes(serial, 900));
      ASSERT_EQ(SNCE_OK, mine.Insert(region.cache(), At(kStart)));
    }
  };
  insert(1);  // now the store has cells
  WordsSetCell(region.get(), 0, 5, WordsClaimed(1, 0, kTag));
  insert(1000);
  ticks_ += TICKS_PATIENCE;
  insert(1000);
  EXPECT_EQ(SNCE_STATE_BUSY, snceVersion_State(WordsCell(region.get(), 0, 5)));
  ticks_ += 1;
  insert(1000);
  EXPECT_EQ(SNCE_STATE_FULL, snceVersion_State(WordsCell(region.get(), 0, 5)));
}

// Another writer may note a later time after this writer has read the clock.
TEST_F(SncePatience, ATimeJustAheadOfTheClockIsNotLongAgo) {
  for (uint64_t ahead : {1, 2, 100}) {
    Region region(Options(1));
    TicksUse(region.get(), &ticks_);
    const uint64_t slots = WordsSlots(region.get(), 0);
    const uint8_t noted = uint8_t(1 + (ticks_ + ahead) % 255);
    for (uint64_t slot = 0; slot < slots; slot += 10) {
      WordsSetVersion(region.get(), 0, slot, WordsClaimed(1, noted, kTag));
      WordsSetVersion(
          region.get(), 0, slot + 1,
          snceVersion_WithTicket(WordsEmpty(1) | SNCE_OVERRODE, noted));
    }
    for (uint64_t serial = 0; serial < 1000; ++serial)
      ASSERT_EQ(SNCE_OK, InsertInto(region, serial));
    EXPECT_EQ(0u, region.Figures().reclaimed) << ahead;
    for (uint64_t slot = 0; slot < slots; slot += 10)
      EXPECT_EQ(SNCE_STATE_EMPTY,
                snceVersion_State(WordsVersion(region.get(), 0, slot + 1)));
  }
}

// When all certificates of a set were used, an insert clears the note of that
// in all of them; a cell that rests has no such note.
TEST_F(SncePatience, ACellRestsWhileCertificatesAreEvicted) {
  snceCacheOptions options = Options(100);
  options.certificates = 1;
  Region region(options);
  TicksUse(region.get(), &ticks_);
  ASSERT_EQ(SNCE_OK,
            Session(1000)
                .Certificate(Bytes(1000, 900))
                .Insert(region.cache(), At(kStart)));  // now there are cells
  WordsSetCell(region.get(), 0, 5,
               snceVersion_WithTicket(WordsEmpty(1) | SNCE_OVERRODE,
                                      uint8_t(1 + ticks_ % 255)));
  for (uint64_t serial = 0; serial < 60; ++serial) {
    const Session mine = Session(serial).Certificate(Bytes(serial, 900));
    Answer answer;
    ASSERT_EQ(SNCE_OK, mine.Insert(region.cache(), At(kStart)));
    ASSERT_EQ(SNCE_OK, answer.Lookup(region.cache(), mine.Key(), At(kStart)));
    ASSERT_EQ(SNCE_STATE_EMPTY,
              snceVersion_State(WordsCell(region.get(), 0, 5)))
        << serial;
  }
}

TEST(SnceTick, TheMachinesClockMovesOn) {
  Region region(1);
  const unsigned before = TicksNow(region.get());
  ASSERT_GE(before, 1u);
  // A tick is an eighth of a second; wait for at most ten.
  for (int i = 0; i < 1000 && TicksNow(region.get()) == before; ++i)
    usleep(10000);
  EXPECT_NE(before, TicksNow(region.get()));
}

}  // namespace
}  // namespace snce_test
