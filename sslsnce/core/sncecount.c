/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#define _GNU_SOURCE /* sched_getcpu */

#include "sncecount.h"

#include <sched.h>

/* Counts what this process cannot count where it belongs. */
static snceLane nowhere;

/* In line, which position-independent code does to nothing that is exported. */
static inline snceLane *
LaneOf(const snceRegion *region, uint32_t server)
{
    snceCounters *counters = snceRegion_Counters(region, server);

    return SNCE_RARELY(!counters)
               ? &nowhere
               : &counters->lane[(unsigned)sched_getcpu() % SNCE_LANES];
}

snceLane *
snceCount_Lane(const snceRegion *region, uint32_t server)
{
    return LaneOf(region, server);
}

void
snceCount_Add(const snceRegion *region, uint32_t server, unsigned figure,
              uint64_t n)
{
    if (region->access != SNCE_ACCESS_READ) {
        snceLane_Add(LaneOf(region, server), figure, n);
    }
}

uint64_t
snceCount_Sum(const snceRegion *region, uint32_t server, unsigned figure)
{
    snceCounters *counters = snceRegion_Counters(region, server);
    uint64_t sum = 0;

    for (unsigned lane = 0; counters && lane < SNCE_LANES; lane++) {
        sum += atomic_load_explicit(&counters->lane[lane].count[figure],
                                    memory_order_relaxed);
    }
    return sum;
}
