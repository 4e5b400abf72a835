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
    snceLocalId id;
    uint64_t store; /* range word, not bounded yet: snceHome_Store */
    uint64_t cells;
} snceHome;

typedef struct {
    const snceRegion *region;
    snceLocalId id;
    snceLife life;
    uint32_t timeoutSec[SNCE_CLASSES];
    bool matchAddress;
    bool moving;
    snceHome old; /* only while moving: look here first (rule 11) */
    snceHome now; /* takes inserts */
} snceView;

/* The words of a home, not bounded yet. */
typedef struct {
    uint64_t table;
    uint64_t store;
    uint64_t shape;
} snceHomeSeen;

/* Acquire: pairs with the release stores of what nobody lives in any more, so
 * that the life word loaded afterwards is then another. */
static inline void
snceHomeWords_Load(const snceHomeWords *home, snceHomeSeen *out)
{
    out->table = atomic_load_explicit(&home->table, memory_order_acquire);
    out->store = atomic_load_explicit(&home->store, memory_order_acquire);
    out->shape = atomic_load_explicit(&home->shape, memory_order_acquire);
}

/* What belongs to the life word that |view| has, if that is unchanged then. */
static inline void
snceView_Load(snceView *view, const snceServerWords *entry, snceHomeSeen *now)
{
    snceHomeWords_Load(&entry->home[snceLife_Home(view->life)], now);
    for (unsigned i = 0; i < SNCE_CLASSES; i++) {
        view->timeoutSec[i] =
            atomic_load_explicit(&entry->timeoutSec[i], memory_order_acquire);
    }
    view->matchAddress = (view->life & SNCE_LIFE_ADDRESS) != 0;
}

/* Relaxed: what was loaded before it was loaded with acquire. */
static inline bool
snceView_Unchanged(const snceView *view, const snceServerWords *entry)
{
    return atomic_load_explicit(&entry->life, memory_order_relaxed) ==
           view->life;
}

/* Bounds what was seen of a home (rule 1). */
SNCE_INLINE snceResult
snceHome_Open(snceHome *out, const snceView *view, const snceHomeSeen *seen)
{
    out->id = view->id;
    out->store = seen->store;
    out->cells = seen->shape & SNCE_PAGE_MASK;
    return snceTable_At(&out->table, view->region, view->id, seen->table,
                        seen->shape >> SNCE_SERIAL_SHIFT);
}

/* snceView_OpenAny is snceView_Open for a server that may be closed, or moving or
 * changing at this moment. */
snceResult snceView_OpenAny(snceView *out, const snceRegion *region,
                            snceLocalId id);

/* snceView_Closed tells whether nothing goes into the cache or comes out of it. */
static inline bool
snceView_Closed(const snceView *view)
{
    return (view->life & SNCE_LIFE_CLOSED) != 0;
}

/* snceView_OpenResting looks at the server |id| if it is there and open, and
 * neither moving nor changing: the case of nearly every lookup. */
SNCE_INLINE bool
snceView_OpenResting(snceView *out, const snceRegion *region, snceLocalId id)
{
    const snceServerWords *entry;
    snceHomeSeen now;

    if (id.number >= SNCE_SERVERS) {
        return false;
    }
    entry = snceRegion_Server(region, id.number);
    out->region = region;
    out->id = id;
    out->moving = false;
    /* Sequentially consistent: as in snceView_OpenAny. */
    out->life = atomic_load_explicit(&entry->life, memory_order_seq_cst);
    if (!snceLife_Is(out->life, id.generation) ||
        (out->life & (SNCE_LIFE_MOVING | SNCE_LIFE_CLOSED))) {
        return false;
    }
    snceView_Load(out, entry, &now);
    return snceView_Unchanged(out, entry) &&
           snceHome_Open(&out->now, out, &now) == SNCE_OK;
}

/* snceView_Open looks at the server |id|. Returns SNCE_OK, SNCE_GONE or
 * SNCE_CORRUPT. */
SNCE_INLINE snceResult
snceView_Open(snceView *out, const snceRegion *region, snceLocalId id)
{
    return snceView_OpenResting(out, region, id)
               ? SNCE_OK
               : snceView_OpenAny(out, region, id);
}

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

/* snceView_ClockSkew returns where snceCacheOptions.clockSkewSec lies: beyond the
 * cache line that a lookup needs. */
static inline const _Atomic uint32_t *
snceView_ClockSkew(const snceView *view)
{
    return &snceRegion_Server(view->region, view->id.number)->clockSkewSec;
}

/* snceView_ClockSkewSec returns what it is now. */
static inline uint32_t
snceView_ClockSkewSec(const snceView *view)
{
    return snceRule_SkewSec(snceView_ClockSkew(view));
}

/* snceView_Rule returns when entries expire, at the time |now|; without skewSec,
 * for lookups. */
static inline snceRule
snceView_Rule(const snceView *view, snceTime now)
{
    snceRule rule = { now, { view->timeoutSec[0], view->timeoutSec[1] }, 0 };

    return rule;
}

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

/* snceHome_Store opens the store. Returns SNCE_OK or SNCE_CORRUPT. */
snceResult snceHome_Store(snceBlob *out, const snceHome *home);

/* snceHome_Retain counts one entry more with |ref|, which may be 0. False, and
 * nothing is counted, if that was evicted. */
bool snceHome_Retain(const snceHome *home, snceBlobRef ref);

/* snceHome_Release counts one entry less. */
void snceHome_Release(const snceHome *home, snceBlobRef ref);

/* snceHome_LiveFigure returns which figure counts the entries of a home. */
static inline unsigned
snceHome_LiveFigure(const snceHome *home)
{
    return SNCE_N_LIVE + snceRange_Side(home->table.range);
}

/* snceHome_Count counts |n| entries more, or with (uint64_t)-1 one less. */
void snceHome_Count(const snceHome *home, uint64_t n);

/* snceHome_Lose counts an entry less and releases its certificate. */
void snceHome_Lose(const snceHome *home, snceBlobRef certificate);

/* snceHome_Gone is a snceTable_Gone whose context is the home: an entry less,
 * and its certificate released. */
void snceHome_Gone(void *home, const uint64_t *words);

#endif /* SNCEVIEW_H */
