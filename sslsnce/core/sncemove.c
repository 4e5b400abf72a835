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

/* Tries at carrying one entry. Each failure means that another process stored
 * something in the same sets. */
#define CARRY_TRIES 64

typedef struct {
    snceView view;
    snceCarry carry; /* from its old home to its new one */
} mover;

/* Carries one entry over. */
static void
Carry(const mover *m, const snceSpot *from,
      const uint64_t words[SNCE_ENTRY_WORDS])
{
    uint64_t copy[SNCE_ENTRY_WORDS];
    snceResult result = SNCE_DROPPED;
    snceProbe probe;
    snceSpot to;

    snceCarry_Probe(&probe, m->view.region, words);
    if (!snceTable_IsLookedAt(&m->view.old.table, probe.hash, from->set)) {
        /* A writer died before it took this back: it may have been removed since. */
        if (snceTable_Take(&m->view.old.table, from)) {
            snceHome_Gone((void *)&m->view.old, words);
        }
        return;
    }
    for (unsigned try = 0;
         result == SNCE_DROPPED && try < CARRY_TRIES &&
         snceSlot_Unchanged(&from->set->version[from->way], from->seen);
         try++) {
        memcpy(copy, words, sizeof(copy));
        result = snceCarry_Copy(&m->carry, &probe, from, copy, &to);
    }
    SNCE_STEP("move-copied");
    if (snceTable_Take(&m->view.old.table, from)) {
        snceHome_Gone((void *)&m->view.old, words);
    } else if (result == SNCE_OK && snceTable_Take(&m->view.now.table, &to)) {
        /* The old one was removed or replaced since; its copy must not stay.
         */
        snceHome_Gone((void *)&m->view.now, copy);
    }
    explicit_bzero(copy, sizeof(copy));
}

/* How many of the old home's entries the new one has room for. A larger table,
 * or an equal one, has room for all. */
static uint64_t
RoomFor(const snceView *view)
{
    const snceServerWords *entry =
        snceRegion_Server(view->region, view->id.number);
    uint64_t entries = snceWord_High(atomic_load_explicit(
        &entry->asked[snceLife_Home(view->life)], memory_order_relaxed));
    uint64_t words[SNCE_ENTRY_WORDS], copy[SNCE_ENTRY_WORDS];
    snceWalk walk;
    snceSpot spot, other;

    if (view->now.table.pages >= view->old.table.pages) {
        return UINT64_MAX;
    }
    /* Less those that a process which died has carried, and new ones; but not
     * the one that it had copied and not yet taken out, which is still to be
     * carried. */
    snceWalk_Begin(&walk, &view->now.table);
    while (entries > 0 && snceWalk_Next(&walk, &spot, words)) {
        bool otherAddress;
        snceProbe probe;

        snceCarry_Probe(&probe, view->region, words);
        if (snceTable_Find(&view->old.table, &probe, copy, &other,
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
    snceSpot spot;

    if (room != UINT64_MAX && snceCut_Find(&cut, old, room) != SNCE_OK) {
        return SNCE_NO_MEMORY;
    }
    /* One of each set, then the second of each: the sets of a table follow
     * each other as those of another do, and one after the other would fill
     * the new table from its beginning, and not evenly. A cache that shrinks
     * from 4,000 to 1,000 then keeps 987 of them; so it keeps all. */
    for (unsigned way = 0; way < SNCE_WAYS; way++) {
        snceWalk walk;

        snceWalk_BeginWay(&walk, old, way);
        while (snceWalk_Next(&walk, &spot, words)) {
            if (snceCut_Keeps(&cut, words)) {
                Carry(m, &spot, words);
            } else if (snceTable_Take(old, &spot)) {
                snceHome_Gone((void *)&m->view.old, words);
            }
        }
    }
    explicit_bzero(words, sizeof(words));
    return SNCE_OK;
}

static snceResult
MapHome(const snceHome *home)
{
    const snceTable *table = &home->table;
    uint64_t left = snceRegion_Bytes(table->region);
    snceBlob store;
    snceResult result = snceRegion_MapRange(table->region, table->offset,
                                            snceTable_Bytes(table->pages));

    if (result != SNCE_OK) {
        return result;
    }
    result = snceHome_Store(&store, home);
    if (result == SNCE_OK) {
        result = snceBlob_Map(&store, &left);
    }
    /* Sessions without certificates need no store. */
    return result == SNCE_CORRUPT ? SNCE_OK : result;
}

/* Maps both homes: a session that this process cannot reach would be lost, and one
 * whose certificate it cannot reach. */
static snceResult
MapHomes(const snceView *view)
{
    snceResult result = MapHome(&view->old);

    return result == SNCE_OK ? MapHome(&view->now) : result;
}

snceResult
snceMove_Finish(snceRegion *region, uint32_t number)
{
    snceServerWords *entry = snceRegion_Server(region, number);
    snceLife life = atomic_load_explicit(&entry->life, memory_order_relaxed);
    const snceLocalId id = { number, snceLife_Generation(life) };
    mover m = { 0 };
    snceResult opened = snceView_Open(&m.view, region, id);
    snceResult result = SNCE_OK;

    if (opened == SNCE_NO_MEMORY) {
        return opened;
    }
    /* Carried over at the beginning of time: nothing has expired by then, so
     * what the clocks of sockets say does not matter here. A home that fails
     * its checks is not carried from, and given up. */
    if (opened == SNCE_OK && m.view.moving) {
        result = MapHomes(&m.view);
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
    snceDirectory_Commit(entry, snceLife_Next(life, 0, SNCE_LIFE_MOVING));
    SNCE_STEP("move-ended");
    /* What a slow writer still stores in the old home is lost; it checks
     * (snceView_Moved). */
    snceShape_Vacate(region, number, !snceLife_Home(life));
    return SNCE_OK;
}
