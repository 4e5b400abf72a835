/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "snceview.h"

#include <string.h>

/* Looks that a change may spoil. Each failure is another change, which takes
 * thousands of times as long as a look. */
#define LOOK_TRIES 64

/* Opens both backing stores. It opens the old one even if the new one is out of
 * this process's reach, for snceView_Look. */
static snceResult
OpenBackings(snceView *view, snceBackingWords *nowWords,
             const snceBackingSeen *now, snceBackingWords *oldWords,
             const snceBackingSeen *old)
{
    snceResult result =
        snceBacking_Open(&view->now, view->region, view->id, nowWords, now);

    if (view->moving && (result == SNCE_OK || result == SNCE_NO_MEMORY)) {
        snceResult other =
            snceBacking_Open(&view->old, view->region, view->id, oldWords, old);

        result = other == SNCE_OK ? result : other;
    }
    return result;
}

snceResult
snceView_OpenAny(snceView *out, const snceRegion *region, snceLocalId id)
{
    snceServerWords *entry;

    memset(out, 0, sizeof(*out));
    if (id.number >= SNCE_SERVERS) {
        return SNCE_GONE;
    }
    entry = snceRegion_Server(region, id.number);
    for (unsigned try = 0; try < LOOK_TRIES; try++) {
        snceBackingSeen now, old = { 0 };
        unsigned backing;

        out->region = region;
        out->id = id;
        out->entry = entry;
        /* Sequentially consistent: pairs with snceDirectory_Commit. A process
         * that sees a change sees everything that was stored before it. */
        out->state = atomic_load_explicit(&entry->state, memory_order_seq_cst);
        if (!snceState_Is(out->state, id.generation)) {
            return SNCE_GONE;
        }
        out->moving = (out->state & SNCE_SERVER_MOVING) != 0;
        backing = snceState_Backing(out->state);
        snceView_Load(out, &entry->backing[backing], &now);
        if (out->moving) {
            snceBackingWords_Load(&entry->backing[!backing], &old);
        }
        if (snceView_Unchanged(out)) {
            return OpenBackings(out, &entry->backing[backing], &now,
                                &entry->backing[!backing], &old);
        }
    }
    return SNCE_CORRUPT;
}

/* Has the table of |backing| grown so that the session of |hash| lies
 * elsewhere? */
static bool
IsElsewhere(const snceBacking *backing, uint64_t hash)
{
    snceTable now = backing->table;
    snceSize size = snceBacking_Size(backing);

    return size != now.size &&
           (!snceTable_Resize(&now, size) ||
            !snceTable_SamePlaces(&backing->table, &now, hash));
}

bool
snceView_Resized(const snceView *view, uint64_t hash)
{
    return IsElsewhere(&view->now, hash) ||
           (view->moving && IsElsewhere(&view->old, hash));
}
