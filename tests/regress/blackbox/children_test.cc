/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// children_test.cc: processes that share a cache.

#include "blackbox_test.h"

namespace regress {
namespace {

class Children : public OfCall {};

BLACKBOX_TEST_P(Children, EachKeepsTheParentsTimeoutForItsOwnSessions) {
  NEEDS_MOCK_CLOCK();
  Site site(call, {100, 300});
  for (size_t server = 1; server < site.servers(); ++server) {
    ExpectLifetime(&site, server, server, kStart, 300);
  }
}

BLACKBOX_TEST_P(Children, EachKeepsItForTheSessionsOfAnother) {
  NEEDS_MOCK_CLOCK();
  Site site(call, {100, 300});
  for (size_t maker = 0; maker < site.servers(); ++maker) {
    for (size_t judge = 0; judge < site.servers(); ++judge) {
      if (judge != maker) ExpectLifetime(&site, maker, judge, kStart, 300);
    }
  }
}

// The children must use these timeouts, not the default.
BLACKBOX_TEST_P(Children, TheShortestReachesThem) {
  NEEDS_MOCK_CLOCK();
  Site site(call, {0, 5});
  ExpectLifetime(&site, 1, 2, kStart, 5);
}

BLACKBOX_TEST_P(Children, TheLongestReachesThem) {
  NEEDS_MOCK_CLOCK();
  Site site(call, {0, 86400});
  ExpectLifetime(&site, 1, 2, kStart, 86400);
}

BLACKBOX_TEST_P(Children, TheDefaultReachesThem) {
  NEEDS_MOCK_CLOCK();
  Site site(call, {0, 0});
  ExpectLifetime(&site, 1, 2, kStart, kDefaultSsl3TimeoutSec);
}

// A child judges by the clock of its own socket, not by the parent's.
BLACKBOX_TEST_P(Children, EachAsksTheClockOfItsOwnSocket) {
  NEEDS_MOCK_CLOCK();
  Site site(call, {5, 60});
  ExpectLifetime(&site, 1, 2, 100 * kSecond, 60);
  ExpectLifetime(&site, 1, 2, PR_Now() + 30 * 365 * 86400 * kSecond, 60);
}

INSTANTIATE_TEST_SUITE_P(Calls, Children, ::testing::ValuesIn(kSharedCalls),
                         CallName);

}  // namespace
}  // namespace regress
