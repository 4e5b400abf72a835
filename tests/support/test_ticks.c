/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "test_ticks.h"

#include "sncepatience.h"

static_assert(TICKS_PATIENCE == SNCE_PATIENCE, "as the header says");

void TicksUse(snceRegion *region, const uint64_t *ticks) {
  region->ticks = ticks;
}

uint8_t TicksNow(const snceRegion *region) { return snceTick_Now(region); }
