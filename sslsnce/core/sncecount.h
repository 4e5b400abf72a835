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

/* snceCount_Lane returns the lane of a virtual server that belongs to this
 * processor. No system call. The region must be writable. */
snceLane *snceCount_Lane(const snceRegion *region, uint32_t server);

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

/* snceCount_Sum returns the sum over all lanes. */
uint64_t snceCount_Sum(const snceRegion *region, uint32_t server,
                       unsigned figure);

#endif /* SNCECOUNT_H */
