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

/* By default, a store is made for one certificate for each session, up to this
 * many. */
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

/* Returns the pages of the store's range: its head and its first cells. More
 * cells are added when they are needed. */
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

/* Returns how much was counted so far for the side of a range; 0 for a new
 * server. Reading a new server's counters would touch memory that nobody has
 * touched. */
static uint64_t
Counted(const snceRegion *region, uint32_t number, unsigned figure,
        uint64_t range)
{
    snceState state =
        snceDirectory_Load(&snceRegion_Server(region, number)->state);

    return snceState_Phase(state) == SNCE_SERVER_FREE
               ? 0
               : snceCount_Sum(region, number, figure + snceRange_Side(range));
}

/* Opens the certificate store of a backing store, for the holder of the
 * administrative lock. */
static snceResult
OpenStore(snceBlob *out, const snceRegion *region, uint32_t number,
          unsigned backing)
{
    const snceBackingWords *words =
        &snceRegion_Server(region, number)->backing[backing];
    const snceLocalId id = { number, 0 };
    snceResult result =
        snceBlob_At(out, region, id, snceDirectory_Load(&words->store),
                    snceSize_Cells(snceDirectory_Load(&words->size)));

    out->hasLock = true;
    return result;
}

/* Returns how many certificates are in a store, but at most as many as the
 * store is for. */
static uint64_t
Stored(const snceRegion *region, uint32_t number, const snceBlob *store)
{
    const snceServerWords *entry = snceRegion_Server(region, number);
    uint64_t stored = snceCount_Since(region, number, SNCE_N_STORED,
                                      store->range, entry->storedFrom);

    return stored < store->cells ? stored : store->cells;
}

/* Gives the new certificate store of |backing| its first cells, and room for
 * what is in the other backing store's. */
static snceResult
PrepareStore(const snceRegion *region, uint32_t number, unsigned backing)
{
    const snceServerWords *entry = snceRegion_Server(region, number);
    snceBlob store, old;
    snceResult result = OpenStore(&store, region, number, backing);
    bool hasOld = snceDirectory_Load(&entry->backing[!backing].store) != 0 &&
                  OpenStore(&old, region, number, !backing) == SNCE_OK;

    if (result != SNCE_OK) {
        return result;
    }
    return hasOld ? snceBlob_Prepare(&store, &old, Stored(region, number, &old))
                  : snceBlob_Prepare(&store, NULL, 0);
}

static snceSize
SizeOf(const snceShape *shape, uint64_t range)
{
    return snceSize_Of(range, shape->pages, shape->used, shape->cells);
}

snceResult
snceShape_Furnish(snceRegion *region, uint32_t number, unsigned backing,
                  const snceShape *shape)
{
    snceServerWords *entry = snceRegion_Server(region, number);
    snceBackingWords *words = &entry->backing[backing];
    const snceBackingWords *other = &entry->backing[!backing];
    snceResult result;
    uint64_t range;

    /* Store the sizes before the range's word: a process that finds the word
     * after a death must know how much to give back. */
    snceDirectory_Store(&words->size, SizeOf(shape, 0));
    snceDirectory_Store(&entry->pages[backing],
                        snceWord_Pair(TablePages(shape), StorePages(shape)));
    snceDirectory_Store(&entry->asked[backing], shape->asked);
    result = snceHeap_Take(region, TablePages(shape),
                           snceDirectory_Load(&other->table), &range);
    if (result != SNCE_OK) {
        return result;
    }
    snceDirectory_Store(&words->table, range);
    snceDirectory_Store(&words->size, SizeOf(shape, range));
    SNCE_STEP("backing-named");
    result = snceRegion_MapRange(region, snceRange_Offset(range),
                                 TablePages(shape) * SNCE_PAGE);
    if (result != SNCE_OK) {
        snceShape_Vacate(region, number, backing);
        return result;
    }
    snceDirectory_Store(&entry->liveFrom[snceRange_Side(range)],
                        Counted(region, number, SNCE_N_LIVE, range));
    snceDirectory_Store(
        &entry->grown[backing],
        shape->store ? snceDirectory_Load(&entry->grown[!backing]) : 0);
    if (shape->store) {
        snceDirectory_Store(&words->store, shape->store);
        return SNCE_OK;
    }
    result = snceHeap_Take(region, StorePages(shape),
                           snceDirectory_Load(&other->store), &range);
    if (result != SNCE_OK) {
        snceShape_Vacate(region, number, backing);
        return result;
    }
    snceDirectory_Store(&words->store, range);
    snceDirectory_Store(&entry->storedFrom[snceRange_Side(range)],
                        Counted(region, number, SNCE_N_STORED, range));
    result = PrepareStore(region, number, backing);
    if (result != SNCE_OK) {
        snceShape_Vacate(region, number, backing);
    }
    return result;
}

/* Gives back the certificate store of a backing store: its cells, then its
 * range. */
static void
DropStore(const snceRegion *region, uint32_t number, unsigned backing)
{
    const snceServerWords *entry = snceRegion_Server(region, number);
    snceBlob store;

    if (OpenStore(&store, region, number, backing) == SNCE_OK) {
        snceBlob_Discard(&store);
    }
    snceHeap_Drop(region, snceDirectory_Load(&entry->backing[backing].store),
                  snceWord_Low(snceDirectory_Load(&entry->pages[backing])));
}

void
snceShape_Vacate(const snceRegion *region, uint32_t number, unsigned backing)
{
    snceServerWords *entry = snceRegion_Server(region, number);
    snceBackingWords *words = &entry->backing[backing];

    /* Give the memory back first, then take the range out of the directory. If
     * the process dies in between, the next change gives it back again, which
     * is harmless: nobody else can have got the range. */
    snceHeap_Drop(region, snceDirectory_Load(&words->table),
                  snceWord_High(snceDirectory_Load(&entry->pages[backing])));
    SNCE_STEP("vacate-backing");
    snceDirectory_Store(&words->table, 0);
    if (snceDirectory_Load(&words->store) !=
        snceDirectory_Load(&entry->backing[!backing].store)) {
        DropStore(region, number, backing);
    }
    snceDirectory_Store(&words->store, 0);
}

/* Maps what a backing store has, up to |*left| bytes in all, and subtracts that
 * from |*left|. */
static snceResult
MapBacking(const snceRegion *region, uint32_t number, unsigned backing,
           uint64_t *left)
{
    const snceServerWords *entry = snceRegion_Server(region, number);
    uint64_t table = snceDirectory_Load(&entry->backing[backing].table);
    uint64_t offset = snceRange_Offset(table);
    uint64_t bytes =
        snceWord_High(snceDirectory_Load(&entry->pages[backing])) * SNCE_PAGE;
    snceResult result = SNCE_OK;
    uint64_t store = snceDirectory_Load(&entry->backing[backing].store);
    uint64_t other = snceDirectory_Load(&entry->backing[!backing].store);
    snceBlob blob;

    if (table && snceRegion_Bound(region, offset, bytes) == SNCE_OK) {
        if (bytes > *left) {
            *left = 0;
            return SNCE_OK;
        }
        *left -= bytes;
        result = snceRegion_MapRange(region, offset, bytes);
    }
    /* While a cache moves both backing stores may have the same store. */
    if (result == SNCE_OK && store && (backing == 0 || store != other) &&
        OpenStore(&blob, region, number, backing) == SNCE_OK) {
        result = snceBlob_Map(&blob, left);
    }
    return result;
}

/* Maps the cells of the key log, up to the last one that is taken, and the ticket
 * keys, in whose chunk the filters for early data lie. */
static snceResult
MapKeys(const snceRegion *region)
{
    const snceKeyLog *keys = snceRegion_KeyLog(region);
    uint64_t cells = SNCE_KEY_CELLS;
    snceResult result;

    while (cells > 1 && snceDirectory_Load(&keys->taken[cells - 1]) == 0) {
        cells--;
    }
    result = snceRegion_MapRange(region, SNCE_AT_KEY_CELLS,
                                 cells * sizeof(snceKeyCell));
    return result == SNCE_OK ? snceRegion_MapRange(region, SNCE_AT_TICKET_KEYS,
                                                   sizeof(snceTicketSlots))
                             : result;
}

snceResult
snceShape_MapAll(const snceRegion *region)
{
    uint32_t servers = atomic_load_explicit(&snceRegion_Header(region)->servers,
                                            memory_order_relaxed);
    /* Ranges do not overlap, so all of them together are no larger than the
     * file. If the directory says otherwise, it is being changed or damaged;
     * what is not mapped here is mapped when it is needed. */
    uint64_t left = snceRegion_Bytes(region);
    snceResult result = MapKeys(region);

    for (uint32_t i = 0; i < servers && i < SNCE_SERVERS && left; i++) {
        if (result == SNCE_OK &&
            snceState_Phase(snceDirectory_Load(
                &snceRegion_Server(region, i)->state)) != SNCE_SERVER_FREE) {
            result = snceRegion_MapRange(region, snceRegion_CountersOffset(i),
                                         sizeof(snceCounters));
        }
        for (unsigned backing = 0; backing < 2 && result == SNCE_OK && left;
             backing++) {
            result = MapBacking(region, i, backing, &left);
        }
    }
    return result;
}
