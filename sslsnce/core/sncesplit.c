/* This Source Code Form is subject to the terms of the Mozilla Public
 * License, v. 2.0. If a copy of the MPL was not distributed with this
 * file, You can obtain one at http://mozilla.org/MPL/2.0/. */

#include "sncesplit.h"

#include <string.h>

#include "sncecarry.h"
#include "sncefind.h"
#include "sncestep.h"

/* Looks at one slot. Each but the first means that something was moved out of it, or
 * that another process changed it or stored something in the same sets. */
#define SPLIT_TRIES 4

/* Tries at freezing. Each failure is a page that another process took into use. */
#define FREEZE_TRIES 64

/* Sequentially consistent: pairs with snceHome_Size. */
static bool
Change(snceHome *home, snceSize to)
{
    snceSize seen = home->table.size;

    return atomic_compare_exchange_strong_explicit(&home->words->size, &seen,
                                                   to, memory_order_seq_cst,
                                                   memory_order_relaxed);
}

/* Copies the entry |words|, which was read at |from|, to where lookups look, and takes
 * the old one out. Returns as snceCarry_Copy; |*to| is where the copy lies on SNCE_OK. */
static snceResult
MoveOnce(const snceCarry *carry, const snceProbe *probe, const snceSpot *from,
         const uint64_t words[SNCE_ENTRY_WORDS], snceSpot *to)
{
    uint64_t copy[SNCE_ENTRY_WORDS];
    snceResult result;

    memcpy(copy, words, sizeof(copy));
    result = snceCarry_Copy(carry, probe, from, copy, to);
    explicit_bzero(copy, sizeof(copy));
    SNCE_STEP("split-copied");
    /* Where there are only younger ones it is the one to evict. */
    if (result != SNCE_DROPPED && result != SNCE_NO_MEMORY &&
        snceTable_Take(&carry->old->table, from)) {
        snceHome_Lose(carry->old, words[SNCE_W_CERTIFICATE]);
    }
    SNCE_STEP("split-moved");
    return result;
}

/* Moves it. Another process may do the same at this moment: then there may be two copies
 * of it, until a removal, or an insert of the same key, finds both.
 *
 * A process that was slow may have stored its copy in a page that is being split itself
 * by now, and behind those who look through it: the copy goes on with them, or goes
 * where lookups no longer look for it. */
static void
Move(const snceCarry *carry, const snceProbe *probe, const snceSpot *from,
     const uint64_t words[SNCE_ENTRY_WORDS])
{
    snceHome now = *carry->now;
    const snceCarry on = { &now, &now, carry->rule, NULL };
    snceSpot at, to;

    if (MoveOnce(carry, probe, from, words, &at) != SNCE_OK) {
        return;
    }
    for (unsigned try = 0; try < SPLIT_TRIES; try++) {
        if (!snceTable_Resize(&now.table, snceHome_Size(&now)) ||
            snceTable_IsPlace(&now.table, probe->hash, at.set) ||
            !snceSlot_Unchanged(&at.set->version[at.way], at.seen)) {
            return;
        }
        if (!snceTable_IsLookedAt(&now.table, probe->hash, at.set)) {
            if (snceTable_Take(&now.table, &at)) {
                snceHome_Lose(&now, words[SNCE_W_CERTIFICATE]);
            }
            return;
        }
        if (MoveOnce(&on, probe, &at, words, &to) == SNCE_OK) {
            at = to;
        }
    }
}

/* What becomes of what lies at a slot of the page that is split. */
typedef enum {
    STAYS,
    MOVES,
    GOES, /* it has expired, was spoiled by a late writer, or is not looked for here */
    CHANGES
} fate;

/* Copies the whole entry to |words| only if it does not stay, which half of them do. */
static fate
Judge(const snceCarry *carry, const snceSpot *spot, unsigned side,
      uint64_t words[SNCE_ENTRY_WORDS], snceProbe *probe)
{
    const snceTable *table = &carry->old->table;
    uint64_t last = snceTable_Last(table);
    uint64_t page[2];

    snceSlot_Load(words + SNCE_W_ID,
                  spot->set->slot[spot->way].word + SNCE_W_ID,
                  SNCE_W_SHAPE + 1 - SNCE_W_ID);
    if (!snceSlot_Unchanged(&spot->set->version[spot->way], spot->seen)) {
        return CHANGES;
    }
    snceCarry_Probe(probe, table->region, words);
    snceTable_Pages(table, probe->hash, page);
    if (page[side] == snceSize_Partner(last, table->pages)) {
        return STAYS;
    }
    switch (snceTable_Read(table, spot, words)) {
        case SNCE_OK:
            break;
        case SNCE_MISS:
            return CHANGES;
        default:
            words[SNCE_W_CERTIFICATE] = 0; /* it refers to none that counts */
            return GOES;
    }
    return page[side] != last ||
                   snceRule_Expired(&carry->rule, snceTable_ClassOf(words),
                                    (int64_t)words[SNCE_W_CREATED])
               ? GOES
               : MOVES;
}

/* Empties a slot of what is to move. Claims are passed over: their writers see that the
 * table has grown. False if something may still be there. */
static bool
SplitSlot(const snceCarry *carry, snceSet *set, unsigned way, unsigned side,
          uint64_t words[SNCE_ENTRY_WORDS])
{
    for (unsigned try = 0; try < SPLIT_TRIES; try++) {
        snceSpot spot = snceSpot_At(set, way);
        snceProbe probe;

        if (snceVersion_State(spot.seen) != SNCE_STATE_FULL) {
            return true;
        }
        switch (Judge(carry, &spot, side, words, &probe)) {
            case STAYS:
                return true;
            case MOVES:
                Move(carry, &probe, &spot, words);
                break;
            case GOES:
                if (snceTable_Take(&carry->old->table, &spot)) {
                    snceHome_Lose(carry->old, words[SNCE_W_CERTIFICATE]);
                }
                break;
            case CHANGES:
                break;
        }
    }
    return false;
}

/* Moves the sessions of the last page in use out of the page that it is split from, and
 * says that this is done. */
static void
Split(snceHome *home, const snceRule *rule)
{
    const snceCarry carry = { home, home, *rule, NULL };
    const snceTable *table = &home->table;
    uint64_t partner = snceSize_Partner(snceTable_Last(table), table->pages);
    uint64_t words[SNCE_ENTRY_WORDS];
    bool emptied = true;

    for (unsigned i = 0; i < SNCE_PAGE_SLOTS && emptied; i++) {
        unsigned side = i / SNCE_WAYS;
        snceSet *set = snceTable_Set(table, 2 * partner + side);

        emptied = set && SplitSlot(&carry, set, i % SNCE_WAYS, side, words);
    }
    explicit_bzero(words, sizeof(words));
    SNCE_STEP("split-emptied");
    if (emptied) {
        (void)Change(home, table->size & ~SNCE_SIZE_SPLITTING);
    }
    SNCE_STEP("split-ended");
}

void
snceSplit_Grow(snceHome *home, const snceRule *rule)
{
    snceTable *table = &home->table;

    if (!snceTable_Resize(table, snceHome_Size(home)) ||
        (table->size & SNCE_SIZE_FROZEN)) {
        return;
    }
    if (!snceTable_IsSplitting(table)) {
        /* The page is there before anybody is sent to it. */
        if (snceTable_IsGrown(table) ||
            !snceTable_Set(table, 2 * snceTable_Used(table))) {
            return;
        }
        /* Who fails has been helped: another process took the page into use. */
        if (!Change(home, snceSize_Begun(table->size))) {
            return;
        }
        SNCE_STEP("split-began");
        (void)snceTable_Resize(table, snceSize_Begun(table->size));
    }
    Split(home, rule);
    (void)snceTable_Resize(table, snceHome_Size(home));
}

void
snceSplit_Freeze(snceHome *home, const snceRule *rule)
{
    for (unsigned try = 0; try < FREEZE_TRIES; try++) {
        if (!snceTable_Resize(&home->table, snceHome_Size(home))) {
            return;
        }
        if (!(home->table.size & SNCE_SIZE_FROZEN)) {
            (void)Change(home, home->table.size | SNCE_SIZE_FROZEN);
        } else if (snceTable_IsSplitting(&home->table)) {
            Split(home, rule);
        } else {
            return;
        }
    }
}
