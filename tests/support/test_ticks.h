/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* test_ticks.h: sets the clock by which a writer decides that another process's
 * claim is abandoned (sncepatience.h). */
#ifndef SSLSNCE_TESTS_SUPPORT_TEST_TICKS_H_
#define SSLSNCE_TESTS_SUPPORT_TEST_TICKS_H_

#include "sslsnce/snce.h"

#ifdef __cplusplus
extern "C" {
#endif

/* An inserter takes a claim back if it was noted longer ago than this. */
#define TICKS_PATIENCE 16

/* Makes |region|'s handle, and its copies in processes that are forked later,
 * read the clock at |*ticks|, which the caller owns. */
void TicksUse(snceRegion *region, const uint64_t *ticks);

/* The time by the clock that |region| reads. */
uint8_t TicksNow(const snceRegion *region);

#ifdef __cplusplus
}
#endif

#endif /* SSLSNCE_TESTS_SUPPORT_TEST_TICKS_H_ */
