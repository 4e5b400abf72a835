/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// invalidate_test.cc: SSL_InvalidateSession by the server.

#include "blackbox_test.h"

namespace regress {
namespace {

class Invalidate : public OfCall {};

Outcome EndedBy(Site* site, size_t server, PRTime clock) {
  Side serving;
  serving.clock = clock;
  serving.invalidate = true;
  return site->Meet(server, serving).server;
}

BLACKBOX_TEST_P(Invalidate, ANewSessionIsGoneForEveryServer) {
  NEEDS_MOCK_CLOCK();
  Site site(call, {100, 300});
  for (size_t server = 0; server < site.servers(); ++server) {
    EXPECT_FALSE(EndedBy(&site, 0, kStart).resumed);
    EXPECT_FALSE(site.Resumes(server, kStart + kSecond));
    // Remove the session that the last handshake stored, for the next round.
    EXPECT_TRUE(EndedBy(&site, server, kStart + kSecond).resumed);
  }
}

BLACKBOX_TEST_P(Invalidate, AResumedSessionIsGoneForEveryServer) {
  NEEDS_MOCK_CLOCK();
  Site site(call, {100, 300});
  const size_t other = site.servers() - 1;
  site.Begin(0, kStart);
  EXPECT_TRUE(EndedBy(&site, other, kStart + kSecond).resumed);
  EXPECT_FALSE(site.Resumes(0, kStart + 2 * kSecond));
}

BLACKBOX_TEST_P(Invalidate, TheOtherSessionsStay) {
  NEEDS_MOCK_CLOCK();
  Site site(call, {100, 300});
  const std::string stays = NewVisitor();
  site.Begin(0, kStart, stays);
  EXPECT_FALSE(EndedBy(&site, 0, kStart).resumed);
  EXPECT_TRUE(site.Resumes(0, kStart + 300 * kSecond - 1, stays));
}

// The server's clock reads years before the creation of the session, and years
// after its end: a removal does not depend on the session's times.
BLACKBOX_TEST_P(Invalidate, WhateverTheClockSays) {
  NEEDS_MOCK_CLOCK();
  Site site(call, {5, 5});
  for (PRTime years : {-20, 30}) {
    const PRTime now = kStart + years * 365 * 86400 * kSecond;
    EXPECT_FALSE(EndedBy(&site, 0, now).resumed);
    EXPECT_FALSE(site.Resumes(0, now));
    EXPECT_TRUE(EndedBy(&site, 0, now).resumed);
  }
}

INSTANTIATE_TEST_SUITE_P(Calls, Invalidate, ::testing::ValuesIn(kAllCalls),
                         CallName);

}  // namespace
}  // namespace regress
