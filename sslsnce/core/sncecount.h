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

/* snceCount_Add adds |n| to |figure| (SNCE_N_...) of a virtual server. No
 * system call. Relaxed: a sum of counts orders nothing. */
void snceCount_Add(const snceRegion *region, uint32_t server, unsigned figure,
                   uint64_t n);

/* snceCount_Sum returns the sum over all lanes. */
uint64_t snceCount_Sum(const snceRegion *region, uint32_t server,
                       unsigned figure);

#endif /* SNCECOUNT_H */
