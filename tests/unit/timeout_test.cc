/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// Sessions expire by the timeout of their class, to the microsecond.
#include <unistd.h>

#include <cstdint>
#include <cstring>

#include "gtest/gtest.h"
#include "sslsnce/snce.h"
#include "test_clock.h"
#include "test_region.h"
#include "test_server.h"
#include "test_session.h"

namespace snce_test {
namespace {

class SnceTimeout : public ::testing::Test {
 protected:
  void Retime(uint32_t ssl2, uint32_t ssl3) {
    snceCacheOptions options = Options(1000);
    options.timeoutSec[SNCE_CLASS_SSL2] = ssl2;
    options.timeoutSec[SNCE_CLASS_SSL3] = ssl3;
    ASSERT_EQ(SNCE_OK, snceCache_Configure(cache_, &options));
    snceCacheOptions now;
    snceCache_GetOptions(cache_, &now);
    ASSERT_EQ(ssl2, now.timeoutSec[SNCE_CLASS_SSL2]);
    ASSERT_EQ(ssl3, now.timeoutSec[SNCE_CLASS_SSL3]);
  }
  // Inserts a session of |session_class| that is created now, and returns it.
  Session Made(uint64_t serial, snceClass session_class) {
    const Session session =
        Session(serial).Class(session_class).Created(clock_.Now());
    EXPECT_EQ(SNCE_OK, session.Insert(cache_, clock_.Now()));
    return session;
  }
  snceResult FindNow(const Session& session) {
    return Find(cache_, session, clock_.Now());
  }

  Region region_{1000};
  snceCache cache_ = region_.cache();
  MockClock clock_;
  Answer answer_;
};

TEST_F(SnceTimeout, ASessionLivesAMicrosecondBeforeItsExpiry) {
  const Session session = Made(1, SNCE_CLASS_SSL3);
  clock_.Advance(86400 * kSecond - 1);
  EXPECT_EQ(SNCE_OK, FindNow(session));
}

TEST_F(SnceTimeout, AnExpiredSessionMissesAtItsExpiry) {
  const Session session = Made(1, SNCE_CLASS_SSL3);
  clock_.Advance(86400 * kSecond);
  EXPECT_EQ(SNCE_MISS, FindNow(session));
  EXPECT_EQ(1u, region_.Figures().missesExpired);
  EXPECT_EQ(0u, region_.Figures().missesUnknown);
}

TEST_F(SnceTimeout, EachClassHasItsOwn) {
  const Session ssl2 = Made(1, SNCE_CLASS_SSL2);
  const Session ssl3 = Made(2, SNCE_CLASS_SSL3);
  clock_.Advance(100 * kSecond - 1);
  EXPECT_EQ(SNCE_OK, FindNow(ssl2));
  EXPECT_EQ(SNCE_OK, FindNow(ssl3));
  clock_.Advance(1);
  EXPECT_EQ(SNCE_MISS, FindNow(ssl2));
  EXPECT_EQ(SNCE_OK, FindNow(ssl3));
}

TEST_F(SnceTimeout, TimeCountsFromCreationNotFromStorage) {
  const Session session = Session(1).Class(SNCE_CLASS_SSL2);
  clock_.Advance(60 * kSecond);
  ASSERT_EQ(SNCE_OK, session.Insert(cache_, clock_.Now()));
  clock_.Advance(40 * kSecond - 1);
  EXPECT_EQ(SNCE_OK, FindNow(session));
  clock_.Advance(1);
  EXPECT_EQ(SNCE_MISS, FindNow(session));
}

TEST_F(SnceTimeout, TheCallersExpiryIsIgnored) {
  Session session = Session(1).Class(SNCE_CLASS_SSL2);
  session.get()->expires = At(INT64_MAX);
  session.get()->lastAccess = At(INT64_MAX);
  ASSERT_EQ(SNCE_OK, session.Insert(cache_, clock_.Now()));
  ASSERT_EQ(SNCE_OK, answer_.Lookup(cache_, session.Key(), clock_.Now()));
  EXPECT_EQ(kStart + 100 * kSecond, answer_.session().expires.usec);
  clock_.Advance(100 * kSecond);
  EXPECT_EQ(SNCE_MISS, FindNow(session));
}

// The expiry is reported whatever the result of the insert is.
TEST_F(SnceTimeout, AnInsertSaysWhatTheExpiryIs) {
  const auto told = [&](snceCache cache, const Session& session,
                        snceResult expected) {
    snceTime expires = At(1);
    EXPECT_EQ(expected, snceCache_InsertUntil(cache, session.get(),
                                              clock_.Now(), &expires));
    EXPECT_EQ(snceCache_Expiry(cache, session.get()->sessionClass,
                               session.get()->created)
                  .usec,
              expires.usec);
    return expires.usec;
  };
  snceCacheOptions options = Options(1000);
  for (const snceClass each : {SNCE_CLASS_SSL2, SNCE_CLASS_SSL3}) {
    const Session session = Session(1).Class(each).Created(clock_.Now());
    EXPECT_EQ(clock_.Now().usec + options.timeoutSec[each] * kSecond,
              told(cache_, session, SNCE_OK));
  }
  Session late = Session(2).Created(At(INT64_MAX - 1));
  EXPECT_EQ(INT64_MAX, told(cache_, late, SNCE_OK));
  late.get()->idLen = 0;
  told(cache_, late, SNCE_INVALID);
  options.closed = true;
  ASSERT_EQ(SNCE_OK, snceCache_Configure(cache_, &options));
  told(cache_, Session(3), SNCE_CLOSED);
  const snceCache server = AddServer(region_.get(), "a.example", 30);
  ASSERT_EQ(SNCE_OK, snceServer_Remove(region_.get(), snceCache_Id(server)));
  EXPECT_EQ(Session(4).get()->created.usec,
            told(server, Session(4), SNCE_GONE));
  snceRegion* reader = nullptr;
  ASSERT_EQ(SNCE_OK,
            snceRegion_Attach(&reader, dup(region_.fd()), SNCE_ACCESS_READ));
  told(snceRegion_DefaultCache(reader), Session(5), SNCE_READ_ONLY);
  snceRegion_Close(reader);
}

TEST_F(SnceTimeout, EveryTimeoutFromZeroToADayIsKeptToTheMicrosecond) {
  uint64_t serial = 0;
  for (uint32_t seconds :
       {0u, 1u, 5u, 99u, 100u, 3600u, 4294u, 4295u, 43200u, 86399u, 86400u}) {
    for (snceClass which : {SNCE_CLASS_SSL2, SNCE_CLASS_SSL3}) {
      // Give the other class a timeout that would show if the two were mixed
      // up.
      const uint32_t other = seconds == 86400 ? 7 : 86400;
      Retime(which == SNCE_CLASS_SSL2 ? seconds : other,
             which == SNCE_CLASS_SSL3 ? seconds : other);
      clock_.Set(At(kStart));
      const Session session =
          Session(++serial).Class(which).Created(clock_.Now());
      ASSERT_EQ(SNCE_OK, session.Insert(cache_, clock_.Now()));
      clock_.Advance(seconds * kSecond - 1);
      EXPECT_EQ(SNCE_OK, FindNow(session)) << seconds;
      clock_.Advance(1);
      EXPECT_EQ(SNCE_MISS, FindNow(session)) << seconds;
    }
  }
}

TEST_F(SnceTimeout, ShorterTimeoutsShortenTheSessionsThatAreThere) {
  const Session session = Made(1, SNCE_CLASS_SSL3);
  clock_.Advance(10 * kSecond - 1);
  Retime(100, 10);
  ASSERT_EQ(SNCE_OK, answer_.Lookup(cache_, session.Key(), clock_.Now()));
  EXPECT_EQ(kStart + 10 * kSecond, answer_.session().expires.usec);
  clock_.Advance(1);
  EXPECT_EQ(SNCE_MISS, FindNow(session));
}

TEST_F(SnceTimeout, LongerTimeoutsLengthenTheSessionsThatAreThere) {
  const Session session = Made(1, SNCE_CLASS_SSL2);
  Retime(1000, 86400);
  clock_.Advance(1000 * kSecond - 1);
  ASSERT_EQ(SNCE_OK, answer_.Lookup(cache_, session.Key(), clock_.Now()));
  EXPECT_EQ(kStart + 1000 * kSecond, answer_.session().expires.usec);
  clock_.Advance(1);
  EXPECT_EQ(SNCE_MISS, FindNow(session));
}

TEST_F(SnceTimeout, RetimingOneClassLeavesTheOther) {
  const Session ssl2 = Made(1, SNCE_CLASS_SSL2);
  const Session ssl3 = Made(2, SNCE_CLASS_SSL3);
  Retime(100, 5);
  clock_.Advance(5 * kSecond);
  EXPECT_EQ(SNCE_OK, FindNow(ssl2));
  EXPECT_EQ(SNCE_MISS, FindNow(ssl3));
}

TEST_F(SnceTimeout, LookupsDoNotPutTheExpiryOff) {
  const Session session = Made(1, SNCE_CLASS_SSL2);
  for (int i = 0; i < 99; ++i) {
    clock_.Advance(kSecond);
    ASSERT_EQ(SNCE_OK, answer_.Lookup(cache_, session.Key(), clock_.Now()));
    EXPECT_EQ(kStart + 100 * kSecond, answer_.session().expires.usec);
    EXPECT_EQ(kStart, answer_.session().created.usec);
  }
  clock_.Advance(kSecond);
  EXPECT_EQ(SNCE_MISS, FindNow(session));
}

TEST_F(SnceTimeout, LastAccessIsTheTimeOfTheLookupBefore) {
  const Session session = Made(1, SNCE_CLASS_SSL3);
  clock_.Advance(1);
  ASSERT_EQ(SNCE_OK, FindNow(session));
  snceTime before = clock_.Now();
  for (int64_t step : {int64_t{1}, int64_t{12345}, kSecond, 3600 * kSecond}) {
    clock_.Advance(step);
    ASSERT_EQ(SNCE_OK, answer_.Lookup(cache_, session.Key(), clock_.Now()));
    EXPECT_EQ(before.usec, answer_.session().lastAccess.usec);
    before = clock_.Now();
  }
}

TEST_F(SnceTimeout, AnExpiredSessionMayBeStoredAnew) {
  const Session session = Made(1, SNCE_CLASS_SSL2);
  clock_.Advance(100 * kSecond);
  EXPECT_EQ(SNCE_MISS, FindNow(session));
  const Session anew = Made(1, SNCE_CLASS_SSL2);
  EXPECT_EQ(SNCE_OK, FindNow(anew));
}

TEST_F(SnceTimeout, TheClockMayStepBack) {
  const Session session = Made(1, SNCE_CLASS_SSL2);
  clock_.Advance(-3600 * kSecond);
  EXPECT_EQ(SNCE_MISS, FindNow(session));
  clock_.Advance(3600 * kSecond + 50 * kSecond);
  EXPECT_EQ(SNCE_OK, FindNow(session));
  clock_.Advance(-10 * kSecond);
  EXPECT_EQ(SNCE_OK, FindNow(session));
  clock_.Set(At(kStart + 100 * kSecond));
  EXPECT_EQ(SNCE_MISS, FindNow(session));
}

TEST_F(SnceTimeout, ASessionMetExpiredDoesNotComeBackWithTheClock) {
  const Session session = Made(1, SNCE_CLASS_SSL2);
  clock_.Advance(100 * kSecond);
  EXPECT_EQ(SNCE_MISS, FindNow(session));
  clock_.Advance(-50 * kSecond);
  EXPECT_EQ(SNCE_MISS, FindNow(session));
  EXPECT_EQ(0u, region_.Figures().live);
}

TEST_F(SnceTimeout, ASessionCreatedAheadOfTheClockLivesForItsTimeoutFromThere) {
  const Session session =
      Session(1).Class(SNCE_CLASS_SSL2).Created(clock_.Now() + 500 * kSecond);
  ASSERT_EQ(SNCE_OK, session.Insert(cache_, clock_.Now()));
  EXPECT_EQ(SNCE_MISS, FindNow(session));
  clock_.Advance(200 * kSecond - 1);
  EXPECT_EQ(SNCE_MISS, FindNow(session));
  clock_.Advance(1);
  EXPECT_EQ(SNCE_OK, FindNow(session));
  clock_.Advance(400 * kSecond - 1);
  EXPECT_EQ(SNCE_OK, FindNow(session));
  clock_.Advance(1);
  EXPECT_EQ(SNCE_MISS, FindNow(session));
  EXPECT_EQ(2u, region_.Figures().missesFuture);
  EXPECT_EQ(1u, region_.Figures().missesExpired);
  EXPECT_EQ(1u, region_.Figures().wiped);
}

// Else a clock that is set back by a day would give every session a day more.
TEST_F(SnceTimeout, AClockThatIsSetBackLengthensNoSessionByMoreThanTheSkew) {
  for (uint32_t skew : {0u, 1u, 2u, 60u, 299u, 300u}) {
    snceCacheOptions options = Options(1000);
    options.clockSkewSec = skew;
    ASSERT_EQ(SNCE_OK, snceCache_Configure(cache_, &options));
    snceCacheOptions now;
    ASSERT_EQ(SNCE_OK, snceCache_GetOptions(cache_, &now));
    EXPECT_EQ(skew, now.clockSkewSec);
    for (snceClass which : {SNCE_CLASS_SSL2, SNCE_CLASS_SSL3}) {
      clock_.Set(At(kStart));
      const uint64_t misses = region_.Figures().missesFuture;
      const Session session = Made(1, which);
      clock_.Advance(-int64_t(skew) * kSecond);
      EXPECT_EQ(SNCE_OK, FindNow(session)) << skew;
      clock_.Advance(-1);
      EXPECT_EQ(SNCE_MISS, FindNow(session)) << skew;
      clock_.Advance(-86400 * kSecond);
      EXPECT_EQ(SNCE_MISS, FindNow(session)) << skew;
      EXPECT_EQ(misses + 2, region_.Figures().missesFuture);
      // The lookup took nothing out: the clock may be set right.
      clock_.Set(At(kStart));
      EXPECT_EQ(SNCE_OK, FindNow(session)) << skew;
    }
  }
  EXPECT_EQ(0u, region_.Figures().wiped);
  snceCacheOptions options = Options(1000);
  options.clockSkewSec = SNCE_CLOCK_SKEW_MAX + 1;
  EXPECT_EQ(SNCE_INVALID, snceCache_Configure(cache_, &options));
}

// A socket whose clock is right and one whose clock is wrong ask in turn.
TEST_F(SnceTimeout, WhetherASessionIsOfTheFutureIsByTheClockOfWhoAsks) {
  snceCacheOptions options = Options(1000);
  options.clockSkewSec = 2;
  ASSERT_EQ(SNCE_OK, snceCache_Configure(cache_, &options));
  const Session session = Made(1, SNCE_CLASS_SSL3);
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(SNCE_MISS, Find(cache_, session, At(kStart - 3 * kSecond)));
    EXPECT_EQ(SNCE_OK, Find(cache_, session, At(kStart - 2 * kSecond)));
    EXPECT_EQ(SNCE_OK, Find(cache_, session, At(kStart)));
  }
  EXPECT_EQ(20u, region_.Figures().hits);
  EXPECT_EQ(10u, region_.Figures().missesFuture);
}

TEST_F(SnceTimeout, ASessionOfTheFutureLeavesNoSecretBehindInTheAnswer) {
  const Session session = Made(1, SNCE_CLASS_SSL3);
  memset(answer_.get()->state, 0, SNCE_STATE_BYTES);
  ASSERT_EQ(SNCE_MISS,
            answer_.Lookup(cache_, session.Key(), At(kStart - 400 * kSecond)));
  for (uint8_t byte : answer_.session().state) EXPECT_EQ(0, byte);
}

TEST_F(SnceTimeout, EdgesOfTimeAreTimesLikeOthers) {
  const int64_t edges[] = {
      int64_t{INT32_MAX} * kSecond,   // 2038
      int64_t{UINT32_MAX} * kSecond,  // 2106
      int64_t{INT32_MAX},
      int64_t{UINT32_MAX},
      (int64_t{1} << 48),
      (int64_t{1} << 53),
      0,
      -1,
      -50 * kSecond,
      -100 * kSecond,
      -int64_t{INT32_MAX} * kSecond,
      INT64_MIN + 1,
      INT64_MIN,
      INT64_MAX - 100 * kSecond,
  };
  uint64_t serial = 0;
  for (int64_t edge : edges) {
    // Created just before the limit, at it, and so that it expires there.
    for (int64_t created :
         {edge - (edge == INT64_MIN ? 0 : 1), edge,
          edge < INT64_MIN + 100 * kSecond ? edge : edge - 100 * kSecond}) {
      const Session session =
          Session(++serial).Class(SNCE_CLASS_SSL2).Created(At(created));
      ASSERT_EQ(SNCE_OK, session.Insert(cache_, At(created)));
      ASSERT_EQ(SNCE_OK, answer_.Lookup(cache_, session.Key(), At(created)));
      EXPECT_EQ("", answer_.Differs(session)) << created;
      EXPECT_EQ(created + 100 * kSecond, answer_.session().expires.usec);
      EXPECT_EQ(SNCE_OK, Find(cache_, session, At(created + 100 * kSecond - 1)))
          << created;
      EXPECT_EQ(SNCE_MISS, Find(cache_, session, At(created + 100 * kSecond)))
          << created;
    }
  }
}

TEST_F(SnceTimeout, ASessionWhoseExpiryOverflowsLivesToTheEndOfTime) {
  for (int64_t created : {INT64_MAX, INT64_MAX - 1, INT64_MAX - 50 * kSecond}) {
    const Session session =
        Session(1).Class(SNCE_CLASS_SSL2).Created(At(created));
    ASSERT_EQ(SNCE_OK, session.Insert(cache_, At(kStart)));
    EXPECT_EQ(SNCE_MISS, Find(cache_, session, At(kStart)));
    ASSERT_EQ(SNCE_OK, answer_.Lookup(cache_, session.Key(), At(created)));
    EXPECT_EQ(INT64_MAX, answer_.session().expires.usec);
    EXPECT_EQ(SNCE_OK, Find(cache_, session, At(INT64_MAX - 1)));
    // Even this is before the expiry, which does not fit into the type.
    EXPECT_EQ(SNCE_OK, Find(cache_, session, At(INT64_MAX)));
  }
}

TEST_F(SnceTimeout, ASessionWhoseAgeOverflowsIsDeadAndOneFromAheadOfTheFuture) {
  for (int64_t created : {INT64_MIN, -2 * kSecond}) {
    const Session session = Session(1).Created(At(created));
    ASSERT_EQ(SNCE_OK, session.Insert(cache_, At(created)));
    EXPECT_EQ(SNCE_MISS, Find(cache_, session, At(INT64_MAX))) << created;
    EXPECT_EQ(SNCE_MISS, Find(cache_, session, At(created))) << created;
  }
  const Session ahead = Session(2).Created(At(INT64_MAX));
  ASSERT_EQ(SNCE_OK, ahead.Insert(cache_, At(INT64_MIN)));
  for (int64_t now : {INT64_MIN, INT64_MIN + 1, int64_t{-2}, int64_t{-1},
                      int64_t{0}, INT64_MAX - 301 * kSecond})
    EXPECT_EQ(SNCE_MISS, Find(cache_, ahead, At(now))) << now;
  EXPECT_EQ(6u, region_.Figures().missesFuture);
  EXPECT_EQ(SNCE_OK, Find(cache_, ahead, At(INT64_MAX - 300 * kSecond)));
}

TEST_F(SnceTimeout, TheClockMayStandAtTheEdgesOfTime) {
  const Session session = Made(1, SNCE_CLASS_SSL3);
  EXPECT_EQ(SNCE_MISS, Find(cache_, session, At(INT64_MIN)));
  EXPECT_EQ(SNCE_MISS, Find(cache_, session, At(0)));
  EXPECT_EQ(2u, region_.Figures().missesFuture);
  EXPECT_EQ(SNCE_MISS, Find(cache_, session, At(INT64_MAX)));
  EXPECT_EQ(1u, region_.Figures().missesExpired);
}

TEST_F(SnceTimeout, ExpiryAddsTheTimeoutOfTheClass) {
  EXPECT_EQ(kStart + 100 * kSecond,
            snceCache_Expiry(cache_, SNCE_CLASS_SSL2, At(kStart)).usec);
  EXPECT_EQ(kStart + 86400 * kSecond,
            snceCache_Expiry(cache_, SNCE_CLASS_SSL3, At(kStart)).usec);
  EXPECT_EQ(0,
            snceCache_Expiry(cache_, SNCE_CLASS_SSL2, At(-100 * kSecond)).usec);
  EXPECT_EQ(INT64_MIN + 100 * kSecond,
            snceCache_Expiry(cache_, SNCE_CLASS_SSL2, At(INT64_MIN)).usec);
  Retime(0, 5);
  EXPECT_EQ(kStart, snceCache_Expiry(cache_, SNCE_CLASS_SSL2, At(kStart)).usec);
  EXPECT_EQ(kStart + 5 * kSecond,
            snceCache_Expiry(cache_, SNCE_CLASS_SSL3, At(kStart)).usec);
}

TEST_F(SnceTimeout, ExpiryStopsAtTheLargestTime) {
  for (int64_t created :
       {INT64_MAX, INT64_MAX - 1, INT64_MAX - 100 * kSecond + 1,
        INT64_MAX - 100 * kSecond})
    EXPECT_EQ(INT64_MAX,
              snceCache_Expiry(cache_, SNCE_CLASS_SSL2, At(created)).usec);
  EXPECT_EQ(INT64_MAX - 1, snceCache_Expiry(cache_, SNCE_CLASS_SSL2,
                                            At(INT64_MAX - 100 * kSecond - 1))
                               .usec);
}

TEST_F(SnceTimeout, ATimeoutOfAHundredYearsDoesNotWrap) {
  constexpr uint32_t kCentury = 100u * 365 * 86400;
  Retime(kCentury, kCentury);
  const int64_t timeout = int64_t{kCentury} * kSecond;
  EXPECT_EQ(kStart + timeout,
            snceCache_Expiry(cache_, SNCE_CLASS_SSL3, At(kStart)).usec);
  const Session session = Made(1, SNCE_CLASS_SSL3);
  EXPECT_EQ(SNCE_OK, Find(cache_, session, At(kStart + timeout - 1)));
  EXPECT_EQ(SNCE_MISS, Find(cache_, session, At(kStart + timeout)));
}

}  // namespace
}  // namespace snce_test
