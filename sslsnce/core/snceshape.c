/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "snceshape.h"

#include "snceblob.h"
#include "sncecount.h"
#include "sncedirectory.h"
#include "snceheap.h"
#include "sncestep.h"
#include "sncetable.h"

/* One certificate for each session, up to this many. */
#define CERTIFICATES_MAX 1000000

snceShape
snceShape_Of(const snceCacheOptions *options)
{
    uint64_t cells =
        options->certificates ? options->certificates : options->entries;
    snceShape shape = { 0 };

    if (!options->certificates && cells > CERTIFICATES_MAX) {
        cells = CERTIFICATES_MAX;
    }
    shape.sets = snceTable_SetsFor(options->entries);
    shape.cells = cells;
    shape.asked = snceWord_Pair(options->entries, options->certificates);
    return shape;
}

static uint64_t
TablePages(const snceShape *shape)
{
    return snceLayout_InPages(snceTable_Bytes(shape->sets)) / SNCE_PAGE;
}

static uint64_t
StorePages(const snceShape *shape)
{
    return snceLayout_InPages(snceBlob_Bytes(shape->cells)) / SNCE_PAGE;
}

uint64_t
snceShape_Bytes(const snceShape *shape)
{
    return (TablePages(shape) + StorePages(shape)) * SNCE_PAGE;
}

/* What was counted on a range's side so far. Nothing was for a new server,
 * whose counters nobody has touched. */
static uint64_t
Counted(const snceRegion *region, uint32_t number, unsigned figure,
        uint64_t range)
{
    snceLife life =
        snceDirectory_Load(&snceRegion_Server(region, number)->life);

    return snceLife_State(life) == SNCE_LIFE_FREE
               ? 0
               : snceCount_Sum(region, number, figure + snceRange_Side(range));
}

snceResult
snceShape_Furnish(snceRegion *region, uint32_t number, unsigned home,
                  const snceShape *shape)
{
    snceServerWords *entry = snceRegion_Server(region, number);
    snceHomeWords *words = &entry->home[home];
    const snceHomeWords *other = &entry->home[!home];
    uint64_t range;

    /* A range's word comes after its size, so that it can be given back. */
    snceDirectory_Store(&words->shape,
                        snceWord_Pair(shape->sets, shape->cells));
    snceDirectory_Store(&entry->pages[home],
                        snceWord_Pair(TablePages(shape), StorePages(shape)));
    snceDirectory_Store(&entry->asked[home], shape->asked);
    range = snceHeap_Take(region, TablePages(shape),
                          snceDirectory_Load(&other->table));
    if (!range) {
        return SNCE_NO_MEMORY;
    }
    snceDirectory_Store(&words->table, range);
    SNCE_STEP("home-named");
    snceDirectory_Store(&entry->liveFrom[snceRange_Side(range)],
                        Counted(region, number, SNCE_N_LIVE, range));
    if (shape->store) {
        snceDirectory_Store(&words->store, shape->store);
        return SNCE_OK;
    }
    range = snceHeap_Take(region, StorePages(shape),
                          snceDirectory_Load(&other->store));
    if (!range) {
        snceShape_Vacate(region, number, home);
        return SNCE_NO_MEMORY;
    }
    snceDirectory_Store(&words->store, range);
    snceDirectory_Store(&entry->storedFrom[snceRange_Side(range)],
                        Counted(region, number, SNCE_N_STORED, range));
    return SNCE_OK;
}

void
snceShape_Vacate(const snceRegion *region, uint32_t number, unsigned home)
{
    snceServerWords *entry = snceRegion_Server(region, number);
    snceHomeWords *words = &entry->home[home];
    uint64_t pages = snceDirectory_Load(&entry->pages[home]);
    uint64_t store = snceDirectory_Load(&words->store);

    /* Emptied first, then out of the directory: a death in between does it
     * twice, which is harmless as long as nobody else got the range. */
    snceHeap_Drop(region, snceDirectory_Load(&words->table),
                  snceWord_High(pages));
    SNCE_STEP("vacate-home");
    snceDirectory_Store(&words->table, 0);
    if (store != snceDirectory_Load(&entry->home[!home].store)) {
        snceHeap_Drop(region, store, snceWord_Low(pages));
    }
    snceDirectory_Store(&words->store, 0);
}
