/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "snceshape.h"

#include "snceblob.h"
#include "sncecell.h"
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
    shape.pages = snceTable_PagesFor(options->entries);
    shape.used = snceSize_First(shape.pages);
    shape.cells = snceRough_Up(cells);
    shape.asked = snceWord_Pair(options->entries, options->certificates);
    return shape;
}

static uint64_t
TablePages(const snceShape *shape)
{
    return snceHeap_Pages(snceTable_Bytes(shape->pages));
}

/* Of the store's range: its head and its first cells. More come when they are
 * needed. */
static uint64_t
StorePages(const snceShape *shape)
{
    return snceHeap_Pages(snceCell_StoreBytes(shape->cells));
}

uint64_t
snceShape_Bytes(const snceShape *shape)
{
    /* A table begins on a chunk, or fits into one. */
    return SNCE_ALIGNED(TablePages(shape) * SNCE_PAGE, SNCE_CHUNK_BYTES) +
           SNCE_CHUNK_BYTES;
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

/* Opens the store of a home. */
static snceResult
OpenStore(snceBlob *out, const snceRegion *region, uint32_t number,
          unsigned home)
{
    const snceHomeWords *words = &snceRegion_Server(region, number)->home[home];
    const snceLocalId id = { number, 0 };
    snceResult result =
        snceBlob_At(out, region, id, snceDirectory_Load(&words->store),
                    snceSize_Cells(snceDirectory_Load(&words->size)));

    out->hasTurn = true;
    return result;
}

/* Gives the new store of |home| its first cells, and as much room as the other home's
 * has used. */
static snceResult
PrepareStore(const snceRegion *region, uint32_t number, unsigned home)
{
    const snceServerWords *entry = snceRegion_Server(region, number);
    snceBlob store, old;
    snceResult result = OpenStore(&store, region, number, home);
    bool hasOld = snceDirectory_Load(&entry->home[!home].store) != 0 &&
                  OpenStore(&old, region, number, !home) == SNCE_OK;

    return result == SNCE_OK ? snceBlob_Prepare(&store, hasOld ? &old : NULL)
                             : result;
}

static snceSize
SizeOf(const snceShape *shape, uint64_t range)
{
    return snceSize_Of(range, shape->pages, shape->used, shape->cells);
}

snceResult
snceShape_Furnish(snceRegion *region, uint32_t number, unsigned home,
                  const snceShape *shape)
{
    snceServerWords *entry = snceRegion_Server(region, number);
    snceHomeWords *words = &entry->home[home];
    const snceHomeWords *other = &entry->home[!home];
    snceResult result;
    uint64_t range;

    /* A range's word comes after its size, so that it can be given back. */
    snceDirectory_Store(&words->size, SizeOf(shape, 0));
    snceDirectory_Store(&entry->pages[home],
                        snceWord_Pair(TablePages(shape), StorePages(shape)));
    snceDirectory_Store(&entry->asked[home], shape->asked);
    result = snceHeap_Take(region, TablePages(shape),
                           snceDirectory_Load(&other->table), &range);
    if (result != SNCE_OK) {
        return result;
    }
    snceDirectory_Store(&words->table, range);
    snceDirectory_Store(&words->size, SizeOf(shape, range));
    SNCE_STEP("home-named");
    result = snceRegion_MapRange(region, snceRange_Offset(range),
                                 TablePages(shape) * SNCE_PAGE);
    if (result != SNCE_OK) {
        snceShape_Vacate(region, number, home);
        return result;
    }
    snceDirectory_Store(&entry->liveFrom[snceRange_Side(range)],
                        Counted(region, number, SNCE_N_LIVE, range));
    snceDirectory_Store(&entry->grown[home],
                        shape->store ? snceDirectory_Load(&entry->grown[!home])
                                     : 0);
    if (shape->store) {
        snceDirectory_Store(&words->store, shape->store);
        return SNCE_OK;
    }
    result = snceHeap_Take(region, StorePages(shape),
                           snceDirectory_Load(&other->store), &range);
    if (result != SNCE_OK) {
        snceShape_Vacate(region, number, home);
        return result;
    }
    snceDirectory_Store(&words->store, range);
    snceDirectory_Store(&entry->storedFrom[snceRange_Side(range)],
                        Counted(region, number, SNCE_N_STORED, range));
    result = PrepareStore(region, number, home);
    if (result != SNCE_OK) {
        snceShape_Vacate(region, number, home);
    }
    return result;
}

/* Gives back the store of a home: its cells, then its range. */
static void
DropStore(const snceRegion *region, uint32_t number, unsigned home)
{
    const snceServerWords *entry = snceRegion_Server(region, number);
    snceBlob store;

    if (OpenStore(&store, region, number, home) == SNCE_OK) {
        snceBlob_Discard(&store);
    }
    snceHeap_Drop(region, snceDirectory_Load(&entry->home[home].store),
                  snceWord_Low(snceDirectory_Load(&entry->pages[home])));
}

void
snceShape_Vacate(const snceRegion *region, uint32_t number, unsigned home)
{
    snceServerWords *entry = snceRegion_Server(region, number);
    snceHomeWords *words = &entry->home[home];

    /* Emptied first, then out of the directory: a death in between does it
     * twice, which is harmless as long as nobody else got the range. */
    snceHeap_Drop(region, snceDirectory_Load(&words->table),
                  snceWord_High(snceDirectory_Load(&entry->pages[home])));
    SNCE_STEP("vacate-home");
    snceDirectory_Store(&words->table, 0);
    if (snceDirectory_Load(&words->store) !=
        snceDirectory_Load(&entry->home[!home].store)) {
        DropStore(region, number, home);
    }
    snceDirectory_Store(&words->store, 0);
}

/* Maps what a home has, up to |*left| bytes, of which that is taken. */
static snceResult
MapHome(const snceRegion *region, uint32_t number, unsigned home,
        uint64_t *left)
{
    const snceServerWords *entry = snceRegion_Server(region, number);
    uint64_t table = snceDirectory_Load(&entry->home[home].table);
    uint64_t offset = snceRange_Offset(table);
    uint64_t bytes =
        snceWord_High(snceDirectory_Load(&entry->pages[home])) * SNCE_PAGE;
    snceResult result = SNCE_OK;
    uint64_t store = snceDirectory_Load(&entry->home[home].store);
    uint64_t other = snceDirectory_Load(&entry->home[!home].store);
    snceBlob blob;

    if (table && snceRegion_Bound(region, offset, bytes) == SNCE_OK) {
        if (bytes > *left) {
            *left = 0;
            return SNCE_OK;
        }
        *left -= bytes;
        result = snceRegion_MapRange(region, offset, bytes);
    }
    /* While a cache moves both homes may have the same store. */
    if (result == SNCE_OK && store && (home == 0 || store != other) &&
        OpenStore(&blob, region, number, home) == SNCE_OK) {
        result = snceBlob_Map(&blob, left);
    }
    return result;
}

/* Maps the cells of the key log, up to the last one that is taken. */
static snceResult
MapKeys(const snceRegion *region)
{
    const snceKeyLog *keys = snceRegion_KeyLog(region);
    uint64_t cells = SNCE_KEY_CELLS;

    while (cells > 1 && snceDirectory_Load(&keys->taken[cells - 1]) == 0) {
        cells--;
    }
    return snceRegion_MapRange(region, SNCE_AT_KEY_CELLS,
                               cells * sizeof(snceKeyCell));
}

snceResult
snceShape_MapAll(const snceRegion *region)
{
    uint32_t servers = atomic_load_explicit(&snceRegion_Header(region)->servers,
                                            memory_order_relaxed);
    /* Ranges do not overlap, so together they are no larger than the file. A
     * directory that says otherwise is changing, or spoiled: what is not mapped here
     * is when it is needed. */
    uint64_t left = snceRegion_Bytes(region);
    snceResult result = MapKeys(region);

    for (uint32_t i = 0; i < servers && i < SNCE_SERVERS && left; i++) {
        if (result == SNCE_OK &&
            snceLife_State(snceDirectory_Load(
                &snceRegion_Server(region, i)->life)) != SNCE_LIFE_FREE) {
            result = snceRegion_MapRange(region, snceRegion_CountersOffset(i),
                                         sizeof(snceCounters));
        }
        for (unsigned home = 0; home < 2 && result == SNCE_OK && left; home++) {
            result = MapHome(region, i, home, &left);
        }
    }
    return result;
}
