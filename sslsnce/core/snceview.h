/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* snceview.h: what one operation sees of a virtual server.
 *
 * A view is one consistent look at a directory entry: backing stores, timeouts
 * and flags that belong to one value of the state word. Opening it costs a few
 * loads of one cache line. The operation works on what it saw, and asks
 * afterwards whether anything changed meanwhile. */
#ifndef SNCEVIEW_H
#define SNCEVIEW_H

#include "sncebacking.h"
#include "sncestate.h"

/* How many times an operation that meets a change looks again. Changes are
 * rare. */
#define SNCE_VIEW_TRIES 64

typedef struct {
    const snceRegion *region;
    snceLocalId id;
    snceServerWords *entry; /* in the directory; mapped for ever */
    snceState state;
    uint32_t timeoutSec[SNCE_CLASSES];
    bool moving;
    snceBacking old; /* only while moving: look here first (rule 11) */
    snceBacking now; /* takes inserts */
} snceView;

/* Loads the words that belong to the state word of |view|. The caller checks
 * afterwards that the state word is unchanged. */
static inline void
snceView_Load(snceView *view, const snceBackingWords *backing,
              snceBackingSeen *now)
{
    snceBackingWords_Load(backing, now);
    for (unsigned i = 0; i < SNCE_CLASSES; i++) {
        view->timeoutSec[i] = atomic_load_explicit(&view->entry->timeoutSec[i],
                                                   memory_order_acquire);
    }
}

/* Relaxed: the words that were loaded before it were loaded with acquire. */
static inline bool
snceView_Unchanged(const snceView *view)
{
    return atomic_load_explicit(&view->entry->state, memory_order_relaxed) ==
           view->state;
}

/* snceView_OpenAny is snceView_Open for a server that may be closed, or moving
 * or changing at this moment. */
snceResult snceView_OpenAny(snceView *out, const snceRegion *region,
                            snceLocalId id);

/* snceView_MatchesAddress tells whether lookups find a session only under the
 * address of its client. */
static inline bool
snceView_MatchesAddress(const snceView *view)
{
    return (view->state & SNCE_SERVER_ADDRESS) != 0;
}

/* snceView_Closed tells whether nothing goes into the cache or comes out of it. */
static inline bool
snceView_Closed(const snceView *view)
{
    return (view->state & SNCE_SERVER_CLOSED) != 0;
}

/* snceView_OpenResting looks at the server |id|. Returns false unless the
 * server is live, open, and neither moving nor changing. Nearly every lookup
 * gets its view here. */
SNCE_INLINE bool
snceView_OpenResting(snceView *out, const snceRegion *region, snceLocalId id)
{
    snceServerWords *entry;
    snceBackingWords *backing;
    snceBackingSeen now;

    if (id.number >= SNCE_SERVERS) {
        return false;
    }
    entry = snceRegion_Server(region, id.number);
    out->region = region;
    out->id = id;
    out->entry = entry;
    out->moving = false;
    /* Sequentially consistent: as in snceView_OpenAny. */
    out->state = atomic_load_explicit(&entry->state, memory_order_seq_cst);
    if (!snceState_Rests(out->state, id.generation)) {
        return false;
    }
    backing = &entry->backing[snceState_Backing(out->state)];
    snceView_Load(out, backing, &now);
    return snceView_Unchanged(out) &&
           snceBacking_Open(&out->now, region, id, backing, &now) == SNCE_OK;
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

/* snceView_Look looks at what the server's entry says: sizes, timeouts, flags
 * and range words. It succeeds even if this process cannot reach the sessions.
 * Returns SNCE_OK, SNCE_GONE or SNCE_CORRUPT. */
static inline snceResult
snceView_Look(snceView *out, const snceRegion *region, snceLocalId id)
{
    snceResult result = snceView_Open(out, region, id);

    return result == SNCE_NO_MEMORY ? SNCE_OK : result;
}

/* snceView_Resized is the rare part of snceView_Moved: tells whether a table
 * has grown so that the session of |hash| may lie elsewhere. */
bool snceView_Resized(const snceView *view, uint64_t hash);

/* snceView_Changed tells whether the state word changed since the view was opened. */
static inline bool
snceView_Changed(const snceView *view)
{
    /* Sequentially consistent: pairs with snceDirectory_Commit. */
    return atomic_load_explicit(&view->entry->state, memory_order_seq_cst) !=
           view->state;
}

/* snceView_IsStable tells whether the server is not moving, and nothing changed
 * since the view was opened. The answer is nearly always yes, and costs nearly
 * nothing. */
static inline bool
snceView_IsStable(const snceView *view)
{
    return !view->moving && !snceView_Changed(view) &&
           snceBacking_Size(&view->now) == view->now.table.size;
}

/* snceView_Moved tells whether anything changed, since the view was opened,
 * that matters for the session of |hash|. If so, a session that was not found
 * may be where the operation did not look, and one that was stored may be where
 * no lookup will look. */
static inline bool
snceView_Moved(const snceView *view, uint64_t hash)
{
    return SNCE_RARELY(!snceView_IsStable(view)) &&
           (snceView_Changed(view) || snceView_Resized(view, hash));
}

/* snceView_ClockSkew returns where snceCacheOptions.clockSkewSec lies. That is
 * outside the cache line that a lookup needs. */
static inline const _Atomic uint32_t *
snceView_ClockSkew(const snceView *view)
{
    return &view->entry->clockSkewSec;
}

/* snceView_ClockSkewSec returns snceCacheOptions.clockSkewSec as it is now. */
static inline uint32_t
snceView_ClockSkewSec(const snceView *view)
{
    return snceRule_SkewSec(snceView_ClockSkew(view));
}

/* snceView_Rule returns the rule by which entries expire at the time |now|. The
 * rule is for lookups: its skewSec is NULL. */
static inline snceRule
snceView_Rule(const snceView *view, snceTime now)
{
    snceRule rule = { now, { view->timeoutSec[0], view->timeoutSec[1] }, 0 };

    return rule;
}

#endif /* SNCEVIEW_H */
