/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncecount.h: figures that cost nothing to keep.
 *
 * Each processor has a lane of its own, so that two processes, or two threads,
 * that run at the same time never write the same cache line. */
#ifndef SNCECOUNT_H
#define SNCECOUNT_H

#include "snceregion.h"

/* <sched.h> declares it for _GNU_SOURCE only, which is for whole files to ask for. */
extern int sched_getcpu(void);

/* snceCount_Nowhere returns a lane of this process alone, which counts what cannot be
 * counted where it belongs. */
snceLane *snceCount_Nowhere(void);

/* snceLane_Of returns the lane of a virtual server that belongs to this processor. A
 * system call only where this process has not mapped the counters yet; if it cannot
 * map them, the lane is snceCount_Nowhere. The region must be writable. */
static inline snceLane *
snceLane_Of(const snceRegion *region, uint32_t server)
{
    snceCounters *counters = snceRegion_Counters(region, server);

    return SNCE_RARELY(!counters)
               ? snceCount_Nowhere()
               : &counters->lane[(unsigned)sched_getcpu() % SNCE_LANES];
}

/* snceCount_Lane is the same. Where tests stop at steps it is a function, which a
 * fuzzer's sandbox wraps. */
#ifdef SNCE_STEPS
snceLane *snceCount_Lane(const snceRegion *region, uint32_t server);
#else
#define snceCount_Lane snceLane_Of
#endif

/* snceLane_Add adds |n| to |figure| (SNCE_N_...) in a lane. Atomic, because the
 * processor may have changed meanwhile; relaxed, for a sum of counts orders
 * nothing. */
static inline void
snceLane_Add(snceLane *lane, unsigned figure, uint64_t n)
{
    atomic_fetch_add_explicit(&lane->count[figure], n, memory_order_relaxed);
}

/* snceCount_Add adds |n| to |figure| of a virtual server, unless the region is
 * read-only. */
void snceCount_Add(const snceRegion *region, uint32_t server, unsigned figure,
                   uint64_t n);

/* snceCount_One adds 1, in line: for what most operations count. */
static inline void
snceCount_One(const snceRegion *region, uint32_t server, unsigned figure)
{
    if (region->access != SNCE_ACCESS_READ) {
        snceLane_Add(snceCount_Lane(region, server), figure, 1);
    }
}

/* snceCount_Sum returns the sum over all lanes. */
uint64_t snceCount_Sum(const snceRegion *region, uint32_t server,
                       unsigned figure);

#endif /* SNCECOUNT_H */
