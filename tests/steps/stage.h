/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// stage.h: the region in which the tests stop and kill processes.
#ifndef SSLSNCE_TESTS_STEPS_STAGE_H_
#define SSLSNCE_TESTS_STEPS_STAGE_H_

#include <cstdint>

#include "sslsnce/snce.h"
#include "test_region.h"
#include "test_session.h"
#include "test_ticks.h"

namespace snce_test {

constexpr uint64_t kN = 1000;    // sessions that the default cache holds
constexpr uint64_t kCells = 64;  // certificates asked for; a set has 16 cells
constexpr uint64_t kCellsOfAClass = 128;
constexpr uint64_t kBeside = 8;  // sessions that are not touched, in each cache
constexpr uint64_t kOld = 24;    // sessions in the server that is changed

// Options for a small server that keeps kCells certificates.
snceCacheOptions Small(uint64_t entries);

// A region with sessions in the default cache, and two virtual servers: one
// that is never changed and one that the operations change.
class Stage : public Region {
 public:
  Stage();
  // A copy of |other| as it is now: what a dead process left, for a test to use
  // up.
  explicit Stage(const Stage& other);

  // Advances the clock that its handle reads, which stands still otherwise:
  // inserts then take back each claim that was passed before.
  void LetTimePass() const { ticks_ += TICKS_PATIENCE + 1; }

  snceCache Named(const char* name) const;
  snceCache old() const { return Named("*.old.example"); }

  // Fails the test unless what no operation touched is as it was.
  void ExpectBesideWhole() const;
  // How many sessions of the server that is changed are found, from the |first|
  // on. They are in |cache|.
  static uint64_t CountOld(snceCache cache, uint64_t first = 0);

 private:
  mutable uint64_t ticks_ = 1000;
};

// The session of the operations: number 7.
Session Mine(uint64_t variant);
constexpr uint64_t kBefore = 1, kMine = 11, kAnothers = 12;  // its variants
Session OldOne(uint64_t serial);  // of the server that is changed

// Stores kN new sessions, numbered from |first| on, and removes them again.
// Returns how many the cache held after they were stored.
uint64_t Holds(snceCache cache, uint64_t first);

}  // namespace snce_test

#endif  // SSLSNCE_TESTS_STEPS_STAGE_H_
