/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// sweep_test.cc: the first sessions to be evicted are those that expired more
// than a second ago; a slot's stamp shows them.

#include <cstdint>

#include "gtest/gtest.h"
#include "sslsnce/snce.h"
#include "test_clock.h"
#include "test_region.h"
#include "test_session.h"

namespace snce_test {
namespace {

// Serials from kExpiring on expire, from kNew on are new; lower ones live.
constexpr uint64_t kExpiring = 10000;
constexpr uint64_t kNew = 20000;

// By age and by use the live sessions would be evicted: they are old and nobody
// looked them up, while lookups found the others until they expired. The test
// takes the mean of several caches, because in each the sessions lie elsewhere.
TEST(SnceSweep, ExpiredSessionsAreReplacedBeforeOlderLiveOnes) {
  constexpr uint64_t kCaches = 8;
  const snceTime then = At(kStart - 1000 * kSecond);
  const snceTime later = At(kStart + 102 * kSecond);
  uint64_t live = 0, replaced_live = 0, replaced_expired = 0;
  for (uint64_t i = 0; i < kCaches; ++i) {
    Region region(1000);
    const snceCache cache = region.cache();
    for (uint64_t serial = 0; serial < 500; ++serial) {
      ASSERT_EQ(SNCE_OK, Session(serial).Created(then).Insert(cache, then));
      const Session expiring =
          Session(kExpiring + serial).Class(SNCE_CLASS_SSL2);
      ASSERT_EQ(SNCE_OK, expiring.Insert(cache, At(kStart)));
      ASSERT_EQ(SNCE_OK, Find(cache, expiring, At(kStart + 99 * kSecond)));
    }
    for (uint64_t serial = 0; serial < 450; ++serial)
      ASSERT_EQ(SNCE_OK,
                Session(kNew + serial).Created(later).Insert(cache, later));
    for (uint64_t serial = 0; serial < 500; ++serial)
      live += Find(cache, Session(serial).Created(then), later) == SNCE_OK;
    replaced_live += region.Figures().replacedLive;
    replaced_expired += region.Figures().replacedExpired;
  }
  EXPECT_GE(live, kCaches * 490);
  EXPECT_LE(replaced_live, kCaches * 10);
  EXPECT_GE(replaced_expired, kCaches * 10);
}

// One insert in four wipes the expired sessions in its two sets, and releases
// their certificates.
TEST(SnceSweep, InsertsWipeWhatHasExpiredNearThem) {
  Region region(1000);
  const snceCache cache = region.cache();
  for (uint64_t serial = 0; serial < 300; ++serial)
    ASSERT_EQ(SNCE_OK, Session(kExpiring + serial)
                           .Class(SNCE_CLASS_SSL2)
                           .Certificate(Bytes(serial, 100))
                           .Insert(cache, At(kStart)));
  ASSERT_EQ(300u, region.Figures().live);
  ASSERT_EQ(300u, region.Figures().certificates);
  const snceTime later = At(kStart + 102 * kSecond);
  for (uint64_t serial = 0; serial < 300; ++serial)
    ASSERT_EQ(SNCE_OK,
              Session(kNew + serial).Created(later).Insert(cache, later));
  const snceFigures figures = region.Figures();
  EXPECT_GE(figures.wiped, 100u);
  EXPECT_EQ(600u, figures.live + figures.wiped + figures.replacedExpired);
  EXPECT_EQ(figures.live - 300, figures.certificates);
  EXPECT_EQ(0u, figures.replacedLive);
}

}  // namespace
}  // namespace snce_test
