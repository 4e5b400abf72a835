/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "snceview.h"

#include "sncecount.h"

/* Looks that a change may spoil. Each failure is another change, which takes
 * thousands of times as long as a look. */
#define LOOK_TRIES 64

static snceResult
OpenHome(snceHome *out, const snceRegion *region, snceServerId id,
         uint64_t table, uint64_t store, uint64_t shape)
{
    out->id = id;
    out->store = store;
    out->cells = shape & SNCE_PAGE_MASK;
    return snceTable_At(&out->table, region, id, table,
                        shape >> SNCE_SERIAL_SHIFT);
}

snceResult
snceView_Open(snceView *out, const snceRegion *region, snceServerId id)
{
    snceServerWords *entry;
    uint64_t words[2][3];
    snceResult result;
    unsigned now;

    if (id.number >= SNCE_SERVERS) {
        return SNCE_GONE;
    }
    entry = snceRegion_Server(region, id.number);
    out->region = region;
    out->id = id;
    for (unsigned try = 0; try < LOOK_TRIES; try++) {
        /* Sequentially consistent: pairs with snceChange_Commit. Whoever sees
         * a change sees all that was stored before it. */
        out->life = atomic_load_explicit(&entry->life, memory_order_seq_cst);
        if (!snceLife_Is(out->life, id.generation)) {
            return SNCE_GONE;
        }
        for (unsigned i = 0; i < 2; i++) {
            const snceHomeWords *home = &entry->home[i];

            /* Acquire: pairs with the release stores of what nobody lives in
             * any more, so that the life word loaded below is then another. */
            words[i][0] =
                atomic_load_explicit(&home->table, memory_order_acquire);
            words[i][1] =
                atomic_load_explicit(&home->store, memory_order_acquire);
            words[i][2] =
                atomic_load_explicit(&home->shape, memory_order_acquire);
            out->timeoutSec[i] = atomic_load_explicit(&entry->timeoutSec[i],
                                                      memory_order_acquire);
        }
        if (atomic_load_explicit(&entry->life, memory_order_relaxed) ==
            out->life) {
            break;
        }
        if (try + 1 == LOOK_TRIES) {
            return SNCE_CORRUPT;
        }
    }
    now = snceLife_Home(out->life);
    out->matchAddress = (out->life & SNCE_LIFE_ADDRESS) != 0;
    out->moving = (out->life & SNCE_LIFE_MOVING) != 0;
    result = OpenHome(&out->now, region, id, words[now][0], words[now][1],
                      words[now][2]);
    if (result == SNCE_OK && out->moving) {
        result = OpenHome(&out->old, region, id, words[!now][0], words[!now][1],
                          words[!now][2]);
    }
    return result;
}

bool
snceView_Moved(const snceView *view)
{
    snceServerWords *entry = snceRegion_Server(view->region, view->id.number);

    /* Sequentially consistent: pairs with snceChange_Commit. */
    return atomic_load_explicit(&entry->life, memory_order_seq_cst) !=
           view->life;
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
