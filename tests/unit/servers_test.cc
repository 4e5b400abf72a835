/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// Virtual servers: adding, finding and removing them; each has its own
// sessions.
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "sslsnce/snce.h"
#include "test_build.h"
#include "test_clock.h"
#include "test_region.h"
#include "test_server.h"
#include "test_session.h"

namespace snce_test {
namespace {

class SnceServer : public ::testing::Test {
 protected:
  Region region_{100};
  snceTime now_ = At(kStart);
  Answer answer_;
};

TEST_F(SnceServer, AFreshRegionHasTheDefaultCacheAlone) {
  const std::vector<snceServerInfo> all = List(region_.get());
  ASSERT_EQ(1u, all.size());
  EXPECT_EQ(kDefault, all[0].id);
  EXPECT_EQ("", NameOf(all[0]));
  EXPECT_EQ(100u, all[0].options.entries);
  EXPECT_EQ(kDefault, snceCache_Id(region_.cache()));
}

TEST_F(SnceServer, AnAddedOneIsFoundAndListedAsItWasAsked) {
  snceCacheOptions options = Options(20);
  options.certificates = 7;
  options.timeoutSec[SNCE_CLASS_SSL2] = 3;
  options.matchAddress = true;
  options.unlisted = true;
  snceServerId id, found;
  ASSERT_EQ(SNCE_OK, Add(region_.get(), "shop.example", options, &id));
  EXPECT_NE(0u, id.number);
  ASSERT_EQ(SNCE_OK, Find(region_.get(), "shop.example", &found));
  EXPECT_EQ(id, found);
  const std::vector<snceServerInfo> all = List(region_.get());
  ASSERT_EQ(2u, all.size());
  EXPECT_EQ(id, all[1].id);
  EXPECT_EQ("shop.example", NameOf(all[1]));
  EXPECT_EQ(20u, all[1].options.entries);
  EXPECT_EQ(7u, all[1].options.certificates);
  EXPECT_EQ(3u, all[1].options.timeoutSec[SNCE_CLASS_SSL2]);
  EXPECT_EQ(86400u, all[1].options.timeoutSec[SNCE_CLASS_SSL3]);
  EXPECT_TRUE(all[1].options.matchAddress);
  EXPECT_TRUE(all[1].options.unlisted);
  EXPECT_FALSE(all[0].options.matchAddress);
}

TEST_F(SnceServer, ASecondOfTheSameNameIsTheFirst) {
  snceServerId first, second;
  ASSERT_EQ(SNCE_OK, Add(region_.get(), "a.example", Options(20), &first));
  EXPECT_EQ(SNCE_EXISTS, Add(region_.get(), "A.Example", Options(50), &second));
  EXPECT_EQ(first, second);
  EXPECT_EQ(2u, List(region_.get()).size());
  EXPECT_EQ(20u, List(region_.get())[1].options.entries);
}

TEST_F(SnceServer, SessionsAreFoundWhereTheyWerePutAndNowhereElse) {
  std::vector<snceCache> caches = {region_.cache()};
  for (int i = 0; i < 20; ++i)
    caches.push_back(AddServer(region_.get(), "host" + std::to_string(i), 100));
  // The same IDs in all servers, each time for another session.
  for (uint64_t at = 0; at < caches.size(); ++at)
    for (uint64_t serial = 0; serial < 50; ++serial)
      ASSERT_EQ(SNCE_OK,
                Session(serial, at, kEverything).Insert(caches[at], now_));
  for (uint64_t at = 0; at < caches.size(); ++at) {
    for (uint64_t serial = 0; serial < 50; ++serial) {
      const Session session(serial, at, kEverything);
      ASSERT_EQ(SNCE_OK, answer_.Lookup(caches[at], session.Key(), now_));
      ASSERT_EQ("", answer_.Differs(session)) << at << ", " << serial;
    }
    EXPECT_EQ(50u, FiguresOf(caches[at]).live);
    EXPECT_EQ(50u, FiguresOf(caches[at]).hits);
  }
  // A session that is removed from one server stays in the others.
  const Session session(7);
  const snceKey key = session.Key();
  EXPECT_EQ(SNCE_OK, snceCache_Remove(caches[3], &key));
  EXPECT_EQ(SNCE_MISS, snceCache_Remove(caches[3], &key));
  for (uint64_t at = 0; at < caches.size(); ++at)
    EXPECT_EQ(at == 3 ? SNCE_MISS : SNCE_OK, Find(caches[at], session, now_));
}

TEST_F(SnceServer, AFloodInOneEvictsNothingOfAnother) {
  const snceCache quiet = AddServer(region_.get(), "quiet.example", 1000);
  const snceCache loud = AddServer(region_.get(), "loud.example", 1000);
  for (uint64_t serial = 0; serial < 900; ++serial) {
    ASSERT_EQ(SNCE_OK, Session(serial, 0, kEverything).Insert(quiet, now_));
    if (serial < 90) {
      ASSERT_EQ(SNCE_OK,
                Session(serial, 0, kEverything).Insert(region_.cache(), now_));
    }
  }
  const uint64_t before = CountFound(quiet, 0, 900, now_, kEverything);
  // The quiet cache may evict sessions of its own: chance may fill both sets of
  // one.
  const uint64_t replaced = FiguresOf(quiet).replacedLive;
  const uint64_t memory = snceRegion_ResidentBytes(region_.get());
  for (uint64_t serial = 0; serial < 50000; ++serial)
    Session(1000000 + serial)
        .Certificate(Bytes(serial, 900))
        .Name("invented-" + std::to_string(serial))
        .Insert(loud, now_);
  EXPECT_EQ(before, CountFound(quiet, 0, 900, now_, kEverything));
  EXPECT_EQ(90u, CountFound(region_.cache(), 0, 90, now_, kEverything));
  EXPECT_EQ(replaced, FiguresOf(quiet).replacedLive);
  EXPECT_GE(before * 1000, 900u * 995);
  printf("the flood took %.1f MB more\n",
         double(snceRegion_ResidentBytes(region_.get()) - memory) / 1e6);
}

TEST_F(SnceServer, EachHasTimeoutsOfItsOwnThatCountAtOnce) {
  const snceCache other = AddServer(region_.get(), "other.example", 100);
  const Session session(1);
  ASSERT_EQ(SNCE_OK, session.Insert(other, now_));
  ASSERT_EQ(SNCE_OK, session.Insert(region_.cache(), now_));
  snceCacheOptions options = Options(100);
  options.timeoutSec[SNCE_CLASS_SSL3] = 10;
  ASSERT_EQ(SNCE_OK, snceCache_Configure(other, &options));
  EXPECT_EQ(SNCE_OK, Find(other, session, now_ + (10 * kSecond - 1)));
  EXPECT_EQ(SNCE_MISS, Find(other, session, now_ + 10 * kSecond));
  EXPECT_EQ(SNCE_OK, Find(region_.cache(), session, now_ + 86399 * kSecond));
  EXPECT_EQ(kStart + 10 * kSecond,
            snceCache_Expiry(other, SNCE_CLASS_SSL3, now_).usec);
}

TEST_F(SnceServer, FlagsChangeLive) {
  const snceCache cache = AddServer(region_.get(), "a.example", 100);
  const Session session = Session(1).Address(1);
  ASSERT_EQ(SNCE_OK, session.Insert(cache, now_));
  snceKey key = session.Key();
  key.address[0] ^= 1;
  EXPECT_EQ(SNCE_OK, answer_.Lookup(cache, key, now_));
  snceCacheOptions options = Options(100);
  options.matchAddress = true;
  ASSERT_EQ(SNCE_OK, snceCache_Configure(cache, &options));
  EXPECT_EQ(SNCE_MISS, answer_.Lookup(cache, key, now_));
  EXPECT_EQ(1u, FiguresOf(cache).missesAddress);
  EXPECT_EQ(snceCache_Id(cache), Choose(region_.get(), "a.example"));
  options.matchAddress = false;
  options.unlisted = true;
  ASSERT_EQ(SNCE_OK, snceCache_Configure(cache, &options));
  EXPECT_EQ(SNCE_OK, answer_.Lookup(cache, key, now_));
  EXPECT_EQ(kDefault, Choose(region_.get(), "a.example"));
}

TEST_F(SnceServer, AClosedOneIsChosenAndTakesAndFindsNothing) {
  const snceCache cache = AddServer(region_.get(), "a.example", 100);
  const Session before(1, 1, kEverything), other(2), removed(3);
  ASSERT_EQ(SNCE_OK, before.Insert(cache, now_));
  ASSERT_EQ(SNCE_OK, removed.Insert(cache, now_));
  EXPECT_TRUE(snceCache_IsOpen(cache));
  snceCacheOptions options = Options(100);
  options.closed = true;
  ASSERT_EQ(SNCE_OK, snceCache_Configure(cache, &options));
  EXPECT_FALSE(snceCache_IsOpen(cache));
  EXPECT_EQ(snceCache_Id(cache), Choose(region_.get(), "a.example"));
  EXPECT_EQ(SNCE_MISS, answer_.Lookup(cache, before.Key(), now_));
  EXPECT_EQ(SNCE_CLOSED, other.Insert(cache, now_));
  EXPECT_EQ(1u, FiguresOf(cache).missesUnknown);
  EXPECT_EQ(1u, FiguresOf(cache).refused);
  // A removal from a closed cache works.
  const snceKey key = removed.Key();
  EXPECT_EQ(SNCE_OK, snceCache_Remove(cache, &key));
  snceCacheOptions shown;
  ASSERT_EQ(SNCE_OK, snceCache_GetOptions(cache, &shown));
  EXPECT_TRUE(shown.closed);
  EXPECT_FALSE(shown.unlisted);
  // A closed cache can move.
  options.entries = 1000;
  ASSERT_EQ(SNCE_OK, snceCache_Configure(cache, &options));
  EXPECT_FALSE(snceCache_IsOpen(cache));
  EXPECT_EQ(SNCE_MISS, answer_.Lookup(cache, before.Key(), now_));
  options.closed = false;
  ASSERT_EQ(SNCE_OK, snceCache_Configure(cache, &options));
  EXPECT_TRUE(snceCache_IsOpen(cache));
  EXPECT_EQ(SNCE_OK, answer_.Lookup(cache, before.Key(), now_));
  EXPECT_EQ("", answer_.Differs(before));
  EXPECT_EQ(SNCE_MISS, answer_.Lookup(cache, removed.Key(), now_));
  EXPECT_EQ(SNCE_OK, other.Insert(cache, now_));
}

TEST_F(SnceServer, OneIsClosedFromTheBeginning) {
  snceCacheOptions options = Options(100);
  options.closed = true;
  snceServerId id;
  ASSERT_EQ(SNCE_OK, Add(region_.get(), "a.example", options, &id));
  const snceCache cache = snceRegion_Cache(region_.get(), id);
  EXPECT_FALSE(snceCache_IsOpen(cache));
  EXPECT_EQ(SNCE_CLOSED, Session(1).Insert(cache, now_));
  // The other caches stay open.
  EXPECT_TRUE(snceCache_IsOpen(region_.cache()));
  EXPECT_EQ(SNCE_OK, Session(1).Insert(region_.cache(), now_));
}

TEST_F(SnceServer, TheDefaultCacheCanBeClosed) {
  snceCacheOptions options = Options(100);
  options.closed = true;
  const Region closed(options);
  EXPECT_FALSE(snceCache_IsOpen(closed.cache()));
  EXPECT_EQ(SNCE_CLOSED, Session(1).Insert(closed.cache(), now_));
  options.closed = false;
  ASSERT_EQ(SNCE_OK, snceCache_Configure(closed.cache(), &options));
  EXPECT_EQ(SNCE_OK, Session(1).Insert(closed.cache(), now_));
}

// A caller that changes the limits of a cache need not know whether it is
// closed.
TEST_F(SnceServer, AChangeMayLeaveAClosedOneClosed) {
  snceCacheOptions options = Options(100);
  options.closed = true;
  Region region(options);
  for (bool closed : {true, false}) {
    options.keepClosed = true;
    options.closed = !closed;
    options.timeoutSec[SNCE_CLASS_SSL3] += 1;
    ASSERT_EQ(SNCE_OK, snceCache_Configure(region.cache(), &options));
    EXPECT_EQ(!closed, snceCache_IsOpen(region.cache()));
    options.keepClosed = false;
    options.closed = false;
    ASSERT_EQ(SNCE_OK, snceCache_Configure(region.cache(), &options));
    EXPECT_TRUE(snceCache_IsOpen(region.cache()));
  }
}

TEST_F(SnceServer, OneThatIsGoneOrCannotBeIsNotOpen) {
  const snceCache cache = AddServer(region_.get(), "a.example", 100);
  EXPECT_TRUE(snceCache_IsOpen(cache));
  ASSERT_EQ(SNCE_OK, snceServer_Remove(region_.get(), snceCache_Id(cache)));
  EXPECT_FALSE(snceCache_IsOpen(cache));
  const snceCache next = AddServer(region_.get(), "b.example", 100);
  EXPECT_EQ(cache.id.number, next.id.number);
  EXPECT_FALSE(snceCache_IsOpen(cache));
  EXPECT_TRUE(snceCache_IsOpen(next));
  EXPECT_FALSE(snceCache_IsOpen(
      snceRegion_Cache(region_.get(), {SNCE_SERVERS_MAX + 1, 1, 1})));
}

TEST_F(SnceServer, ARemovedOneTakesAndFindsNothing) {
  const snceCache cache = AddServer(region_.get(), "a.example", 100);
  const Session session(1, 1, kEverything);
  const snceKey key = session.Key();
  ASSERT_EQ(SNCE_OK, session.Insert(cache, now_));
  ASSERT_EQ(SNCE_OK, session.Insert(region_.cache(), now_));
  EXPECT_TRUE(snceCache_IsOpen(cache));
  EXPECT_EQ(SNCE_OK, snceServer_Remove(region_.get(), snceCache_Id(cache)));
  EXPECT_FALSE(snceCache_IsOpen(cache));
  snceServerId id;
  snceCacheOptions options = Options(10);
  snceFigures figures;
  EXPECT_EQ(SNCE_MISS, Find(region_.get(), "a.example", &id));
  EXPECT_EQ(kDefault, Choose(region_.get(), "a.example"));
  EXPECT_EQ(1u, List(region_.get()).size());
  EXPECT_EQ(SNCE_MISS, Find(cache, session, now_));
  EXPECT_EQ(SNCE_GONE, session.Insert(cache, now_));
  EXPECT_EQ(SNCE_MISS, snceCache_Remove(cache, &key));
  EXPECT_EQ(SNCE_GONE, snceCache_Configure(cache, &options));
  EXPECT_EQ(SNCE_GONE, snceCache_Flush(cache));
  EXPECT_EQ(SNCE_GONE, snceCache_GetOptions(cache, &options));
  EXPECT_EQ(SNCE_GONE, snceCache_GetFigures(cache, &figures));
  EXPECT_EQ(now_.usec, snceCache_Expiry(cache, SNCE_CLASS_SSL3, now_).usec);
  EXPECT_EQ(SNCE_GONE, snceServer_Remove(region_.get(), snceCache_Id(cache)));
  EXPECT_EQ(SNCE_OK, Find(region_.cache(), session, now_));
}

TEST_F(SnceServer, ItsSuccessorIsNotReachedByItsId) {
  const snceCache old = AddServer(region_.get(), "a.example", 100);
  const Session session(1, 1, kEverything);
  ASSERT_EQ(SNCE_OK, session.Insert(old, now_));
  ASSERT_EQ(SNCE_OK, snceServer_Remove(region_.get(), snceCache_Id(old)));
  const snceCache next = AddServer(region_.get(), "a.example", 100);
  EXPECT_EQ(old.id.number, next.id.number);
  EXPECT_NE(snceCache_Id(old), snceCache_Id(next));
  EXPECT_FALSE(snceCache_IsOpen(old));
  EXPECT_TRUE(snceCache_IsOpen(next));
  EXPECT_EQ(SNCE_MISS, Find(next, session, now_));
  EXPECT_EQ(0u, FiguresOf(next).inserts);
  EXPECT_EQ(0u, FiguresOf(next).live);
  ASSERT_EQ(SNCE_OK, session.Insert(next, now_));
  EXPECT_EQ(SNCE_MISS, Find(old, session, now_));
  EXPECT_EQ(SNCE_GONE, session.Insert(old, now_));
  const snceKey key = session.Key();
  EXPECT_EQ(SNCE_MISS, snceCache_Remove(old, &key));
  EXPECT_EQ(SNCE_OK, Find(next, session, now_));
}

TEST_F(SnceServer, ItsSecretsGoWithIt) {
  const snceCache cache = AddServer(region_.get(), "a.example", 100);
  const std::vector<uint8_t> secret = Bytes(99, 64), der = Bytes(98, 700);
  Session session = Session(1).Certificate(der);
  std::copy(secret.begin(), secret.end(), session.get()->state);
  ASSERT_EQ(SNCE_OK, session.Insert(cache, now_));
  EXPECT_EQ(1u, CountInFile(region_.fd(), secret.data(), secret.size()));
  EXPECT_EQ(1u, CountInFile(region_.fd(), der.data(), der.size()));
  ASSERT_EQ(SNCE_OK, snceServer_Remove(region_.get(), snceCache_Id(cache)));
  EXPECT_EQ(0u, CountInFile(region_.fd(), secret.data(), secret.size()));
  EXPECT_EQ(0u, CountInFile(region_.fd(), der.data(), der.size()));
}

TEST_F(SnceServer, TheDefaultCacheIsNeverRemoved) {
  EXPECT_EQ(SNCE_INVALID, snceServer_Remove(region_.get(), kDefault));
  EXPECT_TRUE(snceCache_IsOpen(region_.cache()));
  EXPECT_EQ(SNCE_OK, Session(1).Insert(region_.cache(), now_));
}

TEST_F(SnceServer, IdsOfNoSenseNameNothing) {
  AddServer(region_.get(), "a.example", 100);
  const std::pair<uint32_t, uint32_t> kNone[] = {{1, 0},
                                                 {1, 2},
                                                 {1, UINT32_MAX},
                                                 {2, 1},
                                                 {0, 0},
                                                 {0, 2},
                                                 {SNCE_SERVERS_MAX, 1},
                                                 {SNCE_SERVERS_MAX, 0},
                                                 {SNCE_SERVERS_MAX + 1, 1},
                                                 {UINT32_MAX, 1}};
  for (const auto& none : kNone) {
    const snceServerId id = IdOf(region_.get(), none.first, none.second);
    const snceCache cache = snceRegion_Cache(region_.get(), id);
    EXPECT_EQ(SNCE_GONE, Session(1).Insert(cache, now_));
    EXPECT_EQ(SNCE_MISS, Find(cache, Session(1), now_));
    EXPECT_NE(SNCE_OK, snceServer_Remove(region_.get(), id));
  }
}

// Numbers and generations repeat in every region.
TEST_F(SnceServer, AnIdOfOneRegionNamesNothingInAnother) {
  Region other(100);
  const snceCacheOptions options = Options(50);
  snceServerId ours, theirs;
  ASSERT_EQ(SNCE_OK, Add(region_.get(), "a.example", options, &ours));
  ASSERT_EQ(SNCE_OK, Add(other.get(), "b.example", options, &theirs));
  ASSERT_EQ(ours.number, theirs.number);
  ASSERT_EQ(ours.generation, theirs.generation);
  EXPECT_NE(ours.region, theirs.region);
  EXPECT_NE(ours, theirs);
  for (snceServerId id : {ours, snceServerId{1, 1, 0}}) {
    const snceCache cache = snceRegion_Cache(other.get(), id);
    const Session session(1);
    const snceKey key = session.Key();
    snceCacheOptions now;
    snceFigures figures;
    EXPECT_EQ(SNCE_GONE, session.Insert(cache, now_));
    EXPECT_EQ(SNCE_MISS, Find(cache, session, now_));
    EXPECT_EQ(SNCE_MISS, snceCache_Remove(cache, &key));
    EXPECT_EQ(SNCE_GONE, snceCache_Configure(cache, &options));
    EXPECT_EQ(SNCE_GONE, snceCache_Flush(cache));
    EXPECT_EQ(SNCE_GONE, snceCache_GetOptions(cache, &now));
    EXPECT_EQ(SNCE_GONE, snceCache_GetFigures(cache, &figures));
    EXPECT_EQ(SNCE_GONE, snceServer_Remove(other.get(), id));
  }
  EXPECT_EQ(theirs, Choose(other.get(), "b.example"));
  EXPECT_EQ(0u, FiguresOf(snceRegion_Cache(other.get(), theirs)).inserts);
}

TEST_F(SnceServer, AKeyFailureIsCountedWhereItIsSaid) {
  const snceCache cache = AddServer(region_.get(), "a.example", 50);
  for (int i = 0; i < 3; ++i) snceCache_CountKeyFailure(cache);
  EXPECT_EQ(3u, FiguresOf(cache).keyFailures);
  EXPECT_EQ(0u, region_.Figures().keyFailures);
  ASSERT_EQ(SNCE_OK, snceServer_Remove(region_.get(), snceCache_Id(cache)));
  snceCache_CountKeyFailure(cache);
  const snceCache next = AddServer(region_.get(), "a.example", 50);
  EXPECT_EQ(cache.id.number, next.id.number);
  EXPECT_EQ(0u, FiguresOf(next).keyFailures);
}

TEST_F(SnceServer, EveryWayToAnIdGivesTheSameOne) {
  snceServerId added, found;
  ASSERT_EQ(SNCE_OK, Add(region_.get(), "a.example", Options(50), &added));
  ASSERT_EQ(SNCE_EXISTS, Add(region_.get(), "a.example", Options(50), &found));
  EXPECT_EQ(added.region, found.region);
  ASSERT_EQ(SNCE_OK, Find(region_.get(), "a.example", &found));
  EXPECT_EQ(added.region, found.region);
  EXPECT_EQ(added.region, Choose(region_.get(), "a.example").region);
  EXPECT_EQ(added.region, Choose(region_.get(), "b.example").region);
  EXPECT_EQ(added.region, snceCache_Id(region_.cache()).region);
  for (const snceServerInfo& info : List(region_.get()))
    EXPECT_EQ(added.region, info.id.region);
  // The identity is the same in every process.
  snceRegion* attached = nullptr;
  ASSERT_EQ(SNCE_OK,
            snceRegion_Attach(&attached, dup(region_.fd()), SNCE_ACCESS_READ));
  EXPECT_EQ(added.region, Choose(attached, "a.example").region);
  snceRegion_Close(attached);
}

TEST_F(SnceServer, ANumberThatNoneCanHaveIsNotOpen) {
  const uint64_t region = snceCache_Id(region_.cache()).region;
  for (uint32_t number : {SNCE_SERVERS_MAX + 0u, SNCE_SERVERS_MAX + 1u, ~0u}) {
    const snceServerId id = {number, 1, region};
    EXPECT_FALSE(snceCache_IsOpen(snceRegion_Cache(region_.get(), id)));
  }
}

TEST_F(SnceServer, ThereIsRoomForAThousandAndTwentyFourAndNoMore) {
  std::vector<snceCache> caches;
  snceServerId id;
  for (int i = 0; i < SNCE_SERVERS_MAX; ++i) {
    ASSERT_EQ(SNCE_OK,
              Add(region_.get(), "host" + std::to_string(i),
                  Options(kSanitized || kSmallSpace ? 1000 : 10000), &id))
        << i;
    caches.push_back(snceRegion_Cache(region_.get(), id));
  }
  EXPECT_EQ(SNCE_FULL, Add(region_.get(), "too.many", Options(10), &id));
  EXPECT_EQ(size_t{SNCE_SERVERS_MAX} + 1, List(region_.get()).size());
  for (int i = 0; i < SNCE_SERVERS_MAX; ++i) {
    ASSERT_EQ(SNCE_OK, Find(region_.get(), "host" + std::to_string(i), &id));
    ASSERT_EQ(snceCache_Id(caches[i]), id);
    ASSERT_EQ(SNCE_OK, Session(i).Insert(caches[i], now_));
  }
  for (int i = 0; i < SNCE_SERVERS_MAX; ++i)
    ASSERT_EQ(1u, CountFound(caches[i], i, 1, now_));
  // When one server is removed, another can be added.
  ASSERT_EQ(SNCE_OK,
            snceServer_Remove(region_.get(), snceCache_Id(caches[500])));
  EXPECT_EQ(SNCE_OK, Add(region_.get(), "one.more", Options(10), &id));
  EXPECT_EQ(caches[500].id.number, id.number);
}

TEST_F(SnceServer, OptionsOutOfRangeAreRefused) {
  snceServerId id;
  for (uint64_t entries : {uint64_t{0}, uint64_t{SNCE_ENTRIES_MAX} + 1})
    EXPECT_EQ(SNCE_INVALID,
              Add(region_.get(), "a.example", Options(entries), &id));
  snceCacheOptions options = Options(10);
  options.timeoutSec[0] = UINT32_MAX;
  EXPECT_EQ(SNCE_INVALID, Add(region_.get(), "a.example", options, &id));
  EXPECT_EQ(1u, List(region_.get()).size());
}

TEST_F(SnceServer, WithoutRoomSaysSoAndLeavesNothing) {
  if (kSanitized) GTEST_SKIP() << "terabytes take a sanitizer minutes";
  snceServerId id;
  const snceCacheOptions huge = Options(SNCE_ENTRIES_MAX);
  snceResult result = SNCE_OK;
  int servers = 0;
  while (servers < 20 &&
         (result = Add(region_.get(), "huge" + std::to_string(servers), huge,
                       &id)) == SNCE_OK)
    ++servers;
  EXPECT_EQ(SNCE_NO_MEMORY, result);
  const std::string last = "huge" + std::to_string(servers);
  EXPECT_EQ(SNCE_MISS, Find(region_.get(), last, &id));
  const snceCache cache = AddServer(region_.get(), last, 10);
  EXPECT_EQ(SNCE_OK, Session(1).Insert(cache, now_));
}

TEST_F(SnceServer, AWorkerMayUseThemAndNotChangeThem) {
  const snceCache cache = AddServer(region_.get(), "a.example", 100);
  for (snceAccess access : {SNCE_ACCESS_WORK, SNCE_ACCESS_READ}) {
    snceRegion* attached = nullptr;
    ASSERT_EQ(SNCE_OK, snceRegion_Attach(&attached, dup(region_.fd()), access));
    Region worker(attached);
    snceServerId id;
    ASSERT_EQ(SNCE_OK, Find(worker.get(), "a.example", &id));
    EXPECT_EQ(snceCache_Id(cache), id);
    const snceCache same = snceRegion_Cache(worker.get(), id);
    EXPECT_EQ(access == SNCE_ACCESS_WORK ? SNCE_OK : SNCE_READ_ONLY,
              Session(1).Insert(same, now_));
    EXPECT_EQ(1u, CountFound(same, 1, 1, now_));
    EXPECT_EQ(SNCE_READ_ONLY, Add(worker.get(), "b.example", Options(10), &id));
    EXPECT_EQ(SNCE_READ_ONLY,
              snceServer_Remove(worker.get(), snceCache_Id(cache)));
    EXPECT_EQ(SNCE_READ_ONLY, snceCache_Flush(same));
    EXPECT_EQ(2u, List(worker.get()).size());
  }
}

TEST_F(SnceServer, ComingAndGoingDoesNotUseTheRegionUp) {
  const int rounds = kSanitized ? 1000 : 10000;
  const snceCache stays = AddServer(region_.get(), "stays.example", 100);
  ASSERT_EQ(SNCE_OK, Session(1, 1, kEverything).Insert(stays, now_));
  uint64_t memory = 0;
  for (int i = 0; i < rounds; ++i) {
    const snceCache cache =
        AddServer(region_.get(), "host" + std::to_string(i), 1 + i % 3000);
    ASSERT_EQ(SNCE_OK, Session(i, 1, kEverything).Insert(cache, now_)) << i;
    ASSERT_EQ(1u, CountFound(cache, i, 0, now_) + 1);
    ASSERT_EQ(SNCE_OK, snceServer_Remove(region_.get(), snceCache_Id(cache)))
        << i;
    if (i == 10) memory = snceRegion_ResidentBytes(region_.get());
  }
  EXPECT_LE(snceRegion_ResidentBytes(region_.get()), memory + 65536);
  EXPECT_EQ(SNCE_OK, Find(stays, Session(1, 1, kEverything), now_));
  EXPECT_EQ(2u, List(region_.get()).size());
}

// Limits the time of an addition, for which an administrator waits, and of a
// choice, which every handshake makes.
TEST_F(SnceServer, AddingAmongManyAndChoosingAreFast) {
  if (kSanitized) GTEST_SKIP() << "the plain build does this";
  auto nanoseconds = [] {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return double(now.tv_sec) * 1e9 + double(now.tv_nsec);
  };
  auto name = [](int i) {
    return "www." + std::to_string(i) + ".shop.example";
  };
  const snceCacheOptions options = Options(kSmallSpace ? 1000 : 10000);
  snceServerId id;
  for (int i = 0; i < SNCE_SERVERS_MAX - 1; ++i)
    ASSERT_EQ(SNCE_OK, Add(region_.get(), name(i), options, &id));
  std::vector<double> add, remove;
  for (int i = 0; i < 51; ++i) {
    double begin = nanoseconds();
    ASSERT_EQ(SNCE_OK, Add(region_.get(), "last.example", options, &id));
    add.push_back(nanoseconds() - begin);
    begin = nanoseconds();
    ASSERT_EQ(SNCE_OK, snceServer_Remove(region_.get(), id));
    remove.push_back(nanoseconds() - begin);
  }
  std::sort(add.begin(), add.end());
  std::sort(remove.begin(), remove.end());
  constexpr int kChoices = 400000;
  std::vector<std::string> names;
  for (int i = 0; i < 64; ++i) names.push_back(name(i * 13));
  uint64_t sum = 0;
  double least[3] = {1e9, 1e9, 1e9};
  for (int run = 0; run < 5; ++run) {
    for (int kind = 0; kind < 3; ++kind) {
      std::vector<std::string> asked = names;
      for (std::string& one : asked)
        if (kind == 1) one[2] = 'x';
      if (kind == 2) asked.assign(64, "");
      const double begin = nanoseconds();
      for (int i = 0; i < kChoices; ++i)
        sum += Choose(region_.get(), asked[i % 64]).number != 0;
      least[kind] = std::min(least[kind], (nanoseconds() - begin) / kChoices);
    }
  }
  EXPECT_EQ(uint64_t{kChoices} * 5, sum);
  printf(
      "adding one to 1,023: %.1f us, removing it: %.1f us (medians); choosing: "
      "%.1f ns by name, %.1f ns for a name that is nobody's, %.1f ns without\n",
      add[25] / 1e3, remove[25] / 1e3, least[0], least[1], least[2]);
  EXPECT_LT(add[25], 1e6);
  EXPECT_LT(remove[25], 1e6);
}

}  // namespace
}  // namespace snce_test
