/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#define _GNU_SOURCE /* sched_getcpu */

#include "sncecount.h"

#include <sched.h>

void
snceCount_Add(const snceRegion *region, uint32_t server, unsigned figure,
              uint64_t n)
{
    snceCounters *counters = snceRegion_Counters(region, server);
    unsigned lane = (unsigned)sched_getcpu() % SNCE_LANES;

    if (region->access == SNCE_ACCESS_READ) {
        return;
    }
    /* The processor may change before the addition, hence an atomic one. */
    atomic_fetch_add_explicit(&counters->lane[lane].count[figure], n,
                              memory_order_relaxed);
}

uint64_t
snceCount_Sum(const snceRegion *region, uint32_t server, unsigned figure)
{
    snceCounters *counters = snceRegion_Counters(region, server);
    uint64_t sum = 0;

    for (unsigned lane = 0; lane < SNCE_LANES; lane++) {
        sum += atomic_load_explicit(&counters->lane[lane].count[figure],
                                    memory_order_relaxed);
    }
    return sum;
}
