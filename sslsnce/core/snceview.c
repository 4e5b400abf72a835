/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "snceview.h"

#include <string.h>

/* Looks that a change may spoil. Each failure is another change, which takes
 * thousands of times as long as a look. */
#define LOOK_TRIES 64

/* Opens both homes, the second one too if the first one is out of reach:
 * snceView_Look. */
static snceResult
OpenHomes(snceView *view, snceHomeWords *nowWords, const snceHomeSeen *now,
          snceHomeWords *oldWords, const snceHomeSeen *old)
{
    snceResult result =
        snceHome_Open(&view->now, view->region, view->id, nowWords, now);

    if (view->moving && (result == SNCE_OK || result == SNCE_NO_MEMORY)) {
        snceResult other =
            snceHome_Open(&view->old, view->region, view->id, oldWords, old);

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
        snceHomeSeen now, old = { 0 };
        unsigned home;

        out->region = region;
        out->id = id;
        /* Sequentially consistent: pairs with snceDirectory_Commit. Whoever sees
         * a change sees all that was stored before it. */
        out->life = atomic_load_explicit(&entry->life, memory_order_seq_cst);
        if (!snceLife_Is(out->life, id.generation)) {
            return SNCE_GONE;
        }
        out->moving = (out->life & SNCE_LIFE_MOVING) != 0;
        home = snceLife_Home(out->life);
        snceView_Load(out, entry, &entry->home[home], &now);
        if (out->moving) {
            snceHomeWords_Load(&entry->home[!home], &old);
        }
        if (snceView_Unchanged(out, entry)) {
            return OpenHomes(out, &entry->home[home], &now, &entry->home[!home],
                             &old);
        }
    }
    return SNCE_CORRUPT;
}

/* Has |home| grown so that the session of |hash| lies elsewhere? */
static bool
IsElsewhere(const snceHome *home, uint64_t hash)
{
    snceTable now = home->table;
    snceSize size = snceHome_Size(home);

    return size != now.size &&
           (!snceTable_Resize(&now, size) ||
            !snceTable_SamePlaces(&home->table, &now, hash));
}

bool
snceView_Resized(const snceView *view, uint64_t hash)
{
    return IsElsewhere(&view->now, hash) ||
           (view->moving && IsElsewhere(&view->old, hash));
}
