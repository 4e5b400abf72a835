/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

/* A live cache is changed: snceCache_Configure, snceCache_Flush and
 * snceCache_RefuseTickets. */
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
    sncePosition position;

    snceWalk_Begin(&walk, table);
    while (snceWalk_Next(&walk, &position, words)) {
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

/* How many cells a store needs that is to have |cells| and to keep what it has: with a
 * quarter of its cells used, no set of sixteen overflows. */
static uint64_t
CellsForAll(const snceView *view, uint64_t cells)
{
    const snceServerWords *entry =
        snceRegion_Server(view->region, view->id.number);
    uint64_t now = snceSize_Cells(view->now.table.size);
    uint64_t stored =
        snceCount_Since(view->region, view->id.number, SNCE_N_STORED,
                        view->now.store, entry->storedFrom);

    if (stored > 2 * now) { /* below zero, or nonsense */
        stored = now;
    }
    cells = snceRough_Up(Larger(cells, 2 * stored));
    return Larger(now, cells < SNCE_CELLS_MAX ? cells : SNCE_CELLS_MAX);
}

/* The shape that |options| ask of a cache that was asked to have |before|:
 *
 *   entries       pages of its table
 *   fewer         as many as that takes; what does not fit is evicted
 *   as many, more also as many as it has, and room for what it holds, so that nothing
 *                 is lost: PagesFor keeps 99.8 % of a full cache, and with a quarter
 *                 to spare everything
 *   certificates  cells of its store
 *   fewer         as many as that takes
 *   as many       as it has
 *   more          also as many as it has, and room for what it holds
 */
static snceShape
ShapeFor(const snceView *view, const snceCacheOptions *options,
         const snceCacheOptions *before)
{
    snceShape shape = snceShape_Of(options);
    uint64_t cellsBefore = snceShape_Of(before).cells;
    uint64_t live = Live(&view->now.table);

    if (options->entries >= before->entries) {
        shape.pages = Larger(shape.pages, snceTable_PagesFor(live + live / 4));
        shape.pages = Larger(shape.pages, view->now.table.pages);
    }
    shape.used = snceTable_UsedFor(live, shape.pages);
    if (shape.cells > cellsBefore) {
        shape.cells = CellsForAll(view, shape.cells);
    } else if (shape.cells == cellsBefore) {
        shape.cells = snceSize_Cells(view->now.table.size);
    }
    if (shape.cells == snceSize_Cells(view->now.table.size)) {
        shape.store = view->now.store;
    }
    return shape;
}

/* Begins to move the sessions of a cache to a backing store of another shape, and
 * moves them. */
static snceResult
Move(const snceView *view, snceRegion *region, snceServerWords *entry,
     snceShape *shape)
{
    unsigned backing = snceState_Backing(view->state);
    snceResult result;

    snceChange_Mark(region, view->id.number);
    result = snceShape_Furnish(region, view->id.number, !backing, shape);
    if (result != SNCE_OK) {
        return result;
    }
    SNCE_STEP("move-furnished");
    snceDirectory_Commit(entry,
                         snceState_Next(view->state ^ SNCE_SERVER_BACKING,
                                        SNCE_SERVER_MOVING, 0));
    SNCE_STEP("move-began");
    return snceMove_Finish(region, view->id.number);
}

/* Gives the server the shape that |options| ask for. */
static snceResult
Reshape(const snceView *view, snceRegion *region,
        const snceCacheOptions *options)
{
    snceServerWords *entry = snceRegion_Server(region, view->id.number);
    snceWord *word = &entry->asked[snceState_Backing(view->state)];
    uint64_t asked = atomic_load_explicit(word, memory_order_relaxed);
    const snceCacheOptions before = { .entries = snceWord_High(asked),
                                      .certificates = snceWord_Low(asked) };
    snceShape shape;

    if (snceShape_Of(options).asked == asked) {
        return SNCE_OK;
    }
    shape = ShapeFor(view, options, &before);
    if (shape.pages == view->now.table.pages &&
        shape.cells == snceSize_Cells(view->now.table.size)) {
        /* It has that shape already: only the request is noted. */
        atomic_store_explicit(word, shape.asked, memory_order_release);
        return SNCE_OK;
    }
    return Move(view, region, entry, &shape);
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
        flags = (flags & ~SNCE_SERVER_CLOSED) |
                (unsigned)(view.state & SNCE_SERVER_CLOSED);
    }
    if (flags != (view.state & SNCE_SERVER_FLAGS)) {
        view.state =
            snceState_Next(view.state, flags, SNCE_SERVER_FLAGS & ~flags);
        snceDirectory_Commit(entry, view.state);
        SNCE_STEP("change-flagged");
    }
    result = Reshape(&view, cache.region, options);
    snceChange_End(cache.region);
    return result;
}

snceResult
snceCache_RefuseTickets(snceCache cache, snceTime until)
{
    snceWord *refused;
    snceResult result;
    snceView view;

    result = Begin(&view, cache);
    if (result != SNCE_OK) {
        return result;
    }
    refused = &snceRegion_Server(cache.region, cache.id.number)->refused;
    if (until.usec >
        (int64_t)atomic_load_explicit(refused, memory_order_relaxed)) {
        /* Release: pairs with the acquire load in snceCache_GetOptions. */
        atomic_store_explicit(refused, (uint64_t)until.usec,
                              memory_order_release);
    }
    snceChange_End(cache.region);
    return SNCE_OK;
}

snceResult
snceCache_Flush(snceCache cache)
{
    uint32_t number = cache.id.number;
    snceServerWords *entry;
    snceResult result;
    snceShape shape = { 0 };
    snceView view;
    unsigned backing;

    result = Begin(&view, cache);
    if (result != SNCE_OK) {
        return result;
    }
    entry = snceRegion_Server(cache.region, number);
    backing = snceState_Backing(view.state);
    shape.pages = view.now.table.pages;
    shape.used = snceSize_First(shape.pages);
    shape.cells = snceSize_Cells(view.now.table.size);
    shape.asked =
        atomic_load_explicit(&entry->asked[backing], memory_order_relaxed);
    /* First, so that tickets end even if there is no room for an empty cache.
     * Release: pairs with the acquire load in snceCache_GetOptions. */
    (void)atomic_fetch_add_explicit(&entry->flushes, 1, memory_order_release);
    snceChange_Mark(cache.region, number);
    result = snceShape_Furnish(cache.region, number, !backing, &shape);
    if (result != SNCE_OK) {
        goto done;
    }
    SNCE_STEP("flush-furnished");
    snceDirectory_Commit(
        entry, snceState_Next(view.state ^ SNCE_SERVER_BACKING, 0, 0));
    SNCE_STEP("flush-switched");
    snceShape_Vacate(cache.region, number, backing);

done:
    snceChange_End(cache.region);
    return result;
}
