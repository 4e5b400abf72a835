/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "snceview.h"

#include "sncecount.h"

/* Looks that a change may spoil. Each failure is another change, which takes
 * thousands of times as long as a look. */
#define LOOK_TRIES 64

/* The words of a home, not bounded yet. */
typedef struct {
    uint64_t table;
    uint64_t store;
    uint64_t shape;
} homeWords;

/* Acquire: pairs with the release stores of what nobody lives in any more, so
 * that the life word loaded afterwards is then another. */
static inline void
LoadHome(homeWords *out, const snceHomeWords *home)
{
    out->table = atomic_load_explicit(&home->table, memory_order_acquire);
    out->store = atomic_load_explicit(&home->store, memory_order_acquire);
    out->shape = atomic_load_explicit(&home->shape, memory_order_acquire);
}

static inline snceResult
OpenHome(snceHome *out, const snceView *view, const homeWords *words)
{
    out->id = view->id;
    out->store = words->store;
    out->cells = words->shape & SNCE_PAGE_MASK;
    return snceTable_At(&out->table, view->region, view->id, words->table,
                        words->shape >> SNCE_SERIAL_SHIFT);
}

snceResult
snceView_Open(snceView *out, const snceRegion *region, snceServerId id)
{
    homeWords now, old = { 0 };
    const snceServerWords *entry;
    snceResult result;

    if (id.number >= SNCE_SERVERS) {
        return SNCE_GONE;
    }
    entry = snceRegion_Server(region, id.number);
    out->region = region;
    out->id = id;
    for (unsigned try = 0;; try++) {
        unsigned home;

        if (try == LOOK_TRIES) {
            return SNCE_CORRUPT;
        }
        /* Sequentially consistent: pairs with snceChange_Commit. Whoever sees
         * a change sees all that was stored before it. */
        out->life = atomic_load_explicit(&entry->life, memory_order_seq_cst);
        if (!snceLife_Is(out->life, id.generation)) {
            return SNCE_GONE;
        }
        home = snceLife_Home(out->life);
        LoadHome(&now, &entry->home[home]);
        out->moving = (out->life & SNCE_LIFE_MOVING) != 0;
        if (out->moving) {
            LoadHome(&old, &entry->home[!home]);
        }
        for (unsigned i = 0; i < SNCE_CLASSES; i++) {
            out->timeoutSec[i] = atomic_load_explicit(&entry->timeoutSec[i],
                                                      memory_order_acquire);
        }
        if (atomic_load_explicit(&entry->life, memory_order_relaxed) ==
            out->life) {
            break;
        }
    }
    out->matchAddress = (out->life & SNCE_LIFE_ADDRESS) != 0;
    result = OpenHome(&out->now, out, &now);
    if (result == SNCE_OK && out->moving) {
        result = OpenHome(&out->old, out, &old);
    }
    return result;
}

snceRule
snceView_Rule(const snceView *view, snceTime now)
{
    snceRule rule = { now, { view->timeoutSec[0], view->timeoutSec[1] } };

    return rule;
}

snceResult
snceHome_Store(snceBlob *out, const snceHome *home)
{
    return snceBlob_At(out, home->table.region, home->id, home->store,
                       home->cells);
}

bool
snceHome_Retain(const snceHome *home, snceBlobRef ref)
{
    snceBlob store;

    return ref == 0 || (snceHome_Store(&store, home) == SNCE_OK &&
                        snceBlob_Retain(&store, ref));
}

void
snceHome_Release(const snceHome *home, snceBlobRef ref)
{
    snceBlob store;

    if (ref && snceHome_Store(&store, home) == SNCE_OK) {
        snceBlob_Release(&store, ref);
    }
}

void
snceHome_Count(const snceHome *home, uint64_t n)
{
    snceCount_Add(home->table.region, home->id.number,
                  SNCE_N_LIVE + snceRange_Side(home->table.range), n);
}

void
snceHome_Gone(void *context, const uint64_t *words)
{
    const snceHome *home = context;

    snceHome_Count(home, (uint64_t)-1);
    snceHome_Release(home, words[SNCE_W_CERTIFICATE]);
}
