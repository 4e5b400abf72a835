/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// limits_test.cc: the default and the range of a TLS session's timeout, as
// ssl.h states them at SSL_ConfigServerSessionIDCache: 5 to 86400 seconds, and
// 0 for the default, 86400. (It once said "out of range becomes the default";
// the code has always clamped, and servers pass exactly 5.)

#include "blackbox_test.h"

namespace regress {
namespace {

constexpr PRUint32 kLongest = 86400;
constexpr PRUint32 kShortest = 5;

class Limits : public OfCall {};

void ExpectTimeout(Call call, PRUint32 asked, PRUint32 given) {
  // 7 is a valid ssl2 timeout that is the expected value of no test here.
  Site site(call, {7, asked});
  ExpectLifetime(&site, 0, site.servers() - 1, kStart, given);
}

BLACKBOX_TEST_P(Limits, ZeroIsTheDefault) {
  NEEDS_MOCK_CLOCK();
  Site site(call, {0, 0});
  ExpectLifetime(&site, 0, site.servers() - 1, kStart, kDefaultSsl3TimeoutSec);
}

BLACKBOX_TEST_P(Limits, OneSecondBecomesFive) {
  NEEDS_MOCK_CLOCK();
  ExpectTimeout(call, 1, kShortest);
}

BLACKBOX_TEST_P(Limits, TheLargestNumberBecomes86400Seconds) {
  NEEDS_MOCK_CLOCK();
  ExpectTimeout(call, 0xffffffff, kLongest);
}

INSTANTIATE_TEST_SUITE_P(Calls, Limits, ::testing::ValuesIn(kAllCalls),
                         CallName);

BLACKBOX_TEST(Limits, FourSecondsBecomeFive) {
  NEEDS_MOCK_CLOCK();
  ExpectTimeout(Call::kConfig, 4, kShortest);
}

BLACKBOX_TEST(Limits, FiveSecondsStayFive) {
  NEEDS_MOCK_CLOCK();
  ExpectTimeout(Call::kConfig, 5, kShortest);
}

BLACKBOX_TEST(Limits, AHundredSecondsStayAHundred) {
  NEEDS_MOCK_CLOCK();
  ExpectTimeout(Call::kConfig, 100, 100);
}

// The limit of the ssl2 timeout does not apply to the ssl3 timeout.
BLACKBOX_TEST(Limits, AHundredAndOneSecondsStay) {
  NEEDS_MOCK_CLOCK();
  ExpectTimeout(Call::kConfig, 101, 101);
}

BLACKBOX_TEST(Limits, ADayStaysADay) {
  NEEDS_MOCK_CLOCK();
  ExpectTimeout(Call::kConfig, 86400, kLongest);
}

BLACKBOX_TEST(Limits, ASecondMoreThanADayBecomesADay) {
  NEEDS_MOCK_CLOCK();
  ExpectTimeout(Call::kConfig, 86401, kLongest);
}

}  // namespace
}  // namespace regress
