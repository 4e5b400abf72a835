/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* snceheap.h: ranges of the heap, for tables and stores.
 *
 * What is free is what no entry of the directory names: there is no list of
 * free ranges to keep consistent, and nothing to repair (rule 13). */
#ifndef SNCEHEAP_H
#define SNCEHEAP_H

#include "snceregion.h"

/* snceHeap_Pages rounds |bytes| up to what a range takes, in pages. */
static inline uint64_t
snceHeap_Pages(uint64_t bytes)
{
    return SNCE_ALIGNED(bytes, SNCE_GRAIN) / SNCE_PAGE;
}

/* snceHeap_Take finds a free range of |pages| pages (snceHeap_Pages), all zeros,
 * and writes its word, of the other side than |unlike| (0: of any), to |*range|.
 * The file grows if it has to. The caller has the turn, and enters the range in
 * the directory before it takes another. Returns SNCE_OK, SNCE_LIMIT,
 * SNCE_NO_MEMORY or SNCE_BAD_DESCRIPTOR. */
snceResult snceHeap_Take(const snceRegion *region, uint64_t pages,
                         uint64_t unlike, uint64_t *range);

/* snceHeap_Drop gives the pages of a range back to the system. It is free when
 * its word is out of the directory. */
void snceHeap_Drop(const snceRegion *region, uint64_t range, uint64_t pages);

/* snceHeap_Sweep gives back some of what lies in the gaps between ranges, each
 * time the next of it: what operations that had been interrupted stored, and
 * pages that they read, in ranges that were dropped meanwhile. The caller has
 * the turn, and has entered in the directory what he took. */
void snceHeap_Sweep(const snceRegion *region);

#endif /* SNCEHEAP_H */
