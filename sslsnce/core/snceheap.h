/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* snceheap.h: ranges of the heap, for tables and stores.
 *
 * A range is free if no entry of the directory names it. So there is no list of free
 * ranges to keep consistent, and nothing to repair after a death (rule 13). */
#ifndef SNCEHEAP_H
#define SNCEHEAP_H

#include "snceregion.h"

/* snceHeap_Pages returns how many pages a range for |bytes| bytes takes. */
static inline uint64_t
snceHeap_Pages(uint64_t bytes)
{
    return SNCE_ALIGNED(bytes, SNCE_GRAIN) / SNCE_PAGE;
}

/* snceHeap_Take finds a free range of |pages| pages (snceHeap_Pages), all
 * zeros, and writes its range word to |*range|. The range gets the other side
 * than the range |unlike| has; if |unlike| is 0, either side. The file grows if
 * it has to. The caller holds the administrative lock, and enters the range in
 * the directory before it takes another one. Returns SNCE_OK, SNCE_LIMIT,
 * SNCE_NO_MEMORY or SNCE_BAD_DESCRIPTOR. */
snceResult snceHeap_Take(const snceRegion *region, uint64_t pages,
                         uint64_t unlike, uint64_t *range);

/* snceHeap_Drop gives the pages of a range back to the system. The range is
 * free once the caller has taken its word out of the directory. */
void snceHeap_Drop(const snceRegion *region, uint64_t range, uint64_t pages);

/* snceHeap_Sweep gives back some of the memory in the gaps between ranges; each
 * call goes on where the last one ended. Such memory comes from operations that
 * were interrupted and then stored into a range, or read its pages, after the
 * range had been given back. The caller holds the administrative lock, and has
 * entered in the directory every range that it took. */
void snceHeap_Sweep(const snceRegion *region);

#endif /* SNCEHEAP_H */
