/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* snceview.h: what one operation sees of a virtual server.
 *
 * A view is one consistent look at a directory entry: homes, timeouts and
 * flags that belong to one value of the life word. It costs a few loads of one
 * cache line. The operation works on what it saw and afterwards asks whether
 * the server moved meanwhile. */
#ifndef SNCEVIEW_H
#define SNCEVIEW_H

#include "snceblob.h"
#include "snceregion.h"
#include "sncelife.h"
#include "sncetable.h"

/* snceHome is where sessions lie: a table, and the store of the certificates
 * that its entries refer to. */
typedef struct {
    snceTable table;
    snceServerId id;
    uint64_t store; /* range word, not bounded yet: snceHome_Store */
    uint64_t cells;
} snceHome;

typedef struct {
    const snceRegion *region;
    snceServerId id;
    snceLife life;
    uint32_t timeoutSec[SNCE_CLASSES];
    bool matchAddress;
    bool moving;
    snceHome old; /* only while moving: look here first (rule 11) */
    snceHome now; /* takes inserts */
} snceView;

/* snceView_Open looks at the server |id|. Returns SNCE_OK, SNCE_GONE or
 * SNCE_CORRUPT. */
snceResult snceView_Open(snceView *out, const snceRegion *region,
                         snceServerId id);

/* snceView_Moved tells whether anything changed since the view was opened, so
 * that what was not found may be where nobody looked, and what was stored where
 * nobody will. */
static inline bool
snceView_Moved(const snceView *view)
{
    const snceServerWords *entry =
        snceRegion_Server(view->region, view->id.number);

    /* Sequentially consistent: pairs with snceChange_Commit. */
    return atomic_load_explicit(&entry->life, memory_order_seq_cst) !=
           view->life;
}

/* snceView_Rule returns when entries expire, at the time |now|. */
snceRule snceView_Rule(const snceView *view, snceTime now);

/* snceHome_Store opens the store. Returns SNCE_OK or SNCE_CORRUPT. */
snceResult snceHome_Store(snceBlob *out, const snceHome *home);

/* snceHome_Retain counts one entry more with |ref|, which may be 0. False, and
 * nothing is counted, if that was evicted. */
bool snceHome_Retain(const snceHome *home, snceBlobRef ref);

/* snceHome_Release counts one entry less. */
void snceHome_Release(const snceHome *home, snceBlobRef ref);

/* snceHome_Count counts |n| entries more, or with (uint64_t)-1 one less. */
void snceHome_Count(const snceHome *home, uint64_t n);

/* snceHome_Gone is a snceTable_Gone whose context is the home: an entry less,
 * and its certificate released. */
void snceHome_Gone(void *home, const uint64_t *words);

/* snceRange_Offset returns where the range that |word| names begins. */
static inline uint64_t
snceRange_Offset(uint64_t word)
{
    return (word & SNCE_PAGE_MASK) * SNCE_PAGE;
}

/* snceRange_Side returns the side that its figures are kept under. */
static inline unsigned
snceRange_Side(uint64_t word)
{
    return (unsigned)(word >> SNCE_SERIAL_SHIFT) & 1;
}

#endif /* SNCEVIEW_H */
