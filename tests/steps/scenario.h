/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// scenario.h: operations, and the steps at which a process that runs one of
// them is stopped or killed.
//
// The steps are those that an undisturbed operation passes, so a new step in
// the code is tested in every operation that passes it. A table must name what
// a death at each step may cost (steps_test.cc).
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
  kSession,   // with session 7 in the default cache
  kServer,    // to a virtual server
  kKey,       // in the key log
  kTicketKey  // with a ticket key
};

// Whether the process has passed |step| by the time it stopped or died.
using Passed = std::function<bool(const char* step)>;

struct Scenario {
  const char* name;
  Kind kind;
  std::function<void(const Stage&)> prepare;
  std::function<snceResult(const Stage&)> run;
  // If |pause| is not empty, the process is first stopped at that step, and
  // |meanwhile| runs; only steps after it are tested.
  const char* pause;
  std::function<void(const Stage&)> meanwhile;
  // kSession: the variants of session 7 that a lookup may find then; 0: none.
  std::function<std::vector<uint64_t>(const Passed&)> visible;
  // kSession: |plain| says that all happens in one backing store, so that it is
  // known what a death costs in slots. kServer: |left| checks what is left at
  // that step, |next| what is there after the next change.
  bool plain;
  std::function<void(const Stage&, const Passed&)> left, next;
  // The operation moves at least one session; how many depends on the region's
  // keys. Of the steps of a move only the first passing is tested.
  bool moves = false;
};

const std::vector<Scenario>& Scenarios();

// A place at which to stop or die: the first or the last passing of a step.
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
