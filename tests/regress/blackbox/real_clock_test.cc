/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// real_clock_test.cc: the timeouts by the real clock, once for every call that
// configures a cache. The five cases take seconds, so they run at the same
// time.

#include <unistd.h>

#include <map>
#include <memory>

#include "blackbox_test.h"

namespace regress {
namespace {

// A short timeout, and a different ssl2 timeout, the shortest that there is.
constexpr PRUint32 kTimeout = 6;
constexpr PRUint32 kSsl2Timeout = 5;
// At this age, past the ssl2 timeout, a session must still be alive.
constexpr PRTime kLate = 5200000;
// How often the test tries, because a machine under load may be too slow.
constexpr int kTries = 4;

void WaitUntil(PRTime time) {
  for (PRTime left; (left = time - PR_Now()) > 0;) {
    usleep(static_cast<useconds_t>(left < 100000 ? left : 100000));
  }
}

// A session is made, resumes late in its life, and does not resume after its
// end. The test decides by its own measurements what to expect: the session's
// age is at most the time since its handshake began, and at least the time
// since the handshake ended.
void LivesForItsTimeout(Call call) {
  Site site(call, {kSsl2Timeout, kTimeout});
  const Side real;
  const size_t maker = site.servers() - 1;
  for (int tries = 1; site.ok() && tries <= kTries; ++tries) {
    const std::string visitor = NewVisitor();
    const PRTime before = PR_Now();
    EXPECT_FALSE(site.Meet(maker, real, real, visitor).server.resumed);
    const PRTime after = PR_Now();

    WaitUntil(before + kLate);
    const bool alive = site.Meet(0, real, real, visitor).server.resumed;
    if (!alive && PR_Now() >= before + kTimeout * kSecond) {
      continue;  // it may have expired: the machine was too slow
    }
    EXPECT_TRUE(alive) << "dead " << (PR_Now() - before) / 1000
                       << " ms after its handshake began";

    WaitUntil(after + kTimeout * kSecond);
    EXPECT_FALSE(site.Meet(0, real, real, visitor).server.resumed)
        << "alive " << (PR_Now() - after) / 1000
        << " ms after its handshake ended";
    return;
  }
  ADD_FAILURE() << "this machine is too slow to ask a server in time";
}

class RealClock : public OfCall {
 protected:
  static void SetUpTestSuite() {
    for (Call call : kAllCalls) {
      running_[call].reset(
          new OwnProcess([call] { LivesForItsTimeout(call); }));
    }
  }
  static void TearDownTestSuite() { running_.clear(); }

  static std::map<Call, std::unique_ptr<OwnProcess>> running_;
};
std::map<Call, std::unique_ptr<OwnProcess>> RealClock::running_;

TEST_P(RealClock, ASessionLivesForItsTimeout) { running_[GetParam()]->Join(); }

INSTANTIATE_TEST_SUITE_P(Calls, RealClock, ::testing::ValuesIn(kAllCalls),
                         CallName);

}  // namespace
}  // namespace regress
