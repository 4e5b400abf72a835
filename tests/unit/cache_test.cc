/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// One session at a time: what is stored, what a lookup returns, under which
// key.
#include <climits>
#include <cstring>
#include <string>
#include <vector>

#include "collisions.h"
#include "gtest/gtest.h"
#include "sslsnce/snce.h"
#include "test_clock.h"
#include "test_region.h"
#include "test_session.h"

namespace snce_test {
namespace {

class SnceCache : public ::testing::Test {
 protected:
  snceTime Now() const { return clock_.Now(); }

  Region region_{1000};
  snceCache cache_ = region_.cache();
  MockClock clock_;
  Answer answer_;
};

TEST(SnceResult, EveryResultHasAPhraseOfItsOwn) {
  std::vector<std::string> seen;
  for (int result = SNCE_OK; result <= SNCE_BUSY; ++result) {
    const char* text = snceResult_Text(static_cast<snceResult>(result));
    ASSERT_NE(nullptr, text);
    EXPECT_STRNE("", text);
    for (const std::string& other : seen) EXPECT_NE(other, text);
    seen.push_back(text);
  }
  EXPECT_NE(nullptr, snceResult_Text(static_cast<snceResult>(1000)));
  EXPECT_NE(nullptr, snceResult_Text(static_cast<snceResult>(-1)));
}

TEST_F(SnceCache, AnEmptyCacheMisses) {
  EXPECT_EQ(SNCE_MISS, Find(cache_, Session(1), Now()));
  EXPECT_EQ(1u, region_.Figures().missesUnknown);
}

TEST(SnceCollision, TwoIdsOfOneTagAndPlaceAreOfTwoSessions) {
  const Region region(10);
  const snceCache cache = region.cache();
  const snceTime now = MockClock().Now();
  const std::vector<uint8_t> id = Bytes(1, SNCE_ID_MAX);
  std::vector<uint8_t> other(SNCE_ID_MAX);
  ASSERT_TRUE(FindCollision(cache, id.data(), other.data()));
  const Session first = Session(1).Id(id), second = Session(2).Id(other);
  const snceKey one = first.Key(), two = second.Key();
  Answer answer;
  ASSERT_EQ(SNCE_OK, first.Insert(cache, now));
  EXPECT_EQ(SNCE_MISS, answer.Lookup(cache, two, now));
  EXPECT_EQ(SNCE_MISS, snceCache_Remove(cache, &two));
  ASSERT_EQ(SNCE_OK, second.Insert(cache, now));
  ASSERT_EQ(SNCE_OK, answer.Lookup(cache, one, now));
  EXPECT_EQ("", answer.Differs(first));
  ASSERT_EQ(SNCE_OK, answer.Lookup(cache, two, now));
  EXPECT_EQ("", answer.Differs(second));
  EXPECT_EQ(SNCE_OK, snceCache_Remove(cache, &one));
  EXPECT_EQ(SNCE_MISS, answer.Lookup(cache, one, now));
  EXPECT_EQ(SNCE_OK, answer.Lookup(cache, two, now));
}

TEST_F(SnceCache, EveryFieldComesBackAsItWasGiven) {
  for (uint64_t serial = 0; serial < 200; ++serial) {
    const Session session(serial, serial * 7, kEverything);
    ASSERT_EQ(SNCE_OK, session.Insert(cache_, Now()));
    ASSERT_EQ(SNCE_OK, answer_.Lookup(cache_, session.Key(), Now()));
    EXPECT_EQ("", answer_.Differs(session));
    EXPECT_EQ("", answer_.Mixed());
    EXPECT_EQ(
        session.get()->created.usec +
            (session.get()->sessionClass == SNCE_CLASS_SSL2 ? 100 * kSecond
                                                            : 86400 * kSecond),
        answer_.session().expires.usec);
  }
}

TEST_F(SnceCache, AStateOfAnyBytesComesBack) {
  for (int fill : {0x00, 0xff, 0x80, 0x7f}) {
    Session session(static_cast<uint64_t>(fill));
    std::memset(session.get()->state, fill, SNCE_STATE_BYTES);
    ASSERT_EQ(SNCE_OK, session.Insert(cache_, Now()));
    ASSERT_EQ(SNCE_OK, answer_.Lookup(cache_, session.Key(), Now()));
    EXPECT_EQ("", answer_.Differs(session));
  }
}

TEST_F(SnceCache, ALookupDoesNotMoveTheCallersBuffers) {
  const Session session(1, 1, kEverything);
  ASSERT_EQ(SNCE_OK, session.Insert(cache_, Now()));
  uint8_t certificate[SNCE_CERTIFICATE_MAX];
  snceSession out;
  std::memset(&out, 0, sizeof(out));
  out.certificate = {certificate, 0, sizeof(certificate)};
  const snceKey key = session.Key();
  ASSERT_EQ(SNCE_OK, snceCache_Lookup(cache_, &key, Now(), &out));
  EXPECT_EQ(certificate, out.certificate.data);
  EXPECT_EQ(sizeof(certificate), out.certificate.capacity);
}

TEST_F(SnceCache, IdsOfEveryLengthAreKeptApart) {
  // Each ID is a prefix of the longer ones; one ends in zeros.
  const std::vector<uint8_t> longest = Bytes(5, SNCE_ID_MAX);
  for (size_t len = 1; len <= SNCE_ID_MAX; ++len) {
    Session session(len, 3);
    session.Id(std::vector<uint8_t>(longest.begin(),
                                    longest.begin() + ptrdiff_t(len)));
    ASSERT_EQ(SNCE_OK, session.Insert(cache_, Now())) << len;
  }
  for (size_t len = 1; len <= SNCE_ID_MAX; ++len) {
    Session session(len, 3);
    session.Id(std::vector<uint8_t>(longest.begin(),
                                    longest.begin() + ptrdiff_t(len)));
    ASSERT_EQ(SNCE_OK, answer_.Lookup(cache_, session.Key(), Now())) << len;
    EXPECT_EQ("", answer_.Differs(session)) << len;
  }
}

TEST_F(SnceCache, AnIdPaddedWithZerosIsAnotherId) {
  ASSERT_EQ(SNCE_OK, Session(1).Id({1, 2, 3}).Insert(cache_, Now()));
  EXPECT_EQ(SNCE_MISS, Find(cache_, Session(1).Id({1, 2, 3, 0}), Now()));
  EXPECT_EQ(SNCE_MISS, Find(cache_, Session(1).Id({1, 2}), Now()));
  EXPECT_EQ(SNCE_OK, Find(cache_, Session(1).Id({1, 2, 3}), Now()));
}

TEST_F(SnceCache, AnIdOfAllZerosIsAnIdLikeOthers) {
  const Session session = Session(1).Id(std::vector<uint8_t>(32, 0));
  EXPECT_EQ(SNCE_MISS, Find(cache_, session, Now()));
  ASSERT_EQ(SNCE_OK, session.Insert(cache_, Now()));
  EXPECT_EQ(SNCE_OK, Find(cache_, session, Now()));
}

TEST_F(SnceCache, IdsOfNoLengthOrTooLongAreRefused) {
  for (size_t len : {size_t{0}, size_t{SNCE_ID_MAX + 1}, SIZE_MAX}) {
    Session session(1);
    session.get()->idLen = len;
    EXPECT_EQ(SNCE_INVALID, session.Insert(cache_, Now())) << len;
    EXPECT_EQ(SNCE_INVALID, Find(cache_, session, Now())) << len;
    const snceKey key = session.Key();
    EXPECT_EQ(SNCE_INVALID, snceCache_Remove(cache_, &key)) << len;
  }
  EXPECT_EQ(0u, region_.Figures().live);
  EXPECT_EQ(3u, region_.Figures().refused);
}

TEST_F(SnceCache, AClassThatDoesNotExistIsRefused) {
  for (int session_class : {-1, SNCE_CLASSES, INT_MAX}) {
    Session session(1);
    session.Class(static_cast<snceClass>(session_class));
    EXPECT_EQ(SNCE_INVALID, session.Insert(cache_, Now())) << session_class;
  }
  EXPECT_EQ(SNCE_MISS, Find(cache_, Session(1), Now()));
}

TEST_F(SnceCache, AMissWritesNothing) {
  Session stranger(2);
  snceSession before;
  std::memset(answer_.get(), 0x5a, sizeof(snceSession));
  ASSERT_EQ(SNCE_MISS, answer_.Lookup(cache_, stranger.Key(), Now()));
  std::memset(&before, 0x5a, sizeof(before));
  EXPECT_EQ(0, std::memcmp(before.id, answer_.session().id, SNCE_ID_MAX));
  EXPECT_EQ(
      0, std::memcmp(before.state, answer_.session().state, SNCE_STATE_BYTES));
  EXPECT_EQ(before.created.usec, answer_.session().created.usec);
}

TEST_F(SnceCache, ARemovedSessionIsGone) {
  const Session session(1);
  const snceKey key = session.Key();
  EXPECT_EQ(SNCE_MISS, snceCache_Remove(cache_, &key));
  ASSERT_EQ(SNCE_OK, session.Insert(cache_, Now()));
  EXPECT_EQ(SNCE_OK, snceCache_Remove(cache_, &key));
  EXPECT_EQ(SNCE_MISS, Find(cache_, session, Now()));
  EXPECT_EQ(SNCE_MISS, snceCache_Remove(cache_, &key));
  EXPECT_EQ(1u, region_.Figures().removals);
  EXPECT_EQ(0u, region_.Figures().live);
}

TEST_F(SnceCache, RemovingOneLeavesTheOthers) {
  for (uint64_t serial = 0; serial < 500; ++serial)
    ASSERT_EQ(SNCE_OK, Session(serial).Insert(cache_, Now()));
  for (uint64_t serial = 0; serial < 500; serial += 2) {
    const Session session(serial);
    const snceKey key = session.Key();
    ASSERT_EQ(SNCE_OK, snceCache_Remove(cache_, &key));
  }
  for (uint64_t serial = 0; serial < 500; ++serial)
    EXPECT_EQ(serial % 2 ? SNCE_OK : SNCE_MISS,
              Find(cache_, Session(serial), Now()))
        << serial;
}

TEST_F(SnceCache, ARemovedSessionCanBeStoredAgain) {
  for (uint64_t variant = 0; variant < 100; ++variant) {
    const Session session(1, variant, kEverything);
    const snceKey key = session.Key();
    ASSERT_EQ(SNCE_OK, session.Insert(cache_, Now()));
    ASSERT_EQ(SNCE_OK, answer_.Lookup(cache_, key, Now()));
    ASSERT_EQ("", answer_.Differs(session));
    ASSERT_EQ(SNCE_OK, snceCache_Remove(cache_, &key));
    ASSERT_EQ(SNCE_MISS, answer_.Lookup(cache_, key, Now()));
  }
}

TEST_F(SnceCache, TheSameIdReplaces) {
  for (uint64_t variant = 0; variant < 100; ++variant) {
    const Session session(1, variant, variant & kEverything);
    ASSERT_EQ(SNCE_OK, session.Insert(cache_, Now()));
    ASSERT_EQ(SNCE_OK, answer_.Lookup(cache_, session.Key(), Now()));
    EXPECT_EQ("", answer_.Differs(session)) << variant;
    EXPECT_EQ(1u, region_.Figures().live);
  }
  const Session session(1);
  const snceKey key = session.Key();
  EXPECT_EQ(SNCE_OK, snceCache_Remove(cache_, &key));
  EXPECT_EQ(SNCE_MISS, Find(cache_, session, Now()));
}

TEST_F(SnceCache, TheSameIdReplacesInAFullCacheToo) {
  for (uint64_t serial = 0; serial < 3000; ++serial)
    ASSERT_EQ(SNCE_OK, Session(serial).Insert(cache_, Now()));
  uint64_t replaced = 0;
  for (uint64_t serial = 0; serial < 3000; ++serial) {
    if (Find(cache_, Session(serial), Now()) != SNCE_OK) continue;
    const Session session(serial, 5);
    ASSERT_EQ(SNCE_OK, session.Insert(cache_, Now()));
    ASSERT_EQ(SNCE_OK, answer_.Lookup(cache_, session.Key(), Now()));
    ASSERT_EQ("", answer_.Differs(session));
    const snceKey key = session.Key();
    ASSERT_EQ(SNCE_OK, snceCache_Remove(cache_, &key));
    ASSERT_EQ(SNCE_MISS, Find(cache_, session, Now()));
    ++replaced;
  }
  EXPECT_GE(replaced, 995u);
}

TEST_F(SnceCache, TheAddressDoesNotCountUnlessAskedFor) {
  ASSERT_EQ(SNCE_OK, Session(1, 1).Address(1).Insert(cache_, Now()));
  const Session elsewhere = Session(1, 2).Address(2);
  ASSERT_EQ(SNCE_OK, answer_.Lookup(cache_, elsewhere.Key(), Now()));
  EXPECT_EQ("", answer_.Differs(Session(1, 1).Address(1)));
  ASSERT_EQ(SNCE_OK, elsewhere.Insert(cache_, Now()));
  EXPECT_EQ(1u, region_.Figures().live);
  const Session third = Session(1).Address(3);
  const snceKey key = third.Key();
  ASSERT_EQ(SNCE_OK, answer_.Lookup(cache_, key, Now()));
  EXPECT_EQ("", answer_.Differs(elsewhere));
  EXPECT_EQ(SNCE_OK, snceCache_Remove(cache_, &key));
  EXPECT_EQ(SNCE_MISS, answer_.Lookup(cache_, elsewhere.Key(), Now()));
}

class SnceCacheByAddress : public ::testing::Test {
 protected:
  static snceCacheOptions ByAddress() {
    snceCacheOptions options = Options(1000);
    options.matchAddress = true;
    return options;
  }
  void Match(bool match) {
    snceCacheOptions options = Options(1000);
    options.matchAddress = match;
    ASSERT_EQ(SNCE_OK, snceCache_Configure(cache_, &options));
    snceCacheOptions now;
    snceCache_GetOptions(cache_, &now);
    ASSERT_EQ(match, now.matchAddress);
  }

  Region region_{ByAddress()};
  snceCache cache_ = region_.cache();
  snceTime now_ = At(kStart);
  Answer answer_;
  const Session here_ = Session(1, 1).Address(1);
  const Session there_ = Session(1, 2).Address(2);
};

TEST_F(SnceCacheByAddress, AnotherAddressMissesAndIsCounted) {
  ASSERT_EQ(SNCE_OK, here_.Insert(cache_, now_));
  EXPECT_EQ(SNCE_MISS, answer_.Lookup(cache_, there_.Key(), now_));
  EXPECT_EQ(SNCE_OK, answer_.Lookup(cache_, here_.Key(), now_));
  EXPECT_EQ(1u, region_.Figures().missesAddress);
  EXPECT_EQ(1u, region_.Figures().hits);
}

TEST_F(SnceCacheByAddress, EveryByteOfTheAddressCounts) {
  ASSERT_EQ(SNCE_OK, here_.Insert(cache_, now_));
  for (size_t at = 0; at < SNCE_ADDRESS_BYTES; ++at) {
    snceKey key = here_.Key();
    key.address[at] ^= 0x10;
    EXPECT_EQ(SNCE_MISS, answer_.Lookup(cache_, key, now_)) << at;
  }
}

TEST_F(SnceCacheByAddress, OneIdMayBeKeptForTwoAddresses) {
  ASSERT_EQ(SNCE_OK, here_.Insert(cache_, now_));
  ASSERT_EQ(SNCE_OK, there_.Insert(cache_, now_));
  ASSERT_EQ(SNCE_OK, answer_.Lookup(cache_, here_.Key(), now_));
  EXPECT_EQ("", answer_.Differs(here_));
  ASSERT_EQ(SNCE_OK, answer_.Lookup(cache_, there_.Key(), now_));
  EXPECT_EQ("", answer_.Differs(there_));
  const snceKey key = here_.Key();
  EXPECT_EQ(SNCE_OK, snceCache_Remove(cache_, &key));
  EXPECT_EQ(SNCE_MISS, answer_.Lookup(cache_, here_.Key(), now_));
  EXPECT_EQ(SNCE_OK, answer_.Lookup(cache_, there_.Key(), now_));
}

TEST_F(SnceCacheByAddress, RemovingUnderAnotherAddressMisses) {
  ASSERT_EQ(SNCE_OK, here_.Insert(cache_, now_));
  const snceKey key = there_.Key();
  EXPECT_EQ(SNCE_MISS, snceCache_Remove(cache_, &key));
  EXPECT_EQ(SNCE_OK, answer_.Lookup(cache_, here_.Key(), now_));
}

TEST_F(SnceCacheByAddress, MatchingCanBeSwitchedWhileSessionsLive) {
  ASSERT_EQ(SNCE_OK, here_.Insert(cache_, now_));
  EXPECT_EQ(SNCE_MISS, answer_.Lookup(cache_, there_.Key(), now_));
  Match(false);
  ASSERT_EQ(SNCE_OK, answer_.Lookup(cache_, there_.Key(), now_));
  EXPECT_EQ("", answer_.Differs(here_));
  Match(true);
  EXPECT_EQ(SNCE_MISS, answer_.Lookup(cache_, there_.Key(), now_));
  EXPECT_EQ(SNCE_OK, answer_.Lookup(cache_, here_.Key(), now_));
}

TEST_F(SnceCacheByAddress, SwitchedOffRemoveTakesTheSessionsOfAllAddresses) {
  ASSERT_EQ(SNCE_OK, here_.Insert(cache_, now_));
  ASSERT_EQ(SNCE_OK, there_.Insert(cache_, now_));
  Match(false);
  const snceKey key = here_.Key();
  EXPECT_EQ(SNCE_OK, snceCache_Remove(cache_, &key));
  EXPECT_EQ(SNCE_MISS, answer_.Lookup(cache_, here_.Key(), now_));
  EXPECT_EQ(SNCE_MISS, answer_.Lookup(cache_, there_.Key(), now_));
  Match(true);
  EXPECT_EQ(SNCE_MISS, answer_.Lookup(cache_, here_.Key(), now_));
  EXPECT_EQ(SNCE_MISS, answer_.Lookup(cache_, there_.Key(), now_));
}

TEST_F(SnceCacheByAddress, SwitchedOffInsertReplacesTheSessionsOfAllAddresses) {
  ASSERT_EQ(SNCE_OK, here_.Insert(cache_, now_));
  ASSERT_EQ(SNCE_OK, there_.Insert(cache_, now_));
  Match(false);
  const Session third = Session(1, 3).Address(3);
  ASSERT_EQ(SNCE_OK, third.Insert(cache_, now_));
  for (const Session* asked : {&here_, &there_, &third}) {
    ASSERT_EQ(SNCE_OK, answer_.Lookup(cache_, asked->Key(), now_));
    EXPECT_EQ("", answer_.Differs(third));
  }
}

class SnceCacheByName : public SnceCache {
 protected:
  SnceCacheByName() {
    EXPECT_EQ(SNCE_OK, named_.Insert(cache_, Now()));
    EXPECT_EQ(SNCE_OK, nameless_.Insert(cache_, Now()));
  }
  snceResult Under(const Session& session, const std::string& name) {
    return answer_.Lookup(cache_, session.KeyNamed(name), Now());
  }

  const Session named_ = Session(1).Name("a.example");
  const Session nameless_ = Session(2);
};

TEST_F(SnceCacheByName, NullIsAnyName) {
  ASSERT_EQ(SNCE_OK, answer_.Lookup(cache_, named_.Key(), Now()));
  ASSERT_EQ(SNCE_OK, answer_.Lookup(cache_, nameless_.Key(), Now()));
}

TEST_F(SnceCacheByName, TheNameItWasMadeForFindsASession) {
  ASSERT_EQ(SNCE_OK, Under(named_, "a.example"));
}

TEST_F(SnceCacheByName, OtherNamesMissAndAreCounted) {
  const std::string others[] = {"b.example",
                                "a.exampl",
                                "a.example.",
                                "A.example",
                                std::string("a.example\0", 10),
                                std::string(SNCE_NAME_MAX, 'a')};
  uint64_t misses = 0;
  for (const std::string& other : others) {
    EXPECT_EQ(SNCE_MISS, Under(named_, other)) << other;
    EXPECT_EQ(SNCE_MISS, Under(nameless_, other)) << other;
    misses += 2;
    EXPECT_EQ(misses, region_.Figures().missesName);
  }
  EXPECT_EQ(0u, region_.Figures().missesUnknown);
}

TEST_F(SnceCacheByName, AnEmptyNameMeansMadeWithout) {
  EXPECT_EQ(SNCE_OK, Under(nameless_, ""));
  EXPECT_EQ(SNCE_MISS, Under(named_, ""));
  EXPECT_EQ(1u, region_.Figures().missesName);
}

TEST_F(SnceCacheByName, AMissByNameLeavesTheSession) {
  EXPECT_EQ(SNCE_MISS, Under(named_, "b.example"));
  EXPECT_EQ(SNCE_OK, Under(named_, "a.example"));
}

TEST_F(SnceCacheByName, ANameTooLongToBeStoredMisses) {
  EXPECT_NE(SNCE_OK, Under(named_, std::string(SNCE_NAME_MAX + 1, 'a')));
  EXPECT_NE(SNCE_OK, Under(named_, std::string(100000, 'a')));
}

TEST_F(SnceCacheByName, RemoveTakesASessionOfAnyName) {
  const std::string other = "b.example";
  snceKey key = named_.KeyNamed(other);
  EXPECT_EQ(SNCE_OK, snceCache_Remove(cache_, &key));
  EXPECT_EQ(SNCE_MISS, Under(named_, "a.example"));
}

TEST_F(SnceCacheByName, TheSameIdUnderAnotherNameReplaces) {
  ASSERT_EQ(SNCE_OK, Session(1, 1).Name("b.example").Insert(cache_, Now()));
  EXPECT_EQ(SNCE_MISS, Under(named_, "a.example"));
  EXPECT_EQ(SNCE_OK, Under(named_, "b.example"));
  EXPECT_EQ(2u, region_.Figures().live);
}

TEST_F(SnceCacheByName, NamesOfEveryLengthAreToldApart) {
  std::string name;
  for (size_t len = 1; len <= SNCE_NAME_MAX; ++len) {
    name.assign(len, 'x');
    name[len - 1] = static_cast<char>('a' + len % 26);
    const Session session = Session(len).Name(name);
    ASSERT_EQ(SNCE_OK, session.Insert(cache_, Now())) << len;
    for (size_t at = 0; at < len; ++at) {
      std::string other = name;
      other[at] ^= 1;
      ASSERT_EQ(SNCE_MISS, Under(session, other)) << len << ", " << at;
    }
    ASSERT_EQ(SNCE_MISS, Under(session, name + 'x')) << len;
    ASSERT_EQ(SNCE_MISS, Under(session, name + '\0')) << len;
    ASSERT_EQ(SNCE_OK, Under(session, name)) << len;
    EXPECT_EQ("", answer_.Differs(session)) << len;
  }
}

TEST_F(SnceCacheByName, TheLongestNameIsKeptAndALongerOneRefused) {
  const std::string longest(SNCE_NAME_MAX, 'l');
  const Session session = Session(3).Name(longest);
  ASSERT_EQ(SNCE_OK, session.Insert(cache_, Now()));
  ASSERT_EQ(SNCE_OK, Under(session, longest));
  const Session longer = Session(4).Name(longest + "l");
  EXPECT_EQ(SNCE_TOO_LARGE, longer.Insert(cache_, Now()));
  EXPECT_EQ(SNCE_MISS, answer_.Lookup(cache_, longer.Key(), Now()));
  EXPECT_EQ(1u, region_.Figures().refused);
}

// A flood of invented names must evict no session. It did while names had a
// store of their own, which a flood could fill.
TEST_F(SnceCacheByName, ManyNamesEvictNothing) {
  Region region(1000);
  for (uint64_t serial = 0; serial < 900; ++serial) {
    const Session session =
        Session(serial).Name("host-" + std::to_string(serial));
    ASSERT_EQ(SNCE_OK, session.Insert(region.cache(), Now()));
  }
  uint64_t kept = 0;
  for (uint64_t serial = 0; serial < 900; ++serial) {
    const std::string name = "host-" + std::to_string(serial);
    const Session session = Session(serial).Name(name);
    kept += answer_.Lookup(region.cache(), session.KeyNamed(name), Now()) ==
            SNCE_OK;
  }
  EXPECT_EQ(900u, kept);
}

TEST_F(SnceCacheByName, TheNameItselfIsNowhereInTheRegion) {
  EXPECT_EQ(0u, CountInFile(region_.fd(),
                            reinterpret_cast<const uint8_t*>("a.example"), 9));
}

TEST(SnceSession, WipeClearsTheSessionAndItsBuffers) {
  Region region(10);
  Answer answer;
  const Session session(1, 1, kEverything);
  ASSERT_EQ(SNCE_OK, session.Insert(region.cache(), At(kStart)));
  ASSERT_EQ(SNCE_OK, answer.Lookup(region.cache(), session.Key(), At(kStart)));
  const snceBuffer certificate = answer.session().certificate;
  ASSERT_LT(0u, certificate.len);
  snceSession_Wipe(answer.get());
  for (size_t at = 0; at < SNCE_STATE_BYTES; ++at)
    ASSERT_EQ(0, answer.session().state[at]);
  for (size_t at = 0; at < certificate.len; ++at)
    ASSERT_EQ(0, certificate.data[at]);
}

}  // namespace
}  // namespace snce_test
