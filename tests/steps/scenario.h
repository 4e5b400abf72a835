/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// scenario.h: operations, and the steps at which a process that runs one of
// them is stopped or killed.
//
// The steps are those that an operation is seen to pass when nobody disturbs
// it, so a step that is new in the code is tested where it is passed. What a
// death there may cost is in a table that must name every step (steps_test.cc).
#ifndef SSLSNCE_TESTS_STEPS_SCENARIO_H_
#define SSLSNCE_TESTS_STEPS_SCENARIO_H_

#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "sslsnce/snce.h"
#include "stage.h"

namespace snce_test {

enum class Kind {
  kSession,  // with session 7 in the default cache
  kServer,   // to a virtual server
  kKey       // in the key log
};

// Has the process passed that step when it stands where it stands?
using Passed = std::function<bool(const char* step)>;

struct Scenario {
  const char* name;
  Kind kind;
  std::function<void(const Stage&)> prepare;
  std::function<snceResult(const Stage&)> run;
  // If not empty, the process is stopped at this step first, and |meanwhile|
  // happens; only steps after it are of interest.
  const char* pause;
  std::function<void(const Stage&)> meanwhile;
  // kSession: the variants of session 7 that may be found then; 0: none.
  std::function<std::vector<uint64_t>(const Passed&)> visible;
  // kSession: all happens in one home, so that what a death costs in slots is
  // known; kServer: checks what is left at that step, and what is there after
  // the next change.
  bool plain;
  std::function<void(const Stage&, const Passed&)> left, next;
  // How many sessions it moves depends on the region's keys, at least one: of
  // their steps only the first is of interest.
  bool moves = false;
};

const std::vector<Scenario>& Scenarios();

// A place at which to stop or die: a step, the first and the last time that it
// is passed.
struct Place {
  const Scenario* scenario;
  std::string step;
  unsigned passing;
};
std::vector<Place> PlacesOf(Kind kind);
std::string NameOf(const Place& place);  // letters, digits and '_'
void PrintTo(const Place& place, std::ostream* out);

}  // namespace snce_test

#endif  // SSLSNCE_TESTS_STEPS_SCENARIO_H_
