/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "cost.h"

#include <map>

#include "gtest/gtest.h"

namespace snce_test {

namespace {

const std::map<std::string, Cost>& Costs() {
  static const auto* const costs = new std::map<std::string, Cost>{
      {"place-claimed", Cost::kSlot},
      {"place-half", Cost::kSlot},
      {"place-written", Cost::kSlot},
      {"place-published", Cost::kNothing},
      {"insert-doubled", Cost::kNextChange},
      {"insert-moved", Cost::kNextChange},
      {"remove-claimed", Cost::kSlot},
      {"vacate", Cost::kSlot},
      {"vacate-wiped", Cost::kSlot},
      {"vacated", Cost::kNothing},
      {"blob-segment", Cost::kNextChange},
      {"blob-claimed", Cost::kCell},
      {"blob-storing", Cost::kCell},
      {"blob-written", Cost::kCell},
      {"blob-published", Cost::kCell},
      {"blob-counted", Cost::kCell},
      {"blob-unheld", Cost::kCell},
      {"blob-released", Cost::kCell},
      {"key-taken", Cost::kKeyCell},
      {"key-half", Cost::kKeyCell},
      {"key-written", Cost::kKeyCell},
      {"key-wiped", Cost::kKeyCell},
      {"key-entered", Cost::kNothing},
      {"ticket-claimed", Cost::kTicketSlot},
      {"ticket-stored", Cost::kTicketSlot},
      {"ticket-published", Cost::kNothing},
      {"ticket-removed", Cost::kTicketSlot},
      {"ticket-wiped", Cost::kTicketSlot},
      {"change-began", Cost::kNothing},
      {"change-repaired", Cost::kNothing},
      {"change-retimed", Cost::kNothing},
      {"change-flagged", Cost::kNothing},
      {"change-ended", Cost::kNothing},
      {"backing-named", Cost::kNextChange},
      {"add-began", Cost::kNextChange},
      {"add-furnished", Cost::kNextChange},
      {"add-named", Cost::kNextChange},
      {"add-entered", Cost::kNextChange},
      {"add-published", Cost::kNothing},
      {"remove-began", Cost::kNothing},
      {"remove-published", Cost::kNextChange},
      {"name-erased", Cost::kNextChange},
      {"remove-forgotten", Cost::kNextChange},
      {"vacate-backing", Cost::kNextChange},
      {"remove-emptied", Cost::kNextChange},
      {"carry-copied", Cost::kNextChange},
      {"split-began", Cost::kNothing},
      {"split-copied", Cost::kNextChange},
      {"split-moved", Cost::kNothing},
      {"split-emptied", Cost::kNothing},
      {"split-ended", Cost::kNothing},
      {"move-frozen", Cost::kNextChange},
      {"move-furnished", Cost::kNextChange},
      {"move-began", Cost::kNextChange},
      {"move-copied", Cost::kNextChange},
      {"move-carried", Cost::kNextChange},
      {"move-ended", Cost::kNextChange},
      {"flush-furnished", Cost::kNextChange},
      {"flush-switched", Cost::kNextChange},
  };
  return *costs;
}

}  // namespace

Cost CostOf(const std::string& step) {
  const auto found = Costs().find(step);
  if (found != Costs().end()) return found->second;
  ADD_FAILURE() << "say in cost.cc what a death at " << step << " costs";
  return Cost::kNothing;
}

std::vector<std::string> StepsWithACost() {
  std::vector<std::string> steps;
  for (const auto& cost : Costs()) steps.push_back(cost.first);
  return steps;
}

}  // namespace snce_test
