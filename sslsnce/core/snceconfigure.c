/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* A live cache is changed: what snce.h says of snceCache_Configure and
 * snceCache_Flush. */
#include <string.h>

#include "sncechange.h"
#include "sncecount.h"
#include "sncedirectory.h"
#include "sncemove.h"
#include "snceoptions.h"
#include "snceshape.h"
#include "sncestep.h"
#include "snceview.h"
#include "sncewalk.h"

/* How many entries a table has. */
static uint64_t
Live(const snceTable *table)
{
    uint64_t words[SNCE_ENTRY_WORDS];
    uint64_t live = 0;
    snceWalk walk;
    snceSpot spot;

    snceWalk_Begin(&walk, table);
    while (snceWalk_Next(&walk, &spot, words)) {
        live++;
    }
    explicit_bzero(words, sizeof(words));
    return live;
}

static uint64_t
Larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* How many cells a store for more certificates needs, likewise: with a quarter
 * of its cells used, no set of sixteen overflows. */
static uint64_t
CellsForAll(const snceView *view, uint64_t cells)
{
    const snceServerWords *entry =
        snceRegion_Server(view->region, view->id.number);
    unsigned side = snceRange_Side(view->now.store);
    uint64_t now = snceSize_Cells(view->now.table.size);
    uint64_t stored =
        snceCount_Sum(view->region, view->id.number, SNCE_N_STORED + side) -
        atomic_load_explicit(&entry->storedFrom[side], memory_order_relaxed);

    if (stored > 2 * now) { /* below zero, or nonsense */
        stored = now;
    }
    cells = snceRough_Up(Larger(cells, 2 * stored));
    return cells < SNCE_CELLS_MAX ? cells : SNCE_CELLS_MAX;
}

/* Gives the server the shape that |options| ask for. */
static snceResult
Reshape(const snceView *view, snceRegion *region,
        const snceCacheOptions *options)
{
    uint32_t number = view->id.number;
    snceServerWords *entry = snceRegion_Server(region, number);
    unsigned home = snceLife_Home(view->life);
    uint64_t asked =
        atomic_load_explicit(&entry->asked[home], memory_order_relaxed);
    snceShape shape = snceShape_Of(options);
    const snceCacheOptions before = { .entries = snceWord_High(asked),
                                      .certificates = snceWord_Low(asked) };
    uint64_t cellsBefore = snceShape_Of(&before).cells;
    uint64_t cells = snceSize_Cells(view->now.table.size);
    uint64_t live;
    snceResult result;

    if (shape.asked == asked) {
        return SNCE_OK;
    }
    live = Live(&view->now.table);
    if (options->entries >= before.entries) {
        /* Nothing is lost: PagesFor keeps 99.8 % of a full cache; with a quarter
         * to spare, everything finds room. */
        shape.pages = Larger(shape.pages, snceTable_PagesFor(live + live / 4));
        shape.pages = Larger(shape.pages, view->now.table.pages);
    }
    shape.used = snceTable_UsedFor(live, shape.pages);
    if (shape.cells > cellsBefore) {
        shape.cells = Larger(CellsForAll(view, shape.cells), cells);
    } else if (shape.cells == cellsBefore) {
        shape.cells = cells;
    }
    if (shape.cells == cells) {
        shape.store = view->now.store;
        if (shape.pages == view->now.table.pages) {
            atomic_store_explicit(&entry->asked[home], shape.asked,
                                  memory_order_release);
            return SNCE_OK;
        }
    }
    snceChange_Mark(region, number);
    result = snceShape_Furnish(region, number, !home, &shape);
    if (result != SNCE_OK) {
        return result;
    }
    SNCE_STEP("move-furnished");
    snceDirectory_Commit(
        entry, snceLife_Next(view->life ^ SNCE_LIFE_HOME, SNCE_LIFE_MOVING, 0));
    SNCE_STEP("move-began");
    return snceMove_Finish(region, number);
}

/* Begins a change of |cache|, as it is now in |*view|. On SNCE_OK the caller ends with
 * snceChange_End. */
static snceResult
Begin(snceView *view, snceCache cache)
{
    snceResult result = snceChange_Begin(cache.region);

    if (result != SNCE_OK) {
        return result;
    }
    result = snceView_Open(view, cache.region, cache.id);
    if (result != SNCE_OK) {
        snceChange_End(cache.region);
    }
    return result;
}

snceResult
snceCache_Configure(snceCache cache, const snceCacheOptions *options)
{
    snceResult result = snceOptions_Check(options);
    snceServerWords *entry;
    unsigned flags;
    snceView view;

    if (result != SNCE_OK) {
        return result;
    }
    result = Begin(&view, cache);
    if (result != SNCE_OK) {
        return result;
    }
    entry = snceRegion_Server(cache.region, cache.id.number);
    snceOptions_Retime(entry, options);
    flags = snceOptions_Flags(options);
    if (options->keepClosed) {
        flags = (flags & ~SNCE_LIFE_CLOSED) |
                (unsigned)(view.life & SNCE_LIFE_CLOSED);
    }
    if (flags != (view.life & SNCE_LIFE_FLAGS)) {
        view.life = snceLife_Next(view.life, flags, SNCE_LIFE_FLAGS & ~flags);
        snceDirectory_Commit(entry, view.life);
        SNCE_STEP("change-flagged");
    }
    result = Reshape(&view, cache.region, options);
    snceChange_End(cache.region);
    return result;
}

snceResult
snceCache_Flush(snceCache cache)
{
    uint32_t number = cache.id.number;
    snceServerWords *entry;
    snceResult result;
    snceShape shape = { 0 };
    snceView view;
    unsigned home;

    result = Begin(&view, cache);
    if (result != SNCE_OK) {
        return result;
    }
    entry = snceRegion_Server(cache.region, number);
    home = snceLife_Home(view.life);
    shape.pages = view.now.table.pages;
    shape.used = snceSize_First(shape.pages);
    shape.cells = snceSize_Cells(view.now.table.size);
    shape.asked =
        atomic_load_explicit(&entry->asked[home], memory_order_relaxed);
    snceChange_Mark(cache.region, number);
    result = snceShape_Furnish(cache.region, number, !home, &shape);
    if (result != SNCE_OK) {
        goto done;
    }
    SNCE_STEP("flush-furnished");
    snceDirectory_Commit(entry,
                         snceLife_Next(view.life ^ SNCE_LIFE_HOME, 0, 0));
    SNCE_STEP("flush-switched");
    snceShape_Vacate(cache.region, number, home);

done:
    snceChange_End(cache.region);
    return result;
}
