/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// cost.h: what a death at each step may cost, as sslsnce/README.md says.
#ifndef SSLSNCE_TESTS_STEPS_COST_H_
#define SSLSNCE_TESTS_STEPS_COST_H_

#include <string>
#include <vector>

namespace snce_test {

enum class Cost {
  kNothing,
  kSlot,        // a slot, until taken back
  kCell,        // a certificate's cell, until taken back or evicted
  kKeyCell,     // one of the cells of the key log, for good
  kTicketSlot,  // the slot of a ticket key, until taken back
  kNextChange   // memory, a number, speed: until the next change
};
// The cost of a death at |step|. Fails the test if cost.cc does not name it.
Cost CostOf(const std::string& step);
std::vector<std::string> StepsWithACost();

}  // namespace snce_test

#endif  // SSLSNCE_TESTS_STEPS_COST_H_
