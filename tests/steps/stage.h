/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

// stage.h: what is there before somebody is stopped or killed.
#ifndef SSLSNCE_TESTS_STEPS_STAGE_H_
#define SSLSNCE_TESTS_STEPS_STAGE_H_

#include <cstdint>

#include "sslsnce/snce.h"
#include "test_region.h"
#include "test_session.h"
#include "test_ticks.h"

namespace snce_test {

constexpr uint64_t kN = 1000;    // the default cache holds so many
constexpr uint64_t kCells = 64;  // asked for; each set has 16
constexpr uint64_t kCellsOfAClass = 128;
constexpr uint64_t kBeside = 8;  // sessions that nobody touches, in each cache
constexpr uint64_t kOld = 24;    // in the server that is changed

// Options for a small server, with as many certificates as |kCells|.
snceCacheOptions Small(uint64_t entries);

// A region with sessions in the default cache, and two virtual servers: one
// that nobody changes and one that somebody does.
class Stage : public Region {
 public:
  Stage();
  // A copy of |other| as it is now: what a dead process left, to be used up.
  explicit Stage(const Stage& other);

  // Its handle reads a clock that stands still, but for this: then whoever was
  // passed before is given up.
  void LetTimePass() const { ticks_ += TICKS_PATIENCE + 1; }

  snceCache Named(const char* name) const;
  snceCache old() const { return Named("*.old.example"); }

  // Fails the test unless what nobody touched is as it was.
  void ExpectBesideWhole() const;
  // How many of the sessions of the server that is changed are found, from the
  // |first| on. They are in |cache|.
  static uint64_t CountOld(snceCache cache, uint64_t first = 0);

 private:
  mutable uint64_t ticks_ = 1000;
};

// The session in hand: number 7.
Session Mine(uint64_t variant);
constexpr uint64_t kBefore = 1, kMine = 11, kAnothers = 12;  // its variants
Session OldOne(uint64_t serial);  // of the server that is changed

// How many of kN new sessions a cache holds after they were stored in it; they
// are numbered from |first| on, and removed again.
uint64_t Holds(snceCache cache, uint64_t first);

}  // namespace snce_test

#endif  // SSLSNCE_TESTS_STEPS_STAGE_H_
