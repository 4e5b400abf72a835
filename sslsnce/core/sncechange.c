/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "sncechange.h"

#include <string.h>

#include "snceblob.h"
#include "sncecount.h"
#include "snceheap.h"
#include "sncelock.h"
#include "sncemove.h"
#include "sncename.h"
#include "snceview.h"

/* One certificate for each session, up to this many. */
#define CERTIFICATES_MAX 1000000

#define TIMEOUT_MAX_SEC (100u * 365 * 86400)

/* ---- options ------------------------------------------------------------- */

snceResult
snceChange_CheckOptions(const snceCacheOptions *options)
{
    if (options->entries == 0 || options->entries > SNCE_ENTRIES_MAX ||
        options->certificates > SNCE_ENTRIES_MAX ||
        options->timeoutSec[SNCE_CLASS_SSL2] > TIMEOUT_MAX_SEC ||
        options->timeoutSec[SNCE_CLASS_SSL3] > TIMEOUT_MAX_SEC ||
        options->clockSkewSec > SNCE_CLOCK_SKEW_MAX) {
        return SNCE_INVALID;
    }
    return SNCE_OK;
}

unsigned
snceChange_Flags(const snceCacheOptions *options)
{
    return (options->matchAddress ? SNCE_LIFE_ADDRESS : 0) |
           (options->unlisted ? SNCE_LIFE_UNLISTED : 0) |
           (options->closed ? SNCE_LIFE_CLOSED : 0);
}

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

/* ---- words --------------------------------------------------------------- */

static uint64_t
Load(const snceWord *word)
{
    /* Relaxed: only the holder of the turn writes these. */
    return atomic_load_explicit(word, memory_order_relaxed);
}

/* Release: pairs with the loads in snceView_Open, which, if one of them sees
 * this, find that the life word is another; and keeps the stores in the order
 * in which a death may come between them. */
static void
Store(snceWord *word, uint64_t value)
{
    atomic_store_explicit(word, value, memory_order_release);
}

void
snceChange_Commit(snceServerWords *entry, snceLife life)
{
    /* Sequentially consistent: pairs with the loads in snceView_Open and
     * snceView_Moved. What was stored before it is seen by whoever sees it. */
    atomic_store_explicit(&entry->life, life, memory_order_seq_cst);
}

void
snceChange_Retime(snceServerWords *entry, const snceCacheOptions *options)
{
    atomic_store_explicit(&entry->clockSkewSec, options->clockSkewSec,
                          memory_order_release);
    for (unsigned i = 0; i < SNCE_CLASSES; i++) {
        atomic_store_explicit(&entry->timeoutSec[i], options->timeoutSec[i],
                              memory_order_release);
        SNCE_STEP("change-retimed");
    }
}

/* ---- homes --------------------------------------------------------------- */

/* What was counted on a range's side so far. Nothing was for a new server,
 * whose counters nobody has touched. */
static uint64_t
Counted(const snceRegion *region, uint32_t number, unsigned figure,
        uint64_t range)
{
    snceLife life = Load(&snceRegion_Server(region, number)->life);

    return snceLife_State(life) == SNCE_LIFE_FREE
               ? 0
               : snceCount_Sum(region, number, figure + snceRange_Side(range));
}

snceResult
snceChange_Furnish(snceRegion *region, uint32_t number, unsigned home,
                   const snceShape *shape)
{
    snceServerWords *entry = snceRegion_Server(region, number);
    snceHomeWords *words = &entry->home[home];
    const snceHomeWords *other = &entry->home[!home];
    uint64_t range;

    /* A range's word comes after its size, so that it can be given back. */
    Store(&words->shape, snceWord_Pair(shape->sets, shape->cells));
    Store(&entry->pages[home],
          snceWord_Pair(TablePages(shape), StorePages(shape)));
    Store(&entry->asked[home], shape->asked);
    range = snceHeap_Take(region, TablePages(shape), Load(&other->table));
    if (!range) {
        return SNCE_NO_MEMORY;
    }
    Store(&words->table, range);
    SNCE_STEP("home-named");
    Store(&entry->liveFrom[snceRange_Side(range)],
          Counted(region, number, SNCE_N_LIVE, range));
    if (shape->store) {
        Store(&words->store, shape->store);
        return SNCE_OK;
    }
    range = snceHeap_Take(region, StorePages(shape), Load(&other->store));
    if (!range) {
        snceChange_Vacate(region, number, home);
        return SNCE_NO_MEMORY;
    }
    Store(&words->store, range);
    Store(&entry->storedFrom[snceRange_Side(range)],
          Counted(region, number, SNCE_N_STORED, range));
    return SNCE_OK;
}

void
snceChange_Vacate(const snceRegion *region, uint32_t number, unsigned home)
{
    snceServerWords *entry = snceRegion_Server(region, number);
    snceHomeWords *words = &entry->home[home];
    uint64_t pages = Load(&entry->pages[home]);
    uint64_t store = Load(&words->store);

    /* Emptied first, then out of the directory: a death in between does it
     * twice, which is harmless as long as nobody else got the range. */
    snceHeap_Drop(region, Load(&words->table), snceWord_High(pages));
    SNCE_STEP("vacate-home");
    Store(&words->table, 0);
    if (store != Load(&entry->home[!home].store)) {
        snceHeap_Drop(region, store, snceWord_Low(pages));
    }
    Store(&words->store, 0);
}

/* ---- beginning and end --------------------------------------------------- */

void
snceChange_Bury(const snceRegion *region, uint32_t number)
{
    snceServerWords *entry = snceRegion_Server(region, number);

    snceName_Leave(region, number);
    SNCE_STEP("remove-forgotten");
    snceChange_Vacate(region, number, 0);
    snceChange_Vacate(region, number, 1);
    (void)snceRegion_Discard(region, snceRegion_CountersOffset(number),
                             sizeof(snceCounters));
    SNCE_STEP("remove-emptied");
    snceChange_Commit(entry, snceLife_Next(Load(&entry->life), SNCE_LIFE_FREE,
                                           SNCE_LIFE_STATE_MASK));
}

/* Ends what the process that died changing |number| began. */
static snceResult
Repair(snceRegion *region, uint32_t number)
{
    snceServerWords *entry = snceRegion_Server(region, number);
    snceLife life = Load(&entry->life);

    switch (snceLife_State(life)) {
        case SNCE_LIFE_LIVE:
            if (life & SNCE_LIFE_MOVING) {
                return snceMove_Finish(region, number);
            }
            snceChange_Vacate(region, number, !snceLife_Home(life));
            return SNCE_OK;
        case SNCE_LIFE_LEAVING:
            snceChange_Bury(region, number);
            return SNCE_OK;
        default: /* it was to be added */
            snceChange_Vacate(region, number, 0);
            snceChange_Vacate(region, number, 1);
            snceName_Tidy(region);
            return SNCE_OK;
    }
}

snceResult
snceChange_Begin(snceRegion *region)
{
    snceHeader *header = snceRegion_Header(region);
    snceResult result = snceLock_Take(region);
    uint64_t mark;

    if (result != SNCE_OK) {
        return result;
    }
    SNCE_STEP("change-began");
    mark = Load(&header->change);
    if (mark > 0 && mark <= SNCE_SERVERS) {
        result = Repair(region, (uint32_t)mark - 1);
        SNCE_STEP("change-repaired");
    }
    if (result != SNCE_OK) {
        snceLock_Give(region);
        return result;
    }
    Store(&header->change, 0);
    return SNCE_OK;
}

void
snceChange_Mark(const snceRegion *region, uint32_t number)
{
    Store(&snceRegion_Header(region)->change, (uint64_t)number + 1);
}

/* Wipes the stack below: a change has copied entries there, and compilers keep
 * parts of a copy where nobody can wipe them one by one. A change goes about
 * 2 KiB deep. */
static __attribute__((noinline)) void
WipeStack(void)
{
    uint8_t below[2 * SNCE_PAGE];

    explicit_bzero(below, sizeof(below));
}

void
snceChange_End(snceRegion *region)
{
    snceHeader *header = snceRegion_Header(region);
    uint64_t mark = Load(&header->change);

    /* For want of memory a cache may be left on its way: then the mark stays,
     * and the next change goes on with it. */
    if (mark == 0 || mark > SNCE_SERVERS ||
        !(Load(&snceRegion_Server(region, (uint32_t)mark - 1)->life) &
          SNCE_LIFE_MOVING)) {
        Store(&header->change, 0);
    }
    snceHeap_Sweep(region);
    SNCE_STEP("change-ended");
    snceLock_Give(region);
    WipeStack();
}
