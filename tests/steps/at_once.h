/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// at_once.h: checks that an operation succeeds "at once" although another
// process died or stands still.
#ifndef SSLSNCE_TESTS_STEPS_AT_ONCE_H_
#define SSLSNCE_TESTS_STEPS_AT_ONCE_H_

#include <cstdint>
#include <functional>

#include "sslsnce/snce.h"

namespace snce_test {

// Runs an operation on sessions or keys in a child, an instruction at a time,
// and fails the test if that takes more than |most| instructions: so it neither
// waits nor spins. While a cache moves, an operation looks in two backing
// stores; an insert that makes a table grow moves up to a page of sessions.
constexpr uint64_t kMostInstructions = 6000;
constexpr uint64_t kMostWhileMoving = 60000;
snceResult AtOnce(const std::function<snceResult()>& operation,
                  uint64_t most = kMostInstructions);

// Runs an operation in this process, and fails the test if it sleeps or takes
// longer than a pause that a server would notice. For rare changes, which make
// system calls, and where counting instructions again would take too long.
snceResult WithoutWaiting(const std::function<snceResult()>& operation);

}  // namespace snce_test

#endif  // SSLSNCE_TESTS_STEPS_AT_ONCE_H_
