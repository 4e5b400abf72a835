/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// test_clock.h: a clock that advances only when a test tells it to.
#ifndef SSLSNCE_TESTS_SUPPORT_TEST_CLOCK_H_
#define SSLSNCE_TESTS_SUPPORT_TEST_CLOCK_H_

#include <cstdint>

#include "sslsnce/snce.h"

namespace snce_test {

constexpr int64_t kSecond = 1000000;
// 2023-11-14: neither 0 nor near a limit of any type.
constexpr int64_t kStart = 1700000000 * kSecond;

inline snceTime At(int64_t usec) { return snceTime{usec}; }
inline snceTime operator+(snceTime time, int64_t usec) {
  return snceTime{time.usec + usec};
}
inline bool operator==(snceTime a, snceTime b) { return a.usec == b.usec; }

class MockClock {
 public:
  snceTime Now() const { return now_; }
  void Advance(int64_t usec) { now_.usec += usec; }
  void Set(snceTime now) { now_ = now; }

 private:
  snceTime now_{kStart};
};

}  // namespace snce_test

#endif  // SSLSNCE_TESTS_SUPPORT_TEST_CLOCK_H_
