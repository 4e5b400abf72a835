/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// Splits one page of a growing table: half of it, twice at once, or by a
// process that died. Tests what lookups find and what removals and inserts do
// meanwhile (rule 15). For every instruction of a split see
// processes/grow_step_test.cc.
#include <algorithm>
#include <cstdio>
#include <ios>
#include <vector>

#include "gtest/gtest.h"
#include "sslsnce/snce.h"
#include "test_build.h"
#include "test_clock.h"
#include "test_growth.h"
#include "test_region.h"
#include "test_session.h"
#include "words.h"

namespace snce_test {
namespace {

const snceTime kNow = At(kStart);

snceResult Remove(snceCache cache, const Session& session) {
  const snceKey key = session.Key();
  return snceCache_Remove(cache, &key);
}

unsigned Copies(snceCache cache, const Session& session) {
  return GrowthCopies(cache, session.get()->id);
}

// Stores |session| as a writer does that saw the size |word|, and that dies
// before it looks again.
void StoreByWord(snceCache cache, uint64_t word, const Session& session) {
  const uint64_t now = GrowthOf(cache).word;
  GrowthSet(cache, GrowthFrozen(word));  // this insert makes no table grow
  ASSERT_EQ(SNCE_OK, session.Insert(cache, kNow));
  GrowthSet(cache, now);
}

// A cache in which the next page has begun to come into use, and no process has
// moved any of its sessions.
class SnceSplit : public ::testing::Test {
 protected:
  static constexpr uint64_t kStored = 1500;
  static constexpr uint64_t kEntries = 6000;

  void SetUp() override {
    for (uint64_t serial = 0; serial < kStored; ++serial)
      ASSERT_EQ(SNCE_OK, Of(serial).Insert(cache_, kNow));
    for (unsigned tries = 0; tries < 50; ++tries) {
      before_ = GrowthOf(cache_).word;
      ASSERT_FALSE(GrowthOf(cache_).splitting);
      GrowthSet(cache_, GrowthBegun(before_));
      begun_ = GrowthOf(cache_);
      waiting_.clear();
      for (uint64_t serial = 0; serial < kStored; ++serial)
        if (GrowthWhere(cache_, Of(serial).get()->id) == GROWTH_IN_OLD)
          waiting_.push_back(serial);
      if (waiting_.size() >= 4) return;
      GrowthStep(cache_, kNow);
    }
    FAIL() << "no page has sessions to move";
  }
  static Session Of(uint64_t serial, uint64_t variant = 0) {
    return Session(serial, variant, kEverything);
  }
  bool IsWaiting(uint64_t serial) const {
    return std::find(waiting_.begin(), waiting_.end(), serial) !=
           waiting_.end();
  }
  // Writers die in all free slots of |page|.
  void ClaimFreeSlots(uint64_t page) {
    const uint64_t slots = GrowthPageSlots();
    for (uint64_t slot = page * slots; slot < (page + 1) * slots; ++slot)
      if ((WordsVersion(region_.get(), 0, slot) & 3) == 0)
        WordsSetVersion(region_.get(), 0, slot,
                        WordsClaimed(7, 0, uint32_t(slot * 31)));
  }
  // Another process goes on until the page is split.
  void End() {
    GrowthStep(cache_, kNow);
    const Growth growth = GrowthOf(cache_);
    ASSERT_FALSE(growth.splitting);
    ASSERT_EQ(begun_.used, growth.used);
  }
  uint64_t CountStored() const {
    return CountFound(cache_, 0, kStored, kNow, kEverything);
  }
  uint64_t Live() const { return region_.Figures().live; }

  Region region_{kEntries};
  const snceCache cache_ = region_.cache();
  uint64_t before_ = 0;            // the size word before the split
  Growth begun_ = {};              // and after it began
  std::vector<uint64_t> waiting_;  // serials of the sessions that are to move
};

TEST_F(SnceSplit, EveryLookupFindsWhatIsToMoveAndWhatHasMoved) {
  ASSERT_EQ(kStored, CountStored());
  ASSERT_EQ(1u, GrowthMove(cache_, 1, false));
  ASSERT_EQ(kStored, CountStored());
  ASSERT_EQ(1u, GrowthMove(cache_, 1, true));
  ASSERT_EQ(kStored, CountStored());
  GrowthMove(cache_, 100, false);
  ASSERT_EQ(kStored, CountStored());
  // A process that comes only now ends the split.
  End();
  EXPECT_EQ(kStored, CountStored());
  EXPECT_EQ(kStored, Live());
  for (uint64_t serial : waiting_) EXPECT_EQ(1u, Copies(cache_, Of(serial)));
}

TEST_F(SnceSplit, EveryRemovalFindsThemAndTheyStayAway) {
  GrowthMove(cache_, 1, false);
  GrowthMove(cache_, 1, true);
  for (uint64_t serial : waiting_) {
    ASSERT_EQ(SNCE_OK, Remove(cache_, Of(serial)));
    ASSERT_EQ(SNCE_MISS, Find(cache_, Of(serial), kNow));
    ASSERT_EQ(0u, Copies(cache_, Of(serial)));
    ASSERT_EQ(SNCE_MISS, Remove(cache_, Of(serial)));
  }
  End();
  for (uint64_t serial : waiting_)
    EXPECT_EQ(SNCE_MISS, Find(cache_, Of(serial), kNow));
  EXPECT_EQ(kStored - waiting_.size(), CountStored());
  EXPECT_EQ(kStored - waiting_.size(), Live());
}

TEST_F(SnceSplit, AnInsertOfOneLeavesTheNewOneOnly) {
  GrowthMove(cache_, 1, false);
  GrowthMove(cache_, 1, true);
  for (bool ended : {false, true}) {
    const uint64_t variant = 1 + ended;
    for (uint64_t serial : waiting_) {
      Answer answer;
      ASSERT_EQ(SNCE_OK, Of(serial, variant).Insert(cache_, kNow));
      ASSERT_EQ(1u, Copies(cache_, Of(serial)));
      ASSERT_EQ(GROWTH_IN_PLACE, GrowthWhere(cache_, Of(serial).get()->id));
      ASSERT_EQ(SNCE_OK, answer.Lookup(cache_, Of(serial).Key(), kNow));
      ASSERT_EQ("", answer.Differs(Of(serial, variant)));
    }
    GrowthStep(cache_, kNow);
    ASSERT_FALSE(GrowthOf(cache_).splitting);
    for (uint64_t serial : waiting_) {
      Answer answer;
      ASSERT_EQ(SNCE_OK, answer.Lookup(cache_, Of(serial).Key(), kNow));
      ASSERT_EQ("", answer.Differs(Of(serial, variant)));
      ASSERT_EQ(1u, Copies(cache_, Of(serial)));
    }
    EXPECT_EQ(kStored, Live());
  }
}

TEST_F(SnceSplit, TheNextInsertThatFindsItsSetsCrowdedEndsIt) {
  GrowthMove(cache_, 1, true);
  uint64_t inserts = 0;
  while (GrowthOf(cache_).splitting && inserts < 1000)
    ASSERT_EQ(SNCE_OK, Of(10000 + inserts++).Insert(cache_, kNow));
  printf("ended by the %dth insert\n", int(inserts));
  EXPECT_FALSE(GrowthOf(cache_).splitting);
  EXPECT_EQ(kStored, CountStored());
  EXPECT_EQ(inserts, CountFound(cache_, 10000, inserts, kNow, kEverything));
  EXPECT_EQ(kStored + inserts, Live());
  // Growth goes on after the split.
  for (; inserts < kEntries - kStored; ++inserts)
    ASSERT_EQ(SNCE_OK, Of(10000 + inserts).Insert(cache_, kNow));
  EXPECT_EQ(begun_.pages, GrowthOf(cache_).used);
  EXPECT_GE(
      (CountStored() + CountFound(cache_, 10000, inserts, kNow, kEverything)) *
          1000,
      kEntries * 995);
}

TEST_F(SnceSplit, WhatHasExpiredIsWipedNotMoved) {
  const snceTime later = At(kStart + 100000 * kSecond);
  const Session dead = Of(waiting_[0]);
  GrowthStep(cache_, later);
  EXPECT_FALSE(GrowthOf(cache_).splitting);
  for (uint64_t serial : waiting_) EXPECT_EQ(0u, Copies(cache_, Of(serial)));
  const uint8_t* secret = dead.get()->state + SNCE_STATE_BYTES - 16;
  EXPECT_EQ(0u, CountInFile(region_.fd(), secret, 16));
  EXPECT_EQ(kStored - waiting_.size(), Live());
  EXPECT_EQ(waiting_.size(), region_.Figures().wiped);
}

TEST_F(SnceSplit, WhatHasMovedLeavesNoSecretBehind) {
  const Session moved = Of(waiting_[0]);
  const uint8_t* secret = moved.get()->state + SNCE_STATE_BYTES - 16;
  End();
  EXPECT_EQ(1u, CountInFile(region_.fd(), secret, 16));
  ASSERT_EQ(SNCE_OK, Remove(cache_, moved));
  EXPECT_EQ(0u, CountInFile(region_.fd(), secret, 16));
}

// Writers died in every slot that was free in the old page.
TEST_F(SnceSplit, ClaimsOfDeadWritersInTheOldPageDoNotHinderIt) {
  ClaimFreeSlots(GrowthSlot(cache_, Of(waiting_[0]).get()->id) /
                 GrowthPageSlots());
  End();
  EXPECT_EQ(kStored, CountStored());
  EXPECT_EQ(kStored, Live());
}

// Writers died in every slot of the new page. So a session that is to move
// there has one set left. In two of a hundred regions one finds that set full.
TEST_F(SnceSplit, ClaimsOfDeadWritersInTheNewPageDoNotHinderIt) {
  ClaimFreeSlots(begun_.used - 1);
  End();
  EXPECT_GE(CountStored() + 3, kStored);
  EXPECT_EQ(CountStored(), Live());
}

// ---- two copies -------------------------------------------------------------

// Two processes that split a page at once may leave a session in both of its
// sets. The fixture makes that by hiding one copy from the insert of the other.
class SnceSplitTwice : public SnceSplit {
 protected:
  void SetUp() override {
    SnceSplit::SetUp();
    if (HasFatalFailure()) return;
    End();
    serial_ = waiting_[0];
    const Session session = Of(serial_);
    const uint64_t slot = GrowthSlot(cache_, session.get()->id);
    const uint64_t version = WordsVersion(region_.get(), 0, slot);
    WordsSetVersion(region_.get(), 0, slot, WordsClaimed(1, 0, 0x12345));
    ASSERT_EQ(SNCE_OK, session.Insert(cache_, kNow));
    WordsSetVersion(region_.get(), 0, slot, version);
    ASSERT_EQ(2u, Copies(cache_, session));
    ASSERT_EQ(kStored + 1, Live());
    ASSERT_EQ(SNCE_OK, Find(cache_, session, kNow));
  }
  uint64_t serial_ = 0;
};

TEST_F(SnceSplitTwice, ARemovalTakesBoth) {
  EXPECT_EQ(SNCE_OK, Remove(cache_, Of(serial_)));
  EXPECT_EQ(0u, Copies(cache_, Of(serial_)));
  EXPECT_EQ(SNCE_MISS, Find(cache_, Of(serial_), kNow));
  EXPECT_EQ(kStored - 1, Live());
}

TEST_F(SnceSplitTwice, AnInsertLeavesOne) {
  Answer answer;
  ASSERT_EQ(SNCE_OK, Of(serial_, 5).Insert(cache_, kNow));
  EXPECT_EQ(1u, Copies(cache_, Of(serial_)));
  ASSERT_EQ(SNCE_OK, answer.Lookup(cache_, Of(serial_).Key(), kNow));
  EXPECT_EQ("", answer.Differs(Of(serial_, 5)));
  EXPECT_EQ(kStored, Live());
}

TEST_F(SnceSplitTwice, AnotherSizeKeepsOne) {
  const uint64_t certificates = region_.Figures().certificates;
  for (uint64_t entries : {20000u, 3000u}) {
    snceCacheOptions options = Options(entries);
    ASSERT_EQ(SNCE_OK, snceCache_Configure(cache_, &options));
    EXPECT_EQ(1u, Copies(cache_, Of(serial_)));
    EXPECT_EQ(kStored, CountStored());
    EXPECT_EQ(kStored, Live());
    EXPECT_EQ(certificates, region_.Figures().certificates);
  }
}

// ---- outside ----------------------------------------------------------------

// A writer stored a session in the page where it was to lie before the split,
// and died before it saw the split.
class SnceOutside : public SnceSplit {
 protected:
  void SetUp() override {
    SnceSplit::SetUp();
    if (HasFatalFailure()) return;
    End();
    // Store sessions by the old size word until some lie outside. How many that
    // takes depends on the table's key, which is random.
    for (uint64_t serial = 500000;
         serial < 501000 || (outside_.empty() && serial < 550000); ++serial) {
      const Session session = Of(serial);
      ASSERT_NO_FATAL_FAILURE(StoreByWord(cache_, before_, session));
      if (GrowthWhere(cache_, session.get()->id) == GROWTH_OUTSIDE) {
        outside_.push_back(serial);
      } else {
        ASSERT_EQ(SNCE_OK, Remove(cache_, session));
      }
    }
    ASSERT_FALSE(outside_.empty());
  }
  void ExpectNoneIsFound() {
    for (uint64_t serial : outside_)
      ASSERT_EQ(SNCE_MISS, Find(cache_, Of(serial), kNow)) << serial;
  }
  std::vector<uint64_t> outside_;
};

TEST_F(SnceOutside, ItIsNeverReturned) {
  ExpectNoneIsFound();
  for (uint64_t serial : outside_) {
    EXPECT_EQ(SNCE_MISS, Remove(cache_, Of(serial)));
    EXPECT_EQ(1u, Copies(cache_, Of(serial)));
  }
  EXPECT_EQ(kStored, CountStored());
}

TEST_F(SnceOutside, ItDoesNotComeBackInATableOfAnotherSize) {
  for (uint64_t entries : {20000u, 3000u, 6000u}) {
    snceCacheOptions options = Options(entries);
    ASSERT_EQ(SNCE_OK, snceCache_Configure(cache_, &options));
    ExpectNoneIsFound();
    for (uint64_t serial : outside_) EXPECT_EQ(0u, Copies(cache_, Of(serial)));
    EXPECT_EQ(kStored, CountStored());
    EXPECT_EQ(kStored, Live());
  }
}

TEST_F(SnceOutside, ItGoesWhenItsPageIsSplit) {
  for (uint64_t i = 0; i < begun_.pages && GrowthOf(cache_).used < begun_.pages;
       ++i)
    GrowthStep(cache_, kNow);
  ASSERT_EQ(begun_.pages, GrowthOf(cache_).used);
  ExpectNoneIsFound();
  uint64_t left = 0;
  for (uint64_t serial : outside_) left += Copies(cache_, Of(serial));
  // A page that is not split again keeps them until they are evicted.
  printf("%d of %d are left\n", int(left), int(outside_.size()));
  EXPECT_EQ(0u, left);
  EXPECT_EQ(kStored + left, Live());
  EXPECT_EQ(kStored, CountStored());
}

TEST_F(SnceOutside, TheSameSessionStoredAnewIsAnother) {
  for (uint64_t serial : outside_) {
    Answer answer;
    ASSERT_EQ(SNCE_OK, Of(serial, 9).Insert(cache_, kNow));
    ASSERT_EQ(SNCE_OK, answer.Lookup(cache_, Of(serial).Key(), kNow));
    ASSERT_EQ("", answer.Differs(Of(serial, 9)));
  }
  snceCacheOptions options = Options(20000);
  ASSERT_EQ(SNCE_OK, snceCache_Configure(cache_, &options));
  for (uint64_t serial : outside_) {
    Answer answer;
    ASSERT_EQ(SNCE_OK, answer.Lookup(cache_, Of(serial).Key(), kNow));
    ASSERT_EQ("", answer.Differs(Of(serial, 9)));
    ASSERT_EQ(SNCE_OK, Remove(cache_, Of(serial)));
  }
  ExpectNoneIsFound();
  EXPECT_EQ(kStored, CountStored());
}

// ---- nonsense ---------------------------------------------------------------

class SnceSizeFuzz : public ::testing::Test {
 protected:
  void SetUp() override {
    for (uint64_t serial = 0; serial < kStored; ++serial)
      ASSERT_EQ(SNCE_OK, Session(serial, 0, kEverything).Insert(cache_, kNow));
    word_ = GrowthOf(cache_).word;
  }
  // The size words that differ from the right one in one bit of |mask|, and
  // |random| others that differ in bits of |mask|.
  std::vector<uint64_t> Words(uint64_t mask, unsigned random) const {
    std::vector<uint64_t> words;
    for (unsigned bit = 0; bit < 64; ++bit)
      if (mask >> bit & 1) words.push_back(word_ ^ uint64_t{1} << bit);
    for (unsigned i = 0; i < random; ++i)
      words.push_back(
          word_ ^ (Mix(i) & mask & (i % 3 ? ~uint64_t{0} : Mix(i + 77777))));
    words.push_back(word_ & ~mask);
    words.push_back(word_ | mask);
    return words;
  }
  void LookUp(uint64_t seed) {
    for (uint64_t i = 0; i < 20; ++i) {
      const Session session(Mix(seed + i) % (2 * kStored), 0, kEverything);
      const snceResult result = answer_.Lookup(cache_, session.Key(), kNow);
      ASSERT_TRUE(result == SNCE_OK || result == SNCE_MISS ||
                  result == SNCE_CORRUPT)
          << result;
      if (result == SNCE_OK) {
        ASSERT_EQ("", answer_.Mixed());
      }
    }
  }

  static constexpr uint64_t kStored = 1500;
  static constexpr uint64_t kUsedBits = ~((uint64_t{1} << 26) - 1);
  Watchdog watchdog_{120};
  Region region_{6000};
  const snceCache cache_ = region_.cache();
  uint64_t word_ = 0;
  Answer answer_;
};

// The word's pages in use, serial bits, splitting and frozen are random: no
// lookup, and no reading of figures, changes anything.
TEST_F(SnceSizeFuzz, LookupsAreHarmless) {
  for (uint64_t word : Words(kUsedBits, 2000)) {
    GrowthSet(cache_, word);
    LookUp(word);
    if (HasFatalFailure()) return;
    ASSERT_EQ(word, GrowthOf(cache_).word);
    snceFigures figures;
    snceCache_GetFigures(cache_, &figures);
  }
  GrowthSet(cache_, word_);
  EXPECT_EQ(kStored, CountFound(cache_, 0, kStored, kNow, kEverything));
}

// Whatever the word says, no call crashes or runs for ever, and a session that
// is found is whole.
TEST_F(SnceSizeFuzz, NothingCrashes) {
  uint64_t serial = 100000;
  for (uint64_t word : Words(~uint64_t{0}, 3000)) {
    GrowthSet(cache_, word);
    LookUp(word);
    if (HasFatalFailure()) FAIL() << std::hex << word;
    for (unsigned i = 0; i < 8; ++i) {
      const Session session(serial + i, 0, i % 2 ? kEverything : kPlain);
      session.Insert(cache_, kNow);
      Find(cache_, session, kNow);
      if (i % 4 == 0) Remove(cache_, session);
    }
    Remove(cache_, Session(word % kStored));
    GrowthStep(cache_, kNow);
    snceFigures figures;
    snceCache_GetFigures(cache_, &figures);
    serial += 8;
  }
  GrowthSet(cache_, word_);
  ASSERT_EQ(SNCE_OK, snceCache_Flush(cache_));
  for (uint64_t i = 0; i < 6000; ++i)
    ASSERT_EQ(SNCE_OK, Session(i).Insert(cache_, kNow));
  EXPECT_GE(CountFound(cache_, 0, 6000, kNow) * 1000, 6000u * 995);
}

// The page before the first one would be split from a page far before the
// table.
TEST(SnceSplitNothing, ATableWithNoPageInUseIsNotSplit) {
  for (uint64_t splitting : {uint64_t{0}, uint64_t{1} << 27}) {
    Region region(1000000);
    const uint64_t word = GrowthOf(region.cache()).word;
    GrowthSet(region.cache(), (word & ((uint64_t{1} << 40) - 1)) | splitting);
    GrowthStep(region.cache(), kNow);
    for (uint64_t serial = 0; serial < 50; ++serial)
      Session(serial).Insert(region.cache(), kNow);
    snceCacheOptions options = Options(500000);
    snceCache_Configure(region.cache(), &options);
  }
}

TEST_F(SnceSizeFuzz, ChangesAreHarmless) {
  for (uint64_t word : Words(kUsedBits, kSanitized ? 10 : 100)) {
    GrowthSet(cache_, word);
    snceCacheOptions options = Options(word % 2 ? 6001 : 2999);
    const snceResult result = snceCache_Configure(cache_, &options);
    ASSERT_TRUE(result == SNCE_OK || result == SNCE_CORRUPT ||
                result == SNCE_NO_MEMORY)
        << result << " for " << std::hex << word;
    ASSERT_EQ(SNCE_OK, snceCache_Flush(cache_));
    options.entries = 6000;
    ASSERT_EQ(SNCE_OK, snceCache_Configure(cache_, &options));
    for (uint64_t serial = 0; serial < 300; ++serial)
      ASSERT_EQ(SNCE_OK, Session(serial, 0, kEverything).Insert(cache_, kNow));
    ASSERT_EQ(300u, CountFound(cache_, 0, 300, kNow, kEverything));
  }
}

}  // namespace
}  // namespace snce_test
