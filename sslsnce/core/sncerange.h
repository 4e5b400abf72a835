/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* sncerange.h: the range word, one 64-bit word that names one epoch of a range
 * of the heap.
 *
 *   63          32 31           0
 *  +--------------+--------------+
 *  |    serial    |     page     |
 *  +--------------+--------------+
 *
 * No two epochs have the same word (rule 12); 0 names none. The page is where
 * the range begins; its length is stored elsewhere. The serial's lowest bit is
 * the range's side. The figures of what lies in a range are counted separately
 * for each side, and when a server gets a new table or certificate store, its
 * side is the other one than that of the old.
 *
 * This header is pure arithmetic on a value; nothing here touches memory. The
 * offset in a word that was read from shared memory is not bounded yet (rule
 * 1): snceRegion_Bound does that. */
#ifndef SNCERANGE_H
#define SNCERANGE_H

#include "sncelayout.h"
#include "snceword.h"

/* snceRange_Of returns the word of the range that begins at |page|. */
static inline uint64_t
snceRange_Of(uint64_t serial, uint64_t page)
{
    return snceWord_Pair(serial, page);
}

/* snceRange_Page returns the page at which a range begins. */
static inline uint64_t
snceRange_Page(uint64_t range)
{
    return snceWord_Low(range);
}

/* snceRange_Offset returns the offset in the region at which a range begins. */
static inline uint64_t
snceRange_Offset(uint64_t range)
{
    return snceRange_Page(range) * SNCE_PAGE;
}

/* snceRange_Side returns the side of a range, 0 or 1. */
static inline unsigned
snceRange_Side(uint64_t range)
{
    return (unsigned)snceWord_High(range) & 1;
}

#endif /* SNCERANGE_H */
