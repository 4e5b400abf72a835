/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "sncemove.h"

#include <stdlib.h>
#include <string.h>

#include "sncecarry.h"
#include "sncecut.h"
#include "sncedirectory.h"
#include "sncefind.h"
#include "snceshape.h"
#include "sncesplit.h"
#include "sncestep.h"
#include "snceview.h"
#include "sncewalk.h"

/* Tries to carry one entry. Each failure means that another process stored
 * something in the same sets. */
#define CARRY_TRIES 64

typedef struct {
    snceView view;
    snceCarry carry; /* from the view's old backing store to its new one */
} mover;

/* Carries one entry over to the new backing store. */
static void
Carry(const mover *m, const sncePosition *from,
      const uint64_t words[SNCE_ENTRY_WORDS])
{
    uint64_t copy[SNCE_ENTRY_WORDS];
    snceResult result = SNCE_DROPPED;
    snceLookupKey lookupKey;
    sncePosition to;

    snceCarry_LookupKey(&lookupKey, m->view.region, words);
    if (!snceTable_IsLookedAt(&m->view.old.table, lookupKey.hash, from->set)) {
        /* An insert stored the entry where no lookup looks, and its process
         * died before it took the entry back. The session may have been removed
         * since, so it is not carried. */
        if (snceTable_Take(&m->view.old.table, from)) {
            snceBacking_Gone((void *)&m->view.old, words);
        }
        return;
    }
    for (unsigned try = 0;
         result == SNCE_DROPPED && try < CARRY_TRIES &&
         snceSlot_Unchanged(&from->set->version[from->way], from->seen);
         try++) {
        memcpy(copy, words, sizeof(copy));
        result = snceCarry_Copy(&m->carry, &lookupKey, from, copy, &to);
    }
    SNCE_STEP("move-copied");
    if (snceTable_Take(&m->view.old.table, from)) {
        snceBacking_Gone((void *)&m->view.old, words);
    } else if (result == SNCE_OK && snceTable_Take(&m->view.now.table, &to)) {
        /* The old entry was removed or replaced meanwhile, so its copy must not
         * stay. */
        snceBacking_Gone((void *)&m->view.now, copy);
    }
    explicit_bzero(copy, sizeof(copy));
}

/* Returns for how many entries of the old backing store the new one has room:
 * for all, if its table is as large or larger. */
static uint64_t
RoomFor(const snceView *view)
{
    const snceServerWords *entry =
        snceRegion_Server(view->region, view->id.number);
    uint64_t entries = snceWord_High(atomic_load_explicit(
        &entry->asked[snceState_Backing(view->state)], memory_order_relaxed));
    uint64_t words[SNCE_ENTRY_WORDS], copy[SNCE_ENTRY_WORDS];
    snceWalk walk;
    sncePosition position, other;

    if (view->now.table.pages >= view->old.table.pages) {
        return UINT64_MAX;
    }
    /* Entries that are in the new table already, new ones and those that a
     * process carried before it died, take room. An entry that this process had
     * copied but not yet taken out of the old table is still to be carried, so
     * it does not count. */
    snceWalk_Begin(&walk, &view->now.table);
    while (entries > 0 && snceWalk_Next(&walk, &position, words)) {
        bool otherAddress;
        snceLookupKey lookupKey;

        snceCarry_LookupKey(&lookupKey, view->region, words);
        if (snceTable_Find(&view->old.table, &lookupKey, copy, &other,
                           &otherAddress) != SNCE_OK) {
            entries--;
        }
    }
    explicit_bzero(words, sizeof(words));
    explicit_bzero(copy, sizeof(copy));
    return entries;
}

static snceResult
CarryAll(const mover *m)
{
    const snceTable *old = &m->view.old.table;
    uint64_t words[SNCE_ENTRY_WORDS];
    snceCut cut = { INT64_MIN, UINT64_MAX };
    uint64_t room = RoomFor(&m->view);
    sncePosition position;

    if (room != UINT64_MAX && snceCut_Find(&cut, old, room) != SNCE_OK) {
        return SNCE_NO_MEMORY;
    }
    /* Carries one entry of each set, then the second of each set, and so on.
     * The sets of two tables follow each other in the same order, so going set
     * by set would fill the new table from its beginning, and not evenly: a
     * cache that shrinks from 4,000 to 1,000 would keep 987 sessions. In this
     * order it keeps all 1,000. */
    for (unsigned way = 0; way < SNCE_WAYS; way++) {
        snceWalk walk;

        snceWalk_BeginWay(&walk, old, way);
        while (snceWalk_Next(&walk, &position, words)) {
            if (snceCut_Keeps(&cut, words)) {
                Carry(m, &position, words);
            } else if (snceTable_Take(old, &position)) {
                snceBacking_Gone((void *)&m->view.old, words);
            }
        }
    }
    explicit_bzero(words, sizeof(words));
    return SNCE_OK;
}

static snceResult
MapBacking(const snceBacking *backing)
{
    const snceTable *table = &backing->table;
    uint64_t left = snceRegion_Bytes(table->region);
    snceBlob store;
    snceResult result = snceRegion_MapRange(table->region, table->offset,
                                            snceTable_Bytes(table->pages));

    if (result != SNCE_OK) {
        return result;
    }
    result = snceBacking_Store(&store, backing);
    if (result == SNCE_OK) {
        result = snceBlob_Map(&store, &left);
    }
    /* Without its store sessions that have no certificate can still be
     * carried. */
    return result == SNCE_CORRUPT ? SNCE_OK : result;
}

/* Maps both backing stores with their certificates: a session would be lost if
 * this process could not reach it or its certificate. */
static snceResult
MapBackings(const snceView *view)
{
    snceResult result = MapBacking(&view->old);

    return result == SNCE_OK ? MapBacking(&view->now) : result;
}

snceResult
snceMove_Finish(snceRegion *region, uint32_t number)
{
    snceServerWords *entry = snceRegion_Server(region, number);
    snceState state = atomic_load_explicit(&entry->state, memory_order_relaxed);
    const snceLocalId id = { number, snceState_Generation(state) };
    mover m = { 0 };
    snceResult opened = snceView_Open(&m.view, region, id);
    snceResult result = SNCE_OK;

    if (opened == SNCE_NO_MEMORY) {
        return opened;
    }
    /* The entries are carried at the beginning of time: nothing has expired by
     * then, so the clocks of sockets do not matter here. A backing store that
     * fails its checks is given up: nothing is carried from it. */
    if (opened == SNCE_OK && m.view.moving) {
        result = MapBackings(&m.view);
        if (result != SNCE_OK) {
            return result;
        }
        m.carry.old = &m.view.old;
        m.carry.now = &m.view.now;
        m.carry.rule = snceView_Rule(&m.view, (snceTime){ INT64_MIN });
        if (m.view.old.store != m.view.now.store) {
            m.carry.der = malloc(SNCE_CERTIFICATE_MAX);
            if (!m.carry.der) {
                return SNCE_NO_MEMORY;
            }
        }
        snceSplit_Freeze(&m.view.old, &m.carry.rule);
        SNCE_STEP("move-frozen");
        result = CarryAll(&m);
        if (m.carry.der) {
            explicit_bzero(m.carry.der, SNCE_CERTIFICATE_MAX);
            free(m.carry.der);
        }
    }
    if (result != SNCE_OK) {
        return result;
    }
    SNCE_STEP("move-carried");
    snceDirectory_Commit(entry, snceState_Next(state, 0, SNCE_SERVER_MOVING));
    SNCE_STEP("move-ended");
    /* A session that a slow writer still stores in the old backing store is
     * lost. The writer notices that the server has moved (snceView_Moved). */
    snceShape_Vacate(region, number, !snceState_Backing(state));
    return SNCE_OK;
}
