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

#include "sncehome.h"
#include "sncelife.h"

/* Servers change rarely; an operation that meets a change looks again so often.
 */
#define SNCE_VIEW_TRIES 64

typedef struct {
    const snceRegion *region;
    snceLocalId id;
    snceLife life;
    uint32_t timeoutSec[SNCE_CLASSES];
    bool moving;
    snceHome old; /* only while moving: look here first (rule 11) */
    snceHome now; /* takes inserts */
} snceView;

/* What belongs to the life word that |view| has, if that is unchanged then. */
static inline void
snceView_Load(snceView *view, const snceServerWords *entry,
              const snceHomeWords *home, snceHomeSeen *now)
{
    snceHomeWords_Load(home, now);
    for (unsigned i = 0; i < SNCE_CLASSES; i++) {
        view->timeoutSec[i] =
            atomic_load_explicit(&entry->timeoutSec[i], memory_order_acquire);
    }
}

/* Relaxed: what was loaded before it was loaded with acquire. */
static inline bool
snceView_Unchanged(const snceView *view, const snceServerWords *entry)
{
    return atomic_load_explicit(&entry->life, memory_order_relaxed) ==
           view->life;
}

/* snceView_OpenAny is snceView_Open for a server that may be closed, or moving or
 * changing at this moment. */
snceResult snceView_OpenAny(snceView *out, const snceRegion *region,
                            snceLocalId id);

/* snceView_MatchesAddress tells whether a session is found only under the address of
 * its client. */
static inline bool
snceView_MatchesAddress(const snceView *view)
{
    return (view->life & SNCE_LIFE_ADDRESS) != 0;
}

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
    snceServerWords *entry;
    snceHomeWords *home;
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
    if (!snceLife_Rests(out->life, id.generation)) {
        return false;
    }
    home = &entry->home[snceLife_Home(out->life)];
    snceView_Load(out, entry, home, &now);
    return snceView_Unchanged(out, entry) &&
           snceHome_Open(&out->now, region, id, home, &now) == SNCE_OK;
}

/* snceView_Open looks at the server |id|. Returns SNCE_OK, SNCE_GONE, SNCE_CORRUPT,
 * or SNCE_NO_MEMORY (this process cannot reach where the sessions lie). */
SNCE_INLINE snceResult
snceView_Open(snceView *out, const snceRegion *region, snceLocalId id)
{
    return snceView_OpenResting(out, region, id)
               ? SNCE_OK
               : snceView_OpenAny(out, region, id);
}

/* snceView_Look looks at what the server's entry says: sizes, timeouts, flags and
 * range words. The sessions may be out of this process's reach. Returns SNCE_OK,
 * SNCE_GONE or SNCE_CORRUPT. */
static inline snceResult
snceView_Look(snceView *out, const snceRegion *region, snceLocalId id)
{
    snceResult result = snceView_Open(out, region, id);

    return result == SNCE_NO_MEMORY ? SNCE_OK : result;
}

/* snceView_Resized is the part of snceView_Moved that is rare: a table has grown. */
bool snceView_Resized(const snceView *view, uint64_t hash);

/* snceView_Turned tells whether the life word changed since the view was opened. */
static inline bool
snceView_Turned(const snceView *view)
{
    const snceServerWords *entry =
        snceRegion_Server(view->region, view->id.number);

    /* Sequentially consistent: pairs with snceDirectory_Commit. */
    return atomic_load_explicit(&entry->life, memory_order_seq_cst) !=
           view->life;
}

/* snceView_Moved tells whether anything changed since the view was opened that matters
 * for the session of |hash|: what was not found may be where nobody looked, and what
 * was stored where nobody will. */
static inline bool
snceView_Moved(const snceView *view, uint64_t hash)
{
    return snceView_Turned(view) ||
           SNCE_RARELY((view->moving ||
                        snceHome_Size(&view->now) != view->now.table.size) &&
                       snceView_Resized(view, hash));
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

#endif /* SNCEVIEW_H */
